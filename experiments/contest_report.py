"""The tables and the figure of the contests: what was found against each other loss, at its own best rate."""

from collections.abc import Iterable, Mapping
from typing import Any

import dacite
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.report import table, verdict_in_words
from experiments.style import new_figure
from glojax.search.comparison import ComparedLoss, Comparison
from glojax.search.rates import RIVAL
from glojax.search.verdict import Verdict, judge

#: Methods whose losses have the name of the method and the seed of the search.
METHODS = ("found", "random", "papers_fitness", "taylor", "tuned_cross_entropy")

#: Kinds of losses in words, in the order of the figure.
KINDS = {
    RIVAL: "cross-entropy",
    "tuned_cross_entropy": "tuned cross-entropy",
    "literature": "best loss of the literature",
    "papers_fitness": "the paper's search",
    "taylor": "search for Taylor losses",
    "random": "best of random shapes",
    "found": "search for shapes",
}


def kinds(names: Iterable[str]) -> dict[str, list[str]]:
    """Return the names of losses other than cross-entropy, by kind."""
    found: dict[str, list[str]] = {}
    for name in names:
        if name != RIVAL:
            kind = next((method for method in METHODS if name.startswith(f"{method}_")), "literature")
            found.setdefault(kind, []).append(name)
    return found


def verdicts(outcome: Mapping[str, Any], part: str = "losses") -> dict[str, Verdict]:
    """Return the verdict on the best found loss against each other loss, corrected for their number."""
    comparison = Comparison.of([dacite.from_dict(ComparedLoss, one) for one in outcome[part]])
    others = [one.name for one in comparison.losses if not one.name.startswith("found_")]
    return {one.against: one for one in judge(comparison, outcome["best"]["found"], others, "score")}


def section(task: str, outcome: Mapping[str, Any]) -> str:
    """Return the table of a task."""
    judged, longer = verdicts(outcome), verdicts(outcome, "longer")
    by_name = {one["name"]: one for one in outcome["losses"]}
    after = {one["name"]: one for one in outcome["longer"]}
    rows = [
        (
            name,
            f"`{by_name[name]['expression']}`",
            f"{by_name[name]['learning_rate']:.3g}",
            f"{by_name[name]['test']['mean']:.4f}",
            verdict_in_words(judged.get(name)),
            f"{after[name]['test']['mean']:.4f}",
            verdict_in_words(longer.get(name)),
        )
        for name in (RIVAL, *outcome["best"].values())
    ]
    found = [by_name[name]["test"]["mean"] for name in kinds(by_name)["found"]]
    over = np.array(found) - by_name[RIVAL]["test"]["mean"]
    beaten = [name for name in kinds(by_name)["literature"] if judged[name].better]
    header = (
        *("loss", "f(x, y)", "rate", "test", "found minus this (95 % interval, corrected p)"),
        *("test, four times the steps", "found minus this"),
    )
    return (
        f"### {task}\n\n{table(header, rows)}\n"
        f"Over cross-entropy, mean of {len(found)} searches: {over.mean():+.4f}, better in "
        f"{(over > 0).sum()}. The best found loss beats {len(beaten)} of {len(kinds(by_name)['literature'])} losses of "
        f"the literature significantly. {outcome['budget']:,} candidate-steps each.\n"
    )


def drawn(outcomes: Mapping[str, Mapping[str, Any]]) -> Figure:
    """Return a figure with the test score of each seed: a panel a task, a row a kind of loss."""
    figure = new_figure(10, 2.6 * max(1, (len(outcomes) + 1) // 2))
    panels = list(figure.subplots(max(1, (len(outcomes) + 1) // 2), 2, squeeze=False, sharey=True).flat)
    for axes in panels:
        axes.set_axis_off()
    for axes, (task, outcome) in zip(panels, outcomes.items(), strict=False):
        axes.set_axis_on()
        _draw(axes, task, outcome)
    return figure


def _draw(axes: Axes, task: str, outcome: Mapping[str, Any]) -> None:
    by_name = {one["name"]: one["test"] for one in outcome["losses"]}
    names = {RIVAL: RIVAL} | outcome["best"]
    rows = list(reversed(KINDS))
    for kind, name in names.items():
        color = "#b2182b" if kind == "found" else "0.35"
        values, row = by_name[name]["values"], rows.index(kind)
        axes.plot(values, [row] * len(values), "o", color=color, alpha=0.35, markersize=4, markeredgewidth=0)
        axes.plot([by_name[name]["mean"]], [row], "|", color=color, markersize=14, markeredgewidth=2)
    # A training that failed would hide the differences of the others.
    scores = np.concatenate([by_name[name]["values"] for name in names.values()])
    axes.set_xlim(left=max(float(scores.min()), float(np.quantile(scores, 0.02)) - 0.01))
    axes.set_yticks(range(len(rows)), [KINDS[kind] for kind in rows])
    axes.set(title=task, xlabel="test score, a dot for each seed")
    axes.grid(alpha=0.3)
