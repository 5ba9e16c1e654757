"""What the benchmarks stand on: the seeded graphs, the plain heap, and studies made into plain graphs."""

import graphs
import heap
import joined
import numpy as np
import pytest
from hypothesis import given, settings
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components, dijkstra
from strategies import worlds

from lifecircle.reach.search import Walk


@pytest.fixture(scope="module")
def town():
    return graphs.street_graph(4.0)


def matrix(graph):
    return csr_array((graph.cost.astype(float), graph.indices, graph.indptr), shape=(graph.n, graph.n))


def test_a_graph_is_that_of_its_numbers(town, monkeypatch):
    assert (town.n, len(town.indices)) == (935, 2600)
    monkeypatch.setattr(graphs, "_TILE_M", 700.0)
    again = graphs.street_graph(4.0)
    for name in ("xy", "indptr", "indices", "cost"):
        assert (getattr(again, name) == getattr(town, name)).all()


def test_a_graph_is_symmetric_simple_and_one_piece(town):
    costs = matrix(town)
    assert abs(costs - costs.T).nnz == 0
    assert town.cost.min() >= 1
    assert not (town.tail == town.indices).any()
    assert len(set(zip(town.tail.tolist(), town.indices.tolist(), strict=True))) == len(town.indices)
    assert connected_components(costs, directed=False)[0] == 1


def test_a_graph_comes_back_from_its_file(town, tmp_path):
    town.save(tmp_path / "town.npz")
    back = graphs.Graph.load(tmp_path / "town.npz")
    assert (back.indices == town.indices).all()
    assert back.cutoff == graphs.CUTOFF


@pytest.mark.prove
def test_the_graph_of_400_km2_is_the_one_that_is_compared_with():
    graph = graphs.street_graph(400.0)
    nodes, street = np.empty(graph.n, np.int64), np.empty(graph.n, np.int64)
    heap.streets(graph.indptr, graph.indices, graph.cost, np.arange(graph.n), graph.cutoff, nodes, street)
    assert (graph.n, len(graph.indices)) == (104_849, 304_314)
    assert (round(nodes.mean(), 4), street.sum()) == (612.6937, 60_319_675_184)


@pytest.mark.parametrize("cutoff", [0, 700, 12_500])
def test_the_plain_heap_equals_scipy(town, cutoff):
    origins = np.arange(0, town.n, 7)
    nodes, street = np.empty(len(origins), np.int64), np.empty(len(origins), np.int64)
    heap.streets(town.indptr, town.indices, town.cost, origins, cutoff, nodes, street)
    dist = dijkstra(matrix(town), indices=origins, limit=cutoff)
    once = town.tail < town.indices
    left = np.maximum(cutoff - dist, 0)  # infinitely far is nothing left
    both = left[:, town.tail[once]] + left[:, town.indices[once]]
    assert (nodes == np.isfinite(dist).sum(axis=1)).all()
    assert (street == np.minimum(both, town.cost[once]).sum(axis=1)).all()


def test_the_plain_heap_finds_the_nearest(town):
    doors, ptr = np.array([3, 500, 7]), np.array([0, 2, 3])
    ticks = np.empty((2, town.n), np.int64)
    heap.nearest_from(town.indptr, town.indices, town.cost, doors, ptr, 9000, ticks)
    for row, mine in zip(ticks, (doors[:2], doors[2:]), strict=True):
        dist = dijkstra(matrix(town), indices=mine, limit=9000, min_only=True)
        assert (row == np.where(np.isfinite(dist), dist, 9001)).all()


@given(world=worlds())
@settings(max_examples=60, deadline=None)
def test_a_study_made_a_plain_graph_gives_the_same_answers(world):
    network = world.network()
    thresholds = {service: (limit,) for service, limit in enumerate(world.thresholds)}
    n = len(world.homes)
    walkers = joined.Walkers(network, world.lane(network), world.joins(world.homes), world.facilities(), n, thresholds)
    graph = joined.join(walkers)
    found = (np.empty(n, np.int64), *(np.empty((len(thresholds), *k, n), np.int64) for k in ((), (), (1,))))
    heap.everything(
        graph.indptr, graph.indices, graph.cost, graph.origins, graph.n_streets, graph.first_facility,
        graph.service_ptr, graph.service, graph.limits, graph.cutoff, found,
    )  # fmt: skip
    walk = Walk(**vars(walkers), threads=1)
    reach, extent = walk.nearest_and_counts(), walk.extent()
    assert (found[0] == extent.nodes).all()
    assert (found[1] == np.where(np.isfinite(reach.ticks), reach.ticks, -1)).all()
    assert (found[2] == reach.nearest).all()
    assert (found[3] == reach.count).all()


def test_nodes_as_places_reach_what_nodes_reach(town):
    doors, service = np.array([5, 9, 700]), np.array([0, 1, 1])
    walkers = joined.of_graph(town, doors, service, (6000, 12_500))
    walk = Walk(**vars(walkers), threads=1)
    extent, reach = walk.extent(), walk.nearest_and_counts()
    dist = dijkstra(matrix(town), limit=town.cutoff)
    assert (extent.nodes == np.isfinite(dist).sum(axis=1)).all()
    assert (reach.ticks[0] == dist[:, 5]).all()
    assert (reach.count[1, 0] == (dist[:, doors[1:]] <= 6000).sum(axis=1)).all()
