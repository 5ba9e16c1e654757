"""A browser, and a synthetic town of about five thousand cells whose every answer is known."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from lifecircle.publish import leaflet, maps

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SIDE = 72
CELL = np.array([0.00105, 0.0009])
ORIGIN = np.array([121.85, 30.95])
TURN = np.array([[np.cos(0.012), -np.sin(0.012)], [np.sin(0.012), np.cos(0.012)]])
HOSTILE = "</script><img src=x onerror=\"window.__pwned=1;alert('x')\">\u202e${alert(1)}{{alert(2)}}"
SERVICES = (
    ("clinic", "Clinic", "诊所", "s", 900.0),
    ("market", "Market", "菜场", "s", 600.0),
    ("park", "Park", "公园", "m", 500.0),
)


def lonlat(column_row: np.ndarray) -> np.ndarray:
    """Return where a place on the raster lies; rows count southwards."""
    return ORIGIN + (np.asarray(column_row, dtype=float) * np.array([1, -1])) @ TURN.T * CELL


def ring(*corners: tuple[float, float]) -> np.ndarray:
    """Return a closed outline of raster places."""
    return lonlat(np.array([*corners, corners[0]]))


class Town:
    """The scene's arrays by cell, so that a test can say what the page must show."""

    def __init__(self) -> None:
        rows, columns = (axis.ravel() for axis in np.mgrid[:SIDE, :SIDE])
        land = ~((np.abs(columns - 40) < 2) & (rows > 10))
        self.rows, self.columns = rows[land], columns[land]
        n = self.rows.size
        corners = np.array([[0, 0], [1, 0], [1, 1], [0, 1]])
        self.quads = lonlat(np.stack([self.columns, self.rows], axis=1)[:, None] + corners)
        self.population = (self.rows * 7 + self.columns * 13) % 97 + 0.5
        self.status = np.zeros(n, dtype=np.uint8)
        self.status[self.rows == 0] = 3
        self.status[(self.rows == 30) & (self.columns == 10)] = 1
        centres = np.stack([self.columns, self.rows], axis=1) + 0.5
        self.services, self.facilities = [], []
        for i, (key, title, title_zh, unit, threshold) in enumerate(SERVICES):
            places = np.array([[12 + 9 * i, 15], [55, 50 - 8 * i], [20, 60]])
            metres = np.hypot(*(centres[:, None] - places).transpose(2, 0, 1)).min(axis=1) * 130.0
            cost = metres if unit == "m" else metres / 1.25
            cost = np.round(np.where(cost > (2000 if unit == "m" else 1800), np.nan, cost) * 32) / 32
            met = (cost <= threshold).astype(np.int8)
            met[self.status == 1] = -1
            self.services.append(
                maps.ServiceLayer(
                    key=key,
                    title=title,
                    title_zh=title_zh,
                    unit=unit,
                    threshold=threshold,
                    cost="adult",
                    values=cost.astype(np.float32),
                    met=met,
                    count=np.where(met < 0, -1, met).astype(np.int32),
                )
            )
            self.facilities += [(i, *lonlat(place)) for place in places]

    def scene(self, **changes: Any) -> maps.Scene:
        """Return the town as a scene, with hostile names on facilities, zones and outlines."""
        lines = [lonlat([(0, k), (SIDE, k)]) for k in range(0, SIDE, 4)] + [
            lonlat([(k, 0), (k, SIDE)]) for k in range(0, SIDE, 4)
        ]
        kind, lon, lat = (np.array(part) for part in zip(*self.facilities, strict=True))
        gaps = [
            maps.Gap(
                service="clinic",
                people=people,
                area_m2=area,
                worst=worst,
                cause=cause,
                cause_zh="运河阻隔",
                zone="East",
                rings=[outline],
            )
            for people, area, worst, cause, outline in (
                (1200.0, 250_000.0, 1500.0, "severed by the canal", ring((42, 2), (60, 2), (60, 12), (42, 12))),
                (40.0, 40_000.0, None, HOSTILE, ring((62, 60), (70, 60), (70, 70), (62, 70))),
                (None, 900.0, 990.0, "near miss", ring((2, 40), (5, 40), (5, 44), (2, 44))),
            )
        ]
        fields: dict[str, Any] = {
            "kind": "coverage",
            "title": "Model town",
            "title_zh": "模型城镇",
            "notice": "This is a model, not survey data.",
            "notice_zh": "本页为模型，并非调查数据。",
            "attribution": ["OSM data © OpenStreetMap contributors, ODbL"],
            "data_date": "2026-08-19",
            "cells": maps.CellGrid(
                quads=self.quads,
                population=self.population,
                zone=(self.columns > 40).astype(np.int16),
                cell_ids=[f"r{row}c{column}" for row, column in zip(self.rows, self.columns, strict=True)],
                status=self.status,
            ),
            "services": self.services,
            "streets": maps.Streets(
                xy=np.concatenate(lines),
                offsets=np.arange(len(lines) + 1) * 2,
                rank=(np.arange(len(lines)) % 3).astype(np.uint8),
            ),
            "water": maps.Shapes(rings=[[ring((39, 11), (41, 11), (41, SIDE), (39, SIDE))]]),
            "zones": maps.Shapes(
                rings=[
                    [ring((0, 0), (40, 0), (40, SIDE), (0, SIDE))],
                    [ring((40, 0), (SIDE, 0), (SIDE, SIDE), (40, SIDE))],
                ],
                names=["West", "East"],
                names_zh=["西片", "东片"],
            ),
            "overlays": maps.Shapes(
                rings=[[ring((30, 30), (50, 30), (50, 50), (30, 50))]], names=[HOSTILE], names_zh=[HOSTILE]
            ),
            "facilities": maps.Facilities(
                lon=lon,
                lat=lat,
                service=kind.astype(np.int16),
                names=[HOSTILE] * len(kind),
                planned=np.arange(len(kind)) % 2 == 1,
            ),
            "gaps": gaps,
            "facts": [("Mode", "walking, adult, 1.25 m/s"), ("Denominator", HOSTILE)],
            "headline": ["Most residents reach a clinic within 15 minutes."],
        }
        return maps.Scene(**(fields | changes))


