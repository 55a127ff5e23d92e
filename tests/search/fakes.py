"""Stand-ins for what trains."""

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np

from glojax.evaluation import Evaluation, OnEvaluation, Status
from glojax.expressions import LossTree, canonical

STEPS = 10


def fitness_of(tree: LossTree) -> float:
    """Equal for many losses of different sizes; 0 without both variables."""
    return 0.0 if not (tree.uses("x") and tree.uses("y")) else 0.75 if tree.uses("log") else 0.5


class FakeEvaluator:
    """Gives each loss the fitness that a function says, as `LocalEvaluator` would, without training.

    `calls` has the number of losses of each call of `evaluate`.
    """

    def __init__(self, fitness: Callable[[LossTree], float] = fitness_of):
        self._fitness = fitness
        self._known: dict[str, Evaluation] = {}
        self.calls: list[int] = []
        self.confirmed: list[tuple[list[str], list[int]]] = []

    def evaluate(self, trees: Sequence[LossTree], on_evaluation: OnEvaluation | None = None) -> list[Evaluation]:
        self.calls.append(len(trees))
        evaluations = [self._evaluate(canonical(tree)) for tree in trees]
        for evaluation in evaluations:
            if on_evaluation is not None:
                on_evaluation(evaluation)
        return evaluations

    def _evaluate(self, tree: LossTree) -> Evaluation:
        text = str(tree)
        if text in self._known:
            return dataclasses.replace(self._known[text], status="cached", steps=0)
        if tree.uses("x") and tree.uses("y"):
            fitness = self._fitness(tree)
            status: Status = "trained" if fitness > 0 else "non_finite"
            self._known[text] = Evaluation(text, fitness, status, STEPS)
        else:
            self._known[text] = Evaluation(text, 0.0, "lacks_variable", 0)
        return self._known[text]

    def confirm(
        self, trees: Sequence[LossTree], seeds: Sequence[int], on_training: Callable[[int], None] = lambda steps: None
    ) -> np.ndarray:
        self.confirmed.append(([str(tree) for tree in trees], list(seeds)))
        for _ in range(len(trees) * len(seeds)):
            on_training(STEPS)
        return np.array([[self._fitness(tree)] * len(seeds) for tree in trees], np.float32)
