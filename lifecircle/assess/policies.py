"""Who walks and what gates decide: the verdicts of a run under other policies, and for other walkers."""

from dataclasses import replace
from typing import TYPE_CHECKING, get_args

import numpy as np
from numpy.typing import NDArray

from lifecircle.model.snapping import price
from lifecircle.profiles import TICKS, Gates, Profile
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
    found = {}
    for policy in POLICIES:
        walkers = {
            name: profile.model_copy(update={"gates": policy})
            for name, profile in coverage.profiles.items()
            if profile.gates != policy
        }
        found[policy] = _met(coverage, walkers, coverage.point_limit, elevation_m, threads)
    return found


def met_as(
    coverage: "Coverage", walkers: dict[str, Profile], elevation_m: NDArray[np.float64] | None, *,
    threads: int | None = None,
) -> dict[str, NDArray[np.int8]]:  # fmt: skip
    """Verdicts if each of some people walked to every service with a time rule, within the time it gives them.

    Parameters
    ----------
    walkers : dict of Profile by the name of the group
    elevation_m : (n_nodes,) float64 or None
        Heights the run was made with.

    Returns
    -------
    group -> (n_services, n_points) int8, as ``Coverage.point_met``; rows of metre rules stay. Empty where no rule is a
    time.
    """
    timed = [name for name, profile in coverage.profiles.items() if profile.unit == "s"]
    if not timed:
        return {}
    found = {}
    for group, walker in walkers.items():
        limit = coverage.point_limit.copy()
        for ix, service in enumerate(coverage.standard.services.values()):
            if walker.name in service.by_profile and service.profile in timed:
                limit[ix] = service.by_profile[walker.name].value
        gates = {name: walker.model_copy(update={"gates": coverage.profiles[name].gates}) for name in timed}
        found[group] = _met(coverage, gates, limit, elevation_m, threads)
    return found


def _met(
    coverage: "Coverage", walkers: dict[str, Profile], limits: NDArray[np.float64],
    elevation_m: NDArray[np.float64] | None, threads: int | None,
) -> NDArray[np.int8]:  # fmt: skip
    """Verdicts with another walker for some costs, by their names."""
    met = coverage.point_met.copy()
    network, cells, facilities = coverage.network, coverage.cells, coverage.facilities
    limit = np.floor(limits * TICKS).astype(np.int64)
    for name, walker in walkers.items():
        rows = [ix for ix, key in enumerate(coverage.keys) if coverage.cost_of(key) == name]
        if not rows:
            continue
        ticks = network.ticks(walker, elevation_m)
        lane = replace(
            coverage.lanes[name],
            ticks_uv=ticks[0], ticks_vu=ticks[1],
            homes=price(cells.joins, network, ticks, walker),
            doors=price(facilities.joins, network, ticks, walker, tags=facilities.join_tags),
            cutoff=int(limit[rows].max()),
        )  # fmt: skip
        reach = search(
            network, lane, cells.joins, facilities, n_cells=len(cells.starts),
            thresholds=dict.fromkeys(rows, (0,)), threads=threads,
        )  # fmt: skip
        for row, ix in enumerate(reach.services):
            met[ix] = np.where(met[ix] < 0, met[ix], reach.ticks[row] <= limit[ix])
    return met
