"""Losses that were found for a task against all of the literature, and against other ways to spend as many steps.

python -m experiments.contest

The paper compares what it found with cross-entropy at one learning rate, and with nothing else.

Ours: the claim to be tested is that a search of minutes finds, for a given task, a loss that beats cross-entropy and
every loss of the literature at their own best rates. The table says where it does and where it does not.

Time: on two cores 10 to 50 minutes for each task, with its searches.
"""

import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from experiments import script
from experiments.contest_figure import drawn
from experiments.contest_report import kinds, section, summary
from experiments.entrants import Entrant, at_best, compared, swept
from experiments.records import Records, record_of, write_record
from experiments.report import Report
from experiments.rivals import papers_fitness, taylor, tuned_cross_entropy
from experiments.searches import record_search
from experiments.tasks import OpenTask, folder_for, open_task
from glojax.errors import ConfigurationError
from glojax.expressions import LossTree
from glojax.files import user_cache
from glojax.losses import CATALOG, PUBLISHED, find_tree
from glojax.search.rates import RIVAL, normalised_rate

_DIGITS = ("--dataset", "digits", "--steps", "300")
_MNIST = ("--dataset", "mnist", "--network", "SmallMLP", "--steps", "500")
_CIFAR = (
    *("--dataset", "cifar10", "--network", "SmallMLP", "--steps", "500", "--batch-size", "100"),
    *("--weight-decay", "0", "--augmentation", "none", "--test-split", "held-out"),
)
# The paper's networks, trained by the paper's recipes, for a GPU.
_MNIST_CNN = ("--dataset", "mnist", "--network", "MnistCNN", "--steps", "2000")
_CIFAR_CNN = ("--dataset", "cifar10", "--network", "CifarCNN", "--steps", "500", "--test-split", "held-out")
_NOISE = ("--label-noise", "0.4")
_ADAM = ("--optimizer", "adam")
_IMBALANCE = ("--imbalance", "0.01", "--metric", "balanced_accuracy")
_PAIR = (*_NOISE, "--noise-kind", "pair")

#: The options of the command line that make each task.
TASKS: dict[str, tuple[str, ...]] = {
    "digits": _DIGITS,
    "digits, 20 % wrong": (*_DIGITS, "--label-noise", "0.2"),
    "digits, 40 % wrong": (*_DIGITS, *_NOISE),
    "digits, 60 % wrong": (*_DIGITS, "--label-noise", "0.6"),
    "digits, 40 % wrong, pairs": (*_DIGITS, *_PAIR),
    "digits, imbalance 0.01": (*_DIGITS, *_IMBALANCE),
    "digits, a fiftieth": (*_DIGITS, "--train-fraction", "0.02", "--batch-size", "20"),
    "digits, Adam": (*_DIGITS, *_ADAM),
    "digits, 40 % wrong, Adam": (*_DIGITS, *_NOISE, *_ADAM),
    "breast_cancer": ("--dataset", "breast_cancer", "--steps", "300"),
    "digit_segmentation": ("--dataset", "digit_segmentation"),
    "mnist": _MNIST,
    "mnist, 20 % wrong": (*_MNIST, "--label-noise", "0.2"),
    "mnist, 40 % wrong": (*_MNIST, *_NOISE),
    "mnist, 60 % wrong": (*_MNIST, "--label-noise", "0.6"),
    "mnist, 40 % wrong, pairs": (*_MNIST, *_PAIR),
    "mnist, imbalance 0.01": (*_MNIST, *_IMBALANCE),
    "mnist, a fiftieth": (*_MNIST, "--train-fraction", "0.02"),
    "mnist, Adam": (*_MNIST, *_ADAM),
    "cifar10": _CIFAR,
    "cifar10, 40 % wrong": (*_CIFAR, *_NOISE),
    "mnist, MnistCNN": _MNIST_CNN,
    "mnist, MnistCNN, 40 % wrong": (*_MNIST_CNN, *_NOISE),
    "cifar10, CifarCNN": _CIFAR_CNN,
    "cifar10, CifarCNN, 40 % wrong": (*_CIFAR_CNN, *_NOISE),
}

#: The seed of wrong labels, rare classes and trainings with which the losses are compared; no search has it.
SEED = 60

#: The best loss of each kind is compared after a training this many times as long, too.
LONGER = 4


@dataclass(frozen=True, kw_only=True)
class Options(script.CommonOptions):
    """Options of the searches and comparisons."""

    tasks: tuple[str, ...] = ("digits", "digits, 40 % wrong", "digits, imbalance 0.01", "digits, a fiftieth")
    """The tasks."""

    searches: int = 5
    """Number of searches of each task, with the seeds from 0 on."""

    rivals: int = 1
    """Number of searches with each other method."""

    seeds: int = 20
    """Fresh seeds of the test scores."""

    def __post_init__(self) -> None:
        for task in self.tasks:
            if task not in TASKS:
                raise ConfigurationError(f"Unknown task {task!r}; expected some of {', '.join(map(repr, TASKS))}.")


wanted = script.no_trainings


def name_of(task: str, seed: int | None = None) -> str:
    """Return the path of a search's record, or that of the comparison, below the folder of the results."""
    words = task.replace(",", "").replace(" %", "").replace(" ", "_")
    return f"contest/{words}" if seed is None else f"contest/searches/{words}_seed_{seed}"


