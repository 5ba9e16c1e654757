# ruff: noqa: E501 - rows of tables are read whole
"""Tables of facilities: which tags each kind carries, how many a town gets, and the ones the sources name."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Grounds:
    """A kind of facility with grounds of its own: area in m², layout style, building and area tags, name endings."""

    area_m2: float
    style: str
    building: str
    tags: dict[str, str]
    chinese: str
    english: str


def _social(kind: str, **more: str) -> dict[str, str]:
    return {"amenity": "social_facility", "social_facility": kind, "social_facility:for": "senior", **more}


GROUNDS = {
    "chc": Grounds(
        6500,
        "house",
        "hospital",
        {"amenity": "clinic", "healthcare": "clinic"},
        "社区卫生服务中心",
        "Community Health Centre",
    ),
    "hospital": Grounds(
        90_000,
        "campus",
        "hospital",
        {"amenity": "hospital", "healthcare": "hospital", "emergency": "yes"},
        "医院",
        "Hospital",
    ),
    "kindergarten": Grounds(7500, "school", "kindergarten", {"amenity": "kindergarten"}, "幼儿园", "Kindergarten"),
    "nursery": Grounds(2600, "house", "kindergarten", {"amenity": "childcare"}, "托育园", "Nursery"),
    "primary": Grounds(19_000, "school", "school", {"amenity": "school"}, "小学", "Primary School"),
    "junior": Grounds(23_000, "school", "school", {"amenity": "school"}, "初级中学", "Junior Middle School"),
    "nine": Grounds(34_000, "school", "school", {"amenity": "school"}, "九年一贯制学校", "Nine-year School"),
    "senior": Grounds(48_000, "school", "school", {"amenity": "school"}, "高级中学", "Senior High School"),
    "university": Grounds(320_000, "campus", "university", {"amenity": "university"}, "学院", "College"),
    "elderly": Grounds(6500, "house", "residential", _social("assisted_living"), "敬老院", "Home for the Aged"),
    "nursing": Grounds(
        7000, "house", "hospital", _social("nursing_home", healthcare="nursing"), "护理院", "Nursing Home"
    ),
    "integrated": Grounds(
        3200, "house", "civic", _social("outreach"), "综合为老服务中心", "Integrated Elderly Service Centre"
    ),
    "daycare": Grounds(2200, "house", "civic", _social("day_care"), "老年人日间照料中心", "Elderly Day Care Centre"),
    "market": Grounds(4200, "house", "retail", {"amenity": "marketplace"}, "菜市场", "Wet Market"),
    "community": Grounds(
        4500, "house", "civic", {"amenity": "community_centre"}, "社区事务受理服务中心", "Community Service Centre"
    ),
    "neighbourhood": Grounds(6000, "house", "civic", {"amenity": "community_centre"}, "邻里中心", "Neighbourhood Hub"),
    "culture": Grounds(
        6500,
        "house",
        "civic",
        {"amenity": "community_centre", "community_centre": "cultural_centre"},
        "社区文化活动中心",
        "Cultural Centre",
    ),
    "library": Grounds(4500, "house", "public", {"amenity": "library"}, "图书馆", "Library"),
    "theatre": Grounds(7500, "house", "public", {"amenity": "theatre"}, "大剧院", "Theatre"),
    "museum": Grounds(30_000, "offices", "museum", {"tourism": "museum"}, "博物馆", "Museum"),
    "sports": Grounds(16_000, "house", "sports_hall", {"leisure": "sports_centre"}, "体育活动中心", "Sports Centre"),
    "themepark": Grounds(220_000, "campus", "yes", {"tourism": "theme_park"}, "乐园", "Theme Park"),
    "mall": Grounds(22_000, "offices", "retail", {"shop": "mall", "landuse": "retail"}, "商业广场", "Plaza"),
    "townhall": Grounds(
        9000, "house", "government", {"amenity": "townhall", "office": "government"}, "镇人民政府", "Town Government"
    ),
    "police": Grounds(2600, "house", "government", {"amenity": "police"}, "派出所", "Police Station"),
    "fire": Grounds(5200, "house", "fire_station", {"amenity": "fire_station"}, "消防救援站", "Fire Station"),
    "refuse": Grounds(
        2200, "house", "industrial", {"amenity": "waste_transfer_station"}, "生活垃圾压缩站", "Refuse Transfer Station"
    ),
    "terminus": Grounds(5000, "house", "transportation", {"amenity": "bus_station"}, "公交枢纽站", "Bus Terminus"),
    "worship": Grounds(
        3500, "house", "temple", {"amenity": "place_of_worship", "religion": "buddhist"}, "禅寺", "Temple"
    ),
    "park": Grounds(42_000, "park", "service", {"leisure": "park"}, "公园", "Park"),
    "pocket": Grounds(5200, "park", "roof", {"leisure": "park"}, "口袋公园", "Pocket Park"),
}

# Facilities of a whole town carry its name; the second of a kind in a town does not.
TOWN_WIDE = (
    "chc",
    "townhall",
    "culture",
    "library",
    "community",
    "police",
    "fire",
    "elderly",
    "senior",
    "sports",
    "junior",
    "primary",
)
TOWN_NAMES = {
    "luchaogang": ("芦潮港", "Luchaogang"),
    "nicheng": ("泥城", "Nicheng"),
    "shuyuan": ("书院", "Shuyuan"),
    "wanxiang": ("万祥", "Wanxiang"),
    "pingan": ("四团平安", "Situan Ping'an"),
    "shiwan": ("施湾", "Shiwan"),
}
# What each district gets on grounds of its own: kind*count. New districts get less than their people will need.
QUOTAS = {
    "lake-city": "kindergarten*8 nursery*2 primary*4 nine*2 junior*3 senior*1 market*3 elderly*1 nursing*1 integrated*2 daycare*2 "
    "neighbourhood*4 community*1 culture*2 library*1 theatre*1 sports*2 mall*3 police*2 fire*1 park*7 pocket*9 refuse*3 terminus*2",
    "university": "park*2 market*1 kindergarten*1 sports*1 pocket*2",
    "luchaogang": "chc kindergarten*3 nursery primary*2 junior market*2 elderly integrated daycare community culture sports police fire pocket*4 park terminus refuse",
    "nicheng": "chc kindergarten*3 nursery primary*2 junior senior market*2 elderly nursing integrated daycare community culture library sports townhall police fire "
    "pocket*4 park terminus refuse worship",
    "shuyuan": "chc kindergarten*2 primary junior market*2 elderly integrated daycare community culture library sports townhall police fire pocket*3 park terminus refuse worship",
    "wanxiang": "chc kindergarten*2 nine market elderly daycare community culture sports townhall police fire pocket*2 park terminus refuse",
    "pingan": "chc kindergarten*2 primary junior market elderly integrated community culture townhall police pocket*2 park terminus refuse",
    "dongchang": "kindergarten primary market daycare pocket police",
    "shiwan": "chc kindergarten*2 primary junior market elderly daycare culture police pocket*2 park terminus refuse",
    "nicheng-new": "kindergarten*3 nine primary market daycare neighbourhood park*2 pocket*3 mall",
    "shuyuan-station": "kindergarten*2 primary neighbourhood park pocket*2 terminus",
    "shengang-west": "kindergarten*2 nine market neighbourhood integrated park*2 pocket*2",
    "eco-wisdom": "kindergarten park*2",
    "ocean-park": "park mall pocket",
    "innovation": "park nursery mall",
    "frontier": "park pocket",
    "equipment": "park*2 mall police fire",
    "heavy": "park fire police",
    "logistics": "pocket refuse",
    "haigang-zone": "park pocket refuse",
    "airport-logistics": "pocket*2 fire",
    "port": "pocket police",
}


@dataclass(frozen=True)
class Named:
    """A facility the sources name: ``lonlat`` is theirs (``place`` source) or, where they give none, the model's."""

    chinese: str
    english: str
    kind: str
    lonlat: tuple[float, float]
    place: str
    extra: dict[str, str]


