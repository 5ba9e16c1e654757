"""Capacity: what the facilities offer for 1,000 people, by zone and from each home, held against the norms."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from lifecircle.assess import catchment as fca
from lifecircle.assess.catchment import Access, Catchment
from lifecircle.assess.coverage import MET, NOT_MET, UNKNOWN, Coverage
from lifecircle.assess.decay import Binary, BoundedGaussian, Decay, Exponential, Gaussian, InversePower, Steps
from lifecircle.errors import StandardError
from lifecircle.model.cells import PEOPLE
from lifecircle.model.demand import Layer
from lifecircle.standards import Norm

Method = Literal["2sfca", "e2sfca", "3sfca", "balanced"]
DecayName = Literal["binary", "steps", "bounded_gaussian", "gaussian", "exponential", "power"]

_DECAYS: dict[str, Callable[[float], Decay]] = {
    "binary": Binary,
    "steps": lambda limit: Steps((limit / 3, 2 * limit / 3, limit), (1.0, 0.68, 0.22)),
    "bounded_gaussian": BoundedGaussian,
    "gaussian": lambda limit: Gaussian(limit / 2),
    "exponential": lambda limit: Exponential(1 / limit),
    "power": lambda limit: InversePower(1.0, limit / 10),
}


_SLIP = 1e-9
"""Of what is asked, what rounding may take of a sum that is exactly as much."""


def decay_of(name: str, limit: float) -> Decay:
    """Build a decay from its name and a threshold, s or m.

    ``binary`` counts every walk within the threshold alike; ``steps`` weighs its thirds 1, 0.68 and 0.22 (the weights
    of Luo & Qi 2009); ``bounded_gaussian`` falls to 0 at the threshold; ``gaussian`` has half the threshold as sigma;
    ``exponential`` falls to 0.37 there; ``power`` is 1 / t, t at least a tenth of the threshold.

    Raises
    ------
    StandardError
        No decay of that name.
    """
    if name not in _DECAYS:
        raise StandardError(f"there is no decay {name!r}; valid: {', '.join(get_args(DecayName))}")
    return _DECAYS[name](limit)


def catchment_access(
    walks: Catchment, people: NDArray[np.float64], supply: NDArray[np.float64], *, method: str, decay: Decay,
) -> Access:  # fmt: skip
    """Share out the supply of the facilities in reach by one of the floating-catchment methods.

    Parameters
    ----------
    walks : Catchment
        Walks within the threshold.
    people : (n_points,) float64
    supply : (n_facilities,) float64, NaN unknown
    method : {"2sfca", "e2sfca", "3sfca", "balanced"}
        The first takes every walk within the threshold alike, whatever the decay.
    decay : Decay

    Raises
    ------
    StandardError
        No method of that name.
    """
    if method == "2sfca":
        return fca.two_step(walks, people, supply, limit=float(walks.cost.max(initial=0.0)))
    if method == "e2sfca":
        return fca.enhanced(walks, people, supply, decay=decay)
    if method == "3sfca":
        return fca.three_step(walks, people, supply, decay=decay)
    if method == "balanced":
        return fca.balanced(walks, people, supply, decay=decay, conserve="supply")
    raise StandardError(f"there is no catchment method {method!r}; valid: {', '.join(get_args(Method))}")


@dataclass(frozen=True)
class NormFigure:
    """A norm in one place.

    Attributes
    ----------
    zone : str
        Key of a zone or overlay, or ``region``.
    supply : float
        What the facilities inside offer, as far as anybody knows.
    facilities, unknown : int
        Facilities inside, and those of them whose supply nobody knows.
    people : float or None
        Those the norm is for; None where nobody knows how many.
    least : float
        What is asked for 1,000 of them here.
    per_1000 : float or None
        Supply for 1,000 people; a lower bound where some supply is unknown. None without people or any known supply.
    verdict : {"met", "not_met", "unknown"}
        ``met`` where what is known is enough already; ``not_met`` only where everything is known.
    """

    zone: str
    kind: Literal["region", "zone", "overlay"]
    supply: float
    facilities: int
    unknown: int
    people: float | None
    least: float
    per_1000: float | None
    verdict: Literal["met", "not_met", "unknown"]

    @property
    def missing(self) -> float | None:
        """How much supply would have to be added, at most; None where nobody knows the people."""
        return None if self.people is None else max(0.0, self.least * self.people / 1000 - self.supply)


@dataclass(frozen=True, eq=False, repr=False)
class Capacity:
    """One norm: by place, and from each access point by a floating catchment.

    Attributes
    ----------
    figures : tuple of NormFigure
        The region, then the zones, then the overlays.
    level : (n_points,) float64 or None
        Supply for 1,000 people within the service's threshold, of the facilities whose supply is known; None where it
        cannot be computed. NaN where the point was not judged, or where what is in reach offers nobody knows how much.
    point_met : (n_points,) int8
        1 where the level known is enough, 0 where it is not and everything is known, -1 else.
    """

    key: str
    rule: Norm
    figures: tuple[NormFigure, ...]
    level: NDArray[np.float64] | None
    point_met: NDArray[np.int8]

    @property
    def region(self) -> NormFigure:
        """The norm in the region as a whole."""
        return self.figures[0]


def capacity(
    coverage: Coverage, key: str, rule: Norm, layer: Layer | None, walks: Catchment | None, *,
    method: str = "2sfca", decay: str = "bounded_gaussian",
) -> Capacity | None:  # fmt: skip
    """Hold the supply of a service against a norm; None where the norm names no supply or the data no facility.

    Parameters
    ----------
    layer : Layer or None
        Those the norm is for; None where nobody knows how many they are.
    walks : Catchment or None
        Walks from the access points to the facilities of the service, each within its threshold.
    """
    if rule.supply is None or rule.service not in coverage.keys:
        return None
    facilities, region = coverage.facilities, coverage.cells.region
    giving = facilities.serving(coverage.keys.index(rule.service))
    supply = np.where(giving, facilities.supply(rule.supply), 0.0)
    # People who are elsewhere than at home have cells of their own, and no walks from there to share supply by.
    elsewhere = layer is not None and layer.kind == "places"
    cells = layer.cells if layer is not None and elsewhere else coverage.cells
    people = None if layer is None else layer.people
    by_zone = np.array([_least(rule, zone.renewal) for zone in region.zones])
    cell = cells.starts.cell
    share = by_zone[cells.zone[cell]]
    here = {"region": np.ones(len(cells.starts), dtype=bool)}
    here |= {zone.key: cells.zone[cell] == ix for ix, zone in enumerate(region.zones)}
    here |= {over.key: cells.in_overlay[ix][cell] for ix, over in enumerate(region.overlays)}
    alone = {zone.key: float(by_zone[ix]) for ix, zone in enumerate(region.zones)}
    figures = tuple(
        _figure(
            place,
            kind,
            supply[inside & giving],
            None if people is None else int(people[here[place]].sum()) / PEOPLE,
            alone.get(place, _mean_least(rule, share[here[place]], None if people is None else people[here[place]])),
        )
        for place, kind, inside in coverage.facilities_in()
    )
    level, met = None, np.full(len(coverage.cells.starts), UNKNOWN, np.int8)
    if people is not None and walks is not None and not elsewhere:
        limit = float(coverage.point_limit[coverage.keys.index(rule.service)].max())
        weigh, counted = decay_of(decay, limit), people / PEOPLE
        sure = catchment_access(walks, counted, np.nan_to_num(supply), method=method, decay=weigh)
        full = catchment_access(walks, counted, supply, method=method, decay=weigh)
        level = 1000 * np.nan_to_num(sure.value)
        enough = level >= share * (1 - _SLIP)
        met = np.where(enough, MET, np.where(np.isnan(full.value), UNKNOWN, NOT_MET)).astype(np.int8)
        met[~coverage.cells.judged] = UNKNOWN
        told = np.concatenate([[0], np.cumsum(~np.isnan(supply[walks.facility]))])[walks.ptr]
        nothing_told = (np.diff(told) == 0) & (np.diff(walks.ptr) > 0)
        level[~coverage.cells.judged | nothing_told] = np.nan
    return Capacity(key, rule, figures, level, met)


def _mean_least(rule: Norm, share: NDArray[np.float64], people: NDArray[np.int64] | None) -> float:
    """Average over the people what is asked of them: under renewal it is less."""
    if people is None or not people.sum():
        return rule.least
    some = share[people > 0]
    return float(some[0] if (some == some[0]).all() else (share * people).sum() / people.sum())


def _least(rule: Norm, renewal: bool) -> float:  # noqa: FBT001
    return rule.least * rule.renewal_share if renewal and rule.renewal_share is not None else rule.least


def _figure(
    zone: str, kind: Literal["region", "zone", "overlay"], supply: NDArray[np.float64], people: float | None,
    least: float,
) -> NormFigure:  # fmt: skip
    unknown = int(np.isnan(supply).sum())
    known = float(np.nansum(supply))
    some = people and (unknown < len(supply) or not len(supply))
    per_1000 = 1000 * known / people if some and people else None
    verdict: Literal["met", "not_met", "unknown"] = "unknown"
    if per_1000 is not None:
        verdict = "met" if per_1000 >= least * (1 - _SLIP) else "unknown" if unknown else "not_met"
    return NormFigure(zone, kind, known, len(supply), unknown, people, least, per_1000, verdict)
