import jax
import numpy as np
import pytest

from glojax.networks.ops.normalisation import local_response_norm


def numpy_local_response_norm(values: np.ndarray) -> np.ndarray:
    """TensorFlow's definition with depth radius 4, bias 1, alpha 0.001 / 9 and beta 0.75; works on complex numbers."""
    C = values.shape[-1]
    sums = np.stack(
        [(values[..., max(0, c - 4) : c + 5] ** 2).sum(axis=-1) for c in range(C)],
        axis=-1,
    )
    result: np.ndarray = values / (1 + 0.001 / 9 * sums) ** 0.75
    return result


@jax.jit
def dual(values: jax.Array, cotangent: jax.Array) -> tuple[jax.Array, jax.Array]:
    normalised, pullback = jax.vjp(local_response_norm, values)
    return normalised, pullback(cotangent)[0]


@pytest.mark.parametrize("channels", [1, 5, 9, 64])
@pytest.mark.parametrize("scale", [0.1, 10.0, 1000.0])
def test_normalisation_and_its_gradient_are_those_of_numpy(channels: int, scale: float) -> None:
    rng = np.random.default_rng(0)
    values, weights = scale * rng.normal(size=(2, 3, channels)), rng.normal(size=(2, 3, channels))
    ours, gradient = dual(values.astype(np.float32), weights.astype(np.float32))
    np.testing.assert_allclose(ours, numpy_local_response_norm(values), rtol=1e-5)
    expected = np.zeros_like(values)
    for index in range(channels):
        stepped = values.astype(np.complex128)
        stepped[..., index] += 1e-30j
        expected[..., index] = np.imag((weights * numpy_local_response_norm(stepped)).sum(axis=-1)) / 1e-30
    np.testing.assert_allclose(gradient, expected, rtol=1e-4, atol=1e-5 * np.abs(expected).max())


def test_zeros_stay_zeros_and_pass_their_gradient_on() -> None:
    values, gradient = dual(np.zeros((2, 3, 9), np.float32), np.ones((2, 3, 9), np.float32))
    assert not values.any()
    np.testing.assert_array_equal(gradient, 1)
