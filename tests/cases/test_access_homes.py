"""Where a walk starts, how far it goes and what is said where there is none: cases that other tools were told of."""

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
import shapely
from drawn import boundary, lonlat, raster
from world import World

from lifecircle.publish import maps
from lifecircle.publish import scene as scenes
from lifecircle.study import isochrone_of

METRES = 0.3


def maps_layers(result):
    """Layers of the coverage map, as its legend has them."""
    scene = scenes._scene("coverage", result.coverage, result.gaps, result.about, [])
    return list(maps._layers(scene))


LADDER = """
    h       i       j       k
    A-------B-------C-------D

    E-------F-------G-------H
    l               m   s
"""


def ladder():
    world = World(LADDER)
    world.street("ABCD")
    world.street("EFGH")
    world.street("AE")
    world.live("hijklm")
    world.stand("s", amenity="school")
    return world


def test_a_home_in_the_middle_of_a_block_starts_there_and_the_leg_is_charged(tmp_path):
    """GHSCI#653 (48.6 -> 42.0 %), GHSCI#19, spaghetti#75: not from the nearest node, and not for nothing."""
    world = World("""
             h
        A--------------B
                     s
    """)
    world.street("AB")
    world.live("h")
    world.stand("s", amenity="school")
    assert world.walks(tmp_path) == pytest.approx({"h": 20 + 80 + 20}, abs=METRES)


def test_the_threshold_is_held_to_the_whole_walk(tmp_path):
    """GHSCI#19: 490 m is met, 510 m is not, and the legs decide."""
    world = World("""
        h i
        A-+------------------------------------------------B

                                                         s
    """)
    world.street("AB")
    world.live("hi")
    world.stand("s", amenity="school")
    got = world.run(tmp_path)
    assert got.walks("school") == pytest.approx({"h": 20 + 490 + 40, "i": 20 + 470 + 40}, abs=METRES)
    assert got.met("school") == {"h": 0, "i": 0}
    world.live("B")
    assert world.run(tmp_path).met("school") == {"h": 0, "i": 0, "B": 1}


def test_a_home_256_metres_from_the_street_walks_them(tmp_path):
    """r5#934, r5r#373: 0 minutes from a point 256 m away."""
    world = World("""
        A--------B
        s
    """)
    world.place["h"] = (40, -260)
    world.street("AB")
    world.live("h")
    world.stand("s", amenity="school")
    assert world.walks(tmp_path) == pytest.approx({"h": 260 + 40 + 20}, abs=METRES)


def test_neighbours_live_in_one_world(tmp_path):
    """acesso_oport#100: seven cells side by side, seven different answers."""
    world = World("""
        abcdefg
        A-----------------------B
        |                       |
        C-----------------------D
                s
    """)
    world.street("AB")
    world.street("ACDB")
    world.live("abcdefg")
    world.stand("s", amenity="school")
    walks = list(world.walks(tmp_path).values())
    assert np.abs(np.diff(walks)).max() <= 10 + METRES


def test_a_home_beyond_the_limit_is_counted_as_such(tmp_path):
    """pandana#170, r5r#361: reported with its people, not dropped and not zero."""
    world = ladder()
    world.place["x"] = (100, 300 - 600)
    world.live("x", people=7.0)
    got = world.run(tmp_path, snap_limit_m=100)
    assert got.walks("school")["x"] is None
    assert got.met("school")["x"] == -1
    figure = next(f for f in got.coverage.figures() if (f.zone, f.service, f.measure) == ("region", "school", "people"))
    assert (figure.unknown, figure.total) == (7.0, 13.0)


def test_an_island_beyond_the_limit_is_reported_and_not_zero(tmp_path):
    """pandana#170: services on an island snapped across the water gave zero distances."""
    world = ladder()
    world.place["x"] = (300, -600)
    world.stand("x", amenity="clinic")
    got = world.run(tmp_path, "school clinic", snap_limit_m=200)
    assert set(got.walks("clinic").values()) == {None}
    assert got.result._manifest(got.result.prepared.clock)["counts"]["facilities"]["unjoined"] == 1


