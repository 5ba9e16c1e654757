"""Numba kernels. Only ``reach/search.py`` calls them, and it alone knows how their arrays are made.

The engine walks from many origins at once. Origins that are neighbours on a Hilbert curve reach nearly the same nodes,
so one search finds the union of what a batch of them reaches (`discover`), that piece of the network is copied into
small flat lists (`localise`), and a matrix ``D[node][lane]`` holds the cost of every node from each origin, one
origin a lane. Sweeping the list of edges forth and back, relaxing all lanes of an edge by a few vector instructions,
until nothing changes, is Bellman and Ford's method in an order that makes it short: exact, whatever the order was.

Costs are whole ticks. Lanes hold them as uint16 up to a cutoff of 65,534 ticks and as uint32 beyond; adds saturate,
so a cost that does not fit is beyond the cutoff and not wrapped. Every buffer's room is checked before it is filled:
a kernel that runs out says which, and is called again with more.
"""

from typing import NamedTuple

import numpy as np
from llvmlite import ir
from numba import njit
from numba.core import cgutils, types
from numba.extending import intrinsic, models, register_model

UNREACHED = np.int32(2_147_483_647)
FAR = np.int32(1 << 30)
"""Cost of a direction nobody may walk."""

ROW_BYTES = 128
"""Lanes of one node: 64 of uint16 or 32 of uint32, two cache lines."""

BATCH = 128
"""Origins that share one search for the union of what they reach."""

# Why a kernel stopped early.
DONE, MORE_ITEMS, MORE_NODES, MORE_PAIRS, MORE_PENDANTS, MORE_DOORS, MORE_FACILITIES, WIDER = range(8)

_UNSEEN = np.int64(1) << 31
_STRIDE = np.int64(1) << 32
_LOW = np.int64(0xFFFFFFFF)


# ---------------------------------------------------------------------------------------------------- vectors


class Lanes(types.Type):
    """A row of lanes held in registers: <64 x i16> or <32 x i32>, unsigned."""

    def __init__(self, bits):
        self.bits, self.count = bits, ROW_BYTES * 8 // bits
        self.vector = ir.VectorType(ir.IntType(bits), self.count)
        super().__init__(name=f"Lanes{self.count}x{bits}")


@register_model(Lanes)
class _LanesModel(models.PrimitiveModel):
    def __init__(self, manager, lanes):
        super().__init__(manager, lanes, lanes.vector)


def _row(context, builder, array_type, array, index, index_type):
    """Address of a row of a flat array of uint16 or uint32."""
    lanes = Lanes(array_type.dtype.bitwidth)
    number = context.cast(builder, index, index_type, types.int64)
    start = cgutils.create_struct_proxy(array_type)(context, builder, array).data
    place = builder.gep(start, [builder.mul(number, ir.Constant(ir.IntType(64), lanes.count))])
    return builder.bitcast(place, lanes.vector.as_pointer())


@intrinsic
def load(typing, array, row):  # noqa: ARG001
    """Row of lanes ``array[row * count : (row + 1) * count]``."""
    lanes = Lanes(array.dtype.bitwidth)

    def generate(context, builder, signature, arguments):
        found = builder.load(_row(context, builder, signature.args[0], *arguments, signature.args[1]))
        found.align = lanes.bits // 8
        return found

    return lanes(array, row), generate


@intrinsic
def store(typing, array, row, value):  # noqa: ARG001
    """Write a row of lanes."""

    def generate(context, builder, signature, arguments):
        place = _row(context, builder, signature.args[0], arguments[0], arguments[1], signature.args[1])
        written = builder.store(arguments[2], place)
        written.align = signature.args[2].bits // 8
        return context.get_dummy_value()

    return types.void(array, row, value), generate


