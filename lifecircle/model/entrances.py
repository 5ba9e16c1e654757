"""Where a place is entered: mapped gates and doors, ways that cross its outline, the nearest street."""

from typing import Any

import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from lifecircle.model.snapping import Joins, Snapper
from lifecircle.model.ways import is_shut

ADJOINING_M = 30.0
"""A street whose line is this near to the outline of a ground adjoins it: half a wide road, its sidewalk and verge."""

_NO_WAY_IN = frozenset({"no", "emergency", "exit", "fire_exit"})
_GATES = frozenset({"gate", "entrance", "lift_gate"})
_EXITS = frozenset({"subway_entrance", "train_station_entrance"})


def _facing(places: list[int], shapes: NDArray[np.object_], snapper: Snapper) -> list[tuple[int, Any]]:
    """Points of places without a known entrance that face the nearest way.

    A point is itself. Of an outline it is the point before the spot of the nearest way that lies closest to the
    middle of the place: along a street beside it every spot is equally near, and one in the middle says least untrue.
    """
    area = np.array([p for p in places if shapely.get_dimensions(shapes[p]) == 2], dtype=np.int64)  # noqa: PLR2004
    faced = shapes[area]
    found, edge = snapper.tree.query_nearest(faced, all_matches=True)
    order = np.lexsort((edge, found))
    found, edge = found[order], edge[order]
    first = np.flatnonzero(np.diff(found, prepend=-1))
    spot = shapely.get_point(shapely.shortest_line(snapper.lines[edge[first]], shapely.centroid(faced)), 0)
    before = dict(zip(area.tolist(), shapely.get_point(shapely.shortest_line(faced, spot), 0), strict=True))
    return [(p, before.get(p, shapes[p])) for p in places]


def _adjoining(places: NDArray[np.int64], shapes: NDArray[np.object_], snapper: Snapper) -> list[tuple[int, Any]]:
    """Points of grounds without a known entrance, one before each street that adjoins them on their own level.

    A street is one way of the source; of it counts the spot that lies closest to the middle of the ground, as in
    `_facing`. What water or a railway keeps apart does not adjoin.
    """
    faced = shapes[places]
    near, edge = snapper.tree.query(faced, predicate="dwithin", distance=ADJOINING_M)
    level = ~snapper.network.aloft[edge]
    near, edge = near[level], edge[level]
    middle = shapely.centroid(faced)
    order = np.lexsort(
        (edge, shapely.distance(snapper.lines[edge], middle[near]), snapper.network.edge_way[edge], near)
    )
    near, edge = near[order], edge[order]
    way = snapper.network.edge_way[edge]
    first = np.flatnonzero((np.diff(near, prepend=-1) != 0) | (np.diff(way, prepend=-1) != 0))
    near, edge = near[first], edge[first]
    spot = shapely.get_point(shapely.shortest_line(snapper.lines[edge], middle[near]), 0)
    point = shapely.get_point(shapely.shortest_line(faced[near], spot), 0)
    # The spot closest to the middle may lie far along a street that only passes a corner.
    beside = (shapely.distance(point, spot) <= ADJOINING_M) & ~snapper.across(point, edge)
    return list(zip(places[near[beside]].tolist(), point[beside], strict=True))


