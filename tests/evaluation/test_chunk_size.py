import logging
from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from benchmarks.workloads import WORKLOADS, random_dataset
from glojax.datasets import load_dataset
from glojax.errors import GlojaxError
from glojax.evaluation import chunk_size, training_devices
from glojax.evaluation.chunk_size import LARGEST, ChunkSize
from glojax.expressions import LossTree
from glojax.losses import LossProgram
from glojax.networks import MnistCNN
from glojax.training import Train, TrainingConfig, make_train, step_flops, train_in_segments
from tests.compilation import counted_compilations
from tests.linear_network import LinearNetwork


class Device:
    """An accelerator with so much memory, of which some is in use."""

    platform = "gpu"

    def __init__(self, limit: int | None, in_use: int = 0):
        self._statistics = None if limit is None else {"bytes_limit": limit, "bytes_in_use": in_use}

    def memory_stats(self) -> dict[str, int] | None:
        return self._statistics

    def __str__(self) -> str:
        return "Device"


@pytest.fixture(scope="module")
def train() -> Train:
    return make_train(LinearNetwork, load_dataset("digits"), TrainingConfig(20, batch_size=64, learning_rate=0.05))


def found(train: Train, device: Any) -> int:
    return ChunkSize(train, device).find(capacity=16)


def run_out_of_memory() -> None:
    jnp.zeros(2**46, jnp.float32).block_until_ready()


def compile_within(limit: int, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Have memory run out when a step of more candidates is compiled; the numbers of candidates that were tried."""
    tried: list[int] = []

    def compile_step(lowered: jax.stages.Lowered) -> Any:
        _, state, *_ = lowered.in_avals[0]
        tried.append(state.finite.shape[0])
        if tried[-1] > limit:
            run_out_of_memory()
        memory = SimpleNamespace(temp_size_in_bytes=tried[-1], output_size_in_bytes=tried[-1])
        return SimpleNamespace(memory_analysis=lambda: memory)

    monkeypatch.setattr(jax.stages.Lowered, "compile", compile_step)
    return tried


@pytest.mark.parametrize(
    ("device", "size"),
    [
        (Device(20_000), 8),
        (Device(40_000, in_use=20_000), 8),
        (Device(12_000), 4),
        (Device(1_000), 1),
        (Device(10**9), LARGEST),
    ],
)
def test_as_many_candidates_as_fit_the_free_memory(
    train: Train, monkeypatch: pytest.MonkeyPatch, device: Device, size: int
) -> None:
    monkeypatch.setattr(chunk_size, "chunk_bytes", lambda train, capacity, size, operators: 1000 * size)
    assert found(train, device) == size


def test_a_device_that_does_not_tell_its_memory(train: Train) -> None:
    assert found(train, Device(None)) == LARGEST


def test_one_candidate_at_a_time_on_a_cpu(train: Train) -> None:
    device = Device(10**12)
    device.platform = "cpu"
    assert found(train, device) == 1


def test_a_given_size_is_taken_as_it_is(train: Train) -> None:
    device: Any = Device(0)
    assert ChunkSize(train, device, given=5).find(capacity=16) == 5


def test_the_size_is_halved_when_compiling_runs_out_of_memory_said_once_and_remembered(
    train: Train, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    tried = compile_within(4, monkeypatch)
    device: Any = Device(10**12)
    caplog.set_level(logging.WARNING, "glojax")
    size = ChunkSize(train, device)
    assert [size.find(capacity=16) for _ in range(2)] == [4, 4]
    assert {*tried} >= {LARGEST, 8, 4}
    assert [record.getMessage() for record in caplog.records][-2:] == [
        "Device ran out of memory with 16 candidates at once; going on with 8.",
        "Device ran out of memory with 8 candidates at once; going on with 4.",
    ]


@pytest.mark.parametrize(("gigaflop", "size"), [(0.06, 512), (8.2, 64), (100.0, 8), (1e6, 8), (0.0, 512)])
def test_a_step_of_a_chunk_takes_some_milliseconds(gigaflop: float, size: int) -> None:
    assert chunk_size.wanted_size(1e9 * gigaflop) == size


def test_the_operations_of_a_step_are_those_of_its_products(train: Train) -> None:
    # Of 64 images with 64 pixels: forward, and for the kernel's gradient. That of the images is written, and left out
    # when it is compiled.
    assert step_flops(train) in (2 * 2 * 64 * 64 * 10, 3 * 2 * 64 * 64 * 10)
    config = TrainingConfig(20, batch_size=100, learning_rate=0.05)
    mnist = make_train(MnistCNN, random_dataset((28, 28, 1)), config)
    assert step_flops(mnist) == pytest.approx(1e9 * WORKLOADS["mnist"].gigaflop, rel=0.05)
    assert chunk_size.wanted_size(step_flops(mnist)) == 64


def test_both_widths_are_compiled_before_a_chunk_is_trained(train: Train) -> None:
    size = ChunkSize(train, jax.devices()[0], given=8)
    size._known = False
    assert size.find(capacity=16) == 8
    programs = LossProgram.from_trees([LossTree.parse("x * log(y)")] * 10, 16)
    keys = jax.random.split(jax.random.key(0), 10)
    with counted_compilations() as compiled:
        train_in_segments(train, programs, keys, np.full(10, 0.05, np.float32), 8)
    assert not {"jit(advance)", "jit(finish)"} & {*compiled}


def test_a_device_that_cannot_compile_for_one_candidate_says_so(train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    compile_within(0, monkeypatch)
    with pytest.raises(GlojaxError, match="Device has no memory for training a single candidate; lower the batch size"):
        found(train, Device(10**12))


def test_other_errors_of_the_compiler_are_not_taken_for_it(train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: Any, **named: Any) -> int:
        raise jax.errors.JaxRuntimeError("INTERNAL: something else")

    monkeypatch.setattr(chunk_size, "chunk_bytes", fail)
    with pytest.raises(jax.errors.JaxRuntimeError, match="INTERNAL"):
        found(train, Device(10**12))


def test_devices_that_run_out_of_memory_together_halve_the_size_once(train: Train) -> None:
    first, second = training_devices(2)
    size = ChunkSize(train, first, given=8)

    def work(device: jax.Device, chunk_size: int) -> int:
        if chunk_size == 8:
            if device is first:
                size.halved_until_it_fits(second, lambda chunk_size: work(second, chunk_size))
            run_out_of_memory()
        return chunk_size

    assert size.halved_until_it_fits(first, lambda chunk_size: work(first, chunk_size)) == 4
