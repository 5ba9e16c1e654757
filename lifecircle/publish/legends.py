"""The layers a picture can show, and what their legends say: classes, colours and counts, before anything is drawn."""

import math
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
import shapely
from numpy.typing import NDArray

from lifecircle.assess.wording import limit_text, people_text, share_text
from lifecircle.errors import DataError, StandardError, did_you_mean
from lifecircle.publish import maps
from lifecircle.publish.about import sentences, walk_text
from lifecircle.publish.lettering import Lettering
from lifecircle.publish.markup import said_zh
from lifecircle.publish.results import Class, Results
from lifecircle.publish.sketches import rank_of
from lifecircle.publish.words import WORDS

Kind = Literal["unmet", "service", "people", "gaps", "causes", "facilities", "network"]
Mark = Literal["area", "line", "dashed", "dot", "hollow", "rule"]

NOT_JUDGED = "#9a9a9a"
BACKDROP = "#dfe3df"  # residential cells that are not what the picture is about
_UNKNOWN_PEOPLE, _OTHER_CAUSE = "#ffffff", "#777777"
#: Apart for the common kinds of colour blindness (after Okabe and Ito), and by shape.
_DOTS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#8a6d00", "#000000", "#56b4e9", "#6a3d9a", "#b2182b")
_SHAPES = ("o", "s", "^", "D", "v", "P", "X", "p")  # nine and eight: each pair comes once in 72
_STREETS = (("Main roads", "主要道路", "#b5541c", 1.1), ("Streets", "街道", "#7d6b91", 0.6),
            ("Paths and steps", "步道、台阶", "#0b7a75", 0.4))  # fmt: skip
_DERIVED = r"\.(?:u|v|in|out)(?:\.|$)"  # edges made out of others: copies of private ways, gates, kerbs and crossings

_CAUSES = {
    "near_miss": ("near miss: at most 20 % too far", "略超标准（不足 20 %）"),
    "gate": ("gates or private ways lie between", "门禁或私有道路阻隔"),
    "doubtful": ("in doubt: the data is cut off here", "数据存疑"),
    "severed": ("near as the crow flies, not on foot", "直线近、步行远（被隔断）"),
    "none_near": ("none near", "附近没有"),
    "over_capacity": ("in reach, but too little for all", "可达但供给不足"),
}

_SAID = {
    "unmet": ("Unmet needs, by residential cell", "各居住格网未满足的需求"),
    "service": ("Walk to the nearest: {0}", "步行至最近设施：{0}"),
    "people": ("Residents, by cell", "各格网居民数"),
    "gaps": ("Gaps: {0}", "缺口：{0}"),
    "causes": ("Causes of gaps: {0}", "缺口原因：{0}"),
    "facilities": ("Facilities: {0}", "设施：{0}"),
    "network": ("Streets and paths that can be walked", "可步行的道路与步道"),
    "every": ("all services", "全部服务"),
    "lacking": ("{1} residents lack it, in {0} gaps.", "{1} 名居民缺少该服务，分布于 {0} 个缺口。"),
    "lacking_or_little": (
        "{1} residents lack it, or share too little of it, in {0} gaps.",
        "{1} 名居民缺少该服务或供给不足，分布于 {0} 个缺口。",
    ),
    "clusters": ("{0} gaps.", "{0} 个缺口。"),
    "widest": (" It is the service most people lack.", "这是缺少人数最多的服务。"),
    "gap": ("Gaps", "缺口数"), "of_gap": ("Residents of a gap", "缺口居民数"), "of_cause": ("Cause", "原因"),
    "total": ("Total", "合计"),
    "lives": ("{0} residents in {1} cells.", "{1} 个格网，{0} 名居民。"),
    "cells": ("{0} residential cells.", "{0} 个居住格网。"),
    "reach": ("{0} of {1} people ({2}) reach it {3}.", "{1} 人中 {0}（{2}）{3}。"),
    "reach_cells": ("{0} of {1} residential cells ({2}) reach it {3}.", "{1} 个居住格网中 {0}（{2}）{3}。"),
    "several": (" One that gives several services counts with each.", "一处提供多类服务的，分别计入各类。"),
    "edge": (
        "Dotted: {0} residents at the edge of the data, where what lies beyond could change the answer.",
        "点状：{0} 名居民位于数据边缘，范围外情况可能改变结论。",
    ),
    "edge_cells": (
        "Dotted: {0} cells at the edge of the data, where what lies beyond could change the answer.",
        "点状：{0} 个格网位于数据边缘，范围外情况可能改变结论。",
    ),
    "count": ("Facilities", "设施数"), "km": ("km", "公里"),
    "beyond": ("Facilities and streets outside the boundary count where they are within reach.",
               "边界外但可达的设施与道路一并计入。"),
    "no_residents": ("no residents", "无居民"),
}  # fmt: skip


