"""Interpreted and compiled trees against the float64 oracle, in value and derivative."""

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from jax import lax

from glojax.expressions import MAX_NODES, LossTree, Node
from glojax.losses import LossProgram, compile_tree, interpret
from glojax.strategies.genetic import random_tree
from tests.derivatives import derivative
from tests.losses.interpreting import leaves_of
from tests.oracle import evaluate
from tests.tree_strategies import loss_trees

CAPACITY = 128
_grid = np.random.default_rng(0)
LABELS = np.concatenate([np.zeros(12), np.ones(12), _grid.uniform(size=12)])
PROBS = np.concatenate([[1e-3, 1e-2, 1.0], _grid.uniform(1e-3, 1, size=33)])

Dual = tuple[jax.Array | np.ndarray, jax.Array | np.ndarray]


def value_and_derivative(function: Callable[[jax.Array], jax.Array], probs: jax.Array) -> Dual:
    value, tangent = jax.jvp(function, (probs,), (jnp.ones_like(probs),))
    return value, tangent


@jax.jit
def interpreted(program: LossProgram, labels: jax.Array, probs: jax.Array) -> Dual:
    return value_and_derivative(lambda probs: interpret(program, leaves_of(labels, probs)), probs)


def well_conditioned(tree: LossTree, shift: float) -> np.ndarray:
    """Where nothing overflows, underflows or cancels on the way, and the oracle hardly changes when its input does."""
    good = np.ones(len(PROBS), bool)

    def value(node: Node, *operands: tuple[np.ndarray, int]) -> tuple[np.ndarray, int]:
        """Return what a subtree is, and its size."""
        nonlocal good
        leaves = [Node(name) for name in ("x", "y")[: node.arity]]
        given = [values for values, _ in operands] if operands else [LABELS, PROBS]
        result = evaluate(LossTree((node, *leaves)), given[0], given[-1])
        size = np.abs(result)
        good &= (size == 0) | ((size > 1e-12) & (size < 1e12))
        if node.operator in ("add", "subtract"):
            good &= size >= 1e-2 * node.coefficient * (np.abs(given[0]) + np.abs(given[1]))
        if node.operator == "log" and operands[0][1] > 1:
            good &= size >= 1e-2 * node.coefficient
        return result, 1 + sum(size for _, size in operands)

    with np.errstate(all="ignore"):
        tree.fold(value)
        for oracle in (evaluate, derivative):
            here, there = oracle(tree, LABELS, PROBS), oracle(tree, LABELS, PROBS * (1 - shift))
            good &= (np.abs(here - there) <= 1e-5 * np.abs(here)) & (np.abs(here) < 1e30)
    return good


def assert_agrees(tree: LossTree, dual: Dual, shift: float, tolerance: float) -> None:
    good = well_conditioned(tree, shift)
    value, slope = evaluate(tree, LABELS, PROBS)[good], derivative(tree, LABELS, PROBS)[good]
    our_value, our_slope = (np.asarray(ours)[good] for ours in dual)
    np.testing.assert_allclose(our_value, value, rtol=tolerance, atol=tolerance / 100)
    # A slope whose terms cancel is as exact as they are: some value / y.
    terms = 1 + np.abs(value) / PROBS[good]
    np.testing.assert_allclose(our_slope / terms, slope / terms, rtol=tolerance, atol=tolerance / 100)


@settings(max_examples=150, deadline=None)
@given(loss_trees(max_size=64, coefficients=True))
def test_the_interpreter_agrees_with_numpy_in_float64(tree: LossTree) -> None:
    with jax.enable_x64(True):
        dual = interpreted(LossProgram.from_tree(tree, CAPACITY), jnp.asarray(LABELS), jnp.asarray(PROBS))
    rounded = tree.with_coefficients(np.asarray(tree.coefficients, np.float32).tolist())
    assert_agrees(rounded, dual, shift=1e-11, tolerance=1e-4)


@settings(max_examples=100, deadline=None)
@given(loss_trees(max_size=64))
def test_the_interpreter_agrees_with_numpy_in_float32(tree: LossTree) -> None:
    dual = interpreted(LossProgram.from_tree(tree, CAPACITY), jnp.float32(LABELS), jnp.float32(PROBS))
    assert_agrees(tree, dual, shift=1e-6, tolerance=0.05)


@settings(max_examples=50, deadline=None)
@given(loss_trees(max_size=64))
def test_a_compiled_tree_agrees_with_numpy(tree: LossTree) -> None:
    labels, probs = jnp.asarray(LABELS, jnp.float32), jnp.asarray(PROBS, jnp.float32)
    assert_agrees(tree, value_and_derivative(partial(compile_tree(tree), labels), probs), shift=1e-6, tolerance=0.05)


@pytest.fixture(scope="module")
def population() -> list[LossTree]:
    rng = np.random.default_rng(7)
    return [random_tree(rng, max_depth=1 + index % 5) for index in range(60)]


