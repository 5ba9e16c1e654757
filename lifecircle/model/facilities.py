"""Facilities, one per real place, and the points of the network where each is entered."""

import logging
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property, partial
from html import escape
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from lifecircle.errors import DataError
from lifecircle.model.entrances import entrances
from lifecircle.model.snapping import Joins, Snapper
from lifecircle.region import Region, areal, geodesic_area
from lifecircle.standards import Standard, Supply, has_tag

if TYPE_CHECKING:
    import geopandas as gpd

    from lifecircle.model.cells import Cells

log = logging.getLogger(__name__)

SAME_NAME_M = 75.0
"""Two things of one name and service within this distance are one (about 1 % of the features of two cities tried)."""

_CAPACITY = ("capacity", "capacity:persons", "beds", "capacity:beds")
_LIFECYCLE = ("proposed:", "planned:", "construction:")
_FEW_SIGNS, _FEW_LETTERS = 3, 6  # a name shorter than this stands in too many others


@dataclass(frozen=True, eq=False, repr=False)
class Facilities:
    """Facilities by service, and their entrances.

    Attributes
    ----------
    facility_id : (n,) object
        ``n``, ``w`` or ``r`` and the OSM id, or ``t``, the name of a table, a colon and the row; ascending text.
    services : (n,) tuple of int
        Services each gives, positions in ``service_keys``.
    name : (n,) object
        Name, or an empty text.
    capacity : (n,) float64, NaN where unknown
    tags : (n,) dict
        Tags of the object that stands for the place, and of those merged into it what it does not say itself.
    floor_m2 : (n,) float64, NaN where unknown
        Footprint times levels of the building it is, or of all the buildings on its ground. Known only where a norm of
        the standard asks, and the map tells the levels of each.
    opens, closes : (n,) float64, years; NaN is always
    shape : (n,) shapely point or polygon, metre CRS
    extent : (n,) shapely geometry, metre CRS
        ``shape`` and what was merged into it beside it: two stops of one name, one on each side of a street, are both.
    merged : (n,) object
        Further objects of the source that were found to be this same place: their ids, set apart by commas, or an
        empty text.
    joins : Joins
        Entrances; ``place`` is the facility.
    join_kind : (n_joins,) object
        ``mapped`` (an entrance or gate on the outline), ``crossing`` (a way crosses the outline) or ``nearest``.
    join_evidence : (n_joins,) object
    join_tags : (n_joins,) object
        What the entrance and the place say of wheelchairs, kerbs and the like: profiles that are barred by these tags
        do not enter there.
    """

    service_keys: tuple[str, ...]
    facility_id: NDArray[np.object_]
    services: tuple[tuple[int, ...], ...]
    name: NDArray[np.object_]
    capacity: NDArray[np.float64]
    tags: NDArray[np.object_]
    floor_m2: NDArray[np.float64]
    opens: NDArray[np.float64]
    closes: NDArray[np.float64]
    shape: NDArray[np.object_]
    extent: NDArray[np.object_]
    merged: NDArray[np.object_]
    joins: Joins
    join_kind: NDArray[np.object_]
    join_evidence: NDArray[np.object_]
    join_tags: NDArray[np.object_]
    region: Region

    def __post_init__(self) -> None:
        for array in vars(self).values():
            if isinstance(array, np.ndarray):
                array.flags.writeable = False

    def __len__(self) -> int:
        return len(self.facility_id)

    @classmethod
    def from_osm(
        cls, features: pd.DataFrame, standard: Standard, snapper: Snapper, *, year: int | None = None,
        allow_empty: bool = False, listed: pd.DataFrame | None = None,
    ) -> "Facilities":  # fmt: skip
        """Pick the features that give a service, make one facility of each real place, and find its entrances.

        Parameters
        ----------
        features : ``osm_type``, ``osm_id``, ``tags``, ``geometry`` (lon/lat)
        standard : Standard
        snapper : Snapper
        year : int, optional
            Only facilities open in this year are kept. None keeps those that are open now: planned ones are left out.

        allow_empty : bool
            Whether a service may have no facility; some service must have one.
        listed : ``facility_id``, ``services`` (tuple of keys), ``tags``, ``geometry`` (lon/lat), optional
            Facilities of tables. Their ids begin with ``t``; without services their tags are asked as those of OSM are.

        Raises
        ------
        DataError
            A service of the standard has no facility at all in the data.
        """
        region = snapper.network.region
        rows = _candidates(features, standard, year, listed)
        keys = tuple(standard.services)
        empty = [key for ix, key in enumerate(keys) if not any(ix in served for served in rows["services"])]
        lacking = [key for key in empty if not standard.services[key].may_lack]
        if (lacking and not allow_empty) or (empty and not len(rows)):
            raise DataError(
                f"the data holds no facility for: {', '.join(lacking or empty)}. Nobody could be judged by them; "
                "leave the service out (--services), add data (--facilities), or in a copy of the standard change its "
                "tag rules or say that it may_lack = true"
            )
        rows["shape"] = region.project(np.array(rows["geometry"], dtype=object))
        members = rows["shape"].to_numpy(dtype=object)
        ground = (shapely.get_dimensions(members) == 2) & ~rows["roofed"].to_numpy(dtype=bool)  # noqa: PLR2004
        wheels = rows["wheelchair"].fillna("").to_numpy(dtype=object)  # pandas makes NaN of a None
        rows, place = _one_per_place(rows)
        shapes = rows["shape"].to_numpy(dtype=object)
        # What is merged keeps its doors (two stops of one name, one on each side, are one stop), unless it lies within
        # the outline that stands for it: that is entered through the outline.
        outside = ~shapely.intersects(shapely.point_on_surface(members), shapes[place]) | (members == shapes[place])
        extents = _extents(shapes, members[outside], place[outside])
        joins, kind, evidence, said = entrances(
            members[outside], place[outside], ground[outside], wheels[outside], features, snapper
        )
        return cls(
            service_keys=keys,
            facility_id=rows["facility_id"].to_numpy(dtype=object),
            services=tuple(rows["services"]),
            name=rows["name"].to_numpy(dtype=object),
            capacity=rows["capacity"].to_numpy(dtype=np.float64),
            tags=rows["tags"].to_numpy(dtype=object),
            floor_m2=_floors(features, extents, region) if standard.asks_floor else np.full(len(rows), np.nan),
            opens=rows["opens"].to_numpy(dtype=np.float64),
            closes=rows["closes"].to_numpy(dtype=np.float64),
            shape=shapes,
            extent=extents,
            merged=rows["merged"].to_numpy(dtype=object),
            joins=joins,
            join_kind=kind,
            join_evidence=evidence,
            join_tags=said,
            region=region,
        )

    @classmethod
    def of_homes(cls, cells: "Cells", snapper: Snapper) -> "Facilities":
        """Take every access point with residents for a place to walk to, as those who look for housing do."""
        starts = cells.starts
        n = len(starts)
        joins, _ = snapper.doors(cells.joins)
        lived_in = np.ones(n, dtype=bool) if starts.people is None else starts.people > 0
        empty, nan = np.full(n, "", dtype=object), np.full(n, np.nan)
        tags, of_joins = np.empty(n, dtype=object), np.full(len(joins), "", dtype=object)
        tags[:] = [{}] * n
        said = np.empty(len(joins), dtype=object)
        said[:] = [{}] * len(joins)
        spots = np.asarray(shapely.points(starts.xy), dtype=object)
        return cls(
            ("housing",), np.arange(n).astype(str).astype(object), tuple((0,) if home else () for home in lived_in),
            empty, nan, tags, nan, nan, nan, spots, spots,
            empty, joins, of_joins, of_joins, said, cells.region,
        )  # fmt: skip

    @property
    def merged_n(self) -> NDArray[np.int32]:
        """How many further objects each facility is, (n,) int32."""
        return np.array([ids.count(",") + 1 if ids else 0 for ids in self.merged], dtype=np.int32)

    @cached_property
    def _objects(self) -> list[list[str]]:
        """Ids of all objects that each facility is."""
        return [[one, *(ids.split(",") if ids else [])] for one, ids in zip(self.facility_id, self.merged, strict=True)]

    @property
    def source(self) -> NDArray[np.object_]:
        """Where each is known from, (n,) object: ``osm``, ``table`` or ``both``."""
        said = [{"table" if one.startswith("t") else "osm" for one in ids} for ids in self._objects]
        return np.array(["both" if len(where) > 1 else next(iter(where)) for where in said], dtype=object)

    def where_from(self) -> list[tuple[str, str]]:
        """Id of every object that is a facility or was merged into one, and that one's `source`."""
        return [(one, source) for ids, source in zip(self._objects, self.source, strict=True) for one in ids]

    @property
    def points(self) -> NDArray[np.object_]:
        """A point for each facility: itself, or one inside its outline; metre CRS."""
        return np.asarray(shapely.point_on_surface(self.shape), dtype=object)

    def only(self, chosen: NDArray[np.bool_]) -> "Facilities":
        """Keep some facilities, with their entrances.

        Parameters
        ----------
        chosen : (n,) bool
        """
        kept = chosen[self.joins.place]
        return replace(
            self,
            facility_id=self.facility_id[chosen],
            services=tuple(served for served, keep in zip(self.services, chosen.tolist(), strict=True) if keep),
            name=self.name[chosen],
            capacity=self.capacity[chosen],
            tags=self.tags[chosen],
            floor_m2=self.floor_m2[chosen],
            opens=self.opens[chosen],
            closes=self.closes[chosen],
            shape=self.shape[chosen],
            extent=self.extent[chosen],
            merged=self.merged[chosen],
            joins=joins_of(self.joins, chosen),
            join_kind=self.join_kind[kept],
            join_evidence=self.join_evidence[kept],
            join_tags=self.join_tags[kept],
        )

    @property
    def outside(self) -> NDArray[np.bool_]:
        """Facilities that lie wholly outside the boundary, (n,) bool."""
        boundary = self.region.project_outline(self.region.boundary)
        shapely.prepare(boundary)
        return np.asarray(~shapely.intersects(boundary, self.shape), dtype=bool)

    def supply(self, told: Supply) -> NDArray[np.float64]:
        """How much each facility offers, (n,) float64; NaN is unknown."""
        found = np.array([_number(tags, tuple(told.tags)) for tags in self.tags], dtype=np.float64)
        if told.outline is None:
            return found
        if told.outline == "floor_m2":
            return np.where(np.isnan(found), self.floor_m2, found)
        area = (shapely.get_dimensions(self.extent) == 2) & np.isnan(found)  # noqa: PLR2004
        for ix in np.flatnonzero(area).tolist():
            found[ix] = geodesic_area(self.region.unproject(areal(self.extent[ix])))
        return found

    def serving(self, service: int) -> NDArray[np.bool_]:
        """Facilities that give a service, (n,) bool."""
        return np.array([service in given for given in self.services], dtype=bool)

    def count(self) -> dict[str, int]:
        """Facilities by service key."""
        return {key: sum(ix in served for served in self.services) for ix, key in enumerate(self.service_keys)}

    def to_geodataframe(self) -> "gpd.GeoDataFrame":
        """One row per facility and service, in the metre CRS, as ``facilities.parquet`` has it."""
        import geopandas as gpd

        row = [ix for ix, served in enumerate(self.services) for _ in served]
        ids = self.facility_id[row]
        osm = [next((one for one in self._objects[ix] if not one.startswith("t")), "") for ix in row]
        return gpd.GeoDataFrame(
            {
                "facility_id": ids,
                "service": [self.service_keys[s] for served in self.services for s in served],
                "name": [name or None for name in self.name[row]],
                "source": self.source[row],
                "osm_type": [text[:1] or None for text in osm],
                "osm_id": pd.array([int(text[1:]) if text else None for text in osm], dtype="Int64"),
                "capacity": self.capacity[row],
                "opens": pd.array(_years(self.opens[row]), dtype="Int16"),
                "closes": pd.array(_years(self.closes[row]), dtype="Int16"),
                "merged": [ids or None for ids in self.merged[row]],
                "merged_n": self.merged_n[row],
            },
            geometry=self.shape[row],
            crs=self.region.crs,
        )

    def _repr_html_(self) -> str:
        rows = "".join(f"<tr><td>{escape(key)}</td><td>{n}</td></tr>" for key, n in self.count().items())
        head = "<tr><th>service</th><th>facilities</th></tr>"
        return f"<p>{len(self)} facilities, {int(self.merged_n.sum())} merged</p><table>{head}{rows}</table>"


