"""Where homes and facilities stand: uses of lots, village houses, shops and services at points."""

from __future__ import annotations

from dataclasses import dataclass

import names
import numpy as np
import shapely
from frame import generator, parse, polygons_of, to_metres
from linework import Street, lengths_along
from lots import Content, Lot, blocks, carve, divide, estate_tags, lay_out
from outlines import LAKE_CENTRE
from services import COMMITTEES, GROUNDS, NAMED, NAMED_NODES, QUOTAS, SCATTER, TOWN_NAMES, TOWN_WIDE, Named
from streets import RINGS, District

HOME_KINDS = ("apartments", "house", "residential", "dormitory")
NAMED_WITHIN_M = 900.0  # a named facility goes to a lot at most this far from its point


@dataclass
class Counters:
    """Running numbers for made-up names."""

    estate: int = 0
    firm: int = 0
    place: int = 0

    def next(self, kind: str) -> int:
        """Count one up."""
        setattr(self, kind, getattr(self, kind) + 1)
        return getattr(self, kind)


def fill_districts(districts: list[District], streets: list[Street], water: shapely.Geometry, content: Content) -> None:
    """Divide every district into lots and give each lot a use."""
    counters = Counters()
    lines = np.array([shapely.LineString(street.xy) for street in streets])
    tree = shapely.STRtree(lines)
    walkable = shapely.STRtree(lines[[street.tags["highway"] != "motorway" for street in streets]])
    lots: list[Lot] = []
    for district in districts:
        near = np.sort(tree.query(district.shape, predicate="intersects"))
        local_water = water.intersection(district.shape.buffer(60))
        faces = blocks(district, [streets[index] for index in near], local_water)
        lots += divide(district, faces, content)
    lots = _place_named(lots, content, walkable)
    for district in districts:
        mine = [lot for lot in lots if lot.district is district]
        _fill(district, mine, content, walkable, counters)


def _grounds_tags(kind: str, chinese: str, english: str, extra: dict[str, str]) -> dict[str, str]:
    """Return the tags of a facility; a planned one carries them behind ``proposed:``."""
    tags = dict(GROUNDS[kind].tags)
    if "opening_date" in extra:
        tags = {f"proposed:{key}": value for key, value in tags.items() if key != "landuse"}
    return tags | names.named(chinese, english) | extra


def _lay_facility(
    lot: Lot, kind: str, tags: dict[str, str], content: Content, random: np.random.Generator, tree: shapely.STRtree
) -> None:
    """Draw a facility on its lot; some are mapped twice, as grounds and as a point, as happens in OpenStreetMap."""
    grounds = GROUNDS[kind]
    if "opening_date" in tags:
        content.areas.append((lot.shape, {"landuse": "construction"} | tags))
        return
    building = {"building": grounds.building}
    on_building = grounds.area_m2 < 7000 and random.random() < 0.35 and kind not in ("pocket", "park")
    before = len(content.boxes)
    area_tags = {"landuse": "commercial"} if on_building else tags
    paths = len(content.streets)
    lay_out(lot, grounds.style, building, area_tags, content, random, tree)
    if kind == "park" and lot.district.pattern != "town":
        _pond(lot, content, paths, random)
    if on_building and len(content.boxes) > before:
        content.box_tags[before] = content.box_tags[before] | tags
    elif on_building:
        content.areas[-1] = (lot.shape, tags)
    point = shapely.get_coordinates(lot.shape.representative_point())[0]
    if random.random() < 0.3 and "name" in tags and kind not in ("pocket", "park"):
        double = {
            key: value for key, value in tags.items() if key in {*grounds.tags, "name", "name:zh"} and key != "landuse"
        }
        content.nodes.append((np.round(point + random.random(2) * 8, 2), double))
    if kind in ("primary", "junior", "nine", "senior") and lot.shape.area > 12_000:
        content.areas.append(
            (
                shapely.Point(point).buffer(34, quad_segs=3),
                {"leisure": "pitch", "sport": "athletics", "access": "private"},
            )
        )


