"""The report on paper: the figures of the short pages, and the copy that a browser prints."""

import io
import json
import logging
import re
import shutil
import time

import pandas as pd
import pypdf
import pytest

from lifecircle.assess.coverage import ALL
from lifecircle.assess.wording import cost_text, people_text, share_text
from lifecircle.errors import DataError, SourceError, StandardError
from lifecircle.publish import browser, lettering
from lifecircle.publish.lettering import Lettering
from lifecircle.publish.paper import _rules, blocks, paper
from lifecircle.publish.pen import Pen
from lifecircle.publish.results import Results
from lifecircle.publish.sheets import PAPER, Heading, Notice, Paragraph, Plate, Table, print_sheets

GAPS_ZH = Heading("主要缺口")
HOSTILE = "$\\frac{1}{0}$ </title><b>\u202eevil\x00\x1b[2J {0} %s _^_ " + "\u0301" * 30 + "\U000e0041𓀀"


@pytest.fixture(scope="module")
def folder(town_by_plan):
    return town_by_plan


@pytest.fixture(scope="module")
def results(folder):
    return Results.of_folder(folder)


@pytest.fixture(scope="module")
def summary(folder):
    return json.loads((folder / "summary.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def printed(results):
    """The short pages: all of them in English, headline and coverage in Chinese."""
    letters = Lettering.of("zh")
    some = [block for block in blocks(results, letters, abreast=7) if not isinstance(block, Plate)]
    chinese = print_sheets(results, letters.name(results.summary.title), some[: some.index(GAPS_ZH)], letters, "A4")
    return {"en": paper(results, lang="en"), "zh": chinese}


@pytest.fixture(scope="module")
def texts(printed):
    """What can be read on them."""
    return {lang: text_of(pdf) for lang, pdf in printed.items()}


def text_of(pdf):
    pages = pypdf.PdfReader(io.BytesIO(pdf)).pages
    return "".join("".join(page.extract_text() for page in pages).split())


def close(text):
    return "".join(text.split())


def part(results, heading, lang="en"):
    """Tables that stand under a heading."""
    found, here = [], False
    for block in blocks(results, Lettering.of(lang), abreast=7):
        if isinstance(block, Heading):
            here = block.text == heading
        elif here and isinstance(block, Table):
            found.append(block)
    return found


# ------------------------------------------------------------------------------------------------------------- figures


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_every_coverage_figure_of_the_summary_is_on_paper(summary, texts, lang):
    text = texts[lang]
    assert len(summary["figures"]) > 50
    for f in summary["figures"]:
        if f["measure"] == "people" and f["total"]:
            assert close(f"{people_text(f['met'])}/{people_text(f['total'])}").replace("fewerthan1", "") in text
            assert close(share_text(f["met"], f["total"])) in text


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_headline_is_that_of_the_report(folder, results, texts, lang):
    page, text = close((folder / "index.html").read_text(encoding="utf-8")), texts[lang]
    said = [b.text for b in blocks(results, Lettering.of(lang), abreast=7) if isinstance(b, Paragraph) and not b.small]
    assert len(said) == 4
    for sentence in said:
        assert close(sentence) in page
        assert close(sentence) in text
    assert close(summary_title(results, lang)) in text


def summary_title(results, lang):
    return results.summary.title_zh if lang == "zh" and results.summary.title_zh else results.summary.title


def test_the_coverage_table_is_the_summary_cell_by_cell(results, summary):
    by = {(f["zone"], f["service"]): f for f in summary["figures"] if f["measure"] == "people"}
    zones = {"Region": "region"} | {zone["name"]: key for key, zone in summary["zones"].items()}
    services = {"All services": ALL} | {one["title"]: key for key, one in summary["services"].items()}
    seen = 0
    for table in part(results, "Coverage by zone and service"):
        for row in table.rows:
            for head, cell in zip(table.heads[1:], row[1:], strict=True):
                f = by[zones[head], services[row[0].text]]
                assert cell.text == share_text(f["met"], f["total"])
                if f["total"]:
                    assert cell.small.split("\n")[0] == f"{people_text(f['met'])} / {people_text(f['total'])}"
                seen += 1
    assert seen == len(zones) * len(services)


def test_gaps_are_those_of_the_summary(results, summary):
    (table,) = part(results, "Largest gaps")
    assert len(table.rows) == len(summary["largest_gaps"]) > 0
    for gap, row in zip(summary["largest_gaps"], table.rows, strict=True):
        service = summary["services"][gap["service"]]
        far = summary["cutoff"][service["cost"]]["value"]
        assert [cell.text for cell in row[:4]] == [
            service["title"], people_text(gap["people"]), f"{gap['area_m2'] / 1e6:.2f}",
            cost_text(gap["worst"], gap["unit"], far),
        ]  # fmt: skip
        assert row[5].text == gap["wording"]


def test_the_scorecard_is_the_table_of_the_folder(results, folder, summary):
    (table,) = part(results, "Scorecard")
    frame = pd.read_parquet(folder / "scorecard.parquet")
    rules = frame[(frame["zone"] == "region") & (frame["kind"] != "promise")].to_dict("records")
    assert len(rules) > 5
    for told, row in zip(rules, table.rows, strict=True):
        if told["kind"] in {"service", "composite", "together", "all"} and told["denominator"] == told["denominator"]:
            assert row[2].text == share_text(told["numerator"], told["denominator"])
            pair = f"{people_text(told['numerator'])} / {people_text(told['denominator'])}"
            assert row[2].small == (pair if told["denominator"] else "")
        if told["value"] != told["value"]:
            assert row[2].text in {"–", "no residents"}
        said = {"full": "met", "not full": "not met", "unknown": "unknown", "absent": "none in the data"}[
            told["verdict"]
        ]
        assert row[3].text == next((r["wording"] for r in summary["clauses"] if r["rule"] == told["rule"]), said)
        if not pd.isna(told["year"]):
            assert row[1].text == f"Region, {told['year']}"


def test_supply_is_counted_in_chinese(results):
    """Units of several words are said whole, not the one English word replaced that comes first."""
    frame = results.table("scorecard")
    (row,) = frame[frame["kind"] == "promise"].head(1).to_dict("records")
    row |= {"measure": "m² floor", "value": 33.61, "numerator": 1.0, "denominator": 1.0, "unknown": 2.0}
    (told,) = _rules(results, Lettering.of("zh"), [row]).rows
    assert told[2].text == "≥ 33.61 平方米建筑面积 / 千人"


def test_promises_are_told_of_their_own_place_and_year(results, summary):
    (table,) = part(results, "What the plan promises")
    assert len(summary["promises"]) > 10
    zones = {key: zone["name"] for key, zone in summary["zones"].items()} | {"region": "Region"}
    for promise, row in zip(summary["promises"], table.rows, strict=True):
        assert (row[0].text, row[3].text) == (promise["title"], promise["wording"])
        exact = [
            f for f in promise["found"] if f["zone"] == (promise["zone"] or "region") and f["year"] == promise["year"]
        ]
        for found in exact[:1]:
            year = "" if found["year"] is None else f", {found['year']}"
            assert row[1].text == f"{zones.get(found['zone'], found['zone'])}{year}"
            if found["measure"] == "people" and found["value"] is not None:
                assert row[2].text == share_text(found["numerator"], found["denominator"])


def test_the_method_is_that_of_the_report(results, folder):
    page = (folder / "index.html").read_text(encoding="utf-8")
    for lang, heading in (("en", "Method"), ("zh", "方法")):
        (table,) = part(results, heading, lang)
        assert len(table.rows) > 15
        for label, text in table.rows:
            assert label.text.replace("'", "&#x27;") in page
            assert close(text.text.replace("&", "&amp;").replace("'", "&#x27;").rstrip("…")) in close(page)


# --------------------------------------------------------------------------------------------------------------- pages


@pytest.mark.parametrize("size", ["A4", "A3"])
def test_nothing_lies_outside_the_sheet(results, size, monkeypatch):
    placed, (wide, high) = [], PAPER[size]
    write = Pen.text

    def note(pen, x, y, text, letters, *, bold=False, **more):
        width = pen.letters.width(text, letters, bold=bold)
        placed.append((x - width if more.get("ha") == "right" else x, y, width, text))
        write(pen, x, y, text, letters, bold=bold, **more)

    monkeypatch.setattr(Pen, "text", note)
    letters = Lettering.of("zh")
    some = [block for block in blocks(results, letters, abreast=7) if not isinstance(block, Plate)]
    half = some.index(GAPS_ZH)
    some = some[:half] if size == "A3" else some[half:]
    made = print_sheets(results, "题" * 90, some, letters, size)
    for page in pypdf.PdfReader(io.BytesIO(made)).pages:
        assert tuple(page.mediabox[2:]) == pytest.approx((wide, high), abs=0.1)
    assert len(placed) > 50
    odd = [one for one in placed if not (one[0] > 30 and one[0] + one[2] < wide - 30 and 30 < one[1] < high - 30)]
    assert odd == []


def test_the_same_pages_have_the_same_bytes_and_no_clock(folder, printed):
    made = []
    for _ in range(2):
        results, letters = Results.of_folder(folder), Lettering.of("zh")
        some = [Notice("某"), Plate("unmet"), part(results, "主要缺口", "zh")[0]]
        made.append(print_sheets(results, "某", some, letters, "A3"))
    assert made[0] == made[1]
    for pdf in (*printed.values(), *made):
        assert b"CreationDate" not in pdf
        assert "matplotlib" not in str(pypdf.PdfReader(io.BytesIO(pdf)).metadata).casefold()


def test_hostile_names_are_printed_as_text(folder, tmp_path, caplog):
    spoilt = shutil.copytree(folder, tmp_path / "spoilt")
    said = json.loads((spoilt / "summary.json").read_text(encoding="utf-8"))
    said["title"] = said["title_zh"] = said["notice"] = HOSTILE * 9
    said["notice_zh"] = None
    for named in (*said["zones"].values(), *said["services"].values(), *said["clauses"], *said["promises"]):
        named |= {"title" if "title" in named else "name": HOSTILE, "title_zh": HOSTILE, "name_zh": HOSTILE}
    for gap in said["largest_gaps"]:
        gap["wording"] = HOSTILE * 30
    (spoilt / "summary.json").write_text(json.dumps(said), encoding="utf-8")
    results, letters = Results.of_folder(spoilt), Lettering.of("en")
    some = [block for block in blocks(results, letters, abreast=7) if not isinstance(block, Plate)]
    text = text_of(print_sheets(results, letters.name(results.summary.title), some[:9], letters, "A4"))
    letters.finish()
    assert close("$\\frac{1}{0}$ </title><b>evil[2J {0} %s _^_") in text
    assert len([record for record in caplog.records if record.levelno >= logging.WARNING]) == 1  # a letter nobody has


def test_without_a_chinese_font_there_is_one_warning_and_english(results, monkeypatch, caplog):
    monkeypatch.setattr(lettering, "chinese_font", lambda: None)
    monkeypatch.setattr("lifecircle.publish.paper.blocks", lambda _, letters, **__: [Heading(letters.name("a", "某"))])
    made = paper(results, lang="zh")
    assert len([record for record in caplog.records if record.levelno >= logging.WARNING]) == 1
    assert text_of(made).startswith(close("town: life circle a"))


def test_paper_that_does_not_exist(results):
    for odd in ({"size": "A5"}, {"lang": "fr"}):
        with pytest.raises(StandardError):
            paper(results, **odd)


@pytest.mark.parametrize("name", ["scorecard.parquet", "manifest.json", "cells.parquet"])
def test_a_damaged_file_is_named(folder, tmp_path, name):
    spoilt = shutil.copytree(folder, tmp_path / "spoilt")
    (spoilt / name).write_bytes(b"{}")
    with pytest.raises(DataError, match=name.replace(".", r"\.")):
        paper(Results.of_folder(spoilt))


# ---------------------------------------------------------------------------------------------- what a browser is given


def test_the_copy_for_a_browser_runs_nothing_and_leads_nowhere(folder):
    page = folder / "index.html"
    for lang in ("en", "zh"):
        copy = browser.page(page, lang, "A3")
        assert "script-src 'none'" in copy
        assert copy.count("Content-Security-Policy") == 1
        assert "<a href" not in copy
        assert all(link.startswith("data:image/png") for link in re.findall(r'href="([^"]*)', copy))
        assert "<details>" not in copy
        assert "size: A3" in copy
        assert re.findall(r'id="lang-(..)" checked', copy) == [lang]
    assert '<html lang="zh-CN">' in copy
    assert "：生活圈</title>" in copy


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text[: len(text) // 2],
        lambda text: text.replace("<title>", '<meta http-equiv="refresh" content="0;url=file:///etc/hostname"><title>'),
        lambda text: text.replace('id="lang-en" checked', 'id="lang-en"'),
        lambda _: "<html>something else</html>",
        lambda _: "",
    ],
)  # fmt: skip
def test_another_page_is_not_printed(folder, tmp_path, change):
    path = tmp_path / "index.html"
    path.write_text(change((folder / "index.html").read_text(encoding="utf-8")), encoding="utf-8")
    with pytest.raises(DataError, match=r"index\.html"):
        browser.page(path, "en", "A4")
    path.unlink()
    with pytest.raises(DataError, match="not there"):
        browser.page(path, "en", "A4")


def program(path, text):
    path.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
    path.chmod(0o755)
    return str(path)


def test_a_program_that_hangs_or_fails_is_told_of(results, tmp_path):
    start = time.monotonic()
    with pytest.raises(SourceError, match=r"not done after 0\.4 s"):
        browser.printed(results, program(tmp_path / "slow", "sleep 50 & sleep 50"), deadline_s=0.4)
    assert time.monotonic() - start < 10
    with pytest.raises(SourceError, match="exit code 7: no display"):
        browser.printed(results, program(tmp_path / "bad", "echo no display >&2; exit 7"))
    with pytest.raises(SourceError, match="wrote no PDF"):
        browser.printed(results, program(tmp_path / "idle", "exit 0"))
    with pytest.raises(SourceError, match="--plain"):
        browser.printed(results, str(tmp_path / "nothing"))
    with pytest.raises(SourceError, match="LIFECIRCLE_CHROMIUM"):
        browser.find(str(tmp_path / "nothing"))


def test_the_clock_gives_way_to_the_date_of_the_data():
    made = b"%PDF-1.4 /CreationDate (D:20261201111558+00'00') /ModDate (D:20261201111558+00'00')"
    dated = browser._dated(made, "2024-12-31T08:00:00Z")
    assert dated.count(b"(D:20241231000000+00'00')") == 2
    assert len(dated) == len(made)
    for unknown in (None, "", "soon", "2024-13-77", "２０２４-12-31"):
        assert browser._dated(made, unknown).count(b"(D:19700101000000") == 2


# -------------------------------------------------------------------------------------------------------- command line


def test_the_verb_prints_short_pages_where_there_is_no_browser(call, folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(browser, "NAMES", ("no-such-browser",))
    monkeypatch.delenv("LIFECIRCLE_CHROMIUM", raising=False)
    monkeypatch.setattr("lifecircle.publish.paper.paper", lambda *_, lang, size: f"%PDF-{lang}-{size}".encode())
    code, out, err = call("report", folder, "--pdf")
    assert (code, out) == (0, "out.pdf written\n")
    assert "No Chromium" in err
    assert (tmp_path / "out.pdf").read_bytes() == b"%PDF-en-A4"
    code, out, err = call("report", folder, "--plain", "--lang", "zh", "--paper", "A3", "--pdf", "b.pdf", "--json")
    assert (code, err) == (0, "")
    assert json.loads(out) == [{"path": "b.pdf", "notice": ""}]
    assert (tmp_path / "b.pdf").read_bytes() == b"%PDF-zh-A3"
    (tmp_path / "mine.pdf").write_text("mine")
    code, _, err = call("report", folder, "--pdf", "mine.pdf", "--plain")
    assert code == 4
    assert "not a PDF" in err
    monkeypatch.setenv("LIFECIRCLE_CHROMIUM", str(tmp_path / "nothing"))
    assert call("report", folder)[0] == 4
