from __future__ import annotations

import subprocess
import sys

import pytest

STEPS, MEGABYTES, PAGE = 20, 150, 4096
SCRIPT = f"""
import resource, sys
import torch
from gnn.heap import give_back_memory, keep_freed_memory

if sys.argv[1] == "kept":
    keep_freed_memory()

def resident():
    return int(open("/proc/self/statm").read().split()[1]) * resource.getpagesize()

def steps():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range({STEPS}):
        [torch.ones(250_000 * megabytes) for megabytes in (40, 50, 60)]
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

steps()
faults, held = steps(), resident()
give_back_memory()
print(faults, held - resident())
"""

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="tells of glibc's allocator")


def faults_and_returned(kind):
    done = subprocess.run([sys.executable, "-c", SCRIPT, kind], capture_output=True, text=True, check=True)
    return map(int, done.stdout.split())


def test_freed_memory_is_used_again_and_given_back_on_request():
    anew = STEPS * MEGABYTES * 10**6 / PAGE
    faults, returned = faults_and_returned("kept")
    assert faults < anew / 20
    assert returned >= MEGABYTES * 10**6
    faults, returned = faults_and_returned("by itself")
    assert faults > anew / 2
    assert returned < MEGABYTES * 10**6
