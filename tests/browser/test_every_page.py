"""The maps of real regions, and of one with 400,000 cells: every control works, at every width, without a request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import rasterio
from affine import Affine
from regions import study_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Open = Callable[..., Any]

WIDE = """() => [...document.querySelectorAll('body *')].filter((e) => {
  const box = e.getBoundingClientRect();
  return box.width && getComputedStyle(e).visibility !== 'hidden' && box.right > document.documentElement.clientWidth + 1
    && !e.closest('.folium-map');
}).map((e) => e.outerHTML.slice(0, 100))"""

# Accessible names, as a screen reader takes them; roles and labels of everything one can act on.
UNNAMED = """() => [...document.querySelectorAll('button, input, select, a, summary')].filter((e) => e.offsetParent &&
  !(e.ariaLabel || e.textContent || e.labels?.[0]?.textContent || '').trim()).map((e) => e.outerHTML.slice(0, 100))"""

# Contrast of texts on plain grounds, by the formula of WCAG 2.2: 4.5 for texts, 3 for large ones.
FAINT = """() => {
  const parts = (text) => (text.match(/[\\d.]+/g) || []).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((v) => v / 255).map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const ground = (e) => {
    for (let at = e; at; at = at.parentElement) {
      const colour = parts(getComputedStyle(at).backgroundColor);
      if (colour.length === 3 || colour[3] > 0.9) return colour;
    }
    return [255, 255, 255];
  };
  return [...document.querySelectorAll('body *')].filter((e) => e.offsetParent && !e.closest('svg, .folium-map')
    && [...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim())).filter((e) => {
      const style = getComputedStyle(e);
      const [a, b] = [light(parts(style.color)), light(ground(e))];
      const large = parseFloat(style.fontSize) >= 24 || (parseFloat(style.fontSize) >= 18.66 && style.fontWeight >= 700);
      return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05) < (large ? 3 : 4.5);
    }).map((e) => e.outerHTML.slice(0, 120));
}"""


def clean(page: Any, width: int) -> None:
    """Hold a page against what must always be so."""
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate(WIDE) == []
    assert page.evaluate(UNNAMED) == []
    assert page.evaluate(FAINT) == []


def exercise(page: Any, width: int) -> None:
    """Use every control there is, in both languages."""
    for _ in range(2):
        layers = page.locator("#lc-layers input")
        for i in range(layers.count()):
            layers.nth(i).check()
            assert page.locator("#lc-legend table").first.is_visible()
        overlays = page.locator("#lc-overlays input")
        for i in range(overlays.count()):
            was = overlays.nth(i).is_checked()
            overlays.nth(i).set_checked(not was)
            overlays.nth(i).set_checked(was)
        for button in page.locator(".lc-buttons button").all():
            button.click()
        clean(page, width)
        page.locator("#lc-lang").click()
    if page.locator(".lc-slider").count() == 0 or not page.locator("#lc-whatif").is_visible():
        return
    page.locator("#lc-layers input").nth(1).check()
    before = page.locator("#lc-legend").inner_text()
    page.locator(".lc-slider input").press("ArrowLeft")
    page.locator(".lc-slider input").press("ArrowLeft")
    page.wait_for_timeout(400)
    assert page.locator("#lc-legend").inner_text() != before
    chosen = page.locator(".lc-cost select")
    if chosen.is_visible():
        for i in range(chosen.locator("option").count()):
            chosen.select_option(index=i)
            page.wait_for_timeout(400)
        page.locator("#lc-layers input").nth(1).check()
    modes = page.locator("#lc-whatif input[type=radio]")
    for i in range(modes.count()):
        modes.nth(i).check()
        page.wait_for_timeout(200)
    page.locator("#lc-whatif input[value=off]").check()
    clean(page, width)
    cell = page.evaluate("document.querySelector('.folium-map').lifecircle.id(0)")
    page.locator("#lc-find input").fill(cell)
    page.locator("#lc-find button").first.click()
    page.locator("#lc-readout.lc-pinned").wait_for()
    clean(page, width)
    page.keyboard.press("Escape")
    assert not page.locator("#lc-readout.lc-pinned").is_visible()


@pytest.mark.parametrize(
    "name", ["monaco", *(pytest.param(name, marks=pytest.mark.prove) for name in ("lingang", "newport"))]
)
def test_every_control_of_a_region_works_wide_and_narrow(open_page: Open, name: str) -> None:
    result = study_of(name).run()
    for kind in ("coverage", "gaps"):
        text = result.page(kind)
        for width in (1400, 360):
            exercise(open_page(text, width=width), width)


@pytest.mark.prove
def test_every_control_works_with_400_000_cells(open_page: Open, tmp_path: Path) -> None:
    """The embedded region, its population parted into finer pixels."""
    study, times = study_of("lingang"), 6
    with rasterio.open(study.keys.population) as source:
        people, profile = source.read(1, masked=True).filled(0.0), source.profile
    parted = np.repeat(np.repeat(people / times**2, times, axis=0), times, axis=1).astype(np.float32)
    profile.update(
        width=parted.shape[1], height=parted.shape[0], dtype="float32", nodata=None,
        transform=profile["transform"] @ Affine.scale(1 / times),
    )  # fmt: skip
    with rasterio.open(tmp_path / "people.tif", "w", **profile) as target:
        target.write(parted, 1)
    result = study.changed(population=tmp_path / "people.tif").run()
    assert len(result.coverage.cells) > 400_000
    exercise(open_page(result.page("coverage")), 1400)
