"""The one caller of the kernels: lays nouns out as flat arrays, runs threads over origins, and names the results."""

import os
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from lifecircle.errors import DataError
from lifecircle.model.facilities import Facilities
from lifecircle.model.network import Network
from lifecircle.model.snapping import Joins, Legs
from lifecircle.profiles import TICKS
from lifecircle.reach import contraction, kernels, lanes
from lifecircle.reach.contraction import FAR, Graph, Pockets
from lifecircle.reach.products import Extent, Field, Lane, Pairs, Reach

NARROW = 65_534
"""Largest cutoff, in ticks, that lanes of 16 bits hold; beyond it lanes have 32."""

WIDEST = (1 << 29) - 1
"""Largest cutoff there is, in ticks (194 days)."""

_PER_THREAD = 8  # pieces of work a thread takes in a run: enough for even loads and a moving bar
_BUCKETS = 128  # buckets of the batch search, about; few and wide ones beat many narrow ones
_PAIRS = 200_000_000
_ROOMS = {
    kernels.MORE_ITEMS: "items", kernels.MORE_ROWS: "rows", kernels.MORE_ARCS: "arcs",
    kernels.MORE_STREETS: "streets", kernels.MORE_PENDANTS: "pendants", kernels.MORE_DOORS: "doors",
    kernels.MORE_FACILITIES: "facilities",
}  # fmt: skip

Progress = Callable[[int], None]


