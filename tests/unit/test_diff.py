"""Two results are compared, and every change is owed to what was changed, exactly."""

import json
import shutil

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import town
from drawn import CRS, Drawing, boundary, raster

from lifecircle.audit.diff import FACTORS
from lifecircle.errors import DataError
from lifecircle.publish.terminal import show_diff
from lifecircle.study import Study, diff, verify


def draw(folder, *, shortcut=True, second=True, crowd=1.0, limit=300):
    """Draw a street with homes along it and clinics at its ends and beyond; perhaps without one, or without a shortcut.

    x=0                       600              1000
    150  +-----------park----------N                     clinic North, 10 m off the end
         |                         |  shortcut
      0  W-------------------------+-----------------E   clinics West and East; homes at 50, 150, ... 950
    """
    folder.mkdir()
    sketch = Drawing()
    sketch.way((0, 0), (600, 0), (1000, 0), highway="residential")
    sketch.way((0, 0), (0, 150), (600, 150), highway="residential")
    if shortcut:
        sketch.way((600, 150), (600, 0), highway="footway")
    sketch.poi(0, -10, amenity="clinic", name="West")
    sketch.poi(600, 160, amenity="clinic", name="North")
    if second:
        sketch.poi(1000, -10, amenity="clinic", name="East")
    sketch.poi(300, 160, leisure="park")
    sketch.write(folder / "map.osm.pbf")
    people = [[0.0] * 11 for _ in range(11)]
    for column in range(10):
        people[9][column] = 10.5 * (column + 1) * (crowd if column % 2 else 1)
    people[1][4] = 3.25
    if crowd != 1:
        people[1][5] = 77.0
    raster(folder / "people.tif", people, left=0, top=950)
    boundary(folder / "boundary.geojson", ("west", "zone", -100, -100, 500, 1100), ("east", "zone", 500, -100, 1300, 1100),
             ("middle", "overlay", 300, -100, 700, 1100))  # fmt: skip
    rules = town.STANDARD.split("[services.school]")[0].replace("value = 240", f"value = {limit}")
    (folder / "rules.toml").write_text(rules.replace('profile = "adult"', 'profile = "metres"'), encoding="utf-8")
    keys = {
        "name": "x", "osm": "map.osm.pbf", "population": "people.tif", "boundary": "boundary.geojson",
        "standard": "rules.toml", "crs": CRS,
    }  # fmt: skip
    study = folder / "study.toml"
    study.write_text("schema = 1\n" + "".join(f'{key} = "{value}"\n' for key, value in keys.items()), encoding="utf-8")
    Study.from_toml(study).run().write(folder / "out")
    return folder / "out"


ONE = {
    "network": {"shortcut": False},
    "facilities": {"second": False},
    "population": {"crowd": 1.5},
    "parameters": {"limit": 250},
}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    here = tmp_path_factory.mktemp("made")
    folders = {name: draw(here / name, **how) for name, how in ONE.items()}
    folders |= {"plain": draw(here / "plain"), "up to network": folders["network"]}
    steps = dict(ONE["network"])
    for name in FACTORS[1:]:
        steps |= ONE[name]
        folders[f"up to {name}"] = draw(here / f"up-to-{name}", **steps)
    return folders


def met(folder):
    figures = json.loads((folder / "summary.json").read_text(encoding="utf-8"))["figures"]
    return {(f["zone"], f["service"]): f["met"] for f in figures if f["measure"] == "people"}


def check_sums(found, before, after):
    """Every change is told, and its parts add up to it exactly."""
    was, now = met(before), met(after)
    told = {(c.zone, c.service): c for c in found.changes}
    for key in was.keys() & now.keys():
        if was[key] != now[key]:
            assert sum(told[key].owed.values()) == now[key] - was[key]
            assert (told[key].before, told[key].after) == (was[key], now[key])
        elif key in told:
            assert sum(told[key].owed.values()) == 0
    regions = {c.service: c.owed for c in found.changes if c.kind == "region"}
    for service, owed in regions.items():
        for name in FACTORS:
            assert owed[name] == sum(c.owed[name] for c in found.changes if c.kind == "zone" and c.service == service)


