"""Who needs the services: coverage of groups of people, at home and elsewhere, and housing near work."""

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from lifecircle.assess.coverage import Coverage, Figure, limits
from lifecircle.model.cells import Cells
from lifecircle.model.demand import Layer
from lifecircle.model.facilities import Facilities
from lifecircle.model.snapping import Snapper, price
from lifecircle.profiles import TICKS, Profile
from lifecircle.reach.products import Lane
from lifecircle.reach.search import search

COMMUTES_S = (900, 1800)
"""Walks to work that are asked about: 15 and 30 minutes."""


def of_layer(coverage: Coverage, layer: Layer, *, threads: int | None = None) -> Coverage:
    """Coverage with the people of a layer in place of the residents.

    A group of residents is judged where it lives, by the walks of the run; people elsewhere walk from there.
    """
    if layer.kind != "places":
        return replace(
            coverage,
            cells=_peopled(replace(layer, cells=coverage.cells)),
            point_met_inside=None,
            point_met_straight=None,
            point_met_under={},
        )
    cells = _peopled(layer)
    bare: dict[str, Any] = {"point_met_inside": None, "point_met_straight": None, "point_met_under": {}}
    shape = (len(coverage.keys), len(cells.starts))
    ticks, nearest = np.full(shape, np.inf), np.full(shape, -1, np.int32)
    limit = limits(coverage.standard, cells)
    for name, lane in coverage.lanes.items():
        rows = [ix for ix, key in enumerate(coverage.keys) if coverage.cost_of(key) == name]
        if not rows:
            continue
        arcs = (lane.ticks_uv, lane.ticks_vu)
        from_here = replace(lane, homes=price(cells.joins, coverage.network, arcs, coverage.profiles[name]))
        reach = search(
            coverage.network, from_here, cells.joins, coverage.facilities, n_cells=len(cells.starts),
            thresholds=dict.fromkeys(rows, (0,)), threads=threads,
        )  # fmt: skip
        ticks[rows], nearest[rows] = reach.ticks, reach.nearest
    met = np.where(cells.judged, ticks <= limit * TICKS, -1).astype(np.int8)
    return replace(
        coverage, cells=cells, point_ticks=ticks, point_nearest=nearest, point_count=np.zeros(shape, np.int32),
        point_met=met, **bare,
    )  # fmt: skip


@dataclass(frozen=True)
class Balance:
    """Jobs and housing of one place.

    Attributes
    ----------
    jobs : float
    residents : float or None
    within : dict of int to Figure
        By seconds walked: the workers (``met``) from whose workplace housing is that near.
    """

    zone: str
    kind: Literal["region", "zone", "overlay"]
    jobs: float
    residents: float | None
    within: dict[int, Figure]

    @property
    def jobs_per_resident(self) -> float | None:
        """Jobs over residents; None where nobody lives, or nobody knows."""
        return self.jobs / self.residents if self.residents else None


def balance(
    coverage: Coverage, workers: Layer, snapper: Snapper, walker: Profile, elevation_m: NDArray[np.float64] | None, *,
    threads: int | None = None,
) -> list[Balance]:  # fmt: skip
    """Hold jobs against residents by zone, and ask which workplaces have housing within a walk (职住平衡).

    Parameters
    ----------
    workers : Layer
        Jobs, where they are.
    walker : Profile
        Who walks from work to the nearest inhabited place.
    elevation_m : (n_nodes,) float64 or None

    Returns
    -------
    list of Balance
        The region, the zones, the overlays.
    """
    network = coverage.network
    ticks = network.ticks(walker, elevation_m)
    homes = Facilities.of_homes(coverage.cells, snapper)
    lane = Lane(
        walker.name, walker.unit, *ticks,
        homes=price(workers.cells.joins, network, ticks, walker),
        doors=price(homes.joins, network, ticks, walker),
        cutoff=max(COMMUTES_S) * TICKS,
    )  # fmt: skip
    cells = _peopled(workers)
    reach = search(network, lane, cells.joins, homes, n_cells=len(cells.starts), thresholds={0: (0,)}, threads=threads)
    verdicts = {
        str(limit): np.where(cells.judged, reach.ticks[0] <= limit * TICKS, -1).astype(np.int8) for limit in COMMUTES_S
    }
    at_work = [f for f in replace(coverage, cells=cells).figures_of(verdicts) if f.measure == "people"]
    at_home = coverage.figures_of({"": coverage.point_met[0]})
    residents = {f.zone: f.total for f in at_home if f.measure == "people"}
    return [
        Balance(zone, kind, workers_there.total or 0.0, residents[zone], within)
        for zone, kind in dict.fromkeys((f.zone, f.kind) for f in at_work)
        for within in [{int(f.service): f for f in at_work if f.zone == zone}]
        for workers_there in [within[COMMUTES_S[0]]]
    ]


def _peopled(layer: Layer) -> Cells:
    """Cells of a layer, with its people."""
    starts = replace(layer.cells.starts, people=layer.people)
    return replace(layer.cells, starts=starts, people=np.add.reduceat(layer.people, starts.first))
