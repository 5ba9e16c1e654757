"""A plan's promises: by place and year, never more than was examined, and what has no data said to have none."""

import json
from dataclasses import replace

import pandas as pd
import pytest
from drawn import boundary, lonlat
from world import World

from lifecircle.errors import StandardError
from lifecircle.publish.markup import cited
from lifecircle.publish.promises import promise_part
from lifecircle.standards import Standard

RULES = """\
schema = 1
name = "plan"
title = "Plan"
title_zh = "规划"
source = "made up for the tests"
legal = "plan"
years = [2021, 2030]
[services.school]
title = "School"
title_zh = "学校"
profile = "metres"
threshold = { value = 150, source = "text", status = "verified" }
may_lack = true
tags = [{ match = { amenity = ["school"] } }]
[services.clinic]
title = "Clinic"
title_zh = "诊所"
profile = "metres"
threshold = { value = 500, source = "text", status = "verified" }
may_lack = true
tags = [{ match = { amenity = ["clinic"] } }]
[services.theatre]
title = "Theatre"
title_zh = "剧院"
profile = "metres"
threshold = { value = 500, source = "text", status = "verified" }
may_lack = true
tags = [{ match = { amenity = ["theatre"] } }]
[norms.doctors]
title = "Doctors"
title_zh = "医生"
least = 2
unit = "doctors"
service = "clinic"
supply = { tags = ["staff_count:doctors"] }
source = "plan"
status = "verified"
[together.near]
title = "Near"
title_zh = "邻近"
service = "school"
near = ["clinic"]
within_m = 60
source = "plan"
status = "verified"
[composites.either]
title = "Either"
title_zh = "任一"
at_least = 1
of = ["school", "theatre"]
source = "plan"
status = "verified"
"""
PROMISE = """
[promises.{key}]
title = "{key} title"
title_zh = "{key} 标题"
asks = "{asks}"
{more}
source = "plan of 2021"
clause = "§{key}"
status = "verified"
"""
STREET = """
    h              i                        j
    A--------------B------------------------C
    s  c                               t
"""


def promise(key, asks, more=""):
    return PROMISE.format(key=key, asks=asks, more=more)


def street():
    """1,000 people each at 0, 150 and 400 m; a school at 0 m, a clinic beside it, a school at 350 m from 2025 on."""
    world = World(STREET)
    world.street("ABC")
    world.live("hij", 1000.0)
    world.stand("s", amenity="school", start_date="2015")
    world.nodes[world.stand("c", amenity="clinic")][2]["staff_count:doctors"] = "6"
    world.stand("t", proposed__amenity="school", opening_date="2025")
    return world


def run(tmp_path, *promises, **keys):
    path = boundary(
        tmp_path / "zones.geojson", ("west", "zone", -500, -700, 250, 700), ("east", "zone", 250, -700, 900, 700),
        ("pilot", "overlay", -400, -600, 250, 600),
    )  # fmt: skip
    rules = RULES + "".join(promises)
    names = "school clinic theatre"
    return street().run(tmp_path, names, rules=rules, boundary=str(path), year=2024, **keys).result


def headline(result):
    return {key: told.verdict for key, told in result.promises.headline.items()}


def test_coverage_is_told_by_year_and_judged_in_the_year_promised(tmp_path):
    all_2024 = promise("a", "coverage", 'of = ["school"]\nyear = 2024')
    all_2030 = promise("b", "coverage", 'of = ["school"]\nyear = 2030')
    most_2030 = promise("c", "coverage", 'of = ["school"]\nyear = 2030\ntarget = 0.6')
    result = run(tmp_path, all_2024, all_2030, most_2030)
    by_year = {year: told.numerator for year, told in result.promises.of_zone("a", "region").items()}
    assert by_year == {2024: 1000, 2021: 1000, 2030: 2000}
    assert headline(result) == {"a": "not_kept", "b": "not_kept", "c": "kept"}
    east = result.promises.of_zone("a", "east")
    assert (east[2021].numerator, east[2030].numerator, east[2030].denominator) == (0, 1000, 1000)
    for year, number in by_year.items():
        assert sum(result.promises.of_zone("a", zone)[year].numerator for zone in ("west", "east")) == number


