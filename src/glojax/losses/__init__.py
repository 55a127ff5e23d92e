"""Loss functions that run: catalogued ones, any expression, and programs for a population."""

from glojax.losses.catalog import CATALOG, baikal, baikal_cma, cross_entropy, find_loss
from glojax.losses.compiled import compile_tree
from glojax.losses.interpreter import interpret
from glojax.losses.objective import (
    ClassReduction,
    LossFunction,
    as_probabilities,
    check_objective,
    make_loss,
    objective,
)
from glojax.losses.program import LossProgram

__all__ = [
    "CATALOG",
    "ClassReduction",
    "LossFunction",
    "LossProgram",
    "as_probabilities",
    "baikal",
    "baikal_cma",
    "check_objective",
    "compile_tree",
    "cross_entropy",
    "find_loss",
    "interpret",
    "make_loss",
    "objective",
]
