"""What each rule of access decides: every region with one rule switched off at a time.

    python benchmarks/rules.py [--only newport,monaco]

Prints, for each rule, the change in people (cells, where people are unknown) who have each service, and the share of
verdicts (cells x services, weighted by people) that turn over either way; writes ``benchmarks/results/rules.json``.
"""

import argparse
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import run
import shapely
import studies

import lifecircle.prepared
from lifecircle.model import barriers, cells, facilities, gates, sidewalks, starts, ways
from lifecircle.model.snapping import Joins, Snapper
from lifecircle.model.squares import Squares
from lifecircle.profiles import Profile
from lifecircle.result import Result
from lifecircle.standards import Standard
from lifecircle.study import Study

Change = Callable[[Study], Any]


def walkers(**update: Any) -> Change:
    """Change every profile."""
    load = Profile.load

    def changed(name: str) -> Profile:
        found = load(name)
        kept = {key: value for key, value in update.items() if found.unit == "s" or key in {"barred", "steps"}}
        return found.model_copy(update=kept)

    return lambda _: mock.patch.object(Profile, "load", changed)


def instead(owner: Any, name: str, made: Callable[..., Any]) -> Change:
    """Put something in the place of a rule."""
    return lambda _: mock.patch.object(owner, name, made)


def together(*changes: Change) -> Change:
    """Make several changes at once."""

    @contextmanager
    def all_of(study: Study) -> Iterator[None]:
        with ExitStack() as stack:
            for change in changes:
                stack.enter_context(change(study))
            yield

    return all_of


def osmnx_walk(tags: dict[str, str]) -> bool:
    """Say whether OSMnx's network type ``walk`` keeps a way (2.1: ``_overpass.py``)."""
    highway = tags.get("highway", "")
    never = {
        *("abandoned", "bus_guideway", "construction", "corridor", "cycleway", "elevator", "escalator", "motor", "no"),
        *("planned", "platform", "proposed", "raceway", "razed", "rest_area", "services", "busway", "motorway"),
        "motorway_link",
    }
    apart = any(tags.get(key) == "separate" for key in ("sidewalk", "sidewalk:both", "sidewalk:left", "sidewalk:right"))
    return not (
        not highway or highway in never or apart or tags.get("area") == "yes" or tags.get("access") == "private"
        or tags.get("foot") == "no" or tags.get("service") == "private"
    )  # fmt: skip


def to_nodes(self: Snapper, shapes: Any, place: Any, edge: Any) -> Joins:
    """Join the nearer end of the edge, and charge no way there."""
    found = _AT(self, shapes, place, edge)
    length = self.network.length_m[found.edge]
    offset = np.where(found.offset_m * 2 < length, 0.0, length)
    return Joins(found.place, found.rank, found.edge, offset, np.zeros(len(found)))


def as_found(_self: Snapper, _shapes: Any, _place: Any, edge: Any, _usable: Any) -> Any:
    """Join the nearest edge, whatever lies between."""
    return edge


def from_middle(shapes: Any, owner: Any, *rest: Any) -> Any:
    """Enter every facility at its middle."""
    return _ENTRANCES(shapely.point_on_surface(shapes), owner, *rest)


def each_its_own(rows: Any) -> Any:
    """Merge nothing."""
    return rows.assign(merged=""), np.arange(len(rows))


def no_homes(polygons: Any, centre: Any, people: Any, home_xy: Any, weight: Any, barriers: Any) -> Any:
    """Start from the middle of every cell."""
    return _STARTS(polygons, centre, people, home_xy[:0], weight[:0], barriers)


def lenient(name: str) -> Standard:
    """Count parks that ask a fee, and the pitches of schools."""
    found = _STANDARD(name)
    for service in found.services.values():
        for rule in service.tags:
            rule.unless.pop("fee", None)
            rule.not_within.clear()
    return found


def vehicle_way(tags: dict[str, str]) -> int:
    """Bind walkers by ``oneway``."""
    return {"yes": 1, "true": 1, "1": 1, "-1": -1}.get(tags.get("oneway", "no"), 0)


