"""Live data becomes one file: whole, dated, checksummed, gone on with where it was broken off."""

import hashlib
import json
import subprocess
import sys
import time

import osmium
import pytest
import town
from drawn import Drawing, boundary, lonlat
from standin import World, changed, send, serving, status

from lifecircle.errors import DataError, SourceError
from lifecircle.places import Place, RegionPreset
from lifecircle.profiles import preset_names
from lifecircle.sources import live
from lifecircle.sources.boundaries import read_region
from lifecircle.sources.live import fetch
from lifecircle.sources.osm import read_osm
from lifecircle.sources.overpass import Patience
from lifecircle.study import Study

HEAVY = changed(
    lambda said: said | {"remark": 'runtime error: Query timed out in "query" at line 1 after 181 seconds.'}
)
QUICK = Patience(attempts=1, sleep=lambda _: None)


def box_of(x0, y0, x1, y1):
    return (*lonlat(x0, y0), *lonlat(x1, y1))


BOX = box_of(0, 0, 1000, 1000)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A country with two towns, one in two quarters, streets through all of it, and much that is not asked for."""
    sketch = Drawing()
    for y in range(0, 2001, 100):
        for x in range(-1000, 3000, 500):
            sketch.way((x, y), (x + 500, y), highway="residential", name=f"{y}")
    sketch.way((-5000, 555), (5000, 555), highway="primary")  # crosses tiles without a node in them
    sketch.node(5000, 555, highway="turning_circle")
    sketch.poi(150, 120, amenity="clinic", name="诊所")
    sketch.poi(900, 900, amenity="school")
    sketch.area(300, 310, 420, 380, building="yes", amenity="kindergarten")
    hole = sketch.area(520, 120, 560, 180)
    pond = sketch.area(500, 110, 700, 190)
    sketch.multipolygon([pond], [hole], natural="water")
    sea = sketch.way((-4000, -50), (6000, -50), (6000, -9000), (-4000, -9000), (-4000, -50))
    sketch.multipolygon([sea], [], natural="bay", name="Great Bay")

    def admin(name, level, *ring, **tags):
        way = sketch.way(*ring, ring[0])
        number = sketch.multipolygon([way], [], boundary="administrative", admin_level=str(level), name=name, **tags)
        sketch.relations[number - 1][1]["type"] = "boundary"
        return number

    corners = (-900, -900), (2900, -900), (2900, 2500), (-900, 2500)
    numbers = {
        "country": admin("国", 2, *((20 * x, 20 * y) for x, y in corners), name__en="Country"),
        "city": admin("市", 4, *corners),
        "county": admin("县", 5, (-900, -900), (1500, -900), (1500, 2500), (-900, 2500)),
        "town": admin("镇", 6, (0, 0), (1000, 0), (1000, 1000), (0, 1000)),
        "west": admin('西"区\\', 8, (0, 0), (500, 0), (500, 1000), (0, 1000)),
        "east": admin("东区", 8, (500, 0), (1000, 0), (1000, 1000), (500, 1000)),
        "namesake": admin("镇", 6, (30_000, 0), (31_000, 0), (31_000, 1000)),
    }
    world = World(sketch.write(tmp_path_factory.mktemp("world") / "world.osm.pbf"))
    world.id = numbers
    return world


def contents(path):
    found = {"n": {}, "w": {}, "r": {}}
    for thing in osmium.FileProcessor(str(path)):
        found[thing.type_str()][thing.id] = dict(thing.tags)
    return found


def test_a_box_from_the_command_line_and_the_next_command(world, tmp_path, call, monkeypatch):
    monkeypatch.chdir(tmp_path)
    said = ",".join(f"{value:.6f}" for value in BOX)
    with serving(world) as server:
        code, out, err = call("fetch", f"--bbox={said}", "--overpass-url", server.url, "--out", "data/a b.osm.pbf")
        assert code == 0, err
        assert len(server.queries) == 4
    path = tmp_path / "data" / "a b.osm.pbf"
    note = json.loads(path.with_name("a b.osm.pbf.json").read_text(encoding="utf-8"))
    assert sorted(p.name for p in path.parent.iterdir()) == ["a b.osm.pbf", "a b.osm.pbf.json"]
    assert note["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert note["sha256"] in out
    assert (note["osm_base"], note["server"]) == (world.base, server.url)
    assert f"OpenStreetMap of {world.base}" in out
    assert f"next: lifecircle run --bbox={said} --osm 'data/a b.osm.pbf'" in out
    data = read_osm(path, BOX)
    assert data.timestamp == world.base
    assert data.extent == pytest.approx(note["box"], abs=1e-7)
    assert "--refresh" not in out
    code, out, _ = call("check", f"--bbox={said}", "--osm", path, "--out", tmp_path / "out", "--json")
    assert code == 0
    # The server is gone: what is there needs none.
    code, out, _ = call("fetch", f"--bbox={said}", "--out", path)
    assert code == 0
    assert f"is already there: OpenStreetMap of {world.base}" in out
    assert "--refresh to fetch it anew" in out
    code, out, _ = call("fetch", f"--bbox={said}", "--out", path, "--json")
    assert {key: json.loads(out)[key] for key in ("fetched", "requests", "sha256")} == {
        "fetched": False, "requests": 0, "sha256": note["sha256"],
    }  # fmt: skip


def test_what_is_fetched_and_what_is_left(world, tmp_path):
    with serving(world) as server:
        fetch(BOX, tmp_path / "x.osm.pbf", buffer_m=300, url=server.url)
    found = contents(tmp_path / "x.osm.pbf")
    relations = {tags.get("name") or tags.get("natural") for tags in found["r"].values()}
    assert relations == {"water", "镇", '西"区\\', "东区"}  # neither the bay nor the country
    ways = {number for number, (_, tags) in world.ways.items() if tags.get("name") == "500"}
    touching = {n for n in ways if any(-300 <= x <= 1300 for x in (_x(world, ref) for ref in world.ways[n][0]))}
    assert touching <= found["w"].keys()
    assert ways - touching
    assert not (ways - touching) & found["w"].keys()
    assert any(tags.get("highway") == "primary" for tags in found["w"].values())
    assert {"诊所"} <= {tags.get("name") for tags in found["n"].values()}


def _x(world, ref):
    return (world.at[ref][0] - lonlat(0, 0)[0]) / (lonlat(1000, 0)[0] - lonlat(0, 0)[0]) * 1000


def test_tiling_changes_no_byte(world, tmp_path, monkeypatch):
    made = set()
    for tile_m in (8000, 3000, 700):
        monkeypatch.setattr(live, "_TILE_M", tile_m)
        with serving(world) as server:
            found = fetch(BOX, tmp_path / f"{tile_m}.osm.pbf", buffer_m=1000, url=server.url)
        made.add(found.sha256)
        assert found.requests == len(server.queries)
    assert found.requests == 25
    assert len(made) == 1


def test_a_heavy_tile_is_asked_for_in_parts(world, tmp_path):
    with serving(world) as server:
        plain = fetch(BOX, tmp_path / "plain.osm.pbf", buffer_m=1000, url=server.url)
    with serving(world, [HEAVY, None, HEAVY]) as server:
        parts = fetch(BOX, tmp_path / "parts.osm.pbf", buffer_m=1000, url=server.url)
    assert parts.sha256 == plain.sha256
    assert (plain.requests, parts.requests) == (1, 9)
    with (
        serving(world, [HEAVY] * 99) as server,
        pytest.raises(SourceError, match="small as it is: it says 'runtime error: Qu"),
    ):
        fetch(BOX, tmp_path / "none.osm.pbf", buffer_m=1000, url=server.url, patience=QUICK)
    assert len(server.queries) < 8


def test_the_same_command_goes_on(world, tmp_path):
    out, many = tmp_path / "x.osm.pbf", {"buffer_m": 3900}
    with serving(world, [HEAVY, None, None, status(403)]) as server:
        with pytest.raises(
            SourceError, match=r"refuses.*; 2 answers are kept in .*x\.osm\.pbf\.answers: the same command"
        ):
            fetch(BOX, out, url=server.url, patience=QUICK, **many)
        assert not out.exists()
        first = list(server.queries)
        fetched = fetch(BOX, out, url=server.url, patience=QUICK, **many)
        again = server.queries[len(first) :]
    assert first[3] == again[0]
    assert not set(first[:3]) & set(again)
    assert fetched.requests == len(again)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x.osm.pbf", "x.osm.pbf.json"]
    with serving(world) as server:
        assert fetch(BOX, tmp_path / "y.osm.pbf", url=server.url, **many).sha256 == fetched.sha256
        kept = fetch(BOX, out, url=server.url, refresh=True, keep=True, **many)
        assert kept.anew
        assert kept.requests > 0
        assert len(list((tmp_path / "x.osm.pbf.answers").glob("*.json"))) == kept.requests


def test_nothing_is_written_where_nothing_came(world, tmp_path):
    for moods in ([status(404)], [status(504)] * 9):
        with serving(world, moods) as server, pytest.raises(SourceError):
            fetch(BOX, tmp_path / "data" / "x.osm.pbf", url=server.url, patience=QUICK)
        assert not any(path.is_file() for path in tmp_path.rglob("*"))
    far = box_of(60_000, 60_000, 61_000, 61_000)
    with serving(world) as server, pytest.raises(DataError, match="holds no street in "):
        fetch(far, tmp_path / "x.osm.pbf", buffer_m=0, url=server.url)
    assert not any(path.is_file() for path in tmp_path.rglob("*"))


def test_a_failed_refresh_leaves_the_old_file(world, tmp_path):
    out = tmp_path / "x.osm.pbf"
    with serving(world, [None, status(400)]) as server:
        before = fetch(BOX, out, buffer_m=0, url=server.url)
        with pytest.raises(SourceError):
            fetch(BOX, out, buffer_m=0, url=server.url, refresh=True)
        assert fetch(BOX, out, buffer_m=0, url=server.url).sha256 == before.sha256


def test_a_refresh_goes_on_too(world, tmp_path):
    out, many = tmp_path / "x.osm.pbf", {"buffer_m": 3900, "keep": True}
    with serving(world) as server:
        first = fetch(BOX, out, url=server.url, **many)
        server.moods += [None, None, status(403)]
        with pytest.raises(SourceError, match="2 answers are kept"):
            fetch(BOX, out, url=server.url, refresh=True, **many)
        again = fetch(BOX, out, url=server.url, refresh=True, **many)
        assert (first.requests, again.requests) == (4, 2)
        assert again.sha256 == first.sha256


def test_another_file_is_not_taken_for_it(world, tmp_path):
    out = tmp_path / "x.osm.pbf"
    out.write_bytes(b"mine")
    note = tmp_path / "x.osm.pbf.json"
    with serving(world) as server:
        for text in (
            None,
            "",
            "[]",
            "{}",
            '{"sha256": 1, "osm_base": 2, "box": [1], "place": 3, "counts": {}}',
            "\ud800",
        ):
            if text is not None:
                note.write_bytes(text.encode("utf-8", "surrogatepass"))
            with pytest.raises(SourceError, match=r"nothing says that it was fetched .*--refresh to replace it"):
                fetch(BOX, out, buffer_m=0, url=server.url)
        assert out.read_bytes() == b"mine"
        fetch(BOX, out, buffer_m=0, url=server.url, refresh=True)
        with pytest.raises(SourceError, match="another region or --buffer was fetched into it"):
            fetch(BOX, out, buffer_m=10, url=server.url)
        with out.open("ab") as stream:
            stream.write(b"x")
        with pytest.raises(SourceError, match="its checksum differs"):
            fetch(BOX, out, buffer_m=0, url=server.url)
        with pytest.raises(SourceError, match="cannot write"):
            fetch(BOX, note / "x.osm.pbf", buffer_m=0, url=server.url)
        with pytest.raises(DataError, match=r"expected one ending in \.osm\.pbf"):
            fetch(BOX, tmp_path / "x.gpkg", buffer_m=0, url=server.url)


def test_the_newest_answer_counts(world, tmp_path, monkeypatch):
    """The map goes on between two requests: an element of both is that of the later state, the date the earlier."""
    monkeypatch.setattr(live, "_TILE_M", 600)
    long = next(number for number, (_, tags) in world.ways.items() if tags.get("highway") == "primary")
    circle = next(number for number, tags in world.tags.items() if tags.get("highway") == "turning_circle")
    seen = []

    def later(said):
        seen.append(said)
        said["osm3s"]["timestamp_osm_base"] = f"2023-06-13T0{9 - len(seen)}:00:00Z"  # the server goes back in time
        for element in said["elements"]:
            if element["id"] == long and element["type"] == "way":
                element["tags"]["name"] = f"state {len(seen)}"
            if element["id"] == circle and element["type"] == "node" and len(seen) == 3:
                del element["tags"]

    with serving(world, [changed(later)] * 4) as server:
        fetched = fetch(BOX, tmp_path / "x.osm.pbf", buffer_m=0, url=server.url)
    found = contents(tmp_path / "x.osm.pbf")
    assert fetched.requests == 4
    assert fetched.base == "2023-06-13T05:00:00Z"
    assert found["w"][long]["name"] == "state 3"  # the two tiles of the south do not hold it
    assert found["n"][circle] == {}


def test_places_by_id_and_by_name(world, tmp_path):
    ids = world.id
    by_id = Place(boundary=[ids["town"]], zones=[ids["west"], ids["east"]], overlays=[ids["city"]])
    by_name = Place.model_validate(
        {
            "boundary": [{"name": "镇", "admin_level": 6, "within": "市"}],
            "zones": [{"name": '西"区\\', "admin_level": 8}, {"name": "东区", "admin_level": 8}],
            "overlays": [{"name": "市", "admin_level": 4}],
        }
    )
    gone = Place.model_validate(
        {"boundary": [{"relation": 999, "name": "镇", "admin_level": 6, "within": ids["city"]}]}
    )
    by_level = Place(boundary=[ids["town"]], zones_level=8)
    with serving(world) as server:
        for number, place in enumerate((by_id, by_name, gone, by_level)):
            out = tmp_path / f"{number}.osm.pbf"
            fetched = fetch(place, out, buffer_m=200, url=server.url)
            region = read_region(out, place, name="x")
            assert region.boundary.bounds == pytest.approx(BOX, abs=1e-6)
            assert len(region.zones) == (1 if place is gone else 2)
            west, south, east, north = region.clip_bounds(200)
            assert fetched.box[0] <= west
            assert fetched.box[1] <= south
            assert fetched.box[2] >= east
            assert fetched.box[3] >= north
        with pytest.raises(DataError, match="knows no relation 5000; check the id"):
            fetch(Place(boundary=[5000]), tmp_path / "y.osm.pbf", url=server.url)
        with pytest.raises(DataError, match="holds no boundary that is 'Atlantis'"):
            fetch(Place(boundary=["Atlantis"]), tmp_path / "y.osm.pbf", url=server.url)
        large = fetch(Place(boundary=[ids["city"]], zones_level=5), tmp_path / "z.osm.pbf", buffer_m=0, url=server.url)
        assert ids["county"] in contents(large.path)["r"]
        with pytest.raises(SourceError, match=r"has 5,.* km², more than the 2,500 km² .*Geofabrik|geofabrik"):
            fetch(Place(boundary=[ids["country"]]), tmp_path / "w.osm.pbf", url=server.url)


def test_a_boundary_file_and_a_name(world, tmp_path, call, monkeypatch):
    import osmnx

    monkeypatch.chdir(tmp_path)
    zones = boundary(tmp_path / "zones.geojson", ("one", "zone", 0, 0, 1000, 1000))
    row = {
        "osm_type": "relation", "osm_id": world.id["town"], "display_name": "镇\x1b[31m, 市", "importance": 1, "lat": "45",
        "lon": "9", "boundingbox": ["45", "45.1", "9", "9.1"],
        "geojson": {"type": "Polygon", "coordinates": [[[9, 45], [9.1, 45], [9.1, 45.1], [9, 45]]]},
    }  # fmt: skip

    def answer(form):
        return json.dumps([row]).encode() if "q" in form else world.answer(form["data"])

    with serving(answer) as server:
        monkeypatch.setattr(osmnx.settings, "nominatim_url", server.url)
        url = ("--overpass-url", server.url, "--buffer", "100")
        code, out, err = call("fetch", "--boundary", zones, *url)
        assert code == 0, err
        assert f"next: lifecircle run --boundary {zones} --osm data/zones.osm.pbf" in out
        code, out, err = call("fetch", "--place", "镇 in 市", *url)
        assert code == 0, err
        assert f"next: lifecircle run --place {world.id['town']} --osm 'data/镇-in-市.osm.pbf' [" in out
        assert server.queries.count("镇 in 市") == 1
        code, out, err = call("fetch", "--place", f"r{world.id['town']}", *url, "--json")
        assert code == 0, err
        assert (
            json.loads(out)["next"]
            == f"lifecircle run --place {world.id['town']} --osm data/r{world.id['town']}.osm.pbf"
        )
        row["osm_type"] = "node"
        code, _, err = call("fetch", "--place", "a point", *url)
        assert code == 4
        assert "which is no area" in err
    assert sorted(p.name for p in (tmp_path / "data").iterdir() if p.suffix == ".pbf") == [
        f"r{world.id['town']}.osm.pbf", "zones.osm.pbf", "镇-in-市.osm.pbf",
    ]  # fmt: skip


def test_the_box_of_the_file_is_the_edge_of_the_data(tmp_path):
    """A street that runs on beyond the box fills nothing: with no reach around, homes are at the edge."""
    keys = Study.from_toml(town.draw(tmp_path)).keys
    with serving(World(keys.osm)) as server:
        region = box_of(0, 150, 500, 450)
        tight = fetch(region, tmp_path / "tight.osm.pbf", buffer_m=0, url=server.url)
        wide = fetch(region, tmp_path / "wide.osm.pbf", url=server.url)
    found = {}
    for fetched in (tight, wide):
        study = {
            "name": "x",
            "osm": str(fetched.path),
            "bbox": region,
            "population": str(keys.population),
            "standard": keys.standard,
            "services": ["clinic"],
        }
        status = Study.from_keys(study).run().summary["data"]["status"]
        found[fetched.path.name] = {key: said["cells"] for key, said in status.items() if said["cells"]}
    assert set(found["wide.osm.pbf"]) == {"ok"}
    assert set(found["tight.osm.pbf"]) == {"edge"}
    assert sum(found["wide.osm.pbf"].values()) == sum(found["tight.osm.pbf"].values()) > 0


@pytest.mark.parametrize("name", ["yangpu", "lingang"])
def test_without_a_network_a_region_says_what_to_download(name, call, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    began = time.monotonic()
    code, _, err = call("fetch", name, "--overpass-url", "http://no-such-host.invalid/api")
    assert time.monotonic() - began < 15
    assert code == 4
    (line,) = err.strip().splitlines()[-1:]
    assert "no-such-host.invalid cannot be reached" in line
    assert "download https://download.geofabrik.de/asia/china/shanghai-latest.osm.pbf , then" in line
    assert line.endswith(f"lifecircle run {name} --osm shanghai-latest.osm.pbf")
    assert not list(tmp_path.iterdir())


def test_every_region_that_needs_an_extract_names_one():
    for name in preset_names("regions"):
        preset = RegionPreset.load(name)
        assert (preset.extract is None) == (preset.study is not None)


def test_the_presets_ask_for_their_relations(tmp_path):
    """What `fetch lingang` asks first is the outline of its towns, by id."""
    asked = []

    def answer(form):
        asked.append(form["data"])

    with serving(answer) as server:
        for name in ("lingang", "shanghai"):
            with pytest.raises(SourceError, match="does not understand"):
                fetch(RegionPreset.load(name).place, tmp_path / "x.osm.pbf", url=server.url)
    assert asked == [
        "[out:json][timeout:180];(rel(id:14180406,14180408,14180410,14180411););(._;>;);out;",
        "[out:json][timeout:180];(rel(id:913067););(._;>;);out;",
    ]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ((), 2, "say what to fetch, in one way"),
        (("lingang", "--bbox=0,0,1,1"), 2, "say what to fetch, in one way"),
        (("lingang-model",), 3, "it carries its own data; ready to run: lifecircle run lingang-model"),
        (("atlantis",), 2, "unknown region"),
        (("--place", " "), 2, "--place is a name"),
        (("--place", "x" * 300), 2, "--place is a name"),
        (("--bbox=0,0,1",), 2, "expected a box"),
        (("--bbox=1,1,0,0",), 3, "is empty"),
        (("--bbox=0,0,1,1", "--overpass-url", "gopher://x"), 2, "no server's address"),
        (("--bbox=0,0,9,9"), 4, "km², more than the 2,500 km²"),
        (("--boundary", "nowhere.geojson"), 3, "cannot read the boundary file"),
        (("--bbox=0,0,1,1", "--out", "x.txt"), 3, "expected one ending in .osm.pbf"),
        (("lingang", "--deadline", "0"), 2, "--deadline"),
    ],
)
def test_odd_wishes(arguments, code, said, call, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    got, _, err = call("fetch", *((arguments,) if isinstance(arguments, str) else arguments))
    assert got == code
    assert said in " ".join(err.split())
    assert "Traceback" not in err
    assert not list(tmp_path.iterdir())


def test_no_other_verb_goes_to_the_network(tmp_path):
    town.draw(tmp_path)
    program = (
        "import sys\n"
        "def watch(event, args):\n"
        "    if event in {'socket.connect', 'socket.getaddrinfo', 'socket.gethostbyname', 'socket.sendto'}:\n"
        "        raise RuntimeError(event)\n"
        "sys.addaudithook(watch)\n"
        "from lifecircle.cli import main\n"
        "for words in (['check', 'study.toml', '--json'], ['run', 'study.toml', '--out', 'o', '--json'], ['info', 'o'], ['regions']):\n"
        "    sys.argv = ['lifecircle', *words]\n"
        "    try:\n"
        "        main()\n"
        "    except SystemExit as stop:\n"
        "        assert not stop.code, (words, stop.code)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]


def test_progress_is_told(world, tmp_path):
    told = []
    with serving(world) as server:
        fetch(BOX, tmp_path / "x.osm.pbf", url=server.url, progress=lambda *said: told.append(said))
    tiles = [(done, total) for stage, done, total in told if stage == "asking for the map, tile by tile"]
    assert tiles[0] == (0, 4)
    assert tiles[-1] == (4, 4)
    assert told[-1][0] == "writing the file"


def test_a_longer_answer_than_all_may_have_together(world, tmp_path, monkeypatch):
    monkeypatch.setattr(live, "_LARGEST", 20_000)
    with (
        serving(world) as server,
        pytest.raises(SourceError, match="more than the 0 MB that are taken; or take an extract"),
    ):
        fetch(BOX, tmp_path / "x.osm.pbf", url=server.url)
    assert not (tmp_path / "x.osm.pbf").exists()


def test_a_later_answer_with_other_text_is_still_one_file(world, tmp_path):
    """Order, spaces and doubles in an answer are the server's business."""

    def shuffled(handler, body):
        said = json.loads(body)
        said["elements"] = said["elements"][::-1] + said["elements"][:5]
        send(handler, json.dumps(said, indent=1).encode())

    with serving(world, [shuffled]) as server:
        one = fetch(BOX, tmp_path / "one.osm.pbf", buffer_m=0, url=server.url)
        other = fetch(BOX, tmp_path / "other.osm.pbf", buffer_m=0, url=server.url)
    assert one.sha256 == other.sha256
