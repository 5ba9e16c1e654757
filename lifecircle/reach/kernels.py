"""Numba kernels. Only ``reach/search.py`` calls them, and it alone knows how their arrays are made.

The engine walks from many origins at once, over a contracted network: a core, and pockets that hang on it
(``contraction.py``). Origins that are neighbours on a Hilbert curve reach nearly the same nodes, so one search, over the
core alone, finds all that a batch of them reaches (`discover`), and that piece is copied into small flat lists
(`localise`). A matrix ``D[row][lane]`` holds the cost of every node from each origin, one origin a lane. The origins'
own pockets are climbed and the pockets reached descended in one pass each over the lists, relaxing all lanes of an arc
by a few vector instructions; the core between is swept forth and back until nothing changes, which is Bellman and
Ford's method in an order that makes it short (`spread_from`). Exact, whatever the order was.

Costs are whole ticks. Lanes hold them as uint16 up to a cutoff of 65,534 ticks and as uint32 beyond; adds saturate,
so a cost that does not fit is beyond the cutoff and not wrapped. Every buffer's room is checked before it is filled:
a kernel that runs out says which, and is called again with more.
"""

from typing import NamedTuple

import numpy as np
from numba import njit

from lifecircle.reach.contraction import FAR, TITLE
from lifecircle.reach.lanes import (
    ROW_BYTES, add, differ, either, least, load, minus, nearer, plus, some, spread, store, within,
)  # fmt: skip

UNREACHED = np.int32(2_147_483_647)

BATCH = 192
"""Origins that share one search for the union of what they reach."""

# Why a kernel stopped early.
DONE, MORE_ITEMS, MORE_ROWS, MORE_ARCS, MORE_STREETS, MORE_PENDANTS, MORE_DOORS, MORE_FACILITIES, WIDER = range(9)

_UNSEEN = np.int64(1) << 31
_STRIDE = np.int64(1) << 32
_LOW = np.int64(0xFFFFFFFF)
_0, _1, _2, _3, _4 = (np.uint64(k) for k in range(5))  # unsigned places in a list need no test for counting from its end


# ----------------------------------------------------------------------------------------------------- arrays


class Seeds(NamedTuple):
    """Where origins start.

    ``ptr`` int64 (n_origins+1,) slices the joins of each origin. Per join: ``edge`` int32 (-1: it stands on node u,
    which is no dead end),
    its ends ``u``, ``v`` int32, ``to_u``, ``to_v`` int32 ticks with the leg (-1 closed), ``leg``, ``forth``, ``back``
    int32 ticks (F and B of the offset, -1 closed), the offset ``x`` float64 m; of the edge ``uv``, ``vu`` int32 ticks
    (`FAR` closed), ``length`` and the offset ``at`` int32 cm.
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
    uv: np.ndarray
    vu: np.ndarray
    length: np.ndarray
    at: np.ndarray


class Targets(NamedTuple):
    """Where facilities are entered.

    ``node_ptr`` int64 (n_nodes+1,) slices ``facility``, ``ticks`` int32: entrances by the node they are reached from.
    ``edge_ptr`` int64 (n_edges+1,) slices the same entrances by edge: ``edge_facility``, ``edge_leg``, ``edge_forth``,
    ``edge_back`` int32, ``edge_y`` float64 m. ``service_ptr`` int64 (n_facilities+1,) slices ``service`` int32;
    ``thresholds`` int32 (n_services, n_thresholds) ticks.
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
    thresholds: np.ndarray


class Queue(NamedTuple):
    """What finds all that a batch reaches.

    By group: ``dist`` int32 (groups,) and ``place`` int64 (groups+1,), the first row of the group above the base of the
    batch, which is the last number. ``inner`` int32 (n,) costs within the pockets of origins, which ``own`` int32
    (groups,) lists. ``bucket`` int32, ``item``, ``next`` int32: the queue. ``order`` int32 (groups,) the groups found:
    the core, the origins' own, the others. ``row`` uint32 (most slots of a group,): the rows of one group's slots.
    """

    dist: np.ndarray
    place: np.ndarray
    inner: np.ndarray
    own: np.ndarray
    bucket: np.ndarray
    item: np.ndarray
    next: np.ndarray
    order: np.ndarray
    row: np.ndarray


class Piece(NamedTuple):
    """The piece of the network a batch reaches, as flat lists: int32, the costs as wide as the lanes.

    ``ptr`` slices the arcs of each row i to lower rows j: ``arc_j``, the costs ``arc_in`` from j to i and ``arc_out`` from
    i to j. Streets between rows i >= j and pendants, which lead to dead ends, are those of the network.
    """

    ptr: np.ndarray
    arc_j: np.ndarray
    arc_in: np.ndarray
    arc_out: np.ndarray
    street_i: np.ndarray
    street_j: np.ndarray
    street_edge: np.ndarray
    street_out: np.ndarray
    pend_i: np.ndarray
    pend_edge: np.ndarray
    pend_out: np.ndarray


