"""One training and its record; the command in each record of a training runs this script.

python -m experiments.train --loss baikal --steps 2000 --learning-rate 0.01
"""

from dataclasses import dataclass
from functools import partial
from typing import Annotated

import tyro

from experiments import script
from experiments.records import Records
from experiments.report import Report, accuracy_in_words, table
from experiments.trainings import Training


@dataclass(frozen=True, kw_only=True)
class Options(script.CommonOptions):
    """Options of the training."""

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


main = partial(script.run_script, Options, wanted, report, __doc__)


if __name__ == "__main__":
    script.start(main)
