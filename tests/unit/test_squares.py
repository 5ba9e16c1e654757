import itertools
import math

import networkx as nx
import numpy as np
import pytest
import shapely
from drawn import Drawing, lonlat
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from lifecircle.model.network import Network
from lifecircle.region import Region
from lifecircle.sources.osm import read_osm

BOX = (*lonlat(-3000, -3000), *lonlat(3000, 3000))
SQUARE = {"highway": "pedestrian", "area": "yes"}


def network_of(sketch, folder):
    data = read_osm(sketch.write(folder / "map.osm.pbf"), BOX)
    return Network.from_osm(
        data.ways, data.way_nodes, Region.from_bbox(BOX, name="drawn"), features=data.features, lines=data.lines
    )


def across(network):
    """Lines across squares, each as its two ends in whole metres."""
    return [ix for ix, name in enumerate(network.edge_id) if "." in name and name.split(".")[1].isdigit()]


def plaza(**tags):
    sketch = Drawing()
    sketch.way((0, 0), (100, 0), (100, 100), (0, 100), (0, 0), **tags)
    sketch.way((-50, 0), (0, 0), highway="footway")
    sketch.way((100, 100), (150, 100), highway="footway")
    return sketch


def walk(network, start, end):
    graph = nx.Graph()
    for u, v, length in zip(network.edge_u, network.edge_v, network.length_m, strict=True):
        graph.add_edge(
            int(u), int(v), weight=min(length, graph.get_edge_data(int(u), int(v), {}).get("weight", math.inf))
        )
    at = {}
    for node, lon, lat in zip(range(network.n_nodes), network.node_lon, network.node_lat, strict=True):
        at.setdefault((round(lon, 7), round(lat, 7)), node)
    a, b = (at[tuple(round(c, 7) for c in lonlat(*place))] for place in (start, end))
    return nx.shortest_path_length(graph, a, b, weight="weight") if nx.has_path(graph, a, b) else None


def test_a_square_is_crossed(tmp_path):
    network = network_of(plaza(**SQUARE), tmp_path)
    assert walk(network, (-50, 0), (150, 100)) == pytest.approx(100 + 100 * math.sqrt(2), abs=0.1)


def test_what_stands_on_a_square_is_walked_round(tmp_path):
    sketch = plaza(**SQUARE)
    sketch.area(40, 40, 60, 60, building="yes")
    network = network_of(sketch, tmp_path)
    assert walk(network, (-50, 0), (150, 100)) == pytest.approx(100 + 2 * math.hypot(60, 40), abs=0.1)


def test_a_hole_is_walked_round(tmp_path):
    sketch = plaza()
    hole = sketch.way((40, 40), (60, 40), (60, 60), (40, 60), (40, 40))
    sketch.multipolygon([1], [hole], highway="pedestrian")
    network = network_of(sketch, tmp_path)
    assert walk(network, (-50, 0), (150, 100)) == pytest.approx(100 + 2 * math.hypot(60, 40), abs=0.1)


@pytest.mark.parametrize(
    ("tags", "crossed"),
    [
        ({"place": "square"}, True),
        ({"place": "square", "access": "no"}, False),
        (SQUARE | {"foot": "no"}, False),
        ({"highway": "pedestrian"}, False),  # a street that runs in a ring
        ({"highway": "service", "area": "yes"}, False),  # a yard for vehicles
        (SQUARE, True),
    ],
)
def test_which_areas_are_squares(tmp_path, tags, crossed):
    assert bool(across(network_of(plaza(**tags), tmp_path))) is crossed


def test_a_roundabout_called_a_square_is_not_crossed(tmp_path):
    sketch = plaza(place="square")
    sketch.way((50, -50), (50, 50), (50, 150), highway="secondary")
    assert across(network_of(sketch, tmp_path)) == []


def test_a_way_on_another_level_does_not_meet_the_square(tmp_path):
    sketch = plaza(**SQUARE)
    sketch.way((-50, 50), (150, 50), highway="footway", bridge="yes", layer="1")  # over it, and sharing no node
    network = network_of(sketch, tmp_path)
    assert walk(network, (-50, 50), (-50, 0)) is None


@st.composite
def rims(draw):
    """Rings round a middle, as far out as drawn: with bays, without crossing themselves."""
    radius = draw(st.lists(st.sampled_from([20, 45, 80, 120]), min_size=5, max_size=9))
    return [
        (round(r * math.cos(2 * math.pi * k / len(radius))), round(r * math.sin(2 * math.pi * k / len(radius))))
        for k, r in enumerate(radius)
    ]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rims(), st.data())
