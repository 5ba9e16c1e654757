"""The nouns of a study, built from its inputs: what is short of any search."""

import logging
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from lifecircle.assess.coverage import Coverage, searched
from lifecircle.assess.edge import met_inside
from lifecircle.assess.gaps import Gaps
from lifecircle.assess.indicators import Indicators
from lifecircle.assess.neighbours import dividers
from lifecircle.assess.policies import met_under
from lifecircle.assess.straight import met_straight
from lifecircle.assess.units import Units
from lifecircle.audit.check import Check
from lifecircle.audit.datum import Detective
from lifecircle.cache import Cache, Key
from lifecircle.errors import DataError, StandardError, did_you_mean
from lifecircle.listed import Listed
from lifecircle.model import demand
from lifecircle.model.barriers import Barriers, water
from lifecircle.model.cells import Cells
from lifecircle.model.demand import Layer
from lifecircle.model.facilities import Facilities
from lifecircle.model.gates import smoothed
from lifecircle.model.network import Network
from lifecircle.model.snapping import Snapper, price
from lifecircle.packing import digest
from lifecircle.profiles import TICKS, Profile
from lifecircle.publish.about import About
from lifecircle.reach.products import Lane, Reach
from lifecircle.reach.search import compile_kernels, search
from lifecircle.region import Region
from lifecircle.result import Clock, Progress, Result, digests_of, inputs_of, rules_of
from lifecircle.sources import boundaries, osm, rasters, tables
from lifecircle.sources.tiles import Tiled
from lifecircle.standards import Service, Standard

if TYPE_CHECKING:
    from lifecircle.study import Study, StudyFile

log = logging.getLogger(__name__)

_SHORTEST_S = 60.0  # no norm, but what is below is a slip: minutes taken for seconds
OSM_CREDIT = "© OpenStreetMap contributors, Open Database Licence (ODbL) 1.0, openstreetmap.org/copyright"


