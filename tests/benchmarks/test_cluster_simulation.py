from functools import partial

import pytest

from benchmarks.cluster_simulation import simulate

generation = partial(simulate, training_seconds=80.0, dead=0.3, spread=0.2, shard_seconds=10.0, seed=0)


def test_a_worker_alone_is_never_idle() -> None:
    alone = generation(1, 20, message_seconds=0.0)
    assert alone.efficiency == pytest.approx(1)


def test_no_worker_of_eight_is_idle_for_a_tenth_of_a_generation() -> None:
    assert generation(8, 160, message_seconds=0.005).largest_idle <= 0.1


def test_a_hundred_workers_train_for_nine_tenths_of_a_generation() -> None:
    assert generation(100, 2000, message_seconds=0.005).efficiency >= 0.9


def test_a_head_that_is_slower_than_its_workers_is_the_limit() -> None:
    limited = generation(100, 2000, message_seconds=5.0)
    assert limited.head_busy == pytest.approx(1, abs=0.02)
    assert limited.seconds >= 2000 * 5.0 * 0.5
