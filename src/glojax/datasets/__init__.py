"""Data sets as arrays in memory, in a training, a validation and a test split."""

from glojax.datasets.catalog import DATASETS, register_dataset
from glojax.datasets.dataset import Dataset, Split, TestSplit
from glojax.datasets.loading import DatasetSource, load_dataset

__all__ = ["DATASETS", "Dataset", "DatasetSource", "Split", "TestSplit", "load_dataset", "register_dataset"]
