"""What a report shows of a run, read from its directory and checked: nothing in it is imported or trained."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import dacite

from glojax.datasets.catalog import DATASETS
from glojax.datasets.publication import Publication
from glojax.errors import ConfigurationError, ExpressionError, RunDirectoryError, in_one_line
from glojax.evaluation import Status
from glojax.expressions import LossTree, Origin
from glojax.losses import CATALOG
from glojax.regular_files import parse_json, read_json, read_lines
from glojax.search.comparison import BEST_RATE, ComparedLoss, RateTrial, WelchTest
from glojax.search.config_file import go_on_command, read_config
from glojax.search.generations import GenerationRecord
from glojax.search.learning_curves import LearningCurve
from glojax.search.predictions import Predictions
from glojax.search.results import in_words
from glojax.search.run_directory import require_run, resume_command
from glojax.search.saved_run import MAX_RESULT, read_records, recorded_origin, typed
from glojax.search.tuning import TuningRecord
from glojax.search.verdict import Verdict
from glojax.tasks import TASKS, Task

#: Losses that are drawn in one chart, the found one among them.
NUM_DRAWN = 6


@dataclass(frozen=True)
class Candidate:
    """A line of `candidates.jsonl`, or a finalist of the discovery."""

    tree: LossTree
    fitness: float | None
    status: Status
    phase: str
    generation: int
    rejected_by: str | None = None
    origin: Origin | None = None
    learning_rate: float | None = None


@dataclass(frozen=True)
class Audit:
    """How many audited rejections were false, and the interval of their rate."""

    checked: int
    false_rejections: int
    interval: list[float]


@dataclass(frozen=True)
class Counts:
    """The counts of a search for shapes."""

    candidates: int
    drawn: int
    trained: int
    candidate_steps: int
    rejected: dict[str, int]
    audit: Audit


@dataclass(frozen=True)
class TunedLoss:
    """The result of a loss's tuning."""

    loss: str
    fitness_before: float | None
    expression: str
    fitness: float | None
    num_coefficients: int
    stop_reason: str


@dataclass(frozen=True)
class Result:
    """The content of `result.json`, as far as there is any; one with a metric is that of a run that has ended."""

    expression: LossTree | None = None
    learning_rate: float | None = None
    fitness: float | None = None
    mean_score: float | None = None
    metric: str | None = None
    num_outputs: int | None = None
    test_split: str = "official"
    search: Counts | None = None
    tuning: list[TunedLoss] = field(default_factory=list)
    rates: dict[str, list[RateTrial]] = field(default_factory=dict)
    comparison: list[ComparedLoss] = field(default_factory=list)
    welch: list[WelchTest] = field(default_factory=list)
    curves: dict[str, LearningCurve] = field(default_factory=dict)
    predictions: dict[str, Predictions] = field(default_factory=dict)
    verdict: list[Verdict] = field(default_factory=list)


