"""The two families of coefficients, hand-made cases first; the float64 oracle says what a function is."""

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings, strategies as st

from glojax.errors import ConfigurationError
from glojax.expressions import LossTree
from glojax.losses import CATALOG
from glojax.strategies.coefficients import CoefficientLayout
from glojax.strategies.coefficients.layout import FreeCoefficients, independent_layout
from tests.oracle import evaluate
from tests.tree_strategies import loss_trees

BAIKAL = LossTree.parse("log(y) - x / y")
LABELS, PROBS = (axis.ravel() for axis in np.meshgrid([0.0, 0.3, 1.0], [0.01, 0.25, 0.6, 1.0]))


def values(tree: LossTree) -> np.ndarray:
    return evaluate(tree, LABELS, PROBS)


def trees_with(*coefficients: float) -> st.SearchStrategy[LossTree]:
    def with_coefficients(tree: LossTree) -> st.SearchStrategy[LossTree]:
        drawn = st.lists(st.sampled_from(coefficients), min_size=tree.size, max_size=tree.size)
        return drawn.map(tree.with_coefficients)

    return loss_trees(12).flatmap(with_coefficients)


def is_moderate(tree: LossTree) -> bool:
    """Whether no coefficient and no node over- or underflows: none is so large or small that one more could."""
    numbers = np.abs([*tree.coefficients, *np.concatenate([values(tree.subtree(i)) for i in range(tree.size)])])
    extreme = (numbers > 0) & (numbers < 1e-100) | np.isfinite(numbers) & (numbers > 1e100)
    return not np.any(extreme)


def absorbed(tree: LossTree) -> LossTree:
    return independent_layout(tree).tree


def divides_by_zero(tree: LossTree) -> np.ndarray:
    """Where some divisor is 0."""
    divisors = [tree.subtree(i).operands[1] for i, node in enumerate(tree.nodes) if node.operator == "divide"]
    return np.asarray(np.any([values(divisor) == 0 for divisor in divisors] + [np.zeros(LABELS.shape, bool)], axis=0))


def is_stable(tree: LossTree) -> np.ndarray:
    """Where the value hardly changes when every coefficient does, in either direction: nothing cancels there."""
    rng = np.random.default_rng(0)
    shifts = [sign * shift for shift in rng.uniform(-1e-11, 1e-11, (3, tree.size)) for sign in (1, -1)]
    others = [values(tree.with_coefficients(list(np.multiply(tree.coefficients, 1 + shift)))) for shift in shifts]
    close = [np.isclose(other, values(tree), rtol=1e-9, atol=1e-9, equal_nan=True) for other in others]
    return np.asarray(np.all(close, axis=0))


def test_all_has_one_index_for_each_node() -> None:
    layout = CoefficientLayout.of(CATALOG["baikal_cma"], "all")
    assert layout == CoefficientLayout.of(CATALOG["baikal_cma"])
    assert layout.tree == CATALOG["baikal_cma"]
    assert layout.indices == (0, 1, 2, 3, 4, 5)
    np.testing.assert_array_equal(layout.vector, [2.7279, 0.9863, 1.5352, -1.1135, 1.3716, -0.8411])


