"""A results folder read back: its summary and tables, checked as far as pictures and pages rely on them."""

import base64
import json
import re
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

import numpy as np
import shapely
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from lifecircle.assess.coverage import ALL, Figure, Measure
from lifecircle.errors import DataError
from lifecircle.profiles import Profile
from lifecircle.publish.about import Terms
from lifecircle.publish.files import restore
from lifecircle.standards import Standard

if TYPE_CHECKING:
    import geopandas as gpd
    import pandas as pd

_Colour = Annotated[str, Field(pattern=r"^#[0-9a-f]{6}$")]
_Amount = Annotated[float, Field(ge=0, allow_inf_nan=False)]
_Said = TypeVar("_Said", bound=BaseModel)
_Key = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=100)]

#: What is read of each table: the columns, and what kind of value each holds.
_COLUMNS = {
    "cells": {"population": "number", "status": "text", "geometry": "shape"},
    "gaps": {"service": "text", "people": "number", "area_m2": "number", "cause": "text", "geometry": "shape"},
    "facilities": {"facility_id": "text", "service": "text", "opens": "number", "geometry": "shape"},
    "network": {"edge_id": "text", "length_m": "number", "kind": "text", "geometry": "shape"},
    "scorecard": {
        **dict.fromkeys(("rule", "kind", "zone", "zone_kind", "measure", "verdict", "clause"), "text"),
        **dict.fromkeys(("source", "status"), "text"),
        **dict.fromkeys(("year", "value", "numerator", "denominator", "unknown"), "number"),
    },
}
_MOST_VALUES = 20_000_000  # of one packed array of a page: more than any region's outlines


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Class(_Part):
    """One layer of the coverage map: class limits, colours, and the cells and people of every class."""

    layer: Literal["unmet", "service", "people"]
    service: _Key | None
    unit: Literal["s", "m"] | None
    limits: list[_Amount]
    colours: list[_Colour]
    cells: list[int]
    people: list[_Amount] | None

    @model_validator(mode="after")
    def _fits(self) -> "Class":
        n = len(self.limits) + 1
        if len(self.colours) != n or len(self.cells) != n + 1 or len(self.people or self.cells) != n + 1:
            raise ValueError("limits, colours, cells and people do not fit one another")
        if sorted(self.limits) != self.limits or (self.layer == "service") != (self.service is not None):
            raise ValueError("limits out of order, or a service where none is meant")
        return self


class ServiceTold(_Part):
    """A service as a summary names it."""

    title: str
    title_zh: str
    cost: str
    unit: Literal["s", "m"]
    threshold: _Amount
    by_zone_class: dict[str, _Amount]
    facilities: int


class ZoneTold(_Part):
    """A zone or overlay as a summary names it."""

    name: str
    name_zh: str
    kind: Literal["zone", "overlay"]


class GapTold(_Part):
    """One of the largest gaps as a summary has it."""

    service: _Key
    people: _Amount | None
    area_m2: _Amount
    worst: _Amount | None
    unit: Literal["s", "m"]
    zone: str
    wording: str
    wording_zh: str
    lon: float
    lat: float


class RuleTold(_Part):
    """A rule of the standard by its key, with what it is called and a key of its verdict's words."""

    rule: str
    title: str
    title_zh: str
    verdict: str


class PromiseTold(_Part):
    """A promise of the plan by its key: what it is called, where and by when, and what became of it."""

    promise: str
    title: str
    title_zh: str
    zone: str | None
    year: int | None
    verdict: str


class GapsTold(_Part):
    """All gaps of a service, in numbers."""

    clusters: int
    people: _Amount | None


class _FigureTold(_Part):
    zone: str
    kind: Literal["region", "zone", "overlay"]
    service: _Key
    measure: Measure
    met: _Amount | None
    not_met: _Amount | None
    unknown: _Amount | None


class _Limit(_Part):
    value: _Amount
    unit: Literal["s", "m"]


