"""Baikal on CIFAR-10, for which it was not made (figure 5).

python -m experiments.cifar_transfer

The paper: test accuracy after 500 to 20,000 steps; Baikal above cross-entropy at all of them, most at the short ones.

Ours: the same, with Baikal at a smaller learning rate than the paper's: 0.5546 over cross-entropy's 0.5066 after 500
steps with three seeds (p = 0.0035), 0.6985 over 0.6865 after 2,000 with one.

Time: about 4 minutes a training of 500 steps, two side by side on two cores; 40 minutes in all.
"""

from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from experiments import script
from experiments.records import Records
from experiments.report import (
    Report,
    accuracy_in_words,
    broken_off_in_words,
    gain_in_words,
    mean_and_sd,
    p_in_words,
    seeds_in_words,
    table,
)
from experiments.style import LABELS, STYLES, finish, new_figure
from experiments.trainings import Training
from glojax.losses import ClassReduction

#: The better of 0.02 and 0.05 on the validation set after 500 steps with seed 0: see the table of settings.
LEARNING_RATES = {"cross_entropy": 0.05, "baikal": 0.02}

#: The settings tried with seed 0: the learning rate, and the reduction of the loss over the classes.
SETTINGS: tuple[tuple[float, ClassReduction], ...] = ((0.02, "sum"), (0.05, "sum"), (0.05, "mean"))


@dataclass(frozen=True, kw_only=True)
class Options(script.CommonOptions):
    """Options of the trainings."""

    dataset: str = "cifar10"
    """Data set: cifar10 or, to try it, another."""

    steps: int = 2000
    """Steps of a long training."""

    seeds: int = 1
    """Seeds of each loss at the long length, from 1: seed 0 has chosen the learning rates."""

    short_steps: int = 500
    """Steps of a short training, and between two evaluations of a long one."""

    short_seeds: int = 3
    """Seeds of each loss at the short length, from 1."""


def long_training(options: Options, loss: str, seed: int) -> Training:
    """Return the long training of a loss, at its learning rate."""
    return Training(
        seed=seed,
        loss=loss,
        steps=options.steps,
        learning_rate=LEARNING_RATES[loss],
        dataset=options.dataset,
        test_split="held-out" if options.dataset == "cifar10" else "official",
        evaluate_every=options.short_steps,
    )


def setting(options: Options, loss: str, rate: float, reduction: ClassReduction) -> Training:
    """Return the short training of a loss with a setting."""
    return replace(
        long_training(options, loss, seed=0), steps=options.short_steps, learning_rate=rate, class_reduction=reduction
    )


def wanted(options: Options, records: Records) -> list[Training]:
    main = [
        replace(long_training(options, loss, seed), steps=steps)
        for steps, seeds in ((options.short_steps, options.short_seeds), (options.steps, options.seeds))
        for seed in range(1, seeds + 1)
        for loss in LEARNING_RATES
    ]
    return main + [setting(options, loss, *each) for each in SETTINGS for loss in LEARNING_RATES]


def report(options: Options, records: Records) -> Report:
    fresh = range(1, max(options.seeds, options.short_seeds) + 1)
    longest = [long_training(options, loss, seed=1) for loss in LEARNING_RATES]
    found = {
        training.loss: {step: records.accuracies(training, step, seeds=fresh) for step in training.evaluated_steps}
        for training in longest
    }
    figure = new_figure()
    axes = figure.subplots()
    for loss, by_step in found.items():
        points = [(step, value) for step, values in by_step.items() for value in values]
        if points:
            style = STYLES[loss]
            axes.plot(*zip(*points, strict=True), ".", color=style["color"])
            known = {step: np.mean(values) for step, values in by_step.items() if values}
            label = f"{LABELS[loss]}, learning rate {LEARNING_RATES[loss]:g}"
            axes.plot(list(known), list(known.values()), **style, label=label)
    finish(
        axes,
        title="CIFAR-10: a dot for each seed, a line through the means",
        xlabel="SGD steps",
        ylabel="accuracy on the held-out test set",
    )
    first, second = LEARNING_RATES
    rows = []
    for step in found[first]:
        ours = [found[loss][step] for loss in LEARNING_RATES]
        rows.append(
            (f"{step:,}", *map(mean_and_sd, ours), gain_in_words(*ours), p_in_words(*ours), seeds_in_words(*ours))
        )
    header = ("steps", LABELS[first], LABELS[second], "difference (95 % interval)", "Welch p", "seeds")
    remark = (
        "The test set is held out: the last 10,000 of the original training images, on which nothing was trained, "
        "which leaves 35,000 to train on; so the official test set is not needed. Cross-entropy trains at the paper's "
        "learning rate, 0.05; there Baikal learns nothing when classes are summed, and so it trains at 0.02, where "
        "cross-entropy does worse (see the discussion). The paper's accuracies are in a figure only. Smaller than its "
        f"budget, which goes on to 20,000 steps. {broken_off_in_words(records, longest)}"
    )
    settings = (
        f"Validation accuracy after {options.short_steps:,} steps with seed 0, by which the learning rates were "
        f"chosen, and with the mean over classes:\n\n{_settings(options, records)}"
    )
    text = f"Accuracy on the held-out test set.\n\n{table(header, rows)}\n{remark}\n\n{settings}"
    return Report(text, figure)


def _settings(options: Options, records: Records) -> str:
    rows = []
    for loss in LEARNING_RATES:
        trainings = [setting(options, loss, *each) for each in SETTINGS]
        validation = [records.accuracy(training, training.steps, "validation") for training in trainings]
        rows.append((LABELS[loss], *map(accuracy_in_words, validation)))
    return table(("loss", *(f"{rate:g}, {reduction}" for rate, reduction in SETTINGS)), rows)


main = partial(script.run_script, Options, wanted, report, __doc__)


if __name__ == "__main__":
    script.start(main)
