"""Single things: lake promenade, island bridges, crossings, footbridges, station entrances, dyke steps, hill paths."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import names
import numpy as np
import shapely
from frame import densified, generator, offset, parse, turned
from linework import Street, lengths_along
from outlines import LAKE_CENTRE, LAKE_RADIUS_M, Outlines
from streets import RINGS, from_lake

PROMENADE_M = LAKE_RADIUS_M + 32.0  # 8.6 km round
ROADS = ("trunk", "primary", "secondary", "tertiary", "unclassified", "residential")
GREAT_ROADS = ("trunk", "primary", "secondary", "tertiary")
CROSSINGS = ("traffic_signals", "marked", "zebra", "uncontrolled", "unmarked")


def lake_paths(outlines: Outlines) -> tuple[list[Street], list[Street]]:
    """Return the promenade with its links and the paths of the islands, then the bridges (which no water may cut)."""
    random = generator("lake paths")
    bearings = np.linspace(0, 360, 181)
    name = {
        "highway": "footway",
        "surface": "paving_stones",
        "lit": "yes",
        **names.named("环湖景观带步道", "Lake Ring Promenade"),
    }
    streets = [
        Street(
            np.array([from_lake(value, PROMENADE_M + 6 * np.sin(value / 7)) for value in bearings[start : start + 31]]),
            name,
        )
        for start in range(0, 180, 30)
    ]
    inner = {"highway": "cycleway", "foot": "designated", "segregated": "no"}
    streets.append(Street(np.array([from_lake(value, PROMENADE_M + 46) for value in bearings]), inner))
    for bearing in np.arange(3.75, 360, 7.5).tolist():
        tags = (
            {"highway": "steps", "step_count": "14", "incline": "down"}
            if random.random() < 0.25
            else {"highway": "footway"}
        )
        streets.append(
            Street(
                np.array([from_lake(bearing, RINGS["一"]), from_lake(bearing, PROMENADE_M + 46)]),
                {"highway": "footway"},
            )
        )
        streets.append(
            Street(np.array([from_lake(bearing, PROMENADE_M + 46), from_lake(bearing + 0.4, PROMENADE_M - 8)]), tags)
        )
    bridges: list[Street] = []
    for number, island in enumerate(outlines.lake_islands):
        walk = np.round(shapely.get_coordinates(island.buffer(-18).exterior), 2)
        streets.append(Street(walk, {"highway": "footway"}))
        spread = island.minimum_rotated_rectangle
        for turn in (0, 60, 120):
            ends = turned([[-400, 0], [400, 0]], turn + 20 * number) + shapely.get_coordinates(spread.centroid)
            streets.append(
                Street(
                    np.round(shapely.get_coordinates(shapely.LineString(ends).intersection(island.buffer(-18))), 2),
                    {"highway": "path"},
                )
            )
        out = shapely.get_coordinates(island.centroid)[0] - LAKE_CENTRE
        bearing = float(np.rad2deg(np.arctan2(out[1], out[0])))
        shore = from_lake(bearing, PROMENADE_M + 6 * np.sin((bearing % 360) / 7))
        landing = walk[np.argmin(np.hypot(*(walk - shore).T))]
        tags = {
            "highway": "footway",
            "bridge": "yes",
            "layer": "1",
            **names.named(
                ("北岛桥", "西岛桥", "南岛桥")[number], ("North", "West", "South")[number] + " Island Bridge"
            ),
        }
        bridges.append(Street(np.array([shore, landing]), tags))
        streets.append(Street(np.array([shore, from_lake(bearing, RINGS["一"])]), {"highway": "footway"}))
    return streets, bridges


def road_links(roads: list[Street], chosen: set[int]) -> list[Street]:
    """Carry the separate sidewalks over their road every 180 to 420 m, here and there by a footbridge with steps."""
    random = generator("road links")
    out: list[Street] = []
    for index in sorted(chosen):
        road = roads[index]
        distance = 15.0 if road.tags["highway"] == "trunk" else 12.0
        left, right = offset(road.xy, distance), offset(road.xy, -distance)
        along = lengths_along(road.xy)
        place = 60 + 120 * random.random()
        while place < along[-1]:
            ends = [np.array([np.interp(place, along, line[:, axis]) for axis in (0, 1)]) for line in (left, right)]
            run = (ends[1] - ends[0]) / max(np.hypot(*(ends[1] - ends[0])), 1e-9)
            if random.random() < (0.16 if road.tags["highway"] == "trunk" else 0.03):
                up, down = ends[0] + run * 5, ends[1] - run * 5
                steps = {"highway": "steps", "step_count": "36", "handrail": "yes"}
                out.append(Street(np.round(np.array([ends[0], up]), 2), steps | {"incline": "up"}))
                out.append(
                    Street(np.round(np.array([up, down]), 2), {"highway": "footway", "bridge": "yes", "layer": "2"})
                )
                out.append(Street(np.round(np.array([down, ends[1]]), 2), steps | {"incline": "down"}))
            else:
                kind = CROSSINGS[0 if random.random() < 0.6 else 1 + int(random.random() * 4)]
                out.append(
                    Street(np.round(np.array(ends), 2), {"highway": "footway", "footway": "crossing", "crossing": kind})
                )
            place += 180 + 240 * random.random()
    return out


def dyke_paths(roads: list[Street]) -> list[Street]:
    """Add the path on the sea wall and the steps up to it."""
    random = generator("dyke")
    out: list[Street] = []
    for road in roads:
        if road.tags.get("name") != "世纪塘路":
            continue
        wall = offset(densified(road.xy, 300), -24.0)
        out.append(
            Street(
                wall, {"highway": "path", "surface": "concrete", **names.named("海堤步道", "Sea Wall Path")}, 1.0, 1.0
            )
        )
        along = lengths_along(wall)
        inland = offset(wall, 24.5)
        place = 200.0
        while place < along[-1]:
            ends = [np.array([np.interp(place, along, line[:, axis]) for axis in (0, 1)]) for line in (inland, wall)]
            out.append(Street(np.round(np.array(ends), 2), {"highway": "steps", "incline": "up", "step_count": "22"}))
            place += 300 + 500 * random.random()
    return out


_HILL = (
    ("steps", "122.0360,30.6515 122.0375,30.6527 122.0385,30.6540"),
    ("path", "122.0385,30.6540 122.0410,30.6530 122.0440,30.6515 122.0450,30.6500"),
    ("path", "122.0385,30.6540 122.0345,30.6535 122.0330,30.6520"),
    ("steps", "122.0560,30.6455 122.0572,30.6470 122.0580,30.6482"),
    ("path", "122.0580,30.6482 122.0610,30.6470 122.0640,30.6440 122.0650,30.6395"),
    ("residential", "122.0560,30.6455 122.0540,30.6440 122.0520,30.6425 122.0500,30.6395"),
    ("residential", "122.0540,30.6440 122.0565,30.6420 122.0590,30.6405 122.0575,30.6370"),
    ("service", "122.0480,30.6465 122.0495,30.6440 122.0540,30.6440"),
    ("footway", "122.0520,30.6425 122.0540,30.6405 122.0565,30.6420"),
    ("steps", "122.0540,30.6405 122.0550,30.6385 122.0575,30.6370"),
    ("residential", "122.0300,30.6510 122.0325,30.6490 122.0350,30.6462"),
)


def island_paths() -> list[Street]:
    """Return the hill paths, steps and village streets of Xiaoyangshan, with houses along the village streets."""
    return [
        Street(
            densified(parse(text), 60),
            {"highway": kind} | ({"step_count": "120"} if kind == "steps" else {}),
            0,
            0,
            1.0,
            0.8 * (kind == "residential"),
        )
        for kind, text in _HILL
    ]


def station_entrances(
    stations: list[tuple[str, str, np.ndarray]], streets: list[Street]
) -> tuple[list[Street], list[tuple[np.ndarray, dict[str, str]]]]:
    """Give every station four entrances, each joined to the nearest street by a footway."""
    walkable = [
        street
        for street in streets
        if street.tags["highway"] not in ("motorway", "construction", "trunk") and not street.tags.get("layer")
    ]
    lines = np.array([shapely.LineString(street.xy) for street in walkable])
    tree = shapely.STRtree(lines)
    out: list[Street] = []
    entrances: list[tuple[np.ndarray, dict[str, str]]] = []
    for chinese, english, middle in stations:
        for number, (dx, dy) in enumerate(((34, 22), (-30, 26), (30, -26), (-36, -20))):
            gate = np.round(middle + np.array([dx, dy]), 2)
            point = shapely.Point(gate)
            line = lines[tree.nearest(point)]
            meet = np.round(shapely.get_coordinates(line.interpolate(line.project(point)))[0], 2)
            out.append(Street(np.array([gate, meet]), {"highway": "footway"}, 1.0, 0.0))
            entrances.append(
                (
                    gate,
                    {
                        "railway": "subway_entrance",
                        "ref": str(number + 1),
                        **names.named(f"{chinese}站{number + 1}号口", f"{english} Station Exit {number + 1}"),
                    },
                )
            )
        corners = [
            np.round(middle + np.array([dx, dy]), 2)
            for dx, dy in ((34, 22), (-30, 26), (-36, -20), (30, -26), (34, 22))
        ]
        out.append(Street(np.array(corners), {"highway": "footway", "covered": "yes"}))
    return out, entrances


def with_crossings(streets: list[Street]) -> tuple[list[Street], list[tuple[np.ndarray, dict[str, str]]]]:
    """Tag crossings: bits of sidewalks that cross a street, and points on great roads before their junctions."""
    random = generator("crossings")
    by_point: dict[tuple[float, float], list[int]] = {}
    for number, street in enumerate(streets):
        for point in map(tuple, street.xy.tolist()):
            by_point.setdefault(point, []).append(number)
    out: list[Street] = []
    points: list[tuple[np.ndarray, dict[str, str]]] = []
    for number, street in enumerate(streets):
        kind = street.tags["highway"]
        if street.tags.get("footway") == "crossing":
            crossing = {"highway": "crossing", "crossing": street.tags["crossing"]}
            points += [(xy, crossing) for xy in street.xy[1:-1]]
            out.append(street)
        elif street.tags.get("footway") == "sidewalk" and not street.tags.get("bridge"):
            meets = [
                index
                for index, point in enumerate(map(tuple, street.xy.tolist()))
                if any(streets[other].tags["highway"] in ROADS for other in by_point[point] if other != number)
            ]
            out += _split_at(street, meets, points, random)
        elif kind in GREAT_ROADS and not street.tags.get("bridge"):
            meets = [
                index
                for index, point in enumerate(map(tuple, street.xy.tolist()))
                if any(streets[other].tags["highway"] in GREAT_ROADS for other in by_point[point] if other != number)
            ]
            out.append(_marked(street, meets, points, random))
        else:
            out.append(street)
    return out, points


def _split_at(street: Street, meets: list[int], points: list, random: np.random.Generator) -> list[Street]:
    """Cut a sidewalk 6 m either side of each street it meets and tag the bits between."""
    along = lengths_along(street.xy)
    marks: list[tuple[float, float]] = []
    for index in meets:
        low, high = max(0.0, along[index] - 6), min(along[-1], along[index] + 6)
        if marks and low < marks[-1][1] + 4:
            marks[-1] = (marks[-1][0], high)
        else:
            marks.append((low, high))
        kind = CROSSINGS[int(random.random() * len(CROSSINGS))]
        points.append((street.xy[index], {"highway": "crossing", "crossing": kind}))
    edges = [0.0, *[value for mark in marks for value in mark], float(along[-1])]
    out = []
    for part, (low, high) in enumerate(pairwise(edges)):
        if high - low < 0.5:
            continue
        inside = (along > low + 0.3) & (along < high - 0.3)
        ends = [
            street.xy[np.argmin(np.abs(along - value))]
            if np.abs(along - value).min() < 0.3
            else np.round([np.interp(value, along, street.xy[:, axis]) for axis in (0, 1)], 2)
            for value in (low, high)
        ]
        tags = {"highway": "footway", "footway": "crossing"} if part % 2 else street.tags
        out.append(replace(street, xy=np.vstack([ends[:1], street.xy[inside], ends[1:]]), tags=tags))
    return out


def _marked(street: Street, meets: list[int], points: list, random: np.random.Generator) -> Street:
    """Put crossing points on a road 11 m before and after its junctions with other great roads."""
    along = lengths_along(street.xy)
    places = []
    for index in meets:
        places += [
            place
            for place in (along[index] - 11.0, along[index] + 11.0)
            if 5 < place < along[-1] - 5 and np.abs(along - place).min() > 4 and random.random() < 0.55
        ]
    if not places:
        return street
    extra = np.round(np.column_stack([np.interp(places, along, street.xy[:, axis]) for axis in (0, 1)]), 2)
    for xy in extra:
        kind = CROSSINGS[
            0 if street.tags["highway"] in ("trunk", "primary") and random.random() < 0.7 else int(random.random() * 5)
        ]
        points.append((xy, {"highway": "crossing", "crossing": kind}))
    order = np.argsort(np.concatenate([along, places]), kind="stable")
    return replace(street, xy=np.vstack([street.xy, extra])[order])
