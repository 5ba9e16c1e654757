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
    files = "*/reach/kernels.py"
    run = [*measure, "run", f"--include={files}", str(ROOT / "tests" / "plain.py"), "60"]
    done = subprocess.run(run, env=where, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr[-3000:]
    subprocess.run([*measure, "json", "-o", "lines.json"], env=where, check=True, cwd=tmp_path, capture_output=True)
    (lines,) = json.loads((tmp_path / "lines.json").read_text())["files"].values()
    # What comes before the contraction is said to LLVM, and has no Python to run.
    source = (ROOT / "lifecircle" / "reach" / "kernels.py").read_text().splitlines()
    begin = next(k for k, line in enumerate(source) if line.endswith("- contraction"))
    reached, missing = ([k for k in lines[name] if k > begin] for name in ("executed_lines", "missing_lines"))
    assert len(reached) > 400
    assert 100 * len(missing) <= ROOM_RAN_OUT * (len(reached) + len(missing)), missing
