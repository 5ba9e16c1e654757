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

MOST_POINTS = 250
"""Gates and corners of a square that are looked at: beyond it the square is walked round its rim."""

_CARRIAGEWAYS = frozenset({"motorway", "trunk", "primary", "secondary", "tertiary"})
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
    outline : (n,) shapely polygons, lon/lat as mapped
    free : (n,) shapely polygons, metre CRS, without the buildings and waters on them
    """

    key: tuple[str, ...]
    tags: tuple[dict[str, str], ...]
    outline: NDArray[np.object_]
    free: NDArray[np.object_]

    def __len__(self) -> int:
        return len(self.key)

    @classmethod
    def of(cls, features: pd.DataFrame | None, region: Region) -> "Squares":
        """Pick the squares out of a source's features: pedestrian areas, and places called square."""
        nothing = np.array([], dtype=object)
        if features is None:
            return cls((), (), nothing, nothing)
        all_tags, kinds = features["tags"].tolist(), features["osm_type"].tolist()
        chosen = [
            ix for ix, tags in enumerate(all_tags) if kinds[ix] != "n" and _is_square(tags, relation=kinds[ix] == "r")
        ]
        if not chosen:
            return cls((), (), nothing, nothing)
        shapes = features["geometry"].to_numpy(dtype=object)
        outline = shapes[chosen]
        free = region.project(outline)
        free = np.where(
            shapely.is_valid(free), free, shapely.make_valid(free, method="structure", keep_collapsed=False)
        )
        standing = [ix for ix, tags in enumerate(all_tags) if kinds[ix] != "n" and _stands_in_the_way(tags)]
        tree = shapely.STRtree(shapes[standing] if standing else [])
        for ix, shape in enumerate(outline):
            inside = tree.query(shape, predicate="intersects")
            if len(inside):
                things = region.project(tree.geometries[inside])
                free[ix] = shapely.difference(free[ix], shapely.union_all(shapely.make_valid(things)))
        ids = features["osm_id"].tolist()
        key, tags = tuple(f"{kinds[ix]}{ids[ix]}" for ix in chosen), tuple(_tags_of(all_tags[ix]) for ix in chosen)
        return cls(key, tags, outline, free)

    @property
    def corners(self) -> NDArray[np.int64]:
        """Corners of the outlines as mapped, as `place_key` numbers them: a way that has one meets the square there."""
        lon, lat = shapely.get_coordinates(self.outline).T
        return np.unique(place_key(lon, lat))

    def crossed(self, network: Network) -> Network:
        """Add the lines that the shortest walks between the gates of each square take.

        A gate is a node of the network on the outline. Walks are straight as far as nothing stands in the way, and
        turn at corners only; of the lines of sight those on some shortest walk become edges.
        """
        node_at = {
            key: ix for ix, key in reversed(list(enumerate(place_key(network.node_lon, network.node_lat).tolist())))
        }
        main = self._main_roads(network)
        found: list[_Lines] = []
        n_nodes = network.n_nodes
        for number, (key, outline, free) in enumerate(zip(self.key, self.outline, self.free, strict=True)):
            if self.tags[number].get("place") == "square" and _runs_through(main, free):
                continue
            gates = sorted({ix for place in _keys_of(outline) if (ix := node_at.get(place)) is not None})
            across = _lines(network, key, free, np.array(gates), number, n_nodes) if len(gates) > 1 else None
            if across is not None:
                found.append(across)
                n_nodes += len(across.lon)
        if not found:
            return network
        square = np.repeat([lines.square for lines in found], [len(lines.u) for lines in found]).tolist()
        tags = [self.tags[ix] for ix in square]
        return network.with_nodes(
            lon=np.concatenate([lines.lon for lines in found]), lat=np.concatenate([lines.lat for lines in found])
        ).with_edges(
            u=np.concatenate([lines.u for lines in found]),
            v=np.concatenate([lines.v for lines in found]),
            edge_id=[f"{self.key[lines.square]}.{ix}" for lines in found for ix in range(len(lines.u))],
            way=[int(self.key[ix][1:]) if self.key[ix][0] == "w" else 0 for ix in square],
            kind="square",
            tags=tags,
            private=[rules.is_private(said) for said in tags],
            aloft=[rules.is_aloft(said) for said in tags],
        )

    def _main_roads(self, network: Network) -> shapely.STRtree:
        """Lines of the main roads on the ground; nothing where no square asks for them."""
        if not any(tags.get("place") == "square" for tags in self.tags):
            return shapely.STRtree([])
        main = np.array([rules.road_class(tags) in _CARRIAGEWAYS for tags in network.tags], dtype=bool)
        return shapely.STRtree(network.lines()[main & ~network.aloft])


def _runs_through(roads: shapely.STRtree, free: Any) -> bool:
    """Say whether a road runs through a place called square: nobody walks straight across such a roundabout."""
    near = roads.geometries[roads.query(free, predicate="intersects")]
    return bool(shapely.length(shapely.intersection(near, free)).sum() > _TOUCH_M)


@dataclass(frozen=True)
class _Lines:
    """Lines across one square, and the corners they turn at, numbered behind the nodes there are."""

    square: int
    u: NDArray[np.int64]
    v: NDArray[np.int64]
    lon: NDArray[np.float64]
    lat: NDArray[np.float64]


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


def _keys_of(outline: Any) -> list[int]:
    lon, lat = shapely.get_coordinates(outline).T
    return [int(key) for key in place_key(lon, lat).tolist()]


def _lines(network: Network, key: str, free: Any, gates: NDArray[np.int64], square: int, n_nodes: int) -> _Lines | None:
    """Find the lines across one square; None where there is nothing to cross."""
    region = network.region
    x, y = region.to_metres.transform(network.node_lon[gates], network.node_lat[gates])
    turns = _turns(free)
    points = np.concatenate([np.column_stack([x, y]), turns])
    if len(points) > MOST_POINTS:
        log.warning(
            "square %s has %d gates and corners, more than %d: walked round its rim", key, len(points), MOST_POINTS
        )
        return None
    a, b = np.triu_indices(len(points), 1)
    room = shapely.buffer(free, _ROOM_M)
    shapely.prepare(room)
    seen = shapely.covers(room, shapely.linestrings(np.stack([points[a], points[b]], axis=1)))
    a, b = a[seen], b[seen]
    far = np.hypot(*(points[a] - points[b]).T)
    apart = far > _ROOM_M
    a, b, far = a[apart], b[apart], far[apart]
    n = len(points)
    sight = coo_matrix(
        (np.concatenate([far, far]), (np.concatenate([a, b]), np.concatenate([b, a]))), shape=(n, n)
    ).tocsr()
    _, before = dijkstra(sight, indices=np.arange(len(gates)), return_predecessors=True)
    used: set[tuple[int, int]] = set()
    for start in range(len(gates)):
        for at in range(start + 1, len(gates)):
            end = at
            while before[start, end] >= 0:
                previous = int(before[start, end])
                used.add((min(previous, end), max(previous, end)))
                end = previous
    if not used:
        return None
    pairs = np.array(sorted(used))
    corners = np.unique(pairs[pairs >= len(gates)])
    lon, lat = region.to_lonlat.transform(*points[corners].T)
    node = np.full(n, -1)
    node[: len(gates)] = gates
    node[corners] = n_nodes + np.arange(len(corners))
    return _Lines(square, node[pairs[:, 0]], node[pairs[:, 1]], np.asarray(lon), np.asarray(lat))


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
