"""Tables and figures of all results: `README.md` and `figures/` beside this file.

python -m benchmarks.draw
"""

import importlib
import inspect
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tyro

from benchmarks.figures import device_line, draw
from benchmarks.record import RESULTS, Case, Record, RecordError

#: The details of a case that the table shows, and their headers.
DETAIL_COLUMNS = {
    "candidate_steps_per_second_per_device": "candidate-steps / s / device",
    "share_of_matrix_product": "share of matrix product",
    "steps": "steps",
    "trained": "losses trained",
    "reached": "reached",
    "of_flax": "times Flax's",
    "times_optax": "times optax",
    "temporary_megabytes": "temporary MB",
    "head_busy": "share of the time that the head is busy",
}

INTRODUCTION = """\
<!-- Written by `python -m benchmarks.draw` from the files in `results/`. -->

# Benchmarks

Every table and figure is drawn from a file in `results/`, which holds all samples. Contestants take turns, each in a
process of its own; the first turn, which compiles, is not a sample. Figures are medians, with quartiles in parentheses;
compile seconds are the time by which the first turn took longer. Memory is the peak of the process, Python and
libraries included, or of the GPU. A matrix product of the same run measures the device: the share of it is the rate of
the layers' arithmetic alone. A device is a GPU, or the processor. The ways to train a
population do not alternate on a GPU, whose memory a process keeps: each has all its turns at once. A table names the
precision of products where the record has it.

```
python -m benchmarks.compare BEFORE.json AFTER.json    # ends with code 1 if anything is slower beyond noise
python -m benchmarks.draw                              # this file and the figures
```
"""


@dataclass(frozen=True)
class Options:
    """Paths of results and output."""

    results: Path = RESULTS
    output: Path = RESULTS.parent


def main(options: Options) -> int:
    """Draw every result, and return the exit code: 1 if a file is not a record."""
    sections = [INTRODUCTION]
    code = 0
    for path in sorted(options.results.glob("*.json")):
        try:
            record = Record.read(path)
        except RecordError as error:
            print(error, file=sys.stderr)
            code = 1
            continue
        draw(record, options.output / "figures" / f"{path.stem}.png")
        sections.append(section(record, path.stem))
    (options.output / "README.md").write_text("\n".join(sections))
    return code


def section(record: Record, name: str) -> str:
    """Return a record in Markdown: purpose, command, device, figure, table, and failures."""
    commit = f", commit {record.commit['hash'][:12]}" if record.commit else ""
    changed = " with changes" if record.commit and not record.commit["clean"] else ""
    failures = "".join(f"- {case.label}: {case.failure}\n" for case in record.cases if case.failure)
    return (
        f"## {name}\n\n{purpose(record.benchmark)}\n\n"
        f"{device_line(record)}; {record.measured[:10]}{commit}{changed}.\n\n"
        f"![{record.unit}](figures/{name}.png)\n\n{table(record)}" + (f"\nFailed:\n\n{failures}" if failures else "")
    )


def purpose(benchmark: str) -> str:
    """Return the first sentence of the benchmark's module, and its command."""
    try:
        module = importlib.import_module(f"benchmarks.{benchmark}")
    except ImportError:
        return ""
    text = inspect.getdoc(module) or ""
    head, _, rest = text.partition("\n\n")
    return f"{head}\n\n```\n{inspect.cleandoc(rest.partition(chr(10) * 2)[0])}\n```"


def table(record: Record) -> str:
    """Return a table with a row for each case, without empty columns."""
    parameters = list(dict.fromkeys(name for case in record.cases for name in case.parameters))
    columns = [
        ("contestant", [case.contestant for case in record.cases]),
        *((name, [_cell(case.parameters.get(name)) for case in record.cases]) for name in parameters),
        ("precision", [_cell(case.precision) for case in record.cases]),
        (record.unit, [_median(case) for case in record.cases]),
        ("samples", [str(len(case.samples.values)) for case in record.cases]),
        ("compile s", [_cell(case.compile_seconds) for case in record.cases]),
        ("peak GB", [_cell(case.peak_memory_bytes and case.peak_memory_bytes / 1e9) for case in record.cases]),
        *(
            (header, [_cell(case.details.get(name)) for case in record.cases])
            for name, header in DETAIL_COLUMNS.items()
        ),
    ]
    known = [(header, cells) for header, cells in columns if any(cells)]
    lines = [[header for header, _ in known], ["---"] * len(known), *zip(*(cells for _, cells in known), strict=True)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _median(case: Case) -> str:
    if case.samples.median is None or case.samples.quartiles is None:
        return "failed"
    low, high = case.samples.quartiles
    return f"{_number(case.samples.median)} ({_number(low)} to {_number(high)})"


def _number(value: float) -> str:
    return f"{value:.4g}" if abs(value) < 1000 else f"{value:,.0f}"


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"
    return str(value)


if __name__ == "__main__":
    sys.exit(main(tyro.cli(Options, description=__doc__)))
