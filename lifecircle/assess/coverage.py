"""Met or not, for every cell and service, and the figures of every zone with numerator and denominator."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import cached_property
from html import escape
from typing import TYPE_CHECKING, Literal

import numpy as np
import shapely
from numpy.typing import NDArray

from lifecircle.assess.edge import at_edge
from lifecircle.model.cells import PEOPLE, STATUS, Cells
from lifecircle.model.facilities import Facilities
from lifecircle.model.network import Network
from lifecircle.model.snapping import SCRAP_M
from lifecircle.profiles import TICKS, Gates, Profile
from lifecircle.reach.products import Lane, Reach
from lifecircle.standards import Service, Standard

if TYPE_CHECKING:
    import geopandas as gpd

MET, NOT_MET, UNKNOWN = 1, 0, -1
ALL = "all"
"""Stands for "every service of the standard" where a service key is expected."""

Measure = Literal["people", "area_m2", "residential_m2", "cells", "buildings"]
MEASURES: tuple[Measure, ...] = ("people", "area_m2", "residential_m2", "cells", "buildings")


@dataclass(frozen=True)
class Figure:
    """One coverage figure.

    Attributes
    ----------
    zone : str
        Key of a zone or overlay, or ``region``.
    kind : {"region", "zone", "overlay"}
    service : str
        Service key, or ``all`` for every service of the standard together.
    measure : {"people", "area_m2", "residential_m2", "cells", "buildings"}
    met, not_met, unknown : int or float or None
        They add up to ``total``. None where nobody knows how many people live there.
    """

    zone: str
    kind: Literal["region", "zone", "overlay"]
    service: str
    measure: Measure
    met: float | None
    not_met: float | None
    unknown: float | None

    @property
    def total(self) -> float | None:
        """Denominator: everybody (or every square metre, or cell) in the zone, the unknown included."""
        if self.met is None or self.not_met is None or self.unknown is None:
            return None
        return self.met + self.not_met + self.unknown

    @property
    def share(self) -> float | None:
        """Met over total; None where the total is unknown or nothing."""
        return None if not self.total or self.met is None else self.met / self.total


@dataclass(frozen=True, eq=False, repr=False)
class Coverage:
    """Verdicts of a run.

    Attributes
    ----------
    lanes : dict of Lane by cost name
    profiles : dict of Profile by cost name
    point_ticks : (n_services, n_points) float64
        Ticks from each access point to the nearest facility of each service; inf beyond the cutoff.
    point_nearest, point_count : (n_services, n_points) int32
    point_met : (n_services, n_points) int8
        1 met, 0 not met, -1 unknown (the point could not be joined to the network, or lies outside the data).
    year : int or None
        Year the facilities were chosen for.
    point_met_inside : (n_services, n_points) int8 or None
        Verdicts where only facilities inside the boundary count; None where all lie inside it.
    point_met_straight : (n_services, n_points) int8 or None
        Verdicts of metre rules as the crow flies, unknown for time rules; None where no rule is in metres.
    point_met_under : dict of (n_services, n_points) int8
        Verdicts under every policy for private ways; empty where no way is private.
    absent : dict of Service
        Services of which the data holds no facility, and which may lack: they are not judged.
    order : tuple of str
        Every service key in the standard's order, the absent ones too.
    """

    standard: Standard
    network: Network
    cells: Cells
    facilities: Facilities
    lanes: dict[str, Lane]
    profiles: dict[str, Profile]
    point_ticks: NDArray[np.float64]
    point_nearest: NDArray[np.int32]
    point_count: NDArray[np.int32]
    point_met: NDArray[np.int8]
    year: int | None = None
    point_met_inside: NDArray[np.int8] | None = None
    point_met_straight: NDArray[np.int8] | None = None
    point_met_under: dict[Gates, NDArray[np.int8]] = field(default_factory=dict)
    absent: dict[str, Service] = field(default_factory=dict)
    order: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for array in (self.point_ticks, self.point_nearest, self.point_count, self.point_met):
            array.flags.writeable = False

    @classmethod
    def judge(  # noqa: PLR0913
        cls,
        standard: Standard,
        network: Network,
        cells: Cells,
        facilities: Facilities,
        *,
        lanes: dict[str, Lane],
        profiles: dict[str, Profile],
        reaches: dict[str, Reach],
        year: int | None = None,
    ) -> "Coverage":
        """Hold every walk against its threshold, and flag the cells at the edge of the data."""
        shape = (len(standard.services), len(cells.starts))
        ticks = np.full(shape, np.inf)
        nearest, count = np.full(shape, -1, np.int32), np.zeros(shape, np.int32)
        for reach in reaches.values():
            rows = list(reach.services)
            ticks[rows], nearest[rows] = reach.ticks, reach.nearest
            for row, found in zip(rows, reach.count, strict=True):
                service = list(standard.services.values())[row]
                count[row] = np.take_along_axis(found, threshold_of(service, cells)[None, :], axis=0)[0]
        limit = limits(standard, cells)
        met = (ticks <= limit * TICKS).astype(np.int8)
        met[:, ~cells.judged] = UNKNOWN
        status = cells.status.copy()
        status[at_edge(cells, ticks, limit, standard, profiles)] = STATUS.index("edge")
        cells = replace(cells, status=status)
        return cls(standard, network, cells, facilities, lanes, profiles, ticks, nearest, count, met, year)

    # A cell's own values are those of its main access point.

    @cached_property
    def ticks(self) -> NDArray[np.float64]:
        """Ticks to the nearest facility, (n_services, n_cells) float64; inf beyond the cutoff."""
        return self.point_ticks[:, self.cells.starts.first]

    @cached_property
    def nearest(self) -> NDArray[np.int32]:
        """The nearest facility, (n_services, n_cells) int32, -1 for none."""
        return self.point_nearest[:, self.cells.starts.first]

    @cached_property
    def count(self) -> NDArray[np.int32]:
        """Facilities within the threshold, (n_services, n_cells) int32."""
        return self.point_count[:, self.cells.starts.first]

    @cached_property
    def met(self) -> NDArray[np.int8]:
        """Verdicts, (n_services, n_cells) int8."""
        return self.point_met[:, self.cells.starts.first]

    @cached_property
    def point_limit(self) -> NDArray[np.float64]:
        """What each walk is held to, (n_services, n_points) float64, in the unit of the service's rule."""
        return limits(self.standard, self.cells)

    @property
    def keys(self) -> tuple[str, ...]:
        """Service keys in the standard's order."""
        return tuple(self.standard.services)

    def cost_of(self, key: str) -> str:
        """Cost a service is measured in."""
        return self.standard.services[key].profile

    def unit_of(self, key: str) -> str:
        """``s`` or ``m``, the unit of a service's rule."""
        return self.profiles[self.cost_of(key)].unit

    @property
    def on_scraps(self) -> NDArray[np.bool_]:
        """Cells whose every join is on a part of the network shorter than `SCRAP_M`, cut off from all else."""
        joins = self.cells.joins
        longest = np.zeros(len(self.cells.starts))
        np.maximum.at(longest, joins.place, self.network.part_length_m()[joins.edge])
        longest = longest[self.cells.starts.first]
        return np.asarray((longest > 0) & (longest < SCRAP_M))

    @property
    def met_n(self) -> NDArray[np.int16]:
        """Services met by each cell, (n_cells,) int16; -1 where unknown."""
        known = np.all(self.met >= 0, axis=0)
        return np.where(known, (self.met == MET).sum(axis=0), UNKNOWN).astype(np.int16)

    @property
    def missing(self) -> list[list[str] | None]:
        """Services each cell lacks, in the standard's order; None where unknown."""
        keys = np.array(self.keys, dtype=object)
        lacking = np.asarray(self.met == NOT_MET)
        unknown = np.any(self.met < 0, axis=0)
        return [None if unknown[c] else keys[lacking[:, c]].tolist() for c in range(len(self.cells))]

    def figures(self) -> list[Figure]:
        """Every coverage figure: the region, each zone and overlay, each service and all together."""
        return list(self._figures)

    @cached_property
    def _figures(self) -> list[Figure]:
        return self.figures_of(self.verdicts(self.point_met))

    def verdicts(self, point_met: NDArray[np.int8]) -> dict[str, NDArray[np.int8]]:
        """Name verdicts, (n_services, n_points) int8, by service key, and add those of all services together."""
        unknown, every = (point_met < 0).any(axis=0), (point_met == MET).all(axis=0)
        together = np.where(unknown, UNKNOWN, every.astype(np.int8)).astype(np.int8)
        return dict(zip(self.keys, point_met, strict=True)) | {ALL: together}

    def figures_of(self, verdicts: dict[str, NDArray[np.int8]], *, regions_only: bool = False) -> list[Figure]:
        """Figures of any verdicts, one after another, in the region and each zone and overlay.

        Parameters
        ----------
        verdicts : name -> (n_points,) int8
        regions_only : bool
            Leave zones and overlays out.
        """
        cells, region = self.cells, self.cells.region
        places: list[tuple[str, Literal["region", "zone", "overlay"], NDArray[np.bool_]]] = [
            ("region", "region", np.ones(len(cells), dtype=bool))
        ]
        places += [(zone.key, "zone", cells.zone == ix) for ix, zone in enumerate(region.zones)]
        places += [(over.key, "overlay", cells.in_overlay[ix]) for ix, over in enumerate(region.overlays)]
        found = []
        for place, kind, inside in places[:1] if regions_only else places:
            for service, verdict in verdicts.items():
                for measure in MEASURES:
                    parts = [
                        self._weight(measure, inside[cells.starts.cell] & (verdict == v))
                        for v in (MET, NOT_MET, UNKNOWN)
                    ]
                    found.append(Figure(place, kind, service, measure, *parts))
        return found

    def facilities_in(self) -> list[tuple[str, Literal["region", "zone", "overlay"], NDArray[np.bool_]]]:
        """Facilities of each place, (n_facilities,) bool: the region, the zones, the overlays as far as they lie in it.

        A facility is in the region where any of it is, and in the one zone that holds its point, or is nearest to it:
        what the zones have adds up.
        """
        region, inside = self.cells.region, ~self.facilities.outside
        lonlat = region.to_lonlat.transform(*shapely.get_coordinates(self.facilities.points).T)
        points = np.asarray(shapely.points(np.stack(lonlat, axis=1)), dtype=object)
        far = np.array([shapely.distance(zone.geometry, points) for zone in region.zones])
        zone = far.argmin(axis=0)
        return [
            ("region", "region", inside),
            *((one.key, "zone", inside & (zone == ix)) for ix, one in enumerate(region.zones)),
            *((o.key, "overlay", inside & shapely.intersects(o.geometry, points)) for o in region.overlays),
        ]

    def figures_inside(self) -> list[tuple[Figure, Figure]]:
        """Figures of the region with all facilities, each beside that with only those inside the boundary.

        Empty where no facility lies outside.
        """
        if self.point_met_inside is None:
            return []
        return list(zip(self._region_figures(self.point_met), self._region_figures(self.point_met_inside), strict=True))

    def figures_under(self) -> dict[Gates, list[Figure]]:
        """Figures of the region under every policy for private ways; empty where no way is private."""
        return {policy: self._region_figures(met) for policy, met in self.point_met_under.items()}

    def _region_figures(self, point_met: NDArray[np.int8]) -> list[Figure]:
        return self.figures_of(self.verdicts(point_met), regions_only=True)

    def _weight(self, measure: Measure, chosen: NDArray[np.bool_]) -> float | None:
        """People of the access points chosen; cells, their area or buildings, of which the main one is."""
        starts = self.cells.starts
        if measure == "cells":
            return int(chosen[starts.first].sum())
        if measure != "people":
            amount = getattr(self.cells, measure)
            return int(amount[chosen[starts.first]].sum())
        return None if starts.people is None else int(starts.people[chosen].sum()) / PEOPLE

    def to_geodataframe(self) -> "gpd.GeoDataFrame":
        """One row per cell, as ``cells.parquet`` has it (see the results contract in the README)."""
        import pandas as pd

        frame = self.cells.to_geodataframe()
        geometry = frame.pop("geometry")
        columns: dict[str, object] = {}
        joins = self.cells.joins
        first = np.full(len(self.cells.starts), -1, dtype=np.int64)
        main = joins.rank == 0
        first[joins.place[main]] = np.flatnonzero(main)
        first = first[self.cells.starts.first]
        has = first >= 0
        for name, lane in self.lanes.items():
            columns |= self.join_columns(name, lane, first[has], has)
        columns |= self.verdict_columns(self.cells.starts.first)
        met_n = self.met_n
        columns["met_n"] = nullable(met_n, met_n < 0)
        columns["missing"] = pd.Series(self.missing, dtype=object)
        out = frame.assign(**columns)
        out["geometry"] = geometry
        return out.set_geometry("geometry", crs=self.cells.region.crs)

    def verdict_columns(self, points: NDArray[np.int64]) -> dict[str, object]:
        """Columns of every service for some access points: the walk, the number within reach and the verdict.

        Parameters
        ----------
        points : (n_rows,) positions of access points
        """
        import pandas as pd

        columns: dict[str, object] = {}
        for ix, key in enumerate(self.keys):
            ticks, met = self.point_ticks[ix, points], self.point_met[ix, points]
            unknown = met == UNKNOWN
            columns[f"{key}_{self.unit_of(key)}"] = np.where(np.isfinite(ticks), ticks / TICKS, np.nan).astype(
                np.float32
            )
            columns[f"{key}_n"] = nullable(self.point_count[ix, points], unknown)
            columns[f"{key}_met"] = pd.arrays.BooleanArray(met == MET, unknown)
        return columns

    def join_columns(
        self, name: str, lane: Lane, joins: NDArray[np.int64], rows: NDArray[np.bool_]
    ) -> dict[str, object]:
        """Columns of joins of cells for one cost, spread over a frame.

        Parameters
        ----------
        joins : (k,) positions of joins
        rows : (n_rows,) bool, k of them true: the frame rows the joins stand in
        """
        network, homes = self.network, self.cells.joins
        edge = homes.edge[joins]

        def ticks(values: NDArray[np.int32]) -> object:
            full = np.full(len(rows), -1, dtype=np.int32)
            full[rows] = values[joins]
            return nullable(full, full < 0)

        ids = np.full(len(rows), None, dtype=object)
        ids[rows] = network.edge_id[edge]
        offset = np.full(len(rows), np.nan)
        offset[rows] = homes.offset_m[joins]
        return {
            f"edge_id_{name}": ids,
            f"offset_m_{name}": offset,
            f"leg_ticks_{name}": ticks(lane.homes.leg),
            f"to_u_ticks_{name}": ticks(lane.homes.to_u),
            f"to_v_ticks_{name}": ticks(lane.homes.to_v),
        }

    def _repr_html_(self) -> str:
        from lifecircle.assess.wording import people_text, share_text
        from lifecircle.profiles import html_table

        what = "people" if self.cells.people is not None else "cells"
        heads = ("service", "within", "walker", "share", what, "of", "not judged")
        rows = [
            (
                "all of these" if figure.service == ALL else self.standard.services[figure.service].title,
                *self._measured_by(figure.service),
                share_text(figure.met, figure.total),
                *(people_text(number) for number in (figure.met, figure.total, figure.unknown)),
            )
            for figure in self.figures()
            if figure.kind == "region" and figure.measure == what
        ]
        lacking = ", ".join(service.title for service in self.absent.values())
        without = f"<p>Not judged, for the data holds none: {escape(lacking)}.</p>" if lacking else ""
        return f"<p>Coverage of the region on foot, {escape(self.standard.title)}</p>{html_table(heads, rows)}{without}"

    def _measured_by(self, key: str) -> tuple[str, str]:
        """Threshold of a service and who walks, in words."""
        if key == ALL:
            return "", ""
        from lifecircle.assess.wording import threshold_text

        service = self.standard.services[key]
        profile = self.profiles[service.profile]
        speed = "" if profile.speed_mps is None else f", {profile.speed_mps.value:g} m/s"
        return threshold_text(service, profile.unit), profile.title + speed


