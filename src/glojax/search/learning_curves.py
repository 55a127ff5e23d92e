"""Learning curves of compared losses, which their trainings are measured for on the way."""

import math
import statistics
from dataclasses import dataclass

from glojax.evaluation import Evaluation
from glojax.training import TrainingConfig

#: The greatest number of evaluations on the way, where the configuration asks for none: each takes time.
_NUM_POINTS = 20


@dataclass(frozen=True)
class LearningCurve:
    """The mean validation score over the seeds after numbers of steps; None where no training has a finite one."""

    steps: list[int]
    validation: list[float | None]

    def __post_init__(self) -> None:
        if len(self.steps) != len(self.validation):
            raise ValueError(f"a learning curve has {len(self.steps)} steps and {len(self.validation)} scores")


def evaluation_interval(config: TrainingConfig) -> int:
    """Return the steps after which a compared loss is measured on the validation split."""
    return config.evaluate_every or math.ceil(config.num_steps / _NUM_POINTS)


def learning_curve(evaluation: Evaluation, steps: tuple[int, ...]) -> LearningCurve | None:
    """Return the curve at the best learning rate; None where no training was measured on the way.

    A training that broke off counts until then.
    """
    curves = [one.curve for one in evaluation.trials if one.learning_rate == evaluation.learning_rate and one.curve]
    if not curves:
        return None
    known = [[score for score in scores if score is not None] for scores in zip(*curves, strict=True)]
    return LearningCurve(list(steps), [round(statistics.fmean(scores), 6) if scores else None for scores in known])
