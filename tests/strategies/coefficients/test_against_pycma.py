import pytest

from benchmarks.evolution_strategy import measured


@pytest.mark.parametrize(("function", "active"), [("sphere", False), ("ellipsoid", True)])
def test_the_target_takes_no_more_evaluations_than_pycma_needs(function: str, active: bool) -> None:
    ours, theirs = (measured(contestant, function, 6, active, seeds=7) for contestant in ("glojax", "pycma"))
    assert ours.details["reached"] == theirs.details["reached"] == 7
    assert ours.samples.median is not None
    assert theirs.samples.median is not None
    assert ours.samples.median <= 1.2 * theirs.samples.median
