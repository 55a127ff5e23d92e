import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, strategies as st

from glojax.errors import RunDirectoryError, UnfitFileError
from glojax.evaluation import Training, TrainingJournal, checksum
from glojax.evaluation.journal import recorded_result, result_record
from glojax.expressions import LossTree
from glojax.tasks import NUM_BINS
from glojax.training import TrainResult


def training(seed: int) -> Training:
    return Training("0123456789abcdef", LossTree.parse("x * log(y)"), seed, float(np.float32(0.05)))


def result(score: float) -> TrainResult:
    return recorded_result({"scores": {"validation": score}, "finite": True, "steps": 7})


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A journal of four trainings."""
    path = tmp_path / "trainings.jsonl"
    journal = TrainingJournal(path)
    for seed in range(4):
        journal.add(training(seed), result(seed / 3))
    return path


def known(journal: TrainingJournal) -> list[int]:
    return [seed for seed in range(4) if journal.find(training(seed)) is not None]


def test_what_was_added_is_found_again_to_the_last_bit(path: Path) -> None:
    found = TrainingJournal(path).find(training(1))
    assert found is not None
    assert found.scores["validation"] == np.float32(1 / 3)
    assert (bool(found.finite), int(found.num_steps)) == (True, 7)
    assert [leaf.dtype for leaf in (found.scores["validation"], found.finite, found.num_steps)] == [
        np.float32,
        np.bool_,
        np.int32,
    ]


def test_a_result_that_cannot_be_written_is_not_known(path: Path) -> None:
    journal = TrainingJournal(path)
    path.unlink()
    path.mkdir()
    with pytest.raises(UnfitFileError):
        journal.add(training(9), result(0.5))
    assert journal.find(training(9)) is None


@pytest.mark.parametrize(
    "other",
    [
        training(0)._replace(context="f" * 16),
        training(0)._replace(tree=LossTree.parse("x * y")),
        training(0)._replace(seed=9),
        training(0)._replace(learning_rate=0.1),
    ],
)
def test_a_result_belongs_to_all_that_it_depends_on(path: Path, other: Training) -> None:
    assert TrainingJournal(path).find(other) is None


def test_without_a_file_results_are_kept_in_memory() -> None:
    journal = TrainingJournal()
    journal.add(training(0), result(0.5))
    assert known(journal) == [0]


def test_a_torn_last_line_is_dropped_in_silence(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    whole = path.read_bytes()
    path.write_bytes(whole[:-5])
    with caplog.at_level(logging.WARNING, "glojax"):
        journal = TrainingJournal(path)
    assert known(journal) == [0, 1, 2]
    assert not caplog.records
    journal.add(training(3), result(1))
    assert path.read_bytes() == whole


def test_a_line_that_lacks_its_end_alone_is_kept(path: Path) -> None:
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    assert known(TrainingJournal(path)) == [0, 1, 2, 3]
    assert path.read_bytes() == whole


def test_a_damaged_line_is_left_out_and_said(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path.write_bytes(path.read_bytes().replace(b'"seed": 1', b'"seed": 8'))
    with caplog.at_level(logging.WARNING, "glojax"):
        assert known(TrainingJournal(path)) == [0, 2, 3]
    assert "1 line cannot be trusted (line 2)" in caplog.text
    assert len(path.read_bytes().splitlines()) == 3


def test_two_results_of_one_training_are_both_left_out(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    TrainingJournal(path).add(training(2), result(0.25))
    with caplog.at_level(logging.WARNING, "glojax"):
        assert known(TrainingJournal(path)) == [0, 1, 3]
    assert "two different results of 1 training" in caplog.text


@pytest.mark.parametrize(
    "change",
    [
        {"scores": {"validation": float("nan")}},
        {"scores": {"validation": float("inf")}},
        {"scores": {"validation": 1e39}},
        {"scores": {"validation": "0.5"}},
        {"scores": [0.5]},
        {"finite": 1},
        {"steps": -1},
        {"steps": 2**31},
        {"seed": "0"},
        {"expression": ["x"]},
        {"learning_rate": float("nan")},
        {"learning_rate": 1},
        {"learning_rate": float("inf")},
        {"learning_rate": 1e39},
        {"learning_rate": 0.0},
        {"learning_rate": -0.1},
        {"seed": 10**400},
        {"context": None},
    ],
)
def test_a_value_that_cannot_be_is_no_result_whatever_its_checksum(path: Path, change: dict[str, object]) -> None:
    record = json.loads(path.read_bytes().splitlines()[0]) | change
    del record["checksum"]
    path.write_text(json.dumps(record | {"checksum": checksum(record)}) + "\n")
    assert len(TrainingJournal(path)) == 0


def test_a_file_of_damaged_lines_is_refused(path: Path) -> None:
    path.write_bytes(b"\n" * 20_000)
    with pytest.raises(RunDirectoryError, match=r"is damaged in more than 10,000 lines; restore it, or delete it"):
        TrainingJournal(path)


@pytest.mark.parametrize(
    "junk", [b"[" * 100_000, b"9" * 100_000, b"\xff\x00" * 500, b"null\n", b'{"checksum": 1}\n', b""]
)
def test_junk_is_no_result(path: Path, junk: bytes) -> None:
    path.write_bytes(junk)
    assert len(TrainingJournal(path)) == 0


@given(place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_no_flipped_bit_changes_a_result(tmp_path_factory: pytest.TempPathFactory, place: float, bit: int) -> None:
    path = tmp_path_factory.mktemp("flipped") / "trainings.jsonl"
    journal = TrainingJournal(path)
    for seed in range(4):
        journal.add(training(seed), result(seed / 3))
    content = bytearray(path.read_bytes())
    content[int(place * len(content))] ^= 1 << bit
    path.write_bytes(content)
    damaged = TrainingJournal(path)
    assert len(damaged) >= 2  # a line end that is gone takes two lines with it
    for seed in known(damaged):
        assert str(damaged.find(training(seed))) == str(journal.find(training(seed)))


def test_a_line_says_what_was_trained_and_what_came_of_it(path: Path) -> None:
    record = json.loads(path.read_bytes().splitlines()[1])
    claimed = record.pop("checksum")
    assert record == {
        "context": "0123456789abcdef",
        "expression": "x * log(y)",
        "seed": 1,
        "learning_rate": 0.05000000074505806,
        "scores": {"validation": 0.33333334},
        "finite": True,
        "steps": 7,
    }
    assert claimed == checksum(record)


@pytest.mark.parametrize("score", [0.0, 1.0, 1 / 3, 1e-40, 123456.789, 3e38])
def test_scores_of_any_metric_are_kept_to_the_last_bit(path: Path, score: float) -> None:
    TrainingJournal(path).add(training(9), result(score))
    found = TrainingJournal(path).find(training(9))
    assert found is not None
    assert found.scores["validation"] == np.float32(score)


def test_put_in_order_sorts_by_need(path: Path) -> None:
    journal = TrainingJournal(path)
    for seed in (2, 0, 1):
        journal.find(training(seed))
    journal.put_in_order()
    assert [json.loads(line)["seed"] for line in path.read_bytes().splitlines()] == [2, 0, 1, 3]
    assert known(TrainingJournal(path)) == [0, 1, 2, 3]


def measured(value: float = 0.5) -> TrainResult:
    """A result with a curve and with class counts."""
    counts = {"confusion": [[3.0, 1.0], [0.0, value]], "bins": [[0.1] * NUM_BINS] * 3}
    return recorded_result(result_record(result(0.5)) | {"curve": [1 / 3, None], "class_counts": counts})


def test_what_was_measured_on_the_way_is_found_again(path: Path) -> None:
    TrainingJournal(path).add(training(9), measured())
    found = TrainingJournal(path).find(training(9))
    assert found is not None
    assert found.class_counts is not None
    np.testing.assert_array_equal(np.asarray(found.curve), np.array([1 / 3, np.nan], np.float32))
    np.testing.assert_array_equal(found.class_counts.confusion, [[3, 1], [0, 0.5]])
    np.testing.assert_array_equal(found.class_counts.bins, np.full((3, NUM_BINS), 0.1, np.float32))


def test_a_curve_that_was_not_finite_reads_back_as_unknown() -> None:
    broken = result(0.5)
    curve = np.array([np.inf, np.nan, 0.25], np.float32)
    record = result_record(TrainResult(broken.scores, broken.finite, broken.num_steps, curve))  # type: ignore[arg-type]
    assert record["curve"] == [None, None, 0.25]


@pytest.mark.parametrize(
    "field",
    [
        {"curve": ["0.5"]},
        {"curve": [1e39]},
        {"curve": 3},
        {"class_counts": {"confusion": [[1.0]]}},
        {"class_counts": {"confusion": [[1.0, 2.0]], "bins": [[0.0] * NUM_BINS] * 3}},
        {"class_counts": {"confusion": [[1.0]], "bins": [[0.0]] * 3}},
        {"class_counts": {"confusion": [["1"]], "bins": [[0.0] * NUM_BINS] * 3}},
    ],
)
def test_a_measurement_of_another_form_is_left_out(
    path: Path, caplog: pytest.LogCaptureFixture, field: dict[str, Any]
) -> None:
    line = json.loads(path.read_text().splitlines()[0])
    del line["checksum"]
    path.write_text(json.dumps(line | field | {"checksum": checksum(line | field)}) + "\n")
    with caplog.at_level(logging.WARNING):
        assert known(TrainingJournal(path)) == []
    assert "1 line cannot be trusted" in caplog.text
