"""tensorflow-datasets' builders, made to download and prepare without TensorFlow.

tensorflow-datasets knows where the original files are and what their SHA-256 is; only its own reading of them needs
TensorFlow. What is prepared here lies where it always does, in the format array_record, which `as_data_source` reads
(and TensorFlow's `as_dataset` does not).
"""

import logging
import os
import urllib.parse
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from glojax.datasets.archives import file_sha256, require_sha256
from glojax.datasets.cifar10 import ARCHIVE, read_cifar10_archive
from glojax.datasets.dataset import Split
from glojax.datasets.mnist import read_idx_files
from glojax.datasets.network import can_connect
from glojax.datasets.prepared import find_prepared
from glojax.datasets.published import CIFAR10, Publication, PublishedImages
from glojax.errors import DatasetError

_LOGGER = logging.getLogger(__name__)

#: How long a host may take to accept a connection. tensorflow-datasets alone tries for over three minutes.
_PROBE_SECONDS: Final = 1.5

#: How much of an error's text to repeat. Some of tensorflow-datasets' hold a whole image.
_MOST_CHARACTERS: Final = 600


def prepare(publication: Publication, root: Path) -> Path:
    """Download a publication's original files, verify their SHA-256, and prepare them as array_record.

    Args:
        publication: Which data set to prepare.
        root: Folder under which to prepare it, in `NAME/VERSION`; downloads go to `downloads`.

    Returns:
        The prepared folder.

    Raises:
        DatasetError: The host cannot be reached within 1.5 seconds, the download breaks off or is not what it should
            be, or the folder cannot be written.
    """
    builder = make_builder(publication, root)
    url, num_bytes = next(iter(builder.url_infos)), sum(int(info.size) for info in builder.url_infos.values())
    host = urllib.parse.urlsplit(url).hostname
    if not can_connect(url, _PROBE_SECONDS):
        raise DatasetError(f"{host} cannot be reached")
    _LOGGER.info(
        "Downloading %s (%.0f MB) from %s",
        publication.title,
        num_bytes / 1e6,
        host,
        extra={"folder": root / "downloads" / publication.name, "num_bytes": num_bytes},
    )
    try:
        _download_and_prepare(builder)
    except DatasetError:
        raise
    # Downloading, checking and writing raise errors of many types, with messages of many lines.
    except Exception as error:
        prepared = find_prepared(Path(builder.data_dir), publication)
        if prepared is not None:  # by another process, meanwhile
            return prepared
        reason = " ".join(str(error).split()) or type(error).__name__
        raise DatasetError(f"{host}, by tensorflow-datasets: {reason[:_MOST_CHARACTERS]}") from error
    return Path(builder.data_dir)


def make_builder(publication: Publication, root: Path) -> Any:
    """Make the publication's builder, a `tfds.core.GeneratorBasedBuilder`.

    Args:
        publication: Which data set to prepare.
        root: Folder under which to prepare it.

    Returns:
        The builder. Its `url_infos` are the original files' addresses, with sizes and checksums.
    """
    from PIL import Image
    from tensorflow_datasets.image_classification import cifar, mnist

    stock: Any = {"mnist": mnist.MNIST, "fashion_mnist": mnist.FashionMNIST, "cifar10": cifar.Cifar10}[publication.name]

    class Builder(stock, skip_registration=True):  # type: ignore[call-arg, misc]  # the library has no types
        name = publication.name
        url_infos = stock.url_infos  # which would be looked for beside this file

        def _split_generators(self, dl_manager: Any) -> dict[str, Iterator[tuple[int, dict[str, Any]]]]:
            paths = dl_manager.download({info.filename: url for url, info in self.url_infos.items()})
            _LOGGER.info("Preparing %s as array_record", publication.title)
            images = _read_originals(publication, {name: Path(path) for name, path in paths.items()})
            if publication is CIFAR10:  # whose names the library's own builder reads from the archive
                self.info.features["label"].names = publication.class_names
            splits = {"train": images.train, "test": images.test}
            return {name: self._generate_examples(name, split) for name, split in splits.items() if split is not None}

        def _generate_examples(self, split_name: str, split: Split) -> Iterator[tuple[int, dict[str, Any]]]:
            for index, (image, label) in enumerate(zip(split.images, split.labels, strict=True)):
                # As a picture, for TensorFlow would encode an array.
                example = {"image": Image.fromarray(image.squeeze()), "label": int(label)}
                if "id" in self.info.features:
                    example["id"] = f"{split_name}_{index:05d}"
                yield index, example

        def _log_download_bytes(self) -> None:
            """Print nothing, where the library announces what it does."""

        def _log_download_done(self) -> None:
            """Print nothing."""

    return Builder(data_dir=os.fspath(root))


def require_registered_archive(publication: Publication, archive: Path) -> None:
    """Raise DatasetError unless a file is the archive that tensorflow-datasets would download."""
    registered = {info.filename: info.checksum for info in make_builder(publication, archive.parent).url_infos.values()}
    require_sha256(file_sha256(archive), registered[ARCHIVE], str(archive))


def _download_and_prepare(builder: Any) -> None:
    import tensorflow_datasets as tfds
    from tensorflow_datasets.core.utils import tqdm_utils

    config = tfds.download.DownloadConfig(
        try_download_gcs=False, force_checksums_validation=True, register_checksums=False
    )
    bars_before = tqdm_utils._active
    tfds.disable_progress_bar()
    try:
        builder.download_and_prepare(file_format="array_record", download_config=config)
    finally:
        tfds.display_progress_bar(bars_before)


def _read_originals(publication: Publication, paths: Mapping[str, Path]) -> PublishedImages:
    """All images, from the downloaded files by their original names."""
    origin = "original files"
    if publication is CIFAR10:
        return read_cifar10_archive(paths[ARCHIVE], with_test=True, origin=origin)
    plain = {name.removesuffix(".gz"): path for name, path in paths.items()}
    return read_idx_files(publication, plain, with_test=True, origin=origin)
