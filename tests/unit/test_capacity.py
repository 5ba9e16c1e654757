"""Supply against norms: by zone, from each home, unknown where the map is silent, and jobs beside homes."""

import json
from dataclasses import replace
from fractions import Fraction
from importlib import resources

import numpy as np
import pandas as pd
import pytest
from drawn import boundary, lonlat, raster
from hypothesis import given, settings
from hypothesis import strategies as st
from world import World

from lifecircle.assess.capacity import capacity, catchment_access, decay_of
from lifecircle.assess.catchment import Catchment
from lifecircle.assess.indicators import Indicators
from lifecircle.errors import DataError, StandardError
from lifecircle.region import Region
from lifecircle.sources.tables import read_places
from lifecircle.standards import Standard

RULES = """\
schema = 1
name = "norms"
title = "Norms"
title_zh = "指标"
source = "made up for the tests"
[services.clinic]
title = "Clinic"
title_zh = "诊所"
profile = "metres"
threshold = { value = 200, source = "text", status = "verified" }
tags = [{ match = { amenity = ["clinic"] } }]
[norms.doctors]
title = "Doctors"
title_zh = "医生"
least = 2
unit = "doctors"
service = "clinic"
supply = { tags = ["staff_count:doctors"] }
renewal_share = 0.5
source = "plan"
clause = "§5"
status = "verified"
strength = "应"
"""
STREET = """
    h              i                        j
    A--------------B------------------------C
    s         t                        u
"""


def street(*doctors):
    """1,000 people each at 0, 150 and 400 m; clinics at 0, 100 and 350 m with some doctors."""
    world = World(STREET)
    world.street("ABC")
    world.live("hij", 1000.0)
    for sign, number in zip("stu", doctors, strict=True):
        tags = {} if number is None else {"staff_count:doctors": str(number)}
        world.node(world.place[sign][0], world.place[sign][1])
        world.nodes[world.poi(*world.place[sign], amenity="clinic")][2].update(tags)
    return world


def zones(tmp_path, **east):
    return str(
        boundary(
            tmp_path / "zones.geojson", ("west", "zone", -500, -700, 250, 700),
            ("east", "zone", 250, -700, 900, 700, east), ("all", "overlay", -400, -600, 800, 600),
        )
    )  # fmt: skip


def run(tmp_path, *doctors, rules=RULES, **keys):
    keys = keys if "boundary" in keys else {"boundary": zones(tmp_path)} | keys
    return street(*doctors).run(tmp_path, "clinic", rules=rules, **keys).result


def figures(result, key="doctors"):
    return {f.zone: f for f in result.indicators.capacity[key].figures}


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


def test_a_norm_may_be_for_a_group_the_study_names(tmp_path):
    rules = RULES + 'per_1000 = "seniors"\n'
    without = run(tmp_path, 3, 1, 2, rules=rules)
    assert figures(without)["region"].people is None
    assert figures(without)["region"].verdict == "unknown"
    seniors = {"seniors": {"share": 0.25, "source": "census"}}
    found = figures(run(tmp_path, 3, 1, 2, rules=rules, demand=seniors))["region"]
    assert (found.people, found.per_1000) == (750.0, 8.0)


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


# ------------------------------------------------------------------------------------------- groups of people


GROUPS = {"seniors": {"share": 0.3, "source": "census", "title": "<b>Seniors</b>", "title_zh": "老年人"}}
TIMED = """
[services.school]
title = "School"
title_zh = "学校"
profile = "adult"
threshold = { value = 150, source = "text", status = "verified" }
by_profile.senior = { value = 100, source = "for seniors", status = "verified" }
tags = [{ match = { amenity = ["clinic"] } }]
"""


def test_a_share_of_the_residents_adds_up_and_is_judged_where_they_live(tmp_path):
    result = run(tmp_path, 3, 1, 2, demand=GROUPS)
    layer = result.prepared.layers["seniors"]
    assert layer.people.sum() == round(0.3 * 3000 * 1024)
    told = result.summary["demand"]["seniors"]
    by = {(f["zone"], f["service"]): f for f in told["figures"]}
    whole, west, east = (by[zone, "clinic"] for zone in ("region", "west", "east"))
    assert whole["total"] == layer.total
    assert west["met"] + east["met"] == whole["met"]
    assert whole["share"] == 1.0
    page = result.page("index")
    assert "&lt;b&gt;Seniors&lt;/b&gt;" in page
    assert "<b>Seniors" not in page


