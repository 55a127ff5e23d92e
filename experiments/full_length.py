"""Trainings of the paper's full length, which three experiments share."""

from dataclasses import replace

from experiments.trainings import Training

#: Number of measurements of the test accuracy, as in figure 3.
NUM_EVALUATIONS = 80


def full_length(training: Training) -> Training:
    """Return the training with its curve, and with the histogram of figure 7 after three quarters of the steps."""
    return replace(
        training,
        evaluate_every=max(1, training.steps // NUM_EVALUATIONS),
        histogram_at=max(1, training.steps * 3 // 4),
    )
