"""Results are verified against their inputs, and whatever is changed in them is found, with its place."""

import base64
import gzip
import json
import random
import re
import shutil
import sqlite3
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import rasterio
import town
from commandline import command

from lifecircle.audit import verify as audit
from lifecircle.errors import DataError
from lifecircle.result import INPUTS
from lifecircle.study import Study, verify


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    """A folder with inputs and results, and the same results once more."""
    here = tmp_path_factory.mktemp("good")
    result = Study.from_toml(town.draw(here)).run()
    result.write(here / "out")
    return here, result.write(here / "again")


@pytest.fixture
def folder(good, tmp_path):
    shutil.copytree(good[0] / "out", tmp_path / "out")
    return tmp_path / "out"


def against(folder, good):
    return audit.against(audit.Claim.read(folder), good[1])


# Each tampering changes one thing and says where it should be found.


def cell(name, column, value, row=0):
    """Change one value: in a row by its number, or in that of a cell."""

    def change(folder, row=row):
        path = folder / f"{name}.parquet"
        table = pq.read_table(path)
        values = table[column].to_pylist()
        row = table["cell_id"].to_pylist().index(row) if isinstance(row, str) else row
        values[row] = value(values[row]) if callable(value) else value
        at = table.schema.get_field_index(column)
        pq.write_table(
            table.set_column(at, table.schema.field(column), pa.array(values, table.schema.field(column).type)), path
        )

    return change


def rows(name, pick):
    def change(folder):
        path = folder / f"{name}.parquet"
        table = pq.read_table(path)
        pq.write_table(table.take(pick(list(range(len(table))))), path)

    return change


def columns(name, make):
    def change(folder):
        path = folder / f"{name}.parquet"
        pq.write_table(make(pq.read_table(path)), path)

    return change


