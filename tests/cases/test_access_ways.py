"""Who may walk where, and at what cost: cases that other tools were told of by their users, each on a small map.

A number like ``OTP#2669`` is the issue a case was taken from.
"""

import pytest
from drawn import raster
from world import World

ADULT, WHEELS = 1.33, 0.8
METRES = 0.2  # four or five parts, each rounded to 1/32 m; the drawing is flat, the earth is not

STRAIGHT = """
    h         f
    A----B----C----D
    a
"""


def straight(**middle):
    """Draw a home h over A and a school f over C; the way between B and C is what the case is about."""
    world = World(STRAIGHT)
    world.street("AB")
    world.street("BC", **middle)
    world.street("CD")
    world.live("h")
    world.stand("f", amenity="school")
    return world


WALKED = {
    "a street": {"highway": "residential"},
    "a one-way street (pandana#94, graph_from_xml)": {"highway": "residential", "oneway": "-1"},
    "a one-way cycleway": {"highway": "cycleway", "oneway": "yes"},
    "foot=yes beats access=private (OTP#2669)": {"highway": "service", "access": "private", "foot": "yes"},
    "foot=designated beats access=no": {"highway": "service", "access": "no", "foot": "designated"},
    "a cycleway with foot=designated (osmnx#1269)": {"highway": "cycleway", "foot": "designated"},
    "one sidewalk mapped apart and not drawn (osmnx#1253)": {"highway": "tertiary", "sidewalk:left": "separate"},
    "sidewalks mapped apart and not drawn (osmnx#1253)": {"highway": "tertiary", "sidewalk": "separate"},
    "foot=use_sidepath without a side path": {"highway": "secondary", "foot": "use_sidepath"},
    "a driveway (osmnx walk drops service=private)": {"highway": "service", "service": "driveway"},
    "a motorway with foot=yes": {"highway": "motorway", "foot": "yes"},
    "a tunnel": {"highway": "footway", "tunnel": "yes", "layer": "-1"},
    "a lift": {"highway": "elevator"},
}
CLOSED = {
    "a motorway": {"highway": "motorway"},
    "a motorroad": {"highway": "trunk", "motorroad": "yes"},
    "foot=no": {"highway": "residential", "foot": "no"},
    "access=no": {"highway": "residential", "access": "no"},
    "military ground": {"highway": "service", "access": "military"},
    "what is being built": {"highway": "construction", "construction": "footway"},
    "what is proposed": {"highway": "proposed", "foot": "yes"},
    "a corridor indoors": {"highway": "corridor"},
    "a ferry": {"route": "ferry"},
    "a ferry drawn as a footway": {"highway": "footway", "route": "ferry"},
    "a railway": {"railway": "rail"},
    "an airport apron (valhalla#5399)": {"aeroway": "taxiway"},
}


@pytest.mark.parametrize("name", WALKED)
def test_walked(tmp_path, name):
    assert straight(**WALKED[name]).walks(tmp_path)["h"] == pytest.approx(20 + 100 + 20, abs=METRES)


@pytest.mark.parametrize("name", CLOSED)
def test_closed(tmp_path, name):
    assert straight(**CLOSED[name]).walks(tmp_path) == {"h": None}


@pytest.mark.parametrize(
    ("tags", "there", "back"),
    [
        ({"oneway:foot": "yes"}, True, False),
        ({"oneway:foot": "-1"}, False, True),
        ({"oneway:foot": "no", "oneway": "yes"}, True, True),
        ({"foot:backward": "no"}, True, False),
        ({"foot:forward": "no"}, False, True),
    ],
)
def test_a_way_that_walkers_may_use_one_way_only(tmp_path, tags, there, back):
    """pandana#94: ``oneway`` binds no walker, but ``oneway:foot`` does."""
    world = straight(highway="footway", **tags)
    world.live("a")
    world.stand("a", amenity="clinic")
    world.live("f")
    got = world.run(tmp_path, "school clinic")
    assert (got.walks("school")["h"] is not None) is there
    assert (got.walks("clinic")["f"] is not None) is back


def test_a_home_on_a_way_that_walkers_may_use_one_way_only(tmp_path):
    world = World("""
        s   h   k
        A-------B
        |       |
        D-------C
    """)
    world.street("AB", highway="footway", oneway__foot="yes")
    world.street("BCDA")
    world.live("hk")
    world.stand("s", amenity="school")
    # h may not turn back to A: on to B, and round the block
    assert world.walks(tmp_path) == pytest.approx({"h": 20 + 40 + 160 + 20, "k": 20 + 160 + 20}, abs=METRES)