class Summary(_Part):
    """What is read of ``summary.json``."""

    schema_version: Literal[1] = Field(alias="schema")
    name: str
    title: str
    title_zh: str
    notice: str | None
    notice_zh: str | None
    attribution: list[str]
    data_date: str | None
    year: int | None
    population_known: bool
    cutoff: dict[str, _Limit]
    zones: dict[str, ZoneTold]
    services: dict[_Key, ServiceTold]
    absent: dict[_Key, Any] = {}
    figures: list[_FigureTold] = Field(min_length=1)
    classes: list[Class]
    largest_gaps: list[GapTold]
    gaps: dict[str, GapsTold]
    clauses: list[RuleTold]
    promises: list[PromiseTold]
    data: dict[str, Any]

    @model_validator(mode="after")
    def _hangs_together(self) -> "Summary":
        named = {one.service for one in self.classes if one.service} | {gap.service for gap in self.largest_gaps}
        if unknown := sorted((named | self.gaps.keys()) - self.services.keys()):
            raise ValueError(f"services without a title: {', '.join(unknown)}")
        places = {f.zone for f in self.figures} - {"region"} | {gap.zone for gap in self.largest_gaps}
        if lost := sorted(places - self.zones.keys()):
            raise ValueError(f"zones without a name: {', '.join(lost)}")
        if not_searched := sorted({one.cost for one in self.services.values()} - self.cutoff.keys()):
            raise ValueError(f"costs without a cutoff: {', '.join(not_searched)}")
        return self

    @property
    def measure(self) -> Measure:
        """What figures count: people, or cells where nobody knows the people."""
        return "people" if self.population_known else "cells"

    @cached_property
    def counted(self) -> list[Figure]:
        """Every coverage figure."""
        return [Figure(**figure.model_dump()) for figure in self.figures]

    def figure(self, service: str = ALL, zone: str = "region") -> Figure | None:
        """Coverage of a service in a zone, in people (or cells)."""
        found = (f for f in self.counted if (f.service, f.zone, f.measure) == (service, zone, self.measure))
        return next(found, None)

    def layer(self, kind: str, service: str | None = None) -> Class | None:
        """One layer of the coverage map, if the run has it."""
        return next((one for one in self.classes if (one.layer, one.service) == (kind, service)), None)


@dataclass(frozen=True, eq=False, repr=False)
class Results:
    """Results of a run, out of a folder or out of memory.

    Attributes
    ----------
    name : str
        How messages call it.
    summary : Summary
    terms : callable
        Gives what they were measured by.
    tables : callable
        Gives a table of the folder by its name, or ``zones``, in the region's metre CRS.
    water : callable
        Gives polygons in lon/lat; empty where the results hold none.
    """

    name: str
    summary: Summary
    terms: Callable[[], Terms]
    tables: "Callable[[str], pd.DataFrame]"
    water: Callable[[], NDArray[np.object_]]

    @classmethod
    def of_folder(cls, folder: str | Path) -> "Results":
        """Read a results folder; its tables are read when they are first asked for.

        Raises
        ------
        DataError
            It is no results folder, or one of its files is damaged.
        """
        folder = Path(folder)
        restore(folder)
        said = _read(folder / "summary.json", Summary)
        return cls(
            str(folder),
            said,
            cache(lambda: _terms(folder / "manifest.json", said)),
            cache(lambda name: _table(folder, name)),
            cache(lambda: _water(folder / "coverage.html")),
        )

    def table(self, name: str, **more: str) -> "gpd.GeoDataFrame":
        """Read the columns of a table that are needed, and ``more`` of its own: column and kind of value.

        Raises
        ------
        DataError
            The table is damaged, or lacks one.
        """
        frame = self.tables(name)
        try:
            return _cast(frame, _COLUMNS[name] | more)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise DataError(
                f"{Path(self.name) / name}.parquet is not as lifecircle writes it ({_short(error)}); run again to make "
                "it anew"
            ) from error

    def zones(self) -> "gpd.GeoDataFrame":
        """Zones and overlays in the region's metre CRS: ``zone, kind, geometry``."""
        return self.tables("zones")


def _read(path: Path, what: type[_Said]) -> _Said:
    """Read JSON of a results folder as what it should hold."""
    try:
        return what.model_validate(_load(path))
    except ValidationError as error:
        fault = error.errors()[0]
        where = ".".join(str(part) for part in fault["loc"])
        raise DataError(
            f"{path} is not as lifecircle writes it ({where or 'the whole'}: {fault['msg']}); is it of another "
            "version? Run again with this one"
        ) from error


def _load(path: Path) -> Any:
    if path.exists() and not path.is_file():
        raise DataError(f"{path} is no file; expected results of `lifecircle run`")
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise DataError(f"{path.parent} is no results folder of lifecircle: {path.name} is not in it") from error
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"{path} cannot be read ({_short(error)}); expected results of `lifecircle run`") from error


class _Manifest(_Part):
    """What is read of ``manifest.json``: by what was measured."""

    standard: Standard
    profiles: dict[str, Profile]
    inputs: dict[str, Any]
    parameters: dict[str, Any]

    @field_validator("standard", mode="before")
    @classmethod
    def _services_alone(cls, standard: Any) -> Any:
        """Leave out what may name services that the data held none of: those are not in a manifest."""
        further = ("composites", "together", "norms", "promises")
        return {k: v for k, v in standard.items() if k not in further} if isinstance(standard, dict) else standard


def _terms(path: Path, summary: Summary) -> Terms:
    said = _read(path, _Manifest)
    services = {key: said.standard.services.get(key) for key in summary.services}
    missing = [key for key, one in services.items() if one is None or one.profile not in said.profiles]
    limit = said.parameters.get("snap_limit_m")
    if missing or not isinstance(limit, int | float):
        raise DataError(
            f"{path} does not fit {path.with_name('summary.json')} (how {', '.join(missing) or 'places'} "
            "was measured it does not say); run again to make both anew"
        )
    return Terms(
        standard=said.standard.model_copy(update={"services": services}),
        profiles=said.profiles,
        cutoffs={name: (far.value, far.unit) for name, far in summary.cutoff.items()},
        people=summary.population_known,
        year=summary.year,
        sloped="elevation" in said.inputs,
        snap_limit_m=limit,
        absent=len(summary.absent),
    )


