"""A study as a plain directed graph: homes and facilities become nodes, so that any library can be asked the same.

Costs stay whole ticks and nothing is snapped: a shortest path here is a walk of lifecircle, to the tick.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from graphs import Graph
from numpy.typing import NDArray

from lifecircle.model.facilities import Facilities
from lifecircle.model.network import Network
from lifecircle.model.snapping import Joins, Legs
from lifecircle.reach.products import Lane
from lifecircle.region import Region

Thresholds = Mapping[int, Sequence[int]]


@dataclass(frozen=True)
class Walkers:
    """What lifecircle's `Walk` is made of."""

    network: Network
    lane: Lane
    homes: Joins
    facilities: Facilities
    n_origins: int
    thresholds: Thresholds


@dataclass(frozen=True)
class Joined:
    """Streets' nodes first, then homes, then facilities; arcs as CSR, the shortest of parallel ones.

    Attributes
    ----------
    xy : (n, 2) float64
        Where nodes stand; a facility stands far away, at a place of its own (nobody may be snapped to another's).
    service_ptr, service : CSR of the services, counted from 0, of each facility
    limits : (n_services, n_limits) ticks
    """

    xy: NDArray[np.float64]
    indptr: NDArray[np.int64]
    indices: NDArray[np.int64]
    cost: NDArray[np.int64]
    n_streets: int
    n_origins: int
    service_ptr: NDArray[np.int64]
    service: NDArray[np.int64]
    limits: NDArray[np.int64]
    cutoff: int

    @property
    def origins(self) -> NDArray[np.int64]:
        """Nodes that are homes."""
        return self.n_streets + np.arange(self.n_origins)

    @property
    def first_facility(self) -> int:
        """Number of the first facility's node."""
        return self.n_streets + self.n_origins

    @property
    def n_facilities(self) -> int:
        """Number of facilities."""
        return len(self.service_ptr) - 1

    @property
    def n(self) -> int:
        """Number of nodes."""
        return len(self.indptr) - 1

    @property
    def tail(self) -> NDArray[np.int64]:
        """Node each arc leaves."""
        return np.repeat(np.arange(self.n), np.diff(self.indptr))

    def of_service(self, service: int) -> NDArray[np.int64]:
        """Nodes of the facilities of a service."""
        owner = np.repeat(np.arange(self.n_facilities), np.diff(self.service_ptr))
        return self.first_facility + owner[self.service == service]


def join(walkers: Walkers) -> Joined:
    """Make homes and facilities nodes."""
    network, lane, facilities = walkers.network, walkers.lane, walkers.facilities
    services = sorted(walkers.thresholds)
    local = {service: ix for ix, service in enumerate(services)}
    served = [[local[s] for s in given if s in local] for given in facilities.services]
    first_home, first_facility = network.n_nodes, network.n_nodes + walkers.n_origins
    home, door = first_home + walkers.homes.place.astype(np.int64), first_facility + facilities.joins.place
    ends = [(network.edge_u, network.edge_v, lane.ticks_uv), (network.edge_v, network.edge_u, lane.ticks_vu)]
    at = walkers.homes.edge
    ends += [(home, network.edge_u[at], lane.homes.to_u), (home, network.edge_v[at], lane.homes.to_v)]
    at = facilities.joins.edge
    ends += [(network.edge_u[at], door, lane.doors.from_u), (network.edge_v[at], door, lane.doors.from_v)]
    ends.append(_along(walkers, home, door))
    tail, head, cost = (np.concatenate([part[k] for part in ends]).astype(np.int64) for k in range(3))
    open_way = cost >= 0
    n = first_facility + len(facilities)
    indptr, indices, cost = arcs(n, tail[open_way], head[open_way], cost[open_way])
    homes_xy = np.zeros((walkers.n_origins, 2))
    homes_xy[walkers.homes.place] = _middle(network)[walkers.homes.edge]
    aside = np.stack([1000.0 + np.arange(len(facilities)), np.full(len(facilities), 1000.0)], axis=1)
    return Joined(
        np.concatenate([np.stack([network.node_lon, network.node_lat], axis=1), homes_xy, aside]),
        indptr, indices, cost, network.n_nodes, walkers.n_origins,
        np.concatenate([[0], np.cumsum([len(given) for given in served])]).astype(np.int64),
        np.array([s for given in served for s in given], dtype=np.int64),
        np.array([list(walkers.thresholds[s]) for s in services], dtype=np.int64), lane.cutoff,
    )  # fmt: skip


def _middle(network: Network) -> NDArray[np.float64]:
    """Middle of each edge, by its ends."""
    x, y = ((at[network.edge_u] + at[network.edge_v]) / 2 for at in (network.node_lon, network.node_lat))
    return np.stack([x, y], axis=1)


