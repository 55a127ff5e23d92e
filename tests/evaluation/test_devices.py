"""Tests of the devices that train, and of how they round."""

import io
import logging
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import pytest
from jaxlib import xla_client

from glojax.cpu_devices import cpu_device
from glojax.errors import ConfigurationError
from glojax.evaluation import device_names, platform, runtime, training_devices
from glojax.evaluation.runtime import num_cores

#: Its products of matrices are large enough to be shared among several threads, which would sum in another order.
PROCESS = """
import os, sys
os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:int(sys.argv[1])])
import hashlib, jax, jax.numpy as jnp, numpy as np
from glojax.evaluation import training_devices

@jax.jit
def step(weights, images):
    return weights - 0.01 * jax.grad(lambda weights: jnp.tanh(images @ weights).mean())(weights)

images, weights = (np.random.default_rng(0).normal(size=shape).astype("f") for shape in ((360, 256), (256, 64)))
for device in training_devices():
    data, result = jax.device_put((images, weights), device)
    for _ in range(20):
        result = step(result, data)
    print(hashlib.sha256(jax.device_get(result).tobytes()).hexdigest())
"""


def checksums(num_cores: int, **environment: str) -> list[str]:
    """Return the checksum of a small training on each device of a process that may use so many cores."""
    process = subprocess.run(
        [sys.executable, "-c", PROCESS, str(num_cores)],
        env=os.environ | {"JAX_PLATFORMS": "cpu", "XLA_FLAGS": ""} | environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    return process.stdout.split()


def test_a_device_rounds_the_same_whatever_cores_and_threads_there_are() -> None:
    all_cores = len(os.sched_getaffinity(0))
    (alone,) = checksums(1)
    more = {"NPROC": "16", "PJRT_NPROC": "16", "XLA_FLAGS": "--xla_force_host_platform_device_count=16"}
    assert set(checksums(all_cores, **more)) == {alone}


def test_there_is_a_device_for_each_core_or_as_many_as_asked_for() -> None:
    assert len(training_devices()) == num_cores() <= len(os.sched_getaffinity(0))
    assert len(set(training_devices(3))) == 3
    assert device_names(training_devices(2)) == ["cpu 0", "cpu 1"]


def test_the_devices_are_the_same_every_time() -> None:
    assert training_devices(3)[:2] == training_devices(2)


@pytest.mark.parametrize("number", [0, 1025, 10**9])
def test_no_machine_has_so_many_devices(number: int) -> None:
    with pytest.raises(ConfigurationError, match=f"^{number} devices were asked for; expected from 1 to 1024\\.$"):
        training_devices(number)


Container = Callable[[dict[str, str]], None]


@pytest.fixture
def in_container(monkeypatch: pytest.MonkeyPatch) -> Container:
    """Makes this machine one of 64 cores, whose files of control groups are those given."""

    def pretend(files: dict[str, str]) -> None:
        monkeypatch.setattr(os, "cpu_count", lambda: 64)
        monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(64)))
        contents = {Path("/sys/fs/cgroup", name): text for name, text in files.items()}
        exists, real_open = os.path.exists, open

        def is_quota(path: Any) -> bool:
            return str(path).startswith("/sys/fs/cgroup")

        def pretended(path: Any, *arguments: Any, **options: Any) -> Any:
            return io.StringIO(contents[Path(path)]) if is_quota(path) else real_open(path, *arguments, **options)

        # Other threads of the tests go on with the files that there are.
        monkeypatch.setattr(os.path, "exists", lambda path: Path(path) in contents if is_quota(path) else exists(path))
        monkeypatch.setattr("builtins.open", pretended)

    return pretend


@pytest.mark.parametrize(("quota", "expected"), [("200000", 2), ("150000", 2), ("100000", 1), ("6000", 1)])
def test_the_quota_of_a_container_counts_and_a_part_of_a_core_as_one(
    in_container: Container, quota: str, expected: int
) -> None:
    in_container({"cpu.max": f"{quota} 100000\n"})
    assert num_cores() == expected
    assert len(training_devices()) == expected
    in_container({"cpu/cpu.cfs_quota_us": f"{quota}\n", "cpu/cpu.cfs_period_us": "100000\n"})
    assert num_cores() == expected


@pytest.mark.parametrize(
    "files",
    [{}, {"cpu.max": "max 100000\n"}, {"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}],
)
def test_without_a_quota_each_core_counts(in_container: Container, files: dict[str, str]) -> None:
    in_container(files)
    assert num_cores() == 64


def test_the_threads_of_devices_that_share_them_are_as_many_as_the_cores_whatever_the_quota(
    in_container: Container, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runtime, "cpu_device", lambda index: jax.devices("cpu")[index])
    platform()  # reads the processor's instructions
    in_container({"cpu.max": "200000 100000\n"})
    assert platform()["cores"] == "64"


def test_the_environment_stays_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PJRT_NPROC", "7")
    training_devices(5)
    assert os.environ["PJRT_NPROC"] == "7"
    monkeypatch.delenv("PJRT_NPROC")
    training_devices(6)
    assert "PJRT_NPROC" not in os.environ


@pytest.mark.parametrize("change", ["missing", "other arguments"])
def test_without_the_function_of_jaxlib_a_device_is_one_of_jax(
    change: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    own = jax.devices("cpu")  # JAX itself needs the function to make them
    if change == "missing":
        monkeypatch.delattr(xla_client, "make_cpu_client")
    else:
        monkeypatch.setattr(xla_client, "make_cpu_client", lambda: None)

    # No other test asks for these indices, so that their devices are not yet known.
    first = 1000 if change == "missing" else 2000
    with caplog.at_level(logging.WARNING, logger="glojax"):
        devices = [cpu_device(index) for index in range(first, first + 6)]

    assert devices == [own[index % len(own)] for index in range(first, first + 6)]
    (record,) = caplog.records
    assert (record.name, record.levelname) == ("glojax", "WARNING")
    assert "make_cpu_client" in record.getMessage() or "num_devices" in record.getMessage()
    assert "results depend on the number of cores" in record.getMessage()


def test_more_accelerators_than_there_are_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    # The tests' four CPU devices play accelerators.
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    assert training_devices() == jax.local_devices()
    assert training_devices(2) == jax.local_devices()[:2]
    with pytest.raises(ConfigurationError, match=r"64 devices were asked for, but there are 4 \(cpu\); ask for fewer"):
        training_devices(64)