class Size(NamedTuple):
    """How much of the desk a batch fills.

    Rows: 0 is beyond the cutoff of all, up to ``core`` the nodes of the core, up to ``climb`` the pockets that origins
    stand in, up to ``rows`` the other pockets. ``groups`` of the order, ``streets``, ``pendants``.
    """

    core: int
    climb: int
    rows: int
    groups: int
    streets: int
    pendants: int


class Doors(NamedTuple):
    """Entrances in the piece, linked by facility.

    ``slot`` int64 (n_facilities+1,) over all facilities: base of the batch + local number. ``door_i``, ``door_next``
    int32 and ``door_ticks`` (as wide as the lanes); ``known``, ``first_door``, ``first_direct`` int32 by local number;
    ``direct_lane``, ``direct_next``, ``direct_ticks`` int32: entrances on the edge an origin stands on.
    """

    slot: np.ndarray
    door_i: np.ndarray
    door_next: np.ndarray
    door_ticks: np.ndarray
    known: np.ndarray
    first_door: np.ndarray
    first_direct: np.ndarray
    direct_lane: np.ndarray
    direct_next: np.ndarray
    direct_ticks: np.ndarray


class Matrix(NamedTuple):
    """Rows of lanes: ``rows`` one for each node of the piece, ``tally`` sums by service, ``sums`` uint32 one row."""

    rows: np.ndarray
    tally: np.ndarray
    sums: np.ndarray


class Desk(NamedTuple):
    """Working memory of one thread; the caller owns it and makes it larger when a kernel asks."""

    queue: Queue
    piece: Piece
    doors: Doors
    matrix: Matrix


class Found(NamedTuple):
    """What is written, by origin in the order of the seeds.

    ``nodes`` int32, ``street`` int64 (n_origins,) for R; ``ticks``, ``nearest`` int32 (n_services, n_origins) for N;
    ``count`` int32 (n_services, n_thresholds, n_origins) for C; ``reached`` int64 (n_origins,) the number of facilities
    within the cutoff; ``pair_ptr`` int64 (n_origins+1,) and ``pairs`` int64 (ticks << 32 | facility) for M. A product
    not wanted has no columns.
    """

    nodes: np.ndarray
    street: np.ndarray
    ticks: np.ndarray
    nearest: np.ndarray
    count: np.ndarray
    reached: np.ndarray
    pair_ptr: np.ndarray
    pairs: np.ndarray


# ------------------------------------------------------------------------------------------------- the search


@njit(nogil=True, cache=True)
def _offer(queue, queued, base, group, ticks, shift):
    """Offer a node of the core a cost; queue it if that is better. Returns the items queued, or -1: no room.

    A cost c that the node has settled at is kept as -c - 1.
    """
    if queue.place[group] < base:
        queue.place[group] = base + _UNSEEN
    else:
        known = queue.dist[group]
        if ticks >= (known if known >= 0 else -known - 1):
            return queued
    if queued >= queue.item.shape[0]:
        return -1
    queue.dist[group] = ticks
    queue.item[queued] = group
    queue.next[queued] = queue.bucket[ticks >> shift]
    queue.bucket[ticks >> shift] = queued
    return queued + 1


