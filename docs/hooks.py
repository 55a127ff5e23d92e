"""What mkdocs shows besides this folder: the README, and the tables and figures of benchmarks and experiments."""

from pathlib import Path

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
    """Let the links of a page lead to where the other files are on the site."""
    if page.file.src_uri == "index.md":
        return markdown.replace("](docs/", "](")
    moved = {"../README.md": "index.md"} | {f"../{name}": name for name in (*(f"{part}/" for part in PARTS), *OTHERS)}
    for before, after in moved.items():
        markdown = markdown.replace(f"]({before}", f"]({after}")
    return markdown
