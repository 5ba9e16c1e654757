"""Build the model of the Lingang zone: an OSM extract, people, elevation and outlines, the same bytes every time.

Run ``python data/lingang-model/build.py [--out DIR]``. Everything is drawn from published areas, names and
points by a seeded generator; network, facilities and population are a model and not survey data.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import shapely
from countryside import Canal, hamlets, polders, rivers, spurs, water_barriers
from frame import GEOD, generator, polygons_of, united
from jobs import JOBS, jobs_of, workplaces
from landmarks import dyke_paths, island_paths, lake_paths, road_links, station_entrances, with_crossings
from linework import Street, clipped, cut_at, joined, thinned, without_doubles
from lots import Content
from osmfile import UNITS_PER_DEGREE, Numbered, OsmFile
from outlines import LAKE_CENTRE, LAKE_RADIUS_M, Outlines, boundary_features, draw_outlines
from places import HOME_KINDS, bus_stops, fill_districts, public_lines, scatter, standing, town_centres, village_houses
from plans import planned, with_sources
from rasters import JOBS_LABEL, PEOPLE_LABEL, SHARE, shared_out, write_counts, write_elevation
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from streets import (
    RINGS,
    back_lanes,
    beside_paths,
    district_streets,
    districts,
    donghai_bridge,
    lake_city,
    main_roads,
    railway,
)
from supply import doors, elderly_floors, supplied
from tally import facilities, print_tally

if TYPE_CHECKING:
    from collections.abc import Callable

# ASSUMPTION, not official: no resident figures by town were found. Round numbers for the end of 2024.
PEOPLE = {
    "town-nanhui-xincheng": 180_000.0,
    "town-nicheng": 82_000.0,
    "town-shuyuan": 52_000.0,
    "town-wanxiang": 27_000.0,
    "part-situan": 46_000.0,
    "airport-south": 22_000.0,
    "xiaoyangshan": 1200.0,
    "beyond": 30_000.0,  # homes within 2.5 km outside the zone
}
WRITTEN_BY_HAND = ("README.md", "study.toml")  # copied along when the model is built elsewhere
OUTLINE_NOTICE = (
    "Outlines are a model drawn to match published areas, derived from simplified OpenStreetMap outlines "
    "© OpenStreetMap contributors, ODbL 1.0. / "
    "边界为按公布面积绘制的模型，源自简化的 OpenStreetMap 边界（© OpenStreetMap 贡献者，ODbL 1.0）。"
)
SMALLEST_COMPONENT = 24  # graph nodes; smaller leftovers of cutting at water are dropped
MOTOR_ONLY = ("motorway", "construction", "proposed", "raceway", "bus_guideway")
MOST_BYTES = 3_500_000


@dataclass(frozen=True)
class Model:
    """The finished drawing, in metres."""

    outlines: Outlines
    streets: list[Street]
    canals: list[Canal]
    content: Content
    boxes: np.ndarray
    box_tags: list[dict[str, str]]
    points: list[tuple[np.ndarray, dict[str, str]]]
    vertices: list[tuple[np.ndarray, dict[str, str]]]
    rail: Street
    home_ix: np.ndarray
    town: np.ndarray
    people: np.ndarray
    late: list[tuple[np.ndarray, dict[str, str]]]
    work_xy: np.ndarray
    work_town: np.ndarray
    jobs: np.ndarray


def is_walkable(tags: dict[str, str]) -> bool:
    """Say whether a way counts for the network's size: all but motorways, banned trunk roads and what is not built."""
    highway = tags.get("highway")
    return highway is not None and highway not in MOTOR_ONLY and not (highway == "trunk" and tags.get("foot") == "no")


