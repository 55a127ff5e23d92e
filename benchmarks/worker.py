"""A process in which contestants do their turns on request, and sleep otherwise.

    python -m benchmarks.worker

It reads requests and writes answers, each a line of JSON:

    {"do": "call", "function": "module:name", "arguments": {...}}                  {"result": ...}
    {"do": "prepare", "case": 0, "function": "module:name", "arguments": {...}}    {"seconds": 0.1}
    {"do": "turn", "case": 0}    {"seconds": 1.5, "units": 40, "compile_seconds": null, "peak_memory_bytes": 500000000}

A function that is prepared returns a `Contestant`. The answer to a request that raises is {"failure": "Type: message"}.
The process ends with its input.
"""

import importlib
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.contestant import Contestant


def answer(request: dict[str, Any], contestants: dict[int, Contestant]) -> dict[str, Any]:
    """Fulfil a request; `contestants` are those that are ready, by the number of their case."""
    if request["do"] == "call":
        return {"result": find(request["function"])(**request["arguments"])}
    start = time.perf_counter()
    if request["do"] == "prepare":
        contestants[request["case"]] = find(request["function"])(**request["arguments"])
        return {"seconds": time.perf_counter() - start}
    contestant = contestants[request["case"]]
    work = contestant.turn()
    seconds = time.perf_counter() - start
    return {"seconds": seconds, **work._asdict(), "peak_memory_bytes": contestant.peak_memory_bytes()}


def find(place: str) -> Callable[..., Any]:
    """Return the function of "module:name"."""
    module, _, name = place.partition(":")
    function: Callable[..., Any] = getattr(importlib.import_module(module), name)
    return function


def main() -> None:
    # The output of libraries must not mix with the answers.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    # If memory runs out, the system shall end a worker, and not the process that drives it.
    score = Path("/proc/self/oom_score_adj")
    if score.exists():
        score.write_text("1000")
    contestants: dict[int, Contestant] = {}
    for line in sys.stdin:
        try:
            reply = answer(json.loads(line), contestants)
        except Exception as error:
            first_line = (str(error).strip().splitlines() or [""])[0]
            reply = {"failure": f"{type(error).__name__}: {first_line}"[:500]}
        answers.write(json.dumps(reply) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