def joins_of(joins: Joins, chosen: NDArray[np.bool_]) -> Joins:
    """Keep the joins of some places, which are numbered anew.

    Parameters
    ----------
    chosen : (n_places,) bool
    """
    kept = chosen[joins.place]
    number = (np.cumsum(chosen) - 1).astype(np.int32)
    return Joins(number[joins.place[kept]], joins.rank[kept], joins.edge[kept], joins.offset_m[kept], joins.leg_m[kept])


def _years(values: NDArray[np.float64]) -> list[int | None]:
    return [None if np.isnan(value) else int(value) for value in values]


def _candidates(
    features: pd.DataFrame, standard: Standard, year: int | None, listed: pd.DataFrame | None
) -> pd.DataFrame:
    """Features that give a service in the year, as rows with their services, name, years and id."""
    wanted = {prefix + key for key in standard.tag_keys for prefix in ("", *_LIFECYCLE)}
    position = {key: ix for ix, key in enumerate(standard.services)}
    found: list[tuple[object, ...]] = []
    grounds = _Grounds(features) if standard.asks_within else None
    serves = standard.reader()
    objects = features.itertuples(index=False, name=None)
    if listed is not None:
        found.extend(_of_tables(listed[[bool(of) for of in listed["services"]]], position, year))
        by_tags = listed[[not of for of in listed["services"]]].assign(kind="")
        objects = chain(
            objects, by_tags[["kind", "facility_id", "tags", "geometry"]].itertuples(index=False, name=None)
        )
    for kind, number, tags, geometry in objects:
        if wanted.isdisjoint(tags):
            continue
        to_come = {key.split(":", 1)[1]: value for key, value in tags.items() if key.startswith(_LIFECYCLE)}
        opens, closes = _year(tags.get("start_date")), _year(tags.get("end_date"))
        area_m2 = partial(_area_m2, geometry)
        lies_in = partial(_lies_in, grounds, geometry)
        served = serves(tags, area_m2, lies_in) if _open_in(year, opens, closes) else []
        if to_come:  # what is proposed stands beside what is there, from the year it is said to open
            said = [tags.get("opening_date"), to_come.get("opening_date"), to_come.get("start_date")]
            then = _first_year(*said, *([] if served else [tags.get("start_date")]))
            if year is not None and then <= year and _open_in(year, then, closes):
                opens = opens if served else then
                served = served + [key for key in serves({**tags, **to_come}, area_m2, lies_in) if key not in served]
        elif served and _year(tags.get("opening_date")) > (9999 if year is None else year):
            served = []
        if served and geometry is not None and not geometry.is_empty:
            services = tuple(sorted(position[key] for key in served))
            roofed = tags.get("building", "no") != "no"
            about = (_name(tags), _number(tags), tags, opens, closes, roofed, tags.get("wheelchair"))
            found.append((f"{kind}{number}", services, *about, geometry))
    columns = ["facility_id", "services", "name", "capacity", "tags", "opens", "closes", "roofed", "wheelchair"]
    return pd.DataFrame(found, columns=[*columns, "geometry"]).sort_values("facility_id", ignore_index=True)


