"""Data sets that tensorflow-datasets prepared, written here by its own classes for examples and features."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow_datasets as tfds
from array_record.python.array_record_module import ArrayRecordWriter
from PIL import Image
from tensorflow_datasets.core.example_serializer import ExampleSerializer

from glojax.datasets import load_dataset
from glojax.errors import DatasetError

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(256, size=(40, 6, 5, 3), dtype=np.uint8)
LABELS = np.arange(40) % 4
DIGITS = tfds.features.FeaturesDict(
    {"image": tfds.features.Image(shape=(6, 5, 3)), "label": tfds.features.ClassLabel(num_classes=4)}
)
EXAMPLES = [{"image": Image.fromarray(image), "label": int(label)} for image, label in zip(IMAGES, LABELS, strict=True)]


def prepare(
    folder: Path,
    features: Any,
    splits: Mapping[str, list[dict[str, Any]]],
    keys: tuple[str, str] | None = ("image", "label"),
    **info: Any,
) -> Path:
    """Write a folder as tensorflow-datasets prepares it, NAME/VERSION or NAME/CONFIG/VERSION."""
    folder.mkdir(parents=True)
    name = info.setdefault("name", folder.parent.name)
    serializer = ExampleSerializer(features.get_serialized_info())
    described = []
    for split, examples in splits.items():
        writer = ArrayRecordWriter(str(folder / f"{name}-{split}.array_record-00000-of-00001"), "group_size:1")
        for example in examples:
            writer.write(serializer.serialize_example(features.encode_example(example)))
        writer.close()
        described.append({"name": split, "shardLengths": [str(len(examples))]})
    features.save_config(folder)
    if keys is not None:
        info["supervisedKeys"] = {"tuple": {"items": [{"featureKey": key} for key in keys]}}
    content = {"fileFormat": "array_record", "version": folder.name, "splits": described} | info
    (folder / "dataset_info.json").write_text(json.dumps(content))
    return folder


@pytest.fixture
def digits(data_root: Path) -> Path:
    """A data set with training and test images."""
    return prepare(data_root / "shapes" / "1.0.0", DIGITS, {"train": EXAMPLES[:30], "test": EXAMPLES[30:]})


def assert_rejected(name: str | Path, found: str, **options: Any) -> None:
    with pytest.raises(DatasetError, match=found) as caught:
        load_dataset(name, **options)
    assert "expected" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_images_and_labels(digits: Path, data_root: Path) -> None:
    dataset = load_dataset("tfds:shapes")

    assert [len(split) for split in dataset.splits.values()] == [26, 4, 10]
    assert dataset.test is not None
    assert (dataset.test.inputs == IMAGES[30:]).all()
    assert dataset.test.targets.tolist() == LABELS[30:].tolist()
    assert (dataset.name, dataset.origin) == ("tfds-shapes", f"tensorflow-datasets folder {digits}: label from image")
    assert load_dataset("tfds:shapes", data_root / "shapes").fingerprint == dataset.fingerprint
    for name in ("tfds:shapes:1.0.0", digits):
        assert load_dataset(name).fingerprint == dataset.fingerprint


def test_versions_and_configurations(digits: Path, data_root: Path) -> None:
    prepare(data_root / "shapes" / "1.0.1", DIGITS, {"train": EXAMPLES[:20]})
    prepare(data_root / "letters" / "big" / "2.0.0", DIGITS, {"train": EXAMPLES}, name="letters", configName="big")

    assert load_dataset("tfds:shapes").test is None
    assert len(load_dataset("tfds:shapes:1.0.0").train) == 26
    assert len(load_dataset("tfds:letters/big").train) == 36
    assert_rejected("tfds:letters", "holds no data set letters; .*: name one of its configurations, big")
    assert_rejected("tfds:shapes:9.0.0", r"expected its folder shapes/9\.0\.0, as")
    assert_rejected("tfds:nowhere", r"prepare it with tfds\.builder\('nowhere', file_format='array_record'\)")
    assert_rejected("tfds:../shapes", r"expected tfds:NAME or tfds:NAME/CONFIG")


def test_a_folder_of_another_name_is_refused(digits: Path) -> None:
    assert_rejected("tfds:mnist", "holds 'shapes'; expected 'mnist'", data_dir=digits)


@pytest.mark.parametrize("encoding", ["none", "bytes", "zlib"])
def test_numbers_of_any_kind(encoding: str, data_root: Path) -> None:
    features = tfds.features.FeaturesDict(
        {
            "features": tfds.features.Tensor(shape=(2, 3), dtype=np.float32, encoding=encoding),
            "age": tfds.features.Scalar(np.int64),
            "weight": tfds.features.Tensor(shape=(), dtype=np.float64),
        }
    )
    numbers = RNG.normal(size=(30, 2, 3)).astype(np.float32)
    examples = [{"features": each, "age": index, "weight": index / 4} for index, each in enumerate(numbers)]
    prepare(data_root / "people" / "1.0.0", features, {"train": examples, "validation": examples[:5]}, keys=None)

    dataset = load_dataset("tfds:people", target="weight")

    assert (dataset.task, len(dataset.train), dataset.test) == ("regression", 30, None)
    assert (dataset.train.inputs == numbers).all()
    assert dataset.validation.targets[:, 0].tolist() == [0, 0.25, 0.5, 0.75, 1]
    assert load_dataset("tfds:people", target="age", task="regression").train.targets[:, 0].tolist() == list(range(30))
    assert_rejected("tfds:people", "has the features age, features, weight, of which features and None would be")


def test_jpeg_files_are_read(data_root: Path, tmp_path: Path) -> None:
    features = tfds.features.FeaturesDict(
        {"image": tfds.features.Image(encoding_format="jpeg"), "label": tfds.features.ClassLabel(num_classes=4)}
    )
    path = tmp_path / "one.jpg"
    Image.fromarray(IMAGES[0]).save(path, quality=95)
    prepare(
        data_root / "photos" / "1.0.0",
        features,
        {"train": [{"image": path, "label": index % 4} for index in range(30)]},
    )

    assert (load_dataset("tfds:photos").train.inputs[3] == np.asarray(Image.open(path))).all()


def test_pictures_of_different_sizes_are_refused(data_root: Path) -> None:
    features = tfds.features.FeaturesDict(
        {"image": tfds.features.Image(), "label": tfds.features.ClassLabel(num_classes=4)}
    )
    examples = [*EXAMPLES[:3], {"image": Image.fromarray(IMAGES[0, :3]), "label": 1}]
    prepare(data_root / "photos" / "1.0.0", features, {"train": examples})

    assert_rejected("tfds:photos", r"holds image of shape \(3, 5, 3\) and of shape \(6, 5, 3\); expected one shape")


def test_unknown_test_labels_are_left_out(data_root: Path, caplog: pytest.LogCaptureFixture) -> None:
    unknown = [example | {"label": -1} for example in EXAMPLES[30:]]
    prepare(data_root / "shapes" / "1.0.0", DIGITS, {"train": EXAMPLES[:30], "test": unknown})

    assert load_dataset("tfds:shapes").test is None
    assert "all labels of the test split are -1, which means unknown; it was left out" in caplog.text


@pytest.mark.parametrize(
    ("kind", "found"),
    [
        (tfds.features.Text(), "the feature image, text, which glojax does not read"),
        (tfds.features.Sequence(np.int64), "the feature image, sequence, which"),
        (tfds.features.Image(shape=(6, 5, 1), dtype=np.uint16), "the feature image, image, which"),
        (tfds.features.Tensor(shape=(None, 3), dtype=np.float32), "the feature image, tensor, which"),
        (tfds.features.FeaturesDict({"x": np.int64}), "the feature image, featuresDict, which"),
    ],
    ids=["text", "sequence", "uint16", "any shape", "nested"],
)
def test_what_cannot_be_read_is_named(kind: Any, found: str, digits: Path) -> None:
    tfds.features.FeaturesDict({"image": kind, "label": tfds.features.ClassLabel(num_classes=4)}).save_config(digits)

    assert_rejected("tfds:shapes", found)


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"featuresDict": {"features": {"image": 3, "label": {}}}}'])
def test_a_damaged_description_is_refused(text: str, digits: Path) -> None:
    (digits / "features.json").write_text(text)

    assert_rejected("tfds:shapes", str(digits))


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        ({"splits": [{"name": "train", "shardLengths": ["29"]}]}, "more than 29 records"),
        ({"splits": [{"name": "train", "shardLengths": ["31"]}]}, "30 of 31 records of train"),
        ({"splits": [{"name": "train", "shardLengths": ["x"]}]}, "cannot be read .invalid literal"),
        ({"splits": [{"name": "all", "shardLengths": ["3"]}]}, "has the splits all; expected one that is named train"),
        ({"splits": 3}, "cannot be read"),
        ({"name": "../shapes"}, "holds data set '../shapes'"),
        ({"fileFormat": "tfrecord"}, "as 'tfrecord'; expected one as 'array_record'"),
        (
            {"supervisedKeys": {"tuple": {"items": [{"featureKey": "image"}, {"featureKey": "x"}]}}},
            "of which image and x",
        ),
    ],
)
def test_a_description_that_does_not_fit_is_refused(fields: dict[str, Any], found: str, digits: Path) -> None:
    path = digits / "dataset_info.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))

    assert_rejected("tfds:shapes", found)


def test_a_folder_that_unpacks_to_much_more_is_refused(digits: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("glojax.datasets.tfds.MAX_UNPACKED", 1_000)
    monkeypatch.setattr("glojax.datasets.tfds.MAX_RATIO", 0)

    assert_rejected("tfds:shapes", "unpacks to more than 1,000 bytes")


def test_a_module_that_the_folder_names_is_not_imported(
    digits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "planted.py").write_text(f"open({str(tmp_path / 'harm')!r}, 'w').close()\n")
    monkeypatch.syspath_prepend(tmp_path)
    described = json.loads((digits / "features.json").read_text())
    for feature in described["featuresDict"]["features"].values():
        feature["pythonClassName"] = "planted.Feature"
    (digits / "features.json").write_text(json.dumps(described | {"pythonClassName": "planted.Feature"}))

    assert len(load_dataset("tfds:shapes").train) == 26
    assert not (tmp_path / "harm").exists()
