"""Plain Flax and optax: one candidate after the other, or a population under `jax.vmap`."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax
from flax import nnx
from jax import lax

from benchmarks.contestant import Contestant, Work
from benchmarks.population.flax_networks import plain_network
from benchmarks.population.jax_devices import peak_bytes
from benchmarks.workloads import CAPACITY, NUM_CLASSES, WORKLOADS, loss_trees, random_dataset
from glojax.losses import LossProgram, interpret, make_loss
from glojax.losses.objective import objective
from glojax.training.augmentation import training_inputs

#: Maps parameters and optimizer state, program, images, labels and key to new parameters and optimizer state.
Step = Callable[..., tuple[Any, Any]]


def sequential(network: str, steps: int) -> Contestant:
    """Train one candidate, one jitted step a call, with its loss compiled into the step."""
    loss_fn = make_loss(loss_trees(1)[0])
    step = jax.jit(_step(network, lambda _, logits, labels: loss_fn(logits, labels).mean()))
    return _called_step_by_step(step, network, _initial(network), None, 1, steps)


def sequential_loop(network: str, steps: int) -> Contestant:
    """Do the same with all steps in one compiled loop."""
    loss_fn = make_loss(loss_trees(1)[0])
    step = _step(network, lambda _, logits, labels: loss_fn(logits, labels).mean())
    images, labels = _data(network)

    @jax.jit
    def train(state: Any, images: jax.Array, labels: jax.Array, keys: jax.Array) -> Any:
        return lax.fori_loop(0, steps, lambda i, state: step(state, None, images, labels, keys[i]), state)

    state, keys = _initial(network), jax.random.split(jax.random.key(0), steps)

    def turn() -> Work:
        jax.block_until_ready(train(state, images, labels, keys))
        return Work(steps)

    return Contestant(turn, peak_bytes)


def vmap_step(network: str, population: int, steps: int) -> Contestant:
    """Train a population under `jax.vmap`, one jitted step a call; batches are shared, losses are interpreted."""
    step = jax.jit(jax.vmap(_step(network, _interpreted), in_axes=(0, 0, None, None, None)))
    state, programs = _population(network, population)
    return _called_step_by_step(step, network, state, programs, population, steps)


def vmap_loop(network: str, population: int, steps: int) -> Contestant:
    """Do the same with all steps in one jitted loop."""
    step = jax.vmap(_step(network, _interpreted), in_axes=(0, 0, None, None, None))
    state, programs = _population(network, population)
    images, labels = _data(network)

    @jax.jit
    def train(state: Any, images: jax.Array, labels: jax.Array, keys: jax.Array) -> Any:
        return lax.scan(lambda state, key: (step(state, programs, images, labels, key), None), state, keys)[0]

    keys = jax.random.split(jax.random.key(0), steps)

    def turn() -> Work:
        jax.block_until_ready(train(state, images, labels, keys))
        return Work(population * steps)

    return Contestant(turn, peak_bytes)


def _step(network: str, loss_fn: Callable[[Any, jax.Array, jax.Array], jax.Array]) -> Step:
    config = WORKLOADS[network].config
    graphdef = nnx.split(plain_network(network, nnx.Rngs(0)))[0]
    optimizer = _optimizer(network)

    def step(
        state: tuple[Any, Any], program: Any, images: jax.Array, labels: jax.Array, key: jax.Array
    ) -> tuple[Any, Any]:
        params, optimizer_state = state
        index_key, image_key, dropout_key = jax.random.split(key, 3)
        indices = jax.random.randint(index_key, (config.batch_size,), 0, labels.shape[0])
        batch = training_inputs(config.augmentation, image_key, images, indices)

        def batch_loss(params: Any) -> jax.Array:
            return loss_fn(program, nnx.merge(graphdef, params)(batch, dropout_key=dropout_key), labels[indices])

        updates, optimizer_state = optimizer.update(jax.grad(batch_loss)(params), optimizer_state, params)
        return optax.apply_updates(params, updates), optimizer_state

    return step


def _interpreted(program: LossProgram, logits: jax.Array, labels: jax.Array) -> jax.Array:
    one_hot = jax.nn.one_hot(labels, NUM_CLASSES, dtype=logits.dtype)
    return objective(interpret, "sum", 1e-7, program, one_hot, logits).mean()


def _optimizer(network: str) -> optax.GradientTransformation:
    config = WORKLOADS[network].config
    sgd = optax.sgd(config.learning_rate)
    if config.weight_decay == 0:
        return sgd

    def decayed(params: Any) -> Any:
        return jax.tree_util.tree_map_with_path(
            lambda path, _: all(word in jax.tree_util.keystr(path) for word in ("hidden", "kernel")), params
        )

    return optax.chain(optax.add_decayed_weights(config.weight_decay, mask=decayed), sgd)


def _initial(network: str) -> tuple[Any, Any]:
    params = nnx.state(plain_network(network, nnx.Rngs(0)), nnx.Param)
    return params, _optimizer(network).init(params)


def _population(network: str, population: int) -> tuple[Any, LossProgram]:
    """Return initial states and programs, stacked."""
    state = jax.tree.map(lambda leaf: jnp.stack([leaf] * population), _initial(network))
    programs = LossProgram.from_trees(loss_trees(population), CAPACITY)
    return state, jax.tree.map(jnp.asarray, programs)


def _data(network: str) -> tuple[jax.Array, jax.Array]:
    train = random_dataset(WORKLOADS[network].input_shape).train
    return jnp.asarray(train.inputs), jnp.asarray(train.targets)


def _called_step_by_step(step: Step, network: str, state: Any, program: Any, population: int, steps: int) -> Contestant:
    images, labels = _data(network)
    keys = list(jax.random.split(jax.random.key(0), steps))

    def turn() -> Work:
        last = state
        for key in keys:
            last = step(last, program, images, labels, key)
        jax.block_until_ready(last)
        return Work(population * steps)

    return Contestant(turn, peak_bytes)
