"""The tables of the contests: what was found against each other loss, at its own best rate."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import dacite
import numpy as np

from experiments.report import table, verdict_in_words
from glojax.evaluation import shape_of
from glojax.expressions import LossTree
from glojax.losses import FOUND
from glojax.search.comparison import ComparedLoss, Comparison
from glojax.search.rates import RIVAL
from glojax.search.verdict import Verdict, judge

#: Methods whose losses have the name of the method and the seed of the search.
METHODS = ("found", "random", "papers_fitness", "taylor", "tuned_cross_entropy")

#: Kinds of losses in words, in the order of the tables.
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
    prints = {one.name: _fingerprint(one.expression) for one in known}
    best: dict[str, ComparedLoss] = {}
    for one in sorted(known, key=_validation):
        best[prints[one.name]] = one
    return {one.name: replace(best[prints[one.name]], name=one.name) for one in known}


def _fingerprint(expression: str) -> str:
    return shape_of(LossTree.parse(expression), 10).fingerprint


def _names_of_shapes(losses: Mapping[str, ComparedLoss]) -> dict[str, str]:
    """Return the names of the losses of the catalogue by their fingerprints; `losses` has those of the literature."""
    published = {name: losses[name].expression for name in (*reversed(kinds(losses)["literature"]), RIVAL)}
    named = {name: one.text for name, one in FOUND.items()} | published
    return {_fingerprint(expression): name for name, expression in named.items()}


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
    """Return the tables of all tasks, a row a task: test scores of each kind of loss, and the found minus others.

    A loss of the literature has its name there, and so has a found one of the same shape as a loss with a name.
    """
    scores, differences = [], []
    for task, outcome in outcomes.items():
        losses, after = at_best_rate(outcome["losses"]), at_best_rate(outcome["longer"])
        best = best_of_kinds(outcome, losses)
        known = _names_of_shapes(losses)
        names = {kind: known.get(_fingerprint(losses[best[kind]].expression)) for kind in KINDS if kind != RIVAL}
        words = {kind: f" ({name})" for kind, name in names.items() if name is not None}
        scores.append((task, *(f"{losses[best[kind]].test.mean:.4f}{words.get(kind, '')}" for kind in KINDS)))
        judged, longer = verdicts(losses, best["found"]), verdicts(after, best["found"])
        literature = kinds(losses)["literature"]
        beaten = f"{len([name for name in literature if judged[name].better])} of {len(literature)}"
        rivals = [RIVAL, best["tuned_cross_entropy"]]
        found_minus = [verdict_in_words(verdict.get(name)) for verdict in (judged, longer) for name in rivals]
        means = [_over(losses, name) for name in rivals]
        mean_words = (
            f"{means[0].mean():+.4f} ({(means[0] > 0).sum()} of {len(means[0])} better), {means[1].mean():+.4f}"
        )
        differences.append((task, *found_minus[:2], mean_words, beaten, *found_minus[2:]))
    header = (
        *("task", "found minus cross-entropy (95 % interval, corrected p)", "minus tuned cross-entropy"),
        *("mean of all searches minus these", "literature that it beats"),
        *("after four times the steps: minus cross-entropy", "minus tuned cross-entropy"),
    )
    return f"{table(('test score', *KINDS.values()), scores)}\n{table(header, differences)}"


def section(task: str, outcome: Mapping[str, Any]) -> str:
    """Return the table of a task, and what it says in words."""
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
    same = _names_of_shapes(losses).get(_fingerprint(found))
    return (
        f"### {task}\n\n{table(header, rows)}\n"
        f"Found: `{found}`{f', which has the shape of {same}' if same else ''}. Over cross-entropy, mean of "
        f"{len(over)} searches: {over.mean():+.4f}, better in {(over > 0).sum()}. Of {len(literature)} losses of the "
        f"literature the found one beats {len(literature) - len(unbeaten)} significantly, not "
        f"{', '.join(unbeaten) or 'none'}. {outcome['budget']:,} candidate-steps for each "
        "other method, as many as the searches took with their tuning and all choices (median).\n"
    )


def _over(losses: Mapping[str, ComparedLoss], rival: str) -> np.ndarray:
    """Return the mean test score of what each search found [searches] minus that of another loss."""
    means = [float(np.mean(losses[name].test.values)) for name in kinds(losses)["found"]]
    return np.array(means) - float(np.mean(losses[rival].test.values))
