"""What a cache holds, and whatever happens to it, changes no answer: it only spares the work of making it again."""

import json
import logging
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyproj
import pytest
import rasterio
import town
from commandline import command
from drawn import lonlat, raster

from lifecircle import cache as caches
from lifecircle.cache import Cache, Key
from lifecircle.errors import DataError, SourceError
from lifecircle.packing import digest, pack, unpack
from lifecircle.prepared import prepare
from lifecircle.result import Clock
from lifecircle.study import Study, verify

STAGES = ["read", "network", "facilities", "cells"]


@pytest.fixture
def study(tmp_path):
    return Study.from_toml(town.draw(tmp_path))


@pytest.fixture
def cache(tmp_path):
    return Cache(tmp_path / "cache", worth_s=0)


def nouns(study, cache=None, **how):
    """Digest of all that a preparation makes, and the stages it took from the cache."""
    made = prepare(study, Clock(), cache=cache, **how)
    held = [made.region, made.data, made.network, made.barriers, made.elevation, made.facilities, made.cells]
    for lane in made.lanes.values():
        held += [lane.ticks_uv, lane.ticks_vu, lane.cutoff, lane.homes.to_u, lane.homes.to_v, lane.doors.from_u]
    held += [[layer.people for layer in made.layers.values()], list(made.facilities.services)]
    return digest(held), list(made.from_cache)


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != "manifest.json"}


def again(cache):
    """The same cache, as another run opens it."""
    return Cache(cache.folder, cache.most_bytes, cache.worth_s)


def test_the_second_time_every_stage_is_found_and_is_the_same(study, cache):
    without, _ = nouns(study)
    assert nouns(study, cache) == (without, [])
    assert nouns(study, again(cache)) == (without, STAGES)


def test_results_are_the_same_bytes_without_a_cache_with_an_empty_one_and_with_a_full_one(study, cache, tmp_path):
    written = {}
    for name, kept in [("none", None), ("first", cache), ("second", again(cache))]:
        folder = prepare(study, Clock(), cache=kept).run().write(tmp_path / name)
        written[name] = contents(folder)
        told = json.loads((folder / "manifest.json").read_text())["from_cache"]
        assert told == (STAGES if name == "second" else [])
    assert written["none"] == written["first"] == written["second"]


def moved(folder):
    """The town again, with one more way and one more clinic."""
    drawing = town.drawing()
    drawing.way((600, 200), (600, 500), highway="residential")
    drawing.way((400, 0), (600, 0), highway="service", access="private")
    drawing.poi(600, 510, amenity="clinic", start_date="2001")
    drawing.write(folder / "moved.osm.pbf")
    return folder / "moved.osm.pbf"


def hill(folder):
    raster(folder / "hill.tif", [[float(x * y) for x in range(40)] for y in range(40)], left=-1000, top=2000)
    return folder / "hill.tif"


def fewer(folder):
    """The people again, with one pixel of others."""
    shutil.copy(folder / "people.tif", folder / "fewer.tif")
    with rasterio.open(folder / "fewer.tif", "r+") as file:
        values = file.read(1)
        values[values > 0] += 1
        file.write(values, 1)
    return folder / "fewer.tif"


def other_rules(folder):
    text = (folder / "golden.toml").read_text(encoding="utf-8")
    (folder / "other.toml").write_text(text.replace('"clinic"', '"school"'), encoding="utf-8")
    return folder / "other.toml"


def turned_rules(folder):
    """The same services in another order."""
    head, *services = (folder / "golden.toml").read_text(encoding="utf-8").split("[services.")
    text = "[services.".join([head, *reversed(services)])
    (folder / "turned.toml").write_text(text, encoding="utf-8")
    return folder / "turned.toml"


ASKED = {
    "as it is": lambda _: {},
    "other people": lambda folder: {"population": str(fewer(folder))},
    "no more than half": lambda _: {"bbox": [8.997, 44.997, 9.003, 45.006]},
    "a hill": lambda folder: {"elevation": str(hill(folder))},
    "other rules": lambda folder: {"standard": str(other_rules(folder))},
    "the same rules in another order": lambda folder: {"standard": str(turned_rules(folder))},
    "one service": lambda _: {"services": ["park"]},
    "other map": lambda folder: {"osm": str(moved(folder))},
    "other map, before": lambda folder: {"osm": str(moved(folder)), "year": 1990},
    "one service, snapped nearer in the same box": lambda _: {
        "services": ["park"],
        "snap_limit_m": 5.0,
        "cutoff_m": 2490.0,
    },
    "snapped nearer": lambda _: {"snap_limit_m": 5.0},
    "searched shorter": lambda _: {"cutoff_s": 300.0},
    "other metres": lambda _: {"crs": "EPSG:32632"},
    "who is old": lambda _: {"profile": "senior"},
    "gates": lambda folder: {"osm": str(moved(folder)), "gates": "closed"},
    "workers": lambda folder: {"demand": {"workers": {"raster": str(fewer(folder)), "source": "made up"}}},
}


