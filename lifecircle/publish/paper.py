"""The report on paper without a browser: what stands on its pages, every figure out of the results folder."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from lifecircle.assess.clauses import MARK, VERDICTS
from lifecircle.assess.coverage import ALL
from lifecircle.assess.promises import VERDICTS as PROMISED
from lifecircle.assess.promises import Told
from lifecircle.assess.wording import amount_text, cost_text, people_text, rate_text, share_text
from lifecircle.errors import StandardError
from lifecircle.publish.about import method, sentences
from lifecircle.publish.lettering import Lettering
from lifecircle.publish.markup import STATUS_ZH, said_zh
from lifecircle.publish.promises import amount_text_of, figure_zh, value_text
from lifecircle.publish.sheets import PAPER, Block, Cell, Heading, Notice, Paragraph, Plate, Table, print_sheets

if TYPE_CHECKING:
    from lifecircle.publish.results import Results

_ABREAST = {"A4": 7, "A3": 9}  # columns of places in a table
# In the words of the report; the table of the folder has its own for all services together.
_VERDICTS = VERDICTS | PROMISED | {"full": VERDICTS["met"], "not full": VERDICTS["not_met"], "absent": VERDICTS["none"]}


def paper(results: "Results", *, lang: str = "en", size: str = "A4") -> bytes:
    """Print the report: headline by zone, coverage, gaps, scorecard and method.

    Parameters
    ----------
    lang : {"en", "zh"}
        Chinese needs a font that can write it; without one a warning is logged, and the text is English.
    size : {"A4", "A3"}

    Returns
    -------
    bytes
        A PDF; the same for the same results, fonts and versions.

    Raises
    ------
    DataError
        A file of the results is damaged.
    StandardError
        There is no such language or paper.
    """
    if size not in PAPER:
        raise StandardError(f"there is no paper {size!r}; expected A4 or A3")
    letters = Lettering.of(lang)
    summary = results.summary
    title = letters.name(summary.title, summary.title_zh, most=120)
    title += letters.say(": life circle", "：生活圈")
    made = print_sheets(results, title, list(blocks(results, letters, abreast=_ABREAST[size])), letters, size)
    letters.finish()
    return made


def blocks(results: "Results", letters: Lettering, *, abreast: int) -> Iterator[Block]:
    """Yield what stands on the pages, from top to bottom; ``abreast`` places stand beside one another in a table."""
    summary, terms, say = results.summary, results.terms(), letters.say
    if summary.notice:
        yield Notice(letters.name(summary.notice, summary.notice_zh or "", most=400))
    yield Heading(say("Is the life circle complete?", "生活圈是否完整？"))
    names = {key: (zone.name, zone.name_zh) for key, zone in summary.zones.items()}
    further = False
    for line in sentences(summary.counted, names, terms):
        if line.kind == "overlay" and not further:
            further = True
            yield Paragraph(say("Further views of it; they overlap the zones:", "其他范围（与分区重叠）："), small=True)
        text = letters.name(line.english, line.chinese, most=500)
        yield Paragraph(text, bold=line.kind == "region")
    yield Plate("unmet")
    yield from _coverage(results, letters, abreast)
    yield from _gaps(results, letters)
    yield from _scorecard(results, letters)
    yield Heading(say("Method", "方法"))
    rows = [
        (Cell(letters.name(label, label_zh, most=60)), Cell(letters.name(text, text_zh, most=900)))
        for label, text, label_zh, text_zh in method(terms)
    ]
    yield Table((say("What", "项目"), say("How", "说明")), rows, (1, 4))


def _coverage(results: "Results", letters: Lettering, abreast: int) -> Iterator[Block]:
    """Yield coverage of every service in every zone, as the report has it."""
    summary, say = results.summary, letters.say
    yield Heading(say("Coverage by zone and service", "分区覆盖"))
    if summary.population_known:
        lead = say(
            "Share of people whose walk to the nearest facility keeps to the threshold. Zones add up to the region, "
            "other areas are further views of it.",
            "步行至最近设施符合阈值的居民占比。分区相加等于全区，其他范围与分区重叠。",
        )
    else:
        lead = say(
            "Share of residential cells (no population is known) whose walk to the nearest facility keeps to the "
            "threshold. Zones add up to the region, other areas are further views of it.",
            "步行至最近设施符合阈值的居住格网占比（无人口数据）。分区相加等于全区，其他范围与分区重叠。",
        )
    yield Paragraph(lead, small=True)
    places = {"region": say("Region", "全区")}
    alone = sum(zone.kind == "zone" for zone in summary.zones.values()) == 1
    for key, zone in summary.zones.items():
        if not (alone and zone.kind == "zone"):
            places[key] = letters.name(zone.name, zone.name_zh, most=40)
    services = {ALL: say("All services", "全部")}
    services |= {key: letters.name(one.title, one.title_zh) for key, one in summary.services.items()}
    keys = list(places)
    beside = -(-len(keys) // -(-len(keys) // abreast))  # as many in each table
    for start in range(0, len(keys), beside):
        group = keys[start : start + beside]
        rows = [
            (Cell(title), *(_covered(results, letters, service, zone) for zone in group))
            for service, title in services.items()
        ]
        heads = (say("Service", "服务"), *(places[key] for key in group))
        yield Table(heads, rows, (1.3, *([1] * len(group))), frozenset(range(1, len(group) + 1)))


def _covered(results: "Results", letters: Lettering, service: str, zone: str) -> Cell:
    """Give a share, and the people behind it."""
    figure = results.summary.figure(service, zone)
    if figure is None:
        return Cell("–")
    small = f"{_said(letters, people_text(figure.met))} / {people_text(figure.total)}" if figure.total else ""
    if figure.unknown:
        unknown = people_text(figure.unknown)
        small += letters.say(f"\n{unknown} unknown", f"\n{unknown} 未知")
    return Cell(_said(letters, share_text(figure.met, figure.total)), small)


def _said(letters: Lettering, figure: str) -> str:
    return letters.say(figure, said_zh(figure))


def _gaps(results: "Results", letters: Lettering) -> Iterator[Block]:
    """Yield the largest gaps, as the summary has them."""
    summary, terms, say = results.summary, results.terms(), letters.say
    yield Heading(say("Largest gaps", "主要缺口"))
    if not summary.largest_gaps:
        yield Paragraph(say("None: every judged cell has every service.", "无：凡已判定的格网均拥有全部服务。"))
        return
    rows = []
    for gap in summary.largest_gaps:
        service, zone = summary.services[gap.service], summary.zones[gap.zone]
        worst = cost_text(gap.worst, gap.unit, terms.cutoffs[service.cost][0])
        rows.append(
            (
                Cell(letters.name(service.title, service.title_zh)),
                Cell(_said(letters, people_text(gap.people))),
                Cell(f"{gap.area_m2 / 1e6:.2f}"),
                Cell(_said(letters, worst)),
                Cell(letters.name(zone.name, zone.name_zh, most=40), f"{gap.lon:.4f}, {gap.lat:.4f}"),
                Cell(letters.name(gap.wording, gap.wording_zh, most=400)),
            )
        )
    heads = (
        say("Service", "服务"), say("People", "居民"), "km²", say("Longest walk", "最远步行"), say("Where", "位置"),
        say("Cause", "原因"),
    )  # fmt: skip
    yield Table(heads, rows, (1.2, 0.8, 0.6, 0.9, 1.6, 3.4), frozenset({1, 2, 3}))


def _scorecard(results: "Results", letters: Lettering) -> Iterator[Block]:
    """Yield the standard rule by rule, for the region, and the plan's promises, each in its own place and year."""
    summary, say = results.summary, letters.say
    frame = results.table("scorecard")
    rules = frame[(frame["zone"] == "region") & (frame["kind"] != "promise")].to_dict("records")
    promises = []
    for promise in summary.promises:
        every = frame[(frame["kind"] == "promise") & (frame["rule"] == promise.promise)]
        own = every[every["zone"] == (promise.zone or "region")]
        exact = own[own["year"] == (np.nan if promise.year is None else promise.year)]
        best = next((one for one in (exact, own, every) if len(one)), every).head(1)
        promises += [row | {"verdict": promise.verdict} for row in best.to_dict("records")]
    yield Heading(say("Scorecard", "评分表"))
    standard = results.terms().standard
    name = letters.name(standard.title, standard.title_zh, most=120)
    lead = f"{name}. {MARK[0]} A status other than verified is an editable default."
    yield Paragraph(say(lead, f"{name}。{MARK[1]}未经核实的数字为可修改的默认值。"), small=True)
    yield _rules(results, letters, rules)
    if promises:
        yield Heading(say("What the plan promises", "规划承诺"))
        yield _rules(results, letters, promises)


