"""A run: its parts, and its phases."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field

from glojax.datasets import Dataset
from glojax.evaluation import (
    Evaluation,
    PoolEvaluator,
    Rule,
    shape_of,
)
from glojax.expressions import Domain, LossTree
from glojax.search.comparison import Comparison, Rates, compare, comparison_rule
from glojax.search.event_file import EventFile
from glojax.search.finalists import Finalist, choose, halve, halving_rounds
from glojax.search.generations import Discovered, GenerationRecord, discover
from glojax.search.logs import EventLog
from glojax.search.options import DiscoverOptions
from glojax.search.predictions import may_count_classes
from glojax.search.progress import Display
from glojax.search.rates import has_shapes
from glojax.search.run_directory import DISCOVERY_EVENTS, TUNING_EVENTS, RunDirectory
from glojax.search.tuning import Tuned, TuningRecord, tune
from glojax.strategies import Constraints, TuningConfig
from glojax.strategies.coefficients import CoefficientLayout, default_population_size
from glojax.tasks import TASKS, Task
from glojax.training import metric_name
from glojax.wording import counted

HALL_OF_FAME_SIZE = 20


@dataclass(frozen=True)
class Run:
    """The parts that all phases of a run use, and the summaries and results of discovery and tuning."""

    dataset: Dataset
    directory: RunDirectory
    display: Display
    evaluator: PoolEvaluator
    by_rule: Callable[[Rule], PoolEvaluator]
    events: EventFile
    generations: list[GenerationRecord] = field(default_factory=list)
    found: list[Discovered] = field(default_factory=list)
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

    def discover(
        self,
        options: DiscoverOptions,
        evaluator: PoolEvaluator | None = None,
        initial: Sequence[LossTree] | None = None,
        constraint: Constraints | None = None,
        on_evaluation: Callable[[Evaluation], None] = lambda evaluation: None,
        on_generation: Callable[[int], None] = lambda number: None,
    ) -> list[Discovered]:
        """Search for losses; return them, the best first."""

        def take_in(evaluation: Evaluation, generation: int) -> None:
            on_evaluation(evaluation)
            self.record("discovery", evaluation, generation)

        def end_generation(record: GenerationRecord) -> None:
            record = GenerationRecord(**self.directory.append_line("generations.jsonl", asdict(record)))
            self.generations.append(record)
            self.display.on_generation(record, options.generations)
            best, median = record.best_fitness, record.median_fitness
            self.events.add("discovery", record.generation, best_fitness=best, median_fitness=median)
            on_generation(record.generation)

        self.display.start_phase("Search", options.generations * options.strategy_config.population_size, "candidates")
        self.found[:] = discover(
            evaluator or self.evaluator,
            options.strategy_config,
            options.generations,
            options.seed,
            strategy=options.chosen_strategy,
            initial=options.initial_trees(self.dataset.num_outputs) if initial is None else initial,
            constraint=options.constraint if constraint is None else constraint,
            log=EventLog(self.directory.path / DISCOVERY_EVENTS) if options.asynchronous else None,
            on_evaluation=take_in,
            on_generation=end_generation,
        )
        self.directory.write_csv(
            "hall_of_fame.csv",
            ("rank", "fitness", "size", "learning_rate", "pull", "generation", "expression"),
            (self._row(number, one) for number, one in enumerate(self.found[:HALL_OF_FAME_SIZE], start=1)),
        )
        return self.found

    def tune(
        self,
        losses: Sequence[LossTree],
        config: TuningConfig,
        seed: int,
        asynchronous: bool,
        evaluator: PoolEvaluator | None = None,
    ) -> list[Tuned]:
        """Tune the coefficients of losses; return a result for each."""
        numbers: dict[str, int] = {}

        def on_record(record: TuningRecord) -> None:
            record = TuningRecord(**self.directory.append_line("tuning.jsonl", asdict(record)))
            self.tuning.append(record)
            self.display.on_tuning(record, config.generations)
            number = numbers.setdefault(record.loss, len(numbers) + 1)
            names = ("best_fitness", "median_fitness", "best_so_far", "sigma")
            self.events.add(f"tuning_{number}", record.generation, **{name: getattr(record, name) for name in names})

        members = 0
        for tree in losses:
            num_coefficients = len(CoefficientLayout.of(tree, config.coefficients).indices)
            members += config.population_size or default_population_size(num_coefficients)
        what = ", ".join(map(str, losses))
        self.display.start_phase("Tuning", len(losses) + members * config.generations, "candidates", what)
        self.tuned[:] = tune(
            losses,
            evaluator or self.evaluator,
            config,
            seed,
            log=EventLog(self.directory.path / TUNING_EVENTS) if asynchronous else None,
            on_evaluation=lambda evaluation, generation: self.record("tuning", evaluation, generation),
            on_record=on_record,
        )
        return self.tuned

    def choose(self, finalists: Sequence[Evaluation], seeds: Sequence[int]) -> list[Finalist]:
        """Evaluate the finalists again with fresh seeds; the best first."""
        self._start_finalists(finalists, len(finalists) * len(seeds))
        return choose(finalists, self.evaluator, seeds)

    def halve(self, finalists: Sequence[Evaluation], seeds: Sequence[int]) -> list[Finalist]:
        """Evaluate the finalists again with fresh seeds, more of them for the better ones; the best first."""
        rounds = halving_rounds(len(finalists), len(seeds))
        self._start_finalists(finalists, sum(math.prod(each) for each in rounds))
        return halve(finalists, self.evaluator, seeds)

    def _start_finalists(self, finalists: Sequence[Evaluation], trainings: int) -> None:
        self.display.start_phase("Finalists", trainings, "trainings", counted(len(finalists), "loss", "losses"))

    def compare(self, losses: Mapping[str, LossTree], seeds: Sequence[int], learning_rates: Rates = None) -> Comparison:
        """Compare losses on validation and test set."""
        config = self.evaluator.config
        rules = (comparison_rule(name, config, seeds, learning_rates) for name in losses)
        trainings = sum(len(rule.grid(config)) for rule in rules)
        self.display.start_phase("Comparison", trainings, "trainings", ", ".join(losses))
        counts_classes = may_count_classes(self.task, self.dataset.num_outputs, len(seeds))
        return compare(losses, self.evaluator, seeds, learning_rates=learning_rates, counts_classes=counts_classes)

    def _row(self, number: int, found: Discovered) -> tuple[object, ...]:
        """Return a row of the hall of fame; the pull is the scale of a shape, where that is known."""
        one, pull = found.evaluation, math.nan
        if has_shapes(self.dataset):
            pull = shape_of(one.tree, self.dataset.num_outputs, self.evaluator.config.prob_epsilon).pull
        scale = f"{pull:.6g}" if math.isfinite(pull) else None
        return number, one.fitness, one.tree.size, one.learning_rate, scale, found.generation, one.expression

    def record(self, phase: str, evaluation: Evaluation, generation: int) -> None:
        """Write a line for a new evaluation, and show it."""
        if evaluation.status != "cached":
            names = ("expression", "fitness", "status", "steps", "learning_rate")
            record = {name: getattr(evaluation, name) for name in names}
            if evaluation.rejected_by is not None:
                record["rejected_by"] = evaluation.rejected_by
            if evaluation.origin is not None:
                record |= evaluation.origin.record
            self.directory.append_line("candidates.jsonl", record | {"phase": phase, "generation": generation})
        self.display.on_evaluation(evaluation)
