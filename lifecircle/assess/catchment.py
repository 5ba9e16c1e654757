"""Floating catchment areas and kin: what each person has of the facilities within reach, from the sparse walks."""

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lifecircle.assess.decay import Binary, Decay
from lifecircle.errors import DataError
from lifecircle.profiles import TICKS
from lifecircle.reach.products import Pairs

LEAST_WEIGHT = 1e-100
"""A lighter walk counts as none, so that no supply is divided by next to nothing."""


@dataclass(frozen=True, eq=False, repr=False)
class Catchment:
    """Walks from demand points to facilities, each at its cost: a sparse matrix, a row for each point.

    A facility keeps its number when others are left out, so supply always has an entry for every facility.

    Attributes
    ----------
    ptr : (n_points + 1,) int64
        The walks of point ``i`` are ``ptr[i]`` up to ``ptr[i + 1]``.
    facility : (n_walks,) int32
        From 0 to ``n_facilities`` - 1; once for each point.
    cost : (n_walks,) float64, s or m
        Ascending for each point.
    n_facilities : int

    Raises
    ------
    DataError
        The arrays do not fit each other, a cost is negative or no number, or a facility stands twice at a point.
    """

    ptr: NDArray[np.int64]
    facility: NDArray[np.int32]
    cost: NDArray[np.float64]
    n_facilities: int

    def __post_init__(self) -> None:
        ptr, facility, cost = self.ptr, self.facility, self.cost
        kinds = [str(array.dtype) for array in (ptr, facility, cost)]
        if kinds != ["int64", "int32", "float64"]:
            raise DataError(f"pointers, facilities and costs came as {', '.join(kinds)}; need int64, int32, float64")
        if ptr.ndim != 1 or not ptr.size or ptr[0] != 0 or (np.diff(ptr) < 0).any():
            raise DataError("the pointers of the walks must be one row that starts at 0 and never falls")
        if facility.shape != (ptr[-1],) or cost.shape != (ptr[-1],):
            raise DataError(f"pointers to {ptr[-1]} walks, but {facility.size} facilities and {cost.size} costs")
        if facility.size and not 0 <= facility.min() <= facility.max() < self.n_facilities:
            raise DataError(f"a walk leads to a facility that is none of 0 to {self.n_facilities - 1}")
        if not np.isfinite(cost).all() or (cost < 0).any():
            raise DataError("a walk costs less than nothing, or no number; leave out what is not reached")
        falls = np.diff(cost) < 0
        falls[ptr[1:-1][(ptr[1:-1] > 0) & (ptr[1:-1] < cost.size)] - 1] = False
        if falls.any():
            raise DataError("the walks of a point must stand nearest first")
        if (np.diff(np.sort(self.point * max(self.n_facilities, 1) + facility)) == 0).any():
            raise DataError("a facility stands twice at one point; keep its nearest entrance")
        for array in (ptr, facility, cost):
            array.flags.writeable = False

    @classmethod
    def from_pairs(cls, pairs: Pairs, chosen: NDArray[np.bool_], *, within: float | None = None) -> "Catchment":
        """Take the walks to some facilities.

        Parameters
        ----------
        pairs : Pairs
            All walks of one cost.
        chosen : (n_facilities,) bool
            The facilities that count, say those of one service; what ``pairs.facility`` numbers.
        within : float, optional, s or m
            Only walks up to this cost. Default: as far as the search went.

        Raises
        ------
        DataError
            ``chosen`` does not speak of every facility.

        Examples
        --------
        >>> pairs = Pairs(np.array([0, 2, 3]), np.array([1, 0, 1], np.int32), np.array([3200, 9600, 32], np.int32))
        >>> Catchment.from_pairs(pairs, np.array([True, True]), within=200).cost
        array([100.,   1.])
        """
        chosen = np.asarray(chosen)
        if chosen.dtype != np.bool_ or chosen.ndim != 1 or pairs.facility.max(initial=-1) >= len(chosen):
            raise DataError(
                f"the choice of facilities came as {chosen.dtype} {chosen.shape}; need true or false for each of at "
                f"least {pairs.facility.max(initial=-1) + 1} facilities"
            )
        kept = chosen[pairs.facility]
        if within is not None:
            kept &= pairs.ticks <= within * TICKS
        walk = np.flatnonzero(kept)
        ptr = np.searchsorted(walk, pairs.ptr).astype(np.int64)
        return cls(ptr, pairs.facility[walk], pairs.ticks[walk] / TICKS, len(chosen))

    @classmethod
    def from_costs(cls, costs: ArrayLike) -> "Catchment":
        """Take the walks of a full matrix.

        Parameters
        ----------
        costs : (n_points, n_facilities) float64, s or m
            inf where a facility is not reached.

        Raises
        ------
        DataError
            The matrix has not two axes, or an entry is negative or NaN.

        Examples
        --------
        >>> walks = Catchment.from_costs([[300.0, 100.0], [np.inf, 500.0]])
        >>> walks.ptr, walks.facility, walks.cost
        (array([0, 2, 3]), array([1, 0, 1], dtype=int32), array([100., 300., 500.]))
        """
        full = np.asarray(costs, dtype=np.float64)
        if full.ndim != 2 or np.isnan(full).any():  # noqa: PLR2004
            raise DataError(
                f"costs came as {full.shape} with {np.isnan(full).sum()} NaN; need a full matrix, inf for none"
            )
        point, facility = np.nonzero(full < np.inf)
        order = np.lexsort((facility, full[point, facility], point))
        ptr = np.concatenate([[0], np.cumsum(np.bincount(point, minlength=len(full)))]).astype(np.int64)
        facility = facility[order]
        return cls(ptr, facility.astype(np.int32), full[point[order], facility], full.shape[1])

    @property
    def n_points(self) -> int:
        """Demand points."""
        return len(self.ptr) - 1

    @cached_property
    def point(self) -> NDArray[np.int64]:
        """Where each walk starts, (n_walks,) int64."""
        return np.repeat(np.arange(self.n_points), np.diff(self.ptr))

    def _repr_html_(self) -> str:
        return (
            f"<p>{len(self.facility):,} walks from {self.n_points:,} demand points to "
            f"{len(np.unique(self.facility)):,} facilities</p>"
        )


