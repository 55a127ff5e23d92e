import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from glojax.datasets import Dataset
from glojax.evaluation import DevicePool, Training, device_pool, pool_programs
from glojax.expressions import LossTree
from glojax.losses.program import num_instructions
from glojax.training import TrainResult
from tests.compilation import counted_compilations
from tests.evaluation.pools import CONFIG, TRAININGS, SlowDevices, as_text, train


@pytest.mark.parametrize("num_devices", [2, 4])
def test_results_are_bitwise_those_of_one_device(
    make_pool: Callable[..., DevicePool], on_one_device: list[TrainResult], num_devices: int
) -> None:
    assert [bool(result.finite) for result in on_one_device] == [True, False, True, True, False, True, True]
    assert as_text(train(make_pool(num_devices))) == as_text(on_one_device)


def test_results_are_scalars_of_numpy(on_one_device: list[TrainResult]) -> None:
    for result in on_one_device:
        leaves = result.scores["validation"], result.finite, result.num_steps
        assert [leaf.dtype for leaf in leaves] == [np.float32, np.bool_, np.int32]
        assert all(np.ndim(leaf) == 0 for leaf in leaves)


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
