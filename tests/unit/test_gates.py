"""Heights of bridges, sidewalks drawn apart, and ways that hard barriers part."""

import numpy as np
import pytest
import shapely
from drawn import Drawing, boundary, lonlat

from lifecircle.model.gates import smoothed
from lifecircle.model.network import ARRIVING, Network
from lifecircle.region import Region
from lifecircle.sources.osm import read_osm

BOX = (*lonlat(-3000, -3000), *lonlat(3000, 3000))


def network_of(sketch, folder, region=None):
    data = read_osm(sketch.write(folder / "map.osm.pbf"), BOX)
    region = region or Region.from_bbox(BOX, name="drawn")
    return Network.from_osm(data.ways, data.way_nodes, region, features=data.features)


def at(network, x, y):
    lon, lat = lonlat(x, y)
    return int(np.argmin(np.hypot(network.node_lon - lon, network.node_lat - lat)))


def viaduct(**middle):
    """Draw a bridge of three stretches between two heads 300 m apart; ways hang on it at 100 and 200 m."""
    sketch = Drawing()
    sketch.way((-100, 0), (0, 0), highway="residential")
    sketch.way((0, 0), (100, 0), (200, 0), (300, 0), highway="residential", bridge="yes", layer="1")
    sketch.way((300, 0), (400, 0), highway="residential")
    sketch.way((100, 0), (100, 50), **({"highway": "footway", "bridge": "yes", "layer": "1"} | middle))
    sketch.way((200, 0), (200, 50), highway="footway", bridge="yes", layer="1")
    return sketch


def test_a_bridge_rises_evenly_from_head_to_head(tmp_path):
    network = network_of(viaduct(), tmp_path)
    height = np.zeros(network.n_nodes)  # the valley
    height[at(network, 0, 0)], height[at(network, 300, 0)] = 30.0, 60.0
    made = smoothed(network, height)
    assert made[at(network, 100, 0)] == pytest.approx(40, abs=0.01)
    assert made[at(network, 200, 0)] == pytest.approx(50, abs=0.01)
    assert made[at(network, 0, 0)] == 30
    assert made[at(network, -100, 0)] == 0


def test_steps_down_from_a_bridge_end_on_the_ground(tmp_path):
    network = network_of(viaduct(highway="steps", bridge="no", layer="0"), tmp_path)
    height = np.zeros(network.n_nodes)
    height[at(network, 0, 0)], height[at(network, 300, 0)] = 30.0, 60.0
    assert smoothed(network, height)[at(network, 100, 50)] == 0


def test_a_bridge_whose_heads_are_not_in_the_data_keeps_what_the_model_says(tmp_path):
    sketch = Drawing()
    sketch.way((0, 0), (100, 0), (200, 0), highway="footway", bridge="yes", layer="1")
    sketch.way((100, 0), (100, 50), highway="footway", bridge="yes", layer="1")
    network = network_of(sketch, tmp_path)
    height = np.arange(network.n_nodes, dtype=float)
    assert smoothed(network, height).tolist() == height.tolist()


def test_unknown_heights_stay_unknown(tmp_path):
    network = network_of(viaduct(), tmp_path)
    height = np.full(network.n_nodes, 7.0)
    height[at(network, 0, 0)] = np.nan
    made = smoothed(network, height)
    assert np.isnan(made[at(network, 0, 0)])
    assert np.isfinite(np.delete(made, at(network, 0, 0))).all()


def test_one_bridge_without_heights_does_not_spoil_the_others(tmp_path):
    sketch = viaduct()
    sketch.way((0, 900), (50, 900), highway="residential")
    sketch.way((50, 900), (100, 900), (150, 900), highway="residential", bridge="yes", layer="1")
    sketch.way((150, 900), (200, 900), highway="residential")
    sketch.way((100, 900), (100, 950), highway="footway", bridge="yes", layer="1")
    network = network_of(sketch, tmp_path)
    height = np.zeros(network.n_nodes)
    height[at(network, 0, 0)], height[at(network, 300, 0)] = 30.0, 60.0
    height[at(network, 50, 900)] = height[at(network, 150, 900)] = np.nan
    assert smoothed(network, height)[at(network, 100, 0)] == pytest.approx(40, abs=0.01)


