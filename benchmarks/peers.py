"""What other libraries are asked, each in its best way, on the seeded graph: R from sampled nodes, N for every node."""

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import heap
import numpy as np
from graphs import Graph
from numpy.typing import NDArray
from timing import Way, absent

_ROWS = 64  # origins scipy is asked at once: it answers with a whole row of nodes for each


@dataclass(frozen=True)
class Question:
    """A graph, the nodes sampled, and facilities at nodes: ``doors`` sliced by ``door_ptr`` into services."""

    graph: Graph
    doors: NDArray[np.int64]
    door_ptr: NDArray[np.int64]
    seed: int = 5

    def sample(self, n: int) -> NDArray[np.int64]:
        """Draw some nodes, the same every time."""
        return np.sort(np.random.default_rng(self.seed).choice(self.graph.n, min(n, self.graph.n), replace=False))

    @cached_property
    def pandana(self) -> tuple[Any, float]:
        """Build a Pandana network of the graph, without range queries, and say in how many seconds."""
        graph = self.graph
        once = graph.tail < graph.indices
        ends = (graph.tail[once], graph.indices[once].astype(np.int64))
        return timed(lambda: pandana_network(graph.xy, ends, graph.cost[once], twoway=True))

    def of(self, service: int) -> NDArray[np.int64]:
        """Nodes of a service's facilities."""
        return self.doors[self.door_ptr[service] : self.door_ptr[service + 1]]


Extent = NDArray[np.float64]
Ask = Callable[[Question], list[Way]]


def extent_ways(question: Question, truth: NDArray[np.int64]) -> tuple[list[Way], list[str]]:
    """R: ways of every peer that is at hand, and what the comparison of their answers with the truth says."""
    return _asked(
        question, truth,
        {"scipy": _scipy_extent, "networkx": _networkx_extent, "igraph": _igraph_extent, "pandana": _pandana_extent,
         "cityseer": _cityseer_extent},
    )  # fmt: skip


def nearest_ways(question: Question, truth: NDArray[np.int64]) -> tuple[list[Way], list[str]]:
    """N alone: the same, ``truth`` being (n_services, n) ticks, beyond the cutoff anything above it."""
    return _asked(
        question, truth,
        {"scipy": _scipy_nearest, "networkx": _networkx_nearest, "igraph": _igraph_nearest,
         "pandana": _pandana_nearest, "cityseer": _cityseer_nearest},
    )  # fmt: skip


def _asked(
    question: Question, truth: NDArray[np.int64], peers: dict[str, Callable[..., tuple[list[Way], list[str]]]]
) -> tuple[list[Way], list[str]]:
    ways: list[Way] = []
    said: list[str] = []
    for name, ask in peers.items():
        if why := absent(name):
            said.append(why)
            continue
        try:
            found, compared = ask(question, truth)
        except Exception as error:  # noqa: BLE001 (a peer that fails must not end the run, and is told)
            said.append(f"{name}: failed ({type(error).__name__}: {error}), left out")
            continue
        for way in found:
            way.warm = True
        ways += found
        said += compared
    return ways, said


def same(name: str, got: NDArray[Any], truth: NDArray[Any], what: str) -> str:
    """Compare two answers to the same questions, in words."""
    off = np.abs(got.astype(np.float64) - truth)
    wrong = int((off > 0).sum())
    if wrong == 0:
        return f"{name}: {what} equal for all {got.size:,}"
    return (
        f"{name}: {what} differ for {wrong:,} of {got.size:,} ({wrong / got.size:.2%}), by {off[off > 0].mean():.3g} "
        f"on average and {off.max():.3g} at most"
    )


def timed(make: Callable[[], Any]) -> tuple[Any, float]:
    """Make something, and say how many wall seconds it took."""
    start = time.perf_counter()
    made = make()
    return made, time.perf_counter() - start


@contextlib.contextmanager
def hushed() -> Iterator[None]:
    """Keep what C++ code prints off the page."""
    kept = os.dup(1)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    try:
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)
        os.close(nowhere)


def _scipy_graph(graph: Graph) -> Any:
    from scipy.sparse import csr_array

    return csr_array((graph.cost.astype(np.float64), graph.indices, graph.indptr), shape=(graph.n, graph.n))


