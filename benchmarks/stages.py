"""What the cache of stages saves, and what it costs the first run: the model region, and a whole extract of 30 MB.

    python benchmarks/stages.py [--only lingang-model,extract] [--runs 3]

A study is prepared (read, network, facilities, cells) in a fresh process each: without a cache, with an empty one, and
with one that holds everything; in turn, and all three must come to the same arrays, to the bit. The extract is that of
``extract.py`` (Newport twelve times side by side), all of it. Writes ``benchmarks/results/stages.json``.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import extract
import timing
from timing import Target

WAYS = ("no cache", "empty cache", "full cache")
WHOLE = (-3.12, 51.50, -0.10, 51.66)


def main() -> None:
    """Prepare in turn, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="lingang-model,extract")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--job", nargs=2, help=argparse.SUPPRESS)
    said = parser.parse_args()
    if said.job:
        print(json.dumps(once(said.job[0], Path(said.job[1]) if said.job[1] else None)))
        return
    figures: dict[str, object] = timing.context() | {"runs": said.runs}
    targets = []
    for name in said.only.split(","):
        if name == "extract" and extract.made() is None:
            print(f"{extract.NEWPORT}: no such extract, left out")
            continue
        found = prepared(name, said.runs)
        figures[name], more = show(name, found)
        targets += more
    timing.show_targets(targets)
    timing.keep("stages", figures)


def prepared(name: str, runs: int) -> dict[str, list[dict[str, object]]]:
    """Prepare a study every way in turn, over and over."""
    found: dict[str, list[dict[str, object]]] = {way: [] for way in WAYS}
    for turn in range(runs + 1):
        with tempfile.TemporaryDirectory() as folder:
            for way in WAYS:
                command = [sys.executable, __file__, "--job", name, "" if way == "no cache" else folder]
                told = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
                if turn:  # the first fills the system's own cache
                    found[way].append(told)
    digests = {str(told["digest"]) for runs_of in found.values() for told in runs_of}
    if len(digests) != 1:
        raise SystemExit(f"{name}: the ways do not come to the same")
    return found


def show(name: str, found: dict[str, list[dict[str, object]]]) -> tuple[dict[str, object], list[Target]]:
    """Print medians and ratios turn by turn."""
    rows = [["way", "runs", "CPU s", "least–most", "wall s", "times no cache", "MB kept", "taken"]]
    cpu = {way: [float(str(told["cpu_s"])) for told in runs] for way, runs in found.items()}
    ratio = {
        way: statistics.median(a / b for a, b in zip(times, cpu["no cache"], strict=True)) for way, times in cpu.items()
    }
    for way, runs in found.items():
        wall = statistics.median(float(str(told["wall_s"])) for told in runs)
        rows.append(
            [way, str(len(runs)), f"{statistics.median(cpu[way]):.2f}", f"{min(cpu[way]):.2f}–{max(cpu[way]):.2f}",
             f"{wall:.2f}", f"{ratio[way]:.2f}", f"{float(str(runs[0]['kept_mb'])):.0f}", str(runs[0]["taken"])]
        )  # fmt: skip
    print(f"{name}: preparing a study, {found['no cache'][0]['cells']:,} cells; all ways come to the same arrays")
    timing.table(rows, left={0})
    return {"cpu_s": cpu, "ratio": ratio, "kept_mb": found["full cache"][0]["kept_mb"]}, [
        Target(f"{name}: preparing with an empty cache, times without", "<=", 1.15, ratio["empty cache"]),
        Target(f"{name}: preparing with a full cache, times without", "<=", 0.35, ratio["full cache"]),
    ]


def once(name: str, folder: Path | None) -> dict[str, object]:
    """Prepare a study; the time is that of the whole process, all threads, without its imports."""
    from lifecircle.cache import Cache
    from lifecircle.packing import digest
    from lifecircle.prepared import prepare
    from lifecircle.result import Clock
    from lifecircle.study import Study

    if name == "extract":
        keys = {"name": name, "osm": str(extract.made()), "bbox": WHOLE, "standard": "xminute-generic"}
        study = Study.from_keys(keys)
    else:
        study = Study.from_region(name)
    cache = Cache(folder)
    start, before = time.perf_counter(), time.process_time()
    made = prepare(study, Clock(), cache=cache)
    cpu_s, wall_s = time.process_time() - before, time.perf_counter() - start
    held = [made.data, made.network, made.barriers, made.elevation, made.facilities, made.cells]
    return {
        "cpu_s": cpu_s, "wall_s": wall_s, "digest": digest(held), "cells": len(made.cells),
        "taken": len(made.from_cache), "kept_mb": sum(size for _, size in cache.files()) / 1e6,
    }  # fmt: skip


if __name__ == "__main__":
    main()
