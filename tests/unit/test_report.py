import json
import re
from html import escape
from itertools import pairwise

import pytest
import town
from drawn import boundary

from lifecircle.assess.wording import share_text
from lifecircle.study import Study

HOSTILE = [
    "<script>alert(1)</script>",
    "\"'><img src=x onerror=alert(1)>",
    "${alert(1)}{{7*7}}",
    "\u202eevil\u2066",
    "x" * 10_000,
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    here = tmp_path_factory.mktemp("town")
    return Study.from_toml(town.draw(here)).changed(notice="A MODEL & no survey").run().write(here / "out")


def test_pages_hold_no_reference_that_leaves_them(folder):
    for name in ("index", "coverage", "gaps"):
        text = (folder / f"{name}.html").read_text(encoding="utf-8")
        assert "Content-Security-Policy" in text[:400]
        text = re.sub(r"<script.*?</script>", "", text, flags=re.DOTALL)
        for found in re.findall(r"""(?:src|href|action)\s*=\s*["']([^"']+)""", text):
            assert found.startswith(("data:", "#")) or (folder / found.partition("#")[0]).exists(), found
        assert not re.search(r"url\(\s*[\"']?(?!data:|#)", text)


def test_a_gap_leads_to_its_home_with_most_people(folder):
    import geopandas as gpd

    cells = gpd.read_parquet(folder / "cells.parquet")
    named = re.findall(r'href="coverage\.html#cell=([^"]+)"', (folder / "index.html").read_text(encoding="utf-8"))
    assert named
    assert set(named) <= set(cells["cell_id"])
    missing = cells.set_index("cell_id")["missing"]
    assert all(missing[cell] is None or len(missing[cell]) for cell in named)


def test_the_notice_and_the_credit_stand_on_every_page(folder):
    for name in ("index", "coverage", "gaps"):
        text = (folder / f"{name}.html").read_text(encoding="utf-8")
        assert "A MODEL &amp; no survey" in text or "A MODEL \\u0026 no survey" in text
        assert "OpenStreetMap contributors" in text
    summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    assert summary["notice"] == "A MODEL & no survey"


def test_the_report_tells_mode_threshold_and_denominator(folder):
    text = (folder / "index.html").read_text(encoding="utf-8")
    for said in ("1.33 m/s", "within 4 min", "within 300 m", "stay in it", "all walks level", "made up", "45.9 %"):
        assert said in text
    assert text.count("<script") == 1  # the report's own, named in its policy


def test_shares_in_the_report_are_those_of_the_summary(folder):
    text = (folder / "index.html").read_text(encoding="utf-8")
    summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    for figure in summary["figures"]:
        if figure["measure"] == "people":
            assert share_text(figure["met"], figure["total"]).replace(">", "&gt;").replace("<", "&lt;") in text


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_zone_names_stay_text(tmp_path, text):
    study = town.draw(tmp_path)
    boundary(
        tmp_path / "boundary.geojson", ("west", "zone", -300, -300, 500, 1100), ("east", "zone", 500, -300, 2100, 1100)
    )
    raw = json.loads((tmp_path / "boundary.geojson").read_text())
    for feature in raw["features"]:
        feature["properties"]["name"] = text
    (tmp_path / "boundary.geojson").write_text(json.dumps(raw))
    out = Study.from_toml(study).changed(title=text, notice=text).run().write(tmp_path / "out")
    index = (out / "index.html").read_text(encoding="utf-8")
    assert index.count("<script") == 1  # the report's own
    assert "<img" not in index
    for name in ("coverage", "gaps"):
        page = (out / f"{name}.html").read_text(encoding="utf-8")
        assert "<script>alert" not in page
        assert "<img src=x" not in page


def test_bars_name_the_band_they_are_of(folder):
    """A part of a bar is what lies between two limits, not all up to one."""
    text = (folder / "index.html").read_text(encoding="utf-8")
    bars = re.findall(r"<tr><th scope=row>.*?<div class=walk .*?</tr>", text)
    layers = [one for one in json.loads((folder / "summary.json").read_text("utf-8"))["classes"] if one["service"]]
    assert len(bars) == len(layers)
    told = 0
    for layer in layers:
        words = [limit / 60 if layer["unit"] == "s" else limit for limit in layer["limits"]]
        bands = [f"≤ {words[0]:g} ", *(f"{a:g}–{b:g} " for a, b in pairwise(words)), f"> {words[-1]:g} "]
        for band, colour, people in zip(bands, layer["colours"], layer["people"], strict=False):
            assert f'<i style="background:{colour}"></i><span class=en lang=en>{escape(band)}' in text
            share = share_text(people, sum(layer["people"]))
            if people:
                told_in = f'(?<!≤ )(?<!&gt; )(?<!–){re.escape(escape(band))}[^"]*?: {re.escape(escape(share))}"'
                assert any(re.search(told_in, bar) for bar in bars), told_in
                told += 1
    assert told > 6


def test_picture_and_map_have_the_same_classes(folder):
    text = (folder / "index.html").read_text(encoding="utf-8")
    classes = json.loads((folder / "summary.json").read_text(encoding="utf-8"))["classes"]
    unmet = next(one for one in classes if one["layer"] == "unmet")
    caption = re.search(r"<figcaption class=key>(.*?)</figcaption>", text)[1]
    assert re.findall(r"background:(#\w+)", caption)[: len(unmet["colours"])] == unmet["colours"]
    assert "1 unmet" in caption


def test_the_picture_moves_far_parts_beside_the_others(tmp_path):
    study = town.draw(tmp_path)
    boundary(
        tmp_path / "boundary.geojson",
        ("full", "zone", -300, -300, 2100, 1100),
        ("far", "zone", 30_000, -60_000, 30_200, -59_800),
    )
    text = Study.from_toml(study).run().page("index")
    assert text.count("moved here, same scale") == 1
    assert "moved here" not in Study.from_toml(town.draw(tmp_path)).run().page("index")


def test_no_column_of_clauses_stands_empty(folder):
    """The town's standard has none; the table says what its verdicts are held to."""
    text = (folder / "index.html").read_text(encoding="utf-8")
    table = text[text.index("The standard, clause by clause") :]
    table = table[: table.index("</section>")]
    assert "the mark is 100 %" in table
    assert ">Clause<" not in table
    assert len(re.findall("<th scope=col", table)) == len(
        re.findall("<t[hd]", table[table.index("<tbody>") :].split("</tr>")[0])
    )


def test_chinese_has_a_space_between_figure_and_word_and_one_word_for_a_cell(folder):
    for name in ("index", "coverage", "gaps"):
        text = (folder / f"{name}.html").read_text(encoding="utf-8")
        text = re.sub(r"\\u([0-9a-f]{4})", lambda found: chr(int(found[1], 16)), text)
        assert not re.findall(r"[\d%][人个公米分].{9}", text), name
        assert "网格" not in text
        assert "格网" in text
        assert "1 parts" not in text


def test_nobody_lives_in_a_zone(tmp_path):
    study = town.draw(tmp_path)
    boundary(
        tmp_path / "boundary.geojson",
        ("full", "zone", -300, -300, 2100, 1100),
        ("empty", "overlay", 100, -200, 200, -100),
    )
    result = Study.from_toml(study).run()
    assert "no residents" in result.page("index")
    figure = next(f for f in result.coverage.figures() if f.zone == "empty" and f.service == "clinic")
    assert figure.share is None