@njit(nogil=True, cache=True)
def discover(pockets, seeds, first, last, cutoff, shift, streets_wanted, queue):
    """Find every group that any origin of a batch reaches, with one search from all of them over the core.

    Buckets are ``2**shift`` ticks wide and a node may leave its bucket again (label-correcting). A pocket is found with
    the first of its sides that leads to a node of it within the cutoff, or, where streets are wanted, some way into it.
    ``place`` holds ``base + row``: the base grows, and nothing is ever cleared.

    Returns
    -------
    reason (``DONE``, ``MORE_ITEMS``), groups, groups of the core, pockets that origins stand in
    """
    n = pockets.core.shape[0]
    place, order = queue.place, queue.order
    base = place[n] + _STRIDE
    place[n] = base
    unseen = base + _UNSEEN
    queue.bucket[:] = -1
    queued = climbed = 0
    for join in range(seeds.ptr[first], seeds.ptr[last]):
        for side in range(2):
            node = seeds.u[join] if side == 0 else seeds.v[join]
            ticks = seeds.to_u[join] if side == 0 else seeds.to_v[join]
            if 0 <= ticks <= cutoff:
                group = pockets.group[node]
                if pockets.core[group]:
                    if node < pockets.dead[group]:
                        queued = _offer(queue, queued, base, group, ticks, shift)
                        if queued < 0:
                            return MORE_ITEMS, 0, 0, 0
                elif node < pockets.dead[group]:
                    if place[group] < base:
                        place[group] = unseen
                        queue.own[climbed] = group
                        climbed += 1
                        queue.inner[pockets.first[group] : pockets.dead[group]] = UNREACHED
                    queue.inner[node] = min(queue.inner[node], ticks)
    for k in range(climbed):
        group = queue.own[k]
        start, rows = pockets.first[group], pockets.dead[group] - pockets.first[group]
        sides = pockets.page[group] + TITLE
        # The arcs of the last node come first in a climb, so the page is read backwards.
        arc = sides + pockets.book[sides - TITLE]
        for t in range(rows):
            queue.row[t] = arc
            arc += 1 + 3 * pockets.book[arc]
        for t in range(rows - 1, -1, -1):
            here = np.int64(queue.inner[start + t])
            arc = queue.row[t]
            for at in range(arc + 1, arc + 1 + 3 * pockets.book[arc], 3):
                ticks = here + pockets.book[at + 2]
                if ticks <= cutoff:
                    slot = pockets.book[at]
                    if slot < rows:
                        queue.inner[start + slot] = min(np.int64(queue.inner[start + slot]), ticks)
                    else:
                        queued = _offer(queue, queued, base, pockets.book[sides + slot - rows], ticks, shift)
                        if queued < 0:
                            return MORE_ITEMS, 0, 0, 0
    core = 0
    for bucket in range(queue.bucket.shape[0]):
        at = queue.bucket[bucket]
        while at >= 0:
            group = queue.item[at]
            queue.bucket[bucket] = queue.next[at]
            here = np.int64(queue.dist[group])
            if here >= 0:
                queue.dist[group] = -here - 1
                if place[group] >= unseen:
                    place[group] = base + 1 + core
                    order[core] = group
                    core += 1
                for arc in range(pockets.link[group], pockets.link[group + 1]):
                    ticks = here + pockets.link_out[arc]
                    if ticks <= cutoff:
                        queued = _offer(queue, queued, base, pockets.link_to[arc], ticks, shift)
                        if queued < 0:
                            return MORE_ITEMS, 0, 0, 0
            at = queue.bucket[bucket]
    order[core : core + climbed] = queue.own[:climbed]
    found = core + climbed
    for k in range(core):
        group = order[k]
        left = cutoff + 1 + queue.dist[group]
        for at in range(pockets.hang[group], pockets.hang[group + 1]):
            pocket = pockets.pocket[at]
            if place[pocket] < base and (streets_wanted or pockets.hang_cost[at] <= left):
                place[pocket] = unseen
                order[found] = pocket
                found += 1
    return DONE, found, core, climbed


@njit(nogil=True, cache=True)
def localise(graph, pockets, groups, core, climbed, streets_wanted, room_rows, queue, piece):
    """Copy the found piece of the network into flat lists; its streets only where they are wanted.

    Costs are cut at the largest number a lane holds.

    Returns
    -------
    reason (``DONE``, ``MORE_ROWS``, ``MORE_ARCS``, ``MORE_STREETS``, ``MORE_PENDANTS``), size
    """
    base = queue.place[pockets.core.shape[0]]
    top = np.uint32(65_535) if piece.arc_in.itemsize == 2 else np.uint32(UNREACHED)  # noqa: PLR2004
    row, climb = core + 1, core + 1
    arcs = streets = pendants = _0
    nothing = Size(0, 0, 0, 0, 0, 0)
    table, book = queue.row, pockets.book
    if row > room_rows:
        return MORE_ROWS, nothing
    for k in range(groups):
        group = queue.order[k]
        at = np.uint64(pockets.page[group])
        n_sides, n_arcs, n_streets, n_pends = book[at], book[at + _1], book[at + _2], book[at + _3]
        at += _4
        rows = pockets.dead[group] - pockets.first[group]
        if k < core:
            rows = 1
            table[0] = 1 + k
            n_arcs = np.uint32(pockets.link[group + 1] - pockets.link[group])
        else:
            if k == core + climbed:
                climb = row
            if row + rows > room_rows:
                return MORE_ROWS, nothing
            queue.place[group] = base + row
            for t in range(rows):
                table[t] = row + t
            row += rows
        for t in range(n_sides):
            side = queue.place[book[at]] - base
            table[rows + t] = side if 0 < side <= core else 0
            at += _1
        if arcs + n_arcs > piece.arc_j.shape[0]:
            return MORE_ARCS, nothing
        if k < core:
            piece.ptr[1 + k] = arcs
            for link in range(np.uint64(pockets.link[group]), np.uint64(pockets.link[group + 1])):
                j = queue.place[np.uint32(pockets.link_to[link])] - base
                if 0 < j <= k:
                    piece.arc_j[arcs] = j
                    piece.arc_in[arcs] = min(np.uint32(pockets.link_back[link]), top)
                    piece.arc_out[arcs] = min(np.uint32(pockets.link_out[link]), top)
                    arcs += _1
        else:
            for t in range(rows):
                piece.ptr[row - rows + t] = arcs
                size = book[at]
                at += _1
                for _ in range(size):
                    piece.arc_j[arcs] = table[book[at]]
                    piece.arc_in[arcs] = min(book[at + _1], top)
                    if k < core + climbed:  # only origins' pockets are climbed
                        piece.arc_out[arcs] = min(book[at + _2], top)
                    arcs += _1
                    at += _3
        if streets_wanted:
            if streets + n_streets > piece.street_i.shape[0]:
                return MORE_STREETS, nothing
            for _ in range(n_streets):
                i, j = table[book[at]], table[book[at + _1]]
                piece.street_i[streets], piece.street_j[streets] = i, j
                piece.street_edge[streets] = book[at + _2]
                piece.street_out[streets] = min(book[at + _3], top)
                streets += np.uint64(j <= i)  # a street of the core is on the pages of both its ends
                at += _4
            if pendants + n_pends > piece.pend_i.shape[0]:
                return MORE_PENDANTS, nothing
            for _ in range(n_pends):
                piece.pend_i[pendants], piece.pend_edge[pendants] = table[book[at]], book[at + _1]
                piece.pend_out[pendants] = min(book[at + _2], top)
                pendants += _1
                at += _3
    if groups == core + climbed:
        climb = row
    piece.ptr[0] = piece.ptr[1] = _0
    piece.ptr[row] = arcs
    return DONE, Size(core + 1, climb, row, groups, np.int64(streets), np.int64(pendants))