class Ground:
    """A network under one cost, laid out for the kernels: nodes in Hilbert order, dead ends last at every node.

    Parameters
    ----------
    x, y : (n_nodes,) float64
        Any coordinates; they decide the order, and so the speed, but no answer.
    u, v : (n_edges,) int
    ticks_uv, ticks_vu : (n_edges,) int32, -1 closed
    length_m : (n_edges,) float64
    """

    def __init__(
        self,
        x: NDArray[np.float64],
        y: NDArray[np.float64],
        u: NDArray[np.integer],
        v: NDArray[np.integer],
        ticks_uv: NDArray[np.int32],
        ticks_vu: NDArray[np.int32],
        length_m: NDArray[np.float64],
    ) -> None:
        self.n = len(x)
        self.directed = bool((ticks_uv != ticks_vu).any())
        self.uv = np.where(ticks_uv >= 0, ticks_uv, FAR).astype(np.int32)
        self.vu = np.where(ticks_vu >= 0, ticks_vu, FAR).astype(np.int32)
        self.length_cm = np.floor(length_m * 100 + 0.5).astype(np.int32)
        self.u, self.v = np.asarray(u, dtype=np.int32), np.asarray(v, dtype=np.int32)
        along = np.argsort(_hilbert(x, y), kind="stable").astype(np.int32)
        self._number(along)
        graph = self._halves()
        contracted = _contract(graph)
        group, order = np.empty(self.n, np.int32), np.empty(self.n, np.int32)
        groups = contraction.number(graph, *contracted, group, order)
        rank = self._number(order)
        self.order = along[order]
        self.rank = _inverse(self.order)
        self.graph = Graph(*(_frozen(a) for a in self._halves()))
        self.pockets = _pockets(self.graph, contracted[0], contracted[1], order, rank, group[order], *groups)

    @classmethod
    def of(cls, network: Network, lane: Lane) -> "Ground":
        """Lay a network out under the cost of a lane."""
        return cls(
            network.node_lon, network.node_lat, network.edge_u, network.edge_v, lane.ticks_uv, lane.ticks_vu,
            network.length_m,
        )  # fmt: skip

    def _number(self, order: NDArray[np.int32]) -> NDArray[np.int32]:
        """Number the nodes anew: ``order`` holds the old numbers by the new ones; returns its inverse."""
        rank = _inverse(order)
        self.u, self.v = rank[self.u], rank[self.v]
        return rank

    def _halves(self) -> Graph:
        """Half-edges by node; edges closed both ways left out."""
        start = np.empty(self.n + 1, np.int64)
        lists = tuple(np.empty(2 * len(self.u), np.int32) for _ in range(4))
        contraction.half_edges(self.u, self.v, self.uv, self.vu, self.length_cm, start, *lists)
        return Graph(start, *(part[: start[-1]] for part in lists))

    def lanes_for(self, cutoff: int, *, streets: bool) -> type[np.uint16] | type[np.uint32]:
        """Narrowest lanes that hold every cost up to a cutoff and, where streets are summed, two remainders of it.

        Raises
        ------
        DataError
            The cutoff is beyond what any lane holds.
        """
        if cutoff > WIDEST:
            raise DataError(f"the cutoff of {cutoff / TICKS:g} is beyond the largest there is, {WIDEST / TICKS:g}")
        # Of an edge min(w, two remainders) is reached: where the remainders may be cut at 65,535, w must be shorter.
        longest = int(self.uv[self.uv < FAR].max(initial=0)) if streets else 0
        return np.uint16 if cutoff <= NARROW // 2 or (cutoff <= NARROW and longest <= NARROW) else np.uint32

    def seeds(self, joins: Joins, legs: Legs, n_origins: int) -> kernels.Seeds:
        """Lay out the joins of places (in the order of the places, as `Joins` holds them)."""
        edge = joins.edge
        return kernels.Seeds(
            *(
                _frozen(a)
                for a in (
                    _pointers(joins.place, n_origins), edge, self.u[edge], self.v[edge], legs.to_u, legs.to_v, legs.leg,
                    legs.forth, legs.back, joins.offset_m, self.uv[edge], self.vu[edge], self.length_cm[edge],
                    np.floor(joins.offset_m * 100 + 0.5).astype(np.int32),
                )
            )
        )  # fmt: skip

    @cached_property
    def node_seeds(self) -> kernels.Seeds:
        """Every node as an origin, in the order of the new numbers, at no cost.

        A dead end has no row of its own: who starts there stands at the end of its street.
        """
        group = self.pockets.group
        node = np.arange(self.n, dtype=np.int32)
        leaf = np.flatnonzero(node >= self.pockets.dead[group]).astype(np.int32)
        edge_of = np.full(self.n, -1, dtype=np.int32)
        open_edge = np.flatnonzero((self.uv < FAR) | (self.vu < FAR)).astype(np.int32)
        edge_of[self.u[open_edge]] = open_edge
        edge_of[self.v[open_edge]] = open_edge
        edge, u, v = np.full(self.n, -1, np.int32), node.copy(), node.copy()
        to_u, to_v = np.zeros(self.n, np.int32), np.full(self.n, -1, np.int32)
        leg, forth, back, at = (np.zeros(self.n, np.int32) for _ in range(4))
        uv, vu, length = (np.zeros(self.n, np.int32) for _ in range(3))
        own = edge_of[leaf]
        edge[leaf], u[leaf], v[leaf] = own, self.u[own], self.v[own]
        uv[leaf], vu[leaf], length[leaf] = self.uv[own], self.vu[own], self.length_cm[own]
        far_end = self.v[own] == leaf
        to_u[leaf] = np.where(far_end, np.where(self.vu[own] < FAR, self.vu[own], -1), 0)
        to_v[leaf] = np.where(far_end, 0, np.where(self.uv[own] < FAR, self.uv[own], -1))
        forth[leaf], back[leaf] = np.where(far_end, self.uv[own], 0), np.where(far_end, self.vu[own], 0)
        at[leaf] = np.where(far_end, self.length_cm[own], 0)
        ptr = np.arange(self.n + 1, dtype=np.int64)
        return kernels.Seeds(
            *(_frozen(a) for a in (ptr, edge, u, v, to_u, to_v, leg, forth, back, at / 100, uv, vu, length, at))
        )


def _contract(graph: Graph) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int32], int]:
    """Contract a network with as much room as it takes; see `contraction.contract`."""
    n = len(graph.start) - 1
    dead = np.empty(n, np.bool_)
    contraction.dead_ends(graph.start, graph.head, dead)
    first, level = np.empty(n, np.int32), np.empty(n, np.int32)
    halves, hooks, rounds = int(1.7 * len(graph.head)) + 2, 2 * n + 2, -1
    while rounds < 0:
        half, hook = np.empty((halves, 4), np.int32), np.empty((hooks, 2), np.int32)
        rounds = contraction.contract(graph, dead, half, hook, first, level)
        halves, hooks = 2 * halves, 2 * hooks
    return half, first, level, rounds


