"""Checks that a search whose workers are killed, frozen or slowed gives the results of an undisturbed search.

    python -m tests.cluster.chaos --minutes 30

A frozen worker gets SIGSTOP; a slowed one is stopped for half of each second, for a while. `results/chaos.json` lists
the disturbances, and says whether the run directory equals that of a local run, apart from times.
"""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
import tyro

from tests.crash.run_folders import contents

RESULTS = Path(__file__).parent / "results" / "chaos.json"

KINDS = ("kill", "freeze", "slow")

_SETTINGS = "[limits]\nslack_seconds = 15\nfirst_seconds = 120\n"


def main(minutes: float = 30.0, workers: int = 4, every_seconds: float = 20.0, steps: int = 500, seed: int = 0) -> None:
    """Disturb, compare, and write `results/chaos.json`.

    Args:
        minutes: Minimum duration of the disturbed search, which determines its number of generations.
        workers: Number of worker processes.
        every_seconds: Time between two disturbances.
        steps: Steps of a training.
        seed: Seed of the disturbances, and of the search.
    """
    draw = random.Random(seed)
    folder = Path(tempfile.mkdtemp(prefix="glojax-chaos-"))
    (folder / "cluster.toml").write_text(_SETTINGS)
    # Three generations of an undisturbed search measure the time of a generation.
    begin = time.monotonic()
    if _search(folder, "trial", steps, 3, seed, "--devices", "1").wait() != 0:
        sys.exit((folder / "output.txt").read_text())
    generations = max(3, round(3 * 60 * minutes / (time.monotonic() - begin)))
    cluster = ("--cluster", f"local:{workers}", "--cluster-config", "cluster.toml")
    begin = time.monotonic()
    search = _search(folder, "disturbed", steps, generations, seed, *cluster)
    done = _disturb(search, every_seconds, draw)
    seconds = time.monotonic() - begin
    alone = _search(folder, "alone", steps, generations, seed)
    codes = search.wait(), alone.wait()
    equal = codes == (0, 0) and contents(folder / "disturbed") == contents(folder / "alone")
    record = {
        "measured": datetime.now(UTC).isoformat(timespec="seconds"),
        "workers": workers,
        "every_seconds": every_seconds,
        "generations": generations,
        "steps": steps,
        "seconds": round(seconds, 1),
        "disturbances": {kind: sum(entry["kind"] == kind for entry in done) for kind in KINDS},
        "exit_codes": codes,
        "equal": equal,
        "each": done,
    }
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(record, indent=2) + "\n")
    print(f"{len(done)} disturbances in {seconds:.0f} s; the run directories are {'equal' if equal else 'NOT equal'}")
    if not equal:
        sys.exit(f"Both run directories and the output are in {folder}.")
    shutil.rmtree(folder)


def _search(
    folder: Path, run: str, steps: int, generations: int, seed: int, *arguments: str
) -> "subprocess.Popen[bytes]":
    budget = ("--steps", str(steps), "--generations", str(generations), "--seed", str(seed))
    command = (
        sys.executable,
        "-m",
        "glojax.search",
        "discover",
        "--preset",
        "paper",
        *budget,
        "--finalist-seeds",
        "3",
        *arguments,
    )
    environment = os.environ | {
        "XDG_CACHE_HOME": str(folder / "cache"),
        "PYTHONPATH": os.pathsep.join(filter(None, [str(Path.cwd()), os.environ.get("PYTHONPATH")])),
    }
    with (folder / "output.txt").open("ab") as output:
        return subprocess.Popen([*command, "--run-dir", run], cwd=folder, env=environment, stdout=output, stderr=output)


def _disturb(search: "subprocess.Popen[bytes]", every_seconds: float, draw: random.Random) -> list[dict[str, Any]]:
    """Disturb workers until the search ends; return a record of each disturbance."""
    done: list[dict[str, Any]] = []
    begin = time.monotonic()
    while True:
        try:
            search.wait(every_seconds)
            return done
        except subprocess.TimeoutExpired:
            pass
        present = [process for process in _children(search.pid) if _is_worker(process)]
        if not present:
            continue
        victim, kind = draw.choice(present), draw.choice(KINDS)
        done.append({"seconds": round(time.monotonic() - begin, 1), "kind": kind, "process": victim.pid})
        if kind == "slow":
            threading.Thread(target=_slow, args=(victim, every_seconds), daemon=True).start()
        else:
            _send(victim, signal.SIGKILL if kind == "kill" else signal.SIGSTOP)


def _children(process: int) -> list[psutil.Process]:
    try:
        return list(psutil.Process(process).children())
    except psutil.Error:
        return []


def _is_worker(process: psutil.Process) -> bool:
    try:
        return "spawn_main" in " ".join(process.cmdline()) and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def _slow(process: psutil.Process, seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end and _send(process, signal.SIGSTOP):
        time.sleep(0.5)
        _send(process, signal.SIGCONT)
        time.sleep(0.5)


def _send(process: psutil.Process, number: int) -> bool:
    try:
        process.send_signal(number)
    except psutil.Error:
        return False
    return True


if __name__ == "__main__":
    tyro.cli(main)
