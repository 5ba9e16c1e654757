"""Facilities listed in tables: read, placed, held against the region, and made ready to join those of OpenStreetMap."""

import difflib
import json
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
from lifecircle.errors import CrsError, DataError, StandardError
from lifecircle.model.facilities import Facilities, folded
from lifecircle.region import WGS84, Region
from lifecircle.sources import datum, headings, tables
from lifecircle.standards import Standard

log = logging.getLogger(__name__)

Meaning = Literal["name", "lon", "lat", "lonlat", "service", "capacity", "opens", "closes"]

FEW_WRONG = 0.05
"""Share of the rows that may lie nowhere or the wrong way round: more is no slip, and the list is refused."""

TURNED = "longitude and latitude the wrong way round"
NO_DEGREES = "coordinates that are no degrees"

_WORDS_SHOWN = 5
_ROWS_SHOWN = 5
_LONGEST_SHOWN = 40  # characters of a cell
_ALIKE = 2.0  # degrees: where longitude and latitude are this near to each other, a turned place may be a true one


class TableKeys(BaseModel):
    """A list of facilities: CSV, Excel, GeoJSON or GeoPackage.

    ``service`` says what every row gives. Without it the column ``service`` does, by key or title of a service of the
    standard or by a word of ``services``; and without such a column the tag rules of the standard, on columns that are
    called as OpenStreetMap calls its keys. ``datum`` is that of the coordinates: wgs84, gcj02 (Amap, Tencent), bd09
    (Baidu), or ``epsg:N`` of a projected system; what is not said is taken for what the file says, itself or by the
    headings of its coordinates (高德经度), else WGS84, and held against the region like what is.
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
        Which of these was said, by the study or by the headings.
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
            datum=keys.datum,
        )
        said = keys.datum or table.datum
        declared = said if said in TITLES else "wgs84"
        lonlat, wrong = _degrees(keys, table)
        centre = region.boundary.centroid
        chinese = datum.in_force(centre.x, centre.y)
        if declared != "wgs84" and not chinese:
            how = "is declared as" if keys.datum else "has headings that say"
            raise CrsError(
                f"{path} {how} {TITLES[declared]}, which is in use in China alone; say wgs84 (--datum wgs84)"
            )
        nowhere = np.where(wrong, shapely.Point(), lonlat)  # what is no degrees has no place in any datum
        read_as = {name: _as(nowhere, name) for name in (TITLES if chinese else (declared,))}
        within = _within(read_as[declared], clip)
        apart = abs(centre.x - centre.y) > _ALIKE
        turned = ~within & apart & _within(shapely.transform(lonlat, lambda xy: xy[:, ::-1]), clip)
        _refuse_wrong(keys, table, lonlat, wrong, turned)
        _refuse_beyond(path, nowhere, within, clip, read_as, declared)
        served = _services(keys, standard, table)
        known = np.array([one is not None for one in served], dtype=bool)
        kept, fine = within & known, ~wrong & ~turned
        unknown = Counter(table.rows["service"][~known & fine])
        left_out = dict(table.left_out)
        for why, rows in (
            (TURNED, turned), (NO_DEGREES, wrong & ~turned), ("service not of the standard", ~known & fine),
            ("beyond what is walked", ~within & known & fine),
        ):  # fmt: skip
            if rows.any():
                left_out[why] = _named(table, lonlat, rows)
        if not kept.any():
            raise DataError(
                f"none of the {table.n_rows:,} rows of {path} can be used: "
                + ", ".join(f"{len(rows):,} {why}" for why, rows in left_out.items())
                + (f" ({_examples(unknown)}; the standard has {_shown(standard)})" if unknown else "")
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
            "left_out": {why: len(rows) for why, rows in left_out.items()},
            "left_out_rows": {
                why: [{"row": row, "place": text[:_LONGEST_SHOWN]} for row, text in rows[:_ROWS_SHOWN]]
                for why, rows in left_out.items()
            },
            "services_unknown": dict(unknown.most_common(_WORDS_SHOWN)),
            "columns": table.columns, "encoding": table.encoding or None,
            "datum": keys.datum or (table.crs.to_string() if table.crs is not None else declared),
            "datum_said": keys.datum is not None, "datum_of_headings": table.datum or None,
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
            said = "not said to be in any datum, so taken for"
            if self.keys.datum or self.told["datum_of_headings"]:
                said = "declared as" if self.keys.datum else "by its headings in"
            raise CrsError(
                f"{self.keys.table} is {said} {TITLES[self.declared]}, but its places fit {TITLES[winner.datum]}: "
                f"{evidence.text}. Say --datum {winner.datum}; if you know better, "
                + headings.in_a_study(self.keys.table, "check_datum = false")
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


def _degrees(keys: TableKeys, table: tables.FacilityTable) -> tuple[NDArray[np.object_], NDArray[np.bool_]]:
    """Degrees of whatever datum, of coordinates that may be metres; and which rows are none."""
    shapes = table.rows["geometry"].to_numpy(dtype=object)
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
    return shapes, wrong


def _named(table: tables.FacilityTable, lonlat: NDArray[np.object_], rows: NDArray[np.bool_]) -> list[tuple[int, str]]:
    """Rows by their number in the file, and their places as written, else as read."""
    chosen, bounds = table.rows[rows], shapely.bounds(lonlat[rows])
    return [
        (int(number), said or f"{west:g}, {south:g}")
        for number, said, (west, south, _, _) in zip(chosen["in_file"], chosen["place"], bounds.tolist(), strict=True)
    ]


def _refuse_wrong(
    keys: TableKeys, table: tables.FacilityTable, lonlat: NDArray[np.object_], wrong: NDArray[np.bool_],
    turned: NDArray[np.bool_],
) -> None:  # fmt: skip
    """Refuse a table more than a few of whose rows are no degrees, or lie in the region the wrong way round alone."""
    bad = wrong | turned
    if bad.sum() <= FEW_WRONG * len(bad):
        return
    bounds = np.abs(shapely.bounds(lonlat))
    swapped = turned | (wrong & (bounds[:, [0, 2]] <= 90).all(axis=1) & (bounds[:, [1, 3]] <= 180).all(axis=1))  # noqa: PLR2004
    at_fault = tables.rows_shown(_named(table, lonlat, bad), _ROWS_SHOWN)
    of = f"{keys.table}: in {int(bad.sum()):,} of {len(bad):,} rows, more than {FEW_WRONG:.0%},"
    if swapped.sum() * 2 > bad.sum():
        turn = "columns = { " + ", ".join(
            f"{one} = {json.dumps(table.columns[other], ensure_ascii=False)}"
            for one, other in (("lon", "lat"), ("lat", "lon")) if other in table.columns
        ) + " }"  # fmt: skip
        raise DataError(
            f"{of} lon and lat are the wrong way round ({at_fault}): mend these rows, or where all are so "
            + (headings.in_a_study(keys.table, turn) if "lon" in table.columns else "write longitude first")
        )
    raise CrsError(
        f"{of} the coordinates are no degrees of longitude and latitude"
        f"{'' if table.crs is None else f' in {table.crs.to_string()}'} ({at_fault}): mend these rows, or name their "
        "system: --datum epsg:N"
    )


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
    if others := [name for name, shapes in read_as.items() if name != declared and _within(shapes, clip).any()]:
        why = f"some do if the coordinates are {TITLES[others[0]]}: --datum {others[0]}"
    box = ", ".join(f"{value:.4f}" for value in clip)
    raise DataError(f"no row of {path} lies in the area that is walked ({box}); their middle is {x:g}, {y:g}: {why}")


def _services(keys: TableKeys, standard: Standard, table: tables.FacilityTable) -> list[tuple[str, ...] | None]:
    """Services of each row (none: by its tags; None: not of the standard)."""
    meant = {folded(word): _key(said, standard, keys.table) for word, said in keys.services.items()}
    if keys.service is not None:
        return [(_key(keys.service, standard, keys.table),)] * len(table.rows)
    if "service" not in table.columns:
        if any(key in tags for tags in table.rows["tags"] for key in standard.tag_keys):
            return [()] * len(table.rows)
        raise StandardError(
            f"{keys.table} does not say what its places give: name the service (--service "
            f"{next(iter(standard.services))}, say), or the column that does: "
            + headings.in_a_study(keys.table, 'columns = { service = "..." }')
        )
    for key, service in standard.services.items():
        for word in (key, service.title, service.title_zh):
            meant.setdefault(folded(word), key)
    found: list[tuple[str, ...] | None] = []
    for text in table.rows["service"]:
        words = [text, *re.split(r"[;；、/|]", text)]
        named = list(dict.fromkeys(meant[folded(word)] for word in words if folded(word) in meant))
        found.append(tuple(named) or None)
    return found


def _key(said: str, standard: Standard, path: Path) -> str:
    """Key of the service that is named by its key or a title."""
    words = {key: (key, service.title, service.title_zh) for key, service in standard.services.items()}
    found = [said] if said in words else [key for key, of in words.items() if folded(said) in map(folded, of)]
    if len(found) == 1:
        return found[0]
    if found:
        raise StandardError(
            f"{said!r} is the title of several services of {standard.name}; name one for {path.name} by its key: "
            + ", ".join(found)
        )
    near = difflib.get_close_matches(said, [word for of in words.values() for word in of], n=1, cutoff=0.5)
    raise StandardError(
        f"{standard.name} has no service {said!r} for {path.name}; "
        + (f"did you mean {near[0]!r}? " if near else "") + f"Valid: {_shown(standard)}"
    )  # fmt: skip


def _shown(standard: Standard) -> str:
    """Keys of the services with their titles."""
    return ", ".join(
        f"{key} ({', '.join(dict.fromkeys(title for title in (one.title, one.title_zh) if title))})"
        for key, one in sorted(standard.services.items())
    )


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
