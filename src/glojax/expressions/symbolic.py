"""Loss functions as SymPy's expressions of the symbols x and y, and back."""

from functools import partial, reduce
from operator import mul
from typing import Any

from glojax.errors import ConfigurationError, ExpressionError
from glojax.expressions.elements import sqrt
from glojax.expressions.operators import MAX_NODES, OPERATORS, Node
from glojax.expressions.tree import LossTree


def sympy_functions() -> dict[str, str]:
    """Return SymPy's name of each operator that is one of its functions."""
    return {name: operator.sympy for name, operator in OPERATORS.items() if isinstance(operator.sympy, str)}


def to_sympy(tree: LossTree) -> Any:
    """Return a loss function as an expression of SymPy, which simplifies it by its own rules.

    Raises:
        ConfigurationError: SymPy is not installed.
        ExpressionError: SymPy lacks an operator of the tree.

    Examples:
        >>> to_sympy(LossTree.parse("log(y) - x / y"))
        -x/y + log(y)
    """
    sympy = _sympy()

    def value(node: Node, *operands: Any) -> Any:
        match node.operator, operands:
            case "x" | "y", ():
                result = sympy.Symbol(node.operator)
            case "constant", ():
                result = sympy.Integer(node.value)
            case "power", (a,):
                result = a ** sympy.sympify(int(node.value) if float(node.value).is_integer() else node.value)
            case name, _:
                function = OPERATORS[name].sympy
                if function is None:
                    raise ExpressionError(f"The operator {name!r} has no function of SymPy; write the loss without it.")
                result = (getattr(sympy, function) if isinstance(function, str) else function)(*operands)
        return result if node.coefficient == 1 else sympy.Float(node.coefficient) * result

    return tree.fold(value)


def from_sympy(expression: Any) -> LossTree:
    """Return the loss function that an expression of SymPy is.

    Args:
        expression: Of the symbols x and y, rational and floating-point numbers, sums, products, powers with a number
            as the exponent, and the functions of `sympy_functions`.

    Raises:
        ConfigurationError: SymPy is not installed.
        ExpressionError: No tree of at most `MAX_NODES` nodes says the expression.

    Examples:
        >>> import sympy
        >>> x, y = sympy.symbols("x y")
        >>> str(from_sympy(sympy.log(y) - x / sympy.sqrt(y)))
        'log(y) - x / sqrt(y)'
    """
    sympy = _sympy()
    if not isinstance(expression, sympy.Expr):
        raise ExpressionError(f"Got {expression!r}; expected an expression of SymPy.")
    try:
        return _tree(expression, sympy)
    except RecursionError as error:
        raise ExpressionError("SymPy's expression is nested too deeply; give a smaller one.") from error


def _sympy() -> Any:
    try:
        import sympy
    except ImportError as error:
        raise ConfigurationError("SymPy is not installed: pip install 'glojax[export]'") from error
    return sympy


def _tree(expression: Any, sympy: Any) -> LossTree:
    def convert(part: Any) -> LossTree:
        return _tree(part, sympy)

    numerator, denominator = sympy.fraction(expression)
    functions = {name: operator for operator, name in sympy_functions().items()}
    if expression.is_Symbol and expression.name in ("x", "y"):
        tree = LossTree.of(expression.name)
    elif expression.is_Integer:
        tree = LossTree.constant(int(expression))
    elif expression.is_Float:
        tree = float(expression) * LossTree.constant(1)
    elif denominator != 1:
        tree = convert(numerator) / convert(denominator)
    elif expression.is_Add:
        first, *others = sorted(expression.as_ordered_terms(), key=_is_negative)
        tree = convert(first)
        for term in others:
            tree = tree - convert(-term) if _is_negative(term) else tree + convert(term)
    elif expression.is_Mul:
        coefficient, factors = expression.as_coeff_Mul()
        tree = reduce(mul, map(convert, factors.as_ordered_factors()))
        tree = tree if coefficient == 1 else (float if coefficient.is_Float else int)(coefficient) * tree
    elif expression.is_Pow and expression.exp.is_Rational and expression.exp.q.bit_count() == 1:
        tree = convert(expression.base)
        for _ in range(expression.exp.q.bit_length() - 1):
            tree = sqrt(tree)
        tree = _power(tree, expression.exp.p)
    elif expression.is_Pow and expression.exp.is_real and expression.exp.is_number:
        tree = convert(expression.base) ** float(expression.exp)
    elif (name := expression.func.__name__) in functions:
        # SymPy's maximum has any number of operands.
        operands, function = [*map(convert, expression.args)], partial(LossTree.of, functions[name])
        tree = reduce(function, operands) if OPERATORS[functions[name]].arity == 2 else function(*operands)
    else:
        raise ExpressionError(
            f"SymPy's {expression!s:.60} is no loss expression; expected x, y, real numbers, sums, products, "
            f"{', '.join(functions)}, and powers whose exponent is a number."
        )
    if tree.size > MAX_NODES:
        raise ExpressionError(f"SymPy's expression is too large; expected at most {MAX_NODES:,} nodes as a tree.")
    return tree


def _is_negative(term: Any) -> bool:
    return bool(term.as_coeff_Mul()[0].is_negative)


def _power(base: LossTree, exponent: int) -> LossTree:
    """Return a power by repeated squaring."""
    if exponent == 1:
        return base
    square = _power(base, exponent // 2) ** 2
    return base * square if exponent % 2 else square
