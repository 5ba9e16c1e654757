"""Verdicts in words: the standard clause by clause, the scorecard by zone, and the causes of gaps."""

from html import escape
from typing import Any

import numpy as np
import pandas as pd
import shapely

from lifecircle.assess.capacity import NormFigure
from lifecircle.assess.clauses import MARK, VERDICTS, Clause, Clauses, composite_met
from lifecircle.assess.coverage import Coverage, Figure
from lifecircle.assess.findings import Findings
from lifecircle.assess.gaps import CAUSES, Gap, Gaps
from lifecircle.assess.promises import Promises, Told
from lifecircle.assess.wording import limit_text, people_text, share_text, tidy_numbers
from lifecircle.language import say
from lifecircle.publish.markup import STATUS_ZH, both, cited, head, number, said, table

CAUSES_ZH = {
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
_TIERS_ZH = {"block": "居住街坊"}
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
            row.clause, say(row.key, row.title_zh), _short_rule(row), "" if row.facilities is None else f"{row.facilities:,}",
            share_text(*row.people) if row.people[1] else "", share_text(*row.land) if row.land[1] else "",
            say(*row.wording) + ("" if row.status == "verified" else say(f" ({row.status})", f"（{STATUS_ZH[row.status]}）")),
        )
        for row in clauses.rows
    ]  # fmt: skip


def _short_rule(row: Clause) -> str:
    """Say what is asked in as few words as a terminal has room for."""
    return say(
        row.rule.removeprefix("within ").removesuffix(" (metres)"),
        (row.rule_zh or row.rule).removesuffix("以内（网络距离）"),
    )


def clause_part(clauses: Clauses) -> str:
    """Return the section on the standard, as HTML."""
    standard, count = clauses.coverage.standard, clauses.count()
    told = ", ".join(f"{n} {VERDICTS[name][0]}" for name, n in count.items() if n)
    told_zh = "，".join(f"{VERDICTS[name][1]} {n}" for name, n in count.items() if n)
    law = "" if standard.legal == "none" else f" ({standard.legal})"
    named = any(row.clause for row in clauses.rows)  # some standards have no clauses
    heads = [
        *([head(both("Clause", "条文"))] if named else []), head(both("What", "项目")), head(both("Rule", "要求")),
        head(both("Facilities", "设施"), numeric=True), head(both("Residents", "居民"), numeric=True),
        head(both("Residential land", "居住用地"), numeric=True), head(both("Verdict", "结论")),
        head(both("Source", "来源")),
    ]  # fmt: skip
    note = f"<p>{both(standard.note, standard.note_zh)}</p>" if standard.note else ""
    return (
        f"<p>{both(f'{standard.title}{law}: {told}.', f'{standard.title_zh}：{told_zh}。')}</p>{note}<p>"
        + both(
            f"{MARK[0]} A distance that should not be exceeded is advice; a facility its tier must have is a duty. A number that is "
            "not verified is an editable default. Facilities outside the boundary count where they are within reach.",
            f"{MARK[1]}“不宜”超过的距离为建议，“应”配建的设施为要求。未经核实的数字为可修改的默认值。边界外但可达的设施计入。来源与备注照录标准文件。",
        )
        + f"</p>{table(heads, [_html_row(row, named=named) for row in clauses.rows])}"
    )


