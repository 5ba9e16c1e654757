"""Tiles behind the cells: only where the study asks for them, only from the server it names, and where they belong."""

from __future__ import annotations

import re
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from lifecircle.errors import StandardError
from lifecircle.publish import leaflet
from lifecircle.study import Study

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c63f8cf50ff1f000604027f6a6b9ee30000000049454e44ae426082"
)


class Tiles(BaseHTTPRequestHandler):
    """Answers every tile with one pixel, and remembers which were asked."""

    asked: list[str]

    def do_GET(self) -> None:
        self.asked.append(self.path)
        self.send_response(200)
        self.send_header("Content-Type", "image/png")
        self.end_headers()
        self.wfile.write(PIXEL)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def server() -> Iterator[tuple[str, list[str]]]:
    asked: list[str] = []
    served = HTTPServer(("127.0.0.1", 0), type("Served", (Tiles,), {"asked": asked}))
    threading.Thread(target=served.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{served.server_port}/{{z}}/{{x}}/{{y}}.png", asked
    served.shutdown()
    served.server_close()


def test_tiles_come_from_the_server_named_and_lie_where_they_belong(
    browser: Any, town: Any, server: tuple[str, list[str]], tmp_path: Path
) -> None:
    address, asked = server
    text = leaflet.render(town.scene(basemap=address))
    origin = address.partition("/{z}")[0]
    assert re.search(r"img-src data: ([^;]*);", text)[1] == origin  # type: ignore[index]
    (tmp_path / "page.html").write_text(text, encoding="utf-8")
    page = browser.new_page(viewport={"width": 1000, "height": 700})
    elsewhere: list[str] = []
    page.on(
        "request", lambda request: None if request.url.startswith(("file:", origin)) else elsewhere.append(request.url)
    )
    page.goto((tmp_path / "page.html").as_uri())
    page.locator(".leaflet-tile-loaded").first.wait_for(state="attached")
    page.wait_for_load_state("networkidle")
    assert elsewhere == []
    assert asked
    # The middle of the map lies in a tile that was asked for, by the arithmetic of slippy maps.
    for path in asked:
        z, x, y = map(int, re.fullmatch(r"/(\d+)/(\d+)/(\d+)\.png", path).groups())  # type: ignore[union-attr]
        assert 0 <= x < 2**z
        assert 0 <= y < 2**z
    levels = {int(path.split("/")[1]) for path in asked}
    for z in levels:
        (lon, lat), n = town.quads.reshape(-1, 2).mean(axis=0), 2**z
        import math

        x = int((lon + 180) / 360 * n)
        y = int((1 - math.asinh(math.tan(math.radians(lat))) / math.pi) / 2 * n)
        assert f"/{z}/{x}/{y}.png" in asked
    # A tile covers what its numbers say, to the pixel: the picture is a doubling or less from the map's own scale.
    box = page.locator(".leaflet-tile-loaded").first.bounding_box()
    assert 120 < box["width"] < 520
    page.close()


def test_without_one_no_address_stands_in_the_policy(town: Any) -> None:
    assert "img-src data:; " in leaflet.render(town.scene())


@pytest.mark.parametrize(
    "address",
    ["http://tiles.example.org/{z}/{x}/{y}.png", "https://tiles.example.org/{z}/{x}.png", "javascript:alert({z}{x}{y})",
     "https://a.org/{z}/{x}/{y}.png; script-src *", "https://user:word@a.org/{z}/{x}/{y}.png", "file:///{z}/{x}/{y}"],
)  # fmt: skip
def test_an_address_that_is_none_of_tiles_is_refused(address: str) -> None:
    with pytest.raises(StandardError, match="basemap"):
        Study.from_keys({"osm": "x.osm.pbf", "bbox": [0, 0, 1, 1], "basemap": address})


def test_a_study_says_whose_tiles_they_are(tmp_path: Path) -> None:
    import town as golden

    study = Study.from_toml(golden.draw(tmp_path))
    with_tiles = study.changed(basemap="https://{s}.tiles.example.org/{z}/{x}/{y}.png").run()
    assert "Basemap: tiles.example.org" in with_tiles.about.attribution
    page = with_tiles.page("coverage")
    assert "img-src data: https://*.tiles.example.org;" in page
    assert "tiles.example.org" not in study.run().page("coverage")
    credited = study.changed(basemap="https://a.org/{z}/{x}/{y}.png", basemap_credit="© A").prepare()
    assert "© A" in credited.about.attribution
