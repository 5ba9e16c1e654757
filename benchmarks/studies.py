"""R, N and C of a real study, all its residential cells and all its services, beside peers asked exactly the same."""

import dataclasses
import time
from pathlib import Path
from typing import Any

import heap
import joined
import numpy as np
import peers
import timing
from joined import Joined
from numpy.typing import NDArray
from run import JOBS
from timing import Target, Way

from lifecircle.profiles import TICKS
from lifecircle.reach.search import Walk
from lifecircle.study import Study

FUSED = "extent_and_nearest"
"""Name of the method of `Walk` that gives R, N and C of one search, should there be one."""

_WALL_S = {"lingang-model": {900: 0.25, 1800: 0.7}}
_ROWS = 64


def on_study(name: str, runs: int) -> dict[str, object]:
    """Time one study at a quarter and at half an hour."""
    job = JOBS[name]
    if not all(part.exists() for part in job if isinstance(part, Path)):
        print(f"{name}: no data, left out\n")
        return {}
    walkers = walkers_of(name)
    cells, network = walkers.n_origins, walkers.network
    print(
        f"{name}: {cells:,} cells, {len(walkers.facilities):,} facilities of {len(walkers.thresholds)} services, "
        f"{network.n_nodes:,} nodes, {network.n_edges:,} edges, cost {walkers.lane.name}\n"
    )
    figures: dict[str, object] = {"cells": cells, "facilities": len(walkers.facilities), "nodes": network.n_nodes}
    targets = []
    for cutoff_s in (900, 1800):
        cut = dataclasses.replace(walkers, lane=dataclasses.replace(walkers.lane, cutoff=cutoff_s * TICKS))
        figures[f"{cutoff_s}_s"], wall = _at_cutoff(cut, runs, with_peers=cutoff_s == 900)
        wanted = _WALL_S.get(name, {}).get(cutoff_s)
        if wanted is not None:
            targets.append(Target(f"{name}: R+N+C at {cutoff_s // 60} min, wall s on 2 threads", "<=", wanted, wall))
    if targets:
        timing.show_targets(targets)
        print()
    return figures | {"targets": [t.told() for t in targets]}


def study_of(name: str) -> Study:
    """Study of one of the jobs, as the command line makes it."""
    job = JOBS[name]
    if job == [name]:
        return Study.from_region(name)
    given = {str(job[k])[2:]: job[k + 1] for k in range(0, len(job) - 1, 2) if str(job[k]).startswith("--")}
    box = next(str(part).split("=")[1] for part in job if str(part).startswith("--bbox="))
    given = {key: value for key, value in given.items() if "=" not in key}
    return Study.from_keys({"name": name, "bbox": [float(x) for x in box.split(",")], **given})


def walkers_of(name: str) -> joined.Walkers:
    """Prepare a study through the public way in, and take the cost most services are judged by."""
    ready = study_of(name).prepare()
    by_lane: dict[str, dict[int, tuple[int]]] = {lane: {} for lane in ready.lanes}
    for ix, service in enumerate(ready.standard.services.values()):
        by_lane[service.profile][ix] = (int(service.threshold.value * TICKS),)
    lane = max(by_lane, key=lambda of: len(by_lane[of]))
    return joined.Walkers(
        ready.network, ready.lanes[lane], ready.cells.joins, ready.facilities, len(ready.cells.starts), by_lane[lane]
    )


def _at_cutoff(walkers: joined.Walkers, runs: int, *, with_peers: bool) -> tuple[dict[str, object], float]:
    """Race at one cutoff; figures, and the wall seconds of R+N+C on two threads."""
    n, minutes = walkers.n_origins, walkers.lane.cutoff // TICKS // 60
    # The peers know no copies: all count every node and street of the graph they are given.
    walks = {t: Walk(**vars(walkers), threads=t, once=False) for t in (1, 2)}
    ways, said = [], []
    for threads, walk in walks.items():
        plural = f"{threads} thread{'s'[: threads - 1]}"
        ways += [Way(f"lifecircle R, {plural}", walk.extent, n)]
        ways += [Way(f"lifecircle N+C, {plural}", walk.nearest_and_counts, n)]
        if hasattr(walk, FUSED):
            ways += [Way(f"lifecircle R+N+C, {plural}", getattr(walk, FUSED), n)]
    graph = joined.join(walkers)
    plain, same = heap_way(graph, walks[1], graph.origins - graph.n_streets)
    ways.append(plain)
    said.append(same)
    if with_peers:
        found, compared = _others(graph, walks[1])
        ways += found
        said += compared
    print(f"R, N and C at {minutes} minutes\n  answers:")
    for line in said:
        print(f"    {line}", flush=True)
    timing.race(ways, runs)
    timing.show(ways)
    by_name = {way.name: way for way in ways}
    parts = ["lifecircle R+N+C, 2 threads"] if hasattr(walks[2], FUSED) else [
        "lifecircle R, 2 threads", "lifecircle N+C, 2 threads"
    ]  # fmt: skip
    wall = sum(by_name[part].wall_s for part in parts)
    print(f"  R+N+C on two threads: {wall:.3f} s on the clock\n")
    return {"ways": [way.told() for way in ways], "together_wall_s": wall}, wall


