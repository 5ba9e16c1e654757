"""What a run is held to before it writes anything: walks walked again by another search, and sums that must hold."""

import hashlib
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lifecircle.assess.coverage import MEASURES, MET, NOT_MET, UNKNOWN, Coverage, limits, searched
from lifecircle.assess.gaps import Gaps
from lifecircle.errors import CheckError
from lifecircle.language import say
from lifecircle.model.cells import PEOPLE
from lifecircle.model.facilities import joins_of
from lifecircle.profiles import TICKS
from lifecircle.reach.products import Lane
from lifecircle.reach.search import search

SAMPLE = 64
"""Access points that are walked again; all of them where there are no more."""

_AT_ONCE = 16  # origins of a search: a row of the answer holds every node


@dataclass(frozen=True)
class SelfCheck:
    """Checks that held; one that does not hold stops the run.

    Attributes
    ----------
    seed : str
        What chose the access points: a digest of the inputs.
    points, of : int
        Access points walked again, and how many there are.
    compared : dict of int
        How many things were compared, by check: ``walks``, ``closed``, ``thresholds``, ``verdicts``, ``people``,
        ``figures``, ``facilities``, ``gaps``.
    """

    seed: str
    points: int
    of: int
    compared: dict[str, int]

    @classmethod
    def of_run(cls, coverage: Coverage, gaps: Gaps, seed: str, *, threads: int | None = None) -> "SelfCheck":
        """Check a run.

        Raises
        ------
        CheckError
            Something does not hold; the message says what, where, and both numbers.
        """
        points = _drawn(seed, len(coverage.cells.starts))
        compared = dict.fromkeys(("walks", "closed", "thresholds"), 0)
        for name, lane in coverage.lanes.items():
            mine = [ix for ix, service in enumerate(coverage.standard.services.values()) if service.profile == name]
            if mine:
                for key, number in _walked(coverage, lane, mine, points, threads):
                    compared[key] += number
        compared["verdicts"] = _verdicts(coverage)
        compared["people"] = _people(coverage)
        compared["figures"] = _figures(coverage)
        compared["facilities"] = _facilities(coverage)
        compared["gaps"] = _gaps(coverage, gaps)
        return cls(seed, len(points), len(coverage.cells.starts), compared)

    @property
    def rows(self) -> dict[str, Any]:
        """As ``summary.json`` and ``manifest.json`` have it."""
        return {"held": True, "seed": self.seed, "points": self.points, "of": self.of, "compared": self.compared}

    @property
    def line(self) -> str:
        """What a terminal shows."""
        walks = f"{self.compared['walks']:,}"
        return say(
            f"Proof: {walks} walks from {self.points:,} of {self.of:,} access points walked again by another search, "
            "equal to the tick; sums hold.",
            f"自我核验：从 {self.of:,} 个出入点中的 {self.points:,} 个以另一算法重走 {walks} 次，逐刻相等；合计相符。",
        )


def _drawn(seed: str, n: int) -> NDArray[np.int64]:
    """Positions of the access points to walk again, ascending: the same for a seed under any library versions."""
    found: set[int] = set(range(n)) if n <= SAMPLE else set()
    turn = 0
    while len(found) < min(SAMPLE, n):
        found.add(int.from_bytes(hashlib.sha256(f"{seed}:{turn}".encode()).digest()[:8], "big") % n)
        turn += 1
    return np.array(sorted(found), dtype=np.int64)


def _fail(what: str) -> CheckError:
    return CheckError(
        f"the self-check failed: {what}. Nothing was written. The inputs are not to blame: please report this to the "
        "authors of lifecircle with them, and do not use results of this version until it is mended"
    )


# ------------------------------------------------------------------------------------------------ walked once more


