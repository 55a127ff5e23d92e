"""Loss functions that run: catalogued ones, any expression, and programs for a population."""

from glojax.losses.catalog import CATALOG, find_tree
from glojax.losses.compiled import compile_tree
from glojax.losses.interpreter import interpret
from glojax.losses.objective import ClassReduction, LossFunction, make_loss
from glojax.losses.operations import register_operator
from glojax.losses.program import LossProgram
from glojax.losses.published import baikal, baikal_cma, cross_entropy

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
