"""What must stand beside any figure: whose data, by which method, and the result in words."""

from dataclasses import dataclass

from lifecircle.assess.coverage import ALL, Coverage
from lifecircle.assess.wording import limit_text, people_text, share_text, threshold_text
from lifecircle.profiles import TICKS
from lifecircle.sources.rasters import Note


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
    notes : tuple of (str, Note)
        What must be known of a raster, by the key of its input.
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
    notes: tuple[tuple[str, Note], ...] = ()

    @property
    def stamp(self) -> str:
        """The data's date as a time stamp, for formats that must hold one."""
        return (
            f"{self.data_date[:10]}T00:00:00.000Z"
            if len(self.data_date) >= len("2000-01-01")
            else "1970-01-01T00:00:00.000Z"
        )


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


def method(coverage: Coverage, about: About) -> list[tuple[str, str, str, str]]:
    """Lines of the method: English label and text, Chinese label and text."""
    people = coverage.cells.people is not None
    lanes = coverage.lanes
    lines = [
        (
            "Mode", "walking on the street network, from the homes of each cell (its centre where no building is mapped) to the nearest entrance",
            "方式", "沿路网步行，从格网内住宅（无建筑时取中心）到最近的设施入口",
        ),
    ]  # fmt: skip
    for name, profile in coverage.profiles.items():
        if profile.speed_mps is None:
            lines.append(("Cost", f"{name}: metres on the network", "成本", f"{profile.title_zh}（米）"))
        else:
            speed = profile.speed_mps
            sloped = profile.slope != "none" and about.sloped
            slope = f", by slope after {profile.slope.title()}" if sloped else ", all walks level"
            lines.append(
                (
                    "Walker", f"{profile.title}, {speed.value:g} m/s{slope} ({speed.status}; {speed.source})",
                    "步行者", f"{profile.title_zh}，{speed.value:g} m/s",
                )
            )  # fmt: skip
            if profile.steps_factor is not None:
                factor = profile.steps_factor
                lines.append(
                    (
                        "Stairs", f"a metre takes {factor.value:g} times as long ({factor.status}; {factor.source})",
                        "台阶", f"每米耗时为平地的 {factor.value:g} 倍",
                    )
                )  # fmt: skip
            for delay in profile.delays:
                where = ", ".join(f"{key}={'/'.join(values)}" for key, values in delay.match.items())
                lines.append(
                    (
                        "Wait", f"{delay.seconds:g} s at {where} ({delay.status}; {delay.source})",
                        "等候", f"{where}：{delay.seconds:g} 秒",
                    )
                )  # fmt: skip
    for key, service in coverage.standard.services.items():
        unit = coverage.unit_of(key)
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
        if people
        else "residential cells in the zone: no population is known"
    )
    base_zh = "区内居住人口（人口栅格）" if people else "区内居住格网（无人口数据）"
    policies = next(iter(said)) if len(said := {p.gates for p in coverage.profiles.values()}) == 1 else "mixed"
    searched = ", ".join(f"{limit_text(lane.cutoff / TICKS, lane.unit)} ({name})" for name, lane in lanes.items())
    lines += [
        ("Standard", f"{coverage.standard.title}; {coverage.standard.source}", "标准", coverage.standard.title_zh),
        ("Denominator", f"all {base}; those who could not be judged stay in it", "分母", f"全部{base_zh}，无法判定者计入分母"),
        ("Searched to", searched, "搜索范围", searched),
        ("Joining", f"to the nearest point of a path within {about.snap_limit_m:g} m, the way there charged", "接入", f"{about.snap_limit_m:g} 米内最近路径点，计入步行"),
        ("Private ways", _GATES[policies], "私有道路", _GATES_ZH[policies]),
        ("Facilities of", str(coverage.year) if coverage.year else "today", "设施年份", str(coverage.year or "现状")),
    ]  # fmt: skip
    return lines


@dataclass(frozen=True)
class Sentence:
    """The result of one place in words; ``kind`` is region, zone or overlay."""

    kind: str
    english: str
    chinese: str


def headline(coverage: Coverage) -> list[Sentence]:
    """Say the result in words: the region first, then each zone, then each overlay."""
    measure = "people" if coverage.cells.people is not None else "cells"
    what, what_zh = ("people", "人") if measure == "people" else ("residential cells", "个居住格网")
    names = {"region": ("The region", "全区")}
    for zone in (*coverage.cells.region.zones, *coverage.cells.region.overlays):
        names[zone.key] = (zone.name, zone.name_zh)
    terms, terms_zh = _terms(coverage)
    n = len(coverage.keys)
    needs = (f"all {n} services", f"全部 {n} 类服务") if n > 1 else ("the service", "该服务")
    out = []
    only = len(coverage.cells.region.zones) == 1
    for figure in coverage.figures():
        if figure.service != ALL or figure.measure != measure or (figure.kind == "zone" and only):
            continue
        name, name_zh = names[figure.zone]
        if not figure.total:
            out.append(Sentence(figure.kind, f"{name}: no residents.", f"{name_zh}：无居民。"))
            continue
        amount, total = people_text(figure.met), people_text(figure.total)
        share = share_text(figure.met, figure.total)
        doubt = f"; {people_text(figure.unknown)} could not be judged" if figure.unknown else ""
        doubt_zh = f"；{people_text(figure.unknown)}{what_zh}无法判定" if figure.unknown else ""
        out.append(
            Sentence(
                figure.kind,
                f"{name}: {share} of {total} {what} ({amount}) reach {needs[0]} {terms}{doubt}.",
                f"{name_zh}：{total}{what_zh}中 {share}（{amount}）{terms_zh}{needs[1]}{doubt_zh}。",
            )
        )
    return out


def _terms(coverage: Coverage) -> tuple[str, str]:
    """Mode, walker and threshold of the headline: without them a share means nothing."""
    walkers = [p for p in coverage.profiles.values() if p.speed_mps is not None]
    who = " and ".join(f"{p.title} at {p.speed_mps.value:g} m/s" for p in walkers if p.speed_mps)
    who_zh = "、".join(f"{p.title_zh} {p.speed_mps.value:g} m/s" for p in walkers if p.speed_mps)
    limits = {
        (v, coverage.unit_of(key)) for key, service in coverage.standard.services.items() for v in service.thresholds
    }
    near, near_zh = "within the threshold of each", "在各自标准内"
    if len(limits) == 1:
        near = f"within {limit_text(*limits.copy().pop())}"
        near_zh = near.replace("within ", "在 ").replace(" min", " 分钟内").replace(" m", " 米内")
    return f"on foot {near}" + (f" ({who})" if who else ""), (f"按{who_zh}步行" if who else "步行") + f"{near_zh}可达"
