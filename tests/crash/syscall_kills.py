"""Searches are killed inside their system calls, and gone on with; each must end as the one that was not disturbed.

    python -m tests.crash.syscall_kills --kills 200

A search is killed at its first file: when its run directory is locked, and `config.json` is opened, written, waited for
and renamed. It is begun again in the same folder, until that file stays; then it is killed at an `fsync` or a
`rename`, and resumed. A kill comes before the call, after it, in the middle of the data of a `write`, or by another
thread while the kernel is in the call. `results/syscall_kills.json` has all kills.
"""

import json
import random
import shutil
import signal
import sys
import tempfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import tyro
from rich.progress import track

from tests.crash.faulty_calls import build
from tests.crash.kills import preloaded, whole_lines
from tests.crash.run_folders import contents
from tests.crash.write_errors import JOURNAL, SEARCH, Searches

RESULTS = Path(__file__).parent / "results" / "syscall_kills.json"

#: A run is killed at most so often.
KILLS_PER_RUN = 7

#: The calls of a new run until its `config.json` has its name.
FIRST_CALLS = (*(("open", call) for call in (1, 2, 3)), ("write", 1), ("write", 2), ("fsync", 1), ("rename", 1))

#: The longest time in microseconds after which a call that has begun is met by the kill.
LONGEST = 400


@dataclass(frozen=True)
class Options:
    """Options of the kills."""

    kills: int = 200
    """Number of kills, at least: a run that was begun is ended."""
    jobs: int = 2
    """Runs at a time."""
    seed: int = 0
    results: Path = RESULTS
    """File for the results."""


@dataclass(frozen=True)
class Kill:
    """A process that was killed.

    Attributes:
        aim: The call and where in it.
        had_begun: Whether `config.json` was there, so that the run was resumed, and not begun again.
        trainings: Number of trainings on the disk.
    """

    aim: str
    had_begun: bool
    trainings: int


@dataclass(frozen=True)
class KilledRun:
    """A run that was killed until it was left alone, and whether it ended as the undisturbed one."""

    kills: list[Kill]
    equal: bool


def kill(searches: Searches, folder: Path, chance: random.Random, most: int = KILLS_PER_RUN) -> KilledRun:
    """Begin a run, kill it up to `most` times on its way, let it end, and compare."""
    run = folder / "run"
    folder.mkdir()
    kills: list[Kill] = []
    kept = set[bytes]()
    while len(kills) < most:
        begin = "resumed" if (run / "config.json").exists() else "new"
        effect = chance.choice(("before", "during", "after"))
        if begin == "new":
            operation, call = chance.choice(FIRST_CALLS)
            effect = chance.choice((effect, "half")) if operation == "write" else effect
        else:
            operation = chance.choice(("fsync", "rename"))
            call = chance.randint(1, searches.calls["resumed"][operation])
        delay = chance.randrange(LONGEST)
        search = searches.begin(folder, begin, operation, effect, str(delay), str(call))
        if search.wait() != -signal.SIGKILL:
            break
        lines = whole_lines(run / JOURNAL).splitlines()
        kept |= set(lines)
        kills.append(Kill(f"{effect} {operation} {call}", (run / "config.json").exists(), len(lines)))
    begin = "resumed" if (run / "config.json").exists() else "new"
    code = searches.begin(folder, begin, "count").wait()
    equal = code == 0 and contents(run) == searches.expected
    equal &= kept <= set(whole_lines(run / JOURNAL).splitlines())
    if equal:
        shutil.rmtree(folder)
    else:
        print(f"{folder.name}: {kills}: exit code {code}\n{(folder / 'output.txt').read_text()[-2000:]}")
    return KilledRun(kills, equal)


def main(options: Options) -> None:
    """Kill, go on, compare, and write the results."""
    runs: list[KilledRun] = []
    with tempfile.TemporaryDirectory(prefix="glojax-syscall-kills-") as name:
        folder = Path(name)
        processes = preloaded(folder / "cache", build(folder))
        searches = Searches(processes, folder)
        with ThreadPoolExecutor(options.jobs) as pool:
            number = 0
            while (missing := options.kills - sum(len(run.kills) for run in runs)) > 0:
                batch = range(number, number + max(options.jobs, missing // KILLS_PER_RUN))
                number = batch.stop
                done = pool.map(
                    lambda one: kill(searches, folder / f"kill-{one}", random.Random(f"{options.seed}-{one}")), batch
                )
                # The results are written after each run, so that nothing is lost when this process ends early.
                for run in track(done, "Runs", total=len(batch)):
                    runs.append(run)
                    write(options.results, runs)
        processes.close()
    different = sum(not run.equal for run in runs)
    kills = sum(len(run.kills) for run in runs)
    print(f"{kills} kills of {len(runs)} runs; {different} did not end as they should")
    sys.exit(1 if different else 0)


def write(path: Path, runs: list[KilledRun]) -> None:
    """Write the results."""
    kills = [kill for run in runs for kill in run.kills]
    record = {
        "measured": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": "python -m glojax.search " + " ".join(SEARCH),
        "kills": len(kills),
        "before_the_first_file": sum(not kill.had_begun for kill in kills),
        "runs": len(runs),
        "equal": sum(run.equal for run in runs),
        "aims": dict(sorted(Counter(" ".join(kill.aim.split()[:2]) for kill in kills).items())),
        "each": [asdict(run) for run in runs],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(record, indent=2) + "\n")


if __name__ == "__main__":
    main(tyro.cli(Options))
