"""The metric of a training, and the outputs that it is measured on."""

from collections.abc import Callable
from typing import Annotated, Any

import jax
import jax.numpy as jnp
from jax import lax
from tyro.constructors import PrimitiveConstructorSpec

from glojax.errors import ConfigurationError, nearest
from glojax.tasks import METRICS, Metric, MetricFunction
from glojax.training.named_functions import import_function

#: Examples that are evaluated at once.
EVALUATION_BATCH_SIZE = 200


def find_metric(metric: str | MetricFunction) -> Metric:
    """Return the metric of a name in `METRICS`, of an import path, or of a function, whose higher scores are better."""
    if isinstance(metric, str) and ":" not in metric:
        if metric not in METRICS:
            raise ConfigurationError(
                f"metric is {metric!r}.{nearest(metric, METRICS)} Expected one of {', '.join(METRICS)}, an import path "
                "such as package.module:function, or a function."
            )
        return METRICS[metric]
    function = import_function(metric) if isinstance(metric, str) else metric
    return function if isinstance(function, Metric) else Metric(function)


#: A metric as a field of a dataclass that tyro makes a command line from.
MetricField = Annotated[
    str | MetricFunction | None,
    PrimitiveConstructorSpec(
        nargs=1,
        metavar=f"{{{','.join(METRICS)}}}",
        instance_from_str=lambda words: words[0],
        is_instance=lambda value: value is None or isinstance(value, str) or callable(value),
        str_from_instance=lambda value: ["that of the task" if value is None else metric_name(value)],
    ),
]


def metric_name(metric: str | MetricFunction) -> str:
    """Return a metric's name, for people."""
    if isinstance(metric, str):
        return metric
    function = metric.function if isinstance(metric, Metric) else metric
    return getattr(function, "__qualname__", repr(function))


def outputs_of(outputs_fn: Callable[[Any], jax.Array], inputs: Any) -> jax.Array:
    """Return the outputs [N, ...] float32 for inputs [N, ...], computed in batches."""
    num_examples = jax.tree.leaves(inputs)[0].shape[0]
    batch_size = min(EVALUATION_BATCH_SIZE, num_examples)
    rows = jnp.arange(-(-num_examples // batch_size) * batch_size).reshape(-1, batch_size)

    def batch_outputs(batch: jax.Array) -> jax.Array:
        return outputs_fn(jax.tree.map(lambda leaf: leaf[batch], inputs)).astype(jnp.float32)

    batches = lax.map(batch_outputs, jnp.minimum(rows, num_examples - 1))
    whole: jax.Array = batches.reshape(-1, *batches.shape[2:])[:num_examples]
    return whole
