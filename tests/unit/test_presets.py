"""The planning standards shipped as data: what they say, how sure they are, and what their tags find."""

import json

import pytest
from typer.testing import CliRunner

from lifecircle.cli import app
from lifecircle.profiles import Profile, preset_names
from lifecircle.standards import ANY, Standard, TagRule

NAMES = [
    "gb50180-2018", "tdt1062-2021", "shanghai-2016", "shanghai-2024-draft", "lingang-2021", "commerce-quarter-hour",
    "city-health-check-2025", "embedded-services", "yangpu-2023", "jingan-2018", "north-south-2022",
]  # fmt: skip

LEFT_OUT_OF_GB = 15
"""Rows of the facility tables that are utilities, parking, property management, or that nobody walks to."""

GB_VERIFIED = {
    ("junior_middle_school", 1000),
    ("primary_school", 500),
    ("large_sports_ground", 1000),
    ("medium_sports_ground", 500),
    ("cultural_centre", 1000),
    ("elderly_day_care", 300),
    ("kindergarten", 500),  # of 建标175-2016 and JGJ 39, beside the 300 of GB 50180
}
GB_SECONDARY = {
    ("health_centre", 1000), ("outpatient_clinic", 1000), ("service_centre", 1000), ("market", 500),
    ("rail_station", 800), ("bus_stop", 500), ("kindergarten", 300), ("health_station", 500),
    ("neighbourhood_shops", 300),
}  # fmt: skip
GB_SIZES_VERIFIED = {
    ("large_sports_ground", "land_m2", 3150, 5620),
    ("cultural_centre", "floor_m2", 3000, 6000),
    ("cultural_centre", "land_m2", 3000, 12000),
    ("primary_school", "classes", None, 36),
    ("elderly_day_care", "floor_m2", 350, 750),
}


@pytest.fixture(scope="module")
def standards():
    return {name: Standard.load(name) for name in NAMES}


@pytest.fixture(scope="module")
def gb(standards):
    return standards["gb50180-2018"]


def said(standard):
    """Every threshold and alternative of a standard, with its service."""
    return [(key, one) for key, s in standard.services.items() for one in (s.threshold, *s.alternatives)]


def rows(gb):
    """Facilities of GB 50180-2018, without its parks: those have an area and no radius."""
    return {key: service for key, service in gb.services.items() if not key.startswith("park_")}


def of_status(standard, status):
    return {(key, one.value) for key, one in said(standard) if one.status == status}


def sourced(standard):
    """Whatever a standard states with a source."""
    for key, service in standard.services.items():
        yield from ((key, one) for one in (service.threshold, *service.alternatives, *service.sizes))
        if service.mark is not None:
            yield key, service.mark
        yield from ((key, one) for one in (*service.by_zone_class.values(), *service.by_profile.values()))
    for table in (standard.composites, standard.together, standard.norms, standard.promises):
        yield from table.items()


def test_all_are_shipped():
    assert set(NAMES) <= set(preset_names("standards"))


@pytest.mark.parametrize("name", NAMES)
def test_a_preset_loads_with_a_legal_standing_and_a_note(name, standards):
    standard = standards[name]
    assert standard.name == name
    assert len(standard.note) > 60
    assert len(standard.note_zh) > 30
    assert standard.title_zh
    legal = {
        "gb50180-2018": "in force", "tdt1062-2021": "in force", "shanghai-2016": "trial",
        "shanghai-2024-draft": "draft", "lingang-2021": "plan", "commerce-quarter-hour": "none",
        "city-health-check-2025": "trial", "embedded-services": "trial", "yangpu-2023": "plan", "jingan-2018": "plan",
        "north-south-2022": "plan",
    }  # fmt: skip
    assert standard.legal == legal[name]


