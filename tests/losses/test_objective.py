import pickle
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import Mesh, NamedSharding, PartitionSpec as P
from jax.typing import DTypeLike

from glojax import make_loss
from glojax.errors import ConfigurationError, ExpressionError
from glojax.expressions import LossTree
from glojax.losses import CATALOG, ClassReduction, Loss, LossProgram, interpret
from glojax.losses.objective import objective
from tests.derivatives import loss_gradient

_rng = np.random.default_rng(3)
LOGITS = jnp.asarray(_rng.normal(size=(6, 5)) * 2, jnp.float32)
LABELS = jnp.asarray(np.eye(5)[_rng.integers(0, 5, 6)], jnp.float32)


@pytest.mark.parametrize("text", ["x * log(y)", "log(y) - x / y", "sqrt(x) * y^2 - 2 / (1 + y)", "x - y"])
def test_the_gradient_in_the_logits_agrees_with_complex_steps(text: str) -> None:
    gradient = jax.jit(jax.grad(lambda logits: make_loss(text)(logits, LABELS).sum()))(LOGITS)
    expected = loss_gradient(LossTree.parse(text), np.asarray(LABELS), np.asarray(LOGITS))
    np.testing.assert_allclose(gradient, expected, rtol=2e-4, atol=2e-5)


def test_a_program_and_its_tree_are_the_same_loss() -> None:
    for tree in (CATALOG[name] for name in ("cross_entropy", "baikal", "baikal_cma", "next_generation")):
        program = LossProgram.from_tree(tree, 64)

        def loss(logits: jax.Array, program: LossProgram = program) -> jax.Array:
            return objective(interpret, "sum", 1e-7, program, LABELS, logits).sum()

        expected = jax.value_and_grad(lambda logits, tree=tree: make_loss(tree)(logits, LABELS).sum())
        ours, theirs = jax.jit(jax.value_and_grad(loss))(LOGITS), jax.jit(expected)(LOGITS)
        for mine, its in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(mine, its, rtol=1e-5, atol=1e-6)


def test_the_objective_is_differentiable_in_forward_mode() -> None:
    loss = make_loss("log(y) - x / y")
    jacobian = jax.jit(jax.jacfwd(lambda logits: loss(logits, LABELS).sum()))(LOGITS)
    gradient = jax.jit(jax.grad(lambda logits: loss(logits, LABELS).sum()))(LOGITS)
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
    np.testing.assert_allclose(loss(LOGITS, integers), loss(LOGITS, LABELS), rtol=1e-6)
    soft = jnp.full((6, 5), 0.2, jnp.float32)
    every = jnp.stack([loss(LOGITS, jnp.full(6, label)) for label in range(5)])
    np.testing.assert_allclose(loss(LOGITS, soft), every.mean(axis=0), rtol=1e-5)


def test_leading_axes_are_kept() -> None:
    loss = make_loss("x * log(y)")
    assert jax.eval_shape(loss, jnp.zeros((2, 3, 4)), jnp.zeros((2, 3), jnp.int32)).shape == (2, 3)
    assert jax.eval_shape(loss, jnp.zeros(4), jnp.asarray(1)).shape == ()


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
    with pytest.raises(ConfigurationError, match="Got 3 for a loss; expected a LossTree or its text; make_loss"):
        make_loss(3)  # type: ignore[arg-type]


def test_logits_that_are_whole_numbers_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="Logits are of dtype int32"):
        make_loss("x * log(y)")(jnp.zeros((2, 3), jnp.int32), jnp.zeros(2, jnp.int32))


@pytest.mark.parametrize("reduction", ["sum", "mean"])
def test_weights_are_factors_on_the_classes_with_a_gradient_of_their_own(reduction: ClassReduction) -> None:
    loss = make_loss("x * log(y)", class_reduction=reduction)
    weights, log_probs = jnp.float32([1.0, 2.0, 0.5, 0.0, 3.0]), jax.nn.log_softmax(LOGITS)

    def expected(weights: jax.Array) -> jax.Array:
        total = -(weights * LABELS * log_probs).sum(axis=-1)
        return total if reduction == "sum" else total / weights.sum()

    np.testing.assert_allclose(loss(LOGITS, LABELS, weights=weights), expected(weights), rtol=1e-5)
    gradient = jax.grad(lambda weights: loss(LOGITS, LABELS, weights=weights).sum())(weights)
    np.testing.assert_allclose(gradient, jax.grad(lambda weights: expected(weights).sum())(weights), rtol=1e-5)


def test_classes_that_are_not_there_have_no_probability() -> None:
    loss, there = make_loss("log(y) - x / y", class_reduction="mean"), jnp.array([True, False, True, True, False])
    few = LOGITS[:, there], jnp.arange(6) % 2
    labels = jnp.array([0, 2])[few[1]]
    for ours, theirs in zip(
        jax.jit(jax.value_and_grad(lambda logits: loss(logits, labels, where=there).sum()))(LOGITS),
        jax.jit(jax.value_and_grad(lambda logits: loss(logits, few[1]).sum()))(few[0]),
        strict=True,
    ):
        np.testing.assert_allclose(ours if ours.ndim == 0 else ours[:, there], theirs, rtol=1e-5)


