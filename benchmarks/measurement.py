"""The measurement of a benchmark: contestants take turns, each in its own process, and all samples are kept.

A heat is a list of cases that are compared with each other. Each has a worker process, which lives as long as the heat:
so a case has its own devices, libraries and peak memory, and a failure stops no other case. In each round every case
has one turn, while the workers of all others sleep. The first turn, which compiles and warms up, is not a sample. A
large matrix product takes turns, too, as a measure of the device.

A process keeps the memory of a GPU that it has had once. A benchmark whose cases need much of it gives each case all
its turns at once, and the matrix product one after each case.
"""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from benchmarks import machine
from benchmarks.record import RESULTS, Case, Record, Samples, now
from benchmarks.worker_process import WorkerFailure, WorkerProcess

#: Limit of what is done once: importing, making data.
PREPARE_SECONDS = 120.0

NOT_MEASURED = Samples(())


@dataclass(frozen=True)
class Turns:
    """The number of turns, and their time limits."""

    rounds: int = 5
    """Greatest number of samples of a case."""

    case_seconds: float = 30.0
    """Seconds of samples after which a case has no further turn."""

    turn_seconds: float = 60.0
    """Seconds after which a turn is ended, and its case has failed."""

    first_turn_seconds: float = 90.0
    """The same limit for the first turn, which compiles."""


@dataclass
class Entry:
    """A case to measure.

    Attributes:
        contestant: The name of its contestant.
        parameters: The parameters that distinguish it from other cases of this contestant.
        function: "module:name" of the function that makes the `Contestant`, in the worker.
        arguments: The arguments of this function.
        worker: Cases with the same name share a process; None for a process of its own.
        details: Copied into the record.
        failure: The reason not to measure it; None to measure it.
        warm_up: Whether its first turn compiles, and is not a sample.
        precision: The precision of its products, which is recorded; None if the benchmark does not set it.
    """

    contestant: str
    parameters: dict[str, Any]
    function: str
    arguments: dict[str, Any]
    worker: str | None = None
    details: dict[str, Any] = field(default_factory=dict)
    failure: str | None = None
    warm_up: bool = True
    precision: str | None = None


class _Turn(NamedTuple):
    seconds: float
    units: float
    compile_seconds: float | None


class _Competitor:
    """An entry with its worker, and the turns that it has had."""

    def __init__(self, entry: Entry, number: int, worker: WorkerProcess):
        self.entry = entry
        self.number = number
        self.worker = worker
        self.first: _Turn | None = None
        self.turns: list[_Turn] = []
        self.peak_memory_bytes: int | None = None
        self.failure = entry.failure

    def prepare(self, turns: Turns) -> None:
        """Make the contestant, and let it have its first turn."""
        if self.failure is not None:
            return
        make = {"function": self.entry.function, "arguments": self.entry.arguments}
        with self._failing():
            self.worker.ask({"do": "prepare", "case": self.number, **make}, PREPARE_SECONDS)
            if self.entry.warm_up:
                self.first = self._turn(turns.first_turn_seconds)

    def compete(self, turns: Turns) -> None:
        """Have a turn, unless the case has failed or its time is over."""
        if self.failure is None and sum(turn.seconds for turn in self.turns) < turns.case_seconds:
            with self._failing():
                self.turns.append(self._turn(turns.turn_seconds))

    def leave(self, _: Turns) -> None:
        """End the worker, and with it the memory that it has."""
        self.worker.end()

    def case(self, unit_seconds: float) -> Case:
        """Return the result."""
        per_unit = Samples(tuple(turn.seconds / turn.units / unit_seconds for turn in self.turns))
        # A case that fails later has no samples either.
        samples = per_unit if self.failure is None else Samples(())
        return Case(
            self.entry.contestant,
            self.entry.parameters,
            samples,
            self._compile_seconds(per_unit.median, unit_seconds) if samples.values else None,
            None if self.entry.worker else self.peak_memory_bytes,
            self.failure,
            self.entry.details,
            self.entry.precision,
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
        """Record a failure of the worker as that of the case."""
        try:
            yield
        except WorkerFailure as failure:
            self.failure = str(failure)


#: One part of a competitor's work, and whose it is.
_Work = Callable[[_Competitor, Turns], None]
_Step = tuple[_Competitor, _Work]


def measure(
    benchmark: str,
    heats: Sequence[Sequence[Entry]],
    *,
    unit: str,
    unit_seconds: float,
    configuration: Mapping[str, Any],
    turns: Turns,
    alternating: bool = True,
) -> Record:
    """Measure the cases of a benchmark.

    Args:
        benchmark: The name of the benchmark.
        heats: The cases; those of one heat take turns.
        unit: The unit of the samples, a time for a unit of work, such as "milliseconds a candidate-step".
        unit_seconds: The seconds of one unit.
        configuration: Options of the run, which are recorded.
        turns: The number of turns, and their time limits.
        alternating: Whether the cases of a heat take turns. If not, each has all its turns at once, and its process,
            which it shares with no other, ends before the next case starts.
    """
    cases: list[Case] = []
    products: list[float] = []
    for heat in heats:
        competitors, product = _run_heat(heat, turns, alternating)
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
    """Return the record of cases, with device, versions, commit and time."""
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


def _run_heat(heat: Sequence[Entry], turns: Turns, alternating: bool) -> tuple[list[_Competitor], _Competitor]:
    """Return the competitors after all rounds, and the matrix product."""
    product_entry = Entry("matrix_product", {}, "benchmarks.matrix_product:make", {})
    with contextlib.ExitStack() as stack, _progress() as progress:
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
        steps = _alternating(product, competitors, turns) if alternating else _in_a_row(product, competitors, turns)
        task = progress.add_task("", total=len(steps))
        for competitor, work in steps:
            values = " ".join(map(str, competitor.entry.parameters.values()))
            progress.update(task, description=f"{competitor.entry.contestant} {values}")
            work(competitor, turns)
            progress.advance(task)
        return competitors, product


def _alternating(product: _Competitor, competitors: Sequence[_Competitor], turns: Turns) -> list[_Step]:
    return [(competitor, work) for work in _all_turns(turns) for competitor in (product, *competitors)]


def _in_a_row(product: _Competitor, competitors: Sequence[_Competitor], turns: Turns) -> list[_Step]:
    steps: list[_Step] = [(product, _Competitor.prepare)]
    for competitor in competitors:
        steps += [(competitor, work) for work in (*_all_turns(turns), _Competitor.leave)]
        steps.append((product, _Competitor.compete))
    return steps


def _all_turns(turns: Turns) -> list[_Work]:
    return [_Competitor.prepare, *[_Competitor.compete] * turns.rounds]


def call(function: str, **arguments: Any) -> Any:
    """Call a function ("module:name") in a process of its own, and return its result.

    Raises:
        WorkerFailure: The function raises, or takes too long.
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
