"""A mistake costs one clear line and leaves nothing behind."""

from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from glojax.search import __main__ as command_line
from glojax.search.__main__ import main
from glojax.search.given_options import CompareOptions

Complaint = Callable[..., str]
COMPARE = ("compare", "--losses", "baikal")
TUNE = ("tune", "--loss", "baikal")


@pytest.fixture
def complaint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Complaint:
    """Runs a command that must fail, in an empty folder, and gives its one line of complaint."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> str:
        try:
            exit_code: object = main(arguments)
        except SystemExit as stop:
            exit_code = stop.code
        errors = capsys.readouterr().err
        assert exit_code == 2
        assert errors.startswith("error: "), errors
        assert errors.count("\n") == 1
        return errors.removeprefix("error: ").rstrip("\n")

    return run


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("discovr",), "Unknown command 'discovr'. Did you mean 'discover'?"),
        (("--dataset", "minst"), "Unknown data set 'minst'; expected one of digits, mnist,"),
        ((*COMPARE, "--dataset", "cifar"), "Unknown data set 'cifar'"),
        (("--dataset", "tfds:nowhere"), "holds no data set nowhere; expected its folder nowhere/VERSION"),
        (("--dataset", "nowhere/data"), "nowhere/data does not exist; expected a .npz file; a .csv, .tsv or .parquet"),
        (("--dataset", "nowhere.csv", "--target", "x"), "nowhere.csv cannot be read (No such file or directory)"),
        (("--target", "x"), "Data set 'digits' was given the target x; expected none"),
        (("--label-noise", "2"), "The label noise is 2.0; expected a share of the labels, from 0 to 1"),
        (("--imbalance", "0"), "The imbalance is 0.0; expected the ratio of the rarest to the commonest class"),
        (("compare", "--losses", "bakal"), "Unknown loss 'bakal'. Did you mean 'baikal'?"),
        (("compare", "--losses", "baikal", "log(y) - x / z"), "At character 14: unknown name 'z'"),
        (("compare", "--losses", "log(y"), "At character 4: this '(' is never closed"),
        (("compare", "--losses", "baikal", "x * y", "baikal"), "--losses has 'baikal' more than once"),
        (("compare", "--losses"), "--losses"),
        ((*COMPARE, "x / (y - y)"), "x / 0 lacks x or y, and cannot be compared; leave it out"),
        (("compare", "--losses", "bakal_best_rate"), "Unknown loss 'bakal'. Did you mean 'baikal'?"),
        ((*COMPARE, "--losses", "x * y"), "--losses is given more than once; give it once, with all its values behind"),
        ((*TUNE, "--loss=x * y"), "--loss is given more than once"),
        (("--initial-losses", "baikal", "--initial_losses", "x * y"), "--initial-losses is given more than once"),
        (("--seed", "1", "--seed", "1"), "--seed is given more than once"),
        (("--asynchronous", "--no-asynchronous"), "--asynchronous is given more than once"),
        ((*TUNE, "--tuning.active-weights", "--tuning.no-active-weights"), "--tuning.active-weights is given more"),
        (("--optimizer", "adam", "--optimizer.b1", "0.5", "--optimizer.b1", "0.9"), "--optimizer.b1 is given more"),
        ((*COMPARE, "--learning-rates", "0.1", "0"), "--learning-rates is 0.0; expected a positive number"),
        ((*COMPARE, "--learning-rates"), "--learning-rates"),
        ((*COMPARE, "--learning-rates", "0.1", "0.10000000001"), "has 0.1 and 0.10000000001, which are one number in"),
        ((*COMPARE, "--learning-rates", "0.1", "1e39"), "--learning-rates is 1e+39; expected a positive number that"),
        ((*COMPARE, "--learning-rates", "0.1", "--learning-rate", "0.1"), "exclude each other"),
        (("compare", "--losses", "baikal_best_rate", "--learning-rates", "1"), "baikal_best_rate is tried at rates of"),
        ((*COMPARE, "--devices", "0"), "--devices is 0"),
        ((*COMPARE, "--devices", "1000000000"), "--devices is 1000000000; expected at most 1024."),
        ((*COMPARE, "--chunk-size", "0"), "--chunk-size is 0"),
        (("discover", "--strategy", "randon"), "Unknown strategy 'randon'. Did you mean 'random'? Expected one of"),
        (("--constraint", "convex"), "Unknown constraint 'convex'. Did you mean 'convex_in_y'? Expected one of"),
        (
            ("--constraint", "bounded", "--initial-losses", "baikal"),
            "The initial loss log(y) - x / y does not meet the constraint; leave it out.",
        ),
        (("--strategy", "taylor", "--taylor.order", "1"), "order is 1; expected a whole number from 2 to 5"),
        (("--strategy", "taylor", "--taylor.start", "1", "2"), "Got [1.0, 2.0] for a Taylor loss of order 3; expected"),
        (("tune", "--loss"), "--loss names no loss"),
        (("tune", "--loss", "bakal"), "Unknown loss 'bakal'. Did you mean 'baikal'?"),
        ((*TUNE, "log(y)"), "Cannot tune log(y): it lacks x"),
        ((*TUNE, "x - 3"), "Cannot tune x - 3: it lacks y"),
        ((*TUNE, "x * y", "baikal"), "--loss has 'baikal' more than once"),
        ((*TUNE, "log(y)-x/y"), "--loss has 'log(y) - x / y' more than once"),
        ((*TUNE, "--tuning.sigma", "0"), "sigma is 0.0; expected a positive number"),
        ((*TUNE, "--tuning.population-size", "1"), "population_size is 1; expected a whole number of at least 2"),
        (("--tuned", "-1"), "--tuned is -1"),
        (("--replicates", "-1"), "--replicates is -1"),
        (("--tuning.generations", "0"), "generations is 0"),
        (("--dataset", "mnist"), "MNIST is not on this machine and cannot be downloaded"),
        (("--dataset", "nowhere.npz"), "nowhere.npz"),
        (("--test-split", "held-out"), "Data set 'digits' was given the test split 'held-out'"),
        (("--validation-fraction", "0.2"), "Data set 'digits' was given the validation fraction 0.2"),
        (("--train-fraction", "0"), "The fraction of training examples is 0.0"),
        (("--weight-decay", "0.1"), "weight_decay is 0.1, but DigitsCNN marks no parameter to decay"),
        (("--augmentation", "cifar"), "augmentation is 'cifar', which crops 24x24 pixels"),
        (("--dataset", "mnist", "--data-dir", "nowhere"), "nowhere does not exist"),
        (("--data-dir", "."), "Data set 'digits' was given the folder ."),
        (("--steps", "0"), "num_steps is 0; expected a whole number from 1"),
        (("--batch-size", "0"), "batch_size is 0"),
        (("--learning-rate", "1e39"), "learning_rate is 1e+39; expected a positive number that float32 holds"),
        (("--prob-epsilon", "1"), "prob_epsilon"),
        (("--optimizer", "adm"), "optax has no optimizer 'adm'. Did you mean 'adam'?"),
        (("--optimizer", "adam", "--optimizer.momentum", "0.9"), "adam has no argument 'momentum'"),
        (("--optimizer", "sgd", "--optimizer.momentum", "much"), "momentum"),
        (("--metric", "acuracy"), "acuracy"),
        (("discover", "--initial-losses", "log(y"), "At character 4: this '(' is never closed"),
        (
            ("discover", "--population-size", "7", "--initial-losses", *(f"x * y + {n}" for n in range(8))),
            "Got 8 initial losses for a population_size of 7",
        ),
        (("--seed", "-1"), "--seed is -1"),
        ((*COMPARE, "--seed", "99999999999999999999"), "--seed is 99999999999999999999"),
        (("--population-size", "0"), "population_size is 0"),
        (("--preset", "paper", "--population-size", "4"), "num_elites is 6 with a population_size of 4"),
        (("--crossover-rate", "80"), "crossover_rate is 80"),
        (("--generations", "0"), "--generations is 0"),
        (("--finalists", "0"), "--finalists is 0"),
        (("--finalist-seeds", "0"), "--finalist-seeds is 0"),
        (("--seeds", "0"), "--seeds is 0"),
        *(
            ((option, number), f"{option} is {number}; expected at most 10000, as so many trainings are in memory at")
            for option, number in (
                ("--seeds", "10001"),
                ("--chunk-size", str(10**20)),
                ("--replicates", "10001"),
                ("--finalist-seeds", "10001"),
            )
        ),
        (("--population-size", str(10**20)), f"population_size is {10**20}; expected an integer: give one from 1 to"),
        (("--tournament-size", str(10**9)), f"tournament_size is {10**9}; expected an integer: give one from 1 to"),
        (("--initial-depth", str(10**9)), f"initial_depth is {10**9}; expected an integer: give one from 1 to 64"),
        (("--tuning.population-size", str(10**9)), f"population_size is {10**9}; expected at most 10000, as all"),
        (("--steps", str(10**20)), f"num_steps is {10**20}; expected a whole number from 1 to"),
        (("--decay-every-epochs", str(10**20)), f"decay_every_epochs is {10**20}; expected a whole number from 1 to"),
        (("--network", "DigitCNN"), "Unknown network 'DigitCNN'. Did you mean 'DigitsCNN'?"),
        (("--network", "MnistCNN"), "MnistCNN does not take inputs of shape (8, 8, 1) (digits)"),
        (("--batch-size", "1078"), "batch_size is 1078, but digits has 1077 training examples"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_a_mistake_costs_one_line_and_leaves_nothing(
    complaint: Complaint, tmp_path: Path, arguments: tuple[str, ...], expected: str
) -> None:
    assert expected in complaint(*arguments, "--run-dir", "run")
    assert not list(tmp_path.iterdir())


def test_a_mistake_leaves_no_run_directory_of_the_default_name(complaint: Complaint, tmp_path: Path) -> None:
    complaint("--dataset", "minst")
    assert not list(tmp_path.iterdir())


def test_a_data_folder_that_lacks_files(complaint: Complaint, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "train-images-idx3-ubyte").touch()
    message = complaint("--dataset", "mnist", "--data-dir", "data", "--run-dir", "run")
    assert "data lacks train-labels-idx1-ubyte, t10k-images-idx3-ubyte, t10k-labels-idx1-ubyte" in message
    assert not (tmp_path / "run").exists()


def test_a_run_directory_that_holds_something_is_left_as_it_is(complaint: Complaint, tmp_path: Path) -> None:
    run_dir = tmp_path / "run"
    run_dir.mkdir()
    (run_dir / "result.json").write_text("mine")
    assert "run is not empty" in complaint(*COMPARE, "--run-dir", "run")
    assert [path.name for path in run_dir.iterdir()] == ["result.json"]
    assert (run_dir / "result.json").read_text() == "mine"


def test_only_where_there_is_a_run_is_it_said_how_to_go_on(complaint: Complaint, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "notes.txt").touch()
    assert "resume" not in complaint(*COMPARE, "--run-dir", "run")
    (tmp_path / "run" / "config.json").touch()
    assert "resume run" in complaint(*COMPARE, "--run-dir", "run")
    (tmp_path / "run").rename(tmp_path / "a; run")
    assert "resume 'a; run'`" in complaint(*COMPARE, "--run-dir", "a; run")


def test_an_expression_may_begin_with_a_minus(complaint: Complaint) -> None:
    assert "lacks x" in complaint("tune", "--loss", "-log(y)")
    for loss in ("-y", "-y-1", "-y^2", "--y", "-2.5"):
        assert "lacks x" in complaint("compare", "--losses", "-x-y^2", loss)
    assert "unknown name 'z'" in complaint("compare", "--losses", "-x-z")
    assert "unknown name 'z'" in complaint("compare", "--losses", "-x / y", "-z * y")


def test_a_run_directory_that_is_a_file_is_left_as_it_is(complaint: Complaint, tmp_path: Path) -> None:
    (tmp_path / "run").write_text("mine")
    assert "run is a file" in complaint(*COMPARE, "--run-dir", "run")
    assert (tmp_path / "run").read_text() == "mine"


def test_a_run_directory_that_cannot_be_made(complaint: Complaint, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    assert "Cannot write file/run: Not a directory" in complaint(*COMPARE, "--run-dir", "file/run")
    assert "Cannot write aaa" in complaint(*COMPARE, "--run-dir", "a" * 300)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize(
    "arguments",
    [
        ("--steps", "abc"),
        ("--stepz", "3"),
        (*COMPARE, "--population-size", "8"),
        (*TUNE, "--tuning.coefficients", "some"),
        (*TUNE, "--population-size", "8"),
        ("discover", "--tuned", "2"),
        (*COMPARE, "--strategy", "random"),
    ],
)
def test_an_option_that_cannot_be_read(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    arguments: tuple[str, ...],
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match="2"):
        main(arguments)
    errors = capsys.readouterr().err
    assert next(argument for argument in arguments[-2:] if argument.startswith("--")) in errors
    assert "Traceback" not in errors
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("command", "missing"), [("tune", "--loss"), ("compare", "--losses")])
def test_a_command_without_the_losses_that_it_needs(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, command: str, missing: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match="2"):
        main([command, "--run-dir", "run"])
    errors = capsys.readouterr().err
    assert missing in errors
    assert "Traceback" not in errors
    assert not list(tmp_path.iterdir())


def test_an_interruption_is_no_error(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(command: str, options: CompareOptions, console: Console) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(command_line, "execute", interrupt)
    assert main(COMPARE) == 130
    assert capsys.readouterr().err == "interrupted: SIGINT\n"
