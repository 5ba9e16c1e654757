"""Rasters of several files, of odd files, and of files that should not be trusted."""

import json
import logging
import re
import shutil

import drawn
import numpy as np
import pyproj
import pytest
import rasterio
import rasterio.shutil
import shapely
import town
from commandline import command
from tiled import cut, vrt

from lifecircle.errors import CrsError, DataError, StandardError
from lifecircle.publish.files import write_json
from lifecircle.sources.rasters import read_population
from lifecircle.sources.tiles import parts_of
from lifecircle.study import Study, diff, verify

BOX = shapely.box(*drawn.lonlat(-310, -310), *drawn.lonlat(310, 310))
LEFT, RIGHT = ((0, 8), (0, 4)), ((0, 8), (4, 8))


@pytest.fixture
def whole(tmp_path):
    return drawn.raster(tmp_path / "whole.tif", np.arange(64.0).reshape(8, 8), left=-400, top=400)


def test_tiles_that_do_not_fit_together_are_told_apart(tmp_path, whole):
    def refuse(message, *paths, error=DataError):
        with pytest.raises(error, match=message):
            read_population(list(paths), BOX)

    other = tmp_path / "other.tif"
    refuse(r"different sizes: .*whole.tif 100 x 100, .*other.tif 50 x 50; expected tiles of one grid",
           whole, drawn.raster(other, np.ones((4, 4)), left=400, top=400, size=50))  # fmt: skip
    refuse(r"lie 0.25 of a pixel beside those", whole, drawn.raster(other, np.ones((4, 4)), left=425, top=400))
    refuse(r"different coordinate systems: .*whole.tif in unknown, .*other.tif in WGS 84", whole,
           drawn.raster(other, np.ones((4, 4)), left=9, top=45, size=0.001, crs="EPSG:4326"), error=CrsError)  # fmt: skip
    refuse(r"whole.tif of the population raster stands there twice", whole, tmp_path / "." / "whole.tif")
    refuse(r"there is no population raster .*none.tif", whole, tmp_path / "none.tif")
    made = vrt(tmp_path / "all.vrt", whole, cut(whole, tmp_path, [LEFT, RIGHT]))
    refuse("either one VRT, or plain tiles", whole, made)


def test_a_study_names_at_least_one_tile(tmp_path):
    with pytest.raises(StandardError, match="population"):
        Study.from_keys({"osm": "a.osm.pbf", "bbox": (0, 0, 1, 1), "population": []})


def test_negative_people_are_codes_for_unknown_or_refused(tmp_path, caplog):
    values = np.full((8, 8), 2.0)
    values[3, 3], values[4, 2:4], values[0, 0] = -9999, -1, -0.5  # the last lies outside the region
    path = drawn.raster(tmp_path / "p.tif", values, left=-400, top=400, nodata=None)
    with caplog.at_level(logging.WARNING):
        window = read_population(path, BOX)
    assert np.nansum(window.values[1:-1, 1:-1]) == 2 * (36 - 3)
    assert np.isnan(window.values).sum() == 4
    told = [(note.what, note.pixels) for note in window.notes]
    assert told == [("negative", 3)]
    assert "not declared as nodata (1 of -9999, 2 of -1): taken as unknown" in caplog.text
    assert "-9999（1 个）" in window.notes[0].chinese
    values[5, 5] = -0.25
    drawn.raster(path, values, left=-400, top=400, nodata=None)
    with pytest.raises(DataError, match=r"4 pixels of negative people in the region \(-9999, -1, -0.25, ...\)"):
        read_population(path, BOX)
    values[5, 5], values[5, 6], values[5, 4] = -7, -8, 1
    drawn.raster(path, values, left=-400, top=400, nodata=None)
    with pytest.raises(DataError, match="negative people"):
        read_population(path, BOX)


@pytest.fixture
def bands(tmp_path, whole):
    """The raster, and twice and three times its people in further bands."""
    path = tmp_path / "bands.tif"
    with rasterio.open(whole) as source, rasterio.open(path, "w", **(source.profile | {"count": 3})) as out:
        for band in (1, 2, 3):
            out.write(source.read(1) * band, band)
            out.set_band_description(band, f"women {60 + 5 * band}")
        out.scales = (1.0, 1.0, 0.5)
    return path