def test_only_the_street_whose_sidewalks_are_drawn_gives_way_to_them(tmp_path):
    """osmnx#1253: ``sidewalk=separate`` must not drop a street whose other side is not drawn."""
    world = World("""
        h         s
        A---------B
        C---------D
        |         |
        F---------G
        i         t
    """)
    world.street("AB", highway="footway", footway="sidewalk")
    world.street("CD", highway="tertiary", sidewalk__left="separate", sidewalk__right="no")
    world.street("CFGD")
    world.live("hi")
    world.stand("s", amenity="school")
    world.stand("t", amenity="school")
    got = world.walks(tmp_path)
    assert got["i"] == pytest.approx(20 + 100 + 20, abs=METRES)
    assert got["h"] == pytest.approx(20 + 100 + 20, abs=METRES)


def test_a_street_with_both_sidewalks_drawn_is_crossed_at_its_crossing(tmp_path):
    """osmnx#1253, the other way round: with both sidewalks there, nobody walks along the middle of the road."""
    world = World("""
        E---------h-----F
        A---------s-----B
        C---------t-----D
    """)
    world.street("EhF", highway="footway", footway="sidewalk")
    world.street("AsB", highway="tertiary", sidewalk="separate")
    world.street("CtD", highway="footway", footway="sidewalk")
    world.street("EAC", highway="footway", footway="crossing")
    world.live("h")
    world.stand("s", amenity="school")  # its nearest way is the road itself
    assert world.run(tmp_path).result.coverage.network.kind.tolist().count("tertiary") == 0


def test_dead_ends_are_kept(tmp_path):
    """pandana#50: a home at the end of a cul-de-sac is reached, and reaches."""
    world = World("""
        h
        D
        |
        A----B----C
                  s
    """)
    world.street("ABC")
    world.street("DA")
    world.live("h")
    world.stand("s", amenity="school")
    assert world.walks(tmp_path) == pytest.approx({"h": 20 + 40 + 100 + 20}, abs=METRES)


def test_parts_of_the_network_are_kept(tmp_path):
    """``graph_from_xml`` keeps the largest part alone; the people of an island walk on their island."""
    world = World("""
        A--------------------B        C-----D
        h                             i     s
    """)
    world.street("AB")
    world.street("CD")
    world.live("hi")
    world.stand("s", amenity="school")
    assert world.walks(tmp_path) == pytest.approx({"h": None, "i": 20 + 60 + 20}, abs=METRES)


def test_a_bridge_does_not_meet_the_street_under_it(tmp_path):
    world = World("""
        h       C
        A-------+-----B
                |     |
                D-----E
                    s
    """)
    world.street("AB")
    world.street("CD", highway="footway", bridge="yes", layer="1")
    world.street("BED")
    world.live("h")
    world.stand("s", amenity="school")
    # A-B-E-D, not down where the bridge crosses A-B
    assert world.walks(tmp_path) == pytest.approx({"h": 20 + 140 + 40 + 20 + 20}, abs=METRES)


SQUARE = """
    h A-------+
      |       |
      |       |
      |       |
      +-------C s
"""


@pytest.mark.parametrize("kind", ["way", "relation"])
def test_an_open_square_is_crossed_and_not_only_walked_round(tmp_path, kind):
    """openrouteservice#1944, OTP#679, pyrosm#96: from A to C it is the diagonal."""
    world = World(SQUARE)
    (ax, ay), (cx, cy) = world.place["A"], world.place["C"]
    tags = {"highway": "pedestrian", "area": "yes"}
    ring = world.area(ax, ay, cx, cy, **(tags if kind == "way" else {}))
    if kind == "relation":
        world.multipolygon([ring], [], **tags)
    world.street("hA", highway="footway")
    world.street("Cs", highway="footway")
    world.live("h")
    world.stand("s", amenity="school")
    assert world.walks(tmp_path)["h"] == pytest.approx(20 + (80**2 + 80**2) ** 0.5 + 20, abs=1)


def test_the_rim_of_a_square_is_walked(tmp_path):
    world = World(SQUARE)
    (ax, ay), (cx, cy) = world.place["A"], world.place["C"]
    world.area(ax, ay, cx, cy, highway="pedestrian", area="yes")
    world.street("hA", highway="footway")
    world.street("Cs", highway="footway")
    world.live("h")
    world.stand("s", amenity="school")
    assert world.walks(tmp_path)["h"] <= 20 + 160 + 20 + METRES


