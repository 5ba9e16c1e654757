"""What is read, by format: valid files to start from, how they are spoilt, and the reader that must bear it.

One more format is one more row of `READERS`.
"""

import bz2
import ctypes
import gzip
import io
import json
import random
import shutil
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import drawn
import geopandas as gpd
import mutate
import osmium
import pandas as pd
import rasterio
import town

from lifecircle.audit.contents import compare
from lifecircle.audit.verify import Claim
from lifecircle.errors import LifecircleError, plain_text
from lifecircle.places import Area, Place
from lifecircle.profiles import Profile
from lifecircle.region import Region
from lifecircle.result import INPUTS
from lifecircle.sources import boundaries, live, overpass
from lifecircle.sources.osm import read_osm
from lifecircle.sources.rasters import read_elevation, read_population
from lifecircle.sources.tables import read_facilities, read_places
from lifecircle.standards import Standard
from lifecircle.study import Study, diff

BOX = (*drawn.lonlat(-500, -500), *drawn.lonlat(2500, 1500))
PRESETS = Path(town.__file__).resolve().parents[2] / "lifecircle" / "presets"

Seeds = list[tuple[str, bytes]]
Spoiler = Callable[[random.Random, bytes], bytes]


@dataclass(frozen=True)
class Format:
    """One input.

    Attributes
    ----------
    seeds : callable
        Folder of valid files -> (name, content) of those to spoil.
    spoilers : tuple of callables
        Ways of spoiling one, each as likely.
    read : callable
        What must bear it: path of the spoilt file, and the folder of valid ones.
    foreseen : tuple of exceptions
        What it may raise: a LifecircleError, or what its only caller turns into one.
    weight : int
        How many cases, in hundredths of those asked of every format: slow ones take fewer.
    """

    seeds: Callable[[Path], Seeds]
    spoilers: tuple[Spoiler, ...]
    read: Callable[[Path, Path], object]
    foreseen: tuple[type[Exception], ...] = (LifecircleError,)
    weight: int = 100


def files(*names: str) -> Callable[[Path], Seeds]:
    return lambda home: [(name, (home / name).read_bytes()) for name in names]


def presets(folder: str) -> Callable[[Path], Seeds]:
    return lambda _: [(path.name, path.read_bytes()) for path in sorted((PRESETS / folder).glob("*.toml"))]


# ----------------------------------------------------------------------------------------------------- valid files


