"""Optimizers: functions of a learning rate that return an optax transformation, and those of optax by name."""

import inspect
import math
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from types import FunctionType
from typing import Annotated, Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from tyro.constructors import PrimitiveConstructorSpec

from glojax.errors import ConfigurationError, nearest
from glojax.training.named_functions import calling, import_function

#: Maps a learning rate, a traced float32 scalar, to the transformation of gradients to updates.
OptimizerFactory = Callable[[Any], optax.GradientTransformation]

#: An argument of an optimizer.
Value = float | int | bool | str | None


@dataclass(frozen=True)
class Optimizer:
    """An optimizer by name.

    Args:
        name: A function of optax whose first parameter is `learning_rate`, or the import path of any function whose
            first parameter is a learning rate, such as "package.module:function".
        arguments: Names and values of its other arguments, in any order.

    Raises:
        ConfigurationError: The optimizer or an argument is unknown, a value is not accepted, or the optimizer needs
            more than gradients and parameters, or keeps the learning rate in its state.

    Examples:
        >>> optimizer = Optimizer.of("adam", b1=0.95)
        >>> print(optimizer)
        adam b1=0.95
        >>> Optimizer.parse(["adam", "b1=0.95"]) == optimizer
        True
        >>> isinstance(optimizer(0.001), optax.GradientTransformation)
        True
    """

    name: str = "sgd"
    arguments: tuple[tuple[str, Value], ...] = ()

    def __post_init__(self) -> None:
        arguments = [(name, value.item() if isinstance(value, np.generic) else value) for name, value in self.arguments]
        object.__setattr__(self, "arguments", tuple(sorted(arguments, key=lambda pair: pair[0])))
        try:
            parameters = dict(list(inspect.signature(_function(self.name)).parameters.items())[1:])
        except ValueError as error:
            raise ConfigurationError(f"{self.name} is no function of a learning rate: {error}.") from error
        for index, (name, value) in enumerate(self.arguments):
            if index and name == self.arguments[index - 1][0]:
                raise ConfigurationError(f"{self.name} has the argument {name!r} twice; give it once.")
            if name not in parameters:
                raise ConfigurationError(
                    f"{self.name} has no argument {name!r}.{nearest(name, parameters)} "
                    f"Expected {', '.join(parameters) or 'none'}."
                )
            _check_value(f"{name} of {self.name}", value, parameters[name].default)
        check_optimizer(self, str(self))

    @classmethod
    def of(cls, name: str, /, **arguments: Value) -> "Optimizer":
        """Return the optimizer of this name with these arguments."""
        return cls(name, tuple(arguments.items()))

    @classmethod
    def parse(cls, words: Sequence[str]) -> "Optimizer":
        """Return the optimizer that command-line words give: a name, then arguments such as "b1=0.95".

        Values are numbers, True, False, None, or else text.
        """
        if not words:
            raise ConfigurationError("The optimizer has no name; give one, such as adam or sgd momentum=0.9.")
        pairs = [word.partition("=") for word in words[1:]]
        for word, (_, equals, _) in zip(words[1:], pairs, strict=True):
            if not equals:
                raise ConfigurationError(f"Got {word!r} after the optimizer {words[0]!r}; expected argument=value.")
        return cls(words[0], tuple((name, _parse_value(text)) for name, _, text in pairs))

    @property
    def words(self) -> list[str]:
        """The words that `parse` makes this optimizer from."""
        return [self.name, *(f"{name}={value}" for name, value in self.arguments)]

    def __str__(self) -> str:
        return " ".join(self.words)

    def __call__(self, learning_rate: Any) -> optax.GradientTransformation:
        """Return the optax transformation for this learning rate, which may be traced."""
        return _function(self.name)(learning_rate, **dict(self.arguments))


def check_optimizer(factory: OptimizerFactory, name: str) -> None:
    """Raise ConfigurationError unless a traced step takes gradients and parameters alone and keeps its state's form."""
    rate, params = jax.ShapeDtypeStruct((), jnp.float32), {"kernel": jax.ShapeDtypeStruct((2, 3), jnp.float32)}

    def step(rate: Any, params: Any) -> Any:
        transformation = factory(rate)
        state = transformation.init(params)
        updates, new_state = transformation.update(params, state, params)
        return (params, state), (optax.apply_updates(params, updates), new_state)

    problem = f"optimizer {name} makes no step from gradients and parameters alone"
    advice = "; correct its arguments, or choose another, such as adam."
    with calling(problem, advice), jax.numpy_dtype_promotion("standard"):
        before, after = jax.eval_shape(step, rate, params)
    if before != after:
        raise ConfigurationError(f"optimizer {name} changes the shape or dtype of its state; choose another.")
    initial_states = jax.vmap(lambda rate, params: factory(rate).init(params), in_axes=(0, None), out_axes=None)
    try:
        with jax.numpy_dtype_promotion("standard"):
            jax.eval_shape(initial_states, jax.ShapeDtypeStruct((2,), jnp.float32), params)
    except ValueError as error:
        raise ConfigurationError(
            f"optimizer {name} keeps the learning rate in its state; choose one that does not, such as adam."
        ) from error


def _function(name: str) -> Callable[..., Any]:
    """Return the function of optax, or that of an import path."""
    if ":" in name:
        return import_function(name)
    if not _is_optimizer(name):
        known = sorted(each for each in vars(optax) if _is_optimizer(each))
        raise ConfigurationError(
            f"optax has no optimizer {name!r}.{nearest(name, known)} Expected one of {', '.join(known)}, or an import "
            "path such as package.module:function."
        )
    return getattr(optax, name)  # type: ignore[no-any-return]


def _is_optimizer(name: str) -> bool:
    """Return whether this is a public function of optax whose first parameter is `learning_rate`."""
    function = vars(optax).get(name)
    if name.startswith("_") or not isinstance(function, FunctionType | partial):
        return False
    return next(iter(inspect.signature(function).parameters), "") == "learning_rate"


def _check_value(name: str, value: object, default: object) -> None:
    """Raise ConfigurationError where optax would take a value of the wrong type for another."""
    if isinstance(value, float) and not math.isfinite(value):
        raise ConfigurationError(f"{name} is {value}; expected a finite number.")
    if isinstance(default, bool):
        expected, accepted = "True or False", isinstance(value, bool)
    elif isinstance(default, float | int):
        expected, accepted = "a number", isinstance(value, float | int | None) and not isinstance(value, bool)
    else:
        expected, accepted = "a number, text, True, False or None", isinstance(value, Value)
    if not accepted:
        raise ConfigurationError(f"{name} is {value!r}; expected {expected}.")


def _parse_value(text: str) -> Value:
    constants: dict[str, Value] = {"True": True, "False": False, "None": None}
    for parse in (constants.__getitem__, int, float):
        with suppress(KeyError, ValueError):
            return parse(text)
    return text


def _parse_words(words: list[str]) -> Optimizer:
    try:
        return Optimizer.parse(words)
    except ConfigurationError as error:
        raise ValueError(str(error)) from error


#: The optimizer of a training that names no other.
PLAIN_SGD = Optimizer("sgd")

#: An optimizer as a field of a dataclass that tyro makes a command line from, which gives an `Optimizer`.
OptimizerField = Annotated[
    Optimizer | OptimizerFactory | str,
    PrimitiveConstructorSpec(
        nargs="*",
        metavar="NAME [--optimizer.ARGUMENT VALUE ...]",
        instance_from_str=_parse_words,
        is_instance=lambda value: isinstance(value, str) or callable(value),
        str_from_instance=lambda value: getattr(value, "words", None) or [str(value)],
    ),
]
