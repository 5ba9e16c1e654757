"""Regions out of an extract: what is found, how it is parted, and what is said of what is not there."""

import drawn
import pytest
import shapely
import town
from land import AT, HOSTILE, Land, land

from lifecircle.errors import DataError
from lifecircle.places import Place
from lifecircle.profiles import check_keys
from lifecircle.region import Region, Zone, geodesic_area
from lifecircle.sources.boundaries import clean, read_region


@pytest.fixture(scope="module")
def world():
    return land()


@pytest.fixture(scope="module", params=[".osm.pbf", ".osm", ".osm.gz", ".osm.bz2"])
def anyhow(request, tmp_path_factory):
    """In every kind of file; XML knows no escape characters."""
    return land(HOSTILE.replace("\x1b", "")).write(tmp_path_factory.mktemp("land") / f"land{request.param}")


@pytest.fixture(scope="module")
def extract(world, tmp_path_factory):
    return world.write(tmp_path_factory.mktemp("land") / "land.osm.pbf")


def outline(*names):
    """Areas as an extract tells them, corners rounded as OpenStreetMap rounds them."""
    return shapely.union_all(
        [shapely.Polygon([[round(v * 1e7) / 1e7 for v in drawn.lonlat(*xy)] for xy in AT[name]]) for name in names]
    )


def place(**said):
    return check_keys(Place, said, origin="place")


def told(error):
    return str(error.value)


DISTRICT = [{"name": "测试区"}]


# ------------------------------------------------------------------------------------------- what is found


def test_a_district_by_name_with_every_subdistrict_as_a_zone(anyhow, world):
    region = read_region(anyhow, place(boundary=DISTRICT, zones_level=8), name="x")
    key = {name: f"r{number}" for name, number in world.key.items()}
    assert [zone.key for zone in region.zones] == [key["west"], key["south"], key["north"], "rest"]
    west, south, north, rest = (zone.geometry for zone in region.zones)
    assert west.equals(outline("west").difference(outline("enclave")))
    assert len(west.interiors) == 1
    assert south.equals(outline("south", "enclave"))
    assert len(south.geoms) == 2
    assert north.equals(outline("north"))
    assert rest.equals(outline("nobody's"))
    assert region.boundary.equals(outline("district"))
    assert sum(geodesic_area(zone.geometry) for zone in region.zones) == pytest.approx(region.area_m2, rel=1e-9)


def test_names_of_zones_come_from_the_tags(extract):
    region = read_region(extract, place(boundary=DISTRICT, zones_level=8), name="x")
    names = [(zone.name, zone.name_zh) for zone in region.zones]
    shown = "殷行<script>alert(1)</script>\"'; [31m街道"
    assert names == [("大桥街道", "大桥街道"), ("Dinghai Road", "定海路"), (shown, shown), ("rest", "剩余")]


def test_a_preset_names_in_english_what_the_tags_do_not(extract):
    zones = [{"name": "大桥街道", "name_en": "Daqiao"}, {"name": "定海路街道", "name_en": "unused"}]
    region = read_region(extract, place(boundary=DISTRICT, zones=zones), name="x")
    assert [zone.name for zone in region.zones] == ["Daqiao", "Dinghai Road", "rest"]


@pytest.mark.parametrize(
    ("asked", "key"),
    [
        ("测试区", "district"),
        ("test district", "district"),
        (" TEST  DISTRICT ", "district"),
        ("Ｔｅｓｔ District", "district"),
        ({"name": "大桥街道", "within": "测试区"}, "west"),
        ({"name": "大桥街道", "within": "另一区"}, "elsewhere"),
        ("bridge town", "west"),
        ("西街", "west"),
        (1, "district"),
        ("1", "district"),
        ("r1", "district"),
        ({"name": "双城", "admin_level": 4}, "city"),
        ({"name": "双城", "admin_level": 8, "within": {"of": "other"}}, "core"),
        ({"relation": {"of": "quarter"}}, "quarter"),
        ({"name": HOSTILE}, "north"),
    ],
)
def test_an_area_is_found(extract, world, asked, key):
    if isinstance(asked, dict):
        asked = {k: world.key[v["of"]] if isinstance(v, dict) else v for k, v in asked.items()}
    region = read_region(extract, place(boundary=[asked]), name="x")
    assert [zone.key for zone in region.zones] == [f"r{world.key[key]}"]