def run(options: Options) -> None:
    for task in options.tasks:
        own = replace(options, data_dir=folder_for(TASKS[task], options.data_dir))
        for seed in range(options.searches):
            arguments = (*TASKS[task], "--seeds", "12", "--seed", str(seed), "--control")
            record_search(own, name_of(task, seed), ("python", "-m", "glojax.search", *arguments), arguments)
        path = options.results / f"{name_of(task)}.json"
        if not path.exists():
            started = time.perf_counter()
            folder = user_cache() / "experiments" / name_of(task)
            records = Records(options.results)
            searches = [records.search(name_of(task, seed)) for seed in range(options.searches)]
            found = [search["outcome"] for search in searches if search is not None]
            outcome = Contest(own, task, folder).outcome(found)
            command = f"python -m experiments.contest --tasks '{task}' --searches {options.searches}"
            fields = {"task": list(TASKS[task]), "seed": SEED, "outcome": outcome}
            write_record(path, record_of(command, fields, time.perf_counter() - started))
            shutil.rmtree(folder)


class Contest:
    """The comparison of all losses for a task, each at its own best rate."""

    def __init__(self, options: Options, task: str, folder: Path):
        self._options, self._task, self._folder = options, task, folder
        self._opened = self._open(SEED)
        self._console = Console()

    def outcome(self, searches: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """Compare what searches found with all others, as a JSON object; `searches` has their records' outcomes."""
        steps = self._opened.options.training.num_steps
        start = self._opened.options.training.learning_rate
        rival = Entrant(CATALOG[RIVAL], start)
        rate = swept(self._opened, {RIVAL: rival}, steps)[RIVAL].best.learning_rate
        literature = [name for name, one in PUBLISHED.items() if one.domain == "probability" and name != RIVAL]
        num_classes = self._opened.dataset.num_outputs
        trees = {name: find_tree(name, num_classes=num_classes) for name in literature}
        entrants = {RIVAL: rival} | {name: self._start(tree, rate) for name, tree in trees.items()}
        for seed, result in enumerate(search["result"] for search in searches):
            for name, part in ((f"found_{seed}", result), (f"random_{seed}", result["control"])):
                entrants[name] = Entrant(LossTree.parse(part["expression"]), part["learning_rate"])
        budget = int(np.median([_candidate_steps(search, steps) for search in searches]))
        for seed in range(self._options.rivals):
            self._say(f"Other methods, seed {seed}: {budget:,} candidate-steps for each")
            opened = self._open(seed)
            entrants[f"papers_fitness_{seed}"] = self._start(papers_fitness(opened, budget).tree, rate)
            entrants[f"taylor_{seed}"] = self._start(taylor(opened, budget).tree, rate)
            entrants[f"tuned_cross_entropy_{seed}"] = tuned_cross_entropy(opened, budget, rate)
        self._say(f"Learning rates of {len(entrants)} losses")
        sweeps = swept(self._opened, entrants, steps)
        best = {kind: max(names, key=lambda name: sweeps[name].fitness) for kind, names in kinds(entrants).items()}
        entrants = at_best(entrants, sweeps)
        longer = {name: entrants[name] for name in (RIVAL, *best.values())}
        self._say(f"{len(entrants)} losses at their best rates, {self._options.seeds} seeds")
        losses = self._compared(entrants, steps)
        self._say(
            f"{len(longer)} losses after {LONGER * steps:,} steps: learning rates, then {self._options.seeds} seeds"
        )
        return {
            "budget": budget,
            "best": best,
            "weight_decay": {name: one.weight_decay for name, one in entrants.items() if one.weight_decay},
            "losses": losses,
            "longer_steps": LONGER * steps,
            "longer": self._compared(at_best(longer, swept(self._opened, longer, LONGER * steps)), LONGER * steps),
        }

    def _say(self, text: str) -> None:
        self._console.print(f"Contest on {self._task}: {text}", highlight=False)

    def _open(self, seed: int) -> OpenTask:
        options, journal = self._options, self._folder / f"trainings_{seed}.jsonl"
        return open_task(TASKS[self._task], seed, options.data_dir, options.devices, journal)

    def _start(self, tree: LossTree, rate: float) -> Entrant:
        config = self._opened.options.training
        return Entrant(tree, normalised_rate(rate, tree, self._opened.dataset.num_outputs, config))

    def _compared(self, entrants: Mapping[str, Entrant], steps: int) -> list[dict[str, Any]]:
        return [asdict(one) for one in compared(self._opened, entrants, steps, self._options.seeds)]


def _candidate_steps(search: dict[str, Any], steps: int) -> int:
    """Return what a search has taken, with the tuning of its best losses, and the choice of both with fresh seeds."""
    result = search["result"]
    finalists = [one for part in ("discovered", "tuned") if part in result for one in result[part]["finalists"]]
    tuning = sum(generation["candidate_steps"] for generation in search["tuning"])
    chosen = sum(len(one["seeds"]) for one in finalists) * steps
    return int(result["search"]["candidate_steps"] + tuning + chosen)


def outcomes(records: Records) -> dict[str, dict[str, Any]]:
    """Return the outcomes of the contests that have a record, by task."""
    return {task: record["outcome"] for task in TASKS if (record := records.search(name_of(task))) is not None}


def report(options: Options, records: Records) -> Report:
    done = outcomes(records)
    missing = [task for task in TASKS if task not in done]
    remark = f"Not yet run: {'; '.join(missing) or 'none'}.\n"
    sections = (section(task, outcome) for task, outcome in done.items())
    return Report("\n".join([summary(done), *sections, remark]), drawn(done))


main = partial(script.run_script, Options, wanted, report, __doc__, first=run)


if __name__ == "__main__":
    script.start(main)
