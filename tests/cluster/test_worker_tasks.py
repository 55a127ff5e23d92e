"""The tasks of a worker, run in the tests' own process."""

import json
import sys
from collections.abc import Iterator
from types import ModuleType

import pytest

from glojax.cluster import worker_tasks
from glojax.cluster.network_text import network_text
from glojax.cluster.worker_tasks import differences, introduce, report, shard_results, train_shard
from glojax.datasets import Dataset, DatasetSource
from glojax.errors import GlojaxError
from glojax.evaluation import DevicePool, training_devices
from glojax.networks import DigitsCNN
from glojax.training import TrainingConfig, config_record
from tests.linear_network import LinearNetwork

CONFIG = TrainingConfig(2, 8, 0.1)


@pytest.fixture(autouse=True)
def fresh_worker(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(worker_tasks, "_devices", [])
    monkeypatch.setattr(worker_tasks, "_counts", dict.fromkeys(worker_tasks._counts, 0))
    yield
    worker_tasks._prepared.cache_clear()
    worker_tasks._device_pool.cache_clear()


def order(digits: Dataset, network: str = network_text(LinearNetwork), context: str | None = None) -> str:
    """The first argument of `train_shard`."""
    pool = {
        "network": network,
        "source": vars(DatasetSource("digits")),
        "fingerprint": digits.fingerprint,
        "chunk_size": None,
        "operators": ["exp"],
        "lowering": "canonical",
    }
    context = context or DevicePool(LinearNetwork, digits, conv_lowering="canonical").context(CONFIG)
    return json.dumps({"pool": pool, "config": config_record(CONFIG), "context": context})


def test_a_worker_trains_on_the_devices_that_were_chosen_for_it(digits: Dataset) -> None:
    assert json.loads(introduce(json.dumps({"num_devices": 3, "index": None})))["num_devices"] == 3
    text = order(digits)
    train_shard(text, json.dumps([("x / (y - y)", 0, 0.1)]))
    pool, _, _ = worker_tasks._prepared(text)
    assert pool.devices == training_devices(3)
    assert "exp" in pool._programs.operators


def test_results_come_in_the_order_of_the_shard(digits: Dataset) -> None:
    introduce(json.dumps({"num_devices": 2, "index": None}))
    rows = [("x / (y - y)", 0, 0.1), ("x * log(y)", 0, 0.1), ("x * log(y)", 1, 0.1), ("x / (y - y)", 0, 0.1)]
    results, seconds, lowering = shard_results(train_shard(order(digits), json.dumps(rows)))
    assert [int(result.num_steps) for result in results] == [1, 2, 2, 1]
    assert seconds > 0
    assert lowering == "canonical"
    counts = json.loads(report())
    assert {name: counts[name] for name in ("shards", "trainings", "steps", "failures")} == {
        "shards": 1,
        "trainings": 4,
        "steps": 6,
        "failures": 0,
    }


def test_the_first_search_that_comes_chooses_the_devices() -> None:
    for number in (3, 1):
        introduce(json.dumps({"num_devices": number, "index": None}))
    assert json.loads(report())["devices"] == ["cpu 0", "cpu 1", "cpu 2"]


def lacking() -> str:
    """A network of a module that is here, and not on the worker."""
    module = ModuleType("elsewhere")
    exec("class Network: pass", vars(module))
    sys.modules["elsewhere"] = module
    try:
        return network_text(module.Network)
    finally:
        del sys.modules["elsewhere"]


@pytest.mark.parametrize(
    ("network", "context", "complaint"),
    [
        (lacking(), None, "The network cannot be made on .*: No module named 'elsewhere'; bring there what it needs"),
        (network_text(DigitsCNN), None, "computes something else than on the head of the run"),
        (network_text(LinearNetwork), "0" * 16, "expected 0000000000000000"),
    ],
)
def test_a_worker_that_cannot_do_as_the_head_says_so(
    digits: Dataset, network: str, context: str | None, complaint: str
) -> None:
    introduce(json.dumps({"num_devices": 1, "index": None}))
    with pytest.raises(GlojaxError, match=complaint):
        train_shard(order(digits, network, context), json.dumps([("x * log(y)", 0, 0.1)]))
    assert json.loads(report())["failures"] == 1


def test_a_worker_of_another_python_differs() -> None:
    about = json.loads(introduce(json.dumps({"num_devices": 1, "index": None})))
    assert differences(about, about["platform"]) == []
    here = about["versions"]["python"]
    about["versions"]["python"] = "3.8"
    assert differences(about, about["platform"]) == [f"python is '3.8' and not '{here}'"]
