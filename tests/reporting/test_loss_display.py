"""What a notebook shows of a single loss."""

import re
from html import unescape
from types import SimpleNamespace

import pytest
from IPython.core.formatters import DisplayFormatter

from glojax.expressions import LossTree
from glojax.losses import Loss
from glojax.notebook import register_displays
from glojax.reporting.loss_display import loss_html, tree_html

TREE = LossTree.parse("log(y) - x / y")


def lines(html: str) -> list[str]:
    """The curves."""
    return re.findall(r'<path d="(M[^"]*)" style="fill:none;stroke-width', html)


@pytest.mark.parametrize(
    ("html", "latex", "names"),
    [
        (loss_html(Loss(TREE)), Loss(TREE).to_latex(), ["this loss", "cross entropy"]),
        (tree_html(TREE), TREE._repr_latex_().strip("$"), ["this loss", "cross entropy"]),
        (loss_html(Loss(TREE, link="sigmoid")), Loss(TREE).to_latex(), ["this loss", "binary cross entropy"]),
        (loss_html(Loss(LossTree.parse("-abs(x - y)"), link="identity")), "left|", ["this loss", "squared error"]),
    ],
)
def test_a_loss_is_shown_as_formula_and_as_curve_beside_the_standard_one(
    html: str, latex: str, names: list[str]
) -> None:
    (formula,) = re.findall(r"<p>\$(.*?)\$</p>", unescape(html))
    assert latex in formula
    assert re.findall(r"</i>(.*?)</li>", html) == names
    both = lines(html)
    assert len(set(both)) == 2
    assert all(len(line) > 1000 for line in both)


def test_the_standard_loss_is_shown_alone() -> None:
    html = loss_html(Loss(LossTree.parse("x * log(y)")))
    assert re.findall(r"</i>(.*?)</li>", html) == ["cross entropy"]
    assert len(lines(html)) == 1


def test_it_needs_no_style_of_a_page() -> None:
    html = loss_html(Loss(TREE))
    assert "class=" not in html
    assert "<style" not in html


@pytest.mark.parametrize("text", ["x", "1 / (y - y)", "log(log(y))"])
def test_a_loss_without_a_finite_curve_is_shown(text: str) -> None:
    assert "nan" not in tree_html(LossTree.parse(text))


@pytest.fixture
def formatter(monkeypatch: pytest.MonkeyPatch) -> DisplayFormatter:
    """What formats in a notebook that has imported glojax."""
    formatter = DisplayFormatter()
    shell = SimpleNamespace(display_formatter=formatter)
    monkeypatch.setattr("IPython.get_ipython", lambda: shell)
    register_displays()
    return formatter


def test_a_notebook_shows_losses_so_and_other_objects_as_before(formatter: DisplayFormatter) -> None:
    for shown, html in ((Loss(TREE), loss_html(Loss(TREE))), (TREE, tree_html(TREE))):
        formats, _ = formatter.format(shown)  # type: ignore[no-untyped-call]
        assert formats["text/html"] == html
        assert formats["text/latex"] == shown._repr_latex_()
    others, _ = formatter.format([TREE])  # type: ignore[no-untyped-call]
    assert "text/html" not in others
