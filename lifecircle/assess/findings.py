"""All that a run found, together: what the report, the files and the notebook speak of."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lifecircle.assess.capacity import Capacity
from lifecircle.assess.clauses import Clauses
from lifecircle.assess.coverage import Coverage
from lifecircle.assess.demand import Balance
from lifecircle.assess.gaps import Gaps
from lifecircle.assess.indicators import Indicators
from lifecircle.assess.promises import Promises
from lifecircle.assess.severance import Crossing
from lifecircle.model.demand import Layer


@dataclass(frozen=True, eq=False, repr=False)
class Findings:
    """Verdicts of a run and what was made of them.

    Attributes
    ----------
    indicators : Indicators or None
        None where there are too many walks to keep.
    layers : dict of Layer
        Groups of people; ``residents`` are everybody.
    demand : dict of Coverage
        Coverage of each group but the residents.
    groups : dict of (n_services, n_points) int8
        Verdicts as other walkers have them.
    balance : list of Balance or None
        Jobs and housing; None where no jobs are known.
    capacity : dict of Capacity
        Norms that were computed, by key.
    """

    coverage: Coverage
    gaps: Gaps
    clauses: Clauses
    indicators: Indicators | None
    layers: dict[str, Layer]
    demand: dict[str, Coverage]
    groups: dict[str, NDArray[np.int8]]
    balance: list[Balance] | None
    crossings: list[Crossing]
    promises: Promises
    capacity: dict[str, Capacity]
