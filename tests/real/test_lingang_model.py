"""The embedded model is what its script makes, and what its facts say."""

import importlib.metadata
import json
import re
import subprocess
import sys

import numpy as np
import osmium
import pytest
import rasterio
import shapely
from regions import ROOT

from lifecircle.region import Region, geodesic_area

HERE = ROOT / "data" / "lingang-model"
FILES = (
    "lingang-model.osm.pbf", "population.tif", "jobs.tif", "dem.tif", "boundary.geojson", "study.toml", "README.md",
)  # fmt: skip
# Jobs: the economic census of 2023, then the model's assumptions; with those within 2.5 km outside the zone.
CENSUS = {"town-nanhui-xincheng": 138_000, "town-nicheng": 38_000, "town-shuyuan": 14_000, "town-wanxiang": 17_000}
ASSUMED = {"part-situan": 12_000, "airport-south": 16_000, "xiaoyangshan": 3500}
BEYOND = 4000
PEOPLE = 410_200


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    subprocess.run([sys.executable, HERE / "build.py", "--out", folder], check=True, capture_output=True)
    return folder


def objects(path):
    out = []
    for thing in osmium.FileProcessor(str(path)):
        kind = thing.type_str()
        if kind == "n":
            where = (thing.location.x, thing.location.y)
        elif kind == "w":
            where = tuple(ref.ref for ref in thing.nodes)
        else:
            where = tuple((m.type, m.ref, m.role) for m in thing.members)
        out.append((kind, thing.id, where, tuple(sorted((tag.k, tag.v) for tag in thing.tags))))
    return out


@pytest.mark.prove
def test_built_again_it_decodes_to_the_same_content(built):
    assert objects(built / "lingang-model.osm.pbf") == objects(HERE / "lingang-model.osm.pbf")
    for name in ("population.tif", "jobs.tif", "dem.tif"):
        with rasterio.open(built / name) as one, rasterio.open(HERE / name) as other:
            assert one.profile == other.profile
            assert np.array_equal(one.read(), other.read(), equal_nan=True)
    for name in ("boundary.geojson", "study.toml", "README.md"):
        assert (built / name).read_bytes() == (HERE / name).read_bytes()


@pytest.mark.prove
def test_under_the_tested_versions_it_is_the_same_bytes(built):
    tested = dict(re.findall(r"^([A-Za-z0-9_.-]+)==(\S+)$", (ROOT / "constraints.txt").read_text(), flags=re.MULTILINE))
    made_by = ("numpy", "osmium", "pyproj", "rasterio", "scipy", "shapely")
    if any(importlib.metadata.version(name) != tested[name] for name in made_by):
        print("other library versions than constraints.txt: only the content is compared")  # noqa: T201
        return
    for name in FILES:
        assert (built / name).read_bytes() == (HERE / name).read_bytes(), name


def test_its_areas_are_the_published_ones():
    region = Region.from_geojson(HERE / "boundary.geojson")
    areas = {zone.key: geodesic_area(zone.geometry) / 1e6 for zone in (*region.zones, *region.overlays)}
    assert region.area_m2 / 1e6 == pytest.approx(386, rel=0.005)
    for key, area in {
        "nanhui-new-city": 343.3,
        "airport-south": 24.7,
        "xiaoyangshan": 18.3,
        "pilot-zone": 119.5,
    }.items():
        assert areas[key] == pytest.approx(area, rel=0.005)


def test_it_is_small_and_says_what_it_is():
    assert sum(path.stat().st_size for path in HERE.glob("*.*")) <= 3_500_000
    assert "model" in (HERE / "study.toml").read_text(encoding="utf-8").lower()
    for name in ("population.tif", "jobs.tif"):
        with rasterio.open(HERE / name) as raster:
            assert any("model" in value.lower() for value in raster.tags().values())


def test_its_jobs_are_those_of_the_census_exactly():
    with rasterio.open(HERE / "jobs.tif") as raster, rasterio.open(HERE / "population.tif") as people:
        assert raster.profile == people.profile
        jobs, transform = raster.read(1), raster.transform
        assert np.array_equal(jobs == raster.nodata, people.read(1) == people.nodata)
    jobs = np.where(jobs == -200, 0, jobs).astype(np.float64)
    assert np.array_equal(jobs * 1024, np.round(jobs * 1024))
    assert jobs.min() == 0
    assert jobs.sum() == sum(CENSUS.values()) + sum(ASSUMED.values()) + BEYOND
    # A pixel on a border is of one town only here, so by town this is near and not exact (the build asks for exact).
    region = Region.from_geojson(HERE / "boundary.geojson")
    parts = {zone.key: region.project_outline(zone.geometry) for zone in (*region.zones, *region.overlays)}
    row, column = np.nonzero(jobs)
    x, y = transform @ (column + 0.5, row + 0.5)
    for key, total in (CENSUS | ASSUMED).items():
        assert jobs[row, column][shapely.contains_xy(parts[key], x, y)].sum() == pytest.approx(total, rel=0.03)


def described():
    """Named or tagged objects inside the zone, those that only double an outline left out, and the buildings."""
    zone = Region.from_geojson(HERE / "boundary.geojson").boundary
    shapely.prepare(zone)
    places, buildings = [], []
    for thing in osmium.FileProcessor(str(HERE / "lingang-model.osm.pbf")).with_locations():
        tags = {tag.k: tag.v for tag in thing.tags}
        kind = thing.type_str()
        if not tags or kind == "r" or ("name" in tags and "name:en" not in tags):
            continue
        if kind == "n":
            shape = shapely.Point(thing.location.lon, thing.location.lat)
        elif not thing.is_closed() or len(thing.nodes) < 4 or "highway" in tags:
            continue
        else:
            shape = shapely.Polygon([(node.lon, node.lat) for node in thing.nodes])
        if "building" in tags and kind == "w":
            buildings.append((shape, tags))
        if zone.contains(shapely.point_on_surface(shape)):
            places.append((shape, tags))
    return places, buildings