def test_a_year_is_the_run_of_that_year(tmp_path):
    """What a promise says of another year is what a run with that year says."""
    result = run(tmp_path, promise("a", "coverage", 'of = ["school"]\nyear = 2030'))
    other = type(result.study)(result.study.keys.model_copy(update={"year": 2030})).run()
    figure = next(
        f for f in other.coverage.figures() if (f.zone, f.service, f.measure) == ("region", "school", "people")
    )
    assert result.promises.of_zone("a", "region")[2030].numerator == figure.met == 2000


def test_no_more_is_said_than_was_examined(tmp_path):
    kept = 'of = ["clinic"]\nyear = 2024\n'
    result = run(
        tmp_path, promise("whole", "coverage", kept + "area_km2 = 873"), promise("here", "coverage", kept),
        promise("pilot", "coverage", kept + 'zone = "pilot"\narea_km2 = 0.78'),
        promise("far", "coverage", kept + 'zone = "far-zone"\narea_km2 = 119.5'),
        promise("broken", "coverage", 'of = ["school"]\nyear = 2024\narea_km2 = 873'),
    )  # fmt: skip
    assert headline(result) == {
        "whole": "kept_in_part", "here": "kept", "pilot": "kept", "far": "not_examined", "broken": "not_kept",
    }  # fmt: skip
    rows = {(t.key, t.zone, t.year): t.verdict for t in result.promises.rows}
    assert rows["whole", "region", 2024] == rows["whole", "region", 2030] == "kept_in_part"
    page = result.page("index")
    assert "kept in the part examined" in page
    assert "examined of 873.0 km²" in page
    assert "nothing examined of 119.5 km²" in page


def test_a_part_breaks_only_what_was_promised_to_everybody(tmp_path):
    """Sixteen schools may stand in the land that was not examined, and four in five people live within reach there."""
    year = "\nyear = 2024\narea_km2 = 873"
    result = run(
        tmp_path, promise("number", "count", 'of = ["school"]\nleast = 16' + year),
        promise("most", "coverage", 'of = ["school"]\ntarget = 0.8' + year),
        promise("all", "coverage", 'of = ["school"]' + year),
        promise("each", "count", 'of = ["school"]\nleast = 1\neach_zone = true' + year),
    )  # fmt: skip
    assert headline(result) == {
        "number": "not_kept_in_part", "most": "not_kept_in_part", "all": "not_kept", "each": "not_kept",
    }  # fmt: skip
    assert "not kept in the part examined" in result.page("index")


def test_a_promise_of_every_service_is_not_kept_by_the_few_a_run_chose(tmp_path):
    """Everybody reaches the clinic, and nobody asked for the school and the theatre."""
    rules = RULES + promise("all", "coverage", "year = 2024") + promise("clinics", "coverage", 'of = ["clinic"]')
    result = street().run(tmp_path, "clinic", rules=rules, year=2024).result
    assert headline(result) == {"clinics": "kept"}
    assert set(Standard.load(tmp_path / "cases.toml").only(["school", "clinic", "theatre"]).promises) == {
        "all", "clinics",
    }  # fmt: skip


BEDS = """
[norms.beds]
title = "Beds"
title_zh = "床位"
least = 2
unit = "beds"
source = "plan"
status = "verified"
"""


@pytest.mark.parametrize("more", ["", 'service = "clinic"\n', 'supply = { tags = ["beds"] }\n'])
def test_a_supply_no_tag_tells_is_not_the_number_of_facilities(tmp_path, more):
    text = BEDS + more + promise("p", "count", 'of = ["beds"]\nleast = 1\nyear = 2024')
    told = run(tmp_path, text).promises.headline["p"]
    assert (told.verdict, told.value) == ("unknown", None)


def test_what_a_norm_of_other_areas_is_promised_is_left_out_with_it(tmp_path):
    rules = RULES.replace("supply = {", 'applies_to = "new"\nsupply = {')
    rules += promise("p", "count", 'of = ["doctors"]\nleast = 1') + promise("q", "count", 'of = ["school"]\nleast = 1')
    result = street().run(tmp_path, "school clinic theatre", rules=rules, year=2024, built="existing").result
    assert headline(result) == {"q": "kept"}


