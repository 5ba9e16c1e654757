"""What a terminal shows: tables, and the findings of a run in short."""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import typer

from lifecircle.errors import plain_text
from lifecircle.language import say

if TYPE_CHECKING:  # a list of profiles need not wait for what draws maps
    from lifecircle.assess.findings import Findings
    from lifecircle.audit.diff import Diff
    from lifecircle.publish.about import About
    from lifecircle.standards import Standard


def show_table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]], *, as_json: bool) -> None:
    """Print rows as a table, or as a JSON list of objects."""
    if as_json:
        tell_json([dict(zip(head, row, strict=True)) for row in rows])
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    for name in head:
        table.add_column(say(name, _HEADS.get(name, name)), overflow="fold")
    for row in rows:
        table.add_row(*(Text(plain_text(cell)) for cell in row))
    Console().print(table)


_HEADS = {
    "service": "服务", "covered": "覆盖率", "people": "人", "cells": "格网", "of": "总数", "not judged": "未判定",
    "clause": "条文", "what": "项目", "rule": "要求", "facilities": "设施", "residents": "居民",
    "residential land": "居住用地", "verdict": "结论", "promise": "承诺", "where": "范围", "by": "期限", "found": "现状",
    "before": "之前", "after": "之后", "zone": "分区", "change": "变化", "network": "路网", "population": "人口",
    "parameters": "参数", "status": "核实程度", "source": "来源", "kind": "类别", "asks": "内容", "region": "区域",
    "title": "英文名", "data": "数据", "profile": "步行者", "speed": "速度", "steps": "台阶", "standard": "标准",
    "services": "服务数", "part": "部分", "unit": "单元", "zones": "分区", "cut by": "分割物", "distance": "距离",
    "cell": "格网", "lon, lat": "经纬度", "km": "公里", "inside": "界内", "merged": "合并", "entrances assumed": "推定入口",
    "no path near": "附近无路", "per 10,000": "每万人", "usual": "通常", "tag": "标签", "kept": "保留", "dropped": "舍弃",
    "class": "类别", "how much": "数值", "table": "表", "rows": "行数", "left out": "剔除", "in OSM too": "OSM 亦有",
    "columns": "列", "datum": "坐标系", "layer": "图层",
}  # fmt: skip
"""Heads of tables in Chinese."""


def tell(text: str, *, err: bool = False) -> None:
    """Print text, whatever names out of files stand in it: a terminal gets nothing to obey."""
    typer.echo(plain_text(text), err=err)


def tell_json(value: object) -> None:
    """Print JSON on one line, with nothing in it that a terminal obeys or an encoding does not take."""
    text = json.dumps(value, ensure_ascii=False)
    typer.echo("".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in text))


