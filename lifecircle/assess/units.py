"""Units of the life circle: zones parted and joined into communities and subdistrict units of the size rules ask."""

import json
import re
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from lifecircle.assess.neighbours import SEVERING, Links, neighbours
from lifecircle.assess.parting import Parts, Patch
from lifecircle.errors import DataError, StandardError, did_you_mean
from lifecircle.model.barriers import Barriers
from lifecircle.model.cells import PEOPLE, Cells
from lifecircle.region import WGS84, Region, Zone, geodesic_area

if TYPE_CHECKING:
    import geopandas as gpd

SOURCE = "城市体检工作手册(试行), Ministry of Housing and Urban-Rural Development, May 2025"
"""Below the least a unit combines with neighbours and shares, above the most it is split; verified."""


@dataclass(frozen=True)
class Level:
    """A size of units.

    Attributes
    ----------
    name, name_zh : str
    least, most : int
        People of a unit.
    area_m2 : (least, most), m²
        What its area should be; advice, not a bound. Zero and infinity where nothing is said.
    """

    name: str
    name_zh: str
    least: int
    most: int
    area_m2: tuple[float, float] = (0.0, float("inf"))

    def __post_init__(self) -> None:
        if not 0 < self.least < self.most:
            raise StandardError(
                f"a unit of {self.least:,} to {self.most:,} people cannot be: expected 0 < least < most"
            )


LEVELS = {
    "community": Level("community", "小区", 5_000, 12_000),
    "subdistrict": Level("subdistrict", "街区", 50_000, 100_000, (2e6, 5e6)),
}
"""Sizes the handbook asks for (`SOURCE`); of a subdistrict unit at least 2 km², best 2 to 5 km²."""

_TRIFLE = 100  # people beyond a barrier that are fewer than one in so many: a pixel whose middle lies among tracks

VERDICTS = {
    "fits": "It has as many people as a unit should.",
    "too_few": "It has fewer, and no neighbour is left that it could be combined with.",
    "too_many": "It has more, and is a single cell, which nothing parts.",
}
"""Verdicts on the people of a unit."""


@dataclass(frozen=True)
class Unit:
    """One proposed unit.

    Attributes
    ----------
    key : str
        ``<level>-001`` and so on: zone by zone, in a zone by the northernmost cell, of equal ones the westernmost.
    name, name_zh : str
        Of the zone most of its people share, and a number in it.
    people : int
        In multiples of 1/1024 person.
    area_m2 : float
        Geodesic area of its land.
    zones : tuple of str
        Keys of the zones its cells are in.
    verdict : str
        One of `VERDICTS`.
    advice : str
        ``too_small_area``, ``too_large_area`` or empty.
    cut_by : tuple of str
        Kind and name of what should bound a unit and runs through this one nevertheless: whatever has a hundredth of
        its people or more on either side, land of others (``outside``) too, and the motorways, railways and hard
        barriers that end in it.
    needed : int
        How many facilities it must have of which every unit needs one; 0 where it has too few people and shares those
        of its neighbours.
    geometry : shapely polygon, lon/lat WGS84
        Land of its zones nearest to its cells.
    """

    key: str
    name: str
    name_zh: str
    people: int
    area_m2: float
    zones: tuple[str, ...]
    verdict: str
    advice: str
    cut_by: tuple[str, ...]
    needed: int
    geometry: BaseGeometry