@dataclass(frozen=True, eq=False, repr=False)
class Prepared:
    """The nouns of a study before the search: what `Study.prepare` gives."""

    study: "Study"
    region: Region
    standard: Standard
    network: Network
    facilities: Facilities
    cells: Cells
    lanes: dict[str, Lane]
    profiles: dict[str, Profile]
    elevation: NDArray[np.float64] | None
    snapper: Snapper
    data: osm.OsmData
    year: int | None
    population_whole: bool
    clock: "Clock"
    absent: dict[str, Service]
    order: tuple[str, ...]
    barriers: Barriers
    layers: dict[str, Layer]
    whole: Standard
    digests: dict[str, tuple[str, int]]
    listed: tuple[Listed, ...]
    notes: dict[str, tuple[rasters.Note, ...]]
    from_cache: tuple[str, ...]

    def run(self, *, threads: int | None = None, progress: Progress | None = None) -> "Result":
        """Search and judge."""
        clock = self.clock.reporting(progress)
        with clock.stage("compile"):
            compile_kernels()
        with clock.stage("search") as tell:
            coverage = self._judged(threads, lambda done: tell(done, len(self.cells.starts)))
        keys = self.study.keys
        with clock.stage("judge"):
            coverage = replace(
                coverage, point_met_inside=met_inside(coverage, threads=threads),
                point_met_straight=met_straight(coverage),
                point_met_under=met_under(coverage, self.elevation, threads=threads),
            )  # fmt: skip
        with clock.stage("indicators"):
            indicators = Indicators.of(coverage, self.layers, method=keys.catchment, decay=keys.decay, threads=threads)
        with clock.stage("gaps"):
            gaps = Gaps.find(coverage, self.barriers, {} if indicators is None else indicators.capacity)
        return Result(self, coverage, gaps, indicators, threads)

    def _judged(self, threads: int | None, progress: Callable[[int], None] | None = None) -> Coverage:
        """Search and hold every walk against its threshold."""
        reaches: dict[str, Reach] = {}
        keys = list(self.standard.services)
        for name, lane in self.lanes.items():
            mine = [ix for ix, key in enumerate(keys) if self.standard.services[key].profile == name]
            if mine:  # else every service of this cost is absent
                reaches[name] = search(
                    self.network, lane, self.cells.joins, self.facilities, n_cells=len(self.cells.starts),
                    thresholds=searched(self.standard, mine), threads=threads, progress=progress,
                )  # fmt: skip
        coverage = Coverage.judge(
            self.standard, self.network, self.cells, self.facilities,
            lanes=self.lanes, profiles=self.profiles, reaches=reaches, year=self.year,
        )  # fmt: skip
        return replace(coverage, absent=self.absent, order=self.order)

    def further_lanes(self) -> list[tuple[Profile, Lane]]:
        """Lay what the maps can measure by besides the run's own costs: an adult's time, and metres."""
        searched = {self.profiles[self.standard.services[key].profile].name for key in self.standard.services}
        gates = self.study.keys.gates
        found = []
        for name in ("adult", "metres"):
            walker = Profile.load(name)
            if walker.name not in searched:
                walker = walker if gates is None else walker.model_copy(update={"gates": gates})
                cutoff = {"s": self.study.keys.cutoff_s, "m": self.study.keys.cutoff_m}[walker.unit]
                found.append((walker, _lane(walker, self.network, self.elevation, self.cells, self.facilities, cutoff)))
        return found

    def coverage(self, *, threads: int | None = None) -> Coverage:
        """Search and judge, and no more: the verdicts and figures alone."""
        compile_kernels()
        return self._judged(threads)

    def in_year(self, year: int) -> "Prepared":
        """Prepare the same study with the facilities of another year."""
        try:
            facilities = Facilities.from_osm(
                self.data.features, self.whole, self.snapper, year=year, allow_empty=True, listed=_rows(self.listed)
            )
        except DataError:  # nothing at all was open then
            none = np.zeros(len(self.facilities), dtype=bool)
            facilities = replace(self.facilities.only(none), service_keys=tuple(self.whole.services))
        standard, facilities = _without_absent(self.whole, facilities)
        absent = {key: service for key, service in self.whole.services.items() if key not in standard.services}
        lanes = {
            name: replace(
                lane, doors=price(
                    facilities.joins, self.network, (lane.ticks_uv, lane.ticks_vu), self.profiles[name],
                    tags=facilities.join_tags,
                ),
            )
            for name, lane in self.lanes.items()
        }  # fmt: skip
        return replace(self, facilities=facilities, standard=standard, absent=absent, lanes=lanes, year=year)

    def coverage_in(self, year: int, *, threads: int | None = None) -> Coverage:
        """Coverage with the facilities of another year, by the same streets and people."""
        return self.in_year(year)._judged(threads)  # noqa: SLF001 (itself)

    def units(self, level: str = "community") -> Units:
        """Propose units of a size the rules ask for, see `Units.propose`."""
        data = self.data
        with self.clock.stage("units"):
            roads = dividers(data.ways, data.way_nodes, data.lines, self.region)
            return Units.propose(self.cells, self.barriers, roads=roads, level=level)

    @cached_property
    def about(self) -> About:
        """Title, notice, attribution and date: what must stand beside any figure."""
        keys = self.study.keys
        date = keys.data_date or self.data.timestamp[:10]
        return About(
            name=keys.name,
            title=keys.title or keys.name,
            title_zh=keys.title_zh or keys.title or keys.name,
            notice=keys.notice,
            notice_zh=keys.notice_zh or keys.notice,
            attribution=(
                OSM_CREDIT,
                *keys.attribution,
                *(one.source for one in keys.facilities if one.source),
                *_basemap_credit(keys),
            ),
            data_date=date,
            snap_limit_m=keys.snap_limit_m,
            sloped=self.elevation is not None,
            population_whole=self.population_whole,
            sources=tuple((key, path.name) for key, path in inputs_of(keys).items()),
            tables=tuple(one.told | one.met_in(self.facilities) for one in self.listed),
            basemap=keys.basemap or "",
            notes=tuple((key, note) for key, notes in self.notes.items() for note in notes),
        )

    @cached_property
    def check(self) -> Check:
        """What the data is like, before anything is computed with it."""
        with self.clock.stage("check"):
            return Check.of(
                self.standard, self.network, self.facilities, self.cells, self.data.ways, self.data.features, self.about
            )

    @cached_property
    def water(self) -> list[Any]:
        """Water areas, lon/lat polygons."""
        return water(self.data.features)


