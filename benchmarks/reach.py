"""Time R, the nodes and street length reached, from every node of a graph.

    python benchmarks/reach.py --graph FILE.npz [--json] [--runs N] [--yardstick FOLDER]

The file holds ``xy`` (n, 2) float64, ``indptr``, ``indices``, ``w`` int32 (CSR of a symmetric graph, whole ticks) and
``cutoff`` in ticks (`graphs.py` makes such files). Prints CPU and wall seconds for one and two threads (medians), the
mean number of nodes reached and the sum of the street lengths. Laying the graph out and compiling are timed apart.
Where the folder of the yardstick is at hand it runs in turn with ours, on the same graph, and the ratios are printed.
"""

import argparse
import json
import time
from pathlib import Path
from typing import Any

import floor
import numpy as np
import timing
import yard
from graphs import Graph
from timing import Way

from lifecircle.reach.products import Extent
from lifecircle.reach.search import Ground, extent_of_nodes

_SKETCH_CUTOFF = 32_767  # the sketch adds two remainders of the cutoff in 16 bits


def main() -> None:
    """Read, run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--graph", type=Path, required=True)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--yardstick", type=Path, default=yard.FOLDER)
    options = parser.parse_args()
    start = time.perf_counter()
    ground, cutoff = ground_of(options.graph)
    laid_out = time.perf_counter() - start
    start = time.perf_counter()
    truth = extent_of_nodes(ground, cutoff, threads=1)
    first = time.perf_counter() - start
    result: dict[str, object] = {
        "nodes": ground.n,
        "edges": len(ground.u),
        "lay_out_s": laid_out,
        "first_call_s": first,
        "reached_mean": float(truth.nodes.mean()),
        "length_checksum": int(truth.street.sum()),
    }
    ways = {f"{t}_threads": Way(f"{t}", lambda t=t: checked(ground, cutoff, t, truth), ground.n) for t in (1, 2)}
    sketch = yardstick(options.yardstick, options.graph, ground, truth)
    theirs = {}
    if sketch is not None:
        theirs = {f"{t}_threads": Way(f"{t}", lambda t=t: sketch.run(t), ground.n) for t in (1, 2)}
    timing.race([way for name in ways for way in (ways[name], theirs.get(name)) if way is not None], options.runs)
    result |= {name: medians(way) for name, way in ways.items()}
    if theirs:
        result["yardstick"] = {name: medians(way) for name, way in theirs.items()} | {
            "ours_by_yardstick_cpu_1_thread": timing.paired(ways["1_threads"], theirs["1_threads"]),
            "ours_by_yardstick_wall_2_threads": timing.paired(ways["2_threads"], theirs["2_threads"], wall=True),
        }
    print(json.dumps(result, indent=1) if options.json else "\n".join(f"{k}: {v}" for k, v in result.items()))


def ground_of(path: Path) -> tuple[Ground, int]:
    """Read a graph file: every edge once, with the cost both ways."""
    arrays = list(edges_of(path))
    cutoff = arrays.pop()
    # Handed over, not kept: on millions of nodes it counts.
    return Ground(*(arrays.pop(0) for _ in range(7))), cutoff


def edges_of(path: Path) -> tuple[Any, ...]:
    """Read what `Ground` takes, and the cutoff."""
    graph = Graph.load(path)
    tail = np.repeat(np.arange(graph.n, dtype=np.int32), np.diff(graph.indptr))
    once = tail < graph.indices
    ticks = graph.cost[once].astype(np.int32)
    x, y = (np.ascontiguousarray(axis) for axis in graph.xy.T)
    return x, y, tail[once], graph.indices[once], ticks, ticks, ticks / 32, graph.cutoff


def checked(ground: Ground, cutoff: int, threads: int, truth: Extent) -> Any:
    """Run once; every run must give the same answer."""
    got = extent_of_nodes(ground, cutoff, threads=threads)
    assert (got.nodes == truth.nodes).all()
    assert (got.street == truth.street).all()
    return got


def yardstick(folder: Path, path: Path, ground: Ground, truth: Extent) -> yard.Yardstick | None:
    """Lay the graph out for the sketch, if it is at hand and can hold it, and see that it finds the same."""
    graph = Graph.load(path)
    if not yard.at_hand(folder) or graph.cutoff > _SKETCH_CUTOFF:
        return None
    # It checks no room, so it is given plenty: four times what the largest piece needs.
    arrays = floor.in_order(ground, graph.indptr, graph.indices, graph.cost)
    largest = int(floor.pieces(*arrays, graph.cutoff).size.max())
    sketch = yard.Yardstick(folder, graph, room=4 * largest)
    sketch.run()
    assert sketch.equals(truth.nodes, truth.street), "the yardstick finds something else"
    return sketch


def medians(way: Way) -> dict[str, float]:
    """Figures of a way."""
    return {
        "cpu_s_median": way.cpu_s,
        "wall_s_median": way.wall_s,
        "wall_s_spread": max(way.wall) - min(way.wall),
        "us_per_origin_cpu": way.each_us,
    }


if __name__ == "__main__":
    main()
