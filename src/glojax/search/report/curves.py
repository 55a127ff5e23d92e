"""The learning curves of the compared losses."""

import math
from collections.abc import Mapping

from glojax.reporting.chart import Axis, Chart
from glojax.reporting.elements import Element, element
from glojax.search.learning_curves import LearningCurve
from glojax.search.progress import shown
from glojax.search.report.records import NUM_DRAWN, Records
from glojax.wording import counted

#: Points of a curve that are drawn, at most.
_MAX_POINTS = 150


def curves(run: Records) -> Element | None:
    """Return the validation score over the steps of a training, once whole and once from the middle on."""
    drawn = {name: _thinned(curve) for name, curve in list(run.result.curves.items())[:NUM_DRAWN]}
    if not any(curve.steps for curve in drawn.values()):
        return None
    last = max(step for curve in drawn.values() for step in curve.steps)
    figures = [_chart(run, drawn, 0, "Score over the steps")]
    if any(2 * step < last for curve in drawn.values() for step in curve.steps):
        figures.append(_chart(run, drawn, last / 2, "From the middle on"))
    seeds = max((len(one.validation.values) for one in run.result.comparison), default=0)
    text = f"Each loss at its learning rate in the comparison, the mean over {counted(seeds, 'seed')}."
    return element("div", element("div", *figures, class_="charts"), element("p", text, class_="note"))


def _thinned(curve: LearningCurve) -> LearningCurve:
    """Return the curve with a part of its points, the last one among them."""
    every = math.ceil(len(curve.steps) / _MAX_POINTS) or 1
    return LearningCurve(curve.steps[::-every][::-1], curve.validation[::-every][::-1])


def _chart(run: Records, drawn: Mapping[str, LearningCurve], first: float, title: str) -> Element:
    """Return the curves from a number of steps on."""
    points = {
        name: [point for point in zip(one.steps, one.validation, strict=True) if point[0] >= first]
        for name, one in drawn.items()
    }
    steps = sorted({step for own in points.values() for step, _ in own})
    scores = [score for own in points.values() for _, score in own]
    chart = Chart(Axis.over("step", steps, is_whole=True, margin=0.03), Axis.over(f"validation {run.metric}", scores))
    for name, own in reversed(points.items()):
        chart.line(own, run.series(name))
    for name in points:
        chart.name(name.replace("_", " "), run.series(name))
    known = {name: dict(own) for name, own in points.items()}
    tips = [
        "\n".join([f"step {step:,}", *(f"{name}: {shown(own.get(step))}" for name, own in known.items())])
        for step in steps
    ]
    chart.strips([float(step) for step in steps], tips)
    return chart.figure(title)
