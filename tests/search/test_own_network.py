"""The user's own network, from a file."""

import json
import shlex
from pathlib import Path

import pytest

from glojax.errors import ConfigurationError
from glojax.search.__main__ import main
from glojax.search.options import CommonOptions
from glojax.training.named_functions import import_function, import_path
from tests.search.fakes import UseStandIns, short

SOURCE = """
import jax
from flax import linen, nnx


class Dense(nnx.Module):
    def __init__(self, rngs):
        self.output = nnx.Linear(64, 10, rngs=rngs)

    def __call__(self, images):
        return self.output(images.reshape(-1, 64))


class Flat(linen.Module):
    @linen.compact
    def __call__(self, images):
        return linen.Dense(10)(images.reshape(-1, 64))


flat = Flat()
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "my networks.py"
    path.write_text(SOURCE)
    return path


@pytest.mark.parametrize("name", ["Dense", "flat"])
def test_a_run_with_a_network_of_a_file_goes_on_where_the_user_names_it(
    name: str,
    file: Path,
    use_stand_ins: UseStandIns,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    use_stand_ins(short)
    monkeypatch.chdir(file.parent)
    options = ("--steps", "2", "--batch-size", "8", "--run-dir", "run", "--network", f"{file.name}:{name}")
    assert main(["compare", "--losses", "baikal", "--seeds", "1", *options]) == 0
    network = f"{file}:{name}"
    assert json.loads(Path("run/config.json").read_text())["options"]["network"] == network
    capsys.readouterr()
    assert main(["resume", "run"]) == 2
    message = " ".join(capsys.readouterr().err.split())
    assert "its sender may have chosen that" in message
    assert message.endswith(f"resume run --functions {shlex.quote(network)}")


def test_a_class_of_a_file_has_an_import_path_that_finds_it(file: Path) -> None:
    network = import_function(f"{file}:Dense")
    assert import_path(network) == f"{file}:Dense"


@pytest.mark.parametrize(
    ("text", "name", "reason"),
    [
        (SOURCE, "Sparse", "has no attribute 'Sparse'"),
        ("a = 1 / 0", "Dense", "division by zero"),
        ("a = (", "Dense", "was never closed"),
        (None, "Dense", "No such file"),
    ],
)
def test_a_file_without_the_network_is_refused_in_one_line(
    text: str | None, name: str, reason: str, tmp_path: Path
) -> None:
    path = tmp_path / "own.py"
    if text is not None:
        path.write_text(text)
    with pytest.raises(ConfigurationError, match=f"Cannot import .*{reason}.* or 'file.py:function'") as caught:
        CommonOptions(network=f"{path}:{name}")
    assert "\n" not in str(caught.value)
