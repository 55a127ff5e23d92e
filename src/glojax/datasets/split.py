"""One split of a data set: inputs, targets and perhaps weights, in memory."""

from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
from numpy.typing import NDArray

from glojax.datasets.arrays import Inputs
from glojax.datasets.targets import Targets
from glojax.errors import DatasetError


@dataclass(frozen=True, eq=False)
class Split:
    """Examples, held as read-only views of the given arrays.

    Attributes:
        inputs: [N, ...] uint8 pixels, which stand for pixel / 255, or int32 or finite float32, which the network sees
            as they are; or a pytree of such arrays, which it sees in the same structure.
        targets: [N, ...] int32 or finite float32; see `Dataset` for what they are.
        weights: [N] float32, at least 0 and not all 0: how much each example counts, in losses and metrics. None for 1.

    Examples:
        >>> split = Split(np.zeros((5, 8, 8, 1), np.uint8), np.arange(5, dtype=np.int32))
        >>> len(split)
        5
        >>> split
        Split(inputs=uint8[5, 8, 8, 1], targets=int32[5])
    """

    inputs: Inputs
    targets: Targets
    weights: NDArray[np.float32] | None = None

    def __post_init__(self) -> None:
        if not jax.tree.leaves(self.inputs):
            raise DatasetError("The inputs hold no array; expected one, or a dict, tuple or list of some: give some.")
        types = {"targets": ("int32", "float32"), "weights": ("float32",)}
        first, size = "", 0
        for name, array in self.arrays.items():
            expected = types.get(name, ("uint8", "int32", "float32"))
            if array.dtype not in expected:
                raise DatasetError(
                    f"The {name} are {array.dtype}; expected {' or '.join(expected)}: convert them with astype."
                )
            if array.ndim == 0 or 0 in array.shape:
                raise DatasetError(
                    f"The {name} have shape {array.shape}; expected [N, ...], none of them 0: give some."
                )
            first, size = first or name, size or len(array)
            if len(array) != size:
                raise DatasetError(
                    f"Got {size} {first} and {len(array)} {name}; expected as many {name} as {first}: check that both "
                    "belong to the same split."
                )
            if array.dtype == np.float32 and not np.isfinite(array).all():
                raise DatasetError(
                    f"The {name} hold NaN or infinity; expected finite numbers: remove or repair those examples."
                )
        for name in ("inputs", "targets", "weights"):
            object.__setattr__(self, name, jax.tree.map(_read_only, getattr(self, name)))
        if self.weights is not None and (self.weights.ndim != 1 or self.weights.min() < 0 or not self.weights.any()):
            raise DatasetError(
                f"The weights have shape {self.weights.shape} and run from {self.weights.min():g} to "
                f"{self.weights.max():g}; expected [N], at least 0 and not all 0: correct them."
            )

    @property
    def arrays(self) -> dict[str, NDArray[Any]]:
        """All arrays by name: inputs, or inputs['image'] and the like of a pytree; targets; and weights if any."""
        leaves, _ = jax.tree_util.tree_flatten_with_path(self.inputs)
        arrays = {f"inputs{jax.tree_util.keystr(path)}": leaf for path, leaf in leaves} | {"targets": self.targets}
        return arrays if self.weights is None else arrays | {"weights": self.weights}

    def __len__(self) -> int:
        return len(self.targets)

    def __repr__(self) -> str:
        arrays = (f"{name}={array.dtype}{list(array.shape)}" for name, array in self.arrays.items())
        return f"Split({', '.join(arrays)})"

    def take(self, indices: NDArray[np.intp] | slice) -> "Split":
        """Return the examples at the indices."""
        weights = None if self.weights is None else self.weights[indices]
        return Split(jax.tree.map(lambda leaf: leaf[indices], self.inputs), self.targets[indices], weights)


def _read_only(array: NDArray[Any]) -> NDArray[Any]:
    view = array.view()
    view.flags.writeable = False
    return view
