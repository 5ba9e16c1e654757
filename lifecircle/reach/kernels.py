"""Numba kernels. Only ``reach/ground.py`` and ``reach/search.py`` call them, and know how their arrays are made.

The engine walks from many origins at once, over a contracted network: a core, and pockets that hang on it
("contraction", below). Origins that are neighbours on a Hilbert curve reach nearly the same nodes, so one search over
the core alone finds all that a batch of them reaches (`discover`), and that piece is copied into small flat lists
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
from llvmlite import ir
from numba import njit
from numba.core import cgutils, types
from numba.extending import intrinsic, models, register_model

# No kernel makes or keeps an array: without reference counts, and without wrappers for what Python never calls, they
# compile in half the time.
kernel = njit(nogil=True, cache=True, error_model="numpy", _nrt=False, no_cfunc_wrapper=True)
part = njit(
    nogil=True, cache=True, error_model="numpy", _nrt=False, no_cfunc_wrapper=True, no_cpython_wrapper=True
)  # fmt: skip

_ZERO, _ONE = np.int64(0), np.int64(1)
"""Counts begin with these: a part called with a plain 0 here and an int64 there compiles once for each."""

FAR = np.int32(1 << 30)
"""Cost of a direction nobody may walk."""

MOST = 5
"""Most neighbours of a node that is taken out."""

LARGEST = 32
"""Most nodes of a pocket: it is walked whole or not at all."""

_HEAD, _OUT, _BACK, _NEXT = range(4)

UNREACHED = np.int32(2_147_483_647)

BATCH = 192
"""Origins that share one search for the union of what they reach."""

# Why a kernel stopped early.
DONE, MORE_ITEMS, MORE_ROWS, MORE_ARCS, MORE_STREETS, MORE_PENDANTS, MORE_DOORS, MORE_FACILITIES, WIDER = range(9)

_UNSEEN = np.int64(1) << 31
_STRIDE = np.int64(1) << 32
_LOW = np.int64(0xFFFFFFFF)
_AHEAD = 8  # what is written to places far apart is asked for so many steps before
# Unsigned places in a list need no test for counting from its end.
_0, _1, _2, _3, _4 = (np.uint64(k) for k in range(5))


# -------------------------------------------------------------------------------------------------------------- vectors
# Rows of lanes in vector registers: what numba's own loops do not compile to, said to LLVM in its own words.
#
# A row is 128 bytes: 64 lanes of uint16, 32 of uint32. Adds and subtractions that could leave a lane's range saturate.

ROW_BYTES = 128
"""Lanes of one node: 64 of uint16 or 32 of uint32, two cache lines."""


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
def pick(typing, a, limit, value):  # noqa: ARG001
    """Lane by lane: ``value`` where a <= limit, 0 elsewhere."""

    def generate(context, builder, signature, arguments):  # noqa: ARG001
        a, limit, value = arguments
        nothing = ir.Constant(signature.args[0].vector, [0] * signature.args[0].count)
        return builder.select(builder.icmp_unsigned("<=", a, limit), value, nothing)

    return a(a, a, a), generate


@intrinsic
def fetch(typing, array, place):  # noqa: ARG001
    """Ask for the cache line of an element that will be written soon, so that nobody waits for it then."""

    def generate(context, builder, signature, arguments):
        start = cgutils.create_struct_proxy(signature.args[0])(context, builder, arguments[0]).data
        number = context.cast(builder, arguments[1], signature.args[1], types.int64)
        kind = ir.FunctionType(ir.VoidType(), [cgutils.voidptr_t, *[ir.IntType(32)] * 3])
        ask = builder.module.declare_intrinsic("llvm.prefetch", [cgutils.voidptr_t], kind)
        to_write, keep, data = (ir.Constant(ir.IntType(32), k) for k in (1, 3, 1))
        builder.call(ask, [builder.bitcast(builder.gep(start, [number]), cgutils.voidptr_t), to_write, keep, data])
        return context.get_dummy_value()

    return types.void(array, place), generate


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


# ---------------------------------------------------------------------------------------------------------- contraction
# Contraction: most nodes of a network are put away in pockets, so that a search has only the core to cross.
#
# A node is taken out by joining every two of its neighbours with the cost of the walk through it (or cheapening the arc
# that joins them already), so the costs between the nodes that are left never change. Taking out a node of three
# neighbours adds no more arcs than it removes; beyond `MOST` it does not pay. What is left is the core. Nodes taken out
# that hang together are a pocket, and the neighbours its last node had are the only ways into it: its sides, `MOST` at
# most, all in the core. Within a pocket, nodes are numbered by rounds, the last one first, and no node is taken out in
# the same round as its neighbour, so arcs of the contraction lead from a node to lower numbers or to a side. A shortest
# walk climbs to lower numbers, crosses the core, and descends to higher ones (contraction hierarchies: Geisberger et
# al. 2008; without witnesses, Dibbelt et al. 2014; rows of costs swept down, Delling et al. 2011).
#
# Dead ends are set apart before: nothing lies behind them. One contraction serves every cutoff, all facilities and all
# origins of a network under one cost.


class Graph(NamedTuple):
    """Half-edges by node.

    ``start`` int64 (n+1,) slices the half-edges of each node. ``head`` int32; ``out`` and ``back`` int32 ticks from the
    node to the head and from the head to the node, `FAR` where closed; ``length`` int32 cm of the street, in a directed
    network. A loop stands once.
    """

    start: np.ndarray
    head: np.ndarray
    out: np.ndarray
    back: np.ndarray
    length: np.ndarray


class Pockets(NamedTuple):
    """A contracted network: its nodes in groups, each a pocket or one node of the core, numbered one after another.

    ``group`` int32 (n,) names the group of each node; ``first`` int64 (groups+1,) slices the nodes of a group, the dead
    ends on them last, from ``dead`` int64 (groups,); ``core`` bool (groups,).

    Of a group of the core: ``link`` int64 (groups+1,) slices its arcs ``link_to`` int32 (a group of the core) with
    ``link_out``, ``link_back`` int32 ticks; ``hang`` slices ``pocket`` int32, the pockets on it, and
    ``hang_cost`` int32, the least cost into each.

    ``page`` int64 (groups+1,) slices ``book`` uint32, which tells the rest of a group in one place, since a search
    turns to many groups for little each. A page holds how many sides, arcs, streets and pendants there are (`TITLE`
    numbers); then the sides, groups of the core (a pocket's, or the ends of the streets of a node of the core); of each
    node of a pocket how many arcs, and the arcs: slot, ticks from there, ticks to there; streets: slot i, slot j, the
    half-edge from i to j and its ticks; the streets to dead ends: slot, half-edge, ticks. Slots count the nodes of the
    group, then its sides.
    """

    group: np.ndarray
    first: np.ndarray
    dead: np.ndarray
    core: np.ndarray
    link: np.ndarray
    link_to: np.ndarray
    link_out: np.ndarray
    link_back: np.ndarray
    hang: np.ndarray
    pocket: np.ndarray
    hang_cost: np.ndarray
    page: np.ndarray
    book: np.ndarray


TITLE = 4


class Twice(NamedTuple):
    """What stands several times and counts once: streets, after them nodes, by one number; empty where nothing does.

    ``touch`` int64 (groups+1,) slices ``what`` int32: those that can be reached from the nodes of each group. ``ends``
    int64 (2 * streets + nodes + 1,) slices ``node`` int32: of each street the u of its copies, where one may walk on
    from there, then the v; then the copies of each node. None of them is a dead end. ``streets``: how many of them are
    streets; the half-edges past those of all nodes tell their costs and lengths, one each.
    """

    touch: np.ndarray
    what: np.ndarray
    ends: np.ndarray
    node: np.ndarray
    streets: int


@kernel
def half_edges(u, v, uv, vu, length, start, head, out, back, cm):
    """Write the half-edges of each node, in the order of the edges; those closed both ways are left out.

    ``start`` (n+2,) int64, zeros, is written, its last number being of no use, and the rest up to ``start[n]``.
    """
    n = start.shape[0] - 2
    for e in range(u.shape[0]):
        if uv[e] < FAR or vu[e] < FAR:
            start[u[e] + 2] += 1
            if u[e] != v[e]:
                start[v[e] + 2] += 1
    for node in range(n):
        start[node + 2] += start[node + 1]
    # start[node + 1] is where the next half-edge of the node goes, and so in the end where the next node begins.
    for e in range(u.shape[0]):
        if uv[e] < FAR or vu[e] < FAR:
            at = start[u[e] + 1]
            start[u[e] + 1] += 1
            head[at], out[at], back[at], cm[at] = v[e], uv[e], vu[e], length[e]
            if u[e] != v[e]:
                at = start[v[e] + 1]
                start[v[e] + 1] += 1
                head[at], out[at], back[at], cm[at] = u[e], vu[e], uv[e], length[e]


@kernel
def dead_ends(start, head, dead):
    """Mark the nodes with one street, which leads to a node with more; a loop is two."""
    for node in range(dead.shape[0]):
        dead[node] = False
        if start[node + 1] - start[node] == 1:
            end = head[start[node]]
            dead[node] = end != node and start[end + 1] - start[end] > 1


@part
def _arc_to(half, at, head):
    """Find the half-edge to a node in a list, or -1."""
    while at >= 0 and half[at, _HEAD] != head:
        at = half[at, _NEXT]
    return at


@part
def _join(half, first, degree, size, u, v, out, back):
    """Cheapen the arc of two nodes, or add one; returns the half-edges there are. The caller has made room."""
    known = _arc_to(half, first[u], v)
    if known >= 0:
        twin = known ^ 1
        half[known, _OUT] = half[twin, _BACK] = min(half[known, _OUT], out)
        half[known, _BACK] = half[twin, _OUT] = min(half[known, _BACK], back)
        return size
    for k in range(2):
        tail, at = (u, size) if k == 0 else (v, size + 1)
        half[at, _HEAD] = v if k == 0 else u
        half[at, _OUT] = out if k == 0 else back
        half[at, _BACK] = back if k == 0 else out
        half[at, _NEXT] = first[tail]
        first[tail] = at
        degree[tail] += 1
    return size + 2


@part
def _unlink(half, first, degree, node, at):
    """Take a half-edge out of a node's list."""
    if first[node] == at:
        first[node] = half[at, _NEXT]
    else:
        before = first[node]
        while half[before, _NEXT] != at:
            before = half[before, _NEXT]
        half[before, _NEXT] = half[at, _NEXT]
    degree[node] -= 1


@kernel
def contract(graph, dead, most, largest, half, hook, first, level, notes):
    """Take nodes out, round after round, degree by degree.

    Parameters
    ----------
    graph : Graph
    dead : (n,) bool
    most, largest : int
        Neighbours of a node that is taken out, nodes of a pocket: any number is right, `MOST` and `LARGEST` are fast.
    half : (room, 4) int32, written
        Half-edges as linked lists: head, cost there, cost back, the next one of the same node. A node's list stays as
        it was when the node was taken out.
    hook : (room, 2) int32, written
        Pockets on a node as linked lists: the last node of the pocket, the next one.
    first : (n,) int32, written
        Where the list of each node begins.
    level : (n,) int32, written
        The round a node was taken out in, from 1; 0: never; -1: a dead end.
    notes : (5, n + most) int32, zeros, written

    Returns
    -------
    rounds, or -1: no room
    """
    n = first.shape[0]
    start_of, heads, outs, backs = graph.start, graph.head, graph.out, graph.back
    degree, busy, size_of, hung, arm = notes[0], notes[1], notes[2], notes[3], notes[4]
    size = hooks = left = rounds = _ZERO
    for node in range(n):
        first[node] = hung[node] = -1
        level[node] = -1 if dead[node] else 0
        left += not dead[node]
    for node in range(n):
        for at in range(start_of[node], start_of[node + 1]):
            head = heads[at]
            if head < node and not dead[head] and not dead[node]:  # each street once, without loops
                if size + 2 > half.shape[0]:
                    return -1
                out, back = np.int64(outs[at]), np.int64(backs[at])
                size = _join(half, first, degree, size, node, np.int64(head), out, back)
    for few in range(most + 1):
        taken = n
        while taken * 100 > left:
            rounds += 1
            taken = 0
            for node in range(n):
                if level[node] != 0 or degree[node] > few or busy[node] == rounds:
                    continue
                # What hangs here and is not part of a larger pocket yet becomes one pocket with this node.
                total = 1
                at = hung[node]
                while at >= 0:
                    total += size_of[hook[at, 0]]
                    at = hook[at, 1]
                if total > largest:
                    degree[node] += most + 1  # never again
                    continue
                at = hung[node]
                while at >= 0:
                    size_of[hook[at, 0]] = 0
                    at = hook[at, 1]
                size_of[node] = total
                level[node] = rounds
                taken += 1
                arms = 0
                at = first[node]
                while at >= 0:
                    head = half[at, _HEAD]
                    arm[arms] = at
                    arms += 1
                    busy[head] = rounds
                    _unlink(half, first, degree, head, at ^ 1)
                    if hooks >= hook.shape[0]:
                        return -1
                    hook[hooks, 0], hook[hooks, 1] = node, hung[head]
                    hung[head] = hooks
                    hooks += 1
                    at = half[at, _NEXT]
                if size + arms * (arms - 1) > half.shape[0]:
                    return -1
                for i in range(arms):
                    for j in range(i):
                        a, b = arm[i], arm[j]
                        there = min(np.int64(half[a, _BACK]) + half[b, _OUT], np.int64(FAR))
                        again = min(np.int64(half[b, _BACK]) + half[a, _OUT], np.int64(FAR))
                        u, v = np.int64(half[a, _HEAD]), np.int64(half[b, _HEAD])
                        size = _join(half, first, degree, size, u, v, there, again)
            left -= taken
    return rounds


@kernel
def number(graph, half, list_of, level, rounds, group, order, notes, first, dead, core):
    """Put nodes into groups and groups one after another, along the order the nodes were given in.

    Parameters
    ----------
    list_of : (n,) int32
        As `contract` left them, as is ``level``.
    group : (n,) int32, written
    order : (n,) int32, written
        The nodes by their new number: group by group, the last round first, dead ends at the end.

    notes : (4, n + rounds + 4) int32, zeros, written
    first, dead, core : as `Pockets` has them, written, with room for n groups

    Returns
    -------
    number of groups
    """
    n = group.shape[0]
    begin, by_level, count, name = notes[0], notes[1], notes[2], notes[3]
    # Nodes by level: the core, then the last round, ..., the first; dead ends.
    for node in range(n):
        begin[(level[node] and rounds + 1 - level[node]) + 1] += 1
    for k in range(rounds + 2):
        begin[k + 1] += begin[k]
    for node in range(n):
        k = level[node] and rounds + 1 - level[node]
        by_level[begin[k]] = node
        begin[k] += 1
    # A pocket is named by its last node; all arcs of a node that leave the core lead into the same pocket.
    for k in range(n):
        node = by_level[k]
        group[node] = node
        at = list_of[node]
        while level[node] > 0 and at >= 0:
            if level[half[at, _HEAD]] > 0:
                group[node] = group[half[at, _HEAD]]
                break
            at = half[at, _NEXT]
        if level[node] < 0:
            group[node] = group[graph.head[graph.start[node]]]
        count[group[node]] += 1
    groups = 0
    first[0] = 0
    for node in range(n):
        if group[node] == node:
            name[node] = groups
            core[groups] = level[node] == 0
            first[groups + 1] = first[groups] + count[node]
            dead[groups] = first[groups]
            groups += 1
    for k in range(n):
        node = by_level[k]
        g = name[group[node]]
        count[group[node]] -= 1
        # Dead ends come last, so what is left of the count is where a node stands from the end.
        order[first[g + 1] - 1 - count[group[node]]] = node
        dead[g] += level[node] >= 0
    for node in range(n):
        group[node] = name[group[node]]
    return groups


@part
def _slot(group_of, first, dead, page, book, group, node, sides):
    """Slot of a node: its place in the group, or after them, among the sides so far; one more where it is new."""
    other, size = group_of[node], dead[group] - first[group]
    if other == group:
        return node - first[group], sides
    start = page[group] + TITLE
    for k in range(sides):
        if book[start + k] == other:
            return size + k, sides
    book[start + sides] = other
    return size + sides, sides + 1


@kernel
def gather(half, list_of, order, rank, start, head, out, back):
    """Copy the half-edges of all nodes, in the new order, out of their linked lists: half of what is there is no use.

    Parameters
    ----------
    half, list_of : as `contract` left them, in the old numbers
    order, rank : (n,) int32
        Old number by new one, and new one by old.
    start : (n+1,) int64, written
    head, out, back : (len(half),) int32, written, the first ``start[n]`` of them; the last two may be one

    Returns
    -------
    half-edges
    """
    size = 0
    for node in range(order.shape[0]):
        start[node] = size
        at = list_of[order[node]]
        while at >= 0:
            head[size], out[size], back[size] = rank[half[at, _HEAD]], half[at, _OUT], half[at, _BACK]
            size += 1
            at = half[at, _NEXT]
    start[order.shape[0]] = size
    return size


@kernel
def write(graph, contracted, twice, pockets):
    """Write the pages of all groups, then what hangs on the core.

    Parameters
    ----------
    graph, contracted : Graph
        The network, and the half-edges each node had when it was taken out, or at the end; in the new numbers.
    twice : (half-edges,) int32, or empty where nothing stands twice
        Not 0 where a street stands twice; the pages leave those out.
    pockets : Pockets
        ``group``, ``first``, ``dead`` and ``core`` given, the rest written; the lists have room for the most there can
        be; ``hang`` for two groups more.

    Returns
    -------
    links, hangs, length of the book : how much of the lists is used
    """
    group_of, begin, dead_from, core = pockets.group, pockets.first, pockets.dead, pockets.core
    link, link_to, link_out, link_back = pockets.link, pockets.link_to, pockets.link_out, pockets.link_back
    hang, hung, hang_cost = pockets.hang, pockets.pocket, pockets.hang_cost
    page, book, start_of, heads, outs = pockets.page, pockets.book, graph.start, graph.head, graph.out
    arc_start, arc_head, arc_out, arc_back = contracted.start, contracted.head, contracted.out, contracted.back
    n_groups = core.shape[0]
    links = end = 0
    for g in range(n_groups):
        first, dead, in_core = begin[g], dead_from[g], core[g]
        link[g], page[g] = links, end
        # All sides first: they stand before what refers to them.
        sides = _ZERO
        for node in range(first, dead):
            for at in range(arc_start[node], arc_start[node + 1]):
                head = arc_head[at]
                if in_core:
                    link_to[links] = group_of[head]
                    link_out[links], link_back[links] = arc_out[at], arc_back[at]
                    links += 1
                else:
                    _, sides = _slot(group_of, begin, dead_from, page, book, g, head, sides)
            if in_core:
                for edge in range(start_of[node], start_of[node + 1]):
                    head = heads[edge]
                    if twice.shape[0] > 0 and twice[edge] != 0:
                        continue
                    if core[group_of[head]] and head < dead_from[group_of[head]]:
                        _, sides = _slot(group_of, begin, dead_from, page, book, g, head, sides)
        title = end
        end += TITLE + sides
        arcs = 0
        for node in range(first, dead):
            if not in_core:
                counted = end
                end += 1
                for at in range(arc_start[node], arc_start[node + 1]):
                    book[end], _ = _slot(group_of, begin, dead_from, page, book, g, arc_head[at], sides)
                    book[end + 1], book[end + 2] = arc_back[at], arc_out[at]
                    end += 3
                book[counted] = (end - counted) // 3
                arcs += book[counted]
        start = end
        for node in range(first, dead):
            for edge in range(start_of[node], start_of[node + 1]):
                head = heads[edge]
                other = group_of[head]
                if twice.shape[0] > 0 and twice[edge] != 0:
                    continue
                # Within the group each street once; between a pocket and the core, on the pocket's page.
                if head < dead_from[other] and (head <= node if other == g else core[other]):
                    book[end], book[end + 2], book[end + 3] = node - first, edge, outs[edge]
                    book[end + 1], _ = _slot(group_of, begin, dead_from, page, book, g, head, sides)
                    end += 4
        streets = (end - start) // 4
        start = end
        for node in range(first, dead):
            for edge in range(start_of[node], start_of[node + 1]):
                if heads[edge] >= dead_from[group_of[heads[edge]]]:
                    book[end], book[end + 1], book[end + 2] = node - first, edge, outs[edge]
                    end += 3
        book[title], book[title + 1], book[title + 2], book[title + 3] = sides, arcs, streets, (end - start) // 3
    link[n_groups], page[n_groups] = links, end
    # What hangs on each node of the core, and the least cost from it into each pocket.
    for g in range(n_groups + 2):
        hang[g] = 0
    for g in range(n_groups):
        if not core[g]:
            for k in range(book[page[g]]):
                hang[book[page[g] + TITLE + k] + 2] += 1
    for g in range(n_groups):
        hang[g + 2] += hang[g + 1]
    for g in range(n_groups):
        if not core[g]:
            at, size = page[g], dead_from[g] - begin[g]
            for k in range(book[at]):
                place = book[at + TITLE + k] + 1
                hung[hang[place]], hang_cost[hang[place]] = g, FAR
                hang[place] += 1
            arc = at + TITLE + book[at]
            for _ in range(size):
                for _ in range(book[arc]):
                    slot = book[arc + 1]
                    if slot >= size:
                        to = hang[book[at + TITLE + slot - size] + 1] - 1
                        hang_cost[to] = min(hang_cost[to], np.int32(book[arc + 2]))
                    arc += 3
                arc += 1
    return links, hang[n_groups], end


# ----------------------------------------------------------------------------------------------------- arrays


class Seeds(NamedTuple):
    """Where origins start.

    ``ptr`` int64 (n_origins+1,) slices the joins of each origin. Per join: ``edge`` int32 (-1: it stands on node u,
    which must not be a dead end: that has no row, and the origin would reach nothing),
    its ends ``u``, ``v`` int32, ``to_u``, ``to_v`` int32 ticks with the leg (-1 closed), ``leg``, ``forth``, ``back``
    int32 ticks (F and B of the offset, -1 closed), the offset ``x`` float64 m; of the edge ``uv``, ``vu`` int32 ticks
    (`FAR` closed), ``length`` and the offset ``at`` int32 cm; ``twice`` int32 its number in `Twice`, -1 for most.
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
    twice: np.ndarray


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
    ``twice`` int32 lists what was found of `Twice`, ``twice_row`` int64 is its first row above the base, as ``place``.
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
    twice: np.ndarray
    twice_row: np.ndarray


class Piece(NamedTuple):
    """The piece of the network a batch reaches, as flat lists: uint32, the costs as wide as the lanes.

    ``ptr`` slices the arcs of each row i to lower rows j: ``arc_j``, the costs ``arc_in`` from j to i and ``arc_out``
    from i to j. Streets between rows i >= j and pendants, which lead to dead ends, are those of the network.
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
    stand in, up to ``rows`` the other pockets; two more for each street that stands twice. ``groups`` of the order,
    ``streets``, ``pendants``, and how many stand ``twice``.
    """

    core: int
    climb: int
    rows: int
    groups: int
    streets: int
    pendants: int
    twice: int


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
    """Rows of lanes: ``rows`` one for each node of the piece, ``tally`` sums by service; and ``spans`` int64 (2, k).

    ``spans`` holds the parts of one street that one origin reaches: two more than an origin has joins at most.
    """

    rows: np.ndarray
    tally: np.ndarray
    spans: np.ndarray


class Desk(NamedTuple):
    """Working memory of one thread; the caller owns it and makes it larger when a kernel asks."""

    queue: Queue
    piece: Piece
    doors: Doors
    matrix: Matrix


class Streets(NamedTuple):
    """R, by origin in the order of the seeds: ``nodes``, ``street`` int64 (n_origins,); ``twice``: what counts once."""

    nodes: np.ndarray
    street: np.ndarray
    twice: Twice


class Found(NamedTuple):
    """N, C and M.

    N and C stand where the caller wants them, all of one origin side by side: the k-th of the seeds at ``place[k]``,
    int64 (n_origins,). ``ticks`` float64, inf beyond the cutoff, and ``nearest`` int32, -1 for none, are
    (n_origins, n_services) for N; ``count`` int32 (n_origins, n_services * n_thresholds) for C. In the order of the
    seeds ``reached`` int64 (n_origins,) is the number of facilities within the cutoff; ``pair_ptr`` int64
    (n_origins+1,) and ``pairs`` int64 (ticks << 32 | facility) are for M, nothing while they are not wanted.
    """

    place: np.ndarray
    ticks: np.ndarray
    nearest: np.ndarray
    count: np.ndarray
    reached: np.ndarray
    pair_ptr: np.ndarray
    pairs: np.ndarray


# ------------------------------------------------------------------------------------------------- the search


@part
def _offer(place, dist, bucket, item, following, queued, base, group, ticks, shift):
    """Offer a node of the core a cost; queue it if that is better. Returns the items queued, or -1: no room.

    A cost c that the node has settled at is kept as -c - 1.
    """
    if place[group] < base:
        place[group] = base + _UNSEEN
    else:
        known = dist[group]
        if ticks >= (known if known >= 0 else -known - 1):
            return queued
    if queued >= item.shape[0]:
        return -1
    at = ticks >> shift
    dist[group] = ticks
    item[queued] = group
    following[queued] = bucket[at]
    bucket[at] = queued
    return queued + 1


@part
def discover(pockets, seeds, first, last, cutoff, shift, streets_wanted, queue):
    """Find every group that any origin of a batch reaches, with one search from all of them over the core.

    Buckets are ``2**shift`` ticks wide and a node may leave its bucket again (label-correcting). A pocket is found with
    the first of its sides that leads to a node of it within the cutoff, or, where streets are wanted, some way into it.
    ``place`` holds ``base + row``: the base grows, and nothing is ever cleared.

    Returns
    -------
    reason (``DONE``, ``MORE_ITEMS``), groups, groups of the core, pockets that origins stand in
    """
    # Fields are taken out of their tuples once: each mention of one compiles to a copy of its array's header.
    group_of, begin, dead_from, in_core, page, book = (
        pockets.group, pockets.first, pockets.dead, pockets.core, pockets.page, pockets.book
    )  # fmt: skip
    link, link_to, link_out = pockets.link, pockets.link_to, pockets.link_out
    hang, hung, hang_cost = pockets.hang, pockets.pocket, pockets.hang_cost
    ptr, ends_u, ends_v, to_u, to_v = seeds.ptr, seeds.u, seeds.v, seeds.to_u, seeds.to_v
    place, dist, inner, own, order, arcs_of = queue.place, queue.dist, queue.inner, queue.own, queue.order, queue.row
    bucket, item, following = queue.bucket, queue.item, queue.next
    n = in_core.shape[0]
    base = place[n] + _STRIDE
    place[n] = base
    unseen = base + _UNSEEN
    for k in range(bucket.shape[0]):
        bucket[k] = -1
    queued = climbed = _ZERO
    for side in range(2 * ptr[first], 2 * ptr[last]):
        join = side >> 1
        node = ends_v[join] if side & 1 else ends_u[join]
        group, ticks = np.int64(group_of[node]), np.int64(to_v[join] if side & 1 else to_u[join])
        if ticks < 0 or ticks > cutoff or node >= dead_from[group]:
            continue
        if in_core[group]:
            queued = _offer(place, dist, bucket, item, following, queued, base, group, ticks, shift)
            if queued < 0:
                return MORE_ITEMS, 0, 0, 0
        else:
            if place[group] < base:
                place[group] = unseen
                own[climbed] = group
                climbed += 1
                for k in range(begin[group], dead_from[group]):
                    inner[k] = UNREACHED
            inner[node] = min(np.int64(inner[node]), ticks)
    for k in range(climbed):
        group = own[k]
        start, rows, sides = begin[group], dead_from[group] - begin[group], page[group] + TITLE
        # The arcs of the last node come first in a climb, so the page is read backwards.
        at = sides + book[sides - TITLE]
        for t in range(rows):
            arcs_of[t] = at
            at += 1 + 3 * book[at]
        for t in range(rows - 1, -1, -1):
            here = np.int64(inner[start + t])
            at = np.int64(arcs_of[t])
            for arc in range(at + 1, at + 1 + 3 * book[at], 3):
                slot, ticks = book[arc], here + book[arc + 2]
                if ticks > cutoff:
                    continue
                if slot < rows:
                    inner[start + slot] = min(np.int64(inner[start + slot]), ticks)
                else:
                    on = np.int64(book[sides + slot - rows])
                    queued = _offer(place, dist, bucket, item, following, queued, base, on, ticks, shift)
                    if queued < 0:
                        return MORE_ITEMS, 0, 0, 0
    core = 0
    for k in range(bucket.shape[0]):
        at = bucket[k]
        while at >= 0:
            group = item[at]
            bucket[k] = following[at]
            here = np.int64(dist[group])
            if here >= 0:
                dist[group] = -here - 1
                if place[group] >= unseen:
                    place[group] = base + 1 + core
                    order[core] = group
                    core += 1
                for arc in range(link[group], link[group + 1]):
                    ticks = here + link_out[arc]
                    if ticks <= cutoff:
                        to = np.int64(link_to[arc])
                        queued = _offer(place, dist, bucket, item, following, queued, base, to, ticks, shift)
                        if queued < 0:
                            return MORE_ITEMS, 0, 0, 0
            at = bucket[k]
    found = core
    for k in range(climbed):
        order[found] = own[k]
        found += 1
    for k in range(core):
        group = order[k]
        left = cutoff + 1 + dist[group]
        for at in range(hang[group], hang[group + 1]):
            pocket = hung[at]
            if place[pocket] < base and (streets_wanted or hang_cost[at] <= left):
                place[pocket] = unseen
                order[found] = pocket
                found += 1
    return DONE, found, core, climbed


@part
def localise(pockets, groups, core, climbed, streets_wanted, room_rows, queue, piece):
    """Copy the found piece of the network into flat lists; its streets only where they are wanted.

    Costs are cut at the largest number a lane holds.

    Returns
    -------
    reason (``DONE``, ``MORE_ROWS``, ``MORE_ARCS``, ``MORE_STREETS``, ``MORE_PENDANTS``), size
    """
    begin, dead_from, page, book = pockets.first, pockets.dead, pockets.page, pockets.book
    link, link_to, link_out, link_back = pockets.link, pockets.link_to, pockets.link_out, pockets.link_back
    place, order, table = queue.place, queue.order, queue.row
    ptr, arc_j, arc_in, arc_out = piece.ptr, piece.arc_j, piece.arc_in, piece.arc_out
    street_i, street_j, street_edge, street_out = piece.street_i, piece.street_j, piece.street_edge, piece.street_out
    pend_i, pend_edge, pend_out = piece.pend_i, piece.pend_edge, piece.pend_out
    base = place[place.shape[0] - 1]
    top = np.uint32(65_535) if arc_in.itemsize == 2 else np.uint32(UNREACHED)  # noqa: PLR2004
    row, climb = core + 1, core + 1
    arcs = streets = pendants = _0
    nothing = Size(0, 0, 0, 0, 0, 0, 0)
    if row > room_rows:
        return MORE_ROWS, nothing
    for k in range(groups):
        group = order[k]
        at = np.uint64(page[group])
        n_sides, n_arcs, n_streets, n_pends = book[at], book[at + _1], book[at + _2], book[at + _3]
        at += _4
        rows = dead_from[group] - begin[group]
        if k < core:
            rows = 1
            table[0] = 1 + k
            n_arcs = np.uint32(link[group + 1] - link[group])
        else:
            if k == core + climbed:
                climb = row
            if row + rows > room_rows:
                return MORE_ROWS, nothing
            place[group] = base + row
            for t in range(rows):
                table[t] = row + t
            row += rows
        for t in range(n_sides):
            side = place[book[at]] - base
            table[rows + t] = side if 0 < side <= core else 0
            at += _1
        if arcs + n_arcs > arc_j.shape[0]:
            return MORE_ARCS, nothing
        if k < core:
            ptr[1 + k] = arcs
            for arc in range(np.uint64(link[group]), np.uint64(link[group + 1])):
                j = place[np.uint32(link_to[arc])] - base
                if 0 < j <= k:
                    arc_j[arcs] = j
                    arc_in[arcs] = min(np.uint32(link_back[arc]), top)
                    arc_out[arcs] = min(np.uint32(link_out[arc]), top)
                    arcs += _1
        else:
            for t in range(rows):
                ptr[row - rows + t] = arcs
                size = book[at]
                at += _1
                for _ in range(size):
                    arc_j[arcs] = table[book[at]]
                    arc_in[arcs] = min(book[at + _1], top)
                    if k < core + climbed:  # only origins' pockets are climbed
                        arc_out[arcs] = min(book[at + _2], top)
                    arcs += _1
                    at += _3
        if streets_wanted:
            if streets + n_streets > street_i.shape[0]:
                return MORE_STREETS, nothing
            for _ in range(n_streets):
                i, j = table[book[at]], table[book[at + _1]]
                street_i[streets], street_j[streets], street_edge[streets] = i, j, book[at + _2]
                street_out[streets] = min(book[at + _3], top)
                streets += np.uint64(j <= i)  # a street of the core is on the pages of both its ends
                at += _4
            if pendants + n_pends > pend_i.shape[0]:
                return MORE_PENDANTS, nothing
            for _ in range(n_pends):
                pend_i[pendants], pend_edge[pendants] = table[book[at]], book[at + _1]
                pend_out[pendants] = min(book[at + _2], top)
                pendants += _1
                at += _3
    if groups == core + climbed:
        climb = row
    ptr[0] = ptr[1] = _0
    ptr[row] = arcs
    return DONE, Size(core + 1, climb, row, groups, np.int64(streets), np.int64(pendants), 0)


@part
def add_twice(graph, twice, size, room_rows, queue, piece):
    """List what stands twice within the piece, each once; a street as one between two rows of its own.

    Returns
    -------
    reason (``DONE``, ``MORE_ROWS``, ``MORE_STREETS``), size
    """
    place, order, listed, row_of = queue.place, queue.order, queue.twice, queue.twice_row
    touch, what, out = twice.touch, twice.what, graph.out
    base = place[place.shape[0] - 1]
    row, streets, found = size.rows, size.streets, 0
    top = np.uint32(65_535) if piece.street_out.itemsize == 2 else np.uint32(UNREACHED)  # noqa: PLR2004
    for k in range(size.groups if listed.shape[0] > 0 else 0):
        for at in range(touch[order[k]], touch[order[k] + 1]):
            one = what[at]
            if row_of[one] >= base:
                continue
            row_of[one] = base + row
            listed[found] = one
            found += 1
            if one < twice.streets:
                if row + 2 > room_rows:
                    return MORE_ROWS, size
                if streets >= piece.street_i.shape[0]:
                    return MORE_STREETS, size
                half = graph.start[graph.start.shape[0] - 1] + one
                piece.street_i[streets], piece.street_j[streets], piece.street_edge[streets] = row, row + 1, half
                piece.street_out[streets] = min(np.uint32(out[half]), top)
                streets += 1
                row += 2
    return DONE, Size(size.core, size.climb, size.rows, size.groups, streets, size.pendants, found)


@part
def _row_of(group_of, begin, dead_from, place, node):
    """Row of a node, 0 if it has none: not found, or a dead end."""
    group = group_of[node]
    row = place[group] - place[place.shape[0] - 1]
    if row < 0 or row >= _UNSEEN or node >= dead_from[group]:
        return np.int64(0)
    return row + node - begin[group]


@part
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


@part
def find_doors(graph, pockets, seeds, targets, first, last, groups, cutoff, queue, doors):
    """List the entrances within the piece, linked by facility.

    Returns
    -------
    reason (``DONE``, ``MORE_DOORS``, ``MORE_FACILITIES``), facilities
    """
    begin, dead_from, page, book, head = pockets.first, pockets.dead, pockets.page, pockets.book, graph.head
    node_ptr, facility, ticks_of = targets.node_ptr, targets.facility, targets.ticks
    edge_ptr, edge_facility = targets.edge_ptr, targets.edge_facility
    slots, names, first_door = doors.slot, doors.known, doors.first_door
    door_i, door_next, door_ticks = doors.door_i, doors.door_next, doors.door_ticks
    place, order = queue.place, queue.order
    base = place[place.shape[0] - 1]
    known = listed = _ZERO
    for k in range(groups):
        group = order[k]
        start, row = begin[group], place[group] - base
        if node_ptr[start] == node_ptr[begin[group + 1]]:
            continue
        rows, pendants = dead_from[group] - start, np.int64(book[page[group] + 3])
        for t in range(rows + pendants):
            node, on, more = start + t, row + t, np.int64(0)
            if t >= rows:  # a dead end, one more step away; the page ends with them
                at = page[group + 1] - 3 * (rows + pendants - t)
                node, on, more = np.int64(head[book[at + 1]]), row + book[at], np.int64(book[at + 2])
            for door in range(node_ptr[node], node_ptr[node + 1]):
                ticks = more + ticks_of[door]
                if ticks <= cutoff:
                    if listed >= door_i.shape[0]:
                        return MORE_DOORS, 0
                    if known >= names.shape[0]:
                        return MORE_FACILITIES, 0
                    slot, known = _named(slots, names, first_door, facility[door], base, known)
                    door_i[listed] = on
                    door_ticks[listed] = ticks
                    door_next[listed] = first_door[slot]
                    first_door[slot] = listed
                    listed += 1
    for join in range(seeds.ptr[first], seeds.ptr[last]):
        edge = seeds.edge[join]
        if edge >= 0:
            for k in range(edge_ptr[edge], edge_ptr[edge + 1]):
                if known >= names.shape[0]:
                    return MORE_FACILITIES, 0
                _, known = _named(slots, names, first_door, edge_facility[k], base, known)
    return DONE, known


@part
def _sweep_forth(rows, ptr, arc_j, arc_in, first, last):
    """Let rows ``first:last`` take from lower ones, in rising order; say whether any lane changed."""
    changed = spread(rows, 0)
    for i in range(first, last):
        before = load(rows, i)
        now = before
        for arc in range(ptr[i], ptr[i + 1]):
            now = least(now, plus(load(rows, arc_j[arc]), spread(rows, arc_in[arc])))
        store(rows, i, now)
        changed = either(changed, differ(before, now))
    return some(changed)


@part
def _sweep_back(rows, ptr, arc_j, arc_out, first, last):
    """Let rows ``first:last`` give to lower ones, in falling order; say whether any lane changed."""
    changed = spread(rows, 0)
    for i in range(last - 1, first - 1, -1):
        mine = load(rows, i)
        for arc in range(ptr[i], ptr[i + 1]):
            before = load(rows, arc_j[arc])
            now = least(before, plus(mine, spread(rows, arc_out[arc])))
            store(rows, arc_j[arc], now)
            changed = either(changed, differ(before, now))
    return some(changed)


@part
def spread_from(pockets, seeds, first, last, size, cutoff, queue, piece, matrix):
    """Fill ``rows`` with the cost of every node of the piece from each origin ``first:last``, one origin a lane.

    A climb out of the origins' pockets, sweeps over the core forth and back until one changes nothing, and a descent
    into all pockets. A sweep leaves nothing to gain in its own direction (a row is final before it is taken from), so
    when the next one the other way finds nothing either, no arc offers any lane less, which is what shortest means.
    O(arcs + sweeps * arcs in the core).
    """
    rows, place = matrix.rows, queue.place
    group_of, begin, dead_from = pockets.group, pockets.first, pockets.dead
    seed_ptr, ends_u, ends_v, to_u, to_v = seeds.ptr, seeds.u, seeds.v, seeds.to_u, seeds.to_v
    ptr, arc_j, arc_in, arc_out = piece.ptr, piece.arc_j, piece.arc_in, piece.arc_out
    beyond = spread(rows, cutoff + 1)
    lanes = ROW_BYTES // matrix.rows.itemsize
    for i in range(size.rows):
        store(rows, i, beyond)
    for lane in range(last - first):
        for side in range(2 * seed_ptr[first + lane], 2 * seed_ptr[first + lane + 1]):
            join = side >> 1
            node, ticks = (ends_v[join], to_v[join]) if side & 1 else (ends_u[join], to_u[join])
            if 0 <= ticks <= cutoff:
                row = _row_of(group_of, begin, dead_from, place, node)
                if row > 0:
                    rows[row * lanes + lane] = min(rows[row * lanes + lane], ticks)
    _sweep_back(rows, ptr, arc_j, arc_out, size.core, size.climb)
    # A side beyond the cutoff of all is row 0, and what it was given is of no use to anybody.
    store(rows, 0, beyond)
    forth = True
    while _sweep_forth(rows, ptr, arc_j, arc_in, _ONE, size.core) or forth:
        forth = False
        if not _sweep_back(rows, ptr, arc_j, arc_out, _ONE, size.core):
            break
    _sweep_forth(rows, ptr, arc_j, arc_in, size.core, size.rows)


@part
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


@part
def level_twice(pockets, twice, size, cutoff, queue, matrix, first, last, nodes):
    """Fill the rows of streets that stand twice with the least of their copies' ends; take off nodes counted again."""
    group_of, begin, dead_from, place = pockets.group, pockets.first, pockets.dead, queue.place
    rows, ends, node, listed = matrix.rows, twice.ends, twice.node, queue.twice
    base = place[place.shape[0] - 1]
    beyond, limit, again = spread(rows, cutoff + 1), spread(rows, cutoff), spread(rows, 0)
    for k in range(size.twice):
        one = np.int64(listed[k])
        street = one < twice.streets
        for end in range(2 if street else 1):
            which = 2 * one + end if street else one + twice.streets
            soonest, counted = beyond, spread(rows, 0)
            for at in range(ends[which], ends[which + 1]):
                mine = load(rows, _row_of(group_of, begin, dead_from, place, node[at]))
                soonest, counted = least(soonest, mine), add(counted, within(mine, limit))
            if street:
                store(rows, queue.twice_row[one] - base + end, soonest)
            else:
                again = add(again, minus(counted, within(soonest, limit)))
    if size.twice > 0:
        store(matrix.tally, 0, again)
        for lane in range(last - first):
            nodes[first + lane] -= matrix.tally[lane]


@part
def _carry_over(tally, sums, first, last, street):
    """Add what the lanes hold to sums of 64 bits."""
    store(tally, 0, sums)
    for lane in range(last - first):
        street[first + lane] += tally[lane]


@part
def sum_streets(size, cutoff, piece, matrix, first, last, street):
    """R, second half, for a graph that is the same both ways: street reached, in ticks.

    Of an edge of cost w, min(w, (T - Di)+ + (T - Dj)+) is reached. Sums are as wide as the lanes and carried over into
    64 bits before they can overflow.
    """
    rows, street_i, street_j, street_out = matrix.rows, piece.street_i, piece.street_j, piece.street_out
    pend_i, pend_out = piece.pend_i, piece.pend_out
    limit, nothing = spread(rows, cutoff), spread(rows, 0)
    top = np.int64(65_535) if rows.itemsize == 2 else _LOW  # noqa: PLR2004
    most = np.int64(0)
    sums = nothing
    for origin in range(first, last):
        street[origin] = 0
    for k in range(np.uint64(size.streets)):
        cost = np.int64(street_out[k])
        most += cost
        if most > top:
            _carry_over(matrix.tally, sums, first, last, street)
            sums, most = nothing, cost
        left = plus(minus(limit, load(rows, street_i[k])), minus(limit, load(rows, street_j[k])))
        sums = add(sums, least(spread(rows, cost), left))
    for k in range(np.uint64(size.pendants)):
        cost = np.int64(pend_out[k])
        most += cost
        if most > top:
            _carry_over(matrix.tally, sums, first, last, street)
            sums, most = nothing, cost
        sums = add(sums, least(spread(rows, cost), minus(limit, load(rows, pend_i[k]))))
    _carry_over(matrix.tally, sums, first, last, street)


@part
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


@part
def _add_partly(rows, i, j, length, out, back, cutoff, partly, first, last, street):
    """Add what is reached of a street in the lanes that reach it partly, each by itself."""
    lanes = ROW_BYTES // rows.itemsize
    for lane in range(last - first):
        if partly[lanes + lane]:
            left_i = np.int64(cutoff) - np.int64(rows[i * lanes + lane])
            left_j = np.int64(cutoff) - np.int64(rows[j * lanes + lane])
            street[first + lane] += _reached_cm(length, left_i, out, left_j, back)


@part
def sum_directed_streets(graph, size, cutoff, piece, matrix, first, last, street):
    """R, second half, where the two directions differ: street reached in whole centimetres, rounded down per edge.

    Most streets are reached from end to end or not at all, and lanes add their lengths; carried over as `sum_streets`
    does. The others are reckoned one by one.
    """
    rows, tally, outs, backs, cm = matrix.rows, matrix.tally, graph.out, graph.back, graph.length
    street_i, street_j, street_edge = piece.street_i, piece.street_j, piece.street_edge
    pend_i, pend_edge = piece.pend_i, piece.pend_edge
    limit, nothing = spread(rows, cutoff), spread(rows, 0)
    top = np.int64(65_535) if rows.itemsize == 2 else _LOW  # noqa: PLR2004
    most = np.int64(0)
    sums = nothing
    for origin in range(first, last):
        street[origin] = 0
    for k in range(np.uint64(size.streets + size.pendants)):
        pendant = k >= np.uint64(size.streets)
        at = k - np.uint64(size.streets) if pendant else k
        edge = pend_edge[at] if pendant else street_edge[at]
        # The far end of a dead end is reached from here or not at all: row 0, which nobody reaches.
        i, j = (np.int64(pend_i[at]), np.int64(0)) if pendant else (np.int64(street_i[at]), np.int64(street_j[at]))
        out, back, length = np.int64(outs[edge]), np.int64(backs[edge]), np.int64(cm[edge])
        mine, theirs = load(rows, i), load(rows, j)
        end_to_end = least(plus(mine, spread(rows, min(out, top))), plus(theirs, spread(rows, min(back, top))))
        partly = within(least(mine, theirs), limit)
        if length <= top:
            most += length
            if most > top:
                _carry_over(tally, sums, first, last, street)
                sums, most = nothing, length
            sums = add(sums, pick(end_to_end, limit, spread(rows, length)))
            partly = differ(partly, within(end_to_end, limit))
        if some(partly):
            store(tally, 1, partly)
            _add_partly(rows, i, j, length, out, back, cutoff, tally, first, last, street)
    _carry_over(tally, sums, first, last, street)


@part
def _fetch_row(array, row):
    """Ask for a row that will be written soon."""
    width = np.int64(array.shape[1])
    for k in range(row * width, row * width + width, 64 // array.itemsize):
        fetch(array, k)


@part
def visit_doors(seeds, targets, base, known, cutoff, doors, matrix, first, last, fill, found):
    """N, C and M: every facility of the batch, at its nearest entrance.

    Without ``fill`` N, C and the number of facilities within the cutoff are written, with it the pairs of M, unsorted.

    Returns
    -------
    reason: ``DONE`` or ``MORE_DOORS`` (room for entrances on an origin's own edge)
    """
    rows, tally = matrix.rows, matrix.tally
    thresholds, service_ptr, service_of = targets.thresholds, targets.service_ptr, targets.service
    first_door, door_i, door_next, door_ticks = doors.first_door, doors.door_i, doors.door_next, doors.door_ticks
    first_direct, direct_lane, direct_next = doors.first_direct, doors.direct_lane, doors.direct_next
    direct_ticks, names = doors.direct_ticks, doors.known
    reached, ticks_of, nearest, counted = found.reached, found.ticks, found.nearest, found.count
    lanes = ROW_BYTES // matrix.rows.itemsize
    count = last - first
    n_services, n_limits = thresholds.shape
    for slot in range(known):
        first_direct[slot] = -1
    direct = 0
    seed_ptr, seed_edge, edge_ptr = seeds.ptr, seeds.edge, targets.edge_ptr
    for lane in range(count):
        for join in range(seed_ptr[first + lane], seed_ptr[first + lane + 1]):
            edge = seed_edge[join]
            if edge < 0:
                continue
            for k in range(edge_ptr[edge], edge_ptr[edge + 1]):
                # Along the edge that home and entrance share, where that direction is open.
                if targets.edge_y[k] >= seeds.x[join]:
                    open_way, between = seeds.forth[join] >= 0, targets.edge_forth[k] - seeds.forth[join]
                else:
                    open_way, between = seeds.back[join] >= 0, seeds.back[join] - targets.edge_back[k]
                ticks = np.int64(seeds.leg[join]) + between + targets.edge_leg[k]
                if open_way and ticks <= cutoff:
                    if direct >= direct_lane.shape[0]:
                        return MORE_DOORS
                    slot = doors.slot[targets.edge_facility[k]] - base
                    direct_lane[direct] = lane
                    direct_ticks[direct] = ticks
                    direct_next[direct] = first_direct[slot]
                    first_direct[slot] = direct
                    direct += 1
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
    if fill:
        for origin in range(first, last):
            reached[origin] = 0
    for slot in range(known):
        cost = beyond
        door = first_door[slot]
        while door >= 0:
            cost = least(cost, plus(load(rows, door_i[door]), spread(rows, door_ticks[door])))
            door = door_next[door]
        own = first_direct[slot]
        if own >= 0:
            store(tally, spare, cost)
            while own >= 0:
                at = spare * lanes + direct_lane[own]
                tally[at] = min(tally[at], direct_ticks[own])
                own = direct_next[own]
            cost = load(tally, spare)
        facility = names[slot]
        if fill:
            store(tally, spare, cost)
            for lane in range(count):
                ticks = np.int64(tally[spare * lanes + lane])
                if ticks <= cutoff:
                    at = found.pair_ptr[first + lane] + reached[first + lane]
                    found.pairs[at] = (ticks << 32) | np.int64(facility)
                    reached[first + lane] += 1
            continue
        total = add(total, within(cost, limit))
        name = spread(rows, facility)
        for k in range(service_ptr[facility], service_ptr[facility + 1]):
            service = service_of[k]
            best = load(tally, service)
            store(tally, who + service, nearer(cost, best, name, load(tally, who + service)))
            store(tally, service, least(best, cost))
            for t in range(n_limits):
                row = counts + service * n_limits + t
                store(tally, row, add(load(tally, row), within(cost, spread(rows, thresholds[service, t]))))
    if fill:
        return DONE
    store(tally, everything, total)
    for lane in range(np.uint64(count)):
        reached[np.uint64(first) + lane] = tally[np.uint64(everything * lanes) + lane]
    # Origin by origin: what the caller has of one lies side by side, but far from that of the next.
    n_counts = np.uint64(n_services * n_limits)
    width, names_from, counts_from = np.uint64(lanes), np.uint64(who * lanes), np.uint64(counts * lanes)
    limit_of_lane = rows.dtype.type(cutoff)
    for lane in range(np.uint64(count)):
        soon = found.place[min(first + np.int64(lane) + _AHEAD, last - 1)]
        _fetch_row(ticks_of, soon)
        _fetch_row(nearest, soon)
        _fetch_row(counted, soon)
        place = found.place[np.uint64(first) + lane]
        its_ticks, its_nearest, its_counts = ticks_of[place], nearest[place], counted[place]
        for service in range(np.uint64(n_services)):
            at = service * width + lane
            cost = tally[at]
            its_ticks[service] = cost if cost <= limit_of_lane else np.inf
            its_nearest[service] = np.int32(tally[names_from + at]) if cost <= limit_of_lane else np.int32(-1)
        for k in range(n_counts):
            its_counts[k] = tally[counts_from + k * width + lane]
    return DONE


@part
def _walked(length, left, cost, directed):
    """How much of an edge a walk of ``left`` ticks covers from one of its ends, in cm or in ticks."""
    if left >= cost:
        return length
    return length * left // cost if directed else left


@part
def _add_span(spans, size, low, high):
    """Put a span into a list sorted by its start."""
    k = size
    while k > 0 and spans[0, k - 1] > low:
        spans[0, k], spans[1, k] = spans[0, k - 1], spans[1, k - 1]
        k -= 1
    spans[0, k], spans[1, k] = low, high
    return size + 1


@part
def _united(spans, size):
    """Length of the union of sorted spans."""
    total, end = np.int64(0), np.int64(0)
    for k in range(size):
        total += max(np.int64(0), spans[1, k] - max(end, spans[0, k]))
        end = max(end, spans[1, k])
    return total


@part
def own_streets(graph, pockets, seeds, queue, cutoff, directed, matrix, first, last, nodes, street):
    """Put right the streets that origins stand on: reached from the place itself as well as from the ends.

    On each such edge the parts reached from u, from v and both ways from every join of the origin on it are united;
    what was counted from the ends alone is taken off. In cm each part is rounded down. That a dead end is reached from
    the place itself is said here too. The copies of a street that stands twice are one edge.
    """
    group_of, begin, dead_from, place = pockets.group, pockets.first, pockets.dead, queue.place
    rows, spans = matrix.rows, matrix.spans
    ptr, edge_of, leg, ends_u, ends_v = seeds.ptr, seeds.edge, seeds.leg, seeds.u, seeds.v
    twice, base = seeds.twice, place[place.shape[0] - 1]
    lanes = ROW_BYTES // rows.itemsize
    for origin in range(first, last):
        for join in range(ptr[origin], ptr[origin + 1]):
            edge, copied = edge_of[join], twice[join]
            uv, vu = np.int64(seeds.uv[join]), np.int64(seeds.vu[join])
            # Each edge once, at the origin's first join on it that lies within the cutoff; nobody walks a closed one.
            done = edge < 0 or leg[join] > cutoff or (uv >= FAR and vu >= FAR)
            for other in range(ptr[origin], join):
                here = edge_of[other] == edge if copied < 0 else twice[other] == copied
                done = done or (here and leg[other] <= cutoff)
            if done:
                continue
            row_u, row_v = (
                _row_of(group_of, begin, dead_from, place, ends_u[join]),
                _row_of(group_of, begin, dead_from, place, ends_v[join]),
            )
            if copied >= 0:
                half = graph.start[graph.start.shape[0] - 1] + copied
                uv, vu = np.int64(graph.out[half]), np.int64(graph.back[half])
                row_u = max(np.int64(0), queue.twice_row[copied] - base)  # 0: nobody of this batch reaches an end
                row_v = row_u and row_u + 1
            left_u = np.int64(cutoff) - np.int64(rows[row_u * lanes + origin - first])
            left_v = np.int64(cutoff) - np.int64(rows[row_v * lanes + origin - first])
            if directed:
                length = np.int64(seeds.length[join])
                counted = _reached_cm(length, left_u, uv, left_v, vu)
            else:
                length = uv
                counted = min(length, max(np.int64(0), left_u) + max(np.int64(0), left_v))
            # A dead end has no row: what is left there the joins say, and it was counted only from the other end.
            for other in range(join, ptr[origin + 1]):
                if edge_of[other] == edge:
                    to_u, to_v = np.int64(seeds.to_u[other]), np.int64(seeds.to_v[other])
                    if ends_u[join] >= dead_from[group_of[ends_u[join]]] and 0 <= to_u <= cutoff:
                        nodes[origin] += left_v < vu and left_u < 0
                        left_u = max(left_u, cutoff - to_u)
                    if ends_v[join] >= dead_from[group_of[ends_v[join]]] and 0 <= to_v <= cutoff:
                        nodes[origin] += left_u < uv and left_v < 0
                        left_v = max(left_v, cutoff - to_v)
            size = 0
            if left_u >= 0 and uv < FAR:
                size = _add_span(spans, size, np.int64(0), _walked(length, left_u, uv, directed))
            if left_v >= 0 and vu < FAR:
                size = _add_span(spans, size, length - _walked(length, left_v, vu, directed), length)
            for other in range(join, ptr[origin + 1]):
                left = np.int64(cutoff) - leg[other]
                if (edge_of[other] == edge if copied < 0 else twice[other] == copied) and left >= 0:
                    at = np.int64(seeds.at[other]) if directed else np.int64(seeds.forth[other])
                    low = high = at
                    forth, back = np.int64(seeds.uv[other]), np.int64(seeds.vu[other])
                    if back < FAR:
                        low = max(np.int64(0), at - _walked(length, left, back, directed))
                    if forth < FAR:
                        high = min(length, at + _walked(length, left, forth, directed))
                    size = _add_span(spans, size, low, high)
            street[origin] += _united(spans, size) - counted


@kernel
def walk(graph, pockets, seeds, targets, cutoff, shift, span, directed, fill, desk, streets, found):
    """Walk from origins ``span[0]:span[1]``, batch after batch.

    Parameters
    ----------
    graph, pockets, seeds, targets, desk : see above
    cutoff : int, ticks, below the largest number a lane holds
    shift : int
        Width of a bucket, as a power of two.
    directed : bool
        Streets are summed in cm with two costs each, not in ticks.
    fill : bool
        Write the pairs of M, their pointers given, and not N and C.
    streets : Streets or None
    found : Found or None
        Origins ``span[0]:span[1]`` are written, no others: threads share them, each with a desk of its own. What is
        None is not sought, and not compiled.

    Returns
    -------
    reason, first origin not done
        ``DONE`` and ``span[1]``, or why it stopped and where to go on from with a larger desk (``WIDER``: with lanes of
        32 bits).
    """
    queue, piece, doors, matrix = desk
    lanes = ROW_BYTES // matrix.rows.itemsize
    room = matrix.rows.shape[0] // lanes
    known = 0
    for at in range(span[0], span[1], BATCH):
        end = min(at + BATCH, span[1])
        wanted = streets is not None
        reason, groups, core, climbed = discover(pockets, seeds, at, end, cutoff, shift, wanted, queue)
        if reason != DONE:
            return reason, at
        reason, size = localise(pockets, groups, core, climbed, wanted, room, queue, piece)
        if streets is not None:
            if reason == DONE:
                reason, size = add_twice(graph, streets.twice, size, room, queue, piece)
        if reason == DONE and lanes * 2 == ROW_BYTES and size.rows + size.pendants > 65_535:  # noqa: PLR2004
            reason = WIDER  # a lane could not count them
        if reason != DONE:
            return reason, at
        if found is not None:
            reason, known = find_doors(graph, pockets, seeds, targets, at, end, groups, cutoff, queue, doors)
            if reason != DONE:
                return reason, at
        for first in range(at, end, lanes):
            last = min(first + lanes, end)
            spread_from(pockets, seeds, first, last, size, cutoff, queue, piece, matrix)
            if streets is not None:
                count_nodes(size, cutoff, piece, matrix, first, last, streets.nodes)
                level_twice(pockets, streets.twice, size, cutoff, queue, matrix, first, last, streets.nodes)
                if directed:
                    sum_directed_streets(graph, size, cutoff, piece, matrix, first, last, streets.street)
                else:
                    sum_streets(size, cutoff, piece, matrix, first, last, streets.street)
                own_streets(
                    graph, pockets, seeds, queue, cutoff, directed, matrix, first, last, streets.nodes, streets.street
                )
            if found is not None:
                base = queue.place[queue.place.shape[0] - 1]
                reason = visit_doors(seeds, targets, base, known, cutoff, doors, matrix, first, last, fill, found)
                if reason != DONE:
                    return reason, at
    return DONE, span[1]


# ----------------------------------------------------------------------------------------- every node, a lane a service


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
    end = min(first + lanes, ticks.shape[1])
    mine, costs, names = rows[row * lanes : row * lanes + lanes], ticks[node, first:end], nearest[node, first:end]
    bits, limit = rows.dtype.type(shift), rows.dtype.type(cutoff)
    for lane in range(np.uint64(costs.shape[0])):
        found = mine[lane]
        cost = found >> bits
        # Whole numbers with a sign become floats many at a time.
        costs[lane] = np.int32(cost) if cost <= limit else np.inf
        names[lane] = np.int32(found - (cost << bits)) if cost <= limit else np.int32(-1)


@kernel
def sweep_services(graph, pockets, doors, cutoff, shift, order, core_row, stirred, rows, first, ticks, nearest):
    """N alone, from every node at once: sweep the nearest entrance of each service out over the whole network.

    Only the core has rows of its own. Pockets with entrances give to it, it is swept until nothing within the cutoff
    changes, and every pocket is then filled from it in a few rows at the end.

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
        some_doors = node_ptr[begin[group]] < node_ptr[begin[group + 1]]
        if some_doors and not in_core[group] and _fill_group(graph, pockets, doors, group, spare, shift, top, rows):
            sides, size = page[group] + TITLE, dead_from[group] - begin[group]
            for k in range(book[sides - TITLE]):
                to = core_row[book[sides + k]]
                store(rows, to, least(load(rows, to), load(rows, spare + size + k)))
    sweeps = 0
    furthest = spread(rows, (top << shift) - 1)
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
            # The first sweep stirs up everybody: what pockets gave is no change. Beyond the cutoff nothing is.
            store(rows, row, now)
            if some(pick(now, furthest, differ(before, now))) or (sweeps == 0 and some(within(now, furthest))):
                for arc in range(link[group], link[group + 1]):
                    stirred[link_to[arc]] = True
                going = True
        sweeps += 1
    for group in range(n_groups):
        ahead = min(group + _AHEAD, n_groups - 1)
        for node in range(begin[ahead], begin[ahead + 1]):
            _fetch_row(ticks, order[node])
            _fetch_row(nearest, order[node])
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
    previous : (n_nodes,) int32, written: the node before on a shortest walk (the lowest of several), -1 at a start and
        where only arcs of no cost lead
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
