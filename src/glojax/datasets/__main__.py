"""The command line: `python -m glojax.datasets`."""

import difflib
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any, Final

import tyro
from rich.console import Console

from glojax.datasets.commands import (
    DescribeOptions,
    FetchOptions,
    ListOptions,
    run_describe,
    run_fetch,
    run_list,
)
from glojax.errors import ConfigurationError, GlojaxError

PROGRAM: Final = "python -m glojax.datasets"

_USAGE = f"""usage: {PROGRAM} list | fetch NAME | describe NAME

Each command has a --help of its own."""

#: For each command: its options, what runs it, and what its help says.
COMMANDS: Final[dict[str, tuple[type[Any], Callable[[Any, Console], None], str]]] = {
    "list": (ListOptions, run_list, "Lists the data sets, and which are on this machine."),
    "fetch": (FetchOptions, run_fetch, "Downloads a data set, or reads its files, into the cache."),
    "describe": (DescribeOptions, run_describe, "Prints a data set's splits and labels, and draws some images."),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; the exit code is 0, 2 for a user's mistake, or 130 for an interruption."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    console = Console()
    if not arguments or arguments[0] in ("-h", "--help"):
        console.print(_USAGE, highlight=False, markup=False)
        return 0 if arguments else 2
    command = arguments.pop(0)
    try:
        if command not in COMMANDS:
            near = difflib.get_close_matches(command, COMMANDS, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise ConfigurationError(f"Unknown command {command!r}.{hint} Expected one of {', '.join(COMMANDS)}.")
        options_type, run, description = COMMANDS[command]
        options = tyro.cli(options_type, args=arguments, prog=f"{PROGRAM} {command}", description=description)
        run(options, console)
    except GlojaxError as error:
        print(f"error: {str(error).splitlines()[0]}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    exit_code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    # After an interruption a download's threads go on, and the interpreter's ordinary end would wait for them.
    os._exit(exit_code)
