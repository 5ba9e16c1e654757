"""Time R, the nodes and street length reached, from every node of a graph.

    python benchmarks/reach.py --graph FILE.npz [--json] [--runs N]

The file holds ``xy`` (n, 2) float64, ``indptr``, ``indices``, ``w`` int32 (CSR of a symmetric graph, whole ticks) and
``cutoff`` in ticks. Prints CPU and wall seconds for one and two threads (medians), the mean number of nodes reached and
the sum of the street lengths. Laying the graph out and compiling are timed apart.
"""

import argparse
import json
import statistics
import time
from pathlib import Path

import numpy as np

from lifecircle.reach.products import Extent
from lifecircle.reach.search import Ground, extent_of_nodes


def main() -> None:
    """Read, run and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--graph", type=Path, required=True)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--runs", type=int, default=7)
    options = parser.parse_args()
    start = time.perf_counter()
    ground, cutoff = ground_of(options.graph)
    laid_out = time.perf_counter() - start
    start = time.perf_counter()
    got = extent_of_nodes(ground, cutoff, threads=1)
    first = time.perf_counter() - start
    result: dict[str, object] = {
        "nodes": ground.n,
        "edges": len(ground.u),
        "lay_out_s": laid_out,
        "first_call_s": first,
        "reached_mean": float(got.nodes.mean()),
        "length_checksum": int(got.street.sum()),
    }
    for threads in (1, 2):
        result[f"{threads}_threads"] = timed(ground, cutoff, threads, options.runs, got)
    print(json.dumps(result, indent=1) if options.json else "\n".join(f"{k}: {v}" for k, v in result.items()))


def ground_of(path: Path) -> tuple[Ground, int]:
    """Read a graph file: every edge once, with the cost both ways."""
    with np.load(path) as file:
        xy, indptr, head, cost = (file[name] for name in ("xy", "indptr", "indices", "w"))
        cutoff = int(file["cutoff"])
    tail = np.repeat(np.arange(len(indptr) - 1), np.diff(indptr))
    once = tail < head
    ticks = cost[once].astype(np.int32)
    return Ground(xy[:, 0], xy[:, 1], tail[once], head[once], ticks, ticks, ticks / 32), cutoff


def timed(ground: Ground, cutoff: int, threads: int, runs: int, truth: Extent) -> dict[str, float]:
    """Medians over runs that all give the same answer."""
    cpu, wall = [], []
    for _ in range(runs):
        before, start = time.process_time(), time.perf_counter()
        got = extent_of_nodes(ground, cutoff, threads=threads)
        cpu.append(time.process_time() - before)
        wall.append(time.perf_counter() - start)
        assert (got.nodes == truth.nodes).all()
        assert (got.street == truth.street).all()
    return {
        "cpu_s_median": statistics.median(cpu),
        "wall_s_median": statistics.median(wall),
        "wall_s_spread": max(wall) - min(wall),
        "us_per_origin_cpu": statistics.median(cpu) / ground.n * 1e6,
    }


if __name__ == "__main__":
    main()
