"""What must stand beside any figure: whose data, by which method, and the result in words."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from lifecircle.assess.coverage import ALL, Coverage, Figure
from lifecircle.assess.wording import limit_text, people_text, share_text, threshold_text
from lifecircle.profiles import TICKS, Delay, Profile, Sourced
from lifecircle.publish.markup import STATUS_ZH, said_zh
from lifecircle.sources.rasters import Note
from lifecircle.standards import Standard


@dataclass(frozen=True)
class About:
    """What must stand beside any figure.

    Attributes
    ----------
    notice, notice_zh : str
        Words that stay on every page (such as "a model, not survey data"); empty for real data.
    attribution : tuple of str
    sloped : bool
        Whether an elevation raster was given, so that walks may climb.
    population_whole : bool
        Whether the population raster spans the whole region.
    sources : tuple of (str, str)
        What each input is for, and its file's name.
    tables : tuple of dict
        What is said of each table of facilities, as ``check.json`` has it.
    notes : tuple of (str, Note)
        What must be known of a raster, by the key of its input.
    basemap : str
        Address of map tiles behind the cells, with ``{z}``, ``{x}`` and ``{y}``; empty for none.
    data_date : str
        ISO 8601 date of the data; empty where nobody knows.
    """

    name: str
    title: str
    title_zh: str
    notice: str
    notice_zh: str
    attribution: tuple[str, ...]
    data_date: str
    snap_limit_m: float
    sloped: bool
    population_whole: bool = True
    sources: tuple[tuple[str, str], ...] = ()
    tables: tuple[dict[str, Any], ...] = ()
    notes: tuple[tuple[str, Note], ...] = ()
    basemap: str = ""

    @property
    def stamp(self) -> str:
        """The data's date as a time stamp, for formats that must hold one."""
        return (
            f"{self.data_date[:10]}T00:00:00.000Z"
            if len(self.data_date) >= len("2000-01-01")
            else "1970-01-01T00:00:00.000Z"
        )


@dataclass(frozen=True)
class Terms:
    """What a result was measured by.

    Attributes
    ----------
    profiles : dict of Profile by cost name
    cutoffs : dict of (float, str)
        How far was searched, and its unit, by cost name.
    people : bool
        Whether anybody knows how many people live there.
    year : int or None
        The year of the facilities; None is today.
    sloped, snap_limit_m
        As in `About`.
    absent : int
        Further services of the standard, of which the data holds no facility: nobody is judged by them.
    """

    standard: Standard
    profiles: Mapping[str, Profile]
    cutoffs: Mapping[str, tuple[float, str]]
    people: bool
    year: int | None
    sloped: bool
    snap_limit_m: float
    absent: int = 0

    @classmethod
    def of(cls, coverage: Coverage, about: About | None = None) -> "Terms":
        """Take them from a run."""
        return cls(
            standard=coverage.standard,
            profiles=coverage.profiles,
            cutoffs={name: (lane.cutoff / TICKS, lane.unit) for name, lane in coverage.lanes.items()},
            people=coverage.cells.people is not None,
            year=coverage.year,
            sloped=about is not None and about.sloped,
            snap_limit_m=0.0 if about is None else about.snap_limit_m,
            absent=len(coverage.absent),
        )

    def unit_of(self, key: str) -> str:
        """Return the unit of a service: ``s`` or ``m``."""
        return self.profiles[self.standard.services[key].profile].unit


_GATES = {
    "open": "open to all: gates stop nobody",
    "residents": "people walk out of their own compound and into the one they are going to, and cut through none",
    "closed": "people walk out of their own compound, and nobody is let into another",
    "mixed": "as each walker's profile says (see the manifest)",
}
_GATES_ZH = {
    "open": "全部开放，门禁不拦人", "residents": "可出入本人与目的地所在小区，不可穿行其他小区",
    "closed": "可走出本人小区，不可进入其他小区", "mixed": "按各步行者设定（见清单）",
}  # fmt: skip


