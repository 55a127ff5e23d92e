"""The constraint of a search for shapes: a candidate is a loss that trains unlike all candidates before it."""

from collections import Counter
from collections.abc import Callable

from glojax.evaluation import Shape
from glojax.expressions import LossTree
from glojax.strategies.base import Constraint


class NewShapes:
    """A constraint that a tree meets if it has x and y, and a shape that no tree before it had.

    As a strategy draws until a candidate meets its constraint, no candidate is wasted.

    Args:
        shape_of: Returns the shape of a loss.
        constraint: What a candidate must meet besides.

    Attributes:
        draws: The number of trees drawn, by what became of them: `new`, `lacks_variable`, `known`, `gradient` (it has
            none that depends on the label) or `constraint`.
    """

    def __init__(self, shape_of: Callable[[LossTree], Shape], constraint: Constraint = lambda tree: True):
        self.draws: Counter[str] = Counter()
        self._shape_of, self._constraint = shape_of, constraint
        self._shortest: dict[str, LossTree] = {}

    def __call__(self, tree: LossTree) -> bool:
        """Return whether a tree may be a candidate; if so, its shape is known from now on."""
        outcome = self._outcome(tree)
        self.draws[outcome] += 1
        return outcome == "new"

    def shortest(self, tree: LossTree) -> LossTree:
        """Return the smallest tree drawn with this shape, the first of equals, or the tree itself."""
        return self._shortest.get(self._shape_of(tree).fingerprint, tree)

    def _outcome(self, tree: LossTree) -> str:
        if not (tree.uses("x") and tree.uses("y")):
            return "lacks_variable"
        if not self._constraint(tree):
            return "constraint"
        shape = self._shape_of(tree)
        if not shape.is_trainable:
            return "gradient"
        known = self._shortest.get(shape.fingerprint)
        if known is None or tree.size < known.size:
            self._shortest[shape.fingerprint] = tree
        return "new" if known is None else "known"
