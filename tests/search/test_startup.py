"""A command takes nothing from the current folder, and says in one line what keeps it from starting."""

import os
import signal
import subprocess
import sys
import tomllib
from pathlib import Path
from pkgutil import resolve_name

import pytest

from glojax import startup
from glojax.search import __main__ as command_line

#: Modules that the command imports, of the standard library and others.
PLANTED = ("signal", "socket", "multiprocessing", "jax", "dacite", "rich", "jax_plugins")

SCRIPT = "import sys; from glojax.search.__main__ import command; sys.exit(command())"


@pytest.fixture(params=["module", "script"])
def command(request: pytest.FixtureRequest, tmp_path: Path) -> list[str]:
    """The two ways to start the command."""
    if request.param == "module":
        return [sys.executable, "-m", "glojax.search"]
    (tmp_path / "bin").mkdir()
    script = tmp_path / "bin" / "glojax"
    script.write_text(f"#!{sys.executable}\n{SCRIPT}\n")
    return [sys.executable, str(script)]


def start(
    command: list[str], folder: Path, first: Path | None = None, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Ask for the version, in a folder, with another one first on the path of modules."""
    path = os.pathsep.join(map(str, filter(None, [first, os.environ.get("PYTHONPATH")])))
    environment = os.environ | {"PYTHONPATH": path} | environment
    command = [*command, "--version"]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def modules(folder: Path, *names: str, code: str) -> Path:
    folder.mkdir()
    for name in names:
        (folder / f"{name}.py").write_text(code)
    return folder


def test_nothing_comes_from_the_current_folder(command: list[str], tmp_path: Path) -> None:
    here = modules(tmp_path / "here", *PLANTED, code="raise SystemExit(f'imported {__name__}')")
    (here / "matplotlibrc").write_text("text.usetex: True\nno.such.key: \x1b[31m\n")
    ended = start(command, here, MPLBACKEND="nonsense")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.startswith("glojax ")


def test_processes_that_it_starts_leave_the_folder_out_too(command: list[str], tmp_path: Path) -> None:
    code = "import os; print(os.environ['PYTHONSAFEPATH'], flush=True); os._exit(0)"
    ended = start(command, tmp_path, modules(tmp_path / "first", "jax", code=code))
    assert ended.stdout == "1\n", ended.stderr


def test_an_interruption_during_the_imports(command: list[str], tmp_path: Path) -> None:
    code = "import os, signal; os.kill(os.getpid(), signal.SIGINT)"
    ended = start(command, tmp_path, modules(tmp_path / "first", "jax", code=code))
    assert (ended.returncode, ended.stderr) == (130, "interrupted: SIGINT\n")


def test_an_interruption_that_the_shell_ignores_stays_ignored(tmp_path: Path) -> None:
    code = "import os, signal; os.kill(os.getpid(), signal.SIGINT); print('alive', flush=True); os._exit(0)"
    first = modules(tmp_path / "first", "jax", code=code)
    ended = start(["/bin/sh", "-c", f"trap '' INT; exec {sys.executable} -m glojax.search"], tmp_path, first)
    assert (ended.returncode, ended.stdout) == (0, "alive\n")


def test_a_variable_that_jax_does_not_understand(command: list[str], tmp_path: Path) -> None:
    ended = start(command, tmp_path, JAX_NUMPY_RANK_PROMOTION="nonsense")
    assert ended.returncode == 2
    assert ended.stderr.startswith('error: glojax cannot start (ValueError: Invalid value "nonsense"')
    assert ended.stderr.count("\n") == 1


def test_the_installed_script_is_the_same_command() -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    assert resolve_name(project["scripts"]["glojax"]) is command_line.command


def test_the_process_of_a_program_that_imports_glojax_stays_as_it_is() -> None:
    assert "PYTHONSAFEPATH" not in os.environ
    assert sys.excepthook is not startup._report_failure
    assert signal.getsignal(signal.SIGINT) is not startup._interrupt


def test_a_program_that_uses_glojax_is_left_alone(tmp_path: Path) -> None:
    """It finds modules in the current folder, and its errors are shown in full."""
    package = modules(tmp_path / "package", "__init__", code="import glojax.startup")
    (package / "train.py").write_text("import beside")
    (tmp_path / "beside.py").write_text("raise ValueError('mine')")
    command = [sys.executable, "-m", "package.train"]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert ended.stderr.startswith("Traceback")
    assert ended.stderr.endswith("ValueError: mine\n")


def test_a_folder_that_is_gone_is_told_in_a_line(command: list[str], tmp_path: Path) -> None:
    (tmp_path / "gone").mkdir()
    leave = "import os, sys; os.chdir('gone'); os.rmdir('../gone'); os.execv(sys.argv[1], sys.argv[1:])"
    stranded = [sys.executable, "-c", leave, *command, "--version"]
    ended = subprocess.run(stranded, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert ended.stderr == "error: The current folder cannot be used (No such file or directory); change to another.\n"


def test_a_command_starts_without_what_only_pictures_need() -> None:
    code = "import sys, glojax.search.__main__; print('matplotlib' in sys.modules, 'sklearn' in sys.modules)"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout == "False False\n"
