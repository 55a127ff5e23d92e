"""A run: its opening, with checks, data, devices or workers and run directory, and its phases."""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from rich.console import Console

from glojax.datasets import Dataset
from glojax.datasets.progress import FetchDisplay
from glojax.errors import ClusterError, ConfigurationError, GlojaxError
from glojax.evaluation import (
    DevicePool,
    Evaluation,
    FitnessRule,
    PoolEvaluator,
    TrainingJournal,
    TrainingPool,
    device_names,
    platform,
    training_devices,
)
from glojax.expressions import Domain, LossTree
from glojax.files import expanded
from glojax.losses import find_tree
from glojax.losses.program import known_operators
from glojax.search.comparison import Comparison, compare, comparison_rule
from glojax.search.config_file import FILE, accept, go_on_command, run_config
from glojax.search.execution import ResumeOptions, open_cluster
from glojax.search.finalists import Finalist, choose
from glojax.search.generations import Discovered, GenerationRecord, discover
from glojax.search.logs import EventLog
from glojax.search.named_network import find_network
from glojax.search.options import CommonOptions, CompareOptions, DiscoverOptions, SearchOptions
from glojax.search.progress import Display
from glojax.search.recipes import fitting_network
from glojax.search.run_directory import DISCOVERY_EVENTS, TUNING_EVENTS, RunDirectory, require_free, unwritable
from glojax.search.tuning import Tuned, TuningRecord, tune
from glojax.strategies import TuningConfig
from glojax.strategies.coefficients import CoefficientLayout, default_population_size
from glojax.tasks import TASKS, Task
from glojax.terminal import print_text
from glojax.training import computation_identity, make_train, metric_name

HALL_OF_FAME_SIZE = 20


@dataclass(frozen=True)
class Run:
    """The parts that all phases of a run use, and the summaries and results of discovery and tuning."""

    dataset: Dataset
    directory: RunDirectory
    display: Display
    evaluator: PoolEvaluator
    generations: list[GenerationRecord] = field(default_factory=list)
    tuning: list[TuningRecord] = field(default_factory=list)
    tuned: list[Tuned] = field(default_factory=list)

    @property
    def task(self) -> Task:
        """What the networks learn."""
        return TASKS[self.dataset.task]

    @property
    def domain(self) -> Domain:
        """Where x and y of the losses lie."""
        return self.task.domain

    @property
    def metric_name(self) -> str:
        """The name of the metric."""
        return metric_name(self.evaluator.config.metric or self.task.metrics[0])

    def discover(self, options: DiscoverOptions) -> list[Discovered]:
        """Search for losses; return them, the best first."""

        def on_generation(record: GenerationRecord) -> None:
            record = GenerationRecord(**self.directory.append_line("generations.jsonl", asdict(record)))
            self.generations.append(record)
            self.display.on_generation(record, options.generations)

        self.display.start_phase("Search", options.generations * options.strategy_config.population_size, "candidates")
        found = discover(
            self.evaluator,
            options.strategy_config,
            options.generations,
            options.seed,
            strategy=options.chosen_strategy,
            initial=options.initial_trees,
            constraint=options.constraint,
            log=EventLog(self.directory.path / DISCOVERY_EVENTS) if options.asynchronous else None,
            on_evaluation=lambda evaluation, generation: self._record("discovery", evaluation, generation),
            on_generation=on_generation,
        )
        self.directory.write_csv(
            "hall_of_fame.csv",
            ("rank", "fitness", "size", "generation", "expression"),
            (
                (number, one.evaluation.fitness, one.evaluation.tree.size, one.generation, one.evaluation.expression)
                for number, one in enumerate(found[:HALL_OF_FAME_SIZE], start=1)
            ),
        )
        return found

    def tune(self, losses: Sequence[LossTree], config: TuningConfig, seed: int, asynchronous: bool) -> list[Tuned]:
        """Tune the coefficients of losses; return a result for each."""

        def on_record(record: TuningRecord) -> None:
            record = TuningRecord(**self.directory.append_line("tuning.jsonl", asdict(record)))
            self.tuning.append(record)
            self.display.on_tuning(record, config.generations)

        members = 0
        for tree in losses:
            num_coefficients = len(CoefficientLayout.of(tree, config.coefficients).indices)
            members += config.population_size or default_population_size(num_coefficients)
        self.display.start_phase("Tuning", len(losses) + members * config.generations, "candidates")
        self.tuned[:] = tune(
            losses,
            self.evaluator,
            config,
            seed,
            log=EventLog(self.directory.path / TUNING_EVENTS) if asynchronous else None,
            on_evaluation=lambda evaluation, generation: self._record("tuning", evaluation, generation),
            on_record=on_record,
        )
        return self.tuned

    def choose(self, finalists: Sequence[Evaluation], seeds: Sequence[int]) -> list[Finalist]:
        """Evaluate the finalists again with fresh seeds; the best first."""
        self.display.start_phase("Finalists", len(finalists) * len(seeds), "trainings")
        return choose(finalists, self.evaluator, seeds)

    def compare(
        self, losses: Mapping[str, LossTree], seeds: Sequence[int], learning_rates: Sequence[float] | None = None
    ) -> Comparison:
        """Compare losses on validation and test set."""
        config = self.evaluator.config
        rules = (comparison_rule(name, config.learning_rate, seeds, learning_rates) for name in losses)
        self.display.start_phase("Comparison", sum(len(rule.grid(config)) for rule in rules), "trainings")
        return compare(losses, self.evaluator, seeds, learning_rates=learning_rates)

    def _record(self, phase: str, evaluation: Evaluation, generation: int) -> None:
        """Write a line for a new evaluation, and show it."""
        if evaluation.status != "cached":
            names = ("expression", "fitness", "status", "steps", "learning_rate")
            record = {name: getattr(evaluation, name) for name in names}
            self.directory.append_line("candidates.jsonl", record | {"phase": phase, "generation": generation})
        self.display.on_evaluation(evaluation)


