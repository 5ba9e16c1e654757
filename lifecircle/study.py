"""One run: a study file becomes stages, the stages a result, and the result a folder."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from lifecircle.assess.capacity import DecayName, Method
from lifecircle.assess.coverage import Figure
from lifecircle.audit.diff import Diff
from lifecircle.audit.diff import diff as between
from lifecircle.audit.verify import Verification
from lifecircle.audit.verify import verify as against_inputs
from lifecircle.errors import DataError
from lifecircle.listed import TableKeys
from lifecircle.model.barriers import water
from lifecircle.places import RegionPreset, SaidPlace
from lifecircle.prepared import Prepared, ground_of, prepare
from lifecircle.profiles import LARGEST_TOML, Gates, Profile, Status, check_keys, check_toml
from lifecircle.reach.isochrone import Isochrone
from lifecircle.reach.search import compile_kernels
from lifecircle.reading import read_text
from lifecircle.region import Region
from lifecircle.result import INPUTS, OF_DEMAND, Clock, Progress, Result
from lifecircle.sources import osm
from lifecircle.sources.tiles import Tiled

BASEMAP = (
    r"^(https://(\{s\}\.)?[A-Za-z0-9.-]+|http://(127\.0\.0\.1|localhost))(:[0-9]{1,5})?"
    r"/[A-Za-z0-9{}/._?=&@+-]*$"
)
"""What an address of map tiles looks like; ``{z}``, ``{x}`` and ``{y}`` must stand in it."""


class DemandKeys(BaseModel):
    """A group of people: a share of the residents, a raster of some of them, or people who are elsewhere than at home.

    ``raster`` is one raster of them, ``add`` several that are added up: bands of age, men and women. ``places`` is a
    raster of people (jobs, visitors) or a CSV table with the columns ``lon``, ``lat`` and ``people``. Each raster may
    be on a grid of its own, and may be a list of tiles that lie side by side. ``band`` says which of its bands is read.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    title: str = ""
    title_zh: str = ""
    source: str = Field(min_length=1)
    status: Status = "unverified"
    share: float | None = Field(None, gt=0, le=1)
    raster: Tiled | None = None
    add: Annotated[list[Tiled], Field(min_length=1)] | None = None
    places: Tiled | None = None
    band: int | None = Field(None, ge=1)

    @model_validator(mode="after")
    def _one_way(self) -> "DemandKeys":
        if [self.share, self.raster, self.add, self.places].count(None) != 3:  # noqa: PLR2004
            raise ValueError("say how many they are, in one way: share, raster, add or places")
        if self.add is not None and len(set(map(str, self.add))) < len(self.add):
            raise ValueError("a raster stands twice in add: its people would be counted twice")
        if self.band is not None and (self.share is not None or str(self.places).casefold().endswith(".csv")):
            raise ValueError("band says which band of a raster is read, and there is none")
        return self

    @property
    def rasters(self) -> list[Tiled]:
        """Rasters whose people are added up."""
        return self.add or ([] if self.raster is None else [self.raster])

    @property
    def how(self) -> str:
        """Which of the keys says how many they are."""
        return next(key for key in ("share", *OF_DEMAND) if getattr(self, key) is not None)


