import json
from pathlib import Path

import pytest

from benchmarks import machine
from benchmarks.record import Case, Record, RecordError, Samples
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
    assert machine.device()["platform"] == "cpu"
    assert machine.versions()["jax"]
