"""The page as text: nothing hostile gets out of its data block, nothing is fetched, nothing is random."""

from __future__ import annotations

import base64
import dataclasses
import gzip
import hashlib
import json
import re
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest

from lifecircle.publish import leaflet, maps

HOSTILE = [
    "</script><script>alert(1)</script>",
    "<!--<script>",
    "<img src=x onerror=alert(1)>",
    "\"'`>&amp;&lt;",
    "${alert(1)}",
    "{{ 7 * 7 }}{% raw %}{# x #}",
    "slot:leaflet slot:policy slot:data \\1 \\g<0>",
    "\u202eevil\u202c\u2066x\u2069",
    "line\u2028end\u2029",
    "\ud800 alone",
    "A" * 10_240,
]


def unpack(packed: dict[str, Any]) -> np.ndarray:
    """Undo ``pack`` the way the page does."""
    planes = np.frombuffer(gzip.decompress(base64.b64decode(packed["zip"])), dtype=np.uint8).reshape(
        packed["width"], -1
    )
    folded = sum(plane.astype(np.int64) << (8 * i) for i, plane in enumerate(planes))
    numbers = (folded >> 1) ^ -(folded & 1)
    return np.cumsum(numbers) if packed["delta"] else numbers


def scene(text: str = "plain", **changes: Any) -> maps.Scene:
    """Return a scene of six cells with ``text`` in every string field."""
    column = np.arange(6.0)
    corner = np.stack([121.9 + column * 0.001, np.full(6, 30.9)], axis=1)
    quads = corner[:, None] + np.array([[0, 0], [0.001, 0], [0.001, -0.001], [0, -0.001]])
    square = np.array([[121.9, 30.899], [121.906, 30.899], [121.906, 30.9], [121.9, 30.9]])
    shapes = maps.Shapes(rings=[[square]], names=[text], names_zh=[text])
    services = [
        maps.ServiceLayer(
            key=text,
            title=text,
            title_zh=text,
            unit=unit,
            threshold=threshold,
            cost=text,
            values=np.array([100.0, threshold, threshold + 0.03125, np.nan, 100.0, np.nan], dtype=np.float32),
            met=np.array([1, 1, 0, 0, 1, -1], dtype=np.int8),
            count=np.array([2, 1, 0, 0, 1, -1], dtype=np.int32),
        )
        for unit, threshold in (("s", 900.0), ("m", 500.0))
    ]
    fields: dict[str, Any] = {
        "kind": "coverage",
        "title": text,
        "title_zh": text,
        "notice": text,
        "notice_zh": text,
        "attribution": [text, "© OpenStreetMap contributors, ODbL"],
        "data_date": text,
        "cells": maps.CellGrid(
            quads=quads,
            population=np.array([10.0, 20.5, 30.0, np.nan, 0.01, 5.0]),
            zone=np.array([0, 0, 0, 0, 0, -1], dtype=np.int16),
            cell_ids=[f"r0c{i}" for i in range(5)] + [text],
            status=np.array([0, 0, 0, 0, 0, 1], dtype=np.uint8),
        ),
        "services": services,
        "streets": maps.Streets(xy=square, offsets=np.array([0, 2, 4]), rank=np.array([0, 2], dtype=np.uint8)),
        "water": shapes,
        "zones": shapes,
        "overlays": shapes,
        "facilities": maps.Facilities(
            lon=square[:1, 0], lat=square[:1, 1], service=np.array([0]), names=[text], planned=np.array([True])
        ),
        "gaps": [
            maps.Gap(
                service=text, people=3.0, area_m2=1e4, worst=None, cause=text, cause_zh=text, zone=text, rings=[square]
            )
        ],
        "facts": [(text, text)],
        "facts_zh": [(text, text)],
        "headline": [text],
        "headline_zh": [text],
    }
    return maps.Scene(**(fields | changes))


