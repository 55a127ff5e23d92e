"""A finished or unfinished run, read back from its directory."""

import math
import os
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import dacite

from glojax.datasets import TaskName
from glojax.errors import ConfigurationError, ExpressionError, RunDirectoryError, in_one_line
from glojax.evaluation import Evaluation
from glojax.expressions import LossTree, Origin
from glojax.files import expanded
from glojax.regular_files import parse_json, read_json, read_lines
from glojax.search.comparison import ComparedLoss
from glojax.search.config_file import read_config
from glojax.search.generations import GenerationRecord
from glojax.search.loop import rank
from glojax.search.run_directory import require_run, resume_command
from glojax.search.tuning import TuningRecord
from glojax.tasks import TASKS
from glojax.training import TrainingConfig, recorded_config, recorded_functions
from glojax.training.named_functions import absolute_import_path
from glojax.wording import counted

if TYPE_CHECKING:
    import pyarrow as pa

Record = TypeVar("Record")

#: The columns of `SavedRun.candidates`, and their types; the parents, a list of strings, follow.
_COLUMNS = {
    "expression": "string",
    "size": "int64",
    "fitness": "float64",
    "status": "string",
    "steps": "int64",
    "learning_rate": "float64",
    "rejected_by": "string",
    "phase": "string",
    "generation": "int64",
    "origin": "string",
}

#: Greatest size of `result.json`: 400 kB for each loss that is compared over 10,000 seeds.
MAX_RESULT = 2**28

#: What the checks of a record raise.
_REFUSALS = (ExpressionError, ConfigurationError, dacite.DaciteError)


@dataclass(frozen=True)
class SavedRun:
    """The content of a run directory.

    Attributes:
        path: The directory.
        command: `run`, `discover`, `tune` or `compare`.
        options: The options of the command, as `config.json` has them.
        task: What the networks learn: a name in `TASKS`.
        training: The configuration of a training.
        evaluations: Every distinct loss, in the order of the run.
        candidates: The same as a `pyarrow.Table`, which `to_pandas()` makes a data frame of: expression, size, fitness,
            status, steps, learning_rate, rejected_by, phase ("discovery", "tuning" or "control"), generation, origin
            (how it was made: see `Origin.making`) and parents (the losses that it was made of). The last two are null
            in a run that an earlier version has begun.
        generations: A summary of each generation of the discovery.
        tuning: A summary of each generation of each loss under tuning.
        result: The content of `result.json`, None before there is one.
    """

    path: Path
    command: str
    options: Mapping[str, Any]
    task: TaskName
    training: TrainingConfig
    evaluations: list[Evaluation]
    candidates: "pa.Table"
    generations: list[GenerationRecord]
    tuning: list[TuningRecord]
    result: Mapping[str, Any] | None

    @property
    def hall_of_fame(self) -> list[Evaluation]:
        """The losses with a known fitness, the best first; of equally fit ones the smaller, then the earlier."""
        return sorted((one for one in self.evaluations if one.fitness is not None), key=rank)

    @property
    def best(self) -> LossTree | None:
        """The result of the run or, if there is none yet, its fittest loss; None if no fitness is known."""
        if self.result is not None and "expression" in self.result:
            return LossTree.parse(self.result["expression"])
        return next((one.tree for one in self.hall_of_fame), None)

    @property
    def comparison(self) -> list[Mapping[str, Any]] | None:
        """The compared losses, as `result.json` has them; None before there are any."""
        return None if self.result is None else self.result.get("comparison")

    def __repr__(self) -> str:
        return f"<SavedRun: {self._in_words}>"

    def _repr_html_(self) -> str:
        from glojax.reporting.notebook import paragraph, search_html, table  # matplotlib takes its time

        verdict = [one["sentence"] for one in (self.result or {}).get("verdict", ())]
        shown = "".join(map(paragraph, [self._in_words, *verdict]))
        if self.best is not None:
            fitness = [one.fitness for one in self.evaluations]
            shown += search_html(self.best, self.hall_of_fame, fitness, TASKS[self.task].domain)
        if self.comparison is not None:
            rows = (
                (one["validation"]["mean"], one["test"]["mean"], one["learning_rate"], one["name"])
                for one in self.comparison
            )
            shown += table(("validation", "test", "learning rate", "compared loss"), rows)
        return shown

    @property
    def _in_words(self) -> str:
        best = "" if self.best is None else f", best: {self.best}"
        return f"{self.command} in {self.path}, {counted(len(self.evaluations), 'loss', 'losses')}{best}"