def test_what_is_not_reached_is_null_in_every_file(tmp_path):
    """pandana#166 (4294967.295), spatial_access#25 (65,535), pandana#121: never a number."""
    world = ladder()
    world.place |= {"x": (100, -400), "Y": (100, -420), "Z": (300, -420)}
    world.street("YZ")
    world.live("x")
    got = world.run(tmp_path)
    folder = got.result.write(tmp_path / "out")
    cells = pd.read_parquet(folder / "cells.parquet").assign(home=got.homes).set_index("home")
    assert cells.loc["x", ["school_m"]].isna().all()
    assert cells.loc["x", "school_n"] == 0
    assert not cells.loc["x", "school_met"]
    assert cells.drop(index="x")["school_m"].between(20, 600).all()


CANAL = """
    h             o
    A-------------B------------------------------C
    |                                            |
    +~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~#~~~~
    |                                            |
    D-------------E------------------------------F
              s       i
"""


def canal(world=None):
    """Draw two banks with a street each and one bridge C-F; the canal runs half-way between them."""
    world = world or World(CANAL)
    world.street("ABC")
    world.street("DEF")
    world.street("CF", highway="residential", bridge="yes", layer="1")
    x0, x1 = -300, 900
    world.way((x0, -60), (x1, -60), waterway="canal")
    world.area(x0, -68, x1, -52, natural="water", water="canal")
    world.live("hi")
    world.stand("s", amenity="school")
    return world


def test_nobody_crosses_a_canal_where_there_is_no_bridge(tmp_path):
    """graphhopper#2181: the nearest bridge is the way."""
    got = canal().walks(tmp_path)
    assert got["i"] == pytest.approx(20 + 80 + 20, abs=METRES)
    assert got["h"] == pytest.approx(20 + 450 + 80 + 350 + 20, abs=METRES)


def test_no_isochrone_crosses_a_canal_where_there_is_no_bridge(tmp_path):
    """graphhopper#2181, openrouteservice#972, QNEAT3#82, valhalla#3212."""
    study = canal().study(tmp_path, "school")
    shape = isochrone_of(study, *lonlat(140, -10), profile="metres", limits=[100, 420])
    far_bank = shapely.box(-300, -300, 400, -68)  # west of the bridge
    for area in shape.areas:
        assert area.area > 0
        assert area.intersection(far_bank).area == pytest.approx(0, abs=1e-6)


def test_a_smaller_limit_lies_in_the_larger(tmp_path):
    """openrouteservice#468: the ring of 30 minutes left out that of 25."""
    study = canal().study(tmp_path, "school")
    limits = [60.0 * minute for minute in range(1, 16)]
    areas = isochrone_of(study, *lonlat(140, -10), profile="adult", limits=limits).areas
    for small, large in pairwise(areas):
        assert small.difference(large.buffer(1e-6)).area == pytest.approx(0, abs=1e-6)


BANKS = """
    A-----------------------------------------B
    |                                         |
    |                                         |
    |                     h
    |    ~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~     |
    D-----------------------------------------E
        s                    t
"""


def banks(**barrier):
    """Draw a ring of streets with a canal or railway through it: h is 60 m from A-B and, over the water, 40 m from D-E."""
    world = World(BANKS)
    world.street("DABE")
    world.street("DE")
    world.way((20, -80), (400, -80), **barrier)
    world.live("h")
    world.stand("s", amenity="school")
    world.stand("t", amenity="school")
    return world


@pytest.mark.parametrize("barrier", [{"waterway": "canal"}, {"railway": "rail"}])
def test_a_home_does_not_start_across_the_water_or_the_railway(tmp_path, barrier):
    """graphhopper#2181, r5py#224: 60 m back to its own street, not 40 m over the canal to another."""
    assert banks(**barrier).walks(tmp_path)["h"] == pytest.approx(60 + 220 + 100 + 40 + 20, abs=METRES)


def test_a_culvert_parts_nobody(tmp_path):
    got = banks(waterway="stream", tunnel="culvert").walks(tmp_path)
    assert got["h"] == pytest.approx(40 + 30 + 20, abs=METRES)