def show_findings(found: "Findings", about: "About", summary: dict[str, Any], *, walker: str | None) -> None:
    """Print the headline, coverage by service, the standard clause by clause, the plan's promises, and doubts.

    Parameters
    ----------
    summary : dict
        As ``summary.json`` has it.
    walker : str or None
        Who walks to every time rule instead of whom the standard says.
    """
    from lifecircle.assess.wording import people_text, share_text
    from lifecircle.publish import promises, scorecard
    from lifecircle.publish.about import headline

    coverage = found.coverage
    if about.notice:
        tell(say(about.notice, about.notice_zh))
    if walker:
        tell(
            say(
                f"Every time rule is walked by {walker}; metre rules are as the standard says.",
                f"以时间计的规则均由 {walker} 步行；以米计的规则按标准。",
            )
        )
    lines = [(line.kind, say(line.english, line.chinese)) for line in headline(coverage)]
    overlays = [f"  {text}" for kind, text in lines if kind == "overlay"]
    heading = [say("Further views of it; they overlap the zones:", "其他范围（与分区重叠）：")] if overlays else []
    tell("\n".join([*(text for kind, text in lines if kind != "overlay"), *heading, *overlays]))
    measure = "people" if coverage.cells.people is not None else "cells"
    if measure == "cells":
        tell(
            say(
                "No population raster was given: figures are shares of residential cells, people are unknown.",
                "未提供人口栅格：数字为居住格网占比，人数未知。",
            )
        )
    titles = {key: service.title_zh for key, service in coverage.standard.services.items()} | {"all": "全部"}

    def named(key: str) -> str:
        return say(key, titles.get(key, key))

    rows = [
        (named(f.service), share_text(f.met, f.total), people_text(f.met), people_text(f.total), people_text(f.unknown))
        for f in coverage.figures()
        if f.kind == "region" and f.measure == measure
    ]
    show_table(("service", "covered", measure, "of", "not judged"), rows, as_json=False)
    if coverage.absent:
        absent = ", ".join(say(key, service.title_zh) for key, service in coverage.absent.items())
        tell(say(f"Not judged, for the data holds none: {absent}.", f"数据中没有，未判定：{absent}。"))
    if any(row.clause or row.mark for row in found.clauses.rows):
        standard = coverage.standard
        tell(say(f"\n{standard.title} clause by clause:", f"\n{standard.title_zh}，逐条："))
        head = ("clause", "what", "rule", "facilities", "residents", "residential land", "verdict")
        show_table(head, scorecard.terminal_rows(found.clauses), as_json=False)
    if found.promises.promises:
        source = coverage.standard.source
        tell(say(f"\nWhat the plan promises ({source}):", f"\n规划承诺（{source}）："))
        columns = ("clause", "promise", "where", "by", "found", "verdict")
        show_table(columns, promises.terminal_rows(found.promises), as_json=False)
    _show_doubts(summary["data"])
    if not summary["population_spans_region"]:
        tell(
            say(
                "The population raster does not span the region: who lives beyond it is not counted.",
                "人口栅格未覆盖全区：范围外居民未计入。",
            )
        )


_MOST_ROWS = 40

_MOVED = {
    "nearest_opened": ("nearest is new", "最近设施为新增"), "nearest_closed": ("nearest was closed", "原最近设施已关闭"),
    "nearest_other": ("another is nearest", "最近设施改变"),
    "longer": ("same facility, longer walk", "设施相同，步行变长"),
    "shorter": ("same facility, shorter walk", "设施相同，步行变短"), "limit": ("another threshold", "标准不同"),
}  # fmt: skip


def show_diff(found: "Diff") -> None:
    """Print what differs between two results folders: inputs, parameters, figures with what they owe, and cells."""
    if found.same:
        tell(say("No input, parameter, figure or cell differs.", "输入、参数、数字与格网均无差异。"))
        return
    for title, rows in (
        (say("Inputs that differ:", "不同的输入："), found.inputs),
        (say("Parameters that differ:", "不同的参数："), found.parameters),
        (say("Versions that differ:", "不同的版本："), found.versions),
    ):
        if rows:
            tell(title)
            texts = [(str(key), _short(a), _short(b)) for key, a, b in rows[:_MOST_ROWS]]
            show_table(("what", "before", "after"), texts, as_json=False)
            _say_rest(rows)
    if found.changes:
        measure = say(found.measure, _HEADS[found.measure])
        tell(
            say(
                f"\nFigures that differ ({measure} with the service in reach); {found.how}:",
                f"\n不同的数字（可达该服务的{measure}）；{found.how}：",
            )
        )
        owed = [c.owed for c in found.changes]
        factors = [name for name in next(filter(None, owed), {}) if any(parts.get(name) for parts in owed)]
        rows_of = [
            (
                c.zone, c.service, _plain(c.before), _plain(c.after),
                _signed(None if c.before is None or c.after is None else c.after - c.before),
                *(_signed(c.owed.get(name)) for name in factors),
            )
            for c in found.changes[:_MOST_ROWS]
        ]  # fmt: skip
        show_table(("zone", "service", "before", "after", "change", *factors), rows_of, as_json=False)
        _say_rest(found.changes)
    cells = [(moved.service, say(*_MOVED[moved.what]), moved.cells, moved.people) for moved in found.moved]
    for what, (number, people) in (
        (say("other people live there", "居民数不同"), found.people_changed),
        (say("only in the first", "仅见于前者"), found.only_before),
        (say("only in the second", "仅见于后者"), found.only_after),
    ):  # fmt: skip
        if number:
            cells.append(("", what, number, people))
    if cells:
        tell(say("\nCells (by their main access point):", "\n格网（按主要出入点）："))
        told = [(service, what, f"{number:,}", _plain(people)) for service, what, number, people in cells]
        show_table(("service", "what", "cells", "people"), told, as_json=False)


