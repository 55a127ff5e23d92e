"""Folders of runs and data are forged in many ways; only documented errors may come of it, and nothing may be done.

    python -m tests.crash.forgeries --trials 10000

Each trial forges files of a real run, or of a data set: values of other types and ranges under checksums that fit,
links, pipes, devices, sizes, strings, archives. Then everything is read that a resumed run reads, or that loading a
data set does. The outcome is success or one of glojax's own errors. An audit hook tells what was executed, started, and
opened to be written; files outside the folder stay as they are; time and memory are limited. A sample of the runs that
are refused is resumed by the real command line, too, which must end with exit code 2 and one line.
`results/forgeries.json` has the outcomes.
"""

import json
import logging
import os
import random
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import tyro
from rich.console import Console
from rich.progress import track

from glojax.datasets import load_dataset
from glojax.datasets.acquisition import read_local_files
from glojax.datasets.cache import describe_cache, read_cache
from glojax.errors import GlojaxError
from glojax.evaluation import TrainingJournal
from glojax.search import commands
from glojax.search.config_file import accept
from glojax.search.execution import ResumeOptions
from glojax.search.generations import GenerationRecord
from glojax.search.logs import JsonLines
from glojax.search.run_directory import RunDirectory, writing
from glojax.search.saved_run import load_run
from glojax.search.tuning import TuningRecord
from tests.crash.damage import LOGS, SEARCH, Original, events
from tests.crash.forging import TINY, forge_data, forge_run, write_data
from tests.crash.preloaded import Preloaded
from tests.crash.watch import Watch
from tests.search.runs import ENVIRONMENT, run

RESULTS = Path(__file__).parent / "results" / "forgeries.json"

#: Limits of a trial: time of the processor, and growth of the process. A trial that blocks is ended.
MAX_SECONDS, MAX_MEGABYTES, BLOCKED_SECONDS = 2.0, 500, 20

_KINDS: dict[str, type[GenerationRecord]] = {"generations.jsonl": GenerationRecord, "tuning.jsonl": TuningRecord}


@dataclass(frozen=True)
class Options:
    """Numbers of trials."""

    trials: int = 10_000
    commands: int = 60
    """How many of the refused runs are resumed by the command line, too."""
    batch: int = 250
    """Trials that a process makes."""
    seed: int = 0


class Blocked(BaseException):
    """A trial waits for something."""


def read_run(folder: Path, original: Original) -> str:
    """Read what a resumed run reads; return whether it was refused, or read."""
    try:
        commands.resume(ResumeOptions(run_dir=folder), Console(quiet=True))
        with writing(folder, "then try again"):
            directory = RunDirectory.reopen(folder)
            try:
                accept(directory, original.config, allow_change=False)
                TrainingJournal(folder / "trainings.jsonl").put_in_order()
                events(folder)
                for name in LOGS:
                    log = JsonLines(folder / name)
                    records = [log.append(record) for record in original.logs[name]]
                    log.finish()
                    if name in _KINDS:
                        for record in records:
                            made = _KINDS[name](**record)
                            f"{made.candidate_steps / max(made.seconds, 1e-3):,.0f}"
                directory.write_json("result.json", {})
            finally:
                directory.release()
    except GlojaxError:
        return "refused"
    return "read"


def look_at_run(folder: Path) -> str:
    """Read a run as `load_run` does."""
    try:
        found = load_run(folder)
        _ = found.best, found.hall_of_fame, found.comparison
    except GlojaxError:
        return "refused"
    return "read"


def read_data(folder: Path) -> str:
    """Load a data set from its original files, from the cache, and from a user's file."""
    outcomes = []
    for load in (
        lambda: read_local_files(TINY, folder, with_test=True),
        lambda: (describe_cache(TINY), read_cache(TINY)),
        lambda: load_dataset(folder / "mine.npz"),
    ):
        try:
            load()
            outcomes.append("read")
        except GlojaxError:
            outcomes.append("refused")
    return "refused" if "refused" in outcomes else "read"


@dataclass
class Tally:
    """The outcomes of trials."""

    outcomes: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)
    refused: list[int] = field(default_factory=list)
    slowest: float = 0.0
    megabytes: float = 0.0

    def add(self, other: dict[str, Any]) -> None:
        self.outcomes.update(other["outcomes"])
        self.problems += other["problems"]
        self.refused += other["refused"]
        self.slowest = max(self.slowest, other["slowest"])
        self.megabytes = max(self.megabytes, other["megabytes"])


def make(number: int, seed: int, original: Path, data: Path, folder: Path, victim: Path) -> str:
    """Make the folder of a trial; return what is forged: two thirds are runs."""
    draw = random.Random(f"{seed} {number}")
    if number % 3 < 2:
        shutil.copytree(original, folder, ignore=shutil.ignore_patterns("*.png"))
        return "run " + forge_run(folder, draw, victim)
    shutil.copytree(data, folder)
    return "data " + forge_data(folder, draw, victim)


def lay_out(parent: Path) -> Path:
    """Write the data of the trials and a victim outside of their folders; return the folder of the data."""
    lay_out_victim(parent)
    (parent / "data").mkdir()
    write_data(parent / "data")
    return parent / "data"


def lay_out_victim(parent: Path) -> None:
    """Write the file outside, to which links lead."""
    (parent / "outside").mkdir()
    (parent / "outside" / "victim").write_text("mine")


def sample(number: int, finished: Path, parent: Path) -> Tally:
    """Make some trials with a finished run in this process, which must be of no other use."""
    logging.disable(logging.WARNING)
    return trials(range(number), 0, Original.of(finished), lay_out(parent), parent)