class Reader(HTMLParser):
    """Collects what a browser would see: tags with attributes, and the text of scripts and styles."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.blocks: list[tuple[str, dict[str, str | None], str]] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Remember the tag."""
        self.tags.append((tag, dict(attrs)))
        if tag in {"script", "style"}:
            self.blocks.append((tag, dict(attrs), ""))

    def handle_data(self, data: str) -> None:
        """Add text to the open script or style."""
        if self.cdata_elem:
            tag, attributes, text = self.blocks[-1]
            self.blocks[-1] = (tag, attributes, text + data)


def data_of(page: str) -> dict[str, Any]:
    """Return the JSON the page carries."""
    (block,) = [text for _, attributes, text in Reader(page).blocks if attributes.get("id") == "lc-scene"]
    value: dict[str, Any] = json.loads(block)
    return value


PLAIN = leaflet.render(scene())


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_stays_in_its_data_block(text: str) -> None:
    page = leaflet.render(scene(text))
    page.encode("utf-8")
    shape = [(tag, sorted(attributes)) for tag, attributes in Reader(page).tags]
    assert shape == [(tag, sorted(attributes)) for tag, attributes in Reader(PLAIN).tags]
    data = data_of(page)
    assert data["title"] == text
    assert data["services"][0]["title"] == text
    assert data["facilities"]["names"] == [text]
    assert data["gaps"]["abouts"][0]["cause"] == text
    start = page.index('id="lc-scene">') + len('id="lc-scene">')
    block = page[start : page.index("</script>", start)]
    assert block.isascii()
    assert not set("<>&") & set(block)
    # Outside of the block the text does not occur at all: the page is the same but for data and digests.
    strip = re.compile(r'id="lc-scene">.*?</script>', re.DOTALL)
    assert strip.sub("", page) == strip.sub("", PLAIN)


def test_same_scene_same_bytes() -> None:
    assert leaflet.render(scene()) == PLAIN
    assert leaflet.render(scene(kind="gaps")) == leaflet.render(scene(kind="gaps"))


@pytest.mark.parametrize("kind", ["coverage", "gaps"])
def test_nothing_can_be_fetched(kind: str) -> None:
    reader = Reader(leaflet.render(scene(kind=kind)))
    fetching = {"src", "href", "srcset", "action", "data", "poster", "background", "xlink:href"}
    assert not [tag for tag, attributes in reader.tags if fetching & set(attributes)]
    assert not [tag for tag, _ in reader.tags if tag in {"link", "iframe", "object", "embed", "base", "form", "img"}]
    assert not [a for _, attributes in reader.tags for a in attributes if a.startswith("on")]
    for tag, attributes, text in reader.blocks:
        assert "sourceMappingURL" not in text
        if tag == "style":
            assert "@import" not in text
            assert all(url.startswith(("data:", "#")) for url in re.findall(r"url\(\s*['\"]?([^)]*)", text))
            assert "http" not in re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
        elif "type" not in attributes and "L.version" not in text and "leafletjs" not in text:
            assert "http" not in re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
            assert not re.search(
                r"\b(innerHTML|outerHTML|insertAdjacentHTML|eval|fetch|XMLHttpRequest)\b|new Function", text
            )


@pytest.mark.parametrize("kind", ["coverage", "gaps"])
def test_policy_names_every_script(kind: str) -> None:
    page = leaflet.render(scene(kind=kind))
    reader = Reader(page)
    assert re.match(r'<!DOCTYPE html>\s*<html lang="en">\s*<head>\s*<meta http-equiv="Content-Security-Policy"', page)
    policy = next(a["content"] for t, a in reader.tags if a.get("http-equiv") == "Content-Security-Policy") or ""
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    scripts = [text for tag, attributes, text in reader.blocks if tag == "script" and "type" not in attributes]
    digests = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in scripts]
    assert len(scripts) == 2
    assert rules.pop("script-src").split() == [f"'sha256-{digest}'" for digest in digests]
    assert rules == {
        "default-src": "'none'",
        "style-src": "'unsafe-inline'",
        "img-src": "data:",
        "worker-src": "blob:",
        "base-uri": "'none'",
        "form-action": "'none'",
    }


