"""The sketch that lies beside the project (``../shared/yardstick``), run on a graph, where it is at hand."""

import ast
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from graphs import Graph
from numpy.typing import NDArray

FOLDER = Path(__file__).resolve().parents[2] / "shared" / "yardstick"

_LANES = 64
_ROOM = 1 << 14  # nodes of one piece: plenty on the seeded graph; the sketch itself checks nothing


def at_hand(folder: Path = FOLDER) -> bool:
    """Say whether the sketch can be run."""
    return all((folder / name).is_file() for name in ("yardstick.py", "lanes.py", "vectors.py"))


def _definitions(file: Path) -> SimpleNamespace:
    """Functions of a script that begins to work as soon as it is imported: everything in it but the bare calls."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    tree.body = [s for s in tree.body if not (isinstance(s, ast.Expr) and isinstance(s.value, ast.Call))]
    names: dict[str, Any] = {}
    exec(compile(tree, str(file), "exec"), names)  # noqa: S102 (a file the caller named)
    return SimpleNamespace(**names)


class Yardstick:
    """The sketch with a graph laid out for it.

    Parameters
    ----------
    doors, service : (n_facilities,), optional
        Facilities at nodes and what they are; without them only R is found.
    room : int
        Nodes of the largest piece of 128 origins, amply.
    """

    def __init__(
        self,
        folder: Path,
        graph: Graph,
        doors: NDArray[np.int64] | None = None,
        service: NDArray[np.int64] | None = None,
        *,
        room: int = _ROOM,
    ) -> None:
        if str(folder) not in sys.path:
            sys.path.insert(0, str(folder))
        import lanes  # the sketch's own module names
        import vectors

        n, cutoff = graph.n, graph.cutoff
        self.lanes, self.n = lanes, n
        shown = _definitions(folder / "yardstick.py")
        _, indptr, indices, cost = shown.renumber(graph.xy, graph.indptr, graph.indices, graph.cost)
        self.order = np.argsort(shown.hilbert(graph.xy), kind="stable")
        rank = np.empty(n, dtype=np.int64)
        rank[self.order] = np.arange(n)
        self.graph = (indptr, indices, lanes.leafmark(indptr, indices, cost))
        self.matrix = vectors.aligned(2 * room * _LANES, np.uint16).reshape(2, room * _LANES)
        self.dist, self.loc = np.zeros((2, n), np.int32), np.full((2, n + 1), -1, np.int64)
        self.loc[:, n] = 1 << 41
        self.nodes, self.street = np.zeros(n, np.int32), np.zeros(n, np.int64)
        self.stats = np.zeros((2, 8), np.int64)
        self.services = 0
        self.door_ptr, self.door_service = np.zeros(1, np.int32), np.zeros(0, np.int8)
        if doors is not None and service is not None:
            self.services = int(service.max()) + 1
            by_node = np.argsort(rank[doors], kind="stable")
            count = np.bincount(rank[doors], minlength=n)
            self.door_ptr = np.concatenate([[0], np.cumsum(count)]).astype(np.int32)
            self.door_service = service[by_node].astype(np.int8)
        self.near = np.zeros((max(1, self.services), n), np.uint16)
        self.counts = np.zeros((max(1, 3 * self.services), n), np.uint16)
        self.cutoff = cutoff

    def run(self, threads: int = 1) -> None:
        """R from every node, with N and C if there are facilities."""
        indptr, indices, cost = self.graph
        every, zero = np.arange(self.n, dtype=np.int32), np.zeros(self.n, np.int32)
        chunks = 64 * max(1, self.n // 100_000)

        def part(t: int) -> None:
            self.lanes.run(
                indptr, indices, cost, self.cutoff, 7, every, every, zero, zero, 2, self.dist, self.loc, self.matrix,
                self.door_ptr, self.door_service, self.services, self.cutoff // 3, 2 * self.cutoff // 3, self.nodes,
                self.street, self.near, self.counts, self.stats, 0, chunks, t, chunks * t // threads,
                chunks * (t + 1) // threads,
            )  # fmt: skip

        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(part, range(threads)))

    def equals(self, nodes: NDArray[np.int64], street: NDArray[np.int64]) -> bool:
        """Say whether the last run found the same as somebody else."""
        return bool((self.nodes == nodes[self.order]).all() and (self.street == street[self.order]).all())
