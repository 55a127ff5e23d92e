"""The Pareto front, and what the hall of fame says of each loss."""

from typing import Any

import numpy as np
from hypothesis import given, strategies as st

import glojax
from glojax.evaluation import Evaluation
from glojax.expressions import LossTree
from glojax.search.pareto import pareto_front
from tests.search.runs import FinishedRun


@given(st.lists(st.tuples(st.integers(0, 6), st.none() | st.integers(-2, 3)), max_size=12))
def test_the_front_holds_the_losses_that_no_other_of_at_most_their_size_equals(
    losses: list[tuple[int, int | None]],
) -> None:
    found = [
        Evaluation(LossTree.parse("x" + "*y" * size), None if fitness is None else float(fitness), "trained", 1)
        for size, fitness in losses
    ]
    expected = {
        (size, fitness)
        for size, fitness in losses
        if fitness is not None
        and not any(
            other is not None and least <= size and other >= fitness and (least, other) != (size, fitness)
            for least, other in losses
        )
    }
    front = [((one.tree.size - 1) // 2, one.fitness) for one in pareto_front(found)]
    assert front == sorted(expected)


def test_the_result_has_the_front_of_the_discovery(bare_run: FinishedRun) -> None:
    fame = bare_run.csv("hall_of_fame.csv")
    front = bare_run.json("result.json")["pareto_front"]
    assert len(front) >= 2
    assert front[-1]["expression"] == fame[0]["expression"]
    for one in front:
        row = next(row for row in fame if row["expression"] == one["expression"])
        assert (one["size"], one["fitness"]) == (int(row["size"]), float(row["fitness"]))
        assert one["learning_rate"] == float(row["learning_rate"]) == 0.05
        assert not any(
            int(other["size"]) <= one["size"] and float(other["fitness"]) > one["fitness"]
            for other in fame
            if other["fitness"]
        )


@np.errstate(all="ignore")
def descent(text: str, step: float = 1e-5) -> float:
    """Return minus the slope in the true class's logit, in an untrained network, from the loss as exported source."""
    module: dict[str, Any] = {}
    exec(glojax.make_loss(text).to_python(), module)
    low, high = (module["loss"](np.eye(10)[3] * distance, 3) for distance in (-step, step))
    return float(low - high) / (2 * step)


def test_the_hall_of_fame_has_the_pull_of_a_loss_where_it_is_defined(bare_run: FinishedRun) -> None:
    rows = bare_run.csv("hall_of_fame.csv")
    pulls = [float(row["pull"] or "nan") for row in rows]
    assert np.isfinite(pulls).sum() >= 5
    np.testing.assert_allclose(pulls, [descent(row["expression"]) for row in rows], rtol=1e-5, atol=1e-9)


def test_a_run_without_a_search_has_no_front(compare_run: FinishedRun) -> None:
    assert "pareto_front" not in compare_run.json("result.json")
