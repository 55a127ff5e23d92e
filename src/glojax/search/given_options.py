"""The command line's options of the commands that take given losses: a tuning and a comparison."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from glojax.errors import ConfigurationError
from glojax.expressions import LossTree
from glojax.losses import find_tree
from glojax.search.comparison import BEST_RATE
from glojax.search.options import CommonOptions, SearchOptions
from glojax.search.recipes import recipe_of
from glojax.strategies import TuningConfig
from glojax.strategies.coefficients import CoefficientLayout
from glojax.training import require_rates


@dataclass(frozen=True, kw_only=True)
class TuneOptions(SearchOptions):
    """Options of the tuning of given losses."""

    loss: tuple[str, ...]
    """Losses to tune: names (cross_entropy, baikal, baikal_cma) or expressions of x and y, such as "log(y) - x / y",
    with or without coefficients to start from. The loss is minus their sum over the classes."""
    tuning: TuningConfig = field(default_factory=TuningConfig)
    seeds: int = 10
    """Number of fresh seeds over which the tuned loss is compared with the untuned in the end."""

    def __post_init__(self) -> None:
        super().__post_init__()
        _require_distinct("loss", self.loss)
        _require_distinct("loss", [str(tree) for tree in self.trees()])
        for tree in self.trees():
            CoefficientLayout.of(tree, self.tuning.coefficients)

    @property
    def named_losses(self) -> tuple[str, ...]:
        """The losses to tune, as they are named."""
        return self.loss

    def trees(self, num_classes: int | None = None) -> list[LossTree]:
        """Return the losses to tune, for a number of classes."""
        return [find_tree(loss, None, num_classes) for loss in self.loss]


@dataclass(frozen=True, kw_only=True)
class CompareOptions(CommonOptions):
    """Options of a comparison."""

    losses: tuple[str, ...]
    """Names (cross_entropy, baikal, baikal_cma; cross_entropy_best_rate and the like, which try five learning
    rates) or expressions of x and y, such as "log(y) - x / y". The loss is minus their sum over the classes."""
    seeds: int = 10
    """Number of seeds; --seed is the first."""
    learning_rates: tuple[float, ...] | None = None
    """Learning rates at which each loss is tried; its best on the validation set counts."""

    def __post_init__(self) -> None:
        super().__post_init__()
        _require_distinct("losses", self.losses)
        _ = self.trees()  # refuses what is no loss; whether it has x and y depends on the data
        if self.learning_rates is None:
            return
        if not self.learning_rates:
            raise ConfigurationError("--learning-rates names no rate; give at least one.")
        require_rates("--learning-rates", *self.learning_rates)
        if self.training.learning_rate != recipe_of(self.dataset).training.learning_rate:
            raise ConfigurationError("--learning-rate and --learning-rates exclude each other; give one of them.")
        if best_rate := [loss for loss in self.losses if loss.endswith(BEST_RATE)]:
            raise ConfigurationError(
                f"{best_rate[0]} is tried at rates of its own, and --learning-rates gives others; drop {BEST_RATE!r}."
            )

    @property
    def named_losses(self) -> tuple[str, ...]:
        """The losses to compare, as they are named."""
        return tuple(name.removesuffix(BEST_RATE) for name in self.losses)

    def trees(self, num_classes: int | None = None) -> dict[str, LossTree]:
        """Return the losses to compare, by name, for a number of classes."""
        return {name: find_tree(name.removesuffix(BEST_RATE), None, num_classes) for name in self.losses}


def _require_distinct(name: str, losses: Sequence[str]) -> None:
    """Raise ConfigurationError unless there is a loss, and none twice."""
    if not losses:
        raise ConfigurationError(f"--{name} names no loss; give at least one.")
    repeated = sorted({loss for loss in losses if losses.count(loss) > 1})
    if repeated:
        raise ConfigurationError(f"--{name} has {repeated[0]!r} more than once; give each loss once.")