@dataclass(frozen=True, eq=False, repr=False)
class Units:
    """Units of a region.

    Attributes
    ----------
    level : Level
    cells : Cells
    unit : (n_cells,) int32
        Position of each cell's unit in ``units``.
    units : tuple of Unit
    """

    level: Level
    cells: Cells
    unit: NDArray[np.int32]
    units: tuple[Unit, ...]

    def __post_init__(self) -> None:
        self.unit.flags.writeable = False

    @classmethod
    def propose(
        cls, cells: Cells, barriers: Barriers, *, roads: Barriers | None = None, level: str | Level = "community"
    ) -> "Units":
        """Part zones with too many people and join what has too few.

        1. Cells whose nearest land meets are linked, within a zone so that its cells hang together
           (`assess.neighbours`). A link is as strong as the boundary shared is long for the distance, an eighth of it
           across an arterial, and severed by a motorway, railway, hard barrier or wide water.
        2. What hangs together in a zone by links that are not severed is a part; one with too many people is halved
           along weak links until all its parts fit (`Patch.parted`).
        3. Parts with too few people are joined to neighbours, the smallest first (`Parts.joined`).

        What is certain: every cell is in one unit; each unit hangs together; only a single cell exceeds the upper
        bound; no unit below the lower one has a neighbour with nothing between that it would fit with; the result is
        the same for any order of the cells, and people add up exactly. What is not: the least number of units there
        could be (that is a hard problem), and the last percent of any boundary's length.

        Parameters
        ----------
        roads : Barriers, optional
            Main roads (`assess.neighbours.dividers`), bridges included.
        level : str or Level
            ``community``, ``subdistrict`` or one of your own.

        Raises
        ------
        DataError
            Nobody knows how many people live in the cells.
        StandardError
            There is no such level.
        """
        size = _level(level)
        if cells.people is None:
            raise DataError(
                "units are made of people, and without a population raster nobody knows how many live where; "
                "give one (--population)"
            )
        order = np.lexsort((cells.column, cells.row))
        people, zone = cells.people[order], cells.zone[order]
        links, land = neighbours(cells, order, barriers, roads)
        least, most = size.least * PEOPLE, size.most * PEOPLE
        part = _parted(links, Patch(land.xy, people, links.a, links.b, links.strength), least, most)
        parts = Parts(part, zone, land.xy, people, links)
        parts.joined(least, most)
        label = _numbered(parts.label, zone)
        polygons = land.polygons(label)
        made = _units(size, cells, label, people, zone, links, polygons)
        unit = np.empty(len(order), dtype=np.int32)
        unit[order] = label
        return cls(size, cells, unit, made)

    def __len__(self) -> int:
        return len(self.units)

    def to_geodataframe(self) -> "gpd.GeoDataFrame":
        """One row per unit, lon/lat."""
        import geopandas as gpd

        rows = [_properties(unit) for unit in self.units]
        columns = {name: [row[name] for row in rows] for name in rows[0]}
        return gpd.GeoDataFrame(columns, geometry=[unit.geometry for unit in self.units], crs=WGS84)

    def to_geojson(self, *, as_zones: bool = False) -> str:
        """Write a boundary file with the units, which `Region.from_geojson` reads: a run with it gives figures by unit.

        Parameters
        ----------
        as_zones : bool
            Whether the units take the place of the zones; else the zones stay and the units are overlays. Overlays the
            region had stay, but for units proposed before.
        """
        region = self.cells.region
        features = []
        if not as_zones:
            features += [_feature(z.geometry, _of_zone(z)) for z in region.zones]
        role = {} if as_zones else {"role": "overlay"}
        features += [
            _feature(unit.geometry, _properties(unit) | role | (_shared(unit, region) if as_zones else {}))
            for unit in self.units
        ]
        features += [_feature(z.geometry, _of_zone(z) | {"role": "overlay"}) for z in _own_overlays(region, self.level)]
        lines = ",\n".join(json.dumps(feature, ensure_ascii=False) for feature in features)
        return f'{{"type": "FeatureCollection", "features": [\n{lines}\n]}}\n'

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{escape(unit.key)}</td><td>{escape(unit.name)}</td><td>{unit.people / PEOPLE:,.0f}</td>"
            f"<td>{unit.area_m2 / 1e6:.2f}</td><td>{escape(unit.verdict)}</td></tr>"
            for unit in self.units[:20]
        )
        head = "<tr><th>unit</th><th>name</th><th>people</th><th>km²</th><th>verdict</th></tr>"
        return f"<p>{len(self)} units ({escape(self.level.name)}), the first of them:</p><table>{head}{rows}</table>"


def _own_overlays(region: Region, level: Level) -> list[Zone]:
    """Overlays of a region but for units of the same level proposed before."""
    key, name = re.compile(rf"(new-)*{re.escape(level.name)}-\d{{3,}}"), re.compile(rf".* {re.escape(level.name)} \d+")
    return [z for z in region.overlays if not (key.fullmatch(z.key) and name.fullmatch(z.name))]


def _level(level: str | Level) -> Level:
    if isinstance(level, Level):
        return level
    if level not in LEVELS:
        raise StandardError(f"there is no level {level!r}; {did_you_mean(level, list(LEVELS))}")
    return LEVELS[level]


def _parted(links: Links, every: Patch, least: int, most: int) -> NDArray[np.int64]:
    """Part every side of every zone, (n_cells,) counted from 0."""
    label = links.together(len(every), links.inner & ~links.severed)
    total = np.zeros(int(label.max()) + 1, dtype=np.int64)
    np.add.at(total, label, every.people)
    free = np.flatnonzero(links.inner & ~links.severed)
    by_side = free[np.argsort(label[every.a[free]], kind="stable")]
    by_cell = np.argsort(label, kind="stable")
    sides = np.arange(len(total) + 1)
    cell_at = np.searchsorted(label[by_cell], sides)
    link_at = np.searchsorted(label[every.a[by_side]], sides)
    made = len(total)
    for side in np.flatnonzero(total > most).tolist():
        cells = by_cell[cell_at[side] : cell_at[side + 1]]
        link = by_side[link_at[side] : link_at[side + 1]]
        a, b = np.searchsorted(cells, every.a[link]), np.searchsorted(cells, every.b[link])
        patch = Patch(every.xy[cells], every.people[cells], a, b, every.strength[link])
        inside = patch.parted(least, most)
        label[cells] = np.where(inside == 0, side, made + inside - 1)
        made += int(inside.max())
    return label