def test_of_the_same_nothing_differs(made, tmp_path):
    found = diff(made["plain"], made["plain"])
    assert found.same
    assert found.changes == []
    other = draw(tmp_path / "again")
    assert diff(made["plain"], other).same  # in another folder, at another time


@pytest.mark.parametrize("name", ["cells.parquet", "index.html"])
def test_a_file_that_was_changed_is_told_though_inputs_and_parameters_are_the_same(made, tmp_path, name, capsys):
    changed = shutil.copytree(made["plain"], tmp_path / "out")
    if name.endswith(".parquet"):
        table = pq.read_table(changed / name)
        walks = table["clinic_m"].to_pandas()
        walks.iloc[0] = 1.0
        at = table.schema.get_field_index("clinic_m")
        pq.write_table(table.set_column(at, table.schema.field(at), pa.array(walks, pa.float32())), changed / name)
    else:
        (changed / name).write_text((changed / name).read_text().replace("100", "99"))
    for tables in (False, True):
        found = diff(made["plain"], changed, tables_only=tables)
        assert found.unexplained == [name]
        assert not found.same
    show_diff(found)
    assert f"same: {name}. Other code made one" in capsys.readouterr().out
    (changed / name).unlink()
    if name == "index.html":
        assert diff(made["plain"], changed).unexplained == [name]


@pytest.mark.parametrize("tables", [False, True])
@pytest.mark.parametrize("name", FACTORS)
def test_a_change_of_one_thing_is_owed_to_it(made, name, tables):
    found = diff(made["plain"], made[name], tables_only=tables)
    check_sums(found, made["plain"], made[name])
    region = next(c for c in found.changes if (c.zone, c.service) == ("region", "clinic"))
    assert {key for key, part in region.owed.items() if part} == {name}
    back = diff(made[name], made["plain"], tables_only=tables)
    check_sums(back, made[name], made["plain"])


def test_each_step_is_what_a_run_with_only_that_much_changed_gives(made):
    """The parts are differences of runs whose inputs were really drawn so, to 1/1024 person."""
    last = made["up to parameters"]
    found = diff(made["plain"], last)
    assert found.exact, found.how
    assert "network, then facilities, then population, then parameters" in found.how
    check_sums(found, made["plain"], last)
    levels = [met(made["plain"]), *(met(made[f"up to {name}"]) for name in FACTORS)]
    for change in found.changes:
        key = change.zone, change.service
        expected = {name: levels[n + 1][key] - levels[n][key] for n, name in enumerate(FACTORS)}
        assert change.owed == expected
    region = next(c for c in found.changes if (c.zone, c.service) == ("region", "clinic"))
    assert all(region.owed.values())  # each of the four had a part in it


