# ruff: noqa: E501 - rows of tables are read whole
"""The polder country: a lattice of canals, lanes along their banks, dead-end spurs to the houses, field tracks."""

from __future__ import annotations

from dataclasses import dataclass, replace

import names
import numpy as np
import shapely
from frame import densified, generator, lines_of, offset, parse, polygons_of
from linework import Barriers, Street, clipped, cut_at, lengths_along, thinned
from outlines import LAKE_CENTRE, Outlines
from streets import lattice, runs

CANAL_SPACING_M = (330.0, 410.0)  # canals of the area lie roughly 250 to 500 m apart
CANAL_ANGLE_DEG = -7.0
BANK_M = 13.0  # from the water's edge to the middle of the lane
WIDE_M = 18.0  # a canal at least this wide is also mapped as a polygon

# Rivers that run through town and country alike: width | chinese | english | corners.
_RIVERS = """
95|大治河|Dazhi River|121.690,31.0135 121.760,31.0115 121.800,31.0140 121.850,31.0165 121.905,31.0175 121.931,31.0210
42|泐马河|Lema River|121.8655,31.014 121.861,30.985 121.8570,30.945 121.861,30.928 121.8720,30.9080 121.864,30.880 121.8665,30.849
36|随塘河|Suitang River|121.907,31.017 121.9045,30.985 121.9005,30.950 121.8920,30.925 121.8740,30.9000 121.850,30.888 121.8150,30.8820 121.770,30.8770 121.730,30.873
32|芦潮引河|Luchao Canal|121.846,30.956 121.8440,30.930 121.8440,30.905 121.8400,30.880 121.837,30.8440
38|中港|Zhong Gang|121.7830,31.000 121.7835,30.970 121.7640,30.940 121.7660,30.900 121.7610,30.8480
30|四灶港|Sizao Gang|121.690,30.9440 121.735,30.9420 121.780,30.9420 121.830,30.9420 121.8580,30.9410
34|薛家泓港|Xuejiahong Gang|121.790,31.0900 121.8180,31.0930 121.850,31.0910 121.884,31.0890
"""
_RING_CANAL = ("秋涟河", "Qiulian River", 3250.0, 28.0, 100.0, 262.0)


@dataclass(frozen=True)
class Canal:
    """A watercourse: its middle line in metres, its width, its names if it has any."""

    xy: np.ndarray
    width_m: float
    tags: dict[str, str]

    @property
    def shape(self) -> shapely.Polygon:
        """Return the water surface."""
        return shapely.LineString(self.xy).buffer(self.width_m / 2, cap_style="flat", join_style="mitre", quad_segs=2)


def rivers(outlines: Outlines) -> list[Canal]:
    """Return the named rivers and the ring canal of the lake city."""
    out: list[Canal] = []
    dry = outlines.land
    for row in _RIVERS.strip().splitlines():
        width, chinese, english, corners = row.split("|")
        line = shapely.LineString(densified(parse(corners), 220)).intersection(dry)
        tags = {"waterway": "river", **names.named(chinese, english)}
        out += [Canal(_wavy(shapely.get_coordinates(part), chinese), float(width), tags) for part in lines_of(line)]
    chinese, english, radius, width, start, end = _RING_CANAL
    angle = np.deg2rad(np.linspace(start, end, 90))
    circle = np.round(LAKE_CENTRE + radius * np.column_stack([np.cos(angle), np.sin(angle)]), 2)
    out.append(Canal(circle, width, {"waterway": "canal", **names.named(chinese, english)}))
    return out


def _wavy(xy: np.ndarray, label: str) -> np.ndarray:
    random = generator(f"river {label}")
    return np.round(xy + (random.random(xy.shape) - 0.5) * 26, 2)


def _persistent(random: np.random.Generator, count: int, stay: float, share: float) -> np.ndarray:
    """Draw on/off values that come in runs: the chance to be on is ``share``, to keep the last state ``stay``."""
    on = np.empty(count, dtype=bool)
    state = random.random() < share
    for index in range(count):
        if random.random() > stay:
            state = random.random() < share
        on[index] = state
    return on


