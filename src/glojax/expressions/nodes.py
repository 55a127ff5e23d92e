"""The nodes of which trees consist."""

from typing import Final, NamedTuple

from glojax.expressions.operators import OPERATORS

#: The size of the largest tree that is read, bred and simplified. To read its text takes a few hundredths of a second.
MAX_NODES: Final = 1_000


class Node(NamedTuple):
    """One node of a tree."""

    operator: str  # a key of `OPERATORS`
    value: int = 0  # the integer of a `constant`; 0 otherwise
    coefficient: float = 1.0  # factor on the node's output (paper, section III-B); 1 unless tuned

    @property
    def arity(self) -> int:
        """Number of operands: 0, 1 or 2."""
        return OPERATORS[self.operator].arity
