"""A standard clause by clause: what each asks, what was found, and a verdict in words as strong as the clause."""

from dataclasses import dataclass
from html import escape

import numpy as np
import shapely
from numpy.typing import NDArray

from lifecircle.assess.capacity import Capacity
from lifecircle.assess.coverage import MET, NOT_MET, UNKNOWN, Coverage, Figure
from lifecircle.assess.wording import amount_text, group_zh, rate_text, share_text, threshold_text, unit_zh
from lifecircle.profiles import TICKS
from lifecircle.standards import Composite, Norm, Service, Together

VERDICTS = {
    "met": ("met", "达标"),
    "advisory": ("beyond the advisory distance", "超出建议距离"),
    "not_met": ("not met", "未达标"),
    "missing": ("none in the data: required of this tier", "数据中没有：本级应配建"),
    "none": ("none in the data", "数据中没有"),
    "unknown": ("unknown", "未知"),
}
"""Verdicts and how they are said: a radius that should not be exceeded (不宜) is advice, what must be (应) a duty."""

MARK = ("A rule is met where everybody has it: the mark is 100 %.", "“达标”指全部居民都达到要求，即 100 %。")
"""What the verdict of a region is held to, English and Chinese."""


@dataclass(frozen=True)
class Alternative:
    """What another text says of the same need, and how many would have it by that."""

    value: float
    source: str
    status: str
    met: float | None
    total: float | None


@dataclass(frozen=True)
class Clause:
    """One rule of a standard in a region.

    Attributes
    ----------
    kind : {"service", "composite", "together", "norm"}
    rule, rule_zh : str
        What is asked, in words: ``within 500 m``.
    facilities : int or None
        Facilities of the data, inside the boundary or within reach of it; None where none are asked for.
    people, land : (met, total)
        Residents, and residential land in m² (the denominator of GB/T 51346-2019, A.0.3), that have it; None where
        nobody knows.
    straight : (met, total), (met, total)
        People and residential land within the radius as the crow flies; None where the rule is no radius.
    verdict : str
        A key of `VERDICTS`.
    counted : (met, total)
        Facilities, of what should stand together; supply and people, of a norm.
    """

    key: str
    kind: str
    title: str
    title_zh: str
    tier: str
    mark: str
    rule: str
    clause: str
    source: str
    status: str
    strength: str
    facilities: int | None
    people: tuple[float | None, float | None]
    land: tuple[float | None, float | None]
    verdict: str
    counted: tuple[float | None, float | None] = (None, None)
    straight: tuple[tuple[float | None, float | None], ...] | None = None
    alternatives: tuple[Alternative, ...] = ()
    note: str = ""
    rule_zh: str = ""

    @property
    def wording(self) -> tuple[str, str]:
        """The verdict in words, English and Chinese."""
        return VERDICTS[self.verdict]


@dataclass(frozen=True, eq=False, repr=False)
class Clauses:
    """Every rule of a standard, in its order: services by tier as listed, then composites, neighbours and norms."""

    coverage: Coverage
    rows: tuple[Clause, ...]

    @classmethod
    def of(cls, coverage: Coverage, capacities: dict[str, Capacity] | None = None) -> "Clauses":
        """Judge a region by every rule of its standard.

        Parameters
        ----------
        capacities : dict of Capacity, optional
            Norms that were computed, by key.
        """
        capacities = capacities or {}
        standard = coverage.standard
        rows = [_service(coverage, key, service) for key, service in (standard.services | coverage.absent).items()]
        order = {key: ix for ix, key in enumerate(coverage.order)}
        rows.sort(key=lambda row: order.get(row.key, len(order)))
        rows += [_composite(coverage, key, rule) for key, rule in standard.composites.items()]
        rows += [_together(coverage, key, rule) for key, rule in standard.together.items()]
        rows += [_norm(coverage, key, rule, capacities.get(key)) for key, rule in standard.norms.items()]
        return cls(coverage, tuple(rows))

    def count(self) -> dict[str, int]:
        """Rules by verdict."""
        return {name: sum(row.verdict == name for row in self.rows) for name in VERDICTS}

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{escape(row.clause)}</td><td>{escape(row.title)}</td><td>{escape(row.rule)}</td>"
            f"<td>{escape(share_text(*row.people))}</td><td>{escape(row.wording[0])}</td></tr>"
            for row in self.rows
        )
        head = "<tr><th>clause</th><th>what</th><th>rule</th><th>people</th><th>verdict</th></tr>"
        return f"<table>{head}{rows}</table>"


