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
    narrow_width,
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
        chunks = segments._cut(P, chunk_size)
        assert [len(chunk) for chunk in chunks[: P // chunk_size]] == [chunk_size] * (P // chunk_size)
        assert list(dict.fromkeys(np.concatenate(chunks).tolist())) == list(range(P))
        in_last_chunks = P % chunk_size
        num_rows = sum(map(len, chunks)) - P + in_last_chunks
        assert num_rows <= max(2 * in_last_chunks, in_last_chunks + narrow_width(chunk_size) - 1)
        widths |= {*map(len, chunks)}
    # As many programs are compiled.
    assert widths <= {chunk_size, narrow_width(chunk_size)}


def test_each_candidate_has_its_own_key_and_end_and_comes_when_it_ends(train: Train) -> None:
    keys = jax.random.split(KEY, len(LOSSES))
    num_steps = np.array([60, 60, 7, 60, 16, 33, 33, 1, 60, 60, 60, 60], np.int32)
    arrived: list[int] = []

    def take(candidates: np.ndarray, results: TrainResult) -> None:
        arrived.extend(candidates.tolist())
        assert (np.asarray(results.num_steps) <= num_steps[candidates]).all()

    together = train_in_segments(train, PROGRAMS, keys, RATES, 5, num_steps=num_steps, on_results=take)
    assert sorted(arrived) == list(range(len(LOSSES)))
    assert max(arrived.index(each) for each in (2, 4, 7)) < arrived.index(0)
    for number in (0, 2, 4, 5, 7):
        config = replace(CONFIG, num_steps=int(num_steps[number]))
        alone = replace(train, config=config)(
            jax.tree.map(lambda array, number=number: array[number], PROGRAMS), keys[number], RATES[number]
        )
        ours = jax.tree.map(lambda array, number=number: array[number], together)
        assert_close(ours, alone)


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
