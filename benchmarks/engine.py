"""Time the engine beside its peers: R, N and C on the seeded graph, on the Lingang model and on Newport.

    python benchmarks/engine.py [--runs N] [--only graph,lingang-model,newport] [--yardstick FOLDER]

Everything that is compared runs in this one process, in turn (`timing.race`); answers are compared before any time is
printed. Writes ``benchmarks/results/engine.json``.
"""

import argparse
from pathlib import Path

import floor
import heap
import joined
import numpy as np
import peers
import studies
import timing
import yard
from graphs import Graph, cached
from numpy.typing import NDArray
from reach import ground_of
from timing import Target, Way

from lifecircle.reach import search
from lifecircle.reach.search import Ground, Walk, extent_of_nodes

NODES, ARCS, REACHED, STREET = 104_849, 304_314, 612.6937, 60_319_675_184
"""What the seeded graph of 400 km² must have, and what must be reached on it in all: another machine may check."""

SERVICES = 20
_FEWEST, _MOST = 10, 400  # facilities of the rarest service and of the commonest


def main() -> None:
    """Run what is asked for, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--only", default="graph,lingang-model,newport")
    parser.add_argument("--yardstick", type=Path, default=yard.FOLDER)
    options = parser.parse_args()
    figures = timing.context() | {"runs": options.runs}
    for name in options.only.split(","):
        if name == "graph":
            figures[name] = on_graph(options.runs, options.yardstick)
        else:
            figures[name] = studies.on_study(name, options.runs)
    timing.keep("engine", figures)


def on_graph(runs: int, folder: Path) -> dict[str, object]:
    """R, N alone, and R+N+C on the seeded graph."""
    path = cached("105k", timing.RESULTS)
    graph = Graph.load(path)
    ground, cutoff = ground_of(path)
    assert (graph.n, len(graph.indices), cutoff) == (NODES, ARCS, 12_500)
    print(f"seeded graph of 400 km²: {graph.n:,} nodes, {len(graph.indices):,} arcs, 15 minutes\n")
    question = facilities(graph)
    extents, targets = _extent(question, ground, runs, folder)
    nearest, more = _nearest(question, ground, runs)
    targets += more
    fused, more = _fused(question, runs, folder)
    targets += more
    print("targets on the seeded graph (CPU time for each origin, medians of ratios turn by turn):")
    timing.show_targets(targets)
    print()
    return {"extent": extents, "nearest": nearest, "together": fused, "targets": [t.told() for t in targets]}


def facilities(graph: Graph) -> peers.Question:
    """Scatter the facilities of twenty services over the nodes, from rare to common."""
    rng = np.random.default_rng(7)
    size = np.geomspace(_FEWEST, _MOST, SERVICES).round().astype(int)
    doors = [np.sort(rng.choice(graph.n, count, replace=False)) for count in size]
    return peers.Question(graph, np.concatenate(doors), np.concatenate([[0], np.cumsum(size)]))


def _extent(
    question: peers.Question, ground: Ground, runs: int, folder: Path
) -> tuple[list[dict[str, object]], list[Target]]:
    """R for every node."""
    graph, cutoff = question.graph, question.graph.cutoff
    truth = extent_of_nodes(ground, cutoff, threads=1)
    assert round(float(truth.nodes.mean()), 4) == REACHED
    assert int(truth.street.sum()) == STREET
    arrays = floor.in_order(ground, graph.indptr, graph.indices, graph.cost)
    found = floor.ready(floor.pieces(*arrays, cutoff), cutoff)
    one = Way("lifecircle, 1 thread", lambda: extent_of_nodes(ground, cutoff, threads=1), graph.n)
    two = Way("lifecircle, 2 threads", lambda: extent_of_nodes(ground, cutoff, threads=2), graph.n)
    ways = [one, two, lowest := Way("floor: one sweep, sums", lambda: floor.once(*found), graph.n, note="no answer")]
    plain = _plain(arrays, cutoff)
    said = [
        f"lifecircle: reached mean {truth.nodes.mean():.4f}, street {truth.street.sum()}: as they must be",
        peers.same("plain heap", np.stack(plain.run()), np.stack([truth.nodes, truth.street])[:, _sampled(ground)],
                   "nodes and street reached"),
    ]  # fmt: skip
    sketch = None
    if yard.at_hand(folder):
        sketch = yard.Yardstick(folder, graph)
        sketch.run()
        said.append("yardstick: " + ("equal" if sketch.equals(truth.nodes, truth.street) else "DIFFERENT"))
        ways += [Way(f"yardstick, {t} thread{'s'[: t - 1]}", lambda t=t: sketch.run(t), graph.n) for t in (1, 2)]
    else:
        said.append(f"yardstick: not at {folder}, left out")
    others, compared = peers.extent_ways(question, truth.nodes)
    ways += [plain, *others]
    _report("R, nodes and street length reached from every node", said + compared, ways, runs)
    by_name = {way.name: way for way in ways}

    def against(name: str, wanted: float) -> Target:
        other = by_name.get(name)
        ratio = None if other is None else timing.paired(other, one)
        return Target(f"R: times faster than {name}", ">=", wanted, ratio, "peer left out")

    targets = [
        Target("R: µs an origin, 1 thread", "<=", 2.0, one.each_us),
        against("Pandana aggregate, precomputed", 25),
        against("Pandana aggregate", 25),
        against("scipy dijkstra(limit)", 90),
        against("cityseer centrality_shortest", 400),
        against("cityseer poll_reach_hits", 400),
        Target("R: times the floor", "<=", 5.0, timing.paired(one, lowest)),
        Target("R: two threads, times faster on the clock", ">=", 1.6, timing.paired(one, two, wall=True)),
    ]
    if sketch is not None:
        pair = [by_name["yardstick, 1 thread"], by_name["yardstick, 2 threads"]]
        targets += [
            Target("R: the yardstick's own two threads", ">=", 1.6, timing.paired(*pair, wall=True)),
            Target("R: time by the yardstick's, 1 thread", "<=", 1.0, timing.paired(one, pair[0])),
        ]
    return [way.told() for way in ways], targets


def _sampled(ground: Ground) -> NDArray[np.int64]:
    """One batch of neighbours in five: the plain heap gains from neighbours too."""
    rank = np.arange(ground.n)
    return np.asarray(ground.order)[rank[rank // 128 % 5 == 0]]


def _plain(arrays: tuple[NDArray[np.int64], ...], cutoff: int) -> Way:
    """R by a binary heap, on the nodes in the engine's own order."""
    rank = np.arange(len(arrays[0]) - 1)
    origins = rank[rank // 128 % 5 == 0]
    nodes, street = np.empty(len(origins), np.int64), np.empty(len(origins), np.int64)

    def run() -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        heap.streets(*arrays, origins, cutoff, nodes, street)
        return nodes, street

    return Way("plain heap (numba)", run, len(origins), note="one batch of 128 in five")


def _report(title: str, said: list[str], ways: list[Way], runs: int) -> None:
    """Say what was compared, then race, then show."""
    print(f"{title}\n  answers:")
    for line in said:
        print(f"    {line}", flush=True)
    timing.race(ways, runs)
    timing.show(ways)
    print()


def _nearest(question: peers.Question, ground: Ground, runs: int) -> tuple[list[dict[str, object]], list[Target]]:
    """N alone: the nearest facility of every service for every node."""
    graph, n = question.graph, question.graph.n
    plain = peers.heap_nearest(question, graph.indptr, graph.indices, graph.cost)
    truth = plain.run().copy()
    service = np.repeat(np.arange(SERVICES), np.diff(question.door_ptr))
    ways, said = [plain], []
    ask = getattr(search, "nearest_from_nodes", None)
    if ask is None:
        said.append("lifecircle: nearest_from_nodes is not there yet, left out")
    else:

        def run() -> NDArray[np.float64]:
            return ask(ground, question.doors, service, SERVICES, graph.cutoff)[0]

        got = np.asarray(run(), dtype=np.float64)
        got = np.where((got < 0) | (got > graph.cutoff), graph.cutoff + 1, got)
        said.append(peers.same("lifecircle", got, truth, "costs to the nearest"))
        ways.insert(0, Way("lifecircle, 1 thread", run, SERVICES * n))
    others, compared = peers.nearest_ways(question, truth)
    ways += others
    title = f"N alone, the nearest of {SERVICES} services for every node (an origin here is a node and a service)"
    _report(title, said + compared, ways, runs)
    by_name = {way.name: way for way in ways}

    def against(name: str, wanted: float) -> Target:
        pair = by_name.get(name), by_name.get("lifecircle, 1 thread")
        ratio = None if None in pair else timing.paired(*pair)
        return Target(f"N alone: times faster than {name}", ">=", wanted, ratio, "left out, see above")

    return [way.told() for way in ways], [
        against("scipy dijkstra(min_only, limit)", 12),
        against("Pandana nearest_pois", 500),
    ]


def _fused(question: peers.Question, runs: int, folder: Path) -> tuple[list[dict[str, object]], list[Target]]:
    """R, N and C from every node, counts within 5, 10 and 15 minutes."""
    graph = question.graph
    service = np.repeat(np.arange(SERVICES), np.diff(question.door_ptr))
    limits = (graph.cutoff // 3, 2 * graph.cutoff // 3, graph.cutoff)
    walkers = joined.of_graph(graph, question.doors, service, limits)
    walk = Walk(**vars(walkers), threads=1)
    ways = [
        r := Way("lifecircle R", walk.extent, graph.n, note="through Walk: nodes as places on edges"),
        nc := Way("lifecircle N+C", walk.nearest_and_counts, graph.n),
    ]
    if hasattr(walk, studies.FUSED):
        ways.append(Way("lifecircle R+N+C", getattr(walk, studies.FUSED), graph.n))
    plain, same = studies.heap_way(joined.join(walkers), walk, question.sample(4000))
    said = [same]
    if yard.at_hand(folder):
        sketch = yard.Yardstick(folder, graph, question.doors, service)
        ways.append(Way("yardstick R+N+C", sketch.run, graph.n))
        only = yard.Yardstick(folder, graph)
        ways.append(Way("yardstick R", only.run, graph.n))
    ways.append(plain)
    _report(f"R, N and C together, {SERVICES} services, {len(service):,} facilities, 3 thresholds", said, ways, runs)
    by_name = {way.name: way for way in ways}
    both = [a + b for a, b in zip(r.cpu, nc.cpu, strict=True)]
    total = Way("R, then N+C", walk.extent, graph.n, cpu=both, wall=both)
    fused = by_name.get("lifecircle R+N+C", total)
    print(f"  R and then N+C cost {timing.paired(total, r):.2f} times R\n")
    targets = [Target(f"{fused.name} by R alone", "<=", 1.15, timing.paired(fused, r))]
    if "yardstick R" in by_name:
        ratio = timing.paired(by_name["yardstick R+N+C"], by_name["yardstick R"])
        targets.append(Target("the yardstick's own R+N+C by R", "<=", 1.15, ratio))
    return [way.told() for way in ways], targets


if __name__ == "__main__":
    main()
