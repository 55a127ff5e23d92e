"""A figure of a data set: some images of each class."""

from pathlib import Path
from typing import Any, Final

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

from glojax.datasets.dataset import Dataset
from glojax.errors import DatasetError

_MAX_CLASSES: Final = 10
_IMAGES_PER_CLASS: Final = 12

#: Limit of the figure's height, for images that are far higher than wide.
_MAX_INCHES: Final = 16

#: Width in pixels of the white border to the right of and below each image.
_FRAME: Final = 2


def sample_mosaic(dataset: Dataset) -> NDArray[np.float32]:
    """Arrange the first training images of each of the first ten classes in a row.

    Returns:
        Brightness [rows * (H + 2), 12 * (W + 2), 3], 0 to 1: white where a class has fewer images; grey, from the first
        channel, unless the images have three channels.
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
    """Draw the mosaic of `sample_mosaic` to a PNG file.

    Raises:
        DatasetError: The file cannot be written.
    """
    mosaic = sample_mosaic(dataset)
    height, width, channels = dataset.image_shape
    rows = len(mosaic) // (height + _FRAME)
    height_inches = min(8 * len(mosaic) / mosaic.shape[1] + 0.6, _MAX_INCHES)
    figure = Figure(figsize=(8, height_inches), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    axes.imshow(np.clip(mosaic, 0, 1), interpolation="nearest")
    axes.set_title(
        f"{dataset.name}: training images of {height} x {width} x {channels} pixels, one row per label",
        parse_math=False,
    )
    axes.set_yticks([row * (height + _FRAME) + height / 2 for row in range(rows)], [str(row) for row in range(rows)])
    axes.set_xticks([])
    axes.tick_params(length=0)
    axes.set_frame_on(False)
    try:
        figure.savefig(path, dpi=120, format="png")
    except OSError as error:
        raise DatasetError(
            f"Cannot write {path} ({error.strerror or error}); expected the path of a PNG file: give another as "
            "--figure."
        ) from error
