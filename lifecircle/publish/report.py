"""The pages reviewers open: what they say, in which order, and beside which assumptions."""

import base64
from dataclasses import dataclass
from html import escape
from itertools import pairwise
from typing import Any

import numpy as np
import pyproj
import shapely
from affine import Affine
from numpy.typing import NDArray
from rasterio.io import MemoryFile

from lifecircle.assess.coverage import ALL, MET, UNKNOWN, Coverage, Figure
from lifecircle.assess.findings import Findings
from lifecircle.assess.gaps import Gaps
from lifecircle.assess.wording import limit_text, people_text, share_text, threshold_text
from lifecircle.model.cells import PEOPLE
from lifecircle.profiles import TICKS
from lifecircle.publish import indicators, maps, promises, quality, scorecard
from lifecircle.publish.walks import Walks

_MAIN_ROADS = frozenset(
    ["trunk", "trunk_link", "primary", "primary_link", "secondary", "secondary_link", "tertiary", "tertiary_link"]
)
_STREETS = frozenset(["residential", "unclassified", "living_street", "road", "service", "pedestrian"])
_WIDTH = 1100  # pixels of the overview picture
_TALLEST = 0.8  # its height, as a share of its width, at most
_UNMET = ((0, "#0b5f59"), (1, "#fce3a6"), (2, "#f0a04b"), (4, "#c2571a"), (6, "#6e230b"))
_NOT_JUDGED = "#9a9a9a"


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

    @property
    def stamp(self) -> str:
        """The data's date as a time stamp, for formats that must hold one."""
        return (
            f"{self.data_date[:10]}T00:00:00.000Z"
            if len(self.data_date) >= len("2000-01-01")
            else "1970-01-01T00:00:00.000Z"
        )


@dataclass(frozen=True, repr=False)
class Page:
    """An HTML page that shows itself in a notebook."""

    text: str

    def _repr_html_(self) -> str:
        return f'<iframe srcdoc="{escape(self.text)}" style="width:100%;height:640px;border:0"></iframe>'


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
        lines.append((service.title, f"within {near} ({service.profile})", service.title_zh, f"{near} 以内"))
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


def coverage_page(coverage: Coverage, gaps: Gaps, about: About, water: list[Any]) -> str:
    """Return the coverage map as one self-contained HTML text."""
    return maps.render(_scene("coverage", coverage, gaps, about, water))


def gaps_page(coverage: Coverage, gaps: Gaps, about: About, water: list[Any]) -> str:
    """Return the gap map as one self-contained HTML text."""
    return maps.render(_scene("gaps", coverage, gaps, about, water))


