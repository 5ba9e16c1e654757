"""Supply against norms: by zone, from each home, and unknown where the map is silent."""

import json
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from doctors import RULES, figures, run, street, zones
from drawn import boundary
from hypothesis import given, settings
from hypothesis import strategies as st
from world import World

from lifecircle.assess.capacity import capacity, catchment_access, decay_of
from lifecircle.assess.catchment import Catchment
from lifecircle.assess.indicators import Indicators
from lifecircle.errors import StandardError
from lifecircle.region import Region


@pytest.mark.parametrize(
    ("doctors", "known", "verdicts"),
    [
        ((3, 1, 2), {"region": 6, "west": 4, "east": 2}, {"region": "met", "west": "met", "east": "met"}),
        ((3, 0, 2), {"region": 5, "west": 3, "east": 2}, {"region": "not_met", "west": "not_met", "east": "met"}),
        ((4, None, 1), {"region": 5, "west": 4, "east": 1}, {"region": "unknown", "west": "met", "east": "not_met"}),
        (("5.5", "x", "2"), {"region": 7.5, "west": 5.5, "east": 2}, {"region": "met", "west": "met", "east": "met"}),
        ((None, None, None), {"region": 0, "west": 0, "east": 0}, dict.fromkeys(("region", "west", "east"), "unknown")),
    ],
)  # fmt: skip
def test_a_norm_is_judged_by_what_is_known_and_no_more(tmp_path, doctors, known, verdicts):
    found = figures(run(tmp_path, *doctors))
    assert {zone: found[zone].supply for zone in known} == known
    assert {zone: found[zone].verdict for zone in verdicts} == verdicts
    assert found["all"].supply == found["region"].supply
    assert found["region"].people == 3000.0
    assert found["west"].supply + found["east"].supply == found["region"].supply
    if verdicts["region"] == "unknown" and not known["region"]:
        assert found["region"].per_1000 is None


def test_each_home_has_its_share_of_what_is_in_reach(tmp_path):
    """Worked by hand: h reaches s and t, i too, j reaches u alone; s and t are each shared by 2,000 people."""
    result = run(tmp_path, 3, 1, 2)
    level = dict(zip("hij", result.indicators.capacity["doctors"].level.tolist(), strict=True))
    assert level == {"h": 2.0, "i": 2.0, "j": 2.0}
    assert result.indicators.capacity["doctors"].point_met.tolist() == [1, 1, 1]
    less = run(tmp_path, 3, 0, 2).indicators.capacity["doctors"]
    assert less.level.tolist() == [1.5, 1.5, 2.0]
    assert less.point_met.tolist() == [0, 0, 1]
    unsure = run(tmp_path, 3, None, 2).indicators.capacity["doctors"]
    assert unsure.level.tolist() == [1.5, 1.5, 2.0]
    assert unsure.point_met.tolist() == [-1, -1, 1]


def test_who_is_in_reach_of_too_little_is_a_gap_of_its_own(tmp_path):
    result = run(tmp_path, 3, 0, 2)
    gaps = {gap.cause: gap for gap in result.gaps.clusters}
    assert list(gaps) == ["over_capacity"]
    assert sum(gap.people for gap in result.gaps.clusters) == 2000.0
    told = result.summary["gaps"]["clinic"]
    assert (told["clusters"], told["people"], told["over_capacity"]) == (0, 0, 2000)
    assert "offers too little for all who can reach it" in result.page("index")


def test_a_renewal_area_is_asked_for_less(tmp_path):
    result = run(tmp_path, 4, 0, 1, boundary=zones(tmp_path, renewal=True))
    found = figures(result)
    assert (found["west"].least, found["east"].least) == (2.0, 1.0)
    assert found["east"].verdict == "met"
    assert found["region"].least == pytest.approx((2 * 2 + 1) / 3)
    assert result.indicators.capacity["doctors"].point_met.tolist() == [1, 1, 1]


def test_a_norm_for_new_areas_is_left_out_of_existing_ones(tmp_path):
    rules = RULES + 'applies_to = "new"\n'
    assert "doctors" in run(tmp_path, 3, 1, 2, rules=rules).indicators.capacity
    assert "doctors" in run(tmp_path, 3, 1, 2, rules=rules, built="new").indicators.capacity
    existing = run(tmp_path, 3, 1, 2, rules=rules, built="existing")
    assert existing.indicators.capacity == {}
    assert [row.key for row in existing.clauses.rows] == ["clinic"]


