"""What the engine takes and gives: a cost laid on the network, and the walks on it."""

from dataclasses import dataclass
from html import escape

import numpy as np
from numpy.typing import NDArray

from lifecircle.model.snapping import Legs
from lifecircle.profiles import TICKS


@dataclass(frozen=True, eq=False, repr=False)
class Lane:
    """One cost laid on the network: the arcs it may use and what homes and entrances cost on it.

    Attributes
    ----------
    name, unit : str
        Cost name and ``s`` or ``m``.
    ticks_uv, ticks_vu : (n_edges,) int32, -1 closed
    homes, doors : Legs
        Prices of the joins of cells and of facilities.
    cutoff : int
        Ticks.
    """

    name: str
    unit: str
    ticks_uv: NDArray[np.int32]
    ticks_vu: NDArray[np.int32]
    homes: Legs
    doors: Legs
    cutoff: int


@dataclass(frozen=True, eq=False, repr=False)
class Reach:
    """Walks from every cell to the facilities of the services of one cost.

    Attributes
    ----------
    lane : str
        The cost.
    services : tuple of int
        Positions of the services in the standard.
    ticks : (n_services, n_cells) float64
        Ticks to the nearest facility; inf where none is within the cutoff.
    nearest : (n_services, n_cells) int32
        That facility, -1 for none; of equally near ones the lowest index.
    count : (n_services, n_thresholds, n_cells) int32
        Distinct facilities within each of the service's thresholds.
    """

    lane: str
    services: tuple[int, ...]
    ticks: NDArray[np.float64]
    nearest: NDArray[np.int32]
    count: NDArray[np.int32]

    def __post_init__(self) -> None:
        for array in (self.ticks, self.nearest, self.count):
            array.flags.writeable = False

    @property
    def units(self) -> NDArray[np.float64]:
        """Seconds or metres to the nearest facility, (n_services, n_cells); inf beyond the cutoff."""
        return self.ticks / TICKS

    def _repr_html_(self) -> str:
        reached = np.isfinite(self.ticks).sum(axis=1).tolist()
        rows = "".join(f"<tr><td>{s}</td><td>{n}</td></tr>" for s, n in zip(self.services, reached, strict=True))
        head = "<tr><th>service</th><th>cells that reach one</th></tr>"
        return f"<p>Reach by {escape(self.lane)}</p><table>{head}{rows}</table>"


@dataclass(frozen=True, eq=False, repr=False)
class Extent:
    """How much of the network each origin reaches.

    Attributes
    ----------
    nodes : (n_origins,) int64
    street : (n_origins,) int64
        Street reached, partial edges and the origin's own included: in ticks where every edge costs the same both ways,
        else in whole centimetres, rounded down per edge.
    unit : {"ticks", "cm"}
    """

    nodes: NDArray[np.int64]
    street: NDArray[np.int64]
    unit: str


@dataclass(frozen=True, eq=False, repr=False)
class Pairs:
    """Every facility each origin reaches within the cutoff, nearest first (CSR).

    Attributes
    ----------
    ptr : (n_origins + 1,) int64
    facility, ticks : (n_pairs,) int32
        Sorted by (ticks, facility) within an origin; a facility stands once, at its nearest entrance.
    """

    ptr: NDArray[np.int64]
    facility: NDArray[np.int32]
    ticks: NDArray[np.int32]


@dataclass(frozen=True, eq=False, repr=False)
class Field:
    """Ticks from one place to every node: ``ticks`` (n_nodes,) float64, inf beyond; ``previous`` (n_nodes,) int32."""

    ticks: NDArray[np.float64]
    previous: NDArray[np.int32]
