"""Slow, obvious twins: plain Python, plain integers, no code of the package."""

import heapq
import math
from collections import defaultdict
from fractions import Fraction

TICKS = 32


def dijkstra(arcs, seeds, cutoff=math.inf):
    """Cheapest cost to every node from seeds ``{node: cost}`` along ``arcs`` ``{tail: [(head, cost), ...]}``."""
    done = {}
    queue = [(cost, node) for node, cost in seeds.items()]
    heapq.heapify(queue)
    while queue:
        cost, node = heapq.heappop(queue)
        if node in done or cost > cutoff:
            continue
        done[node] = cost
        for head, step in arcs.get(node, ()):
            if head not in done:
                heapq.heappush(queue, (cost + step, head))
    return done


def bellman_ford(n, arcs, seeds, cutoff):
    """Do the same by relaxing every arc until nothing changes; ``arcs`` is a list of (tail, head, cost)."""
    best = [math.inf] * n
    for node, cost in seeds:
        if cost <= cutoff:
            best[node] = min(best[node], cost)
    changed = True
    while changed:
        changed = False
        for tail, head, cost in arcs:
            if best[tail] + cost <= cutoff and best[tail] + cost < best[head]:
                best[head] = best[tail] + cost
                changed = True
    return best


def half_up(value):
    return math.floor(value + 0.5)


def along(ticks, offset_m, length_m):
    """F or B: cost of the part of an edge between its u and an offset."""
    return half_up(ticks * offset_m / length_m) if length_m > 0 else 0


class Stranger:
    """Recomputes walks from the exported tables alone: network, access and entrances, for one cost.

    Tables are lists of dicts, as any Parquet reader gives them.
    """

    def __init__(self, network, access, entrances, facilities, cost):
        self.edges = {row["edge_id"]: row for row in network}
        self.cost = cost
        self.arcs = defaultdict(list)
        for row in network:
            uv, vu = row[f"ticks_uv_{cost}"], row[f"ticks_vu_{cost}"]
            if uv is not None:
                self.arcs[row["u"]].append((row["v"], uv))
            if vu is not None:
                self.arcs[row["v"]].append((row["u"], vu))
        self.homes = defaultdict(list)
        for row in access:
            if row.get("join_n", 0) is None:
                continue  # a point that joins nothing
            self.homes[row["cell_id"], row["point_n"]].append(row)
        self.doors_at_node = defaultdict(list)
        self.doors_on_edge = defaultdict(list)
        for row in entrances:
            if row["cost"] != cost or row["status"] == "closed":
                continue
            edge = self.edges[row["edge_id"]]
            uv, vu = edge[f"ticks_uv_{cost}"], edge[f"ticks_vu_{cost}"]
            leg, y, length = row["leg_ticks"], row["offset_m"], edge["length_m"]
            from_u = None if uv is None else leg + along(uv, y, length)
            from_v = None if vu is None else leg + vu - along(vu, y, length)
            assert from_u == row["from_u_ticks"]
            assert from_v == row["from_v_ticks"]
            if from_u is not None:
                self.doors_at_node[edge["u"]].append((row["facility_id"], from_u))
            if from_v is not None:
                self.doors_at_node[edge["v"]].append((row["facility_id"], from_v))
            self.doors_on_edge[row["edge_id"]].append(row)
        self.services = defaultdict(set)
        for row in facilities:
            self.services[row["facility_id"]].add(row["service"])

    def walk(self, cell_id, cutoff, point_n=0):
        """Ticks from an access point of a cell to every facility within the cutoff."""
        seeds, found = {}, {}

        def offer(facility, ticks):
            if ticks <= cutoff and ticks < found.get(facility, math.inf):
                found[facility] = ticks

        for join in self.homes.get((cell_id, point_n), ()):
            edge = self.edges[join[f"edge_id_{self.cost}"]]
            uv, vu = edge[f"ticks_uv_{self.cost}"], edge[f"ticks_vu_{self.cost}"]
            x, leg, length = join[f"offset_m_{self.cost}"], join[f"leg_ticks_{self.cost}"], edge["length_m"]
            to_v = None if uv is None else leg + uv - along(uv, x, length)
            to_u = None if vu is None else leg + along(vu, x, length)
            assert to_u == join[f"to_u_ticks_{self.cost}"]
            assert to_v == join[f"to_v_ticks_{self.cost}"]
            for node, ticks in ((edge["u"], to_u), (edge["v"], to_v)):
                if ticks is not None:
                    seeds[node] = min(seeds.get(node, math.inf), ticks)
            for door in self.doors_on_edge.get(edge["edge_id"], ()):
                y = door["offset_m"]
                if y >= x and uv is not None:
                    between = along(uv, y, length) - along(uv, x, length)
                elif y < x and vu is not None:
                    between = along(vu, x, length) - along(vu, y, length)
                else:
                    continue
                offer(door["facility_id"], leg + between + door["leg_ticks"])
        for node, ticks in self.reached(seeds, cutoff).items():
            for facility, more in self.doors_at_node.get(node, ()):
                offer(facility, ticks + more)
        return found

    def reached(self, seeds, cutoff):
        return dijkstra(self.arcs, seeds, cutoff)

    def nearest(self, cell_id, cutoff, thresholds, point_n=0):
        """Per service: ticks to the nearest facility (None beyond the cutoff) and the number within its threshold."""
        found = self.walk(cell_id, cutoff, point_n)
        out = {}
        for service, threshold in thresholds.items():
            ticks = [t for facility, t in found.items() if service in self.services[facility]]
            out[service] = (min(ticks, default=None), sum(t <= threshold for t in ticks))
        return out


