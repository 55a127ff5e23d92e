"""Functions of users: found by an import path such as "package.module:function", checked, and called."""

import importlib.util
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from operator import attrgetter
from pathlib import Path
from types import ModuleType
from typing import Any

from glojax.errors import ConfigurationError, in_one_line
from glojax.files import expanded

#: What was found by its path. An object, such as a metric, does not know where it is from.
_IMPORTED: dict[str, Any] = {}


def import_object(path: str) -> Any:
    """Return the object of an import path: "package.module:name", or "file.py:name"."""
    module, _, name = path.rpartition(":")
    try:
        if not module:
            raise ValueError("it names no function")
        found = attrgetter(name)(_import_file(module) if module.endswith(".py") else importlib.import_module(module))
        _IMPORTED[absolute_import_path(path)] = found
        return found
    except Exception as error:
        raise ConfigurationError(
            f"Cannot import {path!r}: {in_one_line(error)}; expected 'package.module:function' or 'file.py:function'."
        ) from error


def import_function(path: str) -> Callable[..., Any]:
    """Return the function of an import path."""
    function = import_object(path)
    if not callable(function):
        raise ConfigurationError(f"{path!r} is {function!r}; expected a function.")
    return function  # type: ignore[no-any-return]


def absolute_import_path(path: str) -> str:
    """Return the import path with the whole path of its file, if it names one."""
    module, _, name = path.rpartition(":")
    return f"{expanded(Path(module)).absolute()}:{name}" if module.endswith(".py") else path


def _import_file(file: str) -> ModuleType:
    """Import a Python file, once; as a module it has its whole path for a name, by which it is found again."""
    name = str(expanded(Path(file)).absolute())
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, name)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        try:
            spec.loader.exec_module(module)
        except BaseException:
            del sys.modules[name]
            raise
    return sys.modules[name]


def import_path(function: object) -> str:
    """Return the path under which `import_function` finds this very function, or has found it; a lambda has none."""
    path = f"{getattr(function, '__module__', None)}:{getattr(function, '__qualname__', None)}"
    with suppress(ConfigurationError):
        if import_function(path) is function:
            return path
    for known, value in _IMPORTED.items():
        if value is function:
            return known
    raise ConfigurationError(
        f"{function!r} cannot be written down: it has no import path; give a function of a module, or the path of "
        "what a module holds, as a text."
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
