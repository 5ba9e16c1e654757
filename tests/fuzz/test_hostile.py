"""Files made to do harm: bombs, loops, ways out of the folder, names that terminals and pages obey. And what fuzzing found."""

import bz2
import gzip
import json
import os
import shutil
import struct
import warnings
import zipfile

import formats
import mutate
import numpy as np
import pyarrow as pa
import pytest
import rasterio
import shapely
import town
from hostile import big, put, refused, soon

from lifecircle.errors import CrsError, DataError, LifecircleError, StandardError
from lifecircle.places import Area, Place
from lifecircle.profiles import Profile
from lifecircle.reading import check_packed_xml, check_pbf, has_nested_repeats, read_json, read_text, unzipped
from lifecircle.region import Region
from lifecircle.sources import boundaries
from lifecircle.sources.osm import read_osm
from lifecircle.sources.rasters import read_elevation, read_population
from lifecircle.sources.tables import read_places
from lifecircle.standards import Standard
from lifecircle.study import Study

HERE = shapely.box(9.0, 45.0, 9.01, 45.01)
LOCKED = "root:x:0:0:hunter2:/root:/bin/sh\n"


@pytest.fixture(scope="module")
def valid(tmp_path_factory):
    folder = tmp_path_factory.mktemp("valid")
    formats.draw(folder)
    return folder


@pytest.fixture
def here(valid, tmp_path, monkeypatch):
    """Valid files, in a folder below one that holds a secret."""
    (tmp_path / "passwd").write_text(LOCKED)
    shutil.copytree(valid, tmp_path / "inner")
    monkeypatch.chdir(tmp_path / "inner")
    return tmp_path / "inner"


# -------------------------------------------------------------------------------------------------------------- OSM

NODE = '<node id="1" lat="45" lon="9"><tag k="name" v="%s"/></node>'


@pytest.mark.parametrize(
    "doctype",
    [
        '<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY x "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;">',
        '<!ENTITY x SYSTEM "file:///etc/passwd">',
        '<!ENTITY x SYSTEM "passwd">',
        '<!ENTITY % x SYSTEM "http://127.0.0.1:9/x.dtd"> %x;',
    ],
)
def test_entities_of_xml_are_neither_unfolded_nor_fetched(here, doctype):
    made = put(
        here / "a.osm", f'<?xml version="1.0"?><!DOCTYPE osm [{doctype}]><osm version="0.6">{NODE % "&x;"}</osm>'
    )
    refused(DataError, ["a.osm", "cannot be read as OSM"], read_osm, made, formats.BOX)


def test_a_doctype_elsewhere_is_not_fetched(here):
    (here / "x.dtd").write_text('<!ENTITY x "unfolded">')
    made = put(here / "a.osm", f'<!DOCTYPE osm SYSTEM "x.dtd"><osm version="0.6">{NODE % "&x;"}</osm>')
    refused(DataError, ["a.osm"], read_osm, made, formats.BOX)


MEGABYTE = b" " * (1 << 20)


@pytest.mark.parametrize(("name", "pack"), [("a.osm.gz", gzip.compress), ("a.osm.bz2", bz2.compress)])
def test_a_map_that_unfolds_into_a_flood(here, name, pack):
    head = pack(b'<?xml version="1.0"?><osm version="0.6">')
    made = put(here / name, head + pack(MEGABYTE) * 2000)
    refused(DataError, [name, "unfolds into more than", "another extract"], read_osm, made, formats.BOX)
    refused(DataError, ["unfolds"], boundaries.read_region, made, Place(boundary=[Area(name="County")]), name="x")
    put(here / name, pack(b"\0" * 1000))
    refused(DataError, ["cannot be read as OSM"], read_osm, here / name, formats.BOX)


@pytest.mark.parametrize("name", ["counties.osm.gz", "counties.osm.bz2", "town.osm.pbf", "counties.osm.pbf"])
def test_maps_that_are_none_of_that_pass(here, name):
    (check_pbf if name.endswith("pbf") else check_packed_xml)(here / name)
    assert len(read_osm(here / name, formats.BOX).ways) > 1


