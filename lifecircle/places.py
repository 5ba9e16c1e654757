"""Which place: areas of an OpenStreetMap extract asked for by name or id, and the regions known by name."""

import json
import re
from importlib import resources
from pathlib import PurePosixPath
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from lifecircle.errors import StandardError
from lifecircle.language import say
from lifecircle.profiles import Status, load_preset

_LEVELS = 15  # admin_level runs from 1 to 12 on the whole earth
_IDS = 10**12
OsmId = Annotated[int, Field(gt=0, lt=_IDS)]


class Area(BaseModel):
    """An area of the extract: a relation by its id, a closed way by its id, or whatever has the name.

    Attributes
    ----------
    relation, way : int or None
        OSM id. With a name besides, the name is what counts where the id is not in the extract.
    name : str or None
        Any of the area's names, in any language, official and other names included; case does not matter.
    name_en : str
        What the area is called in English where its tags do not say.
    admin_level : int or None
        Only areas of this level.
    within : str, int or None
        Name or relation id of an area it lies in: there are many of the same name.
    zone_class, renewal : str, bool
        As of a zone (`lifecircle.region.Zone`): what some thresholds and norms ask about.
    source : str
        Where name and id are from.
    status : {"verified", "secondary", "unverified"}
        How sure they are.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    relation: OsmId | None = None
    way: OsmId | None = None
    name: str | None = Field(None, min_length=1, max_length=200)
    name_en: str = ""
    admin_level: int | None = Field(None, ge=1, le=_LEVELS)
    within: Annotated[str, Field(min_length=1, max_length=200)] | OsmId | None = None
    zone_class: str = Field("", max_length=100)
    renewal: bool = False
    source: str = ""
    status: Status = "unverified"

    @model_validator(mode="after")
    def _asks_for_something(self) -> "Area":
        if self.relation is not None and self.way is not None:
            raise ValueError("an area is a relation or a way; give one of the two ids")
        if self.relation is None and self.way is None and not (self.name or "").strip():
            raise ValueError("an area needs a name, or the id of a relation or way")
        return self

    @property
    def asked(self) -> str:
        """What is looked for, in words."""
        by_id = f"relation {self.relation}" if self.relation else f"way {self.way}" if self.way else ""
        told = " ".join(part for part in (by_id, repr(self.name) if self.name else "") if part)
        level = "" if self.admin_level is None or by_id else f" of admin_level {self.admin_level}"
        return f"{told}{level}{f' within {self.within!r}' if self.within and not by_id else ''}"


def _area(said: object) -> object:
    """Read ``大桥街道``, ``1124039``, ``r1124039`` and ``w42`` as areas."""
    if isinstance(said, int) and not isinstance(said, bool):
        return {"relation": said}
    if isinstance(said, str):
        by_id = re.fullmatch(r"([rw]?)([0-9]{1,12})", said.strip())
        return {"way" if by_id[1] == "w" else "relation": int(by_id[2])} if by_id else {"name": said}
    return said


SaidArea = Annotated[Area, BeforeValidator(_area, json_schema_input_type=str | int | Area)]


class Place(BaseModel):
    """A region taken out of the extract itself.

    Attributes
    ----------
    boundary : list of Area
        The region is their union.
    zones : list of Area
        Its partition; without it (and without ``zones_level``) the areas of the boundary are the zones.
    zones_level : int or None
        Take every administrative area of this ``admin_level`` inside the boundary as a zone.
    overlays : list of Area
        Further areas figures are wanted for.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    boundary: list[SaidArea] = Field(min_length=1)
    zones: list[SaidArea] = []
    zones_level: int | None = Field(None, ge=1, le=_LEVELS)
    overlays: list[SaidArea] = []

    @model_validator(mode="after")
    def _one_partition(self) -> "Place":
        if self.zones and self.zones_level is not None:
            raise ValueError("the zones are a list or all areas of a level: give zones or zones_level, not both")
        return self

    @property
    def areas(self) -> list[Area]:
        """All areas asked for."""
        return [*self.boundary, *self.zones, *self.overlays]


def _place(said: object) -> object:
    return {"boundary": [said]} if isinstance(said, str | int) and not isinstance(said, bool) else said


SaidPlace = Annotated[Place, BeforeValidator(_place, json_schema_input_type=str | int | Place)]
"""A place as study files say it: a name, a relation id, or a table of areas."""


