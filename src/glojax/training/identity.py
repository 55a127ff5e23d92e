"""The identity of a training: a hash of the computation, not of the names of its parts."""

import os
from dataclasses import replace
from functools import lru_cache, partial
from typing import Any

import jax
import jax.numpy as jnp

from glojax.expressions import OPERATORS, Domain, LossTree
from glojax.losses import LossProgram
from glojax.losses.operations import OPERATIONS
from glojax.losses.stable import stable
from glojax.training.digest import digest
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


def computation_identity(train: Train) -> str:
    """Return 32 hex digits that say what a training computes, whatever the names of its parts.

    They hash, as jaxprs with the constants in them, the network's initialization, a training step with its batch,
    gradient, loss and optimizer, and the evaluation. Number of steps, splits, learning rate, evaluations on the way,
    values of the data, devices and how convolutions are lowered are left out. The training is traced, on no device.
    """
    config = replace(train.config, evaluate_every=None, patience=None)
    train = replace(train, data={"train": train.data["train"]}, config=config, conv_lowering="canonical")
    abstract = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype), train)
    leaves, structure = jax.tree.flatten(abstract)
    traced = _traced(structure, tuple(leaves), tuple(OPERATIONS.items()), tuple(decisive_settings().items()))
    return digest([traced, identity_of_programs(train.task.domain)])[:32]


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
    return digest(jaxprs)


def identity_of_programs(domain: Domain) -> str:
    """Return how trees become programs: by which operators, and by every rule of `glojax.losses.stable`."""
    texts = {name: operator.symbol for name, operator in OPERATORS.items()}
    return repr([texts, *(stable(LossTree.parse(text), domain) for text in _EXPRESSIONS)])


def decisive_settings() -> dict[str, str]:
    """Return the settings of JAX that can change a number, by name."""
    flags = [flag for flag in os.environ.get("XLA_FLAGS", "").split() if not flag.startswith(_HARMLESS_FLAGS)]
    values = jax.config.values
    settings = {name: str(getattr(jax.config, name, values.get(name))) for name in _SETTINGS}
    return settings | {"XLA_FLAGS": " ".join(sorted(flags))}