def test_an_isochrone_does_not_start_across_the_water(tmp_path):
    """graphhopper#2181, openrouteservice-app#353."""
    study = banks(waterway="canal").study(tmp_path, "school")
    assert isochrone_of(study, *lonlat(220, -60), profile="metres", limits=[100]).leg_m == pytest.approx(60, abs=METRES)


def test_a_home_does_not_start_across_a_motorway(tmp_path):
    got = banks(highway="motorway").walks(tmp_path)
    assert got["h"] == pytest.approx(60 + 220 + 100 + 40 + 20, abs=METRES)


def test_a_home_with_no_path_on_its_own_side_nearby_is_not_lost(tmp_path):
    world = World("""
                  h
          ~~~~~~~~~~~~~~
        D-----------------E
            s
    """)
    world.street("DE")
    world.way((-100, -20), (330, -20), waterway="ditch")
    world.live("h")
    world.stand("s", amenity="school")
    assert world.walks(tmp_path)["h"] == pytest.approx(40 + 60 + 20, abs=METRES)


def test_adding_a_street_or_a_school_lowers_no_reach(tmp_path):
    """r5r#495: a new footway made the isochrone smaller."""
    before = ladder().walks(tmp_path)
    linked = ladder()
    linked.street("DH")
    linked.street("BF", highway="footway")
    more = ladder()
    more.stand("j", amenity="school")
    for world in (linked, more):
        after = world.walks(tmp_path)
        assert all(after[home] <= before[home] for home in before)
        assert any(after[home] < before[home] - 10 for home in before)


@pytest.mark.xfail(strict=True, reason="joins of the map before an edit are kept by scenarios, which are not built yet")
def test_adding_a_dead_end_beside_a_home_lowers_no_reach(tmp_path):
    """r5r#495: the new path is nearer to the home than its street, and leads there only by a detour."""
    before = ladder().walks(tmp_path)
    world = ladder()
    world.hinterland("D")
    world.place |= {"P": (0, 10), "Q": (600, 10), "R": (600, -20)}
    world.street("PQR", highway="footway")
    world.street("RD", highway="footway")
    after = world.walks(tmp_path)
    assert all(after[home] <= before[home] for home in before)


def test_asked_again_and_in_between_the_answer_is_the_same(tmp_path):
    """pandana#73, abstreet#393: answers that change between calls."""
    prepared = ladder().study(tmp_path, "school").prepare()
    first = prepared.run().coverage.ticks
    canal().walks(tmp_path)
    for threads in (1, 2, 8):
        assert np.array_equal(prepared.run(threads=threads).coverage.ticks, first)


def test_the_number_of_threads_changes_no_byte(tmp_path):
    """numba#7518, r5r#495."""
    study = ladder().study(tmp_path, "school")
    folders = [study.run(threads=threads).write(tmp_path / f"t{threads}") for threads in (1, 2, 8)]
    made = [
        {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.name != "manifest.json"}
        for folder in folders
    ]
    assert made[0] == made[1] == made[2]


def outside():
    """Draw a street that leaves the boundary 500 m right of D; the only school stands 100 m beyond it."""
    world = World("""
        h       D
        A-------B
    """)
    world.place |= {"Z": (700, -20), "s": (690, 0)}
    world.street("ABZ")
    world.live("h")
    world.stand("s", amenity="school")
    return world


def test_a_school_beyond_the_boundary_counts(tmp_path):
    """GHSCI#632, brokenspoke-analyzer#818: people do not turn round at a border."""
    world = outside()
    study = world.study(tmp_path, "school")
    boundary(tmp_path / "boundary.geojson", ("all", "zone", -100, -100, 300, 100))
    coverage = study.run().coverage
    assert coverage.ticks[0, 0] / 32 == pytest.approx(20 + 690 + 20, abs=1)