@dataclass(frozen=True)
class Layer:
    """Something a picture can show.

    Attributes
    ----------
    key : str
        What it is asked for by.
    service : str or None
        Key of the service it is about; None is all of them.
    """

    key: str
    kind: Kind
    service: str | None = None


@dataclass(frozen=True)
class Row:
    """A line of a legend; ``amounts`` are its figures as numbers, in the order of the columns."""

    label: str
    mark: Mark = "area"
    colour: str = ""
    shape: str = "o"
    amounts: tuple[float, ...] = ()
    shown: tuple[str, ...] = ()


@dataclass(frozen=True)
class Legend:
    """What stands beside a picture.

    Attributes
    ----------
    title, sentence : str
        What it shows, and the figure it comes to.
    columns : tuple of str
        What the figures of the rows are.
    head : str
        What the rows are.
    rows : list of Row
    total : Row or None
    notes : list of str
    """

    title: str
    sentence: str
    columns: tuple[str, ...]
    rows: list[Row]
    total: Row | None = None
    head: str = ""
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True, eq=False)
class Shown:
    """What is drawn: shapes in the metre CRS and how each is drawn; later ones lie on top."""

    legend: Legend
    cells: NDArray[np.object_]
    cell_colours: NDArray[np.str_]
    shapes: NDArray[np.object_] = field(default_factory=lambda: np.empty(0, dtype=object))
    styles: list[Row] = field(default_factory=list)  # of each shape
    dotted: NDArray[np.object_] = field(default_factory=lambda: np.empty(0, dtype=object))
    lines: list[tuple[NDArray[np.object_], str, float]] = field(default_factory=list)  # with colour and width in points
    roads: NDArray[np.object_] = field(default_factory=lambda: np.empty(0, dtype=object))  # to find one's way by


def layers(results: Results) -> dict[str, Layer]:
    """Name every layer there is of some results, the first one by default."""
    summary = results.summary
    found = [Layer("unmet", "unmet")] if summary.layer("unmet") else []
    other = {"unmet", "population", "gaps", "causes", "facilities", "network"}
    found += [
        Layer(f"service:{key}" if key in other else key, "service", key)
        for key in summary.services
        if summary.layer("service", key)
    ]
    found += [Layer("population", "people")] if summary.layer("people") else []
    for kind in ("gaps", "causes", "facilities"):
        found += [Layer(kind, kind), *(Layer(f"{kind}:{key}", kind, key) for key in summary.services)]
    return {layer.key: layer for layer in (*found, Layer("network", "network"))}


def named(results: Results, layer: str) -> Layer:
    """Find a layer by its key.

    Raises
    ------
    StandardError
        There is none.
    """
    known = layers(results)
    if layer not in known:
        raise StandardError(f"there is no layer {layer!r}; {did_you_mean(layer, known)}")
    return known[layer]


def title(results: Results, layer: Layer, letters: Lettering) -> str:
    """Say what a layer shows."""
    about = letters.say(*_SAID["every"])
    if layer.kind in {"gaps", "causes"} and layer.service is None:
        layer = Layer(layer.key, layer.kind, widest(results))
    if layer.service is not None:
        service = results.summary.services[layer.service]
        about = letters.name(service.title, service.title_zh)
    return letters.say(*_SAID[layer.kind]).format(about)


def shown(results: Results, layer: str, letters: Lettering) -> Shown:
    """Read what a layer shows, with its legend.

    Raises
    ------
    DataError
        A table is damaged, or does not fit the summary.
    StandardError
        There is no such layer.
    """
    chosen = named(results, layer)
    if chosen.kind in {"unmet", "service", "people"}:
        found = _cells(results, chosen, letters)
    else:
        cells = results.table("cells").geometry.to_numpy()
        draw = {"network": _network, "facilities": _facilities}.get(chosen.kind, _gaps)
        found = draw(results, chosen, letters, cells, np.full(len(cells), BACKDROP))
    return found if found.lines else replace(found, roads=streets(results)[0][0])


