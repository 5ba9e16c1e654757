"""Private ways and gates: cases that other tools were told of by their users, each on a small map."""

from pathlib import Path

import numpy as np
import pytest
from world import World

import lifecircle.profiles
from lifecircle.reach.search import Walk

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


COMPOUND = """
    h                   s
    A---G===========K---B
    |   |     o     |   |
    |   +===========+   |
    |                   |
    C-------------------D
"""


def compound():
    """Draw a compound between A and B whose drive G-K is private; the public way round is A-C-D-B."""
    world = World(COMPOUND)
    world.street("AG")
    world.street("GK", highway="service", access="private")
    world.street("KB")
    world.street("ACDB")
    world.stand("s", amenity="school")
    return world


def test_one_may_leave_the_compound_one_lives_in(tmp_path):
    """OTP#2303, organicmaps#1669: a home inside a private compound can leave it."""
    world = compound()
    world.live("o")
    assert world.walks(tmp_path)["o"] == pytest.approx(20 + 100 + 20, abs=METRES)


def test_one_may_enter_the_compound_one_walks_to(tmp_path):
    world = compound()
    world.live("h")
    world.stand("o", amenity="clinic")
    assert world.walks(tmp_path, "clinic")["h"] == pytest.approx((20 + 100 + 20) / ADULT, abs=METRES)


def test_nobody_cuts_through_a_foreign_compound(tmp_path):
    """OTP#2669, osrm-backend#5437: a private drive is no short cut for others."""
    world = compound()
    world.live("h")
    assert world.walks(tmp_path)["h"] == pytest.approx(20 + 80 + 200 + 80 + 20, abs=METRES)


def test_a_closed_gate_stops_walkers(tmp_path):
    world = straight(highway="service")
    world.mark("B", barrier="gate", access="no")
    world.live("h")
    assert world.walks(tmp_path) == {"h": None}


POLICIES = {"open": (True, True, True), "residents": (False, True, True), "closed": (False, False, True)}


@pytest.mark.parametrize("policy", POLICIES)
def test_the_policy_of_gates(tmp_path, policy):
    """Cutting through, going in, and coming out: what each policy allows."""
    through, into, out = POLICIES[policy]
    profile = tmp_path / "p.toml"
    text = (Path(lifecircle.profiles.__file__).parent / "presets/profiles/adult.toml").read_text(encoding="utf-8")
    profile.write_text(text.replace("steps = true", f'steps = true\ngates = "{policy}"'), encoding="utf-8")
    found = {}
    for home, place in ("hs", "ho", "os"):
        world = compound()
        world.live(home)
        world.stand(place, amenity="clinic")
        found[home + place] = world.walks(tmp_path, "clinic", profile=str(profile))[home]
    detour, short = (20 + 80 + 200 + 80 + 20) / ADULT, (20 + 200 + 20) / ADULT
    assert found["hs"] == pytest.approx(short if through else detour, abs=METRES)
    assert found["ho"] == (pytest.approx(140 / ADULT, abs=METRES) if into else None)
    assert found["os"] == (pytest.approx(140 / ADULT, abs=METRES) if out else None)


def estate(*, second):
    """Draw lanes G-P-K with gates at G and, perhaps, at K, that lie between two streets; only the gates are tagged."""
    world = World("""
        h                   s
        A----G    P    K----B
        |         o         |
        |                   |
        C-------------------D
    """)
    world.street("AG")
    world.street("GPK", highway="service")
    world.street("KB")
    world.street("ACDB")
    world.mark("G", barrier="gate", access="private")
    if second:
        world.mark("K", barrier="lift_gate", access="private")
    world.stand("s", amenity="school")
    world.stand("o", amenity="clinic")
    world.live("ho")
    return world


def test_lanes_behind_private_gates_are_private_though_nothing_says_so(tmp_path):
    """OTP#2303, organicmaps#1669: in most compounds the gates alone are tagged."""
    got = estate(second=True).run(tmp_path, "school clinic")
    assert got.walks("school")["h"] == pytest.approx(20 + 60 + 200 + 60 + 20, abs=METRES)  # round it
    assert got.walks("school")["o"] == pytest.approx(20 + 100 + 20, abs=METRES)  # out of it, by either gate
    assert got.walks("clinic")["h"] == pytest.approx((20 + 100 + 20) / ADULT, abs=METRES)  # into it


def test_a_private_gate_of_lanes_that_are_open_elsewhere_is_for_nobody_else(tmp_path):
    got = estate(second=False).run(tmp_path, "school clinic")
    assert got.walks("school")["h"] == pytest.approx(20 + 60 + 200 + 60 + 20, abs=METRES)
    assert got.walks("clinic")["h"] == pytest.approx((20 + 60 + 200 + 60 + 100 + 20) / ADULT, abs=METRES)


def test_a_locked_gate_is_a_private_one(tmp_path):
    world = straight(highway="service")
    world.mark("B", barrier="gate", locked="yes")
    world.mark("C", barrier="gate", locked="yes", foot="yes")
    world.street("CD")
    world.live("f")
    walks = world.walks(tmp_path)
    assert walks["h"] == pytest.approx(140, abs=METRES)  # what lies behind it is entered, not cut through


def test_an_open_gate_stops_nobody(tmp_path):
    world = straight(highway="service")
    world.mark("B", barrier="gate", foot="yes")
    assert world.walks(tmp_path)["h"] == pytest.approx(140, abs=METRES)


