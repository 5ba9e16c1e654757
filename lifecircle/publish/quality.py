"""The data part of the report: what was walked on and judged, and which answers rest on poor or missing data."""

from typing import TYPE_CHECKING, Any

import numpy as np

from lifecircle.assess.coverage import ALL, Coverage, Figure
from lifecircle.assess.edge import Island, islands
from lifecircle.assess.wording import left_out_texts, people_text, share_text
from lifecircle.model.cells import JUDGED, PEOPLE, STATUS
from lifecircle.model.snapping import SCRAP_M
from lifecircle.publish.markup import both, head, number, row, said, table

if TYPE_CHECKING:
    from lifecircle.publish.about import About

_LONGEST = 10


def data_part(coverage: Coverage, about: "About") -> str:
    """Return the tables of the section on data, as HTML."""
    return (
        _data_table(coverage, about)
        + _listed_table(about)
        + _outside_table(coverage)
        + _policy_table(coverage)
        + _island_table(coverage)
    )


def _data_table(coverage: Coverage, about: "About") -> str:
    cells, facilities, network = coverage.cells, coverage.facilities, coverage.network
    streets = network.streets
    unjoined = len(facilities) - len(np.unique(facilities.joins.place))
    nodes, edges, km = streets.n_places, streets.n_edges, streets.length_m.sum() / 1000
    parts = int(network.component.max()) + 1
    squares, squares_zh = ("", "") if cells.people is not None else (
        " squares of 100 m over residential land and homes (no population raster)",
        " 个 100 米方格（居住用地与住宅，无人口栅格）",
    )  # fmt: skip

    def amount(chosen: Any, more: str = "", more_zh: str = "") -> tuple[str, str]:
        n = f"{int(chosen.sum()):,}"
        if cells.people is None:
            return n + more, n + more_zh
        who = people_text(int(cells.people[chosen].sum()) / PEOPLE)
        return f"{n} with {who} people{more}", f"{n}，{who} 人{more_zh}"

    rows: list[tuple[tuple[str, str], tuple[str, str]]] = [
        (
            ("Network", "路网"),
            (
                f"{nodes:,} nodes, {edges:,} edges, {km:,.0f} km, {parts:,} separate parts",
                f"{nodes:,} 个节点，{edges:,} 条边，{km:,.0f} 公里，{parts:,} 个独立部分",
            ),
        ),
        (("Residential cells", "居住格网"), (f"{len(cells):,}{squares}", f"{len(cells):,}{squares_zh}")),
        (
            ("People", "人口"),
            ("unknown", "未知") if cells.people is None else (f"{cells.people.sum() / PEOPLE:,.0f}", ""),
        ),
    ]
    for ix, name in enumerate(STATUS):
        n, people = int((cells.status == ix).sum()), cells.people_of(name)
        if ix not in JUDGED and (n or people):
            who = "" if people is None else f" with {people_text(people / PEOPLE)} people"
            who_zh = "" if people is None else f"，{people_text(people / PEOPLE)} 人"
            rows.append(
                ((f"Cells {name}", f"格网{_STATUS_ZH[name]}"), (f"{n:,}{who}: no verdict", f"{n:,}{who_zh}：未判定"))
            )
    if not about.population_whole:
        rows.append(
            (
                ("People", "人口"),
                (
                    "the population raster does not span the region: who lives beyond it is not counted",
                    "人口栅格未覆盖全区：范围外居民未计入",
                ),
            )
        )
    rows += [((f"Raster: {key}", f"栅格：{key}"), (note.english, note.chinese)) for key, note in about.notes]
    scraps = (
        f"Cells on scraps of the network (under {SCRAP_M / 1000:g} km of street, cut off from the rest)",
        f"位于孤立短路网上的格网（不足 {SCRAP_M / 1000:g} 公里且与其余路网不连通）",
    )
    rows.append((scraps, amount(coverage.on_scraps)))
    edge = (
        "Cells at the edge of the data (judged, but what lies beyond it could change an answer)",
        "位于数据边缘的格网（已判定，但范围外情况可能改变结果）",
    )
    rows.append((edge, amount(cells.status == STATUS.index("edge"))))
    if cells.region.hard_barriers:
        n = len(cells.region.hard_barriers)
        rows.append(
            (("Hard barriers", "硬质边界"), (f"{n:,}: what they cut off is no edge", f"{n:,}：其隔断处不视为数据边缘"))
        )
    for key, count in facilities.count().items():
        service = coverage.standard.services[key]
        rows.append(((f"Facilities: {service.title}", f"设施：{service.title_zh}"), (f"{count:,}", "")))
    merged = int(facilities.merged_n.sum())
    rows.append(
        (
            ("Facilities merged", "合并的设施"),
            (f"{merged:,} further objects were the same place", f"另有 {merged:,} 个对象为同一地点"),
        )
    )
    rows.append((("Facilities without a path near", "附近无道路的设施"), (f"{unjoined:,}", "")))
    rows += [((f"File: {key}", f"文件：{key}"), (name, "")) for key, name in about.sources]
    return (
        "<table>" + "".join(f"<tr><th scope=row>{both(*a)}</th><td>{both(*b)}</td></tr>" for a, b in rows) + "</table>"
    )


