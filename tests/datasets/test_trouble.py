"""Label noise and imbalance that are put into training data, compared with their definitions."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, strategies as st
from numpy.typing import NDArray
from scipy.stats import chisquare

from glojax.datasets import Dataset, DatasetSource, NoiseKind, Split, load_dataset
from glojax.datasets.trouble import imbalanced_indices, noisy_labels
from glojax.errors import DatasetError

SEEDS = st.integers(0, 2**31 - 1)
SHARES = st.floats(0, 1)


def make_labels(seed: int, num_classes: int, size: int = 300) -> NDArray[np.int32]:
    return np.random.default_rng(seed).integers(num_classes, size=size, dtype=np.int32)


@given(SEEDS, st.integers(2, 12), SHARES, st.sampled_from(["symmetric", "pair"]), st.integers(1, 300))
def test_exactly_the_share_of_the_labels_is_wrong(
    seed: int, num_classes: int, share: float, kind: NoiseKind, size: int
) -> None:
    labels = make_labels(seed, num_classes, size)

    noisy = noisy_labels(labels, num_classes, share, kind, seed)

    assert (noisy != labels).sum() == round(share * size)
    assert noisy.dtype == np.int32
    assert 0 <= noisy.min() <= noisy.max() < num_classes
    if kind == "pair":
        assert np.isin((noisy - labels) % num_classes, (0, 1)).all()


def test_a_symmetric_wrong_label_is_any_other_class_alike() -> None:
    labels = np.zeros(9_000, np.int32) + 3

    noisy = noisy_labels(labels, 10, 1, "symmetric", seed=0)

    counts = np.bincount(noisy, minlength=10)
    assert counts[3] == 0
    assert chisquare(np.delete(counts, 3)).pvalue > 0.01


@given(SEEDS, SHARES, SHARES)
def test_less_noise_is_a_part_of_more(seed: int, one: float, other: float) -> None:
    labels = make_labels(seed, 5)
    less, more = (noisy_labels(labels, 5, share, "symmetric", seed) for share in sorted((one, other)))

    wrong = less != labels
    assert (less[wrong] == more[wrong]).all()


@given(SEEDS, st.integers(2, 12), st.floats(0.001, 1))
def test_classes_follow_the_exponential_profile(seed: int, num_classes: int, ratio: float) -> None:
    labels = np.arange(60 * num_classes, dtype=np.int32) % num_classes

    indices = imbalanced_indices(labels, num_classes, ratio, seed)

    expected = [max(1, round(60 * ratio ** (k / (num_classes - 1)))) for k in range(num_classes)]
    assert np.bincount(labels[indices], minlength=num_classes).tolist() == expected
    assert (np.diff(indices) > 0).all()


@given(SEEDS, st.floats(0.01, 1))
def test_the_ratio_holds_whatever_the_classes_were(seed: int, ratio: float) -> None:
    labels = make_labels(seed, 4, 4_000)
    counts = np.bincount(labels)

    kept = np.bincount(labels[imbalanced_indices(labels, 4, ratio, seed)], minlength=4)

    profile = ratio ** (np.arange(4) / 3)
    assert (np.abs(kept - kept[0] * profile) <= 1).all()
    assert (kept <= counts).all()
    assert (kept == counts).any()  # no more could be kept


@given(SEEDS, st.floats(0.01, 1), st.floats(0.01, 1))
def test_more_imbalance_keeps_a_part_of_less(seed: int, one: float, other: float) -> None:
    labels = np.arange(400, dtype=np.int32) % 4
    more, less = (set(imbalanced_indices(labels, 4, ratio, seed).tolist()) for ratio in sorted((one, other)))

    assert more <= less


def test_seeds_draw_differently_and_repeat() -> None:
    digits = load_dataset("digits")
    fingerprints = [digits.with_label_noise(0.4, seed).fingerprint for seed in (0, 1, 0)]
    fingerprints += [digits.with_imbalance(0.1, seed).fingerprint for seed in (0, 1, 0)]

    assert fingerprints[0] == fingerprints[2]
    assert fingerprints[3] == fingerprints[5]
    assert len({*fingerprints, digits.fingerprint}) == 5


def test_only_training_labels_become_wrong() -> None:
    digits = load_dataset("digits")

    noisy = digits.with_label_noise(0.4, seed=0)

    assert (noisy.train.targets != digits.train.targets).mean() == pytest.approx(0.4, abs=1e-3)
    assert (noisy.train.inputs == digits.train.inputs).all()
    assert (noisy.validation, noisy.test) == (digits.validation, digits.test)
    assert noisy.origin == f"{digits.origin}; 40 % of the training labels wrong (symmetric)"


def test_weights_stay_with_their_examples() -> None:
    labels = np.arange(40, dtype=np.int32) % 4
    split = Split(np.arange(40, dtype=np.int32)[:, None], labels, np.arange(1, 41, dtype=np.float32))
    changed = Dataset("toy", split, split, None, 4).with_imbalance(0.2, seed=0).with_label_noise(0.5, seed=0)

    assert changed.train.weights is not None
    assert (changed.train.weights == changed.train.inputs[:, 0] + 1).all()


def test_a_source_applies_fraction_imbalance_and_noise_in_this_order() -> None:
    source = DatasetSource("digits", train_fraction=0.5, imbalance=0.1, label_noise=0.4, noise_kind="pair", seed=3)

    expected = (
        load_dataset("digits").with_train_fraction(0.5, 3).with_imbalance(0.1, 3).with_label_noise(0.4, 3, "pair")
    )
    assert source.load().fingerprint == expected.fingerprint
    assert source.absolute() == source


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        ({"label_noise": 1.5}, r"The label noise is 1\.5; expected a share of the labels, from 0 to 1"),
        ({"label_noise": float("nan")}, "The label noise is nan"),
        (
            {"label_noise": 0.1, "noise_kind": "asymmetric"},
            "The noise kind is 'asymmetric'; expected one of symmetric, pair",
        ),
        ({"label_noise": 0.1, "seed": -1}, "The seed of the label noise is -1"),
        ({"imbalance": 0.0}, r"The imbalance is 0\.0; expected the ratio of the rarest"),
        ({"imbalance": 100}, "The imbalance is 100"),
        ({"imbalance": 0.1, "seed": -1}, "The seed of the imbalance is -1"),
    ],
)
def test_numbers_out_of_range_are_refused(arguments: dict[str, Any], found: str) -> None:
    with pytest.raises(DatasetError, match=found):
        DatasetSource("digits", **arguments).load()


@pytest.mark.parametrize("dtype", [np.int64, np.float64])
def test_one_hot_targets_get_the_wrong_labels_and_lose_the_examples_that_classes_do(dtype: type[Any]) -> None:
    labels = np.arange(60) % 4
    by_number, one_hot = (
        Dataset.from_arrays("mine", np.arange(60.0)[:, None], targets, task="classification")
        .with_imbalance(0.3, seed=5)
        .with_label_noise(0.4, seed=5)
        for targets in (labels, np.eye(4, dtype=dtype)[labels])
    )

    assert (one_hot.train.inputs == by_number.train.inputs).all()
    assert one_hot.train.targets.dtype == np.float32
    assert (one_hot.train.targets == np.eye(4)[by_number.train.targets]).all()


def test_targets_that_are_no_classes_are_refused() -> None:
    inputs = np.random.default_rng(0).normal(size=(40, 3))
    for targets in (inputs[:, 0], np.full((40, 4), 0.25)):
        dataset = Dataset.from_arrays("mine", inputs, targets)
        with pytest.raises(
            DatasetError, match=r"'mine' was given label noise, and its targets are for .*or one-hot: leave the label"
        ):
            dataset.with_label_noise(0.1, seed=0)
        with pytest.raises(DatasetError, match="'mine' was given imbalance, and its targets are for"):
            dataset.with_imbalance(0.1, seed=0)
