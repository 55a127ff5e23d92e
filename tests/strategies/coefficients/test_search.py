import math
import os
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest

from glojax.errors import ConfigurationError
from glojax.evaluation import Evaluation
from glojax.expressions import LossTree, canonical
from glojax.strategies.coefficients import CoefficientLayout, CoefficientSearch, TuningConfig
from tests.strategies.driving import ask_all, evaluation, fitness_of_text, rounds_of, tell_all

ROOT = Path(__file__).parents[3]

BAIKAL, CROSS_ENTROPY = LossTree.parse("log(y) - x / y"), LossTree.parse("x * log(y)")
CONFIG = TuningConfig(generations=4)


def test_the_first_round_is_the_losses_as_they_are_given() -> None:
    trees = [LossTree.parse("3.0*(x * log(2.0*y))"), BAIKAL]
    search = CoefficientSearch(trees, TuningConfig(coefficients="independent"), seed=0)
    assert ask_all(search) == trees
    assert (search.num_rounds, search.active) == (0, [])
    assert [loss.best for loss in search.losses] == [None, None]
    tell_all(search, trees, lambda tree: 0.5)
    assert (search.num_rounds, search.active) == (1, [])
    assert [loss.start for loss in search.losses] == [evaluation(tree, 0.5) for tree in trees]
    assert [loss.best for loss in search.losses] == [loss.start for loss in search.losses]
    assert all(loss.members == [] and loss.found == {} for loss in search.losses)


def test_a_further_round_is_a_generation_of_every_loss_one_after_the_other() -> None:
    search = CoefficientSearch([BAIKAL, CROSS_ENTROPY], CONFIG, seed=0)
    rounds_of(search, 1)
    members = ask_all(search)
    sizes = [loss.strategy.population_size for loss in search.losses]
    assert sizes == [9, 8]
    for loss, start in zip(search.losses, (0, 9), strict=True):
        expected = [loss.layout.tree_of(row) for row in loss.strategy.ask()]
        assert members[start : start + len(expected)] == expected
    tell_all(search, members[::-1])
    assert (search.num_rounds, search.active) == (2, search.losses)
    assert search.losses[0].members + search.losses[1].members == [
        evaluation(tree, fitness_of_text(tree)) for tree in members
    ]


def test_only_the_free_coefficients_are_tuned() -> None:
    loss = LossTree.parse("log(y) - x / y + log(x + y)")
    search = CoefficientSearch([loss], TuningConfig(generations=2, coefficients="independent"), seed=0)
    indices = CoefficientLayout.of(loss, "independent").indices
    members = rounds_of(search, 3)[1]
    assert len(indices) == 6 < loss.size
    assert len(set(members)) == len(members) == 9
    for tree in members:
        assert all(node.coefficient == 1 for index, node in enumerate(tree.nodes) if index not in indices)
        assert tree.with_coefficients([1.0] * tree.size) == loss


def test_losses_do_not_influence_each_other() -> None:
    together = CoefficientSearch([CROSS_ENTROPY, BAIKAL], CONFIG, seed=5)
    alone = CoefficientSearch([BAIKAL], CONFIG, seed=5)
    for both, single in zip(rounds_of(together, 5), rounds_of(alone, 5), strict=True):
        assert both[-len(single) :] == single
    assert together.losses[1].found == alone.losses[0].found
    assert together.losses[1].best == alone.losses[0].best


def test_seeds_differ() -> None:
    members = [rounds_of(CoefficientSearch([BAIKAL], CONFIG, seed), 2)[1] for seed in (0, 1)]
    assert not set(members[0]) & set(members[1])


def test_a_loss_whose_strategy_has_stopped_takes_no_part_and_the_search_ends_with_the_last_one() -> None:
    def fitness(tree: LossTree) -> float | None:
        return None if tree.size == CROSS_ENTROPY.size else fitness_of_text(tree)

    search = CoefficientSearch([CROSS_ENTROPY, BAIKAL], TuningConfig(generations=7), seed=0)
    assert [len(trees) for trees in rounds_of(search, 7, fitness)] == [2] + [17] * 5 + [9]
    assert search.active == search.losses[1:]
    assert [len(trees) for trees in rounds_of(search, 100, fitness)] == [9]
    assert search.active == []
    assert [loss.strategy.generation for loss in search.losses] == [5, 7]
    assert [loss.strategy.stop_reason for loss in search.losses] == [
        "failure: no member of 5 generations in a row has a fitness",
        "generations: 7",
    ]
    assert search.ask(100) == ()


