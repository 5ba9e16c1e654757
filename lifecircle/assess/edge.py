"""The edge of the world: answers that depend on what lies beyond the data or the boundary, and islands."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import shapely
from numpy.typing import NDArray

from lifecircle.model.cells import JUDGED, PEOPLE, Cells
from lifecircle.model.facilities import Facilities, joins_of
from lifecircle.model.network import Network
from lifecircle.model.snapping import Joins, Legs
from lifecircle.profiles import TICKS, Profile
from lifecircle.reach.search import search
from lifecircle.standards import Standard

if TYPE_CHECKING:
    from lifecircle.assess.coverage import Coverage

_ROUND = 1.01  # a drawn circle is a polygon a little inside it
_TOUCH_M = 1.0  # what is left of a circle within this of the box's side reaches it: projecting moves sides by less


def at_edge(
    cells: Cells, ticks: NDArray[np.float64], limit: NDArray[np.float64], standard: Standard,
    profiles: dict[str, Profile],
) -> NDArray[np.bool_]:  # fmt: skip
    """Judged cells of which an answer could be another if there were data beyond the box of the streets, (n,) bool.

    A need that is not met could be met by a facility within the threshold, and one that is met could have a nearer
    facility: so a cell is at the edge if the box's side is nearer, as the crow flies at top speed, than the shorter of
    the walk found and the threshold. A hard barrier stops that: where nothing of the box's side is joined to the cell
    within a circle of that radius, once the barriers are cut out of it, no walk so short leads there.

    Parameters
    ----------
    ticks : (n_services, n_points) float64
        Ticks from each access point to the nearest facility of each service; inf where none was found.
    limit : (n_services, n_points) float64
        What each walk is held to, s or m.
    """
    far_m = np.zeros(len(cells.starts))
    for ix, service in enumerate(standard.services.values()):
        walk = np.minimum(ticks[ix] / TICKS, limit[ix])
        far_m = np.maximum(far_m, walk * profiles[service.profile].top_speed)
    far_m = np.maximum.reduceat(far_m, cells.starts.first)
    edge = (cells.to_edge_m <= far_m) & np.isin(cells.status, JUDGED)
    if cells.region.hard_barriers and edge.any():
        near = np.flatnonzero(edge)
        edge[near] = ~_cut_off(cells, near, far_m[near])
    return edge


def _cut_off(cells: Cells, chosen: NDArray[np.int64], far_m: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Say which cells hard barriers keep from the box's sides, (n_chosen,) bool."""
    region = cells.region
    box = region.project_outline(shapely.box(*cells.extent))
    barred = shapely.union_all([region.project_outline(shape) for shape in region.hard_barriers])
    free = shapely.difference(box, barred)
    centre = shapely.centroid(shapely.polygons(cells.corners[chosen]))
    around = shapely.intersection(shapely.buffer(centre, far_m * _ROUND), free)
    part, owner = shapely.get_parts(around, return_index=True)
    own = shapely.intersects(part, centre[owner])
    part, owner = part[own], owner[own]
    cut = np.zeros(len(chosen), dtype=bool)
    cut[owner] = True  # a cell inside a barrier, or beyond the box, stays flagged
    cut[owner[shapely.dwithin(part, shapely.boundary(box), _TOUCH_M)]] = False
    return cut


