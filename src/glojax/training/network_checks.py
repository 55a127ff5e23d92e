"""Checks of a network by its traced programs, before anything is compiled."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import linen, nnx
from jax.extend.core import Jaxpr, Literal

from glojax.errors import ConfigurationError
from glojax.networks import PureNetwork, network_name
from glojax.training.digest import digest
from glojax.training.named_functions import calling


class CheckedNetwork(NamedTuple):
    """The name of a network, and the shapes of its parameters and of its outputs for one input."""

    name: str
    params: Any
    outputs: jax.ShapeDtypeStruct


def check_network(pure: PureNetwork, data: str) -> CheckedNetwork:
    """Raise ConfigurationError unless the network can be trained on these data, which messages name."""
    network = pure.network
    try:
        hash(network)
    except TypeError as error:
        raise ConfigurationError(
            f"The network cannot be hashed ({error}); give one that is made of constants, or a module of arrays by "
            "`glojax.networks.from_functions`."
        ) from error
    if isinstance(network, nnx.Module) and not isinstance(network, nnx.bridge.ToNNX):
        raise ConfigurationError(
            f"Got a {type(network).__name__} for the network; expected the class, or a function that builds one from "
            "nnx.Rngs."
        )
    if isinstance(network, type) and issubclass(network, linen.Module):
        raise ConfigurationError(f"Got the class {network.__name__}; expected a module of Linen: call the class.")
    return _traced(pure, data)


# The same network is checked for a search, a comparison and each device.
@lru_cache(maxsize=16)
def _traced(pure: PureNetwork, data: str) -> CheckedNetwork:
    name = network_name(pure.network)
    key = jax.eval_shape(lambda: jax.random.key(0))
    with calling(f"{name} cannot be made as network(rngs), with nnx.Rngs. It says"):
        params, rest = jax.eval_shape(pure.init, key)
    leaves = jax.tree.leaves(params)
    if not leaves:
        raise ConfigurationError(f"{name} has no nnx.Param; there is nothing to train.")
    for leaf in leaves:
        if not jnp.issubdtype(leaf.dtype, jnp.floating):
            raise ConfigurationError(
                f"{name} has a parameter of type {leaf.dtype}, which has no gradient; make it part of the state."
            )
    inputs = pure.example_inputs
    with calling(
        f"{name} does not take inputs of shape {pure.input_shape} ({data}), or cannot be called as "
        "network(inputs), in training with dropout_key=key or rngs=nnx.Rngs(key) where it has such a parameter; "
        "choose a network made for them. It says"
    ):
        traces = [jax.make_jaxpr(pure.train_outputs, return_shape=True)(params, rest, inputs, key) for _ in range(2)]
        outputs = jax.eval_shape(pure.outputs, params, rest, inputs)
    (program, (_, new_rest)), (program_again, _) = traces
    if _shapes(rest) != _shapes(new_rest):
        raise ConfigurationError(f"{name} changes the shape or dtype of its state when it is called.")
    with calling(f"{name} is no pure function: it keeps what it computes for another call. It says"):
        same = digest(program) == digest(program_again)
    if not same:
        raise ConfigurationError(
            f"{name} computes something else when it is called again: it is no pure function. Let it depend on its "
            "parameters, its state, its inputs and the key alone."
        )
    variables = program.jaxpr.invars
    if not _reaches_first_output(program.jaxpr, variables[len(leaves) + len(jax.tree.leaves(rest)) : -1]):
        raise ConfigurationError(f"{name} ignores its inputs: its outputs are the same for all of them; correct it.")
    if not _reaches_first_output(program.jaxpr, variables[: len(leaves)]):
        raise ConfigurationError(f"{name} does not use its parameters: nothing can be learned; correct it.")
    return CheckedNetwork(name, params, outputs)


def _shapes(state: Any) -> Any:
    return jax.tree.structure(state), [(leaf.shape, leaf.dtype) for leaf in jax.tree.leaves(state)]


def _reaches_first_output(jaxpr: Jaxpr, sources: Sequence[Any]) -> bool:
    """Return whether the first result is computed from one of these variables."""
    reached = set(sources)
    for equation in jaxpr.eqns:
        if any(not isinstance(atom, Literal) and atom in reached for atom in equation.invars):
            reached.update(equation.outvars)
    output = jaxpr.outvars[0]
    return not isinstance(output, Literal) and output in reached
