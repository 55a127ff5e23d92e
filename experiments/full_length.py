"""Trainings of the paper's full length, which three experiments have in common."""

from experiments.trainings import Training

#: How often the test accuracy is measured on the way, as in figure 3.
NUM_EVALUATIONS = 80


def full_length(loss: str, seed: int, steps: int, dataset: str, learning_rate: float) -> Training:
    """A training with its curve, and with the histogram of figure 7 after three quarters of the steps."""
    return Training(
        loss=loss,
        steps=steps,
        learning_rate=learning_rate,
        dataset=dataset,
        seed=seed,
        evaluate_every=max(1, steps // NUM_EVALUATIONS),
        histogram_at=max(1, steps * 3 // 4),
    )
