"""Options that another option leaves without effect: each is refused, as its user expects something of it."""

from collections.abc import Callable, Sequence
from dataclasses import fields
from typing import Any, Final, NamedTuple

from glojax.errors import ConfigurationError
from glojax.search.recipes import PRESETS
from glojax.strategies import GeneticConfig, TaylorConfig, TuningConfig


class _Dead(NamedTuple):
    """Names of fields, when they have no effect, and what makes it so, as a format of the options."""

    names: Sequence[str]
    condition: Callable[[Any], bool]
    cause: str


def _inside(name: str, config_type: type[Any]) -> list[str]:
    return [f"{name}.{field.name}" for field in fields(config_type)]


#: What a strategy that learns nothing has no use for.
_BREEDING: Final = [
    f"genetic.{name}"
    for name in (
        *("num_elites", "crossover_rate", "integer_step_rate", "same_arity_rate", "coefficient_rate"),
        *("collapse_rate", "expand_rate", "immigrant_rate", "selection", "tournament_size"),
    )
]

_TABLE: Final = (
    _Dead(["noise_kind"], lambda options: options.label_noise == 0, "without --label-noise"),
    _Dead(
        ["rates", "rate_factor", "rate_seeds", "audit", "standard_losses", "control"],
        lambda options: options.preset == "paper",
        "with --preset paper",
    ),
    _Dead(["rate_factor"], lambda options: options.rates == 1, "with --rates 1"),
    _Dead(
        _inside("genetic", GeneticConfig),
        lambda options: options.strategy_config is options.taylor,
        "with --strategy {0.chosen_strategy}",
    ),
    _Dead(
        _inside("taylor", TaylorConfig),
        lambda options: options.strategy_config is options.genetic,
        "with --strategy {0.chosen_strategy}",
    ),
    _Dead(_BREEDING, lambda options: options.chosen_strategy == "random", "with --strategy random"),
    _Dead(["genetic.num_elites"], lambda options: options.chosen_strategy == "shape", "with --strategy shape"),
    _Dead(
        ["genetic.tournament_size"],
        lambda options: options.genetic.selection != "tournament",
        "with --selection {0.genetic.selection}",
    ),
    _Dead(_inside("tuning", TuningConfig), lambda options: getattr(options, "tuned", 1) == 0, "with --tuned 0"),
)


def require_effect(options: Any) -> None:
    """Raise ConfigurationError for an option that is not its default, and that another one leaves without effect."""
    defaults = {
        field.name: field.default_factory() if callable(field.default_factory) else field.default
        for field in fields(options)
    } | PRESETS.get(getattr(options, "preset", ""), {})

    def is_changed(name: str) -> bool:
        first, _, inner = name.partition(".")
        value, default = getattr(options, first), defaults[first]
        return bool(getattr(value, inner) != getattr(default, inner) if inner else value != default)

    for names, condition, cause in _TABLE:
        known = [name for name in names if hasattr(options, name.partition(".")[0])]
        if known and condition(options):
            for name in filter(is_changed, known):
                flag = name.removeprefix("genetic.").replace("_", "-")
                raise ConfigurationError(
                    f"--{flag} has no effect {cause.format(options)}; leave it out, or change the other."
                )
