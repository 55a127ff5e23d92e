"""Commands whose Python is watched: what it executes, starts and writes."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from tests.search.runs import ENVIRONMENT

#: Python imports it at its start, and has the hook from then on. A hook may not import.
_HOOK = """
import json, os, sys
log = os.open(os.environ["AUDIT_LOG"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
dumps, write, fspath, absolute = json.dumps, os.write, os.fspath, os.path.abspath
writing = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
def hook(event, arguments):
    if event == "exec":
        what = arguments[0].co_filename
    elif event == "compile":
        what = arguments[1]
    elif event in ("subprocess.Popen", "os.exec", "os.posix_spawn", "os.system"):
        event, what = "start", arguments[0]
    elif event == "open" and arguments[2] & writing:
        event, what = "write", arguments[0]
    elif event in ("os.mkdir", "os.remove", "os.rename", "os.symlink", "os.truncate", "os.chmod"):
        event, what = "write", arguments[1 if event in ("os.rename", "os.symlink") else 0]
    else:
        return
    what = os.fsdecode(what) if isinstance(what, (str, bytes, os.PathLike)) else repr(what)
    what = absolute(what) if event == "write" else what
    write(log, (dumps([event, what]) + "\\n").encode())
sys.addaudithook(hook)
"""


class Audited(NamedTuple):
    """A command that ended, and what its processes did.

    Attributes:
        exit_code: Its exit code.
        errors: Its standard error.
        executed: The names of the files whose code was compiled or executed.
        started: The programs that were started.
        written: The paths of files and folders that were made, changed or removed.
    """

    exit_code: int
    errors: str
    executed: set[str]
    started: set[str]
    written: set[Path]


def run_audited(folder: Path, watch: Path, module: str, *arguments: str) -> Audited:
    """Run a module's command in a folder; `watch` is a new folder for the hook and its log."""
    watch.mkdir()
    (watch / "sitecustomize.py").write_text(_HOOK)
    path = os.pathsep.join(filter(None, [str(watch), os.environ.get("PYTHONPATH")]))
    # matplotlib makes a folder for its configuration.
    own = {"PYTHONPATH": path, "AUDIT_LOG": str(watch / "log"), "XDG_CONFIG_HOME": os.environ["XDG_CACHE_HOME"]}
    environment = os.environ | ENVIRONMENT | own
    command = [sys.executable, "-B", "-m", module, *arguments]  # Python keeps no bytecode, which is not the command's
    ended = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    events = [json.loads(line) for line in (watch / "log").read_text().splitlines()]
    executed, started, written = (
        {what for event, what in events if event in kinds} for kinds in ({"exec", "compile"}, {"start"}, {"write"})
    )
    return Audited(ended.returncode, ended.stderr, executed, started, set(map(Path, written)))
