import pickle
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import Mesh, NamedSharding, PartitionSpec as P
from jax.typing import DTypeLike
from scipy.special import log_softmax

from glojax import make_loss
from glojax.errors import ConfigurationError, ExpressionError
from glojax.expressions import LossTree
from glojax.losses import CATALOG, ClassReduction, Loss, LossProgram, interpret
from glojax.losses.objective import objective
from tests.derivatives import loss_gradient
from tests.losses.exporting import dual_in_jax

_rng = np.random.default_rng(3)
LOGITS = (_rng.normal(size=(6, 5)) * 2).astype(np.float32)
LABELS = np.eye(5, dtype=np.float32)[_rng.integers(0, 5, 6)]

#: Losses, each compiled as a whole.
run = jax.jit(
    lambda loss, *arrays, axis=-1, **options: loss(*arrays, axis, **options), static_argnums=0, static_argnames="axis"
)


@pytest.mark.parametrize("text", ["x * log(y)", "log(y) - x / y", "sqrt(x) * y^2 - 2 / (1 + y)", "x - y"])
def test_the_gradient_in_the_logits_agrees_with_complex_steps(text: str) -> None:
    _, gradient = dual_in_jax(make_loss(text), LOGITS, LABELS)
    np.testing.assert_allclose(gradient, loss_gradient(LossTree.parse(text), LABELS, LOGITS), rtol=2e-4, atol=2e-5)


def test_a_program_and_its_tree_are_the_same_loss() -> None:
    trees = [CATALOG[name] for name in ("cross_entropy", "baikal_cma", "next_generation")]
    programs = LossProgram.from_trees(trees, 64)

    @jax.jit
    @jax.vmap
    def of_programs(program: LossProgram) -> tuple[jax.Array, jax.Array]:
        loss = partial(objective, interpret, "sum", 1e-7, program, jnp.asarray(LABELS))
        values, pull_back = jax.vjp(loss, jnp.asarray(LOGITS))
        return values, pull_back(jnp.ones_like(values))[0]

    for row, tree in enumerate(trees):
        for mine, its in zip(of_programs(programs), dual_in_jax(make_loss(tree), LOGITS, LABELS), strict=True):
            np.testing.assert_allclose(mine[row], its, rtol=1e-5, atol=1e-6)


def test_the_objective_is_differentiable_in_forward_mode() -> None:
    loss = make_loss("log(y) - x / y")
    jacobian = jax.jit(jax.jacfwd(lambda logits: loss(logits, LABELS).sum()))(LOGITS)
    np.testing.assert_allclose(jacobian, dual_in_jax(loss, LOGITS, LABELS)[1], rtol=1e-5)


def test_the_mean_over_classes_is_the_sum_divided_by_their_number() -> None:
    summed, mean = (make_loss("log(y) - x / y", class_reduction=reduction) for reduction in ("sum", "mean"))
    np.testing.assert_allclose(run(mean, LOGITS, LABELS), dual_in_jax(summed, LOGITS, LABELS)[0] / 5, rtol=1e-6)


def test_probabilities_are_clipped_in_denominators_alone() -> None:
    logits, label = np.array([0.0, 100.0], np.float32), np.asarray(0)
    for text, expected in {"-x / y": 1e7, "-x / y^2": 1e14, "(x - 1) / (1 - y)": 1e7, "x * log(y)": 100}.items():
        assert run(make_loss(text), logits, label) == pytest.approx(expected, rel=1e-5)
    assert run(make_loss("-x / y", prob_epsilon=1e-3), logits, label) == pytest.approx(1e3, rel=1e-5)
    assert not np.isfinite(run(make_loss("x / y", prob_epsilon=0.0), 2 * logits, label))


def test_coefficients_multiply_the_nodes_in_prefix_order() -> None:
    loss = make_loss("x * log(y)", coefficients=(2.0, 1.0, 1.0, 1.0))
    np.testing.assert_allclose(
        run(loss, LOGITS, LABELS), 2 * dual_in_jax(make_loss("x * log(y)"), LOGITS, LABELS)[0], rtol=1e-6
    )


def test_integer_labels_are_one_hot_ones_and_soft_ones_are_mixed() -> None:
    loss = make_loss("log(y) - x / y")
    every = [run(loss, LOGITS, np.full(6, label)) for label in range(5)]
    soft = _rng.dirichlet(np.ones(5), size=6).astype(np.float32)
    for labels in (LABELS, soft):
        expected = (labels.T * every).sum(axis=0)
        np.testing.assert_allclose(dual_in_jax(loss, LOGITS, labels)[0], expected, rtol=1e-5)


def test_leading_axes_are_kept() -> None:
    loss = make_loss("x * log(y)")
    assert jax.eval_shape(loss, np.zeros((2, 3, 4), np.float32), np.zeros((2, 3), np.int32)).shape == (2, 3)
    assert jax.eval_shape(loss, np.zeros(4, np.float32), np.asarray(1)).shape == ()


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
        make_loss("x * log(y)")(LOGITS, labels)


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
        make_loss("x * log(y)")(np.zeros((2, 3), np.int32), np.zeros(2, np.int32))


