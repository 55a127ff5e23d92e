"""The command line's options of data."""

from dataclasses import dataclass
from pathlib import Path

from glojax.datasets import NoiseKind, TaskName, TestSplit


@dataclass(frozen=True, kw_only=True)
class DataOptions:
    """What is trained on."""

    dataset: str = "digits"
    """Data set: digits, mnist, fashion_mnist, cifar10, diabetes, breast_cancer, wine, digit_segmentation, tfds:NAME, or
    the path of files of your own."""
    data_dir: Path | None = None
    """Folder with the original files, or one prepared by tensorflow-datasets. By default they are downloaded."""
    test_split: TestSplit = "official"
    """held-out takes the last 10,000 training images for the test set, a fifth of files of your own that have no test
    set, and trains on none of them."""
    target: str | None = None
    """Column of a table, or feature of a tfds:NAME, that is to be predicted."""
    task: TaskName | None = None
    """What the targets of your own files are, where type and shape do not say it."""
    validation_fraction: float | None = None
    """Share of the training examples of your own files that validates, where these do not say which. By default 0.1."""
    train_fraction: float = 1.0
    """Share of the training examples that is used: of each class, drawn by --seed."""
    imbalance: float = 1.0
    """Makes classes rare: training examples of the last class over those of the first, drawn by --seed."""
    label_noise: float = 0.0
    """Makes labels wrong: share of the training labels, drawn by --seed."""
    noise_kind: NoiseKind = "symmetric"
    """How labels become wrong: any other class, or the next one (pair)."""
