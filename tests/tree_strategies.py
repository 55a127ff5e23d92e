"""Hypothesis strategies for loss functions."""

from collections.abc import Sequence
from functools import cache

from hypothesis import strategies as st

from glojax.expressions import OPERATORS, PAPER_OPERATORS, LossTree, Node, Operator

_MOST_OPERANDS = 3
LEAVES = ("x", "y", "constant")
#: Every operator of the library, leaves aside.
LIBRARY = tuple(name for name in OPERATORS if name not in LEAVES)

_INTEGERS = st.sampled_from((1, -1, 2, -2, 0, 3, 4, -7, 10))
_COEFFICIENTS = st.sampled_from((1.0, -1.0, 0.0)) | st.floats(2**-7, 4, width=32) | st.floats(-4, -(2**-7), width=32)
_EXPONENTS = st.sampled_from((0.5, 0.7, 1.0, 1.5, 3.0, 5.0, -1.0, -0.5, 1e-5))
_VALUES: dict[str, st.SearchStrategy[float]] = {"constant": _INTEGERS, "power": _EXPONENTS}


@cache
def _operators(names: tuple[str, ...], leaves: bool, most: int) -> st.SearchStrategy[Operator]:
    """Operators of at most so many operands, and leaves if these are wanted."""
    operators = [OPERATORS[name] for name in (*LEAVES, *names)]
    return st.sampled_from([each for each in operators if (leaves or each.arity) and each.arity <= most])


@st.composite
def loss_trees(
    draw: st.DrawFn, max_size: int = 20, coefficients: bool = False, operators: Sequence[str] = PAPER_OPERATORS
) -> LossTree:
    """Trees of 1 to `max_size` nodes of every shape.

    Args:
        draw: Hypothesis's.
        max_size: Largest number of nodes.
        coefficients: Whether nodes have coefficients: 0, or float32 numbers of magnitude 1/128 to 4. Else all are 1.
        operators: What there is beside leaves.
    """
    size = draw(st.integers(1, max_size))
    nodes: list[Node] = []
    missing = 1  # subtrees that the nodes so far still need
    while missing:
        most = size - len(nodes) - missing
        operator = draw(_operators(tuple(operators), missing > 1 or most == 0, min(most, _MOST_OPERANDS)))
        value = draw(_VALUES[operator.name]) if operator.name in _VALUES else 0
        nodes.append(Node(operator.name, value, draw(_COEFFICIENTS) if coefficients else 1.0))
        missing += operator.arity - 1
    return LossTree(tuple(nodes))
