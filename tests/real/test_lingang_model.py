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
FILES = ("lingang-model.osm.pbf", "population.tif", "dem.tif", "boundary.geojson", "study.toml", "README.md")


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


def test_built_again_it_decodes_to_the_same_content(built):
    assert objects(built / "lingang-model.osm.pbf") == objects(HERE / "lingang-model.osm.pbf")
    for name in ("population.tif", "dem.tif"):
        with rasterio.open(built / name) as one, rasterio.open(HERE / name) as other:
            assert one.profile == other.profile
            assert np.array_equal(one.read(), other.read(), equal_nan=True)
    for name in ("boundary.geojson", "study.toml", "README.md"):
        assert (built / name).read_bytes() == (HERE / name).read_bytes()


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
    assert sum((HERE / name).stat().st_size for name in FILES) <= 12_000_000
    assert "model" in (HERE / "study.toml").read_text(encoding="utf-8").lower()
    with rasterio.open(HERE / "population.tif") as raster:
        assert any("model" in value.lower() for value in raster.tags().values())


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
