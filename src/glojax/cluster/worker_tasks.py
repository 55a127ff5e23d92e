"""The tasks of a worker, with text as arguments and results: introduce itself, train shards, and report its counts.

A worker loads the data set itself, and keeps it, with the compiled programs, for the next shard.
"""

import json
import os
import socket
import threading
import time
from collections.abc import Mapping
from functools import lru_cache
from platform import python_version_tuple
from typing import Any

import jax

from glojax.cluster.network_text import network_of_text
from glojax.datasets import DatasetSource
from glojax.errors import ClusterError
from glojax.evaluation import DevicePool, Training, decisive_versions, device_names, platform, training_devices
from glojax.evaluation.journal import recorded_result, result_record
from glojax.evaluation.runtime import keep_to_cores, set_up_jax
from glojax.expressions import LossTree
from glojax.networks import ConvolutionLowering
from glojax.training import TrainingConfig, TrainResult, decisive_settings, recorded_config

#: What this process has done since it started.
_counts = {"shards": 0, "trainings": 0, "steps": 0, "seconds": 0.0, "failures": 0}

#: The devices of this process, once `introduce` has chosen them.
_devices: list[jax.Device] = []

#: Two searches that share a scheduler may send shards at the same time.
_shard_lock = threading.Lock()

_dataset = lru_cache(maxsize=1)(DatasetSource.load)


def introduce(options: str) -> str:
    """Return JSON that describes this worker; the first call passes `options`, as JSON, to `_choose_devices`."""
    if not _devices:
        _choose_devices(**json.loads(options))
    about = {"host": socket.gethostname(), "num_devices": len(_devices), "backend": jax.default_backend()}
    return json.dumps(about | {"platform": platform(), "versions": _versions()})


def differences(about: Mapping[str, Any], platform: Mapping[str, str]) -> list[str]:
    """Return how a worker, which `introduce` describes, differs from a platform or from this process."""
    expected = {"versions": _versions(), "platform": {**platform, **decisive_settings()}}
    return [
        f"{name} is {about[part].get(name)!r} and not {value!r}"
        for part, values in expected.items()
        for name, value in values.items()
        if about[part].get(name) != value
    ]


def _versions() -> dict[str, str]:
    """Return the versions that all processes of a cluster share: Python's too, as networks may come as its code."""
    return decisive_versions() | {"python": ".".join(python_version_tuple()[:2])}


def _choose_devices(num_devices: int | None, index: int | None) -> None:
    """Take devices of a CPU, None for all cores; with an index on the head's machine the GPU or cores of that index."""
    set_up_jax()
    if index is not None:
        # A signal from the terminal is for the head, which ends its workers in order.
        os.setpgid(0, 0)
        jax.config.update("jax_cuda_visible_devices", str(index))
        if num_devices is not None:
            keep_to_cores(index, num_devices)
    _devices[:] = training_devices(num_devices if jax.default_backend() == "cpu" else None)


def report() -> str:
    """Return JSON: `host`, `pid` and `devices` of this worker, and its counts."""
    about = {"host": socket.gethostname(), "pid": os.getpid(), "devices": device_names(_devices)}
    return json.dumps(_counts | about)


def train_shard(order: str, rows: str) -> str:
    """Train a shard on all devices of this worker; return JSON for `shard_results`.

    Args:
        order: JSON: `config`, as `config_record` returns it; `context` of the trainings on the head; and `pool`: the
            `network` as text, the fields of the data set's `source`, its `fingerprint`, the `chunk_size`,
            the `operators` of the search, and the convolution `lowering`, None for the fastest on this worker.
        rows: JSON: expression, seed and learning rate of each training.
    """
    with _shard_lock:
        begin = time.perf_counter()
        try:
            pool, config, context = _prepared(order)
            trainings = [Training(context, LossTree.parse(text), seed, rate) for text, seed, rate in json.loads(rows)]
            results = _train(pool, config, trainings)
        except BaseException:
            _counts["failures"] += 1
            raise
        seconds = time.perf_counter() - begin
    _counts["shards"] += 1
    _counts["trainings"] += len(results)
    _counts["steps"] += sum(int(result.num_steps) for result in results)
    _counts["seconds"] += seconds
    records = [result_record(result) for result in results]
    return json.dumps({"results": records, "seconds": seconds, "lowering": pool.conv_lowering})


def shard_results(text: str) -> tuple[list[TrainResult], float, ConvolutionLowering]:
    """Read the result of `train_shard`: results, seconds and lowering."""
    reply = json.loads(text)
    return [recorded_result(record) for record in reply["results"]], reply["seconds"], reply["lowering"]


def _train(pool: DevicePool, config: TrainingConfig, trainings: list[Training]) -> list[TrainResult]:
    """Train on a device pool, which has nothing to do when this returns or raises."""
    results: dict[Training, TrainResult] = {}
    try:
        pool.submit(config, trainings)
        while len(results) < len(set(trainings)):
            results.update(pool.wait())
    except BaseException:
        pool.cancel()
        raise
    return [results[training] for training in trainings]


@lru_cache(maxsize=4)
def _prepared(order: str) -> tuple[DevicePool, TrainingConfig, str]:
    """Return the device pool, the configuration and the context of an order, after checking the context."""
    work = json.loads(order)
    pool, config = _device_pool(json.dumps(work["pool"])), recorded_config(work["config"])
    if (context := pool.context(config)) != work["context"]:
        raise ClusterError(
            f"The network on {socket.gethostname()} computes something else than on the head of the run "
            f"(context {context}, expected {work['context']}): bring the same code and settings there."
        )
    return pool, config, context


# Two searches that share a scheduler may send shards in turn.
@lru_cache(maxsize=2)
def _device_pool(order: str) -> DevicePool:
    work = json.loads(order)
    dataset = _dataset(DatasetSource(**work["source"]))
    if dataset.fingerprint != work["fingerprint"]:
        # The next search may find other files.
        _dataset.cache_clear()
        raise ClusterError(
            f"The data set {dataset.name} on {socket.gethostname()} ({dataset.origin}) is another than that of the "
            "run: bring the same files there."
        )
    return DevicePool(
        network_of_text(work["network"]),
        dataset,
        devices=_devices,
        chunk_size=work["chunk_size"],
        conv_lowering=work["lowering"],
        operators=work["operators"],
    )
