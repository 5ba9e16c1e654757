"""Rasters of people and of elevation, read through rasterio."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import pyproj
import rasterio
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from lifecircle.errors import DataError
from lifecircle.sources.tiles import MOST_PIXELS, Mosaic, Pieced

log = logging.getLogger(__name__)

_LOWEST_M, _HIGHEST_M = -500.0, 9000.0  # the Dead Sea's shore and Everest, with room
_CROWD = 1e7  # people in one pixel: more than any
_FAR = 1e12  # pixels
_CODES = 3  # negative values that a raster may use for "unknown" without declaring them


@dataclass(frozen=True)
class Note:
    """What a reader of figures must know of a raster.

    Attributes
    ----------
    what : {"band", "unknown", "negative", "gap", "overlap", "coarse", "left"}
    english, chinese : str
    pixels : int
        How many it is about.
    """

    what: str
    english: str
    chinese: str
    pixels: int = 0


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
        Whether the raster spans all of the area, without gaps between its tiles.
    notes : tuple of Note
    """

    values: NDArray[np.float64]
    transform: rasterio.Affine
    crs: pyproj.CRS
    row: int
    column: int
    whole: bool = True
    notes: tuple[Note, ...] = ()


def read_population(path: str | Path | Sequence[Path], boundary: BaseGeometry, *, band: int = 1) -> RasterWindow:
    """Read people per pixel over the boundary.

    Parameters
    ----------
    path : path of a raster (people in each pixel, in any CRS), of a VRT, or paths of its tiles
    boundary : shapely polygon, lon/lat
    band : int
        Which band is read.

    Returns
    -------
    RasterWindow
        Pixels that are unknown are NaN: nodata as declared, what is no number, what no tile holds, and up to three
        negative whole numbers (-200, -9999) that nobody declared; its notes say how many of which lie in the boundary.

    Raises
    ------
    CrsError
        The raster has no CRS, or its tiles have several.
    DataError
        It cannot be read, has no such band, does not cover the boundary, or knows nothing there; its tiles do not fit
        together, or disagree; or it has people below zero that are no such code.
    """
    mosaic, pieced, window = _read(path, boundary, what="population", margin=1, band=band)
    values, notes = window.values, list(window.notes)
    if pieced.apart:
        taken, other, pixels, most = pieced.apart[0]
        raise DataError(
            f"the tiles {taken} and {other} of the population raster lie over each other and disagree on {pixels:,} "
            f"pixels, by up to {most:,.6g} people: expected tiles that agree where they meet; leave one out, or cut it"
        )
    negative = values < 0
    if negative.any():
        inside = _inside(window, negative, boundary)
        if inside.any():
            notes.append(_codes(mosaic.name, values[inside]))
        values[negative] = np.nan
    if np.nanmax(values, initial=0.0) > _CROWD:
        raise DataError(
            f"the population raster {mosaic.name} has a pixel of {np.nanmax(values):.3g} people: is that its nodata "
            "value? Declare it (gdal_edit.py -a_nodata ...)"
        )
    if not np.isfinite(values).any():
        raise DataError(f"the population raster {mosaic.name} knows nothing inside the region (only nodata there)")
    unknown = np.isnan(values) & pieced.held & ~negative
    if unknown.any() and (pixels := int(_inside(window, unknown, boundary).sum())):
        notes.append(
            Note(
                "unknown", f"{pixels:,} pixels in the region are nodata: who lives there is unknown and not counted",
                f"区内 {pixels:,} 个像元为无数据：其居民未知，未计入", pixels,
            )
        )  # fmt: skip
    whole, notes = _told_gap(window, pieced, boundary, notes)
    return _logged(mosaic.name, replace(window, whole=whole, notes=tuple(notes)))


