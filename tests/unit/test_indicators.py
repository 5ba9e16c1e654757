"""What lies beyond the nearest facility: runner-up, choice, completeness, x-minute time, equity, cut circles."""

import json
import math

import numpy as np
import pandas as pd
import pytest
from world import World

from lifecircle.assess.indicators import Indicators, _spread

RULES = """\
schema = 1
name = "several"
title = "Several"
title_zh = "若干"
source = "made up for the tests"
"""
SERVICE = """
[services.{key}]
title = "{key}"
title_zh = "{key}"
profile = "{profile}"
threshold = {{ value = {value}, source = "text", status = "verified" }}
tags = [{{ match = {{ amenity = ["{key}"] }} }}]
"""
STREET = """
    h         i                             j
    A---------B-----------------------------C
    s    t  u                  v          w
"""


def rules(**services):
    """Services by key: the threshold and the profile."""
    return RULES + "".join(
        SERVICE.format(key=key, value=value, profile=profile) for key, (value, profile) in services.items()
    )


def street():
    """One person at 0, two at 100 and three at 400 m; schools at 0, 50, 80 and 270 m, a clinic at 380 m."""
    world = World(STREET)
    world.street("ABC")
    for sign, people in (("h", 1.0), ("i", 2.0), ("j", 3.0)):
        world.live(sign, people)
    for sign in "stuv":
        world.stand(sign, amenity="school")
    world.stand("w", amenity="clinic")
    return world


BOTH = rules(school=(250, "metres"), clinic=(400, "metres"))


def run(tmp_path, text=BOTH, names="school clinic", **keys):
    return street().run(tmp_path, names, rules=text, **keys).result


def walks_twin(result, service):
    """Every walk of every home to the facilities of a service: by the public search of one facility at a time."""
    facilities = result.coverage.facilities
    giving = np.flatnonzero(facilities.serving(result.coverage.keys.index(service)))
    home = {sign: x for sign, (x, _) in (("h", (0, 0)), ("i", (100, 0)), ("j", (400, 0)))}
    where = {ix: round(facilities.points[ix].x) for ix in giving}
    return [sorted((40 + abs(x - at), ix) for ix, at in where.items()) for x in home.values()]


def test_the_runner_up_is_the_second_of_all_walks(tmp_path):
    result = run(tmp_path)
    cost, which = result.indicators.second("school")
    for walks, told, facility in zip(walks_twin(result, "school"), cost, which, strict=True):
        assert told == pytest.approx(walks[1][0], abs=0.1)
        assert facility in {ix for length, ix in walks if length == walks[1][0]}
    cost, which = result.indicators.second("clinic")  # there is but one
    assert np.isinf(cost).all()
    assert (which == -1).all()


def test_the_nearest_of_all_walks_is_the_nearest(tmp_path):
    result = run(tmp_path)
    for ix, key in enumerate(result.coverage.keys):
        walks = result.indicators.walks[key]
        assert (walks.cost[walks.ptr[:-1]] == result.coverage.point_ticks[ix] / 32).all()
        assert (walks.facility[walks.ptr[:-1]] == result.coverage.point_nearest[ix]).all()
        within = np.diff(result.indicators.within(key).ptr)
        assert (within == result.coverage.point_count[ix]).all()


def test_the_mean_of_the_nearest_is_unknown_where_there_are_too_few(tmp_path):
    indicators = run(tmp_path).indicators
    twin = [np.mean([length for length, _ in walks[:3]]) for walks in walks_twin(run(tmp_path), "school")]
    assert indicators.mean_nearest("school", 3) == pytest.approx(twin, abs=0.1)
    assert np.isnan(indicators.mean_nearest("school")).all()


def test_gravity_adds_up_what_distance_leaves(tmp_path):
    result = run(tmp_path)
    twin = [sum(math.exp(-length / 250) for length, _ in walks) for walks in walks_twin(result, "school")]
    assert result.indicators.gravity("school") == pytest.approx(twin, rel=1e-3)


def test_x_minute_time_is_that_of_the_worst_service(tmp_path):
    result = run(tmp_path)
    assert result.indicators.worst["m"].tolist() == (result.coverage.point_ticks / 32).max(axis=0).tolist()
    told = result.summary["indicators"]["worst_service"]["m"]
    # j has 130 m to a school and two legs of 20 m, i 280 m to the clinic, h 380 m: three, two and one of six people
    assert (told["median"], told["p90"]) == pytest.approx((170, 420), abs=0.1)
    assert told["within"] == {"300": 3, "500": 6, "800": 6, "1000": 6, "1500": 6}
    cells = pd.read_parquet(result.write(tmp_path / "out") / "cells.parquet")
    assert cells["worst_m"].tolist() == result.indicators.worst["m"].tolist()