def _along(
    walkers: Walkers, home: NDArray[np.int64], door: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """List walks between a home and an entrance on one edge, that touch neither of its ends."""
    joins, legs, priced = walkers.facilities.joins, walkers.lane.doors, walkers.lane.homes
    by_edge = np.argsort(joins.edge, kind="stable")
    start = np.searchsorted(joins.edge[by_edge], walkers.homes.edge, side="left")
    count = np.searchsorted(joins.edge[by_edge], walkers.homes.edge, side="right") - start
    h = np.repeat(np.arange(len(walkers.homes)), count)
    d = by_edge[np.repeat(start - np.concatenate([[0], np.cumsum(count)[:-1]]), count) + np.arange(count.sum())]
    onward = joins.offset_m[d] >= walkers.homes.offset_m[h]
    between = np.where(onward, legs.forth[d] - priced.forth[h], priced.back[h] - legs.back[d])
    free = np.where(onward, priced.forth[h], priced.back[h]) >= 0
    return home[h], door[d], np.where(free, priced.leg[h] + legs.leg[d] + between, -1)


def arcs(
    n: int, tail: NDArray[np.int64], head: NDArray[np.int64], cost: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Sort arcs by their ends; of parallel ones the shortest; loops lead nowhere."""
    order = np.lexsort((cost, head, tail))
    order = order[tail[order] != head[order]]
    key = tail[order] * n + head[order]
    order = order[np.flatnonzero(np.diff(key, prepend=-1))]
    return np.concatenate([[0], np.cumsum(np.bincount(tail[order], minlength=n))]), head[order], cost[order]


def of_graph(graph: Graph, doors: NDArray[np.int64], service: NDArray[np.int64], limits: Sequence[int]) -> Walkers:
    """Every node of a plain graph as a home, and facilities at nodes: joins at an end of an edge, with no leg.

    Parameters
    ----------
    doors, service : (n_facilities,) node and service of each facility
    limits : thresholds, the same for every service
    """
    tail, head = graph.tail, graph.indices
    once = np.flatnonzero(tail < head)
    u, v, cost = tail[once].astype(np.int32), head[once].astype(np.int32), graph.cost[once].astype(np.int32)
    count = len(once)
    edge_of, at_v = np.zeros(graph.n, dtype=np.int32), np.zeros(graph.n, dtype=bool)
    edge_of[v], at_v[v] = np.arange(count), True
    edge_of[u], at_v[u] = np.arange(count), False
    region = Region.from_bbox((9.0, 45.0, 9.1, 45.1), name="seeded")
    network = Network(
        node_id=np.arange(graph.n, dtype=np.int64), node_lon=graph.xy[:, 0], node_lat=graph.xy[:, 1],
        node_same=np.arange(graph.n, dtype=np.int32),
        edge_id=np.array([f"{edge}:0" for edge in range(count)], dtype=object), edge_u=u, edge_v=v,
        edge_way=np.arange(count, dtype=np.int64), edge_same=np.arange(count, dtype=np.int32), length_m=cost / 10,
        kind=np.full(count, "footway", dtype=object), tags=np.array([{}] * count, dtype=object),
        steps=np.zeros(count, dtype=bool), private=np.zeros(count, dtype=bool), aloft=np.zeros(count, dtype=bool),
        one_way=np.zeros(count, dtype=np.int8), role=np.zeros(count, dtype=np.int8),
        passage=np.zeros(count, dtype=bool), offsets=np.arange(count + 1, dtype=np.int64) * 2,
        lon=np.zeros(2 * count), lat=np.zeros(2 * count), region=region,
    )  # fmt: skip
    homes, entrances = _at_nodes(np.arange(graph.n), edge_of, at_v, cost), _at_nodes(doors, edge_of, at_v, cost)
    n = len(doors)
    facilities = Facilities(
        service_keys=tuple(f"s{ix}" for ix in range(service.max() + 1)),
        facility_id=np.array([f"n{ix:06d}" for ix in range(n)], dtype=object),
        services=tuple((s,) for s in service.tolist()), name=np.full(n, "", dtype=object),
        capacity=np.full(n, np.nan), tags=np.array([{}] * n, dtype=object), floor_m2=np.full(n, np.nan),
        opens=np.full(n, np.nan), closes=np.full(n, np.nan), shape=np.full(n, None, dtype=object),
        extent=np.full(n, None, dtype=object),
        merged=np.full(n, "", dtype=object), joins=entrances[0], join_kind=np.full(n, "nearest", dtype=object),
        join_evidence=np.full(n, "", dtype=object), join_tags=np.array([{}] * n, dtype=object), region=region,
    )  # fmt: skip
    lane = Lane("walk", "m", cost, cost, homes=homes[1], doors=entrances[1], cutoff=graph.cutoff)
    thresholds = {s: tuple(limits) for s in range(int(service.max()) + 1)}
    return Walkers(network, lane, homes[0], facilities, graph.n, thresholds)


def _at_nodes(
    node: NDArray[np.int64], edge_of: NDArray[np.int32], at_v: NDArray[np.bool_], cost: NDArray[np.int32]
) -> tuple[Joins, Legs]:
    """Make joins at nodes, and price them: nothing to the node itself, the edge to its other end."""
    edge, end = edge_of[node], at_v[node]
    whole = cost[edge]
    zero, n = np.zeros(len(node), dtype=np.int32), len(node)
    to_u, to_v = np.where(end, whole, 0).astype(np.int32), np.where(end, 0, whole).astype(np.int32)
    joins = Joins(np.arange(n, dtype=np.int32), zero.copy(), edge.copy(), np.where(end, whole / 10, 0.0), np.zeros(n))
    return joins, Legs(leg=zero, to_u=to_u, to_v=to_v, from_u=to_u, from_v=to_v, forth=to_u, back=to_u)
