"""The check of the data before anything is computed: every finding on a small drawn map."""

import json
import re

import pytest
import town
from drawn import Drawing, raster
from test_edge import ALONG, STANDARD, WIDE, street, study

from lifecircle.audit import check
from lifecircle.model.ways import walkable
from lifecircle.study import Study


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    return Study.from_toml(town.draw(tmp_path_factory.mktemp("town"))).prepare().check.findings


def codes(findings):
    return [warning["code"] for warning in findings["warnings"]]


def test_snap_distances_and_the_worst_places(found):
    snap = found["snapping"]
    assert sum(b["cells"] for b in snap["bins"]) == 5
    # All stand 10 m from their street, give or take what degrees are written to.
    assert {b["from_m"] for b in snap["bins"] if b["cells"]} <= {0, 10}
    assert sum(b["people"] for b in snap["bins"]) == 100 + 50 + 25.5 + 30 + 7
    assert snap["unsnapped"] == {"cells": 1, "people": 3.25}
    assert snap["outside_data"] == {"cells": 1, "people": 2}
    assert len(snap["worst"]) == 5
    assert snap["worst"][0]["leg_m"] == pytest.approx(10, abs=0.2)
    assert "unsnapped" in codes(found)


def test_components_facilities_and_entrances(found):
    assert found["components"]["total"] == 3  # the town, the bridge and the island
    assert [(i["people"], i["facilities"]) for i in found["components"]["islands"]] == [(7, 0)]
    assert found["facilities"]["school"]["merged"] == 1
    assert found["facilities"]["school"]["entrances"] == {"mapped": 0, "crossing": 0, "point": 0, "assumed": 1}
    assert found["facilities"]["park"]["entrances"]["crossing"] == 1
    assert found["facilities"]["clinic"]["entrances"]["point"] == 1


def test_network_by_class_and_sidewalks(tmp_path):
    drawing = street()
    drawing.way((0, 100), (300, 100), highway="residential", sidewalk="both")
    drawing.way((0, 200), (300, 200), highway="residential", sidewalk__left="yes")
    drawing.way((0, 300), (300, 300), highway="footway")
    network = study(tmp_path, drawing, ALONG, box=WIDE).prepare().check.findings["network"]
    assert network["km"] == {"residential": pytest.approx(10.6, abs=0.01), "footway": pytest.approx(0.3, abs=0.001)}
    assert network["without_sidewalk_information"] == pytest.approx(10 / 10.6, abs=1e-4)


@pytest.mark.parametrize(
    ("tags", "decided"),
    [
        ({"highway": "footway", "name": "x"}, "highway=footway"),
        ({"highway": "service", "access": "no"}, "access=no"),
        ({"highway": "service", "access": "no", "foot": "yes"}, "foot=yes"),
        ({"highway": "motorway", "foot": "designated"}, "foot=designated"),
        ({"highway": "construction", "foot": "yes"}, "highway=construction"),
        ({"highway": "footway", "indoor": "yes"}, "indoor=yes"),
        ({"highway": "primary", "motorroad": "yes"}, "motorroad=yes"),
    ],
)
def test_the_tag_that_decided(tags, decided):
    assert check.decided_by(tags) == (decided, walkable(tags))


def test_tags_are_counted_over_all_ways(found):
    rows = {row["decided_by"]: (row["kept"], row["dropped"]) for row in found["tags"]}
    assert rows["highway=residential"] == (5, 0)
    assert rows["highway=motorway"] == (0, 1)
    assert sum(kept for kept, _ in rows.values()) == 8


def test_people_without_fabric_and_land_without_people(tmp_path):
    drawing = street()
    drawing.area(-1950, -50, -1850, 50, landuse="residential")  # all of one cell
    drawing.area(-500, 60, -300, 90, landuse="residential")  # where the raster knows nobody
    drawing.area(-30, -30, 30, 30, building="yes")
    findings = study(tmp_path, drawing, ALONG, box=WIDE).prepare().check.findings
    assert findings["fabric"]["people_without_fabric"] == {"cells": 37, "people": 37}
    assert findings["fabric"]["residential_m2"] == pytest.approx(16_000, rel=0.01)
    assert findings["fabric"]["residential_without_people_m2"] == pytest.approx(6_000, rel=0.01)
    assert "fabric" in codes(findings)


def test_a_category_with_none_and_one_with_few(tmp_path, capfd):
    usual = 'usual = { per_10000 = 3000, source = "made up", status = "unverified" }\ntags = [{ match = { amenity = ["school"'
    made = study(tmp_path, street(clinic_x=()), ALONG, box=WIDE)
    text = STANDARD.replace('tags = [{ match = { amenity = ["school"', usual)
    (tmp_path / "standard.toml").write_text(text, encoding="utf-8")
    findings = made.prepare(allow_empty=True).check.findings  # 1 school for 39 people: 256 for 10,000
    assert codes(findings)[:2] == ["category_empty", "category_few"]
    assert "made up" in findings["warnings"][1]["text"]


