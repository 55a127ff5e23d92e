from dataclasses import replace
from typing import get_args

import jax
import numpy as np
import pytest

from glojax.datasets import load_dataset
from glojax.expressions import LossTree
from glojax.losses import LossProgram
from glojax.networks import ConvolutionLowering
from glojax.training import (
    Train,
    TrainingConfig,
    TrainResult,
    chunk_bytes,
    make_train,
    segments,
    train_in_segments,
    train_population,
)
from tests.compilation import counted_compilations
from tests.linear_network import LinearNetwork
from tests.training.tiny_cnn import TinyCNN

#: Some never fail; some fail at the first step; those with a barrier once a probability has come down to it.
LOSSES = [
    *("x * log(y)", "x / (y - y)", "log(y) - x / y", "x * log(y - 1)", "3 * x * log(y) - 0.001 * log(y - 0.03)"),
    *("x * sqrt(y) - y^2", "log(x) + y", "x * y", "3 * x * log(y) - 0.001 * log(y - 0.04)", "log(x)", "x - y^2"),
    "9 * x * log(y) - 0.001 * log(y - 0.03)",
]
PROGRAMS = LossProgram.from_trees([LossTree.parse(text) for text in LOSSES], 16)
RATES = np.full(len(LOSSES), 0.05, np.float32)
KEY = jax.random.key(3)
InPairs = tuple[TrainResult, list[tuple[int, int]], list[str]]
CONFIG = TrainingConfig(60, batch_size=24, learning_rate=0.05)

# Chunks of 5 leave 2 over: what is compiled for both widths serves all tests.


@pytest.fixture(scope="module")
def train() -> Train:
    """On a device for which nothing has been compiled before."""
    train: Train = jax.device_put(make_train(LinearNetwork, load_dataset("digits"), CONFIG), jax.devices()[1])
    return train


@pytest.fixture(scope="module")
def one_by_one(train: Train) -> TrainResult:
    return train_population(train, PROGRAMS, KEY, RATES)


def assert_close(ours: TrainResult, theirs: TrainResult) -> None:
    np.testing.assert_array_equal(ours.finite, theirs.finite)
    np.testing.assert_array_equal(ours.num_steps, theirs.num_steps)
    # Rounding may move a few of 360 predictions across the border.
    np.testing.assert_allclose(ours.scores["validation"], theirs.scores["validation"], atol=5 / 360)


