"""Street lines: cut at water and motorways, joined where they meet, so that lines drawn freely become one network."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import shapely
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

JOIN_M = 1.0  # vertices nearer than this become one
SHORTEST_PIECE_M = 7.0
BRIDGE_PAD_M = 3.0


@dataclass(frozen=True)
class Street:
    """A line of the network before it is cut and joined; lengths in metres."""

    xy: NDArray[np.float64]
    tags: dict[str, str]
    over_water: float = 0.0  # chance of a bridge where it meets a canal
    over_road: float = 0.0  # chance of a passage where it meets a motorway
    away: float = 0.0  # +1 or -1: the side on which houses stand; 0: none
    homes: float = 0.0  # share of its length with houses along it


@dataclass(frozen=True)
class Barriers:
    """What a street cannot simply cross: polygons with the kind ``water``, ``road`` or ``solid``."""

    shapes: NDArray[np.object_]
    kinds: list[str]


def _piece(xy: NDArray[np.float64], along: NDArray[np.float64], start_m: float, end_m: float) -> NDArray[np.float64]:
    """Return the part of a line between two distances along it."""
    inside = (along > start_m + 0.05) & (along < end_m - 0.05)
    ends = [[np.interp(value, along, xy[:, axis]) for axis in (0, 1)] for value in (start_m, end_m)]
    return np.round(np.vstack([ends[:1], xy[inside], ends[1:]]), 2)


def lengths_along(xy: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the distance of every vertex from the start of the line."""
    return np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(xy, axis=0).T))])


def cut_at(
    streets: list[Street], barriers: Barriers, random: np.random.Generator, longest_bridge_m: float = 70.0
) -> list[Street]:
    """Cut streets where they meet a barrier, leaving a bridge or underpass with each street's own chance."""
    lines = np.array([shapely.LineString(street.xy) for street in streets])
    tree = shapely.STRtree(barriers.shapes)
    line_ix, barrier_ix = tree.query(lines, predicate="intersects")
    order = np.lexsort((barrier_ix, line_ix))
    line_ix, barrier_ix = line_ix[order], barrier_ix[order]
    met = shapely.intersection(lines[line_ix], barriers.shapes[barrier_ix])
    parts, owner = shapely.get_parts(met, return_index=True)
    keep = shapely.get_type_id(parts) == 1
    parts, owner = parts[keep], owner[keep]
    first = shapely.line_locate_point(lines[line_ix[owner]], shapely.get_point(parts, 0))
    last = shapely.line_locate_point(lines[line_ix[owner]], shapely.get_point(parts, -1))
    spans: dict[int, list[tuple[float, float, str]]] = {}
    for pair, low, high in zip(
        owner.tolist(), np.minimum(first, last).tolist(), np.maximum(first, last).tolist(), strict=True
    ):
        spans.setdefault(int(line_ix[pair]), []).append((low, high, barriers.kinds[barrier_ix[pair]]))
    out: list[Street] = []
    for number, street in enumerate(streets):
        out += _cut_one(street, sorted(spans[number]), random, longest_bridge_m) if number in spans else [street]
    return out


def _cut_one(
    street: Street, spans: list[tuple[float, float, str]], random: np.random.Generator, longest_bridge_m: float
) -> list[Street]:
    """Cut one street at its spans of water or road."""
    along = lengths_along(street.xy)
    total = along[-1]
    merged: list[list] = []
    for low, high, kind in spans:
        start, end = max(0.0, low - BRIDGE_PAD_M), min(total, high + BRIDGE_PAD_M)
        if merged and start <= merged[-1][1] + SHORTEST_PIECE_M:
            merged[-1][1] = max(merged[-1][1], end)
            merged[-1][2].append(kind)
        else:
            merged.append([start, end, [kind]])
    out: list[Street] = []
    position = 0.0
    for start, end, kinds in merged:
        always = street.over_water >= 1.0 and street.over_road >= 1.0
        chance = min(street.over_road if "road" in kinds else 1.0, street.over_water if "water" in kinds else 1.0)
        chance = 0.0 if "solid" in kinds else chance
        at_end = start <= 0.0 or end >= total
        spanned = not at_end and random.random() < chance and (always or end - start <= longest_bridge_m)
        if start - position > SHORTEST_PIECE_M or (spanned and start > position):
            out.append(replace(street, xy=_piece(street.xy, along, position, start)))
        if spanned:
            under = "road" in kinds and not always
            extra = {"tunnel": "yes", "layer": "-1"} if under else {"bridge": "yes", "layer": "1"}
            out.append(
                replace(street, xy=_piece(street.xy, along, start, end), tags=street.tags | extra, homes=0.0, away=0.0)
            )
        position = end
    if total - position > SHORTEST_PIECE_M:
        out.append(replace(street, xy=_piece(street.xy, along, position, total)))
    return out


