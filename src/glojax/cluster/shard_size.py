"""The number of trainings in a worker's next shard."""

from collections.abc import Sequence

from glojax.training import TrainResult

_WEIGHT = 0.5  #: Weight of the latest shard in a worker's trainings per second.


class Speed:
    """The measured speed of a worker, None until its second shard: during the first one it compiles."""

    def __init__(self) -> None:
        self.trainings_per_second: float | None = None  # an exponential moving average over shards
        self.steps_per_second: float | None = None  # the average of all shards
        self._is_first = True
        self._steps, self._seconds = 0, 0.0

    def add(self, results: Sequence[TrainResult], seconds: float) -> None:
        """Update the speed with the results of a shard and its duration in seconds."""
        if self._is_first:
            self._is_first = False
            return
        seconds = max(seconds, 1e-6)
        latest = len(results) / seconds
        before = self.trainings_per_second
        self.trainings_per_second = latest if before is None else _WEIGHT * latest + (1 - _WEIGHT) * before
        self._steps += sum(int(result.num_steps) for result in results)
        self._seconds += seconds
        self.steps_per_second = self._steps / self._seconds


def shard_size(num_left: int, num_slots: int, own: float | None, total: float | None, max_seconds: float) -> int:
    """Return half of a worker's share of the remaining trainings, so that all workers end at about the same time.

    It is a multiple of `num_slots`, the trainings that the worker does at once, if enough are left. `own` and `total`
    are trainings per second of the worker and of all workers; None if unknown, which gives one training for each slot.

    Source: guided self-scheduling (Polychronopoulos and Kuck, 1987), with the half of factoring (Hummel, Schonberg and
    Flynn, 1992).

    Examples:
        >>> [shard_size(num_left, 1, 2.0, 8.0, max_seconds=10.0) for num_left in (400, 80, 8, 1)]
        [20, 10, 1, 1]
    """
    if own is None or not total:
        return min(num_slots, num_left)
    size = int(min(num_left * own / total / 2, max_seconds * own))
    return min(num_left, max(1, size // num_slots) * num_slots)