def test_walks_across_are_the_shortest_there_are(tmp_path, rim, data):
    """Against the whole graph of lines of sight between all corners of the rim."""
    area = shapely.Polygon(rim)
    assume(area.is_valid and len(set(rim)) == len(rim))
    gates = data.draw(st.lists(st.sampled_from(rim), min_size=2, max_size=4, unique=True))
    sketch = Drawing()
    sketch.way(*rim, rim[0], **SQUARE)
    for k, gate in enumerate(gates):
        sketch.way(gate, (300 + 10 * k, 200), highway="footway")
    network = network_of(sketch, tmp_path)
    room = area.buffer(0.05)
    sight = nx.Graph()
    for a, b in itertools.combinations(rim, 2):
        if room.covers(shapely.LineString([a, b])):
            sight.add_edge(a, b, weight=math.dist(a, b))
    for a, b in itertools.combinations(gates, 2):
        assert walk(network, a, b) == pytest.approx(nx.shortest_path_length(sight, a, b, weight="weight"), abs=0.2)
    region = network.region
    metre_room = region.project(shapely.Polygon([lonlat(*p) for p in rim])).buffer(0.1)
    assert shapely.covers(metre_room, network.lines()[across(network)]).all()
    assert np.isfinite(network.length_m).all()


def test_two_squares_with_a_side_in_common_are_one_walk(tmp_path):
    """Relations, whose rims are no ways, beside each other and beside a way."""
    for kinds in (("r", "r"), ("w", "r"), ("r", "w")):
        sketch = Drawing()
        for kind, x in zip(kinds, (0, 100), strict=True):
            ring = sketch.area(x, 0, x + 100, 100, **(SQUARE if kind == "w" else {}))
            if kind == "r":
                sketch.multipolygon([ring], [], highway="pedestrian")
        sketch.way((-50, 0), (0, 0), highway="footway")
        sketch.way((200, 100), (250, 100), highway="footway")
        found = walk(network_of(sketch, tmp_path), (-50, 0), (250, 100))
        assert found is not None
        assert 100 + math.hypot(200, 100) - 1 <= found <= 100 + 300


def test_a_square_with_very_many_corners_is_still_crossed(tmp_path):
    sketch = Drawing()
    teeth = [(2 * k, 100 + 4 * (k % 2)) for k in range(100, -1, -1)]
    ring = sketch.way((0, 0), (200, 0), *teeth, (0, 0))
    sketch.multipolygon([ring], [], highway="pedestrian")
    sketch.way((-50, 0), (0, 0), highway="footway")
    for k in range(0, 101, 2):
        sketch.way((2 * k, 100), (2 * k, 150), highway="footway")
    network = network_of(sketch, tmp_path)
    found = walk(network, (-50, 0), (196, 150))
    assert found is not None
    assert 100 + math.hypot(196, 100) - 0.5 <= found <= 1.2 * (100 + math.hypot(196, 100))
    assert len(across(network)) < 2000


def test_stairs_that_come_up_in_the_middle_of_a_square_are_joined(tmp_path):
    sketch = plaza(**SQUARE)
    sketch.way((60, 300), (50, 60), highway="steps")
    network = network_of(sketch, tmp_path)
    assert walk(network, (-50, 0), (50, 60)) == pytest.approx(50 + math.hypot(50, 60), abs=0.1)


def test_a_wall_across_a_square_is_walked_round(tmp_path):
    sketch = plaza(**SQUARE)
    sketch.way((50, -10), (50, 80), barrier="wall")
    network = network_of(sketch, tmp_path)
    # by the rim one goes through the wall's ends: only the ground is parted
    assert walk(network, (-50, 0), (150, 100)) >= 100 + math.hypot(50, 80) + math.hypot(50, 20) - 0.5


def test_the_ground_of_a_square_on_a_bridge_is_not_the_water_under_it(tmp_path):
    sketch = plaza(**SQUARE, bridge="yes", layer="1")
    sketch.area(20, -20, 80, 120, natural="water")
    network = network_of(sketch, tmp_path)
    assert walk(network, (-50, 0), (150, 100)) == pytest.approx(100 + 100 * math.sqrt(2), abs=0.1)


def test_no_line_lies_on_another_edge(tmp_path):
    """A place beside two edges on one another would join the one and its door the other."""
    network = network_of(plaza(**SQUARE), tmp_path)
    lines = network.lines()
    for ix in across(network):
        others = np.delete(lines[network.own], ix)
        assert shapely.length(shapely.intersection(lines[ix].buffer(0.01), others)).max() < 1
