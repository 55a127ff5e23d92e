"""Samples of `tests.crash.write_errors` and `tests.crash.syscall_kills`."""

import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.crash.faulty_calls import build, can_be_built
from tests.crash.kills import preloaded
from tests.crash.syscall_kills import kill
from tests.crash.write_errors import Fault, Searches
from tests.search.conftest import NETWORK

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not can_be_built(), reason="system calls fail by a library for Linux, which cc compiles"),
]


SEARCH = ("compare", "--losses", "baikal", "cross_entropy", "--seeds", "3", "--steps", "2", *NETWORK)


@pytest.fixture(scope="module")
def searches(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Searches]:
    folder = tmp_path_factory.mktemp("searches")
    processes = preloaded(Path(os.environ["XDG_CACHE_HOME"]), build(folder))
    yield Searches(processes, folder, SEARCH)
    processes.close()


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        (Fault("new", "write", 5, "torn", "ENOSPC"), "go on with: python -m glojax.search resume run"),
        (Fault("new", "rename", 1, "once", "EDQUOT"), "begin again with the same command"),
    ],
)
def test_a_search_that_cannot_write_says_how_to_go_on(searches: Searches, fault: Fault, says: str) -> None:
    trial = searches.attempt(fault)
    assert trial.exit_code == 2
    assert says in trial.line
    assert trial.right, trial


def test_a_search_that_is_killed_at_its_first_file_is_begun_again(searches: Searches, tmp_path: Path) -> None:
    killed = kill(searches, tmp_path / "kill", random.Random(75), most=2)
    assert killed.equal, killed
    assert [kill.had_begun for kill in killed.kills] == [False, False]