@pytest.mark.parametrize(("band", "times"), [(1, 1), (2, 2), (3, 1.5)])
def test_which_band_is_read_is_said(bands, whole, band, times):
    window = read_population(bands, BOX, band=band)
    assert np.array_equal(window.values, read_population(whole, BOX).values * times, equal_nan=True)
    said = f"band {band} (women {60 + 5 * band}) of 3"
    assert window.notes[0].english == f"{said} is read, the others are not"
    assert window.notes[0].chinese == f"仅读取第 {band} 波段：{said}"


def test_a_band_of_tiles_is_that_band_of_their_raster(tmp_path, bands):
    tiles = cut(bands, tmp_path, [LEFT, RIGHT])
    assert np.array_equal(
        read_population(tiles, BOX, band=2).values, read_population(bands, BOX, band=2).values, equal_nan=True
    )


def test_a_band_that_is_not_there(tmp_path, bands, whole):
    for path, n in ((bands, 3), (whole, 1)):
        with pytest.raises(
            DataError, match=rf"{path.name} has no band 4; expected one of the {n} it has, counted from 1"
        ):
            read_population(path, BOX, band=4)
    with pytest.raises(DataError, match="has no band 2"):
        read_population([whole, bands], BOX, band=2)
    with pytest.raises(DataError, match=r"of a VRT only band 1 is read; .* \(gdal_translate -b 2\)"):
        read_population(vrt(tmp_path / "all.vrt", whole, cut(whole, tmp_path, [LEFT, RIGHT])), BOX, band=2)


def test_a_study_names_a_band_and_is_verified(tmp_path, call):
    study = town.draw(tmp_path)
    with rasterio.open(tmp_path / "people.tif") as source:
        people, profile = source.read(1), source.profile
    with rasterio.open(tmp_path / "people.tif", "w", **(profile | {"count": 2})) as out:
        out.write(people, 1)
        out.write(np.where(people > 0, people * 2, people), 2)
    layer = '\n[demand.some]\nraster = "people.tif"\nband = 2\nsource = "made up"\n'
    study.write_text(study.read_text(encoding="utf-8") + layer, encoding="utf-8")
    for band in (1, 2):
        code, _, err = call("run", study, "--population-band", band, "--out", tmp_path / f"out{band}")
        assert code == 0, err
    one, two = (json.loads((tmp_path / f"out{n}" / "summary.json").read_text(encoding="utf-8")) for n in (1, 2))
    assert two["data"]["cells"]["people"] == 2 * one["data"]["cells"]["people"]
    assert [s["demand"]["some"]["figures"][0]["total"] for s in (one, two)] == [two["data"]["cells"]["people"]] * 2
    assert [note["text"][:13] for note in one["rasters"]] == ["band 1 of 2 i", "band 2 of 2 i"]
    assert call("verify", tmp_path / "out2")[0] == 0
    told = diff(tmp_path / "out1", tmp_path / "out2")
    assert told.changes
    assert {factor for change in told.changes for factor, part in change.owed.items() if part} == {"population"}
    code, _, err = call("run", study, "--population-band", "3", "--out", tmp_path / "none")
    assert (code, "people.tif has no band 3" in err) == (3, True)


@pytest.mark.parametrize(
    "keys",
    [
        {"population_band": 2},
        {"population_band": 0, "population": "x.tif"},
        {"demand": {"some": {"share": 0.5, "band": 2, "source": "s"}}},
        {"demand": {"some": {"places": "x.CSV", "band": 2, "source": "s"}}},
    ],
)
def test_a_band_of_nothing(keys):
    with pytest.raises(StandardError, match="band"):
        Study.from_keys({"osm": "x.osm.pbf", "bbox": [1, 2, 3, 4], **keys})


