"""How convolutions are computed: chosen outside of a network, while it is traced."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Literal

#: "canonical" is for CPUs: forms that XLA runs fast inside a loop there, one candidate after the other. The others are
#: for accelerators, and say what becomes of a convolution whose images and kernels both differ between candidates: one
#: "grouped" convolution, batched products of "patches" and kernels, or convolutions "mapped" one after the other.
ConvolutionLowering = Literal["canonical", "grouped", "patches", "mapped"]

_current: ContextVar[ConvolutionLowering] = ContextVar("convolution lowering", default="canonical")


@contextmanager
def lowered_convolutions(lowering: ConvolutionLowering) -> Iterator[None]:
    """While this is open, networks that are called compute their convolutions in this way, gradients included."""
    token = _current.set(lowering)
    try:
        yield
    finally:
        _current.reset(token)


def current_lowering() -> ConvolutionLowering:
    """What the innermost `lowered_convolutions` says, or "canonical"."""
    return _current.get()
