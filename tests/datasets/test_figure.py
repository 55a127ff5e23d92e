from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pytest
from matplotlib.image import imread

from glojax.datasets import Dataset
from glojax.datasets.__main__ import draw_samples, sample_mosaic
from glojax.errors import DatasetError


def dataset(images: Any, num_classes: int) -> Dataset:
    labels = np.arange(len(images)) % num_classes
    return Dataset.from_arrays("toy", images, labels, validation=([images[0]], [0]))


def test_the_mosaic_has_a_row_for_a_label() -> None:
    """Five images of three classes, so the last class has one image only."""
    images = np.arange(5 * 4 * 6, dtype=np.uint8).reshape(5, 4, 6)

    mosaic = sample_mosaic(dataset(images, 3))

    assert mosaic.shape == (3 * 6, 12 * 8, 3)
    tiles = mosaic.reshape(3, 6, 12, 8, 3).transpose(0, 2, 1, 3, 4)
    for row, column, number in ((0, 0, 0), (1, 0, 1), (2, 0, 2), (0, 1, 3), (1, 1, 4)):
        np.testing.assert_allclose(tiles[row, column, :4, :6], images[number, ..., None].repeat(3, -1) / 255, rtol=1e-6)
    assert (tiles[2, 1] == 1).all()
    assert (tiles[:, :, 4:] == 1).all()
    assert (tiles[..., 6:, :] == 1).all()


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_three_channels_are_colours_and_of_others_the_first_is_shown(channels: int) -> None:
    images = np.random.default_rng(0).random((20, 4, 6, channels))

    shown = sample_mosaic(dataset(images, 2)).reshape(2, 6, 12, 8, 3)[1, :4, 0, :6]

    expected = images[1] if channels == 3 else images[1, ..., :1].repeat(3, -1)
    np.testing.assert_allclose(shown, expected, rtol=1e-6)


def test_draws_ten_classes_at_most(tmp_path: Path) -> None:
    images = np.zeros((60, 6, 6), np.uint8)

    for num_classes in (10, 20):
        draw_samples(dataset(images, num_classes), tmp_path / f"{num_classes}.png")

    assert imread(tmp_path / "10.png").shape == imread(tmp_path / "20.png").shape


def test_images_far_higher_than_wide(tmp_path: Path) -> None:
    draw_samples(dataset(np.zeros((20, 1_000, 1), np.uint8), 10), tmp_path / "toy.png")

    height, width, _ = imread(tmp_path / "toy.png").shape
    assert height <= 2 * width


def test_a_name_is_no_formula(tmp_path: Path) -> None:
    images, labels = np.zeros((4, 6, 6), np.uint8), np.arange(4) % 2

    draw_samples(Dataset.from_arrays("a$x^^$", images, labels, validation=[0]), tmp_path / "toy.png")

    height, width, _ = imread(tmp_path / "toy.png").shape
    assert min(height, width) > 0


def test_a_path_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(
        DatasetError, match=r"Cannot write .*toy\.png \(No such file or directory\); expected .*--figure"
    ):
        draw_samples(dataset(np.zeros((4, 6, 6), np.uint8), 2), tmp_path / "nowhere" / "toy.png")


def test_a_users_style_does_not_matter(tmp_path: Path) -> None:
    """LaTeX would be started, and is not on this machine."""
    images = np.zeros((20, 6, 6), np.uint8)
    draw_samples(dataset(images, 2), tmp_path / "plain.png")
    with matplotlib.rc_context({"text.usetex": True, "font.size": 30}):
        draw_samples(dataset(images, 2), tmp_path / "styled.png")
    np.testing.assert_array_equal(imread(tmp_path / "styled.png"), imread(tmp_path / "plain.png"))
