"""The examples learn what they say, and the exported loss among them is the one that is exported today."""

import re
import runpy
import sys
from pathlib import Path

import jax
import pytest

from glojax.losses import baikal

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.mark.parametrize("name", ["optax_loop", "flax_mnist", "torch_loop"])
def test_an_example_learns(name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    if name == "torch_loop":
        pytest.importorskip("torch")
    monkeypatch.setattr(sys, "path", [str(EXAMPLES), *sys.path])
    with jax.numpy_dtype_promotion("standard"):
        runpy.run_path(str(EXAMPLES / f"{name}.py"), run_name="__main__")
    accuracy = re.fullmatch(r"test accuracy: (0\.\d{3})\n", capsys.readouterr().out)
    assert accuracy is not None
    assert float(accuracy[1]) > 0.9  # by chance 0.1


def test_every_example_is_tried() -> None:
    assert {path.stem for path in EXAMPLES.glob("*.py")} == {"optax_loop", "flax_mnist", "torch_loop", "baikal_torch"}


def test_the_exported_loss_is_up_to_date() -> None:
    assert (EXAMPLES / "baikal_torch.py").read_text() == baikal.to_python("torch") + "\n"
