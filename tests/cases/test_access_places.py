"""What is one facility and where it is entered: cases that other tools were told of by their users."""

import numpy as np
import pytest
from drawn import lonlat
from world import STANDARD, World

from lifecircle.errors import CrsError
from lifecircle.sources import datum

METRES = 0.3

STREET = """
    h
    A---------B---------C---------D
       a   b     d   e     g   i
          p
       j   k     m   n     q   r
"""


def street():
    """Draw a street A-D with room for three outlines (abkj, denm, girq) south of it."""
    world = World(STREET)
    world.street("ABCD")
    world.live("h")
    return world


def outline(world, spelt, **tags):
    return world.way(*(world.place[sign] for sign in spelt + spelt[0]), **tags)


def test_a_node_and_a_polygon_of_one_school_are_one(tmp_path):
    """goat#698, osmdata#123."""
    world = street()
    outline(world, "abkj", amenity="school", name="滴水湖小学")
    world.stand("p", amenity="school", name="滴水湖 小学")
    outline(world, "girq", amenity="school", name="第二小学")
    assert world.run(tmp_path).count("school") == 2


def test_a_campus_and_its_building_are_one(tmp_path):
    """goat#115, osmox#54: a building inside its campus, tagged as the campus is."""
    world = street()
    outline(world, "abnj", amenity="school", name="A")
    outline(world, "abkj", amenity="school", building="school")
    outline(world, "girq", amenity="school", name="B")
    assert world.run(tmp_path).count("school") == 2


def test_one_multipolygon_is_one(tmp_path):
    """osmdata#169: 603 fire stations of 64, their rings counted each."""
    world = street()
    parts = [outline(world, "abkj"), outline(world, "denm")]
    world.multipolygon(parts, [], amenity="school", name="M")
    assert world.run(tmp_path).count("school") == 1


def test_several_clinics_in_one_building_are_several(tmp_path):
    """goat PR#859: what stands together is not therefore one."""
    world = street()
    outline(world, "abkj", building="yes", name="Medical house")
    for name in ("Dr A", "Dr B", "Dr C"):
        world.stand("p", amenity="clinic", name=name)
    got = world.run(tmp_path, "clinic")
    assert got.count("clinic") == 3
    assert got.coverage.count[0].tolist() == [3]


def test_two_schools_of_one_ground_with_two_names_are_two(tmp_path):
    world = street()
    outline(world, "abkj", amenity="school", name="A")
    world.stand("p", amenity="school", name="B")
    assert world.run(tmp_path).count("school") == 2


def test_a_rule_may_ask_for_a_name(tmp_path):
    """社区卫生服务中心 is rarely tagged more than ``amenity=clinic``."""
    rules = STANDARD.replace('amenity = ["clinic"] } }', 'amenity = ["clinic"] }, name = "社区卫生(服务)?中心" }')
    world = street()
    world.stand("b", amenity="clinic", name="美容诊所")
    world.stand("e", amenity="clinic", name="书院镇社区卫生服务中心")
    got = world.run(tmp_path, "clinic", rules=rules)
    assert got.count("clinic") == 1
    assert got.walks("clinic")["h"] == pytest.approx((20 + 170 + 20) / 1.33, abs=METRES)


def test_a_park_smaller_than_the_standard_asks_is_none(tmp_path):
    """A rule may ask for a least area: 40 m by 40 m is 1600 m²."""
    rules = STANDARD.replace('leisure = ["park"] } }', 'leisure = ["park"] }, min_area_m2 = 2000 }')
    world = street()
    outline(world, "abkj", leisure="park", name="pocket")
    world.stand("d", leisure="park", name="of unknown size")
    outline(world, "girj", leisure="park", name="large")
    got = world.run(tmp_path, "park", rules=rules)
    assert got.coverage.facilities.name.tolist() == ["large"]
    assert street_of_parks().run(tmp_path, "park").count("park") == 2


def street_of_parks():
    world = street()
    outline(world, "abkj", leisure="park", name="pocket")
    outline(world, "girq", leisure="park", name="other")
    return world


@pytest.mark.parametrize(
    ("tags", "open_to_all"),
    [
        ({"leisure": "park"}, True),
        ({"leisure": "park", "access": "private"}, False),
        ({"leisure": "garden", "access": "no"}, False),
        ({"leisure": "park", "access": "yes"}, True),
        ({"leisure": "park", "fee": "yes"}, False),
    ],
)
def test_a_park_must_be_public(tmp_path, tags, open_to_all):
    """GHSCI#415: fee parks and private gardens are no public open space."""
    world = street()
    outline(world, "abkj", **tags)
    outline(world, "girq", leisure="park")
    got = world.run(tmp_path, "outdoor", standard="xminute-generic")
    assert got.count("outdoor") == 1 + open_to_all


