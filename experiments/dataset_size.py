"""Test accuracy with fewer training images on MNIST (figure 4).

python -m experiments.dataset_size

The paper: portions 1, 0.5, 0.2, 0.1 and 0.05 (and less) of the training set, 20,000 steps, five networks each; the gap
to cross-entropy grows as the data shrinks, and cross-entropy is unstable at 0.05.
Ours: not yet run.
Time: 75 s a training of 2,000 steps on two cores, 12 minutes one of 20,000.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from experiments import script
from experiments.records import Records
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
        Training(
            loss=loss,
            steps=steps,
            learning_rate=options.learning_rate,
            dataset=options.dataset,
            train_fraction=portion,
            seed=seed,
        )
        for steps, seeds, portions in (
            (options.steps, options.seeds, options.portions),
            (options.full_steps, options.full_seeds, options.full_portions),
        )
        for seed in range(seeds)
        for portion in portions
        for loss in PAPER_LOSSES
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    return script.run_script(Options, wanted, __doc__, arguments)


if __name__ == "__main__":
    script.leave(main())
