import importlib
import json
import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import tyro

from glojax.errors import ConfigurationError, RunDirectoryError
from glojax.evaluation import platform
from glojax.search.__main__ import with_defaults, with_optimizer_arguments
from glojax.search.config_file import FORMAT, accept, go_on_command, read_config, read_options, run_config, sealed
from glojax.search.execution import ResumeOptions
from glojax.search.given_options import CompareOptions, TuneOptions
from glojax.search.options import CommonOptions, DiscoverOptions, RunOptions
from glojax.search.recipes import RECIPES, SHAPE_GENETIC
from glojax.search.run_directory import RunDirectory
from glojax.strategies import TaylorConfig, TuningConfig
from glojax.training import Optimizer, TrainingConfig

OPTIONS = RunOptions(
    seed=3,
    training=TrainingConfig(
        num_steps=7, batch_size=32, learning_rate=0.1, optimizer=Optimizer.of("sgd", momentum=0.9, nesterov=True)
    ),
    data_dir=Path("data"),
    genetic=replace(SHAPE_GENETIC, max_nodes=None),
)
OWN_OPTIMIZER, OWN_METRIC = "optax:adam", "tests.training.test_metrics:within_two"
OWN = TrainingConfig(num_steps=1, batch_size=1, learning_rate=1, optimizer=Optimizer(OWN_OPTIMIZER), metric=OWN_METRIC)
RESUME = ResumeOptions(run_dir=Path("run"), data_dir=Path("data"))
RESOLVED = {"dataset_fingerprint": "abc", "computation": "0123", "dataset_origin": "the cache"}


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
        DiscoverOptions(strategy="random", initial_losses=("baikal", "x * y"), asynchronous=True),
        DiscoverOptions(strategy="taylor", taylor=TaylorConfig(order=2, start=(0.0, 1.0, 2.0, 3.0, 4.0))),
        DiscoverOptions(constraint=("bounded", "convex_in_y")),
        DiscoverOptions(genetic=replace(SHAPE_GENETIC, operators=("log", "add", "exp=2.5"))),
        TuneOptions(loss=("baikal", "x * y"), tuning=TuningConfig(sigma=0.5, active_weights=True)),
        CompareOptions(losses=("baikal",), learning_rates=(0.1, 1.0)),
        CompareOptions(losses=("baikal",), dataset="cifar10", **RECIPES["cifar10"]._asdict()),
        CompareOptions(
            losses=("baikal",),
            training=TrainingConfig(
                num_steps=1, batch_size=1, learning_rate=1, optimizer="adam", metric="true_class_prob"
            ),
        ),
    ],
)
def test_options_read_back(options: CommonOptions) -> None:
    config = json.loads(json.dumps(described(options)))
    assert config["format"] == FORMAT == 2
    read = read_options(type(options), config, RESUME)
    assert replace(read, data_dir=None) == replace(options, data_dir=None)


@pytest.mark.parametrize("dataset", ["digits", "mnist", "cifar10", "mine.npz"])
def test_options_of_the_command_line_read_back(dataset: str) -> None:
    arguments = ["--dataset", dataset, "--steps", "3", "--optimizer", "adam", "--optimizer.b1", "0.5"]
    options = tyro.cli(with_defaults(DiscoverOptions, arguments), args=with_optimizer_arguments(arguments))
    read = read_options(DiscoverOptions, json.loads(json.dumps(described(options))), RESUME)
    assert read.training == options.training
    assert (read.network, read.training.num_steps) == (options.network, 3)
    assert read.training.optimizer == Optimizer.of("adam", b1=0.5)
    # The rest is the recipe's.
    assert replace(read.training, num_steps=200, optimizer="sgd").learning_rate == options.training.learning_rate


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ("--seed 1", "--seed 1"),
        ("--optimizer adam --seed 1", "--seed 1 --optimizer adam"),
        ("--optimizer=adam --optimizer.b1=0.9", "--optimizer adam b1=0.9"),
        ("--optimizer.momentum 0.9 --seed 1", "--seed 1 --optimizer sgd momentum=0.9"),
        ("--optimizer.eps-root 1 --optimizer adam", "--optimizer adam eps_root=1"),
        ("tune --loss a b --optimizer lion", "tune --loss a b --optimizer lion"),
    ],
)
def test_the_optimizers_arguments_follow_its_name(arguments: str, expected: str) -> None:
    assert " ".join(with_optimizer_arguments(arguments.split())) == expected


def test_a_folder_is_found_from_wherever_the_run_goes_on() -> None:
    command = shlex.split(go_on_command(Path("a run"), described()))
    assert command[3:] == ["resume", "a run", "--data-dir", str(Path("data").absolute())]


