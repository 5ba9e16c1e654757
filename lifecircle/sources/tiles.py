"""Rasters of one file or of several side by side: opened safely, and laid on one grid."""

import math
import warnings
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Annotated

import numpy as np
import pyproj
import rasterio
import rasterio.windows
from numpy.typing import NDArray
from pydantic import Field
from rasterio.errors import NotGeoreferencedWarning, RasterioError
from rasterio.io import MemoryFile

from lifecircle.errors import CrsError, DataError, LifecircleError
from lifecircle.reading import unzipped

Tiled = Path | Annotated[list[Path], Field(min_length=1)]
"""A raster as a study names it: one file (a VRT may be one), or the tiles that it lies in."""

_FORMATS = {
    ".hgt": "SRTMHGT", ".zip": "SRTMHGT", ".asc": "AAIGrid", ".img": "HFA",
    ".dt0": "DTED", ".dt1": "DTED", ".dt2": "DTED", ".dem": "USGSDEM",
}  # fmt: skip
"""Formats that are read, by suffix; else a file is a GeoTIFF. GDAL itself goes by what is in a file, and knows formats
that fetch what they show from elsewhere, or run code."""

_SAFE = {"GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR", "CPL_VSIL_CURL_ALLOWED_FILENAME": "nothing"}
"""No file beside a raster is read but what its format needs, and nothing is fetched."""

MOST_PIXELS = 100_000_000
"""More are not read at once: 10 m over the whole of Shanghai are 64 million."""

_LARGEST_TILE = 2 * 7201 * 7201 * 2  # bytes of a tile of heights, of half a second of arc
_LONGEST_SIDE = 2**31 - 1  # pixels, as GDAL counts them
_OFF = 0.02  # pixels: tiles that are off the common grid by less lie on it
_LARGEST_VRT = 32 << 20  # bytes; 100,000 tiles

# What gdalbuildvrt writes where it puts tiles side by side. Whatever else a VRT may hold changes values or asks others.
_OF_DATASET = {"SRS", "GeoTransform", "Metadata", "OverviewList", "BlockXSize", "BlockYSize", "VRTRasterBand"}
_OF_BAND = {
    *("NoDataValue", "HideNoDataValue", "ColorInterp", "Description", "Metadata", "UnitType", "CategoryNames"),
    *("ColorTable", "Histograms", "Offset", "Scale", "SimpleSource", "ComplexSource"),
}
_OF_SOURCE = {"SourceFilename", "SourceBand", "SourceProperties", "SrcRect", "DstRect", "NODATA", "UseMaskBand"}


@dataclass(frozen=True)
class Tile:
    """A part of a mosaic: pixels of one file, and where they lie.

    Attributes
    ----------
    path : Path
    row, column : int
        Place of its first pixel in the mosaic.
    height, width : int
    from_row, from_column : int
        Place of that pixel in the file.
    nodata : tuple of float
        What a VRT calls unknown besides what the file does.
    """

    path: Path
    row: int
    column: int
    height: int
    width: int
    from_row: int = 0
    from_column: int = 0
    nodata: tuple[float, ...] = ()


