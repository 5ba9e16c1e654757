"""Who walks: a speed, the ways allowed, and from them an integer cost for every arc of the network."""

import re
import tomllib
from collections.abc import Iterable
from html import escape
from importlib import resources
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from lifecircle.errors import StandardError, did_you_mean
from lifecircle.reading import read_text

TICKS = 32
"""Ticks in one unit: costs are whole multiples of 1/32 s, or of 1/32 m."""

LARGEST_TOML = 1 << 20
"""Bytes of a study, standard or profile file; the longest preset has 60,000."""
_MOST_DOTS = 200
_SLOWEST_MPS, _FASTEST_MPS = 0.1, 3.0  # no norm, but what is beyond is a slip: km/h taken for m/s

_STEEPEST = 1.0  # 45 degrees: beyond it an elevation model is wrong, or the way is a ladder
Status = Literal["verified", "secondary", "unverified"]
Gates = Literal["open", "residents", "closed"]
Model = TypeVar("Model", bound=BaseModel)


class Sourced(BaseModel):
    """A number with the place it comes from and how sure it is."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    value: float = Field(strict=True)
    source: str = Field(min_length=1)
    clause: str = ""
    status: Status


class Barred(BaseModel):
    """Ways somebody cannot use, by their tags: any of ``match`` bars a way, unless any of ``unless`` is said of it."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    match: dict[str, list[str]] = Field(min_length=1)
    unless: dict[str, list[str]] = {}
    source: str = Field(min_length=1)
    status: Status

    def fits(self, tags: dict[str, str]) -> bool:
        """Say whether a way with these tags is barred."""
        return any(tags.get(key) in values for key, values in self.match.items()) and not any(
            tags.get(key) in values for key, values in self.unless.items()
        )


class Delay(BaseModel):
    """A wait on the way: at nodes and on ways whose tags have one of the values of every key of ``match``.

    A node's ``signals`` is ``yes`` where walkers wait for a light, its ``crossed`` the class of the greatest road
    through it (``primary``, ...).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    match: dict[str, list[str]] = Field(min_length=1)
    seconds: float = Field(ge=0, le=3600)
    source: str = Field(min_length=1)
    status: Status

    def fits(self, tags: dict[str, str]) -> bool:
        """Say whether one waits at a node, or on a way, with these tags."""
        return all(tags.get(key) in values for key, values in self.match.items())


def _tobler(grade: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.exp(-3.5 * (np.abs(grade + 0.05) - 0.05)))


def _irmischer(grade: NDArray[np.float64]) -> NDArray[np.float64]:
    def speed(percent: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(0.11 + np.exp(-((percent + 5.0) ** 2) / 1800.0))

    return speed(100.0 * grade) / speed(np.zeros(1))


def _rees(grade: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(0.75 / (0.75 + 0.09 * np.abs(grade) + 14.6 * grade**2))


SLOPES = {"tobler": (_tobler, -0.05), "irmischer": (_irmischer, -0.05), "rees": (_rees, 0.0)}
"""Curves of speed over grade, 1 on the flat, and the grade each is fastest at.

