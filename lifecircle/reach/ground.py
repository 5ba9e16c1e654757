"""A network laid out for the kernels: numbered along a curve, contracted, and flat."""

from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lifecircle.errors import DataError
from lifecircle.model.network import Network
from lifecircle.model.snapping import Joins, Legs
from lifecircle.profiles import TICKS
from lifecircle.reach import kernels
from lifecircle.reach.kernels import FAR, Graph, Pockets
from lifecircle.reach.products import Lane

NARROW = 65_534
"""Largest cutoff, in ticks, that lanes of 16 bits hold; beyond it lanes have 32."""

WIDEST = (1 << 29) - 1
"""Largest cutoff there is, in ticks (194 days)."""


class Ground:
    """A network under one cost, laid out for the kernels: nodes in Hilbert order, dead ends last at every node.

    Parameters
    ----------
    x, y : (n_nodes,) float64
        Any coordinates; they decide the order, and so the speed, but no answer.
    u, v : (n_edges,) int
    ticks_uv, ticks_vu : (n_edges,) int32, -1 closed
    length_m : (n_edges,) float64
    node_same, edge_same : (n_nodes,), (n_edges,) int, optional
        The node or edge that each is one more copy of, itself for most: in R what stands several times counts once.
        Copies of an edge run the same way and cost the same, where they are open. Default: nothing stands twice.
    most, largest : int, optional
        How far to contract; it decides the speed, but no answer.

    Raises
    ------
    DataError
        An edge costs more than numbers hold.
    """

    def __init__(  # noqa: PLR0913
        self,
        x: NDArray[np.float64],
        y: NDArray[np.float64],
        u: NDArray[np.integer],
        v: NDArray[np.integer],
        ticks_uv: NDArray[np.int32],
        ticks_vu: NDArray[np.int32],
        length_m: NDArray[np.float64],
        *,
        node_same: NDArray[np.integer] | None = None,
        edge_same: NDArray[np.integer] | None = None,
        most: int = kernels.MOST,
        largest: int = kernels.LARGEST,
    ) -> None:
        self.n = len(x)
        dearest = max(int(np.max(ticks, initial=0)) for ticks in (ticks_uv, ticks_vu))
        if dearest >= FAR:
            raise DataError(f"an edge costs {dearest / TICKS:g}, more than the {(int(FAR) - 1) / TICKS:g} there may be")
        self.directed = bool((ticks_uv != ticks_vu).any())
        self.uv = np.where(ticks_uv >= 0, ticks_uv, FAR).astype(np.int32)
        self.vu = np.where(ticks_vu >= 0, ticks_vu, FAR).astype(np.int32) if self.directed else self.uv
        self.length_cm = np.floor(length_m * 100 + 0.5).astype(np.int32)
        self.u, self.v = np.asarray(u, dtype=np.int32), np.asarray(v, dtype=np.int32)
        # Streets closed both ways are not there at all.
        self.street = None if edge_same is None else _several(edge_same, (self.uv < FAR) | (self.vu < FAR))
        copied = None if node_same is None else _several(node_same)
        along = np.argsort(_hilbert(x, y), kind="stable").astype(np.int32)
        del x, y, u, v, ticks_uv, ticks_vu, length_m  # on millions of nodes what is no longer needed counts
        rank = self._number(along)
        order, contracted, groups = self._groups(most, largest, self._copies(copied, rank))
        self._number(order)
        self.order = along[order]
        del along, order, rank
        self.graph = Graph(*(frozen(a) for a in self._halves()))
        self.pockets = _pockets(self.graph, contracted, self._marks(), *groups)
        del contracted
        self.rank = inverse(self.order)
        self.twice = self._twice(copied)

    def _copies(self, copied: NDArray[np.int32] | None, rank: NDArray[np.int32]) -> NDArray[np.int32]:
        """Nodes that stand several times, or are an end of a street that does, as they are numbered now."""
        found = [] if copied is None else [rank[copied >= 0]]
        if self.street is not None:
            found += [end[self.street >= 0] for end in (self.u, self.v)]
        return np.concatenate([np.zeros(0, np.int32), *found])

    def _marks(self) -> NDArray[np.int32]:
        """Half-edges of streets that stand several times, other than 0; empty where no street does."""
        if self.street is None:
            return np.zeros(0, np.int32)
        marks: NDArray[np.int32] = self._lists(self.street + np.int32(1))[-1]
        return marks

    def _twice(self, copied: NDArray[np.int32] | None) -> kernels.Twice:
        """Find where what stands several times is reached from, and add a half-edge for each such street."""
        none = np.zeros(0, np.int32)
        edge = none if self.street is None else np.flatnonzero(self.street >= 0)
        node = none if copied is None else np.flatnonzero(copied >= 0)
        if len(edge) + len(node) == 0:
            return kernels.Twice(
                frozen(np.zeros(1, np.int64)), frozen(none), frozen(np.zeros(1, np.int64)), frozen(none), 0
            )
        street = none if self.street is None else self.street[edge]
        n_streets, n_nodes = int(street.max(initial=-1)) + 1, 0 if copied is None else int(copied.max(initial=-1)) + 1
        forth, back = self.uv[edge] < FAR, self.vu[edge] < FAR
        named = none if copied is None else copied[node]
        ends = np.concatenate([2 * street[forth], 2 * street[back] + 1, 2 * n_streets + named])
        what = np.concatenate([street[forth], street[back], n_streets + named]).astype(np.int64)
        at = np.concatenate([self.u[edge[forth]], self.v[edge[back]], self.rank[node]])
        by_end = np.argsort(ends, kind="stable")
        size = n_streets + n_nodes
        group, touching = np.divmod(np.unique(self.pockets.group[at] * np.int64(size) + what), size)
        self.graph = self._with_streets(edge, street, n_streets)
        return kernels.Twice(
            frozen(pointers(group, len(self.pockets.core))), frozen(touching.astype(np.int32)),
            frozen(pointers(ends, 2 * n_streets + n_nodes)), frozen(at[by_end].astype(np.int32)), n_streets,
        )  # fmt: skip

    def _with_streets(self, edge: NDArray[np.integer], street: NDArray[np.int32], size: int) -> Graph:
        """Add to the lists of half-edges one of no node for each street that stands several times."""
        out, back, length = np.full(size, FAR), np.full(size, FAR), np.zeros(size, np.int32)
        np.minimum.at(out, street, self.uv[edge])
        np.minimum.at(back, street, self.vu[edge])
        length[street[::-1]] = self.length_cm[edge[::-1]]
        start, *lists = self.graph
        more = (np.zeros(size, np.int32), out, back if self.directed else out, length if self.directed else out)
        return Graph(start, *(frozen(np.concatenate(pair)) for pair in zip(lists, more, strict=True)))

    def _groups(self, most: int, largest: int, kept: NDArray[np.int32]) -> tuple[Any, ...]:
        """Contract and group the nodes; the order, half-edges as contracted, and `_pockets`' groups."""
        graph, n = self._halves(), self.n
        half, lists, level, rounds = _contract(graph, most, largest, kept)
        group, order = np.empty(n, np.int32), np.empty(n, np.int32)
        first, dead, core = np.empty(n + 1, np.int64), np.empty(n, np.int64), np.empty(n, np.bool_)
        notes = np.zeros((4, n + rounds + 4), np.int32)
        size = kernels.number(graph, half, lists, level, rounds, group, order, notes, first, dead, core)
        groups = group[order], first[: size + 1].copy(), dead[:size].copy(), core[:size].copy()
        del graph, group, level, notes, first, dead, core
        start, head, out = np.empty(n + 1, np.int64), *(np.empty(len(half), np.int32) for _ in range(2))
        back = np.empty_like(out) if self.directed else out
        used = kernels.gather(half, lists, order, inverse(order), start, head, out, back)
        # What was not written was never given memory by the system, so the lists need no copy to be cut.
        head, out = head[:used], out[:used]
        back = back[:used] if self.directed else out
        return order, Graph(start, head, out, back, back), groups

    @classmethod
    def of(cls, network: Network, lane: Lane, *, once: bool = True) -> "Ground":
        """Lay a network out under the cost of a lane; ``once``: so that R counts what stands several times once."""
        return cls(
            network.node_lon, network.node_lat, network.edge_u, network.edge_v, lane.ticks_uv, lane.ticks_vu,
            network.length_m,
            node_same=network.node_same if once else None, edge_same=network.edge_same if once else None,
        )  # fmt: skip

    def _number(self, order: NDArray[np.int32]) -> NDArray[np.int32]:
        """Give the nodes new numbers: ``order`` holds the old ones by the new; returns its inverse."""
        rank = inverse(order)
        self.u, self.v = rank[self.u], rank[self.v]
        return rank

    def _halves(self) -> Graph:
        """Half-edges by node; edges closed both ways left out."""
        # The same both ways, and lengths are not asked for: one list does, and memory counts on millions of nodes.
        return Graph(*(self._lists(self.length_cm) if self.directed else self._lists(self.uv, several=False)))

    def _lists(self, length: NDArray[np.int32], *, several: bool = True) -> tuple[Any, ...]:
        start, room = np.zeros(self.n + 2, np.int64), 2 * len(self.u)
        head, out = np.empty(room, np.int32), np.empty(room, np.int32)
        back, cm = (np.empty(room, np.int32), np.empty(room, np.int32)) if several else (out, out)
        kernels.half_edges(self.u, self.v, self.uv, self.vu, length, start, head, out, back, cm)
        return start[:-1], *(part[: start[-2]] for part in (head, out, back, cm))

    def lanes_for(self, cutoff: int, *, streets: bool) -> type[np.uint16] | type[np.uint32]:
        """Narrowest lanes that hold every cost up to a cutoff and, where streets are summed, two remainders of it.

        Raises
        ------
        DataError
            The cutoff is beyond what any lane holds.
        """
        check_cutoff(cutoff)
        # Of an edge min(w, two remainders) is reached: where the remainders may be cut at 65,535, w must be shorter.
        longest = int(self.uv[self.uv < FAR].max(initial=0)) if streets else 0
        return np.uint16 if cutoff <= NARROW // 2 or (cutoff <= NARROW and longest <= NARROW) else np.uint32

    def seeds(self, joins: Joins, legs: Legs, n_origins: int) -> kernels.Seeds:
        """Lay out the joins of places (in the order of the places, as `Joins` holds them)."""
        edge = joins.edge
        return kernels.Seeds(
            *(
                frozen(a)
                for a in (
                    pointers(joins.place, n_origins), edge, self.u[edge], self.v[edge], legs.to_u, legs.to_v, legs.leg,
                    legs.forth, legs.back, joins.offset_m, self.uv[edge], self.vu[edge], self.length_cm[edge],
                    np.floor(joins.offset_m * 100 + 0.5).astype(np.int32),
                    np.full(len(edge), -1, np.int32) if self.street is None else self.street[edge],
                )
            )
        )  # fmt: skip

    @cached_property
    def slots(self) -> int:
        """Most slots of a group: its nodes and its sides."""
        sides = self.pockets.book[self.pockets.page[:-1]].astype(np.int64)
        return int((sides + self.pockets.dead - self.pockets.first[:-1]).max(initial=1))

    @cached_property
    def node_seeds(self) -> kernels.Seeds:
        """Every node as an origin, in the order of the new numbers, at no cost.

        A dead end has no row of its own: who starts there stands at the end of its street. For R alone: there are no
        offsets in metres.
        """
        group = self.pockets.group
        node = np.arange(self.n, dtype=np.int32)
        leaf = np.flatnonzero(node >= self.pockets.dead[group]).astype(np.int32)
        edge_of = np.full(self.n, -1, dtype=np.int32)
        open_edge = np.flatnonzero((self.uv < FAR) | (self.vu < FAR)).astype(np.int32)
        edge_of[self.u[open_edge]] = open_edge
        edge_of[self.v[open_edge]] = open_edge
        own = edge_of[leaf]
        del group, edge_of, open_edge
        far_end = self.v[own] == leaf

        def at_leaves(value: NDArray[np.int32] | int, elsewhere: NDArray[np.int32] | int = 0) -> NDArray[np.generic]:
            made = np.zeros(self.n, np.int32)
            made[:] = elsewhere
            made[leaf] = value
            return frozen(made)

        forth = at_leaves(np.where(far_end, self.uv[own], 0))
        uv = at_leaves(self.uv[own])
        # The same both ways: one list does for two, and centimetres are not asked for.
        back, vu, length, at = forth, uv, uv, forth
        if self.directed:
            back, vu = at_leaves(np.where(far_end, self.vu[own], 0)), at_leaves(self.vu[own])
            length, at = at_leaves(self.length_cm[own]), at_leaves(np.where(far_end, self.length_cm[own], 0))
        return kernels.Seeds(
            ptr=frozen(np.arange(self.n + 1, dtype=np.int64)),
            edge=at_leaves(own, -1),
            u=at_leaves(self.u[own], node),
            v=at_leaves(self.v[own], node),
            to_u=at_leaves(np.where(far_end, np.where(self.vu[own] < FAR, self.vu[own], -1), 0)),
            to_v=at_leaves(np.where(far_end, 0, np.where(self.uv[own] < FAR, self.uv[own], -1)), -1),
            leg=frozen(np.zeros(self.n, np.int32)),
            forth=forth, back=back, x=frozen(np.zeros(self.n)), uv=uv, vu=vu, length=length, at=at,
            twice=at_leaves(-1, -1),  # a dead end's street stands once
        )  # fmt: skip


