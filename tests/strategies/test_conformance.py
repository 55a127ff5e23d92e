"""The promises of `Strategy`, for every strategy of the package and one from outside."""

import random
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import pytest
from hypothesis import given, settings, strategies as st

from glojax.errors import ConfigurationError
from glojax.expressions import LossTree
from glojax.strategies import (
    DISCOVERY_STRATEGIES,
    CoefficientSearch,
    GeneticConfig,
    Strategy,
    TaylorConfig,
    TuningConfig,
)
from tests.strategies.driving import ask_all, evaluation, number_of
from tests.strategies.hill_climber import HillClimber

#: Makes a strategy that discovers losses: `make(seed, initial=..., constraint=...)`.
Discovery = Callable[..., Strategy]

CONFIG = GeneticConfig(population_size=8, num_elites=2)
CONFIGS = {GeneticConfig: CONFIG, TaylorConfig: TaylorConfig(order=2, population_size=24)}
LOSSES = [LossTree.parse("log(y) - x / y"), LossTree.parse("x * log(y)")]
#: Both have six coefficients, so that what is compiled for one serves the other.
TUNED = [LOSSES[0], LossTree.parse("x * log(x + y)")]
DISCOVERIES: dict[str, Discovery] = {
    name: partial(make, CONFIGS[config_type]) for name, (make, config_type) in DISCOVERY_STRATEGIES.items()
} | {"hill climber": partial(HillClimber, CONFIG)}


class Case(NamedTuple):
    """A strategy and what it promises beyond the interface.

    Attributes:
        make: The strategy with a seed.
        waits: Whether it ever waits for evaluations.
        needs_order: Whether the next candidates depend on the order in which it is told of others.
        end: The number of candidates after which it ends; None if it does not.
    """

    make: Callable[[int], Strategy]
    waits: bool = True
    needs_order: bool = False
    end: int | None = None


CASES = {
    "generational": Case(DISCOVERIES["generational"]),
    "steady-state": Case(DISCOVERIES["steady-state"], needs_order=True),
    "shape": Case(DISCOVERIES["shape"], needs_order=True),
    "random": Case(DISCOVERIES["random"], waits=False),
    "taylor": Case(DISCOVERIES["taylor"]),
    "coefficients": Case(lambda seed: CoefficientSearch(TUNED, TuningConfig(generations=6), seed), end=2 + 6 * 18),
    "hill climber": Case(DISCOVERIES["hill climber"]),
}
every_strategy = pytest.mark.parametrize("case", CASES.values(), ids=CASES)
every_discovery = pytest.mark.parametrize("make", DISCOVERIES.values(), ids=DISCOVERIES)
Tell = Callable[[Strategy, LossTree], None]


def fitness_of(tree: LossTree) -> float | None:
    """Unknown for a third of all trees."""
    number = number_of(tree)
    return number if number > 1 / 3 else None


def tell(strategy: Strategy, tree: LossTree) -> None:
    strategy.tell(tree, evaluation(tree, fitness_of(tree)))


def asked_in_play(strategy: Strategy, seed: int, num_calls: int = 150, tell: Tell = tell) -> list[LossTree]:
    """Return the candidates that a strategy asks for while it has room for five and is told in a random order."""
    rng = random.Random(seed)
    asked: list[LossTree] = []
    outstanding: list[LossTree] = []
    for _ in range(num_calls):
        if outstanding and rng.random() < 0.6:
            tell(strategy, outstanding.pop(rng.randrange(len(outstanding))))
        elif room := rng.randint(0, 5 - len(outstanding)):
            trees = strategy.ask(room)
            assert len(trees) <= room
            assert trees or outstanding or len(asked) > 100
            asked += trees
            outstanding += trees
    return asked


@every_strategy
@settings(max_examples=3, deadline=None)
@given(seed=st.integers(0, 2**31 - 1))
def test_equal_calls_give_equal_candidates(case: Case, seed: int) -> None:
    asked = asked_in_play(case.make(seed), seed)
    assert asked == asked_in_play(case.make(seed), seed)
    assert len(asked) > 30


@every_strategy
def test_another_seed_gives_other_candidates(case: Case) -> None:
    assert asked_in_play(case.make(0), 0) != asked_in_play(case.make(1), 0)


class OneByOne:
    """Asks for one candidate at a time until there are enough."""

    def __init__(self, strategy: Strategy):
        self._strategy = strategy
        self.tell = strategy.tell

    def ask(self, room: int) -> Sequence[LossTree]:
        return [tree for _ in range(room) for tree in self._strategy.ask(1)]


@every_strategy
@settings(max_examples=3, deadline=None)
@given(seed=st.integers(0, 2**31 - 1))
def test_to_ask_for_several_is_to_ask_several_times_for_one(case: Case, seed: int) -> None:
    assert asked_in_play(case.make(seed), seed) == asked_in_play(OneByOne(case.make(seed)), seed)


@every_strategy
@pytest.mark.parametrize("room", [1, 2, 7, 1000])
def test_at_most_as_many_are_given_as_there_is_room_for(case: Case, room: int) -> None:
    strategy = case.make(0)
    for _ in range(3):
        trees = strategy.ask(room)
        assert 1 <= len(trees) <= room
        assert case.waits or len(trees) == room
        for tree in (*trees, *(ask_all(strategy) if case.waits else ())):
            tell(strategy, tree)


