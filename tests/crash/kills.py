"""Real searches are killed at random moments and resumed; each must end as the one that was not disturbed.

    python -m tests.crash.kills --kills 1000

kills runs of every strategy, in the order of asking and in that of completion, in turn; with `--strategies shape`, runs
of that one only. A run discovers, chooses between finalists, tunes and compares. It is killed up to six times on its
way, so most kills hit a run that was resumed. Half of the kills come at a random moment; the other half hit one of the
operations of the file layer, before it, in its middle or after it. SIGKILL leaves a process no time for anything.

In the order of completion, the course of a run depends on the order in which trainings end: it must go on as it had
recorded until then, and end as its whole record, replayed from nothing else, says. `results/kills_strategies.json`, or
what `--results` names, has a line for each run that was killed.
"""

import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from itertools import count, product
from pathlib import Path
from typing import Any, Literal

import tyro
from rich.progress import Progress

from tests.crash.preloaded import ForkedProcess, Preloaded
from tests.crash.run_folders import contents
from tests.search.runs import ENVIRONMENT

RESULTS = Path(__file__).parent / "results" / "kills_strategies.json"

#: A small run of the whole job: discovery, finalists, tuning, comparison.
SEARCH = (
    *("--steps", "10", "--population-size", "12", "--generations", "4", "--seed", "5"),
    *("--finalists", "3", "--finalist-seeds", "2", "--tuned", "2", "--tuning.generations", "3"),
    *("--tuning.population-size", "4", "--seeds", "3"),
)

OPERATIONS = ("append", "sync", "replace")
MOMENTS = ("before", "half", "after")
EVENT_LOGS = ("events.jsonl", "tuning_events.jsonl")

#: A run is killed at most so often. A kill comes in the first half of what an undisturbed run takes, so that several
#: hit one run.
KILLS_PER_RUN = 6

Strategy = Literal["generational", "steady-state", "random", "shape"]
STRATEGIES: tuple[Strategy, ...] = ("generational", "steady-state", "random", "shape")


@dataclass(frozen=True)
class Options:
    """Options of the kills."""

    kills: int = 100
    """Number of kills, at least: a run that was begun is ended."""
    jobs: int = 2
    """Runs at a time."""
    seed: int = 0
    strategies: tuple[Strategy, ...] = STRATEGIES
    """The strategies, equally many runs of each in both orders."""
    results: Path = RESULTS
    """File for the results."""


@dataclass(frozen=True)
class Kill:
    """A process that was killed.

    Attributes:
        aim: The moment, or the operation that was hit.
        phase: The phase that the run was in, by its files.
        trainings: Number of trainings on the disk.
    """

    aim: str
    phase: str
    trainings: int


@dataclass(frozen=True)
class KilledRun:
    """A run that was killed and resumed until it ended.

    Attributes:
        strategy: Its strategy.
        order: `asking` or `completion`.
        kills: Its kills, in their order.
        equal: Whether it ended as the undisturbed one, or as it had recorded.
        seconds: Duration from its begin to its end.
    """

    strategy: str
    order: str
    kills: list[Kill]
    equal: bool
    seconds: float


