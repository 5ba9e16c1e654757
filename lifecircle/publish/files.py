"""The results folder: every file of the contract, written whole or not at all."""

import ctypes
import errno
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import rasterio
import rasterio.shutil
from pyogrio.errors import DataLayerError, DataSourceError
from rasterio.errors import RasterioError
from rasterio.io import MemoryFile

from lifecircle.assess.coverage import UNKNOWN, Coverage, nullable
from lifecircle.assess.findings import Findings
from lifecircle.errors import LifecircleError, SourceError
from lifecircle.model.cells import PEOPLE
from lifecircle.profiles import TICKS
from lifecircle.publish import locks
from lifecircle.publish.about import About
from lifecircle.publish.scorecard import scorecard_frame
from lifecircle.publish.verdicts import write_verdicts
from lifecircle.reading import read_json

if TYPE_CHECKING:
    import geopandas as gpd

SCHEMA = 1
NAMES = frozenset(
    {"index.html", "coverage.html", "gaps.html", "lifecircle.gpkg", "coverage.tif"}
    | {"summary.json", "manifest.json", "check.json"}
    | {
        f"{name}.parquet"
        for name in ("cells", "access", "facilities", "entrances", "network", "gaps", "verdicts", "scorecard")
    }
)
"""Every file of a results folder."""

_NODATA = -1.0
_LITTLE = 1 << 16
_EXCHANGE = 2  # RENAME_EXCHANGE of renameat2(2)
_AT_FDCWD = -100


@contextmanager
def claimed(target: Path) -> Iterator[None]:
    """Hold a results folder for a run, from before anything is read until its results are written.

    What runs that are dead left beside it is cleared away first.

    Raises
    ------
    SourceError
        Another run holds it, it holds something else than results, or there is no place to write.
    """
    target = target.resolve()  # a link to a folder stays, what it leads to is exchanged
    if Path.cwd().is_relative_to(target):
        raise SourceError(f"{target} is the folder you stand in, and it would be replaced whole; choose another --out")
    if target.exists() and not target.is_dir():
        raise SourceError(f"{target} is a file, not a folder; choose another --out")
    with locks.held(target):
        _refuse_foreign(target)
        locks.sweep(target)
        yield


@contextmanager
def whole_folder(target: Path) -> Iterator[Path]:
    """Give a folder to write into that becomes ``target`` only if everything went well.

    The new folder is written beside the old one and exchanged with it in one call where the system offers it, else by
    two renames with the old kept as ``.<name>.previous`` in between.

    Raises
    ------
    SourceError
        No place to write, no permission, no room left, or another run is writing there; the old folder is as it was.
    """
    target = target.resolve()
    with claimed(target):
        try:
            made = Path(tempfile.mkdtemp(prefix=locks.name_of_new(target), suffix=".new", dir=target.parent))
        except OSError as error:
            raise SourceError(
                f"cannot write beside {target}: {error.strerror or error}; choose another --out"
            ) from error
        try:
            made.chmod(0o755)
            yield made
            locks.settle(made)
            _exchange(made, target)
        except (OSError, DataSourceError, DataLayerError, RasterioError) as error:
            if isinstance(error, LifecircleError):
                raise
            # GDAL tells a full disk only in words, so the room left is asked for as well.
            full = getattr(error, "errno", None) in {errno.ENOSPC, errno.EDQUOT}
            full = full or shutil.disk_usage(made).free < _LITTLE
            reason = "the disk is full" if full else (getattr(error, "strerror", None) or str(error))
            raise SourceError(
                f"the results could not be written to {target}: {reason}; what was there is unchanged"
            ) from error
        finally:
            shutil.rmtree(made, ignore_errors=True)


def write_check(target: Path, findings: dict[str, Any]) -> Path:
    """Write ``check.json`` into a results folder, whole or not at all; what else is there stays.

    Raises
    ------
    SourceError
        There is no place to write, or the folder holds something else.
    """
    target = target.resolve()
    made = target.with_name(f".{target.name}.check.new")
    if target.exists() and not target.is_dir():
        raise SourceError(f"{target} is a file, not a folder; choose another --out")
    with locks.held(target):
        _refuse_foreign(target)
        try:
            target.mkdir(parents=True, exist_ok=True)
            write_json(made, findings)
            made.replace(target / "check.json")
        except OSError as error:
            made.unlink(missing_ok=True)
            raise SourceError(f"cannot write {target / 'check.json'}: {error.strerror or error}") from error
    return target / "check.json"


