"""The pages in a real browser, opened as files with every request refused."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pypdf
import pytest

from lifecircle.publish import maps

if TYPE_CHECKING:
    from collections.abc import Callable

    Open = Callable[..., Any]


def cell_of(town: Any, row: int, column: int) -> int:
    """Return the position of a cell."""
    return int(np.nonzero((town.rows == row) & (town.columns == column))[0][0])


def point_at(page: Any, town: Any, row: int, column: int) -> str:
    """Move the mouse to the centre of a cell and return the readout."""
    lon, lat = town.quads[cell_of(town, row, column)].mean(axis=0)
    name = page.evaluate("document.querySelector('.folium-map').id")
    x, y = page.evaluate(
        f"""([lat, lon]) => {{
          const box = document.querySelector('.folium-map').getBoundingClientRect();
          const point = {name}.latLngToContainerPoint([lat, lon]);
          return [box.left + point.x, box.top + point.y];
        }}""",
        [lat, lon],
    )
    page.mouse.move(x, y)
    return text_of(page, "#lc-readout")


def text_of(page: Any, selector: str) -> str:
    """Return the visible text of an element."""
    return str(page.locator(selector).inner_text())


def choose(page: Any, label: str) -> None:
    """Switch to a layer by its label."""
    page.locator("#lc-layers").get_by_label(label, exact=True).check()


def pixels(page: Any, pane: str) -> dict[str, int]:
    """Count the colours on the tiles of a pane."""
    counts: dict[str, int] = page.evaluate(
        """(pane) => {
          const counts = {};
          for (const canvas of document.querySelectorAll(`.leaflet-lc-${pane}-pane canvas`)) {
            const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext('2d', {willReadFrequently: true});
            copy.drawImage(canvas, 0, 0);
            const data = new Uint32Array(copy.getImageData(0, 0, canvas.width, canvas.height).data.buffer);
            for (const value of data) if (value >>> 24) {
              const bytes = [value & 255, value >> 8 & 255, value >> 16 & 255];
              const hex = bytes.map((v) => v.toString(16).padStart(2, '0')).join('');
              counts['#' + hex] = (counts['#' + hex] || 0) + 1;
            }
          }
          return counts;
        }""",
        pane,
    )
    return counts


def test_every_layer_has_its_own_legend_and_colours(open_page: Open, town: Any) -> None:
    page = open_page(town.scene())
    layers = page.locator("#lc-layers input")
    assert layers.count() == 5
    seen = set()
    for i in range(layers.count()):
        layers.nth(i).check()
        title = text_of(page, "#lc-layers label:has(input:checked)")
        legend = text_of(page, "#lc-legend")
        assert legend.startswith(title)
        seen.add(legend)
        swatches = page.evaluate(
            "[...document.querySelectorAll('#lc-legend .lc-swatch')].map((s) => s.style.background)"
        )
        shown = {tuple(int(c[k : k + 2], 16) for k in (1, 3, 5)) for c in pixels(page, "cells")}
        painted = [tuple(map(int, s[4:-1].split(", "))) for s in swatches if s.startswith("rgb")]
        assert len(shown & set(painted)) >= 2
        # All that is painted is in the legend; the two greys are the hatching, the dark is the dots.
        assert shown - set(painted) <= {(0x81, 0x87, 0x8C), (0xDD, 0xE1, 0xE4), (0x22, 0x30, 0x3C)}
    assert len(seen) == 5


def test_legend_sums_are_the_people(open_page: Open, town: Any) -> None:
    page = open_page(town.scene())
    choose(page, "Clinic")
    people = town.population
    legend = text_of(page, "#lc-legend")
    assert "standard: 15 min" in legend
    shown = lambda total: f"{np.floor(total + 0.5):,.0f}"  # noqa: E731
    near = people[(town.services[0].values <= 300) & (town.status != 1)].sum()
    assert shown(near) in legend
    assert shown(people[town.status == 1].sum()) in legend
    assert "edge of the data (dotted)" in legend
    assert shown(people[town.status == 3].sum()) in legend
    assert shown(people.sum()) in legend
    choose(page, "Park")
    assert "standard: 500 m" in text_of(page, "#lc-legend")


def test_overlays_come_and_go(open_page: Open, town: Any) -> None:
    page = open_page(town.scene())
    boxes = page.locator("#lc-overlays input")
    keys = [boxes.nth(i).get_attribute("value") for i in range(boxes.count())]
    assert keys == ["streets", "water", "zones", "overlays", "facilities", "gaps"]
    choose(page, "Clinic")
    for i, key in enumerate(keys):
        boxes.nth(i).check()
        assert pixels(page, key), key
        boxes.nth(i).uncheck()
        assert page.locator(f".leaflet-lc-{key}-pane canvas").count() == 0
        boxes.nth(i).check()
        assert pixels(page, key), key


def test_readout_gives_the_numbers_of_the_cell(open_page: Open, town: Any) -> None:
    page = open_page(town.scene())
    cell = cell_of(town, 20, 14)
    readout = point_at(page, town, 20, 14)
    missing = [service.title for service in town.services if service.met[cell] == 0]
    assert "r20c14" in readout
    assert "West" in readout
    assert f"{town.population[cell]:.1f}" in readout
    assert f"Missing\n{', '.join(missing) or 'none'}" in readout
    choose(page, "Clinic")
    readout = point_at(page, town, 21, 14)
    value = float(town.services[0].values[cell_of(town, 21, 14)])
    assert f"{np.ceil(np.ceil(value) / 6) / 10:.1f} min" in readout
    assert "met (standard: 15 min)" in readout
    choose(page, "Park")
    readout = point_at(page, town, 58, 22)
    assert f"{np.ceil(town.services[2].values[cell_of(town, 58, 22)]):.0f} m" in readout
    far = np.nonzero(np.isnan(town.services[2].values) & (town.status == 0))[0][0]
    readout = point_at(page, town, int(town.rows[far]), int(town.columns[far]))
    assert "> 2000 m" in readout
    assert "not met" in readout
    choose(page, "Clinic")
    readout = point_at(page, town, 30, 10)
    assert "Too far from any path" in readout
    assert "not known" in readout


def test_click_keeps_the_readout_with_all_services(open_page: Open, town: Any) -> None:
    page = open_page(town.scene())
    point_at(page, town, 20, 14)
    page.mouse.down()
    page.mouse.up()
    rows = page.locator("#lc-readout tbody tr")
    assert [row.split("\t")[0] for row in rows.all_inner_texts()] == ["Clinic", "Market", "Park"]
    assert "r20c14" in point_at(page, town, 50, 60)
    page.keyboard.press("Escape")
    assert "r50c60" in point_at(page, town, 50, 61).replace("c61", "c60")
    page.locator(".folium-map").focus()
    page.keyboard.press("Enter")
    assert rows.count() == 3
    page.locator(".lc-close").click()
    assert not page.locator("#lc-readout").is_visible()


def test_languages_switch(open_page: Open, town: Any) -> None:
    page = open_page(town.scene())
    assert page.evaluate("document.documentElement.lang") == "en"
    point_at(page, town, 20, 14)
    page.locator("#lc-lang").click()
    assert page.evaluate("document.documentElement.lang") == "zh-CN"
    assert page.title() == text_of(page, "#lc-title") == "模型城镇"
    assert text_of(page, "#lc-notice") == "本页为模型，并非调查数据。"
    choose(page, "诊所")
    assert "标准：15 分钟" in text_of(page, "#lc-legend")
    assert "西片" in point_at(page, town, 20, 15)
    assert "西片" in page.locator(".lc-label").all_inner_texts()
    page.locator("#lc-lang").click()
    assert "standard: 15 min" in text_of(page, "#lc-legend")
    assert open_page(town.scene(lang="zh")).evaluate("document.documentElement.lang") == "zh-CN"


@pytest.mark.parametrize("kind", ["coverage", "gaps"])
@pytest.mark.parametrize("width", [360, 1400])
def test_nothing_overflows(open_page: Open, town: Any, kind: str, width: int) -> None:
    page = open_page(town.scene(kind=kind, title="Word" * 60), width=width)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for part in ("#lc-notice", "#lc-foot", "#lc-legend", ".folium-map", ".leaflet-control-scale", "#lc-north"):
        box = page.locator(part).bounding_box()
        assert box["width"] > 10, part
        assert box["height"] > 10, part
        assert box["x"] + box["width"] <= width, part
    assert "OpenStreetMap contributors" in text_of(page, "#lc-foot")
    assert "2026-08-19" in text_of(page, "#lc-foot")


def test_hostile_names_are_only_text(open_page: Open, town: Any) -> None:
    hostile = town.scene().overlays.names[0]
    services = [
        maps.ServiceLayer(**(vars(service) | {"title": hostile, "title_zh": hostile})) for service in town.services
    ]
    for kind in ("coverage", "gaps"):
        page = open_page(town.scene(kind=kind, services=services, title=hostile, notice=hostile, headline=[hostile]))
        assert page.locator("img[src=x]").count() == 0
        for i in range(page.locator("#lc-layers input").count()):
            page.locator("#lc-layers input").nth(i).check()
            point_at(page, town, 20, 12)
        page.mouse.down()
        page.mouse.up()
        page.locator("#lc-lang").click()
        assert page.locator("#lc-title").evaluate("e => e.textContent") in {hostile, "模型城镇"}
        assert page.locator("img[src=x]").count() == 0


def test_the_search_speaks_the_readers_language_and_takes_places(open_page: Open, town: Any) -> None:
    page = open_page(town.scene())
    page.locator("#lc-lang").click()
    find = page.get_by_role("searchbox")
    find.fill("west")
    assert text_of(page, "#lc-find li button") == "西片"
    lon, lat = town.quads[cell_of(town, 20, 14)].mean(axis=0)
    for wanted in (f"{lon}, {lat}", f"{lat} {lon}"):
        find.fill(wanted)
        page.locator("#lc-find li button").click()
        assert "r20c14" in text_of(page, "#lc-readout")
        page.keyboard.press("Escape")
    find.fill("0, 0")
    assert "未找到" in text_of(page, "#lc-find")


@pytest.mark.parametrize("wanted", ["r999c999", "<img src=x onerror=window.__pwned=1>", "%"])
def test_a_cell_that_is_not_there_is_said_not_to_be(open_page: Open, town: Any, wanted: str) -> None:
    page = open_page(town.scene())
    page.evaluate("(id) => { location.hash = 'cell=' + id; location.reload(); }", wanted)
    page.wait_for_selector(".folium-map[aria-busy=false]")
    assert "No cell of this map has the name" in text_of(page, "#lc-readout")
    assert wanted[:4] in text_of(page, "#lc-readout")
    page.evaluate("() => { location.hash = 'cell=r20c14'; }")
    page.wait_for_selector("#lc-readout tbody")
    assert "No cell" not in text_of(page, "#lc-readout")


def test_long_names_do_not_widen_a_panel(open_page: Open, town: Any) -> None:
    gaps = [replace(gap, cause="of a long story " * 20) for gap in town.scene().gaps[:1]]
    page = open_page(town.scene(kind="gaps", gaps=[*gaps, *town.scene().gaps[1:]]))
    assert page.locator("#lc-panel").evaluate("e => e.scrollWidth <= e.clientWidth")


def test_facility_under_the_mouse_is_named(open_page: Open, town: Any) -> None:
    page = open_page(town.scene())
    choose(page, "Clinic")
    assert "onerror" in point_at(page, town, 15, 12)


def test_gap_table_filters_sorts_and_zooms(open_page: Open, town: Any) -> None:
    page = open_page(town.scene(kind="gaps"))
    rows = page.locator("#lc-gaps tbody tr")
    assert [row.split("\t")[1:] for row in rows.all_inner_texts()] == [
        ["1,200", "25.0 min", "25 ha"],
        ["40", "> 30 min", "4.0 ha"],
        ["not known", "16.5 min", "< 0.1 ha"],
    ]
    page.locator("[data-sort=area]").click()
    page.locator("[data-sort=area]").click()
    assert rows.nth(0).inner_text().split("\t")[1] == "not known"
    assert page.locator("[aria-sort=ascending]").inner_text().startswith("Area")
    before = text_of(page, ".leaflet-control-scale")
    rows.nth(2).get_by_role("button").click()
    page.wait_for_timeout(600)
    assert text_of(page, ".leaflet-control-scale") != before
    assert "severed by the canal" in point_at(page, town, 5, 50)
    choose(page, "Market")
    assert rows.count() == 0
    assert "No gap clusters" in text_of(page, "#lc-gaps")


def test_a_chosen_gap_is_outlined_on_a_map_in_sight(open_page: Open, town: Any) -> None:
    page = open_page(town.scene(kind="gaps"), width=390, height=800)
    row = page.locator("#lc-gaps tbody tr").nth(1)
    row.scroll_into_view_if_needed()
    assert page.locator(".folium-map").bounding_box()["y"] < -100
    assert "#111111" not in pixels(page, "gaps")
    row.get_by_role("button").click()
    page.wait_for_timeout(600)
    assert page.locator(".folium-map").bounding_box()["y"] > -1
    assert pixels(page, "gaps")["#111111"] > 100
    assert page.locator("#lc-gaps tr[aria-current=true]").inner_text() == row.inner_text()


def test_gaps_of_unknown_people_open_coloured_by_cause(open_page: Open, town: Any) -> None:
    gaps = [replace(gap, kind="severed", people=None) for gap in town.scene().gaps]
    page = open_page(town.scene(kind="gaps", gaps=gaps))
    assert "Cause of a cluster" in text_of(page, "#lc-legend")


def test_gaps_can_be_seen_by_their_cause(open_page: Open, town: Any) -> None:
    page = open_page(town.scene(kind="gaps"))
    page.locator("#lc-layers").get_by_label("All services", exact=True).check()
    everything = page.locator("#lc-gaps tbody tr").count()
    page.get_by_label("Cause", exact=True).select_option("near miss")
    rows = page.locator("#lc-gaps tbody tr")
    assert 0 < rows.count() < everything
    assert all("near miss" in row for row in rows.all_inner_texts())
    page.get_by_label("Cause", exact=True).select_option("")
    assert page.locator("#lc-gaps tbody tr").count() == everything


def test_gaps_can_be_coloured_by_their_cause(open_page: Open, town: Any) -> None:
    gaps = [replace(gap, kind=kind) for gap, kind in zip(town.scene().gaps, ("severed", "", "near_miss"), strict=True)]
    page = open_page(town.scene(kind="gaps", gaps=gaps))
    page.locator("#lc-layers").get_by_label("All services", exact=True).check()
    page.get_by_label("Colour of the clusters").select_option("cause")
    legend = text_of(page, "#lc-legend")
    assert "Cause of a cluster" in legend
    assert "severed by the canal" in legend
    drawn = page.evaluate(
        "[...document.querySelectorAll('#lc-legend .lc-cluster')].map((e) => e.style.background.match(/rgba?\\(([^)]*)/)[1])"
    )
    wanted = [maps.CAUSE_COLOURS["severed"], maps.CAUSE_COLOURS["near_miss"], "#777777"]
    assert {tuple(c.split(", ")[:3]) for c in drawn} == {tuple(str(b) for b in bytes.fromhex(c[1:])) for c in wanted}
    page.get_by_label("Colour of the clusters").select_option("people")
    assert "Cause of a cluster" not in text_of(page, "#lc-legend")


def test_the_language_is_remembered(open_page: Open, town: Any) -> None:
    page = open_page(town.scene())
    page.locator("#lc-lang").click()
    assert page.evaluate("document.documentElement.lang") == "zh-CN"
    page.reload()
    page.wait_for_selector(".folium-map[aria-busy=false]")
    assert page.evaluate("document.documentElement.lang") == "zh-CN"
    assert text_of(page, "#lc-title") == "模型城镇"
    page.locator("#lc-lang").click()
    assert page.evaluate("document.documentElement.lang") == "en"


def test_keyboard_reaches_every_control(open_page: Open, town: Any) -> None:
    page = open_page(town.scene())
    reached = set()
    for _ in range(20):
        page.keyboard.press("Tab")
        reached.add(
            page.evaluate("(document.activeElement.name || document.activeElement.ariaLabel || '').slice(0, 9)")
        )
    assert {"切换到中文", "lc-radio", "lc-checkb", "Zoom in", "Zoom out", "Map of re"} <= reached
    unnamed = page.evaluate(
        "[...document.querySelectorAll('button, input')]"
        ".filter((e) => !e.ariaLabel && !e.textContent && !e.labels?.[0]?.textContent).length"
    )
    assert unnamed == 0


def colours_on_paper(page: Any) -> set[int]:
    """Print the page, and return the colours of the pictures in the PDF: its canvases."""
    found: set[int] = set()
    for sheet in pypdf.PdfReader(io.BytesIO(page.pdf(prefer_css_page_size=True))).pages:
        for picture in sheet["/Resources"].get("/XObject", {}).values():
            thing = picture.get_object()
            if thing["/Subtype"] == "/Image" and len(thing.get_data()) == thing["/Width"] * thing["/Height"] * 3:
                bands = np.frombuffer(thing.get_data(), dtype=np.uint8).reshape(-1, 3).astype(np.int32)
                found |= set(np.unique(bands @ [1 << 16, 1 << 8, 1]).tolist())
    return found


@pytest.mark.parametrize("kind", ["coverage", "gaps"])
@pytest.mark.parametrize("width", [400, 1400])
def test_paper_shows_the_map(open_page: Open, town: Any, kind: str, width: int) -> None:
    page = open_page(town.scene(kind=kind), width=width)
    before = text_of(page, ".leaflet-control-scale")
    printed = colours_on_paper(page)
    for pane in ("cells", "water", "streets", "zones"):
        shown = {int(colour[1:], 16) for colour, n in pixels(page, pane).items() if n > 40}
        assert shown & printed, pane
    assert text_of(page, ".leaflet-control-scale") == before


@pytest.mark.parametrize("width", [400, 1400])
def test_a_kept_cell_is_whole_on_paper(open_page: Open, town: Any, width: int) -> None:
    page = open_page(town.scene(kind="gaps"), width=width, height=600)
    page.evaluate("() => { location.hash = 'cell=r20c14'; location.reload(); }")
    page.wait_for_selector("#lc-readout tbody")
    page.emulate_media(media="print")
    box = {name: page.locator(name).bounding_box() for name in (".folium-map", "#lc-readout", "#lc-legend")}
    assert box["#lc-readout"]["y"] >= box[".folium-map"]["y"] + box[".folium-map"]["height"]
    assert box["#lc-legend"]["y"] >= box["#lc-readout"]["y"] + box["#lc-readout"]["height"]
    # What A4 leaves within its margins, and room for a heading.
    assert 0.9 < max(box[".folium-map"]["width"] / 703, box[".folium-map"]["height"] / 760) <= 1
    assert page.locator("#lc-readout").evaluate("e => e.scrollHeight <= e.clientHeight")
    assert (
        page.evaluate(
            "[...document.querySelectorAll('input, select, button')].filter((e) => e.checkVisibility()).map((e) => e.outerHTML)"
            ".filter((e) => !e.startsWith('<button type=\"button\"><bdi') && !e.includes('data-sort'))"
        )
        == []
    )
    page.emulate_media(media="screen")
    reader = pypdf.PdfReader(io.BytesIO(page.pdf(prefer_css_page_size=True)))
    assert "".join(sheet.extract_text() for sheet in reader.pages).count("r20c14") == 1


@pytest.mark.parametrize("sheet", ["upright", "across"])
def test_a_legend_is_on_one_sheet_with_its_total_once(open_page: Open, town: Any, sheet: str) -> None:
    page = open_page(town.scene(), height=600)
    page.evaluate("() => { location.hash = 'cell=r20c14'; location.reload(); }")
    page.wait_for_selector("#lc-readout tbody")
    labels = [label.strip() for label in page.locator("#lc-legend tr").all_inner_texts()]
    first, total = labels[1].split("\t")[0], labels[-1].split("\t")[0]
    made = page.pdf(format="A4", landscape=sheet == "across")
    sheets = ["".join(one.extract_text().split()) for one in pypdf.PdfReader(io.BytesIO(made)).pages]
    there = [n for n, text in enumerate(sheets) if "".join(total.split()) in text]
    assert there == [n for n, text in enumerate(sheets) if "".join(first.split()) in text]
    assert len(there) == 1


def test_shares_are_never_rounded_to_all_or_nothing(open_page: Open, town: Any) -> None:
    met = np.ones(town.rows.size, dtype=np.int8)
    met[cell_of(town, 40, 5)] = 0
    values = np.where(met, 100.0, 1000.0).astype(np.float32)
    service = maps.ServiceLayer(**(vars(town.services[0]) | {"met": met, "values": values}))
    cells = maps.CellGrid(**(vars(town.scene().cells) | {"status": np.zeros_like(town.status)}))
    page = open_page(town.scene(services=[service], cells=cells, facilities=None, gaps=()))
    legend = text_of(page, "#lc-legend")
    assert "> 99.9 %" in legend
    assert "< 0.1 %" in legend
    assert "100 %" not in legend


def test_a_scene_without_anything_opens(open_page: Open) -> None:
    nothing = maps.CellGrid(
        quads=np.empty((0, 4, 2)),
        population=np.empty(0),
        zone=np.empty(0, dtype=np.int16),
        cell_ids=[],
        status=np.empty(0, dtype=np.uint8),
    )
    for kind in ("coverage", "gaps"):
        open_page(maps.Scene(kind=kind, title="Empty", attribution=["none"], data_date="", cells=nothing, services=[]))
