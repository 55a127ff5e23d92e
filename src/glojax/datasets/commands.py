"""The commands, from options to a printed table."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, TypeAlias

import numpy as np
import tyro
from rich.box import SIMPLE
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from glojax.datasets.acquisition import fetch, find_local
from glojax.datasets.cache import data_root
from glojax.datasets.dataset import Dataset, TestSplit
from glojax.datasets.figure import draw_samples
from glojax.datasets.progress import FetchDisplay
from glojax.datasets.published import Publication, split_sizes
from glojax.datasets.sources import PUBLICATIONS, load_dataset
from glojax.errors import DatasetError

Name: TypeAlias = Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="NAME")]


@dataclass(frozen=True, kw_only=True)
class ListOptions:
    """Options of the list: none."""


@dataclass(frozen=True, kw_only=True)
class FetchOptions:
    """Options of a fetch."""

    name: Name
    """Data set: mnist, fashion_mnist or cifar10."""

    data_dir: Path | None = None
    """Folder with its original files, or one prepared by tensorflow-datasets. By default the network."""

    test_split: TestSplit = "official"
    """held-out does without the official test images."""


@dataclass(frozen=True, kw_only=True)
class DescribeOptions:
    """Options of a description."""

    name: Name
    """Data set: digits, mnist, fashion_mnist, cifar10, or a path that ends in .npz."""

    data_dir: Path | None = None
    """Folder with its original files, or one prepared by tensorflow-datasets. By default the cache or the network."""

    test_split: TestSplit = "official"
    """held-out takes the last 10,000 training images for the test set."""

    validation_fraction: float | None = None
    """Share of a .npz file's training images that validates, where the file does not say which. By default 0.1."""

    figure: Path | None = None
    """Where to draw some images. By default NAME.png."""


def run_list(options: ListOptions, console: Console) -> None:
    """Print what is known of every data set without loading it."""
    del options
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for heading in ("name", "image", "classes", "train", "validation", "test", "here as"):
        table.add_column(heading, justify="left" if heading in ("name", "image", "here as") else "right", no_wrap=True)
    digits = load_dataset("digits")
    sizes = {name: len(split) for name, split in digits.splits.items()}
    _add_to_list(table, "digits", digits.image_shape, digits.num_classes, sizes, "built in")
    for name, publication in PUBLICATIONS.items():
        where = find_local(publication) or "no"
        num_classes, sizes = len(publication.class_names), split_sizes(publication, "official")
        _add_to_list(table, name, publication.image_shape, num_classes, sizes, where)
    console.print(table)
    _print(console, f"Cache and prepared folders: {data_root()} (set TFDS_DATA_DIR for another place)")


def run_fetch(options: FetchOptions, console: Console) -> None:
    """Fill the cache of a data set."""
    if options.name not in PUBLICATIONS:
        raise DatasetError(
            f"Cannot fetch {options.name!r}; expected one of {', '.join(PUBLICATIONS)}: digits and .npz files need no "
            "fetching."
        )
    publication = PUBLICATIONS[options.name]
    data_dir = None if options.data_dir is None else options.data_dir.expanduser()
    with FetchDisplay(console):
        path = fetch(publication, data_dir, with_test=options.test_split == "official")
    _print(console, f"{publication.title} is in {path} ({path.stat().st_size / 1e6:.0f} MB)")


def run_describe(options: DescribeOptions, console: Console) -> None:
    """Print a data set's figures and draw some of its images."""
    with FetchDisplay(console):
        dataset = load_dataset(
            options.name,
            options.data_dir,
            test_split=options.test_split,
            validation_fraction=options.validation_fraction,
        )
    figure = Path(f"{dataset.name}.png") if options.figure is None else options.figure.expanduser()
    draw_samples(dataset, figure)
    console.print(_label_table(dataset, PUBLICATIONS.get(options.name)))
    images = dataset.train.images
    _print(
        console,
        f"images       {' x '.join(map(str, dataset.image_shape))}, {images.dtype} from {images.min():g} to "
        f"{images.max():g}",
    )
    _print(console, f"test split   {dataset.test_split}")
    _print(console, f"origin       {dataset.origin}")
    _print(console, f"fingerprint  {dataset.fingerprint}")
    _print(console, f"figure       {figure}")


def _label_table(dataset: Dataset, publication: Publication | None) -> Table:
    """How many images of each label each split has."""
    table = Table("label", title=escape(dataset.name), show_footer=True, box=SIMPLE)
    table.columns[0].footer = "all"
    names = publication.class_names if publication else tuple(str(label) for label in range(dataset.num_classes))
    counts = [np.bincount(split.labels, minlength=dataset.num_classes) for split in dataset.splits.values()]
    for name, split in dataset.splits.items():
        table.add_column(name, justify="right", footer=f"{len(split):,}")
    for label, row in enumerate(zip(*counts, strict=True)):
        text = str(label) if names[label] == str(label) else f"{label} {names[label]}"
        table.add_row(text, *(f"{count:,}" for count in row))
    return table


def _add_to_list(
    table: Table, name: str, shape: tuple[int, int, int], num_classes: int, sizes: dict[str, int], where: str
) -> None:
    table.add_row(name, " x ".join(map(str, shape)), str(num_classes), *(f"{size:,}" for size in sizes.values()), where)


def _print(console: Console, text: str) -> None:
    console.print(text, highlight=False, markup=False, soft_wrap=True)
