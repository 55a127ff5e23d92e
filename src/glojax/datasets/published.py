"""Data sets as their authors published them: which ones are known, and how their images become our splits."""

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from glojax.datasets.dataset import Dataset, Split, TestSplit
from glojax.errors import DatasetError

#: What is published of a data set.
SplitName: TypeAlias = Literal["train", "test"]

#: The first training images, in the published order, validate.
NUM_VALIDATION: Final = 5_000

#: The last training images, in the published order, are a test set that is held out.
NUM_HELD_OUT: Final = 10_000


@dataclass(frozen=True)
class Publication:
    """What is known of a data set before it is read.

    Attributes:
        name: What tensorflow-datasets and we call it.
        title: What its authors call it.
        image_shape: Height and width in pixels, and channels.
        num_train: Number of training images, those that validate included.
        num_test: Number of test images.
        class_names: What the labels mean, in their order.
        first_train_labels: Labels of the first training images: a check of the order.
        first_test_labels: Labels of the first test images.
    """

    name: str
    title: str
    image_shape: tuple[int, int, int]
    num_train: int
    num_test: int
    class_names: tuple[str, ...]
    first_train_labels: tuple[int, ...]
    first_test_labels: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class PublishedImages:
    """All images of a publication, in the published order.

    Attributes:
        train: Training images uint8 [N, H, W, channels] with their labels.
        test: Test images; None where only training images were at hand, or asked for.
        origin: Where they came from, in a line.
    """

    train: Split
    test: Split | None
    origin: str


MNIST: Final = Publication(
    "mnist",
    "MNIST",
    (28, 28, 1),
    60_000,
    10_000,
    tuple("0123456789"),
    (5, 0, 4, 1, 9, 2, 1, 3, 1, 4),
    (7, 2, 1, 0, 4, 1, 4, 9, 5, 9),
)
FASHION_MNIST: Final = Publication(
    "fashion_mnist",
    "Fashion-MNIST",
    (28, 28, 1),
    60_000,
    10_000,
    ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
    (9, 0, 0, 3, 0, 2, 7, 2, 5, 5),
    (9, 2, 1, 1, 6, 1, 4, 6, 5, 7),
)
CIFAR10: Final = Publication(
    "cifar10",
    "CIFAR-10",
    (32, 32, 3),
    50_000,
    10_000,
    ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"),
    (6, 9, 9, 4, 1, 1, 2, 7, 8, 3),
    (3, 8, 8, 0, 6, 6, 1, 6, 3, 1),
)


def require_first_labels(
    publication: Publication, split_name: SplitName, split: Split, where: str, advice: str
) -> None:
    """Raise DatasetError unless a split begins with the labels that it should: a check of what it is, and of its order.

    Args:
        publication: What it should be.
        split_name: Which split of it.
        split: The images and labels in question.
        where: Where they came from, for the message.
        advice: What to do about it, for the message.
    """
    first = {"train": publication.first_train_labels, "test": publication.first_test_labels}[split_name]
    found = tuple(split.labels[: len(first)].tolist())
    if found != first:
        raise DatasetError(
            f"{where} holds {split_name} images with the labels {list(found)} first; expected {list(first)}, as "
            f"{publication.title} has: {advice}."
        )


def split_sizes(publication: Publication, test_split: TestSplit) -> dict[str, int]:
    """Number of images in each split, in the order train, validation, test.

    Example:
        >>> split_sizes(MNIST, "official")
        {'train': 55000, 'validation': 5000, 'test': 10000}
        >>> split_sizes(CIFAR10, "held-out")
        {'train': 35000, 'validation': 5000, 'test': 10000}
    """
    held_out = NUM_HELD_OUT if test_split == "held-out" else 0
    return {
        "train": publication.num_train - NUM_VALIDATION - held_out,
        "validation": NUM_VALIDATION,
        "test": held_out or publication.num_test,
    }


def split_images(publication: Publication, images: PublishedImages, test_split: TestSplit) -> Dataset:
    """Make our splits: the first 5,000 training images validate, the others train.

    Args:
        publication: Which data set it is.
        images: Its images; the test images are needed for the official test split only.
        test_split: "held-out" takes the last 10,000 training images for the test set, and trains on none of them.

    Returns:
        The data set.
    """
    train = images.train
    num_trained = NUM_VALIDATION + split_sizes(publication, test_split)["train"]
    test: Split | None = images.test
    if test_split == "held-out":
        test = _rows(train, slice(num_trained, None))
    assert test is not None, "the official test split was asked for without test images"
    return Dataset(
        publication.name,
        _rows(train, slice(NUM_VALIDATION, num_trained)),
        _rows(train, slice(NUM_VALIDATION)),
        test,
        num_classes=len(publication.class_names),
        origin=images.origin,
        test_split=test_split,
    )


def _rows(split: Split, rows: slice) -> Split:
    return Split(split.images[rows], split.labels[rows])
