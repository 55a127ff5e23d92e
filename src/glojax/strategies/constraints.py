"""Constraints by name: properties of a loss for one-hot labels, checked in float64.

The loss is -f(x, y), summed over the classes. Its values (`glojax.losses.slopes`) are not clipped, so that those at a
distance of 1e-100 from an end of [0, 1] stand for the limit there.
"""

from collections.abc import Iterable
from typing import Final

import numpy as np

from glojax.errors import ConfigurationError, nearest
from glojax.expressions import Domain, LossTree
from glojax.expressions.bounds import node_bounds
from glojax.losses.slopes import Values, evaluate_tree, leaves_of
from glojax.strategies.base import Constraint

#: A predicate, the name of one in `CONSTRAINTS`, or several, which must all hold.
Constraints = Constraint | str | Iterable["Constraint | str"]

_TINY: Final = 1e-100
_GRID: Final[Values] = np.arange(1, 1000) / 1000
_TOLERANCE: Final = 1e-12  # of differences, relative to the largest value


def find_constraint(given: Constraints, domain: Domain = "probability") -> Constraint:
    """Return a constraint as one predicate; no constraint at all, `()`, is always met.

    Raises:
        ConfigurationError: A name is unknown, or x and y are in another domain than label and probability.
    """
    if isinstance(given, str):
        if given not in CONSTRAINTS:
            known = ", ".join(CONSTRAINTS)
            raise ConfigurationError(
                f"Unknown constraint {given!r}.{nearest(given, CONSTRAINTS)} Expected one of {known}."
            )
        if domain != "probability":
            raise ConfigurationError(
                f"Constraint {given!r} is for label and probability, and x and y are numbers here; leave it out, or "
                "give a predicate."
            )
        return CONSTRAINTS[given]
    if callable(given):
        return given
    if not isinstance(given, Iterable):
        raise ConfigurationError(f"Got {given!r} for a constraint; expected a predicate, a name, or several of them.")
    constraints = [find_constraint(each, domain) for each in given]
    return lambda tree: all(constraint(tree) for constraint in constraints)


@np.errstate(all="ignore")
def minimum_at_label(tree: LossTree) -> bool:
    """Return whether the loss is lowest for a network that is right and certain.

    Let the true class of n have the probability y, and the others share the rest equally. Then the loss is
    L(y) = -f(1, y) - (n - 1) f(0, (1 - y) / (n - 1)). It must be nowhere lower than at y = 1, and not the same
    everywhere, for n of 2, 10 and 100. So it is for cross-entropy; Baikal is lowest at y = 1 / sqrt(n).
    """
    probs, complements = np.append(_GRID, 1.0), np.append(1 - _GRID, _TINY)
    own = -_values(tree, 1, probs, complements)
    for num_others in (1, 9, 99):
        others = complements / num_others
        loss = own - num_others * _values(tree, 0, others, 1 - others)
        tolerance = _TOLERANCE * np.abs(loss).max()
        if not (np.isfinite(loss).all() and loss.max() - tolerance > loss[-1] <= loss.min() + tolerance):
            return False
    return True


@np.errstate(all="ignore")
def convex_in_y(tree: LossTree) -> bool:
    """Return whether -f(0, y) and -f(1, y) are convex in y: at 0.001, 0.002, ..., 0.999."""
    for label in (0, 1):
        loss = -_values(tree, label, _GRID, 1 - _GRID)
        if not (np.isfinite(loss).all() and np.diff(loss, 2).min() >= -_TOLERANCE * np.abs(loss).max()):
            return False
    return True


@np.errstate(all="ignore")
def bounded(tree: LossTree) -> bool:
    """Return whether f(0, y) and f(1, y) are provably finite for y from 0 to 1, and stay so towards y = 0.

    Interval arithmetic proves it for y from 1e-38 on; towards 0, the range of values must not grow to more than twice
    that for y from 1e-6 on. The logarithm of y is not bounded, its square root and y log(y) are.
    """
    if not tree.fold(node_bounds).finite:
        return False
    probs = np.array([_TINY, 1e-6, *_GRID, 1.0])
    for label in (0, 1):
        values = _values(tree, label, probs, 1 - probs)
        if not np.ptp(values) <= 2 * np.ptp(values[1:]):
            return False
    return True


#: The constraints that have a name.
CONSTRAINTS: Final[dict[str, Constraint]] = {
    constraint.__name__: constraint for constraint in (minimum_at_label, convex_in_y, bounded)
}


def _values(tree: LossTree, label: int, probs: Values, complements: Values) -> Values:
    """Return f(label, y) for y = `probs` and 1 - y = `complements`, both [G]."""
    return evaluate_tree(tree, leaves_of(np.full_like(probs, label), probs, complements)).value
