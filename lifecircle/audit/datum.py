"""Datum detective: which datum the places of a table fit, by streets, buildings and places that are known.

A table in GCJ-02 or BD-09 read as WGS84 lies half a kilometre or more off, and nothing looks wrong. So every datum it
might be in is tried, and held against what places of the region are usually like: how near a street, how near a
building, how near another source's place of the same service or name. What is usual is learnt from the region itself,
at its known places and beside them.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from lifecircle.model.facilities import Facilities, folded
from lifecircle.model.network import Network

CLEAR = 8.0
"""Logarithm of how much likelier a datum must be than another to be the clear winner: odds of about 3,000 to 1.

Lifecircle's own choice. Of 200 true tables of 1 to 80 places in each of Newport, Monaco and the Lingang model, half of
them with errors of 20 m (standard deviation), none came to it for a wrong datum (`tests/real/test_datum.py`).
"""

TWIN_M = 75.0
"""A place of the same service this near may be the same."""

_BUILDING_M = np.array([1.0, 6.0, 15.0, 40.0, 100.0])
_STREET_M = np.array([3.0, 6.0, 10.0, 15.0, 25.0, 40.0, 80.0, 160.0])
_CLASSES = (len(_BUILDING_M) + 1) * (len(_STREET_M) + 1)
_WEIGHT = 3.0  # no single place says more than this, for a datum or against it
_FEW = 30  # places known, below which nothing can be learnt from them
_OTHERS = 10.0  # how many places of its own weigh as much as all others do
_SAMPLE = 300
_ASIDE = 24
_NEAR_M, _FAR_M = 300.0, 1500.0  # how far aside: as far as the datums are from each other


@dataclass(frozen=True)
class Fit:
    """How well places fit, read in one datum.

    Attributes
    ----------
    datum : str
    on_building : int
        Places within a metre of a building.
    street_m : float
        Median distance to the nearest street, m; what is farther than 160 m counts as that.
    twins, named : int
        Places with one of the same service, or name, in the other source within `TWIN_M`.
    score : float
        Logarithm of how much likelier this is than a place at random.
    """

    datum: str
    on_building: int
    street_m: float
    twins: int
    named: int
    score: float


@dataclass(frozen=True)
class Evidence:
    """What the test of a table came to.

    Attributes
    ----------
    places : int
        How many were tried.
    fits : tuple of Fit
        One for each datum, as asked.
    """

    places: int
    fits: tuple[Fit, ...]

    def against(self, declared: str) -> Fit | None:
        """Clear winner that is another than the datum declared; None where that one holds or nothing is clear."""
        own = next(fit for fit in self.fits if fit.datum == declared)
        best = max(self.fits, key=lambda fit: fit.score)
        return best if best.score >= max(CLEAR, own.score + CLEAR) else None

    def clear(self, declared: str) -> bool:
        """Whether the datum declared is the clear winner."""
        own = next(fit for fit in self.fits if fit.datum == declared)
        return all(own.score - fit.score >= CLEAR for fit in self.fits if fit.datum != declared)

    @property
    def text(self) -> str:
        """What was found under each datum, in words."""
        return "; ".join(
            f"as {TITLES[fit.datum]} {fit.on_building} of {self.places} stand on a building, half within "
            f"{fit.street_m:.0f} m of a street, {fit.twins} beside a known place of the service"
            + (f" ({fit.named} of the same name)" if fit.named else "")
            for fit in self.fits
        )


TITLES = {"wgs84": "WGS84", "gcj02": "GCJ-02", "bd09": "BD-09"}


class Detective:
    """What is known of a region: its streets, buildings and places.

    Parameters
    ----------
    network : Network
    features : ``osm_type``, ``tags``, ``geometry`` (lon/lat)
    known : Facilities or None
        Places of another source than the table.
    """

    def __init__(self, network: Network, features: pd.DataFrame, known: Facilities | None) -> None:
        kinds, tags = features["osm_type"].to_numpy() != "n", features["tags"].to_numpy()
        standing = kinds & np.array([said.get("building", "no") != "no" for said in tags], dtype=bool)
        shapes = network.region.project(features["geometry"].to_numpy(dtype=object)[standing])
        self.streets = shapely.STRtree(network.streets.lines())
        self.buildings = shapely.STRtree(shapes)
        self.aside = _spiral()
        self.points = np.empty(0, dtype=object) if known is None else known.points
        self.services = () if known is None else known.services
        self.names = [] if known is None else [folded(name) for name in known.name]
        spots, served = shapely.get_coordinates(self.points), list(self.services)
        if len(spots) < _FEW:  # a place stands in a building, more often than not
            more = shapely.get_coordinates(shapely.point_on_surface(_some(shapes)))
            spots, served = np.concatenate([spots, more]), [*served, *[()] * len(more)]
        self.weights = self._learnt(spots, served, max((ix + 1 for of in self.services for ix in of), default=0))

    def try_(
        self, places: dict[str, NDArray[np.float64]], services: list[tuple[int, ...]], names: list[str]
    ) -> Evidence:
        """Hold places against what is known, read in each of some datums.

        Parameters
        ----------
        places : dict of (n, 2) float64
            Metres of the region, by datum.
        services : list of tuple of int
            What each gives.
        names : list of str
        """
        n = len(services)
        chosen = np.unique(np.linspace(0, n - 1, min(n, _SAMPLE)).astype(np.int64)) if n else np.zeros(0, np.int64)
        kinds, called = [services[ix] for ix in chosen], [folded(names[ix]) for ix in chosen]
        weights = self.weights
        tried = {datum: xy[chosen] for datum, xy in places.items()}
        base = next(iter(tried.values()))
        chance = np.array([self._twins(base + step, kinds, called) for step in self.aside[::2]], dtype=np.float64)
        rate = chance.sum(axis=0) / max(1, len(chosen) * len(chance))
        floor = 0.5 / max(1, len(chosen) * len(chance))
        found = []
        for datum, xy in tried.items():
            building, street = self._near(xy)
            score = float(
                weights[
                    [of[0] if of and of[0] < len(weights) - 1 else -1 for of in kinds], _class(building, street)
                ].sum()
            )
            twins = self._twins(xy, kinds, called)
            score += sum(_binomial(k, len(chosen), max(p, floor)) for k, p in zip(twins, rate, strict=True))
            median = float(np.median(street)) if len(street) else 0.0
            found.append(Fit(datum, int((building <= _BUILDING_M[0]).sum()), median, *twins, score))
        return Evidence(len(chosen), tuple(found))

    def _learnt(
        self, spots: NDArray[np.float64], served: list[tuple[int, ...]], n_services: int
    ) -> NDArray[np.float64]:
        """How much likelier each class of distances is at a known place than beside one.

        Returns
        -------
        (n_services + 1, n_classes) float64
            Logarithms by service, learnt from all places and more from its own the more it has; last without a service.
        """
        if not len(spots):
            return np.zeros((n_services + 1, _CLASSES))
        some = _some(spots)
        beside = np.zeros(_CLASSES)
        for step in self.aside:
            beside += np.bincount(_class(*self._near(some + step)), minlength=_CLASSES)
        share = beside / beside.sum()
        kind = _class(*self._near(spots))
        likely = np.empty((n_services + 1, _CLASSES))
        likely[-1] = (np.bincount(kind, minlength=_CLASSES) + 2 * share) / (len(kind) + 2)
        for ix in range(n_services):
            own = kind[[ix in of for of in served]]
            likely[ix] = (np.bincount(own, minlength=_CLASSES) + _OTHERS * likely[-1]) / (len(own) + _OTHERS)
        return np.asarray(np.clip(np.log((likely + 1e-4) / (share + 1e-4)), -_WEIGHT, _WEIGHT))

    def _near(self, xy: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Distance to the nearest building and the nearest street, m; what is far counts as the last class."""
        points = shapely.points(xy)
        return _distance(self.buildings, points, _BUILDING_M[-1]), _distance(self.streets, points, _STREET_M[-1])

    def _twins(self, xy: NDArray[np.float64], kinds: list[tuple[int, ...]], called: list[str]) -> tuple[int, int]:
        """How many places have one of the same service near, and how many of those of the same name."""
        if not len(self.points) or not len(xy):
            return 0, 0
        tree = shapely.STRtree(self.points)
        one, other = tree.query(shapely.points(xy), predicate="dwithin", distance=TWIN_M)
        same = [(a, b) for a, b in zip(one.tolist(), other.tolist(), strict=True) if {*kinds[a]} & {*self.services[b]}]
        return len({a for a, _ in same}), len({a for a, b in same if called[a] and called[a] == self.names[b]})