def composite_met(coverage: Coverage, rule: Composite, point_met: NDArray[np.int8] | None = None) -> NDArray[np.int8]:
    """Verdicts of a composite, (n_points,) int8: 1 met, 0 not met, -1 unknown.

    A function that the data holds nowhere is unknown: it decides only where enough others are, or are not, in reach.

    Parameters
    ----------
    point_met : (n_services, n_points) int8, optional
        Verdicts of the services; default: those of the run.
    """
    verdicts = coverage.point_met if point_met is None else point_met

    def within(names: list[str]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        known = [coverage.keys.index(name) for name in names if name in coverage.keys]
        rows = verdicts[known]
        return (rows == MET).sum(axis=0), (rows == UNKNOWN).sum(axis=0) + len(names) - len(known)

    sure, maybe = within(rule.of)
    sure_among, maybe_among = within(rule.among)
    met = (sure >= rule.at_least) & (sure_among >= rule.and_at_least)
    lost = (sure + maybe < rule.at_least) | (sure_among + maybe_among < rule.and_at_least)
    found = np.where(met, MET, np.where(lost, NOT_MET, UNKNOWN))
    found[~coverage.cells.judged] = UNKNOWN
    return found.astype(np.int8)


def _region(figures: list[Figure], measure: str) -> tuple[float | None, float | None]:
    found = next(f for f in figures if f.kind == "region" and f.measure == measure)
    return found.met, found.total


def _shares(coverage: Coverage, met: NDArray[np.int8]) -> tuple[tuple[float | None, float | None], ...]:
    figures = coverage.figures_of({"": met}, regions_only=True)
    return _region(figures, "people"), _region(figures, "residential_m2"), _region(figures, "cells")


def _verdict(met: float | None, total: float | None, strength: str, lacking: bool = True) -> str:  # noqa: FBT001, FBT002
    """Verdict of a share; ``lacking`` says whether anybody is known not to have it."""
    if met is None or not total:
        return "unknown"
    if met == total:
        return "met"
    if not lacking:
        return "unknown"
    return "not_met" if strength in {"应", "none"} else "advisory"


def _anybody_lacks(coverage: Coverage, met: NDArray[np.int8]) -> bool:
    """Say whether anybody, or where people are unknown any place, is known not to have something."""
    people = coverage.cells.starts.people
    return bool(((met == NOT_MET) & (True if people is None else people > 0)).any())


def _service(coverage: Coverage, key: str, service: Service) -> Clause:
    threshold, mark = service.threshold, service.mark
    unit = coverage.profiles[service.profile].unit
    people: tuple[float | None, float | None] = (None, None)
    land, cells = people, people
    alternatives: list[Alternative] = []
    straight = None
    if key in coverage.absent:
        verdict = "missing" if mark is not None and mark.value == "required" else "none"
    else:
        ix = coverage.keys.index(key)
        people, land, cells = _shares(coverage, coverage.point_met[ix])
        counted = people if people[1] is not None else cells
        # Where the text of a tier names no distance, that of the tier is ours: it can be no more than advice.
        strength = "宜" if service.tier and threshold.strength == "none" else threshold.strength
        verdict = _verdict(*counted, strength, _anybody_lacks(coverage, coverage.point_met[ix]))
        if coverage.point_met_straight is not None and unit == "m":
            straight = _shares(coverage, coverage.point_met_straight[ix])[:2]
        for other in service.alternatives:
            near = coverage.point_ticks[ix] <= other.value * TICKS
            met = np.where(coverage.point_met[ix] == UNKNOWN, UNKNOWN, near).astype(np.int8)
            by_people, _, by_cells = _shares(coverage, met)
            told = by_people if by_people[1] is not None else by_cells
            if other.value > coverage.lanes[service.profile].cutoff / TICKS:  # nobody walked so far
                told = (None, None)
            alternatives.append(Alternative(other.value, other.source, other.status, *told))
    return Clause(
        key, "service", service.title, service.title_zh, service.tier, "" if mark is None else mark.value,
        f"within {threshold_text(service, unit)} ({service.profile})", threshold.clause, threshold.source,
        threshold.status, threshold.strength, coverage.facilities.count().get(key, 0), people, land, verdict,
        alternatives=tuple(alternatives), straight=straight, note=service.note,
        rule_zh=f"{threshold_text(service, unit, chinese=True)}以内（{coverage.profiles[service.profile].title_zh}）",
    )  # fmt: skip


def _composite(coverage: Coverage, key: str, rule: Composite) -> Clause:
    point_met = composite_met(coverage, rule)
    people, land, cells = _shares(coverage, point_met)
    asked = f"{rule.at_least} of {len(rule.of)} within reach: {', '.join(rule.of)}"
    if rule.and_at_least:
        asked += f"; {rule.and_at_least} of them of {', '.join(rule.among)}"
    asked_zh = f"{len(rule.of)} 项中至少 {rule.at_least} 项可达：{titles_zh(coverage, rule.of)}"
    if rule.and_at_least:
        asked_zh += f"；其中至少 {rule.and_at_least} 项为：{titles_zh(coverage, rule.among)}"
    counted = people if people[1] is not None else cells
    verdict = _verdict(*counted, rule.strength, _anybody_lacks(coverage, point_met))
    straight = None
    known = [name for name in rule.of if name in coverage.keys]
    if not known:  # of nobody is anything known: no number
        people, land = (None, None), (None, None)
    elif coverage.point_met_straight is not None and all(coverage.unit_of(name) == "m" for name in known):
        straight = _shares(coverage, composite_met(coverage, rule, coverage.point_met_straight))[:2]
    return Clause(
        key, "composite", rule.title, rule.title_zh, "", "", asked, rule.clause, rule.source, rule.status,
        rule.strength, None, people, land, verdict, straight=straight, note=rule.note, rule_zh=asked_zh,
    )  # fmt: skip


def standing_together(coverage: Coverage, rule: Together) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Facilities of a service inside the boundary, and which stand near enough of the others, outline to outline.

    The others may stand outside it.

    Returns
    -------
    mine : (n,) int64, positions of facilities
    near : (n,) bool
    """
    facilities = coverage.facilities

    def of(name: str) -> NDArray[np.int64]:
        if name not in coverage.keys:
            return np.array([], dtype=np.int64)
        return np.flatnonzero(facilities.serving(coverage.keys.index(name)))

    mine = of(rule.service)
    mine = mine[~facilities.outside[mine]]
    number = np.zeros(len(mine), dtype=np.int64)
    for name in rule.near:
        tree = shapely.STRtree(facilities.extent[of(name)])
        found = tree.query(facilities.extent[mine], predicate="dwithin", distance=rule.within_m)[0]
        number[np.unique(found)] += 1
    return mine, number >= (rule.at_least or len(rule.near))


def near_text(rule: Together) -> str:
    """Write what should be near."""
    names = ", ".join(rule.near)
    return f"{rule.at_least} of {names}" if rule.at_least else names


def titles_zh(coverage: Coverage, names: list[str]) -> str:
    """Chinese titles of services, those included that the data lacks."""
    known = coverage.standard.services | coverage.absent
    return "、".join(known[name].title_zh if name in known else name for name in names)


def _together(coverage: Coverage, key: str, rule: Together) -> Clause:
    """Judge how many facilities of a service stand within a distance of one of another."""
    nobody = (None, None)
    mine, near = standing_together(coverage, rule)
    met, total = float(near.sum()), float(len(mine))
    asked = f"{rule.service} within {rule.within_m:g} m of {near_text(rule)}"
    found = f"{int(near.sum())} of {len(mine)} do" if len(mine) else "none in the data"
    near_zh = titles_zh(coverage, rule.near) + (f" 中的 {rule.at_least} 项" if rule.at_least else "")
    asked_zh = f"{titles_zh(coverage, [rule.service])} {rule.within_m:g} 米内有{near_zh}"
    found_zh = f"{len(mine)} 处中 {int(near.sum())} 处" if len(mine) else "数据中没有"
    return Clause(
        key, "together", rule.title, rule.title_zh, "", "", f"{asked}: {found}", rule.clause, rule.source, rule.status,
        rule.strength, len(mine), nobody, nobody, _verdict(met, total, rule.strength), (met, total), note=rule.note,
        rule_zh=f"{asked_zh}：{found_zh}",
    )  # fmt: skip


def _norm(coverage: Coverage, key: str, rule: Norm, found: Capacity | None) -> Clause:
    """Hold supply against a norm for 1,000 people; what no map tells is unknown, never a number."""
    n = None if rule.service is None else coverage.facilities.count().get(rule.service, 0)
    asked = f"at least {rule.least:g} {rule.unit} for 1,000 {rule.per_1000}"
    asked += "" if rule.applies_to == "any" else f", in {rule.applies_to} areas"
    asked_zh = f"每千{group_zh(rule.per_1000)}不少于 {rule.least:g} {unit_zh(rule.unit)}"
    asked_zh += {"any": "", "new": "（新建地区）", "existing": "（已建地区）"}[rule.applies_to]
    people: tuple[float | None, float | None] = (None, None)
    land, counted, verdict = people, people, "unknown"
    if found is None:
        asked += "; the data states no supply" + ("" if n is None else f" of {n} facilities")
        asked_zh += "；数据未载供给量" + ("" if n is None else f"（{n} 处设施）")
    else:
        here = found.region
        n = here.facilities
        asked += f"; {amount_text(here.supply)} {rule.unit} of {here.facilities - here.unknown} facilities"
        asked += f", {here.unknown} more of unknown supply" if here.unknown else ""
        asked_zh += f"；{here.facilities - here.unknown} 处设施共 {amount_text(here.supply)} {unit_zh(rule.unit)}"
        asked_zh += f"，另有 {here.unknown} 处供给未知" if here.unknown else ""
        if here.per_1000 is not None:
            asked_zh += f"：{rate_text(here.per_1000)}" + ("（下限）" if here.unknown else "")
        asked += "" if here.per_1000 is None else f": {rate_text(here.per_1000)}" + (" or more" if here.unknown else "")
        counted = (here.supply, here.people)
        verdict = "met" if here.verdict == "met" else _verdict(0, 1, rule.strength)
        verdict = "unknown" if here.verdict == "unknown" else verdict
        if found.level is not None and (found.point_met != UNKNOWN).any():
            people, land, _ = _shares(coverage, found.point_met)
    return Clause(
        key, "norm", rule.title, rule.title_zh, "", "", asked, rule.clause, rule.source, rule.status, rule.strength, n,
        people, land, verdict, counted, note=rule.note, rule_zh=asked_zh,
    )  # fmt: skip