def _numbered(label: NDArray[np.int64], zone: NDArray[np.int16]) -> NDArray[np.int64]:
    """Give units their order: zone by zone, in a zone by their first cell in reading order."""
    _, first, back = np.unique(label, return_index=True, return_inverse=True)
    lowest = np.full(len(first), np.iinfo(np.int16).max, dtype=np.int64)
    np.minimum.at(lowest, back, zone)
    rank = np.empty(len(first), dtype=np.int64)
    rank[np.lexsort((first, lowest))] = np.arange(len(first))
    return rank[back]


def _units(
    level: Level, cells: Cells, label: NDArray[np.int64], people: NDArray[np.int64], zone: NDArray[np.int16],
    links: Links, polygons: list[BaseGeometry],
) -> tuple[Unit, ...]:  # fmt: skip
    n, zones = len(polygons), cells.region.zones
    total = np.zeros(n, dtype=np.int64)
    np.add.at(total, label, people)
    pair, of = np.unique(label * len(zones) + zone, return_inverse=True)
    shares = np.zeros(len(pair), dtype=np.int64)
    np.add.at(shares, of, people)
    by_unit = np.split(np.arange(len(pair)), np.searchsorted(pair // len(zones), np.arange(1, n)))
    cut_by = _cut_by(links, label, people)
    prefix, taken = level.name, [z.key.casefold() for z in (*zones, *_own_overlays(cells.region, level))]
    while any(key.startswith(f"{prefix}-".casefold()) for key in taken):
        prefix = f"new-{prefix}"  # zones may be units of an earlier proposal
    numbers = np.zeros(len(zones), dtype=np.int64)
    made = []
    for ix, (polygon, own) in enumerate(zip(polygons, by_unit, strict=True)):
        main = int(pair[own[np.argmax(shares[own])]] % len(zones))
        numbers[main] += 1
        lived, area = int(total[ix]), geodesic_area(polygon)
        few, many = lived < level.least * PEOPLE, lived > level.most * PEOPLE
        low, high = level.area_m2
        made.append(
            Unit(
                key=f"{prefix}-{ix + 1:0{max(3, len(str(n)))}d}",
                name=f"{zones[main].name} {level.name} {numbers[main]}",
                name_zh=f"{zones[main].name_zh}{level.name_zh}{numbers[main]}",
                people=lived,
                area_m2=area,
                zones=tuple(zones[int(pair[row] % len(zones))].key for row in own),
                verdict="too_few" if few else "too_many" if many else "fits",
                advice="too_small_area" if area < low else "too_large_area" if area > high else "",
                cut_by=cut_by[ix],
                needed=0 if few else -(-lived // (level.most * PEOPLE)),
                geometry=polygon,
            )
        )
    return tuple(made)


def _cut_by(links: Links, label: NDArray[np.int64], people: NDArray[np.int64]) -> list[tuple[str, ...]]:
    """Name what runs through each unit."""
    own = label[links.a] == label[links.b]
    inside = np.flatnonzero(links.severed & own)
    side = links.together(len(label), ~links.severed & own)
    total, lived = np.zeros(int(label.max()) + 1, dtype=np.int64), np.zeros(int(side.max()) + 1, dtype=np.int64)
    np.add.at(total, label, people)
    np.add.at(lived, side, people)
    one, other = side[links.a[inside]], side[links.b[inside]]
    parts = (one != other) & (_TRIFLE * np.minimum(lived[one], lived[other]) >= total[label[links.a[inside]]])
    found: list[set[str]] = [set() for _ in total]
    rows = zip(label[links.a[inside]], links.across[inside], parts, one == other, strict=True)
    for unit, what, apart, around in rows:
        if apart or (around and what.startswith(SEVERING)):
            found[unit].add(what or "outside")
    return [tuple(sorted(names)) for names in found]


def _properties(unit: Unit) -> dict[str, Any]:
    return {
        "id": unit.key,
        "name": unit.name,
        "name_zh": unit.name_zh,
        "people": unit.people / PEOPLE,
        "area_km2": round(unit.area_m2 / 1e6, 6),
        "zones": list(unit.zones),
        "verdict": unit.verdict,
        "advice": unit.advice,
        "cut_by": list(unit.cut_by),
        "needed": unit.needed,
    }


def _of_zone(zone: Zone) -> dict[str, Any]:
    """Properties of a zone that `Region.from_geojson` reads back."""
    said = {"id": zone.key, "name": zone.name, "name_zh": zone.name_zh}
    return (
        said
        | ({"zone_class": zone.zone_class} if zone.zone_class else {})
        | ({"renewal": True} if zone.renewal else {})
    )


def _shared(unit: Unit, region: Region) -> dict[str, Any]:
    """Class of the zones of a unit and whether they are under renewal, where all of them agree."""
    of = [_of_zone(zone) for zone in region.zones if zone.key in unit.zones]
    return {
        name: of[0][name]
        for name in ("zone_class", "renewal")
        if len({one.get(name) for one in of}) == 1 and name in of[0]
    }


def _feature(geometry: BaseGeometry, properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "Feature", "properties": properties, "geometry": json.loads(shapely.to_geojson(geometry))}
