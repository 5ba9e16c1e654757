"""Chinese datums: GCJ-02 of Amap and Tencent and BD-09 of Baidu, to WGS84 and from it.

The formulas are public knowledge by way of open converters, not a published norm (status: secondary). Forward is exact
by definition; back is found by repetition, to less than a millimetre.
"""

from collections.abc import Callable
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Datum = Literal["wgs84", "gcj02", "bd09"]

IN_FORCE = (72.004, 0.8293, 137.8347, 55.8271)
"""West, south, east and north beyond which converters leave coordinates as they are, degrees."""

_A, _EE = 6378245.0, 0.00669342162296594323  # Krasovsky 1940, as the converters have it
_TURN = np.pi * 3000 / 180
_ROUNDS = 8


def in_force(lon: float, lat: float) -> bool:
    """Say whether GCJ-02 is used at a place (by the box of converters, which holds more than mainland China)."""
    west, south, east, north = IN_FORCE
    return west <= lon <= east and south <= lat <= north


def to_gcj02(lon: Floats, lat: Floats) -> tuple[Floats, Floats]:
    """WGS84 to GCJ-02.

    Parameters
    ----------
    lon, lat : (n,) float64, degrees

    Returns
    -------
    lon, lat : (n,) float64, degrees
        At Dishui Lake 391 m east and 262 m south of what was given.
    """
    x, y = lon - 105.0, lat - 35.0
    waves = 20 * np.sin(6 * np.pi * x) + 20 * np.sin(2 * np.pi * x)
    north = -100 + 2 * x + 3 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * np.sqrt(np.abs(x))
    north += (waves + 20 * np.sin(np.pi * y) + 40 * np.sin(np.pi * y / 3)) * 2 / 3
    north += (160 * np.sin(np.pi * y / 12) + 320 * np.sin(np.pi * y / 30)) * 2 / 3
    east = 300 + x + 2 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * np.sqrt(np.abs(x))
    east += (waves + 20 * np.sin(np.pi * x) + 40 * np.sin(np.pi * x / 3)) * 2 / 3
    east += (150 * np.sin(np.pi * x / 12) + 300 * np.sin(np.pi * x / 30)) * 2 / 3
    phi = np.radians(lat)
    flat = 1 - _EE * np.sin(phi) ** 2
    radius_north, radius_east = _A * (1 - _EE) / flat**1.5, _A / np.sqrt(flat) * np.cos(phi)
    return lon + np.degrees(east / radius_east), lat + np.degrees(north / radius_north)


def to_bd09(lon: Floats, lat: Floats) -> tuple[Floats, Floats]:
    """WGS84 to BD-09, which is a further shift of GCJ-02; as `to_gcj02`."""
    x, y = to_gcj02(lon, lat)
    far = np.hypot(x, y) + 0.00002 * np.sin(y * _TURN)
    angle = np.arctan2(y, x) + 0.000003 * np.cos(x * _TURN)
    return far * np.cos(angle) + 0.0065, far * np.sin(angle) + 0.006


def _same(lon: Floats, lat: Floats) -> tuple[Floats, Floats]:
    return lon, lat


SHIFTS: dict[str, Callable[[Floats, Floats], tuple[Floats, Floats]]] = {
    "wgs84": _same, "gcj02": to_gcj02, "bd09": to_bd09,
}  # fmt: skip
"""From WGS84, by the datum that is made."""


def to_wgs84(lon: Floats, lat: Floats, datum: Datum) -> tuple[Floats, Floats]:
    """Bring degrees of a datum to WGS84; the inverse of `SHIFTS`, to less than a millimetre."""
    shift = SHIFTS[datum]
    x, y = lon, lat
    for _ in range(_ROUNDS):
        there = shift(x, y)
        x, y = x + (lon - there[0]), y + (lat - there[1])
    return x, y