def _cells(results: Results, layer: Layer, letters: Lettering) -> Shown:
    """Cells in the classes of the map page."""
    summary = results.summary
    told = summary.layer(layer.kind, layer.service)
    assert told is not None  # noqa: S101  it is listed
    keys = [] if layer.kind == "people" else [layer.service] if layer.service else list(summary.services)
    columns = {f"{key}_met": "verdict" for key in keys}
    value = f"{layer.service}_{told.unit}"
    frame = results.table("cells", **columns, **({value: "number"} if layer.service else {}))
    met = np.array([frame[column] for column in columns], dtype=np.int8).reshape(len(columns), len(frame))
    ok = np.isin(frame["status"], ("ok", "edge"))
    values = (met == 0).sum(axis=0).astype(np.float64)
    judged = ok & ((values > 0) | (met >= 0).all(axis=0))
    if layer.kind == "people":
        values = frame["population"].to_numpy()
        judged = np.isfinite(values)
    elif layer.service:
        values, judged = frame[value].to_numpy(), ok & (met[0] >= 0)
    place = np.searchsorted(np.array(told.limits), np.where(np.isfinite(values), values, np.inf), side="left")
    place = np.where(judged, place, len(told.colours))
    if np.bincount(place, minlength=len(told.cells)).tolist() != told.cells:
        raise DataError(
            f"cells.parquet and summary.json of {results.name} do not belong together: the classes of {layer.key!r} "
            "hold other numbers of cells; run again to make both anew"
        )
    edge = (frame["status"] == "edge").to_numpy() & (layer.kind != "people")
    geometry = frame.geometry.to_numpy()
    legend = _class_legend(results, layer, told, letters)
    if edge.any():
        amount = float(np.nansum(frame["population"].to_numpy()[edge])) if told.people else float(edge.sum())
        words = _SAID["edge" if told.people else "edge_cells"]
        legend.notes.append(letters.say(*words).format(_people(amount)))
    colours = np.array([*told.colours, NOT_JUDGED])[place]
    return Shown(legend, geometry, colours, dotted=np.asarray(shapely.centroid(geometry[edge]), dtype=object))


def _class_legend(results: Results, layer: Layer, told: Class, letters: Lettering) -> Legend:
    """Legend of a layer of cells: every figure is the summary's."""
    counted = [float(amount) for amount in told.people or told.cells]
    whole = sum(counted)
    rows: list[Row] = []
    service = results.summary.services[layer.service] if layer.service else None
    for ix, colour in enumerate(told.colours):
        rows.append(_row(_class_label(told, ix, letters), "area", colour, (counted[ix],), whole))
        if service and not service.by_zone_class and told.limits[ix : ix + 1] == [service.threshold]:
            limit = _minutes(limit_text(service.threshold, service.unit), letters)
            standard = letters.say(*WORDS["standard"]).format(limit)
            met, unmet = (letters.say(*WORDS[word]) for word in ("met", "not_met"))
            rows.append(Row(f"▲ {met} · {standard} · ▼ {unmet}", "rule"))
    if told.cells[-1]:
        unknown = WORDS["not_known"] if layer.kind == "people" else ("no verdict", "未判定")
        rows.append(_row(letters.say(*unknown), "area", NOT_JUDGED, (counted[-1],), whole))
    head = letters.say(*WORDS["residents" if told.people else "n_cells"])
    notes = []
    if service and service.by_zone_class:
        notes.append(letters.say(*WORDS["by_zone_note"]))
    return Legend(
        title(results, layer, letters), _sentence(results, layer, told, letters), (head, letters.say(*WORDS["share"])),
        rows, _row(letters.say(*_SAID["total"]), "rule", "", (whole,), None),
        letters.say(*WORDS["people"]) if layer.kind == "people" else "", notes,
    )  # fmt: skip


def _class_label(told: Class, ix: int, letters: Lettering) -> str:
    """Name a class as the map page does."""
    limits, last = told.limits, ix == len(told.limits)
    if told.layer == "unmet":
        if ix == 0:
            return letters.say(*WORDS["all_met"])
        low = int(limits[ix - 1]) + 1
        number = f"≥ {low}" if last else f"{low}–{limits[ix]:g}" if low < limits[ix] else f"{low}"
        return letters.say(*WORDS["n_unmet"]).format(number)
    told_in = [f"{limit / 60 if told.unit == 's' else limit:,g}" for limit in limits]
    unit = {"s": " " + letters.say(*WORDS["min"]), "m": " " + letters.say(*WORDS["m"])}.get(told.unit or "", "")
    return _range(told_in, ix) + unit


def _range(limits: list[str], ix: int) -> str:
    if not limits:
        return "> 0"
    if ix == 0:
        return f"≤ {limits[0]}"
    return f"{limits[ix - 1]}–{limits[ix]}" if ix < len(limits) else f"> {limits[-1]}"


