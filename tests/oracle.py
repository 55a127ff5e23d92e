"""What a loss function is, in float64 NumPy: the reference for every evaluator."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from glojax.expressions import LossTree, Node

_FUNCTIONS: dict[str, Any] = {
    "log": np.log,
    "sqrt": np.sqrt,
    "square": np.square,
    "add": np.add,
    "subtract": np.subtract,
    "multiply": np.multiply,
    "divide": np.divide,
    "exp": np.exp,
    "abs": np.abs,
    "tanh": np.tanh,
    "sin": np.sin,
    "cos": np.cos,
    "max": np.maximum,
    "min": np.minimum,
    "analytic_quotient": lambda a, b: a / np.sqrt(1 + b * b),
}


def evaluate(
    tree: LossTree, labels: ArrayLike, probs: ArrayLike, dtype: type[np.floating[Any]] = np.float64
) -> NDArray[np.float64]:
    """f(x, y) elementwise, unprotected: infinite or NaN where the operators are.

    Args:
        tree: Any tree.
        labels: x, in [0, 1].
        probs: y, in (0, 1], of a shape that broadcasts with the labels'.
        dtype: What each node is computed in; the result is float64 all the same.
    """
    x, y = np.broadcast_arrays(np.asarray(labels, dtype), np.asarray(probs, dtype))

    def value(node: Node, *operands: NDArray[Any]) -> NDArray[Any]:
        if node.operator == "constant":
            result = np.full(x.shape, node.value, dtype)
        elif node.operator == "power":
            result = operands[0] ** dtype(node.value)
        elif operands:
            result = _FUNCTIONS[node.operator](*operands)
        else:
            result = {"x": x, "y": y}[node.operator]
        return np.asarray(dtype(node.coefficient) * result if node.coefficient != 1 else result)

    with np.errstate(all="ignore"):
        return np.asarray(tree.fold(value), np.float64)
