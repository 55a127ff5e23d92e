"""Processes that begin in a moment: each is forked from one that has imported glojax, and has started nothing yet.

A thousand searches would spend most of their time in imports. A forked process is a process like any other: it has its
own memory, files and threads, and ends by SIGKILL like any other.
"""

import json
import os
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Mapping
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, NoReturn


class ForkedProcess:
    """A process that a `Preloaded` began; used like `subprocess.Popen`."""

    def __init__(self, pid: int, ended: "SimpleQueue[int]"):
        self.pid = pid
        self._ended = ended
        self._code: int | None = None

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end; return the exit code, or minus the number of the signal that ended the process.

        A process that takes longer than `timeout` seconds is killed.
        """
        if self._code is None:
            try:
                self._code = self._ended.get(timeout=timeout)
            except Empty:
                os.kill(self.pid, signal.SIGKILL)
                raise TimeoutError(f"The process had not ended after {timeout} s.") from None
        return self._code

    def poll(self) -> int | None:
        """Return the exit code; None while the process goes on."""
        if self._code is None and not self._ended.empty():
            self._code = self._ended.get()
        return self._code

    def send_signal(self, number: int) -> None:
        """Send a signal, unless the process has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)


class Preloaded:
    """Begins processes that run `main` of a module, which has been imported already.

    Args:
        environment: The environment of all these processes.
    """

    def __init__(self, environment: Mapping[str, str]):
        self._server = subprocess.Popen(
            [sys.executable, "-m", __spec__.name],
            env=dict(environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._lock = threading.Lock()
        self._begun: SimpleQueue[int] = SimpleQueue()
        self._ends: dict[int, SimpleQueue[int]] = {}
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def begin(
        self,
        folder: Path,
        module: str,
        *arguments: str,
        output: str = "output.txt",
        errors: str = "output.txt",
        environment: Mapping[str, str] | None = None,
    ) -> ForkedProcess:
        """Begin a process in a folder; its output and errors are appended to files, whose paths start from there."""
        with self._lock:
            assert self._server.stdin is not None
            order = {
                "folder": str(folder),
                "module": module,
                "arguments": arguments,
                "files": [output, errors],
                "environment": None if environment is None else dict(environment),
            }
            self._server.stdin.write(json.dumps(order) + "\n")
            self._server.stdin.flush()
            pid = self._begun.get()
        return ForkedProcess(pid, self._ends[pid])

    def close(self) -> None:
        """End the server; processes that go on are left alone."""
        self._server.kill()
        self._server.wait()
        self._listener.join()
        for pipe in (self._server.stdin, self._server.stdout):
            assert pipe is not None
            pipe.close()

    def _listen(self) -> None:
        assert self._server.stdout is not None
        for line in self._server.stdout:
            told: dict[str, Any] = json.loads(line)
            if "code" in told:
                self._ends[told["pid"]].put(told["code"])
            else:
                self._ends[told["pid"]] = SimpleQueue()
                self._begun.put(told["pid"])


def serve() -> None:
    """Fork a process for each order on the standard input, and say when it ends."""
    # All that a search imports, on its way, too.
    import scipy.stats  # noqa: F401
    import sklearn.datasets  # noqa: F401

    import glojax.reporting
    import glojax.search.commands  # noqa: F401

    assert threading.active_count() == 1, "a process with threads cannot be forked safely"
    lock = threading.Lock()

    def tell(**words: int) -> None:
        with lock:
            print(json.dumps(words), flush=True)

    for line in sys.stdin:
        order = json.loads(line)
        with lock:  # no thread holds the lock of the standard output, which the child would wait for for ever
            pid = os.fork()
            if pid == 0:
                _become(**order)
        tell(pid=pid)
        # Forking goes on while this waits: the thread holds no lock that a child could need.
        threading.Thread(target=lambda pid=pid: tell(pid=pid, code=_end_of(pid)), daemon=True).start()


def _end_of(pid: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def _become(
    folder: str, module: str, arguments: list[str], files: list[str], environment: dict[str, str] | None
) -> NoReturn:
    """Run a module's `main` in this new process, and end it as the module's own process would end."""
    code = 1
    try:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        os.chdir(folder)
        for descriptor, path in zip((1, 2), files, strict=True):
            os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND), descriptor)
        os.close(0)
        if environment is not None:
            os.environ.clear()
            os.environ.update(environment)
        sys.argv = [module, *arguments]
        if module == "glojax.search":
            from glojax.search.__main__ import main
        else:
            from importlib import import_module

            main = import_module(module).main
        code = main()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    serve()
