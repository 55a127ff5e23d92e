"""A sample of `tests.crash.kills`."""

import random
from pathlib import Path

import pytest

from tests.crash.kills import Victim, preloaded
from tests.search.conftest import SEARCH, TUNING


@pytest.mark.slow
@pytest.mark.parametrize(("strategy", "is_asynchronous"), [("steady-state", False), ("random", True)])
def test_a_killed_run_ends_as_the_undisturbed_one(tmp_path: Path, strategy: str, is_asynchronous: bool) -> None:
    processes = preloaded(tmp_path)
    try:
        victim = Victim(processes, tmp_path, (*SEARCH, *TUNING, "--seeds", "2"), strategy, is_asynchronous)
        # The first one is killed before an append, the others at random times and in the middle of a write.
        kills = [victim.kill(number, random.Random(number)) for number in (0, 1, 6)]
    finally:
        processes.close()
    assert [kill.equal for kill in kills] == [True] * 3, kills
