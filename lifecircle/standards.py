"""What must be near: services, the facilities that give them, and the threshold each is held to."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from lifecircle.errors import StandardError, did_you_mean
from lifecircle.profiles import Profile, Status, html_table, load_preset
from lifecircle.reading import has_nested_repeats

_TAKEN = frozenset({"all", "met", "buildings", "residential", "area", "access", "entrances", "region"})
ANY = "*"
"""In a tag rule: any value of the key but ``no``."""


LiesIn = Callable[[dict[str, list[str]]], bool]


_LONGEST_NAME = 255  # characters, as in OSM


def _nowhere(_: dict[str, list[str]]) -> bool:
    return False


class TagRule(BaseModel):
    """One way OpenStreetMap says that a thing gives a service.

    All of ``match`` must hold (a key with one of its values), none of ``unless``, and ``name``, a regular expression,
    must be found in one of the thing's names. With ``min_area_m2`` it must be an outline of at least that area, with
    ``max_area_m2`` of less than that: what is mapped as a point tells no size. With ``not_within`` it must not lie in
    an outline that has one of those tags.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    match: dict[str, list[str]] = Field(min_length=1)
    unless: dict[str, list[str]] = {}
    name: str | None = None
    min_area_m2: float | None = Field(None, gt=0)
    max_area_m2: float | None = Field(None, gt=0)
    not_within: dict[str, list[str]] = {}

    @field_validator("name")
    @classmethod
    def _compiles(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                re.compile(value)
            except re.error as error:
                raise ValueError(f"not a regular expression: {error}") from error
            if has_nested_repeats(value):
                raise ValueError("a regular expression that repeats a group of repeats or alternatives may never end")
        return value

    @property
    def asks_area(self) -> bool:
        """Whether the rule asks for an area."""
        return self.min_area_m2 is not None or self.max_area_m2 is not None

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
            and (self.max_area_m2 is None or 0 < area_m2 < self.max_area_m2)
            and (
                self.name is None
                or any(re.search(self.name, text[:_LONGEST_NAME]) for key, text in tags.items() if _is_name(key))
            )
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
    """How far is near enough: ``value`` in seconds, or in metres for the distance rule.

    ``mode`` is how the text means people to travel; a run measures the walk, and says so where the text allows more.
    """

    value: float = Field(gt=0, le=100_000, strict=True)
    mode: Literal["walk", "walk_or_cycle"] = "walk"


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


class Supply(BaseModel):
    """Where a facility's supply stands: in the first of ``tags`` that holds a number, or in the size of its outline.

    ``land_m2`` is the outline's area, ``floor_m2`` that of a building times its levels. What neither tells is unknown.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    tags: list[str] = []
    outline: Literal["land_m2", "floor_m2"] | None = None

    @model_validator(mode="after")
    def _says_something(self) -> "Supply":
        if not self.tags and self.outline is None:
            raise ValueError("a supply names the tags that hold it, or what the outline tells")
        return self


class Norm(Rule):
    """How much there should be for 1,000 of those it serves: a number of the plan, not of one facility.

    Attributes
    ----------
    least : float
        For 1,000 people of ``per_1000``: residents, or a demand layer of the study (seniors, children, households).
    service : str or None
        Whose facilities supply it; without one, or without ``supply``, the norm is stated and not computed.
    applies_to : {"any", "new", "existing"}
    renewal_share : float or None
        Share of ``least`` that is enough in zones marked as renewal areas.
    """

    title: str
    title_zh: str
    least: float = Field(gt=0)
    unit: str = Field(min_length=1)
    per_1000: str = Field("residents", pattern=r"^[a-z][a-z0-9_]*$")
    service: str | None = None
    supply: Supply | None = None
    applies_to: Literal["any", "new", "existing"] = "any"
    renewal_share: float | None = Field(None, gt=0, le=1)


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
    """Facilities of one service that should stand with, or near, one of each of some others.

    ``at_least`` of ``near`` are enough; 0 is all of them.
    """

    title: str
    title_zh: str
    service: str
    near: list[str] = Field(min_length=1)
    within_m: float = Field(gt=0)
    at_least: int = Field(0, ge=0)

    @field_validator("near", mode="before")
    @classmethod
    def _one_or_more(cls, value: object) -> object:
        return [value] if isinstance(value, str) else value

    @model_validator(mode="after")
    def _can_be_met(self) -> "Together":
        if self.at_least > len(self.near):
            raise ValueError("'at_least' asks for more neighbours than 'near' names")
        return self


class Promise(Rule):
    """What a plan promises, for a place and by a year.

    Attributes
    ----------
    asks : str
        ``coverage``: the share ``target`` of people reach each of ``of`` (every service where none is named);
        ``composite``, ``norm``, ``together``: that the rule of this standard named in ``of`` holds; ``count``: that
        there are ``least`` facilities of a service (or as much supply of a norm), in each zone or in all;
        ``barrier_free``: the share of streets and entrances open to a wheelchair; ``jobs_housing``: jobs beside
        residents and housing near work; ``nothing``: what cannot be computed from open data, with ``needs``, what it
        would take.
    zone : str or None
        Key of a zone or overlay of the region; None is the region.
    year : int or None
    area_km2 : float or None
        How much land the promise is about, to be held against what was examined.
    """

    title: str
    title_zh: str
    asks: Literal["coverage", "composite", "norm", "together", "count", "barrier_free", "jobs_housing", "nothing"]
    of: list[str] = []
    least: float | None = Field(None, gt=0)
    each_zone: bool = False
    target: float = Field(1.0, gt=0, le=1)
    zone: str | None = None
    year: int | None = Field(None, ge=1900, le=2200)
    area_km2: float | None = Field(None, gt=0)
    needs: str = ""

    @model_validator(mode="after")
    def _says_what(self) -> "Promise":
        if self.asks in {"composite", "norm", "together", "count"} and len(self.of) != 1:
            raise ValueError(f"a promise that asks for a {self.asks} names one in 'of'")
        if (self.asks == "count") != (self.least is not None):
            raise ValueError("'least' says how many a promise asks for that counts, and no other")
        if (self.asks == "nothing") != bool(self.needs):
            raise ValueError("'needs' says which data a promise lacks that asks for nothing computable, and no other")
        return self


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
    by_zone_class : dict of Threshold
        What holds instead in zones of a class (main city, new city, new town), in the same unit.
    by_profile : dict of Threshold
        What holds instead where a run names this walker for every time rule.
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
    by_zone_class: dict[str, Threshold] = {}
    by_profile: dict[str, Threshold] = {}
    alternatives: list[Threshold] = []
    tier: str = ""
    mark: Mark | None = None
    sizes: list[Size] = []
    may_lack: bool = False
    note: str = ""

    @property
    def thresholds(self) -> tuple[float, ...]:
        """Every threshold a run may hold it to, ascending: the plain one and those of zone classes."""
        return tuple(sorted({self.threshold.value, *(one.value for one in self.by_zone_class.values())}))

    def value_in(self, zone_class: str) -> float:
        """Threshold in a zone of a class, s or m."""
        return self.by_zone_class.get(zone_class, self.threshold).value


class Standard(BaseModel):
    """A named list of services, in the order they are shown; ``years`` are those a plan is held against."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    schema_version: Literal[1] = Field(alias="schema")
    name: str
    title: str
    title_zh: str
    source: str = Field(min_length=1)
    legal: Literal["in force", "trial", "draft", "plan", "none"] = "none"
    note: str = ""
    note_zh: str = ""
    services: dict[str, Service] = Field(min_length=1)
    composites: dict[str, Composite] = {}
    together: dict[str, Together] = {}
    norms: dict[str, Norm] = {}
    promises: dict[str, Promise] = {}
    years: list[int] = []

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
        kinds_of: dict[str, str] = {}
        rules: dict[str, dict[str, Any]] = {
            "services": self.services, "composites": self.composites, "together": self.together, "norms": self.norms
        }  # fmt: skip
        for kind, keys in rules.items():
            for key in keys:
                if key in kinds_of:
                    raise ValueError(f"{kind}.{key} has the key of {kinds_of[key]}.{key}; give one another name")
                kinds_of[key] = kind
        named = [
            *((f"composites.{key}", name) for key, c in self.composites.items() for name in c.of),
            *((f"together.{key}", name) for key, t in self.together.items() for name in (t.service, *t.near)),
            *((f"norms.{key}", n.service) for key, n in self.norms.items() if n.service is not None),
            *((f"promises.{key}", name) for key, p in self.promises.items() if p.asks == "coverage" for name in p.of),
        ]
        for where, name in named:
            if name not in self.services:
                raise ValueError(f"{where} names {name!r}, which is no service; {did_you_mean(name, self.services)}")
        kinds: dict[str, dict[str, Any]] = {
            "composite": self.composites, "norm": self.norms, "together": self.together,
            "count": {**self.services, **self.norms},
        }  # fmt: skip
        for key, promise in self.promises.items():
            if promise.asks in kinds and promise.of[0] not in kinds[promise.asks]:
                rule, known = promise.of[0], kinds[promise.asks]
                raise ValueError(f"promises.{key} names {rule!r}, no {promise.asks}; {did_you_mean(rule, known)}")
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
        composites = {key: c for key, c in self.composites.items() if kept.keys() >= set(c.of)}
        together = {key: t for key, t in self.together.items() if {t.service, *t.near} <= kept.keys()}
        norms = {key: n for key, n in self.norms.items() if n.service is None or n.service in kept}
        left = {*kept, *composites, *together, *norms}
        return self.model_copy(
            update={
                "services": kept,
                "composites": composites,
                "together": together,
                "norms": norms,
                "promises": {
                    key: p
                    for key, p in self.promises.items()
                    # What asks for every service is not kept by some of them.
                    if left >= set(p.of) and (p.of or p.asks != "coverage" or kept == self.services)
                },
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
            said = [service.threshold, *service.by_zone_class.values(), *service.alternatives]
            chosen = next((one for one in said if one.value == value), None)
            if chosen is None:
                raise StandardError(
                    f"no text says {value:g} of {key}; {self.name} knows "
                    f"{', '.join(f'{one.value:g} ({one.source})' for one in said)}"
                )
            others = [one for one in said if one is not chosen]
            update = {"threshold": chosen, "alternatives": others, "by_zone_class": {}}
            services[key] = service.model_copy(update=update)
        return self.model_copy(update={"services": services})

    def for_built(self, built: str) -> "Standard":
        """Drop the norms and sizes that are for the other kind of areas: ``built`` is ``new`` or ``existing``."""
        services = {
            key: service.model_copy(
                update={"sizes": [size for size in service.sizes if size.applies_to in {"any", built}]}
            )
            for key, service in self.services.items()
        }
        norms = {key: norm for key, norm in self.norms.items() if norm.applies_to in {"any", built}}
        gone = {*self.norms} - {*norms}
        promises = {
            key: p for key, p in self.promises.items() if p.asks not in {"norm", "count"} or p.of[0] not in gone
        }
        return self.model_copy(update={"services": services, "norms": norms, "promises": promises})

    def in_classes(self, classes: set[str]) -> "Standard":
        """Drop the thresholds of zone classes that do not occur: nothing is searched for as far as they ask."""
        services = {}
        for key, service in self.services.items():
            kept = {name: one for name, one in service.by_zone_class.items() if name in classes}
            services[key] = service.model_copy(update={"by_zone_class": kept})
        return self.model_copy(update={"services": services})

    @property
    def zone_classes(self) -> set[str]:
        """Classes of zones some threshold is for."""
        return {name for service in self.services.values() for name in service.by_zone_class}

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
        changed = {}
        for key, service in self.services.items():
            if Profile.load(service.profile).unit == "m":
                changed[key] = service
                continue
            update: dict[str, object] = {"profile": walker.name}
            own = service.by_profile.get(walker.name)
            if own is not None:
                update |= {"threshold": own, "alternatives": [service.threshold, *service.alternatives]}
            changed[key] = service.model_copy(update=update)
        return self.model_copy(update={"services": changed})

    def serves(self, tags: dict[str, str], area_m2: float = 0.0, lies_in: LiesIn = _nowhere) -> list[str]:
        """Service keys an OSM object gives, in the standard's order; parameters as `TagRule.fits`."""
        return [
            key
            for key, service in self.services.items()
            if any(rule.fits(tags, area_m2, lies_in) for rule in service.tags)
        ]

    def reader(self) -> Callable[[dict[str, str], Callable[[], float], LiesIn], list[str]]:
        """Prepare `serves` for many objects: rules are looked up by a key, an area is taken only where one is asked.

        Returns
        -------
        callable of tags, a callable for the area in m², and the question what the object lies in
        """
        keys = list(self.services)
        by_tag: dict[str, dict[str, list[tuple[int, TagRule]]]] = {}
        for ix, service in enumerate(self.services.values()):
            for rule in service.tags:
                key, values = next(iter(rule.match.items()))
                for value in [ANY] if ANY in values else values:
                    by_tag.setdefault(key, {}).setdefault(value, []).append((ix, rule))

        def served(tags: dict[str, str], area_m2: Callable[[], float], lies_in: LiesIn) -> list[str]:
            found: set[int] = set()
            area: float | None = None
            for key in by_tag.keys() & tags.keys():
                rules = by_tag[key]
                for value in {ANY, tags[key], *(part.strip() for part in tags[key].split(";"))} & rules.keys():
                    for ix, rule in rules[value]:
                        if rule.asks_area and area is None:
                            area = area_m2()
                        if ix not in found and rule.fits(tags, area or 0.0, lies_in):
                            found.add(ix)
            return [keys[ix] for ix in sorted(found)]

        return served

    @property
    def asks_within(self) -> bool:
        """Whether any rule asks what an object lies in."""
        return any(rule.not_within for service in self.services.values() for rule in service.tags)

    @property
    def asks_floor(self) -> bool:
        """Whether any norm is about the floor area of buildings."""
        return any(norm.supply is not None and norm.supply.outline == "floor_m2" for norm in self.norms.values())

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