@pytest.fixture(scope="session")
def town() -> Town:
    """The synthetic town."""
    return Town()


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Headless Chromium; without one the tests skip, but not in CI, where that would hide everything."""
    playwright = pytest.importorskip("playwright.sync_api")
    path = next(
        (p for p in ("/usr/bin/chromium", *map(shutil.which, ("chromium", "google-chrome"))) if p and Path(p).exists()),
        None,
    )
    if path is None:
        reason = "no Chromium found (looked for chromium and google-chrome): the pages were not opened"
        if os.environ.get("CI"):
            pytest.fail(reason)
        print(reason)  # noqa: T201  a skip without a word looks like a pass
        pytest.skip(reason)
    arguments = [
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
    ]
    with playwright.sync_playwright() as driver:
        instance = driver.chromium.launch(executable_path=path, args=arguments)
        yield instance
        instance.close()


@pytest.fixture
def open_page(browser: Any, tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """Open scenes as files; at the end no request, no message and no dialog may have happened."""
    seen: list[str] = []
    pages = []

    def opened(scene: maps.Scene | str, width: int = 1400, height: int = 900, anchor: str = "") -> Any:
        file = tmp_path / f"{len(pages)}.html"
        file.write_text(scene if isinstance(scene, str) else leaflet.render(scene), encoding="utf-8")
        page = browser.new_page(viewport={"width": width, "height": height})
        pages.append(page)

        def answer(route: Any) -> None:
            if route.request.url.partition("#")[0] == file.as_uri() and route.request.resource_type == "document":
                route.continue_()
            else:
                seen.append(f"request {route.request.url}")
                route.abort()

        page.route("**/*", answer)
        page.on("request", lambda request: request.url == file.as_uri() or seen.append(f"asked {request.url}"))
        page.on("console", lambda message: seen.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: seen.append(f"error: {error}"))
        page.on("dialog", lambda dialog: (seen.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        page.goto(file.as_uri())
        if page.query_selector(".folium-map"):
            page.wait_for_selector(".folium-map[aria-busy=false]")
        return page

    yield opened
    for page in pages:
        page.wait_for_timeout(50)
        assert page.evaluate("window.__pwned") is None
        page.close()
    assert seen == []
