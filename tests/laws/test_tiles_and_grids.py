"""Laws of rasters: how they are cut into files changes nothing, and whatever the grid, nobody is lost or counted twice."""

import math

import drawn
import numpy as np
import pyproj
import pytest
import rasterio
import shapely
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from tiled import cut, vrt

from lifecircle.errors import DataError
from lifecircle.model import demand
from lifecircle.model.cells import PEOPLE, Cells
from lifecircle.model.network import Network
from lifecircle.model.snapping import Snapper
from lifecircle.region import Region
from lifecircle.sources.osm import read_osm
from lifecircle.sources.rasters import read_elevation, read_population

MANY = settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
BOX = shapely.box(*drawn.lonlat(-310, -310), *drawn.lonlat(310, 310))
SIZE = 8  # pixels a side, of 100 m: the box holds all of the middle six


@st.composite
def cuttings(draw):
    """Values, and rectangles that may lie over each other and may leave gaps."""
    kinds = st.one_of(st.just(np.nan), st.just(0.0), st.integers(1, 90).map(float))
    values = np.array(draw(st.lists(kinds, min_size=SIZE * SIZE, max_size=SIZE * SIZE))).reshape(SIZE, SIZE)
    edges = st.tuples(st.integers(0, SIZE - 1), st.integers(1, SIZE)).filter(lambda e: e[0] < e[1])
    whole = draw(st.booleans())
    boxes = draw(st.lists(st.tuples(edges, edges), min_size=1, max_size=4, unique=True))
    if whole:  # two strips that hold everything, and whatever else was drawn
        line = draw(st.integers(1, SIZE - 1))
        boxes = list(dict.fromkeys([((0, line), (0, SIZE)), ((line, SIZE), (0, SIZE)), *boxes]))
    return values, draw(st.permutations(boxes))


def same(one, other):
    assert (np.array_equal(one.values, other.values, equal_nan=True), one.row, one.column) == (
        True, other.row, other.column,
    )  # fmt: skip
    assert one.transform == other.transform
    assert one.crs == other.crs


@given(cuttings(), st.sampled_from([read_population, read_elevation]))
@MANY
def test_tiles_by_name_a_vrt_and_gdal_say_the_same(tmp_path, cutting, read):
    values, boxes = cutting
    whole = drawn.raster(tmp_path / "whole.tif", values, left=-400, top=400, nodata=np.nan)
    tiles = cut(whole, tmp_path, boxes)
    held = np.zeros((SIZE, SIZE), dtype=bool)
    for (r0, r1), (c0, c1) in boxes:
        held[r0:r1, c0:c1] = True
    made = vrt(tmp_path / "all.vrt", whole, tiles)
    with rasterio.open(made) as seen:
        assert np.array_equal(seen.read(1), np.where(held, values, np.nan), equal_nan=True)
    assume((held & ~np.isnan(values))[1:-1, 1:-1].any())
    by_name = read(tiles, BOX)
    of_vrt = read(made, BOX)
    alone = read(whole, BOX)
    here = np.s_[
        of_vrt.row : of_vrt.row + of_vrt.values.shape[0], of_vrt.column : of_vrt.column + of_vrt.values.shape[1]
    ]
    same(of_vrt, alone if held.all() else drawn_over(alone, np.where(held[here], alone.values, np.nan)))
    if held.all():
        same(by_name, alone)
    same(by_name, read(tiles[::-1], BOX))
    # What no tile holds is unknown, never nobody, and is said.
    for window in (by_name, of_vrt):
        gap = [note.pixels for note in window.notes if note.what == "gap"]
        inner = SIZE - 2
        missing = int((~held[1:-1, 1:-1]).sum())
        assert window.whole == (missing == 0 and not gap)
        if window is of_vrt:
            assert sum(gap) == missing
        assert np.nansum(window.values[in_box(window)]) == np.nansum(np.where(held, values, 0)[1:-1, 1:-1])
        assert inner * inner >= sum(gap)


def drawn_over(window, values):
    from dataclasses import replace

    return replace(window, values=values)


def in_box(window):
    """Pixels of a window whose centre is in the box."""
    rows, columns = np.indices(window.values.shape)
    return shapely.intersects_xy(BOX, *drawn.lonlat(*(window.transform @ (columns + 0.5, rows + 0.5))))


@given(cuttings(), st.integers(1, 5))
@MANY
def test_tiles_that_disagree_about_people_are_refused_and_the_first_is_right_about_heights(tmp_path, cutting, more):
    values, _ = cutting
    values = np.nan_to_num(values, nan=1.0)
    one = drawn.raster(tmp_path / "one.tif", values[:5], left=-400, top=400)
    other = drawn.raster(tmp_path / "other.tif", values[3:] + more, left=-400, top=100)
    with pytest.raises(DataError, match=f"disagree on {2 * SIZE} pixels, by up to {more} people"):
        read_population([one, other], BOX)
    assert np.array_equal(read_elevation([one, other], BOX).values, np.vstack([values[:5], values[5:] + more]))
    last = read_elevation([other, one], BOX)
    assert np.array_equal(last.values, np.vstack([values[:3], values[3:] + more]))
    assert [(note.what, note.pixels) for note in last.notes] == [("overlap", 2 * SIZE)]


# --------------------------------------------------------------------------------------------- demand on any grid

GRIDS = (drawn.CRS, "EPSG:4326", "ESRI:54009", "EPSG:3857", "EPSG:32632", "EPSG:3035")


