"""Functions of users: found by an import path such as "package.module:function", checked, and called."""

import importlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from operator import attrgetter
from typing import Any

from glojax.errors import ConfigurationError


def import_function(path: str) -> Callable[..., Any]:
    """Return the function of an import path."""
    module, _, name = path.partition(":")
    try:
        if not name:
            raise ValueError("it names no function")
        function = attrgetter(name)(importlib.import_module(module))
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigurationError(f"Cannot import {path!r}: {error}; expected 'package.module:function'.") from error
    if not callable(function):
        raise ConfigurationError(f"{path!r} is {function!r}; expected a function.")
    return function  # type: ignore[no-any-return]


def import_path(function: object) -> str:
    """Return the path under which `import_function` finds this very function; a lambda has none."""
    path = f"{getattr(function, '__module__', None)}:{getattr(function, '__qualname__', None)}"
    with suppress(ConfigurationError):
        if import_function(path) is function:
            return path
    raise ConfigurationError(
        f"{function!r} cannot be written down: it has no import path; give a function of a module."
    )


def require_function(name: str, value: object) -> None:
    """Raise ConfigurationError unless the value can be called and hashed."""
    try:
        hash(value)
    except TypeError as error:
        raise ConfigurationError(f"{name} is {value!r}; expected a function that is hashable.") from error
    if not callable(value):
        raise ConfigurationError(f"{name} is {value!r}; expected a name or a function.")


@contextmanager
def calling(problem: str, advice: str = "") -> Iterator[None]:
    """Turn any error of a user's code into a ConfigurationError with the first line of its message."""
    try:
        yield
    except ConfigurationError:
        raise
    except Exception as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise ConfigurationError(f"{problem}: {reason}{advice}") from error
