"""The buffer method: who lies within a rule's radius as the crow flies, to be held against the walk."""

from typing import TYPE_CHECKING

import numpy as np
import shapely
from numpy.typing import NDArray

if TYPE_CHECKING:
    from lifecircle.assess.coverage import Coverage


def met_straight(coverage: "Coverage") -> NDArray[np.int8] | None:
    """Verdicts of the metre rules by straight lines, from the homes to the outline of a facility.

    The handbook of the city health check (MOHURD, May 2025, indicator 33) names the walk as the proper method and the
    buffer as what may be used where technical means are limited.

    Returns
    -------
    (n_services, n_points) int8, as ``Coverage.point_met``; rows of time rules are unknown. None where
    no rule is in metres.
    """
    rows = [ix for ix, key in enumerate(coverage.keys) if coverage.unit_of(key) == "m"]
    if not rows:
        return None
    met = np.full(coverage.point_met.shape, -1, np.int8)
    places = np.asarray(shapely.points(coverage.cells.starts.xy), dtype=object)
    judged = coverage.point_met[0] >= 0
    for ix in rows:
        tree = shapely.STRtree(coverage.facilities.extent[coverage.facilities.serving(ix)])
        near = np.zeros(len(places), dtype=bool)
        near[tree.query(places, predicate="dwithin", distance=coverage.point_limit[ix])[0]] = True
        met[ix] = np.where(judged, near, -1)
    return met
