"""The search for shapes: parents come from an archive of all candidates."""

from typing import TYPE_CHECKING

from glojax.strategies.genetic import SteadyStateSearch

if TYPE_CHECKING:
    from glojax.evaluation import Evaluation


class ShapeSearch(SteadyStateSearch):
    """The steady-state genetic algorithm with a population that nobody leaves.

    It asks for `config.population_size` random candidates first; once they are evaluated, for random immigrants
    (`config.immigrant_rate`), and children of parents that are selected from all candidates evaluated so far, of which
    as many are outstanding at most. With a constraint that refuses known shapes (`NewShapes`), the archive holds each
    shape once; so the selection may be strong without copies of the best taking over.

    Source: Real et al. (2019, Regularized evolution), for tournaments without generations; there the oldest leave,
    which guards against luck in training. Here the leaders have been trained with several seeds (`RaceRule`).

    Examples:
        >>> from glojax import GeneticConfig
        >>> len(ShapeSearch(GeneticConfig(population_size=20, selection="tournament"), seed=0).ask(100))
        20
    """

    def _fitness_of(self, evaluation: "Evaluation") -> float | None:
        """Return the fitness or, if a loss was rejected on a rung, its score there: half a loss is better than none."""
        return evaluation.rung_fitness if evaluation.fitness is None else evaluation.fitness

    def _leave(self) -> None:
        """Keep all."""
