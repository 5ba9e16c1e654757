"""Units: zones parted and joined, on drawn maps of square cells of 100 m."""

import json
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import shapely
import town
from drawn import CRS, Drawing, boundary, lonlat, raster
from hypothesis import given, settings
from hypothesis import strategies as st

from lifecircle.assess.neighbours import components, dividers, neighbours
from lifecircle.assess.parting import Patch
from lifecircle.assess.units import LEVELS, Level, Units
from lifecircle.errors import DataError, StandardError
from lifecircle.model.barriers import Barriers
from lifecircle.model.cells import PEOPLE, Cells
from lifecircle.region import Region
from lifecircle.study import Study

SIDE = 100.0
SMALL = Level("small", "小", 5, 12)


def barriers(*shapes, kind="motorway", name=""):
    """Shapes in drawn metres."""
    return Barriers(
        np.array(shapes, dtype=object), np.full(len(shapes), kind, dtype=object), np.full(len(shapes), name, dtype=object)
    )  # fmt: skip


NOTHING = barriers()


def draw(folder, people, zones):
    """Cells of whole people by (row, column), in zones that are boxes of columns and rows: ``(name, c0, r0, c1, r1)``."""
    path = boundary(
        folder / "zones.geojson",
        *((name, "zone", c0 * SIDE, -r1 * SIDE, c1 * SIDE, -r0 * SIDE) for name, c0, r0, c1, r1 in zones),
    )
    region = Region.from_geojson(path, crs=CRS)
    row, column = np.array(sorted(people)).T
    x, y = (column + 0.5) * SIDE, -(row + 0.5) * SIDE
    lon, lat = lonlat(x, y)
    zone = np.full(len(row), -1)
    for ix, one in enumerate(region.zones):
        zone[(zone < 0) & shapely.contains_xy(one.geometry, lon, lat)] = ix
    assert (zone >= 0).all(), "a cell lies in no zone"
    half = SIDE / 2
    corners = np.stack(
        [np.stack([x + a * half, y + b * half], axis=1) for a, b in ((-1, 1), (1, 1), (1, -1), (-1, -1))], axis=1
    )
    n = len(row)
    return Cells(
        row=row.astype(np.int32), column=column.astype(np.int32),
        people=np.array([round(people[key] * PEOPLE) for key in sorted(people)], dtype=np.int64), corners=corners,
        area_m2=np.full(n, 10_000), residential_m2=np.zeros(n, dtype=np.int64), buildings=np.zeros(n, dtype=np.int32),
        zone=zone.astype(np.int16), in_overlay=np.zeros((0, n), dtype=bool), status=np.zeros(n, dtype=np.uint8),
        to_edge_m=np.full(n, 1e4), extent=(0.0, 0.0, 1.0, 1.0), starts=None, joins=None, crs=region.crs, transform=None,
        shape=(1, 1), origin=(0, 0), rounding_people=0.0, region=region,
    )  # fmt: skip


def shuffled(cells, order):
    fields = (
        "row",
        "column",
        "people",
        "corners",
        "area_m2",
        "residential_m2",
        "buildings",
        "zone",
        "status",
        "to_edge_m",
    )
    return replace(
        cells, **{name: getattr(cells, name)[order] for name in fields}, in_overlay=cells.in_overlay[:, order]
    )


def reading_order(cells):
    return np.lexsort((cells.column, cells.row))


def people(units):
    return [unit.people / PEOPLE for unit in units.units]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("units")


@st.composite
def maps(draw_):
    """People by cell on a grid of up to 7 by 12, in one zone or two or three side by side, and some barriers."""
    rows, columns = draw_(st.integers(1, 7)), draw_(st.integers(1, 12))
    every = [(r, c) for r in range(rows) for c in range(columns)]
    number = st.one_of(st.integers(1, 4), st.integers(1, 4), st.sampled_from([0.25, 7, 12, 13, 30]))
    lived = draw_(st.dictionaries(st.sampled_from(every), number, min_size=1))
    borders = sorted({0, columns, *draw_(st.lists(st.integers(1, max(1, columns - 1)), max_size=2))})
    zones = [(f"z{ix}", c0, 0, c1, rows) for ix, (c0, c1) in enumerate(pairwise(borders))]
    place = st.tuples(st.integers(0, columns), st.integers(-rows, 0)).map(lambda p: (p[0] * SIDE, p[1] * SIDE))
    ends = st.lists(st.tuples(place, place).filter(lambda pair: pair[0] != pair[1]), max_size=3)
    lines = [shapely.LineString(pair) for pair in draw_(ends)]
    rivers = [shapely.LineString(pair).buffer(20, cap_style="flat") for pair in draw_(ends)]
    kinds = ["motorway"] * len(lines) + ["water"] * len(rivers)
    shapes = np.empty(len(kinds), dtype=object)
    shapes[:] = lines + rivers
    across = Barriers(shapes, np.array(kinds, dtype=object), np.full(len(kinds), "", dtype=object))
    return lived, zones, across


