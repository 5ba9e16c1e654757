"""Squares: open ground that is crossed along straight lines, not only round its rim."""

import logging
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import dijkstra

from lifecircle.model import ways as rules
from lifecircle.model.network import Network, place_key
from lifecircle.region import Region

log = logging.getLogger(__name__)

MOST_POINTS = 120
"""Gates and corners of a square up to which all lines of sight are looked at; beyond it those between neighbours."""

_CARRIAGEWAYS = frozenset({"motorway", "trunk", "primary", "secondary", "tertiary"})
_WALLS = frozenset({"wall", "fence", "hedge", "retaining_wall", "city_wall", "guard_rail", "handrail"})
_WALL_M = 0.1
_ROOM_M = 0.05  # a line along the rim lies on it up to rounding
_TOUCH_M = 1.0  # a road along the rim may cut a corner
_REFLEX = 1e-9


@dataclass(frozen=True, eq=False, repr=False)
class Squares:
    """Walkable areas.

    Attributes
    ----------
    key : tuple of str
        ``w`` or ``r`` and the OSM id.
    tags : tuple of dict
    rim : tuple of bool
        Whether the rim is a way of the network already.
    outline : (n,) shapely polygons, lon/lat as mapped
    free : (n,) shapely polygons, metre CRS, without what stands on them
    """

    key: tuple[str, ...]
    tags: tuple[dict[str, str], ...]
    rim: tuple[bool, ...]
    outline: NDArray[np.object_]
    free: NDArray[np.object_]

    def __len__(self) -> int:
        return len(self.key)

    @classmethod
    def of(cls, features: pd.DataFrame | None, region: Region, lines: pd.DataFrame | None = None) -> "Squares":
        """Pick the squares out of a source's features: pedestrian areas, and places called square.

        Buildings, water, walls and hard barriers part the ground of those that lie on it.
        """
        nothing = np.array([], dtype=object)
        if features is None:
            return cls((), (), (), nothing, nothing)
        all_tags, kinds = features["tags"].tolist(), features["osm_type"].tolist()
        chosen = [
            ix for ix, tags in enumerate(all_tags) if kinds[ix] != "n" and _is_square(tags, relation=kinds[ix] == "r")
        ]
        if not chosen:
            return cls((), (), (), nothing, nothing)
        shapes = features["geometry"].to_numpy(dtype=object)
        outline = shapes[chosen]
        free = _valid(region.project(outline))
        standing = [ix for ix, tags in enumerate(all_tags) if kinds[ix] != "n" and _stands_in_the_way(tags)]
        walls = _walls(lines)
        things = np.concatenate([shapes[standing], walls, np.array(region.hard_barriers, dtype=object)])
        number = np.arange(len(things)) - len(standing)
        is_wall = (number >= 0) & (number < len(walls))
        tree = shapely.STRtree(things)
        tags = tuple(_tags_of(all_tags[ix]) for ix in chosen)
        for ix in range(len(chosen)):
            near = tree.query(shapely.box(*outline[ix].bounds))
            if len(near) and not rules.is_aloft(tags[ix]):
                there = _valid(region.project(things[near]))
                there = shapely.buffer(there, np.where(is_wall[near], _WALL_M, 0.0))
                free[ix] = shapely.difference(free[ix], shapely.union_all(there))
        ids = features["osm_id"].tolist()
        key = tuple(f"{kinds[ix]}{ids[ix]}" for ix in chosen)
        rim = tuple(kinds[ix] == "w" and "highway" in all_tags[ix] for ix in chosen)
        return cls(key, tags, rim, outline, free)

    @property
    def corners(self) -> NDArray[np.int64]:
        """Corners of the outlines as mapped, as `place_key` numbers them: a way that has one meets the square there."""
        return np.unique(np.concatenate([np.unique(_keys_of(shape)) for shape in self.outline]))

    def crossed(self, network: Network) -> Network:
        """Add the lines that the shortest walks between the gates of each square take, and rims that are no ways.

        A gate is a node of the network on the outline, or the end of a way inside. Walks are straight as far as nothing
        stands in the way, and turn at corners only; of the lines of sight those on some shortest walk become edges,
        unless they run along the rim, which is walked already.
        """
        if not len(self):
            return network
        lines = _Lines(network, self._shared())
        main, (loose, loose_node) = self._main_roads(network), _loose_ends(network)
        for key, tags, rim, outline, free in zip(self.key, self.tags, self.rim, self.outline, self.free, strict=True):
            if shapely.is_empty(free) or (tags.get("place") == "square" and _runs_through(main, free)):
                continue
            inside = [] if rules.is_aloft(tags) else loose.query(free, predicate="contains")
            ends = loose_node[inside].tolist()
            lines.cross(key, tags, outline, free, ends, rim=rim)
        return lines.added()

    def _shared(self) -> set[int]:
        """Corners that two squares share, as `place_key` numbers them: there one walks from one into the other."""
        place, n = np.unique(np.concatenate([np.unique(_keys_of(shape)) for shape in self.outline]), return_counts=True)
        return set(place[n > 1].tolist())

    def _main_roads(self, network: Network) -> shapely.STRtree:
        """Lines of the main roads on the ground; nothing where no square asks for them."""
        if not any(tags.get("place") == "square" for tags in self.tags):
            return shapely.STRtree([])
        main = np.array([rules.road_class(tags) in _CARRIAGEWAYS for tags in network.tags], dtype=bool)
        return shapely.STRtree(network.lines()[main & ~network.aloft])


