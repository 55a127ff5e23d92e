"""Two worker processes for all tests here; a worker that ends is replaced."""

import io
import logging
import multiprocessing
from collections.abc import Callable, Iterator, Sequence

import dask
import numpy as np
import pytest
from distributed.utils import get_mp_context

from glojax.cluster.cluster_pool import ClusterPool
from glojax.cluster.launch import open_workers
from glojax.cluster.settings import ClusterProgress, Limits, LocalSettings
from glojax.cluster.worker_pool import WorkerPool
from glojax.datasets import Dataset, DatasetSource, load_dataset
from glojax.evaluation import Training, TrainingPool
from glojax.expressions import LossTree
from glojax.networks import NetworkFactory
from glojax.training import TrainingConfig, TrainResult
from tests.linear_network import LinearNetwork

#: A short training.
SHORT = TrainingConfig(num_steps=3, batch_size=64, learning_rate=0.05)

#: A training that takes about a second.
LONG = TrainingConfig(num_steps=1500, batch_size=64, learning_rate=0.05)

MakePool = Callable[..., ClusterPool]

#: Makes a training for each tree, seed and learning rate.
MakeTrainings = Callable[..., list[Training]]


@pytest.fixture(scope="session")
def users_handler() -> logging.Handler:
    """A handler that the user has given to Dask's logger, among others, before there are workers."""
    handler = logging.StreamHandler(io.StringIO())
    logging.getLogger("distributed").addHandler(handler)
    return handler


@pytest.fixture(scope="session")
def workers(users_handler: logging.Handler) -> Iterator[WorkerPool]:
    # Forked from a process that has imported all, workers begin in a moment.
    with dask.config.set({"distributed.worker.multiprocessing-method": "forkserver"}):
        get_mp_context()
        multiprocessing.set_forkserver_preload(["glojax.cluster.worker_tasks", "distributed", "sklearn.datasets"])
        with open_workers("local:2", LocalSettings(), num_devices=1) as workers:
            workers.wait_for_workers(2)
            yield workers


@pytest.fixture(scope="session")
def digits() -> Dataset:
    return load_dataset("digits")


@pytest.fixture
def make_pool(workers: WorkerPool, digits: Dataset) -> MakePool:
    def make(
        network: NetworkFactory = LinearNetwork,
        *,
        limits: Limits | None = None,
        on_progress: Callable[[ClusterProgress], None] = lambda progress: None,
    ) -> ClusterPool:
        workers.wait_for_workers(2)
        return ClusterPool(network, DatasetSource("digits"), digits, workers, limits=limits, on_progress=on_progress)

    return make


@pytest.fixture
def make_trainings(workers: WorkerPool, digits: Dataset) -> MakeTrainings:
    def make(
        config: TrainingConfig,
        trees: Sequence[LossTree],
        seeds: Sequence[int] = (0,),
        rate: float | None = None,
        network: NetworkFactory = LinearNetwork,
    ) -> list[Training]:
        context = ClusterPool(network, DatasetSource("digits"), digits, workers).context(config)
        learning_rate = float(np.float32(config.learning_rate if rate is None else rate))
        return [Training(context, tree, seed, learning_rate) for tree in trees for seed in seeds]

    return make


def trained(pool: TrainingPool, config: TrainingConfig, trainings: Sequence[Training]) -> list[tuple[float, bool, int]]:
    """Validation accuracy, finiteness and steps of each training, in order."""
    results: dict[Training, TrainResult] = {}
    pool.submit(config, trainings)
    try:
        while len(results) < len(trainings):
            results.update(pool.wait())
    finally:
        assert pool.cancel() == []
    rows = [results[training] for training in trainings]
    return [(float(row.scores["validation"]), bool(row.finite), int(row.num_steps)) for row in rows]