def drawn_town(shift=(0, 0)):
    """Streets 700 m apart with people along them, the people all moved."""
    drawing = Drawing()
    for k in range(-2100, 2101, 700):
        drawing.way((-2100, k), (2100, k), highway="residential")
    drawing.poi(0, 0, amenity="clinic")
    drawing.poi(0, 0, amenity="school")
    for k in range(-2100, 2101, 700):
        for x in range(-1500, 1501, 150):
            east, north = x + shift[0], k + shift[1]
            drawing.area(east - 5, north + 10, east + 5, north + 20, building="yes")
    return drawing


def test_a_shifted_town_raises_a_doubt_about_the_datum(tmp_path):
    box = (-3000, -3000, 3000, 3000)
    straight = study(tmp_path / "a", drawn_town(), ALONG, box=box).prepare().check.findings
    assert "datum" not in codes(straight)
    moved = study(tmp_path / "b", drawn_town((200, 350)), ALONG, box=box).prepare().check.findings
    assert moved["datum"]["buildings"]["mean_m"] > 300
    assert moved["datum"]["buildings"]["best_shift"]["mean_m"] < 50
    assert "GCJ-02" in next(w["text"] for w in moved["warnings"] if w["code"] == "datum")


def test_without_people_nothing_is_said_of_them(tmp_path):
    drawing = street()
    drawing.area(-500, -50, 500, 50, landuse="residential")
    made = study(tmp_path, drawing, ALONG, box=WIDE)
    keys = made.keys.model_dump(by_alias=True, mode="json", exclude_none=True)
    findings = Study.from_keys({k: v for k, v in keys.items() if k != "population"}).prepare().check.findings
    assert findings["people"] is None
    assert {b["people"] for b in findings["snapping"]["bins"]} == {None}
    assert findings["fabric"]["people_without_fabric"] is None
    assert findings["datum"]["people"] is None
    assert findings["facilities"]["clinic"]["per_10000"] is None


def test_the_verb_prints_and_writes_the_same_for_people_and_machines(call, tmp_path):
    path = town.draw(tmp_path)
    out = tmp_path / "out"
    code, said, err = call("check", path, "--out", out, "--json")
    assert (code, err) == (0, "")
    findings = json.loads(said)
    assert findings["schema"] == 1
    assert {p.name for p in out.iterdir()} == {"check.json"}
    assert json.loads((out / "check.json").read_text(encoding="utf-8")) == findings
    first = (out / "check.json").read_bytes()
    code, said, _ = call("check", path, "--out", out)
    assert code == 0
    assert (out / "check.json").read_bytes() == first
    for words in (
        "check: ",
        "Tags that decided",
        "assumed",
        "without sidewalk information",
        "under the best shift",
        "warning: ",
        "check.json",
    ):
        assert words in said
    # A run takes the place of a folder that holds a check alone, and writes the same check; a check leaves a run be.
    code, said, _ = call("run", path, "--out", out)
    assert (code, re.findall(r"(?m)^check: ", said)) == (0, ["check: "])
    assert (out / "check.json").read_bytes() == first
    before = (out / "summary.json").read_bytes()
    assert call("check", path, "--out", out)[0] == 0
    assert (out / "summary.json").read_bytes() == before


def test_hostile_tags_cannot_act_on_a_terminal(call, tmp_path):
    drawing = street()
    drawing.way((0, 100), (300, 100), highway="residential", foot="no")
    drawing.way((0, 200), (300, 200), highway="\x1b[31m[bold]evil[/bold]\u202e" + "x" * 150)
    study(tmp_path, drawing, ALONG, box=WIDE)
    (tmp_path / "study.toml").write_text(
        'osm = "map.osm.pbf"\npopulation = "people.tif"\nboundary = "boundary.geojson"\nstandard = "standard.toml"\n'
        f'name = "map"\nout = "{tmp_path / "out"}"\n'
    )
    code, said, _ = call("check", tmp_path / "study.toml")
    assert code == 0
    assert "\u202e" not in said
    assert "\x1b[31m" not in said
    assert "[bold]evil" in re.sub(r"\s", "", said)


def test_bad_input_gives_one_clear_message(call, tmp_path):
    path = town.draw(tmp_path)
    assert "Traceback" not in call("check", path, "--osm", tmp_path / "none.osm.pbf")[2]
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("mine")
    code, _, err = call("check", path, "--out", tmp_path / "out")
    assert code == 4
    assert "not lifecircle's" in err
    raster(tmp_path / "people.tif", [[0.0]], left=0, top=0)
    code, _, err = call("check", path, "--out", tmp_path / "new", "--json")
    assert code == 3
    assert err.count("\n") == 1
