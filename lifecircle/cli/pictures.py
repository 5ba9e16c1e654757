"""Verbs that make something to show of a results folder: map, report."""

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from typer.core import TyperCommand

from lifecircle.cli.options import Json, app
from lifecircle.language import say, spoken
from lifecircle.publish.terminal import show_table, tell

if TYPE_CHECKING:
    from lifecircle.publish.results import Results

Folder = Annotated[Path, typer.Argument(metavar="FOLDER", help="A results folder.")]

_PDF = b"%PDF-"
_PNG = b"\x89PNG\r\n\x1a\n"


class _Bare(TyperCommand):
    """A verb with an option that may stand without a value: ``--png`` is then ``--png=``."""

    bare = ("--png", "--pdf")

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Give the option its empty value where no value follows it."""
        following = [*args[1:], "-"]
        said = [
            f"{word}=" if word in self.bare and after.startswith("-") else word
            for word, after in zip(args, following, strict=True)
        ]
        return super().parse_args(ctx, said)


@app.command("map", cls=_Bare)
def map_(  # noqa: PLR0917
    folder: Folder,
    png: Annotated[
        str | None, typer.Option("--png", metavar="[FILE]", help="Picture to write; default: FOLDER-LAYER.png here.")
    ] = None,
    layer: Annotated[str, typer.Option("--layer", metavar="NAME", help="What to show; --list names all.")] = "unmet",
    size: Annotated[
        str | None, typer.Option(metavar="WxH", help="Width and height in pixels [1920x1080, which fills a slide].")
    ] = None,
    dpi: Annotated[
        float | None,
        typer.Option(help="Pixels to the inch [144]; without --size the picture stays as large as a slide."),
    ] = None,
    listing: Annotated[bool, typer.Option("--list", help="Name the layers there are, and draw nothing.")] = False,
    as_json: Json = False,
    debug: Annotated[bool, typer.Option("--debug", hidden=True)] = False,
) -> None:
    """Draw a layer of a results folder as a picture for slides: walks (minutes or metres), unmet needs, gaps, causes.

    With a legend (people by class, as in summary.json), outlines, scale, north, sources and date. A picture that is
    there already is replaced, any other file is not.
    """
    from lifecircle.publish.legends import listed, named
    from lifecircle.publish.lettering import Lettering
    from lifecircle.publish.results import Results

    results = Results.of_folder(folder)
    if listing:
        rows = [(key, what) for key, what in listed(results, Lettering.of(spoken()))]
        show_table(("layer", "what"), rows, as_json=as_json)
        return
    from lifecircle.publish.files import write_made
    from lifecircle.publish.pictures import DPI, SIZE, picture

    named(results, layer)
    scale = (dpi or DPI) / DPI
    pixels = _pixels(size) if size is not None else (round(SIZE[0] * scale), round(SIZE[1] * scale))
    target = _target(png, folder, f"-{layer.replace(':', '-')}.png")
    write_made(
        target,
        lambda: picture(results, layer, lang=spoken(), size=pixels, dpi=dpi or DPI),
        starts=_PNG,
        what="a PNG picture",
    )
    _tell(target, results, as_json=as_json)


@app.command(cls=_Bare)
def report(
    folder: Folder,
    pdf: Annotated[
        str | None, typer.Option("--pdf", metavar="[FILE]", help="PDF to write; default: FOLDER.pdf here.")
    ] = None,
    paper: Annotated[Literal["A4", "A3"], typer.Option("--paper", help="Size of the sheets, upright.")] = "A4",
    plain: Annotated[
        bool, typer.Option("--plain", help="Short pages made without a browser: the main figures and one map.")
    ] = False,
    as_json: Json = False,
    debug: Annotated[bool, typer.Option("--debug", hidden=True)] = False,
) -> None:
    """Print the report of a results folder as a PDF: by Chromium if there is one, else short pages made without it.

    LIFECIRCLE_CHROMIUM names a Chromium or Chrome that is not found by itself. What is printed is a copy of the page,
    without scripts and without network. A PDF that is there already is replaced, any other file is not.
    """
    from lifecircle.publish import browser
    from lifecircle.publish.files import write_made
    from lifecircle.publish.paper import paper as short
    from lifecircle.publish.results import Results

    results = Results.of_folder(folder)
    program = None if plain else browser.find(os.environ.get("LIFECIRCLE_CHROMIUM"))
    target = _target(pdf, folder, ".pdf")

    def make() -> bytes:
        if program is None:
            return short(results, lang=spoken(), size=paper)
        return browser.printed(results, program, lang=spoken(), size=paper)

    write_made(target, make, starts=_PDF, what="a PDF")
    if program is None and not plain:
        tell(
            say(
                "No Chromium was found: these are the short pages (LIFECIRCLE_CHROMIUM names one).",
                "未找到 Chromium：所写为简版（可用 LIFECIRCLE_CHROMIUM 指明）。",
            ),
            err=True,
        )
    _tell(target, results, as_json=as_json)


def _target(said: str | None, folder: Path, ending: str) -> Path:
    """Name the file to write: as said, or after the folder, in the working directory."""
    target = Path(said) if said else Path(f"{folder.resolve().name or 'results'}{ending}")
    kind = ending[ending.rindex(".") :]
    if target.suffix.casefold() not in {"", kind} and not target.exists():  # of what is there more is said later
        raise typer.BadParameter(f"{target.name} would hold what its name does not say; expected a name in {kind}")
    return target


def _tell(target: Path, results: "Results", *, as_json: bool) -> None:
    """Say what was written, and that it is of a model if it is."""
    if as_json:
        show_table(("path", "notice"), [(str(target), results.summary.notice or "")], as_json=True)
        return
    if results.summary.notice:
        notice = results.summary.notice
        tell(say(notice, results.summary.notice_zh or notice))
    tell(say(f"{target} written", f"已写出 {target}"))


def _pixels(text: str) -> tuple[int, int]:
    """Read ``1920x1080``."""
    found = re.fullmatch(r"(\d{1,6})\s*[xX×]\s*(\d{1,6})", text.strip())
    if found is None:
        raise typer.BadParameter(
            f"cannot read {text!r}; expected width and height in pixels, such as 1920x1080", param_hint="--size"
        )
    return int(found[1]), int(found[2])
