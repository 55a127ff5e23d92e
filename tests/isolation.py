"""Isolation of tests from the network and from data sets on this machine."""

from pathlib import Path

import pytest

#: An address without a server.
CLOSED = "http://127.0.0.1:9"


@pytest.fixture(autouse=True)
def data_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty folder for caches and prepared data; the test reaches neither a network nor npm."""
    root = tmp_path / "root"
    monkeypatch.setenv("TFDS_DATA_DIR", str(root))
    for variable in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(variable, CLOSED)
    for variable in ("no_proxy", "NO_PROXY"):
        monkeypatch.setenv(variable, "127.0.0.1")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    return root
