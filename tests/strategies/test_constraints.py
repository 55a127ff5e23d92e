"""Named constraints, on losses whose verdicts follow by hand or from SymPy."""

from collections.abc import Iterator

import jax
import numpy as np
import pytest
import sympy
from hypothesis import given, settings, strategies as st

from glojax.errors import ConfigurationError
from glojax.expressions import OPERATORS, LossTree, Operator
from glojax.losses import TAYLOR_VECTORS, register_operator, taylor_tree
from glojax.losses.operations import OPERATIONS
from glojax.strategies import CONSTRAINTS, Constraints, find_constraint

#: For each loss: whether its minimum is at the label, whether it is convex in y, and whether it is bounded.
VERDICTS = {
    "x * log(y)": (True, True, False),  # cross-entropy
    "x * log(y) + (1 - x) * log(1 - y)": (True, True, False),  # binary cross-entropy: infinite at both ends
    "(1 - x) * log(1 - y)": (True, True, False),  # at y = 1 alone
    "log(y) - x / y": (False, True, False),  # Baikal: lowest at 1 / sqrt(n)
    "2.7279*(0.9863*log(1.5352*y) - -1.1135*(1.3716*x / (-0.8411*y)))": (False, True, False),  # BaikalCMA
    "-(x - y)^2": (True, True, True),  # Brier
    "-(x - 2 * x * y + y * y)": (True, True, True),  # Brier, multiplied out
    "-2 * x * (1 - y)": (True, True, True),  # mean absolute error
    "x * sqrt(y)": (True, True, True),  # generalised cross-entropy, whose slope is infinite
    "10000 + x * sqrt(y)": (True, True, True),
    "10000 + x * log(y)": (True, True, False),
    "x * sqrt(sqrt(y))": (True, True, True),
    "x * (1 - y)^2 * log(y)": (True, True, False),  # focal
    "0.9*x*log(y) + 0.01*log(y)": (False, True, False),  # label smoothing
    "x * log(y) - y * log(y)": (False, True, False),  # confidence penalty
    "y * log(y) - x": (True, False, True),  # -y log(y) is concave, and 0 at both ends
    "x * y^2": (True, False, True),  # -y^2 is concave
    "x / (1 - y)": (True, False, False),
    "-x * sqrt(log(y)^2)": (True, True, False),  # |log(y)|
    "x * y - x * sqrt(sqrt(log(y)^2))": (True, False, False),  # a root of |log(y)| grows slowly, and is not convex
    "x * y / (1 + y)": (True, True, True),
    "-x * y": (False, True, True),  # learns to be wrong
    "x + y": (False, True, True),  # the y sum to 1: the loss is the same everywhere
    "log(y)": (False, True, False),
    "x / (2 * y - 1)": (False, False, False),  # infinite at y = 1/2
    "x / (3 * y - 1)": (False, False, False),  # infinite at y = 1/3, beside the points of the grid
    "sqrt(x - y)": (False, False, False),  # undefined at x = 0
}


@pytest.mark.parametrize(("text", "expected"), VERDICTS.items())
def test_known_losses_get_their_verdicts(text: str, expected: tuple[bool, ...]) -> None:
    tree = LossTree.parse(text)
    assert tuple(CONSTRAINTS[name](tree) for name in ("minimum_at_label", "convex_in_y", "bounded")) == expected


POINTS = np.arange(1, 1000) / 1000


