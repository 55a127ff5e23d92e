"""The start and the end of a command: `glojax`, `python -m glojax.search` and `python -m glojax.datasets`.

The current folder may be a stranger's: nothing in it is imported, and no configuration is read from it. So the import
of this module, the first one of glojax, prepares the process of a command for all others.
"""

import os
import sys

# While Python imports the packages of a module to run, "-m" stands for its path, and the current folder comes first in
# `sys.path`. Even modules of the standard library would be taken from there.
_SCRIPT = (sys.argv or [""])[0]
_IS_MODULE = _SCRIPT == "-m" and any(word.split(".")[0] in ("glojax", "-mglojax") for word in sys.orig_argv[1:])
if _IS_MODULE and not sys.flags.safe_path:
    sys.path.pop(0)

import contextlib
import logging
import signal
import traceback
from collections.abc import Callable
from multiprocessing import parent_process
from types import FrameType, TracebackType
from typing import NoReturn

from glojax.errors import printable
from glojax.standard_streams import keep_streams, streams_failed


def _prepare_command() -> None:
    """Prepare the process of a command for its imports."""
    keep_streams()
    sys.excepthook = _report_failure
    if signal.getsignal(signal.SIGINT) == signal.default_int_handler:
        signal.signal(signal.SIGINT, _interrupt)
    os.environ["PYTHONSAFEPATH"] = "1"  # for the processes that this one starts
    os.environ.pop("MPLBACKEND", None)  # all pictures are files
    if os.environ.get("NO_COLOR"):
        os.environ["PYTHON_TYRO_ANSI_CODES"] = "False"  # rich asks by itself
    logging.getLogger("matplotlib").setLevel(logging.ERROR)  # it warns of a missing home folder
    try:
        with contextlib.chdir(os.sep):
            import matplotlib  # noqa: F401  # reads the current folder's matplotlibrc
    except OSError as error:
        os.write(2, f"error: The current folder cannot be used ({error.strerror}); change to another.\n".encode())
        os._exit(2)


def run_command(main: Callable[[], int]) -> NoReturn:
    """Run a command, and end the process with its exit code."""
    sys.excepthook = _report_bug
    if signal.getsignal(signal.SIGINT) == _interrupt:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        exit_code = main()
    except SystemExit as end:  # of the parser, which has printed help or a mistake
        exit_code = end.code if isinstance(end.code, int) else 0
    failed = streams_failed()
    # Threads may still be inside XLA, which does not survive the interpreter's ordinary end, or in a download.
    os._exit(exit_code or failed)


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:
    os.write(2, b"interrupted: SIGINT\n")
    os._exit(128 + number)


def _report_failure(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> NoReturn:
    """Report in one line what prevents the imports, such as an environment variable that JAX does not understand."""
    message = printable(" ".join(f"{kind.__name__}: {error}".split()))
    os.write(2, f"error: glojax cannot start ({message}); correct the environment or the installation.\n".encode())
    os._exit(2)


def _report_bug(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    sys.stderr.write(printable("".join(traceback.format_exception(error))))


# A process that a command starts has its script, too.
if (_IS_MODULE or os.path.basename(_SCRIPT).removesuffix(".exe") == "glojax") and parent_process() is None:
    _prepare_command()
