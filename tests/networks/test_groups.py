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


@pytest.mark.parametrize("num_images", [1, GROUP_SIZE - 1, GROUP_SIZE, GROUP_SIZE + 1, 16, 3 * GROUP_SIZE + 2])
def test_layers_in_groups_give_what_they_give_at_once(num_images: int) -> None:
    images, scale, weights = (
        random_array((num_images, 4, 3), 0),
        random_array((3,), 1),
        random_array((num_images, 3, 2), 2),
    )

    def layers(images: jax.Array, scale: jax.Array) -> jax.Array:
        return jnp.sin(images * scale)[:, 1:, :2]

    def total(images: jax.Array, scale: jax.Array, grouped: bool) -> jax.Array:
        features = in_groups(lambda group: layers(group, scale), images) if grouped else layers(images, scale)
        return (features * weights).sum()

    for ours, expected in zip(
        jax.tree.leaves(jax.value_and_grad(total, argnums=(0, 1))(images, scale, True)),
        jax.tree.leaves(jax.value_and_grad(total, argnums=(0, 1))(images, scale, False)),
        strict=True,
    ):
        np.testing.assert_allclose(ours, expected, rtol=1e-4, atol=1e-5)


def test_groups_work_for_a_population_under_vmap() -> None:
    images, kernels = random_array((10, 6, 6, 2), 0), random_array((3, 3, 3, 2, 5), 1)
    mapped = jax.vmap(lambda kernel: in_groups(lambda group: convolve(group, kernel), images))(kernels)
    for row, kernel in enumerate(kernels):
        np.testing.assert_allclose(mapped[row], references.convolution(images, kernel), rtol=1e-4, atol=1e-5)


def test_on_accelerators_there_are_no_groups() -> None:
    sizes = []

    def layers(images: jax.Array) -> jax.Array:
        sizes.append(len(images))
        return images

    with lowered_convolutions("grouped"):
        in_groups(layers, random_array((3 * GROUP_SIZE, 2), 0))
    assert sizes == [3 * GROUP_SIZE]
