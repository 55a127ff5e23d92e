"""How much of the gain is only a larger effective step? Each loss at its own best learning rate on MNIST.

python -m experiments.learning_rate_control

The paper has nothing of the kind: all losses share 0.01, cross-entropy's rate.
Ours: not yet run.
Time: 75 s a training on two cores, 27 trainings.
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

    learning_rates: tuple[float, ...] = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3)
    """Tried with seed 0; the best on the validation set is the loss's own."""

    seeds: int = 3
    """Fresh seeds with which each loss is then trained at its own rate, and tested."""


def tried(options: Options, loss: str) -> list[Training]:
    """What a loss's rate is chosen by."""
    return [
        Training(loss=loss, steps=options.steps, learning_rate=rate, dataset=options.dataset)
        for rate in options.learning_rates
    ]


def best_rate(options: Options, records: Records, loss: str) -> float | None:
    """The rate with the highest validation accuracy, the smallest of equals; None until all were tried."""
    accuracies = [records.accuracy(training, options.steps, "validation") for training in tried(options, loss)]
    known = [accuracy for accuracy in accuracies if accuracy is not None]
    return options.learning_rates[known.index(max(known))] if len(known) == len(accuracies) else None


def at_best(options: Options, loss: str, rate: float) -> list[Training]:
    """What a loss is tested by, at its own rate."""
    return [
        Training(loss=loss, steps=options.steps, learning_rate=rate, dataset=options.dataset, seed=seed)
        for seed in range(1, options.seeds + 1)
    ]


def wanted(options: Options, records: Records) -> list[Training]:
    first = [training for loss in PAPER_LOSSES for training in tried(options, loss)]
    rates = {loss: best_rate(options, records, loss) for loss in PAPER_LOSSES}
    return first + [
        training for loss, rate in rates.items() if rate is not None for training in at_best(options, loss, rate)
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    return script.run_script(Options, wanted, __doc__, arguments)


if __name__ == "__main__":
    script.leave(main())
