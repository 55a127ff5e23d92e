"""Metrics: how well a network does on each image, averaged exactly over a split."""

from collections.abc import Callable
from typing import Annotated

import jax
import jax.numpy as jnp
from jax import lax
from tyro.constructors import PrimitiveConstructorSpec

from glojax.errors import ConfigurationError, nearest
from glojax.training.named_functions import import_function

#: Maps logits [B, C] float32 and labels [B] integers to scores [B] float32, from 0, the worst, upwards.
Metric = Callable[[jax.Array, jax.Array], jax.Array]

#: Images that are evaluated at once.
EVALUATION_BATCH_SIZE = 200


def accuracy(logits: jax.Array, labels: jax.Array) -> jax.Array:
    """Return 1 for each image whose largest logit is at its label, else 0."""
    return (jnp.argmax(logits, axis=-1) == labels).astype(jnp.float32)


def true_class_prob(logits: jax.Array, labels: jax.Array) -> jax.Array:
    """Return the probability of each image's own class, the softmax of its logits at its label."""
    return jnp.take_along_axis(jax.nn.softmax(logits), labels[:, None], axis=-1)[:, 0]


#: The metrics that have names.
METRICS: dict[str, Metric] = {"accuracy": accuracy, "true_class_prob": true_class_prob}


def find_metric(metric: str | Metric) -> Metric:
    """Return the metric itself, or that of a name in `METRICS` or of an import path."""
    if not isinstance(metric, str):
        return metric
    if ":" in metric:
        return import_function(metric)
    if metric not in METRICS:
        raise ConfigurationError(
            f"metric is {metric!r}.{nearest(metric, METRICS)} Expected one of {', '.join(METRICS)}, an import path "
            "such as package.module:function, or a function."
        )
    return METRICS[metric]


#: A metric as a field of a dataclass that tyro makes a command line from.
MetricField = Annotated[
    str | Metric,
    PrimitiveConstructorSpec(
        nargs=1,
        metavar=f"{{{','.join(METRICS)}}}",
        instance_from_str=lambda words: words[0],
        is_instance=lambda value: isinstance(value, str) or callable(value),
        str_from_instance=lambda value: [value if isinstance(value, str) else value.__qualname__],
    ),
]


def mean_score(
    metric: Metric, logits_fn: Callable[[jax.Array], jax.Array], images: jax.Array, labels: jax.Array
) -> jax.Array:
    """Return the mean [] float32 of a metric over images [N, ...] and labels [N], evaluated in batches.

    The last batch is filled up with images that do not count. The sum carries its rounding errors along, so that counts
    are exact for any number of images. An image counts 0 where its logits hold a NaN or its score is not finite.
    """
    num_images = images.shape[0]
    batch_size = min(EVALUATION_BATCH_SIZE, num_images)

    def add_batch(index: jax.Array, total: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        rows = index * batch_size + jnp.arange(batch_size)
        counts = rows < num_images
        rows = jnp.minimum(rows, num_images - 1)
        logits = logits_fn(images[rows]).astype(jnp.float32)
        scores = metric(logits, labels[rows])
        counts &= jnp.isfinite(scores) & ~jnp.isnan(logits).any(axis=-1)
        return _add_exactly(total, jnp.sum(jnp.where(counts, scores, 0)))

    zero = jnp.zeros((), jnp.float32)
    total, error = lax.fori_loop(0, -(-num_images // batch_size), add_batch, (zero, zero))
    mean: jax.Array = (total + error) / num_images
    return mean


def probabilities(logits_fn: Callable[[jax.Array], jax.Array], images: jax.Array) -> jax.Array:
    """Return the softmax [N, C] float32 of the logits of images [N, ...], computed in batches."""
    num_images = images.shape[0]
    batch_size = min(EVALUATION_BATCH_SIZE, num_images)
    rows = jnp.arange(-(-num_images // batch_size) * batch_size).reshape(-1, batch_size)
    probs = lax.map(lambda batch: jax.nn.softmax(logits_fn(images[batch])), jnp.minimum(rows, num_images - 1))
    whole: jax.Array = probs.reshape(-1, probs.shape[-1])[:num_images]
    return whole


def _add_exactly(total: tuple[jax.Array, jax.Array], term: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Add a term to a sum and its rounding error; Knuth's two-sum."""
    high, low = total
    new = high + term
    part = new - high
    return new, low + ((high - (new - part)) + (term - part))
