"""What the data is like before anything is computed with it: distances, holes, doubts and what is missing."""

from collections import Counter
from dataclasses import asdict, dataclass
from html import escape
from typing import Any

import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from lifecircle.assess.edge import islands
from lifecircle.assess.wording import left_out_texts, people_text, share_text, tidy_numbers
from lifecircle.audit.doubts import plain, warnings
from lifecircle.language import say
from lifecircle.model.cells import PEOPLE, STATUS, Cells, residential_land
from lifecircle.model.facilities import Facilities
from lifecircle.model.network import Network
from lifecircle.model.ways import is_private, is_shut, walkable
from lifecircle.publish.about import About
from lifecircle.publish.files import SCHEMA
from lifecircle.standards import Standard

Rows = list[tuple[str, ...]]

BINS_M = (0, 10, 25, 50, 100, 200, 300, 500)
"""Lower limits of the classes of snap distances, m."""

_SHIFTS_M = range(300, 701, 100)  # GCJ-02 lies 300 to 700 m off WGS84 over China
_DIRECTIONS = 24
_SAMPLE = 300
_POST_M = 25.0  # spacing of the points that stand for streets
_FAR_M = 500.0  # what is farther counts as this far: no shift of a few hundred metres mends it
_WORST = 10
_TAGS = 40
_WITH_SIDEWALKS = frozenset({"trunk", "primary", "secondary", "tertiary", "unclassified", "residential"})


