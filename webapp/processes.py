"""The processes of the stack: the commands in Procfile, the variables they need, and what is left of dead ones.

Imports no Django.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import psutil

from webapp.embedded import BASE_DIR, process_birth

OWNER_VARIABLE = "RECSMITH_OWNER"
"""Set on every process: ``<home>|<process id>|<birth>`` of the command that started it."""
SETTINGS_MODULE = "webapp.settings"
STOP_SECONDS = 30
"""How long a worker may take to write its checkpoints and give its trials back."""


def procfile_commands(file: Path = BASE_DIR / "Procfile") -> dict[str, str]:
    """Process name -> shell command, in the order of the file."""
    return dict(re.findall(r"^(\w+):\s*(.+)$", file.read_text(), re.MULTILINE))


def stack_environment(home: Path, settings: Mapping[str, object]) -> dict[str, str]:
    """This process's environment with ``settings``, this interpreter's programs first, and the owner's mark."""
    programs = str(Path(sys.executable).parent)
    return {
        **os.environ,
        **{name: str(value) for name, value in settings.items()},
        "PATH": os.pathsep.join((programs, os.environ.get("PATH", os.defpath))),
        "PYTHONUNBUFFERED": "1",
        "DJANGO_SETTINGS_MODULE": SETTINGS_MODULE,
        OWNER_VARIABLE: f"{home}|{os.getpid()}|{process_birth(os.getpid())}",
    }


def leftovers_stop(home: Path) -> int:
    """End the processes whose owner was killed before it could end them; returns how many there were."""
    orphans = [process for process in psutil.process_iter() if _is_orphan(process, home)]
    for process in orphans:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.terminate()
    _, stubborn = psutil.wait_procs(orphans, timeout=STOP_SECONDS)
    for process in stubborn:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(stubborn, timeout=5)
    return len(orphans)


def _is_orphan(process: psutil.Process, home: Path) -> bool:
    try:
        owner: str = process.environ().get(OWNER_VARIABLE, "")
        alive = process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False  # gone, or of another account
    if not alive or not owner.startswith(f"{home}|"):
        return False
    pid, birth = owner.removeprefix(f"{home}|").split("|")
    return process_birth(int(pid)) != birth


@contextlib.contextmanager
def processes_running(names: Sequence[str], environment: Mapping[str, str], log: Path) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Run Procfile processes for the length of the block, their output appended to ``log``."""
    commands = procfile_commands()
    with commands_running([commands[name] for name in names], environment, log) as running:
        yield running


@contextlib.contextmanager
def commands_running(commands: Sequence[str], environment: Mapping[str, str], log: Path) -> Iterator[list[subprocess.Popen[bytes]]]:
    """The same for shell commands."""
    log.parent.mkdir(parents=True, exist_ok=True)
    running: list[subprocess.Popen[bytes]] = []
    with log.open("ab") as output:
        try:
            for command in commands:
                # `exec`: the signal must reach the program itself, and not the shell around it.
                running.append(
                    subprocess.Popen(
                        f"exec {command}",
                        shell=True,
                        cwd=BASE_DIR,
                        env=dict(environment),
                        stdin=subprocess.DEVNULL,
                        stdout=output,
                        stderr=subprocess.STDOUT,
                        start_new_session=True,
                    )
                )
            yield running
        finally:
            _stop(running)


def processes_kill(processes: Sequence[subprocess.Popen[bytes]]) -> None:
    """Kill each process with its whole session, so that no pool process outlives its worker."""
    for process in processes:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def process_become(name: str) -> None:
    """Turn this process into the Procfile command ``name``, which so receives its signals itself."""
    commands = procfile_commands()
    if name not in commands:
        sys.exit(f"Procfile has no process {name!r}; choose from {', '.join(commands)}.")
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", SETTINGS_MODULE)
    os.execvp("sh", ("sh", "-c", f"exec {commands[name]}"))


def _stop(processes: Sequence[subprocess.Popen[bytes]]) -> None:
    for process in processes:
        process.terminate()
    for process in processes:
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            processes_kill([process])


if __name__ == "__main__":
    process_become(sys.argv[1] if len(sys.argv) == 2 else "")
