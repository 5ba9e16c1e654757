"""Whatever is wrong with the input: one clear message, an exit code, and the previous results as they were."""

import os
import re
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import drawn
import numpy as np
import pytest
import rasterio
import town
from commandline import command

from lifecircle.errors import DataError
from lifecircle.publish import files
from lifecircle.reading import _has_nul
from lifecircle.sources.osm import read_osm
from lifecircle.study import Study

DATA, USAGE, SOURCE = 3, 2, 4


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    """A study that runs, with its results in place."""
    folder = tmp_path_factory.mktemp("good")
    study = town.draw(folder)
    assert command("run", study, "--out", folder / "out") == 0
    return folder


@pytest.fixture
def place(good, tmp_path):
    """A copy of it to damage, with what its results were."""
    shutil.copytree(good, tmp_path / "here")
    return tmp_path / "here"


def snapshot(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def edit(study, pattern, to):
    text = study.read_text(encoding="utf-8")
    assert re.search(pattern, text, flags=re.MULTILINE)
    study.write_text(re.sub(pattern, to, text, flags=re.MULTILINE), encoding="utf-8")


def no_crs(here):
    values = np.ones((4, 4), dtype=np.float32)
    with (
        pytest.warns(rasterio.errors.NotGeoreferencedWarning),
        rasterio.open(here / "people.tif", "w", driver="GTiff", width=4, height=4, count=1, dtype="float32") as out,
    ):
        out.write(values, 1)


def truncate(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def study_of(here):
    return here / "study.toml"


# name: (how it is damaged, exit code, words the message must hold)
FAULTS = {
    "missing extract": (lambda h: (h / "town.osm.pbf").unlink(), DATA, ["no OSM file", "town.osm.pbf"]),
    "missing raster": (lambda h: (h / "people.tif").unlink(), DATA, ["no population raster", "people.tif"]),
    "missing boundary": (lambda h: (h / "boundary.geojson").unlink(), DATA, ["boundary.geojson", "cannot read"]),
    "missing study": (lambda h: (h / "study.toml").unlink(), DATA, ["study.toml", "cannot read"]),
    "truncated extract": (lambda h: truncate(h / "town.osm.pbf"), DATA, ["town.osm.pbf", "cut short"]),
    "empty extract": (lambda h: (h / "town.osm.pbf").write_bytes(b""), DATA, ["town.osm.pbf"]),
    "not a pbf": (lambda h: (h / "town.osm.pbf").write_text("hello, this is no map\n" * 99), DATA, ["cannot be read as OSM"]),
    "wrong suffix": (lambda h: edit(study_of(h), r"town\.osm\.pbf", "people.tif"), DATA, ["no OSM file by its name", ".osm.pbf"]),
    "raster is no raster": (lambda h: (h / "people.tif").write_text("people"), DATA, ["people.tif", "cannot be read as a raster"]),
    "raster without crs": (no_crs, DATA, ["people.tif", "no coordinate system", "gdal_edit"]),
    "raster elsewhere": (
        lambda h: drawn.raster(h / "people.tif", np.ones((3, 3)), left=90_000, top=90_000), DATA, ["does not cover the region"],
    ),
    "raster of nothing": (
        lambda h: drawn.raster(h / "people.tif", np.full((13, 21), -200.0), left=0, top=1060), DATA, ["only nodata"],
    ),
    "nobody there": (
        lambda h: drawn.raster(h / "people.tif", np.zeros((13, 21)), left=0, top=1060), DATA, ["nobody lives inside"],
    ),
    "boundary outside the data": (
        lambda h: drawn.boundary(h / "boundary.geojson", ("far", "zone", 90_000, 0, 91_000, 1000)), DATA,
        ["lies outside the data", "Check the boundary"],
    ),
    "boundary in metres": (
        lambda h: (h / "boundary.geojson").write_text(
            '{"type":"Polygon","coordinates":[[[0,0],[5000,0],[5000,5000],[0,0]]]}'), DATA, ["EPSG:4326", "reproject"],
    ),
    "boundary without area": (
        lambda h: (h / "boundary.geojson").write_text('{"type":"Point","coordinates":[9,45]}'), DATA, ["no polygon"],
    ),
    "boundary is no json": (lambda h: (h / "boundary.geojson").write_text("<gml/>"), DATA, ["not GeoJSON"]),
    "zones overlap": (
        lambda h: drawn.boundary(h / "boundary.geojson", ("a", "zone", 0, 0, 300, 300), ("b", "zone", 200, 0, 500, 300)),
        DATA, ["overlap", "role = overlay"],
    ),
    "unknown key": (lambda h: edit(study_of(h), "^population", "populaton"), USAGE, ["'populaton'", "did you mean 'population'"]),
    "wrong value": (lambda h: edit(study_of(h), "snap_limit_m = 250", "snap_limit_m = -1"), USAGE, ["snap_limit_m", "greater than 0"]),
    "not toml": (lambda h: study_of(h).write_text("name = "), USAGE, ["not valid TOML"]),
    "no boundary": (lambda h: edit(study_of(h), "^boundary.*$", ""), USAGE, ["boundary", "bbox"]),
    "two boundaries": (lambda h: edit(study_of(h), "^boundary", 'place = "金镇"\nboundary'), USAGE, ["in one way", "place"]),
    "place in an extract without any": (lambda h: edit(study_of(h), "^boundary.*$", 'place = "金镇"'), DATA, ["'金镇'", "not filtered", "--boundary"]),
    "typo in a place": (lambda h: edit(study_of(h), "^boundary.*$", 'place.boundry = ["金镇"]'), USAGE, ["boundry", "did you mean 'boundary'"]),
    "unknown standard": (lambda h: edit(study_of(h), "^standard.*$", 'standard = "xminute"'), USAGE, ["'xminute'", "xminute-generic"]),
    "unknown service": (lambda h: edit(study_of(h), "^standard", 'services = ["clinik"]\nstandard'), USAGE, ["'clinik'", "'clinic'"]),
    "unknown profile": (lambda h: edit(study_of(h), "^standard", 'profile = "senor"\nstandard'), USAGE, ["'senor'", "'senior'"]),
    "unknown profile in a standard": (lambda h: edit(h / "golden.toml", '"adult"', '"adlt"'), USAGE, ["'adlt'", "'adult'"]),
    "typo in a standard": (lambda h: edit(h / "golden.toml", '^title_zh = "诊所"', 'titel_zh = "x"'), USAGE, ["titel_zh", "title_zh"]),
    "metres for a walker": (lambda h: edit(study_of(h), "^standard", 'profile = "metres"\nstandard'), USAGE, ["measures metres"]),
    "broken regex": (
        lambda h: edit(h / "golden.toml", r"\{ match = \{ amenity = \[\"clinic\"\] \} \}",
                       '{ match = { amenity = ["clinic"] }, name = "(" }'), USAGE, ["regular expression"],
    ),
    "empty category": (lambda h: edit(h / "golden.toml", '"clinic"', '"casino"'), DATA, ["no facility for: clinic", "--services"]),
    "unknown crs": (lambda h: edit(study_of(h), "^crs.*$", 'crs = "EPSG:99999999"'), DATA, ["EPSG:99999999"]),
    "crs in degrees": (lambda h: edit(study_of(h), "^crs.*$", 'crs = "EPSG:4326"'), DATA, ["not in metres"]),
    "threshold beyond cutoff": (lambda h: edit(study_of(h), "^standard", "cutoff_s = 60\nstandard"), USAGE, ["short of the threshold of clinic", "--cutoff-s"]),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_one_clear_message_and_the_old_results_intact(place, capfd, fault):
    damage, code, words = FAULTS[fault]
    damage(place)
    before = snapshot(place / "out")
    out = place / "out"
    edit_missing = not (place / "study.toml").exists()
    got = command("run", place / "study.toml", "--out", out)
    said = capfd.readouterr().err
    lines = [line for line in said.splitlines() if line.startswith("lifecircle: ")]
    assert got == code, said
    assert len(lines) == 1, said
    assert "Traceback" not in said
    for word in words:
        assert word in said
    assert snapshot(out) == before
    assert not [path for path in place.iterdir() if path.name.startswith(".out")]
    assert edit_missing == (fault == "missing study")


def test_usage_of_the_command_line(capfd):
    assert command("run") == USAGE
    assert "nothing to run" in capfd.readouterr().err
    assert command("run", "lingng-model") == USAGE
    assert "did you mean 'lingang" in capfd.readouterr().err
    assert command("run", "lingang") == DATA
    assert "needs an OpenStreetMap extract" in capfd.readouterr().err
    assert command("run", "--osm", "x.osm.pbf", "--bbox", "1,2,3") == USAGE
    assert "W,S,E,N" in capfd.readouterr().err
    assert command("run", "--osm", "x.osm.pbf", "--bbox", "3,2,1,4") == DATA
    assert "west < east" in capfd.readouterr().err
    assert command("isochrone", "nowhere") == USAGE
    assert "LON,LAT" in capfd.readouterr().err
    assert command("info", "no/such/folder") == DATA
    assert "no results folder" in capfd.readouterr().err


@pytest.mark.parametrize("out", ["/proc/lifecircle/out", "/dev/null/out"])
def test_a_place_nobody_may_write(good, capfd, out):
    assert command("run", good / "study.toml", "--out", out) == SOURCE
    assert "cannot write" in capfd.readouterr().err


def test_a_folder_that_holds_something_else_is_left_alone(good, tmp_path, capfd):
    (tmp_path / "thesis.tex").write_text("years of work")
    assert command("run", good / "study.toml", "--out", tmp_path) == SOURCE
    assert "not lifecircle's results" in capfd.readouterr().err
    assert (tmp_path / "thesis.tex").read_text() == "years of work"


@pytest.mark.parametrize("limit", [2_000, 20_000, 60_000, 120_000])
def test_no_room_half_way(place, limit):
    """Every file that would pass the limit fails in the middle of being written, as on a full disk."""
    before = snapshot(place / "out")
    done = subprocess.run(
        [sys.executable, "-m", "lifecircle.cli", "run", place / "study.toml", "--out", place / "out"],
        capture_output=True, text=True, check=False, env=os.environ | {"TERM": "dumb"},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
    )  # fmt: skip
    assert done.returncode == SOURCE, done.stderr
    assert "could not be written" in done.stderr
    assert "Traceback" not in done.stderr
    assert snapshot(place / "out") == before
    assert not [path for path in place.iterdir() if path.name.startswith(".out")]


def test_a_full_disk_is_called_so(place, capfd, monkeypatch):
    before = snapshot(place / "out")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files, "write_json", full)
    assert command("run", place / "study.toml", "--out", place / "out") == SOURCE
    assert "the disk is full" in capfd.readouterr().err
    assert snapshot(place / "out") == before


def test_an_exchange_cut_off_is_put_back(place):
    before = snapshot(place / "out")
    (place / "out").rename(place / ".out.previous")
    assert command("info", place / "out") == 0
    assert snapshot(place / "out") == before


def test_without_the_one_call_exchange_two_renames_do(place, monkeypatch):
    monkeypatch.setattr(files.sys, "platform", "other")
    assert command("run", place / "study.toml", "--out", place / "out") == 0
    assert not [path for path in place.iterdir() if path.name.startswith(".out")]
    assert (place / "out" / "manifest.json").exists()


def test_a_manifest_of_something_else_protects_its_folder(good, tmp_path, capfd):
    (tmp_path / "manifest.json").write_text('{"manifest_version": 3}')
    (tmp_path / "thesis.tex").write_text("years of work")
    assert command("run", good / "study.toml", "--out", tmp_path) == SOURCE
    assert (tmp_path / "thesis.tex").read_text() == "years of work"


def test_a_linked_results_folder_stays_a_link(good, tmp_path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "out").symlink_to(tmp_path / "disk")
    for _ in range(2):
        assert command("run", good / "study.toml", "--out", tmp_path / "out") == 0
        assert (tmp_path / "out").is_symlink()
        assert (tmp_path / "disk" / "manifest.json").exists()
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_the_folder_one_stands_in_is_not_replaced(good, tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    assert command("run", good / "study.toml", "--out", ".") == SOURCE
    assert "stand in" in capfd.readouterr().err


@pytest.mark.parametrize("text", ["{}", "[]", "null", '{"figures": []}'])
def test_info_on_something_else(tmp_path, text, capfd):
    (tmp_path / "summary.json").write_text(text)
    (tmp_path / "manifest.json").write_text(text)
    assert command("info", tmp_path) == DATA
    assert "no results folder" in capfd.readouterr().err


@pytest.mark.parametrize("folder", [".", "/"])
def test_info_on_odd_folders(folder, capfd, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert command("info", folder) == DATA


@pytest.mark.parametrize(
    "arguments",
    [
        ("isochrone", "-500000,4000000"),
        ("isochrone", "9,45", "--minutes", "1e300"),
        ("isochrone", "9,45", "--minutes", "2000000"),
    ],
)
def test_numbers_out_of_this_world(arguments, capfd):
    assert command(*arguments) in {DATA, USAGE}
    assert "lifecircle: " in capfd.readouterr().err


def test_an_extract_without_dates_is_of_no_year(place, tmp_path):
    sketch = drawn.Drawing()
    sketch.way((0, 0), (100, 0), highway="footway")
    sketch.write(tmp_path / "map.osm")
    text = re.sub(r' timestamp="[^"]*"', "", (tmp_path / "map.osm").read_text())
    (tmp_path / "map.osm").write_text(text)
    box = (*drawn.lonlat(-500, -500), *drawn.lonlat(500, 500))
    assert read_osm(tmp_path / "map.osm", box).timestamp == ""


def test_a_run_that_fails_after_a_cut_off_exchange_leaves_the_old_results(place, monkeypatch):
    before = snapshot(place / "out")
    (place / "out").rename(place / ".out.previous")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files, "write_json", full)
    assert command("run", place / "study.toml", "--out", place / "out") == SOURCE
    assert snapshot(place / "out") == before


@pytest.mark.parametrize(
    ("texts", "holds"),
    [
        ([], False), ([b""], False), ([b"", b""], False), ([b"", b"", b"name", b"", b"x"], False), ([b"\n", b""], False),
        ([b"", b"\0"], True), ([b"", b"", b"a\n\0b"], True), ([b"\n\0"], True), ([b"a", b"", b"\0" * 9], True),
    ],
)  # fmt: skip
def test_a_nul_is_found_in_a_text_and_not_in_the_length_of_one(texts, holds):
    assert _has_nul(b"".join(b"\n" + bytes([len(text)]) + text for text in texts)) == holds


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="no such file here")
def test_an_extract_that_cannot_be_read_gets_a_message_of_its_reader(tmp_path):
    (tmp_path / "town.osm").symlink_to("/proc/self/mem")  # a file by all looks, whose first byte is an error
    town.draw(tmp_path)
    study = Study.from_toml(tmp_path / "study.toml")
    for asked in ({}, {"bbox": None, "boundary": None, "place": "Town"}):
        keys = study.keys.model_dump(by_alias=True) | {"osm": tmp_path / "town.osm"} | asked
        with pytest.raises(DataError, match="cannot be read"):
            Study.from_keys(keys).prepare()


def test_a_box_with_latitude_first_is_told_so(tmp_path):
    town.draw(tmp_path)
    with pytest.raises(DataError, match="are longitude and latitude exchanged"):
        read_osm(tmp_path / "town.osm.pbf", (45.0, 9.0, 45.005, 9.01))
    with pytest.raises(DataError) as other:
        read_osm(tmp_path / "town.osm.pbf", (10.0, 45.0, 10.01, 45.005))
    assert "exchanged" not in str(other.value)