def trials(numbers: range, seed: int, original: Original, data: Path, parent: Path) -> Tally:
    """Forge and read, in this process, which is not of use for anything else afterwards."""
    tally, watch = Tally(), Watch()
    victim, folder = parent / "outside" / "victim", parent / "trial"
    signal.signal(signal.SIGALRM, _end_of_waiting)
    commands.execute = lambda *arguments: None  # refused or not, nothing is trained
    os.environ["TFDS_DATA_DIR"] = str(folder)
    for number in (-3, -1, *numbers):  # the first two, a run and data, are not forged: they import and compile
        shutil.rmtree(folder, ignore_errors=True)
        is_warm, is_run = number >= 0, number % 3 < 2
        done = make(number, seed, original.folder, data, folder, victim) if is_warm else "nothing"
        if not is_warm:
            shutil.copytree(original.folder if is_run else data, folder)
        memory, begin = _peak_megabytes(reset=True), time.process_time()
        watch.folder = folder if is_warm else None
        signal.setitimer(signal.ITIMER_REAL, BLOCKED_SECONDS)
        try:
            if is_run:
                seen, outcome = look_at_run(folder), read_run(folder, original)
                if outcome == "refused" and is_warm:
                    tally.refused.append(number)
                outcome = f"run: {outcome}, by load_run {seen}"
            else:
                outcome = f"data: {read_data(folder)}"
            tally.outcomes[outcome] += is_warm
            if not is_warm and "refused" in outcome:
                tally.problems.append(f"what was not forged is refused: {outcome}")
        except (Exception, Blocked) as error:
            tally.problems.append(f"{number}: {done}: {type(error).__name__}: {error}"[:500])
        signal.setitimer(signal.ITIMER_REAL, 0)
        watch.folder, watch.found, found = None, [], watch.found
        seconds, grown = time.process_time() - begin, _peak_megabytes() - memory
        if is_warm:
            tally.slowest, tally.megabytes = max(tally.slowest, seconds), max(tally.megabytes, grown)
        if [path.name for path in victim.parent.iterdir()] != ["victim"] or victim.read_text() != "mine":
            found.append("the victim was changed")
            shutil.rmtree(victim.parent)
            lay_out_victim(parent)
        if seconds > MAX_SECONDS * (1 if is_warm else 100) or (is_warm and grown > MAX_MEGABYTES):
            found.append(f"{seconds:.1f} s, {grown:.0f} MB")
        tally.problems += [f"{number}: {done}: {what}"[:500] for what in found]
    return tally


def _end_of_waiting(number: int, frame: object) -> None:
    raise Blocked


def _peak_megabytes(*, reset: bool = False) -> float:
    """Return the greatest memory of this process since the last reset, which makes it the present one; on Linux."""
    if reset:
        Path("/proc/self/clear_refs").write_text("5")
    lines = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(lines["VmHWM"].split()[0]) / 1024


def in_a_child(numbers: range, seed: int, original: Original, data: Path, parent: Path) -> dict[str, Any]:
    """Make trials in a forked process, and return its tally."""
    path = parent / "tally.json"
    path.unlink(missing_ok=True)
    pid = os.fork()
    if pid == 0:
        try:
            path.write_text(json.dumps(vars(trials(numbers, seed, original, data, parent))))
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(0)
    os.waitpid(pid, 0)
    found: dict[str, Any] = json.loads(path.read_text())  # which is not there if the process died
    return found


def by_the_command(number: int, seed: int, original: Original, preloaded: Preloaded, parent: Path) -> str | None:
    """Resume a forged run by the real command line; return what is wrong."""
    place = parent / "command"
    place.mkdir()
    done = make(number, seed, original.folder, Path(), place / "run", parent / "outside" / "victim")
    code = preloaded.begin(place, "glojax.search", "resume", "run").wait()
    lines = (place / "output.txt").read_text(errors="replace").splitlines()
    shutil.rmtree(place)
    is_right = code == 2 and len(lines) == 1 and lines[0].startswith("error: ")
    return None if is_right else f"{number}: {done}: exit code {code}, {len(lines)} lines, {' '.join(lines[-1:])[:300]}"


def main(options: Options) -> None:
    """Forge, read, resume, and write `results/forgeries.json`."""
    logging.disable(logging.WARNING)
    tally, wrong = Tally(), list[str]()
    with tempfile.TemporaryDirectory(prefix="glojax-forgeries-") as name:
        parent = Path(name)
        preloaded = Preloaded(os.environ | ENVIRONMENT)
        data = lay_out(parent)
        whole = run(parent, *SEARCH, num_devices=1)
        if whole.exit_code != 0:
            sys.exit(whole.errors)
        original = Original.of(whole.directory)
        starts = range(0, options.trials, options.batch)
        for start in track(starts, "Trials"):
            numbers = range(start, min(start + options.batch, options.trials))
            tally.add(in_a_child(numbers, options.seed, original, data, parent))
        sample = random.Random(options.seed).sample(tally.refused, min(options.commands, len(tally.refused)))
        for number in track(sample, "Commands"):
            problem = by_the_command(number, options.seed, original, preloaded, parent)
            wrong += [problem] if problem else []
        preloaded.close()
    record = {
        "measured": datetime.now(UTC).isoformat(timespec="seconds"),
        "trials": options.trials,
        "outcomes": dict(tally.outcomes.most_common()),
        "problems": tally.problems,
        "slowest_processor_seconds": round(tally.slowest, 3),
        "greatest_growth_mb": round(tally.megabytes, 1),
        "commands": len(sample),
        "wrong_commands": wrong,
    }
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(record, indent=2) + "\n")
    print(json.dumps(record, indent=2))
    sys.exit(1 if tally.problems or wrong else 0)


if __name__ == "__main__":
    main(tyro.cli(Options))
