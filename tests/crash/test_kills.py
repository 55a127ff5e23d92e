"""A sample of `tests.crash.kills`."""

import random
from pathlib import Path

import pytest

from tests.crash.kills import Victim
from tests.search.conftest import BUDGET, NETWORK, TUNING
from tests.search.runs import preloaded


@pytest.mark.slow
def test_a_killed_run_ends_as_it_had_recorded(tmp_path: Path) -> None:
    search = (*BUDGET, *NETWORK, *TUNING, "--seeds", "2")
    victim = Victim(preloaded(), tmp_path, search, "steady-state", is_asynchronous=True, is_timed=False)
    killed = victim.kill(0, random.Random(0), most=2)
    assert len(killed.kills) == 2
    assert killed.equal, killed