def test_the_classes_may_lie_along_any_axis() -> None:
    loss, weights = make_loss("log(y) - x / y"), jnp.arange(1.0, 6.0)
    ours = loss(LOGITS.T, LABELS.T, axis=0, weights=weights[:, None])
    np.testing.assert_allclose(ours, loss(LOGITS, LABELS, weights=weights), rtol=1e-6)


@pytest.mark.parametrize("text", ["x * log(y)", "log(y) - x / y", "-(x - y)^2"])
def test_padding_has_no_loss_and_no_gradient(text: str) -> None:
    labels = jnp.array([0, -1, -100, 3, 5, 127], jnp.int8)
    loss, is_padding = jax.jit(make_loss(text)), np.array([False, True, True, False, True, True])
    logits = LOGITS.at[1].set(jnp.nan)
    gradient = jax.grad(lambda logits: loss(logits, labels).sum())(logits)
    np.testing.assert_array_equal(loss(logits, labels) == 0, is_padding)
    np.testing.assert_array_equal((gradient == 0).all(axis=-1), is_padding)


@pytest.mark.parametrize("dtype", [jnp.int8, jnp.uint8])
def test_labels_of_short_integers_are_any_number_of_classes(dtype: DTypeLike) -> None:
    logits = jnp.float32(np.random.default_rng(0).normal(size=(2, 1000)))
    loss = jax.jit(make_loss("x * log(y)"))
    np.testing.assert_allclose(loss(logits, jnp.array([5, 7], dtype)), loss(logits, jnp.array([5, 7])))


def test_a_single_class_is_certain() -> None:
    loss = jax.jit(jax.value_and_grad(lambda logits: make_loss("x * log(y)")(logits, jnp.array([0])).sum()))
    value, gradient = loss(jnp.ones((1, 1)))
    assert value == 0
    assert gradient == 0
    with pytest.raises(ConfigurationError, match=r"Logits of shape \(2, 0\) have no class"):
        make_loss("x * log(y)")(jnp.ones((2, 0)), jnp.zeros(2, jnp.int32))


def test_a_loss_works_under_every_transformation() -> None:
    loss = make_loss("log(y) - x / y")
    each, mesh = jax.vmap(jax.grad(loss)), Mesh(jax.devices()[:2], ("batch",))
    spread = jax.shard_map(each, mesh=mesh, in_specs=P("batch"), out_specs=P("batch"))

    @jax.jit
    def gradients(logits: jax.Array) -> list[jax.Array]:
        plain, again = (jax.grad(lambda z, f=f: f(z, LABELS).sum())(logits) for f in (loss, jax.checkpoint(loss)))
        return [plain, again, each(logits, LABELS)]

    expected, *others = gradients(LOGITS)
    for ours in (*others, jax.jit(spread)(LOGITS, LABELS)):
        np.testing.assert_allclose(ours, expected, rtol=1e-6)


@pytest.mark.filterwarnings("ignore:.*pmap:DeprecationWarning")  # older code still uses it
def test_a_loss_works_under_pmap() -> None:
    gradient = jax.grad(lambda logits, labels: make_loss("log(y) - x / y")(logits, labels).sum())
    ours = jax.pmap(gradient, devices=jax.devices()[:2])(LOGITS.reshape(2, 3, 5), LABELS.reshape(2, 3, 5))
    np.testing.assert_allclose(ours.reshape(6, 5), gradient(LOGITS, LABELS), rtol=1e-6)


def test_classes_may_be_spread_over_devices() -> None:
    loss, mesh = jax.jit(jax.value_and_grad(lambda z, x: make_loss("log(y) - x / y")(z, x).sum())), jax.devices()[:2]
    logits = jnp.asarray(np.random.default_rng(0).normal(size=(4, 34)), jnp.float32)
    labels = jax.nn.one_hot(jnp.arange(4), 34)
    spread = jax.device_put((logits, labels), NamedSharding(Mesh(mesh, ("class",)), P(None, "class")))
    for ours, expected in zip(loss(*spread), loss(logits, labels), strict=True):
        np.testing.assert_allclose(ours, expected, rtol=1e-5)


def test_a_loss_is_a_value() -> None:
    loss = make_loss("log(y) - x / y", class_reduction="mean", prob_epsilon=1e-3)
    loss(LOGITS, LABELS)
    again = pickle.loads(pickle.dumps(loss))
    assert again == loss == Loss("log(y) - x / y", "mean", 1e-3)  # type: ignore[arg-type]
    assert hash(again) == hash(loss)
    assert repr(loss) == "Loss('log(y) - x / y', class_reduction='mean', prob_epsilon=0.001)"
    np.testing.assert_array_equal(again(LOGITS, LABELS), loss(LOGITS, LABELS))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"axis": 2}, "axis is 2 for logits of 2 axes"),
        ({"axis": None}, "axis is None"),
        ({"weights": np.ones(4)}, r"weights of shape \(4,\) does not broadcast"),
        ({"where": "a"}, "where of shape"),
    ],
)
def test_bad_options_of_a_call_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        make_loss("x * log(y)")(LOGITS, LABELS, **options)


def test_a_loss_is_made_by_its_name_too() -> None:
    np.testing.assert_array_equal(make_loss("baikal")(LOGITS, LABELS), make_loss("log(y) - x / y")(LOGITS, LABELS))
