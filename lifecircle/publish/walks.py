"""The network and its joins as a page walks them: the run's own ticks, so that page and engine agree exactly."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from lifecircle.assess.coverage import Coverage
from lifecircle.model.network import OUT, Network
from lifecircle.profiles import TICKS, Profile
from lifecircle.reach.products import Lane

NONE = -1
_STEP_DEG = 1e-6


@dataclass(frozen=True, eq=False, repr=False)
class Walks:
    """What a page needs to walk from any home.

    Streets stand first among the edges, in the order of the scene's street lines; passages and copies follow.

    Attributes
    ----------
    u, v : (n_edges,) int64
        End nodes, numbered as the edges meet them.
    line : (n_edges,) int64
        The street line an edge is drawn as; -1 for a passage.
    costs : list of dict
        Per cost ``name``, ``unit``, ``cutoff`` (ticks), ``uv`` and ``vu`` (n_edges,) ticks, -1 closed, and of ``homes``
        and ``doors`` the joins' ``leg``, ``forth`` and ``back`` in ticks, -1 closed.
    home_point, home_edge, home_rank, home_share : (n_homes,) int64
        Access point, edge and place on it: its rank among all joins of the edge, and in thousandths of the edge.
    door_facility, door_edge, door_rank, door_share : (n_doors,) int64
    point_cell : (n_points,) int64
        The cell of each access point; of a cell the first is its main one.
    point_people : (n_points,) int64 or None
        Multiples of 1/1024 person.
    point_met : (n_services, n_points) int64
        1 met, 0 not met, -1 unknown.
    service_cost : (n_services,) int64
        The cost each service is measured in.
    facility_rows : (n_facilities,) int64
        How many rows each facility has among the scene's facilities: one for each service it gives.
    facility_id : list of str
    gate_node : (n_gates,) int64
        OSM nodes of gates that are not open to all.
    gate_lonlat : (n_gates, 2) float64, degrees
    gate_links : (n_gates,) int64
        How many links of no length each would be, were it open.
    link_a, link_b : (n_links,) int64
        The nodes these links join.
    """

    u: NDArray[np.int64]
    v: NDArray[np.int64]
    line: NDArray[np.int64]
    costs: list[dict[str, Any]]
    home_point: NDArray[np.int64]
    home_edge: NDArray[np.int64]
    home_rank: NDArray[np.int64]
    home_share: NDArray[np.int64]
    door_facility: NDArray[np.int64]
    door_edge: NDArray[np.int64]
    door_rank: NDArray[np.int64]
    door_share: NDArray[np.int64]
    point_cell: NDArray[np.int64]
    point_people: NDArray[np.int64] | None
    point_met: NDArray[np.int64]
    service_cost: NDArray[np.int64]
    facility_rows: NDArray[np.int64]
    facility_id: list[str]
    gate_node: NDArray[np.int64]
    gate_lonlat: NDArray[np.float64]
    gate_links: NDArray[np.int64]
    link_a: NDArray[np.int64]
    link_b: NDArray[np.int64]

    @classmethod
    def of(cls, coverage: Coverage, further: Sequence[tuple[Profile, Lane]] = ()) -> "Walks":
        """Lay out a run.

        Parameters
        ----------
        further : sequence of (Profile, Lane)
            Costs beside those the services are measured in, on the same joins.
        """
        network, cells, facilities = coverage.network, coverage.cells, coverage.facilities
        ends = np.column_stack([network.edge_u, network.edge_v]).ravel()
        ends_at, first, inverse = np.unique(ends, return_index=True, return_inverse=True)
        number = np.argsort(np.argsort(first, kind="stable"), kind="stable")
        met = number[inverse.ravel()].reshape(-1, 2).astype(np.int64)
        homes, doors = cells.joins, facilities.joins
        names = list(dict.fromkeys(coverage.cost_of(key) for key in coverage.keys))
        walkers = [coverage.profiles[name] for name in names] + [walker for walker, _ in further]
        lanes = [coverage.lanes[name] for name in names] + [lane for _, lane in further]
        place, a, b = gates(network)
        gate, links = np.unique(place, return_counts=True)
        rank = _ranks(np.concatenate([homes.edge, doors.edge]), np.concatenate([homes.offset_m, doors.offset_m]))

        def share(edge: NDArray[np.int32], offset_m: NDArray[np.float64]) -> NDArray[np.int64]:
            length = network.length_m[edge]
            part = np.divide(offset_m, length, out=np.zeros(len(edge)), where=length > 0)
            return np.asarray(np.rint(1000 * np.clip(part, 0.0, 1.0)), dtype=np.int64)

        return cls(
            u=met[:, 0], v=met[:, 1],
            line=np.where(network.own[network.edge_same], network.edge_same, NONE).astype(np.int64),
            costs=[
                {
                    "name": lane.name, "unit": lane.unit, "cutoff": lane.cutoff,
                    "title": walker.title, "title_zh": walker.title_zh, "per_m": TICKS / walker.level_speed,
                    "uv": lane.ticks_uv, "vu": lane.ticks_vu,
                    "homes": {part: getattr(lane.homes, part) for part in ("leg", "forth", "back")},
                    "doors": {part: getattr(lane.doors, part) for part in ("leg", "forth", "back")},
                }
                for lane, walker in zip(lanes, walkers, strict=True)
            ],
            home_point=homes.place.astype(np.int64), home_edge=homes.edge.astype(np.int64),
            home_rank=rank[: len(homes.edge)], home_share=share(homes.edge, homes.offset_m),
            door_facility=doors.place.astype(np.int64), door_edge=doors.edge.astype(np.int64),
            door_rank=rank[len(homes.edge) :], door_share=share(doors.edge, doors.offset_m),
            point_cell=cells.starts.cell.astype(np.int64),
            point_people=None if cells.starts.people is None else cells.starts.people.astype(np.int64),
            point_met=coverage.point_met.astype(np.int64),
            service_cost=np.array([names.index(coverage.cost_of(key)) for key in coverage.keys], dtype=np.int64),
            facility_rows=np.array([len(served) for served in facilities.services], dtype=np.int64),
            facility_id=facilities.facility_id.tolist(),
            gate_node=network.node_id[gate],
            gate_lonlat=np.column_stack([network.node_lon[gate], network.node_lat[gate]]),
            gate_links=links.astype(np.int64),
            link_a=number[np.searchsorted(ends_at, a)].astype(np.int64),
            link_b=number[np.searchsorted(ends_at, b)].astype(np.int64),
        )  # fmt: skip

    def payload(self, pack: Any) -> dict[str, Any]:
        """Pack for a page: ``pack(values, delta=)`` makes JSON of whole numbers."""

        def joins(side: str) -> dict[str, Any]:
            whose = "point" if side == "home" else "facility"
            parts = {name: getattr(self, f"{side}_{name}") for name in (whose, "edge", "rank", "share")}
            return {name: pack(values, delta=name in {whose, "edge"}) for name, values in parts.items()}

        return {
            "ticks": TICKS,
            "u": pack(self.u),
            "span": pack(self.v - self.u, delta=False),
            "line": pack(self.line - np.arange(len(self.line)), delta=True),
            "costs": [
                {
                    **{key: cost[key] for key in ("name", "title", "title_zh", "unit", "cutoff", "per_m")},
                    "uv": pack(cost["uv"], delta=False),
                    "more": pack(cost["vu"].astype(np.int64) - cost["uv"], delta=False),
                    **{
                        side: {part: pack(values, delta=False) for part, values in cost[side].items()}
                        for side in ("homes", "doors")
                    },
                }
                for cost in self.costs
            ],
            "homes": joins("home"),
            "doors": joins("door"),
            "point_cell": pack(self.point_cell),
            "point_people": None if self.point_people is None else pack(self.point_people, delta=False),
            "point_met": pack(self.point_met, delta=False),
            "service_cost": self.service_cost.tolist(),
            "facility_rows": pack(self.facility_rows, delta=False),
            "facility_id": self.facility_id,
            "gates": {
                "node": self.gate_node.tolist(),
                "x": pack(np.rint(self.gate_lonlat[:, 0] / _STEP_DEG)),
                "y": pack(np.rint(self.gate_lonlat[:, 1] / _STEP_DEG)),
                "step": _STEP_DEG,
                "links": pack(self.gate_links, delta=False),
                "a": pack(self.link_a),
                "b": pack(self.link_b),
            },
        }  # fmt: skip


def gates(network: Network) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Find what links an opened gate would be: of no length, and free both ways.

    A gate of private ground, or where private ways begin, may be left by those who live there: open, it is entered
    by all, who then walk on over the ground. A gate shut to all parts the ways that meet at it: open, it joins them.

    Returns
    -------
    place : (n_links,) int64, ascending
        The lowest node that stands where the gate does.
    a, b : (n_links,) int64
        Nodes that an open gate joins.
    """
    out = np.flatnonzero(network.role == OUT)
    same = network.node_same
    u, v = network.edge_u, network.edge_v
    found = [(same[v[out]], u[out], v[out])]
    # Ways stand at several nodes of one place: what no passage joins there is shut.
    stands = np.unique(np.concatenate([u[network.own], v[network.own]]))
    several = np.bincount(same[stands], minlength=network.n_nodes) > 1
    stands = stands[several[same[stands]]]
    bridges = network.passage & several[same[u]]
    graph = coo_matrix(
        (np.ones(int(bridges.sum()), dtype=np.int8), (u[bridges], v[bridges])), shape=(network.n_nodes,) * 2
    )
    part = connected_components(graph, directed=False)[1][stands]
    order = np.lexsort((stands, part, same[stands]))
    stands, part = stands[order], part[order]
    first = np.diff(same[stands], prepend=-1) != 0
    other = ~first & (np.diff(part, prepend=-1) != 0)
    lead = stands[first][np.cumsum(first) - 1] if len(stands) else stands
    found.append((same[stands[other]], lead[other], stands[other]))
    place, a, b = (np.concatenate(column).astype(np.int64) for column in zip(*found, strict=True))
    order = np.lexsort((b, a, place))
    return place[order], a[order], b[order]


def _ranks(edge: NDArray[np.int32], offset_m: NDArray[np.float64]) -> NDArray[np.int64]:
    """Rank the places on each edge from u to v; equal offsets share a rank."""
    order = np.lexsort((offset_m, edge))
    edge, offset_m = edge[order], offset_m[order]
    new_edge = np.diff(edge, prepend=-1) != 0
    step = (np.diff(offset_m, prepend=0.0) != 0) & ~new_edge
    upto = np.cumsum(step)
    base = upto[np.flatnonzero(new_edge)][np.cumsum(new_edge) - 1] if len(edge) else upto
    rank = np.empty(len(edge), dtype=np.int64)
    rank[order] = upto - base
    return rank
