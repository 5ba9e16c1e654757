"""A plan's promises: what was promised where and by when, and what the data says of it, year by year."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import shapely
from numpy.typing import NDArray

from lifecircle.assess.capacity import capacity
from lifecircle.assess.clauses import composite_met, standing_together, titles_zh
from lifecircle.assess.coverage import MET, UNKNOWN, Coverage, Figure
from lifecircle.assess.demand import COMMUTES_S, Balance
from lifecircle.model.demand import Layer
from lifecircle.profiles import Profile
from lifecircle.region import REST, Region, Zone, areal, geodesic_area
from lifecircle.standards import Promise

VERDICTS = {
    "kept": ("kept", "达到"),
    "kept_in_part": ("kept in the part examined", "在所检验范围内达到"),
    "not_kept": ("not kept", "未达到"),
    "not_kept_in_part": ("not kept in the part examined", "在所检验范围内未达到"),
    "unknown": ("unknown", "未知"),
    "stated": ("no target named", "未定目标"),
    "not_examined": ("not examined: the region has no such zone", "未检验：本区域不含该片区"),
    "not_computed": ("not computed: data missing", "未计算：缺少数据"),
}
"""Verdicts on a promise and how they are said."""

_HAIR = 1e-12
_WHOLE = 0.99  # outlines are drawn, so a hundredth of the land may be missing from the whole


Ticks = tuple[NDArray[np.int32], NDArray[np.int32]]
Wheels = tuple[Profile, Ticks, Ticks]
"""A wheelchair, and the cost of every edge both ways to it and to an adult on foot."""


@dataclass(frozen=True)
class Told:
    """One promise in one place and year.

    Attributes
    ----------
    value, numerator, denominator, unknown : float or None
        ``value`` is numerator over denominator, for a norm for 1,000 people; ``unknown`` are those of the denominator
        that nobody could judge, of a norm or a count the facilities of which nobody knows the supply. None where nobody
        knows.
    measure : str
        What the numerator counts: ``people``, ``cells``, ``facilities``, ``street_m``, ``jobs``, or the norm's unit.
    facilities : int or None
        Facilities counted, where it is about facilities.
    verdict : str
        A key of `VERDICTS`.
    note : (english, chinese)
    """

    key: str
    zone: str
    kind: Literal["region", "zone", "overlay"]
    year: int | None
    value: float | None
    numerator: float | None
    denominator: float | None
    unknown: float | None
    measure: str
    verdict: str
    note: tuple[str, str] = ("", "")


@dataclass(frozen=True, eq=False, repr=False)
class Promises:
    """Every promise of a standard: in its own place and year first, then in every other place and year.

    Attributes
    ----------
    promises : dict of Promise
    headline : dict of Told
        By promise: in the place and the year it speaks of.
    rows : tuple of Told
        Everywhere, in every year asked for.
    examined_km2 : dict of float
        By promise: how much land was examined for it.
    years : tuple of int or None
    """

    promises: dict[str, Promise]
    headline: dict[str, Told]
    rows: tuple[Told, ...]
    examined_km2: dict[str, float | None]
    years: tuple[int | None, ...]

    @classmethod
    def of(
        cls, coverages: Mapping[int | None, Coverage], layers: dict[str, Layer], balance: list[Balance] | None,
        wheelchair: Wheels | None,
    ) -> "Promises":  # fmt: skip
        """Hold every promise against every year's coverage.

        Parameters
        ----------
        coverages : mapping of year to Coverage
            The first is that of the run.
        layers : dict of Layer
        balance : list of Balance or None
            None where no jobs are known.
        wheelchair : (Profile, ticks, ticks) or None
            The network as a wheelchair has it, and as an adult on foot has it.
        """
        base = next(iter(coverages.values()))
        promises = base.standard.promises
        region = base.cells.region
        area = {"region": geodesic_area(region.boundary) / 1e6}
        area |= {zone.key: geodesic_area(zone.geometry) / 1e6 for zone in region.zones}
        area |= {over.key: geodesic_area(_inside(region, over)) / 1e6 for over in region.overlays}
        rows: list[Told] = []
        headline: dict[str, Told] = {}
        for key, promise in promises.items():
            place = promise.zone or "region"
            told = []
            if promise.asks == "nothing":
                told = [_alone(key, place, promise, "not_computed", (promise.needs, promise.needs))]
            elif place not in area:
                told = [_alone(key, place, promise, "not_examined")]
            else:
                for year, coverage in coverages.items():
                    told += _tell(key, promise, year, coverage, layers, balance, wheelchair)
            own = [t for t in told if t.zone == place]
            exact = [t for t in own if t.year == promise.year]
            headline[key] = _final(promise, (exact or own)[0], area.get(place))
            rows += [_final(promise, t, area[place]) if t.zone == place and place in area else t for t in told]
        examined = {key: area.get(promise.zone or "region") for key, promise in promises.items()}
        return cls(promises, headline, tuple(rows), examined, tuple(coverages))

    def of_zone(self, key: str, zone: str) -> dict[int | None, Told]:
        """One promise in one place, by year."""
        return {t.year: t for t in self.rows if t.key == key and t.zone == zone}

    def _repr_html_(self) -> str:
        from html import escape

        rows = "".join(
            f"<tr><td>{escape(self.promises[key].title)}</td><td>{'' if t.value is None else f'{t.value:.3g}'}</td>"
            f"<td>{escape(VERDICTS[t.verdict][0])}</td></tr>"
            for key, t in self.headline.items()
        )
        return f"<table><tr><th>promise</th><th>value</th><th>verdict</th></tr>{rows}</table>"


def _alone(key: str, place: str, promise: Promise, verdict: str, note: tuple[str, str] = ("", "")) -> Told:
    kind: Literal["region", "overlay"] = "region" if place == "region" else "overlay"
    return Told(key, place, kind, promise.year, None, None, None, None, "", verdict, note)


def _final(promise: Promise, told: Told, examined_km2: float | None) -> Told:
    """Say no more than was examined: a promise about more land than that cannot be kept by this part alone.

    Nor is it broken by it, unless it is made to everybody and somebody here goes without.
    """
    if promise.area_km2 is None or examined_km2 is None or examined_km2 >= _WHOLE * promise.area_km2:
        return told
    to_all = promise.asks in {"coverage", "composite", "together", "barrier_free"} or promise.each_zone
    if told.verdict == "not_kept" and to_all and promise.target == 1.0:
        return told
    said = {"kept": "kept_in_part", "not_kept": "not_kept_in_part"}
    return replace(told, verdict=said.get(told.verdict, told.verdict))


def _tell(
    key: str, promise: Promise, year: int | None, coverage: Coverage, layers: dict[str, Layer],
    balance: list[Balance] | None, wheelchair: Wheels | None,
) -> list[Told]:  # fmt: skip
    """One promise in one year, everywhere."""
    if promise.asks in {"coverage", "composite"}:
        return _coverage(key, promise, year, coverage)
    if promise.asks == "norm":
        return _norm(key, promise, year, coverage, layers)
    if promise.asks == "together":
        return _together(key, promise, year, coverage)
    if promise.asks == "count":
        return _count(key, promise, year, coverage)
    if promise.asks == "barrier_free":
        return _barrier_free(key, promise, year, coverage, wheelchair)
    return _jobs(key, year, coverage, balance)


def _judged(value: float | None, unknown_share: float, target: float) -> str:
    if value is None:
        return "unknown"
    if value >= target:
        return "kept"
    # Two shares of one whole may add up to a hair less than it.
    return "unknown" if value + unknown_share >= target - _HAIR else "not_kept"


def _coverage(key: str, promise: Promise, year: int | None, coverage: Coverage) -> list[Told]:
    """Share of people who reach every service named, or have the composite."""
    note = ("", "")
    if promise.asks == "composite":
        met = composite_met(coverage, coverage.standard.composites[promise.of[0]])
    else:
        wanted = promise.of or [*coverage.keys, *coverage.absent]
        rows = [coverage.keys.index(name) for name in wanted if name in coverage.keys]
        lacking = [name for name in wanted if name not in coverage.keys]
        met = coverage.point_met[rows].min(axis=0) if rows else np.full(len(coverage.cells.starts), UNKNOWN, np.int8)
        if lacking:  # nobody is known to have what the data holds nowhere
            met = np.where(met == MET, UNKNOWN, met).astype(np.int8)
            note = (f"the data holds none of: {', '.join(lacking)}", f"数据中没有：{titles_zh(coverage, lacking)}")
    measure = "cells" if coverage.cells.people is None else "people"
    found = []
    for figure in coverage.figures_of({key: met}):
        if figure.measure == measure:
            doubt = (figure.unknown or 0.0) / figure.total if figure.total else 0.0
            share = figure.share if doubt < 1 else None  # of nobody is anything known
            verdict = _judged(share, doubt, promise.target)
            found.append(
                Told(
                    key, figure.zone, figure.kind, year, share, figure.met, figure.total, figure.unknown,
                    measure, verdict, note,
                )
            )  # fmt: skip
    return found


def _norm(key: str, promise: Promise, year: int | None, coverage: Coverage, layers: dict[str, Layer]) -> list[Told]:
    """Supply for 1,000 people against the norm."""
    rule = coverage.standard.norms[promise.of[0]]
    found = capacity(coverage, promise.of[0], rule, layers.get(rule.per_1000), None)
    if found is None:
        note = ("the data holds no such facility, or names no supply", "数据中没有此类设施或未载供给量")
        return _nowhere(key, year, coverage, rule.unit, "unknown", note)
    words = {"met": "kept", "not_met": "not_kept", "unknown": "unknown"}
    return [
        Told(
            key, f.zone, f.kind, year, f.per_1000, f.supply, f.people, float(f.unknown), rule.unit, words[f.verdict],
            (
                f"of {f.facilities} facilities, {f.unknown} of unknown supply; {f.least:g} asked for",
                f"设施 {f.facilities} 处，其中 {f.unknown} 处供给未知；要求 {f.least:g}",
            ),
        )
        for f in found.figures
    ]  # fmt: skip


def _together(key: str, promise: Promise, year: int | None, coverage: Coverage) -> list[Told]:
    """Share of the facilities of a service that stand near one of another."""
    rule = coverage.standard.together[promise.of[0]]
    mine, near = standing_together(coverage, rule)
    found = []
    for zone, kind, there in coverage.facilities_in():
        inside = there[mine]
        met, total = float(near[inside].sum()), float(inside.sum())
        value = met / total if total else None
        found.append(
            Told(key, zone, kind, year, value, met, total, 0.0, "facilities", _judged(value, 0.0, promise.target))
        )
    return found


def _count(key: str, promise: Promise, year: int | None, coverage: Coverage) -> list[Told]:
    """Hold the number of facilities, or their supply, against the number promised, in all or in each zone."""
    facilities, standard, name = coverage.facilities, coverage.standard, promise.of[0]
    norm = standard.norms.get(name)
    service = name if norm is None else norm.service
    giving = np.zeros(len(facilities), dtype=bool)
    if service in coverage.keys:
        giving = facilities.serving(coverage.keys.index(service))
    if norm is not None and (norm.supply is None or service is None):
        return _nowhere(key, year, coverage, norm.unit, "unknown", ("names no supply", "未载供给量"))
    amount = np.ones(len(facilities)) if norm is None or norm.supply is None else facilities.supply(norm.supply)
    least, unit = promise.least or 1.0, "facilities" if norm is None else norm.unit
    told: list[Told] = []
    for zone, kind, there in coverage.facilities_in():
        here = amount[giving & there]
        known, unknown = float(np.nansum(here)), float(np.isnan(here).sum())
        verdict = "kept" if known >= least else "unknown" if unknown else "not_kept"
        value = known / least if not unknown or unknown < len(here) else None  # of none is anything known
        note = (
            (f"{unknown:,.0f} facilities of unknown supply", f"{unknown:,.0f} 处设施供给未知") if unknown else ("", "")
        )
        told.append(Told(key, zone, kind, year, value, known, least, unknown, unit, verdict, note))
    if promise.each_zone:
        # What no zone covers is no community of its own, unless there is nothing else.
        zones = [t for t in told if t.kind == "zone" and t.zone != REST] or [t for t in told if t.kind == "zone"]
        kept = float(sum(t.verdict == "kept" for t in zones))
        doubt = float(sum(t.verdict == "unknown" for t in zones))
        share = kept / len(zones)
        verdict = _judged(share, doubt / len(zones), promise.target)
        lacking = ", ".join(t.zone for t in zones if t.verdict != "kept")
        note = (f"not in: {lacking}", f"尚缺：{lacking}") if lacking else ("", "")
        told[0] = Told(key, "region", "region", year, share, kept, float(len(zones)), doubt, "zones", verdict, note)
    return told


def _barrier_free(
    key: str, promise: Promise, year: int | None, coverage: Coverage,
    wheelchair: Wheels | None,
) -> list[Told]:  # fmt: skip
    """Share of the street length that a wheelchair may use of that which walkers may, and what entrances say."""
    if wheelchair is None:
        return _nowhere(key, year, coverage, "street_m", "unknown")
    profile, (uv, vu), walkers = wheelchair
    network, facilities = coverage.network, coverage.facilities
    walked = ((walkers[0] >= 0) | (walkers[1] >= 0)) & network.own
    rolled = walked & ((uv >= 0) | (vu >= 0))
    length = np.floor(network.length_m * 100 + 0.5).astype(np.int64)
    middle = [(network.node_lon[network.edge_u] + network.node_lon[network.edge_v]) / 2]
    middle.append((network.node_lat[network.edge_u] + network.node_lat[network.edge_v]) / 2)
    # A door on a private way has a join on either copy of it: one entrance.
    joins = facilities.joins
    spot = np.stack([joins.place, network.edge_same[joins.edge], joins.offset_m, joins.leg_m], axis=1)
    once = np.sort(np.unique(spot, axis=0, return_index=True)[1])
    doors = shapely.get_coordinates(facilities.points)[joins.place[once]]
    lon, lat = coverage.cells.region.to_lonlat.transform(*doors.T)
    tags_of = facilities.join_tags[once]
    said = np.array([tags.get("wheelchair", "") for tags in tags_of], dtype=object)
    shut = np.array([profile.bars(tags) for tags in tags_of], dtype=bool)
    found = []
    for zone, kind, shape in _shapes(coverage):
        here = np.asarray(shapely.intersects_xy(shape, *middle), dtype=bool)
        at = np.asarray(shapely.intersects_xy(shape, lon, lat), dtype=bool)
        open_m, all_m = int(length[here & rolled].sum()) / 100, int(length[here & walked].sum()) / 100
        value = open_m / all_m if all_m else None
        yes, no = int((at & (said == "yes")).sum()), int((at & shut).sum())
        note = (
            f"by the map; of {int(at.sum()):,} entrances {yes:,} are barrier-free, {no:,} not, others unsaid",
            f"街道以地图标注为准；{int(at.sum()):,} 个入口中 {yes:,} 个标明无障碍，{no:,} 个标明有障碍，其余未标",
        )
        # What no tag bars is not proved open: such a promise can be broken by the map, never kept by it.
        verdict = "unknown" if value is None or value >= promise.target else "not_kept"
        found.append(Told(key, zone, kind, year, value, open_m, all_m, None, "street_m", verdict, note))
    return found


def _jobs(key: str, year: int | None, coverage: Coverage, balance: list[Balance] | None) -> list[Told]:
    """Jobs beside residents, and housing near work."""
    if balance is None:
        note = ("no jobs were given (demand.workers of the study)", "未提供就业岗位数据（demand.workers）")
        return _nowhere(key, year, coverage, "jobs", "not_computed", note)
    found = []
    for place in balance:
        near = [place.within[limit] for limit in COMMUTES_S]
        minutes = [limit // 60 for limit in COMMUTES_S]
        note = (
            "workers with housing within "
            + ", ".join(f"{m} min: {_percent(f)}" for m, f in zip(minutes, near, strict=True)),
            "就业者步行可达居住地 " + "，".join(f"{m} 分钟：{_percent(f)}" for m, f in zip(minutes, near, strict=True)),
        )
        found.append(
            Told(
                key, place.zone, place.kind, year, place.jobs_per_resident, place.jobs, place.residents, None, "jobs",
                "stated", note,
            )
        )  # fmt: skip
    return found


def _percent(figure: Figure) -> str:
    from lifecircle.assess.wording import share_text

    return share_text(figure.met, figure.total) if figure.total else "–"


def _nowhere(
    key: str, year: int | None, coverage: Coverage, measure: str, verdict: str, note: tuple[str, str] = ("", "")
) -> list[Told]:
    """Say the same of every place: no number is known."""
    return [
        Told(key, zone, kind, year, None, None, None, None, measure, verdict, note)
        for zone, kind, _ in _shapes(coverage)
    ]


def _inside(region: Region, over: Zone) -> Any:
    """Land of an overlay that was examined."""
    return areal(over.geometry.intersection(region.boundary))


def _shapes(coverage: Coverage) -> list[tuple[str, Literal["region", "zone", "overlay"], Any]]:
    region = coverage.cells.region
    found: list[tuple[str, Literal["region", "zone", "overlay"], Any]] = [("region", "region", region.boundary)]
    found += [(zone.key, "zone", zone.geometry) for zone in region.zones]
    found += [(over.key, "overlay", _inside(region, over)) for over in region.overlays]
    for _, _, shape in found:
        shapely.prepare(shape)
    return found
