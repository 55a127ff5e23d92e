"""The formulas of the documentation become MathML on its site."""

import importlib.util
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from xml.etree import ElementTree

import pytest

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def hooks() -> Any:
    spec = importlib.util.spec_from_file_location("hooks", DOCS / "hooks.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", ["shape", "tutorial"])
def test_each_formula_of_a_page_is_converted(hooks: Any, name: str) -> None:
    page = SimpleNamespace(file=SimpleNamespace(src_uri=f"{name}.md"))
    written = (DOCS / f"{name}.md").read_text()
    made = hooks.on_page_markdown(written, page)
    formulas = [ElementTree.fromstring(text) for text in re.findall(r"<math.*?</math>", made, re.DOTALL)]
    displays = [formula.attrib["display"] for formula in formulas]
    assert (displays.count("block"), displays.count("inline")) == (written.count("```math"), written.count("$`"))
    assert "```math" not in made
    assert "$`" not in made
    # What the converter does not know, it leaves as it stands.
    assert not any("\\" in (text or "") or "&" in (text or "") for each in formulas for text in each.itertext())
