"""Where and with how many threads the engine computes."""

from __future__ import annotations

import numba
import torch

from gnn.errors import TrainError


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