@njit(nogil=True, cache=True)
def _row_of(pockets, queue, node):
    """Row of a node, 0 if it has none: not found, or a dead end."""
    group = pockets.group[node]
    row = queue.place[group] - queue.place[pockets.core.shape[0]]
    if row < 0 or row >= _UNSEEN or node >= pockets.dead[group]:
        return np.int64(0)
    return row + node - pockets.first[group]


@njit(nogil=True, cache=True)
def _named(slots, known_facilities, first_door, facility, base, known):
    """Local number of a facility, a new one if it was not seen in this batch; the caller has made room."""
    slot = slots[facility] - base
    if slot < 0 or slot >= known or known_facilities[slot] != facility:
        slot = known
        slots[facility] = base + known
        known_facilities[known] = facility
        first_door[known] = -1
        known += 1
    return slot, known


@njit(nogil=True, cache=True)
def _list_doors(targets, node, row, more, cutoff, base, known, listed, doors):
    """List the entrances reached from one node, ``more`` ticks beyond a row."""
    for k in range(targets.node_ptr[node], targets.node_ptr[node + 1]):
        ticks = more + targets.ticks[k]
        if ticks <= cutoff:
            if listed >= doors.door_i.shape[0]:
                return MORE_DOORS, known, listed
            if known >= doors.known.shape[0]:
                return MORE_FACILITIES, known, listed
            slot, known = _named(doors.slot, doors.known, doors.first_door, targets.facility[k], base, known)
            doors.door_i[listed] = row
            doors.door_ticks[listed] = ticks
            doors.door_next[listed] = doors.first_door[slot]
            doors.first_door[slot] = listed
            listed += 1
    return DONE, known, listed


@njit(nogil=True, cache=True)
def find_doors(graph, pockets, seeds, targets, first, last, groups, cutoff, queue, doors):
    """List the entrances within the piece, linked by facility.

    Returns
    -------
    reason (``DONE``, ``MORE_DOORS``, ``MORE_FACILITIES``), facilities
    """
    base = queue.place[pockets.core.shape[0]]
    known = listed = 0
    for k in range(groups):
        group = queue.order[k]
        start, row = pockets.first[group], queue.place[group] - base
        if targets.node_ptr[start] == targets.node_ptr[pockets.first[group + 1]]:
            continue
        for node in range(start, pockets.dead[group]):
            reason, known, listed = _list_doors(
                targets, node, row + node - start, np.int64(0), cutoff, base, known, listed, doors
            )
            if reason != DONE:
                return reason, 0
        # The page ends with the streets to dead ends.
        end = pockets.page[group + 1]
        for at in range(end - 3 * pockets.book[pockets.page[group] + 3], end, 3):
            slot, edge, ticks = pockets.book[at], pockets.book[at + 1], pockets.book[at + 2]
            reason, known, listed = _list_doors(
                targets, graph.head[edge], row + slot, np.int64(ticks), cutoff, base, known, listed, doors
            )
            if reason != DONE:
                return reason, 0
    for join in range(seeds.ptr[first], seeds.ptr[last]):
        edge = seeds.edge[join]
        if edge >= 0:
            for k in range(targets.edge_ptr[edge], targets.edge_ptr[edge + 1]):
                if known >= doors.known.shape[0]:
                    return MORE_FACILITIES, 0
                _, known = _named(doors.slot, doors.known, doors.first_door, targets.edge_facility[k], base, known)
    return DONE, known


@njit(nogil=True, cache=True)
def _sweep_forth(rows, piece, first, last):
    """Let nodes ``first:last`` take from lower numbers, in rising order; say whether any lane changed."""
    changed = spread(rows, 0)
    for i in range(first, last):
        before = load(rows, i)
        now = before
        for arc in range(piece.ptr[i], piece.ptr[i + 1]):
            now = least(now, plus(load(rows, piece.arc_j[arc]), spread(rows, piece.arc_in[arc])))
        store(rows, i, now)
        changed = either(changed, differ(before, now))
    return some(changed)


