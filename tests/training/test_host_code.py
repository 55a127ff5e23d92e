"""Functions of the host in traced programs: told apart by what they compute, the same in every process."""

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from glojax.training.digest import digest


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
    code = "from tests.training.test_host_code import *; print(*map(through_host, HOST))"
    environment = os.environ | {
        "PYTHONHASHSEED": "77",
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)) + os.pathsep + ".",
    }
    found = subprocess.run([sys.executable, "-c", code], env=environment, check=True, capture_output=True, text=True)
    assert found.stdout.split() == list(map(through_host, HOST))


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
