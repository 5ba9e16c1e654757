"""Boundaries out of an OpenStreetMap extract: areas by name or id, and the region they make."""

import difflib
import logging
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import osmium
import shapely
from shapely.geometry.base import BaseGeometry

from lifecircle.errors import DataError
from lifecircle.places import Area, Place
from lifecircle.region import Region, Zone, areal
from lifecircle.sources.osm import reading

log = logging.getLogger(__name__)

_KEYS = ("boundary", "place")
_NAMES = ("name", "name:zh", "name:en", "alt_name", "official_name")
_ZH = ("name:zh", "name:zh-Hans", "name")
_LISTED = 8  # areas told in one message
_IDS = range(1, 10**12)  # what OSM will ever count up to; osmium keeps a bit for every id below the largest it is given
_TOLD = 60  # characters of a name in a message
_LONGEST = 255  # as in OSM
_TAKE_WHOLE = (
    "take an extract that covers the place whole (cut with osmium extract -s smart -S types=boundary,multipolygon), "
    "or give a boundary file (--boundary)"
)
_JOINERS = "\u200c\u200d"  # invisible, and yet part of how some scripts are spelt


@dataclass(frozen=True)
class _Known:
    """An area the extract tells of, whole or not.

    Attributes
    ----------
    kind : {"r", "w"}
    tags : dict
        Names only, cleaned.
    administrative : bool
        Whether it can be found by name.
    """

    kind: str
    osm_id: int
    tags: dict[str, str]
    level: int | None
    administrative: bool

    @property
    def key(self) -> str:
        return f"{self.kind}{self.osm_id}"

    @property
    def area_id(self) -> int:
        """Id of the area osmium makes of it."""
        return 2 * self.osm_id + (self.kind == "r")

    @property
    def name(self) -> str:
        return next((self.tags[key] for key in _NAMES if self.tags.get(key)), "")

    @property
    def folded(self) -> set[str]:
        """All its names, as they are compared; a tag may hold several, parted by semicolons."""
        said = [self.tags[key] for key in _NAMES if key in self.tags]
        return {fold(part) for text in said for part in (text, *text.split(";"))} - {""}

    def __str__(self) -> str:
        level = "no admin_level" if self.level is None else f"admin_level {self.level}"
        return f"{self.plain}{f' {self.name[:_TOLD]!r}' if self.name else ''} ({level})"

    @property
    def plain(self) -> str:
        """What it is called where it has no name."""
        return f"{'relation' if self.kind == 'r' else 'way'} {self.osm_id}"

    def zone(self, geometry: BaseGeometry, asked: Area | None = None) -> Zone:
        """Make a zone of it, named by its tags first, and of the class that was said where it was asked for."""
        asked = asked or Area(name="-")
        local = self.name or self.plain
        name_zh = next((self.tags[key] for key in _ZH if self.tags.get(key)), local)
        name = self.tags.get("name:en") or clean(asked.name_en) or local
        return Zone(self.key, name, name_zh, geometry, asked.zone_class, asked.renewal)


def clean(text: str) -> str:
    """Make a name one line of visible characters: whoever edits the map writes it, and terminals obey some."""
    seen = "".join(c if c.isprintable() or c in _JOINERS else " " for c in text)
    return " ".join(seen.split())[:_LONGEST]


def fold(name: str) -> str:
    """Bring a name into the form names are compared in.

    Examples
    --------
    >>> fold(" MONACO ") == fold("Monaco"), fold("杨浦区")
    (True, '杨浦区')
    """
    return clean(unicodedata.normalize("NFKC", name)).casefold()


