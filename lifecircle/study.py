"""One run: a study file becomes stages, the stages a result, and the result a folder."""

import logging
import platform
import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property
from importlib import metadata
from pathlib import Path
from typing import Any, Literal

import numpy as np
import shapely
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

from lifecircle.assess.clauses import Clauses
from lifecircle.assess.coverage import Coverage
from lifecircle.assess.edge import met_inside
from lifecircle.assess.gaps import Gaps
from lifecircle.assess.neighbours import dividers
from lifecircle.assess.policies import met_under
from lifecircle.assess.units import Units
from lifecircle.audit.check import Check
from lifecircle.errors import DataError, StandardError, did_you_mean
from lifecircle.model.barriers import Barriers, water
from lifecircle.model.cells import Cells
from lifecircle.model.facilities import Facilities
from lifecircle.model.gates import smoothed
from lifecircle.model.network import Network
from lifecircle.model.snapping import Snapper, price
from lifecircle.profiles import TICKS, Gates, Profile, check_keys, check_toml, load_preset
from lifecircle.publish import files, report
from lifecircle.publish.report import About
from lifecircle.reach.isochrone import Isochrone
from lifecircle.reach.products import Lane, Reach
from lifecircle.reach.search import compile_kernels, search
from lifecircle.region import Region
from lifecircle.sources import osm, rasters
from lifecircle.standards import Service, Standard

log = logging.getLogger(__name__)

Progress = Callable[[str, int | None, int | None], None]
"""Called with a stage, how much of it is done and how much there is; both None where nobody can say."""

OSM_CREDIT = "© OpenStreetMap contributors, Open Database Licence (ODbL) 1.0, openstreetmap.org/copyright"


class StudyFile(BaseModel):
    """Keys of a study TOML; what is not given takes the default shown.

    Paths, those of a standard or profile file included, are relative to the file.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    schema_version: Literal[1] = Field(1, alias="schema")
    name: str = Field("study", pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=100)
    title: str = ""
    title_zh: str = ""
    osm: Path
    population: Path | None = None
    elevation: Path | None = None
    boundary: Path | None = None
    bbox: tuple[float, float, float, float] | None = None
    hard_barrier: Path | None = None
    standard: str = "xminute-generic"
    services: list[str] | None = None
    profile: str | None = None
    gates: Gates | None = None
    choose: dict[str, float] = {}
    crs: str | None = None
    year: int | None = Field(None, ge=1500, le=2200)
    cutoff_s: float = Field(1800.0, gt=0, le=20_000)
    cutoff_m: float = Field(2000.0, gt=0, le=30_000)
    snap_limit_m: float = Field(500.0, gt=0, le=5_000)
    data_date: str = ""
    notice: str = ""
    notice_zh: str = ""
    attribution: list[str] = []
    out: Path | None = None

    @model_validator(mode="after")
    def _one_boundary(self) -> "StudyFile":
        if (self.boundary is None) == (self.bbox is None):
            raise ValueError(
                "say where: either boundary (a GeoJSON file) or bbox (west,south,east,north), and not both"
            )
        return self


class RegionPreset(BaseModel):
    """Keys of a region preset: one that carries its data (``study``), or one that says what is needed."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    schema_version: Literal[1] = Field(alias="schema")
    name: str
    title: str
    title_zh: str
    study: str | None = None
    needs: str | None = None
    hard_barrier: str | None = None


