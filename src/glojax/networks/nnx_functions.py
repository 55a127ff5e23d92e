"""Flax NNX modules as functions of their parameters and state."""

import inspect
from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any

import jax
from flax import nnx

from glojax.networks.functions import NetworkFunctions


def nnx_functions(build: Callable[[nnx.Rngs], Any]) -> NetworkFunctions:
    """Return the functions of the module that is built.

    `params` is the state of each `nnx.Param`; `state` is that of everything else, such as batch statistics and the keys
    and counts of dropout layers. In training the module is called as `network(inputs, dropout_key=key)` where it has
    that parameter, or as `network(inputs, rngs=nnx.Rngs(key))` where it has that one, else as `network(inputs)`; in
    evaluation as `network(inputs)`. Before each, `train()` or `eval()` sets the modes of layers.
    """
    return NetworkFunctions(partial(_init, build), partial(_apply, build), partial(_assemble, build))


def builder(network: Callable[..., Any], input_shape: Any, num_outputs: int) -> Any:
    """Return the function from `nnx.Rngs` to the module."""
    for_data = getattr(network, "for_data", None)
    build = for_data(input_shape, num_outputs) if for_data else network
    function = build.func if isinstance(build, partial) else build
    # The metaclass hides the parameters of a class.
    function = function.__init__ if inspect.isclass(function) else function
    if "rngs" in inspect.signature(function).parameters:
        return lambda rngs: build(rngs=rngs)
    return build


def _init(build: Callable[[nnx.Rngs], Any], key: jax.Array, inputs: jax.Array) -> tuple[Any, Any]:
    model = _built(build, nnx.Rngs(key))
    return nnx.state(model, nnx.Param), nnx.state(model, nnx.Not(nnx.Param))


def _apply(
    build: Callable[[nnx.Rngs], Any], params: Any, state: Any, inputs: jax.Array, *, train: bool, key: jax.Array | None
) -> tuple[Any, Any]:
    model = _assemble(build, params, state)
    if not train:
        return model(inputs), state
    model.train()
    parameters = inspect.signature(model.__call__).parameters
    if "dropout_key" in parameters:
        outputs = model(inputs, dropout_key=key)
    elif "rngs" in parameters:
        outputs = model(inputs, rngs=nnx.Rngs(key))
    else:
        outputs = model(inputs)
    # A call may leave more than there was, such as intermediate values.
    after = dict(nnx.to_flat_state(nnx.state(model, nnx.Not(nnx.Param))))
    return outputs, nnx.from_flat_state([(path, after[path]) for path, _ in nnx.to_flat_state(state)])


def _assemble(build: Callable[[nnx.Rngs], Any], params: Any, state: Any) -> Any:
    """Return the module, in evaluation."""
    model = nnx.merge(_structure(build), params, state, copy=True)
    model.eval()
    return model


# A training is traced several times, and building a module takes as long as calling it.
@lru_cache(maxsize=32)
def _structure(build: Callable[[nnx.Rngs], Any]) -> Any:
    """Return what a module is beside its arrays."""
    return nnx.split(nnx.eval_shape(lambda: _built(build, nnx.Rngs(0))))[0]


def _built(build: Callable[[nnx.Rngs], Any], rngs: nnx.Rngs) -> Any:
    """Return the module, with arrays among its attributes as state: traced ones would be part of its structure."""
    model = build(rngs)
    for _, module in nnx.iter_modules(model):
        for name, value in list(vars(module).items()):
            if isinstance(value, jax.Array):
                setattr(module, name, nnx.data(value))
    return model