def test_what_the_data_lacks_is_unknown_unless_somebody_lacks_something_else(tmp_path):
    result = run(
        tmp_path, promise("all", "coverage", "year = 2024"),
        promise("culture", "coverage", 'of = ["clinic", "theatre"]\nyear = 2024'),
        promise("either", "composite", 'of = ["either"]\nyear = 2024'),
    )  # fmt: skip
    assert headline(result) == {"all": "not_kept", "culture": "unknown", "either": "unknown"}
    assert "the data holds none of: theatre" in result.page("index")


@pytest.mark.parametrize(
    ("asks", "more", "verdict", "value"),
    [
        ("norm", 'of = ["doctors"]', "kept", 2.0),
        ("together", 'of = ["near"]', "kept", 1.0),
        ("count", 'of = ["school"]\nleast = 1', "kept", 1.0),
        ("count", 'of = ["school"]\nleast = 2', "not_kept", 0.5),
        ("count", 'of = ["school"]\nleast = 1\neach_zone = true', "not_kept", 0.5),
        ("count", 'of = ["doctors"]\nleast = 6', "kept", 1.0),
        ("count", 'of = ["theatre"]\nleast = 1', "not_kept", 0.0),
        ("nothing", 'needs = "a list"', "not_computed", None),
        ("jobs_housing", "", "not_computed", None),
    ],
)  # fmt: skip
def test_every_kind_of_promise(tmp_path, asks, more, verdict, value):
    result = run(tmp_path, promise("p", asks, more + "\nyear = 2024"))
    told = result.promises.headline["p"]
    assert (told.verdict, told.value) == (verdict, value)


def test_a_year_in_which_nothing_is_open_yet_is_a_year_like_any(tmp_path):
    world = World(STREET)
    world.street("ABC")
    world.live("hij", 1000.0)
    world.stand("s", amenity="school", start_date="2022")
    kinds = [
        promise("a", "coverage", 'of = ["school"]\nyear = 2030\ntarget = 0.3'), promise("b", "coverage"),
        promise("c", "composite", 'of = ["either"]'), promise("d", "norm", 'of = ["doctors"]'),
        promise("e", "together", 'of = ["near"]'), promise("f", "count", 'of = ["school"]\nleast = 1'),
        promise("g", "barrier_free"),
    ]  # fmt: skip
    result = world.run(tmp_path, "school clinic theatre", rules=RULES + "".join(kinds), year=2024).result
    result.write(tmp_path / "out")
    then = {key: result.promises.of_zone(key, "region")[2021] for key in "abcdef"}
    assert {key: told.verdict for key, told in then.items()} == dict.fromkeys("abcde", "unknown") | {"f": "not_kept"}
    assert (then["a"].numerator, then["a"].unknown) == (0, 3000)
    assert headline(result)["a"] == "kept"


def test_in_2030_every_zone_has_its_school(tmp_path):
    result = run(tmp_path, promise("p", "count", 'of = ["school"]\nleast = 1\neach_zone = true\nyear = 2030'))
    assert headline(result) == {"p": "kept"}
    assert result.promises.of_zone("p", "region")[2021].note[0] == "not in: east"


def test_barrier_free_streets_are_those_a_wheelchair_may_use(tmp_path):
    world = street()
    world.way((400, -20), (400, -120), highway="steps")
    rules = RULES + promise("p", "barrier_free", "year = 2024")
    result = world.run(tmp_path, "school clinic theatre", rules=rules, year=2024).result
    told = result.promises.headline["p"]
    assert (told.verdict, told.measure) == ("not_kept", "street_m")
    assert told.value == pytest.approx(400 / 500, rel=1e-3)
    bare = street().run(tmp_path, "school clinic theatre", rules=rules, year=2024).result
    assert bare.promises.headline["p"].verdict == "unknown"  # what no tag bars is not proved open


def test_streets_are_those_of_walkers_also_where_the_run_is_for_wheelchairs(tmp_path):
    world = street()
    world.way((400, -20), (400, -120), highway="steps")
    rules = (RULES + promise("p", "barrier_free", "year = 2024")).replace('profile = "metres"', 'profile = "adult"')
    result = world.run(tmp_path, "school clinic theatre", rules=rules, year=2024, profile="wheelchair").result
    assert result.promises.headline["p"].value == pytest.approx(400 / 500, rel=1e-3)