@dataclass(frozen=True)
class Mosaic:
    """A raster of one file or of several that lie on one grid.

    Attributes
    ----------
    name : str
        For messages.
    tiles : tuple of Tile
        Where two know different values, the first of them is right.
    crs : pyproj.CRS
    transform : affine.Affine
    height, width : int
    number : int
        Which band is read.
    band : str
        The same in words, where there are several; else empty.
    """

    name: str
    tiles: tuple[Tile, ...]
    crs: pyproj.CRS
    transform: rasterio.Affine
    height: int
    width: int
    number: int = 1
    band: str = ""

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """Left, bottom, right, top in the CRS."""
        corners = [self.transform @ (c, r) for c in (0, self.width) for r in (0, self.height)]
        x, y = ([corner[i] for corner in corners] for i in (0, 1))
        return min(x), min(y), max(x), max(y)

    @classmethod
    def lay(cls, rasters: Path | Sequence[Path], *, what: str, band: int = 1) -> "Mosaic":
        """Open a raster, and lay its tiles on one grid.

        Parameters
        ----------
        rasters : path of a file or of a VRT, or paths of tiles
        what : str
            What the raster is of, for messages.
        band : int
            Which band of each file is read; of a VRT the first alone.

        Raises
        ------
        CrsError
            A file has no CRS, or two have different ones.
        DataError
            A file cannot be read or has no such band, the tiles are not of one grid, or a VRT does more than lay plain
            files side by side.
        """
        paths = [rasters] if isinstance(rasters, Path) else list(rasters)
        if len(paths) == 1 and _is_vrt(paths[0]):
            if band != 1:
                raise DataError(
                    f"band {band} of the {what} raster {paths[0]} is asked for, and of a VRT only band 1 is read; give "
                    f"its tiles themselves, or the raster it stands for (gdal_translate -b {band})"
                )
            return _of_vrt(paths[0], what)
        vrts = [path for path in paths if _is_vrt(path)]
        if vrts:
            raise DataError(f"{vrts[0]} is one of several rasters of {what}; expected either one VRT, or plain tiles")
        real = [path.resolve() for path in paths]
        twice = [path for ix, path in enumerate(paths) if real[ix] in real[:ix]]
        if twice:
            raise DataError(f"the tile {twice[0]} of the {what} raster stands there twice")
        opened_ones = [_Opened.of(path, what, band) for path in paths]
        first = opened_ones[0]
        crs = _one_crs(opened_ones, what)
        places = [_place(first, other, what) for other in opened_ones]
        # The grid hangs on its first tile from above, so that it does not depend on the order they are named in.
        anchor = min(range(len(paths)), key=lambda ix: places[ix])
        row, column = (min(place[i] for place in places) for i in (0, 1))
        shift = (column - places[anchor][1], row - places[anchor][0])
        tiles = tuple(
            Tile(one.path, r - row, c - column, one.height, one.width)
            for one, (r, c) in zip(opened_ones, places, strict=True)
        )
        name = str(paths[0]) if len(paths) == 1 else f"{paths[0]} and {len(paths) - 1} more"
        return cls(
            name, tiles, crs, opened_ones[anchor].transform @ rasterio.Affine.translation(*shift),
            max(tile.row + tile.height for tile in tiles), max(tile.column + tile.width for tile in tiles),
            band, _bands_told(opened_ones, band),
        )  # fmt: skip

    def window(self, row: int, column: int, height: int, width: int) -> "Pieced":
        """Read a window; where no tile lies or none knows the value it is NaN."""
        values = np.full((height, width), np.nan)
        held = np.zeros((height, width), dtype=bool)
        apart: list[tuple[Path, Path, int, float]] = []
        shared = 0
        drawn: list[Tile] = []
        for tile in self.tiles:
            top, left = max(tile.row, row), max(tile.column, column)
            bottom = min(tile.row + tile.height, row + height)
            right = min(tile.column + tile.width, column + width)
            if top >= bottom or left >= right:
                continue
            read = rasterio.windows.Window(
                left - tile.column + tile.from_column, top - tile.row + tile.from_row, right - left, bottom - top
            )
            new = _values(tile, read, self.number)
            here = np.s_[top - row : bottom - row, left - column : right - column]
            both = ~np.isnan(values[here]) & ~np.isnan(new)
            if both.any():
                differs = both & (values[here] != new)
                shared += int(both.sum())
                if differs.any():
                    most = float(np.abs(values[here] - new)[differs].max())
                    other = next(t for t in drawn if _meet(t, tile, (row, column), differs, here))
                    apart.append((other.path, tile.path, int(differs.sum()), most))
            values[here] = np.where(np.isnan(values[here]), new, values[here])
            held[here] = True
            drawn.append(tile)
        return Pieced(values, held, shared, tuple(apart))


@dataclass(frozen=True, eq=False)
class Pieced:
    """A window pieced together from the tiles it touches.

    Attributes
    ----------
    values : (rows, columns) float64
        NaN where nothing is known.
    held : (rows, columns) bool
        Where there is a tile.
    shared : int
        Pixels that more than one tile knows.
    apart : tuple of (Path, Path, int, float)
        Tiles that know different values of the same pixels: the one taken, the other, how many, and how far apart.
    """

    values: NDArray[np.float64]
    held: NDArray[np.bool_]
    shared: int
    apart: tuple[tuple[Path, Path, int, float], ...]


