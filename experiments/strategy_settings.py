"""The settings of the search for shapes, tried on tasks that are not those of its table.

python -m experiments.strategy_settings

The paper tries its settings of the genetic algorithm on MNIST alone, and does not say what else was tried.

Ours: selection, rates of crossover and mutation, and how many of the shapes are random are varied one at a time, on
digits with 20 % of the labels wrong and with imbalance 0.1. All searches of a task and seed share their rates, bars and
first random shapes.

Time: about a minute for each setting, task and seed on two cores.
"""

import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from experiments import script
from experiments.records import Records, record_of, write_record
from experiments.report import NOT_RUN, Report, table
from experiments.search_cost import constraint_of, literature, race_of
from experiments.tasks import OpenTask, open_task
from glojax.evaluation import FitnessRule, Rule, evaluate
from glojax.files import user_cache
from glojax.search.finalists import halve, trained
from glojax.search.loop import Search
from glojax.strategies import RandomSearch, ShapeSearch

#: The options of the command line that make each task.
TASKS: dict[str, tuple[str, ...]] = {
    "20 % wrong": ("--label-noise", "0.2"),
    "imbalance 0.1": ("--imbalance", "0.1", "--metric", "balanced_accuracy"),
}

_MUTATION = ("integer_step_rate", "same_arity_rate", "collapse_rate", "expand_rate")

RANDOM = "all shapes random"

#: What each setting changes in the search's own.
SETTINGS: dict[str, dict[str, Any]] = {
    "as it is": {},
    "tournament of 2": {"tournament_size": 2},
    "tournament of 10": {"tournament_size": 10},
    "crossover 0.4": {"crossover_rate": 0.4},
    "mutation three times as often": dict(zip(_MUTATION, (0.15, 0.15, 0.075, 0.075), strict=True)),
    "coefficients three times as often": {"coefficient_rate": 0.3},
    "no random immigrants": {"immigrant_rate": 0.0},
    "three of four shapes random": {"immigrant_rate": 0.75},
    RANDOM: {},
}


@dataclass(frozen=True, kw_only=True)
class Options(script.CommonOptions):
    """Options of the searches."""

    searches: int = 2
    """Number of searches with each setting on each task, with the seeds from 0 on."""

    steps: int = 300
    """Steps of a whole training."""

    candidates: int = 480
    """Candidates of each search; that of random shapes ends after as many candidate-steps as the first one."""


wanted = script.no_trainings


def name_of(options: Options, task: str, seed: int) -> str:
    """Return the path of a record, below the folder of the results and without suffix."""
    words = task.replace(" %", "").replace(" ", "_")
    return f"strategy_settings/digits_{words}_steps_{options.steps}_seed_{seed}"


def search(options: Options) -> None:
    # All tasks with one seed before the next seed.
    for seed in range(options.searches):
        for task, arguments in TASKS.items():
            name = name_of(options, task, seed)
            path, folder = options.results / f"{name}.json", user_cache() / "experiments" / name
            if path.exists():
                continue
            started = time.perf_counter()
            given = ("--dataset", "digits", "--steps", str(options.steps), *arguments)
            opened = open_task(given, seed, None, options.devices, folder / "trainings.jsonl")
            outcome = compared(opened, options.candidates)
            command = f"python -m experiments.strategy_settings --searches {seed + 1} --steps {options.steps}"
            fields = {"task": list(given), "seed": seed, "outcome": outcome}
            write_record(path, record_of(command, fields, time.perf_counter() - started))
            shutil.rmtree(folder)


def compared(task: OpenTask, num_candidates: int) -> dict[str, Any]:
    """Search with each setting; return what each reaches, as a JSON object."""
    rule, _ = race_of(task)
    outcome: dict[str, Any] = {}
    first: dict[str, Any] = {}
    for name, changes in SETTINGS.items():
        # As many candidate-steps as the search as it is, which comes first.
        steps = first["candidate_steps"] if name == RANDOM else None
        reached = _reached(task, rule, changes, num_candidates, steps)
        first = first or reached
        outcome[name] = reached
        print(f"{name}: {reached}", flush=True)
    return outcome


def _reached(
    task: OpenTask, rule: Rule, changes: Mapping[str, Any], num_candidates: int, num_steps: int | None
) -> dict[str, Any]:
    """Search for so many candidates or, at random, candidate-steps; return the best by fresh seeds, and the counts."""
    options = task.options
    genetic = replace(options.genetic, **changes)
    make = ShapeSearch if num_steps is None else RandomSearch
    strategy = make(genetic, options.seed, initial=literature(task), constraint=constraint_of(task))
    search = Search(strategy, task.evaluator(rule))
    if num_steps is None:
        search.run(num_candidates)
    seen = -1
    while num_steps is not None and seen < len(search.evaluations) and _steps(search) < num_steps:
        seen = len(search.evaluations)
        search.run(genetic.population_size)
    best, *_ = halve(trained(search.found)[: options.finalists], task.evaluator(), options.seeds_of_finalists)
    assert best.learning_rate is not None
    seeds = range(options.seeds_of_rates.stop, options.seeds_of_rates.stop + options.finalist_seeds)
    again = FitnessRule(tuple(seeds), (best.learning_rate,), splits=("validation", "test"))
    return {
        "expression": str(best.tree),
        "rate": best.learning_rate,
        "fitness": best.fitness,
        "validation": best.mean_score,
        "test": round(float(np.mean(evaluate(task.evaluator(), [best.tree], again)[0].scores("test"))), 6),
        "candidates": len(search.evaluations),
        "trained": sum(one.status == "trained" for one in search.evaluations),
        "candidate_steps": _steps(search),
    }


def _steps(search: Search) -> int:
    return sum(one.steps for one in search.evaluations)


def report(options: Options, records: Records) -> Report:
    rows: list[tuple[object, ...]] = []
    for task in TASKS:
        found = [records.search(name_of(options, task, seed)) for seed in range(options.searches)]
        outcomes = [one["outcome"] for one in found if one is not None]
        if not outcomes:
            rows.append((task, 0, NOT_RUN))
        for name in SETTINGS if outcomes else ():
            of = {key: np.mean([outcome[name][key] for outcome in outcomes]) for key in _COLUMNS}
            counts = [f"{of[key]:,.0f}" for key in ("candidates", "trained", "candidate_steps")]
            each = f"{of['candidate_steps'] / of['candidates']:,.0f}"
            rows.append(
                (
                    task,
                    len(outcomes),
                    name,
                    *(f"{of[key]:.4f}" for key in ("fitness", "validation", "test")),
                    *counts,
                    each,
                )
            )
    header = ("task", "searches", "setting", "fitness", "validation, fresh seeds", "test", "shapes", "trained in full")
    return Report(
        f"Means over the searches; {options.steps} steps a training. The best loss of each by 24 fresh seeds, at the "
        "rate it was found at.\n\n"
        f"{table((*header, 'candidate-steps', 'a shape'), rows)}"
    )


_COLUMNS = ("fitness", "validation", "test", "candidates", "trained", "candidate_steps")

main = partial(script.run_script, Options, wanted, report, __doc__, first=search)


if __name__ == "__main__":
    script.start(main)
