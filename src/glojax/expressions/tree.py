"""Loss functions as immutable expression trees, stored flat.

A tree is the tuple of its nodes in prefix order (the root first, then each operand's nodes from left to right), so that
nothing recurses, whatever the depth: subtrees are slices, and hashing, comparing and pickling are those of a tuple.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Self, TypeVar

from glojax.errors import ExpressionError
from glojax.expressions.nodes import Node, fold_nodes
from glojax.expressions.operators import MAX_INTEGER, OPERATORS
from glojax.expressions.syntax import format_nodes, parse_nodes

T = TypeVar("T")


@dataclass(frozen=True)
class LossTree:
    """A loss function of the label `x` and the predicted probability `y` of one class.

    Attributes:
        nodes: The nodes in prefix order.

    Raises:
        ExpressionError: `nodes` is not exactly one tree, or an integer in it is beyond +-`MAX_INTEGER`.

    Example:
        >>> tree = LossTree.parse("log(y) - x / y")
        >>> tree.size, tree.depth, str(tree.subtree(3))
        (6, 2, 'x / y')
    """

    nodes: tuple[Node, ...]

    def __post_init__(self) -> None:
        missing = 1
        for place, node in enumerate(self.nodes):
            if node.operator not in OPERATORS:
                raise ExpressionError(f"Unknown operator {node.operator!r}; expected one of {', '.join(OPERATORS)}.")
            if node.value and (node.operator != "constant" or abs(node.value) > MAX_INTEGER):
                raise ExpressionError(
                    f"Got value {node.value} in a node {node.operator!r}; only a constant has a value, "
                    f"of at most {MAX_INTEGER} in magnitude."
                )
            missing += node.arity - 1
            if missing == 0 and place + 1 < len(self.nodes):
                break
        if missing != 0 or place + 1 != len(self.nodes):
            raise ExpressionError("The nodes do not form one tree in prefix order.")

    @classmethod
    def of(cls, operator: str, *operands: "LossTree", coefficient: float = 1.0) -> Self:
        """The tree whose root is `operator` over the given operands."""
        nodes = (Node(operator, coefficient=coefficient),)
        return cls(nodes + tuple(node for operand in operands for node in operand.nodes))

    @classmethod
    def constant(cls, value: int) -> Self:
        """The tree of one integer leaf."""
        return cls((Node("constant", value),))

    @property
    def size(self) -> int:
        """Number of nodes."""
        return len(self.nodes)

    @cached_property
    def depth(self) -> int:
        """Number of edges on the longest path from the root to a leaf."""
        return self.fold(lambda node, *depths: 1 + max(depths) if depths else 0)

    @property
    def root(self) -> Node:
        """The node at index 0."""
        return self.nodes[0]

    @property
    def coefficients(self) -> tuple[float, ...]:
        """The nodes' coefficients, in prefix order."""
        return tuple(node.coefficient for node in self.nodes)

    def with_coefficients(self, coefficients: Sequence[float]) -> "LossTree":
        """The same tree with other coefficients, given in prefix order.

        Raises:
            ExpressionError: The number of coefficients is not the number of nodes.
        """
        if len(coefficients) != self.size:
            raise ExpressionError(
                f"Got {len(coefficients)} coefficients for a tree of {self.size} nodes; "
                "give one for each node, in prefix order."
            )
        pairs = zip(self.nodes, coefficients, strict=True)
        return LossTree(tuple(node._replace(coefficient=float(value)) for node, value in pairs))

    def uses(self, operator: str) -> bool:
        """Whether any node is of this operator."""
        return any(node.operator == operator for node in self.nodes)

    def end(self, index: int) -> int:
        """Index after the last node of the subtree that starts at `index`."""
        missing = 1
        while missing:
            missing += self.nodes[index].arity - 1
            index += 1
        return index

    def subtree(self, index: int) -> "LossTree":
        """The subtree whose root is the node at `index` (prefix order, 0 to `size` - 1)."""
        return LossTree(self.nodes[index : self.end(index)])

    def replace(self, index: int, replacement: "LossTree") -> "LossTree":
        """The tree with the subtree at `index` replaced."""
        return LossTree(self.nodes[:index] + replacement.nodes + self.nodes[self.end(index) :])

    @property
    def operands(self) -> tuple["LossTree", ...]:
        """The subtrees directly under the root, from left to right."""
        found: list[LossTree] = []
        start = 1
        for _ in range(self.root.arity):
            found.append(self.subtree(start))
            start += found[-1].size
        return tuple(found)

    def fold(self, function: Callable[..., T]) -> T:
        """The root's value, where `function(node, *values of its operands)` gives a node's; see `fold_nodes`."""
        return fold_nodes(self.nodes, function)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read an expression such as `"log(y) - x / y"`; see `glojax.expressions.syntax` for the grammar.

        Raises:
            ExpressionError: The text is not an expression, or is too long.
        """
        return cls(parse_nodes(text))

    def __str__(self) -> str:
        """The expression with the fewest parentheses; `parse` gives the same tree again."""
        return format_nodes(self.nodes)