def parts_of(path: Path) -> list[Path]:
    """Other files that a raster is read from: the tiles of a VRT, and what its format keeps beside it.

    All lie in its folder or below. Of a file that cannot be read there are none: its reader says what is wrong with it.
    """
    try:
        if _is_vrt(path):
            tiles = dict.fromkeys(source.path for source in _read_vrt(path, "given").sources)
            return list(dict.fromkeys(part for tile in tiles for part in (tile, *parts_of(tile))))
        with opened(path, "given") as raster:
            beside = [Path(name) for name in raster.files]
    except (DataError, CrsError):
        return []
    return [other for other in beside if other.parent == path.parent and other != path and other.is_file()]


@contextmanager
def opened(path: Path, what: str, band: int = 1) -> Iterator[rasterio.DatasetReader]:
    """Open one raster file of a plain format; nothing beside it is read but what the format needs.

    Raises
    ------
    DataError
        It is missing, cannot be read, or has no such band.
    """
    if not path.is_file():
        raise DataError(f"there is no {what} raster {path}; give the path of a GeoTIFF (or leave it out)")
    try:
        with warnings.catch_warnings(), rasterio.Env(**_SAFE):
            warnings.simplefilter("ignore", NotGeoreferencedWarning)  # said later, as an error
            with _plain(path) as raster:
                _check(raster, f"the {what} raster {path}", band)
                yield raster
    except (RasterioError, ValueError) as error:
        if isinstance(error, LifecircleError):
            raise
        raise DataError(
            f"{path} cannot be read as a raster: {error}; expected a GeoTIFF, a VRT of files beside it, or a file in "
            + ", ".join(_FORMATS)
        ) from error


@contextmanager
def _plain(path: Path) -> Iterator[rasterio.DatasetReader]:
    """Open a file by the one driver that its name calls for; a zipped tile of heights is unzipped into memory."""
    driver = _FORMATS.get(path.suffix.casefold(), "GTiff")
    if not path.name.endswith(".hgt.zip"):
        with rasterio.open(path, driver=driver) as raster:
            yield raster
        return
    name = path.name.removesuffix(".zip")
    # GDAL itself looks into a .zip too, and has been seen to fall over a damaged one. It reads the tile where it lies:
    # that must live as long as the raster.
    tile = unzipped(path, name, most=_LARGEST_TILE)
    with MemoryFile(tile, filename=name) as held, held.open(driver=driver) as raster:
        yield raster


def _check(raster: rasterio.DatasetReader, what: str, band: int) -> None:
    """Refuse a raster without the band, or whose pixels lie nowhere, are no numbers or come in too large pieces."""
    if band > raster.count:
        raise DataError(f"{what} has no band {band}; expected one of the {raster.count} it has, counted from 1")
    grid = raster.transform
    if not np.isfinite(grid).all() or grid.is_degenerate or not np.isfinite(~grid).all():
        raise DataError(f"{what} says of its pixels that they lie nowhere ({tuple(grid)[:6]}); georeference it anew")
    if np.dtype(raster.dtypes[band - 1]).kind not in "iuf":
        raise DataError(f"{what} holds {raster.dtypes[band - 1]}; expected whole or real numbers")
    rows, columns = raster.block_shapes[band - 1]
    if rows * columns > MOST_PIXELS:
        raise DataError(
            f"{what} is stored in pieces of {columns:,} x {rows:,} pixels, more than the {MOST_PIXELS:,} "
            "that are read; rewrite it in tiles (gdal_translate -co TILED=YES)"
        )


@dataclass(frozen=True)
class _Opened:
    """What a file says of itself."""

    path: Path
    crs: pyproj.CRS | None
    transform: rasterio.Affine
    height: int
    width: int
    dtype: str
    bands: int
    described: str
    scaled: tuple[float, float]

    @classmethod
    def of(cls, path: Path, what: str, band: int = 1) -> "_Opened":
        with opened(path, what, band) as raster:
            crs = None if raster.crs is None else _on_earth(raster.crs.to_wkt(), path, what)
            return cls(
                path, crs, raster.transform, raster.height, raster.width, raster.dtypes[band - 1], raster.count,
                raster.descriptions[band - 1] or "", (raster.scales[band - 1], raster.offsets[band - 1]),
            )  # fmt: skip


