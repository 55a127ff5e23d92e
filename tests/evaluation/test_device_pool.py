import logging
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from glojax.datasets import load_dataset
from glojax.errors import GlojaxError
from glojax.evaluation import Candidates, DevicePool, device_pool, training_devices
from glojax.expressions import LossTree
from glojax.losses import LossProgram
from glojax.training import Train, TrainingConfig, TrainResult, make_train
from tests.linear_network import LinearNetwork

LOSSES = ["x * log(y)", "x / (y - y)", "log(y) - x / y", "x * y", "log(x) + y", "x * sqrt(y) - y^2", "x - y"]
CANDIDATES = Candidates(
    LossProgram.from_trees([LossTree.parse(text) for text in LOSSES], 16), np.array([0, 0, 0, 0, 1, 2, 3])
)


@pytest.fixture(scope="module")
def train() -> Train:
    return make_train(LinearNetwork, load_dataset("digits"), TrainingConfig(20, batch_size=64, learning_rate=0.05))


@pytest.fixture(scope="module")
def on_one_device(train: Train) -> TrainResult:
    return DevicePool(train, training_devices(1)).run_all(CANDIDATES)


@pytest.mark.parametrize("num_devices", [2, 4])
def test_results_are_bitwise_those_of_one_device(train: Train, on_one_device: TrainResult, num_devices: int) -> None:
    result = DevicePool(train, training_devices(num_devices)).run_all(CANDIDATES)
    assert on_one_device.finite.tolist() == [True, False, True, True, False, True, True]
    for ours, theirs in zip(jax.tree.leaves(result), jax.tree.leaves(on_one_device), strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize(("num_devices", "chunk_size"), [(1, 1), (2, 1), (1, 2), (2, 3)])
def test_each_candidate_comes_once_and_in_order(
    train: Train, on_one_device: TrainResult, num_devices: int, chunk_size: int
) -> None:
    pool = DevicePool(train, training_devices(num_devices), chunk_size=chunk_size)
    places, results = zip(*pool.run(CANDIDATES), strict=True)
    assert places == tuple(range(len(LOSSES)))
    for result, finite, num_steps in zip(results, on_one_device.finite, on_one_device.num_steps, strict=True):
        assert (result.finite, result.num_steps) == (finite, num_steps)


@pytest.mark.parametrize("num_devices", [1, 2, 3])
@pytest.mark.parametrize("P", [1, 8, 9, 23])
def test_whatever_the_devices_candidates_are_cut_into_the_same_chunks(P: int, num_devices: int) -> None:
    places = np.arange(P)
    shares = device_pool._shares(places, 4, num_devices)
    np.testing.assert_array_equal(np.concatenate(shares), places)
    assert all(len(share) % 4 == 0 for share in shares[:-1])
    num_chunks = [-(-len(share) // 4) for share in shares]
    assert len(shares) == min(num_devices, -(-P // 4))
    assert max(num_chunks) - min(num_chunks) <= 1


def test_a_seed_decides_the_training(train: Train) -> None:
    programs = LossProgram.from_trees([LossTree.parse("log(y) - x / y")] * 3, 16)
    result = DevicePool(train, training_devices(2)).run_all(Candidates(programs, np.array([5, 8, 5])))
    first, second, third = result.accuracy["validation"]
    assert first == third
    assert first != second


def test_an_error_on_a_device_is_raised_to_the_caller(train: Train) -> None:
    def broken(rngs: nnx.Rngs) -> LinearNetwork:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        DevicePool(replace(train, network=broken), training_devices(2)).run_all(CANDIDATES)


def out_of_memory_above(limit: int, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Have devices run out of memory with more candidates at once; the chunk sizes that were tried."""
    tried: list[int] = []
    trained = device_pool._trained

    def scarce(device: Any, train: Any, candidates: Any, places: Any, chunk_size: int) -> TrainResult:
        tried.append(chunk_size)
        if chunk_size > limit:
            jnp.zeros(2**46, jnp.float32).block_until_ready()
        return trained(device, train, candidates, places, chunk_size)

    monkeypatch.setattr(device_pool, "_trained", scarce)
    return tried


def test_chunks_are_halved_when_memory_runs_out_said_once_and_remembered(
    train: Train,
    on_one_device: TrainResult,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    # A local cluster of Dask's, if there is one in this process, has silenced the handlers.
    caplog.set_level(logging.WARNING, "glojax")
    tried = out_of_memory_above(1, monkeypatch)
    pool = DevicePool(train, training_devices(1), chunk_size=4)
    for _ in range(2):
        result = pool.run_all(CANDIDATES)
        np.testing.assert_array_equal(result.num_steps, on_one_device.num_steps)
        np.testing.assert_array_equal(result.accuracy["validation"], on_one_device.accuracy["validation"])
    assert tried[:3] == [4, 2, 1]
    assert set(tried[3:]) == {1}
    assert [record.getMessage().split(" ran out ")[1] for record in caplog.records] == [
        "of memory with 4 candidates at once; going on with 2.",
        "of memory with 2 candidates at once; going on with 1.",
    ]


def test_a_device_without_memory_for_one_candidate_says_so(train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    out_of_memory_above(0, monkeypatch)
    with pytest.raises(GlojaxError, match="has no memory for training a single candidate; lower the batch size"):
        DevicePool(train, training_devices(2), chunk_size=2).run_all(CANDIDATES)


def test_other_errors_of_a_device_are_not_taken_for_it(train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: Any) -> TrainResult:
        raise jax.errors.JaxRuntimeError("INTERNAL: something else")

    monkeypatch.setattr(device_pool, "_trained", fail)
    with pytest.raises(jax.errors.JaxRuntimeError, match="INTERNAL"):
        DevicePool(train, training_devices(1), chunk_size=2).run_all(CANDIDATES)
