"""A training pool from outside the package, which trains nothing."""

from collections import deque
from collections.abc import Callable, Sequence

from glojax.errors import ConfigurationError
from glojax.evaluation import Trained, Training
from glojax.evaluation.journal import recorded_result
from glojax.tasks import TASKS
from glojax.training import TrainingConfig, TrainResult

STEPS = 10


def scalar_result(
    score: float, finite: bool = True, steps: int = STEPS, splits: Sequence[str] = ("validation",)
) -> TrainResult:
    return recorded_result({"scores": dict.fromkeys(splits, score), "finite": finite, "steps": steps})


def size_and_seed(training: Training) -> TrainResult:
    """Score each function, seed and rate differently."""
    return scalar_result(round(training.tree.size / 100 + training.seed / 1000 + training.learning_rate / 2, 6))


class FakePool:
    """Does one training with each call of `wait`, the oldest first.

    Attributes:
        size: Trainings that are in progress at once; the others are queued.
        submitted: Every training in the order of submission.
        num_cancelled: Calls of `cancel`.
    """

    task = TASKS["classification"]

    def __init__(self, result: Callable[[Training], TrainResult] = size_and_seed, size: int = 2):
        self.size = size
        self.submitted: list[Training] = []
        self.num_cancelled = 0
        self._result = result
        self._waiting: deque[Training] = deque()

    def context(self, config: TrainingConfig) -> str:
        if config.batch_size > 1000:
            raise ConfigurationError(f"batch_size is {config.batch_size}; the data set has 1000 images.")
        return f"{config.num_steps} steps, then {config.splits}"

    def room(self, config: TrainingConfig) -> int:
        return max(0, self.size - len(self._waiting))

    def submit(self, config: TrainingConfig, trainings: Sequence[Training]) -> None:
        self.submitted += trainings
        self._waiting += trainings

    def wait(self) -> list[Trained]:
        training = self._waiting.popleft()
        return [(training, self._result(training))]

    def cancel(self) -> list[Trained]:
        self.num_cancelled += 1
        in_progress = [*self._waiting][: self.size]
        self._waiting.clear()
        return [(training, self._result(training)) for training in in_progress]
