"""The opening of a run: checks, data, network, devices or workers, and the run directory."""

import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from functools import partial
from typing import Any

from rich.console import Console

from glojax.datasets import Dataset
from glojax.datasets.progress import FetchDisplay
from glojax.errors import ClusterError, ConfigurationError, GlojaxError
from glojax.evaluation import (
    DevicePool,
    FitnessRule,
    PoolEvaluator,
    TrainingJournal,
    TrainingPool,
    device_names,
    platform,
    training_devices,
)
from glojax.expressions import Domain
from glojax.files import expanded
from glojax.losses import find_tree
from glojax.losses.program import known_operators
from glojax.search.comparison import require_variables
from glojax.search.config_file import FILE, accept, go_on_command, run_config
from glojax.search.event_file import EventFile
from glojax.search.execution import ResumeOptions, open_cluster
from glojax.search.given_options import CompareOptions
from glojax.search.named_network import find_network
from glojax.search.options import CommonOptions, DiscoverOptions, SearchOptions
from glojax.search.progress import Display
from glojax.search.rates import require_shapes
from glojax.search.recipes import fitting_network
from glojax.search.run import Run
from glojax.search.run_directory import RunDirectory, require_free, unwritable
from glojax.strategies import find_constraint
from glojax.tasks import TASKS
from glojax.terminal import print_text
from glojax.training import computation_identity, make_train


@contextmanager
def running(options: CommonOptions, command: str, console: Console, resume: ResumeOptions | None) -> Iterator[Run]:
    """Check options and data, then open the run directory, so that a mistake leaves no trace."""
    if resume is not None:
        # Check it now, and not after hours of waiting for workers.
        RunDirectory.reopen(expanded(resume.run_dir)).release()
    elif options.run_dir is not None:
        require_free(expanded(options.run_dir))
    with nullcontext() if console.quiet else FetchDisplay(console):
        dataset = options.dataset_source.load()
    if command != "discover":
        _require_test_set(dataset, command)
    if isinstance(options, DiscoverOptions) and options.preset == "shape":
        num_classes = dataset.num_outputs
        given = options.standard_trees(num_classes).values(), options.initial_trees(num_classes)
        require_shapes(dataset, *given, options.training.prob_epsilon)
    domain = TASKS[dataset.task].domain
    _require_domain(options, domain)
    network_name = options.network or fitting_network(dataset)
    network = find_network(network_name)
    resolved = {
        "computation": computation_identity(make_train(network, dataset, options.training)),
        "dataset_sizes": {name: len(split) for name, split in dataset.splits.items()},
        "dataset_fingerprint": dataset.fingerprint,
        "dataset_origin": dataset.origin,
        "test_split": dataset.test_split,
        "task": dataset.task,
        "network": network_name,
    }
    with EventFile(options.execution.tensorboard) as events, open_cluster(options.execution, console) as cluster:
        if cluster is None:
            devices = training_devices(options.execution.devices)
            current = run_config(command, options, resolved, device_names(devices), platform())
        else:
            workers, limits = cluster
            current = run_config(command, options, resolved, workers.devices, workers.platform)
        with _open(options, command, current, resume) as directory:
            journal = TrainingJournal(directory.path / "trainings.jsonl")
            print_text(_description(options, dataset, network_name), console, wraps=True)
            done = f"Going on with {directory.path}: {len(journal):,} trainings are done."
            print_text(f"Run directory: {directory.path}" if resume is None else done, console)
            display = Display(console)
            how: Any = {"chunk_size": options.chunk_size, "conv_lowering": options.conv_lowering}
            if isinstance(options, DiscoverOptions):
                trees = options.initial_trees(dataset.num_outputs)
                if options.preset == "shape":
                    trees += options.standard_trees(dataset.num_outputs).values()
                how["operators"] = known_operators(trees, options.genetic.operator_weights, domain)
            pool: TrainingPool
            if cluster is None:
                pool = DevicePool(network, dataset, devices=devices, **how)
            else:
                from glojax.cluster.cluster_pool import ClusterPool  # needs the extra [cluster]

                how |= {"limits": limits, "on_progress": display.on_cluster}
                pool = ClusterPool(network, options.dataset_source, dataset, workers, **how)
            training = replace(options.training, splits=("validation",))
            by_rule = partial(PoolEvaluator, pool, training, journal=journal, on_training=display.on_training)
            seeds = tuple(options.seeds_of_search) if isinstance(options, SearchOptions) else (0,)
            yield Run(dataset, directory, display, by_rule(FitnessRule(seeds)), by_rule, events)
            journal.put_in_order()
            directory.finish()


def _require_test_set(dataset: Dataset, command: str) -> None:
    """Raise ConfigurationError if there is nothing to compare losses on."""
    if dataset.test is None:
        what = "A search" if command == "run" else command
        raise ConfigurationError(
            f"{what} compares losses on a test set, and {dataset.name} has none; give it one, hold one out with "
            "--test-split held-out, or use discover."
        )


def _require_domain(options: CommonOptions, domain: Domain) -> None:
    """Raise an error for a loss or a constraint that is not for x and y of this domain."""
    for loss in options.named_losses:
        find_tree(loss, domain)
    if isinstance(options, DiscoverOptions):
        find_constraint(options.constraint, domain)
    if isinstance(options, CompareOptions):
        require_variables(options.trees().values(), domain)


def _description(options: CommonOptions, dataset: Dataset, network: str) -> str:
    """Return data, network and training in words."""
    sizes = {name: len(split) for name, split in dataset.splits.items()}
    rates = f"learning rate {options.training.learning_rate:g}"
    if isinstance(options, CompareOptions) and options.learning_rates is not None:
        listed = ", ".join(f"{rate:g}" for rate in options.learning_rates)
        rates = f"each loss at its best learning rate of {listed}"
    elif isinstance(options, DiscoverOptions) and options.preset == "shape":
        rates = "each loss at its best learning rate"
    tested = f"{sizes['test']:,} test examples ({dataset.test_split})" if dataset.test else "no test examples"
    return (
        f"{dataset.name}: {sizes['train']:,} training, {sizes['validation']:,} validation, "
        f"{tested}, from {dataset.origin}. "
        f"{network}: {options.training.num_steps:,} steps of {options.training.batch_size:,} examples "
        f"by {options.training.optimizer}, {rates}."
    )


@contextmanager
def _open(
    options: CommonOptions, command: str, current: Mapping[str, Any], resume: ResumeOptions | None
) -> Iterator[RunDirectory]:
    """Open the run directory; an error that ends the run says how to go on."""
    if resume is None:
        directory = RunDirectory.create(options.run_dir and expanded(options.run_dir), command)
    else:
        directory = RunDirectory.reopen(expanded(resume.run_dir))

    def go_on() -> str:
        if not (directory.path / FILE).exists():
            return f"begin again with the same command and --run-dir {shlex.quote(str(directory.path))}"
        return f"go on with: {go_on_command(directory.path, current)}{options.execution.cluster_in_words}"

    try:
        if resume is None:
            directory.write_json(FILE, current)
        else:
            accept(directory, current, resume.allow_version_change)
        from glojax.search.report.writing import reported  # matplotlib takes as long as the rest to import

        with reported(directory.path):
            yield directory
    except ClusterError as error:
        raise ClusterError(f"{error} What is done is saved; {go_on()}") from error
    except GlojaxError:  # an UnfitFileError, too, though it is an OSError
        raise
    except OSError as error:
        raise unwritable(directory.path, error, f"then {go_on()}") from error
    except BaseException as error:
        error.add_note(f"What is done is saved; {go_on()}")
        raise
    finally:
        directory.release()
