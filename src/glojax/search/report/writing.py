"""The writing of reports: at the end of a run, whatever the end is, and by the command `report`."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import version
from pathlib import Path

from rich.console import Console

from glojax.errors import ConfigurationError
from glojax.files import expanded, write_atomically
from glojax.reporting.elements import Element
from glojax.reporting.page import Part, page
from glojax.search.report.ancestry import ancestry
from glojax.search.report.classes import classes
from glojax.search.report.course import search, sizes, time, tuning
from glojax.search.report.curves import curves
from glojax.search.report.loss import loss, use
from glojax.search.report.options import ReportOptions
from glojax.search.report.outcome import comparison, rates, verdict
from glojax.search.report.records import Records, read_run
from glojax.search.report.setup import setup
from glojax.search.run_directory import REPORT, writing
from glojax.terminal import print_text

#: The parts of a report.
_PARTS: dict[str, Callable[[Records], Element | None]] = {
    "Verdict": verdict,
    "The loss": loss,
    "Comparison": comparison,
    "Learning curves": curves,
    "Predicted classes": classes,
    "Learning rates": rates,
    "Where it comes from": ancestry,
    "Search": search,
    "Size and fitness": sizes,
    "Tuning": tuning,
    "Where the time went": time,
    "Use it": use,
    "The run": setup,
}


def report_html(directories: Sequence[Path]) -> str:
    """Return the report of runs as a page; raise RunDirectoryError for a folder that holds no readable run."""
    runs = [read_run(directory) for directory in directories]
    title = f"{runs[0].command} on {runs[0].dataset}" if len(runs) == 1 else f"{len(runs)} runs"
    parts = [Part(name, [make(run) for run in runs]) for name, make in _PARTS.items()]
    names = [run.name for run in runs]
    return page(f"glojax: {title}", names, parts, f"Made by glojax {version('glojax')}.")


def write_report(directory: Path) -> None:
    """Write the report of a run into its folder."""
    text = report_html([directory])
    write_atomically(directory / REPORT, lambda path: path.write_text(text, encoding="utf-8"))


@contextlib.contextmanager
def reported(directory: Path) -> Iterator[None]:
    """Write the report of a run at its end; where it ends early, a report that fails hides no other error."""
    try:
        yield
    except BaseException:
        with contextlib.suppress(Exception):
            write_report(directory)
        raise
    write_report(directory)


def print_report(options: ReportOptions, console: Console) -> None:
    """Write the report of runs, and print where it is."""
    if not options.run_dirs:
        raise ConfigurationError("There is no run to report; give the folder of one, or of several.")
    directories = [expanded(directory) for directory in options.run_dirs]
    text = report_html(directories)
    target = Path(REPORT) if len(directories) > 1 else directories[0] / REPORT
    if options.output is not None:
        target = expanded(options.output)
    with writing(target.parent, "or give another file as --output"):
        write_atomically(target, lambda path: path.write_text(text, encoding="utf-8"))
    print_text(f"Report: {target}", console)
