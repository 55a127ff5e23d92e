"""Loss functions that run: published losses, any expression, programs for a population, and new operators."""

from glojax.losses.catalog import CATALOG, LossFunction, baikal, baikal_cma, cross_entropy, find_tree, make_loss
from glojax.losses.compiled import compile_tree
from glojax.losses.interpreter import interpret
from glojax.losses.objective import ClassReduction
from glojax.losses.operations import register_operator
from glojax.losses.program import LossProgram

__all__ = [
    "CATALOG",
    "ClassReduction",
    "LossFunction",
    "LossProgram",
    "baikal",
    "baikal_cma",
    "compile_tree",
    "cross_entropy",
    "find_tree",
    "interpret",
    "make_loss",
    "register_operator",
]
