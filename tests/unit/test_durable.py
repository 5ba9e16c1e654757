"""Whatever happens to a run, the results folder is the old one or the new one, whole, and the next run is as any."""

import os
import random
import signal
import subprocess
import sys
import threading
import time

import pytest
import town

from lifecircle.errors import SourceError
from lifecircle.publish import files, locks
from lifecircle.study import Study

SOURCE = 4
WRITER = """
import sys
from lifecircle.study import Study
result = Study.from_toml(sys.argv[1]).run()
print("ready", flush=True)
while True:
    result.write(sys.argv[2])
"""
HOLDER = """
import sys, time
from pathlib import Path
from lifecircle.publish.files import claimed
with claimed(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(600)
"""


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != "manifest.json"}


def hidden(folder):
    return sorted(path.name for path in folder.iterdir() if path.name.startswith("."))


def start(*arguments, **how):
    return subprocess.Popen(
        [sys.executable, *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env=os.environ | {"TERM": "dumb"}, **how,
    )  # fmt: skip


def run(study, out, **how):
    return start("-m", "lifecircle.cli", "run", study, "--out", out, **how)


def finished(process):
    out, err = process.communicate(timeout=120)
    return process.returncode, out, err


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    """A study, and its results as an undisturbed run writes them."""
    here = tmp_path_factory.mktemp("good")
    study = town.draw(here)
    Study.from_toml(study).run().write(here / "out")
    return study, contents(here / "out")


def test_killed_while_writing_the_folder_is_whole_and_the_next_run_identical(good, tmp_path):
    study, whole = good
    out, chance = tmp_path / "out", random.Random(5)
    seen = set()
    for _ in range(3):
        writer = start("-c", WRITER, study, out)
        assert writer.stdout.readline() == "ready\n"
        time.sleep(chance.uniform(0.05, 1.5))
        writer.kill()
        writer.communicate()
        seen |= set(hidden(tmp_path))
        if out.exists():
            assert contents(out) == whole
            assert (out / "manifest.json").exists()
    assert any(name.endswith((".new", ".lock")) for name in seen)  # it did die in the middle
    code, _, err = finished(run(study, out))
    assert code == 0, err
    assert contents(out) == whole
    assert hidden(tmp_path) == []


@pytest.mark.prove
def test_killed_at_fifty_moments_of_a_run(good, tmp_path):
    study, whole = good
    out, chance = tmp_path / "out", random.Random(11)
    before = time.perf_counter()
    assert finished(run(study, tmp_path / "timed"))[0] == 0
    whole_run = time.perf_counter() - before
    half_done = 0
    for number in range(50):
        process = run(study, out)
        time.sleep(chance.uniform(0, 1.05 * whole_run))
        process.kill()
        process.communicate()
        half_done += any(name.endswith(".new") for name in hidden(tmp_path))
        if out.exists():
            assert contents(out) == whole, number
        if number % 10 == 9:
            assert finished(run(study, out))[0] == 0
            assert contents(out) == whole
            assert hidden(tmp_path) == []
    assert half_done >= 5


def test_two_runs_into_one_folder_do_not_mix_and_the_second_is_told_whose_it_is(good, tmp_path):
    study, whole = good
    out = tmp_path / "out"
    holder = start("-c", HOLDER, out)
    try:
        assert holder.stdout.readline() == "held\n"
        code, _, err = finished(run(study, out))
        assert code == SOURCE
        assert len(err.strip().splitlines()) == 1
        assert "another run is writing" in err
        assert f"process {holder.pid} since 2" in err
        assert not out.exists()
    finally:
        holder.kill()
        holder.communicate()
    assert hidden(tmp_path) == [".out.lock"]  # it could not tidy up, and blocks nobody
    code, _, err = finished(run(study, out))
    assert code == 0, err
    assert contents(out) == whole
    assert hidden(tmp_path) == []


def test_of_two_runs_at_once_one_writes_and_the_other_says_so(good, tmp_path):
    study, whole = good
    out = tmp_path / "out"
    ended = sorted(finished(process) for process in [run(study, out), run(study, out)])
    assert [code for code, *_ in ended] in ([0, SOURCE], [0, 0])  # one after the other is well too
    assert contents(out) == whole
    assert hidden(tmp_path) == []


def test_threads_of_one_process_do_not_mix_either(tmp_path):
    said = []

    def other():
        try:
            with files.claimed(tmp_path / "out"):
                said.append("got it")
        except SourceError as error:
            said.append(str(error))

    with files.claimed(tmp_path / "out"):
        with files.claimed(tmp_path / "out"):  # one's own is no hindrance
            pass
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
    assert len(said) == 1
    assert f"process {os.getpid()}" in said[0]
    with files.claimed(tmp_path / "out"):
        pass
    assert hidden(tmp_path) == []


def test_only_leftovers_of_the_dead_are_removed(tmp_path):
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    out = tmp_path / "out"
    gone = [f".out.{dead.pid}.abcd_123.new", ".out.check.new"]
    kept = [
        f".out.{os.getppid()}.abcd_123.new",  # its process lives
        f".out.more.{dead.pid}.abcd_123.new",  # of another folder's run
        f".out.{dead.pid}.abcd_123.newer", ".output", ".out.x.abcd_123.new",
    ]  # fmt: skip
    for name in (gone[0], *kept):
        (tmp_path / name).mkdir()
        (tmp_path / name / "cells.parquet").write_text("half")
    (tmp_path / gone[1]).write_text("{")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "thesis.tex").write_text("years of work")
    (tmp_path / f".out.{dead.pid}.symlink0.new").symlink_to(tmp_path / "elsewhere")
    with files.claimed(out):
        pass
    assert hidden(tmp_path) == sorted([*kept, f".out.{dead.pid}.symlink0.new"])
    assert (tmp_path / "elsewhere" / "thesis.tex").read_text() == "years of work"


