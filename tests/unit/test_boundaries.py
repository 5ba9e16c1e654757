"""Regions out of an extract: what is found, how it is parted, and what is said of what is not there."""

import json
import tomllib

import drawn
import numpy as np
import pytest
import shapely
import town
from drawn import Drawing

from lifecircle.errors import DataError, StandardError
from lifecircle.places import Area, Place, RegionPreset
from lifecircle.profiles import check_keys, check_toml, preset_names
from lifecircle.region import Region, Zone, geodesic_area
from lifecircle.sources.boundaries import clean, read_region
from lifecircle.study import Study, StudyFile

HOSTILE = "殷行<script>alert(1)</script>\"';\x1b[31m街道\n\u202e"


def corners(x0, y0, x1, y1):
    return ((x0, y0), (x1, y0), (x1, y1), (x0, y1))


AT = {  # corners of an area in metres; neighbours share every corner, as what is straight in metres is not in degrees
    "district": ((0, 0), (1500, 0), (3000, 0), (3000, 1500), (3000, 2900), (3000, 3000), (1500, 3000), (0, 3000)),
    "west": ((0, 0), (1500, 0), (1500, 1500), (1500, 2900), (1500, 3000), (0, 3000)),
    "south": corners(1500, 0, 3000, 1500),
    "north": corners(1500, 1500, 3000, 2900),
    "nobody's": corners(1500, 2900, 3000, 3000),
    "enclave": corners(500, 500, 800, 800),
    "other": ((5000, 0), (6000, 0), (8000, 0), (8000, 3000), (5000, 3000), (5000, 1000)),
    "elsewhere": corners(5000, 0, 6000, 1000),
    "village": corners(5100, 5100, 5200, 5200),
}


class Land(Drawing):
    """A drawing with boundary relations, whose neighbours share ways as in OpenStreetMap."""

    def __init__(self):
        super().__init__()
        self.sides = {}
        self.key = {}

    def ring(self, *corners):
        """Ways around corners, one a side, each drawn once."""
        found = []
        for one, other in zip(corners, (*corners[1:], corners[0]), strict=True):
            side = frozenset((one, other))
            if side not in self.sides:
                self.sides[side] = self.way(one, other)
            found.append(self.sides[side])
        return found

    def box(self, name):
        return self.ring(*AT[name])

    def area_of(self, key, outer, inner=(), **tags):
        members = [("w", way, "outer") for way in outer] + [("w", way, "inner") for way in inner]
        said = {"type": "boundary", "boundary": "administrative"} | drawn.clean(tags)
        self.relations.append((members, said))
        self.key[key] = len(self.relations)


def land(hostile=HOSTILE):
    """Two districts; the first of three subdistricts with a hole, an exclave and a strip that is nobody's."""
    world = Land()
    west, enclave = world.box("west"), world.box("enclave")
    world.area_of("district", world.box("district"), name="测试区", name__en="Test District", admin_level="6")
    world.area_of("west", west, enclave, name="大桥街道", alt_name="西街;Bridge Town", admin_level="8")
    world.area_of(
        "south",
        [*world.box("south"), *enclave],
        name="定海路街道",
        name__en="Dinghai Road",
        name__zh="定海路",
        admin_level="8",
    )
    world.area_of("north", world.box("north"), name=hostile, admin_level="8")
    world.area_of("other", world.box("other"), name="另一区", admin_level="6")
    world.area_of("elsewhere", world.box("elsewhere"), name="大桥街道", admin_level="8")
    world.area_of(
        "broken", [*world.ring((9000, 0), (9500, 0), (9500, 500))[:2], 99_999], name="残街道", admin_level="8"
    )
    world.area_of("open", world.ring((9000, 1000), (9500, 1000), (9500, 1500))[:2], name="开街道", admin_level="8")
    bow = world.ring((9000, 2000), (9500, 2500), (9500, 2000), (9000, 2500))
    for key, level in (("city", "4"), ("core", "8")):
        world.area_of(key, world.box("other"), name="双城", admin_level=level)
    world.area_of("quarter", enclave, boundary="", place="quarter", name="新区")
    world.area_of("crossed", bow, name="叉街道", admin_level="11")
    world.area_of("empty", [], name="空街道", admin_level="11")
    world.area_of("route", world.box("west"), type="route", boundary="", name="环线")
    world.relations = [(members, {k: v for k, v in tags.items() if v}) for members, tags in world.relations]
    world.key["village"] = world.area(
        5100, 5100, 5200, 5200, boundary="administrative", admin_level="10", name="环村", name__en="Ring Village"
    )
    world.key["forest"] = world.area(5300, 5100, 5400, 5200, boundary="protected_area", name="林")
    return world


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


