"""A program as a function of labels and probabilities."""

from glojax.losses import Leaves, LossProgram, interpret
from glojax.losses.operations import Function, forward_differentiated


def interpreting(program: LossProgram) -> Function:
    """Return what `compile_tree` returns for the program's tree."""
    return forward_differentiated(lambda labels, probs: interpret(program, Leaves.of_probabilities(labels, probs)))