def _pockets(  # noqa: PLR0913
    graph: Graph, half: NDArray[np.int32], lists: NDArray[np.int32], order: NDArray[np.int32], rank: NDArray[np.int32],
    group: NDArray[np.int32], first: NDArray[np.int64], dead: NDArray[np.int64], core: NDArray[np.bool_],
) -> Pockets:  # fmt: skip
    """Lay the groups of a contracted network out; the lists are given room for the most there can be, then cut."""
    n, n_groups = len(order), len(core)

    def pointers(size: int) -> NDArray[np.int64]:
        return np.empty(size + 1, np.int64)

    def room(size: int) -> NDArray[np.int32]:
        return np.empty(size, np.int32)

    # A half-edge is at most one link, or one side and one arc; a street at most one side and one street; and titles.
    halves, streets = len(half), len(graph.head)
    longest = (contraction.TITLE + 1) * n + 4 * halves + 5 * streets
    made = Pockets(
        group, first, dead, core,
        pointers(n_groups), room(halves), room(halves), room(halves), pointers(n_groups), room(halves), room(halves),
        pointers(n_groups), np.empty(longest, np.uint32),
    )  # fmt: skip
    links, hangs, length = contraction.write(graph, half, lists, order, rank, made)
    g = n_groups
    used = (n, g + 1, g, g, g + 1, links, links, links, g + 1, hangs, hangs, g + 1, length)
    return Pockets(*(_frozen(part[:size].copy()) for part, size in zip(made, used, strict=True)))


