"""Plain SGD, with weight decay and a falling learning rate where they are asked for."""

from typing import Any

import jax
import optax
from flax import nnx

from glojax.networks import DecayedParam
from glojax.training.config import TrainingConfig

#: What the learning rate is multiplied by whenever it falls.
LEARNING_RATE_DECAY = 0.1


def make_optimizer(
    config: TrainingConfig, learning_rate: jax.Array | float, steps_per_epoch: int
) -> optax.GradientTransformation:
    """The optimizer of a training that starts at this learning rate, which may be traced."""
    if config.decay_every_epochs is None:
        sgd = optax.sgd(learning_rate)
    else:
        # What happens after the last step need not be counted.
        interval = min(config.decay_every_epochs * steps_per_epoch, config.num_steps)
        sgd = optax.sgd(optax.exponential_decay(learning_rate, interval, LEARNING_RATE_DECAY, staircase=True))
    if config.weight_decay == 0:
        return sgd
    return optax.chain(optax.add_decayed_weights(config.weight_decay, mask=decayed), sgd)


def decayed(params: Any) -> Any:
    """For each parameter of a network, whether weight decay acts on it."""
    return jax.tree.map(
        lambda parameter: isinstance(parameter, DecayedParam),
        params,
        is_leaf=lambda node: isinstance(node, nnx.Variable),
    )