def test_a_clause_says_what_was_counted(tmp_path):
    folder = run(tmp_path, 4, None, 1).write(tmp_path / "out")
    summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    rows = {row["zone"]: row for row in summary["capacity"]}
    for row in rows.values():
        assert row["per_1000"] == 1000 * row["supply"] / row["people"]
        assert (row["source"], row["clause"], row["status"]) == ("plan", "§5", "verified")
        assert row["lower_bound"] == (row["supply_unknown"] > 0)
        assert (row["missing"] is None) == row["lower_bound"]  # what is not known to be there is not known to lack
    assert rows["east"]["missing"] == 1
    assert rows["west"]["by_cell"]["total"] + rows["east"]["by_cell"]["total"] == rows["region"]["by_cell"]["total"]
    (clause,) = [row for row in summary["clauses"] if row["kind"] == "norm"]
    assert clause["asks"].endswith("5 doctors of 2 facilities, 1 more of unknown supply: 1.66 or more")
    card = pd.read_parquet(folder / "scorecard.parquet").set_index(["rule", "zone"])
    assert card.loc[("doctors", "west"), ["value", "numerator", "denominator", "unknown"]].tolist() == [2, 4, 2000, 1]
    page = (folder / "index.html").read_text(encoding="utf-8")
    assert "1.66 <span class=en lang=en>or more</span><span class=zh lang=zh>以上</span>" in page


def test_no_number_is_rounded_to_the_norm_it_misses(tmp_path):
    """East offers 1.99 doctors for the 2 that are asked: a page that says 2.00, lacks 0, not met helps nobody."""
    result = run(tmp_path, 3, 1, 1.99)
    page = result.page("index")
    assert figures(result)["east"].verdict == "not_met"
    assert "<td class=n>1.99</td><td class=n>1.99<small" in page
    assert "lacks 1<" in page
    assert "lacks 0" not in page
    (clause,) = [row for row in result.clauses.rows if row.kind == "norm"]
    assert clause.rule.endswith("; 5.99 doctors of 3 facilities: 1.99")


def test_land_and_floor_are_those_of_every_outline_of_a_place(tmp_path):
    """Two halves of one ground with a path between are one facility; its land is that of both, what overlaps once."""
    halves = [(0, 40, 100, 140), (110, 40, 200, 140)]
    for outline, boxes, least in (
        ("land_m2", [*halves, (150, 40, 200, 140)], 100 * 100 + 90 * 100),
        ("floor_m2", halves, 2 * (100 * 100 + 90 * 100)),
    ):
        world = street(1, 1, 1)
        for box in boxes:
            world.area(*box, amenity="clinic", name="Ground", building="yes", building__levels="2")
        rules = RULES.replace('supply = { tags = ["staff_count:doctors"] }', f'supply = {{ outline = "{outline}" }}')
        result = world.run(tmp_path, "clinic", rules=rules, boundary=zones(tmp_path)).result
        facilities = result.coverage.facilities
        (ground,) = np.flatnonzero(facilities.name == "Ground")
        assert facilities.merged_n[ground] == len(boxes) - 1
        told = facilities.supply(result.coverage.standard.norms["doctors"].supply)[ground]
        assert told == pytest.approx(least, rel=2e-3)


def test_norms_by_place_need_no_walks(tmp_path, monkeypatch):
    monkeypatch.setattr(Indicators, "of", classmethod(lambda *_, **__: None))
    result = run(tmp_path, 4, None, 1)
    (clause,) = [row for row in result.clauses.rows if row.kind == "norm"]
    assert clause.rule.endswith("5 doctors of 2 facilities, 1 more of unknown supply: 1.66 or more")
    rows = {row["zone"]: row for row in result.summary["capacity"]}
    assert {zone: rows[zone]["verdict"] for zone in ("west", "east")} == {"west": "met", "east": "not_met"}
    assert rows["west"]["by_cell"]["method"] is None
    assert "not computed: too many walks" in result.page("index")
    card = pd.read_parquet(result.write(tmp_path / "out") / "scorecard.parquet").set_index(["rule", "zone"])
    assert card.loc[("doctors", "west"), "numerator"] == 4


