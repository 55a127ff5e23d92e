"""The node, and the one way to walk a tree of nodes.

A tree is a tuple of nodes in prefix order: the root first, then each operand's nodes from left to right.
"""

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple, TypeVar

from glojax.expressions.operators import OPERATORS

T = TypeVar("T")

#: Nodes of the largest tree that is read, bred and simplified. A text of it is read in a few hundredths of a second.
MAX_NODES: Final = 1_000


class Node(NamedTuple):
    """One node of a tree; its value is multiplied by `coefficient`.

    Attributes:
        operator: A key of `OPERATORS`.
        value: The integer of a `constant`; 0 otherwise.
        coefficient: Factor on the node's output (paper, section III-B); 1 unless tuned.
    """

    operator: str
    value: int = 0
    coefficient: float = 1.0

    @property
    def arity(self) -> int:
        """Number of operands: 0, 1 or 2."""
        return OPERATORS[self.operator].arity


def fold_nodes(nodes: Sequence[Node], function: Callable[..., T]) -> T:
    """Evaluate a tree bottom-up, without recursion.

    Args:
        nodes: One tree in prefix order.
        function: Called once a node, operands before their operator, as `function(node, *values of its operands)`.

    Returns:
        The root's value.
    """
    stack: list[T] = []
    for node in reversed(nodes):
        stack.append(function(node, *(stack.pop() for _ in range(node.arity))))
    return stack.pop()
