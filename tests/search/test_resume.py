"""A run that is disturbed and resumed ends as the one that nobody disturbed."""

import errno
import os
import shutil
import signal
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from glojax.errors import RunDirectoryError
from glojax.search.__main__ import main
from glojax.search.execution import ExecutionOptions, ResumeOptions
from glojax.search.given_options import CompareOptions
from glojax.search.opening import running
from glojax.training import TrainingConfig
from tests.crash.run_folders import contents
from tests.search.conftest import BARE, NETWORK
from tests.search.runs import FinishedRun, resume, run, run_on_faulty_layer

OPTIONS = CompareOptions(
    losses=("baikal",), seeds=1, training=TrainingConfig(num_steps=1, batch_size=64, learning_rate=0.05)
)


@pytest.fixture(scope="module")
def disturbed(tmp_path_factory: pytest.TempPathFactory) -> list[FinishedRun]:
    """The search of `bare_run`: killed, then left alone."""
    folder = tmp_path_factory.mktemp("disturbed")
    killed = run_on_faulty_layer(folder, "append", "half", 22, *BARE, "--run-dir", "run")
    return [killed, resume(folder)]


@pytest.mark.slow
def test_a_run_that_was_killed_is_resumed_to_the_same_end(bare_run: FinishedRun, disturbed: list[FinishedRun]) -> None:
    killed, resumed = disturbed
    assert killed.exit_code == -signal.SIGKILL
    assert resumed.exit_code == 0, resumed.errors
    assert contents(resumed.directory) == contents(bare_run.directory)


@pytest.mark.slow
def test_a_resumed_run_says_how_much_is_done(disturbed: list[FinishedRun]) -> None:
    assert "Going on with run: " in disturbed[1].output


@pytest.mark.slow
def test_a_finished_run_that_was_damaged_is_mended_without_training(discover_run: FinishedRun, tmp_path: Path) -> None:
    shutil.copytree(discover_run.directory, tmp_path / "run")
    (tmp_path / "run" / "result.json").write_text("{}")
    generations = tmp_path / "run" / "generations.jsonl"
    generations.write_text(generations.read_text().replace('"trained": ', '"trained": 7'))
    (tmp_path / "run" / "hall_of_fame.csv").unlink()
    mended = resume(tmp_path)
    assert mended.exit_code == 0, mended.errors
    assert "generations.jsonl is damaged or was changed in line 1" in " ".join(mended.output.split())
    assert contents(mended.directory) == contents(discover_run.directory)


def test_an_interrupted_run_says_how_to_go_on(tmp_path: Path) -> None:
    options = replace(OPTIONS, run_dir=tmp_path / "a run")
    with pytest.raises(KeyboardInterrupt) as interruption, running(options, "compare", Console(quiet=True), None):
        raise KeyboardInterrupt
    (note,) = interruption.value.__notes__
    assert note == f"What is done is saved; go on with: python -m glojax.search resume '{tmp_path / 'a run'}'"


def test_where_the_first_file_cannot_be_written_the_same_command_begins_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = replace(OPTIONS, run_dir=tmp_path / "run")
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", fail_for_want_of_space)
        again = f"No space left on device; .*, then begin again with the same command and --run-dir {tmp_path / 'run'}"
        with (
            pytest.raises(RunDirectoryError, match=again),
            running(options, "compare", Console(quiet=True), None),
        ):
            pass
    with running(options, "compare", Console(quiet=True), None) as run:
        assert (run.directory.path / "config.json").exists()


def fail_for_want_of_space(*arguments: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_folder_that_is_deleted_meanwhile_is_said(tmp_path: Path) -> None:
    options = replace(OPTIONS, run_dir=tmp_path / "run")
    expected = pytest.raises(RunDirectoryError, match=r"Cannot write .*run.*: No such file or directory; make room or")
    with expected, running(options, "compare", Console(quiet=True), None) as run:
        shutil.rmtree(tmp_path / "run")
        run.directory.write_json("result.json", {})


def test_a_run_in_use_is_left_alone(tmp_path: Path) -> None:
    options = replace(OPTIONS, run_dir=tmp_path / "run")
    with running(options, "compare", Console(quiet=True), None):
        resume_options = ResumeOptions(run_dir=tmp_path / "run", execution=ExecutionOptions())
        with (
            pytest.raises(RunDirectoryError, match=r"run is in use by process \d+ on .* since .*; wait until it ends"),
            running(options, "compare", Console(quiet=True), resume_options),
        ):
            pass


@pytest.mark.parametrize("name", ["", "empty"])
def test_a_folder_without_a_run_is_a_users_mistake(
    tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    assert main(["resume", name or "missing"]) == 2
    assert "holds no run (there is no config.json in it)" in capsys.readouterr().err
    assert not list((tmp_path / "empty").iterdir())


@pytest.mark.parametrize("limit", ["", "3", "h", "-3h", "3d", "0s", "999999h", "1.5h"])
def test_a_time_limit_that_is_none_is_a_users_mistake(limit: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", "--losses", "baikal", f"--time-limit={limit}"]) == 2
    assert "expected hours, minutes and seconds, such as 3h, 90m or 1h30m" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("limit", "seconds"), [("3h", 10800), ("90m", 5400), ("1h30m", 5400), ("45S", 45), ("1h1s", 3601)]
)
def test_time_limits_in_words(limit: str, seconds: int) -> None:
    assert ExecutionOptions(time_limit=limit).time_limit_seconds == seconds


def test_a_stopped_run_ends_with_the_code_of_time_that_is_up(tmp_path: Path) -> None:
    stopped = run(
        tmp_path, "compare", "--losses", "baikal", "--steps", "1000000", "--time-limit", "2s", *NETWORK, num_devices=1
    )
    assert stopped.exit_code == 124
    said = ["interrupted: the time is up"]
    if (stopped.directory / "config.json").exists():  # which a busy machine may not have written by then
        said.append("What is done is saved; go on with: python -m glojax.search resume run")
    assert stopped.errors.splitlines()[:2] == said


@pytest.mark.slow
def test_a_run_is_refused_where_settings_of_jax_would_change_its_results(
    compare_run: FinishedRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(compare_run.directory, tmp_path / "run")
    before = contents(tmp_path / "run")
    settings = {"JAX_DEFAULT_PRNG_IMPL": "rbg", "JAX_THREEFRY_PARTITIONABLE": "0", "JAX_RANDOM_SEED_OFFSET": "5"}
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    refused = resume(tmp_path)
    assert refused.exit_code == 2
    for difference in (
        "jax_default_prng_impl was 'threefry2x32' and is 'rbg'",
        "jax_threefry_partitionable was 'True' and is 'False'",
        "jax_random_seed_offset was '0' and is '5'",
    ):
        assert difference in refused.errors
    assert "go on all the same with --allow-version-change" in refused.errors
    assert contents(tmp_path / "run") == before