class _Lines:
    """Gathers the nodes and edges of squares, to be added to the network at once."""

    def __init__(self, network: Network, shared: set[int]) -> None:
        self.network, self.shared, self.lines = network, shared, network.lines()
        ends = np.concatenate([network.edge_u, network.edge_v])
        self.order = np.argsort(ends, kind="stable")
        self.start = np.searchsorted(ends[self.order], np.arange(network.n_nodes + 1))
        keys = place_key(network.node_lon, network.node_lat).tolist()
        self.node_at = dict(zip(reversed(keys), range(network.n_nodes - 1, -1, -1), strict=True))
        self.made_at: dict[int, int] = {}
        self.lon: list[float] = []
        self.lat: list[float] = []
        self.u: list[int] = []
        self.v: list[int] = []
        self.names: list[str] = []
        self.tags: list[dict[str, str]] = []

    def cross(self, key: str, tags: dict[str, str], outline: Any, free: Any, ends: list[int], *, rim: bool) -> None:
        """Add the lines of one square."""
        room = shapely.buffer(free, _ROOM_M)
        shapely.prepare(room)
        region = self.network.region
        edge = shapely.buffer(shapely.boundary(region.project(outline)), _ROOM_M)
        shapely.prepare(edge)
        pairs: list[tuple[int, int]] = []
        if not rim:
            pairs = self._rim(outline, room)
        gates = sorted({*ends, *self._gates(outline, edge)})
        if len(gates) > 1:
            turns = _turns(free)
            points = np.concatenate([self._xy(gates), turns])
            found = _sight(points, len(gates), room)
            if len(found):
                segments = shapely.linestrings(np.stack([points[found[:, 0]], points[found[:, 1]]], axis=1))
                found = found[~shapely.covers(edge, segments)]
                rim_places = set(_keys_of(outline).tolist())
                corner = {
                    ix: self._place(turns[ix - len(gates)], rim_places) for ix in np.unique(found[found >= len(gates)])
                }
                node = [*gates, *(corner.get(ix, -1) for ix in range(len(gates), len(points)))]
                pairs += [(node[a], node[b]) for a, b in found.tolist()]
        for number, (a, b) in enumerate(dict.fromkeys(pairs)):
            self.u.append(a)
            self.v.append(b)
            self.names.append(f"{key}.{number}")
            self.tags.append(tags)

    def _gates(self, outline: Any, rim: Any) -> set[int]:
        """Nodes on an outline where another way than the rim, or another square, comes in."""
        found = set()
        for place in np.unique(_keys_of(outline)).tolist():
            node = self._known(place)
            if node is None:
                continue
            if place in self.shared:
                found.add(node)
            elif node < self.network.n_nodes:
                touching = self.order[self.start[node] : self.start[node + 1]] % self.network.n_edges
                if not shapely.covers(rim, self.lines[touching]).all():
                    found.add(node)
        return found

    def _known(self, place: int) -> int | None:
        return self.node_at.get(place, self.made_at.get(place))

    def _rim(self, outline: Any, room: Any) -> list[tuple[int, int]]:
        """Walk round an outline that is no way: its corners become nodes, its sides edges, where nothing stands."""
        found = []
        for part in shapely.get_parts(outline):
            for ring in shapely.get_rings(part):
                lonlat = shapely.get_coordinates(ring)
                xy = np.column_stack(self.network.region.to_metres.transform(*lonlat.T))
                sides = shapely.linestrings(np.stack([xy[:-1], xy[1:]], axis=1))
                clear = shapely.covers(room, sides)
                node = [self._node(lon, lat) for lon, lat in lonlat.tolist()]
                found += [
                    (min(a, b), max(a, b))
                    for a, b, free in zip(node[:-1], node[1:], clear.tolist(), strict=True)
                    if free and a != b
                ]
        return found

    def _node(self, lon: float, lat: float) -> int:
        place = int(place_key(np.array([lon]), np.array([lat]))[0])
        known = self._known(place)
        return known if known is not None else self._new(place, lon, lat)

    def _place(self, xy: NDArray[np.float64], rim: set[int]) -> int:
        """Node of a corner: that of the rim, one that squares have made there, or a new one."""
        lon, lat = self.network.region.to_lonlat.transform(*xy.tolist())
        place = int(place_key(np.array([lon]), np.array([lat]))[0])
        # Off the rim a way on another level may have a node at the same place.
        known = self._known(place) if place in rim else self.made_at.get(place)
        return known if known is not None else self._new(place, lon, lat)

    def _new(self, place: int, lon: float, lat: float) -> int:
        self.made_at[place] = self.network.n_nodes + len(self.lon)
        self.lon.append(lon)
        self.lat.append(lat)
        return self.made_at[place]

    def _xy(self, nodes: list[int]) -> NDArray[np.float64]:
        lon = np.concatenate([self.network.node_lon, self.lon])[nodes]
        lat = np.concatenate([self.network.node_lat, self.lat])[nodes]
        return np.column_stack(self.network.region.to_metres.transform(lon, lat))

    def added(self) -> Network:
        """Add what was gathered to the network."""
        if not self.u:
            return self.network
        grown = self.network.with_nodes(lon=np.array(self.lon), lat=np.array(self.lat)) if self.lon else self.network
        squares = [name.split(".")[0] for name in self.names]
        return grown.with_edges(
            u=self.u, v=self.v, edge_id=self.names, kind="square", tags=self.tags,
            way=[int(name[1:]) if name[0] == "w" else 0 for name in squares],
            private=[rules.is_private(said) for said in self.tags], aloft=[rules.is_aloft(said) for said in self.tags],
        )  # fmt: skip