def method(terms: Terms) -> list[tuple[str, str, str, str]]:
    """Lines of the method: English label and text, Chinese label and text."""
    lines = [
        (
            "Mode", "walking on the street network, from the homes of each cell (its centre where no building is mapped) to the nearest entrance",
            "方式", "沿路网步行，从格网内住宅（无建筑时取中心）到最近的设施入口",
        ),
    ]  # fmt: skip
    for name, profile in terms.profiles.items():
        if profile.speed_mps is None:
            lines.append(("Cost", f"{name}: metres on the network", "成本", f"{profile.title_zh}（米）"))
        else:
            speed = profile.speed_mps
            sloped = profile.slope != "none" and terms.sloped
            slope = f", by slope after {profile.slope.title()}" if sloped else ", all walks level"
            slope_zh = f"，按 {profile.slope.title()} 坡度公式" if sloped else "，不计坡度"
            lines.append(
                (
                    "Walker", f"{profile.title}, {speed.value:g} m/s{slope} ({speed.status}; {speed.source})",
                    "步行者", f"{profile.title_zh}，{speed.value:g} 米/秒{slope_zh}（{_cited_zh(speed)}）",
                )
            )  # fmt: skip
            if profile.steps_factor is not None:
                factor = profile.steps_factor
                lines.append(
                    (
                        "Stairs", f"a metre takes {factor.value:g} times as long ({factor.status}; {factor.source})",
                        "台阶", f"每米耗时为平地的 {factor.value:g} 倍（{_cited_zh(factor)}）",
                    )
                )  # fmt: skip
            for delay in profile.delays:
                where = ", ".join(f"{key}={'/'.join(values)}" for key, values in delay.match.items())
                lines.append(
                    (
                        "Wait", f"{delay.seconds:g} s at {where} ({delay.status}; {delay.source})",
                        "等候", f"{where}：{delay.seconds:g} 秒（{_cited_zh(delay)}）",
                    )
                )  # fmt: skip
    for key, service in terms.standard.services.items():
        unit = terms.unit_of(key)
        near = threshold_text(service, unit)
        lines.append(
            (
                service.title,
                f"within {near} ({service.profile})",
                service.title_zh,
                f"{threshold_text(service, unit, chinese=True)}以内",
            )
        )
    base = (
        "people living in the zone (population raster)"
        if terms.people
        else "residential cells in the zone: no population is known"
    )
    base_zh = "区内居住人口（人口栅格）" if terms.people else "区内居住格网（无人口数据）"
    policies = next(iter(said)) if len(said := {p.gates for p in terms.profiles.values()}) == 1 else "mixed"
    searched_zh = "、".join(
        f"{said_zh(limit_text(*cutoff))}（{terms.profiles[name].title_zh}）" for name, cutoff in terms.cutoffs.items()
    )
    searched = ", ".join(f"{limit_text(*cutoff)} ({name})" for name, cutoff in terms.cutoffs.items())
    lines += [
        ("Standard", f"{terms.standard.title}; {terms.standard.source}", "标准", f"{terms.standard.title_zh}；{terms.standard.source}"),
        ("Denominator", f"all {base}; those who could not be judged stay in it", "分母", f"全部{base_zh}，无法判定者计入分母"),
        ("Searched to", searched, "搜索范围", searched_zh),
        ("Joining", f"to the nearest point of a path within {terms.snap_limit_m:g} m, the way there charged", "接入", f"{terms.snap_limit_m:g} 米内最近路径点，计入步行"),
        ("Private ways", _GATES[policies], "私有道路", _GATES_ZH[policies]),
        ("Facilities of", str(terms.year) if terms.year else "today", "设施年份", str(terms.year or "现状")),
    ]  # fmt: skip
    return lines


def _cited_zh(number: Sourced | Delay) -> str:
    return f"{STATUS_ZH[number.status]}；{number.source}"


@dataclass(frozen=True)
class Sentence:
    """The result of one place in words; ``kind`` is region, zone or overlay."""

    kind: str
    english: str
    chinese: str


def headline(coverage: Coverage) -> list[Sentence]:
    """Say the result in words: the region first, then each zone, then each overlay."""
    region = coverage.cells.region
    names = {zone.key: (zone.name, zone.name_zh) for zone in (*region.zones, *region.overlays)}
    return sentences(coverage.figures(), names, Terms.of(coverage))


def sentences(figures: Iterable[Figure], names: Mapping[str, tuple[str, str]], terms: Terms) -> list[Sentence]:
    """Say in words how many reach every service, a sentence for each place.

    Parameters
    ----------
    figures : iterable of Figure
        Coverage of one region, in the order of the sentences.
    names : dict of (English, Chinese) by key
        Of its zones and overlays.
    """
    measure = "people" if terms.people else "cells"
    what, what_zh = ("people", "人") if measure == "people" else ("residential cells", "个居住格网")
    chosen = [figure for figure in figures if figure.service == ALL and figure.measure == measure]
    near, near_zh = walk_text(terms)
    n = len(terms.standard.services)
    needs = (f"all {n} services", f"全部 {n} 类服务") if n > 1 else ("the service", "该服务")
    if terms.absent:
        needs = (
            f"all {n} services in the data (the standard has {n + terms.absent})",
            f"数据所含的全部 {n} 类服务（标准共 {n + terms.absent} 类）",
        )
    out = []
    only = sum(figure.kind == "zone" for figure in chosen) == 1
    for figure in chosen:
        if figure.kind == "zone" and only:
            continue
        name, name_zh = ("The region", "全区") if figure.kind == "region" else names[figure.zone]
        if not figure.total:
            out.append(Sentence(figure.kind, f"{name}: no residents.", f"{name_zh}：无居民。"))
            continue
        amount, total = people_text(figure.met), people_text(figure.total)
        share = share_text(figure.met, figure.total)
        doubt = f"; {people_text(figure.unknown)} could not be judged" if figure.unknown else ""
        doubt_zh = f"；{people_text(figure.unknown)} {what_zh}无法判定" if figure.unknown else ""
        out.append(
            Sentence(
                figure.kind,
                f"{name}: {share} of {total} {what} ({amount}) reach {needs[0]} {near}{doubt}.",
                f"{name_zh}：{total} {what_zh}中 {share}（{amount}）{near_zh}{needs[1]}{doubt_zh}。",
            )
        )
    return out


def walk_text(terms: Terms, keys: Iterable[str] | None = None) -> tuple[str, str]:
    """Mode, walker and threshold of services, of all if none is named: without them a share means nothing."""
    services = {key: terms.standard.services[key] for key in (terms.standard.services if keys is None else keys)}
    costs = terms.profiles if keys is None else dict.fromkeys(service.profile for service in services.values())
    walkers = [p for p in (terms.profiles[name] for name in costs) if p.speed_mps is not None]
    who = " and ".join(f"{p.title} at {p.speed_mps.value:g} m/s" for p in walkers if p.speed_mps)
    who_zh = "、".join(f"{p.title_zh} {p.speed_mps.value:g} 米/秒" for p in walkers if p.speed_mps)
    limits = {(v, terms.unit_of(key)) for key, service in services.items() for v in service.thresholds}
    near, near_zh = "within the threshold of each", "在各自标准内"
    if len(limits) == 1:
        near = f"within {limit_text(*limits.copy().pop())}"
        near_zh = near.replace("within ", "在 ").replace(" min", " 分钟内").replace(" m", " 米内")
    return f"on foot {near}" + (f" ({who})" if who else ""), (f"按{who_zh}步行" if who else "步行") + f"{near_zh}可达"