@jax.jit
def interpreted_at_once(programs: LossProgram) -> Dual:
    dual: Dual = jax.vmap(partial(interpreted, labels=jnp.float32(LABELS), probs=jnp.float32(PROBS)))(programs)
    return dual


def test_every_way_to_map_a_population_agrees_with_numpy(population: list[LossTree]) -> None:
    programs = LossProgram.from_trees(population, CAPACITY)
    run = partial(interpreted, labels=jnp.float32(LABELS), probs=jnp.float32(PROBS))
    in_batches = jax.jit(lambda programs: lax.map(run, programs, batch_size=10))
    for values, slopes in (interpreted_at_once(programs), in_batches(programs)):
        for row, dual in enumerate(zip(np.asarray(values), np.asarray(slopes), strict=True)):
            assert_agrees(population[row], dual, shift=1e-6, tolerance=0.05)


def test_the_largest_tree_is_compiled_without_recursion(low_recursion_limit: None) -> None:
    tree = LossTree((Node("add"), Node("y"), Node("sqrt")) * (MAX_NODES // 3) + (Node("x"),))
    labels, probs = jnp.float32([0.5, 0.7]), jnp.float32([0.3, 1.0])
    np.testing.assert_allclose(compile_tree(tree)(labels, probs), evaluate(tree, labels, probs, np.float32), rtol=1e-5)


def test_a_compiled_tree_under_jit_and_vmap_agrees_with_numpy(population: list[LossTree]) -> None:
    for tree in population[1:5]:
        function = jax.jit(jax.vmap(jax.value_and_grad(compile_tree(tree), argnums=1)))
        assert_agrees(tree, function(jnp.float32(LABELS), jnp.float32(PROBS)), shift=1e-6, tolerance=0.05)


def test_a_nan_of_one_candidate_does_not_reach_the_others(population: list[LossTree]) -> None:
    broken = [LossTree.parse(text) for text in ("log(-1) * y", "x / (y - y)", "sqrt(-y)", "log(y) / 0")]
    alone = interpreted_at_once(LossProgram.from_trees(population, CAPACITY))
    among = interpreted_at_once(LossProgram.from_trees([*broken, *population[4:]], CAPACITY))
    assert not np.isfinite(np.asarray(among[0])[:4]).all(axis=-1).any()
    for ours, theirs in zip(alone, among, strict=True):
        np.testing.assert_array_equal(np.asarray(ours)[4:], np.asarray(theirs)[4:])


EXTREMES = np.asarray([0, 1e-45, 1e-38, 1e-7, 1, 3e38, np.inf, -np.inf, np.nan, -1, -1e-7], np.float32)


@pytest.mark.parametrize("text", ["log(y)", "y^2", "sqrt(y)", "x + y", "x - y", "x * y", "x / y", "y / x"])
def test_each_operator_at_extreme_values(text: str) -> None:
    """Value as NumPy has it; derivative that of the chain rule, except that an unchanged operand contributes 0."""
    tree = LossTree.parse(text)
    labels, probs = (array.ravel() for array in np.meshgrid(EXTREMES, EXTREMES))
    # XLA flushes subnormal numbers to zero.
    labels, probs = (np.where(np.abs(array) < 1e-37, 0, array).astype(np.float32) for array in (labels, probs))
    value, slope = interpreted(LossProgram.from_tree(tree, 4), labels, probs)
    with np.errstate(all="ignore"):
        x, y = labels, probs
        values = {
            "log(y)": np.log(y), "y^2": y * y, "sqrt(y)": np.sqrt(y), "x + y": x + y, "x - y": x - y, "x * y": x * y,
            "x / y": x / y, "y / x": y / x,
        }  # fmt: skip
        slopes: dict[str, np.ndarray] = {
            "log(y)": 1 / y, "y^2": 2 * y, "sqrt(y)": 0.5 / np.sqrt(y), "x + y": np.ones_like(y),
            "x - y": -np.ones_like(y), "x * y": x, "x / y": -(x / y) / y, "y / x": 1 / x,
        }  # fmt: skip
    np.testing.assert_allclose(value, values[text], rtol=1e-5, atol=1e-37)
    # XLA may turn (x / y) / y into x / (y y), which is NaN instead of infinite at infinite x; dead is dead.
    ours, theirs = (np.where(np.isfinite(array), array, np.nan) for array in (np.asarray(slope), slopes[text]))
    np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-37)


@pytest.mark.parametrize(
    "text", ["sqrt(x) * log(y)", "1 / log(x) + y", "sqrt(x * y)", "1 / (1 / x) + y", "aq(y, log(x))"]
)
def test_what_does_not_change_contributes_nothing_to_the_derivative(text: str) -> None:
    tree = LossTree.parse(text)
    labels, probs = jnp.float32([0.0]), jnp.float32([0.25])
    compiled = jax.jit(lambda probs: value_and_derivative(partial(compile_tree(tree), labels), probs))(probs)
    ours = interpreted(LossProgram.from_tree(tree, 8), labels, probs)
    assert np.isfinite(ours).all()
    np.testing.assert_array_equal(ours, compiled)
