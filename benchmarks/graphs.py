"""Make seeded pedestrian graphs of any size: districts of skewed blocks, dead ends, no nodes of degree two.

    python benchmarks/graphs.py AREA_KM2 FILE.npz

400 km² give 104,849 nodes and 304,314 arcs (degree 2.9, 28 % dead ends, 68 m an edge); 3,815 km² a million nodes and
15,260 km² four. Costs are decimetres and the cutoff is 1250 m: a quarter of an hour at 5 km/h. The same numbers give
the same graph on every machine.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import Delaunay

AREAS_KM2 = {"105k": 400.0, "1M": 3815.0, "4M": 15260.0}
"""Areas whose graphs have about that many nodes."""

CUTOFF = 12_500
"""Decimetres walked in 15 minutes at 5 km/h."""

_DISTRICT_M = 800.0
_LONGEST_M = 320.0  # no street without a junction is longer before dead ends and chains are dealt with
_KEPT = 0.57  # share of the neighbour pairs that get a street: leaves the degrees of a walking network
_SPURS = 0.15  # dead ends for each junction
_TILE_M = 8_000.0
_ROUNDS = 6


@dataclass(frozen=True)
class Graph:
    """A symmetric graph in CSR form: ``xy`` (n, 2) float64 m; ``indptr``, ``indices``, ``cost`` int32; ``cutoff``."""

    xy: NDArray[np.float64]
    indptr: NDArray[np.int32]
    indices: NDArray[np.int32]
    cost: NDArray[np.int32]
    cutoff: int = CUTOFF

    @property
    def n(self) -> int:
        """Number of nodes."""
        return len(self.indptr) - 1

    @property
    def tail(self) -> NDArray[np.int64]:
        """Node each arc leaves."""
        return np.repeat(np.arange(self.n), np.diff(self.indptr))

    def save(self, path: Path) -> None:
        """Write the file that ``reach.py`` and `load` read."""
        np.savez(path, xy=self.xy, indptr=self.indptr, indices=self.indices, w=self.cost, cutoff=np.int64(self.cutoff))

    @classmethod
    def load(cls, path: Path) -> "Graph":
        """Read a file of `save`."""
        with np.load(path) as file:
            return cls(*(file[name] for name in ("xy", "indptr", "indices", "w")), cutoff=int(file["cutoff"]))


def street_graph(area_km2: float, seed: int = 0) -> Graph:
    """Make the graph of a square of an area.

    Points stand on the skewed grids of districts; pairs that are neighbours in Gabriel's sense (nobody stands in the
    circle over them) get a street with a fixed chance; dead ends are hung on; the largest piece is kept, every street
    bent a little, and chains through nodes of degree two become one street.
    """
    rng = np.random.default_rng(seed)
    xy = _junctions(rng, np.sqrt(area_km2) * 1000.0)
    street = _neighbours(xy)
    street = street[rng.random(len(street)) < _KEPT]
    spurs = int(_SPURS * len(xy))
    foot = rng.choice(len(xy), spurs, replace=False)
    street = np.concatenate([street, np.stack([foot, len(xy) + np.arange(spurs)], axis=1)])
    xy = np.concatenate([xy, xy[foot] + rng.normal(0, 25, (spurs, 2))])
    _, piece = connected_components(_matrix(street[:, 0], street[:, 1], np.ones(len(street)), len(xy)), directed=False)
    street = street[(piece == np.bincount(piece).argmax())[street[:, 0]]]
    across = xy[street[:, 0]] - xy[street[:, 1]]
    length = np.maximum(1.0, np.hypot(across[:, 0], across[:, 1]) * (1 + rng.exponential(0.04, len(street))))
    u, v, length = _join_chains(len(xy), street[:, 0], street[:, 1], length)
    left = np.zeros(len(xy), dtype=bool)
    left[u] = left[v] = True
    # Numbers say nothing about places, as in a file of OpenStreetMap.
    shuffled = rng.permutation(int(left.sum()))
    number = np.empty(len(xy), dtype=np.int64)
    number[np.flatnonzero(left)[shuffled]] = np.arange(len(shuffled))
    cost = np.maximum(1, np.rint(length * 10)).astype(np.int32)
    both = _matrix(
        np.concatenate([number[u], number[v]]), np.concatenate([number[v], number[u]]), np.concatenate([cost, cost]),
        len(shuffled),
    ).tocsr()  # fmt: skip
    both.sort_indices()
    return Graph(xy[left][shuffled], both.indptr.astype(np.int32), both.indices.astype(np.int32), both.data)


def _junctions(rng: np.random.Generator, side_m: float) -> NDArray[np.float64]:
    """Points on a shaken grid in every district, each with its own block size, shape and direction."""
    districts = int(np.ceil(side_m / _DISTRICT_M))
    found = []
    for i in range(districts):
        for j in range(districts):
            from_middle = np.hypot(i - districts / 2, j - districts / 2) / (districts / 2)
            block = np.exp(rng.uniform(np.log(35.5), np.log(97.0))) * (0.85 + 0.3 * min(from_middle, 1.2))
            skew = np.exp(rng.uniform(-0.5, 0.5)) ** 0.5
            size = np.array([block * skew, block / skew])
            angle = rng.uniform(0, np.pi / 2)
            reach = int(_DISTRICT_M / size.min()) + 2
            step = np.arange(-reach, reach + 1)
            grid = np.stack([np.tile(step, len(step)), np.repeat(step, len(step))], axis=1) * size
            grid += rng.normal(0, 0.16, grid.shape) * size
            cos, sin = np.cos(angle), np.sin(angle)
            x, y = grid[:, 0] * cos - grid[:, 1] * sin, grid[:, 0] * sin + grid[:, 1] * cos
            inside = (np.abs(x) < _DISTRICT_M / 2) & (np.abs(y) < _DISTRICT_M / 2)
            middle = ((i + 0.5) * _DISTRICT_M, (j + 0.5) * _DISTRICT_M)
            found.append(np.stack([x[inside] + middle[0], y[inside] + middle[1]], axis=1))
    xy = np.concatenate(found)
    return xy[(xy < side_m).all(axis=1)]


def _neighbours(xy: NDArray[np.float64]) -> NDArray[np.int64]:
    """Pairs (i < j) in rising order with nobody in the circle over them, shorter than the longest street.

    Such a circle is small, so the plane can be cut into tiles with a margin: memory stays small, threads help, and the
    answer is that of one triangulation of everything.
    """
    tiles = np.floor(xy.max(axis=0) / _TILE_M).astype(int) + 1
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        parts = [
            pool.submit(_neighbours_in, xy[near], near, (column, row))
            for column in range(tiles[0])
            for strip in [_near(xy[:, 0], np.arange(len(xy)), column)]
            for row in range(tiles[1])
            for near in [_near(xy[strip, 1], strip, row)]
        ]
        found = np.concatenate([part.result() for part in parts])
    return found[np.lexsort((found[:, 1], found[:, 0]))]


def _near(along: NDArray[np.float64], of: NDArray[np.int64], tile: int) -> NDArray[np.int64]:
    """Those whose coordinate lies in a tile or in the margin around it."""
    low, high = tile * _TILE_M - _LONGEST_M, (tile + 1) * _TILE_M + _LONGEST_M
    return of[(along >= low) & (along < high)]


def _neighbours_in(xy: NDArray[np.float64], name: NDArray[np.int64], tile: tuple[int, int]) -> NDArray[np.int64]:
    """Pairs whose middle lies in one tile, by name."""
    few = 3
    if len(xy) < few:
        return np.zeros((0, 2), dtype=np.int64)
    corners = Delaunay(xy).simplices
    pair = np.concatenate([corners[:, [0, 1]], corners[:, [1, 2]], corners[:, [2, 0]]]).astype(np.int64)
    third = np.concatenate([corners[:, 2], corners[:, 0], corners[:, 1]])
    pair.sort(axis=1)
    a, b, c = xy[pair[:, 0]], xy[pair[:, 1]], xy[third]
    in_circle = ((a - c) * (b - c)).sum(axis=1) < 0
    middle = np.floor((a + b) / 2 / _TILE_M) == tile
    length = np.hypot(*(a - b).T)
    key, which = np.unique(pair[:, 0] * len(xy) + pair[:, 1], return_inverse=True)
    good = np.ones(len(key), dtype=bool)
    good[which[in_circle | (length >= _LONGEST_M) | ~middle.all(axis=1)]] = False
    return name[np.stack([key[good] // len(xy), key[good] % len(xy)], axis=1)]


def _join_chains(
    n: int, u: NDArray[np.int64], v: NDArray[np.int64], length: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Replace nodes of degree two by one street, in rounds of nodes not side by side; of parallels the shortest."""
    rank = np.random.default_rng(1).permutation(n)
    for _ in range(_ROUNDS):
        ends, others = np.concatenate([u, v]), np.concatenate([v, u])
        middle = np.bincount(ends, minlength=n) == 2
        half = np.flatnonzero(middle[ends])
        half = half[np.argsort(ends[half], kind="stable")].reshape(-1, 2)
        node, side = ends[half[:, 0]], others[half]
        # Of two neighbours both of degree two only the one of higher rank goes in this round; a loop stays a chain.
        free = (~middle[side] | (rank[side] < rank[node][:, None])).all(axis=1) & (side[:, 0] != side[:, 1])
        half, side = half[free] % len(u), side[free]
        if len(half) == 0:
            break
        kept = np.ones(len(u), dtype=bool)
        kept[half] = False
        a, b = np.concatenate([u[kept], side[:, 0]]), np.concatenate([v[kept], side[:, 1]])
        whole = np.concatenate([length[kept], length[half].sum(axis=1)])
        key = np.minimum(a, b) * n + np.maximum(a, b)
        order = np.lexsort((whole, key))
        first = order[np.flatnonzero(np.diff(key[order], prepend=-1))]
        u, v, length = key[first] // n, key[first] % n, whole[first]
    return u, v, length