@dataclass(frozen=True)
class Records:
    """A run, as its report shows it.

    Attributes:
        config: The content of `config.json`.
        finalists: Those of the discovery, each perhaps a shorter text of the candidate that it was.
        num_trainings, num_steps: The trainings of the journal, and their optimizer steps in all.
        is_running: Whether the run is going on while it is read.
    """

    path: Path
    config: Mapping[str, Any]
    result: Result
    candidates: Sequence[Candidate]
    finalists: Sequence[Candidate]
    generations: Sequence[GenerationRecord]
    tuning: Sequence[TuningRecord]
    num_trainings: int
    num_steps: int
    is_running: bool = False

    @property
    def command(self) -> str:
        """The command that began the run."""
        return str(self.config["command"])

    @property
    def is_finished(self) -> bool:
        """Whether the run has come to its end."""
        return self.result.metric is not None

    @property
    def name(self) -> str:
        """The name of the directory."""
        return self.path.absolute().name

    @property
    def options(self) -> Mapping[str, Any]:
        """The options of the command; they may have any values."""
        options: Mapping[str, Any] = self.config["options"]
        return options

    @property
    def training(self) -> Mapping[str, Any]:
        """The configuration of a training; it may have any values."""
        training = self.options.get("training")
        return training if isinstance(training, Mapping) else {}

    @property
    def task(self) -> Task:
        """What the networks learn."""
        name = self.config["resolved"].get("task")
        return next((task for task in TASKS.values() if task.name == name), TASKS["classification"])

    @property
    def dataset(self) -> str:
        """The name of the data set; of a file, without its folder."""
        return Path(str(self.options.get("dataset"))).name

    @property
    def num_classes(self) -> int:
        """The number of classes; 10 until `result.json` says it, and 2 for labels that exclude no other."""
        return 2 if self.task.link != "softmax" else max(2, self.result.num_outputs or 10)

    def class_names(self, num_classes: int) -> list[str]:
        """Return the names of the classes: their numbers, and what they are where the data set says it."""
        entry = DATASETS.get(str(self.options.get("dataset")))
        names = entry.class_names if isinstance(entry, Publication) else ()
        numbers = [*map(str, range(num_classes))]
        if len(names) != num_classes or [*names] == numbers:
            return numbers
        return [f"{number} {name}" for number, name in enumerate(names)]

    @property
    def prob_epsilon(self) -> float:
        """Lower bound of y and 1 - y in denominators."""
        epsilon = self.training.get("prob_epsilon")
        return epsilon if isinstance(epsilon, float) and 0 <= epsilon < 0.5 else 1e-7

    @property
    def metric(self) -> str:
        """What the scores are, in words."""
        own = self.training.get("metric")
        return in_words(self.result.metric or (own if isinstance(own, str) else self.task.metrics[0]))

    @property
    def found(self) -> LossTree | None:
        """The loss that was found or, before that, the best candidate; None where nothing was looked for."""
        if self.result.expression is not None:
            return self.result.expression
        return self.best_first[0].tree if self.best_first else None

    @cached_property
    def best_first(self) -> list[Candidate]:
        """The candidates with a fitness; of equally fit ones the smaller."""
        known = [(-one.fitness, one.tree.size, one) for one in self.candidates if one.fitness is not None]
        return [one for _, _, one in sorted(known, key=lambda each: each[:2])]

    @cached_property
    def losses(self) -> dict[str, LossTree]:
        """The losses to draw by name: the found one first, then those that it is compared with, of other shapes."""
        named = {one.name: LossTree.parse(one.expression) for one in self.result.comparison}
        name = "best so far" if self.result.expression is None else next(iter(named), "found")
        losses = {} if self.found is None else {name: self.found}
        for name, tree in (named or {each: CATALOG[each] for each in self.task.standard_losses}).items():
            if not name.endswith(BEST_RATE) and tree not in losses.values():
                losses[name] = tree
        return dict(list(losses.items())[:NUM_DRAWN])

    def series(self, name: str) -> int:
        """Return the number of a loss's colour, the same in all charts."""
        return {each: number for number, each in enumerate(self.losses)}.get(name, NUM_DRAWN - 1)

    @property
    def resume_command(self) -> str:
        """The command that goes on with the run."""
        try:
            return go_on_command(self.path, self.config)
        except (TypeError, ValueError, AttributeError, KeyError):
            return resume_command(self.path)


def read_run(directory: Path, *, is_running: bool = False) -> Records:
    """Read a run's directory; `is_running` while the run is going on.

    Raises:
        RunDirectoryError: The folder holds no run, or a file in it is damaged or of another version.
    """
    require_run(directory)
    config = read_config(directory)
    settings = dacite.Config(cast=[tuple], type_hooks={LossTree: LossTree.parse})
    path = directory / "result.json"
    try:
        content = read_json(path, MAX_RESULT) if os.path.lexists(path) else {}
        num_trainings, num_steps = _trainings(directory / "trainings.jsonl")
        records = Records(
            path=directory,
            config=config,
            result=dacite.from_dict(Result, content, settings),
            candidates=[_candidate(record) for record in read_records(directory / "candidates.jsonl")],
            finalists=[_finalist(record) for record in content.get("discovered", {}).get("finalists", [])],
            generations=[typed(GenerationRecord, record) for record in read_records(directory / "generations.jsonl")],
            tuning=[typed(TuningRecord, record) for record in read_records(directory / "tuning.jsonl")],
            num_trainings=num_trainings,
            num_steps=num_steps,
            is_running=is_running,
        )
        _ = records.losses  # refuses what is no loss
    except (
        *(OSError, ValueError, KeyError, TypeError, AttributeError),
        *(ExpressionError, ConfigurationError, dacite.DaciteError),
    ) as error:
        cause = f"{type(error).__name__}: {in_one_line(error)}"
        raise RunDirectoryError(
            f"{directory} cannot be read ({cause}); let `{resume_command(directory)}` mend it."
        ) from error
    return records


def _candidate(record: Mapping[str, Any]) -> Candidate:
    names = ("fitness", "status", "phase", "generation", "learning_rate")
    others = {"tree": record["expression"], "rejected_by": record.get("rejected_by"), "origin": recorded_origin(record)}
    return typed(Candidate, others | {name: record[name] for name in names})


def _finalist(record: Mapping[str, Any]) -> Candidate:
    about = {"status": "trained", "phase": "finalists", "generation": 0, "origin": recorded_origin(record)}
    return typed(Candidate, about | {"tree": record["expression"], "fitness": record["fitness"]})


def _trainings(path: Path) -> tuple[int, int]:
    """Return the number of trainings in a journal, and their steps; lines that cannot be read do not count."""
    number = total = 0
    for line in read_lines(path) if os.path.lexists(path) else ():
        try:
            steps = parse_json(line)["steps"]
        except (ValueError, KeyError, TypeError):
            continue
        if type(steps) is int and steps >= 0:
            number, total = number + 1, total + steps
    return number, total