def test_minutes_and_metres_are_not_mixed(tmp_path):
    result = run(tmp_path, rules(school=(250, "metres"), clinic=(300, "adult")))
    assert set(result.indicators.worst) == {"m", "s"}
    units = {key: one["unit"] for key, one in result.summary["indicators"]["services"].items()}
    assert units == {"school": "m", "clinic": "s"}


def test_completeness_counts_the_required_services_each_person_has(tmp_path):
    told = run(tmp_path).summary["indicators"]["completeness"]
    assert told == {
        "of": "all", "services": ["school", "clinic"], "absent": [], "by_number_met": [0, 1, 5], "mean_met": 11 / 6,
    }  # fmt: skip
    mark = 'mark = { value = "required", source = "text", status = "verified" }\n'
    text = rules(school=(250, "metres"), clinic=(400, "metres")) + mark  # of the clinic, which stands last
    told = run(tmp_path, text).summary["indicators"]["completeness"]
    assert told == {
        "of": "required", "services": ["clinic"], "absent": [], "by_number_met": [1, 5], "mean_met": 5 / 6,
    }  # fmt: skip


def test_choice_and_equity_speak_of_everybody(tmp_path):
    one = run(tmp_path).summary["indicators"]["services"]["school"]
    assert one["choice"] == {"0": 0, "1": 3, "2-4": 3, "5-10": 0, "11+": 0}
    assert sum(one["choice"].values()) == 6
    assert one["cumulative_mean"] == pytest.approx((1 * 3 + 2 * 4 + 3 * 1) / 6)
    assert one["second_met"] == 3
    assert 0 < one["equity"]["nearest"]["gini"] < 1
    assert one["nearest"]["median"] <= one["equity"]["nearest"]["ede"] <= 170


def test_where_nobody_is_known_cells_are_counted(tmp_path):
    world = street()
    for x in (0, 100, 400):
        world.area(x - 4, -4, x + 4, 4, building="house")
    study = world.study(tmp_path, "school clinic", rules=BOTH)
    result = type(study)(study.keys.model_copy(update={"population": None})).run()
    told = result.summary["indicators"]
    assert told["measure"] == "cells"
    assert told["known"] == len(result.coverage.cells)


def test_who_was_not_judged_is_not_counted(tmp_path):
    world = street()
    world.place["z"] = (0, -400)  # far from any path
    world.live("z", 5.0)
    result = world.run(tmp_path, "school clinic", rules=BOTH, snap_limit_m=100).result
    told = result.summary["indicators"]
    assert (told["known"], told["unknown"]) == (6, 5)
    assert sum(told["services"]["school"]["choice"].values()) == 6
    verdicts = pd.read_parquet(result.write(tmp_path / "out") / "verdicts.parquet")
    lost = verdicts[verdicts["verdict"] == "unknown"]
    assert len(lost) == 2
    assert lost[["walk", "slack", "nearest", "second", "within_n", "gravity"]].isna().all(axis=None)


def test_too_many_walks_are_not_kept(tmp_path):
    result = run(tmp_path)
    assert Indicators.of(result.coverage, {}, most=3) is None
    within, walks = int(result.coverage.point_count.sum()), sum(len(w.cost) for w in result.indicators.walks.values())
    assert within < walks
    for most in range(within, walks):  # few within the thresholds, too many within the cutoff
        assert Indicators.of(result.coverage, {}, most=most) is None
    assert Indicators.of(result.coverage, {}, most=walks) is not None


def test_walks_of_all_costs_count_together(tmp_path):
    result = run(tmp_path, rules(school=(250, "metres"), clinic=(300, "adult")))
    walks = sum(len(w.cost) for w in result.indicators.walks.values())
    assert Indicators.of(result.coverage, {}, most=walks - 1) is None
    assert Indicators.of(result.coverage, {}, most=walks) is not None


def test_completeness_says_of_what_and_what_the_data_lacks(tmp_path):
    mark = 'mark = {{ value = "{}", source = "text", status = "verified" }}\n'
    text = BOTH + SERVICE.format(key="library", value=300, profile="metres") + "may_lack = true\n"
    text += mark.format("required")
    every = run(tmp_path, text, "school clinic library")
    told = every.summary["indicators"]["completeness"]
    assert (told["of"], told["services"], told["absent"]) == ("all", ["school", "clinic"], ["library"])
    assert "of 2 services people have on average" in every.page("index")
    assert "1 more are nowhere in the data" in every.page("index")
    text = text.replace('{ amenity = ["clinic"] } }]\n', '{ amenity = ["clinic"] } }]\n' + mark.format("required"))
    told = run(tmp_path, text, "school clinic library").summary["indicators"]["completeness"]
    assert (told["of"], told["services"], told["absent"]) == ("required", ["clinic"], ["library"])


