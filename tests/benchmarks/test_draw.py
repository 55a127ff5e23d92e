from pathlib import Path

import pytest

from benchmarks.draw import Options, main
from benchmarks.record import Case, Samples
from tests.benchmarks.records import record_of


def test_every_record_has_a_table_and_a_figure(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record_of({"glojax": [1.0, 2.0, 3.0], "torch_compile": None}).write(
        tmp_path / "results" / "population_training.json"
    )
    lines = [Case("program", {"size": size, "classes": 10}, Samples((1.0 * size,))) for size in (3, 7)]
    record_of({}, benchmark="interpreter", cases=lines).write(tmp_path / "results" / "interpreter.json")
    (tmp_path / "results" / "joint_tuning.json").write_text("{}")
    assert main(Options(tmp_path / "results", tmp_path)) == 0
    text = (tmp_path / "README.md").read_text()
    assert "| glojax | digits | 2 (1.5 to 2.5) | 3 | 1.5 | 0.001 |" in text
    assert "| torch_compile | digits | failed |" in text
    assert "- torch_compile network=digits: out of memory" in text
    assert "python -m benchmarks.interpreter" in text
    assert "joint_tuning" in text
    assert "joint_tuning.json is of format None" in capsys.readouterr().err
    for name in ("population_training", "interpreter"):
        assert (tmp_path / "figures" / f"{name}.png").read_bytes().startswith(b"\x89PNG")
