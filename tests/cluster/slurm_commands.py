"""Stand-ins for Slurm's commands, which run a job at once, on this machine, and remember its process."""

import os
import signal
from pathlib import Path

import pytest

_SBATCH = r"""#!/bin/bash
[ "$1" = --test-only ] && exit
job=$$; cp "$1" "script-$job"
eval "log=$(sed -n 's/^#SBATCH --output=//p' "$1")"
log=${log//%%/$'\001'}; log=${log//%j/$job}; log=${log//$'\001'/%}
setsid bash "script-$job" >"$log" 2>&1 </dev/null &
echo $! >"jobs/$job"
echo "Submitted batch job $job"
"""

_SQUEUE = r"""#!/bin/bash
cd jobs; for job in *; do kill -0 "$(cat "$job")" 2>/dev/null && echo "$job"; done; true
"""


class SlurmCommands:
    """A folder, which becomes the working directory, with the commands and their jobs."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch):
        (folder / "jobs").mkdir()
        for name, text in (("sbatch", _SBATCH), ("squeue", _SQUEUE), ("scancel", "#!/bin/sh\n")):
            make_program(folder / name, text)
        monkeypatch.chdir(folder)
        monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
        self.folder = folder

    @property
    def processes(self) -> list[int]:
        """The process of each job."""
        return [int(path.read_text()) for path in sorted((self.folder / "jobs").iterdir())]

    def kill(self) -> None:
        """Kill what is left of all jobs."""
        for process in self.processes:
            try:
                os.killpg(process, signal.SIGKILL)
            except ProcessLookupError:
                continue


def make_program(path: Path, text: str) -> Path:
    """Write a program."""
    path.write_text(text)
    path.chmod(0o755)
    return path