def _binomial(k: int, n: int, rate: float) -> float:
    """Logarithm of how much likelier ``k`` of ``n`` are by their own rate than by chance; none below chance."""
    if not n or k / n <= rate:
        return 0.0
    share = min(k / n, 1 - 1e-9)
    return float(k * np.log(share / rate) + (n - k) * np.log((1 - share) / (1 - min(rate, 1 - 1e-9))))


def _class(building: NDArray[np.float64], street: NDArray[np.float64]) -> NDArray[np.int64]:
    wide = len(_STREET_M) + 1
    return np.asarray(np.searchsorted(_BUILDING_M, building) * wide + np.searchsorted(_STREET_M, street))


def _distance(tree: Any, points: NDArray[np.object_], far_m: float) -> NDArray[np.float64]:
    found = np.full(len(points), far_m + 1)
    (which, _), away = tree.query_nearest(points, max_distance=far_m + 1, all_matches=False, return_distance=True)
    found[which] = away
    return found


def _spiral() -> NDArray[np.float64]:
    """Go aside in all directions, as far as one datum lies from another, (n, 2) m."""
    number = np.arange(_ASIDE)
    angle, far = number * np.pi * (3 - np.sqrt(5)), _NEAR_M + (_FAR_M - _NEAR_M) * number / (_ASIDE - 1)
    return np.column_stack([far * np.cos(angle), far * np.sin(angle)])


def _some(values: Any) -> Any:
    """Every so manieth, so that it is no more than a sample."""
    return values[:: max(1, -(-len(values) // _SAMPLE))]
