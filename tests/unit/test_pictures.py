"""Pictures of a results folder: what their legends count, what they draw, and what they refuse."""

import json
import logging
import shutil
import struct

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
import town
from drawn import Drawing

from lifecircle.errors import DataError, StandardError
from lifecircle.publish import insets, legends, lettering
from lifecircle.publish.lettering import Lettering
from lifecircle.publish.maps import pack
from lifecircle.publish.pictures import picture
from lifecircle.publish.results import Results, unpack
from lifecircle.study import Study

SMALL = (480, 320)
HOSTILE = "$\\frac{1}{0}$ </title><b>\u202eevil\x00\x1b[2J {0} %s _^_ " + "\u0301" * 30 + "Ж\U000e0041ߐ𓀀"


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    return Study.from_toml(town.draw(tmp_path_factory.mktemp("town"))).run()


@pytest.fixture(scope="module")
def folder(result, tmp_path_factory):
    return result.write(tmp_path_factory.mktemp("results") / "town")


@pytest.fixture(scope="module")
def results(folder):
    return Results.of_folder(folder)


@pytest.fixture(scope="module")
def summary(folder):
    return json.loads((folder / "summary.json").read_text(encoding="utf-8"))


@pytest.fixture
def spoilt(folder, tmp_path):
    """A copy of the results to spoil."""
    return shutil.copytree(folder, tmp_path / "spoilt")


def size_of(png):
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    return struct.unpack(">II", png[16:24])


def counted(legend):
    return [row for row in legend.rows if row.shown and row.mark == "area"]


# ----------------------------------------------------------------------------------------------------------- legends


def test_legends_count_the_people_of_the_summary(results, summary):
    letters, seen = Lettering.of("en"), 0
    for told in summary["classes"]:
        key = told["service"] or {"people": "population"}.get(told["layer"], told["layer"])
        legend = legends.shown(results, key, letters).legend
        amounts = [row.amounts[0] for row in counted(legend)]
        assert amounts == told["people"][: len(amounts)]
        assert len(amounts) == len(told["colours"]) + bool(told["cells"][-1])
        assert [row.colour for row in counted(legend)][: len(told["colours"])] == told["colours"]
        assert legend.total.amounts == (sum(told["people"]),)
        assert [row.shown[0] for row in counted(legend)] == [legends._people(a) for a in amounts]
        seen += 1
    assert seen == 5


def test_cells_have_the_colour_of_their_class(results, folder, summary):
    """The people under each colour, summed from the tables, are the legend's (each cell of the town is one place)."""
    cells = pd.read_parquet(folder / "cells.parquet", columns=["population"])["population"].to_numpy()
    for told in summary["classes"]:
        key = told["service"] or {"people": "population"}.get(told["layer"], told["layer"])
        shown = legends.shown(results, key, Lettering.of("en"))
        for row in counted(shown.legend):
            assert cells[shown.cell_colours == row.colour].sum() == row.amounts[0]


def test_gaps_facilities_and_streets_add_up_to_the_summary(results, summary):
    letters = Lettering.of("zh")
    for key, gaps in summary["gaps"].items():
        legend = legends.shown(results, f"gaps:{key}", letters).legend
        assert legend.total.amounts == (gaps["clusters"], gaps["people"])
        assert np.sum([row.amounts for row in counted(legend)], axis=0).tolist() == list(legend.total.amounts)
        facilities = legends.shown(results, f"facilities:{key}", letters).legend
        assert facilities.rows[0].amounts == (summary["services"][key]["facilities"],)
    widest = max(summary["gaps"], key=lambda key: summary["gaps"][key]["people"])
    assert legends.shown(results, "gaps", letters).legend.total.amounts[1] == summary["gaps"][widest]["people"]
    every = legends.shown(results, "facilities", letters).legend
    assert every.total.amounts == (sum(one["facilities"] for one in summary["services"].values()),)
    streets = legends.shown(results, "network", letters).legend
    assert streets.total.amounts[0] == pytest.approx(summary["data"]["street_km"], abs=1e-3)


