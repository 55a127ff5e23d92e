"""The command line: `python -m glojax.datasets`."""

import difflib
import os
import sys
from collections.abc import Sequence
from typing import Any

import tyro

from glojax.datasets.commands import COMMANDS
from glojax.errors import ConfigurationError, GlojaxError

_PROGRAM = "python -m glojax.datasets"

_USAGE = f"""usage: {_PROGRAM} list | fetch NAME | describe NAME

Each command has a --help of its own."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return the exit code: 0, 2 for a user's mistake, or 130 for an interruption."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    if not arguments or arguments[0] in ("-h", "--help"):
        print(_USAGE)
        return 0 if arguments else 2
    command = arguments.pop(0)
    try:
        if command not in COMMANDS:
            near = difflib.get_close_matches(command, COMMANDS, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise ConfigurationError(f"Unknown command {command!r}.{hint} Expected one of {', '.join(COMMANDS)}.")
        run: Any = COMMANDS[command]
        tyro.cli(run, args=arguments, prog=f"{_PROGRAM} {command}")
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
    # The ordinary end of the interpreter would wait for the threads of an interrupted download.
    os._exit(exit_code)
