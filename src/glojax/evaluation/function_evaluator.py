"""Losses evaluated by a function of the user's, for what is no supervised training."""

from collections import deque
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import numpy as np

from glojax.errors import ConfigurationError
from glojax.evaluation.evaluator import PoolEvaluator
from glojax.evaluation.fitness import FitnessRule
from glojax.evaluation.journal import TrainingJournal, checksum, recorded_result
from glojax.evaluation.pool import Trained, Training
from glojax.evaluation.pool_programs import PoolPrograms
from glojax.expressions import LossTree
from glojax.losses import Link, LossProgram, interpret
from glojax.losses.links import LINKS
from glojax.losses.objective import DEFAULT_PROB_EPSILON, computing_dtype, objective
from glojax.losses.operations import OPERATIONS
from glojax.tasks import TASKS, Metric
from glojax.training import TrainingConfig, TrainResult, decisive_settings
from glojax.training.digest import digest
from glojax.training.identity import identity_of_programs
from glojax.training.named_functions import calling

#: A loss: maps outputs [..., C], and labels [..., C] or, for a softmax, classes [...], to the losses [...] of examples.
LossFunction = Callable[[jax.Array, jax.Array], jax.Array]

#: Gives a loss its fitness, a number, from the loss and a typed JAX key; for tracing under `jit`.
FitnessFunction = Callable[[LossFunction, jax.Array], jax.Array]


class FunctionEvaluator(PoolEvaluator):
    """Evaluates losses by a function, such as the return of an agent that is trained with the loss; see `Evaluator`.

    The function is compiled once for all losses. It is called with the canonical form of a loss, once for each seed of
    the rule, and the fitness is the mean. A number that is not finite is a failure.

    Args:
        function: `function(loss, key) -> number`, pure and written in JAX; higher is better. `loss(outputs, labels)`
            gives the losses [...] of outputs [..., C] for labels [..., C], or for classes [...] of a softmax, and is
            differentiable once. `key` is `jax.random.key(seed)`.
        rule: Seeds; None for seed 0. A function has no learning rates, steps and splits that a rule could set.
        link: How outputs become the y of an expression: "softmax", "sigmoid" or "identity"; see `Loss`.
        chunk_size: Losses that are evaluated at once (`vmap`), one chunk after the other. 1 is best on a CPU.
        journal: Keeps the numbers; None for a new one in memory.

    Raises:
        ConfigurationError: The function cannot be traced, or does not give a number; or an argument is out of range.

    Examples:
        >>> from glojax.evaluation import evaluate
        >>> def steepness(loss, key):
        ...     return -jax.grad(lambda logits: loss(logits, jnp.array(0)))(jnp.zeros(2))[0]
        >>> trees = [LossTree.parse(text) for text in ("x * log(y)", "2 * x * log(y)")]
        >>> [evaluation.fitness for evaluation in evaluate(FunctionEvaluator(steepness), trees)]
        [0.5, 1.0]
    """

    def __init__(
        self,
        function: FitnessFunction,
        rule: FitnessRule | None = None,
        *,
        link: Link = "softmax",
        chunk_size: int = 1,
        journal: TrainingJournal | None = None,
    ):
        super().__init__(_FunctionPool(function, link, chunk_size), _ONE_CALL, rule, journal=journal)


def _own_number(outputs: jax.Array, targets: jax.Array, weights: jax.Array) -> jax.Array:
    """Return the number that a call gave: it is the score itself, and there is no worst one."""
    return outputs


#: What a call counts as: one step.
_ONE_CALL = TrainingConfig(num_steps=1, batch_size=1, learning_rate=1.0, metric=Metric(_own_number))