def met_inside(coverage: "Coverage", *, threads: int | None = None) -> NDArray[np.int8] | None:
    """Verdicts where only facilities inside the boundary count; None where none lies outside.

    Only a cell whose nearest facility lies outside is walked from again, and no farther than the thresholds: any other
    verdict stays as it is.
    """
    facilities, cells = coverage.facilities, coverage.cells
    outside = facilities.outside
    if not outside.any():
        return None
    met = coverage.point_met.copy()
    doubtful = (met == 1) & outside[np.maximum(coverage.point_nearest, 0)]
    met[doubtful] = 0
    inside = facilities.only(~outside)
    if len(inside) == 0:
        return met
    limit = np.floor(coverage.point_limit * TICKS).astype(np.int64)
    for name, lane in coverage.lanes.items():
        rows = [ix for ix, key in enumerate(coverage.keys) if coverage.cost_of(key) == name and doubtful[ix].any()]
        if not rows:
            continue
        again = doubtful[rows].any(axis=0)
        walked = replace(
            lane,
            homes=_legs_of(lane.homes, cells.joins, again),
            doors=_legs_of(lane.doors, facilities.joins, ~outside),
            cutoff=int(limit[rows][:, again].max()),
        )
        reach = search(
            coverage.network, walked, joins_of(cells.joins, again), inside, n_cells=int(again.sum()),
            thresholds=dict.fromkeys(rows, (0,)), threads=threads,
        )  # fmt: skip
        for row, ix in enumerate(reach.services):
            there = reach.ticks[row] <= limit[ix, again]
            met[ix, again] = np.where(doubtful[ix, again], there, met[ix, again])
    return met


def _legs_of(legs: Legs, joins: Joins, chosen: NDArray[np.bool_]) -> Legs:
    kept = chosen[joins.place]
    return Legs(*(getattr(legs, name)[kept] for name in Legs.__dataclass_fields__))


@dataclass(frozen=True)
class Island:
    """A connected part of the network other than the largest.

    Attributes
    ----------
    node_id : int
        Lowest OSM node id on it: its name, the same in every run on the same data.
    cells, people : int, float or None
        Those who can join nothing else; people are None where nobody knows.
    facilities : int
        Those with an entrance on it.
    lon, lat : float, degrees
        Where that node is.
    """

    node_id: int
    nodes: int
    street_km: float
    cells: int
    people: float | None
    facilities: int
    lon: float
    lat: float

    @property
    def used(self) -> bool:
        """Whether somebody lives on it, or something to walk to stands there."""
        return bool(self.cells or self.facilities)


def islands(network: Network, cells: Cells, facilities: Facilities) -> list[Island]:
    """Every part of the network cut off from the largest: those with most people first, then by street length."""
    n = int(network.component.max()) + 1
    part = network.component[network.edge_u]
    street_m = np.bincount(part, weights=np.where(network.own, network.length_m, 0.0), minlength=n)
    single = network.node_same == np.arange(network.n_nodes)
    nodes = np.bincount(network.component[single], minlength=n)
    first = np.full(n, network.n_nodes, dtype=np.int64)
    np.minimum.at(first, network.component, np.arange(network.n_nodes))  # node ids ascend
    joins = cells.joins
    home, points = part[joins.edge], cells.starts
    lowest, highest = np.full(len(points), n), np.full(len(points), -1)
    np.minimum.at(lowest, joins.place, home)
    np.maximum.at(highest, joins.place, home)
    bound = np.flatnonzero(lowest == highest)
    n_cells = np.bincount(lowest[np.intersect1d(bound, points.first)], minlength=n)
    people = np.zeros(n, dtype=np.int64)
    if points.people is not None:
        np.add.at(people, lowest[bound], points.people[bound])
    doors = np.unique(np.stack([part[facilities.joins.edge], facilities.joins.place]), axis=1)[0]
    n_doors = np.bincount(doors, minlength=n)
    found = [
        Island(
            node_id=int(network.node_id[first[ix]]),
            nodes=int(nodes[ix]),
            street_km=round(float(street_m[ix]) / 1000, 3),
            cells=int(n_cells[ix]),
            people=None if cells.people is None else int(people[ix]) / PEOPLE,
            facilities=int(n_doors[ix]),
            lon=round(float(network.node_lon[first[ix]]), 6),
            lat=round(float(network.node_lat[first[ix]]), 6),
        )
        for ix in range(1, n)
    ]
    return sorted(found, key=lambda i: (-(i.people or 0), -i.cells, -i.facilities, -i.street_km, i.node_id))
