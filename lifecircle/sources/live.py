"""Live OpenStreetMap: a place, fetched from an Overpass server into one file that is read like any extract."""

import json
import logging
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import osmium
from numpy.typing import NDArray
from osmium.osm.mutable import Node, Relation, Way

from lifecircle.errors import DataError, LifecircleError, SourceError
from lifecircle.places import Area, Place
from lifecircle.reading import read_json
from lifecircle.region import Region, geodesic_length
from lifecircle.sources.boundaries import clean, read_region
from lifecircle.sources.osm import FETCHED, KEYS, digest
from lifecircle.sources.overpass import Answer, Overpass, Patience, TooHeavyError

log = logging.getLogger(__name__)

Box = tuple[float, float, float, float]
Tell = Callable[[str, int | None, int | None], None]

BUFFER_M = 4000.0
"""What is fetched around a region: as far as any walker that ships gets within the default cutoffs, and the joins."""

LARGEST_KM2 = 2500.0
"""A box above this is for an extract: Overpass' operators ask not to be used for more."""

_LARGEST = 1 << 30  # bytes of all answers
_TILE_M = 8_000.0
_LEAST_TILE_M = 250.0
_DECIMALS = 5  # of a box, rounded outwards: a metre
_NAME_KEYS = ("name", "name:zh", "name:en", "alt_name", "official_name")  # those `read_region` compares
_TILE_LEVELS = range(6, 13)
# Outlines of whole seas, coasts and countries weigh megabytes, and nobody walks to them or round them.
_VAST_PLACES = "sea|ocean|continent|country|state|region|archipelago|island"
_VAST_NATURE = "bay|strait|sea|peninsula|cape|isthmus|mountain_range"
_SCHEMA = 1


@dataclass(frozen=True)
class Fetched:
    """A file of live data, and what it holds.

    Attributes
    ----------
    sha256 : str
        Of the file.
    base : str
        Date of the data, ISO 8601: that of the oldest answer.
    box : (west, south, east, north), degrees
        What the file fills.
    place : str
        How `run --place` is told the region, where it was asked for as a place by name or id; else empty.
    nodes, ways, relations, size : int
        Size in bytes.
    requests : int
        How many requests were made, this time.
    anew : bool
        Whether it was fetched, or was there already.
    """

    path: Path
    sha256: str
    base: str
    box: Box
    place: str
    nodes: int
    ways: int
    relations: int
    size: int
    requests: int
    anew: bool


def fetch(  # noqa: PLR0913
    where: Place | Box | Path | str,
    out: Path,
    *,
    buffer_m: float = BUFFER_M,
    url: str | None = None,
    patience: Patience | None = None,
    largest_km2: float = LARGEST_KM2,
    refresh: bool = False,
    keep: bool = False,
    advice: str = "",
    progress: Tell | None = None,
) -> Fetched:
    """Fetch a region and what is around it.

    The box around both is asked for tile by tile. Every answer is kept beside ``out`` until the file is complete, so
    that the same call goes on where it was broken off. The file appears whole or not at all; ``<out>.json`` beside it
    says what was asked, of whom, when, and the file's SHA-256.

    Parameters
    ----------
    where : Place, box, path or str
        Areas by id or exact name; (west, south, east, north) in degrees; a boundary file; or a name as people write it,
        which Nominatim looks up.
    out : path
        ``.osm.pbf``.
    buffer_m : float
        What to fetch around the region.
    url : str, optional
        Base URL of the server; default: that of the settings of OSMnx.
    refresh : bool
        Fetch anew what is there already.
    keep : bool
        Keep the raw answers.
    advice : str
        What to do where the server cannot be had; ends the messages.

    Raises
    ------
    SourceError
        The server cannot be reached, or gives no whole answer in time; the region is too large for it; or the file
        cannot be written.
    DataError
        The region is not there, or there is no street in it.
    """
    from osmnx import settings

    if not out.name.endswith(".osm.pbf"):
        raise DataError(f"{out.name} is no name for what is fetched; expected one ending in .osm.pbf")
    asked = _asked(where, buffer_m)
    advice = advice or _ADVICE
    if not refresh and (there := _there(out, asked)) is not None:
        return there
    cache = out.with_name(f"{out.name}.answers")
    server = Overpass(url or settings.overpass_url, cache, patience or Patience(), advice)
    if refresh and out.is_file():
        server.clear(before=out.stat().st_mtime)  # what is newer is from a refresh that was broken off
    tell = progress or _silent
    try:
        found = _Sought.of(where, server, settings.nominatim_url, tell)
        box = _outwards(found.region.clip_bounds(buffer_m))
        _check_size(box, largest_km2, advice)
        queries = [*found.queries, *_tiles_fetched(server, box, tell)]
        pile = _piled(server, queries, tell)
        if not any("highway" in tags for _, tags in pile.ways.values()):
            server.clear()
            raise DataError(
                f"{server.host} holds no street in {_told(box)}; is the place right, and does the server hold this "
                "part of the world?"
            )
        fetched = _write(out, pile, box, asked=asked, place=found.place, server=server, tell=tell)
    except SourceError as error:
        kept = server.n_kept
        if not kept:
            server.clear()
            raise
        again = f"{kept} answers are kept in {cache}: the same command goes on from there"
        raise SourceError(f"{error}; {again}") from error
    if not keep:
        server.clear()
    return fetched


