"""The report in a browser: one language at a time, tables that sort, nothing cropped, and no figure of its own."""

from __future__ import annotations

import json
import re
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
import town as golden

from lifecircle.assess.coverage import ALL
from lifecircle.assess.wording import amount_text, cost_text, people_text, rate_text, share_text
from lifecircle.standards import Standard
from lifecircle.study import Study

if TYPE_CHECKING:
    from collections.abc import Callable

    Open = Callable[..., Any]

# Sheets of paper less the margins of 12 mm, in pixels of 1/96 inch.
A4, A3 = 703, 1032

WIDE = """() => [...document.querySelectorAll('*')].filter((e) => {
  const box = e.getBoundingClientRect();
  return box.width && box.right > document.documentElement.clientWidth + 1 && !e.closest('.scroll');
}).map((e) => e.outerHTML.slice(0, 100))"""

CROPPED = """() => [...document.querySelectorAll('.scroll')].filter((e) => e.scrollWidth > e.clientWidth + 1)
  .map((e) => [e.scrollWidth, e.clientWidth, e.innerText.slice(0, 80)])"""

BROKEN = """() => [...document.querySelectorAll('thead th')].flatMap((head) => {
  const words = document.createTreeWalker(head, NodeFilter.SHOW_TEXT);
  const found = [];
  for (let node = words.nextNode(); node; node = words.nextNode()) {
    for (const word of node.data.matchAll(/[A-Za-z]{2,}/g)) {
      const range = document.createRange();
      range.setStart(node, word.index);
      range.setEnd(node, word.index + word[0].length);
      if (new Set([...range.getClientRects()].map((box) => box.top)).size > 1) found.push(word[0]);
    }
  }
  return found;
})"""
"""Words of heads that stand on more than one line."""


@pytest.fixture(scope="module")
def result(tmp_path_factory: Any) -> Any:
    """The golden town, by a standard that has everything a report can show."""
    study = Study.from_toml(golden.draw(tmp_path_factory.mktemp("town")))
    return study.changed(standard="lingang-2021").run()


@pytest.fixture(scope="module")
def page_text(result: Any) -> str:
    """The report's HTML."""
    return str(result.page("index"))


def choose(page: Any, lang: str) -> None:
    """Choose a language as a reader does."""
    page.locator(f"#lang-{lang}").check()


def test_one_language_is_shown_and_remembered(open_page: Open, page_text: str) -> None:
    page = open_page(page_text)
    body = page.locator("main")
    assert page.evaluate("document.documentElement.lang") == "en"
    assert "Is the life circle complete?" in body.inner_text()
    assert "生活圈是否完整" not in body.inner_text()
    choose(page, "zh")
    assert page.evaluate("document.documentElement.lang") == "zh-CN"
    assert "生活圈是否完整" in body.inner_text()
    assert "Is the life circle complete?" not in body.inner_text()
    assert page.evaluate("document.title").endswith("生活圈")
    page.reload()
    assert page.evaluate("document.documentElement.lang") == "zh-CN"
    assert page.locator("#lang-zh").is_checked()
    choose(page, "en")


def test_every_heading_and_head_is_said_in_both_languages(open_page: Open, page_text: str, result: Any) -> None:
    page = open_page(page_text)
    heads = page.evaluate("[...document.querySelectorAll('h2, h3, thead th')].map((e) => e.textContent)")
    assert len(heads) > 40
    plain = {"km²", *(str(year) for year in range(2000, 2050))}
    plain |= {
        zone.name for zone in (*result.coverage.cells.region.zones, *result.coverage.cells.region.overlays)
    }  # the town's have no Chinese names
    for text in heads:
        if text not in plain:
            assert re.search(r"[\u4e00-\u9fff]", text), text


def test_the_page_says_all_without_its_script(browser: Any, page_text: str, tmp_path: Any) -> None:
    file = tmp_path / "index.html"
    file.write_text(page_text, encoding="utf-8")
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(file.as_uri())
    shown = page.locator("main").inner_text()
    assert "Is the life circle complete?" in shown
    assert "生活圈是否完整" not in shown
    page.locator("label[lang=zh]").click()
    assert "生活圈是否完整" in page.locator("main").inner_text()
    context.close()


