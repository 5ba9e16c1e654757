"""Verbs on a region and on its results: run, check, info; and on what runs keep for later ones: cache."""

from pathlib import Path
from typing import Annotated, Optional

import typer

from lifecircle.cli.lists import print_region
from lifecircle.cli.options import (
    STAGES,
    BandOption,
    BoundaryOption,
    BoxOption,
    DatumOption,
    ElevationOption,
    FacilitiesOption,
    Json,
    LevelOption,
    NoCache,
    OsmOption,
    PlaceOption,
    PopulationOption,
    ServiceOption,
    SheetOption,
    app,
    bar,
    box,
    choices,
    lists,
    place_of,
    study_of,
)
from lifecircle.language import say
from lifecircle.publish.terminal import show_findings, show_table, tell, tell_json


@app.command()
def run(  # noqa: PLR0917
    what: Annotated[
        str | None, typer.Argument(metavar="[STUDY.toml|REGION]", help="A study file, or a region by name.")
    ] = None,
    osm: OsmOption = None,
    population: PopulationOption = None,
    population_band: BandOption = None,
    elevation: ElevationOption = None,
    boundary: BoundaryOption = None,
    bbox: BoxOption = None,
    place: PlaceOption = None,
    zones_level: LevelOption = None,
    facilities: FacilitiesOption = None,
    service: ServiceOption = None,
    datum: DatumOption = None,
    sheet: SheetOption = None,
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
    basemap: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(
            metavar="URL", help="Map tiles behind the cells, with {z}, {x}, {y}: the pages then ask for them."
        ),
    ] = None,
    out: Annotated[Optional[Path], typer.Option(help="Results folder; default: maps/NAME.")] = None,  # noqa: UP045
    threads: Annotated[Optional[int], typer.Option(min=1, help="Default: one per processor.")] = None,  # noqa: UP045
    no_cache: NoCache = False,
    as_json: Json = False,
    debug: Annotated[bool, typer.Option("--debug", hidden=True)] = False,
) -> None:
    """Compute coverage and gaps of a region and write the results folder."""
    from lifecircle.publish.files import claimed

    study = study_of(
        what, osm=osm, population=population, population_band=population_band, elevation=elevation, boundary=boundary,
        bbox=box(bbox), name=name,
        place=place_of(place, zones_level), hard_barrier=hard_barrier, title=title, standard=standard, profile=profile,
        services=services.split(",") if services else None, gates=gates, choose=choices(choose),
        zone_class=zone_class, built=built, year=year, facilities=lists(facilities, service, datum, sheet),
        cutoff_s=cutoff_s, cutoff_m=cutoff_m, basemap=basemap, out=out,
    )  # fmt: skip
    with claimed(study.out):  # whoever else writes there, or something else that is there, is told of before the wait
        with bar(quiet=as_json) as progress:
            prepared = study.prepare(progress=progress, cache=not no_cache)
            line = prepared.check.line
        if not as_json:
            tell(line)
            if prepared.from_cache:
                tell(_reused(prepared.from_cache))
        with bar(quiet=as_json) as progress:
            result = prepared.run(threads=threads, progress=progress)
            folder = result.write(progress=progress)
    if as_json:
        tell_json(result.summary)
    else:
        show_findings(result.findings, result.about, result.summary, walker=study.keys.profile)
        tell(result.self_check.line)
        tell(f"{folder / 'index.html'}")


def _reused(stages: tuple[str, ...]) -> str:
    """Say what was not made anew."""
    named = [STAGES[stage] for stage in dict.fromkeys(stages)]
    return say(
        f"as an earlier run did it from the same inputs: {', '.join(en for en, _ in named)} (--no-cache: all anew)",
        f"沿用先前以相同输入完成的步骤：{'、'.join(zh for _, zh in named)}（--no-cache 全部重做）",
    )


