"""How the benchmarks measure: contestants take turns, each in a process of its own, and all samples are kept.

A heat is a list of cases that are compared with each other. Each has a worker, which lives as long as the heat: a case
can then have devices and libraries of its own, its peak memory is its own, and if it breaks, it breaks alone. Round by
round every case has one turn, while the workers of all others sleep. The first turn, which compiles and warms up, is no
sample. A large matrix product takes its turns with them, and tells what the device can do.
"""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from benchmarks import machine
from benchmarks.record import RESULTS, Case, Record, Samples, now
from benchmarks.worker_process import WorkerFailure, WorkerProcess

#: For what is done once: importing, making data.
PREPARE_SECONDS = 120.0

NOT_MEASURED = Samples(())


@dataclass(frozen=True)
class Turns:
    """How many turns there are, and how long they may take."""

    rounds: int = 5
    """Samples of each case, at most."""

    case_seconds: float = 30.0
    """A case has no further turn once its samples have taken this long."""

    turn_seconds: float = 60.0
    """A turn that takes longer is ended, and its case has failed."""

    first_turn_seconds: float = 90.0
    """The same for the first turn, which compiles."""


@dataclass
class Entry:
    """A case that is to be measured.

    Attributes:
        contestant: Its name.
        parameters: What tells it from other cases of this contestant.
        function: "module:name" of what makes the `Contestant`, in the worker.
        arguments: Given to it.
        worker: Cases with the same name here share a process; None for one of its own.
        details: Taken over into the record.
        failure: Why it must not be measured; None where it may be.
        warm_up: Whether its first turn compiles, and is no sample.
    """

    contestant: str
    parameters: dict[str, Any]
    function: str
    arguments: dict[str, Any]
    worker: str | None = None
    details: dict[str, Any] = field(default_factory=dict)
    failure: str | None = None
    warm_up: bool = True


class _Turn(NamedTuple):
    seconds: float
    units: float
    compile_seconds: float | None


class _Competitor:
    """An entry in its heat."""

    def __init__(self, entry: Entry, number: int, worker: WorkerProcess):
        self.entry = entry
        self.number = number
        self.worker = worker
        self.first: _Turn | None = None
        self.turns: list[_Turn] = []
        self.peak_memory_bytes: int | None = None
        self.failure = entry.failure

    def prepare(self, turns: Turns) -> None:
        """Make the contestant, and have its first turn."""
        if self.failure is not None:
            return
        make = {"function": self.entry.function, "arguments": self.entry.arguments}
        with self._failing():
            self.worker.ask({"do": "prepare", "case": self.number, **make}, PREPARE_SECONDS)
            if self.entry.warm_up:
                self.first = self._turn(turns.first_turn_seconds)

    def compete(self, turns: Turns) -> None:
        """Have a turn, if there is one to be had."""
        if self.failure is None and sum(turn.seconds for turn in self.turns) < turns.case_seconds:
            with self._failing():
                self.turns.append(self._turn(turns.turn_seconds))

    def case(self, unit_seconds: float) -> Case:
        """What has come out."""
        per_unit = Samples(tuple(turn.seconds / turn.units / unit_seconds for turn in self.turns))
        # What fails halfway has not been measured.
        samples = per_unit if self.failure is None else Samples(())
        return Case(
            self.entry.contestant,
            self.entry.parameters,
            samples,
            self._compile_seconds(per_unit.median, unit_seconds) if samples.values else None,
            None if self.entry.worker else self.peak_memory_bytes,
            self.failure,
            self.entry.details,
        )

    def _turn(self, limit_seconds: float) -> _Turn:
        answer = self.worker.ask({"do": "turn", "case": self.number}, limit_seconds)
        self.peak_memory_bytes = answer.pop("peak_memory_bytes")
        return _Turn(**answer)

    def _compile_seconds(self, median: float | None, unit_seconds: float) -> float | None:
        known = Samples(tuple(turn.compile_seconds for turn in self.turns if turn.compile_seconds is not None))
        if known.median is not None:
            return known.median
        if self.first is None or median is None:
            return None
        return max(0.0, self.first.seconds - median * unit_seconds * self.first.units)

    @contextlib.contextmanager
    def _failing(self) -> Iterator[None]:
        """Whatever the worker cannot do is the case's failure."""
        try:
            yield
        except WorkerFailure as failure:
            self.failure = str(failure)


