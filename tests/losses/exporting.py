"""Exported source, executed; and values and gradients of what it defines."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import pytest
from numpy.typing import NDArray

from glojax.losses import Loss

Dual = tuple[NDArray[Any], NDArray[Any]]


def exported(loss: Loss, target: Any) -> Callable[..., Any]:
    """Execute the source that a loss is exported to."""
    pytest.importorskip({"python": "numpy"}.get(target, target))
    names: dict[str, Any] = {}
    exec(compile(loss.to_python(target), f"<{target}>", "exec"), names)
    return names["loss"]  # type: ignore[no-any-return]


@partial(jax.jit, static_argnums=0)
def dual_in_jax(loss: Callable[..., jax.Array], logits: jax.Array, labels: jax.Array) -> tuple[jax.Array, jax.Array]:
    values, pullback = jax.vjp(lambda logits: loss(logits, labels), logits)
    return values, pullback(jnp.ones_like(values))[0]


def dual_in_torch(loss: Callable[..., Any], logits: NDArray[Any], labels: NDArray[Any]) -> Dual:
    import torch

    variable = torch.tensor(logits, requires_grad=True)
    values = loss(variable, torch.tensor(labels))
    torch.where(torch.isfinite(variable), variable * 0, 0).sum().add(values.sum()).backward()  # if it is a constant
    return values.detach().numpy(), variable.grad.numpy()