def test_whatever_is_asked_in_whatever_order_the_answer_is_that_without_a_cache(study, cache, tmp_path):
    studies = {name: study.changed(**asked(tmp_path)) for name, asked in ASKED.items()}
    without = {name: nouns(one)[0] for name, one in studies.items()}
    same = [(a, b) for a in studies for b in studies if a < b and without[a] == without[b]]
    assert same == []  # whatever is asked matters
    chance = random.Random(3)
    order = chance.choices(list(studies), k=40)
    found = 0
    for name in order:
        answer, taken = nouns(studies[name], again(cache))
        assert answer == without[name], name
        found += len(taken)
    assert found > 80


def test_without_people_cells_come_from_the_map_and_are_kept_too(tmp_path, cache):
    town.draw(tmp_path)
    drawing = town.drawing()
    drawing.area(10, 410, 30, 430, building="house")
    drawing.area(420, 210, 440, 230, building="apartments")
    drawing.write(tmp_path / "town.osm.pbf")
    keys = Study.from_toml(tmp_path / "study.toml").keys.model_dump(by_alias=True)
    study = Study.from_keys(keys | {"population": None})
    without, _ = nouns(study)
    assert [nouns(study, again(cache)) for _ in range(2)] == [(without, []), (without, STAGES)]


def test_rows_of_a_table_are_never_out_of_the_cache_and_join_what_is(study, cache, tmp_path):
    lon, lat = lonlat(100, 405)
    table = tmp_path / "list.csv"
    for rows in (f"{lon},{lat},clinic,New", f"{lon},{lat},park,Other"):
        table.write_text(f"lon,lat,service,name\n{rows}\n", encoding="utf-8")
        listed = study.changed(facilities=[{"table": str(table), "check_datum": False}])
        without, _ = nouns(listed)
        assert nouns(listed, again(cache))[0] == without
    assert nouns(listed, again(cache)) == (without, STAGES)


def test_another_extract_for_the_homes_is_read_by_its_own_key(study, cache, tmp_path):
    other = {"homes": moved(tmp_path), "facilities": moved(tmp_path)}
    without, _ = nouns(study, extracts=other)
    nouns(study, cache)
    assert nouns(study, again(cache), extracts=other)[0] == without
    assert nouns(study, again(cache), extracts=other) == (without, ["read", "read", "network", "facilities", "cells"])


def spoilt(path, how, chance):
    """Damage a file of the cache."""
    raw = bytearray(path.read_bytes())
    if how == "flipped":
        raw[chance.randrange(len(raw))] ^= 1 << chance.randrange(8)
    elif how == "cut":
        raw = raw[: chance.randrange(len(raw))]
    elif how == "zeros":
        start = chance.randrange(len(raw))
        raw[start : start + 4096] = bytes(len(raw[start : start + 4096]))
    elif how == "empty":
        raw = bytearray()
    path.write_bytes(raw)


@pytest.mark.parametrize("how", ["flipped", "cut", "zeros", "empty"])
def test_damage_is_noticed_and_the_stage_made_anew(study, cache, how):
    without, _ = nouns(study)
    nouns(study, cache)
    whole = {path: path.read_bytes() for path, _ in cache.files()}
    chance = random.Random(how)
    for _ in range(12):
        for path, raw in whole.items():
            path.write_bytes(raw)
        spoilt(chance.choice([*whole]), how, chance)
        assert nouns(study, again(cache))[0] == without


def test_an_array_that_says_it_is_shorter_is_damage(cache, caplog):
    def take():
        return again(cache).take(Key.of("read"), lambda: np.arange(90_000.0))

    take()
    path, _ = cache.files()[0]
    path.write_bytes(path.read_bytes().replace(b"(90000,)", b"(10000,)"))
    assert len(take()) == 90_000
    assert "longer than it says" in caplog.text


