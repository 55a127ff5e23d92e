from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from glojax.networks.groups import GROUP_SIZE, convolve_group, in_groups
from tests.networks import references
from tests.networks.references import random_array


@pytest.mark.parametrize("num_images", [1, GROUP_SIZE - 1, GROUP_SIZE, GROUP_SIZE + 1, 3 * GROUP_SIZE + 2])
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


@pytest.mark.parametrize(
    ("shape", "kernel_shape"), [((8, 12, 12, 16), (5, 5)), ((3, 7, 10, 3), (3, 5)), ((1, 1, 1, 2), (3, 3))]
)
def test_a_convolution_of_a_group_and_its_gradients_are_those_of_jax(
    shape: tuple[int, ...], kernel_shape: tuple[int, int]
) -> None:
    images, kernel = random_array(shape, 0), random_array((*kernel_shape, shape[-1], 7), 1)
    cotangent = random_array((*shape[:-1], 7), 2)

    def values(convolution: Any) -> Any:
        features, pullback = jax.vjp(jax.jit(convolution), images, kernel)
        return features, *pullback(cotangent)

    for ours, expected in zip(values(convolve_group), values(references.convolution), strict=True):
        np.testing.assert_allclose(ours, expected, rtol=1e-4, atol=1e-5 * np.abs(expected).max())


def test_groups_work_for_a_population_under_vmap() -> None:
    images, kernels = random_array((10, 6, 6, 2), 0), random_array((3, 3, 3, 2, 5), 1)
    mapped = jax.vmap(lambda kernel: in_groups(lambda group: convolve_group(group, kernel), images))(kernels)
    for row, kernel in enumerate(kernels):
        np.testing.assert_allclose(mapped[row], references.convolution(images, kernel), rtol=1e-4, atol=1e-5)
