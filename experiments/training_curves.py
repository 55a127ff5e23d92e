"""Test accuracy in the course of training on MNIST (figure 3).

python -m experiments.training_curves

The paper: 80 test evaluations over 20,000 steps; both Baikals learn faster and more smoothly than cross-entropy.
Ours: not yet run.
Time: 15 minutes a training on two cores. They are those of `experiments.test_accuracy`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from experiments import script
from experiments.full_length import full_length
from experiments.records import Records
from experiments.trainings import PAPER_LOSSES, Training


@dataclass(frozen=True, kw_only=True)
class Options(script.Options):
    """What to train."""

    steps: int = 20_000
    """Steps of each training."""

    seeds: int = 1
    """Seeds of each loss."""


def wanted(options: Options, records: Records) -> list[Training]:
    return [
        full_length(loss, seed, options.steps, options.dataset, options.learning_rate)
        for seed in range(options.seeds)
        for loss in PAPER_LOSSES
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    return script.run_script(Options, wanted, __doc__, arguments)


if __name__ == "__main__":
    script.leave(main())
