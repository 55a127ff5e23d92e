"""A figure of a data set: some images of each class."""

from pathlib import Path
from typing import Any, Final

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

from glojax.datasets.dataset import Dataset
from glojax.datasets.reading import explained

_MAX_CLASSES, _IMAGES_PER_CLASS = 10, 12
_MAX_INCHES: Final = 16  #: Limit of the figure's height, for images that are far higher than wide.
_FRAME: Final = 2  #: Width in pixels of the white border to the right of and below each image.


def sample_mosaic(dataset: Dataset) -> NDArray[np.float32]:
    """Arrange the first training images of each of the first ten classes in a row, [rows * (H + 2), 12 * (W + 2), 3].

    It is white where a class has fewer images, and grey, from the first channel, unless the images have three channels.
    """
    height, width, channels = dataset.image_shape
    rows = min(dataset.num_classes, _MAX_CLASSES)
    mosaic = np.ones((rows, height + _FRAME, _IMAGES_PER_CLASS, width + _FRAME, 3), np.float32)
    images: NDArray[Any] = dataset.train.images[..., : 3 if channels == 3 else 1]
    scale = 255 if images.dtype == np.uint8 else 1
    for label in range(rows):
        for column, index in enumerate(np.flatnonzero(dataset.train.labels == label)[:_IMAGES_PER_CLASS]):
            mosaic[label, :height, column, :width] = images[index] / scale
    return mosaic.reshape(rows * (height + _FRAME), -1, 3)


def draw_samples(dataset: Dataset, path: Path) -> None:
    """Draw the mosaic of `sample_mosaic` to a PNG file."""
    mosaic = sample_mosaic(dataset)
    height, width, channels = dataset.image_shape
    rows = len(mosaic) // (height + _FRAME)
    height_inches = min(8 * len(mosaic) / mosaic.shape[1] + 0.6, _MAX_INCHES)
    figure = Figure(figsize=(8, height_inches), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    axes.imshow(np.clip(mosaic, 0, 1), interpolation="nearest")
    title = f"{dataset.name}: training images of {height} x {width} x {channels} pixels, one row per label"
    axes.set_title(title, parse_math=False)
    axes.set_yticks([row * (height + _FRAME) + height / 2 for row in range(rows)], [str(row) for row in range(rows)])
    axes.set_xticks([])
    axes.tick_params(length=0)
    axes.set_frame_on(False)
    with explained(OSError, f"Cannot write {path}", "the path of a PNG file: give another as --figure"):
        figure.savefig(path, dpi=120, format="png")
