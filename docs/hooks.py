"""Extend mkdocs: the pages and figures that lie outside this folder, and formulas as MathML, which needs no script."""

import re
from pathlib import Path

from latex2mathml.converter import convert
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
PARTS = ("benchmarks", "experiments")
OTHERS = ("examples/search.ipynb", "tests/crash/results/forgeries.json")


def on_files(files: Files, config: MkDocsConfig) -> None:
    """Add the pages and figures that lie elsewhere."""
    files.append(File.generated(config, "index.md", abs_src_path=str(ROOT / "README.md")))
    pages = [
        path for part in PARTS for path in (ROOT / part / "README.md", *sorted((ROOT / part / "figures").iterdir()))
    ]
    for path in (*pages, *(ROOT / name for name in OTHERS)):
        files.append(File.generated(config, path.relative_to(ROOT).as_posix(), abs_src_path=str(path)))


def on_page_markdown(markdown: str, page: Page, **others: object) -> str:
    """Convert the formulas of a page, and let its links lead to where the other files are on the site."""
    # The two ways of GitHub to write a formula: a block of the language math, and $`...`$ in a sentence.
    markdown = re.sub(r"(?ms)^```math\n(.*?)\n```$", lambda block: convert(block[1], display="block"), markdown)
    markdown = re.sub(r"\$`(.*?)`\$", lambda formula: f"<span>{convert(formula[1])}</span>", markdown)
    if page.file.src_uri == "index.md":
        return markdown.replace("](docs/", "](")
    moved = {"../README.md": "index.md"} | {f"../{name}": name for name in (*(f"{part}/" for part in PARTS), *OTHERS)}
    for before, after in moved.items():
        markdown = markdown.replace(f"]({before}", f"]({after}")
    return markdown
