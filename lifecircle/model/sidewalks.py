"""Streets whose sidewalks are drawn as ways of their own: nobody walks down their middle."""

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from lifecircle.model.network import Network
from lifecircle.model.ways import PATHS

BESIDE_M = 30.0
"""A sidewalk within this of the middle of its street is beside it: half an arterial of 60 m between red lines."""

STEP_M = 15.0
"""A street is looked at every so many metres, and midway where it is shorter."""

ENOUGH = 0.9
"""Share of the places looked at that must have a sidewalk on either side: junctions interrupt it."""


def without_middles(network: Network) -> Network:
    """Leave out streets said to have separate sidewalks on both sides, where those are really drawn on both.

    A street that holds something together which its sidewalks do not stays.
    """
    middle = np.flatnonzero(network._told(_said_separate, bool))  # noqa: SLF001 (a room of the same house)
    drawn = network._told(lambda tags: tags.get("footway") == "sidewalk" or tags.get("path") == "sidewalk", bool)  # noqa: SLF001
    # A sidewalk joined to nothing takes nobody anywhere.
    middle, drawn = (
        middle[network.component[network.edge_u[middle]] == 0],
        drawn & (network.component[network.edge_u] == 0),
    )
    if not len(middle) or not drawn.any():
        return network
    lines = network.lines()
    middle = middle[_both_sides(lines[middle], lines[drawn])]
    while len(middle) and (bare := _meets_bare(network, middle)).any():
        middle = middle[~bare]
    while len(middle):
        needed = _holds_together(network, middle)
        if not needed.any():
            break
        middle = middle[~needed]
    kept = np.ones(network.n_edges, dtype=bool)
    kept[middle] = False
    return network.only(kept)


def _said_separate(tags: dict[str, str]) -> bool:
    """Say whether both sidewalks of a street are said to be mapped as ways of their own."""
    if "separate" in {tags.get("sidewalk"), tags.get("sidewalk:both")}:
        return True
    return tags.get("sidewalk:left") == "separate" == tags.get("sidewalk:right")


def _both_sides(streets: NDArray[np.object_], sidewalks: NDArray[np.object_]) -> NDArray[np.bool_]:
    """Say which streets have a sidewalk to the left and to the right of nearly all of their length."""
    length = shapely.length(streets)
    n = np.maximum(1, np.floor(length / STEP_M)).astype(np.int64)
    street = np.repeat(np.arange(len(streets)), n)
    place = (np.arange(len(street)) - np.repeat(np.cumsum(n) - n, n) + 0.5) * (length / n)[street]
    ahead = shapely.get_coordinates(
        shapely.line_interpolate_point(streets[street], np.minimum(place + 0.1, length[street]))
    )
    here = shapely.get_coordinates(shapely.line_interpolate_point(streets[street], np.maximum(place - 0.1, 0.0)))
    along = ahead - here
    size = np.hypot(along[:, 0], along[:, 1])
    side = np.column_stack([-along[:, 1], along[:, 0]]) / np.where(size > 0, size, 1.0)[:, None] * BESIDE_M
    tree = shapely.STRtree(sidewalks)
    found = np.ones(len(streets), dtype=bool)
    for way in (1, -1):
        probes = shapely.linestrings(np.stack([here, here + way * side], axis=1))
        met = np.zeros(len(street), dtype=bool)
        met[tree.query(probes, predicate="intersects")[0]] = True
        found &= np.bincount(street, weights=met, minlength=len(streets)) >= ENOUGH * n
    return found


def _meets_bare(network: Network, middle: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Say on which of some streets another one ends that meets no path before it: only the middle leads on from it."""
    other = np.ones(network.n_edges, dtype=bool)
    other[middle] = False
    path = np.isin(network.kind.astype(str), sorted(PATHS)) & other
    beside_path = np.zeros(network.n_nodes, dtype=bool)
    beside_path[network.edge_u[path]] = beside_path[network.edge_v[path]] = True
    needs = np.zeros(network.n_nodes, dtype=bool)
    street = other & ~path
    for here, there in ((network.edge_u, network.edge_v), (network.edge_v, network.edge_u)):
        needs[here[street & ~beside_path[there]]] = True
    needs &= ~beside_path
    return np.asarray(needs[network.edge_u[middle]] | needs[network.edge_v[middle]])


def _holds_together(network: Network, middle: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Say which of some streets join what would fall apart without all of them."""
    kept = np.ones(network.n_edges, dtype=bool)
    kept[middle] = False
    kept &= ~network.private & ~network.steps & (network.one_way == 0)  # what holds for everybody
    u, v = network.edge_u[kept], network.edge_v[kept]
    graph = coo_matrix((np.ones(len(u), dtype=np.int8), (u, v)), shape=(network.n_nodes, network.n_nodes))
    part = connected_components(graph, directed=False)[1]
    used = np.zeros(network.n_nodes, dtype=bool)
    used[u] = used[v] = True
    # What hangs on a street must lie in the same part as what hangs on the other streets of the same whole.
    whole = network.component
    size = np.bincount(part[used], minlength=part.max() + 1)
    main = np.full(whole.max() + 1, -1)
    by_size = np.flatnonzero(used)[np.argsort(size[part[used]], kind="stable")]
    main[whole[by_size]] = part[by_size]  # of several the last stays: the largest
    stranded = used & (part != main[whole])
    return np.asarray(stranded[network.edge_u[middle]] | stranded[network.edge_v[middle]])
