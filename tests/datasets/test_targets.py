from typing import Any

import numpy as np
import pytest

from glojax.datasets import Dataset
from glojax.errors import DatasetError

RNG = np.random.default_rng(0)
TABLE = RNG.normal(size=(40, 3))
CLASSES = np.arange(40) % 4
LABELS = np.array([[0, 0, 1], [1, 1, 0], [1, 0, 0], [0, 0, 0]])[CLASSES]
SOFT = RNG.dirichlet(np.ones(5), size=40)
PIXELS = RNG.integers(0, 3, size=(40, 2, 6))


@pytest.mark.parametrize(
    ("targets", "task", "num_outputs", "dtype", "shape"),
    [
        (CLASSES, "classification", 4, np.int32, ()),
        (CLASSES[:, None] > 1, "classification", 2, np.int32, ()),
        (np.eye(6)[CLASSES], "classification", 6, np.float32, (6,)),
        (SOFT, "classification", 5, np.float32, (5,)),
        (LABELS, "multilabel", 3, np.int32, (3,)),
        (LABELS.astype(bool), "multilabel", 3, np.int32, (3,)),
        (TABLE[:, 0], "regression", 1, np.float32, (1,)),
        (TABLE[:, :1], "regression", 1, np.float32, (1,)),
        (TABLE, "regression", 3, np.float32, (3,)),
        (CLASSES.astype(np.float16), "regression", 1, np.float32, (1,)),
        (PIXELS, "segmentation", 3, np.int32, (2, 6)),
    ],
)
def test_type_shape_and_values_tell_the_task(
    targets: Any, task: str, num_outputs: int, dtype: Any, shape: tuple[int, ...]
) -> None:
    dataset = Dataset.from_arrays("mine", TABLE, targets, validation=[0])

    assert (dataset.task, dataset.num_outputs) == (task, num_outputs)
    assert (dataset.train.targets.dtype, dataset.train.targets.shape) == (dtype, (39, *shape))
    np.testing.assert_allclose(dataset.train.targets, np.reshape(targets[1:], (39, *shape)), rtol=1e-6)


@pytest.mark.parametrize(
    ("targets", "candidates"),
    [
        (np.eye(4, dtype=int)[CLASSES], "classification or for multilabel"),
        (LABELS.astype(float), "multilabel or for regression"),
        (PIXELS[:, 0], "regression or for segmentation"),
    ],
)
def test_targets_that_could_be_for_two_tasks_are_refused_and_a_named_task_decides(
    targets: Any, candidates: str
) -> None:
    with pytest.raises(DatasetError) as caught:
        Dataset.from_arrays("mine", TABLE, targets)

    assert f"could be for {candidates}; expected one of these" in str(caught.value)
    assert "\n" not in str(caught.value)
    for task in candidates.split(" or for "):
        assert Dataset.from_arrays("mine", TABLE, targets, task=task).task == task  # type: ignore[arg-type]


def test_whole_numbers_are_for_regression_where_one_says_so() -> None:
    dataset = Dataset.from_arrays("mine", TABLE, CLASSES - 2, validation=[3], task="regression")

    np.testing.assert_array_equal(dataset.validation.targets, np.array([[1]], np.float32))


@pytest.mark.parametrize(
    ("task", "targets", "message"),
    [
        (
            "multilabel",
            LABELS * 2,
            "from 0 to 2, which do not fit multilabel with 3 outputs; expected 0 or",
        ),
        ("multilabel", CLASSES % 2, "which do not fit multilabel"),
        ("segmentation", CLASSES, "which do not fit segmentation with 4 outputs"),
        ("classification", SOFT * 2, "which do not fit classification with 5 outputs"),
        ("regression", PIXELS, "which do not fit regression"),
        ("regression", TABLE[:, 0] * np.inf, "In the training split: The targets hold NaN or infinity"),
        ("other", CLASSES, "The task is 'other'; expected one of classification"),
    ],
)
def test_targets_outside_the_domain_of_the_task_are_refused(task: Any, targets: Any, message: str) -> None:
    with pytest.raises(DatasetError) as caught:
        Dataset.from_arrays("mine", TABLE, targets, task=task)

    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_fraction_of_numbers_is_drawn_from_all() -> None:
    dataset = Dataset.from_arrays("mine", TABLE, TABLE[:, 0], validation=0.25)

    assert [len(split) for split in dataset.splits.values()] == [30, 10]
    both = np.concatenate([dataset.train.targets, dataset.validation.targets])
    np.testing.assert_array_equal(np.sort(both[:, 0]), np.sort(TABLE[:, 0].astype(np.float32)))


def test_soft_labels_are_drawn_from_each_class() -> None:
    dataset = Dataset.from_arrays("mine", TABLE, np.eye(4)[CLASSES], validation=0.2)

    assert dataset.validation.targets.sum(axis=0).tolist() == [2, 2, 2, 2]


def test_weights_go_with_their_examples() -> None:
    inputs = np.arange(40.0)
    dataset = Dataset.from_arrays(
        "mine", inputs, CLASSES, weights=inputs + 1, validation=0.2, test=(inputs[:5], CLASSES[:5], np.ones(5))
    )

    for split in (dataset.train, dataset.validation):
        assert split.weights is not None
        np.testing.assert_array_equal(split.weights, split.inputs + 1)
    assert dataset.test is not None
    np.testing.assert_array_equal(dataset.test.weights, np.ones(5, np.float32))
    less = dataset.with_train_fraction(0.5, seed=0).train
    np.testing.assert_array_equal(less.weights, less.inputs + 1)


@pytest.mark.parametrize("targets", [3, PIXELS.astype(float), np.eye(3)[PIXELS]])
def test_targets_of_no_task_are_refused_with_the_forms_that_there_are(targets: Any) -> None:
    with pytest.raises(DatasetError, match=r"expected numbers of shape \[N\] or \[N, K\], or classes as whole numbers"):
        Dataset.from_arrays("mine", TABLE, targets)


def test_numbers_that_float32_does_not_hold_are_refused() -> None:
    with pytest.raises(DatasetError, match="In the training split: The targets hold NaN or infinity"):
        Dataset.from_arrays("mine", TABLE, TABLE[:, 0] * 1e300)