def heap_way(graph: Joined, walk: Walk, cells: NDArray[np.int64]) -> tuple[Way, str]:
    """R, N and C by the plain heap from some cells, and how its answers compare with the engine's."""
    n, services, limits = len(cells), *graph.limits.shape
    found = (
        np.empty(n, np.int64), np.empty((services, n), np.int64), np.empty((services, n), np.int64),
        np.empty((services, limits, n), np.int64),
    )  # fmt: skip

    def run() -> tuple[NDArray[np.int64], ...]:
        heap.everything(
            graph.indptr, graph.indices, graph.cost, graph.n_streets + cells, graph.n_streets, graph.first_facility,
            graph.service_ptr, graph.service, graph.limits, graph.cutoff, found,
        )  # fmt: skip
        return found

    nodes, ticks, nearest, count = run()
    reach = walk.nearest_and_counts()
    mine = np.where(np.isfinite(reach.ticks), reach.ticks, -1)
    equal = {
        "R's nodes": (walk.extent().nodes[cells] == nodes).all(), "N": (mine[:, cells] == ticks).all(),
        "who is nearest": (reach.nearest[:, cells] == nearest).all(), "C": (reach.count[:, :, cells] == count).all(),
    }  # fmt: skip
    told = ", ".join(f"{what} {'equal' if good else 'DIFFERENT'}" for what, good in equal.items())
    note = "" if n == graph.n_origins else "sampled"
    return Way("plain heap R+N+C (numba)", run, n, note=note), f"plain heap: {told} ({n:,} cells)"


def _others(graph: Joined, walk: Walk) -> tuple[list[Way], list[str]]:
    """Ask every peer that is at hand."""
    reach, nodes = walk.nearest_and_counts(), walk.extent().nodes
    ticks = np.where(np.isfinite(reach.ticks), reach.ticks, graph.cutoff + 1)
    ways, said = [], []
    asked = {
        "scipy": lambda: _scipy(graph, ticks, reach.count), "networkx": lambda: _networkx(graph, ticks, reach.count),
        "igraph": lambda: _igraph(graph, ticks), "pandana": lambda: _pandana(graph, ticks),
        "cityseer": lambda: _cityseer(graph, nodes),
    }  # fmt: skip
    for name, ask in asked.items():
        if why := timing.absent(name):
            said.append(why)
            continue
        try:
            way, compared = ask()
        except Exception as error:  # noqa: BLE001 (a peer that fails must not end the run, and is told)
            said.append(f"{name}: failed ({type(error).__name__}: {error}), left out")
            continue
        way.warm = True
        ways.append(way)
        said += compared
    return ways, said


def _scipy(graph: Joined, ticks: NDArray[Any], count: NDArray[Any]) -> tuple[Way, list[str]]:
    """N and C from each facility backwards: there are fewer of them than cells."""
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import dijkstra

    start = time.perf_counter()
    back = csr_array((graph.cost.astype(np.float64), graph.indices, graph.indptr), shape=(graph.n, graph.n)).T.tocsr()
    build = time.perf_counter() - start
    first, last = graph.n_streets, graph.first_facility

    def run() -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        nearest = np.full((len(graph.limits), graph.n_origins), np.inf)
        counts = np.zeros((*graph.limits.shape, graph.n_origins), np.int64)
        for at in range(0, graph.n_facilities, _ROWS):
            rows = np.arange(at, min(at + _ROWS, graph.n_facilities))
            found = dijkstra(back, indices=last + rows, limit=graph.cutoff)[:, first:last]
            for row, facility in zip(found, rows.tolist(), strict=True):
                for s in graph.service[graph.service_ptr[facility] : graph.service_ptr[facility + 1]].tolist():
                    np.minimum(nearest[s], row, out=nearest[s])
                    for t, limit in enumerate(graph.limits[s].tolist()):
                        counts[s, t] += row <= limit
        return nearest, counts

    nearest, counts = run()
    nearest = np.where(np.isfinite(nearest), nearest, graph.cutoff + 1)
    said = [peers.same("scipy", nearest, ticks, "costs to the nearest"), peers.same("scipy", counts, count, "counts")]
    return Way("scipy dijkstra N+C", run, graph.n_origins, build_s=build, note="from each facility backwards"), said


