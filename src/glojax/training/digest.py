"""Hashes of traced programs and other values, whatever the names in them."""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import ClosedJaxpr, Jaxpr, Literal

from glojax.training.host_code import HostCode, without_address

#: Parameters of primitives that name, place or schedule what is computed, and rules of derivatives and batching, which
#: are in the jaxpr of a training step where they are used.
_IGNORED_PARAMS = {
    *("jvp_jaxpr_fun", "fwd_jaxpr_thunk", "bwd", "rule", "in_tree", "out_tree", "out_trees"),
    *("name", "debug_info", "source_info", "name_stack", "ctx_mesh", "compiler_options_kvs", "inline", "keep_unused"),
    *("donated_invars", "in_shardings", "out_shardings", "in_layouts", "out_layouts", "sharding", "out_sharding"),
}


#: Primitives that compute with a Python function, which is no part of the jaxpr. Those of debugging compute nothing.
_HOST_CALLS = ("pure_callback", "io_callback")


def digest(value: Any) -> str:
    """Return the SHA-256 hash, in hex, of a value made of programs, arrays, containers and plain values."""
    return _Digests().of(value)


class _Digests:
    """Hashes of values, each inner jaxpr hashed once."""

    def __init__(self) -> None:
        self._of_jaxpr = cache(lambda jaxpr: _hashed(self._jaxpr_words(jaxpr)))
        self._host = HostCode(self._words)

    def of(self, value: Any) -> str:
        """Return the hash of a value."""
        return _hashed(self._words(value))

    def _jaxpr_words(self, jaxpr: Jaxpr) -> Iterator[str]:
        numbers: dict[Any, int] = {}

        def bound(variable: Any) -> str:
            numbers[variable] = len(numbers)
            aval = variable.aval
            return f"{getattr(aval, 'dtype', type(aval).__name__)}{getattr(aval, 'shape', '')}"

        def used(atom: Any) -> str:
            return self.of(np.asarray(atom.val)) if isinstance(atom, Literal) else str(numbers[atom])

        yield from map(bound, [*jaxpr.constvars, *jaxpr.invars])
        for equation in jaxpr.eqns:
            yield equation.primitive.name
            yield from map(used, equation.invars)
            for name, value in sorted(equation.params.items()):
                if name == "callback" and equation.primitive.name in _HOST_CALLS:
                    yield from (name, *self._host.words(getattr(value, "callback_func", value)))
                elif name not in _IGNORED_PARAMS:
                    yield from (name, *self._words(value))
            yield from map(bound, equation.outvars)
        yield "return"
        yield from map(used, jaxpr.outvars)

    def _words(self, value: Any) -> Iterator[str]:
        """The words that stand for a value; functions are left out, as jaxprs hold what they compute."""
        if isinstance(value, ClosedJaxpr):
            yield self._of_jaxpr(value.jaxpr)
            yield from self._words(value.consts)
        elif isinstance(value, Jaxpr):
            yield self._of_jaxpr(value)
        elif isinstance(value, jax.Array) and jnp.issubdtype(value.dtype, jax.dtypes.prng_key):
            yield from self._words(jax.random.key_data(value))
        elif isinstance(value, np.ndarray | np.generic | jax.Array):
            array = np.asarray(value)
            yield f"{array.dtype}{array.shape}{hashlib.sha256(array.tobytes()).hexdigest()}"
        elif isinstance(value, dict):
            yield "{"
            for name, part in sorted(value.items(), key=lambda item: str(item[0])):
                yield from (str(name), *self._words(part))
            yield "}"
        elif isinstance(value, tuple | list):
            yield from ("(", *(word for part in value for word in self._words(part)), ")")
        elif isinstance(value, Enum):
            yield value.name
        elif isinstance(value, set | frozenset):
            yield from sorted(map(self.of, value))
        elif is_dataclass(value) and not isinstance(value, type):
            yield from self._words({field.name: getattr(value, field.name) for field in fields(value)})
        elif isinstance(value, type) or not callable(value):
            yield without_address(value)


def _hashed(words: Iterable[str]) -> str:
    return hashlib.sha256(b"".join(word.encode() + b"\0" for word in words)).hexdigest()
