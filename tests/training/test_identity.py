"""What the identity of a training tells apart, and what it does not."""

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

from glojax.datasets import Dataset
from glojax.expressions import OPERATORS, Operator
from glojax.losses import register_operator, stable
from glojax.losses.operations import OPERATIONS
from glojax.networks import DigitsCNN, MnistCNN, NetworkFactory
from glojax.training import (
    Optimizer,
    Train,
    TrainingConfig,
    computation_identity,
    decisive_settings,
    identity,
    make_train,
)
from glojax.training.digest import digest
from tests.training.test_network_state import OwnRngs

CONFIG = TrainingConfig(num_steps=10, batch_size=64, learning_rate=0.05)

IMAGES, CLASSES = np.zeros((80, 8, 8, 1), np.float32), np.arange(80) % 10
DATASET = Dataset.from_arrays("zeros", IMAGES, CLASSES, validation=range(10), test=(IMAGES[:10], CLASSES[:10]))

Activation = Callable[[jax.Array], jax.Array]


class Layers(nnx.Module):
    """A network whose parts can be chosen."""

    def __init__(
        self, rngs: nnx.Rngs, *, width: int = 8, activation: Activation = nnx.relu, offset: Any = 0.0, factor: Any = 1.0
    ):
        self.hidden, self.output = nnx.Linear(64, width, rngs=rngs), nnx.Linear(width, 10, rngs=rngs)
        self.activation, self.offset, self.factor = activation, nnx.static(offset), factor

    def __call__(self, images: jax.Array) -> jax.Array:
        hidden = self.activation(self.hidden(images.reshape(-1, 64))) + self.offset
        logits: jax.Array = self.output(hidden) * self.factor
        return logits


class SameLayers(Layers):
    """The same under another name."""


def train(network: NetworkFactory = Layers, **changes: Any) -> Train:
    return make_train(network, DATASET, replace(CONFIG, **changes))


def lambda_with(**parts: Any) -> NetworkFactory:
    return lambda rngs: Layers(rngs, **parts)


@pytest.fixture(scope="module")
def base() -> str:
    return computation_identity(train())


def rule(factor: float) -> Activation:
    """The identity function, whose derivative is a factor."""

    @jax.custom_vjp
    def scaled(values: jax.Array) -> jax.Array:
        return values

    scaled.defvjp(lambda values: (values, None), lambda _, cotangent: (cotangent * factor,))
    return scaled


@pytest.mark.parametrize("network", [SameLayers, lambda_with(activation=partial(nnx.relu), width=8)])
def test_the_same_network_is_the_same_under_other_names(network: NetworkFactory, base: str) -> None:
    assert computation_identity(train(network)) == base


def test_different_networks_differ(base: str) -> None:
    networks = [
        lambda_with(width=9),
        lambda_with(offset=0.5),
        lambda_with(activation=rule(1.0)),
        lambda_with(activation=rule(2.0)),
        lambda_with(offset=Constant(np.arange(8, dtype=np.float32))),
        lambda_with(offset=Constant(np.arange(8, dtype=np.float32)[::-1].copy())),
    ]
    identities = [computation_identity(train(network)) for network in networks]
    assert len({base, *identities}) == 1 + len(networks)


def test_operators_that_are_swapped_differ(base: str) -> None:
    identities = set()
    for names in (("first", "second"), ("second", "first")):
        for name, function in zip(names, (jnp.sinh, jnp.arctan), strict=True):
            register_operator(Operator(name, name, 1), function)
        identities.add(computation_identity(train()))
        for name in names:
            del OPERATORS[name], OPERATIONS[name]
    assert len({base, *identities}) == 3


def test_other_rules_for_programs_differ(monkeypatch: pytest.MonkeyPatch, base: str) -> None:
    monkeypatch.setattr(stable, "_KEEPING_SIGN", ())
    assert computation_identity(train()) != base


class Constant:
    """An array that a network has in its code."""

    def __init__(self, array: np.ndarray):
        self.array = array

    def __radd__(self, values: jax.Array) -> jax.Array:
        return values + jnp.asarray(self.array)


