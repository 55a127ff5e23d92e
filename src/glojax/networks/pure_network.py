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
#: `nnx.Module`, or a function. A class that depends on the data has a class method `for_images(image_shape,
#: num_classes)`, which returns such a builder. See `PureNetwork` for how the network is called.
NetworkFactory = Callable[..., Any]

#: Layers of Flax, such as `nnx.avg_pool`, rely on it.
_USUAL_PROMOTION = partial(jax.numpy_dtype_promotion, "standard")


@dataclass(frozen=True)
class PureNetwork:
    """The initialization and the two calls of a network, as pure functions.

    The state has two parts: `params`, which gradients change, holds each `nnx.Param`; `rest` holds everything else,
    such as batch statistics and the keys and counts of dropout layers. The network maps images [B, H, W, channels] to
    logits [B, num_classes]. In training it is called as `network(images, dropout_key=key)` where it has that parameter,
    or as `network(images, rngs=nnx.Rngs(key))` where it has that one, else as `network(images)`; in evaluation
    as `network(images)`, which leaves its state as it is. Before each, `train()` or `eval()` sets the modes of layers.
    """

    network: NetworkFactory
    image_shape: tuple[int, int, int]
    num_classes: int
    lowering: ConvolutionLowering = "canonical"

    def init(self, key: jax.Array) -> tuple[Any, Any]:
        """Return fresh `params` and `rest`."""
        model = self._build(nnx.Rngs(key))
        return nnx.state(model, nnx.Param), nnx.state(model, nnx.Not(nnx.Param))

    def train_logits(self, params: Any, rest: Any, images: jax.Array, key: jax.Array) -> tuple[jax.Array, Any]:
        """Return logits in training, and `rest` after the call."""
        model = self._merged(params, rest)
        model.train()
        parameters = inspect.signature(model.__call__).parameters
        with _USUAL_PROMOTION(), lowered_convolutions(self.lowering):
            if "dropout_key" in parameters:
                logits = model(images, dropout_key=key)
            elif "rngs" in parameters:
                logits = model(images, rngs=nnx.Rngs(key))
            else:
                logits = model(images)
        # A call may leave more than there was, such as intermediate values.
        after = dict(nnx.to_flat_state(nnx.state(model, nnx.Not(nnx.Param))))
        return logits, nnx.from_flat_state([(path, after[path]) for path, _ in nnx.to_flat_state(rest)])

    def logits(self, params: Any, rest: Any, images: jax.Array) -> jax.Array:
        """Return logits in evaluation."""
        model = self._merged(params, rest)
        model.eval()
        with _USUAL_PROMOTION(), lowered_convolutions(self.lowering):
            logits: jax.Array = model(images)
        return logits

    def _merged(self, params: Any, rest: Any) -> Any:
        graphdef, _ = nnx.split(nnx.eval_shape(lambda: self._build(nnx.Rngs(0))))
        return nnx.merge(graphdef, params, rest, copy=True)

    def _build(self, rngs: nnx.Rngs) -> Any:
        for_images = getattr(self.network, "for_images", None)
        builder = for_images(self.image_shape, self.num_classes) if for_images else self.network
        function = builder.func if isinstance(builder, partial) else builder
        # The metaclass hides the parameters of a class.
        function = function.__init__ if inspect.isclass(function) else function
        with _USUAL_PROMOTION():
            return builder(rngs=rngs) if "rngs" in inspect.signature(function).parameters else builder(rngs)