def _loose_ends(network: Network) -> tuple[shapely.STRtree, NDArray[np.int64]]:
    """Find ends of ways that meet no other way, on the ground: stairs out of a station lead into the open square."""
    ends = np.concatenate([network.edge_u, network.edge_v])
    single = np.flatnonzero(np.bincount(ends, minlength=network.n_nodes) == 1)
    xy = np.column_stack(network.region.to_metres.transform(network.node_lon[single], network.node_lat[single]))
    return shapely.STRtree(shapely.points(xy)), single


def _runs_through(roads: shapely.STRtree, free: Any) -> bool:
    """Say whether a road runs through a place called square: nobody walks straight across such a roundabout."""
    near = roads.geometries[roads.query(free, predicate="intersects")]
    return bool(shapely.length(shapely.intersection(near, free)).sum() > _TOUCH_M)


def _sight(points: NDArray[np.float64], n_gates: int, room: Any) -> NDArray[np.int64]:
    """Find the lines of sight on the shortest walks between gates, (n, 2) positions of points.

    In a square with very many points every line of sight between neighbours is taken instead (Delaunay): walks are then
    a little longer than straight.
    """
    many = len(points) > MOST_POINTS
    if many:
        log.info("a square has %d gates and corners: it is crossed between neighbours", len(points))
        pairs = _neighbours(points)
    else:
        pairs = np.stack(np.triu_indices(len(points), 1), axis=1)
    far = np.hypot(*(points[pairs[:, 0]] - points[pairs[:, 1]]).T)
    pairs, far = pairs[far > _ROOM_M], far[far > _ROOM_M]
    seen = shapely.covers(room, shapely.linestrings(np.stack([points[pairs[:, 0]], points[pairs[:, 1]]], axis=1)))
    pairs, far = pairs[seen], far[seen]
    if many or not len(pairs):
        return np.asarray(pairs, dtype=np.int64)
    n = len(points)
    graph = coo_matrix((np.tile(far, 2), (pairs.T.ravel(), pairs[:, ::-1].T.ravel())), shape=(n, n)).tocsr()
    _, before = dijkstra(graph, indices=np.arange(n_gates), return_predecessors=True)
    used: set[tuple[int, int]] = set()
    for start in range(n_gates):
        for at in range(start + 1, n_gates):
            end = at
            while before[start, end] >= 0:
                previous = int(before[start, end])
                used.add((min(previous, end), max(previous, end)))
                end = previous
    return np.asarray(sorted(used), dtype=np.int64).reshape(-1, 2)