def _planned(year: int, **more: str) -> dict[str, str]:
    return {"opening_date": str(year), **more}


# Opening years of planned ones are assumptions of the model; the sources only say that they are planned.
NAMED = [
    Named(
        "上海市第六人民医院临港院区",
        "Shanghai Sixth People's Hospital Lingang Campus",
        "hospital",
        (121.912, 30.893),
        "source",
        {"addr:street": "环湖西三路", "addr:housenumber": "222"},
    ),
    Named(
        "浦东医院临港院区",
        "Pudong Hospital Lingang Campus",
        "hospital",
        (121.8617, 30.9112),
        "model",
        _planned(2026, **{"capacity:beds": "700"}),
    ),
    Named(
        "申港社区卫生服务中心",
        "Shengang Community Health Centre",
        "chc",
        (121.9015, 30.8975),
        "model",
        {},
    ),
    Named(
        "申港社区卫生服务中心（新址）",
        "Shengang Community Health Centre (new site)",
        "chc",
        (121.9075, 30.9050),
        "model",
        _planned(2025),
    ),
    Named(
        "万祥社区卫生服务中心（新址）",
        "Wanxiang Community Health Centre (new site)",
        "chc",
        (121.8040, 30.9650),
        "model",
        _planned(2025),
    ),
    Named(
        "书院社区卫生服务中心（新址）",
        "Shuyuan Community Health Centre (new site)",
        "chc",
        (121.8500, 30.9600),
        "model",
        _planned(2026),
    ),
    Named(
        "四团平安社区卫生服务中心（新址）",
        "Situan Ping'an Community Health Centre (new site)",
        "chc",
        (121.7420, 30.9260),
        "model",
        _planned(2025),
    ),
    Named(
        "上海中学东校高中部",
        "Shanghai High School East, Senior Section",
        "senior",
        (121.9080, 30.9155),
        "model",
        _planned(2025),
    ),
    Named(
        "华东师大二附中临港校区",
        "No. 2 High School of ECNU, Lingang Campus",
        "senior",
        (121.9170, 30.9275),
        "model",
        _planned(2025),
    ),
    Named(
        "滴水湖学校",
        "Dishui Lake School",
        "nine",
        (121.9367, 30.9162),
        "source",
        _planned(2026, capacity="2160", **{"school:grades": "1-12"}),
    ),
    Named("临港青少年活动中心", "Lingang Youth Centre", "culture", (121.9105, 30.8985), "model", _planned(2025)),
    Named("新型产业大学", "New Industry University", "university", (121.8800, 30.8720), "model", _planned(2028)),
    Named(
        "上海海事大学",
        "Shanghai Maritime University",
        "university",
        (121.8930, 30.8750),
        "model",
        {"capacity": "18000"},
    ),
    Named(
        "上海海洋大学", "Shanghai Ocean University", "university", (121.8960, 30.8850), "model", {"capacity": "17000"}
    ),
    Named(
        "上海电力大学",
        "Shanghai University of Electric Power",
        "university",
        (121.8950, 30.8930),
        "model",
        {"capacity": "13000"},
    ),
    Named(
        "上海建桥学院",
        "Shanghai Jian Qiao University",
        "university",
        (121.8870, 30.8930),
        "model",
        {"capacity": "20000"},
    ),
    Named(
        "上海电机学院", "Shanghai Dianji University", "university", (121.8870, 30.8840), "model", {"capacity": "12000"}
    ),
    Named("上海天文馆", "Shanghai Astronomy Museum", "museum", (121.9198, 30.9112), "model", {"start_date": "2021"}),
    Named("中国航海博物馆", "China Maritime Museum", "museum", (121.9165, 30.9005), "model", {"start_date": "2010"}),
    Named(
        "上海海昌海洋公园",
        "Shanghai Haichang Ocean Park",
        "themepark",
        (121.9020, 30.9156),
        "source",
        {"addr:street": "银飞路"},
    ),
    Named(
        "港城广场文化综合体",
        "Gangcheng Plaza Cultural Complex",
        "theatre",
        (121.9188, 30.9030),
        "model",
        _planned(2026),
    ),
    Named("冰雪之星", "Ice and Snow Star", "sports", (121.9270, 30.9330), "model", _planned(2025, sport="skiing")),
    Named("都市综合体育中心", "Urban Sports Complex", "sports", (121.9000, 30.9050), "model", _planned(2026)),
    Named("湖畔汇", "Lakeside Hub", "neighbourhood", (121.9205, 30.8925), "model", _planned(2025)),
    Named(
        "国际文物艺术品交易中心", "International Art Exchange", "culture", (121.9330, 30.8845), "model", _planned(2026)
    ),
    Named("港城新天地", "Gangcheng Xintiandi", "mall", (121.9008, 30.8972), "source", {}),
    Named(
        "南汇新城镇人民政府",
        "Nanhui New City Town Government",
        "townhall",
        (121.9040, 30.9035),
        "model",
        {"addr:street": "申港大道", "addr:housenumber": "200"},
    ),
    Named("沪城环路公交枢纽站", "Hucheng Ring Road Bus Terminus", "terminus", (121.8995, 30.8847), "source", {}),
]
# Only nodes: hospitals just outside whose sites the sources do not give; a community that is a quarter rather than a facility.
NAMED_NODES = [
    ("临港大学城", "Lingang University Town", {"place": "quarter"}, (121.8930, 30.8860)),
    (
        "新华医院奉贤院区",
        "Xinhua Hospital Fengxian Campus",
        {"amenity": "hospital", "healthcare": "hospital"},
        (121.7120, 30.9290),
    ),
    (
        "九院祝桥院区",
        "Ninth People's Hospital Zhuqiao Campus",
        {"amenity": "hospital", "healthcare": "hospital"},
        (121.8255, 31.1250),
    ),
    (
        "国际顶尖科学家社区",
        "Top Scientists' Community",
        {"place": "quarter", "proposed": "yes", "opening_date": "2027"},
        (121.9420, 30.8720),
    ),
]
# Neighbourhood and village committees of 2019 with their published coordinates.
COMMITTEES = [
    ("滴水湖清苑", "Dishuihu Qingyuan", 121.9056, 30.8956), ("东岸涟城", "Dong'an Liancheng", 121.9135, 30.8884), ("宜浩佳园一居", "Yihao Jiayuan No. 1", 121.9082, 30.9010),
    ("宜浩佳园二居", "Yihao Jiayuan No. 2", 121.9096, 30.9053), ("临港家园", "Lingang Jiayuan", 121.8966, 30.8796), ("海汇", "Haihui", 121.8530, 30.8751),
    ("海芦", "Hailu", 121.8467, 30.8687), ("新芦", "Xinlu", 121.8482, 30.8763), ("港口", "Gangkou", 121.8416, 30.8594), ("果园", "Guoyuan", 121.8386, 30.8829),
    ("汇角村", "Huijiao Village", 121.8409, 30.8758), ("农场", "Nongchang", 121.7939, 30.8629),
]  # fmt: skip


