"""What a run comes to: verdicts in memory, and the folder they are written to."""

import hashlib
import platform
import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from html import escape
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lifecircle.assess.capacity import Capacity, capacity
from lifecircle.assess.clauses import Clauses
from lifecircle.assess.coverage import Coverage
from lifecircle.assess.demand import Balance, balance, of_layer
from lifecircle.assess.explain import Explanation
from lifecircle.assess.findings import Findings
from lifecircle.assess.gaps import Gaps
from lifecircle.assess.indicators import Indicators
from lifecircle.assess.policies import met_as
from lifecircle.assess.promises import Promises
from lifecircle.assess.severance import Crossing, crossings
from lifecircle.audit.selfcheck import SelfCheck
from lifecircle.errors import DataError, StandardError, did_you_mean
from lifecircle.profiles import Profile
from lifecircle.publish import files, pictures, report, scene, summary
from lifecircle.publish.about import About, Terms, headline
from lifecircle.publish.proof import self_check_part
from lifecircle.publish.results import Results, Summary
from lifecircle.sources import osm, tiles

if TYPE_CHECKING:
    from lifecircle.prepared import Prepared
    from lifecircle.study import Study, StudyFile

Progress = Callable[[str, int | None, int | None], None]
"""Called with a stage, how much of it is done and how much there is; both None where nobody can say."""