def test_an_esri_grid_with_its_projection_beside_it_is_read_and_a_stray_aux_file_is_not(tmp_path, whole):
    crs = "EPSG:32632"
    x, y = 500_000, 4_983_000
    rows = "\n".join(" ".join("3" for _ in range(20)) for _ in range(20))
    head = f"ncols 20\nnrows 20\nxllcorner {x - 1000}\nyllcorner {y - 1000}\ncellsize 100\nNODATA_value -9999\n"
    grid = tmp_path / "people.asc"
    grid.write_text(head + rows + "\n")
    with pytest.raises(CrsError, match="no coordinate system"):
        read_population(grid, BOX)
    (tmp_path / "people.prj").write_text(rasterio.crs.CRS.from_user_input(crs).to_wkt(version="WKT1_ESRI"))
    assert np.nansum(read_population(grid, BOX).values) > 100
    assert parts_of(grid) == [tmp_path / "people.prj"]
    (tmp_path / "whole.tif.aux.xml").write_text(
        '<PAMDataset><PAMRasterBand band="1"><NoDataValue>27</NoDataValue></PAMRasterBand></PAMDataset>'
    )
    assert 27 in read_population(whole, BOX).values
    assert parts_of(whole) == []


@pytest.mark.parametrize("crs", ["EPSG:4326", "ESRI:54009", "EPSG:32632", "EPSG:3035", "EPSG:4490"])
def test_a_vrt_as_gdal_itself_writes_it_is_its_file(tmp_path, crs):
    x, y = pyproj.Transformer.from_crs("EPSG:4326", crs, always_xy=True).transform(drawn.LON, drawn.LAT)
    size = 0.001 if pyproj.CRS(crs).is_geographic else 100
    values = np.arange(400.0).reshape(20, 20)
    path = drawn.raster(tmp_path / "p.tif", values, left=x - 10 * size, top=y + 10 * size, size=size, crs=crs)
    rasterio.shutil.copy(path, tmp_path / "p.vrt", driver="VRT")
    rasterio.shutil.copy(path, tmp_path / "p.img", driver="HFA")
    plain = read_population(path, BOX)
    for other in ("p.vrt", "p.img"):
        window = read_population(tmp_path / other, BOX)
        assert np.array_equal(window.values, plain.values, equal_nan=True)
        assert window.transform == plain.transform
        assert window.whole