def _rules(results: "Results", letters: Lettering, rules: list[dict[str, Any]]) -> Table:
    """Make a table of rows of the scorecard."""
    summary, say = results.summary, letters.say
    titles = {ALL: say("All services", "全部服务")}
    titles |= {one.rule: letters.name(one.title, one.title_zh, most=80) for one in summary.clauses}
    judged = {one.rule: one.verdict for one in summary.clauses}
    promised = {one.promise: letters.name(one.title, one.title_zh, most=80) for one in summary.promises}
    heads = (
        say("Rule", "规则"), say("Where, when", "范围、年份"), say("Found", "结果"), say("Verdict", "结论"),
        say("Clause, source", "条文、来源"),
    )  # fmt: skip
    rows = []
    for told in rules:
        zone = summary.zones.get(told["zone"])
        if told["zone"] == "region":
            where = say("Region", "全区")
        else:
            where = letters.name(zone.name, zone.name_zh, most=40) if zone else letters.name(told["zone"], most=40)
        year = "" if told["year"] != told["year"] else f", {told['year']:.0f}"
        found = _found(told)
        clause = ": ".join(part for part in (told["clause"], told["source"]) if part)
        status = told["status"] and say(f" ({told['status']})", f"（{STATUS_ZH.get(told['status'], told['status'])}）")
        title = (promised if told["kind"] == "promise" else titles).get(told["rule"])
        verdict = told["verdict"] if told["kind"] == "promise" else judged.get(told["rule"], told["verdict"])
        rows.append(
            (
                Cell(title or letters.name(told["rule"], most=60)),
                Cell(where + year),
                Cell(say(found.text, figure_zh(found.text)), say(found.small, figure_zh(found.small))),
                Cell(say(*_VERDICTS[verdict]) if verdict in _VERDICTS else letters.name(verdict)),
                Cell("", letters.name(clause + status, most=240)),
            )
        )
    return Table(heads, rows, (2, 1.4, 1.4, 1.1, 2.6))


def _found(row: dict[str, Any]) -> Cell:
    """Write the figure of a scorecard's row, and what it is made of."""
    value, met, total, unknown = (
        None if row[name] != row[name] else row[name] for name in ("value", "numerator", "denominator", "unknown")
    )
    if row["kind"] == "promise":
        where = row["rule"], row["zone"], row["zone_kind"]
        told = Told(*where, None, value, met, total, unknown, row["measure"], row["verdict"])
        return Cell(value_text(told), amount_text_of(told))
    if row["kind"] == "norm":
        if value is None or met is None:
            return Cell("–")
        more = "≥ " if unknown else ""
        return Cell(f"{more}{rate_text(value)} per 1,000", f"{amount_text(met)} / {people_text(total)}")
    if met is None or total is None:
        return Cell("–")
    small = f"{people_text(met)} / {people_text(total)}" if total else ""
    return Cell(share_text(met, total), small)