def read_region(path: str | Path, place: Place, *, name: str, crs: str | None = None) -> Region:
    """Take a region out of an extract.

    The file is passed over three times, whatever is asked; only outlines asked for are kept.

    Parameters
    ----------
    path : path
        ``.osm.pbf``, ``.osm``, ``.osm.gz`` or ``.osm.bz2``.
    place : Place

    Returns
    -------
    Region
        Zones and overlays are keyed ``r<id>`` or ``w<id>``, and named by their tags.

    Raises
    ------
    DataError
        The file cannot be read; an area is not there, not whole, not the only one of its name, or no polygon; or the
        zones overlap.
    """
    path = Path(path)
    extract = _Extract.read(path, place)
    found = [extract.find(area) for area in place.boundary]
    boundary = areal(shapely.union_all([extract.shapes[known.key] for known in found]))
    shapely.prepare(boundary)
    if place.zones_level is not None:
        zones = extract.of_level(place.zones_level, boundary)
    elif place.zones:
        zones = [extract.zone(area, boundary) for area in place.zones]
    else:
        zones = [known.zone(extract.shapes[known.key], area) for known, area in zip(found, place.boundary, strict=True)]
    region = Region.from_areas(
        name, boundary, zones, overlays=[extract.zone(area, boundary) for area in place.overlays], crs=crs
    )
    log.info("%s: %s of %d zones, by %s", path.name, name, len(region.zones), "; ".join(map(str, found)))
    if place.zones_level is not None and region.zones[-1].key == "rest":
        extract.warn_of_broken(place.zones_level)
    return region


@dataclass(frozen=True)
class _Extract:
    """What an extract knows of areas, and the outlines of those asked for.

    Attributes
    ----------
    shapes : dict
        Lon/lat polygons by key (``r<id>``, ``w<id>``) of what was asked for and is whole.
    """

    path: Path
    known: list[_Known]
    shapes: dict[str, BaseGeometry]

    @classmethod
    def read(cls, path: Path, place: Place) -> "_Extract":
        with reading(path):
            known = _scan(path)
            wanted = {
                found.key: found
                for area in place.areas
                for found in (*_fits(known, area), *(_fits(known, _around(area)) if area.within is not None else ()))
            }
            if place.zones_level is not None:
                wanted |= {found.key: found for found in known if _of_level(found, place.zones_level)}
            shapes = _shapes(path, wanted.values())
        return cls(path, known, shapes)

    def zone(self, area: Area, boundary: BaseGeometry) -> Zone:
        known = self.find(area, boundary=boundary)
        return known.zone(self.shapes[known.key], area)

    def find(self, area: Area, *, boundary: BaseGeometry | None = None) -> _Known:
        """Find the one area asked for; among several of a name the one inside the boundary, if one is given."""
        fits = _fits(self.known, area)
        if not fits:
            raise DataError(self._nothing(area))
        if fits[0].osm_id in {area.relation, area.way}:
            if area.name is not None and fold(area.name) not in fits[0].folded:
                log.warning("%s: %s is now called otherwise: %s", self.path.name, area.asked, fits[0])
        else:
            if area.relation or area.way:
                log.warning("%s is not in %s; taking what has the name", area.asked, self.path.name)
            fits = self._within(area, fits)
            if len(fits) > 1 and boundary is not None:
                fits = [found for found in fits if self._lies_in(found, boundary)] or fits
        if len(fits) > 1:
            raise DataError(self._several(area, fits))
        if fits[0].key not in self.shapes:
            raise DataError(self._broken(fits[0]))
        return fits[0]

    def of_level(self, level: int, boundary: BaseGeometry) -> list[Zone]:
        """Zones of one level inside the boundary, by id."""
        fits = [found for found in self.known if _of_level(found, level) and self._lies_in(found, boundary)]
        if not fits:
            counts = Counter(found.level for found in self.known if found.administrative and found.level is not None)
            levels = ", ".join(f"{level} ({counts[level]})" for level in sorted(counts))
            raise DataError(
                f"{self.path.name} holds no whole area of admin_level {level} inside the boundary; "
                f"levels of its areas (and how many): {levels}"
            )
        return [found.zone(self.shapes[found.key]) for found in sorted(fits, key=lambda f: (f.kind, f.osm_id))]

    def warn_of_broken(self, level: int) -> None:
        """Say that areas of a level are not whole, where there is a rest they may be part of."""
        broken = [str(found) for found in self.known if _of_level(found, level) and found.key not in self.shapes]
        if broken:
            log.warning(
                "%s does not hold these whole; what of them lies in the region is in its rest: %s",
                self.path.name, _listed(broken),
            )  # fmt: skip

    def _within(self, area: Area, fits: list[_Known]) -> list[_Known]:
        """Keep what lies in the area it should lie in; where that one is not whole, there is nothing to tell by."""
        if area.within is None:
            return fits
        around = [shape for found in _fits(self.known, _around(area)) if (shape := self.shapes.get(found.key))]
        if not around:
            log.warning("%s does not hold %r whole, so nobody knows if %s is", self.path.name, area.within, area.asked)
            return fits
        inside = [found for found in fits if any(self._lies_in(found, shape) for shape in around)]
        left = inside or [found for found in fits if found.key not in self.shapes]
        if not left:
            raise DataError(
                f"no area of {self.path.name} is {area.asked}; elsewhere there are {_listed(map(str, fits))}"
            )
        return left

    def _lies_in(self, found: _Known, around: BaseGeometry) -> bool:
        shape = self.shapes.get(found.key)
        if shape is None or not shapely.intersects(around, shape):
            return False
        return bool(areal(shape.intersection(around)).area >= shape.area / 2)

    def _nothing(self, area: Area) -> str:
        said = f"{self.path.name} holds no boundary that is {area.asked}"
        if not self.known:
            return f"{said}, nor any other; take an extract that was not filtered, or give a boundary file (--boundary)"
        if area.name is None:
            return f"{said}{self._otherwise(area)}; take an extract that covers it, or look for it by name"
        near = _near(self.known, area.name)
        listed = f"; near names: {_listed(map(str, near))}" if near else ""
        return f"{said}{listed}; check the spelling, or take an extract that covers it"

    def _several(self, area: Area, fits: list[_Known]) -> str:
        if not any(found.key in self.shapes for found in fits):
            return (
                f"{self.path.name} holds no whole area that is {area.asked}, only parts of {_listed(map(str, fits))}: "
                f"{_TAKE_WHOLE}"
            )
        told = [f"{found}{'' if found.key in self.shapes else ', not whole here'}" for found in fits]
        return (
            f"{len(fits)} areas of {self.path.name} are {area.asked}: {_listed(told)}; choose one by its id "
            "(--place ID), or say its admin_level or within what it lies"
        )

    def _otherwise(self, area: Area) -> str:
        """Say what an object is that is no boundary, if it is there at all."""
        kind, number = (osmium.osm.RELATION, area.relation) if area.relation else (osmium.osm.WAY, area.way)
        with reading(self.path):
            for thing in _picked(self.path, kind, [number or 0]):
                said = {key: str(thing.tags.get(key, "")) for key in ("type", "boundary", "place", "name")}
                told = ", ".join(f"{key}={clean(text)!r}" for key, text in said.items() if text) or "without tags"
                return f" (it is there, {told}, but encloses no boundary or place)"
        return ""

    def _broken(self, found: _Known) -> str:
        """Say why an area has no outline."""
        if found.kind == "w":
            return f"{found} is in {self.path.name}, but encloses no valid area; give a boundary file (--boundary)"
        with reading(self.path):
            n_ways, n_missing, n_lost = _members(self.path, found.osm_id)
        if n_missing or n_lost:
            lacks = f"{n_missing} of its {n_ways} ways" if n_missing else f"{n_lost} of the nodes of its ways"
            return f"{found} is not whole in {self.path.name}, which lacks {lacks}: {_TAKE_WHOLE}"
        return (
            f"{found} is whole in {self.path.name} ({n_ways} ways), but they make no rings that are closed and do not "
            "cross: it is drawn wrong in OpenStreetMap; take an extract of another day, or give a boundary file "
            "(--boundary)"
        )


