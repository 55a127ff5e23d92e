"""The origin of a candidate: the losses that it was made of, and how."""

from dataclasses import dataclass
from typing import Any, Literal

from glojax.expressions.bounds import Domain
from glojax.expressions.canonical import canonical
from glojax.expressions.tree import LossTree

Making = Literal[
    "given", "random", "selection", "mutation", "crossover", "crossover and mutation", "coefficients", "same shape"
]


@dataclass(frozen=True)
class Origin:
    """How a candidate was made.

    Attributes:
        making: `given` by the caller; `random`; an unchanged copy of a parent by `selection`; `mutation` of a parent;
            `crossover` of two parents, or `crossover and mutation`; other `coefficients` of a parent; or another text
            of the `same shape` as the parent.
        parents: None, one or two losses.
    """

    making: Making
    parents: tuple[LossTree, ...] = ()

    @property
    def record(self) -> dict[str, Any]:
        """The origin as a JSON object."""
        return {"origin": self.making, "parents": [str(parent) for parent in self.parents]}

    def canonical(self, domain: Domain) -> "Origin":
        """Return the same with parents in canonical form, in which they are evaluated."""
        return Origin(self.making, tuple(canonical(parent, domain) for parent in self.parents))
