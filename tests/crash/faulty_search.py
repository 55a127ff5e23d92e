"""The command line on a file layer that fails at a chosen moment.

    python -m tests.crash.faulty_search append half 17 discover --generations 3

fails in the 17th append of the process. The operation is `append`, `sync` or `replace`. The process is killed `before`
it, `after` it or in the middle of it (`half`), or it and all operations after it have an error, such as `ENOSPC`. With
`count` in the place of the three, nothing fails, and the last line of the standard error says how often each operation
was called.
"""

import builtins
import errno
import json
import os
import signal
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from glojax import files


class FaultyLayer:
    """Replaces `os` and `open` in `glojax.files`."""

    def __init__(self, operation: str = "", moment: str = "", number: int = 0):
        self._fault = operation, number
        self._moment = moment
        self._has_failed = False
        self.calls: Counter[str] = Counter()

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)

    def open_file(self, path: Path, mode: str, buffering: int, opener: Any) -> Any:
        file = builtins.open(path, mode, buffering, opener=opener)  # noqa: SIM115  # the caller closes it
        return _FaultyFile(file, self) if mode == "a+b" else file

    def fsync(self, descriptor: int) -> None:
        with _Operation(self, "sync") as is_half:
            if is_half:  # which a call cannot be
                kill()
            os.fsync(descriptor)

    def replace(self, source: Path, target: Path) -> None:
        with _Operation(self, "replace") as is_half:
            if is_half:
                os.truncate(source, source.stat().st_size // 2)
                kill()
            os.replace(source, target)

    def begin(self, operation: str) -> bool:
        """Count an operation, and fail before it if it is time; return whether it must fail in the middle."""
        self.calls[operation] += 1
        is_time = (operation, self.calls[operation]) == self._fault
        if is_time and self._moment == "before":
            kill()
        self._has_failed |= is_time and self._moment.startswith("E")
        if self._has_failed:
            number: int = getattr(errno, self._moment)
            raise OSError(number, os.strerror(number))
        return is_time and self._moment == "half"

    def end(self, operation: str) -> None:
        if (operation, self.calls[operation]) == self._fault and self._moment == "after":
            kill()


class _Operation:
    def __init__(self, layer: FaultyLayer, name: str):
        self._layer, self._name = layer, name

    def __enter__(self) -> bool:
        return self._layer.begin(self._name)

    def __exit__(self, *error: object) -> None:
        self._layer.end(self._name)


class _FaultyFile:
    """A file that is appended to."""

    def __init__(self, file: Any, layer: FaultyLayer):
        self._file, self._layer = file, layer

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def __enter__(self) -> "_FaultyFile":
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()

    def write(self, data: Any) -> int:
        with _Operation(self._layer, "append") as is_half:
            if is_half:
                self._file.write(data[: len(data) // 2])
                kill()
            return int(self._file.write(data))


def kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def main() -> int:
    arguments = sys.argv[1:]
    if arguments[0] == "count":
        layer, arguments = FaultyLayer(), arguments[1:]
    else:
        operation, moment, number, *arguments = arguments
        layer = FaultyLayer(operation, moment, int(number))
    vars(files)["os"], vars(files)["open"] = layer, layer.open_file
    from glojax.search.__main__ import main as search

    exit_code = search(arguments)
    print(json.dumps(layer.calls), file=sys.stderr)
    return exit_code


if __name__ == "__main__":
    exit_code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(exit_code)