def test_walks_beyond_the_thresholds_count_too(tmp_path):
    """Within 60 m there is one school for h and two for i; within the cutoff there are twelve and three clinics."""
    text = rules(school=(60, "metres"), clinic=(400, "adult"))
    result = run(tmp_path, text)
    within, all_of_them = int(result.coverage.point_count.sum()), 4 * 3 + 3
    assert within < all_of_them - 3
    assert Indicators.of(result.coverage, {}, most=within) is None
    assert Indicators.of(result.coverage, {}, most=all_of_them - 1) is None  # the second cost goes beyond
    assert Indicators.of(result.coverage, {}, most=all_of_them) is not None


@pytest.mark.parametrize(("values", "weight", "median", "p90"), [
    ([10.0, 20.0, 30.0], [1, 1, 1], 20.0, 30.0), ([10.0, np.inf], [9, 1], 10.0, 10.0), ([np.inf], [1], None, None),
    ([], [], None, None), ([5.0, 7.0], [1, 0], 5.0, 5.0),
])  # fmt: skip
def test_quantiles_weigh_people(values, weight, median, p90):
    told = _spread(np.array(values), np.array(weight, dtype=float), "s")
    assert (told["median"], told["p90"]) == (median, p90)


def test_deficits_come_most_people_first(tmp_path):
    rows = run(tmp_path, rules(school=(130, "metres"), clinic=(330, "metres"))).summary["deficits"]
    assert [(row["service"], row["lacking"], row["total"]) for row in rows] == [("school", 3, 6), ("clinic", 1, 6)]


CUT = """
      m
    h   s
    A---B
      n
    i
    C
"""


@pytest.mark.parametrize("kind", [{"highway": "motorway", "name": "G1"}, {"railway": "rail", "name": "Line 16"}])
def test_a_circle_cut_by_an_expressway_or_a_railway_is_a_warning(tmp_path, kind):
    world = World(CUT)
    world.way(world.place["A"], (10, -40), (20, -40), (40, -40), highway="residential", bridge="yes", layer="1")
    world.street("AC")
    x = world.place["m"][0]
    world.way((x + 5, 0), (x + 5, -200), **kind)
    world.live("hi", 2.0)
    world.stand("s", amenity="school")
    result = world.run(tmp_path, "school", rules=rules(school=(400, "metres"))).result
    assert result.coverage.point_met.tolist() == [[1, 1]]
    barrier = "motorway G1" if "highway" in kind else "railway Line 16"
    assert [(c.barrier, c.people, c.cells) for c in result.crossings] == [(barrier, 4.0, 2)]
    assert result.summary["crossings"] == [{"service": "school", "barrier": barrier, "people": 4, "cells": 2}]
    assert "A warning, not a verdict" in result.page("index")


def test_the_summary_is_json_without_numbers_for_the_unknown(tmp_path):
    folder = run(tmp_path, rules(school=(250, "metres"), clinic=(400, "metres"))).write(tmp_path / "out")
    text = (folder / "summary.json").read_text(encoding="utf-8")
    assert "NaN" not in text
    assert "Infinity" not in text
    assert json.loads(text)["indicators"]["services"]["clinic"]["mean_20"]["value"] is None


def test_a_cell_is_explained_by_the_walks_behind_its_verdicts(tmp_path):
    result = run(tmp_path)
    frame = pd.read_parquet(result.write(tmp_path / "out") / "verdicts.parquet").set_index(["cell_id", "rule"])
    for cell in result.coverage.cells.cell_id:
        told = result.explain(cell)
        for reason in told.reasons:
            row = frame.loc[cell, reason.service]
            assert (reason.walk, reason.slack) == (row.walk, row.slack)
            assert reason.nearest.split()[0] == row.nearest
            assert reason.second.split() == ([] if pd.isna(row.second) else [row.second])
            assert reason.verdict.replace(" ", "_") == row.verdict
    html = told._repr_html_()
    assert told.cell_id in html
    assert all(f"{math.floor(reason.slack):+d} m" in html for reason in told.reasons)
    with pytest.raises(ValueError, match="there is no cell 'nowhere'; ids look like"):
        result.explain("nowhere")
