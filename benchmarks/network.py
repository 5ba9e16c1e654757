"""Time and memory of building the network, and how they grow with the area.

    python benchmarks/network.py [--runs N]

Newport and the Lingang model from their extracts; then Newport laid out ten times side by side, beside once, in turn.
Writes ``benchmarks/results/network.json``.
"""

import argparse
import json
import resource
import statistics
import time
from pathlib import Path

import numpy as np
import pandas as pd
import run
import shapely
import studies

from lifecircle.model.network import Network
from lifecircle.region import Region
from lifecircle.sources.osm import OsmData

COPIES = 10
STEP_DEG = 0.25  # wider than Newport with its reach: the copies do not meet


def main() -> None:
    """Run, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    runs = parser.parse_args().runs
    found: dict[str, dict[str, float]] = {}
    for name, most in (("newport", 6.0), ("lingang-model", 8.0)):
        if not all(part.exists() for part in run.JOBS[name] if isinstance(part, Path)):
            print(f"{name}: no data, left out")
            continue
        ready = studies.study_of(name).prepare()
        network, took = ready.network, [seconds(ready.data, ready.region) for _ in range(runs)]
        found[name] = {"edges": network.n_edges, "s": statistics.median(took), "peak_mb": peak_mb()}
        print(
            f"{name}: {network.n_edges:,} edges in {found[name]['s']:.2f} s (asked: {most:g}), "
            f"peak of the process {found[name]['peak_mb']:.0f} MB (asked: 1,500)"
        )
        if name == "newport":
            ten = beside(ready.data, COPIES)
            pairs = [(seconds(ready.data, ready.region), seconds(ten, ready.region)) for _ in range(runs)]
            ratio = statistics.median(many / once for once, many in pairs)
            found["newport ten times"] = {"s": statistics.median(many for _, many in pairs), "ratio": ratio}
            print(f"newport ten times: {found['newport ten times']['s']:.2f} s, {ratio:.1f} times once (asked: 11)")
    target = run.ROOT / "benchmarks" / "results" / "network.json"
    target.parent.mkdir(exist_ok=True)
    target.write_text(json.dumps(found, indent=1) + "\n")
    print(f"written: {target.relative_to(run.ROOT)}")


def seconds(data: OsmData, region: Region) -> float:
    """Processor seconds of one build."""
    start = time.process_time()
    Network.from_osm(data.ways, data.way_nodes, region, features=data.features, lines=data.lines)
    return time.process_time() - start


def beside(data: OsmData, copies: int) -> OsmData:
    """Lay the data out several times, one copy east of another, with ids of their own."""
    ways, nodes, features = [], [], []
    for k in range(copies):
        ways.append(data.ways.assign(way_id=data.ways["way_id"] + k * (1 << 40)))
        nodes.append(
            data.way_nodes.assign(
                way_ix=data.way_nodes["way_ix"] + k * len(data.ways),
                node_id=data.way_nodes["node_id"] + k * (1 << 40),
                lon=data.way_nodes["lon"] + k * STEP_DEG,
            )
        )
        moved = shapely.transform(
            data.features["geometry"].to_numpy(dtype=object), lambda xy, k=k: xy + np.array([k * STEP_DEG, 0.0])
        )
        features.append(data.features.assign(osm_id=data.features["osm_id"] + k * (1 << 40), geometry=list(moved)))
    joined = [pd.concat(frames, ignore_index=True) for frames in (ways, nodes, features)]
    return OsmData(*joined, data.lines, data.extent, data.timestamp, data.counts)


def peak_mb() -> float:
    """Most memory the process has held, MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
