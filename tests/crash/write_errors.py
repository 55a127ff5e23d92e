"""Every write of a search fails in every way; the search must say how to go on, and go on to the same end.

    python -m tests.crash.write_errors

Each trial runs a small search in which one system call on a file of the run directory has an error, once or from then
on: a full disk, a quota, a defect, a file system that has become read-only, or only half of the data is written. The
search must end with exit code 2 and one line that says how to go on. That is done, once for each content that the run
directory is left with; the end must be as undisturbed. In other trials the search is resumed from torn files, and fails
on that way. `results/write_errors.json` has all trials.
"""

import errno
import json
import random
import re
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, NamedTuple

import tyro
from rich.progress import track

from tests.crash.faulty_calls import OPERATIONS, build
from tests.crash.kills import preloaded, whole_lines
from tests.crash.preloaded import ForkedProcess, Preloaded
from tests.crash.run_folders import contents

RESULTS = Path(__file__).parent / "results" / "write_errors.json"

#: The smallest search that has everything in it.
SEARCH = (
    *("--preset", "paper"),
    *("--steps", "2", "--population-size", "6", "--num-elites", "1", "--generations", "2", "--seed", "5"),
    *("--finalists", "2", "--finalist-seeds", "1", "--tuned", "1", "--tuning.generations", "1"),
    *("--tuning.population-size", "2", "--seeds", "1"),
)
JOURNAL = "trainings.jsonl"

ERRORS = ("ENOSPC", "EDQUOT", "EIO", "EROFS")
EFFECTS = ("once", "lasting")


@dataclass(frozen=True)
class Options:
    """Options of the trials."""

    jobs: int = 2
    """Trials at a time."""
    results: Path = RESULTS
    """File for the results."""


class Fault(NamedTuple):
    """A system call that fails.

    Attributes:
        begin: Whether the search was new or resumed.
        operation: One of `OPERATIONS`.
        call: Its number in the process, from 1.
        effect: `once`, `lasting`, `short` (half is written, and nothing else) or `torn` (half is written, and all other
            calls fail).
        error: The name of the error; empty where there is none.
    """

    begin: Literal["new", "resumed"]
    operation: str
    call: int
    effect: str
    error: str


@dataclass(frozen=True)
class Trial:
    """A search in which a call failed.

    Attributes:
        fault: The call.
        exit_code: The exit code of the search.
        line: The line that said how to go on; empty if the search went on by itself.
        same_as: The fault that left the same run directory before, which was gone on with; None if there was none.
        right: Whether the line said so, nothing else was said, no training was lost, and the end was as undisturbed.
    """

    fault: Fault
    exit_code: int
    line: str
    same_as: Fault | None
    right: bool


class Searches:
    """Runs searches whose writes fail, and goes on with them.

    Args:
        processes: Begins processes that have loaded the library of `tests.crash.faulty_calls`.
        folder: Gets a folder for each trial.
        search: Options of the search.
    """

    def __init__(self, processes: Preloaded, folder: Path, search: Sequence[str] = SEARCH):
        self._processes = processes
        self._folder = folder
        self._search = search
        self._gone_on: dict[str, Fault] = {}
        self.torn = folder / "torn"
        self.calls: dict[str, dict[str, int]] = {"new": self._count(folder / "whole", "new")}
        self.expected = contents(folder / "whole" / "run")
        shutil.copytree(folder / "whole" / "run", self.torn / "run")
        for path in (self.torn / "run").iterdir():
            if path.suffix == ".jsonl":
                path.write_bytes(path.read_bytes()[:-9])
            elif path.name != "config.json":
                path.unlink()
        shutil.copytree(self.torn, folder / "resumed")
        self.calls["resumed"] = self._count(folder / "resumed", "resumed")

    def begin(self, folder: Path, begin: str, *fault: str) -> ForkedProcess:
        """Begin a search in a folder, or resume the one that is there, with a fault."""
        search = ("resume", "run") if begin == "resumed" else (*self._search, "--run-dir", "run")
        return self._processes.begin(folder, "tests.crash.faulty_calls", "run", *fault, *search, "--devices", "1")

    def _count(self, folder: Path, begin: str) -> dict[str, int]:
        folder.mkdir(exist_ok=True)
        process = self.begin(folder, begin, "count")
        code, output = process.wait(), (folder / "output.txt").read_text()
        if code != 0 or contents(folder / "run") != contents(self._folder / "whole" / "run"):
            raise RuntimeError(output)
        counted: dict[str, int] = json.loads(output.splitlines()[-1])
        return counted

    def attempt(self, fault: Fault) -> Trial:
        """Run a search with a fault, go on as it says, and compare."""
        folder = self._folder / "-".join(map(str, fault))
        if fault.begin == "resumed":
            shutil.copytree(self.torn, folder)
        else:
            folder.mkdir()
        run = folder / "run"
        value = getattr(errno, fault.error) if fault.error else 0
        search = self.begin(folder, fault.begin, fault.operation, fault.effect, str(value), str(fault.call))
        code, output = search.wait(), (folder / "output.txt").read_text()
        output = re.sub("[0-9a-f]{32}", "*", output).replace(f"{folder}/", "")  # names that no other trial has
        lines = [line for line in output.splitlines() if line.startswith("error: ")]
        right = (code == 0 and not lines) or (code == 2 and len(lines) == 1 and output.endswith(f"{lines[0]}\n"))
        right &= "Traceback" not in output
        kept = whole_lines(run / JOURNAL).splitlines()
        same_as = None
        if lines:
            go_on = "go on with: python -m glojax.search resume run" in lines[0]
            right &= go_on or "begin again" in lines[0] or "--run-dir" in lines[0] or "then try again" in lines[0]
            begin = "resumed" if go_on or fault.begin == "resumed" else "new"
            same_as = self._gone_on.get(state := f"{begin} {left_in(run)}")
            if same_as is None:
                right &= self.begin(folder, begin, "count").wait() == 0
        if same_as is None:
            right &= set(kept) <= set(whole_lines(run / JOURNAL).splitlines()) and contents(run) == self.expected
        if lines and same_as is None and right:
            self._gone_on[state] = fault
        if right:
            shutil.rmtree(folder)
        else:
            print(f"{folder.name}: {fault}: exit code {code}\n{(folder / 'output.txt').read_text()[-2000:]}")
        return Trial(fault, code, lines[0] if lines else "", same_as, right)