def test_a_sidewalk_joined_to_nothing_does_not_swallow_the_homes_beside_it(tmp_path):
    """r5#505, speedwalk#68: a sidewalk drawn without a link to its street is no prison, for homes nor for schools."""
    world = World("""
        h                   s
        E-----F       G-----H
        A----------B--------C
    """)
    world.street("ABC")
    world.hinterland("C")
    world.street("EF", highway="footway", footway="sidewalk")
    world.street("GH", highway="footway", footway="sidewalk")
    world.live("h")
    world.stand("s", amenity="school")
    assert world.walks(tmp_path)["h"] == pytest.approx(40 + 200 + 40, abs=METRES)


def test_up_is_slower_than_down(tmp_path):
    """r5#47, r5py#448: a slope has a direction."""
    hill = [[max(0.0, column - 60.0) for column in range(200)] for _ in range(200)]  # 1 m up every 10 m from A on
    height = str(raster(tmp_path / "height.tif", hill, left=-605, top=1005, size=10))
    world = World(STRAIGHT)
    world.street("ABCD")
    world.live("hf")
    world.stand("h", amenity="clinic")
    down = world.walks(tmp_path, "clinic", elevation=height)["f"]
    world = World(STRAIGHT)
    world.street("ABCD")
    world.live("h")
    world.stand("f", amenity="clinic")
    up = world.walks(tmp_path, "clinic", elevation=height)["h"]
    level = world.walks(tmp_path, "clinic")["h"]
    assert up == pytest.approx((40 + 100 * 2.718281828 ** (3.5 * 0.1)) / ADULT, rel=0.02)
    assert down == pytest.approx(level, rel=0.02)  # Tobler's walker is fastest on a slight descent


def test_a_slow_walker_is_slow_to_the_street_too(tmp_path):
    """r5r#337: the speed of the walker holds for the legs at both ends, not only for the street."""
    world = straight(highway="residential")
    world.stand("f", amenity="clinic")
    adult = world.walks(tmp_path, "clinic")["h"]
    frail = world.walks(tmp_path, "clinic", profile="frail")["h"]
    assert adult == pytest.approx(140 / ADULT, abs=METRES)
    assert frail == pytest.approx(140 / 0.8, abs=METRES)


CROSSING = """
    h
    A----B
         |
         M----Y
         |
         E----F
              c
"""


def crossing(**tags):
    """Draw two sidewalks that a crossing of the road M-Y joins; the tags of its middle M are the case."""
    world = World(CROSSING)
    world.street("AB", highway="footway", footway="sidewalk")
    world.street("BME", highway="footway", footway="crossing")
    world.street("EF", highway="footway", footway="sidewalk")
    world.street("MY", highway="primary")
    world.mark("M", highway="crossing", **tags)
    world.live("h")
    world.stand("c", amenity="clinic")
    return world


def test_a_crossing_without_signals_is_a_way_like_any_other(tmp_path):
    got = crossing(crossing="uncontrolled").walks(tmp_path, "clinic")
    assert got["h"] == pytest.approx((20 + 50 + 80 + 50 + 20) / ADULT, abs=METRES)


def test_a_crossing_with_signals_costs_a_wait(tmp_path):
    """HCM: (C - g)^2 / 2C, 22 s for C = 90 s and g = 27 s; the distance is what it was."""
    world = crossing(crossing="traffic_signals")
    walked = 20 + 50 + 80 + 50 + 20
    world.stand("c", amenity="school")
    got = world.run(tmp_path, "clinic school")
    assert got.walks("school")["h"] == pytest.approx(walked, abs=METRES)
    assert 10 <= got.walks("clinic")["h"] - walked / ADULT <= 45


LIFT = """
          L=======M
          |       |
    h     |       |      c
    A-----B       C------D
"""


def footbridge(*ends):
    """Draw two streets that only a footbridge L-M joins; the tags of its two ends are the case."""
    world = World(LIFT)
    world.street("AB")
    world.street("CD")
    world.street("LM", highway="footway", bridge="yes", layer="1")
    world.street("BL", **ends[0])
    world.street("MC", **ends[1])
    world.live("h")
    world.stand("c", amenity="clinic")
    return world


STEPS, ELEVATOR = {"highway": "steps"}, {"highway": "elevator"}
RAMPED = {"highway": "steps", "ramp:wheelchair": "yes"}


