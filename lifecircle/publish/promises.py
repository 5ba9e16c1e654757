"""A plan's promises in words and tables: the report's scorecard, the terminal's, and the rows of ``summary.json``."""

from html import escape
from typing import Any

from lifecircle.assess.promises import VERDICTS, Promises, Told
from lifecircle.assess.wording import amount_text, people_text, rate_text, share_text, tidy_numbers
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


def _amount(told: Told) -> str:
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
                promise.clause, promise.title, promise.zone or "region", str(promise.year or ""), found + told_of,
                VERDICTS[told.verdict][0],
            )
        )  # fmt: skip
    return rows


def promise_part(promises: Promises, region: Region) -> str:
    """Return the section on the plan's promises, as HTML."""
    names = {zone.key: zone.name for zone in (*region.zones, *region.overlays)} | {"region": "region"}
    years = sorted(set(promises.years), key=lambda year: (year is not None, year or 0))
    head = (
        "<tr><th>Clause<br><span lang=zh>条文</span></th><th>Promise<br><span lang=zh>承诺</span></th>"
        "<th>Where, by when<br><span lang=zh>范围、期限</span></th>"
        + "".join(map(_year_head, years))
        + "<th>Verdict<br><span lang=zh>结论</span></th><th>Source<br><span lang=zh>来源</span></th></tr>"
    )
    rows = []
    for key, promise in promises.promises.items():
        told = promises.headline[key]
        place = promise.zone or "region"
        by_year = promises.of_zone(key, place)
        cells = "".join(_year_cell(by_year.get(year), promise) for year in years)
        examined = promises.examined_km2[key]
        where = names.get(place, place) + (f", {promise.year}" if promise.year else "")
        if promise.area_km2 is not None:
            seen = "nothing" if examined is None else f"{examined:,.1f} km²"
            where += f"; {seen} examined of {promise.area_km2:,.1f} km²"
        said, said_zh = VERDICTS[told.verdict]
        notes = [f"{told.note[0]}" if told.note[0] else "", promise.note]
        rows.append(
            f"<tr><td>{escape(promise.clause)}</td><th scope=row>{escape(promise.title)}<br>"
            f"<span lang=zh>{escape(promise.title_zh)}</span></th><td>{escape(where)}</td>{cells}"
            f"<td>{escape(said)}<br><span lang=zh>{escape(said_zh)}</span>"
            + "".join(f"<br><small>{escape(note)}</small>" for note in notes if note)
            + f"</td><td><small>{escape(promise.source)} ({promise.status})</small></td></tr>"
        )
    zones = [zone.key for zone in (*region.zones, *region.overlays)]
    return (
        "<p>Each year counts the facilities that are open in it, planned ones by their opening year; people and "
        "streets are those of the data. A verdict is given for the place and year the promise names.<br><span lang=zh>"
        "各年份按当年已开放（含规划开放年份）的设施计算；人口与路网为数据现状。结论针对承诺所指范围与年份。</span></p>"
        f"<div class=scroll><table><thead>{head}</thead><tbody>{''.join(rows)}</tbody></table></div>"
        + (_by_zone(promises, names, zones, years) if len(zones) > 1 else "")
    )


def _year_head(year: int | None) -> str:
    return f"<th class=n>{year or 'Date unknown<br><span lang=zh>日期未知</span>'}</th>"


def _year_cell(told: Told | None, promise: Promise) -> str:
    if told is None:
        return "<td class=n>–</td>"
    return f"<td class=n>{escape(_value(told, promise))}<br><small>{escape(_amount(told))}</small></td>"


def _by_zone(promises: Promises, names: dict[str, str], zones: list[str], years: list[int | None]) -> str:
    """Unfold every computed promise by zone and year."""
    parts = []
    for key, promise in promises.promises.items():
        rows = []
        for zone in zones:
            by_year = promises.of_zone(key, zone)
            if any(told.value is not None for told in by_year.values()):
                cells = "".join(_year_cell(by_year.get(year), promise) for year in years)
                rows.append(f"<tr><th scope=row>{escape(names[zone])}</th>{cells}</tr>")
        if rows:
            head = "".join(map(_year_head, years))
            parts.append(
                f"<details><summary>{escape(promise.title)} · <span lang=zh>{escape(promise.title_zh)}</span></summary>"
                f"<div class=scroll><table><thead><tr><th>Zone · 分区</th>{head}</tr></thead>"
                f"<tbody>{''.join(rows)}</tbody></table></div></details>"
            )
    return f"<h3>By zone and year · 分区分年</h3>{''.join(parts)}" if parts else ""
