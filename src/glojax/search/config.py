"""The command line's options: what to search, tune or compare."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro

from glojax.coefficients import CoefficientLayout, TuningConfig
from glojax.datasets import DatasetSource, TestSplit
from glojax.errors import ConfigurationError
from glojax.expressions import LossTree
from glojax.genetic import GeneticConfig
from glojax.losses import ClassReduction, find_tree
from glojax.losses.objective import DEFAULT_PROB_EPSILON
from glojax.networks import NETWORKS, ConvolutionLowering
from glojax.search.checks import nearest, require_at_least, require_distinct
from glojax.search.comparison import BEST_RATE
from glojax.search.execution import ExecutionOptions
from glojax.search.recipes import OWN_RECIPE, RECIPES, Recipe
from glojax.training import Augmentation, TrainingConfig


@dataclass(frozen=True, kw_only=True)
class CommonOptions:
    """What to train, on what, and where results go."""

    dataset: str = "digits"
    """Data set: digits (built in), mnist, fashion_mnist, cifar10, or a path that ends in .npz, with the arrays
    x_train, y_train, x_test and y_test."""

    data_dir: Path | None = None
    """Folder with the data set's original files, or one prepared by tensorflow-datasets. By default the cache, which
    is filled from the network."""

    test_split: TestSplit = "official"
    """held-out takes the last 10,000 training images for the test set, and trains on none of them."""

    train_fraction: float = 1.0
    """Share of the training images that is used: of each class, drawn by --seed."""

    validation_fraction: float | None = None
    """Share of a .npz file's training images that validates, where the file does not say which. By default 0.1."""

    network: str | None = None
    """Network: DigitsCNN, MnistCNN, CifarCNN or SmallCNN, which fits any images. By default the data set's own."""

    steps: int | None = None
    """SGD steps of each training. By default 2000 on the two MNISTs, 500 on cifar10, 200 elsewhere."""

    batch_size: int | None = None
    """Images in a step. By default 100 on the two MNISTs, 1024 on cifar10, 64 elsewhere."""

    learning_rate: float | None = None
    """Learning rate of plain SGD. By default 0.01 on the two MNISTs, 0.05 elsewhere."""

    weight_decay: float | None = None
    """L2 penalty on what the network marks for it. By default 0.004 on cifar10, 0 elsewhere."""

    decay_every_epochs: int | None = None
    """Epochs after which the learning rate becomes a tenth, again and again. By default 350 on cifar10, never
    elsewhere."""

    augmentation: Augmentation | None = None
    """What is done to images: cifar crops 24x24 pixels and varies them. By default cifar on cifar10, none elsewhere."""

    class_reduction: ClassReduction = "sum"
    """How a loss is reduced over the classes."""

    prob_epsilon: float = DEFAULT_PROB_EPSILON
    """Probabilities are clipped to this from below; 0 leaves them as they are."""

    seed: int = 0
    """Seed of everything random; the first one where several are used."""

    run_dir: Path | None = None
    """New or empty folder for the results. By default a new one under runs/."""

    chunk_size: int | None = None
    """Candidates that a device trains at once. By default 1 on a CPU, elsewhere 16 or what its memory holds."""

    conv_lowering: ConvolutionLowering | None = None
    """How convolutions are computed. By default canonical on a CPU, elsewhere the fastest of the others."""

    execution: Annotated[ExecutionOptions, tyro.conf.OmitArgPrefixes] = field(default_factory=ExecutionOptions)

    def __post_init__(self) -> None:
        require_at_least(1, steps=self.steps, batch_size=self.batch_size, chunk_size=self.chunk_size)
        require_at_least(0, seed=self.seed)
        if self.seed >= 2**31:
            raise ConfigurationError(f"--seed is {self.seed}; expected a whole number below 2^31.")
        if self.network is not None and self.network not in NETWORKS:
            raise ConfigurationError(
                f"Unknown network {self.network!r}.{nearest(self.network, NETWORKS)} "
                f"Expected one of {', '.join(NETWORKS)}."
            )

    @property
    def recipe(self) -> Recipe:
        """The data set's defaults with the user's choices in their place."""
        choices = {name: getattr(self, name) for name in Recipe._fields}
        chosen = {name: choice for name, choice in choices.items() if choice is not None}
        return RECIPES.get(self.dataset, OWN_RECIPE)._replace(**chosen)

    @property
    def rates_in_words(self) -> str:
        """The learning rate, for the user to read."""
        return f"learning rate {self.recipe.learning_rate:g}"

    def training_config(self, *splits: str) -> TrainingConfig:
        """How a candidate is trained, and on which splits its accuracy is measured."""
        recipe = self.recipe
        return TrainingConfig(
            num_steps=recipe.steps,
            batch_size=recipe.batch_size,
            learning_rate=recipe.learning_rate,
            class_reduction=self.class_reduction,
            prob_epsilon=self.prob_epsilon,
            splits=splits,
            weight_decay=recipe.weight_decay,
            decay_every_epochs=recipe.decay_every_epochs,
            augmentation=recipe.augmentation,
        )

    @property
    def dataset_source(self) -> DatasetSource:
        """What the data set is loaded from, with as many training images as asked for."""
        return DatasetSource(
            name=self.dataset,
            data_dir=None if self.data_dir is None else str(self.data_dir),
            test_split=self.test_split,
            validation_fraction=self.validation_fraction,
            train_fraction=self.train_fraction,
            seed=self.seed,
        )


