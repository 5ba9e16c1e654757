"""What nobody crosses to reach a path: water, railways and motorways on the ground."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from lifecircle.model.ways import is_aloft
from lifecircle.region import Region

_MOST_CORNERS = 256
_TOUCH_DEG = 1e-9
_FIRST_CUT = 1 << 51  # ids of nodes where a way ends at a hard barrier: no OSM node has one so large
_SMALLEST_M = 50.0
_WATERWAYS = frozenset({"river", "canal", "stream", "drain", "ditch"})


@dataclass(frozen=True, eq=False, repr=False)
class Barriers:
    """Barriers of a region.

    Attributes
    ----------
    shape : (n,) shapely geometries, metre CRS
        Large areas in pieces.
    kind : (n,) object
        ``water``, ``railway``, ``motorway`` or ``hard_barrier``.
    name : (n,) object
        Name, or an empty text.
    """

    shape: NDArray[np.object_]
    kind: NDArray[np.object_]
    name: NDArray[np.object_]

    @classmethod
    def of(
        cls, ways: pd.DataFrame, way_nodes: pd.DataFrame, lines: pd.DataFrame, features: pd.DataFrame, region: Region
    ) -> "Barriers":
        """Gather the barriers of a source's frames.

        Parameters
        ----------
        ways, way_nodes : streets, as `Network.from_osm` takes them
        lines : ``tags``, ``geometry`` (lon/lat) of waterways and railways
        features : ``tags``, ``geometry`` (lon/lat) of areas
        region : Region
        """
        found = [
            ("water", tags, shape)
            for tags, shape in zip(features["tags"], features["geometry"], strict=True)
            if _is_water(tags, shape)
        ]
        for tags, shape in zip(lines["tags"], lines["geometry"], strict=True):
            if tags.get("tunnel", "no") == "no" and tags.get("bridge", "no") == "no":
                if tags.get("waterway") in _WATERWAYS:
                    found.append(("water", tags, shape))
                elif tags.get("railway") == "rail":
                    found.append(("railway", tags, shape))
        all_tags = ways["tags"].to_numpy()
        fast = {"motorway", "motorway_link"}
        road = np.array([t["highway"] in fast and not is_aloft(t) for t in all_tags], dtype=bool)
        nodes = way_nodes[road[way_nodes["way_ix"]] & way_nodes["inside"]]
        found += [
            ("motorway", all_tags[way], shapely.LineString(part))
            for way, stretch in nodes.groupby("way_ix")
            if len(part := stretch[["lon", "lat"]].to_numpy()) > 1
        ]
        found += [("hard_barrier", {}, shape) for shape in region.hard_barriers]
        names = [tags.get("name") or tags.get("name:zh") or tags.get("ref") or "" for _, tags, _ in found]
        shapes = np.asarray(region.project(np.array([shape for *_, shape in found], dtype=object)), dtype=object)
        parts = [_cut_up(shape) for shape in shapes]
        of = np.repeat(np.arange(len(shapes)), [len(part) for part in parts])
        return cls(
            np.array([piece for part in parts for piece in part], dtype=object),
            np.array([kind for kind, *_ in found], dtype=object)[of],
            np.array(names, dtype=object)[of],
        )

    def between(self, one: NDArray[np.object_], other: NDArray[np.object_]) -> NDArray[np.object_]:
        """Name the nearest of what a straight line from each of some places to its other one meets, (n,) str or empty.

        Parameters
        ----------
        one, other : (n,) shapely geometries, metre CRS
        """
        said = np.full(len(one), "", dtype=object)
        if not len(one) or not len(self.shape):
            return said
        lines = shapely.shortest_line(one, other)
        line, barrier = shapely.STRtree(self.shape).query(lines, predicate="intersects")
        far = np.zeros(len(line))
        several = np.flatnonzero(np.bincount(line, minlength=len(one))[line] > 1)
        far[several] = shapely.distance(one[line[several]], self.shape[barrier[several]])
        order = np.lexsort((barrier, far, line))
        line, barrier = line[order], barrier[order]
        first = np.flatnonzero(np.diff(line, prepend=-1))
        names = zip(self.kind[barrier[first]], self.name[barrier[first]], strict=True)
        said[line[first]] = [f"{kind} {name}" if name else kind for kind, name in names]
        return said


def parted(
    way_ix: NDArray[np.int32], position: NDArray[np.int32], ref: NDArray[np.int64], lon: NDArray[np.float64],
    lat: NDArray[np.float64], region: Region, grounded: NDArray[np.bool_],
) -> tuple[NDArray[Any], ...]:  # fmt: skip
    """Part the ways that meet hard barriers on the ground: each stretch gets an end before the barrier and one beyond.

    Returns the rows, with those ends among them, and which of them have nothing before them, (n_rows,) bool.
    """
    rows: list[NDArray[Any]] = [way_ix, position, ref, lon, lat, np.zeros(len(way_ix), dtype=bool)]
    if not region.hard_barriers or len(way_ix) < 2:  # noqa: PLR2004
        return tuple(rows)
    last = np.flatnonzero((way_ix[1:] == way_ix[:-1]) & (position[1:] == position[:-1] + 1) & grounded[way_ix[1:]]) + 1
    xy = np.column_stack([lon, lat])
    stretch = shapely.linestrings(np.stack([xy[last - 1], xy[last]], axis=1))
    barrier = shapely.union_all(region.hard_barriers)
    shapely.prepare(barrier)
    met = np.flatnonzero(shapely.intersects(stretch, barrier))
    if not len(met):
        return tuple(rows)
    free = shapely.difference(stretch[met], barrier)
    lost = shapely.length(stretch[met]) - shapely.length(free) > _TOUCH_DEG  # to touch a corner is not to cross
    met, free = met[lost], free[lost]
    made: list[tuple[Any, ...]] = []  # what to insert before which row
    for row, parts in zip(last[met].tolist(), free, strict=True):
        ends = {tuple(xy[row - 1]): None, tuple(xy[row]): None}
        for part in () if shapely.is_empty(parts) else shapely.get_parts(parts):
            a, b = (tuple(end) for end in shapely.get_coordinates(part)[[0, -1]])
            ends |= {near: far for near, far in ((a, b), (b, a)) if near in ends}
        before, after = ends[tuple(xy[row - 1])], ends[tuple(xy[row])]
        if before is not None:
            made.append((row, way_ix[row], position[row - 1] + 1, *before, False))
        if after is not None:
            made.append((row, way_ix[row], position[row] - 1, *after, True))
        else:  # a node inside the barrier: nothing leads to it
            rows[-1][row] = True
    if not made:
        return tuple(rows)
    where, way, at, east, north, cut = (np.array(column) for column in zip(*made, strict=True))
    new: tuple[NDArray[Any], ...] = (way, at, _FIRST_CUT + np.arange(len(made)), east, north, cut)
    return tuple(np.insert(own, where, more.astype(own.dtype)) for own, more in zip(rows, new, strict=True))


def _cut_up(shape: Any) -> list[Any]:
    """Cut a large area into pieces of few corners: what asks a piece need not walk the shore of the whole sea."""
    if shapely.get_dimensions(shape) < 2 or shapely.get_num_coordinates(shape) <= _MOST_CORNERS:  # noqa: PLR2004
        return [shape]
    west, south, east, north = shape.bounds
    if max(east - west, north - south) < _SMALLEST_M:
        return [shape]
    shape = shape if shape.is_valid else shapely.make_valid(shape, method="structure", keep_collapsed=False)
    if east - west > north - south:
        middle = (west + east) / 2
        halves = shapely.box(west, south, middle, north), shapely.box(middle, south, east, north)
    else:
        middle = (south + north) / 2
        halves = shapely.box(west, south, east, middle), shapely.box(west, middle, east, north)
    pieces = [shapely.intersection(shape, half) for half in halves]
    return [part for piece in pieces if not piece.is_empty for part in _cut_up(piece)]


def water(features: pd.DataFrame) -> list[Any]:
    """Pick the water areas, lon/lat polygons."""
    pairs = zip(features["tags"], features["geometry"], strict=True)
    return [shape for tags, shape in pairs if _is_water(tags, shape)]


def _is_water(tags: dict[str, str], shape: Any) -> bool:
    wet = tags.get("natural") == "water" or tags.get("waterway") == "riverbank"
    return wet and bool(shape.geom_type.endswith("Polygon"))