@dataclass(frozen=True)
class Scatter:
    """A kind of facility that is a point: people per point, least distance between two (m), share in town centres."""

    tags: dict[str, str]
    chinese: str
    english: str
    people_per: float
    apart_m: float
    centre: float
    named: float = 1.0


SCATTER = {
    "station": Scatter({"amenity": "clinic", "healthcare": "clinic"}, "社区卫生服务站", "Community Health Station", 11_000, 900, 0.1),
    "village_clinic": Scatter({"amenity": "doctors", "healthcare": "doctor"}, "村卫生室", "Village Clinic", 8500, 1100, 0.0),
    "clinic": Scatter({"amenity": "clinic"}, "诊所", "Clinic", 16_000, 400, 0.7),
    "dentist": Scatter({"amenity": "dentist"}, "口腔门诊部", "Dental Clinic", 22_000, 300, 0.8),
    "pharmacy": Scatter({"amenity": "pharmacy", "dispensing": "yes"}, "大药房", "Pharmacy", 4200, 250, 0.5),
    "care_visit": Scatter(_social("ambulatory_care"), "长者照护之家", "Elderly Care Home", 32_000, 1200, 0.2),
    "elder_station": Scatter(_social("day_care"), "日间照料站", "Day Care Station", 17_000, 900, 0.1),
    "canteen": Scatter({"amenity": "restaurant", "cuisine": "chinese"}, "社区食堂", "Community Canteen", 13_000, 700, 0.3),
    "meal": Scatter(_social("soup_kitchen"), "老年助餐点", "Meal Point for the Elderly", 20_000, 800, 0.1),
    "childcare": Scatter({"amenity": "childcare"}, "宝宝屋", "Childcare Room", 19_000, 600, 0.2),
    "kindergarten": Scatter({"amenity": "kindergarten"}, "幼儿园", "Kindergarten", 21_000, 1100, 0.0),
    "doorstep": Scatter({"amenity": "community_centre"}, "家门口服务站", "Doorstep Service Station", 5600, 650, 0.0),
    "party": Scatter({"amenity": "community_centre", "community_centre": "party"}, "党群服务中心", "Party and Mass Service Centre", 19_000, 900, 0.2),
    "committee": Scatter({"office": "government", "government": "administrative"}, "居委会", "Neighbourhood Committee", 6500, 450, 0.1),
    "village_office": Scatter({"office": "government", "government": "administrative"}, "村委会", "Village Committee", 6200, 1000, 0.0),
    "culture_room": Scatter({"amenity": "community_centre", "community_centre": "cultural_centre"}, "文化活动站", "Cultural Station", 11_000, 800, 0.1),
    "bookroom": Scatter({"amenity": "library"}, "农家书屋", "Reading Room", 24_000, 1200, 0.1),
    "fitness_station": Scatter({"leisure": "fitness_station"}, "健身点", "Fitness Point", 4300, 350, 0.0, 0.15),
    "pitch": Scatter({"leisure": "pitch", "sport": "basketball"}, "篮球场", "Basketball Court", 6500, 500, 0.1, 0.1),
    "fitness_centre": Scatter({"leisure": "fitness_centre"}, "健身房", "Gym", 24_000, 400, 0.8),
    "pool": Scatter({"leisure": "swimming_pool", "access": "customers"}, "游泳馆", "Swimming Pool", 45_000, 1200, 0.6),
    "playground": Scatter({"leisure": "playground"}, "儿童乐园", "Playground", 6500, 350, 0.1, 0.1),
    "supermarket": Scatter({"shop": "supermarket"}, "超市", "Supermarket", 6800, 450, 0.4),
    "convenience": Scatter({"shop": "convenience"}, "便利店", "Convenience Store", 1250, 120, 0.3, 0.85),
    "greengrocer": Scatter({"shop": "greengrocer"}, "生鲜店", "Fresh Food Shop", 6000, 300, 0.3),
    "restaurant": Scatter({"amenity": "restaurant", "cuisine": "chinese"}, "饭店", "Restaurant", 1050, 35, 0.65, 0.9),
    "fast_food": Scatter({"amenity": "fast_food"}, "小吃", "Snacks", 1500, 35, 0.6, 0.9),
    "cafe": Scatter({"amenity": "cafe"}, "咖啡", "Cafe", 7000, 60, 0.7),
    "bakery": Scatter({"shop": "bakery"}, "面包房", "Bakery", 7500, 120, 0.6),
    "laundry": Scatter({"shop": "laundry"}, "洗衣店", "Laundry", 8000, 200, 0.5),
    "hairdresser": Scatter({"shop": "hairdresser"}, "理发店", "Hairdresser", 3200, 60, 0.5, 0.85),
    "repair": Scatter({"shop": "bicycle", "service:bicycle:repair": "yes"}, "修车铺", "Repair Shop", 7500, 200, 0.4),
    "electrical": Scatter({"craft": "electronics_repair"}, "家电维修", "Appliance Repair", 13_000, 200, 0.6),
    "telecom": Scatter({"shop": "mobile_phone"}, "营业厅", "Telecom Shop", 9500, 120, 0.8),
    "bank": Scatter({"amenity": "bank"}, "银行", "Bank", 6500, 80, 0.8),
    "atm": Scatter({"amenity": "atm"}, "自助银行", "ATM", 7500, 120, 0.6, 0.4),
    "post": Scatter({"amenity": "post_office"}, "邮政支局", "Post Office", 30_000, 1200, 0.7),
    "parcel": Scatter({"amenity": "parcel_locker"}, "驿站", "Parcel Station", 2600, 150, 0.1, 0.5),
    "toilets": Scatter({"amenity": "toilets"}, "公共厕所", "Public Toilet", 2500, 260, 0.2, 0.2),
    "recycling": Scatter({"amenity": "recycling", "recycling_type": "centre"}, "可回收物服务点", "Recycling Point", 7000, 400, 0.1, 0.3),
    "refuse": Scatter({"amenity": "waste_disposal"}, "垃圾箱房", "Refuse Room", 1900, 150, 0.0, 0.1),
    "police_post": Scatter({"amenity": "police"}, "警务室", "Police Post", 30_000, 1000, 0.3),
    "funeral": Scatter({"amenity": "place_of_worship", "religion": "taoist"}, "土地庙", "Earth God Temple", 50_000, 1500, 0.0),
    "charging": Scatter({"amenity": "charging_station"}, "充电站", "Charging Station", 9000, 400, 0.4, 0.4),
    "parking": Scatter({"amenity": "parking"}, "停车场", "Car Park", 5000, 200, 0.5, 0.2),
}  # fmt: skip
