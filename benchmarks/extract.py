"""A small boundary in a large extract: time and memory of reading it, beside osmium reading the file alone.

    python benchmarks/extract.py [--extract FILE.osm.pbf] [--copies 12] [--runs 5]

Newport is laid out twelve times side by side into one sorted file of 30 MB, made once (a minute or two) and kept in
``benchmarks/results/``. A box of 3 km in the first copy is read by `lifecircle.sources.osm.read_osm`; beside it stand
osmium passing over every object inside itself (decoding, and nothing else), and pyosmium handing every object to a
Python loop that leaves it alone. Each run is a fresh process, in turn. Writes ``benchmarks/results/extract.json``.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

import osmium
import run
import timing

NEWPORT = run.REAL / "newport/newport-2023-06-13.osm.pbf"
BOX = (-3.02, 51.57, -2.98, 51.60)
STEP_DEG = 0.25
HIGHEST = {"n": 12_000_000_000, "w": 1_300_000_000, "r": 17_000_000}
"""Ids that OpenStreetMap has come to: those of the copies are spread over as wide a range."""
KINDS = {"n": osmium.osm.NODE, "w": osmium.osm.WAY, "r": osmium.osm.RELATION}
JOBS = ("decoding alone", "every object to Python", "read_osm")


def main() -> None:
    """Make the file, read it in turn, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--extract", type=Path, default=NEWPORT)
    parser.add_argument("--copies", type=int, default=12)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--job", choices=JOBS, help=argparse.SUPPRESS)
    said = parser.parse_args()
    if said.job:
        print(json.dumps(once(said.job, said.extract)))
        return
    big = made(said.extract, said.copies)
    if big is None:
        print(f"{said.extract}: no such extract, left out")
        return
    context = timing.context()
    found: dict[str, list[dict[str, float]]] = {job: [] for job in JOBS}
    for turn in range(said.runs + 1):
        for job in JOBS:
            command = [sys.executable, __file__, "--job", job, "--extract", big]
            told = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
            if turn:  # the first fills the system's cache
                found[job].append(told)
    show(found, big, context)


def made(source: Path = NEWPORT, copies: int = 12) -> Path | None:
    """Path of the large extract, made where it is missing; None where there is nothing to make it from."""
    if not source.exists():
        return None
    big = timing.RESULTS / f"extract-{copies}-{source.name}"
    if not big.exists():
        timing.RESULTS.mkdir(parents=True, exist_ok=True)
        unfinished = big.with_name(f"unfinished-{os.getpid()}.osm.pbf")
        lay_out(source, unfinished, copies)
        unfinished.rename(big)
    return big


def show(found: dict[str, list[dict[str, float]]], big: Path, context: dict[str, object]) -> None:
    """Print medians and ratios turn by turn, and write them."""
    size = big.stat().st_size / 1e6
    print(f"{big.name}: {size:.1f} MB, {found['read_osm'][0]['objects']:,.0f} objects inside the box")
    rows = [["way", "runs", "CPU s", "least–most", "wall s", "peak MB", "times decoding", "times Python's loop"]]
    kept: dict[str, object] = {}
    for job, runs in found.items():
        cpu, wall, peak = ([one[key] for one in runs] for key in ("cpu_s", "wall_s", "peak_mb"))
        ratios = [
            statistics.median(a / other["cpu_s"] for a, other in zip(cpu, found[beside], strict=True))
            for beside in JOBS[:2]
        ]
        rows.append(
            [job, str(len(runs)), f"{statistics.median(cpu):.2f}", f"{min(cpu):.2f}–{max(cpu):.2f}",
             f"{statistics.median(wall):.2f}", f"{max(peak):.0f}", *(f"{ratio:.2f}" for ratio in ratios)]
        )  # fmt: skip
        kept[job] = {
            "cpu_s": cpu, "wall_s": wall, "peak_mb": max(peak), "times_decoding": ratios[0], "times_python": ratios[1],
        }  # fmt: skip
    timing.table(rows, left={0})
    ours = kept["read_osm"]
    assert isinstance(ours, dict)
    timing.show_targets(
        [
            timing.Target("peak of the process, MB", "<=", 1200, ours["peak_mb"]),
            timing.Target("CPU, times pyosmium's loop that leaves all alone", "<=", 1.5, ours["times_python"]),
            timing.Target("CPU, times decoding inside osmium alone", "<=", 2, ours["times_decoding"]),
        ]
    )
    timing.keep("extract", context | {"file_mb": size, "ways": kept})


def once(job: str, path: Path) -> dict[str, float]:
    """Read the file once; the processor time is that of the whole process, all threads, without its imports."""
    if job == "read_osm":
        from lifecircle.sources.osm import read_osm
    objects, start, before = 0, time.perf_counter(), time.process_time()
    if job == "read_osm":
        data = read_osm(path, BOX)
        objects = len(data.ways) + len(data.features) + len(data.lines)
    else:
        reading = osmium.FileProcessor(str(path))
        if job == JOBS[0]:
            reading = reading.with_filter(osmium.filter.KeyFilter("a key that nothing has"))
        for _ in reading:
            objects += 1
    return {
        "cpu_s": time.process_time() - before, "wall_s": time.perf_counter() - start, "objects": objects,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }  # fmt: skip


def lay_out(source: Path, target: Path, copies: int) -> None:
    """Write an extract several times side by side, one copy east of another, with ids of their own, sorted."""
    ids: dict[str, dict[int, int]] = {kind: {} for kind in KINDS}
    for kind, entity in KINDS.items():
        for thing in osmium.FileProcessor(str(source), entity):
            ids[kind][thing.id] = len(ids[kind])

    def number(kind: str, old: int, copy: int) -> int:
        """Id in a copy; a member that the extract does not hold lies beyond all others."""
        many = len(ids[kind])
        rank = ids[kind].get(old, many * copies)
        return 1 + (copy * many + rank) * (HIGHEST[kind] // (many * copies))

    with osmium.SimpleWriter(str(target)) as out:
        for kind, entity in KINDS.items():
            for copy in range(copies):
                for thing in osmium.FileProcessor(str(source), entity):
                    new = number(kind, thing.id, copy)
                    if kind == "n":
                        at = (thing.location.lon + copy * STEP_DEG, thing.location.lat)
                        out.add_node(thing.replace(id=new, location=at))
                    elif kind == "w":
                        out.add_way(thing.replace(id=new, nodes=[number("n", node.ref, copy) for node in thing.nodes]))
                    else:
                        members = [(m.type, number(m.type, m.ref, copy), m.role) for m in thing.members]
                        out.add_relation(thing.replace(id=new, members=members))


if __name__ == "__main__":
    main()
