"""The one caller of the kernels: lays nouns out as flat arrays, runs threads over origins, and names the results."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from html import escape

import numpy as np
from numpy.typing import NDArray

from lifecircle.errors import DataError
from lifecircle.model.facilities import Facilities
from lifecircle.model.network import Network
from lifecircle.model.snapping import Joins, Legs
from lifecircle.profiles import TICKS
from lifecircle.reach import kernels

CHUNK = 256
"""Origins in one piece of work: small enough for even threads and a moving bar, large enough to hide the set-up."""


@dataclass(frozen=True, eq=False, repr=False)
class Lane:
    """One cost laid on the network: the arcs it may use and what homes and entrances cost on it.

    Attributes
    ----------
    name, unit : str
        Cost name and ``s`` or ``m``.
    ticks_uv, ticks_vu : (n_edges,) int32, -1 closed
    homes, doors : Legs
        Prices of the joins of cells and of facilities.
    cutoff : int
        Ticks.
    """

    name: str
    unit: str
    ticks_uv: NDArray[np.int32]
    ticks_vu: NDArray[np.int32]
    homes: Legs
    doors: Legs
    cutoff: int


@dataclass(frozen=True, eq=False, repr=False)
class Reach:
    """Walks from every cell to the facilities of the services of one cost.

    Attributes
    ----------
    lane : str
        The cost.
    services : tuple of int
        Positions of the services in the standard.
    ticks : (n_services, n_cells) float64
        Ticks to the nearest facility; inf where none is within the cutoff.
    nearest : (n_services, n_cells) int32
        That facility, -1 for none; of equally near ones the lowest index.
    count : (n_services, n_cells) int32
        Distinct facilities within the service's threshold.
    """

    lane: str
    services: tuple[int, ...]
    ticks: NDArray[np.float64]
    nearest: NDArray[np.int32]
    count: NDArray[np.int32]

    def __post_init__(self) -> None:
        for array in (self.ticks, self.nearest, self.count):
            array.flags.writeable = False

    @property
    def units(self) -> NDArray[np.float64]:
        """Seconds or metres to the nearest facility, (n_services, n_cells); inf beyond the cutoff."""
        return self.ticks / TICKS

    def _repr_html_(self) -> str:
        reached = np.isfinite(self.ticks).sum(axis=1)
        rows = "".join(
            f"<tr><td>{s}</td><td>{n}</td></tr>" for s, n in zip(self.services, reached.tolist(), strict=True)
        )
        head = "<tr><th>service</th><th>cells that reach one</th></tr>"
        return f"<p>Reach by {escape(self.lane)}</p><table>{head}{rows}</table>"


@dataclass(frozen=True, eq=False, repr=False)
class Field:
    """Ticks from one place to every node: ``ticks`` (n_nodes,) float64, inf beyond; ``previous`` (n_nodes,) int32."""

    ticks: NDArray[np.float64]
    previous: NDArray[np.int32]


def search(  # noqa: PLR0913
    network: Network,
    lane: Lane,
    homes: Joins,
    facilities: Facilities,
    *,
    n_cells: int,
    thresholds: dict[int, int],
    threads: int | None = None,
    progress: Callable[[int], None] | None = None,
) -> Reach:
    """Find the nearest facility of each service from every cell, and count those within the threshold.

    Parameters
    ----------
    network : Network
    lane : Lane
    homes : Joins
        Joins of the cells; a cell without one reaches nothing.
    facilities : Facilities
    n_cells : int
    thresholds : dict
        Service position -> threshold in ticks; only these services are searched for.
    threads : int, optional
        Default: one per processor. The answer does not depend on it.
    progress : callable, optional
        Called with the number of cells done, from any thread.

    Raises
    ------
    DataError
        The cutoff is below a threshold, so a verdict could not be given.
    """
    if any(threshold > lane.cutoff for threshold in thresholds.values()):
        raise DataError(
            f"a threshold of cost {lane.name} is beyond the cutoff of {lane.cutoff / TICKS:g} {lane.unit}; "
            "raise the cutoff"
        )
    services = tuple(sorted(thresholds))
    graph = _graph(network, lane)
    seeds = _seeds(network, lane.homes, homes, n_cells)
    targets = _targets(network, lane.doors, facilities, services, thresholds)
    shape = (len(services), n_cells)
    found = kernels.Found(np.empty(shape, np.int32), np.empty(shape, np.int32), np.empty(shape, np.int32))
    cutoff = np.int32(lane.cutoff)

    def work(first: int) -> int:
        last = min(first + CHUNK, n_cells)
        kernels.nearest_and_counts(graph, seeds, targets, cutoff, first, last, found)
        return last - first

    with ThreadPoolExecutor(threads or os.cpu_count() or 1) as pool:
        done = 0
        for number in pool.map(work, range(0, n_cells, CHUNK)):
            done += number
            if progress is not None:
                progress(done)
    ticks = np.where(found.ticks == kernels.UNREACHED, np.inf, found.ticks.astype(np.float64))
    return Reach(lane.name, services, ticks, found.nearest, found.count)


def field(network: Network, lane: Lane, homes: Joins) -> Field:
    """Walk from one place to every node within the lane's cutoff.

    Parameters
    ----------
    homes : Joins
        Joins of place 0, priced in ``lane.homes``.
    """
    dist = np.empty(network.n_nodes, np.int32)
    previous = np.empty(network.n_nodes, np.int32)
    seeds = _seeds(network, lane.homes, homes, 1)
    kernels.field(_graph(network, lane), seeds, np.int32(lane.cutoff), 0, dist, previous)
    return Field(np.where(dist == kernels.UNREACHED, np.inf, dist.astype(np.float64)), previous)


def compile_kernels() -> None:
    """Compile (or load from the cache) every kernel on a graph of nothing, so that the wait is its own stage."""
    empty32, ptr = _frozen(np.zeros(0, np.int32)), _frozen(np.zeros(1, np.int64))
    empty64 = _frozen(np.zeros(0, np.float64))
    graph = kernels.Graph(ptr, empty32, empty32)
    seeds = kernels.Seeds(ptr, empty32, empty32, empty32, empty32, empty32, empty32, empty32, empty32, empty64)
    targets = kernels.Targets(
        ptr, empty32, empty32, ptr, empty32, empty32, empty32, empty32, empty64, ptr, empty32, empty32
    )
    found = kernels.Found(*(np.empty((0, 0), np.int32) for _ in range(3)))
    kernels.nearest_and_counts(graph, seeds, targets, np.int32(0), 0, 0, found)
    kernels.field(
        graph,
        seeds._replace(ptr=_frozen(np.zeros(2, np.int64))),
        np.int32(0),
        0,
        np.empty(0, np.int32),
        np.empty(0, np.int32),
    )


def _frozen(array: NDArray[np.generic]) -> NDArray[np.generic]:
    """Make an array contiguous and read-only: numba compiles once for one kind of array, and this is the kind."""
    made = np.ascontiguousarray(array)
    if made.flags.writeable:
        made = made.view()
        made.flags.writeable = False
    return made


def _graph(network: Network, lane: Lane) -> kernels.Graph:
    """Forward arcs sorted by tail, then head, then cost."""
    forward, backward = lane.ticks_uv >= 0, lane.ticks_vu >= 0
    tail = np.concatenate([network.edge_u[forward], network.edge_v[backward]])
    head = np.concatenate([network.edge_v[forward], network.edge_u[backward]])
    ticks = np.concatenate([lane.ticks_uv[forward], lane.ticks_vu[backward]])
    order = np.lexsort((ticks, head, tail))
    indptr = _pointers(tail, network.n_nodes)
    return kernels.Graph(_frozen(indptr), _frozen(head[order]), _frozen(ticks[order]))


def _seeds(network: Network, legs: Legs, joins: Joins, n: int) -> kernels.Seeds:
    """Lay out the joins of ``n`` places, in the order of the places (`Joins` holds them so)."""
    return kernels.Seeds(
        _frozen(_pointers(joins.place, n)),
        _frozen(joins.edge),
        _frozen(network.edge_u[joins.edge]),
        _frozen(network.edge_v[joins.edge]),
        _frozen(legs.to_u),
        _frozen(legs.to_v),
        _frozen(legs.leg),
        _frozen(legs.forth),
        _frozen(legs.back),
        _frozen(joins.offset_m),
    )


def _targets(
    network: Network, legs: Legs, facilities: Facilities, services: tuple[int, ...], thresholds: dict[int, int]
) -> kernels.Targets:
    """Entrances by the node and by the edge they are reached from, only of facilities that give a service searched."""
    local = {service: ix for ix, service in enumerate(services)}
    served = [[local[s] for s in given if s in local] for given in facilities.services]
    service_ptr = np.concatenate([[0], np.cumsum([len(given) for given in served])]).astype(np.int64)
    service = np.array([s for given in served for s in given], dtype=np.int32)
    joins = facilities.joins
    wanted = np.array([len(given) > 0 for given in served], dtype=bool)[joins.place]
    node = np.concatenate([network.edge_u[joins.edge], network.edge_v[joins.edge]])
    ticks = np.concatenate([legs.from_u, legs.from_v])
    facility = np.concatenate([joins.place, joins.place])
    keep = np.concatenate([wanted, wanted]) & (ticks >= 0)
    node, ticks, facility = node[keep], ticks[keep], facility[keep]
    order = np.lexsort((facility, ticks, node))
    # An entrance on an edge that this cost may not walk is no entrance for it.
    open_door = wanted & ((legs.forth >= 0) | (legs.back >= 0))
    edge = joins.edge[open_door]
    by_edge = np.lexsort((joins.place[open_door], edge))

    def on_edge(values: NDArray[np.generic]) -> NDArray[np.generic]:
        return _frozen(values[open_door][by_edge])

    return kernels.Targets(
        _frozen(_pointers(node, network.n_nodes)),
        _frozen(facility[order]),
        _frozen(ticks[order]),
        _frozen(_pointers(edge, network.n_edges)),
        on_edge(joins.place),
        on_edge(legs.leg),
        on_edge(legs.forth),
        on_edge(legs.back),
        on_edge(joins.offset_m),
        _frozen(service_ptr),
        _frozen(service),
        _frozen(np.array([thresholds[s] for s in services], dtype=np.int32)),
    )


def _pointers(group: NDArray[np.generic], n: int) -> NDArray[np.int64]:
    """CSR pointers of ``n`` groups for members given by group number, in any order."""
    return np.concatenate([[0], np.cumsum(np.bincount(group, minlength=n))]).astype(np.int64)
