"""Baikal on CIFAR-10, for which it was not made (figure 5).

python -m experiments.cifar_transfer

The paper: test accuracy after 500 to 20,000 steps; Baikal above cross-entropy at all of them, most at the short ones.
Ours: not yet run. The test set is the last 10,000 training images, on which nothing is trained, and the training set so
much smaller: 35,000 images. Cross-entropy at the paper's learning rate, 0.05, where Baikal learns nothing when classes
are summed: it is run at 0.02; of the two rates each has its better one.
Time: 0.6 s a step on two cores; 20 minutes a training of 2,000 steps.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from experiments import script
from experiments.records import Records
from experiments.trainings import Training

#: The better of 0.02 and 0.05 on the validation set after 500 steps: see discussion.md.
LEARNING_RATES = {"cross_entropy": 0.05, "baikal": 0.02}


@dataclass(frozen=True, kw_only=True)
class Options(script.Places):
    """What to train."""

    dataset: str = "cifar10"
    """Data set: cifar10 or, to try it, another."""

    steps: int = 2000
    """Steps of a long training."""

    seeds: int = 1
    """Seeds of each loss at the long length."""

    short_steps: int = 500
    """Steps of a short training, and between two evaluations of a long one."""

    short_seeds: int = 3
    """Seeds of each loss at the short length."""


def wanted(options: Options, records: Records) -> list[Training]:
    return [
        Training(
            loss=loss,
            steps=steps,
            learning_rate=rate,
            dataset=options.dataset,
            test_split="held-out" if options.dataset == "cifar10" else "official",
            seed=seed,
            evaluate_every=options.short_steps,
        )
        for steps, seeds in ((options.short_steps, options.short_seeds), (options.steps, options.seeds))
        for seed in range(seeds)
        for loss, rate in LEARNING_RATES.items()
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    return script.run_script(Options, wanted, __doc__, arguments)


if __name__ == "__main__":
    script.leave(main())