@pytest.mark.parametrize("aloft", [False, True])
def test_nobody_walks_through_a_hard_border(tmp_path, aloft):
    """GHSCI#610: the fence at Mexicali; a bridge leads over it."""
    world = outside()
    if aloft:
        world.ways.pop()
        world.street("AB")
        world.street("BZ", highway="footway", bridge="yes", layer="1")
    fence = boundary(tmp_path / "fence.geojson", ("fence", "zone", 300, -100, 301, 100))
    study = world.study(tmp_path, "school", hard_barrier=str(fence))
    boundary(tmp_path / "boundary.geojson", ("all", "zone", -100, -100, 300, 100))
    assert np.isfinite(study.run().coverage.ticks[0, 0]) == aloft


def test_a_walk_that_meets_the_end_of_the_data_is_marked(tmp_path):
    """GHSCI#168, ra2ce#138: what lies beyond the extract is unknown."""
    got = ladder().run(tmp_path)
    status = got.result.coverage.cells.to_geodataframe()["status"]
    assert "edge" in set(status)


def test_a_walk_starts_where_the_homes_of_a_cell_stand(tmp_path):
    """acesso_oport#4: from the people, not from the middle of the cell."""
    world = World("""
        A--------------B
             h
             s
        C--------------D
        |              |
        E--------------F
    """)
    world.street("AB")
    world.street("CEFD")
    world.street("CD")
    world.street("BD")
    x, y = world.place["h"]
    world.area(x - 4, y - 5, x - 2, y - 4, building="house")
    world.live("h")
    world.stand("s", amenity="school")
    walked = world.run(tmp_path)
    assert walked.coverage.cells.joins.leg_m[0] == pytest.approx(24.5, abs=METRES)


def test_a_cell_the_canal_runs_through_starts_from_both_banks(tmp_path):
    """acesso_oport#61: those on this bank are served, those on the other are not, each with their share of the people."""
    world = canal()
    for y, floors in ((-30, "3"), (-90, "1")):
        world.area(135, y - 5, 145, y + 5, building="house", building__levels=floors)
    study = world.study(tmp_path, "school")
    one = raster(tmp_path / "one.tif", [[8.0]], left=90, top=-10)  # 100 m by 100 m, and the canal through its middle
    result = study.changed(population=str(one)).run()
    starts = result.coverage.cells.starts
    assert starts.cell.tolist() == [0, 0]
    assert (starts.people / 1024).tolist() == [6.0, 2.0]
    found = {(f.service, f.measure): (f.met, f.not_met) for f in result.coverage.figures() if f.zone == "region"}
    assert found["school", "people"] == (2.0, 6.0)
    assert found["school", "cells"] == (0, 1)
    assert sum(gap.people for gap in result.gaps.clusters) == 6.0
    # what the summary and the map's legend count by needs unmet is the same people
    assert {row["unmet"]: row["people"] for row in result.summary["unmet"]} == {0: 2, 1: 6, None: 0}
    assert [layer["people"][:2] for layer in maps_layers(result) if layer["kind"] == "unmet"] == [[2.0, 6.0]]
    access = pd.read_parquet(result.write(tmp_path / "out") / "access.parquet").query("join_n == 0")
    assert access[["point_n", "people", "school_met"]].to_numpy().tolist() == [[0, 6.0, False], [1, 2.0, True]]


def test_a_gap_names_what_severs_it(tmp_path):
    """White space of the field: the cause of a gap, the barrier by name, and how long the way round is."""
    world = canal()
    world.hinterland("F")
    world.ways = [(refs, tags | {"name": "Old canal"} if tags.get("waterway") else tags) for refs, tags in world.ways]
    world.ways = [(refs, tags | {"name": "Old canal"} if tags.get("natural") else tags) for refs, tags in world.ways]
    got = world.run(tmp_path)
    (gap,) = got.result.gaps.clusters
    assert (gap.cause, gap.barrier, gap.people) == ("severed", "water Old canal", 1.0)
    # h walks 20 + 450 + 80 + 350 + 20 m to a school 121.7 m away
    assert gap.detour == pytest.approx(920 / np.hypot(100, 120), abs=0.2)
    page = got.result.page("index")
    assert "Between lies water (Old canal)." in page
    assert "其间隔着水体（Old canal）" in page


