"""A data set by what it is loaded from: text and numbers, which another process can load it from, too."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from glojax.datasets.dataset import Dataset, TestSplit
from glojax.datasets.sources import load_dataset


@dataclass(frozen=True)
class DatasetSource:
    """What `load_dataset` takes, and the share of the training images that is kept.

    Attributes:
        name: As for `load_dataset`.
        data_dir: As for `load_dataset`.
        test_split: As for `load_dataset`.
        validation_fraction: As for `load_dataset`.
        train_fraction: Share of each class of the training images.
        seed: Of the choice of training images.
    """

    name: str
    data_dir: str | None = None
    test_split: TestSplit = "official"
    validation_fraction: float | None = None
    train_fraction: float = 1.0
    seed: int = 0

    def absolute(self) -> Self:
        """The same from whatever folder it is loaded in."""
        name = _absolute(self.name) if self.name.endswith(".npz") else self.name
        return replace(self, name=name, data_dir=None if self.data_dir is None else _absolute(self.data_dir))

    def load(self) -> Dataset:
        """The data set.

        Raises:
            DatasetError: As for `load_dataset`, or the fraction is out of its range.
        """
        place = None if self.data_dir is None else Path(self.data_dir)
        dataset = load_dataset(
            self.name, place, test_split=self.test_split, validation_fraction=self.validation_fraction
        )
        return dataset if self.train_fraction == 1 else dataset.with_train_fraction(self.train_fraction, self.seed)


def _absolute(path: str) -> str:
    return str(Path(path).expanduser().absolute())