def test_other_walkers_have_what_their_pace_allows(tmp_path):
    """An adult walks 1.33 m/s: 190 m in 150 s; a senior at 1.0 m/s only 100 m in the 100 s the text gives her."""
    world = street(1, None, None)
    world.nodes = {k: (x, y, tags if x == 0 else {}) for k, (x, y, tags) in world.nodes.items()}
    result = world.run(tmp_path, "school", rules=RULES + TIMED, groups=["senior"]).result
    assert result.coverage.point_met.tolist() == [[1, 1, 0]]
    assert result.groups["senior"].tolist() == [[1, 0, 0]]
    told = result.summary["walkers"]["senior"]["school"]
    assert (told["met"], told["total"]) == (1000, 3000)
    assert told["of_the_run"] == 2000 / 3000
    assert told["difference"] == 1000 / 3000 - 2000 / 3000
    assert "if walked by senior" in result.page("index")


def test_workers_walk_from_where_they_work(tmp_path):
    table = tmp_path / "jobs.csv"
    lines = [f"{lon},{lat},{people}" for (lon, lat), people in ((lonlat(390, 0), 30), (lonlat(-40, 0), 10))]
    table.write_text("\n".join(["lon,lat,people", *lines, ""]), encoding="utf-8")
    demand = {"workers": {"places": str(table), "source": "survey"}}
    result = run(tmp_path, 3, 1, 2, demand=demand)
    by = {(f["zone"], f["service"]): f for f in result.summary["demand"]["workers"]["figures"]}
    assert by["region", "clinic"]["total"] == 40
    assert (by["west", "clinic"]["met"], by["east", "clinic"]["met"]) == (10, 30)
    rows = {row["zone"]: row for row in result.summary["jobs_housing"]}
    assert (rows["west"]["jobs"], rows["east"]["jobs"], rows["region"]["jobs"]) == (10, 30, 40)
    assert rows["east"]["jobs_per_resident"] == 30 / 1000
    assert rows["region"]["housing_within"]["900"]["met"] == 40
    assert "jobs_housing" in result.summary
    manifest = json.loads((result.write(tmp_path / "out") / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["inputs"]["demand.workers"]["file"] == "jobs.csv"
    assert str(tmp_path) not in json.dumps(manifest["parameters"]["demand"])


def test_a_group_of_residents_has_the_walks_of_the_run(tmp_path, monkeypatch):
    result = run(tmp_path, 3, 1, 2, demand=GROUPS)
    monkeypatch.setattr("lifecircle.assess.demand.search", None)  # no walk is searched for twice
    of_group = result.demand["seniors"]
    assert of_group.point_ticks is result.coverage.point_ticks
    assert of_group.point_count.tolist() == result.coverage.point_count.tolist() == [[2, 2, 1]]
    assert of_group.cells.status.tolist() == result.coverage.cells.status.tolist()


def test_a_norm_may_be_for_people_elsewhere_than_at_home(tmp_path):
    """Doctors for workers are held against the jobs of each zone; from which home they are reached is not asked."""
    table = tmp_path / "jobs.csv"
    lines = [f"{lon},{lat},{people}" for (lon, lat), people in ((lonlat(390, 0), 500), (lonlat(-40, 0), 4000))]
    table.write_text("\n".join(["lon,lat,people", *lines, ""]), encoding="utf-8")
    demand = {"workers": {"places": str(table), "source": "survey"}}
    result = run(tmp_path, 3, 1, 2, rules=RULES + 'per_1000 = "workers"\n', demand=demand)
    found = figures(result)
    assert {zone: found[zone].people for zone in ("region", "west", "east")} == {
        "region": 4500, "west": 4000, "east": 500,
    }  # fmt: skip
    assert {zone: found[zone].verdict for zone in ("west", "east")} == {"west": "not_met", "east": "met"}
    assert result.indicators.capacity["doctors"].level is None
    result.write(tmp_path / "out")


def test_a_raster_of_some_of_the_people_counts_them_in_the_cells(tmp_path):
    values = np.zeros((3, 60))
    values[1, 6], values[1, 21], values[0, 40] = 7.5, 2.0, 4.0  # at h, at i, and where nobody lives
    raster(tmp_path / "old.tif", values, left=-65, top=15, size=10)
    demand = {"seniors": {"raster": str(tmp_path / "old.tif"), "source": "census"}}
    result = run(tmp_path, 3, 1, 2, demand=demand)
    assert (result.prepared.layers["seniors"].people / 1024).tolist() == [7.5, 2.0, 0.0]


@pytest.mark.parametrize(
    ("said", "error", "message"),
    [
        ({"share": 0.3, "places": "x.csv", "source": "s"}, StandardError, "in one way: share, raster, add or places"),
        ({"share": 1.5, "source": "s"}, StandardError, "less than or equal to 1"),
        ({"share": 0.3}, StandardError, "source"),
        ({"places": "nowhere.csv", "source": "s"}, DataError, "cannot read the table"),
        ({"places": "bad.csv", "source": "s"}, DataError, r"bad.csv, line 3: people is 'many'; expected a number"),
        ({"places": "far.csv", "source": "s"}, DataError, "none of the 1 places with people lies inside"),
        ({"places": "columns.csv", "source": "s"}, DataError, "lacks the column people; it has lon, lat, jobs"),
        ({"add": ["old.tif", "old.tif"], "source": "s"}, StandardError, "stands twice in add"),
        ({"add": [], "source": "s"}, StandardError, "add"),
    ],
)  # fmt: skip
def test_groups_that_cannot_be_are_refused(tmp_path, monkeypatch, said, error, message):
    monkeypatch.chdir(tmp_path)
    lon, lat = lonlat(0, 0)
    (tmp_path / "bad.csv").write_text(f"lon,lat,people\n{lon},{lat},3\n{lon},{lat},many\n", encoding="utf-8")
    (tmp_path / "far.csv").write_text("lon,lat,people\n1.5,2.5,3\n", encoding="utf-8")
    (tmp_path / "columns.csv").write_text("lon,lat,jobs\n1,2,3\n", encoding="utf-8")
    with pytest.raises(error, match=message):
        run(tmp_path, 3, 1, 2, demand={"some": said})


def test_everybody_is_no_group_of_their_own(tmp_path):
    with pytest.raises(StandardError, match="'residents' is everybody already"):
        run(tmp_path, 3, 1, 2, demand={"residents": {"share": 0.5, "source": "s"}})


def test_a_share_of_nobody_knows_how_many_is_refused(tmp_path):
    world = street(1, 1, 1)
    world.area(-5, -5, 5, 5, building="house")
    study = world.study(tmp_path, "clinic", rules=RULES, demand=GROUPS)
    without = type(study)(study.keys.model_copy(update={"population": None}))
    with pytest.raises(DataError, match="needs a population raster"):
        without.prepare()


def test_shipped_profiles_with_a_pram_take_no_stairs():
    from lifecircle.profiles import Profile

    assert not Profile.load("caregiver").steps
    assert Standard.load("lingang-2021").services["childcare"].profile == "caregiver"


def test_a_norm_may_be_for_people_who_are_elsewhere(tmp_path):
    """600 workers at 400 m, in the east: the norm is told by place, and nobody knows it by home."""
    lon, lat = lonlat(400, 0)
    (tmp_path / "jobs.csv").write_text(f"lon,lat,people\n{lon},{lat},600\n", encoding="utf-8")
    rules = RULES.replace('unit = "doctors"', 'unit = "doctors"\nper_1000 = "workers"')
    demand = {"workers": {"places": str(tmp_path / "jobs.csv"), "source": "survey"}}
    result = run(tmp_path, 3, 1, 2, rules=rules, demand=demand)
    found = figures(result)
    assert {zone: found[zone].people for zone in ("region", "west", "east")} == {"region": 600, "west": 0, "east": 600}
    assert (found["east"].per_1000, found["west"].per_1000) == (pytest.approx(2 / 0.6), None)
    assert result.indicators.capacity["doctors"].level is None
    assert result.write(tmp_path / "out").is_dir()


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


def test_a_group_is_judged_where_it_lives_by_the_walks_of_the_run(tmp_path):
    result = run(tmp_path, 3, 1, 2, demand={"seniors": {"share": 0.25, "source": "census"}})
    seniors = result.demand["seniors"]
    assert seniors.point_ticks is result.coverage.point_ticks
    assert (seniors.cells.status == result.coverage.cells.status).all()
    assert seniors.cells.starts.people.tolist() == [256000] * 3


def test_the_share_of_a_norm_nobody_knows_is_no_number(tmp_path):
    result = run(tmp_path, None, None, None)
    row = next(row for row in result.clauses.rows if row.key == "doctors")
    assert (row.verdict, row.people) == ("unknown", (None, None))


@pytest.mark.parametrize("row", ["121.9,30.9,5,7", "121.9,30.9,5,"])
def test_a_row_with_too_many_cells_is_not_read_as_another_place(tmp_path, row):
    path = tmp_path / "jobs.csv"
    path.write_text(f"lon,lat,people\n{row}\n", encoding="utf-8")
    with pytest.raises(DataError, match="more cells than its header"):
        read_places(path)


def test_a_norm_is_told_by_place_where_there_are_too_many_walks(tmp_path):
    result = run(tmp_path, 3, 1, 2)
    row = next(row for row in replace(result, indicators=None).clauses.rows if row.key == "doctors")
    assert (row.verdict, row.counted) == ("met", (6, 3000))
    assert "states no supply" not in row.rule


def test_a_raster_of_some_people_that_ends_in_the_region_says_so(tmp_path):
    raster(tmp_path / "seniors.tif", np.full((3, 3), 5.0), left=-5, top=5, size=10)
    demand = {"seniors": {"raster": str(tmp_path / "seniors.tif"), "source": "census"}}
    result = run(tmp_path, 3, 1, 2, demand=demand)
    assert "does not span the region" in result.summary["demand"]["seniors"]["source"]
    assert "does not span the region" in result.page("index").partition("For whom")[2].partition("</section>")[0]


def test_a_walker_of_ones_own_is_named_and_not_where_its_file_is(tmp_path):
    text = (resources.files("lifecircle") / "presets" / "profiles" / "senior.toml").read_text(encoding="utf-8")
    (tmp_path / "slow.toml").write_text(text.replace('name = "senior"', 'name = "slow"'), encoding="utf-8")
    rules = RULES.replace('profile = "metres"', 'profile = "adult"')
    study = street(3, 1, 2).study(tmp_path, "clinic", rules=rules)
    keys = study.keys.model_dump(mode="json", by_alias=True) | {"groups": ["slow.toml"]}
    file = tmp_path / "study.toml"
    file.write_text(
        "".join(f"{k} = {json.dumps(v)}\n" for k, v in keys.items() if v not in (None, {})), encoding="utf-8"
    )
    result = type(study).from_toml(file).run()  # paths are relative to the file
    assert list(result.summary["walkers"]) == ["slow"]
    assert str(tmp_path) not in result.page("index")


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


def test_a_choice_holds_whoever_walks(tmp_path):
    own = 'by_profile.senior = { value = 900, source = "for seniors", status = "verified" }\n'
    rules = RULES.replace('profile = "metres"', 'profile = "adult"').replace("tags = [{ m", own + "tags = [{ m", 1)
    assert (run(tmp_path, 3, 1, 2, rules=rules, profile="senior").coverage.point_limit == 900).all()
    chosen = run(tmp_path, 3, 1, 2, rules=rules, profile="senior", choose={"clinic": 200})
    assert (chosen.coverage.point_limit == 200).all()


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


def jobs(tmp_path, *rows):
    text = "".join("{},{},{}\n".format(*lonlat(x, 0), people) for x, people in rows)
    (tmp_path / "jobs.csv").write_text(f"lon,lat,people\n{text}", encoding="utf-8")
    return {"workers": {"places": str(tmp_path / "jobs.csv"), "source": "survey"}}


@pytest.mark.parametrize(("gates", "met"), [("open", 600), ("residents", 600), ("closed", 0)])
def test_who_walks_to_work_meets_the_gates_of_the_run(tmp_path, gates, met):
    """The only homes stand on a private way, where nobody arrives if its gate is closed."""
    world = World("A              B                       C\nc                                      h")
    world.street("AB")
    world.street("BC", highway="service", access="private")
    world.live("h", 1000.0)
    world.stand("c", amenity="clinic")
    result = world.run(tmp_path, "clinic", rules=RULES, gates=gates, demand=jobs(tmp_path, (0, 600))).result
    assert result.balance[0].within[900].met == met


def test_places_beyond_the_boundary_are_said_to_be_left_out(tmp_path, caplog):
    result = run(tmp_path, 3, 1, 2, demand=jobs(tmp_path, (400, 600), (5000, 70)))
    assert result.prepared.layers["workers"].total == 600
    assert "1 of 2 places with people, 70 of them, lie outside the boundary" in caplog.text
