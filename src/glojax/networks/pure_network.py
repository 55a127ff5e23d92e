"""Networks as pure functions of their state, whatever framework they are written in."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from typing import Any

import jax
import numpy as np
from flax import linen, nnx

from glojax.errors import ConfigurationError
from glojax.networks.functions import NetworkFunctions, SelectedOutput, linen_functions
from glojax.networks.nnx_functions import builder, nnx_functions
from glojax.networks.ops.fast_operations import fast_operations
from glojax.networks.ops.lowering import ConvolutionLowering, Precision, lowered_convolutions
from glojax.networks.ops.rewriting import rewritten

#: Makes networks with fresh parameters. For NNX, a function that builds the module from `nnx.Rngs`, given as `rngs` or
#: as the only argument, such as its class; one that depends on the data has a class method `for_data(input_shape,
#: num_outputs)`, which returns such a function. For Linen, the module. For all others, see `from_functions`.
NetworkFactory = Callable[..., Any] | linen.Module | nnx.bridge.ToNNX | NetworkFunctions | SelectedOutput

#: Layers of Flax, such as `nnx.avg_pool`, rely on it.
_USUAL_PROMOTION = partial(jax.numpy_dtype_promotion, "standard")


def network_name(network: Any) -> str:
    """Return what messages call a network."""
    if isinstance(network, SelectedOutput):
        return network_name(network.network)
    if isinstance(network, NetworkFunctions):
        return f"from_functions({network_name(network.init)}, {network_name(network.apply)})"
    if isinstance(network, partial):
        return network_name(network.func)
    is_module = isinstance(network, linen.Module | nnx.Module)
    return str(getattr(network, "__name__", type(network).__name__ if is_module else repr(network)))


@dataclass(frozen=True)
class PureNetwork:
    """The initialization and the two calls of a network, as pure functions.

    The state has two parts: `params`, which gradients change, and `rest`, which holds everything else, such as batch
    statistics. The network maps inputs [B, *input_shape], or a pytree of them where shape and dtype are pytrees, to
    outputs [B, num_outputs], or [B, H, W, num_outputs] for a class for each pixel. Its convolutions and pooling are
    computed in forms that are fast inside a training loop, whatever layers they come from.
    """

    network: NetworkFactory
    input_shape: Any = field(hash=False)
    num_outputs: int
    lowering: ConvolutionLowering = "canonical"
    precision: Precision | None = None
    input_dtype: Any = field(default=np.dtype(np.float32), hash=False)

    @property
    def example_inputs(self) -> Any:
        """Inputs [1, *input_shape] of zeros."""
        return jax.tree.map(lambda dtype, shape: np.zeros((1, *shape), dtype), self.input_dtype, self.input_shape)

    def init(self, key: jax.Array) -> tuple[Any, Any]:
        """Return fresh `params` and `rest`."""
        with _USUAL_PROMOTION():
            return _pair("init", self._functions.init(key, self.example_inputs))

    def train_outputs(self, params: Any, rest: Any, inputs: Any, key: jax.Array) -> tuple[jax.Array, Any]:
        """Return outputs in training, and `rest` after the call."""
        outputs, state = self._call(True, params, rest, inputs, key)
        return outputs, state

    def outputs(self, params: Any, rest: Any, inputs: Any) -> jax.Array:
        """Return outputs in evaluation."""
        outputs, _ = self._call(False, params, rest, inputs, None)
        return outputs

    def assembled(self, params: Any, rest: Any) -> Any:
        """Return a network as its framework has it: the NNX module, Linen's variables, else `(params, rest)`."""
        with _USUAL_PROMOTION():
            return self._functions.assemble(params, rest)

    def _call(self, train: bool, params: Any, rest: Any, inputs: Any, key: jax.Array | None) -> tuple[jax.Array, Any]:
        functions = self._functions

        def apply(params: Any, rest: Any, inputs: Any, key: jax.Array | None) -> tuple[jax.Array, Any]:
            outputs, state = _pair("apply", functions.apply(params, rest, inputs, train=train, key=key))
            if not isinstance(outputs, jax.Array):
                raise ConfigurationError(
                    f"The network gives a {type(outputs).__name__}; expected one array: take it out by "
                    "glojax.networks.with_output(network, lambda outputs: outputs[0]), or the like."
                )
            return outputs, state

        with _USUAL_PROMOTION(), lowered_convolutions(self.lowering, self.precision):
            pair: tuple[jax.Array, Any] = rewritten(apply, fast_operations(self.lowering))(params, rest, inputs, key)
            return pair

    @property
    def _functions(self) -> NetworkFunctions:
        return _functions(self)


@lru_cache(maxsize=32)
def _functions(pure: PureNetwork) -> NetworkFunctions:
    network: Any = pure.network
    if isinstance(network, NetworkFunctions):
        return network
    if isinstance(network, SelectedOutput):
        return network.functions(_functions(replace(pure, network=network.network)))
    if isinstance(network, nnx.bridge.ToNNX):
        network = network.to_nnx__module
    if isinstance(network, linen.Module):
        return linen_functions(network)
    return nnx_functions(builder(network, pure.input_shape, pure.num_outputs))


def _pair(function: str, result: Any) -> tuple[Any, Any]:
    """Return the result of a network's function; raise ConfigurationError unless it is a pair."""
    if not isinstance(result, tuple) or len(result) != 2:
        first = "params" if function == "init" else "outputs"
        kind = "single array" if isinstance(result, jax.Array) else type(result).__name__
        raise ConfigurationError(
            f"{function} of the network gives a {kind}; expected a pair ({first}, state), where state "
            "is {} if there is none."
        )
    return result
