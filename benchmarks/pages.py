"""Measure the coverage page in Chromium: its size, how fast it opens, and how fast it answers.

    python benchmarks/pages.py [REGION] [--runs N] [--cells N]

Prints medians of N openings: until the page is drawn, until a layer or a threshold is shown, until a life circle is
walked (the first opens the network), until a facility that was dropped is counted; and the size of a folium page that
draws the same cells as GeoJson, which offline draws nothing: it asks the network for Leaflet. With --cells the
population raster is parted into finer pixels until there are so many.
"""

import argparse
import math
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import folium
import numpy as np
import rasterio
from affine import Affine
from playwright.sync_api import sync_playwright
from studies import study_of
from timing import Target, show_targets

from lifecircle.result import Result
from lifecircle.study import Study

CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
FRAME = "const frame = () => new Promise((done) => requestAnimationFrame(() => setTimeout(done)));"

TOGGLE = f"""async () => {{
  {FRAME}
  const inputs = [...document.querySelectorAll('#lc-layers input')];
  const start = performance.now();
  for (let k = 0; k < 5; k++) {{ inputs[1 + k % (inputs.length - 2)].click(); await frame(); }}
  return (performance.now() - start) / 5;
}}"""
SLIDE = f"""async () => {{
  {FRAME}
  document.querySelectorAll('#lc-layers input')[1].click();
  const input = document.querySelector('.lc-slider input');
  const move = async (value) => {{
    input.value = value;
    input.dispatchEvent(new Event('input'));
    await frame();
    await frame();
  }};
  await move(600);
  await new Promise((done) => setTimeout(done, 400));
  const start = performance.now();
  for (let k = 0; k < 5; k++) await move(660 + 60 * k);
  return (performance.now() - start) / 5;
}}"""
CIRCLE = """async () => {
  const {ticks, n} = document.querySelector('.folium-map').lifecircle;
  let start = performance.now();
  await ticks(0);
  const first = performance.now() - start;
  start = performance.now();
  for (let k = 0; k < 50; k++) await ticks(Math.floor((k * n) / 50));
  return [first, (performance.now() - start) / 50];
}"""


def main() -> None:
    """Run, open and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("region", nargs="?", default="lingang-model")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--cells", type=int, default=0)
    said = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        study = study_of(said.region)
        result = (finer(study, said.cells, Path(folder) / "people.tif") if said.cells else study).run()
    limits = (15.0, 3.0) if said.cells else (6.0, 2.0)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as driver:
        ours, theirs = Path(folder) / "coverage.html", Path(folder) / "folium.html"
        ours.write_text(result.page("coverage"), encoding="utf-8")
        if not said.cells:  # a browser would not open it
            plain(result).save(str(theirs))
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        rows: dict[str, list[float]] = {}
        for _ in range(said.runs):
            for name, value in opened(browser, ours, result).items():
                rows.setdefault(name, []).append(value)
        browser.close()
        found = {name: statistics.median(values) for name, values in rows.items()}
        megabytes = {
            name: path.stat().st_size / 1e6 for name, path in (("ours", ours), ("folium", theirs)) if path.exists()
        }
    print(f"{said.region}: {len(result.coverage.cells):,} cells, medians of {said.runs}\n")
    for name, value in found.items():
        print(f"  {name:44} {value:9.3f}")
    for name, size in megabytes.items():
        print(f"  {name + ', MB':44} {size:9.3f}")
    show_targets(
        [
            Target("page, MB", "<=", limits[0], megabytes["ours"]),
            Target("opens, s", "<=", limits[1], found["opens, s"]),
            Target("layer shown, ms", "<=", 60.0, found["layer shown, ms"]),
            Target("threshold shown, ms", "<=", 60.0, found["threshold shown, ms"]),
            Target("life circle, ms", "<=", 50.0, found["life circle, ms"]),
            Target("what if, ms", "<=", 300.0, found["what if, ms"]),
        ]
    )


def finer(study: Study, cells: int, path: Path) -> Study:
    """Part every pixel of the population raster into as many as it takes, its people among them."""
    with rasterio.open(study.keys.population) as source:
        people, profile = source.read(1, masked=True).filled(0.0), source.profile
    times = math.isqrt(-(-cells // int((people > 0).sum()))) + 1
    parted = np.repeat(np.repeat(people / times**2, times, axis=0), times, axis=1)
    lived_in = np.flatnonzero(parted.ravel() > 0)
    parted.ravel()[lived_in[cells:]] = 0.0
    profile.update(
        width=parted.shape[1], height=parted.shape[0], dtype="float32", nodata=None,
        transform=profile["transform"] @ Affine.scale(1 / times),
    )  # fmt: skip
    with rasterio.open(path, "w", **profile) as target:
        target.write(parted.astype(np.float32), 1)
    return study.changed(population=path)


def opened(browser: Any, path: Path, result: Result) -> dict[str, float]:
    """Time one opening."""
    page = browser.new_page(viewport={"width": 1400, "height": 900})
    start = time.perf_counter()
    page.goto(path.as_uri())
    page.wait_for_selector(".folium-map[aria-busy=false]")
    found = {"opens, s": time.perf_counter() - start}
    found["layer shown, ms"] = page.evaluate(TOGGLE)
    found["threshold shown, ms"] = page.evaluate(SLIDE)
    found["life circle, first, ms"], found["life circle, ms"] = page.evaluate(CIRCLE)
    page.locator("#lc-whatif input[value=add]").check()
    page.wait_for_timeout(500)
    name = page.evaluate("document.querySelector('.folium-map').id")
    x, y = result.coverage.cells.starts.xy[len(result.coverage.cells.starts) // 2]
    lon, lat = result.coverage.cells.region.to_lonlat.transform(x, y)
    fire = f"""([lat, lon]) => {{
      const start = performance.now();
      {name}.fire('click', {{latlng: L.latLng(lat, lon)}});
      return performance.now() - start;
    }}"""
    page.evaluate(fire, [lat, lon])
    found["what if, ms"] = page.evaluate(fire, [lat, lon])
    page.close()
    return found


def plain(result: Result) -> folium.Map:
    """Draw the cells as most do: one GeoJson layer coloured by a column."""
    cells = result.coverage.to_geodataframe()[["cell_id", "met_n", "geometry"]].to_crs(4326)
    cells["met_n"] = cells["met_n"].astype("float64").fillna(-1)
    made = folium.Map(prefer_canvas=True)

    def style(feature: dict[str, Any]) -> dict[str, float]:
        return {"weight": 0, "fillOpacity": 0.1 + max(0.0, feature["properties"]["met_n"]) / 20}

    folium.GeoJson(cells.to_json(), style_function=style).add_to(made)
    return made


if __name__ == "__main__":
    main()
