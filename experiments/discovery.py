"""A search for loss functions on MNIST with the genetic algorithm (section IV-B).

python -m experiments.discovery

The paper: Baikal was found in a single run, of which it gives no length; fitness after 2,000 steps on the whole set.

Ours: not yet run. Fitness after 200 steps on 10,000 images; the best five are then trained for 2,000 steps on all.

Time: about 7 s a candidate on two cores; up to two hours for twelve generations of 80.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from experiments import script
from experiments.records import Records
from experiments.report import NOT_RUN, Report, mean_and_sd, table
from experiments.searches import record_search
from experiments.style import LABELS, finish, new_figure
from experiments.trainings import PAPER_LOSSES, Training


@dataclass(frozen=True, kw_only=True)
class Options(script.Options):
    """What to search, and what to train of it."""

    seed: int = 0
    """Of the search."""

    generations: int = 12
    """Number of generations."""

    population_size: int = 80
    """Candidates in a generation."""

    fitness_steps: int = 200
    """Steps after which a candidate's validation accuracy is its fitness."""

    train_fraction: float = 0.1818
    """Share of the training images that candidates are trained on; of MNIST 10,000."""

    finalists: int = 5
    """How many of the best are trained further."""

    steps: int = 2000
    """Steps for which they are, on all images."""

    seeds: int = 1
    """Fresh seeds with which they are."""

    @property
    def name(self) -> str:
        """Of the record."""
        return (
            f"discovery/{Path(self.dataset).stem}_population_{self.population_size}_generations_{self.generations}"
            f"_steps_{self.fitness_steps}_portion_{self.train_fraction:g}_seed_{self.seed}"
        )


def search(options: Options) -> None:
    shared = {
        "seed": options.seed,
        "generations": options.generations,
        "population-size": options.population_size,
        "train-fraction": options.train_fraction,
        "finalists": options.finalists,
    }
    arguments = [text for option, value in shared.items() for text in (f"--{option}", str(value))]
    steps = str(options.fitness_steps)
    record_search(
        options,
        options.name,
        ["python", "-m", "experiments.discovery", *arguments, "--fitness-steps", steps],
        ["discover", *arguments, "--steps", steps, "--finalist-seeds", "2"],
    )


def found(options: Options, records: Records) -> dict[str, Any] | None:
    """What came of the search; None before it has run."""
    return records.search(options.name)


def best_losses(options: Options, records: Records) -> list[str]:
    """The best of the search, in its order."""
    record = found(options, records)
    if record is None:
        return []
    finalists = record["outcome"]["result"]["discovered"]["finalists"]
    return [finalist["expression"] for finalist in finalists[: options.finalists]]


def wanted(options: Options, records: Records) -> list[Training]:
    losses = [*best_losses(options, records), *PAPER_LOSSES]
    # Not seed 0, with which the search chose them.
    return [options.training(loss, options.steps, seed) for seed in range(1, options.seeds + 1) for loss in losses]


def report(options: Options, records: Records) -> Report:
    record = found(options, records)
    figure = new_figure()
    axes = figure.subplots()
    if record is not None:
        generations = record["outcome"]["generations"]
        numbers = [generation["generation"] for generation in generations]
        for field, style in (("best_fitness", "-o"), ("median_fitness", "--s")):
            values = [generation[field] for generation in generations]
            axes.plot(numbers, values, style, color="0.2", label=field.split("_")[0])
    finish(
        axes,
        title=f"Search on {options.dataset}, seed {options.seed}",
        xlabel="generation",
        ylabel=f"validation accuracy after {options.fitness_steps} steps",
    )
    measured = partial(_measured, options, records)
    rows = [(f"`{loss}`", *measured(loss)) for loss in best_losses(options, records)]
    rows = rows or [("the search's best", NOT_RUN, NOT_RUN, 0)]
    rows += [(LABELS[loss], *measured(loss)) for loss in PAPER_LOSSES]
    header = ("loss", f"validation after {options.steps:,} steps", "test", "seeds")
    remark = (
        f"Smaller than the paper's budget: fitness after {options.fitness_steps} steps on {options.train_fraction:.0%} "
        f"of the training images, where the paper has 2,000 on all; {options.generations} generations of "
        f"{options.population_size}."
    )
    return Report(f"The best of the search, beside the paper's losses.\n\n{table(header, rows)}\n{remark}\n", figure)


def _measured(options: Options, records: Records, loss: str) -> tuple[str, str, int]:
    one = options.training(loss, options.steps)
    validation, test = (records.accuracies(one, options.steps, split) for split in ("validation", "test"))
    return mean_and_sd(validation), mean_and_sd(test), len(test)


def main(arguments: Sequence[str] | None = None) -> int:
    return script.run_script(Options, wanted, report, __doc__, arguments, first=search)


if __name__ == "__main__":
    script.start(main)