@dataclass(frozen=True, kw_only=True)
class SearchOptions(CommonOptions):
    """Options of whatever looks for a loss: how a candidate gets its fitness, and how the best is chosen.

    The seeds from --seed on are given out in turn, so that no step sees those of another.
    """

    replicates: int = 1
    """Number of seeds that each candidate is trained with; its fitness is the mean."""

    finalists: int = 10
    """How many of the best losses are trained again with fresh seeds; the best of them by mean validation
    accuracy is the result. 1 takes the search's own best."""

    finalist_seeds: int = 10
    """Number of fresh seeds that decide between the finalists."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require_at_least(1, replicates=self.replicates, finalists=self.finalists, finalist_seeds=self.finalist_seeds)

    @property
    def seeds_of_search(self) -> range:
        """What candidates get their fitness with."""
        return range(self.seed, self.seed + self.replicates)

    @property
    def seeds_of_finalists(self) -> range:
        """What decides between the finalists."""
        return range(self.seeds_of_search.stop, self.seeds_of_search.stop + self.finalist_seeds)


@dataclass(frozen=True, kw_only=True)
class DiscoverOptions(SearchOptions):
    """Options of a search for loss functions."""

    generations: int = 25
    """Number of generations, the random first one included."""

    asynchronous: bool = False
    """Breed a new candidate whenever a device or a worker is free, instead of whole generations: as many evaluations,
    without waiting. What comes of it depends on the order in which candidates come back, which is recorded."""

    genetic: Annotated[GeneticConfig, tyro.conf.OmitArgPrefixes] = field(default_factory=GeneticConfig)

    def __post_init__(self) -> None:
        super().__post_init__()
        require_at_least(1, generations=self.generations)


@dataclass(frozen=True, kw_only=True)
class RunOptions(DiscoverOptions):
    """Options of the whole job."""

    tuned: int = 3
    """How many of the finalists have their coefficients tuned; 0 leaves the tuning out."""

    tuning: TuningConfig = field(default_factory=lambda: TuningConfig(generations=10))

    seeds: int = 10
    """Number of fresh seeds over which losses are compared in the end."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require_at_least(0, tuned=self.tuned)
        require_at_least(1, seeds=self.seeds)


@dataclass(frozen=True, kw_only=True)
class TuneOptions(SearchOptions):
    """Options of the tuning of given losses."""

    loss: tuple[str, ...]
    """What to tune: names (cross_entropy, baikal, baikal_cma) or expressions of x and y, such as
    "log(y) - x / y", with or without coefficients to start from. The loss is minus their sum over the classes."""

    tuning: TuningConfig = field(default_factory=TuningConfig)

    seeds: int = 10
    """Number of fresh seeds over which the tuned loss is compared with the untuned in the end."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require_at_least(1, seeds=self.seeds)
        require_distinct("loss", self.loss)
        require_distinct("loss", [str(tree) for tree in self.trees])
        for tree in self.trees:
            CoefficientLayout.of(tree, self.tuning.coefficients)

    @property
    def trees(self) -> list[LossTree]:
        """What to tune."""
        return [find_tree(loss) for loss in self.loss]


@dataclass(frozen=True, kw_only=True)
class CompareOptions(CommonOptions):
    """Options of a comparison."""

    losses: tuple[str, ...]
    """Names (cross_entropy, baikal, baikal_cma; cross_entropy_best_rate and the like, which try five learning
    rates) or expressions of x and y, such as "log(y) - x / y". The loss is minus their sum over the classes."""

    seeds: int = 10
    """Number of seeds; --seed is the first."""

    learning_rates: tuple[float, ...] | None = None
    """Learning rates that each loss is tried at; the best on the validation set is the loss's own."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require_at_least(1, seeds=self.seeds)
        require_distinct("losses", self.losses)
        _ = self.trees
        if self.learning_rates is None:
            return
        if not self.learning_rates or not all(0 < rate < float("inf") for rate in self.learning_rates):
            rates = " ".join(f"{rate:g}" for rate in self.learning_rates)
            raise ConfigurationError(f"--learning-rates are {rates or 'none'}; expected positive numbers.")
        if self.learning_rate is not None:
            raise ConfigurationError("--learning-rate and --learning-rates exclude each other; give one of them.")
        if any(self.learning_rates.count(rate) > 1 for rate in self.learning_rates):
            raise ConfigurationError("--learning-rates has a rate more than once; give each once.")
        if best_rate := [loss for loss in self.losses if loss.endswith(BEST_RATE)]:
            raise ConfigurationError(
                f"{best_rate[0]} is tried at rates of its own, and --learning-rates gives others; drop {BEST_RATE!r}."
            )

    @property
    def trees(self) -> dict[str, LossTree]:
        """What to compare, by name."""
        return {name: find_tree(name.removesuffix(BEST_RATE)) for name in self.losses}

    @property
    def rates_in_words(self) -> str:
        """The learning rates, for the user to read."""
        if self.learning_rates is None:
            return super().rates_in_words
        return "each loss at its best learning rate of " + ", ".join(f"{rate:g}" for rate in self.learning_rates)
