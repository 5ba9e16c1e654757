"""What stands on the blocks between streets: gated compounds, campuses, works, parks, squares."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import names
import numpy as np
import shapely
from frame import generator, lines_of, polygons_of, turned, united
from linework import Street

if TYPE_CHECKING:
    from streets import District


@dataclass
class Content:
    """Everything drawn so far, in metres."""

    streets: list[Street] = field(default_factory=list)
    areas: list[tuple[shapely.Polygon, dict[str, str]]] = field(default_factory=list)
    walls: list[tuple[np.ndarray, dict[str, str]]] = field(default_factory=list)
    gates: list[tuple[np.ndarray, dict[str, str]]] = field(default_factory=list)
    nodes: list[tuple[np.ndarray, dict[str, str]]] = field(default_factory=list)
    boxes: list[np.ndarray] = field(default_factory=list)
    box_tags: list[dict[str, str]] = field(default_factory=list)
    estates: list[tuple[np.ndarray, tuple[str, str]]] = field(default_factory=list)


@dataclass(frozen=True)
class Lot:
    """A piece of a block: ``block`` is the whole block it was cut from."""

    shape: shapely.Polygon
    block: shapely.Polygon
    district: District


# pattern: inset from the street's middle, greatest lot area (m²)
_INSET_M = {"town": 8.0, "superblock": 21.0, "campus": 21.0, "business": 20.0, "industry": 20.0}
_LARGEST_LOT_M2 = {
    "town": 22_000.0,
    "superblock": 90_000.0,
    "campus": 330_000.0,
    "business": 70_000.0,
    "industry": 210_000.0,
}


def _halves(shape: shapely.Polygon, share: float) -> tuple[list[shapely.Polygon], shapely.LineString]:
    """Cut a polygon across its long side at a share of its length."""
    box = shapely.get_coordinates(shapely.minimum_rotated_rectangle(shape).exterior)
    sides = np.hypot(*np.diff(box, axis=0).T)
    if sides[0] < sides[1]:
        box = np.roll(box[:-1], -1, axis=0)
        box = np.vstack([box, box[:1]])
    a = box[0] + (box[1] - box[0]) * share
    b = box[3] + (box[2] - box[3]) * share
    run = (b - a) / max(np.hypot(*(b - a)), 1e-9)
    cut = shapely.LineString([a - run * 50, b + run * 50])
    return polygons_of(shape.difference(cut.buffer(6.0, cap_style="flat"))), cut


def blocks(district: District, streets: list[Street], water: shapely.Geometry) -> list[shapely.Polygon]:
    """Return the blocks of ground between the streets of a district."""
    lines = united([shapely.LineString(street.xy) for street in streets]).intersection(district.shape.buffer(3))
    net = united([lines, district.shape.boundary])
    faces = shapely.get_parts(shapely.polygonize(shapely.get_parts(net))).tolist()
    faces = [face for face in faces if district.shape.buffer(5).contains(face.representative_point())]
    dry: list[shapely.Polygon] = []
    for face in faces:
        dry += polygons_of(face.difference(water.buffer(9))) if face.intersects(water) else [face]
    return sorted(dry, key=lambda part: part.bounds)


def divide(district: District, faces: list[shapely.Polygon], content: Content) -> list[Lot]:
    """Cut blocks into lots; some of the cuts become alleys open to all."""
    random = generator(f"lots {district.key}")
    lots: list[Lot] = []
    for face in faces:
        inner = polygons_of(face.buffer(-_INSET_M[district.pattern], join_style="mitre").simplify(2.0))
        queue = inner[:1]
        while queue:
            shape = queue.pop()
            if shape.area > _LARGEST_LOT_M2[district.pattern] * (0.7 + 0.6 * random.random()):
                parts, cut = _halves(shape, 0.36 + 0.28 * random.random())
                queue += parts
                if random.random() < 0.4:
                    alley = cut.intersection(face)
                    tags = (
                        {"highway": "footway"} if random.random() < 0.7 else {"highway": "service", "service": "alley"}
                    )
                    content.streets += [
                        Street(np.round(shapely.get_coordinates(line), 2), tags) for line in lines_of(alley)
                    ]
            elif shape.area > 1500 and shape.area / shape.length > 9:
                lots.append(Lot(shape, face, district))
    return lots


def carve(lot: Lot, area_m2: float) -> tuple[Lot, list[Lot]]:
    """Cut a plot of about the wanted area off a lot, keeping street frontage, and return it with the rest."""
    shape, rest = lot.shape, []
    while shape.area > area_m2 * 1.45:
        parts, _ = _halves(shape, 0.5 if shape.area > 2.6 * area_m2 else min(0.5, area_m2 / shape.area))
        if len(parts) < 2:
            break
        edge = lot.block.exterior
        parts.sort(key=lambda part: (round(part.exterior.distance(edge) / 8), abs(part.area - area_m2)))
        shape = parts[0]
        rest += [Lot(part, lot.block, lot.district) for part in parts[1:] if part.area > 1500]
    return Lot(shape, lot.block, lot.district), rest


def rows(
    shape: shapely.Polygon,
    angle_deg: float,
    length_m: float,
    depth_m: float,
    gap_m: float,
    pitch_m: float,
    random: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray, list[shapely.LineString]]:
    """Stand boxes in rows inside a shape; return (n, 4, 2) corners, the row of each, and the lines between rows."""
    centre = shapely.get_coordinates(shape.centroid)[0]
    local = turned(shapely.get_coordinates(shape) - centre, -angle_deg)
    low, high = local.min(axis=0), local.max(axis=0)
    boxes, row_ix, lines = [], [], []
    y = low[1] + 2
    while y + depth_m < high[1]:
        x = low[0] + random.random() * length_m * 0.5
        while x + length_m * 0.6 < high[0]:
            length = length_m * (0.75 + 0.4 * random.random())
            depth = depth_m * (0.92 + 0.16 * random.random())
            boxes.append([[x, y], [x + length, y], [x + length, y + depth], [x, y + depth]])
            row_ix.append(len(lines))
            x += length + gap_m * (0.8 + 0.5 * random.random())
        middle = y + depth_m + (pitch_m - depth_m) / 2
        lines.append(
            shapely.LineString(np.round(turned([[low[0] - 5, middle], [high[0] + 5, middle]], angle_deg) + centre, 2))
        )
        y += pitch_m * (0.95 + 0.1 * random.random())
    if not boxes:
        return np.empty((0, 4, 2)), np.empty(0, dtype=np.int64), lines
    corners = np.round(turned(np.array(boxes).reshape(-1, 2), angle_deg) + centre, 2).reshape(-1, 4, 2)
    shapely.prepare(shape)
    inside = shapely.contains(shape, shapely.polygons(corners))
    return corners[inside], np.array(row_ix)[inside], lines


@dataclass(frozen=True)
class Style:
    """How a lot is laid out; lengths in metres."""

    box_m: tuple[float, float]
    gap_m: float
    pitch_m: float
    levels: tuple[int, int]
    ring: dict[str, str]
    path: dict[str, str]
    gates: int
    wall: dict[str, str] | None
    paths_kept: float = 0.8


PRIVATE_ROAD = {"highway": "service", "access": "private"}
WALL, FENCE = {"barrier": "wall"}, {"barrier": "fence"}
STYLES = {
    "slabs": Style(
        (46, 13),
        12,
        40,
        (5, 7),
        {"highway": "residential", "access": "private"},
        {"highway": "footway", "access": "private"},
        3,
        WALL,
    ),
    "towers": Style((34, 16), 24, 52, (11, 18), PRIVATE_ROAD, {"highway": "footway", "access": "private"}, 3, FENCE),
    "villas": Style(
        (22, 12),
        9,
        34,
        (2, 3),
        PRIVATE_ROAD,
        {"highway": "service", "service": "driveway", "access": "private"},
        2,
        WALL,
    ),
    "open": Style((44, 12), 12, 38, (5, 6), {"highway": "service"}, {"highway": "footway"}, 4, None),
    "oldrow": Style((16, 9), 3.5, 24, (2, 3), {"highway": "service"}, {"highway": "footway"}, 3, None, 0.75),
    "works": Style((95, 48), 22, 82, (1, 2), PRIVATE_ROAD, PRIVATE_ROAD, 2, WALL, 0.5),
    "depot": Style((130, 62), 26, 110, (1, 1), PRIVATE_ROAD, PRIVATE_ROAD, 2, FENCE, 0.6),
    "offices": Style((42, 22), 20, 56, (5, 14), {"highway": "service"}, {"highway": "footway"}, 4, None),
    "dorms": Style(
        (52, 14), 13, 38, (5, 7), {"highway": "service", "access": "private"}, {"highway": "footway"}, 2, FENCE
    ),
    "campus": Style((62, 20), 26, 78, (4, 8), {"highway": "service"}, {"highway": "footway"}, 5, FENCE),
    "school": Style(
        (48, 13),
        14,
        46,
        (3, 5),
        {"highway": "service", "access": "private"},
        {"highway": "footway", "access": "private"},
        2,
        WALL,
        0.4,
    ),
    "house": Style((36, 16), 10, 40, (2, 4), {"highway": "service"}, {"highway": "footway"}, 2, None, 0.3),
    "park": Style(
        (14, 9),
        160,
        120,
        (1, 1),
        {"highway": "footway", "surface": "paving_stones"},
        {"highway": "footway"},
        5,
        None,
        0.9,
    ),
}


def lay_out(  # noqa: C901 - a lot is drawn from the outside in
    lot: Lot,
    style_key: str,
    building: dict[str, str],
    area_tags: dict[str, str],
    content: Content,
    random: np.random.Generator,
    streets: shapely.STRtree,
) -> None:
    """Draw one lot: its area, wall, gates, inner ways and buildings."""
    style = STYLES[style_key]
    shape = lot.shape
    content.areas.append((shape, area_tags))
    small = shape.area < 6000
    if lot.district.pattern == "town" and style_key in ("open", "oldrow"):
        _lay_out_open(lot, style, building, content, random)
        return
    tight = small or lot.district.pattern == "town"
    ring_shape = polygons_of(shape.buffer(-(6.0 if tight else 10.0), join_style="mitre").simplify(1.5))
    if not ring_shape:
        return
    ring = ring_shape[0]
    angle = _long_angle(ring) if style_key in ("works", "depot", "house") else _south_angle(lot, random)
    core = polygons_of(ring.buffer(-(2.0 if small else 4.0 if tight else 6.0), join_style="mitre"))
    if core:
        boxes, row_ix, lines = rows(core[0], angle, *style.box_m, style.gap_m, style.pitch_m, random)
        if len(boxes) == 0:  # a small lot gets small buildings rather than none
            length, depth = style.box_m
            boxes, row_ix, lines = rows(
                core[0], angle, length * 0.5, depth * 0.75, style.gap_m * 0.7, style.pitch_m * 0.75, random
            )
        for box in boxes:
            levels = int(style.levels[0] + random.random() * (style.levels[1] - style.levels[0] + 1))
            content.boxes.append(box)
            content.box_tags.append(building | {"building:levels": str(levels)})
        kept = [random.random() < style.paths_kept and not small for _ in lines]
        inner = [line.intersection(ring) for line, keep in zip(lines, kept, strict=True) if keep]
        if style_key in _WITH_DOORS:
            content.streets += _door_paths(boxes, row_ix, lines, kept, style, random)
        if ring.area > 9000:
            inner += [_axis(ring, angle).intersection(ring)]
        for line in inner:
            for part in lines_of(line):
                if part.length > 25:
                    content.streets.append(Street(np.round(shapely.get_coordinates(part), 2), style.path))
    if not small or style_key == "park":
        content.streets.append(Street(np.round(shapely.get_coordinates(ring.exterior), 2), style.ring))
    _gates(lot, ring, style, content, random, streets, small=small)


_WITH_DOORS = ("slabs", "towers", "dorms", "campus", "villas")
DOOR_GAP_M = 3.2  # a path ends this far from the wall, so that it touches no building
STAIRCASE_M = 26.0  # a long block of flats has a staircase about this often


def _door_paths(
    boxes: np.ndarray,
    row_ix: np.ndarray,
    lines: list[shapely.LineString],
    kept: list[bool],
    style: Style,
    random: np.random.Generator,
) -> list[Street]:
    """Lead a path to the staircases of each building from the path behind its row."""
    out: list[Street] = []
    tags = {"highway": "footway", **({"access": "private"} if "access" in style.path else {})}
    for box, row in zip(boxes, row_ix.tolist(), strict=True):
        if not kept[row]:
            continue
        staircases = max(1, round(float(np.hypot(*(box[2] - box[3]))) / STAIRCASE_M))
        for number in range(staircases):
            if random.random() < 0.12:
                continue
            wall = box[3] + (box[2] - box[3]) * (number + 0.5) / staircases
            meet = shapely.get_coordinates(lines[row].interpolate(lines[row].project(shapely.Point(wall))))[0]
            gap = float(np.hypot(*(wall - meet)))
            if gap > DOOR_GAP_M + 3:
                out.append(Street(np.round(np.array([meet, wall + (meet - wall) / gap * DOOR_GAP_M]), 2), tags))
    return out


def _lay_out_open(
    lot: Lot, style: Style, building: dict[str, str], content: Content, random: np.random.Generator
) -> None:
    """Fill a lot of an old town: rows up to the street, lanes between them that run out to the streets."""
    boxes, row_ix, lines = rows(lot.shape, _south_angle(lot, random), *style.box_m, style.gap_m, style.pitch_m, random)
    for box in boxes:
        levels = int(style.levels[0] + random.random() * (style.levels[1] - style.levels[0] + 1))
        content.boxes.append(box)
        content.box_tags.append(building | {"building:levels": str(levels)})
    reach = lot.shape.buffer(_INSET_M["town"] + 0.4, join_style="mitre").intersection(lot.block)
    kept = [random.random() < style.paths_kept for _ in lines]
    content.streets += _door_paths(boxes, row_ix, lines, kept, style, random) if style.box_m[0] > 30 else []
    for line, keep in zip(lines, kept, strict=True):
        if keep:
            content.streets += [
                Street(np.round(shapely.get_coordinates(part), 2), style.path if random.random() < 0.7 else style.ring)
                for part in lines_of(line.intersection(reach))
                if part.length > 20
            ]


def _long_angle(shape: shapely.Polygon) -> float:
    box = shapely.get_coordinates(shapely.minimum_rotated_rectangle(shape).exterior)
    sides = np.diff(box, axis=0)[:2]
    long = sides[np.argmax(np.hypot(*sides.T))]
    return 0.0 if not np.any(long) else float(np.rad2deg(np.arctan2(long[1], long[0])) % 180.0)


def _south_angle(lot: Lot, random: np.random.Generator) -> float:
    """Homes face south give or take 20 degrees, following the nearer side of their lot."""
    angle = (_long_angle(lot.shape) + 45) % 90 - 45
    return float(np.clip(angle, -20, 20)) + (random.random() - 0.5) * 2


def _axis(shape: shapely.Polygon, angle_deg: float) -> shapely.LineString:
    centre = shapely.get_coordinates(shape.centroid)[0]
    return shapely.LineString(np.round(turned([[0, -600], [0, 600]], angle_deg) + centre, 2))


_GATES = (
    {"barrier": "gate", "access": "private"},
    {"barrier": "lift_gate", "access": "private", "foot": "yes"},
    {"barrier": "gate", "access": "residents"},
    {"barrier": "gate", "foot": "private", "access": "private"},
    {"barrier": "gate"},
    {"barrier": "gate", "access": "private", "foot": "yes"},
)


def _gates(
    lot: Lot,
    ring: shapely.Polygon,
    style: Style,
    content: Content,
    random: np.random.Generator,
    streets: shapely.STRtree,
    *,
    small: bool,
) -> None:
    """Open a lot to the streets round it and draw its wall with the gates as vertices."""
    outline = lot.shape.exterior
    spots: list[tuple[float, np.ndarray]] = []
    wanted = 1 if small else max(1, min(style.gates, 1 + int(lot.shape.length / 260)))
    offset_share = random.random()
    for step in range(wanted * 4):
        if len(spots) >= wanted:
            break
        at = (offset_share + (step * 0.381966)) % 1.0 * outline.length
        gate = np.round(shapely.get_coordinates(outline.interpolate(at))[0], 2)
        point = shapely.Point(gate)
        street = streets.geometries[streets.nearest(point)]
        meet = street.interpolate(street.project(point))
        if not 3.0 < meet.distance(point) < 42.0 or any(np.hypot(*(gate - other)) < 55 for _, other in spots):
            continue
        out_line = shapely.LineString([gate, shapely.get_coordinates(meet)[0]])
        if out_line.intersection(lot.shape).length > 2.5:
            continue
        inward = gate + (gate - shapely.get_coordinates(meet)[0]) / meet.distance(point) * 30
        target = ring.exterior.interpolate(ring.exterior.project(point))
        hit = shapely.LineString([gate, inward]).intersection(ring.exterior)
        if not hit.is_empty:
            target = shapely.Point(shapely.get_coordinates(hit)[0])
        line = np.round(np.array([shapely.get_coordinates(meet)[0], gate, shapely.get_coordinates(target)[0]]), 2)
        tags = _GATES[int(random.random() * len(_GATES))] if style.wall else {}
        public = {key: value for key, value in style.ring.items() if key != "access"}
        content.streets.append(Street(line[:2], public))
        content.streets.append(Street(line[1:], style.ring))
        content.gates.append(
            (gate, tags if style.ring.get("access") == "private" or not tags else {"barrier": "gate", "access": "yes"})
        )
        spots.append((at, gate))
    if style.wall is not None:
        corners = shapely.get_coordinates(outline)
        along = np.concatenate(
            [shapely.line_locate_point(outline, shapely.points(corners[:-1])), [at for at, _ in spots]]
        )
        ring_xy = np.vstack([corners[:-1], *[gate for _, gate in spots]])[np.argsort(along, kind="stable")]
        content.walls.append((np.vstack([ring_xy, ring_xy[:1]]), style.wall))


def estate_tags(number: int, content: Content, lot: Lot) -> dict[str, str]:
    """Return the tags of a housing estate and remember where it is."""
    chinese, english = names.estate(number)
    content.estates.append((shapely.get_coordinates(lot.shape.centroid)[0], (chinese, english)))
    return {"landuse": "residential", "residential": "apartments", **names.named(chinese, english)}