@pytest.mark.parametrize("name", ["counties.osm.gz", "counties.osm.bz2"])
def test_a_packed_map_that_is_cut_short(here, name):
    put(here / name, (here / name).read_bytes()[:-20])
    refused(DataError, [name, "cut short"], read_osm, here / name, formats.BOX)


def town_blocks(here):
    return mutate.blobs((here / "town.osm.pbf").read_bytes())


EMPTY_WAYS = mutate.message([[1, 2, b"\x0a\0"], [2, 2, b"\x1a\0" * (1 << 20)]])


def test_a_pbf_that_unfolds_into_a_flood(here):
    made = put(here / "a.osm.pbf", mutate.pbf([town_blocks(here)[0], *[(b"OSMData", EMPTY_WAYS)] * 100]))
    assert made.stat().st_size < 1 << 20
    refused(DataError, ["a.osm.pbf", "unfolds"], read_osm, made, formats.BOX)


@pytest.mark.parametrize("size", [33 << 20, 2**31 - 1, 2**32, 2**63, 2**64 - 1])
def test_a_pbf_block_of_a_size_no_block_has(here, size):
    parts = town_blocks(here)
    put(here / "town.osm.pbf", mutate.pbf(parts, sizes={1: size}))
    refused(DataError, ["town.osm.pbf"], read_osm, here / "town.osm.pbf", formats.BOX)
    head = mutate.message([[1, 2, b"OSMHeader"], [3, 0, size]])
    put(here / "town.osm.pbf", struct.pack(">I", len(head)) + head + b"x" * 99)
    refused(DataError, ["town.osm.pbf"], read_osm, here / "town.osm.pbf", formats.BOX)
    put(here / "town.osm.pbf", struct.pack(">I", size % 2**32) + head)
    refused(DataError, ["town.osm.pbf"], read_osm, here / "town.osm.pbf", formats.BOX)


@pytest.mark.parametrize("text", [b"hi\0hway", b"\0", b"yes\0"])
def test_a_nul_in_a_text_of_a_pbf_does_not_reach_libosmium(here, text):
    # libosmium counts the texts of a list by their NULs: with one more it reads on behind the list, and falls.
    kind, block = town_blocks(here)[-1]
    table, *more = mutate.fields(block)
    strings = [[1, 2, b""], [1, 2, text], *mutate.fields(table[2])[2:]]
    for packed in (True, False):
        spoilt = mutate.message([[1, 2, mutate.message(strings)], *more])
        made = put(here / "a.osm.pbf", mutate.pbf([*town_blocks(here)[:-1], (kind, spoilt)], packed=packed))
        refused(DataError, ["a.osm.pbf", "NUL"], read_osm, made, formats.BOX)
        refused(DataError, ["NUL"], boundaries.read_region, made, Place(boundary=[Area(name="x")]), name="x")


def test_a_nul_in_a_block_packed_otherwise(here):
    kind, block = town_blocks(here)[-1]
    raw = block.replace(b"highway", b"hi\0hway")
    swift = pa.compress(raw, codec="lz4_raw", asbytes=True)
    body = mutate.message([[2, 0, len(raw)], [6, 2, swift]])
    head = mutate.message([[1, 2, kind], [3, 0, len(body)]])
    made = put(here / "a.osm.pbf", mutate.pbf(town_blocks(here)[:-1]) + struct.pack(">I", len(head)) + head + body)
    refused(DataError, ["NUL"], read_osm, made, formats.BOX)


@pytest.mark.parametrize("lat", ["4x", "45.1.1", "", "nan", "1e999", "９"])
def test_a_place_in_xml_that_is_no_number(here, lat):
    made = put(here / "a.osm", f'<osm version="0.6"><node id="1" lat="{lat}" lon="9"/></osm>')
    refused(DataError, ["a.osm"], read_osm, made, formats.BOX)


def test_a_file_is_looked_into_anew_when_it_changed(here):
    read_osm(here / "town.osm.pbf", formats.BOX)
    parts = [(kind, raw.replace(b"highway", b"hi\0hway"[:7])) for kind, raw in town_blocks(here)]
    put(here / "town.osm.pbf", mutate.pbf(parts))
    refused(DataError, ["NUL"], read_osm, here / "town.osm.pbf", formats.BOX)