def test_a_door_on_a_private_way_is_one_entrance(tmp_path):
    world = World(STREET)
    world.street("AB")
    world.street("BC", highway="service", access="private")
    world.live("hi", 1000.0)
    world.stand("s", amenity="school")
    world.stand("t", amenity="school")
    rules = RULES + promise("p", "barrier_free", "year = 2024")
    result = world.run(tmp_path, "school clinic theatre", rules=rules, year=2024, gates="residents").result
    assert len(result.coverage.facilities.joins) > 2
    assert "of 2 entrances" in result.promises.headline["p"].note[0]


def test_no_count_is_rounded_to_what_was_promised(tmp_path):
    world = street()
    world.nodes = {
        k: (x, y, t | {"staff_count:doctors": "5.6"} if t.get("amenity") == "clinic" else t)
        for k, (x, y, t) in world.nodes.items()
    }
    rules = RULES + promise("p", "count", 'of = ["doctors"]\nleast = 6\nyear = 2024')
    result = world.run(tmp_path, "school clinic theatre", rules=rules, year=2024).result
    page = result.page("index")
    assert "5.60 of 6<" in page
    assert "6 of 6" not in page


def test_jobs_stand_beside_residents(tmp_path):
    lon, lat = lonlat(400, 0)
    (tmp_path / "jobs.csv").write_text(f"lon,lat,people\n{lon},{lat},600\n", encoding="utf-8")
    demand = {"workers": {"places": str(tmp_path / "jobs.csv"), "source": "survey"}}
    told = run(tmp_path, promise("p", "jobs_housing"), demand=demand).promises.of_zone("p", "region")[2024]
    assert (told.verdict, told.value) == ("stated", 0.2)
    assert told.note[0] == "workers with housing within 15 min: 100 %, 30 min: 100 %"


def test_promises_can_be_traced(tmp_path):
    folder = run(tmp_path, promise("a", "coverage", 'of = ["school"]\nyear = 2030')).write(tmp_path / "out")
    (row,) = json.loads((folder / "summary.json").read_text(encoding="utf-8"))["promises"]
    assert (row["source"], row["clause"], row["status"]) == ("plan of 2021", "§a", "verified")
    for found in row["found"]:
        assert found["value"] == found["numerator"] / found["denominator"]
    card = pd.read_parquet(folder / "scorecard.parquet")
    mine = card[(card["rule"] == "a") & (card["zone"] == "region")].set_index("year")
    assert mine["numerator"].to_dict() == {2021: 1000.0, 2024: 1000.0, 2030: 2000.0}
    assert set(mine["kind"]) == {"promise"}
    page = (folder / "index.html").read_text(encoding="utf-8")
    assert "a title" in page
    assert cited("plan of 2021", "verified") in page


def test_a_standard_that_promises_nothing_has_no_such_section(tmp_path):
    result = run(tmp_path)
    assert result.promises.promises == {}
    assert "What the plan promises" not in result.page("index")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (promise("p", "coverage", 'of = ["scool"]'), "promises.p names 'scool', which is no service; did you mean"),
        (promise("p", "norm", 'of = ["doctor"]'), "promises.p names 'doctor', no norm; did you mean 'doctors'"),
        (promise("p", "norm"), "names one in 'of'"),
        (promise("p", "nothing"), "'needs' says which data"),
        (promise("p", "coverage", 'needs = "x"'), "'needs' says which data"),
        (promise("p", "count", 'of = ["school"]'), "'least' says how many"),
        (promise("p", "coverage", "target = 1.5"), "less than or equal to 1"),
    ],
)
def test_promises_that_say_nothing_are_refused(tmp_path, text, message):
    path = tmp_path / "rules.toml"
    path.write_text(RULES + text, encoding="utf-8")
    with pytest.raises(StandardError, match=message):
        Standard.load(path)


def test_hostile_words_of_a_plan_are_text(tmp_path):
    text = promise("p", "nothing", 'needs = "<script>alert(1)</script>"').replace("p title", "<img src=x>")
    page = run(tmp_path, text).page("index")
    assert "<script>alert" not in page
    assert "<img src=x>" not in page


