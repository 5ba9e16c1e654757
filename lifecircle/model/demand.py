"""Demand layers: groups of people and where they are, at home or elsewhere."""

from dataclasses import dataclass
from itertools import accumulate
from typing import Any, Literal

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


def of_raster(cells: Cells, raster: object) -> tuple[NDArray[np.int64], float, float | None]:
    """Put the people of a raster, on whatever grid, into the cells; none is lost, and none counted twice.

    Where pixels are no larger than cells, a pixel whose centre lies in the boundary counts in the cell that holds its
    centre. The people of a larger pixel are shared among the cells whose centre it holds, as residents are (evenly
    where nobody knows them); of one that the boundary cuts, the part that its area inside is of the whole.

    Parameters
    ----------
    raster : window with ``values``, ``transform`` and ``crs``, as of `read_population`

    Returns
    -------
    people : (n_points,) int64
        A cell's people stand at its access points as its residents do.
    left : float
        People of the raster inside the boundary that are in no cell; with those in cells they are all there are.
    coarse_m : float or None
        Side of the pixels, m, where they are larger than the cells.
    """
    import pyproj

    values: NDArray[np.float64] = np.nan_to_num(raster.values)  # type: ignore[attr-defined]
    transform, crs = raster.transform, raster.crs  # type: ignore[attr-defined]
    row, column = np.nonzero(values > 0)
    amount = np.floor(values[row, column] * PEOPLE + 0.5).astype(np.int64)
    to_metres = pyproj.Transformer.from_crs(crs, cells.region.crs, always_xy=True)
    middle = (values.shape[1] // 2, values.shape[0] // 2)
    ends = [np.array(to_metres.transform(*(transform @ (middle[0] + i, middle[1] + j)))) for i, j in _CORNER]
    side = max(float(np.hypot(*(ends[0] - ends[1]))), float(np.hypot(*(ends[0] - ends[2]))))
    if side <= _COARSE * float(np.hypot(*(cells.corners[0, 1] - cells.corners[0, 0]))):
        x, y = transform @ (column + 0.5, row + 0.5)
        of_cell, left = _by_centre(cells, amount, np.column_stack([x, y]), crs, to_metres)
        return _over_points(cells, of_cell), left / PEOPLE, None
    c, r = column[:, None] + np.array([0, 1, 1, 0]), row[:, None] + np.array([0, 0, 1, 1])
    corners = np.stack(to_metres.transform(*(transform @ (c.astype(float), r.astype(float)))), axis=-1)
    centres = cells.corners.mean(axis=1)
    to_raster = pyproj.Transformer.from_crs(cells.region.crs, crs, always_xy=True)
    at = np.floor(np.stack(~transform @ to_raster.transform(centres[:, 0], centres[:, 1]))).astype(np.int64)
    of_cell, left = _by_residents(cells, amount, corners, np.stack([row, column]), at[::-1])
    return _over_points(cells, of_cell), left / PEOPLE, side


_CORNER = ((0, 0), (1, 0), (0, 1))
_COARSE = 1.05  # pixels of as many sides of a cell are no larger than the cells


def _by_centre(
    cells: Cells, amount: NDArray[np.int64], xy: NDArray[np.float64], crs: object, to_metres: Any
) -> tuple[NDArray[np.int64], int]:
    """Give each pixel to the cell that holds its centre; (n_cells,) int64, and what is in none."""
    import pyproj
    import shapely

    lon, lat = pyproj.Transformer.from_crs(crs, "EPSG:4326", always_xy=True).transform(xy[:, 0], xy[:, 1])
    inside = np.flatnonzero(shapely.intersects_xy(cells.region.boundary, lon, lat))
    points = shapely.points(np.column_stack(to_metres.transform(xy[inside, 0], xy[inside, 1])))
    pixel, cell = shapely.STRtree(cells.polygons()).query(points, predicate="intersects")
    first = np.flatnonzero(np.diff(pixel, prepend=-1))  # a centre on a shared side counts once
    pixel, cell = inside[pixel[first]], cell[first]
    of_cell = np.zeros(len(cells), dtype=np.int64)
    np.add.at(of_cell, cell, amount[pixel])
    return of_cell, int(amount[inside].sum() - amount[pixel].sum())


def _by_residents(
    cells: Cells, amount: NDArray[np.int64], corners: NDArray[np.float64], at: NDArray[np.int64],
    of: NDArray[np.int64],
) -> tuple[NDArray[np.int64], int]:  # fmt: skip
    """Share each pixel among the cells whose centre it holds, as residents are; (n_cells,) int64, and what is in none.

    ``at`` is row and column of each pixel, ``of`` those of the pixel that holds each cell's centre.
    """
    import shapely

    region = cells.region
    boundary = region.project(shapely.segmentize(region.boundary, 0.01))
    shapely.prepare(boundary)
    squares = shapely.polygons(corners)
    share = np.zeros(len(squares))
    share[whole := shapely.contains_properly(boundary, squares)] = 1.0
    cut = np.flatnonzero(~whole & shapely.intersects(boundary, squares))
    share[cut] = shapely.area(shapely.intersection(squares[cut], boundary)) / shapely.area(squares[cut])
    here = np.floor(amount * share + 0.5).astype(np.int64)
    order = np.lexsort((of[1], of[0]))
    held: dict[tuple[int, int], list[int]] = {}
    for cell in order.tolist():
        held.setdefault((int(of[0, cell]), int(of[1, cell])), []).append(cell)
    of_cell, left = np.zeros(len(cells), dtype=np.int64), 0
    for ix in np.flatnonzero(here).tolist():
        mine, all_of_it = held.get((int(at[0, ix]), int(at[1, ix])), []), int(here[ix])
        weights = [1] * len(mine) if cells.people is None else cells.people[mine].tolist()
        if not sum(weights):
            left += all_of_it
            continue
        # Rounding sums, not shares: what one cell loses the next one gets. Whole numbers of any length.
        upto = [all_of_it * part // sum(weights) for part in accumulate(weights)]
        of_cell[mine] += np.diff(np.array([0, *upto]))
    return of_cell, left


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
