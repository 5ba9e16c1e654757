"""Lanes in plain numpy, so that the kernels run as Python: for debuggers, and to see which of their lines tests reach.

Run as a program with ``NUMBA_DISABLE_JIT=1``, it compares every product with the slow twins on a few worlds.
"""

import math
import sys

import numpy as np
from hypothesis import given, seed, settings
from hypothesis.strategies import sampled_from
from oracles import bellman_ford, extent
from strategies import worlds

from lifecircle.reach import kernels


def load(array, row):
    """Read a row of lanes."""
    return array[_place(array, row)].copy()


def store(array, row, value):
    """Write a row of lanes."""
    array[_place(array, row)] = value


def _place(array, row):
    count = kernels.ROW_BYTES // array.itemsize
    assert 0 <= row < len(array) // count, "a row beyond the room"
    return slice(int(row) * count, (int(row) + 1) * count)


def spread(like, value):
    """Put one number into every lane."""
    assert 0 <= value <= np.iinfo(like.dtype).max, "a lane cannot hold it"
    return np.full(kernels.ROW_BYTES // like.itemsize, value, like.dtype)


def plus(a, b):
    """Add, saturating."""
    top = np.iinfo(a.dtype).max
    return np.where(a > top - b, top, a + np.minimum(b, top - a)).astype(a.dtype)


def minus(a, b):
    """Subtract, not below zero."""
    return np.where(a > b, a - np.minimum(a, b), 0).astype(a.dtype)


def add(a, b):
    """Add what is known to fit."""
    assert (plus(a, b) == a + b).all(), "a sum overflowed"
    return a + b


def nearer(a, b, mine, theirs):
    """Say whose is the lower, the lower name where they are equal."""
    return np.where(a < b, mine, np.where(a > b, theirs, np.minimum(mine, theirs)))


def fetch(array, place):
    """See that what is asked for is there."""
    assert 0 <= place < array.size, "a place beyond the room"


PLAIN = {
    "load": load, "store": store, "spread": spread, "plus": plus, "minus": minus, "add": add, "nearer": nearer,
    "either": np.bitwise_or, "differ": np.bitwise_xor, "least": np.minimum,
    "pick": lambda a, limit, value: np.where(a <= limit, value, 0).astype(a.dtype),
    "within": lambda a, b: (a <= b).astype(a.dtype), "some": lambda a: bool(a.any()), "fetch": fetch,
}  # fmt: skip


def main():
    """Compare all products on drawn worlds."""
    for name, plain in PLAIN.items():
        setattr(kernels, name, plain)
    from test_search import doubled, fields, ground_of, walk

    from lifecircle.reach.search import extent_of_nodes, field, nearest_from_nodes

    @given(world=worlds())
    @settings(max_examples=int(sys.argv[1]), deadline=None, database=None)
    @seed(3)
    def compare(world):
        for how in ({}, {"most": 0, "room": 1}, {"most": 2, "largest": 2, "wide": True}):
            made = walk(world, **how)
            reach_r, reach = made.extent_and_nearest()
            pairs = made.pairs()
            for home, (ticks, joins) in enumerate(fields(world)):
                assert (reach_r.nodes[home], reach_r.street[home]) == extent(world.edges, ticks, joins, world.cutoff)
                assert pairs.ptr[home + 1] - pairs.ptr[home] == len(
                    set(pairs.facility[pairs.ptr[home] : pairs.ptr[home + 1]])
                )
            if len(pairs.ticks):
                home = int(np.flatnonzero(np.diff(pairs.ptr))[0])
                first = int(pairs.facility[pairs.ptr[home]])
                nearest = min(reach.ticks[s, home] for s in world.doors[first][0])
                assert nearest == pairs.ticks[pairs.ptr[home]]
        network = world.network()
        lane = world.lane(network)
        for most in (5, 0):
            ground = ground_of(world, network, lane, most=most)
            every = extent_of_nodes(ground, world.cutoff, threads=1)
            arcs = [(u, v, uv) for u, v, _, uv, _ in world.edges if uv >= 0]
            arcs += [(v, u, vu) for u, v, _, _, vu in world.edges if vu >= 0]
            ticks, _ = nearest_from_nodes(ground, np.arange(world.n), np.arange(world.n) % 2, 2, world.cutoff)
            for node in range(world.n):
                costs = bellman_ford(world.n, arcs, [(node, 0)], world.cutoff)
                assert every.nodes[node] == sum(cost < math.inf for cost in costs)
                for service in range(2):
                    assert ticks[service, node] == min(costs[service::2], default=math.inf)
        if world.homes and world.homes[0]:
            alone = world.__class__(world.n, world.edges, world.homes[:1], world.doors, world.cutoff, world.thresholds)
            found = field(network, alone.lane(network), alone.joins(alone.homes))
            assert found.ticks.tolist() == next(iter(fields(alone)))[0]

    @given(drawn=doubled(), how=sampled_from([{}, {"most": 0, "room": 1}, {"most": 2, "largest": 2, "wide": True}]))
    @settings(max_examples=int(sys.argv[1]), deadline=None, database=None)
    @seed(3)
    def compare_twice(drawn, how):
        world, *same = drawn
        got = walk(world, node_same=np.array(same[0]), edge_same=np.array(same[1]), **how).extent()
        for home, (ticks, joins) in enumerate(fields(world)):
            assert (got.nodes[home], got.street[home]) == extent(world.edges, ticks, joins, world.cutoff, *same)

    compare()
    compare_twice()


if __name__ == "__main__":
    main()