@pytest.mark.parametrize("name", NAMES)
def test_every_number_has_a_source_and_a_status(name, standards):
    for key, one in sourced(standards[name]):
        assert len(one.source) >= 20, key
        assert one.status in {"verified", "secondary", "unverified"}, key
        if one.status == "unverified":
            assert any(word in one.source for word in ("editable", "none given", "recalled")), (key, one.source)
        if one.status == "verified":
            assert "recalled" not in one.source, key
            assert "secondary text" not in one.source, key


@pytest.mark.parametrize("name", NAMES)
def test_services_are_walked_by_known_profiles_and_may_lack(name, standards):
    for key, service in standards[name].services.items():
        unit = Profile.load(service.profile).unit
        assert service.may_lack, key
        values = [one.value for one in (service.threshold, *service.alternatives)]
        assert len(set(values)) == len(values), key  # one value could not be told from the other when chosen
        assert all(value in {300, 600, 900} for value in values) or unit == "m", key


@pytest.mark.parametrize("name", NAMES)
def test_no_alternative_is_lost_when_it_is_chosen(name, standards):
    for key, service in standards[name].services.items():
        for one in service.alternatives:
            chosen = standards[name].choosing({key: one.value}).services[key]
            assert chosen.threshold == one
            assert service.threshold in chosen.alternatives


@pytest.mark.parametrize("name", NAMES)
def test_the_command_line_shows_it(name):
    shown = CliRunner().invoke(app, ["standards", "show", name])
    assert shown.exit_code == 0, shown.output
    for key in Standard.load(name).services:
        assert key[:8] in shown.output
    as_json = CliRunner().invoke(app, ["standards", "show", name, "--json"])
    assert Standard.model_validate(json.loads(as_json.output)) == Standard.load(name)


def test_the_command_line_lists_them():
    listed = CliRunner().invoke(app, ["standards", "--json"])
    assert listed.exit_code == 0
    assert all(name in listed.output for name in NAMES)


# ------------------------------------------------------------------------------------------------ GB 50180-2018


def test_gb_claims_as_verified_what_was_read_and_nothing_else(gb):
    parks = {("park_10", 500), ("park_5", 300)}  # of the sister standard the ministry quotes
    assert of_status(gb, "verified") == GB_VERIFIED | parks
    assert of_status(gb, "secondary") == GB_SECONDARY | {("park_15", 1000)}
    assert len(of_status(gb, "unverified")) == len(said(gb)) - len(GB_VERIFIED) - len(GB_SECONDARY) - 3


def test_gb_marks_and_sizes_claim_no_more_than_was_read(gb):
    marks = {(key, s.mark.value, s.mark.status) for key, s in rows(gb).items() if s.mark.status != "unverified"}
    assert marks == {
        ("large_sports_ground", "required", "verified"),
        ("cultural_centre", "required", "verified"),
        ("elderly_day_care", "required", "secondary"),
    }
    sizes = {(k, z.of, z.least, z.most) for k, s in gb.services.items() for z in s.sizes if z.status == "verified"}
    assert sizes == GB_SIZES_VERIFIED | {("park_10", "land_m2", 10_000, None), ("park_5", "land_m2", 4_000, None)}
    halves = {(k, z.of, z.least) for k, s in gb.services.items() for z in s.sizes if z.status == "secondary"}
    assert halves == {
        ("health_centre", "floor_m2", 1700), ("nursing_care_home", "floor_m2", 3500), ("service_centre", "floor_m2", 700),
        ("judicial_office", "floor_m2", 80), ("service_station", "floor_m2", 600), ("outdoor_fitness", "land_m2", 150),
        ("health_station", "floor_m2", 120), ("public_toilet", "floor_m2", 30), ("convenience_shop", "floor_m2", 50),
        ("park_15", "land_m2", 50_000),
    }  # fmt: skip
    assert all(z.most is None for s in gb.services.values() for z in s.sizes if z.status == "secondary")


