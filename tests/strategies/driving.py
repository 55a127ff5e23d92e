"""Strategies driven by a fitness of the tree alone."""

import hashlib
import random
from collections.abc import Callable, Sequence

from glojax.evaluation import Evaluation
from glojax.expressions import LossTree
from glojax.strategies import GenerationalSearch, GeneticConfig, Strategy

Fitness = Callable[[LossTree], float | None]


def evaluation(tree: LossTree, fitness: float | None) -> Evaluation:
    return Evaluation(tree, fitness, "non_finite" if fitness is None else "trained", steps=1)


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def number_of(tree: LossTree) -> float:
    """From 0 to below 1, from the text of a tree."""
    return int(digest(str(tree))[:8], 16) / 2**32


def fitness_of_text(tree: LossTree) -> float | None:
    """From 0.2 to 1 in steps of 0.02; unknown for trees without x or y, and for a fifth of the others."""
    number = number_of(tree)
    return round(number * 50) / 50 if tree.uses("x") and tree.uses("y") and number >= 0.2 else None


def ask_all(strategy: Strategy) -> list[LossTree]:
    """Ask for a few at a time until the strategy waits."""
    trees: list[LossTree] = []
    while asked := strategy.ask(7):
        trees += asked
    return trees


def tell_all(strategy: Strategy, trees: Sequence[LossTree], fitness: Fitness = fitness_of_text) -> None:
    for tree in trees:
        strategy.tell(tree, evaluation(tree, fitness(tree)))


def rounds_of(strategy: Strategy, number: int, fitness: Fitness = fitness_of_text) -> list[list[LossTree]]:
    """Return rounds of candidates, each told in an order of its own, until there are `number`, or no more."""
    rounds: list[list[LossTree]] = []
    while len(rounds) < number and (trees := ask_all(strategy)):
        tell_all(strategy, random.Random(len(rounds)).sample(trees, len(trees)), fitness)
        rounds.append(trees)
    return rounds


def digest_of(rounds: Sequence[Sequence[LossTree]]) -> str:
    return digest("\n".join(str(tree) for trees in rounds for tree in trees))


def next_generation(
    population: Sequence[LossTree], fitness: Sequence[float | None], config: GeneticConfig, seed: int
) -> list[LossTree]:
    """Return the generation that `GenerationalSearch` breeds from a first one."""
    search = GenerationalSearch(config, seed, initial=population)
    assert ask_all(search) == list(population)
    for tree, value in zip(population, fitness, strict=True):
        search.tell(tree, evaluation(tree, value))
    return ask_all(search)