@pytest.mark.parametrize("reduction", ["sum", "mean"])
def test_weights_are_factors_on_the_classes_with_a_gradient_of_their_own(reduction: ClassReduction) -> None:
    loss = make_loss("x * log(y)", class_reduction=reduction)
    weights, log_probs = (
        np.array([1.0, 2.0, 0.5, 0.0, 3.0], np.float32),
        log_softmax(LOGITS.astype(np.float64), axis=-1),
    )
    values, pull_back = jax.vjp(lambda weights: run(loss, LOGITS, LABELS, weights=weights), weights)
    expected, slopes = -(weights * LABELS * log_probs).sum(axis=-1), -(LABELS * log_probs)
    if reduction == "mean":
        slopes = (slopes - expected[:, None] / weights.sum()) / weights.sum()
        expected = expected / weights.sum()
    np.testing.assert_allclose(values, expected, rtol=1e-5)
    np.testing.assert_allclose(pull_back(np.ones(6, np.float32))[0], slopes.sum(axis=0), rtol=1e-5)


def test_classes_that_are_not_there_have_no_probability() -> None:
    loss, there = make_loss("log(y) - x / y", class_reduction="mean"), np.array([True, False, True, True, False])
    few = np.arange(6, dtype=np.int32) % 2
    values, gradient = dual_in_jax(partial(loss, where=there), LOGITS, np.array([0, 2], np.int32)[few])
    expected = dual_in_jax(loss, LOGITS[:, there], few)
    np.testing.assert_allclose(values, expected[0], rtol=1e-5)
    np.testing.assert_allclose(gradient[:, there], expected[1], rtol=1e-5, atol=1e-7)


def test_the_classes_may_lie_along_any_axis() -> None:
    loss, weights = make_loss("log(y) - x / y"), np.arange(1, 6, dtype=np.float32)
    ours = run(loss, LOGITS.T, LABELS.T, axis=0, weights=weights[:, None])
    np.testing.assert_allclose(ours, run(loss, LOGITS, LABELS, weights=weights), rtol=1e-6)


@pytest.mark.parametrize("text", ["x * log(y)", "log(y) - x / y", "-(x - y)^2"])
def test_padding_has_no_loss_and_no_gradient(text: str) -> None:
    labels, is_padding = np.array([0, -1, -100, 3, 5, 127], np.int8), np.array([False, True, True, False, True, True])
    logits = np.where(np.arange(6)[:, None] == 1, np.float32(np.nan), LOGITS)
    losses, gradient = dual_in_jax(make_loss(text), logits, labels)
    np.testing.assert_array_equal(losses == 0, is_padding)
    np.testing.assert_array_equal((np.asarray(gradient) == 0).all(axis=-1), is_padding)


@pytest.mark.parametrize("dtype", [np.int8, np.uint8])
def test_labels_of_short_integers_are_any_number_of_classes(dtype: DTypeLike) -> None:
    logits = np.random.default_rng(0).normal(size=(2, 1000)).astype(np.float32)
    loss = make_loss("x * log(y)")
    expected = -log_softmax(logits.astype(np.float64), axis=-1)[[0, 1], [5, 7]]
    np.testing.assert_allclose(run(loss, logits, np.array([5, 7], dtype)), expected, rtol=1e-6)


def test_a_single_class_is_certain() -> None:
    value, gradient = dual_in_jax(make_loss("x * log(y)"), np.ones((1, 1), np.float32), np.array([0]))
    assert value == 0
    assert gradient == 0
    with pytest.raises(ConfigurationError, match=r"Logits of shape \(2, 0\) have no class"):
        make_loss("x * log(y)")(np.ones((2, 0), np.float32), np.zeros(2, np.int32))


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
    loss = make_loss("log(y) - x / y")
    gradient = jax.grad(lambda logits, labels: loss(logits, labels).sum())
    ours = jax.pmap(gradient, devices=jax.devices()[:2])(LOGITS.reshape(2, 3, 5), LABELS.reshape(2, 3, 5))
    np.testing.assert_allclose(ours.reshape(6, 5), dual_in_jax(loss, LOGITS, LABELS)[1], rtol=1e-6)


def test_classes_may_be_spread_over_devices() -> None:
    loss, mesh = make_loss("log(y) - x / y"), Mesh(jax.devices()[:2], ("class",))
    logits = np.random.default_rng(0).normal(size=(4, 34)).astype(np.float32)
    labels = np.eye(34, dtype=np.float32)[:4]
    spread = jax.device_put((logits, labels), NamedSharding(mesh, P(None, "class")))
    for ours, expected in zip(dual_in_jax(loss, *spread), dual_in_jax(loss, logits, labels), strict=True):
        np.testing.assert_allclose(ours, expected, rtol=1e-5)


def test_a_loss_is_a_value() -> None:
    loss = make_loss("log(y) - x / y", class_reduction="mean", prob_epsilon=1e-3)
    run(loss, LOGITS, LABELS)
    again = pickle.loads(pickle.dumps(loss))
    assert again == loss == Loss("log(y) - x / y", "mean", 1e-3)  # type: ignore[arg-type]
    assert hash(again) == hash(loss)
    assert repr(loss) == "Loss('log(y) - x / y', class_reduction='mean', prob_epsilon=0.001)"
    np.testing.assert_array_equal(jax.jit(again)(LOGITS, LABELS), run(loss, LOGITS, LABELS))


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
    assert make_loss("baikal") == make_loss("log(y) - x / y")
