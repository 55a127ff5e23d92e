from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, strategies as st

from glojax.expressions.operators import MAX_INTEGER, OPERATORS, Node
from glojax.expressions.tree import LossTree
from glojax.strategies.genetic import GeneticConfig, mutate, random_tree
from tests.tree_strategies import LIBRARY, loss_trees

NUM_DRAWS = 5_000

X, Y = LossTree.of("x"), LossTree.of("y")
BAIKAL = LossTree.of("subtract", LossTree.of("log", Y), LossTree.of("divide", X, Y))
DEFAULTS = GeneticConfig()
WEIGHTS = DEFAULTS.operator_weights
CheckRate = Callable[[int, int, float], None]


def only(operators: tuple[str, ...] | None = None, **rates: float) -> GeneticConfig:
    """A configuration in which only the named mutations happen."""
    none = {"integer_step_rate": 0.0, "same_arity_rate": 0.0, "collapse_rate": 0.0, "expand_rate": 0.0}
    return GeneticConfig(operators=operators, **(none | rates))  # type: ignore[arg-type]


def draw(tree: LossTree, config: GeneticConfig) -> Counter[LossTree]:
    rng = np.random.default_rng(1)
    return Counter(mutate(tree, config, rng) for _ in range(NUM_DRAWS))


def share(operator: str, arity: int | None) -> float:
    """Probability that a random node, of this arity if any, is of this operator."""
    eligible = [weight for name, weight in WEIGHTS.items() if arity in (None, OPERATORS[name].arity)]
    return WEIGHTS[operator] / sum(eligible)


def test_nothing_changes_at_rate_zero() -> None:
    assert draw(BAIKAL, only()).keys() == {BAIKAL}


def test_integers_step_up_or_down(assert_rate: CheckRate) -> None:
    results = draw(LossTree.constant(7), only(integer_step_rate=DEFAULTS.integer_step_rate))

    assert results.keys() == {LossTree.constant(value) for value in (6, 7, 8)}
    assert_rate(results[LossTree.constant(6)], NUM_DRAWS, 0.025)
    assert_rate(results[LossTree.constant(8)], NUM_DRAWS, 0.025)


def test_a_coefficient_is_multiplied_by_a_lognormal_factor_of_two_digits(assert_rate: CheckRate) -> None:
    tree = BAIKAL.with_coefficients([3.0] * BAIKAL.size)
    results = draw(tree, only(coefficient_rate=0.5))
    assert {result.with_coefficients(tree.coefficients) for result in results} == {tree}
    assert_rate(results[tree], NUM_DRAWS, 0.5**BAIKAL.size)
    drawn = [value for result, number in results.items() for value in result.coefficients * number if value != 3]
    logs = np.log(np.array(drawn) / 3)
    assert abs(logs.mean()) < 0.05
    assert abs(logs.std() - 1) < 0.05
    assert all(value == float(f"{value:.2g}") for value in drawn)


def test_only_integers_step() -> None:
    assert draw(BAIKAL, only(integer_step_rate=1.0)).keys() == {BAIKAL}


def test_each_integer_steps_on_its_own(assert_rate: CheckRate) -> None:
    tree = LossTree.of("add", LossTree.constant(0), LossTree.constant(0))

    results = draw(tree, only(integer_step_rate=0.5))

    assert_rate(results[tree], NUM_DRAWS, 0.25)
    assert_rate(results[LossTree.of("add", LossTree.constant(1), LossTree.constant(-1))], NUM_DRAWS, 0.25**2)


@pytest.mark.parametrize("limit", [MAX_INTEGER, -MAX_INTEGER])
def test_integers_stop_at_the_largest_exact_one(limit: int) -> None:
    inside = limit - 1 if limit > 0 else limit + 1

    assert draw(LossTree.constant(limit), only(integer_step_rate=1.0)).keys() == {
        LossTree.constant(limit),
        LossTree.constant(inside),
    }


@pytest.mark.parametrize("tree", [X, LossTree.of("log", X), LossTree.of("divide", X, Y)], ids=["leaf", "log", "divide"])
def test_root_becomes_another_of_its_arity(tree: LossTree, assert_rate: CheckRate) -> None:
    """Weighted-random as any draw, so the old operator comes back at its own weight."""
    results = draw(tree, only(same_arity_rate=1.0))
    roots: Counter[str] = Counter()
    for result, count in results.items():
        roots[result.nodes[0].operator] += count

    assert {result.size for result in results} == {tree.size}
    assert roots.keys() == {name for name in WEIGHTS if OPERATORS[name].arity == tree.nodes[0].arity}
    for name, count in roots.items():
        assert_rate(count, NUM_DRAWS, share(name, tree.nodes[0].arity))


@pytest.mark.parametrize("operator", ["x", "log", "divide"])
def test_same_arity_rate_holds_for_every_arity(operator: str, assert_rate: CheckRate) -> None:
    arity = OPERATORS[operator].arity
    tree = LossTree.of(operator, *[X] * arity)

    results = draw(tree, only(same_arity_rate=DEFAULTS.same_arity_rate))
    changed = sum(count for result, count in results.items() if result.nodes[0] != tree.nodes[0])

    assert_rate(changed, NUM_DRAWS, 0.05 * (1 - share(operator, arity)))


@pytest.mark.parametrize("tree", [LossTree.of("log", X), LossTree.of("divide", X, Y)], ids=["log", "divide"])
def test_operators_collapse_to_a_leaf(tree: LossTree, assert_rate: CheckRate) -> None:
    results = draw(tree, only(collapse_rate=DEFAULTS.collapse_rate))
    collapsed = {result.nodes[0]: count for result, count in results.items() if result != tree}

    assert_rate(sum(collapsed.values()), NUM_DRAWS, 0.025)
    assert collapsed.keys() == {Node("x"), Node("y"), Node("constant", 1), Node("constant", -1)}