@dataclass(frozen=True, eq=False, repr=False)
class Check:
    """Report on the data of a study, made before any search.

    Attributes
    ----------
    findings : dict
        What ``check.json`` holds; the same data gives the same findings.
    """

    findings: dict[str, Any]

    @classmethod
    def of(
        cls, standard: Standard, network: Network, facilities: Facilities, cells: Cells, ways: pd.DataFrame,
        features: pd.DataFrame, about: About,
    ) -> "Check":  # fmt: skip
        """Look through the data.

        Parameters
        ----------
        ways : ``way_id``, ``tags``
        features : ``osm_type``, ``osm_id``, ``tags``, ``geometry`` (lon/lat)
        """
        posts = cKDTree(shapely.get_coordinates(shapely.segmentize(network.streets.lines(), _POST_M)))
        found: dict[str, Any] = {
            "schema": SCHEMA,
            "name": about.name,
            "title": about.title,
            "notice": about.notice or None,
            "attribution": list(about.attribution),
            "data_date": about.data_date or None,
            "standard": standard.name,
            "cells": len(cells),
            "people": _people(cells, np.ones(len(cells), dtype=bool)),
            "snapping": _snapping(cells, about.snap_limit_m),
            "components": _components(network, cells, facilities),
            "facilities": _facilities(standard, facilities, cells),
            "tags": _tags_that_decided(ways),
            "network": _network(network.streets, ways),
            "gates": _gates(network, features),
            "fabric": _fabric(cells, features),
            "tables": list(about.tables),
            "datum": {
                "people": None if cells.people is None else _shift(posts, _centres(cells), cells.people),
                "buildings": _shift(posts, *_buildings(features, network)),
            },
        }
        found["warnings"] = warnings(found) + [
            {"code": f"raster_{note.what}", "text": f"{key}: {note.english}", "text_zh": f"{key}：{note.chinese}"}
            for key, note in about.notes
            if note.what != "unknown"
        ]
        return cls(found)

    @property
    def line(self) -> str:
        """The findings in one line."""
        found = self.findings
        number = len(found["warnings"])
        many = "no warnings" if not number else "1 warning" if number == 1 else f"{number} warnings"
        joined = found["snapping"]["median_m"]
        near = "no cell joins a path" if joined is None else f"half the cells within {joined:.0f} m of a path"
        near_zh = "没有格网接入道路" if joined is None else f"半数格网距道路不足 {joined:.0f} 米"
        km, parts, cells = (
            f"{n:,.0f}" for n in (found["network"]["street_km"], found["components"]["total"], found["cells"])
        )
        return say(
            f"check: {km} km of ways in {parts} parts, {cells} cells, {near}; {many}",
            f"检查：道路 {km} 公里，{parts} 个独立部分，{cells} 个格网，{near_zh}；注意事项 {number} 条",
        )

    def tables(self) -> list[tuple[str, tuple[str, ...], Rows]]:
        """Titles, headings and rows, as people read them."""
        found = self.findings
        snap, network = found["snapping"], found["network"]
        bins: Rows = [
            (
                f"{b['from_m']}–{b['to_m']} m" if b["to_m"] else say(f"over {b['from_m']} m", f"{b['from_m']} m 以上"),
                f"{b['cells']:,}",
                people_text(b["people"]),
            )
            for b in snap["bins"]
        ]
        bins += [
            (said, f"{snap[name]['cells']:,}", people_text(snap[name]["people"]))
            for name, said in (
                ("unsnapped", say("no path near", "附近无路")),
                ("outside_data", say("beyond the data", "数据范围以外")),
            )
        ]
        worst: Rows = [
            (
                cell["cell_id"],
                f"{cell['lon']:.5f}, {cell['lat']:.5f}",
                f"{cell['leg_m']:.0f} m",
                people_text(cell["people"]),
            )
            for cell in snap["worst"]
        ]
        parts: Rows = [
            (
                f"{i['lon']:.4f}, {i['lat']:.4f}",
                f"{i['street_km']:.2f}",
                people_text(i["people"]),
                f"{i['facilities']:,}",
            )
            for i in found["components"]["islands"][:_WORST]
        ]
        services: Rows = [
            (
                say(key, row["title_zh"]), f"{row['facilities']:,}", f"{row['inside']:,}", f"{row['merged']:,}",
                f"{row['entrances']['assumed']:,}", f"{row['unjoined']:,}",
                say("unknown", "未知") if row["per_10000"] is None else f"{row['per_10000']:.1f}",
                "" if row["usual_per_10000"] is None else f"{row['usual_per_10000']:g}",
            )
            for key, row in found["facilities"].items()
        ]  # fmt: skip
        tags: Rows = [(plain(row["decided_by"]), f"{row['kept']:,}", f"{row['dropped']:,}") for row in found["tags"]]
        kinds: Rows = [(plain(kind), f"{km:,.1f}") for kind, km in network["km"].items()]
        return [
            (
                say("From a cell's centre to the nearest path", "格网到最近道路的距离"),
                ("distance", "cells", "people"),
                bins,
            ),
            (say("Farthest from a path", "距道路最远的格网"), ("cell", "lon, lat", "distance", "people"), worst),
            (
                say("Parts of the network cut off from the largest", "与主路网不连通的部分"),
                ("where", "km", "people", "facilities"),
                parts,
            ),
            (
                say("Facilities", "设施"),
                ("service", "found", "inside", "merged", "entrances assumed", "no path near", "per 10,000", "usual"),
                services,
            ),
            (
                say("Tables of facilities", "设施表"),
                ("table", "rows", "kept", "left out", "in OSM too", "columns", "datum"),
                [_table_row(one) for one in found["tables"]],
            ),
            (
                say("Tags that decided whether a way is walked", "决定道路可否步行的标签"),
                ("tag", "kept", "dropped"),
                tags,
            ),
            (say("Walked ways by class", "可步行道路分类"), ("class", "km"), kinds),
            (say("Streets, gates, homes and datum", "道路、门禁、住宅与坐标系"), ("what", "how much"), self._rest()),
        ]

    def _rest(self) -> Rows:
        network, fabric, datum = (self.findings[key] for key in ("network", "fabric", "datum"))
        silent = share_text(network["streets_without_sidewalk_information_km"], network["streets_km"])
        rows: Rows = [
            (
                say("streets without sidewalk information", "没有人行道信息的道路"),
                silent if network["streets_km"] else say("no streets", "无道路"),
            )
        ]
        gates = self.findings["gates"]
        rows += [
            (say("private ways, km", "小区内部道路，公里"), f"{gates['private_km']:,.1f}"),
            (
                say("gates: private, shut to all", "门禁：小区、全部关闭"),
                f"{gates['private_gates']:,}, {gates['shut_gates']:,}",
            ),
            (say("crossings and junctions with signals", "信号路口与过街"), f"{gates['crossings_with_signals']:,}"),
            (say("lifts that are nodes", "电梯"), f"{gates['lifts']:,}"),
            (say("squares crossed", "可穿越的广场"), f"{gates['squares_crossed']:,}"),
        ]
        loose = fabric["people_without_fabric"]
        if loose is not None:
            empty = f"{fabric['residential_without_people_m2'] / 1e6:.2f} of {fabric['residential_m2'] / 1e6:.2f} km²"
            rows.append(
                (
                    say("people without building or residential land", "无建筑、无居住用地处的人口"),
                    people_text(loose["people"]),
                )
            )
            rows.append((say("residential land without people", "无人口的居住用地"), empty))
        for what, row in datum.items():
            if row is not None:
                mean, best = f"{row['mean_m']:g}", f"{row['best_shift']['mean_m']:g}"
                what_zh = {"people": "人口", "buildings": "建筑"}[what]
                rows.append(
                    (
                        say(f"{what} to the nearest way, mean", f"{what_zh}到最近道路的平均距离"),
                        say(f"{mean} m; {best} m under the best shift", f"{mean} 米；最佳平移下 {best} 米"),
                    )
                )
        return rows

    def _repr_html_(self) -> str:
        rows = "".join(f"<li>{escape(warning['text'])}</li>" for warning in self.findings["warnings"])
        return f"<p>{escape(self.line)}</p><ul>{rows}</ul>"


