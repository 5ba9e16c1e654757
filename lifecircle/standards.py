"""What must be near: services, the facilities that give them, and the threshold each is held to."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from lifecircle.errors import StandardError, did_you_mean
from lifecircle.profiles import Profile, Status, html_table, load_preset

_TAKEN = frozenset({"all", "met", "buildings", "residential", "area", "access", "entrances", "region"})
ANY = "*"
"""In a tag rule: any value of the key but ``no``."""


LiesIn = Callable[[dict[str, list[str]]], bool]


def _nowhere(_: dict[str, list[str]]) -> bool:
    return False


class TagRule(BaseModel):
    """One way OpenStreetMap says that a thing gives a service.

    All of ``match`` must hold (a key with one of its values), none of ``unless``, and ``name``, a regular expression,
    must be found in one of the thing's names. With ``min_area_m2`` it must be an outline of at least that area: what is
    mapped as a point tells no size. With ``not_within`` it must not lie in an outline that has one of those tags.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    match: dict[str, list[str]] = Field(min_length=1)
    unless: dict[str, list[str]] = {}
    name: str | None = None
    min_area_m2: float | None = Field(None, gt=0)
    not_within: dict[str, list[str]] = {}

    @field_validator("name")
    @classmethod
    def _compiles(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                re.compile(value)
            except re.error as error:
                raise ValueError(f"not a regular expression: {error}") from error
        return value

    def fits(self, tags: dict[str, str], area_m2: float = 0.0, lies_in: LiesIn = _nowhere) -> bool:
        """Say whether an OSM object fits the rule.

        Parameters
        ----------
        tags : dict
        area_m2 : float
            Of an outline; 0 for a point.
        lies_in : callable
            Says whether the object lies in an outline with one of some tags.
        """
        return (
            self.match.keys() <= tags.keys()  # seldom so, and quickly told
            and all(has_tag(tags, key, values) for key, values in self.match.items())
            and not any(has_tag(tags, key, values) for key, values in self.unless.items())
            and (self.min_area_m2 is None or area_m2 >= self.min_area_m2)
            and (self.name is None or any(re.search(self.name, text) for key, text in tags.items() if _is_name(key)))
            and not (self.not_within and lies_in(self.not_within))
        )


Strength = Literal["应", "宜", "不宜", "可", "none"]
"""How a clause binds: 应 must, 宜 should, 不宜 should not (an advisory limit), 可 may."""


class Rule(BaseModel):
    """What every number and demand of a standard says of itself."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    source: str = Field(min_length=1)
    clause: str = ""
    status: Status
    strength: Strength = "none"
    note: str = ""

    @property
    def told(self) -> tuple[str, str, str]:
        """Clause, status and source."""
        return self.clause, self.status, self.source


class Threshold(Rule):
    """How far is near enough: ``value`` in seconds, or in metres for the distance rule."""

    value: float = Field(gt=0, le=100_000)


class Mark(Rule):
    """Whether a facility is required of its tier (▲, 应配建), as needed (△, 按需配建), or a question of quality."""

    value: Literal["required", "as_needed", "quality"]


class Size(Rule):
    """How large one facility should be: ``least`` and ``most`` of ``of``, where the text names them."""

    of: Literal["floor_m2", "land_m2", "beds", "classes", "places"]
    least: float | None = Field(None, gt=0)
    most: float | None = Field(None, gt=0)
    applies_to: Literal["any", "new", "existing"] = "any"

    @model_validator(mode="after")
    def _says_something(self) -> "Size":
        if self.least is None and self.most is None:
            raise ValueError("a size names the least, the most, or both")
        if self.least is not None and self.most is not None and self.least > self.most:
            raise ValueError(f"the least, {self.least:g}, is more than the most, {self.most:g}")
        return self


class Norm(Rule):
    """How much there should be for 1,000 of those it serves: a number of the plan, not of one facility."""

    title: str
    title_zh: str
    least: float = Field(gt=0)
    unit: str = Field(min_length=1)
    per_1000: Literal["residents", "seniors", "children"] = "residents"
    service: str | None = None


class Composite(Rule):
    """Several functions that count as one need: at least ``at_least`` of ``of`` must be within reach.

    ``and_at_least`` of ``among``, some of them, must be too.
    """

    title: str
    title_zh: str
    at_least: int = Field(ge=1)
    of: list[str] = Field(min_length=1)
    and_at_least: int = Field(0, ge=0)
    among: list[str] = []

    @model_validator(mode="after")
    def _can_be_met(self) -> "Composite":
        if self.at_least > len(self.of) or self.and_at_least > len(self.among):
            raise ValueError("a composite asks for more functions than it names")
        if not set(self.among) <= set(self.of):
            raise ValueError("'among' names functions that 'of' does not")
        return self


class Together(Rule):
    """Facilities of one service that should stand with, or near, one of another."""

    title: str
    title_zh: str
    service: str
    near: str
    within_m: float = Field(gt=0)


class Usual(BaseModel):
    """How many facilities there usually are for 10,000 people: a yardstick for the data, not a norm."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    per_10000: float = Field(gt=0, le=10_000)
    source: str = Field(min_length=1)
    status: Status


class Service(BaseModel):
    """One need of the life circle. ``profile`` names who walks to it, or ``metres`` for a distance rule.

    Attributes
    ----------
    threshold : Threshold
        What the run judges by.
    alternatives : list of Threshold
        What other texts say of the same need, in the same unit: the planner may choose one, and the table of clauses
        shows what each would give.
    tier : str
        Tier of the life circle it belongs to (``15``, ``10``, ``5`` minutes, ``block``), where the standard has any.
    mark : Mark or None
    sizes : list of Size
    may_lack : bool
        Whether a run goes on where the data holds no such facility: the service is then not judged, and that is said.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    title: str
    title_zh: str
    profile: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    threshold: Threshold
    tags: list[TagRule] = Field(min_length=1)
    usual: Usual | None = None
    alternatives: list[Threshold] = []
    tier: str = ""
    mark: Mark | None = None
    sizes: list[Size] = []
    may_lack: bool = False
    note: str = ""


class Standard(BaseModel):
    """A named list of services, in the order they are shown."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    schema_version: Literal[1] = Field(alias="schema")
    name: str
    title: str
    title_zh: str
    source: str = Field(min_length=1)
    legal: Literal["in force", "trial", "draft", "plan", "none"] = "none"
    note: str = ""
    services: dict[str, Service] = Field(min_length=1)
    composites: dict[str, Composite] = {}
    together: dict[str, Together] = {}
    norms: dict[str, Norm] = {}

    @field_validator("services")
    @classmethod
    def _keys_are_snake_case(cls, value: dict[str, Service]) -> dict[str, Service]:
        for key in value:
            if not re.fullmatch(r"[a-z][a-z0-9_]*", key):
                raise ValueError(f"service key {key!r} is not ASCII snake_case")
            if key in _TAKEN:
                raise ValueError(f"service key {key!r} is the name of a column or figure; choose another")
        return value

    @model_validator(mode="after")
    def _names_are_services(self) -> "Standard":
        named = [
            *((f"composites.{key}", name) for key, c in self.composites.items() for name in c.of),
            *((f"together.{key}", name) for key, t in self.together.items() for name in (t.service, t.near)),
            *((f"norms.{key}", n.service) for key, n in self.norms.items() if n.service is not None),
        ]
        for where, name in named:
            if name not in self.services:
                raise ValueError(f"{where} names {name!r}, which is no service; {did_you_mean(name, self.services)}")
        return self

    @classmethod
    def load(cls, name: str | Path) -> "Standard":
        """Load a preset by name, or a standard file by path.

        Raises
        ------
        StandardError
            The name is no preset, the file cannot be read, or a key in it is unknown or wrong.
        """
        return load_preset(cls, name, folder="standards", what="standard")

    def only(self, keys: list[str]) -> "Standard":
        """Keep the services named.

        Raises
        ------
        StandardError
            A key is not a service of this standard.
        """
        for key in keys:
            if key not in self.services:
                raise StandardError(f"unknown service {key!r} in {self.name}: {did_you_mean(key, self.services)}")
        kept = {key: service for key, service in self.services.items() if key in keys}
        return self.model_copy(
            update={
                "services": kept,
                "composites": {key: c for key, c in self.composites.items() if kept.keys() >= set(c.of)},
                "together": {key: t for key, t in self.together.items() if {t.service, t.near} <= kept.keys()},
                "norms": {key: n for key, n in self.norms.items() if n.service is None or n.service in kept},
            }
        )

    def choosing(self, choices: dict[str, float]) -> "Standard":
        """Judge some services by one of their alternatives; the threshold it takes the place of stays beside it.

        Parameters
        ----------
        choices : service key -> value of the threshold wanted

        Raises
        ------
        StandardError
            A key is no service, or no text says that value of it.
        """
        services = dict(self.services)
        for key, value in choices.items():
            if key not in services:
                raise StandardError(f"unknown service {key!r} in {self.name}: {did_you_mean(key, self.services)}")
            service = services[key]
            said = [service.threshold, *service.alternatives]
            chosen = next((one for one in said if one.value == value), None)
            if chosen is None:
                raise StandardError(
                    f"no text says {value:g} of {key}; {self.name} knows "
                    f"{', '.join(f'{one.value:g} ({one.source})' for one in said)}"
                )
            others = [one for one in said if one is not chosen]
            services[key] = service.model_copy(update={"threshold": chosen, "alternatives": others})
        return self.model_copy(update={"services": services})

    def walked_by(self, profile: str | Path) -> "Standard":
        """Give every time rule another profile; metre rules stay as they are.

        Raises
        ------
        StandardError
            The profile is unknown, or measures metres: seconds cannot be held against them.
        """
        walker = Profile.load(profile)
        if walker.unit != "s":
            raise StandardError(
                f"the profile {walker.name!r} measures metres, and the thresholds of time rules are seconds; "
                "name a walker (lifecircle profiles), or write a standard with metre rules"
            )
        changed = {
            key: service
            if Profile.load(service.profile).unit == "m"
            else service.model_copy(update={"profile": walker.name})
            for key, service in self.services.items()
        }
        return self.model_copy(update={"services": changed})

    def serves(self, tags: dict[str, str], area_m2: float = 0.0, lies_in: LiesIn = _nowhere) -> list[str]:
        """Service keys an OSM object gives, in the standard's order; parameters as `TagRule.fits`."""
        return [
            key
            for key, service in self.services.items()
            if any(rule.fits(tags, area_m2, lies_in) for rule in service.tags)
        ]

    @property
    def asks_within(self) -> bool:
        """Whether any rule asks what an object lies in."""
        return any(rule.not_within for service in self.services.values() for rule in service.tags)

    @property
    def asks_area(self) -> bool:
        """Whether any rule asks for a least area."""
        return any(rule.min_area_m2 is not None for service in self.services.values() for rule in service.tags)

    def _repr_html_(self) -> str:
        rows = [
            (
                key,
                f"{s.title} · {s.title_zh}",
                f"{s.threshold.value:g}",
                s.profile,
                s.threshold.status,
                s.threshold.source,
            )
            for key, s in self.services.items()
        ]
        return html_table(("service", "title", "threshold", "profile", "status", "source"), rows)

    @property
    def tag_keys(self) -> set[str]:
        """Every OSM key a rule asks for."""
        return {
            key
            for service in self.services.values()
            for rule in service.tags
            for key in (*rule.match, *rule.not_within)
        }


def _is_name(key: str) -> bool:
    return key == "name" or key.startswith(("name:", "alt_name", "official_name", "short_name"))


def has_tag(tags: dict[str, str], key: str, values: list[str]) -> bool:
    """Say whether a tag has one of the values; a tag may hold several, set apart by semicolons."""
    arrived = tags.get(key)
    if arrived is None:
        return False
    if ANY in values:
        return arrived != "no"
    return arrived in values or (";" in arrived and any(part.strip() in values for part in arrived.split(";")))
