"""Losses that searches found, on other data, networks and optimizers than they were found for.

python -m experiments.transfer

The paper takes Baikal from MNIST to CIFAR-10, at one learning rate for both losses.

Ours: each loss at its own best rate on each task; the tasks that a loss was found for are marked. MNIST trains
`SmallMLP` for 2,000 steps, for 500 where labels are wrong or classes rare; digits trains `DigitsCNN` for 300.

Time: an hour on two cores.
"""

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import dacite
import numpy as np

from experiments import script
from experiments.contest import TASKS as CONTESTS
from experiments.entrants import Entrant, at_best, compared, swept
from experiments.records import Records, record_of, write_record
from experiments.report import Report, table, verdict_in_words
from experiments.tasks import folder_for, open_task
from glojax.files import user_cache
from glojax.losses import CATALOG, FOUND, find_tree
from glojax.search.comparison import ComparedLoss, Comparison
from glojax.search.rates import RIVAL, normalised_rate
from glojax.search.verdict import judge

_MNIST = ("--dataset", "mnist", "--network", "SmallMLP", "--steps", "2000")

#: Options of the command line that make each task.
TASKS: dict[str, tuple[str, ...]] = {
    "digits": CONTESTS["digits"],
    "mnist": _MNIST,
    "digits, Adam": CONTESTS["digits, Adam"],
    "mnist, Adam": (*_MNIST, "--optimizer", "adam"),
    "digits, a tenth": (*CONTESTS["digits"], "--train-fraction", "0.1"),
    "mnist, a fiftieth": (*_MNIST, "--train-fraction", "0.02"),
}

#: Tasks whose labels are wrong or whose classes are rare.
HARD_TASKS: dict[str, tuple[str, ...]] = {
    task: CONTESTS[task]
    for task in (
        *("mnist, 20 % wrong", "mnist, 40 % wrong", "mnist, 60 % wrong", "mnist, 40 % wrong, pairs"),
        *("mnist, imbalance 0.01", "digits, 40 % wrong, pairs"),
    )
}

#: The task above that a loss was found for.
HOME = {
    "smoothed_root": "digits",
    "penalized_root": "mnist",
    "smoothed_focal": "mnist, imbalance 0.01",
    "root_cross_entropy": "mnist, 20 % wrong",
    "bootstrapped_root": "digits, 40 % wrong, pairs",
    "penalized_absolute_error": "mnist, 40 % wrong, pairs",
}

LOSSES = (RIVAL, "label_smoothing", "generalized_cross_entropy", "smoothed_root", "penalized_root")

#: What was found on digits and MNIST, beside losses that are made for wrong labels.
HARD_LOSSES = (
    RIVAL,
    "label_smoothing",
    "generalized_cross_entropy",
    "symmetric_cross_entropy",
    "smoothed_root",
    "penalized_root",
    "penalized_symmetric",
    "smoothed_focal",
    "smoothed_absolute_error",
    "root_cross_entropy",
    "three_quarter_power",
    "bootstrapped_root",
    "penalized_absolute_error",
    "root_baikal",
    "smoothed_poly",
    "confident_root",
)

#: The row with the best of the found losses, by validation, against the best of the others.
LEAD = "the best found over the best of the others"

#: The seed of rare examples and of the trainings; no search has it.
SEED = 61


@dataclass(frozen=True, kw_only=True)
class Options(script.CommonOptions):
    """Options of the comparisons."""

    tasks: tuple[str, ...] = (*TASKS, *HARD_TASKS)
    """The tasks."""

    seeds: int = 12
    """Fresh seeds of the test accuracies."""


wanted = script.no_trainings


def name_of(task: str) -> str:
    """Return the path of a record, below the folder of the results and without suffix."""
    return f"transfer/{task.replace(',', '').replace(' %', '').replace(' ', '_')}"


def run(options: Options) -> None:
    for task in options.tasks:
        path = options.results / f"{name_of(task)}.json"
        if path.exists():
            continue
        started = time.perf_counter()
        arguments, names = (TASKS[task], LOSSES) if task in TASKS else (HARD_TASKS[task], HARD_LOSSES)
        data_dir = folder_for(arguments, options.data_dir)
        journal = user_cache() / "experiments" / name_of(task) / "trainings.jsonl"
        opened = open_task(arguments, SEED, data_dir, options.devices, journal)
        config, steps = opened.options.training, opened.options.training.num_steps
        rival = Entrant(CATALOG[RIVAL], config.learning_rate)
        rate = swept(opened, {RIVAL: rival}, steps)[RIVAL].best.learning_rate
        trees = {name: find_tree(name) for name in names}
        entrants = {
            name: Entrant(tree, normalised_rate(rate, tree, opened.dataset.num_outputs, config))
            for name, tree in trees.items()
        } | {RIVAL: rival}
        entrants = at_best(entrants, swept(opened, entrants, steps))
        losses = compared(opened, entrants, steps, options.seeds)
        fields = {"task": list(arguments), "seed": SEED, "outcome": [asdict(one) for one in losses]}
        command = f"python -m experiments.transfer --tasks '{task}' --seeds {options.seeds}"
        write_record(path, record_of(command, fields, time.perf_counter() - started))
        journal.unlink()


def report(options: Options, records: Records) -> Report:
    every = (*TASKS, *HARD_TASKS)
    done = {task: record["outcome"] for task in every if (record := records.search(name_of(task))) is not None}
    columns = {task: _column(task, outcome) for task, outcome in done.items()}
    tables = []
    for tasks, names in ((TASKS, LOSSES), (HARD_TASKS, HARD_LOSSES)):
        if own := [task for task in tasks if task in done]:
            rows = [(name, *(columns[task].get(name) for task in own)) for name in (*names, LEAD)]
            tables.append(table(("loss", *own), rows))
    missing = [task for task in every if task not in done]
    return Report(
        "Test score of each loss at its own best rate and, of the found ones, the difference from cross-entropy, with "
        "its 95 % interval and Welch's p; balanced accuracy where classes are rare, accuracy elsewhere. *: the data, "
        "network and optimizer that the loss was found for.\n\n"
        + "\n".join([*tables, f"Not yet run: {'; '.join(missing) or 'none'}.\n"])
    )


def _column(task: str, outcome: list[Mapping[str, Any]]) -> dict[str, str]:
    losses = [dacite.from_dict(ComparedLoss, dict(one)) for one in outcome]
    cells = {loss.name: f"{loss.test.mean:.4f} (rate {loss.learning_rate:.3g})" for loss in losses}
    comparison = Comparison.of(losses)
    for name in FOUND.keys() & cells.keys():
        (verdict,) = judge(comparison, name, [RIVAL], "score")
        cells[name] += f"{'*' if HOME.get(name) == task else ''}: {verdict_in_words(verdict)}"
    ranked = sorted(losses, key=lambda loss: -float(np.mean(loss.validation.values)))
    found, other = (next(one.name for one in ranked if (one.name in FOUND) is ours) for ours in (True, False))
    (verdict,) = judge(comparison, found, [other], "score")
    cells[LEAD] = f"{found} over {other}: {verdict_in_words(verdict)}"
    return cells


main = partial(script.run_script, Options, wanted, report, __doc__, first=run)


if __name__ == "__main__":
    script.start(main)
