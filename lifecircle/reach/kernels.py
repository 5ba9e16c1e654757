"""Numba kernels. Only ``reach/search.py`` calls them, and it alone knows how their arrays are made.

Every array handed in is read-only and C-contiguous; outputs are written by the caller's slice, so that threads never
share a cell. Costs are int32 ticks; ``UNREACHED`` stands for "not within the cutoff" inside this room only.
"""

from typing import NamedTuple

import numpy as np
from numba import njit

UNREACHED = np.int32(2_147_483_647)
_LOW = np.int64(0xFFFFFFFF)


class Graph(NamedTuple):
    """Forward arcs of one cost in CSR form: ``indptr`` int64 (n+1,), ``head`` int32, ``ticks`` int32 (n_arcs,)."""

    indptr: np.ndarray
    head: np.ndarray
    ticks: np.ndarray


class Seeds(NamedTuple):
    """Where origins start.

    ``ptr`` int64 (n_origins+1,) slices the joins; per join ``edge``, ``u``, ``v`` int32, ``to_u``, ``to_v`` int32 ticks
    with the leg (-1 closed), and ``leg``, ``forth``, ``back`` int32 ticks for a target on the same edge, with the
    offset ``x`` float64 m.
    """

    ptr: np.ndarray
    edge: np.ndarray
    u: np.ndarray
    v: np.ndarray
    to_u: np.ndarray
    to_v: np.ndarray
    leg: np.ndarray
    forth: np.ndarray
    back: np.ndarray
    x: np.ndarray


class Targets(NamedTuple):
    """Where facilities are entered.

    ``node_ptr`` int64 (n_nodes+1,) slices ``facility``, ``ticks`` int32: entrances by the node they are reached from.
    ``edge_ptr`` int64 (n_edges+1,) slices the same entrances by edge: ``edge_facility``, ``edge_leg``, ``edge_forth``,
    ``edge_back`` int32, ``edge_y`` float64 m. ``service_ptr`` int64 (n_facilities+1,) slices ``service`` int32, and
    ``threshold`` int32 ticks per service.
    """

    node_ptr: np.ndarray
    facility: np.ndarray
    ticks: np.ndarray
    edge_ptr: np.ndarray
    edge_facility: np.ndarray
    edge_leg: np.ndarray
    edge_forth: np.ndarray
    edge_back: np.ndarray
    edge_y: np.ndarray
    service_ptr: np.ndarray
    service: np.ndarray
    threshold: np.ndarray


class Found(NamedTuple):
    """What is written: ``ticks`` and ``nearest`` int32 and ``count`` int32, each (n_services, n_origins)."""

    ticks: np.ndarray
    nearest: np.ndarray
    count: np.ndarray


@njit(nogil=True, cache=True)
def _push(heap, size, key):
    """Put a key into a binary heap of ``size`` keys; the caller has made room. O(log size)."""
    k = size
    while k > 0:
        parent = (k - 1) >> 1
        if heap[parent] <= key:
            break
        heap[k] = heap[parent]
        k = parent
    heap[k] = key
    return size + 1


@njit(nogil=True, cache=True)
def _pop(heap, size):
    """Take the root off a binary heap; returns the new size. The root is read by the caller before."""
    size -= 1
    key = heap[size]
    k = 0
    while True:
        child = 2 * k + 1
        if child >= size:
            break
        if child + 1 < size and heap[child + 1] < heap[child]:
            child += 1
        if heap[child] >= key:
            break
        heap[k] = heap[child]
        k = child
    heap[k] = key
    return size


@njit(nogil=True, cache=True)
def _relax(dist, stamp, mark, heap, size, node, ticks, cutoff):
    """Offer a node a cost; keep and queue it if it is within the cutoff and better. Returns the heap's size."""
    if ticks > cutoff or (stamp[node] == mark and dist[node] <= ticks):
        return size
    stamp[node] = mark
    dist[node] = ticks
    return _push(heap, size, (np.int64(ticks) << 32) | np.int64(node))