def _scipy_extent(question: Question, truth: NDArray[np.int64]) -> tuple[list[Way], list[str]]:
    from scipy.sparse.csgraph import dijkstra

    matrix, build = timed(lambda: _scipy_graph(question.graph))
    origins, limit = question.sample(1024), question.graph.cutoff

    def run() -> Extent:
        rows = range(0, len(origins), _ROWS)
        found = [np.isfinite(dijkstra(matrix, indices=origins[k : k + _ROWS], limit=limit)).sum(axis=1) for k in rows]
        return np.concatenate(found)

    way = Way("scipy dijkstra(limit)", run, len(origins), build_s=build, note="sampled")
    return [way], [same("scipy", run(), truth[origins], "nodes reached")]


def _networkx_graph(graph: Graph) -> Any:
    import networkx as nx

    made = nx.Graph()
    made.add_nodes_from(range(graph.n))
    once = graph.tail < graph.indices
    ends = (graph.tail[once].tolist(), graph.indices[once].tolist(), graph.cost[once].tolist())
    made.add_weighted_edges_from(zip(*ends, strict=True))
    return made


def _networkx_extent(question: Question, truth: NDArray[np.int64]) -> tuple[list[Way], list[str]]:
    import networkx as nx

    net, build = timed(lambda: _networkx_graph(question.graph))
    origins, limit = question.sample(150), question.graph.cutoff

    def run() -> Extent:
        found = (nx.single_source_dijkstra_path_length(net, o, cutoff=limit, weight="weight") for o in origins.tolist())
        return np.array([len(reached) for reached in found])

    way = Way("networkx single_source_dijkstra", run, len(origins), build_s=build, note="sampled")
    return [way], [same("networkx", run(), truth[origins], "nodes reached")]


def _igraph_graph(graph: Graph) -> Any:
    import igraph

    once = graph.tail < graph.indices
    ends = np.stack([graph.tail[once], graph.indices[once]], axis=1)
    return igraph.Graph(n=graph.n, edges=ends, edge_attrs={"weight": graph.cost[once].astype(float)})


def _igraph_extent(question: Question, truth: NDArray[np.int64]) -> tuple[list[Way], list[str]]:
    net, build = timed(lambda: _igraph_graph(question.graph))
    origins, limit = question.sample(1000), question.graph.cutoff
    who = origins.tolist()

    def run() -> Extent:
        return np.array(net.closeness(who, cutoff=limit, weights="weight", normalized=False))

    # Its only bounded search gives one over the sum of distances; with the mean beside it the number follows.
    mean = np.array(net.closeness(who, cutoff=limit, weights="weight", normalized=True))
    got = np.where(np.isnan(mean), 1, np.rint(np.nan_to_num(mean / run())) + 1)
    way = Way("igraph closeness(cutoff)", run, len(origins), build_s=build, note="sampled; sums distances")
    return [way], [same("igraph", got, truth[origins], "nodes reached")]


def pandana_network(
    xy: NDArray[np.float64], ends: tuple[NDArray[np.int64], NDArray[np.int64]], cost: NDArray[Any], *, twoway: bool
) -> Any:
    """Build a Pandana network, its contraction hierarchy included."""
    import pandana
    import pandas as pd

    nodes = pd.DataFrame({"x": xy[:, 0], "y": xy[:, 1]})
    tail, head = (pd.Series(end.astype(np.int64)) for end in ends)
    with hushed():
        return pandana.Network(
            nodes["x"], nodes["y"], tail, head, pd.DataFrame({"cost": cost.astype(float)}), twoway=twoway
        )


def _pandana_extent(question: Question, truth: NDArray[np.int64]) -> tuple[list[Way], list[str]]:
    import pandas as pd

    n, limit = question.graph.n, question.graph.cutoff
    ways, said = [], []
    for prepared in (False, True):
        # Range queries, once stored, are used: so that net is one of its own.
        net, build = (
            Question(question.graph, question.doors, question.door_ptr).pandana if prepared else question.pandana
        )
        net.set(pd.Series(np.arange(n)), variable=pd.Series(np.ones(n)), name="one")
        if prepared:
            with hushed():
                build += timed(lambda net=net: net.precompute(limit))[1]

        def run(net: Any = net) -> Extent:
            return net.aggregate(limit, type="sum", decay="flat", name="one").to_numpy()

        name = "Pandana aggregate" + (", precomputed" if prepared else "")
        note = "range queries stored beforehand" if prepared else "searches in every run"
        ways.append(Way(name, run, n, runs=None if prepared else 3, build_s=build, note=note))
        said.append(same(name, run(), truth, "nodes reached"))
    return ways, said


