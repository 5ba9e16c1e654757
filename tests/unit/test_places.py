"""Regions by name: what presets and studies say of where, and what the command line makes of it."""

import json
import tomllib

import drawn
import numpy as np
import pytest
import town
from land import land

from lifecircle.errors import DataError, StandardError
from lifecircle.places import Area, Place, RegionPreset
from lifecircle.profiles import check_keys, check_toml, preset_names
from lifecircle.study import Study, StudyFile


@pytest.fixture(scope="module")
def extract(tmp_path_factory):
    return land().write(tmp_path_factory.mktemp("land") / "land.osm.pbf")


def told(error):
    return str(error.value)


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


def test_run_by_place(lived_in, call):
    key = land().key
    code, out, err = call("run", "--place", "测试区", "--zones-level", 8, *inputs(lived_in))
    assert code == 0, err
    summary = json.loads(out)
    assert summary["title"] == "测试区"
    assert list(summary["zones"]) == [*(f"r{key[k]}" for k in ("west", "south", "north")), "rest"]
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
