"""What a terminal shows: tables, and the findings of a run in short."""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import typer

from lifecircle.errors import plain_text

if TYPE_CHECKING:  # a list of profiles need not wait for what draws maps
    from lifecircle.assess.findings import Findings
    from lifecircle.audit.diff import Diff
    from lifecircle.publish.about import About
    from lifecircle.standards import Standard


def show_table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]], *, as_json: bool) -> None:
    """Print rows as a table, or as a JSON list of objects."""
    if as_json:
        say_json([dict(zip(head, row, strict=True)) for row in rows])
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    for name in head:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*(Text(plain_text(cell)) for cell in row))
    Console().print(table)


def say(text: str, *, err: bool = False) -> None:
    """Print text, whatever names out of files stand in it: a terminal gets nothing to obey."""
    typer.echo(plain_text(text), err=err)


def say_json(value: object) -> None:
    """Print JSON on one line, with nothing in it that a terminal obeys or an encoding does not take."""
    text = json.dumps(value, ensure_ascii=False)
    typer.echo("".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in text))


def show_findings(found: "Findings", about: "About", summary: dict[str, Any], *, walker: str | None) -> None:
    """Print the headline, coverage by service, the standard clause by clause, the plan's promises, and doubts.

    Parameters
    ----------
    summary : dict
        As ``summary.json`` has it.
    walker : str or None
        Who walks to every time rule instead of whom the standard says.
    """
    from lifecircle.assess.wording import people_text, share_text
    from lifecircle.publish import promises, scorecard
    from lifecircle.publish.about import headline

    coverage = found.coverage
    if about.notice:
        say(about.notice)
    if walker:
        say(f"Every time rule is walked by {walker}; metre rules are as the standard says.")
    lines = headline(coverage)
    overlays = [f"  {line.english}" for line in lines if line.kind == "overlay"]
    heading = ["Further views of it; they overlap the zones:"] if overlays else []
    say("\n".join([*(line.english for line in lines if line.kind != "overlay"), *heading, *overlays]))
    measure = "people" if coverage.cells.people is not None else "cells"
    if measure == "cells":
        say("No population raster was given: figures are shares of residential cells, people are unknown.")
    rows = [
        (f.service, share_text(f.met, f.total), people_text(f.met), people_text(f.total), people_text(f.unknown))
        for f in coverage.figures()
        if f.kind == "region" and f.measure == measure
    ]
    show_table(("service", "covered", measure, "of", "not judged"), rows, as_json=False)
    if coverage.absent:
        say(f"Not judged, for the data holds none: {', '.join(coverage.absent)}.")
    if any(row.clause or row.mark for row in found.clauses.rows):
        say(f"\n{coverage.standard.title} clause by clause:")
        head = ("clause", "what", "rule", "facilities", "residents", "residential land", "verdict")
        show_table(head, scorecard.terminal_rows(found.clauses), as_json=False)
    if found.promises.promises:
        say(f"\nWhat the plan promises ({coverage.standard.source}):")
        columns = ("clause", "promise", "where", "by", "found", "verdict")
        show_table(columns, promises.terminal_rows(found.promises), as_json=False)
    _show_doubts(summary["data"])
    if not summary["population_spans_region"]:
        say("The population raster does not span the region: who lives beyond it is not counted.")


_MOST_ROWS = 40

_MOVED = {
    "nearest_opened": "nearest is new", "nearest_closed": "nearest was closed", "nearest_other": "another is nearest",
    "longer": "same facility, longer walk", "shorter": "same facility, shorter walk", "limit": "another threshold",
}  # fmt: skip


def show_diff(found: "Diff") -> None:
    """Print what differs between two results folders: inputs, parameters, figures with what they owe, and cells."""
    if found.same:
        say("No input, parameter, figure or cell differs.")
        return
    for title, rows in (("Inputs", found.inputs), ("Parameters", found.parameters), ("Versions", found.versions)):
        if rows:
            say(f"{title} that differ:")
            texts = [(str(key), _short(a), _short(b)) for key, a, b in rows[:_MOST_ROWS]]
            show_table(("what", "before", "after"), texts, as_json=False)
            _say_rest(rows)
    if found.changes:
        say(f"\nFigures that differ ({found.measure} with the service in reach); {found.how}:")
        owed = [c.owed for c in found.changes]
        factors = [name for name in next(filter(None, owed), {}) if any(parts.get(name) for parts in owed)]
        rows_of = [
            (
                c.zone, c.service, _plain(c.before), _plain(c.after),
                _signed(None if c.before is None or c.after is None else c.after - c.before),
                *(_signed(c.owed.get(name)) for name in factors),
            )
            for c in found.changes[:_MOST_ROWS]
        ]  # fmt: skip
        show_table(("zone", "service", "before", "after", "change", *factors), rows_of, as_json=False)
        _say_rest(found.changes)
    cells = [(moved.service, _MOVED[moved.what], moved.cells, moved.people) for moved in found.moved]
    for what, (number, people) in (
        ("other people live there", found.people_changed), ("only in the first", found.only_before),
        ("only in the second", found.only_after),
    ):  # fmt: skip
        if number:
            cells.append(("", what, number, people))
    if cells:
        say("\nCells (by their main access point):")
        told = [(service, what, f"{number:,}", _plain(people)) for service, what, number, people in cells]
        show_table(("service", "what", "cells", "people"), told, as_json=False)