def _table_row(told: dict[str, Any]) -> tuple[str, ...]:
    left = ", ".join(say(*texts) for texts in left_out_texts(told))
    columns = ", ".join(f"{meaning}: {header}" for meaning, header in told["columns"].items())
    verdict = told.get("evidence", {}).get("verdict", "not tested")
    said = "as said" if told["datum_said"] else "as its headings say" if told["datum_of_headings"] else "not said"
    return (
        plain(told["table"]), f"{told['rows']:,}", f"{told['kept']:,}", left or "0", f"{told['in_osm_too']:,}",
        plain(columns), f"{told['datum']} ({said}; {verdict})",
    )  # fmt: skip


def _people(cells: Cells, chosen: NDArray[np.bool_] | NDArray[np.int64]) -> float | int | None:
    return None if cells.people is None else tidy_numbers(int(cells.people[chosen].sum()) / PEOPLE)


def _amount(cells: Cells, chosen: NDArray[np.bool_]) -> dict[str, Any]:
    return {"cells": int(chosen.sum()), "people": _people(cells, chosen)}


def _with_status(cells: Cells, name: str) -> dict[str, Any]:
    people = cells.people_of(name)
    return {
        "cells": int((cells.status == STATUS.index(name)).sum()),
        "people": None if people is None else tidy_numbers(people / PEOPLE),
    }


def _centres(cells: Cells) -> NDArray[np.float64]:
    return np.asarray(shapely.get_coordinates(shapely.centroid(cells.polygons())))


def _snapping(cells: Cells, limit_m: float) -> dict[str, Any]:
    main = cells.joins.rank == 0
    leg = np.full(len(cells.starts), np.nan)
    leg[cells.joins.place[main]] = cells.joins.leg_m[main]
    leg = leg[cells.starts.first]
    joined = np.isfinite(leg)
    ends = [*BINS_M[1:], None]
    bins = [
        {"from_m": low, "to_m": high} | _amount(cells, (leg >= low) & (leg < (np.inf if high is None else high)))
        for low, high in zip(BINS_M, ends, strict=True)
    ]
    far = np.lexsort((np.arange(len(cells)), -np.nan_to_num(leg, nan=-1.0)))[: min(_WORST, int(joined.sum()))]
    lon, lat = cells.region.to_lonlat.transform(*cells.starts.xy[cells.starts.first[far]].T)
    ids = cells.cell_id
    return {
        "limit_m": tidy_numbers(limit_m),
        "median_m": round(float(np.median(leg[joined])), 1) if joined.any() else None,
        "bins": bins,
        "unsnapped": _with_status(cells, "unsnapped"),
        "outside_data": _with_status(cells, "outside_data"),
        "worst": [
            {
                "cell_id": ids[ix], "lon": round(float(x), 6), "lat": round(float(y), 6),
                "leg_m": round(float(leg[ix]), 1), "people": _people(cells, np.array([ix])),
            }
            for ix, x, y in zip(far.tolist(), lon, lat, strict=True)
        ],
    }  # fmt: skip


def _components(network: Network, cells: Cells, facilities: Facilities) -> dict[str, Any]:
    found = islands(network, cells, facilities)
    bare = [island for island in found if not island.used]
    return {
        "total": len(found) + 1,
        "islands": [asdict(island) | {"people": tidy_numbers(island.people)} for island in found if island.used],
        "without_people_or_facilities": {
            "components": len(bare), "street_km": round(sum(island.street_km for island in bare), 3)
        },
    }  # fmt: skip


