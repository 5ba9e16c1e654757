"""Every input, spoilt in thousands of ways: each is read, or refused with one clear message, in bounded time and memory.

Three ways of spoiling. A seeded mutator (`mutate`) changes bytes, and what the bytes mean: the blocks of a PBF are packed
anew, JSON values exchanged by type. The cases run in a child process with little memory and a clock (`child`), so that a
library that falls takes no other test with it. Hypothesis makes JSON from nothing. And atheris, where it is installed,
looks by coverage for what neither thinks of (`guided`).
"""

import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from contextlib import suppress
from pathlib import Path

import formats
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lifecircle.errors import LifecircleError
from lifecircle.region import Region
from lifecircle.sources import overpass

FEW, MANY = 30, 1800
"""Cases of a format of weight 100 in `make test` and in `make prove`."""

WALL_S = 60
HERE = Path(__file__).resolve().parent
PATHS = [HERE.parents[1], HERE.parent, HERE.parent / "golden", HERE]


def surroundings():
    """Environment of a process that finds our modules, and in which threads share what memory they take."""
    paths = [*map(str, PATHS), *filter(None, [os.environ.get("PYTHONPATH")])]
    return os.environ | {"PYTHONPATH": os.pathsep.join(paths), "MALLOC_ARENA_MAX": "2"}


class Child:
    """The process that runs cases; a new one where one died."""

    def __init__(self):
        self.process = None

    def start(self):
        self.said = tempfile.TemporaryFile("w+")  # noqa: SIM115  what it says as it dies
        self.home = tempfile.TemporaryDirectory(prefix="fuzz-")
        self.process = subprocess.Popen(
            [sys.executable, HERE / "child.py", self.home.name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.said, text=True,
            env=surroundings(),
        )  # fmt: skip

    def run(self, name, first, last, *, wall_s=WALL_S):
        """Outcome of every case, all of which must be taken; one that killed the process is told like the others."""
        while first < last:
            if self.process is None:
                self.start()
            self.process.stdin.write(json.dumps([name, first, last, wall_s]) + "\n")
            self.process.stdin.flush()
            while first < last and (line := self.process.stdout.readline()):
                yield json.loads(line)
                first += 1
            if first < last:
                yield {"number": first, "said": "death", "wrong": self.last_words()}
                self.stop()
                first += 1

    def last_words(self):
        code = self.process.wait()
        self.said.seek(0)
        return f"the process died ({code})\n{self.said.read().split('Extension modules')[0][-3000:]}"

    def stop(self):
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            for stream in (self.process.stdin, self.process.stdout, self.said):
                stream.close()
            self.home.cleanup()
        self.process = None


@pytest.fixture(scope="session")
def seeds(tmp_path_factory):
    home = tmp_path_factory.mktemp("seeds")
    formats.draw(home)
    return home


@pytest.fixture(scope="session")
def child():
    made = Child()
    yield made
    made.stop()


def check(child, name, first, last):
    """Run cases, and fail with all that went wrong, each with how to see it again."""
    said, wrong = Counter(), []
    for outcome in child.run(name, first, last):
        said[outcome["said"]] += 1
        if outcome["wrong"]:
            again = (
                f"PYTHONPATH={os.pathsep.join(map(str, PATHS))} python {HERE / 'child.py'} {name!r} {outcome['number']}"
            )
            wrong.append(f"{name}, case {outcome['number']}: {outcome['wrong']}\nagain: {again}")
    assert not wrong, f"{len(wrong)} of {last - first} cases\n\n" + "\n\n".join(wrong[:5])
    assert said.total() == last - first
    return said


def share(name, cases):
    return max(3, cases * formats.READERS[name].weight // 100)


@pytest.mark.parametrize("name", formats.READERS)
def test_spoilt_files_are_read_or_refused(child, name):
    check(child, name, 0, share(name, FEW))


@pytest.mark.prove
@pytest.mark.parametrize("name", formats.READERS)
def test_many_spoilt_files_are_read_or_refused(child, name):
    said = check(child, name, 0, share(name, MANY))
    assert said["read"] > 0, "no spoilt file was read: the spoiling is too rough to reach what lies behind the reader"
    assert len(said) > 1, "no spoilt file was refused: the spoiling is too gentle"


@pytest.mark.prove
def test_there_are_twenty_thousand_cases():
    assert sum(share(name, MANY) for name in formats.READERS) >= 20_000


@pytest.mark.parametrize("name", formats.READERS)
def test_a_case_is_the_same_every_time(name, seeds):
    assert formats.case(name, 7, seeds) == formats.case(name, 7, seeds)


PLANTED = {
    "crash": "ValueError: 'people' is not in list",
    "fall": "Segmentation fault",
    "hang": "Timeout",
    "swell": "MB more than before",
    "babble": "what terminals obey",
}


def first_fault(child, name, wall_s=WALL_S):
    """What is first found wrong with a reader, asked case by case."""
    found = (outcome["wrong"] for n in range(100) for outcome in child.run(name, n, n + 1, wall_s=wall_s))
    return next(filter(None, found))


@pytest.mark.parametrize("name", ["crash", "babble"])
def test_an_error_or_message_that_should_not_be_is_found(child, name):
    assert PLANTED[name] in first_fault(child, name)


SLOW = [
    pytest.param(name, marks=pytest.mark.prove) if name in {"hang", "swell"} else name
    for name in ("fall", "hang", "swell")
]


@pytest.mark.parametrize("name", SLOW)
def test_what_takes_the_process_or_all_of_the_machine_is_found(name):
    child = Child()
    try:
        assert PLANTED[name] in first_fault(child, name, 2 if name == "hang" else WALL_S)
    finally:
        child.stop()


# ----------------------------------------------------------------------------------------------- JSON from nothing

NUMBERS = st.one_of(st.floats(), st.integers(-200, 200), st.integers(), st.sampled_from([0, 1, 2**63, 10**400]))
WORDS = st.sampled_from(
    ["type", "id", "features", "geometry", "coordinates", "properties", "Feature", "FeatureCollection", "Polygon", "MultiPolygon",
     "elements", "node", "way", "relation", "nodes", "members", "ref", "role", "tags", "lat", "lon", "name", "crs"],
)  # fmt: skip
SCALARS = st.one_of(st.none(), st.booleans(), NUMBERS, WORDS, st.text(max_size=5))
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS | st.text(max_size=3), inner, max_size=5), max_leaves=20
)  # fmt: skip
POINTS = st.lists(
    st.tuples(NUMBERS, NUMBERS) | st.tuples(st.floats(8, 10), st.floats(44, 46)) | VALUES, min_size=3, max_size=6
)
OUTLINES = st.fixed_dictionaries(
    {"type": st.sampled_from(["Polygon", "MultiPolygon"]), "coordinates": st.lists(POINTS, max_size=2) | st.lists(st.lists(POINTS, max_size=2), max_size=2)}
)  # fmt: skip
FEATURES = st.fixed_dictionaries({"geometry": OUTLINES | VALUES, "properties": VALUES}, optional={"type": VALUES})
COLLECTIONS = st.fixed_dictionaries({"type": st.just("FeatureCollection"), "features": st.lists(FEATURES, max_size=4)})
IDS = st.integers(0, 4) | VALUES
ELEMENTS = st.fixed_dictionaries(
    {"type": st.sampled_from(["node", "way", "relation"]) | VALUES, "id": IDS, "lat": NUMBERS, "lon": NUMBERS},
    optional={"nodes": st.lists(IDS, max_size=4), "members": st.lists(st.fixed_dictionaries({"type": WORDS | VALUES, "ref": IDS, "role": VALUES}), max_size=3), "tags": VALUES},
)  # fmt: skip
ANSWERS = st.fixed_dictionaries(
    {"osm3s": st.just({"timestamp_osm_base": "2024-06-01T00:00:00Z"}) | VALUES, "elements": st.lists(ELEMENTS, max_size=5) | VALUES},
    optional={"remark": VALUES},
)  # fmt: skip


