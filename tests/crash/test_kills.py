"""A sample of `tests.crash.kills`."""

import os
import random
from pathlib import Path

import pytest

from tests.crash.kills import Victim, preloaded
from tests.search.conftest import SEARCH, TUNING


@pytest.mark.slow
def test_a_killed_run_ends_as_it_had_recorded(tmp_path: Path) -> None:
    processes = preloaded(Path(os.environ["XDG_CACHE_HOME"]))
    try:
        victim = Victim(processes, tmp_path, (*SEARCH, *TUNING, "--seeds", "2"), "steady-state", is_asynchronous=True)
        # At a random time, and in the middle of a write.
        kills = [victim.kill(number, random.Random(number)) for number in (1, 6)]
    finally:
        processes.close()
    assert [kill.equal for kill in kills] == [True, True], kills