def _of_tables(listed: pd.DataFrame, position: dict[str, int], year: int | None) -> Iterator[tuple[object, ...]]:
    """Rows of tables that say what they give, as those of features are."""
    for row, keys, tags, geometry in zip(
        listed["facility_id"], listed["services"], listed["tags"], listed["geometry"], strict=True
    ):
        opens, closes = _year(tags.get("start_date")), _year(tags.get("end_date"))
        served = tuple(sorted(position[key] for key in keys if key in position))
        if served and _open_in(year, opens, closes):
            yield row, served, _name(tags), _number(tags), tags, opens, closes, False, tags.get("wheelchair"), geometry


class _Grounds:
    """Outlines by what they are, to ask what lies in them."""

    def __init__(self, features: pd.DataFrame) -> None:
        area = (features["osm_type"] != "n").to_numpy()
        self.tags = features["tags"].to_numpy()[area]
        self.shapes = features["geometry"].to_numpy(dtype=object)[area]
        self.trees: dict[str, shapely.STRtree] = {}

    def hold(self, asked: dict[str, list[str]], point: Any) -> bool:
        name = repr(asked)
        if name not in self.trees:
            near = [ix for ix, t in enumerate(self.tags) if not asked.keys().isdisjoint(t)]  # few are
            those = [ix for ix in near if any(has_tag(self.tags[ix], key, values) for key, values in asked.items())]
            self.trees[name] = shapely.STRtree(self.shapes[those])
        return bool(len(self.trees[name].query(point, predicate="intersects")))


