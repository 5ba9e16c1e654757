# ruff: noqa: E501 - rows of tables are read whole
"""Planned facilities of the model: none is named in the sources; they go where most people are without their kind."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import names
import numpy as np
import shapely
from scipy.spatial import cKDTree
from services import GROUNDS, SCATTER
from supply import fitted, kind_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from lots import Content

    Point = tuple[np.ndarray, dict[str, str]]

# Where the sources plan a facility; the years of all of them are the model's.
PLAN = "沪发改社〔2021〕9号"
LATER = "lingang.gov.cn 2024-03-28"
FROM_LATER = ("滴水湖学校", "浦东医院临港院区")
# A health centre that moves: the old site closes when the new one opens.
MOVES = {
    "申港社区卫生服务中心": "2025",
    "万祥社区卫生服务中心": "2025",
    "四团平安社区卫生服务中心": "2025",
    "书院社区卫生服务中心": "2026",
}


@dataclass(frozen=True)
class Planned:
    """A kind to be built: tags and names, opening years, people served within so many metres, and what it will offer.

    ``like`` are the kinds that serve already; ``outline`` is the length and depth of its plot or building in metres, None for a point.
    """

    tags: dict[str, str]
    chinese: str
    english: str
    years: str
    reach_m: float
    like: tuple[str, ...]
    offers: dict[str, str]
    outline: tuple[float, float] | None = None
    is_building: bool = False


PLANNED = [
    Planned(GROUNDS["chc"].tags, "社区卫生服务中心", "Community Health Centre", "2030", 1500, ("chc",), {"staff_count:doctors": "12", "capacity:beds": "40"}, (70, 50)),
    Planned(GROUNDS["integrated"].tags, "综合为老服务中心", "Integrated Elderly Service Centre", "2025 2026 2027 2030 2035", 900, ("integrated",), {"building:levels": "3"}, (30, 16), is_building=True),
    Planned(GROUNDS["daycare"].tags, "老年人日间照料中心", "Elderly Day Care Centre", "2025 2026 2028 2030 2033", 700, ("daycare", "day station", "integrated"), {"building:levels": "2", "capacity": "30"}, (22, 13), is_building=True),
    Planned(GROUNDS["elderly"].tags, "敬老院", "Home for the Aged", "2029", 2000, ("elderly", "nursing"), {"capacity:beds": "300"}, (80, 60)),
    Planned(GROUNDS["kindergarten"].tags, "幼儿园", "Kindergarten", "2025 2026 2028 2030 2034", 700, ("kindergarten",), {"capacity": "360"}, (90, 70)),
    Planned(GROUNDS["primary"].tags, "小学", "Primary School", "2027 2030", 900, ("primary", "nine"), {"capacity": "1125"}, (150, 110)),
    Planned(GROUNDS["nine"].tags, "九年一贯制学校", "Nine-year School", "2028 2031", 1000, ("nine", "primary", "junior"), {"capacity": "1800"}, (190, 140)),
    Planned(SCATTER["station"].tags, "社区卫生服务站", "Community Health Station", "2026 2027 2029 2032", 900, ("station", "chc", "village clinic"), {"staff_count:doctors": "1"}),
    Planned(SCATTER["doorstep"].tags, "家门口服务站", "Doorstep Service Station", "2025 2025 2025 2025 2026 2026 2027 2027 2028 2028 2030 2030 2030 2032 2035 2035", 650, ("doorstep", "neighbourhood"), {}),
    Planned(SCATTER["party"].tags, "党群服务中心", "Party and Mass Service Centre", "2025 2025 2026 2028 2030 2032", 900, ("party",), {}),
    Planned(SCATTER["canteen"].tags, "社区食堂", "Community Canteen", "2025 2025 2026 2027 2028 2030 2032 2035", 700, ("canteen", "meal"), {"capacity": "120"}),
    Planned(SCATTER["childcare"].tags, "宝宝屋", "Childcare Room", "2025 2026 2027 2029 2031", 700, ("childcare", "nursery"), {"capacity": "30"}),
]  # fmt: skip


def with_sources(content: Content) -> None:
    """Say which document plans a named facility, and close the health centres that move."""
    for index, (shape, tags) in enumerate(content.areas):
        if "opening_date" in tags and "name" in tags:
            content.areas[index] = (shape, tags | {"source": LATER if tags["name"] in FROM_LATER else PLAN})
        elif kind_of(tags) == "chc" and tags["name"] in MOVES:
            content.areas[index] = (shape, tags | {"end_date": MOVES[tags["name"]]})


def planned(  # noqa: PLR0913, PLR0917 - everything already drawn is needed
    content: Content,
    points: list[Point],
    box_tags: list[dict[str, str]],
    boxes: np.ndarray,
    homes: np.ndarray,
    people: np.ndarray,
    lines: np.ndarray,
    clear: Callable[[np.ndarray], bool],
) -> tuple[list[Point], list[Point]]:
    """Return planned points, and planned outlines as closed rings."""
    there = [(shapely.get_coordinates(shape.representative_point())[0], tags) for shape, tags in content.areas]
    there += [(box.mean(axis=0), tags) for box, tags in zip(boxes, box_tags, strict=True) if "name" in tags]
    there += points
    kinds = [kind_of(tags) for _, tags in there]
    spots = np.array([xy for xy, _ in there])
    crowd = cKDTree(homes)
    vacant = _vacant(content)
    centres = np.array([shapely.get_coordinates(shape.centroid)[0] for shape in vacant])
    corners = np.unique(np.floor(homes / 200).astype(np.int64), axis=0) * 200 + 100.0
    tree = shapely.STRtree(lines)
    estates = np.array([xy for xy, _ in content.estates])
    nodes: list[Point] = []
    rings: list[Point] = []
    taken = np.zeros(len(vacant), dtype=bool)
    for plan in PLANNED:
        mine = spots[[kind in plan.like for kind in kinds]]
        left = people.copy()
        for near in crowd.query_ball_point(mine, plan.reach_m):
            left[near] = 0
        where = corners if plan.outline is None else centres
        within = crowd.query_ball_point(where, plan.reach_m)
        for year in plan.years.split():
            served = np.array([int(left[near].sum()) for near in within])
            if plan.outline is not None:
                served[taken] = -1
            for best in np.argsort(-served, kind="stable").tolist():
                ring = None
                if plan.outline is not None:
                    ring = fitted(vacant[best].buffer(-3.0), plan.outline, clear)
                    taken[best] = taken[best] or ring is not None
                if plan.outline is None or ring is not None:
                    break
            left[within[best]] = 0
            spot = where[best] if ring is None else ring[:4].mean(axis=0)
            own = content.estates[int(np.argmin(np.hypot(*(estates - spot).T)))][1]
            if np.hypot(*(estates - spot).T).min() > 700:
                own = names.village(620 + len(nodes) + len(rings))
            tags = {f"proposed:{key}": value for key, value in plan.tags.items() if key != "landuse"}
            tags |= names.named(own[0] + plan.chinese, f"{own[1]} {plan.english}")
            tags |= plan.offers | {"opening_date": year, "source": "model"}
            if ring is None:
                nodes.append((_kerb(spot, lines, tree), tags))
            else:
                more = {"proposed:building": "civic"} if plan.is_building else {"landuse": "construction"}
                rings.append((ring, more | tags))
    return nodes, rings


def _vacant(content: Content) -> list[shapely.Polygon]:
    """Return lots where nothing stands and nothing is planned."""
    return [
        shape
        for shape, tags in content.areas
        if "name" not in tags
        and (tags.get("landuse") in ("construction", "brownfield", "grass") or tags.get("natural") == "grassland")
    ]


def _kerb(spot: np.ndarray, lines: np.ndarray, tree: shapely.STRtree) -> np.ndarray:
    """Return the point beside the nearest public street."""
    point = shapely.Point(spot)
    line = lines[tree.nearest(point)]
    foot = shapely.get_coordinates(line.interpolate(line.project(point)))[0]
    gap = max(float(np.hypot(*(spot - foot))), 0.1)
    return np.round(foot + (spot - foot) / gap * min(gap, 7.5), 2)