_POLICIES_ZH = {"open": "开放", "residents": "限居民", "closed": "封闭"}
_STATUS_ZH = {"unsnapped": "（未接入路网）", "outside_data": "（位于数据范围外）"}


def _heading(english: str, chinese: str) -> str:
    return f"<h3>{both(english, chinese)}</h3>"


def _services(coverage: Coverage) -> dict[str, str]:
    titles = {key: both(service.title, service.title_zh) for key, service in coverage.standard.services.items()}
    return titles | {ALL: both("All services", "全部")}


def _covered(figure: Figure) -> str:
    return number(said(share_text(figure.met, figure.total)), figure.share, said(people_text(figure.met)))


_VERDICT = {
    "clear": ("clear by streets, buildings and known places", "由道路、建筑与已知设施确认"),
    "cannot be told": ("cannot be told from its places", "无法由其位置判断"),
    "overruled": ("its places fit another; insisted on", "与其位置不符，按声明采用"),
    "not tested": ("not tested", "未检验"),
}


def _listed_table(about: "About") -> str:
    """Show the tables of facilities: what was read, left out and found in OpenStreetMap too, and their datum."""
    if not about.tables:
        return ""
    rows = []
    for told in about.tables:
        why = left_out_texts(told)
        left, left_zh = "; ".join(text for text, _ in why), "；".join(text for _, text in why)
        columns = ", ".join(f"{meaning}: {header}" for meaning, header in told["columns"].items())
        verdict = _VERDICT[told.get("evidence", {}).get("verdict", "not tested")]
        said_datum = ("as said", "已声明") if told["datum_said"] else ("not said", "未声明")
        if told["datum_of_headings"] and not told["datum_said"]:
            said_datum = ("as its headings say", "据表头")
        cells = [number(f"{told[key]:,}", told[key]) for key in ("rows", "kept", "alone", "in_osm_too", "not_open")]
        datum = both(
            f"{told['datum']} ({said_datum[0]}; {verdict[0]})", f"{told['datum']}（{said_datum[1]}；{verdict[1]}）"
        )
        rows.append(
            row(
                both(told["table"]),
                [*cells, *(f"<td>{cell}</td>" for cell in (both(left, left_zh), both(columns), datum))],
            )
        )
    heads = [
        head(both("Table", "表")), head(both("Rows", "行数"), numeric=True), head(both("Used", "采用"), numeric=True),
        head(both("Only in the table", "仅见于表"), numeric=True),
        head(both("In OpenStreetMap too", "OSM 亦有"), numeric=True),
        head(both("Not open in the year", "当年未开放"), numeric=True), head(both("Left out", "剔除")),
        head(both("Columns", "列")), head(both("Datum", "坐标系")),
    ]  # fmt: skip
    return _heading("Tables of facilities", "设施表") + table(heads, rows)


def _outside_table(coverage: Coverage) -> str:
    """Show coverage with all facilities, and with only those inside the boundary."""
    heading = _heading("With and without facilities outside the boundary", "是否计入边界外设施")
    if coverage.point_met_inside is None:
        none = "No facility of the data lies outside the boundary: there is no difference."
        return f"{heading}<p>{both(none, '数据中没有边界外的设施：无差别。')}</p>"
    measure = "cells" if coverage.cells.people is None else "people"
    outside = coverage.facilities.only(coverage.facilities.outside)
    count, titles = outside.count() | {ALL: len(outside)}, _services(coverage)
    rows = [
        row(
            titles[every.service],
            [
                number(f"{count[every.service]:,}", count[every.service]), _covered(every), _covered(inside),
            ],
        )
        for every, inside in coverage.figures_inside()
        if every.measure == measure
    ]  # fmt: skip
    heads = [
        head(both("Service", "服务")), head(both("Facilities outside", "边界外设施"), numeric=True),
        head(both("Covered, all facilities", "覆盖率（全部设施）"), numeric=True),
        head(both("Covered, only those inside", "覆盖率（仅边界内）"), numeric=True),
    ]  # fmt: skip
    return heading + table(heads, rows)