def _sentence(results: Results, layer: Layer, told: Class, letters: Lettering) -> str:
    """Say in words what the layer comes to."""
    summary = results.summary
    if layer.kind == "people":
        amount = sum(told.people or [])
        return letters.say(*_SAID["lives"]).format(people_text(amount), f"{sum(told.cells):,}")
    terms = results.terms()
    if layer.kind == "unmet":
        names = {key: (zone.name, zone.name_zh) for key, zone in summary.zones.items()}
        whole = next(line for line in sentences(summary.counted, names, terms) if line.kind == "region")
        return letters.name(whole.english, whole.chinese, most=400)
    figure = summary.figure(layer.service or "")
    if figure is None or not figure.total:
        return letters.say(*_SAID["no_residents"])
    share, total, met = share_text(figure.met, figure.total), people_text(figure.total), people_text(figure.met)
    walk = letters.name(*walk_text(terms, [layer.service or ""]), most=200)
    words = _SAID["reach" if summary.population_known else "reach_cells"]
    return letters.say(*words).format(share, total, met, walk)


def _minutes(text: str, letters: Lettering) -> str:
    return letters.say(text, said_zh(text))


def _people(amount: float) -> str:
    """Write people as the map page does: a part of a person is not nobody."""
    return "< 1" if 0 < amount < 0.5 else f"{math.floor(amount + 0.5):,}"  # noqa: PLR2004


def _row(label: str, mark: Mark, colour: str, amounts: tuple[float, ...], whole: float | None, shape: str = "o") -> Row:
    figures = tuple(_people(amount) for amount in amounts)
    if whole is not None:
        figures += (share_text(amounts[0], whole) if whole else "–",)
    return Row(label, mark, colour, shape, amounts, figures)


# ----------------------------------------------------------------------------------------- gaps, facilities, streets


def _gaps(
    results: Results, layer: Layer, letters: Lettering, cells: NDArray[np.object_], grey: NDArray[np.str_]
) -> Shown:
    """Gap clusters of a service, by people or cause; of the one most people lack if none is named."""
    key = layer.service or widest(results)
    frame = results.table("gaps")
    frame = frame[frame["service"] == key]
    little = frame["cause"] == "over_capacity"
    if layer.kind == "gaps":  # a need is met where a facility is in reach, if with too little for all
        frame, little = frame[~little], little[:0]
    people, known = frame["people"].to_numpy(), results.summary.population_known
    kinds = frame["cause"].to_numpy()
    if layer.kind == "causes":
        names = [kind for kind in maps.CAUSE_COLOURS if kind in set(kinds)]
        names += sorted(set(kinds) - set(names))
        colours = [maps.CAUSE_COLOURS.get(kind, _OTHER_CAUSE) for kind in names]
        labels = [letters.say(*_CAUSES[kind]) if kind in _CAUSES else letters.name(kind, most=30) for kind in names]
        place = np.array([names.index(kind) for kind in kinds], dtype=np.int64)
    else:
        breaks, colours = maps.gap_classes(people[np.isfinite(people)])
        labels = [_range([f"{limit:,g}" for limit in breaks], ix) for ix in range(len(colours))]
        place = np.searchsorted(np.array(breaks), np.nan_to_num(people), side="left")
        if not np.isfinite(people).all():
            place = np.where(np.isfinite(people), place, len(colours))
            colours, labels = [*colours, _UNKNOWN_PEOPLE], [*labels, letters.say(*WORDS["not_known"])]

    def amounts(here: NDArray[np.bool_]) -> tuple[float, ...]:
        return (float(here.sum()), *((float(np.nansum(people[here])),) if known else ()))

    rows = [
        _row(label, "area", colour, amounts(place == ix), None)
        for ix, (label, colour) in enumerate(zip(labels, colours, strict=True))
        if (place == ix).any()
    ]
    whole = amounts(np.ones(len(frame), dtype=bool))
    words = _SAID["clusters" if not known else "lacking_or_little" if little.any() else "lacking"]
    sentence = letters.say(*words).format(*map(_people, whole))
    if layer.service is None:
        sentence += letters.say(*_SAID["widest"])
    columns = [letters.say(*_SAID["gap"])] + ([letters.say(*WORDS["residents"])] if known else [])
    legend = Legend(
        title(results, Layer(layer.key, layer.kind, key), letters), sentence, tuple(columns), rows,
        _row(letters.say(*_SAID["total"]), "rule", "", whole, None),
        letters.say(*_SAID["of_cause" if layer.kind == "causes" else "of_gap"]),
    )  # fmt: skip
    return Shown(
        legend, cells, grey, frame.geometry.to_numpy(), [Row("", "area", colours[ix]) for ix in place.tolist()]
    )


