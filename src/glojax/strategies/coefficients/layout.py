"""Which coefficients of a tree are free, and the way between a tree and the vector of them.

Each node's output has a factor. Some factors do nothing that others could not: `3 * (5x + 2y)` is `15x + 6y`. A factor
is independent unless another absorbs it, whatever its value:

- that of a factor, dividend, divisor or squared operand goes into the product, quotient or square above it;
- that of a sum goes into both operands, and that of a product with a sum among its factors into that sum.

The operand of a logarithm keeps its factor, and so does that of a square root, since the sign of a factor cannot leave
the root.

Source: Gonzalez and Miikkulainen (2020), section III-B, has the idea and the example; the rules are ours.
"""

import math
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from glojax.errors import ConfigurationError
from glojax.expressions import LossTree

FreeCoefficients = Literal["all", "independent"]

#: Significant decimal digits of a tuned coefficient: what is trained is exactly what the text says.
NUM_DIGITS = 6


@dataclass(frozen=True)
class CoefficientLayout:
    """A loss function whose K free coefficients are a vector.

    Attributes:
        tree: The loss function with its coefficients.
        indices: [K] Indices, in prefix order, of the nodes with a free coefficient.

    Example:
        >>> layout = CoefficientLayout.of(LossTree.parse("log(y) - x / y"), "independent")
        >>> layout.indices
        (1, 2, 3)
        >>> str(layout.tree_of([2.69053, 1.5352, 4.95334]))
        '2.69053*log(1.5352*y) - 4.95334*(x / y)'
    """

    tree: LossTree
    indices: tuple[int, ...]

    @classmethod
    def of(cls, tree: LossTree, free: FreeCoefficients = "all") -> "CoefficientLayout":
        """The layout of a tree.

        Args:
            tree: A loss function, with or without coefficients.
            free: "all", one coefficient for each node, or "independent", those that no other absorbs; the tree is then
                the same function with coefficients of 1 elsewhere.

        Raises:
            ConfigurationError: The tree lacks x or y, or a coefficient is not finite.
        """
        if not (tree.uses("x") and tree.uses("y")):
            missing = "x" if tree.uses("y") else "y"
            raise ConfigurationError(
                f"Cannot tune {tree}: it lacks {missing}; a loss needs the label x and the probability y."
            )
        layout = cls(tree, tuple(range(tree.size)))
        layout.tree_of(layout.vector)
        if free == "independent":
            layout = cls(absorbed(tree), _Shape.of(tree).independent(tree))
            layout.tree_of(layout.vector)
        return layout

    @property
    def vector(self) -> NDArray[np.float64]:
        """[K] The tree's free coefficients."""
        return np.array([self.tree.nodes[index].coefficient for index in self.indices], np.float64)

    def tree_of(self, vector: ArrayLike) -> LossTree:
        """The loss function with other free coefficients, rounded to six significant digits.

        Args:
            vector: [K].

        Raises:
            ConfigurationError: The vector is of another length, or not finite.
        """
        values = np.asarray(vector, np.float64)
        if values.shape != (len(self.indices),):
            raise ConfigurationError(
                f"Got coefficients of shape {values.shape} for {self.tree}, which has {len(self.indices)} free ones; "
                "give one number for each."
            )
        if not np.isfinite(values).all():
            raise ConfigurationError(f"Coefficients {values.tolist()} for {self.tree} are not all finite numbers.")
        coefficients = list(self.tree.coefficients)
        for index, value in zip(self.indices, values, strict=True):
            coefficients[index] = float(f"{value:.{NUM_DIGITS}g}")
        return self.tree.with_coefficients(coefficients)


def absorbed(tree: LossTree) -> LossTree:
    """The same function, where every coefficient that is not independent is 1.

    Where a divisor has the factor 0, so that the function is undefined, a coefficient becomes NaN.

    Example:
        >>> str(absorbed(LossTree.parse("3.0*(5.0*x + 2.0*y)")))
        '15.0*x + 6.0*y'
    """
    shape = _Shape.of(tree)
    factors = list(tree.coefficients)
    # Upwards: a node takes the factors of its operands.
    for index in reversed(range(tree.size)):
        operands = shape.operands[index]
        match tree.nodes[index].operator, [factors[operand] for operand in operands]:
            case "multiply", (left, right):
                factors[index] *= left * right
            case "divide", (dividend, divisor):
                factors[index] *= dividend / divisor if divisor else math.nan
            case "square", (base,):
                factors[index] *= base * base  # base**2 raises where it is too large
            case _:
                continue
        for operand in operands:
            factors[operand] = 1.0
    # Downwards: the operands take the factor of a node that has none of its own.
    for index, carriers in enumerate(shape.carriers):
        for carrier in carriers:
            factors[carrier] *= factors[index]
        if carriers:
            factors[index] = 1.0
    return tree.with_coefficients(factors)


class _Shape(NamedTuple):
    """For each node of a tree, in prefix order, the indices of its operands, and of those that carry its factor.

    Both operands of a sum carry its factor; in a product, one that has carriers itself; of a quotient, the dividend if
    it has. A node without carriers carries its own.
    """

    operands: list[tuple[int, ...]]
    carriers: list[tuple[int, ...]]

    @classmethod
    def of(cls, tree: LossTree) -> "_Shape":
        shape = cls([()] * tree.size, [()] * tree.size)
        starts: list[int] = []
        for index in reversed(range(tree.size)):
            node = tree.nodes[index]
            operands = tuple(starts.pop() for _ in range(node.arity))
            shape.operands[index] = operands
            if node.operator in ("add", "subtract"):
                shape.carriers[index] = operands
            elif node.operator in ("multiply", "divide"):
                able = operands if node.operator == "multiply" else operands[:1]
                shape.carriers[index] = tuple(operand for operand in able if shape.carriers[operand])[:1]
            starts.append(index)
        return shape

    def independent(self, tree: LossTree) -> tuple[int, ...]:
        """The nodes whose coefficient no other absorbs."""
        given_up = {
            operand
            for node, operands in zip(tree.nodes, self.operands, strict=True)
            if node.operator in ("multiply", "divide", "square")
            for operand in operands
        }
        return tuple(index for index in range(tree.size) if not self.carriers[index] and index not in given_up)
