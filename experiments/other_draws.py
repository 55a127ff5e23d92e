"""Losses of the contests, where the wrong labels and rare examples are drawn anew.

python -m experiments.other_draws

The paper's data have no wrong labels and are never drawn again.

Ours: a contest draws the wrong labels, the rare examples or the few images of its data once; its intervals are those of
the trainings alone. Here cross-entropy, the literature, and the best tuned, random and found loss of a contest are
trained once on each of other draws, all with the seed of the draw, at their best rates in the contest. A difference is
the mean over the draws, its interval and p-value are those of the paired t-test. P-values are corrected by Holm's
method for the number of losses compared, intervals are not.

Time: half a minute to five minutes for a task.
"""

import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.progress import track
from scipy import stats

from experiments import contest, script
from experiments.contest_report import at_best_rate, best_of_kinds, kinds
from experiments.entrants import Entrant, compared
from experiments.records import Records, record_of, write_record
from experiments.report import Paired, Report, table, verdict_in_words
from experiments.tasks import folder_for, open_task
from glojax.errors import ConfigurationError
from glojax.expressions import LossTree
from glojax.files import user_cache
from glojax.search.rates import RIVAL
from glojax.search.verdict import CONFIDENCE, holm

#: Options that draw something of the data.
_DRAWN = {"--label-noise", "--imbalance", "--train-fraction"}

#: The contests whose data are drawn.
TASKS = tuple(task for task, arguments in contest.TASKS.items() if _DRAWN & set(arguments))

#: The seed of the first draw; no search and no contest has it.
FIRST_DRAW = 70

#: Kinds of losses of which the best takes part, beside cross-entropy and all of the literature.
_BESTS = ("tuned_cross_entropy", "random", "found")


@dataclass(frozen=True, kw_only=True)
class Options(script.CommonOptions):
    """Options of the comparisons."""

    tasks: tuple[str, ...] = TASKS
    """The tasks, each with a record of its contest."""

    draws: int = 20
    """Number of draws."""

    def __post_init__(self) -> None:
        if self.draws < 2:
            raise ConfigurationError(f"draws is {self.draws}; expected at least 2.")
        for task in self.tasks:
            if task not in TASKS:
                raise ConfigurationError(
                    f"Nothing is drawn for {task!r}; expected some of {', '.join(map(repr, TASKS))}."
                )


wanted = script.no_trainings


def name_of(task: str) -> str:
    """Return the path of a record, below the folder of the results and without suffix."""
    return contest.name_of(task).replace("contest/", "other_draws/")


def run(options: Options) -> None:
    records = Records(options.results)
    for task in options.tasks:
        path = options.results / f"{name_of(task)}.json"
        if path.exists():
            continue
        record = records.search(contest.name_of(task))
        if record is None:
            raise ConfigurationError(
                f"The contest {task!r} has no record; expected one: run experiments.contest first."
            )
        started = time.perf_counter()
        folder = user_cache() / "experiments" / name_of(task)
        result = {"draws": [*range(FIRST_DRAW, FIRST_DRAW + options.draws)]} | drawn_anew(
            options, task, record["outcome"], folder
        )
        command = f"python -m experiments.other_draws --tasks '{task}' --draws {options.draws}"
        fields = {"task": list(contest.TASKS[task]), "outcome": result}
        write_record(path, record_of(command, fields, time.perf_counter() - started))
        shutil.rmtree(folder)