def test_a_closed_way_is_an_area_too(extract, world):
    village, forest = (f"w{world.key[key]}" for key in ("village", "forest"))
    for asked in ("环村", village):
        (zone,) = read_region(extract, place(boundary=[asked]), name="x").zones
        assert (zone.key, zone.name, zone.name_zh) == (village, "Ring Village", "环村")
        assert zone.geometry.equals(outline("village"))
    assert [zone.key for zone in read_region(extract, place(boundary=[forest]), name="x").zones] == [forest]


def test_several_areas_are_one_boundary_and_its_zones(extract, world):
    region = read_region(extract, place(boundary=["定海路街道", "另一区"], overlays=["环村"]), name="x")
    assert [zone.key for zone in region.zones] == [f"r{world.key[k]}" for k in ("south", "other")]
    assert region.boundary.equals(outline("south", "enclave", "other"))
    assert [zone.key for zone in region.overlays] == [f"w{world.key['village']}"]


def test_of_two_zones_of_a_name_the_one_inside_the_boundary_is_meant(extract, world):
    for boundary, key in (("测试区", "west"), ("另一区", "elsewhere")):
        region = read_region(extract, place(boundary=[boundary], zones=["大桥街道"]), name="x")
        assert [zone.key for zone in region.zones] == [f"r{world.key[key]}", "rest"]


def test_an_id_that_is_gone_falls_back_on_the_name(extract, world, caplog):
    region = read_region(extract, place(boundary=[{"relation": 777, "name": "测试区"}]), name="x")
    assert region.zones[0].key == f"r{world.key['district']}"
    assert "relation 777 '测试区' is not in land.osm.pbf" in caplog.text


def test_an_id_that_is_called_otherwise_is_told_of(extract, caplog):
    region = read_region(extract, place(boundary=[{"relation": 1, "name": "上海县"}]), name="x")
    assert region.zones[0].key == "r1"
    assert "is now called otherwise: relation 1 '测试区'" in caplog.text
    caplog.clear()
    read_region(extract, place(boundary=[{"relation": 1, "name": "TEST district"}]), name="x")
    assert not caplog.text


def test_what_cannot_be_told_is_said(extract, world, caplog):
    region = read_region(extract, place(boundary=[{"name": "测试区", "within": "上海市"}]), name="x")
    assert region.zones[0].key == f"r{world.key['district']}"
    assert "does not hold '上海市' whole" in caplog.text


def test_a_ring_of_a_relation_is_not_a_second_area(tmp_path):
    world = Land()
    ring = world.area(0, 0, 1000, 1000, boundary="administrative", admin_level="8", name="一街道")
    world.area_of("one", [ring], name="一街道", admin_level="8")
    path = world.write(tmp_path / "a.osm.pbf")
    assert [zone.key for zone in read_region(path, place(boundary=["一街道"]), name="x").zones] == ["r1"]
    region = read_region(path, place(boundary=["r1"], zones_level=8), name="x")
    assert [zone.key for zone in region.zones] == ["r1"]


def test_zones_of_a_level_that_are_not_whole_are_told_of(tmp_path, caplog):
    world = Land()
    corners = [(0, 0), (2000, 0), (2000, 1000), (0, 1000)]
    world.area_of("all", world.ring(*corners), name="全区", admin_level="6")
    world.area_of("half", world.ring((0, 0), (1000, 0), (1000, 1000), (0, 1000)), name="半街道", admin_level="8")
    world.area_of("torn", [world.ring(*corners)[1], 99_999], name="破街道", admin_level="8")
    region = read_region(world.write(tmp_path / "a.osm.pbf"), place(boundary=["全区"], zones_level=8), name="x")
    assert [zone.key for zone in region.zones] == ["r2", "rest"]
    assert "破街道" in caplog.text


