"""A user's own .npz file of arrays."""

import difflib
from pathlib import Path
from typing import Any, Final

from numpy.lib.npyio import NpzFile
from numpy.typing import NDArray

from glojax.datasets.given import Examples, GivenArrays
from glojax.datasets.reading import explained, require_unpacked_size, unpacked_limit
from glojax.errors import DatasetError
from glojax.regular_files import open_given

_TRAIN, _TEST, _VALIDATION = (
    (f"x_{split}", f"y_{split}", f"weights_{split}") for split in ("train", "test", "validation")
)
_INDICES: Final = "validation_indices"
_KNOWN: Final = (*_TRAIN, *_TEST, *_VALIDATION, _INDICES)


def read_npz(path: Path) -> GivenArrays:
    """Read arrays with the names that `load_dataset` describes."""
    # NumPy and zipfile raise errors of many types. numpy.load would advise to allow pickled objects, which is not safe.
    expected = "a .npz file with arrays of numbers, without Python objects: save it with numpy.savez"
    with (
        explained(Exception, f"{path} cannot be read", expected),
        explained(OSError, f"{path} cannot be read", "a .npz file: check the path"),
        open(path, "rb", opener=open_given) as file,
        NpzFile(file, allow_pickle=False) as archive,
    ):
        require_unpacked_size(archive, _KNOWN, unpacked_limit(file))
        names = archive.files
        arrays: dict[str, NDArray[Any]] = {key: archive[key] for key in _KNOWN if key in names}
    needed = [*_TRAIN[:2], *(_TEST[:2] if any(key in arrays for key in _TEST) else ())]
    if missing := [key for key in needed if key not in arrays]:
        raise DatasetError(
            f"{path} lacks {', '.join(missing)}, and holds {', '.join(names) or 'nothing'}; expected the arrays "
            f"{', '.join((*_TRAIN[:2], *_TEST[:2]))}, the last two only if there is a test set: save them under these "
            "names."
        )
    for key in names:
        if key not in _KNOWN and key.startswith(("x_", "y_", "weight", "sample_weight", "validation")):
            nearest = difflib.get_close_matches(key, _KNOWN, n=1)
            raise DatasetError(
                f"{path} holds the unknown array {key!r}; expected {', '.join(_KNOWN)}: "
                f"{f'rename it, perhaps to {nearest[0]}' if nearest else 'rename or remove it'}."
            )
    given = [key for key in (*_VALIDATION, _INDICES) if key in arrays]
    if given and given not in ([*_VALIDATION], [*_VALIDATION[:2]], [_INDICES]):
        raise DatasetError(
            f"{path} holds {', '.join(given)}; expected either {' and '.join(_VALIDATION[:2])} or {_INDICES}: add or "
            "remove some."
        )
    train, test, validation = (
        Examples(arrays[inputs], arrays[targets], arrays.get(weights)) if inputs in arrays else None
        for inputs, targets, weights in (_TRAIN, _TEST, _VALIDATION)
    )
    assert train is not None
    return GivenArrays(f"file {path}", train, test, validation or arrays.get(_INDICES))
