"""Laws of verdicts, on small towns drawn at random and walked through the whole pipeline."""

import numpy as np
import pytest
from drawn import CRS, Drawing, boundary, raster
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lifecircle.assess.coverage import MEASURES
from lifecircle.assess.wording import cost_text, limit_text
from lifecircle.profiles import TICKS
from lifecircle.study import Study

RULES = """\
schema = 1
name = "laws"
title = "Laws"
title_zh = "律"
source = "made up for the tests"
[services.clinic]
title = "Clinic"
title_zh = "诊所"
profile = "{profile}"
threshold = {{ value = {seconds}, source = "text", status = "verified" }}
tags = [{{ match = {{ amenity = ["clinic"] }} }}]
[services.school]
title = "School"
title_zh = "学校"
profile = "metres"
threshold = {{ value = {metres}, source = "text", status = "verified" }}
tags = [{{ match = {{ amenity = ["school"] }} }}]
[composites.both]
title = "Both"
title_zh = "两者"
at_least = 2
of = ["clinic", "school"]
source = "text"
status = "verified"
"""
SIDE = 5  # junctions on a side, 100 m apart


@st.composite
def towns(draw):
    """Kept streets of a grid, people by cell, and places of clinics and schools; the first junction's stay."""
    streets = [((x, y), (x + 1, y)) for x in range(SIDE - 1) for y in range(SIDE)]
    streets += [((x, y), (x, y + 1)) for x in range(SIDE) for y in range(SIDE - 1)]
    kept = draw(st.lists(st.booleans(), min_size=len(streets), max_size=len(streets)))
    people = draw(st.lists(st.sampled_from([0, 0, 1, 3.25, 17]), min_size=SIDE**2, max_size=SIDE**2))
    spot = st.tuples(st.integers(0, SIDE - 1), st.integers(0, SIDE - 1))
    clinics, schools = draw(st.lists(spot, max_size=3)), draw(st.lists(spot, max_size=3))
    return [s for s, keep in zip(streets, kept, strict=True) if keep], people, clinics, schools


def run(folder, town, *, profile="adult", seconds=240, metres=250, more=()):
    streets, people, clinics, schools = town
    drawing = Drawing()
    drawing.way((0, 0), (100, 0), highway="residential")
    for (x0, y0), (x1, y1) in streets:
        drawing.way((100 * x0, 100 * y0), (100 * x1, 100 * y1), highway="residential")
    for x, y in dict.fromkeys([(0, 0), *clinics, *more]):
        drawing.poi(100 * x + 20, 100 * y + 10, amenity="clinic")
    for x, y in dict.fromkeys([(0, 0), *schools, *more]):
        drawing.poi(100 * x + 30, 100 * y + 15, amenity="school")
    values = np.array(people, dtype=float).reshape(SIDE, SIDE)
    values[-1, 0] = 2.0  # somebody lives at the first junction
    raster(folder / "people.tif", values, left=-50, top=100 * SIDE - 50)
    middle, end = 170, 100 * SIDE
    boundary(
        folder / "zones.geojson", ("west", "zone", -60, -60, middle, end), ("east", "zone", middle, -60, end, end),
        ("core", "overlay", 120, 120, 330, 330),
    )  # fmt: skip
    rules = RULES.format(profile=profile, seconds=seconds, metres=metres)
    (folder / "rules.toml").write_text(rules, encoding="utf-8")
    study = Study.from_keys(
        {
            "osm": str(drawing.write(folder / "map.osm.pbf")), "population": str(folder / "people.tif"),
            "boundary": str(folder / "zones.geojson"), "standard": str(folder / "rules.toml"), "crs": CRS,
            "snap_limit_m": 120, "groups": ["senior", "frail"],
        }
    )  # fmt: skip
    return study.run()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("town")


lawful = settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@given(town=towns(), slower=st.sampled_from(["senior", "frail", "wheelchair", "caregiver"]))
@lawful
def test_a_slower_walker_is_never_covered_where_a_faster_one_is_not(folder, town, slower):
    fast, slow = run(folder, town), run(folder, town, profile=slower)
    assert (slow.coverage.point_met <= fast.coverage.point_met).all()
    assert (fast.groups["frail"] <= fast.groups["senior"]).all()
    assert (fast.groups["senior"] <= fast.coverage.point_met).all()


@given(town=towns(), more=st.integers(0, 200))
@lawful
def test_a_larger_threshold_never_covers_less(folder, town, more):
    small, large = run(folder, town), run(folder, town, seconds=240 + more, metres=250 + more)
    assert (small.coverage.point_met <= large.coverage.point_met).all()
    assert (small.coverage.point_count <= large.coverage.point_count).all()
    assert (small.coverage.point_met_straight[1] <= large.coverage.point_met_straight[1]).all()
    assert (small.indicators.worst["s"] == large.indicators.worst["s"])[small.indicators.judged].all()


@given(town=towns(), spot=st.tuples(st.integers(0, SIDE - 1), st.integers(0, SIDE - 1)))
@lawful
def test_another_facility_never_lowers_a_verdict(folder, town, spot):
    before, after = run(folder, town), run(folder, town, more=[spot])
    assert (before.coverage.point_met <= after.coverage.point_met).all()
    assert (before.coverage.point_ticks >= after.coverage.point_ticks).all()
    for key in ("clinic", "school"):
        assert (before.indicators.second(key)[0] >= after.indicators.second(key)[0]).all()
        assert (before.indicators.gravity(key) <= after.indicators.gravity(key) + 1e-12).all()


@given(town=towns())
@lawful
def test_zones_add_up_to_the_region_exactly(folder, town):
    result = run(folder, town)
    figures = {(f.zone, f.service, f.measure): f for f in result.coverage.figures()}
    for service in ("clinic", "school", "all"):
        for measure in MEASURES:
            whole, west, east = (figures[zone, service, measure] for zone in ("region", "west", "east"))
            for part in ("met", "not_met", "unknown", "total"):
                assert getattr(west, part) + getattr(east, part) == getattr(whole, part)
    told = result.summary["indicators"]
    people = result.coverage.cells.starts.people.sum() / 1024
    assert told["known"] + told["unknown"] == people
    for one in told["services"].values():
        assert sum(one["choice"].values()) == told["known"]
    assert sum(told["completeness"]["by_number_met"]) == told["known"]


@given(st.sampled_from("sm"), st.integers(1, 300), st.integers(-400, 400))
def test_a_walk_reads_as_within_its_limit_only_if_it_is(unit, steps, off):
    """Limits of whole tenths of a minute, or whole metres, as every standard has them."""
    limit = steps * (6.0 if unit == "s" else 1.0)
    walk = max(0.0, limit + off / TICKS)
    said, most = (float(text.split()[0]) for text in (cost_text(walk, unit, 1e9), limit_text(limit, unit)))
    assert (said <= most) == (walk <= limit)