@pytest.mark.parametrize(
    ("ends", "stairs", "lifts", "wheels"),
    [
        ((STEPS, STEPS), 2, 0, False),
        ((ELEVATOR, STEPS), 1, 1, False),
        ((ELEVATOR, ELEVATOR), 0, 2, True),
        ((RAMPED, ELEVATOR), 0, 1, True),
        (({"highway": "footway"}, RAMPED), 0, 0, True),
    ],
)
def test_lifts_and_ramps_carry_a_wheelchair_over_a_footbridge_and_steps_do_not(tmp_path, ends, stairs, lifts, wheels):
    """goat#198: no steps for wheelchairs; OTP#4892. A metre of stairs takes as long as three, a lift 110 s."""
    world = footbridge(*ends)
    metres = 20 + 60 + 60 + 80 + 60 + 70 + 20
    adult = (metres + 2 * 60 * stairs) / ADULT + 110 * lifts
    assert world.walks(tmp_path, "clinic")["h"] == pytest.approx(adult, abs=METRES)
    wheelchair = world.walks(tmp_path, "clinic", profile="wheelchair")["h"]
    assert wheelchair == (pytest.approx(metres / WHEELS + 110 * lifts, abs=METRES) if wheels else None)


def test_a_lift_that_is_a_node_takes_time_and_carries_a_wheelchair(tmp_path):
    """OTP#4892: most lifts are mapped as one node that all levels share."""
    world = straight(highway="footway")
    world.mark("B", highway="elevator")
    world.stand("f", amenity="clinic")
    assert world.walks(tmp_path, "clinic")["h"] == pytest.approx(140 / ADULT + 110, abs=METRES)
    assert world.walks(tmp_path, "clinic", profile="wheelchair")["h"] == pytest.approx(140 / WHEELS + 110, abs=METRES)


@pytest.mark.parametrize(("on", "seconds"), [("primary", 30), ("tertiary", 15), ("residential", 15)])
def test_the_wait_at_a_crossing_depends_on_the_road(tmp_path, on, seconds):
    world = crossing(crossing="traffic_signals")
    world.ways[-1][1]["highway"] = on
    walked = (20 + 50 + 80 + 50 + 20) / ADULT
    assert world.walks(tmp_path, "clinic")["h"] - walked == pytest.approx(seconds, abs=METRES)


def test_who_walks_along_the_road_does_not_wait_at_its_crossing(tmp_path):
    world = World("""
        h         c
        A----M----B
             |
             N
    """)
    world.street("AMB", highway="primary")
    world.street("MN", highway="footway")
    world.mark("M", highway="crossing", crossing="traffic_signals")
    world.live("h")
    world.stand("c", amenity="clinic")
    assert world.walks(tmp_path, "clinic")["h"] == pytest.approx(140 / ADULT, abs=METRES)


@pytest.mark.parametrize(
    ("arms", "tags", "seconds"), [(1, {}, 30), (0, {}, 0), (1, {"traffic_signals__direction": "forward"}, 0)]
)
def test_signals_hold_walkers_up_at_a_junction_and_not_at_a_stop_line(tmp_path, arms, tags, seconds):
    world = World("""
        h         c
        A----M----B
             |
             N
    """)
    world.street("AMB", highway="primary")
    if arms:
        world.street("MN", highway="residential")
    world.mark("M", highway="traffic_signals", **tags)
    world.live("h")
    world.stand("c", amenity="clinic")
    assert world.walks(tmp_path, "clinic")["h"] == pytest.approx(140 / ADULT + seconds, abs=METRES)


@pytest.mark.parametrize(
    ("tags", "wheels"),
    [
        ({"surface": "asphalt"}, True),
        ({"surface": "sand"}, False),
        ({"surface": "cobblestone"}, False),
        ({"surface": "cobblestone", "wheelchair": "yes"}, True),
        ({"smoothness": "intermediate"}, True),
        ({"smoothness": "very_bad"}, False),
        ({"wheelchair": "no"}, False),
        ({"wheelchair": "limited"}, True),
        ({"kerb": "raised"}, False),
        ({"kerb": "lowered"}, True),
        ({"width": "0.6"}, False),
        ({"width": "1.5 m"}, True),
        ({"width": "narrow"}, True),
    ],
)
def test_surface_kerb_and_width_decide_for_a_wheelchair_where_they_are_tagged(tmp_path, tags, wheels):
    """goat#198, openrouteservice#453: and for nobody else."""
    world = straight(highway="footway", **tags)
    world.stand("f", amenity="clinic")
    assert world.walks(tmp_path, "clinic")["h"] == pytest.approx(140 / ADULT, abs=METRES)
    wheelchair = world.walks(tmp_path, "clinic", profile="wheelchair")["h"]
    assert wheelchair == (pytest.approx(140 / WHEELS, abs=METRES) if wheels else None)