def _several(same: NDArray[np.integer], there: NDArray[np.bool_] | None = None) -> NDArray[np.int32] | None:
    """Give a number to what has several members that are there.

    Returns
    -------
    that number of each member, -1 of all others; None where nothing has
    """
    same = np.asarray(same)
    member = np.arange(len(same)) if there is None else np.flatnonzero(there)
    member = member[np.bincount(same[member], minlength=len(same))[same[member]] > 1]
    if len(member) == 0:
        return None
    number = np.full(len(same), -1, np.int32)
    number[member] = np.unique(same[member], return_inverse=True)[1]
    return number


def _contract(
    graph: Graph, most: int, largest: int, kept: NDArray[np.int32]
) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int32], int]:
    """Contract a network with as much room as it takes; see `kernels.contract`. Who is kept is no dead end."""
    n = len(graph.start) - 1
    dead = np.empty(n, np.bool_)
    kernels.dead_ends(graph.start, graph.head, dead)
    dead[kept] = False
    first, level = np.empty(n, np.int32), np.empty(n, np.int32)
    halves, hooks, rounds = int(1.7 * len(graph.head)) + 2, 2 * n + 2, -1
    while rounds < 0:
        half, hook = np.empty((halves, 4), np.int32), np.empty((hooks, 2), np.int32)
        notes = np.zeros((5, n + most), np.int32)
        rounds = kernels.contract(graph, dead, most, largest, half, hook, first, level, notes)
        halves, hooks = 2 * halves, 2 * hooks
    return half, first, level, rounds