_AT, _ENTRANCES, _STARTS, _STANDARD = Snapper.at, facilities._entrances, starts.starts, Standard.load  # noqa: SLF001
NONE = np.zeros(0, dtype=np.int64)
RULES: dict[str, Change] = {
    "walk filter: OSMnx's instead": instead(ways, "walkable", osmnx_walk),
    "one-way streets bind walkers": instead(ways, "one_way", vehicle_way),
    "private ways open to all": lambda study: study.changed(gates="open"),
    "private ways closed to all but residents": lambda study: study.changed(gates="closed"),
    "lanes behind private gates are public": instead(
        gates, "_enclosed", lambda network: np.zeros(network.n_edges, bool)
    ),
    "gates shut to all stand open": together(
        instead(ways, "is_shut", lambda _: False), instead(facilities, "is_shut", lambda _: False)
    ),
    "squares walked round only": instead(Squares, "crossed", lambda _, network: network),
    "streets kept where both sidewalks are drawn": instead(sidewalks, "without_middles", lambda network: network),
    "no wait at signals and lifts": walkers(delays=[]),
    "stairs as quick as the flat": walkers(steps_factor=None),
    "no slopes": walkers(slope="none"),
    "bridges and tunnels as high as the ground": instead(lifecircle.prepared, "smoothed", lambda _, height: height),
    "bridges and tunnels meet the ground": together(
        instead(ways, "is_aloft", lambda _: False), instead(barriers, "is_aloft", lambda _: False)
    ),
    "places join the nearest node, at no cost": instead(Snapper, "at", to_nodes),
    "places join across water, rail and motorways": instead(Snapper, "_this_side", as_found),
    "places on scraps join nothing else": instead(Snapper, "_beside", lambda *_: (NONE, NONE)),
    "cells start from their middle": instead(cells, "starts", no_homes),
    "cells start from one bank only": instead(starts, "_sides", lambda _, cell, *__: np.zeros(len(cell), np.int64)),
    "facilities mapped twice count twice": instead(facilities, "_one_per_place", each_its_own),
    "facilities entered at their middle": instead(facilities, "_entrances", from_middle),
    "land without gates entered from the nearest street only": instead(facilities, "_adjoining", lambda *_: []),
    "parks with a fee and school pitches count": instead(Standard, "load", lenient),
}
WHEELS: dict[str, Change] = {
    "stairs are ways": walkers(steps=True),
    "surfaces, kerbs, barriers and widths bar nothing": walkers(barred=[], min_width_m=None),
    "no wait at signals and lifts": walkers(delays=[]),
}


def main() -> None:
    """Run every rule on every region at hand."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default=",".join(run.JOBS))
    found = {}
    for name in parser.parse_args().only.split(","):
        if not all(part.exists() for part in run.JOBS[name] if isinstance(part, Path)):
            print(f"{name}: no data, left out\n")
            continue
        found[name] = {
            "adult": table(name, studies.study_of(name), RULES),
            "wheelchair": table(f"{name}, wheelchair", studies.study_of(name).changed(profile="wheelchair"), WHEELS),
        }
    target = run.ROOT / "benchmarks" / "results" / "rules.json"
    target.parent.mkdir(exist_ok=True)
    target.write_text(json.dumps(found, indent=1) + "\n")
    print(f"written: {target.relative_to(run.ROOT)}")


def table(name: str, study: Study, rules: dict[str, Change]) -> dict[str, Any]:
    """Switch off each rule in turn, print the differences and return them."""
    base = study.run()
    keys = [*base.coverage.keys, "all"]
    had = figures(base)
    print(f"{name}: " + ", ".join(f"{key} {had[key]:,.0f}" for key in keys) + f" of {had['total']:,.0f}")
    width = max(map(len, rules))
    print(" " * width + "".join(f"{key[:9]:>10}" for key in keys) + "  turned over")
    rows: dict[str, Any] = {"base": had}
    for rule, change in rules.items():
        made = change(study)
        if isinstance(made, Study):
            result = made.run()
        else:
            with made:
                result = study.run()
        now = figures(result)
        turned = turned_over(base, result)
        rows[rule] = {key: round(now[key] - had[key], 3) for key in keys} | {"turned_over": round(turned, 6)}
        print(f"{rule:<{width}}" + "".join(f"{rows[rule][key]:>+10,.0f}" for key in keys) + f"{turned:>12.2%}")
    print()
    return rows


def figures(result: Result) -> dict[str, float]:
    """People (or cells) who have each service."""
    measure = "cells" if result.coverage.cells.people is None else "people"
    mine = [f for f in result.coverage.figures() if (f.kind, f.measure) == ("region", measure)]
    return {f.service: float(f.met or 0) for f in mine} | {"total": float(mine[0].total or 0)}


def turned_over(one: Result, other: Result) -> float:
    """Share of verdicts that differ, cells weighted by their people."""
    people = one.coverage.cells.people
    weight = np.ones(len(one.coverage.cells)) if people is None else people.astype(np.float64)
    differs = one.coverage.met != other.coverage.met
    return float((differs * weight).sum() / (weight.sum() * len(differs)))


if __name__ == "__main__":
    main()
