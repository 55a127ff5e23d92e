"""The command line's options: those of all commands, and those of a search."""

import math
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Annotated, Final, Literal

import tyro

from glojax.datasets import DatasetSource
from glojax.errors import ConfigurationError
from glojax.expressions import LossTree
from glojax.losses import find_tree
from glojax.networks import ConvolutionLowering
from glojax.search.comparison import require_variables
from glojax.search.data_options import DataOptions
from glojax.search.dead_options import require_effect
from glojax.search.execution import ExecutionOptions, require_at_least
from glojax.search.named_network import find_network
from glojax.search.rates import RIVAL
from glojax.search.recipes import SHAPE_GENETIC, SHAPE_TUNING, recipe_of
from glojax.strategies import (
    DiscoveryConfig,
    GeneticConfig,
    TaylorConfig,
    TuningConfig,
    find_constraint,
    find_strategy,
)
from glojax.training import TrainingConfig
from glojax.training.named_functions import absolute_import_path

#: In a search for shapes, the first seed is --seed times this: two searches that are pooled have no training in common.
_SEEDS_A_SEARCH: Final = 1000

#: Options of any command that are at least 1.
_COUNTS = ("chunk_size", "replicates", "finalists", "finalist_seeds", "generations", "seeds", "rates", "rate_seeds")

#: Options of any command that are at most `MAX_AT_ONCE`: so many trainings of a loss, or of a chunk, are in memory.
_AT_ONCE = ("chunk_size", "replicates", "finalist_seeds", "seeds", "rates", "rate_seeds")
MAX_AT_ONCE = 10_000


@dataclass(frozen=True, kw_only=True)
class CommonOptions(DataOptions):
    """The data, the network, the training, and the folder of the results."""

    network: str | None = recipe_of("digits").network
    """Network: DigitsCNN, MnistCNN, CifarCNN, or one that fits itself to data: SmallCNN to images, SmallMLP to tables,
    SmallFCN to images with a class for each pixel; or your own, as package.module:Class or file.py:Class. By default,
    for other data sets, the one of these that fits."""
    training: Annotated[TrainingConfig, tyro.conf.OmitArgPrefixes] = recipe_of("digits").training
    """How a candidate is trained."""
    seed: int = 0
    """Seed of everything random; the first one where several are used."""
    run_dir: Path | None = None
    """New or empty folder for the results. By default a new one under runs/."""
    chunk_size: int | None = None
    """Candidates that a device trains at once, at most 10,000. By default 1 on a CPU, elsewhere 16 or what its memory
    holds."""
    conv_lowering: ConvolutionLowering | None = None
    """How convolutions are computed. By default canonical on a CPU, elsewhere the fastest of the others."""
    execution: Annotated[ExecutionOptions, tyro.conf.OmitArgPrefixes] = field(default_factory=ExecutionOptions)

    def __post_init__(self) -> None:
        require_at_least(0, **{name: getattr(self, name, None) for name in ("seed", "tuned")})
        require_at_least(1, **{name: getattr(self, name, None) for name in _COUNTS})
        for name in _AT_ONCE:
            if (getattr(self, name, None) or 0) > MAX_AT_ONCE:
                raise ConfigurationError(
                    f"--{name.replace('_', '-')} is {getattr(self, name)}; expected at most {MAX_AT_ONCE}, as so many "
                    "trainings are in memory at once: lower it."
                )
        if self.seed >= 2**31:
            raise ConfigurationError(f"--seed is {self.seed}; expected a whole number below 2^31.")
        if self.training.evaluate_every is not None and self.training.patience is None:
            raise ConfigurationError(
                "--evaluate-every is given without --patience, which needs the evaluations; give both, or leave it out."
            )
        require_effect(self)
        if self.network is not None:
            # A run may go on in another working directory.
            object.__setattr__(self, "network", absolute_import_path(self.network))
            find_network(self.network)

    @property
    def named_losses(self) -> tuple[str, ...]:
        """The losses that the options name, as names or expressions."""
        return ()

    @property
    def dataset_source(self) -> DatasetSource:
        """The source of the data set."""
        values = {field.name: getattr(self, field.name) for field in fields(DataOptions)}
        data_dir = None if self.data_dir is None else str(self.data_dir)
        return DatasetSource(name=values.pop("dataset"), **values | {"data_dir": data_dir}, seed=self.seed)


@dataclass(frozen=True, kw_only=True)
class SearchOptions(CommonOptions):
    """Options of all commands that look for a loss; each phase takes the next seeds from --seed on."""

    replicates: int = 1
    """Number of seeds that each candidate is trained with; its fitness is the mean."""
    asynchronous: bool = False
    """Tell the strategy each evaluation when it completes: no device waits, and the recorded order counts."""
    finalists: int = 10
    """How many of the best losses are evaluated again with fresh seeds; the best by mean score is the result."""
    finalist_seeds: int = 10
    """Number of fresh seeds that decide between the finalists."""

    @property
    def first_seed(self) -> int:
        """The first seed that is trained with."""
        return self.seed

    @property
    def seeds_of_search(self) -> range:
        """The seeds with which candidates get their fitness."""
        return range(self.first_seed, self.first_seed + self.replicates)

    @property
    def seeds_of_finalists(self) -> range:
        """The seeds that decide between the finalists."""
        return range(self.seeds_of_search.stop, self.seeds_of_search.stop + self.finalist_seeds)