def _scene(kind: Any, coverage: Coverage, gaps: Gaps, about: About, water: list[Any]) -> maps.Scene:
    cells, region, network = coverage.cells, coverage.cells.region, coverage.network.streets
    n = len(cells)
    lonlat = np.stack(region.to_lonlat.transform(cells.corners[..., 0], cells.corners[..., 1]), axis=-1)
    judged = coverage.met[0] != UNKNOWN
    services = [
        maps.ServiceLayer(
            key=key,
            title=service.title,
            title_zh=service.title_zh,
            unit=coverage.unit_of(key),  # type: ignore[arg-type]
            threshold=service.threshold.value,
            by_zone=tuple(service.value_in(z.zone_class) for z in region.zones) if len(service.thresholds) > 1 else (),
            cost=service.profile,
            values=np.where(np.isfinite(coverage.ticks[ix]), coverage.ticks[ix] / TICKS, np.nan).astype(np.float32),
            met=coverage.met[ix],
            count=np.where(judged, coverage.count[ix], -1).astype(np.int32),
        )
        for ix, (key, service) in enumerate(coverage.standard.services.items())
    ]
    starts, ticks = cells.starts, coverage.point_ticks
    points = maps.Points(
        cell=starts.cell.astype(np.int64),
        population=np.full(len(starts), np.nan) if starts.people is None else starts.people / PEOPLE,
        values=np.where(np.isfinite(ticks), ticks / TICKS, np.nan).astype(np.float32),
        met=coverage.point_met,
    )
    lanes = coverage.lanes.values()
    said = method(coverage, about)
    lines = headline(coverage)[:1]  # the others are in the report: on a map they would bury the controls
    zone_name = {zone.key: zone.name for zone in region.zones}
    clusters = gaps.clusters if kind == "gaps" else ()
    outlines = _rings(region.unproject(np.array([gap.geometry for gap in clusters], dtype=object)))
    return maps.Scene(
        kind=kind,
        title=about.title,
        title_zh=about.title_zh,
        notice=about.notice or None,
        notice_zh=about.notice_zh or None,
        attribution=about.attribution,
        data_date=about.data_date or "unknown",
        cutoff_s=max((lane.cutoff / TICKS for lane in lanes if lane.unit == "s"), default=1800.0),
        cutoff_m=max((lane.cutoff / TICKS for lane in lanes if lane.unit == "m"), default=2000.0),
        points=points,
        cells=maps.CellGrid(
            quads=lonlat,
            population=np.full(n, np.nan) if cells.people is None else cells.people / PEOPLE,
            zone=cells.zone,
            cell_ids=cells.cell_id.tolist(),
            status=cells.status,
        ),
        services=services,
        streets=maps.Streets(xy=np.column_stack([network.lon, network.lat]), offsets=network.offsets, rank=_rank(network.kind)),
        water=_shapes([(shape, "", "") for shape in water]),
        zones=_shapes([(zone.geometry, zone.name, zone.name_zh) for zone in region.zones]),
        overlays=_shapes([(zone.geometry, zone.name, zone.name_zh) for zone in region.overlays]),
        facilities=_facility_points(coverage),
        gaps=[
            maps.Gap(
                service=gap.service, people=gap.people, area_m2=float(gap.area_m2), worst=gap.worst,
                cause=scorecard.cause_text(gap)[0], cause_zh=scorecard.cause_text(gap)[1], zone=zone_name[gap.zone],
                rings=rings,
            )
            for gap, rings in zip(clusters, outlines, strict=True)
        ],
        facts=[(label, text) for label, text, _, _ in said],
        facts_zh=[(label, text) for _, _, label, text in said],
        headline=[line.english for line in lines],
        headline_zh=[line.chinese for line in lines],
        walks=Walks.of(coverage) if kind == "coverage" else None,
    )  # fmt: skip


def _rank(kind: NDArray[np.object_]) -> NDArray[np.uint8]:
    return np.array([0 if value in _MAIN_ROADS else 1 if value in _STREETS else 2 for value in kind], dtype=np.uint8)


def _shapes(named: list[tuple[Any, str, str]]) -> maps.Shapes:
    return maps.Shapes(
        rings=_rings([shape for shape, _, _ in named]),
        names=[name for _, name, _ in named],
        names_zh=[name for _, _, name in named],
    )


def _rings(shapes: Any) -> list[list[NDArray[np.float64]]]:
    """Outlines and holes of the polygons in each of several shapes."""
    polygons, shape = _polygons(shapes)
    lines, polygon = shapely.get_rings(polygons, return_index=True)
    ends = [0, *np.cumsum(shapely.get_num_coordinates(lines)).tolist()]
    xy = shapely.get_coordinates(lines)
    found: list[list[NDArray[np.float64]]] = [[] for _ in shapes]
    for (start, end), owner in zip(pairwise(ends), shape[polygon].tolist(), strict=True):
        found[owner].append(xy[start:end])
    return found


def _polygons(shapes: Any) -> tuple[NDArray[np.object_], NDArray[np.int64]]:
    """Polygons in several shapes, and the shape each is of."""
    parts, shape = shapely.get_parts(shapes, return_index=True)
    polygon = shapely.get_type_id(parts) == shapely.GeometryType.POLYGON
    return parts[polygon], shape[polygon]


