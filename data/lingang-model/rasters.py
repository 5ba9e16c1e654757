"""People and jobs per 100 m pixel, and elevation, as GeoTIFFs."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import rasterio
import shapely
from frame import METRE_CRS, generator, to_degrees
from rasterio.features import rasterize
from rasterio.transform import from_origin
from scipy.ndimage import distance_transform_edt, gaussian_filter

if TYPE_CHECKING:
    from pathlib import Path

    from outlines import Outlines

PIXEL_M = 100
NODATA = -200.0
SHARE = 1024  # people and jobs are held in 1/1024
DEM_STEP_DEG = 2 / 3600  # about 53 m by 62 m
LAND_M, LAND_SWING_M = 4.0, 1.0
SEA_WALL_M, SEA_WALL_WIDE_M = 3.2, 90.0
ISLAND_TOP_M = 148.0
MODEL_TAGS = {"MODEL": "yes", "lifecircle_notice": "a model, not survey data / 模型数据，非实测"}


@dataclass(frozen=True)
class Label:
    """What a grid of counts says of itself: unit, year, and the band's description."""

    unit: str
    year: str
    about: str


PEOPLE_LABEL = Label("people per pixel", "2024", "people (model assumption)")
JOBS_LABEL = Label("jobs per pixel", "2023", "jobs (town totals of the 2023 census or assumed, places are the model's)")


def shared_out(weight: np.ndarray, town: np.ndarray, totals: dict[str, float]) -> np.ndarray:
    """Share each town's total among its places by their weight, in whole 1/1024 of a person or a job."""
    counts = np.zeros(len(weight), dtype=np.int64)
    for key in sorted(totals):
        mine = np.flatnonzero(town == key)
        exact = weight[mine] / weight[mine].sum() * totals[key] * SHARE
        whole = np.floor(exact).astype(np.int64)
        missing = round(totals[key] * SHARE) - int(whole.sum())
        whole[np.argsort(-(exact - whole), kind="stable")[:missing]] += 1
        counts[mine] = whole
    return counts


def write_counts(path: Path, places: np.ndarray, counts: np.ndarray, outlines: Outlines, label: Label) -> np.ndarray:
    """Write people or jobs (in 1/1024) at points to the 100 m grid, and return the grid."""
    land = shapely.union_all([outlines.land, outlines.island])
    around = shapely.union_all([land, *outlines.zones.values()])
    west, south, east, north = around.bounds
    west, south = math.floor(west / PIXEL_M) * PIXEL_M, math.floor(south / PIXEL_M) * PIXEL_M
    columns, rows = math.ceil((east - west) / PIXEL_M), math.ceil((north - south) / PIXEL_M)
    top = south + rows * PIXEL_M
    transform = from_origin(west, top, PIXEL_M, PIXEL_M)
    grid_counts = np.zeros((rows, columns), dtype=np.int64)
    at = np.floor((places - [west, 0]) / PIXEL_M).astype(np.int64)[:, 0]
    down = np.floor((top - places[:, 1]) / PIXEL_M).astype(np.int64)
    np.add.at(grid_counts, (down, at), counts)
    dry = rasterize([(land, 1)], (rows, columns), transform=transform, all_touched=True).astype(bool)
    grid = np.where(dry | (grid_counts > 0), grid_counts / SHARE, NODATA).astype(np.float32)
    profile = {
        "driver": "GTiff",
        "width": columns,
        "height": rows,
        "count": 1,
        "dtype": "float32",
        "crs": METRE_CRS,
        "transform": transform,
        "nodata": NODATA,
        "compress": "deflate",
        "predictor": 3,
        "zlevel": 9,
        "tiled": True,
        "blockxsize": 256,
        "blockysize": 256,
    }
    with rasterio.open(path, "w", **profile) as out:
        out.write(grid, 1)
        out.update_tags(**MODEL_TAGS, unit=label.unit, year=label.year)
        out.set_band_description(1, label.about)
    return grid


def write_elevation(path: Path, outlines: Outlines) -> tuple[float, float]:
    """Write the elevation grid in metres and return its lowest and highest value."""
    degrees = shapely.transform(outlines.extent, to_degrees)
    west, south, east, north = degrees.bounds
    west, south = math.floor(west / DEM_STEP_DEG) * DEM_STEP_DEG, math.floor(south / DEM_STEP_DEG) * DEM_STEP_DEG
    columns, rows = math.ceil((east - west) / DEM_STEP_DEG), math.ceil((north - south) / DEM_STEP_DEG)
    transform = from_origin(west, south + rows * DEM_STEP_DEG, DEM_STEP_DEG, DEM_STEP_DEG)
    random = generator("elevation")

    def mask(shape: shapely.Geometry) -> np.ndarray:
        return rasterize([(shapely.transform(shape, to_degrees), 1)], (rows, columns), transform=transform).astype(bool)

    sea, lake, island = mask(outlines.sea), mask(outlines.lake), mask(outlines.island)
    height = LAND_M + gaussian_filter(random.random((rows, columns)) - 0.5, 14) * 40 * LAND_SWING_M
    from_sea = distance_transform_edt(~sea) * 57.0
    height += SEA_WALL_M * np.exp(-(((from_sea - 90) / SEA_WALL_WIDE_M) ** 2))
    inside = distance_transform_edt(island)
    along = np.cumsum(island.any(axis=0)) / max(1, int(island.any(axis=0).sum()))
    ridge = gaussian_filter(random.random((rows, columns)) - 0.5, 5) * 9 + 0.72
    north_side = np.clip((np.cumsum(island[::-1], axis=0)[::-1] - 7) / 10.0, 0, 1)
    hill = (
        ISLAND_TOP_M
        * 1.5
        * np.clip(inside / max(1.0, inside.max()) - 0.2, 0, 1)
        * ridge
        * north_side
        * np.sin(np.clip(along, 0, 1) * np.pi)[None, :]
    )
    height = np.where(island, np.maximum(5.0, gaussian_filter(np.maximum(hill, 0.0), 1.2) + 5.0), height)
    height = np.where(sea, 0.0, np.where(lake, 2.6, height))
    height = (np.round(height * 10) / 10).astype(np.float32)
    profile = {
        "driver": "GTiff",
        "width": columns,
        "height": rows,
        "count": 1,
        "dtype": "float32",
        "crs": "EPSG:4326",
        "transform": transform,
        "compress": "deflate",
        "predictor": 3,
        "zlevel": 9,
        "tiled": True,
        "blockxsize": 256,
        "blockysize": 256,
    }
    with rasterio.open(path, "w", **profile) as out:
        out.write(height, 1)
        out.update_tags(**MODEL_TAGS, unit="metres above mean sea level")
        out.set_band_description(1, "elevation in metres (model)")
    return float(height.min()), float(height.max())
