"""The operators beside the paper's, in values and derivatives, and the programs that know them."""

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from mpmath import mp, mpf

from glojax.expressions import PAPER_OPERATORS, LossTree
from glojax.losses import LossProgram, compile_tree, interpret, make_loss
from glojax.losses.objective import objective
from glojax.losses.program import known_operators
from tests.derivatives import derivative
from tests.losses.interpreting import leaves_of
from tests.oracle import evaluate
from tests.tree_strategies import LIBRARY, loss_trees

CAPACITY = 48
_rng = np.random.default_rng(0)
LABELS = np.repeat([0.0, 1.0, 0.3], 8)
PROBS = _rng.uniform(0.02, 0.98, size=24)


@jax.jit
def interpreted(program: LossProgram, labels: jax.Array, probs: jax.Array) -> tuple[jax.Array, jax.Array]:
    def function(probs: jax.Array) -> jax.Array:
        return interpret(program, leaves_of(labels, probs))

    return jax.jvp(function, (probs,), (jnp.ones_like(probs),))


def smooth(tree: LossTree) -> np.ndarray:
    """Where the oracle hardly changes when its input does, and nothing on the way is huge, tiny or at a kink."""
    good = np.ones(len(PROBS), bool)
    with np.errstate(all="ignore"):
        for index, node in enumerate(tree.nodes):
            subtree = tree.subtree(index)
            size = np.abs(evaluate(subtree, LABELS, PROBS))
            good &= (size == 0) | ((size > 1e-6) & (size < 1e6))
            operands = [evaluate(operand, LABELS, PROBS) for operand in subtree.operands]
            if node.operator in ("add", "subtract"):
                good &= size >= 1e-2 * (np.abs(operands[0]) + np.abs(operands[1]))
            if node.operator in ("max", "min"):
                good &= np.abs(operands[0] - operands[1]) > 1e-6
        for oracle in (evaluate, derivative):
            here, there = oracle(tree, LABELS, PROBS), oracle(tree, LABELS, PROBS * (1 - 1e-9))
            good &= np.abs(here - there) <= 1e-5 * np.abs(here)
    return good


@settings(max_examples=150, deadline=None)
@given(loss_trees(max_size=16, operators=LIBRARY))
def test_the_library_agrees_with_numpy_in_float64(tree: LossTree) -> None:
    with jax.enable_x64(True):
        program = LossProgram.from_tree(tree, CAPACITY, LIBRARY)
        values, slopes = interpreted(program, jnp.asarray(LABELS), jnp.asarray(PROBS))
    good = smooth(tree)
    np.testing.assert_allclose(np.asarray(values)[good], evaluate(tree, LABELS, PROBS)[good], rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(np.asarray(slopes)[good], derivative(tree, LABELS, PROBS)[good], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    "text",
    ["exp(x - y) * abs(x - 2 * y)", "sin(y) * cos(x + y)", "max(tanh(3 * y), min(x, aq(x, 2 * y - 1)))", "x * y^-0.5"],
)
def test_compiled_and_interpreted_trees_are_one_function(text: str) -> None:
    tree = LossTree.parse(text)
    labels, probs = jnp.asarray(LABELS, jnp.float32), jnp.asarray(PROBS, jnp.float32)
    function = partial(compile_tree(tree), labels)
    compiled = jax.jit(lambda probs: jax.jvp(function, (probs,), (jnp.ones_like(probs),)))(probs)
    program = LossProgram.from_tree(tree, CAPACITY, LIBRARY)
    for ours, theirs in zip(compiled, interpreted(program, labels, probs), strict=True):
        # The slope of tanh, 1 - tanh^2, has lost digits where it is small.
        np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=2e-6)


DIFFERENCES = np.array([-80, -40, -12, -3, 0, 2, 9, 17, 30, 60, 85], np.float32)
LOGITS = np.stack([DIFFERENCES, np.zeros_like(DIFFERENCES)], axis=1)
ONE_HOT = np.tile(np.array([1, 0], np.float32), (len(LOGITS), 1))