def test_tables_sort_by_value_and_by_name(open_page: Open, tmp_path: Any) -> None:
    result = Study.from_toml(golden.draw(tmp_path)).run()  # by its own standard, its services differ
    page = open_page(result.page("index"))
    table = page.locator("section:has(h2:has-text('Coverage by zone')) table").first
    shares = """(table) => [...table.tBodies[0].rows].map((row) => Number(row.cells[1].dataset.sort))"""
    before = table.evaluate(shares)
    assert len(before) == len(result.coverage.keys) + 1
    assert len(set(before)) > 2
    heads = table.locator("thead th")
    heads.nth(1).locator("button").click()
    assert heads.nth(1).get_attribute("aria-sort") == "descending"
    assert table.evaluate(shares) == sorted(before, reverse=True)
    heads.nth(1).locator("button").press("Enter")
    assert heads.nth(1).get_attribute("aria-sort") == "ascending"
    assert table.evaluate(shares) == sorted(before)
    heads.nth(0).locator("button").click()
    assert heads.nth(1).get_attribute("aria-sort") == "none"
    names = table.evaluate("(table) => [...table.tBodies[0].rows].map((row) => row.cells[0].innerText)")
    assert names == sorted(names, key=str.casefold)


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("width", [360, 1400])
def test_nothing_sticks_out_of_a_screen(open_page: Open, page_text: str, width: int, lang: str) -> None:
    page = open_page(page_text, width=width)
    choose(page, lang)
    page.evaluate("document.querySelectorAll('details').forEach((e) => { e.open = true; })")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate(WIDE) == []
    choose(page, "en")


BROKEN_SHARES = r"""() => {
  const words = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const found = [];
  for (let node = words.nextNode(); node; node = words.nextNode()) {
    if (!node.parentElement.closest('.lead li, td.n')) continue;
    for (const share of node.data.matchAll(/\d[ \u00a0]%/g)) {
      const range = document.createRange();
      range.setStart(node, share.index);
      range.setEnd(node, share.index + 3);
      if (new Set([...range.getClientRects()].map((box) => box.top)).size > 1) found.push(node.data);
    }
  }
  return found;
}"""


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("width", [390, 1400])
def test_no_column_shrinks_to_a_character_and_no_figure_breaks(
    open_page: Open, page_text: str, width: int, lang: str
) -> None:
    page = open_page(page_text, width=width)
    choose(page, lang)
    page.evaluate("document.querySelectorAll('details').forEach((e) => { e.open = true; })")
    narrow = page.evaluate("""() => [...document.querySelectorAll('.scroll td, .scroll th')]
      .filter((e) => e.innerText.trim().length > 4 && e.clientWidth < 45).map((e) => [e.clientWidth, e.innerText])""")
    assert narrow == []
    assert page.evaluate(BROKEN_SHARES) == []
    choose(page, "en")


def test_tag_rules_can_break(open_page: Open, page_text: str) -> None:
    page = open_page(page_text)
    assert page.locator(".tags wbr").count() > 10
    assert "\u200b" not in page_text
    assert page.locator("section:has(.tags) th[scope=row]").first.bounding_box()["width"] > 60


@pytest.mark.parametrize("width", [A4, A3])
def test_nothing_is_cropped_on_paper(open_page: Open, page_text: str, width: int) -> None:
    page = open_page(page_text, width=width)
    page.emulate_media(media="print")
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate(CROPPED) == []
    choose(page, "en")
    assert page.evaluate(BROKEN) == []
    assert not page.locator(".language").is_visible()
    assert page.locator("details:not([open])").count() == 0


def test_pictures_and_links_have_names_and_controls_labels(open_page: Open, page_text: str) -> None:
    page = open_page(page_text)
    assert page.locator("[role=img]").count() > 5
    assert page.locator("svg:not([aria-label]):not([aria-hidden])").count() == 0
    assert page.evaluate("[...document.querySelectorAll('a, button')].every((e) => e.textContent.trim())")
    assert page.evaluate("[...document.querySelectorAll('input')].every((e) => e.closest('label').innerText.trim())")
    ids = page.evaluate("[...document.querySelectorAll('[id]')].map((e) => e.id)")
    assert len(ids) == len(set(ids))
    levels = page.evaluate("[...document.querySelectorAll('h1, h2, h3, h4')].map((e) => Number(e.tagName[1]))")
    assert levels[0] == 1
    assert all(b - a <= 1 for a, b in pairwise(levels))


