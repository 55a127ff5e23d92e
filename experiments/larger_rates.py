"""Cross-entropy at larger learning rates, for the paper's 20,000 steps on MNIST.

python -m experiments.larger_rates

The paper trains every loss for 20,000 steps at a rate of 0.01, and cross-entropy ends last: 0.9899, 0.9933 (Baikal) and
0.9947 (BaikalCMA), each the mean of ten seeds.

Ours: at a rate of 0.3, the largest that was tried, cross-entropy ends at 0.9931, where Baikal has 0.9934 (p = 0.47) and
BaikalCMA 0.9946 (p = 0.016), with three seeds each; at 0.01 it has 0.9899.

Time: 15 to 25 minutes a training, two side by side on two cores; stopped, they go on from where they were.
"""

from dataclasses import dataclass, replace
from functools import partial
from itertools import cycle

import numpy as np

from experiments import script
from experiments.records import Records
from experiments.report import NOT_RUN, Report, gain_in_words, mean_and_sd, p_in_words, table
from experiments.style import LABELS, STYLES, finish, new_figure
from experiments.trainings import PAPER_LOSSES, Training

#: Number of measurements of the accuracies in the course of a training.
NUM_EVALUATIONS = 20


@dataclass(frozen=True, kw_only=True)
class Options(script.Options):
    """Options of the trainings."""

    steps: int = 20_000
    """Steps of each training."""

    learning_rates: tuple[float, ...] = (0.03, 0.1, 0.3)
    """Rates of cross-entropy, beside the one that all losses share."""

    seeds: int = 3
    """Seeds of each loss at each rate."""

    @property
    def every(self) -> int:
        """Steps between two measurements."""
        return max(1, self.steps // NUM_EVALUATIONS)

    def trainings(self, loss: str, rate: float) -> list[Training]:
        """Return the trainings of a loss at a rate, one for each seed."""
        plain = [self.training(loss, self.steps, seed) for seed in range(self.seeds)]
        return [replace(each, learning_rate=rate, evaluate_every=self.every) for each in plain]


def wanted(options: Options, records: Records) -> list[Training]:
    larger = [options.trainings("cross_entropy", rate) for rate in options.learning_rates]
    shared = {loss: options.trainings(loss, options.learning_rate) for loss in PAPER_LOSSES}
    # What is asked before what it is compared with, and the first seed of a group before the second of any.
    groups = (larger, [shared["baikal_cma"], shared["baikal"]], [shared["cross_entropy"]])
    return [each for group in groups for of_a_seed in zip(*group, strict=True) for each in of_a_seed]


def report(options: Options, records: Records) -> Report:
    figure = new_figure()
    axes = figure.subplots()
    colors = cycle(("0.1", "0.4", "0.65"))
    rows = []
    compared = [(loss, options.learning_rate) for loss in PAPER_LOSSES]
    compared += [("cross_entropy", rate) for rate in options.learning_rates]
    scores = {(loss, rate): _accuracies(options, records, loss, rate, "test") for loss, rate in compared}
    for loss, rate in compared:
        validation, test = _accuracies(options, records, loss, rate, "validation"), scores[loss, rate]
        others = [scores[other, options.learning_rate] for other in ("baikal", "baikal_cma")]
        is_asked = loss == "cross_entropy"
        rows.append(
            (
                *(LABELS[loss], f"{rate:g}", mean_and_sd(validation), mean_and_sd(test), len(test)),
                *(_difference(other, test) if is_asked else None for other in others),
            )
        )
        curves = [records.outcome(each) for each in options.trainings(loss, rate)]
        known = [curve for curve in curves if curve is not None]
        if known:
            at = [step for step in known[0]["steps"] if step % options.every == 0]
            means = np.mean([[curve["test"][curve["steps"].index(step)] for step in at] for curve in known], axis=0)
            style = STYLES[loss] if rate == options.learning_rate else {"color": next(colors)}
            axes.plot(at, means, markersize=4, linewidth=1.4, label=f"{LABELS[loss]}, {rate:g}", **style)
    finish(
        axes,
        title="Test accuracy in the course of training, mean of the seeds",
        xlabel="SGD steps",
        ylabel="test accuracy",
    )
    if axes.has_data() and options.steps >= 1000:
        axes.set_ylim(0.98, 0.997)
    header = ["loss", "rate", "validation", f"test, after {options.steps:,} steps", "seeds"]
    header += [f"minus {LABELS[loss]} (95 % interval, Welch's p)" for loss in ("baikal", "baikal_cma")]
    return Report(f"{table(header, rows)}\nCurves below 0.98 are cut off.\n", figure)


def _accuracies(options: Options, records: Records, loss: str, rate: float, split: str) -> list[float]:
    (training, *_) = options.trainings(loss, rate)
    return records.accuracies(training, options.steps, split, range(options.seeds))


def _difference(other: list[float], own: list[float]) -> str:
    """Return the difference of the means and, of two seeds or more each, its interval and p-value."""
    gain = gain_in_words(other, own)
    if gain is None:
        return NOT_RUN
    return gain if min(len(other), len(own)) < 2 else f"{gain}, p = {p_in_words(other, own)}"


main = partial(script.run_script, Options, wanted, report, __doc__)


if __name__ == "__main__":
    script.start(main)
