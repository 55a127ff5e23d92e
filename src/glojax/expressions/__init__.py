"""Loss functions as expression trees: operators, text, arithmetic, canonical forms, LaTeX, SymPy."""

from glojax.expressions.bounds import Domain as Domain
from glojax.expressions.canonical import canonical as canonical
from glojax.expressions.elements import (
    analytic_quotient as analytic_quotient,
    cos as cos,
    exp as exp,
    log as log,
    maximum as maximum,
    minimum as minimum,
    sin as sin,
    sqrt as sqrt,
    tanh as tanh,
    x as x,
    y as y,
)
from glojax.expressions.export import to_latex as to_latex
from glojax.expressions.folding import with_folded_numbers as with_folded_numbers
from glojax.expressions.operators import (
    MAX_INTEGER as MAX_INTEGER,
    MAX_NODES as MAX_NODES,
    OPERATORS as OPERATORS,
    PAPER_OPERATORS as PAPER_OPERATORS,
    Node as Node,
    Operator as Operator,
)
from glojax.expressions.origin import Making as Making, Origin as Origin
from glojax.expressions.symbolic import from_sympy as from_sympy, to_sympy as to_sympy
from glojax.expressions.tree import LossTree as LossTree