def threshold_of(service: Service, cells: Cells) -> NDArray[np.int64]:
    """Say which of ``service.thresholds`` each access point is held to, by the class of its zone; (n_points,) int64."""
    of_zone = [service.thresholds.index(service.value_in(zone.zone_class)) for zone in cells.region.zones]
    return np.array(of_zone, dtype=np.int64)[cells.zone[cells.starts.cell]]


def limits(standard: Standard, cells: Cells) -> NDArray[np.float64]:
    """Give what each walk is held to, (n_services, n_points) float64, s or m."""
    rows = [np.array(service.thresholds)[threshold_of(service, cells)] for service in standard.services.values()]
    return np.array(rows, dtype=np.float64).reshape(len(rows), len(cells.starts))


def searched(standard: Standard, chosen: Iterable[int]) -> dict[int, tuple[int, ...]]:
    """Thresholds to count facilities within, ticks: as many for each service, by its position in the standard.

    Those of a service come in the order of ``Service.thresholds``; where another has more, the last stands again.
    """
    services = list(standard.services.values())
    values = {ix: services[ix].thresholds for ix in chosen}
    most = max(map(len, values.values()), default=1)
    return {
        ix: tuple(int(np.floor(value * TICKS)) for value in (*said, *[said[-1]] * (most - len(said))))
        for ix, said in values.items()
    }


def nullable(values: NDArray[np.int16] | NDArray[np.int32], unknown: NDArray[np.bool_]) -> object:
    """Make a pandas integer column that is null where the value is unknown."""
    import pandas as pd

    return pd.arrays.IntegerArray(np.where(unknown, 0, values).astype(values.dtype), unknown)