def test_unknown_fitness_reaches_the_evolution_strategy_as_not_finite() -> None:
    search = CoefficientSearch([BAIKAL], TuningConfig(patience=1), seed=0)
    rounds_of(search, 1)
    loss = search.losses[0]
    told: list[float] = []
    tell = loss.strategy.tell

    def record(fitness: list[float]) -> None:
        told.extend(fitness)
        tell(fitness)

    loss.strategy.tell = record  # type: ignore[method-assign, assignment]
    members = ask_all(search)
    for index, tree in enumerate(members):
        search.tell(tree, evaluation(tree, None if index % 2 else index / 10))
    assert told[::2] == [0.0, 0.2, 0.4, 0.6, 0.8]
    assert all(math.isnan(value) for value in told[1::2])


def test_the_best_is_the_first_of_the_fittest_and_no_worse_than_the_start() -> None:
    search = CoefficientSearch([BAIKAL], CONFIG, seed=0)
    loss = search.losses[0]
    tell_all(search, search.ask(1), lambda tree: 0.5)
    first = ask_all(search)
    tell_all(search, first, lambda tree: 0.4)
    assert loss.best == loss.start == evaluation(BAIKAL, 0.5)
    second = ask_all(search)
    tell_all(search, second, lambda tree: 0.9 if tree in second[2:4] else None)
    assert loss.best == evaluation(second[2], 0.9)
    tell_all(search, ask_all(search), lambda tree: 0.9)
    assert loss.best == evaluation(second[2], 0.9)
    assert list(loss.found)[: len(first) + len(second)] == first + second


def test_a_known_fitness_however_low_is_better_than_an_unknown_one() -> None:
    search = CoefficientSearch([BAIKAL], CONFIG, seed=0)
    tell_all(search, search.ask(1), lambda tree: None)
    members = ask_all(search)
    tell_all(search, members, lambda tree: -1e9 if tree == members[3] else None)
    assert search.losses[0].best == evaluation(members[3], -1e9)


def test_members_that_are_the_same_function_are_found_once() -> None:
    search = CoefficientSearch([BAIKAL], CONFIG, seed=0)
    rounds_of(search, 1)
    tree = canonical(BAIKAL)
    for index, member in enumerate(ask_all(search)):
        search.tell(member, Evaluation(tree, 0.5, "trained" if index == 0 else "cached", steps=int(index == 0)))
    loss = search.losses[0]
    assert loss.found == {tree: Evaluation(tree, 0.5, "trained", steps=1)}
    assert len(loss.members) == 9


def test_equal_losses_are_tuned_separately() -> None:
    search = CoefficientSearch([BAIKAL, BAIKAL], CONFIG, seed=0)
    for trees in rounds_of(search, 3):
        assert trees[: len(trees) // 2] == trees[len(trees) // 2 :]
    assert search.losses[0].found == search.losses[1].found


def test_without_losses_there_is_nothing_to_do() -> None:
    assert CoefficientSearch([], CONFIG, seed=0).ask(5) == ()


def test_a_loss_that_cannot_be_tuned_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"Cannot tune log\(y\): it lacks x"):
        CoefficientSearch([BAIKAL, LossTree.parse("log(y)")], CONFIG, seed=0)


#: Losses and configurations, and for each round the means of all its coefficients and of their squares.
MEMBERS: list[tuple[LossTree, TuningConfig, list[tuple[float, float]]]] = [
    (
        BAIKAL,
        CONFIG,
        [(1.0, 1.0), (0.983186, 3.317937), (1.035805, 4.111898), (1.158247, 4.628525), (1.156318, 4.4269)],
    ),
    (
        LossTree.parse("3.0*log(2.0*y) - x / y + log(0.5*x + y)"),
        TuningConfig(generations=4, coefficients="independent", active_weights=True, population_size=9, sigma=0.5),
        [(1.227273, 1.931818), (1.227267, 2.097055), (1.264181, 2.338248), (1.271757, 2.461848), (1.325661, 2.522355)],
    ),
]


def print_members() -> None:
    for loss, config, _ in MEMBERS:
        for trees in rounds_of(CoefficientSearch([loss], config, seed=3), 100):
            coefficients = np.array([tree.coefficients for tree in trees])
            print(coefficients.mean(), np.square(coefficients).mean())


@pytest.mark.skipif(jax.__version_info__ >= (0, 11), reason="JAX 0.11 rounds the normal numbers otherwise")
def test_members_stay_the_same_from_version_to_version() -> None:
    """In a process of its own, where XLA compiles as for users."""
    command = [sys.executable, "-c", f"from {__name__} import print_members; print_members()"]
    output = subprocess.run(
        command, env=os.environ | {"XLA_FLAGS": ""}, cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    found = np.array([line.split() for line in output.splitlines()], float)
    # XLA rounds otherwise for other processors.
    np.testing.assert_allclose(found, [moments for *_, rounds in MEMBERS for moments in rounds], rtol=1e-4)
