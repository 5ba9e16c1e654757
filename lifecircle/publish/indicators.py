"""Indicators, capacity, groups of people, jobs and housing: tables of the report and rows of ``summary.json``."""

from typing import Any

from lifecircle.assess.coverage import ALL, Figure
from lifecircle.assess.diversity import CHOICES
from lifecircle.assess.findings import Findings
from lifecircle.assess.indicators import NEAREST
from lifecircle.assess.wording import (
    amount_text,
    cost_text,
    group_zh,
    lack_text,
    limit_text,
    people_text,
    rate_text,
    share_text,
    tidy_numbers,
    unit_zh,
)
from lifecircle.profiles import Profile, preset_names
from lifecircle.publish.markup import both, cited, head, number, row, said, said_zh, section, table
from lifecircle.publish.scorecard import barrier_zh

_NORMS = {
    "met": ("met", "达标"), "not_met": ("not met", "未达标"), "unknown": ("unknown", "未知"),
}  # fmt: skip


def indicator_rows(found: Findings) -> dict[str, Any]:
    """Give indicators, capacity, groups, jobs and crossings as ``summary.json`` has them."""
    return {
        "indicators": None if found.indicators is None else _tidy(found.indicators.summary()),
        "capacity": _capacity_rows(found),
        "demand": _demand_rows(found),
        "walkers": _walker_rows(found),
        "jobs_housing": _balance_rows(found),
        "crossings": [
            {"service": c.service, "barrier": c.barrier, "people": tidy_numbers(c.people), "cells": c.cells}
            for c in found.crossings
        ],
        "deficits": deficits(found),
    }


