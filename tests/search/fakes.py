"""Stand-ins for what trains."""

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from itertools import count

import numpy as np

from glojax.evaluation import Draw, Evaluation, OnDrawnEvaluation, OnEvaluation, Status
from glojax.expressions import LossTree, canonical
from glojax.search.events import Event, EventLog

STEPS = 10


def fitness_of(tree: LossTree) -> float:
    """Equal for many losses of different sizes; 0 without both variables."""
    return 0.0 if not (tree.uses("x") and tree.uses("y")) else 0.75 if tree.uses("log") else 0.5


class FakeEvaluator:
    """Gives each loss the fitness that a function says, as `LocalEvaluator` would, without training.

    `calls` has the number of losses of each call of `evaluate`. As many losses are in training at once as there is
    `room`; `next_done` says which of them is done first. Those in `trained` were trained by an earlier run.
    """

    def __init__(
        self,
        fitness: Callable[[LossTree], float] = fitness_of,
        *,
        room: int = 1,
        next_done: Callable[[list[str]], str] = min,
        trained: Iterable[str] = (),
    ):
        self._fitness = fitness
        self._room, self._next = room, next_done
        self.trained = set(trained)
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

    def evaluate_drawn(self, draw: Draw, on_evaluation: OnDrawnEvaluation) -> None:
        numbers = count()
        training: dict[str, list[int]] = {}
        while True:
            while len(training) < self._room and (drawn := draw()) is not None:
                tree, number = canonical(drawn), next(numbers)
                text = str(tree)
                is_fit = tree.uses("x") and tree.uses("y")
                if text in training:
                    training[text].append(number)
                elif text in self._known or text in self.trained or not is_fit:
                    on_evaluation(number, self._evaluate(tree))
                else:
                    training[text] = [number]
            if not training:
                return
            text = self._next(list(training))
            self.trained.add(text)
            for number in training.pop(text):
                on_evaluation(number, self._evaluate(LossTree.parse(text)))

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


class FakeLog(EventLog):
    """Has no file."""

    def __init__(self) -> None:
        self._events: list[Event] = []

    def add(self, event: Event) -> None:
        self._events.append(event)