def test_gb_rows_are_complete_and_in_their_tiers(gb):
    assert len(rows(gb)) == 56 - LEFT_OUT_OF_GB
    tiers = {tier: [key for key, s in rows(gb).items() if s.tier == tier] for tier in ("15", "10", "5", "block")}
    assert {tier: len(keys) for tier, keys in tiers.items()} == {"15": 16, "10": 8, "5": 12, "block": 5}
    assert tiers["block"] == ["play_ground", "fitness_equipment", "convenience_shop", "parcel_point", "refuse_point"]
    assert all(s.profile == "metres" for s in gb.services.values())
    as_needed = {key for key, s in rows(gb).items() if s.mark.value == "as_needed"}
    assert as_needed == {
        "sports_hall", "police_station", "gym", "rail_station", "bus_terminus", "canteen", "nursery", "health_station",
    }  # fmt: skip
    for service in rows(gb).values():
        assert service.mark.strength == {"required": "应", "as_needed": "可"}[service.mark.value]


def test_gb_radii_are_advisory_and_a_row_without_one_says_so(gb):
    without = {key for key, s in rows(gb).items() if "no radius" in s.threshold.source}
    assert without == {
        "residential_care_home", "nursing_care_home", "judicial_office", "bus_terminus", "eating_place", "bank",
        "telecom", "canteen", "recycling_point", "public_toilet", "play_ground", "fitness_equipment",
        "convenience_shop", "parcel_point",
    }  # fmt: skip
    for key, service in rows(gb).items():
        reach = service.threshold
        if key in without:
            assert (reach.status, reach.strength) == ("unverified", "none")
            assert reach.value == {"15": 1000, "10": 500, "5": 300, "block": 300}[service.tier]
            assert "3.0.4" in reach.source
        else:
            assert reach.strength == "不宜"


def test_gb_has_alternatives_only_where_texts_disagree(gb):
    assert {key: [one.value for one in s.alternatives] for key, s in gb.services.items() if s.alternatives} == {
        "kindergarten": [500],
        "health_station": [500],
    }
    assert gb.services["kindergarten"].threshold.value == gb.services["health_station"].threshold.value == 300


def test_gb_green_is_per_thousand_and_as_sure_as_the_text(gb):
    assert {key: (n.least, n.status) for key, n in gb.norms.items()} == {
        "green_15": (2000, "verified"),
        "green_10": (1000, "secondary"),
        "green_5": (1000, "verified"),
        "green_block_new": (500, "verified"),
        "green_block_renewal": (350, "verified"),
        "police_floor": (32, "secondary"),
    }
    assert {key: n.renewal_share for key, n in gb.norms.items() if n.renewal_share} == dict.fromkeys(
        ("green_15", "green_10", "green_5"), 0.7
    )
    assert {key: n.applies_to for key, n in gb.norms.items() if n.applies_to != "any"} == {
        "green_block_new": "new", "green_block_renewal": "existing",
    }  # fmt: skip
    assert "70 %" in gb.note
    assert all(t.within_m == 300 and t.status == "unverified" for t in gb.together.values())


# ------------------------------------------------------------------------------------------------ the others


@pytest.mark.parametrize("name", ["tdt1062-2021", "shanghai-2016", "shanghai-2024-draft", "commerce-quarter-hour", "embedded-services"])  # fmt: skip
def test_what_was_read_in_secondary_texts_only_is_nowhere_verified(name, standards):
    assert not [(key, one) for key, one in sourced(standards[name]) if one.status == "verified"]


def test_tdt_has_the_radii_found(standards):
    assert of_status(standards["tdt1062-2021"], "secondary") == {
        ("health_centre", 1000), ("outpatient_clinic", 1000), ("service_centre", 1000), ("primary_school", 500),
        ("market", 500), ("neighbourhood_shops", 300), ("health_station", 500),
    }  # fmt: skip
    assert {s.tier for s in standards["tdt1062-2021"].services.values()} == {"15", "5-10"}


def test_shanghai_2016_takes_the_outer_value_and_keeps_the_inner_one(standards):
    values = {"5": [300, 200], "10": [500], "15": [1000, 800]}
    for service in standards["shanghai-2016"].services.values():
        assert [service.threshold.value, *(one.value for one in service.alternatives)] == values[service.tier]


