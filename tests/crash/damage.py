"""The folder of a finished run is damaged in many ways; nothing wrong may be read from it.

    python -m tests.crash.damage

Each trial damages one or more files of a real run: cut off, emptied, bits flipped, bytes overwritten, lines dropped,
doubled or swapped, numbers edited, a file deleted or replaced by a folder, values forged under a checksum that fits.
Then everything that a resumed run reads is read. The outcome is one of glojax's own errors, or exactly the content that
the run had written, as far as it is left. A sample is resumed by the real command line, and must end as the run had, or
with exit code 2 and one line. `results/damage.json` has the outcomes.
"""

import contextlib
import json
import logging
import random
import resource
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import tyro
from rich.progress import track

from glojax.errors import GlojaxError
from glojax.evaluation import Training, TrainingJournal
from glojax.expressions import LossTree
from glojax.search.config_file import read_config, read_options, sealed
from glojax.search.execution import ResumeOptions
from glojax.search.logs import Event, EventLog, JsonLines
from glojax.search.options import RunOptions
from glojax.search.run_directory import DISCOVERY_EVENTS, TUNING_EVENTS, require_run
from glojax.search.saved_run import load_run
from tests.crash.run_folders import contents
from tests.search.runs import resume, run

RESULTS = Path(__file__).parent / "results" / "damage.json"

SEARCH = (
    *("--preset", "paper"),
    *("--steps", "3", "--population-size", "8", "--num-elites", "2", "--generations", "2", "--finalists", "2"),
    *("--finalist-seeds", "2", "--seed", "5", "--tuned", "2", "--tuning.generations", "2"),
    *("--tuning.population-size", "3", "--seeds", "2", "--asynchronous"),
)

LOGS = ("generations.jsonl", "tuning.jsonl", "candidates.jsonl")
EVENT_LOGS = (DISCOVERY_EVENTS, TUNING_EVENTS)

#: Values that a forger may write in the place of another one.
FORGED: tuple[Any, ...] = (None, -1, 2**63, 1e308, float("nan"), "", "x" * 10_000, [], {}, True, [[]] * 100, "../../x")


@dataclass(frozen=True)
class Options:
    """Numbers of trials."""

    trials: int = 10_000
    resumes: int = 30
    """How many of them are resumed by the command line, too."""
    seed: int = 0


def cut_off(content: bytes, draw: random.Random) -> bytes:
    return content[: draw.randrange(len(content) + 1)]


def emptied(content: bytes, draw: random.Random) -> bytes:
    return b""


def flipped(content: bytes, draw: random.Random) -> bytes:
    changed = bytearray(content)
    for _ in range(draw.choice((1, 1, 1, 2, 10))):
        if changed:
            changed[draw.randrange(len(changed))] ^= 1 << draw.randrange(8)
    return bytes(changed)


def overwritten(content: bytes, draw: random.Random) -> bytes:
    start = draw.randrange(len(content) + 1)
    length = draw.choice((1, 16, 512, 4096))
    junk = draw.choice((b"\0" * length, draw.randbytes(length), b"[" * length, b"9" * length))
    return content[:start] + junk + content[start + length :]


def line_dropped(content: bytes, draw: random.Random) -> bytes:
    lines = content.splitlines(keepends=True)
    del lines[draw.randrange(len(lines))]
    return b"".join(lines)


def line_doubled(content: bytes, draw: random.Random) -> bytes:
    lines = content.splitlines(keepends=True)
    lines.insert(draw.randrange(len(lines)), draw.choice(lines))
    return b"".join(lines)


def lines_swapped(content: bytes, draw: random.Random) -> bytes:
    lines = content.splitlines(keepends=True)
    draw.shuffle(lines)
    return b"".join(lines)


def digit_edited(content: bytes, draw: random.Random) -> bytes:
    indices = [index for index, byte in enumerate(content) if 48 <= byte < 58]
    changed = bytearray(content)
    if indices:
        changed[draw.choice(indices)] = draw.randrange(48, 58)
    return bytes(changed)


def long_line(content: bytes, draw: random.Random) -> bytes:
    return content + draw.choice((b"[", b"9", b'{"a":')) * 300_000


DAMAGES: tuple[Callable[[bytes, random.Random], bytes], ...] = (
    *(cut_off, emptied, flipped, overwritten, line_dropped, line_doubled, lines_swapped, digit_edited, long_line),
)


def damage(folder: Path, draw: random.Random) -> str:
    """Damage some files of a run; return which and how."""
    done = []
    for _ in range(draw.choice((1, 1, 1, 2, 3))):
        path = draw.choice([path for path in sorted(folder.iterdir()) if path.is_file()])
        content = path.read_bytes()
        kind = draw.randrange(len(DAMAGES) + 3)
        if kind < len(DAMAGES):
            if content:
                path.write_bytes(DAMAGES[kind](content, draw))
            done.append(f"{path.name} {DAMAGES[kind].__name__}")
        elif kind == len(DAMAGES):
            path.unlink()
            done.append(f"{path.name} deleted")
            if not any(each.is_file() for each in folder.iterdir()):
                break
        elif kind == len(DAMAGES) + 1:
            path.unlink()
            path.mkdir()
            done.append(f"{path.name} replaced by a folder")
            break
        elif path.name == "config.json" and not done:
            path.write_text(json.dumps(forged(json.loads(content), draw)))
            done.append("config.json forged")
            break
    return ", ".join(done) or "nothing"


