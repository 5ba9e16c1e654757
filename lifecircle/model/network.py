"""The pedestrian network: who may walk where is decided here, and what each arc costs."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from lifecircle.errors import DataError
from lifecircle.model import ways as rules
from lifecircle.model.barriers import parted
from lifecircle.profiles import Profile
from lifecircle.region import Region, geodesic_length

if TYPE_CHECKING:
    import geopandas as gpd
    import networkx as nx

    from lifecircle.model.squares import Squares

log = logging.getLogger(__name__)

STREET, LEAVING, ARRIVING, OUT, IN = range(5)
"""Roles of edges: public ways, the two copies of private ones, and the links between these and the public network."""

_FIRST_COPY = 1 << 52
"""Node ids from here on are no OSM nodes; the largest are still whole in a float64."""


_OF_EDGES = (
    *("edge_id", "edge_way", "length_m", "kind", "tags", "steps", "private", "aloft", "one_way", "role", "passage"),
)


@dataclass(frozen=True, eq=False, repr=False)
class Network:
    """Nodes, edges and what it costs to walk each edge either way.

    Some nodes and edges stand more than once, so that a plain search obeys gates and private ways (`model.gates`).

    Attributes
    ----------
    node_id : (n_nodes,) int64
        OSM node ids, ascending; then numbers from 2**52 up for nodes that are copies or corners of squares.
    node_lon, node_lat : (n_nodes,) float64, degrees
    node_same : (n_nodes,) int32
        The lowest node that stands for the same place: itself for most.
    edge_id : (n_edges,) object
        Stable keys: ``<way>:<index of its first node ref>`` of a street; ``.u`` or ``.v`` behind it is the passage at
        that end, ``.in`` the arriving copy; ``n<node>.out`` and ``n<node>.in`` link the copies to the public network;
        ``<area>.<number>`` is a line across a square, ``.b`` behind a street is what goes on beyond a hard barrier.
    edge_u, edge_v : (n_edges,) int32
        Positions of the end nodes.
    edge_way : (n_edges,) int64
        OSM way of each edge; 0 where it is of none.
    edge_same : (n_edges,) int32
        The edge this one is a copy of: itself for most.
    length_m : (n_edges,) float64, geodesic m
    kind : (n_edges,) object
        The way's ``highway``; of a passage what the node is; ``square`` of a line across one.
    tags : (n_edges,) object
        Tags of each edge's way; of a passage those of its node, with ``signals`` (yes) and ``crossed`` (class of road).
    steps, private : (n_edges,) bool
    aloft : (n_edges,) bool
        On a bridge, in a tunnel, or on another level than the ground: what it crosses it does not meet.
    one_way : (n_edges,) int8
        1 where walkers may only go from u to v, -1 where only from v to u, 0 where they are free.
    role : (n_edges,) int8
        `STREET`, `LEAVING`, `ARRIVING`, `OUT` or `IN`.
    passage : (n_edges,) bool
        Edges of no length, where nobody can stand.
    offsets : (n_edges + 1,) int64
        Slices of ``lon``, ``lat``: the edge's line from u to v.
    lon, lat : (n_points,) float64, degrees
    """

    node_id: NDArray[np.int64]
    node_lon: NDArray[np.float64]
    node_lat: NDArray[np.float64]
    node_same: NDArray[np.int32]
    edge_id: NDArray[np.object_]
    edge_u: NDArray[np.int32]
    edge_v: NDArray[np.int32]
    edge_way: NDArray[np.int64]
    edge_same: NDArray[np.int32]
    length_m: NDArray[np.float64]
    kind: NDArray[np.object_]
    tags: NDArray[np.object_]
    steps: NDArray[np.bool_]
    private: NDArray[np.bool_]
    aloft: NDArray[np.bool_]
    one_way: NDArray[np.int8]
    role: NDArray[np.int8]
    passage: NDArray[np.bool_]
    offsets: NDArray[np.int64]
    lon: NDArray[np.float64]
    lat: NDArray[np.float64]
    region: Region

    def __post_init__(self) -> None:
        n_edges = len(self.edge_u)
        if n_edges == 0:
            raise DataError("the data holds no street a walker may use in this region; check the boundary and extract")
        if len(self.offsets) != n_edges + 1 or self.offsets[-1] != len(self.lon):
            raise DataError("edge lines and edges do not match in number")
        if not np.isfinite(self.length_m).all() or (self.length_m < 0).any():
            raise DataError("edge lengths must be finite and not negative")
        if not self.own[: int(self.own.sum())].all():
            raise DataError("streets must stand before passages and copies")
        for array in vars(self).values():
            if isinstance(array, np.ndarray):
                array.flags.writeable = False

    @classmethod
    def from_osm(
        cls, ways: pd.DataFrame, way_nodes: pd.DataFrame, region: Region, *, features: pd.DataFrame | None = None,
        lines: pd.DataFrame | None = None,
    ) -> "Network":  # fmt: skip
        """Build the network from the frames of a source.

        Parameters
        ----------
        ways : ``way_id`` int64, ``tags`` dict
        way_nodes : ``way_ix``, ``position``, ``node_id``, ``lon``, ``lat``, ``inside``, in the order of the ways
        region : Region
            Its hard barriers cut the ways that cross them on the ground.
        features : ``osm_type``, ``osm_id``, ``tags``, ``geometry`` (lon/lat), optional
            Nodes that bar or delay, squares that are crossed, and what stands on them.
        lines : ``tags``, ``geometry`` (lon/lat), optional
            Walls and fences that part squares.

        Raises
        ------
        DataError
            No way is walkable.
        """
        from lifecircle.model import gates, sidewalks, squares

        found = squares.Squares.of(features, region, lines)
        decide, crossed = ({}, {}) if features is None else _deciding_nodes(features, ways, way_nodes)
        network = cls._of_ways(ways, way_nodes, region, found, decide)
        network = found.crossed(sidewalks.without_middles(network))
        network = gates.taken_apart(network, decide, crossed)
        network = gates.doubled(network)
        log.info(
            "network: %d nodes, %d edges; %d passages, %d private edges",
            network.n_nodes, network.n_edges, int(network.passage.sum()), int((network.role == ARRIVING).sum()),
        )  # fmt: skip
        return network

    @classmethod
    def _of_ways(
        cls, ways: pd.DataFrame, way_nodes: pd.DataFrame, region: Region, areas: "Squares",
        decide: dict[int, dict[str, str]],
    ) -> "Network":  # fmt: skip
        """Build the plain network: one edge for each run of a walkable way between junctions.

        Where a way meets a square, and at nodes that decide, a way is parted too.
        """
        tags = ways["tags"].to_numpy()
        open_way = np.array([rules.walkable(t) for t in tags], dtype=bool)
        rows = open_way[way_nodes["way_ix"].to_numpy()] & way_nodes["inside"].to_numpy()
        way_ix = way_nodes["way_ix"].to_numpy()[rows]
        position = way_nodes["position"].to_numpy()[rows]
        ref = way_nodes["node_id"].to_numpy()[rows]
        lon, lat = way_nodes["lon"].to_numpy()[rows], way_nodes["lat"].to_numpy()[rows]
        aloft = np.array([rules.is_aloft(t) for t in tags], dtype=bool)
        way_ix, position, ref, lon, lat, cut = parted(way_ix, position, ref, lon, lat, region, ~aloft)
        path = np.array([t.get("highway") in rules.PATHS for t in tags], dtype=bool)
        # At a crossing or a stop line those who walk along the road pass freely.
        on_paths = [node for node, said in decide.items() if rules.decides_on_paths(said)]
        corner = np.isin(ref, np.setdiff1d(list(decide), on_paths)) | (np.isin(ref, on_paths) & path[way_ix])
        if len(areas):
            corner |= np.isin(place_key(lon, lat), areas.corners)
        first, last = _edge_slices(way_ix, position, ref, cut, corner)
        span = last - first + 1
        offsets = np.concatenate([[0], np.cumsum(span)]).astype(np.int64)
        take = np.repeat(first - offsets[:-1], span) + np.arange(offsets[-1])
        edge_lon, edge_lat = lon[take], lat[take]
        node_id, u_first = np.unique(np.concatenate([ref[first], ref[last]]), return_index=True)
        ends = np.concatenate([first, last])[u_first]
        way = way_ix[first]
        edge_way = ways["way_id"].to_numpy()[way]
        names = zip(edge_way.tolist(), position[first].tolist(), strict=True)
        n = len(first)

        def told(rule: Any, dtype: type = bool) -> NDArray[Any]:
            found: NDArray[Any] = np.array([rule(t) for t in tags], dtype=dtype)[way]
            return found

        return cls(
            node_id=node_id,
            node_lon=lon[ends],
            node_lat=lat[ends],
            node_same=np.arange(len(node_id), dtype=np.int32),
            edge_id=np.array(
                [f"{way}:{at}{'.b' * beyond}" for (way, at), beyond in zip(names, cut[first].tolist(), strict=True)],
                dtype=object,
            ),
            edge_u=np.searchsorted(node_id, ref[first]).astype(np.int32),
            edge_v=np.searchsorted(node_id, ref[last]).astype(np.int32),
            edge_way=edge_way,
            edge_same=np.arange(n, dtype=np.int32),
            length_m=_line_lengths(edge_lon, edge_lat, offsets),
            kind=told(lambda t: t["highway"], object),
            tags=tags[way],
            steps=told(rules.has_steps),
            private=told(rules.is_private),
            aloft=aloft[way],
            one_way=told(rules.one_way, np.int8),
            role=np.zeros(n, dtype=np.int8),
            passage=np.zeros(n, dtype=bool),
            offsets=offsets,
            lon=edge_lon,
            lat=edge_lat,
            region=region,
        )

    def changed(self, **arrays: Any) -> "Network":
        """Copy the network with some arrays in place of its own."""
        return replace(self, **arrays)

    def only(self, chosen: NDArray[np.bool_]) -> "Network":
        """Keep some edges, and the nodes they end at.

        Parameters
        ----------
        chosen : (n_edges,) bool
        """
        if chosen.all():
            return self
        used = np.unique(np.concatenate([self.edge_u[chosen], self.edge_v[chosen]]))
        node = np.full(self.n_nodes, -1, dtype=np.int32)
        node[used] = np.arange(len(used))
        number = (np.cumsum(chosen) - 1).astype(np.int32)
        span = np.diff(self.offsets)
        points = np.repeat(chosen, span)
        arrays = {name: getattr(self, name)[chosen] for name in _OF_EDGES}
        return replace(
            self,
            **arrays,
            node_id=self.node_id[used], node_lon=self.node_lon[used], node_lat=self.node_lat[used],
            node_same=node[self.node_same[used]], edge_u=node[self.edge_u[chosen]], edge_v=node[self.edge_v[chosen]],
            edge_same=number[self.edge_same[chosen]], offsets=np.concatenate([[0], np.cumsum(span[chosen])]),
            lon=self.lon[points], lat=self.lat[points],
        )  # fmt: skip

    def with_nodes(
        self, same: NDArray[np.integer] | None = None, *, lon: NDArray[np.float64] | None = None,
        lat: NDArray[np.float64] | None = None,
    ) -> "Network":  # fmt: skip
        """Add nodes: further copies of the nodes ``same``, or places of their own at ``lon``, ``lat``."""
        if same is not None:
            lon, lat, stands = self.node_lon[same], self.node_lat[same], self.node_same[same]
        assert lon is not None and lat is not None  # noqa: S101, PT018 (one of the two is given)
        if same is None:
            stands = np.arange(self.n_nodes, self.n_nodes + len(lon), dtype=np.int32)
        next_id = max(_FIRST_COPY, int(self.node_id[-1]) + 1)
        return replace(
            self,
            node_id=np.concatenate([self.node_id, next_id + np.arange(len(lon))]),
            node_lon=np.concatenate([self.node_lon, lon]),
            node_lat=np.concatenate([self.node_lat, lat]),
            node_same=np.concatenate([self.node_same, stands]).astype(np.int32),
        )

    def with_edges(
        self, *, u: Sequence[int] | NDArray[np.integer], v: Sequence[int] | NDArray[np.integer], **said: Any
    ) -> "Network":
        """Add edges, straight from node to node; what ``said`` does not name is that of a public way on the ground.

        Parameters
        ----------
        u, v : (n,) int, nodes
        said : ``edge_id``, ``way``, ``kind``, ``tags`` and any other array of edges, each one value or (n,)
        """
        tail, head = np.asarray(u, dtype=np.int32), np.asarray(v, dtype=np.int32)
        n = len(tail)
        ends = np.stack([tail, head], axis=1).ravel()
        lon, lat = self.node_lon[ends], self.node_lat[ends]
        offsets = self.offsets[-1] + 2 * np.arange(1, n + 1)
        said = {"steps": False, "private": False, "aloft": False, "one_way": 0, "role": STREET, "passage": False} | said
        said["edge_way"] = said.pop("way")
        said["edge_same"] = self.n_edges + np.arange(n)
        said["length_m"] = geodesic_length(lon[::2], lat[::2], lon[1::2], lat[1::2]) if n else np.zeros(0)
        return self._more(tail, head, said, offsets, lon, lat)

    def with_copies(
        self, edges: NDArray[np.integer], u: NDArray[np.integer], v: NDArray[np.integer], *, suffix: str, role: int
    ) -> "Network":
        """Add further copies of edges, between other copies of their nodes."""
        said: dict[str, Any] = {name: getattr(self, name)[edges] for name in _OF_EDGES}
        said |= {"edge_id": [f"{name}{suffix}" for name in self.edge_id[edges]], "role": role}
        said["edge_same"] = self.edge_same[edges]
        span = np.diff(self.offsets)[edges]
        ends = np.cumsum(span)
        take = np.repeat(self.offsets[edges] - (ends - span), span) + np.arange(span.sum())
        return self._more(u, v, said, self.offsets[-1] + ends, self.lon[take], self.lat[take])

    def _more(
        self, u: NDArray[np.integer], v: NDArray[np.integer], said: dict[str, Any], offsets: NDArray[np.int64],
        lon: NDArray[np.float64], lat: NDArray[np.float64],
    ) -> "Network":  # fmt: skip
        n = len(u)
        said |= {"edge_u": u, "edge_v": v}
        arrays: dict[str, Any] = {}
        for name in (*_OF_EDGES, "edge_u", "edge_v", "edge_same"):
            own: NDArray[Any] = getattr(self, name)
            new = np.empty(n, dtype=own.dtype)
            if isinstance(said[name], dict):
                new[:] = [said[name]] * n
            else:
                new[:] = said[name]
            arrays[name] = np.concatenate([own, new])
        return replace(
            self, **arrays, offsets=np.concatenate([self.offsets, offsets]), lon=np.concatenate([self.lon, lon]),
            lat=np.concatenate([self.lat, lat]),
        )  # fmt: skip

    @property
    def n_nodes(self) -> int:
        """Number of nodes."""
        return len(self.node_id)

    @property
    def n_places(self) -> int:
        """Number of nodes, copies of one counted once."""
        return len(np.unique(self.node_same))

    @property
    def n_edges(self) -> int:
        """Number of edges."""
        return len(self.edge_u)

    @cached_property
    def component(self) -> NDArray[np.int32]:
        """Connected part of each node, numbered by falling size in nodes, (n_nodes,) int32."""
        return _components(self.n_nodes, self.edge_u, self.edge_v)

    @cached_property
    def own(self) -> NDArray[np.bool_]:
        """Edges that are streets, each once: places join these, and lengths are summed over them; (n_edges,) bool."""
        return np.asarray(~self.passage & (self.edge_same == np.arange(self.n_edges)))

    @cached_property
    def streets(self) -> "Network":
        """The streets alone, each once: what is drawn, measured and counted."""
        return self.only(self.own)

    @cached_property
    def arriving(self) -> NDArray[np.int32]:
        """Arriving copy of each edge, -1 where it has none; (n_edges,) int32."""
        found = np.full(self.n_edges, -1, dtype=np.int32)
        copies = np.flatnonzero(self.role == ARRIVING)
        found[self.edge_same[copies]] = copies
        return found

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
        length = np.where(self.own, self.length_m, 0.0)
        return np.asarray(np.bincount(part, weights=length)[part], dtype=np.float64)

    def walked_by(self, profile: Profile) -> NDArray[np.bool_]:
        """Edges a profile may use, gates apart, (n_edges,) bool."""
        usable = np.ones(self.n_edges, dtype=bool) if profile.steps else ~self.steps
        if profile.barred or profile.min_width_m is not None:
            keys = profile.barring_keys  # few ways have any of them
            usable &= ~self._told(lambda tags: not keys.isdisjoint(tags) and profile.bars(tags), bool)
        return usable

    def _told(self, rule: Any, dtype: type) -> NDArray[Any]:
        """Ask a rule of every edge's tags, those of one way once."""
        first, way = self._said
        return np.array([rule(tags) for tags in self.tags[first]], dtype=dtype)[way]

    @cached_property
    def _said(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        names = np.fromiter(map(id, self.tags), dtype=np.int64, count=self.n_edges)
        _, first, way = np.unique(names, return_index=True, return_inverse=True)
        return first, way

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
        pause_s = None
        if profile.delays:
            keys = sorted(profile.delaying_keys)
            known: dict[tuple[str | None, ...], float] = {}

            def pause(tags: dict[str, str]) -> float:
                said = tuple(map(tags.get, keys))  # few ways say anything else than others do
                if said not in known:
                    known[said] = profile.pause_s(tags)
                return known[said]

            pause_s = self._told(pause, np.float64)
            pause_s = np.where(self.passage, pause_s / 2, pause_s)  # half on each way that meets the node
        said: dict[str, Any] = {"stairs": self.steps if profile.steps_factor is not None else None, "pause_s": pause_s}
        open_edge = self.walked_by(profile)
        there = profile.ticks(self.length_m, grade, **said)
        back = profile.ticks(self.length_m, None if grade is None else -grade, **said)
        forth_open, back_open = open_edge & (self.one_way >= 0), open_edge & (self.one_way <= 0)
        # Who may pass where private ways stand twice: out of one's own, and into where one is going.
        let_in = profile.gates == "residents"
        back_open &= ((self.role != OUT) | (profile.gates == "open")) & (self.role != IN)
        forth_open &= (self.role != IN) | let_in
        arriving = self.role == ARRIVING
        forth_open &= ~arriving | let_in
        back_open &= ~arriving | let_in
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
                "osm_way_id": pd.arrays.IntegerArray(self.edge_way.copy(), self.edge_way == 0),
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
    way_ix: NDArray[np.int32], position: NDArray[np.int32], ref: NDArray[np.int64], cut: NDArray[np.bool_],
    corner: NDArray[np.bool_],
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:  # fmt: skip
    """First and last row of every edge: a run of one way between junctions, way ends or the edge of the data.

    A junction is a node that walkable ways use more than once (a way that meets itself included), or a ``corner``.
    Rows that are ``cut`` have nothing before them.
    """
    n = len(ref)
    if n == 0:
        empty = np.array([], dtype=np.int64)
        return empty, empty
    opens = np.ones(n, dtype=bool)  # the row begins an unbroken run
    opens[1:] = (way_ix[1:] != way_ix[:-1]) | (position[1:] != position[:-1] + 1) | cut[1:]
    closes = np.append(opens[1:], True)
    _, inverse, uses = np.unique(ref, return_inverse=True, return_counts=True)
    node = opens | closes | corner | (uses[inverse] > 1)
    at = np.flatnonzero(node)
    first, last = at[:-1], at[1:]
    same_run = ~opens[last]
    first, last = first[same_run], last[same_run]
    # A node written twice in a row makes an edge of no length from itself to itself: nobody can stand on it.
    real = ~((ref[first] == ref[last]) & (last == first + 1))
    return first[real].astype(np.int64), last[real].astype(np.int64)


def place_key(lon: NDArray[np.float64], lat: NDArray[np.float64]) -> NDArray[np.int64]:
    """One number for each place at OSM's precision of 1e-7 degrees."""
    return np.rint(lon * 1e7).astype(np.int64) * (1 << 31) + np.rint(lat * 1e7).astype(np.int64)


def _deciding_nodes(
    features: pd.DataFrame, ways: pd.DataFrame, way_nodes: pd.DataFrame
) -> tuple[dict[int, dict[str, str]], dict[int, str]]:
    """Tags of the nodes that may bar or delay, and the class of the greatest road through each, by OSM id."""
    node = (features["osm_type"] == "n").to_numpy()
    ids, tags = features["osm_id"].to_numpy()[node], features["tags"].to_numpy()[node]
    used = pd.Series(ids).isin(way_nodes["node_id"]).to_numpy()  # on ids that follow a pattern numpy's is slow
    said = {int(osm_id): t for osm_id, t in zip(ids[used], tags[used], strict=True) if rules.decides(t)}
    rank = {name: ix for ix, name in enumerate(rules.ROADS)}
    class_of = np.array([rank.get(rules.road_class(t) or "", len(rank)) for t in ways["tags"]])
    on = np.isin(way_nodes["node_id"].to_numpy(), np.array(list(said), dtype=np.int64))
    road = class_of[way_nodes["way_ix"].to_numpy()[on]]
    greatest: dict[int, int] = {}
    for node_id, name in zip(way_nodes["node_id"].to_numpy()[on].tolist(), road.tolist(), strict=True):
        greatest[node_id] = min(name, greatest.get(node_id, len(rank)))
    crossed = {node_id: rules.ROADS[name] for node_id, name in greatest.items() if name < len(rank)}
    return said, crossed


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
