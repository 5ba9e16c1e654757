import gc
import json
import logging
import os
import re
import subprocess
import sys
import tomllib

import pytest
import town
from drawn import Drawing, lonlat

from lifecircle import cli
from lifecircle.cli.options import STAGES
from lifecircle.listed import TableKeys
from lifecircle.profiles import check_toml
from lifecircle.study import StudyFile


def test_version(call):
    code, out, _ = call("--version")
    assert code == 0
    assert gc.isenabled()
    assert out.startswith("lifecircle 0.")


@pytest.mark.parametrize("what", ["lifecircle", "lifecircle.cli"])
def test_neither_import_nor_help_loads_heavy_libraries(what):
    heavy = "{'numba', 'geopandas', 'osmnx', 'pandas', 'rasterio', 'folium', 'shapely', 'matplotlib', 'scipy'}"
    program = f"import sys, {what}; sys.exit(','.join({heavy} & sys.modules.keys()) or 0)"
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, check=False).returncode == 0


@pytest.mark.parametrize("verb", ["regions", "profiles", "standards"])
def test_lists_for_people_and_for_machines(call, verb):
    code, out, _ = call(verb)
    assert code == 0
    assert out.strip()
    code, out, _ = call(verb, "--json")
    rows = json.loads(out)
    assert all(len(row) > 2 for row in rows)
    expected = {"regions": "lingang-model", "profiles": "wheelchair", "standards": "xminute-generic"}[verb]
    assert expected in {next(iter(row.values())) for row in rows}


def test_a_standard_is_shown_with_every_source(call):
    code, out, _ = call("standards", "show", "xminute-generic", "--json")
    assert code == 0
    assert json.loads(out)["services"]["eating"]["threshold"]["source"]
    code, out, _ = call("standards", "show", "xminute-generic")
    assert "Bruno" in out
    assert "healthcare" in out


def test_new_writes_a_study_that_parses_and_never_overwrites(call, tmp_path):
    path = tmp_path / "my region.toml"
    assert call("new", path)[0] == 0
    study = check_toml(StudyFile, path.read_text(encoding="utf-8"), origin="x")
    assert study.name == "my-region"
    lines = path.read_text(encoding="utf-8").splitlines()
    commented = "\n".join(line.removeprefix("# ") for line in lines if re.match(r"(# )?([a-z_]+ = |\[)", line))
    said = tomllib.loads(commented)
    assert TableKeys.model_validate(said["facilities"][0]).datum == "gcj02"
    assert set(said) <= {field.alias or name for name, field in StudyFile.model_fields.items()}
    path.write_text("mine")
    code, _, err = call("new", path)
    assert (code, path.read_text()) == (4, "mine")
    assert "--force" in err
    assert call("new", path, "--force")[0] == 0


def test_run_prints_the_same_figures_for_machines(call, tmp_path):
    study = town.draw(tmp_path)
    code, out, err = call("run", study, "--out", tmp_path / "out", "--json")
    assert (code, err) == (0, "")
    assert json.loads(out) == json.loads((tmp_path / "out" / "summary.json").read_text(encoding="utf-8"))
    code, out, _ = call("info", tmp_path / "out")
    assert code == 0
    assert "clinic" in out
    assert "45.9 %" in out
    code, out, _ = call("info", tmp_path / "out", "--json")
    assert json.loads(out)["summary"]["name"] == "town"


def test_options_change_what_the_study_says(call, tmp_path):
    study = town.draw(tmp_path)
    options = ("--services", "clinic", "--profile", "frail", "--out", tmp_path / "out", "--json")
    code, out, _ = call("run", study, *options)
    assert code == 0
    services = json.loads(out)["services"]
    assert {key: s["cost"] for key, s in services.items()} == {"clinic": "frail"}
    box = ",".join(f"{v:.5f}" for v in (*lonlat(0, 150), *lonlat(500, 450)))
    code, out, _ = call("run", study, f"--bbox={box}", "--out", tmp_path / "out", "--json")
    assert code == 0
    assert list(json.loads(out)["zones"]) == ["all"]


