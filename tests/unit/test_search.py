"""The engine's products against slow twins, whatever the room of its buffers, the width of its lanes or the threads."""

import dataclasses
import math
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import bellman_ford, extent
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import dijkstra
from strategies import World, worlds

from lifecircle.errors import DataError
from lifecircle.reach.search import NARROW, Ground, Walk, extent_of_nodes, field, nearest_from_nodes

TRIES = settings(max_examples=60, deadline=None)
# Small worlds fit into one pocket, so they are also walked with less of them taken out, or nothing.
HOW = [
    {}, {"room": 1}, {"wide": True}, {"wide": True, "room": 1},
    {"most": 0}, {"most": 0, "room": 1}, {"most": 2, "wide": True}, {"largest": 1}, {"most": 3, "largest": 2, "room": 1},
]  # fmt: skip


def walk(world, *, most=5, largest=32, node_same=None, edge_same=None, **how):
    network = world.network()
    lane = world.lane(network)
    made = Walk(
        network, lane, world.joins(world.homes), world.facilities(), n_origins=len(world.homes),
        thresholds={service: (limit,) for service, limit in enumerate(world.thresholds)}, **{"threads": 1, **how},
    )  # fmt: skip
    same = {"node_same": node_same, "edge_same": edge_same}
    vars(made)["ground"] = ground_of(world, network, lane, most=most, largest=largest, **same)
    return made


def ground_of(world, network, lane, **how):
    u, v = network.edge_u, network.edge_v
    return Ground(network.node_lon, network.node_lat, u, v, lane.ticks_uv, lane.ticks_vu, network.length_m, **how)


def fields(world):
    """Slow costs of every node from every home, and what the homes' joins are."""
    network = world.network()
    lane = world.lane(network)
    arcs = [(u, v, uv) for u, v, _, uv, _ in world.edges if uv >= 0]
    arcs += [(v, u, vu) for u, v, _, _, vu in world.edges if vu >= 0]
    joins = world.joins(world.homes)
    for home in range(len(world.homes)):
        mine = np.flatnonzero(joins.place == home)
        ends = ((network.edge_u, lane.homes.to_u), (network.edge_v, lane.homes.to_v))
        seeds = [(int(end[joins.edge[k]]), int(t[k])) for k in mine for end, t in ends if t[k] >= 0]
        placed = [(int(joins.edge[k]), float(joins.offset_m[k]), int(lane.homes.leg[k])) for k in mine]
        yield bellman_ford(world.n, arcs, seeds, world.cutoff), placed


@pytest.mark.parametrize("how", HOW)
@given(world=worlds())
@TRIES
def test_r_equals_its_twin(how, world):
    got = walk(world, **how).extent()
    assert got.unit == ("cm" if any(uv != vu for *_, uv, vu in world.edges) else "ticks")
    for home, (ticks, joins) in enumerate(fields(world)):
        assert (got.nodes[home], got.street[home]) == extent(world.edges, ticks, joins, world.cutoff)