@dataclass(frozen=True, kw_only=True)
class DiscoverOptions(SearchOptions):
    """Options of a search for loss functions."""

    replicates: int = 3
    """Greatest number of seeds that a candidate is trained with; its fitness is the mean."""
    finalists: int = 16
    """How many of the best losses are evaluated again with fresh seeds."""
    finalist_seeds: int = 24
    """Number of fresh seeds that decide between the last of them; each halving of --preset shape doubles the seeds."""
    generations: int = 12
    """Number of generations, of as many candidates as a population holds; the random first one included."""
    preset: Literal["shape", "paper"] = "shape"
    """What is searched, and the defaults: shape, for the shape of a loss, each at its best learning rate; or paper, the
    method of Gonzalez and Miikkulainen (2020), all at one rate."""
    strategy: str | None = None
    """shape, whose parents come from an archive of all candidates, with random immigrants; generational or
    steady-state, forms of the genetic algorithm; random, which learns nothing; or taylor, CMA-ES over polynomials. By
    default shape; with --preset paper generational, and with --asynchronous steady-state."""
    rates: int = 3
    """Number of learning rates that each shape is trained at (--preset shape)."""
    rate_factor: float = 2.0
    """Factor between two of these rates."""
    rate_seeds: int = 8
    """Number of seeds with which the best rate of a loss is chosen; a quarter of them leaves three rates."""
    audit: float = 0.05
    """Share of the losses that are trained in full whatever heuristic rules say, to count false rejections."""
    standard_losses: tuple[str, ...] = (
        *("cross_entropy", "label_smoothing", "generalized_cross_entropy", "baikal", "baikal_cma"),
    )
    """Losses that the verdict is on, as names or expressions; cross_entropy is always one."""
    initial_losses: tuple[str, ...] = ()
    """Losses to begin with, as names or expressions; the other candidates of the first generation are random. By
    default those of the literature; with --preset paper none."""
    constraint: tuple[str, ...] = ()
    """What every candidate must be: minimum_at_label (lowest where a network is right and certain), convex_in_y,
    bounded, or several of them."""
    genetic: Annotated[GeneticConfig, tyro.conf.OmitArgPrefixes] = SHAPE_GENETIC
    taylor: TaylorConfig = field(default_factory=TaylorConfig)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 1 < self.rate_factor < 1e6:
            raise ConfigurationError(f"--rate-factor is {self.rate_factor}; expected a number above 1, such as 2.")
        if (self.rates - 1) * math.log10(self.rate_factor) > 30:  # float32 holds some more
            raise ConfigurationError(
                f"--rates {self.rates} and --rate-factor {self.rate_factor:g} span more than 1e30; lower one of them."
            )
        if self.first_seed >= 2**31:
            most = 2**31 // _SEEDS_A_SEARCH
            raise ConfigurationError(f"--seed is {self.seed}; expected a whole number up to {most:,} for shapes.")
        if not 0 <= self.audit <= 1:
            raise ConfigurationError(f"--audit is {self.audit}; expected a share from 0 to 1.")
        _ = self.standard_trees()  # refuses losses that are none
        strategy, constraint = find_strategy(self.chosen_strategy), find_constraint(self.constraint)
        if self.initial_losses or self.constraint:
            strategy.make(self.strategy_config, self.seed, initial=self.initial_trees(), constraint=constraint)

    @property
    def first_seed(self) -> int:
        """The first seed that is trained with; those of different searches for shapes differ."""
        return self.seed * _SEEDS_A_SEARCH if self.preset == "shape" else self.seed

    @property
    def named_losses(self) -> tuple[str, ...]:
        """The losses to begin with, as they are named."""
        return self.initial_losses

    def initial_trees(self, num_classes: int | None = None) -> list[LossTree]:
        """Return the losses to begin with, for a number of classes."""
        return [find_tree(loss, None, num_classes) for loss in self.initial_losses]

    def standard_trees(self, num_classes: int | None = None) -> dict[str, LossTree]:
        """Return the losses that the verdict is on, for a number of classes, by name: cross-entropy first."""
        trees = {
            name: find_tree(name, num_classes=num_classes) for name in dict.fromkeys([RIVAL, *self.standard_losses])
        }
        require_variables(trees.values())
        return trees

    @property
    def rate_multiples(self) -> tuple[float, ...]:
        """The multiples of the normalised rate that each shape is trained at, ascending."""
        return tuple(self.rate_factor ** (index - (self.rates - 1) / 2) for index in range(self.rates))

    @property
    def seeds_of_rates(self) -> range:
        """The seeds with which the best rate of a loss is chosen."""
        return range(self.seeds_of_finalists.stop, self.seeds_of_finalists.stop + self.rate_seeds)

    @property
    def chosen_strategy(self) -> str:
        """A name in `DISCOVERY_STRATEGIES`."""
        paper = "steady-state" if self.asynchronous else "generational"
        return self.strategy or ("shape" if self.preset == "shape" else paper)

    @property
    def strategy_config(self) -> DiscoveryConfig:
        """The settings of the chosen strategy."""
        return self.taylor if find_strategy(self.chosen_strategy).config_type is TaylorConfig else self.genetic


@dataclass(frozen=True, kw_only=True)
class RunOptions(DiscoverOptions):
    """Options of the whole job."""

    tuned: int = 1
    """How many of the finalists have their coefficients tuned; 0 leaves the tuning out."""
    tuning: TuningConfig = SHAPE_TUNING
    seeds: int = 10
    """Number of fresh seeds over which losses are compared in the end."""
    control: bool = False
    """Search at random, too, with as many candidate-steps, and show the best of it."""
