"""The commands, from options to files and a printed result."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from rich.console import Console

from glojax.errors import ConfigurationError, GlojaxError, RunDirectoryError
from glojax.expressions import LossTree
from glojax.losses import find_tree
from glojax.reporting import draw_summary
from glojax.search.comparison import BEST_RATE, Comparison
from glojax.search.config_file import FILE, read_config, read_options
from glojax.search.execution import ResumeOptions
from glojax.search.finalists import Finalist, select_discovered, select_tuned
from glojax.search.generations import GenerationRecord
from glojax.search.opening import running
from glojax.search.options import CommonOptions, CompareOptions, DiscoverOptions, RunOptions, TuneOptions
from glojax.search.phases import Run
from glojax.search.results import print_best, print_comparison, print_directory, print_tuned
from glojax.search.run_directory import require_run
from glojax.search.tuning import Tuned, TuningRecord


def execute(command: str, options: CommonOptions, console: Console, resume: ResumeOptions | None = None) -> None:
    """Run a command, from its options to its files and a printed result."""
    _, work = COMMANDS[command]
    with running(options, command, console, resume) as run:
        work(run, options, console)


def resume(options: ResumeOptions, console: Console) -> None:
    """Go on with a run, from the last training that was done, or to more generations."""
    directory = options.run_dir.expanduser()
    require_run(directory)
    config = read_config(directory)
    command = config.get("command")
    if command not in COMMANDS:
        raise RunDirectoryError(
            f"{directory / FILE} has the command {command!r}; expected one of {', '.join(COMMANDS)}."
        )
    began_with = read_options(COMMANDS[command][0], config)
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


def _run(run: Run, options: RunOptions, console: Console) -> None:
    """Discover, tune the best, then compare what was found with the standard losses."""
    tuned: list[Tuned] = []
    records: list[TuningRecord] = []
    with run.display:
        found, generations = run.discover(options)
        seeds = options.seeds_of_finalists
        discovered = run.choose(select_discovered(found, options.finalists), seeds)
        best = {"discovered": discovered[0]}
        result: dict[str, Any] = {"discovered": _choice_record(discovered)}
        run.directory.write_json("result.json", discovered[0].loss_record | result)
        if options.tuned:
            trees = [finalist.tree for finalist in discovered[: options.tuned]]
            tuned, records = run.tune(trees, options.tuning, options.seed, options.asynchronous)
            result["tuning"] = _tuning_record(tuned)
            if members := select_tuned(tuned, options.finalists):
                chosen = run.choose(members, seeds)
                best["tuned"] = chosen[0]
                result["tuned"] = _choice_record(chosen)
        # The result comes first; the untuned loss if both do equally well.
        best = dict(sorted(best.items(), key=lambda item: -item[1].mean_accuracy))
        winner = next(iter(best.values()))
        run.directory.write_json("result.json", winner.loss_record | result)
        losses = {name: finalist.tree for name, finalist in best.items()}
        standard = ("cross_entropy", f"cross_entropy{BEST_RATE}", "baikal")
        losses |= {name: find_tree(name.removesuffix(BEST_RATE)) for name in standard}
        seeds = range(seeds.stop, seeds.stop + options.seeds)
        comparison = run.compare(losses, seeds)
    result |= _comparison_record(run, comparison, seeds)
    run.directory.write_json("result.json", winner.loss_record | result)
    _draw(run, options, winner, generations, records, losses, comparison)
    print_tuned(tuned, console)
    print_comparison(comparison, len(seeds), run.dataset.test_split, console)
    print_best(winner, console, comparison, run.dataset.test_split)
    print_directory(run.directory, console)


def _discover(run: Run, options: DiscoverOptions, console: Console) -> None:
    """Discover losses."""
    with run.display:
        found, _ = run.discover(options)
        discovered = run.choose(select_discovered(found, options.finalists), options.seeds_of_finalists)
    run.directory.write_json("result.json", discovered[0].loss_record | {"discovered": _choice_record(discovered)})
    print_best(discovered[0], console)
    print_directory(run.directory, console)


def _tune(run: Run, options: TuneOptions, console: Console) -> None:
    """Tune given losses, then compare the best with the loss that it was made of."""
    with run.display:
        tuned, records = run.tune(options.trees, options.tuning, options.seed, options.asynchronous)
        result: dict[str, Any] = {"tuning": _tuning_record(tuned)}
        run.directory.write_json("result.json", result)
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
        result |= chosen[0].loss_record | {"finalists": [finalist.record for finalist in chosen]}
        run.directory.write_json("result.json", result)
        best = next(finalist for finalist in chosen if finalist.tree in {one.tree for one in members})
        origin = next(one for one in tuned if best.tree in {member.tree for member in one.found})
        losses = {"tuned": best.tree, "untuned": origin.start.tree, f"untuned{BEST_RATE}": origin.start.tree}
        seeds = range(seeds.stop, seeds.stop + options.seeds)
        comparison = run.compare(losses, seeds)
    result |= _comparison_record(run, comparison, seeds)
    run.directory.write_json("result.json", result)
    _draw(run, options, chosen[0], [], records, losses, comparison)
    print_tuned(tuned, console)
    print_comparison(comparison, len(seeds), run.dataset.test_split, console)
    print_best(chosen[0], console)
    print_directory(run.directory, console)


def _compare(run: Run, options: CompareOptions, console: Console) -> None:
    """Compare given losses."""
    seeds = range(options.seed, options.seed + options.seeds)
    with run.display:
        comparison = run.compare(options.trees, seeds, options.learning_rates)
    run.directory.write_json("result.json", _comparison_record(run, comparison, seeds))
    print_comparison(comparison, len(seeds), run.dataset.test_split, console)
    print_directory(run.directory, console)


#: For each command: its options, and the function that runs it.
COMMANDS: dict[str, tuple[type[CommonOptions], Callable[[Run, Any, Console], None]]] = {
    "run": (RunOptions, _run),
    "discover": (DiscoverOptions, _discover),
    "tune": (TuneOptions, _tune),
    "compare": (CompareOptions, _compare),
}


def _draw(
    run: Run,
    options: CommonOptions,
    best: Finalist,
    generations: Sequence[GenerationRecord],
    tuning: Sequence[TuningRecord],
    losses: Mapping[str, LossTree],
    comparison: Comparison,
) -> None:
    run.directory.write_file(
        "summary.png",
        lambda path: draw_summary(
            path,
            title=f"{run.dataset.name}, {options.training.num_steps} steps a candidate, seed {options.seed}",
            best=str(best.tree),
            generations=[asdict(record) for record in generations],
            tuning=[asdict(record) for record in tuning],
            losses={name: tree for name, tree in losses.items() if not name.endswith(BEST_RATE)},
            comparison=[asdict(loss) for loss in comparison.losses],
            test_split=run.dataset.test_split,
        ),
    )


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


def _comparison_record(run: Run, comparison: Comparison, seeds: Sequence[int]) -> dict[str, Any]:
    return {
        "test_split": run.dataset.test_split,
        "seeds": list(seeds),
        "comparison": [asdict(loss) for loss in comparison.losses],
        "welch": [asdict(test) for test in comparison.welch],
    }