def covered(whole, left, cost):
    """Part of an edge, in the units of ``whole``, that ``left`` ticks pay for at ``cost`` ticks for all of it."""
    if cost is None or left < 0:
        return 0
    return whole if left >= cost else whole * left // cost


def extent(edges, ticks, joins, cutoff, node_same=None, edge_same=None):
    """Nodes and street reached: ticks where every edge costs the same both ways, else cm rounded down per edge.

    ``edges``: (u, v, length_m, uv, vu), -1 closed. ``ticks``: cost of each node, inf beyond. ``joins``: (edge, offset_m,
    leg) of the home. ``node_same``, ``edge_same``: the node or edge that each is one more copy of, itself for most;
    what stands several times counts once.
    """
    directed = any(uv != vu for *_, uv, vu in edges)
    streets = defaultdict(list)
    for number, edge in enumerate(edges):
        if edge[3] >= 0 or edge[4] >= 0:
            streets[number if edge_same is None else edge_same[number]].append(number)
    total = 0
    for copies in streets.values():
        length_m = edges[copies[0]][2]
        # Of each end, the copy reached soonest from which that direction is open.
        forth = [(uv, ticks[u]) for u, _, _, uv, _ in (edges[k] for k in copies) if uv >= 0]
        back = [(vu, ticks[v]) for _, v, _, _, vu in (edges[k] for k in copies) if vu >= 0]
        uv, vu = (min((cost for cost, _ in side), default=None) for side in (forth, back))
        left_u, left_v = (max((cutoff - t for _, t in side if t <= cutoff), default=-1) for side in (forth, back))
        whole = half_up(length_m * 100) if directed else uv
        own = [(edge, x, leg) for edge, x, leg in joins if edge in copies and leg <= cutoff]
        if not own:
            if directed:
                total += meeting(whole, left_u, uv, left_v, vu)
            else:
                total += min(whole, max(0, left_u) + max(0, left_v))
            continue
        spans = []
        if left_u >= 0:
            spans.append((0, covered(whole, left_u, uv)))
        if left_v >= 0:
            spans.append((whole - covered(whole, left_v, vu), whole))
        for edge, x, leg in own:
            on_uv, on_vu = (None if cost < 0 else cost for cost in edges[edge][3:])
            at = half_up(x * 100) if directed else along(on_uv, x, length_m)
            low, high = at - covered(whole, cutoff - leg, on_vu), at + covered(whole, cutoff - leg, on_uv)
            spans.append((max(0, low), min(whole, high)))
        end = 0
        for low, high in sorted(spans):
            total += max(0, high - max(end, low))
            end = max(end, high)
    reached = {node if node_same is None else node_same[node] for node, t in enumerate(ticks) if t <= cutoff}
    return len(reached), total


def meeting(whole, left_u, uv, left_v, vu):
    """Reached part of an edge in cm: min(1, (T - Du) / uv + (T - Dv) / vu) of it, rounded down."""
    share = Fraction(0)
    for left, cost in ((left_u, uv), (left_v, vu)):
        if cost is not None and left >= 0:
            share += Fraction(left, cost) if cost else 1
    return math.floor(whole * min(Fraction(1), share))