@lru_cache(maxsize=64)
def _crs(wkt: str) -> pyproj.CRS:
    """Read a coordinate system; tiles mostly have the same."""
    crs = pyproj.CRS.from_user_input(wkt)
    pyproj.Transformer.from_crs("EPSG:4326", crs, always_xy=True)
    return crs


def _on_earth(wkt: str, path: Path, what: str) -> pyproj.CRS:
    try:
        return _crs(wkt)
    except pyproj.exceptions.ProjError as error:
        raise CrsError(
            f"the {what} raster {path} has a coordinate system that is nowhere on Earth; reproject it"
        ) from error


def _one_crs(tiles: Sequence[_Opened], what: str) -> pyproj.CRS:
    for tile in tiles:
        if tile.crs is None:
            raise CrsError(
                f"the {what} raster {tile.path} names no coordinate system (in the file itself; a .aux.xml beside it "
                "is not read); give it one (gdal_edit.py -a_srs EPSG:...), guessing would move people about"
            )
    first = tiles[0]
    assert first.crs is not None  # noqa: S101 (looked at just now)
    for tile in tiles[1:]:
        if not first.crs.equals(tile.crs, ignore_axis_order=True):
            assert tile.crs is not None  # noqa: S101 (looked at just now)
            raise CrsError(
                f"the tiles of the {what} raster are in different coordinate systems: {first.path} in "
                f"{first.crs.name}, {tile.path} in {tile.crs.name}; reproject them to one (gdalwarp)"
            )
    return first.crs


def _place(grid: "_Opened | _Vrt", tile: _Opened, what: str) -> tuple[int, int]:
    """Row and column of a tile's first pixel in the grid of another.

    Raises
    ------
    DataError
        It has pixels of another size, or its pixels lie between those of the grid.
    """
    step = ~grid.transform @ tile.transform
    widened = max(
        abs(step.a - 1) * tile.width + abs(step.b) * tile.height,
        abs(step.e - 1) * tile.height + abs(step.d) * tile.width,
    )
    advice = "expected tiles of one grid; resample them to one (gdalwarp, for people with -r sum)"
    if not widened <= _OFF:
        sizes = [" x ".join(f"{math.hypot(*s):.6g}" for s in ((t.a, t.d), (t.b, t.e))) for t in
                 (grid.transform, tile.transform)]  # fmt: skip
        raise DataError(
            f"the tiles of the {what} raster have pixels of different sizes: {grid.path} {sizes[0]}, {tile.path} "
            f"{sizes[1]}; {advice}"
        )
    column, row = round(step.c), round(step.f)
    off = max(abs(step.c - column), abs(step.f - row))
    if off > _OFF:
        raise DataError(
            f"the pixels of {tile.path} lie {off:.2f} of a pixel beside those of {grid.path} ({what} raster); {advice}"
        )
    return row, column


def _bands_told(tiles: Sequence[_Opened], band: int = 1) -> str:
    many = [tile for tile in tiles if tile.bands > 1]
    if not many:
        return ""
    name = f" ({many[0].described})" if many[0].described else ""
    return f"band {band}{name} of {many[0].bands}"


def _meet(
    one: Tile, other: Tile, origin: tuple[int, int], differs: NDArray[np.bool_], here: tuple[slice, slice]
) -> bool:
    """Whether a tile holds any of the pixels that differ from another."""
    rows, columns = np.nonzero(differs)
    rows, columns = rows + here[0].start + origin[0], columns + here[1].start + origin[1]
    inside = (rows >= one.row) & (rows < one.row + one.height)
    inside &= (columns >= one.column) & (columns < one.column + one.width)
    return other is not one and bool(inside.any())


