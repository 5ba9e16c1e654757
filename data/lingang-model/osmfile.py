"""The OSM extract: shapes in metres become nodes, ways and relations with fixed numbers, written in order."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import osmium
import shapely
from frame import to_degrees
from osmium.osm import mutable

if TYPE_CHECKING:
    from pathlib import Path

GENERATOR = "lifecircle model"
TIMESTAMP = "2024-12-31T00:00:00Z"
UNITS_PER_DEGREE = 10_000_000
LONGEST_WAY = 400  # nodes


@dataclass
class OsmFile:
    """Collects objects in metres; shapes that share a point share its node."""

    way_points: list[np.ndarray] = field(default_factory=list)
    way_tags: list[dict[str, str]] = field(default_factory=list)
    node_points: list[np.ndarray] = field(default_factory=list)
    node_tags: list[dict[str, str]] = field(default_factory=list)
    tagged_points: list[tuple[np.ndarray, dict[str, str]]] = field(default_factory=list)
    relations: list[tuple[list[tuple[int, str]], dict[str, str]]] = field(default_factory=list)
    late_points: list[np.ndarray] = field(default_factory=list)
    late_tags: list[dict[str, str]] = field(default_factory=list)

    def add_way(self, xy: np.ndarray, tags: dict[str, str]) -> int:
        """Add a line and return its position."""
        self.way_points.append(np.asarray(xy, dtype=np.float64))
        self.way_tags.append(tags)
        return len(self.way_points) - 1

    def add_area(self, shape: shapely.Polygon, tags: dict[str, str]) -> None:
        """Add a polygon: a closed way, or a multipolygon where it has holes or is very long."""
        rings = [shape.exterior, *shape.interiors]
        if len(rings) == 1 and len(shape.exterior.coords) <= LONGEST_WAY:
            self.add_way(shapely.get_coordinates(shape.exterior), tags)
            return
        members: list[tuple[int, str]] = []
        for index, ring in enumerate(rings):
            xy = shapely.get_coordinates(ring)
            starts = range(0, len(xy) - 1, LONGEST_WAY - 1)
            role = "inner" if index else "outer"
            members += [(self.add_way(xy[start : start + LONGEST_WAY], {}), role) for start in starts]
        self.relations.append((members, {"type": "multipolygon", **tags}))

    def add_node(self, xy: np.ndarray, tags: dict[str, str]) -> None:
        """Add a point of its own."""
        self.node_points.append(np.asarray(xy, dtype=np.float64))
        self.node_tags.append(tags)

    def tag_vertex(self, xy: np.ndarray, tags: dict[str, str]) -> None:
        """Put tags on the node that ways have at a point."""
        self.tagged_points.append((np.asarray(xy, dtype=np.float64), tags))

    def add_late(self, ring: np.ndarray, tags: dict[str, str]) -> None:
        """Add an outline that shares no node and is numbered after all else, whose numbers it leaves alone."""
        self.late_points.append(np.asarray(ring, dtype=np.float64))
        self.late_tags.append(tags)

    def numbered(self) -> Numbered:
        """Give every distinct point a node number, in the order of the ways."""
        counts = np.array([len(xy) for xy in self.way_points])
        units = _units(np.concatenate(self.way_points))
        key = units[:, 0] * 4_000_000_000 + units[:, 1]
        _, first, inverse = np.unique(key, return_index=True, return_inverse=True)
        rank = np.empty(len(first), dtype=np.int64)
        rank[np.argsort(first, kind="stable")] = np.arange(len(first))
        refs = np.split(rank[inverse] + 1, np.cumsum(counts)[:-1])
        nodes = units[np.sort(first)]
        position = {int(key[index]): number + 1 for number, index in enumerate(np.sort(first).tolist())}
        tags: dict[int, dict[str, str]] = {}
        if self.tagged_points:
            points = _units(np.array([xy for xy, _ in self.tagged_points]))
            for (x, y), (_, extra) in zip(points.tolist(), self.tagged_points, strict=True):
                number = position.get(x * 4_000_000_000 + y)
                if number is not None:
                    tags[number] = tags.get(number, {}) | extra
        own = _units(np.array(self.node_points).reshape(-1, 2))
        for number, extra in enumerate(self.node_tags):
            tags[len(nodes) + number + 1] = extra
        ways = [_without_repeats(line) for line in refs]
        late = [_units(ring)[:-1] for ring in self.late_points]
        first_of = len(nodes) + len(own) + 1 + np.cumsum([0, *[len(ring) for ring in late]])
        for start, ring in zip(first_of.tolist(), late, strict=False):
            ways.append(np.append(np.arange(start, start + len(ring)), start))
        return Numbered(np.vstack([nodes, own, *late]), tags, ways, self.way_tags + self.late_tags, self.relations)


@dataclass(frozen=True)
class Numbered:
    """Nodes in whole 1e-7 degrees (row 0 is node 1), ways as node numbers (way 1 first), relations by way position."""

    nodes: np.ndarray
    node_tags: dict[int, dict[str, str]]
    ways: list[np.ndarray]
    way_tags: list[dict[str, str]]
    relations: list[tuple[list[tuple[int, str]], dict[str, str]]]

    def write(self, path: Path) -> None:
        """Write the extract, the same bytes for the same content."""
        header = osmium.io.Header()
        header.set("generator", GENERATOR)
        header.set("osmosis_replication_timestamp", TIMESTAMP)
        header.set("sorting", "Type_then_ID")
        low, high = self.nodes.min(axis=0) / UNITS_PER_DEGREE, self.nodes.max(axis=0) / UNITS_PER_DEGREE
        header.add_box(osmium.osm.Box(osmium.osm.Location(*low.tolist()), osmium.osm.Location(*high.tolist())))
        same = {"version": 1, "changeset": 1, "timestamp": TIMESTAMP}
        with osmium.SimpleWriter(str(path), 4 * 1024 * 1024, header, overwrite=True) as writer:
            degrees = (self.nodes / UNITS_PER_DEGREE).tolist()
            for number, location in enumerate(degrees, start=1):
                writer.add_node(mutable.Node(id=number, location=location, tags=self.node_tags.get(number, {}), **same))
            for number, (refs, tags) in enumerate(zip(self.ways, self.way_tags, strict=True), start=1):
                writer.add_way(mutable.Way(id=number, nodes=refs.tolist(), tags=tags, **same))
            for number, (members, tags) in enumerate(self.relations, start=1):
                parts = [("w", position + 1, role) for position, role in members]
                writer.add_relation(mutable.Relation(id=number, members=parts, tags=tags, **same))


def _units(xy: np.ndarray) -> np.ndarray:
    return np.round(to_degrees(xy) * UNITS_PER_DEGREE).astype(np.int64)


def _without_repeats(refs: np.ndarray) -> np.ndarray:
    return refs[np.concatenate([[True], refs[1:] != refs[:-1]])]
