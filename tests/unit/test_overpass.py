"""Every way a server can fail: success after another try, or one clear error in bounded time."""

import json
import random
import socket
import threading
import time
from collections import OrderedDict

import osmnx
import pytest
import standin
from standin import changed, instead, serving, status, wrapped

from lifecircle.errors import SourceError, StandardError
from lifecircle.sources.overpass import Overpass, Patience, TooHeavyError, checked_url

NODE = {"type": "node", "id": 1, "lat": 45.0, "lon": 9.0}
WAY = {"type": "way", "id": 7, "nodes": [1, 2], "tags": {"highway": "footway"}}
AREA = {
    "type": "relation", "id": 3, "tags": {"type": "multipolygon"}, "members": [{"type": "way", "ref": 7, "role": "outer"}]
}  # fmt: skip
GOOD = [NODE, NODE | {"id": 2, "lon": 9.001}, WAY, AREA]
TRUTH = wrapped(GOOD)
PAGE = b"<html><head><title>busy</title><script>x()</script></head><body>Server <b>probably</b> too busy</body></html>"
REMARK = "runtime error: open64: 2 No such file or directory /osm3s_osm_base Dispatcher_Client::1"


class Clock:
    """Time that runs, and jumps when somebody sleeps."""

    def __init__(self):
        self.pauses = []

    def __call__(self):
        return time.monotonic() + sum(self.pauses)

    def sleep(self, seconds):
        self.pauses.append(seconds)


def asking(server, tmp_path, **patience):
    clock = Clock()
    wait = {"query_s": 1, "connect_s": 1.0, "answer_s": 0.4, "attempts": 3, "largest": 4 << 20, "deadline_s": 600.0}
    told = Patience(**(wait | patience), clock=clock, sleep=clock.sleep)
    return Overpass(
        server.url if hasattr(server, "url") else server, tmp_path / "answers", told, "take an extract"
    ), clock


def with_element(**change):
    return changed(lambda said: said["elements"][0].update(change))


