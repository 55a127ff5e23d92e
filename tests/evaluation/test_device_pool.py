import logging
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from glojax.datasets import Dataset
from glojax.errors import GlojaxError
from glojax.evaluation import DevicePool, Trained, Training, device_pool, pool_programs, training_devices
from glojax.evaluation.block_training import train_block
from glojax.expressions import LossTree
from glojax.losses.program import num_instructions
from glojax.training import TrainingConfig, TrainResult
from tests.compilation import counted_compilations
from tests.linear_network import LinearNetwork

CONFIG = TrainingConfig(20, batch_size=64, learning_rate=0.05)
LOSSES = ["x * log(y)", "x / (y - y)", "log(y) - x / y", "x * y", "log(x) + y", "x * sqrt(y) - y^2", "x - y"]
TRAININGS = [
    Training("context", LossTree.parse(text), seed, 0.05)
    for text, seed in zip(LOSSES, [0, 0, 0, 0, 1, 2, 3], strict=True)
]


@pytest.fixture
def make_pool(digits: Dataset) -> Callable[..., DevicePool]:
    def make(num_devices: int, **options: Any) -> DevicePool:
        return DevicePool(LinearNetwork, digits, devices=training_devices(num_devices), **options)

    return make


def train(
    pool: DevicePool, trainings: list[Training] = TRAININGS, config: TrainingConfig = CONFIG
) -> list[TrainResult]:
    """Return the results in the order of the trainings, each of which comes once."""
    pool.submit(config, trainings)
    done: list[Trained] = []
    while len(done) < len(trainings):
        done += pool.wait()
    assert len(dict(done)) == len(done)
    return [dict(done)[training] for training in trainings]


def as_text(results: list[TrainResult]) -> list[str]:
    """Return results to the last bit."""
    return [f"{np.asarray(result.scores['validation']).tobytes()!r} {result}" for result in results]


@pytest.fixture(scope="module")
def on_one_device(digits: Dataset) -> list[TrainResult]:
    return train(DevicePool(LinearNetwork, digits, devices=training_devices(1)))


@pytest.mark.parametrize("num_devices", [2, 4])
def test_results_are_bitwise_those_of_one_device(
    make_pool: Callable[..., DevicePool], on_one_device: list[TrainResult], num_devices: int
) -> None:
    assert [bool(result.finite) for result in on_one_device] == [True, False, True, True, False, True, True]
    assert as_text(train(make_pool(num_devices))) == as_text(on_one_device)


def test_with_one_chunk_size_results_are_bitwise_the_same_on_any_number_of_devices(
    make_pool: Callable[..., DevicePool], on_one_device: list[TrainResult]
) -> None:
    results = [train(make_pool(num_devices, chunk_size=3)) for num_devices in (1, 2)]
    assert as_text(results[0]) == as_text(results[1])
    for result, expected in zip(results[0], on_one_device, strict=True):
        assert (result.finite, result.num_steps) == (expected.finite, expected.num_steps)


def test_results_are_scalars_of_numpy(on_one_device: list[TrainResult]) -> None:
    for result in on_one_device:
        leaves = result.scores["validation"], result.finite, result.num_steps
        assert [leaf.dtype for leaf in leaves] == [np.float32, np.bool_, np.int32]
        assert all(np.ndim(leaf) == 0 for leaf in leaves)


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
        (result,) = train(pool, [rate], half)
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


def test_seed_and_learning_rate_decide_the_training(make_pool: Callable[..., DevicePool]) -> None:
    training = TRAININGS[2]
    others = [training._replace(seed=8), training._replace(learning_rate=0.5), training._replace(context="another")]
    expected, *results, same = as_text(train(make_pool(2), [training, *others]))
    assert expected == same
    assert len({expected, *results}) == 3


def test_one_pool_trains_by_several_configurations(make_pool: Callable[..., DevicePool], digits: Dataset) -> None:
    pool = make_pool(2)
    both = replace(CONFIG, num_steps=5, splits=("validation", "test"))
    pool.submit(CONFIG, TRAININGS[:1])
    pool.submit(both, [TRAININGS[2]._replace(context="both")])
    done: dict[Training, TrainResult] = {}
    while len(done) < 2:
        done |= dict(pool.wait())
    steps = {training.context: (int(result.num_steps), set(result.scores)) for training, result in done.items()}
    assert steps == {"context": (20, {"validation"}), "both": (5, {"validation", "test"})}


def test_a_larger_tree_raises_the_capacity(
    make_pool: Callable[..., DevicePool], monkeypatch: pytest.MonkeyPatch
) -> None:
    large = Training("context", LossTree.parse("x * y^0.7"), 0, 0.05)
    assert num_instructions(large.tree) > 4 == large.tree.size
    expected = as_text(train(make_pool(1), [TRAININGS[0], large]))
    monkeypatch.setattr(pool_programs, "_CAPACITY", 4)
    pool = make_pool(1)
    assert as_text([*train(pool, TRAININGS[:1]), *train(pool, [large])]) == expected
    assert as_text(train(pool, [TRAININGS[0], large])) == expected


