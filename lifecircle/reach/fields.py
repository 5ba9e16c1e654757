"""Numba kernels over the whole network: from every node to its nearest services, and from one origin to every node.

Only ``reach/search.py`` calls them. Their arrays are those of ``kernels.py`` and ``contraction.py``.
"""

import numpy as np

from lifecircle.reach.contraction import TITLE, kernel, part
from lifecircle.reach.kernels import UNREACHED
from lifecircle.reach.lanes import ROW_BYTES, differ, least, load, plus, some, spread, store

_LOW = np.int64(0xFFFFFFFF)


@part
def _fill_group(graph, pockets, doors, group, row, shift, top, rows):
    """Fill the rows of a group, and after them those of its sides, with what its own entrances give; say if any do."""
    page, book, begin = pockets.page, pockets.book, pockets.first[group]
    size, nothing = pockets.dead[group] - begin, ~rows.dtype.type(0)
    lanes = ROW_BYTES // rows.itemsize
    node_ptr, lane_of, name_of = doors
    at, end = page[group], page[group + 1]
    for slot in range(size + (0 if pockets.core[group] else np.int64(book[at]))):
        store(rows, row + slot, spread(rows, nothing))
    if node_ptr[begin] == node_ptr[pockets.first[group + 1]]:
        return False
    for slot in range(size):
        for k in range(node_ptr[begin + slot], node_ptr[begin + slot + 1]):
            place = (row + slot) * lanes + lane_of[k]
            rows[place] = min(rows[place], name_of[k])
    for pend in range(end - 3 * np.int64(book[at + 3]), end, 3):
        node, ticks = graph.head[book[pend + 1]], min(np.int64(book[pend + 2]), top)
        for k in range(node_ptr[node], node_ptr[node + 1]):
            place = (row + np.int64(book[pend])) * lanes + lane_of[k]
            rows[place] = min(rows[place], rows.dtype.type(name_of[k] + (ticks << shift)))
    if pockets.core[group]:
        return True
    # Arcs lead to slots before their node's own: backwards, what a node gives is final.
    arc = at + TITLE + book[at] + size + 3 * np.int64(book[at + 1])
    for slot in range(size - 1, -1, -1):
        mine = load(rows, row + slot)
        first = at + TITLE + np.int64(book[at])
        for _ in range(slot):
            first += 1 + 3 * np.int64(book[first])
        for k in range(first + 1, arc, 3):
            to = row + np.int64(book[k])
            ticks = min(np.int64(book[k + 1]), top) << shift
            store(rows, to, least(load(rows, to), plus(mine, spread(rows, ticks))))
        arc = first
    return True


@part
def _read_row(rows, row, shift, cutoff, node, first, ticks, nearest):
    """Write what a row has found for a node: its lanes are the services from ``first``."""
    lanes = ROW_BYTES // rows.itemsize
    mine, costs, names = rows[row * lanes : row * lanes + lanes], ticks[node], nearest[node]
    bits, limit = rows.dtype.type(shift), rows.dtype.type(cutoff)
    for lane in range(np.uint64(min(lanes, costs.shape[0] - first))):
        found = mine[lane]
        cost = found >> bits
        place = lane + np.uint64(first)
        costs[place] = cost if cost <= limit else np.inf
        names[place] = np.int32(found - (cost << bits)) if cost <= limit else np.int32(-1)


