"""What a map shows, as plain arrays: cells, services, streets, outlines, facilities, gaps; their classes and colours.

`payload` packs a scene as small as the page can open it.
"""

from __future__ import annotations

import base64
import gzip
import math
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import shapely

from lifecircle.publish.words import WORDS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from lifecircle.publish.walks import Walks

    Ring = NDArray[np.float64]

#: Values of ``CellGrid.status``; ``OK`` and ``EDGE`` cells are coloured (these dotted), the others are hatched.
OK, UNSNAPPED, OUTSIDE_DATA, EDGE = range(4)

# One unit in the file, in degrees. Cells share corners, so theirs are finer; a street is drawn a pixel wide at best.
_FINE_DEG = 1e-6
_COARSE_DEG = 1e-5

#: What an entrance is known by: mapped on the outline, a way that crosses it, or the nearest point of a way.
ENTRANCES = ("mapped", "crossing", "nearest")

#: Causes of gaps, apart for the common kinds of colour blindness (after Okabe and Ito).
CAUSE_COLOURS = {
    "near_miss": "#56b4e9", "gate": "#cc79a7", "doubtful": "#999999", "severed": "#0072b2", "none_near": "#d55e00",
    "over_capacity": "#e69f00",
}  # fmt: skip

_CELL_ID = re.compile(r"r(0|[1-9]\d{0,8})c(0|[1-9]\d{0,8})")
_LIMITS = {"s": (300.0, 600.0, 900.0, 1200.0, 1800.0), "m": (300.0, 500.0, 800.0, 1000.0, 2000.0)}

# Teal is met, yellow to brown is not met: the pair stays apart for the common kinds of colour blindness and in grey.
_MET = ("#0b5f59", "#43a097", "#a8d8cf")
_UNMET = ("#fce3a6", "#f0a04b", "#c2571a", "#6e230b")
_PEOPLE = ("#e9e4f1", "#a793c9", "#45276e")
_GAP_CELLS = ("#dfe5e2", "#c4b8a6")


@dataclass(frozen=True, kw_only=True, eq=False)
class CellGrid:
    """The residential cells, each one pixel of a raster; all arrays are in the same order."""

    quads: NDArray[np.float64]  # (n, 4, 2) lon/lat of the corners in ring order, degrees
    population: NDArray[np.float64]  # (n,) people; NaN is unknown
    zone: NDArray[np.int16]  # (n,) position in ``Scene.zones.names``; -1 is none
    cell_ids: Sequence[str]  # stable keys, ``r<row>c<col>``
    status: NDArray[np.uint8]  # (n,) 0 ok, 1 unsnapped, 2 outside the data, 3 at the edge of the data

    def __post_init__(self) -> None:
        """Check that the arrays describe the same cells."""
        n = len(self.cell_ids)
        _expect("quads", self.quads, (n, 4, 2))
        for name in ("population", "zone", "status"):
            _expect(name, getattr(self, name), (n,))
        if not np.isfinite(self.quads).all():
            msg = "quads must be finite longitudes and latitudes"
            raise ValueError(msg)


@dataclass(frozen=True, kw_only=True, eq=False)
class ServiceLayer:
    """What one service costs to reach from every cell; arrays are in the order of the cells."""

    key: str
    title: str
    title_zh: str = ""
    unit: Literal["s", "m"]
    threshold: float  # the standard, in ``unit``
    by_zone: tuple[float, ...] = ()  # the standard in each zone, where they differ
    cost: str = ""  # name of the cost the service was searched with, such as ``adult``
    values: NDArray[np.float32]  # (n,) cost of the nearest in ``unit``; NaN is beyond the cutoff or unknown
    met: NDArray[np.int8]  # (n,) 1 met, 0 not met, -1 unknown
    count: NDArray[np.int32]  # (n,) facilities within the threshold; -1 is unknown


@dataclass(frozen=True, kw_only=True, eq=False)
class Points:
    """Access points: a cell is drawn as its main one is, its people are counted by all of them."""

    cell: NDArray[np.int64]  # (k,) the cell of each
    population: NDArray[np.float64]  # (k,) people; NaN is unknown
    values: NDArray[np.float32]  # (n_services, k)
    met: NDArray[np.int8]  # (n_services, k)


