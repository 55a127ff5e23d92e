import pytest

from glojax.losses import make_loss
from glojax.search.__main__ import main


@pytest.mark.parametrize("target", ["python", "jax", "torch", "sympy"])
def test_a_loss_is_printed_as_source(target: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", "log(y) - x / y", "--to", target]) == 0
    assert capsys.readouterr().out == make_loss("baikal").to_python(target) + "\n"  # type: ignore[arg-type]


def test_every_option_reaches_the_source(capsys: pytest.CaptureFixture[str]) -> None:
    options = ("--class-reduction", "mean", "--prob-epsilon", "1e-3")
    assert main(["export", "baikal", "--to", "jax", *options, "--coefficients", "-2", "1", "1", "3", "1", "1"]) == 0
    loss = make_loss("baikal", (-2.0, 1.0, 1.0, 3.0, 1.0, 1.0), "mean", 1e-3)
    assert capsys.readouterr().out == loss.to_python("jax") + "\n"


def test_a_loss_is_printed_as_a_formula(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", "-x * y", "--to", "latex"]) == 0
    assert capsys.readouterr().out == "-\\sum_{i} \\left(-x \\, y\\right)\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["baical", "--to", "jax"], "Unknown loss 'baical'. Did you mean 'baikal'"),
        (["log(y", "--to", "jax"], "this '(' is never closed"),
        (["x", "--to", "jax", "--coefficients", "1", "2"], "Got 2 coefficients for a tree of 1 nodes"),
        (["x", "--to", "jax", "--prob-epsilon", "0.5"], "prob_epsilon is 0.5"),
    ],
)
def test_a_mistake_is_told_in_one_line(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", *arguments]) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.startswith("error: ")
    assert message in output.err
    assert output.err.count("\n") == 1


def test_an_unknown_target_ends_with_2(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["export", "baikal", "--to", "tensorflow"])
    assert "latex" in capsys.readouterr().err