@pytest.fixture(scope="module")
def homes(tmp_path_factory):
    """Cells of 100 m, some of them empty, and in two of them homes on both sides of a canal."""
    folder = tmp_path_factory.mktemp("homes")
    sketch = drawn.Drawing()
    sketch.way((-900, 40), (900, 40), highway="residential")
    sketch.way((-900, -40), (900, -40), highway="residential")
    sketch.area(-900, -10, 900, 10, natural="water")
    for x in range(-280, 300, 90):
        sketch.area(x, 20, x + 9, 30, building="house")
        sketch.area(x, -30, x + 9, -20, building="house")
    edge = (*drawn.lonlat(-330, -270), *drawn.lonlat(290, 345))
    region = Region.from_bbox(edge, name="x", crs=drawn.CRS)
    data = read_osm(sketch.write(folder / "map.osm.pbf"), (8.9, 44.9, 9.1, 45.1))
    snapper = Snapper(Network.from_osm(data.ways, data.way_nodes, region), limit_m=500)
    rng = np.random.default_rng(3)
    values = np.where(rng.random((8, 8)) < 0.3, 0.0, np.round(rng.random((8, 8)) * 300, 2))
    path = drawn.raster(folder / "p.tif", values, left=-450, top=350)
    return Cells.from_raster(read_population(path, region.boundary), data.features, snapper, data.extent)


@st.composite
def grids(draw):
    crs = draw(st.sampled_from(GRIDS))
    size = draw(st.sampled_from([17.0, 40.0, 99.0, 100.0, 130.0, 500.0, 1700.0]))
    side = max(3, min(60, math.ceil(1100 / size) + 2))
    seed, shift = draw(st.integers(0, 999)), draw(st.tuples(st.floats(0, 1), st.floats(0, 1)))
    rng = np.random.default_rng(seed)
    values = np.where(rng.random((side, side)) < 0.2, -200.0, rng.random((side, side)) * 10.0 ** rng.integers(-3, 4))
    return crs, size, values.astype(np.float32), shift


@given(grids())
@settings(MANY, max_examples=20)
def test_people_on_any_grid_are_in_the_cells_or_said_to_be_left(tmp_path, homes, grid):
    crs, size, values, shift = grid
    x, y = pyproj.Transformer.from_crs("EPSG:4326", crs, always_xy=True).transform(drawn.LON, drawn.LAT)
    step = size / 111_000 if crs == "EPSG:4326" else size
    n = len(values)
    left, top = x - step * (n / 2 + shift[0] - 0.5), y + step * (n / 2 + shift[1] - 0.5)
    path = drawn.raster(tmp_path / "d.tif", values, left=left, top=top, size=step, crs=crs)
    boundary = homes.region.boundary
    try:
        window = read_population(path, boundary)
    except DataError as error:
        assert "knows nothing" in str(error)  # noqa: PT017
        return
    people, rest, coarse_m = demand.of_raster(homes, window)
    assert (people >= 0).all()
    assert rest >= 0
    rows, columns = np.nonzero(values > 0)
    exact = [math.floor(value * PEOPLE + 0.5) for value in values[rows, columns].tolist()]
    at = rasterio.Affine(step, 0, left, 0, -step, top)
    if coarse_m is None:
        to_lonlat = pyproj.Transformer.from_crs(crs, "EPSG:4326", always_xy=True)
        inside = shapely.intersects_xy(boundary, *to_lonlat.transform(*(at @ (columns + 0.5, rows + 0.5))))
        units = sum(one for one, here in zip(exact, inside.tolist(), strict=True) if here)
    else:
        to_metres = pyproj.Transformer.from_crs(crs, homes.region.crs, always_xy=True)
        corners = [to_metres.transform(*(at @ (columns + i, rows + j))) for i, j in ((0, 0), (1, 0), (1, 1), (0, 1))]
        squares = shapely.polygons(np.moveaxis(np.array(corners), (0, 1, 2), (1, 2, 0)))
        share = shapely.area(shapely.intersection(squares, homes.region.project(boundary))) / shapely.area(squares)
        units = sum(math.floor(one * part + 0.5) for one, part in zip(exact, share.tolist(), strict=True))
    assert int(people.sum()) + round(rest * PEOPLE) == units
    # Nobody is where no residents are.
    assert (people[homes.starts.people == 0] == 0).all() or coarse_m is None


def test_a_raster_on_the_grid_of_the_residents_is_in_their_cells_to_the_unit(tmp_path, homes):
    rng = np.random.default_rng(5)
    values = (rng.random((8, 8)) * 50).astype(np.float32)
    path = drawn.raster(tmp_path / "d.tif", values, left=-450, top=350)
    people, _, _ = demand.of_raster(homes, read_population(path, homes.region.boundary))
    of_cell = np.zeros(len(homes), dtype=np.int64)
    np.add.at(of_cell, homes.starts.cell, people)
    told = np.floor(values[homes.row, homes.column].astype(np.float64) * PEOPLE + 0.5)
    assert (of_cell == told).all()


def test_the_people_of_a_large_pixel_are_where_residents_are(tmp_path, homes):
    path = drawn.raster(tmp_path / "d.tif", np.full((3, 3), 1000.0), left=-3000, top=3000, size=2000)
    people, rest, coarse_m = demand.of_raster(homes, read_population(path, homes.region.boundary))
    assert (rest, coarse_m) == (0.0, pytest.approx(2000, rel=1e-6))
    of_cell = np.zeros(len(homes), dtype=np.int64)
    np.add.at(of_cell, homes.starts.cell, people)
    exact = people.sum() * (homes.people / homes.people.sum())
    assert np.abs(of_cell - exact).max() <= 1