def read_elevation(path: str | Path | Sequence[Path], boundary: BaseGeometry) -> RasterWindow:
    """Read metres above sea over an area; nodata, and what is below or above all land on Earth, is NaN.

    ``boundary`` is the area wanted, lon/lat. Where tiles lie over each other and disagree, the first one named is right
    (of a VRT the last, as everywhere), and a note says so. Raises as `read_population`.
    """
    mosaic, pieced, window = _read(path, boundary, what="elevation", margin=2)
    notes = list(window.notes)
    if pieced.apart:
        pixels, most = sum(one[2] for one in pieced.apart), max(one[3] for one in pieced.apart)
        notes.append(
            Note(
                "overlap", f"tiles lie over each other and disagree on {pixels:,} pixels, by up to {most:.6g} m: "
                f"{pieced.apart[0][0].name} was taken before {pieced.apart[0][1].name}",
                f"瓦片重叠处 {pixels:,} 个像元高程不一致，最大相差 {most:.6g} 米：取 {pieced.apart[0][0].name}", pixels,
            )
        )  # fmt: skip
    window.values[(window.values < _LOWEST_M) | (window.values > _HIGHEST_M)] = np.nan
    whole, notes = _told_gap(window, pieced, boundary, notes)
    return _logged(mosaic.name, replace(window, whole=whole, notes=tuple(notes)))


def placed(key: str, left: float, coarse_m: float | None) -> list[Note]:
    """Say how the people of a group were put into the cells of the residents, where that is not plain."""
    notes = []
    if coarse_m is not None:
        notes.append(
            Note(
                "coarse", f"its pixels of {coarse_m:,.0f} m are larger than the cells: who is in one is shared among "
                "its cells as residents are", f"像元（{coarse_m:,.0f} 米）大于格网：按常住人口分摊到其中各格网",
            )
        )  # fmt: skip
    if left:
        told = f"{left:,.0f}" if left >= 1 else f"{left:.2g}"
        notes.append(
            Note(
                "left", f"{told} people of the raster are in no cell of the residents and are not counted",
                f"栅格中 {told} 人不在任何居住格网内，未计入",
            )
        )  # fmt: skip
    for note in notes:
        log.warning("demand.%s: %s", key, note.english)
    return notes


def sample(window: RasterWindow, lon: NDArray[np.float64], lat: NDArray[np.float64]) -> NDArray[np.float64]:
    """Bilinear values at points; where a neighbour is unknown the answer is NaN.

    Parameters
    ----------
    lon, lat : (n,) float64, degrees

    Returns
    -------
    (n,) float64
    """
    to_raster = _to_raster(window.crs)
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


def _read(
    path: str | Path | Sequence[Path], boundary: BaseGeometry, *, what: str, margin: int, band: int = 1
) -> tuple[Mosaic, Pieced, RasterWindow]:
    mosaic = Mosaic.lay(Path(path) if isinstance(path, str) else path, what=what, band=band)
    place = _window_over(mosaic, boundary, margin)
    if place is None:
        raise DataError(
            f"the {what} raster {mosaic.name} does not cover the region: the raster spans "
            f"{tuple(round(b, 3) for b in mosaic.bounds)} in {mosaic.crs.to_string()[:60]}"
        )
    row, column, height, width = place
    if width * height > MOST_PIXELS:
        raise DataError(
            f"the {what} raster {mosaic.name} has {width:,} x {height:,} pixels over the region, more than the "
            f"{MOST_PIXELS:,} that are read; resample it to larger ones (gdalwarp -tr ...)"
        )
    pieced = mosaic.window(*place)
    transform = mosaic.transform @ rasterio.Affine.translation(column, row)
    notes = []
    if mosaic.band:
        told_zh = f"仅读取第 {mosaic.number} 波段：{mosaic.band}"
        notes.append(Note("band", f"{mosaic.band} is read, the others are not", told_zh))
    whole = _covers(mosaic, boundary)
    return mosaic, pieced, RasterWindow(pieced.values, transform, mosaic.crs, row, column, whole, tuple(notes))


@lru_cache(maxsize=64)
def _to_raster(crs: pyproj.CRS) -> pyproj.Transformer:
    return pyproj.Transformer.from_crs("EPSG:4326", crs, always_xy=True)


