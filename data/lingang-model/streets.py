# ruff: noqa: E501 - rows of tables are read whole
"""Streets of towns and new city: main roads, rings and radials of the lake city, warped grids of the districts."""

from __future__ import annotations

from dataclasses import dataclass, replace

import names
import numpy as np
import shapely
from frame import densified, generator, offset, parse, polygon, polygons_of, turned, united
from linework import Street, clipped, lengths_along, thinned
from outlines import LAKE_CENTRE, Outlines

# Rings in metres from the lake's centre. 2.1 km for the third ring and 4.1 km for Hucheng Ring Road come from bus polylines.
RINGS = {"一": 1450.0, "二": 1790.0, "三": 2150.0}
RING_EN = {"一": "1st", "二": "2nd", "三": "3rd"}
HUCHENG_RING_M = 4100.0
MIDDLE_RINGS_M = (2560.0, 2990.0, 3530.0)
QUARTERS = {"东": (-45, 45, "East"), "北": (45, 135, "North"), "西": (135, 225, "West"), "南": (225, 315, "South")}
# Radials by bearing (degrees, anticlockwise from east); the names are those of the sources, the bearings fit their known points.
RADIALS = {
    112.5: ("环湖北支路", "Huhu North Branch Road"),
    127.5: ("临港大道", "Lingang Avenue"),
    142.5: ("银飞路", "Yinfei Road"),
    157.5: ("方竹路", "Fangzhu Road"),
    172.5: ("申港大道", "Shengang Avenue"),
    187.5: ("竹柏路", "Zhubai Road"),
    202.5: ("花柏路", "Huabai Road"),
    67.5: ("银佰路", "Yinbai Road"),
    97.5: ("滨港大道", "Bingang Avenue"),
}