def left_in(run: Path) -> dict[str, bytes | None]:
    """Return the content of each file that a search has left, without timings; None for that of `config.json`."""
    if not run.exists():
        return {}
    return {
        re.sub("[0-9a-f]{32}", "*", path.name): None
        if path.name.endswith("config.json")
        else re.sub(rb'"seconds": [^,}]+', b"", path.read_bytes())
        for path in sorted(run.iterdir())
        if path.name != ".lock"
    }


def faults(calls: dict[str, dict[str, int]]) -> Iterator[Fault]:
    """Yield the faults: of a new search every kind at every write, fsync and rename; elsewhere the kinds in turn."""
    for operation in OPERATIONS:
        for call in range(1, calls["new"][operation] + 1):
            if operation == "open":
                yield Fault("new", operation, call, EFFECTS[call // 4 % 2], ERRORS[call % 4])
            else:
                for kind, error in enumerate(ERRORS):
                    yield Fault("new", operation, call, EFFECTS[(call + kind) % 2], error)
            if operation == "write":
                yield Fault("new", operation, call, "short", "")
                yield Fault("new", operation, call, "torn", ERRORS[call % 4])
        for call in range(1, calls["resumed"][operation] + 1):
            yield Fault("resumed", operation, call, EFFECTS[call // 4 % 2], ERRORS[call % 4])


def main(options: Options) -> None:
    """Let each write fail, and write the results."""
    with tempfile.TemporaryDirectory(prefix="glojax-write-errors-") as name:
        folder = Path(name)
        processes = preloaded(folder / "cache", build(folder))
        searches = Searches(processes, folder)
        all_faults = list(faults(searches.calls))
        random.Random(0).shuffle(all_faults)  # so that trials that end early are a sample
        trials: list[Trial] = []
        with ThreadPoolExecutor(options.jobs) as pool:
            done = pool.map(searches.attempt, all_faults)
            # The results are written after each trial, so that nothing is lost when this process ends early.
            for trial in track(done, "Trials", total=len(all_faults)):
                trials.append(trial)
                write(options.results, searches.calls, len(all_faults), trials)
        processes.close()
    wrong = sum(not trial.right for trial in trials)
    print(f"{len(trials)} trials; {wrong} did not end as they should")
    sys.exit(1 if wrong else 0)


def write(path: Path, calls: dict[str, dict[str, int]], num_faults: int, trials: list[Trial]) -> None:
    """Write the results."""
    kinds = Counter(f"{one.fault.operation}: {one.fault.effect} {one.fault.error}".rstrip() for one in trials)
    record: dict[str, Any] = {
        "measured": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": "python -m glojax.search " + " ".join(SEARCH),
        "calls": calls,
        "faults": num_faults,
        "trials": len(trials),
        "right": sum(trial.right for trial in trials),
        "gone_on_with": sum(bool(trial.line) and trial.same_as is None for trial in trials),
        "exit_codes": dict(Counter(trial.exit_code for trial in trials)),
        "kinds": dict(sorted(kinds.items())),
        "lines": dict(Counter(trial.line for trial in trials)),
        "each": [asdict(trial) | {"fault": list(trial.fault), "same_as": trial.same_as} for trial in trials],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(record, indent=2) + "\n")


if __name__ == "__main__":
    main(tyro.cli(Options))