def layer_of(street: Street) -> int:
    """Return the layer a street lies on."""
    return int(street.tags.get("layer", "0"))


def thinned(streets: list[Street], against: Sequence[Street], distance_m: float, longest_m: float) -> list[Street]:
    """Take out what runs beside a greater street for longer than a crossing would."""
    corridor = shapely.union_all(
        shapely.buffer([shapely.LineString(other.xy) for other in against], distance_m, quad_segs=2)
    )
    parts = shapely.get_parts(corridor)
    shapely.prepare(parts)
    lines = np.array([shapely.LineString(street.xy) for street in streets])
    tree = shapely.STRtree(parts)
    touched = np.unique(tree.query(lines, predicate="intersects")[0])
    out: list[Street] = []
    touched_set = set(touched.tolist())
    for number, street in enumerate(streets):
        if number not in touched_set:
            out.append(street)
            continue
        line = lines[number]
        beside = [
            part.buffer(0.01)
            for part in shapely.get_parts(line.intersection(corridor)).tolist()
            if part.length > longest_m
        ]
        rest = line.difference(shapely.union_all(beside)) if beside else line
        pieces = shapely.get_parts(shapely.line_merge(rest) if rest.geom_type == "MultiLineString" else rest).tolist()
        out += [
            replace(street, xy=np.round(shapely.get_coordinates(piece), 2))
            for piece in pieces
            if piece.length > longest_m / 2
        ]
    return out


def clipped(streets: list[Street], area: shapely.Geometry, shortest_m: float = 20.0) -> list[Street]:
    """Keep the parts of streets inside an area."""
    lines = np.array([shapely.LineString(street.xy) for street in streets])
    shapely.prepare(area)
    whole = shapely.contains_properly(area, lines)
    out: list[Street] = []
    for number, street in enumerate(streets):
        if whole[number]:
            out.append(street)
            continue
        inside = lines[number].intersection(area)
        pieces = shapely.get_parts(
            shapely.line_merge(inside) if inside.geom_type == "MultiLineString" else inside
        ).tolist()
        out += [
            replace(street, xy=np.round(shapely.get_coordinates(piece), 2))
            for piece in pieces
            if piece.geom_type == "LineString" and piece.length > shortest_m
        ]
    return out


def joined(streets: list[Street], anchors: NDArray[np.float64]) -> list[Street]:
    """Give streets of one layer a shared vertex wherever they meet or cross; anchors do not move."""
    lines = [street.xy for street in streets]
    layers = np.array([layer_of(street) for street in streets])
    for _ in range(3):
        lines, added = _with_crossings(lines, layers)
        lines = _merged_vertices(lines, anchors)
        kept = [number for number, xy in enumerate(lines) if len(xy) > 1]
        lines = [lines[number] for number in kept]
        layers = layers[kept]
        streets = [streets[number] for number in kept]
        if added == 0:
            break
    return [replace(street, xy=xy) for street, xy in zip(streets, lines, strict=True)]


def without_doubles(streets: list[Street]) -> list[Street]:
    """Cut out every stretch between two vertices that an earlier street already runs."""
    seen: set[tuple] = set()
    out: list[Street] = []
    for street in streets:
        points = list(map(tuple, street.xy.tolist()))
        start = 0
        for index in range(1, len(points)):
            key = (min(points[index - 1 : index + 1]), max(points[index - 1 : index + 1]), layer_of(street))
            if key in seen:
                if index - 1 > start:
                    out.append(replace(street, xy=street.xy[start:index]))
                start = index
            seen.add(key)
        if start == 0:
            out.append(street)
        elif start < len(points) - 1:
            out.append(replace(street, xy=street.xy[start:]))
    return out


