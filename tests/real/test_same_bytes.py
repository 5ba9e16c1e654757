"""The same inputs give the same bytes: for any number of threads, in any process, on any day."""

import os
import subprocess
import sys

import pytest
import town
from regions import study_of


def digest(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.name != "manifest.json"}


def differing(one, other):
    assert one.keys() == other.keys()
    return [name for name in one if one[name] != other[name]]


def check(study, folder):
    first = digest(study.run(threads=1).write(folder / "one"))
    assert len(first) == 15
    for threads in (1, 2, 4):
        assert differing(first, digest(study.run(threads=threads).write(folder / f"t{threads}"))) == []


def test_monaco(tmp_path):
    check(study_of("monaco"), tmp_path)


@pytest.mark.prove
def test_other_processes_with_other_hash_seeds_in_other_folders(tmp_path):
    made = []
    for seed in ("1", "2"):
        here = tmp_path / f"place{seed}"
        here.mkdir()
        town.draw(here)
        subprocess.run(
            [sys.executable, "-m", "lifecircle.cli", "run", "study.toml", "--out", f"out{seed}"], cwd=here, check=True,
            env=os.environ | {"PYTHONHASHSEED": seed, "TERM": "dumb", "TZ": "Asia/Shanghai" if seed == "2" else "UTC"},
            capture_output=True,
        )  # fmt: skip
        made.append(digest(here / f"out{seed}"))
    assert differing(*made) == []


@pytest.mark.prove
@pytest.mark.parametrize("region", ["newport", "liechtenstein", "lingang"])
def test_every_region(region, tmp_path):
    check(study_of(region), tmp_path)