def _area_m2(geometry: Any) -> float:
    outline = geometry is not None and shapely.get_dimensions(geometry) == 2  # noqa: PLR2004
    return geodesic_area(geometry) if outline else 0.0


def _lies_in(grounds: _Grounds | None, geometry: Any, asked: dict[str, list[str]]) -> bool:
    return grounds is not None and geometry is not None and grounds.hold(asked, shapely.point_on_surface(geometry))


def _open_in(year: int | None, opens: float, closes: float) -> bool:
    """Say whether a thing is open in a year; an unknown year is now, an unknown date no hindrance."""
    return year is None or ((np.isnan(opens) or opens <= year) and (np.isnan(closes) or year < closes))


def _first_year(*texts: str | None) -> float:
    return next((found for text in texts if not np.isnan(found := _year(text))), float("nan"))


def _year(text: str | None) -> float:
    """Year in an OSM date: ``2030``, ``2030-09``, ``20300901``, ``~2030``; NaN for anything else."""
    found = re.search(r"(?<!\d)(1[5-9]\d\d|2[01]\d\d)(?=\d{4}(?!\d)|\D|$)", text) if text else None
    return float(found.group(1)) if found else float("nan")


def _name(tags: dict[str, str]) -> str:
    return tags.get("name") or tags.get("name:zh") or tags.get("name:en") or ""