def _values(tile: Tile, window: rasterio.windows.Window, band: int) -> NDArray[np.float64]:
    with opened(tile.path, "given", band) as raster:
        read = raster.read(band, window=window, masked=True)
        values = read.astype(np.float64).filled(np.nan)
        for code in tile.nodata:
            with np.errstate(over="ignore", invalid="ignore"):
                values[read.data == np.float64(code).astype(read.dtype)] = np.nan
        values[~np.isfinite(values)] = np.nan
        with np.errstate(over="ignore", invalid="ignore"):  # what is not finite then is nobody's number
            values = values * raster.scales[band - 1] + raster.offsets[band - 1]
        return np.asarray(values)


# ------------------------------------------------------------------------------------------------------------- VRT


@dataclass(frozen=True)
class _Source:
    """A file of a VRT: which of its pixels go where."""

    path: Path
    taken: tuple[float, ...] | None
    put: tuple[float, ...] | None
    nodata: tuple[float, ...]


@dataclass(frozen=True)
class _Vrt:
    path: Path
    transform: rasterio.Affine
    height: int
    width: int
    wkt: str
    dtype: str
    bands: int
    scaled: tuple[float, float] | None
    sources: tuple[_Source, ...]


def _is_vrt(path: Path) -> bool:
    return path.name.casefold().endswith(".vrt")


def _read_vrt(path: Path, what: str) -> _Vrt:
    """Read a VRT, which is trusted no more than any file: it may only lay plain files of its folder side by side.

    GDAL itself is never given one: a VRT can name addresses on the network, files anywhere and Python code to run.
    """
    if not path.exists():
        raise DataError(f"there is no {what} raster {path}; give the path of a GeoTIFF (or leave it out)")
    try:
        text = path.read_bytes().decode("utf-8") if path.stat().st_size <= _LARGEST_VRT else "<!"
        # No comments and entities: neither is of use, and the latter can name other files.
        root = ET.fromstring(text) if "<!" not in text else ET.Element("!")  # noqa: S314 (no entities)
        if root.tag != "VRTDataset":
            raise DataError(  # noqa: TRY301
                f"{path} cannot be read as a VRT: it begins with <{root.tag[:40]}, or is too large"
            )
        _only(root, _OF_DATASET, path)
        bands = root.findall("VRTRasterBand")
        band = next(one for one in bands if one.get("band", "1") == "1")
        _only(band, _OF_BAND, path)
        nodata = [float(one.text or "") for one in band.findall("NoDataValue")]
        shifts = [band.findtext("Scale"), band.findtext("Offset")]
        return _Vrt(
            path,
            rasterio.Affine.from_gdal(*(float(part) for part in (root.findtext("GeoTransform") or "").split(","))),
            int(root.get("rasterYSize", "")),
            int(root.get("rasterXSize", "")),
            (root.findtext("SRS") or "").strip(),
            (band.get("dataType") or "Byte").lower().replace("byte", "uint8"),
            len(bands),
            None if shifts == [None, None] else (float(shifts[0] or 1), float(shifts[1] or 0)),
            tuple(_source(one, path, nodata) for one in band if one.tag in {"SimpleSource", "ComplexSource"}),
        )
    except (DataError, CrsError):
        raise
    except (ET.ParseError, ValueError, TypeError, OverflowError, StopIteration, OSError) as error:
        raise DataError(f"{path} cannot be read as a VRT: {error if str(error) else 'it has no band 1'}") from error


def _only(element: ET.Element, known: set[str], path: Path) -> None:
    """Refuse what is more than tiles side by side."""
    kind = element.get("subClass")
    odd = f"{element.tag} of kind {kind}" if kind else next((one.tag for one in element if one.tag not in known), None)
    if odd is not None:
        raise DataError(
            f"the VRT {path} does more than lay tiles side by side (it has {odd[:60]}); give the tiles themselves, or "
            "the raster it stands for (gdal_translate)"
        )