# ---------------------------------------------------------------------------------------------------------- rasters


def zipped(path, members):
    with warnings.catch_warnings(), zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as out:
        warnings.simplefilter("ignore")  # of names that stand twice
        for name, data in members:
            out.writestr(name, data)
    return path


TILE = b"\0\7" * 1201 * 1201


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ([("N45E009.hgt", b"\0" * (220 << 20))], ["unfolds into 230,686,720 bytes"]),
        ([("../N45E009.hgt", TILE)], ["must hold 'N45E009.hgt'", "without folders"]),
        ([("/etc/N45E009.hgt", TILE)], ["must hold"]),
        ([("N45E009.hgt", TILE), ("N45E009.hgt", TILE)], ["once"]),
        ([("x\x1b[2J" * 500, b"")], ["must hold"]),
        ([], ["nothing"]),
        ([("N45E009.hgt", b"")], ["unfolds into 0 bytes"]),
        ([("N45E009.hgt", TILE[:-2])], ["cannot be read as a raster"]),
    ],
)
def test_zipped_tiles_that_are_none(here, members, words):
    made = zipped(here / "N45E009.hgt.zip", members)
    before = sorted(here.parent.rglob("*"))
    refused(DataError, ["N45E009.hgt.zip", *words], read_elevation, made, HERE)
    assert sorted(here.parent.rglob("*")) == before


def test_a_zipped_tile_that_lies_about_its_size(here):
    raw = bytearray(zipped(here / "x.zip", [("N45E009.hgt", b"\0" * (50 << 20))]).read_bytes())
    at = raw.rindex(b"PK\1\2") + 24
    raw[at : at + 4] = struct.pack("<I", len(TILE))
    refused(DataError, ["cannot be opened as a .zip"], read_elevation, put(here / "N45E009.hgt.zip", bytes(raw)), HERE)


@pytest.mark.parametrize("how", ["password", "method", "checksum", "cut"])
def test_a_zipped_tile_that_is_damaged(here, how):
    raw = bytearray((here / "N45E009.hgt.zip").read_bytes())
    local, central = raw.index(b"PK\3\4"), raw.rindex(b"PK\1\2")
    if how == "password":
        raw[local + 6] |= 1
        raw[central + 8] |= 1
    elif how == "method":
        raw[local + 8] = raw[central + 10] = 77
    elif how == "checksum":
        raw[local + 14] ^= 1
        raw[central + 16] ^= 1
    else:
        del raw[100:200]
    refused(
        DataError,
        ["N45E009.hgt.zip", "cannot be opened"],
        read_elevation,
        put(here / "N45E009.hgt.zip", bytes(raw)),
        HERE,
    )


def test_a_zipped_tile_is_read(here):
    assert np.nanmax(read_elevation(here / "N45E009.hgt.zip", HERE).values) == 7
    assert unzipped(here / "N45E009.hgt.zip", "N45E009.hgt", most=len(TILE)) == TILE


def test_a_zipped_tile_is_read_as_one_that_is_not(here):
    tile = np.random.default_rng(1).integers(0, 900, (1201, 1201)).astype(">i2").tobytes()
    plain = put(here / "N45E009.hgt", tile)
    wide = shapely.box(9.01, 45.01, 9.99, 45.99)
    for _ in range(3):
        packed = read_elevation(zipped(here / "N45E009.hgt.zip", [("N45E009.hgt", tile)]), wide)
        assert np.array_equal(packed.values, read_elevation(plain, wide).values)


VRT = """<VRTDataset rasterXSize="4" rasterYSize="1"><SRS>EPSG:4326</SRS><GeoTransform>9,.1,0,45.1,0,-.1</GeoTransform>
<VRTRasterBand dataType="Byte" band="1" subClass="VRTRawRasterBand"><SourceFilename relativeToVRT="1">../passwd</SourceFilename>
<ImageOffset>0</ImageOffset><PixelOffset>1</PixelOffset><LineOffset>4</LineOffset></VRTRasterBand></VRTDataset>"""


