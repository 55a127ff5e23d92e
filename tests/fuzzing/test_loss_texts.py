"""A sample of the fuzzing, and that it notices what it looks for."""

import json
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import pytest

from tests.fuzzing import loss_texts, tally
from tests.fuzzing.promises import outcome
from tests.fuzzing.tally import BROKEN, TIME_LIMIT, Tally
from tests.fuzzing.texts import texts


def endless() -> str:
    while True:
        pass


@pytest.fixture(scope="module")
def sample() -> Tally:
    sample = Tally()
    for text in islice(texts(seed=0), 1_500):
        sample.add(text, outcome)
    return sample


def test_a_sample_of_texts_keeps_all_promises(sample: Tally) -> None:
    assert sample.broken == []
    assert sample.slowest_seconds < TIME_LIMIT


def test_it_has_trees_of_all_sizes_and_all_errors(sample: Tally) -> None:
    for size in ("10", "100", "1,000"):
        assert sample.outcomes[f"a tree of up to {size} nodes"] >= 10
    errors = sample.outcomes.keys() - {f"a tree of up to {size} nodes" for size in ("10", "100", "1,000")}
    assert len(errors) >= 15


def test_other_texts_come_from_another_seed() -> None:
    first, again, other = (list(islice(texts(seed), 20)) for seed in (1, 1, 2))
    assert first == again != other


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        (lambda tree: "x", "AssertionError: not read back"),
        (lambda tree: "(" * tree.size, "ExpressionError: At character"),
        (lambda tree: tree.no_such_name, "AttributeError"),
        (lambda tree: endless(), "TooSlowError"),
    ],
)
def test_a_broken_promise_is_noticed(wrong: Callable[..., str], problem: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tally, "TIME_LIMIT", 0.05)
    monkeypatch.setattr("glojax.expressions.LossTree.__str__", wrong)
    broken = Tally()
    broken.add("log(y) - x / y", outcome)
    assert broken.broken[0]["text"] == "log(y) - x / y"
    assert broken.broken[0]["problem"].startswith(problem)
    assert broken.outcomes == {BROKEN: 1}
    assert not broken.holds


def test_a_run_that_was_stopped_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loss_texts, "BLOCK", 20)
    monkeypatch.setattr(tally, "MEMORY_LIMIT_MB", 10**6)
    for num_texts in (40, 50):
        with pytest.raises(SystemExit, match="False"):
            loss_texts.main(["grammar", "--texts", str(num_texts), "--results", str(tmp_path / "results.json")])
    results = json.loads((tmp_path / "results.json").read_text())["engines"]["grammar"]["tally"]
    assert results["texts"] == sum(results["outcomes"].values()) == 50


def test_the_committed_results_are_those_of_a_million_texts_that_kept_all_promises() -> None:
    engines = json.loads(loss_texts.RESULTS.read_text())["engines"]
    tallies = [Tally.from_json(engine["tally"]) for engine in engines.values()]
    assert sum(each.texts for each in tallies) >= 1_000_000
    for each in tallies:
        assert each.holds
        assert each.slowest_seconds < TIME_LIMIT