@settings(max_examples=120, deadline=None)
@given(drawn=maps(), seed=st.integers(0, 2**32 - 1))
def test_laws_of_units(folder, drawn, seed):
    lived, zones, across = drawn
    cells = draw(folder, lived, zones)
    units = Units.propose(cells, across, level=SMALL)
    order = reading_order(cells)
    label, number = units.unit[order], cells.people[order]
    links, _ = neighbours(cells, order, across)

    # Every cell is in one unit, and people add up exactly.
    assert np.array_equal(np.unique(label), np.arange(len(units)))
    assert [unit.people for unit in units.units] == [int(number[label == ix].sum()) for ix in range(len(units))]
    assert sum(unit.people for unit in units.units) == int(cells.people.sum())
    for ix, zone in enumerate(cells.region.zones):
        own = [unit for unit in units.units if zone.key in unit.zones]
        if all(unit.zones == (zone.key,) for unit in own):
            assert sum(unit.people for unit in own) == int(cells.people[cells.zone == ix].sum())

    # Each unit hangs together.
    inside = label[links.a] == label[links.b]
    assert len(np.unique(components(len(label), links.a[inside], links.b[inside]))) == len(units)

    # Only a single cell exceeds the upper bound; nothing below the lower one could simply be joined to a neighbour.
    least, most = SMALL.least * PEOPLE, SMALL.most * PEOPLE
    beside = {
        (int(label[a]), int(label[b])) for a, b in zip(links.a[~links.severed], links.b[~links.severed], strict=True)
    }
    for ix, unit in enumerate(units.units):
        expected = "too_few" if unit.people < least else "too_many" if unit.people > most else "fits"
        assert unit.verdict == expected
        if unit.verdict == "too_many":
            assert (label == ix).sum() == 1
        assert unit.needed == (0 if unit.people < least else max(1, -(-unit.people // most)))
        if unit.verdict == "too_few":
            near = {b for a, b in beside if a == ix} | {a for a, b in beside if b == ix}
            assert all(unit.people + units.units[other].people > most for other in near - {ix})

    # What runs through a unit is named.
    for unit in units.units:
        assert unit.cut_by == () or not set(unit.cut_by) - {"motorway", "water", "outside"}

    # The land of the units is the region's, and every cell lies in its own unit's.
    shapes = np.array([unit.geometry for unit in units.units], dtype=object)
    whole = cells.region.boundary
    assert shapely.is_valid(shapes).all()
    hair = 1e-14 * (whole.length + shapely.length(shapes).sum())  # what rounding leaves: a nanometre along all borders
    assert abs(shapely.area(shapes).sum() - whole.area) < hair
    assert shapely.symmetric_difference(shapely.union_all(shapes), whole).area < hair
    one, other = shapely.STRtree(shapes).query(shapes, predicate="intersects")
    pairs = one < other
    assert shapely.area(shapely.intersection(shapes[one[pairs]], shapes[other[pairs]])).sum() < hair
    lon, lat = cells.region.to_lonlat.transform(*cells.corners.mean(axis=1).T)
    assert shapely.contains_xy(shapes[units.unit], lon, lat).all()

    # Another order of the cells changes nothing.
    mixed = np.random.default_rng(seed).permutation(len(cells))
    again = Units.propose(shuffled(cells, mixed), across, level=SMALL)
    assert np.array_equal(again.unit, units.unit[mixed])
    assert again.units == units.units
    assert again.to_geojson() == units.to_geojson()


@settings(max_examples=100, deadline=None)
@given(data=st.data(), n=st.integers(2, 30), most=st.integers(4, 40))
def test_a_patch_is_parted_into_connected_parts_that_fit(data, n, most):
    number = np.array(data.draw(st.lists(st.integers(0, 10), min_size=n, max_size=n)), dtype=np.int64)
    tree = [(ix, data.draw(st.integers(0, ix - 1))) for ix in range(1, n)]
    more = data.draw(st.lists(st.tuples(st.integers(0, n - 1), st.integers(0, n - 1)), max_size=20))
    pairs = sorted({(min(p), max(p)) for p in [*tree, *more] if p[0] != p[1]})
    a, b = np.array(pairs, dtype=np.int64).T
    xy = np.array(
        data.draw(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=n, max_size=n)), dtype=float
    )
    strength = np.array(data.draw(st.lists(st.integers(1, 1 << 17), min_size=len(pairs), max_size=len(pairs))))
    label = Patch(xy, number, a, b, strength).parted(most // 2, most)
    inside = label[a] == label[b]
    assert len(np.unique(components(n, a[inside], b[inside]))) == len(np.unique(label)) == label.max() + 1
    total, size = np.bincount(label, weights=number), np.bincount(label)
    assert ((total <= most) | (size == 1)).all()


def grid(rows, columns, number, *, row=0, column=0):
    return {(row + r, column + c): number for r in range(rows) for c in range(columns)}


def test_a_zone_of_30_000_is_parted_into_three(tmp_path):
    cells = draw(tmp_path, grid(10, 30, 100), [("a", 0, 0, 30, 10)])
    units = Units.propose(cells, NOTHING)
    assert [unit.verdict for unit in units.units] == ["fits"] * 3
    assert sum(people(units)) == 30_000
    # Three blocks side by side, each cut straight across.
    assert [unit.geometry.geom_type for unit in units.units] == ["Polygon"] * 3
    assert sum(shapely.length(unit.geometry.boundary) for unit in units.units) < 1.55 * cells.region.boundary.length
    assert [unit.key for unit in units.units] == ["community-001", "community-002", "community-003"]
    assert [unit.name_zh for unit in units.units] == ["A小区1", "A小区2", "A小区3"]


def test_two_zones_of_3_000_are_joined(tmp_path):
    cells = draw(tmp_path, grid(3, 20, 100), [("a", 0, 0, 10, 3), ("b", 10, 0, 20, 3)])
    units = Units.propose(cells, NOTHING)
    assert people(units) == [6_000]
    assert units.units[0].zones == ("a", "b")
    assert units.units[0].geometry.equals(cells.region.boundary)


def river(x, width=60.0):
    return shapely.box(x - width / 2, -1e4, x + width / 2, 1e4)


def test_a_river_parts_a_zone_where_both_banks_are_large_enough(tmp_path):
    cells = draw(tmp_path, grid(10, 10, 100), [("a", 0, 0, 10, 10)])
    whole = Units.propose(cells, NOTHING)
    assert people(whole) == [10_000]
    parted = Units.propose(cells, barriers(river(500), kind="water"))
    assert people(parted) == [5_000, 5_000]
    assert [unit.cut_by for unit in parted.units] == [(), ()]
    narrow = Units.propose(cells, barriers(river(500, 29), kind="water"))
    assert people(narrow) == [10_000]
    # With too few on one bank nothing else is left: the unit says what runs through it.
    forced = Units.propose(cells, barriers(river(400), kind="water", name="大河"))
    assert people(forced) == [10_000]
    assert forced.units[0].cut_by == ("water 大河",)


def test_a_motorway_sends_a_small_zone_to_its_other_neighbour(tmp_path):
    lived = grid(3, 10, 100) | grid(3, 10, 100, column=10) | grid(3, 10, 100, column=20)
    zones = [("a", 0, 0, 10, 3), ("b", 10, 0, 20, 3), ("c", 20, 0, 30, 3)]
    cells = draw(tmp_path, lived, zones)
    road = barriers(shapely.LineString([(1000, -500), (1000, 500)]), name="G1503")
    units = Units.propose(cells, road)
    assert [(unit.zones, unit.people / PEOPLE, unit.cut_by) for unit in units.units] == [
        (("a", "b", "c"), 9_000, ("motorway G1503",))
    ]  # a has no other neighbour, and nothing else is left
    lived |= grid(3, 10, 100, row=3)
    cells = draw(tmp_path, lived, [*zones, ("d", 0, 3, 10, 6)])
    units = Units.propose(cells, road)
    assert [(unit.zones, unit.people / PEOPLE, unit.cut_by) for unit in units.units] == [
        (("a", "d"), 6_000, ()),
        (("b", "c"), 6_000, ()),
    ]


def test_a_zone_is_cut_along_an_arterial(tmp_path):
    cells = draw(tmp_path, grid(10, 20, 100), [("a", 0, 0, 20, 10)])
    road = barriers(shapely.LineString([(900, 100), (900, -500), (1100, -500), (1100, -1100)]), kind="arterial")
    units = Units.propose(cells, NOTHING, roads=road)
    assert people(units) == [10_000, 10_000]
    side = (cells.column < 9) | ((cells.column < 11) & (cells.row >= 5))
    assert np.array_equal(units.unit, np.where(side, 0, 1))


def test_what_is_too_small_is_parted_anew_with_a_full_neighbour(tmp_path):
    cells = draw(tmp_path, grid(3, 10, 100) | grid(11, 10, 100, row=3), [("a", 0, 0, 10, 3), ("b", 0, 3, 10, 14)])
    units = Units.propose(cells, NOTHING)
    assert sum(people(units)) == 14_000
    assert [unit.verdict for unit in units.units] == ["fits", "fits"]
    assert units.units[0].zones == ("a", "b")


def test_an_island_stays_alone_and_a_tower_is_too_many(tmp_path):
    lived = grid(1, 10, 100) | {(0, 50): 13_000}
    cells = draw(tmp_path, lived, [("a", 0, 0, 10, 1), ("b", 40, 0, 60, 1)])
    units = Units.propose(cells, NOTHING)
    assert [(unit.verdict, unit.needed) for unit in units.units] == [("too_few", 0), ("too_many", 2)]


def test_land_nobody_lives_on_goes_to_the_nearest(tmp_path):
    lived = grid(2, 10, 400) | grid(2, 10, 400, column=30)
    cells = draw(tmp_path, lived, [("a", 0, 0, 10, 2), ("empty", 10, 0, 30, 2), ("b", 30, 0, 40, 2)])
    units = Units.propose(cells, NOTHING)
    assert [unit.zones for unit in units.units] == [("a",), ("b",)]
    areas = [unit.geometry.area / cells.region.boundary.area for unit in units.units]
    assert areas == pytest.approx([0.5, 0.5], abs=1e-6)


def test_a_large_map_is_cut_between_blocks_of_cells(tmp_path):
    cells = draw(tmp_path, grid(150, 150, 10), [("a", 0, 0, 150, 150)])
    units = Units.propose(cells, NOTHING)
    assert {unit.verdict for unit in units.units} == {"fits"}
    assert 19 <= len(units) <= 22
    assert sum(people(units)) == 225_000
    for unit in units.units:  # no scattered or ragged ones: a square has 0.785, three squares in a row 0.59
        assert 4 * np.pi * unit.geometry.area / unit.geometry.length**2 > 0.4


def test_area_is_advice_at_the_level_of_subdistricts(tmp_path):
    cells = draw(tmp_path, grid(10, 10, 600) | grid(10, 10, 600, row=80), [("a", 0, 0, 10, 10), ("b", 0, 10, 10, 90)])
    units = Units.propose(cells, NOTHING, level="subdistrict")
    assert [(unit.key, unit.verdict, unit.advice) for unit in units.units] == [
        ("subdistrict-001", "fits", "too_small_area"),
        ("subdistrict-002", "fits", "too_large_area"),
    ]


def test_units_are_read_back_as_overlays_and_as_zones(tmp_path):
    cells = draw(tmp_path, grid(10, 30, 100), [("a", 0, 0, 20, 10), ("b", 20, 0, 30, 10)])
    cells = replace(cells, in_overlay=np.zeros((1, len(cells)), dtype=bool))
    extra = replace(cells.region.zones[0], key="pilot")
    cells = replace(cells, region=replace(cells.region, overlays=(extra,)))
    units = Units.propose(cells, NOTHING)
    keys = [unit.key for unit in units.units]
    path = tmp_path / "units.geojson"
    path.write_text(units.to_geojson(), encoding="utf-8")
    region = Region.from_geojson(path, crs=CRS)
    assert [zone.key for zone in region.zones] == ["a", "b"]
    assert [zone.key for zone in region.overlays] == [*keys, "pilot"]
    assert [zone.geometry for zone in region.overlays[:-1]] == [unit.geometry for unit in units.units]
    # A second proposal on that file takes the place of the first.
    again = Units.propose(replace(cells, region=region), NOTHING)
    assert again.to_geojson() == units.to_geojson()
    path.write_text(units.to_geojson(as_zones=True), encoding="utf-8")
    region = Region.from_geojson(path, crs=CRS)
    assert [zone.key for zone in region.zones] == keys
    assert [zone.key for zone in region.overlays] == ["pilot"]
    assert shapely.symmetric_difference(region.boundary, cells.region.boundary).area < 1e-12 * region.boundary.area
    assert [zone.name_zh for zone in region.zones] == [unit.name_zh for unit in units.units]
    # Overlays of somebody else's stay, and units get keys that are free.
    other = replace(cells.region, overlays=(replace(extra, key="Community-001"),))
    beside = Units.propose(replace(cells, region=other), NOTHING)
    assert [unit.key for unit in beside.units] == [f"new-{key}" for key in keys]
    assert '"Community-001"' in beside.to_geojson()
    # Units of units have keys of their own.
    renewed = Units.propose(replace(cells, region=region, zone=units.unit.astype(np.int16)), NOTHING)
    assert [unit.key for unit in renewed.units] == [f"new-{key}" for key in keys]
    assert people(renewed) == people(units)


def test_units_show_themselves(tmp_path):
    units = Units.propose(draw(tmp_path, grid(10, 20, 100), [("a", 0, 0, 20, 10)]), NOTHING)
    assert len(units) == 2
    assert "community-002" in units._repr_html_()
    frame = units.to_geodataframe()
    assert frame["people"].sum() == 20_000
    assert frame["area_km2"].tolist() == [1.0, 1.0]
    assert set(frame["verdict"]) == {"fits"}
    assert not units.unit.flags.writeable


def test_dividers_keep_bridges_of_motorways_and_railways_alone(tmp_path):
    import pandas as pd

    tags = [
        {"highway": "motorway", "bridge": "yes", "ref": "M4"},
        {"highway": "primary", "bridge": "yes"},
        {"highway": "primary", "name": "Main"},
        {"highway": "trunk", "expressway": "yes", "bridge": "yes"},
        {"highway": "motorway", "tunnel": "yes"},
        {"highway": "residential", "motorroad": "yes"},
    ]
    n = len(tags)
    way_nodes = pd.DataFrame(
        {
            "way_ix": np.repeat(np.arange(n), 2),
            "lon": np.tile([9.0, 9.01], n),
            "lat": np.full(2 * n, 45.0),
            "inside": np.ones(2 * n, dtype=bool),
        }
    )
    line = shapely.LineString([(9, 45), (9.01, 45)])
    rails = [
        {"railway": "rail", "bridge": "yes"},
        {"railway": "rail"},
        {"railway": "rail", "bridge": "yes", "service": "yard"},
    ]
    lines = pd.DataFrame({"tags": rails, "geometry": [line] * len(rails)})
    region = Region.from_bbox((9.0, 44.9, 9.1, 45.1), name="x")
    found = dividers(pd.DataFrame({"tags": tags}), way_nodes, lines, region)
    assert list(zip(found.kind, found.name, strict=True)) == [
        ("motorway", "M4"), ("arterial", "Main"), ("motorway", ""), ("railway", ""),
    ]  # fmt: skip


def test_levels_are_checked(tmp_path):
    cells = draw(tmp_path, {(0, 0): 1}, [("a", 0, 0, 1, 1)])
    with pytest.raises(StandardError, match="community"):
        Units.propose(cells, NOTHING, level="comunity")
    with pytest.raises(StandardError, match="least < most"):
        replace(LEVELS["community"], most=5_000)
    with pytest.raises(DataError, match="--population"):
        Units.propose(replace(cells, people=None), NOTHING)


def village(folder):
    """A town of two zones, 14,000 and 2,000 people, and its study file."""
    made = Drawing()
    for at in range(0, 2001, 200):
        made.way((0, -at), (2000, -at), highway="residential")
    made.way((0, 0), (0, -2000), highway="residential")
    made.way((1000, 100), (1000, -2100), highway="primary", name="大道")
    made.poi(20, -20, amenity="clinic")
    made.write(folder / "map.osm.pbf")
    raster(folder / "people.tif", [[40.0] * 20] * 20, left=0, top=0)
    boundary(folder / "zones.geojson", ("a", "zone", 0, -1750, 2000, 0), ("b", "zone", 0, -2000, 2000, -1750))
    (folder / "cases.toml").write_text(town.STANDARD, encoding="utf-8")
    path = folder / "study.toml"
    path.write_text(
        'schema = 1\nname = "village"\nosm = "map.osm.pbf"\npopulation = "people.tif"\nboundary = "zones.geojson"\n'
        f'standard = "cases.toml"\ncrs = "{CRS}"\n',
        encoding="utf-8",
    )
    return path


def test_the_command_writes_a_boundary_file(call, tmp_path, monkeypatch):
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setenv("COLUMNS", "160")
    study, out = village(tmp_path), tmp_path / "made.geojson"
    code, said, err = call("units", study, "-o", out)
    assert (code, err) == (0, "")
    assert "community-001" in said
    assert "2 of 2 units have 5,000 to 12,000 people" in said
    region = Region.from_geojson(out, crs=CRS)
    assert [zone.key for zone in region.zones] == ["a", "b"]
    assert [zone.key for zone in region.overlays] == ["community-001", "community-002"]
    # A study with that file counts the same people by unit.
    units = Study.from_toml(study).prepare(allow_empty=True).units()
    prepared = Study.from_toml(study).changed(boundary=str(out)).prepare(allow_empty=True)
    inside = [int(prepared.cells.people[own].sum()) for own in prepared.cells.in_overlay]
    assert inside == [unit.people for unit in units.units]
    code, said, err = call("units", study, "-o", out, "--as-zones", "--json")
    assert (code, err) == (0, "")
    assert [row["people"] for row in json.loads(said)] == [unit.people / PEOPLE for unit in units.units]
    assert [zone.key for zone in Region.from_geojson(out, crs=CRS).zones] == ["community-001", "community-002"]
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.startswith(".")) == []


def test_the_command_refuses_with_one_message(call, tmp_path, monkeypatch):
    monkeypatch.setenv("TERM", "dumb")
    study = village(tmp_path)
    code, _, err = call("units", study, "--level", "district", "-o", tmp_path / "x.geojson")
    assert code == 2
    assert "subdistrict" in err
    code, _, err = call("units", study, "-o", tmp_path / "no" / "x.geojson")
    assert code == 4
    assert "x.geojson" in err
    study.write_text(study.read_text(encoding="utf-8").replace('population = "people.tif"\n', ""), encoding="utf-8")
    code, out, err = call("units", study, "-o", tmp_path / "x.geojson")
    assert (code, out) == (3, "")
    assert err.strip().count("\n") == 0
    assert "--population" in err
    assert not (tmp_path / "x.geojson").exists()


def test_zones_keep_their_class_and_units_have_that_of_theirs(tmp_path):
    cells = draw(tmp_path, grid(3, 20, 100), [("a", 0, 0, 10, 3), ("b", 10, 0, 20, 3)])
    region = cells.region
    zones = tuple(replace(zone, zone_class="new_city", renewal=zone.key == "a") for zone in region.zones)
    units = Units.propose(replace(cells, region=replace(region, zones=zones)), NOTHING)
    path = tmp_path / "units.geojson"
    path.write_text(units.to_geojson(), encoding="utf-8")
    assert [(z.zone_class, z.renewal) for z in Region.from_geojson(path).zones] == [
        ("new_city", True),
        ("new_city", False),
    ]
    path.write_text(units.to_geojson(as_zones=True), encoding="utf-8")
    assert [(z.zone_class, z.renewal) for z in Region.from_geojson(path).zones] == [("new_city", False)]
