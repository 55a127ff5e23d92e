"""The times of several forms of a convolution, on the shapes of the networks' layers.

    python -m benchmarks.convolution

Each runs in a jitted loop, as in a training: forward alone, and forward with its gradients (of the kernel alone in a
network's first layer).

    convolve       `glojax.networks.ops.convolution`
    in groups      the same, a few images at a time (`glojax.networks.ops.groups`)
    lax            `jax.lax.conv_general_dilated`, differentiated by JAX
    4 x LOWERING   a population of four under `vmap`, by each of `glojax.networks.ConvolutionLowering`; in a network's
                   first layer all four have the same images. Time is for one candidate.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Annotated, Literal, NamedTuple, get_args

import jax
import jax.numpy as jnp
import numpy as np
import tyro
from jax import lax

from benchmarks.contestant import Contestant, Work
from benchmarks.measurement import Entry, Turns, measure, save
from benchmarks.record import Case, Record
from glojax.networks import ConvolutionLowering, lowered_convolutions
from glojax.networks.ops.convolution import convolve
from glojax.networks.ops.groups import in_groups

#: Maps images [B, H, W, Cin] and a kernel [KH, KW, Cin, Cout] to features [B, H, W, Cout].
Form = Callable[[jax.Array, jax.Array], jax.Array]

Pass = Literal["forward", "forward and backward"]


class Shape(NamedTuple):
    """A layer: batch, side of the images, side of the kernel, channels in and out, and repetitions of a turn."""

    batch: int
    side: int
    kernel: int
    Cin: int
    Cout: int
    repetitions: int

    @property
    def gigaflop(self) -> float:
        """The operations of one product, in 1e9."""
        return 2 * self.batch * self.side**2 * self.kernel**2 * self.Cin * self.Cout / 1e9


SHAPES = {
    "digits 1": Shape(64, 8, 3, 1, 16, 500),
    "digits 2": Shape(64, 4, 3, 16, 32, 500),
    "mnist 1": Shape(100, 28, 5, 1, 32, 20),
    "mnist 2": Shape(100, 14, 5, 32, 64, 10),
    "cifar 1": Shape(1024, 24, 5, 3, 64, 1),
    "cifar 2": Shape(1024, 12, 5, 64, 64, 1),
}


def _by_groups(images: jax.Array, kernel: jax.Array) -> jax.Array:
    return in_groups(partial(convolve, kernel=kernel), images)


def _lax(images: jax.Array, kernel: jax.Array) -> jax.Array:
    return lax.conv_general_dilated(images, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))


FORMS: dict[str, Form] = {"convolve": convolve, "in groups": _by_groups, "lax": _lax}

POPULATION = 4

#: Forms of a population's convolutions.
LOWERINGS: dict[str, ConvolutionLowering] = {
    f"{POPULATION} x {lowering}": lowering for lowering in get_args(ConvolutionLowering)
}


def _of_population(lowering: ConvolutionLowering, shared_images: bool) -> Form:
    def convolution(images: jax.Array, kernels: jax.Array) -> jax.Array:
        with lowered_convolutions(lowering):
            features: jax.Array = jax.vmap(convolve, in_axes=(None if shared_images else 0, 0))(images, kernels)
        return features

    return convolution


@dataclass(frozen=True)
class Options:
    """Options of the measurement. The default takes a quarter of an hour on two cores."""

    layers: tuple[str, ...] = tuple(SHAPES)
    forms: tuple[str, ...] = (*FORMS, *LOWERINGS)
    turns: Annotated[Turns, tyro.conf.arg(name="")] = field(default_factory=lambda: Turns(rounds=5, case_seconds=10.0))


def make(layer: str, form: str, direction: Pass) -> Contestant:
    """Repeat a form on images and kernels that depend on the repetition before, so that no work leaves the loop."""
    shape = SHAPES[layer]
    first_layer = shape.Cin <= 3
    rng = np.random.default_rng(0)
    images_shape: tuple[int, ...] = (shape.batch, shape.side, shape.side, shape.Cin)
    kernel_shape: tuple[int, ...] = (shape.kernel, shape.kernel, shape.Cin, shape.Cout)
    scale = np.prod(kernel_shape[:3]) ** -0.5
    if form in LOWERINGS:
        convolution = _of_population(LOWERINGS[form], shared_images=first_layer)
        images_shape = images_shape if first_layer else (POPULATION, *images_shape)
        kernel_shape = (POPULATION, *kernel_shape)
    else:
        convolution = FORMS[form]
    images = jnp.asarray(rng.normal(size=images_shape), jnp.float32)
    kernel = jnp.asarray(rng.normal(size=kernel_shape) * scale, jnp.float32)

    def forward(_: int, state: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        images, kernel = state
        largest = 1e-9 * convolution(images, kernel).max()
        return images + largest, kernel + largest

    def forward_and_backward(_: int, state: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        images, kernel = state
        if first_layer:
            features, pullback = jax.vjp(lambda kernel: convolution(images, kernel), kernel)
            (kernel_gradient,) = pullback(features)
            return images + 1e-9 * kernel_gradient.max(), kernel - 1e-9 * kernel_gradient
        features, pullback = jax.vjp(convolution, images, kernel)
        images_gradient, kernel_gradient = pullback(features)
        return images - 1e-9 * images_gradient, kernel - 1e-9 * kernel_gradient

    step = forward if direction == "forward" else forward_and_backward
    repeat = jax.jit(lambda *state: lax.fori_loop(0, shape.repetitions, step, state))

    def turn() -> Work:
        jax.block_until_ready(repeat(images, kernel))
        return Work(shape.repetitions * (POPULATION if form in LOWERINGS else 1))

    return Contestant(turn)


def main(options: Options) -> None:
    """Measure, print, and write `results/convolution.json`."""
    directions: tuple[Pass, ...] = ("forward", "forward and backward")
    record = measure(
        "convolution",
        [[entry(layer, form, way) for way in directions for form in options.forms] for layer in options.layers],
        unit="milliseconds a pass",
        unit_seconds=1e-3,
        configuration={"layers": options.layers, "forms": options.forms},
        turns=options.turns,
    )
    save(replace(record, cases=[with_share(case, record) for case in record.cases]))


def entry(layer: str, form: str, direction: Pass) -> Entry:
    """Return the case of one form of a layer; each has a process, since the slow ones may be ended."""
    products = 1 if direction == "forward" else 2 if SHAPES[layer].Cin <= 3 else 3
    return Entry(
        form,
        {"layer": layer, "pass": direction},
        "benchmarks.convolution:make",
        {"layer": layer, "form": form, "direction": direction},
        details=SHAPES[layer]._asdict() | {"gigaflop": products * SHAPES[layer].gigaflop},
    )


def with_share(case: Case, record: Record) -> Case:
    """Return the case with its share of the matrix product's rate."""
    median, product = case.samples.median, record.matrix_product_gflops.median
    if median is None or product is None:
        return case
    share = round(case.details["gigaflop"] / (median * 1e-3) / product, 4)
    return replace(case, details={**case.details, "share_of_matrix_product": share})


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))
