"""Fitness of functions already known."""

import dataclasses
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from glojax.datasets import Dataset
from glojax.networks import NetworkFactory
from glojax.training import TrainingConfig

Status = Literal["trained", "lacks_variable", "non_finite", "cached"]


@dataclass(frozen=True)
class Evaluation:
    """What is known of one loss function.

    Attributes:
        expression: The function in canonical form, as text.
        fitness: Validation accuracy after training, in [0, 1], the mean over the evaluator's seeds; a training that
            did not stay finite counts as 0.
        status: `trained`; `lacks_variable` (no x or no y: never trained, fitness 0); `non_finite` (loss, gradient or
            parameters did not stay finite, with any seed); or `cached` (known before, or equal to another function of
            the same population).
        steps: SGD steps that this evaluation took.
    """

    expression: str
    fitness: float
    status: Status
    steps: int


def network_name(network: NetworkFactory) -> str:
    """Module and name of a network's class or factory."""
    return f"{getattr(network, '__module__', '')}.{getattr(network, '__qualname__', repr(network))}"


def evaluation_context(dataset: Dataset, network_name: str, config: TrainingConfig, seeds: Sequence[int]) -> str:
    """What a fitness depends on beside the function, as 16 hexadecimal digits: training, network, data and seeds."""
    context = {
        "config": dataclasses.asdict(config),
        "dataset": dataset.fingerprint,
        "network": network_name,
        "seeds": list(seeds),
    }
    return hashlib.sha256(json.dumps(context, sort_keys=True).encode()).hexdigest()[:16]


class FitnessCache:
    """Evaluations by context and canonical expression."""

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
