"""The commands, from options to files and a printed result."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any, NamedTuple

from rich.console import Console

from glojax.errors import ConfigurationError, GlojaxError, RunDirectoryError
from glojax.expressions import LossTree
from glojax.files import expanded, write_atomically
from glojax.losses import find_tree
from glojax.search.comparison import BEST_RATE, Comparison
from glojax.search.config_file import FILE, read_config, read_options
from glojax.search.execution import ResumeOptions
from glojax.search.finalists import Finalist, by_score, select_discovered, select_tuned
from glojax.search.given_options import CompareOptions, TuneOptions
from glojax.search.opening import running
from glojax.search.options import CommonOptions, DiscoverOptions, RunOptions
from glojax.search.pareto import pareto_front
from glojax.search.results import in_words, print_best, print_comparison, print_sentence, print_tuned
from glojax.search.run import Run
from glojax.search.run_directory import REPORT, require_run
from glojax.search.shapes import ShapeRun
from glojax.search.tuning import Tuned
from glojax.search.verdict import Verdict, judge
from glojax.strategies import find_constraint
from glojax.terminal import open_console, print_text


class _Outcome(NamedTuple):
    """The result of a command: the content of `result.json`, the best loss, a comparison over seeds, and verdicts."""

    record: dict[str, Any]
    best: Finalist | None = None
    losses: Mapping[str, LossTree] = {}
    seeds: Sequence[int] = ()
    comparison: Comparison | None = None
    verdicts: Sequence[Verdict] = ()


def execute(command: str, options: CommonOptions, console: Console, resume: ResumeOptions | None = None) -> None:
    """Run a command, from its options to its files and a printed result."""
    _, work = COMMANDS[command]
    progress = open_console(quiet=True) if options.execution.quiet else console
    with running(options, command, progress, resume) as run:
        with run.display:
            outcome = work(run, options)
        _report(outcome, run, options, console)


def resume(options: ResumeOptions, console: Console) -> None:
    """Go on with a run, from the last training that was done, or to more generations."""
    directory = expanded(options.run_dir)
    require_run(directory)
    config = read_config(directory)
    command = config.get("command")
    if command not in COMMANDS:
        raise RunDirectoryError(
            f"{directory / FILE} has the command {command!r}; expected one of {', '.join(COMMANDS)}."
        )
    began_with = read_options(COMMANDS[command][0], config, options)
    changes: dict[str, Any] = {"run_dir": directory, "execution": options.execution}
    if options.generations is not None:
        if not isinstance(began_with, DiscoverOptions):
            raise ConfigurationError(f"--generations goes with a search, and {directory} is a run of {command!r}.")
        if options.generations < began_with.generations:
            raise ConfigurationError(
                f"--generations is {options.generations}, and the run has {began_with.generations}; give more."
            )
        changes["generations"] = options.generations
    execute(command, replace(began_with, **changes), console, options)


def _run_shapes(run: Run, options: RunOptions) -> _Outcome:
    """Search for a shape, tune it, then compare it with the standard losses, each at its own best rate."""
    shapes = ShapeRun(run, options)
    discovered = shapes.discover()
    best = {"discovered": discovered.finalists[0]}
    record: dict[str, Any] = {"search": discovered.record, "discovered": _choice_record(discovered.finalists)}
    run.directory.write_json("result.json", best["discovered"].loss_record | record)
    if options.tuned:
        tuned, chosen = shapes.tune(discovered.finalists, options)
        record["tuning"] = _tuning_record(tuned)
        if chosen:
            best["tuned"] = chosen[0]
            record["tuned"] = _choice_record(chosen)
    candidates = dict(best)
    if options.control:
        control = shapes.control(discovered.record["candidate_steps"])
        candidates["random"] = control.finalists[0]
        record["control"] = control.finalists[0].loss_record | {"search": control.record}
    trees = {name: finalist.tree for name, finalist in candidates.items()}
    shapes.sweep(trees, {name: finalist.learning_rate or 0.0 for name, finalist in candidates.items()})
    record["rates"] = shapes.rates_record()
    # The seeds of the rates are new to both; the untuned loss if they do equally well.
    name = max(best, key=lambda each: shapes.sweeps[each].fitness)
    rates = {each: found.best.learning_rate for each, found in shapes.sweeps.items()}
    winner = replace(best[name], learning_rate=rates[name])
    # With a control the untuned loss stays: what selection is worth shows in it.
    others = ("discovered", "random") if options.control else ()
    standard = options.standard_trees(run.dataset.num_outputs)
    losses = {each: trees[each] for each in dict.fromkeys((name, *others))} | standard
    first = options.seeds_of_rates.stop
    seeds = range(first, first + options.seeds)
    comparison = run.compare(losses, seeds, {each: [rate] for each, rate in rates.items()})
    metric, lower_is_better = in_words(run.metric_name), run.evaluator.metric.lower_is_better
    verdicts = judge(comparison, name, list(standard), metric, lower_is_better, len(seeds))
    record["verdict"] = [asdict(verdict) for verdict in verdicts]
    return _Outcome(winner.loss_record | record, winner, losses, seeds, comparison, verdicts)


def _run(run: Run, options: RunOptions) -> _Outcome:
    """Discover, tune the best, then compare what was found with the standard losses."""
    if options.preset == "shape":
        return _run_shapes(run, options)
    found = run.discover(options)
    seeds = options.seeds_of_finalists
    discovered = run.choose(select_discovered(found, options.finalists), seeds)
    best = {"discovered": discovered[0]}
    record: dict[str, Any] = {"discovered": _choice_record(discovered)}
    run.directory.write_json("result.json", discovered[0].loss_record | record)
    if options.tuned:
        trees = [finalist.tree for finalist in discovered[: options.tuned]]
        tuned = run.tune(trees, options.tuning, options.seed, options.asynchronous)
        record["tuning"] = _tuning_record(tuned)
        if members := select_tuned(tuned, options.finalists, find_constraint(options.constraint)):
            chosen = run.choose(members, seeds)
            best["tuned"] = chosen[0]
            record["tuned"] = _choice_record(chosen)
    # The result comes first; the untuned loss if both do equally well.
    key = by_score(run.evaluator.metric)
    best = dict(sorted(best.items(), key=lambda item: key(item[1])))
    winner = next(iter(best.values()))
    record = winner.loss_record | record
    run.directory.write_json("result.json", record)
    losses = {name: finalist.tree for name, finalist in best.items()}
    first, *others = run.task.standard_losses
    names = (first, f"{first}{BEST_RATE}", *others)
    losses |= {name: find_tree(name.removesuffix(BEST_RATE), None, run.dataset.num_outputs) for name in names}
    seeds = range(seeds.stop, seeds.stop + options.seeds)
    return _Outcome(record, winner, losses, seeds, run.compare(losses, seeds))


def _discover(run: Run, options: DiscoverOptions) -> _Outcome:
    """Discover losses."""
    if options.preset == "shape":
        found = ShapeRun(run, options).discover()
        choice = _choice_record(found.finalists)
        record = found.finalists[0].loss_record | {"search": found.record, "discovered": choice}
        return _Outcome(record, found.finalists[0])
    discovered = run.choose(select_discovered(run.discover(options), options.finalists), options.seeds_of_finalists)
    record = discovered[0].loss_record | {"discovered": _choice_record(discovered)}
    return _Outcome(record, discovered[0])


def _tune(run: Run, options: TuneOptions) -> _Outcome:
    """Tune given losses, then compare the best with the loss that it was made of; the result comes first."""
    tuned = run.tune(options.trees(run.dataset.num_outputs), options.tuning, options.seed, options.asynchronous)
    record: dict[str, Any] = {"tuning": _tuning_record(tuned)}
    run.directory.write_json("result.json", record)
    members = select_tuned(tuned, options.finalists)
    if not members:
        raise GlojaxError(
            f"No member could be trained ({tuned[0].stop_reason}); the losses stay as they are: lower "
            "--tuning.sigma or --learning-rate."
        )
    seeds = options.seeds_of_finalists
    starts = [one.start for one in tuned if one.start.fitness is not None]
    # A loss may be given in two forms, and a member may have the coefficients of an untuned loss.
    distinct = {one.tree: one for one in [*starts, *members]}
    chosen = run.choose(list(distinct.values()), seeds)
    record |= _choice_record(chosen)
    run.directory.write_json("result.json", record)
    best = next(finalist for finalist in chosen if finalist.tree in {one.tree for one in members})
    origin = next(one for one in tuned if best.tree in {member.tree for member in one.found})
    start = origin.start.tree if best == chosen[0] else chosen[0].tree
    losses = {"tuned": best.tree, "untuned": start, f"untuned{BEST_RATE}": start}
    if best != chosen[0]:  # the result comes first
        losses = {"untuned": start} | losses
    seeds = range(seeds.stop, seeds.stop + options.seeds)
    return _Outcome(record, chosen[0], losses, seeds, run.compare(losses, seeds))


def _compare(run: Run, options: CompareOptions) -> _Outcome:
    """Compare given losses."""
    seeds = range(options.seed, options.seed + options.seeds)
    losses = options.trees(run.dataset.num_outputs)
    return _Outcome({}, None, losses, seeds, run.compare(losses, seeds, options.learning_rates))


#: For each command: its options, and the function that runs it.
COMMANDS: dict[str, tuple[type[CommonOptions], Callable[[Run, Any], _Outcome]]] = {
    "run": (RunOptions, _run),
    "discover": (DiscoverOptions, _discover),
    "tune": (TuneOptions, _tune),
    "compare": (CompareOptions, _compare),
}


def _report(outcome: _Outcome, run: Run, options: CommonOptions, console: Console) -> None:
    """Write the result, draw a picture of search and comparison, and print the result."""
    record, best, losses, seeds, comparison, verdicts = outcome
    test_split, metric = run.dataset.test_split, in_words(run.metric_name)
    record |= {"task": run.dataset.task, "metric": run.metric_name, "num_outputs": run.dataset.num_outputs}
    if run.found:
        record["pareto_front"] = [
            {
                "expression": one.expression,
                "size": one.tree.size,
                "fitness": one.fitness,
                "learning_rate": one.learning_rate,
            }
            for one in pareto_front(one.evaluation for one in run.found)
        ]
    if comparison is not None:
        record |= {
            "test_split": test_split,
            "seeds": list(seeds),
            "comparison": [asdict(loss) for loss in comparison.losses],
            "welch": [asdict(test) for test in comparison.welch],
            "curves": {name: asdict(curve) for name, curve in comparison.curves.items()},
            "predictions": {name: asdict(one) for name, one in comparison.predictions.items()},
        }
    run.directory.write_json("result.json", record)
    if best is not None and comparison is not None:
        from glojax.reporting import draw_summary  # matplotlib takes as long as the rest of the command to import

        write_atomically(
            run.directory.path / "summary.png",
            lambda path: draw_summary(
                path,
                title=f"{run.dataset.name}, {options.training.num_steps} steps a candidate, seed {options.seed}",
                best=str(best.tree),
                generations=[asdict(generation) for generation in run.generations],
                tuning=[asdict(generation) for generation in run.tuning],
                losses={name: tree for name, tree in losses.items() if not name.endswith(BEST_RATE)},
                comparison=record["comparison"],
                test_split=test_split,
                metric=metric,
                domain=run.domain,
            ),
        )
    print_tuned(run.tuned, console)
    if comparison is not None:
        print_comparison(comparison, len(seeds), test_split, metric, run.evaluator.metric.worst, console)
    if best is not None:
        differences = comparison if isinstance(options, RunOptions) and not verdicts else None
        print_best(best, metric, run.domain, console, differences, test_split)
        if isinstance(options, TuneOptions) and next(iter(losses)) == "untuned":
            nothing = "The tuning found nothing better: this is one of the losses that it started from."
            print_text(f"                  {nothing}", console)
    for verdict in verdicts:
        print_sentence("Verdict:", verdict.sentence, console)
    print_text(f"Results: {run.directory.path}", console)
    print_text(f"Report:  {run.directory.path / REPORT}", console)


def _choice_record(finalists: Sequence[Finalist]) -> dict[str, Any]:
    return finalists[0].loss_record | {"finalists": [finalist.record for finalist in finalists]}


def _tuning_record(tuned: Sequence[Tuned]) -> list[dict[str, Any]]:
    return [
        {
            "loss": str(one.loss),
            "fitness_before": one.start.fitness,
            "expression": one.best.expression,
            "fitness": one.best.fitness,
            "num_coefficients": one.num_coefficients,
            "generations": one.generations,
            "stop_reason": one.stop_reason,
        }
        for one in tuned
    ]
