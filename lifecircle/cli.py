"""The command line: parse, call one public function, print."""

import gc
import json
import logging
import os
import sys
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Optional

import typer

from lifecircle.errors import LifecircleError
from lifecircle.publish.terminal import show_findings, show_standard, show_table

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
standards_app = typer.Typer(no_args_is_help=False, help="What must be near: list the standards, or show one.")
app.add_typer(standards_app, name="standards")

_LONGEST = 20_000  # minutes or metres of an isochrone
STAGES = {
    "boundary": "finding the boundary",
    "read": "reading the data",
    "network": "building the network",
    "facilities": "finding facilities and entrances",
    "cells": "placing the residential cells",
    "check": "checking the data",
    "compile": "compiling the engine (once)",
    "search": "walking from every cell",
    "judge": "judging",
    "indicators": "weighing choice and capacity",
    "gaps": "finding gaps and their causes",
    "promises": "asking for whom, and by when",
    "tables": "writing tables",
    "pages": "drawing pages",
}


def main() -> None:
    """Run the command line; every foreseen failure is one message and an exit code."""
    debug = "--debug" in sys.argv
    logging.basicConfig(level=logging.DEBUG if debug else logging.WARNING, format="%(name)s: %(message)s")
    for noisy in ("numba", "matplotlib", "fiona", "rasterio", "pyogrio"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    # Looking for cycles among the tags of a city costs more than a command leaves behind before it ends.
    gc.disable()
    try:
        app(standalone_mode=True)
    except LifecircleError as error:
        if debug:
            raise
        typer.echo(f"lifecircle: {error}", err=True)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        typer.echo("lifecircle: stopped; nothing was changed", err=True)
        sys.exit(130)
    finally:
        gc.enable()


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"lifecircle {metadata.version('lifecircle')}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks and details.")] = False,
) -> None:
    pass


Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]
OsmOption = Annotated[
    Path | None, typer.Option("--osm", help="OpenStreetMap extract (.osm.pbf, .osm, .osm.gz, .osm.bz2).")
]
PopulationOption = Annotated[Optional[Path], typer.Option(help="Raster of people per pixel, any CRS.")]  # noqa: UP045
ElevationOption = Annotated[Optional[Path], typer.Option(help="Raster of elevation in metres.")]  # noqa: UP045
BoundaryOption = Annotated[Optional[Path], typer.Option(help="GeoJSON of the zones, WGS84.")]  # noqa: UP045
BoxOption = Annotated[Optional[str], typer.Option(metavar="W,S,E,N", help="A box in degrees instead of a boundary.")]  # noqa: UP045
PlaceOption = Annotated[Optional[str], typer.Option(metavar="NAME|ID", help="An area of the extract instead.")]  # noqa: UP045
LevelOption = Annotated[Optional[int], typer.Option(help="Zones: every area of this admin_level in the --place.")]  # noqa: UP045