def drawn_anew(options: Options, task: str, outcome: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Train the losses of a contest once on each draw.

    Returns:
        The name of the best loss of each kind, and of each loss its expression, rate, weight decay and test scores.
    """
    losses = at_best_rate(outcome["losses"])
    best = best_of_kinds(outcome, losses)
    decays = outcome["weight_decay"]
    names = [RIVAL, *kinds(losses)["literature"], *(best[kind] for kind in _BESTS)]
    entrants = {
        name: Entrant(LossTree.parse(losses[name].expression), losses[name].learning_rate, decays.get(name, 0.0))
        for name in names
    }
    scores: dict[str, list[float]] = {name: [] for name in names}
    arguments = contest.TASKS[task]
    data_dir = folder_for(arguments, options.data_dir)
    for seed in track(range(FIRST_DRAW, FIRST_DRAW + options.draws), task):
        opened = open_task(arguments, seed, data_dir, options.devices, folder / f"trainings_{seed}.jsonl")
        for one in compared(opened, entrants, opened.options.training.num_steps, 1):
            assert one.test.mean is not None
            scores[one.name].append(one.test.mean)
    found = [
        {
            "name": name,
            "expression": str(one.tree),
            "learning_rate": one.rate,
            "weight_decay": one.weight_decay,
            "test": scores[name],
        }
        for name, one in entrants.items()
    ]
    return {"best": {kind: best[kind] for kind in _BESTS}, "losses": found}


def paired(found: Sequence[float], others: Mapping[str, Sequence[float]]) -> dict[str, Paired]:
    """Return what a loss has more than each other one, by their scores on the same draws."""
    gains: dict[str, NDArray[Any]] = {name: np.subtract(found, scores) for name, scores in others.items()}
    tests = {name: stats.ttest_1samp(gain, 0) for name, gain in gains.items() if np.ptp(gain) > 0}
    p_values = holm({name: float(tests[name].pvalue) if name in tests else None for name in gains})
    judged = {}
    for name, gain in gains.items():
        low, high = tests[name].confidence_interval(CONFIDENCE) if name in tests else (gain[0], gain[0])
        judged[name] = Paired(float(gain.mean()), (float(low), float(high)), p_values[name])
    return judged


def _row(task: str, outcome: Mapping[str, Any]) -> tuple[str, ...]:
    best, scores = outcome["best"], {one["name"]: one["test"] for one in outcome["losses"]}
    literature = kinds(scores)["literature"]
    found = scores.pop(best["found"])
    judged = paired(found, scores)
    top = max(literature, key=lambda name: float(np.mean(scores[name])))
    beaten = sum(_is_better(judged[name]) for name in literature)
    return (
        task,
        f"{np.mean(found):.4f}",
        verdict_in_words(judged[RIVAL]),
        verdict_in_words(judged[best["tuned_cross_entropy"]]),
        f"{top}: {verdict_in_words(judged[top])}",
        f"{beaten} of {len(literature)}",
        verdict_in_words(judged[best["random"]]),
    )


def p_of_the_claim(outcome: Mapping[str, Any]) -> float:
    """Return the largest p of the found loss against any of the literature, uncorrected; 1 where it is not ahead.

    That all of them are beaten is refuted by any one that is not, so its p-value is the largest.
    """
    scores = {one["name"]: one["test"] for one in outcome["losses"]}
    gains = [np.subtract(scores[outcome["best"]["found"]], scores[name]) for name in kinds(scores)["literature"]]
    return max(float(stats.ttest_1samp(gain, 0).pvalue) if gain.mean() > 0 < np.ptp(gain) else 1.0 for gain in gains)


def _is_better(one: Paired) -> bool:
    return one.p is not None and one.p < 1 - CONFIDENCE and one.difference > 0


def outcomes(records: Records) -> dict[str, dict[str, Any]]:
    """Return the outcomes of the comparisons that have a record, by task."""
    return {task: record["outcome"] for task in TASKS if (record := records.search(name_of(task))) is not None}


def summary(done: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the table of all tasks, a row a task."""
    minus = ("cross-entropy", "tuned cross-entropy", "the literature's highest mean")
    header = ("other draws", "found", *(f"minus {each}" for each in minus), "literature that it beats")
    return table((*header, "minus the best of random shapes"), map(_row, done, done.values()))


def report(options: Options, records: Records) -> Report:
    done = outcomes(records)
    missing = [task for task in TASKS if task not in done]
    p_values = holm({task: p_of_the_claim(outcome) for task, outcome in done.items()})
    beaten = [f"{task} (p = {p:.2g})" for task, p in p_values.items() if p is not None and p < 1 - CONFIDENCE]
    return Report(
        "Test score of the loss that a contest found, mean of all draws, and its differences from others.\n\n"
        f"{summary(done)}\nAll of the literature is beaten, with p corrected for the number of tasks instead: "
        f"{'; '.join(beaten) or 'in none'}.\n\nNot yet run: {'; '.join(missing) or 'none'}.\n"
    )


main = partial(script.run_script, Options, wanted, report, __doc__, first=run)


if __name__ == "__main__":
    script.start(main)