def _around(area: Area) -> Area:
    """Area that another should lie within."""
    return Area(relation=area.within) if isinstance(area.within, int) else Area(name=area.within)


def _fits(known: list[_Known], area: Area) -> list[_Known]:
    """List what is asked for: by id if that is there, else by name and level."""
    key = f"r{area.relation}" if area.relation else f"w{area.way}" if area.way else ""
    by_id = [found for found in known if found.key == key]
    if by_id or area.name is None:
        return by_id
    name = fold(area.name)
    return [
        found
        for found in known
        if found.administrative and name in found.folded and area.admin_level in {None, found.level}
    ]


def _of_level(found: _Known, level: int) -> bool:
    return found.administrative and found.level == level and (found.kind == "r" or bool(found.name))


def _near(known: list[_Known], name: str) -> list[_Known]:
    """Areas whose names are most like one, those it is part of besides."""
    wanted = fold(name)
    by_name: dict[str, list[_Known]] = {}
    for found in known:
        for said in found.folded if found.administrative else ():
            by_name.setdefault(said, []).append(found)
    like = difflib.get_close_matches(wanted, by_name, n=_LISTED, cutoff=0.5)
    part = sorted(said for said in by_name if len(wanted) > 1 and (wanted in said or said in wanted) and len(said) > 1)
    named = {found.key: found for said in (*like, *part) for found in by_name[said]}
    return list(named.values())