@kernel
def sweep_services(graph, pockets, doors, cutoff, shift, order, core_row, stirred, rows, first, ticks, nearest):
    """N alone, from every node at once: sweep the nearest entrance of each service out over the whole network.

    Only the core has rows of its own. Pockets with entrances give to it, it is swept until nothing changes, and every
    pocket is then filled from it in a few rows at the end.

    Parameters
    ----------
    graph, pockets : see above
    doors : (n_nodes+1,) int64, (n_entrances,) int32, (n_entrances,) uint32 or uint64
        Slices of the entrances at each node; their lane and name.
    cutoff : int, ticks
    shift : int
        A lane holds ``ticks << shift | name``, so the lowest name wins among equal costs.
    order : (n_nodes,) int
        Where the answers for a node go.
    core_row : (n_groups,) int32
        Row of each group of the core, below that of any other.
    stirred : (n_groups,) bool
        The core true, written: groups whose neighbours changed.
    rows : as wide as the names, room for the core, the largest group with its sides, and one more, written
    first : int
        The service of lane 0.
    ticks, nearest : (n_nodes, n_services) float64, int32, written

    Returns
    -------
    sweeps over the core
    """
    begin, dead_from, in_core, page, book = (
        pockets.first, pockets.dead, pockets.core, pockets.page, pockets.book
    )  # fmt: skip
    link, link_to, link_out, head, back = pockets.link, pockets.link_to, pockets.link_out, graph.head, graph.back
    node_ptr, lane_of, name_of = doors
    lanes = ROW_BYTES // rows.itemsize
    n_groups, top = in_core.shape[0], np.int64(cutoff) + 1
    spare, last = np.int64(0), rows.shape[0] // lanes - 1
    for group in range(n_groups):
        if in_core[group]:
            _fill_group(graph, pockets, doors, group, core_row[group], shift, top, rows)
            spare += 1
    for group in range(n_groups):
        if not in_core[group] and _fill_group(graph, pockets, doors, group, spare, shift, top, rows):
            sides, size = page[group] + TITLE, dead_from[group] - begin[group]
            for k in range(book[sides - TITLE]):
                to = core_row[book[sides + k]]
                store(rows, to, least(load(rows, to), load(rows, spare + size + k)))
    sweeps = 0
    going = True
    while going:
        going = False
        for k in range(n_groups):
            group = k if sweeps % 2 == 0 else n_groups - 1 - k
            if not stirred[group]:
                continue
            stirred[group] = False
            row = core_row[group]
            before = load(rows, row)
            now = before
            for arc in range(link[group], link[group + 1]):
                cost = min(np.int64(link_out[arc]), top) << shift
                now = least(now, plus(load(rows, core_row[link_to[arc]]), spread(rows, cost)))
            # The first sweep stirs up everybody: what pockets gave is no change.
            if some(differ(before, now)) or sweeps == 0:
                store(rows, row, now)
                for arc in range(link[group], link[group + 1]):
                    stirred[link_to[arc]] = True
                going = True
        sweeps += 1
    for group in range(n_groups):
        start, size, at = begin[group], dead_from[group] - begin[group], page[group]
        row = np.int64(core_row[group])
        if not in_core[group]:
            row = spare
            _fill_group(graph, pockets, doors, group, row, shift, top, rows)
            for k in range(book[at]):
                store(rows, row + size + k, load(rows, core_row[book[at + TITLE + k]]))
            arc = at + TITLE + np.int64(book[at])
            for slot in range(size):
                now = load(rows, row + slot)
                end = arc + 1 + 3 * np.int64(book[arc])
                for k in range(arc + 1, end, 3):
                    cost = min(np.int64(book[k + 2]), top) << shift
                    now = least(now, plus(load(rows, row + np.int64(book[k])), spread(rows, cost)))
                store(rows, row + slot, now)
                arc = end
        for slot in range(size):
            _read_row(rows, row + slot, shift, cutoff, order[start + slot], first, ticks, nearest)
        end = page[group + 1]
        for pend in range(end - 3 * np.int64(book[at + 3]), end, 3):
            node = head[book[pend + 1]]
            cost = min(np.int64(back[book[pend + 1]]), top) << shift
            store(rows, last, plus(load(rows, row + np.int64(book[pend])), spread(rows, cost)))
            for k in range(node_ptr[node], node_ptr[node + 1]):
                place = last * lanes + lane_of[k]
                rows[place] = min(rows[place], name_of[k])
            _read_row(rows, last, shift, cutoff, order[node], first, ticks, nearest)
    return sweeps


# --------------------------------------------------------------------------------------- one origin, every node


@part
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


@part
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


@part
def _better(dist, heap, size, node, ticks, cutoff):
    """Offer a node a cost; keep and queue it if it is within the cutoff and better. Returns the heap's size."""
    if ticks > cutoff or dist[node] <= ticks:
        return size
    dist[node] = ticks
    return _push(heap, size, (np.int64(ticks) << 32) | np.int64(node))


@kernel
def field(graph, seeds, origin, cutoff, heap, dist, previous):
    """Walk from one origin to every node within the cutoff: Dijkstra's search with a heap and lazy deletion.

    Parameters
    ----------
    heap : int64, written
        With room for every half-edge (a node settles once) and both ends of every join.
    dist : (n_nodes,) int32, written: ticks, or ``UNREACHED``
    previous : (n_nodes,) int32, written: the node before on a shortest walk (the lowest of several), -1 at a start
    """
    n = dist.shape[0]
    for node in range(dist.shape[0]):
        dist[node], previous[node] = UNREACHED, -1
    size = 0
    for join in range(seeds.ptr[origin], seeds.ptr[origin + 1]):
        if seeds.to_u[join] >= 0:
            size = _better(dist, heap, size, seeds.u[join], seeds.to_u[join], cutoff)
        if seeds.to_v[join] >= 0:
            size = _better(dist, heap, size, seeds.v[join], seeds.to_v[join], cutoff)
    while size > 0:
        key = heap[0]
        size = _pop(heap, size)
        node = np.int64(key & _LOW)
        here = np.int64(key >> 32)
        if here > dist[node]:
            continue
        for arc in range(graph.start[node], graph.start[node + 1]):
            size = _better(dist, heap, size, graph.head[arc], here + graph.out[arc], cutoff)
    # Predecessors afterwards, by the costs alone: the heap's order leaves no trace in them.
    for node in range(n):
        if dist[node] == UNREACHED:
            continue
        for arc in range(graph.start[node], graph.start[node + 1]):
            head, step = graph.head[arc], graph.out[arc]
            if step > 0 and np.int64(dist[head]) == np.int64(dist[node]) + step:
                if previous[head] < 0 or node < previous[head]:
                    previous[head] = node
    for join in range(seeds.ptr[origin], seeds.ptr[origin + 1]):
        if seeds.to_u[join] >= 0 and dist[seeds.u[join]] == seeds.to_u[join]:
            previous[seeds.u[join]] = -1
        if seeds.to_v[join] >= 0 and dist[seeds.v[join]] == seeds.to_v[join]:
            previous[seeds.v[join]] = -1
