"""Kinds of parameters."""

from typing import Any

from flax import nnx


class DecayedParam(nnx.Param[Any]):
    """A parameter that weight decay acts on; on an ordinary `nnx.Param` it does not."""
