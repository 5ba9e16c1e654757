"""The life circle of a home, walked in the page: the same ticks as the engine's, from the file alone."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import town as golden
from regions import study_of
from world import World

from lifecircle.study import Study

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Open = Callable[..., Any]

ALL = """async (wanted) => {
  const {ticks} = document.querySelector('.folium-map').lifecircle;
  const found = [];
  for (const at of wanted) found.push(await ticks(at));
  return found;
}"""


def equal(page: Any, result: Any, cells: list[int]) -> None:
    """Hold the page's ticks against the engine's."""
    told = page.evaluate(ALL, cells)
    for at, row in zip(cells, told, strict=True):
        ticks = result.coverage.ticks[:, at]
        assert row == [int(t) if np.isfinite(t) else None for t in ticks], (at, row, ticks)


@pytest.fixture(scope="module")
def result(tmp_path_factory: Any) -> Any:
    """The golden town, run."""
    return Study.from_toml(golden.draw(tmp_path_factory.mktemp("town"))).run()


def test_page_and_engine_agree_on_every_home(open_page: Open, result: Any) -> None:
    equal(open_page(result.page("coverage")), result, list(range(len(result.coverage.cells))))


STREET = """
    g  h       i                       j
    A----------------------------------B
    c       s      p       d
"""


def test_doors_on_the_homes_own_street_lie_on_either_side(open_page: Open, tmp_path: Path) -> None:
    """One edge, homes before and behind every door: the walk goes along it, either way."""
    world = World(STREET)
    world.street("AB")
    world.live("ghij")
    for sign in "sd":
        world.stand(sign, amenity="school")
    for sign in "cp":
        world.stand(sign, amenity="clinic")
    result = world.run(tmp_path, "school clinic").result
    assert np.isfinite(result.coverage.ticks).all()
    equal(open_page(result.page("coverage")), result, [0, 1, 2, 3])


@pytest.mark.parametrize("name", ["monaco", pytest.param("newport", marks=pytest.mark.prove), "lingang"])
def test_page_and_engine_agree_on_real_streets(open_page: Open, name: str) -> None:
    result = study_of(name).run()
    n = len(result.coverage.cells)
    cells = np.random.default_rng(5).choice(n, min(n, 200), replace=False)
    equal(open_page(result.page("coverage")), result, sorted(cells.tolist()))


def test_a_click_tells_the_ways_and_names_the_cell_in_the_address(open_page: Open, result: Any) -> None:
    page = open_page(result.page("coverage"))
    coverage = result.coverage
    at = int(np.flatnonzero((coverage.met[0] == 1) & (coverage.cells.status == 0) | (coverage.met[0] == 1))[0])
    page.evaluate("id => { location.hash = 'cell=' + id; location.reload(); }", coverage.cells.cell_id[at])
    page.wait_for_selector(".lc-circle")
    rows = page.locator(".lc-circle tbody tr")
    assert rows.count() == len(coverage.keys)
    first = rows.nth(0).inner_text()
    seconds = coverage.ticks[0, at] / 32
    assert f"{np.ceil(seconds / 6) / 10:.1f} min" in first
    assert "home to path" in first
    assert coverage.cells.cell_id[at] in page.evaluate("location.hash")
    painted = page.evaluate(
        """() => [...document.querySelectorAll('.leaflet-lc-circle-pane canvas')].some((canvas) => {
          const data = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
          return data.some((value, i) => i % 4 === 3 && value > 0);
        })"""
    )
    assert painted
    page.keyboard.press("Escape")
    assert page.locator(".lc-circle").count() == 0
    assert page.evaluate("location.hash") == ""


def test_walk_and_what_is_to_spare_add_to_the_limit(open_page: Open, result: Any) -> None:
    page = open_page(result.page("coverage"))
    coverage = result.coverage
    limit = coverage.standard.services[coverage.keys[0]].threshold.value / 60
    told = 0
    uneven = np.nan_to_num(coverage.ticks[0], posinf=0) % (6 * 32) != 0
    for at in np.flatnonzero((coverage.met[0] == 1) & uneven)[:5].tolist():
        page.evaluate("id => { location.hash = 'cell=' + id; }", coverage.cells.cell_id[at])
        page.wait_for_selector(f"#lc-readout h2:has-text('{coverage.cells.cell_id[at]}')")
        page.wait_for_selector(".lc-circle")
        page.wait_for_timeout(200)
        walk, spare = (page.locator(f".lc-circle tbody tr:first-child td:nth-child({n})").inner_text() for n in (3, 4))
        minutes = [float(re.search(r"([\d.]+) min", text)[1]) for text in (walk, spare)]
        assert sum(minutes) == pytest.approx(limit)
        told += 1
    assert told


def test_long_titles_do_not_widen_the_panel(open_page: Open, result: Any) -> None:
    page = open_page(result.page("coverage"))
    page.locator("#lc-whatif option").first.evaluate("e => { e.textContent = 'A very long title '.repeat(9); }")
    assert page.locator("#lc-panel").evaluate("e => e.scrollWidth <= e.clientWidth")


def test_a_facility_is_found_by_its_id(open_page: Open, result: Any) -> None:
    page = open_page(result.page("coverage"))
    before = page.locator(".leaflet-control-scale").inner_text()
    page.get_by_role("searchbox").fill(result.coverage.facilities.facility_id[0])
    page.locator("#lc-find li button").first.click()
    page.wait_for_timeout(500)
    assert page.locator(".leaflet-control-scale").inner_text() != before


def test_the_circle_fits_a_phone_and_speaks_chinese(open_page: Open, result: Any) -> None:
    page = open_page(result.page("coverage"), width=360, height=740)
    at = int(np.flatnonzero(result.coverage.met[0] == 1)[0])
    page.evaluate("id => { location.hash = 'cell=' + id; location.reload(); }", result.coverage.cells.cell_id[at])
    page.wait_for_selector(".lc-circle")
    page.locator("#lc-lang").click()
    page.wait_for_selector(".lc-circle")
    assert "出户" in page.locator(".lc-circle").inner_text()
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_the_slider_counts_the_people_within_any_threshold(open_page: Open, result: Any) -> None:
    page = open_page(result.page("coverage"))
    coverage = result.coverage
    title = next(iter(coverage.standard.services.values())).title
    page.locator("#lc-layers").get_by_label(title, exact=True).check()
    people = coverage.cells.starts.people / 1024
    judged = coverage.point_met[0] >= 0
    for minutes in (6, 11, 20):
        page.locator(".lc-slider input").evaluate(
            "(input, value) => { input.value = value; input.dispatchEvent(new Event('input')); }", minutes * 60
        )
        page.wait_for_timeout(300)
        within = people[judged & (coverage.point_ticks[0] <= minutes * 60 * 32)].sum()
        row = page.locator("#lc-legend tbody tr").nth(0).inner_text().split("\t")
        assert f"≤ {minutes}" in row[1]
        assert row[2] == f"{round(within):,}"
    page.locator("#lc-layers").get_by_label("Unmet needs", exact=True).check()
    assert not page.locator(".lc-slider").is_visible()


def test_facilities_zones_and_cells_are_found_by_name(open_page: Open, result: Any, town: Any) -> None:
    page = open_page(result.page("coverage"))
    wanted = next(name for name in result.coverage.facilities.name if name)
    page.get_by_role("searchbox").fill(wanted.upper())
    button = page.locator("#lc-find li button").first
    assert wanted in button.inner_text()
    button.click()
    at = int(np.flatnonzero(result.coverage.met[0] == 1)[0])
    page.get_by_role("searchbox").fill(result.coverage.cells.cell_id[at])
    page.locator("#lc-find li button").first.click()
    page.wait_for_selector(".lc-circle")
    page.get_by_role("searchbox").fill("no such place")
    assert "Nothing found." in page.locator("#lc-find").inner_text()
    hostile = open_page(town.scene())
    hostile.get_by_role("searchbox").fill("<img")
    assert "<img" in hostile.locator("#lc-find li").first.inner_text()
