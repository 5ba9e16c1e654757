"""How evenly people have something: inequality measures weighted by people, enough or not, and gaps between groups."""

from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lifecircle.errors import DataError

Kind = Literal["good", "bad"]
"""Of a good (access) more is better, of a bad (a walk) less."""


def lorenz(
    values: ArrayLike, people: ArrayLike, *, cap: float | None = None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Trace what share of everything the poorest have: the Lorenz curve.

    Everywhere in this module a place without people does not count, whatever its value.

    Parameters
    ----------
    values : (n,) number
        What each person of a place has; not negative.
    people : (n,) number
        How many people have it; finite, not negative.
    cap : float, optional, unit of the values
        Larger values, infinite ones too, count as this one. Without it an infinite value is refused; NaN always is.

    Returns
    -------
    people_share, value_share : (m + 1,) float64
        From (0, 0) to (1, 1), straight between, convex. Both empty where there are no people or nobody has anything.

    Raises
    ------
    DataError
        A value is unknown (NaN), infinite without a cap, or negative; or the arrays do not fit.

    References
    ----------
    Lorenz, M. O. (1905), Publications of the American Statistical Association 9:209-219, doi:10.2307/2276207.

    Examples
    --------
    >>> lorenz([3.0, 1.0], [1, 1])
    (array([0. , 0.5, 1. ]), array([0.  , 0.25, 1.  ]))
    """
    value, weight = _sorted(values, people, cap)
    had = np.cumsum(value * weight)
    if not had.size or had[-1] == 0:
        return np.zeros(0), np.zeros(0)
    crowd = np.cumsum(weight)
    return np.concatenate([[0.0], crowd / crowd[-1]]), np.concatenate([[0.0], had / had[-1]])


def gini(values: ArrayLike, people: ArrayLike, *, cap: float | None = None) -> float:
    """Give the area between the Lorenz curve and equality, over the area below equality: the Gini coefficient.

    Parameters
    ----------
    values, people, cap
        As for `lorenz`.

    Returns
    -------
    float
        0 where all have the same; 1 - 1/n where one of n has everything. NaN where there are no people or nobody has
        anything.

    Raises
    ------
    DataError
        As `lorenz`.

    References
    ----------
    Lerman, R. I. & Yitzhaki, S. (1989), J. Econometrics 42:43-47, doi:10.1016/0304-4076(89)90033-1 (with weights).

    Examples
    --------
    >>> gini([7.0, 7.0], [10, 90]), gini([0.0, 5.0], [3, 1])
    (0.0, 0.75)
    """
    value, weight = _sorted(values, people, cap)
    if not (value > 0).any():
        return float("nan")
    # Each against the poorest, so that what is equal gives exactly nothing.
    total = weight.sum()
    rank = 2 * np.cumsum(weight) - weight - total  # people poorer less people richer
    return float(max(0.0, (weight * (value - value[0]) * rank).sum() / (weight * value).sum() / total))


def palma(values: ArrayLike, people: ArrayLike, *, cap: float | None = None) -> float:
    """Divide what the richest tenth of the people have by what the poorest four tenths have: the Palma ratio.

    A place that straddles a border counts in parts.

    Parameters
    ----------
    values, people, cap
        As for `lorenz`. Of a bad it is the worst off tenth over the best off four tenths.

    Returns
    -------
    float
        1/4 where all have the same; inf where the poorest have nothing; NaN where there are no people or nobody has
        anything.

    Raises
    ------
    DataError
        As `lorenz`.

    References
    ----------
    Palma, J. G. (2011), Development and Change 42:87-153, doi:10.1111/j.1467-7660.2011.01646.x.

    Examples
    --------
    >>> palma([1.0, 2.0], [9, 1]), palma([0.0, 2.0], [9, 1])
    (0.5, inf)
    """
    value, weight = _sorted(values, people, cap)
    total = weight.sum()
    if not (value > 0).any():
        return float("nan")
    end = np.cumsum(weight)
    # Counted from the rich end too, so that a few rich places are not the difference of two large sums.
    poor = (np.clip(4 * total / 10 - (end - weight), 0.0, weight) * value).sum()
    above = np.cumsum(weight[::-1])[::-1]
    rich = (np.clip(total / 10 - (above - weight), 0.0, weight) * value).sum()
    return float(rich / poor) if poor > 0 else float("inf")


def theil(values: ArrayLike, people: ArrayLike, *, cap: float | None = None) -> float:
    """Give Theil's T: the mean of (x/μ) ln(x/μ), nothing counting 0.

    Parameters
    ----------
    values, people, cap
        As for `lorenz`.

    Returns
    -------
    float
        0 where all have the same; ln n where one of n has everything. NaN where there are no people or nobody has
        anything.

    Raises
    ------
    DataError
        As `lorenz`.

    References
    ----------
    Theil, H. (1967), Economics and Information Theory, North-Holland, chapter 4.

    Examples
    --------
    >>> theil([7.0, 7.0], [10, 90]), round(theil([0.0, 5.0], [3, 1]), 6)
    (0.0, 1.386294)
    """
    value, weight = _sorted(values, people, cap)
    if not (value > 0).any():
        return float("nan")
    relative = value / _mean(value, weight)
    log = np.log(relative, out=np.zeros_like(relative), where=relative > 0)
    return float(max(0.0, (weight * relative * log).sum() / weight.sum()))


def ratio_90_10(values: ArrayLike, people: ArrayLike, *, cap: float | None = None) -> float:
    """Divide the ninth decile by the first.

    A decile is the smallest value that at least so many tenths of the people do not exceed; no value is made up between
    two.

    Parameters
    ----------
    values, people, cap
        As for `lorenz`.

    Returns
    -------
    float
        1 where all have the same; inf where the first decile is 0; NaN where there are no people or both are 0.

    Raises
    ------
    DataError
        As `lorenz`.

    Examples
    --------
    >>> ratio_90_10([1.0, 2.0, 6.0], [1, 7, 2]), ratio_90_10([0.0, 2.0], [1, 9])
    (6.0, inf)
    """
    value, weight = _sorted(values, people, cap)
    if not value.size:
        return float("nan")
    end = np.cumsum(weight)
    # Tenfold, so that whole people (or parts of 1024) are compared without rounding.
    low, high = (float(value[np.argmax(10 * end >= tenths * end[-1])]) for tenths in (1, 9))
    if low > 0:
        return high / low
    return float("inf") if high > 0 else float("nan")


def kolm_pollak_kappa(
    values: ArrayLike, people: ArrayLike, *, beta: float, kind: Kind, cap: float | None = None
) -> float:
    """Turn an aversion to inequality into the κ of `kolm_pollak`: κ = β Σx / Σx², negative for a bad.

    Whoever compares groups, zones or years takes one κ for all of them, that of everybody together.

    Parameters
    ----------
    values, people, cap
        As for `lorenz`.
    beta : float
        Aversion to inequality, > 0 (the ε of Atkinson).
    kind : {"good", "bad"}

    Returns
    -------
    float, 1 / unit of the values
        NaN where there are no people; 0 where nobody has anything.

    Raises
    ------
    DataError
        As `lorenz`, or ``beta`` or ``kind`` is none.

    References
    ----------
    Logan, T. M. et al. (2021), Computers, Environment and Urban Systems 86:101590,
    doi:10.1016/j.compenvurbsys.2020.101590; Sheriff, G. & Maguire, K. B. (2020), Risk Analysis, doi:10.1111/risa.13562.

    Examples
    --------
    >>> kolm_pollak_kappa([10.0, 20.0], [1, 1], beta=1, kind="bad")
    -0.06
    """
    if not np.isfinite(beta) or beta <= 0:
        raise DataError(f"beta came as {beta}; need a finite number above 0 (a bad is named by its kind)")
    sign = {"good": 1.0, "bad": -1.0}[_kind(kind)]
    value, weight = _sorted(values, people, cap)
    if not value.size:
        return float("nan")
    most = value[-1]
    if most == 0:
        return 0.0
    part = value / most  # squares neither overflow nor vanish
    return float(sign * beta * (weight * part).sum() / (weight * part**2).sum() / most)


def kolm_pollak(values: ArrayLike, people: ArrayLike, *, kappa: float, cap: float | None = None) -> float:
    """Give the amount that, had by all alike, were as good as what they have: EDE = -ln(mean(exp(-κx))) / κ.

    Below the mean for a good (κ > 0), above it for a bad (κ < 0); the difference is what inequality costs.

    Parameters
    ----------
    values, people, cap
        As for `lorenz`.
    kappa : float, 1 / unit of the values
        From `kolm_pollak_kappa`. 0 gives the mean.

    Returns
    -------
    float, unit of the values
        NaN where there are no people.

    Raises
    ------
    DataError
        As `lorenz`, or ``kappa`` is not finite.

    References
    ----------
    Kolm, S.-C. (1976), J. Economic Theory 12:416-442, doi:10.1016/0022-0531(76)90037-5; for goods and bads Sheriff, G.
    & Maguire, K. B. (2020), Risk Analysis, doi:10.1111/risa.13562.

    Examples
    --------
    >>> minutes, people = [10.0, 20.0], [1, 1]
    >>> kappa = kolm_pollak_kappa(minutes, people, beta=1, kind="bad")
    >>> round(kolm_pollak(minutes, people, kappa=kappa), 3)
    15.739
    """
    value, weight = _sorted(values, people, cap)
    if not value.size:
        return float("nan")
    if not np.isfinite(kappa):
        raise DataError(f"kappa came as {kappa}; need a finite number")
    mean = _mean(value, weight)
    off = -kappa * (value - mean)
    top = off.max()
    if top == 0:  # all alike, or kappa is nothing
        return mean
    if top < 1:  # nothing cancels however small kappa is
        log = np.log1p((weight * np.expm1(off)).sum() / weight.sum())
    else:
        log = top + np.log((weight * np.exp(off - top)).sum() / weight.sum())
    return float(mean - log / kappa)


@dataclass(frozen=True)
class Portion:
    """Some people of all.

    Attributes
    ----------
    met, total : float, unit of the people given
    """

    met: float
    total: float

    @property
    def share(self) -> float | None:
        """Met over total; None where there is nobody."""
        return self.met / self.total if self.total else None


def sufficiency(values: ArrayLike, people: ArrayLike, *, level: float, kind: Kind) -> Portion:
    """Count the people who have enough: of a good at least the level, of a bad at most.

    Parameters
    ----------
    values : (n,) number
        What each person of a place has; may be infinite, for that can be compared with a level.
    people : (n,) number
        Finite, not negative.
    level : float, unit of the values
    kind : {"good", "bad"}

    Returns
    -------
    Portion

    Raises
    ------
    DataError
        A value is unknown (NaN) where there are people, the level is NaN, or the arrays do not fit.

    Examples
    --------
    >>> sufficiency([300.0, np.inf], [30, 10], level=900, kind="bad").share
    0.75
    """
    value, weight = _checked(values, people)
    if np.isnan(level):
        raise DataError("the level of sufficiency is NaN; need a number")
    enough = value >= level if _kind(kind) == "good" else value <= level
    return Portion(float(weight[enough].sum()), float(weight.sum()))


@dataclass(frozen=True)
class Gap:
    """Coverage of one group against another.

    Attributes
    ----------
    group, other : Portion

    Examples
    --------
    Half of the seniors, at their pace, and nine in ten adults walk to a clinic in 15 minutes.

    >>> seniors = sufficiency([700.0, 1000.0], [10, 10], level=900, kind="bad")
    >>> adults = sufficiency([550.0, 950.0], [90, 10], level=900, kind="bad")
    >>> gap = Gap(seniors, adults)
    >>> round(gap.difference, 3), round(gap.ratio, 3)
    (-0.4, 0.556)
    """

    group: Portion
    other: Portion

    @property
    def difference(self) -> float | None:
        """Share of the group less that of the other, -1 to 1; None where one of them is nobody."""
        if self.group.share is None or self.other.share is None:
            return None
        # One fraction, rounded once: equal shares differ by nothing.
        return float(_exact(self.group) - _exact(self.other))

    @property
    def ratio(self) -> float | None:
        """Share of the group over that of the other; None where one is nobody, or nobody of the other has it."""
        if self.group.share is None or not self.other.share:
            return None
        return float(_exact(self.group) / _exact(self.other))


def _exact(portion: Portion) -> Fraction:
    return Fraction(portion.met) / Fraction(portion.total)


def _kind(kind: str) -> Kind:
    if kind == "good":
        return "good"
    if kind == "bad":
        return "bad"
    raise DataError(f"kind came as {kind!r}; need 'good' (more is better) or 'bad' (less is)")


def _mean(value: NDArray[np.float64], weight: NDArray[np.float64]) -> float:
    """Mean, never outside the values: what is alike has exactly its value as mean."""
    return float(value[0] + (weight * (value - value[0])).sum() / weight.sum())


def _checked(values: ArrayLike, people: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Values and people of the places that have people; refuse what is unknown."""
    value, weight = np.asarray(values, dtype=np.float64), np.asarray(people, dtype=np.float64)
    if value.ndim != 1 or value.shape != weight.shape:
        raise DataError(f"values came as {value.shape} and people as {weight.shape}; need one of each for every place")
    if not np.isfinite(weight).all() or (weight < 0).any():
        raise DataError(
            "people are infinite, unknown or negative somewhere; need a finite number from 0 for every place"
        )
    lived = weight > 0
    value, weight = value[lived], weight[lived]
    _refuse(np.isnan(value), weight, "unknown (NaN); leave them out and say how many they are")
    return value, weight


def _refuse(which: NDArray[np.bool_], weight: NDArray[np.float64], why: str) -> None:
    if which.any():
        share = weight[which].sum() / weight.sum()
        raise DataError(f"the value of {which.sum():,} of {len(which):,} places ({share:.1%} of the people) is {why}")


def _sorted(values: ArrayLike, people: ArrayLike, cap: float | None) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Values ascending, with their people, capped; the same for any order of the places."""
    value, weight = _checked(values, people)
    if cap is not None:
        if not np.isfinite(cap) or cap < 0:
            raise DataError(f"the cap came as {cap}; need a finite number from 0")
        value = np.minimum(value, cap)
    _refuse(np.isinf(value), weight, "infinite (not reached); state a cap, or leave them out and say how many they are")
    _refuse(value < 0, weight, "negative; need values from 0")
    order = np.lexsort((weight, value))
    return value[order], weight[order]