def test_a_gap_that_only_a_gate_makes_says_so(tmp_path):
    world = World("""
        h                 s
        H---------A-------B
                  |       |
                  |       |
                  |       |
                  |       |
                  |       |
                  |       |
                  |       |
                  |       |
                  |       |
                  |       |
                  |       |
                  C-------D
    """)
    world.street("AB", highway="service", access="private")
    world.street("HACDB")
    world.live("h", people=3.0)
    world.stand("s", amenity="school")
    (gap,) = world.run(tmp_path, "school").result.gaps.clusters
    assert (gap.cause, gap.barrier) == ("gate", "")


def test_gaps_of_two_causes_side_by_side_are_two(tmp_path):
    """Each gap has one cause, and their people add up to those not served."""
    world = World("""
        h                                                  i j
        A--------------------------------------------------B-C
        s
    """)
    world.street("ABC")
    world.hinterland("C")
    world.live("hij")
    world.stand("s", amenity="school")
    got = world.run(tmp_path)
    assert {gap.cause for gap in got.result.gaps.clusters} == {"near_miss"}
    figure = next(f for f in got.coverage.figures() if (f.zone, f.service, f.measure) == ("region", "school", "people"))
    assert sum(gap.people for gap in got.result.gaps.clusters) == figure.not_met == 2.0


def test_the_people_of_a_bank_that_joins_nothing_are_counted(tmp_path):
    """pandana#170: 25 of 100 live beyond the river, farther from every path than the limit."""
    world = canal()
    del world.ways[1]  # the far bank has no street
    for y, floors in ((-30, "3"), (-90, "1")):
        world.area(135, y - 5, 145, y + 5, building="house", building__levels=floors)
    study = world.study(tmp_path, "school", snap_limit_m=30)
    one = raster(tmp_path / "one.tif", [[100.0]], left=90, top=-10)
    result = study.changed(population=str(one)).run()
    folder = result.write(tmp_path / "out")
    access = pd.read_parquet(folder / "access.parquet")
    assert access["people"].sum() == 100.0
    lost = access[access["join_n"].isna()]
    assert lost["people"].tolist() == [25.0]
    assert lost["edge_id_metres"].isna().all()
    figure = next(
        f for f in result.coverage.figures() if (f.zone, f.service, f.measure) == ("region", "school", "people")
    )
    assert figure.unknown == result.summary["data"]["status"]["unsnapped"]["people"] == 25.0


def test_homes_round_the_bend_of_a_river_start_from_their_own_bank(tmp_path):
    """The middle of homes on both arms of a bend lies within it, across the water."""
    world = World("""
        A--------------------B
                             |
                             |
                             |
        s                    C
    """)
    world.street("AB")
    world.street("BC")
    world.stand("s", amenity="school")
    world.way((0, -75), (60, -30), (100, -30), (140, -60), (140, -120), waterway="river")
    world.area(15, -14, 25, -6, building="house")
    world.area(175, -74, 185, -66, building="house")
    study = world.study(tmp_path, "school")
    one = raster(tmp_path / "one.tif", [[8.0]], left=0, top=0, size=200)
    result = study.changed(population=str(one)).run()
    starts = result.coverage.cells.starts
    places = [lonlat(20, -10), lonlat(180, -70)]
    lon, lat = result.coverage.cells.region.to_lonlat.transform(*starts.xy.T)
    near = [
        min(np.hypot(x - east, y - north) * 111_000 for east, north in places) for x, y in zip(lon, lat, strict=True)
    ]
    assert max(near) < 1


def test_no_home_starts_across_a_hard_border(tmp_path):
    """GHSCI#610: the street beyond the fence is nearer, the one on this side is the home's."""
    fence = boundary(tmp_path / "fence.geojson", ("fence", "zone", -50, -81, 450, -79))
    got = banks(waterway="ditch", tunnel="culvert").run(tmp_path, hard_barrier=str(fence))
    assert got.coverage.cells.joins.leg_m.tolist() == pytest.approx([60], abs=METRES)