def prepare(
    study: "Study", clock: Clock, *, allow_empty: bool = False, extracts: dict[str, Path] | None = None,
    cache: Cache | None = None,
) -> Prepared:  # fmt: skip
    """Read the inputs of a study and build the nouns, short of any search; see `Study.prepare`.

    Parameters
    ----------
    extracts : dict of path, optional
        Further OpenStreetMap extracts to take the ``region`` (where a place of the extract is it), the ``facilities``
        and the ``homes`` from; the study's own gives the streets, and what is not named here.
    cache : Cache, optional
        Where stages are taken from, and kept; default: every stage is made anew.
    """
    keys, cache = study.keys, cache or Cache(None)
    extracts = extracts or {}
    digests = digests_of(inputs_of(keys) | rules_of(keys))  # before a byte is read, so that a change shows
    standard, profiles = _rules(keys)
    with clock.stage("boundary"):
        region = _region(keys, standard, extracts.get("region", keys.osm), cache)
    standard = standard.in_classes({zone.zone_class for zone in region.zones})
    _check_cutoffs(standard, profiles, keys)
    cutoff = {"s": keys.cutoff_s, "m": keys.cutoff_m}
    buffer_m = max(cutoff[p.unit] * p.top_speed for p in profiles.values()) + 2 * keys.snap_limit_m
    clip = region.clip_bounds(buffer_m)
    with clock.stage("read") as tell:
        wanted = _with_lifecycle(standard)
        read, of = {}, {}
        for path in dict.fromkeys((keys.osm, *(extracts.get(part, keys.osm) for part in ("facilities", "homes")))):
            then = digests["osm"][0] if path == keys.osm and "osm" in digests else _content(path)
            read[path], of[path] = _read_map(path, then, clip, wanted, cache, lambda seen: tell(seen, None))
        data, found, homes = (read[extracts.get(part, keys.osm)] for part in ("streets", "facilities", "homes"))
        people = None
        if keys.population:
            people = rasters.read_population(keys.population, region.boundary, band=keys.population_band or 1)
        listed = _read_lists(keys, standard, region, clip)
        notes = {} if people is None else {"population": people.notes}
    given = {"region": region}
    with clock.stage("network"):
        relief = _relief(keys, clip, notes)
        ground = Key.of("network", read=of[keys.osm], region=digest(region), relief=_told(relief))
        network, across, height = cache.take(
            ground, lambda: _network_of(data, region, relief, keys.elevation), given=given
        )
        snapper = Snapper(network, limit_m=keys.snap_limit_m, barriers=across.shape)
    year = keys.year if keys.year is not None else _year_of(keys.data_date or found.timestamp)
    beside = {"network": ground, "snap_limit_m": keys.snap_limit_m}

    def mapped(*, allow_empty: bool) -> Facilities:
        """Facilities of OpenStreetMap alone."""
        rules = standard.model_dump(mode="json", by_alias=True)
        said = {"read": of[extracts.get("facilities", keys.osm)], "rules": rules, "year": year}
        return cache.take(
            Key.of("facilities", **beside, **said, allow_empty=allow_empty),
            lambda: Facilities.from_osm(found.features, standard, snapper, year=year, allow_empty=allow_empty),
            given=given,
        )

    with clock.stage("facilities"):
        if listed:
            listed = _held_against(listed, standard, found, snapper, lambda: mapped(allow_empty=True))
            facilities = Facilities.from_osm(
                found.features, standard, snapper, year=year, allow_empty=allow_empty, listed=_rows(listed)
            )
        else:
            facilities = mapped(allow_empty=allow_empty)
        order, whole = tuple(standard.services), standard
        if not allow_empty:
            standard, facilities = _without_absent(standard, facilities)
        absent = {key: service for key, service in whole.services.items() if key not in standard.services}
    with clock.stage("cells"):
        cells = cache.take(
            Key.of("cells", **beside, read=of[extracts.get("homes", keys.osm)], people=_told(people)),
            lambda: (
                Cells.from_fabric(homes.features, snapper, data.extent)
                if people is None
                else Cells.from_raster(people, homes.features, snapper, data.extent)
            ),
            given=given,
        )
        layers = _layers(keys, cells, snapper, notes)
    lanes = {
        name: replace(_lane(profile, network, height, cells, facilities, cutoff[profile.unit]), name=name)
        for name, profile in profiles.items()
    }
    return Prepared(
        study, region, standard, network, facilities, cells, lanes, profiles, height, snapper, data, year,
        people is None or people.whole, clock, absent, order, across, layers, whole, digests, listed, notes,
        tuple(cache.found),
    )  # fmt: skip


