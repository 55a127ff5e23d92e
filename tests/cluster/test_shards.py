"""What a worker does, here in the tests' own process."""

import json
from collections.abc import Iterator

import pytest

from glojax.datasets import Dataset, DatasetSource
from glojax.evaluation import shards, training_devices
from glojax.evaluation.shards import introduce, report, shard_results, shard_text, train_shard, work_order
from glojax.training import TrainingConfig
from tests.linear_network import LinearNetwork


@pytest.fixture(autouse=True)
def fresh_worker(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(shards, "_devices", [])
    shards._trainer.cache_clear()
    yield
    shards._trainer.cache_clear()


def test_a_worker_trains_on_the_devices_that_were_chosen_for_it(digits: Dataset) -> None:
    assert json.loads(introduce(json.dumps({"num_devices": 3, "place": None})))["num_devices"] == 3
    order = work_order(
        LinearNetwork, DatasetSource("digits"), digits, TrainingConfig(2, 8, 0.1), capacity=16, chunk_size=None
    )
    text, rows = shard_text(order, "canonical", [])
    assert shard_results(train_shard(text, rows))[0] == []
    assert shards._trainer(text)._pool.devices == training_devices(3)


def test_the_first_search_that_comes_chooses_the_devices() -> None:
    for asked in (3, 1):
        introduce(json.dumps({"num_devices": asked, "place": None}))
    assert json.loads(report())["devices"] == ["cpu 0", "cpu 1", "cpu 2"]
