"""The command line: `python -m glojax.search`."""

import contextlib
import logging
import os
import signal
import sys
from collections.abc import Callable, Sequence
from functools import partial
from importlib.metadata import version
from typing import Any

import jax
import tyro
from rich.console import Console
from rich.logging import RichHandler

from glojax.errors import ConfigurationError, GlojaxError, nearest
from glojax.evaluation import keep_compiled_programs
from glojax.search.cluster_options import WorkersOptions, print_workers
from glojax.search.command_line import with_optimizer_arguments, with_recipe
from glojax.search.commands import COMMANDS, execute, resume
from glojax.search.execution import ResumeOptions
from glojax.search.signals import Interruption, interruptible

PROGRAM = "python -m glojax.search"

_RUN = """Finds a loss function on real images, tunes its coefficients, then compares it with the standard ones on the
test set.

Other commands: `discover` (search alone), `tune` (coefficients of given losses), `compare` (given losses against each
other), `resume` (goes on with an interrupted run, or to more generations) and `workers` (lists a cluster's workers);
each has a `--help` of its own."""

_DESCRIPTIONS = {
    "": _RUN,
    "discover": "Searches for loss functions with a genetic algorithm.",
    "tune": "Tunes the coefficients of losses with CMA-ES.",
    "compare": "Compares losses over several seeds, on validation and test set.",
    "workers": "Lists the workers of a cluster: devices, speed, shards done, failures.",
    "resume": "Goes on with a run, from the last training that was done, or to more generations.",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command."""
    arguments = [_in_parentheses(text) for text in (sys.argv[1:] if arguments is None else arguments)]
    if arguments == ["--version"]:
        print(f"glojax {version('glojax')}")
        return 0
    command = arguments.pop(0) if arguments and not arguments[0].startswith("-") else ""
    console = Console()
    try:
        if command not in _DESCRIPTIONS:
            expected = "Expected discover, tune, compare, resume or workers, or options alone."
            raise ConfigurationError(f"Unknown command {command!r}.{nearest(command, _DESCRIPTIONS)} {expected}")
        options_type, work = _work(command)
        options = tyro.cli(
            with_recipe(options_type, arguments),
            args=with_optimizer_arguments(arguments),
            prog=f"{PROGRAM} {command}".rstrip(),
            description=_DESCRIPTIONS[command],
        )
        execution = options.execution
        handler = RichHandler(console=console, show_time=False, show_path=False)
        logging.basicConfig(format="%(message)s", handlers=[handler])
        logging.getLogger("glojax").setLevel(logging.INFO)
        keep_compiled_programs()
        if execution.cluster is not None:
            jax.config.update("jax_platforms", "cpu")  # accelerators are for the workers
        with (
            interruptible(execution.time_limit_seconds),
            jax.profiler.trace(execution.profile) if execution.profile else contextlib.nullcontext(),
        ):
            work(options, console)
    except GlojaxError as error:
        print(f"error: {str(error).splitlines()[0]}", file=sys.stderr)
        return 2
    except KeyboardInterrupt as error:
        reason = str(error) or signal.SIGINT.name
        print("\n".join([f"interrupted: {reason}", *getattr(error, "__notes__", [])]), file=sys.stderr)
        return error.exit_code if isinstance(error, Interruption) else 130
    return 0


def _in_parentheses(text: str) -> str:
    """Put an expression that begins with a minus, and would pass for an option, in parentheses."""
    is_expression = text.startswith("-") and not text.startswith("--") and any(sign in text for sign in "(*/ ")
    return f"({text})" if is_expression else text


def _work(command: str) -> tuple[type[Any], Callable[[Any, Console], None]]:
    """Return a command's options, and the function that runs it."""
    if command == "resume":
        return ResumeOptions, resume
    if command == "workers":
        return WorkersOptions, print_workers
    name = command or "run"
    return COMMANDS[name][0], partial(execute, name)


if __name__ == "__main__":
    exit_code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    # After an interruption threads may still be inside XLA, which does not survive the interpreter's ordinary end.
    os._exit(exit_code)
