"""What a search for shapes costs, against the paper's fitness.

python -m experiments.search_cost

The paper has nothing of the kind: its fitness is the accuracy of one training at one learning rate.

Ours: the same strategy, with the same losses to begin with, ends with the paper's fitness after 480 candidates, and the
test accuracy of its best loss, at the rate it was found at, is the mark (12 fresh seeds). The cost of a search for
shapes is the candidate-steps until the best loss so far, at the rate it was found at, reaches the mark by as many fresh
seeds: 2 to 4 % of those of the paper's fitness, and 24 to 26 % with those for the rate and the bars.

Time: less than a minute for each pair of searches on two cores.
"""

import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from experiments import script, shape_search
from experiments.records import Records, record_of, write_record
from experiments.report import NOT_RUN, Report, table
from experiments.shape_search import TASKS
from experiments.tasks import OpenTask, open_task
from glojax.evaluation import FitnessRule, RaceRule, Rule, evaluate
from glojax.expressions import LossTree
from glojax.files import user_cache
from glojax.losses import CATALOG
from glojax.search.loop import Search
from glojax.search.rates import RIVAL, race, sweep
from glojax.search.shapes import first_losses, new_shapes
from glojax.strategies import Constraint, NewShapes, ShapeSearch


@dataclass(frozen=True, kw_only=True)
class Options(shape_search.Options):
    """Options of the searches."""

    candidates: int = 480
    """Candidates of each search."""


wanted = script.no_trainings


name_of = partial(shape_search.name_of, folder="search_cost")


def search(options: Options) -> None:
    # All tasks with one seed before the next seed.
    for seed in range(options.searches):
        for task in options.tasks:
            path = options.results / f"{name_of(options, task, seed)}.json"
            if path.exists():
                continue
            folder = user_cache() / "experiments" / name_of(options, task, seed)
            arguments = ("--dataset", options.dataset, "--steps", str(options.steps), *TASKS[task])
            opened = open_task(arguments, seed, options.data_dir, options.devices, folder / "trainings.jsonl")
            started = time.perf_counter()
            outcome = measured(opened, options.candidates, options.seeds)
            seconds = time.perf_counter() - started
            command = (
                f"python -m experiments.search_cost --searches {seed + 1} --tasks '{task}' --steps {options.steps}"
            )
            write_record(path, record_of(command, {"task": list(arguments), "seed": seed, "outcome": outcome}, seconds))
            print(f"{task}, seed {seed}: {outcome}", flush=True)
            shutil.rmtree(folder)


@dataclass(frozen=True)
class Leader:
    """The best loss so far, at the rate that it was found at, and the candidate-steps until it was known."""

    tree: LossTree
    rate: float
    fitness: float
    candidate_steps: int

    def record(self, test: float) -> dict[str, Any]:
        """Return the leader as a JSON object, with its test score."""
        others = {name: value for name, value in vars(self).items() if name != "tree"}
        return {"expression": str(self.tree)} | others | {"test": test}


def measured(task: OpenTask, num_candidates: int, num_seeds: int) -> dict[str, Any]:
    """Return what both searches cost and reach, as a JSON object."""
    options, evaluator = task.options, task.evaluator()
    fresh = range(options.seeds_of_rates.stop, options.seeds_of_rates.stop + num_seeds)

    def score(leader: Leader) -> float:
        rule = FitnessRule(tuple(fresh), (leader.rate,), splits=("validation", "test"))
        return round(float(np.mean(evaluate(evaluator, [leader.tree], rule)[0].scores("test"))), 6)

    *_, paper = leaders(task, FitnessRule((options.first_seed,)), _has_both, num_candidates)
    mark = score(paper)
    rule, sweep_steps = race_of(task)
    tested = []
    for leader in leaders(task, rule, constraint_of(task), num_candidates):
        tested.append(leader.record(score(leader)))
        if tested[-1]["test"] >= mark:
            break
    return {"paper": paper.record(mark), "shape": tested, "sweep_steps": sweep_steps}


