"""A plan's promises in words and tables: the report's scorecard, the terminal's, and the rows of ``summary.json``."""

import re
from html import escape
from typing import Any

from lifecircle.assess.promises import VERDICTS, Promises, Told
from lifecircle.assess.wording import amount_text, people_text, rate_text, share_text, tidy_numbers, unit_zh
from lifecircle.language import say
from lifecircle.publish.markup import Text, both, cited, head, number, row, said_zh, table
from lifecircle.region import Region
from lifecircle.standards import Promise

_SHARES = frozenset({"people", "cells", "facilities", "zones", "street_m"})


def promise_rows(promises: Promises) -> list[dict[str, Any]]:
    """Every promise as ``summary.json`` has it: what was promised, what was found, and by whom it was said."""
    return [
        {
            "promise": key, "title": promise.title, "title_zh": promise.title_zh, "asks": promise.asks,
            "of": promise.of, "target": promise.target, "least": promise.least, "zone": promise.zone,
            "year": promise.year, "clause": promise.clause or None, "source": promise.source, "status": promise.status,
            "area_km2": promise.area_km2, "examined_km2": tidy_numbers(promises.examined_km2[key]),
            "verdict": promises.headline[key].verdict,
            "wording": VERDICTS[promises.headline[key].verdict][0],
            "wording_zh": VERDICTS[promises.headline[key].verdict][1],
            "needs": promise.needs or None, "note": promise.note or None,
            "found": [_told(told) for told in promises.rows if told.key == key],
        }
        for key, promise in promises.promises.items()
    ]  # fmt: skip


def _told(told: Told) -> dict[str, Any]:
    return {
        "zone": told.zone, "kind": told.kind, "year": told.year, "value": told.value,
        "numerator": tidy_numbers(told.numerator), "denominator": tidy_numbers(told.denominator),
        "unknown": tidy_numbers(told.unknown), "measure": told.measure or None, "verdict": told.verdict,
        "note": told.note[0] or None,
    }  # fmt: skip


def value_text(told: Told) -> str:
    """Write what was found: a share, a number for 1,000 people, or a ratio."""
    if told.value is None:
        return "–"
    if told.measure in _SHARES:
        return share_text(told.numerator, told.denominator)
    if told.measure == "jobs":
        return f"{told.value:.2f} jobs per resident"
    return f"{'≥ ' if told.unknown else ''}{rate_text(told.value)} {told.measure} per 1,000"


def _value(told: Told, promise: Promise) -> str:
    if promise.asks == "count" and told.measure != "zones":
        more = "≥ " if told.unknown else ""
        least = amount_text(promise.least or 1.0)
        return "–" if told.value is None else f"{more}{amount_text(told.numerator or 0.0)} of {least}"
    return value_text(told)


def amount_text_of(told: Told) -> str:
    """Write what the figure of a promise is made of; empty where nothing is known."""
    if told.value is None or told.numerator is None or told.denominator is None:
        return ""
    if told.measure == "street_m":
        return f"{told.numerator / 1000:,.1f} of {told.denominator / 1000:,.1f} km"
    if told.measure in _SHARES:
        return f"{people_text(told.numerator)} of {people_text(told.denominator)}"
    return f"{amount_text(told.numerator)} of {people_text(told.denominator)}"


def terminal_rows(promises: Promises) -> list[tuple[str, ...]]:
    """Every promise for a terminal: clause, what, where, by when, found, verdict."""
    rows: list[tuple[str, ...]] = []
    for key, promise in promises.promises.items():
        told = promises.headline[key]
        found = "" if told.value is None else _value(told, promise)
        told_of = "" if told.year == promise.year or told.year is None or not found else f" in {told.year}"
        rows.append(
            (
                promise.clause, say(promise.title, promise.title_zh), promise.zone or say("region", "全区"), str(promise.year or ""), found + told_of,
                say(*VERDICTS[told.verdict]),
            )
        )  # fmt: skip
    return rows