def _cityseer_net(graph: Graph, live: NDArray[np.int64]) -> Any:
    """Street network whose lines lie along an axis, as long as they cost: its 32-bit lengths then are whole numbers."""
    from cityseer import rustalgos

    net = rustalgos.graph.NetworkStructure()
    counted = np.zeros(graph.n, dtype=bool)
    counted[live] = True
    places = zip(graph.xy.tolist(), counted.tolist(), strict=True)
    number = [net.add_street_node(node, x, y, alive, 1.0) for node, ((x, y), alive) in enumerate(places)]
    for u, v, cost in zip(graph.tail.tolist(), graph.indices.tolist(), graph.cost.tolist(), strict=True):
        net.add_street_edge(number[u], number[v], 0, u, v, f"LINESTRING(0 0, {cost} 0)")
    net.validate()
    return net


def _cityseer_extent(question: Question, truth: NDArray[np.int64]) -> tuple[list[Way], list[str]]:
    origins, limit = question.sample(1000), question.graph.cutoff
    net, build = timed(lambda: _cityseer_net(question.graph, origins))
    who = origins.tolist()

    def density() -> Extent:
        found = net.centrality_shortest(
            distances=[limit], closeness_exprs=[("n", "1")], betweenness_exprs=[], compute_cycles=False,
            pbar_disabled=True,
        )  # fmt: skip
        return found.metrics["n"][limit][origins] + 1  # the origin itself

    def hits() -> Extent:
        return np.array(net.poll_reach_hits(who, [limit], 4 / 3)[0])

    ways = [
        Way(
            "cityseer centrality_shortest", density, len(origins), build_s=build, note="sampled; one closeness, 32 bit"
        ),
        Way("cityseer poll_reach_hits", hits, len(origins), build_s=build, note="sampled; only sums over origins"),
    ]
    total = hits()[: question.graph.n].sum()
    return ways, [
        same("cityseer centrality_shortest", density(), truth[origins], "nodes reached"),
        same("cityseer poll_reach_hits", np.array([total]), np.array([truth[origins].sum()]), "sum of nodes reached"),
    ]


# ------------------------------------------------------------------------------------------------ nearest


def _cut(found: NDArray[Any], cutoff: int) -> NDArray[Any]:
    """All that is beyond the cutoff is the same."""
    return np.where(found > cutoff, cutoff + 1, found)


def heap_nearest(question: Question, indptr: NDArray[Any], indices: NDArray[Any], cost: NDArray[Any]) -> Way:
    """Search once for each service with the plain heap; the ticks come out of ``run``."""
    graph, services = question.graph, len(question.door_ptr) - 1
    ticks = np.empty((services, graph.n), np.int64)

    def run() -> NDArray[np.int64]:
        heap.nearest_from(indptr, indices, cost, question.doors, question.door_ptr, graph.cutoff, ticks)
        return ticks

    return Way("plain heap (numba)", run, services * graph.n)


def _scipy_nearest(question: Question, truth: NDArray[np.int64]) -> tuple[list[Way], list[str]]:
    from scipy.sparse.csgraph import dijkstra

    graph = question.graph
    matrix, build = timed(lambda: _scipy_graph(graph))

    def run() -> Extent:
        found = [dijkstra(matrix, indices=question.of(s), limit=graph.cutoff, min_only=True) for s in range(len(truth))]
        return np.stack(found)

    way = Way("scipy dijkstra(min_only, limit)", run, truth.size, build_s=build)
    return [way], [same("scipy", _cut(run(), graph.cutoff), _cut(truth, graph.cutoff), "costs to the nearest")]


def _networkx_nearest(question: Question, truth: NDArray[np.int64]) -> tuple[list[Way], list[str]]:
    import networkx as nx

    graph, service = question.graph, len(truth) // 2
    net, build = timed(lambda: _networkx_graph(graph))

    def run() -> Extent:
        ticks = np.full(graph.n, graph.cutoff + 1)
        found = nx.multi_source_dijkstra_path_length(net, set(question.of(service).tolist()), cutoff=graph.cutoff)
        ticks[list(found)] = list(found.values())
        return ticks

    way = Way("networkx multi_source_dijkstra", run, graph.n, build_s=build, note="one service of them")
    return [way], [same("networkx", run(), _cut(truth[service], graph.cutoff), "costs to the nearest")]


