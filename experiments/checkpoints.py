"""The states of trainings that were stopped, in the user's cache folder."""

import dataclasses
import json
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jax
import numpy as np
import platformdirs

from experiments.trainings import Training
from glojax.evaluation import checksum, decisive_versions, platform
from glojax.files import write_atomically
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
    return platformdirs.user_cache_path("glojax") / "experiments" / f"{training.name}-{checksum(identity)}.npz"


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
        with open(path, "rb") as file, np.load(file) as arrays:
            progress = Progress(**json.loads(str(arrays["progress"])))
            leaves = [arrays[f"leaf_{index}"] for index in range(len(jax.tree.leaves(shapes)))]
    except (OSError, ValueError, KeyError, zipfile.BadZipFile):
        return None
    state: TrainState = jax.tree.unflatten(jax.tree.structure(shapes), jax.device_put(leaves, device))
    return state, progress
