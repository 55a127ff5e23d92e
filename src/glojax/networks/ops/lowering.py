"""The choice of how convolutions are computed, made outside of a network while it is traced."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Literal

#: "canonical" is for CPUs: forms that XLA runs fast inside a loop, one candidate after the other. The others are for
#: accelerators, and choose how to compute a convolution whose images and kernels both differ between candidates: as one
#: "grouped" convolution, as batched products of "patches" and kernels, or "mapped" over the candidates.
ConvolutionLowering = Literal["canonical", "grouped", "patches", "mapped"]

current_lowering: ContextVar[ConvolutionLowering] = ContextVar("convolution lowering", default="canonical")


@contextmanager
def lowered_convolutions(lowering: ConvolutionLowering) -> Iterator[None]:
    """Compute the convolutions of networks called in this context in this way, gradients included."""
    token = current_lowering.set(lowering)
    try:
        yield
    finally:
        current_lowering.reset(token)
