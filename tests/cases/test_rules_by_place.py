"""Rules that differ by place: classes of zones, sizes of parks, the straight line beside the walk."""

import json

import numpy as np
import pandas as pd
import pytest
from drawn import boundary
from world import World

from lifecircle.errors import StandardError
from lifecircle.publish import scene as scenes
from lifecircle.standards import Standard

RULES = """\
schema = 1
name = "places"
title = "Places"
title_zh = "地方"
source = "made up for the tests"
[services.school]
title = "School"
title_zh = "学校"
profile = "metres"
threshold = { value = 100, source = "plain", status = "verified" }
by_zone_class.new_city = { value = 250, mode = "walk_or_cycle", source = "new city", status = "verified" }
by_zone_class.new_town = { value = 1900, mode = "walk_or_cycle", source = "new town", status = "verified" }
tags = [{ match = { amenity = ["school"] } }]
"""
STREET = """
    h    i                                  j
    A----B----------------------------------C
    s                   t
"""


def street():
    """Homes at 0, 50 and 400 m, schools at 0 and 200 m."""
    world = World(STREET)
    world.street("ABC")
    world.live("hij")
    world.stand("s", amenity="school")
    world.stand("t", amenity="school")
    return world


def classed(tmp_path, *classes):
    """Two zones that part the street at 30 m, of some classes."""
    boxes = [("west", "zone", -500, -700, 30, 700), ("east", "zone", 30, -700, 900, 700)]
    said = [{"zone_class": name} if name else {} for name in classes]
    return boundary(tmp_path / "zones.geojson", *[(*box, more) for box, more in zip(boxes, said, strict=True)])


def run(tmp_path, *classes, **keys):
    path = classed(tmp_path, *classes)
    return street().run(tmp_path, "school", rules=RULES, boundary=str(path), **keys)


@pytest.mark.parametrize(
    ("classes", "met"),
    [
        (("", ""), {"h": 1, "i": 1, "j": 0}),  # i is 50 m away, j 200 m
        (("", "new_city"), {"h": 1, "i": 1, "j": 1}),
        (("new_city", ""), {"h": 1, "i": 1, "j": 0}),
        (("new_town", "new_city"), {"h": 1, "i": 1, "j": 1}),
        (("nowhere", "new_city"), {"h": 1, "i": 1, "j": 1}),  # a class no text knows has the plain threshold
    ],
)  # fmt: skip
def test_a_zone_is_held_to_the_threshold_of_its_class(tmp_path, classes, met):
    assert run(tmp_path, *classes).met("school") == met


def test_facilities_are_counted_within_the_threshold_of_the_zone(tmp_path):
    walked = run(tmp_path, "", "new_city")
    counted = dict(zip(walked.homes, walked.coverage.count[0].tolist(), strict=True))
    assert counted == {"h": 1, "i": 2, "j": 1}  # within 100 m of h, within 250 m of i and j


def test_the_run_may_class_the_zones_that_name_none(tmp_path):
    walked = run(tmp_path, "", "", zone_class="new_city")
    assert walked.met("school") == {"h": 1, "i": 1, "j": 1}
    page = walked.result.page("index")
    assert "new_city 250 m walking or cycling" in page
    services = walked.result.summary["services"]["school"]
    assert (services["threshold"], services["by_zone_class"]) == (100, {"new_city": 250})


def test_a_class_no_text_knows_is_refused(tmp_path):
    with pytest.raises(StandardError, match=r"no thresholds for zones of class 'new_cty'.*did you mean 'new_city'"):
        run(tmp_path, "", "", zone_class="new_cty")


def test_nothing_is_searched_for_as_far_as_classes_ask_that_do_not_occur(tmp_path):
    assert run(tmp_path, "", "new_city", cutoff_m=300).met("school")["j"] == 1
    with pytest.raises(StandardError, match="short of the threshold of school, 1900 m"):
        run(tmp_path, "", "new_town", cutoff_m=300)


def test_a_choice_holds_everywhere(tmp_path):
    assert run(tmp_path, "", "new_city", choose={"school": 100}).met("school")["j"] == 0
    assert run(tmp_path, "", "", choose={"school": 250}).met("school")["j"] == 1


RIVER = """
    h                   s
    A                   B
    |                   |
    |                   |
    |                   |
    |                   |
    |                   |
    C-------------------D
"""


def test_the_straight_line_stands_beside_the_walk(tmp_path):
    """The school is 200 m away as the crow flies and 440 m on foot; the rule asks for 250 m."""
    world = World(RIVER)
    world.street("ACDB")
    world.live("h")
    world.stand("s", amenity="school")
    result = world.run(tmp_path, "school", rules=RULES.replace("value = 100", "value = 250")).result
    (row,) = result.clauses.rows
    assert row.people == (0.0, 1.0)
    assert row.straight[0] == (1.0, 1.0)
    told = result.summary["clauses"][0]["straight"]["people"]
    assert (told["met"], told["total"]) == (1, 1)
    page = result.page("index")
    assert ">buffer</span><span class=zh lang=zh>直线</span> 100 % (+100.0)" in page


def test_the_buffer_never_covers_less_than_the_walk(tmp_path):
    result = run(tmp_path, "", "new_city").result
    walk, straight = result.coverage.point_met, result.coverage.point_met_straight
    assert (straight >= walk).all()


