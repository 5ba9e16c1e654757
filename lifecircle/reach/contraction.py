"""Contraction: most nodes of a network are put away in pockets, so that a search has only the core to cross.

A node is taken out by joining every two of its neighbours with the cost of the walk through it (or cheapening the arc
that joins them already), so the costs between the nodes that are left never change. Taking out a node of three
neighbours adds no more arcs than it removes; beyond `MOST` it does not pay. What is left is the core. Nodes taken out
that hang together are a pocket, and the neighbours its last node had are the only ways into it: its sides, `MOST` at
most, all in the core. Within a pocket, nodes are numbered by rounds, the last one first, and no node is taken out in
the same round as its neighbour, so arcs of the contraction lead from a node to lower numbers or to a side. A shortest
walk climbs to lower numbers, crosses the core, and descends to higher ones (contraction hierarchies, Geisberger et al.
2008; without witnesses, Dibbelt et al. 2014; rows of costs swept down, Delling et al. 2011).

Dead ends are set apart before: nothing lies behind them. One contraction serves every cutoff, every facility and every
origin of a network under one cost.
"""

from typing import NamedTuple

import numpy as np
from numba import njit

# No kernel makes or keeps an array: without reference counts, and without wrappers for what Python never calls, they
# compile in half the time.
kernel = njit(nogil=True, cache=True, error_model="numpy", _nrt=False, no_cfunc_wrapper=True)
part = njit(
    nogil=True, cache=True, error_model="numpy", _nrt=False, no_cfunc_wrapper=True, no_cpython_wrapper=True
)  # fmt: skip

FAR = np.int32(1 << 30)
"""Cost of a direction nobody may walk."""

MOST = 5
"""Most neighbours of a node that is taken out."""

LARGEST = 32
"""Most nodes of a pocket: it is walked whole or not at all."""

_HEAD, _OUT, _BACK, _NEXT = range(4)


class Graph(NamedTuple):
    """Half-edges by node.

    ``start`` int64 (n+1,) slices the half-edges of each node. ``head`` int32; ``out`` and ``back`` int32 ticks from the
    node to the head and from the head to the node, `FAR` where closed; ``length`` int32 cm of the street. A loop stands
    once.
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
    size = hooks = left = rounds = 0
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
                size = _join(half, first, degree, size, node, head, outs[at], backs[at])
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
                        size = _join(half, first, degree, size, half[a, _HEAD], half[b, _HEAD], there, again)
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
def write(graph, half, list_of, order, rank, pockets):
    """Write the pages of all groups, then what hangs on the core.

    Parameters
    ----------
    graph : Graph
        In the new numbers.
    half, list_of : as `contract` left them, in the old numbers
    order, rank : (n,) int32
        Old number by new one, and new one by old.
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
    n_groups = core.shape[0]
    links = end = 0
    for g in range(n_groups):
        first, dead, in_core = begin[g], dead_from[g], core[g]
        link[g], page[g] = links, end
        # All sides first: they stand before what refers to them.
        sides = 0
        for node in range(first, dead):
            at = list_of[order[node]]
            while at >= 0:
                head = rank[half[at, _HEAD]]
                if in_core:
                    link_to[links] = group_of[head]
                    link_out[links], link_back[links] = half[at, _OUT], half[at, _BACK]
                    links += 1
                else:
                    _, sides = _slot(group_of, begin, dead_from, page, book, g, head, sides)
                at = half[at, _NEXT]
            if in_core:
                for edge in range(start_of[node], start_of[node + 1]):
                    head = heads[edge]
                    if core[group_of[head]] and head < dead_from[group_of[head]]:
                        _, sides = _slot(group_of, begin, dead_from, page, book, g, head, sides)
        title = end
        end += TITLE + sides
        arcs = 0
        for node in range(first, dead):
            if not in_core:
                counted = end
                end += 1
                at = list_of[order[node]]
                while at >= 0:
                    book[end], _ = _slot(group_of, begin, dead_from, page, book, g, rank[half[at, _HEAD]], sides)
                    book[end + 1], book[end + 2] = half[at, _BACK], half[at, _OUT]
                    end += 3
                    at = half[at, _NEXT]
                book[counted] = (end - counted) // 3
                arcs += book[counted]
        start = end
        for node in range(first, dead):
            for edge in range(start_of[node], start_of[node + 1]):
                head = heads[edge]
                other = group_of[head]
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