def write_text(target: Path, text: str) -> None:
    """Write one file, whole or not at all; a link stays, what it leads to is replaced.

    Raises
    ------
    SourceError
        There is no place to write; what was there is unchanged.
    """
    _write(target, text.encode())


def write_made(target: Path, make: Callable[[], bytes], *, starts: bytes, what: str) -> None:
    """Write a picture or a printed page, whole or not at all; only one of its kind is replaced.

    Parameters
    ----------
    make : callable
        Makes it, once there is a place for it.
    starts : bytes
        What every file of this kind starts with.
    what : str
        How messages call one.

    Raises
    ------
    SourceError
        There is no place to write, something else is there, or it is a results folder, which holds results alone.
    """
    folder = target.absolute().parent
    if not folder.is_dir():
        raise SourceError(f"cannot write {target}: there is no folder {folder}; make it, or choose another file")
    if target.is_dir():
        raise SourceError(f"{target} is a folder; choose a file for {what}")
    if _is_ours(folder):
        raise SourceError(
            f"{target} would lie among results, and the next run replaces that folder whole; choose a file elsewhere"
        )
    try:
        other = target.exists() and target.read_bytes()[: len(starts)] != starts
    except OSError as error:
        raise SourceError(f"cannot write {target}: {error.strerror or error}") from error
    if other:
        raise SourceError(f"{target} is there already and is not {what}; choose another file, or remove it first")
    _write(target, make())


def _write(target: Path, made_of: bytes) -> None:
    target = target.resolve()
    made = target.with_name(f".{target.name}.new")
    try:
        made.write_bytes(made_of)
        made.replace(target)
    except OSError as error:
        made.unlink(missing_ok=True)
        raise SourceError(f"cannot write {target}: {error.strerror or error}; what was there is unchanged") from error


def _refuse_foreign(target: Path) -> None:
    """Refuse to write where something else than results is."""
    restore(target)
    if target.is_dir() and any(target.iterdir()) and not _is_ours(target):
        raise SourceError(
            f"{target} holds files that are not lifecircle's results; choose another --out, it would be replaced whole"
        )


def restore(target: Path) -> None:
    """Put back the previous results where an exchange was cut off between its two renames."""
    target = target.resolve()
    if target.name and locks.previous_of(target).is_dir() and not target.exists():
        with locks.held(target), suppress(FileNotFoundError):
            locks.previous_of(target).rename(target)


def _is_ours(folder: Path) -> bool:
    """Say whether a folder holds results of lifecircle and nothing else."""
    names = {path.name for path in folder.iterdir()}
    if names - NAMES:
        return False
    try:
        if names == {"check.json"}:
            return "snapping" in read_json(folder / "check.json")
        manifest = read_json(folder / "manifest.json")
        return "lifecircle" in manifest["versions"]
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _exchange(made: Path, target: Path) -> None:
    if not target.exists():
        made.rename(target)
        return
    if sys.platform == "linux":
        rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
        if rename is not None and not rename(_AT_FDCWD, os.fsencode(made), _AT_FDCWD, os.fsencode(target), _EXCHANGE):
            return  # ``made`` is now the old folder, and the caller removes it
    previous = locks.previous_of(target)
    shutil.rmtree(previous, ignore_errors=True)
    target.rename(previous)
    made.rename(target)
    shutil.rmtree(previous, ignore_errors=True)


