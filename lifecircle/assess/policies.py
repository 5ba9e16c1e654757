"""What gates decide: the verdicts of a run under every policy for private ways."""

from dataclasses import replace
from typing import TYPE_CHECKING, get_args

import numpy as np
from numpy.typing import NDArray

from lifecircle.model.snapping import price
from lifecircle.profiles import TICKS, Gates
from lifecircle.reach.search import search

if TYPE_CHECKING:
    from lifecircle.assess.coverage import Coverage

POLICIES: tuple[Gates, ...] = get_args(Gates)


def met_under(
    coverage: "Coverage", elevation_m: NDArray[np.float64] | None, *, threads: int | None = None
) -> dict[Gates, NDArray[np.int8]]:
    """Verdicts if every cost of the run had the same policy, for each policy; empty where no way is private.

    Parameters
    ----------
    elevation_m : (n_nodes,) float64 or None
        Heights the run was made with.

    Returns
    -------
    policy -> (n_services, n_points) int8, as ``Coverage.point_met``
    """
    if not coverage.network.private.any():
        return {}
    return {policy: _met(coverage, policy, elevation_m, threads) for policy in POLICIES}


def _met(
    coverage: "Coverage", policy: Gates, elevation_m: NDArray[np.float64] | None, threads: int | None
) -> NDArray[np.int8]:
    met = coverage.point_met.copy()
    network, cells, facilities = coverage.network, coverage.cells, coverage.facilities
    limits = [int(np.floor(service.threshold.value * TICKS)) for service in coverage.standard.services.values()]
    for name, profile in coverage.profiles.items():
        rows = [ix for ix, key in enumerate(coverage.keys) if coverage.cost_of(key) == name]
        if profile.gates == policy or not rows:
            continue
        walker = profile.model_copy(update={"gates": policy})
        ticks = network.ticks(walker, elevation_m)
        lane = replace(
            coverage.lanes[name],
            ticks_uv=ticks[0], ticks_vu=ticks[1],
            homes=price(cells.joins, network, ticks, walker),
            doors=price(facilities.joins, network, ticks, walker, tags=facilities.join_tags),
            cutoff=max(limits[ix] for ix in rows),
        )  # fmt: skip
        reach = search(
            network, lane, cells.joins, facilities, n_cells=len(cells.starts),
            thresholds={ix: (limits[ix],) for ix in rows}, threads=threads,
        )  # fmt: skip
        for row, ix in enumerate(reach.services):
            met[ix] = np.where(met[ix] < 0, met[ix], reach.ticks[row] <= limits[ix])
    return met
