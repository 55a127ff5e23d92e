"""Trainings of losses on a pool, without an evaluator, so that the same ones are done again in every turn."""

from collections.abc import Sequence

from glojax.evaluation import Training, TrainingPool
from glojax.expressions import LossTree
from glojax.training import TrainingConfig, TrainResult


def trainings_of(pool: TrainingPool, config: TrainingConfig, trees: Sequence[LossTree]) -> list[Training]:
    """Return a training of each loss, with seed 0 and the configuration's learning rate."""
    context = pool.context(config)
    return [Training(context, tree, 0, config.learning_rate) for tree in trees]


def train(pool: TrainingPool, config: TrainingConfig, trainings: Sequence[Training]) -> list[TrainResult]:
    """Return the results of trainings, in the order in which they end."""
    pool.submit(config, trainings)
    results: list[TrainResult] = []
    while len(results) < len(trainings):
        results += [result for _, result in pool.wait()]
    return results
