"""How many trainings a worker is given at a time."""

from collections.abc import Sequence

from glojax.training import TrainResult

#: Weight of the latest shard in a worker's pace.
_WEIGHT = 0.5


class Pace:
    """How fast a worker is, from the second shard on: with the first it compiles.

    Attributes:
        trainings_per_second: Of late; None until it is known.
        steps_per_second: Since the second shard; None until it is known.
    """

    def __init__(self) -> None:
        self.trainings_per_second: float | None = None
        self.steps_per_second: float | None = None
        self._is_first = True
        self._steps, self._seconds = 0, 0.0

    def add(self, results: Sequence[TrainResult], seconds: float) -> None:
        """Take a shard into account: its results, and how long it took."""
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


def shard_size(num_left: int, lanes: int, own: float | None, total: float | None, most_seconds: float) -> int:
    """Trainings of a worker's next shard: half of its share of what is left, so that all end together.

    Args:
        num_left: Trainings that nobody has yet, at least 1.
        lanes: Trainings that the worker does at once.
        own: Trainings that it does in a second; None where that is not known, and it gets one for each lane.
        total: Those that all workers do in a second.
        most_seconds: Work of the largest shard.

    Source: guided self-scheduling (Polychronopoulos and Kuck, 1987), with the half of factoring (Hummel, Schonberg and
    Flynn, 1992).

    Example:
        >>> [shard_size(left, 1, 2.0, 8.0, most_seconds=10.0) for left in (400, 80, 8, 1)]
        [20, 10, 1, 1]
    """
    if own is None or not total:
        return min(lanes, num_left)
    size = int(min(num_left * own / total / 2, most_seconds * own))
    # Whole rounds of all lanes.
    return min(num_left, max(1, size // lanes) * lanes)
