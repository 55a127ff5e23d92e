"""A folder from a stranger, in which a user stands: no command executes or starts anything that is in it."""

import json
import os
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from array_record.python.array_record_module import ArrayRecordWriter
from tensorflow_datasets.proto import tf_example_pb2

from glojax.search.config_file import sealed
from tests.search.audited import Audited, run_audited
from tests.search.runs import FinishedRun

POSTSCRIPT = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 28 28\n%%EndComments\n"

#: Modules that a command imports, and one that the folder's own files name.
PLANTED = ("dacite", "jax", "numpy", "tensorflow", "socket", "planted")

#: Programs that matplotlib starts for its list of fonts, which it keeps.
HARMLESS = {"fc-list"}


@pytest.fixture
def folder(compare_run: FinishedRun, tmp_path: Path) -> Path:
    """A finished run with modules, a style and a prepared data set whose pictures are PostScript."""
    folder = tmp_path / "run"
    shutil.copytree(compare_run.directory, folder)
    for name in PLANTED:
        (folder / f"{name}.py").write_text(f"open({str(tmp_path / 'harm')!r}, 'w').close()\n")
    (folder / "matplotlibrc").write_text("text.usetex: True\nbackend: module://planted\n")
    (tmp_path / "bin").mkdir()
    for name in ("gs", "latex", "kpsewhich"):
        program = tmp_path / "bin" / name
        program.write_text(f"#!/bin/sh\n: > {tmp_path}/harm\n")
        program.chmod(0o755)
    info = {"name": "mnist", "version": "3.0.1", "fileFormat": "array_record", "moduleName": "planted"}
    template = "{DATASET}-{SPLIT}.{FILEFORMAT}-{SHARD_X_OF_Y}"
    split = {"numBytes": "1", "shardLengths": ["10"], "filepathTemplate": template}
    splits = [split | {"name": name} for name in ("train", "test")]
    (folder / "dataset_info.json").write_text(json.dumps({**info, "splits": splits}))
    (folder / "features.json").write_text(json.dumps({"pythonClassName": "planted.Feature"}))
    fill(folder, POSTSCRIPT)
    return folder


def fill(folder: Path, picture: bytes) -> None:
    """Make the prepared data set of one picture."""
    record = tf_example_pb2.Example()
    record.features.feature["image"].bytes_list.value.append(picture)
    record.features.feature["label"].int64_list.value.append(0)
    for split in ("train", "test"):
        writer = ArrayRecordWriter(str(folder / f"mnist-{split}.array_record-00000-of-00001"), "group_size:1")
        for _ in range(10):
            writer.write(record.SerializeToString())
        writer.close()


def edit(folder: Path, **options: Any) -> None:
    """Change options in `config.json`, with a checksum that fits."""
    path = folder / "config.json"
    config = json.loads(path.read_text())
    path.write_text(json.dumps(sealed(config | {"options": config["options"] | options})))


def command(folder: Path, module: str, *arguments: str) -> Audited:
    """Run a command in the folder; it must do no harm."""
    ended = run_audited(folder, folder.parent / "watch", module, *arguments)
    inside = {name for name in ended.executed if Path(folder, name).is_relative_to(folder)}
    assert any(name.endswith("glojax/__init__.py") for name in ended.executed), "the hook has seen nothing"
    assert {name for name in inside if not name.startswith("<")} == set()
    assert ended.started <= HARMLESS
    allowed = (folder, Path(os.environ["XDG_CACHE_HOME"]), Path(os.devnull))
    assert {path for path in ended.written if not any(map(path.is_relative_to, allowed))} == set()
    assert not (folder.parent / "harm").exists()
    assert "Traceback" not in ended.errors
    return ended


def test_a_run_is_resumed(folder: Path) -> None:
    for name in ("result.json", "report.html"):
        (folder / name).unlink()
    assert command(folder, "glojax.search", "resume", ".", "--devices", "1").exit_code == 0
    assert (folder / "result.json").is_file()
    assert (folder / "report.html").is_file()


def test_a_prepared_data_set_is_refused(folder: Path) -> None:
    ended = command(folder, "glojax.datasets", "describe", "mnist", "--data-dir", ".")
    assert ended.exit_code == 2
    assert "cannot identify image file" in ended.errors


def test_a_pickled_data_set_is_refused(folder: Path) -> None:
    """What it calls would write a file."""

    class Harm:
        def __reduce__(self) -> tuple[Callable[..., Any], tuple[str, str]]:
            return open, (str(folder.parent / "harm"), "w")

    (folder / "data_batch_1").write_bytes(pickle.dumps({"data": Harm(), "labels": []}, protocol=2))
    (folder / "dataset_info.json").unlink()
    ended = command(folder, "glojax.datasets", "describe", "./")
    assert ended.exit_code == 2
    asked = f"(it asks for {open.__module__} open)"  # `_io` from Python 3.13 on
    assert f"cannot be read {asked}; expected a pickle of NumPy arrays" in ended.errors


def test_what_a_run_names_is_not_followed(folder: Path) -> None:
    edit(folder, training={"optimizer": {"name": "planted:f", "arguments": {}}})
    ended = command(folder, "glojax.search", "resume", ".")
    assert ended.exit_code == 2
    assert ended.errors.count("\n") == 1
    assert "its sender may have chosen that" in ended.errors
