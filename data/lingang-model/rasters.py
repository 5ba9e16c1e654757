"""People per 100 m pixel and elevation, as GeoTIFFs."""

from __future__ import annotations

import math
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
SHARE = 1024  # people are held in 1/1024
DEM_STEP_DEG = 2 / 3600  # about 53 m by 62 m
LAND_M, LAND_SWING_M = 4.0, 1.0
SEA_WALL_M, SEA_WALL_WIDE_M = 3.2, 90.0
ISLAND_TOP_M = 148.0
MODEL_TAGS = {"MODEL": "yes", "lifecircle_notice": "a model, not survey data / 模型数据，非实测"}


def people_of_homes(floor_m2: np.ndarray, town: np.ndarray, totals: dict[str, float]) -> np.ndarray:
    """Share each town's assumed people among its homes by floor area, in whole 1/1024 of a person."""
    people = np.zeros(len(floor_m2), dtype=np.int64)
    for key in sorted(totals):
        mine = np.flatnonzero(town == key)
        exact = floor_m2[mine] / floor_m2[mine].sum() * totals[key] * SHARE
        whole = np.floor(exact).astype(np.int64)
        missing = round(totals[key] * SHARE) - int(whole.sum())
        whole[np.argsort(-(exact - whole), kind="stable")[:missing]] += 1
        people[mine] = whole
    return people


def write_population(path: Path, homes: np.ndarray, people: np.ndarray, outlines: Outlines) -> np.ndarray:
    """Write people (in 1/1024) at points to the 100 m grid, and return the grid."""
    land = shapely.union_all([outlines.land, outlines.island])
    around = shapely.union_all([land, *outlines.zones.values()])
    west, south, east, north = around.bounds
    west, south = math.floor(west / PIXEL_M) * PIXEL_M, math.floor(south / PIXEL_M) * PIXEL_M
    columns, rows = math.ceil((east - west) / PIXEL_M), math.ceil((north - south) / PIXEL_M)
    top = south + rows * PIXEL_M
    transform = from_origin(west, top, PIXEL_M, PIXEL_M)
    counts = np.zeros((rows, columns), dtype=np.int64)
    at = np.floor((homes - [west, 0]) / PIXEL_M).astype(np.int64)[:, 0]
    down = np.floor((top - homes[:, 1]) / PIXEL_M).astype(np.int64)
    np.add.at(counts, (down, at), people)
    dry = rasterize([(land, 1)], (rows, columns), transform=transform, all_touched=True).astype(bool)
    grid = np.where(dry | (counts > 0), counts / SHARE, NODATA).astype(np.float32)
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
        out.update_tags(**MODEL_TAGS, unit="people per pixel", year="2024")
        out.set_band_description(1, "people (model assumption)")
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