def test_a_linked_lock_is_not_followed(tmp_path):
    (tmp_path / "precious").write_text("years of work")
    (tmp_path / ".out.lock").symlink_to(tmp_path / "precious")
    with pytest.raises(SourceError, match="cannot write beside"), files.claimed(tmp_path / "out"):
        pass
    assert (tmp_path / "precious").read_text() == "years of work"


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"pid": "x", "host": 1, "since": "then"}', "\x00\xff"])
def test_a_lock_that_says_nonsense_is_still_a_lock(tmp_path, text):
    out = tmp_path / "out"
    with files.claimed(out):
        (tmp_path / ".out.lock").write_text(text, encoding="latin-1")
        assert locks._holder(tmp_path / ".out.lock") == "it does not say which"


def test_a_run_that_fails_leaves_no_empty_folders(good, tmp_path):
    study, _ = good
    with pytest.raises(ValueError, match="stop"), files.claimed(tmp_path / "a" / "b" / "out"):
        raise ValueError("stop")
    assert not (tmp_path / "a").exists()
    Study.from_toml(study).run().write(tmp_path / "a" / "b" / "out")
    assert hidden(tmp_path / "a" / "b") == []


@pytest.mark.parametrize("after_s", [1.2, 2.5])
def test_ctrl_c_ends_clean(good, tmp_path, after_s):
    study, whole = good
    out = tmp_path / "out"
    process = run(study, out)
    time.sleep(after_s)
    process.send_signal(signal.SIGINT)
    code, _, err = finished(process)
    if code == 0:  # it was quicker
        assert contents(out) == whole
        return
    assert code in {130, -signal.SIGINT}  # the second where Python itself was told; to a shell both are 130
    assert err.strip() == "lifecircle: stopped; nothing half-written is left"
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def small_disk(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=600k", "none", disk], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("no small disk can be mounted here")
    yield disk
    subprocess.run(["umount", disk], check=True)


def test_a_disk_that_is_full(good, small_disk):
    study, _ = good
    code, _, err = finished(run(study, small_disk / "out"))
    assert code == SOURCE
    assert err.strip().splitlines()[-1].endswith("the disk is full; what was there is unchanged")
    assert "Traceback" not in err
    assert list(small_disk.iterdir()) == []


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is read-only to root")
def test_a_folder_that_may_only_be_read(good, tmp_path):
    study, _ = good
    tmp_path.chmod(0o555)
    code, _, err = finished(run(study, tmp_path / "out"))
    tmp_path.chmod(0o755)
    assert code == SOURCE
    assert "cannot write beside" in err
