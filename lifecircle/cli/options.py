"""What the verbs share: the options a study can be asked for by, and the bar that shows its stages."""

import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Optional

import typer

from lifecircle.language import say

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lifecircle.result import Progress
    from lifecircle.study import Study

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Walking access, coverage and gaps of the 15-minute life circle (15分钟社区生活圈).",
)

_LONGEST = 20_000  # minutes or metres of an isochrone
STAGES = {
    "boundary": ("finding the boundary", "查找边界"),
    "read": ("reading the data", "读取数据"),
    "network": ("building the network", "构建路网"),
    "facilities": ("finding facilities and entrances", "查找设施与入口"),
    "cells": ("placing the residential cells", "布置居住格网"),
    "check": ("checking the data", "检查数据"),
    "compile": ("compiling the engine (once)", "编译引擎（仅一次）"),
    "search": ("walking from every cell", "从每个格网出发步行"),
    "judge": ("judging", "评判"),
    "indicators": ("weighing choice and capacity", "衡量选择与容量"),
    "gaps": ("finding gaps and their causes", "查找缺口及其原因"),
    "proof": ("checking itself", "自我核验"),
    "promises": ("asking for whom, and by when", "对照人群与期限"),
    "tables": ("writing tables", "写出表格"),
    "pages": ("drawing pages", "绘制页面"),
}

Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]
OsmOption = Annotated[
    Path | None, typer.Option("--osm", help="OpenStreetMap extract (.osm.pbf, .osm, .osm.gz, .osm.bz2).")
]
PopulationOption = Annotated[
    Optional[list[Path]],  # noqa: UP045
    typer.Option(help="Raster of people per pixel, any CRS; a VRT, or each of its tiles by an option of its own."),
]
BandOption = Annotated[
    Optional[int],  # noqa: UP045
    typer.Option("--population-band", metavar="N", min=1, help="Which band of the raster of people is read [1]."),
]
ElevationOption = Annotated[
    Optional[list[Path]],  # noqa: UP045
    typer.Option(help="Raster of elevation in metres; a VRT, or each of its tiles by an option of its own."),
]
BoundaryOption = Annotated[Optional[Path], typer.Option(help="GeoJSON of the zones, WGS84.")]  # noqa: UP045
BoxOption = Annotated[Optional[str], typer.Option(metavar="W,S,E,N", help="A box in degrees instead of a boundary.")]  # noqa: UP045
PlaceOption = Annotated[Optional[str], typer.Option(metavar="NAME|ID", help="An area of the extract instead.")]  # noqa: UP045
FacilitiesOption = Annotated[
    Optional[list[Path]],  # noqa: UP045
    typer.Option(
        "--facilities", metavar="FILE", help="A list of facilities (CSV, Excel, GeoJSON, GeoPackage); may be repeated."
    ),
]
ServiceOption = Annotated[
    Optional[list[str]],  # noqa: UP045
    typer.Option(
        "--service", metavar="KEY|TITLE", help="What the rows of the list before it give; default: its column."
    ),
]
DatumOption = Annotated[
    Optional[list[str]],  # noqa: UP045
    typer.Option("--datum", metavar="DATUM", help="Of the list's coordinates: wgs84, gcj02, bd09 or epsg:N."),
]
SheetOption = Annotated[
    Optional[list[str]],  # noqa: UP045
    typer.Option("--sheet", metavar="NAME", help="Sheet of the list's workbook, or layer of its GeoPackage."),
]
NoCache = Annotated[
    bool, typer.Option("--no-cache", help="Make every stage anew, and keep none for later runs (`lifecircle cache`).")
]
LevelOption = Annotated[Optional[int], typer.Option(help="Zones: every area of this admin_level in the --place.")]  # noqa: UP045


def study_of(what: str | None, **keys: Any) -> "Study":
    """Build the study from a file, a region or options; options change what the file says."""
    from lifecircle.errors import StandardError
    from lifecircle.study import Study

    said = {key: _absolute(value) for key, value in keys.items() if value is not None and value != []}
    if what is None:
        if "osm" not in said:
            raise StandardError(
                "nothing to run: give a study file, a region (lifecircle regions), "
                "or --osm with --boundary, --bbox or --place"
            )
        if (place := keys.get("place")) and not place["boundary"][0].isdigit():
            said.setdefault("title", place["boundary"][0])
        said.setdefault("name", stem(Path(said["osm"]).name.split(".")[0]))
        return Study.from_keys(said)
    study = Study.from_toml(what) if what.endswith(".toml") else Study.from_region(what, keys=said)
    return study.changed(**said)


def _absolute(value: Any) -> Any:
    """Make paths absolute; tiles that are one are a file."""
    if isinstance(value, list) and value and isinstance(value[0], Path):
        paths = [str(path.resolve()) for path in value]
        return paths[0] if len(paths) == 1 else paths
    return str(value.resolve()) if isinstance(value, Path) else value


