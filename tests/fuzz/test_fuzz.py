"""Every input, spoilt in thousands of ways: each is read, or refused with one clear message, in bounded time and memory.

Three ways of spoiling. A seeded mutator (`mutate`) changes bytes, and what the bytes mean: the blocks of a PBF are packed
anew, JSON values exchanged by type. The cases run in a child process with little memory and a clock (`child`), so that a
library that falls takes no other test with it. Hypothesis makes JSON from nothing. And atheris, where it is installed,
looks by coverage for what neither thinks of.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

import formats
import pytest

FEW, MANY = 30, 1800
"""Cases of a format of weight 100 in `make test` and in `make prove`."""

WALL_S = 60
HERE = Path(__file__).resolve().parent
PATHS = [HERE.parents[1], HERE.parent, HERE.parent / "golden", HERE]


class Child:
    """The process that runs cases; a new one where one died."""

    def __init__(self):
        self.process = None

    def start(self):
        self.said = tempfile.TemporaryFile("w+")  # noqa: SIM115  what it says as it dies
        self.home = tempfile.TemporaryDirectory(prefix="fuzz-")
        self.process = subprocess.Popen(
            [sys.executable, HERE / "child.py", self.home.name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.said, text=True,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(map(str, PATHS)), "MALLOC_ARENA_MAX": "2"},
        )  # fmt: skip

    def run(self, name, first, last, *, wall_s=WALL_S):
        """Outcome of every case; one that killed the process is told like the others."""
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
    "swell": "more than ever before",
    "babble": "what terminals obey",
}


@pytest.mark.parametrize("name", ["crash", "babble"])
def test_an_error_or_message_that_should_not_be_is_found(child, name):
    found = (outcome for n in range(0, 200, 10) for outcome in child.run(name, n, n + 10) if outcome["wrong"])
    assert PLANTED[name] in next(found)["wrong"]


SLOW = [
    pytest.param(name, marks=pytest.mark.prove) if name in {"hang", "swell"} else name
    for name in ("fall", "hang", "swell")
]


@pytest.mark.parametrize("name", SLOW)
def test_what_takes_the_process_or_all_of_the_machine_is_found(name):
    child = Child()
    try:
        found = next(outcome for outcome in child.run(name, 0, 200, wall_s=2) if outcome["wrong"])
    finally:
        child.stop()
    assert PLANTED[name] in found["wrong"]
    assert found["number"] < 100
