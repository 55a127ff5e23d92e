"""Elements of HTML, SVG and MathML, as trees: every text is escaped when they are written."""

import html
from xml.etree import ElementTree

from glojax.errors import printable
from glojax.expressions import LossTree, to_latex

Element = ElementTree.Element

#: Nodes of a tree above which its formula is no easier to read than its text.
_MAX_FORMULA = 100


def element(tag: str, *children: Element | str | None, **attributes: object) -> Element:
    """Return an element; `class_` names its class, other `_` stand for `-`, and what is None is left out."""
    named = {name.rstrip("_").replace("_", "-"): value for name, value in attributes.items() if value is not None}
    made = Element(tag, {name: printable(str(value)) for name, value in named.items()})
    for child in children:
        if isinstance(child, Element):
            made.append(child)
        elif child is not None and len(made):
            made[-1].tail = (made[-1].tail or "") + printable(child)
        elif child is not None:
            made.text = (made.text or "") + printable(child)
    return made


def as_html(made: Element) -> str:
    """Return an element as HTML; the texts of `script` and `style` stand as they are.

    Examples:
        >>> as_html(element("p", "1 < 2", element("br"), title='"'))
        '<p title="&quot;">1 &lt; 2<br></p>'
    """
    return ElementTree.tostring(made, encoding="unicode", method="html")


def formula(tree: LossTree) -> Element:
    """Return a loss as a formula in MathML, or as text if it is long."""
    if tree.size > _MAX_FORMULA:
        return element("code", str(tree))
    from latex2mathml.converter import convert_to_element  # for a report alone

    math: Element = convert_to_element(to_latex(tree), display="block")
    for part in math.iter():
        part.text = html.unescape(part.text or "")
    return math


def table(header: list[str], rows: list[list[Element | str]], class_: str | None = None) -> Element:
    """Return a table that scrolls by itself where the screen is narrow."""
    return element(
        "div",
        element(
            "table",
            element("thead", element("tr", *(element("th", name) for name in header))),
            element("tbody", *(element("tr", *(element("td", cell) for cell in row)) for row in rows)),
            class_=class_,
        ),
        class_="wide",
    )


def shortened(text: str, length: int = 200) -> str:
    """Return the beginning of a long text."""
    return text if len(text) <= length else f"{text[: length - 1]}…"
