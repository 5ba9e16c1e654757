import json

import numpy as np
import pyproj
import pytest
import rasterio
import shapely
from affine import Affine
from drawn import CRS, Drawing, boundary, lonlat, raster

from lifecircle.errors import CrsError, DataError
from lifecircle.model.cells import PEOPLE, Cells
from lifecircle.model.network import Network
from lifecircle.model.snapping import Snapper
from lifecircle.region import GEOD, Region, geodesic_area
from lifecircle.sources.osm import read_osm
from lifecircle.sources.rasters import RasterWindow, read_elevation, read_population, sample

BOX = (*lonlat(-1000, -1000), *lonlat(1000, 1000))


def parts(sketch, folder, region):
    sketch.way((-900, 0), (900, 0), highway="residential")
    data = read_osm(sketch.write(folder / "map.osm.pbf"), BOX)
    return data, Snapper(Network.from_osm(data.ways, data.way_nodes, region), limit_m=500)


def region_of(folder, *boxes):
    return Region.from_geojson(boundary(folder / "b.geojson", *boxes), crs=CRS)


def test_without_a_raster_cells_lie_over_homes_and_residential_land_and_people_are_unknown(tmp_path):
    sketch = Drawing()
    sketch.area(110, 110, 190, 190, landuse="residential")
    sketch.area(510, 10, 520, 20, building="house")
    sketch.area(710, 10, 720, 20, building="industrial")
    region = region_of(tmp_path, ("all", "zone", -950, -950, 950, 950))
    data, snapper = parts(sketch, tmp_path, region)
    cells = Cells.from_fabric(data.features, snapper, data.extent)
    assert cells.people is None
    corners = sorted((float(x), float(y)) for x, y in np.round(cells.corners[:, 3]))
    assert corners == [(100.0, 100.0), (500.0, 0.0)]
    by_corner = dict(zip(corners, np.argsort(cells.corners[:, 3, 0]), strict=True))
    assert cells.residential_m2[by_corner[100.0, 100.0]] == pytest.approx(6400, abs=15)
    assert cells.buildings.tolist() == [0, 1] or cells.buildings.tolist() == [1, 0]


def test_neither_raster_nor_homes_is_said(tmp_path):
    region = region_of(tmp_path, ("all", "zone", -950, -950, 950, 950))
    data, snapper = parts(Drawing(), tmp_path, region)
    with pytest.raises(DataError, match="give --population"):
        Cells.from_fabric(data.features, snapper, data.extent)


def test_zones_are_a_partition_and_overlays_are_extra(tmp_path):
    region = region_of(
        tmp_path,
        ("west", "zone", -900, -900, 0, 900),
        ("east", "zone", 0, -900, 900, 900),
        ("mid", "overlay", -200, -200, 200, 200),
    )
    data, snapper = parts(Drawing(), tmp_path, region)
    values = np.full((18, 18), 1.5)
    window = read_population(raster(tmp_path / "p.tif", values, left=-900, top=900), region.boundary)
    cells = Cells.from_raster(window, data.features, snapper, data.extent)
    assert set(cells.zone.tolist()) == {0, 1}
    assert (
        sum(int(cells.people[cells.zone == z].sum()) for z in (0, 1))
        == int(cells.people.sum())
        == 18 * 18 * 1.5 * PEOPLE
    )
    assert cells.in_overlay.sum() == 16
    assert cells.area_m2 == pytest.approx(np.full(324, 10_000), abs=2)


def test_row_and_column_are_those_of_the_whole_raster(tmp_path):
    region = region_of(tmp_path, ("all", "zone", -100, -100, 100, 100))
    data, snapper = parts(Drawing(), tmp_path, region)
    values = np.ones((18, 18))
    window = read_population(raster(tmp_path / "p.tif", values, left=-900, top=900), region.boundary)
    cells = Cells.from_raster(window, data.features, snapper, data.extent)
    assert sorted(cells.cell_id) == ["r8c8", "r8c9", "r9c8", "r9c9"]


