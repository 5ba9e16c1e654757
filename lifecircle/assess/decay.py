"""How much a walk counts, by what it costs: the decays of floating catchments and of gravity."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lifecircle.errors import DataError

Decay = Callable[[NDArray[np.float64]], NDArray[np.float64]]
"""Gives a walk of some cost, (n,) float64, s or m, its weight, (n,) float64, finite and not negative."""


@dataclass(frozen=True)
class Binary:
    """Weigh every walk up to a limit 1, any longer 0 (Luo & Wang 2003, doi:10.1068/b29120).

    Attributes
    ----------
    limit : float, s or m

    Examples
    --------
    >>> Binary(900)(np.array([0.0, 900.0, 901.0]))
    array([1., 1., 0.])
    """

    limit: float

    def __post_init__(self) -> None:
        _positive("limit", self.limit, least=True)

    def __call__(self, cost: NDArray[np.float64]) -> NDArray[np.float64]:
        """Weigh walks, (n,) float64 each."""
        return (cost <= self.limit).astype(np.float64)


@dataclass(frozen=True)
class Steps:
    """Weigh walks by bands of cost (Luo & Qi 2009, doi:10.1016/j.healthplace.2009.06.002).

    Attributes
    ----------
    breaks : sequence of float, s or m
        Upper ends of the bands, each belonging to its band; ascending. Beyond the last the weight is 0.
    weights : sequence of float
        One for each band, not rising.

    Examples
    --------
    >>> Steps((600, 1200, 1800), (1, 0.68, 0.22))(np.array([600.0, 601.0, 1800.0, 1801.0]))
    array([1.  , 0.68, 0.22, 0.  ])
    """

    breaks: Sequence[float]
    weights: Sequence[float]

    def __post_init__(self) -> None:
        breaks, weights = np.asarray(self.breaks, dtype=np.float64), np.asarray(self.weights, dtype=np.float64)
        if not breaks.size or breaks.ndim != 1 or breaks.shape != weights.shape:
            raise DataError(f"{breaks.size} breaks and {weights.size} weights; need as many, and one at least")
        if not (np.isfinite(breaks).all() and breaks[0] >= 0 and (np.diff(breaks) > 0).all()):
            raise DataError(f"breaks came as {self.breaks}; they must not be negative, and rise")
        if not (np.isfinite(weights).all() and weights[-1] >= 0 and (np.diff(weights) <= 0).all()):
            raise DataError(f"weights came as {self.weights}; they must not be negative, nor rise with the walk")

    def __call__(self, cost: NDArray[np.float64]) -> NDArray[np.float64]:
        """Weigh walks, (n,) float64 each."""
        band = np.searchsorted(np.asarray(self.breaks, dtype=np.float64), cost, side="left")
        return np.append(np.asarray(self.weights, dtype=np.float64), 0.0)[band]


@dataclass(frozen=True)
class Gaussian:
    """Weigh a walk ``t`` by exp(-t² / 2σ²), so that 0 weighs 1; no limit of its own (as PySAL access 1.1.10 does).

    Attributes
    ----------
    sigma : float, s or m

    Examples
    --------
    >>> Gaussian(600)(np.array([0.0, 600.0])).round(4)
    array([1.    , 0.6065])
    """

    sigma: float

    def __post_init__(self) -> None:
        _positive("sigma", self.sigma)

    def __call__(self, cost: NDArray[np.float64]) -> NDArray[np.float64]:
        """Weigh walks, (n,) float64 each."""
        return np.exp(-((cost / self.sigma) ** 2) / 2)


@dataclass(frozen=True)
class BoundedGaussian:
    """Weigh a walk ``t`` by (exp(-(t/T)²/2) - exp(-1/2)) / (1 - exp(-1/2)): 1 at 0, falling to 0 at the limit ``T``.

    The form most Chinese studies use (Dai 2010, doi:10.1016/j.healthplace.2010.06.012).

    Attributes
    ----------
    limit : float, s or m
        The longest walk that counts; itself it weighs 0.

    Examples
    --------
    >>> BoundedGaussian(900)(np.array([0.0, 450.0, 900.0, 1000.0])).round(4)
    array([1.    , 0.7014, 0.    , 0.    ])
    """

    limit: float

    def __post_init__(self) -> None:
        _positive("limit", self.limit)

    def __call__(self, cost: NDArray[np.float64]) -> NDArray[np.float64]:
        """Weigh walks, (n,) float64 each."""
        # The same fraction times exp(1/2), in which nothing cancels and no weight falls below 0.
        share = np.minimum(cost / self.limit, 1.0)
        return np.asarray(np.expm1((1 - share) * (1 + share) / 2) / np.expm1(0.5))


@dataclass(frozen=True)
class Exponential:
    """Weigh a walk ``t`` by exp(-βt); no limit of its own (Wilson 1971, doi:10.1068/a030001).

    Attributes
    ----------
    rate : float, 1/s or 1/m
        β.

    Examples
    --------
    >>> Exponential(1 / 600)(np.array([0.0, 600.0])).round(4)
    array([1.    , 0.3679])
    """

    rate: float

    def __post_init__(self) -> None:
        _positive("rate", self.rate)

    def __call__(self, cost: NDArray[np.float64]) -> NDArray[np.float64]:
        """Weigh walks, (n,) float64 each."""
        return np.exp(-self.rate * cost)


@dataclass(frozen=True)
class InversePower:
    """Weigh a walk ``t`` by (max(t, least) / scale)^-β; no limit of its own.

    After Hansen (1959), doi:10.1080/01944365908978307.

    Attributes
    ----------
    exponent : float
        β.
    least : float, s or m
        Shorter walks weigh as much as this one: without it the door next to one's own would weigh infinitely.
    scale : float, s or m
        The walk that weighs 1.

    Examples
    --------
    >>> InversePower(2, least=60, scale=60)(np.array([0.0, 60.0, 600.0]))
    array([1.  , 1.  , 0.01])
    """

    exponent: float
    least: float
    scale: float = 1.0

    def __post_init__(self) -> None:
        for name in ("exponent", "least", "scale"):
            _positive(name, getattr(self, name))

    def __call__(self, cost: NDArray[np.float64]) -> NDArray[np.float64]:
        """Weigh walks, (n,) float64 each."""
        return (np.maximum(cost, self.least) / self.scale) ** -self.exponent


def _positive(name: str, value: float, *, least: bool = False) -> None:
    """Refuse a parameter that is no finite number above nothing; nothing itself will do if ``least``."""
    if not np.isfinite(value) or value < 0 or (value == 0 and not least):
        raise DataError(f"{name} came as {value}; need a finite number {'from' if least else 'above'} 0")
