"""Nodes that bar or delay walkers, and private ground: a network in which a plain search obeys both.

A node that can bar or delay somebody (a gate, a kerb, a crossing, a lift) is taken apart: every way that meets it ends
at a node of its own, joined to the node by a *passage*, an edge of no length that carries the node's tags. So a
profile bars or prices it as it does any edge, and a delay is laid half on each passage.

Private ways stand twice. The *leaving* copy is where homes join: it leads out to the public network by one-way links;
the *arriving* copy is led into and never out of. So one can leave home and enter where one is going, but cut through
nothing, and the search stays a plain one (`Network.ticks` opens and closes the copies as a profile's policy says).
"""

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from lifecircle.model import ways
from lifecircle.model.network import ARRIVING, IN, LEAVING, OUT, Network

_MAIN = sorted(
    {"trunk", "primary", "secondary", "tertiary"} | {"trunk_link", "primary_link", "secondary_link", "tertiary_link"}
)


def taken_apart(network: Network, node_tags: dict[int, dict[str, str]], crossed: dict[int, str]) -> Network:
    """Take apart the nodes that bar or delay.

    Parameters
    ----------
    node_tags : tags of nodes by OSM id; those that `ways.decides` are taken apart
    crossed : class of the greatest road through a node, by OSM id

    At a crossing only the paths are: who walks along the road does not cross it. At a junction with signals all ways
    are; signals elsewhere along a road (a stop line) hold nobody up. A gate shut to all leaves its ways apart.
    """
    at = {node: ix for ix, node in enumerate(network.node_id.tolist()) if node in node_tags}
    ends_of: dict[int, list[tuple[int, int]]] = {ix: [] for ix in at.values()}
    for side, end in enumerate((network.edge_u, network.edge_v)):
        for edge in np.flatnonzero(np.isin(end, list(ends_of))).tolist():
            ends_of[int(end[edge])].append((edge, side))
    edge_end = [network.edge_u.copy(), network.edge_v.copy()]
    new_node: list[int] = []
    passages: list[tuple[int, int, int, dict[str, str]]] = []  # node, its copy, the edge's end, tags
    names: list[str] = []
    for node_id in sorted(at):
        node, tags = at[node_id], node_tags[node_id]
        ends = sorted(ends_of[node])
        chosen = _ends_apart(tags, ends, network.kind)
        if len(ends) < 2 or not chosen:  # noqa: PLR2004
            continue
        shut = ways.is_shut(tags)
        said = tags | ({"signals": "yes"} if ways.has_signals(tags) else {})
        said |= {"crossed": crossed[node_id]} if node_id in crossed else {}
        for edge, side in chosen[1:] if shut else chosen:
            copy = network.n_nodes + len(new_node)
            new_node.append(node)
            edge_end[side][edge] = copy
            if not shut:
                passages.append((node, copy, edge, said))
                names.append(f"{network.edge_id[edge]}.{'uv'[side]}")
    if not new_node:
        return network
    apart = network.changed(edge_u=edge_end[0], edge_v=edge_end[1])
    grown = apart.with_nodes(np.array(new_node))
    if not passages:
        return grown
    centre, copies, rows = (np.array(column) for column in list(zip(*passages, strict=True))[:3])
    told = [tags for *_, tags in passages]
    return grown.with_edges(
        edge_id=names, u=centre, v=copies, way=network.edge_way[rows], tags=told,
        kind=[tags.get("barrier") or tags.get("highway") or "kerb" for tags in told],
        private=network.private[rows] | np.array([ways.is_private(tags) for tags in told]),
        aloft=network.aloft[rows], passage=True,
    )  # fmt: skip


def _ends_apart(tags: dict[str, str], ends: list[tuple[int, int]], kind: NDArray[np.object_]) -> list[tuple[int, int]]:
    """Choose the ends of ways at a node that get a node of their own."""
    if not ways.decides_on_paths(tags):
        return ends
    paths = [end for end in ends if kind[end[0]] in ways.PATHS]
    if tags["highway"] == "crossing" or (paths and len(paths) < len(ends)):
        return paths
    junction = len(ends) > 2 and "traffic_signals:direction" not in tags  # noqa: PLR2004
    return ends if junction else []