def polders(
    outlines: Outlines, fields: shapely.Geometry, great: list[Canal], main: list[Street]
) -> tuple[list[Canal], list[Street], list[shapely.Polygon]]:
    """Return the small canals, the lanes along them and the fields between, on the ground that is neither town nor water."""
    random = generator("polders")
    points = _swayed(lattice(outlines.land, CANAL_ANGLE_DEG, CANAL_SPACING_M, random, 0.24))
    zone = shapely.union_all([outlines.zones["nanhui-new-city"], outlines.zones["airport-south"]])
    shapely.prepare(zone)
    canals: list[Street] = []
    lanes: list[Street] = []
    lane_number = 0
    for axis in (0, 1):
        rows = points if axis == 0 else points.swapaxes(0, 1)
        for row in rows:
            width = float(8 + 10 * random.random() ** 2 + 14 * (random.random() < 0.14))
            wet = _persistent(random, len(row) - 1, 0.75, 0.82)
            canals += [Street(densified(part, 200), {"width": f"{width:.0f}"}) for part in runs(row, wet)]
            village_road = random.random() < 0.5
            for side in (1, -1):
                lane_number += 1
                greater = village_road and side == 1
                share = 0.9 if greater else 0.52 if side == 1 else 0.4
                kept = _persistent(random, len(row) - 1, 0.6, share)
                here = shapely.contains_xy(zone, *((row[1:] + row[:-1]) / 2).T)
                kept &= here | (random.random(len(kept)) < (0.75 if greater else 0.3))
                tags = _lane_tags(random, lane_number, greater=greater)
                bank = offset(row, side * (width / 2 + BANK_M + 4 * random.random()))
                bank = bank + (random.random(bank.shape) - 0.5) * 5
                lanes += [
                    Street(
                        _bent(part, random),
                        tags,
                        0.85 if greater else 0.42,
                        0.35 if greater else 0.04,
                        float(side),
                        1.0,
                    )
                    for part in runs(bank, kept)
                ]
    great_water = shapely.union_all([canal.shape for canal in great])
    inside = fields.buffer(-14).difference(great_water.buffer(-2))
    dry_lines = thinned(clipped(canals, inside, 60.0), main, 26.0, 110.0)
    small = [
        Canal(
            street.xy,
            float(street.tags["width"]),
            {"waterway": "canal" if float(street.tags["width"]) > 13 else "stream"},
        )
        for street in dry_lines
    ]
    lanes = clipped(lanes, fields.buffer(6).difference(great_water.buffer(8)), 25.0)
    lanes = thinned(lanes, main, 16.0, 60.0)
    banks = [
        Street(
            offset(canal.xy, side * (canal.width_m / 2 + 16)), {"highway": "unclassified"}, 0.6, 0.3, float(side), 1.0
        )
        for canal in great
        for side in (1, -1)
    ]
    banks = [
        replace(street, tags={"highway": "unclassified" if random.random() < 0.5 else "footway"}) for street in banks
    ]
    banks = clipped(banks, fields.buffer(6), 60.0)
    return small, lanes + thinned(banks, [*main, *lanes], 14.0, 60.0), _farmland(points, inside, main, random)


def _farmland(
    points: np.ndarray, ground: shapely.Geometry, main: list[Street], random: np.random.Generator
) -> list[shapely.Polygon]:
    """Return the middles of some lattice cells as fields, clear of lanes and main roads."""
    corners = np.stack([points[:-1, :-1], points[1:, :-1], points[1:, 1:], points[:-1, 1:]], axis=2).reshape(-1, 4, 2)
    chosen = random.random(len(corners)) < 0.45
    cells = shapely.buffer(shapely.polygons(corners[chosen]), -58.0, join_style="mitre")
    roads = shapely.union_all([shapely.LineString(road.xy).buffer(16, quad_segs=1) for road in main])
    shapely.prepare(ground)
    shapely.prepare(roads)
    good = shapely.contains(ground, cells) & ~shapely.intersects(roads, cells) & (shapely.area(cells) > 9000)
    return [shapely.set_precision(cell, 0.01) for cell in cells[good].tolist() if cell.geom_type == "Polygon"]


def _swayed(points: np.ndarray) -> np.ndarray:
    """Bend the lattice over kilometres, as polders won from the sea at different times do not line up."""
    x, y = points[..., 0], points[..., 1]
    along = 430 * np.sin(y / 2300.0 + 0.9 * np.sin(x / 4100.0)) + 150 * np.sin(y / 880.0 + x / 1500.0)
    up = 470 * np.sin(x / 2500.0 + 1.1 * np.sin(y / 3700.0)) + 150 * np.sin(x / 930.0 - y / 1700.0)
    return np.round(points + np.stack([along, up], axis=-1), 2)