def draw(home: Path) -> None:
    """Write one small valid file of every format."""
    town.draw(home)
    for suffix in ("osm", "osm.gz", "osm.bz2", "osm.pbf"):
        counties().write(home / f"counties.{suffix}")
    (home / "people.csv").write_text("lon,lat,people\n9.001,45.001,12\n9.002,45.002,0.5\n9.003,45.001,0\n")
    (home / "answer.json").write_text(json.dumps(ANSWER))
    (home / "walker.toml").write_bytes((PRESETS / "profiles" / "wheelchair.toml").read_bytes())
    drawn.raster(home / "heights.tif", [[3.0, 4.0], [5.0, 6.0]], left=-2000, top=2500, size=4000)
    with zipfile.ZipFile(home / "N45E009.hgt.zip", "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("N45E009.hgt", b"\0\7" * 1201 * 1201)
    (home / "full.toml").write_text(FULL, encoding="utf-8")
    listed = pd.DataFrame(
        {
            "名称": ["诊所", "School"],
            "经度": [9.001, 9.002],
            "纬度": [45.001, 45.0],
            "床位": ["12张", ""],
            "amenity": "clinic",
        }
    )
    (home / "listed.csv").write_bytes(listed.to_csv(index=False).encode("gb18030"))
    (home / "listed.tsv").write_bytes(listed.to_csv(index=False, sep="\t").encode("utf-16"))
    listed.to_excel(home / "listed.xlsx", index=False)
    points = gpd.GeoDataFrame(listed, geometry=gpd.points_from_xy(listed["经度"], listed["纬度"]), crs=4326)
    points.to_file(home / "listed.geojson")
    points.to_file(home / "listed.gpkg")
    with rasterio.open(home / "heights.tif") as heights:
        grid = ", ".join(map(str, heights.transform.to_gdal()))
    (home / "tiles.vrt").write_text(TILES.format(grid=grid), encoding="utf-8")


TILES = """<VRTDataset rasterXSize="2" rasterYSize="2"><GeoTransform>{grid}</GeoTransform><VRTRasterBand dataType="Float32" band="1"><SimpleSource>
<SourceFilename relativeToVRT="1">heights.tif</SourceFilename><SourceBand>1</SourceBand>
<SrcRect xOff="0" yOff="0" xSize="2" ySize="2"/><DstRect xOff="0" yOff="0" xSize="2" ySize="2"/>
</SimpleSource></VRTRasterBand></VRTDataset>"""


def counties() -> drawn.Drawing:
    """Draw two areas to find by name, streets, a stream and a house with a hole."""
    sketch = drawn.Drawing()
    sketch.way((0, 0), (400, 0), (800, 0), highway="residential", name="Main Street")
    sketch.way((400, -300), (400, 0), (400, 300), highway="footway", access="private")
    sketch.way((0, 100), (800, 120), waterway="stream")
    sketch.area(100, 20, 160, 60, building="apartments", building__levels="4")
    sketch.area(120, 30, 140, 50)
    sketch.multipolygon([4], [5], building="yes")
    for number, x in enumerate((-200, 400)):
        sketch.area(x, -400, x + 600, 400)
        tags = {"boundary": "administrative", "admin_level": "8", "name": f"Town {number}"}
        sketch.relations.append(([("w", 6 + number, "outer")], tags | {"type": "boundary"}))
    sketch.area(-200, -400, 1000, 400, boundary="administrative", admin_level="6", name="County")
    sketch.poi(300, 10, amenity="clinic", name="诊所")
    return sketch


ANSWER = {
    "version": 0.6,
    "osm3s": {"timestamp_osm_base": "2024-06-01T00:00:00Z"},
    "elements": [
        {"type": "node", "id": 1, "lat": 45.0, "lon": 9.0},
        {"type": "node", "id": 2, "lat": 45.001, "lon": 9.001, "tags": {"amenity": "clinic", "name": "诊所"}},
        {"type": "node", "id": 3, "lat": 45, "lon": 9.002},
        {"type": "way", "id": 1, "nodes": [1, 2, 3, 1], "tags": {"highway": "residential"}},
        {
            "type": "relation", "id": 1, "tags": {"type": "multipolygon", "natural": "water"},
            "members": [{"type": "way", "ref": 1, "role": "outer"}],
        },
    ],
}  # fmt: skip

FULL = """\
schema = 1
name = "town"
title = "金镇"
osm = "town.osm.pbf"
population = "people.tif"
elevation = "heights.tif"
boundary = "boundary.geojson"
hard_barrier = "boundary.geojson"
standard = "golden.toml"
services = ["clinic", "park"]
profile = "walker.toml"
gates = "residents"
groups = ["senior"]
year = 2024
crs = "+proj=aeqd +lat_0=45 +lon_0=9 +datum=WGS84 +units=m +type=crs"
cutoff_s = 1200.5
cutoff_m = 1500
snap_limit_m = 250
data_date = "2024-06-01"
attribution = ["somebody"]
out = "out"
[demand.workers]
places = "people.csv"
source = "made up"
[demand.old]
share = 0.2
source = "made up"
"""


@cache
def results(home: Path) -> Path:
    """Make a results folder, computed once."""
    if not (home / "results").exists():
        Study.from_toml(home / "study.toml").run(threads=1).write(home / "results")
    return home / "results"


def result_files(home: Path) -> Seeds:
    return [(path.name, path.read_bytes()) for path in sorted(results(home).iterdir())]


def result_json(home: Path) -> Seeds:
    return [(name, (results(home) / name).read_bytes()) for name in ("manifest.json", "summary.json")]


# --------------------------------------------------------------------------------------------------------- spoilers


def packed_xml(rng: random.Random, data: bytes) -> bytes:
    """Change what a .gz or .bz2 holds, and pack it again."""
    ours = gzip if data[:2] == b"\x1f\x8b" else bz2
    return ours.compress(mutate.spoil_xml(rng, ours.decompress(data)))


def zipped(rng: random.Random, data: bytes) -> bytes:
    """Change name or size of what a .zip holds."""
    with zipfile.ZipFile(io.BytesIO(data)) as said:
        (name,) = said.namelist()
        inner = said.read(name)
    inner = rng.choice((inner[:-1], inner + b"\0", b"", inner[: len(inner) // 2], inner * 2, inner))
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", rng.choice((zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED, zipfile.ZIP_BZIP2))) as out:
        for _ in range(rng.choice((0, 1, 1, 1, 2))):
            new = rng.choice(
                (name, name, "../" + name, "/etc/" + name, name.lower(), "N45E009.tif", "x/" + name, "N99E999.hgt")
            )
            if new not in out.namelist():
                out.writestr(new, inner)
    return made.getvalue()


def cut(rng: random.Random, data: bytes) -> bytes:
    return data[: rng.randrange(len(data))]


def spoil_result(rng: random.Random, data: bytes) -> bytes:
    if data[:1] == b"{":
        return mutate.spoil_json(rng, data)
    return mutate.spoil_tiff(rng, data) if data[:4] == b"II*\0" else mutate.spoil_bytes(rng, data)


# ---------------------------------------------------------------------------------------------------------- readers


def read_answer(path: Path, home: Path) -> None:
    """Read what a server said, pile it up, and write and read the extract made of it."""
    answer, _ = overpass.read_answer(path.read_bytes())
    pile = live._Pile()
    pile.add(answer)
    made = path.with_name("fetched.osm.pbf")
    pile.write(made, osmium.io.Header())
    read_osm(made, BOX)


def read_study(path: Path, home: Path) -> None:
    """Read a study and prepare it, beside the files it names."""
    study = home / "studied.toml"
    shutil.copyfile(path, study)
    Study.from_toml(study).prepare(allow_empty=True)


def read_barriers(path: Path, home: Path) -> None:
    Region.from_bbox((9, 45, 9.01, 45.01), name="box").with_hard_barriers(path)


def read_place(path: Path, home: Path) -> None:
    boundaries.read_region(path, Place(boundary=[Area(name="County")], zones_level=8), name="county")


def read_results(path: Path, home: Path) -> None:
    """Claim, keys, comparison and difference of results with one file spoilt."""
    right = results(home)
    folder = path.with_name("spoilt")
    folder.mkdir()
    for file in right.iterdir():
        (folder / file.name).hardlink_to(path if file.name == path.name else file)
    told, _ = compare(path, right / path.name, strict=True)
    for difference in told:
        plain_text(str(difference)).encode()
    for before, after in ((right, folder), (folder, right)):
        diff(before, after, tables_only=True).to_dict()


def read_claim(path: Path, home: Path) -> None:
    folder = path.with_name("claimed")
    folder.mkdir()
    (folder / "manifest.json").hardlink_to(path)
    claim = Claim.read(folder)
    Study.from_keys(claim.keys(inputs=home, known=INPUTS))


def walk(path: Path, home: Path) -> None:
    """Run a whole study on a spoilt map, pages and tables included."""
    keys = Study.from_toml(home / "study.toml").keys.model_dump(by_alias=True)
    Study.from_keys(keys | {"osm": path}).run(threads=1).write(path.with_name("written"))


def in_box(path: Path, home: Path) -> None:
    read_osm(path, BOX)


def boundary(home: Path):
    return Region.from_geojson(home / "boundary.geojson").boundary


def listed(path: Path, _: Path) -> object:
    return read_facilities(path)


def encoded_table(rng: random.Random, data: bytes) -> bytes:
    """Spoil a table in the encoding it is in."""
    encoding = "utf-16" if data[:2] == b"\xff\xfe" else "gb18030"
    plain = data.decode(encoding).replace("\t", ",").encode()
    return mutate.spoil_table(rng, plain).decode(errors="replace").encode(encoding, errors="replace")


def packed_sheet(rng: random.Random, data: bytes) -> bytes:
    """Spoil the XML of one part of a workbook."""
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as whole, zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as packed:
        names = whole.namelist()
        chosen = rng.choice([name for name in names if "sheet" in name or "shared" in name] or names)
        for name in names:
            part = whole.read(name)
            packed.writestr(name, mutate.spoil_xml(rng, part) if name == chosen else part)
    return made.getvalue()


def beside(path: Path, home: Path) -> object:
    """Read a VRT beside the file it names."""
    here = path.parent / "heights.tif"
    if not here.exists():
        shutil.copy(home / "heights.tif", here)
    return read_elevation(path, boundary(home))


READERS = {
    "pbf": Format(files("town.osm.pbf", "counties.osm.pbf"), (mutate.spoil_pbf, mutate.spoil_pbf, mutate.spoil_bytes), in_box),
    "xml": Format(files("counties.osm"), (mutate.spoil_xml, mutate.spoil_xml, mutate.spoil_bytes), in_box),
    "packed xml": Format(files("counties.osm.gz", "counties.osm.bz2"), (packed_xml, mutate.spoil_bytes, cut), in_box, weight=50),
    "place": Format(files("counties.osm.pbf"), (mutate.spoil_pbf, mutate.spoil_bytes), read_place, weight=50),
    "geojson": Format(files("boundary.geojson"), (mutate.spoil_json, mutate.spoil_bytes),
                      lambda path, _: Region.from_geojson(path), weight=150),
    "barriers": Format(files("boundary.geojson"), (mutate.spoil_json, mutate.spoil_bytes), read_barriers, weight=50),
    "population": Format(files("people.tif"), (mutate.spoil_tiff, mutate.spoil_tiff, mutate.spoil_bytes),
                         lambda path, home: read_population(path, boundary(home)), weight=50),
    "elevation": Format(files("heights.tif"), (mutate.spoil_tiff, mutate.spoil_bytes),
                        lambda path, home: read_elevation(path, boundary(home)), weight=50),
    "zipped heights": Format(files("N45E009.hgt.zip"), (zipped, mutate.spoil_bytes, cut),
                             lambda path, home: read_elevation(path, boundary(home)), weight=5),
    "people": Format(files("people.csv"), (mutate.spoil_table, mutate.spoil_table, mutate.spoil_bytes),
                     lambda path, _: read_places(path)),
    "list of facilities": Format(files("listed.csv", "listed.tsv"), (encoded_table, encoded_table, mutate.spoil_bytes), listed),
    "workbook": Format(files("listed.xlsx"), (packed_sheet, packed_sheet, mutate.spoil_bytes, cut), listed, weight=50),
    "points": Format(files("listed.geojson"), (mutate.spoil_json, mutate.spoil_bytes), listed, weight=50),
    "geopackage": Format(files("listed.gpkg"), (mutate.spoil_bytes, cut), listed, weight=25),
    "vrt": Format(files("tiles.vrt"), (mutate.spoil_xml, mutate.spoil_bytes), beside, weight=50),
    "study": Format(files("study.toml", "full.toml"), (mutate.spoil_toml, mutate.spoil_toml, mutate.spoil_bytes),
                    lambda path, _: Study.from_toml(path), weight=150),
    "standard": Format(presets("standards"), (mutate.spoil_toml, mutate.spoil_toml, mutate.spoil_bytes),
                       lambda path, _: Standard.load(path), weight=50),
    "profile": Format(presets("profiles"), (mutate.spoil_toml, mutate.spoil_toml, mutate.spoil_bytes),
                      lambda path, _: Profile.load(path), weight=130),
    "answer": Format(files("answer.json"), (mutate.spoil_json, mutate.spoil_json, mutate.spoil_bytes), read_answer,
                     (LifecircleError, overpass._AgainError, overpass.TooHeavyError)),
    "claim": Format(lambda home: result_json(home)[:1], (mutate.spoil_json, mutate.spoil_bytes), read_claim, weight=50),
    "results": Format(lambda home: result_json(home) * 5 + result_files(home), (spoil_result, spoil_result, mutate.spoil_bytes), read_results, weight=15),
    "prepared": Format(files("full.toml"), (mutate.spoil_toml,), read_study, weight=15),
    "walked": Format(files("town.osm.pbf"), (mutate.spoil_pbf,), walk, weight=5),
}  # fmt: skip


# -------------------------------------------------------------------------------------------------- bugs on purpose


def crash(path: Path, home: Path) -> None:
    """Forget that a table may lack a column."""
    _ = path.read_text(encoding="utf-8", errors="replace").partition("\n")[0].split(",").index("people")


def fall(path: Path, home: Path) -> None:
    """Read where there is no memory, as a native library might on a file without a comma in its head."""
    if b"lon,lat" not in path.read_bytes():
        ctypes.string_at(0)


def hang(path: Path, home: Path) -> None:
    while b"lon,lat" not in path.read_bytes():
        pass


def swell(path: Path, home: Path) -> None:
    if b"lon,lat" not in path.read_bytes():
        bytearray(b"x" * (1 << 30))


def babble(path: Path, home: Path) -> None:
    said = Exception.__str__  # as if errors said what arrived, whatever that is
    error = type("Odd", (LifecircleError,), {"__str__": said})
    raise error(path.read_text(encoding="utf-8", errors="replace"))


PLANTED = {
    reader.__name__: Format(files("people.csv"), (mutate.spoil_table, mutate.spoil_bytes), reader)
    for reader in (crash, fall, hang, swell, babble)
}
"""Readers that are broken, each in its own way, to see that it is found."""


def case(format_name: str, number: int, home: Path) -> tuple[str, bytes]:
    """Name and content of one spoilt file; the same for the same number."""
    form = (READERS | PLANTED)[format_name]
    rng = random.Random(f"{format_name} {number}")
    name, data = rng.choice(form.seeds(home))
    return name, rng.choice(form.spoilers)(rng, data)