PASSING = {
    "429": (status(429), "is busy (429 Too Many Requests)"),
    "429 with Retry-After": (status(429, Retry_After="17"), "is busy (429"),
    "503 until a date": (status(503, Retry_After="Wed, 21 Oct 2015 07:28:00 GMT"), "is busy (503"),
    "502": (status(502), "is busy (502"),
    "504": (status(504), "is busy (504 Gateway Timeout)"),
    "500": (status(500), "is busy (500"),
    "silent": (standin.silent, "did not send its answer within"),
    "slow drip": (standin.drip, "did not send its answer within"),
    "reset in the middle": (standin.reset, "broke off"),
    "nothing": (standin.nothing, "broke off"),
    "shorter than promised": (standin.short, "broke off"),
    "longer than promised": (instead(TRUTH, Content_Length="20"), "no whole JSON"),
    "truncated JSON": (standin.truncated, "no whole JSON"),
    "empty": (instead(b""), "sent nothing at all"),
    "a page": (
        instead(PAGE, kind="text/html"),
        "sent a page instead of data, which says 'busy Server probably too busy'",
    ),
    "gzip garbage": (standin.bad_gzip, "sent what cannot be unpacked"),
    "a remark": (
        changed(lambda said: said | {"remark": REMARK}),
        "broke off its answer and says 'runtime error: open64",
    ),
    "latin-1": (instead(TRUTH.replace(b"footway", b"\xe9\xe8")), "no whole JSON"),
    "a byte order mark": (instead(b"\xef\xbb\xbf" + TRUTH), "no whole JSON"),
    "deep": (instead(b"[" * 100_000), "no whole JSON"),
    "a list": (instead(b"[]"), "no answer of Overpass"),
    "a number": (instead(b"12"), "no answer of Overpass"),
    "elements that are none": (changed(lambda said: said | {"elements": {"1": 2}}), "no answer of Overpass"),
    "no elements": (changed(lambda said: {"osm3s": said["osm3s"]}), "no answer of Overpass"),
    "no date": (changed(lambda said: said | {"osm3s": {}}), "of what date its data is, but 'None'"),
    "no date at all": (changed(lambda said: {"elements": said["elements"]}), "of what date"),
    "a date to come": (instead(wrapped(GOOD, "2999-01-01T00:00:00Z")), "of what date"),
    "a date that is none": (instead(wrapped(GOOD, "2023-02-31T00:00:00Z")), "of what date"),
    "a date in words": (instead(wrapped(GOOD, ["today\x1b[2J"])), "of what date"),
    "not a number": (instead(TRUTH.replace(b"45.0", b"NaN")), "no whole JSON"),
    "infinite": (instead(TRUTH.replace(b"45.0", b"1e999")), "elements that cannot be: node 1"),
    "huge digits": (instead(TRUTH.replace(b"45.0", b"4" * 6000)), "no whole JSON"),
    "beyond the pole": (with_element(lat=90.1), "node 1"),
    "text for degrees": (with_element(lon="9"), "node 1"),
    "true for degrees": (with_element(lon=True), "node 1"),
    "an id in words": (with_element(id="1; DROP"), "cannot be"),
    "an id that is true": (with_element(id=True), "cannot be"),
    "an id too large": (with_element(id=10**15), "cannot be"),
    "a negative id": (with_element(id=-1), "cannot be"),
    "another type": (with_element(type="area"), "cannot be"),
    "tags that are a list": (with_element(tags=["a"]), "node 1"),
    "a tag that is a number": (with_element(tags={"a": 1}), "node 1"),
    "a tag of 300 characters": (with_element(tags={"a": "x" * 300}), "node 1"),
    "half a character": (with_element(tags={"a": "\ud800"}), "node 1"),
    "a NUL": (with_element(tags={"a": "x\0y"}), "node 1"),
    "an element that is null": (changed(lambda said: said["elements"].append(None)), "cannot be"),
    "a way of words": (changed(lambda said: said["elements"][2].update(nodes=["1"])), "way 7"),
    "a way without a list": (changed(lambda said: said["elements"][2].pop("nodes") and None), "way 7"),
    "a way without its nodes": (
        changed(lambda said: said["elements"].pop(0) and None),
        "way 7 comes without some of its nodes",
    ),
    "an area without its ways": (
        changed(lambda said: said["elements"].pop(2) and None),
        "relation 3 comes without some",
    ),
    "a member of no type": (changed(lambda said: said["elements"][3]["members"].append({"type": "x"})), "relation 3"),
    "members that are text": (changed(lambda said: said["elements"][3].update(members="w7")), "relation 3"),
}
FINAL = {
    "elsewhere": (
        status(302, Location="http://evil.example/\x1b[31mapi"),
        "sends us on to 'http://evil.example/ [31mapi'",
    ),
    "moved": (status(301, Location="https://overpass.example/api/interpreter"), "give it as --overpass-url"),
    "400": (status(400), "does not understand the query (400 Bad Request: 'Dispatcher_Client"),
    "403": (status(403), "refuses; is it the base URL of an Overpass API (403"),
    "404": (status(404), "refuses"),
    "401": (status(401), "refuses"),
}
HEAVY = {
    "no time": changed(lambda said: said | {"remark": 'runtime error: Query timed out in "query" at line 1 after 181 seconds.'}),
    "no memory": changed(lambda said: said | {"remark": "runtime error: Query run out of memory using about 2048 MB of RAM."}),
    "a bomb": standin.endless,
}  # fmt: skip


@pytest.mark.parametrize("name", PASSING)
def test_another_try_helps(tmp_path, name):
    with serving(TRUTH, [PASSING[name][0]]) as server:
        overpass, clock = asking(server, tmp_path)
        answer = overpass.ask("q")
        assert answer.elements == GOOD
        assert len(server.queries) == overpass.n_asked == 2
        assert len(clock.pauses) == 1
        assert overpass.ask("q") == answer
        assert len(server.queries) == 2


@pytest.mark.parametrize("name", PASSING)
def test_no_try_helps(tmp_path, name):
    mood, said = PASSING[name]
    with serving(TRUTH, [mood] * 5) as server:
        overpass, _ = asking(server, tmp_path, attempts=2)
        began = time.monotonic()
        with pytest.raises(SourceError) as caught:
            overpass.ask("q")
        assert time.monotonic() - began < 3
        assert said in str(caught.value)
        assert str(caught.value).endswith("(2 tries); take an extract")
        assert str(caught.value).isprintable()
        assert len(server.queries) == 2
        assert overpass.n_kept == 0


@pytest.mark.parametrize("name", FINAL)
def test_no_other_try_would_help(tmp_path, name):
    mood, said = FINAL[name]
    with serving(TRUTH, [mood] * 5) as server:
        overpass, clock = asking(server, tmp_path)
        with pytest.raises(SourceError) as caught:
            overpass.ask("q")
        assert said in str(caught.value)
        assert str(caught.value).isprintable()
        assert (len(server.queries), clock.pauses, overpass.n_kept) == (1, [], 0)


