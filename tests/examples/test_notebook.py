"""The notebook runs as it stands, in a kernel of its own, and shows what it says."""

from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).parents[2]


def test_the_notebook_searches_and_shows_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "src"))
    notebook = nbformat.read(ROOT / "examples" / "search.ipynb", as_version=4)
    place = {"metadata": {"path": str(tmp_path)}}
    NotebookClient(notebook, timeout=300, kernel_name="python3", resources=place, coalesce_streams=True).execute()
    formula, bar, search, source = (outputs(cell) for cell in notebook.cells if cell.cell_type == "code")
    assert formula["text/latex"].startswith("$-\\sum")
    assert bar["stderr"].startswith("100%|")
    assert " 36/36 [" in bar["stderr"]
    assert search["text/html"].count("<img") == 1
    best = float(search["text/plain"].partition("best ")[2].partition(":")[0])
    assert best > 0.7  # by chance 0.1
    namespace: dict[str, Any] = {}
    exec(source["stdout"], namespace)
    assert namespace["loss"]([[2.0, 0.0]], [0]).shape == (1,)


def outputs(cell: Any) -> dict[str, str]:
    """The outputs of a cell by their kind."""
    return {kind: text for each in cell.outputs for kind, text in (each.get("data") or {each.name: each.text}).items()}