def _rules(keys: "StudyFile") -> tuple[Standard, dict[str, Profile]]:
    """Load the standard and who walks by it, as the study changes them."""
    standard = Standard.load(keys.standard)
    if keys.services is not None:
        standard = standard.only(keys.services)
    if keys.profile is not None:
        standard = standard.walked_by(keys.profile)
    standard = standard.choosing(keys.choose)  # a choice holds whoever walks
    walker = Profile.load(keys.profile) if keys.profile is not None else None
    names = dict.fromkeys(service.profile for service in standard.services.values())
    profiles = {name: walker if walker and name == walker.name else Profile.load(name) for name in names}
    if keys.gates is not None:
        profiles = {name: profile.model_copy(update={"gates": keys.gates}) for name, profile in profiles.items()}
    if keys.built is not None:
        standard = standard.for_built(keys.built)
    return standard, profiles


def _read_map(
    path: Path, then: str, clip: tuple[float, float, float, float], wanted: list[str], cache: Cache,
    tell: Callable[[int], None],
) -> tuple[osm.OsmData, Key]:  # fmt: skip
    """Read an extract, or take what was read of the same bytes; the key of what follows from it is returned too."""
    key = Key.of("read", osm=then, kind=path.name.partition(".")[2], clip=clip, keys=wanted)
    data = cache.take(
        key, lambda: osm.read_osm(path, clip, keys=wanted, progress=tell), keep=lambda: _content(path) == then
    )
    return data, key


def _content(path: Path) -> str:
    """Digest of a file; of one that is not there, or cannot be read, its reader tells better what is wrong."""
    try:
        return osm.digest(path) if path.is_file() else ""
    except OSError:
        return ""


def _told(window: rasters.RasterWindow | None) -> str | None:
    """Digest of the pixels of a raster, and of where they lie."""
    if window is None:
        return None
    return digest((window.values, window.transform, window.crs, window.row, window.column))  # noqa: PD011


def _lane(
    profile: Profile, network: Network, height: NDArray[np.float64] | None, cells: Cells, facilities: Facilities,
    cutoff: float,
) -> Lane:  # fmt: skip
    """Lay one cost on the network and on the joins of homes and entrances."""
    ticks = network.ticks(profile, height)
    return Lane(
        profile.name, profile.unit, *ticks,
        homes=price(cells.joins, network, ticks, profile),
        doors=price(facilities.joins, network, ticks, profile, tags=facilities.join_tags),
        cutoff=int(cutoff * TICKS),
    )  # fmt: skip


def _region(keys: "StudyFile", standard: Standard, extract: Path, cache: Cache) -> Region:
    """Find where: the boundary, place or box, its hard barriers, and a class for the zones that name none."""
    if keys.boundary is not None:
        region = Region.from_geojson(keys.boundary, name=keys.name, crs=keys.crs)
    elif keys.place is not None:
        place, then = keys.place, _content(extract)
        named = {"place": place.model_dump(mode="json"), "name": keys.name, "crs": keys.crs, "file": extract.name}
        region = cache.take(
            Key.of("boundary", osm=then, **named),
            lambda: boundaries.read_region(extract, place, name=keys.name, crs=keys.crs),
            keep=lambda: _content(extract) == then,
        )
    else:
        assert keys.bbox is not None  # noqa: S101 (the study file was checked)
        region = Region.from_bbox(keys.bbox, name=keys.name, crs=keys.crs)
    if keys.hard_barrier is not None:
        region = region.with_hard_barriers(keys.hard_barrier)
    if keys.zone_class is None:
        return region
    if keys.zone_class not in standard.zone_classes:
        raise StandardError(
            f"{standard.name} has no thresholds for zones of class {keys.zone_class!r}; "
            + did_you_mean(keys.zone_class, sorted(standard.zone_classes))
        )
    return region.classed(keys.zone_class)


