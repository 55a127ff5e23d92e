"""The commands, from options to files and a printed result."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console

from glojax.datasets import Dataset, load_dataset
from glojax.evaluation import Evaluation, LocalEvaluator
from glojax.expressions import LossTree, to_latex
from glojax.losses import find_loss
from glojax.networks import NETWORKS
from glojax.reporting import draw_summary
from glojax.search.comparison import BEST_RATE_NAME, Comparison, compare
from glojax.search.config import CommonOptions, CompareOptions, DiscoverOptions, RunOptions
from glojax.search.discovery import Discovered, Finalist, GenerationRecord, choose, discover, select_finalists
from glojax.search.progress import Display
from glojax.search.results import print_best, print_comparison
from glojax.search.run_directory import RunDirectory
from glojax.training import check_training

#: What the loss that was found is called in a comparison.
DISCOVERED = "discovered"

HALL_OF_FAME_SIZE = 20

#: Nodes by which a canonical form may outgrow its tree without a new compilation; it rarely does, by one to four.
CANONICAL_GROWTH = 8


def run_all(options: RunOptions, console: Console) -> None:
    """Discover, then compare the loss that was found with the standard ones."""
    dataset, directory = _begin(options, "run", console)
    with Display(console) as display:
        finalists, generations = _discover(options, dataset, directory, display)
        directory.write_json("result.json", _finalist_record(finalists))
        losses = {
            DISCOVERED: LossTree.parse(finalists[0].expression),
            "cross_entropy": find_loss("cross_entropy"),
            BEST_RATE_NAME: find_loss("cross_entropy"),
            "baikal": find_loss("baikal"),
        }
        # Fresh ones: `seed` served the search, the next ones the choice between the finalists.
        first = options.seed + 1 + options.finalist_seeds
        seeds = range(first, first + options.seeds)
        comparison = _compare(losses, seeds, options, dataset, display)
    result = _finalist_record(finalists) | _comparison_record(comparison, seeds)
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
    print_comparison(comparison, len(seeds), console)
    print_best(finalists[0], comparison, console)
    _print_end(directory, console)


def run_discover(options: DiscoverOptions, console: Console) -> None:
    """Discover alone."""
    dataset, directory = _begin(options, "discover", console)
    with Display(console) as display:
        finalists, _ = _discover(options, dataset, directory, display)
    directory.write_json("result.json", _finalist_record(finalists))
    print_best(finalists[0], None, console)
    _print_end(directory, console)


def run_compare(options: CompareOptions, console: Console) -> None:
    """Compare given losses."""
    losses = {name: find_loss("cross_entropy" if name == BEST_RATE_NAME else name) for name in options.losses}
    dataset, directory = _begin(options, "compare", console)
    seeds = range(options.seed, options.seed + options.seeds)
    with Display(console) as display:
        comparison = _compare(losses, seeds, options, dataset, display)
    directory.write_json("result.json", _comparison_record(comparison, seeds))
    print_comparison(comparison, len(seeds), console)
    _print_end(directory, console)


def _begin(options: CommonOptions, command: str, console: Console) -> tuple[Dataset, RunDirectory]:
    """Check options and data, then open the run directory, so that a mistake in the former leaves no trace."""
    dataset = load_dataset(options.dataset, options.data_dir)
    config = options.training_config("validation")
    check_training(NETWORKS[options.recipe.network], dataset, config)
    directory = RunDirectory(options.run_dir and Path(os.path.expanduser(options.run_dir)), command)
    sizes = {name: len(split) for name, split in dataset.splits.items()}
    directory.write_config(
        command,
        options={name: str(value) if isinstance(value, Path) else value for name, value in asdict(options).items()},
        resolved=asdict(config)
        | {"network": options.recipe.network, "dataset_sizes": sizes, "dataset_fingerprint": dataset.fingerprint},
    )
    console.print(
        f"{dataset.name}: {sizes['train']:,} training, {sizes['validation']:,} validation, "
        f"{sizes['test']:,} test images. {options.recipe.network}: {config.num_steps:,} SGD steps of "
        f"{config.batch_size} images, learning rate {config.learning_rate:g}.",
        highlight=False,
        soft_wrap=True,
    )
    return dataset, directory


def _discover(
    options: DiscoverOptions, dataset: Dataset, directory: RunDirectory, display: Display
) -> tuple[list[Finalist], list[GenerationRecord]]:
    """Search, choose between the finalists, and write the files of both."""
    evaluator = LocalEvaluator(
        NETWORKS[options.recipe.network],
        dataset,
        options.training_config("validation"),
        seed=options.seed,
        capacity=(options.genetic.max_nodes or 64) + CANONICAL_GROWTH,
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

    display.start_phase("Search", options.generations * options.genetic.population_size)
    found = discover(
        evaluator,
        options.genetic,
        options.generations,
        options.seed,
        on_evaluation=on_evaluation,
        on_generation=on_generation,
    )
    _write_hall_of_fame(directory, found[:HALL_OF_FAME_SIZE])
    finalists = select_finalists(found, options.finalists)
    seeds = range(options.seed + 1, options.seed + 1 + options.finalist_seeds)
    display.start_phase("Finalists", len(finalists) * len(seeds))
    return choose(finalists, evaluator, seeds, on_training=display.on_training), generations


def _write_hall_of_fame(directory: RunDirectory, found: Sequence[Discovered]) -> None:
    directory.write_csv(
        "hall_of_fame.csv",
        ("rank", "fitness", "size", "generation", "expression"),
        (
            (rank, one.evaluation.fitness, one.size, one.generation, one.evaluation.expression)
            for rank, one in enumerate(found, start=1)
        ),
    )


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


def _finalist_record(finalists: Sequence[Finalist]) -> dict[str, Any]:
    best = finalists[0]
    return {
        "expression": best.expression,
        "latex": to_latex(LossTree.parse(best.expression)),
        "fitness": best.fitness,
        "finalists": [asdict(finalist) for finalist in finalists],
    }


def _comparison_record(comparison: Comparison, seeds: Sequence[int]) -> dict[str, Any]:
    return {
        "seeds": list(seeds),
        "comparison": [asdict(loss) for loss in comparison.losses],
        "welch": [asdict(test) for test in comparison.welch],
    }


def _print_end(directory: RunDirectory, console: Console) -> None:
    console.print(f"Results: {directory.path}", highlight=False, markup=False, soft_wrap=True)
