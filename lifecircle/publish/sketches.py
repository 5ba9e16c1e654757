"""Pictures inside the report, as inline SVG: the region at a glance, the worst gaps, and walks by service."""

import base64
from html import escape
from itertools import pairwise
from typing import Any

import numpy as np
import pyproj
import shapely
from affine import Affine
from numpy.typing import NDArray
from rasterio.io import MemoryFile

from lifecircle.assess.coverage import MET, UNKNOWN, Coverage
from lifecircle.assess.gaps import Gap
from lifecircle.assess.wording import limit_text, share_text
from lifecircle.publish.markup import Text, both, said_zh

_MAIN_ROADS = frozenset(
    ["trunk", "trunk_link", "primary", "primary_link", "secondary", "secondary_link", "tertiary", "tertiary_link"]
)
_STREETS = frozenset(["residential", "unclassified", "living_street", "road", "service", "pedestrian"])
_WIDTH = 1100  # pixels of the overview picture
_TALLEST = 0.8  # its height, as a share of its width, at most
_UNMET = ((0, "#0b5f59"), (1, "#fce3a6"), (2, "#f0a04b"), (4, "#c2571a"), (6, "#6e230b"))
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


def overview(coverage: Coverage, water: list[Any]) -> str:
    """Picture of the number of unmet needs: pixels in the metre CRS, with outlines drawn over them."""
    cells, region = coverage.cells, coverage.cells.region
    west, south, east, north = region.project(region.boundary).bounds
    widen = max(0.0, (north - south) / _TALLEST - (east - west)) / 2  # a tall region in a wide frame, not in a void
    west, east = west - widen, east + widen
    scale = (east - west) / _WIDTH
    width, height = (max(1, int(np.ceil(size / scale))) for size in (east - west, north - south))
    x = west + (np.arange(width) + 0.5) * scale
    y = north - (np.arange(height) + 0.5) * scale
    gx, gy = np.meshgrid(x, y)
    rx, ry = pyproj.Transformer.from_crs(region.crs, cells.crs, always_xy=True).transform(gx, gy)
    column, row = ~cells.transform @ (rx, ry)  # type: ignore[operator]
    column, row = np.floor(column).astype(int), np.floor(row).astype(int)
    grid = np.full((cells.shape[0] + 1, cells.shape[1] + 1), -2, dtype=np.int16)
    met_n = coverage.met_n
    grid[cells.row - cells.origin[0], cells.column - cells.origin[1]] = np.where(
        met_n < 0, -1, len(coverage.keys) - met_n
    )
    inside = (column >= 0) & (row >= 0) & (column < cells.shape[1]) & (row < cells.shape[0])
    unmet = grid[np.where(inside, row, -1), np.where(inside, column, -1)]
    rgba = np.zeros((4, height, width), dtype=np.uint8)
    for least, colour in (*_UNMET, (-1, _NOT_JUDGED)):
        chosen = unmet >= least if least >= 0 else unmet == -1
        rgba[:, chosen] = np.array([*bytes.fromhex(colour[1:]), 255], dtype=np.uint8)[:, None]
    with MemoryFile() as memory:
        with memory.open(
            driver="PNG",
            width=width,
            height=height,
            count=4,
            dtype="uint8",
            transform=Affine(scale, 0, west, 0, -scale, north),
        ) as picture:
            picture.write(rgba)
        encoded = base64.b64encode(memory.read()).decode()

    def path(lines: Any, close: str = "") -> str:
        x, y = shapely.get_coordinates(lines).T
        pixels = zip(((x - west) / scale).tolist(), ((north - y) / scale).tolist(), strict=True)
        points = [f"{px:.1f} {py:.1f}" for px, py in pixels]
        ends = [0, *np.cumsum(shapely.get_num_coordinates(lines)).tolist()]
        return "".join(f"M{'L'.join(points[start:end])}{close}" for start, end in pairwise(ends))

    def area(shapes: Any) -> str:
        rings = shapely.get_rings(polygons(shapes)[0])
        return path(shapely.simplify(region.project(rings), scale / 2), "Z")

    streets = coverage.network.streets
    roads = np.flatnonzero(rank_of(streets.kind) == 0)
    drawn = path(shapely.simplify(joined(streets.lines()[roads]), scale))
    window = region.unproject(shapely.segmentize(shapely.box(west, south, east, north), (east - west) / 16))
    wet = np.array(water, dtype=object)
    broken = ~shapely.is_valid(wet)
    wet[broken] = shapely.buffer(wet[broken], 0)
    wet_path = area(shapely.intersection(wet, window))
    zones = "".join(
        f'<path d="{area([zone.geometry])}" fill="none" stroke="#333" stroke-width="1.5"/>' for zone in region.zones
    )
    overlays = "".join(
        f'<path d="{area([zone.geometry])}" fill="none" stroke="#333" stroke-width="1" stroke-dasharray="5 4"/>'
        for zone in region.overlays
    )
    rest = [
        (low, high - 1, colour)
        for (low, colour), (high, _) in zip(_UNMET[1:], [*_UNMET[2:], (len(coverage.keys) + 1, "")], strict=True)
        if low <= len(coverage.keys)
    ]
    labels = [(both("none unmet: complete", "全部满足"), _UNMET[0][1])] + [
        (both(f"{n} unmet", f"{n} 项未满足"), colour)
        for n, colour in ((f"{low}–{high}" if high > low else f"{low}", colour) for low, high, colour in rest)
    ]
    if (coverage.met == UNKNOWN).any():
        labels.append((both("not judged", "未判定"), _NOT_JUDGED))
    key = "".join(f'<span class=k><i style="background:{colour}"></i>{text}</span>' for text, colour in labels)
    shown = int((coverage.met == MET).all(axis=0).sum())
    label = Text(
        f"Map of unmet needs: {shown:,} of {len(cells):,} cells have every service",
        f"未满足需求图：{len(cells):,} 个格网中 {shown:,} 个拥有全部服务",
    ).plain
    caption = both("Needs of the life circle unmet in each residential cell:", "各居住格网未满足的生活圈需求：")
    return (
        f'<figure><svg viewBox="0 0 {width} {height}" role="img" aria-label="{label}">'
        f'<path d="{wet_path}" fill="#d3e4ee" fill-rule="evenodd"/>'
        f'<image width="{width}" height="{height}" style="image-rendering:pixelated" href="data:image/png;base64,{encoded}"/>'
        f'<path d="{drawn}" fill="none" stroke="#8a8f8c" stroke-width=".6"/>{zones}{overlays}</svg>'
        f"<figcaption class=key>{caption} {key}</figcaption></figure>"
    )