@app.command()
def run(  # noqa: PLR0917
    what: Annotated[
        str | None, typer.Argument(metavar="[STUDY.toml|REGION]", help="A study file, or a region by name.")
    ] = None,
    osm: OsmOption = None,
    population: PopulationOption = None,
    elevation: ElevationOption = None,
    boundary: BoundaryOption = None,
    bbox: BoxOption = None,
    place: PlaceOption = None,
    zones_level: LevelOption = None,
    hard_barrier: Annotated[Optional[Path], typer.Option(help="GeoJSON of areas nobody gets past, WGS84.")] = None,  # noqa: UP045
    name: Annotated[Optional[str], typer.Option(help="Name of the run; default: from the data.")] = None,  # noqa: UP045
    title: Annotated[Optional[str], typer.Option(help="What the pages are headed.")] = None,  # noqa: UP045
    standard: Annotated[Optional[str], typer.Option(help="A standard by name, or a .toml file.")] = None,  # noqa: UP045
    services: Annotated[Optional[str], typer.Option(metavar="A,B", help="Only these services of the standard.")] = None,  # noqa: UP045
    profile: Annotated[Optional[str], typer.Option(help="Who walks, by name or .toml file; metre rules stay.")] = None,  # noqa: UP045
    gates: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(metavar="POLICY", help="Private ways for everybody: open, residents or closed [as profiles say]."),
    ] = None,
    choose: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(metavar="A=500,B=300", help="Judge services by another number a text of the standard says."),
    ] = None,
    zone_class: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(metavar="CLASS", help="Class of the zones that name none, where thresholds differ by it."),
    ] = None,
    built: Annotated[Optional[str], typer.Option(help="new or existing: leave out norms for the other.")] = None,  # noqa: UP045
    year: Annotated[Optional[int], typer.Option(help="Facilities open in this year.")] = None,  # noqa: UP045
    cutoff_s: Annotated[Optional[float], typer.Option(help="How far to search, seconds [1800].")] = None,  # noqa: UP045
    cutoff_m: Annotated[Optional[float], typer.Option(help="How far to search for metre rules, metres [2000].")] = None,  # noqa: UP045
    out: Annotated[Optional[Path], typer.Option(help="Results folder; default: maps/NAME.")] = None,  # noqa: UP045
    threads: Annotated[Optional[int], typer.Option(min=1, help="Default: one per processor.")] = None,  # noqa: UP045
    as_json: Json = False,
    debug: Annotated[bool, typer.Option("--debug", hidden=True)] = False,
) -> None:
    """Compute coverage and gaps of a region and write the results folder."""
    study = _study(
        what, osm=osm, population=population, elevation=elevation, boundary=boundary, bbox=_box(bbox), name=name,
        place=_place(place, zones_level), hard_barrier=hard_barrier, title=title, standard=standard, profile=profile,
        services=services.split(",") if services else None, gates=gates, choose=_choices(choose),
        zone_class=zone_class, built=built, year=year,
        cutoff_s=cutoff_s, cutoff_m=cutoff_m, out=out,
    )  # fmt: skip
    with _bar(quiet=as_json) as progress:
        prepared = study.prepare(progress=progress)
        line = prepared.check.line
    if not as_json:
        typer.echo(line)
    with _bar(quiet=as_json) as progress:
        result = prepared.run(threads=threads, progress=progress)
        folder = result.write(progress=progress)
    if as_json:
        typer.echo(json.dumps(result.summary, ensure_ascii=False))
    else:
        show_findings(result.findings, result.about, result.summary, walker=study.keys.profile)
        typer.echo(f"{folder / 'index.html'}")


@app.command()
def check(  # noqa: PLR0917
    what: Annotated[
        str | None, typer.Argument(metavar="[STUDY.toml|REGION]", help="A study file, or a region by name.")
    ] = None,
    osm: OsmOption = None,
    population: PopulationOption = None,
    boundary: BoundaryOption = None,
    bbox: BoxOption = None,
    place: PlaceOption = None,
    zones_level: LevelOption = None,
    standard: Annotated[Optional[str], typer.Option(help="A standard by name, or a .toml file.")] = None,  # noqa: UP045
    services: Annotated[Optional[str], typer.Option(metavar="A,B", help="Only these services of the standard.")] = None,  # noqa: UP045
    year: Annotated[Optional[int], typer.Option(help="Facilities open in this year.")] = None,  # noqa: UP045
    out: Annotated[Optional[Path], typer.Option(help="Results folder; default: maps/NAME.")] = None,  # noqa: UP045
    as_json: Json = False,
    debug: Annotated[bool, typer.Option("--debug", hidden=True)] = False,
) -> None:
    """Say what the data of a region is like, before anything is computed, and write check.json into the folder."""
    from lifecircle.publish.files import write_check

    study = _study(
        what, osm=osm, population=population, boundary=boundary, bbox=_box(bbox), standard=standard,
        place=_place(place, zones_level), services=services.split(",") if services else None, year=year, out=out,
    )  # fmt: skip
    with _bar(quiet=as_json) as progress:
        found = study.prepare(progress=progress, allow_empty=True).check
    path = write_check(study.out, found.findings)
    if as_json:
        typer.echo(json.dumps(found.findings, ensure_ascii=False))
        return
    if study.keys.notice:
        typer.echo(study.keys.notice)
    typer.echo(found.line)
    for title, head, rows in found.tables():
        if rows:
            typer.echo(f"\n{title}")
            show_table(head, rows, as_json=False)
    typer.echo("")
    for warning in found.findings["warnings"]:
        typer.echo(f"warning: {warning['text']}")
    typer.echo(f"{path}")


