"""What probabilities the networks give on the test set of MNIST (figure 7).

python -m experiments.output_histograms

The paper: after 15,000 steps, BaikalCMA's two peaks are moved away from 0 and 1, as with a confidence penalty.
Ours: not yet run.
Time: 15 minutes a training on two cores. Three of the four are those of `experiments.test_accuracy`; the fourth is
trained with a confidence penalty, which is a tree, too: `x * log(y) - y * log(y)`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from experiments import script
from experiments.full_length import full_length
from experiments.records import Records
from experiments.trainings import CONFIDENCE_PENALTY, PAPER_LOSSES, Training


@dataclass(frozen=True, kw_only=True)
class Options(script.Options):
    """What to train."""

    steps: int = 20_000
    """Steps of each training; the histogram is taken after three quarters of them."""


def wanted(options: Options, records: Records) -> list[Training]:
    return [
        full_length(loss, 0, options.steps, options.dataset, options.learning_rate)
        for loss in (*PAPER_LOSSES, CONFIDENCE_PENALTY)
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    return script.run_script(Options, wanted, __doc__, arguments)


if __name__ == "__main__":
    script.leave(main())
