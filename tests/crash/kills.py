"""Real searches are killed at random moments and resumed; each must end as the one that nobody disturbed.

    python -m tests.crash.kills

Half of the kills come at a moment drawn uniformly from the time that a search takes; the other half hit one of the
operations of the file layer, each kind in turn, before it, in its middle or after it. SIGKILL leaves a process no time
for anything. `results/kills.json` has a line for each.

    python -m tests.crash.kills --asynchronous --kills 30

kills searches without generations, whose course depends on the order in which candidates come back. Each must go on as
it had recorded until then, and end as its whole record, replayed from nothing else, says. They are in
`results/kills_asynchronous.json`.
"""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import tyro
from rich.progress import track

from tests.crash.run_folders import contents

RESULTS = Path(__file__).parent / "results" / "kills.json"

#: A small run of the whole job: discovery, finalists, tuning, comparison.
SEARCH = (
    *("--steps", "10", "--population-size", "12", "--num-elites", "2", "--generations", "4", "--seed", "5"),
    *("--finalists", "3", "--finalist-seeds", "2", "--tuned", "2", "--tuning.generations", "3"),
    *("--tuning.population-size", "4", "--seeds", "3"),
)

OPERATIONS = ("append", "sync", "replace")
MOMENTS = ("before", "half", "after")

#: XLA compiles in half the time without its optimisations.
_ENVIRONMENT = {
    "JAX_PLATFORMS": "cpu",
    "XLA_FLAGS": "--xla_backend_optimization_level=0",
}


@dataclass(frozen=True)
class Options:
    """How many searches are killed."""

    kills: int = 100
    jobs: int = 2
    """Searches at a time."""
    seed: int = 0
    asynchronous: bool = False
    """Searches without generations."""


@dataclass(frozen=True)
class Kill:
    """A search that was killed and resumed.

    Attributes:
        aim: The moment, or the operation that was hit.
        phase: What the search was doing, as its files tell.
        trainings: How many were on the disk.
        equal: Whether the resumed search ended as the undisturbed one, or as it had recorded.
        seconds: Of the resumed search.
    """

    aim: str
    phase: str
    trainings: int
    equal: bool
    seconds: float


def process(folder: Path, *arguments: str) -> subprocess.Popen[bytes]:
    """A process in a folder; its output goes to a file beside."""
    log = (folder / "output.txt").open("ab")
    return subprocess.Popen(
        [sys.executable, "-m", *arguments], cwd=folder, env=os.environ | _ENVIRONMENT, stdout=log, stderr=log
    )


def phase(run: Path) -> tuple[str, int]:
    """What a search was doing when it was killed, and how many trainings it had done."""
    journal = run / "trainings.jsonl"
    lines = journal.read_bytes().splitlines() if journal.exists() else []
    if not lines:
        return "start", 0
    if b'"test"' in lines[-1]:
        return "comparison", len(lines)
    return ("tuning" if (run / "tuning.jsonl").exists() else "discovery"), len(lines)


def kill_at_time(folder: Path, command: Sequence[str], seconds: float) -> bool:
    """Whether a search could be killed so many seconds after it began to write."""
    search = process(folder, "glojax.search", *command, "--run-dir", "run")
    while not (folder / "run" / "config.json").exists() and search.poll() is None:
        time.sleep(0.01)
    time.sleep(seconds)
    search.send_signal(signal.SIGKILL)
    return search.wait() == -signal.SIGKILL


def kill_at_operation(folder: Path, command: Sequence[str], operation: str, moment: str, number: int) -> bool:
    """Whether a search could be killed in an operation of the file layer, after `config.json` was there."""
    fault = (operation, moment, str(number))
    search = process(folder, "tests.crash.faulty_search", *fault, *command, "--run-dir", "run")
    return search.wait() == -signal.SIGKILL and (folder / "run" / "config.json").exists()


def whole_lines(path: Path) -> bytes:
    """Of a file whose last line may be torn, or that is not there yet."""
    content = path.read_bytes() if path.exists() else b""
    return content[: content.rfind(b"\n") + 1]


