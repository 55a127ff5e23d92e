"""What a worker of a cluster does: it trains shards, one after the other, and tells what it is.

Text goes in and text comes out: expressions, seeds, rates and options there, accuracies back. A worker loads the data
set itself, and keeps it, with the compiled program, from shard to shard.
"""

import dataclasses
import importlib
import json
import os
import socket
import threading
import time
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import jax

from glojax.datasets import Dataset, DatasetSource
from glojax.errors import ClusterError
from glojax.evaluation.devices import device_names, training_devices
from glojax.evaluation.journal import Training, TrainingJournal, network_name, recorded_result, result_record
from glojax.evaluation.runtime import decisive_versions, keep_compiled_programs, keep_to_cores, platform
from glojax.evaluation.trainer import PopulationTrainer
from glojax.expressions import LossTree
from glojax.networks import ConvolutionLowering, NetworkFactory
from glojax.training import TrainingConfig, TrainResult

#: What this process has done since it began.
_done = {"shards": 0, "trainings": 0, "steps": 0, "seconds": 0.0, "failures": 0}

#: The devices of this process, once `introduce` has chosen them.
_devices: list[jax.Device] = []

#: Shards of two searches at one scheduler may come at a time.
_one_shard = threading.Lock()


def introduce(options: str) -> str:
    """What this worker is. The first call chooses its devices.

    Args:
        options: JSON: `num_devices` of a CPU, None for all cores; `place` among the workers that share the head's
            machine, of which each takes the GPU of that number, or as many cores as it has devices; None elsewhere.

    Returns:
        JSON: `host`, `pid`, `num_devices`, `backend`, `platform` and `versions`.
    """
    if not _devices:
        _choose_devices(**json.loads(options))
    return json.dumps(
        {
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "num_devices": len(_devices),
            "backend": jax.default_backend(),
            "platform": platform(),
            "versions": decisive_versions(),
        }
    )


def differences(about: Mapping[str, Any], platform: Mapping[str, str]) -> list[str]:
    """Why a worker is not what a run needs, in words; nothing where it is.

    Args:
        about: What `introduce` said there.
        platform: The run's. Its versions are those of this process.
    """
    expected = {"versions": decisive_versions(), "platform": platform}
    return [
        f"{name} is {about[part].get(name)!r} and not {value!r}"
        for part, values in expected.items()
        for name, value in values.items()
        if about[part].get(name) != value
    ]


def _choose_devices(num_devices: int | None, place: int | None) -> None:
    keep_compiled_programs()
    if place is not None:
        # A signal from the terminal is for the head, which ends its workers in good order.
        os.setpgid(0, 0)
        jax.config.update("jax_cuda_visible_devices", str(place))
        if num_devices is not None:
            keep_to_cores(place, num_devices)
    _devices[:] = training_devices(num_devices if jax.default_backend() == "cpu" else None)


def report() -> str:
    """JSON: what this worker has done, and on what: `host`, `pid`, `devices` and the counts."""
    about = {"host": socket.gethostname(), "pid": os.getpid(), "devices": device_names(_devices)}
    return json.dumps(_done | about)


def work_order(
    network: NetworkFactory,
    source: DatasetSource,
    dataset: Dataset,
    config: TrainingConfig,
    capacity: int,
    chunk_size: int | None,
) -> dict[str, Any]:
    """What all shards of a trainer have in common, as a JSON object."""
    return {
        "network": network_name(network),
        "source": dataclasses.asdict(source.absolute()),
        "fingerprint": dataset.fingerprint,
        "config": dataclasses.asdict(config),
        "capacity": capacity,
        "chunk_size": chunk_size,
    }


def shard_text(
    order: Mapping[str, Any], lowering: ConvolutionLowering | None, trainings: Sequence[Training]
) -> tuple[str, str]:
    """The arguments of `train_shard`."""
    rows = [(training.expression, training.seed, training.learning_rate) for training in trainings]
    return json.dumps({**order, "lowering": lowering}), json.dumps(rows)


def train_shard(order: str, rows: str) -> str:
    """Train a shard on all devices of this worker.

    Args:
        order: JSON: what `work_order` gives, and `lowering`, how convolutions are computed; None for the fastest here.
        rows: JSON: expression, seed and learning rate of each training.

    Returns:
        JSON: `results`, in order, the `seconds` that they took, and the `lowering`.

    Raises:
        GlojaxError: This worker has not the data set or the network, or no memory for a single training.
    """
    with _one_shard:
        begin = time.perf_counter()
        try:
            trainer = _trainer(order)
            # The head keeps results; whoever asks again wants them anew.
            trainer.journal = TrainingJournal()
            wanted = [(LossTree.parse(expression), seed, rate) for expression, seed, rate in json.loads(rows)]
            results = [result for _, result in trainer.train_each(wanted)]
        except BaseException:
            _done["failures"] += 1
            raise
        seconds = time.perf_counter() - begin
    _done["shards"] += 1
    _done["trainings"] += len(results)
    _done["steps"] += sum(int(result.num_steps) for result in results)
    _done["seconds"] += seconds
    records = [result_record(result) for result in results]
    return json.dumps({"results": records, "seconds": seconds, "lowering": trainer.conv_lowering})


def shard_results(text: str) -> tuple[list[TrainResult], float, ConvolutionLowering]:
    """What `train_shard` gave: results, seconds and lowering."""
    reply = json.loads(text)
    return [recorded_result(record) for record in reply["results"]], reply["seconds"], reply["lowering"]


# Two: that of the search, and that of the comparison.
@lru_cache(maxsize=2)
def _trainer(order: str) -> PopulationTrainer:
    work = json.loads(order)
    dataset = _dataset(DatasetSource(**work["source"]))
    if dataset.fingerprint != work["fingerprint"]:
        # The files may be others by the time of the next search.
        _dataset.cache_clear()
        raise ClusterError(
            f"The data set {dataset.name} on {socket.gethostname()} ({dataset.origin}) is another than that of the "
            "run: bring the same files there."
        )
    return PopulationTrainer(
        _network(work["network"]),
        dataset,
        TrainingConfig(**work["config"]),
        capacity=work["capacity"],
        devices=_devices,
        chunk_size=work["chunk_size"],
        conv_lowering=work["lowering"],
    )


@lru_cache(maxsize=1)
def _dataset(source: DatasetSource) -> Dataset:
    return source.load()


def _network(name: str) -> NetworkFactory:
    module, _, qualified = name.partition(":")
    try:
        network: Any = importlib.import_module(module)
        for part in qualified.split("."):
            network = getattr(network, part)
    except (ImportError, AttributeError) as error:
        raise ClusterError(f"{socket.gethostname()} cannot import the network {name} ({error}).") from error
    made: NetworkFactory = network
    return made
