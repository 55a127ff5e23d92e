import pytest
from hypothesis import given

from glojax.expressions import LossTree, Node, to_latex
from tests.tree_strategies import LIBRARY, loss_trees


@pytest.mark.parametrize(
    ("text", "latex"),
    [
        ("log(y) - x / y", r"\log\left(y\right) - \frac{x}{y}"),
        ("x * log(y)", r"x \, \log\left(y\right)"),
        ("y^2", "y^{2}"),
        ("(-2)^2", r"\left(-2\right)^{2}"),
        ("(x - y)^2", r"\left(x - y\right)^{2}"),
        ("log(y)^2", r"\left(\log\left(y\right)\right)^{2}"),
        ("sqrt(x + 1)", r"\sqrt{x + 1}"),
        ("(x + 1) / (y - 1)", r"\frac{x + 1}{y - 1}"),
        ("(x + y) * (x - y)", r"\left(x + y\right) \, \left(x - y\right)"),
        ("x - (y - 1)", r"x - \left(y - 1\right)"),
        ("x + (y - 1)", "x + y - 1"),
        ("x - y * x", r"x - y \, x"),
        ("-y", "-y"),
        ("-(x + y)", r"-\left(x + y\right)"),
        ("x - -y", r"x - \left(-y\right)"),
        ("x * -2", r"x \, \left(-2\right)"),
        ("2 * 3", r"2 \, \left(3\right)"),
        ("y * (2 * x)", r"y \, \left(2 \, x\right)"),
        ("0.5", "0.5"),
        ("0.5*y + x", r"0.5 \, y + x"),
        ("(0.5*y)^2", r"\left(0.5 \, y\right)^{2}"),
        ("0.5*(x - y)", r"0.5 \, \left(x - y\right)"),
        ("x - -0.5*y", r"x - \left(-0.5 \, y\right)"),
        ("1e-05*y", r"1 \times 10^{-5} \, y"),
        ("y^0.7", "y^{0.7}"),
        ("(1 - y)^-2.5", r"\left(1 - y\right)^{-2.5}"),
        ("y^1e-05", r"y^{1 \times 10^{-5}}"),
        ("exp(y - 1)^2", r"\left(e^{y - 1}\right)^{2}"),
        ("abs(x - y) * tanh(y)", r"\left|x - y\right| \, \tanh\left(y\right)"),
        ("max(x, y - 1)", r"\max\left(x, y - 1\right)"),
        ("aq(x, y + 1)", r"\frac{x}{\sqrt{1 + \left(y + 1\right)^{2}}}"),
    ],
)
def test_formulas_as_they_are_written(text: str, latex: str) -> None:
    assert to_latex(LossTree.parse(text)) == latex


@given(loss_trees(coefficients=True, operators=LIBRARY))
def test_brackets_are_balanced(tree: LossTree) -> None:
    latex = to_latex(tree)
    assert latex.count("{") == latex.count("}")
    assert latex.count(r"\left(") == latex.count(r"\right)")


def test_deep_trees_are_written_without_recursion() -> None:
    assert to_latex(LossTree((Node("sqrt"),) * 5_000 + (Node("x"),))).count("sqrt") == 5_000
