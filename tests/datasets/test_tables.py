"""Tables of a user's own, compared with what NumPy and scikit-learn make of the same columns."""

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from glojax.datasets import load_dataset
from glojax.errors import DatasetError

RNG = np.random.default_rng(0)
COLUMNS: dict[str, list[Any]] = {
    "area": [round(area, 3) for area in RNG.uniform(30, 200, 60).tolist()],
    "rooms": RNG.integers(1, 9, 60).tolist(),
    "city": [("Kyiv", "Lyon, old town", "Bern")[index % 3] for index in range(60)],
    "garden": [index % 2 == 0 for index in range(60)],
    "price": RNG.uniform(1e5, 9e5, 60).tolist(),
    "kind": [("house", "flat")[index % 2] for index in range(60)],
    "stars": [1 + index % 5 for index in range(60)],
}


def write(path: Path, columns: Mapping[str, Any]) -> Path:
    """Write a table with the format that the name says."""
    if path.suffix == ".parquet":
        parquet.write_table(pa.table(columns), path)
        return path
    with path.open("w", newline="") as file:
        writer = csv.writer(file, delimiter={"homes.tsv": "\t", "european.csv": ";"}.get(path.name, ","))
        writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))
    return path


def assert_rejected(path: Path, found: str, **options: Any) -> None:
    with pytest.raises(DatasetError, match=found) as caught:
        load_dataset(path, **options)
    assert str(path) in str(caught.value)
    assert "expected" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["homes.csv", "european.csv", "homes.tsv", "homes.parquet"])
def test_numbers_are_standardised_and_texts_one_hot(name: str, tmp_path: Path) -> None:
    dataset = load_dataset(write(tmp_path / name, COLUMNS), target="price", test_split="held-out")

    assert (dataset.task, dataset.num_outputs) == ("regression", 1)
    parts = {split: len(each) for split, each in dataset.splits.items()}
    assert parts == {"train": 43, "validation": 5, "test": 12}
    rows = {np.float32(price): index for index, price in enumerate(COLUMNS["price"])}
    order = [rows[price] for split in dataset.splits.values() for price in split.targets[:, 0]]
    assert sorted(order) == list(range(60))
    names = ("area", "rooms", "garden", "stars")
    numbers = np.array([COLUMNS[name] for name in names], float).T[order]
    scaled = StandardScaler().fit(numbers[:43]).transform(numbers)
    texts = np.array([COLUMNS[name] for name in ("city", "kind")]).T[order]
    one_hot = OneHotEncoder(sparse_output=False).fit_transform(texts)
    expected = np.concatenate([scaled[:, :2], one_hot[:, :3], scaled[:, 2:3], one_hot[:, 3:], scaled[:, 3:]], axis=1)
    found = np.concatenate([split.inputs for split in dataset.splits.values()])
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6)
    assert dataset.origin == (
        f"table {tmp_path / name}: price (numbers) from 4 columns of numbers, standardised, and 2 of text, one-hot"
    )


def test_parquet_and_csv_are_the_same(tmp_path: Path) -> None:
    one, other = (write(tmp_path / name, COLUMNS) for name in ("homes.csv", "homes.parquet"))

    assert load_dataset(one, target="kind").fingerprint == load_dataset(other, target="kind").fingerprint


@pytest.mark.parametrize(
    ("target", "classes"),
    [
        ("kind", "flat, house"),
        ("stars", "1, 2, 3, 4, 5"),
        ("garden", "False, True"),
        ("city", "Bern, Kyiv, Lyon, old town"),
    ],
)
def test_text_truth_and_few_whole_numbers_are_classes(target: str, classes: str, tmp_path: Path) -> None:
    path = write(tmp_path / "homes.parquet", COLUMNS)

    dataset = load_dataset(path, target=target, validation_fraction=0.5)

    names = sorted(set(COLUMNS[target]))
    assert (dataset.task, dataset.num_outputs) == ("classification", len(names))
    counts = np.bincount(np.concatenate([dataset.train.targets, dataset.validation.targets]))
    assert counts.tolist() == [COLUMNS[target].count(name) for name in names]
    assert f"{target} ({len(names)} classes: {classes})" in dataset.origin


