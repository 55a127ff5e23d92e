"""The states of trainings that were stopped, in the user's cache folder."""

import dataclasses
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import dacite
import jax
import numpy as np

from experiments.trainings import Training
from glojax.datasets.reading import require_unpacked_size
from glojax.evaluation import checksum, decisive_versions, platform
from glojax.files import user_cache, write_atomically
from glojax.regular_files import MAX_OBJECT, open_own, parse_json
from glojax.training import Train, TrainState


@dataclass
class Progress:
    """The progress of a training.

    Attributes:
        step: Steps taken.
        seconds: Time spent.
        outcome: The measurements so far.
    """

    step: int = 0
    seconds: float = 0.0
    outcome: dict[str, Any] = field(
        default_factory=lambda: {"steps": [], "validation": [], "test": [], "histogram": None}
    )


def checkpoint_path(training: Training, fingerprint: str) -> Path:
    """Return the path for the state of a training on the data of this fingerprint; other code has another path."""
    identity = {
        "training": dataclasses.asdict(training),
        "dataset": fingerprint,
        "versions": decisive_versions(),
        "platform": platform(),
    }
    return user_cache() / "experiments" / f"{training.name}-{checksum(identity)}.npz"


def save(path: Path, state: TrainState, progress: Progress) -> None:
    """Write a checkpoint atomically."""
    path.parent.mkdir(parents=True, exist_ok=True)
    arrays: dict[str, Any] = {f"leaf_{index}": np.asarray(leaf) for index, leaf in enumerate(jax.tree.leaves(state))}
    arrays["progress"] = np.array(json.dumps(dataclasses.asdict(progress)))
    write_atomically(path, lambda unfinished: np.savez(unfinished, **arrays))


def restore(path: Path, train: Train, key: jax.Array, device: jax.Device) -> tuple[TrainState, Progress] | None:
    """Read a checkpoint, and put the state on a device; None if there is no readable one."""
    shapes = jax.eval_shape(train.begin, key)
    try:
        with open(path, "rb", opener=open_own) as file, np.load(file, allow_pickle=False) as arrays:
            names = [f"leaf_{index}" for index in range(len(jax.tree.leaves(shapes)))]
            size = sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(shapes))
            require_unpacked_size(arrays, ["progress", *names], 2 * size + MAX_OBJECT)
            progress = dacite.from_dict(Progress, parse_json(str(arrays["progress"])), dacite.Config(strict=True))
            leaves = [arrays[name] for name in names]
    except Exception:  # NumPy and zipfile raise errors of many types
        return None
    if [(leaf.shape, leaf.dtype) for leaf in leaves] != [(leaf.shape, leaf.dtype) for leaf in jax.tree.leaves(shapes)]:
        return None
    state: TrainState = jax.tree.unflatten(jax.tree.structure(shapes), jax.device_put(leaves, device))
    return state, progress
