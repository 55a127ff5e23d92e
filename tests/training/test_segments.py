from dataclasses import replace
from typing import get_args

import jax
import numpy as np
import pytest

from glojax.datasets import load_dataset
from glojax.expressions import LossTree
from glojax.losses import LossProgram
from glojax.networks import ConvolutionLowering, DigitsCNN
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
from tests.linear_network import LinearNetwork

#: Some never fail; some fail at the first step; those with a barrier once a probability has come down to it.
LOSSES = [
    *("x * log(y)", "x / (y - y)", "log(y) - x / y", "x * log(y - 1)", "3 * x * log(y) - 0.001 * log(y - 0.03)"),
    *("x * sqrt(y) - y^2", "log(x) + y", "x * y", "3 * x * log(y) - 0.001 * log(y - 0.04)", "log(x)", "x - y^2"),
    "9 * x * log(y) - 0.001 * log(y - 0.03)",
]
PROGRAMS = LossProgram.from_trees([LossTree.parse(text) for text in LOSSES], 16)
RATES = np.full(len(LOSSES), 0.05, np.float32)
KEY = jax.random.key(3)
CONFIG = TrainingConfig(60, batch_size=64, learning_rate=0.05)

# Chunks of 5 leave 2 over: what is compiled for both widths serves all tests.


@pytest.fixture(scope="module")
def train() -> Train:
    return make_train(LinearNetwork, load_dataset("digits"), CONFIG)


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


@pytest.mark.parametrize("chunk_size", [2, 5])
def test_segments_give_what_single_candidates_give_bitwise_alike_with_and_without_packing(
    train: Train, one_by_one: TrainResult, chunk_size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert_close(assert_packing_changes_nothing(train, chunk_size, monkeypatch), one_by_one)


def test_a_population_may_be_smaller_than_a_chunk(train: Train, one_by_one: TrainResult) -> None:
    programs, expected = (jax.tree.map(lambda array: array[:2], whole) for whole in (PROGRAMS, one_by_one))
    assert_close(train_in_segments(train, programs, KEY, RATES[:2], 16), expected)


def test_failed_candidates_take_no_more_steps(train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    chunks: list[tuple[int, int]] = []
    advance = segments._advance

    def counting(*arguments: object) -> object:
        chunks.append((arguments[5], arguments[6]))  # type: ignore[arg-type]
        return advance(*arguments)

    monkeypatch.setattr(segments, "_advance", counting)
    result = train_in_segments(train, PROGRAMS, KEY, RATES, 2)
    num_training = {start: int((result.num_steps > start).sum()) for start in (0, 16, 48)}
    assert chunks == [(0, 16)] * 6 + [(16, 48)] * -(-num_training[16] // 2) + [(48, 60)] * -(-num_training[48] // 2)
    assert len(chunks) < 3 * 6


def test_a_population_that_fails_ends_at_once(train: Train) -> None:
    programs = LossProgram.from_trees([LossTree.parse("log(x)")] * 3, 16)
    result = train_in_segments(train, programs, jax.random.key(0), RATES[:3], 2)
    assert result.num_steps.tolist() == [1, 1, 1]
    assert result.scores["validation"].tolist() == [0, 0, 0]


def test_whatever_the_number_of_chunks_each_program_is_compiled_once_on_a_device(
    train: Train, caplog: pytest.LogCaptureFixture
) -> None:
    for function in (segments._advance, segments._moved):
        function.clear_cache()  # type: ignore[attr-defined]
    with jax.log_compiles(), caplog.at_level("WARNING", "jax"):
        result = train_in_segments(jax.device_put(train, jax.devices()[1]), PROGRAMS, KEY, RATES, 2)
    # Six chunks at first, then four, then three.
    assert [int((result.num_steps > step).sum()) for step in (0, 16, 48)] == [12, 7, 5]
    for name in ("advance", "_moved"):
        assert caplog.text.count(f"Finished XLA compilation of jit({name})") == 1


def test_each_candidate_has_its_own_learning_rate(train: Train) -> None:
    programs = LossProgram.from_trees([LossTree.parse("x * log(y)")] * 3, 16)
    result = train_in_segments(train, programs, jax.random.key(0), np.array([0.05, 0.5, 0.05], np.float32), 5)
    slow, fast, again = result.scores["validation"].tolist()
    assert slow == again
    assert fast > slow


@pytest.fixture(scope="module")
def convolutional() -> tuple[Train, TrainResult]:
    """A network on which lowerings differ, and what single candidates give."""
    train = make_train(DigitsCNN, load_dataset("digits"), replace(CONFIG, num_steps=20, batch_size=4))
    return train, train_population(train, PROGRAMS, KEY, RATES)


@pytest.mark.parametrize("lowering", get_args(ConvolutionLowering))
def test_every_lowering_trains_the_same_network(
    convolutional: tuple[Train, TrainResult], lowering: ConvolutionLowering, monkeypatch: pytest.MonkeyPatch
) -> None:
    train, one_by_one = convolutional
    # Of the candidates that are left after the first segment, no chunk is narrower.
    result = assert_packing_changes_nothing(replace(train, conv_lowering=lowering), 4, monkeypatch)
    np.testing.assert_array_equal(result.finite, one_by_one.finite)
    np.testing.assert_allclose(result.scores["validation"], one_by_one.scores["validation"], atol=10 / 360)


def test_the_memory_of_a_chunk_grows_with_it(train: Train) -> None:
    small, large = chunk_bytes(train, 16, 2), chunk_bytes(train, 16, 8)
    num_parameters = sum(leaf.size for leaf in jax.tree.leaves(train.begin(jax.random.key(0)).params))
    assert small > 2 * 4 * num_parameters
    assert 2.5 * small < large < 8 * small


def test_the_memory_of_a_chunk_is_enough_for_its_evaluation(convolutional: tuple[Train, TrainResult]) -> None:
    train, _ = convolutional
    one_image_a_step = replace(train, config=replace(train.config, batch_size=1), conv_lowering="patches")
    state = jax.eval_shape(segments._begin, one_image_a_step, jax.random.key(0), 2)
    evaluation = segments._finish.lower(one_image_a_step, state).compile().memory_analysis()
    assert evaluation is not None
    assert chunk_bytes(one_image_a_step, 16, 2) > evaluation.temp_size_in_bytes