@dataclass(frozen=True, kw_only=True, eq=False)
class Streets:
    """Street lines: line ``i`` is ``xy[offsets[i]:offsets[i + 1]]``."""

    xy: NDArray[np.float64]  # (n_points, 2) lon/lat, degrees
    offsets: NDArray[np.int64]  # (n_lines + 1,)
    rank: NDArray[np.uint8]  # (n_lines,) 0 main road, 1 street, 2 path, footway or steps


@dataclass(frozen=True, kw_only=True, eq=False)
class Shapes:
    """Polygons and their names: a place is in a shape when an odd number of its rings surrounds it."""

    rings: Sequence[Sequence[Ring]] = ()  # per shape its outlines and holes, each (k, 2) float64 lon/lat
    names: Sequence[str] = ()  # one per shape, or none at all
    names_zh: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True, eq=False)
class Facilities:
    """Facilities as points."""

    lon: NDArray[np.float64]  # (n,) degrees
    lat: NDArray[np.float64]  # (n,) degrees
    service: NDArray[np.int16]  # (n,) position in ``Scene.services``
    names: Sequence[str]  # one each, may be empty
    planned: NDArray[np.bool_]  # (n,) drawn hollow


@dataclass(frozen=True, kw_only=True, eq=False)
class Entrances:
    """Points where facilities are entered."""

    lon: NDArray[np.float64]  # (n,) degrees
    lat: NDArray[np.float64]  # (n,) degrees
    facility: NDArray[np.int64]  # (n,) which facility, ascending
    kind: NDArray[np.uint8]  # (n,) position in ``ENTRANCES``
    rows: NDArray[np.int64]  # (n_facilities,) rows of each facility among ``Scene.facilities``, in their order


@dataclass(frozen=True, kw_only=True, eq=False)
class Gap:
    """One cluster of cells that lack one service."""

    service: str  # key
    people: float | None  # None is unknown
    area_m2: float
    worst: float | None  # largest cost in the service's unit; None is beyond the cutoff
    kind: str = ""  # of the cause, a key of ``CAUSE_COLOURS``; others are drawn grey
    cause: str
    cause_zh: str = ""
    zone: str = ""  # a name in ``Scene.zones``
    rings: Sequence[Ring]  # outline with holes, each (k, 2) float64 lon/lat


@dataclass(frozen=True, kw_only=True, eq=False)
class Scene:
    """Everything one page shows; a missing ``_zh`` text falls back to the other."""

    kind: Literal["coverage", "gaps"]
    title: str
    title_zh: str = ""
    lang: Literal["en", "zh"] = "en"  # the page opens in it; the reader can switch
    notice: str | None = None  # a banner that never leaves the page, such as "a model, not survey data"
    notice_zh: str | None = None
    attribution: Sequence[str]  # whose data, under which licence
    data_date: str
    basemap: str = ""  # address of tiles behind the cells: the only requests a page may make
    cutoff_s: float = 1800.0  # how far was searched: a NaN in ``values`` prints as beyond this
    cutoff_m: float = 2000.0
    cells: CellGrid
    services: Sequence[ServiceLayer]
    points: Points | None = None  # None: every cell is one
    streets: Streets | None = None
    water: Shapes = field(default_factory=Shapes)
    zones: Shapes = field(default_factory=Shapes)
    overlays: Shapes = field(default_factory=Shapes)
    facilities: Facilities | None = None
    entrances: Entrances | None = None
    gaps: Sequence[Gap] = ()
    facts: Sequence[tuple[str, str]] = ()  # method: mode, speed, thresholds, denominator, category list
    facts_zh: Sequence[tuple[str, str]] = ()
    headline: Sequence[str] = ()  # sentences above the layers
    headline_zh: Sequence[str] = ()
    walks: Walks | None = None  # None: no life circle is drawn

    def __post_init__(self) -> None:
        """Check that services and gaps fit the cells."""
        for service in self.services:
            for name in ("values", "met", "count"):
                _expect(f"{service.key}.{name}", getattr(service, name), (len(self.cells.cell_ids),))
        if unknown := {gap.service for gap in self.gaps} - {service.key for service in self.services}:
            msg = f"gaps name services the scene does not have: {sorted(unknown)}"
            raise ValueError(msg)


