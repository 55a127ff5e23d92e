"""The command line: `python -m glojax.datasets`. tyro derives it from the parameters and docstrings of the commands."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Final, TypeAlias

import numpy as np
import tyro
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray
from rich.box import SIMPLE
from rich.markup import escape
from rich.table import Table

from glojax.arguments import require_once
from glojax.datasets.acquisition import fetch, find_local
from glojax.datasets.cache import data_root
from glojax.datasets.catalog import DATASETS, load_dataset, publications
from glojax.datasets.dataset import Dataset, TestSplit
from glojax.datasets.progress import FetchDisplay
from glojax.datasets.publication import Publication
from glojax.datasets.reading import explained
from glojax.datasets.targets import TaskName
from glojax.drawing import own_style
from glojax.errors import ConfigurationError, DatasetError, GlojaxError, nearest, printable
from glojax.files import expanded
from glojax.startup import run_command
from glojax.terminal import open_console, print_text

_PROGRAM = "python -m glojax.datasets"

_USAGE = f"""usage: {_PROGRAM} list | fetch NAME | describe NAME

Each command has a --help of its own."""

_MAX_CLASSES, _IMAGES_PER_CLASS = 10, 12
_MAX_INCHES: Final = 16  #: Limit of the figure's height, for images that are far higher than wide.
_FRAME: Final = 2  #: Width in pixels of the white border to the right of and below each image.

_Name: TypeAlias = Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="NAME")]


def list_datasets() -> None:
    """List the data sets, and whether this machine has them."""
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for heading in ("name", "input", "outputs", "train", "valid.", "test", "here as"):
        is_text = heading in ("name", "input", "here as")
        table.add_column(heading, justify="left" if is_text else "right", no_wrap=True)
    shape: tuple[int, ...]
    for name, entry in DATASETS.items():
        if isinstance(entry, Publication):
            shape, num_outputs, sizes = entry.image_shape, len(entry.class_names), entry.split_sizes("official")
            location = find_local(entry) or "no"
        else:
            dataset = load_dataset(name)
            shape, num_outputs = dataset.input_shape, dataset.num_outputs
            sizes, location = {name: len(split) for name, split in dataset.splits.items()}, "built in"
        counts = (f"{sizes[name]:,}" if name in sizes else "none" for name in ("train", "validation", "test"))
        table.add_row(escape(name), " x ".join(map(str, shape)), str(num_outputs), *counts, location)
    console = open_console()
    console.print(table)
    print_text(f"Cache and prepared folders: {data_root()} (set TFDS_DATA_DIR for another folder)", console)


def fetch_dataset(name: _Name, *, data_dir: Path | None = None, test_split: TestSplit = "official") -> None:
    """Download a data set, or read its files, into the cache.

    Args:
        name: Name of a data set that has files, see `list`.
        data_dir: Folder with its original files, or one prepared by tensorflow-datasets. By default the network.
        test_split: held-out does not require the official test images.
    """
    if name not in publications():
        raise DatasetError(
            f"Cannot fetch {name!r}; expected one of {', '.join(publications())}: other data sets need no fetching."
        )
    publication = publications()[name]
    folder = None if data_dir is None else expanded(data_dir)
    console = open_console()
    with FetchDisplay(console):
        path = fetch(publication, folder, with_test=test_split == "official")
    print_text(f"{publication.title} is in {path} ({path.stat().st_size / 1e6:.0f} MB)", console)


def describe_dataset(
    name: _Name,
    *,
    data_dir: Path | None = None,
    test_split: TestSplit = "official",
    validation_fraction: float | None = None,
    target: str | None = None,
    task: TaskName | None = None,
    figure: Path | None = None,
) -> None:
    """Print a data set's splits and labels, and draw some images where it has images of classes.

    Args:
        name: Name of a data set, see `list`, tfds:NAME, or the path of files of your own.
        data_dir: Folder with its original files, or one prepared by tensorflow-datasets. By default the cache.
        test_split: held-out takes the last 10,000 training images for the test split, or a fifth of your own files.
        validation_fraction: Share of the training examples of your own files that validates. By default 0.1.
        target: Column of a table, or feature of a tfds:NAME, that is to be predicted.
        task: What the targets of your own files are. By default what type and shape say.
        figure: Path of the figure. By default NAME.png.
    """
    console = open_console()
    with FetchDisplay(console):
        dataset = load_dataset(
            name,
            data_dir,
            test_split=test_split,
            validation_fraction=validation_fraction,
            target=target,
            task=task,
        )
    lines = {"task": f"{dataset.task} with {dataset.num_outputs} outputs"}
    for what, array in dataset.train.arrays.items():
        shape = " x ".join(map(str, array.shape[1:])) or "one number"
        lines[what] = f"{shape}, {array.dtype} from {array.min():g} to {array.max():g}"
    lines["splits"] = ", ".join(f"{len(split):,} {split_name}" for split_name, split in dataset.splits.items())
    lines |= {"test split": "none" if dataset.test is None else dataset.test_split}
    lines |= {"origin": dataset.origin, "fingerprint": dataset.fingerprint}
    if _has_class_images(dataset):
        path = Path(f"{dataset.name}.png") if figure is None else expanded(figure)
        if figure is None and path.is_symlink():
            raise DatasetError(f"{path} is a link; expected none, or a file to replace: remove it, or give --figure.")
        draw_samples(dataset, path)
        console.print(_label_table(dataset, publications().get(name)))
        lines["figure"] = str(path)
    print_text("\n".join(f"{what:<11}  {text}" for what, text in lines.items()), console)


def _has_class_images(dataset: Dataset) -> bool:
    return dataset.train.inputs.ndim == 4 and dataset.train.targets.ndim == 1


def _label_table(dataset: Dataset, publication: Publication | None) -> Table:
    """Tabulate the number of images of each label in each split."""
    table = Table("label", title=escape(dataset.name), show_footer=True, box=SIMPLE)
    table.columns[0].footer = "all"
    names = publication.class_names if publication else tuple(str(label) for label in range(dataset.num_outputs))
    counts = [
        np.bincount(split.targets.astype(int), minlength=dataset.num_outputs) for split in dataset.splits.values()
    ]
    for name, split in dataset.splits.items():
        table.add_column(name, justify="right", footer=f"{len(split):,}")
    for label, row in enumerate(zip(*counts, strict=True)):
        text = str(label) if names[label] == str(label) else f"{label} {names[label]}"
        table.add_row(text, *(f"{count:,}" for count in row))
    return table


def sample_mosaic(dataset: Dataset) -> NDArray[np.float32]:
    """Arrange the first training images of each of the first ten classes in a row, [rows * (H + 2), 12 * (W + 2), 3].

    It is white where a class has fewer images, and grey, from the first channel, unless the images have three channels.
    """
    height, width, channels = dataset.input_shape
    rows = min(dataset.num_outputs, _MAX_CLASSES)
    mosaic = np.ones((rows, height + _FRAME, _IMAGES_PER_CLASS, width + _FRAME, 3), np.float32)
    images: NDArray[Any] = dataset.train.inputs[..., : 3 if channels == 3 else 1]
    scale = 255 if images.dtype == np.uint8 else 1
    for label in range(rows):
        for column, index in enumerate(np.flatnonzero(dataset.train.targets == label)[:_IMAGES_PER_CLASS]):
            mosaic[label, :height, column, :width] = images[index] / scale
    return mosaic.reshape(rows * (height + _FRAME), -1, 3)


@own_style()
def draw_samples(dataset: Dataset, path: Path) -> None:
    """Draw the mosaic of `sample_mosaic` to a PNG file."""
    mosaic = sample_mosaic(dataset)
    height, rows = dataset.input_shape[0], min(dataset.num_outputs, _MAX_CLASSES)
    height_inches = min(8 * len(mosaic) / mosaic.shape[1] + 0.6, _MAX_INCHES)
    figure = Figure(figsize=(8, height_inches), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    axes.imshow(np.clip(mosaic, 0, 1), interpolation="nearest")
    size = " x ".join(map(str, dataset.input_shape))
    axes.set_title(f"{dataset.name}: training images of {size} pixels, one row per label")
    axes.set_yticks([row * (height + _FRAME) + height / 2 for row in range(rows)], [str(row) for row in range(rows)])
    axes.set_xticks([])
    axes.tick_params(length=0)
    axes.set_frame_on(False)
    with explained(OSError, f"Cannot write {path}", "the path of a PNG file: give another as --figure"):
        figure.savefig(path, dpi=120, format="png")


_COMMANDS: Final[dict[str, Any]] = {"list": list_datasets, "fetch": fetch_dataset, "describe": describe_dataset}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return the exit code: 0, 2 for a user's mistake, or 130 for an interruption."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    if not arguments or arguments[0] in ("-h", "--help"):
        print(_USAGE)
        return 0 if arguments else 2
    command = arguments.pop(0)
    try:
        if command not in _COMMANDS:
            raise ConfigurationError(
                f"Unknown command {command!r}.{nearest(command, _COMMANDS)} Expected one of {', '.join(_COMMANDS)}."
            )
        require_once(arguments)
        tyro.cli(_COMMANDS[command], args=arguments, prog=f"{_PROGRAM} {command}")
    except GlojaxError as error:
        print(f"error: {printable(str(error).splitlines()[0])}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    run_command(main)
