"""Demand layers: groups of people and where they are, at home or elsewhere."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lifecircle.errors import DataError
from lifecircle.model.cells import PEOPLE, Cells
from lifecircle.model.snapping import Snapper


@dataclass(frozen=True, eq=False, repr=False)
class Layer:
    """A group of people.

    Attributes
    ----------
    key, title, title_zh, source, status : str
    cells : Cells
        Where they are: the cells of the residents for a group of residents, cells of their own for workers or visitors.
    people : (n_points,) int64
        How many start from each access point of ``cells``, in multiples of 1/1024.
    kind : {"share", "raster", "places"}
    """

    key: str
    title: str
    title_zh: str
    source: str
    status: str
    cells: Cells
    people: NDArray[np.int64]
    kind: Literal["share", "raster", "places"]

    def __post_init__(self) -> None:
        if self.people.shape != (len(self.cells.starts),):
            raise DataError(f"{len(self.people)} people of layer {self.key}, {len(self.cells.starts)} access points")
        self.people.flags.writeable = False

    @property
    def total(self) -> float:
        """People of the layer."""
        return int(self.people.sum()) / PEOPLE

    def _repr_html_(self) -> str:
        from html import escape

        return f"<p>{escape(self.title)}: {self.total:,.0f} ({escape(self.source)}; {self.status})</p>"


def of_share(cells: Cells, share: float) -> NDArray[np.int64]:
    """Take the same share of every access point's residents, (n_points,) int64; the sum is that share of all, rounded.

    Raises
    ------
    DataError
        No residents are known.
    """
    if cells.starts.people is None:
        raise DataError("a share of the residents needs a population raster (--population)")
    # Rounding sums, not points: what one point loses the next one gets, and the whole is right to 1/1024 person.
    upto = np.floor(np.cumsum(cells.starts.people) * share + 0.5).astype(np.int64)
    return np.asarray(np.diff(upto, prepend=0))


def of_raster(cells: Cells, raster: object, *, key: str) -> tuple[NDArray[np.int64], float]:
    """Count the people of a raster in the cells whose square holds the centre of a pixel.

    Parameters
    ----------
    raster : window with ``values``, ``transform`` and ``crs``, as of `read_population`

    Returns
    -------
    people : (n_points,) int64
        A cell's people stand at its access points as its residents do.
    left : float
        People of the raster inside the boundary that are in no cell.

    Raises
    ------
    DataError
        The pixels are larger than the cells, so that nobody knows which cell their people are in.
    """
    import pyproj
    import shapely

    values: NDArray[np.float64] = np.nan_to_num(raster.values)  # type: ignore[attr-defined]
    transform, crs = raster.transform, raster.crs  # type: ignore[attr-defined]
    row, column = np.nonzero(values > 0)
    x, y = transform @ (column + 0.5, row + 0.5)
    to_metres = pyproj.Transformer.from_crs(crs, cells.region.crs, always_xy=True)
    side = np.hypot(
        *np.subtract(*[np.array(to_metres.transform(*(transform @ at))) for at in ((0.0, 0.0), (1.0, 0.0))])
    )
    widest = float(np.hypot(*(cells.corners[0, 1] - cells.corners[0, 0])))
    if side > 1.05 * widest:
        raise DataError(
            f"the raster of {key} has pixels of {side:.0f} m, the cells are of {widest:.0f} m: expected pixels no "
            "larger than those of the population raster"
        )
    points = shapely.points(np.column_stack(to_metres.transform(x, y)))
    pixel, cell = shapely.STRtree(cells.polygons()).query(points, predicate="intersects")
    first = np.flatnonzero(np.diff(pixel, prepend=-1))  # a centre on a shared side counts once
    pixel, cell = pixel[first], cell[first]
    amount = np.floor(values[row, column] * PEOPLE + 0.5).astype(np.int64)
    of_cell = np.zeros(len(cells), dtype=np.int64)
    np.add.at(of_cell, cell, amount[pixel])
    lonlat = np.array(pyproj.Transformer.from_crs(crs, "EPSG:4326", always_xy=True).transform(x, y))
    inside = np.asarray(shapely.intersects_xy(cells.region.boundary, lonlat[0], lonlat[1]))
    inside[pixel] = False
    return _over_points(cells, of_cell), int(amount[inside].sum()) / PEOPLE


def _over_points(cells: Cells, of_cell: NDArray[np.int64]) -> NDArray[np.int64]:
    """Share each cell's people among its access points, as its homes are; the sums stay."""
    starts = cells.starts
    total = of_cell[starts.cell]
    ends = np.cumsum(starts.share)
    begin = ends[starts.first] - starts.share[starts.first]
    upto = np.floor(total * np.clip(ends - begin[starts.cell], 0.0, 1.0) + 0.5).astype(np.int64)
    last = np.append(starts.first[1:], len(starts)) - 1
    upto[last] = of_cell  # the shares of a cell add up to 1, but for rounding
    people = np.asarray(np.diff(upto, prepend=0))
    people[starts.first] = upto[starts.first]
    return people


def of_places(raster: object, snapper: Snapper, extent: tuple[float, ...]) -> Cells:
    """Cells of people who are elsewhere than at home, say at work: they start from the middle of their pixel.

    Parameters
    ----------
    raster : window of people, as of `read_population`

    Raises
    ------
    DataError
        There are none inside the boundary.
    """
    return Cells.from_raster(raster, _nothing(), snapper, extent)


def of_points(
    lon: NDArray[np.float64], lat: NDArray[np.float64], people: NDArray[np.float64], snapper: Snapper,
    extent: tuple[float, ...],
) -> Cells:  # fmt: skip
    """Cells of a metre, one for each spot where people are: a gate, a dormitory, a sight.

    Parameters
    ----------
    lon, lat : (n,) float64, degrees
    people : (n,) float64, > 0

    Raises
    ------
    DataError
        None is inside the boundary.
    """
    return Cells.from_points(lon, lat, people, _nothing(), snapper, extent)


def _nothing() -> pd.DataFrame:
    """No homes are looked for: these people are not at home."""
    return pd.DataFrame({"osm_type": [], "osm_id": [], "tags": [], "geometry": []}, dtype=object)