@pytest.mark.parametrize("name", HEAVY)
def test_a_query_too_heavy_is_not_repeated(tmp_path, name):
    with serving(TRUTH, [HEAVY[name]] * 5) as server:
        overpass, _ = asking(server, tmp_path, answer_s=5.0)
        with pytest.raises(TooHeavyError):
            overpass.ask("q")
        assert (len(server.queries), overpass.n_kept) == (1, 0)


@pytest.mark.parametrize("seed", range(12))
def test_any_mix_of_failures(tmp_path, seed):
    quick = [mood for name, (mood, _) in PASSING.items() if name not in {"silent", "slow drip"}]
    dice = random.Random(seed)
    moods = dice.choices([*quick, None], k=dice.randrange(1, 9))
    expected = moods.index(None) + 1 if None in moods else len(moods) + 1
    with serving(TRUTH, moods) as server:
        overpass, _ = asking(server, tmp_path, attempts=6, deadline_s=1e6, answer_s=5.0)
        if expected <= 6:
            assert overpass.ask("q").elements == GOOD
            assert len(server.queries) == expected
        else:
            with pytest.raises(SourceError, match="6 tries"):
                overpass.ask("q")
            assert len(server.queries) == 6
            assert overpass.n_kept == 0


def test_an_empty_place_is_an_answer(tmp_path):
    with serving(wrapped([])) as server:
        overpass, _ = asking(server, tmp_path)
        assert overpass.ask("q").elements == []
        assert overpass.ask("q").base == "2023-06-12T20:21:44Z"
        assert len(server.queries) == 1


def test_pauses_grow_and_obey_the_server(tmp_path):
    moods = [status(504), status(429, Retry_After="200"), status(504), status(504), status(504)]
    with serving(TRUTH, moods) as server:
        overpass, clock = asking(server, tmp_path, attempts=6, longest_pause_s=30.0)
        overpass.ask("q")
        assert clock.pauses == [5, 200, 20, 30, 30]


def test_the_deadline_ends_it(tmp_path):
    with serving(TRUTH, [status(504)] * 50) as server:
        overpass, clock = asking(server, tmp_path, attempts=50, deadline_s=60.0)
        with pytest.raises(SourceError, match=r"the 1 minutes set for all of it are over .*--deadline"):
            overpass.ask("q")
        assert clock.pauses == [5, 10, 20]
        clock.pauses.append(60)
        with pytest.raises(SourceError, match="was not asked"):
            overpass.ask("another")
        assert len(server.queries) == 4


