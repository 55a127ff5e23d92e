"""Does one training, and writes its record: what other scripts train, the command in each record makes again.

python -m experiments.train --loss baikal --steps 2000 --learning-rate 0.01
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import tyro

from experiments import script
from experiments.records import Records
from experiments.trainings import Training


@dataclass(frozen=True, kw_only=True)
class Options(script.Places):
    """A training, and where things are."""

    training: Annotated[Training, tyro.conf.OmitArgPrefixes]


def wanted(options: Options, records: Records) -> list[Training]:
    return [options.training]


def main(arguments: Sequence[str] | None = None) -> int:
    return script.run_script(Options, wanted, __doc__, arguments)


if __name__ == "__main__":
    script.leave(main())
