"""Whom a service is for: groups of the residents, people elsewhere than at home, other walkers, and jobs beside homes."""

import json
from importlib import resources

import numpy as np
import pytest
from doctors import RULES, figures, run, street
from drawn import lonlat, raster
from world import World

from lifecircle.errors import DataError, StandardError
from lifecircle.sources.tables import read_places
from lifecircle.standards import Standard


def test_a_norm_may_be_for_a_group_the_study_names(tmp_path):
    rules = RULES + 'per_1000 = "seniors"\n'
    without = run(tmp_path, 3, 1, 2, rules=rules)
    assert figures(without)["region"].people is None
    assert figures(without)["region"].verdict == "unknown"
    seniors = {"seniors": {"share": 0.25, "source": "census"}}
    found = figures(run(tmp_path, 3, 1, 2, rules=rules, demand=seniors))["region"]
    assert (found.people, found.per_1000) == (750.0, 8.0)


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


def test_a_group_is_judged_where_it_lives_by_the_walks_of_the_run(tmp_path):
    result = run(tmp_path, 3, 1, 2, demand={"seniors": {"share": 0.25, "source": "census"}})
    seniors = result.demand["seniors"]
    assert seniors.point_ticks is result.coverage.point_ticks
    assert (seniors.cells.status == result.coverage.cells.status).all()
    assert seniors.cells.starts.people.tolist() == [256000] * 3


@pytest.mark.parametrize("row", ["121.9,30.9,5,7", "121.9,30.9,5,"])
def test_a_row_with_too_many_cells_is_not_read_as_another_place(tmp_path, row):
    path = tmp_path / "jobs.csv"
    path.write_text(f"lon,lat,people\n{row}\n", encoding="utf-8")
    with pytest.raises(DataError, match="more cells than its header"):
        read_places(path)


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


def test_a_choice_holds_whoever_walks(tmp_path):
    own = 'by_profile.senior = { value = 900, source = "for seniors", status = "verified" }\n'
    rules = RULES.replace('profile = "metres"', 'profile = "adult"').replace("tags = [{ m", own + "tags = [{ m", 1)
    assert (run(tmp_path, 3, 1, 2, rules=rules, profile="senior").coverage.point_limit == 900).all()
    chosen = run(tmp_path, 3, 1, 2, rules=rules, profile="senior", choose={"clinic": 200})
    assert (chosen.coverage.point_limit == 200).all()


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
