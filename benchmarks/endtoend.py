"""From extract to verdict: `lifecircle run` on Newport beside what one would put together from other libraries.

    python benchmarks/endtoend.py [--runs N]

The job is the same: an OpenStreetMap extract and a population raster in, seconds to the nearest place of nine services
and how many lie within 15 minutes out, for every populated 100 m cell. `lifecircle run` does more (verdicts, gaps,
tables, pages), which its stages tell apart. Every run is a fresh process, in turn; stages are wall seconds. Where
answers differ, this says by how much and why. Writes ``benchmarks/results/endtoend.json``.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import heap
import joined
import numpy as np
import shapely
import snapped
import studies
import timing
from pyproj import Transformer
from run import JOBS, ROOT, once
from scipy.spatial import cKDTree
from timing import absent

from lifecircle.profiles import TICKS

_MET_S = 900.0
_WANTED = ("read", "network", "facilities", "cells", "compile", "search")
"""Stages of a run up to the seconds and counts: what the others do."""


def main() -> None:
    """Run all, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3)
    runs = parser.parse_args().runs
    if not snapped.EXTRACT.exists():
        print(f"newport: no data at {snapped.EXTRACT.parent}, left out")
        return
    figures, peers = timing.context() | {"runs": runs}, []
    for peer in snapped.PEERS:
        why = absent("pandana") or absent(peer)
        print(why) if why else peers.append(peer)
    with tempfile.TemporaryDirectory() as folder:
        found = [turn(Path(folder), peers, number) for number in range(runs + 1)][1:]  # the first one warms the caches
        ours = table(Path(folder) / "lifecircle")
        figures["lifecircle"] = medians([each["lifecircle"] for each in found])
        show("lifecircle run", figures["lifecircle"], note=f"up to the answers: {until(figures['lifecircle']):.1f} s")
        for peer in peers:
            figures[peer] = medians([each[peer] for each in found])
            show(snapped.PEERS[peer], figures[peer])
        for peer in peers:
            told = found[-1][peer]
            figures[peer] |= {"nodes": told["nodes"], "street_km": told["street_km"], "places": told["places"]}
            figures[peer]["differences"] = differences(
                snapped.PEERS[peer], ours, dict(np.load(Path(folder) / f"{peer}.npz")), told, found[-1]["lifecircle"]
            )
        figures["node_snapping_alone"] = snapping_alone(ours)
    timing.keep("endtoend", figures)


def turn(folder: Path, peers: list[str], number: int) -> dict[str, Any]:
    """Let everybody do the job once."""
    ours = once(JOBS["newport"], folder / "lifecircle")
    data = json.loads((folder / "lifecircle" / "summary.json").read_text(encoding="utf-8"))["data"]
    found: dict[str, Any] = {"lifecircle": ours | {"nodes": data["nodes"], "street_km": data["street_km"]}}
    for peer in peers:
        start = time.perf_counter()
        command = [sys.executable, str(Path(snapped.__file__)), peer, str(folder / f"{peer}.npz")]
        done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT)
        wall = time.perf_counter() - start
        found[peer] = json.loads(done.stdout.splitlines()[-1]) | {"wall_s": wall}
        if number == 0:
            print(f"{snapped.PEERS[peer]}: first run {wall:.0f} s, not counted", flush=True)
    return found


