import pytest

from glojax.search.__main__ import main

COMMON = (
    *("--dataset", "--data-dir", "--network", "--steps", "--batch-size", "--learning-rate", "--seed", "--run-dir"),
    *("--devices", "--chunk-size", "--conv-lowering", "--profile", "--cluster"),
)
SEARCH = ("--replicates", "--finalists", "--finalist-seeds")
GENETIC = ("--population-size", "--num-elites", "--generations", "--selection", "--crossover-rate")
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
        ((), (*COMMON, *SEARCH, *GENETIC, *TUNING, "--tuned", "--seeds")),
        (("discover",), (*COMMON, *SEARCH, *GENETIC)),
        (("tune",), (*COMMON, *SEARCH, *TUNING, "--loss", "--seeds")),
        (("compare",), (*COMMON, "--losses", "--seeds", "--learning-rates")),
        (("workers",), ("--cluster", "--cluster-config")),
    ],
)
def test_help_names_every_flag(
    capsys: pytest.CaptureFixture[str], command: tuple[str, ...], flags: tuple[str, ...]
) -> None:
    words = help_text(capsys, *command).split()
    assert set(flags) <= set(words)


@pytest.mark.parametrize(
    ("command", "foreign"),
    [("discover", (*TUNING, "--seeds")), ("tune", GENETIC), ("compare", (*SEARCH, *GENETIC, *TUNING))],
)
def test_help_of_a_command_has_no_flag_of_another(
    capsys: pytest.CaptureFixture[str], command: str, foreign: tuple[str, ...]
) -> None:
    words = help_text(capsys, command).split()
    assert not set(foreign) & set(words)


def test_help_names_the_other_commands(capsys: pytest.CaptureFixture[str]) -> None:
    text = " ".join(help_text(capsys).split())
    for name in ("`discover`", "`tune`", "`compare`"):
        assert name in text


@pytest.mark.parametrize("command", ["discover", "tune", "compare"])
def test_help_of_a_command_names_it(capsys: pytest.CaptureFixture[str], command: str) -> None:
    assert help_text(capsys, command).startswith(f"usage: python -m glojax.search {command} ")