def _say_rest(rows: Sequence[object]) -> None:
    if len(rows) > _MOST_ROWS:
        say(f"and {len(rows) - _MOST_ROWS} more (--json tells all)")


def _short(value: Any) -> str:
    """Write a parameter; of a table of them only that there is one."""
    return "-" if value is None else "given" if isinstance(value, dict) else str(value)[:60]


def _plain(value: float | None) -> str:
    return "-" if value is None else f"{value:,.0f}" if abs(value) >= 1 else f"{value:.2g}"


def _signed(value: float | None) -> str:
    return "-" if value is None else "0" if value == 0 else f"{value:+,.0f}" if abs(value) >= 1 else f"{value:+.2g}"


def show_standard(standard: "Standard") -> None:
    """Print every rule of a standard with its source."""
    from lifecircle.assess.clauses import near_text
    from lifecircle.profiles import Profile

    say(f"{standard.name}: {standard.title} · {standard.title_zh}\n{standard.source}\n{standard.note}\n")
    rows: list[tuple[str, ...]] = []
    for key, s in standard.services.items():
        unit = Profile.load(s.profile).unit
        tier = f"{s.tier} min" if s.tier.isdigit() else s.tier
        mark = s.mark.value.replace("_", " ") if s.mark else ""
        others = [
            *((f"in zones of class {name}: ", one) for name, one in s.by_zone_class.items()),
            *((f"walked by {name}: ", one) for name, one in s.by_profile.items()),
            *(("or ", one) for one in s.alternatives),
        ]
        for number, (when, one) in enumerate([("", s.threshold), *others]):
            limit = f"within {one.value:g} {unit} ({s.profile})" if number == 0 else f"{when}{one.value:g} {unit}"
            limit += " walking or cycling" if one.mode == "walk_or_cycle" else ""
            said = (tier, mark, limit) if number == 0 else (limit,)
            rule = ", ".join(text for text in (*said, one.strength.replace("none", "")) if text)
            source = f"{one.clause}: {one.source}" if one.clause else one.source
            rows.append((*((key, s.title_zh) if number == 0 else ("", "")), rule, one.status, source))
    show_table(("service", "名称", "rule", "status", "source"), rows, as_json=False)
    further = [
        (key, "at least", f"{c.at_least} of {', '.join(c.of)}", *c.told) for key, c in standard.composites.items()
    ]
    further += [
        (key, "together", f"{t.service} within {t.within_m:g} m of {near_text(t)}", *t.told)
        for key, t in standard.together.items()
    ]
    further += [
        (key, "norm", f"{n.least:g} {n.unit} per 1,000 {n.per_1000}", *n.told) for key, n in standard.norms.items()
    ]
    further += [
        (
            key, "promise", p.title + (f", {p.zone}" if p.zone else "") + (f", by {p.year}" if p.year else ""), *p.told
        )
        for key, p in standard.promises.items()
    ]  # fmt: skip
    if further:
        say("")
        show_table(("rule", "kind", "asks", "clause", "status", "source"), further, as_json=False)


def _show_doubts(data: dict[str, Any]) -> None:
    """Say which verdicts rest on poor data."""
    from lifecircle.assess.wording import people_text

    for what, key in (
        ("stand on scraps of the network", "on_scraps"),
        ("lie at the edge of the data", "edge"),
    ):
        doubt = data[key] if key in data else data["status"][key]
        if doubt["cells"]:
            who = "" if doubt["people"] is None else f" with {people_text(doubt['people'])} people"
            say(f"{doubt['cells']:,} cells{who} {what}: their gaps may be the data's.")