def _facility_points(coverage: Coverage) -> maps.Facilities:
    facilities = coverage.facilities
    row = np.array([ix for ix, served in enumerate(facilities.services) for _ in served], dtype=np.int64)
    service = np.array([s for served in facilities.services for s in served], dtype=np.int16)
    points = facilities.points[row]
    lon, lat = facilities.region.to_lonlat.transform(shapely.get_x(points), shapely.get_y(points))
    return maps.Facilities(
        lon=np.asarray(lon), lat=np.asarray(lat), service=service, names=facilities.name[row].tolist(),
        planned=np.zeros(len(row), dtype=bool),
    )  # fmt: skip


# --------------------------------------------------------------------------------------------------- the report


def index_page(found: Findings, about: About, water: list[Any], *, self_check: str = "") -> str:
    """Return the report as one self-contained HTML text without scripts."""
    coverage, gaps = found.coverage, found.gaps
    measure = "people" if coverage.cells.people is not None else "cells"
    figures = [figure for figure in coverage.figures() if figure.measure == measure]
    banner = (
        f'<p class="notice" role="note">{escape(about.notice)}<br>{escape(about.notice_zh)}</p>' if about.notice else ""
    )
    said = headline(coverage)
    zones = "".join(_item(line) for line in said if line.kind != "overlay")
    overlays = "".join(_item(line) for line in said if line.kind == "overlay")
    further = (
        f"<h3>Further views of it; they overlap the zones · 其他范围（与分区重叠）</h3><ul>{overlays}</ul>"
        if overlays
        else ""
    )
    body = [
        f"<h1>{escape(about.title)}</h1>",
        f"<p class=zh lang=zh>{escape(about.title_zh)}</p>" if about.title_zh != about.title else "",
        banner,
        f"<section><h2>Is the life circle complete? · 生活圈是否完整？</h2><ul class=lead>{zones}</ul>{further}",
        '<p class=links><a href="coverage.html">Coverage map · 覆盖图</a><a href="gaps.html">Gap map · 缺口图</a></p></section>',
        _overview(coverage, water),
        f"<section><h2>Coverage by zone and service · 分区覆盖</h2>{_zone_table(coverage, figures, measure)}</section>",
        (
            "<section><h2>What the plan promises · 规划承诺</h2>"
            f"{promises.promise_part(found.promises, coverage.cells.region)}</section>"
            if found.promises.promises
            else ""
        ),
        f"<section><h2>The standard, clause by clause · 标准逐条对照</h2>{scorecard.clause_part(found.clauses)}</section>",
        f"<section><h2>Largest gaps · 主要缺口</h2>{scorecard.gap_part(coverage, gaps)}</section>",
        *(f"<section><h2>{head}</h2>{text}</section>" for head, text in indicators.parts(found)),
        f"<section><h2>Data · 数据</h2>{quality.data_part(coverage, about)}</section>",
        f"<section><h2>Method · 方法</h2>{_method_table(coverage, about)}</section>",
        f"<section><h2>What counts as what · 服务口径</h2>{_service_table(coverage)}</section>",
        f"<section><h2>Self-check · 自检</h2>{self_check}</section>" if self_check else "",
        f"<section><h2>Files · 文件</h2>{_file_list()}</section>",
        "<footer><p>" + "<br>".join(escape(line) for line in about.attribution) + "</p>"
        f"<p>Data of {escape(about.data_date or 'unknown date')}. Made by lifecircle.</p></footer>",
    ]
    policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta charset="utf-8">\n<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(about.title)}: life circle</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<main>\n"
        + "\n".join(part for part in body if part)
        + "\n</main>\n</body>\n</html>\n"
    )


def _item(line: Sentence) -> str:
    return f"<li>{escape(line.english)}<br><span lang=zh>{escape(line.chinese)}</span></li>"


