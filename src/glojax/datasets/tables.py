"""A user's table, .csv, .tsv or .parquet: one column is the target, the others are inputs."""

import logging
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from glojax.datasets.arrays import as_float32
from glojax.datasets.given import Examples, GivenArrays
from glojax.datasets.reading import MAX_GIVEN, explained, unpacked_limit
from glojax.datasets.targets import TaskName
from glojax.errors import DatasetError, nearest
from glojax.regular_files import MAX_LINE, checked_size, open_given

_LOGGER = logging.getLogger(__name__)

#: Greatest number of values of a text column, each of which becomes an input.
_MAX_VALUES: Final = 100

#: Greatest number of different whole numbers in a target that are taken for classes.
_MAX_CLASSES: Final = 20

#: Names of columns that had none when a table was written: those of CSV, of pandas' index in Parquet, and of an index
#: that pandas has read from a CSV.
_NAMELESS: Final = re.compile(r"|__index_level_\d+__|Unnamed: 0")

#: A column whose numbers are so many times larger than their range is moved to 0 before it becomes float32.
_FAR: Final = 1000

#: A target is refused from here on: fewer than some hundred of its numbers would differ in float32.
_TOO_FAR: Final = 2**16

#: The files of a folder whose tables are splits, without their suffixes.
_SPLITS: Final = ("train", "validation", "test")


def read_table(path: Path, target: str | None, task: TaskName | None) -> GivenArrays | None:
    """Read a table, or a folder of train.csv and perhaps validation.csv and test.csv; return None for anything else.

    Numeric columns are inputs, which are to be standardised; a text column becomes an input for each of its values.
    Where no task says it, text, true and false, and up to 20 different whole numbers are classes.
    """
    paths = {"train": path}
    if os.path.isdir(path):
        candidates = [path / f"{split}{suffix}" for suffix in _READERS for split in _SPLITS]
        paths = {each.stem: each for each in candidates if os.path.isfile(each)}
    if "train" not in paths or paths["train"].suffix.lower() not in _READERS:
        return None
    import pyarrow as pa

    tables = []
    for each in paths.values():
        # Arrow raises errors of many types.
        with explained(Exception, f"{each} cannot be read", "a whole table with the names of its columns"):
            tables.append(_READERS[each.suffix.lower()](each))
            _ = tables[-1].column_names  # raises an error for names that are not UTF-8
        if len(set(tables[-1].column_names)) < tables[-1].num_columns:
            raise DatasetError(f"{each} has two columns of the same name; expected different names: rename one.")
        tables[-1] = _without_row_numbers(each, tables[-1], target)
        if differing := sorted(set(tables[0].column_names) ^ set(tables[-1].column_names)):
            raise DatasetError(
                f"{each} and {paths['train']} do not share the columns {', '.join(differing)}; expected the same "
                "columns: add or remove some, or move the file elsewhere."
            )
    with explained(pa.ArrowException, f"{path} cannot be read", "the same columns in all of its tables"):
        table = pa.concat_tables(tables, promote_options="permissive")
    columns = table.column_names
    if not len(table):
        raise DatasetError(f"{path} has no rows; expected some below the names of its columns: check the file.")
    if target is None or target not in columns or len(columns) < 2:
        found = "was given no target" if target is None else f"has no column {target!r} beside others"
        raise DatasetError(
            f"{path} {found}; expected one of its columns {', '.join(columns)}: name the one to predict with --target."
            f"{'' if target is None or target in columns else nearest(target, columns)}"
        )
    targets, kind, task, classes = _as_target(path, target, *_converted(path, target, table[target]), task)
    parts: list[NDArray[Any]] = []
    unscaled: list[bool] = []
    num_texts = 0
    for name in columns:
        if name != target:
            values, texts = _converted(path, name, table[name])
            if len(texts) > _MAX_VALUES:
                raise DatasetError(
                    f"{path}: the column {name!r} holds {len(texts):,} different texts; expected at most "
                    f"{_MAX_VALUES}, as each becomes an input: leave the column out, or make numbers of it."
                )
            parts.append(values[:, None] == np.arange(len(texts)) if texts else _near_zero(values)[:, None])
            num_texts += bool(texts)
            unscaled += [not texts] * parts[-1].shape[1]
    with np.errstate(over="ignore"):  # as in `as_float32`
        inputs = np.concatenate(parts, axis=1, dtype=np.float32)
    ends = np.cumsum([len(each) for each in tables])[:-1]
    splits = dict(zip(paths, map(Examples, np.split(inputs, ends), np.split(targets, ends)), strict=True))
    origin = (
        f"table {path}: {target} ({kind}) from {len(parts) - num_texts} columns of numbers, standardised, and "
        f"{num_texts} of text, one-hot"
    )
    split = (splits["train"], splits.get("test"), splits.get("validation"))
    return GivenArrays(origin, *split, task, np.array(unscaled), classes)


def _read_csv(path: Path) -> Any:
    """Read a table whose columns are parted by commas, semicolons or tabs: what the first line has most of."""
    from pyarrow import csv

    with open(path, "rb", opener=open_given) as file:
        checked_size(file, path, MAX_GIVEN)
        header = file.readline(MAX_LINE).decode(errors="replace")
        file.seek(0)
        options = csv.ParseOptions(delimiter=max(",;\t", key=header.count), newlines_in_values=True)
        return csv.read_csv(file, parse_options=options)