def test_optimizers_metrics_and_options_differ(base: str) -> None:
    changes: list[dict[str, Any]] = [
        {"optimizer": "adam"},
        {"optimizer": Optimizer.of("adam", b1=0.95)},
        {"metric": "true_class_prob"},
        {"class_reduction": "mean"},
        {"prob_epsilon": 0.01},
        {"batch_size": 32},
        {"decay_every_epochs": 1, "num_steps": 100},
    ]
    assert len({base, *(computation_identity(train(**change)) for change in changes)}) == 1 + len(changes)


@pytest.mark.parametrize(
    "change",
    [
        {"num_steps": 11},
        {"learning_rate": 0.5},
        {"splits": ("test",)},
        {"optimizer": optax.sgd},
        {"optimizer": lambda rate: optax.sgd(rate, momentum=None)},
    ],
)
def test_length_rate_and_names_are_not_part_of_it(change: dict[str, Any], base: str) -> None:
    assert computation_identity(train(**change)) == base


def test_neither_the_lowering_of_convolutions_nor_the_values_of_data_are_part_of_it() -> None:
    cnn = train(DigitsCNN)
    data = jax.tree.map(np.ones_like, cnn.data)
    assert computation_identity(replace(cnn, data=data, conv_lowering="patches")) == computation_identity(cnn)


def through_host(function: Callable[[Any], Any]) -> str:
    """Return the digest of a program that computes with a Python function."""

    def program(values: jax.Array) -> jax.Array:
        result: jax.Array = jax.pure_callback(function, jax.ShapeDtypeStruct((), jnp.float32), values)
        return result

    return digest(jax.make_jaxpr(program)(jnp.zeros(3)))


def total(values: Any) -> Any:
    return np.sum(values)


def power_of_total(values: Any, power: int) -> Any:
    return total(values) ** power


@dataclass(frozen=True)
class Scaled:
    factor: float

    def __call__(self, values: Any) -> Any:
        return self.factor * np.sum(values)

    def mean(self, values: Any) -> Any:
        return self.factor * np.mean(values)


class Stateful:
    def __init__(self, factor: float):
        self.factor = factor

    def __call__(self, values: Any) -> Any:
        return self.score(values)

    def score(self, values: Any) -> Any:
        return self.factor * np.sum(values)


SCALE = 2.0


@jax.jit
def halved(values: jax.Array) -> jax.Array:
    return values / 2


def with_a_generator(values: Any, rng: np.random.Generator = np.random.default_rng(0)) -> Any:  # noqa: B008
    return np.sum(values) if rng else 0


def factorial(number: int) -> int:
    return 1 if number == 0 else number * factorial(number - 1)


def with_a_set(values: Any) -> Any:
    return np.sum(values) if "a" in {"a", "b", "c", "d"} else 0


HOST: tuple[Callable[[Any], Any], ...] = (
    *(with_a_set, with_a_generator, np.mean, Stateful(2.0), Stateful(2.0).score),
    lambda values: SCALE * halved(values),
)


def test_another_process_finds_the_same() -> None:
    code = (
        "import jax; jax.config.update('jax_numpy_dtype_promotion', 'strict')\n"
        "from tests.training.test_identity import *\n"
        "print(*(computation_identity(train(network)) for network in (OwnRngs, DigitsCNN)), *map(through_host, HOST))"
    )
    environment = os.environ | {
        "PYTHONHASHSEED": "77",
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)) + os.pathsep + ".",
    }
    found = subprocess.run([sys.executable, "-c", code], env=environment, check=True, capture_output=True, text=True)
    ours = [computation_identity(train(network)) for network in (OwnRngs, DigitsCNN)]
    assert found.stdout.split() == [*ours, *map(through_host, HOST)]


def scaled(factor: float) -> Callable[[Any], Any]:
    return lambda values: factor * np.sum(values)


def by_table(table: Any) -> Callable[[Any], Any]:
    return lambda values: table[0](values) + 1