@njit(nogil=True, cache=True)
def _give(rows, piece, i, changed):
    """Let the lower numbers next to node i take from it; note the lanes that changed."""
    mine = load(rows, i)
    for arc in range(piece.ptr[i], piece.ptr[i + 1]):
        before = load(rows, piece.arc_j[arc])
        now = least(before, plus(mine, spread(rows, piece.arc_out[arc])))
        store(rows, piece.arc_j[arc], now)
        changed = either(changed, differ(before, now))
    return changed


@njit(nogil=True, cache=True)
def _descend(rows, piece, first, last, beyond):
    """Write rows ``first:last``, which take from lower ones and nowhere else."""
    for i in range(first, last):
        now = beyond
        for arc in range(piece.ptr[i], piece.ptr[i + 1]):
            now = least(now, plus(load(rows, piece.arc_j[arc]), spread(rows, piece.arc_in[arc])))
        store(rows, i, now)


@njit(nogil=True, cache=True)
def _sweep_back(rows, piece, first, last):
    """Let rows ``first:last`` give to lower ones, in falling order; say whether any lane changed."""
    changed = spread(rows, 0)
    for i in range(last - 1, first - 1, -1):
        mine = load(rows, i)
        for arc in range(piece.ptr[i], piece.ptr[i + 1]):
            before = load(rows, piece.arc_j[arc])
            now = least(before, plus(mine, spread(rows, piece.arc_out[arc])))
            store(rows, piece.arc_j[arc], now)
            changed = either(changed, differ(before, now))
    return some(changed)


@njit(nogil=True, cache=True)
def spread_from(pockets, seeds, first, last, size, cutoff, queue, piece, matrix):
    """Fill ``rows`` with the cost of every node of the piece from each origin ``first:last``, one origin a lane.

    A climb out of the origins' pockets, sweeps over the core forth and back until one changes nothing, and a descent into
    all pockets. A sweep leaves nothing to gain in its own direction (a row is final before it is taken from), so when
    the next one the other way finds nothing either, no arc offers any lane less, which is what shortest means.
    O(arcs + sweeps * arcs in the core).
    """
    rows = matrix.rows
    beyond = spread(rows, cutoff + 1)
    lanes = matrix.sums.shape[0]
    for i in range(size.climb):
        store(rows, i, beyond)
    for lane in range(last - first):
        for join in range(seeds.ptr[first + lane], seeds.ptr[first + lane + 1]):
            for side in range(2):
                node = seeds.u[join] if side == 0 else seeds.v[join]
                ticks = seeds.to_u[join] if side == 0 else seeds.to_v[join]
                if 0 <= ticks <= cutoff:
                    row = _row_of(pockets, queue, node)
                    if row > 0:
                        rows[row * lanes + lane] = min(rows[row * lanes + lane], ticks)
    _sweep_back(rows, piece, size.core, size.climb)
    # A side beyond the cutoff of all is row 0, and what it was given is of no use to anybody.
    store(rows, 0, beyond)
    _sweep_forth(rows, piece, 1, size.core)
    while _sweep_back(rows, piece, 1, size.core) and _sweep_forth(rows, piece, 1, size.core):
        pass
    _sweep_forth(rows, piece, size.core, size.climb)
    _descend(rows, piece, size.climb, size.rows, beyond)


@njit(nogil=True, cache=True)
def count_nodes(size, cutoff, piece, matrix, first, last, nodes):
    """R, first half: nodes reached by each origin, dead ends included."""
    rows = matrix.rows
    limit = spread(rows, cutoff)
    total = spread(rows, 0)
    for i in range(1, size.rows):
        total = add(total, within(load(rows, i), limit))
    for k in range(size.pendants):
        total = add(total, within(plus(load(rows, piece.pend_i[k]), spread(rows, piece.pend_out[k])), limit))
    store(matrix.tally, 0, total)
    for lane in range(last - first):
        nodes[first + lane] = matrix.tally[lane]


@njit(nogil=True, cache=True)
def _carry_over(matrix, sums, first, last, street):
    """Add what the lanes hold to sums of 64 bits."""
    store(matrix.tally, 0, sums)
    for lane in range(last - first):
        street[first + lane] += matrix.tally[lane]


@njit(nogil=True, cache=True)
def sum_streets(size, cutoff, piece, matrix, first, last, street):
    """R, second half, for a graph that is the same both ways: street reached, in ticks.

    Of an edge of cost w, min(w, (T - Di)+ + (T - Dj)+) is reached. Sums are as wide as the lanes and carried over into
    64 bits before they can overflow.
    """
    rows = matrix.rows
    limit, nothing = spread(rows, cutoff), spread(rows, 0)
    top = np.int64(65_535) if rows.itemsize == 2 else _LOW  # noqa: PLR2004
    most = np.int64(0)
    sums = nothing
    street[first:last] = 0
    for k in range(np.uint64(size.streets)):
        cost = np.int64(piece.street_out[k])
        most += cost
        if most > top:
            _carry_over(matrix, sums, first, last, street)
            sums, most = nothing, cost
        left = plus(minus(limit, load(rows, piece.street_i[k])), minus(limit, load(rows, piece.street_j[k])))
        sums = add(sums, least(spread(rows, cost), left))
    for k in range(np.uint64(size.pendants)):
        cost = np.int64(piece.pend_out[k])
        most += cost
        if most > top:
            _carry_over(matrix, sums, first, last, street)
            sums, most = nothing, cost
        sums = add(sums, least(spread(rows, cost), minus(limit, load(rows, piece.pend_i[k]))))
    _carry_over(matrix, sums, first, last, street)