@intrinsic
def spread(typing, like, value):  # noqa: ARG001
    """Put one number into every lane, as wide as the elements of ``like``."""
    lanes = Lanes(like.dtype.bitwidth)

    def generate(context, builder, signature, arguments):
        number = context.cast(builder, arguments[1], signature.args[1], types.int64)
        number = builder.trunc(number, ir.IntType(lanes.bits))
        blank = ir.Constant(lanes.vector, ir.Undefined)
        first = builder.insert_element(blank, number, ir.Constant(ir.IntType(32), 0))
        everywhere = ir.Constant(ir.VectorType(ir.IntType(32), lanes.count), [0] * lanes.count)
        return builder.shuffle_vector(first, blank, everywhere)

    return lanes(like, value), generate


def _lanewise(make):
    """Make an operation of two rows."""

    @intrinsic
    def operation(typing, a, b):  # noqa: ARG001
        def generate(context, builder, signature, arguments):  # noqa: ARG001
            return make(builder, signature.args[0], *arguments)

        return a(a, b), generate

    return operation


def _saturating(name):
    def make(builder, lanes, a, b):
        kind = ir.FunctionType(lanes.vector, [lanes.vector, lanes.vector])
        full = f"llvm.{name}.sat.v{lanes.count}i{lanes.bits}"
        return builder.call(cgutils.get_or_insert_function(builder.module, kind, full), [a, b])

    return make


add = _lanewise(lambda builder, _, a, b: builder.add(a, b))
either = _lanewise(lambda builder, _, a, b: builder.or_(a, b))
differ = _lanewise(lambda builder, _, a, b: builder.xor(a, b))
least = _lanewise(lambda builder, _, a, b: builder.select(builder.icmp_unsigned("<", a, b), a, b))
within = _lanewise(lambda builder, lanes, a, b: builder.zext(builder.icmp_unsigned("<=", a, b), lanes.vector))
plus = _lanewise(_saturating("uadd"))
minus = _lanewise(_saturating("usub"))


@intrinsic
def nearer(typing, a, b, mine, theirs):  # noqa: ARG001
    """Lane by lane: ``mine`` where a < b, ``theirs`` where a > b, the lower of both where they are equal."""

    def generate(context, builder, signature, arguments):  # noqa: ARG001
        a, b, mine, theirs = arguments
        lower = builder.select(builder.icmp_unsigned("<", mine, theirs), mine, theirs)
        tied = builder.select(builder.icmp_unsigned("==", a, b), lower, theirs)
        return builder.select(builder.icmp_unsigned("<", a, b), mine, tied)

    return a(a, a, a, a), generate


