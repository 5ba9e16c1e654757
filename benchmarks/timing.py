"""Time ways of doing the same job fairly: interleaved, CPU and wall, medians and spread; print and keep the result."""

import gc
import json
import os
import platform
import statistics
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib import metadata, util
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"
PEERS = ("networkx", "scipy", "pandana", "cityseer", "igraph", "pyrosm", "osmnx")
NOTED = ("lifecircle", "numba", "numpy", *PEERS)


@dataclass
class Way:
    """One way of doing a job.

    Attributes
    ----------
    name : str
    run : callable
        Does the job once and returns the answer.
    origins : int
        Origins a run walks from; times are given for each.
    runs : int, optional
        At most so many runs; for the slowest.
    build_s : float, optional
        Wall seconds of what was made before the first run.
    note : str
        What a reader must know of the row: sampled, float costs...
    warm : bool
        It ran already, when its answer was compared.
    """

    name: str
    run: Callable[[], object]
    origins: int
    runs: int | None = None
    build_s: float | None = None
    note: str = ""
    warm: bool = False
    cpu: list[float] = field(default_factory=list)
    wall: list[float] = field(default_factory=list)

    @property
    def cpu_s(self) -> float:
        """Median CPU seconds of a run."""
        return statistics.median(self.cpu)

    @property
    def wall_s(self) -> float:
        """Median wall seconds of a run."""
        return statistics.median(self.wall)

    @property
    def each_us(self) -> float:
        """CPU microseconds an origin."""
        return self.cpu_s / self.origins * 1e6

    def told(self) -> dict[str, object]:
        """Figures for the JSON file."""
        return {
            "name": self.name, "origins": self.origins, "runs": len(self.cpu), "cpu_s": self.cpu_s,
            "cpu_s_low": min(self.cpu), "cpu_s_high": max(self.cpu), "wall_s": self.wall_s,
            "wall_s_low": min(self.wall), "wall_s_high": max(self.wall), "us_per_origin_cpu": self.each_us,
            "build_s": self.build_s, "note": self.note,
        }  # fmt: skip


def race(ways: Sequence[Way], runs: int) -> None:
    """Run every way in turn, over and over, so that a slow minute of the machine meets them all.

    A first run of each, not counted, compiles, fills caches and takes memory.
    """
    for way in ways:
        if not way.warm:
            way.run()
    for turn in range(runs):
        for way in ways:
            if turn < (way.runs or runs):
                gc.collect()
                before, start = time.process_time(), time.perf_counter()
                way.run()
                way.cpu.append(time.process_time() - before)
                way.wall.append(time.perf_counter() - start)


def paired(a: Way, b: Way, *, wall: bool = False) -> float:
    """Median over the turns of a's time for an origin by b's: noise that lasts longer than a turn falls out."""
    times = [(way.wall if wall else way.cpu) for way in (a, b)]
    per = [[t / way.origins for t in found] for way, found in zip((a, b), times, strict=True)]
    return statistics.median(x / y for x, y in zip(*per, strict=False))


def show(ways: Sequence[Way]) -> None:
    """Print what was measured."""
    rows = [
        [
            way.name, f"{way.origins:,}", str(len(way.cpu)), f"{way.cpu_s:.4f}",
            f"{min(way.cpu):.4f}–{max(way.cpu):.4f}", f"{way.wall_s:.4f}", f"{way.each_us:,.2f}",
            "" if way.build_s is None else f"{way.build_s:.1f}", way.note,
        ]
        for way in ways
    ]  # fmt: skip
    head = ["way", "origins", "runs", "CPU s", "least–most", "wall s", "µs/origin", "build s", "note"]
    table([head, *rows], left={0, 8})


def table(rows: Sequence[Sequence[str]], *, left: set[int] = frozenset()) -> None:
    """Print rows in columns, numbers to the right."""
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
    for row in rows:
        cells = [c.ljust(w) if k in left else c.rjust(w) for k, (c, w) in enumerate(zip(row, widths, strict=True))]
        print("  " + "  ".join(cells).rstrip(), flush=True)


@dataclass(frozen=True)
class Target:
    """A figure that was promised: ``kind`` is ``>=`` or ``<=``."""

    what: str
    kind: str
    wanted: float
    measured: float | None
    why_not: str = ""

    @property
    def reached(self) -> str:
        """Yes, no, or why nobody can say."""
        if self.measured is None:
            return self.why_not or "not measured"
        return "yes" if (self.measured >= self.wanted if self.kind == ">=" else self.measured <= self.wanted) else "no"

    def told(self) -> dict[str, object]:
        """Figures for the JSON file."""
        return {"what": self.what, "target": f"{self.kind} {self.wanted:g}", "measured": self.measured,
                "reached": self.reached}  # fmt: skip


def show_targets(targets: Sequence[Target]) -> None:
    """Print target, measured, reached."""
    rows = [["target", "", "measured", "reached"]]
    for t in targets:
        measured = "–" if t.measured is None else f"{t.measured:.3g}" if t.measured < 1000 else f"{t.measured:,.0f}"
        rows.append([t.what, f"{t.kind} {t.wanted:g}", measured, t.reached])
    table(rows, left={0, 3})


def absent(name: str) -> str:
    """Say why a peer cannot take part; empty if it can."""
    if util.find_spec(name) is None:
        return f"{name}: not installed, left out"
    try:
        __import__(name)
    except Exception as error:  # noqa: BLE001 (whatever a broken build raises, the others go on)
        return f"{name}: cannot be imported ({error}), left out"
    return ""


def context() -> dict[str, object]:
    """Say what the figures were measured on, and when."""
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty", "--abbrev=40"], capture_output=True, text=True, cwd=ROOT, check=False
    )
    return {
        "machine": f"{_processor()}, {os.cpu_count()} processors, {platform.system()} {platform.machine()}",
        "load_average": [round(load, 2) for load in os.getloadavg()],
        "date": time.strftime("%Y-%m-%d"),
        "python": platform.python_version(),
        "commit": commit.stdout.strip(),
        "versions": {name: metadata.version(name) for name in NOTED if util.find_spec(name) is not None},
    }


def _processor() -> str:
    """Name of the processor, where the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def keep(name: str, figures: dict[str, object]) -> None:
    """Write ``benchmarks/results/<name>.json``; the figures begin with the `context` taken before the first run."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    target = RESULTS / f"{name}.json"
    target.write_text(json.dumps(figures, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(f"written to {target.relative_to(ROOT)}")
