"""Data sets as arrays in memory, in a training, a validation and a test split."""

from glojax.datasets.dataset import Dataset, Split, TestSplit
from glojax.datasets.source import DatasetSource
from glojax.datasets.sources import DATASETS, load_dataset

__all__ = ["DATASETS", "Dataset", "DatasetSource", "Split", "TestSplit", "load_dataset"]