def test_a_norm_that_should_be_kept_is_advice_in_every_cell(tmp_path):
    rules = RULES.replace('strength = "应"', 'strength = "宜"')
    rows = pd.read_parquet(run(tmp_path, 0, 0, 0, rules=rules).write(tmp_path / "out") / "verdicts.parquet")
    assert rows[rows["kind"] == "norm"]["verdict"].unique().tolist() == ["advisory"]


@pytest.mark.parametrize(
    ("levels", "floor"),
    [(("2", "3"), 2 * 400 + 3 * 100), ((None, "3"), None), (("2", "many"), None)],
)
def test_floor_area_is_that_of_the_buildings_on_the_ground(tmp_path, levels, floor):
    world = street(1, 1, 1)
    world.place["s"] = (0, -900)  # keep the points apart from the ground drawn here
    world.area(100, 40, 180, 100, amenity="clinic", name="Ground")
    for (x, side), number in zip(((110, 20), (150, 10)), levels, strict=True):
        tags = {} if number is None else {"building__levels": number}
        world.area(x, 50, x + side, 50 + side, building="yes", **tags)
    rules = RULES.replace('supply = { tags = ["staff_count:doctors"] }', 'supply = { outline = "floor_m2" }')
    result = world.run(tmp_path, "clinic", rules=rules, boundary=zones(tmp_path)).result
    facilities = result.coverage.facilities
    (ground,) = np.flatnonzero(facilities.name == "Ground")
    told = facilities.floor_m2[ground]
    assert np.isnan(told) if floor is None else told == pytest.approx(floor, rel=1e-3)
    assert np.isnan(np.delete(facilities.floor_m2, ground)).all()  # a point tells no floor area


# ----------------------------------------------------------------------------------------------- the slow twin


@st.composite
def towns(draw):
    """Walks, people and supply of a small town, all whole numbers so that twins can be exact."""
    n, m = draw(st.integers(1, 5)), draw(st.integers(1, 4))
    near = draw(st.lists(st.lists(st.integers(0, 12), min_size=m, max_size=m), min_size=n, max_size=n))
    costs = np.array([[np.inf if c > 9 else 100.0 * c for c in row] for row in near])
    people = np.array(draw(st.lists(st.integers(0, 50), min_size=n, max_size=n)), dtype=float)
    supply = np.array(draw(st.lists(st.one_of(st.none(), st.integers(0, 9)), min_size=m, max_size=m)), dtype=float)
    return costs, people, supply


def two_step_twin(costs, people, supply):
    """2SFCA in fractions, straight from the formula; None is unknown."""
    reach = np.isfinite(costs)
    levels = []
    for j in range(costs.shape[1]):
        crowd = sum(int(people[i]) for i in range(len(people)) if reach[i, j])
        known = not np.isnan(supply[j])
        levels.append(Fraction(int(supply[j]), crowd) if known and crowd else None)
    found = []
    for i in range(len(people)):
        mine = [levels[j] for j in range(costs.shape[1]) if reach[i, j]]
        found.append(None if None in mine else sum(mine, Fraction(0)))
    return found


@given(towns())
@settings(max_examples=200, deadline=None)
def test_two_step_is_its_formula(town):
    costs, people, supply = town
    walks = Catchment.from_costs(costs)
    found = catchment_access(walks, people, supply, method="2sfca", decay=decay_of("binary", 1000.0)).value
    for told, twin in zip(found.tolist(), two_step_twin(costs, people, supply), strict=True):
        assert np.isnan(told) if twin is None else told == pytest.approx(float(twin), rel=1e-12)


@given(towns(), st.sampled_from(["2sfca", "e2sfca", "3sfca"]), st.integers(0, 3), st.integers(1, 5))
@settings(max_examples=200, deadline=None)
def test_more_supply_never_leaves_anybody_with_less(town, method, which, more):
    costs, people, supply = town
    walks = Catchment.from_costs(costs)
    known = np.nan_to_num(supply)
    richer = known.copy()
    richer[which % len(richer)] += more
    decay = decay_of("steps", 900.0)
    before, after = (
        np.nan_to_num(catchment_access(walks, people, s, method=method, decay=decay).value) for s in (known, richer)
    )
    assert (after >= before - 1e-12).all()


