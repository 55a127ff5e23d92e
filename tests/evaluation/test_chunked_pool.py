"""Devices of a pool that train several candidates at once, as accelerators do."""

import logging
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from glojax.errors import GlojaxError
from glojax.evaluation import DevicePool, Trained, Training, device_pool
from glojax.evaluation.block_training import train_block
from glojax.training import TrainResult
from tests.compilation import counted_compilations
from tests.evaluation.pools import CONFIG, TRAININGS, SlowDevices, as_text, train


def test_with_one_chunk_size_results_are_bitwise_the_same_on_any_number_of_devices(
    make_pool: Callable[..., DevicePool], on_one_device: list[TrainResult]
) -> None:
    results = [train(make_pool(num_devices, chunk_size=3)) for num_devices in (1, 2)]
    assert as_text(results[0]) == as_text(results[1])
    for result, expected in zip(results[0], on_one_device, strict=True):
        assert (result.finite, result.num_steps) == (expected.finite, expected.num_steps)


@pytest.mark.parametrize("num_devices", [1, 2, 3])
@pytest.mark.parametrize("P", [1, 8, 9, 23])
def test_the_number_of_devices_does_not_change_the_chunks(
    make_pool: Callable[..., DevicePool], monkeypatch: pytest.MonkeyPatch, P: int, num_devices: int
) -> None:
    shares: list[list[Training]] = []
    everyone = threading.Barrier(min(num_devices, -(-P // 4)))

    def keep(device: Any, train: Any, trainings: list[Training], *others: Any) -> None:
        everyone.wait(60)
        shares.append(trainings)
        zeros: Any = np.zeros(len(trainings))
        others[-1](range(len(trainings)), TrainResult({"validation": zeros}, zeros, zeros))

    monkeypatch.setattr(device_pool, "train_block", keep)
    trainings = [TRAININGS[0]._replace(seed=index) for index in range(P)]
    train(make_pool(num_devices, chunk_size=4), trainings)
    shares.sort(key=lambda share: share[0].seed)
    assert [training for share in shares for training in share] == trainings
    assert all(len(share) % 4 == 0 for share in shares[:-1])
    num_chunks = [-(-len(share) // 4) for share in shares]
    assert len(shares) == min(num_devices, -(-P // 4))
    assert max(num_chunks) - min(num_chunks) <= 1


def test_trainings_of_all_seeds_rates_and_steps_share_chunks_and_what_is_compiled(
    make_pool: Callable[..., DevicePool], on_one_device: list[TrainResult]
) -> None:
    pool = make_pool(1, chunk_size=8)
    train(pool)
    half = replace(CONFIG, num_steps=10)
    rate = TRAININGS[2]._replace(seed=9, learning_rate=0.5, context="half")
    with counted_compilations() as compiled:
        pool.submit(CONFIG, TRAININGS[1:])
        pool.submit(half, [rate])
        done: list[Trained] = []
        while len(done) < len(TRAININGS):  # in any order
            done += pool.wait()
    result = dict(done)[rate]
    assert not {"jit(advance)", "jit(finish)"} & {*compiled}
    assert (int(result.num_steps), bool(result.finite)) == (10, True)
    (expected,) = train(make_pool(1), [rate], half)
    assert abs(float(result.scores["validation"]) - float(expected.scores["validation"])) <= 2 / 360


def test_trainings_that_are_queued_while_devices_are_busy_make_one_block(
    make_pool: Callable[..., DevicePool], monkeypatch: pytest.MonkeyPatch
) -> None:
    devices = SlowDevices(monkeypatch)
    pool = make_pool(1, chunk_size=4)
    for training in TRAININGS:
        pool.submit(CONFIG, [training])
        if training is TRAININGS[0]:
            devices.started.acquire()
    devices.may_go_on.set()
    done = 0
    while done < len(TRAININGS):
        done += len(pool.wait())
    # The first one alone, then all the others.
    assert devices.sizes == [1, len(TRAININGS) - 1]


def test_results_come_when_trainings_end(make_pool: Callable[..., DevicePool], monkeypatch: pytest.MonkeyPatch) -> None:
    devices = SlowDevices(monkeypatch)
    pool = make_pool(1, chunk_size=8)
    short = TRAININGS[2]._replace(context="short")
    pool.submit(CONFIG, TRAININGS[:1])
    devices.started.acquire()
    pool.submit(CONFIG, TRAININGS[1:3])
    pool.submit(replace(CONFIG, num_steps=3), [short])
    devices.may_go_on.set()
    order: list[Training] = []
    while len(order) < 4:
        order += [training for training, _ in pool.wait()]
    assert order.index(short) < order.index(TRAININGS[2])


def test_a_device_too_small_for_our_kernels_takes_the_library_s(
    make_pool: Callable[..., DevicePool],
    on_one_device: list[TrainResult],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    remembered: list[str] = []

    def small(device: Any, train: Any, *others: Any) -> None:
        if train.conv_lowering == "implicit":
            raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Shared memory size limit exceeded: requested 9")
        train_block(device, train, *others)

    monkeypatch.setattr(device_pool, "chosen_lowering", lambda train, device: "implicit")
    monkeypatch.setattr(device_pool, "remember_lowering", lambda train, device, choice: remembered.append(choice))
    monkeypatch.setattr(device_pool, "train_block", small)
    caplog.set_level(logging.WARNING, "glojax")
    pool = make_pool(2)
    assert [bool(result.finite) for result in train(pool)] == [bool(result.finite) for result in on_one_device]
    assert (pool.conv_lowering, remembered) == ("grouped", ["grouped"])
    assert len(caplog.records) == 1
    with pytest.raises(jax.errors.JaxRuntimeError, match="Shared memory"):
        train(make_pool(1, conv_lowering="implicit"))


def out_of_memory_above(limit: int, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Have devices run out of memory with more candidates at once; return the chunk sizes that were tried."""
    tried: list[int] = []

    def scarce(*arguments: Any) -> None:
        *_, chunk_size, _ = arguments
        tried.append(chunk_size)
        if chunk_size > limit:
            jnp.zeros(2**46, jnp.float32).block_until_ready()
        train_block(*arguments)

    monkeypatch.setattr(device_pool, "train_block", scarce)
    return tried


def test_chunks_are_halved_when_memory_runs_out_said_once_and_remembered(
    make_pool: Callable[..., DevicePool],
    on_one_device: list[TrainResult],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    # A local cluster of Dask's, if there is one in this process, has silenced the handlers.
    caplog.set_level(logging.WARNING, "glojax")
    tried = out_of_memory_above(1, monkeypatch)
    pool = make_pool(1, chunk_size=4)
    for _ in range(2):
        assert [bool(result.finite) for result in train(pool)] == [bool(result.finite) for result in on_one_device]
    assert tried[:3] == [4, 2, 1]
    assert set(tried[3:]) == {1}
    assert [record.getMessage().split(" ran out ")[1] for record in caplog.records] == [
        "of memory with 4 candidates at once; going on with 2.",
        "of memory with 2 candidates at once; going on with 1.",
    ]


def test_a_device_without_memory_for_one_candidate_says_so(
    make_pool: Callable[..., DevicePool], monkeypatch: pytest.MonkeyPatch
) -> None:
    out_of_memory_above(0, monkeypatch)
    with pytest.raises(GlojaxError, match="has no memory for training a single candidate; lower the batch size"):
        train(make_pool(2, chunk_size=2))


def test_other_errors_of_a_device_are_not_taken_for_it(
    make_pool: Callable[..., DevicePool], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: Any) -> TrainResult:
        raise jax.errors.JaxRuntimeError("INTERNAL: something else")

    monkeypatch.setattr(device_pool, "train_block", fail)
    with pytest.raises(jax.errors.JaxRuntimeError, match="INTERNAL"):
        train(make_pool(1, chunk_size=2))