def marked(mark: int) -> Callable[[Any], Any]:
    def function(values: Any) -> Any:
        return np.sum(values) * function.mark  # type: ignore[attr-defined]

    function.mark = mark  # type: ignore[attr-defined]
    return function


def in_turn(*functions: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda values: [function(values) for function in functions][-1]


def test_functions_of_the_host_are_told_apart_by_their_code_and_what_they_hold() -> None:
    different: list[Callable[[Any], Any]] = [
        *(np.sum, np.mean, np.sin, np.cos, np.vectorize(total), np.vectorize(with_a_set)),
        *(total, with_a_set, with_a_generator, lambda values: np.sum(values) + 1),
        *(scaled(2.0), scaled(3.0), Scaled(2.0), Scaled(3.0), Scaled(2.0).mean, Scaled(3.0).mean),
        *(Stateful(2.0), Stateful(3.0), Stateful(2.0).score, by_table((total,)), by_table([with_a_set])),
        *(marked(1), marked(2), partial(power_of_total, power=1), partial(power_of_total, power=2)),
        *(in_turn(total, np.sum, total), in_turn(total, np.sum, np.sum)),
        *(jax.jit(lambda values: values.sum()), jax.jit(lambda values: values.mean())),
        lambda values: factorial(3) * np.sum(values),
    ]
    assert len(set(map(through_host, different))) == len(different)
    assert through_host(scaled(2.0)) == through_host(scaled(2.0))
    assert through_host(Stateful(2.0)) == through_host(Stateful(2.0))
    circle: list[Any] = [total]
    circle.append(circle)
    assert through_host(by_table(circle)) != through_host(by_table([total]))


@pytest.mark.parametrize(
    ("function", "name", "other"),
    [
        (partial(power_of_total, power=1), "total", factorial),
        (lambda values: np.sum(values) * SCALE, "SCALE", 3.0),
        (lambda values: halved(np.sum(values)), "halved", jax.jit(lambda values: values / 3)),
    ],
)
def test_what_a_function_of_the_host_finds_in_its_module_counts(
    function: Callable[[Any], Any], name: str, other: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = through_host(function)
    monkeypatch.setattr(sys.modules[__name__], name, other)
    assert through_host(function) != before


def test_the_methods_of_an_object_of_the_host_count(monkeypatch: pytest.MonkeyPatch) -> None:
    before = through_host(Stateful(2.0))
    monkeypatch.setattr(Stateful, "score", lambda self, values: np.mean(values))
    assert through_host(Stateful(2.0)) != before


def test_unknown_values_are_told_apart_and_addresses_are_left_out() -> None:
    values = (1, 1.0, "1", None, True, np.float32(1), (1,), {"1": 1}, frozenset({1}))
    assert len(set(map(digest, values))) == 9
    assert digest(object()) == digest(object())


def test_decisive_settings_are_those_in_force(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XLA_FLAGS", "--xla_cpu_enable_fast_math=true --xla_dump_to=/somewhere")
    settings = decisive_settings()
    assert settings["jax_default_prng_impl"] == "threefry2x32"
    assert settings["jax_enable_x64"] == "False"
    assert settings["XLA_FLAGS"] == "--xla_cpu_enable_fast_math=true"
    # JAX 0.11 has dropped some of the others.
    assert {"jax_default_matmul_precision", "jax_threefry_partitionable", "jax_random_seed_offset"} <= set(settings)
    assert set(identity._SETTINGS) <= set(settings)
    with jax.default_matmul_precision("float32"):
        assert decisive_settings()["jax_default_matmul_precision"] == "float32"


def test_the_identity_of_a_larger_network_takes_no_device() -> None:
    mnist = replace(train(DigitsCNN), network=MnistCNN)
    data = {"train": (jax.ShapeDtypeStruct((100, 28, 28, 1), jnp.uint8), jax.ShapeDtypeStruct((100,), jnp.int32), None)}
    assert len(computation_identity(replace(mnist, data=data))) == 32  # type: ignore[arg-type]