@st.composite
def doubled(draw):
    """Worlds where some nodes and streets stand several times; and whose copies nodes and edges are."""
    directed = draw(st.booleans())
    world = draw(worlds(directed=directed))
    node_same, edge_same, edges = list(range(world.n)), list(range(len(world.edges))), list(world.edges)
    copies = {node: [node] for node in range(world.n)}
    for node in draw(st.lists(st.integers(0, world.n - 1), max_size=6)):
        copies[node].append(len(node_same))
        node_same.append(node)
    for number in draw(st.lists(st.integers(0, len(edges) - 1), max_size=8)):
        u, v, length, forth, back = world.edges[number]
        ends = draw(st.sampled_from(copies[u])), draw(st.sampled_from(copies[v]))
        shut = draw(st.sampled_from([(), (3,), (4,), (3, 4)] if directed else [(), (3, 4)]))
        made = (*ends, length, forth, back)
        edges.append(tuple(-1 if k in shut else value for k, value in enumerate(made)))
        edge_same.append(number)
        if draw(st.booleans()):  # the first of them closed where this one is open
            left = [-1 if k in (3, 4) and edges[-1][k] >= 0 else value for k, value in enumerate(edges[number])]
            edges[number] = tuple(left) if directed else (u, v, length, -1, -1) if not shut else edges[number]
    several = [node for node in copies if len(copies[node]) > 1]
    for node in several:
        for _ in range(draw(st.integers(0, 2))):
            ends = draw(st.sampled_from(copies[node])), draw(st.sampled_from(copies[node]))
            edges.append((*ends, 0.0, *(draw(st.sampled_from([(0, 0), (0, -1), (5, 0)] if directed else [(0, 0)])))))
            edge_same.append(len(edges) - 1)
    homes = list(world.homes)
    spot = st.tuples(st.sampled_from([0.0, 0.25, 0.37, 1.0]), st.sampled_from([0.0, 0.01, 3.0]))
    for number in draw(st.lists(st.integers(0, len(edges) - 1), max_size=3)):  # homes on some copy or all of a street
        on = [k for k, same in enumerate(edge_same) if same == edge_same[number]]
        homes.append([(k, *draw(spot)) for k in on if k == number or draw(st.integers(0, 3))])
    return dataclasses.replace(world, n=len(node_same), edges=edges, homes=homes), node_same, edge_same


@pytest.mark.parametrize("how", [*HOW, {"threads": 2}, {"threads": 4, "room": 1}])
@given(drawn=doubled(), many=st.sampled_from([1, 1, 70]))
@TRIES
def test_what_stands_twice_counts_once_in_r(how, drawn, many):
    world, *same = drawn
    again = dataclasses.replace(world, homes=world.homes * many)
    names = {"node_same": np.array(same[0], np.int32), "edge_same": np.array(same[1], np.int32)}
    alone, (both, reach) = walk(again, **names, **how).extent(), walk(again, **names, **how).extent_and_nearest()
    assert (both.nodes == alone.nodes).all()
    assert (both.street == alone.street).all()
    assert (reach.ticks == walk(again, **how).nearest_and_counts().ticks).all()
    for home, (ticks, joins) in enumerate(fields(world)):
        truth = extent(world.edges, ticks, joins, world.cutoff, *same)
        assert (alone.nodes[home :: len(world.homes)] == truth[0]).all()
        assert (alone.street[home :: len(world.homes)] == truth[1]).all()


@pytest.mark.parametrize(
    ("shut", "joins", "cutoff", "street"),
    [
        # A street of 100 m stands twice, its copies apart: from its middle both ways, on one copy or the other, or each.
        ([], [(0, 0.5)], 320, 2000),
        ([], [(0, 0.5), (1, 0.5)], 320, 2000),
        ([], [(0, 0.5), (1, 0.7)], 320, 4000),
        ([], [(0, 0.5), (1, 0.55)], 320, 2500),
        ([(0, 3), (1, 4)], [(0, 0.5), (1, 0.5)], 320, 2000),
        ([(0, 3), (1, 4)], [(0, 0.5)], 320, 1000),
        ([(0, 3), (0, 4)], [(0, 0.5), (1, 0.6)], 320, 2000),
        ([(0, 3), (0, 4)], [(0, 0.5)], 320, 0),
        ([(0, 3)], [(0, 0.5), (1, 1.0)], 1600, 10_000),  # to u on the first copy, from v and its end on the second
        ([(1, 3)], [(0, 1.0), (1, 1.0)], 320, 1000),
    ],
)
@pytest.mark.parametrize("how", [{}, {"most": 0, "room": 1}])
def test_the_street_one_stands_on_stands_twice(how, shut, joins, cutoff, street):
    edges = [[0, 1, 100.0, 3200, 3200], [2, 3, 100.0, 3200, 3200], [4, 5, 1.0, 32, 33]]
    for edge, way in shut:
        edges[edge][way] = -1
    home = [(edge, share, 0.0) for edge, share in joins]
    world = World(6, [tuple(edge) for edge in edges], [home], [((0,), [])], cutoff, [0])
    same = [0, 1, 0, 1, 4, 5], [0, 0, 2]
    got = walk(world, node_same=np.array(same[0]), edge_same=np.array(same[1]), **how).extent()
    (ticks, placed), *_ = fields(world)
    assert extent(world.edges, ticks, placed, cutoff, *same) == (got.nodes[0], got.street[0])
    assert got.street[0] == street


