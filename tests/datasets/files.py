"""Files for tests: labels, links, replacements, pickles of Python 2, and a server of a folder."""

import contextlib
import http.server
import io
import pickle
import struct
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray


def linked(source: Path, folder: Path) -> Path:
    """Make a folder with links to the files of another folder."""
    folder.mkdir()
    for file in source.iterdir():
        (folder / file.name).symlink_to(file)
    return folder


def replace_file(path: Path, contents: bytes) -> None:
    """Replace a link by a file with given contents."""
    path.unlink()
    path.write_bytes(contents)


def files_under(folder: Path) -> list[str]:
    """List the relative paths of all files in a folder and its subfolders."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


@contextlib.contextmanager
def serve(folder: Path) -> Iterator[str]:
    """Serve a folder's files on this machine, and yield the server's address."""

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args: Any, **kwargs: Any):
            super().__init__(*args, directory=str(folder), **kwargs)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def labels_in_turn(count: int, first: tuple[int, ...]) -> NDArray[np.uint8]:
    """Make labels that begin with `first` and continue with 0 to 9 in turn."""
    labels = (np.arange(count) % 10).astype(np.uint8)
    labels[: len(first)] = first
    return labels


class _Python2Pickler(pickle._Pickler):  # the one that is written in Python
    """Writes byte strings and arrays as Python 2 did."""

    dispatch: ClassVar[dict[type, Any]] = dict(pickle._Pickler.dispatch)

    def save_bytes(self, value: bytes) -> None:
        code = pickle.SHORT_BINSTRING if len(value) < 256 else pickle.BINSTRING
        self.write(code + struct.pack("<B" if len(value) < 256 else "<i", len(value)) + value)  # type: ignore[attr-defined]
        self.memoize(value)  # type: ignore[attr-defined]

    def save_text(self, value: str) -> None:
        self.save_bytes(value.encode())

    dispatch |= {bytes: save_bytes, str: save_text}


def python2_pickle(content: Any) -> bytes:
    """Pickle as Python 2's cPickle with protocol 2, in which the authors published CIFAR, and NumPy of that time."""
    file = io.BytesIO()
    _Python2Pickler(file, protocol=2).dump(content)
    return file.getvalue().replace(b"numpy._core.multiarray", b"numpy.core.multiarray")
