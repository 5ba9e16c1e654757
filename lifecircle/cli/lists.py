"""Verbs that list what is known by name: regions, profiles, standards."""

from typing import Annotated

import typer

from lifecircle.cli.options import Json, app
from lifecircle.publish.terminal import show_standard, show_table, tell, tell_json

standards_app = typer.Typer(no_args_is_help=False, help="What must be near: list the standards, or show one.")
app.add_typer(standards_app, name="standards")


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
        tell_json(standard.model_dump(mode="json", by_alias=True))
        return
    show_standard(standard)


def print_region(name: str, *, as_json: bool) -> None:
    """Say what a region known by name is and needs."""
    from lifecircle.places import RegionPreset

    preset = RegionPreset.load(name)
    if as_json:
        tell_json(preset.model_dump(mode="json", by_alias=True))
        return
    tell("\n".join(line for line in preset.heading if line))
    if preset.facts():
        show_table(("part", "what", "status", "source"), preset.facts(), as_json=False)
    tell(preset.data(whole=True))
