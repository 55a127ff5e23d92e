"""Options that have no effect beside others: one line names both, and nothing begins."""

import pytest

from glojax.search.__main__ import main

PAPER = ("--preset", "paper")


@pytest.mark.parametrize(
    ("cause", "option"),
    [
        ((), ("--noise-kind", "pair")),
        *((PAPER, (f"--{name}", "4")) for name in ("rates", "rate-factor", "rate-seeds")),
        (PAPER, ("--audit", "0.1")),
        (PAPER, ("--standard-losses", "baikal")),
        (PAPER, ("--control",)),
        (("--rates", "1"), ("--rate-factor", "3")),
        (("--strategy", "taylor"), ("--population-size", "9")),
        (("--strategy", "taylor", *PAPER), ("--selection", "rank")),
        (("--strategy", "shape"), ("--taylor.order", "4")),
        (("--strategy", "steady-state"), ("--taylor.sigma", "2")),
        *(
            (("--strategy", "random"), (f"--{name}", "1"))
            for name in ("crossover-rate", "integer-step-rate", "same-arity-rate", "collapse-rate", "expand-rate")
        ),
        (("--strategy", "random", *PAPER), ("--num-elites", "1")),
        (("--strategy", "random"), ("--selection", "rank")),
        (("--strategy", "random"), ("--tournament-size", "2")),
        (("--strategy", "shape"), ("--num-elites", "2")),
        (("--selection", "rank"), ("--tournament-size", "2")),
        (("--tuned", "0"), ("--tuning.sigma", "2")),
        (("--tuned", "0", *PAPER), ("--tuning.active-weights",)),
    ],
    ids=" ".join,
)
def test_an_option_without_effect_is_refused(
    cause: tuple[str, ...], option: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*option, *cause, "--network", "none"]) == 2

    other = f"with {' '.join(cause[:2])}" if cause else "without --label-noise"
    assert capsys.readouterr().err == f"error: {option[0]} has no effect {other}; leave it out, or change the other.\n"


@pytest.mark.parametrize(
    "options",
    [
        ("--preset", "paper", "--num-elites", "2"),
        ("--preset", "paper", "--audit", "0.05"),  # the default
        ("--preset", "paper", "--selection", "tournament", "--tournament-size", "7"),
        ("--strategy", "random", "--max-nodes", "40", "--initial-depth", "3"),
        ("--strategy", "taylor", "--taylor.order", "4"),
        ("--tuned", "0"),
        ("--noise-kind", "pair", "--label-noise", "0.1"),
    ],
    ids=" ".join,
)
def test_an_option_with_an_effect_is_not(options: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*options, "--network", "none"]) == 2
    assert "Unknown network 'none'" in capsys.readouterr().err