def test_shanghai_2024_lets_the_zone_be_chosen(standards):
    draft = standards["shanghai-2024-draft"]
    for key in ("party_mass", "employment", "medical", "elderly_care", "childcare"):
        service = draft.services[key]
        assert [service.value_in(name) for name in ("", "new_city", "new_town")] == [1000, 1500, 5000]
        assert "main city" in service.threshold.source
        assert "新城" in service.by_zone_class["new_city"].source
        assert "新市镇" in service.by_zone_class["new_town"].source
        assert {one.mode for one in service.by_zone_class.values()} == {"walk_or_cycle"}
    assert [draft.services["bus_stop"].value_in(name) for name in ("", "inner_ring")] == [500, 300]


def test_lingang_says_what_the_plan_leaves_open(standards):
    plan = standards["lingang-2021"]
    assert of_status(plan, "verified") == {("elderly_circle", 900)}
    assert plan.services["elderly_circle"].profile == "senior"
    assert {key: (n.least, n.status, n.service) for key, n in plan.norms.items()} == {
        "gps": (0.45, "verified", "community_health"),
        "elderly_floor": (40, "verified", "elderly_care"),
        "elderly_floor_city": (50, "secondary", "elderly_care"),
    }
    near = plan.together["elderly_care_near_health"]
    assert (near.within_m, near.status) == (300, "unverified")
    assert "default, none given" in near.source
    assert len(plan.composites["doorstep_functions"].of) == plan.composites["doorstep_functions"].at_least == 5
    for word in ("mode", "radius", "denominator"):
        assert word in plan.note


def test_the_health_check_is_verified_but_for_infant_care(standards):
    check = standards["city-health-check-2025"]
    assert of_status(check, "unverified") == {("infant_care", 600), ("infant_care", 300)}
    assert of_status(check, "verified") == {
        ("elderly_care", 600), ("elderly_care", 300), ("kindergarten", 500), ("kindergarten", 300),
        ("primary_school", 500), ("junior_middle_school", 1000), ("large_sports_ground", 1000),
        ("medium_sports_ground", 500), ("cultural_centre", 1000), ("football_3", 300), ("football_5", 500),
        ("football_7_11", 1000), ("park_small", 300), ("park_medium", 500), ("park_large", 1000), ("park_large", 800),
    }  # fmt: skip
    assert check.composites["park_service"].at_least == 1


def test_an_embedded_complex_needs_three_functions_two_of_them_of_four(standards):
    rule = standards["embedded-services"].composites["embedded_complex"]
    assert (rule.at_least, rule.and_at_least) == (3, 2)
    assert rule.among == ["elderly_care", "infant_care", "child_custody", "community_meals"]


# ------------------------------------------------------------------------------------------------ tags


