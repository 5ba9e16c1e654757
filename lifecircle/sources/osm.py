"""OpenStreetMap files (.osm.pbf, .osm, .osm.gz, .osm.bz2), read through pyosmium."""

import hashlib
import logging
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import osmium
import pandas as pd
import shapely
from numpy.typing import NDArray

from lifecircle.errors import DataError, LifecircleError
from lifecircle.reading import check_packed_xml, check_pbf

log = logging.getLogger(__name__)

SUFFIXES = (".osm.pbf", ".pbf", ".osm", ".osm.gz", ".osm.bz2")
_PLAIN_KEYS = (
    "amenity", "barrier", "building", "craft", "emergency", "entrance", "healthcare", "highway", "historic", "kerb",
    "landuse", "leisure", "man_made", "natural", "office", "place", "public_transport", "railway", "shop",
    "social_facility", "sport", "tourism", "waterway",
)  # fmt: skip
LIFECYCLE = ("proposed:", "planned:", "construction:")
"""Prefixes of keys of things that are still to come."""

FETCHED = "lifecircle fetch"
"""Generator of a file whose box (in its header) is known to be filled: nothing of the map is missing in it."""

KEYS = (*_PLAIN_KEYS, *(prefix + key for prefix in LIFECYCLE for key in _PLAIN_KEYS))
"""Keys of the objects read; whatever has none of them is passed over inside osmium, before Python sees it."""

_WAY_KEYS = ("highway", "waterway", "railway", "barrier")
"""Keys of the ways that are read as lines; any other way matters only as the area it may enclose."""

_WKB_HEAD, _WKB_POINT = 18, 32
"""Hexadecimal digits before the coordinates of a line in WKB, and those of one point."""
_RING = 4  # points of an area, the first and last being one
_SMALL = 8 << 20  # bytes: of a smaller file all is looked into; it takes less time than to look first what is near
_MOSTLY = 0.5  # share of the nodes in the box from which on all of a large one is looked into too, for the same reason
_CHUNK, _CHUNKS = 25, 64
"""osmium keeps ids as bits, 4 MB for every 2^25 ids of which there is one: no more than so many (2,147,483,648 ids)."""
_AT_ONCE = 50_000  # ways whose places are looked at together

_BEFORE_OSM = 2003  # objects without a date carry that of the epoch
_UNDEFINED = 2_147_483_647
"""osmium's coordinate of a node that the extract does not hold."""


@dataclass(frozen=True, eq=False, repr=False)
class OsmData:
    """What one OSM file says inside a lon/lat box.

    Attributes
    ----------
    ways : DataFrame
        Every way with a ``highway``: ``way_id`` int64, ``tags`` dict.
    way_nodes : DataFrame
        Their node references in order: ``way_ix`` int32 (row of ``ways``), ``position`` int32 (in the whole way),
        ``node_id`` int64, ``lon``, ``lat`` float64, ``inside`` bool (located, and in the box).
    features : DataFrame
        Nodes and areas: ``osm_type`` (n, w or r), ``osm_id`` int64, ``tags`` dict, ``geometry`` lon/lat shapely.
    lines : DataFrame
        Waterways, railways and barriers that are lines: ``osm_id``, ``tags``, ``geometry`` lon/lat shapely.
    extent : (west, south, east, north)
        Box the data fills, degrees: of every located highway node in the file, inside the box asked for or not; of a
        file that `lifecircle.sources.live` wrote, the box that was fetched, for its streets may run on beyond.
    timestamp : str
        Date of the data, ISO 8601, or empty where the file does not tell.
    counts : dict
        How many objects were kept and dropped, by reason. Of a large file that lies mostly beyond the box
        ``features_outside`` counts the closed ways there, ``areas_broken`` and
        ``area_relations_incomplete`` only what is near it.
    """

    ways: pd.DataFrame
    way_nodes: pd.DataFrame
    features: pd.DataFrame
    lines: pd.DataFrame
    extent: tuple[float, float, float, float]
    timestamp: str
    counts: dict[str, int]


