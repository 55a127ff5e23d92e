"""From loss functions to their fitness, in a stream."""

import functools
import itertools
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple, Protocol

import jax
import numpy as np

from glojax.datasets import Dataset
from glojax.evaluation.device_pool import DevicePool
from glojax.evaluation.fitness import Evaluation, FitnessRule, Planned, Rule
from glojax.evaluation.journal import TrainingJournal
from glojax.evaluation.pool import Training, TrainingPool
from glojax.expressions import Domain, LossTree, canonical
from glojax.networks import ConvolutionLowering, NetworkFactory
from glojax.training import Metric, TrainingConfig, TrainResult, find_metric


class Completed(NamedTuple):
    """An evaluation, and the ticket that `submit` gave for it."""

    ticket: int
    evaluation: Evaluation


class Evaluator(Protocol):
    """Gives loss functions their fitness, in the order in which it becomes known."""

    @property
    def config(self) -> TrainingConfig:
        """The configuration of the trainings, unless a fitness rule overrides it."""

    @property
    def metric(self) -> Metric:
        """What the trainings are scored by."""

    @property
    def domain(self) -> Domain:
        """Where x and y of the losses lie."""

    @property
    def room(self) -> int:
        """The number of losses whose trainings would begin at once."""

    def submit(self, trees: Sequence[LossTree], rule: Rule | None = None) -> Sequence[int]:
        """Evaluate losses by a rule, None for the evaluator's own; return a ticket for each."""

    def wait(self) -> list[Completed]:
        """Wait for evaluations, or for new room; return those that are complete, perhaps none."""

    def cancel(self) -> None:
        """Drop what was submitted; keep the results of trainings that end within a few seconds."""


def evaluate(
    evaluator: Evaluator, trees: Sequence[LossTree], rules: Rule | Sequence[Rule | None] | None = None
) -> list[Evaluation]:
    """Evaluate losses, and wait for all of them.

    Args:
        evaluator: Nothing else may be in progress in it.
        trees: Loss functions.
        rules: A rule for all, or one for each tree; None for the evaluator's own.

    Returns:
        The evaluations, in the order of the trees.
    """
    each = rules if isinstance(rules, Sequence) else [rules] * len(trees)
    completed: dict[int, Evaluation] = {}
    tickets: dict[int, int] = {}
    try:
        for rule in dict.fromkeys(each):
            indices = [index for index, own in enumerate(each) if own == rule]
            tickets |= zip(indices, evaluator.submit([trees[index] for index in indices], rule), strict=True)
        while len(completed) < len(tickets):
            completed |= evaluator.wait()
    except BaseException:
        evaluator.cancel()
        raise
    return [completed[tickets[index]] for index in range(len(trees))]


#: What makes a function one to a rule, and the rule.
_Function = tuple[Hashable, Rule]


@dataclass
class _Job:
    """A function whose evaluation is not complete.

    Attributes:
        function: Its key, and the rule.
        tree: Its canonical tree.
        request: Its number in the journal.
        tickets: Those that wait for it.
        results: Results of its trainings.
        planned: The trainings that it waits for, by what they are.
    """

    function: _Function
    tree: LossTree
    request: int
    tickets: list[int]
    results: dict[Planned, TrainResult] = field(default_factory=dict)
    planned: dict[Training, list[Planned]] = field(default_factory=dict)


