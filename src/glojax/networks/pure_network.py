"""Networks as pure functions of their state, whatever the state is."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
from flax import nnx

from glojax.networks.ops.lowering import ConvolutionLowering, lowered_convolutions

#: Builds a network with fresh parameters from `nnx.Rngs`, given as `rngs` or as the only argument: a subclass of
#: `nnx.Module`, or a function. A class that depends on the data has a class method `for_data(input_shape,
#: num_outputs)`, which returns such a builder. See `PureNetwork` for how the network is called.
NetworkFactory = Callable[..., Any]

#: Layers of Flax, such as `nnx.avg_pool`, rely on it.
_USUAL_PROMOTION = partial(jax.numpy_dtype_promotion, "standard")


@dataclass(frozen=True)
class PureNetwork:
    """The initialization and the two calls of a network, as pure functions.

    The state has two parts: `params`, which gradients change, holds each `nnx.Param`; `rest` holds everything else,
    such as batch statistics and the keys and counts of dropout layers. The network maps inputs [B, *input_shape] to
    outputs [B, num_outputs], or [B, H, W, num_outputs] for a class for each pixel. In training it is called as
    `network(inputs, dropout_key=key)` where it has that parameter, or as `network(inputs, rngs=nnx.Rngs(key))` where it
    has that one, else as `network(inputs)`; in evaluation as `network(inputs)`, which leaves its state as it is. Before
    each, `train()` or `eval()` sets the modes of layers.
    """

    network: NetworkFactory
    input_shape: tuple[int, ...]
    num_outputs: int
    lowering: ConvolutionLowering = "canonical"

    def init(self, key: jax.Array) -> tuple[Any, Any]:
        """Return fresh `params` and `rest`."""
        model = self._build(nnx.Rngs(key))
        return nnx.state(model, nnx.Param), nnx.state(model, nnx.Not(nnx.Param))

    def train_outputs(self, params: Any, rest: Any, inputs: jax.Array, key: jax.Array) -> tuple[jax.Array, Any]:
        """Return outputs in training, and `rest` after the call."""
        model = self._merged(params, rest)
        model.train()
        parameters = inspect.signature(model.__call__).parameters
        with _USUAL_PROMOTION(), lowered_convolutions(self.lowering):
            if "dropout_key" in parameters:
                outputs = model(inputs, dropout_key=key)
            elif "rngs" in parameters:
                outputs = model(inputs, rngs=nnx.Rngs(key))
            else:
                outputs = model(inputs)
        # A call may leave more than there was, such as intermediate values.
        after = dict(nnx.to_flat_state(nnx.state(model, nnx.Not(nnx.Param))))
        return outputs, nnx.from_flat_state([(path, after[path]) for path, _ in nnx.to_flat_state(rest)])

    def outputs(self, params: Any, rest: Any, inputs: jax.Array) -> jax.Array:
        """Return outputs in evaluation."""
        model = self._merged(params, rest)
        model.eval()
        with _USUAL_PROMOTION(), lowered_convolutions(self.lowering):
            outputs: jax.Array = model(inputs)
        return outputs

    def _merged(self, params: Any, rest: Any) -> Any:
        graphdef, _ = nnx.split(nnx.eval_shape(lambda: self._build(nnx.Rngs(0))))
        return nnx.merge(graphdef, params, rest, copy=True)

    def _build(self, rngs: nnx.Rngs) -> Any:
        for_data = getattr(self.network, "for_data", None)
        builder = for_data(self.input_shape, self.num_outputs) if for_data else self.network
        function = builder.func if isinstance(builder, partial) else builder
        # The metaclass hides the parameters of a class.
        function = function.__init__ if inspect.isclass(function) else function
        with _USUAL_PROMOTION():
            return builder(rngs=rngs) if "rngs" in inspect.signature(function).parameters else builder(rngs)
