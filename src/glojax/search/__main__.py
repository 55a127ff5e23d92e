"""The command line: `glojax`, or `python -m glojax.search`."""

import contextlib
import logging
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import make_dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, NoReturn, get_type_hints

import jax
import tyro
from rich.console import Console
from rich.logging import RichHandler

from glojax.arguments import require_once
from glojax.errors import ConfigurationError, ExpressionError, GlojaxError, nearest, printable
from glojax.evaluation import require_device, set_up_jax
from glojax.expressions import LossTree
from glojax.files import expanded
from glojax.search.commands import COMMANDS, execute, resume
from glojax.search.execution import ResumeOptions, WorkersOptions, print_workers
from glojax.search.export import ExportOptions, print_export
from glojax.search.options import CommonOptions, DiscoverOptions
from glojax.search.recipes import PRESETS, recipe_of
from glojax.search.report.options import ReportOptions
from glojax.search.signals import Interruption, interruptible
from glojax.startup import run_command
from glojax.terminal import open_console
from glojax.training import Optimizer, TrainingConfig

_OPTIMIZER = "--optimizer"

_DESCRIPTIONS = {
    "": """Finds a loss function, and compares it with standard losses.

Searches the shape, tunes the coefficients, then judges on the test set.

Other commands, each with a --help of its own:
  discover  searches, without tuning and comparison
  tune      tunes the coefficients of given losses
  compare   trains given losses against each other
  export    writes a loss for other frameworks
  resume    goes on with an interrupted run, or a longer one
  report    makes a page of runs
  workers   lists the workers of a cluster""",
    "discover": "Searches for loss functions.",
    "tune": "Tunes the coefficients of losses with CMA-ES.",
    "compare": "Compares losses over several seeds, on validation and test set.",
    "export": "Writes a loss as source code that needs no glojax, or as LaTeX.",
    "report": "Makes the page of a run again, or one of several runs side by side.",
    "workers": "Lists the workers of a cluster: devices, speed, shards done, failures.",
    "resume": "Goes on with a run, from the last training that was done, or to more generations.",
}


def _report(options: ReportOptions, console: Console) -> None:
    from glojax.search.report.writing import print_report  # matplotlib takes as long as the rest to import

    print_report(options, console)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command."""
    arguments = [_in_parentheses(text) for text in (sys.argv[1:] if arguments is None else arguments)]
    if arguments == ["--version"]:
        print(f"glojax {version('glojax')}")
        return 0
    command = arguments.pop(0) if arguments and not arguments[0].startswith("-") else ""
    console = open_console()
    try:
        if command not in _DESCRIPTIONS:
            expected = "Expected discover, tune, compare, export, resume, report or workers, or options alone."
            raise ConfigurationError(f"Unknown command {command!r}.{nearest(command, _DESCRIPTIONS)} {expected}")
        require_once(arguments)
        name = command or "run"
        others: dict[str, tuple[type[Any], Callable[[Any, Console], None]]] = {
            "export": (ExportOptions, print_export),
            "resume": (ResumeOptions, resume),
            "report": (ReportOptions, _report),
            "workers": (WorkersOptions, print_workers),
        }
        options_type, work = others.get(name) or (COMMANDS[name][0], partial(execute, name))
        options = tyro.cli(
            with_defaults(options_type, arguments),
            args=with_optimizer_arguments(arguments),
            prog=f"python -m glojax.search {command}".rstrip(),
            description=_DESCRIPTIONS[command],
        )
        execution = options.execution
        handler = RichHandler(console=console, show_time=False, show_path=False)
        logging.basicConfig(format="%(message)s", handlers=[handler])
        logging.getLogger("glojax").setLevel(logging.WARNING if execution.quiet else logging.INFO)
        set_up_jax()
        if execution.cluster is not None:
            jax.config.update("jax_platforms", "cpu")  # accelerators are for the workers
        require_device()
        trace = contextlib.nullcontext() if execution.profile is None else profiled(execution.profile)
        with interruptible(execution.time_limit_seconds), trace:
            work(options, console)
    except GlojaxError as error:
        print(f"error: {printable(str(error).splitlines()[0])}", file=sys.stderr)
        return 2
    except KeyboardInterrupt as error:
        reason = str(error) or signal.SIGINT.name
        print(printable("\n".join([f"interrupted: {reason}", *getattr(error, "__notes__", [])])), file=sys.stderr)
        return error.exit_code if isinstance(error, Interruption) else 130
    return 0


def profiled(folder: Path) -> contextlib.AbstractContextManager[None]:
    """Return a context whose computations JAX's profiler traces, without every call of a Python function."""
    options = jax.profiler.ProfileOptions()
    options.python_tracer_level = 0
    return jax.profiler.trace(expanded(folder), profiler_options=options)


