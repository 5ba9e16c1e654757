"""Facilities listed in tables: read, placed, held against the region, and made ready to join those of OpenStreetMap."""

import logging
import re
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import pandas as pd
import pyproj
import shapely
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, field_validator

from lifecircle.audit.datum import TITLES, Detective, Evidence
from lifecircle.errors import CrsError, DataError, StandardError, did_you_mean
from lifecircle.model.facilities import Facilities, folded
from lifecircle.region import WGS84, Region
from lifecircle.sources import datum, tables
from lifecircle.standards import Standard

log = logging.getLogger(__name__)

Meaning = Literal["name", "lon", "lat", "lonlat", "service", "capacity", "opens", "closes"]

_WORDS_SHOWN = 5


class TableKeys(BaseModel):
    """A list of facilities: CSV, Excel, GeoJSON or GeoPackage.

    ``service`` says what every row gives. Without it the column ``service`` does, by key or title of a service of the
    standard or by a word of ``services``; and without such a column the tag rules of the standard, on columns that are
    called as OpenStreetMap calls its keys. ``datum`` is that of the coordinates: wgs84, gcj02 (Amap, Tencent), bd09
    (Baidu), or ``epsg:N`` of a projected system; what is not said is taken for what the file says, else WGS84, and held
    against the region like what is.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    table: Path
    name: str = Field("", pattern=r"^[A-Za-z0-9_-]*$", max_length=40)
    service: str | None = None
    services: dict[str, str] = {}
    datum: Annotated[str, Field(pattern=r"^(wgs84|gcj02|bd09|epsg:[0-9]{4,6})$")] | None = None
    check_datum: bool = True
    columns: dict[Meaning, str] = {}
    sheet: str | None = None
    encoding: str | None = None
    source: str = ""

    @field_validator("datum", mode="before")
    @classmethod
    def _lower(cls, value: object) -> object:
        return value.casefold().replace("-", "") if isinstance(value, str) else value


@dataclass(frozen=True, eq=False)
class Listed:
    """Facilities of one table, before they join others.

    Attributes
    ----------
    keys : TableKeys
    rows : ``facility_id``, ``services`` (tuple of keys; empty: by the tags), ``tags`` (dict), ``geometry`` (lon/lat)
    read_as : dict of (n, 2) float64
        Where the rows lie, metres of the region, if the coordinates are of each datum they might be of.
    declared : str
        Which of these was said.
    told : dict
        What ``check.json`` says of the table.
    """

    keys: TableKeys
    rows: pd.DataFrame
    read_as: dict[str, NDArray[np.float64]]
    declared: str
    told: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def read(
        cls, keys: TableKeys, standard: Standard, region: Region, clip: tuple[float, float, float, float], *, name: str
    ) -> "Listed":
        """Read a table and place its rows.

        Parameters
        ----------
        clip : west, south, east, north
            What is beyond it cannot be walked to and is left out.
        name : str
            Of the table, in the ids of its facilities.

        Raises
        ------
        DataError
            The file cannot be read, or none of its rows can be used.
        CrsError
            The coordinates are not of the datum declared.
        StandardError
            It names a service the standard has not.
        """
        path = keys.table
        table = tables.read_facilities(
            path,
            columns={str(meaning): header for meaning, header in keys.columns.items()},
            sheet=keys.sheet,
            encoding=keys.encoding,
        )
        shapes = table.rows["geometry"].to_numpy(dtype=object)
        declared = keys.datum if keys.datum in TITLES else "wgs84"
        assert declared is not None  # noqa: S101 (one of three)
        lonlat = _degrees(keys, table, shapes)
        centre = region.boundary.centroid
        chinese = datum.in_force(centre.x, centre.y)
        if declared != "wgs84" and not chinese:
            raise CrsError(f"{path} is declared as {TITLES[declared]}, which is in use in China alone; say wgs84")
        read_as = {name: _as(lonlat, name) for name in (TITLES if chinese else (declared,))}
        within = _within(read_as[declared], clip)
        _refuse_beyond(path, lonlat, within, clip, read_as, declared)
        served, unknown = _services(keys, standard, table)
        kept = within & np.array([one is not None for one in served], dtype=bool)
        left_out = dict(table.left_out)
        if unknown:
            left_out["service not of the standard"] = sum(unknown.values())
        if (beyond := int((~within & np.array([one is not None for one in served], dtype=bool)).sum())) > 0:
            left_out["beyond what is walked"] = beyond
        if not kept.any():
            raise DataError(
                f"none of the {table.n_rows:,} rows of {path} can be used: "
                + ", ".join(f"{n:,} {why}" for why, n in left_out.items())
                + (f" ({_examples(unknown)}; the standard has {', '.join(standard.services)})" if unknown else "")
            )
        rows = pd.DataFrame(
            {
                "facility_id": [f"t{name}:{row}" for row in table.rows["row"][kept]],
                "services": [one for one, keep in zip(served, kept.tolist(), strict=True) if keep],
                "tags": [_tags(row) for row in table.rows[kept].to_dict("records")],
                "geometry": pd.Series(list(read_as[declared][kept]), dtype=object),
            }
        )
        told = {
            "table": path.name, "name": name, "source": keys.source or None, "rows": table.n_rows, "kept": len(rows),
            "left_out": left_out, "services_unknown": dict(unknown.most_common(_WORDS_SHOWN)),
            "columns": table.columns, "encoding": table.encoding or None,
            "datum": keys.datum or (table.crs.to_string() if table.crs is not None else "wgs84"),
            "datum_said": keys.datum is not None,
        }  # fmt: skip
        log.info("%s: %s of %s rows kept; columns %s", path.name, len(rows), table.n_rows, table.columns)
        metres = {one: _middles(region.project(places[kept])) for one, places in read_as.items()}
        return cls(keys, rows, metres, declared, told)

    def held_against(self, known: Detective, standard: Standard) -> "Listed":
        """Copy it with the evidence of its datum.

        Raises
        ------
        CrsError
            It is clear that the coordinates are of another datum than the one declared.
        """
        if len(self.read_as) == 1:
            return self
        number = {key: ix for ix, key in enumerate(standard.services)}
        evidence = known.try_(
            self.read_as,
            [tuple(number[key] for key in served) for served in self.rows["services"]],
            [said.get("name", "") for said in self.rows["tags"]],
        )
        winner = evidence.against(self.declared)
        if winner is not None and self.keys.check_datum:
            said = "declared as" if self.keys.datum else "not said to be in any datum, so taken for"
            raise CrsError(
                f"{self.keys.table} is {said} {TITLES[self.declared]}, but its places fit {TITLES[winner.datum]}: "
                f'{evidence.text}. Say datum = "{winner.datum}" (--datum {winner.datum}), or check_datum = false for '
                "the table if you know better"
            )
        return replace(self, told=self.told | {"evidence": _told(evidence, self.declared, winner is not None)})

    def met_in(self, facilities: Facilities) -> dict[str, int]:
        """How many rows are facilities of their own, are ones that OpenStreetMap has too, or are not open."""
        of = {one: source for one, source in facilities.where_from() if one.startswith("t")}
        found = Counter(of.get(one, "") for one in self.rows["facility_id"])
        return {"alone": found["table"], "in_osm_too": found["both"], "not_open": found[""]}


def _told(evidence: Evidence, declared: str, overruled: bool) -> dict[str, Any]:  # noqa: FBT001
    return {
        "places": evidence.places,
        "fits": [
            {
                "datum": fit.datum, "on_building": fit.on_building, "street_m": round(fit.street_m, 1),
                "twins": fit.twins, "same_name": fit.named, "score": round(fit.score, 2),
            }
            for fit in evidence.fits
        ],
        "verdict": "overruled" if overruled else "clear" if evidence.clear(declared) else "cannot be told",
    }  # fmt: skip


def _degrees(keys: TableKeys, table: tables.FacilityTable, shapes: NDArray[np.object_]) -> NDArray[np.object_]:
    """Degrees of whatever datum, of coordinates that may be metres."""
    crs = table.crs
    if keys.datum is not None and keys.datum.startswith("epsg:"):
        try:
            crs = pyproj.CRS.from_user_input(keys.datum)
        except pyproj.exceptions.CRSError as error:
            raise CrsError(f"there is no CRS {keys.datum!r}; expected a number such as epsg:4549") from error
    if crs is not None and crs != WGS84:
        transformer = pyproj.Transformer.from_crs(crs, WGS84, always_xy=True)
        shapes = _moved(shapes, transformer.transform)
    bounds = shapely.bounds(shapes)
    wrong = ~np.isfinite(bounds).all(axis=1) | (np.abs(bounds[:, [0, 2]]) > 180).any(axis=1)  # noqa: PLR2004
    wrong |= (np.abs(bounds[:, [1, 3]]) > 90).any(axis=1)  # noqa: PLR2004
    if wrong.any():
        first = int(np.flatnonzero(wrong)[0])
        spot = table.rows["geometry"].iloc[first].representative_point()
        hint = "are lon and lat the wrong way round?" if _turned(spot) else "name their system: datum = epsg:N"
        raise CrsError(
            f"{keys.table}, row {table.rows['row'].iloc[first]}: {spot.x:g}, {spot.y:g} are no degrees of longitude "
            f"and latitude{'' if crs is None else f' in {crs.to_string()}'}; {hint}"
        )
    return shapes


def _turned(spot: Any) -> bool:
    return bool(abs(spot.x) <= 90 < abs(spot.y) <= 180)  # noqa: PLR2004


def _as(lonlat: NDArray[np.object_], name: str) -> NDArray[np.object_]:
    if name == "wgs84":
        return lonlat
    return _moved(lonlat, lambda x, y: datum.to_wgs84(x, y, name))  # type: ignore[arg-type]


def _moved(shapes: NDArray[np.object_], by: Any) -> NDArray[np.object_]:
    return np.asarray(shapely.transform(shapes, lambda xy: np.column_stack(by(xy[:, 0], xy[:, 1]))), dtype=object)


def _middles(shapes: NDArray[np.object_]) -> NDArray[np.float64]:
    return np.asarray(shapely.get_coordinates(shapely.point_on_surface(shapes)))


def _within(shapes: NDArray[np.object_], clip: tuple[float, float, float, float]) -> NDArray[np.bool_]:
    return np.asarray(shapely.intersects(shapes, shapely.box(*clip)), dtype=bool)


def _refuse_beyond(
    path: Path, lonlat: NDArray[np.object_], within: NDArray[np.bool_], clip: tuple[float, float, float, float],
    read_as: dict[str, NDArray[np.object_]], declared: str,
) -> None:  # fmt: skip
    """Refuse a table none of whose rows lie in the region, and say why that may be."""
    if within.any():
        return
    x, y = (round(float(value), 4) for value in shapely.get_coordinates(shapely.centroid(lonlat)).mean(axis=0))
    why = "take the table of this region, or another region"
    turned = shapely.transform(lonlat, lambda xy: xy[:, ::-1])
    if _within(turned, clip).any():
        why = 'lon and lat are the wrong way round; say which column is which: columns = { lon = "...", lat = "..." }'
    elif others := [name for name, shapes in read_as.items() if name != declared and _within(shapes, clip).any()]:
        why = f'some do if the coordinates are {TITLES[others[0]]}: datum = "{others[0]}"'
    box = ", ".join(f"{value:.4f}" for value in clip)
    raise DataError(f"no row of {path} lies in the area that is walked ({box}); their middle is {x:g}, {y:g}: {why}")


def _services(
    keys: TableKeys, standard: Standard, table: tables.FacilityTable
) -> tuple[list[tuple[str, ...] | None], Counter[str]]:
    """Services of each row (none: by its tags; None: not of the standard), and words that name none."""
    unknown: Counter[str] = Counter()
    for said in (*([keys.service] if keys.service else []), *keys.services.values()):
        if said not in standard.services:
            raise StandardError(
                f"{standard.name} has no service {said!r} for {keys.table.name}; "
                + did_you_mean(said, list(standard.services))
            )
    if keys.service is not None:
        return [(keys.service,)] * len(table.rows), unknown
    if "service" not in table.columns:
        if any(key in tags for tags in table.rows["tags"] for key in standard.tag_keys):
            return [()] * len(table.rows), unknown
        raise StandardError(
            f"{keys.table} does not say what its places give: name the service (service = ..., --service), or the "
            'column that does: columns = { service = "..." }'
        )
    meant = {folded(word): key for word, key in keys.services.items()}
    for key, service in standard.services.items():
        for word in (key, service.title, service.title_zh):
            meant.setdefault(folded(word), key)
    found: list[tuple[str, ...] | None] = []
    for text in table.rows["service"]:
        words = [text, *re.split(r"[;；、/|]", text)]
        named = list(dict.fromkeys(meant[folded(word)] for word in words if folded(word) in meant))
        if not named:
            unknown[text] += 1
        found.append(tuple(named) or None)
    return found, unknown


def _examples(unknown: Counter[str]) -> str:
    return ", ".join(f"{word!r} {n:,} times" for word, n in unknown.most_common(_WORDS_SHOWN))


def _tags(row: dict[str, Any]) -> dict[str, str]:
    """Say a row as OpenStreetMap would."""
    capacity = tables.number_in(row["capacity"])
    said = {"name": row["name"], "start_date": row["opens"], "end_date": row["closes"]}
    tags: dict[str, str] = row["tags"]
    return (
        tags
        | {key: value for key, value in said.items() if value}
        | ({} if np.isnan(capacity) else {"capacity": f"{capacity:g}"})
    )