@contextmanager
def running(options: CommonOptions, command: str, console: Console, resume: ResumeOptions | None) -> Iterator[Run]:
    """Check options and data, then open the run directory, so that a mistake leaves no trace."""
    if resume is not None:
        # Check it now, and not after hours of waiting for workers.
        RunDirectory.reopen(expanded(resume.run_dir)).release()
    elif options.run_dir is not None:
        require_free(expanded(options.run_dir))
    with FetchDisplay(console):
        dataset = options.dataset_source.load()
    if dataset.test is None and command != "discover":
        raise ConfigurationError(
            f"{command} compares losses on a test set, and {dataset.name} has none; give it one, hold one "
            "out with --test-split held-out, or use discover."
        )
    domain = TASKS[dataset.task].domain
    for loss in options.named_losses:
        find_tree(loss, domain)
    network_name = options.network or fitting_network(dataset)
    network = find_network(network_name)
    sizes = {name: len(split) for name, split in dataset.splits.items()}
    resolved = {
        "computation": computation_identity(make_train(network, dataset, options.training)),
        "dataset_sizes": sizes,
        "dataset_fingerprint": dataset.fingerprint,
        "dataset_origin": dataset.origin,
        "test_split": dataset.test_split,
        "task": dataset.task,
        "network": network_name,
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
            tested = f"{sizes['test']:,} test examples ({dataset.test_split})" if dataset.test else "no test examples"
            done = "" if resume is None else f"\nGoing on with {directory.path}: {len(journal):,} trainings are done."
            print_text(
                f"{dataset.name}: {sizes['train']:,} training, {sizes['validation']:,} validation, "
                f"{tested}, from {dataset.origin}. "
                f"{network_name}: {options.training.num_steps:,} steps of {options.training.batch_size:,} examples "
                f"by {options.training.optimizer}, {rates}.{done}",
                console,
            )
            display = Display(console)
            how: Any = {"chunk_size": options.chunk_size, "conv_lowering": options.conv_lowering}
            if isinstance(options, DiscoverOptions):
                how["operators"] = known_operators(options.initial_trees, options.genetic.operator_weights, domain)
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
