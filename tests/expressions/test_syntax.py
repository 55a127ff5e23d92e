import re
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, strategies as st

from glojax.errors import ExpressionError
from glojax.expressions import MAX_INTEGER, LossTree, Node
from tests.oracle import evaluate
from tests.tree_strategies import LIBRARY, loss_trees

FINITE = st.floats(allow_nan=False, allow_infinity=False)
BAIKAL_CMA = "2.7279*(0.9863*log(1.5352*y) - -1.1135*(1.3716*x / (-0.8411*y)))"


def parsed(text: str) -> LossTree:
    return LossTree.parse(text)


@given(loss_trees(max_size=30) | loss_trees(max_size=30, operators=LIBRARY))
def test_every_tree_is_read_back_from_its_text(tree: LossTree) -> None:
    assert parsed(str(tree)) == tree


@given(loss_trees(max_size=15, operators=LIBRARY), st.data())
def test_every_coefficient_is_read_back_from_its_text(tree: LossTree, data: st.DataObject) -> None:
    coefficients = st.lists(st.just(1.0) | FINITE, min_size=tree.size, max_size=tree.size)
    tree = tree.with_coefficients(data.draw(coefficients))
    assert parsed(str(tree)) == tree


@given(loss_trees(max_size=15, coefficients=True) | loss_trees(max_size=15, operators=LIBRARY))
def test_the_text_means_in_python_what_the_tree_means(tree: LossTree) -> None:
    x, y = np.array([0.0, 1.0, 0.25]), np.array([0.5, 0.875, 1.0])
    text = re.sub(r"(\d+(\.\d*)?(e[+-]?\d+)?)", r"np.float64(\1)", str(tree).replace("^", "**"))
    functions = {name: getattr(np, name) for name in ("log", "sqrt", "exp", "abs", "tanh", "sin", "cos")}
    functions |= {"max": np.maximum, "min": np.minimum, "aq": lambda a, b: a / np.sqrt(1 + b * b)}
    with np.errstate(all="ignore"):
        value = eval(text, {"x": x, "y": y, "np": np, **functions})
    np.testing.assert_allclose(np.broadcast_to(value, (3,)), evaluate(tree, x, y), rtol=1e-9)


@given(loss_trees(max_size=15, coefficients=True) | loss_trees(max_size=15, operators=LIBRARY))
def test_no_parentheses_can_be_left_out(tree: LossTree) -> None:
    text = str(tree)
    for opening in re.finditer(r"(?<![a-z])\(", text):
        depth, closing = 1, opening.end()
        while depth:
            depth += {"(": 1, ")": -1}.get(text[closing], 0)
            closing += 1
        without = text[: opening.start()] + text[opening.end() : closing - 1] + text[closing:]
        try:
            assert parsed(without) != tree
        except ExpressionError:
            continue


@pytest.mark.parametrize(
    "text",
    [
        "log(y) - x / y",
        "x * log(y)",
        "-y",
        "--y",
        "-2",
        "-1 * 2",
        "--2",
        "-2^2",
        "(-2)^2",
        "(-y)^2",
        "-(x * y)",
        "-x * y",
        "x - -y",
        "x - (y - 1)",
        "x / (y / x)",
        "x / y * x",
        "(x + y)^2",
        "(y^2)^2",
        "y * y^2",
        "sqrt(log(y)^2)",
        "0.5",
        "-0.5 + x",
        "y * 0.5",
        "0.5*1 * y",
        "0.5*2",
        "0.5*-2",
        "0.5*-y",
        "0.5*x * y",
        "0.5*(x * y)",
        "0.5*y^2",
        "(0.5*y)^2",
        "-(0.5*y)",
        "-1 * 0.5",
        "x / (0.5*y)",
        "x - 0.5*y",
        "log(-0.5*y)",
        "1e-05*y + 1e+22*x",
        "y^0.7",
        "y^3",
        "y^-0.5 * y^-1",
        "(1 - y)^2.5",
        "-y^1.5",
        "(-2)^0.5",
        "(y^3)^0.5",
        "0.5*y^1e-05",
        "max(x, min(y, 1)) - abs(exp(tanh(x)))",
        "aq(x - 1, -y)^3 / cos(sin(y))",
        BAIKAL_CMA,
    ],
)
def test_these_texts_are_printed_as_they_are(text: str) -> None:
    assert str(parsed(text)) == text


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("-y", "-1 * y"),
        ("-(2)", "-1 * 2"),
        ("y**2", "y^2"),
        ("y**-0.7", "y^-0.7"),
        ("y^2.0", "y^2"),
        ("y^3.0", "y^3"),
        ("-2^0.5", "-(2^0.5)"),
        ("(((x)))", "x"),
        ("x-y-1", "(x - y) - 1"),
        ("x/y*1", "(x / y) * 1"),
        ("-x*y", "(-1 * x) * y"),
        ("-y^2", "-1 * (y^2)"),
        ("2.0*3.0*y", "6.0*y"),
        (" 0.5\t*\ny ", "0.5*y"),
        ("(0.5)*y", "0.5*1 * y"),
        ("007", "7"),
    ],
)
def test_these_texts_are_the_same_tree(text: str, same: str) -> None:
    assert parsed(text) == parsed(same)


def test_a_coefficient_belongs_to_the_factor_behind_it() -> None:
    tree = parsed(BAIKAL_CMA)
    assert tree.with_coefficients([1.0] * 6) == parsed("log(y) - x / y")
    assert tree.coefficients == (2.7279, 0.9863, 1.5352, -1.1135, 1.3716, -0.8411)