@pytest.mark.parametrize(
    ("name", "words"), [("people.tif", "expected a GeoTIFF"), ("people.vrt", "does more than lay tiles side by side")]
)
def test_a_raster_that_points_at_another_file_is_not_followed(here, name, words):
    said = refused(DataError, [name, words], read_population, put(here / name, VRT), HERE)
    assert "114" not in said  # the r of root


def test_a_raster_of_more_pixels_than_any_memory_holds(here):
    made = big(here / "a.tif", 2_000_000, pixel=1e-6, block={"tiled": True, "blockxsize": 8192, "blockysize": 8192})
    assert made.stat().st_size < 1 << 20
    refused(DataError, ["pixels over the region", "resample"], read_population, made, shapely.box(8.5, 45, 9.5, 45.5))


def test_a_raster_stored_in_one_piece(here):
    made = big(here / "a.tif", 20_000, pixel=1e-4, block={"tiled": True, "blockxsize": 16_384, "blockysize": 16_384})
    refused(DataError, ["stored in pieces of 16,384 x 16,384", "TILED"], read_population, made, HERE)


@pytest.mark.parametrize(
    "transform",
    [
        (0, 0, 9, 0, 0, 45),
        (0.1, 0.1, 9, 0.1, 0.1, 45),
        (1e-308, 0, 9, 0, -1e-308, 45),
    ],
)
def test_a_raster_whose_pixels_lie_nowhere(here, transform):
    with rasterio.open(
        here / "a.tif", "w", driver="GTiff", width=4, height=4, count=1, dtype="float32", crs="EPSG:4326", transform=rasterio.Affine(*transform),
    ) as out:  # fmt: skip
        out.write(np.ones((1, 4, 4), dtype=np.float32))
    refused(DataError, ["a.tif"], read_population, here / "a.tif", HERE)


def test_a_raster_of_complex_numbers(here):
    with rasterio.open(
        here / "a.tif", "w", driver="GTiff", width=9, height=9, count=1, dtype="complex64", crs="EPSG:4326",
        transform=rasterio.Affine(0.1, 0, 8.5, 0, -0.1, 45.5),
    ):  # fmt: skip
        pass
    refused(DataError, ["holds complex64"], read_population, here / "a.tif", HERE)


# ------------------------------------------------------------------------------------------------ GeoJSON and tables


def collection(shapes, properties=None):
    features = [
        {"type": "Feature", "properties": properties or {"id": f"z{n}"}, "geometry": shape}
        for n, shape in enumerate(shapes)
    ]
    return json.dumps({"type": "FeatureCollection", "features": features})


def box_at(x, y, size):
    return {"type": "Polygon", "coordinates": [[[x, y], [x + size, y], [x + size, y + size], [x, y + size], [x, y]]]}


@pytest.mark.parametrize(
    "read", [Region.from_geojson, lambda path: Region.from_bbox((9, 45, 9.1, 45.1), name="x").with_hard_barriers(path)]
)
@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        '{"type":"Polygon","coordinates":' + "[" * 100_000 + "]" * 100_000 + "}",
        '{"type":"Polygon","coordinates":' + "[" * 900 + "]" * 900 + "}",
        '{"a":' * 100_000,
        '{"type":["Polygon"],"coordinates":[]}',
        '{"type":{"a":1},"coordinates":[]}',
        '{"type":"Polygon","coordinates":[[[9,45],[NaN,45],[9,46],[9,45]]]}',
        '{"type":"Polygon","coordinates":[[[9,45],[1e999,45],[9,46],[9,45]]]}',
        '{"type":"Polygon","coordinates":[[[9,45],[%s,45],[9,46],[9,45]]]}' % ("9" * 400),
        '{"type":"Polygon","coordinates":[[[9,45],[%s,45],[9,46],[9,45]]]}' % ("9" * 5000),
        '{"type":"Polygon","coordinates":[]}',
        '{"type":"Polygon","coordinates":[[[9,45],[9,45],[9,45],[9,45]]]}',
        '{"type":"MultiPolygon","coordinates":[[[]]]}',
        '{"type":"FeatureCollection","features":{"a":1}}',
        '{"type":"FeatureCollection","crs":{"properties":{"name":"\\ud800\\u001b[2J%s"}},"features":[]}' % ("x" * 9000),
    ],
)  # fmt: skip
def test_geojson_that_is_none(here, read, text):
    refused(
        (DataError, CrsError),
        ["a.geojson"],
        read,
        put(here / "a.geojson", text),
    )


