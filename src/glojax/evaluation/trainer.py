"""Trains losses, and no training twice; here on the devices of this process."""

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Generator, Sequence
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

#: Trainings to do, each with its loss function; more may be added.
Missing = deque[tuple[Training, LossTree]]

#: Gives the next loss function to evaluate; None where there is none before another evaluation is known.
Draw = Callable[[], LossTree | None]


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

    def train_drawn(self, draw: Draw, seeds: Sequence[int]) -> Generator[tuple[LossTree, list[TrainResult]]]:
        """Train trees that are drawn when there is room for them; see `JournaledTrainer.train_drawn`."""


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
        trainings = [self._training(tree, seed, rate) for tree, seed, rate in wanted]
        # Each once, though it be wanted twice.
        missing = {
            training: tree
            for training, (tree, _, _) in zip(trainings, wanted, strict=True)
            if self.journal.find(training) is None
        }
        with closing(self._train(deque(missing.items()))) as progress:
            for place, training in enumerate(trainings):
                while (result := self.journal.find(training)) is None:
                    next(progress)
                yield place, result

    def train_drawn(self, draw: Draw, seeds: Sequence[int]) -> Generator[tuple[LossTree, list[TrainResult]]]:
        """Train trees that are drawn only when there is room for them, each with each seed.

        Results enter the journal, and are waited for, as `train` says.

        Args:
            draw: Called while a device or a worker is free, in the thread that asks for results; each tree once. Where
                it gives None, it is called again later, after the next result at the latest; that there is none to
                come is the end.
            seeds: Of initial network, batches, augmentation and dropout.

        Yields:
            Each tree with its results [seeds], of NumPy scalars, in the order in which they came; those that the
            journal holds at once.

        Raises:
            GlojaxError: A device has no memory for a single candidate.
            OSError: The journal cannot be written.
        """
        left: Missing = deque()
        waiting: dict[LossTree, list[Training]] = {}
        with closing(self._train(left)) as progress:
            for room in progress:
                for tree, trainings in list(waiting.items()):
                    results = self._found(trainings)
                    if len(results) == len(trainings):
                        del waiting[tree]
                        yield tree, results
                free = room
                while free > 0:
                    drawn = draw()
                    if drawn is None:
                        if not waiting:
                            return
                        break
                    trainings = [self._training(drawn, seed, self.config.learning_rate) for seed in seeds]
                    results = self._found(trainings)
                    if len(results) == len(trainings):
                        yield drawn, results
                        continue
                    waiting[drawn] = trainings
                    left.extend((training, drawn) for training in trainings if self.journal.find(training) is None)
                    free -= 1

    def _training(self, tree: LossTree, seed: int, rate: float) -> Training:
        return Training(self.context, str(tree), int(seed), float(np.float32(rate)))

    def _found(self, trainings: Sequence[Training]) -> list[TrainResult]:
        """The results that are there."""
        results = [self.journal.find(training) for training in trainings]
        return [result for result in results if result is not None]

    @abstractmethod
    def _train(self, left: Missing) -> Generator[int]:
        """Take trainings from `left`, and bring their results into the journal, until closed.

        Yields:
            For how many losses more there is room, whenever there may be a new result or new room; who finds none, and
            adds nothing to `left`, though something is in progress, asks again.
        """


class PopulationTrainer(JournaledTrainer):
    """Trains losses, each as given, on the devices of this process; what its journal holds is not trained again.

    Args:
        network: Makes the network to train, from `nnx.Rngs`.
        dataset: Trained on and evaluated.
        config: Budget and hyperparameters of a training.
        capacity: Nodes that a program holds; a larger tree raises it to the next power of two, at the price of one
            compilation.
        devices: Devices to train on; None for what `training_devices` gives.
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

    def _train(self, left: Missing) -> Generator[int]:
        begun: list[Training] = []

        def keep(place: int, result: TrainResult) -> None:
            self.journal.add(begun[place], result)

        with self._pool.crew(keep) as crew:
            while True:
                if left:
                    trainings, trees = zip(*left, strict=True)
                    left.clear()
                    begun += trainings
                    crew.add(self._candidates(trainings, trees))
                yield crew.room(self._capacity)
                if not left:
                    crew.wait()

    def _candidates(self, trainings: Sequence[Training], trees: Sequence[LossTree]) -> Candidates:
        largest = max(tree.size for tree in trees)
        if largest > self._capacity:
            self._capacity = 2 ** (largest - 1).bit_length()
        seeds = np.array([training.seed for training in trainings])
        rates = np.array([training.learning_rate for training in trainings], np.float32)
        return Candidates(LossProgram.from_trees(trees, self._capacity), seeds, rates)
