"""How a run is executed: devices, chunks, the profiler and the folder of compiled programs."""

import os
from pathlib import Path

import pytest

from tests.search.conftest import COMPARE
from tests.search.runs import FinishedRun, run


@pytest.fixture(scope="module")
def in_chunks(tmp_path_factory: pytest.TempPathFactory) -> FinishedRun:
    folder = tmp_path_factory.mktemp("chunks")
    return run(folder, *COMPARE, "--chunk-size", "3", "--profile", "trace", num_devices=1)


def test_chunks_give_what_single_candidates_give(compare_run: FinishedRun, in_chunks: FinishedRun) -> None:
    records = [a_run.json("result.json")["comparison"] for a_run in (compare_run, in_chunks)]
    for alone, together in zip(*records, strict=True):
        assert alone["non_finite"] == together["non_finite"]
        values = [record["validation"]["values"] for record in (alone, together)]
        # Rounding may move a few of 360 predictions across the border.
        assert values[1] == pytest.approx(values[0], abs=5 / 360)


def test_the_profiler_leaves_a_trace(in_chunks: FinishedRun) -> None:
    (trace,) = (in_chunks.directory.parent / "trace").rglob("*.xplane.pb")
    assert trace.stat().st_size > 10_000


def test_compiled_programs_are_kept_for_the_next_run(compare_run: FinishedRun) -> None:
    assert compare_run.exit_code == 0
    kept = [path.name for path in (Path(os.environ["XDG_CACHE_HOME"]) / "glojax" / "compiled").iterdir()]
    assert any("train_one_by_one" in name for name in kept)
