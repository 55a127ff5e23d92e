"""Data sets in the user's own .npz files."""

import difflib
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from numpy.lib.npyio import NpzFile
from numpy.typing import NDArray

from glojax.datasets.dataset import Dataset
from glojax.datasets.reading import explained
from glojax.errors import DatasetError

_REQUIRED: Final = ("x_train", "y_train", "x_test", "y_test")
_VALIDATION: Final = ("x_validation", "y_validation")
_INDICES: Final = "validation_indices"
_KNOWN: Final = (*_REQUIRED, *_VALIDATION, _INDICES)
_DEFAULT_FRACTION: Final = 0.1


def load_npz(path: Path, validation_fraction: float | None = None) -> Dataset:
    """Load a data set, with arrays as `load_dataset` describes them, and name it after the file."""
    names, arrays = _read_arrays(path)
    missing = [key for key in _REQUIRED if key not in arrays]
    if missing:
        raise DatasetError(
            f"{path} lacks {', '.join(missing)}, and holds {', '.join(names) or 'nothing'}; expected the arrays "
            f"{', '.join(_REQUIRED)}: save them under these names."
        )
    for key in names:
        if key not in _KNOWN and key.startswith(("x_", "y_", "validation")):
            nearest = difflib.get_close_matches(key, _KNOWN, n=1)
            raise DatasetError(
                f"{path} holds the unknown array {key!r}; expected {', '.join(_KNOWN)}: "
                f"{f'rename it, perhaps to {nearest[0]}' if nearest else 'rename or remove it'}."
            )
    given = [key for key in (*_VALIDATION, _INDICES) if key in arrays]
    if given and given not in ([*_VALIDATION], [_INDICES]):
        raise DatasetError(
            f"{path} holds {', '.join(given)}; expected either {' and '.join(_VALIDATION)} or {_INDICES}: add or "
            "remove some."
        )
    if given and validation_fraction is not None:
        raise DatasetError(
            f"{path} holds {', '.join(given)}, and the validation fraction {validation_fraction} was given; expected "
            "one of them: leave --validation-fraction out."
        )
    validation: Any = _DEFAULT_FRACTION if validation_fraction is None else validation_fraction
    if given:
        validation = arrays[_INDICES] if given == [_INDICES] else tuple(arrays[key] for key in _VALIDATION)
    try:
        dataset = Dataset.from_arrays(path.stem, *(arrays[key] for key in _REQUIRED), validation=validation)
    except DatasetError as error:
        raise DatasetError(f"{path}: {error}") from error
    return replace(dataset, origin=f"file {path}")


def _read_arrays(path: Path) -> tuple[list[str], dict[str, NDArray[Any]]]:
    """Read the names of all arrays, and those arrays that `load_npz` uses."""
    # NumPy and zipfile raise errors of many types. numpy.load would advise to allow pickled objects, which is not safe.
    expected = "a .npz file with arrays of numbers, without Python objects: save it with numpy.savez"
    with (
        explained(Exception, f"{path} cannot be read", expected),
        explained(OSError, f"{path} cannot be read", "a .npz file: check the path"),
        path.open("rb") as file,
        NpzFile(file, allow_pickle=False) as archive,
    ):
        return archive.files, {key: archive[key] for key in _KNOWN if key in archive.files}
