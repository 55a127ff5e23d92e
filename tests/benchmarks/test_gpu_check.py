"""The check of GPUs, in small on the CPU."""

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks import gpu_check, gpu_parts, record
from benchmarks.record import Case, Samples
from benchmarks.worker_process import WorkerFailure


def test_a_kernel_is_compared_with_highest_precision() -> None:
    (result,) = gpu_parts.layers(["digits 2"], [("implicit", "tf32")], P=2, B=2)
    features, *gradients = result["errors"]
    # Rounded operands: neither the same, nor far from it.
    assert 1e-5 < features < gpu_check.TOLERANCE["tf32"]
    assert len(gradients) == 3
    assert all(error < gpu_check.POOLED_TOLERANCE for error in gradients)
    assert max(gradients) > 1e-5


@pytest.mark.parametrize(("error", "is_right"), [(1e-4, True), (0.2, False), (float("nan"), False)])
def test_a_layer_that_is_wrong_fails(monkeypatch: pytest.MonkeyPatch, error: float, is_right: bool) -> None:
    monkeypatch.setattr(gpu_check, "call", lambda *_, names, ways, **__: [{"errors": [error] * 2} for _ in range(6)])
    for case in gpu_check.layers(False, {"count": 1}):
        assert (case.failure is None) == is_right


def test_what_fails_is_a_failure_of_its_case(monkeypatch: pytest.MonkeyPatch) -> None:
    answers: list[dict[str, Any]] = [
        {"failure": "no memory"},
        {"failure": "x"},
        {"microseconds": [2.0, 3.0], "finite": 4},
    ]
    monkeypatch.setattr(gpu_check, "call", lambda *_, **__: answers)
    cases = list(gpu_check.steps(False, {"count": 1}))
    assert [case.failure for case in cases] == ["no memory", "x", None]
    assert cases[-1].samples.median == 2.5
    assert cases[-1].details == {"finite": 4}


def test_a_process_that_ends_is_a_failure_of_all_its_cases(monkeypatch: pytest.MonkeyPatch) -> None:
    def call(*_: Any, **__: Any) -> Any:
        raise WorkerFailure("gone")

    monkeypatch.setattr(gpu_check, "call", call)
    assert [case.failure for case in gpu_check.steps(False, {"count": 1})] == ["gone"] * 3


def test_the_check_prints_a_table_writes_a_record_and_fails_where_a_case_does(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def part(failure: str | None) -> Any:
        return lambda on_gpu, device: [Case("layers", {"layer": "one"}, Samples((5.0,)), failure=failure)]

    device = {"platform": "cpu", "count": 1, "kind": "a processor"}
    monkeypatch.setattr(gpu_check, "call", lambda function: device)
    monkeypatch.setattr("benchmarks.measurement.call", lambda function: device)
    monkeypatch.setattr(gpu_check, "RESULTS", tmp_path)
    monkeypatch.setattr(gpu_check, "PARTS", {"layers": part(None), "steps": part("is wrong")})
    gpu_check.main(gpu_check.Options(("layers",)))
    assert "the CPU, in small: times mean nothing" in capsys.readouterr().out
    assert record.Record.read(tmp_path / "gpu_check.json").cases[0].samples.values == (5.0,)
    with pytest.raises(SystemExit):
        gpu_check.main(gpu_check.Options(("layers", "steps")))
    assert "is wrong" in capsys.readouterr().out
    assert json.loads((tmp_path / "gpu_check.json").read_text())["cases"][1]["failure"] == "is wrong"