def replayed(place: Path) -> dict[str, Any]:
    """What comes of the options and the recorded order of a run alone."""
    again = place / "again"
    again.mkdir()
    for name in ("config.json", "events.jsonl"):
        shutil.copy(place / "run" / name, again)
    process(place, "glojax.search", "resume", "again").wait()
    return contents(again)


def main(options: Options) -> None:
    """Kill, resume, compare, and write the results."""
    command = (*SEARCH, "--asynchronous") if options.asynchronous else SEARCH
    draw = random.Random(options.seed)
    with tempfile.TemporaryDirectory(prefix="glojax-kills-") as folder:
        _ENVIRONMENT["XDG_CACHE_HOME"] = str(Path(folder) / "cache")
        _ENVIRONMENT["PYTHONPATH"] = os.pathsep.join(filter(None, [str(Path.cwd()), os.environ.get("PYTHONPATH")]))
        undisturbed = Path(folder) / "undisturbed"
        undisturbed.mkdir()
        # Once for the cache of compiled programs, once for the time.
        for name in ("first", "run"):
            begin = time.perf_counter()
            search = process(undisturbed, "tests.crash.faulty_search", "count", *command, "--run-dir", name)
            if search.wait() != 0:
                sys.exit((undisturbed / "output.txt").read_text())
        whole = time.perf_counter() - begin
        calls = json.loads((undisturbed / "output.txt").read_text().splitlines()[-1])
        expected = contents(undisturbed / "run")

        def disturb(number: int, chance: random.Random) -> Kill:
            place = Path(folder) / f"kill-{number}"
            for attempt in range(100):
                place = Path(folder) / f"kill-{number}-{attempt}"
                place.mkdir()
                if number % 2:
                    seconds = chance.uniform(0, whole)
                    aim, killed = f"{seconds:.2f} s", kill_at_time(place, command, seconds)
                else:
                    operation, moment = OPERATIONS[number // 2 % 3], MOMENTS[number // 6 % 3]
                    call = chance.randint(1, calls[operation])
                    aim = f"{moment} {operation} {call} of {calls[operation]}"
                    killed = kill_at_operation(place, command, operation, moment, call)
                if killed:
                    break
            at, trainings = phase(place / "run")
            recorded = whole_lines(place / "run" / "events.jsonl")
            begin = time.perf_counter()
            code = process(place, "glojax.search", "resume", "run").wait()
            seconds = time.perf_counter() - begin
            end = replayed(place) if options.asynchronous and code == 0 else expected
            equal = code == 0 and contents(place / "run") == end
            equal = equal and whole_lines(place / "run" / "events.jsonl").startswith(recorded)
            if not equal:
                print(f"kill {number} ({aim}): not equal; exit code {code}")
                print((place / "output.txt").read_text()[-2000:])
            return Kill(aim, at, trainings, equal, round(seconds, 2))

        with ThreadPoolExecutor(options.jobs) as pool:
            futures = [
                pool.submit(disturb, number, random.Random(draw.getrandbits(32))) for number in range(options.kills)
            ]
            kills = [future.result() for future in track(futures, "Kills")]
    path = RESULTS.with_stem("kills_asynchronous") if options.asynchronous else RESULTS
    write(path, command, kills, whole, calls)
    different = sum(not kill.equal for kill in kills)
    print(f"{len(kills)} kills, {len(kills) - different} ended as they should, {different} did not")
    sys.exit(1 if different else 0)


def write(path: Path, command: Sequence[str], kills: list[Kill], whole: float, calls: dict[str, int]) -> None:
    """Write the results."""
    record: dict[str, Any] = {
        "measured": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": "python -m glojax.search " + " ".join(command),
        "undisturbed_seconds": round(whole, 2),
        "operations": calls,
        "kills": len(kills),
        "equal": sum(kill.equal for kill in kills),
        "phases": {name: sum(kill.phase == name for kill in kills) for name in sorted({kill.phase for kill in kills})},
        "each": [asdict(kill) for kill in kills],
    }
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(record, indent=2) + "\n")


if __name__ == "__main__":
    main(tyro.cli(Options))
