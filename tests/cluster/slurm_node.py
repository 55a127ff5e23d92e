"""Starts a real Slurm with one node on this machine, and runs a command with it.

    python -m tests.cluster.slurm_node sinfo

It needs root and Debian's packages slurmctld, slurmd, slurm-client and munge.
"""

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scancel")

_CONFIG = """\
ClusterName=glojax
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller_port}
SlurmdPort={node_port}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CryptoType=crypto/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerParameters=sched_interval=1,batch_sched_delay=0
SlurmdParameters=config_overrides
ReturnToService=2
KillWait=3
MpiDefault=none
NodeName={host} NodeAddr=127.0.0.1 CPUs=4 RealMemory=8000 State=UNKNOWN
PartitionName=all Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""


def reason_to_skip() -> str | None:
    """Return why Slurm cannot be started on this machine; None if it can."""
    if os.name != "posix" or os.geteuid() != 0:
        return "starting a Slurm needs root"
    missing = [program for program in PROGRAMS if shutil.which(program, path=_path()) is None]
    return f"not installed: {', '.join(missing)} (slurmctld, slurmd, slurm-client, munge)" if missing else None


@contextlib.contextmanager
def slurm() -> Iterator[dict[str, str]]:
    """Start Slurm, and yield the environment that its commands need; end it, and all of its jobs."""
    folder = Path(tempfile.mkdtemp(prefix="glojax-slurm-"))
    host = socket.gethostname().split(".")[0]
    config = folder / "slurm.conf"
    for name in ("state", "spool"):
        (folder / name).mkdir()
    config.write_text(_CONFIG.format(host=host, folder=folder, controller_port=free_port(), node_port=free_port()))
    environment = {"SLURM_CONF": str(config), "PATH": _path()}
    key = folder / "munge.key"
    key.write_bytes(os.urandom(128))
    key.chmod(0o400)
    folder.chmod(0o755)
    munge = ("munged", "--foreground", "--force", f"--key-file={key}", f"--socket={folder}/munge.socket")
    own = (f"--pid-file={folder}/munged.pid", f"--log-file={folder}/munged.log", f"--seed-file={folder}/munged.seed")
    processes: list[subprocess.Popen[bytes]] = []

    def start(*command: str) -> None:
        with (folder / "output.txt").open("ab") as output:
            processes.append(subprocess.Popen(command, env=os.environ | environment, stdout=output, stderr=output))

    try:
        start(*munge, *own)
        start("slurmctld", "-D", "-c", "-f", str(config))
        start("slurmd", "-D", "-f", str(config))
        _wait_until_idle(environment, folder)
        yield environment
    finally:
        with contextlib.suppress(subprocess.SubprocessError, OSError):
            subprocess.run(["scancel", "--user=root"], env=os.environ | environment, timeout=20, check=False)
            wait_until(lambda: not queue(environment), 20)
        for process in reversed(processes):
            process.terminate()
        for process in processes:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        shutil.rmtree(folder, ignore_errors=True)


def queue(environment: dict[str, str]) -> list[str]:
    """Return the numbers of all jobs that have not ended."""
    listed = subprocess.run(
        ["squeue", "--noheader", "--format=%i"],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=20,
        check=True,
    )
    return listed.stdout.split()


def _wait_until_idle(environment: dict[str, str], folder: Path) -> None:
    def is_idle() -> bool:
        state = subprocess.run(
            ["sinfo", "--noheader", "--format=%t"],
            env=os.environ | environment,
            capture_output=True,
            text=True,
            check=False,
        )
        return state.stdout.strip() == "idle"

    if not wait_until(is_idle, 60):
        logs = [path.read_text(errors="replace")[-1500:] for path in sorted(folder.glob("*.log"))]
        raise RuntimeError("Slurm does not start:\n" + (folder / "output.txt").read_text() + "\n".join(logs))


def wait_until(condition: Callable[[], object], seconds: float) -> bool:
    """Return whether the condition became true in time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.2)
    return False


def _path() -> str:
    return os.environ.get("PATH", "") + os.pathsep + "/usr/sbin" + os.pathsep + "/sbin"


def free_port() -> int:
    """Return a free port of this machine."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


if __name__ == "__main__":
    if reason := reason_to_skip():
        sys.exit(reason)
    with slurm() as environment:
        sys.exit(subprocess.run(sys.argv[1:], env=os.environ | environment, check=False).returncode)
