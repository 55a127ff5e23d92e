"""Loss functions as expression trees: the operators, text to trees and back, canonical forms, export."""

from glojax.expressions.canonical import canonical
from glojax.expressions.export import to_latex
from glojax.expressions.nodes import MAX_NODES, Node
from glojax.expressions.operators import MAX_INTEGER, OPERATORS, Operator
from glojax.expressions.tree import LossTree

__all__ = ["MAX_INTEGER", "MAX_NODES", "OPERATORS", "LossTree", "Node", "Operator", "canonical", "to_latex"]