@dataclass(frozen=True, eq=False, repr=False)
class Access:
    """What each demand point has within reach, and of how many facilities nobody knows how much they offer.

    Attributes
    ----------
    value : (n_points,) float64
        In the unit of the supply, for each person where people share it. 0 where nothing is reached; NaN (unknown)
        where a facility is reached whose supply nobody knows, or that has no people to share it.
    reached : int
        Facilities within reach of some point.
    unknown : int
        Those of them whose supply nobody knows.
    level : (n_facilities,) float64 or None
        Supply of each facility for each person who comes; NaN where it is unknown or nobody comes. None for measures
        in which nobody shares.
    """

    value: NDArray[np.float64]
    reached: int
    unknown: int
    level: NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        for array in (self.value, self.level):
            if array is not None:
                array.flags.writeable = False


def two_step(catchment: Catchment, people: ArrayLike, supply: ArrayLike, *, limit: float) -> Access:
    """Share each facility's supply among all within a limit, and add up each person's shares (2SFCA).

    R_j = S_j / Σ P_k over the points k within the limit of j; A_i = Σ R_j over the facilities j within the limit of i.
    Σ A_i P_i is the supply of all facilities that somebody reaches.

    Parameters
    ----------
    catchment : Catchment
        A point that cannot be joined to the network has no walks and so reaches nothing: mask it yourself.
    people : (n_points,) number
        Finite, not negative. A point without people asks for nothing, and is told what a person there would have.
    supply : (n_facilities,) float64
        Not negative; NaN where unknown.
    limit : float, s or m

    Returns
    -------
    Access
        Supply for each person.

    Raises
    ------
    DataError
        The arrays do not fit the matrix, or hold a negative or infinite number.

    References
    ----------
    Luo, W. & Wang, F. (2003), Environment and Planning B 30:865-884, doi:10.1068/b29120.

    Examples
    --------
    Two doctors; the first is near to all 300 people, the second to the last 100 only.

    >>> walks = Catchment.from_costs([[300.0, np.inf], [600.0, 200.0]])
    >>> found = two_step(walks, [200, 100], [3.0, 2.0], limit=900)
    >>> found.value, found.level
    (array([0.01, 0.03]), array([0.01, 0.02]))
    >>> unsure = two_step(walks, [200, 100], [3.0, np.nan], limit=900)
    >>> unsure.value, unsure.unknown, unsure.reached
    (array([0.01,  nan]), 1, 2)
    """
    return enhanced(catchment, people, supply, decay=Binary(limit))


