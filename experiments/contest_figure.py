"""The figure of the contests: errors of each kind of loss as a multiple of cross-entropy's, a row a task."""

from collections.abc import Mapping
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter, ScalarFormatter

from experiments.contest_report import KINDS, at_best_rate, best_of_kinds, verdicts
from experiments.style import finish, new_figure
from glojax.search.comparison import ComparedLoss
from glojax.search.rates import RIVAL

#: The marker of each kind of loss other than cross-entropy, which is the line at 1.
_MARKERS: dict[str, dict[str, Any]] = {
    "tuned_cross_entropy": {"marker": "s", "color": "#4d4d4d"},
    "literature": {"marker": "^", "color": "#2166ac"},
    "papers_fitness": {"marker": "x", "color": "#762a83"},
    "taylor": {"marker": "v", "color": "#1b7837"},
    "random": {"marker": "o", "color": "#e08214", "markerfacecolor": "none"},
    "found": {"marker": "o", "color": "#b2182b", "markersize": 9},
}


def drawn(outcomes: Mapping[str, Mapping[str, Any]]) -> Figure:
    """Return the figure: one minus the test score of the best loss of each kind, over that of cross-entropy.

    The bar is the interval of 95 % of the difference of what was found from cross-entropy; the open diamond is the
    found loss after longer training, over cross-entropy after as long a training.
    """
    figure = new_figure(9, 2 + 0.6 * len(outcomes))
    axes = figure.subplots()
    for row, outcome in enumerate(outcomes.values()):
        _draw(axes, row, outcome)
    if outcomes:
        axes.axvline(1, color="0.4", linestyle="--", linewidth=1, label=KINDS[RIVAL], zorder=0)
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(ScalarFormatter())
        axes.xaxis.set_minor_formatter(NullFormatter())
        limits = axes.get_xlim()
        axes.set_xticks([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1, 1.2, 1.5, 2, 3])
        axes.set_xlim(limits)
        axes.set_yticks(range(len(outcomes)), list(outcomes))
        axes.set_ylim(len(outcomes) - 0.5, -0.5)
    title = "Test errors of each loss at its own best rate: left of the line it beats cross-entropy"
    finish(axes, title=title, xlabel="(1 - test score) / (1 - test score of cross-entropy)", ylabel="", legend=False)
    handles, labels = axes.get_legend_handles_labels()
    own = dict(zip(labels, handles, strict=True))
    figure.legend(own.values(), own.keys(), loc="outside lower center", ncols=3)
    return figure


def _draw(axes: Axes, row: int, outcome: Mapping[str, Any]) -> None:
    losses, longer = at_best_rate(outcome["losses"]), at_best_rate(outcome["longer"])
    best = best_of_kinds(outcome, losses)
    for place, (kind, style) in enumerate(_MARKERS.items()):
        ratio = _error(losses[best[kind]]) / _error(losses[RIVAL])
        below = (place - 2) * 0.13 if kind != "found" else 0
        axes.plot([ratio], [row + below], linestyle="", label=KINDS[kind], zorder=2, **style)
    interval = verdicts(losses, best["found"])[RIVAL].interval
    if interval is not None:
        ends = [1 - end / _error(losses[RIVAL]) for end in interval]
        axes.plot(ends, [row, row], color=_MARKERS["found"]["color"], linewidth=2)
    ratio = _error(longer[best["found"]]) / _error(longer[RIVAL])
    found = {"marker": "D", "color": _MARKERS["found"]["color"], "markerfacecolor": "none"}
    axes.plot([ratio], [row], linestyle="", label="the same after longer training", **found)


def _error(loss: ComparedLoss) -> float:
    assert loss.test.mean is not None
    return 1 - loss.test.mean