_ADVICE = (
    "or take an extract instead: download one that covers the region from https://download.geofabrik.de, then: "
    "lifecircle run --osm FILE.osm.pbf with --bbox, --boundary or --place"
)


def _silent(stage: str, done: int | None, total: int | None) -> None:
    """Tell nobody."""


def _asked(where: Place | Box | Path | str, buffer_m: float) -> dict[str, Any]:
    """Put down what was asked for, to know it again."""
    if isinstance(where, Place):
        said: dict[str, Any] = {
            key: [area.model_dump(include={"relation", "way", "name", "admin_level", "within"}) for area in areas]
            for key, areas in (("boundary", where.boundary), ("zones", where.zones), ("overlays", where.overlays))
        } | {"zones_level": where.zones_level}
    elif isinstance(where, Path):
        if not where.is_file():
            raise DataError(f"cannot read the boundary file {where}: there is none")
        said = {"boundary_sha256": digest(where)}
    else:
        said = {"name": where} if isinstance(where, str) else {"box": list(where)}
    return said | {"buffer_m": buffer_m}


def _there(out: Path, asked: dict[str, Any]) -> Fetched | None:
    """Find what was fetched before; refuse to take another file for it.

    Raises
    ------
    SourceError
        There is a file, but not what was asked for.
    """
    if not out.exists():
        return None
    instead = "choose another --out, or --refresh to replace it"
    try:
        said = read_json(_sidecar(out))
        west, south, east, north = map(float, said["box"])
        counts = {kind: int(said["counts"][kind]) for kind in ("nodes", "ways", "relations")}
        fetched = Fetched(
            out, said["sha256"], clean(str(said["osm_base"])), (west, south, east, north), clean(str(said["place"])),
            **counts, size=out.stat().st_size, requests=0, anew=False,
        )  # fmt: skip
        same = said["asked"] == asked
    except (OSError, ValueError, OverflowError, KeyError, TypeError) as error:
        raise SourceError(f"{out} is there already, and nothing says that it was fetched ({instead})") from error
    if digest(out) != fetched.sha256:
        raise SourceError(f"{out} is not what was fetched on {said.get('fetched')}: its checksum differs ({instead})")
    if not same:
        raise SourceError(f"{out} is there already, but another region or --buffer was fetched into it ({instead})")
    return fetched


def _sidecar(out: Path) -> Path:
    return out.with_name(f"{out.name}.json")


