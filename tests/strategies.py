"""Small worlds drawn by hypothesis: a network with odd shapes, homes and entrances anywhere on its edges."""

from dataclasses import dataclass

import numpy as np
from hypothesis import strategies as st

from lifecircle.model.facilities import Facilities
from lifecircle.model.network import Network
from lifecircle.model.snapping import Joins, price
from lifecircle.profiles import Profile
from lifecircle.reach.products import Lane
from lifecircle.region import Region

REGION = Region.from_bbox((9.0, 45.0, 9.1, 45.1), name="drawn")
WALKER = Profile.model_validate(
    {
        "schema": 1, "name": "walker", "title": "w", "title_zh": "w", "unit": "s",
        "speed_mps": {"value": 1.0, "source": "test", "status": "verified"},
    }
)  # fmt: skip


@dataclass
class World:
    """A drawn world: plain lists, from which the nouns are made."""

    n: int
    edges: list  # (u, v, length_m, ticks_uv or -1, ticks_vu or -1)
    homes: list  # per home: list of (edge, share, leg_m)
    doors: list  # per facility: (services, list of (edge, share, leg_m))
    cutoff: int
    thresholds: list

    def network(self):
        u, v, length = (np.array([edge[k] for edge in self.edges]) for k in range(3))
        count = len(self.edges)
        return Network(
            node_id=np.arange(self.n, dtype=np.int64) + 100,
            node_lon=np.full(self.n, 9.05),
            node_lat=np.full(self.n, 45.05),
            edge_u=u.astype(np.int32),
            edge_v=v.astype(np.int32),
            node_same=np.arange(self.n, dtype=np.int32),
            edge_id=np.array([f"{edge}:0" for edge in range(count)], dtype=object),
            edge_way=np.arange(count, dtype=np.int64),
            edge_same=np.arange(count, dtype=np.int32),
            length_m=length.astype(np.float64),
            kind=np.full(count, "footway", dtype=object),
            steps=np.zeros(count, dtype=bool),
            private=np.zeros(count, dtype=bool),
            aloft=np.zeros(count, dtype=bool),
            tags=np.array([{}] * count, dtype=object),
            one_way=np.zeros(count, dtype=np.int8),
            role=np.zeros(count, dtype=np.int8),
            passage=np.zeros(count, dtype=bool),
            offsets=np.arange(count + 1, dtype=np.int64) * 2,
            lon=np.full(2 * count, 9.05),
            lat=np.full(2 * count, 45.05),
            region=REGION,
        )

    def ticks(self):
        return tuple(np.array([edge[k] for edge in self.edges], dtype=np.int32) for k in (3, 4))

    def joins(self, places):
        rows = [(p, k, *join) for p, joins in enumerate(places) for k, join in enumerate(joins)]
        edge = np.array([row[2] for row in rows], dtype=np.int32)
        length = np.array([self.edges[e][2] for e in edge], dtype=np.float64)
        share = np.array([row[3] for row in rows], dtype=np.float64)
        return Joins(
            np.array([row[0] for row in rows], dtype=np.int32),
            np.array([row[1] for row in rows], dtype=np.int32),
            edge,
            share * length,
            np.array([row[4] for row in rows], dtype=np.float64),
        )

    def facilities(self):
        joins = self.joins([joins for _, joins in self.doors])
        n, k = len(self.doors), len(joins)
        return Facilities(
            service_keys=tuple(f"s{ix}" for ix in range(len(self.thresholds))),
            facility_id=np.array([f"n{ix:03d}" for ix in range(n)], dtype=object),
            services=tuple(services for services, _ in self.doors),
            name=np.full(n, "", dtype=object),
            capacity=np.full(n, np.nan),
            tags=np.array([{}] * n, dtype=object),
            floor_m2=np.full(n, np.nan),
            opens=np.full(n, np.nan),
            closes=np.full(n, np.nan),
            shape=np.full(n, None, dtype=object),
            extent=np.full(n, None, dtype=object),
            merged=np.full(n, "", dtype=object),
            joins=joins,
            join_kind=np.full(k, "nearest", dtype=object),
            join_evidence=np.full(k, "", dtype=object),
            join_tags=np.array([{}] * k, dtype=object),
            region=REGION,
        )

    def lane(self, network, ticks=None, profile=WALKER, cutoff=None):
        ticks = ticks or self.ticks()
        homes, doors = self.joins(self.homes), self.facilities().joins
        return Lane(
            "walker", "s", *ticks,
            homes=price(homes, network, ticks, profile), doors=price(doors, network, ticks, profile),
            cutoff=self.cutoff if cutoff is None else cutoff,
        )  # fmt: skip


@st.composite
def worlds(draw, directed=True):
    """Networks of up to 12 nodes: parallel edges, loops, edges of no length or no cost, closed directions, none at all."""
    n = draw(st.integers(1, 12))
    shape = draw(st.sampled_from(["any", "star", "chain"]))
    count = draw(st.integers(1, 20))
    edges = []
    for k in range(count):
        if shape == "star":
            u, v = 0, min(k + 1, n - 1)
        elif shape == "chain":
            u, v = min(k, n - 1), min(k + 1, n - 1)
        else:
            u, v = draw(st.integers(0, n - 1)), draw(st.integers(0, n - 1))
        length = draw(st.sampled_from([0.0, 0.5, 7.25, 31.0, 100.0, 333.3]))
        forth = int(length * 32 + 0.5)
        back = draw(st.sampled_from([forth, forth, forth + 7, 2 * forth, 30 * forth, 0, 1, -1])) if directed else forth
        forth = draw(st.sampled_from([forth, forth, forth, 30 * forth, 0, -1])) if directed else forth
        if not directed and draw(st.integers(0, 5)) == 0:
            forth = back = -1
        edges.append((u, v, length, forth, back))
    position = st.tuples(
        st.integers(0, count - 1),
        st.sampled_from([0.0, 0.1, 0.25, 0.37, 0.5, 0.9, 1.0]),
        st.sampled_from([0.0, 0.01, 3.0, 40.0]),
    )
    homes = draw(st.lists(st.lists(position, max_size=3), min_size=1, max_size=6))
    n_services = draw(st.integers(1, 3))
    serving = st.lists(st.integers(0, n_services - 1), min_size=1, max_size=3, unique=True).map(
        lambda s: tuple(sorted(s))
    )
    doors = draw(st.lists(st.tuples(serving, st.lists(position, max_size=4)), min_size=1, max_size=8))
    cutoff = draw(st.sampled_from([0, 31, 1000, 6400, 28_800, 57_600]))
    thresholds = [draw(st.integers(0, cutoff)) for _ in range(n_services)]
    return World(n, edges, homes, doors, cutoff, thresholds)
