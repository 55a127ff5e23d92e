"""Forged folders of runs and data: what a stranger may have put there, with right checksums."""

import gzip
import io
import json
import math
import os
import random
import stat
import struct
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glojax.datasets.cache import _digest
from glojax.datasets.mnist import MNIST
from glojax.evaluation import checksum
from glojax.search.config_file import sealed
from tests.crash.damage import DAMAGES, FORGED
from tests.plants import PLANTS

#: Values in the place of others, besides those of `FORGED`.
VALUES: tuple[Any, ...] = (
    *(*FORGED, False, 0, -0.0, 1, 2**31, 2**53, -(10**19), 10**400, 1e39, 5e-324, math.inf, -math.inf),
    *("\0", "a\nb", "\x1b[2J\x1b]0;x\a", "\ud800", "9" * 5000, "x * " * 600 + "y", "(" * 3000, "x^9999999", "nan"),
    *("/dev/zero", "~/x", "~nosuchuser/x", "nowhere.npz", "__import__('os').system('touch evil')", "digits", "sgd"),
    *([[]], {"a": {}}, [None] * 1000, [1, "x"], {"": {"": {"": []}}}, [10**400], ["x * log(y)"], {"name": {}}),
)

#: A data set in MNIST's format with a few images.
TINY = replace(MNIST, num_images={"train": 30, "test": 20})

SPARSE = 10 * 2**30
ORIGINALS = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")


class Executed:
    """Unpickled, it executes a command."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, ("touch evil",)


def with_a_value(table: dict[str, Any], draw: random.Random) -> dict[str, Any]:
    """Return a JSON object in which some values are replaced, missing, or too many."""
    table = json.loads(json.dumps(table))
    for _ in range(draw.choice((1, 1, 3))):
        inner: Any = table
        while True:
            keys = list(inner) if isinstance(inner, dict) else list(range(len(inner)))
            if not keys:
                break
            key = draw.choice(keys)
            if not isinstance(inner[key], dict | list) or draw.random() < 0.2:
                if draw.random() < 0.1:
                    del inner[key]
                else:
                    inner[key] = draw.choice(VALUES)
                break
            inner = inner[key]
        if isinstance(inner, dict) and draw.random() < 0.1:
            inner[draw.choice(("seconds", "checksum", "__class__", "\0", "more"))] = draw.choice(VALUES)
    return table


def with_a_checksum(record: dict[str, Any]) -> dict[str, Any]:
    content = {name: value for name, value in record.items() if name != "checksum"}
    return content | {"checksum": checksum(content)}


def forge_values(path: Path, draw: random.Random) -> None:
    """Replace values in a JSON file or a line of one; a checksum then fits."""
    if path.name == "config.json":
        path.write_text(json.dumps(sealed(with_a_value(json.loads(path.read_text()), draw))))
    elif path.suffix == ".json":
        path.write_text(json.dumps(with_a_value(json.loads(path.read_text()), draw)))
    elif path.suffix == ".jsonl":
        lines = path.read_text().splitlines()
        index = draw.randrange(len(lines))
        record = with_a_value(json.loads(lines[index]), draw)
        is_sealed = path.name.endswith("events.jsonl") or path.name == "trainings.jsonl"
        lines[index] = json.dumps(with_a_checksum(record) if is_sealed else record)
        path.write_text("\n".join(lines) + "\n")


def plant(path: Path, draw: random.Random, victim: Path) -> str:
    kind = draw.choice(PLANTS)
    path.unlink(missing_ok=True)
    kind(path, victim)
    return kind.__name__


def resize(path: Path, draw: random.Random) -> None:
    """Make a file large: by a hole, or by many short or few long lines."""
    way = draw.randrange(6)
    if way < 3:
        path.touch()
        os.truncate(path, draw.choice((SPARSE, 2**20, 5 * 2**20)))
    else:
        with path.open("ab") as file:
            file.write(draw.choice((b"\n", b"{}\n", b"[[],", b'"', b"[]\n", b"1e9")) * draw.choice((10_000, 400_000)))


def forge_run(folder: Path, draw: random.Random, victim: Path) -> str:
    """Forge some files of a run; return which and how."""
    done = []
    for _ in range(draw.choice((1, 1, 2))):
        name = draw.choice([*sorted(path.name for path in folder.iterdir()), ".lock", ".holder.json", ".unfinished-x"])
        path, way = folder / name, draw.random()
        if os.path.lexists(path) and not (stat.S_ISREG((status := path.lstat()).st_mode) and status.st_nlink == 1):
            continue  # it is a plant
        if way < 0.6 and path.suffix in (".json", ".jsonl") and path.is_file() and name != ".holder.json":
            try:
                forge_values(path, draw)
            except ValueError:  # it was forged already
                continue
            done.append(f"{name}: values")
        elif way < 0.8:
            done.append(f"{name}: {plant(path, draw, victim)}")
        elif way < 0.9:
            resize(path, draw)
            done.append(f"{name}: size")
        elif path.is_file() and path.stat().st_size:
            damage = draw.choice(DAMAGES)
            path.write_bytes(damage(path.read_bytes(), draw))
            done.append(f"{name}: {damage.__name__}")
    return ", ".join(done) or "nothing"


def idx(array: NDArray[np.uint8]) -> bytes:
    return struct.pack(f">4B{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


def arrays() -> dict[str, NDArray[np.uint8]]:
    """Return the images and labels of `TINY`, by the names of the original files."""
    found: dict[str, NDArray[np.uint8]] = {}
    for (images, labels), (split, first) in zip((ORIGINALS[:2], ORIGINALS[2:]), TINY.first_labels.items(), strict=True):
        count = TINY.num_images[split]
        found[images] = np.zeros((count, 28, 28), np.uint8)
        found[labels] = np.resize(np.array(first, np.uint8), count)
    return found


def write_data(folder: Path) -> None:
    """Write `TINY` as its original files, as a cache, and as a user's .npz file."""
    whole = arrays()
    for name, array in whole.items():
        (folder / name).write_bytes(idx(array))
    cached = {"origin": np.array("a test")}
    for split, (images, labels) in {"train": ORIGINALS[:2], "test": ORIGINALS[2:]}.items():
        cached |= {f"{split}_images": whole[images][..., None], f"{split}_labels": whole[labels].astype(np.int32)}
    cached["sha256"] = np.array(_digest(cached))
    (folder / "mnist").mkdir()
    np.savez(folder / "mnist" / "glojax.npz", **cached)  # type: ignore[arg-type]
    keys = ("x_train", "y_train", "x_test", "y_test")
    np.savez(folder / "mine.npz", **dict(zip(keys, whole.values(), strict=True)))  # type: ignore[arg-type]