def test_the_network_says_what_stands_twice():
    world = World(2, [(0, 1, 10.0, 320, 320), (0, 1, 10.0, 320, 320)], [[(0, 0.5, 0.0)]], [((0,), [])], 320, [0])
    network = world.network()
    said = {"node_same": np.zeros(2, np.int32), "edge_same": np.zeros(2, np.int32)}
    ground = Ground.of(SimpleNamespace(**vars(network) | said), world.lane(network))
    got = extent_of_nodes(ground, 320)
    assert got.nodes.tolist() == [1, 1]
    assert got.street.tolist() == [320, 320]


@given(
    drawn=doubled(), room=st.sampled_from([1, 4096]), contraction=st.sampled_from([(5, 32), (0, 32), (2, 2), (5, 1)])
)
@TRIES
def test_what_stands_twice_counts_once_from_every_node(drawn, room, contraction):
    world, *same = drawn
    network = world.network()
    names = {"node_same": np.array(same[0], np.int32), "edge_same": np.array(same[1], np.int32)}
    ground = ground_of(world, network, world.lane(network), most=contraction[0], largest=contraction[1], **names)
    got = extent_of_nodes(ground, world.cutoff, threads=1, room=room)
    arcs = [(u, v, uv) for u, v, _, uv, _ in world.edges if uv >= 0]
    arcs += [(v, u, vu) for u, v, _, _, vu in world.edges if vu >= 0]
    for node in range(world.n):
        ticks = bellman_ford(world.n, arcs, [(node, 0)], world.cutoff)
        assert (got.nodes[node], got.street[node]) == extent(world.edges, ticks, [], world.cutoff, *same)


@given(world=worlds(directed=False))
@TRIES
def test_r_on_symmetric_worlds(world):
    got = walk(world).extent()
    assert got.unit == "ticks"
    both, reach = walk(world).extent_and_nearest()
    assert (both.nodes == got.nodes).all()
    assert (both.street == got.street).all()
    assert (reach.ticks == walk(world).nearest_and_counts().ticks).all()
    for home, (ticks, joins) in enumerate(fields(world)):
        assert (got.nodes[home], got.street[home]) == extent(world.edges, ticks, joins, world.cutoff)


@pytest.mark.parametrize("how", HOW)
@given(world=worlds())
@TRIES
def test_m_holds_every_pair_once_sorted(how, world):
    made = walk(world, **how)
    pairs, reach = made.pairs(), made.nearest_and_counts()
    assert len(pairs.ptr) == len(world.homes) + 1
    for home in range(len(world.homes)):
        part = slice(pairs.ptr[home], pairs.ptr[home + 1])
        ticks, facility = pairs.ticks[part].tolist(), pairs.facility[part].tolist()
        assert list(zip(ticks, facility, strict=True)) == sorted(zip(ticks, facility, strict=True))
        assert len(set(facility)) == len(facility)
        for service in range(len(world.thresholds)):
            mine = [(t, f) for t, f in zip(ticks, facility, strict=True) if service in world.doors[f][0]]
            nearest = min(mine, default=(math.inf, -1))
            assert (reach.ticks[service, home], reach.nearest[service, home]) == nearest
            assert reach.count[service, 0, home] == sum(t <= world.thresholds[service] for t, _ in mine)


@pytest.mark.parametrize("how", [*HOW, {"threads": 3}])
@given(world=worlds())
@settings(max_examples=40, deadline=None)
def test_n_and_c_are_the_same_however_they_are_made(how, world):
    one, other = walk(world).nearest_and_counts(), walk(world, **how).nearest_and_counts()
    assert (one.ticks == other.ticks).all()
    assert (one.nearest == other.nearest).all()
    assert (one.count == other.count).all()