def test_the_coverage_table_is_the_summary(open_page: Open, page_text: str, result: Any) -> None:
    """Zone by zone and service by service: shares, people and their totals."""
    summary = json.loads(json.dumps(result.summary))
    by = {(f["zone"], f["service"]): f for f in summary["figures"] if f["measure"] == "people"}
    page = open_page(page_text)
    rows = page.evaluate("""() => {
      const part = [...document.querySelectorAll('section')].find((s) => s.innerText.startsWith('Coverage by zone'));
      return [...part.querySelectorAll('table')].flatMap((table) => {
        const zones = [...table.tHead.rows[0].cells].slice(1).map((e) => e.innerText);
        return [...table.tBodies[0].rows].flatMap((row) => zones.map((zone, i) => [
          zone, row.cells[0].innerText, row.cells[i + 1].innerText.split(/\\n+/)]));
      });
    }""")
    zones = {"Region": "region"} | {zone["name"]: key for key, zone in summary["zones"].items()}
    services = {"All services": ALL} | {told["title"]: key for key, told in summary["services"].items()}
    seen = set()
    for zone, service, (share, amounts, *doubt) in rows:
        figure = by[zones[zone], services[service]]
        assert share == share_text(figure["met"], figure["total"])
        assert amounts == f"{people_text(figure['met'])} / {people_text(figure['total'])}"
        assert doubt == ([f"{people_text(figure['unknown'])} unknown"] if figure["unknown"] else [])
        seen.add((zones[zone], services[service]))
    one = len([z for z in summary["zones"].values() if z["kind"] == "zone"]) == 1
    assert seen == {key for key in by if not (one and summary["zones"].get(key[0], {}).get("kind") == "zone")}


def test_headlines_gaps_and_bars_are_the_summary(open_page: Open, page_text: str, result: Any) -> None:
    summary = json.loads(json.dumps(result.summary))
    page = open_page(page_text)
    lead = page.locator("ul.lead li").first.inner_text().replace("\u00a0", " ")
    whole = next(f for f in summary["figures"] if (f["zone"], f["service"], f["measure"]) == ("region", ALL, "people"))
    for text in (share_text(whole["met"], whole["total"]), people_text(whole["met"]), people_text(whole["total"])):
        assert text in lead
    gaps = page.evaluate("""() => {
      const part = [...document.querySelectorAll('section')].find((s) => s.innerText.startsWith('Largest gaps'));
      return [...part.querySelectorAll('tbody tr')].map((row) => [...row.cells].map((cell) => cell.innerText));
    }""")
    assert len(gaps) == len(summary["largest_gaps"]) > 0
    for (_, service, people, km2, worst, where, cause), told in zip(gaps, summary["largest_gaps"], strict=True):
        cutoff = next(c["value"] for c in summary["cutoff"].values() if c["unit"] == told["unit"])
        assert service == summary["services"][told["service"]]["title"]
        assert people == people_text(told["people"])
        assert km2 == f"{told['area_m2'] / 1e6:.2f}"
        assert worst == cost_text(told["worst"], told["unit"], cutoff)
        assert where.split("\n")[0] == summary["zones"][told["zone"]]["name"]
        assert cause == told["wording"]
    bars = dict(
        page.evaluate("""() => [...document.querySelectorAll('.walks tr:has(.walk)')].map((row) => [
          row.cells[0].innerText, [...row.querySelectorAll('.walk > i')].map((e) => e.title)])""")
    )
    layers = [layer for layer in summary["classes"] if layer["layer"] == "service"]
    assert len(bars) == len(layers)
    for layer in layers:
        amounts = [amount for amount in layer["people"] if amount]
        titles = bars[summary["services"][layer["service"]]["title"]]
        assert [title.partition(": ")[2] for title in titles] == [
            share_text(amount, sum(layer["people"])) for amount in amounts
        ]