def promise_part(promises: Promises, region: Region) -> str:
    """Return the section on the plan's promises, as HTML."""
    names = {zone.key: Text(zone.name, zone.name_zh) for zone in (*region.zones, *region.overlays)}
    names["region"] = Text("region", "全区")
    years = sorted(set(promises.years), key=lambda year: (year is not None, year or 0))
    heads = [
        head(both("Clause", "条文")), head(both("Promise", "承诺")), head(both("Where, by when", "范围、期限")),
        *map(_year_head, years), head(both("Verdict", "结论")), head(both("Source", "来源")),
    ]  # fmt: skip
    rows = []
    for key, promise in promises.promises.items():
        told = promises.headline[key]
        place = promise.zone or "region"
        by_year = promises.of_zone(key, place)
        cells = "".join(_year_cell(by_year.get(year), promise) for year in years)
        examined = promises.examined_km2[key]
        where, where_zh = names.get(place, Text(place))
        by_when = f", {promise.year}" if promise.year else ""
        where, where_zh = where + by_when, (where_zh or where) + by_when
        if promise.area_km2 is not None:
            seen, all_km2 = "nothing" if examined is None else f"{examined:,.1f} km²", f"{promise.area_km2:,.1f} km²"
            where += f"; {seen} examined of {all_km2}"
            where_zh += f"；共 {said_zh(all_km2)}，已核查 {'无' if examined is None else said_zh(seen)}"
        notes = [both(*told.note) if told.note[0] else "", escape(promise.note)]
        rows.append(
            f"<tr><td>{escape(promise.clause)}</td><th scope=row>{both(promise.title, promise.title_zh)}</th>"
            f"<td>{both(where, where_zh)}</td>{cells}<td>{both(*VERDICTS[told.verdict])}"
            + "".join(f"<br><small>{note}</small>" for note in notes if note)
            + f"</td><td><small>{cited(promise.source, promise.status)}</small></td></tr>"
        )
    zones = [zone.key for zone in (*region.zones, *region.overlays)]
    lead = both(
        "Each year counts the facilities that are open in it, planned ones by their opening year; people and "
        "streets are those of the data. A verdict is given for the place and year the promise names.",
        "各年份按当年已开放（含规划开放年份）的设施计算；人口与路网为数据现状。结论针对承诺所指范围与年份。",
    )
    return f"<p>{lead}</p>{table(heads, rows, sorts=False)}" + (
        _by_zone(promises, names, zones, years) if len(zones) > 1 else ""
    )


def _year_head(year: int | None) -> str:
    return head(str(year) if year else both("Date unknown", "日期未知"), numeric=True)


def _year_cell(told: Told | None, promise: Promise) -> str:
    return (
        number("–")
        if told is None
        else number(_figure(_value(told, promise)), told.value, _figure(amount_text_of(told)))
    )


def _figure(text: str) -> str:
    """Write a figure in both languages."""
    return both(text, figure_zh(text)) if text else ""


def figure_zh(text: str) -> str:
    """Write a figure in Chinese: the words around its digits are few."""
    found = _PER.fullmatch(text)
    if found:
        return f"{found[1]} {unit_zh(found[2])} / 千人"
    return said_zh(re.sub("|".join(_WORDS_ZH), lambda m: _WORDS_ZH[m[0]], text))


_PER = re.compile(r"((?:≥ )?[\d,.]+) (.+) per 1,000")
_WORDS_ZH = {
    " jobs per resident": " 岗位/居民", " per 1,000": " / 千人", " of ": " / ", "no residents": "无居民",
    "unknown": "未知", "fewer than 1": "不足 1", "facilities": "处",
}  # fmt: skip


def _by_zone(promises: Promises, names: dict[str, Text], zones: list[str], years: list[int | None]) -> str:
    """Unfold every computed promise by zone and year."""
    parts = []
    for key, promise in promises.promises.items():
        rows = []
        for zone in zones:
            by_year = promises.of_zone(key, zone)
            if any(told.value is not None for told in by_year.values()):
                rows.append(row(names[zone].html, [_year_cell(by_year.get(year), promise) for year in years]))
        if rows:
            heads = [head(both("Zone", "分区")), *map(_year_head, years)]
            parts.append(
                f"<details><summary>{both(promise.title, promise.title_zh)}</summary>{table(heads, rows)}</details>"
            )
    return f"<h3>{both('By zone and year', '分区分年')}</h3>{''.join(parts)}" if parts else ""
