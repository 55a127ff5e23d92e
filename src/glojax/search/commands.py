"""The commands, from options to files and a printed result."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from glojax.datasets import Dataset, load_dataset
from glojax.evaluation import Evaluation, LocalEvaluator
from glojax.expressions import LossTree, to_latex
from glojax.losses import find_loss
from glojax.networks import NETWORKS
from glojax.reporting import draw_summary
from glojax.search.comparison import BEST_RATE_NAME, ComparedLoss, Comparison, compare
from glojax.search.config import CommonOptions, CompareOptions, DiscoverOptions, RunOptions
from glojax.search.discovery import Discovered, GenerationRecord, discover
from glojax.search.progress import Display
from glojax.search.run_directory import RunDirectory

#: What the best loss found is called in a comparison.
DISCOVERED = "discovered"

HALL_OF_FAME_SIZE = 20


def run_all(options: RunOptions, console: Console) -> None:
    """Discover, then compare the best loss found with the standard ones."""
    dataset, directory = _begin(options, "run", console)
    with Display(console) as display:
        found, generations = _discover(options, dataset, directory, display)
        best = found[0].evaluation
        losses = {
            DISCOVERED: LossTree.parse(best.expression),
            "cross_entropy": find_loss("cross_entropy"),
            BEST_RATE_NAME: find_loss("cross_entropy"),
            "baikal": find_loss("baikal"),
        }
        # Seeds that the search, which trained with `seed` alone, has not seen.
        seeds = range(options.seed + 1, options.seed + 1 + options.seeds)
        comparison = _compare(losses, seeds, options, dataset, display)
    result = _best_record(best) | _comparison_record(comparison, seeds)
    directory.write_json("result.json", result)
    directory.write_file(
        "summary.png",
        lambda path: draw_summary(
            path,
            title=f"{dataset.name}, {options.recipe.steps} steps a candidate, seed {options.seed}",
            generations=[asdict(record) for record in generations],
            losses={name: tree for name, tree in losses.items() if name != BEST_RATE_NAME},
            comparison=result["comparison"],
        ),
    )
    _print_comparison(comparison, len(seeds), console)
    _print_best(best, comparison, console)
    _print_end(directory, console)


def run_discover(options: DiscoverOptions, console: Console) -> None:
    """Discover alone."""
    dataset, directory = _begin(options, "discover", console)
    with Display(console) as display:
        found, _ = _discover(options, dataset, directory, display)
    directory.write_json("result.json", _best_record(found[0].evaluation))
    _print_best(found[0].evaluation, None, console)
    _print_end(directory, console)


def run_compare(options: CompareOptions, console: Console) -> None:
    """Compare given losses."""
    losses = {name: find_loss("cross_entropy" if name == BEST_RATE_NAME else name) for name in options.losses}
    dataset, directory = _begin(options, "compare", console)
    seeds = range(options.seed, options.seed + options.seeds)
    with Display(console) as display:
        comparison = _compare(losses, seeds, options, dataset, display)
    directory.write_json("result.json", _comparison_record(comparison, seeds))
    _print_comparison(comparison, len(seeds), console)
    _print_end(directory, console)


def _begin(options: CommonOptions, command: str, console: Console) -> tuple[Dataset, RunDirectory]:
    """Load the data, then open the run directory, so that a mistake in the former leaves no trace."""
    dataset = load_dataset(options.dataset, options.data_dir)
    options.training_config("validation")
    directory = RunDirectory(options.run_dir, command)
    sizes = {name: len(split) for name, split in dataset.splits.items()}
    recipe = options.recipe
    directory.write_config(
        command,
        options={name: str(value) if isinstance(value, Path) else value for name, value in asdict(options).items()},
        resolved=recipe._asdict() | {"dataset_sizes": sizes, "dataset_fingerprint": dataset.fingerprint},
    )
    console.print(
        f"{dataset.name}: {sizes['train']:,} training, {sizes['validation']:,} validation and {sizes['test']:,} test images. "
        f"{recipe.network}, {recipe.steps:,} SGD steps of {recipe.batch_size} at learning rate {recipe.learning_rate:g}.",
        highlight=False,
    )
    return dataset, directory


def _discover(
    options: DiscoverOptions, dataset: Dataset, directory: RunDirectory, display: Display
) -> tuple[list[Discovered], list[GenerationRecord]]:
    evaluator = LocalEvaluator(
        NETWORKS[options.recipe.network],
        dataset,
        options.training_config("validation"),
        seed=options.seed,
        capacity=options.genetic.max_nodes or 64,
    )
    generations: list[GenerationRecord] = []

    def on_evaluation(evaluation: Evaluation, generation: int) -> None:
        if evaluation.status != "cached":
            directory.append_line("candidates.jsonl", asdict(evaluation) | {"generation": generation})
        display.on_evaluation(evaluation)

    def on_generation(record: GenerationRecord) -> None:
        generations.append(record)
        directory.append_line("generations.jsonl", asdict(record))
        display.on_generation(record, options.generations)

    display.start_phase("Generation 1", options.generations * options.genetic.population_size)
    found = discover(
        evaluator,
        options.genetic,
        options.generations,
        options.seed,
        on_evaluation=on_evaluation,
        on_generation=on_generation,
    )
    trained = [one for one in found if one.evaluation.status == "trained"]
    directory.write_csv(
        "hall_of_fame.csv",
        ("rank", "fitness", "size", "generation", "expression"),
        (
            (rank, one.evaluation.fitness, one.size, one.generation, one.evaluation.expression)
            for rank, one in enumerate(trained[:HALL_OF_FAME_SIZE], start=1)
        ),
    )
    return found, generations


def _compare(
    losses: Mapping[str, LossTree], seeds: Sequence[int], options: CommonOptions, dataset: Dataset, display: Display
) -> Comparison:
    return compare(
        losses,
        NETWORKS[options.recipe.network],
        dataset,
        options.training_config("validation", "test"),
        seeds,
        on_start=lambda total: display.start_phase("Comparison", total),
        on_training=display.on_training,
    )


def _best_record(best: Evaluation) -> dict[str, Any]:
    tree = LossTree.parse(best.expression)
    return {"expression": best.expression, "latex": to_latex(tree), "fitness": best.fitness}


def _comparison_record(comparison: Comparison, seeds: Sequence[int]) -> dict[str, Any]:
    return {
        "seeds": list(seeds),
        "comparison": [asdict(loss) for loss in comparison.losses],
        "welch": [asdict(test) for test in comparison.welch],
    }


def _print_comparison(comparison: Comparison, num_seeds: int, console: Console) -> None:
    first = comparison.losses[0]
    table = Table(title=f"Accuracy over {num_seeds} fresh seeds, mean (standard deviation)", title_justify="left")
    table.add_column("loss")
    for column in ("learning rate", "validation", "test", f"Welch p against {first.name}"):
        table.add_column(column, justify="right")
    for loss in comparison.losses:
        p_value = None if loss is first else comparison.p_value(first.name, loss.name)
        table.add_row(
            escape(loss.name),
            f"{loss.learning_rate:g}",
            _mean_and_sd(loss.validation_accuracy.mean, loss.validation_accuracy.sd),
            _mean_and_sd(loss.test_accuracy.mean, loss.test_accuracy.sd),
            "" if p_value is None else f"{p_value:.2g}",
        )
    console.print(table)
    for loss in comparison.losses:
        if loss.non_finite:
            console.print(f"{escape(loss.name)}: {loss.non_finite} of {num_seeds} trainings broke off, counted as 0.")


def _mean_and_sd(mean: float, sd: float | None) -> str:
    return f"{mean:.4f}" if sd is None else f"{mean:.4f} ({sd:.4f})"


def _print_best(best: Evaluation, comparison: Comparison | None, console: Console) -> None:
    console.print(f"\nBest loss found: [bold]{escape(best.expression)}[/bold]", highlight=False, soft_wrap=True)
    console.print(f"LaTeX: {escape(to_latex(LossTree.parse(best.expression)))}", highlight=False, soft_wrap=True)
    console.print("minimised as minus its sum over the classes; x is the label, y the probability.", highlight=False)
    if comparison is None:
        console.print(f"Validation accuracy in the search: {best.fitness:.4f}", highlight=False)
        return
    found, *others = comparison.losses
    console.print(
        f"Test accuracy {found.test_accuracy.mean:.4f}; " + "; ".join(_against(found, other) for other in others) + ".",
        highlight=False,
    )


def _against(found: ComparedLoss, other: ComparedLoss) -> str:
    difference = found.test_accuracy.mean - other.test_accuracy.mean
    return f"{difference:+.4f} against {other.name}"


def _print_end(directory: RunDirectory, console: Console) -> None:
    console.print(f"Results: {directory.path}", highlight=False, soft_wrap=True)
