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
}


def evaluate(tree: LossTree, labels: ArrayLike, probs: ArrayLike) -> NDArray[np.float64]:
    """f(x, y) elementwise in float64, unprotected: infinite or NaN where the operators are."""
    x, y = np.broadcast_arrays(np.asarray(labels, np.float64), np.asarray(probs, np.float64))

    def value(node: Node, *operands: NDArray[np.float64]) -> Any:
        if node.operator == "constant":
            result = np.full(x.shape, float(node.value))
        elif operands:
            result = _FUNCTIONS[node.operator](*operands)
        else:
            result = {"x": x, "y": y}[node.operator]
        return result if node.coefficient == 1 else node.coefficient * result

    with np.errstate(all="ignore"):
        return np.asarray(tree.fold(value), np.float64)