@dataclass
class _Heap:
    """Rows gathered while the file streams by."""

    way_ids: list[int] = field(default_factory=list)
    way_tags: list[dict[str, str]] = field(default_factory=list)
    lengths: list[int] = field(default_factory=list)
    refs: list[int] = field(default_factory=list)
    xs: list[int] = field(default_factory=list)
    ys: list[int] = field(default_factory=list)
    kinds: list[str] = field(default_factory=list)
    ids: list[int] = field(default_factory=list)
    tags: list[dict[str, str]] = field(default_factory=list)
    wkb: list[str] = field(default_factory=list)
    line_ids: list[int] = field(default_factory=list)
    line_tags: list[dict[str, str]] = field(default_factory=list)
    line_wkb: list[str] = field(default_factory=list)
    streets: int = 0
    outside: int = 0
    span: list[tuple[float, ...]] = field(default_factory=list)
    newest: datetime | None = None
    filled: tuple[float, float, float, float] | None = None
    broken_lines: int = 0
    broken_areas: int = 0
    area_relations: int = 0

    def tell_street(self, way: osmium.osm.Way, *, dated: bool) -> None:
        """Count a street, near or far, and note when it was drawn."""
        self.streets += 1
        if dated and (self.newest is None or way.timestamp > self.newest):
            self.newest = way.timestamp