def _pond(lot: Lot, content: Content, first_path: int, random: np.random.Generator) -> None:
    """Cut a pond into a park where it is farthest from the park's paths; the park becomes a multipolygon."""
    low, high = np.array(lot.shape.bounds).reshape(2, 2)
    tries = shapely.points(low + random.random((40, 2)) * (high - low))
    barred = shapely.union_all(
        [lot.shape.exterior, *[shapely.LineString(street.xy) for street in content.streets[first_path:]]]
    )
    room = np.where(shapely.contains(lot.shape, tries), shapely.distance(tries, barred), 0.0)
    best = int(np.argmax(room))
    if room[best] < 24:
        return
    pond = shapely.set_precision(tries[best].buffer(room[best] - 7, quad_segs=4), 0.01)
    position = max(index for index, (shape, _) in enumerate(content.areas) if shape is lot.shape)
    content.areas[position] = (lot.shape.difference(pond), content.areas[position][1])
    content.areas.append((pond, {"natural": "water", "water": "pond"}))


def _place_named(lots: list[Lot], content: Content, tree: shapely.STRtree) -> list[Lot]:
    """Give the facilities of the sources the lots nearest to their points; large grounds choose first."""
    random = generator("named facilities")
    for entry in sorted(NAMED, key=lambda item: -GROUNDS[item.kind].area_m2):
        point = shapely.Point(to_metres([entry.lonlat])[0])
        wanted = GROUNDS[entry.kind].area_m2
        near = [
            (lot.shape.distance(point) + 900 * max(0.0, 1 - lot.shape.area / (wanted * 0.6)), index)
            for index, lot in enumerate(lots)
            if lot.shape.distance(point) < NAMED_WITHIN_M
        ]
        tags = _grounds_tags(entry.kind, entry.chinese, entry.english, entry.extra)
        if not near:
            content.nodes.append((shapely.get_coordinates(point)[0], tags))
            continue
        lot, rest = carve(lots.pop(min(near)[1]), wanted)
        lots += rest
        _lay_named(entry, lot, tags, content, random, tree)
    for chinese, english, tags, lonlat in NAMED_NODES:
        content.nodes.append((to_metres([lonlat])[0], tags | names.named(chinese, english)))
    for chinese, english, lon, lat in COMMITTEES:
        suffix = (
            ("村民委员会", " Village Committee")
            if chinese.endswith("村")
            else ("居民委员会", " Neighbourhood Committee")
        )
        tags = {"office": "government", "government": "administrative"} | names.named(
            chinese + suffix[0], english.removesuffix(" Village") + suffix[1]
        )
        content.nodes.append((to_metres([[lon, lat]])[0], tags))
    return lots


def _lay_named(
    entry: Named, lot: Lot, tags: dict[str, str], content: Content, random: np.random.Generator, tree: shapely.STRtree
) -> None:
    _lay_facility(
        lot,
        entry.kind,
        tags | ({} if entry.place == "model" else {"source:position": "published"}),
        content,
        random,
        tree,
    )
    if entry.kind == "university" and "opening_date" not in tags and len(content.boxes) > 6:
        for index in range(len(content.boxes) - 5, len(content.boxes)):
            content.box_tags[index] = content.box_tags[index] | {"building": "dormitory"}


def _fill(district: District, lots: list[Lot], content: Content, tree: shapely.STRtree, counters: Counters) -> None:
    """Give the lots of one district first the facilities of its quota, then homes, works or nothing yet."""
    random = generator(f"uses {district.key}")
    lots = [lots[index] for index in np.argsort(random.random(len(lots)), kind="stable")]
    wishes = [item.split("*") for item in QUOTAS.get(district.key, "").split()]
    wanted = [parts[0] for parts in wishes for _ in range(int(parts[1]) if len(parts) > 1 else 1)]
    used: dict[str, list[np.ndarray]] = {}
    for kind in sorted(wanted, key=lambda key: -GROUNDS[key].area_m2):
        area = GROUNDS[kind].area_m2
        fit = [
            index
            for index, lot in enumerate(lots)
            if lot.shape.area > 0.7 * area and _suits(district, lot, kind, random)
        ]
        if not fit:  # where land is short a school or a home is smaller than it should be
            fit = sorted(range(len(lots)), key=lambda index: -lots[index].shape.area)[:1]
        if not fit or lots[fit[0]].shape.area < 0.3 * area:
            continue
        # The lot farthest from its like out of a few: services spread, though not perfectly.
        best = max(
            fit[:4],
            key=lambda index: min(
                [1e9, *[float(np.hypot(*(_middle(lots[index]) - other))) for other in used.get(kind, [])]]
            ),
        )
        lot, rest = carve(lots.pop(best), area)
        lots += rest
        used.setdefault(kind, []).append(_middle(lot))
        first = len(used[kind]) == 1 and kind in TOWN_WIDE and district.key in TOWN_NAMES
        chinese, english = TOWN_NAMES[district.key] if first else names.village(counters.next("place"))
        grounds = GROUNDS[kind]
        tags = _grounds_tags(kind, chinese + grounds.chinese, f"{english} {grounds.english}", _capacity(kind, random))
        if kind == "pocket" and random.random() < 0.5:
            tags = dict(grounds.tags)
        _lay_facility(lot, kind, tags, content, random, tree)
        if kind == "mall":
            _square(lot, rest, content, random, counters)
    for lot in lots:
        _ordinary(district, lot, content, random, tree, counters)


