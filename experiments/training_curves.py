"""Test accuracy in the course of training on MNIST (figure 3).

python -m experiments.training_curves

The paper: 80 test evaluations over 20,000 steps; both Baikals learn faster and more smoothly than cross-entropy.

Ours: a test accuracy of 0.98 after 4,750 steps with cross-entropy, 1,250 with Baikal and 500 with BaikalCMA; from one
evaluation to the next it changes half as much with Baikal as with cross-entropy.

Time: 15 to 25 minutes a training, two side by side on two cores. They are those of `experiments.test_accuracy`.
"""

from dataclasses import dataclass
from functools import partial

import numpy as np

from experiments import script
from experiments.full_length import full_length
from experiments.records import Records
from experiments.report import NOT_RUN, Report, accuracy_in_words, table
from experiments.style import LABELS, STYLES, finish, new_figure
from experiments.trainings import PAPER_LOSSES, Training


@dataclass(frozen=True, kw_only=True)
class Options(script.Options):
    """Options of the trainings."""

    steps: int = 20_000
    """Steps of each training."""


def wanted(options: Options, records: Records) -> list[Training]:
    return [full_length(options.training(loss, options.steps)) for loss in PAPER_LOSSES]


#: The table has the number of steps after which this test accuracy was first reached.
MILESTONE = 0.98


def report(options: Options, records: Records) -> Report:
    figure = new_figure()
    axes = figure.subplots()
    rows: list[tuple[str, ...]] = []
    for loss in PAPER_LOSSES:
        outcome = records.outcome(full_length(options.training(loss, options.steps)))
        if outcome is None:
            rows.append((LABELS[loss], *[NOT_RUN] * 3))
            continue
        steps, accuracies = np.array(outcome["steps"]), np.array(outcome["test"])
        axes.plot(steps, accuracies, label=LABELS[loss], markevery=8, markersize=5, linewidth=1.4, **STYLES[loss])
        reached = steps[accuracies >= MILESTONE]
        # Little is learned in the last quarter.
        wobble = np.abs(np.diff(accuracies[-len(accuracies) // 4 :])).mean() if len(accuracies) > 4 else np.nan
        first = f"{reached[0]:,} steps" if len(reached) else "not reached"
        rows.append((LABELS[loss], first, f"{wobble:.5f}", accuracy_in_words(float(accuracies[-1]))))
    finish(axes, title="Test accuracy in the course of training", xlabel="SGD steps", ylabel="test accuracy")
    if rows and axes.has_data() and options.steps >= 1000:
        axes.set_ylim(0.95, 1)
    header = (
        "loss",
        f"test accuracy of {MILESTONE} reached after",
        "mean change between evaluations, last quarter",
        f"after {options.steps:,} steps",
    )
    return Report(f"{table(header, rows)}\nOne seed (0) of each. Curves below 0.95 are cut off.\n", figure)


main = partial(script.run_script, Options, wanted, report, __doc__)


if __name__ == "__main__":
    script.start(main)
