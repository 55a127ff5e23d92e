"""A log of JSON lines that a resumed run writes again, and finds most of it written already."""

import json
import logging
from pathlib import Path
from typing import Any

from glojax.files import append, write_atomically

_log = logging.getLogger(__name__)


class JsonLines:
    """Appends records to a file; equal records that the file has already, in the same lines, stay.

    A resumed run makes all records again: the file is written anew from the first line that differs.
    """

    def __init__(self, path: Path):
        self._path = path
        self._found = path.read_bytes().splitlines(keepends=True) if path.exists() else []
        self._position = 0

    def append(self, record: dict[str, Any]) -> dict[str, Any]:
        """Append a record."""
        line = (json.dumps(record) + "\n").encode()
        if self._position < len(self._found):
            standing = _parsed(self._found[self._position])
            # Only the time that a record took may differ.
            if standing is not None and standing | {"seconds": 0} == json.loads(line) | {"seconds": 0}:
                self._position += 1
                return standing
            self._cut_off()
        append(self._path, line, durable=False)
        return record

    def finish(self) -> None:
        """Cut off all lines after the last record."""
        if self._position < len(self._found):
            self._cut_off()

    def _cut_off(self) -> None:
        """Keep only the lines before the present position."""
        is_torn_end = self._position == len(self._found) - 1 and not self._found[-1].endswith(b"\n")
        if not is_torn_end:
            message = "%s is damaged or was changed in line %d; from there on it is written anew."
            _log.warning(message, self._path, self._position + 1)
        kept = b"".join(self._found[: self._position])
        write_atomically(self._path, lambda unfinished: unfinished.write_bytes(kept))
        self._found, self._position = [], 0


def _parsed(line: bytes) -> dict[str, Any] | None:
    if not line.endswith(b"\n"):
        return None
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) else None
