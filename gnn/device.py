"""Where and with how many threads the engine computes."""

from __future__ import annotations

import numba
import torch

from gnn.errors import TrainError


def set_threads(n: int) -> None:
    """Use ``n`` threads in this process for torch and for the compiled kernels (these: at most one per core)."""
    if n < 1:
        raise ValueError(f"At least one thread is needed, but got {n}.")
    torch.set_num_threads(n)
    numba.set_num_threads(min(n, numba.config.NUMBA_NUM_THREADS))


def pick_device(name: str) -> torch.device:
    """The device called ``name``: "cpu", "cuda", "cuda:1", or "auto" for a GPU where there is one.

    Raises:
        TrainError: this machine has no such device.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    device = torch.device(name)
    if device.type not in ("cpu", "cuda") or (device.type == "cuda" and not torch.cuda.is_available()):
        raise TrainError(f"Device '{name}' is not available here; choose cpu or auto.")
    return device
