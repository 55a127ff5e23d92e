"""The loss that was found: its formula, what it does to an example beside the standard losses, and its use."""

import numpy as np

from glojax.errors import GlojaxError
from glojax.expressions import LossTree, to_latex
from glojax.losses import Loss
from glojax.losses.libraries import Target
from glojax.reporting.effect_chart import Quantity, effect_chart, values_of
from glojax.reporting.elements import Element, element, formula, table
from glojax.reporting.pulls import Effect, effect, of_classes
from glojax.search.report.records import Records

#: Examples of which a table says what losses do to them: in words, and the probabilities of the true class and another.
_EXAMPLES = (
    ("right and certain", 0.99, None),
    ("right", 0.7, None),
    ("two classes alike", 0.5, 0.49),
    ("wrong", 0.2, 0.7),
    ("wrong and certain", 0.01, 0.98),
)


def loss(run: Records) -> Element | None:
    """Return the formula and the curves of the found loss beside the standard ones."""
    losses = run.losses
    if not losses:
        return None
    link, many = run.task.link, run.num_classes
    figures = []
    for num_classes in dict.fromkeys((2, many)) if link == "softmax" else (many,):
        start = 1 / num_classes if link != "identity" else 0.0
        effects = {
            name: effect(tree, link, num_classes, run.prob_epsilon).scaled(start) for name, tree in losses.items()
        }
        classes = f", {num_classes} classes" if link == "softmax" else ""
        figures.append(_curves(effects, "loss", f"Loss{classes}", link == "identity"))
        figures.append(
            _curves(
                effects,
                "pull",
                f"Pull on the true class{classes}" if link != "identity" else "Pull on the prediction",
                link == "identity",
            )
        )
    if link == "identity":
        text = (
            "The target is 1. The pull is minus the slope; each loss is scaled to have a pull of 1 at the prediction 0."
        )
    else:
        text = (
            "The pull is minus the gradient in the logit of the true class, or of a label that is there: above 0, a "
            "step raises its probability, below 0, it lowers it. Each loss is scaled to have a pull of 1 where all "
            "classes are equally probable, as in an untrained network: what remains is its shape, which no learning "
            "rate can give."
        )
    return element(
        "div",
        *_formula(run.found, link == "identity") if run.found is not None else [],
        element("div", *figures, class_="charts"),
        element("p", text, class_="note"),
        _examples(losses, many, run.prob_epsilon) if link == "softmax" and many > 2 else None,
    )


def _formula(tree: LossTree, is_number: bool) -> list[Element]:
    signs = "over the numbers; x: target, y: prediction" if is_number else "over the classes; x: label, y: probability"
    return [
        element("div", formula(tree), class_="formula"),
        element("p", element("code", str(tree))),
        element("p", f"Minimised as minus its sum {signs}.", class_="note"),
    ]


def _curves(effects: dict[str, Effect], what: Quantity, title: str, is_number: bool) -> Element:
    """Return a chart of the losses or pulls, with the values where it is pointed at."""
    chart, curves = effect_chart(effects, what, is_number), values_of(effects, what)
    points = next(iter(effects.values())).points
    at = range(0, len(points), 6)
    tips = [
        "\n".join(
            [f"{chart.x.title} {points[i]:.2f}", *(f"{name}: {values[i]:.3g}" for name, values in curves.items())]
        )
        for i in at
    ]
    chart.strips([float(points[i]) for i in at], tips)
    return chart.figure(title)


def _examples(losses: dict[str, LossTree], num_classes: int, prob_epsilon: float) -> Element:
    """Return a table of the pull on examples that are right, uncertain and wrong."""
    even = 1 / num_classes
    cases = [
        (words, true, (1 - true) / (num_classes - 1) if wrong is None else wrong) for words, true, wrong in _EXAMPLES
    ]
    cases.insert(2, ("undecided between all", even, even))
    true, wrong = (np.array([case[part] for case in cases], float) for part in (1, 2))
    pulls = {}
    for name, tree in losses.items():
        pull = of_classes(tree, true, wrong, num_classes, prob_epsilon)[1]
        pulls[name] = pull / (abs(pull[2]) or 1.0)
    rows: list[list[Element | str]] = [
        [words, f"{true[i]:.2g}", *(f"{pull[i]:.2g}" for pull in pulls.values())]
        for i, (words, _, _) in enumerate(cases)
    ]
    return element(
        "div",
        element("h3", "What it does to an example"),
        table(["the network is", "true class", *(name.replace("_", " ") for name in pulls)], rows),
        element("p", "The pull on the logit of the true class, in the units of the charts.", class_="note"),
    )


def use(run: Records) -> Element | None:
    """Return the loss for copying: for glojax, JAX and PyTorch, and in LaTeX."""
    if run.found is None:
        return None
    link, reduction = run.task.link, run.training.get("class_reduction")
    made = Loss(run.found, "mean" if reduction == "mean" else "sum", run.prob_epsilon, link)
    arguments = ("predictions", "targets") if run.task.domain == "real" else ("logits", "labels")
    call = f"losses = loss({', '.join(arguments)})  # one for each example"
    glojax = f"from glojax.losses import Loss\n\nloss = {made!r}\n{call}"
    snippets = {"glojax": glojax}
    targets: tuple[tuple[str, Target], ...] = (("JAX, without glojax", "jax"), ("PyTorch, without glojax", "torch"))
    for name, target in targets if link == "softmax" else ():  # no other one is exported
        try:
            snippets[name] = made.to_python(target)
        except GlojaxError as error:
            snippets[name] = f"# {error}"
    snippets["LaTeX"] = to_latex(run.found)
    rate = f" Its learning rate in this run is {run.result.learning_rate:.3g}." if run.result.learning_rate else ""
    return element(
        "div",
        element("p", f"The loss takes {' and '.join(arguments)}; its scale matters as the learning rate does.{rate}"),
        *(
            element(
                "details",
                element("summary", name),
                element("div", element("button", "Copy", type="button"), element("pre", text), class_="copied"),
                open="open" if name == "glojax" else None,
            )
            for name, text in snippets.items()
        ),
    )