def _say_rest(rows: Sequence[object]) -> None:
    if len(rows) > _MOST_ROWS:
        more = len(rows) - _MOST_ROWS
        tell(say(f"and {more} more (--json tells all)", f"另有 {more} 项（--json 可看全部）"))


def _short(value: Any) -> str:
    """Write a parameter; of a table of them only that there is one."""
    return "-" if value is None else "given" if isinstance(value, dict) else str(value)[:60]


def _plain(value: float | None) -> str:
    return "-" if value is None else f"{value:,.0f}" if abs(value) >= 1 else f"{value:.2g}"


def _signed(value: float | None) -> str:
    return "-" if value is None else "0" if value == 0 else f"{value:+,.0f}" if abs(value) >= 1 else f"{value:+.2g}"


def show_standard(standard: "Standard") -> None:
    """Print every rule of a standard with its source."""
    from lifecircle.assess.clauses import near_text
    from lifecircle.profiles import Profile

    tell(
        f"{standard.name}: {standard.title} · {standard.title_zh}\n{standard.source}\n{say(standard.note, standard.note_zh or standard.note)}\n"
    )
    rows: list[tuple[str, ...]] = []
    for key, s in standard.services.items():
        unit = Profile.load(s.profile).unit
        tier = f"{s.tier} min" if s.tier.isdigit() else s.tier
        mark = s.mark.value.replace("_", " ") if s.mark else ""
        others = [
            *((f"in zones of class {name}: ", one) for name, one in s.by_zone_class.items()),
            *((f"walked by {name}: ", one) for name, one in s.by_profile.items()),
            *(("or ", one) for one in s.alternatives),
        ]
        for number, (when, one) in enumerate([("", s.threshold), *others]):
            limit = f"within {one.value:g} {unit} ({s.profile})" if number == 0 else f"{when}{one.value:g} {unit}"
            limit += " walking or cycling" if one.mode == "walk_or_cycle" else ""
            said = (tier, mark, limit) if number == 0 else (limit,)
            rule = ", ".join(text for text in (*said, one.strength.replace("none", "")) if text)
            source = f"{one.clause}: {one.source}" if one.clause else one.source
            rows.append((*((key, s.title_zh) if number == 0 else ("", "")), rule, one.status, source))
    show_table(("service", "名称", "rule", "status", "source"), rows, as_json=False)
    further = [
        (key, "at least", f"{c.at_least} of {', '.join(c.of)}", *c.told) for key, c in standard.composites.items()
    ]
    further += [
        (key, "together", f"{t.service} within {t.within_m:g} m of {near_text(t)}", *t.told)
        for key, t in standard.together.items()
    ]
    further += [
        (key, "norm", f"{n.least:g} {n.unit} per 1,000 {n.per_1000}", *n.told) for key, n in standard.norms.items()
    ]
    further += [
        (
            key, "promise", p.title + (f", {p.zone}" if p.zone else "") + (f", by {p.year}" if p.year else ""), *p.told
        )
        for key, p in standard.promises.items()
    ]  # fmt: skip
    if further:
        tell("")
        show_table(("rule", "kind", "asks", "clause", "status", "source"), further, as_json=False)


def _show_doubts(data: dict[str, Any]) -> None:
    """Say which verdicts rest on poor data."""
    from lifecircle.assess.wording import people_text

    for what, what_zh, key in (
        ("stand on scraps of the network", "位于孤立短路网上", "on_scraps"),
        ("lie at the edge of the data", "位于数据边缘", "edge"),
    ):
        doubt = data[key] if key in data else data["status"][key]
        if doubt["cells"]:
            n, people = f"{doubt['cells']:,}", people_text(doubt["people"]) if doubt["people"] is not None else ""
            who, who_zh = (f" with {people} people", f"（{people} 人）") if people else ("", "")
            tell(
                say(
                    f"{n} cells{who} {what}: their gaps may be the data's.",
                    f"{n} 个格网{who_zh}{what_zh}：其缺口可能源于数据。",
                )
            )
