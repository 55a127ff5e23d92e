import jax
import jax.numpy as jnp
import numpy as np
import pytest

from glojax.training.metrics import EVALUATION_BATCH_SIZE, accuracy, probabilities


@pytest.mark.parametrize(
    "num_images", [1, 7, EVALUATION_BATCH_SIZE, EVALUATION_BATCH_SIZE + 1, 2 * EVALUATION_BATCH_SIZE + 99]
)
def test_accuracy_is_exact_whatever_the_number_of_images(num_images: int) -> None:
    rng = np.random.default_rng(num_images)
    logits = jnp.float32(rng.normal(size=(num_images, 4)))
    labels = jnp.asarray(rng.integers(0, 4, num_images))
    expected = np.mean(np.asarray(logits).argmax(axis=-1) == np.asarray(labels))
    assert float(jax.jit(lambda: accuracy(lambda images: images, logits, labels))()) == pytest.approx(
        expected, abs=1e-7
    )


def test_logits_that_hold_a_nan_are_wrong() -> None:
    logits = jnp.float32([[np.nan, 0.0], [np.nan, np.nan], [1.0, 0.0]])
    assert float(accuracy(lambda images: images, logits, jnp.zeros(3, jnp.int32))) == pytest.approx(1 / 3)


@pytest.mark.parametrize("num_images", [1, EVALUATION_BATCH_SIZE, 2 * EVALUATION_BATCH_SIZE + 99])
def test_probabilities_are_the_softmax_of_each_image_in_order(num_images: int) -> None:
    logits = np.random.default_rng(num_images).normal(size=(num_images, 4))
    expected = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
    probs = jax.jit(lambda images: probabilities(lambda batch: batch, images))(jnp.float32(logits))
    np.testing.assert_allclose(probs, expected, atol=1e-6)
