"""The networks that trainings leave."""

from dataclasses import dataclass, field
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from glojax.errors import ConfigurationError
from glojax.networks import PureNetwork
from glojax.tasks import Task
from glojax.training.augmentation import Augmentation, evaluation_inputs
from glojax.training.metrics import outputs_of

_STATIC: Any = {"static": True}


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False)
class TrainedNetworks:
    """P trained networks: a pytree, whose arrays have a leading axis [P].

    A network whose training failed is what it was in the end.

    Attributes:
        params: What gradients have changed.
        state: The networks' other state, such as batch statistics.
        pure_network: The calls of the network.
        augmentation: That of the training; in evaluation without random changes.
        task: What the networks have learned.
    """

    params: Any
    state: Any
    pure_network: PureNetwork = field(metadata=_STATIC)
    augmentation: Augmentation = field(metadata=_STATIC)
    task: Task = field(metadata=_STATIC)

    def __len__(self) -> int:
        size: int = jax.tree.leaves(self.params)[0].shape[0]
        return size

    def predict(self, inputs: Any) -> jax.Array:
        """Return the predictions [P, N, ...] float32 for inputs [N, ...], in evaluation.

        They are probabilities of classes [P, N, C], of pixels' classes [P, N, H, W, C] or of labels [P, N, C], or
        numbers [P, N, K]. Inputs are as the data set of the training has them.

        Raises:
            ConfigurationError: The inputs have another shape or structure.
        """
        with jax.transfer_guard("allow"):
            try:
                inputs = jax.tree.map(_on_device, self.pure_network.input_dtype, inputs)
            except (KeyError, ValueError) as error:
                raise ConfigurationError(
                    f"Inputs are of another structure than {self.pure_network.input_shape}; give one array for each "
                    "shape."
                ) from error
            predictions: jax.Array = _predictions(self, inputs)
        return predictions

    def network(self, index: int) -> Any:
        """Return one of the networks as its framework has it.

        That is an NNX module, set to evaluation; the variables that a Linen module is applied with; or the pair
        `(params, state)` for functions.

        Raises:
            ConfigurationError: There is no such index.
        """
        if not -len(self) <= index < len(self):
            raise ConfigurationError(f"There is no network {index}; expected an index from 0 to {len(self) - 1}.")
        return self.pure_network.assembled(*jax.tree.map(lambda array: array[index], (self.params, self.state)))


def _on_device(dtype: np.dtype[Any], inputs: Any) -> jax.Array:
    array = inputs if isinstance(inputs, jax.Array) else np.asarray(inputs)
    # Bytes stand for numbers in [0, 1] wherever the network takes floats.
    is_byte = array.dtype == np.uint8 and dtype == np.float32
    return jnp.asarray(array, np.uint8 if is_byte else dtype)


@jax.jit
def _predictions(networks: TrainedNetworks, inputs: Any) -> jax.Array:
    pure, prepare = networks.pure_network, partial(evaluation_inputs, networks.augmentation)
    ranks = jax.tree.map(lambda leaf, shape: leaf.ndim == 1 + len(shape), inputs, pure.input_shape)
    seen = jax.eval_shape(prepare, inputs) if all(jax.tree.leaves(ranks)) else inputs
    N = jax.tree.leaves(seen)[0].shape[:1]
    fits = jax.tree.map(lambda leaf, shape: leaf.shape == (*N, *shape), seen, pure.input_shape)
    if not (all(jax.tree.leaves(fits)) and any(N)):
        found = jax.tree.map(lambda leaf: str(leaf.shape), seen)
        expected = jax.tree.map(lambda _, shape: f"(N, {', '.join(map(str, shape))})", seen, pure.input_shape)
        raise ConfigurationError(f"Inputs are of shape {found}; expected {expected}.")

    def predict(network: tuple[Any, Any]) -> jax.Array:
        return networks.task.predictions(outputs_of(lambda batch: pure.outputs(*network, prepare(batch)), inputs))

    predictions: jax.Array = lax.map(predict, (networks.params, networks.state))
    return predictions
