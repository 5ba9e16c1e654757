"""Writing on a figure: lines of text from top to bottom, notices, and the tables of legends."""

from typing import TYPE_CHECKING, Any

from lifecircle.publish.legends import Legend, Row
from lifecircle.publish.lettering import Lettering

if TYPE_CHECKING:
    from matplotlib.figure import Figure

INK, GREY = "#1d2528", "#4d585c"
_LEAST = 0.75  # what letters of a legend shrink to for a long name, before the name is cut
_NOTICE, _NOTICE_EDGE = "#fdf1e4", "#c2571a"


class Pen:
    """Writes on a figure from top to bottom, in points from its upper left corner.

    Attributes
    ----------
    x, y, width : float
        Where the next line goes, and how wide it may be.
    """

    def __init__(self, figure: "Figure", letters: Lettering, x: float, y: float, width: float) -> None:
        self.figure, self.letters = figure, letters
        self.x, self.y, self.width = x, y, width
        self.whole = (72 * figure.get_figwidth(), 72 * figure.get_figheight())

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Return a place of the figure, as matplotlib counts."""
        return x / self.whole[0], 1 - y / self.whole[1]

    def text(self, x: float, y: float, text: str, size: float, *, bold: bool = False, **more: Any) -> None:
        """Write one line whose letters stand on ``y``."""
        style: dict[str, Any] = {"color": INK, "ha": "left", "va": "baseline", "parse_math": False} | more
        self.figure.text(*self.at(x, y), text, fontproperties=self.letters.font(size, bold=bold), **style)

    def lines(self, text: str, size: float, *, bold: bool = False, most: int = 0, **more: Any) -> None:
        """Write a text in as many lines as it takes."""
        for line in self.letters.wrap(text, size, self.width, bold=bold, most=most):
            self.y += 1.3 * size
            self.text(self.x, self.y - 0.25 * size, line, size, bold=bold, **more)

    def notice(self, text: str, size: float) -> None:
        """Write what must not be overlooked."""
        pad, top = 0.6 * size, self.y
        self.x, self.width = self.x + 1.6 * pad, self.width - 2.4 * pad
        self.y += 0.5 * pad
        self.lines(text, size, bold=True)
        self.y += 0.6 * pad
        self.x, self.width = self.x - 1.6 * pad, self.width + 2.4 * pad
        self.box(self.x, top, self.width, self.y - top, _NOTICE, zorder=-2)
        self.box(self.x, top, 0.6 * pad, self.y - top, _NOTICE_EDGE, zorder=-1)

    def box(self, x: float, y: float, width: float, height: float, colour: str, **more: Any) -> None:
        """Fill a rectangle whose upper left corner is given."""
        from matplotlib.patches import Rectangle

        size, style = (width / self.whole[0], height / self.whole[1]), {"edgecolor": "none"} | more
        self.figure.add_artist(
            Rectangle(self.at(x, y + height), *size, transform=self.figure.transFigure, facecolor=colour, **style)
        )

    def line(self, x: tuple[float, float], y: tuple[float, float], colour: str, width: float, **more: Any) -> None:
        """Draw a straight line."""
        from matplotlib.lines import Line2D

        ends = [self.at(*end) for end in zip(x, y, strict=True)]
        self.figure.add_artist(
            Line2D(*zip(*ends, strict=True), color=colour, linewidth=width, transform=self.figure.transFigure, **more)
        )


def draw_legend(pen: Pen, legend: Legend, size: float, room: float) -> None:
    """Write a legend's table below the pen; its letters shrink where it would not fit into ``room`` points."""
    rows = [*legend.rows, *([legend.total] if legend.total else [])]
    high = 1.55 * size * (len(rows) + 1.2)
    letters = pen.letters
    wide = 4.6 * size + max((letters.width(row.label, size) for row in legend.rows if row.shown), default=0.0)
    wide += sum(max(letters.width(told[n], size) + 1.6 * size for told in [*(row.shown for row in rows), legend.columns]
                    if n < len(told)) for n in range(len(legend.columns)))  # fmt: skip
    size *= min(1.0, room / high, max(_LEAST, pen.width / wide))
    step = 1.55 * size
    right = pen.x + pen.width
    figures = [row.shown for row in rows] + [legend.columns]
    widths = [max(letters.width(row[n], size) for row in figures if n < len(row)) for n in range(len(legend.columns))]
    ends = [right - sum(widths[n + 1 :]) - 1.6 * size * (len(widths) - 1 - n) for n in range(len(widths))]
    pen.y += step
    if legend.head:
        pen.text(pen.x, pen.y - 0.4 * size, legend.head, size, color=GREY)
    for end, column in zip(ends, legend.columns, strict=True):
        pen.text(end, pen.y - 0.4 * size, column, size, ha="right", color=GREY)
    for row in rows:
        pen.y += step
        middle, base = pen.y - 0.62 * step, pen.y - 0.4 * step
        last = row is legend.total
        if last:
            pen.line((pen.x, right), (pen.y - step, pen.y - step), GREY, 0.06 * size)
        if row.mark != "rule":
            swatch(pen, row, (pen.x, middle, 1.7 * size, 1.05 * size))
        x = pen.x + (0 if row.mark == "rule" and not last else 2.3 * size)
        room_of = (ends[0] - widths[0] - 0.8 * size if row.shown else right) - x
        smaller = size if row.mark != "rule" or last else 0.92 * size
        label = letters.wrap(row.label, smaller, room_of, most=1)[0]
        pen.text(x, base, label, smaller, bold=last, color=GREY if row.mark == "rule" and not last else INK)
        for end, told in zip(ends, row.shown, strict=False):
            pen.text(end, base, told, size, ha="right", bold=last)


def swatch(pen: Pen, row: Row, place: tuple[float, float, float, float]) -> None:
    """Draw the sign of a legend's row; ``place`` is its left end, its middle, its width and its height."""
    x, y, width, height = place
    if row.mark == "area":
        pen.box(x, y - height / 2, width, height, row.colour, edgecolor="#777777", linewidth=0.05 * height)
    elif row.mark in {"line", "dashed"}:
        style = {"linestyle": (0, (4, 3))} if row.mark == "dashed" else {}
        pen.line((x, x + width), (y, y), row.colour, 0.16 * height, **style)
    else:
        pen.line(
            (x + width / 2,) * 2, (y, y), row.colour, 0, marker=row.shape, markersize=0.75 * height,
            markerfacecolor="white" if row.mark == "hollow" else row.colour, markeredgewidth=0.12 * height,
            markeredgecolor=row.colour if row.mark == "hollow" else "white",
        )  # fmt: skip