@dataclass(frozen=True)
class Study:
    """What to run.

    Attributes
    ----------
    keys : StudyFile
        Every parameter; its paths are absolute.
    """

    keys: StudyFile

    @classmethod
    def from_toml(cls, path: str | Path) -> "Study":
        """Read a study file.

        Raises
        ------
        StandardError
            A key is unknown, missing or wrong.
        DataError
            The file cannot be read.
        """
        path = Path(path)
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise DataError(f"cannot read the study file {path}: {error}") from error
        return cls._with_paths(check_toml(StudyFile, text, origin=str(path)), path.resolve().parent)

    @classmethod
    def from_region(cls, name: str, *, keys: dict[str, Any] | None = None) -> "Study":
        """Take a region by name.

        Parameters
        ----------
        keys : dict, optional
            What a region that carries no data of its own needs besides its name: ``osm`` and a boundary or box.

        Raises
        ------
        StandardError
            No region of that name.
        DataError
            The region carries no data of its own, or this installation does not hold it.
        """
        preset = load_preset(RegionPreset, name, folder="regions", what="region")
        roots = (Path(__file__).resolve().parents[1] / "data", Path.cwd() / "data")
        if preset.study is None and keys and "osm" in keys:
            said = {"name": preset.name, "title": preset.title, "title_zh": preset.title_zh}
            if preset.hard_barrier is not None:
                found = [path for root in roots if (path := root / preset.hard_barrier).is_file()]
                said["hard_barrier"] = str(found[0] if found else preset.hard_barrier)
            return cls.from_keys(said | keys)
        if preset.study is None:
            raise DataError(f"the region {preset.name!r} carries no data of its own; it needs {preset.needs}")
        for root in roots:
            if (root / preset.study).is_file():
                return cls.from_toml(root / preset.study)
        raise DataError(
            f"the data of {preset.name!r} is not part of this installation: it lies in data/{preset.name} of the "
            "source repository; clone it, or run from a folder that holds data/"
        )

    @classmethod
    def from_keys(cls, keys: dict[str, Any]) -> "Study":
        """Build a study from the keys a study file would have; paths are relative to the working directory.

        Raises
        ------
        StandardError
            A key is unknown, missing or wrong.
        """
        return cls._with_paths(check_keys(StudyFile, keys, origin="study"), Path.cwd())

    @classmethod
    def _with_paths(cls, keys: StudyFile, root: Path) -> "Study":
        changed = {key: root / value for key in (*_INPUTS, "out") if (value := getattr(keys, key)) is not None}
        presets = {
            key: str(root / value)
            for key in ("standard", "profile")
            if (value := getattr(keys, key) or "").endswith(".toml")
        }
        return cls(keys.model_copy(update=changed | presets))

    def changed(self, **keys: Any) -> "Study":
        """Copy the study with other values for some keys; a None leaves the key as it is.

        A box takes the place of a boundary, and a boundary that of a box.
        """
        said = {key: value for key, value in keys.items() if value is not None}
        if not said:
            return self
        before = self.keys.model_dump(by_alias=True)
        if "bbox" in said or "boundary" in said:
            before |= {"bbox": None, "boundary": None}
        return Study.from_keys(before | said)

    @property
    def out(self) -> Path:
        """Results folder: as the study says, else ``maps/<name>`` in the working directory."""
        return self.keys.out or Path.cwd() / "maps" / self.keys.name

    def prepare(self, *, progress: Progress | None = None, allow_empty: bool = False) -> "Prepared":
        """Read the inputs and build the nouns, short of any search.

        Parameters
        ----------
        allow_empty : bool
            Whether a service may have no facility: enough for a check of the data, not for a run.

        Raises
        ------
        LifecircleError
            An input is missing, damaged, or does not fit the others.
        """
        return _prepare(self, _Clock(progress), allow_empty=allow_empty)

    def run(self, *, threads: int | None = None, progress: Progress | None = None) -> "Result":
        """Run every stage up to the verdicts; nothing is written.

        Parameters
        ----------
        threads : int, optional
            Default: one per processor. The results do not depend on it.
        progress : callable, optional

        Raises
        ------
        LifecircleError
            An input is missing, damaged, or does not fit the others.
        """
        return self.prepare(progress=progress).run(threads=threads, progress=progress)

    def _repr_html_(self) -> str:
        from html import escape

        rows = "".join(
            f"<tr><td>{escape(key)}</td><td>{escape(str(value))}</td></tr>"
            for key, value in self.keys.model_dump(by_alias=True).items()
            if value not in (None, "", [])
        )
        return f"<table>{rows}</table>"


