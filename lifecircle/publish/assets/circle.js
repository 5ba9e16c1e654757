/**
 * The life circle of one home: what is reached within 5, 10 and 15 minutes, the way to the nearest of each service, and
 * the next best, drawn and told from the network in the page.
 * @param {object} kit what the map lends: scene, map, art, cells, services, Sheet and the makers of text
 */
function lifecircleCircle(kit) {
  'use strict';

  const {scene, map, art, Sheet, open, sums, make, name, t, table, heading, cell, cost, spare, round, serviceTitle, verdict} = kit;
  const LIMITS = {s: [300, 600, 900], m: [300, 500, 1000]};
  const COLOURS = ['#1d2f7a', '#5069c9', '#a3b3ec'];  // apart from what cells are coloured in
  const WAY = '#c8102e';
  const known = new Map();
  let walk = null;
  let ways = [];
  let sheet = null;

  /** Opens the network once, when the first home is asked for. */
  async function ready() {
    if (walk) return walk;
    const {u, span, line, costs, homes, doors, point_cell: pointCell, facility_rows: rows} = scene.walk;
    const joins = async (packed) => Object.fromEntries(await Promise.all(
      Object.entries(packed).map(async ([key, values]) => [key, await open(values)])));
    const ends = await Promise.all([u, span, line].map(open));
    const net = {
      u: ends[0], v: ends[0].map((at, e) => at + ends[1][e]), line: ends[2].map((more, e) => more + e),
      homes: await joins(homes), doors: await joins(doors),
      costs: await Promise.all(costs.map(async (one) => {
        const [uv, more] = await Promise.all([one.uv, one.more].map(open));
        return {
          name: one.name, unit: one.unit, cutoff: one.cutoff, perMetre: one.per_m, uv, vu: uv.map((ticks, e) => ticks + more[e]),
          homes: await joins(one.homes), doors: await joins(one.doors),
        };
      })),
    };
    const gates = await openGates(scene.walk.gates, net);
    const cellOf = await open(pointCell);
    const first = new Int32Array(kit.cells().n).fill(-1);
    for (let p = cellOf.length - 1; p >= 0; p--) first[cellOf[p]] = p;
    const start = sums(await open(rows));
    const giving = scene.services.map(() => []);
    for (let f = 0; f < start.length - 1; f++) {
      for (let row = start[f]; row < start[f + 1]; row++) giving[art.facilities.service[row]].push(f);
    }
    const [people, met] = await Promise.all([scene.walk.point_people, scene.walk.point_met].map((one) => one && open(one)));
    walk = {net, gates, cellOf, people, met, first, start, giving, closed: new Set(), ...window.lifecircleWalk(net)};
    return walk;
  }

  /** Lays what an opened gate would join behind the edges, closed as yet; gate g owns links[g] .. links[g + 1]. */
  async function openGates(packed, net) {
    const [x, y, links, a, b] = await Promise.all(['x', 'y', 'links', 'a', 'b'].map((key) => open(packed[key])));
    const longer = (values, more) => {
      const all = new Int32Array(values.length + more.length);
      all.set(values);
      all.set(more, values.length);
      return all;
    };
    const none = new Int32Array(a.length).fill(-1);
    const gates = {node: packed.node, lon: x, lat: y, step: packed.step, first: net.u.length, links: sums(links)};
    Object.assign(net, {u: longer(net.u, a), v: longer(net.v, b), line: longer(net.line, none)});
    for (const one of net.costs) Object.assign(one, {uv: longer(one.uv, none), vu: longer(one.vu, none)});
    return gates;
  }

  /** The nearest facility of every service from a cell's main access point, and the next one. */
  function nearest(at) {
    const point = walk.first[at];
    const found = scene.services.map(() => null);
    scene.walk.costs.forEach((_, c) => {
      const mine = scene.services.map((__, i) => i).filter((i) => scene.walk.service_cost[i] === c);
      if (!mine.length) return;
      const all = walk.walkFrom(point, c, walk.start.length - 1);
      for (const i of mine) {
        const [best, second] = twoBest(all.best, walk.giving[i]);
        found[i] = {best, second, ticks: best < 0 ? null : all.best[best], next: second < 0 ? null : all.best[second]};
        if (best >= 0) Object.assign(found[i], wayOf(all, best, c));
      }
    });
    return found;
  }

  /** The two facilities with the least ticks; of equal ones the lower number first. */
  function twoBest(best, facilities) {
    let [one, two] = [-1, -1];
    for (const f of facilities) {
      if (best[f] === walk.FAR || walk.closed.has(f)) continue;
      if (one < 0 || best[f] < best[one]) [one, two] = [f, one];
      else if (two < 0 || best[f] < best[two]) two = f;
    }
    return [one, two];
  }

  /** The parts of a walk: the legs at both ends, and the stretches of street between them. */
  function wayOf(all, f, c) {
    const {homes, doors} = walk.net.costs[c];
    const d = all.door[f];
    const e = walk.net.doors.edge[d];
    const end = walk.net.doors.share[d] / 1000;
    if (all.by[f] < 0) {
      const j = all.from[f];
      const begin = walk.net.homes.share[j] / 1000;
      const parts = [[walk.net.line[e], Math.min(begin, end), Math.max(begin, end)]];
      return {access: homes.leg[j], entrance: doors.leg[d], parts};
    }
    const {arcs, join} = walk.pathTo(all.by[f]);
    const parts = arcs.map((arc) => [walk.net.line[arc >> 1], 0, 1]);
    const home = walk.net.homes.edge[join];
    const begin = walk.net.homes.share[join] / 1000;
    const startsAtU = firstNode(arcs, all.by[f]) === walk.net.u[home];
    parts.unshift([walk.net.line[home], startsAtU ? 0 : begin, startsAtU ? begin : 1]);
    parts.push([walk.net.line[e], all.by[f] === walk.net.u[e] ? 0 : end, all.by[f] === walk.net.u[e] ? end : 1]);
    return {access: homes.leg[join], entrance: doors.leg[d], parts};
  }

  /** The node a path starts from: that of its first arc, or the one it ends at where it has none. */
  function firstNode(arcs, last) {
    if (!arcs.length) return last;
    const e = arcs[0] >> 1;
    return (arcs[0] & 1) === 0 ? walk.net.u[e] : walk.net.v[e];
  }

  /** A street line between two shares of its length, in world pixels. */
  function cut(line, a, b) {
    const {x, y, start} = art.streets.paths;
    const [from, to] = [start[line], start[line + 1]];
    const lengths = [0];
    for (let i = from + 1; i < to; i++) lengths.push(lengths.at(-1) + Math.hypot(x[i] - x[i - 1], y[i] - y[i - 1]));
    const whole = lengths.at(-1);
    const at = (share) => {
      const want = share * whole;
      let i = 1;
      while (i < lengths.length - 1 && lengths[i] < want) i++;
      const step = lengths[i] - lengths[i - 1];
      const w = step > 0 ? (want - lengths[i - 1]) / step : 0;
      const [p, q] = [from + i - 1, from + i];
      return {i, x: x[p] + w * (x[q] - x[p]), y: y[p] + w * (y[q] - y[p])};
    };
    const [head, tail] = [at(a), at(b)];
    const points = [[head.x, head.y]];
    for (let i = head.i; i < tail.i; i++) points.push([x[from + i], y[from + i]]);
    points.push([tail.x, tail.y]);
    return points;
  }

  function paint(context, view) {
    context.lineCap = 'round';
    for (const {lines, colour, width, dash} of ways) {
      context.strokeStyle = colour;
      context.lineWidth = width * (view.z >= 15 ? 1.4 : view.z < 13 ? 0.7 : 1);
      context.setLineDash(dash || []);
      context.beginPath();
      for (const points of lines) {
        points.forEach(([x, y], i) => context[i ? 'lineTo' : 'moveTo'](x * view.scale - view.ox, y * view.scale - view.oy));
      }
      context.stroke();
    }
    context.setLineDash([]);
  }

  function draw(at, found) {
    const chosen = kit.service();
    const c = scene.walk.service_cost[Math.max(0, chosen)];
    const {unit} = scene.walk.costs[c];
    const point = walk.first[at];
    walk.walkFrom(point, c, walk.start.length - 1);
    const drawn = LIMITS[unit].map((limit, i) => ({
      colour: COLOURS[i], width: 5,
      lines: walk.reachedParts(point, c, limit * scene.walk.ticks).map(([line, a, b]) => cut(line, a, b)),
    }));
    const legs = found.filter((one, i) => one && one.parts && (chosen < 0 || chosen === i));
    const lines = legs.flatMap((one) => one.parts.filter(([line]) => line >= 0).map(([line, a, b]) => cut(line, a, b)));
    ways = [...drawn.reverse(), {colour: WAY, width: 2.4, dash: [6, 4], lines}];
    sheet = sheet || new Sheet('circle', 245, paint);
    if (map.hasLayer(sheet)) sheet.repaint();
    else sheet.addTo(map);
    return unit;
  }

  const facilityName = (f) => {
    const text = art.facilities.names[walk.start[f]];
    return text ? name(text) : t('unnamed');
  };

  /** What the panel says: the nearest of each service with the parts of the walk, what is left of the limit, the next. */
  function told(at, found, unit) {
    const {ticks} = scene.walk;
    const key = LIMITS[unit].map((limit, i) => make('span', {}, make('i', {class: 'lc-stroke', style: 'background:' + COLOURS[i]}),
      '≤ ' + round(unit, limit)));
    const rows = scene.services.map((service, i) => {
      const one = found[i];
      const met = kit.met(i, at);
      const added = kit.added(i, walk.first[at]);
      if (added !== null && !(one && one.ticks !== null && one.ticks <= added)) {
        return make('tr', {}, make('th', {scope: 'row'}, name(serviceTitle(i))), make('td', {}, t('added_here')),
          cell(cost(service.unit, added / ticks)), make('td', {}, verdict(met)));
      }
      const head = make('th', {scope: 'row'}, name(serviceTitle(i)));
      if (!one || one.ticks === null) {
        return make('tr', {}, head, make('td', {}, t(met < 0 ? 'not_known' : 'none_in_search')), cell('–'), make('td', {}, verdict(met)));
      }
      const write = (n) => cost(service.unit, n / ticks);
      const limit = service.by_zone[kit.cells().zone[at]] ?? service.threshold;
      const slack = limit - one.ticks / ticks;
      const street = one.ticks - one.access - one.entrance;
      const split = make('small', {}, t('split', write(one.access), write(street), write(one.entrance)));
      const next = one.next === null ? '' : make('small', {}, t('runner_up'), ' ', facilityName(one.second), ' ', write(one.next));
      return make('tr', {}, head, make('td', {}, facilityName(one.best), split, next), cell(write(one.ticks)),
        make('td', {}, verdict(met), make('small', {}, slack >= 0 ? t('to_spare', spare(service.unit, slack))
          : t('too_much', cost(service.unit, -slack)))));
    });
    return make('div', {class: 'lc-circle'}, make('p', {class: 'lc-circle-key'}, key), table(
      ['service', 'nearest_one', 'walk', 'verdict'].map((word) => heading(t(word))), rows));
  }

  return {
    FAR: 0x7fffffff,
    /** Draws the circle of a cell and returns its panel; null where the page has no network or the cell no join. */
    async show(at) {
      if (!scene.walk || at < 0) return null;
      await ready();
      if (walk.first[at] < 0 || !walk.joinsOf(walk.first[at]).length) return null;
      const found = nearest(at);
      return told(at, found, draw(at, found));
    },
    hide() {
      ways = [];
      if (sheet && map.hasLayer(sheet)) sheet.remove();
    },
    ready,
    /**
     * Ticks from every access point to the nearest facility of a service, as edited, with what each point counts; by
     * the cost the service is measured in, or another one.
     */
    async pointTicks(i, other = null) {
      await ready();
      const n = walk.cellOf.length;
      const c = other ?? scene.walk.service_cost[i];
      const key = kit.edition(i);
      const at = i + ' ' + c;
      if (!known.has(at) || known.get(at).key !== key) {
        const doors = [];
        const serving = new Set(walk.giving[i].filter((f) => !walk.closed.has(f)));
        walk.net.doors.facility.forEach((f, d) => serving.has(f) && doors.push(d));
        const ticks = walk.walkTo(c, doors, kit.moreDoors(i, c), n);
        const main = Uint8Array.from(walk.cellOf, (place, p) => (walk.first[place] === p ? 1 : 0));
        const judged = Uint8Array.from({length: n}, (_, p) => (walk.met[i * n + p] < 0 ? 0 : 1));
        const weight = walk.people || main.map((one) => one);
        known.set(at, {key, ticks, main, judged, weight, first: walk.first});
      }
      return known.get(at);
    },
    /** Ticks from a cell to the nearest facility of each service, null beyond the cutoff: what the engine says too. */
    async ticks(at) {
      await ready();
      return nearest(at).map((one) => (one ? one.ticks : null));
    },
  };
}