def _igraph_nearest(question: Question, truth: NDArray[np.int64]) -> tuple[list[Way], list[str]]:
    import igraph

    graph = question.graph
    services = range(0, len(truth), 4)

    def make() -> Any:
        # Every service gets a node of its own with free arcs to its facilities.
        tail = [graph.tail, *(np.full(len(question.of(s)), graph.n + s) for s in range(len(truth)))]
        ends = np.stack([np.concatenate(tail), np.concatenate([graph.indices, question.doors])], axis=1)
        weight = np.concatenate([graph.cost, np.zeros(len(question.doors))])
        return igraph.Graph(n=graph.n + len(truth), edges=ends, directed=True, edge_attrs={"weight": weight})

    net, build = timed(make)

    def run() -> Extent:
        return np.stack([net.distances([graph.n + s], weights="weight")[0] for s in services])[:, : graph.n]

    way = Way("igraph distances", run, len(services) * graph.n, build_s=build, note="one service in four; no limit")
    truth = _cut(truth[services.start : services.stop : services.step], graph.cutoff)
    return [way], [same("igraph", _cut(run(), graph.cutoff), truth, "costs to the nearest")]


def _pandana_nearest(question: Question, truth: NDArray[np.int64]) -> tuple[list[Way], list[str]]:
    import pandas as pd

    graph = question.graph
    net, build = question.pandana
    services = range(0, len(truth), 4)
    place = [pd.Series(graph.xy[:, k]) for k in (0, 1)]
    for s in services:
        x, y = (axis.iloc[question.of(s)] for axis in place)
        build += timed(lambda s=s, x=x, y=y: net.set_pois(str(s), graph.cutoff, 1, x, y))[1]

    def run() -> Extent:
        return np.stack([net.nearest_pois(graph.cutoff, str(s), 1)[1].to_numpy() for s in services])

    note = "one service in four"
    way = Way("Pandana nearest_pois", run, len(services) * graph.n, runs=3, build_s=build, note=note)
    # What is beyond the cutoff comes back as the cutoff.
    limit, wanted = graph.cutoff, truth[services.start : services.stop : services.step]
    return [way], [same("Pandana", run(), np.minimum(wanted, limit), "costs to the nearest")]


def _cityseer_nearest(question: Question, truth: NDArray[np.int64]) -> tuple[list[Way], list[str]]:
    from cityseer import rustalgos

    graph, origins = question.graph, question.sample(300)

    def make() -> tuple[Any, Any, dict[Any, str]]:
        net = _cityseer_drawn(graph, origins)
        data, kinds = rustalgos.data.DataMap(), {}
        for k, node in enumerate(question.doors.tolist()):
            data.insert(k, f"POINT({graph.xy[node, 0]} {graph.xy[node, 1]})")
            kinds[k] = str(int(np.searchsorted(question.door_ptr, k, side="right")) - 1)
        net.build_edge_rtree()
        data.assign_data_to_network(net, 50.0, 6)
        return net, data, kinds

    (net, data, kinds), build = timed(make)
    keys, limit = [str(s) for s in range(len(truth))], round(graph.cutoff / 10)

    def run() -> Extent:
        found = data.accessibility(net, kinds, keys, distances=[limit], pbar_disabled=True).result
        return np.stack([found[key].distance[limit][origins] * 10 for key in keys])

    got = _cut(np.nan_to_num(run(), nan=np.inf), graph.cutoff)
    off = np.abs(got - _cut(truth[:, origins], graph.cutoff))
    said = (
        f"cityseer accessibility: costs to the nearest within 1 m for {(off <= 10).mean():.2%} of {off.size:,}, within "
        f"10 m for {(off <= 100).mean():.2%} (it places facilities on the nearest street again)"
    )
    note = "sampled; counts them too"
    return [Way("cityseer accessibility", run, len(origins) * len(truth), build_s=build, note=note)], [said]


def _cityseer_drawn(graph: Graph, live: NDArray[np.int64]) -> Any:
    """Street network as it lies, in metres, bends as its impedance factor: places are put by geometry."""
    from cityseer import rustalgos

    net = rustalgos.graph.NetworkStructure()
    counted = np.zeros(graph.n, dtype=bool)
    counted[live] = True
    xy = graph.xy.tolist()
    number = [net.add_street_node(node, x, y, counted[node], 1.0) for node, (x, y) in enumerate(xy)]
    straight = np.maximum(0.01, np.hypot(*(graph.xy[graph.tail] - graph.xy[graph.indices]).T))
    bend = (graph.cost / 10 / straight).tolist()
    for u, v, factor in zip(graph.tail.tolist(), graph.indices.tolist(), bend, strict=True):
        line = f"LINESTRING({xy[u][0]} {xy[u][1]}, {xy[v][0]} {xy[v][1]})"
        net.add_street_edge(number[u], number[v], 0, u, v, line, factor)
    net.validate()
    return net
