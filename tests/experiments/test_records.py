import json
from dataclasses import replace
from pathlib import Path

import pytest

from experiments.records import RESULTS, RecordError, Records, read_record, reproducible, write_record
from experiments.trainings import Training
from glojax.training import recorded_config
from tests.experiments.records import add

TRAINING = Training(loss="baikal", steps=10, learning_rate=0.05, dataset="digits", evaluate_every=5)


def test_records_are_read_back_from_the_folder(tmp_path: Path) -> None:
    records = Records(tmp_path)
    add(records, TRAINING, [0.5, 0.75], [0.25, 0.5])
    for known in (records, Records(tmp_path)):
        assert known.missing([TRAINING, replace(TRAINING, seed=1)]) == [replace(TRAINING, seed=1)]
        assert known.accuracy(TRAINING, 5) == 0.5
        assert known.accuracy(TRAINING, 10, "validation") == 0.5
        assert known.accuracy(TRAINING, 7) is None
        assert known.outcome(TRAINING) == read_record(next(tmp_path.glob("*/*/*.json")))["outcome"]


def test_accuracies_of_all_seeds_come_from_records_of_any_length(tmp_path: Path) -> None:
    records = Records(tmp_path)
    add(records, replace(TRAINING, seed=2), [0.25, 0.75])
    add(records, replace(TRAINING, seed=0, steps=5, evaluate_every=None), [0.5])
    add(records, replace(TRAINING, seed=1, learning_rate=0.01), [0.125, 0.125])
    assert records.accuracies(TRAINING, 5) == [0.5, 0.25]
    assert records.accuracies(TRAINING, 10) == [0.75]


def test_accuracies_of_some_seeds_are_of_these(tmp_path: Path) -> None:
    records = Records(tmp_path)
    for seed in range(3):
        add(records, replace(TRAINING, seed=seed), [seed / 4] * 2)
    assert records.accuracies(TRAINING, 10, seeds=range(1, 5)) == [0.25, 0.5]


def test_trainings_that_broke_off_are_returned_by_seed(tmp_path: Path) -> None:
    records = Records(tmp_path)
    for seed, finite in ((1, False), (0, True), (2, False)):
        add(records, replace(TRAINING, seed=seed, steps=5 * (seed + 1)), [0.0] * (seed + 1), finite=finite)
    add(records, replace(TRAINING, learning_rate=0.5), [0.0] * 2, finite=False)
    assert records.broken_off(TRAINING) == [1, 2]


def test_files_with_one_stem_have_different_records(tmp_path: Path) -> None:
    records = Records(tmp_path)
    for folder in "ab":
        add(records, replace(TRAINING, dataset=f"{folder}/images.npz"), [0.5, 0.5])
    assert len(list(tmp_path.glob("trainings/images_*/*.json"))) == 2


def test_only_the_circumstances_are_not_reproducible(tmp_path: Path) -> None:
    add(Records(tmp_path), TRAINING, [0.5, 0.75])
    record = read_record(next(tmp_path.glob("*/*/*.json")))
    assert record["command"] == TRAINING.command
    assert record["dataset"]["images"] == {"train": 1077, "validation": 360, "test": 360}
    assert {"commit", "measured", "seconds"} == record.keys() - reproducible(record).keys()


def test_a_record_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    write_record(tmp_path / "record.json", {"format": 1})
    with pytest.raises(TypeError):
        write_record(tmp_path / "record.json", {"format": object()})
    assert read_record(tmp_path / "record.json") == {"format": 1}
    assert [path.name for path in tmp_path.iterdir()] == ["record.json"]


@pytest.mark.parametrize(("text", "message"), [("{", "cannot be read as JSON"), ('{"format": 9}', "is of format 9")])
def test_other_files_are_refused_in_one_line(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "trainings" / "digits").mkdir(parents=True)
    (tmp_path / "trainings" / "digits" / "record.json").write_text(text)
    with pytest.raises(RecordError, match=message) as caught:
        Records(tmp_path)
    assert len(str(caught.value).splitlines()) == 1


def test_committed_records_are_named_after_what_they_hold() -> None:
    for path in (RESULTS / "trainings").glob("*/*.json"):
        training = Training(**json.loads(path.read_text())["training"])
        assert path == RESULTS / "trainings" / training.dataset / f"{training.name}.json"


#: MNIST's fingerprint in records of before it covered task and names of splits, and since; of the trainings in the
#: older ones, which the trainer of then rounded otherwise, none agrees with one of today to the last digit.
OLDER, TODAY = (
    "04ba1bc05e726244733be4eeeb73bd71df650fc079465c98ede1cb9d91f44bc1",
    "e5164cdb1379c7295112bb3cc627661206724d47d2937f9c0f8c76f4655db408",
)


def test_committed_records_have_the_losses_and_the_recipes_of_today() -> None:
    """A record must not stand for a loss or a recipe that has changed since."""
    data = set()
    for path in (RESULTS / "trainings").glob("*/*.json"):
        record = read_record(path)
        training = Training(**record["training"])
        assert record["expression"] == str(training.tree), path.name
        assert record["network"] == training.network, path.name
        config = recorded_config(record["config"])
        # Older records name the metric that is the task's own.
        assert replace(config, metric=config.metric or "accuracy") == replace(training.config, metric="accuracy")
        if training.train_fraction == 1:
            fingerprint = record["dataset"]["fingerprint"]
            data.add((training.dataset, training.test_split, TODAY if fingerprint == OLDER else fingerprint))
    assert len(data) == len({each[:2] for each in data}), "one data set, two fingerprints"


def test_committed_records_of_one_training_agree_where_both_were_measured() -> None:
    """Two lengths of one training are two runs of it: the shorter one's accuracies must be the longer one's."""
    records = [read_record(path) for path in (RESULTS / "trainings").glob("*/*.json")]
    by_training: dict[str, dict[int, tuple[float, float]]] = {}
    for record in records:
        training = Training(**record["training"])
        trainer = "older" if record["dataset"]["fingerprint"] == OLDER else ""
        key = f"{trainer} {replace(training, steps=1, evaluate_every=None, histogram_at=None).name}"
        outcome = record["outcome"]
        for step, *accuracies in zip(outcome["steps"], outcome["validation"], outcome["test"], strict=True):
            known = by_training.setdefault(key, {}).setdefault(step, tuple(accuracies))
            assert known == tuple(accuracies), f"{training.name} after {step} steps"


@pytest.mark.parametrize(
    "forged",
    [
        {"training": []},
        {"training": {"loss": "baikal", "steps": "10", "learning_rate": 0.05}},
        {"training": {"loss": "baikal", "steps": 10, "learning_rate": 0.05, "more": 1}},
        {"outcome": None},
        {"outcome": {"steps": [5], "validation": [0.5], "test": [{}], "finite": True}},
        {"outcome": {"steps": [5, 10], "validation": [0.5], "test": [0.5], "finite": True}},
    ],
)
def test_a_record_of_other_types_is_refused(tmp_path: Path, forged: dict[str, object]) -> None:
    add(Records(tmp_path), TRAINING, [0.5, 0.75])
    path = next(tmp_path.glob("*/*/*.json"))
    write_record(path, read_record(path) | forged)
    with pytest.raises(RecordError, match=r"delete it\.$"):
        Records(tmp_path)
