"""Verdicts in words: the standard clause by clause, the scorecard by zone, and the causes of gaps."""

from html import escape
from typing import Any

import numpy as np
import pandas as pd
import shapely

from lifecircle.assess.capacity import NormFigure
from lifecircle.assess.clauses import VERDICTS, Clause, Clauses, composite_met
from lifecircle.assess.coverage import Coverage, Figure
from lifecircle.assess.findings import Findings
from lifecircle.assess.gaps import CAUSES, Gap, Gaps
from lifecircle.assess.promises import Promises, Told
from lifecircle.assess.wording import cost_text, limit_text, people_text, share_text, tidy_numbers
from lifecircle.profiles import TICKS

_CAUSES_ZH = {
    "near_miss": "最近设施超出标准不足 20%",
    "gate": "只有穿过不开放的私有道路或门禁才能在标准内到达",
    "doubtful": "数据存疑：此处道路与路网其余部分不连通，或位于数据边缘",
    "severed": "直线距离内有设施，但步行无法在标准内到达",
    "none_near": "直线距离内也没有设施",
    "over_capacity": "标准内有设施，但其与周边设施的供给不足以服务所有可达居民",
}
_BARRIERS_ZH = {"water": "水体", "railway": "铁路", "motorway": "高速公路", "hard_barrier": "硬质边界"}
_MARKS = {
    "required": ("required", "应配建"),
    "as_needed": ("as needed", "按需"),
    "quality": ("quality", "品质"),
    "": ("", ""),
}
_COLUMNS = (
    *(
        "rule",
        "kind",
        "zone",
        "zone_kind",
        "year",
        "measure",
        "value",
        "numerator",
        "denominator",
        "unknown",
        "verdict",
    ),
    *("tier", "mark", "strength", "clause", "source", "status"),
)


def scorecard_frame(found: Findings) -> pd.DataFrame:
    """One row per rule, zone and year: the share of people (cells, where people are unknown) who have what it asks.

    The verdict is ``full`` where everybody has it, ``absent`` where the data holds no such facility. What stands
    together is counted in facilities, and in the region alone; a norm in its unit for 1,000 people; a plan's promises
    in every year that is asked about.
    """
    coverage, clauses = found.coverage, found.clauses
    measure = "cells" if coverage.cells.people is None else "people"
    of_rule = {row.key: row for row in clauses.rows}
    met = {key: composite_met(coverage, rule) for key, rule in coverage.standard.composites.items()}
    figures = coverage.figures() + coverage.figures_of(met)
    rows = [_row(clauses, of_rule.get(f.service), f) for f in figures if f.measure == measure]
    shown = {f.service for f in figures}
    capacity = found.capacity
    rows += [_lone_row(clauses, row) for row in clauses.rows if row.key not in shown and row.key not in capacity]
    rows += [_norm_row(clauses, of_rule[key], f) for key, norm in capacity.items() for f in norm.figures]
    rows += [_promise_row(found.promises, told) for told in found.promises.rows]
    frame = pd.DataFrame(rows, columns=list(_COLUMNS))
    numbers = dict.fromkeys(("value", "numerator", "denominator", "unknown"), "float64")
    return frame.astype({"year": "Int16"} | numbers)


def _row(clauses: Clauses, rule: Clause | None, figure: Figure) -> dict[str, Any]:
    return {
        "rule": figure.service,
        "kind": "all" if rule is None else rule.kind,
        "zone": figure.zone,
        "zone_kind": figure.kind,
        "year": clauses.coverage.year,
        "measure": figure.measure,
        "value": figure.share,
        "numerator": figure.met,
        "denominator": figure.total,
        "unknown": figure.unknown,
        "verdict": _verdict(figure),
    } | _of(clauses, rule)


def _verdict(figure: Figure) -> str:
    if not figure.total or (figure.unknown and not figure.not_met):
        return "unknown"  # nobody is known to lack it, and not everybody to have it
    return "full" if figure.met == figure.total else "not full"


def _norm_row(clauses: Clauses, rule: Clause, figure: NormFigure) -> dict[str, Any]:
    return {
        "rule": rule.key,
        "kind": "norm",
        "zone": figure.zone,
        "zone_kind": figure.kind,
        "year": clauses.coverage.year,
        "measure": "per_1000",
        "value": figure.per_1000,
        "numerator": figure.supply,
        "denominator": figure.people,
        "unknown": float(figure.unknown),
        "verdict": {"met": "full", "not_met": "not full", "unknown": "unknown"}[figure.verdict],
    } | _of(clauses, rule)


def _promise_row(promises: Promises, told: Told) -> dict[str, Any]:
    promise = promises.promises[told.key]
    return {
        "rule": told.key,
        "kind": "promise",
        "zone": told.zone,
        "zone_kind": told.kind,
        "year": told.year,
        "measure": told.measure or None,
        "value": told.value,
        "numerator": told.numerator,
        "denominator": told.denominator,
        "unknown": told.unknown,
        "verdict": told.verdict,
        "tier": "",
        "mark": "",
        "strength": promise.strength,
        "clause": promise.clause,
        "source": promise.source,
        "status": promise.status,
    }


