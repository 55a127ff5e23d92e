"""The programs of a pool, which share a form, so that few are compiled."""

from collections.abc import Collection, Iterable, Sequence
from typing import Final

from glojax.expressions import Domain, LossTree
from glojax.losses import LossProgram
from glojax.losses.program import known_operators, num_instructions

#: Instructions that a program holds at first.
_CAPACITY: Final = 64


class PoolPrograms:
    """Makes programs of trees; each of them has the same capacity and knows the same operators.

    The form grows, and trainings compile once more, where a tree has more instructions, whose number is raised to the
    next power of two, or an operator that no tree has had so far. The given operators are those
    that trees will use.

    Attributes:
        capacity: Instructions that a program holds.
        operators: Names of the operators that it knows.
    """

    def __init__(self, domain: Domain, operators: Iterable[str] = ()):
        self.capacity = _CAPACITY
        self.operators = known_operators([], operators)
        self._domain = domain

    def take_in(self, trees: Collection[LossTree]) -> None:
        """Let the form grow until it fits the trees."""
        largest = max(num_instructions(tree, self._domain) for tree in trees)
        self.capacity = max(self.capacity, 2 ** (largest - 1).bit_length())
        self.operators = known_operators(trees, self.operators, self._domain)

    def make(self, trees: Sequence[LossTree]) -> LossProgram:
        """Return the programs of trees that were taken in, with a leading axis."""
        return LossProgram.from_trees(trees, self.capacity, self.operators, domain=self._domain)