def test_a_lone_decimal_is_one_with_a_coefficient() -> None:
    assert parsed("0.5").nodes == (Node("constant", 1, 0.5),)
    assert parsed("x * -0.5").nodes[-1] == Node("constant", 1, -0.5)


def test_integers_up_to_the_limit_are_read() -> None:
    assert parsed(f"-{MAX_INTEGER}") == LossTree.constant(-MAX_INTEGER)


@pytest.mark.parametrize(
    ("text", "position", "message"),
    [
        ("", 1, "the expression is empty"),
        (" \n ", 1, "the expression is empty"),
        ("x +", 4, "expected x, y, a number, a function such as log(...) or '(', got the end"),
        ("* x", 1, "got '*'"),
        ("x + * y", 5, "got '*'"),
        ("+x", 1, "got '+'"),
        ("()", 2, "got ')'"),
        ("log()", 5, "got ')'"),
        ("-", 2, "got the end"),
        ("x y", 3, "expected one of + - * / ^ or the end, got 'y'"),
        ("2x", 2, "to multiply, write *"),
        ("x(y)", 2, "got '('"),
        ("0.5 0.5", 5, "got '0.5'"),
        ("z", 1, "unknown name 'z'; the only names are x, y, log, sqrt"),
        ("x + ln(y)", 5, "unknown name 'ln', for which write log; the only names are x, y, log, sqrt"),
        ("x * pow(y,2)", 5, "unknown name 'pow', for which write y^2; the only names are x, y, log, sqrt"),
        ("y.pow(2)", 1, "unknown name 'y.pow', for which write y^2"),
        ("x*np.log(y)", 3, "unknown name 'np.log', for which write log; the only names are x, y, log, sqrt"),
        ("x jnp.SQRT(y)", 3, "unknown name 'jnp.SQRT', for which write sqrt"),
        ("np.exp(y)", 1, "unknown name 'np.exp', for which write exp; the only names are x, y, log, sqrt, exp, abs"),
        ("np.maximum(x, y)", 1, "unknown name 'np.maximum', for which write max"),
        ("y. + x", 2, "unexpected character '.'"),
        ("x sinh", 3, "unknown name 'sinh'"),
        ("x tanh", 3, "got 'tanh'; to multiply, write *"),
        ("X", 1, "unknown name 'X'"),
        ("nan*x", 1, "unknown name 'nan'"),
        ("__import__(x)", 1, "unknown name '__import__'"),
        ("log y", 5, "expected '(' after log, got 'y'; write log(y)"),
        ("sqrt", 5, "expected '(' after sqrt, got the end"),
        ("x * (y", 5, "this '(' is never closed"),
        ("log(log(y)", 4, "this '(' is never closed"),
        ("x)", 2, "this ')' closes nothing"),
        ("x^y", 3, "an exponent that is no constant, got 'y'; write a number, as in y^0.7"),
        ("y**x", 4, "got 'x'"),
        ("y^(2)", 3, "an exponent that is no constant, got '('"),
        ("y^-x", 4, "an exponent that is no constant, got 'x'"),
        ("y^", 3, "got the end"),
        ("y^-", 4, "got the end"),
        ("y^0.0", 3, "the exponent '0.0' is out of range; expected a number other than 0, of at most 16777216"),
        ("y^-2e7", 4, "the exponent '2e7' is out of range"),
        ("y^2^2", 4, "a power of a power needs parentheses; write (y^2)^2"),
        ("y^0.7**2", 6, "a power of a power needs parentheses; write (y^2)^2"),
        ("max(x)", 6, "expected ',' and another operand, got ')'"),
        (f"x + {MAX_INTEGER + 1}", 5, "the integer '16777217' is too large"),
        ("9" * 9_999 + "x", 1, "the integer '99999999999999999999'... is too large"),
        ("1e999", 1, "the number '1e999' is too large"),
        ("y - 1e300*1e300*x", 5, "the product of the coefficients is too large"),
        ("x, y", 2, "expected one of + - * / ^ or the end, got ','"),
        ("x ; y", 3, "unexpected character ';' (SEMICOLON, U+003B)"),
        ("x \N{MINUS SIGN} y", 3, "unexpected character '\N{MINUS SIGN}' (MINUS SIGN, U+2212)"),
        ("y\N{SUPERSCRIPT TWO}", 2, "SUPERSCRIPT TWO, U+00B2"),
        ("log(\N{CYRILLIC SMALL LETTER U})", 5, "CYRILLIC SMALL LETTER U, U+0443"),
        ("x + \N{FULLWIDTH DIGIT TWO}", 5, "FULLWIDTH DIGIT TWO, U+FF12"),
        ("x\x00", 2, "unexpected character (unnamed, U+0000)"),
        ("\ud800", 1, "unexpected character (unnamed, U+D800)"),
    ],
)
def test_an_error_says_where_and_why(text: str, position: int, message: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        parsed(text)
    first, _, pointer = str(caught.value).split("\n")
    assert first.startswith(f"At character {position}: ")
    assert message in first
    assert first.endswith(".")
    assert pointer.strip() == "^"


@pytest.mark.parametrize(
    "alphabet", [st.characters(), st.sampled_from([*"xylogsqrt+-*/^().0123456789e, ", "log(", "^2", "max("])]
)
def test_any_text_is_a_tree_or_an_expression_error(alphabet: st.SearchStrategy[str]) -> None:
    @given(st.lists(alphabet, max_size=30).map("".join))
    def check(text: str) -> None:
        try:
            tree = parsed(text)
        except ExpressionError:
            return
        assert parsed(str(tree)) == tree

    run: Callable[[], None] = check
    run()