class Victim:
    """Kills runs of a strategy in an order.

    Args:
        processes: Begins processes.
        folder: Gets a folder for each run.
        search: Options of the run.
        strategy: The strategy of its discovery.
        is_asynchronous: Whether evaluations are told in the order of their completion.
        is_timed: Whether the undisturbed run, whose time says when to kill, is done twice, so that nothing compiles.
    """

    def __init__(
        self,
        processes: Preloaded,
        folder: Path,
        search: Sequence[str],
        strategy: str,
        is_asynchronous: bool,
        is_timed: bool = True,
    ):
        self._processes = processes
        self._folder = folder / f"{strategy}-{is_asynchronous}"
        self._strategy, self._is_asynchronous = strategy, is_asynchronous
        preset = "shape" if strategy == "shape" else "paper"
        order = ("--asynchronous",) if is_asynchronous else ()
        self.command = (*search, "--preset", preset, "--strategy", strategy, *order)
        for name in ("first", "run") if is_timed else ("run",):
            (self._folder / name).mkdir(parents=True)
            begin = time.perf_counter()
            search_process = self._go_on(self._folder / name / "run", "tests.crash.faulty_search", "count")
            output = (self._folder / name / "output.txt").read_text() if search_process.wait() != 0 else ""
            if output:
                raise RuntimeError(output)
        self.seconds = time.perf_counter() - begin
        self.operations: dict[str, int] = json.loads((self._folder / "run" / "output.txt").read_text().splitlines()[-1])
        self._expected = contents(self._folder / "run" / "run")

    def kill(self, number: int, chance: random.Random, most: int = KILLS_PER_RUN) -> KilledRun:
        """Begin a run, kill and resume it up to `most` times, let it end, and compare."""
        folder = self._folder / f"kill-{number}"
        run = folder / "run"
        folder.mkdir()
        begin = time.perf_counter()
        kills: list[Kill] = []
        records: list[dict[str, bytes]] = []
        code = -signal.SIGKILL
        while code == -signal.SIGKILL and len(kills) < most:
            strike = chance.choice((self._kill_at_time, self._kill_at_operation))
            aim, code = strike(run, chance)
            # A run that has nothing to go on from is begun again, and does not count.
            if code == -signal.SIGKILL and (run / "config.json").exists():
                kills.append(Kill(aim, *phase(run)))
                records.append({name: whole_lines(run / name) for name in EVENT_LOGS})
        if code == -signal.SIGKILL:
            code = self._go_on(run, "glojax.search").wait()
        seconds = time.perf_counter() - begin
        end = self._replayed(folder) if self._is_asynchronous and code == 0 else self._expected
        equal = code == 0 and contents(run) == end
        equal = equal and all(whole_lines(run / name).startswith(r[name]) for r in records for name in EVENT_LOGS)
        if equal:
            shutil.rmtree(folder)
        else:
            print(f"run {number} ({self._strategy}, {kills}): not equal; exit code {code}")
            print((folder / "output.txt").read_text()[-2000:])
        order = "completion" if self._is_asynchronous else "asking"
        return KilledRun(self._strategy, order, kills, equal, round(seconds, 2))

    def _go_on(self, run: Path, module: str, *arguments: str) -> ForkedProcess:
        """Resume a run, or begin it where there is nothing to go on from."""
        if (run / "config.json").exists():
            return self._processes.begin(run.parent, module, *arguments, "resume", run.name)
        return self._processes.begin(run.parent, module, *arguments, *self.command, "--run-dir", run.name)

    def _kill_at_time(self, run: Path, chance: random.Random) -> tuple[str, int]:
        """Kill a run some time after it began to write; return the time and the exit code."""
        seconds = chance.uniform(0, self.seconds / 2)
        search = self._go_on(run, "glojax.search")
        while not (run / "config.json").exists() and search.poll() is None:
            time.sleep(0.01)
        time.sleep(seconds)
        search.send_signal(signal.SIGKILL)
        return f"{seconds:.2f} s", search.wait()

    def _kill_at_operation(self, run: Path, chance: random.Random) -> tuple[str, int]:
        """Kill a run in an operation of the file layer, unless it ends before; return the operation and exit code."""
        operation, moment = chance.choice(OPERATIONS), chance.choice(MOMENTS)
        call = chance.randint(1, self.operations[operation] // 2)
        search = self._go_on(run, "tests.crash.faulty_search", operation, moment, str(call))
        return f"{moment} {operation} {call}", search.wait()

    def _replayed(self, folder: Path) -> dict[str, Any]:
        """Return the files that follow from the options and the recorded order of a run alone."""
        again = folder / "again"
        again.mkdir()
        for name in ("config.json", *EVENT_LOGS):
            shutil.copy(folder / "run" / name, again)
        self._processes.begin(folder, "glojax.search", "resume", "again").wait()
        return contents(again)


def phase(run: Path) -> tuple[str, int]:
    """Return the phase in which a run was killed, and how many trainings it had done."""
    journal = run / "trainings.jsonl"
    lines = journal.read_bytes().splitlines() if journal.exists() else []
    if not lines:
        return "start", 0
    if b'"test"' in lines[-1]:
        return "comparison", len(lines)
    return ("tuning" if (run / "tuning.jsonl").exists() else "discovery"), len(lines)


def whole_lines(path: Path) -> bytes:
    """Return the lines of a file whose last line may be torn, or that does not exist yet."""
    content = path.read_bytes() if path.exists() else b""
    return content[: content.rfind(b"\n") + 1]


def preloaded(cache: Path, library: Path | None = None) -> Preloaded:
    """Return a starter of processes that keep their compiled programs in a folder, and load a library first."""
    paths = os.pathsep.join(filter(None, [str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")]))
    loaded = {} if library is None else {"LD_PRELOAD": str(library)}
    return Preloaded(os.environ | ENVIRONMENT | {"XDG_CACHE_HOME": str(cache), "PYTHONPATH": paths} | loaded)


def main(options: Options) -> None:
    """Kill, resume, compare, and write the results."""
    runs: list[KilledRun] = []
    with tempfile.TemporaryDirectory(prefix="glojax-kills-") as folder:
        processes = preloaded(Path(folder) / "cache")
        victims = [
            Victim(processes, Path(folder), SEARCH, *each) for each in product(options.strategies, (False, True))
        ]
        with ThreadPoolExecutor(options.jobs) as pool, Progress() as progress:
            task = progress.add_task("Kills", total=options.kills)
            numbers = count()

            def start() -> Future[KilledRun]:
                number = next(numbers)
                victim = victims[number % len(victims)]
                return pool.submit(victim.kill, number, random.Random(f"{options.seed}-{number}"))

            running = {start() for _ in range(options.jobs)}
            # The results are written after each run, so that nothing is lost when this process ends early.
            while running:
                done, running = wait(running, return_when=FIRST_COMPLETED)
                runs += [future.result() for future in done]
                write(options.results, victims, runs)
                kills = sum(len(run.kills) for run in runs)
                progress.update(task, completed=kills)
                if kills < options.kills:
                    running |= {start() for _ in done}
        processes.close()
    different = sum(not run.equal for run in runs)
    print(f"{kills} kills of {len(runs)} runs; {len(runs) - different} ended as they should, {different} did not")
    sys.exit(1 if different else 0)


def write(path: Path, victims: Sequence[Victim], runs: Sequence[KilledRun]) -> None:
    """Write the results."""
    kills = [kill for run in runs for kill in run.kills]
    record: dict[str, Any] = {
        "measured": datetime.now(UTC).isoformat(timespec="seconds"),
        "commands": [
            {
                "command": "python -m glojax.search " + " ".join(victim.command),
                "undisturbed_seconds": round(victim.seconds, 2),
                "operations": victim.operations,
            }
            for victim in victims
        ],
        "kills": len(kills),
        "runs": len(runs),
        "equal": sum(run.equal for run in runs),
        "strategies": dict(Counter(f"{run.strategy}, in the order of {run.order}" for run in runs for _ in run.kills)),
        "phases": dict(Counter(kill.phase for kill in kills)),
        "each": [asdict(run) for run in runs],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(record, indent=2) + "\n")


if __name__ == "__main__":
    main(tyro.cli(Options))
