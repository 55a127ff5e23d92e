from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.draw import Options, main
from benchmarks.record import Case, Samples
from tests.benchmarks.records import record_of


def test_every_record_has_a_table_and_a_figure(tmp_path: Path) -> None:
    tf32 = Case("glojax", {"network": "digits"}, Samples((3.0,)), precision="tf32")
    gpu = {"platform": "gpu", "kind": "NVIDIA H200", "count": 1, "cores": 16, "precision": "tf32"}
    record_of({}, benchmark="losses", cases=[replace(tf32, parameters={"logits": 10})], device=gpu).write(
        tmp_path / "results" / "losses.json"
    )
    record_of({"glojax": [1.0, 2.0, 3.0], "torch_compile": None}).write(
        tmp_path / "results" / "population_training.json"
    )
    lines = [Case("program", {"size": size, "classes": 10}, Samples((1.0 * size,))) for size in (3, 7)]
    record_of({}, benchmark="interpreter", cases=lines).write(tmp_path / "results" / "interpreter.json")
    seeds = Case("pycma", {"function": "rastrigin"}, Samples((900.0, 5000.0, 5000.0)), details={"reached": 1})
    record_of({}, benchmark="evolution_strategy", cases=[seeds], matrix_product_gflops=Samples(())).write(
        tmp_path / "results" / "evolution_strategy.json"
    )
    assert main(Options(tmp_path / "results", tmp_path)) == 0
    text = (tmp_path / "README.md").read_text()
    assert "| glojax | digits | 2 (1.5 to 2.5) | 3 | 1.5 | 0.001 |" in text
    assert "| torch_compile | digits | failed |" in text
    assert "| contestant | logits | precision |" in text
    assert "| glojax | 10 | tf32 | 3 (3 to 3) |" in text
    assert "NVIDIA H200, 16 cores, JAX 0.10.2; matrix product 205 GFLOP/s in tf32" in text
    assert "- torch_compile network=digits: out of memory" in text
    assert "python -m benchmarks.interpreter" in text
    assert "| contestant | function | milliseconds a candidate-step | samples | reached |" in text
    assert "| pycma | rastrigin | 5,000 (2,950 to 5,000) | 3 | 1 |" in text
    for name in ("population_training", "interpreter", "evolution_strategy"):
        assert (tmp_path / "figures" / f"{name}.png").read_bytes().startswith(b"\x89PNG")


def test_a_file_that_is_no_record_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "joint_tuning.json").write_text("{}")
    assert main(Options(tmp_path, tmp_path)) == 1
    assert "joint_tuning.json is of format None" in capsys.readouterr().err
