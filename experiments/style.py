"""The style of the figures: lines that differ in grey, too, and equal files for equal records."""

from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

#: The name of each loss in words, and the style of its line.
LABELS = {
    "cross_entropy": "cross-entropy",
    "baikal": "Baikal",
    "baikal_cma": "BaikalCMA",
    "confidence_penalty": "confidence penalty",
    "taylor_mnist": "Taylor, from MNIST",
    "taylor_early": "Taylor, early",
}
STYLES: dict[str, dict[str, Any]] = {
    "cross_entropy": {"color": "#4d4d4d", "linestyle": "--", "marker": "s"},
    "baikal": {"color": "#2166ac", "linestyle": "-.", "marker": "^"},
    "baikal_cma": {"color": "#b2182b", "linestyle": "-", "marker": "o"},
    "confidence_penalty": {"color": "#1b7837", "linestyle": ":", "marker": "D"},
}


def new_figure(width: float = 7.0, height: float = 4.2) -> Figure:
    """Return an empty figure; width and height are in inches."""
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def finish(axes: Axes, *, title: str, xlabel: str, ylabel: str, legend: bool = True) -> None:
    """Add titles and a grid and, if anything was drawn, a legend; else a note."""
    axes.set(title=title, xlabel=xlabel, ylabel=ylabel)
    axes.grid(alpha=0.3)
    if not axes.has_data():
        axes.text(0.5, 0.5, "not yet run", transform=axes.transAxes, ha="center", va="center", color="0.4")
    elif legend:
        axes.legend()


def save(figure: Figure, folder: Path, name: str) -> None:
    """Write NAME.png and NAME.svg."""
    folder.mkdir(parents=True, exist_ok=True)
    with matplotlib.rc_context({"svg.hashsalt": "glojax"}):
        figure.savefig(folder / f"{name}.svg", metadata={"Date": None})
        figure.savefig(folder / f"{name}.png", dpi=120)
