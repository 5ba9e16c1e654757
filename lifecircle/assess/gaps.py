"""Gaps: clusters of neighbouring cells that lack a service, with the people in them and a first cause."""

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy import ndimage

from lifecircle.assess.coverage import NOT_MET, Coverage
from lifecircle.model.cells import PEOPLE
from lifecircle.profiles import TICKS

if TYPE_CHECKING:
    import geopandas as gpd

NEAR_MISS = 1.2
"""A walk of at most this many times the threshold is a near miss."""

CAUSES = {
    "near_miss": "A facility is at most 20 % beyond the threshold.",
    "severed": "A facility lies within the threshold as the crow flies, but no walk that short leads to it.",
    "none_near": "No facility lies within the threshold even as the crow flies.",
}


@dataclass(frozen=True)
class Gap:
    """One cluster of cells that lack one service.

    Attributes
    ----------
    service, zone, cause : str
        The zone and cause that most of its people (or cells) share.
    cells : tuple of int
        Positions of its cells.
    people : float or None
    area_m2 : int
    worst : float or None
        Longest walk in it, in the rule's unit; None where it is beyond the cutoff.
    geometry : shapely polygon, metre CRS
    """

    service: str
    zone: str
    cause: str
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
    def find(cls, coverage: Coverage) -> "Gaps":
        """Cluster the cells that lack a service: pixels that touch, at a corner too, are one gap.

        A cell lacks it where any of its access points does; the people of a gap are those of these points.
        """
        found: list[Gap] = []
        polygons = coverage.cells.polygons()
        places = np.asarray(shapely.points(coverage.cells.starts.xy), dtype=object)
        for ix in range(len(coverage.keys)):
            unmet = np.flatnonzero(coverage.point_met[ix] == NOT_MET)
            if len(unmet):
                made = _gaps(coverage, ix, unmet, _causes(coverage, ix, unmet, places[unmet]), polygons)
                made.sort(key=lambda gap: (-(gap.people or 0), -gap.area_m2, gap.cells))
                found += made
        return cls(coverage, tuple(found))

    def __len__(self) -> int:
        return len(self.clusters)

    def to_geodataframe(self) -> "gpd.GeoDataFrame":
        """One row per gap: ``service, people, area_m2, worst, cause, zone, cells_n, geometry`` in the metre CRS."""
        import geopandas as gpd

        rows = self.clusters
        return gpd.GeoDataFrame(
            {
                "service": np.array([gap.service for gap in rows], dtype=object),
                "people": np.array([np.nan if gap.people is None else gap.people for gap in rows], dtype=np.float64),
                "area_m2": np.array([gap.area_m2 for gap in rows], dtype=np.int64),
                "worst": np.array([np.nan if gap.worst is None else gap.worst for gap in rows], dtype=np.float32),
                "cause": np.array([gap.cause for gap in rows], dtype=object),
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
) -> NDArray[np.object_]:
    """First cause of each unmet access point, (len(unmet),) str."""
    key = coverage.keys[service]
    rule = coverage.standard.services[key]
    limit = rule.threshold.value
    profile, lane = coverage.profiles[rule.profile], coverage.lanes[rule.profile]
    uv, vu = lane.ticks_uv, lane.ticks_vu
    level = bool(((uv == vu) | (uv < 0) | (vu < 0)).all())
    crow_m = limit * (profile.level_speed if level else profile.top_speed)
    facilities = coverage.facilities
    giving = np.flatnonzero([service in given for given in facilities.services])
    tree = shapely.STRtree(facilities.shape[giving])
    near = np.zeros(len(unmet), dtype=bool)
    near[tree.query(places, predicate="dwithin", distance=crow_m)[0]] = True
    miss = coverage.point_ticks[service, unmet] <= limit * TICKS * NEAR_MISS
    return np.where(miss, "near_miss", np.where(near, "severed", "none_near")).astype(object)


def _gaps(
    coverage: Coverage, service: int, unmet: NDArray[np.int64], cause: NDArray[np.object_],
    polygons: NDArray[np.object_],
) -> list[Gap]:  # fmt: skip
    """Every cluster of the cells that lack a service, in any order."""
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
    zone, mostly = _most(zones, weight, cluster), _most(cause, weight, cluster)
    return [
        Gap(
            service=coverage.keys[service],
            zone=zone[ix],
            cause=mostly[ix],
            cells=tuple(group.tolist()),
            people=None if people is None else people[ix],
            area_m2=area_m2[ix],
            worst=worst[ix] if np.isfinite(worst[ix]) else None,
            geometry=shapely.coverage_union_all(polygons[group]),
        )
        for ix, group in enumerate(groups)
    ]


def _most(names: NDArray[np.object_], weight: NDArray[np.float64], cluster: NDArray[np.int64]) -> list[str]:
    """Name with the greatest weight in each cluster; of equal ones the first in the alphabet."""
    values, inverse = np.unique(names.astype(str), return_inverse=True)
    table = np.full((cluster.max() + 1, len(values)), -np.inf)  # a name the cluster lacks loses even to no weight
    table[cluster, inverse] = 0.0
    np.add.at(table, (cluster, inverse), weight)
    return [str(name) for name in values[np.argmax(table, axis=1)]]