def test_the_sentence_is_the_headline_of_the_report(results, folder):
    page = (folder / "index.html").read_text(encoding="utf-8").replace("\u00a0", " ")
    for lang in ("en", "zh"):
        assert legends.shown(results, "unmet", Lettering.of(lang)).legend.sentence in page
    assert "45.9 %" in legends.shown(results, "clinic", Lettering.of("en")).legend.sentence


def test_a_town_whose_people_nobody_knows_is_counted_in_cells(tmp_path):
    study = town.draw(tmp_path)
    sketch = Drawing()
    sketch.way((0, 0), (400, 0), highway="residential")
    sketch.area(0, 20, 380, 200, landuse="residential")
    sketch.poi(10, 10, amenity="clinic")
    sketch.poi(390, 10, amenity="school")
    sketch.area(300, -60, 360, -10, leisure="park")
    sketch.write(tmp_path / "town.osm.pbf")
    text = study.read_text(encoding="utf-8").replace('population = "people.tif"\n', "")
    study.write_text(text, encoding="utf-8")
    results = Results.of_folder(Study.from_toml(study).run().write(tmp_path / "out"))
    known = legends.layers(results)
    assert "population" not in known
    legend = legends.shown(results, "clinic", Lettering.of("en")).legend
    assert legend.columns == ("Cells", "Share")
    assert legend.total.amounts == (sum(results.summary.layer("service", "clinic").cells),)
    for layer in ("unmet", "gaps", "causes"):
        assert size_of(picture(results, layer, size=SMALL)) == SMALL


# ---------------------------------------------------------------------------------------------------------- pictures


def test_every_layer_of_the_list_is_drawn(results):
    keys = [key for key, what in legends.listed(results, Lettering.of("zh")) if what]
    assert len(keys) == len(set(keys)) == 1 + 3 + 1 + 3 * 4 + 1
    made = {key: picture(results, key, lang=("en", "zh")[ix % 2], size=SMALL) for ix, key in enumerate(keys)}
    assert {size_of(png) for png in made.values()} == {SMALL}
    assert len(set(made.values())) == len(made)


def test_the_same_picture_has_the_same_bytes_whatever_the_settings_say(results, folder):
    first = picture(results, "clinic", lang="zh", size=SMALL)
    assert picture(Results.of_folder(folder), "clinic", lang="zh", size=SMALL) == first
    with mpl.rc_context({"axes.facecolor": "red", "font.size": 30, "savefig.dpi": 20, "text.usetex": True}):
        assert picture(results, "clinic", lang="zh", size=SMALL) == first
        assert mpl.rcParams["font.size"] == 30
    assert b"Software" not in first
    assert b"tEXt" not in first


@pytest.mark.parametrize("size", [(320, 320), (333, 777), (1000, 333), (1921, 1081)])
def test_pictures_are_as_large_as_asked(results, size):
    assert size_of(picture(results, size=size)) == size
    assert size_of(picture(results, size=size, dpi=97.3)) == size


def test_a_result_in_memory_draws_the_same(result, results):
    for layer in ("unmet", "facilities", "gaps"):
        shown, read = (legends.shown(of, layer, Lettering.of("en")) for of in (in_memory(result), results))
        assert shown.legend == read.legend
        assert shown.cell_colours.tolist() == read.cell_colours.tolist()
    assert size_of(result.picture("clinic", lang="zh")._repr_png_()) == (1920, 1080)


def in_memory(result):
    """What `Result.picture` draws."""
    seen = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("lifecircle.publish.pictures.picture", lambda read, *_, **__: seen.append(read) or b"")
        result.picture()
    return seen[0]


def test_hostile_names_are_drawn_as_text(spoilt, caplog):
    path = spoilt / "summary.json"
    said = json.loads(path.read_text(encoding="utf-8"))
    said["title"] = said["title_zh"] = said["notice"] = said["notice_zh"] = HOSTILE * 9
    said["attribution"] = [HOSTILE * 2] * 40
    said["data_date"] = HOSTILE
    for zone in said["zones"].values():
        zone["name"] = zone["name_zh"] = HOSTILE
    for service in said["services"].values():
        service["title"] = service["title_zh"] = HOSTILE
    path.write_text(json.dumps(said), encoding="utf-8")
    gaps = pd.read_parquet(spoilt / "gaps.parquet")
    results = Results.of_folder(spoilt)
    tables = results.tables
    odd = lambda name: tables(name).assign(cause=HOSTILE) if name == "gaps" else tables(name)  # noqa: E731
    results = Results(results.name, results.summary, results.terms, odd, results.water)
    assert len(gaps)
    for layer, lang in (("clinic", "en"), ("causes", "zh")):
        caplog.clear()
        assert size_of(picture(results, layer, lang=lang, size=SMALL)) == SMALL
        assert len([r for r in caplog.records if r.levelno >= logging.WARNING]) <= 1


