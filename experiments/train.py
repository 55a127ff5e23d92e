"""Does one training, and writes its record: what other scripts train, the command in each record makes again.

python -m experiments.train --loss baikal --steps 2000 --learning-rate 0.01
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import tyro

from experiments import script
from experiments.records import Records
from experiments.report import Report, accuracy_in_words, table
from experiments.trainings import Training


@dataclass(frozen=True, kw_only=True)
class Options(script.Places):
    """A training, and where things are."""

    training: Annotated[Training, tyro.conf.OmitArgPrefixes]


def wanted(options: Options, records: Records) -> list[Training]:
    return [options.training]


def report(options: Options, records: Records) -> Report:
    training = options.training
    rows = [
        (step, *(accuracy_in_words(records.accuracy(training, step, split)) for split in ("validation", "test")))
        for step in training.evaluated_steps
    ]
    return Report(table(("step", "validation accuracy", "test accuracy"), rows))


def main(arguments: Sequence[str] | None = None) -> int:
    return script.run_script(Options, wanted, report, __doc__, arguments)


if __name__ == "__main__":
    script.start(main)