def _pockets(
    graph: Graph, contracted: Graph, twice: NDArray[np.int32], group: NDArray[np.int32], first: NDArray[np.int64],
    dead: NDArray[np.int64], core: NDArray[np.bool_],
) -> Pockets:  # fmt: skip
    """Lay the groups of a contracted network out; the lists are given room for the most there can be, then cut."""
    n, n_groups = len(group), len(core)

    def places(size: int) -> NDArray[np.int64]:
        return np.empty(size + 1, np.int64)

    def room(size: int) -> NDArray[np.int32]:
        return np.empty(size, np.int32)

    # A half-edge is at most one link, or one side and one arc; a street at most one side and one street; and titles.
    halves, streets = len(contracted.head), len(graph.head)
    longest = (kernels.TITLE + 1) * n + 4 * halves + 5 * streets
    both = contracted.back is contracted.out  # the same both ways
    made = Pockets(
        group, first, dead, core,
        places(n_groups), room(halves), link_out := room(halves), link_out if both else room(halves),
        places(n_groups + 1), room(halves), room(halves),
        places(n_groups), np.empty(longest, np.uint32),
    )  # fmt: skip
    links, hangs, length = kernels.write(graph, contracted, twice, made)
    g = n_groups
    used = (n, g + 1, g, g, g + 1, links, links, links, g + 1, hangs, hangs, g + 1, length)
    # What was not written was never given memory by the system, so the lists need no copy to be cut.
    return Pockets(*(frozen(part[:size]) for part, size in zip(made, used, strict=True)))


def check_cutoff(cutoff: int) -> None:
    """Refuse a cutoff that is negative, or that no lane holds.

    Raises
    ------
    DataError
    """
    if not 0 <= cutoff <= WIDEST:
        raise DataError(
            f"the cutoff of {cutoff / TICKS:g} is not between 0 and the largest there is, {WIDEST / TICKS:g}"
        )


def frozen(array: NDArray[np.generic]) -> NDArray[np.generic]:
    """Make an array contiguous and read-only: numba compiles once for one kind of array, and this is the kind."""
    made = np.ascontiguousarray(array)
    if made.flags.writeable:
        made = made.view()
        made.flags.writeable = False
    return made


def pointers(group: NDArray[np.generic], n: int) -> NDArray[np.int64]:
    """CSR pointers of ``n`` groups for members given by group number, in any order."""
    return np.concatenate([[0], np.cumsum(np.bincount(group, minlength=n))]).astype(np.int64)


def inverse(order: NDArray[np.integer]) -> NDArray[np.int32]:
    """Inverse of a permutation."""
    rank = np.empty(len(order), np.int32)
    rank[order] = np.arange(len(order), dtype=np.int32)
    return rank


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
