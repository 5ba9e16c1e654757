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
from world import STANDARD, World

from lifecircle.model.facilities import joins_of
from lifecircle.model.network import OUT
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
    assert "a run does not read it" in shown(page)
    page.locator("#lc-lang").click()
    assert "推演" in shown(page)


def test_the_gap_page_offers_no_what_if(open_page: Open, result: Any) -> None:
    page = open_page(result.page("gaps"))
    assert not page.locator("#lc-whatif").is_visible()


COMPOUND = """
    h A---------B---------C---------D s
      |                             |
      |                             |
      |                             |
      E-----------------------------F
"""


def compound(folder: Path, **gate: str) -> Any:
    """A home and a school, with private ground between them, or a gate in the middle of a public way."""
    world = World(COMPOUND)
    if gate:
        world.street("ABCD")
        world.mark("B", **gate)
    else:
        world.street("AB")
        world.street("BC", highway="service", access="private")
        world.street("CD")
    world.street("AEFD")
    world.live("h", 10.0)
    world.hinterland("F")
    world.stand("s", amenity="school")
    return world.run(folder, "school").result


def open_gate(page: Any, result: Any, sign: str) -> None:
    """Open the gate at a place of the drawing, as a reader does."""
    mode(page, "gate", 0)
    click(page, *World(COMPOUND).place[sign])
    page.wait_for_selector("#lc-whatif ol li")


def ticks(page: Any) -> Any:
    """What the page walks from the only home."""
    return page.evaluate("document.querySelector('.folium-map').lifecircle.ticks(0)")


def test_an_opened_gate_is_what_the_engine_walks_through(open_page: Open, tmp_path: Path) -> None:
    result = compound(tmp_path)
    network, prepared = result.coverage.network, result.prepared
    page = open_page(result.page("coverage"))
    before = ticks(page)
    assert before == [int(result.coverage.ticks[0, 0])]
    out = np.flatnonzero(
        (network.role == OUT) & (network.node_lon[network.edge_v] == network.node_lon[network.edge_v].min())
    )
    lanes = {}
    for name, lane in prepared.lanes.items():
        vu = lane.ticks_vu.copy()
        vu[out[np.argmin(network.node_lon[network.edge_v[out]])]] = 0
        lanes[name] = replace(lane, ticks_vu=vu)
    truth = replace(prepared, lanes=lanes).run().coverage.ticks[0, 0]
    assert truth < before[0]
    open_gate(page, result, "B")
    assert ticks(page) == [int(truth)]
    with page.expect_download() as download:
        page.get_by_role("button", name="Save as a scenario file").click()
    saved = json.loads(Path(download.value.path()).read_text(encoding="utf-8"))
    node = int(network.node_id[network.node_same[network.edge_v[out[0]]]])
    assert [feature["properties"] for feature in saved["features"]] == [{"edit": "open_gate", "node": node}]
    page.get_by_role("button", name="Undo", exact=True).click()
    assert ticks(page) == before


def test_a_gate_shut_to_all_joins_its_ways_once_it_is_opened(open_page: Open, tmp_path: Path) -> None:
    (tmp_path / "shut").mkdir()
    (tmp_path / "free").mkdir()
    shut = compound(tmp_path / "shut", barrier="gate", foot="no")
    free = compound(tmp_path / "free", barrier="gate", foot="yes")
    page = open_page(shut.page("coverage"))
    assert ticks(page) == [int(shut.coverage.ticks[0, 0])] != [int(free.coverage.ticks[0, 0])]
    open_gate(page, shut, "B")
    assert ticks(page) == [int(free.coverage.ticks[0, 0])]


def test_no_gate_is_opened_where_none_is(open_page: Open, tmp_path: Path) -> None:
    page = open_page(compound(tmp_path).page("coverage"))
    mode(page, "gate", 0)
    click(page, *World(COMPOUND).place["E"])
    assert "No gate there." in shown(page)


def test_another_cost_is_walked_as_the_engine_walks_it(open_page: Open, tmp_path: Path) -> None:
    """Metres to the clinic, whose standard is in minutes: the legend counts people as a run by metres would."""
    world = World("""
        a    b        c             d                     e
        A-----------------------------------------------------B
    """)
    world.street("AB")
    for people, sign in enumerate("abcde", 1):
        world.live(sign, people)
    world.stand("A", amenity="clinic")
    (tmp_path / "m").mkdir()
    (tmp_path / "s").mkdir()
    metres = world.run(
        tmp_path / "m", "clinic", rules=STANDARD.replace('profile = "adult"', 'profile = "metres"')
    ).result
    page = open_page(world.run(tmp_path / "s", "clinic").result.page("coverage"))
    page.locator("#lc-layers").get_by_label("Clinic", exact=True).check()
    page.get_by_label("Measured by").select_option(label="Distance on the network")
    page.locator("#lc-legend", has_text="does not judge by").wait_for()
    rows = page.evaluate(
        "[...document.querySelectorAll('#lc-legend tr:has(.lc-swatch)')].map((e) => [e.cells[1].innerText, Number(e.cells[2].innerText)])"
    )
    limits = [300, 500, 800, 1000, 2000, np.inf]
    position = np.searchsorted(limits, metres.coverage.point_ticks[0] / 32)
    people = np.bincount(position, weights=metres.coverage.cells.starts.people / 1024, minlength=6)
    assert [n for _, n in rows[:6]] == people.tolist()  # behind them stands the edge of the data
    assert len({*position.tolist()}) > 1
    assert rows[1][0] == "300–500 m"
