"""Where a place meets the network: the nearest point on an edge, and what the legs cost."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import shapely
from numpy.typing import NDArray

from lifecircle.model.network import ARRIVING, Network
from lifecircle.model.ways import is_private
from lifecircle.profiles import Profile
from lifecircle.region import geodesic_length

SCRAP_M = 2000.0
"""A part of the network with less street than this, cut off from the rest: likelier a hole in the map than a place."""

BESIDE_M = 100.0
"""A place that joins a scrap joins the rest of the network too, where that is no farther and nothing lies between;
a place whose nearest path lies across a barrier (water, rail, motorway) joins one on its own side, if no farther."""


AT_NODE_M = 0.5
"""Who is this near to a gate stands in it: an entrance mapped as the gate itself, up to the precision of the map."""

_SAME_M = 0.05
"""Edges that are equally near up to this are: places and lines are projected apart."""


@dataclass(frozen=True, eq=False, repr=False)
class Joins:
    """Joins of places to edges; a place may have several, the search takes the least.

    Attributes
    ----------
    place : (n_joins,) int32
        The place each join belongs to, ascending.
    rank : (n_joins,) int32
        0 for the nearest join over all ways, counted up within a place.
    edge : (n_joins,) int32
    offset_m : (n_joins,) float64
        Geodesic metres from the edge's u along its line.
    leg_m : (n_joins,) float64
        Geodesic metres between the place and the edge.
    """

    place: NDArray[np.int32]
    rank: NDArray[np.int32]
    edge: NDArray[np.int32]
    offset_m: NDArray[np.float64]
    leg_m: NDArray[np.float64]

    def __post_init__(self) -> None:
        for array in vars(self).values():
            array.flags.writeable = False

    def __len__(self) -> int:
        return len(self.place)


@dataclass(frozen=True, eq=False, repr=False)
class Legs:
    """Integer costs of joins for one cost of the run; -1 where the way may not be walked in that direction.

    Attributes
    ----------
    leg : (n_joins,) int32, ticks between place and edge
    to_u, to_v : (n_joins,) int32, ticks from a home to the edge's ends, its leg included
    from_u, from_v : (n_joins,) int32, ticks from the edge's ends to an entrance, its leg included
    forth, back : (n_joins,) int32, ticks from u to the join's offset (F), and from the offset back to u (B)
    """

    leg: NDArray[np.int32]
    to_u: NDArray[np.int32]
    to_v: NDArray[np.int32]
    from_u: NDArray[np.int32]
    from_v: NDArray[np.int32]
    forth: NDArray[np.int32]
    back: NDArray[np.int32]


_Tree = tuple[shapely.STRtree, NDArray[np.int64]]
_Trees = tuple[_Tree, _Tree]


class Snapper:
    """Finds the nearest edge of a network, for any subset of its edges.

    Parameters
    ----------
    network : Network
    limit_m : float
        Places farther from every path than this stay unjoined.
    barriers : (n,) shapely geometries in the metre CRS, optional
        Water, railways and motorways: places join a path on their own side, and the second join of a place on a scrap
        crosses none. Kept as a tree in ``barriers``.
    """

    def __init__(self, network: Network, *, limit_m: float, barriers: NDArray[np.object_] | None = None) -> None:
        self.network = network
        self.limit_m = limit_m
        # Nobody stands in a passage, and of a private way homes join the copy that leads out: the streets, each once,
        # are the first edges.
        n = int(network.own.sum())
        self.lines = network.lines()[:n]
        shapely.prepare(self.lines)
        self.tree = shapely.STRtree(self.lines)
        # The preset that bars most: whatever a run's profiles bar less, they can use these joins.
        self._wheels = network.walked_by(Profile.load("wheelchair"))[:n]
        self._scrap = network.part_length_m()[:n] < SCRAP_M
        self.barriers = shapely.STRtree(barriers if barriers is not None else [])
        shapely.prepare(self.barriers.geometries)

    def _among(self, usable: NDArray[np.bool_]) -> _Tree:
        """Make a tree of some edges, and say which they are."""
        chosen = np.flatnonzero(usable)
        return shapely.STRtree(self.lines[chosen]), chosen

    @cached_property
    def _all(self) -> _Trees:
        ground = ~self.network.aloft[: len(self.lines)]
        return self._among(ground), self._among(~ground)

    @cached_property
    def _level(self) -> _Trees:
        ground = ~self.network.aloft[: len(self.lines)]
        return self._among(ground & self._wheels), self._among(~ground & self._wheels)

    @cached_property
    def _rest(self) -> _Tree:
        return self._among(~self._scrap & ~self.network.aloft[: len(self.lines)])

    def _on_ground(
        self, shapes: NDArray[np.object_], trees: _Trees, usable: NDArray[np.bool_]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Nearest usable edge of each shape on its own side of what parts the ground.

        Nobody steps from the ground onto a bridge or into a tunnel: such an edge is taken only where no other is within
        the limit.
        """
        ground, aloft = trees
        place, edge = self._nearest(shapes, self.limit_m, ground)
        edge = self._this_side(shapes, place, edge, usable & ~self.network.aloft[: len(self.lines)])
        rest = np.setdiff1d(np.arange(len(shapes)), place)
        high, high_edge = self._nearest(shapes[rest], self.limit_m, aloft)
        order = np.argsort(np.concatenate([place, rest[high]]), kind="stable")
        return np.concatenate([place, rest[high]])[order], np.concatenate([edge, high_edge])[order]

    def join(self, shapes: NDArray[np.object_]) -> Joins:
        """Join places to the nearest point of the nearest edge.

        Parameters
        ----------
        shapes : (n_places,) shapely points or polygons, metre CRS
            A polygon joins from the point of it that is nearest to the edge.

        Returns
        -------
        Joins
            At least one row for each place within the limit.
        """
        everywhere = np.ones(len(self.lines), dtype=bool)
        place, edge = self._on_ground(shapes, self._all, everywhere)
        # A profile allowed more ways keeps the joins of every profile allowed fewer (a walker on stairs those of a
        # wheelchair), whoever walks in this run: so a choice of profile never makes a walk longer.
        stairs = place[~self._wheels[edge]]
        nearby, level = self._on_ground(shapes[stairs], self._level, self._wheels)
        parts = [(place, edge), (stairs[nearby], level), self._beside(shapes, place, edge)]
        found_place, found_edge = (np.concatenate(column) for column in zip(*parts, strict=True))
        further = [self._both_sides(shapes, found_place, found_edge), self._both_ways(shapes, found_place, found_edge)]
        level = np.repeat(np.arange(5), [len(part) for part, _ in (*parts, *further)])
        place = np.concatenate([found_place, *(part for part, _ in further)])
        edge = np.concatenate([found_edge, *(part for _, part in further)])
        order = np.lexsort((level, place))
        place, edge = place[order], edge[order]
        _, first = np.unique(np.stack([place, edge]), axis=1, return_index=True)
        first.sort()
        return self.at(shapes, place[first], edge[first])

    def _nearest(
        self, shapes: NDArray[np.object_], within_m: float, among: _Tree
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Nearest edge to each shape that has one, shapes ascending, of those in a tree.

        Several may be equally near (at a junction): the lowest is taken, so that the answer does not depend on the
        order of the tree; but a public one before a private one, for who stands at its mouth does not live behind it.
        """
        tree, edges = among
        if len(tree) == 0 or len(shapes) == 0:
            return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
        place, line = tree.query_nearest(shapes, max_distance=within_m, all_matches=True)
        order = np.lexsort((edges[line], place))
        place, edge = place[order], edges[line[order]]
        first = np.flatnonzero(np.diff(place, prepend=-1))
        place, edge = place[first], edge[first]
        private = self.network.private
        doubt = np.flatnonzero(private[edge])
        far = shapely.distance(shapes[place[doubt]], self.lines[edge[doubt]])
        ask, line = tree.query(shapes[place[doubt]], predicate="dwithin", distance=far + _SAME_M)
        public = ~private[edges[line]]
        ask, other = ask[public], edges[line[public]]
        order = np.lexsort((other, ask))
        ask, other = ask[order], other[order]
        first = np.flatnonzero(np.diff(ask, prepend=-1))
        edge[doubt[ask[first]]] = other[first]
        return place, edge

    def across(self, shapes: NDArray[np.object_], edge: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Say which shapes lie across a barrier from the nearest point of an edge, one edge a shape."""
        legs = shapely.shortest_line(shapes, self.lines[edge])
        # A promenade on the very bank is not beyond the water: the last hand's breadth does not count.
        start, end = shapely.get_point(legs, 0), shapely.line_interpolate_point(legs, -0.5)
        ends = np.stack([shapely.get_coordinates(start), shapely.get_coordinates(end)], axis=1)
        cut = np.zeros(len(edge), dtype=bool)
        if len(edge):
            legs = shapely.linestrings(ends)
            # Few meet a barrier, and a sea has many corners: prepared, it says fast which do.
            leg, barrier = self.barriers.query(legs)
            meets = shapely.intersects(self.barriers.geometries[barrier], legs[leg])
            leg, barrier = leg[meets], barrier[meets]
            cut[leg[shapely.crosses(legs[leg], self.barriers.geometries[barrier])]] = True
        return cut

    def _this_side(
        self, shapes: NDArray[np.object_], place: NDArray[np.int64], edge: NDArray[np.int64], usable: NDArray[np.bool_]
    ) -> NDArray[np.int64]:
        """Give places whose edge lies across a barrier the nearest on their own side within `BESIDE_M`.

        Beyond that a missing culvert is likelier than a home that looks away from its street.
        """
        cut = np.flatnonzero(self.across(shapes[place], edge))
        within_m = min(BESIDE_M, self.limit_m)
        near, other = self.tree.query(shapes[place[cut]], predicate="dwithin", distance=within_m)
        near, other = near[usable[other]], other[usable[other]]
        free = ~self.across(shapes[place[cut[near]]], other)
        near, other = near[free], other[free]
        order = np.lexsort((other, shapely.distance(shapes[place[cut[near]]], self.lines[other]), near))
        near, other = near[order], other[order]
        first = np.flatnonzero(np.diff(near, prepend=-1))
        edge = edge.copy()
        edge[cut[near[first]]] = other[first]
        return edge

    def _beside(
        self, shapes: NDArray[np.object_], place: NDArray[np.int64], edge: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Second joins of places whose nearest path is a scrap: to the nearest path that leads somewhere."""
        on_scrap = place[self._scrap[edge]]
        found, near = self._nearest(shapes[on_scrap], min(BESIDE_M, self.limit_m), self._rest)
        found = on_scrap[found]
        legs = shapely.shortest_line(self.lines[near], shapes[found])
        free = np.ones(len(found), dtype=bool)
        free[self.barriers.query(legs, predicate="intersects")[0]] = False
        return found[free], near[free]

    def _both_sides(
        self, shapes: NDArray[np.object_], place: NDArray[np.int64], edge: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Further joins of places that stand at a node taken apart, such as a gate: one to each way that ends there."""
        network = self.network
        leg = shapely.shortest_line(self.lines[edge], shapes[place])
        nearest = shapely.line_locate_point(self.lines[edge], shapely.get_point(leg, 0))
        at_u, at_v = nearest <= 0, nearest >= shapely.length(self.lines[edge])
        spot = np.where(at_u, network.edge_u[edge], np.where(at_v, network.edge_v[edge], -1))
        several = (spot >= 0) & self._taken_apart[spot] & (shapely.length(leg) <= AT_NODE_M)
        place, spot = place[several], network.node_same[spot[several]]
        # Ways by the place they end at, as CSR.
        ends = network.node_same[np.concatenate([network.edge_u[: len(self.lines)], network.edge_v[: len(self.lines)]])]
        order = np.argsort(ends, kind="stable")
        first, last = np.searchsorted(ends[order], spot, "left"), np.searchsorted(ends[order], spot, "right")
        n = last - first
        take = np.repeat(first - (np.cumsum(n) - n), n) + np.arange(n.sum())
        return np.repeat(place, n), order[take] % len(self.lines)

    def _both_ways(
        self, shapes: NDArray[np.object_], place: NDArray[np.int64], edge: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Further joins of places whose edge binds walkers one way: to an edge as near that does not, if any."""
        bound = np.flatnonzero(self.network.one_way[edge] != 0)
        far = shapely.distance(shapes[place[bound]], self.lines[edge[bound]])
        ask, other = self.tree.query(shapes[place[bound]], predicate="dwithin", distance=far + _SAME_M)
        free = (self.network.one_way[other] == 0) & (
            self.network.private[other] <= self.network.private[edge[bound[ask]]]
        )
        ask, other = ask[free], other[free]
        order = np.lexsort((other, ask))
        ask, other = ask[order], other[order]
        first = np.flatnonzero(np.diff(ask, prepend=-1))
        return place[bound[ask[first]]], other[first]

    @cached_property
    def _taken_apart(self) -> NDArray[np.bool_]:
        """Nodes that stand for a place whose ways end at passages, (n_nodes,) bool."""
        network = self.network
        place = np.zeros(network.n_nodes, dtype=bool)
        place[network.node_same[network.edge_u[network.passage & (network.role < ARRIVING)]]] = True
        return place[network.node_same]

    def doors(self, joins: Joins) -> tuple[Joins, NDArray[np.int64]]:
        """Give joins of entrances on private ways a second one, on the copy that is arrived on.

        Returns
        -------
        Joins, and for each the position in ``joins`` it was made of, (n_joins,) int64
        """
        twin = self.network.arriving[joins.edge]
        private = np.flatnonzero(twin >= 0)
        of = np.concatenate([np.arange(len(joins)), private])
        order = np.argsort(of, kind="stable")
        edge = np.concatenate([joins.edge, twin[private]])[order]
        of = of[order]
        place = joins.place[of]
        rank = np.arange(len(place)) - np.searchsorted(place, place)
        made = Joins(place, rank.astype(np.int32), edge.astype(np.int32), joins.offset_m[of], joins.leg_m[of])
        return made, of

    def at(self, shapes: NDArray[np.object_], place: NDArray[np.int64], edge: NDArray[np.int64]) -> Joins:
        """Join given places to given edges, each at the nearest point.

        Parameters
        ----------
        shapes : (n_places,) shapely geometries, metre CRS
        place : (n_joins,) ascending positions in ``shapes``
        edge : (n_joins,) edge positions
        """
        network = self.network
        near = shapely.shortest_line(self.lines[edge], shapes[place])
        on_edge, on_place = shapely.get_point(near, 0), shapely.get_point(near, 1)
        share = shapely.line_locate_point(self.lines[edge], on_edge, normalized=True)
        share = np.nan_to_num(np.clip(share, 0.0, 1.0))
        offset = share * network.length_m[edge]
        to_lonlat = network.region.to_lonlat
        lon0, lat0 = to_lonlat.transform(shapely.get_x(on_edge), shapely.get_y(on_edge))
        lon1, lat1 = to_lonlat.transform(shapely.get_x(on_place), shapely.get_y(on_place))
        leg = geodesic_length(lon0, lat0, lon1, lat1) if len(edge) else np.zeros(0)
        rank = np.arange(len(place)) - np.searchsorted(place, place)
        return Joins(place.astype(np.int32), rank.astype(np.int32), edge.astype(np.int32), offset, leg)


def price(
    joins: Joins, network: Network, ticks: tuple[NDArray[np.int32], NDArray[np.int32]], profile: Profile, *,
    tags: NDArray[np.object_] | None = None,
) -> Legs:  # fmt: skip
    """Cost of every join for one profile; a join whose ``tags`` bar the profile is closed.

    For an edge of length L walked at ``ticks_uv``, ``ticks_vu`` and an offset x from u,
    F(x) = floor(ticks_uv x / L + 0.5) and B(x) = floor(ticks_vu x / L + 0.5); the leg is rounded by itself.
    A home walks ``to_v = leg + ticks_uv - F``, ``to_u = leg + B``; an entrance is reached by ``from_u = leg + F``,
    ``from_v = leg + ticks_vu - B``.
    """
    uv, vu = (side[joins.edge].astype(np.int64) for side in ticks)
    length = network.length_m[joins.edge]
    with np.errstate(divide="ignore", invalid="ignore"):
        forth = np.where(length > 0, np.floor(uv * joins.offset_m / length + 0.5), 0).astype(np.int64)
        back = np.where(length > 0, np.floor(vu * joins.offset_m / length + 0.5), 0).astype(np.int64)
    if tags is not None:
        keys = profile.barring_keys
        barred = np.array([not keys.isdisjoint(said) and profile.bars(said) for said in tags], dtype=bool)
        if profile.gates == "closed":  # a private gate on the outline of a place lets nobody in from the street
            barred |= np.array([is_private(said) for said in tags], dtype=bool) & ~network.private[joins.edge]
        uv, vu = np.where(barred, -1, uv), np.where(barred, -1, vu)
    leg = profile.ticks(joins.leg_m).astype(np.int64)

    def known(value: NDArray[np.int64], direction: NDArray[np.int64]) -> NDArray[np.int32]:
        return np.where(direction >= 0, value, -1).astype(np.int32)

    return Legs(
        leg=leg.astype(np.int32),
        to_u=known(leg + back, vu),
        to_v=known(leg + uv - forth, uv),
        from_u=known(leg + forth, uv),
        from_v=known(leg + vu - back, vu),
        forth=known(forth, uv),
        back=known(back, vu),
    )
