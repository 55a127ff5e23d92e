"""Test accuracy of fully trained networks on MNIST, and whether the losses differ (figure 2).

python -m experiments.test_accuracy

The paper: cross-entropy 0.9899 (sd 0.0003), Baikal 0.9933 (0.0005), BaikalCMA 0.9947 (0.0005) after 20,000 steps with
ten seeds; Baikal over cross-entropy p = 2.4e-11, BaikalCMA over Baikal p = 8.5e-6 (two-tailed Welch).
Ours: not yet run.
Time: 3 minutes a training of 5,000 steps on two cores, 15 one of 20,000.
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
    """Steps of a full training."""

    seeds: int = 1
    """Seeds of each loss at full length."""

    short_steps: int = 5000
    """Steps of a shorter training."""

    short_seeds: int = 3
    """Seeds of each loss at the shorter length."""


def wanted(options: Options, records: Records) -> list[Training]:
    common = (options.dataset, options.learning_rate)
    full = [full_length(loss, seed, options.steps, *common) for seed in range(options.seeds) for loss in PAPER_LOSSES]
    short = [
        Training(
            loss=loss,
            steps=options.short_steps,
            learning_rate=options.learning_rate,
            dataset=options.dataset,
            seed=seed,
        )
        for seed in range(options.short_seeds)
        for loss in PAPER_LOSSES
    ]
    return short + full


def main(arguments: Sequence[str] | None = None) -> int:
    return script.run_script(Options, wanted, __doc__, arguments)


if __name__ == "__main__":
    script.leave(main())