# ---------------------------------------------------------------------------------------------- presets and studies


@pytest.mark.parametrize("name", preset_names("regions"))
def test_every_region_says_what_it_is_and_needs(name):
    preset = RegionPreset.load(name)
    assert preset.name == name
    assert preset.title_zh
    if preset.study is None:
        assert f"lifecircle run {name} --osm " in preset.needs
        assert "https://" in preset.needs
        assert Study.from_region(name, keys={"osm": "x.osm.pbf"}).keys.place == preset.place
    for area in preset.place.areas if preset.place else ():
        assert area.source
        assert area.relation is None or area.status == ("secondary" if name == "shanghai" else "verified")


def test_the_presets_of_shanghai():
    assert set(preset_names("regions")) == {
        "lingang-model", "lingang", "yangpu", "jingan", "baoshan", "jinshan", "shanghai",
    }  # fmt: skip
    towns = {area.relation: area.name for area in RegionPreset.load("lingang").boundary}
    assert towns == {14180411: "南汇新城镇", 14180408: "泥城镇", 14180406: "书院镇", 14180410: "万祥镇"}
    yangpu = RegionPreset.load("yangpu")
    assert [area.name.removesuffix("街道") for area in yangpu.zones] == [
        "定海路", "大桥", "平凉路", "江浦路", "控江路", "延吉新村", "长白新村", "四平路", "殷行", "五角场", "长海路", "新江湾城",
    ]  # fmt: skip
    assert {area.admin_level for area in yangpu.zones} == {8}
    for name in ("yangpu", "jingan", "baoshan", "jinshan"):
        (area,) = RegionPreset.load(name).boundary
        assert (area.admin_level, area.within, area.relation) == (6, "上海市", None)
    assert RegionPreset.load("shanghai").boundary[0].relation == 913067


PRESET = 'schema = 1\nname = "x"\ntitle = "X"\ntitle_zh = "某"\n'
AREA = 'name = "测试区"\nsource = "made up"\nstatus = "unverified"\n'


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('needs = "y"\nhard_barrier = "../../etc/passwd"\n', "hard_barrier is a file inside the folder data"),
        ('study = "/etc/study.toml"\n', "study is a file inside the folder data"),
        ('study = "a/../../b.toml"\n', "inside the folder data"),
        ('study = "C:/b.toml"\n', "inside the folder data"),
        ('study = "..\\\\b.toml"\n', "inside the folder data"),
        ('study = ""\n', "inside the folder data"),
        ('needs = "y"\nstandard = "../x.toml"\n', "standard is a preset by name"),
        ("", "must say what it needs"),
        ('needs = "y"\nzones_level = 8\n', "need a boundary around them"),
        (f'study = "a.toml"\n[[boundary]]\n{AREA}', "not both"),
        ('needs = "y"\n[[boundary]]\nname = "测试区"\n', "'测试区' names no source"),
        ('needs = "y"\n[[boundary]]\nnmae = "测试区"\n', "did you mean 'name'"),
        ('needs = "y"\n[[boundary]]\nsource = "y"\n', "needs a name, or the id"),
        ('needs = "y"\n[[boundary]]\nrelation = -1\nsource = "y"\n', "boundary.0.relation"),
        ('needs = "y"\n[[boundary]]\nrelation = 1\nway = 1\nsource = "y"\n', "a relation or a way"),
        (f'needs = "y"\nzones_level = 8\n[[boundary]]\n{AREA}[[zones]]\n{AREA}', "zones or zones_level, not both"),
        (f'needs = "y"\nname = "../x"\n[[boundary]]\n{AREA}', "not valid TOML"),
    ],
)
def test_a_preset_that_does_not_say_what_it_must(text, words):
    with pytest.raises(StandardError, match=r"x\.toml") as error:
        check_toml(RegionPreset, PRESET + text, origin="x.toml")
    assert words in told(error)


def test_the_name_of_a_preset_is_no_path():
    with pytest.raises(StandardError, match="name"):
        check_toml(RegionPreset, PRESET.replace('"x"', '"../x"') + 'needs = "y"\n', origin="x.toml")


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({}, "say where, in one way"),
        ({"place": "a", "bbox": [1, 2, 3, 4]}, "say where, in one way"),
        ({"place": "a", "boundary": "b.geojson"}, "say where, in one way"),
        ({"place": ""}, "place.boundary.0"),
        ({"place": "   "}, "needs a name"),
        ({"place": 0}, "place.boundary.0.relation"),
        ({"place": "9" * 30}, "no boundary that is"),
        ({"place": 10**18}, "less than"),
        ({"place": True}, "place"),
        ({"place": {"boundary": []}}, "place.boundary"),
        ({"place": {"boundry": ["a"]}}, "did you mean 'boundary'"),
        ({"place": {"boundary": ["a"], "zones_level": 99}}, "place.zones_level"),
        ({"place": {"boundary": [{"name": "a", "level": 8}]}}, "unknown key 'place.boundary.0.level'"),
    ],
)
def test_a_study_that_does_not_say_where(extract, keys, words):
    with pytest.raises((StandardError, DataError)) as error:
        Study.from_keys({"osm": str(extract), **keys}).prepare()
    assert words in told(error)