@pytest.mark.parametrize(
    ("tags", "open_to_all"), [({}, False), ({"access": "yes"}, True), ({"access": "customers"}, False)]
)
def test_the_pitch_of_a_school_is_not_for_all(tmp_path, tags, open_to_all):
    """GHSCI#415: school fields."""
    world = street()
    outline(world, "abnj", amenity="school", name="A")
    outline(world, "abkj", leisure="pitch", **tags)
    outline(world, "girq", leisure="pitch")
    got = world.run(tmp_path, "physical_exercise", standard="xminute-generic")
    assert got.count("physical_exercise") == 1 + open_to_all


def test_an_empty_category_is_said_in_words(tmp_path):
    """r5py#289: not ``No objects to concatenate``."""
    world = street()
    world.stand("b", amenity="school")
    with pytest.raises(ValueError, match=r"no facility for: clinic.*--services"):
        world.run(tmp_path, "school clinic")


PARK = """
              N
    h         |                        i
    A---------B------------------------C
         a----g--------------b
         |                   |
         |                   |
         |         o         |
         |                   |
         d-------------------c
    D----------------------------------E
    j
"""


def park(**tags):
    """Draw a park abcd between a street A-C north of it and a street D-E south of it, joined at their west ends."""
    world = World(PARK)
    world.street("ABC")
    world.street("AD")
    world.street("DE")
    outline(world, "agbcd", leisure="park", **tags)
    world.live("hij")
    return world


def test_a_park_is_entered_by_its_gate_and_not_at_its_middle(tmp_path):
    """GHSCI#653, goat#547: those behind the fence walk round to the gate."""
    world = park()
    world.street("Bg", highway="footway")
    world.mark("g", barrier="gate")
    got = world.run(tmp_path, "park")
    assert got.walks("park") == pytest.approx(
        {"h": 20 + 100 + 20, "i": 20 + 250 + 20, "j": 20 + 140 + 100 + 20}, abs=METRES
    )
    assert [kind for kind, _ in got.entrances()] == ["mapped"]


def test_a_path_that_crosses_the_outline_is_an_entrance(tmp_path):
    world = park()
    path = world.street("Bgo", highway="path")
    got = world.run(tmp_path, "park")
    assert got.walks("park")["h"] == pytest.approx(20 + 100 + 20, abs=METRES)
    assert got.entrances() == [("crossing", f"w{path}")]


@pytest.mark.parametrize("aloft", [{"bridge": "yes", "layer": "1"}, {"tunnel": "yes", "layer": "-1"}, {"layer": "2"}])
def test_a_bridge_over_a_park_is_no_entrance(tmp_path, aloft):
    """goat#547: from the bridge nobody gets down into the grass."""
    world = park()
    bridge = world.way((140, 0), (140, -300), highway="footway", **aloft)
    kinds = world.run(tmp_path, "park").entrances()
    assert f"w{bridge}" not in [evidence for _, evidence in kinds]
    assert {kind for kind, _ in kinds} == {"nearest"}


def test_grass_without_an_entrance_is_entered_from_every_street_beside_it(tmp_path):
    """goat#547: entrances have to be made up, one for each adjoining street, and say so."""
    world = park()
    got = world.run(tmp_path, "park")
    assert {evidence for _, evidence in got.entrances()} == {"assumed"}
    walks = got.walks("park")
    assert walks["h"] == pytest.approx(20 + 150 + 20, abs=METRES)  # opposite the middle
    assert walks["j"] == pytest.approx(20 + 150 + 20, abs=METRES)  # from the south, not round by the north


def test_a_station_is_entered_where_its_entrance_is(tmp_path):
    """valhalla#1053: the exit decides on which side of the tracks one comes out."""
    rules = STANDARD.replace('leisure = ["park"]', 'public_transport = ["station"]')
    world = park()
    world.ways.pop()
    outline(world, "agbcd", public_transport="station")
    world.mark("d", railway="subway_entrance")
    got = world.run(tmp_path, "park", rules=rules)
    assert {kind for kind, _ in got.entrances()} == {"mapped"}
    assert got.walks("park")["j"] == pytest.approx(20 + 50 + 20, abs=METRES)
    assert got.walks("park")["h"] == pytest.approx(20 + 140 + 50 + 20, abs=METRES)


