"""Gaps: clusters of neighbouring cells that lack a service for one cause, with the people in them."""

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy import ndimage

from lifecircle.assess.capacity import Capacity
from lifecircle.assess.coverage import MET, NOT_MET, Coverage
from lifecircle.model.barriers import Barriers
from lifecircle.model.cells import PEOPLE, STATUS
from lifecircle.profiles import TICKS

if TYPE_CHECKING:
    import geopandas as gpd

NEAR_MISS = 1.2
"""A walk of at most this many times the threshold is a near miss."""

DETOUR = 1.5
"""A walk more than this many times the crow's flight has a reason: 1.2 to 1.4 is what street networks ask."""

CAUSES = {
    "near_miss": "A facility is at most 20 % beyond the threshold.",
    "gate": "A facility is within the threshold only through private ways or gates that are not open to all.",
    "doubtful": "The data may be at fault: the way from here is cut off from the rest, or the data ends nearby.",
    "severed": "A facility lies within the threshold as the crow flies, but no walk that short leads to it.",
    "none_near": "No facility lies within the threshold even as the crow flies.",
    "over_capacity": "A facility is within the threshold, but offers too little for all who can reach it.",
}
"""Causes; each cell has the first that holds. In the last the distance is kept, the norm is not."""


@dataclass(frozen=True)
class Gap:
    """One cluster of cells that lack one service.

    Attributes
    ----------
    service, cause : str
    zone : str
        The zone that most of its people (or cells) share.
    barrier : str
        What lies between a severed cell and the nearest facility as the crow flies, for most of its people: ``water``,
        ``railway`` or ``motorway`` and its name; empty where there is none of these.
    detour : float or None
        How many times as long as the crow flies the walk to the nearest facility is, on average over its people; None
        where none is reached.
    cells : tuple of int
        Positions of its cells.
    people : float or None
    area_m2 : int
        Of the whole cells it lies in, also where only one of a cell's banks lacks the service.
    worst : float or None
        Longest walk in it, in the rule's unit; None where it is beyond the cutoff.
    geometry : shapely polygon, metre CRS
    """

    service: str
    zone: str
    cause: str
    barrier: str
    detour: float | None
    cells: tuple[int, ...]
    people: float | None
    area_m2: int
    worst: float | None
    geometry: Any


