"""Taylor losses: polynomials of the prediction around a centre, which a vector describes.

Source: Gonzalez and Miikkulainen (2021), "Optimizing Loss Functions Through Multivariate Taylor Polynomial
Parameterization", arXiv 2002.00059. The loss is minus the sum of the polynomial over the classes, as all of ours are.
"""

import math
from collections.abc import Sequence
from functools import partial, reduce
from typing import Final

from glojax.errors import ConfigurationError
from glojax.expressions import LossTree

#: A polynomial of order 1 has no term with the label.
MIN_ORDER: Final = 2
MAX_ORDER: Final = 5

#: Parameters of order 3 that the authors published with their code: the losses in its configurations
#: `CIFAR10ResNet_LossFromMNIST`, which is named after the data it was evolved on, and `..._LossFromOldLossgaTaylor`.
TAYLOR_VECTORS: Final[dict[str, tuple[float, ...]]] = {
    "taylor_mnist": (-10.9408, 7.5216, 8.2896, 0.2415, 7.8726, 8.9666, 2.0184, 7.0513),
    "taylor_early": (0.8439, 1.4872, 1.5742, -1.4446, 2.3616, -0.6632, -2.8569, -1.1313),
}


def num_taylor_parameters(order: int) -> int:
    """Return the number of parameters of a Taylor loss: 5, 8, 12 and 17 for the orders 2 to 5."""
    if not isinstance(order, int) or not MIN_ORDER <= order <= MAX_ORDER:
        raise ConfigurationError(
            f"order is {order!r}; expected a whole number from {MIN_ORDER} to {MAX_ORDER}: a Taylor loss of order 1 "
            "does not depend on the label."
        )
    return 2 + order * (order + 1) // 2


def taylor_tree(vector: Sequence[float], order: int = 3) -> LossTree:
    r"""Return a Taylor loss, $\sum_{a + b \le k,\, b \ge 1} t_{ab} (x - t_0)^a (y - t_1)^b$ for order k.

    Terms without y, which have no gradient, are left out; the coefficients include the factorials.

    Args:
        vector: [2 + k (k + 1) / 2] Finite numbers: the centre t_0 and t_1, then the coefficients by ascending a and,
            for each, by ascending b. For order 3 these are the paper's theta_0 to theta_7.
        order: The order k, from 2 to 5.

    Raises:
        ConfigurationError: The order is out of range, or the vector has another length or an infinite number.

    Examples:
        >>> str(taylor_tree([0.1, 0.2, 1.5, 2.5, 3.5], order=2))
        '1.5*(y - 0.2) + 2.5*(y - 0.2)^2 + 3.5*((x - 0.1) * (y - 0.2))'
    """
    expected, values = num_taylor_parameters(order), [float(value) for value in vector]
    if len(values) != expected or not all(map(math.isfinite, values)):
        raise ConfigurationError(
            f"Got {values} for a Taylor loss of order {order}; expected {expected} finite numbers: the centre, then "
            f"{expected - 2} coefficients."
        )
    x, y = (_distance(name, values.pop(0)) for name in "xy")
    exponents = ((a, b) for a in range(order) for b in range(1, order - a + 1))
    terms = (
        _scaled(LossTree.of("multiply", _power(x, a), _power(y, b)) if a else _power(y, b), coefficient)
        for (a, b), coefficient in zip(exponents, values, strict=True)
    )
    return reduce(partial(LossTree.of, "add"), terms)


def _distance(variable: str, value: float) -> LossTree:
    operator = "subtract" if value >= 0 else "add"
    return LossTree.of(operator, LossTree.of(variable), _scaled(LossTree.constant(1), abs(value)))


def _scaled(tree: LossTree, coefficient: float) -> LossTree:
    root, *others = tree.nodes
    return LossTree((root._replace(coefficient=coefficient), *others))


def _power(base: LossTree, exponent: int) -> LossTree:
    if exponent == 1:
        return base
    if exponent % 2:
        return LossTree.of("multiply", _power(base, exponent - 1), base)
    return LossTree.of("square", _power(base, exponent // 2))
