"""Trainings that were stopped, in the user's cache folder, so that they go on where they were."""

import contextlib
import dataclasses
import hashlib
import json
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jax
import numpy as np
import platformdirs

from experiments.trainings import Training
from glojax.evaluation import decisive_versions, platform
from glojax.files import write_atomically
from glojax.training import Train, TrainState


@dataclass
class Progress:
    """How far a training is, state aside.

    Attributes:
        step: Steps taken.
        seconds: Time spent.
        outcome: What was measured so far.
    """

    step: int = 0
    seconds: float = 0.0
    outcome: dict[str, Any] = field(
        default_factory=lambda: {"steps": [], "validation": [], "test": [], "histogram": None}
    )


def checkpoint_path(training: Training, fingerprint: str) -> Path:
    """Where the state of a training on the data of this fingerprint is kept; other code does not go on with it."""
    identity = [dataclasses.asdict(training), fingerprint, decisive_versions(), platform()]
    digest = hashlib.sha256(json.dumps(identity).encode()).hexdigest()[:16]
    return platformdirs.user_cache_path("glojax") / "experiments" / f"{training.name}-{digest}.npz"


def save(path: Path, state: TrainState, progress: Progress) -> None:
    """Write a whole file, or nothing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    arrays: dict[str, Any] = {f"leaf_{number}": np.asarray(leaf) for number, leaf in enumerate(jax.tree.leaves(state))}
    arrays["progress"] = np.array(json.dumps(dataclasses.asdict(progress)))
    write_atomically(path, lambda unfinished: np.savez(unfinished, **arrays))


def restore(path: Path, train: Train, key: jax.Array, device: jax.Device) -> tuple[TrainState, Progress] | None:
    """What `save` has written, on a device; None where there is nothing that can be read."""
    shapes = jax.eval_shape(train.begin, key)
    try:
        with open(path, "rb") as file, np.load(file) as arrays:
            progress = Progress(**json.loads(str(arrays["progress"])))
            leaves = [arrays[f"leaf_{number}"] for number in range(len(jax.tree.leaves(shapes)))]
    except (OSError, ValueError, KeyError, zipfile.BadZipFile):
        return None
    state: TrainState = jax.tree.unflatten(jax.tree.structure(shapes), jax.device_put(leaves, device))
    return state, progress


def remove(path: Path) -> None:
    """Forget a training that came to its end."""
    with contextlib.suppress(OSError):
        path.unlink()
