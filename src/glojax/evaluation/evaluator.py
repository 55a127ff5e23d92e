"""From loss functions to fitness."""

import dataclasses
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from itertools import count
from typing import Protocol

import jax
import numpy as np

from glojax.datasets import Dataset
from glojax.errors import ConfigurationError
from glojax.evaluation.cache import Evaluation, FitnessCache
from glojax.evaluation.journal import TrainingJournal, has_crashed
from glojax.evaluation.trainer import Draw, PopulationTrainer, Trainer
from glojax.expressions import LossTree, canonical
from glojax.networks import ConvolutionLowering, NetworkFactory
from glojax.training import TrainingConfig, TrainResult

#: Called with each evaluation as soon as it is known.
OnEvaluation = Callable[[Evaluation], None]

#: Called with the number of a tree, counted from 0 in the order of drawing, and its evaluation.
OnDrawnEvaluation = Callable[[int, Evaluation], None]


class Evaluator(Protocol):
    """Gives loss functions their fitness, wherever it trains them."""

    def evaluate(self, trees: Sequence[LossTree], on_evaluation: OnEvaluation | None = None) -> list[Evaluation]:
        """One evaluation for each tree, in order."""

    def evaluate_drawn(self, draw: Draw, on_evaluation: OnDrawnEvaluation) -> None:
        """An evaluation for each tree that `draw` gives, in the order in which they become known."""

    def confirm(
        self, trees: Sequence[LossTree], seeds: Sequence[int], on_training: Callable[[int], None] = lambda steps: None
    ) -> np.ndarray:
        """Validation accuracies [trees, seeds] of trainings with other seeds."""


class TrainingEvaluator:
    """Gives losses the fitness that a trainer finds.

    A candidate is trained in its canonical form, so that its fitness depends on the function, the configuration and the
    seeds alone; a function that is known already, or occurs twice, is trained once.

    Args:
        trainer: Trains; its configuration must have the split "validation", which gives the fitness.
        seeds: Of initial network, batches and dropout, the same for all candidates: each is trained once with each
            seed, all in one population, and its fitness is the mean.
        cache: Where evaluations are remembered; None for a fresh one. Networks that share one need names of their own.

    Raises:
        ConfigurationError: There is no seed.
    """

    def __init__(self, trainer: Trainer, seeds: Sequence[int] = (0,), cache: FitnessCache | None = None):
        if not seeds:
            raise ConfigurationError("There is no seed to train candidates with; give at least one.")
        self.cache = FitnessCache() if cache is None else cache
        self._trainer = trainer
        self._seeds = list(seeds)
        self._context = f"{trainer.context} {self._seeds}"

    def evaluate(self, trees: Sequence[LossTree], on_evaluation: OnEvaluation | None = None) -> list[Evaluation]:
        """Train what is not known yet.

        Args:
            trees: Loss functions.
            on_evaluation: Called once for each tree, from this thread, known ones first; always in the same order.

        Returns:
            One evaluation for each tree, in order.
        """
        report = on_evaluation or (lambda evaluation: None)
        results: list[Evaluation | None] = []
        # For each function to train: its places among the trees; the first is trained, the others are told.
        unknown: dict[LossTree, list[int]] = {}
        for place, tree in enumerate(map(canonical, trees)):
            known = self._find(tree)
            results.append(known)
            if known is None:
                unknown.setdefault(tree, []).append(place)
            else:
                report(known)

        with closing(self._train(list(unknown))) as trained:
            for tree, result in trained:
                evaluation = self._remember(_evaluation(tree, result))
                first, *others = unknown[tree]
                results[first] = evaluation
                report(evaluation)
                for other in others:
                    results[other] = again = _again(evaluation)
                    report(again)
        return [evaluation for evaluation in results if evaluation is not None]

    def evaluate_drawn(self, draw: Draw, on_evaluation: OnDrawnEvaluation) -> None:
        """Evaluate trees that are drawn only when a device or a worker is free for them.

        A tree whose function is known, or lacks x or y, takes no room: its evaluation is given before the next tree is
        drawn. One whose function is being trained already waits for that training.

        Args:
            draw: Gives the next tree. Where it gives None, it is called again when the next evaluation is known, and
                there being none to come is the end.
            on_evaluation: Called once for each tree, in the order in which evaluations become known; from this thread,
                as `draw` is.
        """
        numbers = count()
        # For each function in training: the numbers of its trees; the first is trained, the others are told.
        unknown: dict[LossTree, list[int]] = {}

        def draw_unknown() -> LossTree | None:
            while (drawn := draw()) is not None:
                tree, number = canonical(drawn), next(numbers)
                if (known := self._find(tree)) is not None:
                    on_evaluation(number, known)
                elif tree in unknown:
                    unknown[tree].append(number)
                else:
                    unknown[tree] = [number]
                    return tree
            return None

        with closing(self._trainer.train_drawn(draw_unknown, self._seeds)) as trained:
            for tree, rows in trained:
                evaluation = self._remember(_evaluation(tree, _stacked(rows)))
                first, *others = unknown.pop(tree)
                on_evaluation(first, evaluation)
                for other in others:
                    on_evaluation(other, _again(evaluation))

    def confirm(
        self, trees: Sequence[LossTree], seeds: Sequence[int], on_training: Callable[[int], None] = lambda steps: None
    ) -> np.ndarray:
        """Train again with other seeds: a fitness that was luck does not come twice.

        Args:
            trees: Loss functions.
            seeds: Seeds.
            on_training: Called with the steps of each training when it is done.

        Returns:
            Validation accuracy [trees, seeds] float32; 0 where a training was not finite.
        """
        accuracy = np.zeros(len(trees) * len(seeds), np.float32)
        with closing(self._trainer.train([canonical(tree) for tree in trees], seeds)) as results:
            for place, result in results:
                accuracy[place] = result.accuracy["validation"]
                on_training(int(result.num_steps))
        return accuracy.reshape(len(trees), len(seeds))

    def _train(self, functions: Sequence[LossTree]) -> Generator[tuple[LossTree, TrainResult]]:
        """Each function, in order, with its results [seeds] as soon as they are complete."""
        waiting = iter(functions)
        rows: list[TrainResult] = []
        with closing(self._trainer.train(functions, self._seeds)) as results:
            for _, result in results:
                rows.append(result)
                if len(rows) == len(self._seeds):
                    yield next(waiting), _stacked(rows)
                    rows.clear()

    def _find(self, tree: LossTree) -> Evaluation | None:
        """What is known of a canonical tree without training it."""
        known = self.cache.find(self._context, str(tree))
        if known is not None:
            return _again(known)
        if tree.uses("x") and tree.uses("y"):
            return None
        return self._remember(Evaluation(str(tree), 0.0, "lacks_variable", 0))

    def _remember(self, evaluation: Evaluation) -> Evaluation:
        self.cache.add(self._context, evaluation)
        return evaluation


