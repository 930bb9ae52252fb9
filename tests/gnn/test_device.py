from __future__ import annotations

import subprocess
import sys

import pytest

from gnn.device import pick_device, set_threads
from gnn.errors import TrainError


def test_a_fresh_process_keeps_to_the_threads_it_was_given():
    """Numba's first parallel call must not give torch its threads back."""
    script = """
import numba, numpy, torch
from gnn.device import set_threads
from gnn.kernels import row_sums
set_threads(1)
limits, one = numpy.array([0, 1], numpy.int32), numpy.zeros(1, numpy.float32)
row_sums(limits, numpy.zeros(1, numpy.int32), one, limits, one.copy())
print(torch.get_num_threads(), numba.get_num_threads())
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["1", "1"]


def test_devices_and_threads_are_checked():
    assert pick_device("cpu").type == "cpu"
    for name in ("mps", "nonsense"):
        with pytest.raises(TrainError, match=f"'{name}'"):
            pick_device(name)
    with pytest.raises(ValueError, match="At least one thread"):
        set_threads(0)
