"""The choice of how convolutions and products are computed, made outside of a network while it is traced."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from typing import Any, Final, Literal

import jax

#: "canonical" is for CPUs: forms that XLA runs fast inside a loop, one candidate after the other. The others are for
#: accelerators, and choose how to compute a convolution whose images and kernels both differ between candidates: by
#: kernels of our own, as "implicit" products, which NVIDIA GPUs run; as one "grouped" convolution; as batched products
#: of "patches" and kernels; or "mapped" over the candidates.
ConvolutionLowering = Literal["canonical", "implicit", "grouped", "patches", "mapped"]

#: What products and convolutions are computed in; parameters and sums are of float32 always.
Precision = Literal["float32", "tf32", "bf16"]

#: What JAX calls them.
_NAMES: Final = {"float32": "highest", "tf32": "tensorfloat32", "bf16": "BF16_BF16_F32"}

#: Compute capabilities of NVIDIA GPUs whose processors hold what our kernels need.
_LARGE: Final = ("8.0", "9.0", "10.0", "10.3")

current_lowering: ContextVar[ConvolutionLowering] = ContextVar("convolution lowering", default="canonical")

current_precision: ContextVar[Precision | None] = ContextVar("precision", default=None)


@contextmanager
def lowered_convolutions(lowering: ConvolutionLowering, precision: Precision | None = None) -> Iterator[None]:
    """Compute the convolutions of networks called in this context in this way, gradients included."""
    tokens = current_lowering.set(lowering), current_precision.set(precision)
    try:
        with products_in(precision):
            yield
    finally:
        current_lowering.reset(tokens[0])
        current_precision.reset(tokens[1])


def products_in(precision: Precision | None) -> Any:
    """Return a context in which products are computed in this precision; None for that which JAX is set to."""
    return nullcontext() if precision is None else jax.default_matmul_precision(_NAMES[precision])


def default_lowering(device: Any) -> ConvolutionLowering:
    """Return how convolutions are computed on a device of JAX's where nothing else is known."""
    if device.platform == "cpu":
        return "canonical"
    is_large = "NVIDIA" in device.device_kind and getattr(device, "compute_capability", None) in _LARGE
    return "implicit" if is_large else "grouped"