def _again(evaluation: Evaluation) -> Evaluation:
    """The evaluation of a function that is known."""
    return dataclasses.replace(evaluation, status="cached", steps=0)


def _stacked(rows: Sequence[TrainResult]) -> TrainResult:
    """Results, of scalars, as one [K]."""
    results: TrainResult = jax.tree.map(lambda *scalars: np.stack(scalars), *rows)
    return results


def _evaluation(tree: LossTree, results: TrainResult) -> Evaluation:
    """What the results [seeds] of a function make of it."""
    steps = int(results.num_steps.sum())
    if has_crashed(results):
        return Evaluation(str(tree), 0.0, "crashed", steps)
    # float32 to the nearest number of six decimals, finer than any split's resolution.
    fitness = round(float(np.mean(results.accuracy["validation"], dtype=np.float64)), 6)
    return Evaluation(str(tree), fitness, "trained" if results.finite.all() else "non_finite", steps)


class LocalEvaluator(TrainingEvaluator):
    """Trains candidates on the devices of this process.

    Args:
        network: Makes the network to train, from `nnx.Rngs`.
        dataset: Trained on; its validation split gives the fitness.
        config: Budget and hyperparameters of a training.
        seeds: Of initial network, batches and dropout, the same for all candidates: each is trained once with each
            seed, all in one population, and its fitness is the mean.
        capacity: Nodes that a program holds; a larger canonical tree raises it to the next power of two, at the
            price of one compilation.
        cache: Where evaluations are remembered; None for a fresh one. Networks that share one need names of their own.
        devices: Devices to train on; None for what `training_devices` gives.
        chunk_size: Candidates that a device trains at once; None for the best on its kind.
        conv_lowering: How convolutions are computed; None for the fastest on the devices.
        journal: Where the results of single trainings are kept; None for a fresh one in memory.

    Raises:
        ConfigurationError: Network, data set and configuration do not fit each other, accuracy on the validation split
            is not measured, or there is no seed.

    Example:
        >>> from glojax.datasets import load_dataset
        >>> from glojax.networks import DigitsCNN
        >>> config = TrainingConfig(num_steps=2, batch_size=32, learning_rate=0.05)
        >>> evaluator = LocalEvaluator(DigitsCNN, load_dataset("digits"), config)
        >>> known, lacking = evaluator.evaluate([LossTree.parse("x * log(y)"), LossTree.parse("log(y)")])
        >>> known.status, lacking.status, lacking.fitness
        ('trained', 'lacks_variable', 0.0)
    """

    def __init__(
        self,
        network: NetworkFactory,
        dataset: Dataset,
        config: TrainingConfig,
        *,
        seeds: Sequence[int] = (0,),
        capacity: int = 64,
        cache: FitnessCache | None = None,
        devices: Sequence[jax.Device] | None = None,
        chunk_size: int | None = None,
        conv_lowering: ConvolutionLowering | None = None,
        journal: TrainingJournal | None = None,
    ):
        if "validation" not in config.splits:
            raise ConfigurationError(f"splits is {config.splits}; expected 'validation' in it: it gives the fitness.")
        trainer = PopulationTrainer(
            network,
            dataset,
            config,
            capacity=capacity,
            devices=devices,
            chunk_size=chunk_size,
            conv_lowering=conv_lowering,
            journal=journal,
        )
        super().__init__(trainer, seeds, cache)