def renderings(value: Any) -> set[str]:
    """Every way a report may write the numbers of a JSON value."""
    if isinstance(value, dict):
        found = set().union(*map(renderings, value.values())) if value else set()
        total = value.get("total") or value.get("known")
        pairs = [(part, total) for part in value.values() if isinstance(part, int | float)] if total else []
        met, straight = value.get("people"), value.get("straight")
        if isinstance(met, dict) and straight:
            for key in ("people", "residential_m2"):
                if value[key]["total"]:
                    found.add(f"{100 * (straight[key]['met'] - value[key]['met']) / value[key]['total']:+.1f}")
        pairs += [(value["numerator"], value["denominator"])] if value.get("denominator") else []
        pairs += [(n, sum(value["people"])) for n in value["people"]] if isinstance(value.get("people"), list) else []
        return found | {share_text(a, b) for a, b in pairs if a is not None and a <= b}
    if isinstance(value, list):
        return set().union(*map(renderings, value)) if value else set()
    if isinstance(value, bool) or not isinstance(value, int | float):
        return set()
    ways = {
        people_text(value), f"{value:g}", f"{value:.2f}", f"{value:.0f}", f"{value / 1e6:.2f}",
        *(cost_text(value, unit, 0).split()[0] for unit in "sm"),
        f"{value / 1000:,.1f}", f"{100 * value:+.1f}", f"{value / 60:g}", f"{value:,.1f}",
    }  # fmt: skip
    return ways | ({rate_text(value), amount_text(value)} if value >= 0 else set())


def test_no_numeric_cell_holds_a_figure_the_summary_lacks(open_page: Open, page_text: str, result: Any) -> None:
    summary = json.loads(json.dumps(result.summary))
    known = {part.strip("<> ").removesuffix(" %") for text in renderings(summary) for part in [text]}
    for choice in summary["indicators"]["services"].values():
        whole = summary["indicators"]["known"]
        parts = [*choice["choice"].values(), choice["second_met"], choice["mean_20"]["known"]]
        known |= {share_text(n, whole).strip("<> ").removesuffix(" %") for n in parts}
    page = open_page(page_text)
    page.evaluate("document.querySelectorAll('details').forEach((e) => { e.open = true; })")
    cells = page.evaluate("""() => [...document.querySelectorAll('section')].flatMap((part) =>
      [...part.querySelectorAll('td.n')].map((e) => [part.querySelector('h2').innerText, e.innerText]))""")
    assert len(cells) > 150
    strange = set()
    for part, text in cells:
        told = re.sub(r"(^|\n)(0|1|2-4|5-10|11\+): ", r"\1", text)  # classes of choice
        told = told.replace("90 %:", "").replace("/ 1,000", "").replace("per 1,000", "").replace("reach 20", "")
        for word in re.findall(r"[+-]?\d[\d,]*(?:\.\d+)?", told):
            if word not in known:
                strange.add((part, word, text))
    assert strange == set()


SEEN = """() => {
  const words = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const found = [];
  for (let node = words.nextNode(); node; node = words.nextNode()) {
    const on = node.parentElement;
    if (!on.closest('script, style, title') && on.checkVisibility({visibilityProperty: true})) found.push(node.data);
  }
  return found;
}"""
"""Texts that can be seen, those in pictures among them."""

ENGLISH = r"(?<![\w./-])(min|k?m|k?m²|m/s|GPs|residents|verified|unverified|secondary|and|unless|of|per|with|within)(?![\w./-])"


def strings(value: Any) -> list[str]:
    """Every text in a dumped model."""
    if isinstance(value, str):
        return [value]
    return [text for one in (value.values() if isinstance(value, dict) else value if isinstance(value, list) else ())
            for text in strings(one)]  # fmt: skip


@pytest.mark.parametrize("kind", ["index", "coverage", "gaps"])
def test_a_page_in_chinese_says_nothing_of_its_own_in_english(open_page: Open, result: Any, kind: str) -> None:
    """What a standard, a walker or the data says is quoted as it is."""
    coverage = result.coverage
    standard = Standard.load(coverage.standard.name)
    models = [standard.model_copy(update={"note": ""}), *coverage.profiles.values()]
    quoted = sorted({text.strip() for one in models for text in strings(one.model_dump())}, key=len, reverse=True)
    quoted = [text for text in quoted if len(text) > 12] + list(result.about.attribution)
    page = open_page(result.page(kind))
    page.locator("label[lang=zh]" if kind == "index" else "#lc-lang").click()
    if kind != "index":
        page.locator("#lc-find input").fill(str(coverage.cells.cell_id[0]))
        page.locator("#lc-find button").first.click()
        page.locator("#lc-readout.lc-pinned").wait_for()
    seen = page.evaluate(SEEN)
    assert any("分钟" in text for text in seen)
    for shown in seen:
        text = shown
        for one in quoted:
            text = text.replace(one, "")
        assert not re.search(ENGLISH, text), shown
