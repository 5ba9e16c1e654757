"""Which cells are neighbours, how firmly they hang together, what parts them, and the land nearest to each."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import Voronoi, cKDTree
from shapely.geometry.base import BaseGeometry

from lifecircle.model.barriers import Barriers
from lifecircle.model.cells import Cells
from lifecircle.model.ways import is_aloft
from lifecircle.region import Region

SEVERING = ("hard_barrier", "motorway", "railway")
"""Kinds that part neighbours wherever they lie between them; water does where it is `WIDE_M` wide."""

WIDE_M = 30.0
"""Water across which neighbours do not belong together, m: an assumption; the texts say "large rivers", no number."""

EASE = {"arterial": 0.125, "collector": 0.25, "water": 0.25}
"""How much of its strength a link keeps across what divides without severing: main roads and narrow water."""

STRENGTH = 1 << 16
"""A link of two squares that share a whole side; strengths are integers, so that sums are the same in any order."""

_SEVERED = 1e-3
_CORNER = 0.01  # neighbours that share less than this part of their distance only touch at a corner
_BESIDE_M = 10.0  # zones drawn from rounded coordinates do not quite touch
_FRAME = 10.0
_CRUMB_DEG2 = 1e-13  # a square of 3 cm
_ROADS = {
    "motorway": "motorway", "motorway_link": "motorway", "trunk": "arterial", "primary": "arterial",
    "secondary": "collector",
}  # fmt: skip


def dividers(ways: pd.DataFrame, way_nodes: pd.DataFrame, lines: pd.DataFrame, region: Region) -> Barriers:
    """Gather what divides besides `Barriers`: main roads, and the bridges of motorways and railways.

    Who walks passes below a bridge, but a unit does not end and begin again there. Expressways (``motorroad`` or
    ``expressway``) count as motorways: an area stops at their red line, and at the centre line of an arterial (GB
    50180-2018, A.0.1).

    Parameters
    ----------
    ways : ``tags``
    way_nodes : ``way_ix``, ``lon``, ``lat``, ``inside``, in the order of the ways
    lines : ``tags``, ``geometry`` (lon/lat)

    Returns
    -------
    Barriers
        Of the kinds ``motorway``, ``railway``, ``arterial`` and ``collector``.
    """
    tags = ways["tags"].to_numpy()
    kinds = np.array([_road(t) for t in tags], dtype=object)
    nodes = way_nodes[(kinds != "")[way_nodes["way_ix"]] & way_nodes["inside"]]
    found = [
        (kinds[way], tags[way], shapely.LineString(part))
        for way, stretch in nodes.groupby("way_ix")
        if len(part := stretch[["lon", "lat"]].to_numpy()) > 1
    ]
    found += [
        ("railway", said, shape)
        for said, shape in zip(lines["tags"], lines["geometry"], strict=True)
        if said.get("railway") == "rail" and said.get("bridge", "no") != "no" and "service" not in said
    ]
    shapes = np.asarray(region.project(np.array([shape for *_, shape in found], dtype=object)), dtype=object)
    names = [said.get("name") or said.get("name:zh") or said.get("ref") or "" for _, said, _ in found]
    return Barriers(shapes, np.array([kind for kind, *_ in found], dtype=object), np.array(names, dtype=object))


def _road(tags: dict[str, str]) -> str:
    """Kind of divider a way is, or an empty text."""
    kind = _ROADS.get(tags["highway"], "")
    if not kind or tags.get("tunnel", "no") != "no":
        return ""
    if "yes" in {tags.get("motorroad"), tags.get("expressway")}:
        kind = "motorway"
    # A bridge of a lesser road crosses over what it might divide.
    return "" if kind != "motorway" and is_aloft(tags) else kind


@dataclass(frozen=True, eq=False, repr=False)
class Links:
    """Pairs of neighbouring cells: those whose nearest land meets. A zone's cells always hang together.

    Attributes
    ----------
    a, b : (n,) int64, a < b
        Positions of the cells in reading order.
    shared_cm : (n,) int64
        Length of the boundary between them inside the region, cm; 0 where only land of others lies between.
    strength : (n,) int64, > 0
        Shared boundary over distance, in `STRENGTH`, less across what divides.
    severed : (n,) bool
        Whether something lies between that a unit should not be cut by.
    across : (n,) object
        Its kind and name, or an empty text.
    inner : (n,) bool
        Whether both cells are in one zone.
    """

    a: NDArray[np.int64]
    b: NDArray[np.int64]
    shared_cm: NDArray[np.int64]
    strength: NDArray[np.int64]
    severed: NDArray[np.bool_]
    across: NDArray[np.object_]
    inner: NDArray[np.bool_]

    def __post_init__(self) -> None:
        for array in vars(self).values():
            array.flags.writeable = False

    def __len__(self) -> int:
        return len(self.a)

    def together(self, n: int, kept: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Say which of n cells hang together by the links kept, (n,) counted from 0 in reading order."""
        return components(n, self.a[kept], self.b[kept])