def _basemap_credit(keys: "StudyFile") -> list[str]:
    """Say whose the tiles are: as the study says, else by their server."""
    if keys.basemap is None:
        return []
    return [keys.basemap_credit or f"Basemap: {urlsplit(keys.basemap).netloc.removeprefix('{s}.')}"]


def _read_lists(
    keys: "StudyFile", standard: Standard, region: Region, clip: tuple[float, float, float, float]
) -> tuple[Listed, ...]:
    """Read the tables of facilities, each by a name of its own."""
    found: list[Listed] = []
    for one in keys.facilities:
        plain = re.sub(r"[^A-Za-z0-9_-]+", "-", one.name or one.table.stem).strip("-")[:40] or "table"
        taken = {listed.told["name"] for listed in found}
        names = (plain if n == 1 else f"{plain}-{n}" for n in range(1, len(taken) + 2))
        found.append(Listed.read(one, standard, region, clip, name=next(name for name in names if name not in taken)))
    return tuple(found)


def _held_against(
    listed: tuple[Listed, ...], standard: Standard, data: osm.OsmData, snapper: Snapper,
    mapped: Callable[[], Facilities],
) -> tuple[Listed, ...]:  # fmt: skip
    """Test the datum of every table by the streets, the buildings and the facilities of OpenStreetMap."""
    try:
        known: Facilities | None = mapped()
    except DataError:  # it knows none: streets and buildings are left to go by
        known = None
    detective = Detective(snapper.network, data.features, known)
    return tuple(one.held_against(detective, standard) for one in listed)


def _rows(listed: tuple[Listed, ...]) -> pd.DataFrame | None:
    """Put the rows of all tables together."""
    return pd.concat([one.rows for one in listed], ignore_index=True) if listed else None


def _layers(
    keys: "StudyFile", cells: Cells, snapper: Snapper, notes: dict[str, tuple[rasters.Note, ...]]
) -> dict[str, Layer]:
    """Gather groups of people: everybody, where they are known, and those the study names; note what rasters lack."""
    found: dict[str, Layer] = {}
    if cells.starts.people is not None:
        told = ("residents", "Residents", "居民", "population raster", "verified")
        found["residents"] = Layer(*told, cells, cells.starts.people, "raster")
    for key, said in keys.demand.items():
        if key == "residents":
            raise StandardError("the demand layer 'residents' is everybody already; give this one another name")
        here, kind, source = cells, "share", said.source
        if said.share is not None:
            people = demand.of_share(cells, said.share)
        elif said.places is None:
            people, kind = np.zeros(len(cells.starts), dtype=np.int64), "raster"
            whole, told_of = True, []
            for one in said.rasters:
                raster = rasters.read_population(one, cells.region.boundary, band=said.band or 1)
                more, left, coarse_m = demand.of_raster(cells, raster)
                people += more
                whole &= raster.whole
                told_of += [*raster.notes, *rasters.placed(key, left, coarse_m)]
            notes[f"demand.{key}"] = tuple(told_of)
            if not whole:
                source += "; the raster does not span the region, who is beyond it is not counted"
        else:
            here, notes[f"demand.{key}"] = _elsewhere(said.places, cells, snapper, said.band or 1)
            kind = "places"
            assert here.starts.people is not None  # noqa: S101 (they are what it is made of)
            people = here.starts.people
        title = said.title or key.replace("_", " ").capitalize()
        told = (key, title, said.title_zh or title, source, said.status)
        found[key] = Layer(*told, here, people, kind)  # type: ignore[arg-type]
    return found


