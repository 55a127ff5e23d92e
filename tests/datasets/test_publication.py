from dataclasses import replace
from typing import get_args

import numpy as np
from hypothesis import given, strategies as st

from glojax.datasets import Split, TestSplit
from glojax.datasets.cifar10 import CIFAR10
from glojax.datasets.mnist import MNIST
from glojax.datasets.publication import NUM_HELD_OUT, NUM_VALIDATION, PublishedImages


def numbered(count: int, first: int) -> Split:
    """Images of 1 x 1 x 3 that count from `first` in base 256."""
    indices = np.arange(first, first + count)
    images = np.stack([indices // 65_536, indices // 256 % 256, indices % 256], axis=-1).astype(np.uint8)
    return Split(images.reshape(count, 1, 1, 3), np.arange(count, dtype=np.int32) % 10)


def numbers(split: Split) -> list[int]:
    return [int(number) for number in split.inputs.reshape(-1, 3).astype(int) @ [65_536, 256, 1]]


@given(st.integers(NUM_VALIDATION + NUM_HELD_OUT + 1, 60_000), st.sampled_from(get_args(TestSplit)))
def test_splits_part_the_images_in_their_order(num_train: int, test_split: TestSplit) -> None:
    publication = replace(CIFAR10, num_images={"train": num_train, "test": 7})
    images = PublishedImages(numbered(num_train, 0), numbered(7, 100_000), "somewhere")

    dataset = publication.make_dataset(images, test_split)

    found = [numbers(split) for split in (dataset.validation, dataset.train, dataset.splits["test"])]
    used = range(num_train) if test_split == "held-out" else [*range(num_train), *range(100_000, 100_007)]
    assert [*found[0], *found[1], *found[2]] == list(used)
    assert len(dataset.validation) == NUM_VALIDATION
    assert len(dataset.splits["test"]) == (NUM_HELD_OUT if test_split == "held-out" else 7)
    assert {name: len(split) for name, split in dataset.splits.items()} == publication.split_sizes(test_split)
    assert (dataset.origin, dataset.test_split) == ("somewhere", test_split)


def test_a_held_out_test_set_needs_no_official_one() -> None:
    dataset = MNIST.make_dataset(PublishedImages(numbered(60_000, 0), None, "somewhere"), "held-out")

    assert numbers(dataset.splits["test"]) == list(range(50_000, 60_000))