class StudyFile(BaseModel):
    """Keys of a study TOML; what is not given takes the default shown.

    Paths, those of a standard or profile file included, are relative to the file. ``population`` and ``elevation`` are
    one raster (a VRT may be one), or a list of the tiles it lies in. ``population_band`` says which of its bands is
    read.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    schema_version: Literal[1] = Field(1, alias="schema")
    name: str = Field("study", pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=100)
    title: str = ""
    title_zh: str = ""
    osm: Path
    population: Tiled | None = None
    population_band: int | None = Field(None, ge=1)
    elevation: Tiled | None = None
    boundary: Path | None = None
    bbox: tuple[float, float, float, float] | None = None
    place: SaidPlace | None = None
    hard_barrier: Path | None = None
    standard: str = "xminute-generic"
    services: list[str] | None = Field(None, min_length=1)
    profile: str | None = None
    gates: Gates | None = None
    choose: dict[str, float] = {}
    zone_class: str | None = None
    facilities: list[TableKeys] = []
    demand: dict[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")], DemandKeys] = {}
    groups: list[str] = ["senior", "wheelchair"]
    catchment: Method = "2sfca"
    decay: DecayName = "bounded_gaussian"
    built: Literal["new", "existing"] | None = None
    crs: str | None = None
    year: int | None = Field(None, ge=1500, le=2200)
    cutoff_s: float = Field(1800.0, gt=0, le=20_000)
    cutoff_m: float = Field(2000.0, gt=0, le=30_000)
    snap_limit_m: float = Field(500.0, gt=0, le=5_000)
    data_date: str = ""
    notice: str = ""
    notice_zh: str = ""
    attribution: list[str] = []
    basemap: Annotated[str, Field(pattern=BASEMAP, max_length=300)] | None = None
    basemap_credit: str = ""
    out: Path | None = None

    @field_validator("basemap")
    @classmethod
    def _tiled(cls, value: str | None) -> str | None:
        if value is not None and not all(part in value for part in ("{z}", "{x}", "{y}")):
            raise ValueError("an address of tiles names {z}, {x} and {y}: https://tiles.example.org/{z}/{x}/{y}.png")
        return value

    @model_validator(mode="after")
    def _band_of_a_raster(self) -> "StudyFile":
        if self.population_band is not None and self.population is None:
            raise ValueError("population_band says which band of the population raster is read, and there is none")
        return self

    @model_validator(mode="after")
    def _one_boundary(self) -> "StudyFile":
        if [self.boundary, self.bbox, self.place].count(None) != 2:  # noqa: PLR2004
            raise ValueError(
                "say where, in one way: boundary (a GeoJSON file), bbox (west,south,east,north) or place (a name or "
                "relation id in the extract)"
            )
        return self


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
        text = read_text(path, most=LARGEST_TOML, what="the study file")
        return cls._with_paths(check_toml(StudyFile, text, origin=str(path)), path.resolve().parent)

    @classmethod
    def from_region(cls, name: str, *, keys: dict[str, Any] | None = None) -> "Study":
        """Take a region by name.

        Parameters
        ----------
        keys : dict, optional
            What a region that carries no data of its own needs besides its name: ``osm``, and a boundary, box or place
            where the preset does not know how to find the region in an extract, or where another is wanted.

        Raises
        ------
        StandardError
            No region of that name.
        DataError
            The region carries no data of its own, or this installation does not hold it.
        """
        preset = RegionPreset.load(name)
        roots = (Path(__file__).resolve().parents[1] / "data", Path.cwd() / "data")
        if preset.study is None and keys and "osm" in keys:
            said = preset.study_keys(placed=not {"boundary", "bbox", "place"} & set(keys))
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
        changed = {key: _under(root, value) for key in (*INPUTS, "out") if (value := getattr(keys, key)) is not None}
        presets = {
            key: str(root / value)
            for key in ("standard", "profile")
            if (value := getattr(keys, key) or "").endswith(".toml")
        }
        groups = [str(root / name) if name.endswith(".toml") else name for name in keys.groups]
        demand = {
            name: layer.model_copy(
                update={key: _under(root, value) for key in OF_DEMAND if (value := getattr(layer, key)) is not None}
            )
            for name, layer in keys.demand.items()
        }
        listed = [one.model_copy(update={"table": root / one.table}) for one in keys.facilities]
        whole = {"demand": demand, "groups": groups, "facilities": listed}
        return cls(keys.model_copy(update=changed | presets | whole))

    def changed(self, **keys: Any) -> "Study":
        """Copy the study with other values for some keys; a None leaves the key as it is.

        A box, a boundary or a place takes the place of whichever was said.
        """
        said = {key: value for key, value in keys.items() if value is not None}
        if not said:
            return self
        before = self.keys.model_dump(by_alias=True)
        if {"bbox", "boundary", "place"} & set(said):
            before |= {"bbox": None, "boundary": None, "place": None}
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
        return prepare(self, Clock(progress), allow_empty=allow_empty)

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


def verify(
    folder: str | Path, *, inputs: str | Path | None = None, threads: int | None = None,
    progress: Progress | None = None,
) -> Verification:  # fmt: skip
    """Compute a results folder again from its inputs, in a folder of its own, and compare every file.

    Under the library versions of the run every byte is compared, under others what the files say.

    Parameters
    ----------
    folder : path
    inputs : path, optional
        Where the inputs are, if not where they were, beside the folder or in the working directory.

    Raises
    ------
    DataError
        The folder is none of lifecircle's, or an input is missing or has changed.
    """

    def run(keys: dict[str, Any], out: Path) -> object:
        return Study.from_keys(keys).run(threads=threads, progress=progress).write(out, progress=progress)

    return against_inputs(folder, run, known=INPUTS, inputs=inputs)


def _under(root: Path, paths: Any) -> Any:
    """Make paths absolute: one, or a list of them."""
    return [_under(root, path) for path in paths] if isinstance(paths, list) else root / paths


def diff(
    before: str | Path, after: str | Path, *, inputs: str | Path | None = None, tables_only: bool = False,
    threads: int | None = None, progress: Progress | None = None,
) -> Diff:  # fmt: skip
    """Say what changed between two results folders, and what it is owed to.

    Where more than one of network, facilities, population and parameters changed, and the inputs of both folders are to
    be had, figures are computed with one after the other exchanged; else what the tables say decides, cell by cell.

    Parameters
    ----------
    before, after : path
    inputs : path, optional
        Where the inputs are, if not where they were, beside the folders or in the working directory.
    tables_only : bool
        Go by the tables, whether or not the inputs are there.

    Raises
    ------
    DataError
        One of them is no results folder, or is damaged.
    """

    def exchange(keys: dict[str, Any], extracts: dict[str, str]) -> list[Figure]:
        study, clock = Study.from_keys(keys), Clock(progress)
        made = prepare(study, clock, extracts={part: Path(path) for part, path in extracts.items()})
        with clock.stage("search"):
            return made.coverage(threads=threads).figures()

    return between(before, after, None if tables_only else exchange, known=INPUTS, inputs=inputs)


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
    keys, clock = study.keys, Clock(progress)
    walker = Profile.load(profile)
    region = Region.from_bbox((lon - 0.001, lat - 0.001, lon + 0.001, lat + 0.001), name=keys.name, crs=keys.crs)
    clip = region.clip_bounds(max(limits) * walker.top_speed + 2 * keys.snap_limit_m)
    with clock.stage("read"):
        data = osm.read_osm(keys.osm, clip)
    with clock.stage("network"):
        network, height, snapper, _ = ground_of(data, region, keys, clip)
    with clock.stage("compile"):
        compile_kernels()
    with clock.stage("search"):
        return Isochrone.from_point(
            lon, lat, snapper=snapper, profile=walker, ticks=network.ticks(walker, height), limits=limits,
            water=water(data.features),
        )  # fmt: skip
