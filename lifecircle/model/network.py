"""The pedestrian network: who may walk where is decided here, and what each arc costs."""

import logging
from dataclasses import dataclass
from functools import cached_property
from html import escape
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from lifecircle.errors import DataError
from lifecircle.profiles import Profile
from lifecircle.region import Region, geodesic_length

if TYPE_CHECKING:
    import geopandas as gpd
    import networkx as nx

log = logging.getLogger(__name__)

WALKABLE = frozenset(
    {
        "footway",
        "path",
        "pedestrian",
        "steps",
        "living_street",
        "residential",
        "service",
        "unclassified",
        "road",
        "track",
    }
    | {"tertiary", "tertiary_link", "secondary", "secondary_link", "primary", "primary_link", "trunk", "trunk_link"}
    | {"cycleway", "bridleway", "platform", "crossing", "elevator"}
)
"""``highway`` values a walker may use when no other tag speaks."""

_UNBUILT = frozenset({"construction", "proposed", "planned", "abandoned", "razed", "disused", "demolished", "no"})
CLOSED = _UNBUILT | {
    "motorway",
    "motorway_link",
    "busway",
    "bus_guideway",
    "raceway",
    "escape",
    "corridor",
    "via_ferrata",
}
"""``highway`` values closed to walkers unless ``foot`` says otherwise (the unbuilt stay closed whatever it says)."""

PRIVATE = frozenset({"private", "residents", "customers", "permit"})
"""``access`` or ``foot`` values of ways that are not for everybody."""

_FOOT_YES = PRIVATE | {"yes", "designated", "permissive", "official", "destination", "use_sidepath"}
_FOOT_NO = frozenset({"no", "never", "restricted", "discouraged"})
_ACCESS_NO = frozenset({"no", "military", "emergency"})
_WHEELS = frozenset({"yes", "designated"})
_FOOT_ONE_WAY = {"yes": 1, "true": 1, "1": 1, "-1": -1, "reverse": -1}


def walkable(tags: dict[str, str]) -> bool:
    """Decide whether a way may be walked.

    ``foot`` beats ``access``; private ways stay (people live on them); one-way streets bind no walker; streets whose
    sidewalk is mapped separately stay. Motorways, what is not built, indoor corridors, ferries and ``foot=no`` are
    closed.

    Examples
    --------
    >>> walkable({"highway": "service", "access": "private"})
    True
    >>> walkable({"highway": "cycleway", "foot": "designated"})
    True
    >>> walkable({"highway": "residential", "access": "no"})
    False
    """
    highway = tags.get("highway", "")
    if highway in _UNBUILT or tags.get("indoor") == "yes" or tags.get("route") == "ferry":
        return False
    foot = tags.get("foot")
    if foot in _FOOT_YES:
        return highway in WALKABLE or highway in CLOSED
    if foot in _FOOT_NO or highway not in WALKABLE:
        return False
    if tags.get("motorroad") == "yes":
        return False
    return tags.get("access") not in _ACCESS_NO


def has_steps(tags: dict[str, str]) -> bool:
    """Say whether a way is stairs without a ramp for wheels."""
    return tags.get("highway") == "steps" and tags.get("ramp:wheelchair") not in _WHEELS


def one_way(tags: dict[str, str]) -> int:
    """Say which way walkers must go: 1 as the way is drawn, -1 against it, 0 as they like.

    ``oneway`` speaks of vehicles and binds no walker; ``oneway:foot`` and ``foot:backward`` do
    (wiki.openstreetmap.org/wiki/Key:oneway:foot).
    """
    if tags.get("foot:backward") in _FOOT_NO:
        return 1
    if tags.get("foot:forward") in _FOOT_NO:
        return -1
    return _FOOT_ONE_WAY.get(tags.get("oneway:foot", "no"), 0)


def is_aloft(tags: dict[str, str]) -> bool:
    """Say whether a way runs above or below the ground it crosses."""
    return (
        tags.get("bridge", "no") != "no"
        or tags.get("tunnel", "no") != "no"
        or tags.get("layer", "0") not in {"0", "+0"}
    )


