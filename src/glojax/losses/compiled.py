"""One tree as one straight-line JAX function."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from glojax.expressions import LossTree, Node
from glojax.losses.operations import OPERATIONS, forward_differentiated


def compile_tree(tree: LossTree) -> Callable[[jax.Array, jax.Array], jax.Array]:
    """Return `function(labels, probs)`: f(x, y) elementwise, for tracing under `jit`.

    All arrays have the shape and dtype of `probs`, in which alone the function is differentiable.

    Example:
        >>> function = compile_tree(LossTree.parse("x / y^2"))
        >>> float(function(jnp.float32(1.0), jnp.float32(0.5)))
        4.0
    """

    @forward_differentiated
    def function(labels: jax.Array, probs: jax.Array) -> jax.Array:
        leaves = {"x": labels, "y": probs}

        def value(node: Node, *operands: jax.Array) -> jax.Array:
            if operands:
                result = OPERATIONS[node.operator](*operands)
            else:
                result = leaves[node.operator] if node.operator in leaves else jnp.full_like(probs, node.value)
            return result if node.coefficient == 1 else result * node.coefficient

        with np.errstate(over="ignore"):  # a coefficient beyond float32 is infinite
            return tree.fold(value)

    return function