def entrances(
    shapes: NDArray[np.object_], owner: NDArray[np.int64], ground: NDArray[np.bool_], wheels: NDArray[np.object_],
    features: pd.DataFrame, snapper: Snapper,
) -> tuple[Joins, NDArray[np.object_], NDArray[np.object_], NDArray[np.object_]]:  # fmt: skip
    """Find the entrances of every place, those of all the objects that were merged into it.

    Parameters
    ----------
    shapes : (n_objects,) shapely, metre CRS
    owner : (n_objects,) the place each object is
    ground : (n_objects,) whether it is land and no building
    wheels : (n_objects,) what it says of ``wheelchair``, or an empty text

    A point joins the nearest edge. An area is entered where a mapped entrance or gate stands on its outline; without
    one, where ways cross the outline; and with neither, a building from its point nearest to a way, and land from a
    point before each street that adjoins it.
    """
    is_area = shapely.get_dimensions(shapes) == 2  # noqa: PLR2004
    outline = np.where(is_area, shapely.boundary(shapes), shapes)
    nodes = features.loc[features["osm_type"] == "n", ["osm_id", "tags", "geometry"]]
    gates = [
        (osm_id, geometry, tags)
        for osm_id, tags, geometry in nodes.itertuples(index=False, name=None)
        if (
            tags.get("entrance", "no") not in _NO_WAY_IN
            or tags.get("barrier") in _GATES
            or tags.get("railway") in _EXITS
        )
        and not is_shut(tags)
        and tags.get("foot", tags.get("access")) != "no"
    ]
    shut = [geometry for tags, geometry in zip(nodes["tags"], nodes["geometry"], strict=True) if is_shut(tags)]
    shut_at = shapely.STRtree(snapper.network.region.project(np.array(shut, dtype=object)))
    found: list[tuple[int, object, str, str]] = []
    door_tags: dict[str, dict[str, str]] = {}
    has = np.zeros(len(shapes), dtype=bool)
    if gates:
        points = snapper.network.region.project(np.array([gate[1] for gate in gates], dtype=object))
        # Mapped on the outline means within a hand's breadth of it: shared nodes are, up to rounding.
        gate, place = shapely.STRtree(outline).query(points, predicate="dwithin", distance=0.5)
        for g, p in sorted(zip(gate.tolist(), place.tolist(), strict=True), key=lambda pair: (pair[1], pair[0])):
            if is_area[p]:
                has[p] = True
                found.append((p, points[g], "mapped", f"n{gates[g][0]}"))
                door_tags[f"n{gates[g][0]}"] = gates[g][2]
    bare = np.flatnonzero(is_area & ~has)
    if len(bare):
        place, edge = snapper.tree.query(outline[bare], predicate="intersects")
        level = ~snapper.network.aloft[edge]  # a bridge over a park is no way into it
        place, edge = place[level], edge[level]
        order = np.lexsort((edge, place))
        place, edge = bare[place[order]], edge[order]
        meeting = shapely.intersection(outline[place], snapper.lines[edge])
        for p, e, where in zip(place.tolist(), edge.tolist(), meeting, strict=True):
            for part in shapely.get_parts(where):
                point = part if part.geom_type == "Point" else part.interpolate(0.5, normalized=True)
                if len(shut_at.query(point, predicate="dwithin", distance=0.5)):
                    continue  # a way that ends at a gate shut to all leads in nowhere
                has[p] = True
                found.append((p, point, "crossing", f"w{int(snapper.network.edge_way[e])}"))
    alone = np.flatnonzero(~has).tolist()
    found.extend(
        (p, shape, "nearest", "assumed" if is_area[p] else "point")
        for p, shape in (*_facing(alone, shapes, snapper), *_adjoining(np.flatnonzero(~has & ground), shapes, snapper))
    )
    found.sort(key=lambda row: row[0])
    found.sort(key=lambda row: owner[row[0]])
    points_joined = snapper.join(np.array([row[1] for row in found], dtype=object))
    joins, _ = snapper.doors(points_joined)
    kind = np.array([found[p][2] for p in joins.place], dtype=object)
    evidence = np.array([found[p][3] for p in joins.place], dtype=object)
    said = np.empty(len(joins), dtype=object)
    for ix, p in enumerate(joins.place.tolist()):
        own = wheels[found[p][0]]
        said[ix] = ({"wheelchair": own} if own else {}) | door_tags.get(found[p][3], {})
    place = owner[[row[0] for row in found]][joins.place].astype(np.int32)
    rank = np.arange(len(place)) - np.searchsorted(place, place)
    return Joins(place, rank.astype(np.int32), joins.edge, joins.offset_m, joins.leg_m), kind, evidence, said