@dataclass(frozen=True, eq=False, repr=False)
class Network:
    """Nodes, edges and what it costs to walk each edge either way.

    Attributes
    ----------
    node_id : (n_nodes,) int64
        OSM node ids, ascending.
    node_lon, node_lat : (n_nodes,) float64, degrees
    edge_u, edge_v : (n_edges,) int32
        Positions of the end nodes.
    edge_way : (n_edges,) int64
        OSM way of each edge.
    edge_first : (n_edges,) int32
        Index of the edge's first node reference in its way; with ``edge_way`` the stable key.
    length_m : (n_edges,) float64, geodesic m
    kind : (n_edges,) object
        The way's ``highway``.
    steps, private : (n_edges,) bool
    aloft : (n_edges,) bool
        On a bridge, in a tunnel, or on another level than the ground: what it crosses it does not meet.
    offsets : (n_edges + 1,) int64
        Slices of ``lon``, ``lat``: the edge's line from u to v.
    lon, lat : (n_points,) float64, degrees
    component : (n_nodes,) int32
        Connected component of each node, numbered by falling size in nodes.
    one_way : (n_edges,) int8 or None
        1 where walkers may only go from u to v, -1 where only from v to u; None where no edge binds them.
    tags : (n_edges,) object or None
        Tags of each edge's way, for what profiles bar by tags; None bars nothing.
    """

    node_id: NDArray[np.int64]
    node_lon: NDArray[np.float64]
    node_lat: NDArray[np.float64]
    edge_u: NDArray[np.int32]
    edge_v: NDArray[np.int32]
    edge_way: NDArray[np.int64]
    edge_first: NDArray[np.int32]
    length_m: NDArray[np.float64]
    kind: NDArray[np.object_]
    steps: NDArray[np.bool_]
    private: NDArray[np.bool_]
    aloft: NDArray[np.bool_]
    offsets: NDArray[np.int64]
    lon: NDArray[np.float64]
    lat: NDArray[np.float64]
    component: NDArray[np.int32]
    region: Region
    one_way: NDArray[np.int8] | None = None
    tags: NDArray[np.object_] | None = None

    def __post_init__(self) -> None:
        n_edges = len(self.edge_u)
        if n_edges == 0:
            raise DataError("the data holds no street a walker may use in this region; check the boundary and extract")
        if len(self.offsets) != n_edges + 1 or self.offsets[-1] != len(self.lon):
            raise DataError("edge lines and edges do not match in number")
        if not np.isfinite(self.length_m).all() or (self.length_m < 0).any():
            raise DataError("edge lengths must be finite and not negative")
        for array in vars(self).values():
            if isinstance(array, np.ndarray):
                array.flags.writeable = False

    @classmethod
    def from_osm(cls, ways: pd.DataFrame, way_nodes: pd.DataFrame, region: Region) -> "Network":
        """Build the network from the street frames of a source.

        Parameters
        ----------
        ways : ``way_id`` int64, ``tags`` dict
        way_nodes : ``way_ix``, ``position``, ``node_id``, ``lon``, ``lat``, ``inside``, in the order of the ways
        region : Region

        Raises
        ------
        DataError
            No way is walkable.
        """
        tags = ways["tags"].to_numpy()
        open_way = np.array([walkable(t) for t in tags], dtype=bool)
        rows = open_way[way_nodes["way_ix"].to_numpy()] & way_nodes["inside"].to_numpy()
        way_ix = way_nodes["way_ix"].to_numpy()[rows]
        position = way_nodes["position"].to_numpy()[rows]
        ref = way_nodes["node_id"].to_numpy()[rows]
        lon, lat = way_nodes["lon"].to_numpy()[rows], way_nodes["lat"].to_numpy()[rows]
        first, last = _edge_slices(way_ix, position, ref)
        span = last - first + 1
        offsets = np.concatenate([[0], np.cumsum(span)]).astype(np.int64)
        take = np.repeat(first - offsets[:-1], span) + np.arange(offsets[-1])
        edge_lon, edge_lat = lon[take], lat[take]
        node_id, u_first = np.unique(np.concatenate([ref[first], ref[last]]), return_index=True)
        ends = np.concatenate([first, last])[u_first]
        edge_u = np.searchsorted(node_id, ref[first]).astype(np.int32)
        edge_v = np.searchsorted(node_id, ref[last]).astype(np.int32)
        way = way_ix[first]
        stairs = np.array([has_steps(t) for t in tags], dtype=bool)
        private = np.array([t.get("foot", t.get("access")) in PRIVATE for t in tags], dtype=bool)
        aloft = np.array([is_aloft(t) for t in tags], dtype=bool)
        kinds = np.array([t["highway"] for t in tags], dtype=object)
        network = cls(
            node_id=node_id,
            node_lon=lon[ends],
            node_lat=lat[ends],
            edge_u=edge_u,
            edge_v=edge_v,
            edge_way=ways["way_id"].to_numpy()[way],
            edge_first=position[first].astype(np.int32),
            length_m=_line_lengths(edge_lon, edge_lat, offsets),
            kind=kinds[way],
            steps=stairs[way],
            private=private[way],
            aloft=aloft[way],
            offsets=offsets,
            lon=edge_lon,
            lat=edge_lat,
            component=_components(len(node_id), edge_u, edge_v),
            region=region,
            one_way=np.array([one_way(t) for t in tags], dtype=np.int8)[way],
            tags=tags[way],
        )
        log.info("network: %d nodes, %d edges of %d ways", len(node_id), len(edge_u), int(open_way.sum()))
        return network

    @property
    def n_nodes(self) -> int:
        """Number of nodes."""
        return len(self.node_id)

    @property
    def n_edges(self) -> int:
        """Number of edges."""
        return len(self.edge_u)

    @property
    def edge_id(self) -> NDArray[np.object_]:
        """Stable keys ``<way>:<index of its first node ref>``, (n_edges,) str."""
        return np.array(
            [f"{way}:{first}" for way, first in zip(self.edge_way.tolist(), self.edge_first.tolist(), strict=True)],
            dtype=object,
        )

    def lines(self) -> NDArray[np.object_]:
        """Edge lines in the region's metre CRS, (n_edges,) shapely LineString."""
        return self._lines.copy()

    @cached_property
    def _lines(self) -> NDArray[np.object_]:
        x, y = self.region.to_metres.transform(self.lon, self.lat)
        which = np.repeat(np.arange(self.n_edges), np.diff(self.offsets))
        return np.asarray(shapely.linestrings(np.column_stack([x, y]), indices=which), dtype=object)

    def part_length_m(self) -> NDArray[np.float64]:
        """Street in the connected part each edge belongs to, (n_edges,) m."""
        part = self.component[self.edge_u]
        return np.asarray(np.bincount(part, weights=self.length_m)[part], dtype=np.float64)

    def walked_by(self, profile: Profile) -> NDArray[np.bool_]:
        """Edges a profile may use, (n_edges,) bool."""
        usable = np.ones(self.n_edges, dtype=bool) if profile.steps else ~self.steps
        if self.tags is not None and (profile.barred or profile.min_width_m is not None):
            _, first, way = np.unique(self.edge_way, return_index=True, return_inverse=True)
            keys = profile.barring_keys  # few ways have any of them
            barred = [not keys.isdisjoint(tags) and profile.bars(tags) for tags in self.tags[first]]
            usable &= ~np.array(barred, dtype=bool)[way]
        return usable

    def ticks(
        self, profile: Profile, elevation_m: NDArray[np.float64] | None = None
    ) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """Cost of each edge from u to v and from v to u.

        Parameters
        ----------
        profile : Profile
        elevation_m : (n_nodes,) float64 or None
            Height of each node; NaN where unknown. The grade of an edge is that between its ends, so that a bridge
            or a tunnel is level between its heads whatever lies under or over it.

        Returns
        -------
        ticks_uv, ticks_vu : (n_edges,) int32, 1/32 s or 1/32 m
            -1 where the profile may not walk.
        """
        grade = None
        if elevation_m is not None:
            rise = elevation_m[self.edge_v] - elevation_m[self.edge_u]
            with np.errstate(divide="ignore", invalid="ignore"):
                grade = np.where(self.length_m > 0, rise / self.length_m, 0.0)
        open_edge = self.walked_by(profile)
        there = profile.ticks(self.length_m, grade)
        back = profile.ticks(self.length_m, None if grade is None else -grade)
        forth_open, back_open = open_edge, open_edge
        if self.one_way is not None:
            forth_open, back_open = open_edge & (self.one_way >= 0), open_edge & (self.one_way <= 0)
        return np.where(forth_open, there, -1).astype(np.int32), np.where(back_open, back, -1).astype(np.int32)

    def to_geodataframe(self) -> "gpd.GeoDataFrame":
        """One row per edge in the region's metre CRS: ``edge_id, u, v, length_m, osm_way_id, kind, geometry``."""
        import geopandas as gpd

        return gpd.GeoDataFrame(
            {
                "edge_id": self.edge_id,
                "u": self.node_id[self.edge_u],
                "v": self.node_id[self.edge_v],
                "length_m": self.length_m,
                "osm_way_id": self.edge_way,
                "kind": self.kind,
            },
            geometry=self.lines(),
            crs=self.region.crs,
        )

    def to_networkx(self) -> "nx.MultiDiGraph":
        """Build a graph as osmnx makes it: nodes with ``x``, ``y``, edges with ``osmid``, ``length``, ``highway``."""
        import networkx as nx

        graph = nx.MultiDiGraph(crs="EPSG:4326", name=self.region.name, simplified=True)
        graph.add_nodes_from(
            (node, {"x": x, "y": y})
            for node, x, y in zip(self.node_id.tolist(), self.node_lon.tolist(), self.node_lat.tolist(), strict=True)
        )
        points = np.column_stack([self.lon, self.lat])
        for edge in range(self.n_edges):
            u, v = int(self.node_id[self.edge_u[edge]]), int(self.node_id[self.edge_v[edge]])
            line = shapely.LineString(points[self.offsets[edge] : self.offsets[edge + 1]])
            said = {
                "osmid": int(self.edge_way[edge]),
                "highway": str(self.kind[edge]),
                "length": float(self.length_m[edge]),
                "oneway": False,
            }
            graph.add_edge(u, v, **said, reversed=False, geometry=line)
            graph.add_edge(v, u, **said, reversed=True, geometry=line.reverse())
        return graph

    def _repr_html_(self) -> str:
        kinds, counts = np.unique(self.kind.astype(str), return_counts=True)
        total = pd.Series(self.length_m).groupby(self.kind.astype(str)).sum()
        rows = "".join(
            f"<tr><td>{escape(kind)}</td><td>{count}</td><td>{total[kind] / 1000:.1f}</td></tr>"
            for kind, count in zip(kinds.tolist(), counts.tolist(), strict=True)
        )
        head = "<tr><th>kind</th><th>edges</th><th>km</th></tr>"
        return f"<p>Network: {self.n_nodes} nodes, {self.n_edges} edges</p><table>{head}{rows}</table>"