def _in_parentheses(text: str) -> str:
    """Put an expression that begins with a minus, and would pass for an option, in parentheses."""
    return f"({text})" if text.startswith("-") and _is_expression(text) else text


def _is_expression(text: str) -> bool:
    """Return whether a text that begins with a minus is a loss, or looks like one, but is not a number."""
    with contextlib.suppress(ValueError):
        float(text)
        return False
    with contextlib.suppress(ExpressionError):
        LossTree.parse(text)
        return True
    return not text.startswith("--") and any(sign in text[1:] for sign in "(*/+-^ ")


def with_defaults(options_type: type[Any], arguments: Sequence[str]) -> type[Any]:
    """Return the options with the defaults of the arguments' data set and preset, so that `--help` shows them."""
    if not issubclass(options_type, CommonOptions):
        return options_type
    changed: list[tuple[str, Any, Any]] = []
    if (dataset := _value("--dataset", arguments)) is not None:
        recipe = recipe_of(dataset)
        training_type = Annotated[TrainingConfig, tyro.conf.OmitArgPrefixes]
        changed += [("network", str | None, recipe.network), ("training", training_type, recipe.training)]
    if issubclass(options_type, DiscoverOptions):
        types = get_type_hints(options_type, include_extras=True)
        preset = PRESETS.get(_value("--preset", arguments) or "", {})
        changed += [(name, types[name], default) for name, default in preset.items() if name in types]
    return make_dataclass(options_type.__name__, changed, bases=(options_type,), frozen=True, kw_only=True)


def with_optimizer_arguments(arguments: Sequence[str]) -> list[str]:
    """Return the arguments with the optimizer's own behind its name.

    Examples:
        >>> with_optimizer_arguments(["--optimizer", "adam", "--seed", "1", "--optimizer.b1", "0.95"])
        ['--seed', '1', '--optimizer', 'adam', 'b1=0.95']
    """
    name, words, others = _value(_OPTIMIZER, arguments), list[str](), list[str]()
    pending = iter(arguments)
    for argument in pending:
        flag, equals, value = argument.partition("=")
        if flag == _OPTIMIZER and name is not None:
            if not equals:
                next(pending)
        elif flag.startswith(f"{_OPTIMIZER}."):
            words.append(f"{flag.removeprefix(f'{_OPTIMIZER}.').replace('-', '_')}={value or next(pending, '')}")
        else:
            others.append(argument)
    if name is None and not words:
        return others
    return [*others, _OPTIMIZER, *Optimizer.parse([name or "sgd", *words]).words]


def _value(flag: str, arguments: Sequence[str]) -> str | None:
    """Return the value of a flag."""
    for index, argument in enumerate(arguments):
        if argument == flag or argument.startswith(f"{flag}="):
            return argument.partition("=")[2] if "=" in argument else next(iter(arguments[index + 1 :]), None)
    return None


def command() -> NoReturn:
    """Run the command line, and end the process."""
    run_command(main)


if __name__ == "__main__":
    command()
