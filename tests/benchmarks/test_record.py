import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import machine
from benchmarks.record import RESULTS, Case, Record, RecordError, Samples
from tests.benchmarks.records import record_of


def test_a_record_reads_back_what_it_has_written(tmp_path: Path) -> None:
    record = record_of({"glojax": [1.0, 3.0, 2.0], "torch_compile": None})
    record.write(tmp_path / "new" / "record.json")
    assert Record.read(tmp_path / "new" / "record.json") == record


def test_medians_and_quartiles_stand_in_the_file(tmp_path: Path) -> None:
    record_of({"glojax": [4.0, 1.0, 3.0, 2.0], "torch_compile": None}).write(tmp_path / "record.json")
    first, second = json.loads((tmp_path / "record.json").read_text())["cases"]
    assert (first["median"], first["quartiles"]) == (2.5, [1.75, 3.25])
    assert (second["median"], second["quartiles"], second["failure"]) == (None, None, "out of memory")


def test_a_case_names_the_precision_of_its_products(tmp_path: Path) -> None:
    case = Case("glojax", {}, Samples((1.0,)), precision="tf32")
    record_of({}, cases=[case]).write(tmp_path / "record.json")
    (read,) = Record.read(tmp_path / "record.json").cases
    assert read.precision == "tf32"
    assert read.label == "glojax precision=tf32"


def test_an_older_record_names_no_precision_and_is_that_of_float32(tmp_path: Path) -> None:
    path = tmp_path / "record.json"
    record_of({}, cases=[Case("glojax", {}, precision="float32")]).write(path)
    fields = json.loads(path.read_text())
    del fields["cases"][0]["precision"]
    path.write_text(json.dumps(fields))
    (old,) = Record.read(path).cases
    assert old.precision is None
    assert old.key == replace(old, precision="float32").key != replace(old, precision="tf32").key


@pytest.mark.parametrize("path", sorted(RESULTS.glob("*.json")), ids=lambda path: path.stem)
def test_kept_records_are_read(path: Path) -> None:
    assert Record.read(path).cases


def test_one_sample_is_its_own_quartiles() -> None:
    assert Samples((2.0,)).quartiles == (2.0, 2.0)


def test_cases_are_told_apart_by_their_parameters_in_any_order() -> None:
    assert Case("a", {"x": 1, "y": 2}).key == Case("a", {"y": 2, "x": 1}).key != Case("a", {"x": 1, "y": 3}).key


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "cannot be read as JSON"),
        ("[1]", "no JSON object"),
        ('{"format": 99}', "of format 99; expected a benchmark's result of format 1"),
        ('{"format": 1, "benchmark": "b"}', "lacks a field"),
    ],
)
def test_other_files_are_refused_in_one_line(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "other.json").write_text(text)
    with pytest.raises(RecordError, match=message) as caught:
        Record.read(tmp_path / "other.json")
    assert len(str(caught.value).splitlines()) == 1


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="cannot be read"):
        Record.read(tmp_path / "none.json")


def test_the_machine_is_described() -> None:
    assert machine.num_cores() >= 1
    device = machine.device()
    assert (device["platform"], device["precision"]) == ("cpu", "float32")
    assert "gpus" not in device
    assert machine.versions()["jax"]


@pytest.mark.parametrize(
    ("platform", "capability", "precision"),
    [
        ("cpu", None, "float32"),
        ("tpu", None, "bf16"),
        ("gpu", "7.5", "float32"),
        ("gpu", "8.0", "tf32"),
        ("gpu", "12.0", "tf32"),
        ("gpu", "gfx90a", "float32"),
    ],
)
def test_the_precision_of_products_is_that_of_the_device(platform: str, capability: str | None, precision: str) -> None:
    assert machine.default_precision(platform, capability) == precision


def with_nvidia_smi(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    program = folder / "nvidia-smi"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")


def test_gpus_are_described_by_nvidia_smi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    row = "NVIDIA H200, 580.65.06, 1980 MHz, 3201 MHz, 700.00 W"
    with_nvidia_smi(tmp_path, f'echo "$@" > {tmp_path}/query; echo "{row}"; echo "{row}"', monkeypatch)
    first, second = machine.nvidia_gpus()
    assert (
        first
        == second
        == {
            "name": "NVIDIA H200",
            "driver_version": "580.65.06",
            "sm_clock": "1980 MHz",
            "memory_clock": "3201 MHz",
            "power_limit": "700.00 W",
        }
    )
    query = "--query-gpu=name,driver_version,clocks.sm,clocks.mem,power.limit --format=csv,noheader"
    assert (tmp_path / "query").read_text().strip() == query


def test_gpus_are_not_described_where_nvidia_smi_fails_or_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_nvidia_smi(tmp_path, "echo no devices were found; exit 6", monkeypatch)
    assert machine.nvidia_gpus() == []
    (tmp_path / "nvidia-smi").unlink()
    monkeypatch.setenv("PATH", str(tmp_path))
    assert machine.nvidia_gpus() == []
