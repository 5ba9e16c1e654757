"""The map of a picture: cells, what lies on them, water, roads, outlines with names, scale, north, and insets."""

from typing import TYPE_CHECKING, Any

import numpy as np
import pyproj
import shapely
from numpy.typing import NDArray

from lifecircle.publish import legends
from lifecircle.publish.insets import Bounds, Frame, windows
from lifecircle.publish.legends import Row, Shown
from lifecircle.publish.lettering import Lettering
from lifecircle.publish.maps import label_place
from lifecircle.publish.pen import INK, Pen
from lifecircle.publish.sketches import joined, polygons
from lifecircle.publish.words import WORDS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.path import Path as Outline

    from lifecircle.publish.results import Results

_WATER, _LAND = "#d3e4ee", "#fbfbf9"
_RING = 5  # points of a cell's outline
_PIECE = 3000  # lines in one path: larger ones exhaust Agg


class Map:
    """A map in a frame of a figure: cells, what lies on them, water, roads, outlines with names, scale and north.

    Parts of the region that lie far off are drawn in insets, at the same scale.

    Parameters
    ----------
    frame : (float, float, float, float)
        Left and upper end, width and height in points, from the figure's upper left corner.
    k : float
        How large letters and lines are, 1 on a slide.
    bounds : (float, float, float, float), optional
        Of an inset: west, south, east and north in the metre CRS.
    """

    def __init__(
        self,
        figure: "Figure",
        results: "Results",
        shown: Shown,
        letters: Lettering,
        frame: Frame,
        k: float,
        bounds: Bounds | None = None,
    ) -> None:
        self.figure, self.results, self.shown, self.letters, self.k = figure, results, shown, letters, k
        pen = Pen(figure, letters, 0, 0, 0)
        self.frame = frame
        left, top, wide, high = frame
        self.zones = results.zones()
        self.insets: list[tuple[Frame, Bounds]] = []
        self.whole = bounds is None
        if bounds is None:
            own = self.zones[self.zones["kind"] == "zone"]
            bounds, self.insets = windows((own if len(own) else self.zones).geometry.to_numpy(), frame, k)
        self.bounds = bounds
        corner = pen.at(left, top + high)
        self.axes: Axes = figure.add_axes((*corner, wide / pen.whole[0], high / pen.whole[1]))
        self.axes.set_facecolor(_LAND)
        self.axes.tick_params(left=False, bottom=False, labelleft=False, labelbottom=False)
        for side in self.axes.spines.values():
            side.set(color="#c9ccca" if self.whole else "#4d585c", linewidth=0.8 * k)
        self.axes.set_xlim(bounds[0], bounds[2])
        self.axes.set_ylim(bounds[1], bounds[3])

    @property
    def scale(self) -> float:
        """Metres to the point."""
        return (self.bounds[2] - self.bounds[0]) / self.frame[2]

    def draw(self) -> list[Row]:
        """Draw everything; return legend rows of what every map shows."""
        ground = self._draw()
        self._scale_bar()
        self._north()
        for frame, bounds in self.insets:
            inset = Map(self.figure, self.results, self.shown, self.letters, frame, self.k, bounds)
            for row in inset._draw():
                ground += [] if row in ground else [row]
            inset._halo(
                (bounds[0] + bounds[2]) / 2, bounds[1] + 3 * self.k * inset.scale,
                self.letters.say("moved here, same scale", "移至此处，比例相同"), 7 * self.k,
            )  # fmt: skip
        return ground

    def _draw(self) -> list[Row]:
        from matplotlib.collections import PolyCollection

        axes, k = self.axes, self.k
        say, ground = self.letters.say, []
        wet = self._water(shapely.box(*self.bounds))
        for pond in wet:
            self._area(pond, facecolor=_WATER, edgecolor="none", zorder=1)
        near = self._near(self.shown.cells)
        cells = self.shown.cells[near]
        corners = shapely.get_coordinates(shapely.get_exterior_ring(cells))
        if len(corners) == _RING * len(cells):
            quads: Any = corners.reshape(-1, _RING, 2)[:, :-1]
        else:
            quads = [shapely.get_coordinates(cell) for cell in cells]
        axes.add_collection(
            PolyCollection(
                quads, facecolors=self.shown.cell_colours[near], edgecolors="face", linewidths=0.15 * k, zorder=2,
                rasterized=True,
            ),
            autolim=False,
        )  # fmt: skip
        if len(self.shown.dotted):
            x, y = shapely.get_coordinates(self.shown.dotted).T
            axes.scatter(x, y, s=k, c="black", linewidths=0, zorder=3)
        self._shapes()
        for ix, (lines, colour, width) in enumerate(self.shown.lines):
            self._lines(lines, colour, width * k, zorder=4 + 0.1 * ix)
        if (self.shown.cell_colours == legends.BACKDROP).all():
            ground.append(Row(say("Residential cells", "居住格网"), "area", legends.BACKDROP))
        self._lines(self.shown.roads, "#8a8f8c", 0.5 * k, zorder=3.5)
        ground += [Row(say("Main roads", "主要道路"), "line", "#8a8f8c")] if len(self.shown.roads) else []
        ground += [Row(say(*WORDS["water"]), "area", _WATER)] if len(wet) else []
        return ground + self._outlines()

    def _near(self, shapes: NDArray[np.object_]) -> NDArray[np.bool_]:
        """Whether shapes may lie in the frame."""
        west, south, east, north = self.bounds
        at = shapely.bounds(shapes)
        return np.asarray((at[:, 0] < east) & (at[:, 2] > west) & (at[:, 1] < north) & (at[:, 3] > south))

    def _water(self, frame: Any) -> NDArray[np.object_]:
        wet = self.results.water()
        if not len(wet):
            return wet
        there = pyproj.Transformer.from_crs("EPSG:4326", self.zones.crs, always_xy=True)
        placed = shapely.transform(wet, lambda xy: np.column_stack(there.transform(*xy.T)))
        placed = placed[shapely.intersects(shapely.envelope(placed), frame)]
        placed = shapely.intersection(shapely.make_valid(shapely.simplify(placed, self.scale / 4)), frame)
        return polygons(placed)[0]

    def _shapes(self) -> None:
        """Draw clusters as areas, facilities as dots."""
        near = self._near(self.shown.shapes)
        shapes = self.shown.shapes[near]
        styles = [style for style, here in zip(self.shown.styles, near.tolist(), strict=True) if here]
        if styles and styles[0].mark == "area":
            for style in dict.fromkeys(styles):
                here = shapes[[one == style for one in styles]]
                thin = shapely.simplify(here, self.scale / 6)
                here = np.where(shapely.is_empty(thin), here, thin)
                self._area(here, facecolor=style.colour, edgecolor=style.colour, linewidth=0.15 * self.k, zorder=3,
                           rasterized=True)  # fmt: skip
            return
        for style in dict.fromkeys(styles):
            x, y = shapely.get_coordinates(shapes[[one == style for one in styles]]).T
            hollow = style.mark == "hollow"
            self.axes.scatter(
                x, y, s=11 * self.k**2, marker=style.shape, zorder=5,
                facecolors="white" if hollow else style.colour, edgecolors=style.colour if hollow else "white",
                linewidths=(0.8 if hollow else 0.25) * self.k,
            )  # fmt: skip

    def _area(self, shape: Any, **style: Any) -> None:
        from matplotlib.patches import PathPatch

        parts = polygons(np.atleast_1d(np.asarray(shape, dtype=object)))[0]
        if len(parts):
            path = _outline(shapely.get_rings(shapely.orient_polygons(parts)))
            self.axes.add_artist(PathPatch(path, **style))

    def _lines(self, lines: NDArray[np.object_], colour: str, width: float, **style: Any) -> None:
        from matplotlib.patches import PathPatch

        lines = shapely.simplify(lines[self._near(lines) & (shapely.length(lines) > 0)], self.scale / 4)
        for start in range(0, len(lines), _PIECE):
            path = _outline(lines[start : start + _PIECE])
            self.axes.add_artist(
                PathPatch(path, fill=False, edgecolor=colour, linewidth=width, rasterized=True, **style)
            )

    def _outlines(self) -> list[Row]:
        """Draw zones and overlays with their names; return their legend rows."""
        rows = []
        kinds = {kind: self.zones[self.zones["kind"] == kind].geometry.to_numpy() for kind in ("zone", "overlay")}
        marks = (("zone", "line", 1.2, "zones"), ("overlay", "dashed", 0.8, "other_areas"))
        drawn = None
        for kind, mark, width, word in marks:
            if not len(kinds[kind]):
                continue
            # What several share is drawn once, and no dashes along a full line.
            borders = shapely.union_all(shapely.simplify(shapely.boundary(kinds[kind]), self.scale / 4))
            if drawn is not None:
                borders = shapely.difference(borders, shapely.buffer(drawn, 1.5 * self.k * self.scale))
            drawn = borders
            style = {"linestyle": (0, (4, 3))} if mark == "dashed" else {}
            self._lines(joined(np.array([borders])), "#222222", width * self.k, zorder=6, **style)
            rows.append(Row(self.letters.say(*WORDS[word]), "line" if mark == "line" else "dashed", "#222222"))
        self._names()
        return rows

    def _names(self) -> None:
        """Name zones, then overlays, where no other name stands already."""
        from matplotlib.patheffects import withStroke

        k, told = self.k, self.results.summary.zones
        taken: list[Any] = []
        frame = shapely.box(*self.bounds)
        for kind, size in (("zone", 9.5 * k), ("overlay", 7.5 * k)):
            chosen = self.zones[self.zones["kind"] == kind]
            if kind == "zone" and len(chosen) == 1:
                continue  # it is the region, and the title names it
            for key, shape in zip(chosen["zone"], chosen.geometry, strict=True):
                if key not in told or shapely.is_empty(shape):
                    continue
                name = self.letters.name(told[key].name, told[key].name_zh, most=32)
                place = label_place(shape)
                if not place.intersects(frame):
                    continue
                wide = self.letters.width(name, size, bold=kind == "zone")
                size_here = size * min(1.0, 0.93 * self.frame[2] / max(wide, 1.0))
                half = wide * size_here / size * self.scale / 2, 0.7 * size_here * self.scale
                y = place.y if self.whole else self.bounds[3] - 1.3 * half[1]
                x = min(max(place.x, self.bounds[0] + 1.05 * half[0]), self.bounds[2] - 1.05 * half[0])
                box = shapely.box(x - half[0], y - half[1], x + half[0], y + half[1])
                if name and not any(box.intersects(other) for other in taken):
                    taken.append(box)
                    self.axes.text(
                        x, y, name, ha="center", va="center", color=INK, zorder=8, parse_math=False,
                        fontproperties=self.letters.font(size_here, bold=kind == "zone"),
                        path_effects=[withStroke(linewidth=0.28 * size, foreground="white", alpha=0.85)],
                    )  # fmt: skip

    def _scale_bar(self) -> None:
        """Draw a scale of a round length, true in the middle of the map."""
        west, south, east, north = self.bounds
        back = pyproj.Transformer.from_crs(self.zones.crs, "EPSG:4326", always_xy=True)
        y = (south + north) / 2
        (lon0, lon1), (lat0, lat1) = back.transform([west, east], [y, y])
        true = pyproj.Geod(ellps="WGS84").inv(lon0, lat0, lon1, lat1)[2] / (east - west)
        nice = [n * 10**power for power in range(7) for n in (1, 2, 5)]
        metres = max((m for m in nice if m < 0.22 * true * (east - west)), default=1)
        k, scale, length = self.k, self.scale, metres / true
        x, y, tick = west + 14 * k * scale, south + 12 * k * scale, 4 * k * scale
        for colour, width, order in (("white", 4.5 * k, 8.9), (INK, 1.5 * k, 9.0)):
            self.axes.plot(
                [x, x, x + length, x + length], [y + tick, y, y, y + tick], color=colour, linewidth=width, zorder=order,
                solid_capstyle="butt", solid_joinstyle="miter",
            )  # fmt: skip
        kilo = metres >= 1000  # noqa: PLR2004
        told = f"{metres // 1000} km" if kilo else f"{metres} m"
        self._halo(x + length / 2, y + 4 * k * scale, told, 9 * k)

    def _north(self) -> None:
        """Draw an arrow to true north, which the grid's north is not quite."""
        from matplotlib.patches import Polygon

        _, south, east, north = self.bounds
        to = pyproj.Transformer.from_crs("EPSG:4326", self.zones.crs, always_xy=True)
        middle = ((self.bounds[0] + east) / 2, (south + north) / 2)
        lon, lat = pyproj.Transformer.from_crs(self.zones.crs, "EPSG:4326", always_xy=True).transform(*middle)
        dx, dy = np.subtract(to.transform(lon, lat + 0.01), to.transform(lon, lat))
        turn = np.array([[dy, dx], [-dx, dy]]) / np.hypot(dx, dy)
        unit = self.k * self.scale
        arrow = np.array([(0, 13), (7, -9), (0, -4), (-7, -9)]) @ turn.T * unit
        place = np.array([east - 22 * unit, north - 30 * unit])
        self.axes.add_artist(Polygon(arrow + place, facecolor=INK, edgecolor="white", linewidth=0.8 * self.k, zorder=9))
        tip = turn @ np.array([0, 15.5 * unit])
        x, y = place + tip
        self._halo(x, y, self.letters.say("N", "北"), 9 * self.k)

    def _halo(self, x: float, y: float, text: str, size: float) -> None:
        from matplotlib.patheffects import withStroke

        self.axes.text(
            x, y, text, ha="center", va="bottom", color=INK, zorder=9, parse_math=False,
            fontproperties=self.letters.font(size), path_effects=[withStroke(linewidth=0.3 * size, foreground="white")],
        )  # fmt: skip


def _outline(lines: NDArray[np.object_]) -> "Outline":
    """Make one path of many lines or rings."""
    from matplotlib.path import Path as Outline

    sizes = shapely.get_num_coordinates(lines)
    codes = np.full(int(sizes.sum()), Outline.LINETO, dtype=np.uint8)
    codes[(np.cumsum(sizes) - sizes)[sizes > 0]] = Outline.MOVETO
    return Outline(shapely.get_coordinates(lines), codes)