@dataclass(frozen=True, eq=False, repr=False)
class Gaps:
    """Every gap of a run: by service in the standard's order, then the largest first."""

    coverage: Coverage
    clusters: tuple[Gap, ...]

    @classmethod
    def find(
        cls, coverage: Coverage, barriers: Barriers | None = None, capacities: dict[str, Capacity] | None = None
    ) -> "Gaps":
        """Cluster the cells that lack a service for one cause: pixels that touch, at a corner too, are one gap.

        A cell lacks it where any of its access points does; the people of a gap are those of these points.

        Parameters
        ----------
        barriers : Barriers, optional
            What may sever a place from a facility.
        capacities : dict of Capacity, optional
            Norms; where one is known not to be kept though a facility is in reach, that is a gap too.
        """
        found: list[Gap] = []
        polygons = coverage.cells.polygons()
        places = np.asarray(shapely.points(coverage.cells.starts.xy), dtype=object)
        short: dict[int, NDArray[np.bool_]] = {}
        for norm in (capacities or {}).values():
            ix = coverage.keys.index(norm.rule.service or "")
            less = (norm.point_met == NOT_MET) & (coverage.point_met[ix] == MET)
            short.setdefault(ix, less)  # a standard's first norm of a service is its own; others stand beside it
        for ix in range(len(coverage.keys)):
            unmet = np.flatnonzero(coverage.point_met[ix] == NOT_MET)
            if len(unmet):
                cause, nearest, crow_m = _causes(coverage, ix, unmet, places[unmet])
                made = []
                for name in CAUSES:  # none of these is over capacity
                    mine = np.flatnonzero(cause == name)
                    if len(mine):
                        shape = coverage.facilities.extent[nearest[mine]]
                        between = np.full(len(mine), "", dtype=object)
                        if name == "severed" and barriers is not None:
                            round_ = np.flatnonzero(_ratio(coverage, ix, unmet[mine], crow_m[mine]) > DETOUR)
                            between[round_] = barriers.between(places[unmet[mine[round_]]], shape[round_])
                        made += _gaps(coverage, ix, unmet[mine], name, between, crow_m[mine], polygons)
                made.sort(key=lambda gap: (-(gap.people or 0), -gap.area_m2, gap.cells))
                found += made
            over = np.flatnonzero(short.get(ix, np.zeros(0, dtype=bool)))
            if len(over):
                shapes = coverage.facilities.extent[coverage.point_nearest[ix, over]]
                far_m = np.asarray(shapely.distance(places[over], shapes))
                nothing = np.full(len(over), "", dtype=object)
                full = _gaps(coverage, ix, over, "over_capacity", nothing, far_m, polygons)
                found += sorted(full, key=lambda gap: (-(gap.people or 0), -gap.area_m2, gap.cells))
        return cls(coverage, tuple(found))

    def __len__(self) -> int:
        return len(self.clusters)

    def of(self, service: str, *, over_capacity: bool = False) -> list[Gap]:
        """Gaps of a service: where it is not in reach, or where it is and offers too little."""
        return [
            gap for gap in self.clusters if gap.service == service and (gap.cause == "over_capacity") == over_capacity
        ]

    def to_geodataframe(self) -> "gpd.GeoDataFrame":
        """One row per gap, as ``gaps.parquet`` has it, in the metre CRS."""
        import geopandas as gpd

        rows = self.clusters
        return gpd.GeoDataFrame(
            {
                "service": np.array([gap.service for gap in rows], dtype=object),
                "people": np.array([np.nan if gap.people is None else gap.people for gap in rows], dtype=np.float64),
                "area_m2": np.array([gap.area_m2 for gap in rows], dtype=np.int64),
                "worst": np.array([np.nan if gap.worst is None else gap.worst for gap in rows], dtype=np.float32),
                "cause": np.array([gap.cause for gap in rows], dtype=object),
                "barrier": np.array([gap.barrier or None for gap in rows], dtype=object),
                "detour": np.array([np.nan if gap.detour is None else gap.detour for gap in rows], dtype=np.float64),
                "zone": np.array([gap.zone for gap in rows], dtype=object),
                "cells_n": np.array([len(gap.cells) for gap in rows], dtype=np.int32),
            },
            geometry=[gap.geometry for gap in rows],
            crs=self.coverage.cells.region.crs,
        )

    def _repr_html_(self) -> str:
        from lifecircle.assess.wording import people_text

        rows = "".join(
            f"<tr><td>{escape(gap.service)}</td><td>{people_text(gap.people)}</td><td>{escape(gap.zone)}</td>"
            f"<td>{escape(gap.cause)}</td></tr>"
            for gap in sorted(self.clusters, key=lambda gap: (-(gap.people or 0), -gap.area_m2))[:10]
        )
        head = "<tr><th>service</th><th>people</th><th>zone</th><th>cause</th></tr>"
        return f"<p>{len(self)} gaps, the ten largest:</p><table>{head}{rows}</table>"


def _clusters(coverage: Coverage, unmet: NDArray[np.int64]) -> NDArray[np.int64]:
    """Say which cluster each unmet access point is in, (len(unmet),) counted from 0."""
    cell = coverage.cells.starts.cell[unmet]
    row, column = coverage.cells.row[cell], coverage.cells.column[cell]
    row, column = row - row.min(), column - column.min()
    grid = np.zeros((row.max() + 1, column.max() + 1), dtype=bool)
    grid[row, column] = True
    label, _ = ndimage.label(grid, structure=np.ones((3, 3)))
    return np.asarray(label[row, column], dtype=np.int64) - 1


def _causes(
    coverage: Coverage, service: int, unmet: NDArray[np.int64], places: NDArray[np.object_]
) -> tuple[NDArray[np.object_], NDArray[np.int64], NDArray[np.float64]]:
    """Cause of each unmet access point, the facility nearest as the crow flies, and how far it is."""
    key = coverage.keys[service]
    rule = coverage.standard.services[key]
    limit = coverage.point_limit[service, unmet]
    profile, lane = coverage.profiles[rule.profile], coverage.lanes[rule.profile]
    uv, vu = lane.ticks_uv, lane.ticks_vu
    level = bool(((uv == vu) | (uv < 0) | (vu < 0)).all())
    crow_m = limit * (profile.level_speed if level else profile.top_speed)
    facilities, cells = coverage.facilities, coverage.cells
    giving = np.flatnonzero([service in given for given in facilities.services])
    tree = shapely.STRtree(facilities.extent[giving])
    place, found = tree.query_nearest(places, all_matches=True)
    order = np.lexsort((found, place))
    nearest = giving[found[order][np.flatnonzero(np.diff(place[order], prepend=-1))]]
    far_m = np.asarray(shapely.distance(places, facilities.extent[nearest]))
    point_cell = cells.starts.cell[unmet]
    opened = coverage.point_met_under.get("open")
    tests = {
        "near_miss": coverage.point_ticks[service, unmet] <= limit * TICKS * NEAR_MISS,
        "gate": np.zeros(len(unmet), dtype=bool) if opened is None else opened[service, unmet] == MET,
        "doubtful": coverage.on_scraps[point_cell],
        "severed": far_m <= crow_m,
    }
    # Where nothing is near even as the crow flies, the data's edge leaves room for doubt.
    cause = np.where(cells.status[point_cell] == STATUS.index("edge"), "doubtful", "none_near").astype(object)
    for name in reversed(tests):
        cause[tests[name]] = name
    return cause, nearest, far_m