def test_negative_and_unknown_people_are_nobody(tmp_path):
    region = region_of(tmp_path, ("all", "zone", -100, -100, 100, 100))
    data, snapper = parts(Drawing(), tmp_path, region)
    values = np.array([[-200.0, np.nan], [-3.0, 4.0]])
    window = read_population(raster(tmp_path / "p.tif", values, left=-100, top=100), region.boundary)
    cells = Cells.from_raster(window, data.features, snapper, data.extent)
    assert cells.people.tolist() == [4 * PEOPLE]


def test_elevation_is_bilinear_and_unknown_beyond():
    window = RasterWindow(
        np.array([[0.0, 10.0], [20.0, 30.0]]), Affine(1, 0, 0, 0, -1, 2), pyproj.CRS.from_epsg(4326), 0, 0
    )
    got = sample(window, np.array([1.0, 0.5, 5.0]), np.array([1.0, 1.5, 1.0]))
    assert got[0] == 15.0
    assert got[1] == 0.0
    assert np.isnan(got[2])


def test_srtm_holes_are_unknown(tmp_path):
    path = raster(tmp_path / "z.tif", [[5, -32768], [5, 5]], left=-100, top=100, nodata=None)
    assert np.isnan(read_elevation(path, shapely.box(*lonlat(-50, -50), *lonlat(50, 50))).values).sum() == 1


def test_geodesic_area_takes_holes_off_whatever_their_direction():
    shell = shapely.box(121.0, 30.0, 121.1, 30.1)
    hole = shapely.box(121.04, 30.04, 121.06, 30.06)
    whole = abs(GEOD.geometry_area_perimeter(shell)[0])
    for ring in (list(hole.exterior.coords), list(hole.exterior.coords)[::-1]):
        got = geodesic_area(shapely.Polygon(shell.exterior, [ring]))
        assert got == pytest.approx(whole - abs(GEOD.geometry_area_perimeter(hole)[0]), rel=1e-12)


def test_the_metre_crs_is_the_utm_zone_of_the_centre():
    assert Region.from_bbox((121.8, 30.8, 121.9, 30.9), name="x").crs.to_epsg() == 32651
    assert Region.from_bbox((-3.1, 51.5, -2.9, 51.6), name="x").crs.to_epsg() == 32630
    assert Region.from_bbox((18.4, -34.0, 18.5, -33.9), name="x").crs.to_epsg() == 32734


def test_a_legacy_crs_member_is_not_ignored(tmp_path):
    raw = {"type": "Polygon", "coordinates": [[[1, 1], [2, 1], [2, 2], [1, 1]]]}
    raw["crs"] = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::3857"}}
    (tmp_path / "b.geojson").write_text(json.dumps(raw))
    with pytest.raises(CrsError, match="3857"):
        Region.from_geojson(tmp_path / "b.geojson")
    raw["crs"]["properties"]["name"] = "urn:ogc:def:crs:OGC:1.3:CRS84"
    (tmp_path / "b.geojson").write_text(json.dumps(raw))
    assert len(Region.from_geojson(tmp_path / "b.geojson").zones) == 1


def test_a_bowtie_is_mended(tmp_path):
    raw = {"type": "Polygon", "coordinates": [[[0, 0], [1, 1], [1, 0], [0, 1], [0, 0]]]}
    (tmp_path / "b.geojson").write_text(json.dumps(raw))
    region = Region.from_geojson(tmp_path / "b.geojson")
    assert region.boundary.is_valid
    assert region.boundary.area == pytest.approx(0.5)


def test_zone_ids_must_be_unique(tmp_path):
    with pytest.raises(DataError, match="unique"):
        region_of(tmp_path, ("a", "zone", 0, 0, 100, 100), ("a", "zone", 200, 0, 300, 100))


def test_scale_and_offset_of_a_raster_are_applied(tmp_path):
    region = region_of(tmp_path, ("all", "zone", -100, -100, 100, 100))
    path = raster(tmp_path / "p.tif", [[10, 20], [30, 40]], left=-100, top=100)
    with rasterio.open(path, "r+") as out:
        out.scales, out.offsets = (0.5,), (1.0,)
    assert np.nansum(read_population(path, region.boundary).values) == (10 + 20 + 30 + 40) / 2 + 4