def _facilities(standard: Standard, facilities: Facilities, cells: Cells) -> dict[str, Any]:
    outside = facilities.outside
    kind = np.where(facilities.join_kind == "nearest", facilities.join_evidence, facilities.join_kind)
    people = None if cells.people is None else int(cells.people.sum()) / PEOPLE
    joined = np.zeros(len(facilities), dtype=bool)
    joined[facilities.joins.place] = True
    found = {}
    for ix, (key, service) in enumerate(standard.services.items()):
        mine = np.array([ix in served for served in facilities.services], dtype=bool)
        doors = Counter(kind[mine[facilities.joins.place]].tolist())
        inside = int((mine & ~outside).sum())
        found[key] = {
            "title": service.title,
            "title_zh": service.title_zh,
            "facilities": int(mine.sum()),
            "inside": inside,
            "merged": int(facilities.merged_n[mine].sum()),
            "unjoined": int((mine & ~joined).sum()),
            "entrances": {name: doors[name] for name in ("mapped", "crossing", "point", "assumed")},
            "per_10000": None if not people else round(inside / people * 10_000, 3),
            "usual_per_10000": tidy_numbers(service.usual.per_10000) if service.usual else None,
            "usual_source": service.usual.source if service.usual else None,
        }
    return found


class _Asked(dict[str, str]):
    """Tags that remember which keys were asked for."""

    def __init__(self, tags: dict[str, str]) -> None:
        super().__init__(tags)
        self.keys_asked: set[str] = set()

    def get(self, key: str, default: Any = None) -> Any:
        self.keys_asked.add(key)
        return super().get(key, default)

    def __getitem__(self, key: str) -> str:
        self.keys_asked.add(key)
        return super().__getitem__(key)


def decided_by(tags: dict[str, str]) -> tuple[str, bool]:
    """Say which tag decided whether a way may be walked, and whether it may.

    The tag without which the answer would be the other one; else the one that alone gives the answer that the class
    of the way does not; else the class.

    Examples
    --------
    >>> decided_by({"highway": "residential", "lit": "yes"})
    ('highway=residential', True)
    >>> decided_by({"highway": "service", "access": "no", "foot": "yes"})
    ('foot=yes', True)
    >>> decided_by({"highway": "track", "access": "no", "foot": "no"})
    ('access=no', False)
    """
    asked = _Asked(tags)
    walkable(asked)
    keys = {"highway", *asked.keys_asked} | {key for key in ("foot", "access") if key in tags}
    tags = {key: tags[key] for key in sorted(keys) if key in tags}
    verdict = walkable(tags)
    others = [key for key in tags if key != "highway"]
    bare = {"highway": tags.get("highway", "")}
    turning = [key for key in others if walkable({k: v for k, v in tags.items() if k != key}) != verdict]
    if not turning and walkable(bare) != verdict:
        turning = [key for key in others if walkable(bare | {key: tags[key]}) == verdict]
    key = turning[0] if turning else "highway"
    return f"{key}={tags.get(key, '')}", verdict


def _tags_that_decided(ways: pd.DataFrame) -> list[dict[str, Any]]:
    """How many ways each tag kept or dropped, the most first; rare ones together."""
    count: Counter[tuple[str, bool]] = Counter()
    # Ways that agree on every key the rules asked so far are treated alike: only the first of them is looked at.
    keys = ["access", "foot", "highway"]
    alike: dict[tuple[str | None, ...], tuple[str, bool]] = {}
    for tags in ways["tags"]:
        said = tuple(map(tags.get, keys))
        if said not in alike:
            asked = _Asked(tags)
            walkable(asked)
            if new := sorted(asked.keys_asked - set(keys)):
                keys += new
                alike.clear()
                said = tuple(map(tags.get, keys))
            alike[said] = decided_by(tags)
        count[alike[said]] += 1
    names = {name for name, _ in count}
    rows: list[dict[str, Any]] = [
        {"decided_by": n, "kept": count[n, True], "dropped": count[n, False]} for n in sorted(names)
    ]
    rows.sort(key=lambda row: -row["kept"] - row["dropped"])
    rest = rows[_TAGS:]
    if rest:
        rows = [
            *rows[:_TAGS],
            {"decided_by": "others", "kept": sum(r["kept"] for r in rest), "dropped": sum(r["dropped"] for r in rest)},
        ]
    return rows


