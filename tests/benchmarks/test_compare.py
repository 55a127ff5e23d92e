from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from benchmarks.compare import Options, compare, main
from benchmarks.record import Case, RecordError, Samples
from tests.benchmarks.records import record_of

RNG = np.random.default_rng(0)
BEFORE = RNG.normal(100, 2, 7).tolist()


def verdict(before: Sequence[float] | None, after: Sequence[float] | None) -> str:
    (comparison,) = compare(record_of({"glojax": before}), record_of({"glojax": after}), threshold=0.05, alpha=0.05)
    return comparison.verdict


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        ([1.15 * value for value in BEFORE], "slower"),
        ([0.8 * value for value in BEFORE], "faster"),
        (RNG.normal(100, 2, 7).tolist(), "same"),
        # Certainly slower, but by less than anybody cares for.
        ([1.03 * value + 0.1 for value in BEFORE], "same"),
        # A larger median that chance explains.
        ([70.0, 80.0, 90.0, 115.0, 120.0, 125.0, 95.0, 117.0], "same"),
        ([150.0, 150.0], "too few samples"),
        (None, "fails"),
    ],
)
def test_a_case_is_judged_by_its_samples(after: list[float] | None, expected: str) -> None:
    assert verdict(BEFORE, after) == expected


def test_three_samples_suffice() -> None:
    assert verdict([10.0, 10.1, 10.2], [12.0, 12.1, 12.2]) == "slower"


def test_noise_alone_is_seldom_called_slower() -> None:
    samples = RNG.normal(100, 5, (200, 2, 7)).tolist()
    assert sum(verdict(before, after) == "slower" for before, after in samples) <= 10


def test_failures_are_told_apart() -> None:
    assert verdict(None, BEFORE) == "works again"
    assert verdict(None, None) == "fails as before"


def test_cases_that_only_one_run_has_are_named() -> None:
    both = compare(record_of({"a": BEFORE, "b": BEFORE}), record_of({"b": BEFORE, "c": BEFORE}), 0.05, 0.05)
    assert [(one.label.split()[0], one.verdict) for one in both] == [("b", "same"), ("c", "new"), ("a", "gone")]


def test_different_benchmarks_are_not_compared() -> None:
    with pytest.raises(RecordError, match="expected two runs of one benchmark"):
        compare(record_of({}), record_of({}, benchmark="interpreter"), 0.05, 0.05)


@pytest.mark.parametrize(("factor", "code"), [(1.0, 0), (1.2, 1)])
def test_the_exit_code_tells_of_regressions(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], factor: float, code: int
) -> None:
    before, after = tmp_path / "before.json", tmp_path / "after.json"
    record_of({"glojax": BEFORE}).write(before)
    record_of({"glojax": [factor * value for value in BEFORE]}).write(after)
    assert main(Options(before, after)) == code
    assert "glojax" in capsys.readouterr().out


def test_bad_input_is_one_line_and_code_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(Options(tmp_path / "none.json", tmp_path / "none.json")) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_a_gpus_clocks_are_no_other_device(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    gpu = {"name": "NVIDIA H200", "driver_version": "580.65.06", "sm_clock": "1980 MHz", "memory_clock": "3201 MHz"}
    paths: list[Path] = []
    for change in ({}, {"sm_clock": "1200 MHz"}, {"driver_version": "590.1"}):
        device = {"platform": "gpu", "kind": "NVIDIA H200", "precision": "tf32", "gpus": [gpu | change]}
        paths.append(tmp_path / f"{len(paths)}.json")
        record_of({"glojax": BEFORE}, device=device).write(paths[-1])
    main(Options(paths[0], paths[1]))
    assert "differ in their device" not in capsys.readouterr().out
    main(Options(paths[0], paths[2]))
    assert "differ in their device" in capsys.readouterr().out


def test_precisions_are_not_compared_with_each_other() -> None:
    before, after = (
        record_of({}, cases=[Case("glojax", {}, Samples((1.0,)), precision=precision)])
        for precision in ("tf32", "float32")
    )
    assert [one.verdict for one in compare(before, after, 0.05, 0.05)] == ["new", "gone"]