@dataclass(frozen=True, eq=False, repr=False)
class Prepared:
    """The nouns of a study before the search: what `Study.prepare` gives."""

    study: Study
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
    clock: "_Clock"
    absent: dict[str, Service]
    order: tuple[str, ...]
    barriers: Barriers

    def run(self, *, threads: int | None = None, progress: Progress | None = None) -> "Result":
        """Search and judge."""
        clock = self.clock.reporting(progress)
        with clock.stage("compile"):
            compile_kernels()
        reaches: dict[str, Reach] = {}
        keys = list(self.standard.services)
        with clock.stage("search") as tell:
            for name, lane in self.lanes.items():
                wanted: dict[int, tuple[int]] = {
                    ix: (int(np.floor(self.standard.services[key].threshold.value * TICKS)),)
                    for ix, key in enumerate(keys)
                    if self.standard.services[key].profile == name
                }
                if not wanted:  # every service of this cost is absent
                    continue
                reaches[name] = search(
                    self.network, lane, self.cells.joins, self.facilities, n_cells=len(self.cells.starts),
                    thresholds=wanted, threads=threads, progress=lambda done: tell(done, len(self.cells.starts)),
                )  # fmt: skip
        with clock.stage("judge"):
            coverage = Coverage.judge(
                self.standard, self.network, self.cells, self.facilities,
                lanes=self.lanes, profiles=self.profiles, reaches=reaches, year=self.year,
            )  # fmt: skip
            coverage = replace(
                coverage, point_met_inside=met_inside(coverage, threads=threads),
                point_met_under=met_under(coverage, self.elevation, threads=threads), absent=self.absent,
                order=self.order,
            )  # fmt: skip
            gaps = Gaps.find(coverage, self.barriers)
        return Result(self, coverage, gaps)

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
            attribution=(OSM_CREDIT, *keys.attribution),
            data_date=date,
            snap_limit_m=keys.snap_limit_m,
            sloped=self.elevation is not None,
            population_whole=self.population_whole,
            sources=tuple((key, path.name) for key in _INPUTS if (path := getattr(keys, key)) is not None),
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


@dataclass(frozen=True, eq=False, repr=False)
class Result:
    """Verdicts of a run, in memory; `write` makes the results folder."""

    prepared: Prepared
    coverage: Coverage
    gaps: Gaps

    @property
    def study(self) -> Study:
        """The study this is the result of."""
        return self.prepared.study

    @property
    def about(self) -> About:
        """Title, notice, attribution and date: what must stand beside any figure."""
        return self.prepared.about

    @cached_property
    def clauses(self) -> Clauses:
        """The standard clause by clause."""
        return Clauses.of(self.coverage)

    @cached_property
    def summary(self) -> dict[str, Any]:
        """Every headline figure with numerator and denominator (``summary.json``)."""
        return files.summary(self.coverage, self.gaps, self.clauses, self.about)

    def page(self, name: str) -> str:
        """HTML text of one page: ``coverage``, ``gaps`` or ``index``."""
        makers = {"coverage": report.coverage_page, "gaps": report.gaps_page}
        if name == "index":
            return report.index_page(self.coverage, self.gaps, self.clauses, self.about, self.prepared.water)
        if name not in makers:
            raise StandardError(f"there is no page {name!r}; {did_you_mean(name, [*makers, 'index'])}")
        return makers[name](self.coverage, self.gaps, self.about, self.prepared.water)

    def map(self, layer: str = "coverage") -> report.Page:
        """Map page to look at in a notebook."""
        return report.Page(self.page(layer))

    def write(self, out: str | Path | None = None, *, progress: Progress | None = None) -> Path:
        """Write the results folder, whole or not at all.

        Raises
        ------
        SourceError
            The folder cannot be written; what was there is unchanged.
        """
        target = Path(out) if out is not None else self.study.out
        clock = self.prepared.clock.reporting(progress)
        with files.whole_folder(target) as folder:
            with clock.stage("tables"):
                files.write_tables(folder, self.coverage, self.gaps, self.clauses, self.about)
            with clock.stage("pages"):
                for name in ("coverage", "gaps", "index"):
                    (folder / f"{name}.html").write_text(self.page(name), encoding="utf-8", newline="\n")
            files.write_json(folder / "check.json", self.prepared.check.findings)
            files.write_json(folder / "summary.json", self.summary)
            files.write_json(folder / "manifest.json", self._manifest(clock))
        return target

    def _manifest(self, clock: "_Clock") -> dict[str, Any]:
        keys, prepared = self.study.keys, self.prepared
        inputs = {
            key: {"file": path.name, "sha256": osm.digest(path), "bytes": path.stat().st_size}
            for key in _INPUTS
            if (path := getattr(keys, key)) is not None
        }
        parameters = keys.model_dump(mode="json", by_alias=True, exclude={*_INPUTS, "out"})
        return {
            "schema": files.SCHEMA,
            "inputs": inputs,
            "osm_timestamp": prepared.data.timestamp or None,
            "parameters": parameters | {"year": prepared.year, "crs": prepared.region.crs.to_string()},
            "standard": prepared.standard.model_dump(mode="json", by_alias=True),
            "profiles": {name: p.model_dump(mode="json", by_alias=True) for name, p in prepared.profiles.items()},
            "versions": {"python": platform.python_version()} | {name: metadata.version(name) for name in _VERSIONED},
            "counts": {"osm": prepared.data.counts} | files.counts(self.coverage, prepared.elevation),
            "timings_s": {stage: round(seconds, 3) for stage, seconds in clock.seconds.items()},
            "finished": datetime.now(UTC).isoformat(timespec="seconds"),
            "command": [Path(sys.argv[0]).name, *sys.argv[1:]],
        }

    def __repr__(self) -> str:
        return f"<Result {self.study.keys.name}: {report.headline(self.coverage)[0].english}>"

    def _repr_html_(self) -> str:
        return self.coverage._repr_html_() + self.gaps._repr_html_()


