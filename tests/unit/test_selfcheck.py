"""A run checks itself before it writes: it holds on honest results, and no slip of the engine gets through."""

import json
from dataclasses import replace

import numpy as np
import pytest
import town

from lifecircle.audit.selfcheck import SAMPLE, SelfCheck, _drawn
from lifecircle.errors import CheckError
from lifecircle.result import Result
from lifecircle.study import Study


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    return Study.from_toml(town.draw(tmp_path_factory.mktemp("town"))).run()


def test_it_holds_and_says_how_much_it_compared(result):
    found = result.self_check
    assert (found.points, found.of) == (7, 7)
    assert found.compared == {
        "walks": 21, "closed": 21, "thresholds": 21, "verdicts": 21, "people": 7, "figures": 80, "facilities": 3,
        "gaps": len(result.gaps),
    }  # fmt: skip
    assert result.summary["self_check"]["compared"] == found.compared
    page = result.page("index")
    assert "Self-check" in page
    assert found.seed[:16] in page


def slipped(result, **arrays):
    """The same results, with a slip in the arrays named: position -> value."""
    coverage = result.coverage
    changed = {}
    for name, (at, value) in arrays.items():
        changed[name] = getattr(coverage, name).copy()
        changed[name][at] = value
    coverage = replace(coverage, **changed)
    return Result(result.prepared, coverage, replace(result.gaps, coverage=coverage), result.indicators)


def served(result):
    """A service and an access point that has a walk to it within its threshold."""
    return tuple(np.argwhere(result.coverage.point_met == 1)[0].tolist())


SLIPS = {
    "a tick too many": lambda r, at: {"point_ticks": (at, r.coverage.point_ticks[at] + 1)},
    "a tick too few": lambda r, at: {"point_ticks": (at, r.coverage.point_ticks[at] - 1)},
    "nothing reached": lambda _, at: {"point_ticks": (at, np.inf), "point_met": (at, 0), "point_count": (at, 0), "point_nearest": (at, -1)},
    "another facility": lambda r, at: {"point_nearest": (at, (r.coverage.point_nearest[at] + 1) % 3)},
    "one more in reach": lambda r, at: {"point_count": (at, r.coverage.point_count[at] + 1)},
    "none in reach": lambda _, at: {"point_count": (at, 0)},
    "another verdict": lambda _, at: {"point_met": (at, 0)},
    "no verdict": lambda _, at: {"point_met": (at, -1)},
}  # fmt: skip


@pytest.mark.parametrize("slip", SLIPS)
def test_a_slip_of_the_engine_stops_the_run_and_nothing_is_written(result, tmp_path, slip):
    wrong = slipped(result, **SLIPS[slip](result, served(result)))
    with pytest.raises(CheckError, match=r"self-check failed.*Nothing was written") as said:
        wrong.write(tmp_path / "out")
    assert said.value.exit_code == 1
    assert list(tmp_path.iterdir()) == []


def test_people_lost_between_cells_and_access_points(result):
    cells = result.coverage.cells
    people = cells.starts.people.copy()
    people[2] -= 1
    coverage = replace(result.coverage, cells=replace(cells, starts=replace(cells.starts, people=people)))
    with pytest.raises(CheckError, match="people"):
        SelfCheck.of_run(coverage, result.gaps, "x")


def test_a_gap_lost(result):
    with pytest.raises(CheckError, match="gaps of"):
        SelfCheck.of_run(result.coverage, replace(result.gaps, clusters=result.gaps.clusters[1:]), "x")


def test_a_facility_that_serves_something_else(result):
    facilities = result.coverage.facilities
    turned = tuple(tuple((s + 1) % 3 for s in served) for served in facilities.services)
    with pytest.raises(CheckError):
        SelfCheck.of_run(replace(result.coverage, facilities=replace(facilities, services=turned)), result.gaps, "x")


def test_the_draw_depends_on_the_inputs_alone():
    assert _drawn("a", 7).tolist() == list(range(7))
    drawn = _drawn("a", 100_000)
    assert len(set(drawn.tolist())) == SAMPLE
    assert drawn.tolist()[:4] == [1677, 5685, 7699, 8297]  # the same under any library versions
    assert _drawn("b", 100_000).tolist() != drawn.tolist()


def test_summary_and_manifest_have_it(result, tmp_path):
    folder = result.write(tmp_path / "out")
    said = [json.loads((folder / f"{name}.json").read_text(encoding="utf-8")) for name in ("summary", "manifest")]
    assert said[0]["self_check"] == said[1]["self_check"]
    assert said[0]["self_check"]["held"] is True


@pytest.mark.parametrize("region", ["lingang", pytest.param("newport", marks=pytest.mark.prove), "monaco"])
def test_it_holds_on_regions_and_is_quick(runs, region):
    result, _ = runs(region)
    assert result.self_check.points == SAMPLE
    assert result.prepared.clock.seconds["proof"] < 5  # 0.7 s for the model region on an idle machine
