import networkx as nx
import numpy as np
import osmium
import pandas as pd
import pytest
from drawn import Drawing, lonlat

from lifecircle.errors import DataError
from lifecircle.model.network import Network
from lifecircle.model.ways import has_steps, walkable
from lifecircle.profiles import Profile
from lifecircle.region import GEOD, Region
from lifecircle.sources.osm import read_osm

BOX = (*lonlat(-3000, -3000), *lonlat(3000, 3000))


def network_of(drawing, folder, clip=BOX):
    data = read_osm(drawing.write(folder / "map.osm.pbf"), clip)
    return Network.from_osm(data.ways, data.way_nodes, Region.from_bbox(BOX, name="drawn"))


@pytest.mark.parametrize(
    ("tags", "walked"),
    [
        ({"highway": "footway"}, True),
        ({"highway": "residential", "oneway": "yes"}, True),
        ({"highway": "service", "service": "driveway", "access": "private"}, True),
        ({"highway": "residential", "access": "private", "foot": "yes"}, True),
        ({"highway": "residential", "access": "no"}, False),
        ({"highway": "residential", "access": "no", "foot": "designated"}, True),
        ({"highway": "footway", "foot": "no"}, False),
        ({"highway": "cycleway", "foot": "designated"}, True),
        ({"highway": "cycleway", "foot": "no"}, False),
        ({"highway": "residential", "sidewalk:both": "separate"}, True),
        ({"highway": "primary", "foot": "use_sidepath"}, True),
        ({"highway": "motorway"}, False),
        ({"highway": "motorway_link"}, False),
        ({"highway": "motorway", "foot": "yes"}, True),
        ({"highway": "trunk"}, True),
        ({"highway": "trunk", "motorroad": "yes"}, False),
        ({"highway": "construction", "construction": "footway"}, False),
        ({"highway": "construction", "foot": "yes"}, False),
        ({"highway": "proposed"}, False),
        ({"highway": "corridor"}, False),
        ({"highway": "footway", "indoor": "yes"}, False),
        ({"highway": "steps"}, True),
        ({"highway": "track", "access": "agricultural"}, True),
        ({"highway": "service", "access": "military"}, False),
        ({"highway": "bus_guideway"}, False),
        ({"highway": "nonsense"}, False),
        ({}, False),
    ],
)
def test_who_may_walk_where(tags, walked):
    assert walkable(tags) is walked


def test_steps_with_a_ramp_for_wheelchairs_are_no_steps():
    assert has_steps({"highway": "steps"})
    assert not has_steps({"highway": "steps", "ramp:wheelchair": "yes"})
    assert not has_steps({"highway": "footway"})


def test_edges_run_between_junctions_and_know_their_way(tmp_path):
    sketch = Drawing()
    sketch.way((0, 0), (50, 0), (100, 0), (200, 0), highway="residential")
    sketch.way((100, 0), (100, 100), highway="footway")
    network = network_of(sketch, tmp_path)
    assert sorted(network.edge_id) == ["1:0", "1:2", "2:0"]
    lengths = dict(zip(network.edge_id, network.length_m, strict=True))
    assert lengths["1:0"] == pytest.approx(100, abs=0.01)
    assert lengths["1:2"] == pytest.approx(100, abs=0.01)
    assert (np.diff(network.offsets) == [3, 2, 2]).all()


def test_lengths_are_geodesic(tmp_path):
    sketch = Drawing()
    sketch.way((0, 0), (1000, 700), highway="footway")
    network = network_of(sketch, tmp_path)
    lon, lat = network.lon, network.lat
    assert network.length_m[0] == pytest.approx(GEOD.inv(lon[0], lat[0], lon[1], lat[1])[2], abs=1e-9)


def test_a_closed_way_and_a_way_that_meets_itself(tmp_path):
    sketch = Drawing()
    sketch.way((0, 0), (100, 0), (100, 100), (0, 100), (0, 0), highway="service")
    sketch.way((300, 0), (400, 0), (400, 100), (300, 50), (400, 0), (500, 0), highway="footway")
    network = network_of(sketch, tmp_path)
    ring = network.edge_way == 1
    assert ring.sum() == 1
    assert network.edge_u[ring] == network.edge_v[ring]
    assert sorted(network.edge_id[~ring]) == ["2:0", "2:1", "2:4"]


def test_a_node_written_twice_makes_no_edge(tmp_path):
    sketch = Drawing()
    sketch.way((0, 0), (100, 0), (100, 0), (200, 0), highway="footway")
    network = network_of(sketch, tmp_path)
    assert network.length_m.sum() == pytest.approx(200, abs=0.01)
    assert (network.edge_u != network.edge_v).all()


def test_bridges_and_tunnels_join_only_at_shared_nodes(tmp_path):
    sketch = Drawing()
    sketch.way((0, 0), (200, 0), highway="residential")
    sketch.way((100, -100), (100, 100), highway="footway", bridge="yes", layer="1")
    network = network_of(sketch, tmp_path)
    assert network.component.max() == 1


def test_streets_stop_where_the_data_is_clipped_and_keep_their_keys(tmp_path):
    sketch = Drawing()
    sketch.way((-500, 0), (-400, 0), (-100, 0), (0, 0), (100, 0), (900, 0), (1000, 0), highway="residential")
    clip = (*lonlat(-150, -150), *lonlat(150, 150))
    network = network_of(sketch, tmp_path, clip)
    assert network.edge_id.tolist() == ["1:2"]
    assert network.length_m[0] == pytest.approx(200, abs=0.01)


