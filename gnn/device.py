"""Where, with how many threads and in how much memory the engine computes."""

from __future__ import annotations

import math
from pathlib import Path

import numba
import psutil
import torch

from gnn.errors import TrainError
from gnn.heap import give_back_memory


def set_threads(n: int) -> None:
    """Use ``n`` threads in this process for torch and for the compiled kernels (these: at most one per core)."""
    if n < 1:
        raise ValueError(f"At least one thread is needed, but got {n}.")
    # Torch comes second: numba starts its threads on the first call, which resets the OpenMP setting they share.
    numba.set_num_threads(min(n, numba.config.NUMBA_NUM_THREADS))  # type: ignore[attr-defined]  # numba sets it on import
    torch.set_num_threads(n)


def pick_device(name: str) -> torch.device:
    """The device called ``name``: "cpu", "cuda", "cuda:1", or "auto" for a GPU where there is one.

    Raises:
        TrainError: this machine has no such device.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    kind = name.partition(":")[0]
    if kind == "cpu" or (kind == "cuda" and torch.cuda.is_available()):
        return torch.device(name)
    raise TrainError(f"Device '{name}' is not available here; choose cpu or auto.")


def available_memory(device: torch.device) -> int:
    """Bytes that this process may still take on a device.

    On the CPU the least of what the machine and the process's control groups have left; on a GPU what is free, and
    what torch holds there without using it. What this process has freed counts as left.
    """
    if device.type == "cuda":
        free, unused = torch.cuda.mem_get_info(device)[0], torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return int(free + unused)
    give_back_memory()
    return int(min(psutil.virtual_memory().available, group_memory()))


def group_memory(groups: Path = Path("/sys/fs/cgroup"), membership: Path = Path("/proc/self/cgroup")) -> float:
    """Bytes that the control groups of this process, of Linux's version 1 or 2, let it take; infinite without a limit.

    A group's use includes files in the page cache; those not lately used are given up first, so they count as free.

    Args:
        groups: where the groups are mounted.
        membership: a line "id:controllers:path" for each hierarchy that the process belongs to.
    """
    room = math.inf
    for line in membership.read_text().splitlines() if membership.exists() else ():
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            root, limit, used, idle = groups, "memory.max", "memory.current", "inactive_file"
        elif "memory" in controllers.split(","):
            root, limit, used, idle = groups / "memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"
        else:
            continue
        # In a container the path may be that of the host, of which only the root is seen.
        own = root / path.lstrip("/")
        for folder in (own, *own.parents):
            if folder.is_relative_to(root):
                room = min(room, _room(folder, limit, used, idle))
    return room


def _room(folder: Path, limit: str, used: str, idle: str) -> float:
    """Bytes left in one group, by the names of its files."""
    try:
        highest = (folder / limit).read_text().strip()
        if highest == "max":
            return math.inf
        statistics = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
        return max(0, int(highest) - int((folder / used).read_text()) + int(statistics.get(idle, 0)))
    except OSError:
        return math.inf