def read_outlines(value, folder):
    path = folder / "drawn.geojson"
    path.write_text(json.dumps(value))
    with suppress(LifecircleError):
        region = Region.from_geojson(path)
        assert region.boundary.is_valid
        assert region.area_m2 > 0


def read_answer(value):
    with suppress(overpass._AgainError, overpass.TooHeavyError):
        answer, _ = overpass.read_answer(json.dumps(value).encode())
        assert all(element["type"] in {"node", "way", "relation"} and element["id"] > 0 for element in answer.elements)


QUICK = settings(max_examples=50, deadline=None, suppress_health_check=list(HealthCheck))
THOROUGH = settings(max_examples=1000, deadline=None, suppress_health_check=list(HealthCheck))


@QUICK
@given(value=COLLECTIONS | OUTLINES | VALUES)
def test_any_json_is_an_outline_or_refused(value, tmp_path_factory):
    read_outlines(value, tmp_path_factory.getbasetemp())


@QUICK
@given(value=ANSWERS | VALUES)
def test_any_json_is_an_answer_or_refused(value):
    read_answer(value)


@pytest.mark.prove
@THOROUGH
@given(value=COLLECTIONS | OUTLINES | VALUES)
def test_much_json_is_an_outline_or_refused(value, tmp_path_factory):
    read_outlines(value, tmp_path_factory.getbasetemp())


@pytest.mark.prove
@THOROUGH
@given(value=ANSWERS | VALUES)
def test_much_json_is_an_answer_or_refused(value):
    read_answer(value)


# --------------------------------------------------------------------------------------------------------- by coverage

RUNS = 5000


@pytest.mark.prove
@pytest.mark.parametrize("name", ["profile", "standard", "study", "geojson", "people", "answer"])
def test_nothing_falls_through_by_coverage(tmp_path, name):
    pytest.importorskip("atheris", reason="atheris cannot be installed here: the seeded mutator alone spoils")
    done = subprocess.run(
        [sys.executable, HERE / "guided.py", name, str(RUNS), tmp_path], capture_output=True, text=True, check=False, timeout=600,
        env=surroundings(),
    )  # fmt: skip
    assert done.returncode == 0, f"{done.stdout[-2000:]}{done.stderr[-2000:]}\nthe file: {list(tmp_path.glob('*-*'))}"
    assert f"Done {RUNS} runs" in done.stderr
