"""Fitness of functions already known."""

from dataclasses import dataclass
from typing import Literal

Status = Literal["trained", "lacks_variable", "non_finite", "crashed", "cached"]


@dataclass(frozen=True)
class Evaluation:
    """What is known of one loss function.

    Attributes:
        expression: The function in canonical form, as text.
        fitness: Validation accuracy after training, in [0, 1], the mean over the evaluator's seeds; a training that
            did not stay finite counts as 0.
        status: `trained`; `lacks_variable` (no x or no y: never trained, fitness 0); `non_finite` (loss, gradient or
            parameters did not stay finite, with any seed); `crashed` (its training, alone, ended three workers of a
            cluster: fitness 0); or `cached` (known before, or equal to another function of the same population).
        steps: SGD steps that this evaluation took.
    """

    expression: str
    fitness: float
    status: Status
    steps: int


class FitnessCache:
    """Evaluations by canonical expression and by what they depend on beside it: training, network, data and seeds."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], Evaluation] = {}

    def find(self, context: str, expression: str) -> Evaluation | None:
        """The evaluation of this function in this context, if it was made."""
        return self._known.get((context, expression))

    def add(self, context: str, evaluation: Evaluation) -> None:
        """Remember an evaluation."""
        self._known[context, evaluation.expression] = evaluation

    def __len__(self) -> int:
        return len(self._known)
