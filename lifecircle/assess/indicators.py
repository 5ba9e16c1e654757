"""Indicators beyond the nearest facility: runner-up, choice, completeness, x-minute time, gravity, equity."""

import math
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lifecircle.assess import catchment as fca
from lifecircle.assess import equity
from lifecircle.assess.capacity import Capacity, capacity
from lifecircle.assess.catchment import Catchment
from lifecircle.assess.coverage import MET, Coverage
from lifecircle.assess.decay import Exponential
from lifecircle.assess.diversity import CHOICES, choice_class, shannon
from lifecircle.errors import DataError
from lifecircle.model.cells import PEOPLE
from lifecircle.model.demand import Layer
from lifecircle.profiles import TICKS
from lifecircle.reach.search import Walk
from lifecircle.standards import Service

if TYPE_CHECKING:
    from collections.abc import Callable

NEAREST = 20
"""Facilities averaged over, after Bruno et al. (2024), doi:10.1038/s44284-024-00119-4."""

MOST_PAIRS = 60_000_000
"""More walks than this are not kept: 24 bytes each while indicators are made."""

_TENTHS = np.arange(1, 10) / 10
BANDS_S = (300.0, 600.0, 900.0, 1200.0, 1800.0)


@dataclass(frozen=True, eq=False, repr=False)
class Indicators:
    """What the walks to all facilities within the cutoff say.

    Attributes
    ----------
    walks : dict of Catchment
        By service key: from every access point to every facility of the service within the cutoff.
    capacity : dict of Capacity
        By norm key.
    method, decay : str
        How supply is shared out (`capacity.catchment_access`).
    """

    coverage: Coverage
    walks: dict[str, Catchment]
    capacity: dict[str, Capacity] = field(default_factory=dict)
    method: str = "2sfca"
    decay: str = "bounded_gaussian"

    @classmethod
    def of(
        cls, coverage: Coverage, layers: dict[str, Layer], *, method: str = "2sfca", decay: str = "bounded_gaussian",
        threads: int | None = None, most: int = MOST_PAIRS,
    ) -> "Indicators | None":  # fmt: skip
        """Walk to every facility within the cutoff, and hold supply against the norms.

        Parameters
        ----------
        layers : dict of Layer
            Groups of residents that norms may be for.

        Returns
        -------
        Indicators or None
            None where there are more than ``most`` walks, those of all costs together.
        """
        walks: dict[str, Catchment] = {}
        left = most
        if int(coverage.point_count.sum()) > left:
            return None
        for name, lane in coverage.lanes.items():
            mine = [ix for ix, key in enumerate(coverage.keys) if coverage.cost_of(key) == name]
            if not mine:
                continue
            walk = Walk(
                coverage.network, lane, coverage.cells.joins, coverage.facilities, len(coverage.cells.starts),
                dict.fromkeys(mine, (0,)), threads=threads, once=False,
            )  # fmt: skip
            try:
                pairs = walk.pairs(most=left)
            except DataError:  # too many: counted before any is stored
                return None
            left -= len(pairs.facility)
            for ix in mine:
                walks[coverage.keys[ix]] = Catchment.from_pairs(pairs, coverage.facilities.serving(ix))
        made = cls(coverage, walks, method=method, decay=decay)
        for key, rule in coverage.standard.norms.items():
            layer = layers.get(rule.per_1000)
            within = None if rule.service not in walks else made.within(rule.service)
            found = capacity(coverage, key, rule, layer, within, method=method, decay=decay)
            if found is not None:
                made.capacity[key] = found
        return made

    def within(self, key: str) -> Catchment:
        """Keep the walks to the facilities of a service that are within its threshold."""
        walks, limit = self.walks[key], self.coverage.point_limit[self.coverage.keys.index(key)]
        kept = walks.cost <= limit[walks.point]
        ptr = np.concatenate([[0], np.cumsum(kept)]).astype(np.int64)[walks.ptr]
        return Catchment(ptr, walks.facility[kept], walks.cost[kept], walks.n_facilities)

    def second(self, key: str) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
        """Find the second nearest facility: its cost, inf where there is none, and which it is, -1 for none."""
        walks = self.walks[key]
        cost, which = np.full(walks.n_points, np.inf), np.full(walks.n_points, -1, np.int32)
        has = np.flatnonzero(np.diff(walks.ptr) > 1)
        at = walks.ptr[has] + 1
        cost[has], which[has] = walks.cost[at], walks.facility[at]
        return cost, which

    def mean_nearest(self, key: str, k: int = NEAREST) -> NDArray[np.float64]:
        """Average the walks to the ``k`` nearest facilities, (n_points,); NaN where fewer are within the cutoff."""
        return fca.nearest_mean(self.walks[key], k)

    def gravity(self, key: str) -> NDArray[np.float64]:
        """Σ exp(-t / threshold) over all facilities within the cutoff, (n_points,) float64."""
        walks = self.walks[key]
        limit = float(self.coverage.point_limit[self.coverage.keys.index(key)].max())
        return fca.gravity(walks, np.ones(walks.n_facilities), decay=Exponential(1 / limit)).value

    @cached_property
    def judged(self) -> NDArray[np.bool_]:
        """Access points that were judged, (n_points,) bool: of the others nothing is known."""
        return np.asarray((self.coverage.point_met >= 0).all(axis=0))

    @cached_property
    def weight(self) -> NDArray[np.float64]:
        """People of each access point; where nobody knows them, 1 for each cell's main one."""
        starts = self.coverage.cells.starts
        if starts.people is not None:
            return np.asarray(starts.people / PEOPLE)
        alone = np.zeros(len(starts))
        alone[starts.first] = 1.0
        return alone

    @cached_property
    def worst(self) -> dict[str, NDArray[np.float64]]:
        """x-minute time: the walk to the worst-placed service, by unit, (n_points,); inf beyond the cutoff.

        After Logan et al. (2022), Cities 131:103924. NaN where the point was not judged.
        """
        found = {}
        for unit in dict.fromkeys(map(self.coverage.unit_of, self.coverage.keys)):
            rows = [ix for ix, key in enumerate(self.coverage.keys) if self.coverage.unit_of(key) == unit]
            worst = self.coverage.point_ticks[rows].max(axis=0) / TICKS
            found[unit] = np.where(self.judged, worst, np.nan)
        return found

    @cached_property
    def shannon(self) -> NDArray[np.float64]:
        """How evenly the facilities within the thresholds are spread over the services, 0 to 1; NaN where unknown."""
        count = np.where(self.judged, self.coverage.point_count, np.nan)
        return shannon(count) if len(count) > 1 else np.full(count.shape[1], np.nan)

    def summary(self) -> dict[str, Any]:
        """Say the indicators of the region, as ``summary.json`` has them."""
        known = self.judged & (self.weight > 0)
        weight = self.weight[known]
        people = self.coverage.cells.people is not None
        worst = {unit: _spread(values[known], weight, unit) for unit, values in self.worst.items()}
        return {
            "measure": "people" if people else "cells",
            "known": float(weight.sum()),
            "unknown": float(self.weight[~self.judged].sum()),
            "completeness": self._completeness(known),
            "worst_service": worst,
            "shannon_mean": _mean(self.shannon[known], weight),
            "services": {key: self._service(ix, key, known) for ix, key in enumerate(self.coverage.keys)},
        }

    def _completeness(self, known: NDArray[np.bool_]) -> dict[str, Any]:
        """How many of the required services (all, where the standard marks none) people have.

        Those of which the data holds none are ``absent``: nobody is said to have them or to lack them.
        """
        services = list(self.coverage.standard.services.values())
        required = [ix for ix, s in enumerate(services) if _required(s)]
        chosen = required or list(range(len(services)))
        met = (self.coverage.point_met[chosen][:, known] == MET).sum(axis=0)
        weight = self.weight[known]
        return {
            "of": "required" if required else "all",
            "services": [self.coverage.keys[ix] for ix in chosen],
            "absent": [key for key, s in self.coverage.absent.items() if not required or _required(s)],
            "by_number_met": [float(weight[met == n].sum()) for n in range(len(chosen) + 1)],
            "mean_met": _mean(met.astype(np.float64), weight),
        }

    def _service(self, ix: int, key: str, known: NDArray[np.bool_]) -> dict[str, Any]:
        """Say the indicators of one service."""
        coverage, weight = self.coverage, self.weight[known]
        unit = coverage.unit_of(key)
        limit = coverage.point_limit[ix][known]
        cutoff = coverage.lanes[coverage.cost_of(key)].cutoff / TICKS
        nearest = coverage.point_ticks[ix][known] / TICKS
        count = coverage.point_count[ix][known]
        second, _ = self.second(key)
        mean = self.mean_nearest(key)[known]
        gravity = self.gravity(key)[known]
        classes = choice_class(count.astype(np.int64))
        enough = np.isfinite(mean)
        return {
            "unit": unit,
            "nearest": _spread(nearest, weight, unit),
            "second_met": float(weight[second[known] <= limit].sum()),
            "choice": {name: float(weight[classes == n].sum()) for n, name in enumerate(CHOICES)},
            "cumulative_mean": _mean(count.astype(np.float64), weight),
            "gravity_mean": _mean(gravity, weight),
            "mean_20": {
                "value": _mean(mean[enough], weight[enough]),
                "known": float(weight[enough].sum()),
                "too_few": float(weight[~enough].sum()),
            },
            "equity": {
                "nearest": _equity(nearest, weight, kind="bad", cap=cutoff),
                "cumulative": _equity(count.astype(np.float64), weight, kind="good"),
            },
        }