def draw() -> Model:  # noqa: PLR0915 - one list of steps in their order
    """Draw the whole model."""
    outlines = draw_outlines()
    main, content = main_roads(outlines), Content()
    ring_roads, lake_ground = lake_city(outlines)
    built = districts(outlines, lake_ground)
    rail, stations = railway()
    ground = united([outlines.land.buffer(400), outlines.island.buffer(-15)])
    main = clipped(main, ground)
    motorways = [road for road in main if road.tags["highway"] == "motorway"]
    roads = [road for road in main if road.tags["highway"] != "motorway"]

    town_streets: list[Street] = []
    lanes_of_towns: list[Street] = []
    for number, district in enumerate(built[1:]):
        grid = district_streets(district, [*main, *ring_roads], 40 + 30 * number)
        town_streets += grid
        if district.pattern == "town":
            lanes_of_towns += back_lanes(district, grid)
    great = rivers(outlines)
    urban = united([*[district.shape for district in built], shapely.Point(LAKE_CENTRE).buffer(4100, quad_segs=48)])
    fields = outlines.land.buffer(-110).difference(urban)
    small, lanes, farmland = polders(outlines, fields, great, roads)
    fill_districts(built, [*main, *ring_roads, *town_streets], united(canal.shape for canal in great), content)

    content.areas += [(shape, {"landuse": "farmland"}) for shape in farmland]
    promenade, island_bridges = lake_paths(outlines)
    beside, chosen = beside_paths(roads)
    roads = [_with_sidewalk(road, number, separate=number in chosen) for number, road in enumerate(roads)]
    greater = [*roads, *ring_roads]
    town_streets = [_with_sidewalk(street, number, separate=False) for number, street in enumerate(town_streets)]
    lines = [
        *greater,
        *town_streets,
        *lanes,
        *beside,
        *road_links(roads, chosen),
        *dyke_paths(roads),
        *promenade,
        *island_paths(),
    ]
    lines += thinned(lanes_of_towns, main, 14.0, 40.0)
    dry = united([outlines.land.buffer(-12), outlines.island.buffer(-12)])
    lines = clipped(lines, dry, 6.0) + content.streets
    barriers = water_barriers(outlines, [*great, *small], motorways)
    lines = cut_at(lines, barriers, generator("bridges"))
    zone = united([outlines.zones["nanhui-new-city"], outlines.zones["airport-south"], outlines.zones["xiaoyangshan"]])
    lines = hamlets(lines, town_centres(), zone)
    lines += spurs(lines, barriers, fields)
    links, entrances = station_entrances(stations, lines)
    # Streets of different layers do not join; a motorway is cut into bridges over canals but joins nothing.
    lines = joined([*lines, *links, *island_bridges], np.array([gate for gate, _ in content.gates]))
    lines = _without_scraps(without_doubles(lines))
    lines, crossings = with_crossings(lines)
    high = cut_at(motorways, water_barriers(outlines, [*great, *small], []), generator("motorway bridges"), 400.0)
    streets = [*lines, *high, donghai_bridge()]

    houses, house_tags = village_houses(lines)
    wet = [canal.shape.buffer(1.5, quad_segs=1) for canal in [*great, *small]]
    wet += [outlines.lake, *[shape for shape, tags in content.areas if tags.get("natural") == "water"]]
    boxes = np.concatenate([np.array(content.boxes), houses])
    box_tags = content.box_tags + house_tags
    boxes, box_tags = standing(boxes, box_tags, streets, wet)
    home_ix = np.flatnonzero([tags.get("building") in HOME_KINDS and "amenity" not in tags for tags in box_tags])
    middles = boxes.mean(axis=1)[home_ix]
    town = _town_of(outlines, middles)
    levels = np.array([float(box_tags[index]["building:levels"]) for index in home_ix.tolist()])
    people = shared_out(shapely.area(shapely.polygons(boxes[home_ix])) * levels, town, PEOPLE)

    rural = np.array(
        [
            box_tags[index]["building"] in ("house", "residential") and levels[at] <= 3
            for at, index in enumerate(home_ix.tolist())
        ]
    )
    points = scatter(middles, people / SHARE, rural, town_centres(), lines, content)
    points += bus_stops([*roads, *town_streets, *lanes])
    points += content.nodes
    for chinese, english, xy in stations:
        tags = {"railway": "station", "station": "subway", "public_transport": "station", "subway": "yes"}
        points.append((xy, tags | {"name": chinese, "name:zh": chinese, "name:en": english, "line": "16"}))
    vertices = doors([*content.gates, *entrances, *crossings])

    # What facilities offer, what is planned, and who works where: drawn last, by generators of their own.
    clear = _clear_of(boxes, streets, wet)
    with_sources(content)
    points = supplied(content, box_tags, points)
    floors = elderly_floors(content, boxes, clear)
    sites, plots = planned(content, points, box_tags, boxes, middles, people, public_lines(lines), clear)
    work_xy, weight, on_street = workplaces(boxes, box_tags, points)
    work_town = _town_of(outlines, work_xy)
    return Model(
        outlines,
        streets,
        [*great, *small],
        content,
        boxes,
        box_tags,
        [*points, *sites],
        vertices,
        rail,
        home_ix,
        town,
        people,
        [*floors, *plots],
        work_xy,
        work_town,
        jobs_of(weight, on_street, work_town),
    )


