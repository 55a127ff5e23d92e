"""The chart of what losses do to an example: curves of the loss or of the pull, side by side."""

from collections.abc import Mapping
from typing import Literal

import numpy as np

from glojax.losses.slopes import Values
from glojax.reporting.chart import Axis, Chart
from glojax.reporting.pulls import Effect

Quantity = Literal["loss", "pull"]


def values_of(effects: Mapping[str, Effect], what: Quantity) -> dict[str, Values]:
    """Return the losses or pulls [N] by name."""
    return {name: each.pull if what == "pull" else each.loss for name, each in effects.items()}


def effect_chart(effects: Mapping[str, Effect], what: Quantity, is_number: bool) -> Chart:
    """Return a chart of the losses or pulls by name; `is_number` for predictions that are no probabilities."""
    curves = values_of(effects, what)
    points = next(iter(effects.values())).points
    inner = np.abs(points - 1) <= 2 if is_number else (points >= 0.1) & (points <= 0.97)
    x = Axis("prediction" if is_number else "probability of the true class", points[0], points[-1])
    ends = [float(end) for values in curves.values() for end in _ends(values[inner])]
    # One steep loss must not make the others flat.
    limit = 4 * float(np.median(np.abs(ends))) if ends else 1.0
    y = Axis.over(f"{what}, scaled", [0.0, *(min(max(end, -limit), limit) for end in ends)])
    chart = Chart(x, y)
    chart.rule(y=0.0)
    for series, values in reversed(list(enumerate(curves.values()))):
        chart.line(
            [(float(a), float(b) if np.isfinite(b) else None) for a, b in zip(points, values, strict=True)], series
        )
    for series, name in enumerate(curves):
        chart.name(name.replace("_", " "), series)
    return chart


def _ends(values: np.ndarray) -> list[float]:
    finite = values[np.isfinite(values)]
    return [float(finite.min()), float(finite.max())] if finite.size else []
