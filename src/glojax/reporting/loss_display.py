"""What a notebook shows of a loss: its formula, and its curve beside that of the standard loss, as inline SVG."""

from glojax.expressions import LossTree
from glojax.losses import DOMAINS, Loss, find_tree
from glojax.losses.links import Link
from glojax.reporting.effect_chart import effect_chart
from glojax.reporting.elements import Element, as_html, element
from glojax.reporting.pulls import effect

#: The losses that others are shown beside.
_STANDARD: dict[Link, str] = {
    "softmax": "cross_entropy",
    "sigmoid": "binary_cross_entropy",
    "identity": "squared_error",
}

#: Styles by element and class: a notebook has none of the report's. What has no colour takes that of the notebook.
_STYLES = {
    "svg": "width:480px;max-width:100%;height:auto;font-family:sans-serif",
    "text": "fill:currentColor;font-size:12px",
    "figure": "margin:0",
    "figcaption": "font-weight:600",
    "ul": "display:flex;flex-wrap:wrap;gap:2px 16px;list-style:none;margin:4px 0 0;padding:0",
    "grid": "fill:none;stroke:currentColor;stroke-opacity:.15",
    "rule": "fill:none;stroke:currentColor;stroke-opacity:.6;stroke-dasharray:2 3",
    "line": "fill:none;stroke-width:2.5;stroke-linejoin:round",
    "key": "display:inline-block;width:14px;height:4px;margin:0 6px 3px 0",
    "s0": "stroke:#d9482f;background:#d9482f",
    "s1": "stroke:#3b82d6;background:#3b82d6;stroke-dasharray:7 3",
    "middle": "text-anchor:middle",
    "end": "text-anchor:end",
    "title": "font-weight:600",
}


def loss_html(loss: Loss) -> str:
    """Return a loss as HTML: its formula, and its curve beside that of the standard loss of its link."""
    return _shown(loss.to_latex(), loss)


def tree_html(tree: LossTree) -> str:
    """Return an expression as HTML: its formula, and the curve of the loss that it is with a softmax."""
    return _shown(tree._repr_latex_().strip("$"), Loss(tree))


def _shown(latex: str, loss: Loss) -> str:
    standard, is_number = _STANDARD[loss.link], loss.link == "identity"
    trees = {"this loss": loss.tree, standard: find_tree(standard, DOMAINS[loss.link])}
    if loss.tree == trees[standard]:
        del trees["this loss"]
    start = 0.0 if is_number else 0.5
    effects = {name: effect(tree, loss.link, 2, loss.prob_epsilon).scaled(start) for name, tree in trees.items()}
    title = {"softmax": "Loss, 2 classes", "sigmoid": "Loss of a label that is there", "identity": "Loss, target 1"}
    figure = effect_chart(effects, "loss", is_number).figure(title[loss.link])
    return as_html(element("div", element("p", f"${latex}$"), _styled(figure)))


def _styled(made: Element) -> Element:
    """Return an element with styles in the place of its classes."""
    plot = made.find("svg/svg")
    for part in made.iter():
        styles = [_STYLES[kind] for kind in (part.tag, *part.attrib.pop("class", "").split()) if kind in _STYLES]
        if styles and part is not plot:
            part.set("style", ";".join(styles))
    return made