class PoolEvaluator:
    """Evaluates losses by the trainings that a pool does.

    A candidate is trained in its canonical form, so that its fitness depends on the function, the configuration and the
    rule alone. A function that is known already, or is submitted twice, is trained once.

    Args:
        pool: Does the trainings. The other arguments are those of `LocalEvaluator`.
    """

    def __init__(
        self,
        pool: TrainingPool,
        config: TrainingConfig,
        rule: Rule | None = None,
        *,
        journal: TrainingJournal | None = None,
        on_training: Callable[[TrainResult], None] = lambda result: None,
    ):
        self.config = config
        self.metric = find_metric(config.metric or pool.task.metrics[0])
        self.domain = pool.task.domain
        self.journal = TrainingJournal() if journal is None else journal
        self._pool = pool
        self._rule = rule or FitnessRule()
        self._on_training = on_training
        self._context = functools.cache(pool.context)
        self._context(self._rule.config(config))
        self._tickets = itertools.count()
        self._known: dict[_Function, Evaluation] = {}
        self._jobs: dict[_Function, _Job] = {}
        self._awaited: dict[Training, list[_Job]] = {}
        self._missing: dict[TrainingConfig, list[Training]] = {}
        self._completed: list[Completed] = []

    @property
    def room(self) -> int:
        """The number of losses whose trainings would begin at once."""
        return -(-self._pool.room(self._rule.config(self.config)) // self._rule.num_first(self.config))

    def submit(self, trees: Sequence[LossTree], rule: Rule | None = None) -> Sequence[int]:
        """Evaluate losses; see `Evaluator`."""
        rule = rule or self._rule
        canonical_trees = [canonical(tree, self.domain) for tree in trees]
        self._context(rule.config(self.config))  # before anything is counted: it may be refused
        tickets = [next(self._tickets) for _ in trees]
        for ticket, tree in zip(tickets, canonical_trees, strict=True):
            function = rule.key(tree), rule
            if function in self._known:
                self._completed.append(Completed(ticket, self._known[function].again()))
            elif function in self._jobs:
                self._jobs[function].tickets.append(ticket)
            elif not (tree.uses("x") and tree.uses("y")):
                self._known[function] = evaluation = Evaluation(tree, None, "lacks_variable", 0)
                self._completed.append(Completed(ticket, evaluation))
            else:
                job = self._jobs[function] = _Job(function, tree, self.journal.new_request(), [ticket])
                self._proceed(job)
        self._submit_missing()
        return tickets

    def wait(self) -> list[Completed]:
        """Wait for evaluations; see `Evaluator`."""
        if not self._completed and self._jobs:
            for training, result in self._pool.wait():
                self.journal.add(training, result)
                for job in self._awaited.pop(training, []):
                    self._take_in(job, training, result)
                    if not job.planned:
                        self._proceed(job)
            self._submit_missing()
        completed, self._completed = self._completed, []
        return completed

    def cancel(self) -> None:
        """Drop what was submitted; see `Evaluator`."""
        for training, result in self._pool.cancel():
            self.journal.add(training, result)
        # An evaluation that `wait` has not returned is new the next time, too.
        lost = {id(evaluation) for _, evaluation in self._completed}
        self._known = {function: known for function, known in self._known.items() if id(known) not in lost}
        self._jobs.clear()
        self._awaited.clear()
        self._missing.clear()
        self._completed.clear()

    def _proceed(self, job: _Job) -> None:
        """Plan the next trainings of a job that waits for none, until one of them has to be done; or complete it."""
        _, rule = job.function
        while not job.planned:
            outcome = rule.proceed(job.tree, self.config, self.metric, job.results)
            if isinstance(outcome, Evaluation):
                self._complete(job, outcome)
                return
            needed: dict[Training, TrainingConfig] = {}
            for planned in outcome:
                if planned not in job.results:
                    config = replace(rule.config(self.config), num_steps=planned.num_steps)
                    # The device and the journal have the rate as a float32.
                    rate = float(np.float32(planned.learning_rate))
                    training = Training(self._context(config), job.tree, planned.seed, rate)
                    job.planned.setdefault(training, []).append(planned)
                    needed[training] = config
            for training, config in needed.items():
                if (result := self.journal.find(training, job.request)) is not None:
                    self._take_in(job, training, result)
                else:
                    if training not in self._awaited:
                        self._missing.setdefault(config, []).append(training)
                    self._awaited.setdefault(training, []).append(job)

    def _take_in(self, job: _Job, training: Training, result: TrainResult) -> None:
        """Give a job the result of a training that it waits for."""
        job.results |= dict.fromkeys(job.planned.pop(training), result)
        self._on_training(result)

    def _submit_missing(self) -> None:
        """Submit the trainings that jobs have come to need."""
        missing, self._missing = self._missing, {}
        for config, trainings in missing.items():
            self._pool.submit(config, trainings)

    def _complete(self, job: _Job, evaluation: Evaluation) -> None:
        self._known[job.function] = evaluation
        first, *others = job.tickets
        self._completed.append(Completed(first, evaluation))
        self._completed += [Completed(other, evaluation.again()) for other in others]
        del self._jobs[job.function]


class LocalEvaluator(PoolEvaluator):
    """Evaluates losses by trainings on the devices of this process; see `PoolEvaluator`.

    Args:
        network: Makes the network to train, from `nnx.Rngs`.
        dataset: The training split is trained on; the validation split gives the fitness.
        config: The configuration of a training.
        rule: How a loss gets its fitness; None for one training with seed 0 at the configuration's rate.
        devices: Devices to train on; None for those of `training_devices`.
        chunk_size: Candidates that a device trains at once; None for the best on its kind.
        conv_lowering: How convolutions are computed; None for the fastest on the devices.
        journal: Keeps the results of single trainings; None for a new one in memory. Evaluators may share one.
        on_training: Called with the result of each training that an evaluation needs, as soon as it is known.

    Examples:
        >>> from glojax.datasets import load_dataset
        >>> from glojax.networks import DigitsCNN
        >>> config = TrainingConfig(num_steps=2, batch_size=32, learning_rate=0.05)
        >>> evaluator = LocalEvaluator(DigitsCNN, load_dataset("digits"), config)
        >>> known, lacking = evaluate(evaluator, [LossTree.parse("x * log(y)"), LossTree.parse("log(y)")])
        >>> known.status, lacking.status, lacking.fitness
        ('trained', 'lacks_variable', None)
    """

    def __init__(
        self,
        network: NetworkFactory,
        dataset: Dataset,
        config: TrainingConfig,
        rule: Rule | None = None,
        *,
        devices: Sequence[jax.Device] | None = None,
        chunk_size: int | None = None,
        conv_lowering: ConvolutionLowering | None = None,
        journal: TrainingJournal | None = None,
        on_training: Callable[[TrainResult], None] = lambda result: None,
    ):
        pool = DevicePool(network, dataset, devices=devices, chunk_size=chunk_size, conv_lowering=conv_lowering)
        super().__init__(pool, config, rule, journal=journal, on_training=on_training)
