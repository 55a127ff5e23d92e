"""Kinds of parameters."""

from typing import Any

from flax import nnx


class DecayedParam(nnx.Param[Any]):
    """A parameter that weight decay acts on; it does not act on an ordinary `nnx.Param`."""
