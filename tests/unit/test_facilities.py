import pytest
from drawn import Drawing, lonlat

from lifecircle.errors import DataError
from lifecircle.model.facilities import Facilities
from lifecircle.model.network import Network
from lifecircle.model.snapping import Snapper
from lifecircle.profiles import check_toml
from lifecircle.region import Region
from lifecircle.sources.osm import read_osm
from lifecircle.standards import Standard

BOX = (*lonlat(-3000, -3000), *lonlat(3000, 3000))
STANDARD = check_toml(
    Standard,
    """\
schema = 1
name = "test"
title = "t"
title_zh = "t"
source = "test"
[services.school]
title = "School"
title_zh = "学校"
profile = "adult"
threshold = { value = 900, source = "x", status = "unverified" }
tags = [{ match = { amenity = ["school"] } }]
[services.clinic]
title = "Clinic"
title_zh = "诊所"
profile = "adult"
threshold = { value = 900, source = "x", status = "unverified" }
tags = [{ match = { amenity = ["clinic"] } }, { match = { healthcare = ["*"] }, name = "卫生" }]
""",
    origin="test",
)


def found(sketch, folder, year=2024):
    sketch.way((-200, 0), (0, 0), (300, 0), highway="residential")
    sketch.poi(-190, 5, amenity="clinic", name="far away from all")
    sketch.poi(-195, 5, amenity="school", name="other school far away")
    data = read_osm(sketch.write(folder / "map.osm.pbf"), BOX)
    network = Network.from_osm(data.ways, data.way_nodes, Region.from_bbox(BOX, name="drawn"))
    made = Facilities.from_osm(data.features, STANDARD, Snapper(network, limit_m=500), year=year)
    return made, {name: count - 1 for name, count in made.count().items()}


def test_node_in_its_polygon_is_one(tmp_path):
    sketch = Drawing()
    sketch.area(0, 20, 100, 90, amenity="school", name="滴水湖小学")
    sketch.poi(50, 50, amenity="school", name="滴水湖 小学")
    made, count = found(sketch, tmp_path)
    assert count["school"] == 1
    assert "w1" in made.facility_id.tolist()


def test_building_in_a_campus_without_a_name_is_the_campus(tmp_path):
    sketch = Drawing()
    sketch.area(0, 20, 100, 90, amenity="school", name="A")
    sketch.area(10, 30, 30, 50, amenity="school", building="school")
    assert found(sketch, tmp_path)[1]["school"] == 1


def test_two_schools_on_one_ground_with_two_names_are_two(tmp_path):
    sketch = Drawing()
    sketch.area(0, 20, 100, 90, amenity="school", name="A")
    sketch.poi(50, 50, amenity="school", name="B")
    assert found(sketch, tmp_path)[1]["school"] == 2


def test_the_same_name_within_75_metres_is_one_and_beyond_is_two(tmp_path):
    sketch = Drawing()
    sketch.poi(0, 10, amenity="clinic", name="申港")
    sketch.poi(70, 10, amenity="clinic", name="申港")
    assert found(sketch, tmp_path)[1]["clinic"] == 1
    sketch = Drawing()
    sketch.poi(0, 10, amenity="clinic", name="申港")
    sketch.poi(80, 10, amenity="clinic", name="申港")
    assert found(sketch, tmp_path)[1]["clinic"] == 2


def test_nameless_neighbours_are_several(tmp_path):
    sketch = Drawing()
    sketch.poi(0, 10, amenity="clinic")
    sketch.poi(5, 10, amenity="clinic")
    assert found(sketch, tmp_path)[1]["clinic"] == 2


def test_several_clinics_in_one_building_are_several(tmp_path):
    sketch = Drawing()
    sketch.area(0, 20, 60, 60, building="yes", name="Medical house")
    for number in range(3):
        sketch.poi(10 + 10 * number, 40, amenity="clinic", name=f"Dr {number}")
    assert found(sketch, tmp_path)[1]["clinic"] == 3


def test_a_multipolygon_is_one(tmp_path):
    sketch = Drawing()
    outer = [sketch.area(0, 20, 60, 60), sketch.area(100, 20, 160, 60)]
    inner = [sketch.area(20, 30, 30, 40)]
    sketch.multipolygon(outer, inner, amenity="school", name="M")
    made, count = found(sketch, tmp_path)
    assert count["school"] == 1
    assert "r1" in made.facility_id.tolist()


def test_a_name_rule_needs_the_name(tmp_path):
    sketch = Drawing()
    sketch.poi(0, 10, healthcare="centre", name="书院社区卫生服务中心")
    sketch.poi(100, 10, healthcare="centre", name="Massage")
    assert found(sketch, tmp_path)[1]["clinic"] == 1


def test_one_facility_may_serve_two_services(tmp_path):
    sketch = Drawing()
    sketch.poi(0, 10, amenity="school", healthcare="clinic", name="卫生学校")
    made, count = found(sketch, tmp_path)
    assert count == {"school": 1, "clinic": 1}
    assert (made.to_geodataframe()["facility_id"] == "n1").sum() == 2


@pytest.mark.parametrize(
    ("tags", "year", "there"),
    [
        ({"amenity": "school", "start_date": "2026"}, 2025, 0),
        ({"amenity": "school", "start_date": "2026"}, 2026, 1),
        ({"amenity": "school", "end_date": "2020-05"}, 2024, 0),
        ({"proposed:amenity": "school", "opening_date": "2030-09"}, 2024, 0),
        ({"proposed:amenity": "school", "opening_date": "2030-09"}, 2035, 1),
        ({"proposed:amenity": "school"}, 2035, 0),
        ({"disused:amenity": "school"}, 2024, 0),
        ({"amenity": "school", "start_date": "C19"}, 2024, 1),
    ],
)
def test_years(tmp_path, tags, year, there):
    sketch = Drawing()
    sketch.poi(0, 10, **tags, name="X")
    assert found(sketch, tmp_path, year=year)[1]["school"] == there


