"""The metrics against scikit-learn in float64."""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import pytest
from scipy.special import expit, log_softmax, softmax
from sklearn import metrics as sklearn_metrics

from glojax.tasks import METRICS, TASKS, count_classes

RNG = np.random.default_rng(0)
N, C = 250, 4
LOGITS = RNG.normal(size=(N, C)) * 2
CLASSES = (LOGITS + RNG.normal(size=(N, C)) * 3).argmax(axis=1)
LABELS = (LOGITS + RNG.normal(size=(N, C)) * 2 > 0).astype(int)
SOFT = RNG.dirichlet(np.ones(C), size=N)
TARGETS = LOGITS[:, :2] + RNG.normal(size=(N, 2))
WEIGHTS = RNG.exponential(size=N)

Weights = Any


def score(name: str, outputs: Any, targets: Any, weights: Weights) -> float:
    of_targets = np.int32 if np.issubdtype(targets.dtype, np.integer) else np.float32
    arrays = outputs.astype(np.float32), targets.astype(of_targets), weights.astype(np.float32)
    return float(jax.jit(METRICS[name])(*arrays))


def expected_calibration_error(weights: Weights) -> float:
    probs = softmax(LOGITS, axis=1)
    confidence, right = probs.max(axis=1), probs.argmax(axis=1) == CLASSES
    total = 0.0
    for upper in np.arange(1, 16) / 15:
        inside = (confidence > upper - 1 / 15) & (confidence <= upper)
        if inside.any():
            gap = np.average(right[inside], weights=weights[inside]) - np.average(
                confidence[inside], weights=weights[inside]
            )
            total += abs(gap) * weights[inside].sum() / weights.sum()
    return total


def one_against_rest(weights: Weights) -> float:
    probs = softmax(LOGITS, axis=1)
    return float(
        np.mean([sklearn_metrics.roc_auc_score(c == CLASSES, probs[:, c], sample_weight=weights) for c in range(C)])
    )


PREDICTED = LOGITS.argmax(axis=1)
OF_CLASSES: dict[str, Callable[[Weights], float]] = {
    "accuracy": lambda w: sklearn_metrics.accuracy_score(CLASSES, PREDICTED, sample_weight=w),
    "balanced_accuracy": lambda w: sklearn_metrics.balanced_accuracy_score(CLASSES, PREDICTED, sample_weight=w),
    "macro_f1": lambda w: sklearn_metrics.f1_score(CLASSES, PREDICTED, average="macro", sample_weight=w),
    "log_likelihood": lambda w: -sklearn_metrics.log_loss(CLASSES, softmax(LOGITS, axis=1), sample_weight=w),
    "calibration_error": expected_calibration_error,
    "true_class_prob": lambda w: np.average(softmax(LOGITS, axis=1)[np.arange(N), CLASSES], weights=w),
    "auc": one_against_rest,
    "iou": lambda w: sklearn_metrics.jaccard_score(CLASSES, PREDICTED, average="macro", sample_weight=w),
}


@pytest.mark.parametrize("name", OF_CLASSES)
def test_of_classes(name: str) -> None:
    for weights in (np.ones(N), WEIGHTS):
        assert score(name, LOGITS, CLASSES, weights) == pytest.approx(OF_CLASSES[name](weights), rel=2e-6)


OF_LABELS: dict[str, Callable[[Weights], float]] = {
    "accuracy": lambda w: np.average(((LOGITS > 0) == LABELS).mean(axis=1), weights=w),
    "macro_f1": lambda w: sklearn_metrics.f1_score(LABELS, LOGITS > 0, average="macro", sample_weight=w),
    "log_likelihood": lambda w: float(
        np.average(np.log(np.where(LABELS, expit(LOGITS), expit(-LOGITS))).mean(axis=1), weights=w)
    ),
    "auc": lambda w: sklearn_metrics.roc_auc_score(LABELS, LOGITS, average="macro", sample_weight=w),
}


@pytest.mark.parametrize("name", OF_LABELS)
def test_of_several_labels(name: str) -> None:
    for weights in (np.ones(N), WEIGHTS):
        assert score(name, LOGITS, LABELS, weights) == pytest.approx(OF_LABELS[name](weights), rel=2e-6)


def test_the_tables_cover_every_metric_of_their_tasks() -> None:
    assert OF_CLASSES.keys() == set(TASKS["classification"].metrics) > set(TASKS["segmentation"].metrics)
    assert OF_LABELS.keys() == set(TASKS["multilabel"].metrics)
    assert METRICS.keys() == OF_CLASSES.keys() | {"r2"}


def test_of_numbers() -> None:
    for weights in (np.ones(N), WEIGHTS):
        expected = sklearn_metrics.r2_score(TARGETS, LOGITS[:, :2], sample_weight=weights)
        assert score("r2", LOGITS[:, :2], TARGETS, weights) == pytest.approx(expected, rel=2e-6)
    constant = np.zeros((N, 1))
    for outputs in (constant, constant + 1):
        assert score("r2", outputs, constant, np.ones(N)) == sklearn_metrics.r2_score(constant, outputs)