@dataclass(frozen=True, eq=False, repr=False)
class Land:
    """The land nearest to each cell: where that of two cells meets, zone by zone.

    Attributes
    ----------
    xy : (n_cells, 2) float64, metre CRS, in reading order
    zone : (n_cells,) int16
    a, b : (n_ridges,) int64
        Cells on either side of each ridge.
    ends : (n_ridges, 2, 2) float64, metre CRS
    of : (n_ridges,) int64
        Zone each ridge is drawn in.
    """

    xy: NDArray[np.float64]
    zone: NDArray[np.int16]
    a: NDArray[np.int64]
    b: NDArray[np.int64]
    ends: NDArray[np.float64]
    of: NDArray[np.int64]
    region: Region

    def polygons(self, label: NDArray[np.int64]) -> list[BaseGeometry]:
        """Draw the land of each label, lon/lat: together they are the region, and none overlaps another.

        Parameters
        ----------
        label : (n_cells,) int64, every number from 0 on
        """
        pieces: list[list[BaseGeometry]] = [[] for _ in range(int(label.max()) + 1)]
        between = np.flatnonzero(label[self.a] != label[self.b])
        for ix, zone in enumerate(self.region.zones):
            mine = between[self.of[between] == ix]
            lines = self.region.unproject(shapely.linestrings(self.ends[mine]))
            shapely.prepare(zone.geometry)
            lines = lines[shapely.intersects(zone.geometry, lines)]
            faces = np.array([zone.geometry], dtype=object)
            if len(lines):
                drawn = shapely.union_all([*lines, zone.geometry.boundary])
                faces = shapely.get_parts(shapely.polygonize(shapely.get_parts(drawn)))
                inside = shapely.point_on_surface(faces)
                faces = faces[shapely.intersects(zone.geometry, inside)]
            lived = np.flatnonzero(self.zone == ix) if (self.zone == ix).any() else np.arange(len(self.xy))
            places = shapely.get_coordinates(self.region.project(shapely.point_on_surface(faces)))
            owner = label[lived[cKDTree(self.xy[lived]).query(places)[1]]]
            order = np.argsort(owner, kind="stable")
            starts = np.flatnonzero(np.diff(owner[order], prepend=-1))
            for group in np.split(order, starts[1:]):
                pieces[int(owner[group[0]])].append(
                    faces[group[0]] if len(group) == 1 else shapely.coverage_union_all(faces[group])
                )
        return [_whole(own) for own in pieces]