def test_the_file_can_be_read_whatever_its_ids(tmp_path):
    """Ids that no server gave, as editors write them, are passed over and never asked osmium for."""
    world = land(hostile="x")
    world.area_of("far", [10**15, *world.box("west")], name="远街道", admin_level="8")
    path = world.write(tmp_path / "a.osm")
    text = path.read_text(encoding="utf-8").replace('<relation id="3"', '<relation id="-3"')
    path.write_text(text, encoding="utf-8")
    assert read_region(path, place(boundary=["测试区"]), name="x").zones[0].key == "r1"
    with pytest.raises(DataError, match=r"'远街道'.*not whole"):
        read_region(path, place(boundary=["远街道"]), name="x")


# ----------------------------------------------------------------------------------------- what is said of the rest


def failing(extract, world):
    """Cases: what is asked, and words of the message."""
    key = world.key
    return {
        "no such name": ({"boundary": ["测试县"]}, ["no boundary that is '测试县'", "near names: relation 1 '测试区' (admin_level 6)"]),
        "part of a name": ({"boundary": ["测试"]}, ["near names", "'测试区'"]),
        "other level": (
            {"boundary": [{"name": "测试区", "admin_level": 4}]}, ["'测试区' of admin_level 4", "relation 1 '测试区' (admin_level 6)"],
        ),
        "nothing near": ({"boundary": ["Zzz"]}, ["no boundary that is 'Zzz'; check the spelling"]),
        "no such id": ({"boundary": [123456]}, ["relation 123456; take an extract that covers it"]),
        "no such way": ({"boundary": ["w123456"]}, ["way 123456;"]),
        "no boundary": ({"boundary": [key["route"]]}, ["it is there", "type='route'", "encloses no boundary or place"]),
        "a street by way": ({"boundary": ["w1"]}, ["way 1 (it is there, without tags"]),
        "a place by name": ({"boundary": ["新区"]}, ["no boundary that is '新区'"]),
        "not there, but elsewhere": (
            {"boundary": [{"name": "定海路街道", "within": "另一区"}]},
            ["'定海路街道' within '另一区'", "elsewhere there are relation 3 '定海路街道'"],
        ),
        "two of a name": (
            {"boundary": ["大桥街道"]},
            ["2 areas", f"relation {key['west']} ", f"relation {key['elsewhere']} ", "(admin_level 8)", "--place ID"],
        ),
        "two of a name by level": (
            {"boundary": ["双城"]}, [f"relation {key['city']} '双城' (admin_level 4)", f"relation {key['core']} '双城' (admin_level 8)"],
        ),
        "not whole": (
            {"boundary": ["残街道"]},
            [f"relation {key['broken']} '残街道' (admin_level 8) is not whole", "lacks 1 of its 3 ways", "covers the place whole"],
        ),
        "not whole by id": ({"boundary": [key["broken"]]}, ["lacks 1 of its 3 ways"]),
        "zone not whole": ({"boundary": DISTRICT, "zones": ["残街道"]}, ["lacks 1 of its 3 ways"]),
        "open ring": ({"boundary": ["开街道"]}, ["'开街道' (admin_level 8) is whole", "(2 ways)", "drawn wrong"]),
        "crossing itself": ({"boundary": ["叉街道"]}, ["(4 ways)", "do not cross", "drawn wrong"]),
        "of no ways": ({"boundary": ["空街道"]}, ["(0 ways)", "drawn wrong"]),
        "no zone of the level": (
            {"boundary": DISTRICT, "zones_level": 9}, ["no whole area of admin_level 9", "4 (1), 6 (2), 8 (7), 10 (1), 11 (2)"],
        ),
        "zone outside": ({"boundary": DISTRICT, "zones": ["另一区"]}, ["'另一区' (r5) lies outside the boundary"]),
        "zones overlap": (
            {"boundary": ["另一区"], "zones": ["大桥街道", "r9"]}, ["(r6) and '双城' (r9) overlap", "overlay"],
        ),
        "a zone is an overlay": ({"boundary": DISTRICT, "overlays": DISTRICT}, ["unique", "r1"]),
        "a hostile name": (
            {"boundary": [{"name": "殷行\x1b[31m\n"}]}, ["'殷行\\x1b[31m\\n'", "[31m街道"],
        ),
    }  # fmt: skip


@pytest.mark.parametrize("case", failing(None, land()))
def test_one_clear_message(extract, world, case):
    said, words = failing(extract, world)[case]
    with pytest.raises(DataError) as error:
        read_region(extract, place(**said), name="x")
    for word in words:
        assert word in told(error)
    assert told(error).isprintable()
    assert len(told(error)) < 1000


