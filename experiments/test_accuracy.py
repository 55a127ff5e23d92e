"""Test accuracy of fully trained networks on MNIST, and whether the losses differ (figure 2).

python -m experiments.test_accuracy
python -m experiments.test_accuracy --seeds 10 --results FOLDER    # on a GPU, with the paper's number of seeds

The paper: cross-entropy 0.9899 (sd 0.0003), Baikal 0.9933 (0.0005), BaikalCMA 0.9947 (0.0005) after 20,000 steps with
ten seeds; Baikal over cross-entropy p = 2.4e-11, BaikalCMA over Baikal p = 8.5e-6 (two-tailed Welch).

Ours: 0.9899 (two seeds), 0.9934 and 0.9946 (three) after 20,000 steps, the paper's means to 0.0001; after 5,000 steps
0.9815, 0.9903 and 0.9932 with three seeds, Baikal over cross-entropy p = 2.9e-05, BaikalCMA over Baikal p = 0.0018.

Time: about 3 minutes a training of 5,000 steps, two side by side on two cores; 15 to 25 one of 20,000.

A GPU trains all curves of 20,000 steps side by side. Records made there are no part of these numbers, so they need a
folder of their own.
"""

from dataclasses import dataclass
from functools import partial
from itertools import combinations

import numpy as np
from matplotlib.axes import Axes

from experiments import script
from experiments.full_length import full_length
from experiments.records import Records
from experiments.report import Report, mean_and_sd, p_in_words, table
from experiments.style import LABELS, finish, new_figure
from experiments.trainings import PAPER_LOSSES, Training


@dataclass(frozen=True, kw_only=True)
class Options(script.Options):
    """Options of the trainings."""

    steps: int = 20_000
    """Steps of a full training."""

    seeds: int = 1
    """Seeds of each loss at full length."""

    short_steps: int = 5000
    """Steps of a shorter training."""

    short_seeds: int = 3
    """Seeds of each loss at the shorter length."""


def wanted(options: Options, records: Records) -> list[Training]:
    short = [
        options.training(loss, options.short_steps, seed)
        for seed in range(options.short_seeds)
        for loss in PAPER_LOSSES
    ]
    full = [
        full_length(options.training(loss, options.steps, seed))
        for seed in range(options.seeds)
        for loss in PAPER_LOSSES
    ]
    return short + full


#: Images in MNIST's test set.
NUM_TEST = 10_000

#: Figure 2: test accuracies of ten networks each, after this number of steps.
PAPER_STEPS = 20_000
PAPER = {
    "cross_entropy": (0.9898, 0.9898, 0.9902, 0.9894, 0.9895, 0.9905, 0.9902, 0.9896, 0.9898, 0.9899),
    "baikal": (0.9941, 0.9937, 0.9925, 0.9932, 0.9935, 0.9924, 0.9937, 0.9934, 0.993, 0.9935),
    "baikal_cma": (0.9945, 0.9941, 0.9949, 0.995, 0.9952, 0.9956, 0.9944, 0.9944, 0.9944, 0.9944),
}


def accuracies(options: Options, records: Records, steps: int) -> dict[str, list[float]]:
    """Return the test accuracies of each loss after a number of steps, one for each seed."""
    return {loss: records.accuracies(options.training(loss, steps), steps) for loss in PAPER_LOSSES}


def report(options: Options, records: Records) -> Report:
    lengths = [options.steps, options.short_steps]
    ours = [accuracies(options, records, steps) for steps in lengths]
    rows = [
        (
            LABELS[loss],
            mean_and_sd(PAPER[loss]),
            *(cell for each in ours for cell in (mean_and_sd(each[loss]), len(each[loss]))),
        )
        for loss in PAPER_LOSSES
    ]
    header = ["loss", "paper, 20,000 steps, ten seeds"]
    header += [text for steps in lengths for text in (f"ours, {steps:,} steps", "seeds")]
    tests = [
        (
            f"{LABELS[second]} over {LABELS[first]}",
            p_in_words(PAPER[first], PAPER[second]),
            *(p_in_words(each[first], each[second]) for each in ours),
        )
        for first, second in combinations(PAPER_LOSSES, 2)
    ]
    tests_header = [
        "Welch p, two-tailed",
        "from the paper's accuracies",
        *(f"ours, {steps:,} steps" for steps in lengths),
    ]
    figure = new_figure(10, 3.4)
    for axes, steps, each in zip(figure.subplots(1, 2), lengths, ours, strict=True):
        _draw(axes, steps, each)
    mean = float(np.mean(PAPER["cross_entropy"]))
    remark = (
        "The deviations are those between seeds, which share the test images: that there are "
        f"{NUM_TEST:,} of them leaves an accuracy of {mean:.2f} with a binomial standard error of "
        f"{np.sqrt(mean * (1 - mean) / NUM_TEST):.4f} besides."
    )
    return Report(f"Test accuracy.\n\n{table(header, rows)}\n{table(tests_header, tests)}\n{remark}\n", figure)


def _draw(axes: Axes, steps: int, accuracies: dict[str, list[float]]) -> None:
    for row, loss in enumerate(PAPER_LOSSES):
        if steps == PAPER_STEPS:
            label = "the paper's ten" if row == 0 else None
            axes.plot(PAPER[loss], [row + 0.2] * len(PAPER[loss]), "x", color="0.5", label=label)
    points = [(value, row) for row, loss in enumerate(PAPER_LOSSES) for value in accuracies[loss]]
    if points:
        axes.plot(*zip(*points, strict=True), "o", color="black", alpha=0.7, label="ours, one a seed")
    axes.set_yticks(range(len(PAPER_LOSSES)), [LABELS[loss] for loss in PAPER_LOSSES])
    axes.set_ylim(len(PAPER_LOSSES) - 0.5, -0.5)
    finish(axes, title=f"After {steps:,} steps", xlabel="test accuracy", ylabel="")


main = partial(script.run_script, Options, wanted, report, __doc__)


if __name__ == "__main__":
    script.start(main)
