"""The picture of a run."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from glojax.expressions import LossTree
from glojax.reporting.curves import binary_loss_curve, scaled

#: Losses like Baikal rise so steeply towards 0 that nothing else could be seen: curves begin here.
LEAST_PROB = 0.1

# Readable in grey, too: each line has a style and a shade of its own.
_STYLES: tuple[dict[str, Any], ...] = (
    {"color": "#b2182b", "linestyle": "-", "linewidth": 2.2},
    {"color": "#4d4d4d", "linestyle": "--", "linewidth": 1.5},
    {"color": "#2166ac", "linestyle": "-.", "linewidth": 1.5},
)


def draw_summary(
    path: Path,
    *,
    title: str,
    generations: Sequence[Mapping[str, Any]],
    losses: Mapping[str, LossTree],
    comparison: Sequence[Mapping[str, Any]],
) -> None:
    """Draw a search and its comparison: fitness by generation, the losses' shapes, and test accuracies.

    Args:
        path: The PNG file to write.
        title: What was searched.
        generations: Records with `generation`, `best_fitness` and `median_fitness`, as in `generations.jsonl`.
        losses: The losses to draw by name, the one found first; three at most.
        comparison: Records with `name` and `test_accuracy`, as in `result.json`.
    """
    figure = Figure(figsize=(13, 4.2), layout="constrained")
    FigureCanvasAgg(figure)
    found = next(iter(losses.values()))
    figure.suptitle(f"{title}\nbest loss found:  {_shortened(str(found))}", fontsize=11)
    search, shapes, accuracies = figure.subplots(1, 3)
    _draw_generations(search, generations)
    _draw_shapes(shapes, losses)
    _draw_accuracies(accuracies, comparison)
    figure.savefig(path, dpi=120, format="png")


def _draw_generations(axes: Axes, generations: Sequence[Mapping[str, Any]]) -> None:
    numbers = [record["generation"] for record in generations]
    axes.plot(numbers, [record["best_fitness"] for record in generations], marker="o", label="best", **_STYLES[0])
    axes.plot(numbers, [record["median_fitness"] for record in generations], marker="s", label="median", **_STYLES[1])
    axes.set(title="Search", xlabel="generation", ylabel="fitness (validation accuracy)", ylim=(0, 1.02))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(loc="center right")
    axes.grid(alpha=0.3)


def _draw_shapes(axes: Axes, losses: Mapping[str, LossTree]) -> None:
    for style, (name, tree) in zip(_STYLES, losses.items(), strict=False):
        curve = binary_loss_curve(tree).above(LEAST_PROB)
        axes.plot(curve.probs, scaled(curve), label=_words(name), **style)
    axes.set(
        title="Shape, two classes",
        xlabel="probability of the true class",
        ylabel="loss, scaled to its range",
        xlim=(LEAST_PROB, 1),
    )
    axes.legend(loc="upper right")
    axes.grid(alpha=0.3)


def _draw_accuracies(axes: Axes, comparison: Sequence[Mapping[str, Any]]) -> None:
    for row, record in enumerate(comparison):
        accuracy = record["test_accuracy"]
        color = _STYLES[0 if row == 0 else 1]["color"]
        axes.plot(accuracy["values"], [row] * len(accuracy["values"]), "o", color=color, alpha=0.4, markersize=5)
        axes.plot([accuracy["mean"]] * 2, [row - 0.25, row + 0.25], color=color, linewidth=2.2)
        axes.annotate(f"{accuracy['mean']:.4f}", (accuracy["mean"], row - 0.3), ha="center", fontsize=9)
    axes.set_yticks(range(len(comparison)), [_words(record["name"]) for record in comparison])
    axes.invert_yaxis()
    axes.set(title="Test set, a dot for each seed", xlabel="accuracy")
    axes.margins(x=0.1, y=0.15)
    axes.grid(alpha=0.3, axis="x")


def _words(name: str) -> str:
    return name.replace("_", " ")


def _shortened(text: str, length: int = 100) -> str:
    return text if len(text) <= length else text[: length - 3] + "..."
