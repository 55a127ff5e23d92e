"""The phases of a run: each trains, shows its progress and writes its files."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import jax
from rich.console import Console

from glojax.cluster.settings import Limits
from glojax.coefficients import CoefficientLayout, TuningConfig, default_population_size
from glojax.datasets import Dataset
from glojax.datasets.progress import FetchDisplay
from glojax.errors import ClusterError, GlojaxError
from glojax.evaluation import (
    Evaluation,
    Evaluator,
    PopulationTrainer,
    Trainer,
    TrainingEvaluator,
    TrainingJournal,
    device_names,
    platform,
    training_devices,
)
from glojax.expressions import LossTree
from glojax.networks import NETWORKS
from glojax.search.asynchronous import discover_asynchronously
from glojax.search.cluster_options import open_cluster, read_settings
from glojax.search.comparison import Comparison, compare
from glojax.search.config import CommonOptions, DiscoverOptions, SearchOptions
from glojax.search.discovery import Discovered, GenerationRecord, discover
from glojax.search.execution import ExecutionOptions, ResumeOptions
from glojax.search.finalists import Finalist, choose
from glojax.search.progress import Display
from glojax.search.run_config import FILE, accept, run_config
from glojax.search.run_directory import RunDirectory, require_free, unwritable
from glojax.search.tuning import Tuned, TuningRecord, tune
from glojax.training import TrainingConfig, check_training

if TYPE_CHECKING:
    from glojax.evaluation.fleet import Fleet

HALL_OF_FAME_SIZE = 20

#: Nodes by which a canonical form may outgrow its tree without a new compilation; it rarely does, by one to four.
CANONICAL_GROWTH = 8


@dataclass(frozen=True)
class Cluster:
    """Where a run trains if not here: its workers, and the limits of what they are given."""

    fleet: "Fleet"
    limits: Limits


@dataclass(frozen=True)
class Run:
    """What all phases of a run need; `devices` are of this process, and train unless there is a cluster."""

    dataset: Dataset
    directory: RunDirectory
    journal: TrainingJournal
    display: Display
    devices: Sequence[jax.Device]
    cluster: Cluster | None


@contextmanager
def running(options: CommonOptions, command: str, console: Console, resume: ResumeOptions | None) -> Iterator[Run]:
    """Check options and data, then open the run directory, so that a mistake in the former leaves no trace.

    Args:
        options: Of the run.
        command: What it does.
        console: Where the user is told.
        resume: How to go on with a run that was interrupted; None begins one.
    """
    if resume is not None:
        # Now, and not when hours were waited for workers.
        RunDirectory.reopen(resume.run_dir.expanduser()).release()
    elif options.run_dir is not None:
        require_free(options.run_dir.expanduser())
    with FetchDisplay(console):
        dataset = options.dataset_source.load()
    network = NETWORKS[options.recipe.network]
    config = options.training_config("validation")
    check_training(network, dataset, config)
    sizes = {name: len(split) for name, split in dataset.splits.items()}
    resolved = asdict(config) | {
        "network": options.recipe.network,
        "dataset_sizes": sizes,
        "dataset_fingerprint": dataset.fingerprint,
        "dataset_origin": dataset.origin,
        "test_split": dataset.test_split,
    }
    with _workers(options.execution, console) as cluster:
        if cluster is None:
            devices = training_devices(options.execution.devices)
            there = device_names(devices), platform()
        else:
            devices = []
            there = cluster.fleet.devices, cluster.fleet.platform
        current = run_config(command, options, resolved, *there)
        with _open(options, command, current, resume) as directory:
            journal = directory.open_journal()
            done = "" if resume is None else f"\nGoing on with {directory.path}: {len(journal):,} trainings are done."
            console.print(
                f"{dataset.name}: {sizes['train']:,} training, {sizes['validation']:,} validation, "
                f"{sizes['test']:,} test images ({dataset.test_split}), from {dataset.origin}. "
                f"{options.recipe.network}: {config.num_steps:,} SGD steps of {config.batch_size:,} images, "
                f"{options.rates_in_words}.{done}",
                highlight=False,
                markup=False,
                soft_wrap=True,
            )
            yield Run(dataset, directory, journal, Display(console), devices, cluster)
            journal.put_in_order()
            directory.finish()


@contextmanager
def _workers(execution: ExecutionOptions, console: Console) -> Iterator[Cluster | None]:
    """The cluster that was asked for, once there is a worker; None where this process trains."""
    if execution.cluster is None:
        yield None
        return
    settings = read_settings(execution.cluster, execution.cluster_config)
    with open_cluster(execution.cluster, settings, execution.devices) as fleet:
        console.print(
            f"Waiting for a worker of {execution.cluster}, at {fleet.address}.",
            highlight=False,
            markup=False,
        )
        fleet.wait_for_workers(1)
        yield Cluster(fleet, settings.limits)


@contextmanager
def _open(
    options: CommonOptions, command: str, current: Mapping[str, Any], resume: ResumeOptions | None
) -> Iterator[RunDirectory]:
    """The run directory; whatever ends the run is said with what can be done about it."""
    if resume is None:
        directory = RunDirectory.create(options.run_dir and options.run_dir.expanduser(), command)
    else:
        directory = RunDirectory.reopen(resume.run_dir.expanduser())
    go_on = directory.resume_command + options.execution.cluster_in_words
    try:
        if resume is None:
            directory.write_json(FILE, current)
        else:
            accept(directory, current, resume.allow_version_change)
        yield directory
    except OSError as error:
        raise unwritable(directory.path, error, f"then go on with: {go_on}") from error
    except ClusterError as error:
        raise ClusterError(f"{error} What is done is saved. Go on with: {go_on}") from error
    except GlojaxError:
        raise
    except BaseException as error:
        error.add_note(f"What is done is saved. Go on with: {go_on}")
        raise
    finally:
        directory.release()


def make_evaluator(run: Run, options: SearchOptions, max_nodes: int) -> TrainingEvaluator:
    """What gives candidates of up to `max_nodes` nodes their fitness."""
    trainer = _make_trainer(run, options, options.training_config("validation"), max_nodes + CANONICAL_GROWTH)
    return TrainingEvaluator(trainer, options.seeds_of_search)


def _make_trainer(run: Run, options: CommonOptions, config: TrainingConfig, capacity: int) -> Trainer:
    """What trains here, or on the cluster."""
    network = NETWORKS[options.recipe.network]
    if run.cluster is None:
        return PopulationTrainer(
            network,
            run.dataset,
            config,
            capacity=capacity,
            devices=run.devices,
            chunk_size=options.chunk_size,
            conv_lowering=options.conv_lowering,
            journal=run.journal,
        )
    from glojax.evaluation.cluster import ClusterTrainer

    return ClusterTrainer(
        network,
        run.dataset,
        config,
        source=options.dataset_source,
        fleet=run.cluster.fleet,
        limits=run.cluster.limits,
        capacity=capacity,
        chunk_size=options.chunk_size,
        conv_lowering=options.conv_lowering,
        journal=run.journal,
        on_progress=run.display.on_cluster,
    )


def discover_losses(
    run: Run, options: DiscoverOptions, evaluator: Evaluator
) -> tuple[list[Discovered], list[GenerationRecord]]:
    """Search for losses: what was found, the best first, and what became of each generation."""
    generations: list[GenerationRecord] = []

    def on_generation(record: GenerationRecord) -> None:
        record = GenerationRecord(**run.directory.append_line("generations.jsonl", asdict(record)))
        generations.append(record)
        run.display.on_generation(record, options.generations)

    run.display.start_phase("Search", options.generations * options.genetic.population_size)
    genetic = (evaluator, options.genetic, options.generations, options.seed)
    on_evaluation = _Log(run, "discovery")
    if options.asynchronous:
        log = run.directory.open_events()
        found = discover_asynchronously(*genetic, log=log, on_evaluation=on_evaluation, on_generation=on_generation)
    else:
        found = discover(*genetic, on_evaluation=on_evaluation, on_generation=on_generation)
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
    run: Run, losses: Sequence[LossTree], config: TuningConfig, seed: int, evaluator: Evaluator
) -> tuple[list[Tuned], list[TuningRecord]]:
    """Tune the coefficients of losses: one result for each, and what became of each generation."""
    records: list[TuningRecord] = []

    def on_record(record: TuningRecord) -> None:
        record = TuningRecord(**run.directory.append_line("tuning.jsonl", asdict(record)))
        records.append(record)
        run.display.on_tuning(record, config.generations)

    members = 0
    for tree in losses:
        num_coefficients = len(CoefficientLayout.of(tree, config.coefficients).places)
        members += config.population_size or default_population_size(num_coefficients)
    run.display.start_phase("Tuning", len(losses) + members * config.generations)
    tuned = tune(losses, evaluator, config, seed, on_evaluation=_Log(run, "tuning"), on_record=on_record)
    return tuned, records


def choose_finalist(
    run: Run, finalists: Sequence[Evaluation], seeds: Sequence[int], evaluator: Evaluator
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
    trainer = _make_trainer(run, options, options.training_config("validation", "test"), capacity=1)
    return compare(
        losses,
        trainer,
        seeds,
        learning_rates=learning_rates,
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