def _table(folder: Path, name: str) -> "pd.DataFrame":
    """Read a table whole; only what it says is not yet checked."""
    import geopandas as gpd
    import pandas as pd
    import pyarrow as pa
    import pyogrio
    from pyogrio.errors import DataLayerError, DataSourceError

    path = folder / ("lifecircle.gpkg" if name == "zones" else f"{name}.parquet")
    if not path.is_file():
        raise DataError(f"{path} is not there: {folder} is no whole results folder; run again to make it anew")
    try:
        if name == "zones":
            return _cast(
                pyogrio.read_dataframe(path, layer="zones"), {"zone": "text", "kind": "text", "geometry": "shape"}
            )
        frame = pd.read_parquet(path) if name == "scorecard" else gpd.read_parquet(path)
    except (
        pa.ArrowException, OSError, ValueError, KeyError, TypeError, AttributeError, DataSourceError, DataLayerError,
        shapely.errors.ShapelyError,
    ) as error:  # fmt: skip
        raise DataError(f"{path} cannot be read ({_short(error)}); run again to make it anew") from error
    return frame


def _cast(frame: "pd.DataFrame", kinds: dict[str, str]) -> "Any":
    """Keep columns and make them what they should be."""
    kept = frame[list(kinds)].copy()
    for column, kind in kinds.items():
        if kind == "number":
            kept[column] = np.array(kept[column].astype("Float64").to_numpy(dtype=np.float64, na_value=np.nan))
        elif kind == "verdict":
            kept[column] = kept[column].astype("boolean").astype("Int8").fillna(-1).to_numpy(dtype=np.int8)
        elif kind == "text":
            kept[column] = np.array([v if isinstance(v, str) else "" for v in kept[column].tolist()], dtype=object)
        elif kept.crs is None or not kept.crs.is_projected or not np.isfinite(kept.geometry.bounds.to_numpy()).all():
            raise ValueError("shapes without a metre CRS, or without a place")
    return kept


def _short(error: Exception) -> str:
    text = " ".join(str(error).split())
    return text if len(text) <= 160 else f"{text[:160]}…"  # noqa: PLR2004


# ------------------------------------------------------------------------------------------------ water of the map page


def _water(page: Path) -> NDArray[np.object_]:
    """Water as the coverage map holds it; none where there is no such page."""
    if not page.is_file():
        return np.empty(0, dtype=object)
    try:
        found = re.search(
            r'<script type="application/json" id="lc-scene">(.*?)</script>', page.read_text(encoding="utf-8"), re.DOTALL
        )
        return _polygons(json.loads("" if found is None else found[1])["water"]["paths"])
    except (OSError, ValueError, KeyError, TypeError, IndexError, RecursionError, zlib.error) as error:
        raise DataError(f"{page} cannot be read ({_short(error)}); run again to make it anew") from error


def _polygons(packed: Any) -> NDArray[np.object_]:
    """Open polygons as `lifecircle.publish.maps` packs them: what an odd number of rings surrounds is inside."""
    xy = np.stack([unpack(packed["x"]), unpack(packed["y"])], axis=1) * float(packed["step"])
    points, lines = unpack(packed["points"]), unpack(packed["lines"])
    if (points < 4).any() or (lines < 0).any() or points.sum() != len(xy) or lines.sum() != len(points):  # noqa: PLR2004
        raise ValueError("the outlines do not fit one another")
    ring = np.repeat(np.arange(len(points)), points)
    starts = np.cumsum(points) - points
    xy[starts + points - 1] = xy[starts]  # rounding may have opened one
    rings = shapely.linestrings(xy, indices=ring) if len(xy) else np.empty(0, dtype=object)
    shape = np.repeat(np.arange(len(lines)), lines)
    areas = shapely.build_area(shapely.multilinestrings(rings, indices=shape)) if len(rings) else rings
    return np.asarray(areas, dtype=object)


def unpack(packed: dict[str, Any]) -> NDArray[np.int64]:
    """Open integers that `lifecircle.publish.maps.pack` packed."""
    n, width = packed["n"], packed["width"]
    if not (isinstance(n, int) and 0 <= n <= _MOST_VALUES and width in {1, 2, 3, 4}):
        raise ValueError("a packed array of no known size")
    opened = zlib.decompressobj(wbits=31).decompress(base64.b64decode(packed["zip"]), n * width + 1)
    planes = np.frombuffer(opened, dtype=np.uint8).reshape(width, n).astype(np.int64)
    folded = (planes << (8 * np.arange(width))[:, None]).sum(axis=0)
    values = (folded >> 1) ^ -(folded & 1)
    return np.cumsum(values) if packed["delta"] else values
