import pytest

from glojax.search.__main__ import main

COMMON = ("--dataset", "--data-dir", "--network", "--steps", "--batch-size", "--learning-rate", "--seed", "--run-dir")
GENETIC = ("--population-size", "--num-elites", "--generations", "--selection", "--crossover-rate", "--finalists")


def help_text(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    with pytest.raises(SystemExit, match="0"):
        main([*arguments, "--help"])
    captured = capsys.readouterr()
    assert captured.err == ""
    return captured.out


@pytest.mark.parametrize(
    ("command", "flags"),
    [((), (*COMMON, *GENETIC, "--seeds")), (("discover",), (*COMMON, *GENETIC)), (("compare",), (*COMMON, "--losses"))],
)
def test_help_names_every_flag(
    capsys: pytest.CaptureFixture[str], command: tuple[str, ...], flags: tuple[str, ...]
) -> None:
    words = help_text(capsys, *command).split()
    assert set(flags) <= set(words)


def test_help_of_a_comparison_has_no_genetic_flags(capsys: pytest.CaptureFixture[str]) -> None:
    words = help_text(capsys, "compare").split()
    assert not set(GENETIC) & set(words)


def test_help_names_the_other_commands(capsys: pytest.CaptureFixture[str]) -> None:
    text = help_text(capsys)
    assert "discover --help" in text
    assert "compare" in text


@pytest.mark.parametrize("command", ["discover", "compare"])
def test_help_of_a_command_names_it(capsys: pytest.CaptureFixture[str], command: str) -> None:
    assert help_text(capsys, command).startswith(f"usage: python -m glojax.search {command} ")