def load_run(path: str | os.PathLike[str], *, functions: Collection[str] = ()) -> SavedRun:
    """Read the directory of a finished or unfinished run; nothing in it is changed.

    Args:
        path: The directory.
        functions: The import paths of an optimizer and a metric of your own, where the run trained with such; no
            others are imported.

    Raises:
        RunDirectoryError: The folder holds no run, names another function, or a file in it is damaged or of another
            version.
    """
    directory = expanded(path)
    require_run(directory)
    config = read_config(directory)
    result = directory / "result.json"
    try:
        functions = [functions] if isinstance(functions, str) else functions
        functions = [absolute_import_path(each) if isinstance(each, str) else each for each in functions]
        others = [name for name in recorded_functions(config["options"]["training"]) if name not in functions]
        if others:
            raise RunDirectoryError(
                f"{directory} names code, {' and '.join(others)}, that its sender may have chosen; if it is yours, "
                f"give functions={others}."
            )
        records = list(read_records(directory / "candidates.jsonl"))
        evaluations = [_evaluation(record) for record in records]
        return SavedRun(
            path=directory,
            command=config["command"],
            options=config["options"],
            task=TASKS[config["resolved"]["task"]].name,
            training=recorded_config(config["options"]["training"]),
            evaluations=evaluations,
            candidates=_table(records, evaluations),
            generations=[typed(GenerationRecord, record) for record in read_records(directory / "generations.jsonl")],
            tuning=[typed(TuningRecord, record) for record in read_records(directory / "tuning.jsonl")],
            result=_checked_result(read_json(result, MAX_RESULT)) if os.path.lexists(result) else None,
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError, *_REFUSALS) as error:
        cause = f"{type(error).__name__}: {in_one_line(error)}"
        raise RunDirectoryError(
            f"{directory} cannot be read ({cause}); let `{resume_command(directory)}` mend it."
        ) from error


def read_records(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the objects of a file of JSON lines; a last line without its end is what a crash leaves."""
    if os.path.lexists(path):
        yield from (parse_json(line) for line in read_lines(path) if line.endswith(b"\n"))


def recorded_origin(record: Mapping[str, Any]) -> Origin | None:
    """Return how the loss of a record was made; None where the record does not say it, as in runs of before."""
    if "origin" not in record:
        return None
    parents = record["parents"]
    if not isinstance(parents, list):
        raise TypeError("the parents are no list")
    return typed(Origin, {"making": record["origin"], "parents": tuple(parents)})


def _evaluation(record: dict[str, Any]) -> Evaluation:
    names = ("fitness", "status", "steps", "learning_rate")
    others = {"tree": record["expression"], "rejected_by": record.get("rejected_by"), "origin": recorded_origin(record)}
    return typed(Evaluation, others | {name: record[name] for name in names})


def _table(records: list[dict[str, Any]], evaluations: list[Evaluation]) -> "pa.Table":
    import pyarrow as pa  # it is imported where it is needed, as it takes a while

    rows = [record | {"size": one.tree.size} for record, one in zip(records, evaluations, strict=True)]
    return pa.Table.from_pylist(rows, schema=pa.schema([*_COLUMNS.items(), ("parents", pa.list_(pa.string()))]))


def _checked_result(result: dict[str, Any]) -> dict[str, Any]:
    """Return the content of `result.json`, if what is read of it has its types."""
    if "expression" in result:
        LossTree.parse(result["expression"])
    comparison = result.get("comparison", [])
    if not isinstance(comparison, list):
        raise TypeError("the comparison is no list")
    for loss in comparison:
        typed(ComparedLoss, loss)
    if not all(isinstance(one["sentence"], str) for one in result.get("verdict", [])):
        raise TypeError("a verdict is no text")
    return result


def typed(kind: type[Record], record: dict[str, Any]) -> Record:
    """Return the record as an object, if its fields have their types, and its counts and times are not negative."""
    settings = dacite.Config(strict=True, type_hooks={LossTree: LossTree.parse})
    made = dacite.from_dict(kind, record, settings)
    for field in fields(made):  # type: ignore[arg-type]
        value = getattr(made, field.name)
        if field.type is int and (isinstance(value, bool) or value < 0):
            raise ValueError(f"{field.name} is {value}")
        if field.name == "seconds" and not 0 <= value < math.inf:
            raise ValueError(f"seconds is {value}")
    return made
