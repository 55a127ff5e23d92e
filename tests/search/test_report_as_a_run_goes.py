"""The report of a run that is going on."""

import threading
import time
from pathlib import Path

import pytest

from glojax.search.report import writing
from glojax.search.report.writing import reported


class Reports:
    """Counts the reports that are written; each may fail."""

    def __init__(self) -> None:
        self.number = 0
        self.is_running: list[bool] = []
        self.error: Exception | None = None
        self.written = threading.Event()

    def write(self, directory: Path, *, is_running: bool = False) -> None:
        self.number += 1
        self.is_running.append(is_running)
        self.written.set()
        if self.error is not None:
            raise self.error


@pytest.fixture
def reports(monkeypatch: pytest.MonkeyPatch) -> Reports:
    reports = Reports()
    monkeypatch.setattr(writing, "write_report", reports.write)
    monkeypatch.setattr(writing, "INTERVAL_SECONDS", 0.01)
    return reports


def test_a_generation_is_reported_once_before_the_run_ends(reports: Reports, tmp_path: Path) -> None:
    with reported(tmp_path):
        (tmp_path / "generations.jsonl").write_text("{}\n")
        assert reports.written.wait(10)
        time.sleep(0.1)
        assert reports.number == 1
    assert reports.is_running == [True, False]


def test_without_news_the_report_is_written_at_the_end_alone(reports: Reports, tmp_path: Path) -> None:
    (tmp_path / "generations.jsonl").write_text("{}\n")
    with reported(tmp_path):
        time.sleep(0.1)
        assert reports.number == 0
    assert reports.number == 1


def test_a_report_that_fails_on_the_way_is_tried_again(reports: Reports, tmp_path: Path) -> None:
    reports.error = OSError("full")
    with reported(tmp_path):
        (tmp_path / "tuning.jsonl").write_text("{}\n")
        assert reports.written.wait(10)
        reports.error = None
        reports.written.clear()
        assert reports.written.wait(10)


def test_no_thread_is_left(reports: Reports, tmp_path: Path) -> None:
    before = threading.active_count()
    with pytest.raises(KeyboardInterrupt), reported(tmp_path):
        raise KeyboardInterrupt
    assert threading.active_count() == before
    assert reports.number == 1


def test_a_slow_report_is_written_less_often(reports: Reports, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def write_slowly(directory: Path, *, is_running: bool = False) -> None:
        time.sleep(0.05)
        reports.write(directory, is_running=is_running)

    monkeypatch.setattr(writing, "write_report", write_slowly)
    with reported(tmp_path):
        (tmp_path / "generations.jsonl").write_text("{}\n")
        assert reports.written.wait(10)
        (tmp_path / "generations.jsonl").write_text("{}\n{}\n")
        time.sleep(0.3)
        assert reports.number == 1
