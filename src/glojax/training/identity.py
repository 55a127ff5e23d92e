"""The identity of a training: a hash of the computation, not of the names of its parts."""

import hashlib
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import fields, is_dataclass, replace
from enum import Enum
from functools import cache, lru_cache, partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import ClosedJaxpr, Jaxpr, Literal

from glojax.expressions import OPERATORS, Domain, LossTree
from glojax.losses import LossProgram
from glojax.losses.operations import OPERATIONS
from glojax.losses.stable import stable
from glojax.training.train import Train

#: Settings of JAX that can change a number. Platform, memory, caches and debugging are left out.
_SETTINGS = (
    *("jax_allow_f16_reductions", "jax_compiler_enable_remat_pass", "jax_default_matmul_precision"),
    *("jax_default_prng_impl", "jax_disable_jit", "jax_disable_most_optimizations", "jax_enable_x64"),
    *("jax_exec_time_optimization_effort", "jax_explicit_x64_dtypes", "jax_high_dynamic_range_gumbel"),
    *("jax_optimization_level", "jax_random_seed_offset", "jax_softmax_custom_jvp"),
    *("jax_threefry_partitionable", "jax_use_direct_linearize"),
)

#: Expressions to which every rule of `glojax.losses.stable` applies.
_EXPRESSIONS = (
    *("log(y) - x / y", "log(1 - y) / (x - y)", "(y - x) / (y - 1)", "log(2 * y^2 * sqrt(1 - y) / x)", "log(exp(y))"),
    *("y^0.7 - (1 - y)^2.5", "1 - y^0.7", "y^0.7 - 1", "log(y^1.5 * max(x, y))", "x^-0.5 * (x + y)^-1.5"),
    "log(abs(x) * y) + 3",
)

#: Flags of XLA that change no number.
_HARMLESS_FLAGS = ("--xla_force_host_platform_device_count", "--xla_dump")

#: Parameters of primitives that name, place or schedule what is computed, and rules of derivatives and batching, which
#: are in the jaxpr of a training step where they are used.
_IGNORED_PARAMS = {
    *("jvp_jaxpr_fun", "fwd_jaxpr_thunk", "bwd", "rule", "in_tree", "out_tree", "out_trees"),
    *("name", "debug_info", "source_info", "name_stack", "ctx_mesh", "compiler_options_kvs", "inline", "keep_unused"),
    *("donated_invars", "in_shardings", "out_shardings", "in_layouts", "out_layouts", "sharding", "out_sharding"),
}


def computation_identity(train: Train) -> str:
    """Return 32 hex digits that say what a training computes, whatever the names of its parts.

    They hash, as jaxprs with the constants in them, the network's initialization, a training step with its batch,
    gradient, loss and optimizer, and the evaluation. Number of steps, splits, learning rate, values of the data,
    devices and how convolutions are lowered are left out. The training is traced, on no device.
    """
    train = replace(train, data={"train": train.data["train"]}, conv_lowering="canonical")
    abstract = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype), train)
    leaves, structure = jax.tree.flatten(abstract)
    traced = _traced(structure, tuple(leaves), tuple(OPERATIONS.items()), tuple(decisive_settings().items()))
    return _hashed([traced, _programs(train.task.domain)])[:32]


@lru_cache(maxsize=32)
def _traced(structure: Any, leaves: tuple[Any, ...], operations: Any, settings: Any) -> str:
    """Return the hash of the jaxprs: a search asks for it more than once, and tracing takes half a second."""
    abstract = jax.tree.unflatten(structure, leaves)
    # Of all operators, so that those of users are covered, and the others are not told apart.
    program = LossProgram.from_tree(LossTree.parse("x * y"), 3, OPERATIONS, domain=abstract.task.domain)
    program = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype), program)
    key = jax.eval_shape(lambda: jax.random.key(0))

    def step(train: Train, state: Any, program: Any, rate: Any, key: Any, number: Any) -> Any:
        batch = train._batch(number, key, train._order(number, key))
        return train._update(state, program, rate, batch)

    rate, number = jax.ShapeDtypeStruct((), jnp.float32), jax.ShapeDtypeStruct((), jnp.int32)
    begin_jaxpr, state = jax.make_jaxpr(Train.begin, return_shape=True)(abstract, key)
    step_jaxpr = jax.make_jaxpr(step)(abstract, state, program, rate, key, number)
    jaxprs = [begin_jaxpr, step_jaxpr, jax.make_jaxpr(partial(Train.score, split="train"))(abstract, state)]
    return _Digests().of(jaxprs)


def _programs(domain: Domain) -> str:
    """Return how trees become programs: by which operators, and by every rule of `glojax.losses.stable`."""
    texts = {name: operator.symbol for name, operator in OPERATORS.items()}
    return repr([texts, *(stable(LossTree.parse(text), domain) for text in _EXPRESSIONS)])


def decisive_settings() -> dict[str, str]:
    """Return the settings of JAX that can change a number, by name."""
    flags = [flag for flag in os.environ.get("XLA_FLAGS", "").split() if not flag.startswith(_HARMLESS_FLAGS)]
    values = jax.config.values
    settings = {name: str(getattr(jax.config, name, values.get(name))) for name in _SETTINGS}
    return settings | {"XLA_FLAGS": " ".join(sorted(flags))}


class _Digests:
    """Hashes of values, each inner jaxpr hashed once."""

    def __init__(self) -> None:
        self._of_jaxpr = cache(lambda jaxpr: _hashed(self._jaxpr_words(jaxpr)))

    def of(self, value: Any) -> str:
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
                if name not in _IGNORED_PARAMS:
                    yield from (name, *self._words(value))
            yield from map(bound, equation.outvars)
        yield "return"
        yield from map(used, jaxpr.outvars)

    def _words(self, value: Any) -> Iterator[str]:
        """The words that stand for a value; functions are left out."""
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
            yield re.sub(r" at 0x[0-9a-f]+", "", repr(value))


def _hashed(words: Iterable[str]) -> str:
    return hashlib.sha256(b"".join(word.encode() + b"\0" for word in words)).hexdigest()