@njit(nogil=True, cache=True)
def nearest_and_counts(graph, seeds, targets, cutoff, first, last, found):
    """Walk from origins ``first:last``: nearest facility of each service, and how many within its threshold.

    Dijkstra's search with a binary heap and lazy deletion, one origin at a time, O(r log r) for r reached arcs. An
    arc queues at most one key (its tail settles once) and so does a seed: the heap's room is known before it is
    filled. A facility counts once, at its nearest entrance; of equally near ones the lowest index is named.

    Parameters
    ----------
    graph : Graph
    seeds : Seeds
    targets : Targets
    cutoff : int32, ticks
    first, last : int
    found : Found
        Columns ``first:last`` are written, no others: threads may share it.
    """
    n = graph.indptr.shape[0] - 1
    n_services = targets.threshold.shape[0]
    n_facilities = targets.service_ptr.shape[0] - 1
    widest = 0
    for origin in range(first, last):
        widest = max(widest, seeds.ptr[origin + 1] - seeds.ptr[origin])
    heap = np.empty(graph.head.shape[0] + 2 * widest + 1, np.int64)
    dist = np.empty(n, np.int32)
    stamp = np.zeros(n, np.int64)
    best = np.empty(n_facilities, np.int32)
    seen = np.zeros(n_facilities, np.int64)
    touched = np.empty(n_facilities, np.int32)
    for origin in range(first, last):
        mark = np.int64(origin - first + 1)
        size = 0
        n_touched = 0
        for join in range(seeds.ptr[origin], seeds.ptr[origin + 1]):
            if seeds.to_u[join] >= 0:
                size = _relax(dist, stamp, mark, heap, size, seeds.u[join], seeds.to_u[join], cutoff)
            if seeds.to_v[join] >= 0:
                size = _relax(dist, stamp, mark, heap, size, seeds.v[join], seeds.to_v[join], cutoff)
            edge = seeds.edge[join]
            for k in range(targets.edge_ptr[edge], targets.edge_ptr[edge + 1]):
                if targets.edge_y[k] >= seeds.x[join]:
                    if seeds.forth[join] < 0:
                        continue
                    along = targets.edge_forth[k] - seeds.forth[join]
                else:
                    if seeds.back[join] < 0:
                        continue
                    along = seeds.back[join] - targets.edge_back[k]
                ticks = seeds.leg[join] + along + targets.edge_leg[k]
                f = targets.edge_facility[k]
                if ticks <= cutoff and (seen[f] != mark or ticks < best[f]):
                    if seen[f] != mark:
                        seen[f] = mark
                        touched[n_touched] = f
                        n_touched += 1
                    best[f] = ticks
        while size > 0:
            key = heap[0]
            size = _pop(heap, size)
            node = np.int32(key & _LOW)
            here = np.int32(key >> 32)
            if here > dist[node]:
                continue
            for k in range(targets.node_ptr[node], targets.node_ptr[node + 1]):
                ticks = here + targets.ticks[k]
                f = targets.facility[k]
                if ticks <= cutoff and (seen[f] != mark or ticks < best[f]):
                    if seen[f] != mark:
                        seen[f] = mark
                        touched[n_touched] = f
                        n_touched += 1
                    best[f] = ticks
            for arc in range(graph.indptr[node], graph.indptr[node + 1]):
                size = _relax(dist, stamp, mark, heap, size, graph.head[arc], here + graph.ticks[arc], cutoff)
        for service in range(n_services):
            found.ticks[service, origin] = UNREACHED
            found.nearest[service, origin] = -1
            found.count[service, origin] = 0
        for k in range(n_touched):
            f = touched[k]
            ticks = best[f]
            for s in range(targets.service_ptr[f], targets.service_ptr[f + 1]):
                service = targets.service[s]
                now = found.ticks[service, origin]
                if ticks < now or (ticks == now and f < found.nearest[service, origin]):
                    found.ticks[service, origin] = ticks
                    found.nearest[service, origin] = f
                if ticks <= targets.threshold[service]:
                    found.count[service, origin] += 1


@njit(nogil=True, cache=True)
def field(graph, seeds, cutoff, origin, dist, previous):
    """Walk from one origin to every node within the cutoff.

    Parameters
    ----------
    graph : Graph
    seeds : Seeds
    cutoff : int32, ticks
    origin : int
    dist : (n_nodes,) int32, written: ticks, or ``UNREACHED``
    previous : (n_nodes,) int32, written: the node before on a shortest walk (the lowest of several), -1 at a start
    """
    n = graph.indptr.shape[0] - 1
    heap = np.empty(graph.head.shape[0] + 2 * (seeds.ptr[origin + 1] - seeds.ptr[origin]) + 1, np.int64)
    stamp = np.zeros(n, np.int64)
    mark = np.int64(1)
    size = 0
    for join in range(seeds.ptr[origin], seeds.ptr[origin + 1]):
        if seeds.to_u[join] >= 0:
            size = _relax(dist, stamp, mark, heap, size, seeds.u[join], seeds.to_u[join], cutoff)
        if seeds.to_v[join] >= 0:
            size = _relax(dist, stamp, mark, heap, size, seeds.v[join], seeds.to_v[join], cutoff)
    while size > 0:
        key = heap[0]
        size = _pop(heap, size)
        node = np.int32(key & _LOW)
        here = np.int32(key >> 32)
        if here > dist[node]:
            continue
        for arc in range(graph.indptr[node], graph.indptr[node + 1]):
            size = _relax(dist, stamp, mark, heap, size, graph.head[arc], here + graph.ticks[arc], cutoff)
    for node in range(n):
        previous[node] = -1
        if stamp[node] != mark:
            dist[node] = UNREACHED
    # Predecessors afterwards, by the costs alone: the heap's order leaves no trace in them.
    for node in range(n):
        if dist[node] == UNREACHED:
            continue
        for arc in range(graph.indptr[node], graph.indptr[node + 1]):
            head = graph.head[arc]
            if head != node and dist[head] == dist[node] + graph.ticks[arc] and graph.ticks[arc] > 0:
                if previous[head] < 0 or node < previous[head]:
                    previous[head] = node
    for join in range(seeds.ptr[origin], seeds.ptr[origin + 1]):
        if seeds.to_u[join] >= 0 and dist[seeds.u[join]] == seeds.to_u[join]:
            previous[seeds.u[join]] = -1
        if seeds.to_v[join] >= 0 and dist[seeds.v[join]] == seeds.to_v[join]:
            previous[seeds.v[join]] = -1
