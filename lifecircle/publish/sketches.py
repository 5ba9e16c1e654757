"""Pictures inside the report, as inline SVG: the region at a glance, the worst gaps, and walks by service."""

import base64
import math
from html import escape
from itertools import pairwise
from typing import Any

import numpy as np
import pyproj
import shapely
from affine import Affine
from numpy.typing import NDArray
from rasterio.io import MemoryFile

from lifecircle.assess.coverage import MET, NOT_MET, UNKNOWN, Coverage
from lifecircle.assess.gaps import Gap
from lifecircle.assess.wording import limit_text, share_text
from lifecircle.publish.insets import Bounds, windows
from lifecircle.publish.maps import EDGE, OK
from lifecircle.publish.markup import Text, both, said_zh

_MAIN_ROADS = frozenset(
    ["trunk", "trunk_link", "primary", "primary_link", "secondary", "secondary_link", "tertiary", "tertiary_link"]
)
_STREETS = frozenset(["residential", "unclassified", "living_street", "road", "service", "pedestrian"])
_WIDTH = 1100  # pixels of the overview picture
_TALLEST = 0.8  # its height, as a share of its width, at most
_HIGH = (0.62, _TALLEST, 0.95)  # the same where parts of the region are moved and find room
_LETTERS = 1.7  # pixels of the picture to the point
_NOT_JUDGED = "#9a9a9a"


def rank_of(kind: NDArray[np.object_]) -> NDArray[np.uint8]:
    """Rank streets by their ``highway``: 0 main road, 1 street, 2 path, footway or steps."""
    return np.array([0 if value in _MAIN_ROADS else 1 if value in _STREETS else 2 for value in kind], dtype=np.uint8)


def polygons(shapes: Any) -> tuple[NDArray[np.object_], NDArray[np.int64]]:
    """Polygons in several shapes, and the shape each is of."""
    parts, shape = shapely.get_parts(shapes, return_index=True)
    polygon = shapely.get_type_id(parts) == shapely.GeometryType.POLYGON
    return parts[polygon], shape[polygon]


def joined(lines: NDArray[np.object_]) -> NDArray[np.object_]:
    """Join lines end to end, so that a road of many edges can be drawn with few points."""
    parts = shapely.get_parts(lines)
    parts = parts[~shapely.is_empty(parts) & (shapely.get_dimensions(parts) == 1)]
    return np.asarray(shapely.get_parts(shapely.line_merge(shapely.multilinestrings(parts))), dtype=object)