def test_what_is_said_last_of_where_counts():
    study = Study.from_keys({"osm": "a.osm.pbf", "place": "测试区"})
    assert study.keys.place == Place(boundary=[Area(name="测试区")])
    boxed = study.changed(bbox=[1, 2, 3, 4])
    assert (boxed.keys.place, boxed.keys.bbox) == (None, (1, 2, 3, 4))
    assert boxed.changed(place=7).keys.place == Place(boundary=[Area(relation=7)])
    assert study.changed(year=2000).keys.place == study.keys.place
    assert "测试区" in study._repr_html_()


def test_a_boundary_of_ones_own_wins_over_the_preset():
    for said in ({"bbox": [1, 2, 3, 4]}, {"boundary": "b.geojson"}, {"place": "Monaco"}):
        keys = Study.from_region("lingang", keys={"osm": "a.osm.pbf", **said}).keys
        assert (keys.notice, keys.standard, keys.title_zh) == ("", "lingang-2021", "上海临港产城融合区")
        assert keys.place == (Place(boundary=[Area(name="Monaco")]) if "place" in said else None)
    assert "289.5" in Study.from_region("lingang", keys={"osm": "a.osm.pbf"}).keys.notice


def test_a_place_in_full_in_a_study_file(tmp_path, extract):
    text = f"""
        osm = "{extract}"
        place.boundary = ["测试区"]
        place.zones = ["大桥街道", {{ name = "定海路街道", admin_level = 8 }}]
    """
    (tmp_path / "study.toml").write_text(text, encoding="utf-8")
    keys = Study.from_toml(tmp_path / "study.toml").keys
    assert [area.asked for area in keys.place.areas] == ["'测试区'", "'大桥街道'", "'定海路街道' of admin_level 8"]


# -------------------------------------------------------------------------------------------------- the command line


@pytest.fixture(scope="module")
def lived_in(tmp_path_factory):
    """The land with a street through every zone, clinics, and people on both sides of every border."""
    folder = tmp_path_factory.mktemp("lived")
    world = land()
    world.way((100, 700), (600, 700), (1600, 700), (2900, 700), highway="residential")
    world.way((1600, 700), (1600, 2000), (1600, 2950), highway="residential")
    world.poi(610, 690, amenity="clinic", name="卫生站")
    world.poi(1610, 1990, amenity="clinic", name="卫生院")
    world.write(folder / "land.osm.pbf")
    people = np.full((32, 32), 1.5)
    drawn.raster(folder / "people.tif", people, left=-100, top=3100)
    (folder / "golden.toml").write_text(town.STANDARD, encoding="utf-8")
    return folder


def inputs(folder):
    return (
        "--osm", folder / "land.osm.pbf", "--population", folder / "people.tif", "--standard", folder / "golden.toml",
        "--services", "clinic", "--out", folder / "out", "--json",
    )  # fmt: skip


