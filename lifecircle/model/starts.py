"""Where the walks of a cell start: from its homes, on each side of what parts them, with their share of its people."""

from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

_WALL_M = 0.01  # a line parts nothing until it is an area


@dataclass(frozen=True, eq=False, repr=False)
class Starts:
    """Access points of cells: those of a cell follow each other, the one with most people first.

    Attributes
    ----------
    cell : (n_points,) int32, ascending
    people : (n_points,) int64 or None
        The point's share of the cell's people, in the unit of the cell's; they add up to it. None where unknown.
    share : (n_points,) float64
        The point's share of the cell's homes.
    xy : (n_points, 2) float64, metre CRS
    first : (n_cells,) int64
        The cell's main point.
    """

    cell: NDArray[np.int32]
    people: NDArray[np.int64] | None
    share: NDArray[np.float64]
    xy: NDArray[np.float64]
    first: NDArray[np.int64]

    def __post_init__(self) -> None:
        for array in vars(self).values():
            if isinstance(array, np.ndarray):
                array.flags.writeable = False

    def __len__(self) -> int:
        return len(self.cell)


def starts(
    polygons: NDArray[np.object_], centre: NDArray[np.float64], people: NDArray[np.int64] | None,
    home_xy: NDArray[np.float64], weight: NDArray[np.float64], barriers: shapely.STRtree,
) -> Starts:  # fmt: skip
    """Start the walks of every cell from the middle of its homes, and of a cell without homes from its own.

    Where water, a railway or a motorway parts the homes of a cell, each side starts from its own: from the home nearest
    to their middle.

    Parameters
    ----------
    polygons : (n_cells,) shapely, metre CRS
    centre : (n_cells, 2) float64, metre CRS
    people : (n_cells,) int64 or None
    home_xy : (n_homes, 2) float64, metre CRS
    weight : (n_homes,) float64, > 0
        How much of a cell's people a home may hold: its floor area.
    barriers : STRtree of what nobody crosses, metre CRS
    """
    n = len(polygons)
    home, cell = shapely.STRtree(polygons).query(shapely.points(home_xy), predicate="intersects")
    order = np.lexsort((cell, home))
    home, cell = home[order], cell[order]
    once = np.flatnonzero(np.diff(home, prepend=-1))  # a home on a shared side is in the first cell
    home, cell = home[once], cell[once]
    order = np.argsort(cell, kind="stable")
    home, cell = home[order], cell[order]
    side = _sides(polygons, cell, home_xy[home], barriers)
    sides = int(side.max(initial=0)) + 1
    number, of = np.unique(cell * sides + side, return_inverse=True)
    group = np.stack([number // sides, number % sides])
    total = np.bincount(of, weights=weight[home], minlength=group.shape[1])
    summed = [np.bincount(of, weights=weight[home] * home_xy[home, k], minlength=len(total)) for k in (0, 1)]
    xy: NDArray[np.float64] = np.stack(summed, axis=1) / np.where(total > 0, total, 1.0)[:, None]
    # The middle of homes round the bend of a river lies across it: there the home nearest to it stands for them.
    parted = np.zeros(n, dtype=bool)
    parted[barriers.query(polygons, predicate="intersects")[0]] = True
    far = np.hypot(*(home_xy[home] - xy[of]).T)
    by_group = np.lexsort((home_xy[home, 1], home_xy[home, 0], np.round(far, 6), of))
    nearest = home[by_group[np.flatnonzero(np.diff(of[by_group], prepend=-1))]]
    xy = np.where(parted[group[0]][:, None], home_xy[nearest], xy)
    empty = np.setdiff1d(np.arange(n), group[0])
    point_cell = np.concatenate([group[0], empty])
    share = np.concatenate([total, np.ones(len(empty))])
    point_xy = np.concatenate([xy, centre[empty]])
    share /= np.bincount(point_cell, weights=share, minlength=n)[point_cell]
    order = np.lexsort((np.arange(len(share)), -share, point_cell))
    point_cell, share, point_xy = point_cell[order], share[order], point_xy[order]
    first = np.flatnonzero(np.diff(point_cell, prepend=-1))
    return Starts(
        point_cell.astype(np.int32), None if people is None else _shared_out(people, point_cell, share, first), share,
        point_xy, first,
    )  # fmt: skip


def _sides(
    polygons: NDArray[np.object_], cell: NDArray[np.int64], xy: NDArray[np.float64], barriers: shapely.STRtree
) -> NDArray[np.int64]:
    """Say on which side of the barriers through its cell each home stands, (n_homes,) int counted from 0."""
    side = np.zeros(len(cell), dtype=np.int64)
    lived, homes_n = np.unique(cell, return_counts=True)
    lived = lived[homes_n > 1]
    if not len(barriers.geometries) or not len(lived):
        return side
    found, barrier = barriers.query(polygons[lived], predicate="intersects")
    if not len(found):
        return side
    order = np.argsort(found, kind="stable")
    found, barrier = found[order], barrier[order]
    first = np.flatnonzero(np.diff(found, prepend=-1))
    inside = shapely.intersection(barriers.geometries[barrier], polygons[lived[found]])  # a sea has many corners
    walls = shapely.buffer(inside, _WALL_M)
    several = np.flatnonzero(np.diff(np.append(first, len(found))) > 1).tolist()
    wall = walls[first]
    groups = np.split(walls, first[1:])
    for ix in several:
        wall[ix] = shapely.union_all(groups[ix])
    crossed = lived[found[first]]
    parts, owner = shapely.get_parts(shapely.difference(polygons[crossed], wall), return_index=True)
    for ix in np.flatnonzero(np.bincount(owner, minlength=len(crossed)) > 1).tolist():
        mine = slice(*np.searchsorted(cell, [crossed[ix], crossed[ix] + 1]))
        sides = parts[slice(*np.searchsorted(owner, [ix, ix + 1]))]
        side[mine] = np.argmin(shapely.distance(sides[:, None], shapely.points(xy[mine])[None, :]), axis=0)
    return side


def _shared_out(
    people: NDArray[np.int64], cell: NDArray[np.int64], share: NDArray[np.float64], first: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Whole shares that add up to each cell's people: the largest remainders get what is left, the first of equals."""
    exact = people[cell] * share
    whole = np.floor(exact).astype(np.int64)
    left = people - np.add.reduceat(whole, first)
    order = np.lexsort((np.arange(len(cell)), -(exact - whole), cell))
    place = np.arange(len(cell)) - first[cell]
    whole[order] += place < left[cell]
    return whole