def test_a_region_without_data_takes_an_extract(call, tmp_path):
    study = town.draw(tmp_path)
    box = ",".join(f"{v:.5f}" for v in (*lonlat(-100, -200), *lonlat(900, 700)))
    inputs = ("--osm", tmp_path / "town.osm.pbf", "--population", tmp_path / "people.tif", f"--bbox={box}")
    options = ("--standard", tmp_path / "golden.toml", "--out", tmp_path / "out", "--json")
    code, out, err = call("run", "lingang", *inputs, *options)
    assert (code, study.exists()) == (0, True), err
    assert json.loads(out)["title"] == "Lingang industry-city zone, Shanghai"


def test_negative_longitudes_as_typed(call, tmp_path):
    sketch = Drawing()
    sketch.way((0, 0), (100, 0), highway="footway")
    sketch.write(tmp_path / "map.osm.pbf")
    code, _, err = call("isochrone", "-3.0,51.58", "--osm", tmp_path / "map.osm.pbf")
    assert code == 3
    assert "outside the data" in err  # the place was read as a place


def test_isochrone_to_a_file_and_to_the_screen(call, tmp_path):
    sketch = Drawing()
    sketch.way((0, 0), (500, 0), highway="footway")
    sketch.write(tmp_path / "map.osm.pbf")
    place = "{:.6f},{:.6f}".format(*lonlat(100, 10))
    code, out, _ = call("isochrone", place, "--osm", tmp_path / "map.osm.pbf", "--metres", "50,200")
    assert code == 0
    rows = json.loads(out)
    assert [f["properties"]["limit"] for f in rows["features"]] == [50, 200, 50, 200]
    assert rows["features"][2]["properties"]["street_m"] == pytest.approx(80, abs=0.2)
    assert "OpenStreetMap" in rows["attribution"][0]
    code, out, _ = call("isochrone", place, "--osm", tmp_path / "map.osm.pbf", "--out", tmp_path / "iso.geojson")
    assert code == 0
    assert len(json.loads((tmp_path / "iso.geojson").read_text(encoding="utf-8"))["features"]) == 6


def test_metres_take_no_walker(call):
    code, _, err = call("isochrone", "9,45", "--metres", "500", "--profile", "senior")
    assert code == 2
    assert "whoever walks" in err


def test_the_studys_walker_walks_the_isochrone(call, tmp_path):
    study = town.draw(tmp_path)
    study.write_text(study.read_text(encoding="utf-8") + 'profile = "frail"\n', encoding="utf-8")
    place = "{:.6f},{:.6f}".format(*lonlat(50, 405))
    code, out, _ = call("isochrone", place, study, "--minutes", "1")
    assert code == 0
    assert json.loads(out)["profile"] == "frail"
    code, out, err = call("isochrone", "{:.6f},{:.6f}".format(*lonlat(200, 500)), study, "--minutes", "1")
    assert code == 0
    assert "nearest path is 100 m away" in err


@pytest.mark.parametrize("limits", ["0", "5,-1", "soon", "inf", ""])
def test_odd_limits(call, limits):
    code, _, err = call("isochrone", "9,45", "--minutes", limits)
    assert code == 2 or limits == ""
    assert limits == "" or "lifecircle: " in err


def test_progress_names_the_stages(tmp_path):
    town.draw(tmp_path)
    done = subprocess.run(
        [sys.executable, "-m", "lifecircle.cli", "run", "study.toml", "--out", "out"], cwd=tmp_path, capture_output=True,
        text=True, check=True, env=os.environ | {"TERM": "xterm", "COLUMNS": "120"}, encoding="utf-8",
    )  # fmt: skip
    for stage, _ in STAGES.values():
        assert stage in done.stderr
    assert "7 of 7" in done.stderr
    assert done.stdout.strip().endswith("index.html")


def test_a_log_line_holds_nothing_a_terminal_obeys():
    record = logging.makeLogRecord({"name": "lifecircle.sources", "msg": "taking %s", "args": ("\x1b[2J\u202e名",)})
    assert cli._log_to_terminal().format(record) == "lifecircle.sources: taking \\x1b[2J\\u202e名"


def test_a_place_with_latitude_first_is_told_so(call):
    code, _, err = call("isochrone", "30.9098,121.9256")
    assert code == 2
    assert err == (
        "lifecircle: 30.9098,121.9256 is no longitude and latitude in degrees; are they exchanged? "
        "Longitude comes first; expected LON,LAT\n"
    )