_STYLE = """
:root{color-scheme:light}
body{margin:0;font:16px/1.5 system-ui,"Noto Sans CJK SC","Source Han Sans SC","Microsoft YaHei","PingFang SC",sans-serif;color:#1d2528;background:#f6f7f5}
main{max-width:72rem;margin:0 auto;padding:1.5rem clamp(1rem,4vw,3rem);background:#fff}
h1{margin:0;font-size:1.9rem;line-height:1.2}h2{margin:2rem 0 .6rem;font-size:1.2rem}h3{font-size:1rem;margin:1rem 0 .3rem}
.zh,[lang=zh]{color:#4d585c}.notice{border-left:.4rem solid #c2571a;background:#fdf1e4;padding:.6rem 1rem;font-weight:600}
.lead{padding-left:1.2rem}.lead li:first-child{font-size:1.15rem;font-weight:600}
.links a{display:inline-block;margin:0 .8rem .5rem 0;padding:.5rem 1rem;border:1px solid #0b5f59;border-radius:.3rem;color:#0b5f59}
.scroll{overflow-x:auto}table{border-collapse:collapse;width:100%;font-size:.88rem}
th,td{padding:.3rem .55rem;border-bottom:1px solid #d8dddb;text-align:left;vertical-align:top}
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}small{color:#4d585c}
.bar{display:block;height:.35rem;background:#e3e7e5;margin-top:.15rem;min-width:4rem}.bar i{display:block;height:100%;background:#0b5f59}
figure{margin:1rem 0}figure svg{width:100%;height:auto;border:1px solid #d8dddb;background:#fbfbf9}
.key span{display:inline-block;margin-right:1rem;white-space:nowrap}.key i{display:inline-block;width:1rem;height:1rem;margin-right:.35rem;vertical-align:-.15rem;border:1px solid #777}
footer{margin-top:2.5rem;border-top:1px solid #d8dddb;color:#4d585c;font-size:.85rem}
@media print{main{max-width:none;padding:0}.links{display:none}section,figure{break-inside:avoid-page}}
"""