@pytest.mark.parametrize(("tag", "entered"), [("yes", True), ("main", True), ("emergency", False), ("exit", False)])
def test_an_emergency_exit_is_no_way_in(tmp_path, tag, entered):
    world = park()
    world.street("Bg", highway="footway")
    world.mark("d", entrance=tag)
    got = world.run(tmp_path, "park").entrances()
    assert ("mapped" in {kind for kind, _ in got}) is entered
    assert ("crossing" in {kind for kind, _ in got}) is not entered


def test_a_facility_in_the_middle_of_a_block_is_met_there(tmp_path):
    """GHSCI#19: not at the next node."""
    world = street()
    world.stand("a", amenity="school")
    assert world.walks(tmp_path)["h"] == pytest.approx(20 + 30 + 20, abs=METRES)


@pytest.mark.parametrize(("said", "wheels"), [("no", False), ("limited", True), ("yes", True)])
def test_a_place_barred_to_wheelchairs_serves_no_wheelchair(tmp_path, said, wheels):
    """goat#198: ``wheelchair=no``."""
    world = street()
    world.stand("b", amenity="clinic", wheelchair=said)
    assert world.walks(tmp_path, "clinic")["h"] is not None
    assert (world.walks(tmp_path, "clinic", profile="wheelchair")["h"] is not None) is wheels


def test_a_door_barred_to_wheelchairs_is_none_for_them_and_the_other_one_is(tmp_path):
    world = street()
    outline(world, "abkj", amenity="clinic", building="yes")
    world.mark("a", entrance="main", wheelchair="no")
    world.mark("b", entrance="yes", wheelchair="yes")
    walker = world.walks(tmp_path, "clinic")["h"]
    wheels = world.walks(tmp_path, "clinic", profile="wheelchair")["h"]
    assert walker == pytest.approx((20 + 30 + 20) / 1.33, abs=METRES)
    assert wheels == pytest.approx((20 + 70 + 20) / 0.8, abs=METRES)


def test_a_gate_shut_to_all_is_no_entrance(tmp_path):
    world = park()
    world.street("Bg", highway="footway")
    world.mark("g", barrier="gate", access="no")
    assert {kind for kind, _ in world.run(tmp_path, "park").entrances()} == {"nearest"}  # nor is the spot a crossing


def test_a_table_in_chinese_coordinates_is_found_out(tmp_path, monkeypatch):
    """GPXSee#668, osmdroid#1964: 500 m to the south-east without a word."""
    monkeypatch.setattr(datum, "IN_FORCE", (-180, -90, 180, 90))  # as if in China
    world = street()
    for sign in "bde":
        world.stand(sign, amenity="school", name=f"school {sign}")
    lonlats = [np.array(one) for one in zip(*(lonlat(*world.place[sign]) for sign in "bde"), strict=True)]

    def table(name):
        rows = zip("bde", *datum.SHIFTS[name](*lonlats), strict=True)
        text = "".join(f"school {sign},{lon},{lat}\n" for sign, lon, lat in rows)
        (tmp_path / f"{name}.csv").write_text("name,lon,lat\n" + text, encoding="utf-8")
        return {"table": str(tmp_path / f"{name}.csv"), "service": "school"}

    found_out = {"gcj02": "GCJ-02", "bd09": "BD-09"}
    for name, title in found_out.items():
        with pytest.raises(CrsError, match=f"is declared as WGS84, but its places fit {title}.*Say --datum {name}"):
            world.run(tmp_path, facilities=[table(name) | {"datum": "wgs84"}])
        with pytest.raises(CrsError, match=f"not said to be in any datum, so taken for WGS84, but .* {title}"):
            world.run(tmp_path, facilities=[table(name)])
        told = world.run(tmp_path, facilities=[table(name) | {"datum": name}])
        assert told.count("school") == 3  # each the one the map has
        assert set(told.coverage.facilities.source) == {"both"}
    with pytest.raises(CrsError, match="is declared as GCJ-02, but its places fit WGS84"):
        world.run(tmp_path, facilities=[table("wgs84") | {"datum": "gcj02"}])
    insisted = world.run(tmp_path, facilities=[table("wgs84") | {"datum": "gcj02", "check_datum": False}])
    assert insisted.result.about.tables[0]["evidence"]["verdict"] == "overruled"
    assert world.run(tmp_path, facilities=[table("wgs84")]).count("school") == 3


@pytest.mark.xfail(strict=True, raises=ImportError, reason="siting is not built yet")
def test_a_siting_plan_covers_all_it_says():
    """spopt#314: "optimal" with clients uncovered."""
    from lifecircle.plan import siting

    assert siting