def overview(coverage: Coverage, water: list[Any], classes: list[dict[str, Any]]) -> str:
    """Picture of the number of unmet needs: pixels in the metre CRS, with outlines drawn over them.

    Parts of the region that lie far off are drawn beside the others.

    Parameters
    ----------
    classes : list of dict
        As ``summary.json`` has them.
    """
    cells, region = coverage.cells, coverage.cells.region
    told = next(layer for layer in classes if layer["layer"] == "unmet")
    wide = _WIDTH
    zones = np.array([region.project(zone.geometry) for zone in region.zones], dtype=object)
    for share in _HIGH:
        high = round(wide * share)
        bounds, moved = windows(zones, (0, 0, wide, high), _LETTERS)
        if moved:
            break
    if not moved:
        west, south, east, north = region.project(region.boundary).bounds
        # A tall region in a wide frame, not in a void.
        widen = max(0.0, (north - south) / _TALLEST - (east - west)) / 2
        bounds = (west - widen, south, east + widen, north)
        high = max(1, int(np.ceil(wide * (north - south) / (bounds[2] - bounds[0]))))
    draw = _Overview(coverage, water, told)
    parts = [draw.window(bounds, 0, 0, wide, high)]
    for (x, y, width, height), inside in moved:
        where = f'x="{x + width / 2:.0f}" y="{y + height - 8:.0f}" font-size="{7 * _LETTERS:.0f}" text-anchor="middle"'
        parts += [
            draw.window(inside, x, y, width, height),
            f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" fill="none" stroke="#4d585c"/>',
            _written(Text("moved here, same scale", "移至此处，比例相同"), where),
        ]
    limits, colours = told["limits"], told["colours"]
    labels = [(both("none unmet: complete", "全部满足"), colours[0])]
    for low, most, colour in zip(limits, [*limits[1:], len(coverage.keys)], colours[1:], strict=True):
        n = f"{low + 1:g}–{most:g}" if most > low + 1 else f"{most:g}"
        labels.append((both(f"{n} unmet", f"{n} 项未满足"), colour))
    if told["cells"][-1]:
        labels.append((both("not judged", "未判定"), _NOT_JUDGED))
    key = "".join(f'<span class=k><i style="background:{colour}"></i>{text}</span>' for text, colour in labels)
    shown = int((coverage.met == MET).all(axis=0).sum())
    label = Text(
        f"Map of unmet needs: {shown:,} of {len(cells):,} cells have every service",
        f"未满足需求图：{len(cells):,} 个格网中 {shown:,} 个拥有全部服务",
    ).plain
    caption = both("Needs of the life circle unmet in each residential cell:", "各居住格网未满足的生活圈需求：")
    return (
        f'<figure><svg viewBox="0 0 {wide} {high}" role="img" aria-label="{label}">{"".join(parts)}</svg>'
        f"<figcaption class=key>{caption} {key}</figcaption></figure>"
    )