def _tidy(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _tidy(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_tidy(part) for part in value]
    return tidy_numbers(value) if isinstance(value, float) else value


def _capacity_rows(found: Findings) -> list[dict[str, Any]]:
    rows, made = [], found.indicators
    way = {"method": None, "decay": None} if made is None else {"method": made.method, "decay": made.decay}
    for key, norm in found.capacity.items():
        rule = norm.rule
        met = {f.zone: f for f in found.coverage.figures_of({key: norm.point_met}) if f.measure == "people"}
        rows += [
            {
                "norm": key, "service": rule.service, "zone": f.zone, "kind": f.kind, "unit": rule.unit,
                "per_1000_of": rule.per_1000, "least": f.least, "supply": tidy_numbers(f.supply),
                "facilities": f.facilities, "supply_unknown": f.unknown, "people": tidy_numbers(f.people),
                "per_1000": f.per_1000, "lower_bound": f.unknown > 0,
                "missing": None if f.unknown else tidy_numbers(f.missing),
                "verdict": f.verdict, "clause": rule.clause or None, "source": rule.source, "status": rule.status,
                "by_cell": _pair(met[f.zone]) | way,
            }
            for f in norm.figures
        ]  # fmt: skip
    return rows


def _pair(figure: Figure) -> dict[str, Any]:
    return {
        "met": tidy_numbers(figure.met), "not_met": tidy_numbers(figure.not_met),
        "unknown": tidy_numbers(figure.unknown), "total": tidy_numbers(figure.total), "share": figure.share,
    }  # fmt: skip


def _demand_rows(found: Findings) -> dict[str, Any]:
    return {
        key: {
            "title": layer.title, "title_zh": layer.title_zh, "kind": layer.kind, "total": tidy_numbers(layer.total),
            "source": layer.source, "status": layer.status,
            "figures": [
                {"zone": f.zone, "kind": f.kind, "service": f.service} | _pair(f)
                for f in found.demand[key].figures()
                if f.measure == "people"
            ],
        }
        for key, layer in found.layers.items()
        if key in found.demand
    }  # fmt: skip


def _walker_rows(found: Findings) -> dict[str, Any]:
    """Coverage as other walkers have it, beside that of the run, for the services with a time rule."""
    coverage = found.coverage
    measure = "people" if coverage.cells.people is not None else "cells"
    own = {f.service: f for f in coverage.figures() if f.kind == "region" and f.measure == measure}
    timed = [key for key in coverage.keys if coverage.unit_of(key) == "s"]
    rows: dict[str, Any] = {}
    for group, met in found.groups.items():
        verdicts = coverage.verdicts(met)
        figures = coverage.figures_of({key: verdicts[key] for key in (*timed, ALL)}, regions_only=True)
        rows[group] = {
            f.service: _pair(f)
            | {"of_the_run": own[f.service].share, "difference": _difference(f.share, own[f.service].share)}
            for f in figures
            if f.measure == measure
        }
    return rows


def _difference(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else one - other


def _balance_rows(found: Findings) -> list[dict[str, Any]] | None:
    if found.balance is None:
        return None
    return [
        {
            "zone": b.zone, "kind": b.kind, "jobs": tidy_numbers(b.jobs), "residents": tidy_numbers(b.residents),
            "jobs_per_resident": b.jobs_per_resident,
            "housing_within": {f"{limit}": _pair(figure) for limit, figure in b.within.items()},
        }
        for b in found.balance
    ]  # fmt: skip


def deficits(found: Findings) -> list[dict[str, Any]]:
    """Rank services by the people (cells) who lack them, most first, with the zone where most of them are."""
    coverage = found.coverage
    measure = "people" if coverage.cells.people is not None else "cells"
    figures = [f for f in coverage.figures() if f.measure == measure and f.service != ALL]
    rows = []
    for key in coverage.keys:
        whole = next(f for f in figures if f.service == key and f.kind == "region")
        zones = [f for f in figures if f.service == key and f.kind == "zone"]
        worst = max(zones, key=lambda f: f.not_met or 0.0)
        rows.append(
            {
                "service": key, "measure": measure, "lacking": tidy_numbers(whole.not_met),
                "total": tidy_numbers(whole.total),
                "share": None if not whole.total or whole.not_met is None else whole.not_met / whole.total,
                "worst_zone": worst.zone, "lacking_there": tidy_numbers(worst.not_met),
            }
        )  # fmt: skip
    return sorted(rows, key=lambda row: (-(row["lacking"] or 0), row["service"]))


# ------------------------------------------------------------------------------------------------- the report


def parts(found: Findings) -> list[str]:
    """Sections of the report, as HTML; what there is nothing to say of is left out."""
    made = [
        ("What is lacking most", "短板排序", _deficit_table(found)),
        ("Capacity", "设施规模", _capacity_table(found)),
        ("Beyond the nearest facility", "多样与均衡", _indicator_table(found)),
        ("For whom", "人群差异", _people_tables(found)),
        ("Jobs and housing", "职住平衡", _balance_table(found)),
        ("Circles cut by expressways and railways", "被快速路、铁路分割", _crossing_table(found)),
    ]
    return [section(english, chinese, text) for english, chinese, text in made if text]


def _heads(first: tuple[str, str], *others: tuple[str, str]) -> list[str]:
    return [head(both(*first)), *(head(both(*one), numeric=True) for one in others)]


def _service(found: Findings, key: str) -> str:
    service = found.coverage.standard.services[key]
    return both(service.title, service.title_zh)


def _zone_names(found: Findings) -> dict[str, str]:
    region = found.coverage.cells.region
    names = {zone.key: both(zone.name, zone.name_zh) for zone in (*region.zones, *region.overlays)}
    return names | {"region": both("Region", "全区")}


def _deficit_table(found: Findings) -> str:
    names = _zone_names(found)
    rows = [
        row(
            _service(found, one["service"]),
            [
                number(said(people_text(one["lacking"])), one["lacking"]),
                number(said(share_text(one["lacking"], one["total"])), one["share"]),
                number(names[one["worst_zone"]], one["lacking_there"], said(people_text(one["lacking_there"]))),
            ],
        )
        for one in deficits(found)
        if one["lacking"]
    ]
    people = found.coverage.cells.people is not None
    who = ("People who lack it", "缺乏的居民") if people else ("Cells that lack it", "缺乏的格网")
    heads = _heads(("Service", "服务"), who, ("Share", "占比"), ("Most of them in", "主要在"))
    return table(heads, rows) if rows else ""


def _capacity_table(found: Findings) -> str:
    if not found.capacity:
        return ""
    names, rows = _zone_names(found), []
    for key, norm in found.capacity.items():
        rule = norm.rule
        met = {f.zone: f for f in found.coverage.figures_of({key: norm.point_met}) if f.measure == "people"}
        for f in norm.figures:
            least = "–" if f.per_1000 is None else rate_text(f.per_1000)
            least += "" if f.per_1000 is None or not f.unknown else " " + both("or more", "以上")
            cell = met[f.zone]
            by_cell = said(share_text(cell.met, cell.total)) if cell.total and norm.level is not None else "–"
            n = people_text(cell.unknown)
            doubt = both(f"{n} unknown", f"{n} 未知") if cell.unknown and cell.total else ""
            title = both(rule.title, rule.title_zh) + f"<br><small>{cited(rule.source, rule.status)}</small>"
            lacks = "" if not f.missing or f.unknown else lack_text(f.missing)
            rows.append(
                row(
                    title if f.kind == "region" else f"<small>{names[f.zone]}</small>",
                    [
                        number(both(
                            f"{f.least:g} {rule.unit} / 1,000 {rule.per_1000}",
                            f"{f.least:g} {unit_zh(rule.unit)} / 千{group_zh(rule.per_1000)}",
                        )),
                        number(least),
                        number(
                            amount_text(f.supply),
                            small=both(f"{f.facilities} facilities, {f.unknown} unknown", f"{f.facilities} 处，{f.unknown} 处未知"),
                        ),
                        number(both(*_NORMS[f.verdict]), small=both(f"lacks {lacks}", f"缺 {lacks}") if lacks else ""),
                        number(by_cell, small=doubt),
                    ],
                )
            )  # fmt: skip
    made = found.indicators
    way = "not computed: too many walks" if made is None else made.method.upper()
    way += "" if made is None or made.method == "2sfca" else f", {made.decay}"
    way_zh = "未计算：步行组合过多" if made is None else way
    note = both(
        "What the facilities inside a zone offer for 1,000 of its people, and the share of people who have as much "
        f"within the service's reach ({way}: supply shared among all who can walk to it). Where the map states "
        "no supply it is unknown, never a number; a sum over known ones is a lower bound.",
        f"分区内设施每千人供给量，以及在服务可达范围内享有同等供给的居民占比（{way_zh}：供给由所有可步行到达者共享）。"
        "地图未载供给量的为未知，不以数字代替；仅对已知部分求和者为下限。",
    )
    heads = _heads(
        ("Norm", "指标"), ("Asked", "要求"), ("Found", "现状"), ("Supply", "供给"), ("Verdict", "结论"),
        ("People who have it", "达标人口"),
    )  # fmt: skip
    return f"<p>{note}</p>{table(heads, rows, sorts=False)}"


def _indicator_table(found: Findings) -> str:
    if found.indicators is None:
        return "<p>" + both(
            "Not computed: there are more walks between homes and facilities than are kept.", "未计算：步行组合过多。"
        ) + "</p>"  # fmt: skip
    told = found.indicators.summary()
    known, rows = told["known"], []
    if not known:
        return "<p>" + both(
            "Nobody could be judged, so nothing is known of what lies beyond the nearest facility.",
            "无人可判定，最近设施之外的情况未知。",
        ) + "</p>"  # fmt: skip
    for key, one in told["services"].items():
        unit, equity = one["unit"], one["equity"]
        choice = "<br>".join(
            f"{name}: {said(share_text(amount, known))}" for name, amount in one["choice"].items() if amount
        )
        mean, near, even = one["mean_20"], one["nearest"], equity["nearest"]
        reached = share_text(mean["known"], known)
        rows.append(
            row(
                _service(found, key),
                [
                    number(said(_cost(near["median"], unit)), near["median"], f"90 %: {said(_cost(near['p90'], unit))}"),
                    number(said(share_text(one["second_met"], known)), one["second_met"]),
                    number(f"<small>{choice}</small>"),
                    number(
                        said(_cost(mean["value"], unit)), mean["value"],
                        both(f"{reached} reach {NEAREST}", f"{reached} 可达 {NEAREST} 处"),
                    ) if mean["known"] else number("–"),
                    number(_number(one["gravity_mean"]), one["gravity_mean"]),
                    number(_number(even["gini"]), even["gini"], said(_cost(even["ede"], unit))),
                ],
            )
        )  # fmt: skip
    heads = _heads(
        ("Service", "服务"), ("Nearest, median", "最近（中位）"), ("Second in reach", "次近可达"),
        (f"Facilities in reach: {', '.join(CHOICES)}", f"可选数量：{'、'.join(CHOICES)}"),
        (f"Mean of {NEAREST} nearest", f"最近 {NEAREST} 处均值"), ("Gravity", "引力"),
        ("Gini, EDE of the walk", "基尼系数、等效步行"),
    )  # fmt: skip
    foot = both(
        "Mean of the 20 nearest: Bruno et al. 2024. Gravity: sum of exp(-t / threshold). Gini: 0 is the same "
        "walk for all. EDE: the Kolm-Pollak walk that, had by all alike, were as bad (beta 1; beyond the cutoff counts "
        "as the cutoff). Choice after Mouratidis.",
        "最近 20 处均值：Bruno 等 2024。引力：exp(-t / 阈值) 之和。基尼系数：0 表示所有人步行相同。"
        "等效步行（EDE）：Kolm-Pollak 等分布等效值（beta 1；超出搜索范围按范围上限计）。可选数量分级参照 Mouratidis。",
    )
    return f"<p>{_completeness(told)}</p>{table(heads, rows)}<p><small>{foot}</small></p>"


def _completeness(told: dict[str, Any]) -> str:
    """Say how much of the life circle people have, and how far the worst-placed service is."""
    known, full, who = told["known"], told["completeness"], told["measure"]
    n, by_number, nowhere = len(full["services"]), full["by_number_met"], len(full["absent"])
    every, half, none = (
        share_text(amount, known) for amount in (by_number[n], sum(by_number[-(-n // 2) :]), by_number[0])
    )
    mean, mix = _number(full["mean_met"]), _number(told["shannon_mean"])
    walks = [(_cost(one["median"], unit), _cost(one["p90"], unit)) for unit, one in told["worst_service"].items()]
    worst = "; ".join(f"half of the {who} {median}, nine in ten {most}" for median, most in walks)
    worst_zh = "；".join(f"中位 {said_zh(median)}，九成 {said_zh(most)}" for median, most in walks)
    which = "required services" if full["of"] == "required" else "services"
    which_zh = "应配建服务" if full["of"] == "required" else "服务"
    lacking = f"; {nowhere} more are nowhere in the data" if nowhere else ""
    lacking_zh = f"；另有 {nowhere} 类数据中没有" if nowhere else ""
    who_zh = "居民" if who == "people" else "格网"
    return both(
        f"Completeness: of {n} {which} {who} have on average {mean} "
        f"(all {n}: {every}; half of them or more: {half}; none: {none}){lacking}. "
        f"To the worst-placed service (x-minute time): {worst}. Evenness of the mix (Shannon, 0 to 1): {mix}.",
        f"完整度：{n} 类{which_zh}中{who_zh}平均拥有 {mean} 类（全部：{every}；半数以上：{half}；全无：{none}）{lacking_zh}。"
        f"到最不便的服务（x 分钟）：{worst_zh}。构成均匀度（Shannon，0–1）：{mix}。",
    )


def _cost(value: float | None, unit: str) -> str:
    if value is None:
        return "beyond the search"
    return cost_text(value, unit, value)


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def _people_tables(found: Findings) -> str:
    """Coverage of other walkers and of the groups the study names, beside everybody's."""
    coverage = found.coverage
    measure = "people" if coverage.cells.people is not None else "cells"
    own = {f.service: f for f in coverage.figures() if f.kind == "region" and f.measure == measure}
    walkers, rows = _walker_rows(found), []
    layers = {
        key: {f.service: f for f in each.figures() if f.kind == "region" and f.measure == "people"}
        for key, each in found.demand.items()
    }
    if not walkers and not layers:
        return ""
    for key in (*coverage.keys, ALL):
        cells = [number(said(share_text(own[key].met, own[key].total)), own[key].share)]
        for told in walkers.values():
            one = told.get(key)
            if one is None:
                cells.append(number("–", -1))
                continue
            more = "" if one["difference"] is None else f"{100 * one['difference']:+.1f}"
            cells.append(number(said(share_text(one["met"], one["total"])), one["share"], more))
        for figures in layers.values():
            f = figures[key]
            cells.append(number(said(share_text(f.met, f.total)), f.share, said(people_text(f.met))))
        rows.append(row(both("All services", "全部") if key == ALL else _service(found, key), cells))
    known = preset_names("profiles")
    titles = [(Profile.load(name).title_zh if name in known else f" {name} ", name) for name in walkers]
    heads = _heads(
        ("Service", "服务"), ("As judged", "按标准"),
        *((f"if walked by {name}", f"由{title_zh}步行") for title_zh, name in titles),
        *((found.layers[key].title, found.layers[key].title_zh) for key in layers),
    )  # fmt: skip
    notes = [
        both(f"{layer.title}: {layer.total:,.0f}", f"{layer.title_zh or layer.title}：{layer.total:,.0f}")
        + f" · {cited(layer.source, layer.status)}"
        for layer in (found.layers[key] for key in layers)
    ]
    return table(heads, rows) + (f"<p><small>{'. '.join(notes)}.</small></p>" if notes else "")


def _balance_table(found: Findings) -> str:
    if found.balance is None:
        return ""
    names, rows = _zone_names(found), []
    for b in found.balance:
        near = [
            number(said(share_text(f.met, f.total)), f.share) if f.total else number("–", -1) for f in b.within.values()
        ]
        ratio = "–" if b.jobs_per_resident is None else f"{b.jobs_per_resident:.2f}"
        rows.append(
            row(
                names[b.zone],
                [
                    number(said(people_text(b.jobs)), b.jobs), number(said(people_text(b.residents)), b.residents),
                    number(ratio, b.jobs_per_resident), *near,
                ],
            )
        )  # fmt: skip
    heads = _heads(
        ("Zone", "分区"), ("Jobs", "岗位"), ("Residents", "居民"), ("Jobs per resident", "岗位/居民"),
        *(
            (f"Workers with housing within {limit_text(limit, 's')}", f"{said_zh(limit_text(limit, 's'))}步行可达居住地")
            for limit in found.balance[0].within
        ),
    )  # fmt: skip
    return table(heads, rows)


def _crossing_table(found: Findings) -> str:
    if not found.crossings:
        return ""
    rows = [
        row(
            _service(found, c.service),
            [
                f"<td>{both(c.barrier, barrier_zh(c.barrier))}</td>",
                number(said(people_text(c.people)), c.people),
                number(f"{c.cells:,}", c.cells),
            ],
        )
        for c in found.crossings[:10]
    ]
    note = both(
        "A warning, not a verdict: these people keep to the threshold, but an expressway or a railway lies between "
        f"their home and the nearest facility (the first ten of {len(found.crossings)}).",
        "仅为提示，不影响结论：这些居民达标，但其住宅与最近设施之间隔着快速路或铁路"
        f"（列出前十，共 {len(found.crossings)}）。",
    )
    heads = _heads(("Service", "服务"), ("Barrier", "分割物"), ("People", "居民"), ("Cells", "格网"))
    heads[1] = head(both("Barrier", "分割物"))
    return f"<p>{note}</p>{table(heads, rows)}"