def medians(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Wall seconds of the whole and of the stages."""
    walls = [run["wall_s"] for run in runs]
    stages = {name: statistics.median(run["stages_s"][name] for run in runs) for name in runs[0]["stages_s"]}
    return {"wall_s": statistics.median(walls), "wall_s_low": min(walls), "wall_s_high": max(walls), "stages_s": stages}


def until(found: dict[str, Any]) -> float:
    """Wall seconds of a run without what comes after the answers."""
    later = sum(seconds for name, seconds in found["stages_s"].items() if name not in _WANTED)
    return float(found["wall_s"] - later)


def show(name: str, found: dict[str, Any], note: str = "") -> None:
    """Print one way's stages."""
    stages = "  ".join(f"{stage} {seconds:.2f}" for stage, seconds in found["stages_s"].items())
    print(
        f"{name}: {found['wall_s']:.1f} s ({found['wall_s_low']:.1f}–{found['wall_s_high']:.1f})  {note}\n    {stages}"
    )


def table(folder: Path) -> dict[str, Any]:
    """Cells as lifecircle wrote them: row, column, and by service seconds and counts."""
    import pandas as pd

    cells = pd.read_parquet(folder / "cells.parquet")
    facilities = pd.read_parquet(folder / "facilities.parquet", columns=["service"])
    names = [name.removesuffix("_met") for name in cells.columns if name.endswith("_met")]
    place = cells["cell_id"].str.extract(r"r(\d+)c(\d+)").astype(int)
    return {
        "services": names, "row": place[0].to_numpy(), "column": place[1].to_numpy(),
        "seconds": cells[[f"{name}_s" for name in names]].to_numpy(dtype=np.float64, na_value=np.inf).T,
        "counts": cells[[f"{name}_n" for name in names]].to_numpy(dtype=np.float64, na_value=np.nan).T,
        "leg_s": cells["leg_ticks_adult"].to_numpy(dtype=np.float64, na_value=np.nan) / 32,
        "places": facilities["service"].value_counts().to_dict(),
    }  # fmt: skip


def differences(
    name: str, ours: dict[str, Any], theirs: dict[str, Any], told: dict[str, Any], run: dict[str, Any]
) -> dict[str, Any]:
    """Compare cell by cell, and say how much of the difference the snapping to nodes explains."""
    places = [list(zip(of["row"].tolist(), of["column"].tolist(), strict=True)) for of in (ours, theirs)]
    known = {place: ix for ix, place in enumerate(places[1])}
    pairs = [(ix, known[place]) for ix, place in enumerate(places[0]) if place in known]
    mine, other = np.array(pairs).T
    order = [list(theirs["services"]).index(service) for service in ours["services"]]
    a, b = ours["seconds"][:, mine], theirs["seconds"][order][:, other]
    walked = b + theirs["leg_s"][other]
    both = np.isfinite(a) & np.isfinite(b)
    told_s, with_leg = b[both] - a[both], walked[both] - a[both]
    counts = theirs["counts"][order][:, other] - ours["counts"][:, mine]
    result = {
        "cells_compared": len(pairs), "cells_ours": len(ours["row"]), "cells_theirs": len(theirs["row"]),
        "seconds_theirs_less_ours": _spread(told_s), "verdicts_flipped": _flipped(a, b),
        "reached_by_one_only": float((np.isfinite(a) != np.isfinite(b)).mean()),
        "with_straight_leg_added": _spread(with_leg), "verdicts_flipped_with_leg": _flipped(a, walked),
        "any_verdict_of_a_cell_flipped": float(((a <= _MET_S) != (b <= _MET_S)).any(axis=0).mean()),
        "counts_theirs_less_ours": _spread(counts.ravel()), "counts_equal": float((counts == 0).mean()),
        "leg_s_theirs": _spread(theirs["leg_s"][other]), "leg_s_ours": _spread(ours["leg_s"][mine]),
    }  # fmt: skip
    print(f"\n{name} against lifecircle, {len(pairs):,} cells of {len(ours['row']):,} and {len(theirs['row']):,}:")
    flipped, some = result["verdicts_flipped"], result["any_verdict_of_a_cell_flipped"]
    here, there = _said(ours["leg_s"][mine]), _said(theirs["leg_s"][other])
    doors = (f"{service} {told['places'][service]}/{ours['places'][service]}" for service in ours["services"])
    lines = {
        "seconds to the nearest, theirs less ours": _said(told_s),
        "15-minute verdicts that flip": f"{flipped:.2%} of cells x services; {some:.2%} of cells have one",
        "reached in 30 minutes by one only": f"{result['reached_by_one_only']:.2%}",
        "counts within 15 minutes": f"{result['counts_equal']:.1%} equal; theirs less ours {_said(counts.ravel())}",
        "why: the way from the cell": f"theirs is free, to a node {there} s away; ours is walked, {here} s to an edge",
        "with that way added to theirs": f"{_said(with_leg)}; {result['verdicts_flipped_with_leg']:.2%} flip",
        "why: the streets": f"theirs {told['nodes']:,} nodes, {told['street_km']:,.0f} km, the largest part, without "
        f"cycleways and private ways; ours {run['nodes']:,} nodes, {run['street_km']:,.0f} km, all parts",
        "why: the places": "theirs/ours, centroids of objects/entrances, doubles merged: " + ", ".join(doors),
    }
    for what, said in lines.items():
        print(f"    {what}: {said}")
    return result


def snapping_alone(ours: dict[str, Any]) -> dict[str, Any]:
    """Say what nodes for places do by themselves: lifecircle's own streets and facilities, all put on nearest nodes."""
    walkers = studies.walkers_of("newport")
    network = walkers.network
    ticks = (walkers.lane.ticks_uv, walkers.lane.ticks_vu)
    assert (ticks[0] == ticks[1]).all(), "walks are searched from the facilities, so both ways must cost the same"
    ends = [np.concatenate([network.edge_u, network.edge_v]), np.concatenate([network.edge_v, network.edge_u])]
    graph = joined.arcs(network.n_nodes, *(e.astype(np.int64) for e in ends), np.concatenate(ticks).astype(np.int64))
    to_metres = Transformer.from_crs("EPSG:4326", network.region.crs, always_xy=True)
    nodes = cKDTree(np.stack(to_metres.transform(network.node_lon, network.node_lat), axis=1))
    row, column, lon, lat = snapped.cells()
    known = {place: ix for ix, place in enumerate(zip(row.tolist(), column.tolist(), strict=True))}
    at = [known[place] for place in zip(ours["row"].tolist(), ours["column"].tolist(), strict=True)]
    home = nodes.query(np.stack(to_metres.transform(lon[at], lat[at]), axis=1))[1]
    door = nodes.query(shapely.get_coordinates(walkers.facilities.points))[1]
    given = walkers.facilities.services
    by_service = [door[[s in served for served in given]] for s in sorted(walkers.thresholds)]
    ptr = np.concatenate([[0], np.cumsum([len(doors) for doors in by_service])])
    found = np.empty((len(by_service), network.n_nodes), np.int64)
    heap.nearest_from(*graph, np.concatenate(by_service), ptr, walkers.lane.cutoff, found)
    theirs = np.where(found > walkers.lane.cutoff, np.inf, found / TICKS)[:, home]
    a = ours["seconds"]
    both = np.isfinite(a) & np.isfinite(theirs)
    off = theirs[both] - a[both]
    print(
        f"\nnearest nodes alone, on lifecircle's own streets and facilities: {_said(off)} s; "
        f"{_flipped(a, theirs):.2%} of the verdicts flip"
    )
    return {"seconds_snapped_less_ours": _spread(off), "verdicts_flipped": _flipped(a, theirs)}


def _flipped(a: np.ndarray, b: np.ndarray) -> float:
    return float(((a <= _MET_S) != (b <= _MET_S)).mean())


def _spread(values: np.ndarray) -> dict[str, float]:
    """Percentiles, and the mean of the absolute values."""
    at = (5, 25, 50, 75, 95)
    told = dict(zip((f"p{p}" for p in at), np.percentile(values, at).tolist(), strict=True))
    return told | {"mean_absolute": float(np.abs(values).mean())}


def _said(values: np.ndarray) -> str:
    found = _spread(values)
    return f"median {found['p50']:.0f} (5 % {found['p5']:.0f}, 95 % {found['p95']:.0f})"


if __name__ == "__main__":
    main()