def test_a_home_on_a_rough_alley_starts_from_the_next_good_street_in_a_wheelchair(tmp_path):
    """Law of joins: who may use fewer ways has a join on those, and who may use more keeps it too."""
    world = World("""
        A-----------------B
        |        h        |
        |        c        |
        C-----------------D
    """)
    world.street("AB", highway="path", surface="sand")
    world.street("ACDB")
    world.live("h")
    world.stand("c", amenity="clinic")
    assert world.walks(tmp_path, "clinic")["h"] == pytest.approx((40 + 20) / ADULT, abs=METRES)
    assert world.walks(tmp_path, "clinic", profile="wheelchair")["h"] == pytest.approx((40 + 20) / WHEELS, abs=METRES)


def test_a_raised_kerb_at_a_crossing_stops_a_wheelchair(tmp_path):
    world = straight(highway="footway", footway="crossing")
    world.mark("B", barrier="kerb", kerb="raised")
    world.stand("f", amenity="clinic")
    assert world.walks(tmp_path, "clinic")["h"] is not None
    assert world.walks(tmp_path, "clinic", profile="wheelchair")["h"] is None


MIDDLES = {
    "a gate shut to all": ({"barrier": "gate", "access": "no"}, None, None),
    "a lift": ({"highway": "elevator"}, 140 / ADULT + 110, 140 / WHEELS + 110),
    "a raised kerb": ({"barrier": "kerb", "kerb": "raised"}, 140 / ADULT, None),
    "a bollard": ({"barrier": "bollard"}, 140 / ADULT, 140 / WHEELS),
    "a stile": ({"barrier": "stile"}, 140 / ADULT, None),
}


@pytest.mark.parametrize("name", MIDDLES)
@pytest.mark.parametrize("ways", [["ABC"], ["AB", "BC"]])
def test_a_node_decides_in_the_middle_of_a_way_as_it_does_between_two(tmp_path, name, ways):
    tags, adult, wheels = MIDDLES[name]
    world = World("""
        h         c
        A----B----C
    """)
    for way in ways:
        world.street(way, highway="footway")
    world.mark("B", **tags)
    world.live("h")
    world.stand("c", amenity="clinic")
    for profile, seconds in (("adult", adult), ("wheelchair", wheels)):
        expected = None if seconds is None else pytest.approx(seconds, abs=METRES)
        assert world.walks(tmp_path, "clinic", profile=profile)["h"] == expected


def test_who_walks_along_the_road_does_not_step_over_the_kerb_of_its_crossing(tmp_path):
    world = World("""
        h         c
        A----M----B
             |
             N
    """)
    world.street("AMB", highway="primary")
    world.street("MN", highway="footway", footway="crossing")
    world.mark("M", highway="crossing", crossing="traffic_signals", kerb="raised")
    world.live("h")
    world.stand("c", amenity="clinic")
    assert world.walks(tmp_path, "clinic")["h"] == pytest.approx(140 / ADULT, abs=METRES)
    assert world.walks(tmp_path, "clinic", profile="wheelchair")["h"] == pytest.approx(140 / WHEELS, abs=METRES)


@pytest.mark.parametrize("over", [{"bridge": "yes", "layer": "1"}, {"tunnel": "yes", "layer": "-2"}])
def test_nobody_steps_from_a_home_onto_a_bridge_or_into_a_tunnel(tmp_path, over):
    world = World("""
        L---------M
             h
        A---------B
             c
    """)
    world.street("LM", highway="footway", **over)
    world.street("AL", highway="steps")
    world.street("AB")
    world.place["h"] = (50, -10)  # 10 m from the deck, 30 m from the street
    world.live("h")
    world.stand("c", amenity="clinic")
    assert world.run(tmp_path, "clinic").coverage.cells.joins.leg_m.tolist() == pytest.approx([30], abs=METRES)
    assert world.walks(tmp_path, "clinic", profile="wheelchair")["h"] is not None


def test_a_passage_through_a_building_is_on_the_ground(tmp_path):
    world = straight(highway="footway", tunnel="building_passage")
    assert world.walks(tmp_path)["h"] == pytest.approx(140, abs=METRES)
    network = world.run(tmp_path).coverage.network
    assert not network.aloft.any()


def test_a_home_at_a_junction_is_not_bound_by_the_way_that_binds_one_way(tmp_path):
    world = World("""
        A----B----C
             |
             |
             D    s
    """)
    world.street("AB", highway="footway", oneway__foot="-1")  # only towards A
    world.street("BC")
    world.street("BD")
    world.place["h"] = (50, 0)
    world.live("h")
    world.place["s"] = (70, -20)
    world.stand("s", amenity="school")
    assert world.walks(tmp_path)["h"] <= 60
