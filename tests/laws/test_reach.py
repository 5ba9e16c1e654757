"""Laws of walking, on worlds drawn by hypothesis: the search against slow twins, and against itself changed."""

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import Stranger, along, bellman_ford, half_up
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import dijkstra as scipy_dijkstra
from strategies import WALKER, worlds

from lifecircle.reach.ground import Ground
from lifecircle.reach.search import Walk, field

TRIES = settings(max_examples=150, deadline=None)


def run(world, lane=None, threads=1):
    network = world.network()
    lane = lane or world.lane(network)
    return walk(world, network, lane, threads=threads).nearest_and_counts()


def walk(world, network=None, lane=None, **how):
    network = network or world.network()
    return Walk(
        network, lane or world.lane(network), world.joins(world.homes), world.facilities(), n_origins=len(world.homes),
        thresholds={service: (0, limit, limit // 2) for service, limit in enumerate(world.thresholds)}, **how,
    )  # fmt: skip


def stranger(world, cutoff=None):
    """The exported tables of a world, in a stranger's hands."""
    network = [
        {
            "edge_id": f"{k}:0", "u": u, "v": v, "length_m": length,
            "ticks_uv_c": None if uv < 0 else uv, "ticks_vu_c": None if vu < 0 else vu,
        }
        for k, (u, v, length, uv, vu) in enumerate(world.edges)
    ]  # fmt: skip

    def priced(edge, share, leg_m):
        _, _, length, uv, vu = world.edges[edge]
        leg, x = half_up(leg_m * 32), share * length
        return leg, x, uv, vu, along(uv, x, length), along(vu, x, length)

    access, entrances, facilities = [], [], []
    for home, joins in enumerate(world.homes):
        for edge, share, leg_m in joins:
            leg, x, uv, vu, forth, back = priced(edge, share, leg_m)
            access.append(
                {
                    "cell_id": home, "point_n": 0, "edge_id_c": f"{edge}:0", "offset_m_c": x, "leg_ticks_c": leg,
                    "to_u_ticks_c": None if vu < 0 else leg + back, "to_v_ticks_c": None if uv < 0 else leg + uv - forth,
                }
            )  # fmt: skip
    for number, (services, joins) in enumerate(world.doors):
        facilities += [{"facility_id": number, "service": s} for s in services]
        for edge, share, leg_m in joins:
            leg, y, uv, vu, forth, back = priced(edge, share, leg_m)
            entrances.append(
                {
                    "cost": "c", "status": "ok", "facility_id": number, "edge_id": f"{edge}:0", "offset_m": y, "leg_ticks": leg,
                    "from_u_ticks": None if uv < 0 else leg + forth, "from_v_ticks": None if vu < 0 else leg + vu - back,
                }
            )  # fmt: skip
    return Stranger(network, access, entrances, facilities, "c")


@given(worlds())
@TRIES
def test_law_1_the_search_equals_its_twin(world):
    got, twin = run(world), stranger(world)
    for home in range(len(world.homes)):
        found = twin.walk(home, world.cutoff)
        for service, threshold in enumerate(world.thresholds):
            mine = {f: t for f, t in found.items() if service in twin.services[f]}
            least = min(mine.values(), default=math.inf)
            assert got.ticks[service, home] == least
            nearest = min((f for f, t in mine.items() if t == least), default=-1)
            assert got.nearest[service, home] == nearest
            for k, limit in enumerate((0, threshold, threshold // 2)):
                assert got.count[service, k, home] == sum(t <= limit for t in mine.values())


@given(worlds())
@TRIES
def test_law_1_the_field_equals_bellman_ford_and_scipy(world):
    network = world.network()
    lane = world.lane(network)
    home = dataclasses.replace(world, homes=world.homes[:1])
    joins = home.joins(home.homes)
    got = field(network, home.lane(network), joins)
    arcs = [(u, v, uv) for u, v, _, uv, _ in world.edges if uv >= 0]
    arcs += [(v, u, vu) for u, v, _, _, vu in world.edges if vu >= 0]
    homes = home.lane(network).homes
    seeds = [(int(network.edge_u[e]), int(t)) for e, t in zip(joins.edge, homes.to_u, strict=True) if t >= 0]
    seeds += [(int(network.edge_v[e]), int(t)) for e, t in zip(joins.edge, homes.to_v, strict=True) if t >= 0]
    assert got.ticks.tolist() == bellman_ford(world.n, arcs, seeds, world.cutoff)
    # scipy takes no parallel arcs and reads a stored zero as no arc: keep the cheapest, count in halves above one tick
    cheapest = {}
    for tail, head, cost in [*arcs, *((world.n, node, cost) for node, cost in seeds)]:
        if tail != head:
            cheapest[tail, head] = min(cost, cheapest.get((tail, head), cost))
    tiny = 2.0**-30
    rows, columns = zip(*cheapest, strict=True) if cheapest else ((), ())
    values = np.array(list(cheapest.values()), dtype=np.float64) + tiny
    graph = csr_matrix((values, (rows, columns)), shape=(world.n + 1, world.n + 1))
    scipy = np.floor(scipy_dijkstra(graph, indices=world.n)[: world.n] + 0.25)
    scipy[scipy > world.cutoff] = np.inf
    assert got.ticks.tolist() == scipy.tolist()
    assert lane.cutoff == world.cutoff


@given(worlds())
@TRIES
def test_law_2_no_seed_exceeds_its_access_and_no_arc_is_violated(world):
    home = dataclasses.replace(world, homes=world.homes[:1])
    network = home.network()
    lane = home.lane(network)
    joins = home.joins(home.homes)
    got = field(network, lane, joins)
    for edge, to_u, to_v in zip(joins.edge, lane.homes.to_u, lane.homes.to_v, strict=True):
        for node, ticks in ((network.edge_u[edge], to_u), (network.edge_v[edge], to_v)):
            assert ticks < 0 or ticks > lane.cutoff or got.ticks[node] <= ticks
    for u, v, _, uv, vu in world.edges:
        for tail, head, cost in ((u, v, uv), (v, u, vu)):
            if cost >= 0 and got.ticks[tail] + cost <= lane.cutoff:
                assert got.ticks[head] <= got.ticks[tail] + cost
    for node, before in enumerate(got.previous.tolist()):
        assert before < 0 or got.ticks[before] < got.ticks[node]


@given(worlds(), st.integers(0, 57_600))
@TRIES
def test_law_3_a_larger_cutoff_changes_nothing_below_the_smaller(world, more):
    small = run(world)
    wide = run(world, lane=world.lane(world.network(), cutoff=world.cutoff + more))
    within = np.isfinite(small.ticks)
    assert (wide.ticks[within] == small.ticks[within]).all()
    assert (wide.nearest[within] == small.nearest[within]).all()
    assert (wide.ticks[~within] > world.cutoff).all()
    assert (wide.count == small.count).all()


@given(worlds(), st.data())
@TRIES
def test_law_4_adding_never_slows_and_closing_never_hastens(world, data):
    before = run(world)
    without = dataclasses.replace(world, doors=[*world.doors[:-1], (world.doors[-1][0], [])])
    assert (run(without).ticks >= before.ticks).all()
    assert (run(without).count <= before.count).all()
    nodes = st.integers(0, world.n - 1)
    path = (data.draw(nodes), data.draw(nodes), 10.0, 320, 320)
    joined = dataclasses.replace(world, edges=[*world.edges, path])
    assert (run(joined).ticks <= before.ticks).all()
    assert (run(joined).count >= before.count).all()


@given(worlds(), st.randoms(use_true_random=False))
@TRIES
def test_law_5_relabelling_permutes_and_never_changes_the_answer(world, random):
    before = run(world)
    names = list(range(world.n))
    random.shuffle(names)
    edges = [(names[u], names[v], *rest) for u, v, *rest in world.edges]
    assert_same(run(dataclasses.replace(world, edges=edges)), before)
    order = list(range(len(world.edges)))
    random.shuffle(order)
    place = {old: new for new, old in enumerate(order)}

    def moved(joins):
        return [(place[edge], share, leg) for edge, share, leg in joins]

    shuffled = dataclasses.replace(
        world, edges=[world.edges[k] for k in order], homes=[moved(joins) for joins in world.homes],
        doors=[(services, moved(joins)) for services, joins in world.doors],
    )  # fmt: skip
    assert_same(run(shuffled), before)
    doors = list(range(len(world.doors)))
    random.shuffle(doors)
    after = run(dataclasses.replace(world, doors=[world.doors[k] for k in doors]))
    assert (after.ticks == before.ticks).all()
    assert (after.count == before.count).all()


@given(worlds(), st.data())
@TRIES
def test_what_stands_twice_counts_once(world, data):
    # Copies of streets and nodes, free to change between, take nobody farther; so they change no count.
    n, count = world.n, len(world.edges)
    nodes = data.draw(st.lists(st.integers(0, n - 1), unique=True))
    copy = {node: n + k for k, node in enumerate(nodes)}
    copied = [k for k in range(count) if data.draw(st.booleans())]
    edges = [(copy.get(u, u), copy.get(v, v), *rest) for u, v, *rest in (world.edges[k] for k in copied)]
    free = [(node, copy[node], 0.0, 0, 0) for node in nodes]
    twice = dataclasses.replace(world, n=n + len(nodes), edges=[*world.edges, *edges, *free])
    network = twice.network()
    lane, made = twice.lane(network), walk(twice, network)
    vars(made)["ground"] = Ground(
        network.node_lon, network.node_lat, network.edge_u, network.edge_v, lane.ticks_uv, lane.ticks_vu,
        network.length_m, node_same=np.array([*range(n), *nodes]),
        edge_same=np.array([*range(count), *copied, *range(count + len(copied), len(twice.edges))]),
    )  # fmt: skip
    before, after = walk(world).extent(), made.extent()
    assert (after.nodes == before.nodes).all()
    assert (after.street == before.street).all()
    assert_same(run(twice), run(world))


@given(worlds())
@TRIES
def test_law_6_threads_change_nothing(world):
    many = dataclasses.replace(world, homes=world.homes * 100)
    assert_same(run(many, threads=1), run(many, threads=4))


@given(worlds(directed=False), st.sampled_from([0.31, 0.5, 0.8, 0.97]))
@TRIES
def test_law_7_a_slower_walker_is_never_faster(world, share):
    slow = WALKER.model_copy(update={"speed_mps": WALKER.speed_mps.model_copy(update={"value": share})})
    network = world.network()

    def walked(profile):
        ticks = network.ticks(profile)
        return run(world, lane=world.lane(network, ticks=ticks, profile=profile))

    # Two places on one edge: the stretch between them is a difference of two rounded costs, which may shrink by one
    # tick where the whole grows. Everything else is a sum of parts that only grow.
    assert (walked(slow).ticks >= walked(WALKER).ticks - 1).all()


@given(worlds(directed=False))
@TRIES
def test_law_7_a_walker_allowed_more_ways_is_never_slower(world):
    fewer = tuple(np.where(np.arange(len(world.edges)) % 3 == 0, -1, side).astype(np.int32) for side in world.ticks())
    network = world.network()
    assert (run(world, lane=world.lane(network, ticks=fewer)).ticks >= run(world).ticks).all()


def test_a_threshold_beyond_the_cutoff_is_refused():
    from hypothesis import find

    world = find(worlds(), lambda w: w.cutoff == 0)
    with pytest.raises(ValueError, match="beyond the cutoff"):
        run(dataclasses.replace(world, thresholds=[t + 1 for t in world.thresholds]))


def assert_same(one, other):
    assert (one.ticks == other.ticks).all()
    assert (one.nearest == other.nearest).all()
    assert (one.count == other.count).all()
