"""Static pictures of results for slides: one layer of the map with its legend, as PNG."""

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lifecircle.errors import StandardError
from lifecircle.publish import legends
from lifecircle.publish.atlas import Map
from lifecircle.publish.lettering import Lettering, plain_drawing
from lifecircle.publish.pen import GREY, Pen, draw_legend, swatch

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from lifecircle.publish.results import Results

SIZE = (1920, 1080)  # pixels
DPI = 144  # at which SIZE fills a slide of 13.33 by 7.5 inches
_SLIDE = (SIZE[0] / DPI, SIZE[1] / DPI)  # inches: what sizes of letters and lines are meant for
_SHEET = (8.0, 14.0)  # the same for a picture that is narrower than this share of its height:
_UPRIGHT = 0.85
_LEAST, _MOST = 320, 12_000  # pixels of a side


@dataclass(frozen=True, repr=False)
class Picture:
    """A PNG that shows itself in a notebook."""

    png: bytes

    def _repr_png_(self) -> bytes:
        return self.png


def picture(
    results: "Results", layer: str = "unmet", *, lang: str = "en", size: tuple[int, int] = SIZE, dpi: float = DPI
) -> bytes:
    """Draw a layer with its legend, title, outlines, scale, attribution and date.

    Parameters
    ----------
    results : Results
    layer : str
        A key of `lifecircle.publish.legends.layers`.
    lang : {"en", "zh"}
        Chinese needs a font that can write it; without one a warning is logged, and the text is English.
    size : (int, int)
        Width and height in pixels; letters grow with the picture.
    dpi : float
        Pixels to the inch: how large programs show the picture.

    Returns
    -------
    bytes
        A PNG; the same for the same results, fonts and versions.

    Raises
    ------
    DataError
        A file of the results is damaged.
    StandardError
        There is no such layer or language, or the size is out of range.
    """
    if not all(_LEAST <= side <= _MOST for side in size) or not 20 <= dpi <= 1200:  # noqa: PLR2004
        raise StandardError(
            f"cannot draw {size[0]} by {size[1]} pixels at {dpi:g} to the inch; expected sides of {_LEAST} to {_MOST} "
            "pixels, and 20 to 1200 to the inch"
        )
    letters = Lettering.of(lang)
    with plain_drawing():
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        figure = Figure(figsize=((size[0] + 0.01) / dpi, (size[1] + 0.01) / dpi), dpi=dpi, facecolor="white")
        FigureCanvasAgg(figure)
        _Card(figure, results, layer, letters).draw()
        letters.finish()
        made = io.BytesIO()
        figure.savefig(made, format="png", dpi=dpi, metadata={"Software": None})
    return made.getvalue()


@dataclass(eq=False)
class _Card:
    """A picture being made: the map, what stands beside it, and the line of sources below."""

    figure: "Figure"
    results: "Results"
    layer: str
    letters: Lettering

    def draw(self) -> None:
        width, height = 72 * self.figure.get_figwidth(), 72 * self.figure.get_figheight()
        upright = width < _UPRIGHT * height
        meant = _SHEET if upright else _SLIDE
        k = min(width / 72 / meant[0], height / 72 / meant[1])  # of sizes as they are meant
        pad, summary, letters = 16 * k, self.results.summary, self.letters
        shown = legends.shown(self.results, self.layer, letters)
        foot = self._foot(pad, width, height, k)
        beside = 0.36 * width
        if upright:
            here = (pad, pad, width - 2 * pad, 0.56 * height)
            pen = Pen(self.figure, letters, pad, pad + 0.57 * height, width - 2 * pad)
        else:
            here = (pad, pad, width - beside - 3 * pad, foot - 1.6 * pad)
            pen = Pen(self.figure, letters, width - beside - pad, pad, beside)
        pen.lines(letters.name(summary.title, summary.title_zh, most=90), 17 * k, bold=True, most=3)
        pen.y += 6 * k
        if summary.notice:
            pen.notice(letters.name(summary.notice, summary.notice_zh or "", most=300), 10 * k)
            pen.y += 8 * k
        pen.lines(shown.legend.title, 16 * k, bold=True, most=2, color="#0b5f59")
        pen.y += 3 * k
        pen.lines(shown.legend.sentence, 12.5 * k, most=5)
        pen.y += 6 * k
        land = Map(self.figure, self.results, shown, letters, here, k)
        ground = land.draw()
        notes = [line for note in shown.legend.notes for line in letters.wrap(note, 9.5 * k, pen.width, most=3)]
        room = foot - pen.y - 16 * k * (-(-len(ground) // 2)) - 12.5 * k * len(notes) - 22 * k
        draw_legend(pen, shown.legend, 12.5 * k, room)
        pen.y += 8 * k
        for line in notes:
            pen.lines(line, 9.5 * k, color=GREY)
        pen.y += 6 * k
        for ix, row in enumerate(ground):  # what every picture shows, two abreast
            x = pen.x + (ix % 2) * pen.width / 2
            y = pen.y + 16 * k * (ix // 2 + 1)
            swatch(pen, row, (x, y - 4 * k, 15 * k, 9 * k))
            pen.text(x + 20 * k, y - 0.5 * k, row.label, 10 * k, color=GREY)

    def _foot(self, pad: float, width: float, height: float, k: float) -> float:
        """Write whose data it is and of when; return where that begins."""
        summary, letters = self.results.summary, self.letters
        date = letters.name(summary.data_date or letters.say("unknown date", "未知"), most=30)
        made = letters.say(f"Data of {date}. Made by lifecircle.", f"数据日期：{date}。由 lifecircle 生成。")
        told = " | ".join([*(letters.name(line, most=300) for line in summary.attribution[:12]), made])
        size = 7.5 * k
        lines = letters.wrap(told, size, width - 2 * pad)
        top = height - pad - 1.3 * size * len(lines)
        pen = Pen(self.figure, letters, pad, top, width - 2 * pad)
        pen.lines(told, size, color=GREY)
        return top
