"""Rasters of people and of elevation, read through rasterio."""

import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyproj
import rasterio
import rasterio.windows
import shapely
from numpy.typing import NDArray
from rasterio.errors import NotGeoreferencedWarning, RasterioError
from rasterio.io import MemoryFile
from shapely.geometry.base import BaseGeometry

from lifecircle.errors import CrsError, DataError, LifecircleError
from lifecircle.reading import unzipped

log = logging.getLogger(__name__)

_LOWEST_M, _HIGHEST_M = -500.0, 9000.0  # the Dead Sea's shore and Everest, with room
_CROWD = 1e7  # people in one pixel: more than any
_DRIVERS = {".hgt": "SRTMHGT", ".asc": "AAIGrid", ".dt0": "DTED", ".dt1": "DTED", ".dt2": "DTED"}
"""Formats beside GeoTIFF, by suffix; all of them hold their pixels themselves. Others name further files, or addresses
in the net, to read from: what stands there is no part of the input whose digest the manifest has."""

_MOST_PIXELS = 100_000_000  # 10 m over the whole of Shanghai are 64 million
_LARGEST_TILE = 2 * 7201 * 7201 * 2  # bytes of a tile of heights, of half a second of arc
_FAR = 1e12  # pixels


@dataclass(frozen=True, eq=False, repr=False)
class RasterWindow:
    """The part of a raster that covers an area.

    Attributes
    ----------
    values : (rows, columns) float64
        NaN where the raster knows nothing.
    transform : affine.Affine
        From column, row of this window to the raster's CRS.
    crs : pyproj.CRS
    row, column : int
        Place of the window's first pixel in the whole raster.
    whole : bool
        Whether the raster spans all of the area.
    """

    values: NDArray[np.float64]
    transform: rasterio.Affine
    crs: pyproj.CRS
    row: int
    column: int
    whole: bool = True


def read_population(path: str | Path, boundary: BaseGeometry) -> RasterWindow:
    """Read people per pixel over the boundary.

    Parameters
    ----------
    path : path of a raster of one band, people in each pixel, in any CRS
    boundary : shapely polygon, lon/lat

    Returns
    -------
    RasterWindow
        Pixels below zero or nodata are NaN.

    Raises
    ------
    CrsError
        The raster has no CRS.
    DataError
        It cannot be read, does not cover the boundary, or knows nothing there.
    """
    window = _read(path, boundary, what="population", margin=1)
    values = window.values
    values[~np.isfinite(values) | (values < 0)] = np.nan
    if np.nanmax(values, initial=0.0) > _CROWD:
        raise DataError(
            f"the population raster {path} has a pixel of {np.nanmax(values):.3g} people: is that its nodata value? "
            "Declare it (gdal_edit.py -a_nodata ...)"
        )
    if not np.isfinite(values).any():
        raise DataError(f"the population raster {path} knows nothing inside the region (only nodata there)")
    return window


def read_elevation(path: str | Path, boundary: BaseGeometry) -> RasterWindow:
    """Read metres above sea over an area; nodata, and what is below or above all land on Earth, is NaN.

    ``boundary`` is the area wanted, lon/lat. Raises as `read_population`.
    """
    window = _read(path, boundary, what="elevation", margin=2)
    window.values[(window.values < _LOWEST_M) | (window.values > _HIGHEST_M)] = np.nan
    return window


def sample(window: RasterWindow, lon: NDArray[np.float64], lat: NDArray[np.float64]) -> NDArray[np.float64]:
    """Bilinear values at points; where a neighbour is unknown the answer is NaN.

    Parameters
    ----------
    lon, lat : (n,) float64, degrees

    Returns
    -------
    (n,) float64
    """
    to_raster = pyproj.Transformer.from_crs("EPSG:4326", window.crs, always_xy=True)
    x, y = to_raster.transform(lon, lat)
    column, row = ~window.transform @ (np.asarray(x), np.asarray(y))
    column, row = column - 0.5, row - 0.5  # values stand at pixel centres
    c0, r0 = np.floor(column).astype(int), np.floor(row).astype(int)
    rows, columns = window.values.shape
    inside = (c0 >= 0) & (r0 >= 0) & (c0 < columns - 1) & (r0 < rows - 1)
    c, r = np.where(inside, c0, 0), np.where(inside, r0, 0)
    fx, fy = column - c0, row - r0
    z = window.values
    if rows < 2 or columns < 2:  # noqa: PLR2004
        return np.full(len(lon), np.nan)
    mixed = (
        z[r, c] * (1 - fx) * (1 - fy)
        + z[r, c + 1] * fx * (1 - fy)
        + z[r + 1, c] * (1 - fx) * fy
        + z[r + 1, c + 1] * fx * fy
    )
    return np.where(inside, mixed, np.nan)


