"""The cost of a loss as a program, as a compiled function, and written by hand.

    python -m benchmarks.interpreter

The time of the mean loss of a batch of 100 and its gradient, many times in one jitted loop, as in a training; against
the nodes of the tree and the number of classes.

    program     `LossProgram`, run by the interpreter that all losses share
    compiled    `make_loss`
    optax       `optax.softmax_cross_entropy`, for the tree of 4 nodes that is cross-entropy
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import tyro
from jax import lax

from benchmarks.contestant import Contestant, Work
from benchmarks.measurement import Entry, Turns, measure, save
from glojax.expressions import LossTree
from glojax.losses import LossProgram, interpret, make_loss
from glojax.losses.objective import objective

BATCH_SIZE = 100
CAPACITY = 64

#: A turn evaluates about this many values of nodes, but evaluates the loss this often at most.
NODE_VALUES = 3e7
MOST_REPETITIONS = 2000

#: Of the tree that is cross-entropy.
CROSS_ENTROPY_SIZE = 4


@dataclass(frozen=True)
class Options:
    """Options of the measurement. The default takes about three minutes on two cores."""

    sizes: tuple[int, ...] = (3, 4, 7, 15, 31, 63)
    """Nodes of the trees: 4, or one less than a power of two."""

    classes: tuple[int, ...] = (2, 10, 100, 1000)
    turns: Annotated[Turns, tyro.conf.arg(name="")] = field(default_factory=lambda: Turns(rounds=5))


def program(size: int, classes: int) -> Contestant:
    """Interpret the tree."""
    written = LossProgram.from_tree(tree_of_size(size), CAPACITY)

    def loss_fn(written: Any, logits: jax.Array, labels: jax.Array) -> jax.Array:
        return objective(interpret, "sum", 1e-7, written, labels, logits)

    return _repeated(loss_fn, written, size, classes)


def compiled(size: int, classes: int) -> Contestant:
    """Compile the tree to one straight-line function."""
    loss = make_loss(tree_of_size(size))
    return _repeated(lambda _, logits, labels: loss(logits, labels), None, size, classes)


def by_hand(size: int, classes: int) -> Contestant:
    """Take optax's cross-entropy."""
    return _repeated(lambda _, logits, labels: optax.softmax_cross_entropy(logits, labels), None, size, classes)


def tree_of_size(size: int) -> LossTree:
    """Return cross-entropy for 4 nodes, else a balanced tree of 2^k - 1 whose parts differ by their coefficients."""
    if size == CROSS_ENTROPY_SIZE:
        return LossTree.parse("x * log(y)")
    tree = LossTree.parse("x * y" if size == 3 else "sqrt(y) - x * log(y)")
    operators = ("add", "multiply")
    while tree.size < size:
        tree = LossTree.of(operators[tree.depth % 2], tree, tree)
    if tree.size != size:
        raise ValueError(f"There is no tree of {size} nodes here; expected 4, or one less than a power of two.")
    return tree.with_coefficients(np.random.default_rng(0).uniform(0.9, 1.1, size).tolist())


def main(options: Options) -> None:
    """Measure, print, and write `results/interpreter.json`."""
    save(
        measure(
            "interpreter",
            [[entry for size in options.sizes for entry in entries(size, classes)] for classes in options.classes],
            unit="microseconds for a batch's loss and gradient",
            unit_seconds=1e-6,
            configuration={"batch_size": BATCH_SIZE, "sizes": options.sizes, "classes": options.classes},
            turns=options.turns,
        )
    )


def entries(size: int, classes: int) -> list[Entry]:
    """Return the cases of a tree."""
    functions = {"program": "program", "compiled": "compiled"}
    if size == CROSS_ENTROPY_SIZE:
        functions["optax"] = "by_hand"
    parameters = {"size": size, "classes": classes}
    return [
        Entry(contestant, parameters, f"benchmarks.interpreter:{function}", parameters, worker="all")
        for contestant, function in functions.items()
    ]


def _repeated(
    loss_fn: Callable[[Any, jax.Array, jax.Array], jax.Array], written: Any, size: int, classes: int
) -> Contestant:
    """Return a contestant that descends on the logits, so that each gradient depends on the one before."""
    repetitions = int(min(MOST_REPETITIONS, max(1, NODE_VALUES // (size * BATCH_SIZE * classes))))
    rng = np.random.default_rng(0)
    logits = jnp.asarray(rng.normal(size=(BATCH_SIZE, classes)), jnp.float32)
    labels = jax.nn.one_hot(rng.integers(0, classes, BATCH_SIZE), classes)

    @jax.jit
    def descend(written: Any, logits: jax.Array, labels: jax.Array) -> jax.Array:
        def step(_: int, logits: jax.Array) -> jax.Array:
            loss, gradient = jax.value_and_grad(lambda logits: loss_fn(written, logits, labels).mean())(logits)
            # The loss, too, has to be computed.
            moved: jax.Array = logits - 1e-3 * gradient - 1e-9 * loss
            return moved

        last: jax.Array = lax.fori_loop(0, repetitions, step, logits)
        return last

    def turn() -> Work:
        if not jnp.isfinite(descend(written, logits, labels)).all():
            raise RuntimeError("the logits are no longer finite")
        return Work(repetitions)

    return Contestant(turn)


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))