def _bent(xy: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Give a straight lane the small bends of a bank."""
    dense = densified(xy, 130)
    dense[1:-1] += (random.random((len(dense) - 2, 2)) - 0.5) * 6
    return np.round(dense, 2)


def _lane_tags(random: np.random.Generator, number: int, *, greater: bool) -> dict[str, str]:
    if greater:
        tags = {"highway": "unclassified" if random.random() < 0.6 else "residential"}
        if random.random() < 0.7:
            tags |= names.named(*names.street(number % 420 + 60))
        return tags | ({"surface": "concrete", "width": "5"} if random.random() < 0.4 else {})
    kind = random.random()
    if kind < 0.42:
        return {"highway": "residential"}
    if kind < 0.62:
        return {"highway": "service"}
    if kind < 0.78:
        return {"highway": "track", "tracktype": "grade2", "surface": "compacted"}
    return {"highway": "footway"} if kind < 0.93 else {"highway": "path"}


def water_barriers(outlines: Outlines, canals: list[Canal], motorways: list[Street]) -> Barriers:
    """Return everything a street cannot simply cross."""
    shapes = [canal.shape for canal in canals]
    kinds = ["water"] * len(shapes)
    for road in motorways:
        for part in range(0, len(road.xy) - 1, 4):
            shapes.append(shapely.LineString(road.xy[part : part + 5]).buffer(17, cap_style="flat"))
            kinds.append("road")
    shapes += [outlines.lake, *polygons_of(outlines.sea)]
    kinds += ["solid"] * (len(shapes) - len(kinds))
    return Barriers(np.array(shapes), kinds)


def hamlets(lanes: list[Street], towns: np.ndarray, zone: shapely.Geometry) -> list[Street]:
    """Say how thickly houses stand along each lane: thicker near towns, thin beyond the zone, in clusters."""
    random = generator("hamlets")
    shapely.prepare(zone)
    out: list[Street] = []
    for lane in lanes:
        if lane.homes == 0 or lane.tags.get("bridge") or lane.tags.get("tunnel"):
            out.append(lane)
            continue
        middle = lane.xy[len(lane.xy) // 2]
        near = np.exp(-np.hypot(*(towns - middle).T).min() / 3500.0)
        cluster = 0.5 + 0.5 * np.sin(middle[0] / 610.0 + 1.3 * np.sin(middle[1] / 840.0)) * np.sin(middle[1] / 530.0)
        homes = 0.25 + 0.55 * cluster + 0.35 * near
        homes *= 1.0 if shapely.contains_xy(zone, *middle) else 0.35
        homes *= 0.3 if lane.tags["highway"] in ("track", "path") else 1.0
        homes = 0.0 if random.random() < 0.22 else min(homes, 0.95)
        out.append(replace(lane, homes=float(homes)))
    return out


SPUR_GAP_M = (38.0, 48.0)  # least gap between the paths to houses behind a lane, and its spread


def spurs(lanes: list[Street], barriers: Barriers, fields: shapely.Geometry) -> list[Street]:
    """Add the dead-end paths from the lanes to houses behind them, and the tracks into the fields."""
    random = generator("spurs")
    out: list[Street] = []
    for lane in lanes:
        if lane.homes <= 0 or lane.away == 0:
            continue
        along = lengths_along(lane.xy)
        place = 25 + 60 * random.random()
        while place < along[-1] - 18:
            housing = random.random() < lane.homes
            field_track = not housing and random.random() < 0.25
            if housing or field_track:
                here = np.array([np.interp(place, along, lane.xy[:, axis]) for axis in (0, 1)])
                ahead = np.array([np.interp(min(place + 3, along[-1]), along, lane.xy[:, axis]) for axis in (0, 1)])
                run = (ahead - here) / max(np.hypot(*(ahead - here)), 1e-9)
                normal = np.array([-run[1], run[0]]) * lane.away
                lean = run * (random.random() - 0.5) * 0.5
                reach = 34 + 62 * random.random() if housing else 90 + 130 * random.random()
                tip = here + (normal + lean) * reach
                if housing and random.random() < 0.45:
                    turn = run * (1 if random.random() < 0.5 else -1) * (25 + 30 * random.random())
                    line = np.array([here, tip, tip + turn])
                else:
                    line = np.array([here, (here + tip) / 2 + run * (random.random() - 0.5) * 8, tip])
                tags = _spur_tags(random) if housing else {"highway": "track" if random.random() < 0.7 else "path"}
                out.append(Street(np.round(line, 2), tags, 0.0, 0.0, 1.0 if housing else 0.0, 0.9 if housing else 0.0))
            place += SPUR_GAP_M[0] + SPUR_GAP_M[1] * random.random()
    starts = [street.xy[0] for street in out]
    pieces = cut_at(clipped_from_start(out, fields), barriers, random)
    first = {tuple(point) for point in starts}
    return [piece for piece in pieces if tuple(piece.xy[0]) in first and lengths_along(piece.xy)[-1] > 12]


def clipped_from_start(streets: list[Street], area: shapely.Geometry) -> list[Street]:
    """Drop streets whose tip leaves an area."""
    shapely.prepare(area)
    tips = np.array([street.xy[-1] for street in streets])
    inside = shapely.contains_xy(area, tips[:, 0], tips[:, 1])
    return [street for street, keep in zip(streets, inside.tolist(), strict=True) if keep]


def _spur_tags(random: np.random.Generator) -> dict[str, str]:
    kind = random.random()
    if kind < 0.5:
        return {"highway": "footway"}
    if kind < 0.75:
        return {"highway": "service"} | ({"service": "driveway"} if random.random() < 0.3 else {})
    if kind < 0.82:
        return {"highway": "service", "service": "driveway", "access": "private"}
    return {"highway": "path"} if kind < 0.92 else {"highway": "residential"}
