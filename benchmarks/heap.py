"""The plain way, as a yardstick everybody knows: Dijkstra's search with a binary heap, one origin after another.

Compiled by numba like the engine, with flat arrays, lazy deletion and a stop at the cutoff: what a careful programmer
writes first.
"""

import numpy as np
from numba import njit

_LOW = np.int64(0xFFFFFFFF)


@njit(nogil=True, cache=True)
def _push(heap, size, key):
    """Put a key on a binary heap; returns the new size."""
    at = size
    while at > 0 and heap[(at - 1) // 2] > key:
        heap[at] = heap[(at - 1) // 2]
        at = (at - 1) // 2
    heap[at] = key
    return size + 1


@njit(nogil=True, cache=True)
def _drop(heap, size):
    """Take the least key off a binary heap; returns the new size."""
    size -= 1
    last = heap[size]
    at, child = 0, 1
    while child < size:
        if child + 1 < size and heap[child + 1] < heap[child]:
            child += 1
        if heap[child] >= last:
            break
        heap[at] = heap[child]
        at, child = child, 2 * child + 1
    heap[at] = last
    return size


@njit(nogil=True, cache=True)
def search(indptr, indices, cost, starts, cutoff, dist, seen, heap):
    """Settle every node within the cutoff of any of the starts.

    ``dist`` must be filled with cutoff + 1; it is written, and ``seen`` lists the settled nodes in their order.

    Returns
    -------
    how many nodes were settled
    """
    size = settled = 0
    for start in starts:
        dist[start] = 0
        size = _push(heap, size, np.int64(start))
    while size > 0:
        key = heap[0]
        size = _drop(heap, size)
        node, here = key & _LOW, key >> 32
        if here > dist[node]:
            continue
        seen[settled] = node
        settled += 1
        for arc in range(indptr[node], indptr[node + 1]):
            there = here + cost[arc]
            if there < dist[indices[arc]]:  # the filling stands for the cutoff
                dist[indices[arc]] = there
                size = _push(heap, size, (there << 32) | np.int64(indices[arc]))
    return settled


@njit(nogil=True, cache=True)
def streets(indptr, indices, cost, origins, cutoff, nodes, street):
    """R on a symmetric graph: nodes and street length reached from each origin, in the unit of the costs."""
    n = indptr.shape[0] - 1
    dist = np.full(n, cutoff + 1, np.int64)
    seen, heap = np.empty(n, np.int64), np.empty(indices.shape[0] + 1, np.int64)
    for k in range(origins.shape[0]):
        settled = search(indptr, indices, cost, origins[k : k + 1], cutoff, dist, seen, heap)
        total = np.int64(0)
        for rank in range(settled):
            node = seen[rank]
            for arc in range(indptr[node], indptr[node + 1]):
                other = indices[arc]
                if dist[other] > cutoff:
                    total += min(np.int64(cost[arc]), cutoff - dist[node])
                elif node < other:
                    total += min(np.int64(cost[arc]), 2 * cutoff - dist[node] - dist[other])
        nodes[k], street[k] = settled, total
        for rank in range(settled):
            dist[seen[rank]] = cutoff + 1


@njit(nogil=True, cache=True)
def everything(indptr, indices, cost, origins, n_streets, first_facility, service_ptr, service, limits, cutoff, found):
    """R, N and C in one search from each origin, on a graph in which facilities are nodes of their own.

    Parameters
    ----------
    n_streets : int
        Nodes below this number are counted as reached.
    first_facility : int
        Number of the first facility's node; ``service_ptr`` slices ``service`` by facility.
    limits : (n_services, n_limits)
    found : nodes (n,), ticks and nearest (n_services, n), count (n_services, n_limits, n), written
    """
    nodes, ticks, nearest, count = found
    n = indptr.shape[0] - 1
    dist = np.full(n, cutoff + 1, np.int64)
    seen, heap = np.empty(n, np.int64), np.empty(indices.shape[0] + 1, np.int64)
    ticks[:] = -1
    nearest[:] = -1
    count[:] = 0
    for k in range(origins.shape[0]):
        settled = search(indptr, indices, cost, origins[k : k + 1], cutoff, dist, seen, heap)
        nodes[k] = 0
        for rank in range(settled):
            node = seen[rank]
            if node < n_streets:
                nodes[k] += 1
            elif node >= first_facility:
                facility = node - first_facility
                for at in range(service_ptr[facility], service_ptr[facility + 1]):
                    s = service[at]
                    # Settled in the order of (cost, number), so the first one is the nearest with the lowest number.
                    if ticks[s, k] < 0:
                        ticks[s, k], nearest[s, k] = dist[node], facility
                    for t in range(limits.shape[1]):
                        count[s, t, k] += dist[node] <= limits[s, t]
        for rank in range(settled):
            dist[seen[rank]] = cutoff + 1


@njit(nogil=True, cache=True)
def nearest_from(indptr, indices, cost, doors, door_ptr, cutoff, ticks):
    """N for every node of a symmetric graph: one search for each service, from all its entrances at once."""
    n = indptr.shape[0] - 1
    seen, heap = np.empty(n, np.int64), np.empty(indices.shape[0] + doors.shape[0] + 1, np.int64)
    for s in range(door_ptr.shape[0] - 1):
        ticks[s] = cutoff + 1
        search(indptr, indices, cost, doors[door_ptr[s] : door_ptr[s + 1]], cutoff, ticks[s], seen, heap)