@pytest.mark.parametrize(
    ("text", "indices"),
    [
        ("log(y) - x / y", (1, 2, 3)),
        ("x * log(y)", (0, 3)),
        ("x * y", (0,)),
        ("2 * x * y", (0,)),
        ("3 * (5 * x + 2 * y)", (3, 6)),
        ("x * (x + y)", (3, 4)),
        ("(x + y) * x", (2, 3)),
        ("(x + y) * (x - y)", (2, 3, 5, 6)),
        ("(x + y) / y", (2, 3)),
        ("x / (x + y)", (0, 3, 4)),
        ("(x + y) / (x - y)", (2, 3, 5, 6)),
        ("y * ((x + y) / x)", (4, 5)),
        ("x * y^2", (0,)),
        ("(x + y)^2", (0, 2, 3)),
        ("x * sqrt(y)", (0, 3)),
        ("sqrt(x * y)", (0, 1)),
        ("log(x / y)", (0, 1)),
        ("log(x + y)", (0, 2, 3)),
        ("x - (y - (x + 1))", (1, 3, 5, 6)),
        ("x + sqrt(log(y)^2)", (1, 2, 3, 5)),
    ],
)
def test_independent_indices_are_those_that_no_other_absorbs(text: str, indices: tuple[int, ...]) -> None:
    layout = CoefficientLayout.of(LossTree.parse(text), "independent")
    assert layout.indices == indices
    np.testing.assert_array_equal(layout.vector, np.ones(len(indices)))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("3.0*(5.0*x + 2.0*y)", "15.0*x + 6.0*y"),
        ("2.0*x * 1 * y", "2.0*(x * 1 * y)"),
        ("0.5*((2.0*x) * (3.0*y))", "3.0*(x * y)"),
        ("0.5*((2.0*x) / (4.0*y))", "0.25*(x / y)"),
        ("(2.0*x) * (3.0*(5.0*x + y))", "x * (30.0*x + 6.0*y)"),
        ("(2.0*(x + y)) * (3.0*(5.0*x + y))", "(6.0*x + 6.0*y) * (5.0*x + y)"),
        ("3.0*(2.0*x + y) / (4.0*y)", "(1.5*x + 0.75*y) / y"),
        ("(6.0*x) / (3.0*(4.0*x + 5.0*y))", "2.0*(x / (4.0*x + 5.0*y))"),
        ("2.0*(x * (y / (4.0*(x + 3.0*y))))", "0.5*(x * (y / (x + 3.0*y)))"),
        ("2.0*(-3.0*x)^2", "18.0*x^2"),
        ("(2.0*(x + 3.0*y))^2", "4.0*(x + 3.0*y)^2"),
        ("2.0*sqrt(-3.0*y) + x", "2.0*sqrt(-3.0*y) + x"),
        ("sqrt((-2.0*x) * (3.0*y))", "sqrt(-6.0*(x * y))"),
        ("sqrt(-2.0*(x + 3.0*y))", "sqrt(-2.0*x + -6.0*y)"),
        ("2.0*log(3.0*y)", "2.0*log(3.0*y)"),
        ("(4.0*log(y))^2", "16.0*log(y)^2"),
        ("2.0*(x + 3.0*(y - 5.0*x))", "2.0*x + (6.0*y - 30.0*x)"),
        ("0.0*(x + log(y))", "0.0*x + 0.0*log(y)"),
    ],
)
def test_absorption_in_cases_worked_by_hand(text: str, expected: str) -> None:
    assert str(absorbed(LossTree.parse(text))) == expected


def test_products_of_coefficients_read_as_written() -> None:
    assert str(CoefficientLayout.of(LossTree.parse("0.1*(5.6*(x * log(y)))"), "shape").tree) == "0.56*(x * log(y))"


def test_baikal_cma_has_three_independent_coefficients() -> None:
    layout = CoefficientLayout.of(CATALOG["baikal_cma"], "independent")
    c0, c1, c2, c3, c4, c5 = CATALOG["baikal_cma"].coefficients
    np.testing.assert_allclose(layout.vector, [c0 * c1, c2, c0 * c3 * c4 / c5], rtol=1e-11)
    np.testing.assert_allclose(layout.vector, [2.69053, 1.5352, 4.95334], atol=5e-6)
    np.testing.assert_allclose(values(layout.tree), values(CATALOG["baikal_cma"]), rtol=1e-10)


# Powers of two: multiplying by them rounds nothing, so that the functions are the same to the last bit.


@settings(deadline=None, max_examples=50)
@given(trees_with(0.25, 0.5, 1.0, 2.0))
def test_absorption_of_positive_coefficients_keeps_the_function(tree: LossTree) -> None:
    assume(is_moderate(tree) and is_moderate(absorbed(tree)))
    np.testing.assert_array_equal(values(absorbed(tree)), values(tree))