def _html_row(row: Clause, *, named: bool) -> str:
    unit = "m" if row.rule.endswith("(metres)") else "s"
    others = "".join(
        f"<br><small>{said(limit_text(a.value, unit))}: {said(share_text(a.met, a.total))} "
        f"· {cited(a.source, a.status)}</small>"
        for a in row.alternatives
    )
    mark, mark_zh = _MARKS[row.mark]
    tier = (
        (f"{row.tier} min", f"{row.tier} 分钟") if row.tier.isdigit() else (row.tier, _TIERS_ZH.get(row.tier, row.tier))
    )
    what = both(" · ".join(t for t in (tier[0], mark) if t), " · ".join(t for t in (tier[1], mark_zh) if t))
    note = f"<br><small>{escape(row.note)}</small>" if row.note else ""

    def share(of: int, below: str) -> str:
        met, total = (row.people, row.land)[of]
        if not total:
            return number("–", -1)
        return number(said(share_text(met, total)), (met or 0) / total, below + _beside(row, of))

    land = "" if not row.land[1] else said(f"{(row.land[0] or 0) / 1e6:.2f} km²")
    return (
        f"<tr>{f'<td>{escape(row.clause)}</td>' if named else ''}<th scope=row>{both(row.title, row.title_zh)}<br><small>{what}</small></th>"
        f"<td>{both(row.rule, row.rule_zh)}{others}</td>"
        + number("–" if row.facilities is None else f"{row.facilities:,}", row.facilities or 0)
        + share(0, said(people_text(row.people[0])))
        + share(1, land)
        + f"<td>{both(*row.wording)}</td><td><small>{cited(row.source, row.status)}{note}</small></td></tr>"
    )


def _beside(row: Clause, of: int) -> str:
    """Say what straight lines would give, and by how much that is more than the walk."""
    if row.straight is None or not row.straight[of][1]:
        return ""
    (met, total), walked = row.straight[of], (row.people, row.land)[of][0]
    more = 100 * ((met or 0) - (walked or 0)) / (total or 1)
    return f"<br>{both('buffer', '直线')} {said(share_text(met, total))} ({more:+.1f})"


def barrier_zh(barrier: str) -> str:
    """Say a barrier in Chinese: its kind, and the name it has."""
    kind, _, name = barrier.partition(" ")
    return _BARRIERS_ZH.get(kind, kind) + (f"（{name}）" if name else "")


def cause_text(gap: Gap) -> tuple[str, str]:
    """Cause of a gap in words, English and Chinese, with what severs it and how long the way round is."""
    english, chinese = CAUSES[gap.cause], CAUSES_ZH[gap.cause]
    if gap.barrier:
        kind, _, name = gap.barrier.partition(" ")
        what = kind if kind == "water" else f"a {kind.replace('_', ' ')}"
        english += f" Between lies {what}{f' ({name})' if name else ''}."
        chinese += f"；其间隔着{barrier_zh(gap.barrier)}"
    if gap.cause in {"severed", "gate"} and gap.detour is not None:
        english += f" The walk is {gap.detour:g} times the distance as the crow flies."
        chinese += f"；步行距离为直线距离的 {gap.detour:g} 倍"
    return english, chinese


def most_lived_in(coverage: Coverage, gap: Gap) -> str:
    """Name the cell of a gap with most people, of equal ones the first."""
    cells = np.array(gap.cells, dtype=np.int64)
    people = coverage.cells.people
    return str(coverage.cells.cell_id[cells[0 if people is None else int(np.argmax(people[cells]))]])


def largest(gaps: Gaps) -> list[Gap]:
    """Return the ten gaps with most people, or most land where people are unknown."""
    return sorted(gaps.clusters, key=lambda gap: (-(gap.people or 0), -gap.area_m2))[:10]


def gap_rows(coverage: Coverage, gaps: Gaps) -> list[dict[str, Any]]:
    """Give the ten largest gaps as ``summary.json`` has them; ``cell`` is the one most of their people live in."""
    rows = []
    for gap in largest(gaps):
        lon, lat = coverage.cells.region.to_lonlat.transform(
            *shapely.get_coordinates(gap.geometry.representative_point())[0]
        )
        english, chinese = cause_text(gap)
        rows.append(
            {
                "service": gap.service, "people": tidy_numbers(gap.people), "area_m2": tidy_numbers(gap.area_m2),
                "worst": tidy_numbers(gap.worst), "unit": coverage.unit_of(gap.service), "zone": gap.zone,
                "cause": gap.cause, "wording": english, "wording_zh": chinese, "cell": most_lived_in(coverage, gap),
                "lon": round(float(lon), 4), "lat": round(float(lat), 4),
            }
        )  # fmt: skip
    return rows