def walks(coverage: Coverage, classes: list[dict[str, Any]]) -> str:
    """Bars of how far people (cells) walk to the nearest of each service, in the classes of the map.

    Parameters
    ----------
    classes : list of dict
        As ``summary.json`` has them.
    """
    measure = "people" if coverage.cells.people is not None else "cells"
    layers = [layer for layer in classes if layer["layer"] == "service"]
    if not layers or not sum(layers[0][measure]):
        return f"<p>{both('Nobody lives here.', '无居民。')}</p>"
    parts = []
    for layer in layers:
        service, amounts = coverage.standard.services[layer["service"]], layer[measure]
        whole, x, marks = sum(amounts), 0.0, []
        cutoff = layer["limits"][-1]
        names = [f"≤ {limit_text(limit, layer['unit'])}" for limit in layer["limits"]]
        texts = [Text(name, said_zh(name)) for name in (*names, f"> {limit_text(cutoff, layer['unit'])}", "?")]
        for name, amount, colour in zip(texts, amounts, (*layer["colours"], _NOT_JUDGED), strict=True):
            width = 640 * amount / whole
            if amount:
                share = share_text(amount, whole)
                marks.append(
                    f'<rect x="{x:.1f}" y="4" width="{width:.1f}" height="18" fill="{colour}" stroke="#fff" stroke-width=".5">'
                    f"<title>{escape(name.plain)}: {escape(share)}</title></rect>"
                )
                if width > _ROOM[0]:
                    shown = [f"{one}: {share}" for one in name] if width > _ROOM[1] else [share]
                    ink = "#fff" if _dark(colour) else "#1d2528"
                    marks.append(_written(Text(*shown), f'x="{x + width / 2:.1f}" y="17.5" fill="{ink}"'))
            x += width
        label = Text(service.title, service.title_zh)
        parts.append(
            f'<tr><th scope=row>{label.html}</th><td><svg viewBox="0 0 640 26" role="img" font-size="11" '
            f'text-anchor="middle" aria-label="{escape(label.plain)}: '
            + "; ".join(
                f"{escape(n.plain)} {escape(share_text(a, whole))}" for n, a in zip(texts, amounts, strict=True) if a
            )
            + f'">{"".join(marks)}</svg></td></tr>'
        )
    what = (
        both("Residents by the walk to the nearest facility of each service; grey is not judged.", "居民到各类最近设施的步行远近；灰色为未判定。")
        if measure == "people"
        else both("Residential cells by the walk to the nearest facility; grey is not judged.", "居住格网到最近设施的步行远近；灰色为未判定。")
    )  # fmt: skip
    return f"<figure class=walks><table>{''.join(parts)}</table><figcaption><small>{what}</small></figcaption></figure>"


def _written(text: Text, where: str) -> str:
    """Write into a picture in both languages, of which the page shows one."""
    if text.chinese in {"", text.english}:
        return f"<text {where}>{escape(text.english)}</text>"
    return "".join(
        f"<text class={key} lang={key} {where}>{escape(one)}</text>"
        for key, one in zip(("en", "zh"), text, strict=True)
    )


_ROOM = (46, 104)  # pixels that a share needs, and with the name of its class


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
