"""What a picture of a region shows: all of it, or far parts moved beside the others where that is much larger."""

from itertools import product
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

Bounds = tuple[float, float, float, float]
"""West, south, east and north in the metre CRS."""
Frame = tuple[float, float, float, float]
"""Left and upper end, width and height in points, from a figure's upper left corner."""

_INSETS, _GAIN = 3, 0.8  # how many parts may be moved, and what becomes of the scale at most with each
_SMALL = 0.2  # of the region's area: what is larger stays in its place
_COVERED = 0.02  # of an inset that may lie on the region


def windows(zones: NDArray[np.object_], frame: Frame, k: float) -> tuple[Bounds, list[tuple[Frame, Bounds]]]:
    """Choose what a frame shows: all zones, or most of them and small far parts in insets, where that is much larger.

    Returns
    -------
    bounds : west, south, east and north of the frame
    insets : frames with their bounds, at the same scale
    """
    kept = list(shapely.get_parts(shapely.union_all(shapely.buffer(zones, 1.0))))
    tries: list[tuple[list[Any], list[Any]]] = [(kept, [])]
    while len(kept) > 1 and len(tries) <= _INSETS:
        small = [part for part in kept if part.area < _SMALL * sum(one.area for one in kept)]
        ways = [(_scale(rest, *frame[2:]), ix, rest) for ix, part in enumerate(small)
                for rest in ([one for one in kept if one is not part],)]  # fmt: skip
        if not ways or min(ways)[0] > _GAIN * _scale(kept, *frame[2:]):
            break
        _, which, kept = min(ways)
        tries.append((kept, [*tries[-1][1], small[which]]))
    for near, far in tries[:0:-1]:
        if (insets := _placed(near, far, frame, k)) is not None:
            return _around(near, *frame[2:])[0], insets
    return _around(tries[0][0], *frame[2:])[0], []


def _placed(near: list[Any], far: list[Any], frame: Frame, k: float) -> list[tuple[Frame, Bounds]] | None:
    """Find room for parts that lie far off in a frame around the others; None where there is none."""
    left, top, wide, high = frame
    bounds, scale = _around(near, wide, high)
    unit = k * scale
    taken = [
        shapely.box(bounds[0], bounds[1], bounds[0] + 0.27 * scale * wide, bounds[1] + 34 * unit),  # the scale bar
        shapely.box(bounds[2] - 44 * unit, bounds[3] - 66 * unit, bounds[2], bounds[3]),  # north
    ]
    found: list[tuple[Frame, Bounds]] = []
    for part in far:
        west, south, east, north = part.bounds
        size = max((east - west) / scale + 12 * k, 112 * k), max((north - south) / scale + 40 * k, 56 * k)
        spots = []
        for across, down in product((1.0, 0.0, 0.5, 0.75, 0.25), repeat=2):
            x = left + 4 * k + across * (wide - size[0] - 8 * k)
            y = top + 4 * k + down * (high - size[1] - 8 * k)
            x0, y1 = bounds[0] + (x - left) * scale, bounds[3] - (y - top) * scale
            place = shapely.box(x0, y1 - size[1] * scale, x0 + size[0] * scale, y1)
            covered = sum(place.intersection(other).area for other in near)
            covered = max(covered, *(100 * place.intersection(other).area for other in taken)) / place.area
            spots.append((covered, x, y, place))
        covered, x, y, place = min(spots, key=lambda spot: spot[0])
        if covered > _COVERED:
            return None
        taken.append(place)
        middle = (west + east) / 2, (south + north) / 2
        half = size[0] * scale / 2, size[1] * scale / 2
        inside = (middle[0] - half[0], middle[1] - half[1], middle[0] + half[0], middle[1] + half[1])
        found.append(((x, y, *size), inside))
    return found


def _scale(parts: list[Any], wide: float, high: float) -> float:
    """Metres to the point at which some parts fill a frame."""
    west, south, east, north = shapely.total_bounds(parts).tolist()
    return float(1.06 * max((east - west) / wide, (north - south) / high, 1e-3))


def _around(parts: list[Any], wide: float, high: float) -> tuple[Bounds, float]:
    west, south, east, north = shapely.total_bounds(parts).tolist()
    scale, x, y = _scale(parts, wide, high), (west + east) / 2, (south + north) / 2
    return (x - scale * wide / 2, y - scale * high / 2, x + scale * wide / 2, y + scale * high / 2), scale
