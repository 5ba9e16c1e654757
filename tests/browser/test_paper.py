"""The report printed by Chromium: every figure of the summary, one language, the paper asked for."""

from __future__ import annotations

import io
import json
import os
import re
import unicodedata
from typing import TYPE_CHECKING

import pypdf
import pytest

from lifecircle.assess.wording import people_text, share_text
from lifecircle.publish import browser as chromium
from lifecircle.publish.lettering import Lettering
from lifecircle.publish.paper import blocks
from lifecircle.publish.results import Results
from lifecircle.publish.sheets import Heading, Paragraph

if TYPE_CHECKING:
    from pathlib import Path

SHEETS = {"A4": (595.28, 841.89), "A3": (841.89, 1190.55)}


@pytest.fixture(scope="module")
def program() -> str:
    """A Chromium; without one the tests skip, but not in CI, where that would hide everything."""
    path = chromium.find()
    if path is None:
        reason = "no Chromium found: nothing was printed"
        if os.environ.get("CI"):
            pytest.fail(reason)
        print(reason)  # noqa: T201  a skip without a word looks like a pass
        pytest.skip(reason)
    return path


@pytest.fixture(scope="module")
def folder(town_by_plan: Path) -> Path:
    """The golden town, by a standard that has everything a report can show."""
    return town_by_plan


@pytest.fixture(scope="module")
def english(folder: Path, program: str) -> bytes:
    """Its report in English."""
    return chromium.printed(Results.of_folder(folder), program)


def close(text: str) -> str:
    """Take away what printing changes: spaces, line ends, ligatures, and radicals that look like letters."""
    return "".join(unicodedata.normalize("NFKC", text).split())


@pytest.mark.parametrize(("lang", "size"), [("en", "A4"), ("zh", "A3")])
def test_the_printed_report_has_every_figure(folder: Path, program: str, english: bytes, lang: str, size: str) -> None:
    results = Results.of_folder(folder)
    made = english if lang == "en" else chromium.printed(results, program, lang=lang, size=size)
    reader = pypdf.PdfReader(io.BytesIO(made))
    for page in reader.pages:
        assert tuple(page.mediabox[2:]) == pytest.approx(SHEETS[size], abs=1.0)
        assert not page.get("/Annots", [])
    text = close("".join(page.extract_text() for page in reader.pages))
    summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    told = 0
    for f in summary["figures"]:
        if f["measure"] == "people" and f["total"] and f["met"]:
            pair = close(f"{people_text(f['met'])} / {people_text(f['total'])}")
            assert pair in text, f
            assert close(share_text(f["met"], f["total"])) in text, f
            told += 1
    assert told > 12
    said = list(blocks(results, Lettering.of(lang), abreast=7))
    sentences = [b.text for b in said if isinstance(b, Paragraph) and not b.small]
    assert len(sentences) == 4
    for sentence in sentences:
        # Some letters come back as radicals that look the same.
        letters = [re.escape(c) if c.isascii() else f"[{re.escape(c)}\u2e80-\u2eff]" for c in close(sentence)]
        assert re.search("".join(letters), text), sentence
    heads = {b.text for b in said if isinstance(b, Heading)} - {"Scorecard", "评分表"}  # the page has it in two parts
    assert all(close(head) in text for head in heads)
    other = {"en": "生活圈是否完整", "zh": "Is the life circle complete"}[lang]
    assert close(other) not in text
    # What is folded on a screen is open on paper: promises by zone and year.
    assert close({"en": "By zone and year", "zh": "分区分年"}[lang]) in text
    assert reader.metadata is not None
    assert str(reader.metadata.creation_date)[:10] == "2024-06-01"


@pytest.mark.parametrize("lines", [0, 24, *(pytest.param(n, marks=pytest.mark.prove) for n in (8, 16, 32, 40))])
def test_no_heading_stands_at_the_foot_of_a_page(folder: Path, program: str, tmp_path: Path, lines: int) -> None:
    """Wherever pages break: with more and more lines above them."""
    text = (folder / "index.html").read_text(encoding="utf-8")
    page = tmp_path / "out" / "index.html"
    page.parent.mkdir()
    page.write_text(text.replace("<main>", "<main>" + "<p>more</p>" * lines, 1), encoding="utf-8")
    results = Results.of_folder(folder)
    made = chromium.printed(
        Results(str(page.parent), results.summary, results.terms, results.tables, results.water), program
    )
    heads = {
        close(re.sub("<span class=zh.*?</span>|<[^>]*>", "", one)) for one in re.findall("<h[23]>(.*?)</h[23]>", text)
    }
    assert len(heads) > 9
    for sheet in pypdf.PdfReader(io.BytesIO(made)).pages:
        said = [close(line) for line in sheet.extract_text().splitlines() if line.strip()]
        said = [line for line in said if not re.fullmatch(r"\d+/\d+|gap.*water", line)]
        assert said[-1] not in heads


def test_the_same_page_is_printed_to_the_same_bytes(folder: Path, program: str, english: bytes) -> None:
    assert chromium.printed(Results.of_folder(folder), program) == english


def test_a_page_that_would_ask_for_something_asks_in_vain(folder: Path, program: str, tmp_path: Path) -> None:
    """Scripts, frames and pictures slipped into a page of results do nothing on paper."""
    secret = tmp_path / "secret.html"
    secret.write_text("<p>SECRET</p>", encoding="utf-8")
    text = (folder / "index.html").read_text(encoding="utf-8")
    evil = (
        f'<iframe src="{secret.as_uri()}"></iframe><object data="{secret.as_uri()}"></object>'
        f'<script>document.body.append("SCRIPTED"); location = "{secret.as_uri()}"</script><img src=x onerror="document.body.append(\'SCRIPTED\')">'
    )
    page = tmp_path / "out" / "index.html"
    page.parent.mkdir()
    page.write_text(text.replace("<main>", f"<main>{evil}", 1), encoding="utf-8")
    results = Results.of_folder(folder)
    moved = Results(str(page.parent), results.summary, results.terms, results.tables, results.water)
    made = chromium.printed(moved, program)
    told = "".join(sheet.extract_text() for sheet in pypdf.PdfReader(io.BytesIO(made)).pages[:2])
    assert "SECRET" not in told
    assert "SCRIPTED" not in told
    assert "Is the life circle complete?" in told
