"""Printed pages: headings, paragraphs, tables and maps set one below the other on as many sheets as they take."""

import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lifecircle.publish import legends
from lifecircle.publish.atlas import Map
from lifecircle.publish.lettering import Lettering, plain_drawing
from lifecircle.publish.pen import GREY, Pen, draw_legend, swatch

if TYPE_CHECKING:
    from matplotlib.backends.backend_pdf import PdfPages
    from matplotlib.figure import Figure

    from lifecircle.publish.results import Results

PAPER = {"A4": (595.28, 841.89), "A3": (841.89, 1190.55)}  # points, upright
_MARGIN = 36.0
_DOTS = 200  # to the inch, of what is not lines and letters
_LONGEST = 14  # lines of a table's cell
_STRIPE, _RULE = "#f3f5f4", "#b9c0bd"


@dataclass(frozen=True)
class Heading:
    """The name of a part."""

    text: str


@dataclass(frozen=True)
class Paragraph:
    """Running text."""

    text: str
    bold: bool = False
    small: bool = False


@dataclass(frozen=True)
class Notice:
    """What must not be overlooked."""

    text: str


@dataclass(frozen=True)
class Cell:
    """A figure or text, and what stands below it in small letters."""

    text: str
    small: str = ""


@dataclass(frozen=True)
class Table:
    """Rows under heads.

    Attributes
    ----------
    widths : sequence of float
        Of the columns, as shares of one another.
    right : frozenset of int
        Columns of figures.
    """

    heads: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    widths: Sequence[float]
    right: frozenset[int] = field(default_factory=frozenset)


@dataclass(frozen=True)
class Plate:
    """A map of a layer with its legend."""

    layer: str


Block = Heading | Paragraph | Notice | Table | Plate


def print_sheets(results: "Results", title: str, blocks: Sequence[Block], letters: Lettering, paper: str) -> bytes:
    """Set blocks on sheets of paper; the same blocks, fonts and versions give the same bytes.

    Parameters
    ----------
    title : str
        Stands on top of the first sheet, and at the foot of all.
    paper : {"A4", "A3"}
    """
    from matplotlib.backends.backend_pdf import PdfPages

    made = io.BytesIO()
    about = {"Title": title, "Creator": "lifecircle", "CreationDate": None, "ModDate": None, "Producer": None}
    with plain_drawing(), PdfPages(made, metadata=about) as file:
        press = _Press(results, title, letters, paper, file)
        press.pen.lines(title, 17 * press.k, bold=True, most=3)
        for block in blocks:
            press.put(block)
        press.finish()
    return made.getvalue()


