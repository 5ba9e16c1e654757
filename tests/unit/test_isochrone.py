import numpy as np
import pytest
import shapely
from drawn import CRS, Drawing, lonlat

from lifecircle.errors import DataError
from lifecircle.study import Study, isochrone_of


def walk(sketch, folder, x, y, limits, profile="metres"):
    sketch.write(folder / "map.osm.pbf")
    study = Study.from_keys({"osm": str(folder / "map.osm.pbf"), "bbox": (8, 44, 10, 46), "crs": CRS})
    return isochrone_of(study, *lonlat(x, y), profile=profile, limits=limits)


def test_street_lengths_by_hand(tmp_path):
    sketch = Drawing()
    sketch.way((-500, 0), (0, 0), (500, 0), highway="residential")
    sketch.way((0, 0), (0, 300), highway="footway")
    got = walk(sketch, tmp_path, 100, 20, [10, 70, 200, 5000])
    # 20 m to the street; 50 m both ways; 180 both ways, and 80 of them up the footway; all of it
    assert got.length_m == pytest.approx([0, 100, 360 + 80, 1300], abs=0.5)
    assert got.leg_m == pytest.approx(20, abs=0.01)


def test_a_larger_limit_holds_the_smaller_and_the_areas_hug_the_streets(tmp_path):
    sketch = Drawing()
    for k in range(-3, 4):
        sketch.way(*[(x, 150.0 * k) for x in range(-450, 451, 150)], highway="residential")
        sketch.way(*[(150.0 * k, y) for y in range(-450, 451, 150)], highway="residential")
    got = walk(sketch, tmp_path, 10, 5, [60, 120, 240, 480], profile="adult")
    for small, large in zip(got.areas, got.areas[1:], strict=False):
        assert small.difference(large.buffer(1e-6)).area == pytest.approx(0, abs=1e-6)
    for streets, area in zip(got.streets, got.areas, strict=True):
        assert area.difference(streets.buffer(25.01)).area == pytest.approx(0, abs=1e-6)
        assert streets.difference(area).length == pytest.approx(0, abs=1e-6)


def test_water_is_cut_out_and_no_bank_is_reached_without_a_bridge(tmp_path):
    sketch = Drawing()
    sketch.way((-500, 0), (500, 0), highway="residential")
    sketch.way((-500, 60), (500, 60), highway="residential")
    sketch.area(-600, 20, 600, 40, natural="water")
    got = walk(sketch, tmp_path, 0, -5, [600])
    box = shapely.box(-600, 20.1, 600, 39.9)
    assert got.areas[0].intersection(box).area == pytest.approx(0, abs=1)
    assert got.streets[0].bounds[3] < 20


def test_closed_directions_are_not_drawn(tmp_path):
    sketch = Drawing()
    sketch.way((0, 0), (100, 0), highway="residential")
    sketch.way((100, 0), (200, 0), highway="steps")
    got = walk(sketch, tmp_path, 50, 0, [600], profile="wheelchair")
    assert got.length_m[0] == pytest.approx(100, abs=0.1)


def test_a_place_far_from_everything_is_said(tmp_path):
    sketch = Drawing()
    sketch.way((0, 0), (100, 0), highway="residential")
    with pytest.raises(DataError, match="no path lies within 500 m"):
        walk(sketch, tmp_path, 0, 700, [60])


def test_geojson_rows(tmp_path):
    sketch = Drawing()
    sketch.way((0, 0), (100, 0), highway="residential")
    frame = walk(sketch, tmp_path, 50, 0, [10, 20]).to_geodataframe()
    assert frame["kind"].tolist() == ["area", "area", "streets", "streets"]
    assert frame.crs.to_epsg() == 4326
    assert np.isfinite(frame.total_bounds).all()


def test_a_square_that_many_lines_cross_is_drawn(tmp_path):
    """Sixty streets meet a round square: 1,770 straight walks, which cross each other a million times."""
    sketch = Drawing()
    rim = [(round(80 * np.cos(t), 3), round(80 * np.sin(t), 3)) for t in np.linspace(0, 2 * np.pi, 60, endpoint=False)]
    sketch.way(*rim, rim[0], highway="pedestrian", area="yes")
    for x, y in rim:
        sketch.way((x, y), (2 * x, 2 * y), highway="footway")
    got = walk(sketch, tmp_path, 0, 0, [400])
    assert got.length_m[0] > 1770 * 50
    assert got.areas[0].area == pytest.approx(np.pi * 185**2, rel=0.06)  # the square, its streets and 25 m around