def _matrix(row: NDArray[np.int64], column: NDArray[np.int64], value: NDArray[np.generic], n: int) -> coo_array:
    return coo_array((value, (row, column)), shape=(n, n))


def cached(name: str, folder: Path) -> Path:
    """File of the graph of a size (a key of `AREAS_KM2`), made when it is not there yet.

    Made by another process: a child's peak memory, as the system tells it, begins with that of its parent.
    """
    path = folder / f"graph-{name}.npz"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        unfinished = folder / f"unfinished-{os.getpid()}.npz"
        made = [sys.executable, str(Path(__file__).resolve()), str(AREAS_KM2[name]), str(unfinished)]
        subprocess.run(made, check=True, stdout=subprocess.DEVNULL)
        unfinished.replace(path)
    return path


def main() -> None:
    """Make one graph and say what it is."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("area_km2", type=float)
    parser.add_argument("file", type=Path)
    options = parser.parse_args()
    start = time.perf_counter()
    graph = street_graph(options.area_km2)
    graph.save(options.file)
    degree = np.diff(graph.indptr)
    told = {
        "nodes": graph.n,
        "arcs": len(graph.indices),
        "degree_mean": float(degree.mean()),
        "dead_ends_share": float((degree == 1).mean()),
        "edge_mean_m": float(graph.cost.mean() / 10),
        "seconds": round(time.perf_counter() - start, 1),
    }
    print(json.dumps(told, indent=1))


if __name__ == "__main__":
    main()
