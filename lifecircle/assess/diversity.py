"""How much choice is within reach, and how evenly it is spread over the services."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lifecircle.errors import DataError

CHOICES = ("0", "1", "2-4", "5-10", "11+")
"""Classes of choice, by the number of facilities within reach (after Mouratidis, read second-hand)."""
_CHOICE_FROM = np.array([1, 2, 5, 11])

UNKNOWN = -1


def choice_class(count: ArrayLike) -> NDArray[np.int8]:
    """Class numbers of facilities by how much choice they give.

    Parameters
    ----------
    count : int array of any shape
        Facilities within reach; negative where unknown.

    Returns
    -------
    int8 array of the same shape
        Position in `CHOICES`; -1 where unknown.

    Raises
    ------
    DataError
        The counts are no whole numbers.

    Examples
    --------
    >>> [CHOICES[k] for k in choice_class([0, 1, 4, 5, 10, 11])], choice_class([-1])
    (['0', '1', '2-4', '5-10', '5-10', '11+'], array([-1], dtype=int8))
    """
    counts = np.asarray(count)
    if counts.size and not np.issubdtype(counts.dtype, np.integer):
        raise DataError(f"counts came as {counts.dtype}; need whole numbers, negative where unknown")
    classes = np.searchsorted(_CHOICE_FROM, counts, side="right")
    return np.where(counts < 0, UNKNOWN, classes).astype(np.int8)


def shannon(amount: ArrayLike, *, normalised: bool = True) -> NDArray[np.float64]:
    """Say how evenly what is within reach is spread over the services: H = -Σ p ln p.

    Parameters
    ----------
    amount : (n_services, n_points) number
        Facilities (or supply) within reach; NaN where unknown.
    normalised : bool
        Divide by ln(n_services): 1 is as much of every service, whatever their number.

    Returns
    -------
    (n_points,) float64
        0 where one service is all there is, and where there is nothing; NaN where an amount is unknown.

    Raises
    ------
    DataError
        An amount is negative or infinite, or a single service is to be normalised.

    References
    ----------
    Shannon, C. E. (1948), Bell System Technical Journal 27:379-423, doi:10.1002/j.1538-7305.1948.tb01338.x.

    Examples
    --------
    >>> shannon([[3, 5, 0], [3, 0, 0]])
    array([1., 0., 0.])
    """
    amounts = np.asarray(amount, dtype=np.float64)
    if amounts.ndim != 2 or np.isinf(amounts).any() or (amounts < 0).any():  # noqa: PLR2004
        raise DataError(f"amounts came as {amounts.shape}; need services by points, finite and not negative")
    if normalised and len(amounts) < 2:  # noqa: PLR2004
        raise DataError(f"a mix of {len(amounts)} services cannot be normalised; need at least 2")
    total = amounts.sum(axis=0)
    share = np.divide(amounts, total, out=np.zeros_like(amounts), where=total != 0)
    log = np.log(share, out=np.zeros_like(share), where=share > 0)
    entropy = np.maximum(-(share * log).sum(axis=0), 0.0)  # of 1 it would be -0
    return np.asarray(entropy / np.log(len(amounts)) if normalised else entropy)