@every_strategy
def test_a_strategy_that_waits_gives_nothing_and_goes_on_when_all_is_told(case: Case) -> None:
    strategy = case.make(0)
    if not case.waits:
        assert all(strategy.ask(10) for _ in range(20))
        return
    for number in range(5):
        trees = ask_all(strategy)
        assert trees
        for tree in trees[::-1]:
            # After its first candidates, the steady state waits only while its population is outstanding.
            assert not strategy.ask(1) or (case.needs_order and number > 0)
            tell(strategy, tree)


@every_strategy
def test_after_its_end_a_strategy_gives_nothing(case: Case) -> None:
    strategy, num_asked = case.make(0), 0
    while num_asked < 300 and (trees := strategy.ask(1)):
        tell(strategy, trees[0])
        num_asked += 1
    assert num_asked == (case.end or 300)
    assert bool(strategy.ask(10)) == (case.end is None)


@every_strategy
def test_a_strategy_goes_on_when_nothing_has_a_known_fitness(case: Case) -> None:
    def tell_unknown(strategy: Strategy, tree: LossTree) -> None:
        strategy.tell(tree, evaluation(tree, None))

    assert len(asked_in_play(case.make(0), 0, tell=tell_unknown)) > 30


@every_strategy
def test_unknown_fitness_ranks_worst(case: Case) -> None:
    """It has the same effect as 0, where every known fitness is higher."""

    def tell_zero(strategy: Strategy, tree: LossTree) -> None:
        strategy.tell(tree, evaluation(tree, fitness_of(tree) or 0.0))

    all_asked: list[LossTree] = []
    for seed in range(5):
        asked = asked_in_play(case.make(seed), seed)
        assert asked == asked_in_play(case.make(seed), seed, tell=tell_zero)
        all_asked += asked
    assert {fitness_of(tree) is None for tree in all_asked} == {True, False}


@every_strategy
@settings(max_examples=3, deadline=None)
@given(rng=st.randoms(use_true_random=False))
def test_evaluations_are_told_in_any_order(case: Case, rng: random.Random) -> None:
    one, other = case.make(0), case.make(0)
    for _ in range(4):
        trees, same = (ask_all(each) if case.waits else each.ask(10) for each in (one, other))
        if not case.needs_order:
            assert list(trees) == list(same)
        for tree in trees:
            tell(one, tree)
        for tree in rng.sample(list(same), len(same)):
            tell(other, tree)
    assert one.ask(1)
    assert other.ask(1)


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.waits])
@pytest.mark.parametrize("rounds_before", [0, 2])
def test_a_candidate_that_is_not_outstanding_is_refused_and_changes_nothing(name: str, rounds_before: int) -> None:
    case = CASES[name]
    strategy, control = case.make(0), case.make(0)
    unknown = LossTree.parse("x + 17 * y")
    for _ in range(rounds_before):
        for each in (strategy, control):
            for tree in ask_all(each):
                tell(each, tree)
    first = list(strategy.ask(1))
    assert first == list(control.ask(1))
    for each in (strategy, control):
        tell(each, first[0])
    for tree in (unknown, first[0]):
        with pytest.raises(
            ConfigurationError, match="is not outstanding; tell each candidate that `ask` returned, once"
        ):
            tell(strategy, tree)
    assert asked_in_play(strategy, 0) == asked_in_play(control, 0)


@every_discovery
def test_initial_candidates_come_first(make: Discovery) -> None:
    initial = [*LOSSES, LOSSES[0], LossTree.parse("2.5*x * y")]
    strategy = make(0, initial=initial)
    assert [*strategy.ask(1), *strategy.ask(2), *strategy.ask(1)] == initial
    for tree in initial:
        tell(strategy, tree)
    assert strategy.ask(1)


@every_discovery
@settings(max_examples=3, deadline=None)
@given(seed=st.integers(0, 2**31 - 1))
def test_no_candidate_violates_the_constraint(make: Discovery, seed: int) -> None:
    def may_be_trained(tree: LossTree) -> bool:
        return tree in LOSSES or (tree.uses("x") and tree.uses("y") and tree.size <= 16 and number_of(tree) < 0.8)

    asked = asked_in_play(make(seed, initial=LOSSES, constraint=may_be_trained), seed)
    assert all(may_be_trained(tree) for tree in asked)
    assert len(asked) > 30


@pytest.mark.parametrize("name", DISCOVERY_STRATEGIES)
def test_initial_candidates_that_do_not_meet_the_constraint_are_refused(name: str) -> None:
    message = r"The initial loss x \* log\(y\) does not meet the constraint; leave it out"
    with pytest.raises(ConfigurationError, match=message):
        DISCOVERIES[name](0, initial=LOSSES, constraint=lambda tree: tree.uses("divide"))


@pytest.mark.parametrize("name", ["shape", "generational", "steady-state", "random"])
def test_initial_candidates_that_are_too_large_are_refused(name: str) -> None:
    small = GeneticConfig(population_size=8, num_elites=2, max_nodes=4)
    with pytest.raises(
        ConfigurationError, match=r"log\(y\) - x / y has 6 nodes; expected at most max_nodes = 4: raise"
    ):
        DISCOVERY_STRATEGIES[name].make(small, 0, initial=LOSSES)


@pytest.mark.parametrize("name", ["shape", "generational", "steady-state"])
def test_more_initial_candidates_than_a_population_holds_are_refused(name: str) -> None:
    full = DISCOVERIES[name](0, initial=LOSSES * 4)
    assert ask_all(full) == LOSSES * 4
    with pytest.raises(
        ConfigurationError, match="Got 10 initial losses for a population_size of 8; give fewer, or raise"
    ):
        DISCOVERIES[name](0, initial=LOSSES * 5)