def _zone_table(coverage: Coverage, figures: list[Figure], measure: str) -> str:
    region = coverage.cells.region
    places = [("region", "Region · 全区")]
    places += [(zone.key, f"{zone.name} · {zone.name_zh}" if zone.name != zone.name_zh else zone.name)
               for zone in (*region.zones, *region.overlays)]  # fmt: skip
    if len(region.zones) == 1:
        places = [place for place in places if place[0] != region.zones[0].key]
    titles = {key: (service.title, service.title_zh) for key, service in coverage.standard.services.items()}
    titles[ALL] = ("All services", "全部")
    by = {(figure.zone, figure.service): figure for figure in figures}
    head = "".join(
        f"<th class=n scope=col>{escape(a)}<br><span lang=zh>{escape(b)}</span></th>" for a, b in titles.values()
    )
    rows = []
    for place, name in places:
        cells = []
        for key in titles:
            figure = by[place, key]
            share = figure.share
            bar = "" if share is None else f'<span class=bar><i style="width:{100 * share:.1f}%"></i></span>'
            doubt = f"<br>{people_text(figure.unknown)} unknown" if figure.unknown else ""
            parts = (
                f"<small>{people_text(figure.met)}<br>of {people_text(figure.total)}{doubt}</small>"
                if figure.total
                else ""
            )
            cells.append(f"<td class=n>{escape(share_text(figure.met, figure.total))}{bar}{parts}</td>")
        rows.append(f"<tr><th scope=row>{escape(name)}</th>{''.join(cells)}</tr>")
    what = "people" if measure == "people" else "residential cells (no population is known)"
    return (
        f"<p>Share of {what} whose walk to the nearest facility keeps to the threshold; thresholds and mode under Method."
        " Zones add up to the region, overlays are further views of it.</p>"
        f"<div class=scroll><table><thead><tr><th scope=col>Zone</th>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )


def _method_table(coverage: Coverage, about: About) -> str:
    rows = "".join(
        f"<tr><th scope=row>{escape(label)}<br><span lang=zh>{escape(label_zh)}</span></th>"
        f"<td>{escape(text)}<br><span lang=zh>{escape(text_zh)}</span></td></tr>"
        for label, text, label_zh, text_zh in method(coverage, about)
    )
    return f"<table>{rows}</table>"


def _service_table(coverage: Coverage) -> str:
    """Show the tag rules of every service, as the standard has them."""
    rows = []
    for key, service in coverage.standard.services.items():
        rules = []
        for rule in service.tags:
            text = " and ".join(f"{k}={'|'.join(values)}" for k, values in rule.match.items())
            text += "".join(f", unless {k}={'|'.join(values)}" for k, values in rule.unless.items())
            rules.append(text + (f", name like {rule.name}" if rule.name else ""))
        source = f"{service.threshold.source} ({service.threshold.status})"
        rows.append(
            f"<tr><th scope=row>{escape(service.title)}<br><span lang=zh>{escape(service.title_zh)}</span></th>"
            f"<td class=n>{escape(threshold_text(service, coverage.unit_of(key)))}</td>"
            f"<td>{'<br>'.join(escape(text) for text in rules)}</td><td>{escape(source)}</td></tr>"
        )
    head = (
        "<tr><th>Service</th><th class=n>Threshold</th><th>OpenStreetMap tags</th><th>Source of the threshold</th></tr>"
    )
    return f"<div class=scroll><table><thead>{head}</thead><tbody>{''.join(rows)}</tbody></table></div>"


def _file_list() -> str:
    told = {
        "cells.parquet": "every cell with its verdicts", "access.parquet": "how each cell joins the network",
        "facilities.parquet": "facilities by service", "entrances.parquet": "where facilities are entered",
        "network.parquet": "the walking network with its costs", "gaps.parquet": "clusters of unserved cells",
        "verdicts.parquet": "one row per cell and rule: verdict, walk, slack, nearest and second nearest facility, indicators",
        "scorecard.parquet": "one row per rule, zone and year", "lifecircle.gpkg": "the same layers for QGIS, and the zones",
        "coverage.tif": "a band per service and one for the number of unmet needs", "summary.json": "the figures of these pages", "check.json": "what the data is like: distances, tags, holes, warnings", "manifest.json": "inputs, parameters, versions",
    }  # fmt: skip
    return "<ul>" + "".join(f'<li><a href="{name}">{name}</a>: {text}</li>' for name, text in told.items()) + "</ul>"


def _overview(coverage: Coverage, water: list[Any]) -> str:
    """Picture of the number of unmet needs: pixels in the metre CRS, with outlines drawn over them."""
    cells, region = coverage.cells, coverage.cells.region
    west, south, east, north = region.project(region.boundary).bounds
    widen = max(0.0, (north - south) / _TALLEST - (east - west)) / 2  # a tall region in a wide frame, not in a void
    west, east = west - widen, east + widen
    scale = (east - west) / _WIDTH
    width, height = (max(1, int(np.ceil(size / scale))) for size in (east - west, north - south))
    x = west + (np.arange(width) + 0.5) * scale
    y = north - (np.arange(height) + 0.5) * scale
    gx, gy = np.meshgrid(x, y)
    rx, ry = pyproj.Transformer.from_crs(region.crs, cells.crs, always_xy=True).transform(gx, gy)
    column, row = ~cells.transform @ (rx, ry)  # type: ignore[operator]
    column, row = np.floor(column).astype(int), np.floor(row).astype(int)
    grid = np.full((cells.shape[0] + 1, cells.shape[1] + 1), -2, dtype=np.int16)
    met_n = coverage.met_n
    grid[cells.row - cells.origin[0], cells.column - cells.origin[1]] = np.where(
        met_n < 0, -1, len(coverage.keys) - met_n
    )
    inside = (column >= 0) & (row >= 0) & (column < cells.shape[1]) & (row < cells.shape[0])
    unmet = grid[np.where(inside, row, -1), np.where(inside, column, -1)]
    rgba = np.zeros((4, height, width), dtype=np.uint8)
    for least, colour in (*_UNMET, (-1, _NOT_JUDGED)):
        chosen = unmet >= least if least >= 0 else unmet == -1
        rgba[:, chosen] = np.array([*bytes.fromhex(colour[1:]), 255], dtype=np.uint8)[:, None]
    with MemoryFile() as memory:
        with memory.open(
            driver="PNG",
            width=width,
            height=height,
            count=4,
            dtype="uint8",
            transform=Affine(scale, 0, west, 0, -scale, north),
        ) as picture:
            picture.write(rgba)
        encoded = base64.b64encode(memory.read()).decode()

    def path(lines: Any, close: str = "") -> str:
        x, y = shapely.get_coordinates(lines).T
        pixels = zip(((x - west) / scale).tolist(), ((north - y) / scale).tolist(), strict=True)
        points = [f"{px:.1f} {py:.1f}" for px, py in pixels]
        ends = [0, *np.cumsum(shapely.get_num_coordinates(lines)).tolist()]
        return "".join(f"M{'L'.join(points[start:end])}{close}" for start, end in pairwise(ends))

    def area(shapes: Any) -> str:
        rings = shapely.get_rings(_polygons(shapes)[0])
        return path(shapely.simplify(region.project(rings), scale / 2), "Z")

    streets = coverage.network.streets
    roads = np.flatnonzero(_rank(streets.kind) == 0)
    drawn = path(shapely.simplify(streets.lines()[roads], scale))
    window = region.unproject(shapely.segmentize(shapely.box(west, south, east, north), (east - west) / 16))
    wet = np.array(water, dtype=object)
    broken = ~shapely.is_valid(wet)
    wet[broken] = shapely.buffer(wet[broken], 0)
    wet_path = area(shapely.intersection(wet, window))
    zones = "".join(
        f'<path d="{area([zone.geometry])}" fill="none" stroke="#333" stroke-width="1.5"/>' for zone in region.zones
    )
    overlays = "".join(
        f'<path d="{area([zone.geometry])}" fill="none" stroke="#333" stroke-width="1" stroke-dasharray="5 4"/>'
        for zone in region.overlays
    )
    tops = [str(least) for least, _ in _UNMET]
    labels = ["none unmet: complete"] + [
        f"{low}–{int(high) - 1} unmet" if int(high) - 1 > int(low) else f"{low} unmet"
        for low, high in zip(tops[1:], [*tops[2:], str(len(coverage.keys) + 1)], strict=True)
        if int(low) <= len(coverage.keys)
    ]
    key = "".join(
        f'<span><i style="background:{colour}"></i>{text}</span>'
        for (_, colour), text in zip(_UNMET, labels, strict=False)
    )
    if (coverage.met == UNKNOWN).any():
        key += f'<span><i style="background:{_NOT_JUDGED}"></i>not judged</span>'
    shown = int((coverage.met == MET).all(axis=0).sum())
    return (
        f'<figure><svg viewBox="0 0 {width} {height}" role="img" aria-label="Map of unmet needs: {shown:,} of {len(cells):,} cells have every service">'
        f'<path d="{wet_path}" fill="#d3e4ee" fill-rule="evenodd"/>'
        f'<image width="{width}" height="{height}" style="image-rendering:pixelated" href="data:image/png;base64,{encoded}"/>'
        f'<path d="{drawn}" fill="none" stroke="#8a8f8c" stroke-width=".6"/>{zones}{overlays}</svg>'
        f"<figcaption class=key>Needs of the life circle unmet in each residential cell: {key}</figcaption></figure>"
    )
