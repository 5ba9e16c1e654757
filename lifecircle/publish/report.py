"""The report reviewers open: what it says, in which order, and beside which assumptions."""

import base64
import hashlib
from dataclasses import dataclass
from html import escape
from importlib import resources
from typing import Any

from lifecircle.assess.coverage import ALL, Coverage, Figure
from lifecircle.assess.findings import Findings
from lifecircle.assess.gaps import CAUSES, Gaps
from lifecircle.assess.wording import cost_text, people_text, share_text, threshold_text
from lifecircle.profiles import TICKS
from lifecircle.publish import indicators, promises, quality, scorecard, sketches
from lifecircle.publish.about import About, Sentence, Terms, headline, method
from lifecircle.publish.markup import Text, both, breaking, cited, head, kept, number, row, said, section, table
from lifecircle.publish.scene import classes
from lifecircle.standards import TagRule

_ABREAST = 8
"""Columns of places beside one another in a table: more of them go into a table below."""


@dataclass(frozen=True, repr=False)
class Page:
    """An HTML page that shows itself in a notebook."""

    text: str

    def _repr_html_(self) -> str:
        return f'<iframe srcdoc="{escape(self.text)}" style="width:100%;height:640px;border:0"></iframe>'


def index_page(found: Findings, about: About, water: list[Any], *, self_check: str) -> str:
    """Return the report as one self-contained HTML text; it shows all it has without its script, too.

    ``self_check`` is the markup of what was proved before anything was written.
    """
    coverage, gaps = found.coverage, found.gaps
    title, told = Text(about.title, about.title_zh), classes(coverage)
    date, date_zh = about.data_date or "unknown date", about.data_date or "未知"
    banner = f'<p class="notice" role="note">{both(about.notice, about.notice_zh)}</p>' if about.notice else ""
    body = [
        _LANGUAGES,
        f"<h1>{title.html}</h1>",
        banner,
        section("Is the life circle complete?", "生活圈是否完整？", _headline_part(coverage)),
        sketches.overview(coverage, water, told),
        section("Coverage by zone and service", "分区覆盖", _zone_part(coverage)),
        section("How far people walk", "步行远近", sketches.walks(coverage, told)),
        section("What the plan promises", "规划承诺", promises.promise_part(found.promises, coverage.cells.region))
        if found.promises.promises
        else "",
        section("The standard, clause by clause", "标准逐条对照", scorecard.clause_part(found.clauses)),
        section("Largest gaps", "主要缺口", _gap_part(coverage, gaps, water)),
        *indicators.parts(found),
        section("Data", "数据", quality.data_part(coverage, about)),
        section("Method", "方法", _method_table(coverage, about)),
        section("What counts as what", "服务口径", _service_table(coverage)),
        section("Self-check", "运行自检", self_check),
        section("Words", "术语", _glossary()),
        section("Files", "文件", _file_list()),
        "<footer><p>" + "<br>".join(escape(line) for line in about.attribution) + "</p>"
        f"<p>{both(f'Data of {date}. Made by lifecircle.', f'数据日期：{date_zh}。由 lifecircle 生成。')}</p></footer>",
    ]  # fmt: skip
    assets = resources.files(__package__) / "assets"
    style = (assets / "report.css").read_text(encoding="utf-8")
    script = f"({(assets / 'report.js').read_text(encoding='utf-8').strip()})();"
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = (
        f"default-src 'none'; script-src 'sha256-{digest}'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; "
        "form-action 'none'"
    )
    names = {"en": f"{title.english}: life circle", "zh": f"{title.chinese or title.english}：生活圈"}
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta charset="utf-8">\n<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(names['en'])}</title>\n<style>{style}</style>\n</head>\n"
        f'<body data-en="{escape(names["en"])}" data-zh="{escape(names["zh"])}">\n<main>\n'
        + "\n".join(part for part in body if part)
        + f"\n</main>\n<script>{script}</script>\n</body>\n</html>\n"
    )


_LANGUAGES = (
    '<fieldset class="language" aria-label="Language · 语言">'
    '<label lang="en"><input type="radio" name="language" id="lang-en" checked> English</label>'
    '<label lang="zh"><input type="radio" name="language" id="lang-zh"> 中文</label></fieldset>'
)


def _headline_part(coverage: Coverage) -> str:
    lines = headline(coverage)
    zones = "".join(_item(line) for line in lines if line.kind != "overlay")
    overlays = "".join(_item(line) for line in lines if line.kind == "overlay")
    further = both("Further views of it; they overlap the zones", "其他范围（与分区重叠）")
    return (
        f"<ul class=lead>{zones}</ul>"
        + (f"<h3>{further}</h3><ul>{overlays}</ul>" if overlays else "")
        + f'<p class=links><a href="coverage.html">{both("Coverage map", "覆盖图")}</a>'
        f'<a href="gaps.html">{both("Gap map", "缺口图")}</a></p>'
    )


def _item(line: Sentence) -> str:
    return f"<li>{kept(line.english, line.chinese)}</li>"


