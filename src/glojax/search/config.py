"""The command line's options."""

import difflib
import re
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro

from glojax.coefficients import CoefficientLayout, TuningConfig
from glojax.datasets import DatasetSource, TestSplit
from glojax.errors import ConfigurationError
from glojax.evaluation.cluster_settings import settings_type
from glojax.expressions import LossTree
from glojax.genetic import GeneticConfig
from glojax.losses import ClassReduction, find_loss
from glojax.losses.objective import DEFAULT_PROB_EPSILON
from glojax.networks import NETWORKS, ConvolutionLowering
from glojax.search.comparison import BEST_RATE
from glojax.search.recipes import OWN_RECIPE, RECIPES, Recipe
from glojax.training import Augmentation, TrainingConfig

_DURATION = re.compile(r"(?:(\d{1,6})h)?(?:(\d{1,6})m)?(?:(\d{1,6})s)?")

#: Seconds of the longest time limit: about three years.
_LONGEST = 1e8


@dataclass(frozen=True, kw_only=True)
class ExecutionOptions:
    """How a run is executed, which does not change what comes of it."""

    devices: int | None = None
    """How many devices train: GPUs where there are some, else CPU cores. By default all."""

    time_limit: str | None = None
    """End the run after this time, such as 3h, 90m or 1h30m, so that it can be resumed. By default it runs to its
    end."""

    cluster: str | None = None
    """Train on other processes or machines: local:N for N workers on this one, slurm, htcondor, or the address of a
    Dask scheduler that stands already, tcp://HOST:PORT. By default in this process. --devices is then how
    many CPU cores each worker trains on."""

    cluster_config: Path | None = None
    """TOML file with the cluster's settings; examples are in examples/cluster."""

    profile: Path | None = None
    """Folder for a trace of the whole run by JAX's profiler, which TensorBoard and Perfetto show; for short runs."""

    def __post_init__(self) -> None:
        require_at_least(1, devices=self.devices)
        _ = self.time_limit_seconds
        if self.cluster is not None:
            settings_type(self.cluster)
        elif self.cluster_config is not None:
            raise ConfigurationError("--cluster-config goes with --cluster; say which cluster it is for.")
        if self.cluster is not None and self.profile is not None:
            raise ConfigurationError(
                "--profile traces this process, and with --cluster others train; drop one of them."
            )

    @property
    def time_limit_seconds(self) -> float | None:
        """The time limit in seconds."""
        if self.time_limit is None:
            return None
        parts = _DURATION.fullmatch(self.time_limit.strip().lower())
        seconds = (
            sum(int(part) * unit for part, unit in zip(parts.groups("0"), (3600, 60, 1), strict=True)) if parts else 0
        )
        if not 0 < seconds <= _LONGEST:
            raise ConfigurationError(
                f"--time-limit is {self.time_limit!r}; expected hours, minutes and seconds, such as 3h, 90m or 1h30m."
            )
        return seconds

    @property
    def cluster_in_words(self) -> str:
        """What a command that goes on with the run says of the cluster."""
        options = {"--cluster": self.cluster, "--cluster-config": self.cluster_config}
        given = {name: str(value) for name, value in options.items() if value is not None}
        return "".join(f" {name} {shlex.quote(value)}" for name, value in given.items())


@dataclass(frozen=True, kw_only=True)
class ResumeOptions:
    """Options of a run that goes on."""

    run_dir: tyro.conf.Positional[Path]
    """The folder of the run."""

    allow_version_change: bool = False
    """Go on although libraries, data set or device differ from those that the run began with; config.json then says
    so."""

    execution: Annotated[ExecutionOptions, tyro.conf.OmitArgPrefixes] = field(default_factory=ExecutionOptions)


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
    "log(y) - x / y", with or without coefficients to start from."""

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
        return [find_loss(loss) for loss in self.loss]


@dataclass(frozen=True, kw_only=True)
class CompareOptions(CommonOptions):
    """Options of a comparison."""

    losses: tuple[str, ...]
    """Names (cross_entropy, baikal, baikal_cma; cross_entropy_best_rate and the like, which try five learning
    rates) or expressions of x and y, such as "log(y) - x / y"."""

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
        return {name: find_loss(name.removesuffix(BEST_RATE)) for name in self.losses}

    @property
    def rates_in_words(self) -> str:
        """The learning rates, for the user to read."""
        if self.learning_rates is None:
            return super().rates_in_words
        return "each loss at its best learning rate of " + ", ".join(f"{rate:g}" for rate in self.learning_rates)


def require_at_least(minimum: int, **values: int | None) -> None:
    """Raise ConfigurationError for the first value below `minimum`; None passes."""
    for name, value in values.items():
        if value is not None and value < minimum:
            flag = "--" + name.replace("_", "-")
            raise ConfigurationError(f"{flag} is {value}; expected a whole number of at least {minimum}.")


def require_distinct(name: str, losses: Sequence[str]) -> None:
    """Raise ConfigurationError unless there is a loss, and none twice."""
    if not losses:
        raise ConfigurationError(f"--{name} names no loss; give at least one.")
    repeated = sorted({loss for loss in losses if losses.count(loss) > 1})
    if repeated:
        raise ConfigurationError(f"--{name} has {repeated[0]!r} more than once; give each loss once.")


def nearest(word: str, known: Iterable[str]) -> str:
    """A hint with the known word that is most like `word`, or nothing."""
    near = difflib.get_close_matches(word, list(known), n=1)
    return f" Did you mean {near[0]!r}?" if near else ""
