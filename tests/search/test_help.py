import pytest

from glojax.search.__main__ import main

COMMON = (
    *("--dataset", "--data-dir", "--network", "--steps", "--batch-size", "--learning-rate", "--seed", "--run-dir"),
    *(
        "--devices",
        "--chunk-size",
        "--conv-lowering",
        "--profile",
        "--cluster",
        "--optimizer",
        "--metric",
        "--weight-decay",
    ),
)
SEARCH = ("--replicates", "--finalists", "--finalist-seeds", "--asynchronous")
GENETIC = (
    "--population-size",
    "--num-elites",
    "--generations",
    "--selection",
    "--crossover-rate",
    "--strategy",
    "--initial-losses",
    "--constraint",
    *("--preset", "--rates", "--rate-factor", "--rate-seeds", "--audit", "--standard-losses"),
    *(f"--taylor.{name}" for name in ("order", "population-size", "sigma", "start")),
)
TUNING = tuple(f"--tuning.{name}" for name in ("coefficients", "generations", "population-size", "sigma", "patience"))


def help_text(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    with pytest.raises(SystemExit, match="0"):
        main([*arguments, "--help"])
    captured = capsys.readouterr()
    assert captured.err == ""
    return captured.out


@pytest.mark.parametrize(
    ("command", "flags"),
    [
        ((), (*COMMON, *SEARCH, *GENETIC, *TUNING, "--tuned", "--seeds", "--control")),
        (("discover",), (*COMMON, *SEARCH, *GENETIC)),
        (("tune",), (*COMMON, *SEARCH, *TUNING, "--loss", "--seeds")),
        (("compare",), (*COMMON, "--losses", "--seeds", "--learning-rates")),
        (("export",), ("--to", "--class-reduction", "--prob-epsilon", "--coefficients")),
        (("resume",), ("--generations", "--allow-version-change", "--devices", "--cluster", "--time-limit")),
        (("workers",), ("--cluster", "--cluster-config")),
    ],
)
def test_help_names_every_flag(
    capsys: pytest.CaptureFixture[str], command: tuple[str, ...], flags: tuple[str, ...]
) -> None:
    words = help_text(capsys, *command).replace(",", " ").split()
    assert set(flags) <= set(words)


@pytest.mark.parametrize(
    ("command", "foreign"),
    [("discover", (*TUNING, "--seeds")), ("tune", GENETIC), ("compare", (*SEARCH, *GENETIC, *TUNING))],
)
def test_help_of_a_command_has_no_flag_of_another(
    capsys: pytest.CaptureFixture[str], command: str, foreign: tuple[str, ...]
) -> None:
    words = help_text(capsys, command).replace(",", " ").split()
    assert not set(foreign) & set(words)


def test_help_names_the_other_commands_each_in_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    lines = help_text(capsys).partition("╭")[0].splitlines()
    for name in ("discover", "tune", "compare", "export", "resume", "report", "workers"):
        assert any(line.startswith(f"  {name} ") for line in lines)
    assert max(map(len, lines)) <= 80


@pytest.mark.parametrize("command", ["discover", "tune", "compare"])
def test_help_of_a_command_names_it(capsys: pytest.CaptureFixture[str], command: str) -> None:
    assert help_text(capsys, command).startswith(f"usage: python -m glojax.search {command} ")


def default_of(text: str, flag: str) -> str:
    """Return the default that a help text gives for a flag."""
    words = text.replace("│", " ").split()
    following = words[words.index(flag) :]
    return following[following.index("(default:") + 1].rstrip(")")


@pytest.mark.parametrize(
    ("dataset", "network", "steps", "batch_size", "learning_rate"),
    [
        ("digits", "DigitsCNN", "200", "64", "0.05"),
        ("mnist", "MnistCNN", "2000", "100", "0.01"),
        ("fashion_mnist", "MnistCNN", "2000", "100", "0.01"),
        ("cifar10", "CifarCNN", "500", "1024", "0.05"),
        ("mine.npz", "None", "200", "64", "0.05"),
        ("digit_segmentation", "SmallFCN", "50", "8", "0.01"),
    ],
)
@pytest.mark.parametrize("command", [(), ("compare",)])
def test_help_shows_the_defaults_of_the_data_set(
    capsys: pytest.CaptureFixture[str],
    command: tuple[str, ...],
    dataset: str,
    network: str,
    steps: str,
    batch_size: str,
    learning_rate: str,
) -> None:
    text = help_text(capsys, *command, "--dataset", dataset)
    defaults = [default_of(text, flag) for flag in ("--network", "--steps", "--batch-size", "--learning-rate")]
    assert defaults == [network, steps, batch_size, learning_rate]
    assert default_of(text, "--optimizer") == ("adam" if dataset == "digit_segmentation" else "sgd")


def test_help_shows_the_rest_of_a_recipe(capsys: pytest.CaptureFixture[str]) -> None:
    text = help_text(capsys, "discover", "--dataset=cifar10")
    defaults = [default_of(text, flag) for flag in ("--weight-decay", "--decay-every-epochs", "--augmentation")]
    assert defaults == ["0.004", "350", "cifar"]
    assert default_of(help_text(capsys), "--steps") == "200"