def forge_npz(path: Path, draw: random.Random) -> str:
    """Replace an array of an .npz file by another; the checksum of a cache then fits, where it can."""
    with np.load(path) as archive:
        found = dict(archive)
    name = draw.choice(sorted(found))
    other: dict[str, Callable[[], Any]] = {
        "object": lambda: np.array([Executed()], object),
        "nan": lambda: np.full(found[name].shape, np.nan),
        "none": lambda: np.zeros((0, *found[name].shape[1:]), found[name].dtype),
        "text": lambda: np.array(["\0", "x" * 1000]),
        "scalar": lambda: np.array(draw.choice((0, -1, 2**63, 1e300, "\x1b[2J"))),
        "record": lambda: np.zeros(30, [("a", "u1"), ("b", "f8", (3,))]),
        "large": lambda: np.zeros((2, 10_000_000), np.uint8),
        "empty type": lambda: np.zeros(10**6, "V0"),
        "negative": lambda: np.full(found[name].shape, -1, np.int64),
        "complex": lambda: np.zeros(found[name].shape, np.complex128),
        "date": lambda: np.zeros(found[name].shape, "M8[s]"),
    }
    kind = draw.choice(sorted(other))
    found[name] = other[kind]()
    if "sha256" in found and kind != "object":
        found["sha256"] = np.array(_digest(found))
    draw.choice((np.savez, np.savez_compressed))(path, **found)
    return kind


def forge_member(path: Path, draw: random.Random) -> str:
    """Replace the header of an array, the array, or its name in an .npz file."""
    with zipfile.ZipFile(path) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    name = draw.choice(sorted(contents))
    way = draw.choice(("header", "raw", "bomb", "name", "twice"))
    if way == "header":
        start, end = contents[name].index(b"{"), contents[name].index(b"}")
        text = draw.choice(
            (
                "{'descr': '|u1', 'fortran_order': False, 'shape': (9000000000000,), }",
                "{'descr': '|u1', 'fortran_order': False, 'shape': (-1,), }",
                "{'descr': '|O', 'fortran_order': False, 'shape': (1,), }",
                "{'descr': '|V0', 'fortran_order': False, 'shape': (1000000000000,), }",
                "__import__('os').system('touch evil')",
                "[" * 60,
            )
        )
        contents[name] = contents[name][:start] + text.encode().ljust(end + 1 - start) + contents[name][end + 1 :]
    elif way == "raw":
        contents[name.removesuffix(".npy")] = contents.pop(name)[100:]
    elif way == "bomb":
        contents[name] = contents[name] + bytes(100_000_000)
    elif way == "name":
        contents[draw.choice(("../../evil.npy", "/evil.npy", "x_train", "x_valid.npy", "a\\b.npy"))] = contents.pop(
            name
        )
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for each, data in contents.items():
            archive.writestr(each, data)
    path.write_bytes(packed.getvalue())
    return way


def forge_original(path: Path, draw: random.Random) -> str:
    """Replace the header of an IDX file, or pack it, or zeros in its place."""
    way = draw.choice(("header", "packed", "bomb", "labels"))
    content = bytearray(path.read_bytes())
    if way == "header":
        for _ in range(draw.choice((1, 2, 8))):
            content[draw.randrange(16)] = draw.choice((0, 1, 2, 3, 8, 0xD, 0xE, 0x7F, 0xFF))
    elif way == "labels":
        content[draw.randrange(8, len(content))] = draw.randrange(256)
    path.write_bytes(content)
    if way in ("packed", "bomb"):
        path.unlink()
        data = gzip.compress(bytes(content) + bytes(100_000_000 if way == "bomb" else 0), compresslevel=1)
        path.with_name(f"{path.name}.gz").write_bytes(data[: draw.choice((len(data), len(data), len(data) // 2))])
    return way


def forge_data(folder: Path, draw: random.Random, victim: Path) -> str:
    """Forge a file of data; return which and how."""
    path = draw.choice([*(folder / name for name in ORIGINALS), folder / "mnist" / "glojax.npz", folder / "mine.npz"])
    way = draw.random()
    if way < 0.5:
        kind = (
            draw.choice((forge_npz, forge_member))(path, draw) if path.suffix == ".npz" else forge_original(path, draw)
        )
    elif way < 0.65:
        kind = plant(path, draw, victim)
    elif way < 0.75:
        kind = "size"
        resize(path, draw)
    else:
        damage = draw.choice(DAMAGES)
        path.write_bytes(damage(path.read_bytes(), draw))
        kind = damage.__name__
    return f"{path.name}: {kind}"
