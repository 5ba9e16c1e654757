"""What one place reaches: streets exactly, and an area that claims no more than the streets."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.ops import substring

from lifecircle.errors import DataError
from lifecircle.model.snapping import Joins, Snapper, price
from lifecircle.profiles import TICKS, Profile
from lifecircle.reach.products import Lane
from lifecircle.reach.search import field
from lifecircle.region import Region

if TYPE_CHECKING:
    import geopandas as gpd

HALF_WIDTH_M = 25.0
"""Reached streets are widened by this much each side to make an area."""

_MIN_PART_M = 1e-6


@dataclass(frozen=True, eq=False, repr=False)
class Isochrone:
    """Streets and areas within each of several limits.

    Attributes
    ----------
    unit, profile : str
        ``s`` or ``m``, and who walks.
    limits : tuple of float
        Seconds or metres, ascending.
    streets : tuple of shapely MultiLineString, metre CRS
        Reached street parts, each drawn once.
    areas : tuple of shapely polygon, metre CRS
        Those parts widened by 25 m, water cut out. A larger limit holds the smaller.
    length_m : tuple of float
        Length of the reached streets.
    leg_m : float
        Metres from the place to the nearest path.
    """

    unit: str
    profile: str
    limits: tuple[float, ...]
    streets: tuple[Any, ...]
    areas: tuple[Any, ...]
    length_m: tuple[float, ...]
    leg_m: float
    region: Region

    @classmethod
    def from_point(
        cls,
        lon: float,
        lat: float,
        *,
        snapper: Snapper,
        profile: Profile,
        ticks: tuple[NDArray[np.int32], NDArray[np.int32]],
        limits: list[float],
        water: list[Any],
    ) -> "Isochrone":
        """Walk from a place as far as each limit allows.

        Raises
        ------
        DataError
            No path lies within the snapping limit of the place.
        """
        network = snapper.network
        place = np.array([network.region.project(shapely.Point(lon, lat))], dtype=object)
        joins = snapper.join(place)
        if len(joins) == 0:
            raise DataError(
                f"no path lies within {snapper.limit_m:g} m of {lon:.5f},{lat:.5f}; is the place inside the data? "
                "(expected LON,LAT in degrees)"
            )
        legs = price(joins, network, ticks, profile)
        lane = Lane(profile.name, profile.unit, *ticks, homes=legs, doors=legs, cutoff=int(max(limits) * TICKS))
        reached = field(network, lane, joins).ticks
        wet = network.region.project(np.array(water, dtype=object)) if water else np.array([], dtype=object)
        wet = np.where(shapely.is_valid(wet), wet, shapely.make_valid(wet)) if len(wet) else wet
        streets, areas, lengths = [], [], []
        for limit in sorted(limits):
            parts, length = _parts(snapper, lane, reached, joins, int(limit * TICKS))
            street = shapely.multilinestrings(parts) if len(parts) else shapely.MultiLineString()
            # Part by part: the buffer of all the lines that cross a square, cut where they meet, never ends.
            area = shapely.union_all(shapely.buffer(parts, HALF_WIDTH_M)) if len(parts) else shapely.MultiPolygon()
            hit = wet[shapely.intersects(wet, area)] if len(wet) else wet
            if len(hit):
                area = shapely.difference(area, shapely.union_all(hit))
            streets.append(street)
            areas.append(area)
            lengths.append(length)
        return cls(
            profile.unit, profile.name, tuple(sorted(limits)), tuple(streets), tuple(areas), tuple(lengths),
            float(joins.leg_m[0]), network.region,
        )  # fmt: skip

    def to_geodataframe(self) -> "gpd.GeoDataFrame":
        """Two rows per limit in lon/lat: ``kind`` (area, streets), ``limit``, ``unit``, ``street_m``, ``geometry``."""
        import geopandas as gpd

        n = len(self.limits)
        return gpd.GeoDataFrame(
            {
                "kind": ["area"] * n + ["streets"] * n,
                "limit": [*self.limits, *self.limits],
                "unit": self.unit,
                "street_m": [round(length, 1) for length in (*self.length_m, *self.length_m)],
            },
            geometry=list(self.region.unproject(np.array([*self.areas, *self.streets], dtype=object))),
            crs="EPSG:4326",
        )

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{limit:g} {self.unit}</td><td>{length / 1000:.2f}</td><td>{area.area / 1e6:.3f}</td></tr>"
            for limit, length, area in zip(self.limits, self.length_m, self.areas, strict=True)
        )
        return f"<table><tr><th>limit</th><th>street km</th><th>km²</th></tr>{rows}</table>"


def _parts(
    snapper: Snapper, lane: Lane, reached: NDArray[np.float64], joins: Joins, limit: int
) -> tuple[NDArray[np.object_], float]:
    """Reached parts of edges, each drawn once, and their length in metres.

    From u with d ticks left a walk covers min(1, d / ticks_uv) of an edge, from v likewise, and from a join on the
    edge itself both ways.
    """
    network = snapper.network
    uv, vu = lane.ticks_uv.astype(np.float64), lane.ticks_vu.astype(np.float64)
    from_u = _share(limit - reached[network.edge_u], uv)
    from_v = _share(limit - reached[network.edge_v], vu)
    # A street that stands twice is reached as far as either copy is, and drawn once.
    for share in (from_u, from_v):
        np.maximum.at(share, network.edge_same, share.copy())
    own = network.own
    pieces: dict[int, list[tuple[float, float]]] = {}
    for edge in np.flatnonzero(own & ((from_u > 0) | (from_v > 0))).tolist():
        pieces[edge] = [(0.0, float(from_u[edge])), (1.0 - float(from_v[edge]), 1.0)]
    for ix, edge in enumerate(joins.edge.tolist()):
        left = np.array([limit - lane.homes.leg[ix]], dtype=np.float64)
        if left[0] >= 0:
            at = float(joins.offset_m[ix] / network.length_m[edge]) if network.length_m[edge] > 0 else 0.0
            low, high = at - _share(left, vu[[edge]])[0], at + _share(left, uv[[edge]])[0]
            pieces.setdefault(edge, []).append((max(0.0, float(low)), min(1.0, float(high))))
    parts, length = [], 0.0
    for edge, found in pieces.items():
        for a, b in _merged(found):
            if (b - a) * network.length_m[edge] > _MIN_PART_M:
                line = snapper.lines[edge]
                parts.append(line if a <= 0 and b >= 1 else substring(line, a, b, normalized=True))
                length += (b - a) * float(network.length_m[edge])
    return np.array(parts, dtype=object), length


def _share(left: NDArray[np.float64], ticks: NDArray[np.float64]) -> NDArray[np.float64]:
    """Share of each edge that the ticks left pay for, 0 to 1; 0 where the way is closed."""
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(ticks > 0, left / ticks, np.where(left >= 0, 1.0, 0.0))
    return np.where(ticks >= 0, np.clip(share, 0.0, 1.0), 0.0)


def _merged(pieces: list[tuple[float, float]]) -> list[tuple[float, float]]:
    out: list[tuple[float, float]] = []
    for a, b in sorted(pieces):
        if out and a <= out[-1][1]:
            out[-1] = (out[-1][0], max(out[-1][1], b))
        else:
            out.append((a, b))
    return out
