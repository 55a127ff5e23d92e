"""Real searches are killed at random moments and resumed; each must end as the one that was not disturbed.

    python -m tests.crash.kills --all --kills 1000

kills runs of every strategy, in the order of asking and in that of completion, equally many of each. A run discovers,
chooses between finalists, tunes and compares. Half of the kills come at a moment drawn uniformly from the time that a
run takes; the other half hit one of the operations of the file layer, each kind in turn, before it, in its middle or
after it. SIGKILL leaves a process no time for anything.

    python -m tests.crash.kills --strategy steady-state --asynchronous --kills 30

kills runs of one strategy in one order. In the order of completion (--asynchronous), the course of a run depends on the
order in which trainings end: it must go on as it had recorded until then, and end as its whole record, replayed from
nothing else, says. `results/kills_strategies.json` has a line for each kill.
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
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from itertools import product
from pathlib import Path
from typing import Any, Literal

import tyro
from rich.progress import track

from tests.crash.preloaded import Preloaded
from tests.crash.run_folders import contents
from tests.search.runs import ENVIRONMENT

RESULTS = Path(__file__).parent / "results" / "kills_strategies.json"

#: A small run of the whole job: discovery, finalists, tuning, comparison.
SEARCH = (
    *("--steps", "10", "--population-size", "12", "--num-elites", "2", "--generations", "4", "--seed", "5"),
    *("--finalists", "3", "--finalist-seeds", "2", "--tuned", "2", "--tuning.generations", "3"),
    *("--tuning.population-size", "4", "--seeds", "3"),
)

OPERATIONS = ("append", "sync", "replace")
MOMENTS = ("before", "half", "after")
EVENT_LOGS = ("events.jsonl", "tuning_events.jsonl")

Strategy = Literal["generational", "steady-state", "random"]
STRATEGIES: tuple[Strategy, ...] = ("generational", "steady-state", "random")


@dataclass(frozen=True)
class Options:
    """Options of the kills."""

    kills: int = 100
    """Number of runs that are killed."""
    jobs: int = 2
    """Runs at a time."""
    seed: int = 0
    strategy: Strategy = "generational"
    asynchronous: bool = False
    """Evaluations are told in the order of their completion."""
    all: bool = False
    """Every strategy in both orders, equally many kills of each."""
    results: Path = RESULTS
    """File for the results."""


@dataclass(frozen=True)
class Kill:
    """A run that was killed and resumed.

    Attributes:
        strategy: Its strategy.
        order: `asking` or `completion`.
        aim: The moment, or the operation that was hit.
        phase: The phase that it was in, by its files.
        trainings: Number of trainings on the disk.
        equal: Whether the resumed run ended as the undisturbed one, or as it had recorded.
        seconds: Duration of the resumed run.
    """

    strategy: str
    order: str
    aim: str
    phase: str
    trainings: int
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
    """

    def __init__(self, processes: Preloaded, folder: Path, search: Sequence[str], strategy: str, is_asynchronous: bool):
        self._processes = processes
        self._folder = folder / f"{strategy}-{is_asynchronous}"
        self._strategy, self._is_asynchronous = strategy, is_asynchronous
        self.command = (*search, "--strategy", strategy, *(("--asynchronous",) if is_asynchronous else ()))
        # The first run fills the cache of compiled programs, the second one shows the time.
        for name in ("first", "run"):
            (self._folder / name).mkdir(parents=True)
            begin = time.perf_counter()
            search_process = self._begin(self._folder / name, "tests.crash.faulty_search", "count", *self.command)
            output = (self._folder / name / "output.txt").read_text() if search_process.wait() != 0 else ""
            if output:
                raise RuntimeError(output)
        self.seconds = time.perf_counter() - begin
        self.operations: dict[str, int] = json.loads((self._folder / "run" / "output.txt").read_text().splitlines()[-1])
        self._expected = contents(self._folder / "run" / "run")

    def kill(self, number: int, chance: random.Random) -> Kill:
        """Kill a run, by time if `number` is odd, resume it, and compare."""
        for attempt in range(100):
            folder = self._folder / f"kill-{number}-{attempt}"
            folder.mkdir()
            if number % 2:
                seconds = chance.uniform(0, self.seconds)
                aim, killed = f"{seconds:.2f} s", self._kill_at_time(folder, seconds)
            else:
                operation, moment = OPERATIONS[number // 2 % 3], MOMENTS[number // 6 % 3]
                call = chance.randint(1, self.operations[operation])
                aim = f"{moment} {operation} {call} of {self.operations[operation]}"
                killed = self._kill_at_operation(folder, operation, moment, call)
            if killed:
                break
        run = folder / "run"
        at, trainings = phase(run)
        recorded = {name: whole_lines(run / name) for name in EVENT_LOGS}
        begin = time.perf_counter()
        code = self._processes.begin(folder, "glojax.search", "resume", "run").wait()
        seconds = time.perf_counter() - begin
        end = self._replayed(folder) if self._is_asynchronous and code == 0 else self._expected
        equal = code == 0 and contents(run) == end
        equal = equal and all(whole_lines(run / name).startswith(recorded[name]) for name in EVENT_LOGS)
        if equal:
            shutil.rmtree(folder)
        else:
            print(f"kill {number} ({self._strategy}, {aim}): not equal; exit code {code}")
            print((folder / "output.txt").read_text()[-2000:])
        order = "completion" if self._is_asynchronous else "asking"
        return Kill(self._strategy, order, aim, at, trainings, equal, round(seconds, 2))

    def _begin(self, folder: Path, module: str, *arguments: str) -> Any:
        return self._processes.begin(folder, module, *arguments, "--run-dir", "run")

    def _kill_at_time(self, folder: Path, seconds: float) -> bool:
        """Kill a run so many seconds after it began to write; return whether it had not ended."""
        search = self._begin(folder, "glojax.search", *self.command)
        while not (folder / "run" / "config.json").exists() and search.poll() is None:
            time.sleep(0.01)
        time.sleep(seconds)
        search.send_signal(signal.SIGKILL)
        return bool(search.wait() == -signal.SIGKILL)

    def _kill_at_operation(self, folder: Path, operation: str, moment: str, number: int) -> bool:
        """Kill a run in an operation of the file layer; return whether it came so far, after `config.json`."""
        fault = (operation, moment, str(number))
        search = self._begin(folder, "tests.crash.faulty_search", *fault, *self.command)
        return search.wait() == -signal.SIGKILL and (folder / "run" / "config.json").exists()

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


def preloaded(cache: Path) -> Preloaded:
    """Return a starter of processes that keep their compiled programs in a folder."""
    paths = os.pathsep.join(filter(None, [str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")]))
    # Programs that compile fast are kept, too, as there are many of them.
    keep = {"XDG_CACHE_HOME": str(cache), "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0"}
    return Preloaded(os.environ | ENVIRONMENT | keep | {"PYTHONPATH": paths})


def main(options: Options) -> None:
    """Kill, resume, compare, and write the results."""
    both = [(options.strategy, options.asynchronous)]
    combinations = list(product(STRATEGIES, (False, True))) if options.all else both
    draw = random.Random(options.seed)
    with tempfile.TemporaryDirectory(prefix="glojax-kills-") as folder:
        processes = preloaded(Path(folder) / "cache")
        victims = [Victim(processes, Path(folder), SEARCH, *combination) for combination in combinations]
        with ThreadPoolExecutor(options.jobs) as pool:
            futures = [
                pool.submit(
                    victims[number % len(victims)].kill, number // len(victims), random.Random(draw.getrandbits(32))
                )
                for number in range(options.kills)
            ]
            kills: list[Kill] = []
            # The results are written after each kill, so that nothing is lost when this process ends early.
            for future in track(as_completed(futures), "Kills", total=len(futures)):
                kills.append(future.result())
                write(options.results, victims, kills)
        processes.close()
    different = sum(not kill.equal for kill in kills)
    print(f"{len(kills)} kills, {len(kills) - different} ended as they should, {different} did not")
    sys.exit(1 if different else 0)


def write(path: Path, victims: Sequence[Victim], kills: Sequence[Kill]) -> None:
    """Write the results."""
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
        "equal": sum(kill.equal for kill in kills),
        "strategies": dict(Counter(f"{kill.strategy}, in the order of {kill.order}" for kill in kills)),
        "phases": dict(Counter(kill.phase for kill in kills)),
        "each": [asdict(kill) for kill in kills],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(record, indent=2) + "\n")


if __name__ == "__main__":
    main(tyro.cli(Options))
