"""The form in which a regular function is computed: one whose slope in log(y) is bounded where y is close to 1.

It needs neither log(1 - y) nor 1 - y or x - y in a denominator, and `glojax.losses.regular_softmax` is enough for it.
Its instructions show it: denominators, and operands of logarithms, roots and powers, are products of y, constants and
labels, which do not change.
"""

from typing import Final, NamedTuple

from glojax.losses.leaves import RegularLeaves
from glojax.losses.stable import CONSTANT, Instruction, Instructions, run

#: A product of two leaves, which are finite, so that nothing in its slope needs a guard.
LEAF_PRODUCT: Final = "leaf product"

#: The operations whose slopes are bounded where those of their operands are.
_BOUNDED: Final = (
    *("add", "subtract", "multiply", "square", "exp", "abs", "tanh", "sin", "cos", "max", "min", "analytic_quotient"),
    *("log power", "power complement"),
)
#: The operand of the others that must be a product.
_ONLY_OF_PRODUCTS: Final = {"divide": 1, "log": 0, "sqrt": 0, "power": 0}

_FACTORS: Final = ("x", "y", "clipped_y", CONSTANT)
_PRODUCTS: Final = ("multiply", "divide", "square", "sqrt", "power", "log power")


class _Part(NamedTuple):
    """A subtree: what computes it, whether it is regular, and whether it is such a product."""

    instructions: Instructions
    is_regular: bool
    is_product: bool


def regular(instructions: Instructions) -> Instructions | None:
    """Return what computes the same from `RegularLeaves`, faster; None if the function may not be regular."""
    part = run(instructions, _part)
    return part.instructions if part.is_regular else None


def _part(instruction: Instruction, *operands: _Part) -> _Part:
    name = instruction.name
    if not operands:
        return _Part((instruction,), name in (*RegularLeaves._fields, CONSTANT), name in _FACTORS)
    is_product = name in _PRODUCTS and all(operand.is_product for operand in operands)
    is_regular = all(operand.is_regular for operand in operands)
    if name in _ONLY_OF_PRODUCTS:
        is_regular &= operands[_ONLY_OF_PRODUCTS[name]].is_product
    else:
        is_regular &= name in _BOUNDED
    parts = [operand.instructions for operand in operands]
    if name == "divide" and parts[1][0].name == "clipped_y" and parts[1][0].coefficient != 0:
        inverse = Instruction("inverse_y", coefficient=1 / parts[1][0].coefficient)
        name, parts[1] = "multiply", (inverse,)
    if name == "multiply" and len(parts[0]) == len(parts[1]) == 1:
        name = LEAF_PRODUCT
    return _Part((instruction._replace(name=name), *(each for part in parts for each in part)), is_regular, is_product)