HOSTILE = {
    "an address": (lambda t: t.replace(">tile0.tif", ">/vsicurl/http://localhost:1/a.tif"), "only files in its own folder"),
    "an absolute path": (lambda t: t.replace(">tile0.tif", ">/etc/passwd"), "only files in its own folder"),
    "a path that is not relative": (lambda t: t.replace('relativeToVRT="1"', 'relativeToVRT="0"'), "only files in its own folder"),
    "a way out": (lambda t: t.replace(">tile0.tif", ">../tile0.tif"), "only files in its own folder"),
    "a link out": (lambda t: t.replace(">tile0.tif", ">link.tif"), "leads out of its folder"),
    "a part of a file": (lambda t: t.replace(">tile0.tif", ">NETCDF:a.nc:x"), "only files in its own folder"),
    "no end": (lambda t: re.sub('rasterXSize="[0-9]+"', 'rasterXSize="1' + "0" * 400 + '"', t, count=1), "holds no tiles"),
    "another VRT": (lambda t: t.replace(">tile0.tif", ">b.vrt"), "another VRT"),
    "Python": (lambda t: t.replace('band="1">', 'band="1" subClass="VRTDerivedRasterBand"><PixelFunctionType>f</PixelFunctionType>', 1), "does more than lay tiles side by side .*VRTDerivedRasterBand"),
    "Python, plainly": (lambda t: t.replace('band="1">', 'band="1"><PixelFunctionCode>f</PixelFunctionCode>', 1), "it has PixelFunctionCode"),
    "warping": (lambda t: t.replace("<VRTDataset ", '<VRTDataset subClass="VRTWarpedDataset" '), "VRTWarpedDataset"),
    "a kernel": (lambda t: t.replace("ComplexSource", "KernelFilteredSource"), "KernelFilteredSource"),
    "a table of values": (lambda t: t.replace("<SourceBand>", "<LUT>0:0,1:9</LUT><SourceBand>", 1), "it has LUT"),
    "factors": (lambda t: t.replace("<SourceBand>", "<ScaleRatio>2</ScaleRatio><SourceBand>", 1), "it has ScaleRatio"),
    "options": (lambda t: t.replace("<SourceBand>", "<OpenOptions/><SourceBand>", 1), "it has OpenOptions"),
    "another band": (lambda t: t.replace("<SourceBand>1", "<SourceBand>mask,1", 1), "takes band 'mask,1'"),
    "entities": (lambda t: '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>' + t, "cannot be read as a VRT"),
    "no XML": (lambda t: t[: len(t) // 2], "cannot be read as a VRT"),
    "something else": ("<GDAL_WMS/>".format, "cannot be read as a VRT: it begins with <GDAL_WMS"),
    "a size of nothing": (lambda t: t.replace('rasterXSize="8"', 'rasterXSize="0"'), "holds no tiles"),
    "no size": (lambda t: t.replace('rasterXSize="8"', 'rasterXSize="wide"'), "cannot be read as a VRT"),
    "no band": (lambda t: t.replace("VRTRasterBand", "Metadata"), "no band 1"),
    "no place": (lambda t: t.replace("GeoTransform", "Metadata"), "cannot be read as a VRT"),
    "an endless size": (lambda t: t.replace('xSize="4"', 'xSize="inf"'), "cannot be read as a VRT"),
    "a stretched tile": (lambda t: t.replace('<DstRect xOff="0" yOff="0" xSize="4"', '<DstRect xOff="0" yOff="0" xSize="5"'), "stretches or moves tile0.tif, by 1.00"),
    "a moved tile": (lambda t: t.replace('<DstRect xOff="0"', '<DstRect xOff="1"'), "stretches or moves tile0.tif, by 1.00"),
    "another kind of number": (lambda t: t.replace('dataType="Float32"', 'dataType="Byte"'), "says its values are uint8"),
    "another place on Earth": (lambda t: t.replace('LATITUDE_OF_CENTER",45', 'LATITUDE_OF_CENTER",46').replace('latitude_of_center",45', 'latitude_of_center",46'), "the VRT .* says unknown"),
    "a missing tile": (lambda t: t.replace(">tile0.tif", ">tile9.tif"), "there is no population raster .*tile9.tif"),
}  # fmt: skip


@pytest.mark.parametrize("what", HOSTILE)
def test_a_vrt_is_trusted_no_more_than_any_file(tmp_path, whole, what):
    folder = tmp_path / "in"
    folder.mkdir()
    tiles = cut(whole, folder, [LEFT, RIGHT])
    shutil.copy(tiles[0], tmp_path / "tile0.tif")
    (folder / "link.tif").symlink_to(tmp_path / "tile0.tif")
    change, message = HOSTILE[what]
    assert read_population(vrt(folder / "b.vrt", whole, tiles), BOX).whole
    path = vrt(folder / "a.vrt", whole, tiles, change=change)
    with pytest.raises((DataError, CrsError), match=message):
        read_population(path, BOX)
    assert parts_of(path) == [] or what not in {"an address", "a link out", "Python"}


def test_what_only_looks_like_a_raster_is_not_opened(tmp_path, whole):
    text = vrt(tmp_path / "a.vrt", whole, cut(whole, tmp_path, [LEFT, RIGHT])).read_text(encoding="utf-8")
    for name, inside in (("people.tif", text), ("people.img", "<GDAL_WMS><Service name='TMS'></Service></GDAL_WMS>")):
        (tmp_path / name).write_text(inside, encoding="utf-8")
        with pytest.raises(DataError, match="cannot be read as a raster"):
            read_population(tmp_path / name, BOX)


def test_a_vrt_that_takes_parts_of_its_tiles_and_knows_their_nodata(tmp_path, whole):
    tiles = cut(whole, tmp_path, [LEFT, RIGHT])

    def middle(text):
        text = text.replace('rasterYSize="8"', 'rasterYSize="6"').replace(
            "4.0000000000000000e+02, 0.0", "3.0000000000000000e+02, 0.0"
        )
        text = text.replace(
            'yOff="0" xSize="4" ySize="8" />\n      <DstRect', 'yOff="1" xSize="4" ySize="6" />\n      <DstRect'
        )
        text = text.replace("<NODATA>-200</NODATA>", "<NODATA>20</NODATA>")
        return text.replace('ySize="8"', 'ySize="6"')

    path = vrt(tmp_path / "a.vrt", whole, tiles, change=middle)
    with rasterio.open(path) as seen:
        values = seen.read(1)
    assert values.shape == (6, 8)
    window = read_population(path, BOX)
    expected = np.arange(64.0).reshape(8, 8)[1:7]
    assert np.array_equal(window.values, np.where(expected == 20, np.nan, expected), equal_nan=True)
    assert (values[2 - 1, 4] == -200) == (expected[1, 4] == 20)


# ------------------------------------------------------------------------------------------ through a whole study


def run(folder, head="", tail="", name="out"):
    """Results of the town with other keys for its rasters, and groups of people behind them."""
    if not (folder / "town.osm.pbf").exists():
        town.draw(folder)
    lines = (folder / "study.toml").read_text(encoding="utf-8").splitlines()
    kept = [line for line in lines if not (head and line.startswith("population"))]
    file = folder / f"{name}.toml"
    file.write_text("\n".join([*kept, head, tail, ""]), encoding="utf-8")
    return Study.from_toml(file).run().write(folder / name)


def names(one):
    return [part["file"] for part in one.get("parts", [])]


def test_results_of_tiles_and_of_a_vrt_are_those_of_the_raster_and_are_verified(tmp_path):
    plain = run(tmp_path, name="plain")
    (tmp_path / "tiles").mkdir()
    whole = tmp_path / "people.tif"
    tiles = cut(whole, tmp_path / "tiles", [((0, 13), (0, 9)), ((0, 13), (7, 21))])
    vrt(tmp_path / "people.vrt", whole, tiles)
    ages = '[demand.old]\nsource = "census"\nadd = ["people.vrt", ["tiles/tile1.tif", "tiles/tile0.tif"]]\n'
    listed = run(tmp_path, 'population = ["tiles/tile1.tif", "tiles/tile0.tif"]', ages, name="listed")
    virtual = run(tmp_path, 'population = "people.vrt"', name="virtual")
    for name in ("cells.parquet", "access.parquet", "coverage.tif"):
        assert (virtual / name).read_bytes() == (plain / name).read_bytes() == (listed / name).read_bytes()
    said = json.loads((listed / "manifest.json").read_text(encoding="utf-8"))
    assert {key: one["file"] for key, one in said["inputs"].items() if key not in {"osm", "boundary"}} == {
        "population.0": "tile1.tif", "population.1": "tile0.tif", "demand.old.0": "people.vrt",
        "demand.old.1.0": "tile1.tif", "demand.old.1.1": "tile0.tif",
    }  # fmt: skip
    assert names(said["inputs"]["demand.old.0"]) == ["tiles/tile0.tif", "tiles/tile1.tif"]
    summary = json.loads((listed / "summary.json").read_text(encoding="utf-8"))
    assert summary["demand"]["old"]["total"] == 2 * sum(
        f["total"] for f in summary["figures"]
        if (f["kind"], f["service"], f["measure"]) == ("region", "clinic", "people")
    )  # fmt: skip
    for folder in (listed, virtual):
        found = verify(folder)
        assert found.held, list(map(str, found.differences))
    change = diff(plain, virtual)
    assert [(key, a[:10], b[:10]) for key, a, b in change.inputs] == [("population", "people.tif", "people.vrt")]
    assert not change.changes
    # Where a tile is another, the VRT is as it was, but not the input.
    with rasterio.open(tiles[0], "r+") as out:
        values = out.read(1)
        values[:, :7][values[:, :7] > 0] += 1  # beside what it shares with the other
        out.write(values, 1)
    with pytest.raises(DataError, match=r"population has changed: .*people.vrt is as it was, but not tiles/tile0.tif"):
        verify(virtual)
    with pytest.raises(DataError, match=r"the input population.1 has changed"):
        verify(listed)
    later = run(tmp_path, 'population = "people.vrt"', name="later")
    change = diff(virtual, later, tables_only=True)
    assert [key for key, *_ in change.inputs] == ["population"]
    assert "tiles/tile0.tif" in change.inputs[0][1]
    assert change.inputs[0][1] != change.inputs[0][2]
    assert {c.owed["population"] == c.after - c.before for c in change.changes} == {True}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return run(tmp_path_factory.mktemp("made"))


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda s: s["inputs"].update({"population.1": s["inputs"].pop("population")}), "'population.1', which no study"),
        (lambda s: s["inputs"].update({"population.0": s["inputs"]["population"]}), "population.0', which no study|in two ways"),
        (lambda s: s["inputs"].update({"osm.0": s["inputs"].pop("osm")}), "'osm.0', which no study has"),
        (lambda s: s["inputs"]["population"].update(parts=[{"file": "../x", "sha256": "0" * 64, "bytes": 1}]), "not ../x beside it"),
        (lambda s: s["inputs"]["population"].update(parts=[{"file": "/x", "sha256": "0" * 64, "bytes": 1}]), "parts.0.file"),
    ],
)  # fmt: skip
def test_a_hostile_manifest_lists_nothing_it_should_not(made, tmp_path, edit, message):
    out = shutil.copytree(made, tmp_path / "out")
    said = json.loads((out / "manifest.json").read_text(encoding="utf-8"))
    edit(said)
    write_json(out / "manifest.json", said)
    with pytest.raises(DataError, match=message):
        verify(out)