def _with_crossings(
    lines: list[NDArray[np.float64]], layers: NDArray[np.int64]
) -> tuple[list[NDArray[np.float64]], int]:
    """Insert a vertex in both lines at every crossing, and in a line at every end that touches it."""
    counts = np.array([len(xy) for xy in lines])
    flat = np.concatenate(lines)
    owner = np.repeat(np.arange(len(lines)), counts)
    starts = np.flatnonzero(owner[:-1] == owner[1:])
    a, b = flat[starts], flat[starts + 1]
    segments = shapely.linestrings(np.stack([a, b], axis=1))
    tree = shapely.STRtree(segments)
    i, j = tree.query(segments, predicate="intersects")
    same = (i < j) & (layers[owner[starts[i]]] == layers[owner[starts[j]]])
    same &= ~((owner[starts[i]] == owner[starts[j]]) & (np.abs(starts[i] - starts[j]) == 1))
    i, j = i[same], j[same]
    run_i, run_j, gap = b[i] - a[i], b[j] - a[j], a[j] - a[i]
    cross = run_i[:, 0] * run_j[:, 1] - run_i[:, 1] * run_j[:, 0]
    length_i, length_j = np.hypot(*run_i.T), np.hypot(*run_j.T)
    slanted = np.abs(cross) > 1e-4 * length_i * length_j
    safe = np.where(slanted, cross, 1.0)
    at_i = (gap[:, 0] * run_j[:, 1] - gap[:, 1] * run_j[:, 0]) / safe
    at_j = (gap[:, 0] * run_i[:, 1] - gap[:, 1] * run_i[:, 0]) / safe
    point = a[i] + run_i * at_i[:, None]
    segment_ix = [i[slanted], j[slanted]]
    share = [at_i[slanted], at_j[slanted]]
    points = [point[slanted], point[slanted]]
    # Ends that stop at another line, or just short of it.
    last = np.cumsum(counts) - 1
    end_ix = np.concatenate([last - counts + 1, last])
    end_k, seg_k = tree.query(shapely.points(flat[end_ix]), predicate="dwithin", distance=JOIN_M)
    foreign = layers[owner[end_ix[end_k]]] == layers[owner[starts[seg_k]]]
    foreign &= (starts[seg_k] != end_ix[end_k]) & (starts[seg_k] + 1 != end_ix[end_k])
    end_k, seg_k = end_k[foreign], seg_k[foreign]
    run = b[seg_k] - a[seg_k]
    at = ((flat[end_ix[end_k]] - a[seg_k]) * run).sum(axis=1) / np.maximum((run**2).sum(axis=1), 1e-9)
    segment_ix.append(seg_k)
    share.append(np.clip(at, 0, 1))
    points.append(flat[end_ix[end_k]])
    seg, part, xy = np.concatenate(segment_ix), np.concatenate(share), np.concatenate(points)
    length = np.hypot(*(b[seg] - a[seg]).T)
    inner = (part * length > JOIN_M / 2) & ((1 - part) * length > JOIN_M / 2)
    seg, part, xy = seg[inner], part[inner], xy[inner]
    key = np.concatenate([np.arange(len(flat), dtype=np.float64), starts[seg] + np.clip(part, 1e-6, 1 - 1e-6)])
    order = np.argsort(key, kind="stable")
    everything = np.round(np.concatenate([flat, xy])[order], 2)
    line = np.concatenate([owner, owner[starts[seg]]])[order]
    return np.split(everything, np.flatnonzero(np.diff(line)) + 1), len(seg)


def _merged_vertices(lines: list[NDArray[np.float64]], anchors: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    """Make one of all vertices nearer than the joining distance, an anchor where there is one."""
    counts = np.array([len(xy) for xy in lines])
    flat = np.concatenate([anchors.reshape(-1, 2), *lines])
    pairs = cKDTree(flat).query_pairs(JOIN_M, output_type="ndarray")
    graph = coo_array((np.ones(len(pairs), dtype=np.int8), (pairs[:, 0], pairs[:, 1])), shape=(len(flat), len(flat)))
    _, label = connected_components(graph, directed=False)
    _, first = np.unique(label, return_index=True)  # the lowest position stands for its group; anchors come first
    moved = flat[first[label]][len(anchors) :]
    out = []
    for xy in np.split(moved, np.cumsum(counts)[:-1]):
        different = np.concatenate([[True], np.any(np.diff(xy, axis=0) != 0, axis=1)])
        out.append(xy[different])
    return out