def _lone_row(clauses: Clauses, rule: Clause) -> dict[str, Any]:
    """Row of a rule that is not judged by zones."""
    absent = rule.kind == "service"
    met, total = rule.counted if rule.kind == "together" else (None, None)
    verdict = "absent" if absent else "unknown" if not total else "full" if met == total else "not full"
    return {
        "rule": rule.key,
        "kind": rule.kind,
        "zone": "region",
        "zone_kind": "region",
        "year": clauses.coverage.year,
        "measure": "facilities" if rule.kind == "together" else None,
        "value": met / total if total and met is not None else None,
        "numerator": met,
        "denominator": total,
        "unknown": None,
        "verdict": verdict,
    } | _of(clauses, rule)


def _of(clauses: Clauses, rule: Clause | None) -> dict[str, str]:
    names = ("tier", "mark", "strength", "clause", "source", "status")
    if rule is None:
        return dict.fromkeys(names, "") | {"source": clauses.coverage.standard.source}
    return {name: getattr(rule, name) for name in names}


def clause_rows(clauses: Clauses) -> list[dict[str, Any]]:
    """Every rule as ``summary.json`` has it."""
    return [
        {
            "rule": row.key, "kind": row.kind, "title": row.title, "title_zh": row.title_zh, "tier": row.tier or None,
            "mark": row.mark or None, "asks": row.rule, "clause": row.clause or None, "source": row.source,
            "status": row.status, "strength": row.strength, "facilities": row.facilities, "verdict": row.verdict,
            "wording": row.wording[0], "wording_zh": row.wording[1],
            "people": _pair(row.people), "residential_m2": _pair(row.land),
            "straight": row.straight
            and {"people": _pair(row.straight[0]), "residential_m2": _pair(row.straight[1])},
            "alternatives": [
                {"value": tidy_numbers(a.value), "source": a.source, "status": a.status, **_pair((a.met, a.total))}
                for a in row.alternatives
            ],
        }
        for row in clauses.rows
    ]  # fmt: skip


def _pair(told: tuple[float | None, float | None]) -> dict[str, Any]:
    met, total = told
    share = met / total if met is not None and total else None
    return {"met": tidy_numbers(met), "total": tidy_numbers(total), "share": share}


def terminal_rows(clauses: Clauses) -> list[tuple[str, ...]]:
    """Every rule for a terminal: clause, what, rule, facilities, people, residential land, verdict."""
    return [
        (
            row.clause, row.key, row.rule.removeprefix("within ").removesuffix(" (metres)"), "" if row.facilities is None else f"{row.facilities:,}",
            share_text(*row.people) if row.people[1] else "", share_text(*row.land) if row.land[1] else "",
            row.wording[0] + ("" if row.status == "verified" else f" ({row.status})"),
        )
        for row in clauses.rows
    ]  # fmt: skip


def clause_part(clauses: Clauses) -> str:
    """Return the section on the standard, as HTML."""
    standard, number = clauses.coverage.standard, clauses.count()
    said = ", ".join(f"{n} {VERDICTS[name][0]}" for name, n in number.items() if n)
    said_zh = "，".join(f"{VERDICTS[name][1]} {n}" for name, n in number.items() if n)
    law = "" if standard.legal == "none" else f" ({standard.legal})"
    head = (
        "<tr><th>Clause<br><span lang=zh>条文</span></th><th>What<br><span lang=zh>项目</span></th>"
        "<th>Rule<br><span lang=zh>要求</span></th><th class=n>Facilities<br><span lang=zh>设施</span></th>"
        "<th class=n>Residents<br><span lang=zh>居民</span></th>"
        "<th class=n>Residential land<br><span lang=zh>居住用地</span></th><th>Verdict<br><span lang=zh>结论</span></th>"
        "<th>Source<br><span lang=zh>来源</span></th></tr>"
    )
    note = f"<p>{escape(standard.note)}</p>" if standard.note else ""
    return (
        f"<p>{escape(standard.title)} · <span lang=zh>{escape(standard.title_zh)}</span>{escape(law)}: {escape(said)}."
        f"<br><span lang=zh>{escape(said_zh)}。</span></p>{note}"
        "<p>A distance that should not be exceeded is advice; a facility its tier must have is a duty. A number that is "
        "not verified is an editable default. Facilities outside the boundary count where they are within reach.</p>"
        f"<div class=scroll><table><thead>{head}</thead><tbody>{''.join(map(_html_row, clauses.rows))}</tbody></table>"
        "</div>"
    )