def test_a_task_decides_what_whole_numbers_are(tmp_path: Path) -> None:
    path = write(tmp_path / "homes.csv", COLUMNS | {"year": [1900 + index for index in range(60)]})

    numbers = load_dataset(path, target="stars", task="regression")
    assert set(numbers.train.targets.ravel().tolist()) == {1, 2, 3, 4, 5}
    assert load_dataset(path, target="year").task == "regression"
    with pytest.raises(DatasetError, match="leaves no example"):  # each year is a class of its own
        load_dataset(path, target="year", task="classification")
    assert_rejected(
        path, "'city' was given the task 'regression'; expected classification, as", target="city", task="regression"
    )


def test_a_folder_of_tables_has_its_own_splits(tmp_path: Path) -> None:
    for split, rows in (("train", slice(40)), ("validation", slice(40, 50)), ("test", slice(50, 60))):
        write(tmp_path / f"{split}.csv", {name: values[rows] for name, values in COLUMNS.items()})

    dataset = load_dataset(tmp_path, target="kind")

    assert [len(split) for split in dataset.splits.values()] == [40, 10, 10]
    assert dataset.train.inputs[:, 0].mean() == pytest.approx(0, abs=1e-6)
    assert dataset.test is not None
    assert dataset.test.targets.tolist() == [1, 0] * 5


def test_a_class_that_only_the_test_has_is_called_by_its_name(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write(tmp_path / "train.csv", {"length": [1.0, 2.5] * 10, "species": ["cat", "eel"] * 10})
    write(tmp_path / "test.csv", {"length": [1.5, 2.0], "species": ["cat", "dog"]})

    assert load_dataset(tmp_path, target="species").num_outputs == 3
    assert "no training example has the label dog of the test split, which no network can learn" in caplog.text


def test_a_column_of_row_numbers_is_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with_numbers = write(tmp_path / "one.csv", {"": list(range(60))} | COLUMNS)
    without = write(tmp_path / "other.csv", COLUMNS)

    assert load_dataset(with_numbers, target="kind").fingerprint == load_dataset(without, target="kind").fingerprint
    assert "a column without a name, probably the numbers of the rows, was left out" in caplog.text


@pytest.mark.parametrize("name", ["__index_level_0__", "Unnamed: 0"])
def test_the_index_that_pandas_writes_is_left_out(name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with_index = write(tmp_path / "one.parquet", COLUMNS | {name: list(range(60))})
    without = write(tmp_path / "other.parquet", COLUMNS)

    assert load_dataset(with_index, target="kind").fingerprint == load_dataset(without, target="kind").fingerprint
    assert f"the column {name!r}, probably the numbers of the rows, was left out" in caplog.text
    assert load_dataset(with_index, target=name).num_outputs == 1


@pytest.mark.parametrize("start", [1_700_000_000, 10**15, 2**60, -1e9])
def test_numbers_that_float32_would_not_tell_apart_are_told_apart(start: float, tmp_path: Path) -> None:
    columns = {"kind": COLUMNS["kind"], "area": COLUMNS["area"]}
    near = load_dataset(write(tmp_path / "near.csv", columns | {"time": list(range(60))}), target="kind")
    times = [start + index for index in range(60)]
    far = load_dataset(write(tmp_path / "far.csv", columns | {"time": times}), target="kind")

    np.testing.assert_allclose(far.train.inputs, near.train.inputs, atol=1e-6)


def test_a_target_that_float32_would_not_tell_apart_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "homes.csv", COLUMNS | {"price": [1_700_000_000 + index for index in range(60)]})
    assert_rejected(path, "'price' runs from 1700000000 to 1700000059, which float32 hardly tells", target="price")


def test_an_index_in_one_table_of_a_folder_is_left_out(tmp_path: Path) -> None:
    write(tmp_path / "train.parquet", COLUMNS | {"__index_level_0__": list(range(60))})
    write(tmp_path / "test.parquet", COLUMNS)
    assert len(load_dataset(tmp_path, target="kind").splits["test"]) == 60


def test_whole_numbers_that_were_written_as_floats_are_classes(tmp_path: Path) -> None:
    stars = [float(star) for star in COLUMNS["stars"]]
    whole = load_dataset(write(tmp_path / "whole.csv", COLUMNS | {"stars": stars}), target="stars")
    assert (whole.task, whole.num_outputs) == ("classification", 5)
    assert "stars (5 classes: 1, 2, 3, 4, 5)" in whole.origin

    halves = load_dataset(write(tmp_path / "halves.csv", COLUMNS | {"stars": [0.5, *stars[1:]]}), target="stars")
    assert halves.task == "regression"


@pytest.mark.parametrize(
    ("text", "found"),
    [("L\xe4nge,kind\n1,a\n2,b\n", "cannot be read"), ("length,kind\n1,\xe4\n2,b\n", "holds text that is not UTF-8")],
    ids=["name", "value"],
)
def test_text_that_is_not_utf8_is_refused(text: str, found: str, tmp_path: Path) -> None:
    path = tmp_path / "latin.csv"
    path.write_bytes(text.encode("latin-1"))
    assert_rejected(path, found, target="kind")


def test_the_target_is_asked_for(tmp_path: Path) -> None:
    path = write(tmp_path / "homes.csv", COLUMNS)

    assert_rejected(path, "was given no target; expected one of its columns area, rooms, city, .*: name .* --target")
    assert_rejected(path, "has no column 'prize' .*Did you mean 'price'?", target="prize")
    assert_rejected(write(tmp_path / "one.csv", {"price": [1, 2]}), "expected one of its columns price", target="price")


@pytest.mark.parametrize(
    ("column", "found"),
    [
        ([None, *range(59)], "'extra' lacks 1 of 60 values; expected all: fill them"),
        ([float("nan"), 0.5, *range(58)], "'extra' lacks 1 of 60 values"),
        ([f"2026-01-{1 + index % 9:02d}" for index in range(60)], r"'extra' is date32\[day\]; expected numbers, text"),
        ([f"person {index}" for index in range(60)] * 2, "'extra' holds 120 different texts; expected at most 100"),
    ],
    ids=["missing", "NaN", "date", "text"],
)
def test_a_column_of_another_kind_is_named(column: list[Any], found: str, tmp_path: Path) -> None:
    columns = COLUMNS
    if len(column) > 60:
        column = [f"{text} {index}" for index, text in enumerate(column)]
        columns = {name: values * 2 for name, values in COLUMNS.items()}

    assert_rejected(write(tmp_path / "homes.csv", columns | {"extra": column}), found, target="kind")


def test_a_parquet_file_that_unpacks_to_much_more_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "bomb.parquet", {"x": np.zeros(20_000_000, np.int8), "y": np.zeros(20_000_000, np.int8)})

    assert_rejected(path, r"cannot be read \(it unpacks to 3.*, more than 67,108,864\)", target="y")