def test_where_memory_does_not_suffice_to_keep_a_stage_the_run_goes_on(cache, monkeypatch, caplog):
    monkeypatch.setattr(caches, "pack", lambda *_: (_ for _ in ()).throw(MemoryError()))
    assert cache.take(Key.of("read"), lambda: 3) == 3
    assert "is not kept (MemoryError)" in caplog.text


def test_a_stage_larger_than_the_cache_drives_no_other_out(tmp_path, caplog):
    cache = Cache(tmp_path / "cache", most_bytes=5000, worth_s=0)
    cache.take(Key.of("read"), lambda: np.zeros(100))
    cache.take(Key.of("cells"), lambda: np.zeros(9000))
    assert [path.name[:4] for path in cache.folder.iterdir()] == ["read"]
    assert "more than the cache may hold" in caplog.text


def test_clearing_takes_what_killed_runs_left_half_written(cache):
    cache.take(Key.of("read"), lambda: 3)
    (cache.folder / f".read-{0:040x}.77.part").write_bytes(b"half")
    assert cache.clear() == 1
    assert [*cache.folder.iterdir()] == []


def test_a_warning_is_seen_where_nobody_set_up_logging(tmp_path):
    code = "import logging, sys; from pathlib import Path; from lifecircle.cache import Cache, Key\n"
    code += 'make = lambda: logging.getLogger("lifecircle.sources").warning("look here")\n'
    code += 'Cache(Path(sys.argv[1])).take(Key.of("read"), make)'
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
    assert done.stderr == "look here\n"


def test_a_home_that_there_is_not_stops_nothing(monkeypatch, caplog):
    monkeypatch.setenv("LIFECIRCLE_CACHE", "~nobody-of-this-name/cache")
    assert Cache.of_user().folder is None
    assert "nothing is kept" in caplog.text


