"""Taylor losses against SymPy's expansion, and the published ones against the formulas that were published."""

import numpy as np
import pytest
import sympy

from glojax.errors import ConfigurationError
from glojax.expressions import LossTree
from glojax.losses import TAYLOR_VECTORS, taylor_tree
from glojax.losses.taylor import num_taylor_parameters
from tests.oracle import evaluate

X, Y = sympy.symbols("x y")
LABELS, PROBS = np.meshgrid([0.0, 0.3, 1.0], np.linspace(0.01, 1, 9))


def expansion(function: sympy.Expr, centre: tuple[float, float], order: int) -> tuple[list[float], sympy.Expr]:
    """Return the parameters of a function's Taylor loss, and its Taylor polynomial less the terms without y.

    The polynomial comes from SymPy's series along the line through the centre, one variable at a time.
    """
    t = sympy.Symbol("t")
    x, y = (value + t * (symbol - value) for value, symbol in zip(centre, (X, Y), strict=True))
    full = sympy.series(function.subs({X: x, Y: y}, simultaneous=True), t, 0, order + 1).removeO().subs(t, 1)
    polynomial = full - full.subs(Y, centre[1])
    coefficients = [
        function.diff(*[X] * a, *[Y] * b).subs({X: centre[0], Y: centre[1]}) / (sympy.factorial(a) * sympy.factorial(b))
        for a in range(order)
        for b in range(1, order - a + 1)
    ]
    return [*centre, *map(float, coefficients)], polynomial


@pytest.mark.parametrize("order", [2, 3, 4, 5])
def test_a_taylor_loss_is_the_expansion_without_the_terms_that_have_no_gradient(order: int) -> None:
    vector, polynomial = expansion(X * sympy.log(Y) + 1 / (1 + X + Y), (0.25, 0.5), order)
    expected = sympy.lambdify((X, Y), polynomial)(LABELS, PROBS)
    np.testing.assert_allclose(evaluate(taylor_tree(vector, order), LABELS, PROBS), expected, rtol=1e-12, atol=1e-13)


def test_the_published_losses_are_the_published_formulas() -> None:
    x, y = LABELS, PROBS
    mnist = (
        *(8.2896 * (y - 7.5216), 0.2415 * (y - 7.5216) ** 2, 7.8726 * (y - 7.5216) ** 3),
        *(8.9666 * (x + 10.9408) * (y - 7.5216), 2.0184 * (x + 10.9408) * (y - 7.5216) ** 2),
        7.0513 * (x + 10.9408) ** 2 * (y - 7.5216),
    )
    early = (
        *(1.5742 * (y - 1.4872), -1.4446 * (y - 1.4872) ** 2, 2.3616 * (y - 1.4872) ** 3),
        *(-0.6632 * (x - 0.8439) * (y - 1.4872), -2.8569 * (x - 0.8439) * (y - 1.4872) ** 2),
        -1.1313 * (x - 0.8439) ** 2 * (y - 1.4872),
    )
    for name, terms in (("taylor_mnist", mnist), ("taylor_early", early)):
        np.testing.assert_allclose(evaluate(taylor_tree(TAYLOR_VECTORS[name]), x, y), sum(terms), rtol=1e-13)


def test_the_published_losses_pull_an_untrained_network_towards_the_label() -> None:
    """So the authors require it; with label and prediction swapped, or the centre last, the second does not."""
    x, y, step = np.array([1.0, 0.0]), np.full(2, 0.1), 1e-6
    for vector in TAYLOR_VECTORS.values():
        right, left = (evaluate(taylor_tree(vector), x, y + change) for change in (step, -step))
        slopes = (right - left) / (2 * step)
        assert slopes[0] > slopes[1] + 1


@pytest.mark.parametrize(("order", "number", "size"), [(2, 5, 16), (3, 8, 43), (4, 12, 85), (5, 17, 143)])
def test_an_order_has_its_number_of_parameters_and_its_text_is_read_back(order: int, number: int, size: int) -> None:
    assert num_taylor_parameters(order) == number
    tree = taylor_tree([*range(-3, number - 3)], order)
    assert (tree.size, LossTree.parse(str(tree))) == (size, tree)


@pytest.mark.parametrize(
    ("vector", "order", "message"),
    [
        ([0.0] * 3, 1, "order is 1; expected a whole number from 2 to 5: a Taylor loss of order 1 does not depend"),
        ([0.0] * 23, 6, "order is 6"),
        ([0.0] * 7, 3, r"Got \[0.0, .* for a Taylor loss of order 3; expected 8 finite numbers: the centre, then 6"),
        ([0.0] * 7 + [float("inf")], 3, r"Got \[0.0, .*inf\]"),
    ],
)
def test_a_vector_that_does_not_fit_is_refused(vector: list[float], order: int, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        taylor_tree(vector, order)