def _number(tags: dict[str, str], keys: tuple[str, ...] = _CAPACITY) -> float:
    """Take the number in the first of some tags that holds one, NaN where none does."""
    for key in keys:
        try:
            value = float(tags.get(key, ""))
        except ValueError:
            continue
        if np.isfinite(value) and value >= 0:
            return value
    return float("nan")


def _floors(features: pd.DataFrame, extents: NDArray[np.object_], region: Region) -> NDArray[np.float64]:
    """Floor area of each place that is a building or ground with buildings on it, (n,) m²; NaN where unknown."""
    found = np.full(len(extents), np.nan)
    tags = features["tags"].to_numpy()
    standing = [t.get("building", "no") != "no" for t in tags] & (features["osm_type"] != "n").to_numpy()
    shapes = region.project(features["geometry"].to_numpy(dtype=object)[standing])
    own = tags[standing]
    tree = shapely.STRtree(shapely.point_on_surface(shapes))
    area = np.flatnonzero(shapely.get_dimensions(extents) == 2)  # noqa: PLR2004
    grounds = np.array([areal(extents[ix]) for ix in area.tolist()], dtype=object)
    on: dict[int, list[int]] = {}
    for place, building in tree.query(grounds, predicate="intersects").T.tolist():
        on.setdefault(int(area[place]), []).append(building)
    for place, buildings in on.items():
        levels = [_number(own[ix], ("building:levels",)) for ix in buildings]
        found[place] = sum(
            geodesic_area(region.unproject(shapes[ix])) * n for ix, n in zip(buildings, levels, strict=True)
        )
    return found


def folded(name: str) -> str:
    """Name without case, width, spaces and punctuation, so that two spellings of one place meet."""
    return "".join(c for c in unicodedata.normalize("NFKC", name).casefold() if c.isalnum())


