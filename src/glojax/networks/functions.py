"""Networks of any framework, as functions of their parameters and state."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
from flax import linen

#: The parameters of Linen modules that say whether a call is one of training, and what they are in training.
_MODES = {"train": True, "training": True, "is_training": True, "deterministic": False, "use_running_average": False}


@dataclass(frozen=True)
class NetworkFunctions:
    """A network as two pure functions; see `from_functions`. `assemble` makes of (params, state) what users know."""

    init: Callable[..., Any]
    apply: Callable[..., Any]
    assemble: Callable[[Any, Any], Any] = lambda params, state: (params, state)


def from_functions(init: Callable[..., Any], apply: Callable[..., Any]) -> NetworkFunctions:
    """Return the network that two functions make, for Equinox, Haiku, and networks written by hand.

    Args:
        init: `init(key, inputs) -> (params, state)` with a typed JAX key and inputs [1, ...]. Both are pytrees of
            arrays: gradients change `params`; `state` is what a call in training leaves, `{}` where that is nothing.
        apply: `apply(params, state, inputs, *, train, key) -> (outputs, state)` with inputs [B, ...], outputs [B, C]
            and a key that differs from step to step. In evaluation `train` is False, `key` is None, and the state is
            dropped.

    Examples:
        >>> import jax.numpy as jnp
        >>> def init(key, inputs):
        ...     return jnp.zeros((inputs[0].size, 10)), {}
        >>> def apply(params, state, inputs, *, train, key):
        ...     return inputs.reshape(len(inputs), -1) @ params, state
        >>> network = from_functions(init, apply)
    """
    return NetworkFunctions(init, apply)


@dataclass(frozen=True)
class SelectedOutput:
    """A network of which a part of the output counts; see `with_output`."""

    network: Any
    output: Callable[[Any], jax.Array]

    def functions(self, whole: NetworkFunctions) -> NetworkFunctions:
        """Return the functions of the network, from those of the one with the whole output."""

        def apply(*arguments: Any, **modes: Any) -> tuple[jax.Array, Any]:
            outputs, state = whole.apply(*arguments, **modes)
            return self.output(outputs), state

        return NetworkFunctions(whole.init, apply, whole.assemble)


def with_output(network: Any, output: Callable[[Any], jax.Array]) -> SelectedOutput:
    """Return a network with the array [B, C] that `output` takes from what a call returns.

    Examples:
        >>> network = with_output(linen.Dense(10), output=lambda outputs: outputs[0])  # of (logits, auxiliary)
    """
    return SelectedOutput(network, output)


def linen_functions(module: linen.Module) -> NetworkFunctions:
    """Return the functions of a Linen module.

    Its collections other than "params" are the state. In training it is called with `train=True` or
    `deterministic=False` and the like, where `__call__` has such a parameter, and with a key for each of its streams of
    random numbers.
    """
    return NetworkFunctions(partial(_linen_init, module), partial(_linen_apply, module), _linen_variables)


def _linen_init(module: linen.Module, key: jax.Array, inputs: jax.Array) -> tuple[Any, Any]:
    variables = dict(module.init(key, inputs, **_mode(module, train=False)))
    params = variables.pop("params", {})
    return params, {name: values for name, values in variables.items() if name != "intermediates"}


def _linen_apply(
    module: linen.Module, params: Any, state: Any, inputs: jax.Array, *, train: bool, key: jax.Array | None
) -> tuple[Any, Any]:
    rngs = {} if key is None else {"params": key, "dropout": key}
    return module.apply(
        _linen_variables(params, state), inputs, rngs=rngs, mutable=list(state), **_mode(module, train=train)
    )


def _linen_variables(params: Any, state: Any) -> dict[str, Any]:
    return {"params": params, **state}


def _mode(module: linen.Module, *, train: bool) -> dict[str, Any]:
    """Return the arguments that tell a module whether it is in training."""
    parameters = inspect.signature(type(module).__call__).parameters
    return {name: value == train for name, value in _MODES.items() if name in parameters}
