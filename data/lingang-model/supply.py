"""What facilities offer, since when, and whether wheels get in: doctors, places, beds, floors, years, kerbs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import shapely
from frame import generator, turned

if TYPE_CHECKING:
    from collections.abc import Callable

    from lots import Content

    Point = tuple[np.ndarray, dict[str, str]]

UNKNOWN = 0.1  # of the health stations and village clinics state no doctors
TWO_DOCTORS = 0.25  # of the stations have two; the others, and the village clinics, one
# Endings of names, the longer first; the rest goes by tags.
_BY_NAME = {
    "社区卫生服务中心": "chc",
    "社区卫生服务中心（新址）": "chc",
    "社区卫生服务站": "station",
    "村卫生室": "village clinic",
    "综合为老服务中心": "integrated",
    "老年人日间照料中心": "daycare",
    "日间照料站": "day station",
    "长者照护之家": "care visit",
    "敬老院": "elderly",
    "护理院": "nursing",
    "社区食堂": "canteen",
    "老年助餐点": "meal",
    "宝宝屋": "childcare",
    "托育园": "nursery",
    "幼儿园": "kindergarten",
    "九年一贯制学校": "nine",
    "小学": "primary",
    "初级中学": "junior",
    "高级中学": "senior",
    "家门口服务站": "doorstep",
    "邻里中心": "neighbourhood",
    "党群服务中心": "party",
    "社区事务受理服务中心": "community",
    "文化活动站": "culture room",
    "社区文化活动中心": "culture",
    "体育活动中心": "sports",
    "图书馆": "library",
    "菜市场": "market",
}
_BY_TAG = {
    ("amenity", "hospital"): "hospital",
    ("amenity", "townhall"): "townhall",
    ("amenity", "theatre"): "theatre",
    ("amenity", "toilets"): "toilets",
    ("amenity", "police"): "police",
    ("amenity", "bank"): "bank",
    ("amenity", "pharmacy"): "pharmacy",
    ("tourism", "museum"): "museum",
    ("shop", "mall"): "mall",
    ("shop", "supermarket"): "supermarket",
    ("shop", "convenience"): "convenience",
    ("leisure", "park"): "park",
    ("leisure", "playground"): "playground",
    ("highway", "bus_stop"): "bus stop",
}
# Doctors of the community health centres; all are the model's.
DOCTORS = {
    "申港社区卫生服务中心": 14,
    "芦潮港社区卫生服务中心": 14,
    "泥城社区卫生服务中心": 15,
    "书院社区卫生服务中心": 9,
    "万祥社区卫生服务中心": 6,
    "四团平安社区卫生服务中心": 14,
    "施湾社区卫生服务中心": 8,
    "申港社区卫生服务中心（新址）": 22,
    "万祥社区卫生服务中心（新址）": 10,
    "书院社区卫生服务中心（新址）": 14,
    "四团平安社区卫生服务中心（新址）": 18,
}
# Key, least, range, step and share of those that state it: places (`capacity`) and beds.
_OFFERS = {
    "kindergarten": ("capacity", 240, 240, 30, 0.88),
    "nursery": ("capacity", 40, 60, 10, 0.9),
    "childcare": ("capacity", 15, 25, 5, 0.85),
    "primary": ("capacity", 900, 600, 45, 0.9),
    "junior": ("capacity", 800, 600, 45, 0.9),
    "nine": ("capacity", 1400, 800, 45, 0.9),
    "senior": ("capacity", 900, 600, 45, 0.9),
    "daycare": ("capacity", 20, 30, 5, 0.9),
    "day station": ("capacity", 15, 25, 5, 0.8),
    "elderly": ("capacity:beds", 120, 180, 10, 0.9),
    "nursing": ("capacity:beds", 100, 100, 10, 1.0),
    "care visit": ("capacity:beds", 10, 20, 5, 0.6),
    "hospital": ("beds", 600, 0, 10, 1.0),
}
# Since when: share that opened in 2022 to 2024, and in 2004 to 2021; the rest states no year and was always there.
_OPENED = {
    "doorstep": (0.2, 0.2),
    "station": (0.12, 0.25),
    "integrated": (0.35, 0.3),
    "daycare": (0.25, 0.3),
    "day station": (0.2, 0.2),
    "canteen": (0.25, 0.2),
    "meal": (0.3, 0.2),
    "childcare": (0.35, 0.2),
    "nursery": (0.3, 0.3),
    "kindergarten": (0.14, 0.4),
    "primary": (0.15, 0.4),
    "nine": (0.3, 0.3),
    "neighbourhood": (0.3, 0.3),
    "culture room": (0.1, 0.2),
}
# `wheelchair`: share that states it, and of these the shares of yes and of limited; the rest is no.
_WHEELS = {
    "chc": (0.8, 0.85, 0.15),
    "hospital": (1.0, 1.0, 0.0),
    "townhall": (0.8, 0.8, 0.2),
    "library": (0.8, 0.8, 0.15),
    "museum": (1.0, 0.9, 0.1),
    "theatre": (0.8, 0.9, 0.1),
    "mall": (0.7, 0.85, 0.15),
    "sports": (0.6, 0.7, 0.2),
    "culture": (0.6, 0.65, 0.25),
    "community": (0.7, 0.7, 0.25),
    "neighbourhood": (0.7, 0.75, 0.2),
    "integrated": (0.8, 0.75, 0.2),
    "daycare": (0.7, 0.7, 0.2),
    "elderly": (0.7, 0.7, 0.25),
    "nursing": (0.7, 0.8, 0.2),
    "station": (0.4, 0.5, 0.3),
    "village clinic": (0.3, 0.25, 0.35),
    "doorstep": (0.4, 0.5, 0.3),
    "day station": (0.45, 0.5, 0.3),
    "care visit": (0.45, 0.6, 0.3),
    "party": (0.4, 0.55, 0.25),
    "culture room": (0.3, 0.4, 0.3),
    "canteen": (0.3, 0.4, 0.4),
    "meal": (0.3, 0.4, 0.3),
    "kindergarten": (0.3, 0.5, 0.4),
    "primary": (0.3, 0.5, 0.4),
    "market": (0.4, 0.55, 0.35),
    "police": (0.3, 0.5, 0.3),
    "toilets": (0.3, 0.55, 0.2),
    "bank": (0.25, 0.45, 0.35),
    "pharmacy": (0.2, 0.3, 0.4),
    "supermarket": (0.3, 0.6, 0.3),
    "convenience": (0.12, 0.2, 0.4),
    "park": (0.35, 0.7, 0.25),
    "playground": (0.2, 0.6, 0.3),
    "bus stop": (0.35, 0.55, 0.25),
}
KERBS = ("lowered", "flush", "raised", "rolled")
_KERB_SHARES = np.cumsum([0.56, 0.2, 0.19, 0.05])
FLOOR_BOXES_M = ((30, 14), (24, 12), (18, 11), (14, 9))


def kind_of(tags: dict[str, str]) -> str:
    """Return what kind of facility something is, by its name or its tags; nothing for all else and for doubles."""
    name = tags.get("name", "")
    if name and "name:en" not in tags:
        return ""  # the point that doubles an outline: what the place offers stands on the outline
    for ending, kind in _BY_NAME.items():
        if name.endswith(ending):
            return kind
    return next((kind for (key, value), kind in _BY_TAG.items() if tags.get(key) == value), "")


def supplied(content: Content, box_tags: list[dict[str, str]], points: list[Point]) -> list[Point]:
    """Say what there is to say of every facility; outlines and buildings in place, points returned anew."""
    random = {name: generator(f"supply {name}") for name in ("doctors", "offers", "years", "wheels")}

    def said(tags: dict[str, str], *, is_point: bool) -> dict[str, str]:
        kind = kind_of(tags)
        if kind:
            tags = _doctors(kind, tags, random["doctors"])
            tags = _offer(kind, tags, random["offers"], is_point=is_point)
        if kind and not any(key.startswith("proposed:") for key in tags):
            tags = _opened(kind, tags, random["years"])
            tags = _wheels(kind, tags, random["wheels"])
        return tags

    content.areas[:] = [(shape, said(tags, is_point=False)) for shape, tags in content.areas]
    box_tags[:] = [said(tags, is_point=False) for tags in box_tags]
    points = [(xy, said(tags, is_point=True)) for xy, tags in points]
    dates = {
        tags["name"]: {key: tags[key] for key in ("start_date", "end_date") if key in tags}
        for tags in [*[tags for _, tags in content.areas], *box_tags]
        if "name:en" in tags
    }
    return [(xy, tags if "name:en" in tags else tags | dates.get(tags.get("name", ""), {})) for xy, tags in points]


def _doctors(kind: str, tags: dict[str, str], random: np.random.Generator) -> dict[str, str]:
    """Count the general practitioners where residents register: centres, stations, village clinics."""
    if kind == "chc":
        return tags | {"staff_count:doctors": str(DOCTORS[tags["name"]])}
    if kind not in ("station", "village clinic"):
        return tags
    chance = random.random()
    if chance < UNKNOWN or "staff_count:doctors" in tags:
        return tags
    return tags | {"staff_count:doctors": "2" if kind == "station" and chance > 1 - TWO_DOCTORS else "1"}


def _offer(kind: str, tags: dict[str, str], random: np.random.Generator, *, is_point: bool) -> dict[str, str]:
    if kind not in _OFFERS:
        return tags
    key, least, more, step, stated = _OFFERS[kind]
    chance, size = random.random(2)
    if chance >= stated or any(word in tags for word in ("capacity", "capacity:beds", "beds")):
        return tags
    if kind == "hospital" and is_point:
        return tags  # the two outside the zone are only places on the way out of it
    if kind == "kindergarten" and is_point:
        least, more = 90, 90
    return tags | {key: str(int(least + more * size) // step * step)}


def _opened(kind: str, tags: dict[str, str], random: np.random.Generator) -> dict[str, str]:
    lately, earlier = _OPENED.get(kind, (0.0, 0.0))
    if lately == 0.0 or "start_date" in tags:
        return tags
    chance, year = random.random(2)
    if chance < lately:
        return tags | {"start_date": str(2022 + int(year * 3))}
    return tags | {"start_date": str(2004 + int(year * 18))} if chance < lately + earlier else tags


def _wheels(kind: str, tags: dict[str, str], random: np.random.Generator) -> dict[str, str]:
    stated, yes, limited = _WHEELS.get(kind, (0.0, 0.0, 0.0))
    if stated == 0.0 or "wheelchair" in tags:
        return tags
    chance, how = random.random(2)
    if chance >= stated:
        return tags
    return tags | {"wheelchair": "yes" if how < yes else "limited" if how < yes + limited else "no"}


def doors(vertices: list[Point]) -> list[Point]:
    """Say of gates and station exits whether wheels get through, and of crossings what their kerbs are like."""
    random = generator("supply doors")
    out: list[Point] = []
    for xy, tags in vertices:
        chance, how = random.random(2)
        more: dict[str, str] = {}
        if tags.get("highway") == "crossing" and chance < 0.6:
            more = {"kerb": KERBS[int(np.searchsorted(_KERB_SHARES, how * _KERB_SHARES[-1]))]}
        elif tags.get("railway") == "subway_entrance":  # one of the four has the lift
            more = {"wheelchair": "yes"} if tags["ref"] == "2" else {"wheelchair": "no"}
        elif "barrier" in tags and chance < 0.25:
            more = {"wheelchair": "yes" if how < 0.72 else "limited" if how < 0.92 else "no"}
        out.append((xy, tags | more))
    return out


def elderly_floors(
    content: Content, boxes: np.ndarray, clear: Callable[[np.ndarray], bool]
) -> list[tuple[np.ndarray, dict[str, str]]]:
    """Stand a building on the grounds of day care and elderly centres that have none, so that their floor is known."""
    tree = shapely.STRtree(shapely.polygons(boxes))
    out: list[tuple[np.ndarray, dict[str, str]]] = []
    for shape, tags in content.areas:
        if kind_of(tags) not in ("integrated", "daycare") or "proposed:amenity" in tags:
            continue
        if len(tree.query(shape, predicate="contains")):
            continue
        for size in FLOOR_BOXES_M:
            ring = fitted(shape.buffer(-2.0), size, clear)
            if ring is not None:
                out.append((ring, {"building": "civic", "building:levels": "2"}))
                break
    return out


def fitted(
    shape: shapely.Geometry, size_m: tuple[float, float], clear: Callable[[np.ndarray], bool]
) -> np.ndarray | None:
    """Return the closed ring of a box inside a shape that is clear of all else, the nearest to its middle, or None."""
    if shape.is_empty or shape.area < size_m[0] * size_m[1]:
        return None
    box = shapely.get_coordinates(shapely.minimum_rotated_rectangle(shape).exterior)
    sides = np.diff(box, axis=0)[:2]
    along = sides[np.argmax(np.hypot(*sides.T))]
    angle = float(np.rad2deg(np.arctan2(along[1], along[0])))
    half = np.array(size_m) / 2
    corners = turned(np.array([[-1, -1], [1, -1], [1, 1], [-1, 1], [-1, -1]]) * half, angle)
    middle = shapely.get_coordinates(shape.centroid)[0]
    low, high = np.array(shape.bounds).reshape(2, 2)
    steps = np.arange(-40, 41) * 4.0
    grid = np.stack(np.meshgrid(steps, steps), axis=-1).reshape(-1, 2)
    grid = grid[np.argsort(np.hypot(*grid.T), kind="stable")]
    shapely.prepare(shape)
    for offset in grid:
        spot = middle + offset
        if (spot < low).any() or (spot > high).any():
            continue
        ring = np.round(spot + corners, 2)
        if shape.contains(shapely.Polygon(ring)) and clear(ring):
            return ring
    return None
