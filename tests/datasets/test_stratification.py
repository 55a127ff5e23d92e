import numpy as np
from hypothesis import given, strategies as st

from glojax.datasets.stratification import stratified_indices

LABELS = st.lists(st.integers(0, 4), min_size=1, max_size=60).map(lambda labels: np.array(labels, np.int32))
FRACTIONS = st.floats(0, 1, exclude_min=True)
SEEDS = st.integers(0, 2**32)


@given(LABELS, FRACTIONS, SEEDS)
def test_takes_the_same_share_of_each_class_and_never_none(labels: np.ndarray, fraction: float, seed: int) -> None:
    chosen = stratified_indices(labels, fraction, seed)

    assert (np.diff(chosen) > 0).all()
    for label in np.unique(labels):
        of_class = (labels == label).sum()
        taken = (labels[chosen] == label).sum()
        assert taken >= 1
        assert taken == 1 or abs(taken - fraction * of_class) <= 0.5


@given(LABELS, FRACTIONS, FRACTIONS, SEEDS)
def test_less_is_a_part_of_more(labels: np.ndarray, one: float, other: float, seed: int) -> None:
    less, more = (set(stratified_indices(labels, fraction, seed).tolist()) for fraction in sorted((one, other)))

    assert less <= more


@given(LABELS, SEEDS)
def test_all_is_all(labels: np.ndarray, seed: int) -> None:
    assert stratified_indices(labels, 1, seed).tolist() == list(range(len(labels)))


def test_depends_on_the_seed_alone() -> None:
    labels = np.arange(1_000, dtype=np.int32) % 10

    first, again, other = (stratified_indices(labels, 0.1, seed).tolist() for seed in (3, 3, 4))

    assert first == again
    assert len(set(first) & set(other)) < 30