def _network(network: Network, ways: pd.DataFrame) -> dict[str, Any]:
    kinds = network.kind.astype(str)
    names, kind = np.unique(kinds, return_inverse=True)
    km = np.bincount(kind, weights=network.length_m) / 1000
    told = [
        any(key == "sidewalk" or key.startswith("sidewalk:") for key in tags) for tags in ways["tags"].tolist()
    ]  # fmt: skip
    street = np.isin(kinds, sorted(_WITH_SIDEWALKS))
    known = np.isin(network.edge_way, ways["way_id"].to_numpy()[np.array(told, dtype=bool)])
    street_m, silent_m = network.length_m[street].sum(), network.length_m[street & ~known].sum()
    return {
        "nodes": network.n_places,
        "edges": network.n_edges,
        "street_km": round(float(network.length_m.sum()) / 1000, 3),
        "km": {names[ix]: round(float(km[ix]), 3) for ix in np.argsort(-km, kind="stable").tolist()},
        "streets_km": round(float(street_m) / 1000, 3),
        "streets_without_sidewalk_information_km": round(float(silent_m) / 1000, 3),
        "without_sidewalk_information": round(float(silent_m / street_m), 6) if street_m else None,
    }


def _gates(network: Network, features: pd.DataFrame) -> dict[str, Any]:
    """Private ways, and the nodes and squares that decide who walks where and how long it takes."""
    streets = network.streets
    place, first = np.unique(network.node_same[network.edge_u[network.passage]], return_index=True)
    said = network.tags[np.flatnonzero(network.passage)[first]].tolist()
    node = (features["osm_type"] == "n").to_numpy()
    ids, tags = features["osm_id"].to_numpy()[node], features["tags"].to_numpy()[node]
    on = np.isin(ids, network.node_id)
    return {
        "private_km": round(float(streets.length_m[streets.private].sum()) / 1000, 3),
        "private_gates": sum("barrier" in t and is_private(t) for t in said),
        "shut_gates": sum(is_shut(t) for t in tags[on]),
        "crossings_with_signals": sum(t.get("signals") == "yes" for t in said),
        "lifts": sum(t.get("highway") == "elevator" for t in said),
        "squares_crossed": len({name.split(".")[0] for name in network.edge_id[network.kind == "square"]}),
        "nodes_taken_apart": len(place),
    }


def _fabric(cells: Cells, features: pd.DataFrame) -> dict[str, Any]:
    """People where nothing to live in is mapped, and residential land where nobody lives by the raster."""
    if cells.people is None:
        return {"people_without_fabric": None, "residential_m2": None, "residential_without_people_m2": None}
    region = cells.region
    land = shapely.union_all(residential_land(features, region))
    inside = shapely.intersection(land, region.project(shapely.segmentize(region.boundary, 0.01)))
    empty = shapely.difference(inside, shapely.coverage_union_all(cells.polygons()))
    return {
        "people_without_fabric": _amount(cells, (cells.buildings == 0) & (cells.residential_m2 == 0)),
        "residential_m2": round(shapely.area(inside)),
        "residential_without_people_m2": round(shapely.area(empty)),
    }


def _buildings(features: pd.DataFrame, network: Network) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    tags, kinds = features["tags"].tolist(), features["osm_type"].tolist()
    chosen = [ix for ix, said in enumerate(tags) if kinds[ix] != "n" and said.get("building", "no") != "no"]
    chosen = chosen[:: max(1, -(-len(chosen) // _SAMPLE))]
    shapes = features["geometry"].to_numpy(dtype=object)[chosen]
    xy = shapely.get_coordinates(shapely.centroid(network.region.project(shapes)))
    return np.asarray(xy), np.ones(len(xy), dtype=np.int64)


def _shift(posts: Any, xy: NDArray[np.float64], weight: NDArray[np.int64]) -> dict[str, Any] | None:
    """Mean distance to the nearest way as given, and under the shift of 300 to 700 m that makes it least."""
    if len(xy) == 0:
        return None
    step = max(1, -(-len(xy) // _SAMPLE))
    xy, weight = xy[::step], weight[::step]
    angle = np.arange(_DIRECTIONS) * (2 * np.pi / _DIRECTIONS)
    rings = [np.column_stack([np.cos(angle), np.sin(angle)]) * far for far in _SHIFTS_M]
    shifts = np.round(np.concatenate([np.zeros((1, 2)), *rings]))
    far_m, _ = posts.query((xy[None] + shifts[:, None]).reshape(-1, 2), distance_upper_bound=_FAR_M)
    mean = np.average(np.minimum(far_m, _FAR_M).reshape(len(shifts), -1), axis=1, weights=weight)
    best = 1 + int(np.argmin(mean[1:]))
    return {
        "sampled": len(xy),
        "mean_m": round(float(mean[0]), 1),
        "best_shift": {
            "east_m": int(shifts[best, 0]), "north_m": int(shifts[best, 1]), "mean_m": round(float(mean[best]), 1)
        },
    }  # fmt: skip