def _networkx(graph: Joined, ticks: NDArray[Any], count: NDArray[Any]) -> tuple[Way, list[str]]:
    """N and C from a few cells."""
    import networkx as nx

    net = nx.DiGraph()
    net.add_weighted_edges_from(zip(graph.tail.tolist(), graph.indices.tolist(), graph.cost.tolist(), strict=True))
    net.add_nodes_from(range(graph.n))
    cells = np.sort(np.random.default_rng(5).choice(graph.n_origins, min(60, graph.n_origins), replace=False))

    def run() -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        nearest = np.full((len(graph.limits), len(cells)), graph.cutoff + 1)
        counts = np.zeros((*graph.limits.shape, len(cells)), np.int64)
        for k, cell in enumerate((graph.n_streets + cells).tolist()):
            reached = nx.single_source_dijkstra_path_length(net, cell, cutoff=graph.cutoff, weight="weight")
            for node, cost in reached.items():
                facility = node - graph.first_facility
                if facility >= 0:
                    for s in graph.service[graph.service_ptr[facility] : graph.service_ptr[facility + 1]].tolist():
                        nearest[s, k] = min(nearest[s, k], cost)
                        counts[s, :, k] += cost <= graph.limits[s]
        return nearest, counts

    nearest, counts = run()
    same = peers.same
    said = [
        same("networkx", nearest, ticks[:, cells], "costs to the nearest"),
        same("networkx", counts, count[:, :, cells], "counts"),
    ]
    return Way("networkx N+C", run, len(cells), note="sampled"), said


def _igraph(graph: Joined, ticks: NDArray[Any]) -> tuple[Way, list[str]]:
    """N: one search backwards for each service, from a node of its own beside its facilities; it knows no limit."""
    import igraph

    start = time.perf_counter()
    services = len(graph.limits)
    owner = graph.first_facility + np.repeat(np.arange(graph.n_facilities), np.diff(graph.service_ptr))
    ends = np.stack(
        [np.concatenate([graph.indices, graph.n + graph.service]), np.concatenate([graph.tail, owner])], axis=1
    )
    weight = np.concatenate([graph.cost, np.zeros(len(owner))])
    net = igraph.Graph(n=graph.n + services, edges=ends, directed=True, edge_attrs={"weight": weight})
    build = time.perf_counter() - start
    first, last = graph.n_streets, graph.first_facility

    def run() -> NDArray[np.float64]:
        found = [net.distances([graph.n + s], weights="weight")[0][first:last] for s in range(services)]
        return np.array(found)

    got = run()
    got = np.where(got > graph.cutoff, graph.cutoff + 1, got)
    said = [peers.same("igraph", got, ticks, "costs to the nearest")]
    return Way("igraph distances N", run, graph.n_origins, build_s=build, note="N only; no limit"), said


def _pandana(graph: Joined, ticks: NDArray[Any]) -> tuple[Way, list[str]]:
    """N by a query for each service; its nodes are all nodes, so streets and facilities are asked along."""
    import pandas as pd

    start = time.perf_counter()
    net = peers.pandana_network(graph.xy, (graph.tail, graph.indices), graph.cost, twoway=False)
    for s in range(len(graph.limits)):
        at = graph.xy[graph.of_service(s)]
        net.set_pois(str(s), graph.cutoff, 1, pd.Series(at[:, 0]), pd.Series(at[:, 1]))
    build = time.perf_counter() - start
    cells = graph.origins

    def run() -> NDArray[np.float64]:
        found = [net.nearest_pois(graph.cutoff, str(s), 1)[1].to_numpy()[cells] for s in range(len(graph.limits))]
        return np.stack(found)

    said = [peers.same("Pandana", run(), np.minimum(ticks, graph.cutoff), "costs to the nearest")]
    return Way("Pandana nearest_pois N", run, graph.n_origins, build_s=build, note="N only"), said


def _cityseer(graph: Joined, nodes: NDArray[np.int64]) -> tuple[Way, list[str]]:
    """R: street nodes reached from cells; facilities stay away, so that they are not counted."""
    from cityseer import rustalgos

    start = time.perf_counter()
    cells = np.sort(np.random.default_rng(5).choice(graph.n_origins, min(1000, graph.n_origins), replace=False))
    net = rustalgos.graph.NetworkStructure()
    net.set_is_directed(True)
    alive = np.zeros(graph.n, dtype=bool)
    alive[graph.n_streets + cells] = True
    numbers = [
        net.add_street_node(k, x, y, alive[k], 1.0)
        for k, (x, y) in enumerate(graph.xy[: graph.first_facility].tolist())
    ]
    kept = graph.indices < graph.n_streets
    arcs = (graph.tail[kept].tolist(), graph.indices[kept].tolist(), graph.cost[kept].tolist())
    for u, v, cost in zip(*arcs, strict=True):
        net.add_street_edge(numbers[u], numbers[v], 0, u, v, f"LINESTRING(0 0, {max(cost, 0.001)} 0)")
    net.validate()
    build = time.perf_counter() - start

    def run() -> NDArray[np.float64]:
        found = net.centrality_shortest(
            distances=[graph.cutoff], closeness_exprs=[("n", "1")], betweenness_exprs=[], compute_cycles=False,
            pbar_disabled=True,
        )  # fmt: skip
        return found.metrics["n"][graph.cutoff][graph.n_streets + cells]

    said = [peers.same("cityseer", run(), nodes[cells], "nodes reached")]
    return Way("cityseer centrality R", run, len(cells), build_s=build, note="sampled; R's nodes only"), said
