"""Circles that are cut: people who have a service within reach, but across an expressway or a railway."""

from dataclasses import dataclass, replace

import numpy as np
import shapely

from lifecircle.assess.coverage import MET, Coverage
from lifecircle.model.barriers import Barriers
from lifecircle.model.cells import PEOPLE

KINDS = ("motorway", "railway")
"""What a life circle should not be cut by (GB 50180-2018, A.0.1; TD/T 1062-2021; both read in secondary texts)."""


@dataclass(frozen=True)
class Crossing:
    """People of one service whose nearest facility lies across one barrier.

    Attributes
    ----------
    service, barrier : str
        ``barrier`` is its kind and its name.
    people : float or None
    cells : int
    """

    service: str
    barrier: str
    people: float | None
    cells: int


def crossings(coverage: Coverage, barriers: Barriers) -> list[Crossing]:
    """Find what stands between people and the facility they walk to within the threshold; most people first.

    A straight line from the home to the facility meets the barrier: the walk goes over, under or round it.
    """
    chosen = np.isin(barriers.kind, KINDS)
    if not chosen.any():
        return []
    those = replace(barriers, shape=barriers.shape[chosen], kind=barriers.kind[chosen], name=barriers.name[chosen])
    starts = coverage.cells.starts
    places = np.asarray(shapely.points(starts.xy), dtype=object)
    found = []
    for ix, key in enumerate(coverage.keys):
        met = np.flatnonzero((coverage.point_met[ix] == MET) & (coverage.point_nearest[ix] >= 0))
        between = those.between(places[met], coverage.facilities.extent[coverage.point_nearest[ix, met]])
        for name in np.unique(between[between != ""].astype(str)).tolist():
            points = met[between == name]
            people = None if starts.people is None else int(starts.people[points].sum()) / PEOPLE
            found.append(Crossing(key, name, people, len(np.unique(starts.cell[points]))))
    return sorted(found, key=lambda c: (-(c.people or 0.0), -c.cells, c.service, c.barrier))