def test_an_outline_that_crosses_itself_without_end(here):
    tangle = np.random.default_rng(1).random((3000, 2)).tolist()
    made = put(here / "a.geojson", collection([{"type": "Polygon", "coordinates": [[*tangle, tangle[0]]]}]))
    refused(DataError, ["a.geojson", "cross each other", "draw them"], Region.from_geojson, made)


def test_combs_that_cross_at_every_tooth(here):
    teeth = [(x / 300, y) for n in range(300) for x, y in ((n, 0), (n, 0.9), (n + 0.5, 0.9), (n + 0.5, 0))]
    ring = [*teeth, (1, -0.1), (0, -0.1), (0, 0)]
    across = [
        {"type": "Polygon", "coordinates": [[(y, x) for x, y in ring]]},
        {"type": "Polygon", "coordinates": [ring]},
    ]
    refused(DataError, ["cross each other"], Region.from_geojson, put(here / "a.geojson", collection(across)))


def test_an_outline_that_crosses_itself_once_is_mended(here):
    bow = {"type": "Polygon", "coordinates": [[[9, 45], [9.02, 45.02], [9.02, 45], [9, 45.02], [9, 45]]]}
    region = Region.from_geojson(put(here / "a.geojson", collection([bow])))
    assert region.boundary.is_valid
    assert region.boundary.area == pytest.approx(2e-4)