def test_names_lose_what_acts_and_are_shortened():
    letters = Lettering.of("en")
    assert letters.name("a\u202e\u2066b\x00\x1b[1m\nc\u200d  d") == "ab[1m c d"
    assert letters.name("x" * 500, most=10) == "x" * 9 + "…"
    assert len(letters.name("e" + "\u0301" * 90)) <= 4
    assert letters.name("𓀀") == "□"
    assert letters.lost == {"𓀀"}


def test_lines_keep_to_their_width():
    letters = Lettering.of("zh")
    for text in (
        "Network, facilities and population " * 5,
        "路网、设施与人口均为模型，并非实测数据；" * 5,
        "x" * 300,
        "",
    ):
        lines = letters.wrap(text, 10, 120)
        assert all(letters.width(line, 10) <= 120 and line == line.strip() for line in lines)
        assert "".join("".join(lines).split()) == "".join(text.split())
    assert len(letters.wrap("a b " * 200, 10, 120, most=3)) == 3


def test_without_a_chinese_font_there_is_one_warning_and_english(results, monkeypatch, caplog):
    monkeypatch.setattr(lettering, "chinese_font", lambda: None)
    png = picture(results, "clinic", lang="zh", size=SMALL)
    warned = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(warned) == 1
    assert "fonts-noto-cjk" in warned[0]
    assert png == picture(results, "clinic", lang="en", size=SMALL)


def test_far_parts_are_moved_beside_the_others():
    import shapely

    near, far = shapely.box(0, 0, 10_000, 10_000), shapely.box(30_000, -60_000, 31_000, -59_000)
    frame = (0.0, 0.0, 500.0, 400.0)
    bounds, moved = insets.windows(np.array([near, far]), frame, 0.5)
    assert bounds[1] > -2000
    assert len(moved) == 1
    (x, y, wide, high), inside = moved[0]
    assert shapely.box(*inside).contains(far)
    assert (inside[2] - inside[0]) / wide == pytest.approx((bounds[2] - bounds[0]) / 500)
    assert x >= 0 <= y
    assert x + wide <= 500
    assert y + high <= 400
    bounds, moved = insets.windows(np.array([near, shapely.box(11_000, 0, 20_000, 9000)]), frame, 0.5)
    assert moved == []
    assert shapely.box(*bounds).contains(near)


@pytest.mark.parametrize("delta", [True, False])
def test_packed_arrays_open(delta):
    for values in ([], [5], [-3, 2**30, 0, -(2**30)]):
        assert unpack(pack(values, delta=delta)).tolist() == values


# ------------------------------------------------------------------------------------------------------ what is wrong


def test_an_unknown_layer_is_told_what_is_near(results):
    with pytest.raises(StandardError, match="did you mean 'clinic'"):
        picture(results, "clinik")
    with pytest.raises(StandardError, match="pixels"):
        picture(results, size=(10, 10))
    with pytest.raises(StandardError, match="language"):
        picture(results, lang="fr")