class _Twin:
    """Walks of one cost, from the plain arrays and by scipy's search: it shares no code with the engine."""

    def __init__(self, coverage: Coverage, lane: Lane) -> None:
        self.coverage, self.lane = coverage, lane
        network, joins, doors = coverage.network, coverage.facilities.joins, lane.doors
        self.speed = coverage.profiles[lane.name].level_speed
        self.uv, self.vu = lane.ticks_uv.tolist(), lane.ticks_vu.tolist()
        self.u, self.v, self.length_m = network.edge_u.tolist(), network.edge_v.tolist(), network.length_m.tolist()
        self.homes: dict[int, list[tuple[int, float, float]]] = {}
        homes = coverage.cells.joins
        for place, edge, x, far in zip(homes.place.tolist(), homes.edge, homes.offset_m, homes.leg_m, strict=True):
            self.homes.setdefault(place, []).append((int(edge), float(x), float(far)))
        forth, back = lane.ticks_uv >= 0, lane.ticks_vu >= 0
        self.arcs = _cheapest(
            np.concatenate([network.edge_u[forth], network.edge_v[back]]).astype(np.int64),
            np.concatenate([network.edge_v[forth], network.edge_u[back]]).astype(np.int64),
            np.concatenate([lane.ticks_uv[forth], lane.ticks_vu[back]]).astype(np.float64),
        )
        # Entrances: what each costs from either end of its edge, and where on the edge it is.
        self.doors: dict[int, list[int]] = {}
        self.door: list[tuple[int, int, float, int]] = []  # facility, edge, offset, leg
        self.forth, self.back = (doors.forth >= 0).tolist(), (doors.back >= 0).tolist()
        node, more, facility = [], [], []
        for k, (place, edge) in enumerate(zip(joins.place.tolist(), joins.edge.tolist(), strict=True)):
            y, leg = float(joins.offset_m[k]), self._leg(float(joins.leg_m[k]))
            self.door.append((place, edge, y, leg))
            self.doors.setdefault(edge, []).append(k)
            if self.forth[k]:
                node.append(self.u[edge])
                more.append(leg + self._part(self.uv[edge], y, edge))
                facility.append(place)
            if self.back[k]:
                node.append(self.v[edge])
                more.append(leg + self.vu[edge] - self._part(self.vu[edge], y, edge))
                facility.append(place)
        self.ends = (np.array(node, np.int64), np.array(more, np.float64), np.array(facility, np.int64))

    def _leg(self, far_m: float) -> int:
        return math.floor(far_m / self.speed * TICKS + 0.5)

    def _part(self, ticks: int, x: float, edge: int) -> int:
        """Cost of the part of an edge between its u and an offset."""
        return math.floor(ticks * x / self.length_m[edge] + 0.5) if self.length_m[edge] > 0 else 0

    def walks(self, points: NDArray[np.int64]) -> NDArray[np.float64]:
        """Ticks from access points to every facility, (n_points, n_facilities); inf beyond the cutoff."""
        parts = [self._walks(points[at : at + _AT_ONCE].tolist()) for at in range(0, len(points), _AT_ONCE)]
        return np.concatenate(parts)

    def _walks(self, points: list[int]) -> NDArray[np.float64]:
        from scipy.sparse import csr_array
        from scipy.sparse.csgraph import dijkstra

        n = self.coverage.network.n_nodes
        tail, head, cost = [], [], []
        found = np.full((len(points), len(self.coverage.facilities)), np.inf)
        for row, point in enumerate(points):
            for edge, x, far_m in self.homes.get(point, ()):
                leg, uv, vu = self._leg(far_m), self.uv[edge], self.vu[edge]
                starts = []
                if vu >= 0:
                    starts.append((self.u[edge], leg + self._part(vu, x, edge)))
                if uv >= 0:
                    starts.append((self.v[edge], leg + uv - self._part(uv, x, edge)))
                for node, ticks in starts:
                    tail.append(n + row)
                    head.append(node)
                    cost.append(ticks)
                for k in self.doors.get(edge, ()):
                    facility, _, y, door_leg = self.door[k]
                    if y >= x and self.forth[k] and uv >= 0:
                        between = self._part(uv, y, edge) - self._part(uv, x, edge)
                    elif y < x and self.back[k] and vu >= 0:
                        between = self._part(vu, x, edge) - self._part(vu, y, edge)
                    else:
                        continue
                    found[row, facility] = min(found[row, facility], leg + between + door_leg)
        own = _cheapest(np.array(tail, np.int64), np.array(head, np.int64), np.array(cost, np.float64))
        tails, heads, costs = (np.concatenate(both) for both in zip(self.arcs, own, strict=True))
        begins = np.searchsorted(tails, np.arange(n + len(points) + 1))
        graph = csr_array((costs, heads, begins), shape=(n + len(points), n + len(points)))
        reached = dijkstra(graph, indices=np.arange(n, n + len(points)), limit=self.lane.cutoff)
        at, more, whose = self.ends
        for row in range(len(points)):
            np.minimum.at(found[row], whose, reached[row, at] + more)
        return np.where(found <= self.lane.cutoff, found, np.inf)