class _Press:
    """Sets blocks from top to bottom, and turns to a new sheet where one is full."""

    def __init__(self, results: "Results", title: str, letters: Lettering, paper: str, file: "PdfPages") -> None:
        self.results, self.title, self.letters, self.file = results, title, letters, file
        self.width, self.height = PAPER[paper]
        self.k = {"A4": 1.0, "A3": 1.2}[paper]
        self.number = 0
        summary = results.summary
        told = [letters.name(line, most=300) for line in summary.attribution[:12]]
        self.foot = letters.wrap(" | ".join(told), 6.5 * self.k, self.width - 2 * _MARGIN)
        self.figure: Figure
        self.pen: Pen
        self._new()

    @property
    def bottom(self) -> float:
        """Where a sheet is full."""
        return self.height - _MARGIN - (len(self.foot) + 1) * 8.5 * self.k - 6

    def _new(self) -> None:
        from matplotlib.figure import Figure

        self.figure = Figure(figsize=(self.width / 72, self.height / 72), dpi=_DOTS)
        self.pen = Pen(self.figure, self.letters, _MARGIN, _MARGIN, self.width - 2 * _MARGIN)
        self.number += 1

    def finish(self) -> None:
        """Write the foot of the sheet, and put it into the file."""
        size, date = 6.5 * self.k, self.results.summary.data_date
        date = self.letters.name(date or self.letters.say("unknown date", "未知"), most=30)
        pen = Pen(self.figure, self.letters, _MARGIN, self.bottom + 6, self.width - 2 * _MARGIN)
        for line in self.foot:
            pen.lines(line, size, color=GREY)
        made = self.letters.say(f"Data of {date}. Made by lifecircle.", f"数据日期：{date}。由 lifecircle 生成。")
        pen.lines(made, size, color=GREY)
        title = self.letters.wrap(self.title, size, pen.width / 2, most=1)[0]
        pen.text(self.width - _MARGIN, pen.y - 0.25 * size, f"{title} | {self.number}", size, ha="right", color=GREY)
        self.file.savefig(self.figure)  # type: ignore[no-untyped-call, unused-ignore]

    def _room(self, high: float) -> None:
        """Turn to a new sheet unless so much fits on this one."""
        if self.pen.y + high > self.bottom and self.pen.y > _MARGIN:
            self.finish()
            self._new()

    def put(self, block: Block) -> None:
        """Set one block."""
        k = self.k
        if isinstance(block, Heading):
            self._room(90 * k)
            self.pen.y += 12 * k
            self.pen.lines(block.text, 12.5 * k, bold=True, color="#0b5f59")
            self.pen.y += 2 * k
        elif isinstance(block, Notice):
            self._room(40 * k)
            self.pen.y += 4 * k
            self.pen.notice(block.text, 9 * k)
            self.pen.y += 4 * k
        elif isinstance(block, Paragraph):
            size = (8 if block.small else 9.5) * k
            for line in self.letters.wrap(block.text, size, self.pen.width, bold=block.bold):
                self._room(1.3 * size)
                self.pen.lines(line, size, bold=block.bold, color=GREY if block.small else "#1d2528")
            self.pen.y += 2 * k
        elif isinstance(block, Table):
            self._table(block)
        else:
            self._plate(block)

    def _table(self, table: Table) -> None:
        k, size = self.k, 7.5 * self.k
        gap = 9 * k
        unit = (self.pen.width - gap * (len(table.widths) - 1)) / sum(table.widths)
        widths = [unit * width for width in table.widths]
        lefts = [_MARGIN + sum(widths[:n]) + n * gap for n in range(len(widths))]
        heads = [Cell(text) for text in table.heads]
        first = True
        for number, row in enumerate(table.rows):
            lines, high = self._set(row, widths, size)
            before = self.number
            self._room(high + (30 * k if first else 0))
            if first or self.number != before:
                self._row(*self._set(heads, widths, size, bold=True), (lefts, widths), size, table.right, "")
                self.pen.line((_MARGIN, _MARGIN + self.pen.width), (self.pen.y,) * 2, _RULE, 0.8 * k)
                first = False
            self._row(lines, high, (lefts, widths), size, table.right, _STRIPE if number % 2 else "")
        self.pen.y += 4 * k

    def _set(
        self, row: Sequence[Cell], widths: Sequence[float], size: float, *, bold: bool = False
    ) -> tuple[list[list[tuple[str, float, bool]]], float]:
        """Break the cells of a row into lines; return them with the height of the row."""
        found = []
        for cell, width in zip(row, widths, strict=True):
            texts = ((cell.text, size, bold), (cell.small, 0.82 * size, False))
            found.append(
                [
                    (line, letters, thick)
                    for text, letters, thick in texts
                    for part in text.splitlines()
                    for line in self.letters.wrap(part, letters, width, bold=thick, most=_LONGEST)
                ]
            )
        return found, max(sum(1.25 * one for _, one, _ in lines) for lines in found) + 0.5 * size

    def _row(
        self,
        cells: list[list[tuple[str, float, bool]]],
        high: float,
        columns: tuple[list[float], list[float]],
        size: float,
        right: frozenset[int],
        ground: str,
    ) -> None:
        pen = self.pen
        if ground:
            pen.box(_MARGIN - 2, pen.y, pen.width + 4, high, ground, zorder=-2)
        for number, (lines, left, width) in enumerate(zip(cells, *columns, strict=True)):
            y = pen.y + 0.2 * size
            for line, letters, bold in lines:
                y += 1.25 * letters
                x, side = (left + width, "right") if number in right else (left, "left")
                small = letters < size
                pen.text(x, y - 0.2 * letters, line, letters, bold=bold, ha=side, color=GREY if small else "#1d2528")
        pen.y += high

    def _plate(self, plate: Plate) -> None:
        k, pen = self.k, self.pen
        shown = legends.shown(self.results, plate.layer, self.letters)
        left = self.bottom - pen.y - 40 * k
        high = min(0.62 * pen.width, left if left > 0.45 * pen.width else self.bottom - _MARGIN - 40 * k)
        self._room(high + 36 * k)
        pen = self.pen
        pen.y += 4 * k
        pen.lines(shown.legend.title, 9.5 * k, bold=True)
        pen.y += 3 * k
        top, beside = pen.y, 0.3 * pen.width
        frame = (_MARGIN, top, pen.width - beside - 10 * k, high)
        ground = Map(self.figure, self.results, shown, self.letters, frame, 0.8 * k).draw()
        key = Pen(self.figure, self.letters, _MARGIN + pen.width - beside, top, beside)
        draw_legend(key, shown.legend, 8 * k, high - 13 * k * len(ground) - 8 * k)
        key.y += 6 * k
        for row in ground:
            key.y += 13 * k
            swatch(key, row, (key.x, key.y - 3.5 * k, 13 * k, 7 * k))
            key.text(key.x + 18 * k, key.y - 0.6 * k, row.label, 8 * k, color=GREY)
        pen.y = top + high + 6 * k