def test_two_threads_that_keep_one_stage_do_not_write_one_file(cache, caplog):
    both = threading.Barrier(2)

    def take():
        again(cache).take(Key.of("read"), lambda: both.wait() * 0 + np.arange(1_000_000.0))

    threads = [threading.Thread(target=take) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert caplog.text == ""
    assert len(cache.files()) == 1


def test_a_grid_that_shifts_a_datum_makes_another_key(tmp_path, monkeypatch):
    folders = pyproj.datadir.get_data_dir()
    before = Key.of("network")
    monkeypatch.setattr(pyproj.datadir, "get_data_dir", lambda: os.pathsep.join([folders, str(tmp_path)]))
    assert Key.of("network") == before
    (tmp_path / "uk_os_OSTN15_NTv2_OSGBtoETRS.tif").write_bytes(b"grid")
    assert Key.of("network") != before
    monkeypatch.undo()
    monkeypatch.setattr(pyproj.network, "is_network_enabled", lambda: True)
    assert Key.of("network") != before


def test_a_file_under_another_name_is_not_taken_for_what_it_is_not(study, cache, tmp_path, caplog):
    without, _ = nouns(study)
    nouns(study, cache)
    other = study.changed(osm=str(moved(tmp_path)))
    theirs = Cache(tmp_path / "theirs", worth_s=0)
    nouns(other, theirs)
    for (mine, _), (path, _) in zip(cache.files(), theirs.files(), strict=True):
        shutil.copy(path, mine)
    assert nouns(study, again(cache)) == (without, [])
    assert "of another key" in caplog.text


def test_a_folder_in_the_place_of_a_file_stops_nothing(study, cache, caplog):
    without, _ = nouns(study)
    nouns(study, cache)
    for path, _ in cache.files():
        path.unlink()
        path.mkdir()
    assert nouns(study, again(cache)) == (without, [])
    assert "cannot be read" in caplog.text


def test_where_nothing_can_be_written_nothing_is_kept_and_the_run_goes_on(study, tmp_path, caplog):
    (tmp_path / "file").write_text("here")
    cache = Cache(tmp_path / "file", worth_s=0)
    assert nouns(study, cache) == nouns(study)
    assert "is not kept" in caplog.text


def test_a_full_disk_leaves_nothing_half_written(study, cache, monkeypatch, caplog):
    without, _ = nouns(study)
    savez = np.savez

    def full(stream, **arrays):
        savez(stream, **dict(list(arrays.items())[:1]))
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(caches.np, "savez", full)
    assert nouns(study, cache) == (without, [])
    assert list(cache.folder.iterdir()) == []
    assert "No space left" in caplog.text


def test_an_input_that_changes_while_it_is_read_is_not_kept(study, cache, tmp_path):
    key = Key.of("read", osm="then")
    assert cache.take(key, lambda: "made", keep=lambda: False) == "made"
    assert cache.files() == []


def test_what_was_warned_of_is_made_and_warned_of_again(cache, caplog):
    def makes():
        logging.getLogger("lifecircle.sources.boundaries").warning("called otherwise")
        return 3

    for _ in range(2):
        assert cache.take(Key.of("boundary"), makes) == 3
    assert caplog.text.count("called otherwise") == 2
    assert cache.files() == []
    assert logging.getLogger("lifecircle").handlers == []


def test_a_failure_is_no_stage(study, cache):
    def fails():
        raise DataError("no")

    with pytest.raises(DataError):
        cache.take(Key.of("read"), fails)
    assert cache.files() == []


def test_what_takes_no_time_is_not_kept(study, tmp_path):
    cache = Cache(tmp_path / "cache", worth_s=60)
    nouns(study, cache)
    assert cache.files() == []


def test_other_code_or_other_libraries_make_other_keys(monkeypatch):
    mine = Key.of("read", osm="a")
    assert mine == Key.of("read", osm="a")
    assert len({Key.of("read", osm="b"), Key.of("cells", osm="a"), Key.of("read", osm="a", clip=(1, 2)), mine}) == 4
    caches._made_by.cache_clear()
    monkeypatch.setattr(caches.metadata, "version", lambda _: "0")
    assert Key.of("read", osm="a") != mine
    caches._made_by.cache_clear()
    monkeypatch.undo()
    monkeypatch.setattr(caches.Path, "read_bytes", lambda _: b"other code")
    assert Key.of("read", osm="a") != mine
    caches._made_by.cache_clear()


def kept(cache, number, size, used):
    path = cache.folder / f"read-{number:040x}.npz"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(bytes(size))
    os.utime(path, (used, used))
    return path


def test_what_was_not_used_for_longest_makes_room(tmp_path):
    cache = Cache(tmp_path / "cache", most_bytes=10_000, worth_s=0)
    now = time.time()
    old, older, young = kept(cache, 1, 4000, now - 50), kept(cache, 2, 4000, now - 90), kept(cache, 3, 4000, now - 10)
    alien = cache.folder / "notes.txt"
    alien.write_bytes(bytes(20_000))
    cache.take(Key.of("read"), lambda: np.zeros(10))
    assert (old.exists(), older.exists(), young.exists(), alien.exists()) == (True, False, True, True)
    assert len(cache.files()) == 3
    cache.take(Key.of("cells"), lambda: np.zeros(1150))  # 9,200 bytes: it alone stays
    assert [path.name[:5] for path, _ in cache.files()] == ["cells"]


def test_what_is_used_stays(tmp_path):
    cache = Cache(tmp_path / "cache", most_bytes=12_000, worth_s=0)
    for number in range(6):
        cache.take(Key.of("read", number=number), lambda: np.zeros(500))
        for path, _ in cache.files():
            os.utime(path, (path.stat().st_mtime - 10,) * 2)
        cache.take(Key.of("read", number=0), lambda: np.zeros(500))
    assert cache.found == ["read"] * 6
    assert len(cache.files()) == 2


def test_clearing_takes_only_what_is_the_cache_s_own(study, cache):
    nouns(study, cache)
    (cache.folder / "mine.npz").write_bytes(b"mine")
    assert cache.clear() == 4
    assert [path.name for path in cache.folder.iterdir()] == ["mine.npz"]


def test_a_cache_that_cannot_be_cleared_says_so(study, cache, monkeypatch):
    nouns(study, cache)
    monkeypatch.setattr(Path, "unlink", lambda *_, **__: (_ for _ in ()).throw(PermissionError(13, "Denied")))
    with pytest.raises(SourceError, match="cannot clear the cache"):
        cache.clear()


def test_a_cache_that_is_no_folder_holds_nothing(tmp_path):
    (tmp_path / "file").write_text("here")
    cache = Cache(tmp_path / "file")
    assert cache.files() == []
    assert cache.clear() == 0


def test_the_variable_names_the_folder_or_says_off(tmp_path, monkeypatch):
    monkeypatch.setenv("LIFECIRCLE_CACHE", str(tmp_path / "here"))
    assert Cache.of_user().folder == tmp_path / "here"
    for word in ("off", "OFF", "0", "no", "false"):
        monkeypatch.setenv("LIFECIRCLE_CACHE", word)
        assert Cache.of_user().folder is None
    monkeypatch.delenv("LIFECIRCLE_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    if sys.platform == "linux":
        assert Cache.of_user().folder == tmp_path / "xdg/lifecircle"


@pytest.fixture
def users(cache, monkeypatch):
    """The cache of whoever calls the command line."""
    monkeypatch.setattr(Cache, "of_user", staticmethod(lambda: again(cache)))
    return cache


def test_the_command_line_says_what_it_did_not_make_anew_and_can_do_without(study, users, tmp_path, capsys):
    said = []
    for more in ([], [], ["--no-cache"]):
        assert command("run", tmp_path / "study.toml", "--out", tmp_path / "out", *more) == 0
        said.append("as an earlier run did it" in capsys.readouterr().out)
    assert said == [False, True, False]
    assert command("check", tmp_path / "study.toml", "--out", tmp_path / "out") == 0
    capsys.readouterr()
    assert command("cache", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["folder"] == str(users.folder)
    assert told["stages"] == len(users.files()) > 0
    assert told["bytes"] == sum(size for _, size in users.files())
    assert command("cache", "--clear") == 0
    assert f"{told['stages']} stages removed" in capsys.readouterr().out
    assert users.files() == []


def test_verify_takes_nothing_from_the_cache_and_finds_what_a_false_one_did(study, users, tmp_path, capsys):
    folder = study.run().write(tmp_path / "out")
    assert not verify(folder).differences
    honest = prepare(study, Clock())
    people = honest.cells.people.copy()
    people[0] += 1024
    starts = replace(honest.cells.starts, people=people[honest.cells.starts.cell])
    path = next(path for path, _ in users.files() if path.name.startswith("cells"))
    with np.load(path) as arrays:
        key = unpack(dict(arrays), {"region": honest.region})[0]
    np.savez(path, **pack((key, replace(honest.cells, people=people, starts=starts)), {"region": honest.region}))
    folder = study.run().write(tmp_path / "out")
    assert json.loads((folder / "manifest.json").read_text())["from_cache"] == STAGES
    assert verify(folder).differences


KILLED = """
import sys
from pathlib import Path
from lifecircle.cache import Cache
from lifecircle.prepared import prepare
from lifecircle.result import Clock
from lifecircle.study import Study
print("begun", flush=True)
prepare(Study.from_toml(sys.argv[1]), Clock(), cache=Cache(Path(sys.argv[2]), worth_s=0)).run().write(sys.argv[3])
"""


def killed_after(seconds, study, cache, out):
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(study), str(cache.folder), str(out)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "begun\n"
    time.sleep(seconds)
    process.send_signal(signal.SIGKILL)
    process.communicate()


@pytest.mark.parametrize("kills", [2, pytest.param(50, marks=pytest.mark.prove)])
def test_a_killed_run_is_gone_on_with_and_the_result_is_identical(study, cache, tmp_path, kills):
    without, _ = nouns(study)
    start = time.perf_counter()
    whole = contents(prepare(study, Clock()).run().write(tmp_path / "whole"))
    took = time.perf_counter() - start
    out, chance, resumed = tmp_path / "out", random.Random(kills), 0
    for _ in range(kills):
        killed_after(chance.uniform(0, 1.2 * took), tmp_path / "study.toml", cache, out)
        if out.exists():
            assert contents(out) == whole
        answer, taken = nouns(study, Cache(cache.folder, worth_s=3600))  # looks, and adds nothing
        assert answer == without
        resumed += bool(taken)
        for path, _ in cache.files():  # how far a run came before depends on the machine: so it came to anywhere
            if chance.random() < 0.5:
                path.unlink()
    result = prepare(study, Clock(), cache=again(cache)).run()
    assert contents(result.write(out)) == whole
    if kills > 20:
        assert resumed >= 10


@pytest.mark.prove
def test_two_runs_at_once_keep_the_same_stages_and_do_not_mix(study, cache, tmp_path):
    runs = [
        subprocess.Popen(
            [sys.executable, "-c", KILLED, str(tmp_path / "study.toml"), str(cache.folder), str(tmp_path / name)]
        )
        for name in ("one", "two")
    ]
    assert [run.wait(timeout=120) for run in runs] == [0, 0]
    assert contents(tmp_path / "one") == contents(tmp_path / "two")
    assert nouns(study, again(cache)) == (nouns(study)[0], STAGES)
    assert not [path for path in cache.folder.iterdir() if path.name.startswith(".")]