def test_a_way_that_touches_the_corner_of_a_hard_barrier_is_not_parted(tmp_path):
    sketch = Drawing()
    sketch.way((0, 0), (100, 0), (200, 0), highway="residential")
    region = Region.from_bbox(BOX, name="drawn").with_hard_barriers(
        boundary(tmp_path / "w.geojson", ("w", "", 100, -50, 150, 0))
    )
    network = network_of(sketch, tmp_path, region)
    assert network.length_m.sum() == pytest.approx(200, abs=0.1)


STREET = {"highway": "tertiary", "sidewalk": "separate"}
WALK = {"highway": "footway", "footway": "sidewalk"}


def boulevard(*, south=True, linked=True, lane=False):
    sketch = Drawing()
    sketch.way((0, 0), (200, 0), **STREET)
    sketch.way((0, 12), (200, 12), **WALK)
    if south:
        sketch.way((0, -12), (200, -12), **WALK)
    for x in (0, 200) if linked else ():
        sketch.way((x, 12), (x, 0), (x, -12), highway="footway", footway="crossing")
    if lane:
        sketch.way((100, 12), (100, 300), highway="residential")
        sketch.ways[0] = ([sketch.node(0, 0), sketch.node(100, 0), sketch.node(200, 0)], STREET)
        sketch.way((100, 0), (100, 6), highway="service")  # meets the street between its sidewalks, and them nowhere
    sketch.way((-900, 0), (0, 0), highway="residential")
    return sketch


@pytest.mark.parametrize(
    ("sketch", "kept"),
    [
        (boulevard(), False),
        (boulevard(south=False), True),  # one side is not drawn
        (boulevard(linked=False), True),  # the sidewalks lead nowhere
        (boulevard(lane=True), True),  # a lane hangs on the street alone
    ],
)
def test_a_street_gives_way_to_its_sidewalks_only_where_they_do_what_it_did(tmp_path, sketch, kept):
    assert ("tertiary" in network_of(sketch, tmp_path).kind) is kept


@pytest.mark.parametrize(
    ("wall", "pieces"),
    [
        ((40, -10, 60, 10), [40, 140]),  # through a stretch
        ((40, -10, 110, 10), [40, 90]),  # over a node
        ((-10, -10, 210, 10), []),
        ((90, -10, 250, 10), [90]),  # to the end
    ],
)
def test_a_hard_barrier_parts_a_way(tmp_path, wall, pieces):
    sketch = Drawing()
    sketch.way((0, 0), (100, 0), (200, 0), highway="residential")
    sketch.way((0, 500), (100, 500), highway="residential")
    region = Region.from_bbox(BOX, name="drawn").with_hard_barriers(boundary(tmp_path / "w.geojson", ("w", "", *wall)))
    network = network_of(sketch, tmp_path, region)
    assert sorted(network.length_m[network.edge_way == 1].tolist()) == pytest.approx(sorted(pieces), abs=0.05)
    assert len(set(network.edge_id)) == network.n_edges
    assert len(np.unique(network.component)) == len(pieces) + 1


def test_edge_ids_of_copies_and_passages_are_said_after_their_street(tmp_path):
    sketch = Drawing()
    sketch.way((0, 0), (100, 0), (200, 0), highway="residential")
    sketch.way((100, 0), (100, 50), highway="service")
    sketch.way((100, 50), (100, 90), highway="service")
    sketch.node(100, 50, barrier="gate", access="private")
    network = network_of(sketch, tmp_path)
    assert sorted(name for name in network.edge_id if name[0] != "n") == [
        "1:0", "1:1", "2:0", "2:0.v", "2:0.v.in", "3:0", "3:0.in", "3:0.u", "3:0.u.in",
    ]  # fmt: skip
    ends = network.node_id[network.node_same]
    assert ends.max() < 1 << 52  # every copy stands for a node of the map
    assert (network.length_m[network.passage] == 0).all()
    assert network.streets.length_m.sum() == pytest.approx(200 + 50 + 40, abs=0.1)
    assert (network.edge_same[network.role == ARRIVING] < np.flatnonzero(network.role == ARRIVING)).all()
    frame = network.to_geodataframe()
    assert frame["osm_way_id"].isna().sum() == (network.edge_way == 0).sum()
    assert shapely.is_empty(frame.geometry).sum() == 0