GB_EXAMPLES = [
    # schools
    ({"amenity": "school", "name": "上海市实验小学"}, {"primary_school"}),
    (
        {"amenity": "school", "name": "临港外国语小学", "name:en": "Lingang Foreign Language Primary School"},
        {"primary_school"},
    ),
    ({"amenity": "school", "name": "建平临港中学"}, {"junior_middle_school"}),
    ({"amenity": "school", "name": "南汇第四初级中学"}, {"junior_middle_school"}),
    ({"amenity": "school", "name": "上海市南汇高级中学", "name:en": "Nanhui Senior Middle School"}, set()),
    ({"amenity": "school", "name": "上海中学东校高中部"}, set()),
    ({"amenity": "school", "name": "明珠九年一贯制学校"}, {"primary_school", "junior_middle_school"}),
    ({"amenity": "school", "name": "临港实验学校"}, {"primary_school", "junior_middle_school"}),
    ({"amenity": "school", "name": "上海师范大学附属第二外国语学校"}, {"primary_school", "junior_middle_school"}),
    ({"amenity": "school", "name": "华东师范大学附属中学附属小学"}, {"primary_school"}),
    ({"amenity": "school", "name": "上海师范大学附属中学"}, {"junior_middle_school"}),
    ({"amenity": "school", "name": "临港科技职业技术学校"}, set()),
    ({"amenity": "school", "name": "École élémentaire de la Condamine"}, {"primary_school"}),
    ({"amenity": "school", "name": "Collège Charles III", "school:FR": "collège"}, {"junior_middle_school"}),
    ({"amenity": "school", "name": "Thompson Middle School"}, {"junior_middle_school"}),
    ({"amenity": "school", "name": "Pell Elementary School"}, {"primary_school"}),
    ({"amenity": "school", "name": "Primarschule Vaduz", "isced:level": "1"}, {"primary_school"}),
    ({"amenity": "school", "name": "Gymnasium", "isced:level": "2;3"}, {"junior_middle_school"}),
    ({"amenity": "school", "name": "Rogers High School"}, set()),
    ({"amenity": "kindergarten", "name": "冰厂田临港幼儿园", "name:en": "Lingang Nursery School"}, {"kindergarten"}),
    ({"amenity": "school", "name": "书院幼儿园"}, {"kindergarten"}),
    ({"amenity": "childcare", "name": "宝宝屋"}, {"nursery"}),
    # health
    ({"amenity": "hospital", "name": "申港社区卫生服务中心"}, {"health_centre"}),
    (
        {"healthcare": "clinic", "name": "泥城社区卫生服务中心", "name:en": "Nicheng Community Health Service Center"},
        {"health_centre"},
    ),
    ({"amenity": "clinic", "name": "申港社区卫生服务中心宜浩佳园卫生服务站"}, {"health_station"}),
    ({"amenity": "doctors", "name": "果园村卫生室"}, {"health_station"}),
    ({"amenity": "clinic", "name": "悦美美容诊所", "name:en": "Yuemei Beauty Clinic"}, set()),
    ({"amenity": "clinic", "name": "瑞尔口腔门诊部"}, set()),
    ({"amenity": "clinic", "name": "王氏诊所"}, set()),
    ({"amenity": "clinic", "name": "临港综合门诊部"}, {"outpatient_clinic"}),
    ({"amenity": "clinic", "name": "Newport Community Health Center"}, {"health_centre"}),
    ({"amenity": "hospital", "name": "上海市第六人民医院临港院区"}, set()),
    # the elderly
    (
        {"amenity": "social_facility", "social_facility": "day_care", "social_facility:for": "senior"},
        {"elderly_day_care"},
    ),
    ({"amenity": "social_facility", "social_facility": "day_care", "social_facility:for": "child"}, set()),
    ({"amenity": "social_facility", "name": "申港街道综合为老服务中心"}, {"elderly_day_care"}),
    ({"amenity": "community_centre", "name": "宜浩佳园老年人日间照料中心"}, {"elderly_day_care"}),
    ({"amenity": "social_facility", "name": "泥城镇敬老院"}, {"residential_care_home"}),
    (
        {
            "amenity": "social_facility",
            "social_facility": "nursing_home",
            "social_facility:for": "senior",
            "name": "Résidence A Qietüdine",
        },
        {"nursing_care_home"},
    ),
    (
        {"amenity": "social_facility", "social_facility": "assisted_living", "social_facility:for": "senior"},
        {"residential_care_home"},
    ),
    ({"amenity": "restaurant", "name": "申港社区食堂"}, {"eating_place", "canteen"}),
    ({"amenity": "restaurant", "name": "幸福老年助餐点"}, {"eating_place", "canteen"}),
    # culture, government
    ({"amenity": "community_centre", "name": "南汇新城镇社区文化活动中心"}, {"cultural_centre"}),
    (
        {"amenity": "community_centre", "name": "东岸涟城文化活动室", "name:en": "Cultural Activity Room"},
        {"cultural_station"},
    ),
    ({"amenity": "library", "name": "Newport Public Library"}, {"cultural_station"}),
    ({"amenity": "arts_centre", "name": "Auditorium Rainier III"}, {"cultural_centre"}),
    ({"amenity": "community_centre", "name": "申港社区党群服务中心"}, {"service_centre"}),
    ({"office": "government", "name": "南汇新城镇社区事务受理服务中心"}, {"service_centre"}),
    ({"amenity": "townhall", "name": "海芦居委会"}, {"service_station"}),
    ({"amenity": "community_centre", "name": "临港家园家门口服务站"}, {"service_station"}),
    ({"office": "government", "name": "申港街道办事处"}, {"subdistrict_office"}),
    ({"amenity": "townhall", "name": "Mairie de Monaco"}, {"subdistrict_office"}),
    ({"office": "government", "name": "泥城司法所"}, {"judicial_office"}),
    ({"amenity": "police", "name": "芦潮港派出所"}, {"police_station"}),
    ({"office": "government", "name": "浦东新区税务局"}, set()),
    # sport
    ({"leisure": "pitch", "sport": "basketball"}, {"small_ball_court"}),
    ({"leisure": "pitch", "sport": "basketball", "access": "private"}, set()),
    ({"leisure": "pitch", "sport": "table_tennis"}, set()),
    ({"leisure": "fitness_station"}, {"outdoor_fitness", "fitness_equipment"}),
    ({"leisure": "fitness_centre", "name": "Planet Fitness"}, {"gym"}),
    ({"leisure": "sports_centre", "name": "临港体育中心"}, {"sports_hall"}),
    ({"leisure": "swimming_pool", "access": "private"}, set()),
    # shops, money, post, transport, the rest
    ({"amenity": "marketplace", "name": "申港菜市场"}, {"market"}),
    ({"shop": "supermarket", "name": "盒马鲜生"}, {"market", "neighbourhood_shops"}),
    ({"shop": "convenience", "name": "全家"}, {"neighbourhood_shops", "convenience_shop"}),
    ({"shop": "mall", "name": "港城新天地"}, {"shopping"}),
    ({"amenity": "pharmacy", "name": "国大药房"}, {"neighbourhood_shops"}),
    ({"shop": "car_repair", "name": "途虎养车"}, set()),
    ({"amenity": "bank", "name": "中国工商银行"}, {"bank"}),
    ({"amenity": "atm"}, set()),
    ({"shop": "mobile_phone", "name": "中国移动营业厅"}, {"telecom"}),
    ({"shop": "mobile_phone", "name": "华为体验店"}, set()),
    ({"amenity": "post_office", "name": "中国邮政"}, {"post_office"}),
    ({"amenity": "parcel_locker"}, {"parcel_point"}),
    ({"shop": "outpost", "name": "菜鸟驿站"}, {"parcel_point"}),
    ({"railway": "subway_entrance", "name": "滴水湖 2号口"}, {"rail_station"}),
    ({"highway": "bus_stop", "name": "环湖西一路"}, {"bus_stop"}),
    ({"amenity": "bus_station", "name": "临港大道公交枢纽"}, {"bus_terminus", "bus_stop"}),
    ({"amenity": "toilets", "access": "yes"}, {"public_toilet"}),
    ({"amenity": "toilets", "access": "customers"}, set()),
    ({"leisure": "playground", "access": "private"}, {"play_ground"}),
    ({"amenity": "recycling"}, {"recycling_point", "refuse_point"}),
    ({"amenity": "waste_disposal"}, {"refuse_point"}),
    ({"amenity": "fire_station"}, set()),
    ({"amenity": "parking"}, set()),
]