def enhanced(catchment: Catchment, people: ArrayLike, supply: ArrayLike, *, decay: Decay) -> Access:
    """Share supply and add up shares with weights that fall with the walk (E2SFCA).

    R_j = S_j / Σ P_k w_kj; A_i = Σ R_j w_ij. Σ A_i P_i is the supply of all facilities that somebody reaches.

    Parameters
    ----------
    catchment : Catchment
    people : (n_points,) number
        Finite, not negative.
    supply : (n_facilities,) float64
        Not negative; NaN where unknown.
    decay : Decay
        Walks weighing less than `LEAST_WEIGHT` do not count.

    Returns
    -------
    Access
        Supply for each person.

    Raises
    ------
    DataError
        As `two_step`, or a weight is negative or no number.

    References
    ----------
    Luo, W. & Qi, Y. (2009), Health & Place 15:1100-1107, doi:10.1016/j.healthplace.2009.06.002.

    Examples
    --------
    >>> from lifecircle.assess.decay import Steps
    >>> walks = Catchment.from_costs([[300.0], [700.0]])
    >>> enhanced(walks, [100, 200], [1.5], decay=Steps((600, 1200), (1.0, 0.25))).value
    array([0.01  , 0.0025])
    """
    walks = _weigh(catchment, decay)
    return _shared(catchment, walks, people, supply, out=walks.weight, back=walks.weight)


def three_step(catchment: Catchment, people: ArrayLike, supply: ArrayLike, *, decay: Decay) -> Access:
    """Share supply as `enhanced` does, each person asking more of what is nearer than all else in reach (3SFCA).

    G_ij = w_ij / Σ_j w_ij; R_j = S_j / Σ P_k G_kj w_kj; A_i = Σ R_j G_ij w_ij.

    Parameters
    ----------
    catchment, people, supply, decay
        As for `enhanced`.

    Returns
    -------
    Access
        Supply for each person.

    Raises
    ------
    DataError
        As `enhanced`.

    References
    ----------
    Wan, N., Zou, B. & Sternberg, T. (2012), Int. J. Geographical Information Science 26:1073-1089,
    doi:10.1080/13658816.2011.624987.

    Examples
    --------
    >>> walks = Catchment.from_costs([[300.0, np.inf], [300.0, 300.0]])
    >>> three_step(walks, [100, 200], [2.0, 1.0], decay=Binary(900)).value
    array([0.01, 0.01])
    """
    walks = _weigh(catchment, decay)
    weight = walks.of_point(catchment) * walks.weight
    return _shared(catchment, walks, people, supply, out=weight, back=weight)


def balanced(
    catchment: Catchment,
    people: ArrayLike,
    supply: ArrayLike,
    *,
    decay: Decay,
    conserve: Literal["level", "supply"],
) -> Access:
    """Share out every person once, and what the facilities offer once (balanced floating catchment areas).

    With p_ij = w_ij / Σ_j w_ij, the demand for a facility is D_j = Σ P_i p_ij, so that Σ D_j is everybody who reaches
    something, and its level of service L_j = S_j / D_j. The way back:

    - ``conserve="level"``, as published: A_i = Σ L_j q_ij with q_ij = w_ij / Σ_i w_ij, so that Σ A_i = Σ L_j, but not
      Σ A_i P_i = Σ S_j. A level of service is split among points, however many people each holds: cut a point in two,
      and each half has half.
    - ``conserve="supply"``, not in the paper: A_i = Σ L_j p_ij, so that Σ A_i P_i = Σ S_j. Cutting a point in two
      changes nothing: the one to use on a raster.

    Parameters
    ----------
    catchment, people, supply, decay
        As for `enhanced`.
    conserve : {"level", "supply"}

    Returns
    -------
    Access
        Supply for each person. The sums hold over the facilities to which people come.

    Raises
    ------
    DataError
        As `enhanced`, or ``conserve`` is neither.

    References
    ----------
    Páez, A., Higgins, C. D. & Vivona, S. F. (2019), PLoS ONE 14:e0218773, doi:10.1371/journal.pone.0218773.

    Examples
    --------
    >>> walks = Catchment.from_costs([[300.0, np.inf], [300.0, 300.0]])
    >>> found = balanced(walks, [100, 200], [4.0, 2.0], decay=Binary(900), conserve="supply")
    >>> found.value, float(found.value @ [100, 200])
    (array([0.02, 0.02]), 6.0)
    >>> balanced(walks, [100, 200], [4.0, 2.0], decay=Binary(900), conserve="level").value
    array([0.01, 0.03])
    """
    walks = _weigh(catchment, decay)
    of_point = walks.of_point(catchment)
    if conserve == "supply":
        back = of_point
    elif conserve == "level":
        back = walks.weight / _summed(walks.facility, walks.weight, catchment.n_facilities)[walks.facility]
    else:
        raise DataError(f"conserve came as {conserve!r}; need 'level' or 'supply'")
    return _shared(catchment, walks, people, supply, out=of_point, back=back)