# Line: highway class | chinese | english | corners. ``@bearing,radius`` counts from the lake's centre.
_MAIN = """
motorway|沪芦高速|Hulu Expressway|121.735,31.040 121.775,30.985 121.795,30.948 121.822,30.9125 121.852,30.8985 121.878,30.885 121.899,30.868 121.9097,30.8570
trunk|两港大道|Lianggang Avenue|121.912,31.034 121.9025,31.010 121.897,30.985 121.8915,30.955 121.8865,30.925 121.868,30.9035 121.845,30.893 121.812,30.8855 121.770,30.8815 121.730,30.877 121.660,30.8705
primary|临港大道|Lingang Avenue|@127.5,4100 121.8985,30.9335 121.883,30.945 121.860,30.956 121.830,30.968 121.797,30.9745 121.760,30.984 121.715,30.989
primary|申港大道|Shengang Avenue|@172.5,4100 121.885,30.9065 121.862,30.9145 121.830,30.924 121.790,30.930 121.735,30.930 121.690,30.929
secondary|平霄路|Pingxiao Road|121.762,30.8585 121.800,30.8600 121.842,30.8630 121.870,30.8625 121.896,30.8640
secondary|海港大道|Haigang Avenue|121.889,30.8600 121.8835,30.880 121.8825,30.9000 121.8855,30.925 121.899,30.945 121.912,30.962 121.918,31.000 121.915,31.030
secondary|东大公路|Dongda Highway|121.853,31.025 121.8515,30.985 121.848,30.945 121.8535,30.916 121.8475,30.885 121.8445,30.858
secondary|三三公路|Sansan Highway|121.700,31.0050 121.760,31.0020 121.800,31.0030 121.850,31.0090 121.900,31.0085 121.928,31.0060
secondary|老芦公路|Laolu Highway|121.800,31.020 121.806,30.990 121.8045,30.960 121.809,30.930 121.815,30.9000 121.8255,30.877 121.842,30.866
secondary|新四平公路|Xinsiping Highway|121.742,31.005 121.7405,30.960 121.7375,30.928 121.741,30.895 121.738,30.868
secondary|平安公路|Pingan Highway|121.695,30.955 121.738,30.952 121.780,30.9475 121.806,30.947 121.848,30.948 121.8915,30.955 121.9160,30.9590
secondary|泥城路|Nicheng Road|121.8600,30.889 121.8615,30.905 121.8605,30.922 121.852,30.938 121.8490,30.960
secondary|彩云路|Caiyun Road|121.815,30.9115 121.842,30.9095 121.868,30.9095 121.8828,30.9035
secondary|万水路|Wanshui Road|121.770,30.962 121.796,30.964 121.8250,30.9620 121.849,30.9635 121.8720,30.972 121.9020,30.9720
secondary|江山路|Jiangshan Road|121.772,30.8715 121.800,30.8735 121.8300,30.8765 121.8560,30.8780 121.8835,30.8790
secondary|同汇路|Tonghui Road|121.790,30.8600 121.7895,30.8820 121.793,30.905 121.7905,30.9300
secondary|海事大道|Maritime Avenue|121.8835,30.8790 121.8975,30.8790 121.9060,30.8725
tertiary|果园路|Guoyuan Road|121.8330,30.8615 121.8355,30.8850 121.836,30.9100 121.833,30.9280 121.833,30.960 121.838,30.980 121.830,31.005
tertiary|书院路|Shuyuan Road|121.8150,30.9840 121.838,30.9790 121.866,30.9830 121.8950,30.9850 121.9360,30.9830
tertiary|人民塘路|Renmintang Road|121.8720,31.0080 121.8690,30.975 121.8660,30.945 121.8700,30.920
tertiary|团芦公路|Tuanlu Highway|121.7050,30.9050 121.740,30.9080 121.770,30.9050 121.7930,30.905 121.815,30.9000
tertiary|邵靖路|Shaojing Road|121.6900,30.8900 121.7405,30.8920 121.771,30.8915
tertiary|世纪塘路|Century Dyke Road|121.702,30.8615 121.765,30.8500 121.819,30.8480 121.835,30.8470 121.848,30.8517 121.886,30.8500 121.9720,30.8860 121.9735,30.9210 121.9395,30.9995 121.924,31.027
primary|机场南路|Airport South Road|121.790,31.0835 121.812,31.0855 121.840,31.0840 121.868,31.0860 121.882,31.0830
secondary|祝桥南路|Zhuqiao South Road|121.817,31.050 121.8190,31.075 121.8230,31.1000 121.826,31.130
secondary|物流大道|Logistics Avenue|121.852,31.052 121.8500,31.075 121.848,31.1000 121.842,31.130
tertiary|施湾路|Shiwan Road|121.7950,31.1000 121.823,31.1000 121.8480,31.0995 121.8750,31.0990
tertiary|江镇路|Jiangzhen Road|121.7950,31.0690 121.8190,31.0700 121.8500,31.0690 121.8760,31.0710
secondary|港区大道|Port Avenue|122.0260,30.6495 122.0420,30.6425 122.0620,30.6320 122.0790,30.6245 122.0865,30.6235
tertiary|洋山路|Yangshan Road|122.0260,30.6495 122.0330,30.6520 122.0450,30.6500 122.0560,30.6455 122.0660,30.6385 122.0790,30.6300 122.0865,30.6235
"""
DONGHAI_BRIDGE = "121.9097,30.8570 121.9180,30.8420 121.9400,30.8000 121.9850,30.7300 122.0230,30.6750 122.0258,30.6500"


@dataclass(frozen=True)
class District:
    """A built-up area with one pattern of streets; lengths in metres, ``built`` is the share of lots in use."""

    key: str
    shape: shapely.Geometry
    pattern: str
    angle_deg: float
    spacing_m: tuple[float, float]
    built: float