def measure(
    benchmark: str,
    heats: Sequence[Sequence[Entry]],
    *,
    unit: str,
    unit_seconds: float,
    configuration: Mapping[str, Any],
    turns: Turns,
) -> Record:
    """Run a benchmark.

    Args:
        benchmark: Its name.
        heats: The cases; those of one heat take turns.
        unit: Of the samples, which are times for a unit of work, such as "milliseconds a candidate-step".
        unit_seconds: How many seconds one of it is.
        configuration: Recorded, as are the turns.
        turns: How many, and how long.
    """
    cases: list[Case] = []
    products: list[float] = []
    for heat in heats:
        competitors, product = _run_heat(heat, turns)
        cases += [competitor.case(unit_seconds) for competitor in competitors]
        products += [turn.units / turn.seconds for turn in product.turns]
    return complete_record(
        benchmark, cases, unit, dict(configuration) | {"turns": asdict(turns)}, Samples(tuple(products))
    )


def complete_record(
    benchmark: str,
    cases: Sequence[Case],
    unit: str,
    configuration: Mapping[str, Any],
    matrix_product_gflops: Samples = NOT_MEASURED,
) -> Record:
    """What was measured, whether by taking turns or not, with all that it was measured on."""
    return Record(
        benchmark=benchmark,
        configuration=configuration,
        unit=unit,
        matrix_product_gflops=matrix_product_gflops,
        cases=cases,
        device=call("benchmarks.machine:device"),
        versions=machine.versions(),
        commit=machine.commit(),
        measured=now(),
    )


def _run_heat(heat: Sequence[Entry], turns: Turns) -> tuple[list[_Competitor], _Competitor]:
    """The competitors after all rounds, and the matrix product."""
    product_entry = Entry("matrix_product", {}, "benchmarks.matrix_product:make", {})
    with contextlib.ExitStack() as stack, _progress() as progress:
        task = progress.add_task("", total=(len(heat) + 1) * (turns.rounds + 1))
        workers: dict[str, WorkerProcess] = {}

        def worker_of(entry: Entry) -> WorkerProcess:
            if entry.worker is None:
                return stack.enter_context(WorkerProcess())
            if entry.worker not in workers:
                workers[entry.worker] = stack.enter_context(WorkerProcess())
            return workers[entry.worker]

        product, *competitors = (
            _Competitor(entry, number, worker_of(entry)) for number, entry in enumerate([product_entry, *heat])
        )
        for work in [_Competitor.prepare] + [_Competitor.compete] * turns.rounds:
            for competitor in (product, *competitors):
                values = " ".join(map(str, competitor.entry.parameters.values()))
                progress.update(task, description=f"{competitor.entry.contestant} {values}")
                work(competitor, turns)
                progress.advance(task)
        return competitors, product


def call(function: str, **arguments: Any) -> Any:
    """What a function ("module:name") gives, in a process of its own.

    Raises:
        WorkerFailure: It raises, or takes too long.
    """
    with WorkerProcess() as worker:
        answer = worker.ask({"do": "call", "function": function, "arguments": arguments}, PREPARE_SECONDS)
    return answer["result"]


def save(record: Record) -> None:
    """Write `results/NAME.json`, and print each case."""
    record.write(RESULTS / f"{record.benchmark}.json")
    console = Console(highlight=False, soft_wrap=True, markup=False)
    console.print(f"{record.benchmark}: {record.unit}, median (quartiles) of the samples")
    for case in record.cases:
        if case.samples.quartiles is None:
            console.print(f"  {case.label}: failed, {case.failure}")
            continue
        low, high = case.samples.quartiles
        console.print(
            f"  {case.label}: {case.samples.median:.4g} ({low:.4g} to {high:.4g}) of {len(case.samples.values)}"
        )


def _progress() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=Console(stderr=True), transient=True)