EXTENDED = [
    Training("context", LossTree.parse(text), 0, 0.05)
    for text in ("x * y^0.7 - y", "tanh(y) - x / y", "x * log(y) - exp(3 * y)")
]


def test_operators_that_are_named_at_the_start_compile_nothing_later_and_change_no_result(
    make_pool: Callable[..., DevicePool], on_one_device: list[TrainResult]
) -> None:
    pool = make_pool(1, operators=("exp", "power", "tanh"))
    assert as_text(train(pool, TRAININGS[:1])) == as_text(on_one_device[:1])
    with counted_compilations() as compilations:
        expected = [*as_text(train(pool, EXTENDED[:1])), *as_text(train(pool, EXTENDED[1:]))]
    assert compilations == []
    assert len({*expected}) == len(EXTENDED)
    pool = make_pool(1)
    assert as_text([*train(pool, EXTENDED[1:2]), *train(pool, EXTENDED)]) == [expected[1], *expected]


def test_room_is_a_chunk_for_each_idle_device(make_pool: Callable[..., DevicePool]) -> None:
    pool = make_pool(3, chunk_size=2)
    assert pool.room(CONFIG) == 6
    pool.submit(CONFIG, TRAININGS[:2])
    assert pool.room(CONFIG) == 4
    pool.submit(CONFIG, TRAININGS[2:])
    assert pool.room(CONFIG) == 0
    done = 0
    while done < len(TRAININGS):
        done += len(pool.wait())
    assert pool.room(CONFIG) == 6


class SlowDevices:
    """Devices that train only while they are let."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch):
        self.started = threading.Semaphore(0)
        self.may_go_on = threading.Event()
        self.sizes: list[int] = []
        self._train_block = train_block
        monkeypatch.setattr(device_pool, "train_block", self._wait_and_train)

    def _wait_and_train(self, *arguments: Any) -> None:
        self.sizes.append(len(arguments[2]))
        self.started.release()
        assert self.may_go_on.wait(60)
        self._train_block(*arguments)


def test_cancelling_drops_the_queue_and_keeps_what_is_in_progress(
    make_pool: Callable[..., DevicePool], on_one_device: list[TrainResult], monkeypatch: pytest.MonkeyPatch
) -> None:
    devices = SlowDevices(monkeypatch)
    pool = make_pool(2)
    pool.submit(CONFIG, TRAININGS)
    for _ in range(2):
        devices.started.acquire()
    threading.Timer(0.2, devices.may_go_on.set).start()
    kept = dict(pool.cancel())
    assert set(kept) == set(TRAININGS[:2])
    assert pool.room(CONFIG) == 2
    assert as_text(train(pool)) == as_text(on_one_device)


def test_a_training_that_does_not_end_in_time_is_given_up(
    make_pool: Callable[..., DevicePool], on_one_device: list[TrainResult], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(device_pool, "GRACE_SECONDS", 0.1)
    devices = SlowDevices(monkeypatch)
    pool = make_pool(1)
    pool.submit(CONFIG, TRAININGS)
    devices.started.acquire()
    assert pool.cancel() == []
    pool.submit(CONFIG, TRAININGS[2:4])
    devices.may_go_on.set()
    # The late result of the first training does not come.
    done = [*pool.wait(), *pool.wait()]
    assert [training for training, _ in done] == TRAININGS[2:4]
    assert as_text([result for _, result in done]) == as_text(on_one_device[2:4])


def test_an_error_on_a_device_is_raised_to_the_caller(
    make_pool: Callable[..., DevicePool], on_one_device: list[TrainResult], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*arguments: Any) -> TrainResult:
        raise ZeroDivisionError

    pool = make_pool(2)
    with monkeypatch.context() as patch:
        patch.setattr(device_pool, "train_block", broken)
        with pytest.raises(ZeroDivisionError):
            train(pool)
        # Errors of other devices are dropped.
        assert pool.cancel() == []
    assert as_text(train(pool)) == as_text(on_one_device)


def test_a_late_error_does_not_stop_a_device(
    make_pool: Callable[..., DevicePool], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(device_pool, "GRACE_SECONDS", 0.1)
    pool = make_pool(1)
    started, may_fail = threading.Event(), threading.Event()

    def fail_late(*arguments: Any) -> TrainResult:
        started.set()
        assert may_fail.wait(60)
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr(device_pool, "train_block", fail_late)
        pool.submit(CONFIG, TRAININGS[:1])
        assert started.wait(60)
        pool.cancel()
    pool.submit(CONFIG, TRAININGS[:1])
    may_fail.set()
    ((training, _),) = pool.wait()
    assert training == TRAININGS[0]


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
