"""F(4x4, 5x5) against a direct convolution in float64."""

import jax
import numpy as np
import pytest

from glojax.networks.ops import canonical_convolution as canonical, winograd
from glojax.networks.ops.convolution import convolve
from tests.networks import references
from tests.networks.references import random_array

# [B, H, W, Cin], Cout. Sides that are whole tiles, that are not and differ, and that are smaller than a kernel.
SHAPES = [((3, 12, 12, 64), 64), ((2, 7, 9, 16), 20), ((1, 2, 3, 17), 16)]


@pytest.mark.parametrize(("shape", "Cout"), SHAPES)
def test_features_and_gradients_are_exact_to_five_digits(shape: tuple[int, ...], Cout: int) -> None:
    images, kernel = random_array(shape, 0), random_array((5, 5, shape[-1], Cout), 1)
    cotangent = random_array((*shape[:-1], Cout), 2)
    assert winograd.applies(kernel.shape)
    ours = jax.jit(lambda *given: (winograd.forward(*given[:2]), *winograd.gradients(*given)))(
        images, kernel, cotangent
    )
    with jax.enable_x64(True):
        operands = images.astype(np.float64), kernel.astype(np.float64)
        expected = references.value_and_gradients(references.convolution, operands, cotangent.astype(np.float64))
    for mine, exact in zip(map(np.asarray, ours), expected, strict=True):
        assert exact.dtype == np.float64
        assert mine.shape == exact.shape
        assert np.sqrt(np.mean((mine - exact) ** 2)) < 1e-5 * np.sqrt(np.mean(exact**2))
        assert np.abs(mine - exact).max() < 2e-5 * np.abs(exact).max()


@pytest.mark.parametrize("kernel_shape", [(3, 3, 16, 16), (5, 5, 15, 16), (5, 5, 16, 15)])
def test_small_kernels_and_few_channels_take_another_form(kernel_shape: tuple[int, ...]) -> None:
    assert not winograd.applies(kernel_shape)


def test_a_group_of_images_takes_this_form() -> None:
    images, kernel = random_array((canonical.GROUP_SIZE, 8, 8, 16), 0), random_array((5, 5, 16, 16), 1)
    np.testing.assert_array_equal(*(jax.jit(function)(images, kernel) for function in (convolve, winograd.forward)))


def test_what_is_not_finite_in_one_image_stays_there() -> None:
    images = random_array((3, 8, 8, 16), 0)
    images[1, 4, 4, 2] = np.nan
    features = np.asarray(jax.jit(winograd.forward)(images, random_array((5, 5, 16, 16), 1)))
    assert np.isnan(features[1]).any()
    assert np.isfinite(features[[0, 2]]).all()
