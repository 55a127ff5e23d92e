"""Losses that searches found, on other data, networks and optimizers than they were found for.

python -m experiments.transfer

The paper takes Baikal from MNIST to CIFAR-10, at one learning rate for both losses.

Ours: each loss at its own best rate on each task; the tasks that a loss was found for are marked. MNIST trains
`SmallMLP` for 2,000 steps, digits `DigitsCNN` for 300.

Time: half an hour on two cores.
"""

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import dacite

from experiments import script
from experiments.contest import TASKS as CONTESTS
from experiments.entrants import Entrant, compared, swept
from experiments.records import Records, record_of, write_record
from experiments.report import Report, table, verdict_in_words
from experiments.tasks import open_task
from glojax.files import user_cache
from glojax.losses import CATALOG, find_tree
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

#: The task that each of the found losses here was found for.
HOME = {"smoothed_root": "digits", "penalized_root": "mnist"}

LOSSES = (RIVAL, "label_smoothing", "generalized_cross_entropy", *HOME)

#: The seed of rare examples and of the trainings; no search has it.
SEED = 61


@dataclass(frozen=True, kw_only=True)
class Options(script.CommonOptions):
    """Options of the comparisons."""

    tasks: tuple[str, ...] = tuple(TASKS)
    """The tasks."""

    seeds: int = 12
    """Fresh seeds of the test accuracies."""


wanted = script.no_trainings


def name_of(task: str) -> str:
    """Return the path of a record, below the folder of the results and without suffix."""
    return f"transfer/{task.replace(',', '').replace(' ', '_')}"


def run(options: Options) -> None:
    for task in options.tasks:
        path = options.results / f"{name_of(task)}.json"
        if path.exists():
            continue
        started = time.perf_counter()
        data_dir = options.data_dir if "mnist" in TASKS[task] else None
        journal = user_cache() / "experiments" / name_of(task) / "trainings.jsonl"
        opened = open_task(TASKS[task], SEED, data_dir, options.devices, journal)
        config, steps = opened.options.training, opened.options.training.num_steps
        rival = Entrant(CATALOG[RIVAL], config.learning_rate)
        rate = swept(opened, {RIVAL: rival}, steps)[RIVAL].best.learning_rate
        trees = {name: find_tree(name) for name in LOSSES}
        entrants = {
            name: Entrant(tree, normalised_rate(rate, tree, opened.dataset.num_outputs, config))
            for name, tree in trees.items()
        } | {RIVAL: rival}
        losses = compared(opened, entrants, swept(opened, entrants, steps), steps, options.seeds)
        fields = {"task": list(TASKS[task]), "seed": SEED, "outcome": [asdict(one) for one in losses]}
        command = f"python -m experiments.transfer --tasks '{task}' --seeds {options.seeds}"
        write_record(path, record_of(command, fields, time.perf_counter() - started))
        journal.unlink()


def report(options: Options, records: Records) -> Report:
    done = {task: record["outcome"] for task in TASKS if (record := records.search(name_of(task))) is not None}
    columns = {task: _column(task, outcome) for task, outcome in done.items()}
    rows = [(name, *(column.get(name) for column in columns.values())) for name in LOSSES]
    missing = [task for task in TASKS if task not in done]
    return Report(
        "Test accuracy of each loss at its own best rate and, of the found ones, the difference from cross-entropy, "
        "with its 95 % interval and Welch's p. *: the data, network and optimizer that the loss was found for.\n\n"
        f"{table(('loss', *columns), rows)}\nNot yet run: {'; '.join(missing) or 'none'}.\n"
    )


def _column(task: str, outcome: list[Mapping[str, Any]]) -> dict[str, str]:
    losses = [dacite.from_dict(ComparedLoss, dict(one)) for one in outcome]
    cells = {loss.name: f"{loss.test.mean:.4f} (rate {loss.learning_rate:.3g})" for loss in losses}
    comparison = Comparison.of(losses)
    for name, home in HOME.items():
        (verdict,) = judge(comparison, name, [RIVAL], "accuracy")
        cells[name] += f"{'*' if home == task else ''}: {verdict_in_words(verdict)}"
    return cells


main = partial(script.run_script, Options, wanted, report, __doc__, first=run)


if __name__ == "__main__":
    script.start(main)