def widest(results: Results) -> str:
    """Return the service that most people (or cells) lack."""
    figures = {key: results.summary.figure(key) for key in results.summary.services}
    return max(figures, key=lambda key: (found.not_met or 0.0) if (found := figures[key]) else 0.0)


def _facilities(
    results: Results, layer: Layer, letters: Lettering, cells: NDArray[np.object_], grey: NDArray[np.str_]
) -> Shown:
    """Facilities by service; what opens after the data's year is hollow."""
    summary, frame = results.summary, results.table("facilities")
    keys = list(summary.services) if layer.service is None else [layer.service]
    frame = frame[np.isin(frame["service"], keys)]
    service = np.array([keys.index(key) for key in frame["service"]], dtype=np.int64)
    date = summary.data_date or ""
    planned = frame["opens"].to_numpy() > (int(date[:4]) if date[:4].isdigit() else np.inf)
    rows, styles = [], []
    for ix, key in enumerate(keys):
        at = list(summary.services).index(key)
        colour, shape = _DOTS[at % len(_DOTS)], _SHAPES[at % len(_SHAPES)]
        told = summary.services[key]
        number = int((service == ix).sum())
        if number != told.facilities:
            raise DataError(
                f"facilities.parquet and summary.json of {results.name} do not belong together: {number} and "
                f"{told.facilities} facilities of {key!r}; run again to make both anew"
            )
        rows.append(_row(letters.name(told.title, told.title_zh, most=30), "dot", colour, (number,), None, shape))
        styles.append((Row("", "dot", colour, shape), Row("", "hollow", colour, shape)))
    if planned.any():
        rows.append(_row(letters.say(*WORDS["planned"]), "hollow", "#444444", (int(planned.sum()),), None))
    count = letters.say(*_SAID["count"])
    total = _row(letters.say(*_SAID["total"]), "rule", "", (len(frame),), None)
    number = len(set(frame["facility_id"]))
    sentence = letters.say(f"{number:,} facilities.", f"{number:,} 处设施。")
    if number < len(frame):
        sentence += letters.say(*_SAID["several"])
    notes = [letters.say(*_SAID["beyond"])]
    legend = Legend(
        title(results, layer, letters), sentence, (count,), rows, None if layer.service else total, notes=notes
    )
    marks = [styles[ix][int(later)] for ix, later in zip(service.tolist(), planned.tolist(), strict=True)]
    return Shown(legend, cells, grey, frame.geometry.to_numpy(), marks)


def streets(results: Results) -> list[tuple[NDArray[np.object_], float]]:
    """Lines and km of main roads, streets, and paths; each street once."""
    frame = results.table("network")
    frame = frame[~frame["edge_id"].str.contains(_DERIVED, regex=True)]
    rank, lines, length = rank_of(frame["kind"].to_numpy()), frame.geometry.to_numpy(), frame["length_m"].to_numpy()
    return [(lines[rank == ix], float(length[rank == ix].sum()) / 1000) for ix in range(len(_STREETS))]


def _network(
    results: Results, layer: Layer, letters: Lettering, cells: NDArray[np.object_], grey: NDArray[np.str_]
) -> Shown:
    found = streets(results)
    rows = [
        Row(letters.say(english, chinese), "line", colour, amounts=(km,), shown=(f"{km:,.0f}",))
        for (english, chinese, colour, _), (_, km) in zip(_STREETS, found, strict=True)
    ]
    whole = sum(km for _, km in found)
    km = letters.say(*_SAID["km"])
    legend = Legend(
        title(results, layer, letters), f"{whole:,.0f} {km}", (km,), rows,
        Row(letters.say(*_SAID["total"]), "rule", "", amounts=(whole,), shown=(f"{whole:,.0f}",)),
        notes=[letters.say(*_SAID["beyond"])],
    )  # fmt: skip
    drawn = [(lines, colour, width) for (lines, _), (_, _, colour, width) in zip(found, _STREETS, strict=True)]
    return Shown(legend, cells, grey, lines=drawn[::-1])


def listed(results: Results, letters: Lettering) -> list[tuple[str, str]]:
    """Every layer with what it shows."""
    most = letters.say(" (what most people lack)", "（缺少人数最多）")
    return [
        (key, title(results, layer, letters) + (most if layer.kind in {"gaps", "causes"} and not layer.service else ""))
        for key, layer in layers(results).items()
    ]
