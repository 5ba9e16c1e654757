"""The scenes of the two map pages, and the classes their legends count."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from lifecircle.assess.coverage import UNKNOWN, Coverage
from lifecircle.assess.gaps import Gaps
from lifecircle.assess.wording import tidy_numbers
from lifecircle.model.cells import PEOPLE
from lifecircle.profiles import TICKS, Profile
from lifecircle.publish import leaflet, maps, scorecard
from lifecircle.publish.about import About, Terms, headline, method
from lifecircle.publish.sketches import polygons, rank_of
from lifecircle.publish.walks import Walks
from lifecircle.reach.products import Lane


def coverage_page(
    coverage: Coverage, gaps: Gaps, about: About, water: list[Any], further: Sequence[tuple[Profile, Lane]] = ()
) -> str:
    """Return the coverage map as one self-contained HTML text; ``further`` costs can be switched to in it."""
    return leaflet.render(_scene("coverage", coverage, gaps, about, water, Walks.of(coverage, further)))


def gaps_page(coverage: Coverage, gaps: Gaps, about: About, water: list[Any]) -> str:
    """Return the gap map as one self-contained HTML text."""
    return leaflet.render(_scene("gaps", coverage, gaps, about, water))


def _layers(coverage: Coverage) -> tuple[list[maps.ServiceLayer], maps.Points, NDArray[np.float64]]:
    """Services, access points and people of the cells, as the maps take them."""
    cells = coverage.cells
    judged = coverage.met[0] != UNKNOWN
    services = [
        maps.ServiceLayer(
            key=key,
            title=service.title,
            title_zh=service.title_zh,
            unit=coverage.unit_of(key),  # type: ignore[arg-type]
            threshold=service.threshold.value,
            by_zone=tuple(service.value_in(z.zone_class) for z in cells.region.zones)
            if len(service.thresholds) > 1
            else (),
            cost=service.profile,
            values=np.where(np.isfinite(coverage.ticks[ix]), coverage.ticks[ix] / TICKS, np.nan).astype(np.float32),
            met=coverage.met[ix],
            count=np.where(judged, coverage.count[ix], -1).astype(np.int32),
        )
        for ix, (key, service) in enumerate(coverage.standard.services.items())
    ]
    starts, ticks = cells.starts, coverage.point_ticks
    points = maps.Points(
        cell=starts.cell.astype(np.int64),
        population=np.full(len(starts), np.nan) if starts.people is None else starts.people / PEOPLE,
        values=np.where(np.isfinite(ticks), ticks / TICKS, np.nan).astype(np.float32),
        met=coverage.point_met,
    )
    return services, points, np.full(len(cells), np.nan) if cells.people is None else cells.people / PEOPLE


def _cutoffs(coverage: Coverage) -> tuple[float, float]:
    """How far was searched, in seconds and in metres."""
    lanes = coverage.lanes.values()
    far = {"s": 1800.0, "m": 2000.0} | {
        unit: max(lane.cutoff / TICKS for lane in lanes if lane.unit == unit) for unit in {lane.unit for lane in lanes}
    }
    return far["s"], far["m"]


def classes(coverage: Coverage) -> list[dict[str, Any]]:
    """Return the classes of the coverage map's legends as ``summary.json`` has them.

    A class holds what is above the limit before and up to its own; the last but one is beyond all limits, in the last
    nothing is known.
    """
    services, points, population = _layers(coverage)
    found = maps.layers("coverage", coverage.cells.status, population, services, points, _cutoffs(coverage))
    return [
        {
            "layer": layer["kind"], "service": services[layer["service"]].key if layer["service"] >= 0 else None,
            "unit": services[layer["service"]].unit if layer["service"] >= 0 else None,
            "limits": [tidy_numbers(limit) for limit in layer["limits"]], "colours": layer["colours"],
            "cells": layer["cells"],
            "people": layer["people"] and [tidy_numbers(amount) for amount in layer["people"]],
        }
        for layer in found
    ]  # fmt: skip


def _scene(
    kind: Any, coverage: Coverage, gaps: Gaps, about: About, water: list[Any], walks: Walks | None = None
) -> maps.Scene:
    cells, region, network = coverage.cells, coverage.cells.region, coverage.network.streets
    lonlat = np.stack(region.to_lonlat.transform(cells.corners[..., 0], cells.corners[..., 1]), axis=-1)
    services, points, population = _layers(coverage)
    far_s, far_m = _cutoffs(coverage)
    said = method(Terms.of(coverage, about))
    lines = headline(coverage)[:1]  # the others are in the report: on a map they would bury the controls
    zone_name = {zone.key: zone.name for zone in region.zones}
    clusters = gaps.clusters if kind == "gaps" else ()
    outlines = _rings(region.unproject(np.array([gap.geometry for gap in clusters], dtype=object)))
    return maps.Scene(
        kind=kind,
        title=about.title,
        title_zh=about.title_zh,
        notice=about.notice or None,
        notice_zh=about.notice_zh or None,
        attribution=about.attribution,
        data_date=about.data_date or "unknown",
        basemap=about.basemap,
        cutoff_s=far_s,
        cutoff_m=far_m,
        points=points,
        cells=maps.CellGrid(
            quads=lonlat,
            population=population,
            zone=cells.zone,
            cell_ids=cells.cell_id.tolist(),
            status=cells.status,
        ),
        services=services,
        streets=maps.Streets(
            xy=np.column_stack([network.lon, network.lat]), offsets=network.offsets, rank=rank_of(network.kind)
        ),
        water=_shapes([(shape, "", "") for shape in water]),
        zones=_shapes([(zone.geometry, zone.name, zone.name_zh) for zone in region.zones]),
        overlays=_shapes([(zone.geometry, zone.name, zone.name_zh) for zone in region.overlays]),
        facilities=_facility_points(coverage, about.data_date),
        entrances=_entrances(coverage),
        gaps=[
            maps.Gap(
                service=gap.service, people=gap.people, area_m2=float(gap.area_m2), worst=gap.worst,
                kind=gap.cause, cause=scorecard.cause_text(gap)[0], cause_zh=scorecard.cause_text(gap)[1],
                zone=zone_name[gap.zone], rings=rings,
            )
            for gap, rings in zip(clusters, outlines, strict=True)
        ],
        facts=[(label, text) for label, text, _, _ in said],
        facts_zh=[(label, text) for _, _, label, text in said],
        headline=[line.english for line in lines],
        headline_zh=[line.chinese for line in lines],
        walks=walks,
    )  # fmt: skip


def _shapes(named: list[tuple[Any, str, str]]) -> maps.Shapes:
    return maps.Shapes(
        rings=_rings([shape for shape, _, _ in named]),
        names=[name for _, name, _ in named],
        names_zh=[name for _, _, name in named],
    )


def _rings(shapes: Any) -> list[list[NDArray[np.float64]]]:
    """Outlines and holes of the polygons in each of several shapes."""
    parts, shape = polygons(shapes)
    lines, polygon = shapely.get_rings(parts, return_index=True)
    ends = [0, *np.cumsum(shapely.get_num_coordinates(lines)).tolist()]
    xy = shapely.get_coordinates(lines)
    found: list[list[NDArray[np.float64]]] = [[] for _ in shapes]
    for (start, end), owner in zip(pairwise(ends), shape[polygon].tolist(), strict=True):
        found[owner].append(xy[start:end])
    return found


def _facility_points(coverage: Coverage, data_date: str) -> maps.Facilities:
    """Give a point for each service a facility gives; what opens after the data's year is planned."""
    facilities = coverage.facilities
    row = np.array([ix for ix, served in enumerate(facilities.services) for _ in served], dtype=np.int64)
    service = np.array([s for served in facilities.services for s in served], dtype=np.int16)
    points = facilities.points[row]
    lon, lat = facilities.region.to_lonlat.transform(shapely.get_x(points), shapely.get_y(points))
    return maps.Facilities(
        lon=np.asarray(lon), lat=np.asarray(lat), service=service, names=facilities.name[row].tolist(),
        planned=facilities.opens[row] > (int(data_date[:4]) if data_date[:4].isdigit() else np.inf),
    )  # fmt: skip


def _entrances(coverage: Coverage) -> maps.Entrances:
    """Where facilities are entered from: the points of the network their doors join."""
    facilities, network = coverage.facilities, coverage.network
    joins = facilities.joins
    chosen = np.flatnonzero(network.own[joins.edge])  # the copy of a private way is the same place once more
    edge = joins.edge[chosen]
    length = network.length_m[edge]
    share = np.divide(joins.offset_m[chosen], length, out=np.zeros(len(edge)), where=length > 0)
    points = shapely.line_interpolate_point(network.lines()[edge], share, normalized=True)
    lon, lat = facilities.region.to_lonlat.transform(shapely.get_x(points), shapely.get_y(points))
    kinds = facilities.join_kind[chosen]
    return maps.Entrances(
        lon=np.asarray(lon), lat=np.asarray(lat), facility=joins.place[chosen].astype(np.int64),
        kind=np.array([maps.ENTRANCES.index(kind) for kind in kinds.tolist()], dtype=np.uint8),
        rows=np.array([len(served) for served in facilities.services], dtype=np.int64),
    )  # fmt: skip