def _required(service: Service) -> bool:
    return service.mark is not None and service.mark.value == "required"


def _mean(values: NDArray[np.float64], weight: NDArray[np.float64]) -> float | None:
    """Mean by weight; None of nobody, or where a value is unknown."""
    total = float(weight.sum())
    found = float((values * weight).sum() / total) if total else float("nan")
    return found if math.isfinite(found) else None


def _spread(values: NDArray[np.float64], weight: NDArray[np.float64], unit: str) -> dict[str, Any]:
    """Quantiles of walks by weight, None where beyond the cutoff, and how many are within some bands."""
    order = np.argsort(values, kind="stable")
    upto = np.cumsum(weight[order])
    total = float(upto[-1]) if len(upto) else 0.0
    found: dict[str, Any] = {}
    for name, share in (("median", 0.5), ("p90", 0.9)):
        at = int(np.searchsorted(upto, share * total)) if total else 0
        value = float(values[order][min(at, len(values) - 1)]) if total else float("nan")
        found[name] = value if math.isfinite(value) else None
    bands = BANDS_S if unit == "s" else (300.0, 500.0, 800.0, 1000.0, 1500.0)
    return found | {"within": {f"{band:g}": float(weight[values <= band].sum()) for band in bands}}


def _equity(
    values: NDArray[np.float64], weight: NDArray[np.float64], *, kind: equity.Kind, cap: float | None = None
) -> dict[str, Any]:
    """Say how unequal what people have is; what is not reached counts as the cutoff.

    ``lorenz`` is the share of everything that the tenth, two tenths and so on of people with least have.
    """
    if not weight.sum():
        return dict.fromkeys(("gini", "palma", "theil", "ratio_90_10", "ede", "lorenz"))
    measures: dict[str, Callable[[], float]] = {
        "gini": lambda: equity.gini(values, weight, cap=cap),
        "palma": lambda: equity.palma(values, weight, cap=cap),
        "theil": lambda: equity.theil(values, weight, cap=cap),
        "ratio_90_10": lambda: equity.ratio_90_10(values, weight, cap=cap),
        "ede": lambda: equity.kolm_pollak(
            values, weight, kappa=equity.kolm_pollak_kappa(values, weight, beta=1.0, kind=kind, cap=cap), cap=cap
        ),
    }
    found = {name: run() for name, run in measures.items()}
    told: dict[str, Any] = {name: value if math.isfinite(value) else None for name, value in found.items()}
    crowd, had = equity.lorenz(values, weight, cap=cap)
    return told | {"lorenz": np.interp(_TENTHS, crowd, had).round(6).tolist() if len(crowd) else None}
