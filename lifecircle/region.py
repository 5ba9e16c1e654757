"""Where: the boundary, its zones and overlays, and the one metre CRS everything is measured in."""

import json
import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyproj
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from lifecircle.errors import CrsError, DataError
from lifecircle.reading import read_text

if TYPE_CHECKING:
    import geopandas as gpd

REST = "rest"
"""Key of the zone that is made of what no other zone covers."""

WGS84 = pyproj.CRS.from_epsg(4326)
GEOD = pyproj.Geod(ellps="WGS84")
_TRUE_SCALE = 0.005
_FINE_DEG = 0.01  # a kilometre at most: such a piece of a parallel bends by 2 cm or less up to latitude 60
_PARTITION_TOLERANCE = 1e-6
"""Share of the smaller zone two zones may overlap by: neighbours drawn from rounded coordinates do, a little."""

_SLIVER_SHARE = 0.01
"""Share of the smaller of two surveyed areas that is still a border drawn twice, and is cut."""
_SLIVER_M2 = 10_000.0
"""What of a boundary no zone covers is a zone of its own from this size on; below it nobody is looked for there."""
_NOISE_M2 = 1.0
_CROSSINGS = 20_000
"""How often the sides of all outlines of a file may cross, and once more for each of them."""

_AT_A_TIME = 10  # sides, of which each may meet all the others
_BROKEN = (ValueError, TypeError, KeyError, IndexError, OverflowError, RecursionError)
_LARGEST = 256 << 20  # bytes of a GeoJSON file: a country's outlines have some tens of millions


@dataclass(frozen=True)
class Zone:
    """A named part of the region: one of the partition, or an overlay.

    Attributes
    ----------
    key : str
        Stable ASCII-or-not identifier, unique among zones and overlays.
    geometry : shapely polygon, lon/lat WGS84
    zone_class : str
        Class of the zone, where a standard's thresholds differ by it: ``main_city``, ``new_city``, ``new_town``.
    renewal : bool
        Whether it is a renewal area, for which some norms ask less.
    """

    key: str
    name: str
    name_zh: str
    geometry: BaseGeometry
    zone_class: str = ""
    renewal: bool = False


