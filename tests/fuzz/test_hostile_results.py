"""Answers of servers and results folders made to do harm, and names that go through a run."""

import json
import shutil

import drawn
import formats
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import town
from commandline import command
from hostile import big, put, refused, soon

from lifecircle.audit.contents import compare
from lifecircle.errors import DataError
from lifecircle.sources import overpass
from lifecircle.study import Study, diff


@pytest.mark.parametrize(
    "element",
    [
        {"type": {"a": 1}, "id": 1}, {"type": ["node"], "id": 1}, {"type": "node", "id": 1, "lat": 10**400, "lon": 9},
        {"type": "node", "id": 10**400, "lat": 45, "lon": 9}, {"type": "node", "id": 1, "lat": True, "lon": 9},
        {"type": "relation", "id": 1, "members": [{"type": [], "ref": 1, "role": ""}]},
        {"type": "node", "id": 1, "lat": 45, "lon": 9, "tags": {"name": "a\0b"}},
        {"type": "node", "id": 1, "lat": 45, "lon": 9, "tags": {"name": "\ud800"}},
    ],
)  # fmt: skip
def test_elements_that_cannot_be(element):
    said = json.dumps(formats.ANSWER | {"elements": [element]})
    with soon(), pytest.raises(overpass._AgainError):
        overpass.read_answer(said.encode())


def test_an_answer_nested_without_end():
    for raw in (b"[" * 100_000, b'{"elements":' + b"[" * 100_000):
        with soon(), pytest.raises(overpass._AgainError):
            overpass.read_answer(raw)


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hostile")
    formats.draw(folder)
    Study.from_toml(folder / "study.toml").run().write(folder / "out")
    return folder


@pytest.fixture
def out(results, tmp_path):
    shutil.copytree(results, tmp_path / "copy")
    return tmp_path / "copy" / "out"


@pytest.mark.parametrize("name", ["manifest.json", "summary.json"])
@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000, "9" * 5000, '"\\ud800"', "[]", "{}"])
def test_results_whose_json_is_none(out, name, text, capfd):
    (out / name).write_text(text)
    for verb in (
        ["info", out],
        ["verify", out],
        ["diff", out, out],
        ["run", out.parent / "study.toml", "--out", out],
    ):
        if name == "summary.json" and verb[0] in {"verify", "run"}:
            continue
        assert command(*verb) in {3, 4}
        said = capfd.readouterr().err
        assert "Traceback" not in said
        assert "lifecircle: " in said


def test_half_a_character_in_results_is_told_in_json_too(out, capfd):
    summary = json.loads((out / "summary.json").read_text())
    summary["title"] = "\ud800\x1b[2J"
    (out / "summary.json").write_text(json.dumps(summary))
    assert command("info", out, "--json") == 0
    assert json.loads(capfd.readouterr().out)["summary"]["title"] == "\ud800\x1b[2J"
    assert command("info", out) == 0
    assert "\x1b" not in capfd.readouterr().out
    assert command("verify", out, "--json") == 1
    assert "title" in capfd.readouterr().out


def test_a_table_of_results_whose_texts_are_none(out, tmp_path):
    frame = pq.read_table(out / "scorecard.parquet")
    wrong = pa.Array.from_buffers(pa.string(), frame.num_rows, pa.array([b"\xba\xff"] * frame.num_rows).buffers())
    pq.write_table(frame.set_column(0, frame.schema.names[0], wrong), tmp_path / "scorecard.parquet")
    told, _ = compare(tmp_path / "scorecard.parquet", out / "scorecard.parquet", strict=True)
    assert "cannot be read" in told[0].said


def test_a_table_that_unfolds_into_a_flood(out, tmp_path):
    shutil.copy(out / "cells.parquet", tmp_path / "cells.parquet")
    schema = pq.read_schema(out / "cells.parquet")
    n = 1000  # rows with the same text of a megabyte
    long = pa.DictionaryArray.from_arrays(pa.array([0] * n, pa.int32()), pa.array(["x" * (1 << 20)]))
    columns = {key: long if key == "cell_id" else pa.nulls(n, schema.field(key).type) for key in schema.names}
    pq.write_table(pa.table(columns), out / "cells.parquet", compression="zstd", store_schema=False)
    assert (out / "cells.parquet").stat().st_size < 1 << 20
    with soon(20, 2500):
        refused(DataError, ["unfolds"], diff, out, out, tables_only=True)
        told, _ = compare(out / "cells.parquet", tmp_path / "cells.parquet", strict=True)
    assert "unfolds" in told[0].said


def test_a_raster_of_results_stored_in_one_piece(out, tmp_path):
    made = big(
        tmp_path / "coverage.tif", 20, pixel=1e-3, block={"tiled": True, "blockxsize": 16_384, "blockysize": 16_384}
    )
    with soon():
        told, _ = compare(made, out / "coverage.tif", strict=False)
    assert any("no memory holds" in difference.said for difference in told)


@pytest.mark.parametrize(
    "text", ["<!--" * 60_000, "<a " * 60_000, "<a b='" * 60_000, "<script>" * 60_000, "</" * 60_000]
)
def test_a_page_whose_parts_do_not_end(out, tmp_path, text):
    made = put(tmp_path / "index.html", "<html>" + text)
    with soon():
        told, _ = compare(made, out / "index.html", strict=False)
    assert "not closed" in told[0].said


NAMES = [
    ("\u202egnp.exe", "</script><script>alert(1)</script>"),
    ("'\"><img src=x onerror=alert(1)>", "\x1b[2J\x07"),
    ("名" * 255, "a\0" + "名" * 3400),
    ("\ufeff\u200b%s{0}${x}", "'\"><img src=x onerror=alert(1)>\ud800"),
    ("</script><script>alert(1)</script>\x1b[2J", "\u202e\x85"),
]


@pytest.mark.parametrize(("called", "zone"), NAMES)
def test_hostile_names_go_through_a_run(tmp_path, capfd, called, zone):
    study = town.draw(tmp_path)
    sketch = drawn.Drawing()
    sketch.way((0, 0), (200, 0), (400, 0), highway="residential", name=called)
    sketch.poi(200, 10, amenity="clinic", name=called)
    sketch.area(60, 60, 140, 150, leisure="park", name=called)
    sketch.poi(200, -60, amenity="school", name=called)
    sketch.write(tmp_path / "town.osm.pbf")
    drawn.boundary(
        tmp_path / "boundary.geojson", (zone, "zone", -300, -300, 500, 1100), ("east", "zone", 500, -300, 2100, 1100)
    )
    title = f"title = {json.dumps(called)}\n" if called.isprintable() else ""
    study.write_text(study.read_text().replace("schema = 1\n", f"schema = 1\n{title}"), encoding="utf-8")
    with soon(60):
        assert command("run", study, "--out", tmp_path / "out") == 0
    said = capfd.readouterr()
    assert all(c.isprintable() or c == "\n" for c in said.out)
    for page in ("index.html", "coverage.html", "gaps.html"):
        html = (tmp_path / "out" / page).read_text(encoding="utf-8")
        assert "<script>alert" not in html
        assert "<img src=x" not in html
    assert command("verify", tmp_path / "out") == 0