@app.command()
def new(
    path: Annotated[Path, typer.Argument(help="File to write.")] = Path("study.toml"),
    region: Annotated[Optional[str], typer.Option(help="Fill it in for a region by name.")] = None,  # noqa: UP045
    force: Annotated[bool, typer.Option(help="Replace a file that is there.")] = False,
) -> None:
    """Write a commented study file to fill in."""
    from lifecircle.errors import SourceError
    from lifecircle.places import study_template

    if path.exists() and not force:
        raise SourceError(f"{path} is there already; choose another name, or --force to replace it")
    text = study_template(path.name, _stem(path.stem), region=region)
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise SourceError(f"cannot write {path}: {error.strerror or error}") from error
    typer.echo(f"{path} written; fill in the paths, then: lifecircle run {path}")


@app.command(context_settings={"ignore_unknown_options": True})
def isochrone(  # noqa: PLR0917
    place: Annotated[str, typer.Argument(metavar="LON,LAT", help="Where the walk starts, degrees.")],
    what: Annotated[
        str | None,
        typer.Argument(metavar="[STUDY.toml|REGION]", help="A study file, or a region by name [lingang-model]."),
    ] = None,
    osm: OsmOption = None,
    elevation: ElevationOption = None,
    boundary: BoundaryOption = None,
    bbox: BoxOption = None,
    minutes: Annotated[Optional[str], typer.Option(metavar="A,B", help="Limits in minutes [5,10,15].")] = None,  # noqa: UP045
    metres: Annotated[Optional[str], typer.Option(metavar="A,B", help="Limits in network metres instead.")] = None,  # noqa: UP045
    profile: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(help="Who walks, by name or .toml file; default: whom the study says, else adult."),
    ] = None,
    out: Annotated[Optional[Path], typer.Option(help="File to write; default: print the GeoJSON.")] = None,  # noqa: UP045
    debug: Annotated[bool, typer.Option("--debug", hidden=True)] = False,
) -> None:
    """Draw how far one can walk from a place: areas and reached streets, as GeoJSON.

    Without a study, a region or --osm the embedded model lingang-model is walked on.
    """
    from lifecircle.errors import SourceError, StandardError
    from lifecircle.prepared import OSM_CREDIT
    from lifecircle.study import isochrone_of

    lon, lat = _numbers(place, 2, "LON,LAT such as 121.925,30.910")
    if metres and (minutes or profile):
        raise StandardError("--metres measures the network whoever walks: give it without --minutes and --profile")
    limits = _numbers(metres or minutes or "5,10,15", None, "limits such as 5,10,15")
    study = _study(
        what or (None if osm else "lingang-model"),
        osm=osm,
        elevation=elevation,
        boundary=boundary,
        bbox=_box(bbox) or _around(osm, boundary, lon, lat),
    )
    with _bar(quiet=out is None) as progress:
        found = isochrone_of(
            study, lon, lat, profile="metres" if metres else profile or study.keys.profile or "adult",
            limits=limits if metres else [60 * limit for limit in limits], progress=progress,
        )  # fmt: skip
    said = {
        "attribution": [OSM_CREDIT, *study.keys.attribution],
        "place": [lon, lat],
        "profile": found.profile,
        "to_path_m": round(found.leg_m, 1),
    } | ({"notice": study.keys.notice} if study.keys.notice else {})
    if not found.length_m[0]:
        typer.echo(f"the nearest path is {found.leg_m:.0f} m away: the smallest limit does not lead far", err=True)
    text = json.dumps(json.loads(found.to_geodataframe().to_json(drop_id=True)) | said, ensure_ascii=False)
    if out is None:
        typer.echo(text)
        return
    try:
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        raise SourceError(f"cannot write {out}: {error.strerror or error}") from error
    typer.echo(f"{out} written")