def forged(config: dict[str, Any], draw: random.Random) -> dict[str, Any]:
    """Return a configuration with some values replaced, and a checksum that fits."""
    for _ in range(draw.choice((1, 1, 3))):
        table = config
        while isinstance(inner := table[(name := draw.choice(list(table)))], dict) and inner and draw.random() < 0.8:
            table = inner
        table[name] = draw.choice(FORGED)
    return sealed(config)


def events(folder: Path) -> dict[str, list[Event]]:
    """Return the events of an asynchronous run, by file, as far as they can be trusted."""
    return {name: list(EventLog(folder / name).events) for name in EVENT_LOGS}


def trainings(folder: Path) -> list[Training]:
    """Return the trainings in the journal of an undamaged run."""
    records = [json.loads(line) for line in (folder / "trainings.jsonl").read_text().splitlines()]
    return [
        Training(one["context"], LossTree.parse(one["expression"]), one["seed"], one["learning_rate"])
        for one in records
    ]


@dataclass(frozen=True)
class Original:
    """The content of a run as it had written it."""

    folder: Path
    config: dict[str, Any]
    trainings: list[Training]
    journal: TrainingJournal
    logs: dict[str, list[dict[str, Any]]]
    events: dict[str, list[Event]]

    @classmethod
    def of(cls, folder: Path) -> "Original":
        lines = {name: (folder / name).read_text().splitlines() for name in LOGS}
        logs = {name: [json.loads(line) for line in texts] for name, texts in lines.items()}
        journal = TrainingJournal(folder / "trainings.jsonl")
        return cls(folder, read_config(folder), trainings(folder), journal, logs, events(folder))


def trial(original: Original, folder: Path, draw: random.Random) -> tuple[str, str]:
    """Damage a copy of a run at `folder`, and read it; return the damage and the outcome.

    Raises:
        AssertionError: Something wrong was read.
    """
    shutil.copytree(original.folder, folder)
    done = damage(folder, draw)
    try:
        require_run(folder)
        config = read_config(folder)
        read_options(RunOptions, config, ResumeOptions(run_dir=folder))
        if "forged" not in done:
            assert config == original.config, done
        journal = TrainingJournal(folder / "trainings.jsonl")
        found = {training: result for training in original.trainings if (result := journal.find(training))}
        assert len(found) == len(journal), done
        for training, result in found.items():
            assert str(result) == str(original.journal.find(training)), done
        for name, trusted in events(folder).items():
            assert trusted == original.events[name][: len(trusted)], done
        with contextlib.suppress(GlojaxError):
            load_run(folder)
        for name, records in original.logs.items():
            log = JsonLines(folder / name)
            for record in records:
                log.append(record)
            log.finish()
            written = [json.loads(line) for line in (folder / name).read_text().splitlines()]
            assert [one | {"seconds": 0} for one in written] == [one | {"seconds": 0} for one in records], done
    except (GlojaxError, OSError) as error:
        return done, type(error).__name__
    whole = len(journal) == len(original.journal)
    return done, "all trainings trusted" if whole else "some trainings trusted"


def main(options: Options) -> None:
    """Damage, read, resume, and write `results/damage.json`."""
    logging.disable(logging.WARNING)
    outcomes: Counter[str] = Counter()
    slowest = 0.0
    resumed: Counter[str] = Counter()
    draw = random.Random(options.seed)
    with tempfile.TemporaryDirectory(prefix="glojax-damage-") as parent:
        whole = run(Path(parent), *SEARCH, num_devices=1)
        if whole.exit_code != 0:
            sys.exit(whole.errors)
        original, expected = Original.of(whole.directory), contents(whole.directory)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        for number in track(range(options.trials), "Trials"):
            folder = Path(parent) / "damaged"
            begin = time.perf_counter()
            _, outcome = trial(original, folder, draw)
            slowest = max(slowest, time.perf_counter() - begin)
            outcomes[outcome] += 1
            shutil.rmtree(folder)
            if number < options.resumes:
                shutil.copytree(original.folder, Path(parent) / "again" / "run")
                done = damage(Path(parent) / "again" / "run", draw)
                again = resume(Path(parent) / "again")
                refused = again.exit_code == 2 and "Traceback" not in again.errors
                if not refused and "forged" not in done and contents(again.directory) != expected:
                    sys.exit(f"{done}: exit code {again.exit_code}, not as the run was\n{again.errors}")
                resumed["refused" if refused else "ended as the run had"] += 1
                shutil.rmtree(Path(parent) / "again")
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    record = {
        "measured": datetime.now(UTC).isoformat(timespec="seconds"),
        "trials": options.trials,
        "outcomes": dict(outcomes.most_common()),
        "wrong": 0,
        "slowest_seconds": round(slowest, 3),
        "memory_mb": round(memory / 1024, 1),
        "resumed": dict(resumed.most_common()),
    }
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(record, indent=2) + "\n")
    print(json.dumps(record, indent=2))


if __name__ == "__main__":
    main(tyro.cli(Options))