def test_thousands_of_zones_are_read_at_once(here):
    shapes = [box_at(n % 50 / 100, n // 50 / 100, 0.005) for n in range(1500)]
    with soon(10):
        region = Region.from_geojson(put(here / "a.geojson", collection(shapes)))
    assert len(region.zones) == 1500
    refused(DataError, ["overlap"], Region.from_geojson, put(here / "a.geojson", collection([*shapes, shapes[7]])))


def test_ids_of_zones_that_only_differ_in_case(here):
    text = collection([box_at(9, 45, 0.01)]).replace('"z0"', '"REGION"')
    refused(DataError, ["'region' is taken"], Region.from_geojson, put(here / "a.geojson", text))


@pytest.mark.parametrize("device", ["/dev/zero", "/dev/full"])
def test_a_device_that_never_ends_is_no_file(device):
    for read in (Region.from_geojson, read_places, Study.from_toml):
        refused(DataError, [device, "it is no file"], read, device)
    refused(DataError, ["no population raster"], read_population, device, HERE)


def test_a_pipe_nobody_writes_to_is_no_file(here):
    os.mkfifo(here / "pipe.toml")
    refused(DataError, ["it is no file"], Study.from_toml, here / "pipe.toml")
    refused(StandardError, ["it is no file"], Profile.load, here / "pipe.toml")


def test_texts_are_read_up_to_a_size(here):
    made = put(here / "a.txt", "x" * 11)
    assert read_text(made, most=11, what="the file") == "x" * 11
    refused(DataError, ["more than the 10 bytes"], read_text, made, most=10, what="the file")
    refused(DataError, ["cannot read"], read_text, here / "a\0b", most=10, what="the file")
    refused(DataError, ["cannot read"], read_json, put(here / "a.json", "[" * 100_000))


@pytest.mark.parametrize(
    "text",
    [
        ",".join(f"c{n}" for n in range(200_000)) + "\n",
        "lon,lat,people" + ",x" * 200_000 + "\n1,2,3\n",
        'lon,lat,people\n"' + "9\n" * 200_000,
        "lon,lat,people\n9,45," + "9" * 100_000,
        "lon,lat,people\n9,45,\x1b[2J\u202e" + "x" * 9000,
        "lon,lat\n9,45\n",
        "\0" * 1000,
        "",
    ],
)
def test_tables_that_are_none(here, text):
    refused(DataError, ["a.csv"], read_places, put(here / "a.csv", text))


def test_a_packed_table_is_not_unpacked(here):
    refused(DataError, ["a.csv.gz"], read_places, put(here / "a.csv.gz", gzip.compress(b"lon,lat,people\n9,45,1\n")))


# ------------------------------------------------------------------------------------------------------------- TOML


@pytest.mark.parametrize(
    "text",
    [
        "a = " + "[" * 20_000,
        "a = " + "{a=" * 20_000,
        "a = " + "1" * 5000,
        ".".join("k" * 5000) + " = 1",
        f"[{'.'.join('k' * 5000)}]",
        "a = '" + "x" * (1 << 20) + "'",
        f'"{"k" * 9000}" = 1',
        'schema = "\\u001b[2J"',
        "schema = 0x" + "f" * 3000,
        "schema = 1e9999",
        "a = 1979-05-27T99:99:99",
        "\0",
    ],
)
def test_toml_that_is_none(here, text):
    made = put(here / "a.toml", text)
    refused(StandardError, ["a.toml"], Profile.load, made)
    refused(StandardError, ["a.toml"], Standard.load, made)
    refused((StandardError, DataError), ["a.toml"], Study.from_toml, made)


OUTSIDE = [
    ("osm", "../passwd"), ("osm", "/etc/passwd"), ("osm", "../passwd.osm.pbf"), ("boundary", "../passwd"),
    ("hard_barrier", "../passwd"), ("population", "../passwd"), ("elevation", "../passwd"), ("standard", "../passwd"),
    ("standard", "../passwd.toml"), ("profile", "../passwd.toml"), ("places", "../passwd"),
]  # fmt: skip


@pytest.mark.parametrize(("key", "path"), OUTSIDE)
def test_a_study_that_names_a_secret_does_not_tell_it(here, key, path):
    for name in ("passwd.osm.pbf", "passwd.toml"):
        (here.parent / name).write_text(LOCKED)
    lines = [f'{key} = "{path}"' if line.startswith(f"{key} = ") else line for line in formats.FULL.splitlines()]
    study = put(here / "a.toml", "\n".join(lines))
    refused(LifecircleError, ["passwd"], lambda: Study.from_toml(study).prepare(allow_empty=True))


@pytest.mark.parametrize("name", ["../x", "/x", "..", ".", "a/b", "a\\\\b", "", "x" * 101, "a\\u0000b", "a\\nb", ".x"])
def test_a_study_cannot_be_called_a_way_out(here, name):
    text = formats.FULL.replace('name = "town"', f'name = "{name}"')
    refused(StandardError, ["name"], Study.from_toml, put(here / "a.toml", text))


def test_results_are_not_put_in_the_place_of_something_else(here):
    put(here / "a.toml", (here / "study.toml").read_text() + 'out = ".."\n')
    before = sorted(here.parent.rglob("*"))
    with pytest.raises(LifecircleError):
        Study.from_toml(here / "a.toml").run().write()
    assert sorted(here.parent.rglob("*")) == before


@pytest.mark.parametrize(
    ("pattern", "endless"),
    [
        ("(a+)+$", True), ("(a|aa)+$", True), ("(?:a?)*$", True), ("((a*)b?)*", True), ("(?P<x>a+){2,}", True), ("(?i:a|b)*", True),
        (r"\(a+\)+", False), ("[(a+)]+(a|b)?", False), ("(?:ab)*c+", False), ("(?:senior|adult)s? club.*", False), ("(a+){2,3}", False),
    ],
)  # fmt: skip
def test_patterns_that_may_never_end_are_refused(here, pattern, endless):
    assert has_nested_repeats(pattern) == endless
    text = town.STANDARD.replace(
        '{ match = { amenity = ["clinic"] } }', f"{{ match = {{ amenity = ['clinic'] }}, name = '{pattern}' }}"
    )
    made = put(here / "a.toml", text)
    if endless:
        refused(StandardError, ["a.toml", "may never end"], Standard.load, made)
    else:
        with soon():
            Standard.load(made).serves({"amenity": "clinic", "name": "a" * 100_000})