@pytest.mark.parametrize("name", ["binary", "steps", "bounded_gaussian", "gaussian", "exponential", "power"])
def test_every_decay_falls_with_the_walk(name):
    weight = decay_of(name, 900.0)(np.linspace(0, 900, 50))
    assert (np.diff(weight) <= 1e-12).all()
    assert weight[0] > 0


def test_names_of_ways_that_do_not_exist_are_refused(tmp_path):
    with pytest.raises(StandardError, match="no decay 'linear'"):
        decay_of("linear", 900.0)
    with pytest.raises(StandardError, match="catchment"):
        run(tmp_path, 1, 1, 1, catchment="4sfca")


def test_the_way_of_sharing_is_the_planners_choice(tmp_path):
    for method in ("2sfca", "e2sfca", "3sfca", "balanced"):
        result = run(tmp_path, 3, 1, 2, catchment=method, decay="steps")
        row = result.summary["capacity"][0]["by_cell"]
        assert (row["method"], row["decay"]) == (method, "steps")
        level, people = result.indicators.capacity["doctors"].level, result.coverage.cells.starts.people / 1024
        assert float(level @ people) / 1000 == pytest.approx(6.0)  # each of them shares out all there is


def test_a_norm_of_a_service_the_data_lacks_is_unknown(tmp_path):
    result = run(tmp_path, 3, 1, 2)
    rule = result.coverage.standard.norms["doctors"].model_copy(update={"service": "none"})
    assert capacity(result.coverage, "x", rule, None, None) is None


def test_what_nobody_knows_is_no_level_of_none(tmp_path):
    """Of the clinics h and i reach nobody knows the doctors; who reaches no clinic at all has none for sure."""
    found = run(tmp_path, None, None, 2).indicators.capacity["doctors"]
    assert np.isnan(found.level[:2]).all()
    assert found.level[2] == 2.0
    rows = pd.read_parquet(run(tmp_path, None, None, 2).write(tmp_path / "out") / "verdicts.parquet")
    assert rows[rows["kind"] == "norm"].set_index("verdict")["level"].isna().to_dict() == {
        "unknown": True,
        "met": False,
    }
    far = RULES.replace("value = 200", "value = 60")
    level = run(tmp_path, 1, None, None, rules=far).indicators.capacity["doctors"].level
    assert level.tolist()[:2] == [1.0, 0.0]


@pytest.mark.parametrize(("least", "doctors"), [(0.1, (0.1, 0.1, 0.1)), (0.7, (0.7, 0.7, 0.7)), (1.1, (2.2, 0, 1.1))])
def test_a_norm_that_is_just_kept_is_kept_whatever_floats_do(tmp_path, least, doctors):
    result = run(tmp_path, *doctors, rules=RULES.replace("least = 2", f"least = {least}"))
    found = figures(result)
    assert {f.least for f in found.values()} == {least}
    assert {f.verdict for f in found.values()} == {"met"}
    assert result.indicators.capacity["doctors"].point_met.tolist() == [1, 1, 1]


def test_a_facility_on_the_line_between_zones_counts_once(tmp_path):
    path = boundary(
        tmp_path / "zones.geojson", ("west", "zone", -500, -700, 100, 700), ("east", "zone", 100, -700, 900, 700)
    )  # fmt: skip
    found = figures(run(tmp_path, 3, 1, 2, boundary=str(path)))
    assert found["west"].supply + found["east"].supply == found["region"].supply == 6
    assert found["west"].facilities + found["east"].facilities == 3


def test_an_overlay_has_no_more_facilities_than_the_region(tmp_path):
    path = boundary(
        tmp_path / "zones.geojson", ("west", "zone", -500, -700, 250, 700), ("far", "overlay", -500, -700, 5000, 700)
    )  # fmt: skip
    found = figures(run(tmp_path, 3, 1, 2, boundary=str(path)))
    assert (found["far"].supply, found["far"].people) == (found["region"].supply, found["region"].people) == (4, 2000)


