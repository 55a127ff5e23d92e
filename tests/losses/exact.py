"""What a loss and its gradient are, by exact arithmetic on as many digits as it takes: the reference for precision."""

from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

from mpmath import mp, mpf

from glojax.expressions import LossTree, Node


class Reference(NamedTuple):
    """A loss and its gradient in the logits, and the sums of the magnitudes of what each is a sum of."""

    loss: Any
    loss_scale: Any
    gradient: list[Any]
    gradient_scale: list[Any]


class _Dual(NamedTuple):
    """A value and its derivative in log(y)."""

    value: Any
    slope: Any


class _Class(NamedTuple):
    """What classes of the same label and logit have in common."""

    y: Any
    rest: Any
    dual: _Dual


def reference(tree: LossTree, labels: Sequence[float], logits: Sequence[float], epsilon: float) -> Reference:
    """The loss of one example, summed over classes; y and 1 - y are at least epsilon in denominators."""
    counts = Counter(zip(labels, logits, strict=True))
    top = max(logits)
    with mp.workdps(60 + int((top - min(logits)) / 2.3)):
        powers = {kind: mp.exp(mpf(kind[1]) - mpf(top)) for kind in counts}
        total = mp.fsum(count * powers[kind] for kind, count in counts.items())
        kinds = {}
        for kind in counts:
            y = powers[kind] / total
            kinds[kind] = _Class(y, 1 - y, _evaluate(tree, mpf(kind[0]), y, mpf(epsilon)))

        def summed(function: Any) -> Any:
            return mp.fsum(count * function(kinds[kind].dual) for kind, count in counts.items())

        # d loss / d z_k = -sum_i y_i f_i' (delta_ik - y_k), where y_i f_i' is what `_Dual.slope` holds.
        total_slope, magnitude = summed(lambda dual: dual.slope), summed(lambda dual: abs(dual.slope))
        gradients = {kind: -(dual.slope - y * total_slope) for kind, (y, _, dual) in kinds.items()}
        scales = {
            kind: abs(dual.slope) * rest + y * (magnitude - abs(dual.slope)) for kind, (y, rest, dual) in kinds.items()
        }
        each = list(zip(labels, logits, strict=True))
        return Reference(
            -summed(lambda dual: dual.value),
            summed(lambda dual: abs(dual.value)),
            [gradients[kind] for kind in each],
            [scales[kind] for kind in each],
        )


def _evaluate(tree: LossTree, x: Any, y: Any, epsilon: Any) -> _Dual:
    in_denominator = [False]
    flags = []
    for node in tree.nodes:
        flags.append(in_denominator.pop())
        in_denominator += [flags[-1]] * node.arity
        if node.operator == "divide":
            in_denominator[-2] = True
    stack: list[_Dual] = []
    for node, clipped in reversed(list(zip(tree.nodes, flags, strict=True))):
        stack.append(_apply(node, [stack.pop() for _ in range(node.arity)], x, _leaf(y, epsilon * clipped)))
    return stack.pop()


def _leaf(y: Any, epsilon: Any) -> _Dual:
    if 1 - y < epsilon:  # the slope in log(y / (1 - y)) stays that of the clipped complement
        return _Dual(1 - epsilon, y * epsilon / (1 - y))
    return _Dual(max(y, epsilon), max(y, epsilon))


def _apply(node: Node, operands: list[_Dual], x: Any, y: _Dual) -> _Dual:
    c = mpf(node.coefficient)
    match node.operator:
        case "x":
            result = _Dual(x, mpf(0))
        case "y":
            result = y
        case "constant":
            result = _Dual(mpf(node.value), mpf(0))
        case "add":
            result = _Dual(operands[0].value + operands[1].value, operands[0].slope + operands[1].slope)
        case "subtract":
            result = _Dual(operands[0].value - operands[1].value, operands[0].slope - operands[1].slope)
        case "multiply":
            (a, da), (b, db) = operands
            result = _Dual(a * b, a * db + b * da)
        case "divide":
            (a, da), (b, db) = operands
            result = _Dual(a / b, (da - a / b * db) / b)
        case "log":
            ((a, da),) = operands
            result = _Dual(mp.log(a), da / a)
        case "sqrt":
            ((a, da),) = operands
            root = mp.sqrt(a)
            result = _Dual(root, da / (2 * root) if da else da)
        case "square":
            ((a, da),) = operands
            result = _Dual(a * a, 2 * a * da)
        case "power":
            ((a, da),) = operands
            exponent = mpf(node.value)
            result = _Dual(a**exponent, exponent * a ** (exponent - 1) * da)
    return _Dual(c * result.value, c * result.slope)