def _zone_part(coverage: Coverage) -> str:
    """Coverage of every service in every zone, and of all of them together."""
    region = coverage.cells.region
    measure = "people" if coverage.cells.people is not None else "cells"
    by = {(f.zone, f.service): f for f in coverage.figures() if f.measure == measure}
    places = {"region": both("Region", "全区")}
    places |= {zone.key: both(zone.name, zone.name_zh) for zone in (*region.zones, *region.overlays)}
    if len(region.zones) == 1:
        del places[region.zones[0].key]
    titles = {ALL: both("All services", "全部")}
    titles |= {key: both(service.title, service.title_zh) for key, service in coverage.standard.services.items()}
    lead = (
        both(
            "Share of people whose walk to the nearest facility keeps to the threshold; thresholds and mode under Method. "
            "Zones add up to the region, overlays are further views of it.",
            "步行至最近设施符合阈值的居民占比；阈值与出行方式见“方法”。分区相加等于全区，其他范围与分区重叠。",
        )
        if measure == "people"
        else both(
            "Share of residential cells (no population is known) whose walk to the nearest facility keeps to the threshold; "
            "thresholds and mode under Method. Zones add up to the region, overlays are further views of it.",
            "步行至最近设施符合阈值的居住格网占比（无人口数据）；阈值与出行方式见“方法”。分区相加等于全区，其他范围与分区重叠。",
        )
    )
    keys, tables = list(places), []
    abreast = -(-len(keys) // -(-len(keys) // _ABREAST))  # as many in each table
    for start in range(0, len(keys), abreast):
        group = keys[start : start + abreast]
        heads = [head(both("Service", "服务")), *(head(places[key], numeric=True) for key in group)]
        tables.append(
            table(heads, [row(title, [_covered(by[z, key]) for z in group]) for key, title in titles.items()])
        )
    return f"<p>{lead}</p>{''.join(tables)}"


def _covered(figure: Figure) -> str:
    """Return a share with its bar, and the people behind it."""
    share = figure.share
    shown = said(share_text(figure.met, figure.total))
    if share is not None:
        shown += f'<span class=bar aria-hidden=true><i style="width:{100 * share:.1f}%"></i></span>'
    small = f"{said(people_text(figure.met))} / {said(people_text(figure.total))}" if figure.total else ""
    if figure.unknown:
        n = people_text(figure.unknown)
        small += f"<br>{both(f'{n} unknown', f'{n} 未知')}"
    return number(shown, share, small)


def _gap_part(coverage: Coverage, gaps: Gaps, water: list[Any]) -> str:
    """Return the ten largest gaps; each leads to its home with most people on the map."""
    if not gaps.clusters:
        return f"<p>{both('None: every judged cell has every service.', '无：凡已判定的格网均拥有全部服务。')}</p>"
    names = {zone.key: both(zone.name, zone.name_zh) for zone in coverage.cells.region.zones}
    draw = sketches.Gaps(coverage, water)
    rows = []
    for gap, told in zip(scorecard.largest(gaps), scorecard.gap_rows(coverage, gaps), strict=True):
        unit, service = coverage.unit_of(gap.service), coverage.standard.services[gap.service]
        cutoff = coverage.lanes[coverage.cost_of(gap.service)].cutoff / TICKS
        rows.append(
            f"<tr><td>{draw.sketch(gap)}</td>"
            f"<th scope=row>{both(service.title, service.title_zh)}</th>"
            + number(said(people_text(gap.people)), gap.people)
            + number(f"{gap.area_m2 / 1e6:.2f}", gap.area_m2)
            + number(
                said(cost_text(gap.worst, unit, cutoff)), cutoff if gap.worst is None else gap.worst
            )
            + f'<td>{names[gap.zone]}<br><a href="coverage.html#cell={told["cell"]}">'
            f"<small>{told['lon']:.4f}, {told['lat']:.4f}</small></a></td>"
            f"<td>{both(told['wording'], told['wording_zh'])}</td></tr>"
        )  # fmt: skip
    heads = [
        head(both("Map", "示意图")), head(both("Service", "服务")), head(both("People", "居民"), numeric=True),
        head(both("km²", "平方公里"), numeric=True), head(both("Longest walk", "最远步行"), numeric=True), head(both("Where", "位置")),
        head(both("Cause", "原因")),
    ]  # fmt: skip
    return draw.key + table(heads, rows)


def _method_table(coverage: Coverage, about: About) -> str:
    rows = (row(both(label, label_zh), [f"<td>{both(text, text_zh)}</td>"])
            for label, text, label_zh, text_zh in method(Terms.of(coverage, about)))  # fmt: skip
    return f"<table>{''.join(rows)}</table>"


def _service_table(coverage: Coverage) -> str:
    """Show the tag rules of every service, as the standard has them."""
    rows = []
    for key, service in coverage.standard.services.items():
        unit = coverage.unit_of(key)
        limit = both(threshold_text(service, unit), threshold_text(service, unit, chinese=True))
        rows.append(
            row(
                both(service.title, service.title_zh),
                [
                    number(limit, service.threshold.value),
                    f"<td class=tags>{'<br>'.join(map(_tags, service.tags))}</td>",
                    f"<td>{cited(service.threshold.source, service.threshold.status)}</td>",
                ],
            )
        )  # fmt: skip
    heads = [
        head(both("Service", "服务")), head(both("Threshold", "阈值"), numeric=True),
        head(both("OpenStreetMap tags", "OpenStreetMap 标签")), head(both("Source of the threshold", "阈值来源")),
    ]  # fmt: skip
    return table(heads, rows)


def _tags(rule: TagRule) -> str:
    """Write which tags make a place of a service."""
    match, unless = ([f"{k}={'|'.join(values)}" for k, values in tags.items()] for tags in (rule.match, rule.unless))
    english, chinese = " and ".join(match), " 且 ".join(match)
    for tag in unless:
        english, chinese = f"{english}, unless {tag}", f"{chinese}，{tag} 除外"
    if rule.name:
        english, chinese = f"{english}, name like {rule.name}", f"{chinese}，名称匹配 {rule.name}"
    return breaking(english, chinese)


def _glossary() -> str:
    words = [*_WORDS, *((Text(name.replace("_", " "), zh), Text(CAUSES[name], scorecard.CAUSES_ZH[name]))
                        for name, zh in _CAUSE_NAMES.items())]  # fmt: skip
    return "<dl class=glossary>" + "".join(f"<dt>{a.html}</dt><dd>{b.html}</dd>" for a, b in words) + "</dl>"


_WORDS = (
    (
        Text("life circle", "生活圈"),
        Text("what can be reached on foot from a home within a limit, by default 15 minutes", "从住宅步行在限度内（默认 15 分钟）可达的范围"),
    ),
    (
        Text("cell", "格网"),
        Text("one pixel of the population raster where people live", "人口栅格中有人居住的一个像元"),
    ),
    (
        Text("access point", "出发点"),
        Text(
            "where people of a cell step onto the network: a cell with homes on several streets has several, each with its "
            "share of the people",
            "格网居民进入路网之处：住宅分布于多条道路的格网有多个，各按比例分摊人口",
        ),
    ),
    (
        Text("threshold", "阈值"),
        Text("the longest walk the standard allows, in minutes or metres on the network", "标准允许的最远步行，以路网分钟或米计"),
    ),
    (
        Text("met, unmet", "达标、未达标"),
        Text("the walk to the nearest facility is within the threshold, or is not", "步行至最近设施在阈值以内，或不在"),
    ),
    (
        Text("unknown", "未知"),
        Text("the data does not say; it is counted as neither, and stays in the denominator", "数据未载明；既不计为达标也不计为未达标，仍保留在分母中"),
    ),
    (
        Text("slack", "余量"),
        Text("how much of the threshold a walk leaves", "步行在阈值以内的剩余量"),
    ),
    (
        Text("not joined (unsnapped)", "未接入"),
        Text("no path is near enough to the cell to start from", "附近没有足够近的道路可供出发"),
    ),
    (
        Text("edge of the data", "数据边缘"),
        Text("judged, but a facility beyond the data could change the verdict", "已判定，但数据范围外的设施可能改变结论"),
    ),
    (
        Text("gap", "缺口"),
        Text("neighbouring cells that lack one service for one cause", "因同一原因缺少同一服务的相邻格网"),
    ),
    (
        Text("zone, overlay", "分区、其他范围"),
        Text("zones part the region, and their figures add up; overlays are further views of it", "分区划分全区，数字可相加；其他范围与分区重叠"),
    ),
)  # fmt: skip

_CAUSE_NAMES = {
    "near_miss": "略超标准", "gate": "门禁", "doubtful": "数据存疑", "severed": "被隔断", "none_near": "附近没有",
    "over_capacity": "供给不足",
}  # fmt: skip


def _file_list() -> str:
    told = {
        "cells.parquet": ("every cell with its verdicts", "每个格网及其结论"),
        "access.parquet": ("how each cell joins the network", "格网如何接入路网"),
        "facilities.parquet": ("facilities by service", "分类设施"),
        "entrances.parquet": ("where facilities are entered", "设施入口"),
        "network.parquet": ("the walking network with its costs", "步行路网及其成本"),
        "gaps.parquet": ("clusters of unserved cells", "缺口片区"),
        "verdicts.parquet": (
            "one row per cell and rule: verdict, walk, slack, nearest and second nearest facility, indicators",
            "每格网每规则一行：结论、步行、余量、最近与次近设施、指标",
        ),
        "scorecard.parquet": ("one row per rule, zone and year", "每规则、分区、年份一行"),
        "lifecircle.gpkg": ("the same layers for QGIS, and the zones", "供 QGIS 使用的同样图层及分区"),
        "coverage.tif": (
            "a band per service and one for the number of unmet needs",
            "每类服务一个波段，另有未满足需求数",
        ),
        "summary.json": ("the figures of these pages", "本报告的全部数字"),
        "check.json": ("what the data is like: distances, tags, holes, warnings", "数据状况：距离、标签、缺漏、警告"),
        "manifest.json": ("inputs, parameters, versions", "输入、参数、版本"),
    }
    return (
        "<ul>"
        + "".join(f'<li><a href="{name}">{name}</a>: {both(*text)}</li>' for name, text in told.items())
        + "</ul>"
    )