def _expect(name: str, array: NDArray[Any], shape: tuple[int, ...]) -> None:
    """Raise when an array has another shape than the cells ask for."""
    if np.shape(array) != shape:
        msg = f"{name} has shape {np.shape(array)}, expected {shape}"
        raise ValueError(msg)


def pack(values: ArrayLike, *, delta: bool = True) -> dict[str, Any]:
    """Return integers as the page opens them: differences, zigzag, byte planes, gzip, base64.

    Each value (with ``delta`` each difference to the value before, small where neighbours are alike) must fit in 31
    bits and a sign. The result has the number ``n`` of values, their ``width`` in bytes, ``delta``, and ``zip``.
    """
    numbers = np.asarray(values, dtype=np.int64).ravel()
    if delta:
        numbers = np.diff(numbers, prepend=0)
    folded = (numbers << 1) ^ (numbers >> 63)
    top = int(folded.max(initial=0))
    if top >= 1 << 32:
        msg = f"a value needs more than 32 bits: {top}"
        raise ValueError(msg)
    width = max(1, (top.bit_length() + 7) // 8)
    planes = folded.astype("<u4").view(np.uint8).reshape(-1, 4)[:, :width].T
    blob = gzip.compress(np.ascontiguousarray(planes).tobytes(), 6, mtime=0)
    return {"n": numbers.size, "width": width, "delta": int(delta), "zip": base64.b64encode(blob).decode()}


def _degrees(xy: NDArray[np.float64], step: float) -> NDArray[np.int64]:
    """Return lon/lat in whole steps."""
    return np.rint(np.asarray(xy, dtype=np.float64) / step).astype(np.int64)


def _points(xy: NDArray[np.float64], step: float = _COARSE_DEG) -> dict[str, Any]:
    """Pack lon/lat in whole steps."""
    lon, lat = _degrees(np.asarray(xy).reshape(-1, 2), step).T
    return {"step": step, "x": pack(lon), "y": pack(lat)}


def _paths(xy: NDArray[np.float64], points: ArrayLike, lines: ArrayLike, step: float = _COARSE_DEG) -> dict[str, Any]:
    """Pack many lines or rings: their points, how many points a line has, how many lines a shape has."""
    return {**_points(xy, step), "points": pack(points, delta=False), "lines": pack(lines, delta=False)}


def _outlines(shapes: Sequence[Sequence[Ring]], step: float = _COARSE_DEG) -> dict[str, Any]:
    """Pack polygons."""
    rings = [np.asarray(ring, dtype=np.float64).reshape(-1, 2) for shape in shapes for ring in shape]
    xy = np.concatenate([*rings, np.empty((0, 2))])
    return _paths(xy, [len(ring) for ring in rings], [len(shape) for shape in shapes], step)


def _shapes(shapes: Shapes) -> dict[str, Any]:
    """Pack named polygons, each with a place for its label."""
    return {
        "paths": _outlines(shapes.rings),
        "names": list(shapes.names),
        "names_zh": list(shapes.names_zh),
        "labels": [_label_point(rings) for rings in shapes.rings] if len(shapes.names) else [],
    }


def _label_point(rings: Sequence[Ring]) -> list[float]:
    """Return [lat, lon] of a shape's label."""
    lines = [shapely.linestrings(np.vstack([ring, ring[:1]])) for ring in rings]
    area = shapely.build_area(shapely.multilinestrings(lines))
    lon, lat = rings[0][0] if shapely.is_empty(area) else label_place(area).coords[0]
    return [round(float(lat), 6), round(float(lon), 6)]


def label_place(shape: Any) -> Any:
    """Point to name a shape at: inside its largest part."""
    parts = shapely.get_parts(shape)
    return parts[int(np.argmax(shapely.area(parts)))].representative_point()


def payload(scene: Scene) -> dict[str, Any]:
    """Return everything the page needs, as JSON values."""
    facilities, streets = scene.facilities, scene.streets
    plain = ("kind", "title", "title_zh", "lang", "notice", "notice_zh", "data_date", "basemap", "cutoff_s", "cutoff_m")
    return {
        **{name: getattr(scene, name) for name in plain},
        **{
            name: list(getattr(scene, name)) for name in ("attribution", "headline", "headline_zh", "facts", "facts_zh")
        },
        "words": WORDS,
        "bounds": bounds(scene),
        "cells": _cells(scene.cells),
        "edge": _edge(scene.cells),
        "services": [_service(service, scene) for service in scene.services],
        "layers": _layers(scene),
        "streets": streets
        and {
            **_paths(streets.xy, np.diff(streets.offsets), np.ones(len(streets.rank), dtype=np.int64)),
            "rank": pack(streets.rank, delta=False),
        },
        "water": _shapes(scene.water),
        "zones": _shapes(scene.zones),
        "overlays": _shapes(scene.overlays),
        "facilities": facilities
        and {
            **_points(np.stack([facilities.lon, facilities.lat], axis=1)),
            "service": pack(facilities.service, delta=False),
            "planned": pack(facilities.planned, delta=False),
            "names": list(facilities.names),
        },
        "entrances": scene.entrances and _entrances(scene.entrances),
        "gaps": _gaps(scene),
        "walk": scene.walks and scene.walks.payload(pack),
        "scales": {unit: _scale(unit, far) for unit, far in (("s", scene.cutoff_s), ("m", scene.cutoff_m))},
        "causes": CAUSE_COLOURS,
    }


def _entrances(entrances: Entrances) -> dict[str, Any]:
    """Pack entrances, each with the first of its facility's rows and how many it has."""
    first = np.concatenate([[0], np.cumsum(entrances.rows)]).astype(np.int64)
    return {
        **_points(np.stack([entrances.lon, entrances.lat], axis=1), _FINE_DEG),
        "row": pack(first[entrances.facility]),
        "rows": pack(entrances.rows[entrances.facility], delta=False),
        "kind": pack(entrances.kind, delta=False),
    }


def _scale(unit: str, far: float) -> dict[str, Any]:
    """Return classes of a cost that no standard is held to."""
    limits = sorted({limit for limit in _LIMITS[unit] if limit < far} | {float(far)})
    return {"limits": limits, "colours": _ramp((*_MET, *_UNMET), len(limits) + 1)}


def _cells(cells: CellGrid) -> dict[str, Any]:
    """Pack the cells: the first corner, and the others as seen from it, which hardly change from cell to cell."""
    corners = _degrees(cells.quads, _FINE_DEG)
    corners[:, 1:] -= corners[:, :1]
    people = np.rint(np.nan_to_num(cells.population, nan=-0.1) * 10.0).astype(np.int64)
    people[(people == 0) & (cells.population > 0)] = 1
    matches = [_CELL_ID.fullmatch(cell_id) for cell_id in cells.cell_ids]
    ids: dict[str, Any] = {"list": list(cells.cell_ids)}
    if all(matches):
        rows_cols = np.array([(int(m[1]), int(m[2])) for m in matches if m], dtype=np.int64).reshape(-1, 2)
        ids = {"row": pack(rows_cols[:, 0]), "col": pack(rows_cols[:, 1])}
    return {
        "n": len(cells.cell_ids),
        "step": _FINE_DEG,
        "corners": pack(corners.transpose(1, 2, 0)),
        "tenths": pack(people, delta=False),
        "zone": pack(cells.zone),
        "status": pack(cells.status),
        "ids": ids,
    }


def _edge(cells: CellGrid) -> dict[str, Any]:
    """Count the cells at the edge of the data; their people in 1/1024 person, as the layers and the summary do."""
    those = cells.population[cells.status == EDGE]
    return {"cells": len(those), "people": float(np.rint(np.nan_to_num(those) * 1024.0).sum()) / 1024.0}


def _service(service: ServiceLayer, scene: Scene) -> dict[str, Any]:
    """Pack one service; costs are rounded up, so that none falls into a better class than it belongs to."""
    limits = _service_limits(service, (scene.cutoff_s, scene.cutoff_m))
    quantum = 1.0 if all(limit == int(limit) for limit in limits) else 1.0 / 32.0
    values = np.asarray(service.values, dtype=np.float64)
    steps = np.where(np.isfinite(values), np.ceil(np.nan_to_num(values, posinf=0.0) / quantum), -1.0)
    return {
        **{name: getattr(service, name) for name in ("key", "title", "title_zh", "unit", "threshold", "cost")},
        "by_zone": list(service.by_zone),
        "quantum": quantum,
        "values": pack(steps),
        "met": pack(service.met),
        "count": pack(service.count),
    }


def _service_limits(service: ServiceLayer, cutoffs: tuple[float, float]) -> list[float]:
    """Return the upper class limits: round figures up to the cutoff, and always the standard itself."""
    cutoff = cutoffs[0] if service.unit == "s" else cutoffs[1]
    limits = {limit for limit in _LIMITS[service.unit] if limit < cutoff}
    limits |= {float(service.threshold), float(cutoff), *service.by_zone}
    return sorted(limits)


def _layers(scene: Scene) -> list[dict[str, Any]]:
    cells = scene.cells
    return layers(
        scene.kind, cells.status, cells.population, scene.services, scene.points, (scene.cutoff_s, scene.cutoff_m)
    )


def layers(
    kind: Literal["coverage", "gaps"],
    status: NDArray[np.uint8],
    population: NDArray[np.float64],
    services: Sequence[ServiceLayer],
    points: Points | None,
    cutoffs: tuple[float, float],
) -> list[dict[str, Any]]:
    """Return the switchable layers: class limits, colours, and the cells and people of every class.

    Parameters
    ----------
    status, population : (n_cells,)
        As in `CellGrid`.
    points : Points or None
        None: every cell is one.
    cutoffs : s, m
        How far was searched.
    """
    n = len(services)
    shown = np.isin(status, (OK, EDGE))
    every = np.arange(len(shown))
    points = points or Points(
        cell=every,
        population=population,
        values=np.array([service.values for service in services], dtype=np.float32).reshape(n, len(shown)),
        met=np.array([service.met for service in services], dtype=np.int8).reshape(n, len(shown)),
    )
    main = np.flatnonzero(np.diff(points.cell, prepend=-1))  # of each cell the first
    ok, met, people = shown[points.cell], points.met, points.population
    unmet = (met == 0).sum(axis=0)
    # A cell with something unknown is never called "all met"; what is known to be missing still counts.
    judged = ok & ((unmet > 0) | (n > 0) & (met >= 0).all(axis=0))
    if kind == "gaps":
        each = (_layer("met", i, (0,), _GAP_CELLS, met[i] == 0, ok & (met[i] >= 0), main, people) for i in range(n))
        return [_layer("unmet", -1, (0,), _GAP_CELLS, unmet, judged, main, people), *each]
    limits = unmet_limits(n)
    made = [_layer("unmet", -1, limits, [_MET[1], *_ramp(_UNMET, len(limits))], unmet, judged, main, people)]
    for i, service in enumerate(services):
        bounds = _service_limits(service, cutoffs)
        standard = bounds.index(service.threshold)
        colours = _ramp(_MET, standard + 1) + _ramp(_UNMET, len(bounds) - standard)
        values = np.where(np.isfinite(points.values[i]), points.values[i], np.inf)
        layer = _layer("service", i, bounds, colours, values, ok & (met[i] >= 0), main, people)
        made.append(layer | {"standard": None if service.by_zone else standard})
    known = np.isfinite(population)
    if known.any():
        breaks = _breaks(population[known], 5)
        colours = _ramp(_PEOPLE, len(breaks) + 1)
        made.append(_layer("people", -1, breaks, colours, np.nan_to_num(population), known, every, population))
    return made


def _layer(  # noqa: PLR0913, PLR0917
    kind: str,
    service: int,
    limits: Sequence[float],
    colours: Sequence[str],
    values: NDArray[Any],
    judged: NDArray[np.bool_],
    main: NDArray[np.int64],
    population: NDArray[np.float64],
) -> dict[str, Any]:
    """Return one layer; class ``i`` holds the values up to ``limits[i]``, the last class all beyond.

    Cells are counted by their main point, people by all points.
    """
    n = len(limits) + 1
    position = np.where(judged, np.searchsorted(np.asarray(limits, dtype=np.float64), values, side="left"), n)
    # Counted in 1/1024 person, so that the sum does not depend on the order of the cells.
    people = np.rint(np.nan_to_num(population) * 1024.0)
    sums = np.bincount(position, weights=people, minlength=n + 1) / 1024.0
    return {
        "kind": kind,
        "service": service,
        "limits": list(limits),
        "colours": list(colours),
        "cells": np.bincount(position[main], minlength=n + 1).tolist(),
        "people": sums.tolist() if np.isfinite(population).any() else None,
    }


def unmet_limits(n: int) -> list[int]:
    """Return upper limits of the classes of unmet needs, the last one open: one by one, or by shares of many services.

    Examples
    --------
    >>> unmet_limits(2), unmet_limits(9), unmet_limits(34)
    ([0, 1], [0, 1, 2, 3, 5], [0, 4, 8, 11, 19])
    """
    return [limit for k in (0, 1, 2, 3, 5) if (limit := max(k, round(n * k / 9))) < n]


_ABOUT_GAP = ("kind", "cause", "cause_zh", "zone")


def _gaps(scene: Scene) -> dict[str, Any]:
    """Pack the gap clusters and the classes of their people."""
    place = {service.key: i for i, service in enumerate(scene.services)}
    gaps = sorted(scene.gaps, key=lambda gap: -gap.area_m2)  # small ones lie on large ones
    limits, colours = gap_classes(np.array([gap.people for gap in gaps if gap.people is not None], dtype=np.float64))
    told = [tuple(getattr(gap, key) for key in _ABOUT_GAP) for gap in gaps]
    number = {one: ix for ix, one in enumerate(dict.fromkeys(told))}  # thousands of gaps have a few words in common
    return {
        "paths": _outlines([gap.rings for gap in gaps], _FINE_DEG),
        "limits": limits,
        "colours": colours,
        "columns": {
            "service": [place[gap.service] for gap in gaps],
            **{key: [getattr(gap, key) for gap in gaps] for key in ("people", "area_m2", "worst")},
            "about": [number[one] for one in told],
        },
        "abouts": [dict(zip(_ABOUT_GAP, one, strict=True)) for one in number],
    }


def gap_classes(people: NDArray[np.float64]) -> tuple[list[float], list[str]]:
    """Return upper limits of the classes of gaps by their people, and the colour of each class, the last one open."""
    limits = _breaks(people, 4) if people.size else []
    return limits, _ramp(_UNMET, len(limits) + 1)


def _breaks(values: NDArray[np.float64], most: int) -> list[float]:
    """Return at most ``most`` round class limits that split the values into groups of similar size."""
    wanted = np.quantile(values, np.arange(1, most + 1) / (most + 1))
    nice = {factor * 10.0**power for power in range(8) for factor in (1, 2, 5)}
    found = {min(nice, key=lambda number: abs(math.log(number / max(float(value), 0.5)))) for value in wanted}
    return sorted(limit for limit in found if limit < values.max(initial=0.0))


def _ramp(anchors: Sequence[str], n: int) -> list[str]:
    """Return ``n`` colours evenly along the anchors (a single one is taken from the middle)."""
    rgb = np.array([[int(colour[i : i + 2], 16) for i in (1, 3, 5)] for colour in anchors], dtype=np.float64)
    at = np.linspace(0.0, len(anchors) - 1.0, n) if n > 1 else np.array([(len(anchors) - 1) / 2.0][:n])
    mixed = np.stack([np.interp(at, np.arange(len(anchors)), rgb[:, band]) for band in range(3)], axis=1)
    return ["#" + "".join(f"{int(value + 0.5):02x}" for value in colour) for colour in mixed]


def bounds(scene: Scene) -> list[list[float]]:
    """Return [[south, west], [north, east]] of the zones, else of the cells, else of the world."""
    parts = [np.asarray(ring).reshape(-1, 2) for rings in scene.zones.rings for ring in rings]
    points = np.concatenate(parts or [scene.cells.quads.reshape(-1, 2), np.empty((0, 2))])
    if not len(points):
        return [[-60.0, -180.0], [75.0, 180.0]]
    (west, south), (east, north) = points.min(axis=0), points.max(axis=0)
    return [[float(south), float(west)], [float(north), float(east)]]
