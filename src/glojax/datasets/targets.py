"""What the targets of a data set are: its task, and the form in which a split holds them."""

from typing import Any, Final, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from glojax.datasets.arrays import as_array, as_float32
from glojax.errors import DatasetError

#: What a network learns: one of several classes; any number of labels; numbers; or a class for each pixel or position.
TaskName: TypeAlias = Literal["classification", "multilabel", "regression", "segmentation"]

Targets: TypeAlias = NDArray[np.int32] | NDArray[np.float32]

#: A larger label makes the network's last layer useless, and is probably no class.
_LARGEST_LABEL: Final = 2**16 - 1

_FORMS: Final = {
    "classification": "classes numbered from 0, of shape [N], or class probabilities [N, C] that sum to 1",
    "multilabel": "0 or 1 for each label, of shape [N, C]",
    "regression": "numbers of shape [N] or [N, K]",
    "segmentation": "classes numbered from 0, of shape [N, H, W], or [N, T] for sequences",
}


def require_task(task: Any) -> TaskName:
    """Return the name of a task, or raise DatasetError."""
    if task not in _FORMS:
        raise DatasetError(f"The task is {task!r}; expected one of {', '.join(get_args(TaskName))}: correct it.")
    return task  # type: ignore[no-any-return]


def infer_task(targets: ArrayLike) -> TaskName:
    """Return the task that targets are for, or raise DatasetError where they could be for two."""
    array = _numbers(targets, "training", "numbers")
    is_float = np.issubdtype(array.dtype, np.floating)
    candidates: list[TaskName]
    if array.ndim == 0 or (array.ndim > 2 and is_float):
        raise DatasetError(
            f"The training targets are {array.dtype} of shape {array.shape}; expected numbers of shape [N] or [N, K], "
            "or classes as whole numbers: convert them, perhaps with argmax(axis=-1) or astype(int)."
        )
    if array.ndim == 1:
        candidates = ["regression" if is_float else "classification"]
    elif array.ndim > 2:
        candidates = ["segmentation"]
    elif _is_distribution(array):
        candidates = ["classification"] if is_float else ["classification", "multilabel"]
    elif array.ndim == 2 and np.isin(array, (0, 1)).all():
        candidates = ["multilabel", "regression"] if is_float else ["multilabel"]
    else:
        candidates = ["regression"] if is_float else ["regression", "segmentation"]
    if len(candidates) > 1:
        raise DatasetError(
            f"The training targets, {array.dtype} of shape {array.shape}, could be for {' or for '.join(candidates)}; "
            "expected one of these as the task: give it."
        )
    return candidates[0]


def as_targets(targets: ArrayLike, task: TaskName, which: str) -> Targets:
    """Convert the targets of the `which` split to the types that `check_targets` expects."""
    array = _numbers(targets, which, _FORMS[task])
    if task == "regression" or (task == "classification" and array.ndim == 2):
        return as_float32(array[:, np.newaxis] if array.ndim == 1 else array)
    if np.issubdtype(array.dtype, np.floating) and not (array == np.round(array)).all():
        raise DatasetError(
            f"The {which} targets are {array.dtype} of shape {array.shape}, not all of them whole; expected "
            f"{_FORMS[task]}: give the task that they are for."
        )
    if array.size and not 0 <= array.min() <= array.max() <= _LARGEST_LABEL:
        raise DatasetError(
            f"The {which} targets run from {array.min()} to {array.max()}; expected classes numbered from 0, to "
            f"{_LARGEST_LABEL} at most: renumber them, perhaps with numpy.unique(..., return_inverse=True)."
        )
    return array.astype(np.int32, copy=False)


def count_outputs(task: TaskName, targets: Targets) -> int:
    """Return how many outputs of a network these targets need: classes, labels or numbers."""
    if task in ("classification", "segmentation") and targets.dtype == np.int32:
        return 1 + int(targets.max(initial=0))
    return int(targets.shape[-1])


def check_targets(task: TaskName, targets: Targets, num_outputs: int, where: str) -> None:
    """Raise DatasetError, which says `where`, unless the targets are in a task's domain."""
    is_classes = task == "segmentation" or (task == "classification" and targets.dtype == np.int32)
    if is_classes:
        fits = targets.dtype == np.int32 and (targets.ndim == 1 if task == "classification" else targets.ndim > 1)
        if fits and targets.max() >= num_outputs:
            raise DatasetError(
                f"The {where} holds label {targets.max()}; expected 0 to {num_outputs - 1}: correct the labels or "
                "num_outputs."
            )
        fits = fits and bool(targets.min() >= 0)
    else:
        fits = targets.shape[1:] == (num_outputs,)
        if task == "classification":
            fits = fits and _is_distribution(targets)
        elif task == "multilabel":
            fits = fits and targets.dtype == np.int32 and bool(np.isin(targets, (0, 1)).all())
        else:
            fits = fits and targets.dtype == np.float32
    if not fits:
        raise DatasetError(
            f"The {where} has targets of {targets.dtype} and shape {targets.shape}, from {targets.min():g} to "
            f"{targets.max():g}, which do not fit {task} with {num_outputs} outputs; expected {_FORMS[task]}: correct "
            "them, or the task."
        )


def _numbers(targets: ArrayLike, which: str, expected: str) -> NDArray[Any]:
    """Return targets as an array of real numbers, [N, 1] as [N]."""
    array = as_array(targets, f"{which} targets")
    if array.dtype.kind not in "biuf":
        advice = "convert them with astype" if array.dtype.kind in "cmM" else "number them, perhaps with numpy.unique"
        raise DatasetError(
            f"The {which} targets are {array.dtype} of shape {array.shape}; expected {expected}: {advice}."
        )
    return array[:, 0] if array.ndim == 2 and array.shape[1] == 1 else array


def _is_distribution(array: NDArray[Any]) -> bool:
    """Return whether each row of a matrix holds probabilities that sum to 1, up to rounding."""
    return array.ndim == 2 and bool((array >= 0).all() and np.allclose(array.sum(axis=1), 1, rtol=0, atol=1e-3))
