import jax
import jax.numpy as jnp
import numpy as np
import pytest

from glojax import make_loss
from glojax.errors import ConfigurationError, ExpressionError
from glojax.expressions import LossTree
from glojax.losses import CATALOG, LossProgram, interpret
from glojax.losses.objective import objective
from tests.derivatives import loss_gradient

_rng = np.random.default_rng(3)
LOGITS = jnp.asarray(_rng.normal(size=(6, 5)) * 2, jnp.float32)
LABELS = jnp.asarray(np.eye(5)[_rng.integers(0, 5, 6)], jnp.float32)


@pytest.mark.parametrize("text", ["x * log(y)", "log(y) - x / y", "sqrt(x) * y^2 - 2 / (1 + y)", "x - y"])
def test_the_gradient_in_the_logits_agrees_with_complex_steps(text: str) -> None:
    gradient = jax.grad(lambda logits: make_loss(text)(logits, LABELS).sum())(LOGITS)
    expected = loss_gradient(LossTree.parse(text), np.asarray(LABELS), np.asarray(LOGITS))
    np.testing.assert_allclose(gradient, expected, rtol=2e-4, atol=2e-5)


def test_a_program_and_its_tree_are_the_same_loss() -> None:
    for tree in CATALOG.values():
        program = LossProgram.from_tree(tree, 64)

        def loss(logits: jax.Array, program: LossProgram = program) -> jax.Array:
            return objective(interpret, "sum", 1e-7, program, LABELS, logits).sum()

        expected = jax.value_and_grad(lambda logits, tree=tree: make_loss(tree)(logits, LABELS).sum())
        ours, theirs = jax.value_and_grad(loss)(LOGITS), expected(LOGITS)
        for mine, its in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(mine, its, rtol=1e-5, atol=1e-6)


def test_the_objective_is_differentiable_in_forward_mode() -> None:
    loss = make_loss("log(y) - x / y")
    jacobian = jax.jacfwd(lambda logits: loss(logits, LABELS).sum())(LOGITS)
    gradient = jax.grad(lambda logits: loss(logits, LABELS).sum())(LOGITS)
    np.testing.assert_allclose(jacobian, gradient, rtol=1e-5)


def test_the_mean_over_classes_is_the_sum_divided_by_their_number() -> None:
    summed, mean = (make_loss("log(y) - x / y", class_reduction=reduction) for reduction in ("sum", "mean"))
    np.testing.assert_allclose(mean(LOGITS, LABELS), summed(LOGITS, LABELS) / 5, rtol=1e-6)


def test_probabilities_are_clipped_in_denominators_alone() -> None:
    logits, label = jnp.float32([0.0, 100.0]), jnp.asarray(0)
    for text, expected in {"-x / y": 1e7, "-x / y^2": 1e14, "(x - 1) / (1 - y)": 1e7, "x * log(y)": 100}.items():
        assert make_loss(text)(logits, label) == pytest.approx(expected, rel=1e-5)
    assert make_loss("-x / y", prob_epsilon=1e-3)(logits, label) == pytest.approx(1e3, rel=1e-5)
    assert not np.isfinite(make_loss("x / y", prob_epsilon=0.0)(2 * logits, label))


def test_coefficients_multiply_the_nodes_in_prefix_order() -> None:
    loss = make_loss("x * log(y)", coefficients=(2.0, 1.0, 1.0, 1.0))
    np.testing.assert_allclose(loss(LOGITS, LABELS), 2 * make_loss("x * log(y)")(LOGITS, LABELS), rtol=1e-6)


def test_integer_labels_are_one_hot_ones_and_soft_ones_are_mixed() -> None:
    loss = make_loss("log(y) - x / y")
    integers = LABELS.argmax(axis=-1)
    np.testing.assert_array_equal(loss(LOGITS, integers), loss(LOGITS, LABELS))
    soft = jnp.full((6, 5), 0.2, jnp.float32)
    every = jnp.stack([loss(LOGITS, jnp.full(6, label)) for label in range(5)])
    np.testing.assert_allclose(loss(LOGITS, soft), every.mean(axis=0), rtol=1e-5)


def test_leading_axes_are_kept() -> None:
    loss = make_loss("x * log(y)")
    assert loss(jnp.zeros((2, 3, 4)), jnp.zeros((2, 3), jnp.int32)).shape == (2, 3)
    assert loss(jnp.zeros(4), jnp.asarray(1)).shape == ()


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.zeros((6, 4), np.float32), r"shape \(6, 4\).*expected shape \(6, 5\)"),
        (np.zeros(5, np.int32), r"integers of shape \(6,\)"),
        (np.zeros(6, np.float32), "dtype float32"),
    ],
)
def test_labels_of_another_shape_are_refused(labels: np.ndarray, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        make_loss("x * log(y)")(LOGITS, jnp.asarray(labels))


def test_bad_arguments_are_refused() -> None:
    with pytest.raises(ExpressionError, match="Got 2 coefficients for a tree of 4 nodes"):
        make_loss("x * log(y)", coefficients=(1.0, 2.0))
    with pytest.raises(ConfigurationError, match="expected 'sum' or 'mean'"):
        make_loss("x * log(y)", class_reduction="median")  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match=r"prob_epsilon is 0\.5"):
        make_loss("x * log(y)", prob_epsilon=0.5)
    with pytest.raises(ConfigurationError, match="Got 3 for a loss; expected a LossTree, its text, or a name"):
        make_loss(3)  # type: ignore[arg-type]


def test_logits_that_are_whole_numbers_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="Logits are of dtype int32"):
        make_loss("x * log(y)")(jnp.zeros((2, 3), jnp.int32), jnp.zeros(2, jnp.int32))


def test_a_loss_is_made_by_its_name_too() -> None:
    np.testing.assert_array_equal(make_loss("baikal")(LOGITS, LABELS), make_loss("log(y) - x / y")(LOGITS, LABELS))