def _cheapest(
    tail: NDArray[np.int64], head: NDArray[np.int64], cost: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Arcs by tail, the cheapest of several between two nodes: scipy would add them up."""
    order = np.lexsort((cost, head, tail))
    tail, head, cost = tail[order], head[order], cost[order]
    new = (np.diff(tail, prepend=-1) != 0) | (np.diff(head, prepend=-1) != 0)
    return tail[new], head[new], cost[new]


def _walked(
    coverage: Coverage, lane: Lane, services: list[int], points: NDArray[np.int64], threads: int | None
) -> Iterator[tuple[str, int]]:
    """Compare the walks of some access points with a twin's, and with the engine's own under other circumstances."""
    facilities = coverage.facilities
    walks = _Twin(coverage, lane).walks(points)
    limit = limits(coverage.standard, coverage.cells)[:, points] * TICKS
    for ix in services:
        serves = np.flatnonzero(facilities.serving(ix))
        mine = walks[:, serves]
        if len(serves):
            ticks = mine.min(axis=1)
            nearest = np.where(np.isfinite(ticks), serves[mine.argmin(axis=1)], -1)
        else:
            ticks, nearest = np.full(len(points), np.inf), np.full(len(points), -1)
        within = (mine <= limit[ix][:, None]).sum(axis=1)
        _equal(coverage, ix, points, coverage.point_ticks[ix, points], ticks, "ticks to the nearest")
        _equal(coverage, ix, points, coverage.point_nearest[ix, points], nearest, "as the nearest facility number")
        _equal(coverage, ix, points, coverage.point_count[ix, points], within, "facilities within the threshold")
    yield "walks", len(points) * len(services)
    yield from _under_other_circumstances(coverage, lane, services, points, threads)


def _under_other_circumstances(
    coverage: Coverage, lane: Lane, services: list[int], points: NDArray[np.int64], threads: int | None
) -> Iterator[tuple[str, int]]:
    """Walk from the access points alone, within further thresholds, with one facility of each service closed.

    A facility that closes never shortens a walk, and lengthens only those that led to it; a larger threshold never
    loses a facility.
    """
    facilities = coverage.facilities
    chosen = np.zeros(len(coverage.cells.starts), dtype=bool)
    chosen[points] = True
    kept = chosen[coverage.cells.joins.place]
    homes = joins_of(coverage.cells.joins, chosen)
    legs = type(lane.homes)(**{name: part[kept] for name, part in vars(lane.homes).items()})
    closed = np.zeros(len(facilities), dtype=bool)
    for ix in services:
        nearest = coverage.point_nearest[ix, points]
        if (nearest >= 0).any():
            closed[np.bincount(nearest[nearest >= 0]).argmax()] = True
    plain = searched(coverage.standard, services)
    wider = {ix: (min(at) // 2, *at, lane.cutoff) for ix, at in plain.items()}
    open_ = ~closed
    doors = type(lane.doors)(**{name: part[open_[facilities.joins.place]] for name, part in vars(lane.doors).items()})
    fewer = search(
        coverage.network, Lane(lane.name, lane.unit, lane.ticks_uv, lane.ticks_vu, legs, doors, lane.cutoff), homes,
        facilities.only(open_), n_cells=len(points), thresholds=wider, threads=threads,
    )  # fmt: skip
    for row, ix in enumerate(fewer.services):
        before, nearest = coverage.point_ticks[ix, points], coverage.point_nearest[ix, points]
        stays = (nearest < 0) | ~closed[nearest]
        shorter = np.flatnonzero(fewer.ticks[row] < before)
        if len(shorter):
            at = shorter[0]
            raise _fail(
                f"{_place(coverage, points[at])} walks {before[at]:g} ticks to {coverage.keys[ix]}, and "
                f"{fewer.ticks[row][at]:g} when a facility is closed"
            )
        _equal(
            coverage, ix, points[stays], before[stays], fewer.ticks[row][stays],
            "ticks, walked from alone and with a facility closed that is not the nearest",
        )  # fmt: skip
        yield "closed", len(points)
        lost = np.argwhere(np.diff(fewer.count[row][np.argsort(wider[ix], kind="stable")], axis=0) < 0)
        if len(lost):
            raise _fail(
                f"{_place(coverage, points[lost[0, 1]])} has fewer facilities of {coverage.keys[ix]} within a larger "
                "threshold"
            )
        yield "thresholds", len(points)


def _place(coverage: Coverage, point: np.integer[Any] | int) -> str:
    starts = coverage.cells.starts
    cell = int(starts.cell[point])
    return f"access point {int(point) - int(starts.first[cell])} of cell {coverage.cells.cell_id[cell]}"


def _equal(
    coverage: Coverage, ix: int, points: NDArray[np.int64], said: NDArray[Any], again: NDArray[Any], what: str
) -> None:
    wrong = np.flatnonzero(np.asarray(said, dtype=np.float64) != np.asarray(again, dtype=np.float64))
    if len(wrong):
        at = wrong[0]
        raise _fail(
            f"from {_place(coverage, points[at])} to {coverage.keys[ix]} the engine says {said[at]:g}, another search "
            f"{again[at]:g} ({what}); so it is at {len(wrong)} of {len(points)} access points"
        )


# --------------------------------------------------------------------------------------------------- what must add up


def _verdicts(coverage: Coverage) -> int:
    """Hold every verdict against its walk, its limit and the number within reach."""
    judged = coverage.cells.judged
    within = coverage.point_ticks <= limits(coverage.standard, coverage.cells) * TICKS
    should = np.where(judged[None, :], np.where(within, MET, NOT_MET), UNKNOWN)
    wrong = np.argwhere((coverage.point_met != should) | (judged[None, :] & ((coverage.point_count > 0) != within)))
    if len(wrong):
        ix, at = wrong[0]
        raise _fail(
            f"{_place(coverage, at)} walks {coverage.point_ticks[ix, at]:g} ticks to {coverage.keys[ix]} with "
            f"{coverage.point_count[ix, at]} within the threshold, but its verdict is {coverage.point_met[ix, at]}"
        )
    return int(coverage.point_met.size)


def _people(coverage: Coverage) -> int:
    """Hold people by access point, by cell and by zone against each other, in whole 1/1024."""
    cells, starts = coverage.cells, coverage.cells.starts
    if cells.people is None or starts.people is None:
        return 0
    by_cell = np.zeros(len(cells), dtype=np.int64)
    np.add.at(by_cell, starts.cell, starts.people)
    wrong = np.flatnonzero(by_cell != cells.people)
    if len(wrong):
        at = wrong[0]
        raise _fail(
            f"the access points of cell {cells.cell_id[at]} hold {by_cell[at] / PEOPLE:g} people, "
            f"the cell {cells.people[at] / PEOPLE:g}"
        )
    by_zone = np.zeros(len(cells.region.zones), dtype=np.int64)
    np.add.at(by_zone, cells.zone, cells.people)
    if (cells.zone < 0).any() or int(by_zone.sum()) != int(starts.people.sum()):
        raise _fail(f"the zones hold {by_zone.sum() / PEOPLE:g} people, the region {starts.people.sum() / PEOPLE:g}")
    return len(cells)


def _figures(coverage: Coverage) -> int:
    """Hold the parts of every figure against what lives, lies or stands in its place, and zones against the region."""
    cells = coverage.cells
    amount: dict[str, NDArray[np.int64] | None] = {
        name: np.asarray(getattr(cells, name), dtype=np.int64) for name in MEASURES if name not in {"people", "cells"}
    }
    amount |= {"people": cells.people, "cells": np.ones(len(cells), dtype=np.int64)}
    inside = {"region": np.ones(len(cells), dtype=bool)}
    inside |= {zone.key: cells.zone == ix for ix, zone in enumerate(cells.region.zones)}
    overlays = {zone.key: cells.in_overlay[ix] for ix, zone in enumerate(cells.region.overlays)}
    figures = coverage.figures()
    zones: dict[tuple[str, str, str], int] = {}
    for figure in figures:
        each = amount[figure.measure]
        if each is None:
            continue
        unit = PEOPLE if figure.measure == "people" else 1
        total = int(each[(overlays if figure.kind == "overlay" else inside)[figure.zone]].sum())
        parts = {name: round(unit * (getattr(figure, name) or 0)) for name in ("met", "not_met", "unknown")}
        if sum(parts.values()) != total:
            raise _fail(
                f"{figure.service} in {figure.zone} has {parts} and all {figure.measure} there are {total} "
                f"(in 1/{unit})"
            )
        for name, part in parts.items():
            key = (figure.service, figure.measure, name)
            if figure.kind == "zone":
                zones[key] = zones.get(key, 0) + part
    for figure in figures:
        if figure.kind == "region" and amount[figure.measure] is not None:
            unit = PEOPLE if figure.measure == "people" else 1
            for name in ("met", "not_met", "unknown"):
                whole, parts_sum = (
                    round(unit * (getattr(figure, name) or 0)),
                    zones[figure.service, figure.measure, name],
                )
                if whole != parts_sum:
                    raise _fail(f"the zones' {name} {figure.measure} of {figure.service} add up to {parts_sum}, not "
                                f"{whole} (in 1/{unit})")  # fmt: skip
    return len(figures)


def _facilities(coverage: Coverage) -> int:
    """See that every nearest facility gives the service, and that there are as many as are counted."""
    facilities, count = coverage.facilities, coverage.facilities.count()
    for ix, key in enumerate(coverage.keys):
        serves = facilities.serving(ix)
        nearest = coverage.point_nearest[ix]
        wrong = np.flatnonzero((nearest >= 0) & ~serves[nearest])
        if len(wrong):
            name = facilities.facility_id[nearest[wrong[0]]]
            raise _fail(f"the nearest {key} of {_place(coverage, wrong[0])} is {name}, which gives none")
        if int(serves.sum()) != count[key] or (coverage.point_count[ix] > count[key]).any():
            raise _fail(f"{count[key]} facilities are counted for {key}, and {int(serves.sum())} give it")
        if ((nearest >= 0) != np.isfinite(coverage.point_ticks[ix])).any():
            raise _fail(f"a walk to {key} leads to no facility")
    return len(facilities)


def _gaps(coverage: Coverage, gaps: Gaps) -> int:
    """Hold the people of a service's gaps against those who lack it."""
    if coverage.cells.people is None:
        return 0
    figures = {f.service: f for f in coverage.figures() if f.kind == "region" and f.measure == "people"}
    number = 0
    for key in coverage.keys:
        of_service = gaps.of(key)
        lacking = sum(round(PEOPLE * (gap.people or 0)) for gap in of_service)
        if lacking != round(PEOPLE * (figures[key].not_met or 0)):
            raise _fail(f"the gaps of {key} hold {lacking / PEOPLE:g} people, and {figures[key].not_met:g} lack it")
        number += len(of_service)
    return number