def doubled(network: Network) -> Network:
    """Let private ways stand twice, and with them the public ways that only private ones lead to.

    Of every connected part the public piece with most main road, or else most street, is the outside; the other public
    pieces lie within gates or behind private ways, as the lanes of a compound do whose gates alone are tagged.
    """
    private = network.private | _enclosed(network)
    if not private.any():
        return network
    u, v = network.edge_u, network.edge_v
    public = np.zeros(network.n_nodes, dtype=bool)
    public[u[~private]] = True
    public[v[~private]] = True
    inner = np.zeros(network.n_nodes, dtype=bool)
    inner[u[private]] = True
    inner[v[private]] = True
    shared = np.flatnonzero(inner & public)  # the outside end of a private way: the leaving copy gets a node of its own
    owned = np.flatnonzero(inner)
    leave = np.arange(network.n_nodes)
    leave[shared] = network.n_nodes + np.arange(len(shared))
    arrive = np.full(network.n_nodes, -1)
    arrive[owned] = network.n_nodes + len(shared) + np.arange(len(owned))
    own = np.flatnonzero(private)
    edge_u, edge_v, role = u.copy(), v.copy(), network.role.copy()
    edge_u[own], edge_v[own], role[own] = leave[u[own]], leave[v[own]], LEAVING
    grown = network.changed(edge_u=edge_u, edge_v=edge_v, role=role, private=private).with_nodes(
        np.concatenate([shared, owned])
    )
    grown = grown.with_copies(own, arrive[u[own]], arrive[v[own]], suffix=".in", role=ARRIVING)
    ids = network.node_id[shared].tolist()
    link = {"way": 0, "kind": "gate", "tags": {}, "private": True, "aloft": False, "passage": True}
    grown = grown.with_edges(
        edge_id=[f"n{node}.out" for node in ids], u=leave[shared], v=shared, role=OUT, **link
    )  # fmt: skip
    return grown.with_edges(
        edge_id=[f"n{node}.in" for node in ids], u=shared, v=arrive[shared], role=IN, **link
    )  # fmt: skip


def _enclosed(network: Network) -> NDArray[np.bool_]:
    """Public edges that private ones alone join to the rest, (n_edges,) bool."""
    private = network.private
    if not private.any():
        return np.zeros(network.n_edges, dtype=bool)

    def parts(chosen: NDArray[np.bool_]) -> NDArray[np.int32]:
        pairs = (network.edge_u[chosen], network.edge_v[chosen])
        graph = coo_matrix((np.ones(len(pairs[0]), dtype=np.int8), pairs), shape=(network.n_nodes, network.n_nodes))
        return np.asarray(connected_components(graph, directed=False)[1], dtype=np.int32)

    whole, piece = parts(np.ones(network.n_edges, dtype=bool)), parts(~private)
    of_piece, size = piece[network.edge_u], piece.max() + 1
    street = np.bincount(of_piece, weights=np.where(private, 0.0, network.length_m), minlength=size)
    main = np.isin(network.kind.astype(str), _MAIN) & ~private
    main_m = np.bincount(of_piece, weights=np.where(main, network.length_m, 0.0), minlength=size)
    whole_of = np.zeros(piece.max() + 1, dtype=np.int64)
    whole_of[piece] = whole
    order = np.lexsort((np.arange(len(street)), -street, -main_m, whole_of))
    outside = np.zeros(len(street), dtype=bool)
    outside[order[np.flatnonzero(np.diff(whole_of[order], prepend=-1))]] = True
    return ~private & ~outside[piece[network.edge_u]]


def smoothed(network: Network, height_m: NDArray[np.float64]) -> NDArray[np.float64]:
    """Heights with those of bridges and tunnels laid evenly between their heads.

    An elevation model tells the valley under a bridge and the hill over a tunnel. A node whose every way is aloft
    takes the mean of its neighbours' heights, weighted by nearness (the solution of Laplace's equation).

    Parameters
    ----------
    height_m : (n_nodes,) float64, m; NaN unknown

    Returns
    -------
    (n_nodes,) float64, m
    """
    same, n = network.node_same, network.n_nodes
    street = ~network.passage & (network.length_m > 0)
    u, v = same[network.edge_u[street]], same[network.edge_v[street]]
    aloft, length = network.aloft[street], network.length_m[street]
    grounded = np.ones(n, dtype=bool)
    grounded[u[aloft]] = grounded[v[aloft]] = False
    grounded[u[~aloft]] = grounded[v[~aloft]] = True
    lifted = np.flatnonzero(~grounded & (same == np.arange(n)) & np.isfinite(height_m))
    if not len(lifted):
        return height_m
    from scipy.sparse import csr_matrix, diags
    from scipy.sparse.linalg import spsolve

    known = np.where(np.isfinite(height_m), height_m, 0.0)
    touches = np.isin(u, lifted) | np.isin(v, lifted)
    u, v, pull = u[touches], v[touches], 1.0 / length[touches]
    pull = np.where(np.isfinite(height_m[u]) & np.isfinite(height_m[v]), pull, 0.0)
    graph = csr_matrix((np.concatenate([pull, pull]), (np.concatenate([u, v]), np.concatenate([v, u]))), shape=(n, n))
    graph.eliminate_zeros()  # what has no height holds nothing
    # A bridge whose heads the data cuts off hangs on nothing: it keeps what the model says.
    part = connected_components(graph, directed=False)[1]
    held = np.zeros(part.max() + 1, dtype=bool)
    held[part[grounded & (graph.getnnz(axis=1) > 0)]] = True
    lifted = lifted[held[part[lifted]]]
    if not len(lifted):
        return height_m
    laplace = (diags(np.asarray(graph.sum(axis=1)).ravel()) - graph).tocsr()
    rest = np.setdiff1d(np.arange(n), lifted)
    solved = known.copy()
    solved[lifted] = spsolve(laplace[lifted][:, lifted].tocsc(), -laplace[lifted][:, rest] @ known[rest])
    return np.where(np.isfinite(height_m), solved[same], height_m)