def test_a_collapse_takes_the_operands_along_and_draws_by_weight(assert_rate: CheckRate) -> None:
    results = draw(BAIKAL, only(collapse_rate=1.0))

    assert {result.size for result in results} == {1}
    assert_rate(results[X], NUM_DRAWS, share("x", 0))
    assert_rate(results[LossTree.constant(-1)], NUM_DRAWS, share("constant", 0) / 2)


def test_inner_operators_collapse_too(assert_rate: CheckRate) -> None:
    """Of the three operators of Baikal, each collapses on its own."""
    results = draw(BAIKAL, only(collapse_rate=0.2))

    assert_rate(results[BAIKAL], NUM_DRAWS, 0.8**3)
    kept_log = sum(
        count for result, count in results.items() if result.size == 4 and result.subtree(1) == BAIKAL.subtree(1)
    )
    assert_rate(kept_log, NUM_DRAWS, 0.8 * 0.8 * 0.2)


def test_leaves_do_not_collapse_and_operators_do_not_expand() -> None:
    assert draw(X, only(collapse_rate=1.0)).keys() == {X}
    assert all(result.nodes[0] == BAIKAL.nodes[0] for result in draw(BAIKAL, only(expand_rate=1.0)))


def test_leaves_expand_at_their_rate(assert_rate: CheckRate) -> None:
    results = draw(X, only(expand_rate=DEFAULTS.expand_rate))

    assert_rate(NUM_DRAWS - results[X], NUM_DRAWS, 0.025 * (1 - share("x", None)))


def test_a_leaf_expands_to_any_element_over_leaves(assert_rate: CheckRate) -> None:
    results = draw(X, only(expand_rate=1.0))
    roots: Counter[str] = Counter()
    for result, count in results.items():
        roots[result.nodes[0].operator] += count

    assert {result.depth for result in results} == {0, 1}
    assert roots.keys() == WEIGHTS.keys()
    for name, count in roots.items():
        assert_rate(count, NUM_DRAWS, share(name, None))
    assert_rate(results[LossTree.of("log", Y)], NUM_DRAWS, share("log", None) * share("y", 0))


def test_new_growth_is_not_visited_again() -> None:
    results = draw(BAIKAL, only(expand_rate=1.0))

    assert max(result.depth for result in results) == BAIKAL.depth + 1


def test_all_mutations_together_leave_baikal_alone_as_often_as_they_should(assert_rate: CheckRate) -> None:
    """Every node must be missed, or replaced by itself."""
    unchanged = 1.0
    for node in BAIKAL.nodes:
        same_arity = 1 - 0.05 * (1 - share(node.operator, node.arity))
        expand_or_collapse = 1 - 0.025 * (1 if node.arity else 1 - share(node.operator, None))
        unchanged *= same_arity * expand_or_collapse
    # A leaf that is changed and then changed back adds less than 5e-4, a tenth of what 10,000 draws can resolve.
    assert_rate(draw(BAIKAL, DEFAULTS)[BAIKAL], NUM_DRAWS, unchanged)


@given(seed=st.integers(0, 2**32 - 1), rate=st.floats(0, 1))
def test_mutants_are_trees(seed: int, rate: float) -> None:
    rng = np.random.default_rng(seed)
    config = only(integer_step_rate=rate, same_arity_rate=rate, collapse_rate=rate / 4, expand_rate=rate)

    mutant = mutate(random_tree(rng, max_depth=5), config, rng)

    assert LossTree(mutant.nodes) == mutant


@given(loss_trees(operators=LIBRARY), st.integers(0, 2**32 - 1))
def test_new_nodes_are_of_the_set_and_what_it_has_no_match_for_stays(tree: LossTree, seed: int) -> None:
    config = only(("exp", "power=3", "add"), same_arity_rate=1.0)

    mutant = mutate(tree, config, np.random.default_rng(seed))

    assert [node.arity for node in mutant.nodes] == [node.arity for node in tree.nodes]
    assert {node.operator for node in mutant.nodes} <= {"x", "y", "constant", "exp", "power", "add"}
    without_unary = mutate(tree, only(("add",), same_arity_rate=1.0), np.random.default_rng(seed))
    kept = [node for node in without_unary.nodes if node.arity == 1]
    assert kept == [node for node in tree.nodes if node.arity == 1]


@given(loss_trees(operators=LIBRARY), st.integers(0, 2**32 - 1))
def test_mutants_of_the_whole_library_are_read_back(tree: LossTree, seed: int) -> None:
    config = GeneticConfig(operators=LIBRARY, same_arity_rate=0.5, collapse_rate=0.1, expand_rate=0.5)

    mutant = mutate(tree, config, np.random.default_rng(seed))

    assert LossTree.parse(str(mutant)) == mutant


def test_a_deep_tree_does_not_recurse() -> None:
    deep = LossTree((*[Node("log")] * 3_000, Node("x")))

    assert mutate(deep, only(integer_step_rate=1.0), np.random.default_rng(2)) == deep


def test_kept_nodes_keep_their_coefficients() -> None:
    tree = LossTree.of("log", LossTree((Node("constant", 4, 2.0),)), coefficient=3.0)

    mutant = mutate(tree, only(integer_step_rate=1.0), np.random.default_rng(3))

    assert mutant.coefficients == (3.0, 2.0)
