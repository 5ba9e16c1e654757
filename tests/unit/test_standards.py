import itertools
import json
from importlib import resources

import pytest
import town

from lifecircle.errors import StandardError
from lifecircle.places import RegionPreset
from lifecircle.profiles import Profile, check_toml, preset_names
from lifecircle.standards import Standard, TagRule
from lifecircle.study import Study, StudyFile


@pytest.mark.parametrize("name", preset_names("profiles"))
def test_every_profile_loads_and_tells_its_source(name):
    profile = Profile.load(name)
    assert profile.name == name
    assert profile.unit == "m" or len(profile.speed_mps.source) > 20


@pytest.mark.parametrize("name", preset_names("standards"))
def test_every_standard_loads_and_names_profiles_that_exist(name):
    standard = Standard.load(name)
    assert standard.name == name
    for service in standard.services.values():
        assert service.profile in preset_names("profiles")
        assert service.threshold.source
        assert service.title
        assert service.title_zh


def test_the_default_standard_has_the_nine_services():
    assert list(Standard.load("xminute-generic").services) == [
        "outdoor", "learning", "supplies", "eating", "moving", "cultural", "physical_exercise", "services", "healthcare",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "model"),
    [("standard", Standard), ("profile", Profile), ("study", StudyFile), ("region", RegionPreset)],
)
def test_the_published_schemas_are_those_of_the_models(name, model):
    text = (resources.files("lifecircle") / "presets" / "schemas" / f"{name}.json").read_text(encoding="utf-8")
    assert json.loads(text) == model.model_json_schema(by_alias=True)


@pytest.mark.parametrize(
    ("rule", "tags", "fits"),
    [
        ({"match": {"shop": ["*"]}}, {"shop": "supermarket"}, True),
        ({"match": {"shop": ["*"]}}, {"shop": "no"}, False),
        ({"match": {"sport": ["tennis"]}}, {"sport": "soccer; tennis"}, True),
        (
            {"match": {"leisure": ["park"]}, "unless": {"access": ["private"]}},
            {"leisure": "park", "access": "private"},
            False,
        ),
        (
            {"match": {"amenity": ["clinic"]}, "name": "卫生服务中心"},
            {"amenity": "clinic", "name": "申港社区卫生服务中心"},
            True,
        ),
        (
            {"match": {"amenity": ["clinic"]}, "name": "卫生服务中心"},
            {"amenity": "clinic", "operator": "卫生服务中心"},
            False,
        ),
        ({"match": {"amenity": ["school"], "isced:level": ["1"]}}, {"amenity": "school"}, False),
    ],
)
def test_tag_rules(rule, tags, fits):
    assert TagRule(**rule).fits(tags) is fits


def test_another_walker_leaves_metre_rules_alone():
    standard = Standard.load("xminute-generic")
    services = dict(standard.services)
    services["eating"] = services["eating"].model_copy(update={"profile": "metres"})
    changed = standard.model_copy(update={"services": services}).walked_by("frail")
    assert changed.services["eating"].profile == "metres"
    assert {s.profile for key, s in changed.services.items() if key != "eating"} == {"frail"}


def test_a_time_profile_needs_a_speed_and_a_distance_rule_has_none():
    with pytest.raises(StandardError, match="needs speed_mps"):
        check_toml(Profile, 'schema = 1\nname = "x"\ntitle = "x"\ntitle_zh = "x"\nunit = "s"', origin="x")
    head = 'schema = 1\nname = "metres"\ntitle = "x"\ntitle_zh = "x"\n'
    with pytest.raises(StandardError, match="neither speed nor slope"):
        check_toml(Profile, head + 'unit = "m"\nslope = "tobler"', origin="x")
    speed = 'speed_mps = { value = 1, source = "x", status = "unverified" }'
    with pytest.raises(StandardError, match="belongs to the distance rule"):
        check_toml(Profile, head + 'unit = "s"\n' + speed, origin="x")


def test_a_speed_in_kilometres_an_hour_and_numbers_that_are_texts_are_refused():
    head = 'schema = 1\nname = "x"\ntitle = "x"\ntitle_zh = "x"\nunit = "s"\n'
    for value, said in (("4.8", "5 km/h are 1.39"), ('"1.3"', "number")):
        speed = f'speed_mps = {{ value = {value}, source = "x", status = "unverified" }}'
        with pytest.raises(StandardError, match=said):
            check_toml(Profile, head + speed, origin="x")
    standard = Standard.load("xminute-generic").model_dump(by_alias=True)
    standard["services"]["eating"]["threshold"]["value"] = "900"
    with pytest.raises(ValueError, match="number"):
        Standard.model_validate(standard)


def test_a_threshold_in_minutes_is_no_walk(tmp_path):
    study = Study.from_toml(town.draw(tmp_path))
    text = (tmp_path / "golden.toml").read_text(encoding="utf-8")
    (tmp_path / "golden.toml").write_text(text.replace("value = 240", "value = 15"), encoding="utf-8")
    with pytest.raises(StandardError, match=r"clinic should be within 15 s.*15 minutes are 900"):
        study.prepare()


@pytest.mark.parametrize("key", ["all", "met", "buildings"])
def test_service_keys_that_are_columns_are_refused(key):
    text = Standard.load("xminute-generic").model_dump(by_alias=True)
    text["services"] = {key: text["services"]["eating"]}
    with pytest.raises(ValueError, match="choose another"):
        Standard.model_validate(text)


def test_service_keys_are_snake_case():
    text = Standard.load("xminute-generic").model_dump(by_alias=True)
    text["services"] = {"Bad-Key": text["services"]["eating"]}
    with pytest.raises(ValueError, match="snake_case"):
        Standard.model_validate(text)


@pytest.mark.parametrize("name", preset_names("standards"))
def test_the_reader_of_many_objects_says_what_the_rules_say(name):
    standard = Standard.load(name)
    read = standard.reader()
    rules = [rule for service in standard.services.values() for rule in service.tags]
    things = [{key: values[0].replace("*", "any") for key, values in rule.match.items()} for rule in rules]
    things += [{**one, **other} for one, other in itertools.pairwise(things)]
    for tags in things:
        for area in (0.0, 3000.0, 60000.0):
            for within in (lambda _: False, lambda _: True):
                assert read(tags, lambda area=area: area, within) == standard.serves(tags, area, within)


def test_no_area_is_taken_of_what_no_rule_asks_the_area_of():
    def area():
        raise AssertionError

    read = Standard.load("gb50180-2018").reader()
    assert read({"building": "apartments"}, area, lambda _: False) == []
    assert read({"amenity": "kindergarten"}, area, lambda _: False) == ["kindergarten"]