@pytest.mark.parametrize(
    ("options", "named", "expected"),
    [
        (OPTIONS, [], f"--data-dir {Path('data').absolute()}"),
        (CommonOptions(dataset="my data.npz"), [], f"--data-dir '{Path('my data.npz').absolute()}'"),
        (CommonOptions(dataset="homes"), [], f"--data-dir {Path('homes').absolute()}"),
        (CommonOptions(training=OWN), [], f"--functions {OWN_OPTIMIZER} {OWN_METRIC}"),
        (CommonOptions(training=OWN), [OWN_METRIC], f"--functions {OWN_OPTIMIZER} {OWN_METRIC}"),
    ],
    ids=["folder", "file", "folder of files", "functions", "one function missing"],
)
def test_what_is_outside_of_a_run_is_used_where_the_user_names_it(
    options: CommonOptions, named: list[str], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = json.loads(json.dumps(described(options)))
    resume = ResumeOptions(run_dir=Path("run"), functions=tuple(named))
    imported: list[str] = []
    with monkeypatch.context() as patch:
        patch.setattr(importlib, "import_module", imported.append)
        with pytest.raises(
            RunDirectoryError, match="its sender may have chosen that; if it is yours, go on"
        ) as refused:
            read_options(type(options), config, resume)
    assert str(refused.value).endswith(f"go on with: python -m glojax.search resume run {expected}")
    assert not imported
    whole = replace(RESUME, functions=(OWN_METRIC, OWN_OPTIMIZER))
    read = read_options(type(options), config, whole)
    assert read.training == options.training
    assert read.data_dir == (None if options.dataset in ("my data.npz", "homes") else Path("data"))


def test_an_empty_path_is_one_too() -> None:
    """It stands for the current folder."""
    config = described() | {"options": described()["options"] | {"data_dir": ""}}
    with pytest.raises(RunDirectoryError, match=r"resume run --data-dir ''$"):
        read_options(RunOptions, config, ResumeOptions(run_dir=Path("run")))


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"{}", b"\xff\x00", b"[" * 100_000, b"9" * 10_000])
def test_a_file_that_is_no_configuration_is_refused(directory: RunDirectory, content: bytes) -> None:
    (directory.path / "config.json").write_bytes(content)
    with pytest.raises(RunDirectoryError, match=r"config\.json cannot be read \(.*\); start anew in another folder"):
        read_config(directory.path)


def test_a_configuration_that_was_edited_is_refused(directory: RunDirectory) -> None:
    path = directory.path / "config.json"
    path.write_text(path.read_text().replace('"seed": 3', '"seed": 4'))
    with pytest.raises(RunDirectoryError, match="is damaged or was changed: its checksum does not fit"):
        read_config(directory.path)


@pytest.mark.parametrize(
    ("changes", "maker"),
    [
        ({"format": 1, "versions": {"glojax": "0.1.0"}}, r"glojax 0\.1\.0 \(format 1\)"),
        ({"format": 3, "versions": []}, r"glojax \? \(format 3\)"),
        ({"format": None, "versions": None}, r"glojax \? \(format None\)"),
    ],
)
def test_another_format_is_refused_with_the_version_that_reads_it(
    directory: RunDirectory, changes: dict[str, Any], maker: str
) -> None:
    rewritten(directory, **changes)
    expected = (
        rf"config\.json was made by {maker}, and glojax [\d.]+ reads format 2: go on with glojax .*, or start anew"
    )
    with pytest.raises(RunDirectoryError, match=expected):
        read_config(directory.path)


def test_a_run_that_names_no_operators_goes_on_as_one_that_draws_the_papers(directory: RunDirectory) -> None:
    options = described()["options"]
    del options["genetic"]["operators"]
    rewritten(directory, options=options)
    accept(directory, described(), allow_change=False)
    assert read_options(RunOptions, read_config(directory.path), RESUME).genetic == OPTIONS.genetic
    extended = replace(OPTIONS.genetic, operators=("add", "exp"))
    with pytest.raises(RunDirectoryError, match=r"genetic\.operators was None and is \['add', 'exp'\]"):
        accept(directory, described(replace(OPTIONS, genetic=extended)), allow_change=False)


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"sed": 3}, RunDirectoryError),
        ({"seed": "3"}, RunDirectoryError),
        ({"seed": -1}, ConfigurationError),
        ({"genetic": {"population_size": 2.5}}, RunDirectoryError),
        ({"strategy": "evolution"}, ConfigurationError),
        ({"training": {"num_steps": 1}}, ConfigurationError),
        ({"training": {"num_steps": 1, "batch_size": 1, "learning_rate": -1.0}}, ConfigurationError),
        ({"training": []}, (RunDirectoryError, ConfigurationError)),
        ([], RunDirectoryError),
        (None, RunDirectoryError),
    ],
)
def test_options_that_the_command_does_not_take_are_refused(options: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        read_options(RunOptions, {"options": options}, RESUME)


@pytest.mark.parametrize(
    ("changes", "difference"),
    [
        ({"versions": {"jax": "0.1.2"}}, "jax was '0.1.2' and is"),
        ({"resolved": RESOLVED | {"dataset_fingerprint": "xyz"}}, "dataset_fingerprint was 'xyz' and is 'abc'"),
        (
            {"resolved": RESOLVED | {"computation": "4567"}},
            "the network, or how it is trained, computes something else",
        ),
        ({"platform": {"device_kind": "abacus"}}, "device_kind was 'abacus' and is 'cpu'"),
        ({"platform": {"jax_default_prng_impl": "rbg"}}, "jax_default_prng_impl was 'rbg' and is"),
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


def test_more_generations_are_no_change_and_files_that_follow_from_them_are_made_anew(directory: RunDirectory) -> None:
    kept = ("trainings.jsonl", "events.jsonl", "generations.jsonl")
    removed = ("candidates.jsonl", "tuning.jsonl", "tuning_events.jsonl")
    for name in (*kept, *removed):
        (directory.path / name).touch()
    accept(directory, described(replace(OPTIONS, generations=30)), allow_change=False)
    config = read_config(directory.path)
    assert config["options"]["generations"] == 30
    assert "changes" not in config
    assert [name for name in (*kept, *removed) if (directory.path / name).exists()] == list(kept)
    with pytest.raises(RunDirectoryError, match="seed was 3 and is 4"):
        accept(directory, described(replace(OPTIONS, generations=30, seed=4)), allow_change=False)