def test_a_gap_between_tiles_is_said_wherever_people_are(tmp_path, capsys):
    town.draw(tmp_path)
    west, east = cut(tmp_path / "people.tif", tmp_path, [((0, 13), (0, 3)), ((0, 13), (5, 21))])
    where = ["--osm", tmp_path / "town.osm.pbf", "--boundary", tmp_path / "boundary.geojson"]
    where += ["--standard", tmp_path / "golden.toml", "--out", tmp_path / "out"]
    assert command("run", *where, "--population", west, "--population", east) == 0
    summary = json.loads((tmp_path / "out" / "summary.json").read_text(encoding="utf-8"))
    assert summary["population_spans_region"] is False
    gap = next(row for row in summary["rasters"] if row["what"] == "gap")
    assert (gap["input"], gap["pixels"]) == ("population", 2 * 13)
    assert gap["text"] in (tmp_path / "out" / "index.html").read_text(encoding="utf-8")
    checked = json.loads((tmp_path / "out" / "check.json").read_text(encoding="utf-8"))
    assert "raster_gap" in {warning["code"] for warning in checked["warnings"]}
    capsys.readouterr()


def test_heights_come_from_tiles_as_from_one_raster(tmp_path):
    world = town.draw(tmp_path)
    rows, columns = np.indices((30, 40))
    whole = drawn.raster(tmp_path / "dem.tif", rows * 3.0 + columns, left=-1000, top=2000)
    tiles = cut(whole, tmp_path, [((0, 30), (0, 17)), ((0, 30), (16, 40))])
    plain, parts = (
        Study.from_toml(world).changed(elevation=e).prepare() for e in (str(whole), [str(t) for t in tiles])
    )
    assert np.array_equal(plain.elevation, parts.elevation, equal_nan=True)
    assert not np.isnan(parts.elevation).all()
    with rasterio.open(tiles[1], "r+") as out:
        out.write(out.read(1) + 1, 1)
    odd = Study.from_toml(world).changed(elevation=[str(t) for t in tiles]).prepare()
    assert [note.what for key, note in odd.about.notes if key == "elevation"] == ["overlap"]