def _edge_slices(
    way_ix: NDArray[np.int32], position: NDArray[np.int32], ref: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First and last row of every edge: a run of one way between junctions, way ends or the edge of the data.

    A junction is a node that walkable ways use more than once (a way that meets itself included).
    """
    n = len(ref)
    if n == 0:
        empty = np.array([], dtype=np.int64)
        return empty, empty
    opens = np.ones(n, dtype=bool)  # the row begins an unbroken run
    opens[1:] = (way_ix[1:] != way_ix[:-1]) | (position[1:] != position[:-1] + 1)
    closes = np.append(opens[1:], True)
    _, inverse, uses = np.unique(ref, return_inverse=True, return_counts=True)
    node = opens | closes | (uses[inverse] > 1)
    at = np.flatnonzero(node)
    first, last = at[:-1], at[1:]
    same_run = ~opens[last]
    first, last = first[same_run], last[same_run]
    # A node written twice in a row makes an edge of no length from itself to itself: nobody can stand on it.
    real = ~((ref[first] == ref[last]) & (last == first + 1))
    return first[real].astype(np.int64), last[real].astype(np.int64)


def _line_lengths(
    lon: NDArray[np.float64], lat: NDArray[np.float64], offsets: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Geodesic length of each line, m, added up in the order of its points."""
    if len(lon) == 0:
        return np.zeros(0)
    step = geodesic_length(lon[:-1], lat[:-1], lon[1:], lat[1:])
    step = np.append(step, 0.0)
    step[offsets[1:] - 1] = 0.0  # from one line's end to the next line's start
    return np.add.reduceat(step, offsets[:-1])


def _components(n: int, u: NDArray[np.int32], v: NDArray[np.int32]) -> NDArray[np.int32]:
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    graph = coo_matrix((np.ones(len(u), dtype=np.int8), (u, v)), shape=(n, n))
    _, label = connected_components(graph, directed=False)
    order = np.argsort(-np.bincount(label), kind="stable") if n else np.array([], dtype=np.int64)
    rank = np.empty(len(order), dtype=np.int32)
    rank[order] = np.arange(len(order), dtype=np.int32)
    return np.asarray(rank[label], dtype=np.int32)