@dataclass(frozen=True)
class _Sought:
    """The region looked for, the queries whose answers hold its outline, and its id."""

    region: Region
    queries: list[tuple[str, str]]
    place: str

    @classmethod
    def of(cls, where: Place | Box | Path | str, server: Overpass, nominatim: str, tell: Tell) -> "_Sought":
        if isinstance(where, Path):
            return cls(Region.from_geojson(where), [], "")
        if isinstance(where, tuple):
            return cls(Region.from_bbox(where, name="box"), [], "")
        tell("finding the place", None, None)
        if isinstance(where, str):
            where = _named(where, server, nominatim)
        areas = [*where.areas, *(_around(area) for area in where.areas if area.within is not None)]
        by_id = [area for area in areas if area.relation or area.way]
        found: list[tuple[str, Answer]] = []
        if by_id:
            query = _query(server, _by_ids(by_id))
            found.append((query, _asked_whole(server, query)))
        known = {(e["type"], e["id"]) for _, answer in found for e in answer.elements}
        missing = [a for a in where.areas if ("relation", a.relation) not in known and ("way", a.way) not in known]
        for area in missing:
            if area.name is None:
                raise DataError(f"{server.host} knows no {area.asked}; check the id, or look for it by name")
        # Zones of the usual levels come with the tiles; what they lie within is asked for only where a name needs it.
        named = [
            area
            for area in missing
            if area in where.boundary or area.admin_level is None or area.admin_level not in _TILE_LEVELS
        ]
        named += [around for area in named if area.within is not None and (around := _around(area)).name is not None]
        if named:
            query = _query(server, "".join(_by_name(area) for area in named))
            found.append((query, _asked_whole(server, query)))
        region = _region(server, [answer for _, answer in found], Place(boundary=where.boundary))
        if where.zones_level is not None and where.zones_level not in _TILE_LEVELS:
            bounds = _bounds(_outwards(region.boundary.bounds))
            query = _query(server, _administrative(f"^{where.zones_level}$", bounds))
            found.append((query, _asked_whole(server, query)))
        first = where.boundary[0]
        place = str(first.relation) if first.relation else f"w{first.way}" if first.way else ""
        return cls(region, [(answer.base, query) for query, answer in found], place)


def _named(name: str, server: Overpass, nominatim: str) -> Place:
    """Look a name up, as people write it."""
    row = server.geocode(nominatim, name)
    kind, number = row.get("osm_type"), row.get("osm_id")
    told = clean(str(row.get("display_name", "")))
    if kind not in {"relation", "way"} or not str(number).isdigit():
        raise SourceError(f"{name!r} is {told!r}, which is no area; give a relation id, a box or a boundary file")
    log.warning("%r is taken for %s %s, %s", name, kind, number, told)
    return Place(boundary=[Area.model_validate({kind: int(number)})])


def _around(area: Area) -> Area:
    return Area(relation=area.within) if isinstance(area.within, int) else Area(name=area.within)


def _asked_whole(server: Overpass, query: str) -> Answer:
    try:
        return server.ask(query)
    except TooHeavyError as error:
        raise SourceError(f"{server.host} cannot give the outline of the region: {error}; {server.advice}") from error


def _region(server: Overpass, answers: list[Answer], place: Place) -> Region:
    """Read the outline the way it will be read from the whole file."""
    pile = _Pile()
    for answer in answers:
        pile.add(answer)
    path = server.cache / f"{server.host.replace(':', '-')}.osm.pbf"
    try:
        pile.write(path, osmium.io.Header())
        return read_region(path, place, name="region")
    finally:
        path.unlink(missing_ok=True)


def _query(server: Overpass, statements: str) -> str:
    """Ask for elements and for all they are made of."""
    return f"[out:json][timeout:{server.patience.query_s}];({statements});(._;>;);out;"


def _by_ids(areas: Iterable[Area]) -> str:
    ids = {"rel": sorted({a.relation for a in areas if a.relation}), "way": sorted({a.way for a in areas if a.way})}
    return "".join(f"{kind}(id:{','.join(map(str, numbers))});" for kind, numbers in ids.items() if numbers)


def _by_name(area: Area) -> str:
    level = f'["admin_level"="{area.admin_level}"]' if area.admin_level is not None else ""
    name = clean(area.name or "").replace("\\", "\\\\").replace('"', '\\"')
    said = f'["boundary"="administrative"]{level}'
    return "".join(f'{kind}{said}["{key}"="{name}"];' for key in _NAME_KEYS for kind in ("rel", "way"))


def _administrative(levels: str, bounds: str) -> str:
    return f'rel["type"="boundary"]["boundary"="administrative"]["admin_level"~"{levels}"]{bounds};'


def tile_query(tile: Box, server: Overpass) -> str:
    """Query for all of a tile, whatever its tags.

    Nearly every way has a key somebody may ask for (98.7 % in Newport), so leaving out the others would save nothing
    and make the file deaf to the next standard.
    """
    bounds = _bounds(tile)
    keys = "|".join(key for key in KEYS if key != "place")
    return _query(
        server,
        f"node{bounds};way{bounds};"
        f'rel["type"="multipolygon"]["place"!~"^({_VAST_PLACES})$"]["natural"!~"^({_VAST_NATURE})$"]{bounds};'
        + _administrative("^([6-9]|1[0-2])$", bounds)
        + f'rel["type"="boundary"]["boundary"!="administrative"][~"^({keys})$"~"."]{bounds};',
    )


