from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from glojax.networks.ops.canonical_convolution import GROUP_SIZE
from glojax.networks.ops.convolution import convolve
from glojax.networks.ops.groups import in_groups
from glojax.networks.ops.lowering import lowered_convolutions
from tests.networks import references
from tests.networks.references import random_array


@pytest.mark.parametrize("num_images", [1, GROUP_SIZE, GROUP_SIZE + 1, 16])
def test_layers_in_groups_give_what_they_give_at_once(num_images: int) -> None:
    operands, weights = (
        (random_array((num_images, 4, 3), 0), random_array((3,), 1)),
        random_array((num_images, 3, 2), 2),
    )

    def layers(images: jax.Array, scale: jax.Array) -> jax.Array:
        return jnp.sin(images * scale)[:, 1:, :2]

    def grouped(images: jax.Array, scale: jax.Array) -> jax.Array:
        return in_groups(lambda group: layers(group, scale), images)

    for ours, expected in zip(
        *(references.value_and_gradients(function, operands, weights) for function in (grouped, layers)), strict=True
    ):
        np.testing.assert_allclose(ours, expected, rtol=1e-4, atol=1e-5)


def test_groups_work_for_a_population_under_vmap() -> None:
    images, kernels = random_array((10, 6, 6, 2), 0), random_array((3, 3, 3, 2, 5), 1)

    @jax.jit
    @partial(jax.vmap, in_axes=(None, 0))
    def both(images: jax.Array, kernel: jax.Array) -> tuple[jax.Array, jax.Array]:
        return in_groups(lambda group: convolve(group, kernel), images), references.convolution(images, kernel)

    ours, expected = both(images, kernels)
    np.testing.assert_allclose(ours, expected, rtol=1e-4, atol=1e-5)


def test_on_accelerators_there_are_no_groups() -> None:
    sizes = []

    def layers(images: jax.Array) -> jax.Array:
        sizes.append(len(images))
        return images

    with lowered_convolutions("grouped"):
        in_groups(layers, jnp.zeros((3 * GROUP_SIZE, 2)))
    assert sizes == [3 * GROUP_SIZE]
