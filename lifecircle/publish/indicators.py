"""Indicators, capacity, groups of people, jobs and housing: tables of the report and rows of ``summary.json``."""

from html import escape
from typing import Any

from lifecircle.assess.coverage import ALL, Figure
from lifecircle.assess.diversity import CHOICES
from lifecircle.assess.findings import Findings
from lifecircle.assess.indicators import NEAREST
from lifecircle.assess.wording import (
    amount_text,
    lack_text,
    limit_text,
    people_text,
    rate_text,
    share_text,
    tidy_numbers,
)

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


def parts(found: Findings) -> list[tuple[str, str]]:
    """Sections of the report: heading and HTML; what there is nothing to say of is left out."""
    made = [
        ("What is lacking most · 短板排序", _deficit_table(found)),
        ("Capacity · 设施规模", _capacity_table(found)),
        ("Beyond the nearest facility · 多样与均衡", _indicator_table(found)),
        ("For whom · 人群差异", _people_tables(found)),
        ("Jobs and housing · 职住平衡", _balance_table(found)),
        ("Circles cut by expressways and railways · 被快速路、铁路分割", _crossing_table(found)),
    ]
    return [(head, text) for head, text in made if text]


def _table(head: list[str], rows: list[str]) -> str:
    cells = "".join(f"<th{' class=n' if number else ''}>{text}</th>" for number, text in enumerate(head))
    return f"<div class=scroll><table><thead><tr>{cells}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"


def _row(head: str, cells: list[str]) -> str:
    return f"<tr><th scope=row>{head}</th>{''.join(f'<td class=n>{cell}</td>' for cell in cells)}</tr>"


def _both(english: str, chinese: str) -> str:
    return f"{escape(english)}<br><span lang=zh>{escape(chinese)}</span>"


def _service(found: Findings, key: str) -> str:
    service = found.coverage.standard.services[key]
    return _both(service.title, service.title_zh)


def _zone_names(found: Findings) -> dict[str, str]:
    region = found.coverage.cells.region
    names = {zone.key: f"{zone.name} · {zone.name_zh}" for zone in (*region.zones, *region.overlays)}
    return names | {"region": "Region · 全区"}


def _deficit_table(found: Findings) -> str:
    names = _zone_names(found)
    rows = [
        _row(
            _service(found, row["service"]),
            [
                people_text(row["lacking"]), escape(share_text(row["lacking"], row["total"])),
                escape(names[row["worst_zone"]]) + f"<br><small>{people_text(row['lacking_there'])}</small>",
            ],
        )
        for row in deficits(found)
        if row["lacking"]
    ]  # fmt: skip
    what = "People" if found.coverage.cells.people is not None else "Cells"
    head = ["Service · 服务", f"{what} who lack it · 缺", "Share · 占比", "Most of them in · 主要在"]
    return _table(head, rows) if rows else ""


def _capacity_table(found: Findings) -> str:
    if not found.capacity:
        return ""
    names, rows = _zone_names(found), []
    for key, norm in found.capacity.items():
        rule = norm.rule
        met = {f.zone: f for f in found.coverage.figures_of({key: norm.point_met}) if f.measure == "people"}
        for f in norm.figures:
            least = "–" if f.per_1000 is None else rate_text(f.per_1000) + (" or more · 以上" if f.unknown else "")
            cell = met[f.zone]
            by_cell = share_text(cell.met, cell.total) if cell.total and norm.level is not None else "–"
            doubt = f"<br><small>{people_text(cell.unknown)} unknown</small>" if cell.unknown and cell.total else ""
            title = _both(rule.title, rule.title_zh) + f"<br><small>{escape(rule.source)} ({rule.status})</small>"
            said = _both(*_NORMS[f.verdict])
            missing = "" if not f.missing or f.unknown else f"<br><small>lacks {lack_text(f.missing)}</small>"
            rows.append(
                _row(
                    title if f.kind == "region" else f"<small>{escape(names[f.zone])}</small>",
                    [
                        f"{f.least:g} {escape(rule.unit)} / 1,000 {escape(rule.per_1000)}", least,
                        f"{amount_text(f.supply)}<br><small>{f.facilities} facilities, {f.unknown} unknown</small>",
                        said + missing, escape(by_cell) + doubt,
                    ],
                )
            )  # fmt: skip
    made = found.indicators
    way = "not computed: too many walks" if made is None else made.method.upper()
    way += "" if made is None or made.method == "2sfca" else f", {made.decay}"
    note = (
        "<p>What the facilities inside a zone offer for 1,000 of its people, and the share of people who have as much "
        f"within the service's reach ({escape(way)}: supply shared among all who can walk to it). Where the map states "
        "no supply it is unknown, never a number; a sum over known ones is a lower bound.</p>"
    )
    head = [
        "Norm · 指标",
        "Asked · 要求",
        "Found · 现状",
        "Supply · 供给",
        "Verdict · 结论",
        "People who have it · 达标人口",
    ]
    return note + _table(head, rows)