@pytest.mark.parametrize("delta", [True, False])
@pytest.mark.parametrize("values", [[], [0], [-1], [2**30, -(2**30) + 1], list(range(-300, 300, 7)), [65535, 0, 65536]])
def test_pack_round_trip(values: list[int], *, delta: bool) -> None:
    assert unpack(maps.pack(values, delta=delta)).tolist() == values


def test_pack_refuses_what_does_not_fit() -> None:
    with pytest.raises(ValueError, match="32 bits"):
        maps.pack([1 << 40])


def test_cells_and_costs_arrive() -> None:
    made = scene()
    data = data_of(PLAIN)
    cells = data["cells"]
    corners = unpack(cells["corners"]).reshape(4, 2, 6)
    corners[1:] += corners[0]
    np.testing.assert_allclose(corners.transpose(2, 0, 1) * cells["step"], made.cells.quads, atol=0.6e-6)
    assert unpack(cells["tenths"]).tolist() == [100, 205, 300, -1, 1, 50]
    assert cells["ids"]["list"][:2] == ["r0c0", "r0c1"]
    # Rounded up: one thirty-second of a second beyond the standard is beyond it on the page too.
    assert unpack(data["services"][0]["values"]).tolist() == [100, 900, 901, -1, 100, -1]


def test_regular_cell_ids_travel_as_numbers() -> None:
    cells = dataclasses.replace(scene().cells, cell_ids=[f"r{i}c{i * i}" for i in range(6)])
    ids = data_of(leaflet.render(scene(cells=cells)))["cells"]["ids"]
    assert unpack(ids["row"]).tolist() == list(range(6))
    assert unpack(ids["col"]).tolist() == [i * i for i in range(6)]
    padded = dataclasses.replace(cells, cell_ids=["r00c1", *cells.cell_ids[1:]])
    assert data_of(leaflet.render(scene(cells=padded)))["cells"]["ids"]["list"][0] == "r00c1"


def test_layer_classes_and_people() -> None:
    unmet, time, metres, people = data_of(PLAIN)["layers"]
    assert unmet["limits"] == [0, 1]
    # Cells 0, 1, 4 have all, 2 and 3 miss both, 5 is unsnapped.
    assert unmet["cells"] == [3, 0, 2, 1]
    assert unmet["people"] == pytest.approx([30.5 + 0.01, 0.0, 30.0, 5.0], abs=1e-3)
    assert time["limits"] == [300.0, 600.0, 900.0, 1200.0, 1800.0]
    assert time["standard"] == 2
    assert time["cells"] == [2, 0, 1, 1, 0, 1, 1]
    assert metres["limits"] == [300.0, 500.0, 800.0, 1000.0, 2000.0]
    assert metres["standard"] == 1
    assert len(metres["colours"]) == len(metres["limits"]) + 1 == len(set(metres["colours"]))
    assert people["kind"] == "people"
    assert sum(people["cells"]) == 6


def test_standard_is_a_class_limit() -> None:
    odd = dataclasses.replace(scene().services[0], threshold=720.5)
    data = data_of(leaflet.render(scene(services=[odd], cutoff_s=1500.0)))
    assert data["layers"][1]["limits"] == [300.0, 600.0, 720.5, 900.0, 1200.0, 1500.0]
    assert data["services"][0]["quantum"] == 1 / 32


def test_unknown_is_never_all_met() -> None:
    service = dataclasses.replace(scene().services[0], met=np.array([-1, 1, 0, 0, 1, -1], dtype=np.int8))
    layer = data_of(leaflet.render(scene(services=[service, scene().services[1]])))["layers"][0]
    assert layer["cells"] == [2, 0, 2, 2]


