"""Two worker processes for all tests here; what dies is replaced."""

from collections.abc import Callable, Iterator

import dask
import pytest

from glojax.datasets import Dataset, DatasetSource, load_dataset
from glojax.evaluation import TrainingJournal
from glojax.evaluation.cluster import ClusterTrainer
from glojax.evaluation.cluster_settings import ClusterProgress, Limits, LocalSettings
from glojax.evaluation.fleet import Fleet
from glojax.evaluation.launch import open_fleet
from glojax.networks import DigitsCNN, NetworkFactory
from glojax.training import TrainingConfig

#: Steps of a training that takes a second or so.
LONG = 100

MakeTrainer = Callable[..., ClusterTrainer]


@pytest.fixture(scope="session")
def fleet() -> Iterator[Fleet]:
    # XLA compiles in half the time without its optimisations.
    with (
        dask.config.set({"distributed.nanny.environ": {"XLA_FLAGS": "--xla_backend_optimization_level=0"}}),
        open_fleet("local:2", LocalSettings(), num_devices=1) as fleet,
    ):
        fleet.wait_for_workers(2)
        yield fleet


@pytest.fixture(scope="session")
def digits() -> Dataset:
    return load_dataset("digits")


@pytest.fixture
def make_trainer(fleet: Fleet, digits: Dataset) -> MakeTrainer:
    def make(
        steps: int = 3,
        *,
        network: NetworkFactory = DigitsCNN,
        limits: Limits | None = None,
        journal: TrainingJournal | None = None,
        on_progress: Callable[[ClusterProgress], None] = lambda progress: None,
    ) -> ClusterTrainer:
        fleet.wait_for_workers(2)
        config = TrainingConfig(num_steps=steps, batch_size=64, learning_rate=0.05)
        return ClusterTrainer(
            network,
            digits,
            config,
            source=DatasetSource("digits"),
            fleet=fleet,
            limits=limits,
            capacity=16,
            journal=journal,
            on_progress=on_progress,
        )

    return make