def assert_packing_changes_nothing(train: Train, chunk_size: int, monkeypatch: pytest.MonkeyPatch) -> TrainResult:
    packed = train_in_segments(train, PROGRAMS, KEY, RATES, chunk_size)
    with monkeypatch.context() as patch:
        patch.setattr(segments, "FIRST_SEGMENT", train.config.num_steps)
        at_once = train_in_segments(train, PROGRAMS, KEY, RATES, chunk_size)
    for ours, theirs in zip(jax.tree.leaves(packed), jax.tree.leaves(at_once), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    return packed


@pytest.fixture(scope="module")
def in_pairs(train: Train) -> InPairs:
    """The results, first and last step of each call for a chunk, and what was compiled."""
    calls: list[tuple[int, int]] = []
    advance = segments._advance

    def counting(*arguments: object) -> object:
        calls.append((arguments[5], arguments[6]))  # type: ignore[arg-type]
        return advance(*arguments)

    for function in (segments._advance, segments._moved):
        function.clear_cache()  # type: ignore[attr-defined]
    with pytest.MonkeyPatch.context() as patch, counted_compilations() as compiled:
        patch.setattr(segments, "_advance", counting)
        result = train_in_segments(train, PROGRAMS, KEY, RATES, 2)
    return result, calls, compiled


def test_failed_candidates_take_no_more_steps(in_pairs: InPairs) -> None:
    result, calls, _ = in_pairs
    # Six chunks at first, then four, then three.
    assert [int((result.num_steps > start).sum()) for start in (0, 16, 48)] == [12, 7, 5]
    assert calls == [(0, 16)] * 6 + [(16, 48)] * 4 + [(48, 60)] * 3


def test_whatever_the_number_of_chunks_each_program_is_compiled_once_on_a_device(in_pairs: InPairs) -> None:
    *_, compiled = in_pairs
    for name in ("jit(advance)", "jit(_moved)"):
        assert compiled.count(name) == 1


def test_some_fail_early_some_late_and_some_never(one_by_one: TrainResult) -> None:
    steps = one_by_one.num_steps.tolist()
    assert min(steps) == 1
    assert max(steps) == 60
    assert any(segments.FIRST_SEGMENT < count < 60 for count in steps)


@pytest.mark.parametrize("chunk_size", range(1, 18))
def test_each_candidate_is_in_one_chunk_and_few_rows_fill_up(chunk_size: int) -> None:
    widths: set[int] = set()
    for P in range(1, 40):
        *whole, last = segments._cut(P, chunk_size)
        assert [len(chunk) for chunk in whole] == [chunk_size] * len(whole)
        assert list(dict.fromkeys(np.concatenate([*whole, last]).tolist())) == list(range(P))
        num_candidates = len(set(last.tolist()))
        assert num_candidates == P - chunk_size * len(whole)
        assert num_candidates <= len(last) <= min(chunk_size, max(2, 2 * num_candidates - 1))
        widths |= {len(chunk) for chunk in (*whole, last)}
    # As many programs are compiled.
    assert len(widths) <= max(1, np.ceil(np.log2(chunk_size)))


def test_segments_give_what_single_candidates_give_bitwise_alike_with_and_without_packing(
    train: Train, one_by_one: TrainResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert_close(assert_packing_changes_nothing(train, 5, monkeypatch), one_by_one)


def test_a_population_may_be_smaller_than_a_chunk(train: Train, one_by_one: TrainResult) -> None:
    programs, expected = (jax.tree.map(lambda array: array[:2], whole) for whole in (PROGRAMS, one_by_one))
    assert_close(train_in_segments(train, programs, KEY, RATES[:2], 16), expected)


def test_a_population_that_fails_ends_at_once(train: Train) -> None:
    programs = LossProgram.from_trees([LossTree.parse("log(x)")] * 3, 16)
    result = train_in_segments(train, programs, jax.random.key(0), RATES[:3], 2)
    assert result.num_steps.tolist() == [1, 1, 1]
    assert result.scores["validation"].tolist() == [0, 0, 0]


def test_each_candidate_has_its_own_learning_rate(train: Train) -> None:
    programs = LossProgram.from_trees([LossTree.parse("x * log(y)")] * 3, 16)
    result = train_in_segments(train, programs, jax.random.key(0), np.array([0.05, 0.5, 0.05], np.float32), 2)
    slow, fast, again = result.scores["validation"].tolist()
    assert slow == again
    assert fast > slow


@pytest.fixture(scope="module")
def convolutional() -> Train:
    """A network on which lowerings differ."""
    config = replace(CONFIG, num_steps=20, batch_size=4)
    return make_train(TinyCNN, load_dataset("digits"), config, conv_lowering="canonical")


@pytest.fixture(scope="module")
def in_canonical_form(convolutional: Train) -> TrainResult:
    return train_in_segments(convolutional, PROGRAMS, KEY, RATES, 4)


@pytest.mark.parametrize("lowering", get_args(ConvolutionLowering))
def test_every_lowering_trains_the_same_network(
    convolutional: Train,
    in_canonical_form: TrainResult,
    lowering: ConvolutionLowering,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Of the candidates that are left after the first segment, no chunk is narrower.
    result = assert_packing_changes_nothing(replace(convolutional, conv_lowering=lowering), 4, monkeypatch)
    np.testing.assert_array_equal(result.finite, in_canonical_form.finite)
    np.testing.assert_allclose(result.scores["validation"], in_canonical_form.scores["validation"], atol=10 / 360)


def test_the_memory_of_a_chunk_grows_with_it(train: Train) -> None:
    small, large = chunk_bytes(train, 16, 2), chunk_bytes(train, 16, 5)
    num_parameters = sum(leaf.size for leaf in jax.tree.leaves(jax.eval_shape(train.begin, KEY).params))
    assert small > 2 * 4 * num_parameters
    assert 1.7 * small < large < 5 * small


def test_the_memory_of_a_chunk_is_enough_for_its_evaluation(convolutional: Train) -> None:
    train = replace(convolutional, conv_lowering="patches")
    state = jax.eval_shape(segments._begin, train, KEY, 4)
    evaluation = segments._finish.lower(train, state).compile().memory_analysis()
    assert evaluation is not None
    assert chunk_bytes(train, 16, 4) > evaluation.temp_size_in_bytes