def _clear_of(boxes: np.ndarray, streets: list[Street], wet: list[shapely.Geometry]) -> Callable[[np.ndarray], bool]:
    """Return a test whether a ring keeps clear of buildings, streets and water."""
    built, water = shapely.STRtree(shapely.polygons(boxes)), shapely.STRtree(wet)
    segments = np.concatenate([np.stack([street.xy[:-1], street.xy[1:]], axis=1) for street in streets])
    ways = shapely.STRtree(shapely.linestrings(segments))

    def clear(ring: np.ndarray) -> bool:
        shape = shapely.Polygon(ring)
        near = [tree.query(shape, predicate="dwithin", distance=3.0) for tree in (built, ways, water)]
        return not any(len(found) for found in near)

    return clear


def _with_sidewalk(road: Street, number: int, *, separate: bool) -> Street:
    """Tag sidewalks in the several ways mappers do."""
    if separate:
        ways: tuple[dict[str, str], ...] = (
            {"sidewalk": "separate"},
            {"sidewalk:both": "separate"},
            {"sidewalk:left": "separate", "sidewalk:right": "separate"},
        )
    elif road.tags["highway"] == "trunk":
        return road
    else:
        ways = (
            {"sidewalk": "both"},
            {},
            {"sidewalk": "left"},
            {},
            {"sidewalk": "no"},
            {"sidewalk:left": "yes", "sidewalk:right": "no"},
            {"sidewalk": "right"},
            {},
        )
    return replace(road, tags=road.tags | ways[(number * 7) % len(ways)])


def _without_scraps(streets: list[Street]) -> list[Street]:
    """Drop pieces that cutting at water left unconnected with anything of size."""
    walkable = [number for number, street in enumerate(streets) if is_walkable(street.tags)]
    refs = [streets[number].xy for number in walkable]
    label, size = _components(refs)
    start = np.cumsum([0] + [len(xy) for xy in refs[:-1]])
    gone = {
        number
        for number, first in zip(walkable, start.tolist(), strict=True)
        if size[label[first]] < SMALLEST_COMPONENT
    }
    return [street for number, street in enumerate(streets) if number not in gone]