def cumulative(catchment: Catchment, supply: ArrayLike, *, limit: float) -> Access:
    """Add up what the facilities within a limit offer, whoever else comes: A_i = Σ S_j over t_ij ≤ limit.

    Parameters
    ----------
    catchment : Catchment
    supply : (n_facilities,) float64
        Not negative; NaN where unknown; 1 for each counts facilities.
    limit : float, s or m

    Returns
    -------
    Access
        In the unit of the supply.

    Raises
    ------
    DataError
        The supply does not fit the matrix, or holds a negative or infinite number.

    References
    ----------
    Wachs, M. & Kumagai, T. G. (1973), Socio-Economic Planning Sciences 7:437-456, doi:10.1016/0038-0121(73)90041-4.

    Examples
    --------
    >>> walks = Catchment.from_costs([[300.0, 950.0], [600.0, 200.0], [np.inf, np.inf]])
    >>> cumulative(walks, [30.0, 5.0], limit=900).value
    array([30., 35.,  0.])
    """
    return gravity(catchment, supply, decay=Binary(limit))


def gravity(catchment: Catchment, supply: ArrayLike, *, decay: Decay) -> Access:
    """Add up what the facilities within reach offer, each weighed by its walk: A_i = Σ S_j w_ij.

    Parameters
    ----------
    catchment : Catchment
    supply : (n_facilities,) float64
        Not negative; NaN where unknown.
    decay : Decay
        Walks weighing less than `LEAST_WEIGHT` do not count.

    Returns
    -------
    Access
        In the unit of the supply.

    Raises
    ------
    DataError
        As `cumulative`, or a weight is negative or no number.

    References
    ----------
    Hansen, W. G. (1959), J. American Institute of Planners 25:73-76, doi:10.1080/01944365908978307.

    Examples
    --------
    >>> from lifecircle.assess.decay import Exponential
    >>> walks = Catchment.from_costs([[0.0, 600.0]])
    >>> gravity(walks, [2.0, 1.0], decay=Exponential(1 / 600)).value.round(3)
    array([2.368])
    """
    walks = _weigh(catchment, decay)
    offered = _supply(catchment, supply)
    value = _summed(walks.point, walks.weight * offered[walks.facility], catchment.n_points)
    reached = np.bincount(walks.facility, minlength=catchment.n_facilities) > 0
    return Access(value, int(reached.sum()), int((reached & np.isnan(offered)).sum()))


