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
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from glojax.errors import ConfigurationError
from glojax.expressions import LossTree

FreeCoefficients = Literal["all", "independent", "shape"]

#: Significant decimal digits of a tuned coefficient, so that a tree is exactly the function that its text says.
NUM_DIGITS = 6


@dataclass(frozen=True)
class CoefficientLayout:
    """A loss function whose K free coefficients are a vector.

    Examples:
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
        """Return the layout of a tree; with 1 for all coefficients that are not independent, unless all are free.

        Those of a shape are the independent ones but one, which the scale of the loss would absorb.
        """
        if not (tree.uses("x") and tree.uses("y")):
            missing = "x" if tree.uses("y") else "y"
            raise ConfigurationError(
                f"Cannot tune {tree}: it lacks {missing}; a loss needs the label x and the probability y."
            )
        layout = cls(tree, tuple(range(tree.size)))
        layout.tree_of(layout.vector)  # refuses coefficients that are not finite, here and below
        if free != "all":
            layout = independent_layout(tree)
            layout.tree_of(layout.vector)
            # So that 0.1 * 5.6 reads 0.56.
            coefficients = [float(f"{coefficient:.12g}") for coefficient in layout.tree.coefficients]
            layout = replace(layout, tree=layout.tree.with_coefficients(coefficients))
        if free == "shape" and (scale := layout.scale_index) is not None:
            layout = replace(layout, indices=tuple(index for index in layout.indices if index != scale))
        return layout

    @property
    def scale_index(self) -> int | None:
        """The index of the coefficient that is kept as it is where the scale of a loss does not matter.

        It is that of the root or, of a root that hands it on, of the first node to receive it; None if it is the only
        one, or 0.
        """
        carriers = _carriers(self.tree)
        index = 0
        while index not in self.indices and carriers[index]:
            index = carriers[index][0]
        is_one_of_several = index in self.indices and len(self.indices) > 1
        return index if is_one_of_several and self.tree.nodes[index].coefficient != 0 else None

    @property
    def vector(self) -> NDArray[np.float64]:
        """The free coefficients [K] of the tree."""
        return np.array([self.tree.nodes[index].coefficient for index in self.indices], np.float64)

    def tree_of(self, vector: ArrayLike) -> LossTree:
        """Return the loss function with other free coefficients [K], rounded to six significant digits."""
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
            coefficients[index] = rounded(value)
        return self.tree.with_coefficients(coefficients)


def rounded(coefficient: float) -> float:
    """Return a coefficient with `NUM_DIGITS` significant digits."""
    return float(f"{coefficient:.{NUM_DIGITS}g}")


def independent_layout(tree: LossTree) -> CoefficientLayout:
    """Return the same function with a coefficient of 1 wherever it is not independent.

    If a divisor has the coefficient 0, so that the function is undefined, a coefficient becomes NaN.

    Examples:
        >>> str(independent_layout(LossTree.parse("3.0*(5.0*x + 2.0*y)")).tree)
        '15.0*x + 6.0*y'
    """
    coefficients = list(tree.coefficients)
    carriers = _carriers(tree)
    absorbed: set[int] = set()
    # Upwards: a node absorbs the coefficients of its operands.
    for index, operands in reversed(list(enumerate(_operands(tree)))):
        match tree.nodes[index].operator, [coefficients[operand] for operand in operands]:
            case "multiply", (left, right):
                coefficients[index] *= left * right
            case "divide", (dividend, divisor):
                coefficients[index] *= dividend / divisor if divisor else math.nan
            case "square", (base,):
                coefficients[index] *= base * base  # base**2 raises an error if it overflows
            case _:
                continue
        absorbed.update(operands)
        for operand in operands:
            coefficients[operand] = 1.0
    # Downwards: the carriers of a node absorb its coefficient.
    for index in range(tree.size):
        if carriers[index]:
            absorbed.add(index)
            for carrier in carriers[index]:
                coefficients[carrier] *= coefficients[index]
            coefficients[index] = 1.0
    independent = tuple(index for index in range(tree.size) if index not in absorbed)
    return CoefficientLayout(tree.with_coefficients(coefficients), independent)


def _operands(tree: LossTree) -> list[tuple[int, ...]]:
    """Return the indices of each node's operands."""
    operands: list[tuple[int, ...]] = [()] * tree.size
    starts: list[int] = []
    for index in reversed(range(tree.size)):
        operands[index] = tuple(starts.pop() for _ in range(tree.nodes[index].arity))
        starts.append(index)
    return operands


def _carriers(tree: LossTree) -> list[tuple[int, ...]]:
    """Return the operands of each node that absorb its coefficient: of a sum both, of a product one that is a sum."""
    carriers: list[tuple[int, ...]] = [()] * tree.size
    for index, operands in reversed(list(enumerate(_operands(tree)))):
        match tree.nodes[index].operator:
            case "add" | "subtract":
                carriers[index] = operands
            case "multiply":
                carriers[index] = tuple(operand for operand in operands if carriers[operand])[:1]
            case "divide":
                carriers[index] = tuple(operand for operand in operands[:1] if carriers[operand])
    return carriers