def test_a_server_that_is_not_there(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        overpass, clock = asking(f"http://127.0.0.1:{taken.getsockname()[1]}/api", tmp_path, attempts=6)
        began = time.monotonic()
        with pytest.raises(SourceError, match="cannot be reached: connection refused"):
            overpass.ask("q")
    assert time.monotonic() - began < 3
    assert clock.pauses == [1, 2]
    overpass, _ = asking("http://no-such-host.invalid/api", tmp_path)
    with pytest.raises(SourceError, match="cannot be reached: there is no address for its name"):
        overpass.ask("q")


def test_a_server_that_accepts_and_never_speaks(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        overpass, _ = asking(f"http://127.0.0.1:{deaf.getsockname()[1]}/api", tmp_path, attempts=2)
        began = time.monotonic()
        with pytest.raises(SourceError, match="did not send its answer within"):
            overpass.ask("q")
        assert time.monotonic() - began < 2


def test_headers_that_drip_are_cut_off(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        stop = threading.Event()

        def dripping():
            connection, _ = listener.accept()
            with connection:
                connection.sendall(b"HTTP/1.1 200 OK\r\nX: ")
                while not stop.wait(0.05):
                    try:
                        connection.sendall(b"x")
                    except OSError:
                        return

        thread = threading.Thread(target=dripping, daemon=True)
        thread.start()
        overpass, _ = asking(f"http://127.0.0.1:{listener.getsockname()[1]}/api", tmp_path, attempts=1)
        with pytest.raises(SourceError, match=r"within 0 s \(1 try\)"):
            overpass.ask("q")
        stop.set()
        thread.join()


def test_osmnx_finds_the_answers_in_its_cache(tmp_path, monkeypatch):
    with serving(TRUTH) as server:
        overpass, _ = asking(server, tmp_path)
        overpass.ask("[out:json];node(1,2,3,4);out;")
        monkeypatch.setattr(osmnx.settings, "cache_folder", overpass.cache)
        monkeypatch.setattr(osmnx.settings, "overpass_url", server.url)
        found = osmnx._overpass._overpass_request(OrderedDict(data="[out:json];node(1,2,3,4);out;"))
        assert found["elements"] == GOOD
        assert len(server.queries) == 1


def test_a_spoiled_or_old_answer_of_the_cache_is_asked_for_anew(tmp_path):
    import os

    with serving(TRUTH) as server:
        overpass, _ = asking(server, tmp_path)
        overpass.ask("q")
        (path,) = overpass.cache.glob("*.json")
        for spoil in (
            lambda: path.write_bytes(TRUTH[:50]),
            lambda: path.write_bytes(json.dumps(json.loads(TRUTH) | {"remark": "out of memory"}).encode()),
            lambda: os.utime(path, (time.time() - 25 * 3600,) * 2),
        ):
            before = len(server.queries)
            spoil()
            assert overpass.ask("q").elements == GOOD
            assert len(server.queries) == before + 1
            assert path.read_bytes() == TRUTH


def test_only_answers_are_cleared_away(tmp_path):
    with serving(TRUTH) as server:
        overpass, _ = asking(server, tmp_path)
        overpass.ask("q")
        overpass.divide("big")
        assert overpass.is_divided("big")
        mine = overpass.cache / "notes.txt"
        mine.write_text("mine")
        overpass.clear()
        assert [path.name for path in overpass.cache.iterdir()] == ["notes.txt"]
        mine.unlink()
        overpass.clear()
        assert not overpass.cache.exists()
        (tmp_path / "kept").mkdir()
        (tmp_path / "kept" / f"{'0' * 40}.json").touch()
        overpass.cache.symlink_to(tmp_path / "kept")
        overpass.clear()
        assert len(list((tmp_path / "kept").iterdir())) == 1


@pytest.mark.parametrize(
    "url", ["", "overpass-api.de/api", "ftp://x/api", "file:///etc/passwd", "http://", "http://u:p@x/api", "http://x:99999/", "http://[::1"]
)  # fmt: skip
def test_addresses_that_are_none(url):
    with pytest.raises(StandardError, match="no server's address"):
        checked_url(url)


@pytest.mark.parametrize(
    "url", ["http://x/api", "http://x/api/", "http://x/api/interpreter", " http://x/api/interpreter/ "]
)
def test_addresses_as_people_write_them(url):
    assert checked_url(url) == "http://x/api"


PLACE = {
    "place_id": 1, "osm_type": "relation", "osm_id": 42, "lat": "45", "lon": "9", "class": "boundary", "type": "administrative",
    "importance": 0.5, "display_name": "Town, Country", "boundingbox": ["45", "45.1", "9", "9.1"],
    "geojson": {"type": "Polygon", "coordinates": [[[9, 45], [9.1, 45], [9.1, 45.1], [9, 45]]]},
}  # fmt: skip


def test_a_name_is_looked_up_once(tmp_path):
    before = osmnx.settings.cache_folder, osmnx.settings.use_cache, osmnx.settings.nominatim_url
    with serving(json.dumps([PLACE]).encode(), [status(429), instead(PAGE)]) as server:
        overpass, clock = asking(server, tmp_path)
        began = time.monotonic()
        row = overpass.geocode(server.url, "Town")
        assert (row["osm_type"], row["osm_id"]) == ("relation", 42)
        assert server.queries == ["Town"] * 3
        assert len(clock.pauses) == 2
        assert time.monotonic() - began < 3
    assert before == (osmnx.settings.cache_folder, osmnx.settings.use_cache, osmnx.settings.nominatim_url)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([], "knows no area called 'Nowhere'"),
        ([PLACE | {"geojson": {"type": "Point", "coordinates": [9, 45]}}], "knows no area"),
        ([{"x": 1}], "knows no area"),
        ({"error": 1}, "no list of places"),
    ],
)
def test_names_nobody_knows(tmp_path, rows, said):
    with serving(json.dumps(rows).encode()) as server:
        overpass, _ = asking(server, tmp_path, attempts=1)
        with pytest.raises(SourceError, match=said):
            overpass.geocode(server.url, "Nowhere")
