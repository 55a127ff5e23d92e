import os
from pathlib import Path
from typing import Any

import pytest

from benchmarks.measurement import Entry, Turns, call, measure
from benchmarks.record import Case
from benchmarks.worker_process import WorkerFailure, WorkerProcess

HERE = "tests.benchmarks.contestants"


def entry(contestant: str, function: str, worker: str | None = None, warm_up: bool = True, **arguments: Any) -> Entry:
    return Entry(contestant, arguments, f"{HERE}:{function}", arguments, worker=worker, warm_up=warm_up)


@pytest.fixture(scope="module")
def cases() -> dict[str, Case]:
    heat = [
        entry("sleeper", "sleeper", seconds=0.02, first=0.2),
        entry("refuser", "refuser"),
        entry("quitter", "quitter", turns=2),
        entry("straggler", "sleeper", seconds=60.0),
        entry("budgeted", "sleeper", seconds=0.4),
        entry("compiler", "compiler", worker="shared", warm_up=False),
        entry("companion", "sleeper", worker="shared", seconds=0.0),
        Entry("barred", {}, f"{HERE}:sleeper", {"seconds": 0.0}, failure="the networks differ"),
    ]
    turns = Turns(rounds=3, case_seconds=0.5, turn_seconds=6.0, first_turn_seconds=6.0)
    record = measure("test", [heat], unit="milliseconds", unit_seconds=1e-3, configuration={"a": 1}, turns=turns)
    assert record.configuration == {"a": 1, "turns": {**vars(turns)}}
    assert 1 <= len(record.matrix_product_gflops.values) <= 3
    assert record.device["platform"] == "cpu"
    return {case.contestant: case for case in record.cases}


def test_a_contestant_has_a_sample_for_each_round(cases: dict[str, Case]) -> None:
    case = cases["sleeper"]
    assert len(case.samples.values) == 3
    # Two units a turn.
    assert all(10 <= sample < 100 for sample in case.samples.values)
    assert case.failure is None
    assert case.peak_memory_bytes is None or case.peak_memory_bytes > 1e6


def test_what_the_first_turn_takes_longer_is_compilation(cases: dict[str, Case]) -> None:
    assert cases["sleeper"].compile_seconds == pytest.approx(0.2, abs=0.1)


def test_a_contestant_may_know_its_compilation(cases: dict[str, Case]) -> None:
    assert cases["compiler"].compile_seconds == 0.25
    assert len(cases["compiler"].samples.values) == 3


@pytest.mark.parametrize(
    ("contestant", "reason"),
    [
        ("refuser", "MemoryError: it does not fit"),
        ("quitter", "the process ended with signal SIGSEGV"),
        ("straggler", "took longer than 6 s"),
        ("barred", "the networks differ"),
    ],
)
def test_failures_are_recorded_with_their_reason(cases: dict[str, Case], contestant: str, reason: str) -> None:
    assert cases[contestant].failure == reason
    assert cases[contestant].samples.values == ()


def test_a_case_stops_when_it_has_had_its_time(cases: dict[str, Case]) -> None:
    assert len(cases["budgeted"].samples.values) == 2


def test_cases_may_share_a_process_but_then_not_its_memory(cases: dict[str, Case]) -> None:
    assert len(cases["companion"].samples.values) == 3
    assert cases["companion"].peak_memory_bytes is None


def test_without_alternation_a_process_ends_before_the_next_case_starts(tmp_path: Path) -> None:
    log = str(tmp_path / "log")
    heat = [
        Entry("first", {}, f"{HERE}:diarist", {"log": log}, precision="tf32"),
        entry("quitter", "quitter", turns=1),
        Entry("last", {}, f"{HERE}:diarist", {"log": log}),
    ]
    options: dict[str, Any] = {"unit_seconds": 1e-3, "configuration": {}, "turns": Turns(rounds=2)}
    record = measure("test", [heat], unit="milliseconds", alternating=False, **options)
    assert Path(log).read_text().split() == [*["alone", "turn", "turn", "turn"] * 2]
    assert [len(case.samples.values) for case in record.cases] == [2, 0, 2]
    assert record.cases[1].failure == "the process ended with signal SIGSEGV"
    assert [case.precision for case in record.cases] == ["tf32", None, None]
    # One for each case.
    assert len(record.matrix_product_gflops.values) == 3


@pytest.mark.parametrize("variable", ["JAX_DEFAULT_MATMUL_PRECISION", "NVIDIA_TF32_OVERRIDE"])
def test_no_variable_changes_the_precision_behind_the_record(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    monkeypatch.setenv(variable, "1")
    assert call("os:getenv", key=variable) is None


def test_a_function_may_be_called_in_a_process_of_its_own() -> None:
    assert call("os:getpid") != os.getpid()
    with pytest.raises(WorkerFailure, match="StatisticsError: fmean requires at least one data point"):
        call("statistics:fmean", data=[])


def test_an_ended_worker_fails_whatever_it_is_asked() -> None:
    with WorkerProcess() as worker:
        worker.end()
        with pytest.raises(WorkerFailure, match="ended in an earlier turn"):
            worker.ask({"do": "call", "function": "os:getpid", "arguments": {}}, 1.0)