def values_and_slopes(loss: Callable[[jax.Array], jax.Array], logits: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Losses, and their slopes in the first logit."""
    values, pull_back = jax.vjp(loss, logits)
    return values, pull_back(jnp.ones_like(values))[0][:, 0]


def compiled(text: str, scale: float = 1) -> list[np.ndarray]:
    loss = partial(make_loss(text), labels=ONE_HOT)
    return [np.asarray(each) for each in jax.jit(partial(values_and_slopes, loss))(np.float32(scale) * LOGITS)]


@jax.jit
def of_program(program: LossProgram, logits: jax.Array) -> tuple[jax.Array, jax.Array]:
    return values_and_slopes(partial(objective, interpret, "sum", 1e-7, program, jnp.asarray(ONE_HOT)), logits)


@pytest.mark.parametrize("exponent", [0.7, 2.5])
def test_powers_are_exact_wherever_y_is(exponent: float) -> None:
    """Generalised cross-entropy and focal losses are made of these."""
    text = f"x * (1 - y^{exponent}) + 1000 * x * (1 - y)^{exponent}"
    program = LossProgram.from_tree(LossTree.parse(text), 16, LIBRARY)
    expected = []
    with mp.workdps(60):
        for difference in DIFFERENCES:
            y, q = 1 / (1 + mp.exp(-mpf(float(difference)))), mpf(float(np.float32(exponent)))
            power, other = y**q, (1 - y) ** q
            expected.append((-(1 - power) - 1000 * other, q * power * (1 - y) + 1000 * q * other * y))

    for both in (compiled(text), of_program(program, LOGITS)):
        for ours, theirs in zip(both, zip(*expected, strict=True), strict=True):
            errors = [
                abs((mine - exact) / exact) for mine, exact in zip(np.asarray(ours).tolist(), theirs, strict=True)
            ]
            assert max(errors) < 1e-6


def test_what_has_left_float32_stays_finite_through_its_logarithm() -> None:
    log_y = -np.logaddexp(0, -100 * np.float64(DIFFERENCES))
    assert log_y.min() == -8000
    for text, expected in {
        "x * log(y^2.5)": 2.5 * log_y,
        "x * log(exp(3 * x) * y)": 3 + log_y,
        "x * y^0.01": np.exp(0.01 * log_y),
    }.items():
        np.testing.assert_allclose(-compiled(text, scale=100)[0], expected, rtol=1e-5, atol=1e-35)


def test_a_negative_exponent_makes_a_denominator() -> None:
    """There y is at least epsilon, and its slope does not vanish."""
    for text, same in (("x * y^-1", "x / y"), ("x * (1 - y)^-0.5", "x / sqrt(1 - y)")):
        for ours, theirs in zip(compiled(text), compiled(same), strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-5)


def test_a_program_knows_the_papers_operators_and_what_it_needs() -> None:
    def known(*texts: str, others: tuple[str, ...] = ()) -> tuple[str, ...]:
        operators = LossProgram.from_trees([LossTree.parse(text) for text in texts], 16, others).operators
        assert operators[: len(PAPER_OPERATORS)] == PAPER_OPERATORS
        return operators[len(PAPER_OPERATORS) :]

    powers = ("power", "log power", "power complement")
    assert known("x * log(y)", "sqrt(x / y^2) - 1 + y") == ()
    assert known("tanh(x)", "exp(y)") == known("exp(tanh(x))") == ("exp", "tanh")
    assert known("y^0.7") == known("1 - y^0.7") == known("x^3") == known("x", others=("power",)) == powers
    assert known("x", others=("min", "abs")) == ("abs", "min")
    assert known_operators([LossTree.parse("cos(x)")], ("sin",))[-2:] == ("sin", "cos")


def test_a_result_does_not_depend_on_what_else_its_program_knows() -> None:
    labels, probs = jnp.asarray(LABELS, jnp.float32), jnp.asarray(PROBS, jnp.float32)
    tree = LossTree.parse("x * log(y) - sqrt(1 - y) / y")
    few, many = (interpreted(LossProgram.from_tree(tree, CAPACITY, each), labels, probs) for each in ((), LIBRARY))
    np.testing.assert_array_equal(few, many)