class _FunctionPool:
    """A `TrainingPool` whose trainings are calls of a function, on JAX's default device."""

    def __init__(self, function: FitnessFunction, link: Link, chunk_size: int):
        if not callable(function):
            raise ConfigurationError(f"Got {function!r}; expected function(loss, key).")
        if link not in LINKS:
            raise ConfigurationError(f"link is {link!r}; expected one of {', '.join(LINKS)}.")
        if not isinstance(chunk_size, int) or chunk_size < 1:
            raise ConfigurationError(f"chunk_size is {chunk_size!r}; expected a whole number of at least 1.")
        self.task = next(task for task in TASKS.values() if task.link == link)
        self._function = function
        self._name = getattr(function, "__qualname__", repr(function))
        self._chunk_size = chunk_size
        self._programs = PoolPrograms(self.task.domain)
        self._queued: deque[Training] = deque()
        self._compiled = jax.jit(self._value if chunk_size == 1 else jax.vmap(self._value))

    def context(self, config: TrainingConfig) -> str:
        if config != _ONE_CALL:
            raise ConfigurationError("A function has no steps, splits and learning rates; use a rule of seeds alone.")
        # Of all operators, so that those of users are covered.
        program = LossProgram.from_tree(LossTree.parse("x * y"), 3, OPERATIONS, domain=self.task.domain)
        with calling(f"{self._name} cannot be called as function(loss, key). It says"):
            jaxpr = jax.make_jaxpr(self._value)(program, jax.random.key(0))
        return checksum(
            {"computation": digest([jaxpr, identity_of_programs(self.task.domain)]), "settings": decisive_settings()}
        )

    def room(self, config: TrainingConfig) -> int:
        return max(0, self._chunk_size - len(self._queued))

    def submit(self, config: TrainingConfig, trainings: Sequence[Training]) -> None:
        if any(training.learning_rate != config.learning_rate for training in trainings):
            raise ConfigurationError("A function has no steps, splits and learning rates; use a rule of seeds alone.")
        self._programs.take_in({training.tree for training in trainings})
        self._queued += trainings

    @jax.transfer_guard("allow")
    def wait(self) -> list[Trained]:
        chunk = [self._queued.popleft() for _ in range(min(self._chunk_size, len(self._queued)))]
        # A last chunk that is smaller is filled up, or it would be compiled.
        filled = [*chunk, *[chunk[-1]] * (self._chunk_size - len(chunk))]
        programs = self._programs.make([training.tree for training in filled])
        keys = [jax.random.key(training.seed) for training in filled]
        if self._chunk_size == 1:
            values = [self._compiled(jax.tree.map(lambda array: array[0], programs), keys[0])]
        else:
            values = self._compiled(programs, jnp.stack(keys))
        return [(training, _result(float(value))) for training, value in zip(chunk, values, strict=False)]

    def cancel(self) -> list[Trained]:
        self._queued.clear()
        return []

    def _value(self, program: LossProgram, key: jax.Array) -> jax.Array:
        """Return the function's number [] float32 for one loss."""
        link = self.task.link

        def loss(outputs: jax.Array, labels: jax.Array) -> jax.Array:
            outputs, labels = jnp.asarray(outputs), jnp.asarray(labels)
            dtype, is_class = computing_dtype(outputs.dtype), jnp.issubdtype(labels.dtype, jnp.integer)
            if link == "softmax" and labels.shape == outputs.shape[:-1] and is_class:
                labels = jax.nn.one_hot(labels, outputs.shape[-1], dtype=dtype)
            elif labels.shape != outputs.shape:
                raise ConfigurationError(f"Labels of shape {labels.shape} do not fit outputs of shape {outputs.shape}.")
            x, y = labels.astype(dtype), outputs.astype(dtype)
            losses = objective(interpret, "sum", DEFAULT_PROB_EPSILON, program, x, y, link=LINKS[link])
            return losses.astype(outputs.dtype)

        value = self._function(loss, key)
        dtype = jnp.result_type(value)
        if jnp.shape(value) != () or not (jnp.issubdtype(dtype, jnp.floating) or jnp.issubdtype(dtype, jnp.integer)):
            raise ConfigurationError(f"{self._name} gives {dtype} of shape {jnp.shape(value)}; expected one number.")
        return jnp.asarray(value).astype(jnp.float32)


def _result(value: float) -> TrainResult:
    finite = bool(np.isfinite(value))
    return recorded_result({"scores": {"validation": value if finite else 0.0}, "finite": finite, "steps": 1})
