import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from glojax.coefficients import TuningConfig
from glojax.genetic import GeneticConfig
from glojax.search.config import CommonOptions, CompareOptions, DiscoverOptions, RunOptions, TuneOptions
from glojax.search.run_config import accept, read_config, read_options, run_config, sealed

from glojax.errors import ConfigurationError, RunDirectoryError
from glojax.evaluation import platform
from glojax.search.run_directory import RunDirectory

OPTIONS = RunOptions(seed=3, learning_rate=0.1, data_dir=Path("data"), genetic=GeneticConfig(max_nodes=None))
RESOLVED = {"dataset_fingerprint": "abc", "num_steps": 200, "dataset_origin": "the cache"}


def described(options: CommonOptions = OPTIONS, **changes: Any) -> dict[str, Any]:
    return run_config("run", options, RESOLVED | changes, ["cpu 0"], platform())


@pytest.fixture
def directory(tmp_path: Path) -> RunDirectory:
    directory = RunDirectory.create(tmp_path / "run", "run")
    directory.write_json("config.json", described())
    return directory


def rewritten(directory: RunDirectory, **changes: Any) -> None:
    """Change `config.json`, with a checksum that fits."""
    config = json.loads((directory.path / "config.json").read_text())
    directory.write_json("config.json", sealed(config | changes))


@pytest.mark.parametrize(
    "options",
    [
        OPTIONS,
        DiscoverOptions(train_fraction=0.5, conv_lowering="patches"),
        TuneOptions(loss=("baikal", "x * y"), tuning=TuningConfig(sigma=0.5, active_weights=True)),
        CompareOptions(losses=("baikal",), learning_rates=(0.1, 1.0)),
    ],
)
def test_options_read_back(options: CommonOptions) -> None:
    config = json.loads(json.dumps(described(options)))
    read = read_options(type(options), config)
    assert replace(read, data_dir=None) == replace(options, data_dir=None)


def test_a_folder_is_found_from_wherever_the_run_goes_on(directory: RunDirectory) -> None:
    assert read_options(RunOptions, read_config(directory.path)).data_dir == Path("data").absolute()


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"{}", b"\xff\x00", b"[" * 100_000, b"9" * 10_000])
def test_what_is_no_configuration_is_said(directory: RunDirectory, content: bytes) -> None:
    (directory.path / "config.json").write_bytes(content)
    with pytest.raises(RunDirectoryError, match=r"config\.json cannot be read \(.*\); start anew in another folder"):
        read_config(directory.path)


def test_a_configuration_that_was_edited_is_refused(directory: RunDirectory) -> None:
    path = directory.path / "config.json"
    path.write_text(path.read_text().replace('"seed": 3', '"seed": 4'))
    with pytest.raises(RunDirectoryError, match="is damaged or was changed: its checksum does not fit"):
        read_config(directory.path)


def test_another_format_is_refused(directory: RunDirectory) -> None:
    rewritten(directory, format=2)
    with pytest.raises(RunDirectoryError, match="has format '2', and this version of glojax reads format 1"):
        read_config(directory.path)


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"sed": 3}, RunDirectoryError),
        ({"seed": "3"}, RunDirectoryError),
        ({"seed": -1}, ConfigurationError),
        ({"genetic": {"population_size": 2.5}}, RunDirectoryError),
        ([], RunDirectoryError),
        (None, RunDirectoryError),
    ],
)
def test_options_that_the_command_does_not_take_are_refused(options: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        read_options(RunOptions, {"options": options})


@pytest.mark.parametrize(
    ("changes", "difference"),
    [
        ({"versions": {"jax": "0.1.2"}}, "jax was '0.1.2' and is"),
        ({"resolved": RESOLVED | {"dataset_fingerprint": "xyz"}}, "dataset_fingerprint was 'xyz' and is 'abc'"),
        ({"platform": {"device_kind": "abacus"}}, "device_kind was 'abacus' and is 'cpu'"),
    ],
)
def test_a_change_that_could_change_results_is_refused_unless_it_is_allowed(
    directory: RunDirectory, changes: dict[str, Any], difference: str
) -> None:
    rewritten(directory, **changes)
    current = described()
    with pytest.raises(RunDirectoryError, match=difference):
        accept(directory, current, allow_change=False)
    accept(directory, current, allow_change=True)
    (change,) = read_config(directory.path)["changes"]
    assert any(difference in one for one in change["differences"])
    accept(directory, current, allow_change=False)


def test_another_origin_of_the_same_data_is_no_change(directory: RunDirectory) -> None:
    before = (directory.path / "config.json").read_bytes()
    accept(
        directory,
        described(dataset_origin="the network"),
        allow_change=False,
    )
    assert (directory.path / "config.json").read_bytes() == before