def _gaps(
    coverage: Coverage, service: int, unmet: NDArray[np.int64], cause: str, between: NDArray[np.object_],
    crow_m: NDArray[np.float64], polygons: NDArray[np.object_],
) -> list[Gap]:  # fmt: skip
    """Every cluster of the access points that lack a service for one cause, in any order."""
    cells, starts, cluster = coverage.cells, coverage.cells.starts, _clusters(coverage, unmet)
    order = np.argsort(cluster, kind="stable")
    first = np.flatnonzero(np.diff(cluster[order], prepend=-1))
    weight = starts.share[unmet] if starts.people is None else starts.people[unmet].astype(np.float64)
    zones = np.array([zone.key for zone in cells.region.zones], dtype=object)[cells.zone[starts.cell[unmet]]]
    inner = unmet[order]
    people = None if starts.people is None else (np.add.reduceat(starts.people[inner], first) / PEOPLE).tolist()
    worst = (np.maximum.reduceat(coverage.point_ticks[service, inner], first) / TICKS).tolist()
    groups = [np.unique(starts.cell[points]) for points in np.split(inner, first[1:])]
    area_m2 = [int(cells.area_m2[group].sum()) for group in groups]
    zone = _most(zones, weight, cluster)
    barrier = _most(between, weight, cluster)
    detour = _detours(coverage, service, unmet, weight, crow_m, cluster)
    return [
        Gap(
            service=coverage.keys[service],
            zone=zone[ix],
            cause=cause,
            barrier=barrier[ix],
            detour=detour[ix] if np.isfinite(detour[ix]) else None,
            cells=tuple(group.tolist()),
            people=None if people is None else people[ix],
            area_m2=area_m2[ix],
            worst=worst[ix] if np.isfinite(worst[ix]) else None,
            geometry=polygons[group[0]] if len(group) == 1 else shapely.coverage_union_all(polygons[group]),
        )
        for ix, group in enumerate(groups)
    ]


def _ratio(
    coverage: Coverage, service: int, unmet: NDArray[np.int64], crow_m: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Walk at the speed on the flat over the crow's flight, (len(unmet),); inf where nothing is reached."""
    profile = coverage.profiles[coverage.cost_of(coverage.keys[service])]
    walk_m = coverage.point_ticks[service, unmet] / TICKS * profile.level_speed
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(walk_m / crow_m)


def _detours(
    coverage: Coverage, service: int, unmet: NDArray[np.int64], weight: NDArray[np.float64],
    crow_m: NDArray[np.float64], cluster: NDArray[np.int64],
) -> list[float]:  # fmt: skip
    """Walk over crow's flight of each cluster, averaged over those who reach a facility; NaN where none does."""
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = _ratio(coverage, service, unmet, crow_m)
        known = np.isfinite(ratio)
        mean = np.bincount(cluster[known], weights=(ratio * weight)[known], minlength=cluster.max() + 1) / np.bincount(
            cluster[known], weights=weight[known], minlength=cluster.max() + 1
        )
    return [round(value, 2) for value in mean.tolist()]


def _most(names: NDArray[np.object_], weight: NDArray[np.float64], cluster: NDArray[np.int64]) -> list[str]:
    """Name with the greatest weight in each cluster; of equal ones the first in the alphabet."""
    values, inverse = np.unique(names.astype(str), return_inverse=True)
    table = np.full((cluster.max() + 1, len(values)), -np.inf)  # a name the cluster lacks loses even to no weight
    table[cluster, inverse] = 0.0
    np.add.at(table, (cluster, inverse), weight)
    return [str(name) for name in values[np.argmax(table, axis=1)]]