# key | pattern | angle | spacing across, along | built share | corners
_DISTRICTS = """
luchaogang|town|6|150,210|0.95|121.8385,30.8650 121.8585,30.8655 121.8590,30.8785 121.8395,30.8790
nicheng|town|-12|155,210|0.95|121.8490,30.9130 121.8600,30.9100 121.8690,30.9120 121.8680,30.9230 121.8580,30.9250 121.8500,30.9225
shuyuan|town|9|140,200|0.95|121.8310,30.9705 121.8450,30.9700 121.8470,30.9820 121.8340,30.9830
wanxiang|town|-7|145,200|0.95|121.7930,30.9570 121.8080,30.9570 121.8085,30.9690 121.7940,30.9700
pingan|town|4|150,210|0.95|121.7360,30.9230 121.7510,30.9225 121.7515,30.9360 121.7370,30.9365
dongchang|town|15|150,190|0.9|121.7895,30.8605 121.7985,30.8610 121.7980,30.8670 121.7900,30.8665
shiwan|town|-9|140,190|0.95|121.8120,31.0780 121.8270,31.0780 121.8270,31.0900 121.8130,31.0905
university|campus|8|520,640|0.9|121.8835,30.8660 121.9000,30.8690 121.9020,30.8800 121.8990,30.9020 121.8835,30.9040
nicheng-new|superblock|-10|380,420|0.7|121.8360,30.9110 121.8495,30.9110 121.8500,30.9235 121.8580,30.9260 121.8560,30.9390 121.8370,30.9360
shuyuan-station|superblock|6|360,420|0.55|121.8430,30.9500 121.8580,30.9500 121.8585,30.9660 121.8440,30.9660
shengang-west|superblock|12|380,430|0.8|121.8690,30.8970 121.8835,30.8990 121.8850,30.9180 121.8720,30.9150
ocean-park|business|7|330,420|0.6|121.8730,30.8670 121.8835,30.8670 121.8830,30.8830 121.8740,30.8850
innovation|business|-6|340,420|0.6|121.8160,30.9650 121.8330,30.9640 121.8340,30.9780 121.8170,30.9790
eco-wisdom|superblock|-14|420,480|0.2|121.9080,30.9640 121.9330,30.9650 121.9270,30.9920 121.9100,30.9920
frontier|industry|-8|470,560|0.75|121.8610,30.9330 121.8850,30.9300 121.8890,30.9520 121.8640,30.9540
equipment|industry|3|480,600|0.85|121.7740,30.8740 121.8270,30.8780 121.8300,30.8870 121.8120,30.9000 121.7750,30.8980
heavy|industry|1|560,680|0.85|121.7680,30.8500 121.8330,30.8490 121.8330,30.8720 121.8000,30.8720 121.7680,30.8690
logistics|industry|-3|460,560|0.8|121.8570,30.8530 121.8800,30.8530 121.8860,30.8620 121.8590,30.8640
haigang-zone|industry|4|480,560|0.75|121.7330,30.8850 121.7620,30.8850 121.7620,30.9060 121.7340,30.9070
airport-logistics|industry|-3|470,560|0.7|121.8320,31.0720 121.8660,31.0710 121.8640,31.0990 121.8330,31.1000
"""


def from_lake(bearing_deg: float, radius_m: float) -> np.ndarray:
    """Return the point at a bearing (anticlockwise from east) and distance from the lake's centre."""
    angle = np.deg2rad(bearing_deg)
    return np.round(LAKE_CENTRE + radius_m * np.array([np.cos(angle), np.sin(angle)]), 2)


def _corners(text: str) -> np.ndarray:
    return np.array(
        [
            from_lake(*map(float, pair[1:].split(","))) if pair.startswith("@") else parse(pair)[0]
            for pair in text.split()
        ]
    )


def _curve(xy: np.ndarray) -> np.ndarray:
    """Round the corners of a hand-drawn line, twice by Chaikin's rule, keeping its ends."""
    for _ in range(2):
        quarter = xy[:-1] * 0.75 + xy[1:] * 0.25
        three = xy[:-1] * 0.25 + xy[1:] * 0.75
        inner = np.stack([quarter, three], axis=1).reshape(-1, 2)
        xy = np.vstack([xy[:1], inner[1:-1], xy[-1:]])
    return np.round(xy, 2)


MAIN_EXTRA = {
    "motorway": {"lanes": "3", "oneway": "no", "maxspeed": "100", "ref": "S2"},
    "trunk": {"lanes": "6", "surface": "asphalt", "lit": "yes", "sidewalk": "separate", "cycleway": "separate"},
    "primary": {"lanes": "6", "surface": "asphalt", "lit": "yes"},
    "secondary": {"lanes": "4", "surface": "asphalt"},
    "tertiary": {"lanes": "2"},
}


def main_roads(outlines: Outlines) -> list[Street]:
    """Draw the named main roads, the motorways and the Donghai Bridge."""
    roads: list[Street] = []
    for row in _MAIN.strip().splitlines():
        highway, chinese, english, corners = row.split("|")
        tags = {"highway": highway, **names.named(chinese, english), **MAIN_EXTRA[highway]}
        roads.append(Street(xy=_curve(_corners(corners)), tags=tags, over_water=1.0, over_road=1.0))
    # Foot traffic on the trunk road is banned where separate paths run beside it.
    roads = [
        replace(road, tags=road.tags | {"foot": "no"}) if road.tags["highway"] == "trunk" else road for road in roads
    ]
    west = outlines.motorway_west
    west = np.vstack([west[:1] + np.array([300, 3500]), west, west[-1:] - np.array([200, 3000])])
    ring = {"highway": "motorway", **names.named("绕城高速", "Shanghai Ring Expressway"), "ref": "G1503", "lanes": "3"}
    roads.append(Street(xy=_curve(west), tags=ring, over_water=1.0, over_road=1.0))
    return roads