def _html_row(row: Clause) -> str:
    unit = "m" if row.rule.endswith("(metres)") else "s"
    others = "".join(
        f"<br><small>{escape(limit_text(a.value, unit))}: {escape(share_text(a.met, a.total))} "
        f"({escape(a.source)}; {a.status})</small>"
        for a in row.alternatives
    )
    mark, mark_zh = _MARKS[row.mark]
    tier = f"{row.tier} min" if row.tier.isdigit() else row.tier
    what = " · ".join(text for text in (tier, mark, mark_zh) if text)
    note = f"<br><small>{escape(row.note)}</small>" if row.note else ""

    def share(told: tuple[float | None, float | None]) -> str:
        met, total = told
        if not total:
            return "–"
        return f"{escape(share_text(met, total))}<br><small>{people_text(met)}</small>{_beside(row, 0)}"

    land = "–"
    if row.land[1]:
        km2 = (row.land[0] or 0) / 1e6
        land = f"{escape(share_text(*row.land))}<br><small>{km2:.2f} km²</small>{_beside(row, 1)}"
    return (
        f"<tr><td>{escape(row.clause)}</td><th scope=row>{escape(row.title)}<br><span lang=zh>{escape(row.title_zh)}</span>"
        f"<br><small>{escape(what)}</small></th><td>{escape(row.rule)}{others}</td>"
        f"<td class=n>{'–' if row.facilities is None else f'{row.facilities:,}'}</td><td class=n>{share(row.people)}</td>"
        f"<td class=n>{land}</td>"
        f"<td>{escape(row.wording[0])}<br><span lang=zh>{escape(row.wording[1])}</span></td>"
        f"<td><small>{escape(row.source)} ({row.status}){note}</small></td></tr>"
    )


def _beside(row: Clause, of: int) -> str:
    """Say what straight lines would give, and by how much that is more than the walk."""
    if row.straight is None or not row.straight[of][1]:
        return ""
    (met, total), walked = row.straight[of], (row.people, row.land)[of][0]
    more = 100 * ((met or 0) - (walked or 0)) / (total or 1)
    return f"<br><small>buffer · 直线 {escape(share_text(met, total))} ({more:+.1f})</small>"


def cause_text(gap: Gap) -> tuple[str, str]:
    """Cause of a gap in words, English and Chinese, with what severs it and how long the way round is."""
    english, chinese = CAUSES[gap.cause], _CAUSES_ZH[gap.cause]
    if gap.barrier:
        kind, _, name = gap.barrier.partition(" ")
        what = kind if kind == "water" else f"a {kind.replace('_', ' ')}"
        english += f" Between lies {what}{f' ({name})' if name else ''}."
        chinese += f"；其间隔着{_BARRIERS_ZH[kind]}{f'（{name}）' if name else ''}"
    if gap.cause in {"severed", "gate"} and gap.detour is not None:
        english += f" The walk is {gap.detour:g} times the distance as the crow flies."
        chinese += f"；步行距离为直线距离的 {gap.detour:g} 倍"
    return english, chinese


def gap_part(coverage: Coverage, gaps: Gaps) -> str:
    """Return the ten largest gaps, as HTML; each leads to its home with most people on the map."""
    if not gaps.clusters:
        return "<p>None: every judged cell has every service.</p>"
    names = {zone.key: zone.name for zone in coverage.cells.region.zones}
    rows = []
    for gap in sorted(gaps.clusters, key=lambda gap: (-(gap.people or 0), -gap.area_m2))[:10]:
        unit = coverage.unit_of(gap.service)
        cutoff = coverage.lanes[coverage.cost_of(gap.service)].cutoff / TICKS
        lon, lat = coverage.cells.region.to_lonlat.transform(
            *shapely.get_coordinates(gap.geometry.representative_point())[0]
        )
        rows.append(
            f"<tr><td>{escape(coverage.standard.services[gap.service].title)}</td><td class=n>{people_text(gap.people)}</td>"
            f"<td class=n>{gap.area_m2 / 1e6:.2f}</td><td class=n>{escape(cost_text(gap.worst, unit, cutoff))}</td>"
            f'<td>{escape(names[gap.zone])}<br><a href="coverage.html#cell={_most_lived_in(coverage, gap)}">'
            f"<small>{lon:.4f}, {lat:.4f}</small></a></td>"
            f"<td>{escape(cause_text(gap)[0])}<br><span lang=zh>{escape(cause_text(gap)[1])}</span></td></tr>"
        )
    head = "<tr><th>Service</th><th class=n>People</th><th class=n>km²</th><th class=n>Longest walk</th><th>Where</th><th>Cause</th></tr>"
    return f"<div class=scroll><table><thead>{head}</thead><tbody>{''.join(rows)}</tbody></table></div>"


def _most_lived_in(coverage: Coverage, gap: Gap) -> str:
    """Name the cell of a gap with most people, of equal ones the first."""
    cells = np.array(gap.cells, dtype=np.int64)
    people = coverage.cells.people
    return str(coverage.cells.cell_id[cells[0 if people is None else int(np.argmax(people[cells]))]])
