"""Every figure of the golden town, worked out by hand from its drawing."""

import geopandas as gpd
import pytest
import town

from lifecircle.study import Study

ADULT = 1.33
TICK = 1 / 32

# name: metres on foot to clinic, park and school (None: no walk), legs included.
# near_a (50,410): 10 m to the street, 150 m to B, 10 m to the clinic; park: 10 + 50 + 200 + 100 + 50.
BY_HAND = {
    "near_a": (10 + 150 + 10, 10 + 50 + 200 + 100 + 50, 10 + 50 + 400 + 200 + 30),
    "near_f": (10 + 50 + 200 + 200 + 10, 10 + 350 + 50, 10 + 50 + 200 + 200 + 30),
    "near_g": (10 + 150 + 200 + 200 + 10, 10 + 450 + 50, 10 + 150 + 200 + 200 + 30),
    "near_h": (10 + 50 + 400 + 200 + 10, 10 + 50 + 200 + 100 + 50, 10 + 150 + 30),
    "island": (None, None, None),
    "far": (None, None, None),
    "beyond": (None, None, None),
}


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    return Study.from_toml(town.draw(tmp_path_factory.mktemp("town"))).run()


@pytest.fixture(scope="module")
def cells(result):
    frame = result.coverage.to_geodataframe()
    names = {f"r{(1060 - y) // 100}c{x // 100}": name for name, ((x, y), _) in town.PEOPLE.items()}
    frame.index = frame["cell_id"].map(names)
    return frame


@pytest.mark.parametrize("name", BY_HAND)
def test_walks_are_those_on_the_drawing(cells, name):
    clinic, park, school = BY_HAND[name]
    row = cells.loc[name]
    for column, metres in (("park_m", park), ("school_m", school)):
        if metres is None:
            assert gpd.pd.isna(row[column])
        else:  # three or four parts, each rounded to 1/32 m
            assert row[column] == pytest.approx(metres, abs=4 * TICK / 2)
    if clinic is None:
        assert gpd.pd.isna(row["clinic_s"])
    else:
        assert row["clinic_s"] == pytest.approx(clinic / ADULT, abs=6 * TICK / 2)


def test_verdicts_and_counts(cells):
    assert cells.loc["near_a", ["clinic_met", "park_met", "school_met"]].tolist() == [True, False, False]
    assert cells.loc["near_h", ["clinic_met", "park_met", "school_met"]].tolist() == [False, False, True]
    assert cells.loc["island", ["clinic_met", "park_met", "school_met"]].tolist() == [False, False, False]
    assert cells.loc["near_a", "clinic_n"] == 1
    assert cells.loc["near_a", "missing"] == ["park", "school"]
    assert cells.loc["near_h", "met_n"] == 1


def test_a_place_far_from_any_path_is_unsnapped_and_has_no_verdict(cells):
    assert cells.loc["far", "status"] == "unsnapped"
    assert cells.loc["beyond", "status"] == "outside_data"
    row = cells.loc["far"]
    assert gpd.pd.isna(row["clinic_met"])
    assert gpd.pd.isna(row["met_n"])
    assert gpd.pd.isna(row["missing"])
    assert gpd.pd.isna(row["clinic_n"])


def test_an_island_is_judged_but_reaches_nothing(cells, result):
    assert cells.loc["island", "status"] == "edge"  # the whole town is nearer to the side of its box than it walks
    causes = {gap.cause for gap in result.gaps.clusters if gap.service == "clinic" and gap.people == 7.0}
    assert causes == {"doubtful"}  # what lies beyond the data could serve it


def test_node_and_polygon_of_a_school_are_one(result):
    facilities = result.coverage.facilities
    assert facilities.count() == {"clinic": 1, "park": 1, "school": 1}
    assert facilities.merged_n.sum() == 1


def test_the_bridge_joins_nothing(result):
    network = result.coverage.network
    over = network.edge_way == 6
    assert over.sum() == 1
    ends = {int(network.edge_u[over][0]), int(network.edge_v[over][0])}
    rest = set(network.edge_u[~over].tolist()) | set(network.edge_v[~over].tolist())
    assert not ends & rest


def test_figures_add_up(result):
    figures = {(f.zone, f.service, f.measure): f for f in result.coverage.figures()}
    clinic = figures["region", "clinic", "people"]
    assert (clinic.met, clinic.not_met, clinic.unknown, clinic.total) == (100.0, 112.5, 5.25, 217.75)
    west, east = figures["west", "clinic", "people"], figures["east", "clinic", "people"]
    assert (west.met + east.met, west.total + east.total) == (clinic.met, clinic.total)
    assert (west.total, east.total) == (180.0, 37.75)
    centre = figures["centre", "clinic", "people"]
    assert (centre.met, centre.total) == (100.0, 150.0)
    assert figures["region", "all", "people"].met == 0


def test_doubtful_cells_are_counted(result):
    data = result.summary["data"]
    assert data["on_scraps"] == {"cells": 1, "people": 7}  # the island
    assert data["status"]["edge"] == {"cells": 5, "people": 100 + 50 + 25.5 + 30 + 7}
    assert data["status"]["outside_data"] == {"cells": 1, "people": 2}
    by_unmet = {row["unmet"]: row["people"] for row in result.summary["unmet"]}
    assert by_unmet == {0: 0, 1: 0, 2: 100 + 50 + 30, 3: 25.5 + 7, None: 5.25}


def test_the_motorway_is_not_walked(result):
    assert "motorway" not in set(result.coverage.network.kind)


def test_entrances_say_how_they_were_found(result):
    facilities = result.coverage.facilities
    kinds = dict(zip(facilities.facility_id[facilities.joins.place], facilities.join_kind, strict=True))
    by_name = {name: kinds[key] for name, key in zip(facilities.name, facilities.facility_id, strict=True)}
    assert by_name == {"镇卫生院": "nearest", "人民公园": "crossing", "第一小学": "nearest"}
