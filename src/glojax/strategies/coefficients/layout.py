"""The free coefficients of a tree, and the conversion between a tree and the vector of them.

Each node has a coefficient, by which its output is multiplied. Some of them are redundant: `3 * (5x + 2y)` is
`15x + 6y`. A coefficient is independent unless another one absorbs it, whatever its value:

- a product, a quotient or a square absorbs the coefficients of its operands;
- both operands of a sum absorb its coefficient, and a sum that is an operand of a product absorbs that of the product.

The operand of a logarithm keeps its coefficient, and so does that of a square root, since the sign of a coefficient
cannot leave the root.

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

#: Significant decimal digits of a tuned coefficient, so that a tree is exactly the function that its text says.
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
        """Return the layout of a tree.

        Args:
            tree: A loss function, with or without coefficients.
            free: "all", one coefficient for each node, or "independent", those that no other absorbs; the tree of the
                layout is then the same function with coefficients of 1 elsewhere.

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
        """The free coefficients [K] of the tree."""
        return np.array([self.tree.nodes[index].coefficient for index in self.indices], np.float64)

    def tree_of(self, vector: ArrayLike) -> LossTree:
        """Return the loss function with other free coefficients, rounded to six significant digits.

        Args:
            vector: The coefficients [K].

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
    """Return the same function with a coefficient of 1 wherever it is not independent.

    If a divisor has the coefficient 0, so that the function is undefined, a coefficient becomes NaN.

    Example:
        >>> str(absorbed(LossTree.parse("3.0*(5.0*x + 2.0*y)")))
        '15.0*x + 6.0*y'
    """
    shape = _Shape.of(tree)
    coefficients = list(tree.coefficients)
    # Upwards: a node absorbs the coefficients of its operands.
    for index in reversed(range(tree.size)):
        operands = shape.operands[index]
        match tree.nodes[index].operator, [coefficients[operand] for operand in operands]:
            case "multiply", (left, right):
                coefficients[index] *= left * right
            case "divide", (dividend, divisor):
                coefficients[index] *= dividend / divisor if divisor else math.nan
            case "square", (base,):
                coefficients[index] *= base * base  # base**2 raises an error if it overflows
            case _:
                continue
        for operand in operands:
            coefficients[operand] = 1.0
    # Downwards: the carriers of a node absorb its coefficient.
    for index, carriers in enumerate(shape.carriers):
        for carrier in carriers:
            coefficients[carrier] *= coefficients[index]
        if carriers:
            coefficients[index] = 1.0
    return tree.with_coefficients(coefficients)


class _Shape(NamedTuple):
    """The indices of the operands of each node, in prefix order, and of the operands that carry its coefficient.

    Both operands of a sum carry its coefficient. The first operand of a product that has carriers itself carries that
    of the product, and a dividend that has carriers that of the quotient. Other nodes have no carriers.
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
        """Return the indices of the nodes whose coefficient no other absorbs."""
        absorbed_upwards = {
            operand
            for node, operands in zip(tree.nodes, self.operands, strict=True)
            if node.operator in ("multiply", "divide", "square")
            for operand in operands
        }
        return tuple(index for index in range(tree.size) if not self.carriers[index] and index not in absorbed_upwards)
