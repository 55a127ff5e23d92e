"""The settings of the genetic algorithm."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Final, Literal, get_args

from glojax.errors import ConfigurationError, nearest
from glojax.expressions import MAX_NODES, OPERATORS, PAPER_OPERATORS

#: A population and its children are in memory at once; so are all tournaments of a generation.
MAX_POPULATION: Final = 100_000
MAX_TOURNAMENT: Final = 1_000

#: Random trees that may grow deeper than this seldom end within memory.
MAX_DEPTH: Final = 64

SelectionKind = Literal["roulette", "rank", "tournament"]


def drawn_weights(words: Iterable[str]) -> dict[str, float]:
    """Return the sampling weight of each operator that is drawn, in the order of `OPERATORS`, leaves included.

    Args:
        words: Names of operators with operands, each alone, for the weight in `OPERATORS`, or with `=WEIGHT`.
    """
    given: dict[str, float] = {}
    known = [name for name, operator in OPERATORS.items() if operator.arity]
    for word in words:
        name, equals, text = str(word).partition("=")
        if name not in known:
            hint = nearest(name, known)
            raise ConfigurationError(f"operators has {name!r}.{hint} Expected some of {', '.join(known)}.")
        if name in given:
            raise ConfigurationError(f"operators has {name!r} more than once; give each operator once.")
        try:
            given[name] = float(text) if equals else OPERATORS[name].weight
        except ValueError:
            given[name] = math.nan
        if not 0 < given[name] < math.inf:
            raise ConfigurationError(f"operators has {word!r}; expected a finite weight above 0, as in {name}=2.")
    if all(OPERATORS[name].arity == 1 for name in given):
        raise ConfigurationError(
            f"operators has {' '.join(given) or 'no operator'}; expected one with several operands, such as add, as a "
            "loss needs both x and y: add one."
        )
    return {
        name: given.get(name, operator.weight)
        for name, operator in OPERATORS.items()
        if name in given or not operator.arity
    }


#: The weights of the operators that are drawn by default.
PAPER_WEIGHTS: Final = drawn_weights(PAPER_OPERATORS)


@dataclass(frozen=True)
class GeneticConfig:
    """Settings of the genetic algorithm; the defaults are the paper's where it gives a value.

    Source: Gonzalez and Miikkulainen (2020), section III-A. `coefficient_rate`, `tournament_size`, `max_nodes` and the
    selection kinds `rank` and `tournament` are ours; `immigrant_rate` is Grefenstette's (1992, Genetic algorithms for
    changing environments).

    Examples:
        >>> GeneticConfig(crossover_rate=80)
        Traceback (most recent call last):
            ...
        glojax.errors.ConfigurationError: crossover_rate is 80; expected a probability: give a number from 0 to 1.
    """

    population_size: int = 80
    """Number of candidates in each generation, at most 100,000: they are in memory at once."""
    num_elites: int = 6
    """Number of fittest candidates that pass unchanged into the next generation."""
    initial_depth: int = 2
    """Greatest depth, in edges, of a random tree, at most 64. Children may be deeper."""
    crossover_rate: float = 0.8
    """Probability that a pair of parents swaps two subtrees; otherwise both are copied."""
    integer_step_rate: float = 0.05
    """Probability that an integer is incremented or decremented, for each integer leaf."""
    same_arity_rate: float = 0.05
    """Probability that a node is replaced by a random one with as many operands, for each node."""
    collapse_rate: float = 0.025
    """Probability that an operator and its operands are replaced by a random leaf, for each operator."""
    expand_rate: float = 0.025
    """Probability that a leaf is replaced by a random node with random leaves as operands, for each leaf."""
    coefficient_rate: float = 0.0
    """Probability that the coefficient of a node is multiplied by a random factor, for each node."""
    immigrant_rate: float = 0.0
    """Probability that a candidate is a random tree instead of a child of parents: a random immigrant."""
    selection: SelectionKind = "roulette"
    """The way in which parents are drawn: by fitness, by rank, or as the fittest of small tournaments."""
    tournament_size: int = 3
    """Number of candidates in a tournament, at most 1,000; only tournament selection uses it."""
    operators: tuple[str, ...] | None = None
    """Operators that trees are drawn from, beside x, y and constants: each a name, or a name with a weight, such as
    log add divide exp=2. By default the paper's: log square sqrt add subtract multiply divide."""
    max_nodes: int | None = 64
    """Greatest number of nodes in a tree; larger ones are discarded and drawn again. None for 1000, the greatest number
    that is read back from a text."""

    def __post_init__(self) -> None:
        ranges = {
            "population_size": (1, MAX_POPULATION),
            "num_elites": (0, MAX_POPULATION),
            "initial_depth": (1, MAX_DEPTH),
            "tournament_size": (1, MAX_TOURNAMENT),
        }
        if self.max_nodes is not None:
            # From the nodes of `x * y`, the smallest tree that has both x and y, to the most that a text is read with.
            ranges["max_nodes"] = (3, MAX_NODES)
        for name, (least, most) in ranges.items():
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, Integral) or not least <= int(value) <= most:
                raise ConfigurationError(f"{name} is {value!r}; expected an integer: give one from {least} to {most}.")
        for name in (name for name in vars(self) if name.endswith("_rate")):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, Real) or not 0 <= float(value) <= 1:
                raise ConfigurationError(f"{name} is {value!r}; expected a probability: give a number from 0 to 1.")
        if self.num_elites >= self.population_size:
            raise ConfigurationError(
                f"num_elites is {self.num_elites} with a population_size of {self.population_size}; expected fewer "
                "elites than candidates: lower num_elites or raise population_size."
            )
        if self.selection not in get_args(SelectionKind):
            choices = ", ".join(get_args(SelectionKind))
            raise ConfigurationError(
                f"selection is {self.selection!r}; expected one of {choices}: choose one of these."
            )
        _ = self.operator_weights  # raises ConfigurationError for operators that there are not

    @property
    def operator_weights(self) -> dict[str, float]:
        """The sampling weight of each operator that is drawn, leaves included."""
        return PAPER_WEIGHTS if self.operators is None else drawn_weights(self.operators)

    @property
    def size_limit(self) -> int:
        """The greatest number of nodes in a tree: `max_nodes` or, if that is None, `MAX_NODES`."""
        return MAX_NODES if self.max_nodes is None else self.max_nodes
