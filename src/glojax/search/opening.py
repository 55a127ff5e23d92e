"""The opening of a run: checks, data, devices or workers, and the run directory."""

import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from rich.console import Console

from glojax.datasets.progress import FetchDisplay
from glojax.errors import ClusterError, GlojaxError
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
from glojax.networks import NETWORKS
from glojax.search.config_file import FILE, accept, run_config
from glojax.search.execution import ResumeOptions, open_cluster
from glojax.search.options import CommonOptions, CompareOptions, SearchOptions
from glojax.search.phases import Run
from glojax.search.progress import Display
from glojax.search.results import print_text
from glojax.search.run_directory import RunDirectory, require_free, writing
from glojax.training import computation_identity, make_train


@contextmanager
def running(options: CommonOptions, command: str, console: Console, resume: ResumeOptions | None) -> Iterator[Run]:
    """Check options and data, then open the run directory, so that a mistake leaves no trace."""
    if resume is not None:
        # Check it now, and not after hours of waiting for workers.
        RunDirectory.reopen(resume.run_dir.expanduser()).release()
    elif options.run_dir is not None:
        require_free(options.run_dir.expanduser())
    with FetchDisplay(console):
        dataset = options.dataset_source.load()
    network = NETWORKS[options.network]
    sizes = {name: len(split) for name, split in dataset.splits.items()}
    resolved = {
        "computation": computation_identity(make_train(network, dataset, options.training)),
        "dataset_sizes": sizes,
        "dataset_fingerprint": dataset.fingerprint,
        "dataset_origin": dataset.origin,
        "test_split": dataset.test_split,
    }
    with open_cluster(options.execution, console) as cluster:
        if cluster is None:
            devices = training_devices(options.execution.devices)
            current = run_config(command, options, resolved, device_names(devices), platform())
        else:
            workers, limits = cluster
            current = run_config(command, options, resolved, workers.devices, workers.platform)
        with _open(options, command, current, resume) as directory:
            journal = TrainingJournal(directory.path / "trainings.jsonl")
            rates = f"learning rate {options.training.learning_rate:g}"
            if isinstance(options, CompareOptions) and options.learning_rates is not None:
                listed = ", ".join(f"{rate:g}" for rate in options.learning_rates)
                rates = f"each loss at its best learning rate of {listed}"
            done = "" if resume is None else f"\nGoing on with {directory.path}: {len(journal):,} trainings are done."
            print_text(
                f"{dataset.name}: {sizes['train']:,} training, {sizes['validation']:,} validation, "
                f"{sizes['test']:,} test images ({dataset.test_split}), from {dataset.origin}. "
                f"{options.network}: {options.training.num_steps:,} steps of {options.training.batch_size:,} images "
                f"by {options.training.optimizer}, {rates}.{done}",
                console,
            )
            display = Display(console)
            how: Any = {"chunk_size": options.chunk_size, "conv_lowering": options.conv_lowering}
            pool: TrainingPool
            if cluster is None:
                pool = DevicePool(network, dataset, devices=devices, **how)
            else:
                from glojax.cluster.cluster_pool import ClusterPool  # needs the extra [cluster]

                how |= {"limits": limits, "on_progress": display.on_cluster}
                pool = ClusterPool(network, options.dataset_source, dataset, workers, **how)
            evaluator = PoolEvaluator(
                pool,
                replace(options.training, splits=("validation",)),
                FitnessRule(tuple(options.seeds_of_search)) if isinstance(options, SearchOptions) else None,
                journal=journal,
                on_training=display.on_training,
            )
            yield Run(dataset, directory, display, evaluator)
            journal.put_in_order()
            directory.finish()


@contextmanager
def _open(
    options: CommonOptions, command: str, current: Mapping[str, Any], resume: ResumeOptions | None
) -> Iterator[RunDirectory]:
    """Open the run directory; an error that ends the run says how to go on."""
    if resume is None:
        directory = RunDirectory.create(options.run_dir and options.run_dir.expanduser(), command)
    else:
        directory = RunDirectory.reopen(resume.run_dir.expanduser())
    folder = shlex.quote(str(directory.path))
    go_on = f"python -m glojax.search resume {folder}{options.execution.cluster_in_words}"
    try:
        with writing(directory.path, f"then go on with: {go_on}"):
            if resume is None:
                directory.write_json(FILE, current)
            else:
                accept(directory, current, resume.allow_version_change)
            yield directory
    except ClusterError as error:
        raise ClusterError(f"{error} What is done is saved. Go on with: {go_on}") from error
    except GlojaxError:
        raise
    except BaseException as error:
        error.add_note(f"What is done is saved. Go on with: {go_on}")
        raise
    finally:
        directory.release()
