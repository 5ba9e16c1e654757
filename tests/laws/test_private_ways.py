"""Private ground: the plain search on the doubled network walks exactly what a walker may who obeys gates."""

import math

import networkx as nx
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import dijkstra
from strategies import WALKER, World

from lifecircle.model import gates
from lifecircle.model.snapping import Joins, Snapper, price

POLICIES = ("open", "residents", "closed")
GATES = [
    None,
    None,
    None,
    {"barrier": "gate", "access": "private"},
    {"barrier": "gate", "access": "no"},
    {"barrier": "gate"},
]


@st.composite
def estates(draw):
    """Up to 7 ways of very different length between up to 6 nodes, some private, some nodes gates; a home and a door."""
    n = draw(st.integers(2, 6))
    count = draw(st.integers(1, 7))
    ends = st.integers(0, n - 1)
    ways = [(draw(ends), draw(ends), 10.0 * 2**k, draw(st.booleans())) for k in range(count)]
    node_tags = {node: tags for node in range(n) if (tags := draw(st.sampled_from(GATES))) is not None}
    place = st.tuples(st.integers(0, count - 1), st.sampled_from([0.0, 0.25, 0.6, 1.0]))
    return n, ways, node_tags, draw(place), draw(place)


def is_private_gate(tags):
    return tags is not None and tags.get("access") == "private"


def is_shut(tags):
    return tags is not None and tags.get("access") == "no"


def private_ways(ways, node_tags):
    """Ways that are private, or that private ways and gates alone join to the longest public piece of their whole."""

    def groups(chosen, passed):
        graph = nx.Graph()
        graph.add_nodes_from(chosen)
        for a in chosen:
            for b in chosen:
                if any(node in ways[b][:2] and passed(node_tags.get(node)) for node in ways[a][:2]):
                    graph.add_edge(a, b)
        return list(nx.connected_components(graph))

    pieces = groups(
        [k for k, way in enumerate(ways) if not way[3]], lambda tags: not (is_shut(tags) or is_private_gate(tags))
    )
    found = {k for k, way in enumerate(ways) if way[3]}
    for whole in groups(range(len(ways)), lambda tags: not is_shut(tags)):
        inside = sorted((piece for piece in pieces if piece <= whole), key=lambda p: sum(ways[k][2] for k in p))
        for piece in inside[:-1]:
            found |= piece
    return found


def allowed(steps, policy):
    """Say whether a walk obeys a policy: private steps (True) come out of one's own, and into where one is going."""
    if policy == "open":
        return True
    out = next((k for k, private in enumerate(steps) if not private), len(steps))
    into = next((k for k, private in enumerate(reversed(steps)) if not private), len(steps))
    if policy == "closed" and into and out < len(steps):
        return False
    return not any(steps[out : len(steps) - into])


def walk(ways, node_tags, home, door, policy):
    """Least ticks from home to door over every simple path; the slow obvious way."""
    private = private_ways(ways, node_tags)
    ticks = [int(way[2] * 32 + 0.5) for way in ways]
    (e, x), (f, y) = home, door
    best = math.inf

    def part(edge, share):
        return math.floor(ticks[edge] * (share * ways[edge][2]) / ways[edge][2] + 0.5)

    if e == f:
        best = abs(part(e, x) - part(e, y))

    def go(node, cost, steps, seen):
        nonlocal best
        for edge, (u, v, *_) in enumerate(ways):
            for here, there, entry in ((u, v, 0), (v, u, 1)):
                if here != node:
                    continue
                gate = node_tags.get(node)
                if is_shut(gate) and steps:
                    continue
                now = steps + [True] * is_private_gate(gate) + [edge in private]
                if edge == f and allowed(now, policy):
                    best = min(best, cost + (part(f, y) if entry == 0 else ticks[f] - part(f, y)))
                if there not in seen:
                    go(there, cost + ticks[edge], now, seen | {there})

    for node, cost in ((ways[e][0], part(e, x)), (ways[e][1], ticks[e] - part(e, x))):
        go(node, cost, [e in private], {node})
    return best


@settings(max_examples=400, deadline=None)
@given(estates(), st.sampled_from(POLICIES))
def test_the_doubled_network_obeys_gates(estate, policy):
    n, ways, node_tags, home, door = estate
    # At the very node of a gate a place is on both sides of it: told apart elsewhere.
    ends = {k: ways[k][:2] for k in (home[0], door[0])}
    at_gate = any(share in {0.0, 1.0} and node_tags.get(ends[k][int(share)]) for k, share in (home, door))
    world = World(n, [(u, v, length, 0, 0) for u, v, length, _ in ways], [], [], 0, [])
    network = world.network().changed(private=np.array([way[3] for way in ways]))
    tags = {node + 100: said for node, said in node_tags.items()}
    made = gates.doubled(gates.taken_apart(network, tags, {}))
    walker = WALKER.model_copy(update={"gates": policy})
    ticks = made.ticks(walker)
    one = np.zeros(1, np.int32)

    def joins(place):
        edge = np.array([place[0]], np.int32)
        return Joins(one, one, edge, np.array([place[1] * ways[place[0]][2]]), np.zeros(1))

    snapper = Snapper.__new__(Snapper)
    snapper.network = made
    doors, _ = snapper.doors(joins(door))
    start, goal = price(joins(home), made, ticks, walker), price(doors, made, ticks, walker)
    arcs = {}
    for u, v, there, back in zip(made.edge_u.tolist(), made.edge_v.tolist(), *(t.tolist() for t in ticks), strict=True):
        for a, b, cost in ((u, v, there), (v, u, back)):
            if cost >= 0:
                arcs.setdefault(a, []).append((b, cost))
    seeds = {}
    for node, cost in ((made.edge_u[home[0]], start.to_u[0]), (made.edge_v[home[0]], start.to_v[0])):
        seeds[int(node)] = min(int(cost), seeds.get(int(node), int(cost)))
    at = dijkstra(arcs, seeds)
    found = math.inf
    for k, edge in enumerate(doors.edge.tolist()):
        for node, more in ((made.edge_u[edge], goal.from_u[k]), (made.edge_v[edge], goal.from_v[k])):
            if more >= 0:
                found = min(found, at.get(int(node), math.inf) + int(more))
        if edge == home[0]:
            found = min(found, abs(int(goal.forth[k]) - int(start.forth[0])))
    truth = walk(ways, node_tags, home, door, policy)
    if not at_gate:
        assert found == truth
    else:
        assert found >= truth


@settings(max_examples=100, deadline=None)
@given(estates())
def test_what_is_let_in_less_walks_no_less(estate):
    walks = [walk(*estate[1:], policy) for policy in POLICIES]
    assert walks == sorted(walks)


@settings(max_examples=100, deadline=None)
@given(estates())
def test_copies_stand_where_their_originals_do(estate):
    n, ways, node_tags, *_ = estate
    world = World(n, [(u, v, length, 0, 0) for u, v, length, _ in ways], [], [], 0, [])
    network = world.network().changed(private=np.array([way[3] for way in ways]))
    made = gates.doubled(gates.taken_apart(network, {node + 100: said for node, said in node_tags.items()}, {}))
    assert len(set(made.edge_id)) == made.n_edges
    assert len(set(made.node_id)) == made.n_nodes
    assert made.streets.length_m.sum() == network.length_m.sum()
    assert made.n_places == network.n_places
    own = made.edge_same
    assert (made.node_same[made.edge_u] == made.node_same[made.edge_u[own]]).all()
    assert (made.node_same[made.edge_v] == made.node_same[made.edge_v[own]]).all()
    assert (made.length_m == made.length_m[own]).all()
