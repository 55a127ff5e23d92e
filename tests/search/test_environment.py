"""An unusual environment or system: the command works, or says in one line what is wrong."""

import os
import re
from pathlib import Path

import jax
import pytest

from glojax.datasets.__main__ import main as datasets
from glojax.evaluation import set_up_jax
from glojax.evaluation.lowering_choice import choices_path
from glojax.search.__main__ import main
from tests.search.conftest import NETWORK
from tests.search.runs import run

COMPARE = ("compare", "--losses", "baikal", "--seeds", "1", "--steps", "2")
NOWHERE = "~no-such-user/folder"


@pytest.mark.parametrize(
    "arguments",
    [
        ("--run-dir", NOWHERE),
        ("--profile", NOWHERE, "--run-dir", "run"),
        ("--dataset", "mnist", "--data-dir", NOWHERE),
        ("--dataset", f"{NOWHERE}.npz"),
        ("--cluster", "local:1", "--cluster-config", NOWHERE),
    ],
    ids=lambda arguments: arguments[-2],
)
def test_the_home_of_a_user_who_does_not_exist(
    arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main([*COMPARE, *arguments]) == 2
    errors = capsys.readouterr().err
    assert re.fullmatch(
        r"error: ~no-such-user/folder\S* begins with the home folder of a user who has none; .*\n", errors
    )
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "arguments", [("describe", "digits", "--figure", NOWHERE), ("fetch", "mnist", "--data-dir", NOWHERE)]
)
def test_the_home_of_a_user_who_does_not_exist_for_data_sets(
    arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert datasets(arguments) == 2
    assert capsys.readouterr().err.startswith(f"error: {NOWHERE} begins with the home folder")


@pytest.fixture
def homeless(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Make the user one whom the system does not know, in an empty folder."""
    for name in ("HOME", "XDG_CACHE_HOME", "TFDS_DATA_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(os, "getuid", lambda: 12345)
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("homeless")
def test_nothing_is_kept_for_a_user_without_a_home(tmp_path: Path) -> None:
    folder = jax.config.values["jax_compilation_cache_dir"]
    jax.config.update("jax_compilation_cache_dir", None)
    try:
        set_up_jax()
        assert jax.config.values["jax_compilation_cache_dir"] is None
    finally:
        jax.config.update("jax_compilation_cache_dir", folder)
    with pytest.raises(FileNotFoundError, match="has no home folder"):
        choices_path()
    assert not list(tmp_path.iterdir())


@pytest.mark.usefixtures("homeless")
def test_a_user_without_a_home_is_told_to_say_where_data_sets_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--dataset", "mnist"]) == 2
    expected = "error: ~/tensorflow_datasets begins with the home folder of a user who has none; give a whole path, or"
    assert capsys.readouterr().err.startswith(expected)


@pytest.mark.parametrize("error", [RuntimeError("Unable to initialize\nbackend 'cuda'"), AssertionError()])
def test_a_platform_that_is_not_there(
    error: Exception, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise error

    monkeypatch.setattr(jax, "default_backend", fail)
    assert main(COMPARE) == 2
    errors = capsys.readouterr().err
    assert errors.startswith("error: JAX finds no device (")
    assert errors.endswith("); correct JAX_PLATFORMS, or leave it out.\n")
    assert errors.count("\n") == 1


def test_settings_of_jax_that_forbid_much(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The loss is NaN from the first step on."""
    monkeypatch.setenv("JAX_NUMPY_RANK_PROMOTION", "raise")
    for guard in ("JAX_TRANSFER_GUARD", "JAX_TRANSFER_GUARD_HOST_TO_DEVICE", "JAX_TRANSFER_GUARD_DEVICE_TO_HOST"):
        monkeypatch.setenv(guard, "disallow")
    for name in ("JAX_DEBUG_NANS", "JAX_DEBUG_INFS", "JAX_DEBUG_KEY_REUSE"):
        monkeypatch.setenv(name, "1")
    options = ("compare", "--losses", "x * log(y - 2)", "--seeds", "1", "--steps", "2", *NETWORK)
    ended = run(tmp_path, *options, num_devices=1)
    assert (ended.exit_code, ended.errors) == (0, "")
    assert "1 of 1 training broke off" in ended.output