def read_osm(
    path: str | Path,
    clip: tuple[float, float, float, float],
    *,
    keys: Iterable[str] = (),
    progress: Callable[[int], None] | None = None,
) -> OsmData:
    """Read streets and features inside a lon/lat box.

    Parameters
    ----------
    path : path
        ``.osm.pbf``, ``.osm``, ``.osm.gz`` or ``.osm.bz2``.
    clip : (west, south, east, north), degrees
        Street nodes outside it end their street; features that do not touch it are dropped.
    keys : iterable of str
        Keys to read besides `KEYS`: those a standard asks for.
    progress : callable, optional
        Called now and then with the number of objects seen.

    Raises
    ------
    DataError
        The file is missing, of another kind, damaged, or holds no street inside the box.
    """
    path = Path(path)
    heap = _Heap()
    with reading(path):
        timestamp = _stream(path, heap, sorted({*KEYS, *keys}), clip, progress)
    return _frames(path, heap, clip, timestamp)


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Refuse what is no OSM file, and say of one that osmium cannot read what may be wrong with it.

    Raises
    ------
    DataError
        The file is missing, of another kind, or damaged.
    """
    if not path.name.endswith(SUFFIXES):
        raise DataError(f"{path.name} is no OSM file by its name; expected one ending in {', '.join(SUFFIXES)}")
    if not path.is_file():
        raise DataError(f"there is no OSM file {path}; give the path of an extract (.osm.pbf)")
    try:
        stat = path.stat()
        _check(path, stat.st_size, stat.st_mtime_ns)
        yield
    except LifecircleError:
        raise
    except (RuntimeError, ValueError, OSError, EOFError, zlib.error, osmium.InvalidLocationError) as error:
        raise DataError(
            f"{path} cannot be read as OSM data ({error}); is it damaged, cut short, or "
            "not sorted by type and id (osmium sort)?"
        ) from error


@lru_cache(maxsize=8)
def _check(path: Path, size: int, changed_ns: int) -> None:  # noqa: ARG001  another size or time is another file
    """Refuse what libosmium could not bear, once for every file."""
    if path.name.endswith(".pbf"):
        check_pbf(path)
    elif path.name.endswith((".gz", ".bz2")):
        check_packed_xml(path)


def _stream(
    path: Path, heap: _Heap, wanted: list[str], clip: tuple[float, ...], progress: Callable[[int], None] | None
) -> str:
    """Gather rows of what touches the box, and a little more; return the timestamp of the data.

    Relations are read first. Of a small file all is then looked into at once. Of a large one the nodes are read, which
    tell how much of it lies in the box; then all ways at once, if that is most of it, or else where they are, and those
    near the box once more for what they are.
    """
    keys = osmium.filter.KeyFilter(*wanted)
    lines = osmium.filter.KeyFilter(*_WAY_KEYS)
    lines.enable_for(osmium.osm.WAY)  # the areas that ways enclose are made before any filter
    # What osmium's own FileProcessor does with areas, but for the filter that keeps far ways from them.
    areas = osmium.area.AreaManager()
    with osmium.io.Reader(str(path), osmium.osm.RELATION) as reader:
        header = reader.header()
        relations = _members(osmium.OsmFileIterator(reader, keys, areas.first_pass_handler()))
    stated = str(header.get("osmosis_replication_timestamp") or "")
    heap.filled = _filled(header)
    located = osmium.NodeLocationsForWays(osmium.index.create_map("flex_mem"))
    located.ignore_errors()
    buffer = osmium.BufferIterator(keys)
    # osmium keeps no handler alive: all have names here.
    handlers = [located, areas.second_pass_to_buffer(buffer), keys, lines]
    if path.stat().st_size <= _SMALL:
        heap.area_relations = len(relations)
        with osmium.io.Reader(str(path), osmium.osm.NODE | osmium.osm.WAY) as reader:
            things = _told(osmium.OsmFileIterator(reader, *handlers), progress)
            _gather(heap, things, buffer, dated=not stated, near=False)
    else:
        survey = _Survey(clip, {way for members in relations for way in members})
        with osmium.io.Reader(str(path), osmium.osm.NODE) as reader:
            mostly = survey.keep(osmium.OsmFileIterator(reader, located, keys), heap) >= _MOSTLY
        if mostly:
            heap.area_relations = len(relations)
        else:
            with osmium.io.Reader(str(path), osmium.osm.WAY) as reader:
                survey.read(osmium.OsmFileIterator(reader, located, keys), heap, progress, dated=not stated)
            handlers.insert(0, _only(survey.near(relations, heap)))
        with osmium.io.Reader(str(path), osmium.osm.WAY) as reader:
            things = _told(osmium.OsmFileIterator(reader, *handlers), progress if mostly else None)
            _gather(heap, things, buffer, dated=mostly and not stated, near=not mostly)
    if stated or heap.newest is None or heap.newest.year <= _BEFORE_OSM:
        return stated
    return heap.newest.strftime("%Y-%m-%dT%H:%M:%SZ")


def _members(relations: Iterable[Any]) -> list[list[int]]:
    """Ways of every relation that is an area."""
    return [
        [member.ref for member in relation.members if member.type == "w"]
        for relation in relations
        if relation.tags.get("type") in {"multipolygon", "boundary"}
    ]


def _told(things: Iterable[Any], progress: Callable[[int], None] | None) -> Iterator[Any]:
    for number, thing in enumerate(things):
        if progress is not None and number % 20_000 == 0:
            progress(number)
        yield thing


def _gather(heap: _Heap, things: Iterable[Any], buffer: Iterable[Any], *, dated: bool, near: bool) -> None:
    """Make rows of nodes and ways, and of areas as osmium buffers them; ``near``: streets are counted already."""
    factory = osmium.geom.WKBFactory()
    for thing in things:
        if isinstance(thing, osmium.osm.Node):
            if thing.location.valid():
                _feature(heap, "n", thing.id, _tags(thing.tags), factory.create_point(thing))
        elif "highway" in thing.tags:
            if not near:
                heap.tell_street(thing, dated=dated)
            _street(heap, thing)
        else:
            _line(heap, thing, factory)
        if buffer:  # asking costs less than the exception that ends an empty one
            for area in buffer:
                _area(heap, area, factory)
    for area in buffer:
        _area(heap, area, factory)


def _only(ways: NDArray[np.int64]) -> Any:
    """Let pass these ways and no others."""
    if len(ways) and ways[0] > 0 and len(np.unique(ways >> _CHUNK)) <= _CHUNKS:
        return osmium.filter.IdFilter(ways.tolist())
    return _Ways(frozenset(ways.tolist()))


class _Ways:
    """The same for ids that OpenStreetMap has not come to: osmium would take memory by the largest of them."""

    def __init__(self, ids: frozenset[int]) -> None:
        self.ids = ids

    def way(self, way: osmium.osm.Way) -> bool:
        """Say whether to leave a way out: osmium asks."""
        return way.id not in self.ids


class _Survey:
    """Where the nodes and ways of a file are, told at once and forgotten but for those near the box.

    Attributes
    ----------
    members : set of int
        Ways that relations are made of: their boxes are kept.
    """

    def __init__(self, clip: tuple[float, ...], members: set[int]) -> None:
        self.clip, self.members, self.factory = clip, members, osmium.geom.WKBFactory()
        self.chosen: list[NDArray[np.int64]] = []  # ways that touch the box
        self.rings: list[NDArray[np.int64]] = []  # closed ways elsewhere that are no streets
        self.placed: dict[int, tuple[float, ...]] = {}  # boxes of members
        self.unplaced: set[int] = set()  # ways that nobody can say it of: of one place, or with a node that is missing

    def keep(self, nodes: Iterable[Any], heap: _Heap) -> float:
        """Keep the nodes in the box; return what share of all they are."""
        west, south, east, north = self.clip
        kept, outside = len(heap.ids), heap.outside
        for node in nodes:
            at = node.location
            if at.valid():
                if west <= at.lon <= east and south <= at.lat <= north:
                    _feature(heap, "n", node.id, _tags(node.tags), self.factory.create_point(node))
                else:
                    heap.outside += 1
        kept, outside = len(heap.ids) - kept, heap.outside - outside
        return kept / max(1, kept + outside)

    def read(self, ways: Iterable[Any], heap: _Heap, progress: Callable[[int], None] | None, *, dated: bool) -> None:
        """Look where each way is.

        This is done for every tagged way of the file, and does as little as can be.
        """
        line_of, seen = self.factory.create_linestring, 0
        ids: list[int] = []
        streets: list[bool] = []
        lines: list[str] = []  # coordinates as hexadecimal text
        for way in ways:
            street = "highway" in way.tags
            if street:
                heap.tell_street(way, dated=dated)
            try:
                lines.append(line_of(way)[_WKB_HEAD:])
            except (RuntimeError, osmium.InvalidLocationError):
                self.unplaced.add(way.id)
                continue
            ids.append(way.id)
            streets.append(street)
            if len(ids) == _AT_ONCE:
                seen += _AT_ONCE
                heap.span += self._settle(ids, streets, lines)
                ids, streets, lines = [], [], []
                if progress is not None:
                    progress(seen)
        heap.span += self._settle(ids, streets, lines)

    def _settle(self, ids: list[int], streets: list[bool], lines: list[str]) -> list[tuple[float, ...]]:
        """Choose those that touch the box; return the box of the streets."""
        if not ids:
            return []
        way, street = np.array(ids), np.array(streets)
        xy = np.frombuffer(bytes.fromhex("".join(lines)), dtype="<f8").reshape(-1, 2)
        size = np.array([*map(len, lines)]) // _WKB_POINT
        end = np.cumsum(size)
        start = end - size
        low, high = np.minimum.reduceat(xy, start), np.maximum.reduceat(xy, start)
        west, south, east, north = self.clip
        touches = (low <= (east, north)).all(axis=1) & (high >= (west, south)).all(axis=1)
        self.chosen.append(way[touches])
        self.rings.append(way[~touches & ~street & (size >= _RING) & (xy[start] == xy[end - 1]).all(axis=1)])
        for ix in [ix for ix, one in enumerate(ids) if one in self.members]:
            self.placed[ids[ix]] = (*low[ix].tolist(), *high[ix].tolist())
        return [(*low[street].min(axis=0).tolist(), *high[street].max(axis=0).tolist())] if street.any() else []

    def near(self, relations: list[list[int]], heap: _Heap) -> NDArray[np.int64]:
        """Ways to be read again: those near the box, and all of any relation that may touch it."""
        west, south, east, north = self.clip
        chosen = self.unplaced.union(*(part.tolist() for part in self.chosen))
        for members in relations:
            boxes = np.array([self.placed[way] for way in members if way in self.placed]).reshape(-1, 4)
            low, high = boxes[:, :2].min(axis=0, initial=np.inf), boxes[:, 2:].max(axis=0, initial=-np.inf)
            touches = (low <= (east, north)).all() and (high >= (west, south)).all()
            if touches or len(boxes) < len(members):  # a way without a key that is wanted, or missing, may be anywhere
                chosen.update(members)
                heap.area_relations += 1
            else:
                heap.outside += 1
        found = np.array(sorted(chosen), dtype=np.int64)
        heap.outside += sum(way not in chosen for part in self.rings for way in part.tolist())  # isin is far slower
        return found


def _filled(header: osmium.io.Header) -> tuple[float, float, float, float] | None:
    """Box that a fetched file is known to fill."""
    box = header.box()
    if header.get("generator") != FETCHED or not box.valid():
        return None
    return box.bottom_left.lon, box.bottom_left.lat, box.top_right.lon, box.top_right.lat


def _tags(tags: osmium.osm.TagList) -> dict[str, str]:
    """Copy tags, counted off: osmium tells the end of a list by an exception that costs more than the list."""
    return dict(islice(tags, len(tags)))


def _area(heap: _Heap, area: osmium.osm.Area, factory: osmium.geom.WKBFactory) -> None:
    # A closed street is a way, not an area, unless it says so (a multipolygon does).
    if "highway" in area.tags and area.from_way() and area.tags.get("area") != "yes":
        return
    try:
        shape = factory.create_multipolygon(area)
    except RuntimeError:
        heap.broken_areas += 1
        return
    _feature(heap, "w" if area.from_way() else "r", area.orig_id(), _tags(area.tags), shape)


def _feature(heap: _Heap, kind: str, osm_id: int, tags: dict[str, str], shape: str) -> None:
    heap.kinds.append(kind)
    heap.ids.append(osm_id)
    heap.tags.append(tags)
    heap.wkb.append(shape)


def _street(heap: _Heap, way: osmium.osm.Way) -> None:
    nodes = way.nodes
    heap.way_ids.append(way.id)
    heap.way_tags.append(_tags(way.tags))
    heap.lengths.append(len(nodes))
    for position in range(len(nodes)):
        node = nodes[position]
        location = node.location
        heap.refs.append(node.ref)
        heap.xs.append(location.x)
        heap.ys.append(location.y)


def _line(heap: _Heap, way: osmium.osm.Way, factory: osmium.geom.WKBFactory) -> None:
    try:
        shape = factory.create_linestring(way)
    except (RuntimeError, osmium.InvalidLocationError):
        heap.broken_lines += 1
        return
    heap.line_ids.append(way.id)
    heap.line_tags.append(_tags(way.tags))
    heap.line_wkb.append(shape)


def _frames(path: Path, heap: _Heap, clip: tuple[float, float, float, float], timestamp: str) -> OsmData:
    west, south, east, north = clip
    refs = np.array(heap.refs, dtype=np.int64)
    x, y = np.array(heap.xs, dtype=np.int64), np.array(heap.ys, dtype=np.int64)
    located = x != _UNDEFINED
    if not located.any() and not heap.span:
        raise DataError(f"{path} holds no street with coordinates; expected an OSM extract with highway=* ways")
    lon, lat = x / 1e7, y / 1e7
    corners = np.array([corner for box in heap.span for corner in (box[:2], box[2:])]).reshape(-1, 2)
    corners = np.concatenate([np.column_stack([lon[located], lat[located]]), corners])
    (left, bottom), (right, top) = corners.min(axis=0).tolist(), corners.max(axis=0).tolist()
    extent = (left, bottom, right, top)
    inside = located & (lon >= west) & (lon <= east) & (lat >= south) & (lat <= north)
    if not inside.any():
        turned = south < right and north > left and west < top and east > bottom
        raise DataError(
            f"the region lies outside the data: its box with the reach around it is {_box(clip)}, "
            f"the streets of {path.name} lie in {_box(extent)}; "
            + ("are longitude and latitude exchanged? Longitude comes first. " if turned else "")
            + "Check the boundary, or take another extract"
        )
    lengths = np.array(heap.lengths, dtype=np.int64)
    start = np.concatenate([[0], np.cumsum(lengths)])[:-1]
    way_ix = np.repeat(np.arange(len(lengths)), lengths)
    touches = np.bincount(way_ix, weights=inside, minlength=len(lengths)) > 0
    new_ix = np.cumsum(touches) - 1
    keep = touches[way_ix]
    way_nodes = pd.DataFrame(
        {
            "way_ix": new_ix[way_ix[keep]].astype(np.int32),
            "position": (np.arange(len(refs)) - start[way_ix])[keep].astype(np.int32),
            "node_id": refs[keep],
            "lon": lon[keep],
            "lat": lat[keep],
            "inside": inside[keep],
        }
    )
    ways = pd.DataFrame(
        {
            "way_id": np.array(heap.way_ids, dtype=np.int64)[touches],
            "tags": pd.Series([heap.way_tags[ix] for ix in np.flatnonzero(touches)], dtype=object),
        }
    )
    features, features_outside = _clipped(heap.kinds, heap.ids, heap.tags, heap.wkb, clip)
    lines, _ = _clipped(["w"] * len(heap.line_ids), heap.line_ids, heap.line_tags, heap.line_wkb, clip)
    counts = {
        "streets": len(ways),
        "streets_outside": heap.streets - len(ways),
        "street_nodes_missing": int((~located & keep).sum()),
        "street_nodes_outside": int((located & ~inside)[keep].sum()),
        "features": len(features),
        "features_outside": heap.outside + features_outside,
        "areas_broken": heap.broken_areas,
        "area_relations_incomplete": max(0, heap.area_relations - heap.kinds.count("r")),
        "lines_broken": heap.broken_lines,
    }
    log.info("%s: %s", path.name, counts)
    return OsmData(ways, way_nodes, features, lines, heap.filled or extent, timestamp, counts)


def _clipped(
    kinds: list[str], ids: list[int], tags: list[dict[str, str]], wkb: list[str], clip: tuple[float, ...]
) -> tuple[pd.DataFrame, int]:
    """Rows whose box touches the clip box, in the order of (type, id), which no reader thread can change."""
    # GEOS takes twice as long to read hexadecimal text as the bytes it stands for.
    shapes = shapely.from_wkb(np.array([bytes.fromhex(text) for text in wkb], dtype=object))
    west, south, east, north = clip
    bounds = shapely.bounds(shapes).reshape(-1, 4)
    touches = (bounds[:, 0] <= east) & (bounds[:, 2] >= west) & (bounds[:, 1] <= north) & (bounds[:, 3] >= south)
    frame = pd.DataFrame(
        {
            "osm_type": pd.Series(kinds, dtype=object),
            "osm_id": np.array(ids, dtype=np.int64),
            "tags": pd.Series(tags, dtype=object),
            "geometry": pd.Series(list(shapes), dtype=object),
        }
    )[touches]
    return frame.sort_values(["osm_type", "osm_id"], ignore_index=True), int((~touches).sum())


def _box(bounds: tuple[float, float, float, float]) -> str:
    return ",".join(f"{value:.3f}" for value in bounds)


def digest(path: str | Path) -> str:
    """SHA-256 of a file, as hexadecimal text."""
    with Path(path).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
