"""The result of a training as a JSON object, and that of a training which crashes its worker."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from glojax.training import TrainResult


def result_record(result: TrainResult) -> dict[str, Any]:
    """Return a result, of scalars, as a JSON object."""
    return {
        # The shortest text that reads back as the same float32.
        "scores": {split: float(str(score)) for split, score in result.scores.items()},
        "finite": bool(result.finite),
        "steps": int(result.num_steps),
    }


def recorded_result(record: Mapping[str, Any]) -> TrainResult:
    """Return the result, of NumPy scalars, that `result_record` has recorded."""
    scores = {split: np.float32(value) for split, value in record["scores"].items()}
    return TrainResult(scores, np.bool_(record["finite"]), np.int32(record["steps"]))  # type: ignore[arg-type]


def crashed_result(splits: Sequence[str]) -> TrainResult:
    """Return the result of a training that ends every worker: no score, and no step, unlike any other training."""
    return recorded_result({"scores": dict.fromkeys(splits, 0.0), "finite": False, "steps": 0})
