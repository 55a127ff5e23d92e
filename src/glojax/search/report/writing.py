"""The writing of reports: as a run goes, at its end, whatever the end is, and by the command `report`."""

import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from time import perf_counter

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

#: Seconds between two reports of a run that is going on, at least, and the greatest share of the time that they take:
#: one of ten thousands of losses takes seconds.
INTERVAL_SECONDS, _LARGEST_SHARE = 30.0, 0.02

#: The files whose sizes tell that there is something new to report.
_TELLING = ("generations.jsonl", "tuning.jsonl", "result.json")

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


def report_html(directories: Sequence[Path], *, is_running: bool = False) -> str:
    """Return the report of runs as a page; raise RunDirectoryError for a folder that holds no readable run."""
    runs = [read_run(directory, is_running=is_running) for directory in directories]
    title = f"{runs[0].command} on {runs[0].dataset}" if len(runs) == 1 else f"{len(runs)} runs"
    parts = [Part(name, [make(run) for run in runs]) for name, make in _PARTS.items()]
    names = [run.name for run in runs]
    return page(f"glojax: {title}", names, parts, f"Made by glojax {version('glojax')}.")


def write_report(directory: Path, *, is_running: bool = False) -> None:
    """Write the report of a run into its folder; `is_running` while the run is going on."""
    text = report_html([directory], is_running=is_running)
    write_atomically(directory / REPORT, lambda path: path.write_text(text, encoding="utf-8"))


@contextlib.contextmanager
def reported(directory: Path) -> Iterator[None]:
    """Write the report of a run as it goes, in a thread, and at its end; an error of an early report hides no other."""
    ended = threading.Event()
    writer = threading.Thread(target=_report_progress, args=(directory, _sizes(directory), ended), daemon=True)
    writer.start()
    try:
        try:
            yield
        finally:
            ended.set()
            writer.join()
    except BaseException:
        with contextlib.suppress(Exception):
            write_report(directory)
        raise
    write_report(directory)


def _report_progress(directory: Path, reported: list[int], ended: threading.Event) -> None:
    """Write the report whenever there is something new, and it is time, until the run has ended."""
    pause = INTERVAL_SECONDS
    while not ended.wait(pause):
        sizes, start = _sizes(directory), perf_counter()
        if sizes == reported:
            continue
        # The report at the end raises what is lasting; a file may be incomplete for a moment.
        with contextlib.suppress(Exception):
            write_report(directory, is_running=True)
            reported = sizes
        pause = max(INTERVAL_SECONDS, (perf_counter() - start) / _LARGEST_SHARE)


def _sizes(directory: Path) -> list[int]:
    """Return the sizes of the telling files in bytes, -1 of one that is not there."""
    sizes = []
    for name in _TELLING:
        try:
            sizes.append((directory / name).stat().st_size)
        except OSError:
            sizes.append(-1)
    return sizes


def print_report(options: ReportOptions, console: Console) -> None:
    """Write the report of runs, and print where it is."""
    if not options.run_dirs:
        raise ConfigurationError("There is no run to report; give the folder of one, or of several.")
    directories = [expanded(directory) for directory in options.run_dirs]
    text = report_html(directories)
    target = Path(REPORT) if len(directories) > 1 else directories[0] / REPORT
    if options.output is not None:
        target = expanded(options.output)
    if not target.parent.is_dir():
        advice = "make it first, or give another file as --output"
        raise ConfigurationError(f"Cannot write {target}: there is no folder {target.parent}; {advice}.")
    with writing(target.parent, "or give another file as --output"):
        write_atomically(target, lambda path: path.write_text(text, encoding="utf-8"))
    print_text(f"Report: {target}", console)
