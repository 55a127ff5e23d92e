"""The cost of generations of fresh losses, compared with compiling a training for each loss.

    python -m benchmarks.generation

    glojax       `discover` with a `LocalEvaluator`, from the beginning: sampling, compilation, training, selection,
                 crossover and mutation
    recompiled   every loss that glojax trained, each in a jitted training of its own, with the same network and number
                 of steps, which ends as early as glojax's; the losses are given, and take no time to find

Both use all devices of the machine; the second has a thread for each, and a queue of losses. Before each turn, JAX
forgets all compiled programs.
"""

import queue
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from typing import Annotated, Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
import tyro
from flax import nnx
from jax import lax

from benchmarks.compile_clock import CompileClock
from benchmarks.contestant import Contestant, Work
from benchmarks.measurement import Entry, Turns, call, measure, save
from glojax.datasets import load_dataset
from glojax.evaluation import Evaluation, LocalEvaluator, training_devices
from glojax.losses import make_loss
from glojax.networks import DigitsCNN
from glojax.search.generations import discover
from glojax.search.recipes import recipe_of
from glojax.strategies import GeneticConfig

TRAINING = recipe_of("digits").training


@dataclass(frozen=True)
class Options:
    """Options of the measurement. The default takes about four minutes on two cores."""

    population: int = 20
    steps: int = 200
    generations: int = 5
    seed: int = 0
    turns: Annotated[Turns, tyro.conf.arg(name="")] = field(
        default_factory=lambda: Turns(rounds=3, case_seconds=900.0, turn_seconds=600.0)
    )


def glojax(population: int, steps: int, generations: int, seed: int) -> Contestant:
    """Search."""
    return _from_nothing(lambda: _search(population, steps, generations, seed))


def recompiled(expressions: list[str], steps: int) -> Contestant:
    """Compile a training for each expression."""
    return _from_nothing(lambda: _train_all(expressions, steps))


def trained_expressions(population: int, steps: int, generations: int, seed: int) -> list[str]:
    """Return the losses that the search trains."""
    return _search(population, steps, generations, seed)


def main(options: Options) -> None:
    """Measure, print, and write `results/generation.json`."""
    search = {name: getattr(options, name) for name in ("population", "steps", "generations", "seed")}
    expressions = call("benchmarks.generation:trained_expressions", **search)
    common: dict[str, Any] = {"details": {"trained": len(expressions)}, "warm_up": False}
    parameters = {name: search[name] for name in ("population", "steps", "generations")}
    again = {"expressions": expressions, "steps": options.steps}
    record = measure(
        "generation",
        [
            [
                Entry("glojax", parameters, "benchmarks.generation:glojax", search, **common),
                Entry("recompiled", parameters, "benchmarks.generation:recompiled", again, **common),
            ]
        ],
        unit=f"seconds for {options.generations} generations",
        unit_seconds=1,
        configuration={name: value for name, value in asdict(options).items() if name != "turns"},
        turns=options.turns,
    )
    save(record)


def _from_nothing(work: Callable[[], object]) -> Contestant:
    """Return a contestant that compiles everything anew in each turn."""
    clock = CompileClock()

    def turn() -> Work:
        jax.clear_caches()
        clock.restart()
        work()
        return Work(1, clock.seconds)

    return Contestant(turn)


def _search(population: int, steps: int, generations: int, seed: int) -> list[str]:
    """Search, and return the expressions of all losses that were trained."""
    trained: list[str] = []

    def on_evaluation(evaluation: Evaluation, _: int) -> None:
        if evaluation.status in ("trained", "non_finite"):
            trained.append(evaluation.expression)

    evaluator = LocalEvaluator(DigitsCNN, load_dataset("digits"), replace(TRAINING, num_steps=steps))
    genetic = GeneticConfig(population_size=population, num_elites=2)
    discover(evaluator, genetic, generations, seed, on_evaluation=on_evaluation)
    return trained


class _State(NamedTuple):
    params: Any
    num_steps: jax.Array
    finite: jax.Array


def _train_all(expressions: list[str], steps: int) -> list[float]:
    """Return validation accuracies, in the order in which trainings end."""
    dataset = load_dataset("digits")
    waiting: queue.SimpleQueue[str] = queue.SimpleQueue()
    for expression in expressions:
        waiting.put(expression)

    def work(device: jax.Device) -> list[float]:
        splits = (dataset.train, dataset.validation)
        data = jax.device_put([(split.inputs, split.targets) for split in splits], device)
        accuracies: list[float] = []
        with jax.default_device(device):
            while True:
                try:
                    train = _training(waiting.get_nowait(), steps)
                except queue.Empty:
                    return accuracies
                accuracies.append(float(train(*data)))

    devices = training_devices()
    with ThreadPoolExecutor(len(devices)) as pool:
        return [accuracy for accuracies in pool.map(work, devices) for accuracy in accuracies]


def _training(expression: str, steps: int) -> Callable[..., jax.Array]:
    """Return a jitted training with this loss compiled into it."""
    loss_fn = make_loss(expression)
    optimizer = optax.sgd(TRAINING.learning_rate)

    @jax.jit
    def train(training: tuple[jax.Array, jax.Array], validation: tuple[jax.Array, jax.Array]) -> jax.Array:
        graphdef, params = nnx.split(DigitsCNN(nnx.Rngs(0)))
        images, labels = training

        def run_step(state: _State) -> _State:
            key = jax.random.fold_in(jax.random.key(0), state.num_steps)
            indices = jax.random.randint(key, (TRAINING.batch_size,), 0, labels.shape[0])

            def batch_loss(params: Any) -> jax.Array:
                logits = nnx.merge(graphdef, params)(images[indices])
                return loss_fn(logits, labels[indices]).mean()

            loss, gradient = jax.value_and_grad(batch_loss)(state.params)
            updates, _ = optimizer.update(gradient, optimizer.init(state.params))
            params = optax.apply_updates(state.params, updates)
            return _State(params, state.num_steps + 1, jnp.isfinite(loss))

        state = _State(params, jnp.asarray(0), jnp.asarray(True))
        state = lax.while_loop(lambda state: state.finite & (state.num_steps < steps), run_step, state)
        logits = nnx.merge(graphdef, state.params)(validation[0])
        return jnp.mean(jnp.argmax(logits, axis=-1) == validation[1])

    return train


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))
