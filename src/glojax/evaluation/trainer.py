"""Trains losses, and no training twice; here on the devices of this process."""

from abc import ABC, abstractmethod
from collections.abc import Generator, Mapping, Sequence
from contextlib import closing
from typing import Protocol

import jax
import numpy as np

from glojax.datasets import Dataset
from glojax.evaluation.device_pool import Candidates, DevicePool
from glojax.evaluation.journal import Training, TrainingJournal, training_context
from glojax.expressions import LossTree
from glojax.losses import LossProgram
from glojax.networks import ConvolutionLowering, NetworkFactory
from glojax.training import TrainingConfig, TrainResult, make_train

#: A training: a loss function, a seed and a learning rate.
Wanted = tuple[LossTree, int, float]

#: Trainings to do, by what their results are kept under.
Missing = Mapping[Training, Wanted]


class Trainer(Protocol):
    """Trains losses, each as given, wherever it does."""

    @property
    def config(self) -> TrainingConfig:
        """Budget and hyperparameters of a training."""

    @property
    def context(self) -> str:
        """What all its results depend on, as `training_context` has it."""

    def train(
        self, trees: Sequence[LossTree], seeds: Sequence[int], learning_rates: Sequence[float] | None = None
    ) -> Generator[tuple[int, TrainResult]]:
        """Train each tree with each seed; see `JournaledTrainer.train`."""


class JournaledTrainer(ABC):
    """A trainer that does not train again what its journal holds.

    Args:
        network: Makes the network to train, from `nnx.Rngs`.
        dataset: Trained on and evaluated.
        config: Budget and hyperparameters of a training.
        journal: Where results are kept; None for a fresh one in memory. Networks that share one need names of their
            own.
    """

    def __init__(
        self, network: NetworkFactory, dataset: Dataset, config: TrainingConfig, journal: TrainingJournal | None
    ):
        self.config = config
        self.context = training_context(dataset, network, config)
        self.journal = TrainingJournal() if journal is None else journal

    def train(
        self, trees: Sequence[LossTree], seeds: Sequence[int], learning_rates: Sequence[float] | None = None
    ) -> Generator[tuple[int, TrainResult]]:
        """Train each tree with each seed: the first tree with all seeds first.

        A result enters the journal as soon as it is there, before it is its turn to be given. Whoever stops asking,
        by `close` or for an exception, waits for the blocks that are being trained, but no longer than `GRACE_SECONDS`.

        Args:
            trees: Loss functions.
            seeds: Of initial network, batches, augmentation and dropout.
            learning_rates: One for each tree; None for the configuration's.

        Yields:
            Each training's place among the len(trees) * len(seeds), and its result, of NumPy scalars, in order.

        Raises:
            GlojaxError: A device has no memory for a single candidate.
            OSError: The journal cannot be written.
        """
        rates = [self.config.learning_rate] * len(trees) if learning_rates is None else learning_rates
        return self.train_each([(tree, seed, rate) for tree, rate in zip(trees, rates, strict=True) for seed in seeds])

    def train_each(self, wanted: Sequence[Wanted]) -> Generator[tuple[int, TrainResult]]:
        """Do some trainings, of any losses, seeds and rates, as `train` does."""
        trainings = [
            Training(self.context, str(tree), int(seed), float(np.float32(rate))) for tree, seed, rate in wanted
        ]
        # Each once, though it be wanted twice.
        missing = {
            training: one
            for training, one in zip(trainings, wanted, strict=True)
            if self.journal.find(training) is None
        }
        with closing(self._train(missing)) as progress:
            for place, training in enumerate(trainings):
                while (result := self.journal.find(training)) is None:
                    next(progress)
                yield place, result

    @abstractmethod
    def _train(self, missing: Missing) -> Generator[None]:
        """Bring the results of trainings, one at least, into the journal: one at least from each call to the next."""


class PopulationTrainer(JournaledTrainer):
    """Trains losses, each as given, on all local devices; what its journal holds is not trained again.

    Args:
        network: Makes the network to train, from `nnx.Rngs`.
        dataset: Trained on and evaluated.
        config: Budget and hyperparameters of a training.
        capacity: Nodes that a program holds; a larger tree raises it to the next power of two, at the price of one
            compilation.
        devices: Devices to train on; None for all local ones.
        chunk_size: Candidates that a device trains at once; None for the best on its kind.
        conv_lowering: How convolutions are computed; None for the fastest on the devices.
        journal: Where results are kept; None for a fresh one in memory. Networks that share one need names of their
            own.

    Raises:
        ConfigurationError: Network, data set and configuration do not fit each other.
    """

    def __init__(
        self,
        network: NetworkFactory,
        dataset: Dataset,
        config: TrainingConfig,
        *,
        capacity: int = 1,
        devices: Sequence[jax.Device] | None = None,
        chunk_size: int | None = None,
        conv_lowering: ConvolutionLowering | None = None,
        journal: TrainingJournal | None = None,
    ):
        super().__init__(network, dataset, config, journal)
        self._pool = DevicePool(make_train(network, dataset, config, conv_lowering=conv_lowering), devices, chunk_size)
        self._capacity = capacity

    @property
    def conv_lowering(self) -> ConvolutionLowering:
        """How convolutions are computed."""
        return self._pool.conv_lowering

    def _train(self, missing: Missing) -> Generator[None]:
        trees, seeds, rates = zip(*missing.values(), strict=True)
        largest = max(tree.size for tree in trees)
        if largest > self._capacity:
            self._capacity = 2 ** (largest - 1).bit_length()
        candidates = Candidates(
            LossProgram.from_trees(trees, self._capacity), np.array(seeds), np.array(rates, np.float32)
        )
        trainings = list(missing)

        def keep(place: int, result: TrainResult) -> None:
            self.journal.add(trainings[place], result)

        with closing(self._pool.run(candidates, keep)) as results:
            for _ in results:
                yield