def _bounds(box: Box) -> str:
    west, south, east, north = box
    return f"({south:.{_DECIMALS}f},{west:.{_DECIMALS}f},{north:.{_DECIMALS}f},{east:.{_DECIMALS}f})"


def _outwards(box: Iterable[float]) -> Box:
    scale = 10**_DECIMALS
    west, south, east, north = (value * scale for value in box)
    west, south = math.floor(west) / scale, math.floor(south) / scale
    east, north = math.ceil(east) / scale, math.ceil(north) / scale
    return max(-180.0, west), max(-90.0, south), min(180.0, east), min(90.0, north)


def _sides(box: Box) -> tuple[float, float]:
    """Width and height of a box where it is widest, m."""
    west, south, east, north = box
    lat = 0.0 if south <= 0 <= north else min(abs(south), abs(north))
    lon0, lat0 = np.array([west, west]), np.array([lat, south])
    width, height = geodesic_length(lon0, lat0, np.array([east, west]), np.array([lat, north]))
    return float(width), float(height)


def _check_size(box: Box, largest_km2: float, advice: str) -> None:
    width, height = _sides(box)
    if width * height > largest_km2 * 1e6:
        raise SourceError(
            f"the region with what is around it, {_told(box)}, has {width * height / 1e6:,.0f} km², more than the "
            f"{largest_km2:,.0f} km² that are fetched at most (--max-km2); {advice}"
        )


def _cut(box: Box, columns: int, rows: int) -> list[Box]:
    """Cut a box into tiles that share their borders."""
    west, south, east, north = box
    xs = [round(float(x), _DECIMALS) for x in np.linspace(west, east, columns + 1)]
    ys = [round(float(y), _DECIMALS) for y in np.linspace(south, north, rows + 1)]
    return [(xs[c], ys[r], xs[c + 1], ys[r + 1]) for r in range(rows) for c in range(columns)]


def _tiles_fetched(server: Overpass, box: Box, tell: Tell) -> list[tuple[str, str]]:
    """Have every tile in the cache; return date and query of each."""
    width, height = _sides(box)
    todo = _cut(box, max(1, math.ceil(width / _TILE_M)), max(1, math.ceil(height / _TILE_M)))
    found: list[tuple[str, str]] = []
    size = 0
    while todo:
        tell("asking for the map, tile by tile", len(found), len(found) + len(todo))
        tile = todo.pop(0)
        query = tile_query(tile, server)
        if server.is_divided(query):
            todo[:0] = _cut(tile, 2, 2)
            continue
        try:
            answer = server.ask(query)
        except TooHeavyError as error:
            if min(_sides(tile)) < 2 * _LEAST_TILE_M:
                raise SourceError(
                    f"{server.host} cannot give {_told(tile)}, small as it is: {error}; {server.advice}"
                ) from error
            log.info("%s: %s; asking for it in four parts", _told(tile), error)
            server.divide(query)
            todo[:0] = _cut(tile, 2, 2)
            continue
        found.append((answer.base, query))
        size += answer.size
        if size > _LARGEST:
            raise SourceError(
                f"{server.host} sent {size >> 20:,} MB for less than the whole region, more than the "
                f"{_LARGEST >> 20:,} MB that are taken; {server.advice}"
            )
    tell("asking for the map, tile by tile", len(found), len(found))
    return found