@dataclass(frozen=True)
class Region:
    """The area examined.

    Attributes
    ----------
    name : str
    boundary : shapely polygon, lon/lat WGS84
        The union of the zones.
    zones : tuple of Zone
        A partition: figures of the zones add up to the region's.
    overlays : tuple of Zone
        Any further areas figures are wanted for.
    crs : pyproj.CRS
        The region's metre CRS.
    hard_barriers : tuple of shapely polygons, lon/lat WGS84
        What nobody gets past, mapped or not (a sea wall, a guarded fence): nothing behind one can change an answer.
    """

    name: str
    boundary: BaseGeometry
    zones: tuple[Zone, ...]
    overlays: tuple[Zone, ...]
    crs: pyproj.CRS
    hard_barriers: tuple[BaseGeometry, ...] = ()

    def __post_init__(self) -> None:
        if self.boundary.is_empty or self.boundary.area <= 0:
            raise DataError(f"the boundary of {self.name!r} encloses no area; expected at least one polygon")
        west, south, east, north = self.boundary.bounds
        if not (-180 <= west <= east <= 180 and -90 <= south <= north <= 90):  # noqa: PLR2004
            raise CrsError(
                f"the boundary runs from {west:.1f}, {south:.1f} to {east:.1f}, {north:.1f}: "
                "expected longitudes and latitudes in degrees (WGS84); reproject it to EPSG:4326"
            )
        keys = Counter(zone.key.casefold() for zone in (*self.zones, *self.overlays))
        double = sorted(key for key, n in keys.items() if n > 1 or key == "region")
        if double:
            raise DataError(
                "zone ids must be unique, whatever their case, and 'region' is taken; "
                f"these are not: {', '.join(double)}"
            )
        if not self.crs.is_projected or self.crs.axis_info[0].unit_name not in {"metre", "meter"}:
            raise CrsError(f"{self.crs.to_string()} is not in metres; name a projected CRS such as EPSG:32651")
        self._check_scale()

    def _check_scale(self) -> None:
        """Refuse a CRS whose metres are not metres here: distances and areas are measured in it."""
        centre = self.boundary.envelope.centroid
        east, north, _ = GEOD.fwd([centre.x] * 2, [min(89.0, centre.y)] * 2, [90, 0], [1000, 1000])
        lon, lat = [centre.x, *east], [min(89.0, centre.y), *north]
        x, y = self.to_metres.transform(lon, lat)
        measured = np.hypot(np.subtract(x[1:], x[0]), np.subtract(y[1:], y[0]))
        if not (np.abs(measured / 1000 - 1) < _TRUE_SCALE).all():
            raise CrsError(
                f"in {self.crs.to_string()} a kilometre is {measured[0]:.0f} m long here; "
                "name the UTM zone or another CRS that is true to scale in the region"
            )

    @classmethod
    def from_bbox(cls, bbox: tuple[float, float, float, float], *, name: str, crs: str | None = None) -> "Region":
        """Build a region of one zone from west, south, east, north in degrees.

        Raises
        ------
        DataError
            The box is empty or its corners are in the wrong order.
        """
        west, south, east, north = bbox
        if not np.isfinite(bbox).all() or np.abs(bbox).max() > 180 or max(abs(south), abs(north)) > 90:  # noqa: PLR2004
            raise CrsError(
                f"the box {west:g},{south:g},{east:g},{north:g} is not in degrees: expected west,south,east,north with "
                "longitudes within 180 and latitudes within 90"
            )
        if not (west < east and south < north):
            raise DataError(
                f"the box {west:g},{south:g},{east:g},{north:g} is empty: "
                "expected west,south,east,north with west < east and south < north"
            )
        zone = Zone("all", name, name, shapely.box(west, south, east, north))
        return cls(name, zone.geometry, (zone,), (), _metre_crs(zone.geometry, crs))

    @classmethod
    def from_geojson(cls, path: str | Path, *, name: str | None = None, crs: str | None = None) -> "Region":
        """Read a boundary file: GeoJSON in WGS84.

        Every polygon feature is a zone of the partition unless its property ``role`` is ``overlay``. Properties
        ``id``, ``name``, ``name_zh``, ``zone_class`` and ``renewal`` are used where they are there.

        Raises
        ------
        DataError
            The file is missing, is no GeoJSON, holds no polygon, or its zones overlap.
        CrsError
            The file names another CRS than WGS84, or its numbers are not degrees.
        """
        path = Path(path)
        features = read_features(path)
        zones: list[Zone] = []
        overlays: list[Zone] = []
        for (number, feature), geometry in _polygons(features, path):
            said = feature.get("properties")
            said = said if isinstance(said, dict) else {}
            key = _text(said.get("id"), said.get("name"), f"zone-{number}")
            label = _text(said.get("name"), key)
            label_zh = _text(said.get("name_zh"), said.get("name:zh"), label)
            zone = Zone(
                key, label, label_zh, geometry, zone_class=str(said.get("zone_class") or ""),
                renewal=said.get("renewal") in (True, "yes", "true"),  # a list could not be looked up in a set
            )  # fmt: skip
            (overlays if said.get("role") == "overlay" else zones).append(zone)
        if not zones:
            raise DataError(f"{path} holds no polygon that could be the boundary; expected Polygon or MultiPolygon")
        _check_partition(zones, path)
        boundary = shapely.union_all([zone.geometry for zone in zones])
        return cls(name or path.stem, boundary, tuple(zones), tuple(overlays), _metre_crs(boundary, crs))

    @classmethod
    def from_areas(
        cls, name: str, boundary: BaseGeometry, zones: list[Zone], *, overlays: list[Zone], crs: str | None = None
    ) -> "Region":
        """Make a partition of areas that nearly are one.

        Zones are cut to the boundary. Where two overlap by a sliver, the one that comes first keeps it. What of the
        boundary no zone covers becomes the zone ``rest`` if it is more than a hectare.

        Parameters
        ----------
        boundary : shapely polygon, lon/lat WGS84
        zones, overlays : list of Zone

        Raises
        ------
        DataError
            Two zones overlap by more than a sliver, or most of one lies outside the boundary.
        """
        kept: list[Zone] = []
        shapely.prepare(boundary)
        for zone in zones:
            inside = zone.geometry if boundary.covers(zone.geometry) else areal(zone.geometry.intersection(boundary))
            if inside.area < zone.geometry.area / 2:
                raise DataError(
                    f"most of the zone {zone.name!r} ({zone.key}) lies outside the boundary of {name!r}; "
                    "leave it out, or take a boundary that holds it"
                )
            over = _slivers(zone, kept)
            kept.append(replace(zone, geometry=areal(inside.difference(shapely.union_all(over))) if over else inside))
        rest = boundary.difference(shapely.union_all([zone.geometry for zone in kept]))
        parts = [part for part in shapely.get_parts(areal(rest)) if geodesic_area(part) >= _NOISE_M2]
        if sum(map(geodesic_area, parts)) >= _SLIVER_M2:
            kept.append(Zone(REST, "rest", "剩余", shapely.union_all(parts)))
        whole = shapely.union_all([zone.geometry for zone in kept])
        return cls(name, whole, tuple(kept), tuple(overlays), _metre_crs(whole, crs))

    def with_hard_barriers(self, path: str | Path) -> "Region":
        """Copy the region with the polygons of a GeoJSON file in WGS84 as hard barriers.

        Raises
        ------
        DataError
            The file is missing, is no GeoJSON, or holds no polygon.
        CrsError
            The file names another CRS than WGS84, or its numbers are not degrees.
        """
        path = Path(path)
        features = read_features(path, what="hard barrier")
        found = [shape for _, shape in _polygons(features, path) if shape.area > 0]
        if not found:
            raise DataError(
                f"{path} holds no polygon that could be a hard barrier; expected Polygon or MultiPolygon "
                "(draw a wall or fence as a narrow area)"
            )
        return replace(self, hard_barriers=tuple(found))

    def classed(self, zone_class: str) -> "Region":
        """Copy the region with a class for the zones that name none."""
        zones = tuple(zone if zone.zone_class else replace(zone, zone_class=zone_class) for zone in self.zones)
        return replace(self, zones=zones)

    @cached_property
    def to_metres(self) -> pyproj.Transformer:
        """Transformer from lon/lat to the region's CRS, x before y."""
        return pyproj.Transformer.from_crs(WGS84, self.crs, always_xy=True)

    @cached_property
    def to_lonlat(self) -> pyproj.Transformer:
        """Transformer from the region's CRS to lon/lat, x before y."""
        return pyproj.Transformer.from_crs(self.crs, WGS84, always_xy=True)

    def project_outline(self, shape: Any) -> Any:
        """Project an outline, lon/lat to metres, with corners between its own: straight in degrees is a curve."""
        return self.project(shapely.segmentize(shape, _FINE_DEG))

    def project(self, geometry: Any) -> Any:
        """Bring lon/lat geometries (one, or an array of them) into the region's CRS."""
        return _transformed(geometry, self.to_metres)

    def unproject(self, geometry: Any) -> Any:
        """Bring geometries of the region's CRS back to lon/lat."""
        return _transformed(geometry, self.to_lonlat)

    def clip_bounds(self, buffer_m: float) -> tuple[float, float, float, float]:
        """Lon/lat box around the boundary, grown by a buffer in metres on each side."""
        west, south, east, north = self.boundary.bounds
        middle = max(abs(south), abs(north))
        d_lat = buffer_m / 110_574
        d_lon = buffer_m / (111_320 * max(0.01, math.cos(math.radians(min(89.0, middle)))))
        return west - d_lon, south - d_lat, east + d_lon, north + d_lat

    @property
    def area_m2(self) -> float:
        """Geodesic area of the boundary, m²."""
        return geodesic_area(self.boundary)

    def to_geodataframe(self) -> "gpd.GeoDataFrame":
        """One row per zone and overlay in lon/lat: ``zone, name, name_zh, kind, geometry``."""
        import geopandas as gpd

        rows = [("zone", zone) for zone in self.zones] + [("overlay", zone) for zone in self.overlays]
        return gpd.GeoDataFrame(
            {
                "zone": [zone.key for _, zone in rows],
                "name": [zone.name for _, zone in rows],
                "name_zh": [zone.name_zh for _, zone in rows],
                "kind": [kind for kind, _ in rows],
            },
            geometry=[zone.geometry for _, zone in rows],
            crs=WGS84,
        )

    def _repr_html_(self) -> str:

        rows = "".join(
            f"<tr><td>{escape(zone.name)}</td><td>{escape(zone.name_zh)}</td><td>{kind}</td>"
            f"<td>{geodesic_area(zone.geometry) / 1e6:.1f}</td></tr>"
            for kind, group in (("zone", self.zones), ("overlay", self.overlays))
            for zone in group
        )
        head = "<tr><th>name</th><th>名称</th><th>kind</th><th>km²</th></tr>"
        return f"<p>Region {escape(self.name)}, {escape(self.crs.to_string())}</p><table>{head}{rows}</table>"


