"""Loss functions as immutable expression trees, stored flat.

A tree is the tuple of its nodes in prefix order (the root first, then the nodes of each operand from left to right). So
no function recurses: subtrees are slices, and a tree is hashed, compared and pickled as a tuple is.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from numbers import Integral, Real
from typing import Any, Self, TypeVar

from glojax.errors import ExpressionError
from glojax.expressions.operators import MAX_INTEGER, OPERATORS, Node, is_exponent
from glojax.expressions.syntax import Parser, format_node

T = TypeVar("T")


@dataclass(frozen=True)
class LossTree:
    """A loss function of the label `x` and the predicted probability `y` of one class.

    Trees have the arithmetic of Python, with each other and with numbers: `+ - * /`, unary minus and `** 2`. It builds
    what `parse` reads, so that a number with a point in front of `*` is a coefficient, and elsewhere a constant.

    Attributes:
        nodes: Exactly one tree in prefix order; a constant or exponent in it is at most `MAX_INTEGER` in magnitude.

    Examples:
        >>> tree = LossTree.parse("log(y) - x / y")
        >>> tree.size, tree.depth, str(tree.subtree(3))
        (6, 2, 'x / y')
    """

    nodes: tuple[Node, ...]

    __array_ufunc__ = None  # NumPy's numbers leave arithmetic to trees

    def __post_init__(self) -> None:
        missing = 1
        for node in self.nodes:
            if missing == 0:
                break
            if node.operator not in OPERATORS:
                raise ExpressionError(f"Unknown operator {node.operator!r}; expected one of {', '.join(OPERATORS)}.")
            if node.operator == "power":
                if not is_exponent(node.value):
                    raise ExpressionError(
                        f"Got the exponent {node.value} in a node 'power'; expected a number other than 0, of at most "
                        f"{MAX_INTEGER} in magnitude, and not 2, which is 'square'."
                    )
            elif node.value and (node.operator != "constant" or abs(node.value) > MAX_INTEGER):
                raise ExpressionError(
                    f"Got value {node.value} in a node {node.operator!r}; only a constant and a power have a value, "
                    f"of at most {MAX_INTEGER} in magnitude."
                )
            missing += node.arity - 1
        else:
            if missing == 0:
                return
        raise ExpressionError("The nodes do not form one tree in prefix order.")

    @classmethod
    def of(cls, operator: str, *operands: "LossTree", value: float = 0, coefficient: float = 1.0) -> Self:
        """Return the tree whose root is `operator` over the given operands; `value` is the exponent of a `power`."""
        root = Node(operator, value, coefficient)
        return cls((root, *(node for operand in operands for node in operand.nodes)))

    @classmethod
    def constant(cls, value: int) -> Self:
        """Return the tree of one integer leaf."""
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
    def coefficients(self) -> tuple[float, ...]:
        """The nodes' coefficients, in prefix order."""
        return tuple(node.coefficient for node in self.nodes)

    def with_coefficients(self, coefficients: Sequence[float]) -> "LossTree":
        """Return the same tree with other coefficients, one for each node in prefix order."""
        if len(coefficients) != self.size:
            raise ExpressionError(
                f"Got {len(coefficients)} coefficients for a tree of {self.size} nodes; give one for each node, in "
                "prefix order."
            )
        pairs = zip(self.nodes, coefficients, strict=True)
        return LossTree(tuple(node._replace(coefficient=float(value)) for node, value in pairs))

    def uses(self, operator: str) -> bool:
        """Return whether any node has this operator."""
        return any(node.operator == operator for node in self.nodes)

    def end(self, index: int) -> int:
        """Return the index after the last node of the subtree that starts at `index`."""
        missing = 1
        while missing:
            missing += self.nodes[index].arity - 1
            index += 1
        return index

    def subtree(self, index: int) -> "LossTree":
        """Return the subtree whose root is the node at `index`, from 0 to `size` - 1."""
        return LossTree(self.nodes[index : self.end(index)])

    def replace(self, index: int, replacement: "LossTree") -> "LossTree":
        """Return the tree with another subtree at `index`."""
        return LossTree(self.nodes[:index] + replacement.nodes + self.nodes[self.end(index) :])

    @property
    def operands(self) -> tuple["LossTree", ...]:
        """The subtrees directly under the root, from left to right."""
        starts = [1]
        for _ in range(self.nodes[0].arity):
            starts.append(self.end(starts[-1]))
        return tuple(map(self.subtree, starts[:-1]))

    def fold(self, function: Callable[..., T]) -> T:
        """Return the value of the root: `function(node, *values of its operands)`, bottom-up and without recursion."""
        stack: list[T] = []
        for node in reversed(self.nodes):
            stack.append(function(node, *(stack.pop() for _ in range(node.arity))))
        return stack.pop()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read an expression such as `"log(y) - x / y"`; see `glojax.expressions.syntax` for the grammar."""
        return cls(Parser(text).parse())

    def __str__(self) -> str:
        """Return the expression with the fewest parentheses; `parse` gives the same tree again."""
        return self.fold(format_node).text

    def __repr__(self) -> str:
        return f"LossTree.parse({str(self)!r})"

    def _repr_latex_(self) -> str:
        from glojax.expressions.export import to_latex

        return f"${to_latex(self)}$"

    def __add__(self, other: Any) -> "LossTree":
        return _combined("add", self, other)

    def __radd__(self, other: Any) -> "LossTree":
        return _combined("add", other, self)

    def __sub__(self, other: Any) -> "LossTree":
        return _combined("subtract", self, other)

    def __rsub__(self, other: Any) -> "LossTree":
        return _combined("subtract", other, self)

    def __mul__(self, other: Any) -> "LossTree":
        return _combined("multiply", self, other)

    def __rmul__(self, other: Any) -> "LossTree":
        if isinstance(other, Real) and not isinstance(other, Integral):
            root = self.nodes[0]
            return LossTree((root._replace(coefficient=_finite(root.coefficient * float(other))), *self.nodes[1:]))
        return _combined("multiply", other, self)

    def __truediv__(self, other: Any) -> "LossTree":
        return _combined("divide", self, other)

    def __rtruediv__(self, other: Any) -> "LossTree":
        return _combined("divide", other, self)

    def __neg__(self) -> "LossTree":
        return -1 * self

    def __pow__(self, exponent: Any) -> "LossTree":
        if not isinstance(exponent, Real):
            raise ExpressionError(f"The exponent is {exponent!s:.60}; expected a number, such as 2 or 0.7.")
        if exponent == 2:
            return LossTree.of("square", self)
        return LossTree.of("power", self, value=float(exponent))

    def __abs__(self) -> "LossTree":
        return LossTree.of("abs", self)


def tree_of(value: Any) -> LossTree | None:
    """Return a tree, or the tree of a number: an integer leaf, or else a 1 with a coefficient. None for all others."""
    if isinstance(value, LossTree):
        return value
    if isinstance(value, Integral):
        return LossTree.constant(int(value))
    return LossTree((Node("constant", 1, _finite(float(value))),)) if isinstance(value, Real) else None


def _combined(operator: str, left: Any, right: Any) -> LossTree:
    first, second = tree_of(left), tree_of(right)
    return NotImplemented if first is None or second is None else LossTree.of(operator, first, second)


def _finite(coefficient: float) -> float:
    if not math.isfinite(coefficient):
        raise ExpressionError(f"Got the coefficient {coefficient}; expected a finite number.")
    return coefficient
