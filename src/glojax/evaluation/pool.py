"""The interface of training pools: the devices of this process, or the workers of a cluster."""

from collections.abc import Sequence
from typing import Final, NamedTuple, Protocol

from glojax.expressions import LossTree
from glojax.tasks import Task
from glojax.training import TrainingConfig, TrainResult

#: Seconds that a pool waits, when it is cancelled, for the trainings in progress.
GRACE_SECONDS: Final = 9.0


class Training(NamedTuple):
    """A training, by all that its result depends on.

    Attributes:
        context: The identity of the computation that trainings share: network, data and configuration.
        tree: The loss function in canonical form.
        seed: The seed of initial network, batches, augmentation and dropout.
        learning_rate: A float32.
    """

    context: str
    tree: LossTree
    seed: int
    learning_rate: float


#: A training and its result, of NumPy scalars.
Trained = tuple[Training, TrainResult]


class TrainingPool(Protocol):
    """Does trainings, in any order; raises GlojaxError if a device has no memory for a single candidate.

    Attributes:
        task: What the networks learn.
    """

    task: Task

    def context(self, config: TrainingConfig) -> str:
        """Return the identity of what trainings with this configuration compute, at any learning rate."""

    def room(self, config: TrainingConfig) -> int:
        """Return the number of trainings that would begin at once."""

    def submit(self, config: TrainingConfig, trainings: Sequence[Training]) -> None:
        """Queue trainings, whose context belongs to `config`."""

    def wait(self) -> list[Trained]:
        """Wait until trainings are done, or until there may be new room; something must be in progress.

        Returns:
            The results since the last call; may be empty.
        """

    def cancel(self) -> list[Trained]:
        """Drop queued trainings, wait up to `GRACE_SECONDS` for the others, and return results as `wait` does."""