_INPUTS = ("osm", "population", "elevation", "boundary", "hard_barrier")
_VERSIONED = (
    *("lifecircle", "numpy", "numba", "pandas", "geopandas", "shapely", "pyproj", "pyogrio", "rasterio", "osmium"),
    *("folium", "pyarrow", "scipy"),
)


@dataclass
class _Clock:
    """Times the stages and tells whoever listens."""

    progress: Progress | None = None
    seconds: dict[str, float] = field(default_factory=dict)

    def reporting(self, progress: Progress | None) -> "_Clock":
        return _Clock(progress or self.progress, self.seconds)

    @contextmanager
    def stage(self, name: str) -> Iterator[Callable[[int | None, int | None], None]]:
        def tell(done: int | None = None, total: int | None = None) -> None:
            if self.progress is not None:
                self.progress(name, done, total)

        tell()
        start = time.perf_counter()
        yield tell
        self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - start


def _prepare(study: Study, clock: _Clock, *, allow_empty: bool = False) -> Prepared:
    keys = study.keys
    standard = Standard.load(keys.standard)
    if keys.services is not None:
        standard = standard.only(keys.services)
    standard = standard.choosing(keys.choose)
    if keys.profile is not None:
        standard = standard.walked_by(keys.profile)
    walker = Profile.load(keys.profile) if keys.profile is not None else None
    names = dict.fromkeys(service.profile for service in standard.services.values())
    profiles = {name: walker if walker and name == walker.name else Profile.load(name) for name in names}
    if keys.gates is not None:
        profiles = {name: profile.model_copy(update={"gates": keys.gates}) for name, profile in profiles.items()}
    _check_cutoffs(standard, profiles, keys)
    if keys.boundary is not None:
        region = Region.from_geojson(keys.boundary, name=keys.name, crs=keys.crs)
    else:
        assert keys.bbox is not None  # noqa: S101 (the study file was checked)
        region = Region.from_bbox(keys.bbox, name=keys.name, crs=keys.crs)
    if keys.hard_barrier is not None:
        region = region.with_hard_barriers(keys.hard_barrier)
    cutoff = {"s": keys.cutoff_s, "m": keys.cutoff_m}
    buffer_m = max(cutoff[p.unit] * p.top_speed for p in profiles.values()) + 2 * keys.snap_limit_m
    clip = region.clip_bounds(buffer_m)
    with clock.stage("read") as tell:
        data = osm.read_osm(keys.osm, clip, keys=_with_lifecycle(standard), progress=lambda seen: tell(seen, None))
        people = rasters.read_population(keys.population, region.boundary) if keys.population else None
    with clock.stage("network"):
        network, height, snapper, across = _ground(data, region, keys, clip)
    year = keys.year if keys.year is not None else _year_of(keys.data_date or data.timestamp)
    with clock.stage("facilities"):
        facilities = Facilities.from_osm(data.features, standard, snapper, year=year, allow_empty=allow_empty)
        order, whole = tuple(standard.services), standard
        if not allow_empty:
            standard, facilities = _without_absent(standard, facilities)
        absent = {key: service for key, service in whole.services.items() if key not in standard.services}
    with clock.stage("cells"):
        if people is not None:
            cells = Cells.from_raster(people, data.features, snapper, data.extent)
        else:
            cells = Cells.from_fabric(data.features, snapper, data.extent)
    lanes = {}
    for name, profile in profiles.items():
        ticks = network.ticks(profile, height)
        lanes[name] = Lane(
            name, profile.unit, *ticks,
            homes=price(cells.joins, network, ticks, profile),
            doors=price(facilities.joins, network, ticks, profile, tags=facilities.join_tags),
            cutoff=int(cutoff[profile.unit] * TICKS),
        )  # fmt: skip
    return Prepared(
        study, region, standard, network, facilities, cells, lanes, profiles, height, snapper, data, year,
        people is None or people.whole, clock, absent, order, across,
    )  # fmt: skip


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