@njit(nogil=True, cache=True)
def _reached_cm(length, left_i, out, left_j, back):
    """Centimetres of an edge reached from its two ends, rounded down; ``left`` < 0 is an end not reached."""
    part_i = left_i >= 0 and out < FAR
    part_j = left_j >= 0 and back < FAR
    if (part_i and left_i >= out) or (part_j and left_j >= back):
        return length
    if part_i and part_j:
        return min(length, length * (left_i * back + left_j * out) // (out * back))
    if part_i:
        return length * left_i // out
    if part_j:
        return length * left_j // back
    return np.int64(0)


@njit(nogil=True, cache=True)
def sum_directed_streets(graph, size, cutoff, piece, matrix, first, last, street):
    """R, second half, where the two directions differ: street reached in whole centimetres, rounded down per edge."""
    lanes = matrix.sums.shape[0]
    for lane in range(last - first):
        total = np.int64(0)
        for k in range(size.streets):
            arc = piece.street_edge[k]
            left_i = np.int64(cutoff) - np.int64(matrix.rows[np.int64(piece.street_i[k]) * lanes + lane])
            left_j = np.int64(cutoff) - np.int64(matrix.rows[np.int64(piece.street_j[k]) * lanes + lane])
            if left_i >= 0 or left_j >= 0:
                out, back = np.int64(graph.out[arc]), np.int64(graph.back[arc])
                total += _reached_cm(np.int64(graph.length[arc]), left_i, out, left_j, back)
        for k in range(size.pendants):
            arc = piece.pend_edge[k]
            left_i = np.int64(cutoff) - np.int64(matrix.rows[np.int64(piece.pend_i[k]) * lanes + lane])
            if left_i >= 0:
                # The far end of a dead end is reached from here or not at all, so it adds nothing.
                total += _reached_cm(
                    np.int64(graph.length[arc]), left_i, np.int64(graph.out[arc]), np.int64(-1), np.int64(FAR)
                )
        street[first + lane] = total


@njit(nogil=True, cache=True)
def visit_doors(seeds, targets, base, known, cutoff, doors, matrix, first, last, fill, found):
    """N, C and M: every facility of the batch, at its nearest entrance.

    Without ``fill`` N, C and the number of facilities within the cutoff are written, with it the pairs of M, unsorted.

    Returns
    -------
    reason: ``DONE`` or ``MORE_DOORS`` (room for entrances on an origin's own edge)
    """
    rows = matrix.rows
    lanes = matrix.sums.shape[0]
    count = last - first
    n_services, n_limits = targets.thresholds.shape
    for slot in range(known):
        doors.first_direct[slot] = -1
    direct = 0
    for lane in range(count):
        for join in range(seeds.ptr[first + lane], seeds.ptr[first + lane + 1]):
            edge = seeds.edge[join]
            if edge < 0:
                continue
            for k in range(targets.edge_ptr[edge], targets.edge_ptr[edge + 1]):
                # Along the edge that home and entrance share, where that direction is open.
                if targets.edge_y[k] >= seeds.x[join]:
                    open_way, between = seeds.forth[join] >= 0, targets.edge_forth[k] - seeds.forth[join]
                else:
                    open_way, between = seeds.back[join] >= 0, seeds.back[join] - targets.edge_back[k]
                ticks = np.int64(seeds.leg[join]) + between + targets.edge_leg[k]
                if open_way and ticks <= cutoff:
                    if direct >= doors.direct_lane.shape[0]:
                        return MORE_DOORS
                    slot = doors.slot[targets.edge_facility[k]] - base
                    doors.direct_lane[direct] = lane
                    doors.direct_ticks[direct] = ticks
                    doors.direct_next[direct] = doors.first_direct[slot]
                    doors.first_direct[slot] = direct
                    direct += 1
    tally = matrix.tally
    # Rows of the tally: nearest cost by service, then who it is, then the counts, all facilities, and a spare one.
    who, counts = n_services, 2 * n_services
    everything, spare = counts + n_services * n_limits, counts + n_services * n_limits + 1
    beyond, nothing, limit = spread(rows, cutoff + 1), spread(rows, 0), spread(rows, cutoff)
    for service in range(n_services):
        store(tally, service, beyond)
        store(tally, who + service, nothing)
        for k in range(n_limits):
            store(tally, counts + service * n_limits + k, nothing)
    total = nothing
    for slot in range(known):
        cost = beyond
        door = doors.first_door[slot]
        while door >= 0:
            cost = least(cost, plus(load(rows, doors.door_i[door]), spread(rows, doors.door_ticks[door])))
            door = doors.door_next[door]
        own = doors.first_direct[slot]
        if own >= 0:
            store(tally, spare, cost)
            while own >= 0:
                at = spare * lanes + doors.direct_lane[own]
                tally[at] = min(tally[at], doors.direct_ticks[own])
                own = doors.direct_next[own]
            cost = load(tally, spare)
        facility = doors.known[slot]
        if fill:
            store(tally, spare, cost)
            for lane in range(count):
                ticks = np.int64(tally[spare * lanes + lane])
                if ticks <= cutoff:
                    at = found.pair_ptr[first + lane] + found.reached[first + lane]
                    found.pairs[at] = (ticks << 32) | np.int64(facility)
                    found.reached[first + lane] += 1
            continue
        total = add(total, within(cost, limit))
        name = spread(rows, facility)
        for k in range(targets.service_ptr[facility], targets.service_ptr[facility + 1]):
            service = targets.service[k]
            best = load(tally, service)
            store(tally, who + service, nearer(cost, best, name, load(tally, who + service)))
            store(tally, service, least(best, cost))
            for t in range(n_limits):
                row = counts + service * n_limits + t
                store(tally, row, add(load(tally, row), within(cost, spread(rows, targets.thresholds[service, t]))))
    if fill:
        return DONE
    store(tally, everything, total)
    for lane in range(count):
        origin = first + lane
        found.reached[origin] = tally[everything * lanes + lane]
        for service in range(n_services):
            ticks = tally[service * lanes + lane]
            if ticks <= cutoff:
                found.ticks[service, origin] = ticks
                found.nearest[service, origin] = tally[(who + service) * lanes + lane]
            else:
                found.ticks[service, origin] = UNREACHED
                found.nearest[service, origin] = -1
            for t in range(n_limits):
                found.count[service, t, origin] = tally[(counts + service * n_limits + t) * lanes + lane]
    return DONE


@njit(nogil=True, cache=True)
def _walked(length, left, cost, directed):
    """How much of an edge a walk of ``left`` ticks covers from one of its ends, in cm or in ticks."""
    if left >= cost:
        return length
    return length * left // cost if directed else left


@njit(nogil=True, cache=True)
def _add_span(spans, size, low, high):
    """Put a span into a list sorted by its start."""
    k = size
    while k > 0 and spans[0, k - 1] > low:
        spans[0, k], spans[1, k] = spans[0, k - 1], spans[1, k - 1]
        k -= 1
    spans[0, k], spans[1, k] = low, high
    return size + 1


@njit(nogil=True, cache=True)
def _united(spans, size):
    """Length of the union of sorted spans."""
    total, end = np.int64(0), np.int64(0)
    for k in range(size):
        total += max(np.int64(0), spans[1, k] - max(end, spans[0, k]))
        end = max(end, spans[1, k])
    return total


@njit(nogil=True, cache=True)
def own_streets(pockets, seeds, queue, cutoff, directed, matrix, first, last, nodes, street):
    """Put right the streets that origins stand on: reached from the place itself as well as from the ends.

    On each such edge the parts reached from u, from v and both ways from every join of the origin on it are united;
    what was counted from the ends alone is taken off. In cm each part is rounded down. A dead end at the end of it has
    no row, so whether it is reached from the place itself is said here too.
    """
    lanes = matrix.sums.shape[0]
    most = np.int64(0)
    for origin in range(first, last):
        most = max(most, seeds.ptr[origin + 1] - seeds.ptr[origin])
    spans = np.empty((2, 2 + most), np.int64)
    for origin in range(first, last):
        for join in range(seeds.ptr[origin], seeds.ptr[origin + 1]):
            edge = seeds.edge[join]
            # Each edge once, at the origin's first join on it that lies within the cutoff.
            done = edge < 0 or seeds.leg[join] > cutoff
            for other in range(seeds.ptr[origin], join):
                done = done or (seeds.edge[other] == edge and seeds.leg[other] <= cutoff)
            if done:
                continue
            row_u, row_v = _row_of(pockets, queue, seeds.u[join]), _row_of(pockets, queue, seeds.v[join])
            left_u = np.int64(cutoff) - np.int64(matrix.rows[row_u * lanes + origin - first])
            left_v = np.int64(cutoff) - np.int64(matrix.rows[row_v * lanes + origin - first])
            uv, vu = np.int64(seeds.uv[join]), np.int64(seeds.vu[join])
            if directed:
                length = np.int64(seeds.length[join])
                counted = _reached_cm(length, left_u, uv, left_v, vu)
            else:
                length = uv
                counted = min(length, max(np.int64(0), left_u) + max(np.int64(0), left_v))
            ends = (seeds.u[join], left_v, vu), (seeds.v[join], left_u, uv)
            for k in range(2):
                end, left, cost = ends[k]
                if end >= pockets.dead[pockets.group[end]] and left < cost:
                    for other in range(join, seeds.ptr[origin + 1]):
                        direct = seeds.to_u[other] if k == 0 else seeds.to_v[other]
                        if seeds.edge[other] == edge and 0 <= direct <= cutoff:
                            nodes[origin] += 1
                            break
            size = 0
            if left_u >= 0 and uv < FAR:
                size = _add_span(spans, size, np.int64(0), _walked(length, left_u, uv, directed))
            if left_v >= 0 and vu < FAR:
                size = _add_span(spans, size, length - _walked(length, left_v, vu, directed), length)
            for other in range(join, seeds.ptr[origin + 1]):
                left = np.int64(cutoff) - seeds.leg[other]
                if seeds.edge[other] == edge and left >= 0:
                    at = np.int64(seeds.at[other]) if directed else np.int64(seeds.forth[other])
                    low = high = at
                    if vu < FAR:
                        low = max(np.int64(0), at - _walked(length, left, vu, directed))
                    if uv < FAR:
                        high = min(length, at + _walked(length, left, uv, directed))
                    size = _add_span(spans, size, low, high)
            street[origin] += _united(spans, size) - counted


@njit(nogil=True, cache=True)
def walk(graph, pockets, seeds, targets, cutoff, shift, span, task, desk, found):
    """Walk from origins ``span[0]:span[1]``, batch after batch.

    Parameters
    ----------
    graph, pockets, seeds, targets, desk, found : see above
        Columns ``span[0]:span[1]`` of ``found`` are written, no others: threads share it, each with a desk of its own.
    cutoff : int, ticks, below the largest number a lane holds
    shift : int
        Width of a bucket, as a power of two.
    task : (bool, bool, bool, bool)
        Whether to write R; N and C; the pairs of M (their pointers given); and whether streets are directed, so that
        they are summed in cm with two costs each and not in ticks.

    Returns
    -------
    reason, first origin not done
        ``DONE`` and ``span[1]``, or why it stopped and where to go on from with a larger desk (``WIDER``: with lanes of
        32 bits).
    """
    queue, piece, doors, matrix = desk
    streets_wanted, services_wanted, pairs_wanted, directed = task
    lanes = matrix.sums.shape[0]
    room = matrix.rows.shape[0] // lanes
    known = 0
    for at in range(span[0], span[1], BATCH):
        end = min(at + BATCH, span[1])
        reason, groups, core, climbed = discover(pockets, seeds, at, end, cutoff, shift, streets_wanted, queue)
        if reason != DONE:
            return reason, at
        reason, size = localise(graph, pockets, groups, core, climbed, streets_wanted, room, queue, piece)
        if reason == DONE and lanes * 2 == ROW_BYTES and size.rows + size.pendants > 65_535:  # noqa: PLR2004
            reason = WIDER  # a lane could not count them
        if reason != DONE:
            return reason, at
        if services_wanted or pairs_wanted:
            reason, known = find_doors(graph, pockets, seeds, targets, at, end, groups, cutoff, queue, doors)
            if reason != DONE:
                return reason, at
        base = queue.place[pockets.core.shape[0]]
        for first in range(at, end, lanes):
            last = min(first + lanes, end)
            spread_from(pockets, seeds, first, last, size, cutoff, queue, piece, matrix)
            if streets_wanted:
                count_nodes(size, cutoff, piece, matrix, first, last, found.nodes)
                if directed:
                    sum_directed_streets(graph, size, cutoff, piece, matrix, first, last, found.street)
                else:
                    sum_streets(size, cutoff, piece, matrix, first, last, found.street)
                own_streets(
                    pockets, seeds, queue, cutoff, directed, matrix, first, last, found.nodes, found.street
                )
            if services_wanted or pairs_wanted:
                if pairs_wanted:
                    found.reached[first:last] = 0
                reason = visit_doors(
                    seeds, targets, base, known, cutoff, doors, matrix, first, last, pairs_wanted, found
                )
                if reason != DONE:
                    return reason, at
    return DONE, span[1]


# --------------------------------------------------------------------------------------- one origin, every node


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
def _better(dist, heap, size, node, ticks, cutoff):
    """Offer a node a cost; keep and queue it if it is within the cutoff and better. Returns the heap's size."""
    if ticks > cutoff or dist[node] <= ticks:
        return size
    dist[node] = ticks
    return _push(heap, size, (np.int64(ticks) << 32) | np.int64(node))


@njit(nogil=True, cache=True)
def field(graph, seeds, origin, cutoff, dist, previous):
    """Walk from one origin to every node within the cutoff: Dijkstra's search with a heap and lazy deletion.

    An arc queues at most one key (its tail settles once) and so does a seed: the heap's room is known before.

    Parameters
    ----------
    dist : (n_nodes,) int32, written: ticks, or ``UNREACHED``
    previous : (n_nodes,) int32, written: the node before on a shortest walk (the lowest of several), -1 at a start
    """
    n = dist.shape[0]
    heap = np.empty(graph.head.shape[0] + 2 * (seeds.ptr[origin + 1] - seeds.ptr[origin]) + 1, np.int64)
    dist[:] = UNREACHED
    previous[:] = -1
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
