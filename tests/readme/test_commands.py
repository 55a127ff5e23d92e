"""The commands of README and documentation are ones that there are, with options that there are."""

import importlib
import importlib.util
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
import tyro

from glojax.search.__main__ import with_defaults, with_optimizer_arguments
from glojax.search.commands import COMMANDS
from glojax.search.execution import ResumeOptions, WorkersOptions
from glojax.search.export import ExportOptions
from glojax.search.report.options import ReportOptions

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
OTHERS = {"export": ExportOptions, "resume": ResumeOptions, "report": ReportOptions, "workers": WorkersOptions}

#: In text a command is shortened to `python -m glojax.search resume runs/...`.
SHORTENED = ("...", "|", "PATH", "NAME", "RUN", "--help")


def commands(module: str) -> Iterator[str]:
    """Yield what follows the name of a module, in code blocks and in text."""
    for page in PAGES:
        text = page.read_text().replace("\\\n", " ")
        for block in re.findall(r"^```\w*\n(.*?)^```", text, re.DOTALL | re.MULTILINE):
            yield from re.findall(rf"python -m ({module}.*?)(?:\s+#.*)?$", block, re.MULTILINE)
        without_blocks = re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
        yield from re.findall(rf"`python -m ({module}[^`]*)`", without_blocks)


SEARCHES = sorted({text for text in commands(r"glojax\.search") if not any(part in text for part in SHORTENED)})
OTHER_MODULES = sorted({text for text in commands(r"(?:experiments|benchmarks|tests)\.") if "..." not in text})


@pytest.fixture(autouse=True)
def user_s_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The files that the commands name."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.py").write_text("def Net(rngs):\n    return None\n")
    (tmp_path / "examples").symlink_to(ROOT / "examples")


@pytest.mark.parametrize("text", SEARCHES)
def test_a_command_s_options_are_accepted(text: str) -> None:
    _, *arguments = shlex.split(text)
    name = arguments.pop(0) if arguments and not arguments[0].startswith("-") else "run"
    options_type = OTHERS.get(name) or COMMANDS[name][0]
    options = tyro.cli(with_defaults(options_type, arguments), args=with_optimizer_arguments(arguments))
    assert isinstance(options, options_type)


@pytest.mark.parametrize("text", OTHER_MODULES)
def test_a_script_and_its_options_are_there(text: str) -> None:
    name, *arguments = shlex.split(text)
    assert importlib.util.find_spec(name) is not None
    if name.startswith("experiments."):
        module = importlib.import_module(name)
        if hasattr(module, "Options") and arguments:
            tyro.cli(module.Options, args=arguments)


def test_commands_were_found() -> None:
    assert len(SEARCHES) > 15
    assert len(OTHER_MODULES) > 15
