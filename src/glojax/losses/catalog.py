"""The published losses as trees, by name."""

import difflib
from typing import Final

from glojax.errors import ExpressionError
from glojax.expressions import LossTree

#: The tree of each loss that has a name.
CATALOG: Final[dict[str, LossTree]] = {
    "cross_entropy": LossTree.parse("x * log(y)"),
    "baikal": LossTree.parse("log(y) - x / y"),
    "baikal_cma": LossTree.parse("log(y) - x / y").with_coefficients(
        (2.7279, 0.9863, 1.5352, -1.1135, 1.3716, -0.8411)
    ),
}

# What is longer, nobody means for a name.
_LONGEST_NAME: Final = 50


def find_tree(name_or_text: str) -> LossTree:
    """The tree of a catalogued name, or of an expression.

    Raises:
        ExpressionError: It is neither.

    Example:
        >>> str(find_tree("baikal")), str(find_tree("x * log(y)"))
        ('log(y) - x / y', 'x * log(y)')
    """
    if name_or_text in CATALOG:
        return CATALOG[name_or_text]
    try:
        return LossTree.parse(name_or_text)
    except ExpressionError as error:
        if not name_or_text.isidentifier() or len(name_or_text) > _LONGEST_NAME:
            raise
        near = difflib.get_close_matches(name_or_text, CATALOG, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        known = ", ".join(CATALOG)
        raise ExpressionError(
            f"Unknown loss {name_or_text!r}.{hint} Expected one of {known}, or an expression such as 'log(y) - x / y'."
        ) from error