def test_run_by_place(lived_in, call, world):
    code, out, err = call("run", "--place", "测试区", "--zones-level", 8, *inputs(lived_in))
    assert code == 0, err
    summary = json.loads(out)
    assert summary["title"] == "测试区"
    assert list(summary["zones"]) == [*(f"r{world.key[k]}" for k in ("west", "south", "north")), "rest"]
    assert summary["zones"]["r4"]["name"].isprintable()
    figures = [f for f in summary["figures"] if f["service"] == "clinic" and f["measure"] == "people"]
    whole = [f for f in figures if f["kind"] == "region"]
    parts = [f for f in figures if f["kind"] == "zone"]
    assert (len(whole), len(parts)) == (1, 4)
    for key in ("met", "total", "unknown"):
        assert sum(f[key] for f in parts) == whole[0][key]
    assert whole[0]["total"] == 30 * 30 * 1.5
    assert 0 < whole[0]["met"] < whole[0]["total"]
    manifest = json.loads((lived_in / "out" / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["parameters"]["place"]["boundary"][0]["name"] == "测试区"
    assert manifest["parameters"]["place"]["zones_level"] == 8
    assert set(manifest["inputs"]) == {"osm", "population"}
    assert manifest["timings_s"]["boundary"] > 0
    page = (lived_in / "out" / "index.html").read_text(encoding="utf-8")
    assert "<script>alert(1)" not in page
    assert "\x1b" not in page


def test_check_by_id(lived_in, call):
    where = ("--osm", lived_in / "land.osm.pbf", "--population", lived_in / "people.tif")
    code, out, err = call("check", "--place", "1", *where, "--out", lived_in / "checked", "--json")
    assert code == 0, err
    assert json.loads(out)


USAGE, DATA = 2, 3


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("--place", "测试县"), DATA, "near names"),
        (("--place", "大桥街道"), DATA, "choose one by its id"),
        (("--place", "残街道"), DATA, "not whole"),
        (("--place", ""), USAGE, "place.boundary.0"),
        (("--zones-level", "8"), USAGE, "give one"),
        (("--place", "测试区", "--zones-level", "0"), USAGE, "zones_level"),
        (("--place", "测试区", "--zones-level", "x"), USAGE, "zones-level"),
        (("--place", "测试区", "--bbox", "1,2,3,4"), USAGE, "say where, in one way"),
        (("--place", "测试区", "--boundary", "x.geojson"), USAGE, "say where, in one way"),
        ((), USAGE, "say where, in one way"),
    ],
)
def test_usage(lived_in, call, arguments, code, words):
    for verb in ("run", "check"):
        got, _, err = call(verb, "--osm", lived_in / "land.osm.pbf", *arguments, "--out", lived_in / "none")
        assert (got, words in err) == (code, True), err
        assert "Traceback" not in err
        assert not (lived_in / "none").exists()


def test_a_preset_on_an_extract_of_somewhere_else(lived_in, call):
    code, _, err = call("run", "yangpu", "--osm", lived_in / "land.osm.pbf")
    assert code == DATA
    assert "'杨浦区' of admin_level 6 within '上海市'" in err
    code, _, err = call("run", "lingang", "--osm", lived_in / "land.osm.pbf")
    assert code == DATA
    assert "relation 14180411 '南汇新城镇'" in err


def test_regions_and_info_tell_of_presets(call):
    code, out, _ = call("regions", "--json")
    rows = {row["region"]: row["data"] for row in json.loads(out)}
    assert code == 0
    assert rows["lingang-model"].startswith("ready to run")
    assert "lifecircle run yangpu --osm shanghai-latest.osm.pbf" in rows["yangpu"]
    code, out, _ = call("info", "yangpu")
    assert code == 0
    for word in ("杨浦区", "长海路街道", "unverified", "yangpu-2023", "lifecircle run yangpu --osm"):
        assert word in out
    code, out, _ = call("info", "lingang", "--json")
    assert json.loads(out)["boundary"][0]["relation"] == 14180411
    assert "289.5" in call("info", "lingang")[1]
    assert "ready to run" in call("info", "lingang-model")[1]


@pytest.mark.parametrize("name", ["lingang", "yangpu", "shanghai"])
def test_new_writes_a_study_of_a_region(call, tmp_path, name):
    path = tmp_path / "mine.toml"
    assert call("new", path, "--region", name)[0] == 0
    preset, study = RegionPreset.load(name), Study.from_toml(path)
    bare = [
        [(a.relation, a.name, a.name_en, a.admin_level, a.within) for a in p.areas]
        for p in (preset.place, study.keys.place)
    ]
    assert bare[0] == bare[1]
    keys = study.keys
    assert (keys.name, keys.title, keys.title_zh) == (name, preset.title, preset.title_zh)
    assert (keys.standard, keys.notice, keys.notice_zh) == (preset.standard, preset.notice, preset.notice_zh)
    assert keys.place.zones_level == preset.zones_level


def test_new_without_a_region_and_for_one_with_data(call, tmp_path):
    assert call("new", tmp_path / "my.study.toml")[0] == 0
    raw = tomllib.loads((tmp_path / "my.study.toml").read_text(encoding="utf-8"))
    assert (raw["name"], raw["boundary"]) == ("my.study", "boundary.geojson")
    assert check_keys(StudyFile, raw, origin="study").place is None
    code, _, err = call("new", tmp_path / "b.toml", "--region", "lingang-model")
    assert (code, "nothing to fill in" in err, (tmp_path / "b.toml").exists()) == (USAGE, True, False)
    code, _, err = call("new", tmp_path / "b.toml", "--region", "yangpo")
    assert (code, "did you mean 'yangpu'" in err) == (USAGE, True)
