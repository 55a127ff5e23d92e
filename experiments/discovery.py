"""A search for loss functions on MNIST with the genetic algorithm (section IV-B).

python -m experiments.discovery

The paper: Baikal was found in a single run, of which it gives no length; fitness after 2,000 steps on the whole set.

Ours: fitness after 200 steps on 10,000 images; cross-entropy in the fourth of twelve generations, a fitness over
Baikal's (0.9494 and 0.9440) in the tenth, Baikal itself in none. The best five, then trained for 2,000 steps on all
images, have test accuracies of 0.9844 to 0.9877, where Baikal has 0.9855, with one fresh seed.

Time: about 8 s a training, two side by side on two cores; 17 minutes for twelve generations of 80, as three quarters of
the candidates are known or die at once; 5 more for the trainings.
"""

from dataclasses import dataclass, replace
from functools import partial

from experiments import script
from experiments.records import Records
from experiments.report import NOT_RUN, Report, accuracy_in_words, table
from experiments.searches import SearchOptions, draw_generations, record_search
from experiments.style import LABELS, finish, new_figure
from experiments.trainings import PAPER_LOSSES, Training, dataset_name
from glojax.expressions import LossTree, canonical
from glojax.losses import CATALOG


@dataclass(frozen=True, kw_only=True)
class Options(SearchOptions):
    """Options of the search and of the trainings."""

    FINALIST_SEEDS = 2

    generations: int = 12
    """Number of generations."""

    population_size: int = 80
    """Candidates in a generation."""

    fitness_steps: int = 200
    """Steps after which a candidate's validation accuracy is its fitness."""

    train_fraction: float = 0.1818
    """Share of the training images that candidates are trained on: of MNIST 10,000 images."""

    finalists: int = 5
    """Number of the best losses that are trained further."""

    @property
    def name(self) -> str:
        """The name of the record."""
        return (
            f"discovery/{dataset_name(self.dataset)}_population_{self.population_size}_generations_{self.generations}"
            f"_steps_{self.fitness_steps}_portion_{self.train_fraction:g}_finalists_{self.finalists}_seed_{self.seed}"
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
        ["python", "-m", "experiments.discovery", *arguments, "--fitness-steps", steps, "--dataset", options.dataset],
        [
            "discover",
            "--preset",
            "paper",
            *arguments,
            "--steps",
            steps,
            "--finalist-seeds",
            str(options.FINALIST_SEEDS),
            "--dataset",
            options.dataset,
        ],
    )


def best_losses(options: Options, records: Records) -> dict[str, float]:
    """Return the fitness of the search's finalists, in their order; a loss of the paper goes by its name."""
    outcome = options.outcome(records)
    if outcome is None:
        return {}
    known = {str(canonical(CATALOG[loss])): loss for loss in PAPER_LOSSES}
    finalists = [
        (finalist["expression"], finalist["fitness"]) for finalist in outcome["result"]["discovered"]["finalists"]
    ]
    return {known.get(str(canonical(LossTree.parse(text))), text): fitness for text, fitness in finalists}


def fitness_training(options: Options, loss: str) -> Training:
    """Return the training whose validation accuracy is a loss's fitness in the search."""
    training = options.training(loss, options.fitness_steps, options.seed)
    return replace(training, train_fraction=options.train_fraction)


def wanted(options: Options, records: Records) -> list[Training]:
    losses = dict.fromkeys([*best_losses(options, records), *PAPER_LOSSES])
    longer = [options.training(loss, options.steps, seed) for seed in options.fresh_seeds for loss in losses]
    return [fitness_training(options, loss) for loss in PAPER_LOSSES] + longer


def report(options: Options, records: Records) -> Report:
    outcome = options.outcome(records)
    figure = new_figure()
    axes = figure.subplots()
    if outcome is not None:
        draw_generations(axes, outcome["generations"], {"best": "best_fitness", "median": "median_fitness"})
    finish(
        axes,
        title=f"Search on {options.dataset}, seed {options.seed}",
        xlabel="generation",
        ylabel=f"validation accuracy after {options.fitness_steps} steps",
    )
    best = best_losses(options, records)
    names = {loss: f"{LABELS[loss]}, found" if loss in LABELS else f"`{loss}`" for loss in best}
    rows: list[tuple[object, ...]] = [
        (names[loss], accuracy_in_words(fitness), *options.measured(records, loss)) for loss, fitness in best.items()
    ]
    rows = rows or [("the search's best", NOT_RUN, NOT_RUN, NOT_RUN, 0)]
    for loss in PAPER_LOSSES:
        fitness = records.accuracy(fitness_training(options, loss), options.fitness_steps, "validation")
        rows.append((LABELS[loss], accuracy_in_words(fitness), *options.measured(records, loss)))
    remark = (
        f"Smaller than the paper's budget: fitness after {options.fitness_steps} steps on {options.train_fraction:.0%} "
        f"of the training images, where the paper has 2,000 on all; {options.generations} generations of "
        f"{options.population_size}. The search's best are in the order that the seeds {options.seed + 1} and "
        f"{options.seed + 2} give; the accuracies are those of fresh seeds ({options.fresh_seeds.start} and up), the "
        "same for all losses. All have one learning rate: a loss may owe its rank to a larger effective step."
    )
    return Report(
        f"The best of the search, beside the paper's losses.\n\n{table(options.columns, rows)}\n{remark}\n", figure
    )


main = partial(script.run_script, Options, wanted, report, __doc__, first=search)


if __name__ == "__main__":
    script.start(main)