@dataclass
class _Pile:
    """Elements of many answers, each once; what was added last counts."""

    node_id: list[NDArray[np.int64]] = field(default_factory=list)
    lon: list[NDArray[np.float64]] = field(default_factory=list)
    lat: list[NDArray[np.float64]] = field(default_factory=list)
    node_tags: dict[int, dict[str, str]] = field(default_factory=dict)
    ways: dict[int, tuple[NDArray[np.int64], dict[str, str]]] = field(default_factory=dict)
    relations: dict[int, tuple[list[tuple[str, int, str]], dict[str, str]]] = field(default_factory=dict)
    bases: set[str] = field(default_factory=set)

    def add(self, answer: Answer) -> None:
        """Add an answer, of a date no earlier than those before."""
        self.bases.add(answer.base)
        nodes = [element for element in answer.elements if element["type"] == "node"]
        self.node_id.append(np.array([node["id"] for node in nodes], dtype=np.int64))
        self.lon.append(np.array([node["lon"] for node in nodes], dtype=np.float64))
        self.lat.append(np.array([node["lat"] for node in nodes], dtype=np.float64))
        for node in nodes:
            if node.get("tags"):
                self.node_tags[node["id"]] = node["tags"]
            else:
                self.node_tags.pop(node["id"], None)
        for element in answer.elements:
            tags = element.get("tags", {})
            if element["type"] == "way":
                self.ways[element["id"]] = np.array(element["nodes"], dtype=np.int64), tags
            elif element["type"] == "relation":
                members = [(m["type"][0], m["ref"], m.get("role", "")) for m in element["members"]]
                self.relations[element["id"]] = members, tags

    def write(self, path: Path, header: osmium.io.Header) -> tuple[int, int, int]:
        """Write a file sorted by type and id; return how many nodes, ways and relations it has."""
        ids = np.concatenate([*self.node_id, np.empty(0, dtype=np.int64)])[::-1]
        lon, lat = (np.concatenate([*values, np.empty(0)])[::-1] for values in (self.lon, self.lat))
        ids, last = np.unique(ids, return_index=True)
        none: dict[str, str] = {}
        file = osmium.io.File(str(path), "pbf,add_metadata=false")
        with osmium.SimpleWriter(file, header=header, overwrite=True) as writer:
            for number, *at in zip(ids.tolist(), lon[last].tolist(), lat[last].tolist(), strict=True):
                writer.add_node(Node(id=number, location=tuple(at), tags=self.node_tags.get(number, none)))
            for number, (refs, tags) in sorted(self.ways.items()):
                writer.add_way(Way(id=number, nodes=refs.tolist(), tags=tags))
            for number, (members, tags) in sorted(self.relations.items()):
                writer.add_relation(Relation(id=number, members=members, tags=tags))
        return len(ids), len(self.ways), len(self.relations)


def _piled(server: Overpass, queries: list[tuple[str, str]], tell: Tell) -> _Pile:
    """Put all answers together, out of the cache, the oldest first."""
    pile = _Pile()
    for number, (_, query) in enumerate(sorted(dict.fromkeys(queries))):
        tell("putting the answers together", number, len(queries))
        pile.add(_asked_whole(server, query))
    tell("putting the answers together", len(queries), len(queries))
    if len(pile.bases) > 1:
        log.info("the answers are of %s to %s", min(pile.bases), max(pile.bases))
    return pile


def _write(
    out: Path, pile: _Pile, box: Box, *, asked: dict[str, Any], place: str, server: Overpass, tell: Tell
) -> Fetched:
    """Write the file and what is known of it, each whole or not at all."""
    tell("writing the file", None, None)
    header = osmium.io.Header()
    header.set("generator", FETCHED)
    header.set("osmosis_replication_timestamp", min(pile.bases))
    header.add_box(osmium.osm.Box(*box))
    made, note = out.with_name(f".{out.name}.new.osm.pbf"), _sidecar(out)
    made_note = note.with_name(f".{note.name}.new")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        counts = dict(zip(("nodes", "ways", "relations"), pile.write(made, header), strict=True))
        fetched = Fetched(
            out, digest(made), min(pile.bases), box, place, **counts, size=made.stat().st_size,
            requests=server.n_asked, anew=True,
        )  # fmt: skip
        said = {
            "schema": _SCHEMA, "sha256": fetched.sha256, "osm_base": fetched.base, "osm_base_newest": max(pile.bases),
            "fetched": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"), "server": server.url, "box": list(box),
            "place": place, "asked": asked, "query": tile_query(box, server), "counts": counts,
            "attribution": "© OpenStreetMap contributors, ODbL 1.0, openstreetmap.org/copyright",
        }  # fmt: skip
        made_note.write_text(json.dumps(said, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
        # The note goes first: a file with another's note is seen to be one (its checksum), and fetched anew.
        made_note.replace(note)
        made.replace(out)
    except (OSError, RuntimeError) as error:
        if isinstance(error, LifecircleError):
            raise
        raise SourceError(f"cannot write {out}: {getattr(error, 'strerror', None) or error}") from error
    finally:
        made.unlink(missing_ok=True)
        made_note.unlink(missing_ok=True)
    return fetched


def _told(box: Box) -> str:
    return ",".join(f"{value:.4f}" for value in box)
