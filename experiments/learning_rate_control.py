"""How much of the gain is only a larger effective step? Each loss at its own best learning rate on MNIST.

python -m experiments.learning_rate_control

The paper has nothing of the kind: all losses share 0.01.

Ours: with each loss at its own best rate hardly anything is left of the gain. Test accuracies of 0.9903 (cross-entropy
at 0.3), 0.9907 (Baikal at 0.03) and 0.9910 (BaikalCMA at 0.01), with three seeds, where all at 0.01 give 0.9670, 0.9860
and 0.9910.

Time: about 50 s a training on two cores; half an hour in all.
"""

from dataclasses import dataclass, replace
from functools import partial

from experiments import script
from experiments.records import Records
from experiments.report import NOT_RUN, Report, accuracy_in_words, gain_in_words, mean_and_sd, p_in_words, table
from experiments.style import LABELS, STYLES, finish, new_figure
from experiments.trainings import PAPER_LOSSES, Training


@dataclass(frozen=True, kw_only=True)
class Options(script.Options):
    """Options of the trainings."""

    steps: int = 2000
    """Steps of each training."""

    learning_rates: tuple[float, ...] = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3)
    """Learning rates tried with seed 0; the best on the validation set is the loss's own."""

    seeds: int = 3
    """Number of fresh seeds with which each loss is tested at the shared rate and at its own."""


#: A training has failed if its validation accuracy is below this.
FAILURE = 0.5


def tried(options: Options, loss: str) -> list[Training]:
    """Return the trainings that choose the rate of a loss."""
    return [replace(options.training(loss, options.steps), learning_rate=rate) for rate in options.learning_rates]


def best_rate(options: Options, records: Records, loss: str) -> float | None:
    """Return the rate with the highest validation accuracy, the smallest of equals; None until all were tried."""
    accuracies = [records.accuracy(training, options.steps, "validation") for training in tried(options, loss)]
    known = [accuracy for accuracy in accuracies if accuracy is not None]
    return options.learning_rates[known.index(max(known))] if len(known) == len(accuracies) else None


def with_fresh_seeds(options: Options, loss: str, rate: float) -> list[Training]:
    """Return the trainings that test a loss at a rate."""
    return [
        replace(options.training(loss, options.steps, seed), learning_rate=rate) for seed in range(1, options.seeds + 1)
    ]


def wanted(options: Options, records: Records) -> list[Training]:
    first = [training for loss in PAPER_LOSSES for training in tried(options, loss)]
    first += [training for loss in PAPER_LOSSES for training in with_fresh_seeds(options, loss, options.learning_rate)]
    rates = {loss: best_rate(options, records, loss) for loss in PAPER_LOSSES}
    return first + [
        training
        for loss, rate in rates.items()
        if rate is not None
        for training in with_fresh_seeds(options, loss, rate)
    ]


def report(options: Options, records: Records) -> Report:
    rates = {loss: best_rate(options, records, loss) for loss in PAPER_LOSSES}
    figure = new_figure()
    axes = figure.subplots()
    columns = {}
    for loss in PAPER_LOSSES:
        accuracies = [records.accuracy(training, options.steps, "validation") for training in tried(options, loss)]
        columns[loss] = [
            f"**{accuracy_in_words(accuracy)}**" if rate == rates[loss] else accuracy_in_words(accuracy)
            for rate, accuracy in zip(options.learning_rates, accuracies, strict=True)
        ]
        known = [pair for pair in zip(options.learning_rates, accuracies, strict=True) if pair[1] is not None]
        if known:
            axes.plot(*zip(*known, strict=True), label=LABELS[loss], **STYLES[loss])
    if axes.has_data():
        axes.set_xscale("log")
        if options.steps >= 1000:
            axes.set_ylim(0.9, 1)
    finish(
        axes,
        title=f"After {options.steps:,} steps, seed 0 (below 0.9 cut off)",
        xlabel="learning rate",
        ylabel="validation accuracy",
    )
    header = ("learning rate", *(f"{LABELS[loss]}, validation" for loss in PAPER_LOSSES))
    validation = table(header, zip(map("{:g}".format, options.learning_rates), *columns.values(), strict=True))
    parts = [validation, _tests(options, records, rates), *_at_the_border(options, records, rates)]
    return Report("\n".join(parts), figure)


def _at_the_border(options: Options, records: Records, rates: dict[str, float | None]) -> list[str]:
    """Return sentences on the losses that may have a better rate among those that were not tried."""
    smaller, larger = [None, *options.learning_rates], [*options.learning_rates[1:], None]
    border, cliff = [], []
    for loss, best in rates.items():
        if best is None:
            continue
        index = options.learning_rates.index(best)
        following = larger[index]
        if smaller[index] is None or following is None:
            border.append(f"{LABELS[loss]}'s ({best:g})")
        elif (records.accuracy(tried(options, loss)[index + 1], options.steps, "validation") or 0) < FAILURE:
            cliff.append(f"{LABELS[loss]}'s ({best:g}; {following:g} fails)")
    sentences = []
    if border:
        sentences.append(f"At the border of what was tried: {', '.join(border)}; a rate beyond it may be better.")
    if cliff:
        sentences.append(f"Next to a rate that fails: {', '.join(cliff)}; a rate between the two may be better.")
    return [" ".join(sentences) + "\n"] if sentences else []


def _tests(options: Options, records: Records, rates: dict[str, float | None]) -> str:
    """Return a table of the test accuracies at the shared rate and at each loss's own."""

    def tested(training: Training) -> list[float]:
        return records.accuracies(training, options.steps, seeds=range(1, options.seeds + 1))

    shared, own = {}, {}
    for loss, rate in rates.items():
        training = options.training(loss, options.steps)
        shared[loss] = tested(training)
        own[loss] = [] if rate is None else tested(replace(training, learning_rate=rate))
    first = PAPER_LOSSES[0]
    rows = [
        (
            LABELS[loss],
            mean_and_sd(shared[loss]),
            gain_in_words(shared[first], shared[loss]) if loss != first else None,
            NOT_RUN if rates[loss] is None else f"{rates[loss]:g}",
            mean_and_sd(own[loss]),
            gain_in_words(own[first], own[loss]) if loss != first else None,
            p_in_words(own[first], own[loss]) if loss != first else None,
            len(own[loss]),
        )
        for loss in PAPER_LOSSES
    ]
    header = (
        "loss",
        f"test, all at {options.learning_rate:g}",
        "gain (95 % interval)",
        "own best rate",
        "test at it",
        "gain (95 % interval)",
        "Welch p",
        "seeds",
    )
    return table(header, rows)


main = partial(script.run_script, Options, wanted, report, __doc__)


if __name__ == "__main__":
    script.start(main)