def test_what_is_exactly_enough_is_enough(tmp_path):
    """Nine clinics of 3 doctors for 1,000 people are 27 for 1,000, also where a sum of floats is a little less."""
    world = World("h\nA")
    world.way((0, 0), (90, 0), highway="residential")
    world.live("h", 1000.0)
    for x in range(9):
        world.nodes[world.poi(10 * x, 5, amenity="clinic", name=f"clinic {x}")][2]["staff_count:doctors"] = "3"
    rules = RULES.replace("least = 2", "least = 27")
    norm = world.run(tmp_path, "clinic", rules=rules).result.indicators.capacity["doctors"]
    assert norm.region.verdict == "met"
    assert norm.point_met.tolist() == [1]


def test_what_is_asked_everywhere_is_asked_of_the_whole(tmp_path):
    world = World("h    i    j\nA----B----C")
    world.street("ABC")
    for sign, people in (("h", 1237.0), ("i", 2999.5), ("j", 777.0)):
        world.live(sign, people)
    world.nodes[world.poi(0, 5, amenity="clinic")][2]["staff_count:doctors"] = "3"
    rules = RULES.replace("least = 2", "least = 0.45")
    norm = world.run(tmp_path, "clinic", rules=rules).result.indicators.capacity["doctors"]
    assert {f.least for f in norm.figures} == {0.45}


def test_the_share_of_a_norm_nobody_knows_is_no_number(tmp_path):
    result = run(tmp_path, None, None, None)
    row = next(row for row in result.clauses.rows if row.key == "doctors")
    assert (row.verdict, row.people) == ("unknown", (None, None))


def test_a_norm_is_told_by_place_where_there_are_too_many_walks(tmp_path):
    result = run(tmp_path, 3, 1, 2)
    row = next(row for row in replace(result, indicators=None).clauses.rows if row.key == "doctors")
    assert (row.verdict, row.counted) == ("met", (6, 3000))
    assert "states no supply" not in row.rule


LAND = RULES.replace('amenity = ["clinic"]', 'leisure = ["park"]').replace(
    'supply = { tags = ["staff_count:doctors"] }', 'supply = { outline = "land_m2" }'
)


def test_both_halves_of_a_park_are_its_land(tmp_path):
    world = World("h\nA")
    world.way((0, 0), (400, 0), highway="residential")
    world.live("h", 1000.0)
    world.area(50, 10, 150, 110, leisure="park", name="Park")
    world.area(160, 10, 260, 110, leisure="park", name="Park")
    norm = world.run(tmp_path, "clinic", rules=LAND).result.indicators.capacity["doctors"]
    assert (norm.region.facilities, norm.region.supply) == (1, pytest.approx(20_000, rel=1e-3))


def test_both_wings_of_a_house_are_its_floor(tmp_path):
    world = World("h\nA")
    world.way((0, 0), (400, 0), highway="residential")
    world.live("h", 1000.0)
    for x, levels in ((50, "3"), (90, "2")):
        world.area(x, 10, x + 20, 30, amenity="clinic", name="House", building="yes", building__levels=levels)
    rules = RULES.replace('supply = { tags = ["staff_count:doctors"] }', 'supply = { outline = "floor_m2" }')
    norm = world.run(tmp_path, "clinic", rules=rules).result.indicators.capacity["doctors"]
    assert (norm.region.facilities, norm.region.supply) == (1, pytest.approx(400 * 5, rel=1e-3))


def test_where_nobody_was_judged_nobody_is_said_to_walk_far(tmp_path):
    world = World("h\nA")
    world.live("h", 1000.0)
    world.way((0, 300), (200, 300), highway="residential")
    world.poi(100, 305, amenity="clinic")
    page = world.run(tmp_path, "clinic", rules=RULES, snap_limit_m=100).result.page("index")
    assert "Nobody could be judged" in page
    assert "beyond the search" not in page


def test_a_zone_may_say_anything_of_renewal(tmp_path):
    said = [{"renewal": value} for value in (["yes"], {}, True, "yes", "no", None)]
    boxes = [(f"z{ix}", "zone", 100 * ix, 0, 100 * ix + 100, 100, more) for ix, more in enumerate(said)]
    region = Region.from_geojson(boundary(tmp_path / "zones.geojson", *boxes))
    assert [zone.renewal for zone in region.zones] == [False, False, True, True, False, False]