@app.command()
def check(  # noqa: PLR0917
    what: Annotated[
        str | None, typer.Argument(metavar="[STUDY.toml|REGION]", help="A study file, or a region by name.")
    ] = None,
    osm: OsmOption = None,
    population: PopulationOption = None,
    population_band: BandOption = None,
    boundary: BoundaryOption = None,
    bbox: BoxOption = None,
    place: PlaceOption = None,
    zones_level: LevelOption = None,
    facilities: FacilitiesOption = None,
    service: ServiceOption = None,
    datum: DatumOption = None,
    sheet: SheetOption = None,
    standard: Annotated[Optional[str], typer.Option(help="A standard by name, or a .toml file.")] = None,  # noqa: UP045
    services: Annotated[Optional[str], typer.Option(metavar="A,B", help="Only these services of the standard.")] = None,  # noqa: UP045
    year: Annotated[Optional[int], typer.Option(help="Facilities open in this year.")] = None,  # noqa: UP045
    out: Annotated[Optional[Path], typer.Option(help="Results folder; default: maps/NAME.")] = None,  # noqa: UP045
    no_cache: NoCache = False,
    as_json: Json = False,
    debug: Annotated[bool, typer.Option("--debug", hidden=True)] = False,
) -> None:
    """Say what the data of a region is like, before anything is computed, and write check.json into the folder."""
    from lifecircle.publish.files import write_check

    study = study_of(
        what, osm=osm, population=population, population_band=population_band, boundary=boundary, bbox=box(bbox),
        standard=standard,
        place=place_of(place, zones_level), services=services.split(",") if services else None, year=year, out=out,
        facilities=lists(facilities, service, datum, sheet),
    )  # fmt: skip
    with bar(quiet=as_json) as progress:
        found = study.prepare(progress=progress, allow_empty=True, cache=not no_cache).check
    path = write_check(study.out, found.findings)
    if as_json:
        tell_json(found.findings)
        return
    if study.keys.notice:
        tell(say(study.keys.notice, study.keys.notice_zh or study.keys.notice))
    tell(found.line)
    for title, head, rows in found.tables():
        if rows:
            tell(f"\n{title}")
            show_table(head, rows, as_json=False)
    tell("")
    for warning in found.findings["warnings"]:
        tell(say(f"warning: {warning['text']}", f"注意：{warning['text_zh']}"))
    tell(f"{path}")


@app.command()
def info(
    folder: Annotated[Path, typer.Argument(metavar="DIR|REGION", help="A results folder, or a region by name.")],
    as_json: Json = False,
) -> None:
    """Say what a results folder holds, or what a region known by name is and needs."""
    from lifecircle.assess.wording import people_text, share_text
    from lifecircle.errors import DataError
    from lifecircle.profiles import preset_names
    from lifecircle.publish.files import restore
    from lifecircle.reading import read_json

    restore(folder)
    if not folder.exists() and str(folder) in preset_names("regions"):
        print_region(str(folder), as_json=as_json)
        return
    try:
        summary = read_json(folder / "summary.json")
        manifest = read_json(folder / "manifest.json")
        standard, date, finished = summary["standard"], summary["data_date"], manifest["finished"]
        lines = [
            f"{summary['title']} · {summary['title_zh']}",
            say(summary["notice"], summary.get("notice_zh") or summary["notice"]),
            say(
                f"standard {standard}, data of {date}, finished {finished}",
                f"标准 {standard}，数据日期 {date}，完成于 {finished}",
            ),
        ]
        measure = "people" if summary["population_known"] else "cells"
        titles = {key: str(one["title_zh"]) for key, one in summary["services"].items()} | {"all": "全部"}

        def named(key: str) -> str:
            return say(key, titles.get(key, key))

        rows = [
            (named(str(f["service"])), share_text(f["met"], f["total"]), people_text(f["met"]), people_text(f["total"]))
            for f in summary["figures"]
            if f["kind"] == "region" and f["measure"] == measure
        ]
    except (ValueError, KeyError, TypeError, IndexError, ArithmeticError) as error:
        raise DataError(
            f"{folder} is no results folder of lifecircle ({error}); expected summary.json and manifest.json in it"
        ) from error
    if as_json:
        tell_json({"summary": summary, "manifest": manifest})
        return
    for line in filter(None, lines):
        tell(str(line))
    show_table(("service", "covered", measure, "of"), rows, as_json=False)


@app.command()
def cache(
    clear: Annotated[bool, typer.Option("--clear", help="Remove all of it.")] = False,
    as_json: Json = False,
) -> None:
    """Say where stages of runs are kept for later runs, and how much that is.

    LIFECIRCLE_CACHE names another folder, or says off.
    """
    from lifecircle.cache import MOST_BYTES, Cache

    kept = Cache.of_user()
    removed = kept.clear() if clear else 0
    found = kept.files()
    size = sum(size for _, size in found)
    if as_json:
        told = {"folder": None if kept.folder is None else str(kept.folder), "stages": len(found), "bytes": size}
        tell_json(told | {"most_bytes": MOST_BYTES, "removed": removed})
        return
    if clear:
        tell(say(f"{removed:,} stages removed", f"已删除 {removed:,} 个步骤"))
    if kept.folder is None:
        tell(say("nothing is kept: LIFECIRCLE_CACHE says off", "不保留任何步骤：LIFECIRCLE_CACHE 为 off"))
        return
    tell(
        say(
            f"{kept.folder}: {len(found):,} stages, {size / 1e6:,.1f} MB of {MOST_BYTES / 1e6:,.0f} at most",
            f"{kept.folder}：{len(found):,} 个步骤，{size / 1e6:,.1f} MB，上限 {MOST_BYTES / 1e6:,.0f} MB",
        )
    )