def _neighbours(points: NDArray[np.float64]) -> NDArray[np.int64]:
    """Sides of the Delaunay triangles of points, (n, 2) positions; of points at one place the first."""
    place = {tuple(xy): ix for ix, xy in reversed(list(enumerate(points.tolist())))}
    sides = shapely.get_parts(shapely.delaunay_triangles(shapely.multipoints(points), only_edges=True))
    ends = shapely.get_coordinates(sides).reshape(-1, 2, 2).tolist()
    found = sorted({tuple(sorted((place[tuple(a)], place[tuple(b)]))) for a, b in ends})
    return np.array(found, dtype=np.int64).reshape(-1, 2)


def _walls(lines: pd.DataFrame | None) -> NDArray[np.object_]:
    pairs = () if lines is None else zip(lines["tags"], lines["geometry"], strict=True)
    return np.array([shape for tags, shape in pairs if tags.get("barrier") in _WALLS], dtype=object)


def _valid(shapes: NDArray[np.object_]) -> NDArray[np.object_]:
    broken = ~shapely.is_valid(shapes)
    mended = shapes.copy()
    mended[broken] = shapely.make_valid(shapes[broken], method="structure", keep_collapsed=False)
    return mended


def _is_square(tags: dict[str, str], *, relation: bool) -> bool:
    if "highway" in tags:
        flat = relation or tags.get("area") == "yes"
        return flat and tags["highway"] in {"pedestrian", "footway", "path"} and rules.walkable(tags)
    return tags.get("place") == "square" and rules.walkable(_tags_of(tags))


def _tags_of(tags: dict[str, str]) -> dict[str, str]:
    return tags if "highway" in tags else tags | {"highway": "pedestrian"}


def _stands_in_the_way(tags: dict[str, str]) -> bool:
    if tags.get("building", "no") not in {"no", "roof"}:
        return "layer" not in tags
    return tags.get("natural") == "water" or tags.get("amenity") == "fountain"


def _keys_of(outline: Any) -> NDArray[np.int64]:
    return place_key(*shapely.get_coordinates(outline).T)


def _turns(free: Any) -> NDArray[np.float64]:
    """Corners where a walk inside may turn: those that point into the ground, of the rim and of what stands on it."""
    found = [np.empty((0, 2))]
    for part in shapely.get_parts(free):
        if part.geom_type != "Polygon":
            continue
        for number, ring in enumerate((part.exterior, *part.interiors)):
            # With the ground to the left (the rim counter-clockwise, holes clockwise) a corner that turns right is one.
            xy = shapely.get_coordinates(ring)[:-1]
            if shapely.is_ccw(ring) != (number == 0):
                xy = xy[::-1]
            back, ahead = xy - np.roll(xy, 1, axis=0), np.roll(xy, -1, axis=0) - xy
            cross = back[:, 0] * ahead[:, 1] - back[:, 1] * ahead[:, 0]
            found.append(xy[cross < -_REFLEX])
    return np.concatenate(found)