@settings(deadline=None, max_examples=50)
@given(trees_with(0.0, -0.5, 1.0, -1.0, 2.0))
def test_absorption_of_zeros_and_signs_keeps_the_function_where_no_divisor_is_zero(tree: LossTree) -> None:
    # A zero sum may have either sign: -1 * (y - y) is -0, -y - -y is 0; and so has an infinite quotient by it.
    assume(is_moderate(tree) and is_moderate(absorbed(tree)))
    defined = ~divides_by_zero(tree)
    assume(not np.isnan(absorbed(tree).coefficients).any())
    np.testing.assert_array_equal(values(absorbed(tree))[defined], values(tree)[defined])


@settings(deadline=None, max_examples=50)
@given(loss_trees(12, coefficients=True))
def test_absorption_of_any_coefficients_keeps_the_function_up_to_rounding(tree: LossTree) -> None:
    assume(is_moderate(tree) and is_moderate(absorbed(tree)))
    assume(not np.isnan(absorbed(tree).coefficients).any())
    good = is_stable(tree) & ~divides_by_zero(tree)
    np.testing.assert_allclose(values(absorbed(tree))[good], values(tree)[good], rtol=1e-9, atol=1e-9)


@settings(deadline=None, max_examples=50)
@given(loss_trees(coefficients=True).filter(lambda tree: tree.uses("x") and tree.uses("y")))
def test_absorption_leaves_ones_elsewhere_and_nothing_for_a_second_time(tree: LossTree) -> None:
    once = absorbed(tree)
    assume(np.isfinite(once.coefficients).all())
    indices = CoefficientLayout.of(tree, "independent").indices
    assert all(once.nodes[i].coefficient == 1 for i in range(tree.size) if i not in indices)
    assert absorbed(once) == once
    assert [node.operator for node in once.nodes] == [node.operator for node in tree.nodes]


@settings(deadline=None, max_examples=50)
@given(st.data(), loss_trees().filter(lambda tree: tree.uses("x") and tree.uses("y")))
@pytest.mark.parametrize("free", ["all", "independent"])
def test_a_vector_makes_a_tree_that_has_it_and_reads_back_from_its_text(
    free: FreeCoefficients, data: st.DataObject, tree: LossTree
) -> None:
    layout = CoefficientLayout.of(tree, free)
    K = len(layout.indices)
    vector = data.draw(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=K, max_size=K))
    made = layout.tree_of(vector)
    again = CoefficientLayout(made, layout.indices)
    np.testing.assert_array_equal(again.vector, [float(f"{value:.5e}") for value in vector])
    assert again.tree_of(again.vector) == made
    assert LossTree.parse(str(made)) == made
    assert all(node.coefficient == 1 for i, node in enumerate(made.nodes) if i not in layout.indices)


@pytest.mark.parametrize(
    ("text", "free"),
    [
        ("x * y", "2.0*(x * y)"),  # there is no other
        ("x * log(y)", "x * log(2.0*y)"),
        ("log(y) - x / y", "log(2.0*y) - 3.0*(x / y)"),
        ("x * sqrt(y) - y", "x * sqrt(2.0*y) - 3.0*y"),
        ("log(y) * (x + y)", "log(2.0*y) * (x + 3.0*y)"),
        ("sqrt(x + y) * (x + log(y))", "sqrt(2.0*x + 3.0*y) * (x + 4.0*log(5.0*y))"),
        ("x * (log(y) + y)", "x * (log(2.0*y) + 3.0*y)"),
        ("x * ((y - log(y)) / x)", "x * ((y - 2.0*log(3.0*y)) / x)"),
    ],
)
def test_of_a_shape_every_coefficient_is_free_but_the_one_that_its_scale_absorbs(text: str, free: str) -> None:
    layout = CoefficientLayout.of(LossTree.parse(text), "shape")
    assert str(layout.tree_of(np.arange(len(layout.indices)) + 2.0)) == free


