"""Data sets as arrays in memory, in a training, a validation and perhaps a test split."""

from glojax.datasets.catalog import (
    DATASETS as DATASETS,
    DatasetSource as DatasetSource,
    load_dataset as load_dataset,
    names_files as names_files,
    register_dataset as register_dataset,
)
from glojax.datasets.dataset import Dataset as Dataset, TestSplit as TestSplit
from glojax.datasets.split import Split as Split
from glojax.datasets.targets import TaskName as TaskName
from glojax.datasets.trouble import NoiseKind as NoiseKind
