"""One real run of each command for all tests, and stand-ins for all that trains in one."""

from pathlib import Path

import pytest

from glojax.search import opening
from tests.isolation import data_root  # noqa: F401  # a fixture for every test here
from tests.search.fakes import Fitness, StandIns, UseStandIns
from tests.search.runs import FinishedRun, run_once

#: The smallest search and the smallest tuning that have everything in them.
BUDGET = (
    *("--steps", "3", "--population-size", "8", "--num-elites", "2", "--generations", "2", "--finalists", "2"),
    *("--finalist-seeds", "2", "--seed", "5"),
)
#: A network that compiles faster than that of the digits.
NETWORK = ("--network", "SmallMLP")
SEARCH = ("--preset", "paper", *BUDGET, *NETWORK)
TUNING = ("--tuned", "2", "--tuning.generations", "2", "--tuning.population-size", "3")
BARE = (*SEARCH, *TUNING, "--seeds", "2", "--devices", "1")
TUNED = ("log(y) - x / y", "x * log(y)")
COMPARED = ("cross_entropy", "baikal", "log(y) - x/y", "baikal_best_rate")
COMPARE = (
    *("compare", "--losses", *COMPARED, "--seeds", "2", "--steps", "3", "--seed", "5", "--learning-rate", "0.02"),
    *NETWORK,
)

# Each device compiles for itself: all runs but one have but one.


@pytest.fixture(scope="session")
def bare_run() -> FinishedRun:
    """The whole job, on one device."""
    return run_once("bare", *BARE)


@pytest.fixture(scope="session")
def discover_run() -> FinishedRun:
    """The search of `bare_run` again, on all cores."""
    return run_once("discover", "discover", *SEARCH)


@pytest.fixture(scope="session")
def tune_run() -> FinishedRun:
    """Two losses of 6 and 4 coefficients, each candidate trained with two seeds, on one device."""
    budget = ("--steps", "3", "--replicates", "2", "--tuning.generations", "3", "--finalists", "3")
    seeds = ("--finalist-seeds", "2", "--seeds", "2", "--seed", "5")
    return run_once("tune", "tune", "--loss", *TUNED, *budget, *seeds, *NETWORK, num_devices=1)


@pytest.fixture(scope="session")
def compare_run() -> FinishedRun:
    """Four losses, of which two are the same function, on one device."""
    return run_once("compare", *COMPARE, num_devices=1)


@pytest.fixture
def use_stand_ins(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> UseStandIns:
    def use(fitness: Fitness) -> StandIns:
        stand_ins = StandIns(fitness)
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(opening, "PoolEvaluator", stand_ins.make_evaluator)
        return stand_ins

    return use
