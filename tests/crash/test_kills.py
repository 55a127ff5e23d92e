"""A sample of `tests.crash.kills`."""

import os
import random
from pathlib import Path

import pytest

from tests.crash.kills import Victim, preloaded
from tests.search.conftest import BUDGET, NETWORK, TUNING


@pytest.mark.slow
def test_a_killed_run_ends_as_it_had_recorded(tmp_path: Path) -> None:
    processes = preloaded(Path(os.environ["XDG_CACHE_HOME"]))
    try:
        search = (*BUDGET, *NETWORK, *TUNING, "--seeds", "2")
        victim = Victim(processes, tmp_path, search, "steady-state", is_asynchronous=True, is_timed=False)
        killed = victim.kill(0, random.Random(0), most=2)
    finally:
        processes.close()
    assert len(killed.kills) == 2
    assert killed.equal, killed
