"""Test accuracy with fewer training images on MNIST (figure 4).

python -m experiments.dataset_size

The paper: portions 1, 0.5, 0.2, 0.1 and 0.05 (and less) of the training set, 20,000 steps, five networks each; the gap
to cross-entropy grows as the data shrinks, and cross-entropy is unstable at 0.05.

Ours: not yet run.

Time: about 75 s a training of 2,000 steps on two cores, 12 minutes one of 20,000.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from matplotlib.axes import Axes

from experiments import script
from experiments.records import Records
from experiments.report import Report, mean_and_sd, table
from experiments.style import LABELS, STYLES, finish, new_figure
from experiments.trainings import PAPER_LOSSES, Training


@dataclass(frozen=True, kw_only=True)
class Options(script.Options):
    """What to train."""

    steps: int = 2000
    """Steps of each training."""

    seeds: int = 2
    """Seeds of each loss; each draws its own portions."""

    portions: tuple[float, ...] = (1.0, 0.2, 0.05, 0.02, 0.005)
    """Shares of the training images."""

    full_steps: int = 20_000
    """Steps of a full training."""

    full_seeds: int = 1
    """Seeds of each loss at full length."""

    full_portions: tuple[float, ...] = (0.05,)
    """Shares of the training images at full length."""


def wanted(options: Options, records: Records) -> list[Training]:
    return [
        replace(
            options.training(loss, steps, seed),
            train_fraction=portion,
            evaluate_every=options.steps if steps > options.steps else None,
        )
        for steps, seeds, portions in (
            (options.steps, options.seeds, options.portions),
            (options.full_steps, options.full_seeds, options.full_portions),
        )
        for seed in range(seeds)
        for portion in portions
        for loss in PAPER_LOSSES
    ]


def accuracies(options: Options, records: Records, steps: int, portion: float, loss: str) -> list[float]:
    """Test accuracies, one a seed."""
    return records.accuracies(replace(options.training(loss, steps), train_fraction=portion), steps)


def report(options: Options, records: Records) -> Report:
    rows = []
    figure = new_figure(10, 4)
    panels = {options.steps: options.portions, options.full_steps: tuple({*options.full_portions, 1.0})}
    for axes, (steps, portions) in zip(figure.subplots(1, 2, sharey=True), panels.items(), strict=True):
        found = {
            loss: {portion: accuracies(options, records, steps, portion, loss) for portion in sorted(portions)[::-1]}
            for loss in PAPER_LOSSES
        }
        _draw(axes, steps, found)
        for portion in found["baikal"]:
            each = [found[loss][portion] for loss in PAPER_LOSSES]
            gap = f"{np.mean(each[1]) - np.mean(each[0]):+.4f}" if each[0] and each[1] else None
            rows.append((f"{steps:,}", f"{portion:g}", *map(mean_and_sd, each), gap, max(map(len, each))))
    header = ("steps", "portion", *(LABELS[loss] for loss in PAPER_LOSSES), "Baikal over cross-entropy", "seeds")
    remark = (
        f"Smaller than the paper's budget of 20,000 steps and five networks each: {options.seeds} seeds after "
        f"{options.steps:,} steps, {options.full_seeds} after {options.full_steps:,}. The paper's accuracies are in a "
        "figure only. The portions are of each class, drawn anew for each seed. "
        "Those of 20,000 steps on all images are trained by `experiments.test_accuracy`."
    )
    return Report(f"Test accuracy.\n\n{table(header, rows)}\n{remark}\n", figure)


def _draw(axes: Axes, steps: int, found: dict[str, dict[float, list[float]]]) -> None:
    for loss, by_portion in found.items():
        known = {portion: values for portion, values in by_portion.items() if values}
        if known:
            means = [float(np.mean(values)) for values in known.values()]
            axes.plot(list(known), means, label=LABELS[loss], **STYLES[loss])
            axes.vlines(list(known), [min(v) for v in known.values()], [max(v) for v in known.values()], color="0.5")
    if axes.has_data():
        axes.set_xscale("log")
        axes.set_xticks(list(found["baikal"]), [f"{portion:g}" for portion in found["baikal"]])
        axes.minorticks_off()
        axes.invert_xaxis()
    finish(axes, title=f"After {steps:,} steps", xlabel="portion of the training set", ylabel="test accuracy")


def main(arguments: Sequence[str] | None = None) -> int:
    return script.run_script(Options, wanted, report, __doc__, arguments)


if __name__ == "__main__":
    script.start(main)