def test_entrances_mapped_beat_crossings_beat_the_nearest_way(tmp_path):
    sketch = Drawing()
    sketch.area(0, 20, 100, 90, amenity="school", name="mapped")
    sketch.node(0, 20, barrier="gate")
    sketch.way((50, 0), (50, 40), highway="footway")
    sketch.area(150, 20, 250, 90, amenity="school", name="crossed")
    sketch.way((200, 0), (200, 40), highway="footway")
    sketch.area(-150, 20, -50, 90, amenity="school", name="assumed")
    made, _ = found(sketch, tmp_path)
    names = made.name[made.joins.place]
    kinds = {name: sorted(set(made.join_kind[names == name])) for name in ("mapped", "crossed", "assumed")}
    assert kinds == {"mapped": ["mapped"], "crossed": ["crossing"], "assumed": ["nearest"]}
    middle = made.joins.leg_m[(names == "assumed") & (made.joins.rank == 0)]
    assert middle == pytest.approx([20.0], abs=0.05)


def test_an_empty_category_is_said(tmp_path):
    sketch = Drawing()
    sketch.way((0, 0), (100, 0), highway="footway")
    sketch.poi(0, 5, amenity="school")
    data = read_osm(sketch.write(tmp_path / "map.osm.pbf"), BOX)
    network = Network.from_osm(data.ways, data.way_nodes, Region.from_bbox(BOX, name="drawn"))
    with pytest.raises(DataError, match=r"no facility for: clinic.*--services"):
        Facilities.from_osm(data.features, STANDARD, Snapper(network, limit_m=500))


def test_capacity_is_unknown_or_a_number(tmp_path):
    sketch = Drawing()
    sketch.poi(0, 10, amenity="clinic", name="beds", beds="120")
    sketch.poi(100, 10, amenity="clinic", name="odd", capacity="many")
    made, _ = found(sketch, tmp_path)
    by_name = dict(zip(made.name, made.capacity, strict=True))
    assert by_name["beds"] == 120
    assert by_name["odd"] != by_name["odd"]


def test_what_is_proposed_stands_beside_what_is_there(tmp_path):
    sketch = Drawing()
    sketch.poi(0, 10, amenity="school", name="now", **{"proposed:amenity": "clinic", "opening_date": "2030"})
    assert found(sketch, tmp_path, year=2024)[1] == {"school": 1, "clinic": 0}
    sketch = Drawing()
    sketch.poi(0, 10, amenity="school", name="now", **{"proposed:amenity": "clinic", "opening_date": "2030"})
    assert found(sketch, tmp_path, year=2030)[1] == {"school": 1, "clinic": 1}
    sketch = Drawing()
    sketch.poi(0, 10, amenity="school", name="now", **{"proposed:name": "new name"})
    assert found(sketch, tmp_path, year=2024)[1]["school"] == 1


@pytest.mark.parametrize(("date", "year", "there"), [("20300101", 2024, 0), ("20300101", 2030, 1), ("~1990", 2024, 1)])
def test_dates_in_other_spellings(tmp_path, date, year, there):
    sketch = Drawing()
    sketch.poi(0, 10, amenity="school", name="X", start_date=date)
    assert found(sketch, tmp_path, year=year)[1]["school"] == there


def test_a_chain_of_one_name_is_not_one(tmp_path):
    sketch = Drawing()
    for number in range(4):
        sketch.poi(60.0 * number, 10, amenity="clinic", name="ATM")
    assert found(sketch, tmp_path)[1]["clinic"] == 2


def test_what_is_merged_keeps_its_doors(tmp_path):
    sketch = Drawing()
    sketch.poi(0, 10, amenity="clinic", name="Quay")
    sketch.poi(70, -10, amenity="clinic", name="Quay")
    made, count = found(sketch, tmp_path)
    assert count["clinic"] == 1
    quay = made.name[made.joins.place] == "Quay"
    assert sorted(made.joins.leg_m[quay].round()) == [10, 10]


def test_a_roof_without_a_name_is_not_the_shops_under_it(tmp_path):
    sketch = Drawing()
    sketch.area(0, 20, 100, 90, amenity="clinic")
    for number in range(3):
        sketch.poi(20.0 + 20 * number, 50, amenity="clinic", name=f"Dr {number}")
    assert found(sketch, tmp_path)[1]["clinic"] == 4


def test_bridges_tunnels_and_emergency_exits_are_no_way_in(tmp_path):
    sketch = Drawing()
    sketch.area(0, 20, 100, 90, amenity="school", name="under a bridge")
    sketch.node(0, 20, entrance="emergency")
    sketch.way((50, 0), (50, 200), highway="footway", bridge="yes", layer="1")
    sketch.way((70, 0), (70, 200), highway="footway", tunnel="yes", layer="-1")
    sketch.way((20, 0), (20, 50), highway="footway")
    made, _ = found(sketch, tmp_path)
    mine = made.name[made.joins.place] == "under a bridge"
    assert made.join_kind[mine].tolist() == ["crossing"]
    assert made.join_evidence[mine].tolist() == ["w4"]


def test_keys_only_the_standard_knows_are_read(tmp_path):
    sketch = Drawing()
    sketch.way((0, 0), (100, 0), highway="footway")
    sketch.poi(0, 5, club="sport")
    path = sketch.write(tmp_path / "map.osm.pbf")
    assert "club" not in {key for tags in read_osm(path, BOX).features["tags"] for key in tags}
    assert "club" in {key for tags in read_osm(path, BOX, keys=["club"]).features["tags"] for key in tags}
