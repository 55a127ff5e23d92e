"""tensorflow-datasets' builders, changed to download and prepare without TensorFlow.

tensorflow-datasets knows the addresses of the original files and their SHA-256; only its code that reads the files
needs TensorFlow. Prepared files have the format array_record, which `as_data_source` reads (and TensorFlow's
`as_dataset` does not).
"""

import contextlib
import logging
import os
import socket
import threading
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from glojax.datasets.dataset import Split
from glojax.datasets.prepared import find_prepared
from glojax.datasets.publication import Publication
from glojax.errors import DatasetError

_LOGGER = logging.getLogger(__name__)

#: Time limit for a host to accept a connection. tensorflow-datasets alone tries for over three minutes.
_PROBE_SECONDS: Final = 1.5

#: Number of characters of an error message to repeat. Some of tensorflow-datasets' messages hold a whole image.
_MAX_CHARACTERS: Final = 600


def prepare(publication: Publication, root: Path) -> Path:
    """Download and verify a publication's original files, prepare them as array_record, and return their folder.

    The folder is `root/NAME/VERSION`. The downloads stay in `root/downloads`.
    """
    import tensorflow_datasets as tfds
    from tensorflow_datasets.core.utils import tqdm_utils

    builder = make_builder(publication, root)
    url, num_bytes = next(iter(builder.url_infos)), sum(int(info.size) for info in builder.url_infos.values())
    host = urllib.parse.urlsplit(url).hostname
    if not can_connect(url, _PROBE_SECONDS):
        raise DatasetError(f"{host} cannot be reached")
    progress = {"folder": root / "downloads" / publication.name, "num_bytes": num_bytes}
    _LOGGER.info("Downloading %s (%.0f MB) from %s", publication.title, num_bytes / 1e6, host, extra=progress)
    config = tfds.download.DownloadConfig(try_download_gcs=False, force_checksums_validation=True)
    bars_before = tqdm_utils._active
    tfds.disable_progress_bar()
    try:
        builder.download_and_prepare(file_format="array_record", download_config=config)
    except DatasetError:
        raise
    # Downloading, checking and writing raise errors of many types, with messages of many lines.
    except Exception as error:
        prepared = find_prepared(Path(builder.data_dir), publication)
        if prepared is not None:  # another process has prepared it in the meantime
            return prepared
        reason = " ".join(str(error).split()) or type(error).__name__
        raise DatasetError(f"{host}, by tensorflow-datasets: {reason[:_MAX_CHARACTERS]}") from error
    finally:
        tfds.display_progress_bar(bars_before)
    return Path(builder.data_dir)


def make_builder(publication: Publication, root: Path) -> Any:
    """Return the `tfds.core.GeneratorBasedBuilder`, whose `url_infos` hold the files' addresses, sizes and SHA-256."""
    import tensorflow_datasets as tfds
    from PIL import Image

    stock: Any = tfds.builder_cls(publication.name)

    class Builder(stock, skip_registration=True):  # type: ignore[call-arg, misc]  # the library has no types
        name = publication.name
        url_infos = stock.url_infos  # the library would look for them in the folder of this file

        def _split_generators(self, dl_manager: Any) -> dict[str, Iterator[tuple[int, dict[str, Any]]]]:
            paths = dl_manager.download({info.filename: url for url, info in self.url_infos.items()})
            paths = {name: Path(path) for name, path in paths.items()}
            _LOGGER.info("Preparing %s as array_record", publication.title)
            images = publication.read_files(paths, with_test=True, origin="original files")
            label = self.info.features["label"]
            if label.names != [*publication.class_names]:  # the stock builder reads CIFAR-10's from the archive
                label.names = publication.class_names
            splits = {"train": images.train, "test": images.test}
            return {name: self._generate_examples(name, split) for name, split in splits.items() if split is not None}

        def _generate_examples(self, split_name: str, split: Split) -> Iterator[tuple[int, dict[str, Any]]]:
            for index, (image, label) in enumerate(zip(split.images, split.labels, strict=True)):
                # The library would call TensorFlow to encode an array; a picture it encodes itself.
                example = {"image": Image.fromarray(image.squeeze()), "label": int(label)}
                if "id" in self.info.features:
                    example["id"] = f"{split_name}_{index:05d}"
                yield index, example

        def _log_download_bytes(self) -> None:
            """Print nothing; the stock builder prints the size of the download."""

        _log_download_done = _log_download_bytes

    return Builder(data_dir=os.fspath(root))


def can_connect(url: str, seconds: float) -> bool:
    """Return whether the host of an http or https address, or the proxy for it, accepts a connection.

    The time limit includes the look-up of the name, which the socket's own time limit does not.
    """
    connected = threading.Event()

    def connect() -> None:
        with contextlib.suppress(OSError, ValueError):  # ValueError: the address of the host or proxy is invalid
            address = urllib.parse.urlsplit(url)
            proxy = urllib.request.getproxies().get(address.scheme)
            if proxy and not urllib.request.proxy_bypass(address.hostname or ""):
                address = urllib.parse.urlsplit(proxy if "//" in proxy else f"//{proxy}")
            port = address.port or (443 if address.scheme == "https" else 80)
            socket.create_connection((address.hostname or "", port), timeout=seconds).close()
            connected.set()

    thread = threading.Thread(target=connect, daemon=True)
    thread.start()
    thread.join(seconds)
    return connected.is_set()
