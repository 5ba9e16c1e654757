# ruff: noqa: E501 - rows of tables are read whole
"""Zones, towns, land and sea. Sources: the published areas and the simplified OpenStreetMap outlines (ODbL)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import shapely
from frame import (
    GEOD,
    densified,
    generator,
    geodesic_area_km2,
    parse,
    polygon,
    polygons_of,
    to_degrees,
    to_metres,
    united,
)

if TYPE_CHECKING:
    from collections.abc import Callable

NANHUI_KM2, AIRPORT_KM2, ISLAND_KM2 = 343.3, 24.7, 18.3  # add up to the published 386 km² of the integration zone
PILOT_KM2 = 119.5  # published; 119.5 - 24.7 - 18.3 leaves 76.5 km² for the south of Nanhui New City
REACH_M = 2500.0  # how far the model goes on beyond the zone on its land sides

# The published centre is 121.933, 30.900 give or take 300 m. Dishui Lake station (known to 100 m) must stand on the shore and the
# station Lingang Avenue near the 4.1 km ring; both fit with the centre 220 m to the south-east, inside the tolerance.
LAKE_CENTRE = to_metres([[121.9345, 30.8985]])[0]
LAKE_RADIUS_M = 1330.0  # area 5.56 km²

# OSM relations 14180408, 14180406, 14180410, 14180411, simplified to about 350 m; © OpenStreetMap contributors, ODbL 1.0.
_NICHENG = """121.774,30.928 121.774,30.897 121.767,30.876 121.767,30.872 121.776,30.872 121.775,30.868 121.794,30.866
 121.795,30.871 121.796,30.866 121.809,30.866 121.809,30.873 121.826,30.873 121.826,30.880 121.837,30.880 121.840,30.892
 121.844,30.888 121.869,30.904 121.878,30.897 121.883,30.906 121.830,30.931 121.833,30.935 121.827,30.942 121.809,30.946
 121.796,30.956 121.779,30.949 121.785,30.937"""
_SHUYUAN = """121.883,30.906 121.830,30.931 121.839,30.937 121.840,30.977 121.831,30.984 121.832,30.989 121.817,30.994
 121.814,31.012 121.832,31.010 121.842,31.002 121.852,31.006 121.876,31.003 121.886,30.976 121.900,30.974 121.906,30.944
 121.891,30.944"""
_WANXIANG = """121.798,30.996 121.832,30.989 121.831,30.984 121.840,30.979 121.836,30.933 121.827,30.942 121.792,30.955
 121.786,30.963 121.786,30.982 121.798,30.984"""
_NANHUI_TOWN = """121.886,30.976 121.875,31.007 121.925,31.005 121.940,31.000 121.974,30.921 121.973,30.885 121.887,30.848
 121.848,30.850 121.835,30.845 121.818,30.846 121.764,30.848 121.767,30.877 121.767,30.872 121.776,30.872 121.775,30.868
 121.809,30.866 121.809,30.873 121.826,30.873 121.826,30.880 121.837,30.880 121.840,30.892 121.844,30.888 121.869,30.904
 121.878,30.897 121.890,30.926 121.891,30.944 121.906,30.944 121.900,30.974"""

# Corners of the part of Situan, west edge first; that edge slides until the areas add up.
_SITUAN_WEST = "121.728,30.984 121.731,30.962 121.726,30.941 121.729,30.918 121.725,30.897 121.730,30.882"
_SITUAN_EAST = "121.776,30.880 121.790,30.950 121.777,30.957 121.777,30.986 121.752,30.989"
_AIRPORT = "121.812,31.070 121.838,31.062 121.866,31.066 121.868,31.086 121.863,31.108 121.846,31.113 121.822,31.110 121.809,31.095"
_ISLAND_ZONE = "122.005,30.655 122.030,30.667 122.062,30.661 122.094,30.636 122.100,30.617 122.084,30.609 122.052,30.617 122.018,30.633"
_ISLAND_LAND = """122.0195,30.6490 122.0290,30.6555 122.0410,30.6560 122.0500,30.6515 122.0590,30.6500 122.0680,30.6430
 122.0790,30.6340 122.0905,30.6265 122.0880,30.6215 122.0790,30.6195 122.0620,30.6275 122.0430,30.6360 122.0250,30.6420"""
_COAST = """121.620,30.866 121.700,30.858 121.764,30.8465 121.818,30.8445 121.835,30.8435 121.848,30.8485 121.887,30.8465
 121.9742,30.8840 121.9755,30.9210 121.9415,31.0005 121.926,31.028 121.905,31.055 121.884,31.090 121.880,31.160"""
_PILOT_EQUIPMENT = "121.782,30.866 121.828,30.866 121.828,30.892 121.800,30.895 121.782,30.891"
_PILOT_STRIP = "121.782,30.840 121.900,30.840 121.900,30.872 121.782,30.872"


@dataclass(frozen=True)
class Outlines:
    """Every outline of the model, in metres."""

    zones: dict[str, shapely.Geometry]
    towns: dict[str, shapely.Geometry]
    pilot: shapely.Geometry
    land: shapely.Geometry
    sea: shapely.Geometry
    coast: np.ndarray
    island: shapely.Polygon
    lake: shapely.Polygon
    lake_islands: list[shapely.Polygon]
    extent: shapely.Geometry
    motorway_west: np.ndarray


def _solved(area_km2: Callable[[float], float], target_km2: float, low: float, high: float) -> float:
    """Bisect an increasing area for the value that gives the target, to better than a square metre."""
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if area_km2(middle) < target_km2 else (low, middle)
    return (low + high) / 2


def _scaled_to(shape: shapely.Polygon, target_km2: float) -> shapely.Polygon:
    centre = shapely.get_coordinates(shape.centroid)[0]

    def scaled(factor: float) -> shapely.Polygon:
        return shapely.transform(shape, lambda xy: centre + (xy - centre) * factor)

    return scaled(_solved(lambda factor: geodesic_area_km2(scaled(factor)), target_km2, 0.5, 2.0))


def _circle(centre: np.ndarray, radius_m: float, corners: int) -> shapely.Polygon:
    angle = np.arange(corners) * 2 * np.pi / corners
    return shapely.Polygon(np.round(centre + radius_m * np.column_stack([np.cos(angle), np.sin(angle)]), 2))


def _rough(xy: np.ndarray, step_m: float, swing_m: float, label: str) -> np.ndarray:
    """Give a smooth line the unevenness of a shore, within a swing."""
    dense = densified(xy, step_m)
    random = generator(label)
    wave = np.convolve(random.random((len(dense) + 6, 2)).mean(axis=1) - 0.5, np.ones(5) / 5, "same")[3:-3]
    run = np.gradient(dense, axis=0)
    run /= np.hypot(run[:, 0], run[:, 1])[:, None]
    return np.round(dense + np.column_stack([-run[:, 1], run[:, 0]]) * (wave * swing_m * 4)[:, None], 2)


def _towns() -> dict[str, shapely.Geometry]:
    """Make the four simplified outlines into parts that neither overlap nor leave slivers between them."""
    raw = {
        "town-nicheng": _NICHENG,
        "town-shuyuan": _SHUYUAN,
        "town-wanxiang": _WANXIANG,
        "town-nanhui-xincheng": _NANHUI_TOWN,
    }
    towns: dict[str, shapely.Geometry] = {}
    taken: shapely.Geometry = shapely.Polygon()
    for key, text in raw.items():
        towns[key] = polygon(text).difference(taken)
        taken = united([taken, towns[key]])
    whole = taken.buffer(220, join_style="mitre").buffer(-220, join_style="mitre")
    whole = shapely.Polygon(polygons_of(whole)[0].exterior)
    for sliver in polygons_of(whole.difference(taken)):
        neighbour = max(towns, key=lambda key: towns[key].intersection(sliver.buffer(5)).area)
        towns[neighbour] = united([towns[neighbour], sliver])
    return {key: towns[key].intersection(whole) for key in sorted(towns)}


def _situan(others: shapely.Geometry) -> tuple[shapely.Geometry, np.ndarray]:
    """Slide the west edge of the Situan part until Nanhui New City has its published area."""
    west, east = parse(_SITUAN_WEST), parse(_SITUAN_EAST)

    def part(shift_m: float) -> shapely.Geometry:
        shape = shapely.Polygon(np.vstack([west - [shift_m, 0], east])).difference(others)
        return polygons_of(shape)[0]

    shift_m = _solved(lambda value: geodesic_area_km2(united([others, part(value)])), NANHUI_KM2, -3000.0, 6000.0)
    return part(shift_m), west - [shift_m + 220, 0]


def _lake_islands() -> list[shapely.Polygon]:
    """Place the north (23.5 ha), west (6 ha) and south (14 ha) islands of Dishui Lake, as flattened circles."""
    shapes = []
    for bearing_deg, out_m, hectares in ((75.0, 760.0, 23.5), (185.0, 800.0, 6.0), (285.0, 740.0, 14.0)):
        angle = math.radians(bearing_deg)
        centre = LAKE_CENTRE + out_m * np.array([math.cos(angle), math.sin(angle)])
        turn = np.arange(28) * 2 * np.pi / 28
        radius = math.sqrt(hectares * 1e4 / math.pi)
        along, across = radius * 1.3 * np.cos(turn), radius / 1.3 * np.sin(turn)
        tangent = np.array([-math.sin(angle), math.cos(angle)])
        outward = np.array([math.cos(angle), math.sin(angle)])
        shapes.append(shapely.Polygon(np.round(centre + along[:, None] * tangent + across[:, None] * outward, 2)))
    return shapes


def _pilot(nanhui_town: shapely.Geometry, nanhui: shapely.Geometry, rest: list[shapely.Geometry]) -> shapely.Geometry:
    """Join the new city round the lake, the southern strip and the equipment zone; the first grows until the area is the published one."""
    strip = polygon(_PILOT_STRIP).intersection(nanhui_town)
    equipment = polygon(_PILOT_EQUIPMENT).intersection(nanhui)

    def south(radius_m: float) -> shapely.Geometry:
        return united([_circle(LAKE_CENTRE, radius_m, 96).intersection(nanhui_town), strip, equipment])

    target = PILOT_KM2 - sum(geodesic_area_km2(shape) for shape in rest)
    radius_m = _solved(lambda value: geodesic_area_km2(south(value)), target, 2000.0, 9000.0)
    return united([shapely.MultiPolygon(polygons_of(south(radius_m))), *rest])


def draw_outlines() -> Outlines:
    """Draw zones, towns, pilot zone, land, sea and lake."""
    towns = _towns()
    four = united(towns.values())
    situan, motorway_west = _situan(four)
    towns["part-situan"] = situan
    nanhui = united([four, situan])
    nanhui = shapely.Polygon(polygons_of(nanhui)[0].exterior)
    airport = _scaled_to(polygon(_AIRPORT), AIRPORT_KM2)
    island_zone = _scaled_to(polygon(_ISLAND_ZONE), ISLAND_KM2)
    island = shapely.Polygon(
        _rough(np.vstack([parse(_ISLAND_LAND), parse(_ISLAND_LAND)[:1]]), 120, 40, "island shore")[:-1]
    )
    island = polygons_of(shapely.make_valid(island).intersection(island_zone.buffer(-60)))[0]

    coast = _rough(parse(_COAST), 180, 30, "coast")
    inland = to_metres([[121.60, 31.16], [121.60, 30.87]])
    mainland = polygons_of(shapely.make_valid(shapely.Polygon(np.vstack([coast, inland]))))[0]
    near = united([nanhui.buffer(REACH_M), airport.buffer(REACH_M)])
    land = near.intersection(mainland)
    sea_window = shapely.box(*to_metres([[121.655, 30.585]])[0], *to_metres([[122.125, 31.135]])[0])
    # The sea goes on past the data, so that a map does not end in a straight shore of nothing.
    open_sea = shapely.box(*to_metres([[121.655, 30.20]])[0], *to_metres([[122.80, 31.135]])[0])
    sea = open_sea.difference(mainland).difference(island)
    lake_islands = _lake_islands()
    lake = shapely.Polygon(_circle(LAKE_CENTRE, LAKE_RADIUS_M, 120).exterior, [part.exterior for part in lake_islands])
    zones = {"airport-south": airport, "nanhui-new-city": nanhui, "xiaoyangshan": island_zone}
    return Outlines(
        zones=zones,
        towns=towns,
        pilot=_pilot(towns["town-nanhui-xincheng"], nanhui, [airport, island_zone]),
        land=land,
        sea=sea,
        coast=coast,
        island=island,
        lake=lake,
        lake_islands=lake_islands,
        extent=united([land, island_zone, sea_window]),
        motorway_west=motorway_west,
    )


NAMES = {
    "nanhui-new-city": ("Nanhui New City", "南汇新城"),
    "airport-south": ("Airport south", "机场南侧区域"),
    "xiaoyangshan": ("Xiaoyangshan Island", "小洋山岛"),
    "pilot-zone": ("Pilot zone (first start-up area)", "先行启动区"),
    "town-nanhui-xincheng": ("Nanhui New City Town", "南汇新城镇"),
    "town-nicheng": ("Nicheng Town", "泥城镇"),
    "town-shuyuan": ("Shuyuan Town", "书院镇"),
    "town-wanxiang": ("Wanxiang Town", "万祥镇"),
    "part-situan": ("Part of Situan Town", "四团镇（部分）"),
}


def boundary_features(outlines: Outlines) -> list[dict]:
    """Return the GeoJSON features: the three zones, then the overlays."""
    shapes = [(key, "zone", outlines.zones[key]) for key in ("nanhui-new-city", "airport-south", "xiaoyangshan")]
    shapes.append(("pilot-zone", "overlay", outlines.pilot))
    shapes += [(key, "overlay", outlines.towns[key]) for key in NAMES if key in outlines.towns]
    features = []
    for key, role, shape in shapes:
        degrees = shapely.transform(shape, lambda xy: np.round(to_degrees(xy), 6))
        degrees = shapely.normalize(shapely.orient_polygons(shapely.MultiPolygon(polygons_of(degrees))))
        area_km2 = GEOD.geometry_area_perimeter(shapely.orient_polygons(degrees))[0] / 1e6
        geometry = shapely.orient_polygons(degrees.geoms[0] if len(degrees.geoms) == 1 else degrees)
        name, name_zh = NAMES[key]
        features.append(
            {
                "type": "Feature",
                "properties": {
                    "id": key,
                    "name": name,
                    "name_zh": name_zh,
                    "role": role,
                    "area_km2": round(abs(area_km2), 3),
                }
                | ({"zone_class": "new_city"} if key == "nanhui-new-city" else {}),
                "geometry": geometry.__geo_interface__,
            }
        )
    return features
