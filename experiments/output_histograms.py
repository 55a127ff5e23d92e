"""Output probabilities of the networks on the test set of MNIST (figure 7).

python -m experiments.output_histograms

The paper: after 15,000 steps, BaikalCMA's two peaks are moved away from 0 and 1, as with a confidence penalty.

Ours: the same. The peaks lie near where the losses alone would have them: the upper one at 0.995 with cross-entropy,
0.325 with Baikal, 0.395 with BaikalCMA and 0.505 with a confidence penalty.

Time: 15 to 25 minutes a training, two side by side on two cores. Three of the four are those of
`experiments.test_accuracy`; the fourth is trained with a confidence penalty, which is a tree, too: `x * log(y) - y *
log(y)`.
"""

from dataclasses import dataclass
from functools import partial

import numpy as np

from experiments import script
from experiments.full_length import full_length
from experiments.records import Records
from experiments.report import NOT_RUN, Report, table
from experiments.style import LABELS, finish, new_figure
from experiments.trainings import CONFIDENCE_PENALTY, PAPER_LOSSES, Training


@dataclass(frozen=True, kw_only=True)
class Options(script.Options):
    """Options of the trainings."""

    steps: int = 20_000
    """Steps of each training; the histogram is taken after three quarters of them."""


def wanted(options: Options, records: Records) -> list[Training]:
    return [full_length(options.training(loss, options.steps)) for loss in (*PAPER_LOSSES, CONFIDENCE_PENALTY)]


def peaks(counts: np.ndarray, num_images: int) -> tuple[float, float]:
    """Return the middles of two bins: the fullest of the largest `num_images` probabilities, and of the rest."""
    middles = (np.arange(len(counts)) + 0.5) / len(counts)
    from_top = np.cumsum(counts[::-1])[::-1]
    # The lowest bin that together with those above it holds as many probabilities as there are images.
    border = int(np.flatnonzero(from_top >= num_images).max())
    upper = border + int(np.argmax(counts[border:]))
    lower = int(np.argmax(counts[: max(border, 1)]))
    return float(middles[lower]), float(middles[upper])


def report(options: Options, records: Records) -> Report:
    losses = (*PAPER_LOSSES, CONFIDENCE_PENALTY)
    figure = new_figure(11, 3.2)
    rows: list[tuple[str, ...]] = []
    for axes, loss in zip(figure.subplots(1, len(losses), sharey=True), losses, strict=True):
        outcome = records.outcome(full_length(options.training(loss, options.steps)))
        ylabel = "probabilities in a bin of 0.01" if loss == losses[0] else ""
        if outcome is not None:
            counts = np.array(outcome["histogram"]["counts"])
            axes.stairs(counts, np.linspace(0, 1, len(counts) + 1), fill=True, color="0.35")
            axes.set(yscale="log", xlim=(0, 1), ylim=(0.8, None))
            shares = counts / counts.sum()
            lower, upper = peaks(counts, counts.sum() // 10)
            rows.append((LABELS[loss], f"{shares[0]:.1%}", f"{shares[-1]:.1%}", f"{lower:.3f}", f"{upper:.3f}"))
        else:
            rows.append((LABELS[loss], *[NOT_RUN] * 4))
        finish(axes, title=LABELS[loss], xlabel="output probability", ylabel=ylabel, legend=False)
    header = ("loss", "below 0.01", "above 0.99", "lower peak", "upper peak")
    remark = (
        f"Output probabilities for the test images, ten an image, after {options.steps * 3 // 4:,} steps with seed 0. "
        "The upper peak is that of the largest tenth of them. By the losses alone, a network that could do anything "
        "would put the true class at 1 with cross-entropy, at 0.316 with Baikal, at 0.389 with BaikalCMA and at 0.476 "
        "with the confidence penalty, and share the rest among the other nine. The penalty has the weight 1, which "
        "brings its peak near BaikalCMA's; at a weight of 0.1 it would be at 0.9996, near cross-entropy's. So the "
        "likeness of the two depends on the weight, which the paper does not give."
    )
    return Report(f"{table(header, rows)}\n{remark}\n", figure)


main = partial(script.run_script, Options, wanted, report, __doc__)


if __name__ == "__main__":
    script.start(main)
