"""Any data set that tensorflow-datasets prepared as array_record, read from its own files without its builders."""

import logging
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np

from glojax.datasets.given import Examples, GivenArrays
from glojax.datasets.prepared import REPAIR, find_prepared, is_prepared, read_description, read_info
from glojax.datasets.reading import MAX_RATIO, MAX_UNPACKED, explained
from glojax.datasets.records import Feature, Numbers, Picture, read_records
from glojax.errors import DatasetError

_LOGGER = logging.getLogger(__name__)

#: What the name of such a data set begins with.
PREFIX: Final = "tfds:"

#: Names of features that are taken for inputs and targets where the folder does not say which are.
_INPUTS: Final = ("image", "features", "inputs", "input")
_TARGETS: Final = ("label", "target", "labels", "targets")

_SPLITS: Final = ("train", "validation", "test")


def find_tfds(name: str, data_dir: Path) -> Path:
    """Return the folder of `NAME` or `NAME/CONFIG`, the newest without `:VERSION`; `data_dir` is it or is above it."""
    match = re.fullmatch(r"(\w+(?:/[\w-][\w.-]*)?)(?::(\d+\.\d+\.\d+))?", name)
    if match is None:
        raise DatasetError(
            f"The data set is {PREFIX}{name}; expected {PREFIX}NAME or {PREFIX}NAME/CONFIG, each perhaps with "
            f":VERSION, such as {PREFIX}mnist:3.0.1: correct it."
        )
    below, version = match.groups()
    found = find_prepared(data_dir, below)
    if version is not None and found is not None and found.name != version:
        found = data_dir / below / version if is_prepared(data_dir / below / version) else None
    if found is not None:
        info, (stem, _, config) = read_info(found), below.partition("/")
        if info["name"] != stem or info.get("configName", "") != config:
            holds = "/".join(filter(None, (info["name"], str(info.get("configName", "")))))
            raise DatasetError(f"{found} holds {holds!r}; expected {below!r}: name another folder with --data-dir.")
        return found
    configs = sorted(path.parent.parent.name for path in data_dir.glob(f"{below}/*/*/dataset_info.json"))
    advice = (
        f"prepare it with tfds.builder({name!r}, file_format='array_record').download_and_prepare(), or name its "
        "folder with --data-dir or TFDS_DATA_DIR"
    )
    if configs:
        advice = f"name one of its configurations, {', '.join(dict.fromkeys(configs))}"
    raise DatasetError(
        f"{data_dir} holds no data set {name}; expected its folder {below}/{version or 'VERSION'}, as "
        f"tensorflow-datasets prepares it: {advice}."
    )


def read_tfds(folder: Path, target: str | None) -> GivenArrays:
    """Read the splits train, validation and test of a prepared folder, as far as it has them.

    Inputs and targets are the folder's supervised keys, or else what their names say; `target` may name another target.
    """
    info = read_info(folder)
    described = read_description(folder / "features.json").get("featuresDict")
    features = described.get("features") if isinstance(described, dict) else None
    if not isinstance(features, dict):
        raise DatasetError(f"{folder} describes no features; expected a dictionary of them in features.json: {REPAIR}.")
    keys = _keys(folder, info, features, target)
    kinds = {key: _feature(folder, key, features[key]) for key in keys}
    arrays = {}
    # The libraries that read records and pictures raise errors of many types, and so does a description that lies.
    with explained(Exception, f"{folder} cannot be read", f"whole array_record files: {REPAIR}"):
        counts = {split["name"]: sum(map(int, split["shardLengths"])) for split in info["splits"]}
        size = sum(os.path.getsize(path) for path in folder.glob("*.array_record-*"))
        for split in _SPLITS:
            if counts.get(split):
                limits = counts[split], max(MAX_UNPACKED, MAX_RATIO * size)
                found = read_records(folder, info["name"], split, kinds, *limits)
                inputs, targets = (found[key] for key in keys)
                if len(targets) != counts[split]:
                    raise ValueError(f"{len(targets):,} of {counts[split]:,} records of {split}")
                arrays[split] = Examples(inputs, targets)
    if "train" not in arrays:
        raise DatasetError(f"{folder} has the splits {', '.join(counts)}; expected one that is named train: {REPAIR}.")
    if "test" in arrays and (arrays["test"].targets == -1).all():
        _LOGGER.warning("%s: all labels of the test split are -1, which means unknown; it was left out.", folder)
        del arrays["test"]
    origin = f"tensorflow-datasets folder {folder}: {keys[1]} from {keys[0]}"
    return GivenArrays(origin, arrays["train"], arrays.get("test"), arrays.get("validation"))


def _keys(folder: Path, info: Mapping[str, Any], features: Mapping[str, Any], target: str | None) -> tuple[str, str]:
    """Return the names of the features that are inputs and targets."""
    try:
        found = [item["featureKey"] for item in info["supervisedKeys"]["tuple"]["items"]]
    except (KeyError, TypeError):
        found = [next((key for key in names if key in features), None) for names in (_INPUTS, _TARGETS)]
    found = [*found[:1], target or found[-1]] if len(found) == 2 else [None, target]
    if not all(isinstance(key, str) and key in features for key in found) or found[0] == found[1]:
        raise DatasetError(
            f"{folder} has the features {', '.join(features)}, of which {found[0]} and {found[1]} would be input and "
            "target; expected two that are there: name the target with --target, or prepare them as image and label."
        )
    return found[0], found[1]


def _feature(folder: Path, key: str, described: Any) -> Feature:
    """Return how to read a feature, or raise DatasetError where that takes tensorflow-datasets."""
    try:
        if "classLabel" in described:
            return Numbers((), np.dtype(np.int64))
        content = described.get("image") or described["tensor"]
        extents = tuple(int(extent) for extent in content.get("shape", {}).get("dimensions", ()))
        dtype = np.dtype(content.get("dtype") or "uint8")
        if "image" in described and dtype == np.uint8 and not content.get("useColormap"):
            return Picture(tuple(None if extent < 0 else extent for extent in extents), ("PNG", "JPEG"))
        if "tensor" in described and dtype.kind in "biuf" and all(extent >= 0 for extent in extents):
            return Numbers(extents, dtype, str(content.get("encoding") or "none"))
    except (KeyError, TypeError, ValueError, AttributeError):
        pass
    kinds = described.keys() - {"pythonClassName", "description"} if isinstance(described, dict) else []
    raise DatasetError(
        f"{folder} has the feature {key}, {', '.join(sorted(kinds)) or 'of an unknown kind'}, which glojax does not "
        "read; expected an image of uint8, a class label, or numbers of a fixed shape: prepare it as one of these."
    )