@pytest.mark.parametrize(("tags", "services"), GB_EXAMPLES, ids=lambda v: v.get("name") if isinstance(v, dict) else "")
def test_gb_finds_what_a_thing_gives(gb, tags, services):
    assert set(gb.serves(tags)) == services


def test_gb_finds_grounds_by_their_size_and_leaves_those_of_schools_out(gb):
    field = {"leisure": "pitch", "sport": "soccer"}
    all_sizes = {"large_sports_ground", "medium_sports_ground", "small_ball_court"}
    assert set(gb.serves(field, 4000)) == all_sizes
    assert set(gb.serves(field, 2000)) == all_sizes - {"large_sports_ground"}
    assert set(gb.serves(field, 600)) == {"small_ball_court"}
    in_a_school = {"school"}.intersection
    assert gb.serves(field, 4000, lambda asked: bool(in_a_school(asked.get("amenity", [])))) == []
    assert set(gb.serves({**field, "access": "yes"}, 4000, lambda _: True)) == all_sizes
    assert gb.serves({**field, "access": "private"}, 4000) == []


OTHER_EXAMPLES = [
    ("tdt1062-2021", {"shop": "supermarket"}, {"market", "neighbourhood_shops", "supermarket"}),
    ("tdt1062-2021", {"leisure": "park", "name": "滴水湖公园"}, {"community_park"}),
    ("tdt1062-2021", {"leisure": "garden", "access": "private"}, set()),
    ("shanghai-2016", {"amenity": "community_centre", "name": "海汇老年活动室"}, {"elderly_activity_room"}),
    (
        "shanghai-2016",
        {"amenity": "social_facility", "name": "综合为老服务中心"},
        {"elderly_centre", "elderly_day_care"},
    ),
    ("shanghai-2016", {"amenity": "marketplace"}, {"indoor_market"}),
    ("shanghai-2024-draft", {"office": "employment_agency", "name": "Manpower"}, {"employment"}),
    ("shanghai-2024-draft", {"office": "government", "name": "浦东新区就业促进中心"}, {"employment"}),
    ("shanghai-2024-draft", {"amenity": "hospital", "name": "上海市第六人民医院临港院区"}, {"medical"}),
    ("shanghai-2024-draft", {"amenity": "hospital", "name": "华美医疗美容医院"}, set()),
    ("shanghai-2024-draft", {"amenity": "community_centre", "name": "人民坊"}, {"party_mass"}),
    ("lingang-2021", {"amenity": "community_centre", "name": "湖畔汇"}, {"doorstep_station"}),
    (
        "lingang-2021",
        {"amenity": "social_facility", "name": "长者照护之家"},
        {"elderly_and_childcare", "elderly_circle", "elderly_care"},
    ),
    ("lingang-2021", {"amenity": "townhall", "name": "新芦居民委员会"}, {"government_affairs"}),
    ("lingang-2021", {"amenity": "clinic", "name": "书院社区卫生服务中心"}, {"health_care", "community_health"}),
    ("lingang-2021", {"amenity": "clinic", "name": "悦美美容诊所"}, set()),
    ("commerce-quarter-hour", {"shop": "dry_cleaning"}, {"laundry"}),
    ("commerce-quarter-hour", {"shop": "car_repair", "name": "强生汽车维修"}, set()),
    ("commerce-quarter-hour", {"shop": "yes", "name": "便民修鞋配钥匙"}, {"repair"}),
    ("commerce-quarter-hour", {"office": "company", "name": "爱君家政"}, {"housekeeping"}),
    ("commerce-quarter-hour", {"amenity": "restaurant", "name": "老盛昌包子"}, {"breakfast"}),
    ("commerce-quarter-hour", {"shop": "copyshop"}, {"photo_and_print"}),
    ("city-health-check-2025", {"leisure": "pitch", "sport": "soccer"}, {"football_3"}),
    ("city-health-check-2025", {"leisure": "pitch", "sport": "american_football"}, set()),
    ("city-health-check-2025", {"leisure": "park", "fee": "yes"}, set()),
    ("embedded-services", {"amenity": "community_centre", "name": "海港儿童之家"}, {"child_custody"}),
    ("embedded-services", {"amenity": "canteen", "name": "长者食堂"}, {"community_meals"}),
]


