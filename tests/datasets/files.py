"""Files for tests: labels, links, replacements, and a server of a folder."""

import contextlib
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

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