def geodesic_area(geometry: BaseGeometry) -> float:
    """Area of a lon/lat polygon on the WGS84 ellipsoid, m² (holes taken off, whatever the ring direction)."""
    polygons = [part for part in shapely.get_parts(geometry) if part.geom_type == "Polygon"]
    total = 0.0
    for polygon in polygons:
        total += abs(GEOD.geometry_area_perimeter(shapely.Polygon(polygon.exterior))[0])
        total -= sum(abs(GEOD.geometry_area_perimeter(shapely.Polygon(ring))[0]) for ring in polygon.interiors)
    return total


def areal(geometry: BaseGeometry) -> BaseGeometry:
    """Keep the polygons of a lon/lat geometry: where two outlines touch, their overlap is lines and points too."""
    parts = [part for part in shapely.get_parts(geometry) if part.geom_type in {"Polygon", "MultiPolygon"}]
    return shapely.union_all(parts) if len(parts) != 1 else parts[0]


def geodesic_length(
    lon0: NDArray[np.float64], lat0: NDArray[np.float64], lon1: NDArray[np.float64], lat1: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Distance on the WGS84 ellipsoid between pairs of points, m."""
    return np.asarray(GEOD.inv(lon0, lat0, lon1, lat1)[2], dtype=np.float64)


def _transformed(geometry: Any, transformer: pyproj.Transformer) -> Any:
    def move(xy: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.column_stack(transformer.transform(xy[:, 0], xy[:, 1]))

    return shapely.transform(geometry, move)


def _metre_crs(boundary: BaseGeometry, wanted: str | None) -> pyproj.CRS:
    if wanted is not None:
        try:
            return pyproj.CRS.from_user_input(wanted)
        except pyproj.exceptions.CRSError as error:
            raise CrsError(f"{wanted!r} is no CRS; expected a name such as EPSG:32651") from error
    if boundary.is_empty:
        raise DataError("the boundary encloses no area; expected at least one polygon")
    centre = boundary.envelope.centroid
    zone = min(60, int((centre.x + 180) // 6) + 1)
    return pyproj.CRS.from_epsg((32600 if centre.y >= 0 else 32700) + zone)


def _check_degrees(shape: BaseGeometry, path: Path) -> None:
    lon, lat = np.abs(shapely.get_coordinates(shape)).T
    if not (np.isfinite(lon).all() and np.isfinite(lat).all()):
        raise DataError(f"{path} holds coordinates that are not finite numbers")
    if lon.max(initial=0) > 180 or lat.max(initial=0) > 90:  # noqa: PLR2004
        raise CrsError(
            f"{path} has coordinates up to {max(lon.max(), lat.max()):.0f}: GeoJSON is in degrees (WGS84, EPSG:4326); "
            "reproject the file first"
        )


def read_features(path: Path, *, what: str = "boundary") -> list[dict[str, Any]]:
    """Features of a GeoJSON file in WGS84, as they stand in it.

    Raises
    ------
    DataError
        The file is missing or is no GeoJSON.
    CrsError
        It names another CRS.
    """
    text = read_text(path, most=_LARGEST, what=f"the {what} file")
    try:
        raw = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path} is not GeoJSON: {error}") from error
    if not isinstance(raw, dict):
        raise DataError(f"{path} is not GeoJSON: expected an object with a type, got a {type(raw).__name__}")
    named = raw["crs"].get("properties") if isinstance(raw.get("crs"), dict) else None
    stated = named.get("name", "") if isinstance(named, dict) else ""
    if stated and not any(code in str(stated).upper() for code in ("CRS84", "EPSG::4326", "EPSG:4326")):
        raise CrsError(f"{path} names the CRS {stated}: expected WGS84 (EPSG:4326); reproject it first")
    if raw.get("type") == "FeatureCollection":
        features = raw.get("features")
    elif raw.get("type") == "Feature":
        features = [raw]
    else:
        features = [{"type": "Feature", "geometry": raw, "properties": {}}]
    if not isinstance(features, list) or not all(isinstance(feature, dict) for feature in features):
        raise DataError(f"{path} is not GeoJSON: 'features' is not a list of objects")
    return features


def _text(*said: object) -> str:
    """First of several values that says something, as text that can be written anywhere."""
    first = next(value for value in said if value is not None and value != "")
    return str(first).encode("utf-8", "replace").decode("utf-8")


def _polygons(features: list[dict[str, Any]], path: Path) -> Iterator[tuple[tuple[int, dict[str, Any]], BaseGeometry]]:
    """Give the polygons among numbered features, valid; those of which nothing is left are passed over."""
    found = [
        (numbered, shape)
        for numbered in enumerate(features, start=1)
        if (shape := _polygon(numbered[1], path)) is not None
    ]
    shapes = [shape for _, shape in found]
    if len(shapes) > 1 or not all(shape.is_valid for shape in shapes):
        _check_tangle(shapes, path)
    for numbered, shape in found:
        parts = [shape]
        if not shape.is_valid:
            mended = shapely.get_parts(shapely.make_valid(shape, method="structure"))
            parts = [part for part in mended if part.geom_type in {"Polygon", "MultiPolygon"}]
        if parts:
            yield numbered, shape if shape.is_valid else shapely.union_all(parts)


def _polygon(feature: dict[str, Any], path: Path) -> BaseGeometry | None:
    raw = feature.get("geometry")
    if not isinstance(raw, dict) or raw.get("type") not in ("Polygon", "MultiPolygon"):
        return None
    try:
        with np.errstate(invalid="ignore"):
            geometry = shapely.force_2d(shapely.geometry.shape(raw))
    except (*_BROKEN, shapely.errors.ShapelyError) as error:
        raise DataError(f"{path}: a {raw['type']} in it has broken coordinates: {error}") from error
    _check_degrees(geometry, path)
    return None if geometry.is_empty else geometry


def _check_tangle(shapes: list[BaseGeometry], path: Path) -> None:
    """Refuse outlines that cross each other and themselves at so many places that no end of pieces would come of them.

    Nothing real does: neighbours meet where they share a border, a slip of the pen crosses itself once.
    """
    xy, part = shapely.get_coordinates(shapely.get_rings(shapes), return_index=True)
    pairs = np.stack([xy[:-1], xy[1:]], axis=1)[part[:-1] == part[1:]]
    lines = shapely.linestrings(pairs)
    most, crossed = _CROSSINGS + len(lines), 0
    tree = shapely.STRtree(lines)
    for start in range(0, len(lines), _AT_A_TIME):
        crossed += tree.query(lines[start : start + _AT_A_TIME], predicate="crosses").shape[1]
        if crossed > most:
            raise DataError(
                f"{path}: the outlines in it cross each other and themselves more than {most:,} times; "
                "draw them so that they do not"
            )


def _slivers(zone: Zone, others: list[Zone]) -> list[BaseGeometry]:
    """List the outlines of others a zone overlaps by a sliver; refuse an overlap by more."""
    found = []
    for other in others:
        shared = zone.geometry.intersection(other.geometry).area
        if shared > _SLIVER_SHARE * min(zone.geometry.area, other.geometry.area):
            raise DataError(
                f"the zones {other.name!r} ({other.key}) and {zone.name!r} ({zone.key}) overlap, so their figures "
                "could not add up; leave one out, or ask for it as an overlay"
            )
        if shared > 0:
            found.append(other.geometry)
    return found


def _check_partition(zones: list[Zone], path: Path) -> None:
    tree = shapely.STRtree([zone.geometry for zone in zones])
    for index, one in enumerate(zones):
        for other in (zones[ix] for ix in np.sort(tree.query(one.geometry)) if ix > index):
            shared = one.geometry.intersection(other.geometry).area
            if shared > _PARTITION_TOLERANCE * min(one.geometry.area, other.geometry.area):
                raise DataError(
                    f"{path}: zones {one.key!r} and {other.key!r} overlap, so their figures could not add up; "
                    "mark one of them with the property role = overlay"
                )
