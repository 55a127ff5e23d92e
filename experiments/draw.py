"""Writes the tables and figures of all experiments: `README.md` and `figures/` beside this file, and docs/found.md's.

python -m experiments.draw
"""

import importlib
import inspect
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import tyro

from experiments import contest, other_draws
from experiments.contest_report import summary
from experiments.records import RESULTS, Records
from experiments.searches import SearchOptions
from experiments.style import save
from experiments.trainings import without_covered
from glojax.errors import GlojaxError

#: In the paper's order; scripts without a counterpart in the paper come last.
SCRIPTS = (
    "validation_2000_steps",
    "test_accuracy",
    "training_curves",
    "dataset_size",
    "cifar_transfer",
    "binary_loss",
    "output_histograms",
    "loss_surfaces",
    "learning_rate_control",
    "larger_rates",
    "discovery",
    "coefficients",
    "taylor_losses",
    "shape_search",
    "search_cost",
    "strategy_settings",
    "longer_verdict",
    "contest",
    "other_draws",
    "found_losses",
    "transfer",
    "precision_ranking",
)

#: Comments of a page of the documentation, between which the tables of the contests are written.
BEGIN, END = "<!-- The tables: written by `python -m experiments.draw`. -->", "<!-- End of the tables. -->"

INTRODUCTION = """\
<!-- Written by `python -m experiments.draw` from the files in `results/` and from discussion.md. -->

# Experiments

A script for each table and figure of the paper (Gonzalez and Miikkulainen, 2020), from real runs, and for some that it
does not have. A script does the trainings and searches that have no record in `results/` yet; it can be stopped at any
time, and the same command goes on. `--seeds` and the like add more. Each record in a folder of `results/` holds the
command that makes it again, bit for bit at its commit and on the same machine, given `--results FOLDER` (there is a
record here already) and, if the cache has no data, `--data-dir FOLDER`. Unless a section says otherwise: MNIST, 55,000
training images, the first 5,000 of the original ones for validation, the official 10,000 for the test; the paper's
network; SGD at a learning rate of 0.01 in batches of 100; losses summed over the classes. Times are for two CPU cores.

```
python -m experiments.test_accuracy    # or another of the scripts below; --help lists its options
python -m experiments.draw             # this file and the figures
```
"""


@dataclass(frozen=True)
class Options:
    """Folders."""

    results: Path = RESULTS
    """Folder with the records."""

    output: Path = RESULTS.parent
    """Folder for `README.md` and `figures`; the tables of `../docs/found.md`, seen from there, are written, too."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Draw everything; return the exit code, 2 if a record cannot be read."""
    options = tyro.cli(Options, args=arguments, description=__doc__)
    try:
        records = Records(options.results)
        sections = [section(name, records, options.output / "figures") for name in SCRIPTS]
    except GlojaxError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    discussion = (Path(__file__).parent / "discussion.md").read_text()
    (options.output / "README.md").write_text("\n".join([INTRODUCTION, *sections, discussion]))
    page = options.output.resolve().parent / "docs" / "found.md"
    if page.exists():
        page.write_text(with_contests(page.read_text(), records))
    return 0


def with_contests(page: str, records: Records) -> str:
    """Return a page of the documentation with the tables of the contests between its two comments."""
    before, rest = page.split(BEGIN)
    tables = f"{summary(contest.outcomes(records))}\n{other_draws.summary(other_draws.outcomes(records))}"
    return f"{before}{BEGIN}\n\n{tables}\n{END}{rest.split(END)[1]}"


def section(name: str, records: Records, figures: Path) -> str:
    """Return the section of an experiment in Markdown, and draw its figure."""
    module = importlib.import_module(f"experiments.{name}")
    options = module.Options(results=records.folder)
    report = module.report(options, records)
    title, paper, time = header(module)
    picture = ""
    if report.figure is not None:
        save(report.figure, figures, name)
        picture = f"![{title}](figures/{name}.png)\n"
    parts = [
        f"## {title}\n",
        f"`python -m experiments.{name}`. {time}\n",
        f"{paper}\n",
        state(module, options, records),
        report.text,
        picture,
    ]
    return "\n".join(part for part in parts if part)


def header(module: ModuleType) -> tuple[str, str, str]:
    """Return the title without its full stop, the paper's result and the time, from a script's docstring."""
    title, *paragraphs = (text.replace("\n", " ") for text in (inspect.getdoc(module) or "").split("\n\n"))
    paper, time = (next(text for text in paragraphs if text.startswith(start)) for start in ("The paper", "Time:"))
    return title.removesuffix("."), paper, time


def state(module: ModuleType, options: object, records: Records) -> str:
    """Return a sentence on the parts of an experiment that were not run; empty if all were."""
    wanted = without_covered(module.wanted(options, records))
    missing = records.missing(wanted)
    parts = ["the search"] if isinstance(options, SearchOptions) and options.outcome(records) is None else []
    if missing:
        parts.append(f"{len(missing)} of {len(wanted)} trainings")
    return f"**Not yet run: {' and '.join(parts)}.**\n" if parts else ""


if __name__ == "__main__":
    sys.exit(main())