@settings(deadline=None, max_examples=50)
@given(loss_trees().filter(lambda tree: tree.uses("x") and tree.uses("y")))
def test_a_multiple_of_a_loss_differs_in_the_coefficient_that_a_shape_keeps(tree: LossTree) -> None:
    layout, twice = (independent_layout(tree.with_coefficients([root, *tree.coefficients[1:]])) for root in (1.0, 2.0))
    assume(np.isfinite(layout.vector).all())
    changed = [index for index, a, b in zip(layout.indices, layout.vector, twice.vector, strict=True) if a != b]
    kept = set(layout.indices) - set(CoefficientLayout.of(tree, "shape").indices)
    assert kept == set(changed[:1] if len(layout.indices) > 1 else [])


def test_coefficients_have_six_significant_digits() -> None:
    layout = CoefficientLayout.of(BAIKAL, "independent")
    made = layout.tree_of([1.23456789, -0.000123456789, 123456789.0])
    np.testing.assert_array_equal([made.coefficients[i] for i in (1, 2, 3)], [1.23457, -0.000123457, 123457000.0])
    assert str(made) == "1.23457*log(-0.000123457*y) - 123457000.0*(x / y)"


@pytest.mark.parametrize("vector", [[1.0, 2.0], [1.0, 2.0, 3.0, 4.0], [[1.0, 2.0, 3.0]], [], 1.0])
def test_a_vector_of_another_length_is_refused(vector: list[float]) -> None:
    layout = CoefficientLayout.of(BAIKAL, "independent")
    message = r"shape \(.*\) for log\(y\) - x / y, which has 3 free ones; give one number for each"
    with pytest.raises(ConfigurationError, match=message):
        layout.tree_of(vector)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_vector_that_is_not_finite_is_refused(value: float) -> None:
    layout = CoefficientLayout.of(BAIKAL, "independent")
    with pytest.raises(ConfigurationError, match=r"for log\(y\) - x / y are not all finite"):
        layout.tree_of([1.0, value, 1.0])


@pytest.mark.parametrize("value", [math.nan, math.inf])
@pytest.mark.parametrize("free", ["all", "independent"])
def test_a_tree_that_is_not_finite_is_refused(free: FreeCoefficients, value: float) -> None:
    for index in range(BAIKAL.size):
        coefficients = [value if i == index else 1.0 for i in range(BAIKAL.size)]
        with pytest.raises(ConfigurationError, match="not all finite"):
            CoefficientLayout.of(BAIKAL.with_coefficients(coefficients), free)


def test_a_divisor_with_the_factor_zero_is_refused_where_its_factor_moves() -> None:
    tree = LossTree.parse("x / (0.0*y)")
    assert CoefficientLayout.of(tree, "all").tree == tree
    assert math.isnan(absorbed(tree).nodes[0].coefficient)
    with pytest.raises(ConfigurationError, match="not all finite"):
        CoefficientLayout.of(tree, "independent")


def test_coefficients_that_overflow_as_they_move_are_refused() -> None:
    tree = LossTree.parse("(1e200*x)^2 + y")
    assert CoefficientLayout.of(tree, "all").tree == tree
    with pytest.raises(ConfigurationError, match="not all finite"):
        CoefficientLayout.of(tree, "independent")


@pytest.mark.parametrize(("text", "missing"), [("log(y)", "x"), ("log(x) - 1", "y"), ("2 - 1", "y")])
@pytest.mark.parametrize("free", ["all", "independent"])
def test_a_tree_without_the_label_or_the_probability_is_refused(
    free: FreeCoefficients, text: str, missing: str
) -> None:
    with pytest.raises(ConfigurationError, match=rf"Cannot tune .*: it lacks {missing}; a loss needs the label x"):
        CoefficientLayout.of(LossTree.parse(text), free)
