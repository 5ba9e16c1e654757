"""The one caller of the kernels: lays nouns out as flat arrays, runs threads over origins, and names the results."""

import os
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from lifecircle.errors import DataError
from lifecircle.model.facilities import Facilities
from lifecircle.model.network import Network
from lifecircle.model.snapping import Joins, Legs
from lifecircle.profiles import TICKS
from lifecircle.reach import kernels
from lifecircle.reach.ground import NARROW, Ground, check_cutoff, frozen, pointers
from lifecircle.reach.kernels import FAR
from lifecircle.reach.products import Extent, Field, Lane, Pairs, Reach

_PER_THREAD = 8  # pieces of work a thread takes in a run: enough for even loads and a moving bar
_BUCKETS = 128  # buckets of the batch search, about; few and wide ones beat many narrow ones
_PAIRS = 200_000_000
_ROOMS = {
    kernels.MORE_ITEMS: "items", kernels.MORE_ROWS: "rows", kernels.MORE_ARCS: "arcs",
    kernels.MORE_STREETS: "streets", kernels.MORE_PENDANTS: "pendants", kernels.MORE_DOORS: "doors",
    kernels.MORE_FACILITIES: "facilities",
}  # fmt: skip

Progress = Callable[[int], None]


class _Desks:
    """Working memory for the threads of one run; a desk that proves too small is made anew, larger."""

    def __init__(
        self, ground: Ground, seeds: kernels.Seeds, targets: kernels.Targets | None, cutoff: int, width: type, room: int
    ) -> None:
        pockets = ground.pockets
        self.n, self.n_groups = ground.n, len(pockets.core)
        self.slots = ground.slots
        self.n_twice = len(ground.twice.ends) - 1 - ground.twice.streets  # a street has two ends
        self.spans = 2 + int(np.diff(seeds.ptr).max(initial=0))
        self.n_facilities = 0 if targets is None else len(targets.service_ptr) - 1
        n_services, n_limits = (0, 0) if targets is None else targets.thresholds.shape
        self.rows_of_tally = n_services * (2 + n_limits) + 2
        self.lanes = width
        self.shift = max(0, int(cutoff // _BUCKETS).bit_length())
        self.n_buckets = (cutoff >> self.shift) + 2
        self.room = dict.fromkeys(_ROOMS.values(), room)

    def make(self) -> kernels.Desk:
        width = kernels.ROW_BYTES // np.dtype(self.lanes).itemsize
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
            twice=empty(self.n_twice, whole),
            twice_row=np.full(self.n_twice, -1, np.int64),
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
            spans=empty((2, self.spans), np.int64),
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
    walk = Walk(network, lane, homes, facilities, n_origins=n_cells, thresholds=thresholds, threads=threads, once=False)
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
    once : bool
        Let R count what stands several times once. N, C and M do not ask, and are quicker without.
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
    once: bool = True

    def __post_init__(self) -> None:
        if self.room < 1:
            raise DataError(f"buffers of {self.room} entries cannot grow; give at least 1")
        if any(limit < 0 for limits in self.thresholds.values() for limit in limits):
            raise DataError(f"a threshold of cost {self.lane.name} is negative")
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
        return Ground.of(self.network, self.lane, once=self.once)

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
        found = self._found()
        self._run(None, found, progress)
        return self._reach(found)

    def extent(self, *, progress: Progress | None = None) -> Extent:
        """R: nodes reached and street length reached."""
        streets = _streets(self.ground, self.n_origins)
        self._run(streets, None, progress)
        return _extent(self.ground, streets, self._order)

    def extent_and_nearest(self, *, progress: Progress | None = None) -> tuple[Extent, Reach]:
        """R, N and C of one walk."""
        streets, found = _streets(self.ground, self.n_origins), self._found()
        self._run(streets, found, progress)
        return _extent(self.ground, streets, self._order), self._reach(found)

    def _reach(self, found: kernels.Found) -> Reach:
        count = found.count.reshape(self.n_origins, *self._targets.thresholds.shape)
        services = tuple(sorted(self.thresholds))
        return Reach(self.lane.name, services, found.ticks.T, found.nearest.T, count.transpose(1, 2, 0))

    def pairs(self, *, most: int = _PAIRS, progress: Progress | None = None) -> Pairs:
        """M: every facility within the cutoff of every origin.

        Raises
        ------
        DataError
            There are more than ``most`` pairs; said before any is stored.
        """
        counted = self._found()
        self._run(None, counted, None)
        total = int(counted.reached.sum())
        if total > most:
            raise DataError(
                f"{total:,} pairs of cell and facility are within the cutoff, more than the {most:,} allowed "
                "(8 bytes each); lower the cutoff or the number of services"
            )
        ptr = np.concatenate([[0], np.cumsum(counted.reached)]).astype(np.int64)
        found = counted._replace(pair_ptr=frozen(ptr), pairs=np.empty(total, np.int64))
        self._run(None, found, progress, fill=True)
        for first, last in pairwise(ptr.tolist()):  # far faster than to sort all at once
            found.pairs[first:last].sort()
        place = np.concatenate([[0], np.cumsum(counted.reached[np.argsort(self._order, kind="stable")])]).astype(
            np.int64
        )
        back = np.argsort(self._order, kind="stable")
        size = np.diff(place)
        take = np.repeat(ptr[:-1][back] - place[:-1], size) + np.arange(total)
        sorted_pairs = found.pairs[take]
        return Pairs(place, (sorted_pairs & 0xFFFFFFFF).astype(np.int32), (sorted_pairs >> 32).astype(np.int32))

    def _found(self) -> kernels.Found:
        return _found(self._order, *self._targets.thresholds.shape)

    def _run(
        self, streets: kernels.Streets | None, found: kernels.Found | None, progress: Progress | None, *,
        fill: bool = False,
    ) -> None:  # fmt: skip
        _run(
            self.ground, self._seeds, self._targets if found else None, self.lane.cutoff, streets, found,
            fill=fill, threads=self.threads, room=self.room, wide=self.wide, progress=progress,
        )  # fmt: skip


def extent_of_nodes(ground: Ground, cutoff: int, *, threads: int | None = None, room: int = 4096) -> Extent:
    """R from every node of a network, in the order the nodes were given in.

    Parameters
    ----------
    cutoff : int, ticks
    """
    seeds = ground.node_seeds
    streets = _streets(ground, ground.n)
    _run(ground, seeds, None, cutoff, streets, None, threads=threads, room=room)
    return _extent(ground, streets, ground.order)


def nearest_from_nodes(
    ground: Ground, node: NDArray[np.integer], service: NDArray[np.integer], n_services: int, cutoff: int, *,
    name: NDArray[np.integer] | None = None,
) -> tuple[NDArray[np.float64], NDArray[np.int32]]:  # fmt: skip
    """N alone, from every node of a network: the nearest entrance of each service, the services as lanes.

    Parameters
    ----------
    node, service : (n_entrances,) int
        Entrances by the node they are at, as numbered when the network was laid out, and what they give.
    n_services : int
    cutoff : int, ticks
    name : (n_entrances,) int, optional
        Whose they are, from 0; the lowest wins among equal costs. Default: the entrance's own number.

    Returns
    -------
    ticks : (n_services, n_nodes) float64
        Walking towards the entrance; inf beyond the cutoff.
    nearest : (n_services, n_nodes) int32
        Its name, or -1.
    """
    check_cutoff(cutoff)
    names = np.arange(len(node), dtype=np.int64) if name is None else np.asarray(name, dtype=np.int64)
    shift = max(1, int(names.max(initial=0)).bit_length())
    width = np.uint32 if (cutoff + 1) << shift < 1 << 32 else np.uint64
    width_lanes = kernels.ROW_BYTES // np.dtype(width).itemsize
    ticks, nearest = np.empty((ground.n, n_services)), np.empty((ground.n, n_services), np.int32)
    core = ground.pockets.core
    core_row = (np.cumsum(core) - 1).astype(np.int32)
    rows = _aligned((int(core.sum()) + ground.slots + 1) * width_lanes, width)
    at, service = ground.rank[node], np.asarray(service)
    by_node = np.argsort(at, kind="stable")
    for first in range(0, n_services, width_lanes):
        mine = by_node[(service[by_node] >= first) & (service[by_node] < first + width_lanes)]
        doors = (pointers(at[mine], ground.n), (service[mine] - first).astype(np.int32), names[mine].astype(width))
        kernels.sweep_services(
            ground.graph, ground.pockets, doors, cutoff, shift, ground.order, core_row, core.copy(), rows,
            first, ticks, nearest,
        )  # fmt: skip
    return ticks.T, nearest.T


def field(network: Network, lane: Lane, homes: Joins) -> Field:
    """Walk from one place to every node within the lane's cutoff.

    Parameters
    ----------
    homes : Joins
        Joins of place 0, priced in ``lane.homes``.
    """
    check_cutoff(lane.cutoff)
    ground = Ground.of(network, lane, once=False)
    dist, previous = np.empty(ground.n, np.int32), np.empty(ground.n, np.int32)
    heap = np.empty(len(ground.graph.head) + 2 * len(homes.place), np.int64)
    kernels.field(ground.graph, ground.seeds(homes, lane.homes, 1), 0, lane.cutoff, heap, dist, previous)
    before = previous[ground.rank]
    named = np.where(before >= 0, ground.order[np.maximum(before, 0)], -1).astype(np.int32)
    ticks = np.where(dist == kernels.UNREACHED, np.inf, dist.astype(np.float64))
    return Field(ticks[ground.rank], named)


def compile_kernels() -> None:
    """Compile (or load from the cache) what a run needs, on a graph of one node, so that the wait is its own stage."""
    one, none = np.zeros(1), np.zeros(0, np.int32)
    ground = Ground(one, one, none, none, none, none, np.zeros(0))
    _run(ground, ground.node_seeds, _no_targets(1, 0), 0, None, _found(np.zeros(1, np.int64), 0, 1), threads=1, room=1)


def _streets(ground: Ground, n_origins: int) -> kernels.Streets:
    return kernels.Streets(np.empty(n_origins, np.int64), np.empty(n_origins, np.int64), ground.twice)


def _found(place: NDArray[np.int64], n_services: int, n_limits: int) -> kernels.Found:
    n_origins = len(place)
    return kernels.Found(
        place=frozen(place),
        ticks=np.empty((n_origins, n_services)),
        nearest=np.empty((n_origins, n_services), np.int32),
        count=np.empty((n_origins, n_services * n_limits), np.int32),
        reached=np.empty(n_origins, np.int64),
        pair_ptr=frozen(np.zeros(1, np.int64)),
        pairs=np.empty(0, np.int64),
    )


def _run(  # noqa: PLR0913
    ground: Ground, seeds: kernels.Seeds, targets: kernels.Targets | None, cutoff: int,
    streets: kernels.Streets | None, found: kernels.Found | None, *,
    fill: bool = False, threads: int | None, room: int, wide: bool = False, progress: Progress | None = None,
) -> None:  # fmt: skip
    """Write the products there are arrays for.

    Origins are shared out among threads, each with a desk of its own; who needs more room goes on with more.
    """
    check_cutoff(cutoff)
    n = len(seeds.ptr) - 1
    threads = threads or os.cpu_count() or 1
    # A lane also names facilities, so they must fit it.
    too_many = targets is not None and len(targets.service_ptr) > NARROW
    width = np.uint32 if wide or too_many else ground.lanes_for(cutoff, streets=streets is not None)
    desks = _Desks(ground, seeds, targets, cutoff, width, room)
    broad = _Desks(ground, seeds, targets, cutoff, np.uint32, room)
    if streets is not None and ground.directed:
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
                ground.graph, ground.pockets, seeds, targets, cutoff, own.shift, (at, last), ground.directed, fill,
                desk, streets, found,
            )  # fmt: skip
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


def _extent(ground: Ground, found: kernels.Streets, order: NDArray[np.integer]) -> Extent:
    for array in (found.nodes, found.street):  # one at a time, and where they are: memory counts
        placed = np.empty_like(array)
        placed[order] = array
        array[:] = placed
    return Extent(found.nodes, found.street, "cm" if ground.directed else "ticks")


def _no_targets(n_nodes: int, n_edges: int) -> kernels.Targets:
    none, place = np.zeros(0, np.int32), np.zeros(0)
    pointers, edges = np.zeros(n_nodes + 1, np.int64), np.zeros(n_edges + 1, np.int64)
    one, limits = np.zeros(1, np.int64), np.zeros((0, 1), np.int32)
    return kernels.Targets(
        *(frozen(a) for a in (pointers, none, none, edges, none, none, none, none, place, one, none, limits))
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
    limits = np.array([list(thresholds[s]) for s in services], dtype=np.int32)
    limits = limits.reshape(len(services), -1) if services else np.zeros((0, 1), np.int32)
    service = np.array([s for given in served for s in given], dtype=np.int32)
    arrays = (
        pointers(node, ground.n), facility[order], ticks[order], pointers(edge, n_edges), *on_edge, service_ptr,
        service, limits,
    )  # fmt: skip
    return kernels.Targets(*(frozen(a) for a in arrays))


def _aligned(size: int, dtype: type) -> NDArray[np.generic]:
    """Array that begins on a cache line."""
    item = np.dtype(dtype).itemsize
    raw = np.empty(size * item + 64, np.uint8)
    skip = -raw.ctypes.data % 64
    return raw[skip : skip + size * item].view(dtype)
