"""An oracle for derivatives: complex steps through a float64 NumPy evaluation, exact to rounding."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from glojax.expressions import LossTree, Node

_STEP = 1e-30


def derivative(tree: LossTree, labels: NDArray[Any], probs: NDArray[Any]) -> NDArray[np.float64]:
    """d f(x, y) / dy elementwise, in float64; meaningful only where f is finite."""
    stepped = np.asarray(probs, np.float64) + 1j * _STEP
    with np.errstate(all="ignore"):
        return np.imag(_evaluate(tree, np.asarray(labels, np.complex128), stepped)) / _STEP


def loss_gradient(tree: LossTree, labels: NDArray[Any], logits: NDArray[Any]) -> NDArray[np.float64]:
    """Gradient in the logits [B, C] of minus the sum over classes of f(x, softmax(logits)), unclipped, in float64."""
    labels, logits = np.asarray(labels, np.complex128), np.asarray(logits, np.float64)
    gradient = np.zeros_like(logits)
    with np.errstate(all="ignore"):
        for place in range(logits.shape[-1]):
            stepped = logits.astype(np.complex128)
            stepped[:, place] += 1j * _STEP
            powers = np.exp(stepped - logits.max(axis=-1, keepdims=True))
            values = _evaluate(tree, labels, powers / powers.sum(axis=-1, keepdims=True))
            gradient[:, place] = -np.imag(values.sum(axis=-1)) / _STEP
    return gradient


def _evaluate(tree: LossTree, x: NDArray[Any], y: NDArray[Any]) -> NDArray[Any]:
    def value(node: Node, *operands: NDArray[Any]) -> NDArray[Any]:
        match node.operator, operands:
            case "x", ():
                result = x
            case "y", ():
                result = y
            case "constant", ():
                result = np.full_like(y, node.value)
            case "log", (a,):
                result = np.log(a)
            case "square", (a,):
                result = a * a
            case "sqrt", (a,):
                result = np.sqrt(a)
            case "add", (a, b):
                result = a + b
            case "subtract", (a, b):
                result = a - b
            case "multiply", (a, b):
                result = a * b
            case "divide", (a, b):
                result = a / b
            case (("exp" | "tanh" | "sin" | "cos"), (a,)):
                result = getattr(np, node.operator)(a)
            case "abs", (a,):
                result = np.where(a.real < 0, -a, a)
            case "max", (a, b):
                result = np.where(a.real < b.real, b, a)
            case "min", (a, b):
                result = np.where(a.real > b.real, b, a)
            case "power", (a,):
                # Not through the logarithm, whose branch cut a step would cross.
                slope = node.value * a.real ** (node.value - 1) * a.imag
                result = a.real**node.value + 1j * np.where(a.imag == 0, 0, slope)
            case "analytic_quotient", (a, b):
                result = a / np.sqrt(1 + b * b)
        return node.coefficient * result

    return tree.fold(value)