@settings(max_examples=25, deadline=None)
@given(vector=st.lists(st.integers(-20, 20), min_size=8, max_size=8))
def test_verdicts_on_taylor_losses_are_those_of_calculus(vector: list[int]) -> None:
    tree, y = taylor_tree(vector), sympy.Symbol("y")
    t0, t1, *t = vector

    def polynomial(x: int, y: sympy.Expr) -> sympy.Expr:
        u, d = x - t0, y - t1
        return d * (t[0] + t[3] * u + t[5] * u**2) + d**2 * (t[1] + t[4] * u) + d**3 * t[2]

    # The second derivative is linear, so that its signs at two points decide; at 0 rounding does.
    curvatures = [-sympy.diff(polynomial(x, y), y, 2).subs(y, at) for x in (0, 1) for at in (POINTS[1], POINTS[-2])]
    if all(abs(curvature) > 1e-3 for curvature in curvatures):
        assert CONSTRAINTS["convex_in_y"](tree) == all(curvature > 0 for curvature in curvatures)
    assert CONSTRAINTS["bounded"](tree)
    is_lowest = True
    for n in (2, 10, 100):
        loss = sympy.Poly(-polynomial(1, y) - (n - 1) * polynomial(0, (1 - y) / (n - 1)), y)
        values = np.polyval(np.array(loss.all_coeffs(), float), [*POINTS, 1.0])
        distance = values[:-1].min() - values[-1]
        if abs(distance) < 1e-6:
            return
        is_lowest &= distance > 0
    assert CONSTRAINTS["minimum_at_label"](tree) == is_lowest


def test_the_published_taylor_losses_do_not_lead_to_certainty() -> None:
    for vector in TAYLOR_VECTORS.values():
        tree = taylor_tree(vector)
        assert [constraint(tree) for constraint in CONSTRAINTS.values()] == [False, True, True]


@pytest.fixture
def softplus() -> Iterator[None]:
    register_operator(Operator("softplus", "softplus", 1), jax.nn.softplus)
    yield
    del OPERATORS["softplus"], OPERATIONS["softplus"]


@pytest.mark.usefixtures("softplus")
def test_a_registered_operator_is_evaluated_in_double_precision_and_not_proven_to_be_bounded() -> None:
    concave, convex = LossTree.parse("x * softplus(y)"), LossTree.parse("-x * softplus(y)")
    assert [CONSTRAINTS["convex_in_y"](tree) for tree in (convex, concave)] == [True, False]
    assert CONSTRAINTS["minimum_at_label"](concave)
    assert not CONSTRAINTS["bounded"](concave)


@pytest.mark.parametrize(
    ("text", "verdicts"),
    [
        ("x * (1 - y)^2.5 * log(y)", [True, True, False]),  # focal loss
        ("-x * (1 - y^0.7) / 0.7", [True, True, True]),  # generalised cross-entropy
        ("x * sin(3 * y)", [False, True, True]),
        ("x * tanh(y) + x * exp(y) * abs(y) * max(y, y^3) + cos(0 * y)", [True, False, True]),
    ],
)
def test_further_operators_have_verdicts(text: str, verdicts: list[bool]) -> None:
    assert [constraint(LossTree.parse(text)) for constraint in CONSTRAINTS.values()] == verdicts


def without_log(tree: LossTree) -> bool:
    return not tree.uses("log")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ((), ["x * log(y)", "-(x - y)^2", "x * y^2", "-x * y"]),
        ("convex_in_y", ["x * log(y)", "-(x - y)^2", "-x * y"]),
        (without_log, ["-(x - y)^2", "x * y^2", "-x * y"]),
        (["convex_in_y", "minimum_at_label"], ["x * log(y)", "-(x - y)^2"]),
        ([without_log, "minimum_at_label"], ["-(x - y)^2", "x * y^2"]),
    ],
)
def test_several_constraints_must_all_hold(given: Constraints, expected: list[str]) -> None:
    constraint = find_constraint(given)
    assert [text for text in ("x * log(y)", "-(x - y)^2", "x * y^2", "-x * y") if constraint(LossTree.parse(text))] == (
        expected
    )


def test_an_unknown_constraint_is_refused() -> None:
    message = r"Unknown constraint 'convex'. Did you mean 'convex_in_y'\? Expected one of minimum_at_label, convex_in_y"
    with pytest.raises(ConfigurationError, match=message):
        find_constraint(["bounded", "convex"])
