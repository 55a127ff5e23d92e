"""The data sets of scikit-learn, which need no download, and one of pixels that is made of them."""

from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from glojax.datasets.dataset import Dataset
from glojax.datasets.split import Split

#: Side in pixels of the images of `load_digit_segmentation`, and from which share of ink on a pixel is one of a digit.
CANVAS_SIZE: Final = 12
INK: Final = 0.25

_NOISE: Final = 0.9  # the most ink of the background
_NUM_VALIDATION: Final = 90  # each has many pixels, and a short training would take less time than its validation
_SEED: Final = 0


def load_digits() -> Dataset:
    """Load 1,077 training, 360 validation and 360 test images [N, 8, 8, 1] in [0, 1]: the counts 0 to 16, over 16.

    The split is ours, and stratified: every split has the same shares of the ten classes, to one image.

    Source: Alpaydin and Kaynak, Optical Recognition of Handwritten Digits (UCI, 1998), test part, from scikit-learn.
    """
    # The import takes a second, and other data sets do not need it.
    from sklearn.datasets import load_digits as load_sklearn_digits

    source = load_sklearn_digits()
    images = (source.images[..., np.newaxis] / 16).astype(np.float32)
    labels = source.target.astype(np.int32)
    parts = _three_parts(len(labels), 360, labels)
    train, validation, test = (Split(images[rows], labels[rows]) for rows in parts)
    return Dataset("digits", train, validation, test, num_outputs=10, origin=_origin())


def load_table(name: str) -> Dataset:
    """Load a table of scikit-learn: three fifths of its rows to train on, a fifth to validate and a fifth to test.

    Inputs [N, F] float32 are standardised: less their mean, over their deviation, both of the training rows. So are the
    targets of `diabetes`, a measure of how the disease went on within a year; the split of the others is stratified.
    """
    from sklearn import datasets

    source = getattr(datasets, f"load_{name}")()
    is_classes = name != "diabetes"
    rows = _three_parts(len(source.target), len(source.target) // 5, source.target if is_classes else None)
    inputs = _standardised(source.data, rows[0])
    targets = source.target.astype(np.int32) if is_classes else _standardised(source.target[:, np.newaxis], rows[0])
    train, validation, test = (Split(inputs[indices], targets[indices]) for indices in rows)
    return Dataset(
        name,
        train,
        validation,
        test,
        len(source.target_names) if is_classes else 1,
        origin=_origin(),
        task="classification" if is_classes else "regression",
    )


def load_digit_segmentation() -> Dataset:
    """Load images [N, 12, 12, 1], each with one of `load_digits` on a noisy background, and a class for each pixel.

    Class 0 is the background, class 1 the ink of the digit, from a quarter of full ink on. The background is uniform
    noise of up to 0.9, and ink covers it where it is darker. Splits are those of the digits, of whose validation images
    the first 90 serve; places and noise are the same every time.
    """
    digits, rng = load_digits(), np.random.default_rng(_SEED)
    train, validation, test = (_placed(split, rng) for split in digits.splits.values())
    validation = Split(validation.inputs[:_NUM_VALIDATION], validation.targets[:_NUM_VALIDATION])
    return Dataset("digit_segmentation", train, validation, test, 2, origin=digits.origin, task="segmentation")


def _placed(split: Split, rng: np.random.Generator) -> Split:
    N, side = len(split), split.inputs.shape[1]
    images = rng.uniform(0, _NOISE, (N, CANVAS_SIZE, CANVAS_SIZE)).astype(np.float32)
    classes = np.zeros((N, CANVAS_SIZE, CANVAS_SIZE), np.int32)
    corners = rng.integers(0, CANVAS_SIZE - side + 1, (N, 2))
    for index, (top, left) in enumerate(corners):
        place = index, slice(top, top + side), slice(left, left + side)
        ink = split.inputs[index, ..., 0]
        images[place] = np.maximum(images[place], ink)
        classes[place] = ink >= INK
    return Split(images[..., np.newaxis], classes)


def _three_parts(num_rows: int, part_size: int, classes: NDArray[Any] | None) -> list[NDArray[np.intp]]:
    """Return the rows of training, validation and test, the latter two of a given size, stratified by classes."""
    from sklearn.model_selection import train_test_split

    def hold_out(rows: Any) -> Any:
        stratify = None if classes is None else classes[rows]
        return train_test_split(rows, test_size=part_size, stratify=stratify, random_state=0)

    rest, test = hold_out(np.arange(num_rows))
    return [*hold_out(rest), test]


def _standardised(array: NDArray[Any], training_rows: NDArray[np.intp]) -> NDArray[np.float32]:
    training = array[training_rows]
    standardised: NDArray[np.float32] = ((array - training.mean(axis=0)) / training.std(axis=0)).astype(np.float32)
    return standardised


def _origin() -> str:
    from sklearn import __version__

    return f"scikit-learn {__version__}"


#: The functions that make them, by name.
EMBEDDED: Final[dict[str, Callable[[], Dataset]]] = {
    "diabetes": lambda: load_table("diabetes"),
    "breast_cancer": lambda: load_table("breast_cancer"),
    "wine": lambda: load_table("wine"),
    "digit_segmentation": load_digit_segmentation,
}