@dataclass(frozen=True, eq=False, repr=False)
class Result:
    """Verdicts of a run, in memory; `write` makes the results folder."""

    prepared: "Prepared"
    coverage: Coverage
    gaps: Gaps
    indicators: Indicators | None
    threads: int | None = None

    @property
    def study(self) -> "Study":
        """The study this is the result of."""
        return self.prepared.study

    @property
    def about(self) -> About:
        """Title, notice, attribution and date: what must stand beside any figure."""
        return self.prepared.about

    @cached_property
    def clauses(self) -> Clauses:
        """The standard clause by clause."""
        return Clauses.of(self.coverage, self.capacity)

    @cached_property
    def capacity(self) -> dict[str, Capacity]:
        """Norms that can be computed, by key."""
        if self.indicators is not None:
            return self.indicators.capacity
        layers = self.prepared.layers  # without the walks a norm is still told by place
        norms = self.coverage.standard.norms.items()
        found = {key: capacity(self.coverage, key, rule, layers.get(rule.per_1000), None) for key, rule in norms}
        return {key: one for key, one in found.items() if one is not None}

    @cached_property
    def groups(self) -> dict[str, NDArray[np.int8]]:
        """Verdicts as other walkers have them, (n_services, n_points) each; empty where no rule is a time."""
        timed = {walker.name: walker for walker in map(Profile.load, self.study.keys.groups) if walker.unit == "s"}
        return met_as(self.coverage, timed, self.prepared.elevation, threads=self.threads)

    @cached_property
    def demand(self) -> dict[str, Coverage]:
        """Coverage of the groups of people the study names, by layer."""
        layers = {key: layer for key, layer in self.prepared.layers.items() if key != "residents"}
        return {key: of_layer(self.coverage, layer, threads=self.threads) for key, layer in layers.items()}

    @cached_property
    def balance(self) -> list[Balance] | None:
        """Jobs and housing by place; None where the study names no workers at their places (``demand.workers``)."""
        workers = self.prepared.layers.get("workers")
        if workers is None or workers.kind != "places":
            return None
        walker, gates = Profile.load("adult"), self.study.keys.gates
        walker = walker if gates is None else walker.model_copy(update={"gates": gates})
        return balance(
            self.coverage, workers, self.prepared.snapper, walker, self.prepared.elevation,
            threads=self.threads,
        )  # fmt: skip

    @cached_property
    def crossings(self) -> list[Crossing]:
        """Services whose nearest facility lies across an expressway or a railway."""
        return crossings(self.coverage, self.prepared.barriers)

    @cached_property
    def promises(self) -> Promises:
        """The plan's promises, by place and year."""
        standard, prepared = self.coverage.standard, self.prepared
        years = {*standard.years, *(p.year for p in standard.promises.values() if p.year is not None)}
        coverages = {self.coverage.year: self.coverage}
        coverages |= {
            year: prepared.coverage_in(year, threads=self.threads)
            for year in sorted(years)
            if standard.promises and year != self.coverage.year
        }
        wheelchair = None
        if any(promise.asks == "barrier_free" for promise in standard.promises.values()):
            rolls, walks = Profile.load("wheelchair"), Profile.load("adult")
            ticks, height = prepared.network.ticks, prepared.elevation
            wheelchair = (rolls, ticks(rolls, height), ticks(walks.model_copy(update={"gates": rolls.gates}), height))
        return Promises.of(coverages, prepared.layers, self.balance, wheelchair)

    @cached_property
    def findings(self) -> Findings:
        """All of it together."""
        return Findings(
            self.coverage, self.gaps, self.clauses, self.indicators, self.prepared.layers, self.demand, self.groups,
            self.balance, self.crossings, self.promises, self.capacity,
        )  # fmt: skip

    @cached_property
    def summary(self) -> dict[str, Any]:
        """Every headline figure with numerator and denominator (``summary.json``)."""
        return summary.summary(self.findings, self.about) | {"self_check": self.self_check.rows}

    @cached_property
    def self_check(self) -> SelfCheck:
        """What the run was held to: walks walked again by another search, and sums.

        Raises
        ------
        CheckError
            Something does not hold.
        """
        told = "".join(f"{key}:{digest}\n" for key, (digest, _) in sorted(self.prepared.digests.items()))
        seed = hashlib.sha256(told.encode()).hexdigest()
        return SelfCheck.of_run(self.coverage, self.gaps, seed, threads=self.threads)

    def page(self, name: str) -> str:
        """HTML text of one page: ``coverage``, ``gaps`` or ``index``."""
        prepared = self.prepared
        if name == "index":
            checked = self_check_part(self.self_check.rows)
            return report.index_page(self.findings, self.about, prepared.water, self_check=checked)
        if name == "coverage":
            return scene.coverage_page(self.coverage, self.gaps, self.about, prepared.water, prepared.further_lanes())
        if name == "gaps":
            return scene.gaps_page(self.coverage, self.gaps, self.about, prepared.water)
        raise StandardError(f"there is no page {name!r}; {did_you_mean(name, ['coverage', 'gaps', 'index'])}")

    def explain(self, cell_id: str) -> Explanation:
        """Say why a cell has its verdicts.

        Raises
        ------
        DataError
            There is no cell of that id.
        """
        return Explanation.of(self.coverage, self.indicators, cell_id)

    def map(self, layer: str = "coverage") -> report.Page:
        """Map page to look at in a notebook."""
        return report.Page(self.page(layer))

    def picture(self, layer: str = "unmet", *, lang: str = "en") -> pictures.Picture:
        """Draw a layer with its legend as a PNG to look at in a notebook; `lifecircle map DIR --list` names layers."""
        region = self.prepared.region
        tables: dict[str, Callable[[], Any]] = {
            "cells": self.coverage.to_geodataframe,
            "gaps": self.gaps.to_geodataframe,
            "facilities": self.coverage.facilities.to_geodataframe,
            "network": self.coverage.network.to_geodataframe,
            "zones": lambda: region.to_geodataframe().to_crs(region.crs),
        }
        read = Results(
            "this run",
            Summary.model_validate(self.summary),
            lambda: Terms.of(self.coverage, self.about),
            lambda name: tables[name](),
            lambda: np.array(self.prepared.water, dtype=object),
        )
        return pictures.Picture(pictures.picture(read, layer, lang=lang))

    def write(self, out: str | Path | None = None, *, progress: Progress | None = None) -> Path:
        """Write the results folder, whole or not at all.

        Raises
        ------
        CheckError
            The self-check does not hold.
        DataError
            An input has changed since it was read.
        SourceError
            The folder cannot be written; what was there is unchanged.
        """
        target = Path(out) if out is not None else self.study.out
        clock = self.prepared.clock.reporting(progress)
        with files.whole_folder(target) as folder:
            with clock.stage("proof"):
                _ = self.self_check
            with clock.stage("promises"):
                found = self.findings
            with clock.stage("tables"):
                files.write_tables(folder, found, self.about)
            with clock.stage("pages"):
                for name in ("coverage", "gaps", "index"):
                    (folder / f"{name}.html").write_text(self.page(name), encoding="utf-8", newline="\n")
            files.write_json(folder / "check.json", self.prepared.check.findings)
            files.write_json(folder / "summary.json", self.summary)
            files.write_json(folder / "manifest.json", self._manifest(clock))
        return target

    def _manifest(self, clock: "Clock") -> dict[str, Any]:
        keys, prepared = self.study.keys, self.prepared
        files_of_demand = {name: set(OF_DEMAND) for name in keys.demand}
        left_out = {*INPUTS, "out", "demand", "facilities"}
        parameters = keys.model_dump(mode="json", by_alias=True, exclude=left_out)
        parameters |= keys.model_dump(mode="json", include={"demand"}, exclude={"demand": files_of_demand})
        parameters |= {"facilities": [one.model_dump(mode="json", exclude={"table"}) for one in keys.facilities]}
        return {
            "schema": files.SCHEMA,
            "inputs": {key: self._told(key, path) for key, path in inputs_of(keys).items()},
            "rules": {key: self._told(key, path) for key, path in rules_of(keys).items()},
            "osm_timestamp": prepared.data.timestamp or None,
            "parameters": parameters | {"year": prepared.year, "crs": prepared.region.crs.to_string()},
            "as_asked": {
                "year": keys.year,
                "crs": keys.crs,
                "demand": {k: d.how for k, d in keys.demand.items() if d.share is None},
            },
            "standard": prepared.standard.model_dump(mode="json", by_alias=True),
            "profiles": {name: p.model_dump(mode="json", by_alias=True) for name, p in prepared.profiles.items()},
            "versions": {"python": platform.python_version()} | {name: metadata.version(name) for name in _VERSIONED},
            "self_check": self.self_check.rows,
            "counts": {"osm": prepared.data.counts, "tables": list(self.about.tables)}
            | summary.counts(self.coverage, prepared.elevation),
            "from_cache": list(prepared.from_cache),
            "timings_s": {stage: round(seconds, 3) for stage, seconds in clock.seconds.items()},
            "finished": datetime.now(UTC).isoformat(timespec="seconds"),
            "command": [Path(sys.argv[0]).name, *sys.argv[1:]],
        }

    def _told(self, key: str, path: Path) -> dict[str, Any]:
        """Say which file an input was, and which others it is made of; one that has changed would make it a lie."""
        then, now = self.prepared.digests, digests_of({key: path})
        parts = sorted(name for name in then if name.startswith(f"{key}:"))
        for name in (key, *parts):
            if now.get(name) != then[name]:
                raise DataError(f"{path.parent / name.partition(':')[2] if name != key else path} has changed since it "
                                "was read; run again")  # fmt: skip
        told = [
            {"file": name.partition(":")[2], "sha256": then[name][0], "bytes": then[name][1]} for name in parts
        ]  # fmt: skip
        one = {"file": path.name, "sha256": then[key][0], "bytes": then[key][1], "path": str(path)}
        return one | ({"parts": told} if told else {})

    def __repr__(self) -> str:
        return f"<Result {self.study.keys.name}: {headline(self.coverage)[0].english}>"

    def _repr_html_(self) -> str:
        notice = f"<p><b>{escape(self.about.notice)}</b></p>" if self.about.notice else ""
        return notice + self.coverage._repr_html_() + self.gaps._repr_html_()