def _listed(said: Iterable[str]) -> str:
    texts = list(said)
    more = f" and {len(texts) - _LISTED} more" if len(texts) > _LISTED else ""
    return ", ".join(texts[:_LISTED]) + more


def _scan(path: Path) -> list[_Known]:
    """List the areas a file tells of by their tags; ways come before relations in it."""
    relations: list[_Known] = []
    rings: dict[int, _Known] = {}
    parts: set[int] = set()
    entities = osmium.osm.WAY | osmium.osm.RELATION
    for thing in osmium.FileProcessor(str(path), entities).with_filter(osmium.filter.KeyFilter(*_KEYS)):
        if isinstance(thing, osmium.osm.Way):
            if thing.id in _IDS and thing.is_closed():
                rings[thing.id] = _known("w", thing)
        elif (
            isinstance(thing, osmium.osm.Relation)
            and thing.tags.get("type") in {"boundary", "multipolygon"}
            and thing.id in _IDS
        ):
            relations.append(_known("r", thing))
            parts.update(member.ref for member in thing.members if member.type == "w" and member.ref in rings)
    # A ring that is part of a relation says again what the relation does.
    loose = [
        known if number not in parts else _Known("w", number, known.tags, known.level, administrative=False)
        for number, known in rings.items()
    ]
    return [*relations, *loose]


def _known(kind: str, thing: osmium.osm.Way | osmium.osm.Relation) -> _Known:
    tags = {key: clean(thing.tags[key]) for key in {*_NAMES, *_ZH} if key in thing.tags}
    level = str(thing.tags.get("admin_level"))
    return _Known(
        kind, thing.id, tags, int(level) if re.fullmatch("[0-9]{1,2}", level) else None,
        administrative=thing.tags.get("boundary") == "administrative",
    )  # fmt: skip


def _shapes(path: Path, wanted: Iterable[_Known]) -> dict[str, BaseGeometry]:
    """Assemble outlines; what is not whole or no polygon is left out."""
    by_area = {found.area_id: found for found in wanted}
    if not by_area:
        return {}
    relations = osmium.filter.IdFilter([found.osm_id for found in by_area.values() if found.kind == "r"])
    reader = (
        osmium.FileProcessor(str(path))
        .with_areas(relations)
        .with_filter(osmium.filter.EntityFilter(osmium.osm.AREA))
        .with_filter(osmium.filter.IdFilter(list(by_area)))
    )
    factory = osmium.geom.WKBFactory()
    shapes = {}
    for area in reader:
        if not isinstance(area, osmium.osm.Area):
            continue
        try:
            shape = shapely.from_wkb(factory.create_multipolygon(area))
        except RuntimeError:
            continue
        shape = areal(shape if shape.is_valid else shapely.make_valid(shape, method="structure"))
        if shape.area > 0:
            shapes[by_area[area.id].key] = shape
    return shapes


def _members(path: Path, relation: int) -> tuple[int, int, int]:
    """Count the ways of a relation, those the file does not hold, and nodes it does not hold of those it does."""
    ways: set[int] = set()
    nodes: set[int] = set()
    there = 0
    for thing in _picked(path, osmium.osm.RELATION, [relation]):
        if isinstance(thing, osmium.osm.Relation):
            ways.update(member.ref for member in thing.members if member.type == "w")
    for thing in _picked(path, osmium.osm.WAY, ways):
        if isinstance(thing, osmium.osm.Way):
            there += 1
            nodes.update(node.ref for node in thing.nodes)
    held = sum(1 for _ in _picked(path, osmium.osm.NODE, nodes))
    return len(ways), len(ways) - there, len(nodes) - held


def _picked(path: Path, kind: osmium.osm.osm_entity_bits, ids: Iterable[int]) -> osmium.FileProcessor:
    """Read the objects of one kind with these ids."""
    wanted = osmium.filter.IdFilter([number for number in ids if number in _IDS])
    return osmium.FileProcessor(str(path), kind).with_filter(wanted)