class _Overview:
    """Draws windows of the overview picture, in pixels; what it draws is looked up once."""

    def __init__(self, coverage: Coverage, water: list[Any], told: dict[str, Any]) -> None:
        self.cells, self.region = coverage.cells, coverage.cells.region
        cells = self.cells
        unmet = (coverage.met == NOT_MET).sum(axis=0)
        judged = np.isin(cells.status, (OK, EDGE)) & ((unmet > 0) | (coverage.met != UNKNOWN).all(axis=0))
        place = np.where(judged, np.searchsorted(told["limits"], unmet), len(told["colours"]))
        self.grid = np.full((cells.shape[0] + 1, cells.shape[1] + 1), -1, dtype=np.int16)
        self.grid[cells.row - cells.origin[0], cells.column - cells.origin[1]] = place
        paint = [bytes.fromhex(colour[1:]) for colour in (*told["colours"], _NOT_JUDGED)]
        self.paint = np.array(
            [*([*rgb, 255] for rgb in paint), [0, 0, 0, 0]], dtype=np.uint8
        )  # the last where no cell is
        streets = coverage.network.streets
        self.roads = joined(streets.lines()[np.flatnonzero(rank_of(streets.kind) == 0)])
        self.wet = np.array(water, dtype=object)
        broken = ~shapely.is_valid(self.wet)
        self.wet[broken] = shapely.buffer(self.wet[broken], 0)

    def window(self, bounds: Bounds, left: float, top: float, wide: float, high: float) -> str:
        """Draw what lies within some bounds, in the metre CRS, into a frame of the picture."""
        region = self.region
        west, _, east, north = bounds
        scale = (east - west) / wide

        def path(lines: Any, close: str = "") -> str:
            x, y = shapely.get_coordinates(lines).T
            pixels = zip(((x - west) / scale).tolist(), ((north - y) / scale).tolist(), strict=True)
            points = [f"{px:.1f} {py:.1f}" for px, py in pixels]
            ends = [0, *np.cumsum(shapely.get_num_coordinates(lines)).tolist()]
            return "".join(f"M{'L'.join(points[start:end])}{close}" for start, end in pairwise(ends))

        def area(shapes: Any) -> str:
            rings = shapely.get_rings(polygons(shapes)[0])
            return path(shapely.simplify(region.project(rings), scale / 2), "Z")

        def outlines(zones: Any, style: str) -> str:
            return "".join(f'<path d="{area([zone.geometry])}" fill="none" stroke="#333" {style}/>' for zone in zones)

        frame = shapely.box(*bounds)
        window = region.unproject(shapely.segmentize(frame, (east - west) / 16))
        roads = self.roads[shapely.intersects(self.roads, frame)]
        return (
            f'<svg x="{left:.1f}" y="{top:.1f}" width="{wide:.1f}" height="{high:.1f}" aria-hidden="true">'
            '<rect width="100%" height="100%" fill="#fbfbf9"/>'
            f'<path d="{area(shapely.intersection(self.wet, window))}" fill="#d3e4ee" fill-rule="evenodd"/>'
            f"{self._pixels(bounds, math.ceil(wide), math.ceil(high), scale)}"
            f'<path d="{path(shapely.simplify(roads, scale))}" fill="none" stroke="#8a8f8c" stroke-width=".6"/>'
            + outlines(region.zones, 'stroke-width="1.5"')
            + outlines(region.overlays, 'stroke-width="1" stroke-dasharray="5 4"')
            + "</svg>"
        )

    def _pixels(self, bounds: Bounds, width: int, height: int, scale: float) -> str:
        """Colour every pixel by the cell it lies in."""
        cells = self.cells
        west, _, _, north = bounds
        x = west + (np.arange(width) + 0.5) * scale
        y = north - (np.arange(height) + 0.5) * scale
        gx, gy = np.meshgrid(x, y)
        rx, ry = pyproj.Transformer.from_crs(self.region.crs, cells.crs, always_xy=True).transform(gx, gy)
        column, row = ~cells.transform @ (rx, ry)  # type: ignore[operator]
        column, row = np.floor(column).astype(int), np.floor(row).astype(int)
        inside = (column >= 0) & (row >= 0) & (column < cells.shape[1]) & (row < cells.shape[0])
        rgba = self.paint[self.grid[np.where(inside, row, -1), np.where(inside, column, -1)]]
        with MemoryFile() as memory:
            with memory.open(
                driver="PNG",
                width=width,
                height=height,
                count=4,
                dtype="uint8",
                transform=Affine(scale, 0, west, 0, -scale, north),
            ) as picture:
                picture.write(np.ascontiguousarray(rgba.transpose(2, 0, 1)))
            encoded = base64.b64encode(memory.read()).decode()
        return (
            f'<image width="{width}" height="{height}" style="image-rendering:pixelated" '
            f'href="data:image/png;base64,{encoded}"/>'
        )


def walks(coverage: Coverage, classes: list[dict[str, Any]]) -> str:
    """Bars of how far people (cells) walk to the nearest of each service, in the classes of the map.

    Services of the same classes stand together, under what their colours mean.

    Parameters
    ----------
    classes : list of dict
        As ``summary.json`` has them.
    """
    measure = "people" if coverage.cells.people is not None else "cells"
    layers = [layer for layer in classes if layer["layer"] == "service"]
    if not layers or not sum(layers[0][measure]):
        return f"<p>{both('Nobody lives here.', '无居民。')}</p>"
    groups: dict[str, list[str]] = {}
    for layer in layers:
        service, amounts = coverage.standard.services[layer["service"]], layer[measure]
        whole, colours = sum(amounts), (*layer["colours"], _NOT_JUDGED)
        names = _bands(layer["limits"], layer["unit"])
        key = "".join(
            f'<span class=k><i style="background:{colour}"></i>{name.html}</span>'
            for name, colour in zip(names, colours, strict=True)
        )
        told = [
            (f"{name.plain}: {share_text(amount, whole)}", amount / whole, share_text(amount, whole), colour)
            for name, amount, colour in zip(names, amounts, colours, strict=True)
            if amount
        ]
        parts = "".join(
            f'<i title="{escape(text)}" style="width:{100 * part:.3f}%;background:{colour};'
            f'color:{"#fff" if _dark(colour) else "#1d2528"}"><span>{escape(share)}</span></i>'
            for text, part, share, colour in told
        )
        label = Text(service.title, service.title_zh)
        said = "; ".join(text for text, *_ in told)
        groups.setdefault(key, []).append(
            f"<tr><th scope=row>{label.html}</th><td><div class=walk role=img "
            f'aria-label="{escape(label.plain)}: {escape(said)}">{parts}</div></td></tr>'
        )
    what = (
        both("Residents by the walk to the nearest facility of each service; grey is not judged.", "居民到各类最近设施的步行远近；灰色为未判定。")
        if measure == "people"
        else both("Residential cells by the walk to the nearest facility; grey is not judged.", "居住格网到最近设施的步行远近；灰色为未判定。")
    )  # fmt: skip
    bodies = "".join(
        f"<tbody><tr><td class=key colspan=2>{key}</td></tr>{''.join(rows)}</tbody>" for key, rows in groups.items()
    )
    return f"<figure class=walks><table>{bodies}</table><figcaption><small>{what}</small></figcaption></figure>"