def test_a_raster_over_half_the_region_says_so(tmp_path):
    region = region_of(tmp_path, ("all", "zone", -90, -90, 90, 90))
    assert read_population(raster(tmp_path / "p.tif", np.ones((2, 2)), left=-100, top=100), region.boundary).whole
    assert not read_population(raster(tmp_path / "p.tif", np.ones((2, 1)), left=-100, top=100), region.boundary).whole


def test_undeclared_nodata_is_said(tmp_path):
    region = region_of(tmp_path, ("all", "zone", -90, -90, 90, 90))
    path = raster(tmp_path / "p.tif", [[3.4e38, 1], [1, 1]], left=-100, top=100)
    with pytest.raises(DataError, match="nodata"):
        read_population(path, region.boundary)


def test_heights_below_and_above_all_land_are_unknown(tmp_path):
    path = raster(tmp_path / "z.tif", [[5, -9999], [9999, 5]], left=-100, top=100, nodata=None)
    assert np.isnan(read_elevation(path, shapely.box(*lonlat(-50, -50), *lonlat(50, 50))).values).sum() == 2


def test_people_dropped_in_rounding_are_counted(tmp_path):
    region = region_of(tmp_path, ("all", "zone", -100, -100, 100, 100))
    data, snapper = parts(Drawing(), tmp_path, region)
    window = read_population(raster(tmp_path / "p.tif", [[0.0004, 1], [1, 1]], left=-100, top=100), region.boundary)
    cells = Cells.from_raster(window, data.features, snapper, data.extent)
    assert len(cells) == 3
    assert cells.rounding_people == pytest.approx(-0.0004, abs=1e-9)


@pytest.mark.parametrize("crs", ["EPSG:4978", "EPSG:5773", "EPSG:3857", "EPSG:32660"])
def test_a_crs_that_is_not_true_to_scale_here_is_refused(crs):
    with pytest.raises(CrsError, match=r"metre|kilometre"):
        Region.from_bbox((9.0, 45.0, 9.1, 45.1), name="x", crs=crs)


@pytest.mark.parametrize("bbox", [(-1e6, 4e6, -9e5, 4.1e6), (0.0, 0.0, float("inf"), 1.0), (0.0, 80.0, 1.0, 91.0)])
def test_a_box_that_is_not_in_degrees_is_refused(bbox):
    with pytest.raises(CrsError, match="not in degrees"):
        Region.from_bbox(bbox, name="x")


def test_odd_properties_of_features(tmp_path):
    ring = [[9, 45], [9.1, 45], [9.1, 45.1], [9, 45]]
    for properties in (["list"], "text", None, {"id": 0, "name": "\ud800"}):
        raw = {"type": "Feature", "properties": properties, "geometry": {"type": "Polygon", "coordinates": [ring]}}
        (tmp_path / "b.geojson").write_text(json.dumps(raw | {"crs": {"properties": None}}))
        region = Region.from_geojson(tmp_path / "b.geojson")
        region.zones[0].name.encode("utf-8")
    assert region.zones[0].key == "0"


def test_the_region_is_no_zone(tmp_path):
    with pytest.raises(DataError, match="'region' is taken"):
        region_of(tmp_path, ("region", "zone", 0, 0, 100, 100))


def test_a_scrap_of_a_path_does_not_swallow_a_home(tmp_path):
    sketch = Drawing()
    sketch.way((40, 20), (60, 20), highway="footway")
    sketch.way((440, -30), (460, -30), highway="footway")
    sketch.area(400, -20, 500, -10, natural="water")
    sketch.way((-900, 0), (900, 0), highway="residential")
    sketch.way((-900, 400), (-900, 0), (0, 800), highway="residential")
    data = read_osm(sketch.write(tmp_path / "map.osm.pbf"), BOX)
    region = region_of(tmp_path, ("all", "zone", -950, -950, 950, 950))
    network = Network.from_osm(data.ways, data.way_nodes, region)
    water = region.project(np.array([shape for shape in data.features["geometry"] if shape.area > 0], dtype=object))
    snapper = Snapper(network, limit_m=500, barriers=water)
    joins = snapper.join(shapely.points([(50.0, 50.0), (450.0, -60.0), (700.0, 30.0)]))
    ways = [network.edge_way[joins.edge[joins.place == place]].tolist() for place in range(3)]
    assert ways == [[1, 4], [2], [4]]  # across the water there is no second join