def components(n: int, a: NDArray[np.int64], b: NDArray[np.int64]) -> NDArray[np.int64]:
    """Tell which connected part of a graph each node is in, (n,) counted from 0 in the order of their first nodes."""
    _, label = connected_components(coo_array((np.ones(len(a)), (a, b)), shape=(n, n)), directed=False)
    _, first, back = np.unique(label, return_index=True, return_inverse=True)
    rank = np.empty(len(first), dtype=np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    return rank[back]


def neighbours(
    cells: Cells, order: NDArray[np.int64], barriers: Barriers, roads: Barriers | None = None
) -> tuple[Links, Land]:
    """Link every cell with those whose nearest land meets its own.

    Land is dealt out zone by zone (Voronoi), so that the cells of a zone hang together; cells of different zones are
    neighbours where their land would meet if there were no zones, and the zones do.

    Parameters
    ----------
    order : (n_cells,) int64
        Cells in reading order.
    barriers : Barriers
    roads : Barriers, optional
        See `dividers`.
    """
    region = cells.region
    xy, zone = cells.corners.mean(axis=1)[order], cells.zone[order]
    outlines = [region.project_outline(z.geometry) for z in region.zones]
    whole = region.project_outline(region.boundary)
    rows: list[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64], NDArray[np.int64], int]] = []
    rim = np.zeros(len(xy), dtype=bool)
    lived_in = np.bincount(zone, minlength=len(outlines)) > 0
    everywhere = None if lived_in.all() else _ridges(xy, whole.bounds)  # land of nobody goes to the nearest of all
    for ix, outline in enumerate(outlines):
        mine = np.flatnonzero(zone == ix)
        lived = mine if len(mine) else np.arange(len(xy))
        a, b, ends = _ridges(xy[lived], outline.bounds) if len(mine) or everywhere is None else everywhere
        shared, outside = _inside(ends, outline)
        a, b = lived[a], lived[b]
        rows.append((a, b, ends, shared, ix))
        if len(mine):
            rim[np.unique(np.concatenate([a[outside], b[outside], mine if len(mine) < 4 else mine[:0]]))] = True  # noqa: PLR2004
    land = Land(
        xy, zone, np.concatenate([r[0] for r in rows]), np.concatenate([r[1] for r in rows]),
        np.concatenate([r[2] for r in rows]), np.concatenate([np.full(len(r[0]), r[4]) for r in rows]), region,
    )  # fmt: skip
    kept = lived_in[land.of]
    a, b, shared = land.a[kept], land.b[kept], np.concatenate([r[3] for r in rows])[kept]
    real = _hanging(len(xy), a, b, shared, np.hypot(*(xy[a] - xy[b]).T))
    a, b, shared = a[real], b[real], shared[real]
    inner_n = len(a)
    if lived_in.sum() > 1:
        further = _across_zones(xy, zone, np.flatnonzero(rim), outlines, whole)
        a, b, shared = (np.concatenate([one, more]) for one, more in zip((a, b, shared), further, strict=True))
    a, b = np.minimum(a, b), np.maximum(a, b)
    by_cell = np.lexsort((b, a))
    a, b, shared, inner = a[by_cell], b[by_cell], shared[by_cell], (np.arange(len(a)) < inner_n)[by_cell]
    ease, across = _between(xy[a], xy[b], barriers, roads)
    severed = (across != "") | (shared == 0)
    far_cm = np.hypot(*(xy[a] - xy[b]).T) * 100
    strength = np.minimum(shared / far_cm, 4.0) * ease * np.where(severed, _SEVERED, 1.0)
    links = Links(
        a, b, shared, np.maximum(1, np.floor(strength * STRENGTH + 0.5)).astype(np.int64), severed, across, inner
    )
    return links, land