def stem(name: str) -> str:
    """Make a name a study can have."""
    return "".join(c if c.isascii() and (c.isalnum() or c in "._-") else "-" for c in name).strip("-._") or "study"


def lists(
    facilities: list[Path] | None, services: list[str] | None, datums: list[str] | None, sheets: list[str] | None
) -> list[dict[str, Any]] | None:
    """Make the keys of lists of facilities: one service, datum and sheet for all, or one for each in their order."""
    found: list[dict[str, Any]] = [{"table": str(path.resolve())} for path in facilities or []]
    for option, key, values in (
        ("--service", "service", services), ("--datum", "datum", datums), ("--sheet", "sheet", sheets),
    ):  # fmt: skip
        if values and not found:
            raise typer.BadParameter(
                say(
                    f"it says something of a list of facilities, and none is given; add --facilities FILE, or write "
                    f"{key} into the [[facilities]] of a study file"
                    + (" (--services chooses which services are computed)" if key == "service" else ""),
                    "它说明的是设施名单，但没有给出名单；请加上 --facilities 文件，"
                    f"或在研究文件的 [[facilities]] 中写明 {key}"
                    + ("（要选择计算哪些服务请用 --services）" if key == "service" else ""),
                ),
                param_hint=option,
            )
        if values and len(values) not in {1, len(found)}:
            raise typer.BadParameter(
                f"{len(values)} are given for {len(found)} lists (--facilities); expected one for all, or one for each",
                param_hint=option,
            )
        for one, value in zip(found, (values or []) * (1 if len(values or []) != 1 else len(found)), strict=False):
            one[key] = value
    return found or None


def choices(text: str | None) -> dict[str, float] | None:
    """Read ``kindergarten=500,nursery=300``."""
    if text is None:
        return None
    found = {}
    for part in text.split(","):
        key, _, value = part.partition("=")
        try:
            found[key.strip()] = float(value)
        except ValueError as error:
            raise typer.BadParameter(
                f"{part!r} is no choice; expected SERVICE=NUMBER, for example kindergarten=500", param_hint="--choose"
            ) from error
    return found


def box(text: str | None) -> tuple[float, ...] | None:
    """Read ``W,S,E,N``."""
    return None if text is None else tuple(numbers(text, 4, "a box W,S,E,N such as 121.80,30.85,121.95,30.95"))


def place_of(text: str | None, zones_level: int | None) -> dict[str, Any] | None:
    """Make the keys of a place out of its name or id."""
    from lifecircle.errors import StandardError

    if text is None and zones_level is not None:
        raise StandardError(
            "--zones-level parts a --place into zones; give one, or write a study file (lifecircle new)"
        )
    return None if text is None else {"boundary": [text], "zones_level": zones_level}


def around(osm: Path | None, boundary: Path | None, lon: float, lat: float) -> tuple[float, ...] | None:
    """Small box around a place, for a walk on an extract with no region named."""
    return (lon - 0.002, lat - 0.002, lon + 0.002, lat + 0.002) if osm is not None and boundary is None else None


def numbers(text: str, n: int | None, expected: str) -> list[float]:
    """Read finite numbers with commas between: ``n`` of them, or limits of a walk where None."""
    import math

    from lifecircle.errors import StandardError

    try:
        found = [float(part) for part in text.split(",")]
    except ValueError:
        found = []
    if not found or (n is not None and len(found) != n) or not all(math.isfinite(value) for value in found):
        raise StandardError(f"cannot read {text!r}; expected {expected}")
    if n is None and not all(0 < value <= _LONGEST for value in found):
        raise StandardError(f"limits must be above 0 and at most {_LONGEST:,}, got {text!r}")
    return found


@contextmanager
def bar(*, quiet: bool) -> "Iterator[Progress | None]":
    """Show stages and counts on a terminal; say nothing where a machine reads."""
    if quiet or os.environ.get("TERM") == "dumb":
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bars

    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        TextColumn("{task.fields[count]}"),
        TimeElapsedColumn(),
    )
    with Bars(*columns, console=Console(stderr=True)) as bars:
        tasks: dict[str, Any] = {}

        def tell(stage: str, done: int | None, total: int | None) -> None:
            if stage not in tasks:
                for task in tasks.values():
                    bars.update(task, total=1, completed=1)
                tasks[stage] = bars.add_task(say(*STAGES.get(stage, (stage, stage))), total=None, count="")
            if done is not None:
                count = f"{done:,}" + (f" of {total:,}" if total is not None else "")
                bars.update(tasks[stage], completed=done, total=total, count=count)

        yield tell
        for task in tasks.values():
            bars.update(task, total=1, completed=1)