def _components(lines: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Return the component of every vertex of every line, and the vertices per component."""
    flat = np.concatenate(lines)
    _, node = np.unique(np.round(flat * 100).astype(np.int64), axis=0, return_inverse=True)
    node = node.ravel()
    last = np.cumsum([len(xy) for xy in lines]) - 1
    inner = np.ones(len(flat) - 1, dtype=bool)
    inner[last[:-1]] = False
    at = np.flatnonzero(inner)
    count = int(node.max()) + 1
    _, label = connected_components(
        coo_array((np.ones(len(at), dtype=np.int8), (node[at], node[at + 1])), shape=(count, count)), directed=False
    )
    return label[node], np.bincount(label)


def _town_of(outlines: Outlines, xy: np.ndarray) -> np.ndarray:
    """Return the key of the population total each point belongs to."""
    town = np.full(len(xy), "beyond", dtype=object)
    shapes = {
        **outlines.towns,
        "airport-south": outlines.zones["airport-south"],
        "xiaoyangshan": outlines.zones["xiaoyangshan"],
    }
    for key in sorted(shapes):
        shapely.prepare(shapes[key])
        town[shapely.contains_xy(shapes[key], xy[:, 0], xy[:, 1])] = key
    return town


def to_osm(model: Model) -> Numbered:  # noqa: C901, PLR0912 - one loop for each kind of thing
    """Turn the drawing into numbered OSM objects."""
    osm = OsmFile()
    for street in model.streets:
        osm.add_way(street.xy, street.tags)
    osm.add_way(model.rail.xy, model.rail.tags)
    coast = model.outlines.coast[::-1]  # land on the left
    for start in range(0, len(coast) - 1, 100):
        osm.add_way(coast[start : start + 101], {"natural": "coastline"})
    shore = shapely.get_coordinates(shapely.orient_polygons(model.outlines.island).exterior)
    osm.add_way(shore, {"natural": "coastline"})
    for shape in polygons_of(model.outlines.sea):
        osm.add_area(
            shape, {"natural": "water", "water": "sea", "name": "东海", "name:zh": "东海", "name:en": "East China Sea"}
        )
    lake = {"natural": "water", "water": "lake", "name": "滴水湖", "name:zh": "滴水湖", "name:en": "Dishui Lake"}
    osm.add_area(model.outlines.lake, lake)
    belt = (
        shapely.Point(LAKE_CENTRE)
        .buffer(RINGS["一"] - 16, quad_segs=24)
        .difference(shapely.Point(LAKE_CENTRE).buffer(LAKE_RADIUS_M + 6, quad_segs=24))
    )
    osm.add_area(
        polygons_of(belt)[0],
        {"leisure": "park", "name": "环湖景观带", "name:zh": "环湖景观带", "name:en": "Lake Ring Park"},
    )
    for number, island in enumerate(model.outlines.lake_islands):
        chinese, english = ("北岛", "西岛", "南岛")[number], ("North", "West", "South")[number]
        osm.add_area(
            island.buffer(-4), {"leisure": "park", "name": chinese, "name:zh": chinese, "name:en": f"{english} Island"}
        )
    for canal in model.canals:
        osm.add_way(canal.xy, canal.tags | {"width": f"{canal.width_m:.0f}"})
        if canal.width_m >= 18:
            kind = "river" if canal.tags["waterway"] == "river" else "canal"
            for part in polygons_of(shapely.make_valid(canal.shape)):
                osm.add_area(part, {"natural": "water", "water": kind})
    for shape, tags in model.content.areas:
        osm.add_area(shape, tags)
    for xy, tags in model.content.walls:
        osm.add_way(xy, tags)
    for box, tags in zip(model.boxes, model.box_tags, strict=True):
        osm.add_way(np.vstack([box, box[:1]]), tags)
    for xy, tags in model.points:
        osm.add_node(xy, tags)
    for xy, tags in model.vertices:
        osm.tag_vertex(xy, tags)
    for ring, tags in model.late:
        osm.add_late(ring, tags)
    return osm.numbered()


def write_boundary(path: Path, outlines: Outlines) -> list[dict]:
    """Write zones and overlays as GeoJSON, a feature a line, and return the features."""
    features = boundary_features(outlines)
    body = ",\n".join(json.dumps(feature, ensure_ascii=False) for feature in features)
    notice = json.dumps(OUTLINE_NOTICE, ensure_ascii=False)
    path.write_text(
        f'{{"type": "FeatureCollection", "notice": {notice}, "features": [\n{body}\n]}}\n', encoding="utf-8"
    )
    return features


def check(
    model: Model, numbered: Numbered, features: list[dict], rasters: tuple[np.ndarray, np.ndarray], out: Path
) -> None:
    """Print what was measured and stop if a requirement does not hold."""
    areas = {feature["properties"]["id"]: feature["properties"]["area_km2"] for feature in features}
    print("areas km2:", areas)
    zones = {"nanhui-new-city": 343.3, "airport-south": 24.7, "xiaoyangshan": 18.3}
    for key, target in [*zones.items(), ("pilot-zone", 119.5)]:
        _require(abs(areas[key] - target) < 0.005 * target, f"{key} is {areas[key]} km2, wanted {target}")
    _require(abs(sum(areas[key] for key in zones) - 386.0) < 0.005 * 386, "the zones do not add up to 386 km2")

    ways = [refs for refs, tags in zip(numbered.ways, numbered.way_tags, strict=True) if is_walkable(tags)]
    uses = np.bincount(np.concatenate(ways), minlength=len(numbered.nodes) + 1)
    ends = np.concatenate([refs[[0, -1]] for refs in ways])
    is_graph = uses > 1
    is_graph[ends] = True
    edges = sum(int(is_graph[refs[1:]].sum()) for refs in ways)
    degrees = numbered.nodes / UNITS_PER_DEGREE
    length_m = sum(GEOD.line_length(*degrees[refs - 1].T) for refs in ways)
    graph_nodes = int(is_graph.sum())
    print(
        f"nodes {len(numbered.nodes)}, ways {len(numbered.ways)}, relations {len(numbered.relations)}, "
        f"walkable ways {len(ways)}"
    )
    print(
        f"graph nodes {graph_nodes}, edges {edges}, network {length_m / 1000:.0f} km, "
        f"mean edge {length_m / edges:.1f} m"
    )
    _require(80_000 <= graph_nodes <= 120_000, f"{graph_nodes} graph nodes")

    pairs = np.concatenate([np.column_stack([refs[:-1], refs[1:]]) for refs in ways])
    size = len(numbered.nodes) + 1
    _, label = connected_components(
        coo_array((np.ones(len(pairs), dtype=np.int8), (pairs[:, 0], pairs[:, 1])), shape=(size, size)), directed=False
    )
    part = np.bincount(label[is_graph], minlength=label.max() + 1)
    largest = np.argsort(-part, kind="stable")[:6]
    place = [degrees[np.flatnonzero(label == index)[0] - 1].round(3).tolist() for index in largest]
    print(
        "components (graph nodes, a point):",
        list(zip(part[largest].tolist(), place, strict=True)),
        "in all",
        int((part > 0).sum()),
    )
    graph_ix = np.flatnonzero(is_graph)
    mainland = graph_ix[(degrees[graph_ix - 1, 1] < 31.045) & (degrees[graph_ix - 1, 1] > 30.8)]
    share = float((label[mainland] == largest[0]).mean())
    print(f"mainland nodes in its main component {share:.3f}")
    _require(share >= 0.93, f"only {share:.3f} of the mainland network hangs together")

    homes = model.home_ix
    levels = np.array([float(model.box_tags[index]["building:levels"]) for index in homes.tolist()])
    floor_m2 = shapely.area(shapely.polygons(model.boxes[homes])) * levels
    per_head = {key: round(float(floor_m2[model.town == key].sum()) / PEOPLE[key], 1) for key in PEOPLE}
    late = sum("building" in tags for _, tags in model.late)
    print(f"buildings {len(model.boxes) + late}, homes {len(homes)}, floor m2 per head {per_head}")
    kinds: Counter[str] = Counter()
    for tags in [*numbered.node_tags.values(), *numbered.way_tags, *[tags for _, tags in numbered.relations]]:
        for key in (
            "amenity",
            "shop",
            "leisure",
            "building",
            "highway",
            "barrier",
            "landuse",
            "railway",
            "social_facility",
            "tourism",
            "office",
            "natural",
        ):
            if key in tags:
                kinds[f"{key}={tags[key]}"] += 1
    print("kinds:", dict(sorted(kinds.items())))
    _check_counts("people", PEOPLE, model.town, model.people, rasters[0])
    _check_counts("jobs", JOBS, model.work_town, model.jobs, rasters[1])
    _print_supply(numbered)
    print_tally(
        facilities(
            model.content,
            model.boxes,
            model.box_tags,
            model.points,
            model.late,
            lambda xy: _town_of(model.outlines, xy),
        ),
        PEOPLE,
    )
    sizes = {
        path.name: path.stat().st_size
        for path in sorted(out.iterdir())
        if path.suffix in (".pbf", ".tif", ".geojson", ".toml", ".md")
    }
    print("bytes:", sizes, "together", sum(sizes.values()))
    _require(sum(sizes.values()) <= MOST_BYTES, "the files are too large")


def _check_counts(
    what: str, totals: dict[str, float], town: np.ndarray, counts: np.ndarray, raster: np.ndarray
) -> None:
    """Print the counts of every town and stop unless they and the raster are the totals, to the last 1/1024."""
    counted = {key: int(counts[town == key].sum()) / SHARE for key in totals}
    whole = float(raster[raster > 0].sum(dtype=np.float64))
    print(f"{what}:", counted, "raster", whole)
    _require(counted == totals, f"the {what} of a town are not its total")
    _require(whole == sum(totals.values()), f"{what} went missing")


def _print_supply(numbered: Numbered) -> None:
    """Print how many objects carry each tag of supply, and the years of opening."""
    tagged = [*numbered.node_tags.values(), *numbered.way_tags, *[tags for _, tags in numbered.relations]]
    keys = ("staff_count:doctors", "capacity", "capacity:beds", "beds", "wheelchair", "kerb")
    years = ("start_date", "opening_date", "end_date")
    found = Counter(key if key in keys[:4] else f"{key}={tags[key]}" for tags in tagged for key in keys if key in tags)
    print("supply:", dict(sorted(found.items())))
    print(
        "years:", dict(sorted(Counter(f"{key}={tags[key]}" for tags in tagged for key in years if key in tags).items()))
    )


def _require(holds: bool, message: str, /) -> None:  # noqa: FBT001 - reads like assert
    if not holds:
        raise SystemExit(f"lingang-model: {message}")


def main() -> None:
    """Build everything into a folder."""
    parser = argparse.ArgumentParser(description="Build the lingang-model region.")
    parser.add_argument("--out", type=Path, default=Path(__file__).resolve().parent, help="folder to write to")
    out: Path = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    model = draw()
    numbered = to_osm(model)
    numbered.write(out / "lingang-model.osm.pbf")
    middles = model.boxes.mean(axis=1)[model.home_ix]
    population = write_counts(out / "population.tif", middles, model.people, model.outlines, PEOPLE_LABEL)
    jobs = write_counts(out / "jobs.tif", model.work_xy, model.jobs, model.outlines, JOBS_LABEL)
    lowest, highest = write_elevation(out / "dem.tif", model.outlines)
    features = write_boundary(out / "boundary.geojson", model.outlines)
    for name in WRITTEN_BY_HAND:
        text = (Path(__file__).resolve().parent / name).read_text(encoding="utf-8")
        (out / name).write_text(text, encoding="utf-8")
    print(f"elevation {lowest:.1f} to {highest:.1f} m; built in {time.monotonic() - started:.0f} s")
    check(model, numbered, features, (population, jobs), out)


if __name__ == "__main__":
    main()
