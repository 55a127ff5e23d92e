"""Tests that can reach no network, and find no data set that somebody left on the machine."""

from pathlib import Path

import pytest

#: Nothing listens there.
CLOSED = "http://127.0.0.1:9"


@pytest.fixture(autouse=True)
def data_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder for caches and prepared data, empty; neither a network nor npm can be had."""
    root = tmp_path / "root"
    monkeypatch.setenv("TFDS_DATA_DIR", str(root))
    for variable in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(variable, CLOSED)
    for variable in ("no_proxy", "NO_PROXY"):
        monkeypatch.setenv(variable, "127.0.0.1")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    return root
