"""Time the main job as a user runs it, stage by stage, on every region that is at hand.

    python benchmarks/run.py [--runs N]

Each run is a fresh process; the first one of all compiles the kernels and is not counted. Prints a table and writes
``benchmarks/results/main_job.json`` with the machine, the commit and the versions.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
REAL = Path(os.environ.get("LIFECIRCLE_REAL_DATA", ROOT.parent / "shared" / "data"))
JOBS = {
    "lingang-model": ["lingang-model"],
    "newport": [
        "--osm", REAL / "newport/newport-2023-06-13.osm.pbf", "--population", REAL / "newport/ghs-pop-2015-100m.tif",
        "--bbox=-3.075,51.529,-2.929,51.594",
    ],
    "monaco": [
        "--osm", REAL / "monaco/monaco.osm.pbf", "--elevation", REAL / "monaco/N43E007.hgt.zip",
        "--bbox=7.405,43.72,7.445,43.755",
    ],
    "liechtenstein": [
        "--osm", REAL / "liechtenstein/liechtenstein-latest.osm.pbf", "--bbox=9.47,47.04,9.64,47.28",
    ],
}  # fmt: skip


def main() -> None:
    """Run, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=3)
    runs = parser.parse_args().runs
    jobs = {name: job for name, job in JOBS.items() if all(p.exists() for p in job if isinstance(p, Path))}
    for name in JOBS.keys() - jobs.keys():
        print(f"{name}: no data at {REAL}, left out")
    with tempfile.TemporaryDirectory() as folder:
        once(jobs["lingang-model"], Path(folder) / "warm")
        table = {name: summary([once(job, Path(folder) / name) for _ in range(runs)]) for name, job in jobs.items()}
    stages = list(next(iter(table.values()))["stages_s"])
    head = ["region", "wall s", "spread", "peak MB", *stages]
    rows = [
        [name, f"{row['wall_s']:.1f}", f"{row['spread_s']:.1f}", f"{row['peak_mb']:.0f}"]
        + [f"{row['stages_s'][stage]:.2f}" for stage in stages]
        for name, row in table.items()
    ]
    widths = [max(len(row[k]) for row in [head, *rows]) for k in range(len(head))]
    for row in [head, *rows]:
        print("  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)))
    target = ROOT / "benchmarks" / "results" / "main_job.json"
    target.parent.mkdir(exist_ok=True)
    target.write_text(json.dumps(context() | {"runs": runs, "regions": table}, indent=1) + "\n", encoding="utf-8")
    print(f"written to {target.relative_to(ROOT)}")


def once(job: list[str | Path], out: Path) -> dict[str, object]:
    """Run the command line once; wall seconds, peak memory and the stages it told."""
    command = [sys.executable, "-c", _CHILD, "run", *map(str, job), "--out", str(out), "--no-cache", "--json"]
    start = time.perf_counter()
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT)
    wall = time.perf_counter() - start
    manifest = json.loads((out / "manifest.json").read_text(encoding="utf-8"))
    return {"wall_s": wall, "peak_mb": float(done.stderr.split()[-1]) / 1024, "stages_s": manifest["timings_s"]}


_CHILD = """
import resource, sys
from lifecircle.cli import main
try:
    main()
finally:
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)
"""


def summary(found: list[dict[str, object]]) -> dict[str, object]:
    """Medians of the runs, with the spread of the wall time."""
    walls = [run["wall_s"] for run in found]
    return {
        "wall_s": statistics.median(walls),
        "spread_s": max(walls) - min(walls),
        "peak_mb": max(run["peak_mb"] for run in found),
        "stages_s": {
            stage: statistics.median(run["stages_s"][stage] for run in found) for stage in found[0]["stages_s"]
        },
    }


def context() -> dict[str, object]:
    """Say what the figures were measured on."""
    commit = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, cwd=ROOT, check=False)
    return {
        "machine": f"{platform.machine()}, {os.cpu_count()} processors, {platform.system()}",
        "python": platform.python_version(),
        "commit": commit.stdout.strip(),
        "versions": {name: metadata.version(name) for name in ("lifecircle", "numba", "numpy", "osmium", "shapely")},
    }


if __name__ == "__main__":
    main()
