"""The edge of the world: what lies beyond the data or the boundary, hard barriers, and islands."""

import json
import random

import pytest
from drawn import Drawing, boundary, lonlat, raster

from lifecircle.assess.edge import islands
from lifecircle.errors import DataError
from lifecircle.study import Study

STANDARD = """\
schema = 1
name = "metres"
title = "Metres"
title_zh = "米"
source = "made up for the test"
[services.clinic]
title = "Clinic"
title_zh = "诊所"
profile = "metres"
threshold = { value = 500, source = "made up", status = "unverified" }
tags = [{ match = { amenity = ["clinic"] } }]
[services.school]
title = "School"
title_zh = "学校"
profile = "metres"
threshold = { value = 300, source = "made up", status = "unverified" }
tags = [{ match = { amenity = ["school"] } }]
"""


def study(folder, drawing, people, *, box, name="map", **keys):
    """A study of a drawing; ``people`` are (x, y) of pixel centres, a hundred metres apart and one person each."""
    folder.mkdir(exist_ok=True)
    drawing.write(folder / "map.osm.pbf")
    left, top = min(x for x, _ in people) - 50, max(y for _, y in people) + 50
    width = int(max(x for x, _ in people) + 50 - left) // 100
    height = int(top - min(y for _, y in people) + 50) // 100
    values = [[0.0] * width for _ in range(height)]
    for x, y in people:
        values[int(top - y) // 100][int(x - left) // 100] = 1.0
    raster(folder / "people.tif", values, left=left, top=top)
    boundary(folder / "boundary.geojson", ("all", "zone", *box))
    (folder / "standard.toml").write_text(STANDARD, encoding="utf-8")
    paths = {
        "osm": "map.osm.pbf",
        "population": "people.tif",
        "boundary": "boundary.geojson",
        "standard": "standard.toml",
    }
    return Study.from_keys(
        {key: str(folder / value) for key, value in paths.items()}
        | {"name": name, "crs": "+proj=aeqd +lat_0=45 +lon_0=9 +datum=WGS84 +units=m +type=crs"}
        | keys
    )


def cells_of(result):
    frame = result.coverage.to_geodataframe()
    centre = frame.geometry.centroid
    frame.index = [(round(x), round(y)) for x, y in zip(centre.x, centre.y, strict=True)]
    return frame


def street(clinic_x=(0,), school_x=(0,), length=2000):
    """One street from west to east, its northern and southern sides far away."""
    drawing = Drawing()
    drawing.way((-length, 0), (0, 0), (length, 0), highway="residential")
    drawing.way((0, -3000), (0, 0), (0, 3000), highway="residential")
    for x in clinic_x:
        drawing.poi(x, 0, amenity="clinic")
    for x in school_x:
        drawing.poi(x, 0, amenity="school")
    return drawing


ALONG = [(x, 0) for x in range(-1900, 2000, 100)]
WIDE = (-2000, -100, 2000, 100)


def test_a_cell_is_at_the_edge_where_its_answer_could_lie_beyond_it(tmp_path):
    result = study(tmp_path, street(), ALONG, box=WIDE).run()
    cells = cells_of(result)
    for (x, _), row in cells.iterrows():
        to_side = 2000 - abs(x)
        reach = max(min(abs(x), 500), min(abs(x), 300))
        assert row["status"] == ("edge" if to_side <= reach else "ok"), x
    # They are judged and counted as any other.
    assert cells["clinic_met"].notna().all()
    assert result.summary["data"]["status"]["edge"] == {"cells": 10, "people": 10}
    assert result.coverage.figures()[0].unknown == 0
    assert "10 with 10 people" in result.page("index")


def test_a_met_need_is_at_the_edge_only_where_a_nearer_facility_could_lie_beyond_it(tmp_path):
    drawing = street(clinic_x=(1800, -1500), school_x=(1800, -1500))
    cells = cells_of(study(tmp_path, drawing, ALONG, box=WIDE).run())
    assert cells.loc[[(1800, 0)], "status"].item() == "ok"  # there is none nearer than at the door
    assert cells.loc[[(1700, 0)], "status"].item() == "ok"  # 100 m there, 300 m to the side
    assert cells.loc[[(-1800, 0)], "status"].item() == "edge"  # 300 m there, 200 m to the side


@pytest.mark.parametrize("seed", range(6))
def test_whatever_lies_beyond_changes_no_answer_of_a_cell_that_is_not_at_the_edge(tmp_path, seed):
    dice = random.Random(seed)
    beyond, within = Drawing(), Drawing()
    # Odd numbers, so that no two ways are equally near to a cell.
    lines = [dice.randrange(-990, 1000, 100) + 3 for _ in range(5)]
    places = [
        (dice.randrange(-1500, 1501, 50), dice.choice(lines), dice.choice(["clinic", "school"])) for _ in range(9)
    ]
    places += [(0, lines[0], "clinic"), (0, lines[0], "school")]
    columns = [dice.randrange(-1490, 1500, 50) + 7 for _ in range(5)]
    for drawing, far in ((beyond, 1500), (within, 1000)):
        for y in {*lines, 1000, -1000}:
            stops = sorted({-far, far, *(x for x in columns if abs(x) <= far)})
            drawing.way(*((x, y) for x in stops), highway="residential")
        for x in {x for x in columns if abs(x) <= far}:
            drawing.way(*((x, y) for y in sorted({*lines, 1000, -1000})), highway="residential")
        for x, y, kind in places:
            if abs(x) <= far:
                drawing.poi(x, y, amenity=kind)
    people = [(x, y) for x in range(-950, 1000, 100) for y in range(-950, 1000, 100)]
    box = (-1000, -1000, 1000, 1000)
    small = cells_of(study(tmp_path / "small", within, people, box=box).run())
    large = cells_of(study(tmp_path / "large", beyond, people, box=box).run())
    sure = small["status"] == "ok"
    assert 0 < sure.sum() < len(small)
    for key in ("clinic", "school"):
        assert (small.loc[sure, f"{key}_met"] == large.loc[sure, f"{key}_met"]).all()
        met = sure & small[f"{key}_met"].fillna(value=False).astype(bool)
        assert (small.loc[met, f"{key}_m"] == large.loc[met, f"{key}_m"]).all()


def barrier(path, *boxes):
    return str(boundary(path, *((f"b{ix}", "zone", *box) for ix, box in enumerate(boxes))))


def test_a_hard_barrier_before_the_side_of_the_box_stops_the_edge(tmp_path):
    wall = barrier(tmp_path / "wall.geojson", (1940, -2900, 1950, 2900))
    result = study(tmp_path, street(), ALONG, box=WIDE, hard_barrier=wall).run()
    cells = cells_of(result)
    edge = {x for x, _ in cells.index[cells["status"] == "edge"]}
    assert edge == {-1900, -1800, -1700, -1600, -1500}  # only the side without a wall
    assert "Hard barriers" in result.page("index")
    assert result.summary["data"]["hard_barriers"] == 1


def test_a_hard_barrier_one_can_get_round_within_reach_stops_nothing(tmp_path):
    for half_length, cut in ((100, False), (600, True)):
        wall = barrier(tmp_path / "wall.geojson", (1940, -half_length, 1950, half_length))
        cells = cells_of(study(tmp_path, street(), ALONG, box=WIDE, hard_barrier=wall).run())
        assert (cells.loc[[(1900, 0)], "status"].item() == "ok") == cut


def test_a_broken_barrier_file_gives_one_clear_message(tmp_path):
    for text, said in (
        ('{"type": "Point", "coordinates": [9, 45]}', "no polygon"),
        ("[1]", "not GeoJSON"),
    ):
        (tmp_path / "wall.geojson").write_text(text)
        with pytest.raises(DataError, match=said):
            study(tmp_path, street(), ALONG, box=WIDE, hard_barrier=str(tmp_path / "wall.geojson")).run()
    with pytest.raises(DataError, match="cannot read the hard barrier file"):
        study(tmp_path, street(), ALONG, box=WIDE, hard_barrier=str(tmp_path / "none.geojson")).run()


def test_coverage_without_outside_facilities_is_that_of_a_map_without_them(tmp_path):
    inner = (-1000, -100, 1000, 100)
    people = [(x, 0) for x in range(-900, 1000, 100)]
    both = study(tmp_path / "both", street(clinic_x=(-300, 1100, 1400), school_x=(0,)), people, box=inner).run()
    alone = study(tmp_path / "alone", street(clinic_x=(-300,), school_x=(0,)), people, box=inner).run()
    assert (both.coverage.point_met_inside == alone.coverage.point_met).all()
    assert alone.coverage.point_met_inside is None
    assert alone.summary["outside"] is None
    outside = both.summary["outside"]
    assert outside["facilities"] == {"clinic": 2, "school": 0}
    figures = {f["service"]: f for f in outside["figures"] if f["measure"] == "people"}
    # Clinic at -300: 11 cells from -800 to 200; the one at 1100 gives 600 to 900 as well.
    assert (figures["clinic"]["met"], figures["clinic"]["met_inside"], figures["clinic"]["total"]) == (15, 11, 19)
    assert figures["school"]["met"] == figures["school"]["met_inside"]
    page = both.page("index")
    assert "Covered, only those inside" in page
    assert "No facility of the data lies outside" in alone.page("index")


def test_a_region_with_every_facility_outside(tmp_path):
    people = [(x, 0) for x in range(500, 900, 100)]
    result = study(tmp_path, street(clinic_x=(1000,), school_x=(1000,)), people, box=(450, -100, 850, 100)).run()
    figures = {(f["service"], f["measure"]): f for f in result.summary["outside"]["figures"]}
    assert figures["clinic", "people"]["met"] == 4
    assert figures["clinic", "people"]["met_inside"] == 0


def test_islands_are_listed_with_their_people_and_facilities(tmp_path):
    drawing = street()
    drawing.way((500, 500), (700, 500), highway="footway")  # someone lives here
    drawing.way((500, 800), (600, 800), highway="footway")  # a clinic stands here
    drawing.way((500, 1200), (600, 1200), highway="footway")  # nobody and nothing
    drawing.poi(550, 810, amenity="clinic", name="<b>Clinic</b>")
    result = study(tmp_path, drawing, [(600, 450), (0, 50)], box=(-100, -100, 1000, 1500), snap_limit_m=100).run()
    found = islands(result.coverage.network, result.coverage.cells, result.coverage.facilities)
    assert [(i.people, i.cells, i.facilities, i.used) for i in found] == [
        (1.0, 1, 0, True), (0.0, 0, 1, True), (0.0, 0, 0, False),
    ]  # fmt: skip
    out = result.write(tmp_path / "out")
    network = json.loads((out / "manifest.json").read_text(encoding="utf-8"))["counts"]["network"]
    assert [island["people"] for island in network["islands"]] == [1.0, 0.0]
    assert network["islands_without_people_or_facilities"] == {"components": 1, "street_km": 0.1}
    lon, lat = lonlat(500, 500)
    assert f"{lon:.4f}, {lat:.4f}" in result.page("index")
