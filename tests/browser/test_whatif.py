"""What if, in the page: edits change coverage as a run with them would, can be undone, and travel as a scenario."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import town as golden
from drawn import lonlat

from lifecircle.model.facilities import joins_of
from lifecircle.reach.search import search
from lifecircle.study import Study

if TYPE_CHECKING:
    from collections.abc import Callable

    Open = Callable[..., Any]


@pytest.fixture(scope="module")
def result(tmp_path_factory: Any) -> Any:
    """The golden town, run."""
    return Study.from_toml(golden.draw(tmp_path_factory.mktemp("town"))).run()


def without(result: Any, gone: int) -> np.ndarray:
    """Ticks of every access point to the nearest facility of each service if one facility were closed."""
    coverage, facilities = result.coverage, result.coverage.facilities
    kept = np.arange(len(facilities)) != gone
    ticks = np.full(coverage.point_ticks.shape, np.inf)
    for name, lane in coverage.lanes.items():
        rows = [ix for ix, key in enumerate(coverage.keys) if coverage.cost_of(key) == name]
        mine = kept[facilities.joins.place]
        doors = type(lane.doors)(*(getattr(lane.doors, part)[mine] for part in type(lane.doors).__dataclass_fields__))
        assert (joins_of(facilities.joins, kept).edge == facilities.joins.edge[mine]).all()
        reach = search(
            coverage.network, replace(lane, doors=doors), coverage.cells.joins, facilities.only(kept),
            n_cells=len(coverage.cells.starts), thresholds=dict.fromkeys(rows, (0,)),
        )  # fmt: skip
        ticks[rows] = reach.ticks
    return ticks


def click(page: Any, x: float, y: float) -> None:
    """Click the map at a place of the metre CRS, brought near first."""
    name = page.evaluate("document.querySelector('.folium-map').id")
    lon, lat = lonlat(x, y)
    page.evaluate(f"([lat, lon]) => {name}.setView([lat, lon], 68, {{animate: false}})", [lat, lon])
    box = page.locator(".folium-map").bounding_box()
    at = page.evaluate(f"([lat, lon]) => {name}.latLngToContainerPoint([lat, lon])", [lat, lon])
    page.mouse.click(box["x"] + at["x"], box["y"] + at["y"])


def mode(page: Any, value: str, service: int) -> None:
    """Choose a service and what clicks do."""
    page.locator("#lc-whatif select").select_option(str(service))
    page.locator(f"#lc-whatif input[value={value}]").check()
    page.wait_for_timeout(100)


def shown(page: Any) -> str:
    """The what-if box in words."""
    return str(page.locator("#lc-whatif").inner_text())


def test_closing_a_facility_is_what_the_engine_says_of_a_town_without_it(open_page: Open, result: Any) -> None:
    coverage = result.coverage
    service = coverage.keys.index("clinic")
    (gone,) = np.flatnonzero(coverage.facilities.serving(service))[:1]
    page = open_page(result.page("coverage"))
    before = page.locator("#lc-legend").inner_text()
    mode(page, "close", service)
    point = coverage.facilities.points[gone]
    click(page, point.x, point.y)
    page.wait_for_selector("#lc-whatif ol li")
    limit = np.floor(coverage.point_limit[service] * 32)
    met = (without(result, int(gone))[service] <= limit) & (coverage.point_met[service] >= 0)
    people = coverage.cells.starts.people / 1024
    lost = people[(coverage.point_met[service] == 1) & ~met].sum()
    assert lost > 0
    share = 100 * people[met].sum() / people.sum()
    written = "0 %" if share == 0 else f"{share:.1f} %"
    assert f"→ {written}" in shown(page)
    assert f"{round(lost):,} no longer" in shown(page)
    page.get_by_role("button", name="Undo", exact=True).click()
    assert page.locator("#lc-whatif ol li").count() == 0
    page.get_by_role("radio", name="read cells").check()
    assert page.locator("#lc-legend").inner_text() == before


def test_a_new_facility_serves_those_around_it_and_travels_as_a_scenario(open_page: Open, result: Any) -> None:
    coverage = result.coverage
    service = coverage.keys.index("clinic")
    lacking = np.flatnonzero((coverage.point_met[service] == 0) & (coverage.cells.starts.people > 0))
    page = open_page(result.page("coverage"))
    if not len(lacking):
        pytest.fail("everybody of the golden town has a clinic: nothing to try")
    joined = [p for p in lacking.tolist() if (coverage.cells.joins.place == p).any()]
    x, y = coverage.cells.starts.xy[joined[0]]
    mode(page, "add", service)
    click(page, x, y)
    page.wait_for_selector("#lc-whatif ol li")
    people = coverage.cells.starts.people[joined[0]] / 1024
    words = shown(page)
    newly = float(words.split("newly served")[0].split()[-1].replace(",", ""))
    assert newly >= round(people)
    with page.expect_download() as download:
        page.get_by_role("button", name="Save as a scenario file").click()
    saved = json.loads(Path(download.value.path()).read_text(encoding="utf-8"))
    assert saved["schema"] == 1
    (feature,) = saved["features"]
    assert feature["properties"] == {"edit": "add_facility", "service": "clinic"}
    lon, lat = lonlat(x, y)
    assert feature["geometry"]["coordinates"] == pytest.approx([lon, lat], abs=2e-5)


def test_a_click_far_from_every_street_says_so(open_page: Open, result: Any) -> None:
    page = open_page(result.page("coverage"))
    mode(page, "add", 0)
    click(page, 9_000, 9_000)
    assert "No street is near enough there." in shown(page)
    assert page.locator("#lc-whatif ol li").count() == 0


def test_the_page_says_that_it_is_a_sketch(open_page: Open, result: Any) -> None:
    page = open_page(result.page("coverage"))
    assert "a run of the exported scenario is exact" in shown(page)
    page.locator("#lc-lang").click()
    assert "推演" in shown(page)


def test_the_gap_page_offers_no_what_if(open_page: Open, result: Any) -> None:
    page = open_page(result.page("gaps"))
    assert not page.locator("#lc-whatif").is_visible()
