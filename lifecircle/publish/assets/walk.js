/**
 * Walks on the network of the page, in the run's own whole ticks, so that page and engine agree.
 *
 * Nodes and edges are as the run laid them out: private ways stand twice and gates are edges of no length, so that a
 * plain search obeys them. A closed direction costs -1.
 * @param {object} net u, v, line; costs with uv, vu, cutoff, homes and doors (leg, forth, back); homes (point, edge,
 *   rank, share), doors (facility, edge, rank, share)
 */
function lifecircleWalk(net) {
  'use strict';

  const FAR = 0x7fffffff;
  const {u, v} = net;
  const nEdges = u.length;
  let nNodes = 0;
  for (let e = 0; e < nEdges; e++) nNodes = Math.max(nNodes, u[e] + 1, v[e] + 1);

  // Edges by node, both ways round: entry 2e leaves u, entry 2e + 1 leaves v.
  const head = new Int32Array(nNodes + 1);
  for (let e = 0; e < nEdges; e++) {
    head[u[e] + 1]++;
    head[v[e] + 1]++;
  }
  for (let i = 0; i < nNodes; i++) head[i + 1] += head[i];
  const arcs = new Int32Array(2 * nEdges);
  const next = head.slice();
  for (let e = 0; e < nEdges; e++) {
    arcs[next[u[e]]++] = 2 * e;
    arcs[next[v[e]]++] = 2 * e + 1;
  }

  const homesOf = pointers(net.homes.point);
  const doorsOfEdge = new Map();
  net.doors.edge.forEach((edge, door) => {
    if (!doorsOfEdge.has(edge)) doorsOfEdge.set(edge, []);
    doorsOfEdge.get(edge).push(door);
  });

  /** Where the rows of each owner start; the owners ascend. */
  function pointers(owner) {
    const start = new Int32Array((owner.length ? owner[owner.length - 1] : -1) + 2);
    for (const o of owner) start[o + 1]++;
    for (let i = 1; i < start.length; i++) start[i] += start[i - 1];
    return start;
  }

  const dist = new Int32Array(nNodes).fill(FAR);
  const before = new Int32Array(nNodes).fill(-1);  // the arc a node was reached by; below -1 the join it started from
  let touched = [];

  // A binary heap of (ticks, node), in two plain arrays.
  const heap = {ticks: new Int32Array(1024), node: new Int32Array(1024), size: 0};

  function push(ticks, node) {
    if (heap.size === heap.ticks.length) {
      for (const key of ['ticks', 'node']) {
        const larger = new Int32Array(2 * heap.size);
        larger.set(heap[key]);
        heap[key] = larger;
      }
    }
    let i = heap.size++;
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (heap.ticks[parent] <= ticks) break;
      heap.ticks[i] = heap.ticks[parent];
      heap.node[i] = heap.node[parent];
      i = parent;
    }
    heap.ticks[i] = ticks;
    heap.node[i] = node;
  }

  /** Takes the least entry out; its ticks and node are left in `heap.top` and `heap.at`. */
  function pop() {
    heap.top = heap.ticks[0];
    heap.at = heap.node[0];
    const [ticks, node] = [heap.ticks[--heap.size], heap.node[heap.size]];
    let i = 0;
    for (;;) {
      let child = 2 * i + 1;
      if (child >= heap.size) break;
      if (child + 1 < heap.size && heap.ticks[child + 1] < heap.ticks[child]) child++;
      if (heap.ticks[child] >= ticks) break;
      heap.ticks[i] = heap.ticks[child];
      heap.node[i] = heap.node[child];
      i = child;
    }
    heap.ticks[i] = ticks;
    heap.node[i] = node;
  }

  function reach(node, ticks, by, cutoff) {
    if (ticks > cutoff || ticks >= dist[node]) return;
    if (dist[node] === FAR) touched.push(node);
    dist[node] = ticks;
    before[node] = by;
    push(ticks, node);
  }

  function clear() {
    for (const node of touched) {
      dist[node] = FAR;
      before[node] = -1;
    }
    touched = [];
    heap.size = 0;
  }

  /** Walks on from what was reached, along the arcs, or against them from places that are walked to. */
  function settle(cost, {against = false} = {}) {
    const {uv, vu, cutoff} = cost;
    while (heap.size) {
      pop();
      const [ticks, node] = [heap.top, heap.at];
      if (ticks > dist[node]) continue;
      for (let k = head[node]; k < head[node + 1]; k++) {
        const arc = arcs[k];
        const e = arc >> 1;
        const fromU = (arc & 1) === 0;
        const step = fromU !== against ? uv[e] : vu[e];
        if (step >= 0) reach(fromU ? v[e] : u[e], ticks + step, arc, cutoff);
      }
    }
  }

  /** What a home's join costs to the ends of its edge, -1 where closed. */
  function homeEnds(cost, j) {
    const {leg, forth, back} = cost.homes;
    const e = net.homes.edge[j];
    return {
      toU: cost.vu[e] >= 0 && back[j] >= 0 ? leg[j] + back[j] : -1,
      toV: cost.uv[e] >= 0 && forth[j] >= 0 ? leg[j] + cost.uv[e] - forth[j] : -1,
    };
  }

  /** What a door costs from the ends of its edge, -1 where closed. */
  function doorEnds(cost, d) {
    const {leg, forth, back} = cost.doors;
    const e = net.doors.edge[d];
    return {
      fromU: forth[d] >= 0 && cost.uv[e] >= 0 ? leg[d] + forth[d] : -1,
      fromV: back[d] >= 0 && cost.vu[e] >= 0 ? leg[d] + cost.vu[e] - back[d] : -1,
    };
  }

  /** A walk along one edge from a home to a door, -1 where there is none. */
  function along(cost, j, d) {
    const forward = net.doors.rank[d] >= net.homes.rank[j];
    const way = forward ? 'forth' : 'back';
    const [from, to] = [cost.homes[way][j], cost.doors[way][d]];
    if (from < 0 || to < 0) return -1;
    return cost.homes.leg[j] + cost.doors.leg[d] + (forward ? to - from : from - to);
  }

  const joinsOf = (point) => {
    const [from, to] = [homesOf[point] || 0, homesOf[point + 1] || 0];
    return Array.from({length: point + 1 < homesOf.length ? to - from : 0}, (_, i) => from + i);
  };

  /**
   * Walks from an access point by one cost. The answer is good until the next walk.
   * @returns {{best: Int32Array, door: Int32Array, by: Int32Array, from: Int32Array}} ticks per facility (FAR beyond
   *   the cutoff), the door it is entered by, the node that door is reached from (-1: along the home's own edge), and
   *   the home's join of such a walk
   */
  function walkFrom(point, c, nFacilities) {
    const cost = net.costs[c];
    clear();
    const joins = joinsOf(point);
    for (const j of joins) {
      const e = net.homes.edge[j];
      const {toU, toV} = homeEnds(cost, j);
      if (toU >= 0) reach(u[e], toU, -2 - j, cost.cutoff);
      if (toV >= 0) reach(v[e], toV, -2 - j, cost.cutoff);
    }
    settle(cost);
    const best = new Int32Array(nFacilities).fill(FAR);
    const [door, by, from] = [0, 0, 0].map(() => new Int32Array(nFacilities).fill(-1));
    const {facility, edge} = net.doors;
    const offer = (d, ticks, node, join) => {
      const f = facility[d];
      if (ticks > cost.cutoff || ticks >= best[f]) return;
      best[f] = ticks;
      door[f] = d;
      by[f] = node;
      from[f] = join;
    };
    for (let d = 0; d < edge.length; d++) {
      const e = edge[d];
      if (dist[u[e]] === FAR && dist[v[e]] === FAR) continue;
      const {fromU, fromV} = doorEnds(cost, d);
      if (fromU >= 0 && dist[u[e]] !== FAR) offer(d, dist[u[e]] + fromU, u[e], -1);
      if (fromV >= 0 && dist[v[e]] !== FAR) offer(d, dist[v[e]] + fromV, v[e], -1);
    }
    for (const j of joins) {
      for (const d of doorsOfEdge.get(net.homes.edge[j]) || []) {
        const ticks = along(cost, j, d);
        if (ticks >= 0) offer(d, ticks, -1, j);
      }
    }
    return {best, door, by, from};
  }

  /** The arcs from the home to a node of the last walk, first to last, and the join they start from. */
  function pathTo(node) {
    const path = [];
    let at = node;
    while (before[at] >= 0) {
      path.push(before[at]);
      const e = before[at] >> 1;
      at = (before[at] & 1) === 0 ? u[e] : v[e];
    }
    return {arcs: path.reverse(), join: -2 - before[at]};
  }

  /**
   * Parts of the street lines the last walk reached within a limit.
   * @param {number} limit ticks
   * @returns {Array<[number, number, number]>} line, from and to as shares of its length
   */
  function reachedParts(point, c, limit) {
    const cost = net.costs[c];
    const reached = new Map();
    const add = (line, a, b) => {
      if (line < 0 || b <= a) return;
      if (!reached.has(line)) reached.set(line, []);
      reached.get(line).push([a, b]);
    };
    const part = (left, whole) => (left < 0 ? 0 : whole > 0 ? Math.min(1, left / whole) : 1);
    for (const node of touched) {
      const left = limit - dist[node];
      if (left < 0) continue;
      for (let k = head[node]; k < head[node + 1]; k++) {
        const e = arcs[k] >> 1;
        if (net.line[e] < 0) continue;
        if ((arcs[k] & 1) === 0) {
          if (cost.uv[e] >= 0) add(net.line[e], 0, part(left, cost.uv[e]));
        } else if (cost.vu[e] >= 0) add(net.line[e], 1 - part(left, cost.vu[e]), 1);
      }
    }
    for (const j of joinsOf(point)) {
      const e = net.homes.edge[j];
      const left = limit - cost.homes.leg[j];
      if (left < 0) continue;
      const at = net.homes.share[j] / 1000;
      const back = cost.vu[e] >= 0 ? part(left, cost.vu[e]) : 0;
      const forth = cost.uv[e] >= 0 ? part(left, cost.uv[e]) : 0;
      add(net.line[e], Math.max(0, at - back), Math.min(1, at + forth));
    }
    return Array.from(reached, ([line, parts]) => parts.map(([a, b]) => [line, a, b])).flat();
  }

  /**
   * The least ticks from every access point to any of some doors, by walking against the arcs from all of them at once.
   * @param {number} c cost
   * @param {Iterable<number>} doors
   * @param {Array<{edge: number, fromU: number, fromV: number, along: function(number): number}>} more doors that are not
   *   among those of the run
   * @param {number} nPoints
   */
  function walkTo(c, doors, more, nPoints) {
    const cost = net.costs[c];
    clear();
    const chosen = new Set(doors);
    const seed = (e, fromU, fromV) => {
      if (fromU >= 0) reach(u[e], fromU, -1, cost.cutoff);
      if (fromV >= 0) reach(v[e], fromV, -1, cost.cutoff);
    };
    for (const d of chosen) {
      const {fromU, fromV} = doorEnds(cost, d);
      seed(net.doors.edge[d], fromU, fromV);
    }
    for (const one of more) seed(one.edge, one.fromU, one.fromV);
    settle(cost, {against: true});
    const found = new Int32Array(nPoints).fill(FAR);
    const byEdge = new Map();
    for (const one of more) {
      if (!byEdge.has(one.edge)) byEdge.set(one.edge, []);
      byEdge.get(one.edge).push(one);
    }
    for (let j = 0; j < net.homes.edge.length; j++) {
      const e = net.homes.edge[j];
      const {toU, toV} = homeEnds(cost, j);
      let ticks = FAR;
      if (toU >= 0 && dist[u[e]] !== FAR) ticks = Math.min(ticks, toU + dist[u[e]]);
      if (toV >= 0 && dist[v[e]] !== FAR) ticks = Math.min(ticks, toV + dist[v[e]]);
      for (const d of doorsOfEdge.get(e) || []) {
        if (!chosen.has(d)) continue;
        const direct = along(cost, j, d);
        if (direct >= 0) ticks = Math.min(ticks, direct);
      }
      for (const one of byEdge.get(e) || []) {
        const direct = one.along(j);
        if (direct >= 0) ticks = Math.min(ticks, direct);
      }
      if (ticks <= cost.cutoff && ticks < found[net.homes.point[j]]) found[net.homes.point[j]] = ticks;
    }
    return found;
  }

  return {FAR, walkFrom, walkTo, pathTo, reachedParts, homeEnds, doorEnds, joinsOf};
}