@pytest.mark.parametrize("name", ["bad.csv", "bad.parquet"])
def test_a_damaged_file_is_refused(name: str, tmp_path: Path) -> None:
    assert_rejected(tmp_path / name, "cannot be read .No such file", target="x")
    (tmp_path / name).write_bytes(b'x,y\n1,2\n3\n"')
    assert_rejected(tmp_path / name, r"cannot be read \(.*; expected a whole table with the names", target="x")
    (tmp_path / name).write_bytes(b"")
    assert_rejected(tmp_path / name, "cannot be read", target="x")


def test_two_columns_of_a_name_are_refused(tmp_path: Path) -> None:
    (tmp_path / "twice.csv").write_text("x,x,y\n1,2,3\n")

    assert_rejected(tmp_path / "twice.csv", "has two columns of the same name", target="y")


@pytest.mark.parametrize(
    ("tables", "found"),
    [
        ({"train": "x,y\n"}, "has no rows; expected some below the names of its columns: check the file."),
        ({"train": "y\n1\n"}, "has no column 'y' beside others; expected one of its columns y: name the one"),
        ({"train": "x,y\n,1\n,2\n"}, "the column 'x' lacks 2 of 2 values; expected all: fill them"),
        ({"train": "x,y\n1e300,1\n2,2\n3,1\n4,2\n"}, "The inputs hold NaN or infinity"),
        ({"train": "x,y\n1,1\n", "test": "x\n1\n"}, "train.csv do not share the columns y; expected the same columns"),
    ],
)
def test_tables_that_lack_something_are_refused(tables: dict[str, str], found: str, tmp_path: Path) -> None:
    for split, text in tables.items():
        (tmp_path / f"{split}.csv").write_text(text)

    assert_rejected(tmp_path, found, target="y", validation_fraction=0.5)