``tobler``: Tobler (1993), v = 6 exp(-3.5 |S + 0.05|) km/h. ``irmischer``: Irmischer & Clarke (2018), on path,
v = 0.11 + exp(-(100 S + 5)^2 / 1800) m/s. ``rees``: Rees (2004), v = 1 / (0.75 + 0.09 |S| + 14.6 S^2) m/s.
"""


class Profile(BaseModel):
    """Who walks. ``unit`` is ``s`` for a time cost and ``m`` for the distance rule, which needs no speed.

    Attributes
    ----------
    speed_mps : Sourced or None
        Walking speed on the flat, metres a second.
    steps : bool
        Whether stairs may be used.
    steps_factor : Sourced or None
        How many times as long a metre of stairs takes as one on the flat, whatever their slope; None is once.
    slope : {"none", "tobler", "irmischer", "rees"}
        How grade changes the speed, where an elevation raster is given: a curve of `SLOPES`, 1 on the flat.
    gates : {"open", "residents", "closed"}
        Private ways and gates. ``residents``: one walks out of one's own and into where one is going, and cuts through
        nothing. ``open``: they are open to all. ``closed``: one walks out of one's own, and nobody is let in, so that
        what stands there serves only those who live there.
    delays : list of Delay
        Waits; of several that fit the first counts.
    barred : list of Barred
        Ways that cannot be used, by their tags. Homes and entrances also join the nearest way that the preset
        ``wheelchair`` may use, so that every profile that bars no more than it has a join.
    min_width_m : Sourced or None
        Ways said to be narrower cannot be used.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    schema_version: Literal[1] = Field(alias="schema")
    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    title: str
    title_zh: str
    unit: Literal["s", "m"]
    speed_mps: Sourced | None = None
    steps: bool = True
    steps_factor: Sourced | None = None
    slope: Literal["none", "tobler", "irmischer", "rees"] = "none"
    gates: Gates = "residents"
    delays: list[Delay] = []
    barred: list[Barred] = []
    min_width_m: Sourced | None = None
    note: str = ""

    @model_validator(mode="after")
    def _speed_fits_unit(self) -> "Profile":
        if (self.name == "metres") != (self.unit == "m"):
            raise ValueError("the name 'metres' belongs to the distance rule (unit 'm'), and to it alone")
        if self.unit == "s" and (self.speed_mps is None or not _SLOWEST_MPS <= self.speed_mps.value <= _FASTEST_MPS):
            span = f"{_SLOWEST_MPS:g} and {_FASTEST_MPS:g} m/s"
            raise ValueError(f"a time profile needs speed_mps between {span}: nobody walks faster, and 5 km/h are 1.39")
        if self.unit == "m" and (self.speed_mps or self.slope != "none" or self.steps_factor or self.delays):
            raise ValueError("a distance profile (unit 'm') has neither speed nor slope, steps_factor or delays")
        if self.steps_factor is not None and not 1 <= self.steps_factor.value <= 20:  # noqa: PLR2004
            raise ValueError("steps_factor says how many times as long stairs take: between 1 and 20")
        return self

    @classmethod
    def load(cls, name: str | Path) -> "Profile":
        """Load a preset by name, or a profile file by path.

        Raises
        ------
        StandardError
            The name is no preset, the file cannot be read, or a key in it is unknown or wrong.
        """
        return load_preset(cls, name, folder="profiles", what="profile")

    @property
    def barring_keys(self) -> set[str]:
        """Keys of the tags that may bar a way."""
        return {"width"} | {key for rule in self.barred for key in rule.match}

    @property
    def delaying_keys(self) -> set[str]:
        """Keys of the tags that may mean a wait."""
        return {key for rule in self.delays for key in rule.match}

    def pause_s(self, tags: dict[str, str]) -> float:
        """Seconds one waits at a node, or on a way, with these tags."""
        return next((rule.seconds for rule in self.delays if rule.fits(tags)), 0.0)

    def bars(self, tags: dict[str, str]) -> bool:
        """Say whether a way with these tags cannot be used, stairs apart."""
        if self.min_width_m is not None and "width" in tags:
            told = re.fullmatch(r"(\d+(?:\.\d+)?)(?: ?m)?", tags["width"].strip())
            if told and float(told.group(1)) < self.min_width_m.value:
                return True
        return any(rule.fits(tags) for rule in self.barred)

    def _repr_html_(self) -> str:
        speed = f"{self.level_speed:g} m/s" if self.speed_mps else "metres"
        source = self.speed_mps.source if self.speed_mps else ""
        row = (
            self.name, f"{self.title} · {self.title_zh}", speed, "yes" if self.steps else "no", self.slope, self.gates,
            source,
        )  # fmt: skip
        return html_table(("profile", "title", "speed", "steps", "slope", "gates", "source"), [row])

    @property
    def level_speed(self) -> float:
        """Units of length a unit of cost buys on the flat: m/s for a time profile, 1 for metres."""
        return 1.0 if self.speed_mps is None else self.speed_mps.value

    @property
    def top_speed(self) -> float:
        """Greatest units of length a unit of cost can buy: m/s for a time profile, 1 for metres."""
        if self.speed_mps is None:
            return 1.0
        if self.slope == "none":
            return self.speed_mps.value
        curve, fastest = SLOPES[self.slope]
        return self.speed_mps.value * float(curve(np.array([fastest]))[0])

    def ticks(
        self, length_m: NDArray[np.float64], grade: NDArray[np.float64] | None = None, *,
        stairs: NDArray[np.bool_] | None = None, pause_s: NDArray[np.float64] | None = None,
    ) -> NDArray[np.int32]:  # fmt: skip
        """Cost of walking each length, rounded once, half up.

        Parameters
        ----------
        length_m : (n,) float64, m
        grade : (n,) float64 or None
            Rise over run in the direction walked; None or NaN is level.
        stairs : (n,) bool or None
            Where ``steps_factor`` counts, and grade does not.
        pause_s : (n,) float64 or None
            Seconds waited besides; a distance knows none.

        Returns
        -------
        (n,) int32, ticks of 1/32 s or 1/32 m
        """
        cost = np.asarray(length_m, dtype=np.float64)
        if self.speed_mps is not None:
            speed: float | NDArray[np.float64] = self.speed_mps.value
            if self.slope != "none" and grade is not None:
                level = np.clip(np.nan_to_num(grade, nan=0.0), -_STEEPEST, _STEEPEST)
                factor = SLOPES[self.slope][0](level)
                speed = speed * (factor if stairs is None else np.where(stairs, 1.0, factor))
            cost = cost / speed
            if stairs is not None and self.steps_factor is not None:
                cost = np.where(stairs, cost * self.steps_factor.value, cost)
            if pause_s is not None:
                cost = cost + pause_s
        return np.floor(cost * TICKS + 0.5).astype(np.int32)