@pytest.mark.parametrize(("name", "tags", "services"), OTHER_EXAMPLES)
def test_the_others_find_what_a_thing_gives(standards, name, tags, services):
    assert set(standards[name].serves(tags)) == services


@pytest.mark.parametrize(
    ("area_m2", "parks"),
    [
        (0, set()),
        (1_900, set()),
        (3_000, {"park_small"}),
        (10_000, {"park_medium"}),
        (20_000, {"park_medium"}),
        (90_000, {"park_large"}),
    ],
)
def test_parks_are_told_by_their_size(standards, area_m2, parks):
    check = standards["city-health-check-2025"]
    assert set(check.serves({"leisure": "park"}, area_m2)) == parks
    assert set(check.serves({"leisure": "park", "access": "private"}, area_m2)) == set()
    assert set(check.serves({"leisure": "garden"}, area_m2, lambda asked: "landuse" in asked)) == set()


def _regions_abroad():
    return [
        {"amenity": "school", "school": "primary"},
        {"amenity": "school", "isced:level": "2"},
        {"amenity": "kindergarten"},
        {"amenity": "library"},
        {"amenity": "clinic"},
        {"shop": "supermarket"},
        {"leisure": "pitch"},
        {"highway": "bus_stop"},
    ]


def test_untranslated_tags_of_other_countries_are_enough(gb):
    found = {key for tags in _regions_abroad() for key in gb.serves(tags)}
    assert found >= {
        "primary_school", "junior_middle_school", "kindergarten", "cultural_station", "outpatient_clinic", "market",
        "small_ball_court", "bus_stop",
    }  # fmt: skip


