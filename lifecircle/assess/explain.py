"""Why a cell has its verdicts: the walks behind them, and what is left of each limit."""

import math
from dataclasses import dataclass
from html import escape

import numpy as np

from lifecircle.assess.coverage import MET, UNKNOWN, Coverage
from lifecircle.assess.indicators import Indicators
from lifecircle.assess.wording import cost_text
from lifecircle.errors import DataError
from lifecircle.model.cells import PEOPLE, STATUS
from lifecircle.profiles import TICKS


@dataclass(frozen=True)
class Reason:
    """One service from one cell.

    Attributes
    ----------
    walk, limit, slack : float or None
        In ``unit``; ``walk`` and ``slack`` are None beyond the cutoff, and where the cell was not judged.
    nearest, second : str
        Facility ids, with the name behind where it has one; empty for none.
    second_walk : float or None
    verdict : {"met", "not met", "unknown"}
    """

    service: str
    title: str
    unit: str
    limit: float
    walk: float | None
    slack: float | None
    nearest: str
    second: str
    second_walk: float | None
    verdict: str


@dataclass(frozen=True, repr=False)
class Explanation:
    """Every service from one cell, by its main access point."""

    cell_id: str
    zone: str
    people: float | None
    status: str
    reasons: tuple[Reason, ...]
    cutoffs: dict[str, float]

    @classmethod
    def of(cls, coverage: Coverage, indicators: Indicators | None, cell_id: str) -> "Explanation":
        """Explain a cell.

        Raises
        ------
        DataError
            There is no cell of that id.
        """
        cells = coverage.cells
        found = np.flatnonzero(cells.cell_id == cell_id)
        if not len(found):
            raise DataError(
                f"there is no cell {cell_id!r}; ids look like {cells.cell_id[0]!r} (cells.parquet has them all)"
            )
        cell = int(found[0])
        point = int(cells.starts.first[cell])
        reasons = tuple(_reason(coverage, indicators, ix, point) for ix in range(len(coverage.keys)))
        people = None if cells.people is None else int(cells.people[cell]) / PEOPLE
        cutoffs = {lane.unit: lane.cutoff / TICKS for lane in coverage.lanes.values()}
        zone = cells.region.zones[cells.zone[cell]].key
        return cls(cell_id, zone, people, STATUS[cells.status[cell]], reasons, cutoffs)

    def _repr_html_(self) -> str:
        def written(reason: Reason, value: float | None) -> str:
            return "" if reason.verdict == "unknown" else cost_text(value, reason.unit, self.cutoffs[reason.unit])

        rows = "".join(
            f"<tr><td>{escape(r.title)}</td><td>{escape(r.nearest)}</td><td>{written(r, r.walk)}</td>"
            f"<td>{'' if r.slack is None else f'{math.floor(r.slack):+d} {r.unit}'}</td><td>{escape(r.second)}</td>"
            f"<td>{escape(r.verdict)}</td></tr>"
            for r in self.reasons
        )
        names = ("service", "nearest", "walk", "left of the limit", "next", "verdict")
        head = f"<tr>{''.join(f'<th>{name}</th>' for name in names)}</tr>"
        who = "" if self.people is None else f", {self.people:,.1f} people"
        return f"<p>{escape(self.cell_id)} in {escape(self.zone)}{who} ({self.status})</p><table>{head}{rows}</table>"

    def __repr__(self) -> str:
        met = sum(r.verdict == "met" for r in self.reasons)
        return f"<Explanation {self.cell_id}: {met} of {len(self.reasons)} services met>"


def _reason(coverage: Coverage, indicators: Indicators | None, ix: int, point: int) -> Reason:
    key = coverage.keys[ix]
    walk, limit = float(coverage.point_ticks[ix, point]) / TICKS, float(coverage.point_limit[ix, point])
    met = int(coverage.point_met[ix, point])
    known = np.isfinite(walk) and met != UNKNOWN
    second, which = (np.inf, -1)
    if indicators is not None:
        costs, facilities = indicators.second(key)
        second, which = float(costs[point]), int(facilities[point])
    return Reason(
        key, coverage.standard.services[key].title, coverage.unit_of(key), limit, walk if known else None,
        limit - walk if known else None, _named(coverage, int(coverage.point_nearest[ix, point])),
        _named(coverage, which), second if np.isfinite(second) else None,
        "unknown" if met == UNKNOWN else "met" if met == MET else "not met",
    )  # fmt: skip


def _named(coverage: Coverage, facility: int) -> str:
    if facility < 0:
        return ""
    facilities = coverage.facilities
    return f"{facilities.facility_id[facility]} {facilities.name[facility]}".strip()