def test_from_the_tables_sums_are_exact_too_and_it_is_said_why(made, tmp_path):
    first, last = made["plain"], made["up to parameters"]
    check_sums(diff(first, last, tables_only=True), first, last)
    away = shutil.copytree(last, tmp_path / "away")
    manifest = json.loads((away / "manifest.json").read_text(encoding="utf-8"))
    for one in (*manifest["inputs"].values(), *manifest["rules"].values()):
        one["path"] = None
    (away / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    found = diff(first, away)
    assert not found.exact
    assert "the input osm is missing" in found.how
    check_sums(found, first, away)
    assert diff(first, away, inputs=last.parent).exact


def test_cells_are_told_by_what_became_of_their_walk(made):
    closed = diff(made["plain"], made["facilities"])
    clinic = {m.what: m for m in closed.moved if m.service == "clinic"}
    assert set(clinic) == {"nearest_closed"}
    assert clinic["nearest_closed"].cells >= 3
    opened = {m.what for m in diff(made["facilities"], made["plain"]).moved}
    assert opened == {"nearest_opened"}
    streets = {m.what for m in diff(made["plain"], made["network"]).moved}
    assert "longer" in streets
    assert "shorter" not in streets
    people = diff(made["plain"], made["population"])
    assert people.people_changed == (5, 1.5 * 10.5 * (2 + 4 + 6 + 8 + 10))
    assert people.only_after == (1, 77)
    assert people.only_before == (0, 0)
    assert not people.moved
    assert {m.what for m in diff(made["plain"], made["parameters"]).moved} == {"limit"}


def test_inputs_and_parameters_are_told(made):
    found = diff(made["plain"], made["up to parameters"])
    assert {key for key, *_ in found.inputs} == {"osm", "population", "standard"}
    assert ("standard.services.clinic.threshold.value", 300.0, 250.0) in found.parameters
    assert found.versions == []
    with pytest.raises(DataError, match="no results folder"):
        diff(made["plain"], made["plain"].parent)


def test_other_services_and_other_zones(made, tmp_path):
    here = made["plain"].parent
    boundary(
        tmp_path / "other.geojson", ("west", "zone", -100, -100, 350, 1100), ("east", "zone", 350, -100, 1300, 1100)
    )
    study = Study.from_toml(here / "study.toml").changed(services=["clinic"], boundary=str(tmp_path / "other.geojson"))
    study.run().write(tmp_path / "out")
    for tables in (False, True):
        found = diff(made["plain"], tmp_path / "out", tables_only=tables)
        lost = [c for c in found.changes if c.service == "park"]
        assert all(c.after is None for c in lost)
        west = next(c for c in found.changes if (c.zone, c.service) == ("west", "clinic"))
        assert west.owed == {"network": 0, "facilities": 0, "population": 0, "parameters": west.after - west.before}


@pytest.mark.parametrize("broken", ["summary.json", "cells.parquet", "verdicts.parquet"])
def test_a_damaged_folder_is_told(made, tmp_path, broken):
    bad = shutil.copytree(made["network"], tmp_path / "bad")
    (bad / broken).write_bytes(b"\x00\x01")
    with pytest.raises(DataError, match="cannot be compared"):
        diff(made["plain"], bad, tables_only=True)


@pytest.mark.parametrize(
    ("key", "value"), [("met", "12"), ("total", [1]), ("met", True), ("met", 1e300), ("zone", 3), ("kind", None)]
)
def test_a_figure_that_is_none_is_told(made, tmp_path, key, value):
    """Found by spoiling results: a figure that is a text was rounded."""
    bad = shutil.copytree(made["network"], tmp_path / "bad")
    summary = json.loads((bad / "summary.json").read_text(encoding="utf-8"))
    summary["figures"][0][key] = value
    (bad / "summary.json").write_text(json.dumps(summary), encoding="utf-8")
    with pytest.raises(DataError, match="cannot be compared"):
        diff(made["plain"], bad, tables_only=True)


def test_from_the_command_line(made, call):
    for more in ([], ["--tables"], ["--json"]):
        code, out, _ = call("diff", made["plain"], made["up to parameters"], *more)
        assert code == 0
        if more == ["--json"]:
            said = json.loads(out)
            assert said["attribution"]["exact"] is True
            assert {f["zone"] for f in said["figures"]} == {"region", "west", "east", "middle"}
        else:
            for word in ("Inputs that differ", "standard.services.clinic.threshold.value", "network", "people"):
                assert word in out


@pytest.mark.prove
def test_another_walker_in_newport(runs, tmp_path):
    result, folder = runs("newport")
    other = Study(result.study.keys).changed(profile="senior").run().write(tmp_path / "senior")
    for tables in (False, True):
        found = diff(folder, other, tables_only=tables)
        check_sums(found, folder, other)
        assert all({k for k, v in c.owed.items() if v} <= {"parameters"} for c in found.changes)
    assert verify(other).held