def value_in(name, edit):
    def change(folder):
        path = folder / f"{name}.json"
        said = json.loads(path.read_text(encoding="utf-8"))
        edit(said)
        path.write_text(json.dumps(said, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")

    return change


def text(name, old, new):
    def change(folder):
        path = folder / name
        said = path.read_text(encoding="utf-8")
        assert re.search(old, said)
        path.write_text(re.sub(old, new, said, count=1), encoding="utf-8")

    return change


def sql(statement):
    def change(folder):
        with sqlite3.connect(folder / "lifecircle.gpkg") as base:
            base.executescript("PRAGMA synchronous = OFF; PRAGMA journal_mode = MEMORY")
            for (name,) in base.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
                kept = base.execute("SELECT sql FROM sqlite_master WHERE name = ?", (name,)).fetchone()[0]
                base.execute(f'DROP TRIGGER "{name}"')
                triggers.append(kept)
            base.execute(statement)
            while triggers:
                base.execute(triggers.pop(0))
        base.close()

    triggers = []
    return change


def pixel(band, row, column, value):
    def change(folder):
        with rasterio.open(folder / "coverage.tif", "r+", IGNORE_COG_LAYOUT_BREAK="YES") as raster:
            grid = raster.read(band)
            grid[row, column] = value
            raster.write(grid, band)

    return change


def array_in_page(folder):
    """Change one number inside an array that the page packs."""
    path = folder / "coverage.html"
    page = path.read_text(encoding="utf-8")
    found = re.search(r'"values":\{"n":\d+,"width":\d+,"delta":\d,"zip":"([^"]+)"', page)
    raw = bytearray(gzip.decompress(base64.b64decode(found[1])))
    raw[0] ^= 1
    packed = base64.b64encode(gzip.compress(bytes(raw), 6, mtime=0)).decode()
    path.write_text(page.replace(found[1], packed, 1), encoding="utf-8")


TAMPERINGS = {
    "a walk shortened": (cell("cells", "clinic_s", lambda v: v - 1 / 32, "r6c0"), "cells.parquet", "(cell_id r6c0, zone west), column clinic_s"),
    "a verdict turned": (cell("cells", "clinic_met", lambda v: not v), "cells.parquet", "column clinic_met"),
    "people moved in": (cell("cells", "population", lambda v: v + 1), "cells.parquet", "column population"),
    "an unknown made a number": (cell("cells", "clinic_s", 1.0, row=2), "cells.parquet", "column clinic_s"),
    "a missing service hidden": (cell("cells", "missing", []), "cells.parquet", "column missing"),
    "a cell moved": (cell("cells", "geometry", lambda v: v[:-1] + bytes([v[-1] ^ 1])), "cells.parquet", "column geometry"),
    "a cell left out": (rows("cells", lambda n: n[1:]), "cells.parquet", "row cell_id r0c19"),
    "a cell twice": (rows("cells", lambda n: [n[0], *n]), "cells.parquet", "rows"),
    "cells in another order": (rows("cells", lambda n: n[::-1]), "cells.parquet", "column cell_id"),
    "a column left out": (columns("cells", lambda t: t.drop_columns(["clinic_n"])), "cells.parquet", "column clinic_n"),
    "a column added": (columns("gaps", lambda t: t.append_column("x", pa.nulls(len(t)))), "gaps.parquet", "column x"),
    "a column of another type": (columns("cells", lambda t: t.cast(pa.schema([f.with_type(pa.float64()) if f.name == "clinic_s" else f for f in t.schema], t.schema.metadata))), "cells.parquet", "column clinic_s"),
    "another CRS claimed": (columns("cells", lambda t: t.replace_schema_metadata({**t.schema.metadata, b"geo": t.schema.metadata[b"geo"].replace(b"9", b"8", 1)})), "cells.parquet", "metadata geo"),
    "an access point": (cell("access", "people", 0.0), "access.parquet", "column people"),
    "an entrance": (cell("entrances", "leg_ticks", 0), "entrances.parquet", "facility_id n"),
    "an edge made cheap": (cell("network", "ticks_uv_adult", 1), "network.parquet", "row 0 (edge_id 1:0), column ticks_uv_adult"),
    "a facility renamed": (cell("facilities", "name", "市立医院"), "facilities.parquet", "column name"),
    "a gap shrunk": (cell("gaps", "people", 0.0), "gaps.parquet", "column people"),
    "a runner-up": (cell("verdicts", "second", "n1"), "verdicts.parquet", "rule clinic"),
    "a rule's verdict": (cell("scorecard", "verdict", "met"), "scorecard.parquet", "column verdict"),
    "a figure": (value_in("summary", lambda s: s["figures"][0].update(met=217)), "summary.json", "figures[0] (service clinic, zone region, measure people).met"),
    "a figure of another type": (value_in("summary", lambda s: s["figures"][0].update(met=100.0)), "summary.json", ".met"),
    "a notice taken off": (value_in("summary", lambda s: s["attribution"].pop()), "summary.json", "length of attribution"),
    "a failed self-check": (value_in("summary", lambda s: s["self_check"].update(points=6000)), "summary.json", "self_check.points"),
    "a warning taken out": (value_in("check", lambda s: s["warnings"].pop()), "check.json", "length of warnings"),
    "a threshold claimed": (value_in("manifest", lambda s: s["standard"]["services"]["clinic"]["threshold"].update(value=900)), "manifest.json", "standard.services.clinic.threshold.value"),
    "a count in the manifest": (value_in("manifest", lambda s: s["counts"].update(people=1)), "manifest.json", "counts.people"),
    "a headline": (text("index.html", "100 %|0 %", "99 %"), "index.html", "text under"),
    "a number in the report": (text("index.html", r"45\.9 %", "95.9 %"), "index.html", "text under 'Coverage by zone and service"),
    "a link in the report": (text("index.html", 'href="gaps.html"', 'href="https://example.org"'), "index.html", "href"),
    "the page's program": (text("coverage.html", r"<script>\n", "<script>\n//"), "coverage.html", "program block"),
    "a name in the page's data": (text("coverage.html", "Clinic", "Hospital"), "coverage.html", "data block"),
    "a number packed in the page": (array_in_page, "coverage.html", "value 0"),
    "a gap on its map": (text("gaps.html", r'"people":\[[0-9.]+', '"people":[1'), "gaps.html", "people"),
    "a row of the GeoPackage": (sql("UPDATE cells SET clinic_met = 1 WHERE fid = 3"), "lifecircle.gpkg", "table cells, row 2 (cell_id r"),
    "a row left out of the GeoPackage": (sql("DELETE FROM gaps WHERE fid = 1"), "lifecircle.gpkg", "table gaps, row 0"),
    "a table added to the GeoPackage": (sql("CREATE TABLE x (y)"), "lifecircle.gpkg", "table x"),
    "a licence taken off": (sql("UPDATE gpkg_metadata SET metadata = ''"), "lifecircle.gpkg", "table gpkg_metadata"),
    "a pixel": (pixel(1, 0, 0, 7.0), "coverage.tif", "band 1 (clinic_s), row 0, column 0"),
    "a file missing": (lambda f: (f / "gaps.html").unlink(), "gaps.html", "file"),
    "a file added": (lambda f: (f / "better.html").write_text("all is well"), "better.html", "file"),
    "a folder added": (lambda f: (f / "more").mkdir(), "more", "file"),
    "a link instead of a file": (lambda f: ((f / "coverage.tif").rename(f.parent / "x.tif"), (f / "coverage.tif").symlink_to(f.parent / "x.tif")), "coverage.tif", "file"),
    "a file cut short": (lambda f: (f / "cells.parquet").write_bytes((f / "cells.parquet").read_bytes()[:-100]), "cells.parquet", "file"),
    "a file of something else": (lambda f: (f / "summary.json").write_text("[[[["), "summary.json", "file"),
    "a key twice": (text("summary.json", '"schema": 1', '"schema": 2, "schema": 1'), "summary.json", "file"),
    "a flood": (lambda f: (f / "summary.json").write_text("[" + "0," * 1_500_000 + "0]"), "summary.json", "file"),
    "a space": (text("summary.json", '"schema": 1', '"schema":  1'), "summary.json", "bytes"),
}  # fmt: skip
BYTES_ONLY = {"a space"}
PROGRAM = {"the page's program"}


def test_there_are_enough_of_them():
    assert len(TAMPERINGS) >= 40


@pytest.mark.parametrize("what", TAMPERINGS)
@pytest.mark.parametrize("versions", ["same versions", "other versions"])
def test_a_tampering_is_found_with_its_place(folder, good, what, versions):
    change, file, place = TAMPERINGS[what]
    change(folder)
    if versions == "other versions":
        value_in("manifest", lambda said: said["versions"].update(numpy="0.1"))(folder)
    found = against(folder, good)
    if versions == "other versions":
        assert list(found.other_versions) == ["numpy"]
        if what in BYTES_ONLY | PROGRAM:
            assert found.held  # what the files say is as it was; that versions differ is told
            return
    assert not found.held
    assert {difference.file for difference in found.differences} == {file}
    assert any(place in difference.place for difference in found.differences), list(map(str, found.differences))
    assert all(difference.said != difference.computed for difference in found.differences)


def test_untouched_it_holds(folder, good):
    found = against(folder, good)
    assert found.held
    assert len(found.compared) == 16
    value_in("manifest", lambda said: said.update(finished="then", command=["x"], timings_s={}))(folder)
    assert against(folder, good).held


def test_other_versions_may_write_other_bytes_of_the_same_content(folder, good):
    for path in folder.glob("*.parquet"):
        pq.write_table(pq.read_table(path), path, compression="gzip")
    with sqlite3.connect(folder / "lifecircle.gpkg") as base:
        base.execute("VACUUM")
    base.close()
    page = (folder / "coverage.html").read_text(encoding="utf-8")
    for packed in set(re.findall(r'"zip":"([^"]+)"', page)):
        again = base64.b64encode(gzip.compress(gzip.decompress(base64.b64decode(packed)), 1, mtime=5)).decode()
        page = page.replace(packed, again)
    (folder / "coverage.html").write_text(page, encoding="utf-8")
    strict = against(folder, good)
    assert {difference.file for difference in strict.differences} >= {"cells.parquet", "lifecircle.gpkg"}
    assert all(difference.place.startswith("bytes") for difference in strict.differences)
    value_in("manifest", lambda said: said["versions"].update(pyarrow="1.0"))(folder)
    assert against(folder, good).held


def test_any_byte_changed_is_found_and_nothing_breaks(folder, good):
    chance = random.Random(3)
    for path in sorted(folder.iterdir()):
        if path.name == "manifest.json":
            continue
        whole = path.read_bytes()
        for _ in range(4):
            changed = bytearray(whole)
            changed[chance.randrange(len(whole))] ^= 1 << chance.randrange(8)
            path.write_bytes(changed)
            assert [d.file for d in against(folder, good).differences][:1] == [path.name]
        path.write_bytes(whole)


def test_from_the_command_line(good, tmp_path, capfd):
    shutil.copytree(good[0], tmp_path / "place")
    out = tmp_path / "place" / "out"
    assert command("verify", out) == 0
    assert "verified. 16 files are what their inputs give, to the byte" in capfd.readouterr().out
    cell("cells", "clinic_s", 5.0, "r6c0")(out)
    assert command("verify", out) == 1
    told = capfd.readouterr()
    assert re.search(
        r"cells.parquet: row \d \(cell_id r6c0, zone west\), column clinic_s: says 5.0, computed 1", told.out
    )
    assert told.err.strip().endswith("is not what its inputs give: 1 difference in 1 file")
    assert command("verify", out, "--json") == 1
    said = json.loads(capfd.readouterr().out)
    assert (said["verified"], said["differences"][0]["file"]) == (False, "cells.parquet")
    assert not list(tmp_path.glob("**/.*"))


def test_the_first_figure_of_a_run_on_another_map_is_told(good, tmp_path):
    """Results of one town put beside the inputs of another do not pass."""
    shutil.copytree(good[0], tmp_path / "place")
    out = tmp_path / "place" / "out"
    study = tmp_path / "place" / "study.toml"
    study.write_text(study.read_text(encoding="utf-8") + 'services = ["clinic"]\n', encoding="utf-8")
    Study.from_toml(study).run().write(tmp_path / "other")
    for name in ("summary.json", "index.html"):
        shutil.copy(tmp_path / "other" / name, out / name)
    found = verify(out)
    assert {difference.file for difference in found.differences} == {"summary.json", "index.html"}


def moved(good, tmp_path):
    """Results moved away from their inputs; the paths in the manifest lead nowhere."""
    (tmp_path / "far").mkdir()
    out = shutil.copytree(good[0] / "out", tmp_path / "far" / "out")

    def lose(said):
        for one in (*said["inputs"].values(), *said["rules"].values()):
            one["path"] = f"/nowhere/{one['file']}"

    value_in("manifest", lose)(out)
    return out


def test_inputs_are_found_where_one_says_beside_the_folder_and_in_the_working_directory(good, tmp_path, monkeypatch):
    out = moved(good, tmp_path)
    with pytest.raises(DataError, match=r"the input osm is missing.*town.osm.pbf.*--inputs DIR"):
        verify(out)
    assert verify(out, inputs=good[0]).held

    def found(**where):
        return Path(audit.Claim.read(out).keys(known=INPUTS, **where)["osm"]).parent

    assert found(inputs=good[0]) == good[0]
    monkeypatch.chdir(good[0])
    assert found() == good[0]
    monkeypatch.chdir(tmp_path)
    for path in good[0].glob("*.*"):
        shutil.copy(path, out.parent)
    assert found() == out.parent


def test_a_changed_input_is_named_and_so_is_a_missing_rule(good, tmp_path):
    out = moved(good, tmp_path)
    for path in good[0].glob("*.*"):
        shutil.copy(path, tmp_path / path.name)
    people = (tmp_path / "people.tif").read_bytes()
    (tmp_path / "people.tif").write_bytes(people[:-1] + b"x")
    with pytest.raises(DataError, match=r"the input population has changed.*people.tif is another file"):
        verify(out, inputs=tmp_path)
    (tmp_path / "people.tif").write_bytes(people)
    (tmp_path / "golden.toml").unlink()
    with pytest.raises(DataError, match=r"the input standard is missing.*golden.toml"):
        verify(out, inputs=tmp_path)
    with pytest.raises(DataError, match="there is no folder"):
        verify(out, inputs=tmp_path / "nothing")


HOSTILE = {
    "a path for a name": (lambda s: s["inputs"]["osm"].update(file="../../etc/passwd"), "inputs.osm.file"),
    "another key": (lambda s: s["inputs"].update(out=s["inputs"].pop("osm")), "'out', which no study has"),
    "a rule without a digest": (lambda s: s.update(rules={}), "no digest of the file standard"),
    "a rule from anywhere": (lambda s: s["parameters"].update(profile="/etc/x.toml"), "no digest of the file profile"),
    "no digests": (lambda s: s["inputs"]["osm"].pop("sha256"), "inputs.osm.sha256"),
    "parameters of no study": (lambda s: s["parameters"].update(osn=1), "unknown key 'osn'"),
    "no parameters": (lambda s: s.update(parameters=[]), "parameters"),
    "another layout": (lambda s: s.update(schema=2), "schema"),
}  # fmt: skip


@pytest.mark.parametrize("what", HOSTILE)
def test_a_hostile_manifest_reads_nothing_it_should_not(folder, good, what):
    edit, words = HOSTILE[what]
    value_in("manifest", edit)(folder)
    with pytest.raises(ValueError, match=re.escape(words)):
        verify(folder, inputs=good[0])


@pytest.mark.parametrize("text", ["", "[]", "{}", "null", "[" * 100_000])
def test_no_results_folder(tmp_path, text):
    with pytest.raises(DataError, match=f"{re.escape(str(tmp_path))}"):
        verify(tmp_path)
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(DataError, match=f"{re.escape(str(tmp_path))}"):
        verify(tmp_path)


def test_an_input_that_changes_during_a_run_stops_it(tmp_path):
    result = Study.from_toml(town.draw(tmp_path)).run()
    with (tmp_path / "boundary.geojson").open("a") as stream:
        stream.write("\n")
    with pytest.raises(DataError, match="has changed since it was read"):
        result.write(tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_layers_profiles_and_groups_by_file_are_found_again(tmp_path):
    study = town.draw(tmp_path)
    from importlib import resources

    for name in ("frail", "child"):
        preset = resources.files("lifecircle") / "presets" / "profiles" / f"{name}.toml"
        mine = preset.read_text(encoding="utf-8").replace(f'name = "{name}"', f'name = "{name}_here"')
        (tmp_path / f"{name}.toml").write_text(mine, encoding="utf-8")
    more = 'profile = "frail.toml"\ngroups = ["senior", "child.toml"]\nyear = 2024\n[demand.guests]\nsource = "x"\nraster = "people.tif"\n'
    study.write_text(study.read_text(encoding="utf-8") + more, encoding="utf-8")
    out = Study.from_toml(study).run().write(tmp_path / "out")
    manifest = json.loads((out / "manifest.json").read_text(encoding="utf-8"))
    assert set(manifest["rules"]) == {"standard", "profile", "groups.1"}
    assert set(manifest["inputs"]) == {"osm", "population", "boundary", "demand.guests"}
    found = verify(out)
    assert found.held, list(map(str, found.differences))


def test_what_a_file_says_does_not_reach_the_terminal_as_orders(good, tmp_path, capfd):
    shutil.copytree(good[0], tmp_path / "place")
    out = tmp_path / "place" / "out"
    (out / "evil\x1b[2J.html").write_text("x")
    columns("cells", lambda t: t.append_column("a\x1b[31m", pa.nulls(len(t))))(out)
    value_in("manifest", lambda said: said["versions"].update(numpy="1\x1b]0;x\x07"))(out)
    assert command("verify", out) == 1
    told = capfd.readouterr()
    assert "\x1b" not in told.out + told.err
    assert "a\\x1b[31m" in told.out


@pytest.mark.prove
@pytest.mark.parametrize("region", ["lingang", "newport", "monaco"])
def test_regions_are_verified(runs, region):
    found = verify(runs(region)[1])
    assert found.held, list(map(str, found.differences))
    assert len(found.compared) == 16
