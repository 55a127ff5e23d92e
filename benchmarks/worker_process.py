"""A worker process, its requests, and its failures."""

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import IO, Any, Self, cast

#: Environment of every worker: no compiled program is reused, and several workers may share a GPU.
ENVIRONMENT = {
    "JAX_ENABLE_COMPILATION_CACHE": "false",
    "TORCHINDUCTOR_FORCE_DISABLE_CACHES": "1",
    "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
}

#: Variables that no worker inherits: they change the precision of products, which records name.
NOT_INHERITED = ("JAX_DEFAULT_MATMUL_PRECISION", "NVIDIA_TF32_OVERRIDE", "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE")


class WorkerFailure(Exception):  # noqa: N818 (a contestant that fails is a result)
    """A worker did not complete a request; the message tells the reason."""


class WorkerProcess:
    """A process that runs `benchmarks.worker`, where the requests are explained.

    As a context manager it ends the process, and those that the process has started.
    """

    def __init__(self) -> None:
        root = str(Path(__file__).parent.parent)
        paths = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
        inherited = {name: value for name, value in os.environ.items() if name not in NOT_INHERITED}
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 (closed in `end`)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env=inherited | ENVIRONMENT | {"PYTHONPATH": os.pathsep.join(paths)},
            start_new_session=True,
        )

    def ask(self, request: dict[str, Any], limit_seconds: float) -> dict[str, Any]:
        """Send a request and receive its answer."""
        self.send(request)
        return self.receive(limit_seconds)

    def send(self, request: dict[str, Any]) -> None:
        """Send a request, whose answer is to be received before the next.

        Raises:
            WorkerFailure: The process has ended.
        """
        assert self._process.stdin is not None
        if self._process.poll() is not None:
            raise WorkerFailure(self._last_words())
        # One that has ended just now says so when its answer is received.
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(json.dumps(request).encode() + b"\n")
            self._process.stdin.flush()

    def receive(self, limit_seconds: float) -> dict[str, Any]:
        """Return the answer to the last request.

        Raises:
            WorkerFailure: The request has failed, or the process has ended or was ended for taking longer than the
                limit.
        """
        assert self._process.stdout is not None
        if not select.select([self._process.stdout], [], [], limit_seconds)[0]:
            self.end()
            raise WorkerFailure(f"took longer than {limit_seconds:g} s")
        line = self._process.stdout.readline()
        if not line:
            raise WorkerFailure(self._last_words())
        answer: dict[str, Any] = json.loads(line)
        if "failure" in answer:
            raise WorkerFailure(answer["failure"])
        return answer

    def end(self) -> None:
        """End the process at once, with all that it has started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout, self._errors):
            with contextlib.suppress(BrokenPipeError):
                cast(IO[bytes], stream).close()

    def _last_words(self) -> str:
        code = self._process.wait()
        if self._errors.closed:
            return "its process was ended in an earlier turn, for a case that it shared it with"
        self._errors.seek(0)
        lines = self._errors.read().decode(errors="replace").strip().splitlines()
        ending = f"exit code {code}" if code >= 0 else f"signal {signal.Signals(-code).name}"
        if code == -signal.SIGKILL:
            ending += ", as where memory runs out"
        self.end()
        return f"the process ended with {ending}" + (f": {lines[-1]}"[:500] if lines else "")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()
