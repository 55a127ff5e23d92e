"""The picture of a run."""

import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from glojax.drawing import own_style
from glojax.expressions import Domain, LossTree
from glojax.reporting.curves import binary_loss_curve, distance_loss_curve, scaled

#: The probability at which curves begin. Losses such as Baikal rise so steeply towards 0 that they hide all others.
LEAST_PROB = 0.1

# Each line has its own style and shade, so that the picture is readable in grey, too.
_STYLES: tuple[dict[str, Any], ...] = (
    {"color": "#b2182b", "linestyle": "-", "linewidth": 2.2},
    {"color": "#4d4d4d", "linestyle": "--", "linewidth": 1.5},
    {"color": "#2166ac", "linestyle": "-.", "linewidth": 1.5},
    {"color": "#1b7837", "linestyle": ":", "linewidth": 1.8},
)


@own_style()
def draw_summary(
    path: Path,
    *,
    title: str,
    best: str,
    generations: Sequence[Mapping[str, Any]],
    tuning: Sequence[Mapping[str, Any]],
    losses: Mapping[str, LossTree],
    comparison: Sequence[Mapping[str, Any]],
    test_split: str = "official",
    metric: str = "accuracy",
    domain: Domain = "probability",
) -> None:
    """Draw a run: the fitness in each generation of discovery and tuning, the shapes of losses, and test scores.

    Args:
        path: The PNG file to write.
        title: The title of the picture.
        best: The best loss, as text.
        generations: Records as in `generations.jsonl`; an unknown fitness, None, is left out.
        tuning: Records as in `tuning.jsonl`, which follow the generations; an unknown fitness, None, is left out.
        losses: The losses to draw by name, the most important first; at most four.
        comparison: Records as in `result.json`.
        test_split: The test set of these scores.
        metric: What the scores are, in words.
        domain: Where x and y of the losses lie.
    """
    figure = Figure(figsize=(10.5, 3.9), layout="constrained")
    FigureCanvasAgg(figure)
    shown = best if len(best) <= 80 else f"{best[:77]}..."
    figure.suptitle(f"{title}\nbest loss found:  {shown}", fontsize=11)
    search, shapes, scores = figure.subplots(1, 3)
    _draw_generations(search, generations, tuning, metric)
    _draw_shapes(shapes, losses, domain)
    _draw_scores(scores, comparison, test_split, metric)
    figure.savefig(path, dpi=120, format="png")


@own_style()
def search_picture(fitness: Sequence[float | None], losses: Mapping[str, LossTree], domain: Domain) -> bytes:
    """Return a PNG of a search: the fitness of each evaluation and the best so far, and the shapes of losses.

    Args:
        fitness: In the order of the search; an unknown one is None.
        losses: The losses to draw by name, the most important first; at most four.
        domain: Where x and y of the losses lie.
    """
    figure = Figure(figsize=(9, 3.2), layout="constrained")
    FigureCanvasAgg(figure)
    search, shapes = figure.subplots(1, 2)
    known = np.array([math.nan if one is None else one for one in fitness])
    numbers = np.arange(1, len(known) + 1)
    search.plot(numbers, known, ".", color=_STYLES[2]["color"], alpha=0.4)
    search.step(numbers, np.fmax.accumulate(known), where="post", label="best so far", **_STYLES[0])
    search.set(title="Search", xlabel="evaluation", ylabel="fitness")
    search.legend(loc="lower right")
    search.grid(alpha=0.3)
    _draw_shapes(shapes, losses, domain)
    content = io.BytesIO()
    figure.savefig(content, dpi=120, format="png")
    return content.getvalue()


def _draw_generations(
    axes: Axes, generations: Sequence[Mapping[str, Any]], tuning: Sequence[Mapping[str, Any]], metric: str
) -> None:
    if generations:
        numbers = [record["generation"] for record in generations]
        axes.plot(numbers, _column(generations, "best_fitness"), marker="o", label="best", **_STYLES[0])
        axes.plot(numbers, _column(generations, "median_fitness"), marker="s", label="median", **_STYLES[1])
    if tuning:
        # For each loss, dots show the best of each generation and a line of steps the best so far.
        offset = len(generations)
        for rank, loss in enumerate(dict.fromkeys(record["loss"] for record in tuning)):
            own = [record for record in tuning if record["loss"] == loss]
            numbers = [offset + record["generation"] for record in own]
            label = "tuning, best so far" if rank == 0 else None
            axes.step(numbers, _column(own, "best_so_far"), where="post", label=label, **_STYLES[2])
            axes.plot(numbers, _column(own, "best_fitness"), ".", color=_STYLES[2]["color"], alpha=0.4)
        if generations:
            axes.axvline(offset + 0.5, color="0.6", linewidth=1)
    axes.set(title="Search", xlabel="generation", ylabel=f"fitness (validation {metric})")
    lower, upper = axes.get_ylim()
    if lower > -0.1 and upper < 1.1:  # a share
        axes.set_ylim(0, 1.02)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    if generations or tuning:
        axes.legend(loc="best", fontsize="small")
    axes.grid(alpha=0.3)


def _column(records: Sequence[Mapping[str, Any]], name: str) -> list[float]:
    """Return a field of all records, NaN where it is None."""
    return [math.nan if record[name] is None else record[name] for record in records]


def _draw_shapes(axes: Axes, losses: Mapping[str, LossTree], domain: Domain) -> None:
    for style, (name, tree) in zip(_STYLES, losses.items(), strict=False):
        curve = distance_loss_curve(tree) if domain == "real" else binary_loss_curve(tree).above(LEAST_PROB)
        axes.plot(curve.points, scaled(curve), label=_words(name), **style)
    title, xlabel = "Shape, two classes", "probability of the true class"
    if domain == "real":
        title, xlabel = "Shape, for the target 0", "prediction"
    axes.set(title=title, xlabel=xlabel, ylabel="loss, scaled to its range")
    axes.margins(x=0)
    axes.legend(loc="best" if domain == "real" else "upper right", fontsize="small")
    axes.grid(alpha=0.3)


def _draw_scores(axes: Axes, comparison: Sequence[Mapping[str, Any]], test_split: str, metric: str) -> None:
    for row, record in enumerate(comparison):
        scores = record["test"]
        if scores["mean"] is None:
            continue
        color = _STYLES[0 if row == 0 else 1]["color"]
        axes.plot(scores["values"], [row] * len(scores["values"]), "o", color=color, alpha=0.4, markersize=5)
        axes.plot([scores["mean"]] * 2, [row - 0.25, row + 0.25], color=color, linewidth=2.2)
    axes.set_yticks(range(len(comparison)), list(map(_with_mean, comparison)), fontsize="small")
    axes.invert_yaxis()
    test = "Test" if test_split == "official" else f"{test_split.capitalize()} test"
    axes.set(title=f"{test} set, a dot for each seed", xlabel=metric)
    axes.margins(x=0.1, y=0.15)
    axes.grid(alpha=0.3, axis="x")


def _with_mean(compared: Mapping[str, Any]) -> str:
    """Return the name of a compared loss above its mean score."""
    mean = compared["test"]["mean"]
    return _words(compared["name"]) if mean is None else f"{_words(compared['name'])}\n{mean:.4f}"


def _words(name: str) -> str:
    return name.replace("_", " ")