def _source(element: ET.Element, vrt: Path, nodata: list[float]) -> _Source:
    _only(element, _OF_SOURCE, vrt)
    named = element.find("SourceFilename")
    name = "" if named is None else (named.text or "")
    plain = PurePosixPath(name)
    if (
        named is None or named.get("relativeToVRT") != "1" or not name or plain.is_absolute() or ".." in plain.parts
        or any(sign in name for sign in ':\\?*\0"<>|&')
    ):  # fmt: skip
        raise DataError(
            f"the VRT {vrt} names {name[:80]!r}: only files in its own folder or below are read, by their relative "
            "names; put the tiles beside it and run gdalbuildvrt there"
        )
    path = vrt.parent / plain
    if not path.resolve().is_relative_to(vrt.parent.resolve()):
        raise DataError(f"the VRT {vrt} names {name[:80]!r}, which leads out of its folder; only files in it are read")
    if _is_vrt(path):
        raise DataError(f"the VRT {vrt} names another VRT, {name[:80]!r}; expected plain tiles")
    if element.findtext("SourceBand", "1").strip() != "1":
        raise DataError(
            f"the VRT {vrt} takes band {element.findtext('SourceBand')!r} of {name[:80]!r}; expected band 1"
        )
    own = [float(one.text or "") for one in element.findall("NODATA")]
    return _Source(path, _rect(element.find("SrcRect")), _rect(element.find("DstRect")), tuple(own + nodata))


def _rect(element: ET.Element | None) -> tuple[float, ...] | None:
    if element is None:
        return None
    found = tuple(float(element.get(key, "")) for key in ("xOff", "yOff", "xSize", "ySize"))
    if not all(map(math.isfinite, found)):
        raise ValueError("a rectangle has no size")
    return found


def _of_vrt(path: Path, what: str) -> Mosaic:
    """Lay the tiles of a VRT, by its grid; as in GDAL, the last one named lies on top."""
    vrt = _read_vrt(path, what)
    if (
        not (0 < vrt.width <= _LONGEST_SIDE and 0 < vrt.height <= _LONGEST_SIDE)
        or vrt.transform.determinant == 0
        or not vrt.sources
    ):
        raise DataError(f"the VRT {path} holds no tiles; expected what gdalbuildvrt writes")
    found = [_Opened.of(source.path, what) for source in vrt.sources]
    if vrt.wkt and not any(one.crs for one in found):
        crs = _on_earth(vrt.wkt, path, what)
    else:
        crs = _one_crs(found, what)
        if vrt.wkt and not crs.equals(said := _on_earth(vrt.wkt, path, what), ignore_axis_order=True):
            raise CrsError(f"the VRT {path} says {said.name}, its tile {found[0].path} {crs.name}; reproject the tile")
    tiles = [_put(vrt, source, one, what) for source, one in zip(vrt.sources, found, strict=True)]
    band = f"band 1 of {vrt.bands}" if vrt.bands > 1 else _bands_told(found)
    kept = tuple(tile for tile in reversed(tiles) if tile.height > 0 and tile.width > 0)
    return Mosaic(str(path), kept, crs, vrt.transform, vrt.height, vrt.width, band=band)


def _put(vrt: _Vrt, source: _Source, tile: _Opened, what: str) -> Tile:
    """Say where a source of a VRT lies; it must be where its own file says, pixel for pixel."""
    row, column = _place(vrt, tile, what)
    taken = source.taken or (0.0, 0.0, float(tile.width), float(tile.height))
    put = source.put or (0.0, 0.0, float(vrt.width), float(vrt.height))
    off = max(abs(taken[2] - put[2]), abs(taken[3] - put[3]), abs(put[0] - taken[0] - column),
              abs(put[1] - taken[1] - row))  # fmt: skip
    if not off <= _OFF:
        raise DataError(
            f"the VRT {vrt.path} stretches or moves {source.path.name}, by {off:.2f} pixels; give the raster it stands "
            "for (gdal_translate)"
        )
    if vrt.dtype != tile.dtype or (vrt.scaled is not None and vrt.scaled != tile.scaled):
        raise DataError(
            f"the VRT {vrt.path} says its values are {vrt.dtype} (scale and offset {vrt.scaled or (1, 0)}), those of "
            f"{source.path.name} are {tile.dtype} {tile.scaled}; give the raster it stands for (gdal_translate)"
        )
    # Whole pixels of the file that the VRT takes and has room for.
    top, left = (max(0, round(taken[1]), -row), max(0, round(taken[0]), -column))
    bottom = min(tile.height, round(taken[1] + taken[3]), vrt.height - row)
    right = min(tile.width, round(taken[0] + taken[2]), vrt.width - column)
    return Tile(source.path, row + top, column + left, bottom - top, right - left, top, left, source.nodata)