def write_tables(folder: Path, found: Findings, about: About) -> None:
    """Write the Parquet tables, the GeoPackage and the GeoTIFF."""
    coverage, gaps = found.coverage, found.gaps
    frames = {
        "cells": _with_indicators(coverage.to_geodataframe(), found),
        "facilities": coverage.facilities.to_geodataframe(),
        "entrances": entrances_frame(coverage),
        "network": network_frame(coverage),
        "gaps": gaps.to_geodataframe(),
    }
    for name, frame in frames.items():
        frame.to_parquet(folder / f"{name}.parquet", index=False, compression="zstd", schema_version="1.1.0")
    access_frame(coverage).to_parquet(folder / "access.parquet", index=False, compression="zstd")
    write_verdicts(folder / "verdicts.parquet", found)
    scorecard_frame(found).to_parquet(folder / "scorecard.parquet", index=False, compression="zstd")
    _write_gpkg(
        folder / "lifecircle.gpkg",
        frames | {"zones": coverage.cells.region.to_geodataframe().to_crs(coverage.cells.region.crs)},
        about,
    )
    write_raster(folder / "coverage.tif", coverage, about)


def write_json(path: Path, value: Any) -> None:
    """Write JSON as UTF-8, keys in the order given, never NaN."""
    path.write_text(json.dumps(value, ensure_ascii=False, indent=1, allow_nan=False) + "\n", encoding="utf-8")


def _with_indicators(frame: "gpd.GeoDataFrame", found: Findings) -> "gpd.GeoDataFrame":
    """Add the walk to the worst-placed service, by unit, and the evenness of the mix; null where unknown."""
    if found.indicators is None:
        return frame
    first = found.coverage.cells.starts.first
    columns: dict[str, object] = {}
    for unit, worst in found.indicators.worst.items():
        value = worst[first]
        columns[f"worst_{unit}"] = np.where(np.isfinite(value), value, np.nan).astype(np.float32)
    columns["shannon"] = found.indicators.shannon[first]
    geometry = frame.pop("geometry")
    made = frame.assign(**columns)
    made["geometry"] = geometry
    return made.set_geometry("geometry", crs=geometry.crs)


def access_frame(coverage: Coverage) -> pd.DataFrame:
    """Every join of every access point of every cell; a point that joins nothing has one row without a join.

    ``cell_id``, ``point_n`` (0 for the cell's main point), ``join_n`` (0 for the point's main join), ``people`` (the
    point's share of the cell's people on its main join, 0 on its further ones, so that the column adds up; null where
    unknown), the columns of every cost, and the point's own walks and verdicts.
    """
    joins, starts = coverage.cells.joins, coverage.cells.starts
    # A point that joins nothing has a row too, without a join: its people are somewhere.
    place = np.concatenate([joins.place, np.setdiff1d(np.arange(len(starts)), joins.place)]).astype(np.int64)
    order = np.argsort(place, kind="stable")
    place = place[order]
    rows, every = order < len(joins), order[order < len(joins)]
    rank = np.zeros(len(place), dtype=np.int32)
    rank[rows] = joins.rank[every]
    cell = starts.cell[place]
    columns: dict[str, object] = {
        "cell_id": coverage.cells.cell_id[cell],
        "point_n": (place - starts.first[cell]).astype(np.int32),
        "join_n": nullable(rank, ~rows),
        "people": np.full(len(place), np.nan)
        if starts.people is None
        else np.where(rank == 0, starts.people[place] / PEOPLE, 0.0),
    }
    for name, lane in coverage.lanes.items():
        columns |= coverage.join_columns(name, lane, every, rows)
    columns |= coverage.verdict_columns(place)
    return pd.DataFrame(columns)


def entrances_frame(coverage: Coverage) -> "gpd.GeoDataFrame":
    """Every entrance of every facility under every cost, as ``entrances.parquet`` has it."""
    import geopandas as gpd
    import shapely

    facilities, network = coverage.facilities, coverage.network
    joins = facilities.joins
    lines = network.lines()[joins.edge]
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.nan_to_num(joins.offset_m / network.length_m[joins.edge])
    point = shapely.line_interpolate_point(lines, share, normalized=True)
    edge_id = network.edge_id[joins.edge]
    parts = []
    for name, lane in coverage.lanes.items():
        doors = lane.doors
        parts.append(
            gpd.GeoDataFrame(
                {
                    "facility_id": facilities.facility_id[joins.place],
                    "cost": name,
                    "edge_id": edge_id,
                    "offset_m": joins.offset_m,
                    "leg_ticks": doors.leg,
                    "from_u_ticks": nullable(doors.from_u, doors.from_u < 0),
                    "from_v_ticks": nullable(doors.from_v, doors.from_v < 0),
                    "status": np.where((doors.from_u < 0) & (doors.from_v < 0), "closed", "ok"),
                    "kind": facilities.join_kind,
                    "evidence": facilities.join_evidence,
                },
                geometry=point,
                crs=network.region.crs,
            )
        )
    return pd.concat(parts, ignore_index=True)


