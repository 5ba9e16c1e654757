"""Laws that need a whole map: people are conserved, and no walk is shorter than the straight line."""

import math

import drawn
import numpy as np
import pyproj
import rasterio
import shapely
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lifecircle.errors import DataError
from lifecircle.profiles import TICKS
from lifecircle.region import GEOD
from lifecircle.study import Study

STANDARD = """\
schema = 1
name = "one"
title = "One"
title_zh = "一"
source = "test"
[services.shop]
title = "Shop"
title_zh = "店"
profile = "{profile}"
threshold = {{ value = 300, source = "test", status = "unverified" }}
tags = [{{ match = {{ shop = ["*"] }} }}]
"""
WHOLE_MAP = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
PLACE = st.tuples(st.integers(-6, 6), st.integers(-6, 6)).map(lambda p: (p[0] * 50.0, p[1] * 50.0))


@st.composite
def maps(draw):
    """Streets between random places, shops on, beside and far from them, and people in random pixels."""
    streets = draw(st.lists(st.lists(PLACE, min_size=2, max_size=5), min_size=1, max_size=8))
    shops = draw(st.lists(st.tuples(PLACE, st.integers(-20, 20), st.integers(-20, 20)), min_size=1, max_size=4))
    people = draw(
        st.lists(
            st.lists(st.one_of(st.just(0.0), st.just(-200.0), st.floats(0, 500, width=32)), min_size=7, max_size=7),
            min_size=7, max_size=7,
        )
    )  # fmt: skip
    return streets, shops, people, draw(st.sampled_from(["adult", "frail", "metres"]))


def run(folder, streets, shops, people, profile, *, crs=drawn.CRS):
    sketch = drawn.Drawing()
    for street in streets:
        sketch.way(*street, highway="residential")
    for (x, y), dx, dy in shops:
        sketch.poi(x + dx, y + dy, shop="convenience")
    sketch.write(folder / "map.osm.pbf")
    if crs == drawn.CRS:
        drawn.raster(folder / "people.tif", people, left=-350, top=350)
    else:
        drawn.raster(folder / "people.tif", people, left=8.996, top=45.003, size=0.001, crs=crs)
    (folder / "one.toml").write_text(STANDARD.format(profile=profile), encoding="utf-8")
    west, south = drawn.lonlat(-320, -320)
    east, north = drawn.lonlat(320, 320)
    keys = {
        "osm": str(folder / "map.osm.pbf"), "population": str(folder / "people.tif"),
        "bbox": (west, south, east, north), "standard": str(folder / "one.toml"),
    }  # fmt: skip
    return Study.from_keys(keys).run(threads=1)


@given(maps(), st.sampled_from([drawn.CRS, "EPSG:4326"]))
@WHOLE_MAP
def test_law_8_people_in_cells_are_the_rasters_people_in_the_region(tmp_path, drawing, crs):
    try:
        result = run(tmp_path, *drawing, crs=crs)
    except DataError as error:
        assert "nobody lives" in str(error) or "knows nothing" in str(error) or "no street" in str(error)  # noqa: PT017
        return
    with rasterio.open(tmp_path / "people.tif") as raster:
        values = raster.read(1).astype(np.float64)
        rows, columns = np.indices(values.shape)
        x, y = rasterio.transform.xy(raster.transform, rows.ravel(), columns.ravel())
        to_lonlat = pyproj.Transformer.from_crs(raster.crs, "EPSG:4326", always_xy=True)
    lon, lat = to_lonlat.transform(np.array(x), np.array(y))
    inside = shapely.intersects_xy(result.prepared.region.boundary, lon, lat)
    kept = [value for value, ok in zip(values.ravel().tolist(), inside.tolist(), strict=True) if ok and value > 0]
    units = sum(math.floor(value * 1024 + 0.5) for value in kept)
    cells = result.coverage.cells
    assert int(cells.people.sum()) == units
    assert abs(units / 1024 - sum(kept) - cells.rounding_people) < 1e-9 * max(1.0, sum(kept))
    figures = {(f.service, f.kind): f for f in result.coverage.figures() if f.measure == "people"}
    assert figures["shop", "region"].total == units / 1024


@given(maps())
@WHOLE_MAP
def test_law_9_no_walk_is_shorter_than_the_straight_line(tmp_path, drawing):
    try:
        result = run(tmp_path, *drawing)
    except DataError:
        return
    coverage = result.coverage
    profile = next(iter(coverage.profiles.values()))
    region = coverage.cells.region
    centres = shapely.centroid(coverage.cells.polygons())
    lon, lat = region.to_lonlat.transform(shapely.get_x(centres), shapely.get_y(centres))
    parts = coverage.network.n_edges + 2
    for cell in range(len(coverage.cells)):
        facility = int(coverage.nearest[0, cell])
        if facility < 0:
            continue
        point = region.unproject(coverage.facilities.shape[facility])
        straight = GEOD.inv(lon[cell], lat[cell], point.x, point.y)[2]
        # A joining point is found on the plane of the map, which is true to some 0.05 % only.
        assert coverage.ticks[0, cell] / TICKS >= 0.9995 * straight / profile.top_speed - parts / 64
