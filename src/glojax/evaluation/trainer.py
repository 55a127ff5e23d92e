"""Trains losses on the devices of this process, and no training twice."""

from collections.abc import Generator, Mapping, Sequence
from contextlib import closing

import jax
import numpy as np

from glojax.datasets import Dataset
from glojax.evaluation.device_pool import Candidates, DevicePool
from glojax.evaluation.journal import Training, TrainingJournal, training_context
from glojax.expressions import LossTree
from glojax.losses import LossProgram
from glojax.networks import ConvolutionLowering, NetworkFactory
from glojax.training import TrainingConfig, TrainResult, make_train


class PopulationTrainer:
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
        self.config = config
        self.context = training_context(dataset, network, config)
        self._pool = DevicePool(make_train(network, dataset, config, conv_lowering=conv_lowering), devices, chunk_size)
        self._capacity = capacity
        self._journal = TrainingJournal() if journal is None else journal

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
        wanted = [(tree, seed, np.float32(rate)) for tree, rate in zip(trees, rates, strict=True) for seed in seeds]
        trainings = [Training(self.context, str(tree), int(seed), float(rate)) for tree, seed, rate in wanted]
        # Each once, though it be wanted twice.
        missing = {
            training: one
            for training, one in zip(trainings, wanted, strict=True)
            if self._journal.find(training) is None
        }
        with closing(self._train(missing)) as progress:
            for place, training in enumerate(trainings):
                while (result := self._journal.find(training)) is None:
                    next(progress)
                yield place, result

    def _train(self, missing: Mapping[Training, tuple[LossTree, int, np.float32]]) -> Generator[None]:
        """Bring results into the journal, one at least from each call to the next."""
        if not missing:
            return
        trees, seeds, rates = zip(*missing.values(), strict=True)
        largest = max(tree.size for tree in trees)
        if largest > self._capacity:
            self._capacity = 2 ** (largest - 1).bit_length()
        candidates = Candidates(
            LossProgram.from_trees(trees, self._capacity), np.array(seeds), np.array(rates, np.float32)
        )
        trainings = list(missing)

        def keep(place: int, result: TrainResult) -> None:
            self._journal.add(trainings[place], result)

        with closing(self._pool.run(candidates, keep)) as results:
            for _ in results:
                yield