@intrinsic
def some(typing, a):  # noqa: ARG001
    """Say whether any lane is not zero."""

    def generate(context, builder, signature, arguments):  # noqa: ARG001
        words = ir.VectorType(ir.IntType(64), ROW_BYTES // 8)
        kind = ir.FunctionType(ir.IntType(64), [words])
        reduce = cgutils.get_or_insert_function(builder.module, kind, f"llvm.vector.reduce.or.v{ROW_BYTES // 8}i64")
        joined = builder.call(reduce, [builder.bitcast(arguments[0], words)])
        return builder.icmp_unsigned("!=", joined, ir.Constant(ir.IntType(64), 0))

    return types.boolean(a), generate


class Sums(types.Type):
    """A row of sums held in registers: as many lanes, 32 bits each."""

    def __init__(self, count):
        self.count, self.vector = count, ir.VectorType(ir.IntType(32), count)
        super().__init__(name=f"Sums{count}")


@register_model(Sums)
class _SumsModel(models.PrimitiveModel):
    def __init__(self, manager, sums):
        super().__init__(manager, sums, sums.vector)


@intrinsic
def no_sums(typing, like):  # noqa: ARG001
    """Begin sums of nothing, one for each lane of rows of ``like``."""
    sums = Sums(Lanes(like.dtype.bitwidth).count)

    def generate(context, builder, signature, arguments):  # noqa: ARG001
        return ir.Constant(sums.vector, [0] * sums.count)

    return sums(like), generate


@intrinsic
def sum_up(typing, sums, a):  # noqa: ARG001
    """Add a row of lanes to the sums."""

    def generate(context, builder, signature, arguments):  # noqa: ARG001
        wide = arguments[1]
        if signature.args[1].bits < 32:  # noqa: PLR2004
            wide = builder.zext(wide, signature.args[0].vector)
        return builder.add(arguments[0], wide)

    return sums(sums, a), generate


@intrinsic
def store_sums(typing, array, sums):  # noqa: ARG001
    """Write the sums to the front of an array of uint32."""

    def generate(context, builder, signature, arguments):
        start = cgutils.create_struct_proxy(signature.args[0])(context, builder, arguments[0]).data
        written = builder.store(arguments[1], builder.bitcast(start, signature.args[1].vector.as_pointer()))
        written.align = 4
        return context.get_dummy_value()

    return types.void(array, sums), generate


# ----------------------------------------------------------------------------------------------------- arrays


class Graph(NamedTuple):
    """Half-edges of one cost by node, the nodes in Hilbert order.

    ``start`` int64 (n+1,) slices the half-edges of each node: those to nodes that lead on, then from ``leaves`` int64
    (n,) those to dead ends. ``head`` int32; ``out`` and ``back`` int32 ticks from the node to the head and from the
    head to the node, `FAR` where closed; ``length`` int32 cm of the street. A loop stands once.
    """

    start: np.ndarray
    leaves: np.ndarray
    head: np.ndarray
    out: np.ndarray
    back: np.ndarray
    length: np.ndarray


class Seeds(NamedTuple):
    """Where origins start.

    ``ptr`` int64 (n_origins+1,) slices the joins of each origin. Per join: ``edge`` int32 (-1: it stands on node u),
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
    """What finds the union of what a batch reaches.

    ``dist`` int32 and ``place`` int64 (n+1,) over the whole network, the last ``place`` being the base of the batch;
    ``bucket`` int32, ``item``, ``next`` int32 the queue; ``order`` int32 the nodes found.
    """

    dist: np.ndarray
    place: np.ndarray
    bucket: np.ndarray
    item: np.ndarray
    next: np.ndarray
    order: np.ndarray


class Piece(NamedTuple):
    """The piece of the network a batch reaches, as flat lists: int32, the costs as wide as the lanes."""

    pair_i: np.ndarray
    pair_j: np.ndarray
    pair_edge: np.ndarray
    pair_in: np.ndarray
    pair_out: np.ndarray
    pend_i: np.ndarray
    pend_edge: np.ndarray
    pend_out: np.ndarray


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
def _enqueue(buckets, items, following, size, node, bucket):
    """Put a node into a bucket; the caller has made room."""
    items[size] = node
    following[size] = buckets[bucket]
    buckets[bucket] = size
    return size + 1


@njit(nogil=True, cache=True)
def discover(graph, seeds, first, last, cutoff, shift, queue):
    """Find every node that any origin of a batch reaches, with one search from all of them.

    Buckets are ``2**shift`` ticks wide and a node may leave its bucket again (label-correcting); dead ends are left
    out, nothing lies behind them. A node's local number is the order of its first settling, so that walks lead mostly
    from lower to higher numbers. ``place`` holds ``base + number``: the base grows, and nothing is ever cleared.

    Returns
    -------
    nodes found (>= 0), or minus the reason it stopped: ``MORE_ITEMS``, ``MORE_NODES``
    """
    n = graph.leaves.shape[0]
    base = queue.place[n] + _STRIDE
    queue.place[n] = base
    n_buckets = (cutoff >> shift) + 1
    for bucket in range(n_buckets):
        queue.bucket[bucket] = -1
    room_items, room_nodes = queue.item.shape[0], queue.order.shape[0]
    queued = found = 0
    for join in range(seeds.ptr[first], seeds.ptr[last]):
        for side in range(2):
            node = seeds.u[join] if side == 0 else seeds.v[join]
            ticks = seeds.to_u[join] if side == 0 else seeds.to_v[join]
            if 0 <= ticks <= cutoff and (queue.place[node] < base or queue.dist[node] > ticks):
                if queued >= room_items:
                    return -MORE_ITEMS
                queue.place[node] = base + _UNSEEN
                queue.dist[node] = ticks
                queued = _enqueue(queue.bucket, queue.item, queue.next, queued, node, ticks >> shift)
    for bucket in range(n_buckets):
        item = queue.bucket[bucket]
        while item >= 0:
            node = queue.item[item]
            queue.bucket[bucket] = queue.next[item]
            here = queue.dist[node]
            if here >= 0:  # not settled at this cost yet; a settled cost c is kept as -c - 1
                queue.dist[node] = -here - 1
                if queue.place[node] >= base + _UNSEEN:
                    if found >= room_nodes:
                        return -MORE_NODES
                    queue.place[node] = base + found
                    queue.order[found] = node
                    found += 1
                for arc in range(graph.start[node], graph.leaves[node]):
                    ticks = here + graph.out[arc]
                    if ticks <= cutoff:
                        head = graph.head[arc]
                        if queue.place[head] < base:
                            queue.place[head] = base + _UNSEEN
                        else:
                            known = queue.dist[head]
                            if ticks >= (known if known >= 0 else -known - 1):
                                continue
                        if queued >= room_items:
                            return -MORE_ITEMS
                        queue.dist[head] = ticks
                        queued = _enqueue(queue.bucket, queue.item, queue.next, queued, head, ticks >> shift)
            item = queue.bucket[bucket]
    return found


@njit(nogil=True, cache=True)
def localise(graph, n_nodes, top, queue, piece):
    """Copy the found piece of the network into flat lists.

    Pairs are edges between two found nodes, i > j, sorted by i, with ``pair_in`` the cost from j to i and ``pair_out``
    that from i to j. Pendants hang on one found node: dead ends, and edges that leave the piece. A loop is a pair of a
    node with itself. Costs are cut at ``top``, the largest number a lane holds.

    Returns
    -------
    reason (``DONE``, ``MORE_PAIRS``, ``MORE_PENDANTS``), pairs, pendants
    """
    base = queue.place[graph.leaves.shape[0]]
    pairs = pendants = 0
    room_pairs, room_pendants = piece.pair_i.shape[0], piece.pend_i.shape[0]
    for i in range(n_nodes):
        node = queue.order[i]
        for arc in range(graph.start[node], graph.start[node + 1]):
            j = queue.place[graph.head[arc]] - base
            if 0 <= j < n_nodes:
                if j <= i:
                    if pairs >= room_pairs:
                        return MORE_PAIRS, 0, 0
                    piece.pair_i[pairs] = i
                    piece.pair_j[pairs] = j
                    piece.pair_edge[pairs] = arc
                    piece.pair_in[pairs] = min(np.int64(graph.back[arc]), top)
                    piece.pair_out[pairs] = min(np.int64(graph.out[arc]), top)
                    pairs += 1
            else:
                if pendants >= room_pendants:
                    return MORE_PENDANTS, 0, 0
                piece.pend_i[pendants] = i
                piece.pend_edge[pendants] = arc
                piece.pend_out[pendants] = min(np.int64(graph.out[arc]), top)
                pendants += 1
    return DONE, pairs, pendants


@njit(nogil=True, cache=True)
def _slot(slots, known_facilities, first_door, facility, base, known):
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
def find_doors(graph, seeds, targets, first, last, n_nodes, cutoff, queue, doors):
    """List the entrances within the piece, linked by facility.

    Returns
    -------
    reason (``DONE``, ``MORE_DOORS``, ``MORE_FACILITIES``), facilities
    """
    base = queue.place[graph.leaves.shape[0]]
    known = listed = 0
    room_doors, room_known = doors.door_i.shape[0], doors.known.shape[0]
    for i in range(n_nodes):
        node = queue.order[i]
        # Entrances at the node itself, then those at its dead ends, one more step away.
        for hop in range(-1, graph.start[node + 1] - graph.leaves[node]):
            at, more = node, np.int64(0)
            if hop >= 0:
                arc = graph.leaves[node] + hop
                at, more = graph.head[arc], np.int64(graph.out[arc])
            for k in range(targets.node_ptr[at], targets.node_ptr[at + 1]):
                ticks = more + targets.ticks[k]
                if ticks <= cutoff:
                    if listed >= room_doors:
                        return MORE_DOORS, 0
                    if known >= room_known:
                        return MORE_FACILITIES, 0
                    slot, known = _slot(doors.slot, doors.known, doors.first_door, targets.facility[k], base, known)
                    doors.door_i[listed] = i
                    doors.door_ticks[listed] = ticks
                    doors.door_next[listed] = doors.first_door[slot]
                    doors.first_door[slot] = listed
                    listed += 1
    for join in range(seeds.ptr[first], seeds.ptr[last]):
        edge = seeds.edge[join]
        if edge >= 0:
            for k in range(targets.edge_ptr[edge], targets.edge_ptr[edge + 1]):
                if known >= room_known:
                    return MORE_FACILITIES, 0
                _, known = _slot(doors.slot, doors.known, doors.first_door, targets.edge_facility[k], base, known)
    return DONE, known


@njit(nogil=True, cache=True)
def _sweep_forth(rows, piece, pairs):
    """Let i take from j over every pair, in rising order of i; say whether any lane changed."""
    changed = spread(rows, 0)
    for k in range(pairs):
        i = piece.pair_i[k]
        before = load(rows, i)
        now = least(before, plus(load(rows, piece.pair_j[k]), spread(rows, piece.pair_in[k])))
        store(rows, i, now)
        changed = either(changed, differ(before, now))
    return some(changed)


@njit(nogil=True, cache=True)
def _sweep_back(rows, piece, pairs):
    """Let j take from i over every pair, in falling order of i; say whether any lane changed."""
    changed = spread(rows, 0)
    for k in range(pairs - 1, -1, -1):
        j = piece.pair_j[k]
        before = load(rows, j)
        now = least(before, plus(load(rows, piece.pair_i[k]), spread(rows, piece.pair_out[k])))
        store(rows, j, now)
        changed = either(changed, differ(before, now))
    return some(changed)


@njit(nogil=True, cache=True)
def spread_from(seeds, first, last, n_nodes, pairs, cutoff, place, piece, matrix):
    """Fill ``rows`` with the cost of every node of the piece from each origin ``first:last``, one origin a lane.

    Sweeps forth over the pairs and back until a sweep changes nothing. A sweep leaves nothing to gain in its own
    direction (a row is final before it is taken from), so when the next one the other way finds nothing either, no edge
    offers any lane less, which is what shortest means. O(sweeps * pairs); about fifteen sweeps on street networks.
    """
    rows = matrix.rows
    beyond = spread(rows, cutoff + 1)
    count = last - first
    lanes = matrix.sums.shape[0]
    base = place[place.shape[0] - 1]
    for i in range(n_nodes):
        store(rows, i, beyond)
    for lane in range(count):
        for join in range(seeds.ptr[first + lane], seeds.ptr[first + lane + 1]):
            for side in range(2):
                node = seeds.u[join] if side == 0 else seeds.v[join]
                ticks = seeds.to_u[join] if side == 0 else seeds.to_v[join]
                if 0 <= ticks <= cutoff:
                    at = (place[node] - base) * lanes + lane
                    rows[at] = min(rows[at], ticks)
    _sweep_forth(rows, piece, pairs)
    while _sweep_back(rows, piece, pairs) and _sweep_forth(rows, piece, pairs):
        pass


@njit(nogil=True, cache=True)
def count_nodes(n_nodes, pendants, cutoff, piece, matrix, first, last, nodes):
    """R, first half: nodes reached by each origin, dead ends included."""
    rows = matrix.rows
    limit = spread(rows, cutoff)
    total = spread(rows, 0)
    for i in range(n_nodes):
        total = add(total, within(load(rows, i), limit))
    for k in range(pendants):
        total = add(total, within(plus(load(rows, piece.pend_i[k]), spread(rows, piece.pend_out[k])), limit))
    store(matrix.tally, 0, total)
    for lane in range(last - first):
        nodes[first + lane] = matrix.tally[lane]


@njit(nogil=True, cache=True)
def _carry_over(sums, carried, first, last, street):
    store_sums(carried, sums)
    for lane in range(last - first):
        street[first + lane] += carried[lane]


@njit(nogil=True, cache=True)
def sum_streets(pairs, pendants, cutoff, piece, matrix, first, last, street):
    """R, second half, for a graph that is the same both ways: street reached, in ticks.

    Of an edge of cost w, min(w, (T - Di)+ + (T - Dj)+) is reached. Sums are 32 bits wide and carried over into 64
    before they can overflow.
    """
    rows = matrix.rows
    limit = spread(rows, cutoff)
    sums = no_sums(rows)
    most = np.int64(0)
    street[first:last] = 0
    for k in range(pairs):
        cost = np.int64(piece.pair_out[k])
        if most + cost > _LOW:
            _carry_over(sums, matrix.sums, first, last, street)
            sums, most = no_sums(rows), np.int64(0)
        most += cost
        left = plus(minus(limit, load(rows, piece.pair_i[k])), minus(limit, load(rows, piece.pair_j[k])))
        sums = sum_up(sums, least(spread(rows, cost), left))
    for k in range(pendants):
        cost = np.int64(piece.pend_out[k])
        if most + cost > _LOW:
            _carry_over(sums, matrix.sums, first, last, street)
            sums, most = no_sums(rows), np.int64(0)
        most += cost
        sums = sum_up(sums, least(spread(rows, cost), minus(limit, load(rows, piece.pend_i[k]))))
    _carry_over(sums, matrix.sums, first, last, street)


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
def sum_directed_streets(graph, pairs, pendants, cutoff, piece, matrix, first, last, street):
    """R, second half, where the two directions differ: street reached in whole centimetres, rounded down per edge."""
    lanes = matrix.sums.shape[0]
    for lane in range(last - first):
        total = np.int64(0)
        for k in range(pairs):
            arc = piece.pair_edge[k]
            left_i = np.int64(cutoff) - np.int64(matrix.rows[np.int64(piece.pair_i[k]) * lanes + lane])
            left_j = np.int64(cutoff) - np.int64(matrix.rows[np.int64(piece.pair_j[k]) * lanes + lane])
            if left_i >= 0 or left_j >= 0:
                out, back = np.int64(graph.out[arc]), np.int64(graph.back[arc])
                total += _reached_cm(np.int64(graph.length[arc]), left_i, out, left_j, back)
        for k in range(pendants):
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
def own_streets(seeds, place, n_nodes, cutoff, directed, matrix, first, last, street):
    """Put right the streets that origins stand on: reached from the place itself as well as from the ends.

    On each such edge the parts reached from u, from v and both ways from every join of the origin on it are united;
    what was counted from the ends alone is taken off. In cm each part is rounded down.
    """
    lanes = matrix.sums.shape[0]
    base = place[place.shape[0] - 1]
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
            left_u = left_v = np.int64(-1)
            at = place[seeds.u[join]] - base
            if 0 <= at < n_nodes:
                left_u = np.int64(cutoff) - np.int64(matrix.rows[at * lanes + origin - first])
            at = place[seeds.v[join]] - base
            if 0 <= at < n_nodes:
                left_v = np.int64(cutoff) - np.int64(matrix.rows[at * lanes + origin - first])
            uv, vu = np.int64(seeds.uv[join]), np.int64(seeds.vu[join])
            if directed:
                length = np.int64(seeds.length[join])
                counted = _reached_cm(length, left_u, uv, left_v, vu)
            else:
                length = uv
                counted = min(length, max(np.int64(0), left_u) + max(np.int64(0), left_v))
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
def _cut_out(graph, seeds, first, last, cutoff, shift, queue, piece, matrix):
    """Find and localise the piece of the network a batch reaches.

    Returns
    -------
    reason, nodes, pairs, pendants
    """
    narrow = matrix.sums.shape[0] * 2 == ROW_BYTES
    top = np.int64(65_535) if narrow else np.int64(2_147_483_647)
    n_nodes = discover(graph, seeds, first, last, cutoff, shift, queue)
    if n_nodes < 0:
        return -n_nodes, 0, 0, 0
    if n_nodes * matrix.sums.shape[0] > matrix.rows.shape[0]:
        return MORE_NODES, 0, 0, 0
    reason, pairs, pendants = localise(graph, n_nodes, top, queue, piece)
    if reason == DONE and narrow and n_nodes + pendants > top:
        reason = WIDER  # a lane could not count them
    return reason, n_nodes, pairs, pendants


@njit(nogil=True, cache=True)
def walk_streets(graph, seeds, cutoff, shift, span, directed, desk, found):
    """R: walk from origins ``span[0]:span[1]``, batch after batch.

    Parameters
    ----------
    graph, seeds, desk, found : see above
        Columns ``span[0]:span[1]`` of ``found`` are written, no others: threads share it, each with a desk of its own.
    cutoff : int, ticks, below the largest number a lane holds
    shift : int
        Width of a bucket, as a power of two.
    directed : bool
        Streets are summed in cm with two costs each, not in ticks.

    Returns
    -------
    reason, first origin not done
        ``DONE`` and ``span[1]``, or why it stopped and where to go on from with a larger desk (``WIDER``: with lanes of
        32 bits).
    """
    queue, piece, _, matrix = desk
    lanes = matrix.sums.shape[0]
    for at in range(span[0], span[1], BATCH):
        end = min(at + BATCH, span[1])
        reason, n_nodes, pairs, pendants = _cut_out(graph, seeds, at, end, cutoff, shift, queue, piece, matrix)
        if reason != DONE:
            return reason, at
        for first in range(at, end, lanes):
            last = min(first + lanes, end)
            spread_from(seeds, first, last, n_nodes, pairs, cutoff, queue.place, piece, matrix)
            count_nodes(n_nodes, pendants, cutoff, piece, matrix, first, last, found.nodes)
            if directed:
                sum_directed_streets(graph, pairs, pendants, cutoff, piece, matrix, first, last, found.street)
            else:
                sum_streets(pairs, pendants, cutoff, piece, matrix, first, last, found.street)
            own_streets(seeds, queue.place, n_nodes, cutoff, directed, matrix, first, last, found.street)
    return DONE, span[1]


@njit(nogil=True, cache=True)
def walk_services(graph, seeds, targets, cutoff, shift, span, fill, desk, found):
    """N and C (``fill`` false), or the pairs of M (true, their pointers given): as `walk_streets`."""
    queue, piece, doors, matrix = desk
    base_at = graph.leaves.shape[0]
    lanes = matrix.sums.shape[0]
    for at in range(span[0], span[1], BATCH):
        end = min(at + BATCH, span[1])
        reason, n_nodes, pairs, _ = _cut_out(graph, seeds, at, end, cutoff, shift, queue, piece, matrix)
        if reason != DONE:
            return reason, at
        reason, known = find_doors(graph, seeds, targets, at, end, n_nodes, cutoff, queue, doors)
        if reason != DONE:
            return reason, at
        for first in range(at, end, lanes):
            last = min(first + lanes, end)
            spread_from(seeds, first, last, n_nodes, pairs, cutoff, queue.place, piece, matrix)
            if fill:
                found.reached[first:last] = 0
            base = queue.place[base_at]
            reason = visit_doors(seeds, targets, base, known, cutoff, doors, matrix, first, last, fill, found)
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
def _offer(dist, heap, size, node, ticks, cutoff):
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
    n = graph.leaves.shape[0]
    heap = np.empty(graph.head.shape[0] + 2 * (seeds.ptr[origin + 1] - seeds.ptr[origin]) + 1, np.int64)
    dist[:] = UNREACHED
    previous[:] = -1
    size = 0
    for join in range(seeds.ptr[origin], seeds.ptr[origin + 1]):
        if seeds.to_u[join] >= 0:
            size = _offer(dist, heap, size, seeds.u[join], seeds.to_u[join], cutoff)
        if seeds.to_v[join] >= 0:
            size = _offer(dist, heap, size, seeds.v[join], seeds.to_v[join], cutoff)
    while size > 0:
        key = heap[0]
        size = _pop(heap, size)
        node = np.int64(key & _LOW)
        here = np.int64(key >> 32)
        if here > dist[node]:
            continue
        for arc in range(graph.start[node], graph.start[node + 1]):
            size = _offer(dist, heap, size, graph.head[arc], here + graph.out[arc], cutoff)
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