@given(world=worlds(), copies=st.integers(0, 60))
@settings(max_examples=40, deadline=None)
def test_any_number_of_origins(world, copies):
    one = walk(world).nearest_and_counts()
    many = walk(dataclasses.replace(world, homes=world.homes * copies)).nearest_and_counts()
    assert (many.ticks == np.tile(one.ticks, copies)).all()
    assert (many.count == np.tile(one.count, copies)).all()
    street = walk(dataclasses.replace(world, homes=world.homes * copies)).extent().street
    assert (street == np.tile(walk(world).extent().street, copies)).all()


def grid(side, rng, dead_ends):
    """Town of side x side crossings with odd lengths, and dead ends; coordinates and edges."""
    number = np.arange(side * side).reshape(side, side)
    u = np.concatenate([number[:, :-1].ravel(), number[:-1].ravel()])
    v = np.concatenate([number[:, 1:].ravel(), number[1:].ravel()])
    u = np.concatenate([u, rng.integers(0, side * side, dead_ends)])
    v = np.concatenate([v, side * side + np.arange(dead_ends)])
    x, y = np.divmod(np.arange(side * side), side)
    at = u[-dead_ends:]
    return np.concatenate([x, x[at] + 0.3]) * 1.0, np.concatenate([y, y[at] + 0.3]) * 1.0, u, v