def test_of_soft_labels() -> None:
    expected = np.average((log_softmax(LOGITS, axis=1) * SOFT).sum(axis=1), weights=WEIGHTS)
    assert score("log_likelihood", LOGITS, SOFT, WEIGHTS) == pytest.approx(expected, rel=2e-6)
    expected = sklearn_metrics.accuracy_score(SOFT.argmax(axis=1), PREDICTED)
    assert score("accuracy", LOGITS, SOFT, np.ones(N)) == pytest.approx(expected, rel=2e-6)


@pytest.mark.parametrize("name", ["iou", "accuracy", "log_likelihood"])
def test_of_pixels_as_of_all_pixels_together(name: str) -> None:
    outputs, targets = LOGITS.reshape(10, 5, 5, C), CLASSES.reshape(10, 5, 5)
    expected = OF_CLASSES[name](np.repeat(WEIGHTS[:10], 25))
    assert score(name, outputs, targets, WEIGHTS[:10]) == pytest.approx(expected, rel=2e-6)


def test_the_area_under_the_curve_of_two_classes_with_ties() -> None:
    outputs = np.stack([np.zeros(N), LOGITS[:, 1].round()], axis=1)
    targets = (CLASSES == 1).astype(int)
    expected = sklearn_metrics.roc_auc_score(targets, outputs[:, 1], sample_weight=WEIGHTS)
    assert score("auc", outputs, targets, WEIGHTS) == pytest.approx(expected, rel=2e-6)
    assert np.isnan(score("auc", outputs, np.zeros(N, int), WEIGHTS))


def test_classes_that_neither_occur_nor_are_predicted_do_not_count() -> None:
    """As scikit-learn has it."""
    outputs, targets = np.eye(6)[[0, 0, 1, 3]], np.array([0, 1, 1, 0])
    predicted = outputs.argmax(axis=1)
    assert score("macro_f1", outputs, targets, np.ones(4)) == pytest.approx(
        sklearn_metrics.f1_score(targets, predicted, average="macro")
    )
    assert score("iou", outputs, targets, np.ones(4)) == pytest.approx(
        sklearn_metrics.jaccard_score(targets, predicted, average="macro")
    )
    assert score("balanced_accuracy", outputs, targets, np.ones(4)) == pytest.approx(0.5)


@pytest.mark.parametrize("name", ["accuracy", "macro_f1", "iou", "balanced_accuracy"])
def test_outputs_that_hold_a_nan_are_wrong(name: str) -> None:
    outputs = np.array([[np.nan, 0.0], [np.nan, np.nan], [1.0, -1.0]])
    assert score(name, outputs, np.zeros(3, int), np.ones(3)) == pytest.approx(0.5 if name == "macro_f1" else 1 / 3)


@pytest.mark.parametrize("num_examples", [1, 7, 200, 201, 499])
def test_accuracy_is_the_exact_share(num_examples: int) -> None:
    rng = np.random.default_rng(num_examples)
    outputs, targets = rng.normal(size=(num_examples, 4)), rng.integers(0, 4, num_examples)
    num_correct = np.sum(outputs.argmax(axis=-1) == targets)
    found = score("accuracy", outputs, targets, np.ones(num_examples))
    assert found == np.float32(num_correct) / np.float32(num_examples)


@pytest.mark.parametrize("weights", [np.ones(N), WEIGHTS])
def test_class_counts_are_a_confusion_matrix_and_the_bins_of_the_calibration_error(weights: Weights) -> None:
    confusion, bins = jax.jit(count_classes)(*map(np.float32, (LOGITS, np.eye(C)[CLASSES], weights)))
    expected = sklearn_metrics.confusion_matrix(CLASSES, LOGITS.argmax(axis=1), sample_weight=weights)
    np.testing.assert_allclose(confusion, expected, rtol=1e-5)
    count, right, confidence = np.asarray(bins)
    assert count.sum() == pytest.approx(weights.sum(), rel=1e-5)
    assert right.sum() == pytest.approx(np.trace(confusion), rel=1e-5)
    error = np.abs(right - confidence).sum() / count.sum()
    assert error == pytest.approx(expected_calibration_error(weights), rel=1e-4)


def test_class_counts_leave_out_what_has_a_nan() -> None:
    outputs = np.array([[1, 0], [np.nan, 0], [0, 1]], np.float32)
    confusion, bins = count_classes(outputs, np.array([0, 0, 0]), np.ones(3, np.float32))  # type: ignore[arg-type]
    np.testing.assert_array_equal(confusion, [[1, 1], [0, 0]])
    assert np.asarray(bins)[0].sum() == 2