def test_nodes_may_be_missing_too(tmp_path):
    world = land(hostile="x")
    path = world.write(tmp_path / "a.osm")
    number = world.at[(3000, 3000)]
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if f'<node id="{number}"' not in line]
    path.write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(DataError, match="lacks 1 of the nodes of its ways"):
        read_region(path, place(boundary=DISTRICT), name="x")


def test_none_of_several_is_whole(tmp_path):
    world = Land()
    for level in ("2", "8"):
        world.area_of(level, [*world.ring((0, 0), (500, 0), (500, 500))[:2], 99_999], name="摩纳哥", admin_level=level)
    with pytest.raises(
        DataError, match=r"no whole area that is '摩纳哥', only parts of relation 1 .* relation 2 .*whole"
    ):
        read_region(world.write(tmp_path / "a.osm.pbf"), place(boundary=["摩纳哥"]), name="x")


def test_an_extract_without_boundaries(tmp_path):
    with pytest.raises(DataError, match="nor any other"):
        read_region(town.draw(tmp_path).parent / "town.osm.pbf", place(boundary=["x"]), name="x")


@pytest.mark.parametrize("text", ["hello\n" * 99, ""])
def test_a_damaged_file(tmp_path, text):
    (tmp_path / "a.osm.pbf").write_text(text)
    with pytest.raises(DataError, match=r"a\.osm\.pbf"):
        read_region(tmp_path / "a.osm.pbf", place(boundary=["x"]), name="x")
    with pytest.raises(DataError, match="there is no OSM file"):
        read_region(tmp_path / "b.osm.pbf", place(boundary=["x"]), name="x")
    with pytest.raises(DataError, match="no OSM file by its name"):
        read_region(tmp_path / "a.tif", place(boundary=["x"]), name="x")


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("大桥街道", "大桥街道"),
        ("a\x00b\x1b[2J\r\nc", "a b [2J c"),
        ("\u202eabc\u2066", "abc"),
        ("می\u200cرود", "می\u200cرود"),
        ("x" * 999, "x" * 255),
        ("\ud800", ""),
    ],
)
def test_names_are_one_line_of_visible_characters(text, cleaned):
    assert clean(text) == cleaned


# ----------------------------------------------------------------------------------------------- how it is parted


def box(key, x0, y0, x1, y1):
    return Zone(key, key, key, shapely.box(x0, y0, x1, y1))


def test_slivers_go_to_the_zone_that_comes_first():
    boundary = shapely.box(0, 0, 2, 1)
    zones = [box("a", 0, 0, 1.001, 1), box("b", 0.999, 0, 2, 1)]
    one, other = Region.from_areas("x", boundary, zones, overlays=[]).zones
    assert (one.geometry.bounds, other.geometry.bounds) == ((0, 0, 1.001, 1), (1.001, 0, 2, 1))
    other, one = Region.from_areas("x", boundary, zones[::-1], overlays=[]).zones
    assert (one.geometry.bounds, other.geometry.bounds) == ((0, 0, 0.999, 1), (0.999, 0, 2, 1))


@pytest.mark.parametrize(("gap", "keys"), [(1e-7, ["a"]), (1e-3, ["a", "rest"])])
def test_the_rest_is_a_zone_if_it_is_more_than_a_sliver(gap, keys):
    region = Region.from_areas("x", shapely.box(0, 0, 0.1 + gap, 0.1), [box("a", 0, 0, 0.1, 0.1)], overlays=[])
    assert [zone.key for zone in region.zones] == keys
    assert sum(geodesic_area(zone.geometry) for zone in region.zones) == pytest.approx(region.area_m2, rel=1e-12)


def test_a_zone_is_cut_to_the_boundary():
    region = Region.from_areas("x", shapely.box(0, 0, 1, 1), [box("a", 0, 0, 1.5, 1)], overlays=[box("o", 0, 0, 2, 2)])
    assert region.zones[0].geometry.equals(shapely.box(0, 0, 1, 1))
    assert region.overlays[0].geometry.equals(shapely.box(0, 0, 2, 2))