def test_no_population_counts_cells() -> None:
    cells = dataclasses.replace(scene().cells, population=np.full(6, np.nan))
    layers = data_of(leaflet.render(scene(cells=cells)))["layers"]
    assert [layer["people"] for layer in layers] == [None, None, None]


def test_empty_scene_is_a_page() -> None:
    cells = maps.CellGrid(
        quads=np.empty((0, 4, 2)),
        population=np.empty(0),
        zone=np.empty(0, dtype=np.int16),
        cell_ids=[],
        status=np.empty(0, dtype=np.uint8),
    )
    made = maps.Scene(kind="gaps", title="", attribution=[], data_date="", cells=cells, services=[])
    assert data_of(leaflet.render(made))["cells"]["n"] == 0


def test_label_lies_inside_the_largest_part_and_no_hole() -> None:
    """At half the height of the whole lies no part, or a small one, or a hole."""

    def box(x: float, y: float, side: float) -> np.ndarray:
        return np.array([(x, y), (x + side, y), (x + side, y + side), (x, y + side), (x, y)])

    apart = [box(0, 0, 1), box(0, 9, 3)]
    between = [box(0, 0, 1), box(5, 5, 0.5), box(0, 9, 3)]
    pierced = [box(0, 0, 9), box(1, 1, 7)]
    shapes = maps.Shapes(rings=[apart, between, pierced], names=["A", "B", "C"])
    labels = data_of(leaflet.render(scene(zones=shapes)))["zones"]["labels"]
    for lat, lon in labels[:2]:
        assert 0 < lon < 3
        assert 9 < lat < 12
    lat, lon = labels[2]
    assert 0 < lon < 9
    assert 0 < lat < 9
    assert not (1 <= lon <= 8 and 1 <= lat <= 8)


def test_label_lies_inside_a_bent_shape() -> None:
    bent = np.array([[0, 0], [3, 0], [3, 1], [1, 1], [1, 3], [0, 3]], dtype=np.float64)
    lat, lon = data_of(leaflet.render(scene(zones=maps.Shapes(rings=[[bent]], names=["L"]))))["zones"]["labels"][0]
    assert (0 < lon < 1 and 0 < lat < 3) or (0 < lon < 3 and 0 < lat < 1)


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("quads", {"quads": np.zeros((5, 4, 2))}),
        ("population", {"population": np.zeros(3)}),
        ("finite", {"quads": np.full((6, 4, 2), np.nan)}),
    ],
)
def test_cells_that_do_not_fit_are_refused(name: str, changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=name):
        dataclasses.replace(scene().cells, **changes)


def test_gap_of_no_service_is_refused() -> None:
    with pytest.raises(ValueError, match="nowhere"):
        scene(gaps=[dataclasses.replace(scene().gaps[0], service="nowhere")])


def test_words_have_both_languages_with_the_same_places() -> None:
    for key, (english, chinese) in maps.WORDS.items():
        assert english, key
        assert chinese, key
        assert re.findall(r"\{\d\}", english) == re.findall(r"\{\d\}", chinese), key


@pytest.mark.parametrize("n", [1, 2, 3, 6, 9, 12, 34, 60])
def test_classes_of_unmet_needs_span_all_services(n: int) -> None:
    limits = maps.unmet_limits(n)
    assert limits[0] == 0
    assert limits == sorted(set(limits))
    assert limits[-1] < n <= 2 * max(1, limits[-1]) + 1  # the open class holds half of them at most


def test_people_at_the_edge_are_summed_exactly() -> None:
    """Tenths of a person, as cells are packed, add to another number."""
    population = np.array([10.04, 20.04, 0.04, 5.0, 30.04, np.nan])
    cells = maps.CellGrid(**(vars(scene().cells) | {"status": np.full(6, 3, dtype=np.uint8), "population": population}))
    edge = data_of(leaflet.render(scene(cells=cells)))["edge"]
    assert edge["cells"] == 6
    assert edge["people"] == pytest.approx(np.nansum(population), abs=0.003)
