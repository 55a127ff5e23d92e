"""What a Python function computes, as words to be hashed: its code, and all that it holds and calls in its module.

A jaxpr has the operations of JAX, but of a call of the host (`jax.pure_callback`) the function alone.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import partial
from types import CellType, CodeType, FunctionType, MethodType, ModuleType, NoneType
from typing import Any

import jax
import numpy as np

Words = Iterator[str]

#: Values without parts that could be functions.
_PLAIN = (str, bytes, int, float, complex, NoneType, Enum, np.ndarray, np.generic, jax.Array, np.random.Generator)


class HostCode:
    """The words that stand for functions of the host.

    What a function refers to by a global name counts where it is of the function's own module, or plain data; what is
    of other modules counts by its name.

    Args:
        plain: Returns the words that stand for a value without functions.
    """

    def __init__(self, plain: Callable[[Any], Words]):
        self._plain = plain
        self._seen: dict[int, tuple[int, Any]] = {}  # by address, with the object, so that no other one gets it

    def words(self, value: Any, module: str | None = None) -> Words:
        """Return the words of a function, or of what a function of this module holds."""
        if isinstance(value, _PLAIN):
            yield from self._plain(value)
            return
        if id(value) in self._seen:
            yield f"again {self._seen[id(value)][0]}"
            return
        self._seen[id(value)] = len(self._seen), value
        yield type(value).__qualname__
        match value:
            case FunctionType():
                yield from self._function(value)
            case MethodType():
                yield from self._parts([value.__func__, value.__self__], value.__func__.__module__)
            case partial():
                yield from self._parts([value.func, value.args, value.keywords], module)
            case dict():
                yield from self._parts([part for item in value.items() for part in item], module)
            case list() | tuple():
                yield from self._parts(value, module)
            case type():
                yield from self._class(value, module)
            case _:
                yield from self._object(value, module or type(value).__module__)

    def _parts(self, parts: Any, module: str | None) -> Words:
        for part in parts:
            yield "("
            yield from self.words(part, module)
            yield ")"

    def _function(self, function: FunctionType) -> Words:
        module, code = function.__module__, function.__code__
        yield from self._code(code)
        cells = [cell.cell_contents for cell in function.__closure__ or () if cell != CellType()]
        held = [cells, function.__defaults__, function.__kwdefaults__, vars(function)]
        yield from self._parts(held, module)
        for name in dict.fromkeys(_names(code)):
            if name in function.__globals__:
                value = function.__globals__[name]
                source = getattr(getattr(value, "__wrapped__", value), "__module__", module)
                if source == module or isinstance(value, _PLAIN):
                    yield from (name, *self.words(value, module))
                elif not isinstance(value, ModuleType):
                    yield from (name, f"{source}.{getattr(value, '__qualname__', '')}")

    def _code(self, code: CodeType) -> Words:
        yield from (code.co_code.hex(), *code.co_names)
        for constant in code.co_consts:
            yield from self._code(constant) if isinstance(constant, CodeType) else self._plain(constant)

    def _class(self, kind: type, module: str | None) -> Words:
        yield f"{kind.__module__}.{kind.__qualname__}"
        for each in kind.__mro__:
            if each.__module__ == module:
                for name, member in vars(each).items():
                    own = getattr(member, "__func__", getattr(member, "fget", member))
                    if isinstance(own, FunctionType) or not name.startswith("__"):
                        yield from (name, *self.words(own, module))

    def _object(self, value: Any, module: str) -> Words:
        if hasattr(value, "__wrapped__"):  # by jax.jit, for example
            yield from self.words(value.__wrapped__, module)
        if is_dataclass(value):
            yield from self.words(type(value), module)
            yield from self._parts([getattr(value, field.name) for field in fields(value)], module)
        elif type(value).__module__ == module:
            yield from self.words(type(value), module)
            yield from self.words(getattr(value, "__dict__", {}), module)
        elif callable(value):
            yield without_address(value)
            yield from self.words(getattr(value, "__dict__", {}), module)
        else:
            yield from self._plain(value)


def without_address(value: Any) -> str:
    """Return the `repr` of a value, the same in every process."""
    return re.sub(r" at 0x[0-9a-fA-F]+", "", repr(value))


def _names(code: CodeType) -> list[str]:
    """Return the names of globals and attributes in a function's code and in that of the functions inside."""
    inner = [constant for constant in code.co_consts if isinstance(constant, CodeType)]
    return [*code.co_names, *(name for each in inner for name in _names(each))]
