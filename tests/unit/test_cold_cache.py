"""Several processes that compile the kernels into one empty cache at once do not harm it (numba issue 4807)."""

import os
import subprocess
import sys

import pytest
from regions import ROOT

PROGRAM = """
import time
import numpy as np
from lifecircle.reach.search import Ground, compile_kernels, extent_of_nodes
start = time.perf_counter()
compile_kernels()
ready = time.perf_counter() - start
u = np.arange(99)
cost = np.full(99, 7, np.int32)
ground = Ground(u.repeat(2)[:100] * 1.0, np.zeros(100), u, u + 1, cost, cost, np.ones(99))
got = extent_of_nodes(ground, 50)
print(int(got.nodes.sum()), int(got.street.sum()), ready)
"""


@pytest.mark.prove
def test_processes_compile_into_one_cache_at_once(tmp_path):
    where = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path), "PYTHONPATH": str(ROOT)}

    def start():
        return subprocess.Popen(
            [sys.executable, "-W", "error", "-c", PROGRAM], env=where, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True,
        )  # fmt: skip

    def finished(process):
        out, error = process.communicate(timeout=600)
        assert process.returncode == 0, error
        return out.split()

    answers = [finished(process) for process in [start() for _ in range(4)]]
    later = finished(start())
    truth = [str(sum(min(i + 7, 99) - max(i - 7, 0) + 1 for i in range(100)))]
    truth.append(str(sum(min(50, 7 * i) + min(50, 7 * (99 - i)) for i in range(100))))
    for answer in [*answers, later]:
        assert answer[:2] == truth
    # What they left is whole: it is loaded, not compiled again.
    assert float(later[2]) < min(float(answer[2]) for answer in answers) / 4
