"""Does a larger region cost more for each origin? R on seeded graphs of 105 thousand, one and four million nodes.

    python benchmarks/scale.py [--sizes 105k,1M,4M]

One fresh process for each size and cutoff, all sizes of a cutoff at once but working in turn; each reads its graph
from a file (made at the first run), lays it out and walks from every node on one thread. Prints microseconds an origin
and peak memory, and writes ``benchmarks/results/scale.json``.
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from pathlib import Path

import timing
from graphs import CUTOFF, cached
from timing import Target, Way

TURNS = {5: 3, 15: 5, 30: 2}
"""Cutoff in minutes, and how often each size is timed at it: a run of four million nodes takes a while."""

_MOST_GB, _SPREAD = 1.2, 1.15


def main() -> None:
    """Time every cutoff, print and write; or be one of the processes that are timed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default="105k,1M,4M")
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--minutes", type=int, default=15, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve is not None:
        serve(options.serve, options.minutes)
        return
    context, sizes = timing.context(), options.sizes.split(",")
    files = {}
    for size in sizes:
        start = time.perf_counter()
        files[size] = cached(size, timing.RESULTS)
        if (took := time.perf_counter() - start) > 1:
            print(f"graph of {size} nodes made in {took:.0f} s", flush=True)
    found = [row for minutes in TURNS for row in at_cutoff(files, minutes)]
    head = [
        "minutes",
        "nodes",
        "µs/origin",
        "least–most",
        "runs",
        "reached",
        "lay out s",
        "before MB",
        "laid out",
        "peak MB",
    ]
    rows = [
        [
            str(row["minutes"]), f"{row['nodes']:,}", f"{row['us_per_origin_cpu']:.3f}",
            f"{row['us_low']:.3f}–{row['us_high']:.3f}", str(row["runs"]), f"{row['reached_mean']:.1f}",
            f"{row['lay_out_s']:.1f}", f"{row['before_mb']:.0f}", f"{row['laid_out_mb']:.0f}", f"{row['peak_mb']:.0f}",
        ]
        for row in found
    ]  # fmt: skip
    print("R from every node, one thread, CPU time; memory is the peak of the whole process: before anything is read,")
    print("when the graph is laid out, and at the end")
    timing.table([head, *rows])
    targets = goals(found, sizes)
    timing.show_targets(targets)
    timing.keep("scale", context | {"rows": found, "targets": [t.told() for t in targets]})


def goals(found: list[dict[str, object]], sizes: list[str]) -> list[Target]:
    """Hold the figures against what was promised: same cost for each origin, and memory."""
    targets = []
    for minutes in TURNS:
        each = [float(row["us_per_origin_cpu"]) for row in found if row["minutes"] == minutes]
        what = f"{minutes} min: dearest size by the smallest one, for each origin"
        targets.append(Target(what, "<=", _SPREAD, max(each) / each[0]))
    if "4M" in sizes:
        peak = max(float(row["peak_mb"]) for row in found if row["size"] == "4M")
        targets.append(Target("4M nodes: peak GB of the process", "<=", _MOST_GB, peak / 1000))
    return targets


def at_cutoff(files: dict[str, Path], minutes: int) -> list[dict[str, object]]:
    """One process for each size; they run in turn."""
    children = {
        size: subprocess.Popen(
            [sys.executable, __file__, "--serve", str(path), "--minutes", str(minutes)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        for size, path in files.items()
    }  # fmt: skip
    told = {size: json.loads(child.stdout.readline()) for size, child in children.items()}
    ways = {size: Way(size, lambda: None, told[size]["nodes"]) for size in files}
    for _ in range(TURNS[minutes]):
        for size, child in children.items():
            child.stdin.write("run\n")
            child.stdin.flush()
            answer = json.loads(child.stdout.readline())
            ways[size].cpu.append(answer["cpu_s"])
            ways[size].wall.append(answer["wall_s"])
            told[size] |= answer
    for size, child in children.items():
        told[size] |= json.loads(child.communicate("")[0])
    rows = []
    for size, way in ways.items():
        each = {"us_low": min(way.cpu), "us_high": max(way.cpu)}
        rows.append(
            {"minutes": minutes, "size": size, **told[size], **way.told()}
            | {name: seconds / way.origins * 1e6 for name, seconds in each.items()}
        )
    return rows


def serve(path: Path, minutes: int) -> None:
    """Lay a graph out, walk whenever told to, and at the end say how much memory it took."""
    from reach import ground_of

    from lifecircle.reach.search import Ground, extent_of_nodes

    nothing = [0.0]
    extent_of_nodes(Ground(*_tiny(nothing)), 1, threads=1)  # compiled before anything is counted
    before = _peak_mb()
    start = time.perf_counter()
    ground, _ = ground_of(path)
    laid_out = time.perf_counter() - start
    cutoff = CUTOFF * minutes // 15
    told = {"nodes": ground.n, "lay_out_s": laid_out, "before_mb": before, "laid_out_mb": _peak_mb()}
    print(json.dumps(told), flush=True)
    for _ in sys.stdin:
        cpu, wall = time.process_time(), time.perf_counter()
        got = extent_of_nodes(ground, cutoff, threads=1)
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
        print(json.dumps({"cpu_s": cpu, "wall_s": wall, "reached_mean": float(got.nodes.mean())}), flush=True)
        del got
    print(json.dumps({"peak_mb": _peak_mb()}), flush=True)


def _tiny(nothing: list[float]) -> tuple[object, ...]:
    """Two nodes and a street."""
    import numpy as np

    ends, cost = np.array([0, 1], dtype=np.int32), np.ones(1, dtype=np.int32)
    place = np.array(nothing * 2)
    return place, place, ends[:1], ends[1:], cost, cost, np.ones(1)


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
