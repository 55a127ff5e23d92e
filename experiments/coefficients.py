"""Baikal's coefficients tuned on MNIST with CMA-ES (equation 2).

python -m experiments.coefficients

The paper: BaikalCMA, with six coefficients, came of Baikal; on validation 0.9902 after 2,000 steps.

Ours: not yet run. Fitness after 500 steps, nine members a generation; the result is then trained for 2,000 steps.

Time: about 18 s a member on two cores; half an hour for ten generations.
"""

from collections.abc import Sequence
from dataclasses import dataclass
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
    """What to tune, and what to train of it."""

    seed: int = 0
    """Of the tuning."""

    generations: int = 10
    """Number of generations."""

    fitness_steps: int = 500
    """Steps after which a member's validation accuracy is its fitness."""

    steps: int = 2000
    """Steps for which the result is trained."""

    seeds: int = 2
    """Fresh seeds with which it is."""

    @property
    def name(self) -> str:
        """Of the record."""
        return (
            f"coefficients/{Path(self.dataset).stem}_generations_{self.generations}_steps_{self.fitness_steps}"
            f"_seed_{self.seed}"
        )


def tune(options: Options) -> None:
    seed, generations, steps = map(str, (options.seed, options.generations, options.fitness_steps))
    record_search(
        options,
        options.name,
        [
            *("python", "-m", "experiments.coefficients", "--seed", seed),
            *("--generations", generations, "--fitness-steps", steps),
        ],
        [
            *("tune", "--loss", "baikal", "--seed", seed, "--tuning.generations", generations, "--steps", steps),
            # The best ever evaluated is the result, as in the paper.
            *("--finalists", "1", "--finalist-seeds", "1", "--seeds", "1"),
        ],
    )


def found(options: Options, records: Records) -> dict[str, Any] | None:
    """What came of the tuning: fitness before and after, and the expression; None before it has run."""
    record = records.search(options.name)
    return None if record is None else record["outcome"]


def wanted(options: Options, records: Records) -> list[Training]:
    outcome = found(options, records)
    tuned = [] if outcome is None else [outcome["result"]["tuning"][0]["expression"]]
    # Not seed 0, with which the tuning chose it.
    return [
        options.training(loss, options.steps, seed)
        for seed in range(1, options.seeds + 1)
        for loss in (*tuned, *PAPER_LOSSES)
    ]


def report(options: Options, records: Records) -> Report:
    outcome = found(options, records)
    figure = new_figure()
    axes = figure.subplots()
    losses = [(LABELS[loss], loss) for loss in PAPER_LOSSES]
    rows: list[tuple[object, ...]] = []
    if outcome is None:
        rows.append(("Baikal, tuned here", NOT_RUN, NOT_RUN, NOT_RUN, 0))
    else:
        tuned, generations = outcome["result"]["tuning"][0], outcome["tuning"]
        losses.insert(0, (f"Baikal, tuned here: `{tuned['expression']}`", tuned["expression"]))
        numbers = [generation["generation"] for generation in generations]
        for field, style, label in (
            ("best_so_far", "-", "best so far"),
            ("best_fitness", ":o", "best of the generation"),
            ("median_fitness", "--s", "median of the generation"),
        ):
            axes.plot(numbers, [generation[field] for generation in generations], style, color="0.2", label=label)
        axes.axhline(tuned["fitness_before"], color="0.6", linewidth=1, label="Baikal untuned")
    for text, loss in losses:
        one = options.training(loss, options.steps)
        validation, test = (records.accuracies(one, options.steps, split) for split in ("validation", "test"))
        fitness = tuned["fitness"] if outcome is not None and loss == tuned["expression"] else None
        fitness = tuned["fitness_before"] if outcome is not None and loss == "baikal" else fitness
        rows.append((text, fitness, mean_and_sd(validation), mean_and_sd(test), len(test)))
    finish(
        axes,
        title=f"Baikal's coefficients on {options.dataset}, seed {options.seed}",
        xlabel="generation",
        ylabel=f"validation accuracy after {options.fitness_steps} steps",
    )
    header = (
        "loss",
        f"fitness ({options.fitness_steps} steps)",
        f"validation after {options.steps:,} steps",
        "test",
        "seeds",
    )
    remark = (
        f"Smaller than the paper's budget: fitness after {options.fitness_steps} steps, where the paper has 2,000; "
        f"{options.generations} generations. The accuracies are means over fresh seeds."
    )
    return Report(f"{table(header, rows)}\n{remark}\n", figure)


def main(arguments: Sequence[str] | None = None) -> int:
    return script.run_script(Options, wanted, report, __doc__, arguments, first=tune)


if __name__ == "__main__":
    script.start(main)