def html_table(head: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    """Write an HTML table; every cell is text, whatever it holds."""
    top = "".join(f"<th>{escape(name)}</th>" for name in head)
    body = "".join(f"<tr>{''.join(f'<td>{escape(str(cell))}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><tr>{top}</tr>{body}</table>"


def preset_names(folder: str) -> list[str]:
    """Names of the presets in ``presets/<folder>``, sorted."""
    root = resources.files("lifecircle") / "presets" / folder
    return sorted(entry.name.removesuffix(".toml") for entry in root.iterdir() if entry.name.endswith(".toml"))


def load_preset(model: type[Model], name: str | Path, *, folder: str, what: str) -> Model:
    """Read and check one TOML preset, by name or by path.

    Raises
    ------
    StandardError
        Unknown name, unreadable file, TOML syntax, unknown key (with the nearest valid one) or wrong value.
    """
    names = preset_names(folder)
    if str(name) in names:
        text = (resources.files("lifecircle") / "presets" / folder / f"{name}.toml").read_text(encoding="utf-8")
        origin = f"{what} preset {name!r}"
    else:
        path = Path(name)
        if path.suffix != ".toml":
            raise StandardError(f"unknown {what} {str(name)!r}: {did_you_mean(str(name), names)}, or a path to a .toml")
        text = read_text(path, most=LARGEST_TOML, what=f"the {what} file", error=StandardError)
        origin = str(path)
    return check_toml(model, text, origin=origin)


def check_toml(model: type[Model], text: str, *, origin: str) -> Model:
    """Parse TOML text into a model; the first fault found becomes one message.

    Raises
    ------
    StandardError
        Naming the key, what arrived and, for an unknown key, the nearest valid one.
    """
    # A key of many parts costs tomllib their number squared: some kilobytes of dots would hold it up for minutes.
    if any(line.count(".") > _MOST_DOTS for line in text.splitlines()):
        raise StandardError(f"{origin} has a line with more than {_MOST_DOTS} dots; break it into several lines")
    try:
        raw = tomllib.loads(text)
    except ValueError as error:  # a number of thousands of figures is a ValueError of another kind
        raise StandardError(f"{origin} is not valid TOML: {error}") from error
    except RecursionError as error:
        raise StandardError(f"{origin} is not valid TOML: lists or tables nested too deep") from error
    return check_keys(model, raw, origin=origin)


def check_keys(model: type[Model], raw: dict[str, Any], *, origin: str) -> Model:
    """Make a model of keys and values; one fault found becomes the message, an unknown key before any other.

    Raises
    ------
    StandardError
        As `check_toml`.
    """
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        # A misspelt key is missing and unknown at once, and the second says how to mend it.
        fault = min(error.errors(), key=lambda found: found["type"] != "extra_forbidden")
        where = ".".join(str(part) for part in fault["loc"])
        if fault["type"] == "extra_forbidden":
            valid = _keys_at(model, fault["loc"][:-1])
            hint = did_you_mean(str(fault["loc"][-1]), valid) if valid else "remove it"
            raise StandardError(f"{origin}: unknown key {where!r}; {hint}") from error
        arrived = "" if fault["type"] == "missing" or not where else f" (arrived: {str(fault['input'])[:80]!r})"
        said = fault["msg"].removeprefix("Value error, ")
        raise StandardError(f"{origin}: {f'{where}: ' if where else ''}{said}{arrived}") from error


def _keys_at(model: type[BaseModel], path: tuple[int | str, ...]) -> list[str]:
    """List the valid keys of the table that ``path`` leads to inside ``model``."""
    found: type[BaseModel] = model
    for part in path:
        field = found.model_fields.get(str(part))
        if field is None:  # a key of a dict or an index of a list: the model stays the one found
            continue
        inner = _model_in(field.annotation)
        if inner is None:
            return []
        found = inner
    return [field.alias or name for name, field in found.model_fields.items()]


def _model_in(annotation: object) -> type[BaseModel] | None:
    """Return the first pydantic model inside a type annotation."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for inner in getattr(annotation, "__args__", ()):
        found = _model_in(inner)
        if found is not None:
            return found
    return None