def _bands(limits: list[float], unit: str) -> list[Text]:
    """Name the classes between limits, what is beyond all of them, and what is not judged."""
    bare = [limit_text(limit, unit).split()[0] for limit in limits]
    word = limit_text(limits[0], unit).split()[1]
    names = [f"≤ {bare[0]} {word}", *(f"{low}–{high} {word}" for low, high in pairwise(bare)), f"> {bare[-1]} {word}"]
    return [*(Text(name, said_zh(name)) for name in names), Text("not judged", "未判定")]


def _written(text: Text, where: str) -> str:
    """Write into a picture in both languages, of which the page shows one."""
    if text.chinese in {"", text.english}:
        return f"<text {where}>{escape(text.english)}</text>"
    return "".join(
        f"<text class={key} lang={key} {where}>{escape(one)}</text>"
        for key, one in zip(("en", "zh"), text, strict=True)
    )


def _dark(colour: str) -> bool:
    red, green, blue = bytes.fromhex(colour[1:])
    return 0.3 * red + 0.59 * green + 0.11 * blue < 140  # noqa: PLR2004


class Gaps:
    """Draws small maps of gaps; what it looks things up in is made once."""

    _WIDE, _HIGH = 240, 170  # pixels
    _LEAST_M = 900.0  # what a sketch shows across, at least

    def __init__(self, coverage: Coverage, water: list[Any]) -> None:
        self.coverage, self.region = coverage, coverage.cells.region
        streets = coverage.network.streets
        self.rank, self.lines = rank_of(streets.kind), streets.lines()
        self.streets = shapely.STRtree(self.lines)
        wet = np.array(water, dtype=object)
        broken = ~shapely.is_valid(wet)
        wet[broken] = shapely.buffer(wet[broken], 0)
        self.water = self.region.project(wet) if len(wet) else wet
        self.pools = shapely.STRtree(self.water)

    @property
    def key(self) -> str:
        """What the signs of the sketches mean."""
        marks = [
            ('style="background:#f0a04b;border-color:#4a1c0c"', both("gap", "缺口")),
            ('style="background:#1f3a8a;border-radius:50%"', both("facility of the service", "该类设施")),
            ('style="background:#d3e4ee"', both("water", "水域")),
        ]
        return (
            "<p class=key>" + "".join(f"<span class=k><i {style}></i>{text}</span>" for style, text in marks) + "</p>"
        )

    def sketch(self, gap: Gap) -> str:
        """Draw one gap with the streets and water around it, and the nearest facilities of the service it lacks."""
        facilities = self.coverage.facilities
        own = facilities.points[facilities.serving(self.coverage.keys.index(gap.service))]
        west, south, east, north = gap.geometry.bounds
        if len(own):  # the nearest one is shown where that costs no more than half of the scale
            near = own[int(np.argmin(shapely.distance(own, gap.geometry)))]
            size = max(east - west, north - south, self._LEAST_M)
            if shapely.distance(near, gap.geometry) < size:
                west, south = min(west, near.x), min(south, near.y)
                east, north = max(east, near.x), max(north, near.y)
        scale = max((east - west) / (self._WIDE - 30), (north - south) / (self._HIGH - 40), self._LEAST_M / self._WIDE)
        x0 = (west + east - self._WIDE * scale) / 2
        y1 = (south + north + self._HIGH * scale) / 2
        frame = shapely.box(x0, y1 - self._HIGH * scale, x0 + self._WIDE * scale, y1)

        def path(shapes: Any, *, close: bool) -> str:
            shapes = shapely.intersection(shapes, frame)
            shapes = shapely.simplify(shapes if close else joined(shapes), scale)
            lines = shapely.get_rings(polygons(shapes)[0]) if close else shapely.get_parts(shapes)
            lines = lines[~shapely.is_empty(lines) & (shapely.get_dimensions(lines) == 1)]
            if not len(lines):
                return ""
            xy, ends = shapely.get_coordinates(lines), [0, *np.cumsum(shapely.get_num_coordinates(lines)).tolist()]
            points = [f"{(x - x0) / scale:.0f} {(y1 - y) / scale:.0f}" for x, y in xy.tolist()]
            return "".join(f"M{'L'.join(points[a:b])}{'Z' if close else ''}" for a, b in pairwise(ends))

        near_streets = np.sort(self.streets.query(frame))
        drawn = []
        for rank, (colour, width) in enumerate((("#8a8f8c", 1.6), ("#b3b7b4", 0.9), ("#c9ccca", 0.6))):
            these = near_streets[self.rank[near_streets] == rank]
            if len(these) and (rank == 0 or scale < _CLOSE[rank - 1]):
                drawn.append(
                    f'<path d="{path(self.lines[these], close=False)}" fill="none" stroke="{colour}" stroke-width="{width}"/>'
                )
        zones = np.array([self.region.project(zone.geometry).boundary for zone in self.region.zones], dtype=object)
        border = path(zones, close=False)
        dots = "".join(
            f'<circle cx="{(x - x0) / scale:.0f}" cy="{(y1 - y) / scale:.0f}" r="4" fill="#1f3a8a" stroke="#fff"/>'
            for x, y in shapely.get_coordinates(own[shapely.intersects(own, frame)]).tolist()
        )
        metres = max(m for m in (100, 200, 500, 1000, 2000, 5000, 10_000, 20_000) if m / scale < self._WIDE / 2)
        bar = f"{metres} m" if metres < 1000 else f"{metres // 1000} km"  # noqa: PLR2004
        where = f'x="12" y="{self._HIGH - 13}" font-size="11" paint-order="stroke" stroke="#fff" stroke-width="3"'
        service = self.coverage.standard.services[gap.service]
        label = Text(f"Map of the gap: {service.title}", f"缺口示意图：{service.title_zh}").plain
        return (
            f'<svg class=sketch viewBox="0 0 {self._WIDE} {self._HIGH}" role="img" aria-label="{escape(label)}">'
            f'<path d="{path(self.water[np.sort(self.pools.query(frame))], close=True)}" fill="#d3e4ee" fill-rule="evenodd"/>'
            f'<path d="{path(np.array([gap.geometry], dtype=object), close=True)}" fill="#f0a04b" stroke="#4a1c0c" '
            f'fill-rule="evenodd"/>{"".join(reversed(drawn))}'
            f'<path d="{border}" fill="none" stroke="#333" stroke-dasharray="5 3"/>{dots}'
            f'<path d="M8 {self._HIGH - 14}v5h{metres / scale:.0f}v-5" fill="none" stroke="#22303c" stroke-width="1.5"/>'
            f"{_written(Text(bar, said_zh(bar)), where)}</svg>"
        )


_CLOSE = (14.0, 7.0)  # metres a pixel below which streets and paths are drawn
