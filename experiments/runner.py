"""Trainings of any losses, seeds and learning rates on all local devices.

The library's evaluator does those that are measured in the end only; `curves` does those that are measured on the way.
"""

import time
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import jax
from rich.console import Console

from experiments.curves import Record, train_curves
from experiments.records import Records, training_record
from experiments.trainings import Training
from glojax.datasets import Dataset, DatasetSource
from glojax.evaluation import LocalEvaluator
from glojax.networks import NETWORKS
from glojax.search.progress import Display
from glojax.training import check_training


def train_all(
    trainings: Sequence[Training],
    records: Records,
    data_dir: Path | None,
    devices: Sequence[jax.Device],
    console: Console,
) -> None:
    """Do trainings, the short ones first, and write the record of each as soon as it has ended.

    Args:
        trainings: The trainings, each once.
        records: Takes the records.
        data_dir: Folder with the data set's files; None for the cache.
        devices: Each does one training at a time or, unless it is a CPU, many of one kind.
        console: Shows the progress.

    Raises:
        KeyboardInterrupt: The user stopped it. A training that is measured on the way is saved, and goes on later.
        GlojaxError: Data and configuration do not fit each other.
    """
    load = cache(DatasetSource.load)
    # All mistakes are reported before hours of work.
    for training in trainings:
        check_training(NETWORKS[training.network], load(training.source(data_dir)), training.config)
        _ = training.tree

    def record(training: Training, outcome: dict[str, Any], seconds: float) -> None:
        dataset = load(training.source(data_dir))
        records.write_training(training, training_record(training, dataset, outcome, seconds))
        non_finite = "" if outcome["finite"] else f", not finite after {outcome['num_steps']} steps"
        accuracies = f"validation {outcome['validation'][-1]:.4f}, test {outcome['test'][-1]:.4f}"
        text = f"{training.dataset} {training.name}: {accuracies}{non_finite}, {seconds:.0f} s"
        console.print(text, highlight=False, markup=False, soft_wrap=True)

    in_order = sorted(trainings, key=lambda training: training.steps)
    curves = [training for training in in_order if training.is_curve]
    # The trainings of a population have one network, data set and configuration, rate and number of steps aside.
    populations: dict[tuple[DatasetSource, str], list[Training]] = {}
    for training in in_order:
        if not training.is_curve:
            populations.setdefault((training.source(data_dir), training.class_reduction), []).append(training)
    with Display(console) as display:
        if populations:
            display.start_phase("Population", len(trainings) - len(curves), "trainings")
        for (source, _), population in populations.items():
            _train_population(population, load(source), devices, record, display)
    train_curves({training: load(training.source(data_dir)) for training in curves}, devices, record, console)


def _train_population(
    trainings: Sequence[Training], dataset: Dataset, devices: Sequence[jax.Device], record: Record, display: Display
) -> None:
    on_cpu = devices[0].platform == "cpu"
    evaluator = LocalEvaluator(
        NETWORKS[trainings[0].network],
        dataset,
        trainings[0].config,
        trainings[0].rule,
        devices=devices,
        # On a CPU one at a time, and with the lowering of curves: both ways give the same accuracies.
        chunk_size=1 if on_cpu else None,
        conv_lowering="canonical" if on_cpu else None,
        on_training=display.on_training,
    )
    started = time.perf_counter()
    try:
        pending = {evaluator.submit([training.tree], training.rule)[0]: training for training in trainings}
        while pending:
            for ticket, evaluation in evaluator.wait():
                training = pending.pop(ticket)
                (trial,) = evaluation.trials
                outcome = {
                    "steps": [training.steps],
                    **{split: evaluation.scores(split) for split in ("validation", "test")},
                    "histogram": None,
                    "finite": trial.finite,
                    "num_steps": trial.num_steps,
                }
                now = time.perf_counter()
                record(training, outcome, now - started)
                started = now
    finally:
        evaluator.cancel()