def test_the_lingang_plan_is_listed_whole():
    plan = Standard.load("lingang-2021")
    assert plan.years == [2021, 2025, 2035]
    said = {key: (p.zone, p.year, p.area_km2) for key, p in plan.promises.items()}
    assert said["pilot_2025"] == ("pilot-zone", 2025, 119.5)
    assert said["whole_2035"] == (None, 2035, 873)
    assert all(p.source.startswith("沪发改社〔2021〕9号") for p in plan.promises.values())
    assert [key for key, p in plan.promises.items() if p.asks == "nothing"] == [
        "ahead_of_demand", "school_groups", "idle_property", "emergency", "smart_services",
    ]  # fmt: skip
    assert {"gps", "elderly_floor"} <= {name for p in plan.promises.values() for name in p.of}


def test_an_overlay_that_reaches_beyond_the_region_was_examined_in_part(tmp_path):
    path = boundary(
        tmp_path / "zones.geojson", ("all", "zone", -500, -700, 900, 700), ("pilot", "overlay", -500, -700, 5000, 700)
    )  # fmt: skip
    rules = RULES + promise("p", "coverage", 'of = ["clinic"]\nyear = 2024\nzone = "pilot"\narea_km2 = 5')
    result = street().run(tmp_path, "school clinic theatre", rules=rules, boundary=str(path), year=2024).result
    assert headline(result) == {"p": "kept_in_part"}
    assert result.promises.examined_km2["p"] == pytest.approx(1.4 * 1.4, rel=1e-2)


def test_a_ground_that_lies_on_the_boundary_is_counted_by_clause_and_promise_alike(tmp_path):
    path = boundary(tmp_path / "zones.geojson", ("all", "zone", -500, -700, 350, 700))
    world = World(STREET)
    world.street("ABC")
    world.live("hi", 1000.0)
    world.area(345, 5, 450, 50, amenity="school")
    world.stand("c", amenity="clinic")
    rules = RULES + promise("p", "together", 'of = ["near"]\nyear = 2024')
    result = world.run(tmp_path, "school clinic theatre", rules=rules, boundary=str(path), year=2024).result
    clause = next(row for row in result.clauses.rows if row.key == "near")
    told = result.promises.headline["p"]
    assert clause.counted == (told.numerator, told.denominator) == (0.0, 1.0)


def test_a_promise_of_every_service_is_not_kept_by_some(tmp_path):
    rules = RULES + promise("all", "coverage", "year = 2024") + promise("one", "coverage", 'of = ["clinic"]')
    result = street().run(tmp_path, "clinic", rules=rules, year=2024).result
    assert headline(result) == {"one": "kept"}


def test_places_are_not_counted_for_what_they_hold(tmp_path):
    """A norm that names no supply counts nothing: one clinic is not one doctor."""
    rules = RULES.replace('supply = { tags = ["staff_count:doctors"] }\n', "")
    rules += promise("p", "count", 'of = ["doctors"]\nleast = 1\nyear = 2024')
    told = street().run(tmp_path, "school clinic theatre", rules=rules, year=2024).result.promises.headline["p"]
    assert (told.verdict, told.value) == ("unknown", None)


def test_a_count_of_unknown_supply_is_no_number(tmp_path):
    rules = RULES + promise("p", "count", 'of = ["doctors"]\nleast = 100\nyear = 2024')
    rules += promise("n", "norm", 'of = ["doctors"]\nyear = 2024')
    world = World(STREET)
    world.street("ABC")
    world.live("hij", 1000.0)
    world.stand("c", amenity="clinic")
    result = world.run(tmp_path, "school clinic theatre", rules=rules, year=2024).result
    told = result.promises.headline["p"]
    assert (told.verdict, told.value, told.unknown) == ("unknown", None, 1)
    page = result.page("index")
    assert "0 of 100" not in page
    assert "0 of 3,000" not in page
    world.nodes[world.stand("s", amenity="clinic", name="other")][2]["staff_count:doctors"] = "6"
    page = world.run(tmp_path, "school clinic theatre", rules=rules, year=2024).result.page("index")
    assert "≥ 6 of 100" in page