@pytest.mark.parametrize(
    ("cutoff", "directed"), [(900, False), (3000, True), (40_000, False), (70_000, True), (70_000, False)]
)
@pytest.mark.parametrize("room", [3, 4096])
def test_every_node_of_a_town_equals_scipy(cutoff, directed, room):
    rng = np.random.default_rng(5)
    x, y, u, v = grid(13, rng, 60)
    scale = max(1, cutoff // 900)
    forth = rng.integers(1, 300, len(u)).astype(np.int32) * scale
    back = rng.integers(1, 300, len(u)).astype(np.int32) * scale if directed else forth
    length = forth / 32.0
    ground = Ground(x, y, u, v, forth, back, length)
    got = extent_of_nodes(ground, cutoff, threads=2, room=room)
    n = len(x)
    graph = csr_matrix((n, n))
    for tail, head, cost in ((u, v, forth), (v, u, back)):
        graph = graph + csr_matrix((cost.astype(float), (tail, head)), shape=(n, n))
    truth = dijkstra(graph, limit=cutoff)
    assert (got.nodes == (truth <= cutoff).sum(axis=1)).all()
    edges = list(zip(u.tolist(), v.tolist(), length.tolist(), forth.tolist(), back.tolist(), strict=True))
    for node in range(0, n, 7):
        assert (
            got.street[node] == extent(edges, [int(t) if t <= cutoff else math.inf for t in truth[node]], [], cutoff)[1]
        )


def test_the_width_of_lanes_follows_the_cutoff():
    short = Ground(np.zeros(2), np.zeros(2), [0], [1], *[np.array([9], np.int32)] * 2, np.ones(1))
    long = Ground(np.zeros(2), np.zeros(2), [0], [1], *[np.array([99_999], np.int32)] * 2, np.ones(1))
    assert [short.lanes_for(c, streets=True) for c in (32_767, 32_768, NARROW)] == [np.uint16] * 3
    assert short.lanes_for(NARROW + 1, streets=False) == np.uint32
    assert [long.lanes_for(c, streets=True) for c in (32_767, 32_768)] == [np.uint16, np.uint32]
    assert long.lanes_for(NARROW, streets=False) == np.uint16
    with pytest.raises(DataError, match="largest"):
        short.lanes_for(1 << 30, streets=False)


@pytest.mark.parametrize("cutoff", [32_767, 32_768, 65_534, 65_535])
def test_long_edges_at_the_edge_of_narrow_lanes(cutoff):
    cost = np.array([70_000, 65_534, 65_535, 9], np.int32)
    u, v = np.array([0, 1, 2, 3]), np.array([1, 2, 3, 4])
    ground = Ground(np.arange(5) * 1.0, np.zeros(5), u, v, cost, cost, cost / 32.0)
    edges = list(zip(u.tolist(), v.tolist(), (cost / 32).tolist(), cost.tolist(), cost.tolist(), strict=True))
    arcs = [(a, b, c) for a, b, _, c, _ in edges] + [(b, a, c) for a, b, _, c, _ in edges]
    got = extent_of_nodes(ground, cutoff)
    for node in range(5):
        truth = extent(edges, bellman_ford(5, arcs, [(node, 0)], cutoff), [], cutoff)
        assert (got.nodes[node], got.street[node]) == truth


def test_more_nodes_than_narrow_lanes_can_count_are_counted_in_wide_ones():
    n = 70_000
    star = np.arange(1, n)
    cost = np.ones(n - 1, np.int32)
    ground = Ground(np.zeros(n), np.arange(n) * 1.0, np.zeros(n - 1, np.int64), star, cost, cost, np.ones(n - 1))
    got = extent_of_nodes(ground, 1, threads=1)
    assert got.nodes[0] == n
    assert got.street[0] == n - 1
    assert (got.nodes[1:] == 2).all()


def test_too_many_pairs_are_said_before_they_are_stored():
    world = World(2, [(0, 1, 10.0, 320, 320)], [[(0, 0.5, 0.0)]] * 5, [((0,), [(0, 0.2, 0.0)])] * 4, 1000, [10])
    made = walk(world)
    assert len(made.pairs(most=20).ticks) == 20
    with pytest.raises(DataError, match="20 pairs"):
        made.pairs(most=19)


def test_no_edges_no_doors_no_homes():
    empty = Ground(np.zeros(3), np.zeros(3), *[np.zeros(0, np.int64)] * 2, *[np.zeros(0, np.int32)] * 2, np.zeros(0))
    got = extent_of_nodes(empty, 100)
    assert got.nodes.tolist() == [1, 1, 1]
    assert got.street.tolist() == [0, 0, 0]
    world = World(2, [(0, 1, 10.0, 320, 320)], [], [], 1000, [10])
    assert walk(world).nearest_and_counts().ticks.shape == (1, 0)
    assert walk(world).pairs().ptr.tolist() == [0]


@given(world=worlds(), data=st.data())
@TRIES
def test_n_alone_from_every_node_equals_its_twin(world, data):
    network = world.network()
    most, largest = data.draw(st.sampled_from([(5, 32), (0, 32), (2, 2), (5, 1)]))
    ground = ground_of(world, network, world.lane(network), most=most, largest=largest)
    n_services = data.draw(st.sampled_from([1, 3, 40]))
    size = data.draw(st.integers(0, 6))
    node = np.array(data.draw(st.lists(st.integers(0, world.n - 1), min_size=size, max_size=size)), dtype=int)
    service = np.array(data.draw(st.lists(st.integers(0, n_services - 1), min_size=size, max_size=size)), dtype=int)
    top = data.draw(st.sampled_from([5, 5_000_000]))
    name = np.array(data.draw(st.lists(st.integers(0, top), min_size=size, max_size=size)), dtype=int)
    ticks, nearest = nearest_from_nodes(ground, node, service, n_services, world.cutoff, name=name)
    # Towards the entrance: the arcs turned round, from the entrance.
    arcs = [(v, u, uv) for u, v, _, uv, _ in world.edges if uv >= 0]
    arcs += [(u, v, vu) for u, v, _, _, vu in world.edges if vu >= 0]
    truth = [[(math.inf, -1)] * world.n for _ in range(n_services)]
    for at, given_service, who in zip(node.tolist(), service.tolist(), name.tolist(), strict=True):
        for k, cost in enumerate(bellman_ford(world.n, arcs, [(at, 0)], world.cutoff)):
            if cost < math.inf:
                truth[given_service][k] = min(truth[given_service][k], (cost, who), key=lambda x: (x[0], x[1]))
    for k in range(n_services):
        assert list(zip(ticks[k].tolist(), nearest[k].tolist(), strict=True)) == truth[k]


def test_dead_ends_of_one_node_do_not_meet_but_there():
    world = World(3, [(0, 1, 0.5, 16, 16), (0, 2, 0.0, 0, 0)], [], [], 0, [0])
    network = world.network()
    for most in (5, 0):
        ground = ground_of(world, network, world.lane(network), most=most)
        ticks, _ = nearest_from_nodes(ground, np.arange(3), np.array([0, 1, 0]), 2, 0)
        assert ticks.tolist() == [[0, math.inf, 0], [math.inf, 0, math.inf]]


@pytest.mark.parametrize(
    ("edges", "home", "cutoff", "street"),
    [
        # A join on a street closed both ways, in a network that is the same both ways.
        ([(0, 1, 10.0, 320, 320), (0, 1, 10.0, -1, -1)], [(0, 0.5, 0.0), (1, 0.5, 0.0)], 1000, 320),
        ([(0, 1, 10.0, 320, 320), (1, 2, 10.0, -1, -1)], [(0, 0.5, 0.0), (1, 0.5, 0.0)], 1000, 320),
        # Back from a dead end that the home itself reaches.
        ([(0, 1, 100.0, 0, 1), (1, 2, 1.0, 32, 32), (1, 2, 1.0, 32, 32)], [(0, 0.49, 0.0)], 0, 10_000),
        ([(0, 1, 1.0, 10, 1000), (1, 2, 1.0, 32, 32), (1, 2, 1.0, 32, 32)], [(0, 0.505, 0.0)], 506, 300),
    ],
)
def test_streets_that_homes_stand_on(edges, home, cutoff, street):
    world = World(3, edges, [home], [((0,), [])], cutoff, [0])
    assert walk(world).extent().street.tolist() == [street]


@pytest.mark.parametrize("cutoff", [-1, 1 << 29, 1 << 30])
def test_cutoffs_that_no_lane_holds_are_refused_everywhere(cutoff):
    world = World(2, [(0, 1, 10.0, 320, -1)], [[(0, 1.0, 0.0)]], [((0,), [(0, 0.0, 0.0)])], cutoff, [])
    network = world.network()
    lane = world.lane(network)
    for how in ({}, {"wide": True}):
        with pytest.raises(DataError, match="cutoff"):
            walk(world, **how).nearest_and_counts()
    with pytest.raises(DataError, match="cutoff"):
        nearest_from_nodes(ground_of(world, network, lane), np.zeros(1, int), np.zeros(1, int), 1, cutoff)
    with pytest.raises(DataError, match="cutoff"):
        field(network, lane, world.joins(world.homes))


def test_what_numbers_do_not_hold_is_refused():
    dear = np.array([1 << 30], np.int32)
    with pytest.raises(DataError, match="costs"):
        Ground(np.zeros(2), np.zeros(2), np.array([0]), np.array([1]), dear, dear, np.ones(1))
    world = World(2, [(0, 1, 10.0, 320, 320)], [[(0, 0.5, 0.0)]], [((0,), [])], 1000, [-1])
    with pytest.raises(DataError, match="negative"):
        walk(world)
    world.thresholds = []
    assert walk(world).nearest_and_counts().ticks.shape == (0, 1)
    with pytest.raises(DataError, match="buffers"):
        walk(world, room=0)


@pytest.mark.parametrize("how", [{}, {"largest": 1}, {"largest": 2, "room": 1}, {"most": 0}])
@pytest.mark.parametrize("short", [0, 1])
def test_an_entrance_at_the_very_cutoff_is_reached_wherever_it_hangs(how, short):
    # Seen from node 0 of a chain, every node in turn lies just within the cutoff, or a tick beyond it.
    edges = [(k, k + 1, 10.0, 320, 320) for k in range(9)]
    for node in range(1, 9):
        world = World(10, edges, [[(0, 0.0, 0.0)]], [((0,), [(node, 0.0, 0.0)])], 320 * node - short, [0])
        assert walk(world, **how).nearest_and_counts().ticks.tolist() == [[math.inf if short else 320 * node]]
