"""Changes to arguments and options before the command line parses them."""

import dataclasses
from collections.abc import Sequence
from typing import Annotated, Any

import tyro

from glojax.search.options import CommonOptions
from glojax.search.recipes import recipe_of
from glojax.training import Optimizer, TrainingConfig

_OPTIMIZER = "--optimizer"


def with_recipe(options_type: type[Any], arguments: Sequence[str]) -> type[Any]:
    """Return the options with the defaults of the arguments' data set, so that `--help` shows them."""
    dataset = _value("--dataset", arguments)
    if dataset is None or not issubclass(options_type, CommonOptions):
        return options_type
    recipe = recipe_of(dataset)
    training_type = Annotated[TrainingConfig, tyro.conf.OmitArgPrefixes]
    changed = [("network", str, recipe.network), ("training", training_type, recipe.training)]
    return dataclasses.make_dataclass(options_type.__name__, changed, bases=(options_type,), frozen=True, kw_only=True)


def with_optimizer_arguments(arguments: Sequence[str]) -> list[str]:
    """Return the arguments with the optimizer's own behind its name.

    Raises:
        ConfigurationError: There is no such optimizer, or it does not take these arguments.

    Example:
        >>> with_optimizer_arguments(["--optimizer", "adam", "--seed", "1", "--optimizer.b1", "0.95"])
        ['--seed', '1', '--optimizer', 'adam', 'b1=0.95']
    """
    others: list[str] = []
    name, words = _value(_OPTIMIZER, arguments), list[str]()
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
    """Return the value of the last occurrence of a flag."""
    found = None
    for argument, following in zip(arguments, [*arguments[1:], None], strict=True):
        if argument == flag:
            found = following
        elif argument.startswith(f"{flag}="):
            found = argument.partition("=")[2]
    return found
