"""One form for trees that are the same function.

`canonical` turns a tree bottom-up into a sum of products of powers (`glojax.expressions.sums`), by exact rational
arithmetic, and writes the sum as a tree in a fixed order (`glojax.expressions.sum_trees`). It applies a rule only where
`glojax.expressions.bounds` proves that the function stays the same for every x and y of the domain, such as a label x
in [0, 1] and a probability y in (0, 1]: `y / y` is 1, but `x / x` stays, since it is 0 / 0 at x = 0.
"""

from collections.abc import Iterable
from contextlib import suppress
from fractions import Fraction
from itertools import chain
from math import gcd, isqrt, lcm

from glojax.errors import ExpressionError
from glojax.expressions import sums
from glojax.expressions.bounds import Domain, node_bounds
from glojax.expressions.operators import MAX_INTEGER, MAX_NODES, Node
from glojax.expressions.sum_trees import by_size, write_sum
from glojax.expressions.sums import Atom, Nodes, Number, Power, Sum, Term
from glojax.expressions.tree import LossTree

_COMMUTATIVE = ("add", "multiply", "max", "min")


def canonical(tree: LossTree, domain: Domain = "probability") -> LossTree:
    """Return the canonical form of a loss function: trees with the same form are the same function of x and y.

    Sums and products are flattened and ordered, constants are folded, and terms that cancel are removed. The form keeps
    the function of exact arithmetic, infinite or undefined at the same points. It does not keep rounding, overflow,
    underflow, the sign of an infinity that a division by zero gives, or the way in which the derivative is computed:
    the derivative of `sqrt(x)^2` may fail at 0, where that of `x` does not.

    Equal functions may keep different forms: no rule knows that `log(x * y)` is `log(x) + log(y)`, or multiplies two
    sums. A node with a coefficient other than 1 stays as it is, over canonical operands, and so does an operator that
    is not the paper's; but `y^3` is `y * y^2`, and `max` and `min` commute. Where a constant or an exponent would
    exceed `MAX_INTEGER`, or the simplified form `MAX_NODES`, only the operands of the sums and products are put in
    order. A tree that is larger than `MAX_NODES` stays as it is.

    In the domain "real", x and y are any numbers: `sqrt(x^2)` is not `x`, nor `y / y` 1.

    The canonical form of a canonical form is itself. In rare cases it is a few nodes larger than `tree`: where an
    exponent is large, where a sum with fractions is squared (`(x - y / 4)^2` becomes `(4 * x - y)^2 / 16`), where a
    power is divided by a larger one, and where a part of an infinite term cancels (`3 * log(x) - log(x)` becomes
    `0 * log(x) + 2 * log(x)`).

    Examples:
        >>> str(canonical(LossTree.parse("y * (-x / (y * y)) + log(y)")))
        'log(y) - x / y'
    """
    if not isinstance(tree, LossTree):
        raise ExpressionError(f"Got {tree!r}; expected a LossTree, which LossTree.parse makes of a text.")
    if tree.size > MAX_NODES:
        return tree
    with suppress(sums.TooLargeError):
        nodes = write_sum(tree.fold(_Rules(domain).apply))
        if len(nodes) <= MAX_NODES and all(abs(node.value) <= MAX_INTEGER for node in nodes):
            return LossTree(nodes)
    return LossTree(tree.fold(_ordered))


def _ordered(node: Node, *operands: Nodes) -> Nodes:
    """Return the node over its operands, which are sorted if it commutes."""
    if node.operator in _COMMUTATIVE:
        operands = tuple(sorted(operands, key=by_size))
    return (node, *chain.from_iterable(operands))