def _one_per_place(rows: pd.DataFrame) -> tuple[pd.DataFrame, NDArray[np.int64]]:
    """Merge what is one place mapped twice; return the places, and for each row the place it is.

    Two rows are one place when they share a service and either one lies in the other's outline and their names agree
    (or one has none), or both have the same name within `SAME_NAME_M`. The larger outline stands for the smaller and
    for points, the first id for equals. Everything merges with the one that stands for it, never through a third. An
    outline without a name that holds things of several names is a roof over them, not one of them.
    """
    shapes = rows["shape"].to_numpy(dtype=object)
    names = [folded(name) for name in rows["name"]]
    of_table = [name.startswith("t") for name in rows["facility_id"]]
    served = [set(services) for services in rows["services"]]
    is_area = shapely.get_dimensions(shapes) == 2  # noqa: PLR2004
    near: list[set[int]] = [set() for _ in names]
    tree = shapely.STRtree(shapes)
    for inner, outer in tree.query(shapely.point_on_surface(shapes), predicate="intersects").T.tolist():
        fits = not names[inner] or not names[outer] or _alike(inner, outer, names, of_table)
        if inner != outer and is_area[outer] and fits and served[inner] & served[outer]:
            near[outer].add(inner)
            near[inner].add(outer)
    for left, right in tree.query(shapes, predicate="dwithin", distance=SAME_NAME_M).T.tolist():
        if left != right and served[left] & served[right] and _alike(left, right, names, of_table):
            near[left].add(right)
    stands = np.full(len(rows), -1, dtype=np.int64)
    for chief in np.lexsort((np.arange(len(rows)), -shapely.area(shapes))).tolist():
        if stands[chief] >= 0:
            continue
        stands[chief] = chief
        free = [ix for ix in sorted(near[chief]) if stands[ix] < 0]
        if not names[chief] and len({names[ix] for ix in free} - {""}) > 1:
            free = [ix for ix in free if not names[ix]]
        stands[free] = chief
    columns = {name: rows[name].tolist() for name in rows.columns}
    made: list[dict[str, Any]] = []
    order = np.argsort(stands, kind="stable")
    chiefs, first = np.unique(stands[order], return_index=True)
    for chief, group in zip(chiefs.tolist(), np.split(order, first[1:]), strict=True):
        members = [chief, *(ix for ix in group.tolist() if ix != chief)]
        place = {name: values[chief] for name, values in columns.items()}
        place["services"] = tuple(sorted(set().union(*(served[ix] for ix in members))))
        place["merged"] = ",".join(columns["facility_id"][ix] for ix in members[1:])
        # What the one that stands for them does not say, another may; what a table says, whoever gave it knows better.
        knowing = sorted(members, key=lambda ix: not of_table[ix])
        for name, order_of in (("name", members), ("capacity", knowing), ("opens", knowing), ("closes", knowing)):
            place[name] = next((columns[name][ix] for ix in order_of if _said(columns[name][ix])), place[name])
        place["tags"] = {key: value for ix in reversed(knowing) for key, value in columns["tags"][ix].items()}
        made.append(place)
    return pd.DataFrame(made), np.searchsorted(chiefs, stands)


def _alike(one: int, other: int, names: list[str], of_table: list[bool]) -> bool:
    """Say whether two names may be one place's: the same, or of two sources and one within the other.

    A department writes out whose school it is, where a map has the short name.
    """
    short, long = sorted((names[one], names[other]), key=len)
    if short == long or not short:
        return bool(short)
    enough = _FEW_SIGNS if any(sign > "\u2e7f" for sign in short) else _FEW_LETTERS
    return of_table[one] != of_table[other] and len(short) >= enough and short in long


def _extents(
    shapes: NDArray[np.object_], members: NDArray[np.object_], place: NDArray[np.int64]
) -> NDArray[np.object_]:
    """Give each place its own shape and those of the objects merged into it that lie beside it."""
    found = shapes.copy()
    several = np.flatnonzero(np.bincount(place, minlength=len(shapes)) > 1)
    for ix in several.tolist():
        found[ix] = shapely.union_all([shapes[ix], *members[place == ix]])
    return found


def _said(value: str | float) -> bool:
    return bool(value) if isinstance(value, str) else not np.isnan(value)