def _policy_table(coverage: Coverage) -> str:
    """Show coverage under every policy for private ways."""
    heading = _heading("What gates decide", "门禁政策的影响")
    if not coverage.point_met_under:
        none = "The data holds no private way and no private gate: there is no difference."
        return f"{heading}<p>{both(none, '数据中没有私有道路或门禁：无差别。')}</p>"
    measure = "cells" if coverage.cells.people is None else "people"
    streets, found, titles = coverage.network.streets, coverage.figures_under(), _services(coverage)
    rows = [
        row(titles[same[0].service], [_covered(figure) for figure in same])
        for same in zip(*found.values(), strict=True)
        if same[0].measure == measure
    ]
    km = streets.length_m[streets.private].sum() / 1000
    used = ", ".join(f"{name}: {profile.gates}" for name, profile in coverage.profiles.items())
    used_zh = "，".join(f"{profile.title_zh}：{_POLICIES_ZH[profile.gates]}" for profile in coverage.profiles.values())
    lead = both(
        f"{km:,.1f} km of ways are private, or lie behind private gates (this run: {used}). "
        "open: all may pass. residents: people walk out of their own compound and into the one they "
        "are going to, and cut through none. closed: nobody is let in.",
        f"{km:,.1f} 公里道路为私有或位于门禁之内（本次：{used_zh}）。开放：均可通行；"
        "限居民：可出入本人与目的地所在小区，不可穿行其他小区；封闭：不得进入。",
    )
    heads = [
        head(both("Service", "服务")),
        *(head(both(f"Covered, {policy}", f"覆盖率（{_POLICIES_ZH[policy]}）"), numeric=True) for policy in found),
    ]
    return f"{heading}<p>{lead}</p>{table(heads, rows)}"


def _island_table(coverage: Coverage) -> str:
    """Show the parts of the network cut off from the largest on which somebody lives or something stands."""
    found = islands(coverage.network, coverage.cells, coverage.facilities)
    used = [island for island in found if island.used]
    if not found:
        return ""
    bare = [island for island in found if not island.used]
    bare_km = sum(island.street_km for island in bare)
    lead = both(
        f"{_parts(len(used), 'part')} cut off from the largest {'has' if len(used) == 1 else 'have'} people who can join "
        f"nothing else, or facilities (all in summary.json); {_parts(len(bare), 'further part')} ({bare_km:,.1f} km) "
        f"{'has' if len(bare) == 1 else 'have'} neither.",
        f"{len(used):,} 个与主路网不连通的部分有仅能接入其中的居民或设施（详见 summary.json）；另有 {len(bare):,} 个（{bare_km:,.1f} 公里）两者皆无。",
    )
    text = f"{_heading('Islands of the network', '孤立路网')}<p>{lead}</p>"
    if not used:
        return text
    heads = [
        head(both("Where", "位置")), head(both("Street, km", "道路（公里）"), numeric=True),
        head(both("Cells", "格网"), numeric=True), head(both("People", "居民"), numeric=True),
        head(both("Facilities", "设施"), numeric=True),
    ]  # fmt: skip
    more = both(f"The {_LONGEST} with most people are shown.", f"列出人口最多的 {_LONGEST} 个。")
    return (
        text
        + table(heads, [_island_row(island) for island in used[:_LONGEST]])
        + (f"<p>{more}</p>" if len(used) > _LONGEST else "")
    )


def _parts(n: int, what: str) -> str:
    return f"{n:,} {what}" + ("" if n == 1 else "s")


def _island_row(island: Island) -> str:
    return row(
        f"{island.lon:.4f}, {island.lat:.4f}",
        [
            number(f"{island.street_km:,.2f}", island.street_km), number(f"{island.cells:,}", island.cells),
            number(said(people_text(island.people)), island.people),
            number(f"{island.facilities:,}", island.facilities),
        ],
    )  # fmt: skip