def inputs_of(keys: "StudyFile") -> dict[str, Path]:
    """Every file a study names, by the key that names it; one of a list has its number behind the key."""
    found: dict[str, Path] = {}
    for key in INPUTS:
        found |= _numbered(key, getattr(keys, key))
    found |= _numbered("facilities", [one.table for one in keys.facilities])
    for name, layer in keys.demand.items():
        found |= _numbered(f"demand.{name}", layer.raster or layer.add or layer.places)
    return found


def _numbered(key: str, paths: Any) -> dict[str, Path]:
    if isinstance(paths, list):
        return {k: path for ix, one in enumerate(paths) for k, path in _numbered(f"{key}.{ix}", one).items()}
    return {} if paths is None else {key: paths}


def rules_of(keys: "StudyFile") -> dict[str, Path]:
    """Every standard and profile a study names by file, by the key that names it."""
    named = {"standard": keys.standard, "profile": keys.profile or ""}
    named |= {f"groups.{ix}": name for ix, name in enumerate(keys.groups)}
    return {key: Path(name) for key, name in named.items() if name.endswith(".toml")}


def digests_of(paths: dict[str, Path]) -> dict[str, tuple[str, int]]:
    """SHA-256 and size in bytes of the files that are there; their readers tell best what is wrong with others.

    What a raster is made of besides the file that is named (the tiles of a VRT) stands behind its key and a colon.
    """
    found = {}
    for key, path in paths.items():
        with suppress(OSError):
            if path.is_file():
                found[key] = (osm.digest(path), path.stat().st_size)
                parts = tiles.parts_of(path) if _RASTER.match(key) and path.suffix.casefold() != ".csv" else []
                for part in parts:
                    found[f"{key}:{part.relative_to(path.parent).as_posix()}"] = osm.digest(part), part.stat().st_size
    return found


INPUTS = ("osm", "population", "elevation", "boundary", "hard_barrier")
OF_DEMAND = ("raster", "add", "places")
"""Keys of a demand layer that name files."""
_RASTER = re.compile(r"population|elevation|demand\.")
_VERSIONED = (
    *("lifecircle", "numpy", "numba", "pandas", "geopandas", "shapely", "pyproj", "pyogrio", "rasterio", "osmium"),
    *("folium", "pyarrow", "scipy", "XStatic-Leaflet"),
)


@dataclass
class Clock:
    """Times the stages and tells whoever listens."""

    progress: Progress | None = None
    seconds: dict[str, float] = field(default_factory=dict)

    def reporting(self, progress: Progress | None) -> "Clock":
        """Tell another listener, and go on timing."""
        return Clock(progress or self.progress, self.seconds)

    @contextmanager
    def stage(self, name: str) -> Iterator[Callable[[int | None, int | None], None]]:
        """Time a stage; what it yields tells the listener how far it is."""

        def tell(done: int | None = None, total: int | None = None) -> None:
            if self.progress is not None:
                self.progress(name, done, total)

        tell()
        start = time.perf_counter()
        yield tell
        self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - start