def nearest_mean(catchment: Catchment, k: int) -> NDArray[np.float64]:
    """Average the costs of the walks to the ``k`` nearest facilities.

    Parameters
    ----------
    catchment : Catchment
    k : int
        Bruno et al. take 20 for each of nine categories.

    Returns
    -------
    (n_points,) float64, s or m
        NaN where fewer than ``k`` facilities are within the search's cutoff: the mean is unknown then, and the mean of
        those that were found would be too small. It is never given.

    Raises
    ------
    DataError
        ``k`` is less than 1.

    References
    ----------
    Bruno, M., Melo, H. P. M., Campanelli, B. & Loreto, V. (2024), Nature Cities 1:633-641,
    doi:10.1038/s44284-024-00119-4.

    Examples
    --------
    >>> nearest_mean(Catchment.from_costs([[300.0, 100.0, 900.0], [50.0, np.inf, np.inf]]), 2)
    array([200.,  nan])
    """
    if k < 1:
        raise DataError(f"the mean of the nearest {k} facilities; need at least 1")
    enough = np.flatnonzero(np.diff(catchment.ptr) >= k)
    mean = np.full(catchment.n_points, np.nan)
    if enough.size:  # k may be more than all the walks there are
        mean[enough] = catchment.cost[catchment.ptr[enough, None] + np.arange(k)].mean(axis=1)
    return mean


def count_within(catchment: Catchment, limit: float) -> NDArray[np.int64]:
    """Count the facilities within a limit.

    Parameters
    ----------
    catchment : Catchment
    limit : float, s or m

    Returns
    -------
    (n_points,) int64

    Examples
    --------
    >>> count_within(Catchment.from_costs([[300.0, 950.0], [np.inf, np.inf]]), 900)
    array([1, 0])
    """
    return np.bincount(catchment.point[catchment.cost <= limit], minlength=catchment.n_points)


@dataclass(frozen=True, eq=False, repr=False)
class _Walks:
    """Walks that count: where from, where to, and their weight, > 0; (n,) each."""

    point: NDArray[np.int64]
    facility: NDArray[np.int32]
    weight: NDArray[np.float64]

    def of_point(self, catchment: Catchment) -> NDArray[np.float64]:
        """Weights as shares of all the weights of their point."""
        return self.weight / _summed(self.point, self.weight, catchment.n_points)[self.point]


def _weigh(catchment: Catchment, decay: Decay) -> _Walks:
    with np.errstate(over="ignore"):  # what comes of it is refused
        weight = np.asarray(decay(catchment.cost), dtype=np.float64)
    if weight.shape != catchment.cost.shape or not np.isfinite(weight).all() or (weight < 0).any():
        raise DataError(f"{decay} gives weights that are negative or no numbers, or not one for each walk")
    kept = weight >= LEAST_WEIGHT
    return _Walks(catchment.point[kept], catchment.facility[kept], weight[kept])


def _shared(
    catchment: Catchment,
    walks: _Walks,
    people: ArrayLike,
    supply: ArrayLike,
    *,
    out: NDArray[np.float64],
    back: NDArray[np.float64],
) -> Access:
    """Divide each facility's supply by the people who come, and hand it back to them.

    Parameters
    ----------
    out, back : (n_walks,) float64
        Weights of the walks for the people who go, and for what they get.
    """
    crowd, offered = _people(catchment, people), _supply(catchment, supply)
    n = catchment.n_facilities
    demand = _summed(walks.facility, crowd[walks.point] * out, n)
    level = np.divide(offered, demand, out=np.full(n, np.nan), where=demand > 0)
    value = _summed(walks.point, back * level[walks.facility], catchment.n_points)
    reached = np.bincount(walks.facility, minlength=n) > 0
    return Access(value, int(reached.sum()), int((reached & np.isnan(offered)).sum()), level)


def _summed(place: NDArray[np.integer], weight: NDArray[np.float64], n: int) -> NDArray[np.float64]:
    return np.asarray(np.bincount(place, weights=weight, minlength=n), dtype=np.float64)


def _people(catchment: Catchment, people: ArrayLike) -> NDArray[np.float64]:
    found = np.asarray(people, dtype=np.float64)
    if found.shape != (catchment.n_points,) or not np.isfinite(found).all() or (found < 0).any():
        raise DataError(
            f"people came as {found.shape}; need a finite number that is not negative for each of "
            f"{catchment.n_points} points"
        )
    return found


def _supply(catchment: Catchment, supply: ArrayLike) -> NDArray[np.float64]:
    found = np.asarray(supply, dtype=np.float64)
    if found.shape != (catchment.n_facilities,) or np.isinf(found).any() or (found < 0).any():
        raise DataError(
            f"supply came as {found.shape}; need a finite number that is not negative, or NaN for unknown, for each of "
            f"{catchment.n_facilities} facilities"
        )
    return found