class Fact(BaseModel):
    """Something a region preset rests on."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    fact: str = Field(min_length=1)
    source: str = Field(min_length=1)
    status: Status


class RegionPreset(BaseModel):
    """Keys of a region preset: one that carries its data (``study``), or one that says what it ``needs``.

    Attributes
    ----------
    study, hard_barrier : str or None
        Files inside the folder ``data`` of the project.
    needs : str or None
        What to download, and the next command.
    extract : str or None
        Address of an extract that holds the region, for whoever cannot fetch it live.
    standard : str or None
        By name; what is used unless another is named.
    notice, notice_zh : str
        What must stand beside every figure of the region as the preset draws it.
    boundary, zones, zones_level, overlays
        The region in the extract, see `Place`; every area with its source.
    sources : list of Fact
        What else the preset rests on.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    schema_version: Literal[1] = Field(alias="schema")
    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=100)
    title: str
    title_zh: str
    study: str | None = None
    needs: str | None = None
    extract: str | None = Field(None, pattern=r"^https://[A-Za-z0-9./_-]+\.osm\.pbf$", max_length=300)
    hard_barrier: str | None = None
    standard: str | None = None
    notice: str = ""
    notice_zh: str = ""
    boundary: list[Area] = []
    zones: list[Area] = []
    zones_level: int | None = Field(None, ge=1, le=_LEVELS)
    overlays: list[Area] = []
    sources: list[Fact] = []

    @model_validator(mode="after")
    def _fits_together(self) -> "RegionPreset":
        for key in ("study", "hard_barrier"):
            said = getattr(self, key)
            if said is not None and not _stays_inside(said):
                raise ValueError(f"{key} is a file inside the folder data: a relative path without '..', got {said!r}")
        if self.standard is not None and not re.fullmatch(r"[a-z0-9][a-z0-9-]*", self.standard):
            raise ValueError(f"standard is a preset by name (lifecircle standards), got {self.standard!r}")
        if not self.boundary and (self.zones or self.overlays or self.zones_level is not None):
            raise ValueError("zones and overlays need a boundary around them")
        if self.study is not None and self.boundary:
            raise ValueError("a region carries its data (study), or is found in an extract (boundary), not both")
        if self.study is None and not self.needs:
            raise ValueError("a region without data of its own (study) must say what it needs")
        place = self.place
        for area in place.areas if place else ():
            if not area.source:
                raise ValueError(f"the area {area.asked} names no source")
        return self

    @classmethod
    def load(cls, name: str) -> "RegionPreset":
        """Load a region by name, or a region file by path.

        Raises
        ------
        StandardError
            The name is no region, the file cannot be read, or a key in it is unknown or wrong.
        """
        return load_preset(cls, name, folder="regions", what="region")

    @property
    def place(self) -> Place | None:
        """What to take out of the extract; None where the preset does not say."""
        if not self.boundary:
            return None
        return Place(
            boundary=self.boundary, zones=self.zones, zones_level=self.zones_level, overlays=self.overlays
        )  # fmt: skip

    @property
    def heading(self) -> tuple[str, ...]:
        """Lines about the region as a whole."""
        standard = f"standard {self.standard}" if self.standard else ""
        return f"{self.name}: {self.title} · {self.title_zh}", self.notice, self.notice_zh, standard

    def data(self, *, whole: bool) -> str:
        """Say whether it runs as it is, and what it needs if not; in short, where to read that."""
        if self.needs is None:
            return say(f"ready to run: lifecircle run {self.name}", f"可直接运行：lifecircle run {self.name}")
        if whole:
            return f"needs {self.needs}"
        return say(
            f"needs {self.needs.partition(':')[0]}; lifecircle info {self.name}",
            f"需自备 OpenStreetMap 数据：lifecircle info {self.name}",
        )

    def study_keys(self, *, placed: bool) -> dict[str, Any]:
        """Keys of a study of this region; ``placed`` says that the region is what the preset draws."""
        said: dict[str, Any] = {"name": self.name, "title": self.title, "title_zh": self.title_zh}
        if self.standard is not None:
            said["standard"] = self.standard
        if placed and (place := self.place) is not None:
            said |= {"place": place, "notice": self.notice, "notice_zh": self.notice_zh}
        return said

    def facts(self) -> list[tuple[str, str, str, str]]:
        """Rows of (what, fact, status, source), all the preset says."""
        rows: list[tuple[str, str, str, str]] = [
            (what, " ".join(part for part in (area.asked, area.name_en) if part), area.status, area.source)
            for what, areas in (("boundary", self.boundary), ("zone", self.zones), ("overlay", self.overlays))
            for area in areas
        ]
        if self.zones_level is not None:
            rows.append(("zones", f"every area of admin_level {self.zones_level} in it", "", ""))
        return [*rows, *(("fact", said.fact, said.status, said.source) for said in self.sources)]


def _stays_inside(path: str) -> bool:
    """Say whether a path leads to something inside the folder it starts from, on any system."""
    parts = PurePosixPath(path).parts
    return bool(parts) and not path.startswith("/") and ".." not in parts and not set(path) & {"\\", ":", "\0"}


def study_template(file: str, name: str, *, region: str | None = None) -> str:
    """Write a commented study file, empty or filled in for a region by name.

    Raises
    ------
    StandardError
        There is no region of that name, or it is not found in an extract.
    """
    text = (resources.files("lifecircle") / "presets" / "study.toml").read_text(encoding="utf-8")
    if region is None:
        return text.replace("{file}", file).replace("{name}", name)
    preset = RegionPreset.load(region)
    place = preset.place
    if place is None:
        raise StandardError(
            f"the region {preset.name!r} is not found in an extract, so there is nothing to fill in; "
            f"run it (lifecircle run {preset.name}), or write an empty file without --region"
        )
    said = preset.study_keys(placed=True)
    instead = {"boundary = ": _place_toml(place)} | {
        start: "\n".join(f"{key} = {_quoted(said[key])}" for key in keys if said.get(key))
        for start, keys in (
            ("# title = ", ("title", "title_zh", "notice", "notice_zh")),
            ("standard = ", ("standard",)),
        )
    }
    lines = text.replace("{file}", file).replace("{name}", preset.name).splitlines()
    filled = (next((new for start, new in instead.items() if line.startswith(start) and new), line) for line in lines)
    return "\n".join(line for line in filled if not line.startswith("# title_zh = ")) + "\n"


def _place_toml(place: Place) -> str:
    lines = []
    for key, areas in (("boundary", place.boundary), ("zones", place.zones), ("overlays", place.overlays)):
        if areas:
            rows = [area.model_dump(exclude_defaults=True, exclude={"source", "status"}) for area in areas]
            inside = [", ".join(f"{name} = {_quoted(value)}" for name, value in row.items()) for row in rows]
            lines += [f"place.{key} = [", *(f"  {{ {text} }}," for text in inside), "]"]
    return "\n".join([*lines, *([f"place.zones_level = {place.zones_level}"] if place.zones_level else [])])


def _quoted(value: str | int) -> str:
    """Write a value as TOML, whose strings are those of JSON."""
    return json.dumps(value, ensure_ascii=False)
