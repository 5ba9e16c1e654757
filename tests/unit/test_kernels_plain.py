"""The kernels run as plain Python too: the same answers, every access inside its array, and nearly every line reached."""

import json
import os
import subprocess
import sys

from regions import ROOT

ROOM_RAN_OUT = 3
"""Percent of lines that small worlds need not reach: answers of kernels whose buffers are full."""


def test_the_kernels_as_python(tmp_path):
    rooms = f"{ROOT / 'tests'}{os.pathsep}{ROOT / 'tests' / 'unit'}{os.pathsep}{ROOT}"
    where = os.environ | {"NUMBA_DISABLE_JIT": "1", "PYTHONPATH": rooms, "COVERAGE_FILE": str(tmp_path / "data")}
    measure = [sys.executable, "-m", "coverage"]
    files = "*/reach/kernels.py,*/reach/contraction.py,*/reach/fields.py"
    run = [*measure, "run", f"--include={files}", str(ROOT / "tests" / "plain.py"), "60"]
    done = subprocess.run(run, env=where, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr[-3000:]
    subprocess.run([*measure, "json", "-o", "lines.json"], env=where, check=True, cwd=tmp_path, capture_output=True)
    counted = json.loads((tmp_path / "lines.json").read_text())
    missing = {name: lines["missing_lines"] for name, lines in counted["files"].items()}
    assert counted["totals"]["percent_covered"] >= 100 - ROOM_RAN_OUT, missing
    assert len(missing) == 3