def _elsewhere(paths: Tiled, cells: Cells, snapper: Snapper, band: int) -> tuple[Cells, tuple[rasters.Note, ...]]:
    if isinstance(paths, Path) and paths.suffix.casefold() == ".csv":
        return demand.of_points(*tables.read_places(paths), snapper, cells.extent), ()
    raster = rasters.read_population(paths, cells.region.boundary, band=band)
    return demand.of_places(raster, snapper, cells.extent), raster.notes


def _without_absent(standard: Standard, facilities: Facilities) -> tuple[Standard, Facilities]:
    """Leave out the services that may lack and of which the data holds no facility."""
    count = facilities.count()
    kept = [key for key in standard.services if count[key]]
    if len(kept) == len(standard.services):
        return standard, facilities
    number = {ix: kept.index(key) for ix, key in enumerate(standard.services) if key in kept}
    services = tuple(tuple(number[ix] for ix in served) for served in facilities.services)
    # Composites, neighbours and norms stay: what they name may be absent, and they say so.
    judged = standard.model_copy(update={"services": {key: standard.services[key] for key in kept}})
    return judged, replace(facilities, service_keys=tuple(kept), services=services)


def _with_lifecycle(standard: Standard) -> list[str]:
    """Keys the standard's rules ask for, plain and of things still to come."""
    return [prefix + key for key in sorted(standard.tag_keys) for prefix in ("", *osm.LIFECYCLE)]


def _check_cutoffs(standard: Standard, profiles: dict[str, Profile], keys: "StudyFile") -> None:
    """Refuse a cutoff below a threshold before any data is read: no verdict could be given."""
    for key, service in standard.services.items():
        unit = profiles[service.profile].unit
        cutoff = keys.cutoff_s if unit == "s" else keys.cutoff_m
        if unit == "s" and service.thresholds[0] < _SHORTEST_S:
            raise StandardError(
                f"{key} should be within {service.thresholds[0]:g} s: thresholds of time are in seconds, and less than "
                f"{_SHORTEST_S:g} is no walk; 15 minutes are 900"
            )
        if service.thresholds[-1] > cutoff:
            raise StandardError(
                f"the search would stop at {cutoff:g} {unit}, short of the threshold of {key}, "
                f"{service.thresholds[-1]:g} {unit}; raise cutoff_{unit} (--cutoff-{unit})"
            )


def _year_of(date: str) -> int | None:
    return int(date[:4]) if re.match(r"[12][0-9]{3}", date) else None


def ground_of(
    data: osm.OsmData, region: Region, keys: "StudyFile", clip: tuple[float, float, float, float]
) -> tuple[Network, NDArray[np.float64] | None, Snapper]:
    """Build what is walked on: the network, the height of its nodes, and how places join it."""
    network, across, height = _network_of(data, region, _relief(keys, clip, {}), keys.elevation)
    return network, height, Snapper(network, limit_m=keys.snap_limit_m, barriers=across.shape)


def _network_of(
    data: osm.OsmData, region: Region, relief: rasters.RasterWindow | None, paths: Tiled | None
) -> tuple[Network, Barriers, NDArray[np.float64] | None]:
    """Build the network and what parts it; the elevation of every node is None where no raster is given."""
    network = Network.from_osm(data.ways, data.way_nodes, region, features=data.features, lines=data.lines)
    across = Barriers.of(data.ways, data.way_nodes, data.lines, data.features, region)
    if relief is None:
        return network, across, None
    height = rasters.sample(relief, network.node_lon, network.node_lat)
    if np.isnan(height).all():
        raise DataError(f"the elevation raster {paths} knows no height of any street; take one that covers the region")
    return network, across, smoothed(network, height)


def _relief(
    keys: "StudyFile", clip: tuple[float, float, float, float], notes: dict[str, tuple[rasters.Note, ...]]
) -> rasters.RasterWindow | None:
    """Read the elevation; what is to be said of the raster is put into ``notes``."""
    if keys.elevation is None:
        return None
    window = rasters.read_elevation(keys.elevation, shapely.box(*clip))
    notes["elevation"] = window.notes
    return window
