"""Verbs on places: a new study file, an isochrone, units of the size the rules ask for."""

import json
from pathlib import Path
from typing import Annotated, Optional

import typer

from lifecircle.cli.options import (
    BandOption,
    BoundaryOption,
    BoxOption,
    ElevationOption,
    Json,
    OsmOption,
    PopulationOption,
    app,
    around,
    bar,
    box,
    numbers,
    stem,
    study_of,
)
from lifecircle.language import say
from lifecircle.publish.terminal import show_table, tell, tell_json

_LON, _LAT = 180, 90

_SAID_ZH = {
    "fits": "合适", "too_few": "人口偏少", "too_many": "人口偏多",
    "too_small_area": "面积偏小", "too_large_area": "面积偏大",
}  # fmt: skip
"""Verdicts and advice on a unit in Chinese."""


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
    text = study_template(path.name, stem(path.stem), region=region)
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise SourceError(f"cannot write {path}: {error.strerror or error}") from error
    tell(
        say(
            f"{path} written; fill in the paths, then: lifecircle run {path}",
            f"已写出 {path}；填好路径后运行：lifecircle run {path}",
        )
    )


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

    lon, lat = numbers(place, 2, "LON,LAT such as 121.925,30.910")
    if not (abs(lon) <= _LON and abs(lat) <= _LAT):
        turned = "; are they exchanged? Longitude comes first" if abs(lat) <= _LON and abs(lon) <= _LAT else ""
        raise StandardError(f"{place} is no longitude and latitude in degrees{turned}; expected LON,LAT")
    if metres and (minutes or profile):
        raise StandardError("--metres measures the network whoever walks: give it without --minutes and --profile")
    limits = numbers(metres or minutes or "5,10,15", None, "limits such as 5,10,15")
    study = study_of(
        what or (None if osm else "lingang-model"),
        osm=osm,
        elevation=elevation,
        boundary=boundary,
        bbox=box(bbox) or around(osm, boundary, lon, lat),
    )
    with bar(quiet=out is None) as progress:
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
        tell(
            say(
                f"the nearest path is {found.leg_m:.0f} m away: the smallest limit does not lead far",
                f"最近的道路在 {found.leg_m:.0f} 米外：最小时限内走不远",
            ),
            err=True,
        )
    made = json.loads(found.to_geodataframe().to_json(drop_id=True)) | said
    if out is None:
        tell_json(made)
        return
    text = json.dumps(made, ensure_ascii=False)
    try:
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        raise SourceError(f"cannot write {out}: {error.strerror or error}") from error
    tell(say(f"{out} written", f"已写出 {out}"))


@app.command()
def units(  # noqa: PLR0917
    what: Annotated[
        str | None, typer.Argument(metavar="[STUDY.toml|REGION]", help="A study file, or a region by name.")
    ] = None,
    osm: OsmOption = None,
    population: PopulationOption = None,
    population_band: BandOption = None,
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
    study = study_of(
        what, osm=osm, population=population, population_band=population_band, boundary=boundary, bbox=box(bbox)
    )
    if study.keys.population is None:
        raise DataError("units are made of people: the study has no population raster; give one (--population)")
    with bar(quiet=as_json) as progress:
        found = study.prepare(progress=progress, allow_empty=True).units(level)
    write_text(out, found.to_geojson(as_zones=as_zones))
    if as_json:
        rows = found.to_geodataframe().drop(columns="geometry").to_dict("records")
        tell_json(rows)
        return
    if study.keys.notice:
        tell(say(study.keys.notice, study.keys.notice_zh or study.keys.notice))
    texts = [
        (
            unit.key, ", ".join(unit.zones), people_text(unit.people / PEOPLE), f"{unit.area_m2 / 1e6:.2f}",
            say(", ", "、").join(
                say(said.replace("_", " "), _SAID_ZH.get(said, said)) for said in (unit.verdict, unit.advice) if said
            ),
            ", ".join(unit.cut_by),
        )
        for unit in found.units
    ]  # fmt: skip
    show_table(("unit", "zones", "people", "km²", "verdict", "cut by"), texts, as_json=False)
    fit, size = sum(unit.verdict == "fits" for unit in found.units), found.level
    tell(
        say(
            f"{fit} of {len(found)} units have {size.least:,} to {size.most:,} people; {out} written",
            f"{len(found)} 个单元中 {fit} 个有 {size.least:,}–{size.most:,} 人；已写出 {out}",
        )
    )
