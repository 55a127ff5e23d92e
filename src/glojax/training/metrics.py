"""Exact accuracy, and probabilities, over a whole split."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import lax

#: Images that are classified at once in an evaluation.
EVALUATION_BATCH_SIZE = 200


def accuracy(logits_fn: Callable[[jax.Array], jax.Array], images: jax.Array, labels: jax.Array) -> jax.Array:
    """Share of images whose largest logit is at their label.

    Works through the images in batches; the last one is filled up with images that do not count.

    Args:
        logits_fn: Maps images [B, ...] to logits [B, C].
        images: [N, ...], N at least 1.
        labels: [N] integers.

    Returns:
        [] float32 in [0, 1]. An image whose logits hold a NaN counts as wrong.
    """
    num_images = images.shape[0]
    batch_size = min(EVALUATION_BATCH_SIZE, num_images)
    num_batches = -(-num_images // batch_size)

    def add_batch(index: jax.Array, num_correct: jax.Array) -> jax.Array:
        places = index * batch_size + jnp.arange(batch_size)
        counts = places < num_images
        places = jnp.minimum(places, num_images - 1)
        logits = logits_fn(images[places])
        correct = (jnp.argmax(logits, axis=-1) == labels[places]) & ~jnp.isnan(logits).any(axis=-1)
        return num_correct + jnp.sum(correct & counts)

    num_correct: jax.Array = lax.fori_loop(0, num_batches, add_batch, jnp.asarray(0, jnp.int32))
    return num_correct.astype(jnp.float32) / num_images


def probabilities(logits_fn: Callable[[jax.Array], jax.Array], images: jax.Array) -> jax.Array:
    """Softmax of the logits of each image, worked out in batches.

    Args:
        logits_fn: Maps images [B, ...] to logits [B, C].
        images: [N, ...], N at least 1.

    Returns:
        [N, C] float32, in the images' order.
    """
    num_images = images.shape[0]
    batch_size = min(EVALUATION_BATCH_SIZE, num_images)
    places = jnp.arange(-(-num_images // batch_size) * batch_size).reshape(-1, batch_size)
    probs = lax.map(lambda batch: jax.nn.softmax(logits_fn(images[batch])), jnp.minimum(places, num_images - 1))
    whole: jax.Array = probs.reshape(-1, probs.shape[-1])[:num_images]
    return whole
