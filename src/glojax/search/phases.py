"""The phases of a run: each trains, shows its progress and writes its files."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import jax
from rich.console import Console

from glojax.coefficients import CoefficientLayout, TuningConfig, default_population_size
from glojax.datasets import Dataset
from glojax.datasets.progress import FetchDisplay
from glojax.evaluation import Evaluation, LocalEvaluator
from glojax.expressions import LossTree
from glojax.networks import NETWORKS
from glojax.search.comparison import Comparison, compare
from glojax.search.config import CommonOptions, DiscoverOptions, SearchOptions
from glojax.search.discovery import Discovered, GenerationRecord, discover
from glojax.search.finalists import Finalist, choose
from glojax.search.progress import Display
from glojax.search.run_directory import RunDirectory
from glojax.search.tuning import Tuned, TuningRecord, tune
from glojax.training import check_training

HALL_OF_FAME_SIZE = 20

#: Nodes by which a canonical form may outgrow its tree without a new compilation; it rarely does, by one to four.
CANONICAL_GROWTH = 8


@dataclass(frozen=True)
class Run:
    """What all phases of a run need."""

    dataset: Dataset
    directory: RunDirectory
    display: Display
    devices: Sequence[jax.Device]


def begin(options: CommonOptions, command: str, console: Console) -> Run:
    """Check options and data, then open the run directory, so that a mistake in the former leaves no trace."""
    with FetchDisplay(console):
        dataset = options.load_dataset()
    devices = options.local_devices()
    config = options.training_config("validation")
    check_training(NETWORKS[options.recipe.network], dataset, config)
    directory = RunDirectory(options.run_dir and Path(os.path.expanduser(options.run_dir)), command)
    sizes = {name: len(split) for name, split in dataset.splits.items()}
    directory.write_config(
        command,
        options={name: str(value) if isinstance(value, Path) else value for name, value in asdict(options).items()},
        resolved=asdict(config)
        | {
            "network": options.recipe.network,
            "dataset_sizes": sizes,
            "dataset_fingerprint": dataset.fingerprint,
            "dataset_origin": dataset.origin,
            "test_split": dataset.test_split,
        },
    )
    console.print(
        f"{dataset.name}: {sizes['train']:,} training, {sizes['validation']:,} validation, "
        f"{sizes['test']:,} test images ({dataset.test_split}), from {dataset.origin}. {options.recipe.network}: "
        f"{config.num_steps:,} SGD steps of {config.batch_size:,} images, {options.rates_in_words}.",
        highlight=False,
        markup=False,
        soft_wrap=True,
    )
    return Run(dataset, directory, Display(console), devices)


def make_evaluator(run: Run, options: SearchOptions, max_nodes: int) -> LocalEvaluator:
    """What gives candidates of up to `max_nodes` nodes their fitness."""
    return LocalEvaluator(
        NETWORKS[options.recipe.network],
        run.dataset,
        options.training_config("validation"),
        seeds=options.seeds_of_search,
        capacity=max_nodes + CANONICAL_GROWTH,
        devices=run.devices,
        chunk_size=options.chunk_size,
        conv_lowering=options.conv_lowering,
    )


def discover_losses(
    run: Run, options: DiscoverOptions, evaluator: LocalEvaluator
) -> tuple[list[Discovered], list[GenerationRecord]]:
    """Search for losses: what was found, the best first, and what became of each generation."""
    generations: list[GenerationRecord] = []

    def on_generation(record: GenerationRecord) -> None:
        generations.append(record)
        run.directory.append_line("generations.jsonl", asdict(record))
        run.display.on_generation(record, options.generations)

    run.display.start_phase("Search", options.generations * options.genetic.population_size)
    found = discover(
        evaluator,
        options.genetic,
        options.generations,
        options.seed,
        on_evaluation=_Log(run, "discovery"),
        on_generation=on_generation,
    )
    run.directory.write_csv(
        "hall_of_fame.csv",
        ("rank", "fitness", "size", "generation", "expression"),
        (
            (rank, one.evaluation.fitness, one.size, one.generation, one.evaluation.expression)
            for rank, one in enumerate(found[:HALL_OF_FAME_SIZE], start=1)
        ),
    )
    return found, generations


def tune_losses(
    run: Run, losses: Sequence[LossTree], config: TuningConfig, seed: int, evaluator: LocalEvaluator
) -> tuple[list[Tuned], list[TuningRecord]]:
    """Tune the coefficients of losses: one result for each, and what became of each generation."""
    records: list[TuningRecord] = []

    def on_record(record: TuningRecord) -> None:
        records.append(record)
        run.directory.append_line("tuning.jsonl", asdict(record))
        run.display.on_tuning(record, config.generations)

    members = 0
    for tree in losses:
        num_coefficients = len(CoefficientLayout.of(tree, config.coefficients).places)
        members += config.population_size or default_population_size(num_coefficients)
    run.display.start_phase("Tuning", len(losses) + members * config.generations)
    tuned = tune(losses, evaluator, config, seed, on_evaluation=_Log(run, "tuning"), on_record=on_record)
    return tuned, records


def choose_finalist(
    run: Run, finalists: Sequence[Evaluation], seeds: Sequence[int], evaluator: LocalEvaluator
) -> list[Finalist]:
    """Train the finalists again with fresh seeds; the best first."""
    run.display.start_phase("Finalists", len(finalists) * len(seeds))
    return choose(finalists, evaluator, seeds, on_training=run.display.on_training)


def compare_losses(
    run: Run,
    losses: Mapping[str, LossTree],
    seeds: Sequence[int],
    options: CommonOptions,
    learning_rates: Sequence[float] | None = None,
) -> Comparison:
    """Compare losses on validation and test set."""
    return compare(
        losses,
        NETWORKS[options.recipe.network],
        run.dataset,
        options.training_config("validation", "test"),
        seeds,
        learning_rates=learning_rates,
        devices=run.devices,
        chunk_size=options.chunk_size,
        conv_lowering=options.conv_lowering,
        on_start=lambda total: run.display.start_phase("Comparison", total),
        on_training=run.display.on_training,
    )


@dataclass(frozen=True)
class _Log:
    """Writes a line for each new evaluation of a phase, and shows it."""

    run: Run
    phase: str

    def __call__(self, evaluation: Evaluation, generation: int) -> None:
        if evaluation.status != "cached":
            record: dict[str, Any] = asdict(evaluation) | {"phase": self.phase, "generation": generation}
            self.run.directory.append_line("candidates.jsonl", record)
        self.run.display.on_evaluation(evaluation)
