"""The benchmark of compiled losses."""

import pytest

from benchmarks.losses import CONTESTANTS, compared, make, temporary_bytes
from benchmarks.record import Case, Samples


@pytest.mark.parametrize("name", CONTESTANTS)
def test_each_contestant_has_its_turn(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.losses.MOST_REPETITIONS", 2)
    assert make(name, 4, 3, "integers").turn().units == 2


def test_memory_is_that_beside_arguments_and_results() -> None:
    assert temporary_bytes("copy", 4, 3, "one-hot") == 0 < temporary_bytes("optax", 64, 30, "one-hot")


def test_ratios_are_those_of_the_same_round() -> None:
    cases = [
        Case("optax", {}, Samples((1.0, 10.0, 2.0))),
        Case("ours", {}, Samples((2.0, 30.0, 4.0))),
        Case("none", {}),
    ]
    assert [case.details.get("times_optax") for case in compared(cases)] == [1.0, 2.0, None]