def _inside(window: RasterWindow, chosen: NDArray[np.bool_], boundary: BaseGeometry) -> NDArray[np.bool_]:
    """Those of the chosen pixels whose centre lies in the boundary, as a mask of the window."""
    row, column = np.nonzero(chosen)
    x, y = window.transform @ (column + 0.5, row + 0.5)
    lon, lat = _to_raster(window.crs).transform(x, y, direction="INVERSE")
    shapely.prepare(boundary)
    found = np.zeros_like(chosen)
    found[row, column] = shapely.intersects_xy(boundary, lon, lat)
    return found


def _codes(name: str, values: NDArray[np.float64]) -> Note:
    """Take negative people for nodata that nobody declared, and say so; refuse what can be no code."""
    told, count = np.unique(values, return_counts=True)
    pixels = len(values)
    if len(told) > _CODES or (told != np.floor(told)).any():
        some = ", ".join(f"{value:.6g}" for value in told[:_CODES])
        raise DataError(
            f"the population raster {name} has {pixels:,} pixels of negative people in the region ({some}, ...); "
            "expected people, or nodata. Was it resampled with a curve (take gdalwarp -r sum), or is its nodata value "
            "undeclared (gdal_edit.py -a_nodata ...)?"
        )
    listed = [f"{n:,} of {value:.10g}" for value, n in zip(told.tolist(), count.tolist(), strict=True)]
    listed_zh = [f"{value:.10g}（{n:,} 个）" for value, n in zip(told.tolist(), count.tolist(), strict=True)]
    return Note(
        "negative", f"{pixels:,} pixels in the region are negative and not declared as nodata ({', '.join(listed)}): "
        "taken as unknown, who lives there is not counted",
        f"区内 {pixels:,} 个像元为未声明的负值（{'、'.join(listed_zh)}）：按无数据处理，未计入", pixels,
    )  # fmt: skip


def _told_gap(
    window: RasterWindow, pieced: Pieced, boundary: BaseGeometry, notes: list[Note]
) -> tuple[bool, list[Note]]:
    """Say what lies between the tiles."""
    gap = ~pieced.held
    pixels = int(_inside(window, gap, boundary).sum()) if gap.any() else 0
    if not pixels:
        return window.whole, notes
    told = Note(
        "gap", f"the tiles leave out {pixels:,} pixels in the region: what is there is unknown",
        f"瓦片之间有缺口：区内 {pixels:,} 个像元未知", pixels,
    )  # fmt: skip
    return False, [*notes, told]


def _logged(name: str, window: RasterWindow) -> RasterWindow:
    for note in window.notes:
        log.log(logging.INFO if note.what == "unknown" else logging.WARNING, "%s: %s", name, note.english)
    return window


def _covers(raster: Mosaic, boundary: BaseGeometry) -> bool:
    """Say whether the whole boundary lies on the raster."""
    lon, lat = shapely.get_coordinates(shapely.segmentize(boundary, max(boundary.length / 1000, 1e-9))).T
    x, y = _to_raster(raster.crs).transform(lon, lat)
    column, row = ~raster.transform @ (np.asarray(x), np.asarray(y))
    return bool(((column >= 0) & (row >= 0) & (column <= raster.width) & (row <= raster.height)).all())


def _window_over(raster: Mosaic, boundary: BaseGeometry, margin: int) -> tuple[int, int, int, int] | None:
    """Row, column, height and width of the pixels over the boundary, with a margin; None where they do not meet."""
    to_raster = _to_raster(raster.crs)
    west, south, east, north = boundary.bounds
    left, bottom, right, top = to_raster.transform_bounds(west, south, east, north, densify_pts=21)
    if not np.isfinite([left, bottom, right, top]).all():
        return None
    corners = [~raster.transform @ (x, y) for x in (left, right) for y in (bottom, top)]
    corners = np.clip(np.nan_to_num(corners, nan=np.inf), -_FAR, _FAR).tolist()
    c0, r0 = (int(np.floor(min(corner[i] for corner in corners))) - margin for i in (0, 1))
    c1, r1 = (int(np.ceil(max(corner[i] for corner in corners))) + margin for i in (0, 1))
    c0, r0, c1, r1 = max(c0, 0), max(r0, 0), min(c1, raster.width), min(r1, raster.height)
    return None if c0 >= c1 or r0 >= r1 else (r0, c0, r1 - r0, c1 - c0)
