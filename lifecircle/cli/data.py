"""The verb that gets data: fetch, the only one that goes to the network."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Optional

import typer

from lifecircle.cli.options import BoundaryOption, BoxOption, Json, app, bar, box
from lifecircle.language import say
from lifecircle.publish.terminal import tell, tell_json

if TYPE_CHECKING:
    from lifecircle.places import RegionPreset

_GEOFABRIK = "https://download.geofabrik.de"


@app.command()
def fetch(  # noqa: PLR0917
    what: Annotated[str | None, typer.Argument(metavar="[REGION]", help="A region by name.")] = None,
    place: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(
            metavar="NAME|ID", help="An area instead: a name (Nominatim is asked), a relation id, or w<way id>."
        ),
    ] = None,
    bbox: BoxOption = None,
    boundary: BoundaryOption = None,
    out: Annotated[Optional[Path], typer.Option("--out", "-o", help="File; default: data/NAME.osm.pbf.")] = None,  # noqa: UP045
    buffer: Annotated[
        Optional[float],  # noqa: UP045
        typer.Option(
            min=0, max=50_000, help="Metres to fetch around the region [4000: enough for the default cutoffs]."
        ),
    ] = None,
    overpass_url: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(metavar="URL", help="Overpass server; default: https://overpass-api.de/api."),
    ] = None,
    deadline: Annotated[float, typer.Option(min=0.01, max=1440, help="Minutes for all of it.")] = 30,
    max_km2: Annotated[float, typer.Option("--max-km2", min=0.01, help="Largest box to ask a server for.")] = 2500,
    refresh: Annotated[bool, typer.Option("--refresh", help="Fetch anew what is there already.")] = False,
    keep: Annotated[bool, typer.Option("--keep", help="Keep the raw answers beside the file.")] = False,
    as_json: Json = False,
    debug: Annotated[bool, typer.Option("--debug", hidden=True)] = False,
) -> None:
    """Fetch OpenStreetMap data of a region from an Overpass server into a file for `run --osm`.

    For small regions: large ones take an extract. What was fetched before a failure stays; the same command goes on.
    """
    from lifecircle.errors import StandardError
    from lifecircle.places import RegionPreset

    if sum(said is not None for said in (what, place, bbox, boundary)) != 1:
        raise StandardError(
            "say what to fetch, in one way: a region (lifecircle regions), --place, --bbox or --boundary"
        )
    preset = None if what is None else RegionPreset.load(what)
    where, name = _where(preset, place, box(bbox), boundary)
    path = out or Path("data") / f"{name}.osm.pbf"
    from lifecircle.sources.live import BUFFER_M
    from lifecircle.sources.live import fetch as fetch_live
    from lifecircle.sources.overpass import Patience

    with bar(quiet=as_json) as progress:
        found = fetch_live(
            where, path, buffer_m=BUFFER_M if buffer is None else buffer, url=overpass_url, largest_km2=max_km2,
            patience=Patience(deadline_s=60 * deadline), refresh=refresh, keep=keep, progress=progress,
            advice=_advice(preset, place, bbox, boundary),
        )  # fmt: skip
    told = ["--place", found.place] if found.place and preset is None else _told(preset, None, bbox, boundary)
    command = shlex.join(["lifecircle", "run", *told, "--osm", str(path)])
    if as_json:
        said = {"path": str(path), "sha256": found.sha256, "osm_base": found.base, "box": found.box, "next": command}
        counts = {"nodes": found.nodes, "ways": found.ways, "relations": found.relations, "bytes": found.size}
        tell_json(said | counts | {"requests": found.requests, "fetched": found.anew})
        return
    tell(
        say(
            f"{path}{'' if found.anew else ' is already there'}: OpenStreetMap of {found.base}, {found.nodes:,} nodes, "
            f"{found.ways:,} ways, {found.relations:,} relations, {found.size / 1e6:.1f} MB"
            f"{'' if found.anew else '; --refresh to fetch it anew'}",
            f"{path}{'' if found.anew else '（已存在）'}：{found.base} 的 OpenStreetMap，{found.nodes:,} 个节点，"
            f"{found.ways:,} 条路径，{found.relations:,} 个关系，{found.size / 1e6:.1f} MB"
            f"{'' if found.anew else '；重新下载请用 --refresh'}",
        )
    )
    tell(f"sha256 {found.sha256}; © OpenStreetMap contributors, ODbL 1.0")
    tell(say("next: ", "下一步：") + f"{command} [--population people.tif]")


def _where(
    preset: "RegionPreset | None", place: str | None, said: tuple[float, ...] | None, boundary: Path | None
) -> tuple[Any, str]:
    """Say what is looked for, and what its file is called."""
    import re

    from lifecircle.errors import DataError, StandardError
    from lifecircle.places import Place

    if preset is not None:
        if preset.place is None:
            raise DataError(
                f"the region {preset.name!r} cannot be fetched: "
                + ("it carries its own data" if preset.study else "its preset does not say where it is")
                + f"; {preset.data(whole=True)}"
            )
        return preset.place, preset.name
    if boundary is not None:
        return boundary, _file_name(boundary.stem)
    if said is not None:
        return said, _file_name("box_" + "_".join(f"{value:g}" for value in said))
    name = (place or "").strip()
    if not name or len(name) > 200:  # noqa: PLR2004 (as a place in a study)
        raise StandardError("--place is a name of up to 200 characters, a relation id, or w and a way's id")
    if re.fullmatch(r"[rw]?[0-9]{1,12}", name):
        return Place.model_validate({"boundary": [name]}), _file_name(name)
    return name, _file_name(name)


def _file_name(name: str) -> str:
    """Make a file's name of what somebody wrote; letters of any script stay."""
    plain = "".join(c if c.isalnum() or c in "._-" else "-" for c in name).strip("-._")[:80]
    return plain or "region"


def _told(preset: "RegionPreset | None", place: str | None, bbox: str | None, boundary: Path | None) -> list[str]:
    """Say to `run` what was said to `fetch`."""
    if preset is not None:
        return [preset.name]
    if bbox is not None:
        return [f"--bbox={bbox}"]
    return ["--boundary", str(boundary)] if boundary is not None else ["--place", place or "ID"]


def _advice(preset: "RegionPreset | None", place: str | None, bbox: str | None, boundary: Path | None) -> str:
    """Say how to do without a server."""
    url = preset.extract if preset is not None else None
    what = f"download {url}" if url else f"download one that covers the region from {_GEOFABRIK}"
    file = url.rpartition("/")[2] if url else "EXTRACT.osm.pbf"
    return f"or take an extract instead: {what} , then: " + shlex.join(
        ["lifecircle", "run", *_told(preset, place, bbox, boundary), "--osm", file]
    )