def _read_parquet(path: Path) -> Any:
    from pyarrow import parquet, types

    with open(path, "rb", opener=open_given) as file:
        opened = parquet.ParquetFile(file)
        metadata, schema = opened.metadata, opened.schema_arrow
        groups = (metadata.row_group(index) for index in range(metadata.num_row_groups))
        size = sum(group.total_byte_size for group in groups) + 8 * metadata.num_rows * metadata.num_columns
        if size > (limit := unpacked_limit(file)):
            raise ValueError(f"it unpacks to {size:,} bytes, more than {limit:,}")
        # Without dictionaries, a long text that many rows share would take its room in each.
        texts = [field.name for field in schema if types.is_string(field.type) or types.is_large_string(field.type)]
        return parquet.ParquetFile(file, read_dictionary=texts).read()


_READERS: Final[dict[str, Callable[[Path], Any]]] = {".csv": _read_csv, ".tsv": _read_csv, ".parquet": _read_parquet}

#: Endings of the names of tables.
TABLES: Final = tuple(_READERS)


def _converted(path: Path, name: str, column: Any) -> tuple[NDArray[Any], list[str]]:
    """Return a column's numbers [N], or for text the index of each value among all of them, in order."""
    from pyarrow import types

    kind = column.type.value_type if types.is_dictionary(column.type) else column.type
    is_text = types.is_string(kind) or types.is_large_string(kind)
    num_missing = column.null_count
    if types.is_floating(kind):
        num_missing = int(np.isnan(column.to_numpy()).sum())
    if num_missing:
        raise DatasetError(
            f"{path}: the column {name!r} lacks {num_missing:,} of {len(column):,} values; expected all: fill them, or "
            "leave those rows or the column out."
        )
    if types.is_binary(kind):
        raise DatasetError(
            f"{path}: the column {name!r} holds text that is not UTF-8, or bytes; expected numbers, text, or true and "
            "false: save the file as UTF-8, or leave the column out."
        )
    if not (is_text or types.is_boolean(kind) or types.is_integer(kind) or types.is_floating(kind)):
        raise DatasetError(
            f"{path}: the column {name!r} is {kind}; expected numbers, text, or true and false: leave it out, or "
            "make numbers of it."
        )
    if not is_text:
        return column.to_numpy(), []
    coded = (column if types.is_dictionary(column.type) else column.dictionary_encode()).unify_dictionaries()
    texts = coded.chunk(0).dictionary.to_pylist()
    ranks = np.argsort(np.argsort(texts))
    return ranks[np.concatenate([chunk.indices.to_numpy() for chunk in coded.chunks])], sorted(texts)


def _without_row_numbers(path: Path, table: Any, target: str | None) -> Any:
    """Return a table without the columns that had no name when it was written, with a warning for each."""
    for name in table.column_names:
        if _NAMELESS.fullmatch(name) and name != target:
            which = f"the column {name!r}" if name else "a column without a name"
            _LOGGER.warning("%s: %s, probably the numbers of the rows, was left out.", path, which)
            table = table.drop_columns([name])
    return table


def _is_far(values: NDArray[Any], ratio: float) -> bool:
    """Return whether numbers [N] are so many times larger than their range, which is not 0."""
    if values.dtype.kind == "b" or not np.isfinite(values).all():
        return False
    exact = int if values.dtype.kind in "iu" else float
    low, high = exact(values.min()), exact(values.max())
    return max(abs(low), abs(high)) > ratio * (high - low) > 0


def _near_zero(values: NDArray[Any]) -> NDArray[Any]:
    """Return numbers [N], which are to be standardised, from 0 on if float32 would not tell them apart."""
    return (values - values.min()).astype(np.float64) if _is_far(values, _FAR) else values


def _as_target(
    path: Path, name: str, values: NDArray[Any], texts: list[str], task: TaskName | None
) -> tuple[NDArray[Any], str, TaskName, list[str]]:
    """Return the targets, what they are in words, their task and the names of classes."""
    is_whole = values.dtype.kind != "f" or bool((np.abs(values) < 2**53).all() and (values == np.round(values)).all())
    if task is None:
        task = "classification" if texts or (is_whole and len(np.unique(values)) <= _MAX_CLASSES) else "regression"
    if task == "regression" and not texts:
        if _is_far(values, _TOO_FAR):
            raise DatasetError(
                f"{path}: the column {name!r} runs from {values.min()} to {values.max()}, which float32 hardly tells "
                "apart; expected numbers nearer to 0: subtract a constant from it."
            )
        return as_float32(values), "numbers", task, []
    if task != "classification":
        raise DatasetError(
            f"{path}: the column {name!r} was given the task {task!r}; expected classification"
            f"{'' if texts else ' or regression'}, as it holds one value a row: correct --task."
        )
    classes, indices = np.unique(values, return_inverse=True)
    if values.dtype.kind == "f" and is_whole:
        classes = classes.astype(np.int64)
    names = [texts[each] if texts else str(each) for each in classes.tolist()]
    shown = names if len(names) <= _MAX_CLASSES else [*names[:3], "...", names[-1]]
    return indices, f"{len(names)} classes: {', '.join(shown)}", task, names
