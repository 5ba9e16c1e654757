"""What changed between two results folders, and what it is owed to: network, facilities, population or parameters."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lifecircle.assess.coverage import ALL, Figure
from lifecircle.assess.wording import tidy_numbers
from lifecircle.audit.contents import UnreadableError, changes, load_json, of_any_run, read_table
from lifecircle.audit.verify import Claim, File
from lifecircle.errors import DataError, LifecircleError
from lifecircle.model.cells import PEOPLE

FACTORS = ("network", "facilities", "population", "parameters")
"""What results are made of, in the order they are exchanged: streets and heights; facilities; people and the homes they
live in; and all else: boundary, barriers, standard, profiles and every other key of the study."""

_OF_NETWORK, _OF_PEOPLE = {"osm", "elevation"}, {"osm", "population"}
_MOST = 1e12  # people or cells
_WHERE = ("boundary", "bbox", "place", "crs", "zone_class")

Exchange = Callable[[dict[str, Any], dict[str, str]], list[Figure]]
"""Computes the figures of a study, given by its keys, with the extract to take ``region``, ``facilities`` and ``homes``
from; its own ``osm`` gives the streets."""


@dataclass(frozen=True)
class Change:
    """A figure that is not as it was: people (or cells, where nobody knows the people) with a verdict of met.

    Attributes
    ----------
    before, after : float or None
        None where that folder has no such figure.
    total_before, total_after : float or None
    owed : dict of float
        Parts of ``after - before`` by what they are owed to; they add up to it exactly.
    """

    zone: str
    kind: str
    service: str
    before: float | None
    after: float | None
    total_before: float | None
    total_after: float | None
    owed: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Moved:
    """Cells whose walk to a service is not as it was, by their main access point, and the people who live there.

    Attributes
    ----------
    what : str
        ``nearest_opened``: the nearest facility is one that was not there; ``nearest_closed``: the nearest is gone, and
        another that was there is nearest; ``nearest_other``: another, though both are in both; ``longer``,
        ``shorter``: the same facility, another walk; ``limit``: another threshold.
    """

    service: str
    what: str
    cells: int
    people: float | None


@dataclass(frozen=True, repr=False)
class Diff:
    """What changed between two results folders.

    Attributes
    ----------
    measure : {"people", "cells"}
    inputs : list of (key, before, after)
        Inputs that are not the same file by digest; a name with the head of its digest, or None.
    parameters : list of (key, before, after)
        Keys of study, standard and profiles that differ.
    versions : list of (library, before, after)
    changes : list of Change
        Figures of the region, zones and overlays that changed.
    moved : list of Moved
    people_changed, only_before, only_after : (cells, people)
        Cells with other people, and cells in one folder only.
    exact : bool
        Whether ``owed`` was found by computing again with one factor exchanged after the other, in the order of
        `FACTORS`; else cell by cell from the tables (see `_owed_by_cell`).
    how : str
        In words: how ``owed`` was found, and why not otherwise.
    """

    before: Path
    after: Path
    measure: str
    inputs: list[tuple[str, str | None, str | None]]
    parameters: list[tuple[str, Any, Any]]
    versions: list[tuple[str, str | None, str | None]]
    changes: list[Change]
    moved: list[Moved]
    people_changed: tuple[int, float | None]
    only_before: tuple[int, float | None]
    only_after: tuple[int, float | None]
    exact: bool
    how: str

    @property
    def same(self) -> bool:
        """Whether neither a figure nor a cell nor an input or parameter differs."""
        counted = self.people_changed[0] + self.only_before[0] + self.only_after[0]
        return not (self.inputs or self.parameters or self.changes or self.moved or counted)

    def to_dict(self) -> dict[str, Any]:
        """As ``diff --json`` prints it."""
        return {
            "before": str(self.before), "after": str(self.after), "measure": self.measure,
            "inputs": [{"input": k, "before": a, "after": b} for k, a, b in self.inputs],
            "parameters": [{"key": k, "before": a, "after": b} for k, a, b in self.parameters],
            "versions": [{"library": k, "before": a, "after": b} for k, a, b in self.versions],
            "attribution": {"exact": self.exact, "how": self.how, "order": list(FACTORS)},
            "figures": [vars(change) for change in self.changes],
            "cells": {
                "moved": [vars(moved) for moved in self.moved],
                **{
                    name: {"cells": cells, "people": people}
                    for name, (cells, people) in (
                        ("people_changed", self.people_changed), ("only_before", self.only_before),
                        ("only_after", self.only_after),
                    )
                },
            },
        }  # fmt: skip

    def _repr_html_(self) -> str:
        from lifecircle.profiles import html_table

        head = ("zone", "service", "before", "after", *FACTORS)
        rows = [(c.zone, c.service, c.before, c.after, *(c.owed.get(f, "") for f in FACTORS)) for c in self.changes]
        return html_table(head, rows)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} stands where a name should")
    return value


def _count(value: Any) -> float | None:
    """Take a figure as it is: a number that is finite, or unknown."""
    if value is not None and (isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < _MOST):
        raise TypeError(f"{value!r} stands where a number of people or cells should")
    return value


class _Folder:
    """One of the two folders, read."""

    def __init__(self, folder: str | Path) -> None:
        self.claim = Claim.read(folder)
        self.path = Path(folder)
        try:
            self.summary = load_json(self.path / "summary.json")
            self.manifest = of_any_run(load_json(self.path / "manifest.json"))
            self.figures = {
                (_text(f["zone"]), _text(f["service"]), _text(f["measure"])): (
                    _text(f["kind"]), _count(f["met"]), _count(f["total"]),
                )
                for f in self.summary["figures"]
            }  # fmt: skip
            self.services = list(self.summary["services"])
            self.zones = {key: zone["kind"] for key, zone in self.summary["zones"].items()}
        except (UnreadableError, KeyError, TypeError, AttributeError) as error:
            raise self._odd(error) from error

    def _odd(self, error: Exception) -> DataError:
        return DataError(f"{self.path} cannot be compared ({error}); is it damaged? (lifecircle verify tells)")

    def table(self, name: str, columns: list[str] | None = None) -> pd.DataFrame:
        import pyarrow as pa

        try:
            return read_table(self.path / f"{name}.parquet", columns).to_pandas()
        except (pa.ArrowException, OSError, ValueError, KeyError) as error:
            raise self._odd(error) from error

    @property
    def people_known(self) -> bool:
        return bool(self.summary.get("population_known"))

    @cached_property
    def cells(self) -> pd.DataFrame:
        """Cells by id: zone, overlays, geometry, and people in 1/1024."""
        overlays = [f"in_{key}" for key, kind in self.zones.items() if kind == "overlay"]
        frame = self.table("cells", ["cell_id", "zone", *overlays, "population", "geometry"]).set_index("cell_id")
        frame["people"] = np.floor(frame.pop("population").fillna(0).to_numpy() * PEOPLE + 0.5).astype(np.int64)
        if not frame.index.is_unique:
            raise self._odd(ValueError("a cell stands twice in cells.parquet"))
        return frame

    @cached_property
    def access(self) -> pd.DataFrame:
        columns = ["cell_id", "people", *(f"{key}_met" for key in self.services)]
        frame = self.table("access", columns)
        frame["people"] = np.floor(frame["people"].fillna(0).to_numpy() * PEOPLE + 0.5).astype(np.int64)
        return frame

    @cached_property
    def verdicts(self) -> pd.DataFrame:
        frame = self.table("verdicts", ["cell_id", "rule", "kind", "verdict", "limit", "walk", "nearest"])
        return frame[frame["kind"] == "service"]

    @cached_property
    def facilities(self) -> set[tuple[str, str]]:
        frame = self.table("facilities", ["facility_id", "service"])
        return set(zip(frame["facility_id"], frame["service"], strict=True))

    def met(self, service: str, measure: str) -> pd.Series:
        """How much is met in each cell: people in 1/1024, or 1 for a cell."""
        if measure == "people":
            names = [f"{key}_met" for key in (self.services if service == ALL else [service])]
            verdict = np.ones(len(self.access), dtype=bool)
            for name in names:
                verdict &= self.access[name].fillna(value=False).to_numpy(dtype=bool)
            found = pd.Series(np.where(verdict, self.access["people"], 0), index=self.access["cell_id"])
            return found.groupby(level=0).sum().reindex(self.cells.index, fill_value=0)
        frame = self.verdicts if service == ALL else self.verdicts[self.verdicts["rule"] == service]
        every = (frame["verdict"] == "met").groupby(frame["cell_id"]).all()
        return every.reindex(self.cells.index, fill_value=False).astype(np.int64)

    def of_service(self, service: str) -> pd.DataFrame:
        """Verdict, limit, walk and nearest facility by cell."""
        return self.verdicts[self.verdicts["rule"] == service].set_index("cell_id")


def diff(
    before: str | Path, after: str | Path, exchange: Exchange | None, *, known: Sequence[str],
    inputs: str | Path | None = None,
) -> Diff:  # fmt: skip
    """Compare two results folders.

    Parameters
    ----------
    before, after : path
    exchange : callable or None
        Computes figures with some inputs of one folder and some of the other; None: go by the tables alone.
    known : sequence of str
        Keys of a study that name an input.
    inputs : path, optional
        Where the inputs are, see `Claim.keys`.

    Raises
    ------
    DataError
        One of them is no results folder, or is damaged.
    """
    a, b = _Folder(before), _Folder(after)
    measure = "people" if a.people_known and b.people_known else "cells"
    files = _files(a, b)
    parameters = [
        (f"{part}.{key}" if part != "parameters" else key, x, y)
        for part in ("parameters", "standard", "profiles")
        for key, x, y in changes(a.manifest.get(part), b.manifest.get(part))
    ]
    asked = _asked(a, b)
    others, turned = {_base(key) for key, *_ in files}, {key for key, *_ in parameters}
    if "population_band" in turned:  # other people, of the same file
        others.add("population")
        turned.remove("population_band")
    factors = _factors(others, changed=bool(turned or asked))
    versions = [(name, x, y) for name, x, y in changes(a.manifest.get("versions"), b.manifest.get("versions"))]
    unit = PEOPLE if measure == "people" else 1
    owed, exact, how = _owed(a, b, factors, measure, exchange, known, inputs)
    if versions:
        how += "; the folders were made with other library versions, and what these change stands under parameters"
    rows = []
    for key in dict.fromkeys([*a.figures, *b.figures]):
        if key[2] != measure:
            continue
        kind, met_a, total_a = a.figures.get(key, (None, None, None))
        kind_b, met_b, total_b = b.figures.get(key, (kind, None, None))
        if (met_a, total_a) != (met_b, total_b):
            parts = owed.get(key[:2], {}) if met_a is not None and met_b is not None else {}
            rows.append(
                Change(
                    key[0], kind or kind_b or "", key[1], met_a, met_b, total_a, total_b,
                    {name: _number(part, unit) for name, part in parts.items()},
                )
            )  # fmt: skip
    one, other = a.cells.index.difference(b.cells.index), b.cells.index.difference(a.cells.index)
    both = a.cells.index.intersection(b.cells.index)
    turned = both[(a.cells.loc[both, "people"].to_numpy() != b.cells.loc[both, "people"].to_numpy())]
    people = measure == "people"
    return Diff(
        a.path, b.path, measure, files, parameters, versions, rows, list(_moved(a, b, both, people=people)),
        _amount(b, turned, people=people), _amount(a, one, people=people), _amount(b, other, people=people), exact, how,
    )  # fmt: skip


def _number(part: int, unit: int) -> float:
    return tidy_numbers(part / unit) or 0


def _files(a: _Folder, b: _Folder) -> list[tuple[str, str | None, str | None]]:
    """List inputs and rules that are not the same by digest."""
    found: list[tuple[str, str | None, str | None]] = []
    for part in ("inputs", "rules"):
        x, y = getattr(a.claim.said, part), getattr(b.claim.said, part)
        for key in dict.fromkeys([*x, *y]):
            one, other = x.get(key), y.get(key)
            if one is None or other is None or (one.sha256, one.parts) != (other.sha256, other.parts):
                told = [_told(one, other), _told(other, one)]
                found.append((key, told[0], told[1]))
    return found


def _told(one: File | None, other: File | None) -> str | None:
    """Name of an input with the head of its digest, and the first file it is made of that the other is not."""
    if one is None:
        return None
    parts = [part for part in one.parts if other is None or part not in other.parts]
    more = f", {parts[0].file} ({parts[0].sha256[:12]}…)" if parts else ""
    return f"{one.file} ({one.sha256[:12]}…){more}"


def _base(key: str) -> str:
    """Key of the study that names an input: ``population`` of ``population.3``."""
    return key if key.startswith("demand.") else key.partition(".")[0]


def _asked(a: _Folder, b: _Folder) -> bool:
    """Whether the two studies asked for another year or reference system."""
    one, other = a.claim.said.as_asked, b.claim.said.as_asked
    return (one.year, one.crs) != (other.year, other.crs)


def _factors(files: set[str], *, changed: bool) -> list[str]:
    """Factors that may be owed anything, in their order."""
    tables = files & {"facilities"}
    found = {
        "network": bool(files & _OF_NETWORK),
        "facilities": "osm" in files or bool(tables),
        "population": bool(files & _OF_PEOPLE),
        "parameters": changed or bool(files - _OF_NETWORK - _OF_PEOPLE - tables),
    }
    return [name for name in FACTORS if found[name]]


Owed = dict[tuple[str, str], dict[str, int]]
"""By zone and service: parts of the change, people in 1/1024 or cells, by factor."""


def _owed(
    a: _Folder, b: _Folder, factors: list[str], measure: str, exchange: Exchange | None, known: Sequence[str],
    inputs: str | Path | None,
) -> tuple[Owed, bool, str]:  # fmt: skip
    """Say what every change is owed to, whether that is exact, and how it was found."""
    if len(factors) <= 1:
        only = factors[0] if factors else "parameters"
        what = f"only the {only} changed" if factors else "neither inputs nor parameters changed"
        return _exchanged(a, b, [], [only], measure), True, f"{what}: every change is owed to that"
    if exchange is None:
        return _owed_by_cell(a, b, measure), False, "from the tables, cell by cell, as asked"
    try:
        first, last = (one.claim.keys(inputs=inputs, known=known) for one in (a, b))
        steps = [exchange(*_mixed(first, last, set(factors[: n + 1]))) for n in range(len(factors) - 1)]
    except LifecircleError as error:
        return _owed_by_cell(a, b, measure), False, f"from the tables, cell by cell, for it cannot be computed: {error}"
    order = ", then ".join(factors)
    how = f"computed with one after the other exchanged ({order}); in another order the parts may be others"
    return _exchanged(a, b, steps, factors, measure), True, how


def _mixed(a: dict[str, Any], b: dict[str, Any], of_b: set[str]) -> tuple[dict[str, Any], dict[str, str]]:
    """Keys of the study before, with some of its factors taken from the one after."""
    keys = dict(a)
    taken = {
        "network": ("osm", "elevation"),
        "population": ("population", "population_band"),
        "facilities": ("facilities",),
    }
    for name in FACTORS:
        if name in of_b:
            keys = {key: value for key, value in keys.items() if key not in taken.get(name, ())}
            keys |= {key: b[key] for key in taken.get(name, ()) if key in b}
    extracts = {"region": a["osm"]}
    extracts |= {part: (b if name in of_b else a)["osm"] for part, name in
                 (("facilities", "facilities"), ("homes", "population"))}  # fmt: skip
    return keys, extracts


def _exchanged(a: _Folder, b: _Folder, steps: list[list[Figure]], factors: list[str], measure: str) -> Owed:
    """Differences between one step and the next: the first is the folder before, the last the folder after."""
    unit = PEOPLE if measure == "people" else 1

    def whole(value: float | None) -> int:
        return round(unit * (value or 0))

    ends = [
        {key[:2]: whole(met) for key, (_, met, _) in one.figures.items() if key[2] == measure} for one in (a, b)
    ]  # fmt: skip
    middle = [{(f.zone, f.service): whole(f.met) for f in step if f.measure == measure} for step in steps]
    levels = [ends[0], *middle, ends[1]]
    found: Owed = {}
    for key in ends[0].keys() & ends[1].keys():
        found[key] = dict.fromkeys(FACTORS, 0)
        for name, low, high in zip(factors, levels[:-1], levels[1:], strict=True):
            found[key][name] = high.get(key, 0) - low.get(key, 0)
    return found


# ------------------------------------------------------------------------------------------------- from the tables


def _owed_by_cell(a: _Folder, b: _Folder, measure: str) -> Owed:
    """Share the change of every cell out, by its main access point, where inputs cannot be had.

    What other people in a cell change, at the share of them that met the service before, is owed to the population, and
    so are cells in one folder only (to the parameters, where the boundary alone changed). The rest is owed to the
    parameters where another threshold alone, or another zone, explains it; to the facilities where the nearest was
    opened or closed; to the parameters where another profile walks; and else to the network.
    """
    found: Owed = {}
    both = a.cells.index.intersection(b.cells.index)
    same_grid = bool((a.cells.loc[both, "geometry"].to_numpy() == b.cells.loc[both, "geometry"].to_numpy()).all())
    files = {_base(key) for key, *_ in _files(a, b)}
    where = any(
        a.manifest["parameters"].get(key) != b.manifest["parameters"].get(key) for key in _WHERE if key != "boundary"
    )
    elsewhere = ("boundary" in files or where) and "population" not in files
    services = [key for key in a.services if key in b.services]
    every = a.cells.index.union(b.cells.index)
    causes = {key: _causes(a, b, key, every) for key in services}
    for service in [*services, *([ALL] if a.services == b.services else [])]:
        met = [one.met(service, measure).reindex(every, fill_value=0).to_numpy() for one in (a, b)]
        people = [_weights(one, every, measure) for one in (a, b)]
        there = [one.cells.index.get_indexer(every) >= 0 for one in (a, b)]
        cause = causes[service] if service in causes else _first(causes.values())
        for zone, inside in _places(a, b, every):
            change = np.where(inside[1], met[1], 0) - np.where(inside[0], met[0], 0)
            parts = dict.fromkeys(FACTORS, 0)
            together = inside[0] & inside[1] & same_grid
            with np.errstate(divide="ignore", invalid="ignore"):
                share = (people[1] - people[0]) * met[0] / people[0]
            moved = np.where(people[0] == 0, met[1], np.nan_to_num(np.floor(share))).astype(np.int64)
            moved = np.where(together, np.where(people[0] == people[1], 0, moved), 0)
            parts["population"] += int(moved.sum())
            rest = np.where(together, change - moved, 0)
            for number, name in enumerate(FACTORS):
                parts[name] += int(rest[cause == number].sum())
            # Cells that are here in one folder alone: not there at all, or in another zone.
            apart = (inside[0] | inside[1]) & ~together
            rezoned = apart & there[0] & there[1] & same_grid
            parts["parameters"] += int(change[rezoned].sum())
            parts["parameters" if elsewhere else "population"] += int(change[apart & ~rezoned].sum())
            found[zone, service] = parts
    return found


def _weights(one: _Folder, every: pd.Index, measure: str) -> NDArray[np.int64]:
    if measure == "people":
        return np.asarray(one.cells["people"].reindex(every, fill_value=0), dtype=np.int64)
    return np.asarray(one.cells.index.get_indexer(every) >= 0, dtype=np.int64)


def _places(
    a: _Folder, b: _Folder, every: pd.Index
) -> Iterable[tuple[str, tuple[NDArray[np.bool_], NDArray[np.bool_]]]]:
    """Region, zones and overlays that both folders have, and which cells lie in them before and after."""
    at = [one.cells.index.get_indexer(every) for one in (a, b)]
    yield "region", (at[0] >= 0, at[1] >= 0)
    for key, kind in a.zones.items():
        if b.zones.get(key) != kind:
            continue
        inside = []
        for one, places in zip((a, b), at, strict=True):
            column = one.cells["zone"] == key if kind == "zone" else one.cells[f"in_{key}"]
            inside.append((places >= 0) & column.to_numpy(dtype=bool)[places])
        yield key, (inside[0], inside[1])


def _causes(a: _Folder, b: _Folder, service: str, every: pd.Index) -> NDArray[np.int64]:
    """Say what another verdict of each cell is owed to: a position in `FACTORS`."""
    x, y = (one.of_service(service).reindex(every) for one in (a, b))
    walk, limit = y["walk"].fillna(np.inf).to_numpy(), x["limit"].to_numpy()
    by_limit = (x["limit"].to_numpy() != y["limit"].to_numpy()) & (
        (walk <= limit) == (x["verdict"] == "met").to_numpy()
    )
    opened = _gone(y["nearest"], service, a)
    closed = _gone(x["nearest"], service, b)
    profile = _profile(a, service) != _profile(b, service)
    number = {name: ix for ix, name in enumerate(FACTORS)}
    return np.select(
        [by_limit, opened | closed], [number["parameters"], number["facilities"]],
        number["parameters" if profile else "network"],
    )  # fmt: skip


def _gone(nearest: pd.Series, service: str, other: _Folder) -> NDArray[np.bool_]:
    """Cells whose nearest facility the other folder does not have."""
    return np.array([isinstance(n, str) and (n, service) not in other.facilities for n in nearest], dtype=bool)


def _profile(one: _Folder, service: str) -> Any:
    cost = one.summary["services"][service]["cost"]
    return one.manifest.get("profiles", {}).get(cost)


def _first(causes: Iterable[NDArray[np.int64]]) -> NDArray[np.int64]:
    """Of the services together: the facilities before the parameters, and these before the network."""
    found = np.array(list(causes))
    parameters, facilities = FACTORS.index("parameters"), FACTORS.index("facilities")
    return np.select(
        [(found == facilities).any(axis=0), (found == parameters).any(axis=0)], [facilities, parameters], 0
    )


def _moved(a: _Folder, b: _Folder, both: pd.Index, *, people: bool) -> Iterable[Moved]:
    """Count cells whose walk to a service changed, by how."""
    for service in (key for key in a.services if key in b.services):
        x, y = (one.of_service(service).reindex(both) for one in (a, b))
        before, after = (one["nearest"].fillna("").to_numpy(dtype=object) for one in (x, y))
        walk_a, walk_b = (one["walk"].fillna(np.inf).to_numpy() for one in (x, y))
        opened, closed = _gone(y["nearest"], service, a), _gone(x["nearest"], service, b)
        other = before != after
        kinds = {
            "nearest_opened": opened,
            "nearest_closed": closed & ~opened,
            "nearest_other": other & ~opened & ~closed,
            "longer": ~other & (walk_b > walk_a),
            "shorter": ~other & (walk_b < walk_a),
            "limit": x["limit"].to_numpy() != y["limit"].to_numpy(),
        }
        for what, chosen in kinds.items():
            if chosen.any():
                yield Moved(service, what, *_amount(b, both[chosen], people=people))


def _amount(one: _Folder, cells: pd.Index, *, people: bool) -> tuple[int, float | None]:
    total = int(one.cells.loc[cells, "people"].sum())
    return len(cells), tidy_numbers(total / PEOPLE) if people else None
