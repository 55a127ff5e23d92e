from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import tyro

from glojax.errors import ConfigurationError
from glojax.training import Optimizer
from glojax.training.optimizer import PLAIN_SGD, OptimizerField


def doubled_sgd(rate: Any, factor: float = 2.0) -> optax.GradientTransformation:
    """An optimizer from outside the package."""
    return optax.sgd(rate * factor)


PATH = f"{__name__}:doubled_sgd"


@pytest.mark.parametrize("name", ["sgd", "adam", "adamw", "rmsprop", "lion", "lamb", "adagrad", "nadam", "lars"])
def test_optimizers_of_optax_are_known_by_name(name: str) -> None:
    ours, theirs = Optimizer(name)(0.1), getattr(optax, name)(0.1)
    params, gradient = {"kernel": np.ones((2, 3), np.float32)}, {"kernel": np.full((2, 3), 0.5, np.float32)}
    with jax.numpy_dtype_promotion("standard"):
        updates, expected = jax.jit(
            lambda: [each.update(gradient, each.init(params), params)[0] for each in (ours, theirs)]
        )()
    np.testing.assert_allclose(updates["kernel"], expected["kernel"], rtol=1e-6)


def test_arguments_reach_the_optimizer_in_any_order() -> None:
    optimizer = Optimizer.of("sgd", nesterov=True, momentum=0.9)
    assert optimizer == Optimizer("sgd", (("momentum", np.float64(0.9)), ("nesterov", True)))
    assert hash(optimizer) == hash(Optimizer.of("sgd", momentum=0.9, nesterov=True))
    state = optimizer(0.1).init(jnp.ones(2))
    expected = optax.sgd(0.1, momentum=0.9, nesterov=True).init(jnp.ones(2))
    assert str(jax.tree.structure(state)) == str(jax.tree.structure(expected))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["adm"], r"optax has no optimizer 'adm'\. Did you mean 'adam'\? Expected one of .*adamw"),
        (["cosine_decay_schedule"], "optax has no optimizer 'cosine_decay_schedule'"),
        (
            ["adam", "nesterow=True"],
            r"adam has no argument 'nesterow'\. Did you mean 'nesterov'\? Expected b1, b2",
        ),
        (["adam", "learning_rate=0.9"], "adam has no argument 'learning_rate'"),
        (["adam", "b1=0.9", "b1=high"], "adam has the argument 'b1' twice"),
        (["adam", "b1=high"], "b1 of adam is 'high'; expected a number"),
        (["adam", "b1=nan"], "b1 of adam is nan; expected a finite number"),
        (["adam", "b1=None"], "optimizer adam b1=None makes no step"),
        (["sgd", "momentum=much"], "optimizer sgd momentum=much makes no step"),
        (["sgd", "nesterov=false"], "nesterov of sgd is 'false'; expected True or False"),
        (["sgd", "0.9"], "Got '0.9' after the optimizer 'sgd'; expected argument=value"),
        ([], "The optimizer has no name"),
        (["lbfgs"], "optimizer lbfgs makes no step from gradients and parameters alone: .*value"),
        (["polyak_sgd"], "optax has no optimizer 'polyak_sgd'"),
        (["_deprecated_dpsgd"], "optax has no optimizer '_deprecated_dpsgd'"),
        (["rprop"], "optimizer rprop keeps the learning rate in its state"),
        (["no_such_module:f"], "Cannot import 'no_such_module:f'"),
        (["math:no_such_name"], "Cannot import 'math:no_such_name'"),
        (["math:pi"], "'math:pi' is 3.14.*; expected a function"),
        (["math:sin"], "optimizer math:sin makes no step"),
        (["builtins:dict"], "builtins:dict is no function of a learning rate"),
        ([PATH, "faktor=3"], r"has no argument 'faktor'\. Did you mean 'factor'\?"),
    ],
)
def test_what_is_no_optimizer_is_refused_in_one_line(words: list[str], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message) as caught:
        Optimizer.parse(words)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "words",
    [["sgd"], ["adam", "b1=0.95"], ["sgd", "momentum=0.9", "nesterov=True"], ["adam", "mu_dtype=bfloat16"]],
)
def test_words_and_optimizers_are_each_other_s_inverse(words: list[str]) -> None:
    optimizer = Optimizer.parse(words)
    assert optimizer.words == words
    assert str(optimizer) == " ".join(words)


def test_a_function_of_another_package_is_an_optimizer() -> None:
    optimizer = Optimizer.parse([PATH, "factor=3"])(0.5)
    update, _ = optimizer.update(jnp.ones(()), optimizer.init(jnp.ones(())))
    assert update == -1.5


@dataclass
class Options:
    optimizer: OptimizerField = PLAIN_SGD


def test_a_command_line_makes_an_optimizer(capsys: pytest.CaptureFixture[str]) -> None:
    assert tyro.cli(Options, args=["--optimizer", "adam", "b1=0.95"]).optimizer == Optimizer.of("adam", b1=0.95)
    assert tyro.cli(Options, args=[]).optimizer == Optimizer("sgd")
    with pytest.raises(SystemExit):
        tyro.cli(Options, args=["--help"])
    assert "(default: sgd)" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        tyro.cli(Options, args=["--optimizer", "adm"])
    assert "Did you mean" in capsys.readouterr().err