def _middle(lot: Lot) -> np.ndarray:
    return shapely.get_coordinates(lot.shape.centroid)[0]


def _capacity(kind: str, random: np.random.Generator) -> dict[str, str]:
    """Return the places or beds of some facilities; `supply` says those of most others."""
    if random.random() > 0.55:
        return {}
    number = random.random()
    per_kind = {
        "kindergarten": {"capacity": str(round(240 + 240 * number, -1).__int__())},
        "primary": {"capacity": str(int(900 + 600 * number) // 45 * 45)},
        "junior": {"capacity": str(int(800 + 600 * number) // 45 * 45)},
        "nine": {"capacity": str(int(1400 + 800 * number) // 45 * 45)},
        "elderly": {"capacity:beds": str(int(120 + 180 * number) // 10 * 10)},
        "nursing": {"capacity:beds": str(int(100 + 100 * number) // 10 * 10)},
        "chc": {"capacity:beds": str(int(20 + 40 * number) // 5 * 5)},
        "daycare": {"capacity": str(int(20 + 30 * number) // 5 * 5)},
        "nursery": {"capacity": str(int(40 + 60 * number) // 10 * 10)},
    }
    return per_kind.get(kind, {})


def _suits(district: District, lot: Lot, kind: str, random: np.random.Generator) -> bool:
    """Say whether a lot is a likely place: in the lake city services follow the settled west, parks the second ring."""
    if district.key != "lake-city":
        return True
    out = _middle(lot) - LAKE_CENTRE
    radius, west = float(np.hypot(*out)), _settled(out)
    if kind in ("park", "pocket"):
        return random.random() < (0.9 if radius < RINGS["三"] else 0.35)
    if kind in ("theatre", "library", "mall"):
        return west and radius < 3000
    return west and radius > RINGS["三"]


def _settled(out: np.ndarray) -> bool:
    """Say whether a direction from the lake is in the part built first: from north-north-west round to south."""
    return 103 < np.rad2deg(np.arctan2(out[1], out[0])) % 360 < 268


def _square(lot: Lot, rest: list[Lot], content: Content, random: np.random.Generator, counters: Counters) -> None:
    """Open a pedestrian square on the ground left beside a shopping centre."""
    if not rest:
        return
    shape = polygons_of(
        shapely.Point(_middle(rest[0])).buffer(38 + 20 * random.random(), quad_segs=2).intersection(rest[0].shape)
    )
    if not shape:
        return
    chinese, english = names.village(counters.next("place"))
    ring = np.round(shapely.get_coordinates(shape[0].exterior), 2)
    content.streets.append(
        Street(ring, {"highway": "pedestrian", "area": "yes", **names.named(chinese + "广场", f"{english} Square")})
    )
    meet = shapely.get_coordinates(shapely.shortest_line(lot.block.exterior, shape[0].exterior))
    content.streets.append(Street(np.round(meet, 2), {"highway": "pedestrian"}))


def _weights(district: District, lot: Lot) -> dict[str, float]:  # noqa: PLR0911 - a table by pattern
    """Return the chances of the uses of an ordinary lot."""
    if district.pattern == "town":
        return {"slabs": 0.2, "open": 0.3, "oldrow": 0.36, "shops": 0.08, "grass": 0.06}
    if district.pattern == "industry":
        return {
            "works": 0.5 * district.built,
            "depot": 0.33 * district.built,
            "dorms": 0.1,
            "vacant": 1 - district.built,
            "building site": 0.07,
        }
    if district.pattern == "business":
        return {"offices": 0.45, "works": 0.1, "towers": 0.14, "dorms": 0.08, "vacant": 0.25}
    if district.pattern == "campus":
        return {
            "slabs": 0.28,
            "towers": 0.2,
            "offices": 0.16,
            "dorms": 0.14,
            "grass": 0.1,
            "shops": 0.06,
            "vacant": 0.1,
        }
    built = district.built
    if district.key == "lake-city":
        out = _middle(lot) - LAKE_CENTRE
        radius = float(np.hypot(*out))
        if radius < RINGS["二"]:
            return {"offices": 0.45, "grass": 0.25, "building site": 0.12, "vacant": 0.18}
        if radius < RINGS["三"]:
            return {"park": 0.75, "grass": 0.2, "vacant": 0.05}
        built = 0.86 if _settled(out) else 0.2
    return {
        "slabs": 0.42 * built,
        "towers": 0.38 * built,
        "villas": 0.1 * built,
        "offices": 0.06 * built,
        "shops": 0.04 * built,
        "building site": 0.3 * (1 - built),
        "vacant": 0.7 * (1 - built),
    }


def _ordinary(
    district: District,
    lot: Lot,
    content: Content,
    random: np.random.Generator,
    tree: shapely.STRtree,
    counters: Counters,
) -> None:
    """Fill a lot that no facility took."""
    weights = _weights(district, lot)
    bounds = np.cumsum(list(weights.values()))
    use = list(weights)[min(int(np.searchsorted(bounds / bounds[-1], random.random())), len(weights) - 1)]
    if use in ("slabs", "towers", "villas", "open", "oldrow"):
        kind = "house" if use in ("villas", "oldrow") else "apartments"
        tags = estate_tags(counters.next("estate"), content, lot) if use != "oldrow" else {"landuse": "residential"}
        lay_out(lot, use, {"building": kind}, tags, content, random, tree)
    elif use in ("works", "depot"):
        chinese, english = names.firm(counters.next("firm"))
        kind = "industrial" if use == "works" else "warehouse"
        lay_out(
            lot,
            use,
            {"building": kind},
            {"landuse": "industrial", **names.named(chinese, english)},
            content,
            random,
            tree,
        )
    elif use == "dorms":
        chinese, english = names.village(counters.next("place"))
        tags = {"landuse": "residential", **names.named(chinese + "职工公寓", f"{english} Workers' Apartments")}
        lay_out(lot, use, {"building": "dormitory"}, tags, content, random, tree)
    elif use == "offices":
        lay_out(lot, use, {"building": "office"}, {"landuse": "commercial"}, content, random, tree)
    elif use == "shops":
        lay_out(lot, "house", {"building": "retail"}, {"landuse": "retail"}, content, random, tree)
    elif use == "park":
        tags = {"leisure": "park", **names.named("二环城市公园", "Second Ring City Park")}
        paths = len(content.streets)
        lay_out(lot, use, {"building": "service"}, tags, content, random, tree)
        _pond(lot, content, paths, random)
    elif use == "building site":
        content.areas.append((lot.shape, {"landuse": "construction"}))
        box = shapely.get_coordinates(shapely.minimum_rotated_rectangle(lot.shape).exterior)
        middle = np.round(np.array([(box[0] + box[3]) / 2, (box[1] + box[2]) / 2]), 2)
        content.streets.append(Street(middle, {"highway": "construction", "construction": "residential"}))
    else:
        content.areas.append(
            (
                lot.shape,
                {"landuse": "grass"}
                if use == "grass"
                else {"landuse": "brownfield"}
                if random.random() < 0.4
                else {"natural": "grassland"},
            )
        )


def village_houses(lanes: list[Street]) -> tuple[np.ndarray, list[dict[str, str]]]:
    """Stand houses along the lanes and spurs of the country: (n, 4, 2) corners and their tags."""
    random = generator("houses")
    boxes, tags = [], []
    for lane in lanes:
        if lane.homes <= 0:
            continue
        along = lengths_along(lane.xy)
        spur = lane.over_water == 0.0
        place = 12.0 + 20 * random.random()
        while place < along[-1] - 5:
            if random.random() < lane.homes * (1.0 if spur else 0.42):
                here = np.array([np.interp(place, along, lane.xy[:, axis]) for axis in (0, 1)])
                ahead = np.array([np.interp(min(place + 2, along[-1]), along, lane.xy[:, axis]) for axis in (0, 1)])
                run = ahead - here
                if np.hypot(*run) > 1e-6:
                    run /= np.hypot(*run)
                    side = (1.0 if random.random() < 0.5 else -1.0) if spur else lane.away
                    normal = np.array([-run[1], run[0]]) * side
                    width, depth = 9 + 5 * random.random(), 8 + 2.5 * random.random()
                    front = here + normal * (5.5 + 5 * random.random())
                    boxes.append(
                        front
                        + np.array(
                            [
                                run * width / 2,
                                run * width / 2 + normal * depth,
                                -run * width / 2 + normal * depth,
                                -run * width / 2,
                            ]
                        )
                    )
                    tags.append(
                        {
                            "building": "house" if random.random() < 0.8 else "residential",
                            "building:levels": "2" if random.random() < 0.7 else "3",
                        }
                    )
            place += 17 + 16 * random.random()
    return np.round(np.array(boxes), 2), tags


def standing(
    boxes: np.ndarray, tags: list[dict[str, str]], streets: list[Street], wet: list[shapely.Geometry]
) -> tuple[np.ndarray, list[dict[str, str]]]:
    """Drop buildings on a street, in water or on another building; the earlier one stays."""
    shapes = shapely.polygons(boxes)
    # Single segments, because a tree of long lines has boxes too wide to tell anything.
    segments = np.concatenate(
        [np.stack([street.xy[:-1], street.xy[1:]], axis=1) for street in streets if not street.tags.get("bridge")]
    )
    keep = np.ones(len(shapes), dtype=bool)
    keep[
        np.unique(shapely.STRtree(shapely.linestrings(segments)).query(shapes, predicate="dwithin", distance=2.6)[0])
    ] = False
    keep[np.unique(shapely.STRtree(wet).query(shapes, predicate="intersects")[0])] = False
    number = np.flatnonzero(keep)
    first, second = shapely.STRtree(shapes[number]).query(shapes[number], predicate="dwithin", distance=1.2)
    gone = np.zeros(len(number), dtype=bool)
    for early, late in sorted(zip(first[first < second].tolist(), second[first < second].tolist(), strict=True)):
        if not gone[early]:
            gone[late] = True
    number = number[~gone]
    return boxes[number], [tags[index] for index in number.tolist()]


def public_lines(streets: list[Street]) -> np.ndarray:
    """Return the lines of the streets that are open to all, on the ground and built."""
    return np.array(
        [
            shapely.LineString(street.xy)
            for street in streets
            if "access" not in street.tags
            and street.tags["highway"] not in ("motorway", "construction")
            and not street.tags.get("layer")
        ]
    )


def scatter(
    homes: np.ndarray,
    people: np.ndarray,
    rural: np.ndarray,
    centres: np.ndarray,
    streets: list[Street],
    content: Content,
) -> list[tuple[np.ndarray, dict[str, str]]]:
    """Place the facilities that are points, at the kerb of a public street near homes or in a town's centre."""
    random = generator("scatter")
    lines = public_lines(streets)
    tree = shapely.STRtree(lines)
    towns = people * np.exp(
        -((np.hypot(*(homes[:, None] - centres[None]).transpose(2, 0, 1)).min(axis=1) / 480.0) ** 2)
    )
    served = people * np.where(rural, 1.0, 0.4 + 0.6 * (np.sin(homes[:, 0] / 700) * np.sin(homes[:, 1] / 900) > -0.35))
    by_centre, by_homes = np.cumsum(towns), np.cumsum(served)
    by_country = np.cumsum(served * rural)
    estates = np.array([point for point, _ in content.estates])
    out: list[tuple[np.ndarray, dict[str, str]]] = []
    number = 0
    for kind, entry in SCATTER.items():
        placed: list[np.ndarray] = []
        wanted = int(people.sum() / entry.people_per)
        for _ in range(wanted * 4):
            if len(placed) >= wanted:
                break
            steps = (
                by_country if kind.startswith("village") else by_centre if random.random() < entry.centre else by_homes
            )
            home = int(np.searchsorted(steps, random.random() * steps[-1]))
            spot = homes[home] + (random.random(2) - 0.5) * 60
            if placed and np.hypot(*(np.array(placed) - spot).T).min() < entry.apart_m:
                continue
            point = shapely.Point(spot)
            line = lines[tree.nearest(point)]
            foot = shapely.get_coordinates(line.interpolate(line.project(point)))[0]
            gap = max(np.hypot(*(spot - foot)), 0.1)
            here = np.round(foot + (spot - foot) / gap * min(gap, 6.0 + 3.5 * random.random()), 2)
            placed.append(spot)
            number += 1
            tags = dict(entry.tags)
            if random.random() < entry.named:
                near = int(np.argmin(np.hypot(*(estates - here).T)))
                own = (
                    content.estates[near][1]
                    if not rural[home] and random.random() < 0.4
                    else names.village(number % 680)
                )
                tags |= names.named(own[0] + entry.chinese, f"{own[1]} {entry.english}")
            out.append((here, tags | _extras(kind, random)))
    return out


def _extras(kind: str, random: np.random.Generator) -> dict[str, str]:
    """Return further tags that only some mappers add."""
    chance = random.random()
    if kind in ("toilets", "supermarket", "doorstep", "station", "bank") and chance < 0.35:
        return {"wheelchair": ("yes", "limited", "no")[int(chance / 0.35 * 3)]}
    if kind in ("convenience", "pharmacy", "fast_food") and chance < 0.25:
        return {"opening_hours": "24/7" if chance < 0.1 else "Mo-Su 07:00-22:00"}
    if kind in ("elder_station", "childcare") and chance < 0.4:
        return {"capacity": str(15 + int(chance * 100) // 5 * 5)}
    return {"staff": "2"} if kind == "village_clinic" and chance < 0.3 else {}


def bus_stops(roads: list[Street]) -> list[tuple[np.ndarray, dict[str, str]]]:
    """Place pairs of bus stops every 400 to 900 m along the through roads."""
    random = generator("bus stops")
    out: list[tuple[np.ndarray, dict[str, str]]] = []
    number = 0
    for road in roads:
        if road.tags["highway"] not in ("trunk", "primary", "secondary", "tertiary", "unclassified") or road.tags.get(
            "bridge"
        ):
            continue
        share = {"unclassified": 0.16, "tertiary": 0.55}.get(road.tags["highway"], 1.0)
        along = lengths_along(road.xy)
        place = 150 + 400 * random.random()
        while place < along[-1]:
            if random.random() < share:
                here = np.array([np.interp(place, along, road.xy[:, axis]) for axis in (0, 1)])
                ahead = np.array([np.interp(min(place + 3, along[-1] + 3), along, road.xy[:, axis]) for axis in (0, 1)])
                run = (ahead - here) / max(np.hypot(*(ahead - here)), 1e-9)
                normal = np.array([-run[1], run[0]])
                number += 1
                chinese, english = names.village(number % 690)
                tags = {
                    "highway": "bus_stop",
                    "public_transport": "platform",
                    "bus": "yes",
                    **names.named(chinese, english),
                }
                out += [(np.round(here + normal * 7 * side + run * 18 * side, 2), tags) for side in (1, -1)]
            place += 400 + 500 * random.random()
    return out


def town_centres() -> np.ndarray:
    """Return the shopping centres of towns and new city, in metres."""
    return parse(
        "121.8590,30.9178 "
        "121.8391,30.9764 121.8005,30.9630 121.8480,30.8720 121.7435,30.9290 "
        "121.9008,30.8972 121.9080,30.9010 121.8965,30.8870 121.8195,31.0840 121.8497,30.9592 121.9135,30.8884 "
        "121.9067,30.9259 121.7939,30.8635"
    )
