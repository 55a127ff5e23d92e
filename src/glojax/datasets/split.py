"""One split of a data set: inputs, targets and perhaps weights, in memory."""

from dataclasses import dataclass
from typing import Any

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
            as they are.
        targets: [N, ...] int32 or finite float32; see `Dataset` for what they are.
        weights: [N] float32, at least 0 and not all 0: how much each example counts, in losses and metrics. None for 1.

    Example:
        >>> split = Split(np.zeros((5, 8, 8, 1), np.uint8), np.arange(5, dtype=np.int32))
        >>> len(split)
        5
    """

    inputs: Inputs
    targets: Targets
    weights: NDArray[np.float32] | None = None

    def __post_init__(self) -> None:
        arrays: dict[str, NDArray[Any]] = {"inputs": self.inputs, "targets": self.targets}
        arrays |= {} if self.weights is None else {"weights": self.weights}
        types = {"inputs": ("uint8", "int32", "float32"), "targets": ("int32", "float32"), "weights": ("float32",)}
        for name, array in arrays.items():
            if array.dtype not in types[name]:
                raise DatasetError(
                    f"The {name} are {array.dtype}; expected {' or '.join(types[name])}: convert them with astype."
                )
            if array.ndim == 0 or 0 in array.shape:
                raise DatasetError(
                    f"The {name} have shape {array.shape}; expected [N, ...], none of them 0: give some."
                )
            if len(array) != len(self.inputs):
                raise DatasetError(
                    f"Got {len(self.inputs)} inputs and {len(array)} {name}; expected as many {name} as inputs: check "
                    "that both belong to the same split."
                )
            if array.dtype == np.float32 and not np.isfinite(array).all():
                raise DatasetError(
                    f"The {name} hold NaN or infinity; expected finite numbers: remove or repair those examples."
                )
            view = array.view()
            view.flags.writeable = False
            object.__setattr__(self, name, view)
        if self.weights is not None and (self.weights.ndim != 1 or self.weights.min() < 0 or not self.weights.any()):
            raise DatasetError(
                f"The weights have shape {self.weights.shape} and run from {self.weights.min():g} to "
                f"{self.weights.max():g}; expected [N], at least 0 and not all 0: correct them."
            )

    def __len__(self) -> int:
        return len(self.targets)

    def take(self, indices: NDArray[np.intp] | slice) -> "Split":
        """Return the examples at the indices."""
        weights = None if self.weights is None else self.weights[indices]
        return Split(self.inputs[indices], self.targets[indices], weights)
