"""The time and temporary memory of losses that are compiled, compared with optax's cross-entropy.

    taskset -c 0 python -m benchmarks.losses    # on one core, where other processes disturb it least

The mean loss of a batch and its gradient in the logits, in one jitted function that is called again and again.

    optax            `optax.softmax_cross_entropy`, or `softmax_cross_entropy_with_integer_labels`
    cross_entropy    `make_loss("cross_entropy")`, and likewise the others of `glojax.losses.CATALOG`
    x * y            a loss of three nodes
    copy             the logits plus 1, for comparison: each is read once and written once

A sample is the mean of a turn. "times optax" is the median, over the rounds, of the ratio to optax's turn of the same
round, which the load of the machine changes least.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from statistics import median
from typing import Annotated, Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
import optax
import tyro

from benchmarks.contestant import Contestant, Work
from benchmarks.measurement import Entry, Turns, call, measure, save
from benchmarks.record import Case
from glojax import make_loss

Labels = Literal["one-hot", "integers"]
LossFn = Callable[[jax.Array, jax.Array], jax.Array]

OPTAX: dict[Labels, LossFn] = {
    "one-hot": optax.softmax_cross_entropy,
    "integers": optax.softmax_cross_entropy_with_integer_labels,
}
#: The first one's turn comes after the matrix product, which leaves it a cold cache.
CONTESTANTS = ("copy", "optax", "cross_entropy", "x * y", "baikal", "baikal_cma")

#: A turn computes about this many logits, but calls the function this often at most.
LOGITS = 3e6
MOST_REPETITIONS = 200


@dataclass(frozen=True)
class Options:
    """Options of the measurement. The default takes about four minutes."""

    batch_sizes: tuple[int, ...] = (1024, 128, 64)
    classes: tuple[int, ...] = (10, 10, 50_000)
    turns: Annotated[Turns, tyro.conf.arg(name="")] = field(default_factory=lambda: Turns(rounds=41))


def main(options: Options) -> None:
    """Measure, print, and write `results/losses.json`."""
    shapes = list(zip(options.batch_sizes, options.classes, strict=True))
    heats = [[entry(name, *shape, labels) for name in CONTESTANTS] for shape in shapes for labels in OPTAX]
    record = measure(
        "losses",
        heats,
        unit="microseconds for a batch's loss and gradient",
        unit_seconds=1e-6,
        configuration={"shapes": shapes},
        turns=options.turns,
    )
    size = len(CONTESTANTS)
    cases = [case for start in range(0, len(record.cases), size) for case in compared(record.cases[start:][:size])]
    save(replace(record, cases=cases))


def entry(name: str, batch_size: int, classes: int, labels: Labels) -> Entry:
    """Return a case, with the temporary memory that XLA plans for it."""
    arguments = {"name": name, "batch_size": batch_size, "classes": classes, "labels": labels}
    details = {"temporary_megabytes": call("benchmarks.losses:temporary_bytes", **arguments) / 1e6}
    parameters = {"logits": f"{batch_size} x {classes}", "labels": labels}
    return Entry(name, parameters, "benchmarks.losses:make", arguments, worker="all", details=details)


def compared(cases: Sequence[Case]) -> list[Case]:
    """Return the cases of a heat with their ratios to optax, round by round."""
    base = next(case.samples.values for case in cases if case.contestant == "optax")
    return [
        replace(
            case,
            details={
                **case.details,
                "times_optax": median(a / b for a, b in zip(case.samples.values, base, strict=False)),
            },
        )
        if case.samples.values and base
        else case
        for case in cases
    ]


def make(name: str, batch_size: int, classes: int, labels: Labels) -> Contestant:
    """Call the function many times; a unit is one call."""
    compiled, arguments = _compiled(name, batch_size, classes, labels)
    repetitions = int(min(MOST_REPETITIONS, max(1, LOGITS // (batch_size * classes))))

    def turn() -> Work:
        for _ in range(repetitions):
            result = compiled(*arguments)
        if not jnp.isfinite(jax.block_until_ready(result)[1]).all():
            raise RuntimeError("the gradient is not finite")
        return Work(repetitions)

    return Contestant(turn)


def temporary_bytes(name: str, batch_size: int, classes: int, labels: Labels) -> int:
    """Return the memory that the compiled function needs beside arguments and results."""
    compiled, _ = _compiled(name, batch_size, classes, labels)
    analysis: Any = compiled.memory_analysis()
    return int(analysis.temp_size_in_bytes)


def _compiled(
    name: str, batch_size: int, classes: int, labels: Labels
) -> tuple[jax.stages.Compiled, tuple[jax.Array, jax.Array]]:
    logits = jnp.asarray(np.random.default_rng(0).normal(size=(batch_size, classes)) * 5, jnp.float32)
    integers = jnp.arange(batch_size) % classes
    arguments = logits, jax.nn.one_hot(integers, classes) if labels == "one-hot" else integers
    if name == "copy":
        return jax.jit(lambda logits, _: (0.0, logits + 1)).lower(*arguments).compile(), arguments
    loss_fn = OPTAX[labels] if name == "optax" else make_loss(name)
    function = jax.value_and_grad(lambda logits, labels: loss_fn(logits, labels).mean())
    return jax.jit(function).lower(*arguments).compile(), arguments


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))
