"""The candidates of a saved run as a table."""

import json
import shutil
from pathlib import Path

import pyarrow as pa
import pytest

import glojax
from glojax.errors import RunDirectoryError
from glojax.expressions import LossTree
from tests.search.runs import FinishedRun


def test_the_candidates_of_a_run_are_a_table(bare_run: FinishedRun) -> None:
    records = bare_run.json_lines("candidates.jsonl")
    table = glojax.load_run(bare_run.directory).candidates
    for name in ("expression", "fitness", "status", "steps", "learning_rate", "phase", "generation"):
        assert table[name].to_pylist() == [record[name] for record in records]
    assert table["size"].to_pylist() == [LossTree.parse(record["expression"]).size for record in records]
    assert table["rejected_by"].null_count == len(records) > 0
    assert (table.schema.field("fitness").type, table.schema.field("steps").type) == (pa.float64(), pa.int64())


def test_a_run_without_candidates_has_a_table_without_rows(compare_run: FinishedRun) -> None:
    table = glojax.load_run(compare_run.directory).candidates
    assert (table.num_rows, table.column_names[:3]) == (0, ["expression", "size", "fitness"])


@pytest.mark.parametrize("wrong", [{"phase": 1}, {"phase": ["tuning"]}, {"generation": "2"}, {"generation": 2**70}])
def test_a_cell_of_another_type_is_refused(wrong: dict[str, object], bare_run: FinishedRun, tmp_path: Path) -> None:
    shutil.copytree(bare_run.directory, tmp_path / "run")
    first = bare_run.json_lines("candidates.jsonl")[0]
    (tmp_path / "run" / "candidates.jsonl").write_text(json.dumps(first | wrong) + "\n")
    with pytest.raises(RunDirectoryError, match=r"run cannot be read \(.*\); let `python -m glojax.search resume"):
        glojax.load_run(tmp_path / "run")
