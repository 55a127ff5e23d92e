"""The tables and the figure of the contests: what was found against each other loss, at its own best rate."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import dacite
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.report import table, verdict_in_words
from experiments.style import new_figure
from glojax.evaluation import shape_of
from glojax.expressions import LossTree
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
            method, _, number = name.rpartition("_")
            kind = method if method in METHODS and number.isdecimal() else "literature"
            found.setdefault(kind, []).append(name)
    return found


def at_best_rate(losses: Sequence[Mapping[str, Any]]) -> dict[str, ComparedLoss]:
    """Return the losses by name; those of equal shape have the rate and scores of the one that validates best.

    Sweeps begin at other rates for what was found and for the literature, and a sweep is not so fine that it would not
    matter.
    """
    known = [dacite.from_dict(ComparedLoss, dict(one)) for one in losses]
    prints = {one.name: shape_of(LossTree.parse(one.expression), 10).fingerprint for one in known}
    best: dict[str, ComparedLoss] = {}
    for one in sorted(known, key=_validation):
        best[prints[one.name]] = one
    return {one.name: replace(best[prints[one.name]], name=one.name) for one in known}


def _validation(loss: ComparedLoss) -> float:
    return -math.inf if loss.validation.mean is None else loss.validation.mean


def verdicts(losses: Mapping[str, ComparedLoss], found: str) -> dict[str, Verdict]:
    """Return the verdict on a found loss against each loss that is not found, corrected for their number."""
    others = [name for names in kinds(losses).values() for name in names if not name.startswith("found_")]
    comparison = Comparison.of(list(losses.values()))
    return {one.against: one for one in judge(comparison, found, [RIVAL, *others], "score")}


def best_of_kinds(outcome: Mapping[str, Any], losses: Mapping[str, ComparedLoss]) -> dict[str, str]:
    """Return the best loss of each kind by validation: what was found, by the sweeps, others by the same trainings."""
    best = {kind: max(names, key=lambda name: _validation(losses[name])) for kind, names in kinds(losses).items()}
    return {RIVAL: RIVAL} | best | {"found": outcome["best"]["found"]}


def summary(outcomes: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the tables of all tasks, a row a task: test scores of each kind of loss, and the found minus others."""
    scores, differences = [], []
    for task, outcome in outcomes.items():
        losses, after = at_best_rate(outcome["losses"]), at_best_rate(outcome["longer"])
        best = best_of_kinds(outcome, losses)
        scores.append((task, *(f"{losses[best[kind]].test.mean:.4f}" for kind in KINDS)))
        judged, longer = verdicts(losses, best["found"]), verdicts(after, best["found"])
        literature = kinds(losses)["literature"]
        beaten = f"{len([name for name in literature if judged[name].better])} of {len(literature)}"
        rivals = [RIVAL, best["tuned_cross_entropy"]]
        words = [verdict_in_words(verdict.get(name)) for verdict in (judged, longer) for name in rivals]
        means = [_over(losses, name) for name in rivals]
        mean_words = (
            f"{means[0].mean():+.4f} ({(means[0] > 0).sum()} of {len(means[0])} better), {means[1].mean():+.4f}"
        )
        differences.append((task, *words[:2], mean_words, beaten, *words[2:]))
    header = (
        *("task", "found minus cross-entropy (95 % interval, corrected p)", "minus tuned cross-entropy"),
        *("mean of all searches minus these", "literature that it beats"),
        *("after four times the steps: minus cross-entropy", "minus tuned cross-entropy"),
    )
    return f"{table(('test score', *KINDS.values()), scores)}\n{table(header, differences)}"


def section(task: str, outcome: Mapping[str, Any], whole_search: int) -> str:
    """Return the table of a task, whose searches took so many candidate-steps with tuning and fresh seeds."""
    losses, after = at_best_rate(outcome["losses"]), at_best_rate(outcome["longer"])
    best = best_of_kinds(outcome, losses)
    judged, longer = verdicts(losses, best["found"]), verdicts(after, best["found"])
    rows = [
        (
            KINDS[kind],
            name,
            f"{losses[name].learning_rate:.3g}",
            f"{losses[name].test.mean:.4f}",
            verdict_in_words(judged.get(name)),
            f"{after[name].test.mean:.4f}" if name in after else None,
            verdict_in_words(longer.get(name)),
        )
        for kind in KINDS
        for name in [best[kind]]
    ]
    header = (
        *("kind", "loss", "rate", "test", "found minus this (95 % interval, corrected p)"),
        *("test, four times the steps", "found minus this"),
    )
    over = _over(losses, RIVAL)
    literature = kinds(losses)["literature"]
    unbeaten = [name for name in literature if not judged[name].better]
    found = losses[best["found"]].expression
    same = [name for name in literature if losses[name].expression == found]
    return (
        f"### {task}\n\n{table(header, rows)}\n"
        f"Found: `{found}`{f', which is {same[0]} of the literature' if same else ''}. Over cross-entropy, mean of "
        f"{len(over)} searches: {over.mean():+.4f}, better in {(over > 0).sum()}. Of {len(literature)} losses of the "
        f"literature the found one beats {len(literature) - len(unbeaten)} significantly, not "
        f"{', '.join(unbeaten) or 'none'}. {outcome['budget']:,} candidate-steps for each "
        f"other method; a search took {whole_search:,} with its tuning and all choices.\n"
    )


def _over(losses: Mapping[str, ComparedLoss], rival: str) -> np.ndarray:
    """Return the mean test score of what each search found [searches] minus that of another loss."""
    means = [float(np.mean(losses[name].test.values)) for name in kinds(losses)["found"]]
    return np.array(means) - float(np.mean(losses[rival].test.values))


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
    losses = at_best_rate(outcome["losses"])
    best = {kind: losses[name].test for kind, name in best_of_kinds(outcome, losses).items()}
    rows = list(reversed(KINDS))
    for kind, test in best.items():
        color, row = "#b2182b" if kind == "found" else "0.35", rows.index(kind)
        axes.plot(test.values, [row] * len(test.values), "o", color=color, alpha=0.35, markersize=4, markeredgewidth=0)
        axes.plot([np.mean(test.values)], [row], "|", color=color, markersize=14, markeredgewidth=2)
    # A training that failed would hide the differences of the others.
    scores = np.concatenate([test.values for test in best.values()])
    axes.set_xlim(left=max(float(scores.min()), float(np.quantile(scores, 0.02)) - 0.01))
    axes.set_yticks(range(len(rows)), [KINDS[kind] for kind in rows])
    axes.set(title=task, xlabel="test score, a dot for each seed")
    axes.grid(alpha=0.3)
