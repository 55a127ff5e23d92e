"""Validation accuracy after 2,000 steps on MNIST: the fitness that the paper's search ran on.

python -m experiments.validation_2000_steps

The paper (section IV-B): cross-entropy 0.9700, Baikal 0.9838, BaikalCMA 0.9902.

Ours: 0.9692, 0.9856, 0.9904 (4 seeds). With the mean over classes 0.8346, 0.9526, 0.9798 (1 seed).

Time: about 50 s a training on two cores; 10 minutes for all twelve.
"""

from dataclasses import dataclass, replace
from functools import partial

from experiments import script
from experiments.records import Records
from experiments.report import Report, mean_and_sd, table
from experiments.style import LABELS
from experiments.trainings import PAPER_LOSSES, Training
from glojax.losses import ClassReduction


@dataclass(frozen=True, kw_only=True)
class Options(script.Options):
    """Options of the trainings."""

    steps: int = 2000
    """Steps of each training."""

    seeds: int = 3
    """Seeds of each loss with the sum over classes."""

    mean_seeds: int = 1
    """Seeds of each loss with the mean over classes, as the paper prints it."""


def wanted(options: Options, records: Records) -> list[Training]:
    seeds: dict[ClassReduction, int] = {"sum": options.seeds, "mean": options.mean_seeds}
    return [
        replace(options.training(loss, options.steps, seed), class_reduction=reduction)
        for reduction, num_seeds in seeds.items()
        for seed in range(num_seeds)
        for loss in PAPER_LOSSES
    ]


#: Section IV-B.
PAPER = {"cross_entropy": 0.9700, "baikal": 0.9838, "baikal_cma": 0.9902}


def report(options: Options, records: Records) -> Report:
    def accuracies(loss: str, reduction: ClassReduction) -> list[float]:
        training = replace(options.training(loss, options.steps), class_reduction=reduction)
        return records.accuracies(training, options.steps, "validation")

    rows = []
    for loss in PAPER_LOSSES:
        summed, averaged = accuracies(loss, "sum"), accuracies(loss, "mean")
        rows.append(
            (LABELS[loss], f"{PAPER[loss]:.4f}", mean_and_sd(summed), len(summed), mean_and_sd(averaged), len(averaged))
        )
    header = ("loss", "paper", "ours, sum over classes", "seeds", "ours, mean over classes", "seeds")
    return Report(f"Validation accuracy after {options.steps:,} steps.\n\n{table(header, rows)}")


main = partial(script.run_script, Options, wanted, report, __doc__)


if __name__ == "__main__":
    script.start(main)