def leaders(task: OpenTask, rule: Rule, constraint: Constraint, num_candidates: int) -> Iterator[Leader]:
    """Search, and yield each loss that is better than all before it; then the last one with all candidate-steps."""
    options = task.options
    strategy = ShapeSearch(options.genetic, options.seed, initial=literature(task), constraint=constraint)
    search = Search(strategy, task.evaluator(rule))
    best: Leader | None = None
    steps = seen = 0
    while seen < num_candidates:
        search.run(options.genetic.population_size)
        for one in search.evaluations[seen:]:
            steps += one.steps
            if (
                one.fitness is not None
                and one.learning_rate is not None
                and (best is None or one.fitness > best.fitness)
            ):
                best = Leader(one.tree, one.learning_rate, one.fitness, steps)
                yield best
        if seen == len(search.evaluations):
            break
        seen = len(search.evaluations)
    assert best is not None, "cross-entropy is among the first losses"
    yield replace(best, candidate_steps=steps)


def race_of(task: OpenTask) -> tuple[RaceRule, int]:
    """Return the rule of the search for shapes, and the candidate-steps that its rate and its bars take."""
    options, steps = task.options, list[int]()
    evaluator = task.evaluator(on_training=lambda result: steps.append(int(result.num_steps)))
    tree = CATALOG[RIVAL]
    found = sweep(evaluator, {RIVAL: tree}, {RIVAL: options.training.learning_rate}, options.seeds_of_rates)
    rule, _ = race(
        evaluator,
        {tree: found[RIVAL].best.learning_rate},
        options.seeds_of_search,
        factors=options.rate_multiples,
        audit_share=options.audit,
        num_classes=task.dataset.num_outputs,
    )
    return rule, sum(steps)


def _has_both(tree: LossTree) -> bool:
    return tree.uses("x") and tree.uses("y")


def constraint_of(task: OpenTask) -> NewShapes:
    """Return the constraint of the search for shapes."""
    return new_shapes(task.dataset.num_outputs, task.options.training.prob_epsilon)


def literature(task: OpenTask) -> list[LossTree]:
    """Return the losses that the search for shapes begins with."""
    return first_losses(task.options, "probability", task.dataset.num_outputs, constraint_of(task))


def report(options: Options, records: Records) -> Report:
    rows = []
    for task in options.tasks:
        found = [records.search(name_of(options, task, seed)) for seed in range(options.searches)]
        outcomes = [one["outcome"] for one in found if one is not None]
        rows.append((task, *(_cells(outcomes) if outcomes else (0, *[NOT_RUN] * 7))))
    header = (
        *("task", "searches", "paper's fitness: candidate-steps", "test", "shape: candidate-steps to the same"),
        *("share of the paper's", "with the sweep", "test", "reached by"),
    )
    return Report(
        f"Medians over the searches; {options.steps} steps a training.\n\n{table(header, rows)}\n"
        "Test: mean accuracy (balanced accuracy with imbalance) of the best loss at the rate it was found at. With the "
        "sweep: the candidate-steps for cross-entropy's best rate and the bars of the race are counted, too. Both "
        "strategies begin with the losses of the literature, take their parents from an archive of all candidates, and "
        "have the same settings; the paper's fitness makes no candidates one by their fingerprints.\n"
    )


def _cells(outcomes: Sequence[dict[str, Any]]) -> tuple[object, ...]:
    paper = [one["paper"]["candidate_steps"] for one in outcomes]
    ends = [one["shape"][-1] for one in outcomes]
    shape = [one["candidate_steps"] for one in ends]
    shares = np.divide(shape, paper)
    with_sweep = np.divide([steps + one["sweep_steps"] for steps, one in zip(shape, outcomes, strict=True)], paper)
    reached = sum(end["test"] >= one["paper"]["test"] for end, one in zip(ends, outcomes, strict=True))
    return (
        len(outcomes),
        f"{np.median(paper):,.0f}",
        f"{np.median([one['paper']['test'] for one in outcomes]):.4f}",
        f"{np.median(shape):,.0f}",
        f"{np.median(shares):.3f}",
        f"{np.median(with_sweep):.3f}",
        f"{np.median([end['test'] for end in ends]):.4f}",
        f"{reached} of {len(outcomes)}",
    )


main = partial(script.run_script, Options, wanted, report, __doc__, first=search)


if __name__ == "__main__":
    script.start(main)
