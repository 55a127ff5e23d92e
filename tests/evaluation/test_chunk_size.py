from typing import Any

import pytest

from glojax.datasets import load_dataset
from glojax.evaluation.chunk_size import PROBE, fitting_chunk_size
from glojax.networks import DigitsCNN
from glojax.training import Train, TrainingConfig, chunk_bytes, make_train


class Device:
    """An accelerator with so much memory, of which some is in use."""

    platform = "gpu"

    def __init__(self, limit: int | None, in_use: int = 0):
        self._statistics = None if limit is None else {"bytes_limit": limit, "bytes_in_use": in_use}

    def memory_stats(self) -> dict[str, int] | None:
        return self._statistics


@pytest.fixture(scope="module")
def train() -> Train:
    return make_train(DigitsCNN, load_dataset("digits"), TrainingConfig(20, batch_size=64, learning_rate=0.05))


def chunk_size(train: Train, device: Any) -> int:
    return fitting_chunk_size(train, 16, device)


def test_as_many_candidates_as_fit_the_free_memory(train: Train) -> None:
    each = chunk_bytes(train, 16, PROBE) // PROBE
    assert chunk_size(train, Device(20 * each)) == 8
    assert chunk_size(train, Device(40 * each, in_use=20 * each)) == 8
    assert chunk_size(train, Device(12 * each)) == 4
    assert chunk_size(train, Device(each)) == 1
    assert chunk_size(train, Device(10_000 * each)) == 16


def test_a_device_that_does_not_tell_its_memory(train: Train) -> None:
    assert chunk_size(train, Device(None)) == PROBE


def test_one_candidate_at_a_time_on_a_cpu(train: Train) -> None:
    device = Device(10**12)
    device.platform = "cpu"
    assert chunk_size(train, device) == 1