PARKS = """
[services.small]
title = "Small park"
title_zh = "小公园"
profile = "metres"
threshold = { value = 100, source = "small", status = "verified" }
may_lack = true
tags = [{ match = { leisure = ["park"] }, min_area_m2 = 400, max_area_m2 = 2000 }]
[services.large]
title = "Large park"
title_zh = "大公园"
profile = "metres"
threshold = { value = 400, source = "large", status = "verified" }
may_lack = true
tags = [{ match = { leisure = ["park"] }, min_area_m2 = 2000 }]
[composites.park]
title = "A park within the radius of its size"
title_zh = "公园服务半径"
at_least = 1
of = ["small", "large"]
source = "both"
status = "verified"
"""


@pytest.mark.parametrize(("side", "key", "met"), [(30, "small", 0), (50, "large", 1), (10, None, None)])
def test_a_park_reaches_as_far_as_its_size_allows(tmp_path, side, key, met):
    """A square park whose edge is 300 m down the street: small ones reach 100 m, large ones 400 m from their rim."""
    world = World("h                   p\nA-------------------B\n")
    world.way((0, -20), (300, -20), highway="residential")
    world.live("h")
    world.place["p"] = (300, -20)
    world.area(300, -20 - side / 2, 300 + side, -20 + side / 2, leisure="park")
    world.poi(0, -21, amenity="school")
    rules = RULES + PARKS
    result = world.run(tmp_path, "school small large", rules=rules).result
    rows = {row.key: row for row in result.clauses.rows}
    assert [name for name in ("small", "large") if rows[name].facilities] == ([key] if key else [])
    if key:
        assert rows["park"].people == (float(met), 1.0)
        assert rows[key].people == (float(met), 1.0)


def test_the_drafts_classes_are_the_shanghai_standards():
    standard = Standard.load("shanghai-2024-draft")
    assert standard.zone_classes == {"inner_ring", "new_city", "new_town"}
    medical = standard.services["medical"]
    assert [medical.value_in(name) for name in ("", "new_city", "new_town")] == [1000, 1500, 5000]
    assert standard.services["bus_stop"].value_in("inner_ring") == 300
    assert standard.in_classes({"new_city"}).services["medical"].thresholds == (1000, 1500)


def test_the_verdict_of_every_cell_and_rule_is_written_with_what_it_rests_on(tmp_path):
    folder = run(tmp_path, "", "new_city").result.write(tmp_path / "out")
    rows = pd.read_parquet(folder / "verdicts.parquet")
    cells = pd.read_parquet(folder / "cells.parquet").set_index("cell_id")
    summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    assert set(rows["rule"]) == set(summary["services"])
    assert len(rows) == len(cells)
    for row in rows.itertuples():
        cell = cells.loc[row.cell_id]
        assert row.walk == cell["school_m"]
        assert row.slack == np.float32(row.limit - row.walk)
        assert (row.verdict == "met") == bool(cell["school_met"]) == (row.slack >= 0)
    assert sorted(rows["limit"]) == [100, 250, 250]
    assert (rows["second_walk"] >= rows["walk"]).all()
    assert (rows["second"] != rows["nearest"]).all()


def stops(*spots):
    """A home at 0, a school mapped at two places of one name: they are one, and it stands where the first is."""
    world = World("h")
    world.live("h")
    for x in spots:
        world.poi(x, 5, amenity="school", name="X")
    return world


def test_what_is_one_place_at_two_spots_is_near_by_either(tmp_path):
    world = stops(120, 60)
    world.way((0, 0), (600, 0), highway="residential")
    walked = world.run(tmp_path, "school", rules=RULES)
    assert walked.walks("school") == {"h": pytest.approx(65, abs=0.1)}
    assert walked.coverage.point_met.tolist() == walked.coverage.point_met_straight.tolist() == [[1]]


def test_a_place_on_both_sides_of_an_expressway_is_not_across_it(tmp_path):
    world = stops(90, 60)
    world.way((0, 0), (70, 0), highway="residential")
    world.way((80, 0), (600, 0), highway="residential")
    world.way((75, -200), (75, 200), highway="motorway", name="G1")
    walked = world.run(tmp_path, "school", rules=RULES)
    assert walked.met("school") == {"h": 1}
    assert walked.result.crossings == []


def test_a_gap_is_as_far_from_a_place_as_its_nearest_spot(tmp_path):
    """The nearer spot is 140 m off as the crow flies, the other 180 m: nothing is near within 100 m, a walk is 1.04."""
    world = stops(180, 140)
    world.way((0, 0), (600, 0), highway="residential")
    (gap,) = world.run(tmp_path, "school", rules=RULES).result.gaps.clusters
    assert gap.detour == pytest.approx(145 / 140, abs=0.01)


def test_what_opens_after_the_datas_year_is_drawn_as_planned(tmp_path):
    """In 2031 both schools are open; the one of 2030 was not when the data was made."""
    world = World(RIVER)
    world.street("ACDB")
    world.live("h")
    world.stand("s", amenity="school", name="now")
    world.stand("h", name="later", **{"proposed:amenity": "school", "opening_date": "2030-09"})
    result = world.run(tmp_path, "school", rules=RULES, year=2031, data_date="2026-01-01").result
    scene = scenes._scene("coverage", result.coverage, result.gaps, result.about, [])
    assert dict(zip(scene.facilities.names, scene.facilities.planned.tolist(), strict=True)) == {
        "now": False,
        "later": True,
    }