def _read(path: str | Path, boundary: BaseGeometry, *, what: str, margin: int) -> RasterWindow:
    path = Path(path)
    if not path.is_file():
        raise DataError(f"there is no {what} raster {path}; give the path of a GeoTIFF (or leave it out)")
    try:
        with _opened(path) as raster:
            _check(raster, f"the {what} raster {path}")
            if raster.crs is None:
                raise CrsError(
                    f"the {what} raster {path} names no coordinate system; "
                    "give it one (gdal_edit.py -a_srs EPSG:...), guessing would move people about"
                )
            try:
                crs = pyproj.CRS.from_user_input(raster.crs.to_wkt())
                pyproj.Transformer.from_crs("EPSG:4326", crs, always_xy=True)
            except pyproj.exceptions.ProjError as error:
                raise CrsError(
                    f"the {what} raster {path} has a coordinate system that is nowhere on Earth; reproject it"
                ) from error
            window = _window_over(raster, crs, boundary, margin)
            if window is not None and window.width * window.height > _MOST_PIXELS:
                raise DataError(
                    f"the {what} raster {path} has {window.width:,} x {window.height:,} pixels over the region, more "
                    f"than the {_MOST_PIXELS:,} that are read; resample it to larger ones (gdalwarp -tr ...)"
                )
            if window is None:
                raise DataError(
                    f"the {what} raster {path} does not cover the region: the raster spans "
                    f"{tuple(round(b, 3) for b in raster.bounds)} in {raster.crs.to_string()[:60]}"
                )
            values = raster.read(1, window=window, masked=True).astype(np.float64).filled(np.nan)
            with np.errstate(over="ignore", invalid="ignore"):  # what is not finite then is nobody's number
                values = values * raster.scales[0] + raster.offsets[0]
            whole = _covers(raster, crs, boundary)
            transform = raster.window_transform(window)
    except (RasterioError, ValueError) as error:
        if isinstance(error, LifecircleError):
            raise
        raise DataError(
            f"{path} cannot be read as a raster: {error}; expected a GeoTIFF (or a tile .hgt, .hgt.zip, .dt2, .asc), "
            "which holds its pixels itself"
        ) from error
    return RasterWindow(values, transform, crs, int(window.row_off), int(window.col_off), whole)


@contextmanager
def _opened(path: Path) -> Iterator[rasterio.DatasetReader]:
    """Open a raster, by the one driver that its name calls for; a zipped tile is unzipped into memory."""
    if path.name.endswith(".hgt.zip"):
        name = path.name.removesuffix(".zip")
        # GDAL itself looks into a .zip too, and has been seen to fall over a damaged one.
        tile = unzipped(path, name, most=_LARGEST_TILE)  # GDAL reads it where it lies: it must live as long
        with MemoryFile(tile, filename=name) as memory, _quietly(memory.open, driver="SRTMHGT") as raster:
            yield raster
    else:
        with _quietly(rasterio.open, path, driver=_DRIVERS.get(path.suffix.lower(), "GTiff")) as raster:
            yield raster


def _quietly(opener: Callable[..., rasterio.DatasetReader], *what: Any, **keys: Any) -> rasterio.DatasetReader:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)  # said as an error, where there is no CRS
        return opener(*what, **keys)


def _check(raster: rasterio.DatasetReader, what: str) -> None:
    """Refuse a raster whose pixels lie nowhere, or are no numbers, or come in pieces that no memory holds."""
    grid = raster.transform
    if not np.isfinite(grid).all() or grid.is_degenerate or not np.isfinite(~grid).all():
        raise DataError(f"{what} says of its pixels that they lie nowhere ({tuple(grid)[:6]}); georeference it anew")
    kind = np.dtype(raster.dtypes[0]).kind
    if kind not in "iuf":
        raise DataError(f"{what} holds {raster.dtypes[0]}; expected whole or real numbers")
    rows, columns = raster.block_shapes[0]
    if rows * columns > _MOST_PIXELS:
        raise DataError(
            f"{what} is stored in pieces of {columns:,} x {rows:,} pixels, more than the {_MOST_PIXELS:,} "
            "that are read; rewrite it in tiles (gdal_translate -co TILED=YES)"
        )


def _covers(raster: rasterio.DatasetReader, crs: pyproj.CRS, boundary: BaseGeometry) -> bool:
    """Say whether the whole boundary lies on the raster."""
    lon, lat = shapely.get_coordinates(shapely.segmentize(boundary, max(boundary.length / 1000, 1e-9))).T
    x, y = pyproj.Transformer.from_crs("EPSG:4326", crs, always_xy=True).transform(lon, lat)
    column, row = ~raster.transform @ (np.asarray(x), np.asarray(y))
    return bool(((column >= 0) & (row >= 0) & (column <= raster.width) & (row <= raster.height)).all())


def _window_over(
    raster: rasterio.DatasetReader, crs: pyproj.CRS, boundary: BaseGeometry, margin: int
) -> rasterio.windows.Window | None:
    """Smallest window of whole pixels over the boundary, grown by a margin; None where they do not meet."""
    to_raster = pyproj.Transformer.from_crs("EPSG:4326", crs, always_xy=True)
    west, south, east, north = boundary.bounds
    left, bottom, right, top = to_raster.transform_bounds(west, south, east, north, densify_pts=21)
    if not np.isfinite([left, bottom, right, top]).all():
        return None
    corners = [~raster.transform @ (x, y) for x in (left, right) for y in (bottom, top)]
    corners = np.clip(np.nan_to_num(corners, nan=np.inf), -_FAR, _FAR).tolist()
    c0, r0 = (int(np.floor(min(corner[i] for corner in corners))) - margin for i in (0, 1))
    c1, r1 = (int(np.ceil(max(corner[i] for corner in corners))) + margin for i in (0, 1))
    c0, r0, c1, r1 = max(c0, 0), max(r0, 0), min(c1, raster.width), min(r1, raster.height)
    if c0 >= c1 or r0 >= r1:
        return None
    return rasterio.windows.Window(c0, r0, c1 - c0, r1 - r0)