def test_a_gap_in_an_extract_splits_the_street(tmp_path):
    ways = pd.DataFrame({"way_id": [7], "tags": [{"highway": "footway"}]})
    x = np.array([0.0, 100.0, 200.0, 300.0, 400.0])
    lon, lat = lonlat(x, np.zeros(5))
    nodes = pd.DataFrame(
        {
            "way_ix": np.zeros(5, np.int32),
            "position": np.arange(5, dtype=np.int32),
            "node_id": np.arange(5) + 10,
            "lon": lon,
            "lat": lat,
            "inside": [True, True, False, True, True],
        }
    )
    network = Network.from_osm(ways, nodes, Region.from_bbox(BOX, name="x"))
    assert network.edge_id.tolist() == ["7:0", "7:3"]
    assert network.component.max() == 1


def test_nothing_walkable_is_said(tmp_path):
    sketch = Drawing()
    sketch.way((0, 0), (100, 0), highway="motorway")
    with pytest.raises(DataError, match="no street a walker may use"):
        network_of(sketch, tmp_path)


def test_costs_round_once_and_slope_has_a_direction(tmp_path):
    sketch = Drawing()
    sketch.way((0, 0), (100, 0), highway="footway")
    sketch.way((100, 0), (200, 0), highway="steps")
    network = network_of(sketch, tmp_path)
    adult, wheels, metres = (Profile.load(name) for name in ("adult", "wheelchair", "metres"))
    flat = int(np.floor(network.length_m[0] / 1.33 * 32 + 0.5))
    assert network.ticks(adult)[0][0] == network.ticks(adult)[1][0] == flat
    assert network.ticks(metres)[0][0] == 3200
    assert network.ticks(wheels)[0].tolist()[1] == -1
    height = np.where(np.isin(network.node_id, [1]), 0.0, 10.0)
    up, down = network.ticks(adult, height)
    assert up[0] == int(np.floor(network.length_m[0] / (1.33 * np.exp(-3.5 * 0.1)) * 32 + 0.5))
    assert down[0] < up[0]
    unknown = network.ticks(adult, np.full(network.n_nodes, np.nan))
    assert unknown[0][0] == flat


def test_export_to_networkx_has_osmnx_attributes(tmp_path):
    sketch = Drawing()
    sketch.way((0, 0), (50, 10), (100, 0), highway="residential", oneway="yes")
    network = network_of(sketch, tmp_path)
    graph = network.to_networkx()
    assert isinstance(graph, nx.MultiDiGraph)
    assert graph.graph["crs"] == "EPSG:4326"
    assert graph.number_of_edges() == 2
    _, _, said = next(iter(graph.edges(data=True)))
    assert {"osmid", "length", "highway", "geometry", "oneway", "reversed"} <= said.keys()
    assert {"x", "y"} <= graph.nodes[1].keys()


def test_arrays_are_read_only(tmp_path):
    sketch = Drawing()
    sketch.way((0, 0), (100, 0), highway="footway")
    network = network_of(sketch, tmp_path)
    with pytest.raises(ValueError, match="read-only"):
        network.length_m[0] = 1


@pytest.mark.parametrize("suffix", [".osm.pbf", ".osm", ".osm.gz", ".osm.bz2"])
def test_every_format_of_an_extract_gives_the_same_network(tmp_path, suffix):
    sketch = Drawing()
    sketch.way((0, 0), (50, 0), (100, 0), highway="residential", name="环湖西三路")
    sketch.way((50, 0), (50, 80), highway="footway")
    data = read_osm(sketch.write(tmp_path / f"map{suffix}"), BOX)
    network = Network.from_osm(data.ways, data.way_nodes, Region.from_bbox(BOX, name="drawn"))
    assert sorted(network.edge_id) == ["1:0", "1:1", "2:0"]
    assert data.ways["tags"][0]["name"] == "环湖西三路"
    assert data.timestamp.startswith("2024-06-01")


def test_what_encloses_an_area_is_a_line_only_by_its_own_keys(tmp_path):
    drawing = Drawing()
    drawing.way((-50, 0), (50, 0), highway="residential")
    drawing.area(0, 10, 20, 30, building="yes")
    fence = drawing.area(30, 10, 40, 20, building="yes", barrier="fence")
    river = drawing.way((-50, 60), (50, 60), waterway="river")
    data = read_osm(drawing.write(tmp_path / "map.osm.pbf"), BOX)
    assert data.ways["tags"].tolist() == [{"highway": "residential"}]
    assert data.lines["osm_id"].tolist() == [fence, river]
    assert data.features["tags"].tolist() == [{"building": "yes"}, {"building": "yes", "barrier": "fence"}]


def test_the_date_a_file_states_goes_before_that_of_its_streets(tmp_path):
    drawing = Drawing()
    drawing.way((-50, 0), (50, 0), highway="residential")
    header = osmium.io.Header()
    header.set("osmosis_replication_timestamp", "2024-07-01T00:00:00Z")
    with osmium.SimpleWriter(str(tmp_path / "dated.osm.pbf"), header=header) as writer:
        for thing in osmium.FileProcessor(str(drawing.write(tmp_path / "map.osm.pbf"))):
            writer.add(thing)
    assert read_osm(tmp_path / "dated.osm.pbf", BOX).timestamp == "2024-07-01T00:00:00Z"