def network_frame(coverage: Coverage) -> "gpd.GeoDataFrame":
    """Every edge with its cost both ways under every cost, as ``network.parquet`` has it."""
    frame = coverage.network.to_geodataframe()
    for name, lane in coverage.lanes.items():
        frame.insert(4, f"ticks_uv_{name}", nullable(lane.ticks_uv, lane.ticks_uv < 0))
        frame.insert(5, f"ticks_vu_{name}", nullable(lane.ticks_vu, lane.ticks_vu < 0))
    return frame


def _write_gpkg(path: Path, frames: "dict[str, gpd.GeoDataFrame]", about: About) -> None:
    """Write the layers for QGIS. GeoPackage has no lists: they become text set apart by commas."""
    import pyogrio

    notice = " ".join(part for part in (about.notice, *about.attribution) if part)
    # GDAL stamps the clock into the file unless told the date of the data, and waits for the disk after each layer,
    # though no other file of the folder is waited for.
    options = {"OGR_CURRENT_DATE": about.stamp, "OGR_SQLITE_SYNCHRONOUS": "OFF"}
    pyogrio.set_gdal_config_options(options)
    try:
        for name, frame in frames.items():
            flat = frame
            if "missing" in frame:
                flat = frame.assign(
                    missing=[None if not isinstance(m, list) else ",".join(m) for m in frame["missing"]]
                )
            pyogrio.write_dataframe(
                flat, path, layer=name, driver="GPKG", append=path.exists(), metadata={"lifecircle": notice},
                use_arrow=True,
            )  # fmt: skip
    finally:
        pyogrio.set_gdal_config_options(dict.fromkeys(options))


def write_raster(path: Path, coverage: Coverage, about: About) -> None:
    """Write a cloud-optimised GeoTIFF on the cells' own grid.

    A band per service in the rule's unit (infinite where nothing is within the cutoff), and one with the number of
    unmet needs; nodata (-1) where there is no cell, or no verdict.
    """
    cells = coverage.cells
    row, column = cells.row - cells.origin[0], cells.column - cells.origin[1]
    bands = np.full((len(coverage.keys) + 1, *cells.shape), _NODATA, dtype=np.float32)
    for ix in range(len(coverage.keys)):
        bands[ix, row, column] = np.where(coverage.met[ix] == UNKNOWN, _NODATA, coverage.ticks[ix] / TICKS)
    met_n = coverage.met_n
    bands[-1, row, column] = np.where(met_n < 0, _NODATA, len(coverage.keys) - met_n)
    profile = {
        "height": cells.shape[0], "width": cells.shape[1], "count": len(bands), "dtype": "float32",
        "crs": rasterio.crs.CRS.from_wkt(cells.crs.to_wkt()), "transform": cells.transform, "nodata": _NODATA,
    }  # fmt: skip
    with MemoryFile() as memory:
        with memory.open(driver="GTiff", **profile) as plain:
            plain.write(bands)
            for ix, key in enumerate(coverage.keys, start=1):
                plain.set_band_description(ix, f"{key}_{coverage.unit_of(key)}")
            plain.set_band_description(len(bands), "unmet_n")
            plain.update_tags(
                LIFECIRCLE=" ".join(part for part in (about.notice, *about.attribution) if part),
                NODATA_MEANS="no cell, or no verdict; infinite is beyond the cutoff",
            )
        with memory.open() as plain:
            rasterio.shutil.copy(plain, path, driver="COG", compress="deflate", overview_resampling="nearest")
