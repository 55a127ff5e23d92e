"""A strategy from outside the package."""

from collections.abc import Callable, Sequence

import numpy as np

from glojax.evaluation import Evaluation
from glojax.expressions import LossTree
from glojax.strategies import Batch, GeneticConfig
from glojax.strategies.genetic import mutate, random_tree


class HillClimber:
    """Asks for five mutants of the fittest candidate so far; made of what any user can import."""

    def __init__(
        self,
        config: GeneticConfig,
        seed: int,
        *,
        initial: Sequence[LossTree] = (),
        constraint: Callable[[LossTree], bool] = lambda tree: True,
    ):
        self._config = config
        self._rng = np.random.default_rng(seed)
        self._constraint = constraint
        self._best: tuple[float, LossTree] | None = None
        self._batch = Batch(initial or [self._draw(lambda: random_tree(self._rng, config.initial_depth))])

    def _draw(self, draw: Callable[[], LossTree]) -> LossTree:
        while not self._constraint(tree := draw()):
            pass
        return tree

    def ask(self, room: int) -> Sequence[LossTree]:
        if self._batch.is_complete:
            for tree, told in zip(self._batch.trees, self._batch.evaluations, strict=True):
                fitness = float("-inf") if told.fitness is None else told.fitness
                if self._best is None or fitness > self._best[0]:
                    self._best = fitness, tree
            assert self._best is not None
            best = self._best[1]
            self._batch = Batch([self._draw(lambda: mutate(best, self._config, self._rng)) for _ in range(5)])
        return self._batch.ask(room)

    def tell(self, tree: LossTree, evaluation: Evaluation) -> None:
        self._batch.tell(tree, evaluation)