@pytest.fixture(scope="module")
def told():
    return described()


def year_of(tags, *keys):
    return next((int(tags[key]) for key in keys if key in tags), 0)


def is_open(tags, year):
    return year_of(tags, "opening_date", "start_date") <= year < (year_of(tags, "end_date") or 9999)


def named(places, pattern, year=2024):
    return [(shape, tags) for shape, tags in places if re.search(pattern, tags.get("name", "")) and is_open(tags, year)]


def test_it_has_somewhat_too_few_doctors_and_most_places_say_how_many(told):
    places, _ = told
    assert not [tags for _, tags in places if "staff:gp" in tags]
    per_1000 = {}
    for year in (2021, 2024, 2025, 2035):
        said = [tags.get("staff_count:doctors") for _, tags in named(places, "卫生服务|卫生室", year)]
        assert 0.85 <= sum(n is not None for n in said) / len(said) <= 0.95
        per_1000[year] = sum(int(n) for n in said if n) / PEOPLE * 1000
    assert per_1000[2024] == pytest.approx(0.38, abs=0.005)
    assert per_1000[2021] < per_1000[2024] < per_1000[2025] < 0.45 < per_1000[2035]


def test_most_but_not_all_facilities_say_how_many_they_take(told):
    places, _ = told
    for pattern, keys in {
        "幼儿园$": ("capacity",),
        "小学$|初级中学$|九年一贯制学校$|高级中学$": ("capacity",),
        "宝宝屋$|托育园$": ("capacity",),
        "日间照料": ("capacity",),
        "敬老院$|护理院$|长者照护之家$": ("capacity:beds", "beds"),
    }.items():
        found = [tags for _, tags in named(places, pattern)]
        share = sum(any(key in tags for key in keys) for tags in found) / len(found)
        assert 0.7 <= share < 1, pattern
    assert [tags["beds"] for _, tags in places if "beds" in tags and tags.get("amenity") == "hospital"] == ["600"]


def test_floor_for_the_elderly_is_known_of_outlines_and_short_of_the_plan(told):
    places, buildings = told
    tree = shapely.STRtree(shapely.point_on_surface([shape for shape, _ in buildings]))
    floors = {}
    for year in (2021, 2024, 2035):
        floor_m2 = 0.0
        for shape, tags in named(places, "综合为老服务中心|日间照料|长者照护之家", year):
            if shape.geom_type == "Point":
                assert "building:levels" not in tags
                continue
            inside = [buildings[ix] for ix in tree.query(shape, predicate="contains")]
            if "proposed:building" in tags:
                inside = [(shape, tags)]
            assert inside, tags
            floor_m2 += sum(geodesic_area(part) * float(said["building:levels"]) for part, said in inside)
        floors[year] = floor_m2 / PEOPLE * 1000
    assert floors[2021] < 30 < floors[2024] < 40 < floors[2035]


def test_what_is_open_differs_by_year(told):
    places, _ = told
    for pattern in ("家门口服务站$", "社区食堂$", "综合为老服务中心$", "宝宝屋$", "幼儿园$"):
        n = [len(named(places, pattern, year)) for year in (2021, 2024, 2025, 2035)]
        assert n[0] < n[1] < n[2] < n[3], pattern
    planned = [tags for _, tags in places if "opening_date" in tags]
    assert all(any(key.startswith("proposed") for key in tags) for tags in planned)
    assert all(2025 <= int(tags["opening_date"]) <= 2035 for tags in planned)
    of_documents = {tags["name"] for tags in planned if tags.get("source", "model") != "model"}
    assert {"滴水湖学校", "浦东医院临港院区", "湖畔汇", "都市综合体育中心", "上海中学东校高中部"} <= of_documents
    for moved in ("申港", "万祥", "书院", "四团平安"):
        for year in (2024, 2026):
            assert len(named(places, f"^{moved}社区卫生服务中心", year)) == 1


def test_some_of_it_is_barred_to_wheels(told):
    places, _ = told
    wheels = [tags["wheelchair"] for _, tags in places if "wheelchair" in tags]
    kerbs = [tags["kerb"] for _, tags in places if "kerb" in tags]
    assert len(wheels) > 1000
    assert set(wheels) == {"yes", "limited", "no"}
    assert 0.1 < wheels.count("no") / len(wheels) < 0.3
    assert 0.1 < kerbs.count("raised") / len(kerbs) < 0.3


def test_its_network_has_the_size_and_the_parts_asked_for(runs):
    result, folder = runs("lingang")
    network = result.coverage.network
    assert 80_000 <= network.n_places <= 120_000
    sizes = np.bincount(network.component)
    island = network.region.project(shapely.Point(122.04, 30.64)).buffer(6000)
    x, y = network.region.to_metres.transform(network.node_lon, network.node_lat)
    on_island = shapely.contains_xy(island, x, y)
    assert on_island.sum() > 100
    assert set(network.component[on_island].tolist()).isdisjoint(set(network.component[~on_island].tolist()))
    assert sizes[0] > 0.8 * network.n_nodes
    summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    assert "model" in summary["notice"]


def test_nobody_walks_over_the_lake(runs):
    result, _ = runs("lingang")
    network = result.coverage.network
    x, y = network.region.to_metres.transform(121.933, 30.900)
    middle = shapely.Point(x, y).buffer(250)
    assert not [line for line in network.lines() if line.intersects(middle)]