def _check_cutoffs(standard: Standard, profiles: dict[str, Profile], keys: StudyFile) -> None:
    """Refuse a cutoff below a threshold before anything is read: no verdict could be given."""
    for key, service in standard.services.items():
        unit = profiles[service.profile].unit
        cutoff = keys.cutoff_s if unit == "s" else keys.cutoff_m
        if service.threshold.value > cutoff:
            raise StandardError(
                f"the search would stop at {cutoff:g} {unit}, short of the threshold of {key}, "
                f"{service.threshold.value:g} {unit}; raise cutoff_{unit} (--cutoff-{unit})"
            )


def _year_of(date: str) -> int | None:
    return int(date[:4]) if re.match(r"[12][0-9]{3}", date) else None


def isochrone_of(
    study: Study, lon: float, lat: float, *, profile: str, limits: list[float], progress: Progress | None = None
) -> Isochrone:
    """Walk from one place on the streets of a study, whatever its standard says of services.

    Parameters
    ----------
    lon, lat : float, degrees
    profile : str
        By name or file; ``metres`` for the distance rule.
    limits : list of float, s or m

    Raises
    ------
    LifecircleError
        The data cannot be read, or no path lies near the place.
    """
    keys, clock = study.keys, _Clock(progress)
    walker = Profile.load(profile)
    region = Region.from_bbox((lon - 0.001, lat - 0.001, lon + 0.001, lat + 0.001), name=keys.name, crs=keys.crs)
    clip = region.clip_bounds(max(limits) * walker.top_speed + 2 * keys.snap_limit_m)
    with clock.stage("read"):
        data = osm.read_osm(keys.osm, clip)
    with clock.stage("network"):
        network, height, snapper, _ = _ground(data, region, keys, clip)
    with clock.stage("compile"):
        compile_kernels()
    with clock.stage("search"):
        return Isochrone.from_point(
            lon, lat, snapper=snapper, profile=walker, ticks=network.ticks(walker, height), limits=limits,
            water=water(data.features),
        )  # fmt: skip


def _ground(
    data: osm.OsmData, region: Region, keys: StudyFile, clip: tuple[float, float, float, float]
) -> tuple[Network, NDArray[np.float64] | None, Snapper, Barriers]:
    """Build what is walked on: the network, the height of its nodes, how places join it and what parts them."""
    network = Network.from_osm(data.ways, data.way_nodes, region, features=data.features, lines=data.lines)
    across = Barriers.of(data.ways, data.way_nodes, data.lines, data.features, region)
    height = _heights(keys.elevation, network, clip)
    return network, height, Snapper(network, limit_m=keys.snap_limit_m, barriers=across.shape), across


def _heights(
    path: Path | None, network: Network, clip: tuple[float, float, float, float]
) -> NDArray[np.float64] | None:
    """Elevation of every node, m; None where no raster is given."""
    if path is None:
        return None
    height = rasters.sample(rasters.read_elevation(path, shapely.box(*clip)), network.node_lon, network.node_lat)
    if np.isnan(height).all():
        raise DataError(f"the elevation raster {path} knows no height of any street; take one that covers the region")
    return smoothed(network, height)
