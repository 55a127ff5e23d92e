"""The optimizer of a step, and its learning rate."""

import jax
import optax

from glojax.training.checks import decayed
from glojax.training.config import TrainingConfig

#: The factor that the learning rate is multiplied by whenever it decays.
LEARNING_RATE_DECAY = 0.1


def gradient_transformation(config: TrainingConfig, learning_rate: jax.Array | float) -> optax.GradientTransformation:
    """Return the optimizer at this learning rate, after weight decay where there is any."""
    assert callable(config.optimizer)
    optimizer = config.optimizer(learning_rate)
    if config.weight_decay == 0:
        return optimizer
    return optax.chain(optax.add_decayed_weights(config.weight_decay, mask=decayed), optimizer)


def learning_rate_at(
    config: TrainingConfig, learning_rate: jax.Array, num_steps: jax.Array, steps_per_epoch: int
) -> jax.Array:
    """Return the learning rate [] float32 after so many steps of a training that starts at `learning_rate`."""
    if config.decay_every_epochs is None:
        return learning_rate
    # What happens after the last step need not be counted.
    interval = min(config.decay_every_epochs * steps_per_epoch, config.num_steps)
    rate: jax.Array = optax.exponential_decay(learning_rate, interval, LEARNING_RATE_DECAY, staircase=True)(num_steps)
    return rate