KNOWN_NAMES = [
    *(tags["name"] for tags, _ in GB_EXAMPLES if "name" in tags),
    *(tags["name"] for _, tags, _ in OTHER_EXAMPLES if "name" in tags),
    "Rosebud Day Care", "Newport Senior Center", "Community Services Centre", "Neighborhood House", "City Hall",
    "Legal Aid", "Youth Center", "Community Kitchen", "Polyclinic", "南汇百货", "临港全民健身中心", "滨河体育公园",
    "健身广场", "儿童活动场地", "顺丰速递", "泥城中心农贸市场", "百果园水果", "福奈特洗衣", "永琪美发", "联华超市",
    "罗森便利店", "图文快印", "老年活动中心", "Senior Citizens Club", "护理院", "就业服务站", "Job Center", "足球场",
    "After-School Club", "三甲医药", "四点半课堂",
]  # fmt: skip


def _rules():
    return [
        pytest.param(rule, id=f"{name}-{key}-{number}")
        for name in NAMES
        for key, service in Standard.load(name).services.items()
        for number, rule in enumerate(service.tags)
    ]


@pytest.mark.parametrize("rule", _rules())
def test_every_rule_matches_something(rule: TagRule):
    tags = {key: "yes" if values == [ANY] else values[0] for key, values in rule.match.items()}
    names = KNOWN_NAMES if rule.name is not None else [None]
    area = 1e9 if rule.max_area_m2 is None else rule.min_area_m2 or 1.0
    assert any(rule.fits(tags if name is None else {**tags, "name": name}, area) for name in names)
    for key, values in rule.match.items():
        assert not set(values) & set(rule.unless.get(key, []))


def test_a_large_park_is_a_park_in_the_circle_of_the_senior():
    """No text says that a senior's park is a small one."""
    park = Standard.load("jingan-2018").services["park"]
    assert park.tags[0].fits({"leisure": "park"}, 60_000)
    assert not park.tags[0].fits({"leisure": "park"}, 1_000)


def test_beds_per_head_are_asked_for_when_their_own_plan_does():
    """They are the city's plan of 2022 to 2035, not the district's release of 2023."""
    assert Standard.load("yangpu-2023").promises["beds_per_head"].year == 2025