def test_what_gates_decide_is_reported(tmp_path):
    """A run says what each policy would change, and a run under that policy gives the same."""
    world = compound()
    world.live("ho")
    world.stand("o", amenity="clinic")
    study = world.study(tmp_path, "school clinic", cutoff_m=600, cutoff_s=600)
    said = study.run().summary["gates"]
    assert said["private_km"] == pytest.approx(0.12, abs=0.001)
    assert said["of_run"] == {"metres": "residents", "adult": "residents"}
    met = {(f["gates"], f["service"]): f["met"] for f in said["figures"] if f["measure"] == "people"}
    assert met["open", "clinic"] == met["residents", "clinic"] == 2
    assert met["closed", "clinic"] == 1
    for policy in ("open", "residents", "closed"):
        figures = study.changed(gates=policy).run().coverage.figures()
        for figure in figures:
            if (figure.kind, figure.measure) == ("region", "people"):
                assert figure.met == met[policy, figure.service]


def test_without_private_ways_there_is_nothing_to_say(tmp_path):
    world = straight(highway="service")
    assert world.run(tmp_path).result.summary["gates"] is None


def test_a_private_way_counts_once_in_what_is_reached(tmp_path):
    """Nodes and street reached from home: the copies of private ways and the passages of gates are no more of either."""
    world = estate(second=True)
    ready = world.study(tmp_path, "school clinic").prepare()
    network, lane = ready.network, ready.lanes["metres"]
    walk = Walk(network, lane, ready.cells.joins, ready.facilities, n_origins=len(ready.cells.starts), thresholds={})
    reached = walk.extent()
    streets = network.streets
    assert reached.nodes.tolist() == [network.n_places] * 2
    assert reached.unit == "cm"  # copies are walked one way only
    assert reached.street.tolist() == [int(np.floor(streets.length_m * 100 + 0.5).sum())] * 2


def test_who_lives_at_the_mouth_of_a_private_way_does_not_live_behind_it(tmp_path):
    """OTP#2669: at a junction the public street is taken, for homes and for places."""
    world = compound()
    world.live("h")
    world.homes = {}
    world.place |= {"x": (40, -20), "y": (160, -20)}  # the very junctions at either end of the drive
    world.live("x")
    world.stand("y", amenity="clinic")
    assert world.walks(tmp_path, "clinic")["x"] == pytest.approx((40 + 80 + 200 + 80 + 40) / ADULT, abs=METRES)


def test_a_drive_drawn_through_its_two_gates_is_no_short_cut(tmp_path):
    world = World("""
        h                   s
        A----G    P    K----B
        |                   |
        C-------------------D
    """)
    world.street("AGPKB", highway="service")
    world.street("ACDB")
    for gate in "GK":
        world.mark(gate, barrier="lift_gate", access="private")
    world.stand("s", amenity="school")
    world.live("h")
    got = world.run(tmp_path)
    assert got.walks("school")["h"] == pytest.approx(20 + 40 + 200 + 40 + 20, abs=METRES)
    assert got.result.summary["gates"]["private_km"] == pytest.approx(0.1, abs=0.001)


def test_the_outside_of_a_compound_is_where_the_main_roads_are(tmp_path):
    """More lane within than street without, as in a small extract: the ring is still no private ground."""
    world = World("""
        h                   s
        A----G    P    K----B
        |         |         |
        |         Q         |
        C-------------------D
    """)
    world.street("ACDB", highway="tertiary")
    world.street("AG")
    world.street("KB")
    world.street("GPK", highway="service")
    world.street("PQ", highway="service")
    x, y = world.place["Q"]
    for k in range(8):
        world.way((x, y), (x - 40 + 10 * k, y + 15), (x - 40 + 10 * k, y + 5), highway="service")
    for gate in "GK":
        world.mark(gate, barrier="gate", access="private")
    world.stand("s", amenity="school")
    world.live("h")
    assert world.walks(tmp_path)["h"] == pytest.approx(20 + 60 + 200 + 60 + 20, abs=METRES)


@pytest.mark.parametrize("policy", ["residents", "closed"])
def test_the_private_gate_of_a_school_lets_nobody_in_who_is_not_let_in(tmp_path, policy):
    world = World("""
        h
        A----B----C
           a-g--b
           |    |
           d----c
    """)
    world.street("ABC")
    world.way(*(world.place[sign] for sign in "agbcda"), amenity="school")
    world.street("Bg", highway="footway")
    world.mark("g", barrier="gate", access="private")
    world.live("h")
    assert (world.walks(tmp_path, gates=policy)["h"] is not None) is (policy == "residents")


def test_a_home_outside_a_bend_is_no_resident_of_the_compound_across_the_street(tmp_path):
    """Whose nearest point is the very mouth of a private lane lives beside it, not behind it, from however far."""
    world = World("""
              h
        B-----G
              |
              |
              A
    """)
    world.street("BGA")
    x, y = world.place["G"]
    world.way((x, y), (x - 30, y - 30), highway="service", access="private")
    world.place["h"] = (x + 10, y + 10)
    world.live("h")
    world.place["s"] = (x, y - 60)
    world.stand("s", amenity="school")
    network = world.run(tmp_path).coverage.network
    joins = world.run(tmp_path).coverage.cells.joins
    assert not network.private[joins.edge].any()