def _indicator_table(found: Findings) -> str:
    if found.indicators is None:
        return "<p>Not computed: there are more walks between homes and facilities than are kept.</p>"
    told = found.indicators.summary()
    known, rows = told["known"], []
    if not known:
        return "<p>Nobody could be judged, so nothing is known of what lies beyond the nearest facility.</p>"
    for key, one in told["services"].items():
        unit, equity = one["unit"], one["equity"]
        choice = "<br>".join(
            f"{name}: {escape(share_text(amount, known))}" for name, amount in one["choice"].items() if amount
        )
        mean, near = one["mean_20"], one["nearest"]
        rows.append(
            _row(
                _service(found, key),
                [
                    _cost(near["median"], unit) + f"<br><small>90 %: {_cost(near['p90'], unit)}</small>",
                    escape(share_text(one["second_met"], known)), f"<small>{choice}</small>",
                    f"{_cost(mean['value'], unit)}<br><small>{escape(share_text(mean['known'], known))} reach {NEAREST}"
                    "</small>"
                    if mean["known"]
                    else "–",
                    _number(one["gravity_mean"]),
                    f"{_number(equity['nearest']['gini'])}<br><small>{_cost(equity['nearest']['ede'], unit)}</small>",
                ],
            )
        )  # fmt: skip
    full = told["completeness"]
    n = len(full["services"])
    by_number = full["by_number_met"]
    steps = (
        f"all {n}: {share_text(by_number[n], known)}; half of them or more: "
        f"{share_text(sum(by_number[-(-n // 2) :]), known)}; none: {share_text(by_number[0], known)}"
    )
    who = told["measure"]
    worst = "; ".join(
        f"half of the {who} {_cost(one['median'], unit)}, nine in ten {_cost(one['p90'], unit)}"
        for unit, one in told["worst_service"].items()
    )
    which = "required services" if full["of"] == "required" else "services"
    nowhere = len(full["absent"])
    lacking = f"; {nowhere} more are nowhere in the data" if nowhere else ""
    lead = (
        f"<p>Completeness: of {n} {which} {who} have on average "
        f"{_number(full['mean_met'])} ({escape(steps)}){lacking}. "
        f"To the worst-placed service (x-minute time): {worst}. "
        f"Evenness of the mix (Shannon, 0 to 1): {_number(told['shannon_mean'])}.</p>"
    )
    head = [
        "Service · 服务", "Nearest, median · 最近（中位）", "Second in reach · 次近可达",
        f"Facilities in reach · 可选数量<br><small>{', '.join(CHOICES)}</small>", f"Mean of {NEAREST} nearest",
        "Gravity · 引力", "Gini, EDE of the walk",
    ]  # fmt: skip
    foot = (
        "<p><small>Mean of the 20 nearest: Bruno et al. 2024. Gravity: sum of exp(-t / threshold). Gini: 0 is the same "
        "walk for all. EDE: the Kolm-Pollak walk that, had by all alike, were as bad (beta 1; beyond the cutoff counts "
        "as the cutoff). Choice after Mouratidis.</small></p>"
    )
    return lead + _table(head, rows) + foot


def _cost(value: float | None, unit: str) -> str:
    if value is None:
        return "beyond the search"
    return f"{value / 60:.1f} min" if unit == "s" else f"{value:.0f} m"


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
        cells = [escape(share_text(own[key].met, own[key].total))]
        for told in walkers.values():
            one = told.get(key)
            more = (
                "" if one is None or one["difference"] is None else f"<br><small>{100 * one['difference']:+.1f}</small>"
            )
            cells.append("–" if one is None else escape(share_text(one["met"], one["total"])) + more)
        for figures in layers.values():
            f = figures[key]
            cells.append(escape(share_text(f.met, f.total)) + f"<br><small>{people_text(f.met)}</small>")
        title = _both("All services", "全部") if key == ALL else _service(found, key)
        rows.append(_row(title, cells))
    head = ["Service · 服务", "As judged · 按标准", *(f"if walked by {escape(name)}" for name in walkers)]
    notes = []
    for key in layers:
        layer = found.layers[key]
        head.append(_both(layer.title, layer.title_zh))
        notes.append(f"{layer.title}: {layer.total:,.0f} ({layer.source}; {layer.status})")
    note = f"<p><small>{escape('. '.join(notes))}.</small></p>" if notes else ""
    return _table(head, rows) + note


def _balance_table(found: Findings) -> str:
    if found.balance is None:
        return ""
    names, rows = _zone_names(found), []
    for b in found.balance:
        near = [escape(share_text(f.met, f.total)) if f.total else "–" for f in b.within.values()]
        ratio = "–" if b.jobs_per_resident is None else f"{b.jobs_per_resident:.2f}"
        rows.append(_row(escape(names[b.zone]), [people_text(b.jobs), people_text(b.residents), ratio, *near]))
    limits = found.balance[0].within
    head = ["Zone · 分区", "Jobs · 岗位", "Residents · 居民", "Jobs per resident · 岗位/居民"]
    head += [f"Workers with housing within {limit_text(limit, 's')} · 步行可达居住地" for limit in limits]
    return _table(head, rows)


def _crossing_table(found: Findings) -> str:
    if not found.crossings:
        return ""
    rows = [
        _row(_service(found, c.service), [escape(c.barrier), people_text(c.people), f"{c.cells:,}"])
        for c in found.crossings[:10]
    ]
    note = (
        "<p>A warning, not a verdict: these people keep to the threshold, but an expressway or a railway lies between "
        f"their home and the nearest facility (the first ten of {len(found.crossings)}).</p>"
    )
    return note + _table(["Service · 服务", "Barrier · 分割物", "People · 居民", "Cells · 格网"], rows)
