"""The commands, from options to files and a printed result."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from rich.console import Console

from glojax.errors import GlojaxError, RunDirectoryError
from glojax.expressions import LossTree, to_latex
from glojax.losses import find_tree
from glojax.reporting import draw_summary
from glojax.search.comparison import BEST_RATE, Comparison
from glojax.search.config import (
    CommonOptions,
    CompareOptions,
    DiscoverOptions,
    RunOptions,
    TuneOptions,
)
from glojax.search.discovery import GenerationRecord
from glojax.search.execution import ResumeOptions
from glojax.search.finalists import Finalist, select_discovered, select_tuned
from glojax.search.phases import (
    Run,
    choose_finalist,
    compare_losses,
    discover_losses,
    make_evaluator,
    running,
    tune_losses,
)
from glojax.search.results import print_best, print_comparison, print_directory, print_tuned
from glojax.search.run_config import FILE, read_config, read_options
from glojax.search.run_directory import require_run
from glojax.search.tuning import Tuned, TuningRecord

#: Nodes of a program where no option sets a limit; room in it costs nothing.
DEFAULT_NODES = 64


def execute(command: str, options: CommonOptions, console: Console, resume: ResumeOptions | None = None) -> None:
    """Run a command, from its options to its files and a printed result.

    Args:
        command: A key of `COMMANDS`.
        options: Its options.
        console: Where the result is printed.
        resume: How to go on with a run that was interrupted; None begins one.
    """
    _, work = COMMANDS[command]
    with running(options, command, console, resume) as run:
        work(run, options, console)


def resume(options: ResumeOptions, console: Console) -> None:
    """Go on with a run that was interrupted: all of it again, but for the trainings that are done."""
    directory = options.run_dir.expanduser()
    require_run(directory)
    config = read_config(directory)
    command = config.get("command")
    if command not in COMMANDS:
        raise RunDirectoryError(
            f"{directory / FILE} has the command {command!r}; expected one of {', '.join(COMMANDS)}."
        )
    began_with = read_options(COMMANDS[command][0], config)
    execute(command, replace(began_with, run_dir=directory, execution=options.execution), console, options)


def _run(run: Run, options: RunOptions, console: Console) -> None:
    """Discover, tune the best, then compare what was found with the standard losses."""
    tuned: list[Tuned] = []
    records: list[TuningRecord] = []
    with run.display:
        evaluator = make_evaluator(run, options, options.genetic.max_nodes or DEFAULT_NODES)
        found, generations = discover_losses(run, options, evaluator)
        seeds = options.seeds_of_finalists
        discovered = choose_finalist(run, select_discovered(found, options.finalists), seeds, evaluator)
        best = {"discovered": discovered[0]}
        result: dict[str, Any] = {"discovered": _choice_record(discovered)}
        run.directory.write_json("result.json", _loss_record(discovered[0]) | result)
        if options.tuned:
            trees = [finalist.tree for finalist in discovered[: options.tuned]]
            tuned, records = tune_losses(run, trees, options.tuning, options.seed, evaluator)
            result["tuning"] = _tuning_record(tuned)
            if members := select_tuned(tuned, options.finalists):
                chosen = choose_finalist(run, members, seeds, evaluator)
                best["tuned"] = chosen[0]
                result["tuned"] = _choice_record(chosen)
        # The result first; the untuned one where both do equally well.
        best = dict(sorted(best.items(), key=lambda item: -item[1].mean_accuracy))
        winner = next(iter(best.values()))
        run.directory.write_json("result.json", _loss_record(winner) | result)
        losses = {name: finalist.tree for name, finalist in best.items()}
        standard = ("cross_entropy", f"cross_entropy{BEST_RATE}", "baikal")
        losses |= {name: find_tree(name.removesuffix(BEST_RATE)) for name in standard}
        seeds = range(seeds.stop, seeds.stop + options.seeds)
        comparison = compare_losses(run, losses, seeds, options)
    result |= _comparison_record(run, comparison, seeds)
    run.directory.write_json("result.json", _loss_record(winner) | result)
    _draw(run, options, winner, generations, records, losses, comparison)
    print_tuned(tuned, console)
    print_comparison(comparison, len(seeds), run.dataset.test_split, console)
    print_best(winner, console, comparison, run.dataset.test_split)
    print_directory(run.directory, console)


def _discover(run: Run, options: DiscoverOptions, console: Console) -> None:
    """Discover alone."""
    with run.display:
        evaluator = make_evaluator(run, options, options.genetic.max_nodes or DEFAULT_NODES)
        found, _ = discover_losses(run, options, evaluator)
        finalists = select_discovered(found, options.finalists)
        discovered = choose_finalist(run, finalists, options.seeds_of_finalists, evaluator)
    run.directory.write_json("result.json", _loss_record(discovered[0]) | {"discovered": _choice_record(discovered)})
    print_best(discovered[0], console)
    print_directory(run.directory, console)


def _tune(run: Run, options: TuneOptions, console: Console) -> None:
    """Tune given losses, then compare the best with what it was made of."""
    with run.display:
        evaluator = make_evaluator(run, options, DEFAULT_NODES)
        tuned, records = tune_losses(run, options.trees, options.tuning, options.seed, evaluator)
        result: dict[str, Any] = {"tuning": _tuning_record(tuned)}
        run.directory.write_json("result.json", result)
        members = select_tuned(tuned, options.finalists)
        if not members:
            raise GlojaxError(
                f"No member could be trained ({tuned[0].stop_reason}); the losses stay as they are: lower "
                "--tuning.sigma or --learning-rate."
            )
        seeds = options.seeds_of_finalists
        starts = [one.start for one in tuned if one.start.fitness > 0]
        # Once each, though one loss was given in two forms, or a member has the coefficients of an untuned loss.
        distinct = {one.expression: one for one in [*starts, *members]}
        chosen = choose_finalist(run, list(distinct.values()), seeds, evaluator)
        result |= _loss_record(chosen[0]) | {"finalists": [asdict(finalist) for finalist in chosen]}
        run.directory.write_json("result.json", result)
        best = next(finalist for finalist in chosen if finalist.expression in {one.expression for one in members})
        origin = next(one for one in tuned if best.expression in {member.expression for member in one.found})
        untuned = LossTree.parse(origin.start.expression)
        losses = {"tuned": best.tree, "untuned": untuned, f"untuned{BEST_RATE}": untuned}
        seeds = range(seeds.stop, seeds.stop + options.seeds)
        comparison = compare_losses(run, losses, seeds, options)
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
        comparison = compare_losses(run, options.trees, seeds, options, options.learning_rates)
    run.directory.write_json("result.json", _comparison_record(run, comparison, seeds))
    print_comparison(comparison, len(seeds), run.dataset.test_split, console)
    print_directory(run.directory, console)


#: For each command: its options, and what runs it.
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
            title=f"{run.dataset.name}, {options.recipe.steps} steps a candidate, seed {options.seed}",
            best=best.expression,
            generations=[asdict(record) for record in generations],
            tuning=[asdict(record) for record in tuning],
            losses={name: tree for name, tree in losses.items() if not name.endswith(BEST_RATE)},
            comparison=[asdict(loss) for loss in comparison.losses],
            test_split=run.dataset.test_split,
        ),
    )


def _loss_record(best: Finalist) -> dict[str, Any]:
    return {
        "expression": best.expression,
        "latex": to_latex(best.tree),
        "fitness": best.fitness,
        "mean_accuracy": best.mean_accuracy,
    }


def _choice_record(finalists: Sequence[Finalist]) -> dict[str, Any]:
    return _loss_record(finalists[0]) | {"finalists": [asdict(finalist) for finalist in finalists]}


def _tuning_record(tuned: Sequence[Tuned]) -> list[dict[str, Any]]:
    return [
        {
            "loss": one.loss,
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