@pytest.mark.parametrize("how", ["gone", "empty", "garbage", "cut"])
@pytest.mark.parametrize(
    ("name", "layer"),
    [
        ("summary.json", "unmet"), ("manifest.json", "unmet"), ("cells.parquet", "clinic"), ("gaps.parquet", "gaps"),
        ("facilities.parquet", "facilities"), ("network.parquet", "unmet"), ("lifecircle.gpkg", "unmet"),
        ("coverage.html", "unmet"),
    ],
)  # fmt: skip
def test_a_damaged_file_is_named(spoilt, name, layer, how):
    path = spoilt / name
    if how == "gone":
        path.unlink()
    else:
        data = path.read_bytes()
        path.write_bytes({"empty": b"", "garbage": b"\xff\x00{" * 99, "cut": data[: len(data) // 2]}[how])
    if (name, how) == ("coverage.html", "gone"):  # only the water is missing then
        assert size_of(picture(Results.of_folder(spoilt), layer, size=SMALL)) == SMALL
        return
    with pytest.raises(DataError, match=name.replace(".", r"\.")):
        picture(Results.of_folder(spoilt), layer, size=SMALL)


@pytest.mark.parametrize(
    "change",
    [
        {"schema": 2}, {"classes": [{"layer": "unmet"}]}, {"figures": []}, {"services": {}}, {"title": 7}, {"zones": {}},
    ],
)  # fmt: skip
def test_a_summary_of_something_else_is_refused(spoilt, change):
    path = spoilt / "summary.json"
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | change), encoding="utf-8")
    with pytest.raises(DataError, match=r"summary\.json is not as lifecircle writes it"):
        Results.of_folder(spoilt)


def test_tables_of_another_run_are_refused(spoilt):
    path = spoilt / "summary.json"
    said = json.loads(path.read_text(encoding="utf-8"))
    said["classes"][0]["cells"][0] += 1
    said["services"]["clinic"]["facilities"] += 1
    path.write_text(json.dumps(said), encoding="utf-8")
    for layer in ("unmet", "facilities"):
        with pytest.raises(DataError, match="do not belong together"):
            picture(Results.of_folder(spoilt), layer, size=SMALL)
    cells = pd.read_parquet(spoilt / "cells.parquet").drop(columns="status")
    cells.to_parquet(spoilt / "cells.parquet")
    with pytest.raises(DataError, match=r"cells\.parquet"):
        picture(Results.of_folder(spoilt), "unmet", size=SMALL)


# ------------------------------------------------------------------------------------------------------- command line


def test_the_verb_writes_where_it_is_told(call, folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, out, err = call("map", folder, "--size", "480x320", "--png")
    assert (code, out, err) == (0, "town-unmet.png written\n", "")
    code, _, err = call("map", folder, "--png", "town.jpg")
    assert code == 2
    assert "town.jpg would hold what its name does not say" in " ".join(err.replace("│", " ").split())
    assert not (tmp_path / "town.jpg").exists()
    first = (tmp_path / "town-unmet.png").read_bytes()
    assert call("map", folder, "--png", "--size", "480x320", "--layer", "clinic", "--lang", "zh")[0] == 0
    assert size_of((tmp_path / "town-clinic.png").read_bytes()) == SMALL
    assert call("map", folder, "--layer", "park", "--png", "town-unmet.png", "--dpi", "48")[0] == 0
    replaced = (tmp_path / "town-unmet.png").read_bytes()
    assert size_of(replaced) == (640, 360)
    assert replaced != first
    assert sorted(path.name for path in tmp_path.iterdir()) == ["town-clinic.png", "town-unmet.png"]


def test_the_verb_lists_layers(call, folder, results):
    code, out, _ = call("map", folder, "--list", "--json", "--lang", "zh")
    assert code == 0
    rows = json.loads(out)
    assert [row["layer"] for row in rows] == list(legends.layers(results))
    assert {"步行至最近设施：诊所", "缺口：学校"} <= {row["what"] for row in rows}
    code, _, err = call("map", folder, "--layer", "scool")
    assert code == 2
    assert "did you mean 'school'" in err


def test_the_verb_never_overwrites_anything_else(call, folder, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    refused = {
        tmp_path / "notes.txt": "not a PNG picture", tmp_path: "is a folder", tmp_path / "no" / "x.png": "no folder",
        folder / "x.png": "among results",
    }  # fmt: skip
    for target, why in refused.items():
        code, _, err = call("map", folder, "--png", target, "--size", "480x320")
        assert code == 4
        assert why in err
    assert (tmp_path / "notes.txt").read_text() == "mine"
    assert not (folder / "x.png").exists()
    assert call("map", tmp_path)[0] == 3
    assert call("map", folder, "--size", "big")[0] == 2