@app.command()
def units(  # noqa: PLR0917
    what: Annotated[
        str | None, typer.Argument(metavar="[STUDY.toml|REGION]", help="A study file, or a region by name.")
    ] = None,
    osm: OsmOption = None,
    population: PopulationOption = None,
    boundary: BoundaryOption = None,
    bbox: BoxOption = None,
    level: Annotated[
        str, typer.Option(help="community (小区, 5,000-12,000 people) or subdistrict (街区, 50,000-100,000).")
    ] = "community",
    as_zones: Annotated[
        bool, typer.Option("--as-zones", help="Write the units in place of the zones, not as overlays beside them.")
    ] = False,
    out: Annotated[Path, typer.Option("--out", "-o", help="Boundary file to write, GeoJSON.")] = Path("units.geojson"),
    as_json: Json = False,
    debug: Annotated[bool, typer.Option("--debug", hidden=True)] = False,
) -> None:
    """Propose units of the size the rules ask for, by parting and joining zones, as a boundary file for a run."""
    from lifecircle.assess.units import LEVELS
    from lifecircle.assess.wording import people_text
    from lifecircle.errors import DataError
    from lifecircle.model.cells import PEOPLE
    from lifecircle.publish.files import write_text

    if level not in LEVELS:
        raise typer.BadParameter(f"there is no level {level!r}; expected {' or '.join(LEVELS)}", param_hint="--level")
    study = _study(what, osm=osm, population=population, boundary=boundary, bbox=_box(bbox))
    if study.keys.population is None:
        raise DataError("units are made of people: the study has no population raster; give one (--population)")
    with _bar(quiet=as_json) as progress:
        found = study.prepare(progress=progress, allow_empty=True).units(level)
    write_text(out, found.to_geojson(as_zones=as_zones))
    if as_json:
        rows = found.to_geodataframe().drop(columns="geometry").to_dict("records")
        typer.echo(json.dumps(rows, ensure_ascii=False))
        return
    if study.keys.notice:
        typer.echo(study.keys.notice)
    texts = [
        (
            unit.key, ", ".join(unit.zones), people_text(unit.people / PEOPLE), f"{unit.area_m2 / 1e6:.2f}",
            ", ".join(said.replace("_", " ") for said in (unit.verdict, unit.advice) if said), ", ".join(unit.cut_by),
        )
        for unit in found.units
    ]  # fmt: skip
    show_table(("unit", "zones", "people", "km²", "verdict", "cut by"), texts, as_json=False)
    fit, size = sum(unit.verdict == "fits" for unit in found.units), found.level
    typer.echo(f"{fit} of {len(found)} units have {size.least:,} to {size.most:,} people; {out} written")


@app.command()
def regions(as_json: Json = False) -> None:
    """List the regions known by name; `info NAME` tells more of one."""
    from lifecircle.places import RegionPreset
    from lifecircle.profiles import preset_names

    found = [RegionPreset.load(name) for name in preset_names("regions")]
    rows = [(p.name, p.title, p.title_zh, p.data(whole=as_json)) for p in found]
    show_table(("region", "title", "名称", "data"), rows, as_json=as_json)


@app.command()
def profiles(as_json: Json = False) -> None:
    """List who can walk, how fast, and where the speed comes from."""
    from lifecircle.profiles import Profile, preset_names

    rows = []
    for name in preset_names("profiles"):
        p = Profile.load(name)
        speed = f"{p.speed_mps.value:g} m/s" if p.speed_mps else "metres"
        rows.append(
            (
                p.name,
                p.title,
                p.title_zh,
                speed,
                "yes" if p.steps else "no",
                p.speed_mps.status if p.speed_mps else "",
                p.speed_mps.source if p.speed_mps else "",
            )
        )
    show_table(("profile", "title", "名称", "speed", "steps", "status", "source"), rows, as_json=as_json)


@standards_app.callback(invoke_without_command=True)
def _standards(context: typer.Context, as_json: Json = False) -> None:
    if context.invoked_subcommand is None:
        from lifecircle.profiles import preset_names
        from lifecircle.standards import Standard

        found = [Standard.load(name) for name in preset_names("standards")]
        rows = [(s.name, s.title, s.title_zh, str(len(s.services)), s.source) for s in found]
        show_table(("standard", "title", "名称", "services", "source"), rows, as_json=as_json)


@standards_app.command("show")
def standards_show(
    name: Annotated[str, typer.Argument(help="A standard by name, or a .toml file.")], as_json: Json = False
) -> None:
    """Print every rule of a standard with its source."""
    from lifecircle.standards import Standard

    standard = Standard.load(name)
    if as_json:
        typer.echo(standard.model_dump_json(by_alias=True))
        return
    show_standard(standard)