def test_a_promise_about_a_norm_of_other_areas_is_left_out(tmp_path):
    rules = RULES.replace('unit = "doctors"', 'unit = "doctors"\napplies_to = "new"')
    rules += promise("p", "count", 'of = ["doctors"]\nleast = 1\nyear = 2024')
    result = street().run(tmp_path, "school clinic theatre", rules=rules, year=2024, built="existing").result
    assert result.promises.promises == {}


def test_a_year_in_which_nothing_was_open_is_unknown(tmp_path):
    world = World(STREET)
    world.street("ABC")
    world.live("hij", 1000.0)
    world.stand("s", amenity="school", start_date="2023")
    kinds = (
        ("a", "coverage", 'of = ["school"]'), ("b", "composite", 'of = ["either"]'), ("c", "norm", 'of = ["doctors"]'),
        ("d", "together", 'of = ["near"]'), ("e", "count", 'of = ["school"]\nleast = 1'), ("f", "barrier_free", ""),
    )  # fmt: skip
    rules = RULES + "".join(promise(key, asks, more + "\nyear = 2024") for key, asks, more in kinds)
    result = world.run(tmp_path, "school clinic theatre", rules=rules, year=2024).result
    told = {key: result.promises.of_zone(key, "region")[2021] for key in "abcde"}
    assert {t.verdict for t in told.values()} == {"unknown", "not_kept"}
    assert [key for key, t in told.items() if t.verdict == "not_kept"] == ["e"]
    assert told["a"].numerator == 0
    assert result.write(tmp_path / "out").is_dir()


def test_rows_say_no_more_than_the_headline(tmp_path):
    result = run(tmp_path, promise("whole", "coverage", 'of = ["clinic"]\nyear = 2024\narea_km2 = 873'))
    card = pd.read_parquet(result.write(tmp_path / "out") / "scorecard.parquet")
    mine = card[(card["rule"] == "whole") & (card["zone"] == "region")]
    assert set(mine["verdict"]) == {"kept_in_part"}


def test_barrier_free_is_told_beside_walkers_whoever_walks_in_the_run(tmp_path):
    world = street()
    world.way((400, -20), (400, -120), highway="steps")
    rules = RULES.replace('profile = "metres"', 'profile = "adult"') + promise("p", "barrier_free", "year = 2024")
    told = [
        world.run(tmp_path, "school clinic theatre", rules=rules, year=2024, profile=walker).result.promises.headline[
            "p"
        ]
        for walker in (None, "wheelchair")
    ]
    assert [(t.verdict, t.value) for t in told] == [("not_kept", pytest.approx(400 / 500, rel=1e-3))] * 2


def test_what_data_without_a_date_says_is_shown(tmp_path):
    rules = RULES.replace("years = [2021, 2030]\n", "") + promise("p", "coverage", 'of = ["school"]')
    result = street().run(tmp_path, "school clinic theatre", rules=rules, year=2024).result
    page = promise_part(replace(result.promises, years=(None,), rows=tuple(
        replace(t, year=None) for t in result.promises.rows
    )), result.coverage.cells.region)  # fmt: skip
    assert "Date unknown" in page
    assert "33.3 %" in page


def test_a_zone_without_jobs_says_nothing_of_residents(tmp_path):
    lon, lat = lonlat(400, 0)
    (tmp_path / "jobs.csv").write_text(f"lon,lat,people\n{lon},{lat},600\n", encoding="utf-8")
    demand = {"workers": {"places": str(tmp_path / "jobs.csv"), "source": "survey"}}
    result = run(tmp_path, promise("p", "jobs_housing"), demand=demand)
    assert result.promises.of_zone("p", "west")[2024].note[0].endswith("15 min: –, 30 min: –")
    assert "no residents" not in result.page("index").partition("Jobs and housing")[2].partition("</section>")[0]


def test_a_share_of_which_nothing_is_known_is_no_number(tmp_path):
    result = run(tmp_path, promise("p", "coverage", 'of = ["theatre"]\nyear = 2024'))
    told = result.promises.headline["p"]
    assert (told.verdict, told.value, told.unknown) == ("unknown", None, 3000)
    assert (
        "<td class=n>0 %" not in result.page("index").partition("What the plan promises")[2].partition("</section>")[0]
    )
