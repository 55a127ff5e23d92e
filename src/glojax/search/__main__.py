"""The command line: `python -m glojax.search`."""

import contextlib
import logging
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any

import jax
import platformdirs
import tyro
from rich.console import Console
from rich.logging import RichHandler

from glojax.errors import ConfigurationError, GlojaxError
from glojax.search.commands import run_all, run_compare, run_discover, run_tune
from glojax.search.config import CompareOptions, DiscoverOptions, RunOptions, TuneOptions, nearest

PROGRAM = "python -m glojax.search"

_RUN = """Finds a loss function on real images, tunes its coefficients, then compares it with the standard ones on the
test set.

Other commands: `discover` (search alone), `tune` (coefficients of given losses) and `compare` (given losses against
each other); each has a `--help` of its own."""

#: For each command: its options, what runs it, and what its help says.
COMMANDS: dict[str, tuple[type[Any], Callable[[Any, Console], None], str]] = {
    "": (RunOptions, run_all, _RUN),
    "discover": (DiscoverOptions, run_discover, "Searches for loss functions with a genetic algorithm."),
    "tune": (TuneOptions, run_tune, "Tunes the coefficients of losses with CMA-ES."),
    "compare": (CompareOptions, run_compare, "Compares losses over several seeds, on validation and test set."),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; the exit code is 0, 2 for a user's mistake, or 130 for an interruption."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    command = arguments.pop(0) if arguments and not arguments[0].startswith("-") else ""
    console = Console()
    try:
        if command not in COMMANDS:
            raise ConfigurationError(
                f"Unknown command {command!r}.{nearest(command, COMMANDS)} "
                "Expected discover, tune or compare, or options alone."
            )
        options_type, run, description = COMMANDS[command]
        options = tyro.cli(options_type, args=arguments, prog=f"{PROGRAM} {command}".rstrip(), description=description)
        logging.basicConfig(level=logging.WARNING, format="%(message)s", handlers=[RichHandler(console=console)])
        logging.getLogger("glojax").setLevel(logging.INFO)
        prepare_jax(options.devices)
        with jax.profiler.trace(options.profile) if options.profile else contextlib.nullcontext():
            run(options, console)
    except GlojaxError as error:
        print(f"error: {str(error).splitlines()[0]}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    return 0


def prepare_jax(num_devices: int | None) -> None:
    """Set what JAX reads when its backend starts, unless the user did.

    Each CPU core becomes a device, or so many as asked for; and programs that were compiled once are kept in the user's
    cache folder, for the next run.
    """
    if (
        "xla_force_host_platform_device_count" not in os.environ.get("XLA_FLAGS", "")
        and "JAX_NUM_CPU_DEVICES" not in os.environ
    ):
        # Too late where JAX has started: it keeps the devices that it has.
        with contextlib.suppress(RuntimeError):
            jax.config.update("jax_num_cpu_devices", num_devices or num_cores())
    if jax.config.values["jax_compilation_cache_dir"] is None:
        jax.config.update("jax_compilation_cache_dir", str(platformdirs.user_cache_path("glojax") / "compiled"))


def num_cores() -> int:
    """CPU cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


if __name__ == "__main__":
    exit_code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    # After an interruption threads may still be inside XLA, which does not survive the interpreter's ordinary end.
    os._exit(exit_code)
