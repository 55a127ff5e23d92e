"""What a search for shapes has to beat with as many candidate-steps: other searches, and a tuned cross-entropy."""

import itertools
from collections.abc import Iterator, Sequence

import numpy as np

from experiments.entrants import Entrant, evaluator_of
from experiments.tasks import OpenTask
from glojax.evaluation import FITNESS_SPLIT, FitnessRule, evaluate
from glojax.expressions import LossTree
from glojax.search.finalists import halve, trained
from glojax.search.loop import Search
from glojax.strategies import GenerationalSearch, GeneticConfig, Strategy, TaylorConfig, TaylorSearch

#: Weight decays that a tuned cross-entropy is tried with.
WEIGHT_DECAYS = (0.0, 0.0001, 0.0003, 0.001, 0.003, 0.01)

#: Losses of a search that are trained again with fresh seeds.
NUM_FINALISTS = 16


def papers_fitness(task: OpenTask, num_steps: int) -> Entrant:
    """Search with the paper's strategy and fitness: validation accuracy of one training at one learning rate."""
    return _searched(task, GenerationalSearch(GeneticConfig(), task.options.seed), num_steps)


def taylor(task: OpenTask, num_steps: int) -> Entrant:
    """Search for a Taylor loss of third order by CMA-ES, with the same fitness (Gonzalez and Miikkulainen, 2021)."""
    return _searched(task, TaylorSearch(TaylorConfig(), task.options.seed), num_steps)


def _searched(task: OpenTask, strategy: Strategy, num_steps: int) -> Entrant:
    search = Search(strategy, task.evaluator(FitnessRule((task.options.first_seed,))))
    seen = -1
    while seen < len(search.evaluations) and sum(one.steps for one in search.evaluations) < num_steps:
        seen = len(search.evaluations)
        search.run(NUM_FINALISTS)
    best = trained(search.found)[:NUM_FINALISTS]
    winner = halve(best, task.evaluator(), task.options.seeds_of_finalists)[0]
    assert winner.learning_rate is not None
    return Entrant(winner.tree, winner.learning_rate)


def tuned_cross_entropy(task: OpenTask, num_steps: int, rate: float) -> Entrant:
    """Tune learning rate, label smoothing and weight decay of cross-entropy by random search with halvings.

    Half of the steps go to settings with one seed; of these, a quarter gets two seeds more, a quarter of them four, and
    so on, until four are left. Rates are drawn from a quarter to four times `rate`, cross-entropy's best, on a
    logarithmic scale; the smoothing is drawn from 0 to 0.4.
    """
    options, n = task.options, float(task.dataset.num_outputs)
    rng = np.random.default_rng(options.seed)
    settings = []
    for decay in itertools.islice(itertools.cycle(WEIGHT_DECAYS), max(4, num_steps // 2 // options.training.num_steps)):
        smoothing = round(float(rng.uniform(0, 0.4)), 3)
        tree = LossTree.parse(f"((1 - {smoothing}) * x + {smoothing} / {n}) * log(y)")
        settings.append(Entrant(tree, float(rate * 4 ** rng.uniform(-1, 1)), decay))
    scores: dict[Entrant, list[float]] = {one: [] for one in settings}
    first, num_seeds = options.first_seed, 1
    while True:
        for one, found in _fitnesses(task, settings, tuple(range(first, first + num_seeds))):
            scores[one] += found
        settings.sort(key=lambda one: -float(np.mean(scores[one])))
        if len(settings) <= 4:
            return settings[0]
        settings = settings[: max(4, len(settings) // 4)]
        first, num_seeds = first + num_seeds, 2 * num_seeds


def _fitnesses(
    task: OpenTask, settings: Sequence[Entrant], seeds: tuple[int, ...]
) -> Iterator[tuple[Entrant, list[float]]]:
    """Yield each setting with its validation score for each seed; there is a compilation for each weight decay."""
    for decay in WEIGHT_DECAYS:
        if own := [one for one in settings if one.weight_decay == decay]:
            rules = [FitnessRule(seeds, (one.rate,)) for one in own]
            evaluations = evaluate(evaluator_of(task, decay), [one.tree for one in own], rules)
            yield from ((one, each.scores(FITNESS_SPLIT)) for one, each in zip(own, evaluations, strict=True))
