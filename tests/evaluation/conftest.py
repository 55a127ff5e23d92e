from collections.abc import Callable
from typing import Any

import pytest

from glojax.datasets import Dataset, load_dataset
from glojax.evaluation import DevicePool, training_devices
from glojax.training import TrainResult
from tests.evaluation.pools import train
from tests.linear_network import LinearNetwork


@pytest.fixture(scope="session")
def digits() -> Dataset:
    return load_dataset("digits")


@pytest.fixture
def make_pool(digits: Dataset) -> Callable[..., DevicePool]:
    def make(num_devices: int, **options: Any) -> DevicePool:
        return DevicePool(LinearNetwork, digits, devices=training_devices(num_devices), **options)

    return make


@pytest.fixture(scope="module")
def on_one_device(digits: Dataset) -> list[TrainResult]:
    return train(DevicePool(LinearNetwork, digits, devices=training_devices(1)))
