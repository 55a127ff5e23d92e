"""Networks on their way to workers, read back where their file is not known."""

import sys
import threading
from pathlib import Path

import jax
import numpy as np
import pytest
from flax import nnx

from glojax.cluster.network_text import network_of_text, network_text
from glojax.errors import ConfigurationError
from glojax.networks import NetworkFactory, PureNetwork, from_functions
from glojax.training.named_functions import import_object

SOURCE = """
import jax
from flax import linen, nnx
from glojax.networks import from_functions, with_output

WIDTH = 3


class Dense(nnx.Module):
    def __init__(self, rngs):
        self.output = nnx.Linear(4, WIDTH, rngs=rngs)

    def __call__(self, inputs):
        return self.output(inputs)


class Pair(linen.Module):
    width: int

    @linen.compact
    def __call__(self, inputs):
        return linen.Dense(self.width)(inputs), "more"


first = with_output(Pair(WIDTH), lambda outputs: outputs[0])


def init(key, inputs):
    return jax.random.normal(key, (4, WIDTH)), {}


def apply(params, state, inputs, *, train, key):
    return inputs @ params, state


functions = from_functions(init, apply)
"""


def outputs(network: NetworkFactory) -> np.ndarray:
    pure = PureNetwork(network, (4,), 3)
    params, rest = pure.init(jax.random.key(0))
    return np.asarray(pure.outputs(params, rest, np.ones((1, 4), np.float32)))


@pytest.mark.parametrize("name", ["Dense", "first", "functions"])
def test_a_network_of_a_file_is_made_where_the_file_is_not(name: str, tmp_path: Path) -> None:
    path = tmp_path / "own.py"
    path.write_text(SOURCE)
    network = import_object(f"{path}:{name}")
    expected, text = outputs(network), network_text(network)
    del sys.modules[str(path)]
    path.unlink()
    assert (outputs(network_of_text(text)) == expected).all()


def test_a_function_without_an_import_path_is_sent() -> None:
    width = 3
    text = network_text(lambda rngs: nnx.Linear(4, width, rngs=rngs))
    assert outputs(network_of_text(text)).shape == (1, 3)


def test_what_is_no_code_or_data_is_refused_in_one_line() -> None:
    lock = threading.Lock()

    def init(key: jax.Array, inputs: jax.Array) -> tuple[jax.Array, dict[str, jax.Array]]:
        with lock:
            return inputs, {}

    with pytest.raises(ConfigurationError) as caught:
        network_text(from_functions(init, init))
    assert str(caught.value) == (
        "The network from_functions(init, init) cannot be sent to a cluster: cannot pickle '_thread.lock' object; make "
        "it of functions, classes and arrays."
    )