class _Rules:
    """The rules, which apply from the leaves up. Equal atoms within one tree are one object."""

    def __init__(self, domain: Domain) -> None:
        self._domain: Domain = domain
        self._atoms: dict[tuple[object, ...], Atom] = {}
        self._products: dict[frozenset[tuple[Term, Number]], tuple[Term, Number]] = {}

    def apply(self, node: Node, *operands: Sum) -> Sum:
        """Return the sum of a node, from the sums of its operands."""
        if any(sums.UNDEFINED in operand for operand in operands):
            return {sums.UNDEFINED: 1}
        if node.coefficient != 1:
            return self._atom(node, *operands)
        match node.operator, operands:
            case "constant", _:
                return {sums.UNIT: int(node.value)} if node.value else {}
            case "add", (a, b):
                return sums.add(a, b)
            case "subtract", (a, b):
                return sums.add(a, sums.scale(b, -1))
            case "multiply", (a, b):
                return self._multiply(a, b)
            case "divide", (a, b):
                term, value = self._product(b)
                return self._multiply(a, self._collect(map(sums.inverse, term), sums.limited(value, -1)))
            case "square", (a,):
                return self._power(a, 2)
            case "power", (a,) if node.value > 0 and node.value == int(node.value):
                return self._power(a, int(node.value))
            case "log", (a,) if a == {sums.UNIT: 1}:
                return {}
            case "sqrt", (a,):
                return self._root(a)
        return self._atom(node, *operands)

    def _multiply(self, a: Sum, b: Sum) -> Sum:
        for constant, terms in ((a, b), (b, a)):
            if constant.keys() <= {sums.UNIT}:
                return sums.scale(terms, constant.get(sums.UNIT, 0))
        (left, c), (right, d) = self._product(a), self._product(b)
        return self._collect([*left, *right], c * d)

    def _power(self, terms: Sum, number: int) -> Sum:
        term, value = self._product(terms)
        return self._collect([(factor, number * exponent) for factor, exponent in term], sums.limited(value, number))

    def _root(self, terms: Sum) -> Sum:
        if not terms:
            return {}
        term, value = self._product(terms)
        root = Fraction(isqrt(abs(value.numerator)), isqrt(value.denominator))
        if root**2 == value and all(exponent % 2 == 0 for _, exponent in term):
            half = self._collect([(factor, exponent // 2) for factor, exponent in term], root)
            bounds = sums.sum_bounds(half)
            if bounds.lower >= 0:
                return half
            if bounds.finite and bounds.upper <= 0:
                return sums.scale(half, -1)
        return self._atom(Node("sqrt"), terms)

    def _collect(self, powers: Iterable[Power], value: Number) -> Sum:
        """Return the product of powers and a constant as a sum."""
        term, value = sums.collect(powers, value)
        if (sums.ZERO, 1) in term:
            return sums.guards(term)
        if len(term) == 1:
            (((atom, level), exponent),) = term
            if atom.addends is not None and (level, exponent) == (0, 1):
                return sums.scale(atom.addends, value)
        return {term: value}

    def _product(self, terms: Sum) -> tuple[Term, Number]:
        """Return a sum as one term and its coefficient: several terms over their common factor become an atom."""
        if (term := sums.zero_product(terms)) is not None:
            return term, 1
        if len(terms) == 1:
            return next(iter(terms.items()))
        key = frozenset(terms.items())
        if key not in self._products:
            values = [value for term, value in terms.items() if not sums.has_zero(term)] or [1]
            content = sums.limited(Fraction(gcd(*(v.numerator for v in values)), lcm(*(v.denominator for v in values))))
            choices = []
            for factor in {content if value > 0 else -content for value in values}:  # x - y and y - x are one atom
                addends = sums.scale(terms, sums.limited(factor, -1))
                choices.append((by_size(write_sum(addends)), addends, factor))
            (_, nodes), addends, factor = min(choices, key=lambda choice: choice[0])
            primitive = frozenset(addends.items())
            if primitive not in self._products:
                atom = Atom(nodes, sums.sum_bounds(addends), addends=addends)
                self._products[primitive] = (frozenset({((atom, 0), 1)}), 1)
            self._products[key] = (self._products[primitive][0], factor)
        return self._products[key]

    def _atom(self, node: Node, *operands: Sum) -> Sum:
        """Return the node over its operands in canonical form, as an atom."""
        terms = [frozenset(operand.items()) for operand in operands]
        key = (node, frozenset(terms) if node.operator in _COMMUTATIVE else tuple(terms))
        if key not in self._atoms:
            bounds = [sums.sum_bounds(operand) for operand in operands]
            is_root = node == Node("sqrt") and bounds[0].lower >= 0
            self._atoms[key] = Atom(
                nodes=_ordered(node, *map(write_sum, operands)),
                bounds=node_bounds(node, *bounds, domain=self._domain),
                radicand=self._product(operands[0]) if is_root else None,
            )
        return {frozenset([((self._atoms[key], 0), 1)]): 1}
