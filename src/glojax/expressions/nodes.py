"""The nodes of which trees consist."""

from typing import Final, NamedTuple

from glojax.expressions.operators import OPERATORS

#: The size of the largest tree that is read, bred and simplified. To read its text takes a few hundredths of a second.
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