@app.command()
def info(
    folder: Annotated[Path, typer.Argument(metavar="DIR|REGION", help="A results folder, or a region by name.")],
    as_json: Json = False,
) -> None:
    """Say what a results folder holds, or what a region known by name is and needs."""
    from lifecircle.errors import DataError
    from lifecircle.profiles import preset_names
    from lifecircle.publish.files import restore

    restore(folder)
    if not folder.exists() and str(folder) in preset_names("regions"):
        _print_region(str(folder), as_json=as_json)
        return
    try:
        summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        _ = summary["figures"][0]["met"], manifest["finished"]
    except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
        raise DataError(
            f"{folder} is no results folder of lifecircle ({error}); expected summary.json and manifest.json in it"
        ) from error
    if as_json:
        typer.echo(json.dumps({"summary": summary, "manifest": manifest}, ensure_ascii=False))
        return
    from lifecircle.assess.wording import people_text, share_text

    typer.echo(f"{summary['title']} · {summary['title_zh']}")
    if summary["notice"]:
        typer.echo(summary["notice"])
    typer.echo(f"standard {summary['standard']}, data of {summary['data_date']}, finished {manifest['finished']}")
    measure = "people" if summary["population_known"] else "cells"
    rows = [
        (f["service"], share_text(f["met"], f["total"]), people_text(f["met"]), people_text(f["total"]))
        for f in summary["figures"]
        if f["kind"] == "region" and f["measure"] == measure
    ]
    show_table(("service", "covered", measure, "of"), rows, as_json=False)


# ------------------------------------------------------------------------------------------------------ printing


def _study(what: str | None, **keys: Any) -> "Study":
    """Build the study from a file, a region or options; options change what the file says."""
    from lifecircle.errors import StandardError
    from lifecircle.study import Study

    said = {
        key: str(value.resolve()) if isinstance(value, Path) else value
        for key, value in keys.items()
        if value is not None
    }
    if what is None:
        if "osm" not in said:
            raise StandardError(
                "nothing to run: give a study file, a region (lifecircle regions), "
                "or --osm with --boundary, --bbox or --place"
            )
        if (place := keys.get("place")) and not place["boundary"][0].isdigit():
            said.setdefault("title", place["boundary"][0])
        said.setdefault("name", _stem(Path(said["osm"]).name.split(".")[0]))
        return Study.from_keys(said)
    study = Study.from_toml(what) if what.endswith(".toml") else Study.from_region(what, keys=said)
    return study.changed(**said)


def _stem(name: str) -> str:
    return "".join(c if c.isascii() and (c.isalnum() or c in "._-") else "-" for c in name).strip("-._") or "study"


def _choices(text: str | None) -> dict[str, float] | None:
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


def _box(text: str | None) -> tuple[float, ...] | None:
    return None if text is None else tuple(_numbers(text, 4, "a box W,S,E,N such as 121.80,30.85,121.95,30.95"))


def _place(text: str | None, zones_level: int | None) -> dict[str, Any] | None:
    from lifecircle.errors import StandardError

    if text is None and zones_level is not None:
        raise StandardError(
            "--zones-level parts a --place into zones; give one, or write a study file (lifecircle new)"
        )
    return None if text is None else {"boundary": [text], "zones_level": zones_level}


def _around(osm: Path | None, boundary: Path | None, lon: float, lat: float) -> tuple[float, ...] | None:
    """Small box around a place, for a walk on an extract with no region named."""
    return (lon - 0.002, lat - 0.002, lon + 0.002, lat + 0.002) if osm is not None and boundary is None else None


def _numbers(text: str, n: int | None, expected: str) -> list[float]:
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
def _bar(*, quiet: bool) -> "Iterator[Progress | None]":
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
                tasks[stage] = bars.add_task(STAGES.get(stage, stage), total=None, count="")
            if done is not None:
                count = f"{done:,}" + (f" of {total:,}" if total is not None else "")
                bars.update(tasks[stage], completed=done, total=total, count=count)

        yield tell
        for task in tasks.values():
            bars.update(task, total=1, completed=1)


def _print_region(name: str, *, as_json: bool) -> None:
    from lifecircle.places import RegionPreset

    preset = RegionPreset.load(name)
    if as_json:
        typer.echo(preset.model_dump_json(by_alias=True))
        return
    typer.echo("\n".join(line for line in preset.heading if line))
    if preset.facts():
        show_table(("part", "what", "status", "source"), preset.facts(), as_json=False)
    typer.echo(preset.data(whole=True))


if __name__ == "__main__":
    main()
