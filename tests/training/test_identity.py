"""What the identity of a training tells apart, and what it does not."""

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
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


def test_another_process_finds_the_same() -> None:
    code = (
        "import jax; jax.config.update('jax_numpy_dtype_promotion', 'strict')\n"
        "from tests.training.test_identity import *\n"
        "print(*(computation_identity(train(network)) for network in (OwnRngs, DigitsCNN)))"
    )
    environment = os.environ | {
        "PYTHONHASHSEED": "77",
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)) + os.pathsep + ".",
    }
    found = subprocess.run([sys.executable, "-c", code], env=environment, check=True, capture_output=True, text=True)
    assert found.stdout.split() == [computation_identity(train(network)) for network in (OwnRngs, DigitsCNN)]


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
