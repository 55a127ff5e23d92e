"""The command line in a process one of whose system calls fails, or kills it.

    LD_PRELOAD=... python -m tests.crash.faulty_calls run write half 0 17 discover --generations 3 --run-dir run

kills the process in the middle of its 17th `write` to a file in the folder `run`. The calls are those of `OPERATIONS`.
The process is killed `before` the call, `after` it, `during` it (a number of microseconds after its begin), or when
`half` of the data is written; or the call has an error, by its number, `once` or `lasting`, in all calls from then on;
or half of the data is written, and all other calls succeed (`short`) or fail (`torn`). With `count`, nothing fails, and
the last line of the standard error says how often each call was made.
"""

import ctypes
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

SOURCE = Path(__file__).with_suffix(".c")

#: Calls on files of the folder; `open` is one for writing.
OPERATIONS = ("open", "write", "fsync", "rename")


def can_be_built() -> bool:
    """Return whether this machine has what `build` needs."""
    return sys.platform == "linux" and shutil.which("cc") is not None


def build(folder: Path) -> Path:
    """Compile the library to preload; return its path."""
    library = folder / "faulty_calls.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-O2", "-Wall", "-o", library, SOURCE, "-lpthread"], check=True)
    return library


def main() -> int:
    """Choose the fault, and run the command line."""
    folder, operation, *arguments = sys.argv[1:]
    library = ctypes.CDLL(os.environ["LD_PRELOAD"])
    index, effect, value, call = -1, "", 0, 0
    if operation != "count":
        effect, value, call, *arguments = arguments[0], int(arguments[1]), int(arguments[2]), *arguments[3:]
        index = OPERATIONS.index(operation)
    path = str(Path(folder).resolve()).encode()
    library.set_fault(path, index, effect.encode(), value, ctypes.c_long(call))
    from glojax.search.__main__ import main as search

    exit_code = search(arguments)
    if operation == "count":
        print(json.dumps({name: library.num_calls(number) for number, name in enumerate(OPERATIONS)}), file=sys.stderr)
    return exit_code