class _Desks:
    """Working memory for the threads of one run; a desk that proves too small is made anew, larger."""

    def __init__(self, ground: Ground, targets: kernels.Targets, cutoff: int, width: type, room: int) -> None:
        pockets = ground.pockets
        self.n, self.n_groups, self.n_facilities = ground.n, len(pockets.core), len(targets.service_ptr) - 1
        sides = pockets.book[pockets.page[:-1]]
        self.slots = int((sides.astype(np.int64) + pockets.dead - pockets.first[:-1]).max(initial=1))
        self.rows_of_tally = sum(targets.thresholds.shape) + targets.thresholds.size + targets.thresholds.shape[0] + 3
        self.lanes = width
        self.shift = max(0, int(cutoff // _BUCKETS).bit_length())
        self.n_buckets = (cutoff >> self.shift) + 2
        self.room = dict.fromkeys(_ROOMS.values(), room)

    def make(self) -> kernels.Desk:
        width = lanes.ROW_BYTES // np.dtype(self.lanes).itemsize
        room, ticks, whole, place = self.room, self.lanes, np.int32, np.uint32
        empty = np.empty
        queue = kernels.Queue(
            dist=np.zeros(self.n_groups, whole),
            place=np.concatenate([np.full(self.n_groups, -1, np.int64), [0]]),
            inner=empty(self.n, whole),
            own=empty(self.n_groups, whole),
            bucket=empty(self.n_buckets, whole),
            item=empty(room["items"], whole),
            next=empty(room["items"], whole),
            order=empty(self.n_groups, whole),
            row=empty(self.slots, place),
        )
        piece = kernels.Piece(
            empty(room["rows"] + 1, np.uint32),
            *(empty(room["arcs"], dtype) for dtype in (place, ticks, ticks)),
            *(empty(room["streets"], dtype) for dtype in (place, place, place, ticks)),
            *(empty(room["pendants"], dtype) for dtype in (place, place, ticks)),
        )
        doors = kernels.Doors(
            np.full(self.n_facilities + 1, -1, np.int64),
            *(empty(room["doors"], dtype) for dtype in (whole, whole, ticks)),
            *(empty(room["facilities"], whole) for _ in range(3)),
            *(empty(room["doors"], whole) for _ in range(3)),
        )
        matrix = kernels.Matrix(
            rows=_aligned(room["rows"] * width, ticks),
            tally=_aligned(self.rows_of_tally * width, ticks),
            sums=empty(width, np.uint32),
        )
        return kernels.Desk(queue, piece, doors, matrix)

    def enlarge(self, reason: int) -> None:
        what = _ROOMS[reason]
        self.room = self.room | {what: 2 * self.room[what]}


def search(  # noqa: PLR0913
    network: Network,
    lane: Lane,
    homes: Joins,
    facilities: Facilities,
    *,
    n_cells: int,
    thresholds: Mapping[int, Sequence[int]],
    threads: int | None = None,
    progress: Progress | None = None,
) -> Reach:
    """Find the nearest facility of each service from every cell, and count those within each threshold.

    Parameters
    ----------
    network : Network
    lane : Lane
    homes : Joins
        Joins of the cells; a cell without one reaches nothing.
    facilities : Facilities
    n_cells : int
    thresholds : mapping
        Service position -> thresholds in ticks, as many for each; only these services are searched for.
    threads : int, optional
        Default: one per processor. The answer does not depend on it.
    progress : callable, optional
        Called with the number of cells done.

    Raises
    ------
    DataError
        The cutoff is below a threshold, so a verdict could not be given.
    """
    walk = Walk(network, lane, homes, facilities, n_origins=n_cells, thresholds=thresholds, threads=threads)
    return walk.nearest_and_counts(progress=progress)


@dataclass(frozen=True, eq=False, repr=False)
class Walk:
    """Origins, a network and facilities, laid out once; each product is a method.

    Attributes
    ----------
    thresholds : mapping
        Service position -> thresholds in ticks, as many for each; only these services are searched for.
    room : int
        First guess of the buffers' sizes; they grow as needed. It changes no answer.
    wide : bool
        Use lanes of 32 bits even where 16 would do. It changes no answer.
    """

    network: Network
    lane: Lane
    homes: Joins
    facilities: Facilities
    n_origins: int
    thresholds: Mapping[int, Sequence[int]]
    threads: int | None = None
    room: int = 4096
    wide: bool = False

    def __post_init__(self) -> None:
        if any(limit > self.lane.cutoff for limits in self.thresholds.values() for limit in limits):
            raise DataError(
                f"a threshold of cost {self.lane.name} is beyond the cutoff of {self.lane.cutoff / TICKS:g} "
                f"{self.lane.unit}; raise the cutoff"
            )
        if len({len(limits) for limits in self.thresholds.values()}) > 1:
            raise DataError("every service needs the same number of thresholds")

    @cached_property
    def ground(self) -> Ground:
        """The network, laid out."""
        return Ground.of(self.network, self.lane)

    @cached_property
    def _order(self) -> NDArray[np.int64]:
        """Origins along the Hilbert curve: neighbours share batches."""
        first = np.full(self.n_origins, self.ground.n, dtype=np.int64)
        np.minimum.at(first, self.homes.place, self.ground.u[self.homes.edge])
        return np.argsort(first, kind="stable")

    @cached_property
    def _seeds(self) -> kernels.Seeds:
        rank = np.empty(self.n_origins, dtype=np.int64)
        rank[self._order] = np.arange(self.n_origins)
        by_rank = np.lexsort((self.homes.rank, rank[self.homes.place]))
        joins = Joins(
            rank[self.homes.place][by_rank].astype(np.int32), self.homes.rank[by_rank], self.homes.edge[by_rank],
            self.homes.offset_m[by_rank], self.homes.leg_m[by_rank],
        )  # fmt: skip
        legs = Legs(*(getattr(self.lane.homes, name)[by_rank] for name in Legs.__dataclass_fields__))
        return self.ground.seeds(joins, legs, self.n_origins)

    @cached_property
    def _targets(self) -> kernels.Targets:
        return _targets(self.ground, self.network.n_edges, self.lane.doors, self.facilities, self.thresholds)

    def nearest_and_counts(self, *, progress: Progress | None = None) -> Reach:
        """N and C: the nearest facility of each service, and how many lie within each threshold."""
        found = self._found(services=True)
        self._run(found, progress)
        back = np.empty_like(self._order)
        back[self._order] = np.arange(self.n_origins)
        ticks = np.where(found.ticks == kernels.UNREACHED, np.inf, found.ticks.astype(np.float64))
        services = tuple(sorted(self.thresholds))
        return Reach(self.lane.name, services, ticks[:, back], found.nearest[:, back], found.count[:, :, back])

    def extent(self, *, progress: Progress | None = None) -> Extent:
        """R: nodes reached and street length reached."""
        found = self._found(streets=True)
        self._run(found, progress)
        return _extent(self.ground, found, self._order)

    def pairs(self, *, most: int = _PAIRS, progress: Progress | None = None) -> Pairs:
        """M: every facility within the cutoff of every origin.

        Raises
        ------
        DataError
            There are more than ``most`` pairs; said before any is stored.
        """
        counted = self._found(services=True)
        self._run(counted, None)
        total = int(counted.reached.sum())
        if total > most:
            raise DataError(
                f"{total:,} pairs of cell and facility are within the cutoff, more than the {most:,} allowed "
                "(8 bytes each); lower the cutoff or the number of services"
            )
        ptr = np.concatenate([[0], np.cumsum(counted.reached)]).astype(np.int64)
        found = counted._replace(pair_ptr=_frozen(ptr), pairs=np.empty(total, np.int64))
        self._run(found, progress, pairs=True)
        origin = np.repeat(np.arange(self.n_origins), counted.reached)
        by_cost = found.pairs[np.lexsort((found.pairs, origin))]
        place = np.concatenate([[0], np.cumsum(counted.reached[np.argsort(self._order, kind="stable")])]).astype(
            np.int64
        )
        back = np.argsort(self._order, kind="stable")
        size = np.diff(place)
        take = np.repeat(ptr[:-1][back] - place[:-1], size) + np.arange(total)
        sorted_pairs = by_cost[take]
        return Pairs(place, (sorted_pairs & 0xFFFFFFFF).astype(np.int32), (sorted_pairs >> 32).astype(np.int32))

    def _found(self, *, streets: bool = False, services: bool = False) -> kernels.Found:
        n, k = self.n_origins, len(self.thresholds)
        limits = self._targets.thresholds.shape[1]
        return kernels.Found(
            nodes=np.empty(n if streets else 0, np.int64),
            street=np.empty(n if streets else 0, np.int64),
            ticks=np.empty((k, n if services else 0), np.int32),
            nearest=np.empty((k, n if services else 0), np.int32),
            count=np.empty((k, limits, n if services else 0), np.int32),
            reached=np.empty(n if services else 0, np.int64),
            pair_ptr=_frozen(np.zeros(1, np.int64)),
            pairs=np.empty(0, np.int64),
        )

    def _run(self, found: kernels.Found, progress: Progress | None, *, pairs: bool = False) -> None:
        _run(
            self.ground, self._seeds, self._targets, self.lane.cutoff, found,
            pairs=pairs, threads=self.threads, room=self.room, wide=self.wide, progress=progress,
        )  # fmt: skip


def extent_of_nodes(ground: Ground, cutoff: int, *, threads: int | None = None, room: int = 4096) -> Extent:
    """R from every node of a network, in the order the nodes were given in.

    Parameters
    ----------
    cutoff : int, ticks
    """
    seeds = ground.node_seeds
    found = _nothing_found(ground.n)
    _run(ground, seeds, _no_targets(ground.n, 0), cutoff, found, threads=threads, room=room)
    return _extent(ground, found, ground.order)


def field(network: Network, lane: Lane, homes: Joins) -> Field:
    """Walk from one place to every node within the lane's cutoff.

    Parameters
    ----------
    homes : Joins
        Joins of place 0, priced in ``lane.homes``.
    """
    ground = Ground.of(network, lane)
    dist, previous = np.empty(ground.n, np.int32), np.empty(ground.n, np.int32)
    kernels.field(ground.graph, ground.seeds(homes, lane.homes, 1), 0, lane.cutoff, dist, previous)
    before = previous[ground.rank]
    named = np.where(before >= 0, ground.order[np.maximum(before, 0)], -1).astype(np.int32)
    ticks = np.where(dist == kernels.UNREACHED, np.inf, dist.astype(np.float64))
    return Field(ticks[ground.rank], named)


def compile_kernels() -> None:
    """Compile (or load from the cache) what a run needs, on a graph of one node, so that the wait is its own stage."""
    one, none = np.zeros(1), np.zeros(0, np.int32)
    ground = Ground(one, one, none, none, none, none, np.zeros(0))
    found = _nothing_found(1)._replace(reached=np.empty(1, np.int64), ticks=np.empty((0, 1), np.int32))
    _run(ground, ground.node_seeds, _no_targets(1, 0), 0, found, threads=1, room=1)


def _nothing_found(n_streets: int) -> kernels.Found:
    return kernels.Found(
        nodes=np.empty(n_streets, np.int64),
        street=np.empty(n_streets, np.int64),
        ticks=np.empty((0, 0), np.int32),
        nearest=np.empty((0, 0), np.int32),
        count=np.empty((0, 1, 0), np.int32),
        reached=np.empty(0, np.int64),
        pair_ptr=_frozen(np.zeros(1, np.int64)),
        pairs=np.empty(0, np.int64),
    )


def _run(  # noqa: PLR0913
    ground: Ground, seeds: kernels.Seeds, targets: kernels.Targets, cutoff: int, found: kernels.Found, *,
    pairs: bool = False, threads: int | None, room: int, wide: bool = False, progress: Progress | None = None,
) -> None:  # fmt: skip
    """Write the products that ``found`` has columns for.

    Origins are shared out among threads, each with a desk of its own; who needs more room goes on with more.
    """
    n = len(seeds.ptr) - 1
    threads = threads or os.cpu_count() or 1
    streets = len(found.nodes) > 0
    task = (streets, not pairs and len(found.reached) > 0, pairs, ground.directed)
    # A lane also names facilities, so they must fit it.
    width = np.uint32 if wide or len(targets.service_ptr) > NARROW else ground.lanes_for(cutoff, streets=streets)
    desks = _Desks(ground, targets, cutoff, width, room)
    broad = _Desks(ground, targets, cutoff, np.uint32, room)
    if streets and ground.directed:
        _check_centimetres(ground, cutoff)
    batches = -(-n // kernels.BATCH)
    step = kernels.BATCH * max(1, -(-batches // (threads * _PER_THREAD)))
    local = threading.local()

    def work(first: int) -> int:
        last = min(first + step, n)
        own = getattr(local, "desks", desks)
        desk = getattr(local, "desk", None) or own.make()
        at = first
        while at < last:
            reason, at = kernels.walk(
                ground.graph, ground.pockets, seeds, targets, cutoff, own.shift, (at, last), task, desk, found
            )
            if reason == kernels.WIDER:
                own = broad
            elif reason != kernels.DONE:
                own.enlarge(reason)
            if reason != kernels.DONE:
                desk = own.make()
        local.desks, local.desk = own, desk
        return last - first

    with ThreadPoolExecutor(threads) as pool:
        done = 0
        for number in pool.map(work, range(0, n, step)):
            done += number
            if progress is not None:
                progress(done)


def _check_centimetres(ground: Ground, cutoff: int) -> None:
    """Partial edges are products of a length and two costs: they must fit 63 bits."""
    cost = max(int(side[side < FAR].max(initial=1)) for side in (ground.uv, ground.vu))
    if 2 * int(ground.length_cm.max(initial=1)) * min(cutoff, cost) * cost >= 1 << 63:
        raise DataError(
            "an edge is too long for its reached part to be counted in centimetres; split it, or lower the cutoff"
        )


def _extent(ground: Ground, found: kernels.Found, order: NDArray[np.int64]) -> Extent:
    nodes, street = np.empty_like(found.nodes), np.empty_like(found.street)
    nodes[order], street[order] = found.nodes, found.street
    return Extent(nodes, street, "cm" if ground.directed else "ticks")


def _no_targets(n_nodes: int, n_edges: int) -> kernels.Targets:
    none, place = np.zeros(0, np.int32), np.zeros(0)
    pointers, edges = np.zeros(n_nodes + 1, np.int64), np.zeros(n_edges + 1, np.int64)
    one, limits = np.zeros(1, np.int64), np.zeros((0, 1), np.int32)
    return kernels.Targets(
        *(_frozen(a) for a in (pointers, none, none, edges, none, none, none, none, place, one, none, limits))
    )


def _targets(
    ground: Ground, n_edges: int, legs: Legs, facilities: Facilities, thresholds: Mapping[int, Sequence[int]]
) -> kernels.Targets:
    """Entrances by the node and by the edge they are reached from, only of facilities that give a service searched."""
    services = sorted(thresholds)
    local = {service: ix for ix, service in enumerate(services)}
    served = [[local[s] for s in given if s in local] for given in facilities.services]
    service_ptr = np.concatenate([[0], np.cumsum([len(given) for given in served])]).astype(np.int64)
    joins = facilities.joins
    wanted = np.array([len(given) > 0 for given in served], dtype=bool)[joins.place]
    node = np.concatenate([ground.u[joins.edge], ground.v[joins.edge]])
    ticks = np.concatenate([legs.from_u, legs.from_v])
    facility = np.concatenate([joins.place, joins.place])
    keep = np.concatenate([wanted, wanted]) & (ticks >= 0)
    node, ticks, facility = node[keep], ticks[keep], facility[keep]
    order = np.lexsort((facility, ticks, node))
    # An entrance on an edge that this cost may not walk is no entrance for it.
    open_door = wanted & ((legs.forth >= 0) | (legs.back >= 0))
    edge = joins.edge[open_door]
    by_edge = np.lexsort((joins.place[open_door], edge))
    on_edge = [a[open_door][by_edge] for a in (joins.place, legs.leg, legs.forth, legs.back, joins.offset_m)]
    limits = np.array([list(thresholds[s]) for s in services], dtype=np.int32).reshape(len(services), -1)
    service = np.array([s for given in served for s in given], dtype=np.int32)
    arrays = (
        _pointers(node, ground.n), facility[order], ticks[order], _pointers(edge, n_edges), *on_edge, service_ptr,
        service, limits,
    )  # fmt: skip
    return kernels.Targets(*(_frozen(a) for a in arrays))


def _inverse(order: NDArray[np.int32]) -> NDArray[np.int32]:
    """Inverse of a permutation."""
    rank = np.empty(len(order), np.int32)
    rank[order] = np.arange(len(order), dtype=np.int32)
    return rank


def _frozen(array: NDArray[np.generic]) -> NDArray[np.generic]:
    """Make an array contiguous and read-only: numba compiles once for one kind of array, and this is the kind."""
    made = np.ascontiguousarray(array)
    if made.flags.writeable:
        made = made.view()
        made.flags.writeable = False
    return made


def _aligned(size: int, dtype: type) -> NDArray[np.generic]:
    """Array that begins on a cache line."""
    item = np.dtype(dtype).itemsize
    raw = np.empty(size * item + 64, np.uint8)
    skip = -raw.ctypes.data % 64
    return raw[skip : skip + size * item].view(dtype)


def _pointers(group: NDArray[np.generic], n: int) -> NDArray[np.int64]:
    """CSR pointers of ``n`` groups for members given by group number, in any order."""
    return np.concatenate([[0], np.cumsum(np.bincount(group, minlength=n))]).astype(np.int64)


def _hilbert(x: NDArray[np.float64], y: NDArray[np.float64], bits: int = 16) -> NDArray[np.int64]:
    """Position of points along a Hilbert curve over their square, (n,) int64 (Hilbert 1891; Skilling 2004).

    The quadrant of each level is read off the top bits, and the lower bits are turned as that quadrant's curve is.
    """
    if len(x) == 0:
        return np.zeros(0, dtype=np.int64)
    west, south = x.min(), y.min()
    size = max(x.max() - west, y.max() - south) or 1.0
    side = (1 << bits) - 1
    px = ((x - west) / size * side).astype(np.int64)
    py = ((y - south) / size * side).astype(np.int64)
    along = np.zeros(len(x), dtype=np.int64)
    for level in range(bits - 1, -1, -1):
        half = 1 << level
        right, upper = (px & half) != 0, (py & half) != 0
        along += (half * half) * np.where(right, np.where(upper, 2, 3), np.where(upper, 1, 0))
        px, py = px & (half - 1), py & (half - 1)
        flip = right & ~upper
        px, py = np.where(flip, half - 1 - px, px), np.where(flip, half - 1 - py, py)
        px, py = np.where(upper, px, py), np.where(upper, py, px)
    return along
