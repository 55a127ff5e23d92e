import numpy as np
import pytest

from glojax.datasets import load_dataset
from glojax.evaluation import PopulationTrainer, Training, TrainingJournal, training_devices
from glojax.expressions import LossTree
from glojax.networks import DigitsCNN
from glojax.training import TrainingConfig, TrainResult

CONFIG = TrainingConfig(num_steps=10, batch_size=64, learning_rate=0.05)
TREES = [LossTree.parse(text) for text in ("x * log(y)", "log(y) - x / y", "x / (y - y)", "x * sqrt(y)")]


@pytest.fixture(scope="module")
def expected() -> list[str]:
    """The results of all trees with two seeds, as text."""
    return [str(result) for _, result in trainer(TrainingJournal()).train(TREES, [0, 1])]


def trainer(journal: TrainingJournal) -> PopulationTrainer:
    devices = training_devices(2)
    return PopulationTrainer(DigitsCNN, load_dataset("digits"), CONFIG, capacity=64, devices=devices, journal=journal)


def test_what_the_journal_holds_is_not_trained(expected: list[str]) -> None:
    journal = TrainingJournal()
    again = trainer(journal)
    told = TrainResult({"validation": np.float32(0.125)}, np.bool_(True), np.int32(3))  # type: ignore[dict-item,arg-type]
    rate = float(np.float32(CONFIG.learning_rate))
    journal.add(Training(again.context, str(TREES[1]), 0, rate), told)
    results = [str(result) for _, result in again.train(TREES, [0, 1])]
    assert results == [*expected[:2], str(told), *expected[3:]]
    assert len(journal) == len(expected)


def test_what_is_drawn_and_known_comes_back_before_the_next_is_drawn() -> None:
    journal = TrainingJournal()
    again = trainer(journal)
    rate = float(np.float32(CONFIG.learning_rate))
    told = [TrainResult({"validation": np.float32(0.125)}, np.bool_(True), np.int32(seed)) for seed in (1, 2)]  # type: ignore[dict-item,arg-type]
    for tree in TREES:
        for seed, result in enumerate(told):
            journal.add(Training(again.context, str(tree), seed, rate), result)
    back: list[LossTree] = []
    for tree, results in again.train_drawn(lambda: TREES[len(back)] if len(back) < len(TREES) else None, [0, 1]):
        assert list(map(str, results)) == list(map(str, told))
        back.append(tree)
    assert back == TREES


def test_a_training_that_is_wanted_twice_is_done_once(expected: list[str]) -> None:
    journal = TrainingJournal()
    results = dict(trainer(journal).train([TREES[0], TREES[1], TREES[0]], [1]))
    assert [str(results[place]) for place in range(3)] == [expected[1], expected[3], expected[1]]
    assert len(journal) == 2


def test_other_learning_rates_are_other_trainings(expected: list[str]) -> None:
    journal = TrainingJournal()
    results = list(trainer(journal).train([TREES[0], TREES[0]], [0], [0.05, 0.5]))
    assert str(results[0][1]) == expected[0] != str(results[1][1])
    assert len(journal) == 2


def test_who_stops_asking_keeps_what_is_being_trained() -> None:
    journal = TrainingJournal()
    results = trainer(journal).train(TREES, range(4))
    next(results)
    results.close()
    done = len(journal)
    assert 2 <= done < 16  # at least one from each device


def test_a_journal_that_cannot_be_written_ends_the_training(monkeypatch: pytest.MonkeyPatch) -> None:
    journal = TrainingJournal()

    def fail(training: Training, result: TrainResult) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(journal, "add", fail)
    with pytest.raises(OSError, match="No space left on device"):
        list(trainer(journal).train(TREES, [0]))
