"""The files of a run, to compare it with another one, timings aside."""

import json
from pathlib import Path
from typing import Any

#: Fields of `config.json` that may differ: when and on how many devices a run was made, and hence the checksum.
_CIRCUMSTANCES = ("started", "devices", "checksum")


def contents(folder: Path) -> dict[str, Any]:
    """Return the content of each file of a run by its name, without the files of the lock, and without timings.

    The report is made of the other files alone (`tests/search/test_report.py`): that it is there is compared.
    """
    files = sorted(path for path in folder.iterdir() if path.name not in (".lock", ".holder.json"))
    return {path.name: _content(path) for path in files}


def _content(path: Path) -> Any:
    if path.name == "report.html":
        return None
    if path.name == "config.json":
        config = json.loads(path.read_text())
        return {name: value for name, value in config.items() if name not in _CIRCUMSTANCES}
    if path.name in ("generations.jsonl", "tuning.jsonl"):
        return [json.loads(line) | {"seconds": None} for line in path.read_text().splitlines()]
    return path.read_bytes()