def donghai_bridge() -> Street:
    """Draw the bridge to the island: a motorway on a bridge all the way, closed to walkers."""
    tags = {
        "highway": "motorway",
        **names.named("东海大桥", "Donghai Bridge"),
        "bridge": "yes",
        "layer": "2",
        "ref": "S2",
        "foot": "no",
    }
    return Street(xy=_curve(parse(DONGHAI_BRIDGE)), tags=tags)


def _arc(start_deg: float, end_deg: float, radius_m: float) -> np.ndarray:
    steps = max(3, round(abs(end_deg - start_deg) * np.pi / 180 * radius_m / 95) + 1)
    angle = np.deg2rad(np.linspace(start_deg, end_deg, steps))
    return np.round(LAKE_CENTRE + radius_m * np.column_stack([np.cos(angle), np.sin(angle)]), 2)


def lake_city(outlines: Outlines) -> tuple[list[Street], shapely.Geometry]:
    """Draw rings and radials round Dishui Lake and return them with the ground they divide."""
    random = generator("lake city")
    dry = outlines.land.buffer(-140)
    streets: list[Street] = []
    for ring, radius in RINGS.items():
        for quarter, (start, end, english) in QUARTERS.items():
            highway = "secondary" if ring == "三" else "tertiary"
            tags = {
                "highway": highway,
                **names.named(f"环湖{quarter}{ring}路", f"Huanhu {english} {RING_EN[ring]} Road"),
            }
            streets.append(Street(_arc(start, end, radius), tags | MAIN_EXTRA[highway] | {"lit": "yes"}, 1.0, 1.0))
    hucheng = {"highway": "primary", **names.named("沪城环路", "Hucheng Ring Road"), **MAIN_EXTRA["primary"]}
    streets += [Street(_arc(start, start + 30, HUCHENG_RING_M), hucheng, 1.0, 1.0) for start in range(0, 360, 30)]
    for number, radius in enumerate(MIDDLE_RINGS_M):
        for start in range(0, 360, 15):
            east = start < 105 or start >= 255
            if random.random() < (0.25 if east else 0.08):
                continue
            chinese, english = (
                names.LAKE[(number * 2 + start // 60) % len(names.LAKE)] if start < 300 else names.PLANTS[start // 15]
            )
            tags = {
                "highway": "tertiary" if number != 1 else "residential",
                **names.named(chinese + "路", english + " Road"),
            }
            streets.append(
                Street(
                    _arc(start + 0.0, start + 15.0, radius + (random.random() - 0.5) * 40 * (number == 1)),
                    tags,
                    0.9,
                    0.0,
                )
            )
    for number in range(24):
        bearing = 7.5 + 15 * number
        chinese, english = RADIALS.get(bearing, names.street(number))
        highway = "primary" if bearing in (127.5, 172.5) else "secondary" if bearing in RADIALS else "tertiary"
        tags = {"highway": highway, **names.named(chinese, english), **MAIN_EXTRA[highway]}
        radii = np.linspace(RINGS["一"], HUCHENG_RING_M, 12)
        streets.append(Street(np.array([from_lake(bearing, radius) for radius in radii]), tags, 1.0, 1.0))
        chinese, english = names.PLANTS[(number + 7) % len(names.PLANTS)]
        inner = RINGS["三"] if random.random() < 0.6 else MIDDLE_RINGS_M[0]
        lean = (random.random() - 0.5) * 3
        line = [
            from_lake(bearing + 7.5 + lean * (radius - inner) / 2000, radius)
            for radius in np.linspace(inner, HUCHENG_RING_M, 9)
        ]
        streets.append(
            Street(
                np.array(line),
                {"highway": "residential", **names.named(chinese + "支路", english + " Branch Road")},
                0.8,
                0.0,
            )
        )
    ground = LAKE_CENTRE_SHAPE.buffer(HUCHENG_RING_M + 5, quad_segs=48).difference(
        LAKE_CENTRE_SHAPE.buffer(RINGS["一"] - 15, quad_segs=48)
    )
    return clipped(streets, dry), ground.intersection(dry)


LAKE_CENTRE_SHAPE = shapely.Point(LAKE_CENTRE)


def lattice(
    shape: shapely.Geometry,
    angle_deg: float,
    spacing_m: tuple[float, float],
    random: np.random.Generator,
    unrest: float,
) -> np.ndarray:
    """Return a warped lattice of points covering a shape: an array (columns, rows, 2) in metres."""
    centre = shapely.get_coordinates(shape.envelope.centroid)[0]
    local = turned(shapely.get_coordinates(shape) - centre, -angle_deg)
    low, high = local.min(axis=0) - spacing_m, local.max(axis=0) + spacing_m
    axes = []
    for axis in (0, 1):
        steps = spacing_m[axis] * (
            0.7 + 0.6 * random.random(int((high[axis] - low[axis]) / spacing_m[axis] / 0.85) + 4)
        )
        axes.append(low[axis] + np.concatenate([[0.0], np.cumsum(steps)]))
    axes = [axis[axis < end + spacing] for axis, end, spacing in zip(axes, high, spacing_m, strict=True)]
    u, v = np.meshgrid(*axes, indexing="ij")
    size = max(spacing_m)
    phase = random.random(4) * 6.28
    wave_u = np.sin(v / (size * 7) + phase[0]) + 0.6 * np.sin(v / (size * 2.9) + phase[1])
    wave_v = np.sin(u / (size * 6) + phase[2]) + 0.6 * np.sin(u / (size * 3.3) + phase[3])
    noise = (random.random((*u.shape, 2)) - 0.5) * unrest
    u = u + wave_u * size * unrest + noise[..., 0] * spacing_m[0]
    v = v + wave_v * size * unrest + noise[..., 1] * spacing_m[1]
    flat = turned(np.column_stack([u.ravel(), v.ravel()]), angle_deg) + centre
    return np.round(flat.reshape(*u.shape, 2), 2)


def runs(points: np.ndarray, keep: np.ndarray) -> list[np.ndarray]:
    """Split a line of lattice points into its kept stretches."""
    out, start = [], 0
    for index in range(len(keep) + 1):
        if index == len(keep) or not keep[index]:
            if index > start:
                out.append(points[start : index + 1])
            start = index + 1
    return out


# pattern: class of the lines across and along, share of missing links, unrest
_PATTERNS = {
    "town": ("residential", 0.16, 0.16),
    "superblock": ("tertiary", 0.05, 0.06),
    "campus": ("tertiary", 0.05, 0.05),
    "business": ("tertiary", 0.06, 0.05),
    "industry": ("tertiary", 0.07, 0.04),
}


def districts(outlines: Outlines, lake_ground: shapely.Geometry) -> list[District]:
    """Return the built-up districts, made disjoint in the order of the table, the lake city first."""
    out = [District("lake-city", lake_ground, "superblock", 0.0, (400.0, 430.0), 0.6)]
    taken = LAKE_CENTRE_SHAPE.buffer(HUCHENG_RING_M + 5, quad_segs=48)
    dry = outlines.land.buffer(-90)
    for row in _DISTRICTS.strip().splitlines():
        key, pattern, angle, spacing, built, corners = row.split("|")
        shape = _uneven(polygon(corners), key).difference(taken).intersection(dry)
        shape = polygons_of(shape.buffer(-25).buffer(25))[0].simplify(4)
        across, along = (float(value) for value in spacing.split(","))
        out.append(District(key, shape, pattern, float(angle), (across, along), float(built)))
        taken = united([taken, shape.buffer(1)])
    port = polygon(
        "122.0275,30.6500 122.0420,30.6438 122.0620,30.6333 122.0790,30.6256 122.0850,30.6232 122.0780,30.6210 122.0620,30.6290 122.0430,30.6375"
    )
    out.append(District("port", port.intersection(outlines.island.buffer(-40)), "industry", -28.0, (420.0, 300.0), 0.9))
    return out


def _uneven(shape: shapely.Geometry, key: str) -> shapely.Geometry:
    """Bend the straight edges of a district, as towns grow field by field."""
    random = generator(f"edge {key}")
    ring = densified(shapely.get_coordinates(shape.exterior), 330)[:-1]
    return shapely.make_valid(shapely.Polygon(np.round(ring + (random.random(ring.shape) - 0.5) * 210, 2)))


def district_streets(district: District, main: list[Street], start_name: int) -> list[Street]:
    """Fill one district with its grid and the streets along its edge."""
    random = generator(f"district {district.key}")
    highway, missing, unrest = _PATTERNS[district.pattern]
    points = lattice(district.shape, district.angle_deg, district.spacing_m, random, unrest)
    number = start_name
    streets: list[Street] = []
    for axis in (0, 1):
        rows = points if axis == 0 else points.swapaxes(0, 1)
        for row in rows:
            keep = random.random(len(row) - 1) > missing
            number += 1
            road = highway if district.pattern != "town" or number % 3 else "tertiary"
            tags = {"highway": road, **names.named(*names.street(number))}
            if random.random() < 0.12 and road == "residential":
                tags["oneway"] = "yes"
            chance = 0.85 if district.pattern != "town" else 0.7
            streets += [Street(densified(part, 160), tags, chance, 0.0) for part in runs(row, keep)]
    streets = clipped(streets, district.shape.buffer(2))
    edge_tags = {"highway": "tertiary", **names.named(*names.street(number + 1))}
    for shape in shapely.get_parts(district.shape).tolist():
        ring = shapely.get_coordinates(shape.exterior)
        streets.append(Street(densified(ring, 160), edge_tags, 0.9, 0.0))
    return thinned(streets, main, 40.0, 150.0)


def back_lanes(district: District, streets: list[Street]) -> list[Street]:
    """Add the dead-end lanes of an old town, off its streets."""
    random = generator(f"lanes {district.key}")
    out: list[Street] = []
    for street in streets:
        along = lengths_along(street.xy)
        place = 35 + 40 * random.random()
        while place < along[-1] - 30:
            here = np.array([np.interp(place, along, street.xy[:, axis]) for axis in (0, 1)])
            ahead = np.array([np.interp(place + 2, along, street.xy[:, axis]) for axis in (0, 1)])
            direction = (ahead - here) / max(np.hypot(*(ahead - here)), 1e-9)
            side = 1 if random.random() < 0.5 else -1
            reach = 45 + 75 * random.random()
            normal = np.array([-direction[1], direction[0]]) * side + direction * (random.random() - 0.5) * 0.3
            bend = here + normal * reach * 0.6
            tip = bend + (normal + direction * (random.random() - 0.5) * 0.8) * reach * 0.4
            highway = ("service", "footway", "residential", "living_street")[int(random.random() * 4)]
            tags = {"highway": highway} | ({"service": "alley"} if highway == "service" else {})
            out.append(Street(np.round(np.array([here, bend, tip]), 2), tags))
            place += 80 + 110 * random.random()
    return clipped(out, district.shape.buffer(-5), 30.0)


def railway() -> tuple[Street, list[tuple[str, str, np.ndarray]]]:
    """Draw Line 16 and return it with its stations (Chinese, English, point)."""
    # Coordinates of the first two: published to 100 m. Shuyuan's is a model position on the line.
    stations = [
        ("滴水湖", "Dishui Lake", parse("121.9256,30.9098")[0]),
        ("临港大道", "Lingang Avenue", parse("121.9067,30.9259")[0]),
        ("书院", "Shuyuan", parse("121.8497,30.9592")[0]),
    ]
    line = parse(
        "121.9256,30.9098 121.9067,30.9259 121.8985,30.9345 121.883,30.9461 121.860,30.9570 121.8497,30.9592 121.830,30.9692 121.797,30.9757 121.760,30.9852"
    )
    tags = {
        "railway": "subway",
        **names.named("轨道交通16号线", "Metro Line 16"),
        "bridge": "yes",
        "layer": "3",
        "electrified": "rail",
    }
    return Street(densified(line, 250), tags), stations


def beside_paths(roads: list[Street]) -> tuple[list[Street], set[int]]:
    """Draw the separately mapped sidewalks and cycleways, and return them with the positions of their roads."""
    random = generator("sidewalks")
    out: list[Street] = []
    chosen: set[int] = set()
    for number, road in enumerate(roads):
        highway = road.tags["highway"]
        wanted = {"trunk": 1.0, "primary": 0.85, "secondary": 0.25}.get(highway, 0.0)
        if random.random() >= wanted:
            continue
        chosen.add(number)
        distance = 15.0 if highway == "trunk" else 12.0
        for side in (1, -1):
            cycle = highway == "trunk" and side == 1
            tags = (
                {"highway": "cycleway", "foot": "designated", "segregated": "yes"}
                if cycle
                else {"highway": "footway", "footway": "sidewalk"}
            )
            out.append(Street(offset(road.xy, distance * side), tags | {"surface": "paving_stones"}, 1.0, 1.0))
    return out, chosen
