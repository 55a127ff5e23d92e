"""An audit hook that notes what a process does and should not."""

import os
import sys
from pathlib import Path
from typing import Any

#: What changes files, besides what opens them; the first argument is a path.
_CHANGES = ("os.remove", "os.rename", "os.truncate", "os.link", "os.symlink", "os.mkdir", "os.rmdir", "os.chmod")


class Watch:
    """Notes what this process executes, starts, and opens to write outside a folder, until the process ends."""

    def __init__(self) -> None:
        self.folder: Path | None = None
        self.found: list[str] = []
        sys.addaudithook(self._hear)

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self.folder is None:
            return
        if event in ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork", "socket.connect"):
            self.found.append(f"{event} {arguments}")
        elif event in ("exec", "compile"):
            name = str(getattr(arguments[0], "co_filename", arguments[-1]))
            # "<unknown>" is literal_eval's, which reads a header of NumPy's, and executes nothing.
            if name == "<string>" or self._is_inside(name):
                self.found.append(f"{event} {name}")
        elif event == "pickle.find_class":
            self.found.append(f"{event} {arguments[1:]}")
        elif event == "open" and isinstance(arguments[0], str | bytes | os.PathLike):
            writes = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
            if arguments[2] & writes and not self._is_inside(os.fsdecode(arguments[0])):
                self.found.append(f"open {os.fsdecode(arguments[0])}")
        elif event in _CHANGES and not self._is_inside(os.fsdecode(arguments[0])):
            self.found.append(f"{event} {arguments[0]}")

    def _is_inside(self, path: str) -> bool:
        return Path(os.path.abspath(path)).is_relative_to(self.folder or "")
