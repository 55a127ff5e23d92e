"""Conversion of a user's inputs, weights and indices to the types of a split."""

from typing import Any, TypeAlias

import jax
import numpy as np
from numpy.typing import ArrayLike, NDArray

from glojax.datasets.reading import explained
from glojax.errors import DatasetError

#: An array [N, ...] uint8, int32 or float32, or a pytree of them.
Inputs: TypeAlias = Any


def as_inputs(inputs: Any, num_examples: int, which: str) -> Inputs:
    """Convert inputs [N, ...] of the `which` split, or a pytree of them, to the types of a split."""
    if not _is_structure(inputs, num_examples):
        return _as_input(inputs, f"{which} inputs")
    with explained(ValueError, f"The {which} inputs make no pytree", "keys of one type: rename them"):
        return jax.tree_util.tree_map_with_path(
            lambda path, leaf: _as_input(leaf, f"{which} inputs{jax.tree_util.keystr(path)}"),
            inputs,
            is_leaf=lambda node: not _is_structure(node, num_examples),
        )


def _is_structure(inputs: Any, num_examples: int) -> bool:
    """Return whether inputs are a pytree of arrays; a list with an item for each example is one array."""
    if isinstance(inputs, list | tuple):
        leaves = () if len(inputs) == num_examples else jax.tree.leaves(inputs)
        return any(getattr(leaf, "ndim", 0) for leaf in leaves)
    return not jax.tree_util.all_leaves([inputs])


def _as_input(inputs: ArrayLike, what: str) -> NDArray[Any]:
    """Convert inputs [N, ...] to uint8, int32 or float32; grey uint8 images get a channel axis."""
    array = as_array(inputs, what)
    if array.dtype == np.uint8:
        return array[..., np.newaxis] if array.ndim == 3 else array
    if np.issubdtype(array.dtype, np.integer):
        limits = np.iinfo(np.int32)
        if array.size and not limits.min <= array.min() <= array.max() <= limits.max:
            raise DatasetError(
                f"The {what} run from {array.min()} to {array.max()}; expected whole numbers that int32 holds: "
                "renumber them, or convert them to floats."
            )
        return array.astype(np.int32, copy=False)
    if array.dtype.kind not in "bf":
        raise DatasetError(
            f"The {what} are {array.dtype}; expected uint8 pixels, other whole numbers, or floats: convert "
            "them with astype."
        )
    return as_float32(array)


def as_weights(weights: ArrayLike, which: str) -> NDArray[np.float32]:
    """Convert the weights [N] of the `which` split to float32."""
    array = as_array(weights, f"{which} weights")
    if array.dtype.kind not in "biuf":
        raise DatasetError(f"The {which} weights are {array.dtype}; expected numbers: convert them with astype.")
    return as_float32(array)


def as_indices(indices: ArrayLike, num_examples: int) -> NDArray[np.intp]:
    """Convert the indices of the validation examples among `num_examples` training examples to an array [M]."""
    array = as_array(indices, "validation indices")
    expected = f"expected different whole numbers from 0 to {num_examples - 1}, the indices of some training examples"
    if not np.issubdtype(array.dtype, np.integer) or array.ndim != 1:
        raise DatasetError(
            f"The validation indices are {array.dtype} of shape {array.shape}; {expected}: give a fraction, indices, "
            "or a tuple (inputs, targets)."
        )
    if array.size and not 0 <= array.min() <= array.max() < num_examples:
        raise DatasetError(
            f"The validation indices run from {array.min()} to {array.max()}; {expected}: correct those out of range."
        )
    if len(np.unique(array)) < len(array):
        raise DatasetError(
            f"The validation indices name an example more than once; {expected}: drop the repeated ones."
        )
    if not 0 < len(array) < num_examples:
        raise DatasetError(
            f"The validation indices name {len(array)} of {num_examples} training examples; {expected}: leave some "
            "for each of training and validation."
        )
    return array.astype(np.intp, copy=False)


def as_float32(array: NDArray[Any]) -> NDArray[np.float32]:
    """Convert an array to float32; what that does not hold becomes infinite, which a split refuses."""
    with np.errstate(over="ignore"):
        return array.astype(np.float32, copy=False)


def as_array(values: ArrayLike, what: str) -> NDArray[Any]:
    """Return values as an array, or raise DatasetError, which says what they are."""
    if np.ma.is_masked(values):
        raise DatasetError(f"The {what} have masked values; expected an array without: fill them, or drop those rows.")
    with explained(ValueError, f"The {what} make no array", "equal shapes: give an array"):  # lists of unequal lengths
        return np.asarray(values)