def _ridges(
    xy: NDArray[np.float64], bounds: tuple[float, float, float, float]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Pairs of places whose nearest land meets, and the straight lines where it does."""
    corners = np.array([bounds[:2], bounds[2:], *xy])
    middle = (corners.min(axis=0) + corners.max(axis=0)) / 2
    far = _FRAME * max(1000.0, float(np.ptp(corners, axis=0).max()))
    # Four places far outside close the land of the outermost cells, and no set of cells is too small or too straight.
    frame = far * np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]])
    drawn = Voronoi(np.vstack([xy - middle, frame]))
    real = (drawn.ridge_points < len(xy)).all(axis=1)
    pair = drawn.ridge_points[real].astype(np.int64)
    vertex = np.array(drawn.ridge_vertices, dtype=np.int64)[real]
    return pair[:, 0], pair[:, 1], drawn.vertices[vertex] + middle


def _inside(ends: NDArray[np.float64], outline: BaseGeometry) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """How much of each line lies in an outline, cm, and which lines leave it."""
    shapely.prepare(outline)
    within = shapely.contains_xy(outline, ends[:, 0, 0], ends[:, 0, 1])
    within &= shapely.contains_xy(outline, ends[:, 1, 0], ends[:, 1, 1])
    length = np.hypot(*(ends[:, 1] - ends[:, 0]).T)
    leaving = ~within
    length[leaving] = shapely.length(shapely.intersection(shapely.linestrings(ends[leaving]), outline))
    return np.floor(length * 100 + 0.5).astype(np.int64), leaving


def _hanging(
    n: int, a: NDArray[np.int64], b: NDArray[np.int64], shared_cm: NDArray[np.int64], far_m: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Which links to keep: not those of cells that touch at a corner, unless nothing else joins them."""
    kept = shared_cm >= _CORNER * far_m * 100
    part = components(n, a[kept], b[kept])
    rest = np.flatnonzero(~kept & (part[a] != part[b]))
    rest = rest[np.lexsort((b[rest], a[rest], far_m[rest]))]
    owner: dict[int, int] = {}

    def top(ix: int) -> int:
        while owner.get(ix, ix) != ix:
            ix = owner[ix]
        return ix

    for link in rest.tolist():  # the shortest first: few, for most parts hang together by themselves
        one, other = top(int(part[a[link]])), top(int(part[b[link]]))
        if one != other:
            owner[max(one, other)] = min(one, other)
            kept[link] = True
    return kept


def _across_zones(
    xy: NDArray[np.float64], zone: NDArray[np.int16], rim: NDArray[np.int64], outlines: list[BaseGeometry],
    whole: BaseGeometry,
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:  # fmt: skip
    """Neighbours in different zones, among the cells at the rims of their zones."""
    a, b, ends = _ridges(xy[rim], whole.bounds)
    a, b = rim[a], rim[b]
    other = zone[a] != zone[b]
    a, b, ends = a[other], b[other], ends[other]
    tree = shapely.STRtree(outlines)
    beside = np.zeros((len(outlines), len(outlines)), dtype=bool)
    beside[tuple(tree.query(outlines, predicate="dwithin", distance=_BESIDE_M))] = True
    shared, _ = _inside(ends, whole)
    real = (shared >= _CORNER * np.hypot(*(xy[a] - xy[b]).T) * 100) & beside[zone[a], zone[b]]
    return a[real], b[real], shared[real]


def _between(
    one: NDArray[np.float64], other: NDArray[np.float64], barriers: Barriers, roads: Barriers | None
) -> tuple[NDArray[np.float64], NDArray[np.object_]]:
    """How easily neighbours join across what lies straight between them, and the name of what severs them."""
    lines = shapely.linestrings(np.stack([one, other], axis=1))
    ease, across = np.ones(len(lines)), np.full(len(lines), "", dtype=object)
    for found in (barriers, roads):
        if found is None or not len(found.shape) or not len(lines):
            continue
        line, thing = shapely.STRtree(found.shape).query(lines, predicate="intersects")
        kind, shape = found.kind[thing], found.shape[thing]
        area = (kind == "water") & (shapely.get_dimensions(shape) == 2)  # noqa: PLR2004
        wet = shapely.intersection(lines[line[area]], _valid(shape[area]))
        wet_m = np.bincount(line[area], weights=shapely.length(wet), minlength=len(lines))
        for name, factor in EASE.items():
            ease[line[kind == name]] = np.minimum(ease[line[kind == name]], factor)
        hard = np.isin(kind, SEVERING) | (area & (wet_m[line] >= WIDE_M))
        line, thing, kind = line[hard], thing[hard], kind[hard]
        by = np.lexsort((thing, kind == "water", line))
        first = by[np.flatnonzero(np.diff(line[by], prepend=-1))]
        first = first[across[line[first]] == ""]
        names = zip(kind[first], found.name[thing[first]], strict=True)
        across[line[first]] = [f"{what} {name}" if name else what for what, name in names]
    return ease, across


def _valid(shapes: NDArray[np.object_]) -> NDArray[np.object_]:
    broken = ~shapely.is_valid(shapes)
    if broken.any():
        shapes = shapes.copy()
        shapes[broken] = shapely.make_valid(shapes[broken])
    return shapes


def _whole(pieces: list[BaseGeometry]) -> BaseGeometry:
    """Join the pieces of different zones, without the hairs that rounding leaves between them."""
    if len(pieces) == 1:
        return pieces[0]
    made = [
        shapely.Polygon(part.exterior, [ring for ring in part.interiors if shapely.Polygon(ring).area > _CRUMB_DEG2])
        for part in shapely.get_parts(shapely.union_all(pieces))
        if part.geom_type == "Polygon"
    ]
    return made[0] if len(made) == 1 else shapely.MultiPolygon(made)
