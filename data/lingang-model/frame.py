"""The frame everything is drawn in: metres of EPSG:32651, written to files as whole 1e-7 degrees (WGS84)."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

import numpy as np
import shapely
from pyproj import Geod, Transformer

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import ArrayLike, NDArray

SEED = 20_241_231
METRE_CRS = "EPSG:32651"
GEOD = Geod(ellps="WGS84")

_TO_METRES = Transformer.from_crs("EPSG:4326", METRE_CRS, always_xy=True)
_TO_DEGREES = Transformer.from_crs(METRE_CRS, "EPSG:4326", always_xy=True)


def generator(label: str) -> np.random.Generator:
    """Return a random generator of its own for one named step, so that editing a step leaves the others alone."""
    return np.random.Generator(np.random.PCG64([SEED, zlib.crc32(label.encode())]))


def to_metres(lonlat: ArrayLike) -> NDArray[np.float64]:
    """Project an (n, 2) array of degrees to metres, rounded to a centimetre."""
    degrees = np.asarray(lonlat, dtype=np.float64).reshape(-1, 2)
    return np.round(np.column_stack(_TO_METRES.transform(degrees[:, 0], degrees[:, 1])), 2)


def to_degrees(xy: ArrayLike) -> NDArray[np.float64]:
    """Project an (n, 2) array of metres to degrees."""
    metres = np.asarray(xy, dtype=np.float64).reshape(-1, 2)
    return np.column_stack(_TO_DEGREES.transform(metres[:, 0], metres[:, 1]))


def parse(text: str) -> NDArray[np.float64]:
    """Read ``"lon,lat lon,lat ..."`` into metres."""
    return to_metres([[float(part) for part in pair.split(",")] for pair in text.split()])


def polygon(text: str) -> shapely.Polygon:
    """Read ``"lon,lat lon,lat ..."`` into a polygon in metres."""
    return shapely.make_valid(shapely.Polygon(parse(text)))


def geodesic_area_km2(shape: shapely.Geometry) -> float:
    """Return the area on the ellipsoid, in km², of a shape given in metres."""
    degrees = shapely.transform(shape, to_degrees)
    return abs(GEOD.geometry_area_perimeter(shapely.orient_polygons(degrees))[0]) / 1e6


def polygons_of(shape: shapely.Geometry) -> list[shapely.Polygon]:
    """Return the polygons in a shape, largest first."""
    parts = [part for part in shapely.get_parts(shape).tolist() if part.geom_type == "Polygon" and part.area > 0]
    return sorted(parts, key=lambda part: (-part.area, part.bounds))


def lines_of(shape: shapely.Geometry) -> list[shapely.LineString]:
    """Return the lines in a shape, in the order the geometry library gives them."""
    merged = shapely.line_merge(shape) if shape.geom_type == "MultiLineString" else shape
    return [part for part in shapely.get_parts(merged).tolist() if part.geom_type == "LineString" and part.length > 0]


def turned(points: ArrayLike, angle_deg: float) -> NDArray[np.float64]:
    """Turn points about the origin, anticlockwise."""
    angle = np.deg2rad(angle_deg)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return np.asarray(points, dtype=np.float64) @ turn.T


def offset(xy: NDArray[np.float64], distance_m: float) -> NDArray[np.float64]:
    """Shift a line to its left by a distance, corner by corner."""
    run = np.diff(xy, axis=0)
    run /= np.maximum(np.hypot(run[:, 0], run[:, 1]), 1e-9)[:, None]
    normal = np.column_stack([-run[:, 1], run[:, 0]])
    corner = np.vstack([normal[:1], normal[:-1] + normal[1:], normal[-1:]])
    corner /= np.maximum(np.hypot(corner[:, 0], corner[:, 1]), 0.5)[:, None]
    return np.round(xy + corner * distance_m, 2)


def densified(xy: NDArray[np.float64], step_m: float) -> NDArray[np.float64]:
    """Add points so that no two neighbours lie farther apart than a step."""
    return shapely.get_coordinates(shapely.segmentize(shapely.LineString(xy), step_m))


def united(shapes: Iterable[shapely.Geometry]) -> shapely.Geometry:
    """Return the union of shapes on a centimetre grid."""
    return shapely.union_all(list(shapes), grid_size=0.01)
